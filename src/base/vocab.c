#include "base/vocab.h"

#include <string.h>

#include "base/mem.h"

static const char magic[8] = "WISPVOCB";
enum { VERSION = 1, HEAD_WORDS = 16, HEAD_BYTES = 8 + HEAD_WORDS * 4, ENDS_MAX = 16, TOKENS_MAX = 1 << 24 };

/* Names that GGUF files use (tokenizer.ggml.pre), with what else they imply. */
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
    {"llama3", VOCAB_PRE_LLAMA3, VOCAB_IGNORE_MERGES | VOCAB_ADD_BOS},
    {"llama-v3", VOCAB_PRE_LLAMA3, VOCAB_IGNORE_MERGES | VOCAB_ADD_BOS},
    {"llama-bpe", VOCAB_PRE_LLAMA3, VOCAB_IGNORE_MERGES | VOCAB_ADD_BOS},
    {"falcon3", VOCAB_PRE_LLAMA3, VOCAB_IGNORE_MERGES | VOCAB_ADD_BOS},
    {"falcon-h1", VOCAB_PRE_LLAMA3, VOCAB_IGNORE_MERGES | VOCAB_ADD_BOS},
    {"pixtral", VOCAB_PRE_LLAMA3, VOCAB_IGNORE_MERGES | VOCAB_ADD_BOS},
    {"midm-2.0", VOCAB_PRE_LLAMA3, VOCAB_IGNORE_MERGES | VOCAB_ADD_BOS},
    {"lfm2", VOCAB_PRE_LLAMA3, VOCAB_IGNORE_MERGES | VOCAB_ADD_BOS},
    {"dbrx", VOCAB_PRE_LLAMA3, 0},
    {"smaug-bpe", VOCAB_PRE_LLAMA3, 0},
    {"glm4", VOCAB_PRE_LLAMA3, 0},
    {"chatglm-bpe", VOCAB_PRE_LLAMA3, 0},
    {"qwen2", VOCAB_PRE_QWEN2, 0},
    {"deepseek-r1-qwen", VOCAB_PRE_QWEN2, 0},
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
    {"falcon", VOCAB_PRE_FALCON, 0},
    {"starcoder", VOCAB_PRE_STARCODER, 0},
    {"refact", VOCAB_PRE_STARCODER, 0},
    {"command-r", VOCAB_PRE_STARCODER, 0},
    {"smollm", VOCAB_PRE_STARCODER, 0},
    {"codeshell", VOCAB_PRE_STARCODER, 0},
    {"exaone", VOCAB_PRE_STARCODER, 0},
    {"minerva-7b", VOCAB_PRE_STARCODER, 0},
    {"mellum2", VOCAB_PRE_STARCODER, 0},
    {"tekken", VOCAB_PRE_TEKKEN, VOCAB_IGNORE_MERGES | VOCAB_ADD_BOS},
    {"gpt-4o", VOCAB_PRE_GPT4O, 0},
    {"llama4", VOCAB_PRE_GPT4O, 0},
    {"kanana2", VOCAB_PRE_GPT4O, 0},
    {"minimax-m2", VOCAB_PRE_GPT4O, 0},
    {"poro-chat", VOCAB_PRE_BLOOM, 0},
    {"bloom", VOCAB_PRE_BLOOM, 0},
    {"gpt3-finnish", VOCAB_PRE_BLOOM, 0},
    {"viking", VOCAB_PRE_VIKING, 0},
    {"bailingmoe", VOCAB_PRE_BAILING, 0},
    {"bailingmoe2", VOCAB_PRE_BAILING, 0},
    {"llada-moe", VOCAB_PRE_BAILING, 0},
    {"seed-coder", VOCAB_PRE_SEED_CODER, 0},
};

/* Control tokens that end a turn, whatever the metadata call them. */
static const char *const end_names[] = {
    "<|eot_id|>",      "<|im_end|>", "<|end|>",    "<end_of_turn>", "<|endoftext|>",
    "<|end_of_text|>", "<|eom_id|>", "<|eot|>",    "<EOT>",         "_<EOT>",
    "< EOT >",         "[EOT]",      "<|return|>", "<|call|>",      "<\uff5cend\u2581of\u2581sentence\uff5c>",
};

static uint32_t hash_bytes(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint32_t h = 2166136261u; /* FNV-1a, then mixed, since the tables use the low bits */
    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 16777619u;
    h ^= h >> 15;
    h *= 0x2c1b3c6du;
    return h ^ h >> 12;
}

