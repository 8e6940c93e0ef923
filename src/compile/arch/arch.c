#include "compile/arch/arch.h"

#include <string.h>

const compile_arch compile_archs[] = {
    {"apertus", "Apertus", "apertus, apertus-ropefreqs", compile_apertus},
    {"arcee", "Arcee AFM", "arcee, arcee-tied", compile_arcee},
    {"bert", "BERT, RoBERTa, XLM-R: BGE, E5, MiniLM", "bert, bert-cls, bert-no-types, bert-rank, bert-rank-single",
     compile_bert},
    {"bitnet", "BitNet b1.58", "bitnet, bitnet-scales", compile_bitnet},
    {"bloom", "BLOOM", "bloom, bloom-6heads", compile_bloom},
    {"chatglm", "ChatGLM 2, 3, GLM-4 9B", "chatglm, chatglm-split", compile_chatglm},
    {"cohere2", "Command-R7B (Cohere 2)", "cohere2", compile_cohere2},
    {"command-r", "Command-R, R+", "command-r", compile_command_r},
    {"dbrx", "DBRX", "dbrx", compile_dbrx},
    {"deepseek", "DeepSeek 1 with experts", "deepseek", compile_deepseek},
    {"deepseek2", "DeepSeek 2, 3, R1", "deepseek2-lite", compile_deepseek2},
    {"ernie4_5", "ERNIE 4.5", "ernie4_5, ernie4_5-tied", compile_ernie4_5},
    {"ernie4_5-moe", "ERNIE 4.5 with experts", "ernie4_5-moe, ernie4_5-moe-plain", compile_ernie4_5_moe},
    {"eurobert", "EuroBERT", "eurobert", compile_eurobert},
    {"exaone", "EXAONE 3, 3.5", "exaone", compile_qwen2},
    {"exaone4", "EXAONE 4", "exaone4, exaone4-64layers", compile_exaone4},
    {"exaone-moe", "EXAONE with experts", "exaone-moe, exaone-moe-pattern", compile_exaone_moe},
    {"falcon", "Falcon 7B, 40B", "falcon", compile_parallel},
    {"falcon-h1", "Falcon-H1", "falcon-h1, falcon-h1-no-norm", compile_falcon_h1},
    {"gemma", "Gemma 1", "gemma", compile_gemma},
    {"gemma-embedding", "EmbeddingGemma", "gemma-embedding, gemma-embedding-dense", compile_gemma_embedding},
    {"gemma2", "Gemma 2", "gemma2", compile_gemma2},
    {"gemma3", "Gemma 3 (text)", "gemma3", compile_gemma3},
    {"glm4", "GLM-4 (0414)", "glm4", compile_glm4},
    {"glm4moe", "GLM-4.5, 4.6", "glm4moe, glm4moe-headnorms, glm4moe-extra-layer", compile_glm4moe},
    {"gpt-oss", "gpt-oss", "gpt-oss", compile_gpt_oss},
    {"gpt2", "GPT-2", "gpt2", compile_gpt2},
    {"gptneox", "GPT-NeoX, Pythia", "gptneox, gptneox-sequential", compile_gptneox},
    {"granite", "Granite 3, 4 dense", "granite", compile_granite},
    {"granitehybrid", "Granite 4 hybrid", "granitehybrid, granitehybrid-moe", compile_granite_hybrid},
    {"granitemoe", "Granite with experts", "granitemoe, granitemoe-shared", compile_granite},
    {"hunyuan-dense", "Hunyuan dense", "hunyuan-dense, hunyuan-dense-alpha", compile_hunyuan},
    {"hunyuan-moe", "Hunyuan with experts", "hunyuan-moe, hunyuan-moe-shared", compile_hunyuan_moe},
    {"internlm2", "InternLM 2, 2.5", "internlm2", compile_llama},
    {"jamba", "Jamba", "jamba", compile_jamba},
    {"jina-bert-v2", "Jina Embeddings 2", "jina-bert-v2, jina-bert-v2-6heads, jina-bert-v2-norms, jina-bert-v2-rank",
     compile_jina_bert_v2},
    {"jina-bert-v3", "Jina Embeddings 3", "jina-bert-v3", compile_nomic_bert_moe},
    {"lfm2", "LFM2", "lfm2", compile_lfm2},
    {"lfm2moe", "LFM2 with experts", "lfm2moe", compile_lfm2},
    {"llama", "Llama 1 to 3, Mistral, Mixtral and others", "llama, llama-tied, llama3-ropefreqs, mixtral",
     compile_llama},
    {"llama4", "Llama 4 (text)", "llama4, llama4-128experts", compile_llama4},
    {"llama-embed", "Llama with tokens that see those after them", "llama-embed", compile_llama},
    {"mamba", "Mamba, FalconMamba", "mamba", compile_mamba},
    {"mamba2", "Mamba-2", "mamba2", compile_mamba2},
    {"minicpm", "MiniCPM 1, 2", "minicpm, minicpm-longrope", compile_minicpm},
    {"mistral3", "Ministral 3", "mistral3, mistral3-experts", compile_mistral3},
    {"modern-bert", "ModernBERT", "modern-bert, modern-bert-silu, modern-bert-pattern, modern-bert-rank",
     compile_modern_bert},
    {"mpt", "MPT", "mpt, mpt-biases", compile_mpt},
    {"nemotron", "Nemotron, Minitron", "nemotron, nemotron-plain", compile_nemotron},
    {"nemotron_h", "Nemotron-H", "nemotron_h", compile_nemotron_h},
    {"nemotron_h_moe", "Nemotron 3", "nemotron_h_moe, nemotron_h_moe-latent", compile_nemotron_h},
    {"neo-bert", "NeoBERT", "neo-bert", compile_neo_bert},
    {"nomic-bert", "Nomic Embed 1", "nomic-bert", compile_nomic_bert},
    {"nomic-bert-moe", "Nomic Embed 2", "nomic-bert-moe", compile_nomic_bert_moe},
    {"olmo2", "OLMo 2, 3", "olmo2", compile_olmo2},
    {"olmoe", "OLMoE", "olmoe", compile_olmoe},
    {"orion", "Orion", "orion", compile_orion},
    {"phi2", "Phi-2", "phi2", compile_parallel},
    {"phi3", "Phi-3, 3.5, 4", "phi3", compile_phi3},
    {"phimoe", "Phi-3.5 with experts", "phimoe", compile_phimoe},
    {"qwen2", "Qwen 2, 2.5", "qwen2", compile_qwen2},
    {"qwen2moe", "Qwen 1.5 and 2 with experts", "qwen2moe", compile_qwen2moe},
    {"qwen2vl", "Qwen 2 VL (text)", "qwen2vl", compile_qwen2},
    {"qwen3", "Qwen 3", "qwen3", compile_qwen3},
    {"qwen35", "Qwen 3.5", "qwen35", compile_qwen35},
    {"qwen35moe", "Qwen 3.5 with experts", "qwen35moe, qwen35moe-fused", compile_qwen35},
    {"qwen3moe", "Qwen 3 with experts", "qwen3moe", compile_qwen3},
    {"qwen3next", "Qwen3-Next", "qwen3next, qwen3next-old", compile_qwen3next},
    {"rwkv6", "RWKV 6", "rwkv6", compile_rwkv6},
    {"rwkv7", "RWKV 7", "rwkv7", compile_rwkv7},
    {"seed_oss", "Seed-OSS", "seed_oss", compile_seed_oss},
    {"smollm3", "SmolLM 3", "smollm3", compile_smollm3},
    {"stablelm", "StableLM 1, 2", "stablelm", compile_stablelm},
    {"starcoder", "StarCoder 1", "starcoder", compile_gpt2},
    {"starcoder2", "StarCoder 2", "starcoder2", compile_starcoder2},
};
const size_t compile_arch_count = sizeof compile_archs / sizeof *compile_archs;

const compile_arch *compile_arch_find(const char *name)
{
    for (size_t i = 0; i < compile_arch_count; i++)
        if (strcmp(compile_archs[i].name, name) == 0) return &compile_archs[i];
    return NULL;
}

/* Letters that the names begin with alike count twice, a letter of the same kind anywhere else once less. */
int compile_likeness(const char *a, const char *b)
{
    int same = 0, score;
    while (a[same] && a[same] == b[same])
        same++;
    score = 4 * same - (int)(strlen(a) + strlen(b));
    for (const char *p = a + same; *p; p++)
        score += strchr(b + same, *p) != NULL;
    return score;
}

const compile_arch *compile_arch_nearest(const char *name)
{
    const compile_arch *best = &compile_archs[0];
    for (size_t i = 1; i < compile_arch_count; i++)
        if (compile_likeness(name, compile_archs[i].name) > compile_likeness(name, best->name))
            best = &compile_archs[i];
    return best;
}
