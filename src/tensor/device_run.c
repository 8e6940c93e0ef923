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

/* Is an element of the output made of the same columns of the operands only? Then few rows are split by columns. */
static bool by_columns(uint32_t op)
{
    switch (op) {
    case WISP_OP_ADD:
    case WISP_OP_MUL:
    case WISP_OP_GLU:
    case WISP_OP_LERP:
    case WISP_OP_AFFINE:
    case WISP_OP_UNARY:
    case WISP_OP_CLAMP:
        return true;
    default:
        return false;
    }
}

/* Row functions: rows to threads; of few rows, the columns in multiples of 16. */
static void run_rows(const tensor_device *d, const tensor_task *t, unsigned index, tensor_row_fn *fn)
{
    const tensor_ref *y = &t->ref[0];
    tensor_range rows = {0, y->rows}, cols = {0, y->cols};
    if (y->rows >= d->threads || !by_columns(t->op)) {
        rows = tensor_share(y->rows, index, d->threads);
    } else {
        cols = tensor_share((y->cols + 15) / 16, index, d->threads);
        cols.begin *= 16;
        cols.end = cols.end * 16 < y->cols ? cols.end * 16 : y->cols;
        if (cols.begin >= cols.end) return;
    }
    for (uint64_t r = rows.begin; r < rows.end; r++) {
        const float *x[3];
        for (int i = 0; i < 3; i++)
            x[i] = t->ref[1 + i].data ? row_f32(&t->ref[1 + i], r % t->ref[1 + i].rows) + cols.begin : NULL;
        fn(row_f32(y, r) + cols.begin, x, (size_t)(cols.end - cols.begin), t->param);
    }
}

/* Rows of the mean of each sequence, in ascending order of tokens; a sequence is one thread's. */
static void pool_mean(const tensor_device *d, const tensor_task *t, uint64_t r)
{
    const tensor_ref *y = &t->ref[0], *x = &t->ref[1], *seq = &t->ref[2];
    float *sum = row_f32(y, r);
    uint32_t count = 0;
    memset(sum, 0, y->cols * sizeof *sum);
    for (uint64_t i = 0; i < x->rows; i++) {
        if ((uint64_t)(uint32_t)index_at(seq, i) != r) continue;
        d->kernels.row[WISP_OP_ADD](sum, (const float *const[3]){sum, row_f32(x, i)}, y->cols, t->param);
        count++;
    }
    for (uint32_t c = 0; c < y->cols && count > 1; c++)
        sum[c] = sum[c] / (float)count;
}

static void position_scale(const tensor_device *d, const tensor_task *t, uint64_t r)
{
    const float s = tensor_position_scale(index_at(&t->ref[2], r), t->param[1].u, t->param[2].u, t->param[0].f);
    d->kernels.row[WISP_OP_ROW_SCALE](row_f32(&t->ref[0], r), (const float *const[3]){row_f32(&t->ref[1], r), &s},
                                      t->ref[0].cols, t->param);
}

static void run_row(const tensor_device *d, const tensor_task *t, uint64_t r)
{
    const tensor_kernels *k = &d->kernels;
    const tensor_ref *y = &t->ref[0], *a = &t->ref[1], *b = &t->ref[2];
    switch (t->op) {
    case WISP_OP_GET_ROWS:
        tensor_get_row(k, row_f32(y, r), a->type, a->data, a->stride, (uint32_t)index_at(b, r), y->cols);
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
    case WISP_OP_POSITION_SCALE:
        position_scale(d, t, r);
        break;
    case WISP_OP_COPY:
        memcpy(row_f32(y, r), row_f32(a, r / (y->rows / a->rows)), y->cols * sizeof(float));
        break;
    case WISP_OP_POOL_MEAN:
        pool_mean(d, t, r);
        break;
    case WISP_OP_TOPK:
        tensor_run_topk(t, r);
        break;
    case WISP_OP_PICK:
        tensor_run_pick(t, r);
        break;
    case WISP_OP_COMBINE:
        tensor_run_combine(t, r);
        break;
    default:
        BASE_ASSERT(!"an op that validate_commands.c knows");
    }
}

void tensor_run_task(const tensor_device *d, const tensor_task *t, unsigned index)
{
    if (t->kind == TASK_PANEL) {
        if (t->op == WISP_OP_MATMUL)
            tensor_run_panels(d, t, index);
        else
            tensor_run_stack_panels(d, t, index);
        return;
    }
    switch (t->op) {
    case WISP_OP_MATMUL:
        tensor_run_matmul(d, t, index);
        return;
    case WISP_OP_MATMUL_ID:
    case WISP_OP_MATMUL_HEADS:
        tensor_run_stack(d, t, index);
        return;
    case WISP_OP_KV_WRITE:
        tensor_run_kv_write(d, t, index);
        return;
    case WISP_OP_ATTENTION:
        tensor_run_attention(d, t, index);
        return;
    default:
        break;
    }
    if (tensor_run_recurrent(d, t, index)) return;
    if (d->kernels.row[t->op]) {
        run_rows(d, t, index, d->kernels.row[t->op]);
        return;
    }
    const tensor_range rows = tensor_share(t->ref[0].rows, index, d->threads);
    for (uint64_t r = rows.begin; r < rows.end; r++)
        run_row(d, t, r);
}