static uint32_t hash_pair(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32 ^ h >> 12);
}

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
    uint32_t bytes[256];
    int16_t letter_byte[512]; /* GPT-2's byte letters: code point -> byte, or -1 */
} writer;

static wisp_status no_memory(writer *w)
{
    return base_fail(w->report, WISP_E_MEMORY, "vocabulary: out of memory");
}

static base_span piece_text(const writer *w, uint32_t piece)
{
    const uint32_t *offsets = (const uint32_t *)(const void *)w->offsets.data;
    return (base_span){w->text.data + offsets[piece], offsets[piece + 1] - offsets[piece]};
}

/* The slot that holds the text, or the free one where it belongs. */
static uint32_t slot_of(const writer *w, const void *text, size_t size)
{
    uint32_t at = hash_bytes(text, size) & w->mask;
    for (; w->slots[at]; at = (at + 1) & w->mask) {
        base_span have = piece_text(w, w->slots[at] - 1);
        if (have.size == size && memcmp(have.data, text, size) == 0) break;
    }
    return at;
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
        base_span s = piece_text(w, old[i] - 1);
        slots[slot_of(w, s.data, s.size)] = old[i];
    }
    base_free(old);
    return true;
}

static void add_piece(writer *w, const void *text, size_t size)
{
    base_put(&w->text, text, size);
    base_put_u32(&w->offsets, (uint32_t)w->text.size);
    w->pieces++;
}

/* Makes a piece findable; the first of equal texts wins. */
static bool index_piece(writer *w, uint32_t piece)
{
    if (!grow_slots(w)) return false;
    base_span s = piece_text(w, piece);
    uint32_t at = slot_of(w, s.data, s.size);
    if (!w->slots[at]) {
        w->slots[at] = piece + 1;
        w->used++;
    }
    return true;
}

/* The piece of that text, made if there is none; VOCAB_ABSENT: out of memory. */
static uint32_t need_piece(writer *w, const void *text, size_t size)
{
    uint32_t slot = w->slots[slot_of(w, text, size)];
    if (slot) return slot - 1;
    add_piece(w, text, size);
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

static uint32_t type_of(const base_vocab_source *s, uint32_t id)
{
    int32_t type = s->types ? s->types[id] : VOCAB_NORMAL;
    return type >= VOCAB_NORMAL && type <= VOCAB_BYTE ? (uint32_t)type : VOCAB_NORMAL;
}

static bool is_special(uint32_t type)
{
    return type == VOCAB_UNKNOWN || type == VOCAB_CONTROL || type == VOCAB_USER_DEFINED;
}

/* Byte-level BPE finds a special token only if its text is its own byte letters. */
static bool is_own_letters(base_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x21 || text.data[i] > 0x7e) return false;
    return true;
}

static wisp_status write_tokens(writer *w)
{
    const base_vocab_source *s = w->source;
    uint8_t *findable = base_calloc(s->count, 1);
    if (!findable || !grow_slots(w)) {
        base_free(findable);
        return no_memory(w);
    }
    base_put_u32(&w->offsets, 0);
    for (uint32_t id = 0; id < s->count; id++) {
        base_span text = s->tokens[id];
        uint32_t type = type_of(s, id);
        findable[id] = text.size > 0;
        if (s->kind == VOCAB_BPE && is_special(type)) findable[id] = text.size && is_own_letters(text) ? 2 : 0;
        if (s->kind == VOCAB_BPE && !is_special(type)) {
            findable[id] = text.size && put_letters(w, &w->text, text);
            if (findable[id]) text.size = 0; /* already there */
        }
        add_piece(w, text.data, text.size);
        base_put_u8(&w->types, (uint8_t)type);
    }
    bool ok = !w->text.failed && !w->offsets.failed && !w->types.failed && w->text.size <= INT32_MAX;
    for (int round = 1; round <= 2; round++) /* ordinary tokens win over special ones of the same text */
        for (uint32_t id = 0; ok && id < s->count; id++)
            ok = findable[id] != round || index_piece(w, id);
    base_free(findable);
    return ok ? WISP_OK : no_memory(w);
}

static wisp_status write_bytes(writer *w)
{
    static const char hex[] = "0123456789ABCDEF";
    for (unsigned b = 0; b < 256; b++) {
        uint8_t byte = (uint8_t)b;
        if (w->source->kind == VOCAB_BPE) {
            w->bytes[b] = need_piece(w, &byte, 1);
            if (w->bytes[b] == VOCAB_ABSENT) return no_memory(w);
            continue;
        }
        char name[6] = {'<', '0', 'x', hex[b >> 4], hex[b & 15], '>'};
        uint32_t slot = w->slots[slot_of(w, name, sizeof name)];
        if (!slot) slot = w->slots[slot_of(w, &byte, 1)];
        w->bytes[b] = slot ? slot - 1 : VOCAB_ABSENT;
    }
    return WISP_OK;
}

