/* MATMUL: y[n,m] = x[n,k] * transpose(w[m,k]) + b. Threads share the row groups (16 rows), each one contiguous range:
 * one sequential stream of weights a thread. Of many tokens, blocks of panels that fit in L2 stay while the groups
 * pass by. */
#include <string.h>

#include "tensor/device_state.h"

enum { ROWS = TENSOR_ROW_GROUP, TOKENS = TENSOR_PANEL_TOKENS, L2_BYTES = 1 << 19 };

static const struct {
    const char *name;
    tensor_panel_kind panel;
} kinds[TENSOR_MATMUL_KINDS] = {
    [TENSOR_MATMUL_F32] = {"F32", TENSOR_PANEL_F32},
    [TENSOR_MATMUL_F16] = {"F16", TENSOR_PANEL_13BIT},
    [TENSOR_MATMUL_BF16] = {"BF16", TENSOR_PANEL_16BIT},
    [TENSOR_MATMUL_Q4_0] = {"Q4_0_R16", TENSOR_PANEL_Q32},
    [TENSOR_MATMUL_Q8_0] = {"Q8_0_R16", TENSOR_PANEL_Q32},
    [TENSOR_MATMUL_Q4_K] = {"Q4_K_R16", TENSOR_PANEL_Q256},
    [TENSOR_MATMUL_Q6_K] = {"Q6_K_R16", TENSOR_PANEL_Q256},
    [TENSOR_MATMUL_Q4_1] = {"Q4_1_R16", TENSOR_PANEL_Q32},
    [TENSOR_MATMUL_Q5_0] = {"Q5_0_R16", TENSOR_PANEL_Q32},
    [TENSOR_MATMUL_Q5_1] = {"Q5_1_R16", TENSOR_PANEL_Q32},
    [TENSOR_MATMUL_IQ4_NL] = {"IQ4_NL_R16", TENSOR_PANEL_Q32},
    [TENSOR_MATMUL_MXFP4] = {"MXFP4_R16", TENSOR_PANEL_Q32},
    [TENSOR_MATMUL_Q5_K] = {"Q5_K_R16", TENSOR_PANEL_Q256},
    [TENSOR_MATMUL_IQ4_XS] = {"IQ4_XS_R16", TENSOR_PANEL_Q256},
    [TENSOR_MATMUL_BYTES] = {"other types", TENSOR_PANEL_Q256},
    [TENSOR_MATMUL_BYTES_MIN] = {"Q2_K", TENSOR_PANEL_Q256},
};

/* By the type that a packed layout was made from; block types that are not here become signed bytes. */
static const struct {
    uint8_t source, kind;
} kind_of[] = {
    {WISP_F32, TENSOR_MATMUL_F32},       {WISP_F16, TENSOR_MATMUL_F16},     {WISP_BF16, TENSOR_MATMUL_BF16},
    {WISP_Q4_0, TENSOR_MATMUL_Q4_0},     {WISP_Q4_1, TENSOR_MATMUL_Q4_1},   {WISP_Q5_0, TENSOR_MATMUL_Q5_0},
    {WISP_Q5_1, TENSOR_MATMUL_Q5_1},     {WISP_Q8_0, TENSOR_MATMUL_Q8_0},   {WISP_Q4_K, TENSOR_MATMUL_Q4_K},
    {WISP_Q5_K, TENSOR_MATMUL_Q5_K},     {WISP_Q6_K, TENSOR_MATMUL_Q6_K},   {WISP_IQ4_NL, TENSOR_MATMUL_IQ4_NL},
    {WISP_IQ4_XS, TENSOR_MATMUL_IQ4_XS}, {WISP_MXFP4, TENSOR_MATMUL_MXFP4}, {WISP_Q2_K, TENSOR_MATMUL_BYTES_MIN},
};

tensor_matmul_kind tensor_matmul_kind_of(uint32_t type)
{
    const tensor_type_info *info = tensor_type_find(type);
    for (size_t i = 0; info && i < sizeof kind_of / sizeof *kind_of; i++)
        if (kind_of[i].source == info->source) return kind_of[i].kind;
    return info && info->block > 1 ? TENSOR_MATMUL_BYTES : TENSOR_MATMUL_KINDS;
}

tensor_panel_kind tensor_panel_kind_of(tensor_matmul_kind kind)
{
    return kinds[kind].panel;
}

const char *tensor_matmul_name(tensor_matmul_kind kind)
{
    return kinds[kind].name;
}

