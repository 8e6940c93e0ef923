/* Native code for instances. Where it comes from, in this order: the standard engine's, made with this build; sections
 * wisp.aot.<target> of a file whose signature is trusted; the cache of this user; the native compiler, if it is
 * installed. Whatever fails on the way, the interpreter serves. */
#ifndef HOST_NATIVE_H
#define HOST_NATIVE_H
#include <stdatomic.h>
#include <wisp/native.h>

#include "base/err.h"
#include "os/os.h"
#include "wasm/native_code.h"
#include "wasm/wasm.h"

/* What the first instance of a module finds out for the later ones, on any threads: begins as zeroes. Its digest, and
 * what the cache has. What other processes put into the cache after that is not seen. */
typedef struct host_native_known {
    atomic_int lock;
    bool digested, absent, present, refused;
    uint8_t digest[32];
    uint32_t flags;    /* `absent`, `present`, `refused` and `image` are of these */
    base_buffer image; /* kept from the second time on */
    char why[320];     /* `refused`: it was compiled in vain, and is not in the background again */
} host_native_known;

void host_native_known_fini(host_native_known *known);

typedef struct host_native_options {
    wisp_native policy;
    const uint32_t *replaceable; /* functions that may be replaced, ascending: part of what the code is made for */
    uint32_t replaceable_count;
    base_span file; /* the whole mapped file that the module is of, if its own native code may count: it does only if
                       host_trust_check says that its signature is good. {NULL, 0}: not wanted */
    const os_file_info *identity; /* of that file; NULL: unknown */
    host_native_known *known;     /* NULL: nothing is remembered. Not with `replaceable` */
} host_native_options;

typedef enum host_native_origin {
    HOST_NATIVE_INTERPRETER, /* none */
    HOST_NATIVE_COMPILING,   /* none yet */
    HOST_NATIVE_ENGINE,
    HOST_NATIVE_FILE,
    HOST_NATIVE_CACHE,
    HOST_NATIVE_COMPILED,
} host_native_origin;

/* One instance's native code, or the wait for it. */
typedef struct host_native host_native;

/* Call it once imports and replacements are made, before the start function, on the store's thread. *out is NULL if the
 * policy is OFF. Fails only when out of memory: that there is no native code is no failure; host_native_why says why.
 * The policy NOW only becomes a wish here. */
wisp_status host_native_attach(host_native **out, wasm_instance *instance, const host_native_options *options,
                               wisp_report *report) WISP_MUST_USE;
/* Compiles, if that is the wish: before the start function, once the store can be interrupted, on its thread; n NULL is
 * allowed. Ends with WISP_E_CANCELLED when the store is interrupted and WISP_E_DEADLINE after `time_ns` (0: none);
 * another time it tries again. WISP_OK also where there is no native code for this module, CPU or installation
 * (the compiler's WISP_E_UNSUPPORTED and WISP_E_LIMIT); any other failure of the compiler is one of this. */
wisp_status host_native_prepare(host_native *n, uint64_t time_ns, wisp_report *report) WISP_MUST_USE;
/* Before the store is freed. A compilation under way is ended, unless others wait for it. NULL is allowed. */
void host_native_free(host_native *n);
/* NULL is allowed. */
host_native_origin host_native_state(const host_native *n);
const char *host_native_why(const host_native *n); /* why there is no native code, or it is not kept; "": no reason */
/* In words, with the reason: "interpreter (not compiled yet)". */
const char *host_native_describe(host_native *n);

/* In a file: custom sections of this name and a target's. */
#define HOST_NATIVE_SECTION "wisp.aot."

/* ---- compiling (native_compiler.c) ---- */

struct os_bell;
typedef struct host_compile_job {
    base_span module; /* whole, or its skeleton */
    wasm_native_options options;
    unsigned threads; /* 0: one a CPU */
    /* On this thread, every 10 ms at least, and when the bell rings (NULL: none). False: stop. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
    const struct os_bell *bell;
} host_compile_job;

/* By a process of its own. WISP_E_UNSUPPORTED with what to install if there is no compiler, WISP_E_CANCELLED,
 * WISP_E_INTERNAL if it crashed, and what the compiler says. */
wisp_status host_compile(base_buffer *image, const host_compile_job *job, wisp_report *report) WISP_MUST_USE;
/* The absolute path of the compiler of this installation. */
wisp_status host_native_find(char *out, size_t size, wisp_report *report) WISP_MUST_USE;

/* ---- compiling once, for all that wait (native_share.c) ---- */

typedef struct host_compilation host_compilation;

typedef struct host_native_waiter {
    struct host_native_waiter *next;
    void (*done)(void *context); /* once, on another thread or at once, with a lock held: be short */
    void *context;
} host_native_waiter;

typedef struct host_native_result {
    wisp_status status;
    bool cached;     /* it was in the cache meanwhile */
    base_span image; /* lives as long as the compilation is held */
    const char *why; /* the failure, or why the image is not in the cache; or "" */
} host_native_result;

/* Joins the compilation of this module that is under way (or done, and still held by somebody), or begins one. The
 * waiter stays the caller's, until it leaves. */
wisp_status host_compilation_join(host_compilation **out, wasm_instance *instance, const wasm_native_wanted *wanted,
                                  const wasm_native_options *options, unsigned threads, host_native_waiter *waiter,
                                  wisp_report *report) WISP_MUST_USE;
const host_native_result *host_compilation_result(const host_compilation *c); /* NULL: not yet */
void host_compilation_wait(const host_compilation *c, uint64_t ns);           /* at most so long, or until a signal */
/* The last one to leave ends it, and does not wait for the compiler's end. NULL is allowed. */
void host_compilation_leave(host_compilation *c, host_native_waiter *waiter);

/* ---- the cache (native_cache.c) ---- */

/* WISP_E_NOT_FOUND, or why the cache is not used. A file that is damaged or not ours counts as not there. */
wisp_status host_native_cache_read(base_buffer *image, const wasm_native_wanted *wanted,
                                   wisp_report *report) WISP_MUST_USE;
wisp_status host_native_cache_write(base_span image, const wasm_native_wanted *wanted,
                                    wisp_report *report) WISP_MUST_USE;
/* For `wisp doctor`: "/home/…/native: 3 images, 1.2 MB", or why it is not used. */
void host_native_cache_describe(char *out, size_t size);

#endif