static uint32_t *merge_slot(const writer *w, uint32_t left, uint32_t right)
{
    uint32_t at = hash_pair(left, right) & w->merge_mask;
    for (; w->merge_slots[at]; at = (at + 1) & w->merge_mask) {
        base_vocab_merge m;
        memcpy(&m, w->merges.data + (size_t)(w->merge_slots[at] - 1) * sizeof m, sizeof m);
        if (m.left == left && m.right == right) break;
    }
    return &w->merge_slots[at];
}

/* One merge, "left right" in byte letters; one that is not of that form can never apply and is left out. */
static bool write_merge(writer *w, base_span text, base_buffer *scratch)
{
    const uint8_t *space = text.size > 2 ? memchr(text.data + 1, ' ', text.size - 1) : NULL;
    if (!space) return true;
    base_span left = {text.data, (size_t)(space - text.data)}, right = {space + 1, text.size - left.size - 1};
    scratch->size = 0;
    if (!put_letters(w, scratch, left)) return !scratch->failed;
    size_t cut = scratch->size;
    if (!put_letters(w, scratch, right) || scratch->size == cut) return !scratch->failed;
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
        if (is_special(type_of(w->source, id)) && piece_text(w, id).size) base_put_u32(&w->specials, id);
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
    if (id < 0 || count >= ENDS_MAX || w->ends.failed) return;
    for (size_t i = 0; i < count; i++)
        if (ends[i] == (uint32_t)id) return;
    base_put_u32(&w->ends, (uint32_t)id);
}

static wisp_status write_ends(writer *w)
{
    const base_vocab_source *s = w->source;
    add_end(w, s->eos);
    add_end(w, s->eot);
    bool returns = false; /* where a turn ends with <|return|>, <|end|> only ends a part of it */
    for (uint32_t id = 0; id < s->count; id++)
        returns |= is_special(type_of(s, id)) && is_text(s->tokens[id], "<|return|>");
    for (uint32_t id = 0; id < s->count; id++) {
        if (!is_special(type_of(s, id))) continue;
        for (size_t i = 0; i < sizeof end_names / sizeof *end_names; i++)
            if (is_text(s->tokens[id], end_names[i]) && !(returns && is_text(s->tokens[id], "<|end|>"))) add_end(w, id);
    }
    return w->ends.failed ? no_memory(w) : WISP_OK;
}

static wisp_status find_pre(const base_vocab_source *s, uint32_t *pre, uint32_t *flags, wisp_report *report)
{
    *pre = VOCAB_PRE_NONE;
    *flags = VOCAB_ADD_BOS | VOCAB_ADD_SPACE;
    if (s->kind == VOCAB_SPM) return WISP_OK;
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
    if (s->kind != VOCAB_SPM && s->kind != VOCAB_BPE)
        return base_fail(report, WISP_E_UNSUPPORTED, "vocabulary: unknown kind %u", (unsigned)s->kind);
    if (s->count == 0 || s->count > TOKENS_MAX)
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
    if (s->kind == VOCAB_BPE && s->merge_count > TOKENS_MAX)
        return base_fail(report, WISP_E_INPUT, "vocabulary: %u merges", (unsigned)s->merge_count);
    return WISP_OK;
}

static void put_block(writer *w, base_buffer *out, uint32_t pre, uint32_t flags)
{
    const base_vocab_source *s = w->source;
    bool bpe = s->kind == VOCAB_BPE;
    uint32_t specials = (uint32_t)(w->specials.size / 4), ends = (uint32_t)(w->ends.size / 4);
    uint32_t head[HEAD_WORDS] = {VERSION, s->kind, pre, flags, s->count, w->pieces,
                                 /* -1, none, is VOCAB_ABSENT */
                                 (uint32_t)s->bos, (uint32_t)s->eos, (uint32_t)s->unk, (uint32_t)s->eot, specials, ends,
                                 w->merge_count, w->mask + 1, bpe ? w->merge_mask + 1 : 0, (uint32_t)w->text.size};
    base_put(out, magic, sizeof magic);
    base_put(out, head, sizeof head);
    base_put(out, w->offsets.data, w->offsets.size);
    for (uint32_t i = 0; !bpe && i < s->count; i++)
        base_put_f32(out, s->scores ? s->scores[i] : 0.0f);
    base_put(out, w->bytes, sizeof w->bytes);
    base_put(out, w->specials.data, w->specials.size);
    base_put(out, w->ends.data, w->ends.size);
    base_put(out, w->merges.data, w->merges.size);
    base_put(out, w->slots, ((size_t)w->mask + 1) * 4);
    if (bpe) base_put(out, w->merge_slots, ((size_t)w->merge_mask + 1) * 4);
    base_put(out, w->types.data, w->types.size);
    base_put(out, w->text.data, w->text.size);
}

