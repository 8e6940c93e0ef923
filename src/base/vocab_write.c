#include "base/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Names that GGUF files use (tokenizer.ggml.pre), with what else they imply. The last ones are ours, for tokenizer.json
 * files whose rule differs from what GGUF's name stands for. */
enum { LLAMA3 = VOCAB_IGNORE_MERGES | VOCAB_ADD_BOS, LINES = VOCAB_RAW | VOCAB_BYTE_FALLBACK };
static const struct {
    const char *name;
    uint32_t pre, flags;
} pre_names[] = {
    {"default", VOCAB_PRE_DEFAULT, 0},
    {"gpt-2", VOCAB_PRE_GPT2, 0},
    {"phi-2", VOCAB_PRE_GPT2, 0},
    {"mpt", VOCAB_PRE_GPT2, 0},
    {"olmo", VOCAB_PRE_GPT2, 0},
    {"jais", VOCAB_PRE_GPT2, 0},
    {"trillion", VOCAB_PRE_GPT2, 0},
    {"exaone4", VOCAB_PRE_GPT2, 0},
    {"gigachat", VOCAB_PRE_GPT2, 0},
    {"mellum", VOCAB_PRE_GPT2, 0},
    {"a.x-4.0", VOCAB_PRE_GPT2, 0},
    {"granite-docling", VOCAB_PRE_GPT2, 0},
    {"jina-es", VOCAB_PRE_GPT2, 0},
    {"jina-de", VOCAB_PRE_GPT2, 0},
    {"jina-v2-es", VOCAB_PRE_GPT2, 0},
    {"jina-v2-de", VOCAB_PRE_GPT2, 0},
    {"jina-v1-en", VOCAB_PRE_GPT2, 0},
    {"jina-v2-code", VOCAB_PRE_GPT2, 0},
    {"roberta-bpe", VOCAB_PRE_GPT2, 0},
    {"modern-bert", VOCAB_PRE_GPT2, 0},
    {"llama3", VOCAB_PRE_LLAMA3, LLAMA3},
    {"llama-v3", VOCAB_PRE_LLAMA3, LLAMA3},
    {"llama-bpe", VOCAB_PRE_LLAMA3, LLAMA3},
    {"falcon3", VOCAB_PRE_LLAMA3, LLAMA3},
    {"falcon-h1", VOCAB_PRE_LLAMA3, LLAMA3},
    {"pixtral", VOCAB_PRE_LLAMA3, LLAMA3},
    {"midm-2.0", VOCAB_PRE_LLAMA3, LLAMA3},
    {"lfm2", VOCAB_PRE_LLAMA3, LLAMA3},
    {"jina-v5-nano", VOCAB_PRE_LLAMA3, LLAMA3},
    {"dbrx", VOCAB_PRE_LLAMA3, 0},
    {"smaug-bpe", VOCAB_PRE_LLAMA3, 0},
    {"glm4", VOCAB_PRE_LLAMA3, 0},
    {"chatglm-bpe", VOCAB_PRE_LLAMA3, 0},
    {"minicpm5", VOCAB_PRE_MINICPM5, VOCAB_IGNORE_MERGES},
    {"jais-2", VOCAB_PRE_JAIS2, 0},
    {"qwen2", VOCAB_PRE_QWEN2, 0},
    {"deepseek-r1-qwen", VOCAB_PRE_QWEN2, 0},
    {"kormo", VOCAB_PRE_QWEN2, 0},
    {"f2llmv2", VOCAB_PRE_QWEN2, 0},
    {"megrez", VOCAB_PRE_QWEN2, 0},
    {"stablelm2", VOCAB_PRE_QWEN2, 0},
    {"hunyuan", VOCAB_PRE_QWEN2, 0},
    {"solar-open", VOCAB_PRE_QWEN2, 0},
    {"grok-2", VOCAB_PRE_QWEN2, 0},
    {"qwen35", VOCAB_PRE_QWEN35, 0},
    {"deepseek-llm", VOCAB_PRE_DEEPSEEK_LLM, 0},
    {"deepseek-coder", VOCAB_PRE_DEEPSEEK_CODER, 0},
    {"deepseek-v3", VOCAB_PRE_DEEPSEEK3, 0},
    {"hunyuan-dense", VOCAB_PRE_DEEPSEEK3, 0},
    {"joyai-llm", VOCAB_PRE_DEEPSEEK3, 0},
    {"hy_v4", VOCAB_PRE_DEEPSEEK3, 0},
    {"spark2_5", VOCAB_PRE_SPARK, 0},
    {"youtu", VOCAB_PRE_YOUTU, VOCAB_IGNORE_MERGES},
    {"falcon", VOCAB_PRE_FALCON, 0},
    {"starcoder", VOCAB_PRE_STARCODER, 0},
    {"refact", VOCAB_PRE_STARCODER, 0},
    {"command-r", VOCAB_PRE_STARCODER, 0},
    {"smollm", VOCAB_PRE_STARCODER, 0},
    {"codeshell", VOCAB_PRE_STARCODER, 0},
    {"exaone", VOCAB_PRE_STARCODER, 0},
    {"minerva-7b", VOCAB_PRE_STARCODER, 0},
    {"mellum2", VOCAB_PRE_STARCODER, 0},
    {"tekken", VOCAB_PRE_TEKKEN, LLAMA3},
    {"gpt-4o", VOCAB_PRE_GPT4O, 0},
    {"llama4", VOCAB_PRE_GPT4O, 0},
    {"kanana2", VOCAB_PRE_GPT4O, 0},
    {"talkie", VOCAB_PRE_GPT4O, 0},
    {"minimax-m2", VOCAB_PRE_GPT4O, 0},
    {"granite-embed-multi-97m", VOCAB_PRE_GRANITE_MULTI, VOCAB_IGNORE_MERGES},
    {"tiny_aya", VOCAB_PRE_TINY_AYA, 0},
    {"cohere2moe", VOCAB_PRE_TINY_AYA, 0},
    {"poro-chat", VOCAB_PRE_BLOOM, 0},
    {"bloom", VOCAB_PRE_BLOOM, 0},
    {"gpt3-finnish", VOCAB_PRE_BLOOM, 0},
    {"viking", VOCAB_PRE_VIKING, 0},
    {"bailingmoe", VOCAB_PRE_BAILING, 0},
    {"bailingmoe2", VOCAB_PRE_BAILING, 0},
    {"llada-moe", VOCAB_PRE_BAILING, 0},
    {"seed-coder", VOCAB_PRE_SEED_CODER, 0},
    {"ufakzeka", VOCAB_PRE_UFAKZEKA, 0},
    {"afmoe", VOCAB_PRE_AFMOE, 0},
    {"laguna", VOCAB_PRE_LAGUNA, 0},
    {"exaone-moe", VOCAB_PRE_EXAONE_MOE, 0},
    {"gemma4", VOCAB_PRE_LINES, LINES | VOCAB_ADD_BOS},
    {"granite-embed-multi-311m", VOCAB_PRE_LINES, LINES | VOCAB_ADD_BOS},
    {"sarvam-moe", VOCAB_PRE_LINES, LINES},
    {"wisp-whole", VOCAB_PRE_NONE, LINES},
    {"wisp-o200k", VOCAB_PRE_O200K, 0},
    {"wisp-tekken", VOCAB_PRE_TEKKEN_CASED, VOCAB_IGNORE_MERGES},
};

