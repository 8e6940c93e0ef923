/* The device: buffers behind handles, and the way from a list of commands to threads that run it. */
#include "tensor/device.h"

#include <stdio.h>
#include <string.h>

#include "tensor/device_state.h"

wisp_status tensor_device_new(tensor_device **device, const tensor_options *options, wisp_report *report)
{
    *device = NULL;
    tensor_device *d = base_calloc(1, sizeof *d);
    if (!d) return base_fail(report, WISP_E_MEMORY, "a tensor device");
    d->executor = options->executor;
    d->threads = options->executor ? options->executor->threads : 1;
    d->budget = options->budget;
    if (d->threads < 1 || d->threads > TENSOR_THREADS_MAX) {
        base_free(d);
        return base_fail(report, WISP_E_USAGE, "a tensor device of %u threads", options->executor->threads);
    }
    tensor_op_rules_init(&d->rules);
    tensor_kernels_portable(&d->kernels);
    d->native = tensor_kernels_native(&d->kernels, options->cpu_features);
    *device = d;
    return WISP_OK;
}

static void release(tensor_device *d, tensor_buffer *b)
{
    base_free(b->owned);
    base_discharge(d->budget, b->charged);
    *b = (tensor_buffer){0};
    const size_t slot = (size_t)(b - d->buffers);
    if (slot < d->first_free) d->first_free = slot;
}

void tensor_device_free(tensor_device *d)
{
    if (!d) return;
    for (size_t i = 0; i < d->buffer_count; i++)
        release(d, &d->buffers[i]);
    base_discharge(d->budget, d->scratch_bytes + d->list_bytes);
    base_free(d->scratch_owned);
    base_free(d->buffers);
    base_free(d->tasks);
    base_free(d->queues_owned);
    base_free(d);
}

/* A free slot's index + 1, 0 if there is none. */
static uint32_t new_slot(tensor_device *d)
{
    for (; d->first_free < d->buffer_count; d->first_free++)
        if (!d->buffers[d->first_free].data) return (uint32_t)d->first_free + 1;
    if (d->buffer_count == TENSOR_BUFFERS_MAX) return 0;
    if (!BASE_GROW(d->buffers, d->buffer_capacity, d->buffer_count + 1)) return 0;
    d->buffers[d->buffer_count++] = (tensor_buffer){0};
    return (uint32_t)d->buffer_count;
}

tensor_buffer *tensor_buffer_of(const tensor_device *d, uint32_t handle)
{
    if (handle == 0 || handle > d->buffer_count || !d->buffers[handle - 1].data) return NULL;
    return &d->buffers[handle - 1];
}

wisp_status tensor_add_weights(tensor_device *d, uint32_t n, const void *data, uint64_t size, wisp_report *report)
{
    if (!data || (uintptr_t)data % 64 != 0 || size > SIZE_MAX || tensor_weights(d, n) != 0)
        return base_fail(report, WISP_E_USAGE, "weights %u: misaligned, or there already", n);
    const uint32_t handle = new_slot(d);
    if (!handle) return base_fail(report, WISP_E_MEMORY, "weights %u", n);
    d->buffers[handle - 1] =
        (tensor_buffer){.data = (uint8_t *)(uintptr_t)data, .size = size, .weights = true, .weights_index = n};
    return WISP_OK;
}

uint32_t tensor_weights(tensor_device *d, uint32_t n)
{
    for (size_t i = 0; i < d->buffer_count; i++)
        if (d->buffers[i].weights && d->buffers[i].weights_index == n) return (uint32_t)i + 1;
    return 0;
}

/* calloc, not aligned_alloc: large buffers come as zero pages, touched only when used. */
uint32_t tensor_alloc(tensor_device *d, uint64_t bytes)
{
    if (bytes > SIZE_MAX / 2 - TENSOR_BUFFER_COST) return 0;
    const uint64_t charge = bytes + TENSOR_BUFFER_COST;
    const uint32_t handle = new_slot(d);
    if (!handle || !base_charge(d->budget, charge)) return 0;
    void *owned = base_calloc(1, (size_t)bytes + 64);
    if (!owned) {
        base_discharge(d->budget, charge);
        return 0;
    }
    uint8_t *aligned = (uint8_t *)(((uintptr_t)owned + 63) & ~(uintptr_t)63);
    d->buffers[handle - 1] = (tensor_buffer){.data = aligned, .owned = owned, .size = bytes, .charged = charge};
    return handle;
}

void tensor_free(tensor_device *d, uint32_t handle)
{
    tensor_buffer *b = tensor_buffer_of(d, handle);
    if (b && !b->weights) release(d, b);
}

static wisp_status check_range(const tensor_device *d, uint32_t handle, uint64_t offset, uint64_t bytes,
                               wisp_report *report)
{
    const tensor_buffer *b = tensor_buffer_of(d, handle);
    if (!b) return base_fail(report, WISP_E_INPUT, "no buffer %u", handle);
    if (offset > b->size || bytes > b->size - offset)
        return base_fail(report, WISP_E_INPUT, "%llu bytes at %llu are outside of buffer %u", (unsigned long long)bytes,
                         (unsigned long long)offset, handle);
    return WISP_OK;
}

