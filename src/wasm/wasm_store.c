/* Stores, traps and calls: everything around the interpreter's loop. */
#include <stdio.h>
#include <string.h>

#include "os/os.h"
#include "wasm/fault.h"
#include "wasm/native_abi.h"
#include "wasm/native_load.h"

const wasm_limits wasm_limits_defaults = {
    .memory_pages = 65536,
    .table_elements = 10000000,
    .memories = 100,
    .tables = 1000,
    .call_depth = 20000,
    .stack_bytes = 16u << 20,
    .host_depth = 50,
    .instances = 10000,
    .exception_bytes = 64 << 20,
};

/* ---- stores ---- */

wisp_status wasm_store_new(wasm_store **out, const wasm_limits *limits, wisp_report *report)
{
    wasm_store *store = base_calloc(1, sizeof *store);
    if (!store) return base_fail(report, WISP_E_MEMORY, "wasm: out of memory for a store");
    store->limits = limits ? *limits : wasm_limits_defaults;
    store->fuel = store->limits.fuel;
    size_t slots = (size_t)(store->limits.stack_bytes / sizeof(wasm_value));
    store->stack = base_alloc_aligned(sizeof(wasm_value), slots * sizeof(wasm_value));
    store->frames = base_realloc_array(NULL, (size_t)store->limits.call_depth + 1, sizeof *store->frames);
    store->no_memory.store = store;
    if (!store->stack || !store->frames) {
        wasm_store_free(store);
        return base_fail(report, WISP_E_MEMORY, "wasm: out of memory for the stacks of a store");
    }
    store->sp = store->stack;
    store->stack_end = store->stack + slots;
    store->top = store->frames;
    store->frames_end = store->frames + store->limits.call_depth;
    wisp_status status = wasm_store_set_time(store, store->limits.time_ns, report);
    if (status != WISP_OK) {
        wasm_store_free(store);
        return status;
    }
    *out = store;
    return WISP_OK;
}

static void free_instance(wasm_instance *instance)
{
    for (uint32_t i = 0; instance->elems && i < instance->module->elem_count; i++)
        base_free(instance->elems[i].items);
    base_free(instance->funcs);
    base_free(instance->tables);
    base_free(instance->memories);
    base_free(instance->globals);
    base_free(instance->tags);
    base_free(instance->type_ids);
    base_free(instance->elems);
    base_free(instance->data_sizes);
    base_free(instance->own_funcs);
    base_free(instance->native);
    wasm_arena_fini(&instance->arena);
    base_free(instance);
}

#define FREE_LIST(type, list, fini)                                                                                    \
    for (type * next, *p = (list); p; p = next) {                                                                      \
        next = p->next;                                                                                                \
        fini;                                                                                                          \
        base_free(p);                                                                                                  \
    }

void wasm_store_free(wasm_store *store)
{
    if (!store) return;
    if (store->watched) os_watchdog_close();
    while (store->exceptions) /* while their tags' types are there */
        wasm_exception_free(store, store->exceptions);
    for (wasm_instance *next, *p = store->instances; p; p = next) {
        next = p->next;
        free_instance(p);
    }
    FREE_LIST(wasm_memory, store->memories, wasm_memory_fini(p))
    FREE_LIST(wasm_table, store->tables, wasm_table_fini(p))
    FREE_LIST(wasm_global, store->globals, (void)0)
    FREE_LIST(wasm_tag, store->tags, (void)0)
    FREE_LIST(wasm_func, store->funcs, (void)0)
    wasm_native_unload(store);
    for (size_t i = 0; i < store->type_count; i += store->subs[i].group_size)
        base_free(store->types[i]);
    wasm_groups_fini(&store->groups);
    base_free(store->types);
    base_free(store->subs);
    base_free(store->stack);
    base_free(store->frames);
    wasm_translator_free(store->translator);
    base_free(store->bodies);
    base_free(store);
}

