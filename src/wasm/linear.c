/* Linear memories and tables: growth within limits, and the bulk instructions of core §4.4.6 and §4.4.7. */
#include <string.h>

#include "os/os.h"
#include "wasm/machine.h"

/* ---- memories ---- */

/* Address space for all the pages a memory may ever have, so that its base never moves. Refused (by ulimit, for very
 * large 64-bit memories): the memory lives on the heap and may move when it grows. */
static void reserve(wasm_memory *memory)
{
    uint64_t most = memory->limit * WASM_PAGE;
    if (most == 0 || most > (1ull << 36) || most > SIZE_MAX) return;
    memory->data = os_reserve((size_t)most);
    if (memory->data) memory->reserved = most;
}

static bool set_size(wasm_memory *memory, uint64_t bytes)
{
    uint64_t more = bytes - memory->size;
    if (!base_charge(memory->store->limits.budget, more)) return false;
    if (memory->reserved) {
        if (more && !os_commit(memory->data + memory->size, (size_t)more)) goto refused;
    } else {
        uint8_t *grown = bytes > SIZE_MAX ? NULL : base_realloc_array(memory->data, (size_t)bytes, 1);
        if (!grown) goto refused;
        memset(grown + memory->size, 0, (size_t)more);
        memory->data = grown;
    }
    memory->size = bytes;
    memory->fast_size = memory->range.is64 ? 0 : bytes;
    return true;
refused:
    base_discharge(memory->store->limits.budget, more);
    return false;
}

wisp_status wasm_memory_new(wasm_memory **out, wasm_store *store, wasm_range pages, wisp_report *report)
{
    const wasm_limits *limits = &store->limits;
    if (pages.min > limits->memory_pages)
        return base_fail(report, WISP_E_LIMIT, "wasm: a memory of %llu pages, the limit is %llu",
                         (unsigned long long)pages.min, (unsigned long long)limits->memory_pages);
    if (store->memory_count >= limits->memories)
        return base_fail(report, WISP_E_LIMIT, "wasm: more than %u memories", limits->memories);
    wasm_memory *memory = base_calloc(1, sizeof *memory);
    if (!memory) return base_fail(report, WISP_E_MEMORY, "wasm: out of memory for a memory");
    uint64_t most = pages.has_max ? pages.max : pages.is64 ? 1ull << 48 : 65536;
    memory->limit = most < limits->memory_pages ? most : limits->memory_pages;
    memory->range = pages;
    memory->store = store;
    reserve(memory);
    if (!set_size(memory, pages.min * WASM_PAGE)) {
        wasm_memory_fini(memory);
        base_free(memory);
        return base_fail(report, WISP_E_MEMORY, "wasm: cannot get %llu pages of memory", (unsigned long long)pages.min);
    }
    memory->next = store->memories;
    store->memories = memory;
    store->memory_count++;
    *out = memory;
    return WISP_OK;
}

void wasm_memory_fini(wasm_memory *memory)
{
    base_discharge(memory->store->limits.budget, memory->size);
    if (memory->reserved)
        os_release(memory->data, (size_t)memory->reserved);
    else
        base_free(memory->data);
}

uint64_t wasm_memory_grow(wasm_memory *memory, uint64_t pages)
{
    uint64_t old = memory->size / WASM_PAGE;
    if (pages > memory->limit || old > memory->limit - pages) return UINT64_MAX;
    return set_size(memory, (old + pages) * WASM_PAGE) ? old : UINT64_MAX;
}

uint8_t *wasm_memory_data(const wasm_memory *memory)
{
    return memory->data;
}
uint64_t wasm_memory_size(const wasm_memory *memory)
{
    return memory->size;
}
bool wasm_memory_is_fixed(const wasm_memory *memory)
{
    return memory->reserved != 0;
}

/* As an import sees it (core §4.5.3): the minimum is the present size. */
wasm_range wasm_memory_range(const wasm_memory *memory)
{
    wasm_range range = memory->range;
    range.min = memory->size / WASM_PAGE;
    return range;
}

void *wasm_memory_at(const wasm_instance *instance, uint64_t address, uint64_t size)
{
    static uint8_t nothing; /* an empty range at 0 of an empty memory is valid, and not NULL */
    const wasm_memory *memory = instance->memory0;
    if (!wasm_inside(address, size, memory->size)) return NULL;
    return memory->data ? memory->data + address : &nothing;
}

/* ---- tables ---- */