/* Control tokens that end a turn, whatever the metadata call them. */
static const char *const end_names[] = {
    "<|eot_id|>",    "<|im_end|>",
    "<|end|>",       "<end_of_turn>",
    "<|endoftext|>", "<|end_of_text|>",
    "<|eom_id|>",    "<|eot|>",
    "<EOT>",         "_<EOT>",
    "< EOT >",       "[EOT]",
    "[EOS]",         "<|return|>",
    "<|call|>",      "<|calls|>",
    "<|flush|>",     "<end_of_utterance>",
    "<turn|>",       "<|tool_response>",
    "[e~[",          "<\uff5cend\u2581of\u2581sentence\uff5c>",
};

static bool is_text(base_span s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

/* ---- writer ---- */

typedef struct writer {
    const base_vocab_source *source;
    wisp_report *report;
    uint32_t pieces, used; /* used: entries in slots */
    base_buffer offsets, text, types, merges, specials, ends;
    uint32_t *slots, mask;
    uint32_t *merge_slots, merge_mask, merge_count;
    uint32_t flags;
    uint32_t bytes[256], joins[8];
    int16_t letter_byte[512]; /* GPT-2's byte letters: code point -> byte, or -1 */
    base_buffer trie_first, trie_tokens, trie_labels;
    uint32_t nodes;
    base_span map, map_texts;
} writer;

static wisp_status no_memory(writer *w)
{
    return base_fail(w->report, WISP_E_MEMORY, "vocabulary: out of memory");
}

static base_span piece_text(const writer *w, uint32_t piece)
{
    const uint32_t *offsets = (const uint32_t *)(const void *)w->offsets.data;
    const uint8_t *text = w->text.data ? w->text.data : (const uint8_t *)""; /* all texts may be empty */
    return (base_span){text + offsets[piece], offsets[piece + 1] - offsets[piece]};
}

/* The slot that holds the text, or the free one where it belongs; *tag: what a slot for it has above the index. */
static uint32_t slot_of(const writer *w, const void *text, size_t size, uint32_t *tag)
{
    uint32_t hash = base_vocab_hash(text, size), at = hash & w->mask;
    *tag = hash & ~VOCAB_SLOT_BITS;
    for (; w->slots[at]; at = (at + 1) & w->mask) {
        if ((w->slots[at] & ~VOCAB_SLOT_BITS) != *tag) continue;
        base_span have = piece_text(w, (w->slots[at] & VOCAB_SLOT_BITS) - 1);
        if (have.size == size && memcmp(have.data, text, size) == 0) break;
    }
    return at;
}

/* The piece of that text; VOCAB_ABSENT: none. */
static uint32_t find_piece(const writer *w, const void *text, size_t size)
{
    uint32_t tag, slot = w->slots[slot_of(w, text, size, &tag)];
    return slot ? (slot & VOCAB_SLOT_BITS) - 1 : VOCAB_ABSENT;
}

static bool grow_slots(writer *w)
{
    if (w->slots && (uint64_t)w->used * 2 < w->mask) return true;
    uint32_t old_size = w->slots ? w->mask + 1 : 0, *old = w->slots;
    uint32_t size = old_size ? old_size * 2 : 256;
    while (!old && size / 2 <= w->source->count + 256)
        size *= 2;
    uint32_t *slots = base_calloc(size, sizeof *slots);
    if (!slots) return false;
    w->slots = slots;
    w->mask = size - 1;
    for (uint32_t i = 0; i < old_size; i++) {
        if (!old[i]) continue;
        base_span s = piece_text(w, (old[i] & VOCAB_SLOT_BITS) - 1);
        uint32_t tag;
        slots[slot_of(w, s.data, s.size, &tag)] = old[i];
    }
    base_free(old);
    return true;
}

/* What was put into text since the last piece is one. */
static void end_piece(writer *w)
{
    base_put_u32(&w->offsets, (uint32_t)w->text.size);
    w->pieces++;
}

/* Makes a piece findable; the first of equal texts wins. */
static bool index_piece(writer *w, uint32_t piece)
{
    if (!grow_slots(w)) return false;
    base_span s = piece_text(w, piece);
    uint32_t tag, at = slot_of(w, s.data, s.size, &tag);
    if (!w->slots[at]) {
        w->slots[at] = tag | (piece + 1);
        w->used++;
    }
    return true;
}

/* The piece of that text, made if there is none; VOCAB_ABSENT: out of memory. */
static uint32_t need_piece(writer *w, const void *text, size_t size)
{
    uint32_t have = find_piece(w, text, size);
    if (have != VOCAB_ABSENT || w->pieces == VOCAB_PIECES_MAX) return have;
    base_put(&w->text, text, size);
    end_piece(w);
    if (w->text.failed || w->offsets.failed || !index_piece(w, w->pieces - 1)) return VOCAB_ABSENT;
    return w->pieces - 1;
}

/* GPT-2 writes bytes as letters: printable Latin-1 stands for itself, the 68 others follow from U+0100. */
static void make_letters(writer *w)
{
    memset(w->letter_byte, 0xff, sizeof w->letter_byte);
    for (int b = 0, next = 256; b < 256; b++) {
        bool itself = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        w->letter_byte[itself ? b : next++] = (int16_t)b;
    }
}

/* Appends the bytes that the letters stand for; false (and nothing appended) if one is no byte letter. */
static bool put_letters(writer *w, base_buffer *out, base_span letters)
{
    size_t before = out->size;
    for (size_t at = 0, n; at < letters.size; at += n) {
        uint32_t c;
        n = base_utf8_decode(letters.data + at, letters.size - at, &c);
        if (n == 0 || c >= 512 || w->letter_byte[c] < 0) {
            out->size = before;
            return false;
        }
        base_put_u8(out, (uint8_t)w->letter_byte[c]);
    }
    return true;
}

static bool is_special(uint32_t type)
{
    return type == VOCAB_UNKNOWN || type == VOCAB_CONTROL || type == VOCAB_USER_DEFINED;
}

static bool is_end_name(base_span text)
{
    for (size_t i = 0; i < sizeof end_names / sizeof *end_names; i++)
        if (is_text(text, end_names[i])) return true;
    return false;
}

/* Some files forget that the token which ends a turn is a control token. */
static uint32_t type_of(const base_vocab_source *s, uint32_t id)
{
    int32_t type = s->types ? s->types[id] : VOCAB_NORMAL;
    if ((type == VOCAB_NORMAL || type == VOCAB_USER_DEFINED) && is_end_name(s->tokens[id])) return VOCAB_CONTROL;
    return type >= VOCAB_NORMAL && type <= VOCAB_BYTE ? (uint32_t)type : VOCAB_NORMAL;
}

/* Byte-level BPE finds a special token only if its text is its own byte letters. */
static bool is_own_letters(base_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x21 || text.data[i] > 0x7e) return false;
    return true;
}

