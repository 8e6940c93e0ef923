/* The kernel table: one struct of function pointers. tensor_kernels_portable fills all of it; each ISA overwrites what
 * it does better, in rising order. Every function of an entry gives the same bytes (docs/numerics.md).
 *
 * Kernels trust their arguments: validate_commands.c has checked the command, device_run.c has split it.
 */
#ifndef TENSOR_KERNELS_H
#define TENSOR_KERNELS_H
#include "tensor/abi.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bits of tensor_options.cpu_features: equal to OS_CPU_* (kernel_check.c asserts it). */
enum {
    TENSOR_CPU_AVX2 = 1 << 1, /* with FMA, F16C and BMI2 */
    TENSOR_CPU_AVX512 = 1 << 2,
    TENSOR_CPU_AVX512_VNNI = 1 << 3,
};

/* ---- MATMUL: a panel of up to 8 tokens times a group of up to 16 rows ----
 *
 * Activations are brought into panels first (T tokens each, T <= TENSOR_PANEL_TOKENS, contiguous, 64-byte aligned):
 *   F32, 13BIT, 16BIT  [k / 16][T][16] floats, the tail zero; conditioned for F32, F16 and BF16 weights
 *   Q32    k / 32 records of  s8 q[T][32], f32 d[T], i32 -8 * sum(q)[T]                              (40 T bytes)
 *   Q256   k / 256 records of s8 q[T][256], f32 d[T], s16 sums of 32 [T][8], s16 sums of 16 [T][16]  (308 T bytes)
 */
enum { TENSOR_PANEL_TOKENS = 8 };
typedef enum tensor_panel_kind {
    TENSOR_PANEL_F32,
    TENSOR_PANEL_13BIT,
    TENSOR_PANEL_16BIT,
    TENSOR_PANEL_Q32,
    TENSOR_PANEL_Q256,
    TENSOR_PANEL_KINDS
} tensor_panel_kind;

typedef enum tensor_matmul_kind {
    TENSOR_MATMUL_F32,
    TENSOR_MATMUL_F16,
    TENSOR_MATMUL_BF16,
    TENSOR_MATMUL_Q4_0,
    TENSOR_MATMUL_Q8_0,
    TENSOR_MATMUL_Q4_K,
    TENSOR_MATMUL_Q6_K,
    TENSOR_MATMUL_Q4_1,
    TENSOR_MATMUL_Q5_0,
    TENSOR_MATMUL_Q5_1,
    TENSOR_MATMUL_IQ4_NL,
    TENSOR_MATMUL_MXFP4,
    TENSOR_MATMUL_Q5_K,
    TENSOR_MATMUL_IQ4_XS,
    TENSOR_MATMUL_BYTES, /* all other types: signed bytes (layout.h) */
    TENSOR_MATMUL_BYTES_MIN,
    TENSOR_MATMUL_KINDS
} tensor_matmul_kind;

static inline uint64_t tensor_panel_bytes(tensor_panel_kind kind, uint64_t tokens, uint64_t k)
{
    if (kind == TENSOR_PANEL_Q32) return k / 32 * 40 * tokens;
    if (kind == TENSOR_PANEL_Q256) return k / 256 * 308 * tokens;
    return (k + 15) / 16 * 64 * tokens;
}

/* x: tokens rows of k floats, ldx floats apart. */
typedef void tensor_panel_fn(const float *x, size_t ldx, uint32_t tokens, uint32_t k, void *panel);

typedef struct tensor_matmul_args {
    const void *w;   /* plain: the first row; packed: the group */
    size_t stride;   /* plain: bytes from row to row */
    uint32_t rows;   /* plain: 1 to 16; packed kernels write all 16 */
    uint32_t tokens; /* 1 to TENSOR_PANEL_TOKENS */
    uint32_t k;
    const void *panel;
    float *y;   /* y[t * ldy + r] */
    size_t ldy; /* floats */
} tensor_matmul_args;
typedef void tensor_matmul_fn(const tensor_matmul_args *a);

/* ---- attention over one tile (WISP_KV_PAGE keys) ---- */
typedef enum tensor_kv_kind {
    TENSOR_KV_F32,
    TENSOR_KV_F16,
    TENSOR_KV_Q8_0,
    TENSOR_KV_Q4_0,
    TENSOR_KV_KINDS
} tensor_kv_kind;

/* q: d floats, zero-padded to a multiple of 32 (conditioned but for F32); k: count rows, `stride` bytes apart;
 * s[j] = scale * dot(q, k_j). */
