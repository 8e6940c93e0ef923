/* Vectors in place of logits, or beside them: what tokens' vectors are, how a text's is made of them, and what is made
 * of that (a head). The engine pools (src/guest/embed.c), so that how can be chosen when the model runs, and a causal
 * model's text may come in chunks. */
#ifndef COMPILE_ARCH_EMBEDDING_BLOCKS_H
#define COMPILE_ARCH_EMBEDDING_BLOCKS_H
#include "compile/arch/transformer.h"

/* blocks_open of families whose tokens see those after them, whatever attention.causal says. */
void block_open_encoder(blocks *k, compile_builder *b);

/* A head that scores: cls (with its activation and cls.norm), then cls.output; either may be absent. */
typedef struct block_classifier {
    program_pooling from; /* of the vector that it begins with */
    wisp_act act;
    uint32_t hidden; /* rows of cls; 0: the vectors' size */
    float epsilon;   /* of cls.norm */
    bool softmax;
} block_classifier;

/* x, as it is, is the tokens' vectors, pooled as pooling_type says (else the mean; of a causal model, the last). With
 * pooling_type 4 a classifier follows. */
void block_embedding(blocks *k, wisp_view x, const block_classifier *c);
/* A head of another kind: the vector that it begins with, and what it gives. After block_embedding; scratch has as many
 * rows as there are vectors from here on. */
wisp_view block_head_begin(blocks *k);
void block_head_end(blocks *k, wisp_view x);

/* x = x + the first of token_types' rows (tokenizer.ggml.token_type_count of them): all text is "sentence A". */
void block_add_first_type(blocks *k, wisp_view x);

/* x = norm(x + output(attention(x))), with attn_output_norm; x = norm(x + ffn(x)), with layer_output_norm; attn_norm_2
 * between them where the file has it: BERT's layers. */
wisp_view block_encoder(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block);

#endif
