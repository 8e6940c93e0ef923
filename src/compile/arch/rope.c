/* Rotary positions: every known scaling rule folded into one table of angles, in double precision. */
#include <math.h>
#include <string.h>

#include "compile/arch/arch.h"

typedef struct yarn {
    double low, high; /* pairs before `low` keep their angle, pairs from `high` on are interpolated */
} yarn;

/* YaRN (arXiv 2309.00071, §3.2): the pair that turns `turns` times over the original context. */
static double pair_of(double turns, uint32_t dims, double base, double context)
{
    return dims * log(context / (turns * 2 * M_PI)) / (2 * log(base));
}

static yarn read_yarn(compile_builder *b, uint32_t dims, double base)
{
    uint32_t context = compile_uint_or(b, "context_length", 0, 0, UINT32_MAX);
    context = compile_uint_or(b, "rope.scaling.original_context_length", context, 1, UINT32_MAX);
    double fast = compile_float_or(b, "rope.scaling.yarn_beta_fast", 32);
    double slow = compile_float_or(b, "rope.scaling.yarn_beta_slow", 1);
    if (!b->status && (fast <= 0 || slow <= 0 || base <= 1))
        compile_fail(b, WISP_E_INPUT, "key '%s.rope.scaling': impossible YaRN parameters", b->architecture);
    if (b->status) return (yarn){0};
    double low = floor(pair_of(fast, dims, base, context)), high = ceil(pair_of(slow, dims, base, context));
    return (yarn){fmax(low, 0), fmin(high, dims - 1)};
}

/* How much of a pair's angle is kept, in [0, 1]. */
static double kept_part(const yarn *y, uint32_t pair)
{
    return 1 - fmin(1, fmax(0, (pair - y->low) / fmax(0.001, y->high - y->low)));
}

/* Divisors of the angles: "llama3" scaling comes as rope_freqs, "longrope" as two sets, of which the short one is for
 * contexts of no more than rope.scaling.original_context_length. */
static void apply_factors(compile_builder *b, const char *name, double *angles, uint32_t pairs)
{
    wisp_view factors = compile_weight_optional(b, COMPILE_VECTOR, 1, pairs, name, 0);
    const compile_gguf_tensor *t = factors.buffer ? compile_gguf_find_tensor(b->gguf, name) : NULL;
    if (!t) return;
    if (t->type != WISP_F32) return compile_fail(b, WISP_E_UNSUPPORTED, "tensor '%s': F32 expected", name);
    const uint8_t *bytes = compile_tensor_bytes(b, t);
    for (uint32_t i = 0; bytes && i < pairs; i++) {
        float f;
        memcpy(&f, bytes + 4 * (size_t)i, sizeof f);
        if (!isfinite(f) || f <= 0)
            return compile_fail(b, WISP_E_INPUT, "tensor '%s': element %u is not a positive number", name, (unsigned)i);
        angles[i] /= (double)f;
    }
}

