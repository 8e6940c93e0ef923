/* Models and an engine made on the spot, so that these tests need neither data nor the guest. */
#ifndef TESTS_MODEL_FIXTURE_H
#define TESTS_MODEL_FIXTURE_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "capsule/capsule.h"
#include "compile/gguf.h"

/* ---- a plain engine module: wisp_dev_* exports, memory.init 0, one active data segment ---- */

static inline void fixture_section(base_buffer *b, uint8_t id, const void *payload, size_t size)
{
    base_put_u8(b, id);
    base_put_leb_u32(b, (uint32_t)size);
    base_put(b, payload, size);
}

/* first() reads the model segment's first 4 bytes; hello() the engine's own data. */
static inline base_buffer fixture_engine(void)
{
    static const uint8_t types[] = {4, 0x60, 4,    0x7f, 0x7f, 0x7f, 0x7f, 1,    0x7f, 0x60, 1, 0x7f,
                                    1, 0x7f, 0x60, 2,    0x7f, 0x7f, 1,    0x7f, 0x60, 0,    1, 0x7f};
    static const uint8_t import[] = "\1\x16wasi_snapshot_preview1\x8"
                                    "fd_write\0\0";
    static const uint8_t functions[] = {4, 1, 2, 3, 3}, memory[] = {1, 0, 1}, data_count[] = {1};
    static const uint8_t exports[] = "\5\xdwisp_dev_caps\0\1\xfwisp_dev_submit\0\2\5first\0\3\5hello\0\4\6memory\2\0";
    static const uint8_t code[] = {
        4,    4, 0, 0x20, 0,    0x0b, 7, 0,    0x20, 0, 0x20, 1, 0x6a, 0x0b, 22, 0, 0x41, 0xc0, 0,    0x41, 0, 0x41, 8,
        0xfc, 8, 0, 0,    0xfc, 9,    0, 0x41, 0xc0, 0, 0x28, 2, 0,    0x0b, 7,  0, 0x41, 16,   0x28, 2,    0, 0x0b};
    static const uint8_t data[] = {1, 0, 0x41, 16, 0x0b, 5, 'h', 'e', 'l', 'l', 'o'};
    static const uint8_t name[] = {4, 'n', 'a', 'm', 'e', 0, 2, 1, 'e'};
    static const uint8_t producers[] = "\x9producers";
    base_buffer b = {0};
    base_put(&b, "\0asm\1\0\0", 8);
    fixture_section(&b, 1, types, sizeof types);
    fixture_section(&b, 2, import, sizeof import - 1);
    fixture_section(&b, 3, functions, sizeof functions);
    fixture_section(&b, 5, memory, sizeof memory);
    fixture_section(&b, 7, exports, sizeof exports - 1);
    fixture_section(&b, 12, data_count, sizeof data_count);
    fixture_section(&b, 10, code, sizeof code);
    fixture_section(&b, 11, data, sizeof data);
    fixture_section(&b, 0, name, sizeof name);
    fixture_section(&b, 0, producers, sizeof producers - 1);
    return b;
}

/* ---- GGUF ---- */

typedef struct fixture_gguf {
    base_buffer keys, infos, data;
    uint64_t key_count, tensor_count;
    uint32_t alignment;
} fixture_gguf;

static inline void fixture_string(base_buffer *b, const char *text)
{
    base_put_u64(b, strlen(text));
    base_put_text(b, text);
}

static inline void fixture_key(fixture_gguf *g, const char *key, uint32_t type)
{
    fixture_string(&g->keys, key);
    base_put_u32(&g->keys, type);
    g->key_count++;
}

static inline void fixture_u32(fixture_gguf *g, const char *key, uint32_t v)
{
    fixture_key(g, key, GGUF_U32);
    base_put_u32(&g->keys, v);
}

static inline void fixture_f32(fixture_gguf *g, const char *key, float v)
{
    fixture_key(g, key, GGUF_F32);
    base_put_f32(&g->keys, v);
}

static inline void fixture_text(fixture_gguf *g, const char *key, const char *v)
{
    fixture_key(g, key, GGUF_STRING);
    fixture_string(&g->keys, v);
}

static inline void fixture_array(fixture_gguf *g, const char *key, uint32_t element, uint64_t count)
{
    fixture_key(g, key, GGUF_ARRAY);
    base_put_u32(&g->keys, element);
    base_put_u64(&g->keys, count);
}

