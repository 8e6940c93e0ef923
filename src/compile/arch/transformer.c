#include "compile/arch/transformer.h"

#include <math.h>

block_heads block_project(blocks *k, const block_shape *s, wisp_view x, uint32_t block)
{
    const block_heads h = {.q = block_scratch(k, "q", s->heads * s->key_dim),
                           .k = block_scratch(k, "k", s->kv_heads * s->key_dim),
                           .v = block_scratch(k, "v", s->kv_heads * s->value_dim)};
    block_qkv(k, h.q, h.k, h.v, x, block);
    return h;
}

void block_rotate(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h)
{
    if (!l->angles.buffer) return;
    block_rope(k, h->q, s->heads, l->angles, l->halves);
    block_rope(k, h->k, s->kv_heads, l->angles, l->halves);
}

void block_norm_qk(blocks *k, const block_shape *s, block_norm_kind kind, const block_heads *h, uint32_t block)
{
    const wisp_view q = block_split(h->q, s->heads), key = block_split(h->k, s->kv_heads);
    block_norm(k, kind, s->epsilon, q, q, "blk.%u.attn_q_norm", block);
    block_norm(k, kind, s->epsilon, key, key, "blk.%u.attn_k_norm", block);
}

void block_norm_then_rotate(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h, uint32_t block)
{
    block_norm_qk(k, s, BLOCK_RMS, h, block);
    block_rotate(k, s, l, h);
}

void block_norm_each_then_rotate(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                                 uint32_t block)
{
    const wisp_view q = block_split(h->q, s->heads), key = block_split(h->k, s->kv_heads);
    block_norm_heads(k, BLOCK_LAYER, s->epsilon, q, q, s->heads, "blk.%u.attn_q_norm", block);
    block_norm_heads(k, BLOCK_LAYER, s->epsilon, key, key, s->kv_heads, "blk.%u.attn_k_norm", block);
    block_rotate(k, s, l, h);
}

void block_norm_whole_then_rotate(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                                  uint32_t block)
{
    block_norm(k, BLOCK_RMS, s->epsilon, h->q, h->q, "blk.%u.attn_q_norm", block);
    block_norm(k, BLOCK_RMS, s->epsilon, h->k, h->k, "blk.%u.attn_k_norm", block);
    block_rotate(k, s, l, h);
}

void block_clamp_heads(blocks *k, const block_heads *h)
{
    const float most = (float)compile_float_or(k->b, "attention.clamp_kqv", 0);
    const wisp_view all[] = {h->q, h->k, h->v};
    for (int i = 0; most > 0 && i < 3; i++)
        compile_emit(k->b,
                     (wisp_cmd){.op = WISP_OP_CLAMP, .param = {{.f = -most}, {.f = most}}, .view = {all[i], all[i]}});
}

wisp_view block_attend_heads(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h)
{
    const wisp_view y = block_scratch(k, "attended", s->heads * s->value_dim);
    block_attention a = l->attention;
    if (!a.heads) a.heads = s->heads;
    if (!a.kv_heads) a.kv_heads = s->kv_heads;
    if (a.scale == 0) a.scale = (float)(1 / sqrt((double)s->key_dim));
    block_self_attention(k, y, h->q, h->k, h->v, &a);
    return y;
}

wisp_view block_attention_of(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block)
{
    const block_heads h = block_project(k, s, x, block);
    if (l->prepare)
        l->prepare(k, s, l, &h, block);
    else
        block_rotate(k, s, l, &h);
    return block_attend_heads(k, s, l, &h);
}

void block_keep_wanted(blocks *k, const block_shape *s, wisp_view *x, wisp_view *y, uint32_t block)
{
    if (block + 1 != s->layers) return;
    *x = block_keep(k, *x, "x.out");
    *y = block_keep(k, *y, "attended.out");
}

static void add_part(blocks *k, const block_layer *l, wisp_view x, wisp_view part)
{
    if (l->residual != 0) block_scale(k, part, l->residual);
    block_add(k, x, x, part);
}

void block_feed_forward(blocks *k, const block_shape *s, const block_layer *l, wisp_view y, wisp_view x, uint32_t block)
{
    if (!l->moe || block < l->dense_layers) {
        l->ffn(k, y, x, s->ff_width, l->act, block);
        return;
    }
    block_experts(k, y, x, l->moe, block);
    if (l->shared_width) block_shared_expert(k, y, x, l->shared_width, l->moe->kind, block);
}

