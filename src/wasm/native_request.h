/* What is asked of the native compiler, a process of its own (wisp-native), and what it answers: over its standard
 * input and output. It has its own copy of the machine's decoder, so only plain data pass; both sides must be of one
 * build. */
#ifndef WASM_NATIVE_REQUEST_H
#define WASM_NATIVE_REQUEST_H
#include "base/bytes.h"
#include "base/err.h"
#include "wasm/native_code.h"

/* 64 hex digits that change with every source of the compiler and of the machine. */
const char *wasm_native_build(void);

typedef struct wasm_native_request {
    base_span module; /* validated again there; wasm_module_skeleton is enough */
    wasm_native_options options;
    unsigned threads; /* 0: one a CPU */
} wasm_native_request;

/* What a compilation may use: bytes of memory beside what an idle compiler has, and seconds of processor time, on all
 * CPUs together. A hundred times what it takes: only what runs away meets them. */
uint64_t wasm_native_memory_limit(void);
uint64_t wasm_native_cpu_limit(uint64_t module_size);

/* The request as bytes; the module goes last, as it is. And back: spans and lists point into `bytes`, except
 * *replaceable, which is for base_free. WISP_E_UNSUPPORTED: the other side is of another build. */
void wasm_native_request_write(base_buffer *head, const wasm_native_request *request);
wisp_status wasm_native_request_read(wasm_native_request *request, uint32_t **replaceable, base_span bytes,
                                     wisp_report *report) WISP_MUST_USE;

/* An answer is messages: how far it is, any number of times, then an image or why there is none. Each is a kind and a
 * size, and so many bytes. */
enum wasm_native_message {
    WASM_NATIVE_PROGRESS = 1, /* functions done, functions in all */
    WASM_NATIVE_IMAGE = 2,    /* the bytes follow as they are */
    WASM_NATIVE_FAILURE = 3,  /* a wisp_status and a text */
};
void wasm_native_put_progress(base_buffer *out, uint64_t done, uint64_t total);
void wasm_native_put_image_head(base_buffer *out, uint64_t size);
void wasm_native_put_failure(base_buffer *out, wisp_status status, const char *text);

/* An answer as it comes; begins as zeroes. */
typedef struct wasm_native_answer {
    base_buffer bytes;
    size_t at; /* of the message that is not whole yet, or the last one */
    uint64_t done, total;
    bool complete;
} wasm_native_answer;
/* WISP_E_INTERNAL: that is no answer; WISP_E_MEMORY. */
wisp_status wasm_native_answer_add(wasm_native_answer *answer, base_span bytes, wisp_report *report) WISP_MUST_USE;
/* Of a complete one: moves the image out, or says why there is none. */
wisp_status wasm_native_answer_take(wasm_native_answer *answer, base_buffer *image, wisp_report *report) WISP_MUST_USE;

#endif