/* Does the text hold SentencePiece's space after anything but such spaces? */
static bool has_inner_space(base_span text)
{
    static const char mark[] = "\u2581";
    bool other = false;
    for (size_t at = 0; at < text.size;) {
        bool space = text.size - at >= 3 && memcmp(text.data + at, mark, 3) == 0;
        if (space && other) return true;
        other |= !space;
        at += space ? 3 : 1;
    }
    return false;
}

static wisp_status write_all(writer *w, base_buffer *out)
{
    const base_vocab_source *s = w->source;
    uint32_t pre, flags;
    BASE_TRY(check_source(s, w->report));
    BASE_TRY(find_pre(s, &pre, &flags, w->report));
    set_flag(&flags, VOCAB_ADD_BOS, s->add_bos);
    set_flag(&flags, VOCAB_ADD_EOS, s->add_eos);
    if (s->kind == VOCAB_SPM) {
        set_flag(&flags, VOCAB_ADD_SPACE, s->add_space_prefix);
        set_flag(&flags, VOCAB_TRIM_SPACES, s->remove_extra_whitespaces);
        flags |= VOCAB_WORDS_APART;
        for (uint32_t i = 0; i < s->count; i++)
            if (has_inner_space(s->tokens[i])) flags &= ~(uint32_t)VOCAB_WORDS_APART;
    }
    make_letters(w);
    BASE_TRY(write_tokens(w));
    BASE_TRY(write_bytes(w));
    if (s->kind == VOCAB_BPE) BASE_TRY(write_merges(w));
    BASE_TRY(write_specials(w));
    BASE_TRY(write_ends(w));
    put_block(w, out, pre, flags);
    return out->failed ? no_memory(w) : WISP_OK;
}

wisp_status base_vocab_write(base_buffer *out, const base_vocab_source *source, wisp_report *report)
{
    writer *w = base_calloc(1, sizeof *w);
    if (!w) return base_fail(report, WISP_E_MEMORY, "vocabulary: out of memory");
    w->source = source;
    w->report = report;
    wisp_status status = write_all(w, out);
    base_buffer *const buffers[] = {&w->offsets, &w->text, &w->types, &w->merges, &w->specials, &w->ends};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        base_buffer_fini(buffers[i]);
    base_free(w->slots);
    base_free(w->merge_slots);
    base_free(w);
    return status;
}

/* ---- reader ---- */

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

