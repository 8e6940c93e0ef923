/* Model families: one builder each, one line each in arch.c under the name that GGUF uses. */
#ifndef COMPILE_ARCH_ARCH_H
#define COMPILE_ARCH_ARCH_H
#include "compile/builder.h"

typedef struct compile_arch {
    const char *name;                  /* GGUF's general.architecture */
    const char *title;                 /* for people: "Llama 2, 3" */
    const char *tested;                /* models of tests/tiny_models.py or of shared/models/arch; NULL: none */
    void (*build)(compile_builder *b); /* reads hyper-parameters, emits the program */
} compile_arch;

extern const compile_arch compile_archs[];
extern const size_t compile_arch_count;

const compile_arch *compile_arch_find(const char *name); /* NULL if unknown */
/* The known family whose name is most like it. */
const compile_arch *compile_arch_nearest(const char *name);
int compile_likeness(const char *name, const char *known); /* the more the liker */

/* ---- shared by families ---- */
/* The angles a position turns by, f64[1, dims / 2], from rope.freq_base, rope.scaling.* and rope_freqs.weight, as a
 * tensor of the capsule; and what sine and cosine are multiplied by. */
wisp_view compile_rope_frequencies(compile_builder *b, uint32_t dims, float *scale);
/* The same with the divisors for long contexts, those above *original; absent where the file has none. */
wisp_view compile_rope_long(compile_builder *b, uint32_t dims, uint32_t *original);
/* The same from a base alone, without scaling. */
wisp_view compile_rope_plain(compile_builder *b, const char *name, uint32_t dims, double base, double factor);

/* ---- families, in the files of those names; several that share a file say so there ---- */
void compile_apertus(compile_builder *b);
void compile_arcee(compile_builder *b);
void compile_bert(compile_builder *b);
void compile_bitnet(compile_builder *b);
void compile_bloom(compile_builder *b);
void compile_chatglm(compile_builder *b);
void compile_cohere2(compile_builder *b);   /* cohere.c */
void compile_command_r(compile_builder *b); /* cohere.c */
void compile_dbrx(compile_builder *b);
void compile_deepseek(compile_builder *b);
void compile_deepseek2(compile_builder *b);
void compile_ernie4_5(compile_builder *b);
void compile_ernie4_5_moe(compile_builder *b); /* ernie4_5.c */
void compile_eurobert(compile_builder *b);     /* modern_bert.c */
void compile_exaone4(compile_builder *b);
void compile_exaone_moe(compile_builder *b);
void compile_falcon_h1(compile_builder *b);
void compile_gemma(compile_builder *b);
void compile_gemma2(compile_builder *b);
void compile_gemma3(compile_builder *b);
void compile_gemma_embedding(compile_builder *b);
void compile_glm4(compile_builder *b);
void compile_glm4moe(compile_builder *b);
void compile_gpt2(compile_builder *b);
void compile_gpt_oss(compile_builder *b);
void compile_gptneox(compile_builder *b);
void compile_granite(compile_builder *b); /* minicpm.c */
void compile_granite_hybrid(compile_builder *b);
void compile_hunyuan(compile_builder *b);
void compile_hunyuan_moe(compile_builder *b); /* hunyuan.c */
void compile_jamba(compile_builder *b);
void compile_jina_bert_v2(compile_builder *b); /* bert.c */
void compile_lfm2(compile_builder *b);
void compile_llama(compile_builder *b);
void compile_llama4(compile_builder *b);
void compile_mamba(compile_builder *b);
void compile_mamba2(compile_builder *b); /* mamba.c */
void compile_minicpm(compile_builder *b);
void compile_mistral3(compile_builder *b); /* llama.c */
void compile_modern_bert(compile_builder *b);
void compile_mpt(compile_builder *b); /* bloom.c */
void compile_nemotron(compile_builder *b);
void compile_nemotron_h(compile_builder *b);     /* with experts, too */
void compile_neo_bert(compile_builder *b);       /* modern_bert.c */
void compile_nomic_bert(compile_builder *b);     /* bert.c */
void compile_nomic_bert_moe(compile_builder *b); /* bert.c; and Jina-BERT 3 */
void compile_olmo2(compile_builder *b);
void compile_olmoe(compile_builder *b);
void compile_orion(compile_builder *b);
void compile_parallel(compile_builder *b);
void compile_phi3(compile_builder *b);
void compile_phimoe(compile_builder *b);    /* phi3.c */
void compile_qwen2(compile_builder *b);     /* llama.c */
void compile_qwen2moe(compile_builder *b);  /* llama.c */
void compile_qwen3(compile_builder *b);     /* llama.c */
void compile_qwen3next(compile_builder *b); /* qwen35.c */
void compile_qwen35(compile_builder *b);
void compile_rwkv6(compile_builder *b);
void compile_rwkv7(compile_builder *b);
void compile_seed_oss(compile_builder *b);
void compile_smollm3(compile_builder *b);
void compile_stablelm(compile_builder *b);
void compile_starcoder2(compile_builder *b);

#endif
