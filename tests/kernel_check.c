/* Every kernel of every instruction set against the portable one, `==` on bytes (a NaN equals any NaN: its payload is
 * not defined), with guard bytes around each output; then whole ops through tensor_submit for threads 1 to 3 and
 * several splits. Walks the kernel table: a new kernel needs no new line here.
 *
 * kernel_check [seed] prints one line for each instruction set. Also run under qemu-x86_64 -cpu Conroe and Haswell. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "os/pool.h"
#include "tensor/blocks.h"
#include "tensor/device.h"
#include "tensor/kernels/kernels.h"
#include "tensor/layout.h"

_Static_assert((int)TENSOR_CPU_AVX2 == (int)OS_CPU_AVX2, "feature bits agree");
_Static_assert((int)TENSOR_CPU_AVX512 == (int)OS_CPU_AVX512, "feature bits agree");
_Static_assert((int)TENSOR_CPU_AVX512_VNNI == (int)OS_CPU_AVX512_VNNI, "feature bits agree");

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

static uint64_t state = 1;
static unsigned long compared, failures;
static const char *target = "";

static uint32_t random32(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) ^ (uint32_t)state;
}

static void fail(const char *what, unsigned a, unsigned b, unsigned c)
{
    if (failures++ < 20) printf("FAIL %s: %s (%u, %u, %u)\n", target, what, a, b, c);
}

/* ---- memory with guards; the end is the end of the allocation, so that a sanitizer sees every byte too many ---- */
static void *guarded(size_t size)
{
    uint8_t *p = aligned_alloc(64, (size + 2 * GUARD + 63) / 64 * 64);
    if (!p) abort();
    memset(p, GUARD_BYTE, size + 2 * GUARD);
    return p + GUARD;
}

static int guards_whole(const void *data, size_t size)
{
    const uint8_t *p = (const uint8_t *)data - GUARD;
    for (size_t i = 0; i < GUARD; i++)
        if (p[i] != GUARD_BYTE || p[GUARD + size + i] != GUARD_BYTE) return 0;
    return 1;
}

static void drop(void *data)
{
    free((uint8_t *)data - GUARD);
}

/* ---- inputs: plain numbers, extremes, and bits of any kind ---- */
typedef enum pattern { NORMAL, EXTREME, HALFWAY, ANY_BITS, PATTERNS } pattern;

static float any_float(pattern kind)
{
    static const float extremes[] = {0.0f,       -0.0f,    1.0f,     -1.0f,     127.0f,    -127.0f,   0x1p-149f,
                                     -0x1p-130f, 0x1p100f, 0x1p99f,  -0x1p127f, 0x1p-100f, 0x1p-101f, 65504.0f,
                                     65520.0f,   0x1p-24f, 0x1p-25f, 88.0f,     -87.5f,    104.0f};
    float f;
    uint32_t bits = random32();
    switch (kind) {
    case NORMAL:
        return ((float)(random32() % 20001) - 10000.0f) / 4096.0f;
    case EXTREME:
        return extremes[random32() % (sizeof extremes / sizeof *extremes)];
    case HALFWAY:
        return (float)((int)(random32() % 255) - 127) + (random32() % 2 ? 0.5f : 0.0f);
    default:
        memcpy(&f, &bits, 4);
        return f;
    }
}

static float *floats(size_t count, pattern kind)
{
    float *p = malloc(count * sizeof *p + 1);
    if (!p) abort();
    for (size_t i = 0; i < count; i++)
        p[i] = any_float(kind);
    return p;
}

static void *bytes(size_t size, pattern kind)
{
    void *memory;
    if (posix_memalign(&memory, 64, size)) abort();
    uint8_t *p = memory;
    static const uint8_t extremes[] = {0, 0xff, 0x80, 0x7f, 0x0f, 0xf0};
    const uint8_t one = extremes[random32() % sizeof extremes];
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(kind == EXTREME ? one : random32() >> 7);
    return p;
}

static int same_floats(const float *a, const float *b, size_t count)
{
    compared += count;
    for (size_t i = 0; i < count; i++)
        if (memcmp(a + i, b + i, 4) != 0 && !(isnan(a[i]) && isnan(b[i]))) return 0;
    return 1;
}

/* ---- panels ---- */
static int same_panels(tensor_panel_kind kind, const void *a, const void *b, size_t size)
{
    if (kind <= TENSOR_PANEL_16BIT) return same_floats(a, b, size / 4);
    compared += size;
    return memcmp(a, b, size) == 0; /* scales are never NaN: a NaN is passed over */
}

static void check_panel(tensor_panel_fn *want, tensor_panel_fn *got, tensor_panel_kind kind, uint32_t tokens,
                        uint32_t k, pattern data)
{
    const size_t size = (size_t)tensor_panel_bytes(kind, tokens, k), ldx = k + 3;
    float *x = floats(ldx * (tokens - 1) + k, data);
    uint8_t *a = guarded(size), *b = guarded(size);
    want(x, ldx, tokens, k, a);
    got(x, ldx, tokens, k, b);
    if (!same_panels(kind, a, b, size) || !guards_whole(b, size)) fail("panel", kind, tokens, k);
    free(x);
    drop(a);
    drop(b);
}

static const uint32_t sizes_plain[] = {1, 5, 15, 16, 17, 48, 64, 100, 576};
static const uint32_t sizes_32[] = {32, 64, 96, 320, 1024};
static const uint32_t sizes_256[] = {256, 512, 1280};

