/* The engine behind both faces (library.c: the exports; command.c: the WASI command), and what native tests drive.
 * README.md has the JSON of options, requests and events.
 */
#ifndef GUEST_ENGINE_H
#define GUEST_ENGINE_H
#include "base/bytes.h"
#include "base/err.h"
#include "tensor/device.h"
#include <stdbool.h>

/* Where the model data comes from: the module's data segment 0 (source_wasm.c), or bytes already in memory. */
typedef struct guest_source {
    uint64_t size; /* UINT32_MAX if not known (memory.init beyond the end traps) */
    void (*read)(void *self, uint32_t offset, void *to, uint32_t size);
    void *self;
    const uint8_t *mapped; /* all of it, 64-byte aligned, if it is in memory already: nothing is copied then */
} guest_source;

guest_source guest_source_of_span(const base_span *bytes); /* the span must outlive the source */
guest_source guest_source_of_segment(void);                /* wasm only */

/* Bytes that linear memory may still grow by; UINT64_MAX: not bounded here. */
uint64_t guest_memory_left(void);

typedef struct guest_engine guest_engine;

/* `device`: NULL means the wisp_dev_* functions (or, if those lack something that the program needs, the portable
 * device); tests may pass one of their own. `options_json`: README.md; empty means defaults.
 * At most one engine without a device of its own exists at a time. */
wisp_status guest_engine_new(guest_engine **engine, const guest_source *source, tensor_device *device,
                             base_span options_json, wisp_report *report) WISP_MUST_USE;
void guest_engine_free(guest_engine *engine);

/* The request's number (> 0), or 0: refused, and an error event with "id":null says why. */
int32_t guest_submit(guest_engine *engine, const void *json, size_t size);
/* One bounded unit of work; returns how many requests are not finished yet. */
int32_t guest_step(guest_engine *engine);
/* The oldest event, valid until the next call; {NULL,0}: none. */
base_span guest_next_event(guest_engine *engine);
/* 0, or -1 if there is no such unfinished request. Its final event has finish_reason "cancelled". */
int32_t guest_cancel(guest_engine *engine, int32_t id);

#endif
