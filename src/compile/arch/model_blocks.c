#include "compile/arch/embedding_blocks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 96 };

/* ---- parameters ---- */

static void check_heads(compile_builder *b, const block_shape *s)
{
    if (b->status) return;
    if (s->heads % s->kv_heads || s->rope_dims % 2)
        compile_fail(b, WISP_E_INPUT, "impossible attention: %u heads, %u key/value heads, %u rotary dimensions",
                     (unsigned)s->heads, (unsigned)s->kv_heads, (unsigned)s->rope_dims);
}

static float read_epsilon(compile_builder *b)
{
    double rms = compile_float_or(b, "attention.layer_norm_rms_epsilon", 0);
    double epsilon = rms > 0 ? rms : compile_float_or(b, "attention.layer_norm_epsilon", 0);
    if (!b->status && !(epsilon > 0))
        compile_fail(b, WISP_E_INPUT, "attention.layer_norm_rms_epsilon is missing or not above 0");
    return (float)epsilon;
}

/* Of layers that may have none, the first one's that has. */
static uint32_t first_number(compile_builder *b, const char *key, uint32_t layers, uint32_t fallback)
{
    uint32_t n = 0;
    for (uint32_t i = 0; n == 0 && i < layers && !b->status; i++)
        n = compile_uint_at(b, key, i, fallback, 0, BLOCK_HEADS_MAX);
    return n;
}

/* The last layers may be there for predicting several tokens: they are not used. */
static uint32_t without_extra_layers(compile_builder *b, uint32_t layers)
{
    const uint32_t extra = compile_uint_or(b, "nextn_predict_layers", 0, 0, BLOCK_COUNT_MAX);
    if (!b->status && extra >= layers)
        compile_fail(b, WISP_E_INPUT, "key '%s.nextn_predict_layers': as many as there are layers", b->architecture);
    return b->status ? 0 : layers - extra;
}

block_shape block_read_mixed_shape(compile_builder *b)
{
    block_shape s = {0};
    s.width = compile_uint(b, "embedding_length", 1, BLOCK_WIDTH_MAX);
    s.layers = compile_uint(b, "block_count", 1, BLOCK_COUNT_MAX);
    s.ff_width = compile_uint_at(b, "feed_forward_length", 0, 0, 0, BLOCK_WIDTH_MAX);
    s.layers = without_extra_layers(b, s.layers);
    s.heads = first_number(b, "attention.head_count", s.layers, 0);
    s.kv_heads = first_number(b, "attention.head_count_kv", s.layers, s.heads);
    s.epsilon = read_epsilon(b);
    b->context_length = compile_uint(b, "context_length", 1, 1 << 30);
    b->embedding_length = s.width;
    b->block_count = s.layers;
    b->kv_heads = s.kv_heads;
    if (b->status || s.heads == 0 || s.kv_heads == 0) return s; /* without attention */
    if (!compile_has(b, "attention.key_length") && s.width % s.heads)
        compile_fail(b, WISP_E_INPUT, "key '%s.attention.head_count': %u heads do not divide %u", b->architecture,
                     (unsigned)s.heads, (unsigned)s.width);
    s.key_dim = compile_uint_or(b, "attention.key_length", s.width / s.heads, 1, BLOCK_HEAD_DIM_MAX);
    s.value_dim = compile_uint_or(b, "attention.value_length", s.key_dim, 1, BLOCK_HEAD_DIM_MAX);
    s.rope_dims = compile_uint_or(b, "rope.dimension_count", s.key_dim, 0, s.key_dim);
    check_heads(b, &s);
    return s;
}

block_shape block_read_shape(compile_builder *b)
{
    const block_shape s = block_read_mixed_shape(b);
    if (!b->status && (s.heads == 0 || s.kv_heads == 0))
        compile_fail(b, WISP_E_INPUT, "key '%s.attention.head_count': %u heads, %u key/value heads", b->architecture,
                     (unsigned)s.heads, (unsigned)s.kv_heads);
    return s;
}

/* An F32 cache only where no matrix is stored in less. */
static wisp_type cache_type(const compile_builder *b)
{
    for (uint64_t i = 0; i < b->gguf->tensor_count; i++)
        if (b->gguf->tensors[i].type != WISP_F32 && b->gguf->tensors[i].shape[1] > 1) return WISP_F16;
    return WISP_F32;
}

void blocks_open(blocks *k, compile_builder *b)
{
    *k = (blocks){.b = b, .rows = PROGRAM_TOKENS, .kv_type = cache_type(b)};
    k->bidirectional = b->whole = !compile_bool_or(b, "attention.causal", true);
    k->io = compile_declare_io(b);
}

