/* What the files of the tokenizer share. */
#ifndef GUEST_TOKENIZE_STATE_H
#define GUEST_TOKENIZE_STATE_H
#include "guest/split.h"
#include "guest/tokenize.h"

#define SPACE_MARK "\u2581" /* SentencePiece's space */

/* A part of a word: the text of one piece, or nothing once it was merged into its left neighbour. */
typedef struct token_symbol {
    int32_t before, after; /* neighbours, -1: none */
    uint32_t start, size;  /* bytes of the word */
    uint32_t piece;        /* VOCAB_ABSENT: no piece has that text */
} token_symbol;

/* Two neighbours that could merge. */
typedef struct token_pair {
    uint32_t key; /* smaller merges first; then the left one */
    uint32_t left, right;
    uint32_t size; /* of both together: if it differs, the pair is out of date */
    uint32_t result;
} token_pair;

/* The best way to the end of a prefix of a word (Unigram). */
typedef struct token_path {
    double score;
    uint32_t from, token;
} token_path;

typedef struct token_fragment {
    size_t start, end;
    uint32_t token; /* VOCAB_ABSENT: text */
    bool dirty;     /* text in which a special token may be */
} token_fragment;

/* Specials of one length, sorted by bytes. */
typedef struct token_group {
    const uint32_t *ids;
    uint32_t count;
    size_t size;
} token_group;

/* What a short word became last time: most words of a text are few. */
enum { TOKEN_MEMO_TEXT = 30, TOKEN_MEMO_IDS = 4, TOKEN_MEMOS = 8192 };
typedef struct token_memo {
    uint32_t ids[TOKEN_MEMO_IDS];
    uint8_t count, size; /* size 0: free */
    uint8_t text[TOKEN_MEMO_TEXT];
} token_memo;

struct guest_tokenizer {
    const base_vocab *vocab;
    guest_split *split; /* BPE */
    token_symbol *symbols;
    size_t symbol_count, symbol_room;
    token_pair *heap;
    size_t heap_count, heap_room;
    token_path *paths;
    size_t path_room;
    double unknown_score; /* Unigram: of a character that no token covers */
    token_group *groups;
    size_t group_count, group_room;
    uint64_t first_two[2][65536 / 64]; /* the two bytes that a special token may begin with: user-defined ones, all */
    token_fragment *fragments, *other;
    size_t fragment_count, fragment_room, other_count, other_room;
    base_buffer normal, marked; /* the text under way, after each step */
    token_memo *memos;          /* NULL until a long text comes */
    guest_tokens *out;          /* during a call */
    size_t fragment_start;      /* tokens before the fragment under way */
    bool fused;                 /* an unknown token was left out, since it follows one */
    uint64_t work;
};

/* Appends a token; neighbouring unknown ones may be one. */
bool token_put(guest_tokenizer *t, uint32_t id);
/* A text that is no token goes out byte by byte if the vocabulary has bytes, else as the unknown token, else not. */
bool token_put_bytes(guest_tokenizer *t, const uint8_t *text, size_t size);

/* One word of each kind. */
bool token_merge_bytes(guest_tokenizer *t, base_span word);
bool token_merge_marked(guest_tokenizer *t, base_span word);
bool token_unigram_word(guest_tokenizer *t, base_span word);
bool token_piece_word(guest_tokenizer *t, base_span word);
/* A whole text of RWKV's kind. */
bool token_greedy_text(guest_tokenizer *t, base_span text);

/* Cuts the text at special tokens, into t->fragments. */
bool token_partition(guest_tokenizer *t, base_span text, unsigned flags);
bool token_prepare_specials(guest_tokenizer *t);

#endif
