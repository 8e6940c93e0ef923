/* Runs a generated module and writes down all that can be seen of it: host calls, results, traps, memories, globals.
 * Two ways to run it agree exactly if their transcripts are equal. */
#ifndef FUZZ_DIFFERENTIAL_H
#define FUZZ_DIFFERENTIAL_H
#include "generate.h"
#include "wasm/wasm.h"

typedef struct differential_options {
    uint64_t fuel;   /* 0: no limit; what is left is part of the transcript */
    uint32_t rounds; /* how often each function is called, with other arguments; 0: twice */
    bool explicit_checks;
    bool elsewhere; /* as tests/generated.mjs writes it too */
    /* Called on the instance before anything runs in it: attaches native code. May be NULL. */
    wisp_status (*prepare)(void *context, wasm_instance *instance);
    void *context;
} differential_options;

/* For `prepare`: native code, made in this process for the target at `context` (uint32_t; NULL: this CPU's best). */
wisp_status differential_native(void *context, wasm_instance *instance);

/* The same, the image at `context` (base_buffer, at first empty) made once for all runs of a module with the same
 * options. */
wisp_status differential_native_again(void *context, wasm_instance *instance);

/* Appends lines of text. Aborts on what must not happen (internal errors, a trap without reason). Returns the number of
 * calls. */
uint64_t differential_run(base_buffer *transcript, const wasm_module *module, const differential_options *options);
/* The first line in which two transcripts differ, for a message; NULL if they are equal. */
const char *differential_first(const base_buffer *a, const base_buffer *b, char out[512]);

#endif
