/* The device ABI: what the guest engine and a host agree on. Included by both sides; changes only by addition.
 *
 * A device runs lists of fixed-size commands over buffers named by handles. The guest reaches it through its own
 * functions wisp_dev_* (src/guest/intrinsics.h), which a host may replace. docs/device-abi.md is the long form.
 */
#ifndef TENSOR_ABI_H
#define TENSOR_ABI_H
#include <stdint.h>

enum { WISP_DEV_ABI = 2 };

/* Element types. Numbers below 0x100 are GGUF's; 0x100 + n is the packed layout of GGUF type n (tensor/layout.h). */
typedef enum wisp_type {
    WISP_F32 = 0,
    WISP_F16 = 1,
    WISP_Q4_0 = 2,
    WISP_Q4_1 = 3,
    WISP_Q5_0 = 6,
    WISP_Q5_1 = 7,
    WISP_Q8_0 = 8,
    WISP_Q2_K = 10,
    WISP_Q3_K = 11,
    WISP_Q4_K = 12,
    WISP_Q5_K = 13,
    WISP_Q6_K = 14,
    WISP_IQ2_XXS = 16,
    WISP_IQ2_XS = 17,
    WISP_IQ3_XXS = 18,
    WISP_IQ1_S = 19,
    WISP_IQ4_NL = 20,
    WISP_IQ3_S = 21,
    WISP_IQ2_S = 22,
    WISP_IQ4_XS = 23,
    WISP_I32 = 26,
    WISP_F64 = 28,
    WISP_IQ1_M = 29,
    WISP_BF16 = 30,
    WISP_TQ1_0 = 34,
    WISP_TQ2_0 = 35,
    WISP_MXFP4 = 39,
    WISP_Q4_0_R16 = 0x102,
    WISP_Q4_1_R16 = 0x103,
    WISP_Q5_0_R16 = 0x106,
    WISP_Q5_1_R16 = 0x107,
    WISP_Q8_0_R16 = 0x108,
    WISP_Q4_K_R16 = 0x10c,
    WISP_Q5_K_R16 = 0x10d,
    WISP_Q6_K_R16 = 0x10e,
    WISP_IQ4_NL_R16 = 0x114,
    WISP_IQ4_XS_R16 = 0x117,
    WISP_MXFP4_R16 = 0x127,
} wisp_type;

/* A matrix of rows x cols elements inside a buffer. Plain types: row r starts at offset + r * stride, elements of a row
 * are contiguous. Block types: cols is a multiple of the block, stride = bytes of a row's blocks (or more). Packed
 * types: stride is 0, the whole matrix is one stream (rows padded to 16). An absent optional operand is all zero. */
typedef struct wisp_view {
    uint32_t buffer; /* handle; 0 is no buffer */
    uint32_t type;   /* wisp_type */
    uint64_t offset; /* bytes; multiple of the element's alignment (weights: of 64) */
    uint32_t rows, cols;
    uint64_t stride; /* bytes */
} wisp_view;

typedef union wisp_param {
    uint32_t u;
    int32_t i;
    float f;
} wisp_param;

enum { WISP_CMD_PARAMS = 6, WISP_CMD_VIEWS = 11 };

typedef struct wisp_cmd {
    uint32_t op;                       /* wisp_op */
    uint32_t reserved;                 /* 0 */
    wisp_param param[WISP_CMD_PARAMS]; /* unused ones are 0 */
    wisp_view view[WISP_CMD_VIEWS];    /* output first; unused ones are 0 */
} wisp_cmd;

_Static_assert(sizeof(wisp_view) == 32, "the ABI's view");
_Static_assert(sizeof(wisp_cmd) == 384, "the ABI's command");

typedef enum wisp_op {
    WISP_OP_NONE = 0,
#define WISP_OP(name, number, operands, parameters, summary) WISP_OP_##name = number,
#include "tensor/ops.def"
#undef WISP_OP
} wisp_op;

/* Activations, the parameter `kind` of UNARY and GLU; a, b, c, d are its further parameters (docs/numerics.md). */
typedef enum wisp_act {
    WISP_ACT_RELU = 0,
    WISP_ACT_RELU_SQUARED = 1,
    WISP_ACT_GELU_TANH = 2,
    WISP_ACT_GELU_ERF = 3,
    WISP_ACT_GELU_QUICK = 4, /* x * sigmoid(1.702 x) */
    WISP_ACT_SILU = 5,
    WISP_ACT_SIGMOID = 6,
    WISP_ACT_TANH = 7,
    WISP_ACT_EXP = 8,
    WISP_ACT_SOFTPLUS = 9,
    WISP_ACT_SOFTCAP = 10,    /* a * tanh(x / a) */
    WISP_ACT_XIELU = 11,      /* Apertus: a, b, c, d = alpha_n, alpha_p, beta, eps */
    WISP_ACT_SWIGLU_OAI = 12, /* GLU only: gpt-oss, a = alpha, b = limit */
    WISP_ACT_KINDS
} wisp_act;

/* Which positions j a token at position p attends: the parameter `mode` of ATTENTION. */
typedef enum wisp_attend {
    WISP_ATTEND_CAUSAL = 0,    /* j <= p; with a window: p - j < window */
    WISP_ATTEND_ALL = 1,       /* every j up to the largest position of this command's tokens of the sequence */
    WISP_ATTEND_CHUNK = 2,     /* j <= p, j / window = p / window */
    WISP_ATTEND_SYMMETRIC = 3, /* as ALL, |j - p| <= window / 2 */
    WISP_ATTEND_MODES
} wisp_attend;

/* wisp_dev_caps(query) */
enum {
    WISP_CAPS_ABI = 0,        /* -> WISP_DEV_ABI */
    WISP_CAPS_FLAGS = 1,      /* -> WISP_CAPS_FLAG_* */
    WISP_CAPS_THREADS = 2,    /* -> threads that a submit runs on */
    WISP_CAPS_FREE = 3,       /* -> MiB that buffers may still take; 0: not known */
    WISP_CAPS_OP = 0x100,     /* + op -> 1 if the op is native here */
    WISP_CAPS_TYPE = 0x10000, /* + type -> 1 if weights of this type are */
};
enum { WISP_CAPS_FLAG_NATIVE = 1, WISP_CAPS_FLAG_EXACT = 2 };

/* KV caches are made of pages of this many positions; a page is also attention's tile (docs/numerics.md). */
enum { WISP_KV_PAGE = 64 };

#endif
