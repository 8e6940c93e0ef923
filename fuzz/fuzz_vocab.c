/* Reaches base_vocab_open, base_vocab_find(_merge), guest_tokenize (all kinds, specials), guest_detokenize,
 * guest_token_piece. Input: u8 flags, u8 n, n bytes of text, then a vocabulary block. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "guest/tokenize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tokens(const base_vocab *v, const guest_tokens *tokens)
{
    guest_detokenizer d = {.vocab = v, .at_start = true};
    base_buffer text = {0}, piece = {0};
    for (size_t i = 0; i < tokens->count; i++) {
        BASE_ASSERT(tokens->ids[i] < v->piece_count);
        guest_detokenize(&d, tokens->ids[i], &text);
        guest_token_piece(v, tokens->ids[i], &piece);
    }
    base_buffer_fini(&piece);
    guest_detokenize_end(&d, &text);
    BASE_ASSERT(base_utf8_valid(text.data, text.size));
    base_buffer_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wisp_report report = {0};
    base_vocab v;
    guest_tokenizer *t;
    guest_tokens tokens = {0};
    if (size < 2 || (size_t)data[1] + 2 > size) return 0;
    base_span text = {data + 2, data[1]};
    size_t block_size = size - 2 - text.size;
    uint8_t *block = malloc(block_size ? block_size : 1); /* aligned, and its end is the sanitizer's */
    if (!block) return 0;
    memcpy(block, data + 2 + text.size, block_size);
    if (base_vocab_open(&v, (base_span){block, block_size}, &report) == WISP_OK &&
        guest_tokenizer_new(&t, &v, &report) == WISP_OK) {
        if (guest_tokenize(t, text, data[0] & 3, &tokens, &report) == WISP_OK) check_tokens(&v, &tokens);
        guest_tokens_fini(&tokens);
        guest_tokenizer_free(t);
    }
    free(block);
    return 0;
}
