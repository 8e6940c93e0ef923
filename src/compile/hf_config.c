#include "compile/hf_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { LAYERS_MAX = 4096 };

/* ---- members ---- */

static const base_json *present(const base_json *object, const char *key)
{
    const base_json *node = base_json_get(object, key);
    return node && node->kind != JSON_NULL ? node : NULL;
}

const base_json *hf_config_get(const hf_config *c, const char *key)
{
    const base_json *node = present(c->text, key);
    return node || c->text == c->root ? node : present(c->root, key);
}

static wisp_status bad(wisp_report *report, const char *key, const char *what)
{
    return base_fail(report, WISP_E_INPUT, "config.json: '%s' %s", key, what);
}

/* The part of a head that is turned has had several names. */
static const base_json *rotary_part(const hf_config *c)
{
    static const char *const names[] = {"rope_pct", "rope_percent", "rotary_pct"};
    const base_json *node = c->rope ? present(c->rope, "partial_rotary_factor") : NULL;
    for (size_t i = 0; !node && i < sizeof names / sizeof *names; i++)
        node = hf_config_get(c, names[i]);
    return node;
}

/* The number, or the family's usual one; *found is false if there is neither. */
static wisp_status number(const hf_config *c, const char *key, double *out, bool *found, wisp_report *report)
{
    const base_json *node = hf_config_get(c, key);
    if (!node && strcmp(key, "partial_rotary_factor") == 0) node = rotary_part(c);
    *found = true;
    if (node) return base_json_double(node, out) ? WISP_OK : bad(report, key, "is not a number");
    for (const hf_default *d = c->family->defaults; d && d->key; d++) {
        if (strcmp(d->key, key) != 0) continue;
        *out = d->value;
        return WISP_OK;
    }
    *found = false;
    return WISP_OK;
}

static wisp_status whole(const hf_config *c, const char *key, uint32_t *out, uint32_t most, bool *found,
                         wisp_report *report)
{
    double value;
    BASE_TRY(number(c, key, &value, found, report));
    if (!*found) return WISP_OK;
    if (!(value >= 0 && value <= most) || value != floor(value)) return bad(report, key, "is no whole number in range");
    *out = (uint32_t)value;
    return WISP_OK;
}

static wisp_status needed(const hf_config *c, const char *key, uint32_t *out, uint32_t most, wisp_report *report)
{
    bool found;
    BASE_TRY(whole(c, key, out, most, &found, report));
    if (!found) return bad(report, key, "is missing");
    return *out ? WISP_OK : bad(report, key, "is 0");
}

static wisp_status real(const hf_config *c, const char *key, double *out, wisp_report *report)
{
    bool found;
    return number(c, key, out, &found, report);
}

/* ---- the family ---- */

static wisp_status find_family(hf_config *c, wisp_report *report)
{
    const base_json *text = base_json_get(c->root, "text_config");
    if (!text || text->kind != JSON_OBJECT) text = base_json_get(c->root, "llm_config");
    c->text = text && text->kind == JSON_OBJECT ? text : c->root;
    const char *of_text = base_json_str(base_json_get(c->text, "model_type"));
    const char *of_all = base_json_str(base_json_get(c->root, "model_type"));
    if (!of_text && !of_all) return bad(report, "model_type", "is missing: it says which family the model is of");
    c->family = of_text ? hf_family_find(of_text) : NULL;
    if (!c->family && of_all) c->family = hf_family_find(of_all);
    if (c->family) return WISP_OK;
    const char *name = of_text ? of_text : of_all;
    return base_fail(
        report, WISP_E_UNSUPPORTED,
        "config.json: model_type '%.60s' is not supported (the nearest known is '%s'); a GGUF of the model "
        "may be",
        name, hf_family_nearest(name)->model_type);
}

/* ---- how matrices are stored ---- */

static wisp_status whole_of(const base_json *q, const char *key, uint32_t *out, uint32_t most, wisp_report *report)
{
    const base_json *node = present(q, key);
    int64_t value;
    if (!node) return WISP_OK;
    if (!base_json_int(node, &value) || value < -1 || value > (int64_t)most)
        return bad(report, key, "is no whole number in range");
    *out = value < 0 ? 0 : (uint32_t)value;
    return WISP_OK;
}

static wisp_status read_groups(hf_quantization *out, const base_json *q, wisp_report *report)
{
    BASE_TRY(whole_of(q, "bits", &out->bits, 64, report));
    return whole_of(q, "group_size", &out->group, 1 << 24, report);
}

