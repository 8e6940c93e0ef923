/* config.json: the family, its parameters as keys of GGUF, how its matrices are stored, its rotary factors. */
#ifndef COMPILE_HF_CONFIG_H
#define COMPILE_HF_CONFIG_H
#include "base/json.h"
#include "compile/gguf_write.h"
#include "compile/hf_families.h"
#include "compile/hf_matrix.h"

enum { HF_FACTORS_MAX = 4096 }; /* rotary pairs of a head */

typedef struct hf_config {
    const hf_family *family;
    const base_json *root, *text,
        *rope; /* text: the part of a model of several kinds, or root; rope: scaling, or NULL */
    uint32_t layers, heads, kv_heads, head_dim, rope_dims;
    bool tied; /* the output is the embeddings */
    hf_quantization quantization;
    const base_json *quantized_apart; /* MLX: matrices with numbers of their own, by name; or NULL */
} hf_config;

wisp_status hf_config_read(hf_config *c, const base_json *root, wisp_report *report) WISP_MUST_USE;
/* A member of the text part, or of the whole; NULL if there is none or it is null. */
const base_json *hf_config_get(const hf_config *c, const char *key);
/* The architecture's keys. */
wisp_status hf_config_put(const hf_config *c, gguf_head *h, wisp_report *report) WISP_MUST_USE;

/* What the angles are divided by: tensors named `name`, of rope_dims / 2 floats. *factors is NULL if the model has
 * none; base_free. */
wisp_status hf_rope_factors(const hf_config *c, const char *name, float **factors, wisp_report *report) WISP_MUST_USE;

#endif