/* The sizes that a kind allows, ended by 0. */
static uint32_t size_at(int block, size_t i)
{
    if (block == 1) return i < sizeof sizes_plain / 4 ? sizes_plain[i] : 0;
    if (block == 32) return i < sizeof sizes_32 / 4 ? sizes_32[i] : 0;
    return i < sizeof sizes_256 / 4 ? sizes_256[i] : 0;
}

static void check_panels(const tensor_kernels *want, const tensor_kernels *got)
{
    for (int kind = 0; kind < TENSOR_PANEL_KINDS; kind++) {
        if (want->panel[kind] == got->panel[kind]) continue;
        const int block = kind == TENSOR_PANEL_Q32 ? 32 : kind == TENSOR_PANEL_Q256 ? 256 : 1;
        for (size_t i = 0; size_at(block, i); i++)
            for (uint32_t tokens = 1; tokens <= TENSOR_PANEL_TOKENS; tokens++)
                for (int data = 0; data < PATTERNS; data++)
                    check_panel(want->panel[kind], got->panel[kind], (tensor_panel_kind)kind, tokens, size_at(block, i),
                                (pattern)data);
    }
}

/* ---- MATMUL ---- */
/* A type of each kind; bytes of a packed layout's block (two blocks of Q4_0 and Q8_0). */
static const struct {
    uint32_t type;
    tensor_panel_kind panel;
    uint32_t step;
} matmuls[TENSOR_MATMUL_KINDS] = {
    [TENSOR_MATMUL_F32] = {WISP_F32, TENSOR_PANEL_F32, 0},
    [TENSOR_MATMUL_F16] = {WISP_F16, TENSOR_PANEL_13BIT, 0},
    [TENSOR_MATMUL_BF16] = {WISP_BF16, TENSOR_PANEL_16BIT, 0},
    [TENSOR_MATMUL_Q4_0] = {WISP_Q4_0_R16, TENSOR_PANEL_Q32, 576},
    [TENSOR_MATMUL_Q8_0] = {WISP_Q8_0_R16, TENSOR_PANEL_Q32, 1088},
    [TENSOR_MATMUL_Q4_K] = {WISP_Q4_K_R16, TENSOR_PANEL_Q256, TENSOR_Q4_K_GROUP},
    [TENSOR_MATMUL_Q6_K] = {WISP_Q6_K_R16, TENSOR_PANEL_Q256, TENSOR_Q6_K_GROUP},
    [TENSOR_MATMUL_Q4_1] = {WISP_Q4_1_R16, TENSOR_PANEL_Q32, 320},
    [TENSOR_MATMUL_Q5_0] = {WISP_Q5_0_R16, TENSOR_PANEL_Q32, 704},
    [TENSOR_MATMUL_Q5_1] = {WISP_Q5_1_R16, TENSOR_PANEL_Q32, 384},
    [TENSOR_MATMUL_IQ4_NL] = {WISP_IQ4_NL_R16, TENSOR_PANEL_Q32, 576},
    [TENSOR_MATMUL_MXFP4] = {WISP_MXFP4_R16, TENSOR_PANEL_Q32, 1088},
    [TENSOR_MATMUL_Q5_K] = {WISP_Q5_K_R16, TENSOR_PANEL_Q256, TENSOR_Q5_K_GROUP},
    [TENSOR_MATMUL_IQ4_XS] = {WISP_IQ4_XS_R16, TENSOR_PANEL_Q256, TENSOR_IQ4_XS_GROUP},
    [TENSOR_MATMUL_BYTES] = {WISP_Q3_K, TENSOR_PANEL_Q256, TENSOR_BYTES_GROUP},
    [TENSOR_MATMUL_BYTES_MIN] = {WISP_Q2_K, TENSOR_PANEL_Q256, TENSOR_BYTES_GROUP},
};

/* Scales that keep results finite, so that a wrong bit shows: F16 numbers at the head of each block. */
static void tame_scales(int kind, uint8_t *w, size_t size)
{
    const size_t step = matmuls[kind].step;
    const int floats_first = kind >= TENSOR_MATMUL_BYTES;
    for (size_t i = 0; kind == TENSOR_MATMUL_F32 && i + 4 <= size; i += 4) {
        const float f = any_float(NORMAL);
        memcpy(w + i, &f, 4);
    }
    for (size_t i = 1; kind != TENSOR_MATMUL_F32 && !step && i < size; i += 2)
        w[i] = (uint8_t)((w[i] & 0x87) | 0x38);
    for (size_t b = 0; step && b < size; b += step)
        for (size_t i = floats_first ? 3 : 1; i < (floats_first ? 128 : 64); i += floats_first ? 4 : 2)
            w[b + i] = (uint8_t)((w[b + i] & 0x83) | (floats_first ? 0x3c : 0x20));
    for (size_t b = 0; kind == TENSOR_MATMUL_MXFP4 && b < size; b += step)
        for (size_t i = 0; i < 64; i++)
            w[b + i] = (uint8_t)(118 + w[b + i] % 16);
}

/* Bytes of a group, or of `rows` rows of a plain type. */
static size_t weights_size(int kind, uint32_t rows, uint32_t k)
{
    uint64_t row;
    if (kind >= TENSOR_MATMUL_BYTES) return (size_t)tensor_bytes_group(matmuls[kind].type, k);
    if (matmuls[kind].step) return (size_t)tensor_group_bytes(matmuls[kind].type, k);
    return tensor_row_bytes(matmuls[kind].type, k, &row) ? (size_t)row * rows : 0;
}