uint64_t block_rows(const blocks *k, const char *format, uint32_t block)
{
    char name[NAME_BYTES];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, sizeof name, format, (unsigned)block);
#pragma GCC diagnostic pop
    const compile_gguf_tensor *t = compile_gguf_find_tensor(k->b->gguf, name);
    return t ? t->shape[1] : 0;
}

bool block_has(const blocks *k, const char *format, uint32_t block)
{
    return block_rows(k, format, block) > 0;
}

/* ---- views ---- */

wisp_view block_scratch(blocks *k, const char *name, uint32_t cols)
{
    uint32_t i = 0;
    if (k->b->status) return (wisp_view){0};
    while (i < k->scratch_count && strcmp(k->scratch[i].name, name) != 0)
        i++;
    BASE_ASSERT(i < BLOCK_SCRATCH_MAX);
    if (i == k->scratch_count) {
        k->scratch[k->scratch_count++].name = name;
        k->scratch[i].buffer = compile_scratch(k->b, cols);
    } else {
        program_buffer *buffer = &k->b->buffers[k->scratch[i].buffer - 1];
        if (buffer->per_token < (uint64_t)cols * 4) buffer->per_token = (uint64_t)cols * 4;
    }
    return compile_view(k->scratch[i].buffer, WISP_F32, k->rows, cols);
}

/* rows is a number, or a symbol with a factor in its lower bits: both are multiplied alike. */
wisp_view block_split(wisp_view v, uint32_t heads)
{
    if (heads == 0 || v.cols % heads != 0) return (wisp_view){0}; /* impossible sizes: no device takes such a command */
    BASE_ASSERT(v.stride == (uint64_t)v.cols * 4);
    const uint32_t kind = v.rows & ~PROGRAM_FACTOR_MASK, factor = v.rows & PROGRAM_FACTOR_MASK;
    v.rows = v.rows < PROGRAM_SYMBOL ? v.rows * heads : kind | factor * heads;
    v.cols /= heads;
    v.stride /= heads;
    return v;
}

wisp_view block_join(wisp_view v, uint32_t heads)
{
    const uint32_t kind = v.rows & ~PROGRAM_FACTOR_MASK, factor = v.rows & PROGRAM_FACTOR_MASK;
    v.rows = v.rows < PROGRAM_SYMBOL ? v.rows / heads : kind | factor / heads;
    v.cols *= heads;
    v.stride *= heads;
    return v;
}

wisp_view block_columns(wisp_view v, uint32_t first, uint32_t count)
{
    BASE_ASSERT(v.cols == 0 || (first <= v.cols && count <= v.cols - first));
    v.offset += (uint64_t)first * 4;
    v.cols = count;
    return v;
}

/* ---- input and output ---- */

wisp_view block_embed(blocks *k, uint32_t width)
{
    wisp_view x = block_scratch(k, "x", width);
    wisp_view w = compile_weight_view(k->b, COMPILE_ROWS, k->b->vocab_size, width, "token_embd.weight", 0);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_GET_ROWS, .view = {x, w, k->io.token_ids}});
    return x;
}

void block_add_positions(blocks *k, wisp_view x, uint32_t rows)
{
    wisp_view at = block_scratch(k, "positions", x.cols);
    wisp_view w = compile_weight_view(k->b, COMPILE_ROWS, rows, x.cols, "position_embd.weight", 0);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_GET_ROWS, .view = {at, w, k->io.positions}});
    block_add(k, x, x, at);
}

wisp_view block_keep(blocks *k, wisp_view v, const char *name)
{
    k->rows = PROGRAM_OUTPUTS;
    wisp_view kept = block_scratch(k, name, v.cols);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_GET_ROWS, .view = {kept, v, k->io.out_rows}});
    return kept;
}

void block_logits(blocks *k, wisp_view x, float scale, float softcap)
{
    block_embedding(k, x, &(block_classifier){.from = PROGRAM_POOL_LAST, .softmax = true});
    if (k->bidirectional || k->b->status) return; /* a text is not continued by what has seen its end */
    const wisp_view logits = compile_declare_logits(k->b), argmax = compile_declare_argmax(k->b);
    if (compile_exists(k->b, "output.weight")) {
        block_linear(k, logits, x, "output", 0);
    } else {
        wisp_view w = compile_weight_view(k->b, COMPILE_MATMUL, logits.cols, x.cols, "token_embd.weight", 0);
        wisp_view bias = compile_weight_optional(k->b, COMPILE_VECTOR, 1, logits.cols, "output.bias", 0);
        compile_emit(k->b, (wisp_cmd){.op = WISP_OP_MATMUL, .view = {logits, x, w, bias}});
    }
    block_scale(k, logits, scale);
    if (softcap != 0) block_softcap(k, logits, softcap);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_ARGMAX, .view = {argmax, logits}});
}