static wisp_status read_fp8(hf_quantization *out, const base_json *q, wisp_report *report)
{
    const base_json *block = present(q, "weight_block_size");
    uint64_t size = 0, other = 0;
    out->kind = HF_FP8;
    if (!block) return WISP_OK;
    if (!base_json_uint(base_json_at(block, 0), &size) || !base_json_uint(base_json_at(block, 1), &other) ||
        size != other || size == 0 || size > 1 << 20)
        return bad(report, "weight_block_size", "is not two equal sizes");
    out->block = (uint32_t)size;
    return WISP_OK;
}

static wisp_status read_quantization(hf_config *c, wisp_report *report)
{
    hf_quantization *out = &c->quantization;
    const base_json *mlx = present(c->root, "quantization"), *q = hf_config_get(c, "quantization_config");
    const char *method = base_json_str(base_json_get(q, "quant_method")),
               *mode = base_json_str(base_json_get(mlx, "mode"));
    if (mlx && !method) {
        if (mode && strcmp(mode, "affine") != 0)
            return base_fail(report, WISP_E_UNSUPPORTED, "config.json: quantization mode '%.40s' is not supported",
                             mode);
        out->kind = HF_MLX;
        c->quantized_apart = mlx;
        return read_groups(out, mlx, report);
    }
    if (!q) return WISP_OK;
    if (!method) return bad(report, "quantization_config.quant_method", "is missing");
    if (strcmp(method, "fp8") == 0 || strcmp(method, "fbgemm_fp8") == 0) return read_fp8(out, q, report);
    const char *format = base_json_str(base_json_get(q, "format"));
    if (strcmp(method, "compressed-tensors") == 0 && format && strcmp(format, "float-quantized") == 0)
        return read_fp8(out, q, report);
    if (strcmp(method, "gptq") == 0)
        out->kind = HF_GPTQ;
    else if (strcmp(method, "awq") == 0)
        out->kind = HF_AWQ;
    else
        return base_fail(report, WISP_E_UNSUPPORTED,
                         "config.json: quant_method '%.40s' is not supported (fp8, gptq, awq and MLX's are)", method);
    const char *version = base_json_str(base_json_get(q, "version"));
    if (out->kind == HF_AWQ && version && strcmp(version, "gemm") != 0 && strcmp(version, "GEMM") != 0)
        return base_fail(report, WISP_E_UNSUPPORTED, "config.json: AWQ of version '%.20s' is not supported (gemm is)",
                         version);
    const char *checkpoint = base_json_str(base_json_get(q, "checkpoint_format"));
    out->zero_is_stored = checkpoint && strcmp(checkpoint, "gptq_v2") == 0;
    return read_groups(out, q, report);
}

/* ---- sizes ---- */

static wisp_status read_sizes(hf_config *c, wisp_report *report)
{
    bool found;
    uint32_t width = 0;
    double part = 1;
    BASE_TRY(needed(c, "hidden_size", &width, 1 << 24, report));
    BASE_TRY(needed(c, "num_hidden_layers", &c->layers, LAYERS_MAX, report));
    BASE_TRY(needed(c, "num_attention_heads", &c->heads, 1 << 16, report));
    c->kv_heads = c->heads;
    BASE_TRY(whole(c, "num_key_value_heads", &c->kv_heads, 1 << 16, &found, report));
    if (c->kv_heads == 0) return bad(report, "num_key_value_heads", "is 0");
    c->head_dim = width / c->heads;
    if (!(c->family->flags & HF_NO_HEAD_DIM)) BASE_TRY(whole(c, "head_dim", &c->head_dim, 1 << 16, &found, report));
    BASE_TRY(real(c, "partial_rotary_factor", &part, report));
    if (!(part > 0 && part <= 1)) return bad(report, "partial_rotary_factor", "is not between 0 and 1");
    c->rope_dims = (uint32_t)(c->head_dim * part);
    if (c->rope_dims < 2 || c->rope_dims / 2 > HF_FACTORS_MAX) return bad(report, "head_dim", "is out of range");
    const base_json *tied = hf_config_get(c, "tie_word_embeddings");
    c->tied = tied && tied->kind == JSON_BOOL ? tied->boolean : (c->family->flags & HF_TIED) != 0;
    return WISP_OK;
}

wisp_status hf_config_read(hf_config *c, const base_json *root, wisp_report *report)
{
    *c = (hf_config){.root = root};
    BASE_TRY(find_family(c, report));
    const base_json *rope = hf_config_get(c, "rope_parameters"), *full = present(rope, "full_attention");
    if (!rope) rope = hf_config_get(c, "rope_scaling");
    c->rope = full ? full : rope;
    if (c->rope && c->rope->kind != JSON_OBJECT) return bad(report, "rope_scaling", "is not an object");
    BASE_TRY(read_quantization(c, report));
    return read_sizes(c, report);
}

