/* A capsule as an object: joins wasm, wasi, tensor and capsule behind include/wisp. */
#ifndef HOST_HOST_H
#define HOST_HOST_H
#include <wisp/wisp.h>

#include "capsule/capsule.h"
#include "host/folders.h"
#include "os/os.h"
#include "tensor/device.h"
#include "wasm/wasm.h"

struct wisp_capsule {
    os_map map;            /* the capsule's file, or … */
    os_file_info identity; /* of that */
    uint8_t *pages;        /* … a capsule compiled into memory (a vocabulary only) */
    size_t pages_size;
    capsule parsed;
    wasm_module *module; /* borrows the bytes above */
};

/* The standard engine, made with this build (src/host/meson.build), and what it is called. */
extern const unsigned char host_engine_bytes[];
extern const unsigned int host_engine_size;
base_span host_engine(void);

/* Swaps the bodies of the instance's wisp_dev_* functions for those of `device`. */
wisp_status host_replace_intrinsics(wasm_instance *instance, const capsule *parsed, tensor_device *device,
                                    wisp_report *report) WISP_MUST_USE;

/* The functions that the capsule lists as replaceable, ascending: native code is made for just these. As many as
 * intrinsic_count; base_free. */
wisp_status host_replaceable(uint32_t **functions, const capsule *parsed, wisp_report *report) WISP_MUST_USE;

/* Reads an event of the engine into `event`; its strings point into *doc (freed by the caller with base_json_free) and
 * `json`. WISP_E_INTERNAL if it is not an event: then the guest is broken, or lying. */
wisp_status host_read_event(wisp_event *event, base_json_doc **doc, base_span json, wisp_report *report) WISP_MUST_USE;

/* Where the capsule compiled from a raw model is kept: $XDG_CACHE_HOME/wisp/capsules/<key>.wasm. The folder is made. */
wisp_status host_cache_path(char out[HOST_PATH_MAX], const char *source, wisp_report *report) WISP_MUST_USE;

/* ---- session.c ---- */
tensor_device *host_session_device(wisp_session *session); /* NULL: the portable one, inside the sandbox */
const capsule *host_session_capsule(const wisp_session *session);

/* ---- transform.c ---- */
bool host_same_file(const char *path, const char *other);

#endif