static bool is(base_span text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* The scaling factor, 1 for none; older files say rope.scale_linear. */
static double read_factor(compile_builder *b, bool *is_yarn)
{
    base_span type = compile_string_or(b, "rope.scaling.type", "linear");
    double factor = compile_float_or(b, "rope.scaling.factor", compile_float_or(b, "rope.scale_linear", 1));
    *is_yarn = is(type, "yarn");
    if (is(type, "none") || factor == 0) {
        *is_yarn = false;
        return 1;
    }
    if (!is(type, "linear") && !is(type, "longrope") && !*is_yarn)
        compile_fail(b, WISP_E_UNSUPPORTED, "key '%s.rope.scaling.type': '%.*s' is not supported", b->architecture,
                     (int)(type.size < 40 ? type.size : 40), (const char *)type.data);
    if (factor < 0) compile_fail(b, WISP_E_INPUT, "key '%s.rope.scaling.factor': negative", b->architecture);
    return factor;
}

/* What sine and cosine are multiplied by. With yarn_log_multiplier YaRN's part is less; models with latent attention
 * have all of it in attention's scale then. */
static double magnitude(compile_builder *b, bool is_yarn, double factor)
{
    const double given = compile_float_or(b, "rope.scaling.attn_factor", 1);
    const double multiplier = compile_float_or(b, "rope.scaling.yarn_log_multiplier", 0);
    if (!is_yarn || factor <= 1 || (multiplier != 0 && compile_has(b, "attention.kv_lora_rank"))) return given;
    return given * (1 + 0.1 * log(factor)) / (1 + 0.1 * multiplier * log(factor));
}

static wisp_view frequencies(compile_builder *b, uint32_t dims, const char *factors, const char *name, float *scale)
{
    bool is_yarn;
    double base = compile_float_or(b, "rope.freq_base", 10000), factor = read_factor(b, &is_yarn);
    const double alpha = compile_float_or(b, "rope.scaling.alpha", 0);
    yarn y = {0};
    if (!b->status && (base <= 0 || !isfinite(base)))
        compile_fail(b, WISP_E_INPUT, "key '%s.rope.freq_base': not positive", b->architecture);
    if (!b->status && dims < 2) compile_fail(b, WISP_E_INPUT, "key '%s.rope.dimension_count': none", b->architecture);
    if (alpha > 0 && dims > 2) base *= pow(alpha, (double)dims / (dims - 2)); /* NTK */
    if (is_yarn) y = read_yarn(b, dims, base);
    double *angles = compile_keep(b, dims / 2 * sizeof *angles);
    if (!angles) return (wisp_view){0};
    for (uint32_t i = 0; i < dims / 2; i++)
        angles[i] = pow(base, -2.0 * i / dims);
    apply_factors(b, factors, angles, dims / 2);
    for (uint32_t i = 0; i < dims / 2; i++) {
        double kept = is_yarn ? kept_part(&y, i) : 0;
        angles[i] = angles[i] / factor * (1 - kept) + angles[i] * kept;
    }
    *scale = (float)magnitude(b, is_yarn, factor);
    return compile_weight_made(b, name, WISP_F64, angles, dims / 2);
}

wisp_view compile_rope_frequencies(compile_builder *b, uint32_t dims, float *scale)
{
    const bool one = compile_exists(b, "rope_freqs.weight");
    return frequencies(b, dims, one ? "rope_freqs.weight" : "rope_factors_short.weight", "wisp.rope_freqs", scale);
}

wisp_view compile_rope_long(compile_builder *b, uint32_t dims, uint32_t *original)
{
    float scale;
    const char *const factors = "rope_factors_long.weight";
    if (b->status || !compile_exists(b, factors) || compile_exists(b, "rope_freqs.weight")) return (wisp_view){0};
    *original = compile_uint_or(b, "context_length", 0, 0, UINT32_MAX);
    *original = compile_uint_or(b, "rope.scaling.original_context_length", *original, 1, UINT32_MAX);
    if (*original > ~PROGRAM_WHEN_MASK) return (wisp_view){0}; /* no context is above it */
    return frequencies(b, dims, factors, "wisp.rope_freqs.long", &scale);
}

wisp_view compile_rope_plain(compile_builder *b, const char *name, uint32_t dims, double base, double factor)
{
    if (!b->status && dims < 2) compile_fail(b, WISP_E_INPUT, "key '%s.rope.dimension_count': none", b->architecture);
    double *angles = compile_keep(b, dims / 2 * sizeof *angles);
    if (!b->status && (base <= 0 || factor <= 0))
        compile_fail(b, WISP_E_INPUT, "key '%s.rope.freq_base': not positive", b->architecture);
    if (b->status) return (wisp_view){0};
    for (uint32_t i = 0; i < dims / 2; i++)
        angles[i] = pow(base, -2.0 * i / dims) / factor;
    return compile_weight_made(b, name, WISP_F64, angles, dims / 2);
}