/* ---- keys ---- */

static const char *full_key(char out[128], const hf_config *c, const char *key)
{
    snprintf(out, 128, "%s.%s", c->family->architecture, key);
    return out;
}

static wisp_status put_key(const hf_config *c, gguf_head *h, const hf_key *k, wisp_report *report)
{
    char name[128];
    bool found;
    if ((c->family->flags & HF_NO_HEAD_DIM) && strcmp(k->hf, "head_dim") == 0) return WISP_OK;
    full_key(name, c, k->gguf);
    if (k->kind == HF_BOOL) {
        const base_json *node = hf_config_get(c, k->hf);
        if (node && node->kind != JSON_BOOL) return bad(report, k->hf, "is neither true nor false");
        if (node) gguf_put_bool(h, name, node->boolean);
    } else if (k->kind == HF_FLOAT) {
        double value;
        BASE_TRY(number(c, k->hf, &value, &found, report));
        if (found) gguf_put_f32(h, name, (float)value);
    } else {
        uint32_t value;
        BASE_TRY(whole(c, k->hf, &value, UINT32_MAX, &found, report));
        if (found) gguf_put_u32(h, name, value);
    }
    return WISP_OK;
}

static wisp_status put_common(const hf_config *c, gguf_head *h, wisp_report *report)
{
    const char *last = "";
    for (const hf_key *k = hf_keys; k->hf; k++) {
        double value;
        bool found;
        /* of several names for one thing the first one that is there counts */
        if (strcmp(last, k->gguf) == 0) continue;
        if (!(c->family->flags & HF_MAX_LENGTH) && strcmp(k->hf, "model_max_length") == 0) continue;
        if (k->kind == HF_BOOL)
            found = hf_config_get(c, k->hf) != NULL;
        else
            BASE_TRY(number(c, k->hf, &value, &found, report));
        if (!found) continue;
        BASE_TRY(put_key(c, h, k, report));
        last = k->gguf;
    }
    return WISP_OK;
}

/* Phi-2 and StableLM have no default in every file; Llama's is 10,000. */
static wisp_status put_rope_base(const hf_config *c, gguf_head *h, wisp_report *report)
{
    char name[128];
    double base = 10000, local;
    const base_json *in_rope = present(c->rope, "rope_theta");
    const base_json *sliding = present(hf_config_get(c, "rope_parameters"), "sliding_attention");
    if (in_rope && !base_json_double(in_rope, &base)) return bad(report, "rope_theta", "is not a number");
    if (!in_rope) BASE_TRY(real(c, "rope_theta", &base, report));
    gguf_put_u32(h, full_key(name, c, "rope.dimension_count"), c->rope_dims);
    gguf_put_f32(h, full_key(name, c, "rope.freq_base"), (float)base);
    if (base_json_double(base_json_get(sliding, "rope_theta"), &local) && !hf_config_get(c, "rope_local_base_freq"))
        gguf_put_f32(h, full_key(name, c, "rope.freq_base_swa"), (float)local);
    return WISP_OK;
}

static const char *rope_type(const hf_config *c)
{
    const char *type = base_json_str(base_json_get(c->rope, "rope_type"));
    if (!type) type = base_json_str(base_json_get(c->rope, "type"));
    return type ? type : "default";
}

static bool is_one_of(const char *text, const char *a, const char *b)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

/* A number of rope_scaling; *found is false if there is none. */
static wisp_status scaling(const hf_config *c, const char *key, double *out, bool *found, wisp_report *report)
{
    const base_json *node = present(c->rope, key);
    *found = node != NULL;
    return !node || base_json_double(node, out) ? WISP_OK : bad(report, key, "of rope_scaling is not a number");
}

static wisp_status put_scaling_float(const hf_config *c, gguf_head *h, const char *key, const char *gguf,
                                     wisp_report *report)
{
    char name[128];
    double value;
    bool found;
    BASE_TRY(scaling(c, key, &value, &found, report));
    if (found && !(value > 0 && value < 1e9)) return bad(report, key, "of rope_scaling is out of range");
    if (found) gguf_put_f32(h, full_key(name, c, gguf), (float)value);
    return WISP_OK;
}

