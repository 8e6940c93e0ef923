#include "compile/arch/arch.h"

#include <string.h>

const compile_arch compile_archs[] = {
    {"llama", "Llama 1 to 3, Mistral and others", "llama", compile_llama},
    {"qwen2", "Qwen 2, 2.5", "qwen2", compile_qwen2},
    {"qwen3", "Qwen 3", "qwen3", compile_qwen3},
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