/* A tensor of small pseudo-random values; block types: sane scales, random quants. */
static inline void fixture_tensor(fixture_gguf *g, const char *name, uint32_t type, uint64_t cols, uint64_t rows)
{
    const compile_gguf_type *info = compile_gguf_type_find(type);
    uint32_t align = g->alignment ? g->alignment : 32, dims = rows ? 2 : 1;
    uint64_t blocks = cols / info->block * (rows ? rows : 1);
    base_put_align(&g->data, align);
    fixture_string(&g->infos, name);
    base_put_u32(&g->infos, dims);
    base_put_u64(&g->infos, cols);
    if (dims == 2) base_put_u64(&g->infos, rows);
    base_put_u32(&g->infos, type);
    base_put_u64(&g->infos, g->data.size);
    g->tensor_count++;
    uint32_t seed = (uint32_t)g->tensor_count * 2654435761u;
    for (uint64_t n = 0; n < blocks; n++)
        for (uint32_t i = 0; i < info->block_bytes; i++) {
            seed = seed * 1664525u + 1013904223u;
            uint8_t byte = (uint8_t)(seed >> 24);
            bool high = i + 1 == info->block_bytes; /* exponents of plain values, scales of block types: near zero */
            if (info->block == 1 && high) byte = (byte & 0x80) | 0x2c;
            if (info->block > 1 && (i == 1 || i == 3 || i == 209)) byte = 0x1c;
            base_put_u8(&g->data, byte);
        }
}

/* Ends the file; frees the parts. */
static inline base_buffer fixture_finish(fixture_gguf *g)
{
    base_buffer b = {0};
    base_put_text(&b, "GGUF");
    base_put_u32(&b, 3);
    base_put_u64(&b, g->tensor_count);
    base_put_u64(&b, g->key_count);
    base_put(&b, g->keys.data, g->keys.size);
    base_put(&b, g->infos.data, g->infos.size);
    if (g->tensor_count) base_put_align(&b, g->alignment ? g->alignment : 32);
    base_put(&b, g->data.data, g->data.size);
    base_put_align(&b, g->alignment ? g->alignment : 32);
    base_buffer_fini(&g->keys);
    base_buffer_fini(&g->infos);
    base_buffer_fini(&g->data);
    BASE_ASSERT(!b.failed);
    return b;
}

/* A SentencePiece-like vocabulary: unknown, begin, end, 256 bytes, then letters. */
static inline void fixture_vocabulary(fixture_gguf *g, uint32_t count)
{
    fixture_text(g, "tokenizer.ggml.model", "llama");
    fixture_array(g, "tokenizer.ggml.tokens", GGUF_STRING, count);
    for (uint32_t i = 0; i < count; i++) {
        char text[32];
        if (i < 3)
            snprintf(text, sizeof text, "%s", i == 0 ? "<unk>" : i == 1 ? "<s>" : "</s>");
        else if (i < 259)
            snprintf(text, sizeof text, "<0x%02X>", (unsigned)i - 3);
        else
            snprintf(text, sizeof text, "t%u", (unsigned)i);
        fixture_string(&g->keys, text);
    }
    fixture_array(g, "tokenizer.ggml.scores", GGUF_F32, count);
    for (uint32_t i = 0; i < count; i++)
        base_put_f32(&g->keys, -(float)i);
    fixture_array(g, "tokenizer.ggml.token_type", GGUF_I32, count);
    for (uint32_t i = 0; i < count; i++)
        base_put_u32(&g->keys, i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1);
    fixture_u32(g, "tokenizer.ggml.bos_token_id", 1);
    fixture_u32(g, "tokenizer.ggml.eos_token_id", 2);
    fixture_u32(g, "tokenizer.ggml.unknown_token_id", 0);
}

/* A Llama small enough for tables of damage. */
typedef struct fixture_llama {
    uint32_t matrix_type, vector_type, width, ff_width, heads, kv_heads, blocks, vocab;
    bool tied, biases, rope_freqs;
    void (*more_keys)(fixture_gguf *g);
} fixture_llama;

static inline void fixture_block(fixture_gguf *g, const fixture_llama *m, uint32_t block)
{
    char name[64];
    const uint32_t kv = m->width / m->heads * m->kv_heads;
    const struct {
        const char *name;
        uint32_t cols, rows;
    } tensors[] = {{"attn_norm", m->width, 0},
                   {"attn_q", m->width, m->width},
                   {"attn_k", m->width, kv},
                   {"attn_v", m->width, kv},
                   {"attn_output", m->width, m->width},
                   {"ffn_norm", m->width, 0},
                   {"ffn_gate", m->width, m->ff_width},
                   {"ffn_up", m->width, m->ff_width},
                   {"ffn_down", m->ff_width, m->width}};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        snprintf(name, sizeof name, "blk.%u.%s.weight", (unsigned)block, tensors[i].name);
        fixture_tensor(g, name, tensors[i].rows ? m->matrix_type : m->vector_type, tensors[i].cols, tensors[i].rows);
        if (!m->biases || i < 1 || i > 3) continue;
        snprintf(name, sizeof name, "blk.%u.%s.bias", (unsigned)block, tensors[i].name);
        fixture_tensor(g, name, m->vector_type, tensors[i].rows, 0);
    }
}

