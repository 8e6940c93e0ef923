#include "base/vocab.h"

#include <string.h>

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

uint32_t base_vocab_hash(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t h = size, word = 0;
    for (; size >= 8; p += 8, size -= 8) {
        memcpy(&word, p, 8);
        h = mix(h, word);
    }
    word = 0;
    if (size >= 4) {
        uint32_t low, high; /* they may overlap */
        memcpy(&low, p, 4);
        memcpy(&high, p + size - 4, 4);
        word = low | (uint64_t)high << 32;
    } else if (size) {
        word = p[0] | (uint64_t)p[size / 2] << 8 | (uint64_t)p[size - 1] << 16;
    }
    h = mix(h, word);
    return (uint32_t)(h ^ h >> 47);
}

uint32_t base_vocab_hash_pair(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32 ^ h >> 12);
}

static const void *take(base_reader *r, uint64_t count, size_t size)
{
    return base_can_hold(r, count, size) ? base_read_span(r, count * size).data : (r->failed = true, NULL);
}

static bool all_below(const uint32_t *values, uint32_t count, uint32_t limit)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    return count == 0 || most < limit;
}

static bool is_table_size(uint32_t size)
{
    return size >= 1 && size <= 1u << 30 && (size & (size - 1)) == 0;
}

/* The words of the head, by place. */
enum {
    HEAD_VERSION,
    HEAD_KIND,
    HEAD_PRE,
    HEAD_FLAGS,
    HEAD_NORMALIZER,
    HEAD_COUNT,
    HEAD_PIECES,
    HEAD_BOS,
    HEAD_EOS,
    HEAD_UNK,
    HEAD_EOT,
    HEAD_SPECIALS,
    HEAD_ENDS,
    HEAD_MERGES,
    HEAD_TOKEN_SLOTS,
    HEAD_MERGE_SLOTS,
    HEAD_NODES,
    HEAD_MAP_WORDS,
    HEAD_MAP_BYTES,
    HEAD_WORD_MAX,
    HEAD_TEXT
};

static wisp_status check_kind(const base_vocab *v, wisp_report *report)
{
    bool bpe = v->kind == VOCAB_BPE;
    if (v->kind == 0 || v->kind >= VOCAB_KINDS || v->pre >= VOCAB_PRE_COUNT || (!bpe && v->pre != VOCAB_PRE_NONE) ||
        (bpe && v->pre == VOCAB_PRE_NONE && !(v->flags & VOCAB_RAW)))
        return base_fail(report, WISP_E_UNSUPPORTED, "vocabulary: kind %u, pre-tokenizer %u", (unsigned)v->kind,
                         (unsigned)v->pre);
    if ((v->flags & ~(uint32_t)VOCAB_FLAG_BITS) || (v->normalizer & ~(uint32_t)VOCAB_NORMALIZER_BITS))
        return base_fail(report, WISP_E_UNSUPPORTED, "vocabulary: unknown flags %x, %x", (unsigned)v->flags,
                         (unsigned)v->normalizer);
    return WISP_OK;
}

static wisp_status check_head(const base_vocab *v, const uint32_t *head, wisp_report *report)
{
    bool bpe = v->kind == VOCAB_BPE, trie = base_vocab_has_trie(v->kind);
    if (v->count == 0 || v->count > VOCAB_TOKENS_MAX || v->piece_count < v->count ||
        v->piece_count > VOCAB_PIECES_MAX || (!bpe && (v->piece_count != v->count || v->merge_count)))
        return base_fail(report, WISP_E_INPUT, "vocabulary: impossible counts");
    if ((trie ? head[HEAD_TOKEN_SLOTS] != 0 : !is_table_size(head[HEAD_TOKEN_SLOTS])) ||
        (bpe ? !is_table_size(head[HEAD_MERGE_SLOTS]) : head[HEAD_MERGE_SLOTS] != 0) ||
        (trie ? v->node_count == 0 || v->node_count > 1u << 30 : v->node_count != 0))
        return base_fail(report, WISP_E_INPUT, "vocabulary: impossible table sizes");
    const uint32_t ids[] = {v->bos, v->eos, v->unk, v->eot};
    for (int i = 0; i < 4; i++)
        if (ids[i] >= v->count && ids[i] != VOCAB_ABSENT)
            return base_fail(report, WISP_E_INPUT, "vocabulary: a special token's id is out of range");
    if (v->end_count > VOCAB_ENDS_MAX || v->special_count > v->count || v->merge_count > VOCAB_TOKENS_MAX)
        return base_fail(report, WISP_E_INPUT, "vocabulary: impossible counts");
    return WISP_OK;
}

