#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static long fail_after = -1;

void base_mem_fail_after(long n)
{
    fail_after = n;
}

static int injected_failure(void)
{
    if (fail_after < 0) return 0;
    if (fail_after == 0) return 1;
    fail_after--;
    return 0;
}

void *base_alloc(size_t size)
{
    return injected_failure() ? NULL : malloc(size ? size : 1);
}

void *base_calloc(size_t count, size_t size)
{
    return injected_failure() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *base_realloc_array(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (injected_failure() || __builtin_mul_overflow(count, size, &bytes)) return NULL;
    return realloc(old, bytes ? bytes : 1);
}

void *base_alloc_aligned(size_t alignment, size_t size)
{
    if (injected_failure() || size > SIZE_MAX - alignment) return NULL;
    size_t rounded = (size + alignment - 1) / alignment * alignment;
    return aligned_alloc(alignment, rounded ? rounded : alignment);
}

void base_free(void *p)
{
    free(p);
}

int base_grow(void **array, size_t *capacity, size_t need, size_t element_size)
{
    if (need <= *capacity) return 1;
    size_t wanted = *capacity ? *capacity : 16;
    while (wanted < need)
        if (__builtin_mul_overflow(wanted, (size_t)2, &wanted)) return 0;
    void *grown = base_realloc_array(*array, wanted, element_size);
    if (!grown) return 0;
    *array = grown;
    *capacity = wanted;
    return 1;
}

int base_charge(base_budget *budget, uint64_t bytes)
{
    if (!budget) return 1;
    if (bytes > budget->limit || budget->used > budget->limit - bytes) return 0;
    budget->used += bytes;
    return 1;
}

void base_discharge(base_budget *budget, uint64_t bytes)
{
    if (budget) budget->used -= bytes;
}
