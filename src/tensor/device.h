/* The device: buffers, validation, scheduling. The same code serves as the native device (host), with native kernels
 * and threads, and as the portable one (inside the guest, one thread). */
#ifndef TENSOR_DEVICE_H
#define TENSOR_DEVICE_H
#include "base/err.h"
#include "base/mem.h"
#include "tensor/abi.h"
#include <stdbool.h>

typedef struct tensor_device tensor_device;

/* How work is spread: provided by whoever has threads (os/pool.h natively; NULL in the guest). */
typedef struct tensor_executor {
    void *self;
    unsigned threads;
    /* Runs work(arg, i) for every i < threads, at once; returns when all are done. */
    void (*run)(void *self, void (*work)(void *arg, unsigned index), void *arg);
    /* Called by every thread inside run: none goes on before all are here. */
    void (*barrier)(void *self);
} tensor_executor;

typedef struct tensor_options {
    const tensor_executor *executor; /* NULL: one thread; must outlive the device */
    unsigned cpu_features;           /* OS_CPU_* bits that kernels may use; 0: portable kernels only */
    base_budget *budget;             /* device bytes; NULL: no limit */
} tensor_options;

wisp_status tensor_device_new(tensor_device **device, const tensor_options *options, wisp_report *report) WISP_MUST_USE;
void tensor_device_free(tensor_device *device);

/* Read-only model data number n (0: the data segment, 1…: overflow sections), borrowed; 64-byte aligned.
 * tensor_weights returns its handle, 0 if there is none. */
wisp_status tensor_add_weights(tensor_device *device, uint32_t n, const void *data, uint64_t size,
                               wisp_report *report) WISP_MUST_USE;
uint32_t tensor_weights(tensor_device *device, uint32_t n);
uint32_t tensor_alloc(tensor_device *device, uint64_t bytes); /* zeroed, 64-byte aligned; 0: over the limit */
void tensor_free(tensor_device *device, uint32_t handle);     /* unknown handles and weights are ignored */
wisp_status tensor_write(tensor_device *device, uint32_t handle, uint64_t offset, const void *source, uint64_t bytes,
                         wisp_report *report) WISP_MUST_USE;
wisp_status tensor_read(tensor_device *device, uint32_t handle, uint64_t offset, void *target, uint64_t bytes,
                        wisp_report *report) WISP_MUST_USE;
uint32_t tensor_caps(tensor_device *device, uint32_t query); /* WISP_CAPS_* */

/* Checks every command against buffers, types and the op's shape rule, then runs them in order. Nothing runs and
 * nothing is written if any is wrong: the report names command, op and operand. WISP_E_UNSUPPORTED: an op or type that
 * this device does not know. `cmds` must not change during the call. */
wisp_status tensor_submit(tensor_device *device, const wisp_cmd *cmds, uint32_t count,
                          wisp_report *report) WISP_MUST_USE;

/* Called before each command of a submit that was found valid, with everything before it done; NULL: none. Lists then
 * run command by command. */
typedef void (*tensor_observer)(void *context, tensor_device *device, const wisp_cmd *cmd);
void tensor_observe(tensor_device *device, tensor_observer observer, void *context);
/* For an observer: a view's first byte, and the number of the weights that it lies in (UINT32_MAX: in a buffer). */
const void *tensor_view_data(const tensor_device *device, const wisp_view *view, uint32_t *weights);

/* The list that runs, and every later one, ends soon with WISP_E_CANCELLED, half done. Any thread, signal handlers. */
void tensor_interrupt(tensor_device *device);

/* Names of the kernel variants in use, for `wisp doctor`: "matmul Q4_0_R16: avx512vnni". Calls `line` once each. */
void tensor_describe(tensor_device *device, void (*line)(void *context, const char *text), void *context);

#endif