static bool is_byte_bpe(const writer *w)
{
    return w->source->kind == VOCAB_BPE && !(w->flags & VOCAB_RAW);
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* RWKV's files write bytes as \xHH, and tab, newline and return as \t, \n, \r. */
static void put_unescaped(base_buffer *out, base_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c != '\\' || i + 1 == text.size) {
            base_put_u8(out, c);
            continue;
        }
        c = text.data[++i];
        int high = -1, low = -1;
        if (c == 'x' && text.size - i > 2) high = hex_digit(text.data[i + 1]), low = hex_digit(text.data[i + 2]);
        if (high >= 0 && low >= 0) {
            base_put_u8(out, (uint8_t)(high << 4 | low));
            i += 2;
        } else {
            base_put_u8(out, c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c);
        }
    }
}

/* Puts a token's text as the tokenizer wants it. Returns in which round it becomes findable by its text, 0: never. */
static uint8_t put_token_text(writer *w, uint32_t id, uint32_t type)
{
    base_span text = w->source->tokens[id];
    uint8_t round = text.size > 0;
    if (w->source->kind == VOCAB_GREEDY) {
        put_unescaped(&w->text, text);
    } else if (!is_byte_bpe(w) || is_special(type)) {
        if (is_byte_bpe(w)) round = text.size && is_own_letters(text) ? 2 : 0;
        base_put(&w->text, text.data, text.size);
    } else if (text.size && !put_letters(w, &w->text, text)) {
        base_put(&w->text, text.data, text.size);
        round = 0;
    }
    return round;
}

