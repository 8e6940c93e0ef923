#include "compile/hf_matrix.h"

#include <stdio.h>
#include <string.h>

/* ---- finding the parts ---- */

static const safetensors_tensor *part_of(const safetensors *s, const char *name, const char *part)
{
    char full[600];
    if (snprintf(full, sizeof full, "%s.%s", name, part) >= (int)sizeof full) return NULL;
    return safetensors_find(s, full);
}

static bool is_float(safetensors_type type)
{
    return type == ST_F16 || type == ST_BF16 || type == ST_F32 || type == ST_F64;
}

static bool has_shape(const safetensors_tensor *t, uint64_t rows, uint64_t cols)
{
    return t && t->dims == 2 && t->shape[0] == rows && t->shape[1] == cols;
}

static wisp_status bad(const hf_matrix *m, const char *name, wisp_report *report)
{
    static const char *const kinds[] = {"plain", "FP8", "MLX", "GPTQ", "AWQ"};
    return base_fail(
        report, WISP_E_INPUT, "matrix '%.80s' (%s): its parts are not those of %s with %u bits and groups of %u", name,
        safetensors_type_name(m->weight->type), kinds[m->kind], m->quantization.bits, m->quantization.group);
}

/* Groups along `cols`; 0: they do not fit. */
static uint64_t groups_of(const hf_quantization *q, uint64_t cols)
{
    if (q->group == 0) return 1;
    return cols % q->group == 0 ? cols / q->group : 0;
}

static bool check_fp8(hf_matrix *m)
{
    const uint64_t block = m->quantization.block;
    const safetensors_tensor *s = m->scales;
    if (m->weight->dims != 2) return false;
    m->rows = m->weight->shape[0];
    m->cols = m->weight->shape[1];
    if (!s) return true;
    if (!is_float(s->type)) return false;
    if (block && has_shape(s, (m->rows + block - 1) / block, (m->cols + block - 1) / block)) {
        m->groups = s->shape[1];
        return true;
    }
    return s->elements == 1 || s->elements == m->rows;
}

/* Words of 32 bits hold whole elements. */
static bool check_mlx(hf_matrix *m)
{
    const uint32_t bits = m->quantization.bits;
    if (m->weight->dims != 2 || m->weight->type != ST_U32 || (bits != 2 && bits != 4 && bits != 8)) return false;
    m->rows = m->weight->shape[0];
    if (__builtin_mul_overflow(m->weight->shape[1], 32 / (uint64_t)bits, &m->cols)) return false;
    m->groups = groups_of(&m->quantization, m->cols);
    return m->groups && has_shape(m->scales, m->rows, m->groups) && has_shape(m->offsets, m->rows, m->groups) &&
           is_float(m->scales->type) && is_float(m->offsets->type);
}

/* Columns name groups that are there. */
static bool check_group_of(const hf_matrix *m)
{
    const safetensors_tensor *t = m->group_of;
    if (!t) return true;
    if (t->type != ST_I32 || t->elements != m->cols) return false;
    for (uint64_t c = 0; c < m->cols; c++) {
        uint32_t group;
        memcpy(&group, t->bytes.data + 4 * c, 4);
        if (group >= m->groups) return false;
    }
    return true;
}

static bool is_words(const safetensors_tensor *t)
{
    return t && (t->type == ST_I32 || t->type == ST_U32);
}

static bool check_gptq(hf_matrix *m)
{
    const uint64_t bits = m->quantization.bits;
    if (m->weight->dims != 2 || !is_words(m->weight) || (bits != 2 && bits != 4 && bits != 8)) return false;
    m->rows = m->weight->shape[1];
    if (__builtin_mul_overflow(m->weight->shape[0], 32 / bits, &m->cols)) return false;
    m->groups = groups_of(&m->quantization, m->cols);
    return m->groups && m->rows % (32 / bits) == 0 && has_shape(m->scales, m->groups, m->rows) &&
           is_float(m->scales->type) && has_shape(m->offsets, m->groups, m->rows / (32 / bits)) &&
           is_words(m->offsets) && check_group_of(m);
}

static bool check_awq(hf_matrix *m)
{
    if (m->weight->dims != 2 || !is_words(m->weight) || m->quantization.bits != 4) return false;
    m->cols = m->weight->shape[0];
    if (__builtin_mul_overflow(m->weight->shape[1], (uint64_t)8, &m->rows)) return false;
    m->groups = groups_of(&m->quantization, m->cols);
    return m->groups && has_shape(m->scales, m->groups, m->rows) && is_float(m->scales->type) &&
           has_shape(m->offsets, m->groups, m->rows / 8) && is_words(m->offsets);
}

static bool check_plain(hf_matrix *m)
{
    if (m->weight->dims != 2) return false;
    m->rows = m->weight->shape[0];
    m->cols = m->weight->shape[1];
    return true;
}

