/* The vocabulary of a Hugging Face model's folder: tokenizer.json or tokenizer.model, and what tokenizer_config.json,
 * added_tokens.json, generation_config.json and config.json say of special tokens. */
#ifndef COMPILE_HF_VOCAB_H
#define COMPILE_HF_VOCAB_H
#include "compile/gguf_write.h"
#include "compile/hf_config.h"
#include "compile/hf_folder.h"

/* Appends the vocabulary block (base/vocab.h) and puts GGUF's tokenizer.* keys. `rows`: of the embeddings. */
wisp_status hf_vocabulary(hf_folder *f, const hf_config *c, uint32_t rows, base_buffer *block, uint32_t *count,
                          gguf_head *h, wisp_report *report) WISP_MUST_USE;

#endif