/* ---- norms, products, elementwise ---- */

static const char *with(char out[NAME_BYTES], const char *name, const char *suffix)
{
    snprintf(out, NAME_BYTES, "%s%s", name, suffix);
    return out;
}

static void emit_norm(blocks *k, block_norm_kind kind, float eps, wisp_view y, wisp_view x, wisp_view w, wisp_view bias)
{
    wisp_cmd cmd = {.op = WISP_OP_RMS_NORM, .param = {{.f = eps}}, .view = {y, x, w}};
    if (kind == BLOCK_LAYER) {
        cmd.op = WISP_OP_LAYER_NORM;
        cmd.view[3] = bias;
    }
    compile_emit(k->b, cmd);
    if (kind == BLOCK_RMS && bias.buffer) block_add(k, y, y, bias);
}

void block_norm_heads(blocks *k, block_norm_kind kind, float eps, wisp_view y, wisp_view x, uint32_t heads,
                      const char *name, uint32_t block)
{
    char full[NAME_BYTES];
    wisp_view w = compile_weight_view(k->b, COMPILE_VECTOR, heads, x.cols, with(full, name, ".weight"), block);
    wisp_view bias = compile_weight_optional(k->b, COMPILE_VECTOR, heads, x.cols, with(full, name, ".bias"), block);
    emit_norm(k, kind, eps, y, x, w, bias);
}

void block_norm(blocks *k, block_norm_kind kind, float eps, wisp_view y, wisp_view x, const char *name, uint32_t block)
{
    block_norm_heads(k, kind, eps, y, x, 1, name, block);
}

void block_norm_plain(blocks *k, block_norm_kind kind, float eps, wisp_view y, wisp_view x)
{
    emit_norm(k, kind, eps, y, x, (wisp_view){0}, (wisp_view){0});
}

void block_linear(blocks *k, wisp_view y, wisp_view x, const char *name, uint32_t block)
{
    char full[NAME_BYTES];
    wisp_view w = compile_weight_view(k->b, COMPILE_MATMUL, y.cols, x.cols, with(full, name, ".weight"), block);
    wisp_view bias = compile_weight_optional(k->b, COMPILE_VECTOR, 1, y.cols, with(full, name, ".bias"), block);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_MATMUL, .view = {y, x, w, bias}});
}

void block_linear_slice(blocks *k, wisp_view y, wisp_view x, uint32_t first, uint32_t total, const char *name,
                        uint32_t block)
{
    char full[NAME_BYTES];
    wisp_view w = compile_weight_slice(k->b, first, y.cols, total, x.cols, with(full, name, ".weight"), block);
    wisp_view bias = compile_weight_optional(k->b, COMPILE_VECTOR, 1, total, with(full, name, ".bias"), block);
    if (bias.buffer) bias = block_columns(bias, first, y.cols);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_MATMUL, .view = {y, x, w, bias}});
}

void block_add(blocks *k, wisp_view y, wisp_view a, wisp_view b)
{
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_ADD, .view = {y, a, b}});
}

void block_mul(blocks *k, wisp_view y, wisp_view a, wisp_view b)
{
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_MUL, .view = {y, a, b}});
}

void block_scale(blocks *k, wisp_view x, float scale)
{
    if (scale != 1) compile_emit(k->b, (wisp_cmd){.op = WISP_OP_AFFINE, .param = {{.f = scale}}, .view = {x, x}});
}

void block_copy(blocks *k, wisp_view y, wisp_view x)
{
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_COPY, .view = {y, x}});
}

void block_act(blocks *k, wisp_view x, wisp_act kind)
{
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_UNARY, .param = {{.u = kind}}, .view = {x, x}});
}

void block_glu(blocks *k, wisp_view g, wisp_view u, wisp_act kind)
{
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_GLU, .param = {{.u = kind}}, .view = {g, g, u}});
}

void block_softcap(blocks *k, wisp_view x, float cap)
{
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_UNARY, .param = {{.u = WISP_ACT_SOFTCAP}, {.f = cap}}, .view = {x, x}});
}

/* ---- attention ---- */