wisp_status wasm_table_new(wasm_table **out, wasm_store *store, wasm_type type, wasm_range elements, void *initial,
                           wisp_report *report)
{
    const wasm_limits *limits = &store->limits;
    if (elements.min > limits->table_elements)
        return base_fail(report, WISP_E_LIMIT, "wasm: a table of %llu elements, the limit is %llu",
                         (unsigned long long)elements.min, (unsigned long long)limits->table_elements);
    if (store->table_count >= limits->tables)
        return base_fail(report, WISP_E_LIMIT, "wasm: more than %u tables", limits->tables);
    wasm_table *table = base_calloc(1, sizeof *table);
    if (!table) return base_fail(report, WISP_E_MEMORY, "wasm: out of memory for a table");
    table->limit = elements.has_max && elements.max < limits->table_elements ? elements.max : limits->table_elements;
    table->range = elements;
    table->type = type;
    table->store = store;
    if (wasm_table_grow(table, elements.min, initial) == UINT64_MAX) {
        base_free(table);
        return base_fail(report, WISP_E_MEMORY, "wasm: cannot get a table of %llu elements",
                         (unsigned long long)elements.min);
    }
    table->next = store->tables;
    store->tables = table;
    store->table_count++;
    *out = table;
    return WISP_OK;
}

void wasm_table_fini(wasm_table *table)
{
    base_discharge(table->store->limits.budget, table->capacity * sizeof *table->items);
    base_free(table->items);
}

uint64_t wasm_table_size(const wasm_table *table)
{
    return table->size;
}

/* Room for `need` elements, charged; doubling where the limits allow it, so that growing one by one stays linear. */
static bool table_reserve(wasm_table *table, uint64_t need)
{
    if (need <= table->capacity) return true;
    uint64_t wanted = table->capacity * 2 > need ? table->capacity * 2 : need;
    if (wanted > table->limit) wanted = table->limit;
    uint64_t more = (wanted - table->capacity) * sizeof *table->items;
    if (!base_charge(table->store->limits.budget, more)) return false;
    void **grown = base_realloc_array(table->items, (size_t)wanted, sizeof *grown);
    if (!grown) {
        base_discharge(table->store->limits.budget, more);
        return false;
    }
    table->items = grown;
    table->capacity = (size_t)wanted;
    return true;
}

static void charge_fuel(wasm_store *store, uint64_t bytes)
{
    store->ticks -= (int64_t)(bytes >> 6);
}

uint64_t wasm_table_grow(wasm_table *table, uint64_t count, void *value)
{
    uint64_t old = table->size;
    if (count > table->limit || old > table->limit - count) return UINT64_MAX;
    if (!table_reserve(table, old + count)) return UINT64_MAX;
    table->size = old + count;
    (void)wasm_table_fill(table, old, value, count);
    return old;
}

bool wasm_table_fill(wasm_table *table, uint64_t to, void *value, uint64_t n)
{
    if (!wasm_inside(to, n, table->size)) return false;
    charge_fuel(table->store, n * sizeof value);
    for (uint64_t i = 0; i < n; i++)
        table->items[to + i] = value;
    return true;
}

bool wasm_table_init(wasm_instance *instance, uint32_t table, uint32_t elem, uint64_t to, uint64_t from, uint64_t n)
{
    wasm_table *t = instance->tables[table];
    const wasm_refs *refs = &instance->elems[elem];
    if (!wasm_inside(from, n, refs->count) || !wasm_inside(to, n, t->size)) return false;
    charge_fuel(t->store, n * sizeof *t->items);
    if (n) memcpy(t->items + to, refs->items + from, n * sizeof *t->items);
    return true;
}

bool wasm_table_copy(wasm_table *to_table, wasm_table *from_table, uint64_t to, uint64_t from, uint64_t n)
{
    if (!wasm_inside(from, n, from_table->size) || !wasm_inside(to, n, to_table->size)) return false;
    charge_fuel(to_table->store, n * sizeof *to_table->items);
    if (n) memmove(to_table->items + to, from_table->items + from, n * sizeof *to_table->items);
    return true;
}

/* ---- bulk memory ---- */

bool wasm_memory_init(wasm_instance *instance, uint32_t memory, uint32_t data, uint64_t to, uint64_t from, uint64_t n)
{
    wasm_memory *m = instance->memories[memory];
    if (!wasm_inside(from, n, instance->data_sizes[data]) || !wasm_inside(to, n, m->size)) return false;
    charge_fuel(m->store, n);
    if (n) memcpy(m->data + to, instance->module->datas[data].bytes.data + from, n);
    return true;
}

bool wasm_memory_copy(wasm_memory *to_memory, wasm_memory *from_memory, uint64_t to, uint64_t from, uint64_t n)
{
    if (!wasm_inside(from, n, from_memory->size) || !wasm_inside(to, n, to_memory->size)) return false;
    charge_fuel(to_memory->store, n);
    if (n) memmove(to_memory->data + to, from_memory->data + from, n);
    return true;
}

bool wasm_memory_fill(wasm_memory *memory, uint64_t to, uint8_t value, uint64_t n)
{
    if (!wasm_inside(to, n, memory->size)) return false;
    charge_fuel(memory->store, n);
    if (n) memset(memory->data + to, value, n);
    return true;
}
