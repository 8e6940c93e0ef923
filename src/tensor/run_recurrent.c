/* Recurrent ops: the state of a sequence is a row of its own, and its parts (channels, rows of a head's matrix, 16
 * columns at a time) do not meet: a thread walks its parts through all tokens in order. */
#include <string.h>

#include "tensor/device_state.h"

enum { CHUNK = 16 };

static float *floats(const tensor_ref *r)
{
    return (float *)(void *)r->data;
}

/* Arguments of part `at` (floats into a state row) of op's task: state, positions and sequences are its last three. */
static tensor_scan_args begin(const tensor_task *t, int state, uint64_t at)
{
    const tensor_ref *h = &t->ref[state];
    return (tensor_scan_args){.tokens = t->ref[0].rows,
                              .positions = (const int32_t *)(const void *)t->ref[state + 1].data,
                              .seqs = (const int32_t *)(const void *)t->ref[state + 2].data,
                              .state = floats(h) + at,
                              .state_stride = (size_t)(h->stride / 4),
                              .ldy = (size_t)(t->ref[0].stride / 4)};
}

/* Operand `from`, from its column on, as input i. */
static void take(tensor_scan_args *a, int i, const tensor_ref *from, uint64_t column)
{
    a->in[i] = floats(from) + column;
    a->ld[i] = (size_t)(from->stride / 4);
}

static uint32_t width_of(uint32_t cols, uint64_t chunk)
{
    const uint64_t left = cols - chunk * CHUNK;
    return left < CHUNK ? (uint32_t)left : CHUNK;
}

static uint64_t chunks_of(uint32_t cols)
{
    return ((uint64_t)cols + CHUNK - 1) / CHUNK;
}

/* y x w b h p s; w: a row a tap */
static tensor_scan_args part_conv(const tensor_task *t, uint64_t part)
{
    const uint64_t column = part * CHUNK;
    tensor_scan_args a = begin(t, 4, column);
    a.y = floats(&t->ref[0]) + column;
    a.d = width_of(t->ref[0].cols, part);
    a.rows = t->ref[2].rows - 1;
    a.row_stride = t->ref[0].cols;
    take(&a, 0, &t->ref[1], column);
    take(&a, 1, &t->ref[2], column);
    if (t->ref[3].data) take(&a, 2, &t->ref[3], column);
    return a;
}

/* y x t a b c h p s */
static tensor_scan_args part_ssm(const tensor_task *t, uint64_t channel)
{
    const uint32_t d = t->ref[3].cols;
    tensor_scan_args a = begin(t, 6, channel * d);
    a.y = floats(&t->ref[0]) + channel;
    a.d = d;
    take(&a, 0, &t->ref[1], channel);
    take(&a, 1, &t->ref[2], channel);
    a.in[2] = (const float *)(const void *)(t->ref[3].data + (size_t)(channel * t->ref[3].stride));
    take(&a, 3, &t->ref[4], 0);
    take(&a, 4, &t->ref[5], 0);
    return a;
}

/* y x t a b c h p s; heads groups */
static tensor_scan_args part_ssd(const tensor_task *t, uint64_t row)
{
    const uint32_t heads = t->param[0].u, groups = t->param[1].u, m = t->ref[0].cols / heads;
    const uint32_t d = t->ref[4].cols / groups;
    const uint64_t head = row / m, group = head / (heads / groups);
    tensor_scan_args a = begin(t, 6, row * d);
    a.y = floats(&t->ref[0]) + row;
    a.d = d;
    a.flag = 1;
    take(&a, 0, &t->ref[1], row);
    take(&a, 1, &t->ref[2], head);
    a.in[2] = floats(&t->ref[3]) + head;
    take(&a, 3, &t->ref[4], group * d);
    take(&a, 4, &t->ref[5], group * d);
    return a;
}

/* y q k v g b h p s; heads key_heads scale tiled */
static tensor_scan_args part_delta(const tensor_task *t, uint64_t row)
{
    const uint32_t heads = t->param[0].u, keys = t->param[1].u, e = t->ref[0].cols / heads;
    const uint32_t d = t->ref[1].cols / keys;
    const uint64_t head = row / e, key = t->param[3].u ? head % keys : head / (heads / keys);
    tensor_scan_args a = begin(t, 6, row * d);
    a.y = floats(&t->ref[0]) + row;
    a.d = d;
    a.scale = t->param[2].f;
    a.flag = t->ref[4].cols != heads;
    take(&a, 0, &t->ref[3], row);
    take(&a, 1, &t->ref[4], a.flag ? head * d : head);
    take(&a, 2, &t->ref[5], head);
    take(&a, 3, &t->ref[2], key * d);
    take(&a, 4, &t->ref[1], key * d);
    return a;
}

