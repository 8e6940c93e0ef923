/* The native side of src/guest/intrinsics.h. Pointers and sizes come from the guest and are checked here; commands are
 * copied out of its memory and checked by the device before any of them runs. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "host/host.h"

enum { COMMANDS_MAX = 1 << 16 };

static wisp_status trap(wasm_instance *caller, const char *what, const wisp_report *report)
{
    return wasm_host_fail(caller, WISP_E_TRAP, "%s: %s", what, report->text);
}

static wisp_status dev_caps(void *device, wasm_instance *caller, wasm_value *v)
{
    (void)caller;
    v[0].u64 = tensor_caps(device, v[0].u32);
    return WISP_OK;
}

static wisp_status dev_weights(void *device, wasm_instance *caller, wasm_value *v)
{
    (void)caller;
    v[0].u64 = tensor_weights(device, v[0].u32);
    return WISP_OK;
}

static wisp_status dev_alloc(void *device, wasm_instance *caller, wasm_value *v)
{
    (void)caller;
    v[0].u64 = tensor_alloc(device, v[0].u64);
    return WISP_OK;
}

static wisp_status dev_free(void *device, wasm_instance *caller, wasm_value *v)
{
    (void)caller;
    tensor_free(device, v[0].u32);
    return WISP_OK;
}

static wisp_status dev_write(void *device, wasm_instance *caller, wasm_value *v)
{
    wisp_report report = {0};
    const void *from = wasm_memory_at(caller, v[2].u32, v[3].u32);
    if (!from) return wasm_host_fail(caller, WISP_E_TRAP, "wisp_dev_write: out of bounds memory access");
    if (tensor_write(device, v[0].u32, v[1].u64, from, v[3].u32, &report) != WISP_OK)
        return trap(caller, "wisp_dev_write", &report);
    v[0].u64 = 0;
    return WISP_OK;
}

static wisp_status dev_read(void *device, wasm_instance *caller, wasm_value *v)
{
    wisp_report report = {0};
    void *to = wasm_memory_at(caller, v[2].u32, v[3].u32);
    if (!to) return wasm_host_fail(caller, WISP_E_TRAP, "wisp_dev_read: out of bounds memory access");
    if (tensor_read(device, v[0].u32, v[1].u64, to, v[3].u32, &report) != WISP_OK)
        return trap(caller, "wisp_dev_read", &report);
    v[0].u64 = 0;
    return WISP_OK;
}

static wisp_status dev_submit(void *device, wasm_instance *caller, wasm_value *v)
{
    wisp_report report = {0};
    uint32_t count = v[1].u32;
    if (count > COMMANDS_MAX) return wasm_host_fail(caller, WISP_E_TRAP, "wisp_dev_submit: too many commands");
    size_t bytes = count * sizeof(wisp_cmd);
    const void *from = wasm_memory_at(caller, v[0].u32, bytes);
    if (!from) return wasm_host_fail(caller, WISP_E_TRAP, "wisp_dev_submit: out of bounds memory access");
    wisp_cmd *commands = base_alloc(bytes);
    if (!commands) return wasm_host_fail(caller, WISP_E_MEMORY, "wisp_dev_submit: out of memory");
    memcpy(commands, from, bytes);
    wisp_status status = tensor_submit(device, commands, count, &report);
    base_free(commands);
    if (status == WISP_E_CANCELLED) return status;
    if (status != WISP_OK && status != WISP_E_UNSUPPORTED) return trap(caller, "wisp_dev_submit", &report);
    v[0].u64 = status == WISP_E_UNSUPPORTED;
    return WISP_OK;
}

static const wasm_host_function functions[] = {
    {"wisp_dev_caps", "(i)i", dev_caps},      {"wisp_dev_weights", "(i)i", dev_weights},
    {"wisp_dev_alloc", "(I)i", dev_alloc},    {"wisp_dev_free", "(i)", dev_free},
    {"wisp_dev_write", "(iIii)i", dev_write}, {"wisp_dev_read", "(iIii)i", dev_read},
    {"wisp_dev_submit", "(ii)i", dev_submit},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

static const capsule_intrinsic *find(const capsule *parsed, const char *name)
{
    for (uint32_t i = 0; i < parsed->intrinsic_count; i++) {
        const capsule_intrinsic *it = &parsed->intrinsic[i];
        if (it->name.size == strlen(name) && memcmp(it->name.data, name, it->name.size) == 0) return it;
    }
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

wisp_status host_replaceable(uint32_t **functions, const capsule *parsed, wisp_report *report)
{
    uint32_t *list = base_calloc(parsed->intrinsic_count, sizeof *list);
    if (!list) return base_fail(report, WISP_E_MEMORY, "out of memory");
    for (uint32_t i = 0; i < parsed->intrinsic_count; i++)
        list[i] = parsed->intrinsic[i].function;
    qsort(list, parsed->intrinsic_count, sizeof *list, ascending);
    *functions = list;
    return WISP_OK;
}

/* All or none: an engine whose buffers are native and whose commands are not could not work. */
wisp_status host_replace_intrinsics(wasm_instance *instance, const capsule *parsed, tensor_device *device,
                                    wisp_report *report)
{
    for (size_t i = 0; i < FUNCTIONS; i++) {
        const wasm_host_function *f = &functions[i];
        const capsule_intrinsic *it = find(parsed, f->name);
        if (!it)
            return base_fail(report, WISP_E_UNSUPPORTED,
                             "the capsule does not list %s as replaceable: run it with the portable device", f->name);
        BASE_TRY(wasm_instance_replace(instance, it->function, f->signature, f->fn, device, report));
    }
    return WISP_OK;
}
