#include "compile/arch/arch.h"

#include <string.h>

static const compile_arch *const families[] = {
    &compile_arch_llama,
};

const compile_arch *compile_arch_find(const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i]->name, name) == 0) return families[i];
    return NULL;
}
