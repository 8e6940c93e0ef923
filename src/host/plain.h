/* Plain modules as objects, behind include/wisp/module.h: joins wasm and wasi. */
#ifndef HOST_PLAIN_H
#define HOST_PLAIN_H
#include <stdatomic.h>
#include <wisp/module.h>

#include "host/native.h"
#include "os/os.h"
#include "wasi/wasi.h"

struct wisp_engine {
    wisp_engine_options options;
    _Atomic uint32_t instances; /* alive */
};

struct wisp_module {
    wisp_engine *engine;   /* NULL: the defaults */
    os_map map;            /* the bytes, or … */
    os_file_info identity; /* of the mapped file */
    uint8_t *bytes;        /* … a copy of them */
    wasm_module *wasm;     /* borrows them */
    wisp_extern *imports, *exports;
    char *texts; /* what the externs point to */
    host_native_known native;
};

/* What a function of the embedder's table becomes: the machine hands it back at each call. */
typedef struct host_binding {
    wisp_host_fn fn;
    void *context;
    wisp_instance *instance;
} host_binding;

struct wisp_instance {
    wisp_module *module;
    wasm_store *store;
    wasm_instance *wasm;
    host_native *native; /* NULL: the engine wants none */
    wasi_context *wasi;  /* NULL: none granted */
    base_budget budget;
    host_binding *bindings;
    wasm_func *start; /* `_initialize`, until it has run */
    uint64_t time_ns; /* the deadline of a call; 0: none */
    unsigned active;  /* calls within each other */
    bool counted;     /* among the engine's instances */
    bool started, dead, fuel_limited;
    wisp_trap trap;
    wisp_frame frames[WASM_TRAP_FRAMES];
    char reason[128];
    char *frame_names;
};

/* ---- func_signature.c ---- */
bool host_signature_valid(const char *signature);
bool host_signature_is(const char *signature, const wasm_functype *type);
char host_type_letter(wasm_type type); /* '?': it has none */
/* Appends the signature of a type, and other descriptions, to `out`. */
void host_put_signature(base_buffer *out, const wasm_functype *type);
void host_put_extern_type(base_buffer *out, const wasm_module *module, wasm_kind kind, uint32_t index);
/* A signature for a message: cut where it does not fit. */
const char *host_signature_text(const wasm_functype *type, char out[64]);

/* ---- instance_imports.c ---- */
/* Says of the first import that nothing offers, or of another type, what it is and what there is. */
wisp_status host_check_imports(const wisp_module *module, const wisp_instance_options *options,
                               wisp_report *report) WISP_MUST_USE;
wisp_status host_check_tables(const wisp_instance_options *options, wisp_report *report) WISP_MUST_USE;
wisp_status host_link(wisp_instance *instance, const wisp_instance_options *options, wisp_report *report) WISP_MUST_USE;

/* ---- instance_call.c ---- */
/* Calls and, on failure, fills instance->trap and the report. */
wisp_status host_call(wisp_instance *instance, wasm_func *func, const wisp_value *args, size_t arg_count,
                      wisp_value *results, size_t result_count, wisp_report *report) WISP_MUST_USE;
void host_record_trap(wisp_instance *instance, wisp_status status, const wasm_trap *trap);

#endif
