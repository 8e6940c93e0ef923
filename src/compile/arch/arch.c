#include "compile/arch/arch.h"

#include <string.h>

const compile_arch compile_archs[] = {
    {"falcon", "Falcon 7B, 40B", "falcon", compile_parallel},
    {"gemma", "Gemma 1", NULL, compile_gemma},
    {"gemma2", "Gemma 2", "gemma2", compile_gemma2},
    {"gemma3", "Gemma 3 (text)", "gemma3", compile_gemma3},
    {"gpt2", "GPT-2", "gpt2", compile_gpt2},
    {"llama", "Llama 1 to 3, Mistral, Mixtral and others", "llama, llama-tied, llama3-ropefreqs, mixtral", compile_llama},
    {"phi2", "Phi-2", "phi2", compile_parallel},
    {"phi3", "Phi-3, 3.5, 4", "phi3", compile_phi3},
    {"qwen2", "Qwen 2, 2.5", "qwen2", compile_qwen2},
    {"qwen2moe", "Qwen 1.5 and 2 with experts", "qwen2moe", compile_qwen2moe},
    {"qwen3", "Qwen 3", "qwen3", compile_qwen3},
    {"qwen3moe", "Qwen 3 with experts", "qwen3moe", compile_qwen3},
};
const size_t compile_arch_count = sizeof compile_archs / sizeof *compile_archs;

const compile_arch *compile_arch_find(const char *name)
{
    for (size_t i = 0; i < compile_arch_count; i++)
        if (strcmp(compile_archs[i].name, name) == 0) return &compile_archs[i];
    return NULL;
}

/* Letters that the names begin with alike count twice, a letter of the same kind anywhere else once less. */
static int likeness(const char *a, const char *b)
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
        if (likeness(name, compile_archs[i].name) > likeness(name, best->name)) best = &compile_archs[i];
    return best;
}
