#include "compile/arch/embedding_blocks.h"

#include <stdio.h>

enum { TYPES_MAX = 1 << 16, LABELS_MAX = 1 << 16 };

void block_open_encoder(blocks *k, compile_builder *b)
{
    blocks_open(k, b);
    k->bidirectional = b->whole = true;
}

/* ---- vectors and heads ---- */

wisp_view block_head_begin(blocks *k)
{
    compile_builder *b = k->b;
    const uint64_t bytes = (uint64_t)b->embedding_length * 4;
    k->rows = PROGRAM_POOLED;
    return compile_view(compile_buffer(b, (program_buffer){.role = PROGRAM_ROLE_POOLED, .per_seq = bytes}), WISP_F32,
                        PROGRAM_POOLED, b->embedding_length);
}

void block_head_end(blocks *k, wisp_view x)
{
    const uint64_t bytes = (uint64_t)x.cols * 4;
    k->b->vector_length = x.cols;
    block_copy(k,
               compile_view(compile_buffer(k->b, (program_buffer){.role = PROGRAM_ROLE_VECTOR, .per_seq = bytes}),
                            WISP_F32, PROGRAM_POOLED, x.cols),
               x);
}

/* One score without classifier.output_labels. */
static uint32_t label_count(compile_builder *b)
{
    char key[96];
    snprintf(key, sizeof key, "%s.classifier.output_labels", b->architecture);
    const compile_gguf_kv *kv = compile_gguf_find(b->gguf, key);
    const uint64_t count = kv && kv->type == GGUF_ARRAY ? kv->count : 0;
    if (count > LABELS_MAX) compile_fail(b, WISP_E_INPUT, "key '%s': too many labels", key);
    return count ? (uint32_t)count : 1;
}

static void classify(blocks *k, const block_classifier *c)
{
    compile_builder *b = k->b;
    const bool hidden = compile_exists(b, "cls.weight"), output = compile_exists(b, "cls.output.weight");
    if (!hidden && !output)
        compile_fail(b, WISP_E_INPUT,
                     "key '%s.pooling_type': scores are wanted, but there is neither tensor "
                     "'cls.weight' nor 'cls.output.weight'",
                     b->architecture);
    if (b->status) return;
    b->rank_pooling = c->from;
    wisp_view x = block_head_begin(k);
    if (hidden) {
        const wisp_view h = block_scratch(k, "classifier", c->hidden ? c->hidden : x.cols);
        block_linear(k, h, x, "cls", 0);
        block_act(k, h, c->act);
        if (compile_exists(b, "cls.norm.weight")) block_norm(k, BLOCK_LAYER, c->epsilon, h, h, "cls.norm", 0);
        x = h;
    }
    if (output) {
        const wisp_view scores = block_scratch(k, "scores", label_count(b));
        block_linear(k, scores, x, "cls.output", 0);
        if (c->softmax) compile_emit(b, (wisp_cmd){.op = WISP_OP_SOFTMAX, .view = {scores, scores}});
        x = scores;
    }
    block_head_end(k, x);
}

void block_embedding(blocks *k, wisp_view x, const block_classifier *c)
{
    compile_builder *b = k->b;
    b->pooling =
        compile_uint_or(b, "pooling_type", b->whole ? PROGRAM_POOL_MEAN : PROGRAM_POOL_LAST, 0, PROGRAM_POOLINGS - 1);
    if (b->status) return;
    BASE_ASSERT(x.offset == 0 && x.cols == b->embedding_length);
    b->buffers[x.buffer - 1].role = PROGRAM_ROLE_EMBEDDING;
    if (b->pooling != PROGRAM_POOL_RANK) return;
    const uint32_t rows = k->rows;
    classify(k, c);
    k->rows = rows;
}

/* ---- layers ---- */

void block_add_first_type(blocks *k, wisp_view x)
{
    const uint32_t types = compile_uint(k->b, ":tokenizer.ggml.token_type_count", 1, TYPES_MAX);
    wisp_view first = compile_weight_optional(k->b, COMPILE_VECTOR, types, x.cols, "token_types.weight", 0);
    first.rows = 1;
    if (first.buffer) block_add(k, x, x, first);
}

wisp_view block_encoder(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block)
{
    wisp_view attended = block_attention_of(k, s, l, x, block);
    block_keep_wanted(k, s, &x, &attended, block);
    const wisp_view y = block_scratch(k, "y", s->width), z = block_scratch(k, "z", s->width);
    block_linear(k, y, attended, "blk.%u.attn_output", block);
    block_add(k, y, y, x);
    block_norm(k, l->norm, s->epsilon, y, y, "blk.%u.attn_output_norm", block);
    if (block_has(k, "blk.%u.attn_norm_2.weight", block)) {
        block_add(k, y, y, x);
        block_norm(k, l->norm, s->epsilon, y, y, "blk.%u.attn_norm_2", block);
    }
    block_feed_forward(k, s, l, z, y, block);
    block_add(k, x, y, z);
    block_norm(k, l->norm, s->epsilon, x, x, "blk.%u.layer_output_norm", block);
    return x;
}