static void check_matmul(const tensor_kernels *want, const tensor_kernels *got, int kind, uint32_t rows,
                         uint32_t tokens, uint32_t k, pattern data, int tame)
{
    const int packed = matmuls[kind].step != 0;
    const tensor_panel_kind panel_kind = matmuls[kind].panel;
    uint64_t row = 0;
    if (!packed) tensor_row_bytes(matmuls[kind].type, k, &row);
    const size_t size = weights_size(kind, rows, k);
    const size_t panel_size = (size_t)tensor_panel_bytes(panel_kind, tokens, k), ldy = 16 + 5;
    const size_t out = ldy * (tokens - 1) + (packed ? 16 : rows);
    uint8_t *w = bytes(size, data == EXTREME ? EXTREME : ANY_BITS);
    if (tame) tame_scales(kind, w, size);
    float *x = floats((size_t)tokens * k, data), *a = guarded(out * 4), *b = guarded(out * 4);
    uint8_t *panel = guarded(panel_size);
    want->panel[panel_kind](x, k, tokens, k, panel);
    tensor_matmul_args args = {w, (size_t)row, rows, tokens, k, panel, a, ldy};
    want->matmul[kind](&args);
    args.y = b;
    got->matmul[kind](&args);
    if (!same_floats(a, b, out) || !guards_whole(b, out * 4))
        fail(got->matmul_variant[kind], (unsigned)kind, tokens, k);
    free(w);
    free(x);
    drop(a);
    drop(b);
    drop(panel);
}

static void check_matmuls(const tensor_kernels *want, const tensor_kernels *got)
{
    for (int kind = 0; kind < TENSOR_MATMUL_KINDS; kind++) {
        if (want->matmul[kind] == got->matmul[kind]) continue;
        const int block = (int)tensor_type_find(matmuls[kind].type)->block;
        for (size_t i = 0; size_at(block, i); i++)
            for (uint32_t tokens = 1; tokens <= TENSOR_PANEL_TOKENS; tokens++)
                for (int data = 0; data < PATTERNS; data++)
                    for (int tame = 0; tame < 2; tame++)
                        check_matmul(want, got, kind, block > 1 ? 16 : 1 + random32() % 16, tokens, size_at(block, i),
                                     (pattern)data, tame);
    }
}

/* ---- attention ---- */
static const uint32_t kv_types[TENSOR_KV_KINDS] = {WISP_F32, WISP_F16, WISP_Q8_0, WISP_Q4_0};

static uint32_t up_to_32(uint32_t d)
{
    return (d + 31) / 32 * 32;
}

static size_t kv_row(int kind, uint32_t d)
{
    uint64_t row = 0;
    const int block = (int)tensor_type_find(kv_types[kind])->block;
    return tensor_row_bytes(kv_types[kind], block > 1 ? up_to_32(d) : d, &row) ? (size_t)row : 0;
}

/* Rows of a cache: any bits, or such that sums stay finite. */
static uint8_t *cache_rows(int kind, uint32_t d, size_t stride, uint32_t count, pattern data)
{
    const size_t size = stride * (count - 1) + kv_row(kind, d);
    uint8_t *rows = bytes(size, ANY_BITS);
    const size_t block = kind == TENSOR_KV_Q8_0 ? 34 : 18;
    if (data == NORMAL && kind <= TENSOR_KV_F16)
        tame_scales(kind == TENSOR_KV_F16 ? TENSOR_MATMUL_F16 : TENSOR_MATMUL_F32, rows, size);
    for (size_t at = 0; data == NORMAL && kind > TENSOR_KV_F16 && at + block <= size; at += block)
        rows[at + 1] = (uint8_t)((rows[at + 1] & 0x87) | 0x38);
    return rows;
}

static void check_scores(const tensor_kernels *want, const tensor_kernels *got, int kind, uint32_t d, uint32_t count,
                         pattern data)
{
    const size_t stride = kv_row(kind, kind > TENSOR_KV_F16 ? d + 32 : d + 4);
    float *x = floats(d, data), *q = floats(up_to_32(d), NORMAL), *a = guarded(256), *b = guarded(256);
    uint8_t *k = cache_rows(kind, d, stride, count, data);
    memset(q, 0, up_to_32(d) * sizeof *q);
    want->panel[kind == TENSOR_KV_F32 ? TENSOR_PANEL_F32 : TENSOR_PANEL_13BIT](x, d, 1, d, q);
    want->scores[kind](q, k, stride, d, count, 0.125f, a);
    got->scores[kind](q, k, stride, d, count, 0.125f, b);
    if (!same_floats(a, b, 64) || !guards_whole(b, 256)) fail("scores", (unsigned)kind, d, count);
    free(x);
    free(q);
    free(k);
    drop(a);
    drop(b);
}

static void check_accumulate(const tensor_kernels *want, const tensor_kernels *got, int kind, uint32_t d,
                             uint32_t count, pattern data)
{
    const size_t stride = kv_row(kind, kind > TENSOR_KV_F16 ? d + 32 : d + 4);
    const uint32_t room = kind > TENSOR_KV_F16 ? up_to_32(d) : d;
    float *e = floats(64, data), *start = floats(room, NORMAL), *a = guarded(4 * room), *b = guarded(4 * room);
    uint8_t *v = cache_rows(kind, d, stride, count, data);
    float conditioned[64];
    want->panel[kind == TENSOR_KV_F16 ? TENSOR_PANEL_13BIT : TENSOR_PANEL_F32](e, 64, 1, 64, conditioned);
    memcpy(a, start, 4 * room);
    memcpy(b, start, 4 * room);
    want->accumulate[kind](conditioned, v, stride, d, count, 0.75f, a);
    got->accumulate[kind](conditioned, v, stride, d, count, 0.75f, b);
    if (!same_floats(a, b, d) || !guards_whole(b, 4 * room)) fail("accumulate", (unsigned)kind, d, count);
    free(e);
    free(start);
    free(v);
    drop(a);
    drop(b);
}

