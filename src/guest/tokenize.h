/* Text to tokens and back. */
#ifndef GUEST_TOKENIZE_H
#define GUEST_TOKENIZE_H
#include "base/bytes.h"
#include "base/err.h"
#include "base/vocab.h"
#include <stdbool.h>

typedef struct guest_tokens {
    uint32_t *ids;
    size_t count, capacity;
} guest_tokens;

void guest_tokens_fini(guest_tokens *t);

typedef struct guest_tokenizer guest_tokenizer;

enum {
    GUEST_TOKENIZE_SPECIAL = 1, /* control tokens written in the text are recognized (user-defined ones always are) */
    GUEST_TOKENIZE_ADD = 2      /* BOS and EOS as the model says */
};

wisp_status guest_tokenizer_new(guest_tokenizer **tokenizer, const base_vocab *vocab,
                                wisp_report *report) WISP_MUST_USE;
void guest_tokenizer_free(guest_tokenizer *tokenizer);
/* Appends to `out`. */
wisp_status guest_tokenize(guest_tokenizer *t, base_span text, unsigned flags, guest_tokens *out,
                           wisp_report *report) WISP_MUST_USE;

/* Steps taken so far: what a text costs, apart from the machine. */
uint64_t guest_tokenize_work(const guest_tokenizer *t);

/* Tokens to valid UTF-8, one by one: bytes wait until their character is complete, and become U+FFFD once it cannot be
 * any more. Control tokens are nothing. */
typedef struct guest_detokenizer {
    const base_vocab *vocab;
    bool at_start; /* nothing but special tokens before: SentencePiece's leading space is dropped */
    uint8_t waiting[4];
    uint8_t waiting_size;
} guest_detokenizer;

void guest_detokenize(guest_detokenizer *d, uint32_t token, base_buffer *out);
void guest_detokenize_end(guest_detokenizer *d, base_buffer *out);
/* Appends one token's own bytes, special or not; they need not be UTF-8. */
void guest_token_piece(const base_vocab *v, uint32_t token, base_buffer *out);

#endif
