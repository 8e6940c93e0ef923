/* The Llama family: RMS norm, grouped-query attention with interleaved rotary pairs, gated SiLU feed-forward.
 *
 * Details that have caused bugs: GGUF's converter permutes Q and K so that pairs are (2i, 2i+1); head size comes from
 * attention.key_length where it is there, not from embedding / heads; rope.dimension_count may be less than it; a model
 * without output.weight multiplies with token_embd.weight.
 */
#include <math.h>

#include "compile/arch/arch.h"

enum { WIDTH_MAX = 1 << 20, HEADS_MAX = 4096, BLOCKS_MAX = 1024, CONTEXT_MAX = 1 << 30 };

typedef struct llama {
    compile_builder *b;
    compile_io io;
    uint32_t width, ff_width, heads, kv_heads, head_dim, rope_dim, blocks, vocab;
    float epsilon, attention_scale;
    wisp_type kv_type;
    wisp_view angles; /* sines and cosines of this step: f32[n, rope_dim] */
    /* Scratch, one row a token: the residual stream, its norm (and what attention and feed-forward give back), q (and
     * the attention's projection), k, v, the two halves of the feed-forward. */
    uint32_t x, h, q, k, v, gate, up;
} llama;

static void read_parameters(llama *m)
{
    compile_builder *b = m->b;
    m->width = compile_uint(b, "embedding_length", 1, WIDTH_MAX);
    m->ff_width = compile_uint(b, "feed_forward_length", 1, WIDTH_MAX);
    m->blocks = compile_uint(b, "block_count", 1, BLOCKS_MAX);
    m->heads = compile_uint(b, "attention.head_count", 1, HEADS_MAX);
    m->kv_heads = compile_uint_or(b, "attention.head_count_kv", m->heads, 1, HEADS_MAX);
    m->epsilon = (float)compile_float_or(b, "attention.layer_norm_rms_epsilon", 0);
    uint32_t context = compile_uint(b, "context_length", 1, CONTEXT_MAX);
    if (b->status) return;
    bool given = compile_has(b, "attention.key_length");
    if (!given && m->width % m->heads)
        return compile_fail(b, WISP_E_INPUT, "key 'llama.attention.head_count': %u heads do not divide %u",
                            (unsigned)m->heads, (unsigned)m->width);
    m->head_dim = compile_uint_or(b, "attention.key_length", m->width / m->heads, 1, 65536 / 4);
    uint32_t value_dim = compile_uint_or(b, "attention.value_length", m->head_dim, 1, 65536 / 4);
    m->rope_dim = compile_uint_or(b, "rope.dimension_count", m->head_dim, 2, m->head_dim);
    if (b->status) return;
    if (value_dim != m->head_dim)
        return compile_fail(b, WISP_E_UNSUPPORTED, "keys of %u and values of %u elements", (unsigned)m->head_dim,
                            (unsigned)value_dim);
    if (!(m->epsilon > 0))
        return compile_fail(b, WISP_E_INPUT, "attention.layer_norm_rms_epsilon is missing or not above 0");
    if (m->heads % m->kv_heads || m->rope_dim % 2)
        return compile_fail(b, WISP_E_INPUT, "impossible attention: %u heads, %u key/value heads, %u rotary dimensions",
                            (unsigned)m->heads, (unsigned)m->kv_heads, (unsigned)m->rope_dim);
    m->attention_scale = (float)(1 / sqrt((double)m->head_dim));
    b->context_length = context;
    b->embedding_length = m->width;
    b->block_count = m->blocks;
    b->kv_heads = m->kv_heads;
}

static void refuse_other_kinds(compile_builder *b)
{
    if (compile_uint_or(b, "expert_count", 0, 0, UINT32_MAX) || compile_exists(b, "blk.0.ffn_gate_inp.weight"))
        compile_fail(b, WISP_E_UNSUPPORTED, "a mixture of experts is not supported yet");
}

static wisp_view rows_of(uint32_t buffer, uint32_t rows, uint32_t cols)
{
    return compile_view(buffer, WISP_F32, rows, cols);
}

static wisp_view tokens(uint32_t buffer, uint32_t cols)
{
    return rows_of(buffer, PROGRAM_TOKENS, cols);
}

