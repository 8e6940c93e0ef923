/* The vocabulary of a model as one position-independent block: made by the compiler, used in place by the guest without
 * any work at start (hash tables are stored, not built). Writer and reader share vocab.c; the reader checks every
 * offset and index once, in base_vocab_open.
 */
#ifndef BASE_VOCAB_H
#define BASE_VOCAB_H
#include "base/bytes.h"
#include "base/err.h"

/* Tokenizer families (GGUF tokenizer.ggml.model). */
enum { VOCAB_SPM = 1 /* "llama": SentencePiece BPE */, VOCAB_BPE = 2 /* "gpt2": byte-level BPE */ };
/* Token types, GGUF's numbers. */
enum { VOCAB_NORMAL = 1, VOCAB_UNKNOWN = 2, VOCAB_CONTROL = 3, VOCAB_USER_DEFINED = 4, VOCAB_UNUSED = 5, VOCAB_BYTE = 6 };

/* What the compiler knows, as read from GGUF metadata; borrowed. */
typedef struct base_vocab_source {
    uint32_t kind;              /* VOCAB_SPM or VOCAB_BPE */
    base_span pre;              /* tokenizer.ggml.pre, e.g. "llama-bpe"; {NULL,0}: default */
    uint32_t count;
    const base_span *tokens;    /* count; SPM: UTF-8 with U+2581 for space; BPE: GPT-2's byte letters */
    const float *scores;        /* count, or NULL */
    const int32_t *types;       /* count, or NULL: all normal */
    uint32_t merge_count;
    const base_span *merges;    /* "left right" */
    int64_t bos, eos, unk, eot; /* ids, -1: none (eot also covers end-of-turn tokens that end a generation) */
    int add_bos, add_eos, add_space_prefix, remove_extra_whitespaces; /* 0, 1, or -1: not said (the family's default) */
} base_vocab_source;

/* WISP_E_UNSUPPORTED names an unknown pre-tokenizer; WISP_E_INPUT an impossible table (id out of range, NaN score,
 * duplicate tokens that matter, a merge of unknown pieces is ignored as llama.cpp does). */
wisp_status base_vocab_write(base_buffer *out, const base_vocab_source *source, wisp_report *report) WISP_MUST_USE;

#endif