/* The context that the model was trained with before its angles were scaled. */
static wisp_status original_context(const hf_config *c, double *out, wisp_report *report)
{
    bool found;
    BASE_TRY(scaling(c, "original_max_position_embeddings", out, &found, report));
    if (!found) BASE_TRY(number(c, "original_max_position_embeddings", out, &found, report));
    if (!found) BASE_TRY(number(c, "max_position_embeddings", out, &found, report));
    if (!found || !(*out >= 1 && *out <= UINT32_MAX))
        return bad(report, "original_max_position_embeddings", "of rope_scaling is missing or out of range");
    return WISP_OK;
}

/* YaRN scales sine and cosine by 1 + ln(factor) / 10; a model that says otherwise gets the quotient as a factor. */

static wisp_status put_yarn(const hf_config *c, gguf_head *h, wisp_report *report)
{
    char name[128];
    double context, factor = 1, attention;
    bool found;
    BASE_TRY(original_context(c, &context, report));
    gguf_put_string(h, full_key(name, c, "rope.scaling.type"), "yarn", 4);
    gguf_put_u32(h, full_key(name, c, "rope.scaling.original_context_length"), (uint32_t)context);
    BASE_TRY(scaling(c, "factor", &factor, &found, report));
    if (found) gguf_put_f32(h, full_key(name, c, "rope.scaling.factor"), (float)factor);
    BASE_TRY(scaling(c, "attention_factor", &attention, &found, report));
    /* the whole of it; GGUF's goes on top of YaRN's own */
    if (found) {
        const double own = factor > 1 ? 1 + 0.1 * log(factor) : 1;
        gguf_put_f32(h, full_key(name, c, "rope.scaling.attn_factor"), (float)(attention / own));
    }
    BASE_TRY(put_scaling_float(c, h, "beta_fast", "rope.scaling.yarn_beta_fast", report));
    return put_scaling_float(c, h, "beta_slow", "rope.scaling.yarn_beta_slow", report);
}

/* What attention's scores are made larger by where a long context is squeezed in (arXiv 2402.13753). */
static wisp_status put_longrope(const hf_config *c, gguf_head *h, wisp_report *report)
{
    char name[128];
    double context, most = 0, factor = 1;
    bool found;
    BASE_TRY(original_context(c, &context, report));
    BASE_TRY(number(c, "max_position_embeddings", &most, &found, report));
    if (most > context) factor = sqrt(1 + log(most / context) / log(context));
    BASE_TRY(scaling(c, "attention_factor", &factor, &found, report));
    gguf_put_string(h, full_key(name, c, "rope.scaling.type"), "longrope", 8);
    gguf_put_u32(h, full_key(name, c, "rope.scaling.original_context_length"), (uint32_t)context);
    gguf_put_f32(h, full_key(name, c, "rope.scaling.attn_factor"), (float)factor);
    return WISP_OK;
}

static wisp_status put_scaling(const hf_config *c, gguf_head *h, wisp_report *report)
{
    char name[128];
    const char *type = rope_type(c);
    if (is_one_of(type, "default", "llama3") || is_one_of(type, "dynamic", "mrope")) return WISP_OK;
    if (strcmp(type, "yarn") == 0) return put_yarn(c, h, report);
    if (is_one_of(type, "longrope", "su")) return put_longrope(c, h, report);
    if (strcmp(type, "linear") != 0)
        return base_fail(report, WISP_E_UNSUPPORTED, "config.json: rope_scaling of type '%.40s' is not supported",
                         type);
    gguf_put_string(h, full_key(name, c, "rope.scaling.type"), "linear", 6);
    return put_scaling_float(c, h, "factor", "rope.scaling.factor", report);
}

static wisp_status put_window(const hf_config *c, gguf_head *h, wisp_report *report)
{
    char name[128];
    uint32_t window = 0;
    bool found;
    const base_json *types = hf_config_get(c, "layer_types");
    if (!(c->family->flags & HF_WINDOW)) return WISP_OK;
    BASE_TRY(whole(c, "sliding_window", &window, 1 << 30, &found, report));
    gguf_put_u32(h, full_key(name, c, "attention.sliding_window"), window);
    if (!types || window == 0) return WISP_OK;
    if (types->kind != JSON_ARRAY || types->count != c->layers)
        return bad(report, "layer_types", "does not fit the layers");
    gguf_begin_array(h, full_key(name, c, "attention.sliding_window_pattern"), GGUF_BOOL, c->layers);
    for (const base_json *t = types->first; t; t = t->next) {
        const char *text = base_json_str(t);
        if (!text || (strcmp(text, "sliding_attention") != 0 && strcmp(text, "full_attention") != 0))
            return bad(report, "layer_types", "has a kind that is not known");
        base_put_u8(&h->keys, strcmp(text, "sliding_attention") == 0);
    }
    return WISP_OK;
}

