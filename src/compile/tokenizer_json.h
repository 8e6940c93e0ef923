/* tokenizer.json, as Hugging Face's tokenizers write it -> base/vocab.h. */
#ifndef COMPILE_TOKENIZER_JSON_H
#define COMPILE_TOKENIZER_JSON_H
#include "base/vocab.h"

/* What other files of the model's folder say (config.json, tokenizer_config.json); -1: nothing. */
typedef struct compile_tokenizer_hints {
    int64_t bos, eos;     /* ids */
    int add_bos, add_eos; /* 0, 1 */
    uint32_t rows;        /* of the embeddings: so many tokens, whatever the file has; 0: the file's */
} compile_tokenizer_hints;

/* What a tokenizer's file says, for as long as the call lasts. */
typedef wisp_status (*compile_take_vocabulary)(void *context, base_vocab_source *source, wisp_report *report);
wisp_status compile_tokenizer_json_read(base_span json, const compile_tokenizer_hints *hints,
                                        compile_take_vocabulary take, void *context, wisp_report *report) WISP_MUST_USE;

/* Appends the vocabulary block. WISP_E_UNSUPPORTED names the part that no rule here does. *count: its tokens. */
wisp_status compile_tokenizer_json(base_buffer *out, uint32_t *count, base_span json,
                                   const compile_tokenizer_hints *hints, wisp_report *report) WISP_MUST_USE;
/* How a pre-tokenizer of that rule (Split's expressions, "digits", "bytes", joined by U+001F) is called in GGUF; NULL:
 * not known. */
const char *compile_split_name(const char *rule);

#endif