static wisp_status check_head(const base_vocab *v, const uint32_t *head, wisp_report *report)
{
    bool bpe = v->kind == VOCAB_BPE;
    if (head[0] != VERSION)
        return base_fail(report, WISP_E_UNSUPPORTED, "vocabulary: version %u, this engine knows %d", (unsigned)head[0],
                         VERSION);
    if ((!bpe && v->kind != VOCAB_SPM) || v->pre >= VOCAB_PRE_COUNT || bpe == (v->pre == VOCAB_PRE_NONE))
        return base_fail(report, WISP_E_UNSUPPORTED, "vocabulary: kind %u, pre-tokenizer %u", (unsigned)v->kind,
                         (unsigned)v->pre);
    if (v->count == 0 || v->count > TOKENS_MAX || v->piece_count < v->count || v->piece_count > 4u * TOKENS_MAX ||
        (!bpe && (v->piece_count != v->count || v->merge_count)))
        return base_fail(report, WISP_E_INPUT, "vocabulary: impossible counts");
    if (!is_table_size(head[13]) || (bpe && !is_table_size(head[14])) || (!bpe && head[14] != 0))
        return base_fail(report, WISP_E_INPUT, "vocabulary: impossible table sizes");
    const uint32_t ids[] = {v->bos, v->eos, v->unk, v->eot};
    for (int i = 0; i < 4; i++)
        if (ids[i] >= v->count && ids[i] != VOCAB_ABSENT)
            return base_fail(report, WISP_E_INPUT, "vocabulary: a special token's id is out of range");
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

static wisp_status check_ids(const base_vocab *v, wisp_report *report)
{
    bool ok = all_below(v->token_slots, v->token_mask + 1, v->piece_count + 1) &&
              all_below(v->specials, v->special_count, v->count) && all_below(v->ends, v->end_count, v->count) &&
              all_below((const uint32_t *)v->merges, v->merge_count * 3, v->piece_count);
    if (ok && v->merge_slots) ok = all_below(v->merge_slots, v->merge_mask + 1, v->merge_count + 1);
    for (int b = 0; ok && b < 256; b++)
        ok = v->bytes[b] < v->piece_count || (v->bytes[b] == VOCAB_ABSENT && v->kind == VOCAB_SPM);
    for (uint32_t i = 0; ok && i < v->special_count; i++) {
        size_t size = base_vocab_text(v, v->specials[i]).size;
        ok = size > 0 && (i == 0 || size <= base_vocab_text(v, v->specials[i - 1]).size);
    }
    /* a merge joins its two texts: what the tokenizer relies on to know how far a piece reaches */
    for (uint32_t i = 0; ok && i < v->merge_count; i++) {
        const base_vocab_merge *m = &v->merges[i];
        ok = base_vocab_text(v, m->left).size + base_vocab_text(v, m->right).size == base_vocab_text(v, m->result).size;
    }
    return ok ? WISP_OK : base_fail(report, WISP_E_INPUT, "vocabulary: a table names a token that is not there");
}

wisp_status base_vocab_open(base_vocab *v, base_span block, wisp_report *report)
{
    memset(v, 0, sizeof *v);
    if ((uintptr_t)block.data % 4) return base_fail(report, WISP_E_INPUT, "vocabulary: the block is not aligned");
    base_reader r = base_reader_of(block.data, block.size);
    base_span m = base_read_span(&r, sizeof magic);
    const uint32_t *head = take(&r, HEAD_WORDS, 4);
    if (r.failed || memcmp(m.data, magic, sizeof magic) != 0)
        return base_fail(report, WISP_E_INPUT, "vocabulary: not a vocabulary block");
    *v = (base_vocab){.kind = head[1],
                      .pre = head[2],
                      .flags = head[3],
                      .count = head[4],
                      .piece_count = head[5],
                      .bos = head[6],
                      .eos = head[7],
                      .unk = head[8],
                      .eot = head[9],
                      .special_count = head[10],
                      .end_count = head[11],
                      .merge_count = head[12],
                      .token_mask = head[13] - 1,
                      .merge_mask = head[14] - 1};
    BASE_TRY(check_head(v, head, report));
    v->offsets = take(&r, (uint64_t)v->piece_count + 1, 4);
    if (v->kind == VOCAB_SPM) v->scores = take(&r, v->count, 4);
    v->bytes = take(&r, 256, 4);
    v->specials = take(&r, v->special_count, 4);
    v->ends = take(&r, v->end_count, 4);
    v->merges = take(&r, v->merge_count, sizeof *v->merges);
    v->token_slots = take(&r, head[13], 4);
    if (v->kind == VOCAB_BPE) v->merge_slots = take(&r, head[14], 4);
    v->types = take(&r, v->count, 1);
    v->text = take(&r, head[15], 1);
    if (r.failed) return base_fail(report, WISP_E_TRUNCATED, "vocabulary: the block ends too early");
    if (v->end_count > ENDS_MAX || v->special_count > v->count || v->merge_count > TOKENS_MAX)
        return base_fail(report, WISP_E_INPUT, "vocabulary: impossible counts");
    BASE_TRY(check_texts(v, head[15], report));
    return check_ids(v, report);
}

uint32_t base_vocab_find(const base_vocab *v, const void *text, size_t size)
{
    uint32_t at = hash_bytes(text, size) & v->token_mask;
    for (uint32_t probes = 0; probes <= v->token_mask && v->token_slots[at]; probes++, at = (at + 1) & v->token_mask) {
        base_span have = base_vocab_text(v, v->token_slots[at] - 1);
        if (have.size == size && memcmp(have.data, text, size) == 0) return v->token_slots[at] - 1;
    }
    return VOCAB_ABSENT;
}

uint32_t base_vocab_find_merge(const base_vocab *v, uint32_t left, uint32_t right)
{
    if (!v->merge_slots) return VOCAB_ABSENT;
    uint32_t at = hash_pair(left, right) & v->merge_mask;
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
