/* What each thread does of a task: its share of rows, or of elements where there are fewer rows than threads. */
#include <string.h>

#include "tensor/device_state.h"

static float *row_f32(const tensor_ref *r, uint64_t row)
{
    return (float *)(void *)(r->data + (size_t)(row * r->stride));
}

static int32_t index_at(const tensor_ref *r, uint64_t i)
{
    int32_t v;
    memcpy(&v, r->data + (size_t)i * 4, 4);
    return v;
}

uint8_t *tensor_scratch_of(const tensor_device *d, unsigned index)
{
    return d->scratch + (size_t)(d->shared_area + index * (d->private_area + d->work_area));
}

/* Elementwise ops: rows to threads; of few rows, the columns in multiples of 16. */
typedef void elementwise_fn(float *y, const float *a, const float *b, size_t count);

static void run_elementwise(const tensor_device *d, const tensor_task *t, unsigned index, elementwise_fn *fn)
{
    const tensor_ref *y = &t->ref[0], *a = &t->ref[1], *b = &t->ref[2];
    tensor_range rows = {0, y->rows}, cols = {0, y->cols};
    if (y->rows >= d->threads) {
        rows = tensor_share(y->rows, index, d->threads);
    } else {
        cols = tensor_share((y->cols + 15) / 16, index, d->threads);
        cols.begin *= 16;
        cols.end = cols.end * 16 < y->cols ? cols.end * 16 : y->cols;
        if (cols.begin >= cols.end) return;
    }
    for (uint64_t r = rows.begin; r < rows.end; r++)
        fn(row_f32(y, r) + cols.begin, row_f32(a, r) + cols.begin, row_f32(b, r) + cols.begin,
           (size_t)(cols.end - cols.begin));
}

static void run_row(const tensor_device *d, const tensor_task *t, uint64_t r)
{
    const tensor_kernels *k = &d->kernels;
    const tensor_ref *y = &t->ref[0], *a = &t->ref[1], *b = &t->ref[2];
    switch (t->op) {
    case WISP_OP_GET_ROWS:
        tensor_get_row(k, row_f32(y, r), a->type, a->data, a->stride, (uint32_t)index_at(b, r), y->cols);
        break;
    case WISP_OP_RMS_NORM:
        k->rms_norm(row_f32(y, r), row_f32(a, r), row_f32(b, 0), y->cols, t->param[0].f);
        break;
    case WISP_OP_ROPE_TABLE:
        tensor_rope_table(row_f32(y, r), index_at(a, r), (const double *)(void *)b->data, b->cols, t->param[0].f);
        break;
    case WISP_OP_ROPE:
        k->rope(row_f32(y, r), row_f32(a, r), row_f32(b, r), t->param[0].u, y->cols / t->param[0].u, b->cols / 2,
                t->param[1].u);
        break;
    case WISP_OP_ARGMAX: {
        const int32_t best = (int32_t)k->argmax(row_f32(a, r), a->cols);
        memcpy(row_f32(y, r), &best, sizeof best);
        break;
    }
    default:
        BASE_ASSERT(!"an op that validate_commands.c knows");
    }
}

void tensor_run_task(const tensor_device *d, const tensor_task *t, unsigned index)
{
    if (t->kind == TASK_PANEL) {
        tensor_run_panels(d, t, index);
        return;
    }
    switch (t->op) {
    case WISP_OP_MATMUL:
        tensor_run_matmul(d, t, index);
        return;
    case WISP_OP_KV_WRITE:
        tensor_run_kv_write(d, t, index);
        return;
    case WISP_OP_ATTENTION:
        tensor_run_attention(d, t, index);
        return;
    case WISP_OP_ADD:
        run_elementwise(d, t, index, d->kernels.add);
        return;
    case WISP_OP_SILU_MUL:
        run_elementwise(d, t, index, d->kernels.silu_mul);
        return;
    default:
        break;
    }
    const tensor_range rows = tensor_share(t->ref[0].rows, index, d->threads);
    for (uint64_t r = rows.begin; r < rows.end; r++)
        run_row(d, t, r);
}
