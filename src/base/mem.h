/* Memory: the only place that calls malloc. A budget, where one is passed, bounds what one owner may hold. */
#ifndef BASE_MEM_H
#define BASE_MEM_H
#include <stddef.h>
#include <stdint.h>

typedef struct base_budget {
    uint64_t used, limit; /* bytes */
} base_budget;

/* All return NULL on failure, also when count * size overflows. A size of 0 gives a valid pointer. */
void *base_alloc(size_t size) __attribute__((malloc, warn_unused_result));
void *base_calloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result)); /* zeroed */
void *base_realloc_array(void *old, size_t count, size_t size) __attribute__((warn_unused_result));
void *base_alloc_aligned(size_t alignment, size_t size) __attribute__((malloc, warn_unused_result)); /* base_free */
void base_free(void *p);

/* Grows an array to hold at least `need` elements (doubling). Returns 0 and leaves everything as it was on failure. */
int base_grow(void **array, size_t *capacity, size_t need, size_t element_size) __attribute__((warn_unused_result));
#define BASE_GROW(array, capacity, need) base_grow((void **)&(array), &(capacity), (need), sizeof *(array))

/* 1 and charged, or 0 and unchanged. A NULL budget is without limit. */
int base_charge(base_budget *budget, uint64_t bytes) __attribute__((warn_unused_result));
void base_discharge(base_budget *budget, uint64_t bytes);

/* Fault injection (tests): the n-th allocation from now fails, and all after it; negative: none. */
void base_mem_fail_after(long n);

#endif
