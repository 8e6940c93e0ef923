/* The vocabulary of a model as one position-independent block: made by the compiler (vocab_write.c), used in place by
 * the guest without any work at start (hash tables and tries are stored, not built). The reader checks every offset and
 * index once, in base_vocab_open.
 *
 *   0    "WISPVOCB", then u32: version = 2, kind, pre, flags, normalizer, count, piece count, bos, eos, unk, eot,
 *        special count, end count, merge count, token slots, merge slots, trie nodes, map words, map bytes, word max,
 * text bytes 92   u32 offsets[pieces + 1], f32 scores[SPM, Unigram: count], u32 bytes[256], u32 joins[8], u32
 * specials[], u32 ends[], merges[] (3 u32 each), u32 token slots[], u32 merge slots[], u32 trie first[nodes + 1], u32
 * trie tokens[nodes], u32 map[], u8 types[count], u8 trie labels[nodes], u8 map texts[], u8 text[]
 */
#ifndef BASE_VOCAB_H
#define BASE_VOCAB_H
#include "base/bytes.h"
#include "base/err.h"

/* Tokenizer families (GGUF tokenizer.ggml.model). */
enum {
    VOCAB_SPM = 1,     /* "llama": SentencePiece BPE, merges by score */
    VOCAB_BPE = 2,     /* "gpt2": BPE, merges by rank; over bytes, or over UTF-8 with VOCAB_RAW */
    VOCAB_UNIGRAM = 3, /* "t5": the most probable sequence */
    VOCAB_WORDS = 4,   /* "bert": WordPiece, the longest match inside a word */
    VOCAB_GREEDY = 5,  /* "rwkv": the longest match */
    VOCAB_KINDS
};
/* Token types, GGUF's numbers. */
enum {
    VOCAB_NORMAL = 1,
    VOCAB_UNKNOWN = 2,
    VOCAB_CONTROL = 3,
    VOCAB_USER_DEFINED = 4,
    VOCAB_UNUSED = 5,
    VOCAB_BYTE = 6
};
/* What is done to a text before anything else, in this order. */
enum {
    VOCAB_CLEAN = 1, /* BERT: control characters go, white space becomes a space */
    VOCAB_CJK = 2,   /* BERT: spaces around CJK ideographs */
    VOCAB_DECOMPOSE = 4 /* NFD */,
    VOCAB_COMPOSE = 8,        /* then NFC */
    VOCAB_COMPATIBLE = 16,    /* the compatibility forms of both: NFKD, NFKC */
    VOCAB_STRIP_ACCENTS = 32, /* nonspacing marks go (after NFD) */
    VOCAB_LOWERCASE = 64,
    VOCAB_NORMALIZER_BITS = 127
};
/* White space beside a special token that belongs to it. */
enum { VOCAB_STRIP_LEFT = 1, VOCAB_STRIP_RIGHT = 2 };

/* What the compiler knows, as read from a model's files; borrowed. Zeros, -1 and NULL mean "not said". */
typedef struct base_vocab_source {
    uint32_t kind;
    base_span pre; /* tokenizer.ggml.pre, e.g. "llama-bpe"; {NULL,0}: default */
    uint32_t count;
    const base_span *tokens; /* count; as GGUF writes them: U+2581 for space, byte letters in BPE, escapes in GREEDY */
    const float *scores;     /* count, or NULL */
    const int32_t *types;    /* count, or NULL: all normal */
    const uint8_t *strip;    /* count: VOCAB_STRIP_*, or NULL */
    uint32_t merge_count;
    const base_span *merges;    /* "left right" */
    int64_t bos, eos, unk, eot; /* ids, -1: none; for WordPiece bos is [CLS], eos is [SEP] */
    uint32_t normalizer;        /* VOCAB_CLEAN ... */
    base_span charsmap;         /* Unigram: SentencePiece's precompiled normalizer */
    int add_bos, add_eos, add_space_prefix, remove_extra_whitespaces; /* 0, 1, or -1: not said (the family's default) */
    int ignore_merges, byte_fallback, space_as_suffix, fuse_unknown;  /* likewise */
    uint32_t more_flags;                                              /* VOCAB_SPACE_ONCE, CUT_SPACES, SPACE_UNLESS */
    uint32_t word_max; /* WordPiece: a word of more characters is unknown; 0: no limit */
    const uint32_t *ends; /* end_count further ids that end a generation; those past count are left out */
    uint32_t end_count;
} base_vocab_source;

/* WISP_E_UNSUPPORTED names an unknown pre-tokenizer; WISP_E_INPUT an impossible table (id out of range, NaN score,
 * duplicate tokens that matter, a merge of unknown pieces is ignored as llama.cpp does). */
wisp_status base_vocab_write(base_buffer *out, const base_vocab_source *source, wisp_report *report) WISP_MUST_USE;
/* Is that a name of tokenizer.ggml.pre that base_vocab_write knows? */
bool base_vocab_knows_pre(base_span name);

/* How BPE cuts text into words before merging (guest/split_rules.c has the rule of each). The names that GGUF files use
 * for them are in vocab_write.c. */
typedef enum base_vocab_pre {
    VOCAB_PRE_NONE = 0, /* every kind but BPE; raw BPE that cuts nowhere */
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
    VOCAB_PRE_LINES,
    VOCAB_PRE_JAIS2,
    VOCAB_PRE_SPARK,
    VOCAB_PRE_YOUTU,
    VOCAB_PRE_GRANITE_MULTI,
    VOCAB_PRE_TINY_AYA,
    VOCAB_PRE_UFAKZEKA,
    VOCAB_PRE_AFMOE,
    VOCAB_PRE_LAGUNA,
    VOCAB_PRE_EXAONE_MOE,
    VOCAB_PRE_MINICPM5,
    VOCAB_PRE_O200K,
    VOCAB_PRE_TEKKEN_CASED,
    VOCAB_PRE_COUNT
} base_vocab_pre;

