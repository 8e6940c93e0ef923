/* Which tensor of a model gets which type: the mixes that llama.cpp made common, by their names. */
#ifndef COMPILE_QUANTIZE_MIX_H
#define COMPILE_QUANTIZE_MIX_H
#include "compile/gguf.h"

typedef struct quantize_choice {
    const char *type;               /* the mix: "Q4_K_M" */
    const char *output, *embedding; /* types for output.weight and token_embd.weight; NULL: the mix's */
    bool pure;                      /* the mix's own type everywhere */
    bool has_importance;
} quantize_choice;

typedef struct quantize_mix {
    const char *name;
    uint32_t file_type;    /* general.file_type */
    const char *type_name; /* of most matrices */
} quantize_mix;

/* Those whose type can be made, by number from 0 on; NULL past the end. */
const quantize_mix *quantize_mix_at(uint32_t index);

/* types[i]: GGUF's number for tensor i, the one it has where it stays as it is. */
wisp_status quantize_choose(const compile_gguf *g, const quantize_choice *choice, uint32_t *types,
                            const quantize_mix **mix, wisp_report *report) WISP_MUST_USE;

#endif