static void find_parts(hf_matrix *m, const safetensors *s, const char *name)
{
    const safetensors_tensor *plain = part_of(s, name, "weight"), *packed = part_of(s, name, "qweight");
    m->weight = plain ? plain : packed;
    if (!m->weight) return;
    if (plain && is_float(plain->type)) {
        m->kind = HF_PLAIN;
    } else if (plain && (plain->type == ST_F8_E4M3 || plain->type == ST_F8_E5M2)) {
        m->kind = HF_FP8;
        m->scales = part_of(s, name, "weight_scale_inv");
        if (!m->scales) m->scales = part_of(s, name, "weight_scale");
    } else {
        m->scales = part_of(s, name, "scales");
        m->offsets = part_of(s, name, plain ? "biases" : "qzeros");
        m->group_of = m->kind == HF_GPTQ ? part_of(s, name, "g_idx") : NULL;
    }
}

wisp_status hf_matrix_find(hf_matrix *m, const safetensors *s, const char *name, const hf_quantization *q,
                           wisp_report *report)
{
    static bool (*const checks[])(hf_matrix *) = {check_plain, check_fp8, check_mlx, check_gptq, check_awq};
    *m = (hf_matrix){.kind = q->kind, .quantization = *q};
    find_parts(m, s, name);
    if (!m->weight) return base_fail(report, WISP_E_NOT_FOUND, "there is no matrix '%.80s'", name);
    const bool stored_plain = is_float(m->weight->type);
    if ((m->kind == HF_PLAIN) != stored_plain || !checks[m->kind](m)) return bad(m, name, report);
    return WISP_OK;
}

/* ---- rows ---- */

static uint32_t word_at(const safetensors_tensor *t, uint64_t i)
{
    uint32_t v;
    memcpy(&v, t->bytes.data + 4 * i, sizeof v);
    return v;
}

static float float_at(const safetensors_tensor *t, uint64_t i)
{
    float v = 0;
    safetensors_floats(t, i, 1, &v);
    return v;
}

static void fp8_row(const hf_matrix *m, uint64_t row, float *out)
{
    const safetensors_tensor *s = m->scales;
    const uint64_t block = m->quantization.block;
    safetensors_floats(m->weight, row * m->cols, m->cols, out);
    if (!s) return;
    for (uint64_t c = 0; c < m->cols; c++) {
        const uint64_t at = m->groups ? row / block * m->groups + c / block : s->elements == 1 ? 0 : row;
        out[c] *= float_at(s, at);
    }
}

static void mlx_row(const hf_matrix *m, uint64_t row, float *out)
{
    const uint32_t bits = m->quantization.bits, a_word = 32 / bits, mask = (1u << bits) - 1;
    const uint64_t words = m->weight->shape[1], group = m->cols / m->groups;
    float scale = 0, bias = 0;
    for (uint64_t c = 0; c < m->cols; c++) {
        if (c % group == 0) {
            scale = float_at(m->scales, row * m->groups + c / group);
            bias = float_at(m->offsets, row * m->groups + c / group);
        }
        const uint32_t q = word_at(m->weight, row * words + c / a_word) >> c % a_word * bits & mask;
        out[c] = (float)q * scale + bias;
    }
}

static void gptq_row(const hf_matrix *m, uint64_t row, float *out)
{
    const uint32_t bits = m->quantization.bits, a_word = 32 / bits, mask = (1u << bits) - 1;
    const uint64_t group = m->cols / m->groups;
    const uint32_t less = m->quantization.zero_is_stored ? 0 : 1;
    for (uint64_t c = 0; c < m->cols; c++) {
        const uint64_t g = m->group_of ? word_at(m->group_of, c) : c / group;
        const uint32_t q = word_at(m->weight, c / a_word * m->rows + row) >> c % a_word * bits & mask;
        const uint32_t z = word_at(m->offsets, g * (m->rows / a_word) + row / a_word) >> row % a_word * bits & mask;
        out[c] = (float)((int32_t)q - (int32_t)(z + less)) * float_at(m->scales, g * m->rows + row);
    }
}

static void awq_row(const hf_matrix *m, uint64_t row, float *out)
{
    static const uint8_t nibble_of[8] = {0, 4, 1, 5, 2, 6, 3, 7};
    const uint64_t group = m->cols / m->groups, words = m->rows / 8;
    const uint32_t shift = 4u * nibble_of[row % 8];
    for (uint64_t c = 0; c < m->cols; c++) {
        const uint32_t q = word_at(m->weight, c * words + row / 8) >> shift & 15;
        const uint32_t z = word_at(m->offsets, c / group * words + row / 8) >> shift & 15;
        out[c] = (float)((int32_t)q - (int32_t)z) * float_at(m->scales, c / group * m->rows + row);
    }
}

void hf_matrix_row(const hf_matrix *m, uint64_t row, float *out)
{
    static void (*const rows[])(const hf_matrix *, uint64_t, float *) = {NULL, fp8_row, mlx_row, gptq_row, awq_row};
    BASE_ASSERT(row < m->rows);
    if (m->kind == HF_PLAIN)
        safetensors_floats(m->weight, row * m->cols, m->cols, out);
    else
        rows[m->kind](m, row, out);
}