uint64_t tensor_panel_stride(tensor_panel_kind kind, uint64_t k)
{
    return (tensor_panel_bytes(kind, TOKENS, k) + 63) & ~(uint64_t)63;
}

/* k < 2^32 and tokens < 2^32, a token's panel is below 8 k bytes: no overflow. */
uint64_t tensor_panels_bytes(tensor_panel_kind kind, uint64_t tokens, uint64_t k)
{
    const uint64_t full = tokens / TOKENS, rest = tokens % TOKENS;
    uint64_t bytes;
    if (__builtin_mul_overflow(full, tensor_panel_stride(kind, k), &bytes)) return UINT64_MAX / 2;
    return bytes + ((tensor_panel_bytes(kind, rest, k) + 63) & ~(uint64_t)63);
}

static uint8_t *panels_of(const tensor_device *d, const tensor_task *t, unsigned index)
{
    return t->private_panel ? tensor_scratch_of(d, index) : d->scratch;
}

static uint32_t tokens_of_panel(const tensor_ref *x, uint64_t panel)
{
    const uint64_t left = x->rows - panel * TOKENS;
    return (uint32_t)(left < TOKENS ? left : TOKENS);
}

void tensor_run_panels(const tensor_device *d, const tensor_task *t, unsigned index)
{
    const tensor_ref *x = &t->ref[1];
    const tensor_panel_kind kind = tensor_panel_kind_of(tensor_matmul_kind_of(t->ref[2].type));
    const uint64_t count = (x->rows + TOKENS - 1) / TOKENS, stride = tensor_panel_stride(kind, x->cols);
    const tensor_range mine = t->private_panel ? (tensor_range){0, count} : tensor_share(count, index, d->threads);
    uint8_t *panels = panels_of(d, t, index);
    for (uint64_t p = mine.begin; p < mine.end; p++) {
        const uint8_t *first = x->data + (size_t)(p * TOKENS * x->stride);
        d->kernels.panel[kind]((const float *)(const void *)first, (size_t)(x->stride / 4), tokens_of_panel(x, p),
                               x->cols, panels + (size_t)(p * stride));
    }
}

/* Work area of a thread: results of a partial group, then a group packed on the way. */
typedef struct work {
    float y[TOKENS * ROWS];
    _Alignas(64) uint8_t group[];
} work;

/* Bytes of a group that is made of a GGUF block type's rows on the way: in the type's packed layout, else signed bytes.
 * 0: weights of this type are read as they are. */
uint64_t tensor_made_bytes(const tensor_ref *w)
{
    const tensor_type_info *info = tensor_type_find(w->type);
    if (info->block == 1 || !info->block_bytes) return 0;
    return info->packed ? tensor_group_bytes(info->packed, w->cols) : tensor_bytes_group(w->type, w->cols);
}

uint64_t tensor_matmul_scratch(const tensor_ref *w)
{
    return sizeof(work) + tensor_made_bytes(w);
}

/* One row group times one panel -> y, the bias added last. */
static void multiply(const tensor_device *d, const tensor_task *t, tensor_matmul_args *a, uint64_t group,
                     uint64_t panel, work *work)
{
    const tensor_ref *y = &t->ref[0], *w = &t->ref[2], *b = &t->ref[3];
    const tensor_matmul_kind kind = tensor_matmul_kind_of(w->type);
    const uint64_t row = group * ROWS;
    float *out = (float *)(void *)(y->data + (size_t)(panel * TOKENS * y->stride + row * 4));
    const size_t ldy = (size_t)(y->stride / 4);
    const bool partial = a->rows < ROWS;
    a->y = partial ? work->y : out;
    a->ldy = partial ? ROWS : ldy;
    d->kernels.matmul[kind](a);
    for (uint32_t i = 0; i < a->tokens && partial; i++)
        memcpy(out + i * ldy, work->y + i * ROWS, a->rows * sizeof *out);
    if (!b->data) return;
    const float *bias = (const float *)(const void *)b->data + row;
    for (uint32_t i = 0; i < a->tokens; i++)
        d->kernels.row[WISP_OP_ADD](out + i * ldy, (const float *const[3]){out + i * ldy, bias}, a->rows, NULL);
}

const void *tensor_weight_rows(const tensor_ref *w, uint64_t row, uint32_t count, uint8_t *made)
{
    const tensor_type_info *info = tensor_type_find(w->type);
    const uint64_t group_bytes = tensor_group_bytes(w->type, w->cols);
    const uint8_t *at = w->data + (size_t)(group_bytes ? row / ROWS * group_bytes : row * w->stride);
    if (!tensor_made_bytes(w)) return at;
    if (info->packed)
        tensor_pack_rows(info->packed, at, w->stride, count, w->cols, made);
    else
        tensor_pack_bytes(w->type, at, w->stride, count, w->cols, made);
    return made;
}

