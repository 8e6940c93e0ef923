/* Tables and memories as a whole. Arguments lie in slots side by side, the first named by operand 0; a result takes the
 * first one's place. Then come what the instruction names: instance, table or memory (64 bits each), segments. */
#include "wasm/opbody.h"

static inline void *pointer(const uint32_t *at)
{
    void *p;
    memcpy(&p, at, sizeof p);
    return p;
}
#define P(n) pointer(&W(n))
#define ARGUMENTS wasm_value *x = SLOT(W(0))
/* Bulk work was charged by its bytes; look at the grant. */
#define SETTLE                                                                                                         \
    if (WASM_UNLIKELY(--S->ticks < 0)) {                                                                               \
        S->pc = pc;                                                                                                    \
        S->top = top;                                                                                                  \
        wisp_status status = wasm_tick(S);                                                                             \
        if (status != WISP_OK) return status;                                                                          \
    }

MISC(table_get)
{
    ARGUMENTS;
    const wasm_table *table = P(1);
    TRAP_IF(x[0].u64 >= table->size, TABLE)
    x[0].ref = table->items[x[0].u64];
    NEXT(3);
}
MISC(table_set)
{
    ARGUMENTS;
    const wasm_table *table = P(1);
    TRAP_IF(x[0].u64 >= table->size, TABLE)
    table->items[x[0].u64] = x[1].ref;
    NEXT(3);
}
/* instance, elem, table index */
MISC(table_init)
{
    ARGUMENTS;
    TRAP_IF(!wasm_table_init(P(1), W(3), W(4), x[0].u64, x[1].u64, x[2].u64), TABLE)
    SETTLE
    NEXT(5);
}
MISC(elem_drop)
{
    ((wasm_instance *)P(1))->elems[W(3)].count = 0;
    NEXT(4);
}
MISC(table_copy)
{
    ARGUMENTS;
    TRAP_IF(!wasm_table_copy(P(1), P(3), x[0].u64, x[1].u64, x[2].u64), TABLE)
    SETTLE
    NEXT(5);
}
MISC(table_grow)
{
    ARGUMENTS;
    wasm_table *table = P(1);
    uint64_t old = wasm_table_grow(table, x[1].u64, x[0].ref);
    SETTLE
    x[0].u64 = table->range.is64 ? old : (uint32_t)old;
    NEXT(3);
}
MISC(table_size)
{
    ARGUMENTS;
    x[0].u64 = ((const wasm_table *)P(1))->size;
    NEXT(3);
}
MISC(table_fill)
{
    ARGUMENTS;
    TRAP_IF(!wasm_table_fill(P(1), x[0].u64, x[1].ref, x[2].u64), TABLE)
    SETTLE
    NEXT(3);
}
MISC(memory_size)
{
    ARGUMENTS;
    x[0].u64 = ((const wasm_memory *)P(1))->size / WASM_PAGE;
    NEXT(3);
}
/* memory, instance */
MISC(memory_grow)
{
    ARGUMENTS;
    wasm_memory *memory = P(1);
    uint64_t old = wasm_memory_grow(memory, x[0].u64);
    x[0].u64 = memory->range.is64 ? old : (uint32_t)old;
    mem = ((const wasm_instance *)P(3))->memory0->data;
    NEXT(5);
}
/* instance, data, memory index */
MISC(memory_init)
{
    ARGUMENTS;
    TRAP_IF(!wasm_memory_init(P(1), W(3), W(4), x[0].u64, x[1].u64, x[2].u64), MEMORY)
    SETTLE
    NEXT(5);
}
MISC(data_drop)
{
    ((wasm_instance *)P(1))->data_sizes[W(3)] = 0;
    NEXT(4);
}
MISC(memory_copy)
{
    ARGUMENTS;
    TRAP_IF(!wasm_memory_copy(P(1), P(3), x[0].u64, x[1].u64, x[2].u64), MEMORY)
    SETTLE
    NEXT(5);
}
MISC(memory_fill)
{
    ARGUMENTS;
    TRAP_IF(!wasm_memory_fill(P(1), x[0].u64, (uint8_t)x[1].u32, x[2].u64), MEMORY)
    SETTLE
    NEXT(3);
}