static wisp_status check_texts(const base_vocab *v, uint32_t text_bytes, wisp_report *report)
{
    bool ok = v->offsets[0] == 0 && v->offsets[v->piece_count] == text_bytes;
    for (uint32_t i = 0; ok && i < v->piece_count; i++)
        ok = v->offsets[i] <= v->offsets[i + 1];
    for (uint32_t i = 0; ok && i < v->count; i++)
        ok = v->types[i] >= VOCAB_NORMAL && v->types[i] <= VOCAB_BYTE && (!v->scores || v->scores[i] == v->scores[i]);
    return ok ? WISP_OK : base_fail(report, WISP_E_INPUT, "vocabulary: a token's text, type or score is wrong");
}

/* Children come after their parent and belong to one only, so that a walk ends. */
static bool is_trie(const base_vocab *v)
{
    if (v->node_count == 0) return true;
    bool ok = v->trie_first[0] == 1 && v->trie_first[v->node_count] == v->node_count;
    for (uint32_t i = 0; ok && i < v->node_count; i++) {
        uint32_t first = v->trie_first[i], end = v->trie_first[i + 1];
        ok = first <= end && first > i && end <= v->node_count && end - first <= 256 &&
             (v->trie_tokens[i] < v->count || v->trie_tokens[i] == VOCAB_ABSENT);
    }
    return ok;
}

static wisp_status check_ids(const base_vocab *v, wisp_report *report)
{
    bool ok = is_trie(v) && all_below(v->ends, v->end_count, v->count) &&
              all_below((const uint32_t *)v->merges, v->merge_count * 3, v->piece_count);
    for (uint32_t i = 0; ok && v->token_slots && i <= v->token_mask; i++)
        ok = (v->token_slots[i] & VOCAB_SLOT_BITS) <= v->piece_count;
    if (ok && v->merge_slots) ok = all_below(v->merge_slots, v->merge_mask + 1, v->merge_count + 1);
    for (int b = 0; ok && b < 256; b++)
        ok = v->bytes[b] < v->piece_count ||
             (v->bytes[b] == VOCAB_ABSENT && (v->kind != VOCAB_BPE || v->flags & VOCAB_RAW));
    size_t before = SIZE_MAX;
    for (uint32_t i = 0; ok && i < v->special_count; i++) {
        uint32_t id = v->specials[i] & VOCAB_ID_BITS;
        ok = id < v->count && v->specials[i] >> 24 <= (VOCAB_STRIP_LEFT | VOCAB_STRIP_RIGHT);
        if (!ok) break;
        size_t size = base_vocab_text(v, id).size;
        ok = size > 0 && size <= before;
        before = size;
    }
    /* a merge joins its two texts: what the tokenizer relies on to know how far a piece reaches */
    for (uint32_t i = 0; ok && i < v->merge_count; i++) {
        const base_vocab_merge *m = &v->merges[i];
        ok = base_vocab_text(v, m->left).size + base_vocab_text(v, m->right).size == base_vocab_text(v, m->result).size;
    }
    if (ok && v->map_words) ok = v->map_bytes > 0 && v->map_texts[v->map_bytes - 1] == 0;
    return ok ? WISP_OK : base_fail(report, WISP_E_INPUT, "vocabulary: a table names a token that is not there");
}

static void take_tables(base_vocab *v, base_reader *r, const uint32_t *head)
{
    v->offsets = take(r, (uint64_t)v->piece_count + 1, 4);
    if (v->kind == VOCAB_SPM || v->kind == VOCAB_UNIGRAM) v->scores = take(r, v->count, 4);
    v->bytes = take(r, 256, 4);
    v->joins = take(r, 8, 4);
    v->specials = take(r, v->special_count, 4);
    v->ends = take(r, v->end_count, 4);
    v->merges = take(r, v->merge_count, sizeof *v->merges);
    if (head[HEAD_TOKEN_SLOTS]) v->token_slots = take(r, head[HEAD_TOKEN_SLOTS], 4);
    if (head[HEAD_MERGE_SLOTS]) v->merge_slots = take(r, head[HEAD_MERGE_SLOTS], 4);
    if (v->node_count) {
        v->trie_first = take(r, (uint64_t)v->node_count + 1, 4);
        v->trie_tokens = take(r, v->node_count, 4);
    }
    v->map = take(r, v->map_words, 4);
    v->types = take(r, v->count, 1);
    if (v->node_count) v->trie_labels = take(r, v->node_count, 1);
    v->map_texts = take(r, v->map_bytes, 1);
    v->text = take(r, head[HEAD_TEXT], 1);
}