wisp_status tensor_write(tensor_device *d, uint32_t handle, uint64_t offset, const void *source, uint64_t bytes,
                         wisp_report *report)
{
    BASE_TRY(check_range(d, handle, offset, bytes, report));
    tensor_buffer *b = tensor_buffer_of(d, handle);
    if (b->weights) return base_fail(report, WISP_E_INPUT, "buffer %u: weights are read-only", handle);
    if (bytes) memcpy(b->data + (size_t)offset, source, (size_t)bytes);
    return WISP_OK;
}

wisp_status tensor_read(tensor_device *d, uint32_t handle, uint64_t offset, void *target, uint64_t bytes,
                        wisp_report *report)
{
    BASE_TRY(check_range(d, handle, offset, bytes, report));
    if (bytes) memcpy(target, tensor_buffer_of(d, handle)->data + (size_t)offset, (size_t)bytes);
    return WISP_OK;
}

static uint32_t free_mib(const base_budget *b)
{
    if (!b || b->limit == UINT64_MAX) return 0;
    const uint64_t mib = b->limit > b->used ? (b->limit - b->used) >> 20 : 0;
    return mib == 0 ? 1 : mib < UINT32_MAX ? (uint32_t)mib : UINT32_MAX;
}

uint32_t tensor_caps(tensor_device *d, uint32_t query)
{
    if (query == WISP_CAPS_ABI) return WISP_DEV_ABI;
    if (query == WISP_CAPS_FLAGS) return WISP_CAPS_FLAG_EXACT | (d->native ? WISP_CAPS_FLAG_NATIVE : 0u);
    if (query == WISP_CAPS_THREADS) return d->threads;
    if (query == WISP_CAPS_FREE) return free_mib(d->budget);
    if (query >= WISP_CAPS_TYPE) return tensor_matmul_kind_of(query - WISP_CAPS_TYPE) != TENSOR_MATMUL_KINDS;
    if (query >= WISP_CAPS_OP) return tensor_op_rule_find(&d->rules, query - WISP_CAPS_OP) != NULL;
    return 0;
}

static void run_all(void *arg, unsigned index)
{
    tensor_device *d = arg;
    for (size_t i = 0; i < d->task_count; i++) {
        const tensor_task *t = &d->tasks[i];
        /* One thread looks at the flag, and says before the barrier at which task all leave: a thread that is still
         * on its way from an earlier barrier compares the number and goes on to that one. */
        const bool meet = t->barrier || d->threads == 1;
        if (meet && index == 0 && d->stop_at > i && tensor_is_interrupted(d))
            __atomic_store_n(&d->stop_at, i, __ATOMIC_RELAXED);
        if (t->barrier) d->executor->barrier(d->executor->self);
        if (meet && __atomic_load_n(&d->stop_at, __ATOMIC_RELAXED) <= i) return;
        tensor_run_task(d, t, index);
    }
}

void tensor_interrupt(tensor_device *d)
{
    __atomic_store_n(&d->interrupted, true, __ATOMIC_RELAXED);
}

void tensor_observe(tensor_device *d, tensor_observer observer, void *context)
{
    d->observer = observer;
    d->observer_context = context;
}

const void *tensor_view_data(const tensor_device *d, const wisp_view *view, uint32_t *weights)
{
    const tensor_buffer *b = tensor_buffer_of(d, view->buffer);
    *weights = b && b->weights ? b->weights_index : UINT32_MAX;
    return b ? b->data + view->offset : NULL;
}

static wisp_status run_list(tensor_device *d, const wisp_cmd *cmds, uint32_t count, wisp_report *report)
{
    BASE_TRY(tensor_plan(d, cmds, count, report));
    if (d->task_count == 0) return WISP_OK;
    d->stop_at = SIZE_MAX;
    if (d->executor)
        d->executor->run(d->executor->self, run_all, d);
    else
        run_all(d, 0);
    return tensor_is_interrupted(d) ? base_fail(report, WISP_E_CANCELLED, "interrupted") : WISP_OK;
}

wisp_status tensor_submit(tensor_device *d, const wisp_cmd *cmds, uint32_t count, wisp_report *report)
{
    BASE_TRY(tensor_validate(d, cmds, count, report));
    if (!d->observer) return run_list(d, cmds, count, report);
    for (uint32_t i = 0; i < count; i++) {
        d->observer(d->observer_context, d, &cmds[i]);
        BASE_TRY(run_list(d, &cmds[i], 1, report));
    }
    return WISP_OK;
}

void tensor_describe(tensor_device *d, void (*line)(void *context, const char *text), void *context)
{
    char text[96];
    for (int i = 0; i < TENSOR_MATMUL_KINDS; i++) {
        snprintf(text, sizeof text, "matmul %s: %s", tensor_matmul_name((tensor_matmul_kind)i),
                 d->kernels.matmul_variant[i]);
        line(context, text);
    }
    snprintf(text, sizeof text, "attention: %s", d->kernels.attention_variant);
    line(context, text);
    snprintf(text, sizeof text, "elementwise: %s", d->kernels.elementwise_variant);
    line(context, text);
}
