/* WASI preview 1 (wasi_snapshot_preview1) as a host module of the machine. Nothing is granted that the configuration
 * does not name: no directory, no environment, no stream. */
#ifndef WASI_WASI_H
#define WASI_WASI_H
#include "wasm/wasm.h"

typedef struct wasi_context wasi_context;

/* Where a standard stream goes. An all-zero stream is none: the guest sees end of file, and writes vanish. */
typedef struct wasi_stream {
    enum { WASI_STREAM_NONE, WASI_STREAM_FD, WASI_STREAM_CALLBACK } kind;
    int fd; /* WASI_STREAM_FD: stays the caller's, is not closed */
    /* WASI_STREAM_CALLBACK: bytes moved, 0 at the end (stdin), negative on error. `data` is to be filled for stdin, to
     * be taken for the others. */
    int64_t (*transfer)(void *context, void *data, size_t size);
    void *context;
} wasi_stream;

typedef struct wasi_directory {
    const char *host_path, *guest_path; /* "/home/me/data" as "/data" */
    bool read_only;
} wasi_directory;

typedef struct wasi_config {
    const char *const *args; /* args[0] is the program's name */
    size_t arg_count;
    const char *const *env; /* "NAME=value" */
    size_t env_count;
    wasi_stream std_in, std_out, std_err;
    const wasi_directory *directories;
    size_t directory_count;
    uint32_t open_files; /* most descriptors open at a time; 0: 256 */
    /* Listening stream sockets, for sock_accept: the guest's descriptors 3 + directory_count and up. They are
     * duplicated (close yours when you like) and made non-blocking. */
    const int *listeners;
    size_t listener_count;
} wasi_config;

/* Copies what it needs of the configuration. WISP_E_IO if a directory cannot be opened, WISP_E_USAGE if a listener is
 * none, WISP_E_LIMIT if there are more of them than open files. */
wisp_status wasi_context_new(wasi_context **out, const wasi_config *config, wisp_report *report) WISP_MUST_USE;
void wasi_context_free(wasi_context *context); /* closes what the guest left open; NULL is allowed */
/* To be listed in wasm_imports.modules. */
wasm_host_module wasi_host_module(wasi_context *context);
/* Runs the exported "_start" of a command. WISP_OK with *exit_code also when the guest called proc_exit. */
wisp_status wasi_run_command(wasm_instance *instance, uint32_t *exit_code, wasm_trap *trap,
                             wisp_report *report) WISP_MUST_USE;

#endif
