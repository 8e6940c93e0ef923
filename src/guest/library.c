/* The library face: exports that pass JSON in and events out (README.md). */
#include "guest/library.h"

#include <string.h>

#include "base/mem.h"
#include "guest/engine.h"
#include "guest/engine_state.h"

enum { ABI = 1 };

static guest_engine *engine;
static base_buffer refusal; /* an event, while there is no engine to hold it */
static bool refusal_waiting;

/* Of the C library; the linker makes it. A command's _start calls it, a library's host calls nothing before us. */
extern void __wasm_call_ctors(void);

static void refuse(const wisp_report *report)
{
    refusal.size = 0;
    refusal.failed = false;
    base_put_u32(&refusal, 0);
    guest_put_error(&refusal, NULL, NULL, report);
    uint32_t size = (uint32_t)refusal.size - 4;
    if (!refusal.failed) memcpy(refusal.data, &size, sizeof size);
    refusal_waiting = !refusal.failed;
}

uint32_t wisp_abi(void)
{
    return ABI;
}

void *wisp_alloc(uint32_t size)
{
    return base_alloc(size);
}

void wisp_free(void *p)
{
    base_free(p);
}

int32_t wisp_init(const char *json, uint32_t size)
{
    static bool constructed;
    wisp_report report = {0};
    if (!constructed) __wasm_call_ctors();
    constructed = true;
    guest_source source = guest_source_of_segment();
    wisp_status status =
        engine ? base_fail(&report, WISP_E_USAGE, "wisp_init: called twice")
               : guest_engine_new(&engine, &source, NULL, (base_span){(const uint8_t *)json, size}, &report);
    if (status == WISP_OK) return 0;
    refuse(&report);
    return -(int32_t)status;
}

int32_t wisp_submit(const char *json, uint32_t size)
{
    wisp_report report = {0};
    if (engine) return guest_submit(engine, json, size);
    base_fail(&report, WISP_E_USAGE, "wisp_submit: wisp_init has not succeeded");
    refuse(&report);
    return 0;
}

int32_t wisp_step(void)
{
    return engine ? guest_step(engine) : 0;
}

const void *wisp_next_event(void)
{
    if (refusal_waiting) {
        refusal_waiting = false;
        return refusal.data;
    }
    base_span event = engine ? guest_next_event(engine) : (base_span){NULL, 0};
    return event.data ? event.data - 4 : NULL;
}

int32_t wisp_cancel(int32_t id)
{
    return engine ? guest_cancel(engine, id) : -1;
}