/* Takes up to `most` groups from the front or the back of a queue; false: it is empty. */
static bool take(tensor_queue *queue, uint64_t most, bool from_back, tensor_range *taken)
{
    uint64_t old = __atomic_load_n(&queue->range, __ATOMIC_RELAXED), rest;
    do {
        const uint64_t begin = old >> 32, end = (uint32_t)old;
        if (begin >= end) return false;
        const uint64_t n = end - begin < most ? end - begin : most;
        *taken = from_back ? (tensor_range){end - n, end} : (tensor_range){begin, begin + n};
        rest = from_back ? begin << 32 | (end - n) : (begin + n) << 32 | end;
    } while (!__atomic_compare_exchange_n(&queue->range, &old, rest, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}

static void run_groups(const tensor_device *d, const tensor_task *t, unsigned index, tensor_range groups)
{
    const tensor_ref *x = &t->ref[1], *w = &t->ref[2];
    const tensor_panel_kind kind = tensor_panel_kind_of(tensor_matmul_kind_of(w->type));
    const uint64_t panels = (x->rows + TOKENS - 1) / TOKENS, stride = tensor_panel_stride(kind, x->cols);
    const uint64_t block = stride < L2_BYTES ? L2_BYTES / stride : 1;
    const uint8_t *base = panels_of(d, t, index);
    work *work = (void *)(tensor_scratch_of(d, index) + d->private_area);
    tensor_matmul_args a = {.stride = (size_t)w->stride, .k = w->cols};
    for (uint64_t first = 0; first < panels; first += block)
        for (uint64_t g = groups.begin; g < groups.end; g++) {
            const uint64_t row = g * ROWS;
            a.rows = (uint32_t)(w->rows - row < ROWS ? w->rows - row : ROWS);
            a.w = tensor_weight_rows(w, row, a.rows, work->group);
            for (uint64_t p = first; p < panels && p < first + block; p++) {
                a.panel = base + (size_t)(p * stride);
                a.tokens = tokens_of_panel(x, p);
                multiply(d, t, &a, g, p, work);
            }
        }
}

/* Groups taken at a time: of one token about 64 kB of weights (4 us); of many tokens enough that the panels in L2 serve
 * several groups. */
static uint64_t groups_at_a_time(const tensor_task *t)
{
    enum { BYTES = 65536, GROUPS_OF_MANY_TOKENS = 8 };
    const tensor_ref *w = &t->ref[2];
    const uint64_t packed = tensor_group_bytes(w->type, w->cols), bytes = packed ? packed : ROWS * w->stride;
    if (t->ref[1].rows > TOKENS) return GROUPS_OF_MANY_TOKENS;
    return bytes < BYTES ? BYTES / (bytes ? bytes : 1) : 1;
}

uint64_t tensor_matmul_groups(const tensor_task *t)
{
    const uint64_t rows = t->ref[2].rows;
    if (t->op == WISP_OP_MATMUL) return (rows + ROWS - 1) / ROWS;
    /* matrices that may be used at all, times the groups of each */
    const uint64_t each = t->op == WISP_OP_MATMUL_HEADS ? t->ref[0].cols / t->param[0].u : t->ref[0].cols;
    uint64_t count = rows / each;
    if (t->op == WISP_OP_MATMUL_ID && t->ref[0].rows < count) count = t->ref[0].rows;
    return count * ((each + ROWS - 1) / ROWS);
}

void tensor_run_groups(const tensor_device *d, const tensor_task *t, unsigned index, tensor_groups_fn *run)
{
    tensor_queue *queues = d->queues + (size_t)t->queue * d->threads;
    const uint64_t most = groups_at_a_time(t);
    tensor_range groups;
    while (!tensor_is_interrupted(d) && take(&queues[index], most, false, &groups))
        run(d, t, index, groups);
    for (unsigned i = 1; i < d->threads; i++) /* then help the others, the next one first */
        while (!tensor_is_interrupted(d) && take(&queues[(index + i) % d->threads], most, true, &groups))
            run(d, t, index, groups);
}

void tensor_run_matmul(const tensor_device *d, const tensor_task *t, unsigned index)
{
    tensor_run_groups(d, t, index, run_groups);
}