static void check_softmax(const tensor_kernels *want, const tensor_kernels *got, uint32_t count, int round13,
                          pattern data)
{
    float *s = floats(64, data), *a = guarded(256), *b = guarded(256);
    float ma = random32() % 2 ? -INFINITY : 1.5f, la = 3.0f, mb = ma, lb = la;
    memcpy(a, s, 256);
    memcpy(b, s, 256);
    float ca = want->softmax(a, count, round13, &ma, &la), cb = got->softmax(b, count, round13, &mb, &lb);
    if (!same_floats(a, b, 64) || !same_floats(&ma, &mb, 1) || !same_floats(&la, &lb, 1) || !same_floats(&ca, &cb, 1) ||
        !guards_whole(b, 256))
        fail("softmax", count, (unsigned)round13, (unsigned)data);
    free(s);
    drop(a);
    drop(b);
}

static void check_adjust(const tensor_kernels *want, const tensor_kernels *got, uint32_t count, pattern data)
{
    float *s = floats(64, data), *a = guarded(256), *b = guarded(256);
    const float cap = random32() % 2 ? any_float(NORMAL) : 0, slope = random32() % 2 ? any_float(NORMAL) : 0;
    const int32_t distance = (int32_t)(random32() % 200) - 100;
    memcpy(a, s, 256);
    memcpy(b, s, 256);
    want->adjust(a, count, cap, slope, distance);
    got->adjust(b, count, cap, slope, distance);
    if (!same_floats(a, b, count) || !guards_whole(b, 256)) fail("adjust", count, (unsigned)data, 0);
    free(s);
    drop(a);
    drop(b);
}

static void check_attention(const tensor_kernels *want, const tensor_kernels *got)
{
    static const uint32_t dims[] = {1, 8, 16, 40, 64, 80, 128, 200}, counts[] = {1, 2, 3, 4, 15, 17, 63, 64};
    for (size_t i = 0; i < sizeof dims / 4; i++)
        for (size_t j = 0; j < sizeof counts / 4; j++)
            for (int data = 0; data < PATTERNS; data++)
                for (int kind = 0; kind < TENSOR_KV_KINDS; kind++) {
                    check_scores(want, got, kind, dims[i], counts[j], (pattern)data);
                    check_accumulate(want, got, kind, dims[i], counts[j], (pattern)data);
                    check_softmax(want, got, counts[j], kind == TENSOR_KV_F16, (pattern)data);
                    check_adjust(want, got, counts[j], (pattern)data);
                }
}

/* ---- elementwise: two float inputs, one output, whatever the function makes of them ---- */
typedef void run_fn(const tensor_kernels *k, float *y, const float *a, const float *b, uint32_t n);

static void run_rope(const tensor_kernels *k, float *y, const float *a, const float *b, uint32_t n)
{
    k->rope(y, a, b, 1, n, n / 4, 0);
}
static void run_rope_halves(const tensor_kernels *k, float *y, const float *a, const float *b, uint32_t n)
{
    k->rope(y, a, b, 1, n, n / 2, 1);
}
static void run_to_f32(const tensor_kernels *k, float *y, const float *a, const float *b, uint32_t n)
{
    (void)b;
    k->f16_to_f32(y, (const uint16_t *)(const void *)a, n);
}
static void run_to_f16(const tensor_kernels *k, float *y, const float *a, const float *b, uint32_t n)
{
    (void)b;
    memset(y, 0, n * sizeof *y);
    k->f32_to_f16((uint16_t *)(void *)y, a, n);
}
static void run_argmax(const tensor_kernels *k, float *y, const float *a, const float *b, uint32_t n)
{
    (void)b;
    memset(y, 0, n * sizeof *y);
    y[0] = (float)k->argmax(a, n);
}

static void check_elementwise(const tensor_kernels *want, const tensor_kernels *got)
{
    static const struct {
        const char *name;
        run_fn *run;
    } ops[] = {{"rope", run_rope},
               {"rope halves", run_rope_halves},
               {"f16_to_f32", run_to_f32},
               {"f32_to_f16", run_to_f16},
               {"argmax", run_argmax}};
    static const uint32_t counts[] = {1, 3, 15, 16, 17, 31, 64, 100, 1000};
    for (size_t o = 0; o < sizeof ops / sizeof *ops; o++)
        for (size_t i = 0; i < sizeof counts / 4; i++)
            for (int round = 0; round < 3 * PATTERNS; round++) {
                const uint32_t n = counts[i];
                float *a = floats(n, (pattern)(round % PATTERNS)), *b = floats(n, (pattern)(round / 3)),
                      *y = guarded(4 * n), *z = guarded(4 * n);
                ops[o].run(want, y, a, b, n);
                ops[o].run(got, z, a, b, n);
                if (!same_floats(y, z, n) || !guards_whole(z, 4 * n)) fail(ops[o].name, n, (unsigned)round, 0);
                free(a);
                free(b);
                drop(y);
                drop(z);
            }
}

/* ---- ops that make a row of a row: whatever is in the table, each activation, with and without optional operands ----
 */