void wasm_store_interrupt(wasm_store *store)
{
    wasm_interrupt(store, WASM_INTERRUPT_CANCEL);
}
void wasm_store_resume(wasm_store *store)
{
    wasm_uninterrupt(store, WASM_INTERRUPT_CANCEL);
}

bool wasm_store_interrupted(const wasm_store *store)
{
    return atomic_load_explicit(&store->interrupt, memory_order_relaxed) != 0;
}

wasm_limit wasm_store_exceeded(const wasm_store *store)
{
    return store->exceeded;
}

/* ---- fuel ---- */

/* Ticks granted but not yet used are still the caller's. */
static void settle_fuel(wasm_store *store)
{
    int64_t ticks = store->ticks;
    store->ticks = 0;
    if (!store->limits.fuel) return;
    if (ticks >= 0)
        store->fuel += (uint64_t)ticks;
    else
        store->fuel = (uint64_t)-ticks < store->fuel ? store->fuel - (uint64_t)-ticks : 0;
}

uint64_t wasm_store_fuel(const wasm_store *store)
{
    return store->fuel + (store->limits.fuel && store->ticks > 0 ? (uint64_t)store->ticks : 0);
}

/* Native code that counts none would run for free: the interpreter goes on instead. */
static void leave_uncounted_code(wasm_store *store)
{
    for (wasm_instance *i = store->instances; i; i = i->next)
        if (i->native && !(i->native_code->header.flags & WASM_NATIVE_FUEL)) wasm_native_detach(i);
}

void wasm_store_set_fuel(wasm_store *store, uint64_t fuel)
{
    if (fuel) leave_uncounted_code(store);
    store->ticks = 0;
    store->fuel = store->limits.fuel = fuel;
}

void wasm_make_due(wasm_store *store)
{
    if (store->ticks <= 0) return;
    if (store->limits.fuel) store->fuel += (uint64_t)store->ticks;
    store->ticks = 0;
}

void wasm_store_post(wasm_store *store, void (*fn)(void *), void *context)
{
    store->post_context = context;
    atomic_store(&store->post, fn);
}

static void run_posted(wasm_store *store)
{
    if (WASM_LIKELY(!atomic_load_explicit(&store->post, memory_order_acquire))) return;
    void (*fn)(void *) = atomic_exchange(&store->post, NULL);
    if (fn) fn(store->post_context);
}

/* So few ticks between two looks that an interruption takes effect within milliseconds, however slow the code between
 * two branches (a thousand instructions at most: longer stretches look for themselves). */
wisp_status wasm_tick(wasm_store *store)
{
    enum { GRANT = 256 };
    run_posted(store);
    if (wasm_store_interrupted(store)) return wasm_interrupted(store);
    if (!store->limits.fuel) {
        store->ticks = GRANT;
        return WISP_OK;
    }
    uint64_t owed = (uint64_t)-store->ticks;
    if (owed > store->fuel) {
        store->fuel = 0;
        store->ticks = 0;
        store->exceeded = WASM_LIMIT_FUEL;
        snprintf(store->reason, sizeof store->reason, "all fuel consumed");
        return WISP_E_FUEL;
    }
    store->fuel -= owed;
    uint64_t grant = store->fuel < GRANT ? store->fuel : GRANT;
    store->fuel -= grant;
    store->ticks = (int64_t)grant;
    return WISP_OK;
}

/* ---- types ---- */

static wasm_group group_of_store(const void *space, uint32_t start)
{
    const wasm_store *store = space;
    return (wasm_group){.types = store->types[start],
                        .subs = &store->subs[start],
                        .start = start,
                        .size = store->subs[start].group_size};
}

/* An index of the module's as the store has it: types of the group itself come to lie at `start`. */
static uint32_t translate(const wasm_group *g, uint32_t index, uint32_t start)
{
    if (index == WASM_NO_INDEX) return index;
    return index - g->start < g->size ? start + (index - g->start) : g->ids[index];
}

