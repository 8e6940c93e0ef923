/* What is asked of the native compiler, in this process (libwisp-native.so, of which this is the one function) or in
 * one of its own (wisp-native, by its standard input and output). The compiler has its own copy of the machine's
 * decoder, so only plain data pass; both sides must be of one build. */
#ifndef WASM_NATIVE_PLUGIN_H
#define WASM_NATIVE_PLUGIN_H
#include "base/bytes.h"
#include "base/err.h"

#define WISP_NATIVE_SYMBOL "wisp_native_compile"
enum { WISP_NATIVE_REQUEST = 1 }; /* version of the struct */

typedef struct wisp_native_request {
    uint32_t version;      /* WISP_NATIVE_REQUEST */
    char build[65];        /* wasm_native_build() */
    const uint8_t *module; /* validated again there; wasm_module_skeleton is enough */
    size_t module_size;
    uint32_t target, flags;
    const uint32_t *replaceable;
    uint32_t replaceable_count;
    uint32_t threads;                                               /* 0: one a CPU */
    bool (*progress)(void *context, uint64_t done, uint64_t total); /* functions; NULL: none */
    void *context;
    /* The answer: an image, to be given to release(); or a text. */
    uint8_t *image;
    size_t image_size;
    void (*release)(void *image);
    char text[512];
} wisp_native_request;

typedef int wisp_native_compile_fn(wisp_native_request *request); /* a wisp_status */
wisp_native_compile_fn wisp_native_compile;

/* 64 hex digits that change with every source of the compiler and of the machine. */
const char *wasm_native_build(void);

/* The request as bytes (without progress); the module goes last. And back: spans and lists point into `bytes`, except
 * *replaceable, which is for base_free. */
void wasm_native_request_write(base_buffer *head, const wisp_native_request *request);
wisp_status wasm_native_request_read(wisp_native_request *request, uint32_t **replaceable, base_span bytes,
                                     wisp_report *report) WISP_MUST_USE;
/* The answer: a status, then the image or the text. */
void wasm_native_answer_write(base_buffer *head, wisp_status status, const wisp_native_request *request);
wisp_status wasm_native_answer_read(base_span *image, base_span bytes, wisp_report *report) WISP_MUST_USE;

#endif