static void check_row(const tensor_kernels *want, const tensor_kernels *got, uint32_t number, uint32_t kind, uint32_t n)
{
    for (int round = 0; round < 4 * PATTERNS; round++) {
        float *x[3], *y = guarded(4 * n), *z = guarded(4 * n);
        wisp_param p[WISP_CMD_PARAMS];
        for (int i = 0; i < 3; i++)
            x[i] = floats(n, (pattern)(i ? round / 4 : round % PATTERNS));
        for (int i = 0; i < WISP_CMD_PARAMS; i++)
            p[i].f = any_float(round % 3 ? NORMAL : EXTREME);
        if (kind < WISP_ACT_KINDS) p[0].u = kind;
        const float *const in[3] = {x[0], x[1], number == WISP_OP_LAYER_NORM && round % 2 ? NULL : x[2]};
        want->row[number](y, in, n, p);
        got->row[number](z, in, n, p);
        if (!same_floats(y, z, n) || !guards_whole(z, 4 * n)) fail("row op", number, kind, n);
        for (int i = 0; i < 3; i++)
            free(x[i]);
        drop(y);
        drop(z);
    }
}

static void check_rows(const tensor_kernels *want, const tensor_kernels *got)
{
    static const uint32_t counts[] = {1, 3, 15, 16, 17, 31, 64, 100, 1000};
    for (uint32_t number = 0; number < TENSOR_ROW_OPS; number++) {
        if (want->row[number] == got->row[number]) continue;
        const int acts = number == WISP_OP_UNARY || number == WISP_OP_GLU;
        for (size_t i = 0; i < sizeof counts / 4; i++)
            for (uint32_t kind = 0; kind < (acts ? WISP_ACT_KINDS : 1); kind++)
                if (number != WISP_OP_UNARY || kind != WISP_ACT_SWIGLU_OAI)
                    check_row(want, got, number, acts ? kind : WISP_ACT_KINDS, counts[i]);
    }
}

/* All 65,536 halves, and every float whose bits step by a prime: conversions. */
static void check_halves(const tensor_kernels *want, const tensor_kernels *got)
{
    static uint16_t half[65536], ha[65536], hb[65536];
    static float fa[65536], fb[65536];
    for (uint32_t i = 0; i < 65536; i++)
        half[i] = (uint16_t)i;
    want->f16_to_f32(fa, half, 65536);
    got->f16_to_f32(fb, half, 65536);
    if (memcmp(fa, fb, sizeof fa) != 0) fail("f16_to_f32 of all halves", 0, 0, 0);
    for (uint32_t start = 0; start < 64; start++) {
        for (uint32_t i = 0; i < 65536; i++) {
            const uint32_t bits = (i * 64 + start) * 1021;
            memcpy(&fa[i], &bits, 4);
        }
        want->f32_to_f16(ha, fa, 65536);
        got->f32_to_f16(hb, fa, 65536);
        compared += 65536;
        if (memcmp(ha, hb, sizeof ha) != 0) fail("f32_to_f16", start, 0, 0);
    }
}

/* Every type of weights; the first ones are tried with both types of cache, all splits and numbers of threads. */
enum { ALL_WAYS = 7 };
static const uint32_t sources[] = {
    WISP_F32,   WISP_F16,   WISP_BF16,    WISP_Q4_0,   WISP_Q8_0,   WISP_Q4_K,    WISP_Q6_K,  WISP_Q4_1,  WISP_Q5_0,
    WISP_Q5_1,  WISP_Q2_K,  WISP_Q3_K,    WISP_Q5_K,   WISP_IQ4_NL, WISP_IQ4_XS,  WISP_MXFP4, WISP_TQ1_0, WISP_TQ2_0,
    WISP_IQ1_S, WISP_IQ1_M, WISP_IQ2_XXS, WISP_IQ2_XS, WISP_IQ2_S,  WISP_IQ3_XXS, WISP_IQ3_S};

/* ---- whole ops: a small model's step, all ops, any weights and cache, any threads and split ---- */
enum { DIM = 256, HEADS = 4, KV_HEADS = 2, HEAD = 64, FF = 512, VOCAB = 50, STEPS = 75, PAGES = 4 };
enum { IDS, POS, SEQ, TABLE, X, H, Q, K, V, T, KC, VC, A, G, U, L, BEST, FREQ, W, BUFFERS };
enum { EMBED, WQ, WK, WV, WO, WG, WU, WD, MATRICES };
static const uint32_t matrix_rows[MATRICES] = {VOCAB, DIM, KV_HEADS *HEAD, KV_HEADS *HEAD, DIM, FF, FF, DIM};
static const uint32_t matrix_cols[MATRICES] = {DIM, DIM, DIM, DIM, DIM, DIM, DIM, FF};

typedef struct model {
    uint32_t type, kv_type; /* weights as stored */
    uint8_t *weights;       /* the matrices, then a norm vector of DIM ones-like floats */
    uint64_t offset[MATRICES + 1], size;
} model;

static uint64_t up64(uint64_t n)
{
    return (n + 63) / 64 * 64;
}

/* Where a block has its F16 scales, but for those that begin with one. */
static const struct {
    uint32_t type, first, second;
} scales_at[] = {{WISP_Q4_1, 0, 2},    {WISP_Q5_1, 0, 2},   {WISP_Q2_K, 80, 82},   {WISP_Q3_K, 108, 108},
                 {WISP_Q4_K, 0, 2},    {WISP_Q5_K, 0, 2},   {WISP_Q6_K, 208, 208}, {WISP_TQ1_0, 52, 52},
                 {WISP_TQ2_0, 64, 64}, {WISP_IQ1_M, 54, 54}};

static void tame_block(uint32_t type, uint8_t *block)
{
    uint32_t first = 0, second = 0;
    for (size_t i = 0; i < sizeof scales_at / sizeof *scales_at; i++)
        if (scales_at[i].type == type) first = scales_at[i].first, second = scales_at[i].second;
    block[first + 1] = (uint8_t)((block[first + 1] & 0x83) | (type == WISP_F16 ? 0x28 : 0x10));
    if (second) block[second + 1] = (uint8_t)((block[second + 1] & 0x83) | 0x10);
    if (type == WISP_MXFP4) block[0] = (uint8_t)(118 + block[0] % 4);
}

