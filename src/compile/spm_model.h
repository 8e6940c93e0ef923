/* tokenizer.model: SentencePiece's model, a message of protocol buffers (sentencepiece_model.proto), as it is in the
 * folders of Llama 2, Mistral, Gemma and others. */
#ifndef COMPILE_SPM_MODEL_H
#define COMPILE_SPM_MODEL_H
#include "base/vocab.h"

typedef struct spm_model {
    base_vocab_source source; /* VOCAB_SPM or VOCAB_UNIGRAM; tokens lie in the file, columns below */
    base_span *tokens;
    float *scores;
    int32_t *types;
} spm_model;

/* With room for `rows` tokens (0: as many as there are), those past the file's unused. *m is empty on failure. */
wisp_status spm_model_read(spm_model *m, base_span file, uint32_t rows, wisp_report *report) WISP_MUST_USE;
void spm_model_fini(spm_model *m);

#endif
