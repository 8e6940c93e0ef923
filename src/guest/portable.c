/* The portable bodies of the replaceable functions: a tensor device with portable kernels and one thread. */
#include <string.h>

#include "base/mem.h"
#include "base/model.h"
#include "guest/access.h"

static struct {
    const guest_source *source;
    tensor_device *device;
    uint8_t *weights; /* the model data brought in; NULL: not yet, or mapped */
    wisp_report report;
    base_budget budget;
} portable;

void guest_portable_reset(const guest_source *source)
{
    tensor_device_free(portable.device);
    base_free(portable.weights);
    memset(&portable, 0, sizeof portable);
    portable.source = source;
}

tensor_device *guest_portable_device(wisp_report *report)
{
    const tensor_options options = {.budget = &portable.budget};
    if (!portable.device) { /* what is left is also for the weights, unless they are mapped */
        const uint64_t left = guest_memory_left(), weights = portable.source ? portable.source->size : 0;
        const bool brought = left != UINT64_MAX && portable.source && !portable.source->mapped;
        portable.budget = (base_budget){0, !brought ? left : left > weights ? left - weights : 0};
    }
    if (!portable.device && tensor_device_new(&portable.device, &options, report) != WISP_OK) return NULL;
    return portable.device;
}

uint32_t guest_portable_weights(uint32_t n, wisp_report *report)
{
    tensor_device *d = guest_portable_device(report);
    uint32_t handle = d ? tensor_weights(d, n) : 0;
    const guest_source *s = portable.source;
    if (handle || !d || !s) return handle;
    if (n != 0) {
        base_fail(report, WISP_E_UNSUPPORTED, "this model has weights outside the data segment: it needs a WISP host");
        return 0;
    }
    const uint8_t *data = s->mapped;
    if (!data) {
        data = portable.weights = s->size <= UINT32_MAX ? base_alloc_aligned(64, (size_t)s->size) : NULL;
        if (!data) {
            base_fail(report, WISP_E_MEMORY, "no memory for the model's %llu bytes", (unsigned long long)s->size);
            return 0;
        }
        s->read(s->self, 0, portable.weights, (uint32_t)s->size);
    }
    if (tensor_add_weights(d, 0, data, s->size, report) != WISP_OK) return 0;
    return tensor_weights(d, 0);
}

wisp_report *guest_portable_report(void)
{
    return &portable.report;
}

static tensor_device *device(void)
{
    base_report_clear(&portable.report);
    return guest_portable_device(&portable.report);
}

uint32_t wisp_dev_caps(uint32_t query)
{
    tensor_device *d = device();
    return d ? tensor_caps(d, query) : 0;
}

uint32_t wisp_dev_weights(uint32_t n)
{
    return device() ? guest_portable_weights(n, &portable.report) : 0;
}

uint32_t wisp_dev_alloc(uint64_t bytes)
{
    tensor_device *d = device();
    return d ? tensor_alloc(d, bytes) : 0;
}

void wisp_dev_free(uint32_t h)
{
    if (portable.device) tensor_free(portable.device, h);
}

uint32_t wisp_dev_write(uint32_t h, uint64_t offset, const void *ptr, uint32_t bytes)
{
    tensor_device *d = device();
    return !d || tensor_write(d, h, offset, ptr, bytes, &portable.report) != WISP_OK;
}

uint32_t wisp_dev_read(uint32_t h, uint64_t offset, void *ptr, uint32_t bytes)
{
    tensor_device *d = device();
    return !d || tensor_read(d, h, offset, ptr, bytes, &portable.report) != WISP_OK;
}

uint32_t wisp_dev_submit(const wisp_cmd *cmds, uint32_t count)
{
    tensor_device *d = device();
    if (!d) return GUEST_SUBMIT_REFUSED;
    wisp_status status = tensor_submit(d, cmds, count, &portable.report);
    if (status == WISP_E_UNSUPPORTED) return GUEST_SUBMIT_NOT_NATIVE;
    return status == WISP_OK ? GUEST_SUBMIT_DONE : GUEST_SUBMIT_REFUSED;
}
