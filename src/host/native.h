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
    bool digested, absent, present;
    uint8_t digest[32];
    uint32_t flags;    /* `absent`, `present` and `image` are of these */
    base_buffer image; /* kept from the second time on */
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
 */
wisp_status host_native_attach(host_native **out, wasm_instance *instance, const host_native_options *options,
                               wisp_report *report) WISP_MUST_USE;
/* Before the store is freed. A compilation under way is ended. NULL is allowed. */
void host_native_free(host_native *n);
host_native_origin host_native_state(const host_native *n); /* NULL is allowed */
const char *host_native_state_name(host_native_origin origin);
const char *host_native_why(const host_native *n); /* "" or why there is no native code */

/* In a file: custom sections of this name and a target's. */
#define HOST_NATIVE_SECTION "wisp.aot."

/* ---- compiling (native_compiler.c) ---- */

typedef struct host_compile_job {
    base_span module; /* whole, or its skeleton */
    wasm_native_options options;
    unsigned threads; /* 0: one a CPU */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
} host_compile_job;

/* In this process, by libwisp-native.so. WISP_E_UNSUPPORTED with what to install if it is not there. */
wisp_status host_compile(base_buffer *image, const host_compile_job *job, wisp_report *report) WISP_MUST_USE;
/* The path of the library ("libwisp-native.so") or program ("wisp-native") of this installation, absolute. */
wisp_status host_native_find(char *out, size_t size, const char *name, wisp_report *report) WISP_MUST_USE;

/* In a process of its own, with a thread here that waits for it. `done` is called on that thread. */
typedef struct host_background host_background;
typedef void host_background_done(void *context, wisp_status status, base_span image, const char *why);
/* Takes over *module, which is what job->module says; it is empty afterwards. */
wisp_status host_background_start(host_background **out, const host_compile_job *job, base_buffer *module,
                                  host_background_done *done, void *context, wisp_report *report) WISP_MUST_USE;
void host_background_free(host_background *b); /* ends the process and joins the thread; NULL is allowed */

/* ---- the cache (native_cache.c) ---- */

/* WISP_E_NOT_FOUND, or why the cache is not used. A file that is damaged or not ours counts as not there. */
wisp_status host_native_cache_read(base_buffer *image, const wasm_native_wanted *wanted,
                                   wisp_report *report) WISP_MUST_USE;
wisp_status host_native_cache_write(base_span image, const wasm_native_wanted *wanted,
                                    wisp_report *report) WISP_MUST_USE;
/* For `wisp doctor`: "/home/…/native: 3 images, 1.2 MB", or why it is not used. */
void host_native_cache_describe(char *out, size_t size);

#endif