wisp_view block_after_mixing(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, wisp_view mixed,
                             const char *output, uint32_t block)
{
    const wisp_view y = block_scratch(k, "y", s->width), h = block_scratch(k, "h", s->width);
    block_linear(k, y, mixed, output, block);
    add_part(k, l, x, y);
    block_norm(k, l->norm, s->epsilon, h, x, l->ffn_norm ? l->ffn_norm : "blk.%u.ffn_norm", block);
    block_feed_forward(k, s, l, y, h, block);
    add_part(k, l, x, y);
    return x;
}

wisp_view block_after_attention(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, wisp_view attended,
                                uint32_t block)
{
    return block_after_mixing(k, s, l, x, attended, "blk.%u.attn_output", block);
}

static void norm_before(blocks *k, const block_shape *s, const block_layer *l, wisp_view h, wisp_view x, uint32_t block)
{
    block_norm(k, l->norm, s->epsilon, h, x, l->attn_norm ? l->attn_norm : "blk.%u.attn_norm", block);
}

wisp_view block_prenorm(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block)
{
    const wisp_view h = block_scratch(k, "h", s->width);
    norm_before(k, s, l, h, x, block);
    wisp_view attended = block_attention_of(k, s, l, h, block);
    block_keep_wanted(k, s, &x, &attended, block);
    return block_after_attention(k, s, l, x, attended, block);
}

wisp_view block_parallel(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block)
{
    wisp_view h = block_scratch(k, "h", s->width);
    norm_before(k, s, l, h, x, block);
    wisp_view attended = block_attention_of(k, s, l, h, block);
    if (l->ffn_norm) block_norm(k, l->norm, s->epsilon, h, x, l->ffn_norm, block);
    block_keep_wanted(k, s, &x, &attended, block);
    if (block + 1 == s->layers) h = block_keep(k, h, "h.out");
    const wisp_view y = block_scratch(k, "y", s->width), z = block_scratch(k, "z", s->width);
    block_linear(k, y, attended, "blk.%u.attn_output", block);
    block_feed_forward(k, s, l, z, h, block);
    add_part(k, l, x, z);
    add_part(k, l, x, y);
    return x;
}

wisp_view block_postnorm(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block)
{
    wisp_view attended = block_attention_of(k, s, l, x, block);
    block_keep_wanted(k, s, &x, &attended, block);
    const wisp_view y = block_scratch(k, "y", s->width);
    block_linear(k, y, attended, "blk.%u.attn_output", block);
    block_norm(k, l->norm, s->epsilon, y, y, "blk.%u.post_attention_norm", block);
    add_part(k, l, x, y);
    block_feed_forward(k, s, l, y, x, block);
    block_norm(k, l->norm, s->epsilon, y, y, "blk.%u.post_ffw_norm", block);
    add_part(k, l, x, y);
    return x;
}

wisp_view block_sandwich(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block)
{
    wisp_view h = block_scratch(k, "h", s->width);
    norm_before(k, s, l, h, x, block);
    wisp_view attended = block_attention_of(k, s, l, h, block);
    block_keep_wanted(k, s, &x, &attended, block);
    const wisp_view y = block_scratch(k, "y", s->width);
    h = block_scratch(k, "h", s->width);
    block_linear(k, y, attended, "blk.%u.attn_output", block);
    block_norm(k, l->norm, s->epsilon, y, y, "blk.%u.post_attention_norm", block);
    add_part(k, l, x, y);
    block_norm(k, l->norm, s->epsilon, h, x, l->ffn_norm ? l->ffn_norm : "blk.%u.ffn_norm", block);
    block_feed_forward(k, s, l, y, h, block);
    block_norm(k, l->norm, s->epsilon, y, y, "blk.%u.post_ffw_norm", block);
    add_part(k, l, x, y);
    return x;
}

void block_finish(blocks *k, const block_shape *s, block_norm_kind norm, wisp_view x, float scale, float softcap)
{
    const wisp_view h = block_scratch(k, "h", s->width);
    block_norm(k, norm, s->epsilon, h, x, "output_norm", 0);
    block_logits(k, h, scale, softcap);
}