/* Rows of a GGUF or plain type with small values. */
static void random_rows(uint32_t type, uint8_t *out, uint64_t size)
{
    const tensor_type_info *info = tensor_type_find(type);
    for (uint64_t i = 0; i < size; i++)
        out[i] = (uint8_t)(random32() >> 7);
    for (uint64_t i = 0; i < size; i += info->block_bytes) {
        const float f = any_float(NORMAL) / 16;
        if (type == WISP_F32)
            memcpy(out + i, &f, 4);
        else if (type == WISP_BF16)
            memcpy(out + i, (const char *)&f + 2, 2);
        else
            tame_block(type, out + i);
    }
}

static int kind_of(uint32_t type)
{
    const uint32_t packed = tensor_type_find(type)->packed;
    for (int kind = TENSOR_MATMUL_Q4_0; packed && kind < TENSOR_MATMUL_KINDS; kind++)
        if (matmuls[kind].type == packed) return kind;
    return type == WISP_Q2_K ? TENSOR_MATMUL_BYTES_MIN : TENSOR_MATMUL_BYTES;
}

/* MATMUL against the dequantized weights in double precision, with activations that 8 bits hold exactly. */
static void check_meaning(const tensor_kernels *k, uint32_t type)
{
    enum { K = 512, ROWS = 16 };
    const tensor_type_info *info = tensor_type_find(type);
    const int kind = kind_of(type);
    uint64_t row;
    tensor_row_bytes(type, K, &row);
    uint8_t *rows = bytes((size_t)row * ROWS, ANY_BITS), *w = bytes(weights_size(kind, ROWS, K), ANY_BITS);
    float x[K], y[ROWS], dequantized[K];
    static _Alignas(64) uint8_t panel[8 * K];
    random_rows(type, rows, row * ROWS);
    for (int i = 0; i < K; i++)
        x[i] = i % 32 ? (float)((int)(random32() % 255) - 127) : 127.0f;
    if (info->packed)
        tensor_pack_group(info->packed, rows, ROWS, K, w);
    else
        tensor_pack_bytes(type, rows, row, ROWS, K, w);
    k->panel[matmuls[kind].panel](x, K, 1, K, panel);
    k->matmul[kind](&(tensor_matmul_args){w, 0, ROWS, 1, K, panel, y, ROWS});
    for (uint32_t r = 0; r < ROWS; r++) {
        double sum = 0, size = 0;
        tensor_dequantize(type, rows + r * row, K, dequantized);
        for (int i = 0; i < K; i++) {
            sum += (double)dequantized[i] * (double)x[i];
            size += fabs((double)dequantized[i] * (double)x[i]);
        }
        if (!(fabs((double)y[r] - sum) <= 1e-6 * size)) fail("MATMUL is not what GET_ROWS says", type, r, 0);
    }
    compared += ROWS;
    free(rows);
    free(w);
}

/* Fills the model with weights of `source`, stored as `type` (the same, or its packed layout). */
static model model_new(uint32_t source, uint32_t type, uint32_t kv_type)
{
    model m = {.type = type, .kv_type = kv_type};
    uint64_t size;
    for (int i = 0; i < MATRICES; i++) {
        tensor_matrix_bytes(type, matrix_rows[i], matrix_cols[i], &size);
        m.offset[i + 1] = m.offset[i] + up64(size);
    }
    m.size = m.offset[MATRICES] + FF * 4;
    m.weights = aligned_alloc(64, up64(m.size));
    if (!m.weights) abort();
    state = 12345; /* the same numbers whatever the layout */
    for (int i = 0; i < MATRICES; i++) {
        uint64_t row, group = tensor_group_bytes(type, matrix_cols[i]);
        tensor_row_bytes(source, matrix_cols[i], &row);
        uint8_t *rows = malloc(row * matrix_rows[i]);
        if (!rows) abort();
        random_rows(source, rows, row * matrix_rows[i]);
        if (source == type) memcpy(m.weights + m.offset[i], rows, row * matrix_rows[i]);
        for (uint32_t r = 0; r < matrix_rows[i] && source != type; r += 16)
            tensor_pack_group(type, rows + r * row, matrix_rows[i] - r < 16 ? matrix_rows[i] - r : 16, matrix_cols[i],
                              m.weights + m.offset[i] + r / 16 * group);
        free(rows);
    }
    for (int i = 0; i < FF; i++) {
        const float f = 1 + any_float(NORMAL) / 8;
        memcpy(m.weights + m.offset[MATRICES] + i * 4, &f, 4);
    }
    return m;
}

typedef struct session {
    const model *m;
    tensor_device *d;
    uint32_t h[BUFFERS], n;
    wisp_cmd cmds[32];
    uint32_t count;
} session;

static void must(wisp_status status, const wisp_report *report)
{
    if (status == WISP_OK) return;
    printf("FAIL %s: %s\n", target, report->text);
    exit(1);
}

static wisp_view plain(const session *s, int buffer, uint32_t type, uint32_t rows, uint32_t cols)
{
    uint64_t stride;
    tensor_row_bytes(type, cols, &stride);
    return (wisp_view){s->h[buffer], type, 0, rows, cols, stride};
}

static wisp_view f32(const session *s, int buffer, uint32_t cols)
{
    return plain(s, buffer, WISP_F32, s->n, cols);
}

