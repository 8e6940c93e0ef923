/* Linear memories and tables: growth within limits, and the bulk instructions of core §4.4.6 and §4.4.7. */
#include <string.h>

#include "os/os.h"
#include "wasm/fault.h"

static wisp_status exceeded(wasm_store *store, wasm_limit limit, wisp_status status)
{
    store->exceeded = limit;
    return status;
}

/* ---- memories ---- */

/* Of a guarded memory: any u32 index + u32 offset is below 2^33, and the widest access is 16 bytes. */
static const uint64_t GUARDED = (8ull << 30) + WASM_PAGE;

/* Address space, so that the base never moves: for a 32-bit memory with guard pages, else for all the pages it may ever
 * have. Refused (by ulimit, for very large 64-bit memories): the memory may move when it grows. */
static void reserve(wasm_memory *memory)
{
    if (!memory->range.is64 && SIZE_MAX > GUARDED && wasm_faults_available(memory->store)) {
        memory->data = os_reserve((size_t)GUARDED);
        memory->guarded = memory->data != NULL;
        if (memory->guarded) memory->reserved = GUARDED;
    }
    uint64_t most = memory->limit * WASM_PAGE;
    if (memory->reserved || most == 0 || most > (1ull << 36) || most > SIZE_MAX) return;
    memory->data = os_reserve((size_t)most);
    if (memory->data) memory->reserved = most;
}

static bool resize(wasm_memory *memory, uint64_t bytes)
{
    const uint64_t more = bytes - memory->size;
    if (!more) return true;
    if (memory->reserved) return os_commit(memory->data + memory->size, (size_t)more);
    uint8_t *grown = bytes > SIZE_MAX ? NULL : os_pages_resize(memory->data, (size_t)memory->size, (size_t)bytes);
    if (grown) memory->data = grown;
    return grown != NULL;
}

static bool set_size(wasm_memory *memory, uint64_t bytes)
{
    wasm_store *store = memory->store;
    const uint64_t more = bytes - memory->size;
    if (!base_charge(store->limits.budget, more)) {
        store->exceeded = WASM_LIMIT_BUDGET;
        return false;
    }
    if (!resize(memory, bytes)) {
        base_discharge(store->limits.budget, more);
        return false;
    }
    memory->size = bytes;
    return true;
}

wisp_status wasm_memory_new(wasm_memory **out, wasm_store *store, wasm_range pages, wisp_report *report)
{
    const wasm_limits *limits = &store->limits;
    store->exceeded = WASM_LIMIT_NONE;
    if (pages.min > limits->memory_pages)
        return exceeded(store, WASM_LIMIT_MEMORY_PAGES,
                        base_fail(report, WISP_E_LIMIT, "wasm: a memory of %llu pages, the limit is %llu",
                                  (unsigned long long)pages.min, (unsigned long long)limits->memory_pages));
    if (store->memory_count >= limits->memories)
        return exceeded(store, WASM_LIMIT_MEMORIES,
                        base_fail(report, WISP_E_LIMIT, "wasm: more than %u memories", limits->memories));
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
    os_release(memory->data, (size_t)(memory->reserved ? memory->reserved : memory->size));
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

void *wasm_memory_at(const wasm_instance *instance, uint64_t address, uint64_t size)
{
    static uint8_t nothing; /* an empty range at 0 of an empty memory is valid, and not NULL */
    const wasm_memory *memory = instance->memory0;
    if (!wasm_inside(address, size, memory->size)) return NULL;
    return memory->data ? memory->data + address : &nothing;
}

/* ---- what bulk operations cost ---- */

/* Fuel for so many bytes. False: there is not enough, and nothing should be done; the look at the ticks that follows
 * every bulk instruction then ends the call. */
static bool charge_fuel(wasm_store *store, uint64_t bytes)
{
    const int64_t cost = (int64_t)(bytes >> 6);
    store->ticks -= cost;
    return !store->limits.fuel || store->ticks > 0 || (uint64_t)(1 - store->ticks) <= store->fuel;
}

/* Gigabytes take longer than an interruption may, and where each page is a fault, megabytes, too. What is left undone
 * does not show: the call ends. */
enum { PIECE = 128 << 10 };

static bool is_stopped(wasm_store *store)
{
    if (WASM_LIKELY(!atomic_load_explicit(&store->interrupt, memory_order_relaxed))) return false;
    wasm_make_due(store);
    return true;
}

/* memmove. */
static void copy(wasm_store *store, void *to_start, const void *from_start, uint64_t n)
{
    uint8_t *to = to_start;
    const uint8_t *from = from_start;
    const bool backwards = (uintptr_t)to - (uintptr_t)from < n;
    while (n > PIECE && !is_stopped(store)) {
        n -= PIECE;
        if (backwards) {
            memmove(to + n, from + n, PIECE);
        } else {
            memmove(to, from, PIECE);
            to += PIECE;
            from += PIECE;
        }
    }
    if (n && n <= PIECE) memmove(to, from, n);
}

/* False: interrupted. */
static bool fill_items(wasm_store *store, void **items, void *value, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if ((i & (PIECE / sizeof value - 1)) == PIECE / sizeof value - 1 && is_stopped(store)) return false;
        items[i] = value;
    }
    return true;
}

/* ---- tables ---- */

