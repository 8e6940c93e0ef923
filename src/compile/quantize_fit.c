#include "compile/quantize_fit.h"

#include <string.h>

#include "tensor/kernels/portable/vec.h"

enum { ROUNDS = 3 };
#define TINY 1e-30f

/* ---- numbers ---- */

uint16_t fit_to_half(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7bff); /* 65520 and above would round to infinity */
    if (magnitude < 0x38800000) { /* subnormal: units of 2^-24, rounded by an addition */
        float m;
        memcpy(&m, &magnitude, sizeof m);
        m += 0x1p-1f;
        memcpy(&bits, &m, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000));
    }
    return (uint16_t)(sign | ((magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

/* ---- rounding ---- */

/* Every middle between two values that t is above lifts it to the next one. */
VEC_INLINE void round_to_values(v16f *q, const v16f *t, const fit_levels *levels)
{
    v4f piece[4];
    v4i sum[4];
    memcpy(piece, t, sizeof piece);
    for (int i = 0; i < 4; i++)
        sum[i] = (v4i){0} + levels->values[0];
    for (int k = 1; k < levels->count; k++) {
        const v4f middle = (v4f){0} + (float)(levels->values[k] + levels->values[k - 1]) * 0.5f;
        const v4i step = (v4i){0} + (levels->values[k] - levels->values[k - 1]);
        sum[0] += (piece[0] > middle) & step;
        sum[1] += (piece[1] > middle) & step;
        sum[2] += (piece[2] > middle) & step;
        sum[3] += (piece[3] > middle) & step;
    }
    for (int i = 0; i < 4; i++)
        piece[i] = __builtin_convertvector(sum[i], v4f);
    memcpy(q, piece, sizeof *q);
}

/* Sixteen members of Q, as floats. */
VEC_INLINE void round16(v16f *q, const v16f *t, const fit_levels *levels)
{
    if (levels->values) {
        round_to_values(q, t, levels);
        return;
    }
    const float lowest = (float)levels->lowest, highest = (float)levels->highest, to_integer = 0x1.8p23f;
    const v16f low = (v16f){0} + lowest, high = (v16f){0} + highest;
    v16i below, above;
    v16f v = *t;
    v16_greater(&below, &low, &v);
    v16_select(&v, &below, &low, &v);
    v16_greater(&above, &v, &high);
    v16_select(&v, &above, &high, &v);
    *q = (v + to_integer) - to_integer;
}

void fit_round(const float *x, uint32_t n, const fit_levels *levels, float d, float b, int8_t *q)
{
    const float inverse = d > TINY || d < -TINY ? 1 / d : 0;
    for (uint32_t i = 0; i < n; i += 16) {
        v16f t, r;
        v16_load(&t, x + i);
        t = (t - b) * inverse;
        round16(&r, &t, levels);
        for (int k = 0; k < 16; k++)
            q[i + (uint32_t)k] = (int8_t)r[k];
    }
}

float fit_error(const float *x, const float *w, uint32_t n, const fit_levels *levels, float d, float b)
{
    const float inverse = d > TINY || d < -TINY ? 1 / d : 0;
    v16f sum = {0};
    for (uint32_t i = 0; i < n; i += 16) {
        v16f v, weight, t, r;
        v16_load(&v, x + i);
        v16_load(&weight, w + i);
        t = (v - b) * inverse;
        round16(&r, &t, levels);
        v = v - r * d - b;
        sum = sum + weight * v * v;
    }
    return v16_fold(&sum);
}

/* ---- one scale ---- */

typedef struct scale_fit {
    float gain, d;
} scale_fit;

/* The best d for the q that `inverse` gives. */
static scale_fit try_scale(const float *x, const float *w, uint32_t n, const fit_levels *levels, float inverse)
{
    v16f xq = {0}, qq = {0};
    for (uint32_t i = 0; i < n; i += 16) {
        v16f v, weight, t, r;
        v16_load(&v, x + i);
        v16_load(&weight, w + i);
        t = v * inverse;
        round16(&r, &t, levels);
        const v16f wr = weight * r;
        xq = xq + wr * v;
        qq = qq + wr * r;
    }
    const float sxq = v16_fold(&xq), sqq = v16_fold(&qq);
    if (!(sqq > 0)) return (scale_fit){0, 0};
    return (scale_fit){sxq * (sxq / sqq), sxq / sqq};
}

static float largest_magnitude(const float *x, uint32_t n)
{
    float largest = 0;
    for (uint32_t i = 0; i < n; i++)
        if ((x[i] < 0 ? -x[i] : x[i]) > (largest < 0 ? -largest : largest)) largest = x[i];
    return largest;
}

/* Starting point k: the element of largest magnitude lands on an end of Q (k = 0), inside it (k < 0: nothing is cut
 * off) or outside (k > 0: it is cut off, and the others are finer). */
enum { START_FIRST = -4, START_LAST = 16, START_STEP = 4 };

typedef struct scale_search {
    const float *x, *w;
    uint32_t n;
    const fit_levels *levels;
    float largest, span;
    scale_fit best;
    int best_k;
    bool best_end;
} scale_search;

static void try_start(scale_search *s, bool high, int k)
{
    const float edge = (float)(high ? s->levels->highest : s->levels->lowest);
    const scale_fit f =
        try_scale(s->x, s->w, s->n, s->levels, edge * (1 + s->span * (float)k / START_LAST) / s->largest);
    if (!(f.gain > s->best.gain)) return;
    s->best = f;
    s->best_k = k;
    s->best_end = high;
}

/* Both ends with wide steps, then closer around the best, then the two steps in turn. */
float fit_scale(const float *x, const float *w, uint32_t n, const fit_levels *levels)
{
    scale_search s = {.x = x, .w = w, .n = n, .levels = levels, .largest = largest_magnitude(x, n)};
    if (s.largest < TINY && s.largest > -TINY) return 0;
    s.span = levels->highest <= 1 ? 8 : levels->highest <= 3 ? 0.8f : 0.35f;
    for (int k = START_FIRST; k <= START_LAST; k += START_STEP) {
        try_start(&s, false, k);
        try_start(&s, true, k);
    }
    for (int step = START_STEP / 2; step && s.best.gain > 0; step /= 2) {
        const int k = s.best_k;
        const bool high = s.best_end;
        try_start(&s, high, k - step);
        try_start(&s, high, k + step);
    }
    for (int k = 0; k < ROUNDS && s.best.gain > 0; k++) {
        const scale_fit next = try_scale(x, w, n, levels, 1 / s.best.d);
        if (!(next.gain > s.best.gain)) break;
        s.best = next;
    }
    return s.best.d;
}

/* ---- scale and offset ---- */

typedef struct affine_fit {
    float gain, d, b;
} affine_fit;

typedef struct affine_sums {
    float w, x, q, xq, qq;
} affine_sums;

static affine_sums sum_affine(const float *x, const float *w, uint32_t n, int highest, float inverse, float offset)
{
    const fit_levels levels = {0, highest, NULL, 0};
    v16f sw = {0}, sx = {0}, sq = {0}, sxq = {0}, sqq = {0};
    for (uint32_t i = 0; i < n; i += 16) {
        v16f v, weight, t, r;
        v16_load(&v, x + i);
        v16_load(&weight, w + i);
        t = (v - offset) * inverse;
        round16(&r, &t, &levels);
        const v16f wr = weight * r;
        sw = sw + weight;
        sx = sx + weight * v;
        sq = sq + wr;
        sxq = sxq + wr * v;
        sqq = sqq + wr * r;
    }
    return (affine_sums){v16_fold(&sw), v16_fold(&sx), v16_fold(&sq), v16_fold(&sxq), v16_fold(&sqq)};
}

static affine_fit try_affine(const float *x, const float *w, uint32_t n, int highest, bool offset_any, float inverse,
                             float offset)
{
    const affine_sums s = sum_affine(x, w, n, highest, inverse, offset);
    affine_fit f = {0, 0, 0};
    const float determinant = s.w * s.qq - s.q * s.q;
    if (determinant > 0) {
        f.d = (s.w * s.xq - s.x * s.q) / determinant;
        f.b = (s.qq * s.x - s.q * s.xq) / determinant;
    }
    if (!(determinant > 0) || f.d <= 0 || (f.b > 0 && !offset_any)) { /* without an offset */
        f.b = 0;
        f.d = s.qq > 0 && s.xq > 0 ? s.xq / s.qq : 0;
    }
    f.gain = f.d * s.xq + f.b * s.x;
    return f;
}

void fit_affine(const float *x, const float *w, uint32_t n, int highest, bool offset_any, float *d, float *b)
{
    float least = x[0], most = x[0];
    for (uint32_t i = 1; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    if (least > 0 && !offset_any) least = 0;
    affine_fit best = {0, 0, least};
    if (most - least > TINY) {
        for (int k = -5; k <= 10; k++) {
            const float inverse = ((float)highest + (float)k * 0.1f) / (most - least);
            const affine_fit f = try_affine(x, w, n, highest, offset_any, inverse, least);
            if (f.gain > best.gain || best.d == 0) best = f;
        }
        for (int k = 0; k < ROUNDS && best.d > TINY; k++) {
            const affine_fit f = try_affine(x, w, n, highest, offset_any, 1 / best.d, best.b);
            if (!(f.gain > best.gain)) break;
            best = f;
        }
    }
    *d = best.d;
    *b = best.b;
}