/* y r w k v u h p s; heads */
static tensor_scan_args part_wkv6(const tensor_task *t, uint64_t part)
{
    const uint32_t d = t->ref[0].cols / t->param[0].u;
    const uint64_t head = part / chunks_of(d), chunk = part % chunks_of(d), column = head * d + chunk * CHUNK;
    tensor_scan_args a = begin(t, 6, head * d * d + chunk * CHUNK);
    a.y = floats(&t->ref[0]) + column;
    a.d = width_of(d, chunk);
    a.rows = a.row_stride = d;
    take(&a, 0, &t->ref[4], column);
    take(&a, 1, &t->ref[2], head * d);
    take(&a, 2, &t->ref[3], head * d);
    take(&a, 3, &t->ref[1], head * d);
    a.in[4] = floats(&t->ref[5]) + head * d;
    return a;
}

/* y r w k v a b h p s; heads */
static tensor_scan_args part_wkv7(const tensor_task *t, uint64_t row)
{
    const uint32_t d = t->ref[0].cols / t->param[0].u;
    const uint64_t head = row / d;
    tensor_scan_args a = begin(t, 7, row * d);
    a.y = floats(&t->ref[0]) + row;
    a.d = d;
    take(&a, 0, &t->ref[4], row);
    take(&a, 1, &t->ref[2], head * d);
    take(&a, 2, &t->ref[3], head * d);
    take(&a, 3, &t->ref[5], head * d);
    take(&a, 4, &t->ref[6], head * d);
    take(&a, 5, &t->ref[1], head * d);
    return a;
}

/* y x h p s: the row before, which the state keeps. Columns to threads. */
static void token_shift(const tensor_device *d, const tensor_task *t, unsigned index)
{
    const tensor_ref *y = &t->ref[0], *x = &t->ref[1], *h = &t->ref[2];
    const tensor_range cols = tensor_share(y->cols, index, d->threads);
    const size_t bytes = (size_t)(cols.end - cols.begin) * 4;
    for (uint64_t i = 0; i < y->rows && bytes; i++) {
        const uint64_t seq = (uint32_t)tensor_int_at(&t->ref[4], 0, i);
        float *kept = (float *)(void *)(h->data + (size_t)(seq * h->stride)) + cols.begin;
        float *out = (float *)(void *)(y->data + (size_t)(i * y->stride)) + cols.begin;
        if (tensor_int_at(&t->ref[3], 0, i) == 0) memset(kept, 0, bytes);
        memcpy(out, kept, bytes);
        memcpy(kept, (const float *)(const void *)(x->data + (size_t)(i * x->stride)) + cols.begin, bytes);
    }
}

typedef tensor_scan_args part_fn(const tensor_task *t, uint64_t part);

static void run_parts(const tensor_device *d, const tensor_task *t, unsigned index, uint64_t parts, part_fn *part,
                      tensor_scan_kind kind)
{
    const tensor_range mine = tensor_share(parts, index, d->threads);
    for (uint64_t i = mine.begin; i < mine.end && !tensor_is_interrupted(d); i++) {
        const tensor_scan_args a = part(t, i);
        d->kernels.scan[kind](&a);
    }
}

bool tensor_run_recurrent(const tensor_device *d, const tensor_task *t, unsigned index)
{
    const uint32_t cols = t->ref[0].cols;
    switch (t->op) {
    case WISP_OP_CONV:
        run_parts(d, t, index, chunks_of(cols), part_conv, TENSOR_SCAN_CONV);
        return true;
    case WISP_OP_TOKEN_SHIFT:
        token_shift(d, t, index);
        return true;
    case WISP_OP_SSM_SCAN:
        run_parts(d, t, index, cols, part_ssm, TENSOR_SCAN_SSM);
        return true;
    case WISP_OP_SSD_SCAN:
        run_parts(d, t, index, cols, part_ssd, TENSOR_SCAN_SSM);
        return true;
    case WISP_OP_DELTA_RULE:
        run_parts(d, t, index, cols, part_delta, TENSOR_SCAN_DELTA);
        return true;
    case WISP_OP_WKV6:
        run_parts(d, t, index, t->param[0].u * chunks_of(cols / t->param[0].u), part_wkv6, TENSOR_SCAN_WKV6);
        return true;
    case WISP_OP_WKV7:
        run_parts(d, t, index, cols, part_wkv7, TENSOR_SCAN_WKV7);
        return true;
    default:
        return false;
    }
}