static wasm_type *copy_list(wasm_type *to, const wasm_type *from, uint32_t count, const wasm_group *g, uint32_t start)
{
    for (uint32_t i = 0; i < count; i++)
        to[i] =
            wasm_type_is_concrete(from[i]) ? (from[i] & ~0xffffffu) | translate(g, from[i] & 0xffffff, start) : from[i];
    return to + count;
}

/* One block: the types of the group, then their lists. */
static bool copy_group(wasm_store *store, const wasm_group *g, uint32_t start)
{
    size_t lists = 0;
    for (uint32_t k = 0; k < g->size; k++)
        lists += (size_t)g->types[k].param_count + g->types[k].result_count;
    wasm_functype *types = base_alloc(g->size * sizeof *types + lists * sizeof(wasm_type));
    if (!types) return false;
    wasm_type *list = (wasm_type *)(types + g->size);
    for (uint32_t k = 0; k < g->size; k++) {
        const wasm_functype *from = &g->types[k];
        types[k] = *from;
        types[k].params = list;
        types[k].results = list + from->param_count;
        list = copy_list(list, from->params, from->param_count, g, start);
        list = copy_list(list, from->results, from->result_count, g, start);
        store->types[start + k] = &types[k];
        store->subs[start + k] = g->subs[k];
        store->subs[start + k].group = start;
        store->subs[start + k].super = translate(g, g->subs[k].super, start);
    }
    return true;
}

uint32_t wasm_intern_group(wasm_store *store, const wasm_group *group)
{
    const uint32_t mine = (uint32_t)store->type_count;
    uint32_t start = mine;
    const size_t count = (size_t)mine + group->size;
    /* room first: the table must not remember a group that could not be kept */
    if (count > 0xffffff || !BASE_GROW(store->types, store->type_capacity, count) ||
        !BASE_GROW(store->subs, store->sub_capacity, count) || !copy_group(store, group, mine))
        return WASM_NO_INDEX;
    const wasm_group copy = {
        .types = store->types[mine], .subs = &store->subs[mine], .start = mine, .size = group->size};
    bool found = wasm_groups_find(&store->groups, &copy, group_of_store, store, &start);
    if (found && start == mine)
        store->type_count = count;
    else
        base_free(store->types[mine]);
    return found ? start : WASM_NO_INDEX;
}

bool wasm_store_type_is_slow(const wasm_store *store, uint32_t sub, uint32_t super)
{
    return wasm_subtype_is(store->subs, sub, super);
}

/* ---- traps ---- */

/* Which of the stacks is exhausted; the native one if what calls this is already below its limit. */
static wasm_limit stack_limit_met(const wasm_store *store)
{
    if ((uintptr_t)__builtin_frame_address(0) < store->stack_limit) return WASM_LIMIT_NATIVE_STACK;
    return (uint32_t)(store->top - store->frames) >= store->limits.call_depth ? WASM_LIMIT_CALL_DEPTH
                                                                              : WASM_LIMIT_VALUE_STACK;
}

wisp_status wasm_trap_raise(wasm_store *store, wasm_trap_kind kind)
{
    static const char *const texts[] = {"",
#define X(name, text) text,
                                        WASM_TRAPS(X)
#undef X
    };
    snprintf(store->reason, sizeof store->reason, "%s", texts[kind]);
    store->exceeded = kind == WASM_TRAP_STACK ? stack_limit_met(store) : WASM_LIMIT_NONE;
    return WISP_E_TRAP;
}

wisp_status wasm_host_fail(wasm_instance *caller, wisp_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(caller->store->reason, sizeof caller->store->reason, format, args);
    va_end(args);
    return status;
}

wisp_status wasm_host_exit(wasm_instance *caller, uint32_t code)
{
    caller->store->exit_code = code;
    return wasm_host_fail(caller, WISP_E_EXIT, "exit code %u", code);
}

