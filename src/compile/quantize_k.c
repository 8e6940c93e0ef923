/* Types of super-blocks: 256 elements in runs of 16 or 32, each run with a small integer scale (and offset) of its own,
 * all of them multiples of one or two F16 factors.
 *
 * 1. Every run gets the scale d_j (and offset b_j) that fit it best by itself.
 * 2. The factor D makes the largest of them the largest integer there is.
 * 3. Each run takes, of the integers around d_j / D (and -b_j / M), those with the least error once its elements are
 *    rounded again: rounding the scale alone is not the best choice, since the elements follow it.
 * 4. With all integers fixed, E is quadratic in D (and M): x = D (l q) - M m is the linear problem of quantize_fit.h
 *    once more. Its solution is kept if E falls with the elements rounded to it.
 */
#include <string.h>

#include "compile/quantize_fit.h"
#include "compile/quantize_row.h"
#include "tensor/blocks.h"

enum { SUPER = 256, RUNS_MAX = 16 };

static void put_half(uint8_t *p, float v)
{
    const uint16_t h = fit_to_half(v);
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

static float as_half(float v)
{
    return tensor_half_to_float(fit_to_half(v));
}

static int nearest_int(float v)
{
    return (int)(v < 0 ? v - 0.5f : v + 0.5f);
}

static int clamp(int v, int least, int most)
{
    return v < least ? least : v > most ? most : v;
}

/* ---- D l q ---- */

typedef struct scales {
    float d;
    int8_t l[RUNS_MAX], q[SUPER];
} scales;

typedef struct scale_shape {
    uint32_t run; /* elements */
    int least, most;
    const fit_levels *levels;
} scale_shape;

/* The best integer near v for one run, given D. */
static int choose_scale(const float *x, const float *w, const scale_shape *s, float d, float v, float *error)
{
    const int middle = clamp(d != 0 ? nearest_int(v / d) : 0, s->least, s->most);
    int best = middle;
    *error = fit_error(x, w, s->run, s->levels, d * (float)middle, 0);
    for (int l = middle - 1; l <= middle + 1; l += 2) {
        if (l < s->least || l > s->most) continue;
        const float e = fit_error(x, w, s->run, s->levels, d * (float)l, 0);
        if (e >= *error) continue;
        *error = e;
        best = l;
    }
    return best;
}

static float choose_scales(const float *x, const float *w, const scale_shape *s, const float *wanted, scales *out)
{
    float sum = 0, error;
    for (uint32_t j = 0; j < SUPER / s->run; j++) {
        const uint32_t at = j * s->run;
        out->l[j] = (int8_t)choose_scale(x + at, w + at, s, out->d, wanted[j], &error);
        fit_round(x + at, s->run, s->levels, out->d * (float)out->l[j], 0, out->q + at);
        sum += error;
    }
    return sum;
}

static float solve_factor(const float *x, const float *w, const scale_shape *s, const scales *from)
{
    float xq = 0, qq = 0;
    for (uint32_t i = 0; i < SUPER; i++) {
        const float v = (float)(from->l[i / s->run] * from->q[i]);
        xq += w[i] * x[i] * v;
        qq += w[i] * v * v;
    }
    return qq > 0 ? as_half(xq / qq) : 0;
}

static void fit_scales(const float *x, const float *w, const scale_shape *s, scales *out)
{
    float wanted[RUNS_MAX], largest = 0;
    for (uint32_t j = 0; j < SUPER / s->run; j++) {
        wanted[j] = fit_scale(x + j * s->run, w + j * s->run, s->run, s->levels);
        if (__builtin_fabsf(wanted[j]) > __builtin_fabsf(largest)) largest = wanted[j];
    }
    out->d = as_half(largest / (float)s->least); /* there is one negative integer more */
    float error = choose_scales(x, w, s, wanted, out);
    for (int round = 0; round < 2; round++) {
        scales other = {.d = solve_factor(x, w, s, out)};
        if (other.d == 0 || other.d == out->d) return;
        const float e = choose_scales(x, w, s, wanted, &other);
        if (e >= error) return;
        error = e;
        *out = other;
    }
}

/* Scales of 6 bits from -32: four low bits each, then the high pairs. */
void quantize_q3_k(const float *x, const float *w, uint8_t *out)
{
    static const fit_levels levels = {-4, 3, NULL, 0};
    static const scale_shape shape = {16, -32, 31, &levels};
    uint8_t *high = out, *low = out + 32, *packed = out + 96;
    scales s;
    fit_scales(x, w, &shape, &s);
    memset(out, 0, 108);
    for (int j = 0; j < 16; j++) {
        const uint8_t l = (uint8_t)(s.l[j] + 32);
        packed[j % 8] |= (uint8_t)((l & 15) << (j < 8 ? 0 : 4));
        packed[8 + j % 4] |= (uint8_t)(l >> 4 << j / 4 * 2);
    }
    for (int i = 0; i < SUPER; i++) {
        const uint8_t q = (uint8_t)(s.q[i] + 4);
        low[i / 128 * 32 + i % 32] |= (uint8_t)((q & 3) << i % 128 / 32 * 2);
        high[i % 32] |= (uint8_t)((q >> 2) << i / 32);
    }
    put_half(out + 108, s.d);
}

void quantize_q6_k(const float *x, const float *w, uint8_t *out)
{
    static const fit_levels levels = {-32, 31, NULL, 0};
    static const scale_shape shape = {16, -128, 127, &levels};
    uint8_t *low = out, *high = out + 128;
    scales s;
    fit_scales(x, w, &shape, &s);
    memset(out, 0, 192);
    for (int i = 0; i < SUPER; i++) {
        const uint8_t q = (uint8_t)(s.q[i] + 32);
        const int half = i / 128, k = i % 128;
        low[half * 64 + k % 64] |= (uint8_t)((q & 15) << k / 64 * 4);
        high[half * 32 + k % 32] |= (uint8_t)(q >> 4 << k / 32 * 2);
    }
    memcpy(out + 192, s.l, 16);
    put_half(out + 208, s.d);
}

void quantize_iq4_xs(const float *x, const float *w, uint8_t *out)
{
    static const scale_shape shape = {32, -32, 31, &quantize_iq4_levels};
    scales s;
    fit_scales(x, w, &shape, &s);
    put_half(out, s.d);
    memset(out + 2, 0, 6);
    for (int j = 0; j < 8; j++) {
        const uint8_t l = (uint8_t)(s.l[j] + 32);
        out[2 + j / 4] |= (uint8_t)(l >> 4 << j % 4 * 2);
        out[4 + j / 2] |= (uint8_t)((l & 15) << j % 2 * 4);
        quantize_iq4_codes(x + 32 * j, s.d * (float)s.l[j], out + 8 + 16 * j);
    }
}

/* ---- D l q - M m ---- */

typedef struct offsets {
    float d, m;
    uint8_t l[RUNS_MAX], o[RUNS_MAX];
    int8_t q[SUPER];
} offsets;

typedef struct offset_shape {
    uint32_t run;
    int most; /* of l and o */
    fit_levels levels;
} offset_shape;

typedef struct wanted_pair {
    float d, b;
} wanted_pair;

static float choose_pair(const float *x, const float *w, const offset_shape *s, offsets *out, uint32_t j,
                         wanted_pair wanted)
{
    const int l0 = clamp(out->d > 0 ? nearest_int(wanted.d / out->d) : 0, 0, s->most);
    const int o0 = clamp(out->m > 0 ? nearest_int(-wanted.b / out->m) : 0, 0, s->most);
    const uint32_t at = j * s->run;
    float least = 0;
    bool first = true;
    for (int l = clamp(l0 - 1, 0, s->most); l <= clamp(l0 + 1, 0, s->most); l++)
        for (int o = clamp(o0 - 1, 0, s->most); o <= clamp(o0 + 1, 0, s->most); o++) {
            const float e = fit_error(x + at, w + at, s->run, &s->levels, out->d * (float)l, -(out->m * (float)o));
            if (!first && e >= least) continue;
            first = false;
            least = e;
            out->l[j] = (uint8_t)l;
            out->o[j] = (uint8_t)o;
        }
    fit_round(x + at, s->run, &s->levels, out->d * (float)out->l[j], -(out->m * (float)out->o[j]), out->q + at);
    return least;
}

static float choose_pairs(const float *x, const float *w, const offset_shape *s, const wanted_pair *wanted,
                          offsets *out)
{
    float sum = 0;
    for (uint32_t j = 0; j < SUPER / s->run; j++)
        sum += choose_pair(x, w, s, out, j, wanted[j]);
    return sum;
}

/* The two factors for the integers in `from`, by Cramer's rule; false where they are not independent or not positive.
 */
static bool solve_factors(const float *x, const float *w, const offset_shape *s, const offsets *from, offsets *to)
{
    float aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
    for (uint32_t i = 0; i < SUPER; i++) {
        const float a = (float)(from->l[i / s->run] * from->q[i]), b = -(float)from->o[i / s->run];
        aa += w[i] * a * a;
        ab += w[i] * a * b;
        bb += w[i] * b * b;
        xa += w[i] * x[i] * a;
        xb += w[i] * x[i] * b;
    }
    const float determinant = aa * bb - ab * ab;
    if (!(determinant > 1e-6f * aa * bb)) return false;
    to->d = as_half((xa * bb - xb * ab) / determinant);
    to->m = as_half((aa * xb - ab * xa) / determinant);
    return to->d > 0 && to->m > 0;
}

static void fit_offsets(const float *x, const float *w, const offset_shape *s, offsets *out)
{
    wanted_pair wanted[RUNS_MAX];
    float scale = 0, offset = 0;
    for (uint32_t j = 0; j < SUPER / s->run; j++) {
        wanted_pair *p = &wanted[j];
        fit_affine(x + j * s->run, w + j * s->run, s->run, s->levels.highest, false, &p->d, &p->b);
        scale = p->d > scale ? p->d : scale;
        offset = -p->b > offset ? -p->b : offset;
    }
    out->d = as_half(scale / (float)s->most);
    out->m = as_half(offset / (float)s->most);
    float error = choose_pairs(x, w, s, wanted, out);
    for (int round = 0; round < 2; round++) {
        offsets other;
        if (!solve_factors(x, w, s, out, &other)) return;
        const float e = choose_pairs(x, w, s, wanted, &other);
        if (e >= error) return;
        error = e;
        *out = other;
    }
}

void quantize_q2_k(const float *x, const float *w, uint8_t *out)
{
    static const offset_shape shape = {16, 15, {0, 3, NULL, 0}};
    offsets s;
    fit_offsets(x, w, &shape, &s);
    memset(out, 0, 80);
    for (int j = 0; j < 16; j++)
        out[j] = (uint8_t)(s.l[j] | s.o[j] << 4);
    for (int i = 0; i < SUPER; i++)
        out[16 + i / 128 * 32 + i % 32] |= (uint8_t)(s.q[i] << i % 128 / 32 * 2);
    put_half(out + 80, s.d);
    put_half(out + 82, s.m);
}

/* Two factors and eight pairs of 6 bits in 12 bytes: of the pairs 4 to 7, the upper two bits lie above those of 0 to 3.
 */
static void put_factors(const offsets *s, uint8_t *out)
{
    uint8_t *packed = out + 4;
    put_half(out, s->d);
    put_half(out + 2, s->m);
    for (int j = 0; j < 4; j++) {
        packed[j] = (uint8_t)(s->l[j] | s->l[j + 4] >> 4 << 6);
        packed[j + 4] = (uint8_t)(s->o[j] | s->o[j + 4] >> 4 << 6);
        packed[j + 8] = (uint8_t)((s->l[j + 4] & 15) | (s->o[j + 4] & 15) << 4);
    }
}

/* Runs 2j and 2j + 1 share 32 bytes. */
static void put_nibble_runs(const offsets *s, uint8_t *out)
{
    for (int i = 0; i < 128; i++) {
        const int8_t *q = s->q + i / 32 * 64 + i % 32;
        out[i] = (uint8_t)((q[0] & 15) | (q[32] & 15) << 4);
    }
}

void quantize_q4_k(const float *x, const float *w, uint8_t *out)
{
    static const offset_shape shape = {32, 63, {0, 15, NULL, 0}};
    offsets s;
    fit_offsets(x, w, &shape, &s);
    put_factors(&s, out);
    put_nibble_runs(&s, out + 16);
}

void quantize_q5_k(const float *x, const float *w, uint8_t *out)
{
    static const offset_shape shape = {32, 63, {0, 31, NULL, 0}};
    offsets s;
    fit_offsets(x, w, &shape, &s);
    put_factors(&s, out);
    memset(out + 16, 0, 32);
    for (int i = 0; i < SUPER; i++)
        out[16 + i % 32] |= (uint8_t)(s.q[i] >> 4 << i / 32);
    put_nibble_runs(&s, out + 48);
}
