/* The device as the engine sees it: the replaceable functions, or a tensor device called directly. */
#ifndef GUEST_ACCESS_H
#define GUEST_ACCESS_H
#include "base/err.h"
#include "guest/engine.h"
#include "guest/intrinsics.h"

typedef struct guest_device {
    tensor_device *direct; /* NULL: wisp_dev_* */
} guest_device;

uint32_t guest_device_caps(const guest_device *d, uint32_t query);
uint32_t guest_device_weights(const guest_device *d, uint32_t n);
uint32_t guest_device_alloc(const guest_device *d, uint64_t bytes);
void guest_device_free(const guest_device *d, uint32_t handle);
wisp_status guest_device_write(const guest_device *d, uint32_t handle, uint64_t offset, const void *from,
                               uint32_t bytes, wisp_report *report) WISP_MUST_USE;
wisp_status guest_device_read(const guest_device *d, uint32_t handle, uint64_t offset, void *to, uint32_t bytes,
                              wisp_report *report) WISP_MUST_USE;
wisp_status guest_device_submit(const guest_device *d, const wisp_cmd *cmds, uint32_t count,
                                wisp_report *report) WISP_MUST_USE;

/* The portable device inside the guest (portable.c), behind the bodies of wisp_dev_*. */
void guest_portable_reset(const guest_source *source); /* frees it; the next use makes one for this model */
tensor_device *guest_portable_device(wisp_report *report);
uint32_t guest_portable_weights(uint32_t n, wisp_report *report); /* brings the weights into memory at first use */
wisp_report *guest_portable_report(void);                         /* why the last call of wisp_dev_* failed */

#endif