wisp_status base_vocab_open(base_vocab *v, base_span block, wisp_report *report)
{
    memset(v, 0, sizeof *v);
    if ((uintptr_t)block.data % 4) return base_fail(report, WISP_E_INPUT, "vocabulary: the block is not aligned");
    base_reader r = base_reader_of(block.data, block.size);
    base_span m = base_read_span(&r, sizeof VOCAB_MAGIC - 1);
    const uint32_t *head = take(&r, VOCAB_HEAD_WORDS, 4);
    if (r.failed || memcmp(m.data, VOCAB_MAGIC, sizeof VOCAB_MAGIC - 1) != 0)
        return base_fail(report, WISP_E_INPUT, "vocabulary: not a vocabulary block");
    if (head[HEAD_VERSION] != VOCAB_VERSION)
        return base_fail(report, WISP_E_UNSUPPORTED, "vocabulary: version %u, this engine knows %d",
                         (unsigned)head[HEAD_VERSION], VOCAB_VERSION);
    *v = (base_vocab){.kind = head[HEAD_KIND],
                      .pre = head[HEAD_PRE],
                      .flags = head[HEAD_FLAGS],
                      .normalizer = head[HEAD_NORMALIZER],
                      .count = head[HEAD_COUNT],
                      .piece_count = head[HEAD_PIECES],
                      .bos = head[HEAD_BOS],
                      .eos = head[HEAD_EOS],
                      .unk = head[HEAD_UNK],
                      .eot = head[HEAD_EOT],
                      .special_count = head[HEAD_SPECIALS],
                      .end_count = head[HEAD_ENDS],
                      .merge_count = head[HEAD_MERGES],
                      .token_mask = head[HEAD_TOKEN_SLOTS] - 1,
                      .merge_mask = head[HEAD_MERGE_SLOTS] - 1,
                      .node_count = head[HEAD_NODES],
                      .map_words = head[HEAD_MAP_WORDS],
                      .map_bytes = head[HEAD_MAP_BYTES],
                      .word_max = head[HEAD_WORD_MAX]};
    BASE_TRY(check_kind(v, report));
    BASE_TRY(check_head(v, head, report));
    take_tables(v, &r, head);
    if (r.failed) return base_fail(report, WISP_E_TRUNCATED, "vocabulary: the block ends too early");
    BASE_TRY(check_texts(v, head[HEAD_TEXT], report));
    return check_ids(v, report);
}

uint32_t base_vocab_child(const base_vocab *v, uint32_t node, uint8_t byte)
{
    uint32_t low = v->trie_first[node], high = v->trie_first[node + 1];
    while (high - low > 8) {
        uint32_t middle = low + (high - low) / 2;
        if (v->trie_labels[middle] <= byte)
            low = middle;
        else
            high = middle;
    }
    for (; low < high; low++)
        if (v->trie_labels[low] == byte) return low;
    return 0;
}

uint32_t base_vocab_find(const base_vocab *v, const void *text, size_t size)
{
    if (!v->token_slots) return VOCAB_ABSENT;
    uint32_t hash = base_vocab_hash(text, size), at = hash & v->token_mask;
    for (uint32_t probes = 0; probes <= v->token_mask && v->token_slots[at]; probes++, at = (at + 1) & v->token_mask) {
        uint32_t slot = v->token_slots[at], piece = (slot & VOCAB_SLOT_BITS) - 1;
        if ((slot ^ hash) & ~VOCAB_SLOT_BITS || piece >= v->piece_count) continue;
        base_span have = base_vocab_text(v, piece);
        if (have.size == size && memcmp(have.data, text, size) == 0) return piece;
    }
    return VOCAB_ABSENT;
}

uint32_t base_vocab_find_merge(const base_vocab *v, uint32_t left, uint32_t right)
{
    if (!v->merge_slots) return VOCAB_ABSENT;
    uint32_t at = base_vocab_hash_pair(left, right) & v->merge_mask;
    for (uint32_t probes = 0; probes <= v->merge_mask && v->merge_slots[at]; probes++, at = (at + 1) & v->merge_mask) {
        const base_vocab_merge *m = &v->merges[v->merge_slots[at] - 1];
        if (m->left == left && m->right == right) return v->merge_slots[at] - 1;
    }
    return VOCAB_ABSENT;
}

bool base_vocab_is_end(const base_vocab *v, uint32_t token)
{
    for (uint32_t i = 0; i < v->end_count; i++)
        if (v->ends[i] == token) return true;
    return false;
}