/* The program of a family has one activation: a model with another would compute something else. */
static wisp_status check_activation(const hf_config *c, wisp_report *report)
{
    const base_json *given = hf_config_get(c, "hidden_activation"); /* counts where both are there */
    if (!given) given = hf_config_get(c, "hidden_act");
    if (!given) return WISP_OK;
    const char *text = base_json_str(given);
    const size_t length = text ? strlen(text) : 0;
    for (const char *known = c->family->activations; length && known; known = strchr(known, ' ')) {
        known += *known == ' ';
        if (strncmp(known, text, length) == 0 && (known[length] == ' ' || !known[length])) return WISP_OK;
    }
    return base_fail(report, WISP_E_UNSUPPORTED, "config.json: activation '%.40s', but models of type '%s' have %s",
                     text ? text : "?", c->family->model_type, c->family->activations);
}

wisp_status hf_config_put(const hf_config *c, gguf_head *h, wisp_report *report)
{
    char name[128];
    double kv_heads;
    bool found;
    gguf_put_string(h, "general.architecture", c->family->architecture, strlen(c->family->architecture));
    BASE_TRY(check_activation(c, report));
    BASE_TRY(put_common(c, h, report));
    BASE_TRY(number(c, "num_key_value_heads", &kv_heads, &found, report));
    if (!found) /* as many as there are heads */
        gguf_put_u32(h, full_key(name, c, "attention.head_count_kv"), c->kv_heads);
    BASE_TRY(put_rope_base(c, h, report));
    BASE_TRY(put_scaling(c, h, report));
    return put_window(c, h, report);
}

/* ---- rotary factors ---- */

/* Llama 3.1: slow angles are divided, fast ones kept, those between partly so. */
static wisp_status llama3_factors(const hf_config *c, float *out, wisp_report *report)
{
    double factor = 8, low = 1, high = 4, context, base = 10000;
    bool found;
    BASE_TRY(scaling(c, "factor", &factor, &found, report));
    BASE_TRY(scaling(c, "low_freq_factor", &low, &found, report));
    BASE_TRY(scaling(c, "high_freq_factor", &high, &found, report));
    BASE_TRY(original_context(c, &context, report));
    BASE_TRY(scaling(c, "rope_theta", &base, &found, report));
    if (!found) BASE_TRY(real(c, "rope_theta", &base, report));
    if (!(factor > 0 && low > 0 && high >= low && base > 0))
        return bad(report, "rope_scaling", "has impossible factors");
    for (uint32_t i = 0; i < c->rope_dims / 2; i++) {
        const double turns = context * pow(base, -2.0 * i / c->rope_dims) / (2 * M_PI);
        const double kept = high > low ? (turns - low) / (high - low) : 1;
        out[i] = turns > high ? 1 : turns < low ? (float)factor : (float)(1 / ((1 - kept) / factor + kept));
    }
    return WISP_OK;
}

static wisp_status listed_factors(const hf_config *c, const char *key, float *out, wisp_report *report)
{
    const base_json *list = present(c->rope, key);
    uint32_t i = 0;
    if (!list || list->kind != JSON_ARRAY || list->count != c->rope_dims / 2)
        return base_fail(report, WISP_E_INPUT, "config.json: '%s' of rope_scaling is not a list of %u numbers", key,
                         (unsigned)(c->rope_dims / 2));
    for (const base_json *e = list->first; e; e = e->next) {
        double value;
        if (!base_json_double(e, &value) || value <= 0) return bad(report, key, "has an element that is not positive");
        out[i++] = (float)value;
    }
    return WISP_OK;
}

wisp_status hf_rope_factors(const hf_config *c, const char *name, float **factors, wisp_report *report)
{
    const bool llama3 = strcmp(name, "rope_freqs.weight") == 0;
    const char *type = rope_type(c);
    *factors = NULL;
    if (llama3 ? strcmp(type, "llama3") != 0 : !is_one_of(type, "longrope", "su")) return WISP_OK;
    float *out = base_calloc(c->rope_dims / 2, sizeof *out);
    if (!out) return base_fail(report, WISP_E_MEMORY, "out of memory");
    wisp_status status = llama3 ? llama3_factors(c, out, report)
                                : listed_factors(c, strstr(name, "long") ? "long_factor" : "short_factor", out, report);
    if (status)
        base_free(out);
    else
        *factors = out;
    return status;
}