wisp_view block_angles(blocks *k, const char *name, wisp_view frequencies, float scale)
{
    wisp_view angles = block_scratch(k, name, 2 * frequencies.cols);
    compile_emit(
        k->b,
        (wisp_cmd){.op = WISP_OP_ROPE_TABLE, .param = {{.f = scale}}, .view = {angles, k->io.positions, frequencies}});
    return angles;
}

wisp_view block_rope_angles(blocks *k, uint32_t dims)
{
    float scale = 1;
    uint32_t original = 0;
    wisp_view frequencies = compile_rope_frequencies(k->b, dims, &scale);
    const wisp_view of_long = compile_rope_long(k->b, dims, &original);
    wisp_view angles = block_angles(k, "angles", frequencies, scale);
    if (!of_long.buffer || k->b->status) return angles;
    k->b->cmds[k->b->cmd_count - 1].reserved = PROGRAM_UP_TO | original;
    angles = block_angles(k, "angles", of_long, scale);
    if (!k->b->status) k->b->cmds[k->b->cmd_count - 1].reserved = PROGRAM_ABOVE | original;
    return angles;
}

void block_rope(blocks *k, wisp_view x, uint32_t heads, wisp_view angles, bool halves)
{
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_ROPE, .param = {{.u = heads}, {.u = halves}}, .view = {x, x, angles}});
}

static void add_bias(blocks *k, wisp_view x, const char *name, uint32_t block)
{
    const wisp_view bias = compile_weight_optional(k->b, COMPILE_VECTOR, 1, x.cols, name, block);
    if (bias.buffer) block_add(k, x, x, bias);
}

void block_qkv(blocks *k, wisp_view q, wisp_view key, wisp_view value, wisp_view x, uint32_t block)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "blk.%u.attn_qkv.weight", (unsigned)block);
    if (!compile_exists(k->b, name)) {
        block_linear(k, q, x, "blk.%u.attn_q", block);
        block_linear(k, key, x, "blk.%u.attn_k", block);
        block_linear(k, value, x, "blk.%u.attn_v", block);
        return;
    }
    const uint32_t total = q.cols + key.cols + value.cols;
    block_linear_slice(k, q, x, 0, total, "blk.%u.attn_qkv", block);
    block_linear_slice(k, key, x, q.cols, total, "blk.%u.attn_qkv", block);
    block_linear_slice(k, value, x, q.cols + key.cols, total, "blk.%u.attn_qkv", block);
    add_bias(k, q, "blk.%u.attn_q.bias", block); /* some files have one matrix and three biases */
    add_bias(k, key, "blk.%u.attn_k.bias", block);
    add_bias(k, value, "blk.%u.attn_v.bias", block);
}

uint32_t block_window(compile_builder *b, uint32_t layer, uint32_t pattern, uint32_t fallback)
{
    const uint32_t window = compile_uint_or(b, "attention.sliding_window", fallback, 0, 1 << 30);
    const char *key = "attention.sliding_window_pattern";
    if (window == 0 || b->status) return 0;
    if (compile_is_array(b, key)) return compile_uint_at(b, key, layer, 0, 0, 1) ? window : 0;
    pattern = compile_uint_or(b, key, pattern, 0, BLOCK_COUNT_MAX);
    return pattern && layer % pattern < pattern - 1 ? window : 0;
}

wisp_view block_one_cache(blocks *k, uint32_t kv_heads, uint32_t dim)
{
    const uint64_t row = (uint64_t)dim * (k->kv_type == WISP_F32 ? 4 : 2);
    const program_buffer size = {.role = PROGRAM_ROLE_KV, .per_page = WISP_KV_PAGE * kv_heads * row};
    return compile_view(compile_buffer(k->b, size), k->kv_type, PROGRAM_SIZE(PROGRAM_SIZE_KV, kv_heads), dim);
}

block_cache block_kv_cache(blocks *k, uint32_t kv_heads, uint32_t key_dim, uint32_t value_dim)
{
    if (k->b->kv_heads < kv_heads) k->b->kv_heads = kv_heads;
    const wisp_view keys = block_one_cache(k, kv_heads, key_dim);
    return (block_cache){keys, block_one_cache(k, kv_heads, value_dim)};
}

void block_kv_write(blocks *k, wisp_view cache, wisp_view x, uint32_t kv_heads)
{
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_KV_WRITE,
                                  .param = {{.u = kv_heads}},
                                  .view = {cache, x, k->io.positions, k->io.seqs, k->io.pages}});
}