/* Room for `need` elements, charged; doubling where the limits allow it, so that growing one by one stays linear. */
static bool table_reserve(wasm_table *table, uint64_t need)
{
    if (need <= table->capacity) return true;
    uint64_t wanted = table->capacity * 2 > need ? table->capacity * 2 : need;
    if (wanted > table->limit) wanted = table->limit;
    uint64_t more = (wanted - table->capacity) * sizeof *table->items;
    if (!base_charge(table->store->limits.budget, more)) {
        table->store->exceeded = WASM_LIMIT_BUDGET;
        return false;
    }
    void **grown = base_realloc_array(table->items, (size_t)wanted, sizeof *grown);
    if (!grown) {
        base_discharge(table->store->limits.budget, more);
        return false;
    }
    table->items = grown;
    table->capacity = (size_t)wanted;
    return true;
}

static bool grow_table(wasm_table *table, uint64_t count, void *value)
{
    if (count > table->limit || table->size > table->limit - count) return false;
    if (!count) return true;
    if (!table_reserve(table, table->size + count)) return false;
    if (!fill_items(table->store, table->items + table->size, value, count)) return false;
    table->size += count;
    return true;
}

wisp_status wasm_table_new(wasm_table **out, wasm_store *store, wasm_type type, wasm_range elements, void *initial,
                           wisp_report *report)
{
    const wasm_limits *limits = &store->limits;
    store->exceeded = WASM_LIMIT_NONE;
    if (elements.min > limits->table_elements)
        return exceeded(store, WASM_LIMIT_TABLE_ELEMENTS,
                        base_fail(report, WISP_E_LIMIT, "wasm: a table of %llu elements, the limit is %llu",
                                  (unsigned long long)elements.min, (unsigned long long)limits->table_elements));
    if (store->table_count >= limits->tables)
        return exceeded(store, WASM_LIMIT_TABLES,
                        base_fail(report, WISP_E_LIMIT, "wasm: more than %u tables", limits->tables));
    wasm_table *table = base_calloc(1, sizeof *table);
    if (!table) return base_fail(report, WISP_E_MEMORY, "wasm: out of memory for a table");
    table->limit = elements.has_max && elements.max < limits->table_elements ? elements.max : limits->table_elements;
    table->range = elements;
    table->type = type;
    table->store = store;
    if (!grow_table(table, elements.min, initial)) {
        wasm_table_fini(table);
        base_free(table);
        if (wasm_store_interrupted(store)) return base_fail(report, wasm_interrupted(store), "wasm: %s", store->reason);
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

bool wasm_table_get(const wasm_table *table, uint64_t index, void **value)
{
    if (index >= table->size) return false;
    *value = table->items[index];
    return true;
}
wasm_type wasm_table_type(const wasm_table *table)
{
    return table->type;
}
uint64_t wasm_table_grow(wasm_table *table, uint64_t count, void *value)
{
    const uint64_t old = table->size;
    if (count > table->limit || old > table->limit - count) return UINT64_MAX;
    if (!charge_fuel(table->store, count * sizeof value)) return UINT64_MAX;
    return grow_table(table, count, value) ? old : UINT64_MAX;
}

bool wasm_table_fill(wasm_table *table, uint64_t to, void *value, uint64_t n)
{
    if (!wasm_inside(to, n, table->size)) return false;
    if (charge_fuel(table->store, n * sizeof value) && n) (void)fill_items(table->store, table->items + to, value, n);
    return true;
}

bool wasm_table_init(wasm_instance *instance, uint32_t table, uint32_t elem, uint64_t to, uint64_t from, uint64_t n)
{
    wasm_table *t = instance->tables[table];
    const wasm_refs *refs = &instance->elems[elem];
    if (!wasm_inside(from, n, refs->count) || !wasm_inside(to, n, t->size)) return false;
    n *= sizeof *t->items;
    if (charge_fuel(t->store, n) && n) copy(t->store, t->items + to, refs->items + from, n);
    return true;
}

bool wasm_table_copy(wasm_table *to_table, wasm_table *from_table, uint64_t to, uint64_t from, uint64_t n)
{
    if (!wasm_inside(from, n, from_table->size) || !wasm_inside(to, n, to_table->size)) return false;
    n *= sizeof *to_table->items;
    if (charge_fuel(to_table->store, n) && n) copy(to_table->store, to_table->items + to, from_table->items + from, n);
    return true;
}

/* ---- bulk memory ---- */

bool wasm_memory_init(wasm_instance *instance, uint32_t memory, uint32_t data, uint64_t to, uint64_t from, uint64_t n)
{
    wasm_memory *m = instance->memories[memory];
    if (!wasm_inside(from, n, instance->data_sizes[data]) || !wasm_inside(to, n, m->size)) return false;
    if (charge_fuel(m->store, n) && n) copy(m->store, m->data + to, instance->module->datas[data].bytes.data + from, n);
    return true;
}

bool wasm_memory_copy(wasm_memory *to_memory, wasm_memory *from_memory, uint64_t to, uint64_t from, uint64_t n)
{
    if (!wasm_inside(from, n, from_memory->size) || !wasm_inside(to, n, to_memory->size)) return false;
    if (charge_fuel(to_memory->store, n) && n)
        copy(to_memory->store, to_memory->data + to, from_memory->data + from, n);
    return true;
}

bool wasm_memory_fill(wasm_memory *memory, uint64_t to, uint8_t value, uint64_t n)
{
    if (!wasm_inside(to, n, memory->size)) return false;
    if (!charge_fuel(memory->store, n)) return true;
    for (; n > PIECE && !is_stopped(memory->store); n -= PIECE, to += PIECE)
        memset(memory->data + to, value, PIECE);
    if (n && n <= PIECE) memset(memory->data + to, value, n);
    return true;
}