/* ---- calls ---- */

/* The slot of an i32 is zero-extended; a host function may have written only its half. */
static void normalize(const wasm_type *types, uint32_t count, wasm_value *v)
{
    for (uint32_t i = 0; i < count; i++)
        if (types[i] == WASM_I32) v[i].u64 = v[i].u32;
}

wisp_status wasm_call_host(wasm_store *store, const wasm_func *func, wasm_instance *caller, wasm_value *v)
{
    const wasm_functype *type = func->type;
    uint32_t slots = type->param_count > type->result_count ? type->param_count : type->result_count;
    if (slots > (size_t)(store->stack_end - v)) return wasm_trap_raise(store, WASM_TRAP_STACK);
    wasm_value *sp = store->sp;
    store->sp = v + slots;
    store->reason[0] = 0;
    store->exceeded = WASM_LIMIT_NONE;
    wisp_status status = func->fn(func->context, caller, v);
    store->sp = sp;
    if (status != WISP_OK) {
        store->trace.valid = false; /* it ended here, whatever the host function called */
        if (!store->reason[0]) snprintf(store->reason, sizeof store->reason, "%s", wisp_status_text(status));
        return status;
    }
    normalize(type->results, type->result_count, v);
    return WASM_UNLIKELY(wasm_store_interrupted(store)) ? wasm_interrupted(store) : WISP_OK;
}

typedef struct call {
    const wasm_func *func;
    wasm_value *v;
} call;

static wisp_status enter(wasm_store *store, void *arg)
{
    const call *c = arg;
    return c->func->native ? wasm_native_call(store, c->func, c->v) : wasm_interpret(store, c->func, c->v);
}

/* How far down the native stack may grow. What is kept back is for host functions, which make no check, and for signal
 * handlers. On a stack that is not the thread's (a coroutine's), whose end nobody knows, little is used. */
static uintptr_t stack_limit(const wasm_store *store)
{
    enum { UNKNOWN_STACK = 64 << 10, KEPT = 128 << 10 };
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t low, high, limit = here > UNKNOWN_STACK ? here - UNKNOWN_STACK : 0;
    if (os_stack_bounds(&low, &high) && here > low && here <= high)
        limit = low + ((high - low) / 4 < KEPT ? (high - low) / 4 : KEPT);
    const uint64_t most = store->limits.native_stack;
    return most && most < here && here - most > limit ? here - (uintptr_t)most : limit;
}

/* Runs `func` with its arguments at v; on return the results are there. Stack and frames are as before either way. */
static wisp_status run(wasm_store *store, wasm_func *func, wasm_value *v, wasm_trap *trap)
{
    wasm_frame *const top = store->top;
    const union wasm_cell *const pc = store->pc;
    wasm_value *const sp = store->sp;
    wasm_native_run *const native_run = store->native_run;
    wisp_status status;
    store->trace.valid = false;
    if (!store->host_depth) store->stack_limit = stack_limit(store);
    if (store->host_depth >= store->limits.host_depth) {
        status = wasm_trap_raise(store, WASM_TRAP_STACK);
        store->exceeded = WASM_LIMIT_HOST_DEPTH;
    } else if ((uintptr_t)__builtin_frame_address(0) < store->stack_limit) {
        status = wasm_trap_raise(store, WASM_TRAP_STACK);
    } else if (wasm_store_interrupted(store)) {
        status = wasm_interrupted(store);
    } else if (func->code) {
        call c = {func, v};
        store->host_depth++;
        status = wasm_guarded_run(store, enter, &c);
        store->host_depth--;
    } else {
        store->host_depth++;
        status = wasm_call_host(store, func, func->instance, v);
        store->host_depth--;
    }
    /* the search for a handler was given up */
    if (status == WISP_E_EXCEPTION && wasm_store_interrupted(store)) status = wasm_interrupted(store);
    if (status != WISP_OK && trap) wasm_trap_capture(store, trap);
    store->top = top;
    store->pc = pc;
    store->sp = sp;
    store->native_run = native_run;
    store->trace.valid = false;
    return status;
}

