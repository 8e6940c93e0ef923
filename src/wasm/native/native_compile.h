/* A whole module to an image: code generation spread over threads, then linking. */
#ifndef WASM_NATIVE_COMPILE_H
#define WASM_NATIVE_COMPILE_H
#include "wasm/native_abi.h"

typedef struct wasm_compile_job {
    const wasm_module *module;
    wasm_native_options options;
    unsigned threads;                                               /* 0: one a CPU */
    bool (*progress)(void *context, uint64_t done, uint64_t total); /* functions; false: stop. May be NULL */
    void *context;
} wasm_compile_job;

/* The same module and options give the same bytes, whatever the number of threads. `progress` is called on this thread.
 * WISP_E_CANCELLED, WISP_E_LIMIT, WISP_E_UNSUPPORTED, WISP_E_MEMORY. */
wisp_status wasm_compile(base_buffer *image, const wasm_compile_job *job, wisp_report *report) WISP_MUST_USE;

#endif