void block_attend(blocks *k, wisp_view y, wisp_view q, block_cache cache, const block_attention *a)
{
    const bool looks_ahead = a->mode == WISP_ATTEND_ALL || a->mode == WISP_ATTEND_SYMMETRIC;
    wisp_attend mode = a->mode;
    if (k->bidirectional && mode == WISP_ATTEND_CAUSAL && a->window == 0)
        mode = WISP_ATTEND_ALL;
    else if (k->bidirectional != looks_ahead)
        compile_fail(k->b, WISP_E_UNSUPPORTED, "key '%s.attention.causal': %s with this family's window",
                     k->b->architecture, k->bidirectional ? "false" : "true");
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_ATTENTION,
                                  .param = {{.u = a->heads},
                                            {.u = a->kv_heads},
                                            {.f = a->scale},
                                            {.f = a->softcap},
                                            {.u = a->window},
                                            {.u = mode}},
                                  .view = {y, q, cache.keys, cache.values, k->io.positions, k->io.seqs, k->io.pages,
                                           a->sinks, a->slopes}});
}

static block_cache cache_of_layer(blocks *k, uint32_t kv_heads, uint32_t key_dim, uint32_t value_dim)
{
    const uint32_t rows = PROGRAM_SIZE(PROGRAM_SIZE_KV, kv_heads);
    const block_cache shared = {k->shared_keys, k->shared_values};
    if (shared.keys.rows == rows && shared.keys.cols == key_dim && shared.values.cols == value_dim) return shared;
    const block_cache made = block_kv_cache(k, kv_heads, key_dim, value_dim);
    if (k->bidirectional) {
        k->shared_keys = made.keys;
        k->shared_values = made.values;
    }
    return made;
}

void block_self_attention(blocks *k, wisp_view y, wisp_view q, wisp_view key, wisp_view value, const block_attention *a)
{
    if (k->b->status) return;
    const block_cache cache = cache_of_layer(k, a->kv_heads, key.cols / a->kv_heads, value.cols / a->kv_heads);
    block_kv_write(k, cache.keys, key, a->kv_heads);
    block_kv_write(k, cache.values, value, a->kv_heads);
    block_attend(k, y, q, cache, a);
}

/* arXiv 2108.12409: a geometric sequence from 2^(-max/n) for n heads, n a power of two; the rest from in between. */
wisp_view block_alibi_slopes(blocks *k, uint32_t heads, float bias_max)
{
    float *slopes = compile_keep(k->b, heads * sizeof *slopes);
    if (!slopes) return (wisp_view){0};
    uint32_t whole = 1;
    while (whole * 2 <= heads)
        whole *= 2;
    for (uint32_t h = 0; h < heads; h++)
        slopes[h] = (float)(h < whole ? pow(2, -(double)bias_max / whole * (h + 1))
                                      : pow(2, -(double)bias_max / 2 / whole * (2 * (h - whole) + 1)));
    return compile_weight_made(k->b, "wisp.alibi_slopes", WISP_F32, slopes, heads);
}

/* ---- feed-forward ---- */

void block_ffn_gated(blocks *k, wisp_view y, wisp_view x, uint32_t ff_width, wisp_act kind, uint32_t block)
{
    wisp_view gate = block_scratch(k, "gate", ff_width), up = block_scratch(k, "up", ff_width);
    block_linear(k, gate, x, "blk.%u.ffn_gate", block);
    block_linear(k, up, x, "blk.%u.ffn_up", block);
    block_glu(k, gate, up, kind);
    block_linear(k, y, gate, "blk.%u.ffn_down", block);
}

void block_ffn_fused(blocks *k, wisp_view y, wisp_view x, uint32_t ff_width, wisp_act kind, uint32_t block)
{
    wisp_view gate = block_scratch(k, "gate", ff_width), up = block_scratch(k, "up", ff_width);
    block_linear_slice(k, gate, x, 0, 2 * ff_width, "blk.%u.ffn_up", block);
    block_linear_slice(k, up, x, ff_width, 2 * ff_width, "blk.%u.ffn_up", block);
    block_glu(k, gate, up, kind);
    block_linear(k, y, gate, "blk.%u.ffn_down", block);
}

void block_ffn_plain(blocks *k, wisp_view y, wisp_view x, uint32_t ff_width, wisp_act kind, uint32_t block)
{
    wisp_view up = block_scratch(k, "up", ff_width);
    block_linear(k, up, x, "blk.%u.ffn_up", block);
    block_act(k, up, kind);
    block_linear(k, y, up, "blk.%u.ffn_down", block);
}