enum {
    VOCAB_ADD_BOS = 1,
    VOCAB_ADD_EOS = 2,
    VOCAB_ADD_SPACE = 4,       /* a space before (or after) the text */
    VOCAB_IGNORE_MERGES = 8,   /* BPE: a word that is a token stays one */
    VOCAB_TRIM_SPACES = 16,    /* runs of spaces become one, none remain at the ends */
    VOCAB_RAW = 32,            /* BPE: pieces are UTF-8 with U+2581 for space, not bytes */
    VOCAB_SPACE_SUFFIX = 64,   /* the added space comes after the text */
    VOCAB_SPACE_ONCE = 128,    /* the space is added at the start of the whole text only, not after special tokens */
    VOCAB_BYTE_FALLBACK = 256, /* what is no token goes out as byte tokens */
    VOCAB_FUSE_UNKNOWN = 512,  /* neighbouring unknown tokens become one */
    VOCAB_CUT_SPACES = 1024,   /* no piece reaches over a space, whatever the tokens are */
    VOCAB_SPACE_UNLESS = 2048, /* the space is added only where the text does not begin with one */
    VOCAB_FLAG_BITS = 4095
};
#define VOCAB_ABSENT UINT32_MAX
#define VOCAB_SLOT_BITS 0x3ffffffu /* of a token slot: the index + 1 */
#define VOCAB_ID_BITS 0xffffffu    /* of an entry of specials; the bits above are VOCAB_STRIP_* << 24 */

/* A merge of two pieces; its rank is its index. */
typedef struct base_vocab_merge {
    uint32_t left, right, result;
} base_vocab_merge;

/* A checked view of a block. Pieces are the tokens and, after them, texts that only occur inside merges. A piece's text
 * is plain bytes in byte-level BPE and GREEDY (letters and escapes are decoded by the writer), else UTF-8 with U+2581
 * for space. */
typedef struct base_vocab {
    uint32_t kind, pre, flags, normalizer;
    uint32_t count, piece_count, word_max;
    uint32_t bos, eos, unk, eot; /* VOCAB_ABSENT: none */
    const uint32_t *offsets;     /* piece_count + 1, into text */
    const uint8_t *text;
    const float *scores;   /* SPM, Unigram: count; else NULL */
    const uint8_t *types;  /* count; VOCAB_NORMAL ... */
    const uint32_t *bytes; /* 256: the piece of a single byte, or VOCAB_ABSENT */
    const uint32_t *joins; /* 256 bits: bytes that stand before U+2581 inside a piece. After any other byte a text may
                              be cut before U+2581: no piece reaches across */
    uint32_t special_count, end_count;
    const uint32_t *specials; /* tokens that are recognized in text as a whole; longest first, then by bytes */
    const uint32_t *ends;     /* tokens that end a generation */
    uint32_t merge_count;
    const base_vocab_merge *merges;
    uint32_t token_mask, merge_mask;           /* sizes of the hash tables less one */
    const uint32_t *token_slots, *merge_slots; /* index + 1; 0: free; linear probing. Token slots also have the upper 6
                                                  bits of the hash, so that most misses touch nothing else */
    /* Tokens by their bytes, for longest and shortest matches: node 0 is the root; the children of node n are the nodes
     * trie_first[n] to trie_first[n + 1] - 1, ascending by label, all after n. */
    uint32_t node_count;
    const uint32_t *trie_first, *trie_tokens;
    const uint8_t *trie_labels;
    /* SentencePiece's map: a double array and the texts that it points into, each ended by a zero byte. */
    uint32_t map_words, map_bytes;
    const uint32_t *map;
    const uint8_t *map_texts;
} base_vocab;

/* `block` must be 4-byte aligned and outlive the view. */
wisp_status base_vocab_open(base_vocab *v, base_span block, wisp_report *report) WISP_MUST_USE;
static inline base_span base_vocab_text(const base_vocab *v, uint32_t piece)
{
    return (base_span){v->text + v->offsets[piece], v->offsets[piece + 1] - v->offsets[piece]};
}
/* The piece that the tokenizer may make of these bytes; VOCAB_ABSENT: none. Only where there are token slots. */
uint32_t base_vocab_find(const base_vocab *v, const void *text, size_t size);
/* The rank (index in merges) of a pair of pieces; VOCAB_ABSENT: they do not merge. */
uint32_t base_vocab_find_merge(const base_vocab *v, uint32_t left, uint32_t right);
/* The node below `node` for that byte; 0: none. */
uint32_t base_vocab_child(const base_vocab *v, uint32_t node, uint8_t byte);
bool base_vocab_is_end(const base_vocab *v, uint32_t token);
/* Do texts of that kind go through the trie? */
static inline bool base_vocab_has_trie(uint32_t kind)
{
    return kind == VOCAB_UNIGRAM || kind == VOCAB_WORDS || kind == VOCAB_GREEDY;
}
uint32_t base_vocab_hash(const void *data, size_t size);
uint32_t base_vocab_hash_pair(uint32_t left, uint32_t right);
#define VOCAB_VERSION 2
enum { VOCAB_HEAD_WORDS = 21, VOCAB_ENDS_MAX = 32, VOCAB_TOKENS_MAX = 1 << 24, VOCAB_PIECES_MAX = VOCAB_SLOT_BITS - 1 };
#define VOCAB_MAGIC "WISPVOCB"

#endif
