/* The vocabulary of a model as one position-independent block: made by the compiler, used in place by the guest without
 * any work at start (hash tables are stored, not built). Writer and reader share vocab.c; the reader checks every
 * offset and index once, in base_vocab_open.
 *
 *   0    "WISPVOCB", u32 version = 1, then u32: kind, pre, flags, count, piece count, bos, eos, unk, eot, special
 * count, end count, merge count, token slots, merge slots, text bytes, 0 72   u32 offsets[pieces + 1], f32 scores[SPM:
 * count], u32 bytes[256], u32 specials[], u32 ends[], merges[] (3 u32 each), u32 token slots[], u32 merge slots[], u8
 * types[count], u8 text[]
 */
#ifndef BASE_VOCAB_H
#define BASE_VOCAB_H
#include "base/bytes.h"
#include "base/err.h"

/* Tokenizer families (GGUF tokenizer.ggml.model). */
enum { VOCAB_SPM = 1 /* "llama": SentencePiece BPE */, VOCAB_BPE = 2 /* "gpt2": byte-level BPE */ };
/* Token types, GGUF's numbers. */
enum {
    VOCAB_NORMAL = 1,
    VOCAB_UNKNOWN = 2,
    VOCAB_CONTROL = 3,
    VOCAB_USER_DEFINED = 4,
    VOCAB_UNUSED = 5,
    VOCAB_BYTE = 6
};

/* What the compiler knows, as read from GGUF metadata; borrowed. */
typedef struct base_vocab_source {
    uint32_t kind; /* VOCAB_SPM or VOCAB_BPE */
    base_span pre; /* tokenizer.ggml.pre, e.g. "llama-bpe"; {NULL,0}: default */
    uint32_t count;
    const base_span *tokens; /* count; SPM: UTF-8 with U+2581 for space; BPE: GPT-2's byte letters */
    const float *scores;     /* count, or NULL */
    const int32_t *types;    /* count, or NULL: all normal */
    uint32_t merge_count;
    const base_span *merges;    /* "left right" */
    int64_t bos, eos, unk, eot; /* ids, -1: none (eot also covers end-of-turn tokens that end a generation) */
    int add_bos, add_eos, add_space_prefix, remove_extra_whitespaces; /* 0, 1, or -1: not said (the family's default) */
} base_vocab_source;

/* WISP_E_UNSUPPORTED names an unknown pre-tokenizer; WISP_E_INPUT an impossible table (id out of range, NaN score,
 * duplicate tokens that matter, a merge of unknown pieces is ignored as llama.cpp does). */
wisp_status base_vocab_write(base_buffer *out, const base_vocab_source *source, wisp_report *report) WISP_MUST_USE;

/* How byte-level BPE cuts text into words before merging (guest/split.c has the rule of each). The names that GGUF
 * files use for them are in vocab.c. */
typedef enum base_vocab_pre {
    VOCAB_PRE_NONE = 0, /* SPM */
    VOCAB_PRE_DEFAULT,
    VOCAB_PRE_GPT2,
    VOCAB_PRE_LLAMA3,
    VOCAB_PRE_QWEN2,
    VOCAB_PRE_QWEN35,
    VOCAB_PRE_DEEPSEEK_LLM,
    VOCAB_PRE_DEEPSEEK_CODER,
    VOCAB_PRE_DEEPSEEK3,
    VOCAB_PRE_FALCON,
    VOCAB_PRE_STARCODER,
    VOCAB_PRE_TEKKEN,
    VOCAB_PRE_GPT4O,
    VOCAB_PRE_BLOOM,
    VOCAB_PRE_VIKING,
    VOCAB_PRE_BAILING,
    VOCAB_PRE_SEED_CODER,
    VOCAB_PRE_COUNT
} base_vocab_pre;

enum {
    VOCAB_ADD_BOS = 1,
    VOCAB_ADD_EOS = 2,
    VOCAB_ADD_SPACE = 4,     /* SPM: a space before the text */
    VOCAB_IGNORE_MERGES = 8, /* BPE: a word that is a token stays one */
    VOCAB_TRIM_SPACES = 16,  /* SPM: runs of spaces become one */
    VOCAB_WORDS_APART = 32   /* SPM: no token has a space after something else, so words tokenize one by one */
};
#define VOCAB_ABSENT UINT32_MAX

/* A merge of two pieces; its rank is its index. */
typedef struct base_vocab_merge {
    uint32_t left, right, result;
} base_vocab_merge;

/* A checked view of a block. Pieces are the tokens and, after them, texts that only occur inside merges. A piece's text
 * is UTF-8 with U+2581 for space in SPM, and plain bytes in BPE (the byte letters are decoded by the writer). */
typedef struct base_vocab {
    uint32_t kind, pre, flags;
    uint32_t count, piece_count;
    uint32_t bos, eos, unk, eot; /* VOCAB_ABSENT: none */
    const uint32_t *offsets;     /* piece_count + 1, into text */
    const uint8_t *text;
    const float *scores;   /* SPM: count; else NULL */
    const uint8_t *types;  /* count; VOCAB_NORMAL ... */
    const uint32_t *bytes; /* 256: the piece of a single byte, or VOCAB_ABSENT */
    uint32_t special_count, end_count;
    const uint32_t *specials; /* tokens that are recognized in text as a whole; longest first, then by bytes */
    const uint32_t *ends;     /* tokens that end a generation */
    uint32_t merge_count;
    const base_vocab_merge *merges;
    uint32_t token_mask, merge_mask;           /* sizes of the hash tables less one */
    const uint32_t *token_slots, *merge_slots; /* index + 1; 0: free; linear probing */
} base_vocab;

/* `block` must be 4-byte aligned and outlive the view. */
wisp_status base_vocab_open(base_vocab *v, base_span block, wisp_report *report) WISP_MUST_USE;
static inline base_span base_vocab_text(const base_vocab *v, uint32_t piece)
{
    return (base_span){v->text + v->offsets[piece], v->offsets[piece + 1] - v->offsets[piece]};
}
/* The piece that the tokenizer may make of these bytes; VOCAB_ABSENT: none. */
uint32_t base_vocab_find(const base_vocab *v, const void *text, size_t size);
/* The rank (index in merges) of a pair of pieces; VOCAB_ABSENT: they do not merge. */
uint32_t base_vocab_find_merge(const base_vocab *v, uint32_t left, uint32_t right);
bool base_vocab_is_end(const base_vocab *v, uint32_t token);

#endif