static wisp_view matrix(const session *s, int i)
{
    wisp_view v = plain(s, W, s->m->type, matrix_rows[i], matrix_cols[i]);
    v.offset = s->m->offset[i];
    return v;
}

static wisp_view vector(const session *s, uint32_t cols)
{
    wisp_view v = plain(s, W, WISP_F32, 1, cols);
    v.offset = s->m->offset[MATRICES];
    return v;
}

static wisp_cmd *op(session *s, uint32_t number, wisp_view a, wisp_view b, wisp_view c)
{
    wisp_cmd *cmd = &s->cmds[s->count++];
    *cmd = (wisp_cmd){.op = number, .view = {a, b, c}};
    return cmd;
}

static void attention_half(session *s)
{
    const wisp_view none = {0}, pos = plain(s, POS, WISP_I32, 1, s->n), seq = plain(s, SEQ, WISP_I32, 1, s->n),
                    table = plain(s, TABLE, WISP_I32, 2, PAGES);
    const wisp_view kc = plain(s, KC, s->m->kv_type, PAGES * KV_HEADS * 64, HEAD),
                    vc = plain(s, VC, s->m->kv_type, PAGES * KV_HEADS * 64, HEAD);
    const uint32_t kv = KV_HEADS * HEAD;
    op(s, WISP_OP_RMS_NORM, f32(s, H, DIM), f32(s, X, DIM), vector(s, DIM))->param[0].f = 1e-5f;
    op(s, WISP_OP_MATMUL, f32(s, Q, DIM), f32(s, H, DIM), matrix(s, WQ))->view[3] = vector(s, DIM);
    op(s, WISP_OP_MATMUL, f32(s, K, kv), f32(s, H, DIM), matrix(s, WK));
    op(s, WISP_OP_MATMUL, f32(s, V, kv), f32(s, H, DIM), matrix(s, WV));
    op(s, WISP_OP_ROPE_TABLE, f32(s, T, HEAD), pos, plain(s, FREQ, WISP_F64, 1, HEAD / 2))->param[0].f = 1;
    op(s, WISP_OP_ROPE, f32(s, Q, DIM), f32(s, Q, DIM), f32(s, T, HEAD))->param[0].u = HEADS;
    wisp_cmd *c = op(s, WISP_OP_ROPE, f32(s, K, kv), f32(s, K, kv), f32(s, T, HEAD));
    c->param[0].u = KV_HEADS, c->param[1].u = 1;
    c = op(s, WISP_OP_KV_WRITE, kc, f32(s, K, kv), pos);
    c->param[0].u = KV_HEADS, c->view[3] = seq, c->view[4] = table;
    c = op(s, WISP_OP_KV_WRITE, vc, f32(s, V, kv), pos);
    c->param[0].u = KV_HEADS, c->view[3] = seq, c->view[4] = table;
    c = op(s, WISP_OP_ATTENTION, f32(s, A, DIM), f32(s, Q, DIM), kc);
    c->param[0].u = HEADS, c->param[1].u = KV_HEADS, c->param[2].f = 0.125f;
    c->view[3] = vc, c->view[4] = pos, c->view[5] = seq, c->view[6] = table;
    op(s, WISP_OP_MATMUL, f32(s, H, DIM), f32(s, A, DIM), matrix(s, WO));
    op(s, WISP_OP_ADD, f32(s, X, DIM), f32(s, X, DIM), f32(s, H, DIM));
    (void)none;
}

static void feed_forward_half(session *s)
{
    const wisp_view none = {0};
    op(s, WISP_OP_RMS_NORM, f32(s, H, DIM), f32(s, X, DIM), vector(s, DIM))->param[0].f = 1e-5f;
    op(s, WISP_OP_MATMUL, f32(s, G, FF), f32(s, H, DIM), matrix(s, WG));
    op(s, WISP_OP_MATMUL, f32(s, U, FF), f32(s, H, DIM), matrix(s, WU));
    op(s, WISP_OP_GLU, f32(s, G, FF), f32(s, G, FF), f32(s, U, FF))->param[0].u = WISP_ACT_SILU;
    op(s, WISP_OP_MATMUL, f32(s, H, DIM), f32(s, G, FF), matrix(s, WD));
    op(s, WISP_OP_ADD, f32(s, X, DIM), f32(s, X, DIM), f32(s, H, DIM));
    op(s, WISP_OP_MATMUL, f32(s, L, VOCAB), f32(s, X, DIM), matrix(s, EMBED));
    op(s, WISP_OP_ARGMAX, plain(s, BEST, WISP_I32, s->n, 1), f32(s, L, VOCAB), none);
}

static void put(session *s, int buffer, const void *data, uint64_t size)
{
    wisp_report report = {0};
    must(tensor_write(s->d, s->h[buffer], 0, data, size, &report), &report);
}

static void get(session *s, int buffer, void *data, uint64_t size)
{
    wisp_report report = {0};
    must(tensor_read(s->d, s->h[buffer], 0, data, size, &report), &report);
}

static void session_open(session *s, const model *m, unsigned features, const tensor_executor *executor)
{
    static const uint64_t each[BUFFERS] = {
        [IDS] = 4,     [POS] = 4,      [SEQ] = 4,     [X] = DIM * 4, [H] = DIM * 4, [Q] = DIM * 4,   [K] = DIM * 4,
        [V] = DIM * 4, [T] = HEAD * 4, [A] = DIM * 4, [G] = FF * 4,  [U] = FF * 4,  [L] = VOCAB * 4, [BEST] = 4};
    const tensor_options options = {.executor = executor, .cpu_features = features};
    wisp_report report = {0};
    double freq[HEAD / 2];
    *s = (session){.m = m};
    must(tensor_device_new(&s->d, &options, &report), &report);
    must(tensor_add_weights(s->d, 0, m->weights, m->size, &report), &report);
    for (int i = 0; i < BUFFERS; i++)
        s->h[i] = i == W ? tensor_weights(s->d, 0)
                         : tensor_alloc(s->d, each[i] ? each[i] * STEPS : PAGES * KV_HEADS * 64 * HEAD * 4);
    for (int i = 0; i < HEAD / 2; i++)
        freq[i] = pow(10000, -2.0 * i / HEAD);
    const int32_t table[2][PAGES] = {{3, 1, 0, 2}, {2, 0, 1, 3}};
    put(s, FREQ, freq, sizeof freq);
    put(s, TABLE, table, sizeof table);
}

