/* The one function of libwisp-native.so. The plug-in has its own copy of the machine's decoder, so nothing but plain
 * data passes between it and who opens it; both must be of one build. */
#ifndef WASM_NATIVE_PLUGIN_H
#define WASM_NATIVE_PLUGIN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WISP_NATIVE_SYMBOL "wisp_native_compile"
#define WISP_NATIVE_REQUEST 1 /* version of the struct */

typedef struct wisp_native_request {
    uint32_t version, abi; /* WISP_NATIVE_REQUEST, wasm_native_abi_number() */
    const uint8_t *module; /* validated again here */
    size_t module_size;
    uint32_t target, flags;
    const uint32_t *replaceable;
    uint32_t replaceable_count;
    unsigned threads;                                               /* 0: one a CPU */
    bool (*progress)(void *context, uint64_t done, uint64_t total); /* NULL: none */
    void *context;
    /* The answer: an image, to be given to release(); or a text. */
    uint8_t *image;
    size_t image_size;
    void (*release)(void *image);
    char text[512];
} wisp_native_request;

/* A wisp_status. */
int wisp_native_compile(wisp_native_request *request);

#endif
