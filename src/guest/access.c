#include "guest/access.h"

/* The portable bodies leave their reason; a native host has none to give (it traps). */
static wisp_status failed(wisp_report *report, const char *what)
{
    const wisp_report *why = guest_portable_report();
    wisp_status status = why->status != WISP_OK ? why->status : WISP_E_INTERNAL;
    return base_fail(report, status, "%s: %s", what, why->status != WISP_OK ? why->text : "refused by the device");
}

uint32_t guest_device_caps(const guest_device *d, uint32_t query)
{
    return d->direct ? tensor_caps(d->direct, query) : wisp_dev_caps(query);
}

uint32_t guest_device_weights(const guest_device *d, uint32_t n)
{
    return d->direct ? tensor_weights(d->direct, n) : wisp_dev_weights(n);
}

uint32_t guest_device_alloc(const guest_device *d, uint64_t bytes)
{
    return d->direct ? tensor_alloc(d->direct, bytes) : wisp_dev_alloc(bytes);
}

void guest_device_free(const guest_device *d, uint32_t handle)
{
    if (d->direct)
        tensor_free(d->direct, handle);
    else
        wisp_dev_free(handle);
}

wisp_status guest_device_write(const guest_device *d, uint32_t handle, uint64_t offset, const void *from,
                               uint32_t bytes, wisp_report *report)
{
    if (d->direct) return tensor_write(d->direct, handle, offset, from, bytes, report);
    return wisp_dev_write(handle, offset, from, bytes) == 0 ? WISP_OK : failed(report, "writing a buffer");
}

wisp_status guest_device_read(const guest_device *d, uint32_t handle, uint64_t offset, void *to, uint32_t bytes,
                              wisp_report *report)
{
    if (d->direct) return tensor_read(d->direct, handle, offset, to, bytes, report);
    return wisp_dev_read(handle, offset, to, bytes) == 0 ? WISP_OK : failed(report, "reading a buffer");
}

wisp_status guest_device_submit(const guest_device *d, const wisp_cmd *cmds, uint32_t count, wisp_report *report)
{
    if (d->direct) return tensor_submit(d->direct, cmds, count, report);
    uint32_t result = wisp_dev_submit(cmds, count);
    if (result == GUEST_SUBMIT_DONE) return WISP_OK;
    if (result == GUEST_SUBMIT_NOT_NATIVE)
        return base_fail(report, WISP_E_UNSUPPORTED, "the device does not know an op that it said it knows");
    return failed(report, "the program");
}
