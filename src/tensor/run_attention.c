/* KV_WRITE and ATTENTION over a paged cache: row (page * kv_heads + head) * 64 + position % 64 of d elements.
 * A page is a tile: keys are walked in tiles at fixed absolute positions, so any split of a prompt agrees. */
#include <string.h>

#include "tensor/device_state.h"

enum { PAGE = WISP_KV_PAGE };

static int32_t int_of(const tensor_ref *r, uint64_t row, uint64_t i)
{
    int32_t v;
    memcpy(&v, r->data + (size_t)(row * r->stride + i * 4), 4);
    return v;
}

/* First row of the page that holds `position` of sequence `seq`. */
static uint64_t page_row(const tensor_ref *table, int32_t seq, uint64_t tile, uint32_t kv_heads, uint32_t head)
{
    const uint64_t page = (uint32_t)int_of(table, (uint32_t)seq, tile);
    return (page * kv_heads + head) * PAGE;
}

/* Threads share the heads, each takes all tokens in order: two tokens at one position leave the later one. */
void tensor_run_kv_write(const tensor_device *dev, const tensor_task *t, unsigned index)
{
    const tensor_ref *c = &t->ref[0], *x = &t->ref[1], *pos = &t->ref[2], *seq = &t->ref[3], *table = &t->ref[4];
    const uint32_t heads = t->param[0].u, d = c->cols;
    const tensor_range mine = tensor_share(heads, index, dev->threads);
    for (uint64_t i = 0; i < x->rows; i++) {
        const uint32_t at = (uint32_t)int_of(pos, 0, i);
        for (uint32_t h = (uint32_t)mine.begin; h < mine.end; h++) {
            const uint64_t row = page_row(table, int_of(seq, 0, i), at / PAGE, heads, h) + at % PAGE;
            const float *from = (const float *)(const void *)(x->data + (size_t)(i * x->stride)) + (size_t)h * d;
            uint8_t *to = c->data + (size_t)(row * c->stride);
            tensor_kv_store(&dev->kernels, c->type, to, from, d);
        }
    }
}

/* A thread's work area: of each head of one kv head, the padded query, the sum, m and l. */
typedef struct lane {
    float *q, *acc; /* [heads][padded key size], [heads][padded value size] */
    float *m, *l;   /* [heads] */
} lane;

static size_t padded(uint32_t d)
{
    return ((size_t)d + 31) / 32 * 32;
}

uint64_t tensor_attention_scratch(const tensor_task *t)
{
    const uint64_t heads = t->param[0].u / t->param[1].u, d = t->ref[2].cols, e = t->ref[3].cols;
    return heads * ((d + 31) / 32 * 32 + (e + 31) / 32 * 32 + 2) * 4; /* heads * d < 2^32, padding at most 32-fold */
}

static lane lane_of(const tensor_device *dev, unsigned index, uint32_t heads, uint32_t d, uint32_t e)
{
    lane a;
    a.q = (float *)(void *)(tensor_scratch_of(dev, index) + dev->private_area);
    a.acc = a.q + heads * padded(d);
    a.m = a.acc + heads * padded(e);
    a.l = a.m + heads;
    return a;
}

/* Queries of `heads` heads from x, padded with zeros, conditioned as the cache's type asks. */
static void begin(const tensor_device *dev, const tensor_task *t, const lane *a, const float *x, uint32_t heads)
{
    const uint32_t d = t->ref[2].cols;
    const tensor_panel_kind kind = t->ref[2].type == WISP_F32 ? TENSOR_PANEL_F32 : TENSOR_PANEL_13BIT;
    memset(a->q, 0, heads * padded(d) * sizeof *a->q);
    for (uint32_t h = 0; h < heads; h++) {
        dev->kernels.panel[kind](x + (size_t)h * d, d, 1, d, a->q + h * padded(d));
        a->m[h] = -__builtin_inff();
        a->l[h] = 0;
    }
    memset(a->acc, 0, heads * padded(t->ref[3].cols) * sizeof *a->acc);
}

/* The positions that a token attends, first and last. */
static tensor_range visible(const tensor_task *t, uint64_t token)
{
    const tensor_ref *pos = &t->ref[4], *seq = &t->ref[5];
    const uint64_t p = (uint32_t)int_of(pos, 0, token), window = t->param[4].u;
    tensor_range range = {0, p};
    switch (t->param[5].u) {
    case WISP_ATTEND_CAUSAL:
        if (window && p >= window) range.begin = p - window + 1;
        return range;
    case WISP_ATTEND_CHUNK:
        range.begin = p / window * window;
        return range;
    default:
        break;
    }
    for (uint64_t i = 0; i < pos->cols; i++)
        if (int_of(seq, 0, i) == int_of(seq, 0, token) && (uint32_t)int_of(pos, 0, i) > range.end)
            range.end = (uint32_t)int_of(pos, 0, i);
    if (t->param[5].u == WISP_ATTEND_SYMMETRIC) {
        if (p > window / 2) range.begin = p - window / 2;
        if (range.end - p > window / 2) range.end = p + window / 2;
    }
    return range;
}