static wisp_status write_tokens(writer *w)
{
    const base_vocab_source *s = w->source;
    uint8_t *findable = base_calloc(s->count, 1);
    bool ok = findable && (base_vocab_has_trie(s->kind) || grow_slots(w));
    base_put_u32(&w->offsets, 0);
    for (uint32_t id = 0; ok && id < s->count; id++) {
        uint32_t type = type_of(s, id);
        findable[id] = put_token_text(w, id, type);
        end_piece(w);
        base_put_u8(&w->types, (uint8_t)type);
        ok = !w->text.failed && !w->offsets.failed && !w->types.failed && w->text.size <= INT32_MAX;
    }
    for (int round = 1; !base_vocab_has_trie(s->kind) && round <= 2; round++)
        for (uint32_t id = 0; ok && id < s->count; id++) /* ordinary tokens win over special ones of the same text */
            ok = findable[id] != round || index_piece(w, id);
    base_free(findable);
    return ok ? WISP_OK : no_memory(w);
}

static int byte_of_name(base_span name)
{
    if (name.size != 6 || memcmp(name.data, "<0x", 3) != 0 || name.data[5] != '>') return -1;
    int high = hex_digit(name.data[3]), low = hex_digit(name.data[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static wisp_status write_bytes(writer *w)
{
    for (unsigned b = 0; b < 256; b++) {
        uint8_t byte = (uint8_t)b;
        w->bytes[b] = is_byte_bpe(w) ? need_piece(w, &byte, 1) : VOCAB_ABSENT;
        if (is_byte_bpe(w) && w->bytes[b] == VOCAB_ABSENT) return no_memory(w);
    }
    for (uint32_t id = 0; !is_byte_bpe(w) && id < w->source->count; id++) {
        int b = byte_of_name(w->source->tokens[id]);
        if (b >= 0 && w->bytes[b] == VOCAB_ABSENT) w->bytes[b] = id;
    }
    for (unsigned b = 0; w->source->kind == VOCAB_SPM && b < 256; b++) {
        uint8_t byte = (uint8_t)b;
        if (w->bytes[b] == VOCAB_ABSENT) w->bytes[b] = find_piece(w, &byte, 1);
    }
    return WISP_OK;
}

/* ---- trie: the tokens in the order of their bytes, level by level ---- */

typedef struct sorted {
    const uint8_t *text;
    uint32_t size, id;
} sorted;

static int by_text(const void *a, const void *b)
{
    const sorted *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
    if (order) return order;
    if (x->size != y->size) return x->size < y->size ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

typedef struct level_node {
    uint32_t first, end, depth; /* the tokens below it, of `depth` bytes in common */
} level_node;

/* Puts one node's token and label, and its children behind those found before. */
static bool put_node(writer *w, const sorted *tokens, level_node n, level_node **queue, size_t *room, size_t *count)
{
    uint32_t token = VOCAB_ABSENT;
    uint32_t at = n.first;
    for (; at < n.end && tokens[at].size == n.depth; at++)
        if (token == VOCAB_ABSENT) token = tokens[at].id; /* the first of equal texts */
    base_put_u32(&w->trie_tokens, token);
    base_put_u8(&w->trie_labels, n.depth ? tokens[n.first].text[n.depth - 1] : 0);
    base_put_u32(&w->trie_first, (uint32_t)*count);
    while (at < n.end) {
        uint32_t begin = at;
        while (at < n.end && tokens[at].text[n.depth] == tokens[begin].text[n.depth])
            at++;
        if (!base_grow((void **)queue, room, *count + 1, sizeof **queue)) return false;
        (*queue)[(*count)++] = (level_node){begin, at, n.depth + 1};
    }
    return !w->trie_tokens.failed && !w->trie_labels.failed && !w->trie_first.failed && *count < 1u << 30;
}

static bool is_in_trie(const base_vocab_source *s, uint32_t id)
{
    uint32_t type = type_of(s, id);
    return s->kind != VOCAB_UNIGRAM || type == VOCAB_NORMAL || type == VOCAB_USER_DEFINED || type == VOCAB_UNUSED;
}

static wisp_status write_trie(writer *w)
{
    const base_vocab_source *s = w->source;
    level_node *queue = NULL;
    size_t room = 0, count = 1;
    uint32_t used = 0;
    sorted *tokens = base_calloc(s->count, sizeof *tokens);
    bool ok = tokens && base_grow((void **)&queue, &room, 1, sizeof *queue);
    for (uint32_t id = 0; ok && id < s->count; id++) {
        base_span text = piece_text(w, id);
        if (text.size && is_in_trie(s, id)) tokens[used++] = (sorted){text.data, (uint32_t)text.size, id};
    }
    if (ok) {
        qsort(tokens, used, sizeof *tokens, by_text);
        queue[0] = (level_node){0, used, 0};
    }
    for (size_t i = 0; ok && i < count; i++)
        ok = put_node(w, tokens, queue[i], &queue, &room, &count);
    if (ok) base_put_u32(&w->trie_first, (uint32_t)count);
    w->nodes = (uint32_t)count;
    base_free(queue);
    base_free(tokens);
    return ok && !w->trie_first.failed ? WISP_OK : no_memory(w);
}

static uint32_t *merge_slot(const writer *w, uint32_t left, uint32_t right)
{
    uint32_t at = base_vocab_hash_pair(left, right) & w->merge_mask;
    for (; w->merge_slots[at]; at = (at + 1) & w->merge_mask) {
        base_vocab_merge m;
        memcpy(&m, w->merges.data + (size_t)(w->merge_slots[at] - 1) * sizeof m, sizeof m);
        if (m.left == left && m.right == right) break;
    }
    return &w->merge_slots[at];
}

static bool put_side(writer *w, base_buffer *out, base_span side)
{
    if (is_byte_bpe(w)) return put_letters(w, out, side);
    base_put(out, side.data, side.size);
    return true;
}

/* One merge, "left right" in byte letters or as it is; one that is not of that form can never apply and is left out. */
static bool write_merge(writer *w, base_span text, base_buffer *scratch)
{
    const uint8_t *space = text.size > 2 ? memchr(text.data + 1, ' ', text.size - 1) : NULL;
    if (!space) return true;
    base_span left = {text.data, (size_t)(space - text.data)}, right = {space + 1, text.size - left.size - 1};
    scratch->size = 0;
    if (!put_side(w, scratch, left)) return !scratch->failed;
    size_t cut = scratch->size;
    if (!put_side(w, scratch, right) || scratch->size == cut) return !scratch->failed;
    base_vocab_merge m;
    m.left = need_piece(w, scratch->data, cut);
    m.right = need_piece(w, scratch->data + cut, scratch->size - cut);
    m.result = need_piece(w, scratch->data, scratch->size);
    if (m.left == VOCAB_ABSENT || m.right == VOCAB_ABSENT || m.result == VOCAB_ABSENT) return false;
    uint32_t *slot = merge_slot(w, m.left, m.right);
    if (*slot) return true; /* the lower rank wins */
    base_put(&w->merges, &m, sizeof m);
    *slot = ++w->merge_count;
    return !w->merges.failed;
}

static wisp_status write_merges(writer *w)
{
    uint32_t size = 16;
    while (size / 2 < w->source->merge_count)
        size *= 2;
    w->merge_slots = base_calloc(size, sizeof *w->merge_slots);
    w->merge_mask = size - 1;
    base_buffer scratch = {0};
    bool ok = w->merge_slots != NULL;
    for (uint32_t i = 0; ok && i < w->source->merge_count; i++)
        ok = write_merge(w, w->source->merges[i], &scratch);
    base_buffer_fini(&scratch);
    return ok ? WISP_OK : no_memory(w);
}

/* Longest first, then by bytes, then by number: the order in which guest/tokenize.c looks for them. */
static bool special_before(const writer *w, uint32_t a, uint32_t b)
{
    base_span x = piece_text(w, a), y = piece_text(w, b);
    if (x.size != y.size) return x.size > y.size;
    int order = memcmp(x.data, y.data, x.size);
    return order != 0 ? order < 0 : a < b;
}

static void sift_down(const writer *w, uint32_t *heap, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && special_before(w, heap[child], heap[child + 1])) child++;
        if (!special_before(w, heap[root], heap[child])) return;
        uint32_t t = heap[root];
        heap[root] = heap[child];
        heap[child] = t;
    }
}

static wisp_status write_specials(writer *w)
{
    for (uint32_t id = 0; id < w->source->count; id++)
        if (is_special(w->types.data[id]) && piece_text(w, id).size) base_put_u32(&w->specials, id);
    if (w->specials.failed) return no_memory(w);
    uint32_t *heap = (uint32_t *)(void *)w->specials.data;
    size_t count = w->specials.size / 4;
    for (size_t i = count / 2; i-- > 0;)
        sift_down(w, heap, i, count);
    for (size_t last = count; last-- > 1;) {
        uint32_t t = heap[0];
        heap[0] = heap[last];
        heap[last] = t;
        sift_down(w, heap, 0, last);
    }
    return WISP_OK;
}

static void add_end(writer *w, int64_t id)
{
    size_t count = w->ends.size / 4;
    const uint32_t *ends = (const uint32_t *)(const void *)w->ends.data;
    if (id < 0 || count >= VOCAB_ENDS_MAX || w->ends.failed) return;
    for (size_t i = 0; i < count; i++)
        if (ends[i] == (uint32_t)id) return;
    base_put_u32(&w->ends, (uint32_t)id);
}

static wisp_status write_ends(writer *w)
{
    const base_vocab_source *s = w->source;
    if (s->kind == VOCAB_WORDS) return WISP_OK;
    add_end(w, s->eos);
    add_end(w, s->eot);
    for (uint32_t i = 0; i < s->end_count; i++)
        if (s->ends[i] < s->count) add_end(w, s->ends[i]);
    bool returns = false; /* where a turn ends with <|return|> or <|flush|>, <|end|> only ends a part of it */
    for (uint32_t id = 0; id < s->count; id++)
        returns |= w->types.data[id] == VOCAB_CONTROL &&
                   (is_text(s->tokens[id], "<|return|>") || is_text(s->tokens[id], "<|flush|>"));
    for (uint32_t id = 0; id < s->count; id++)
        if (w->types.data[id] == VOCAB_CONTROL && is_end_name(s->tokens[id]) &&
            !(returns && is_text(s->tokens[id], "<|end|>")))
            add_end(w, id);
    return w->ends.failed ? no_memory(w) : WISP_OK;
}

static void add_strips(writer *w)
{
    uint32_t *specials = (uint32_t *)(void *)w->specials.data;
    for (size_t i = 0; w->source->strip && i < w->specials.size / 4; i++)
        specials[i] |= (uint32_t)(w->source->strip[specials[i]] & (VOCAB_STRIP_LEFT | VOCAB_STRIP_RIGHT)) << 24;
}

/* SentencePiece's map: u32 bytes of a double array, the array, texts. */
static wisp_status cut_map(writer *w)
{
    base_reader r = base_reader_of(w->source->charsmap.data, w->source->charsmap.size);
    if (base_left(&r) == 0) return WISP_OK;
    uint32_t size = base_read_u32(&r);
    w->map = base_read_span(&r, size);
    w->map_texts = base_read_span(&r, base_left(&r));
    if (r.failed || size % 4 || size == 0 || w->map_texts.size == 0 || w->map_texts.size > INT32_MAX ||
        w->map_texts.data[w->map_texts.size - 1] != 0)
        return base_fail(w->report, WISP_E_INPUT, "vocabulary: the precompiled normalizer is damaged");
    return WISP_OK;
}

bool base_vocab_knows_pre(base_span name)
{
    for (size_t i = 0; i < sizeof pre_names / sizeof *pre_names; i++)
        if (is_text(name, pre_names[i].name)) return true;
    return false;
}

static wisp_status find_pre(const base_vocab_source *s, uint32_t *pre, uint32_t *flags, wisp_report *report)
{
    static const uint32_t defaults[VOCAB_KINDS] = {
        [VOCAB_SPM] = VOCAB_ADD_BOS | VOCAB_ADD_SPACE | VOCAB_BYTE_FALLBACK,
        [VOCAB_UNIGRAM] = VOCAB_ADD_EOS | VOCAB_FUSE_UNKNOWN,
        [VOCAB_WORDS] = VOCAB_ADD_BOS | VOCAB_ADD_EOS,
    };
    *pre = VOCAB_PRE_NONE;
    *flags = defaults[s->kind];
    if (s->kind != VOCAB_BPE) return WISP_OK;
    base_span name = s->pre.size ? s->pre : (base_span){(const uint8_t *)"default", 7};
    for (size_t i = 0; i < sizeof pre_names / sizeof *pre_names; i++) {
        if (!is_text(name, pre_names[i].name)) continue;
        *pre = pre_names[i].pre;
        *flags = pre_names[i].flags;
        return WISP_OK;
    }
    return base_fail(report, WISP_E_UNSUPPORTED, "vocabulary: pre-tokenizer '%.*s' is not known", (int)name.size,
                     (const char *)name.data);
}

static void set_flag(uint32_t *flags, uint32_t flag, int said)
{
    if (said > 0) *flags |= flag;
    if (said == 0) *flags &= ~flag;
}

static wisp_status check_source(const base_vocab_source *s, wisp_report *report)
{
    if (s->kind == 0 || s->kind >= VOCAB_KINDS)
        return base_fail(report, WISP_E_UNSUPPORTED, "vocabulary: unknown kind %u", (unsigned)s->kind);
    if (s->count == 0 || s->count > VOCAB_TOKENS_MAX)
        return base_fail(report, WISP_E_INPUT, "vocabulary: %u tokens", (unsigned)s->count);
    const struct {
        const char *name;
        int64_t id;
    } ids[] = {{"BOS", s->bos}, {"EOS", s->eos}, {"unknown", s->unk}, {"end-of-turn", s->eot}};
    for (int i = 0; i < 4; i++)
        if (ids[i].id >= (int64_t)s->count)
            return base_fail(report, WISP_E_INPUT, "vocabulary: the %s token is %lld of %u", ids[i].name,
                             (long long)ids[i].id, (unsigned)s->count);
    for (uint32_t i = 0; s->scores && i < s->count; i++)
        if (s->scores[i] != s->scores[i])
            return base_fail(report, WISP_E_INPUT, "vocabulary: the score of token %u is not a number", (unsigned)i);
    if (s->kind == VOCAB_BPE && s->merge_count > VOCAB_TOKENS_MAX)
        return base_fail(report, WISP_E_INPUT, "vocabulary: %u merges", (unsigned)s->merge_count);
    return WISP_OK;
}

static void put_block(writer *w, base_buffer *out, uint32_t pre)
{
    const base_vocab_source *s = w->source;
    bool bpe = s->kind == VOCAB_BPE, trie = base_vocab_has_trie(s->kind);
    uint32_t head[VOCAB_HEAD_WORDS] = {
        VOCAB_VERSION, s->kind, pre, w->flags, s->normalizer, s->count, w->pieces,
        /* -1, none, is VOCAB_ABSENT */
        (uint32_t)s->bos, (uint32_t)s->eos, (uint32_t)s->unk, (uint32_t)s->eot, (uint32_t)(w->specials.size / 4),
        (uint32_t)(w->ends.size / 4), w->merge_count, trie ? 0 : w->mask + 1, bpe ? w->merge_mask + 1 : 0, w->nodes,
        (uint32_t)(w->map.size / 4), (uint32_t)w->map_texts.size, s->word_max, (uint32_t)w->text.size};
    base_put(out, VOCAB_MAGIC, sizeof VOCAB_MAGIC - 1);
    base_put(out, head, sizeof head);
    base_put(out, w->offsets.data, w->offsets.size);
    for (uint32_t i = 0; (s->kind == VOCAB_SPM || s->kind == VOCAB_UNIGRAM) && i < s->count; i++)
        base_put_f32(out, s->scores ? s->scores[i] : 0.0f);
    base_put(out, w->bytes, sizeof w->bytes);
    base_put(out, w->joins, sizeof w->joins);
    base_put(out, w->specials.data, w->specials.size);
    base_put(out, w->ends.data, w->ends.size);
    base_put(out, w->merges.data, w->merges.size);
    if (!trie) base_put(out, w->slots, ((size_t)w->mask + 1) * 4);
    if (bpe) base_put(out, w->merge_slots, ((size_t)w->merge_mask + 1) * 4);
    base_put(out, w->trie_first.data, w->trie_first.size);
    base_put(out, w->trie_tokens.data, w->trie_tokens.size);
    base_put(out, w->map.data, w->map.size);
    base_put(out, w->types.data, w->types.size);
    base_put(out, w->trie_labels.data, w->trie_labels.size);
    base_put(out, w->map_texts.data, w->map_texts.size);
    base_put(out, w->text.data, w->text.size);
}

/* Which bytes stand before SentencePiece's space inside a piece? */
static void find_joins(writer *w)
{
    static const char mark[] = "\u2581";
    for (uint32_t piece = 0; piece < w->pieces; piece++) {
        base_span text = piece_text(w, piece);
        for (size_t at = 1; at + 3 <= text.size; at++)
            if (memcmp(text.data + at, mark, 3) == 0) w->joins[text.data[at - 1] / 32] |= 1u << text.data[at - 1] % 32;
    }
}

static void set_flags(writer *w)
{
    const base_vocab_source *s = w->source;
    w->flags |= s->more_flags;
    set_flag(&w->flags, VOCAB_ADD_BOS, s->add_bos);
    set_flag(&w->flags, VOCAB_ADD_EOS, s->add_eos);
    set_flag(&w->flags, VOCAB_IGNORE_MERGES, s->ignore_merges);
    set_flag(&w->flags, VOCAB_BYTE_FALLBACK, s->byte_fallback);
    set_flag(&w->flags, VOCAB_SPACE_SUFFIX, s->space_as_suffix);
    set_flag(&w->flags, VOCAB_FUSE_UNKNOWN, s->fuse_unknown);
    if (s->kind == VOCAB_SPM || s->kind == VOCAB_UNIGRAM || w->flags & VOCAB_RAW) {
        set_flag(&w->flags, VOCAB_ADD_SPACE, s->add_space_prefix);
        set_flag(&w->flags, VOCAB_TRIM_SPACES, s->remove_extra_whitespaces);
    }
}

static wisp_status write_all(writer *w, base_buffer *out)
{
    const base_vocab_source *s = w->source;
    uint32_t pre;
    BASE_TRY(check_source(s, w->report));
    BASE_TRY(find_pre(s, &pre, &w->flags, w->report));
    set_flags(w);
    make_letters(w);
    BASE_TRY(cut_map(w));
    BASE_TRY(write_tokens(w));
    BASE_TRY(write_bytes(w));
    if (s->kind == VOCAB_BPE) BASE_TRY(write_merges(w));
    if (base_vocab_has_trie(s->kind)) BASE_TRY(write_trie(w));
    BASE_TRY(write_specials(w));
    BASE_TRY(write_ends(w));
    add_strips(w);
    find_joins(w);
    put_block(w, out, pre);
    return out->failed ? no_memory(w) : WISP_OK;
}

wisp_status base_vocab_write(base_buffer *out, const base_vocab_source *source, wisp_report *report)
{
    writer *w = base_calloc(1, sizeof *w);
    if (!w) return base_fail(report, WISP_E_MEMORY, "vocabulary: out of memory");
    w->source = source;
    w->report = report;
    wisp_status status = write_all(w, out);
    base_buffer *const buffers[] = {&w->offsets, &w->text,       &w->types,       &w->merges,     &w->specials,
                                    &w->ends,    &w->trie_first, &w->trie_tokens, &w->trie_labels};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        base_buffer_fini(buffers[i]);
    base_free(w->slots);
    base_free(w->merge_slots);
    base_free(w);
    return status;
}