static void emit_norm(llama *m, wisp_view out, wisp_view in, const char *name, uint32_t block)
{
    wisp_view w = compile_weight_view(m->b, COMPILE_VECTOR, 1, m->width, name, block);
    compile_emit(m->b, (wisp_cmd){.op = WISP_OP_RMS_NORM, .param = {{.f = m->epsilon}}, .view = {out, in, w}});
}

/* "blk.%u.attn_q" has a weight and perhaps a bias. */
static void emit_linear(llama *m, wisp_view out, wisp_view in, const char *weight, const char *bias, uint32_t block)
{
    wisp_view w = compile_weight_view(m->b, COMPILE_MATMUL, out.cols, in.cols, weight, block);
    wisp_view bias_view = compile_weight_optional(m->b, COMPILE_VECTOR, 1, out.cols, bias, block);
    compile_emit(m->b, (wisp_cmd){.op = WISP_OP_MATMUL, .view = {out, in, w, bias_view}});
}
#define LINEAR(m, out, in, name, block) emit_linear(m, out, in, name ".weight", name ".bias", block)

static void emit_rope(llama *m, wisp_view x, uint32_t heads)
{
    compile_emit(m->b, (wisp_cmd){.op = WISP_OP_ROPE, .param = {{.u = heads}, {.u = 0}}, .view = {x, x, m->angles}});
}

/* One cache of a block: rows of a head each, page after page. */
static wisp_view kv_cache(llama *m)
{
    uint64_t row = (uint64_t)m->head_dim * (m->kv_type == WISP_F32 ? 4 : 2);
    uint32_t buffer =
        compile_buffer(m->b, (program_buffer){.role = PROGRAM_ROLE_KV, .per_page = WISP_KV_PAGE * m->kv_heads * row});
    return compile_view(buffer, m->kv_type, PROGRAM_KV_ROWS, m->head_dim);
}

static void emit_kv_write(llama *m, wisp_view cache, wisp_view x)
{
    compile_emit(m->b, (wisp_cmd){.op = WISP_OP_KV_WRITE,
                                  .param = {{.u = m->kv_heads}},
                                  .view = {cache, x, m->io.positions, m->io.seqs, m->io.pages}});
}

/* x's norm in h -> attention in h. */
static void emit_attention(llama *m, uint32_t block)
{
    wisp_view h = tokens(m->h, m->width), q = tokens(m->q, m->heads * m->head_dim);
    wisp_view k = tokens(m->k, m->kv_heads * m->head_dim), v = tokens(m->v, m->kv_heads * m->head_dim);
    wisp_view keys = kv_cache(m), values = kv_cache(m);
    emit_norm(m, h, tokens(m->x, m->width), "blk.%u.attn_norm.weight", block);
    LINEAR(m, q, h, "blk.%u.attn_q", block);
    LINEAR(m, k, h, "blk.%u.attn_k", block);
    LINEAR(m, v, h, "blk.%u.attn_v", block);
    emit_rope(m, q, m->heads);
    emit_rope(m, k, m->kv_heads);
    emit_kv_write(m, keys, k);
    emit_kv_write(m, values, v);
    compile_emit(m->b, (wisp_cmd){.op = WISP_OP_ATTENTION,
                                  .param = {{.u = m->heads}, {.u = m->kv_heads}, {.f = m->attention_scale}},
                                  .view = {tokens(m->h, m->heads * m->head_dim), q, keys, values, m->io.positions,
                                           m->io.seqs, m->io.pages}});
}

/* After the last attention only the rows whose logits are wanted go on: the same numbers, less work in a long prompt.
 * They move to the buffers of q (the stream) and gate (the attention's result), which are free by then. */
static void keep_wanted_rows(llama *m)
{
    uint32_t attended = m->heads * m->head_dim;
    wisp_view x = rows_of(m->q, PROGRAM_OUTPUTS, m->width), h = rows_of(m->gate, PROGRAM_OUTPUTS, attended);
    compile_emit(m->b, (wisp_cmd){.op = WISP_OP_GET_ROWS, .view = {x, tokens(m->x, m->width), m->io.out_rows}});
    compile_emit(m->b, (wisp_cmd){.op = WISP_OP_GET_ROWS, .view = {h, tokens(m->h, attended), m->io.out_rows}});
    uint32_t stream = m->q;
    m->q = m->x;
    m->x = stream;
    uint32_t result = m->gate;
    m->gate = m->h;
    m->h = result;
}

