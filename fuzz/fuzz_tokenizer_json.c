/* Reaches compile_tokenizer_json, base_json_parse_large, base_vocab_write, and the tokenizer with what these make.
 * Input: a tokenizer.json. */
#include <stdlib.h>

#include "compile/tokenizer_json.h"
#include "guest/tokenize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "ab  A1 \xe4\xb8\x80<s>e\xcc\x81\n";
    wisp_report report = {0};
    base_buffer block = {0};
    base_vocab v;
    guest_tokenizer *t;
    guest_tokens tokens = {0};
    uint32_t count;
    if (compile_tokenizer_json(&block, &count, (base_span){data, size}, NULL, &report) == WISP_OK) {
        /* what the writer makes, the reader takes */
        BASE_ASSERT(base_vocab_open(&v, (base_span){block.data, block.size}, &report) == WISP_OK);
        if (guest_tokenizer_new(&t, &v, &report) == WISP_OK) {
            base_span all = {(const uint8_t *)text, sizeof text - 1};
            if (guest_tokenize(t, all, GUEST_TOKENIZE_SPECIAL | GUEST_TOKENIZE_ADD, &tokens, &report) == WISP_OK)
                for (size_t i = 0; i < tokens.count; i++)
                    BASE_ASSERT(tokens.ids[i] < count);
            guest_tokens_fini(&tokens);
            guest_tokenizer_free(t);
        }
    }
    base_buffer_fini(&block);
    return 0;
}