typedef void tensor_scores_fn(const float *q, const void *k, size_t stride, uint32_t d, uint32_t count, float scale,
                              float *s);
/* s: 64 scores, `count` of them valid -> 64 weights (zero from count on); updates *m and *l; returns the correction
 * of what was summed before. `round13`: weights are conditioned for F16 values. */
typedef float tensor_softmax_fn(float *s, uint32_t count, int round13, float *m, float *l);
/* acc[c] = acc[c] * correction, then + e[j] * v_j[c] for ascending j < count. Of quantized values acc has room for
 * whole blocks, and e is 64 floats. */
typedef void tensor_accumulate_fn(const float *e, const void *v, size_t stride, uint32_t d, uint32_t count,
                                  float correction, float *acc);

/* s[j] = softcap != 0 ? softcap * tanh(s[j] / softcap) : s[j], then + slope * -|distance - j| if slope is not 0. */
typedef void tensor_adjust_fn(float *s, uint32_t count, float softcap, float slope, int32_t distance);

/* ---- recurrent ops: a part of the state through the tokens of a step, in ascending order (scan.h) ---- */
typedef enum tensor_scan_kind {
    TENSOR_SCAN_SSM,
    TENSOR_SCAN_DELTA,
    TENSOR_SCAN_WKV6,
    TENSOR_SCAN_WKV7,
    TENSOR_SCAN_CONV,
    TENSOR_SCAN_KINDS
} tensor_scan_kind;

typedef struct tensor_scan_args {
    uint32_t tokens;
    uint32_t d;    /* elements of a row of the part; WKV6 and CONV: at most 16 */
    uint32_t rows; /* WKV6, CONV */
    uint32_t flag; /* SSM: one decay for the row; DELTA: a decay an element */
    float scale;
    const int32_t *positions, *seqs; /* of each token; at position 0 the state becomes zeros first */
    float *state;                    /* the part of sequence 0 */
    size_t state_stride, row_stride; /* floats, from sequence to sequence and from row to row */
    const float *in[6];              /* of token 0 */
    size_t ld[6];                    /* floats from token to token */
    float *y;
    size_t ldy;
} tensor_scan_args;
typedef void tensor_scan_fn(const tensor_scan_args *a);

/* ---- ops that make one row of one row each ----
 *
 * y: d floats, which may be x[0]; x: the operands after the output, in ops.def's order, NULL where absent; p: the
 * command's parameters. */
enum { TENSOR_ROW_OPS = 64 }; /* by op; NULL: not of this kind */
typedef void tensor_row_fn(float *y, const float *const x[3], size_t d, const wisp_param *p);

typedef struct tensor_kernels {
    tensor_panel_fn *panel[TENSOR_PANEL_KINDS];
    tensor_matmul_fn *matmul[TENSOR_MATMUL_KINDS];
    const char *matmul_variant[TENSOR_MATMUL_KINDS]; /* "portable", "avx2", … */
    tensor_scores_fn *scores[TENSOR_KV_KINDS];
    tensor_accumulate_fn *accumulate[TENSOR_KV_KINDS];
    tensor_softmax_fn *softmax;
    const char *attention_variant;

    tensor_adjust_fn *adjust;

    tensor_row_fn *row[TENSOR_ROW_OPS];
    tensor_scan_fn *scan[TENSOR_SCAN_KINDS];
    void (*rope)(float *y, const float *x, const float *table, uint32_t heads, uint32_t d, uint32_t h, uint32_t halves);
    void (*f16_to_f32)(float *y, const uint16_t *x, size_t count);
    void (*f32_to_f16)(uint16_t *y, const float *x, size_t count);
    uint32_t (*argmax)(const float *x, size_t count);
    const char *elementwise_variant;
} tensor_kernels;

void tensor_kernels_portable(tensor_kernels *k);
/* Overwrites entries by what this processor has: native_*.c, one per target. True on a host's own targets. */
bool tensor_kernels_native(tensor_kernels *k, unsigned cpu_features);

/* Scalar definitions that device_run.c uses as they are on every target. */
float tensor_position_scale(int32_t position, uint32_t offset, uint32_t length, float a);
void tensor_rope_table(float *t, int32_t position, const double *f, uint32_t h, float scale);
/* d floats -> a row of a cache. */
void tensor_kv_store(const tensor_kernels *k, uint32_t type, uint8_t *to, const float *x, uint32_t d);
/* Row `row` of a matrix of any weight type, dequantized: d floats. */
void tensor_get_row(const tensor_kernels *k, float *y, uint32_t type, const void *w, uint64_t stride, uint64_t row,
                    uint32_t d);

#endif