static void emit_feed_forward(llama *m, uint32_t rows, uint32_t block)
{
    wisp_view x = rows_of(m->x, rows, m->width), h = rows_of(m->h, rows, m->width);
    wisp_view gate = rows_of(m->gate, rows, m->ff_width), up = rows_of(m->up, rows, m->ff_width);
    emit_norm(m, h, x, "blk.%u.ffn_norm.weight", block);
    LINEAR(m, gate, h, "blk.%u.ffn_gate", block);
    LINEAR(m, up, h, "blk.%u.ffn_up", block);
    compile_emit(m->b, (wisp_cmd){.op = WISP_OP_SILU_MUL, .view = {gate, gate, up}});
    LINEAR(m, h, gate, "blk.%u.ffn_down", block);
    compile_emit(m->b, (wisp_cmd){.op = WISP_OP_ADD, .view = {x, x, h}});
}

static void emit_block(llama *m, uint32_t block)
{
    emit_attention(m, block);
    uint32_t rows = PROGRAM_TOKENS;
    if (block + 1 == m->blocks) {
        keep_wanted_rows(m);
        rows = PROGRAM_OUTPUTS;
    }
    wisp_view x = rows_of(m->x, rows, m->width), attended = rows_of(m->h, rows, m->heads * m->head_dim);
    wisp_view projected = rows_of(m->q, rows, m->width);
    LINEAR(m, projected, attended, "blk.%u.attn_output", block);
    compile_emit(m->b, (wisp_cmd){.op = WISP_OP_ADD, .view = {x, x, projected}});
    emit_feed_forward(m, rows, block);
}

static void emit_logits(llama *m)
{
    compile_builder *b = m->b;
    bool tied = !compile_exists(b, "output.weight");
    wisp_view x = rows_of(m->x, PROGRAM_OUTPUTS, m->width), h = rows_of(m->h, PROGRAM_OUTPUTS, m->width);
    emit_norm(m, h, x, "output_norm.weight", 0);
    emit_linear(m, m->io.logits, h, tied ? "token_embd.weight" : "output.weight", "output.bias", 0);
    compile_emit(b, (wisp_cmd){.op = WISP_OP_ARGMAX, .view = {m->io.argmax, m->io.logits}});
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void declare_scratch(llama *m)
{
    compile_builder *b = m->b;
    uint32_t attended = m->heads * m->head_dim, wide = larger(m->width, attended);
    m->x = compile_scratch(b, wide);
    m->h = compile_scratch(b, larger(wide, m->ff_width)); /* also the gate of the last block */
    m->q = compile_scratch(b, wide);
    m->k = compile_scratch(b, m->kv_heads * m->head_dim);
    m->v = compile_scratch(b, m->kv_heads * m->head_dim);
    m->gate = compile_scratch(b, larger(wide, m->ff_width));
    m->up = compile_scratch(b, m->ff_width);
}

static void build(compile_builder *b)
{
    llama m = {.b = b, .vocab = b->vocab_size};
    refuse_other_kinds(b);
    read_parameters(&m);
    if (b->status) return;
    m.kv_type = compile_type_of(b, "blk.0.attn_q.weight") == WISP_F32 ? WISP_F32 : WISP_F16;
    m.io = compile_declare_io(b, m.vocab);
    declare_scratch(&m);
    float scale = 1;
    wisp_view frequencies = compile_rope_frequencies(b, m.rope_dim, &scale);
    m.angles = tokens(compile_scratch(b, m.rope_dim), m.rope_dim);
    compile_emit(
        b,
        (wisp_cmd){.op = WISP_OP_ROPE_TABLE, .param = {{.f = scale}}, .view = {m.angles, m.io.positions, frequencies}});
    wisp_view embeddings = compile_weight_view(b, COMPILE_ROWS, m.vocab, m.width, "token_embd.weight", 0);
    compile_emit(b, (wisp_cmd){.op = WISP_OP_GET_ROWS, .view = {tokens(m.x, m.width), embeddings, m.io.token_ids}});
    for (uint32_t i = 0; i < m.blocks && !b->status; i++)
        emit_block(&m, i);
    emit_logits(&m);
}

const compile_arch compile_arch_llama = {"llama", build};