static wisp_status report_failure(const wasm_store *store, wisp_status status, wisp_report *report)
{
    return status == WISP_OK ? status : base_fail(report, status, "wasm: %s", store->reason);
}

static void ring(void *store)
{
    wasm_interrupt(store, WASM_INTERRUPT_DEADLINE);
}

void wasm_begin_deadline(wasm_store *store)
{
    if (!store->limits.time_ns) return;
    const uint64_t now = os_monotonic_ns();
    const uint64_t when = store->limits.time_ns < UINT64_MAX - now ? now + store->limits.time_ns : UINT64_MAX;
    store->alarm = (os_alarm){.when = when, .ring = ring, .argument = store};
    os_alarm_set(&store->alarm);
}

void wasm_end_deadline(wasm_store *store)
{
    if (!store->alarm.ring) return;
    os_alarm_clear(&store->alarm);
    store->alarm.ring = NULL;
    wasm_uninterrupt(store, WASM_INTERRUPT_DEADLINE);
}

wisp_status wasm_check_interrupt(wasm_store *store, wisp_report *report)
{
    if (WASM_LIKELY(!wasm_store_interrupted(store))) return WISP_OK;
    return report_failure(store, wasm_interrupted(store), report);
}

/* A call from outside. */
static void begin_call(wasm_store *store)
{
    run_posted(store);
    settle_fuel(store);
    store->exceeded = WASM_LIMIT_NONE;
    store->fault_code = NULL;
    store->fault_pc = 0;
    wasm_begin_deadline(store);
}

static void end_call(wasm_store *store)
{
    settle_fuel(store);
    wasm_end_deadline(store);
}

wisp_status wasm_store_set_time(wasm_store *store, uint64_t ns, wisp_report *report)
{
    if (ns && !store->watched) {
        BASE_TRY(os_watchdog_open(report));
        store->watched = true;
    }
    store->limits.time_ns = ns;
    return WISP_OK;
}

wisp_status wasm_call(wasm_func *func, const wasm_value *args, size_t arg_count, wasm_value *results,
                      size_t result_count, wasm_trap *trap, wisp_report *report)
{
    const wasm_functype *type = func->type;
    wasm_store *store = func->store;
    if (arg_count != type->param_count || result_count != type->result_count)
        return base_fail(report, WISP_E_USAGE,
                         "wasm: call with %zu arguments and %zu results of a function of %u and %u", arg_count,
                         result_count, type->param_count, type->result_count);
    if (trap) { /* the rest is valid only as far as these say: clearing it all would cost more than a short call */
        trap->reason[0] = 0;
        trap->exit_code = trap->depth = trap->frame_count = 0;
        trap->limit = WASM_LIMIT_NONE;
    }
    wasm_value *v = store->sp;
    size_t slots = arg_count > result_count ? arg_count : result_count;
    wisp_status status;
    if (slots > (size_t)(store->stack_end - v)) {
        status = wasm_trap_raise(store, WASM_TRAP_STACK);
        if (trap) wasm_trap_capture(store, trap);
        return report_failure(store, status, report);
    }
    if (arg_count) memcpy(v, args, arg_count * sizeof *v);
    normalize(type->params, type->param_count, v);
    const bool outermost = !store->host_depth;
    if (outermost) begin_call(store);
    status = run(store, func, v, trap);
    if (outermost) end_call(store);
    if (status == WISP_OK && result_count) memcpy(results, v, result_count * sizeof *v);
    return report_failure(store, status, report);
}

const wasm_functype *wasm_func_type(const wasm_func *func)
{
    return func->type;
}

wasm_store *wasm_func_store(const wasm_func *func)
{
    return func->store;
}