static float float_of(const tensor_ref *r, uint32_t i)
{
    float f = 0;
    if (r->data) memcpy(&f, r->data + (size_t)i * 4, 4);
    return f;
}

static tensor_kv_kind kind_of(uint32_t type)
{
    if (type == WISP_F16) return TENSOR_KV_F16;
    if (type == WISP_Q8_0) return TENSOR_KV_Q8_0;
    return type == WISP_Q4_0 ? TENSOR_KV_Q4_0 : TENSOR_KV_F32;
}

/* One tile for one head: `count` keys from `row` on; the query is `distance` past the first. */
static void attend_tile(const tensor_device *dev, const tensor_task *t, const lane *a, uint32_t h, uint32_t head,
                        uint64_t row, uint32_t count, int32_t distance)
{
    const tensor_ref *k = &t->ref[2], *v = &t->ref[3];
    const tensor_kv_kind kind = kind_of(k->type);
    const float slope = float_of(&t->ref[8], head), softcap = t->param[3].f;
    float s[PAGE] __attribute__((aligned(64)));
    dev->kernels.scores[kind](a->q + h * padded(k->cols), k->data + (size_t)(row * k->stride), (size_t)k->stride,
                              k->cols, count, t->param[2].f, s);
    if (softcap != 0 || slope != 0) dev->kernels.adjust(s, count, softcap, slope, distance);
    const float correction = dev->kernels.softmax(s, count, kind == TENSOR_KV_F16, &a->m[h], &a->l[h]);
    dev->kernels.accumulate[kind](s, v->data + (size_t)(row * v->stride), (size_t)v->stride, v->cols, count, correction,
                                  a->acc + h * padded(v->cols));
}

/* A sink is one more score that has no value. */
static float add_sink(const tensor_device *dev, const tensor_task *t, const lane *a, uint32_t h, uint32_t head)
{
    float s[PAGE] __attribute__((aligned(64))) = {float_of(&t->ref[7], head)};
    return t->ref[7].data ? dev->kernels.softmax(s, 1, 0, &a->m[h], &a->l[h]) : 1;
}

/* One token, `heads` query heads from `first` on, all of one kv head. */
static void attend(const tensor_device *dev, const tensor_task *t, const lane *a, uint64_t token, uint32_t first,
                   uint32_t heads)
{
    const tensor_ref *y = &t->ref[0], *x = &t->ref[1], *table = &t->ref[6];
    const uint32_t d = t->ref[2].cols, e = t->ref[3].cols, kv_heads = t->param[1].u;
    const uint32_t kv = first / (t->param[0].u / kv_heads);
    const tensor_range range = visible(t, token);
    const int32_t seq = int_of(&t->ref[5], 0, token), p = int_of(&t->ref[4], 0, token);
    begin(dev, t, a, (const float *)(const void *)(x->data + (size_t)(token * x->stride)) + (size_t)first * d, heads);
    for (uint64_t tile = range.begin / PAGE; tile <= range.end / PAGE && !tensor_is_interrupted(dev); tile++) {
        const uint32_t from = tile == range.begin / PAGE ? (uint32_t)(range.begin % PAGE) : 0;
        const uint32_t to = tile < range.end / PAGE ? PAGE : (uint32_t)(range.end % PAGE + 1);
        const uint64_t row = page_row(table, seq, tile, kv_heads, kv) + from;
        for (uint32_t h = 0; h < heads; h++)
            attend_tile(dev, t, a, h, first + h, row, to - from, p - (int32_t)(tile * PAGE + from));
    }
    float *out = (float *)(void *)(y->data + (size_t)(token * y->stride)) + (size_t)first * e;
    for (uint32_t h = 0; h < heads; h++) {
        const float correction = add_sink(dev, t, a, h, first + h);
        for (uint32_t c = 0; c < e; c++)
            out[(size_t)h * e + c] = a->acc[h * padded(e) + c] * correction / a->l[h];
    }
}

/* Pieces are (token, kv head), or (token, head) when those are too few, dealt in turn: later tokens see more keys. */
void tensor_run_attention(const tensor_device *dev, const tensor_task *t, unsigned index)
{
    const uint32_t heads = t->param[0].u, kv_heads = t->param[1].u;
    const uint64_t tokens = t->ref[0].rows;
    const uint32_t chunk =
        tokens * kv_heads % dev->threads && tokens * kv_heads < 4 * dev->threads ? 1 : heads / kv_heads;
    const uint32_t pieces = heads / chunk;
    const lane a = lane_of(dev, index, heads / kv_heads, t->ref[2].cols, t->ref[3].cols);
    for (uint64_t i = index; i < tokens * pieces && !tensor_is_interrupted(dev); i += dev->threads)
        attend(dev, t, &a, i / pieces, (uint32_t)(i % pieces) * chunk, chunk);
}
