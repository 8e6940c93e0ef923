/* A matrix of a Hugging Face model, however it is stored: plain floats, FP8 with scales, MLX's affine groups, GPTQ,
 * AWQ.
 *
 * FP8    w = q * scale: NAME.weight F8 [rows, cols]; NAME.weight_scale(_inv): one scale, one a row, or one a square
 * block MLX    w = q * scale + bias: NAME.weight U32 [rows, cols * bits / 32], the low bits first; NAME.scales,
 * NAME.biases [rows, cols / group] GPTQ   w = (q - z) * scale: NAME.qweight I32 [cols * bits / 32, rows], the low bits
 * are the first columns; NAME.scales [groups, rows], NAME.qzeros I32 [groups, rows * bits / 32], less one in the first
 * version of the format; NAME.g_idx I32 [cols]: the group of each column, without it c / group AWQ    the same w;
 * NAME.qweight I32 [cols, rows / 8], NAME.qzeros I32 [groups, rows / 8], 4 bits, rows of a word in the order 0 2 4 6 1
 * 3 5 7 from the low bits
 */
#ifndef COMPILE_HF_MATRIX_H
#define COMPILE_HF_MATRIX_H
#include "compile/safetensors.h"

typedef enum hf_kind { HF_PLAIN, HF_FP8, HF_MLX, HF_GPTQ, HF_AWQ } hf_kind;

/* What config.json says of quantized matrices. */
typedef struct hf_quantization {
    hf_kind kind;
    uint32_t bits, group; /* group 0: all columns */
    uint32_t block;       /* FP8 with scales of blocks */
    bool zero_is_stored;  /* GPTQ, second version: zeros are not less one */
} hf_quantization;

typedef struct hf_matrix {
    hf_kind kind;
    hf_quantization quantization;
    uint64_t rows, cols;
    uint64_t groups; /* along the columns; FP8: blocks, 0 if the scales are not of blocks */
    const safetensors_tensor *weight, *scales, *offsets; /* offsets: biases or zeros */
    const safetensors_tensor *group_of;                  /* NULL: by position */
} hf_matrix;

/* NAME is without ".weight". A matrix that is stored as plain floats is taken as such whatever `q` says. Shapes and
 * types of all parts are checked; WISP_E_NOT_FOUND: there is none of that name. */
wisp_status hf_matrix_find(hf_matrix *m, const safetensors *s, const char *name, const hf_quantization *q,
                           wisp_report *report) WISP_MUST_USE;
/* Row `row` as cols floats. */
void hf_matrix_row(const hf_matrix *m, uint64_t row, float *out);

#endif