static inline base_buffer fixture_model(const fixture_llama *given)
{
    fixture_llama m = *given;
    fixture_gguf g = {0};
    if (!m.width) m.width = 64;
    if (!m.ff_width) m.ff_width = 96;
    if (!m.heads) m.heads = 4;
    if (!m.kv_heads) m.kv_heads = 2;
    if (!m.blocks) m.blocks = 2;
    if (!m.vocab) m.vocab = 300;
    fixture_text(&g, "general.architecture", "llama");
    fixture_text(&g, "general.name", "fixture");
    fixture_u32(&g, "llama.context_length", 256);
    fixture_u32(&g, "llama.embedding_length", m.width);
    fixture_u32(&g, "llama.block_count", m.blocks);
    fixture_u32(&g, "llama.feed_forward_length", m.ff_width);
    fixture_u32(&g, "llama.attention.head_count", m.heads);
    fixture_u32(&g, "llama.attention.head_count_kv", m.kv_heads);
    fixture_f32(&g, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    fixture_vocabulary(&g, m.vocab);
    if (m.more_keys) m.more_keys(&g);
    fixture_tensor(&g, "token_embd.weight", m.matrix_type, m.width, m.vocab);
    for (uint32_t i = 0; i < m.blocks; i++)
        fixture_block(&g, &m, i);
    fixture_tensor(&g, "output_norm.weight", m.vector_type, m.width, 0);
    if (!m.tied) fixture_tensor(&g, "output.weight", m.matrix_type, m.width, m.vocab);
    if (m.rope_freqs) {
        const uint32_t pairs = m.width / m.heads / 2;
        fixture_tensor(&g, "rope_freqs.weight", 0, pairs, 0);
        for (uint32_t i = 0; i < pairs; i++)
            memcpy(g.data.data + g.data.size - 4 * (pairs - i), &(float){1 + (float)i}, 4);
    }
    return fixture_finish(&g);
}

static inline base_span fixture_span(const base_buffer *b)
{
    return (base_span){b->data, b->size};
}

/* ---- capsules, rebuilt around another manifest or a signature ---- */

static inline void fixture_custom(base_buffer *b, const char *name, const void *content, size_t size)
{
    base_buffer payload = {0};
    base_put_u8(&payload, (uint8_t)strlen(name));
    base_put_text(&payload, name);
    base_put(&payload, content, size);
    fixture_section(b, 0, payload.data, payload.size);
    base_buffer_fini(&payload);
}

/* A manifest text that ends before its "self": with the digest of what it says. */
static inline void fixture_seal(base_buffer *text)
{
    uint8_t digest[32];
    char hex[65];
    base_put_text(text, ",\n\"self\":\"");
    base_sha256_of(text->data, text->size, digest);
    base_hex(digest, sizeof digest, hex);
    base_put_text(text, hex);
    base_put_text(text, "\"}\n");
}

/* The text up to, not with, its "self". */
static inline base_span fixture_unsealed(base_span manifest)
{
    return (base_span){manifest.data, manifest.size - 77};
}

/* `c` with that manifest, after a signature section if there is one; padding as it must be. */
static inline base_buffer fixture_rebuild(const capsule *c, base_span manifest, base_span signature)
{
    base_buffer b = {0};
    uint64_t moved = 0; /* all that follows a pad moves by a multiple of 4096 */
    base_put(&b, "\0asm\1\0\0", 8);
    if (signature.data) fixture_custom(&b, "signature", signature.data, signature.size);
    fixture_custom(&b, "wisp.manifest", manifest.data, manifest.size);
    for (uint32_t i = c->has_signature ? 2 : 1; i < c->section_count; i++) {
        const capsule_section *s = &c->sections[i];
        if (moved || s->name.size != 8 || memcmp(s->name.data, "wisp.pad", 8) != 0) {
            base_put(&b, s->whole.data, s->whole.size);
            continue;
        }
        uint64_t old_end = (uint64_t)(s->whole.data - c->file.data) + s->whole.size, head = 15;
        uint64_t fill = (old_end - b.size - head) % 4096;
        base_put_u8(&b, 0); /* id, then a size of fixed width, then the name */
        for (int k = 0; k < 5; k++)
            base_put_u8(&b, (uint8_t)((9 + fill) >> (7 * k) & 0x7f) | (k < 4 ? 0x80 : 0));
        base_put_u8(&b, 8);
        base_put_text(&b, "wisp.pad");
        base_put_zeros(&b, fill);
        moved = 1;
    }
    BASE_ASSERT(!b.failed);
    return b;
}

#endif
