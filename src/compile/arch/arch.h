/* Model families: one file each, one line each in arch.c. */
#ifndef COMPILE_ARCH_ARCH_H
#define COMPILE_ARCH_ARCH_H
#include "compile/builder.h"

typedef struct compile_arch {
    const char *name;                  /* GGUF's general.architecture */
    void (*build)(compile_builder *b); /* reads hyper-parameters, emits the program */
} compile_arch;

extern const compile_arch compile_arch_llama;

const compile_arch *compile_arch_find(const char *name); /* NULL if unknown */

/* ---- shared by families ---- */
/* The angles a position turns by, f64[1, dims / 2], from rope.freq_base, rope.scaling.* and rope_freqs.weight, as a
 * tensor of the capsule; and what sine and cosine are multiplied by. */
wisp_view compile_rope_frequencies(compile_builder *b, uint32_t dims, float *scale);

#endif