/* Tokens from..from+n of one sequence at positions 0..; results into logits and best. */
static void session_step(session *s, uint32_t from, uint32_t n, float *logits, int32_t *best)
{
    wisp_report report = {0};
    int32_t ids[STEPS], pos[STEPS], seq[STEPS];
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = (int32_t)((from + i) * 7 % VOCAB);
        pos[i] = (int32_t)(from + i);
        seq[i] = 1;
    }
    put(s, IDS, ids, 4 * n);
    put(s, POS, pos, 4 * n);
    put(s, SEQ, seq, 4 * n);
    s->n = n;
    s->count = 0;
    op(s, WISP_OP_GET_ROWS, f32(s, X, DIM), matrix(s, EMBED), plain(s, IDS, WISP_I32, 1, n));
    attention_half(s);
    feed_forward_half(s);
    must(tensor_submit(s->d, s->cmds, s->count, &report), &report);
    get(s, L, logits + (size_t)from * VOCAB, (uint64_t)n * VOCAB * 4);
    get(s, BEST, best + from, (uint64_t)n * 4);
}

typedef struct result {
    float logits[STEPS * VOCAB];
    int32_t best[STEPS];
} result;

static void run_model(const model *m, unsigned features, unsigned threads, uint32_t split, result *r)
{
    static os_pool *pools[4]; /* kept: threads are slow to start under qemu */
    wisp_report report = {0};
    session s;
    if (!pools[threads]) must(os_pool_new(&pools[threads], threads, &report), &report);
    const tensor_executor executor = {pools[threads], threads, os_pool_run, os_pool_barrier};
    session_open(&s, m, features, threads > 1 ? &executor : NULL);
    memset(r, 0, sizeof *r);
    for (uint32_t from = 0; from < STEPS; from += split)
        session_step(&s, from, STEPS - from < split ? STEPS - from : split, r->logits, r->best);
    tensor_device_free(s.d);
}

static void check_model(uint32_t source, uint32_t type, uint32_t kv_type, unsigned features, bool all,
                        const result *want)
{
    static const uint32_t splits[] = {STEPS, 7, 1};
    model m = model_new(source, type, kv_type);
    result r;
    for (unsigned threads = 1; threads <= 3; threads++)
        for (size_t i = 0; i + threads <= sizeof splits / sizeof *splits; i++) {
            if (!all && (threads != 2 || i != 1)) continue;
            run_model(&m, features, threads, splits[i], &r);
            compared += STEPS * VOCAB;
            if (memcmp(&r, want, sizeof r) != 0) fail(tensor_type_find(type)->name, threads, splits[i], kv_type);
        }
    free(m.weights);
}

static void check_models(unsigned features)
{
    static result want;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        for (int kind = i < ALL_WAYS ? TENSOR_KV_F32 : TENSOR_KV_F16; kind < TENSOR_KV_KINDS; kind++) {
            const uint32_t kv = kv_types[kind];
            if (i >= ALL_WAYS && kind > TENSOR_KV_F16) break;
            const uint32_t packed = tensor_type_find(sources[i])->packed;
            model m = model_new(sources[i], sources[i], kv);
            run_model(&m, 0, 1, STEPS, &want);
            for (uint32_t j = 0; j < STEPS * VOCAB; j++)
                if (!isfinite(want.logits[j])) fail("logits are not finite", sources[i], kv, j);
            free(m.weights);
            check_model(sources[i], sources[i], kv, features, i < ALL_WAYS, &want);
            if (packed) check_model(sources[i], packed, kv, features, i < ALL_WAYS, &want);
        }
}

static void check_target(const char *name, unsigned features)
{
    tensor_kernels want, got;
    tensor_kernels_portable(&want);
    tensor_kernels_portable(&got);
    tensor_kernels_native(&got, features);
    target = name;
    compared = 0;
    check_panels(&want, &got);
    check_matmuls(&want, &got);
    check_attention(&want, &got);
    check_elementwise(&want, &got);
    check_rows(&want, &got);
    check_halves(&want, &got);
    for (size_t i = 3; i < sizeof sources / sizeof *sources; i++)
        check_meaning(&got, sources[i]);
    check_models(features);
    printf("%-12s %lu values compared, %lu failures\n", name, compared, failures);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned features;
    } targets[] = {{"portable", 0},
                   {"avx2", TENSOR_CPU_AVX2},
                   {"avx512", TENSOR_CPU_AVX2 | TENSOR_CPU_AVX512},
                   {"avx512vnni", TENSOR_CPU_AVX2 | TENSOR_CPU_AVX512 | TENSOR_CPU_AVX512_VNNI}};
    if (argc > 1) state = strtoull(argv[1], NULL, 10);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if ((os_cpu_features() & targets[i].features) == targets[i].features)
            check_target(targets[i].name, targets[i].features);
        else
            printf("%-12s not on this processor\n", targets[i].name);
    return failures != 0;
}
