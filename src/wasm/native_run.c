/* Where native code and the machine meet: contexts, entering, and the helpers that native code calls. Helpers end a
 * call that fails by wasm_unwind: between them and the activation lie frames of native code only, which own nothing. */
#include <string.h>

#include "wasm/fault.h"
#include "wasm/native_abi.h"

/* ---- traps ---- */

/* Of the native code that called the helper: helpers keep their frame pointer. */
#define CALLER_PC ((uintptr_t)__builtin_return_address(0))
#define CALLER_FRAME (*(const uintptr_t *)__builtin_frame_address(0))

static void came_from(wasm_store *store, uintptr_t pc, uintptr_t frame)
{
    store->fault_code = NULL;
    store->fault_pc = pc - 1; /* inside the call */
    store->fault_frame = frame;
    store->fault_stack = store->fault_link = 0;
    store->fault_new = true;
}

static _Noreturn void unwind(wasm_native_context *c, wisp_status status, uintptr_t pc, uintptr_t frame)
{
    came_from(c->store, pc, frame);
    wasm_unwind(c->store, status);
}

#define FAIL(c, status) unwind((c), (status), CALLER_PC, CALLER_FRAME)
#define TRAP(c, kind) FAIL((c), wasm_trap_raise((c)->store, WASM_TRAP_##kind))
#define HELPER __attribute__((noinline))

static HELPER void helper_trap(wasm_native_context *c, uint32_t kind)
{
    FAIL(c, wasm_trap_raise(c->store, (wasm_trap_kind)kind));
}

/* The image's function `tick` calls it, whose frame is between. Native code needs no ticks to be interrupted, so it
 * asks less often. */
static HELPER void helper_tick(wasm_native_context *c)
{
    enum { GRANT = 8192 };
    wasm_store *store = c->store;
    const uintptr_t *tick = (const uintptr_t *)CALLER_FRAME;
    wisp_status status = wasm_tick(store);
    if (status != WISP_OK) unwind(c, status, tick[1], tick[0]);
    const uint64_t more = store->fuel < GRANT ? store->fuel : GRANT;
    store->fuel -= more;
    store->ticks += (int64_t)more;
}

/* Whoever runs now needs ticks. */
static void leave_few_ticks(wasm_store *store)
{
    enum { FEW = 256 };
    if (store->ticks <= FEW) return;
    store->fuel += (uint64_t)(store->ticks - FEW);
    store->ticks = FEW;
}

/* After an instruction that was charged by its bytes. */
#define TICK(c)                                                                                                        \
    do {                                                                                                               \
        if (WASM_UNLIKELY(--(c)->store->ticks < 0)) {                                                                  \
            wisp_status status_ = wasm_tick((c)->store);                                                               \
            if (status_ != WISP_OK) FAIL((c), status_);                                                                \
        }                                                                                                              \
    } while (0)

/* ---- calls ---- */

static wisp_status call_any(wasm_store *store, wasm_native_context *caller, const wasm_func *func, wasm_value *v)
{
    if (func->native) return wasm_native_call(store, func, v);
    if (!func->code) return wasm_call_host(store, func, caller->instance, v);
    return wasm_interpret(store, func, v);
}

/* The arguments go to the store's stack, where host functions and the interpreter want them. */
static wisp_status call_with_copies(wasm_native_context *c, const wasm_func *func, wasm_value *v)
{
    wasm_store *store = c->store;
    const uint32_t params = func->type->param_count, results = func->type->result_count;
    wasm_value *slots = store->sp;
    if ((params > results ? params : results) > (size_t)(store->stack_end - slots) ||
        (uintptr_t)__builtin_frame_address(0) < store->stack_limit)
        return wasm_trap_raise(store, WASM_TRAP_STACK);
    for (uint32_t i = 0; i < params; i++)
        slots[i] = v[i];
    leave_few_ticks(store);
    BASE_TRY(call_any(store, c, func, slots));
    for (uint32_t i = 0; i < results; i++)
        v[i] = slots[i];
    return WISP_OK;
}

/* Where this code is while others run, for traces. */
#define LEAVE(c)                                                                                                       \
    do {                                                                                                               \
        (c)->store->native_run->pc = CALLER_PC - 1;                                                                    \
        (c)->store->native_run->frame = CALLER_FRAME;                                                                  \
    } while (0)

static HELPER void helper_call(wasm_native_context *c, const wasm_func *func, wasm_value *v)
{
    LEAVE(c);
    wisp_status status = call_with_copies(c, func, v);
    if (status != WISP_OK) FAIL(c, status);
}

static HELPER void helper_call_catching(wasm_native_context *c, const wasm_func *func, wasm_value *v)
{
    wasm_store *store = c->store;
    LEAVE(c);
    wisp_status status = call_with_copies(c, func, v);
    if (status == WISP_OK) return;
    if (status != WISP_E_EXCEPTION || !store->exception) FAIL(c, status);
    came_from(store, CALLER_PC, CALLER_FRAME);
    wasm_trace(store, WASM_TRAP_FRAMES);
    store->top = store->native_run->top; /* the frames that it went through have ended */
    store->pc = store->native_run->code;
}

static HELPER void helper_check_type(wasm_native_context *c, const wasm_func *func, uint32_t type)
{
    if (!wasm_store_type_is(c->store, func->type_id, c->type_ids[type])) TRAP(c, SIGNATURE);
}

WASM_CALLS_IMAGE wisp_status wasm_native_call(wasm_store *store, const wasm_func *func, wasm_value *v)
{
    typedef void entry(wasm_native_context *, const void *, wasm_value *);
    const wasm_instance *instance = func->instance;
    const wasm_functype *type = func->type;
    const uint32_t slots = type->param_count > type->result_count ? type->param_count : type->result_count;
    wasm_native_context *c = func->native_context;
    if (slots > (size_t)(store->stack_end - v)) return wasm_trap_raise(store, WASM_TRAP_STACK);
    const wasm_native_code *code = instance->native_code;
    uintptr_t at = (uintptr_t)code->base + code->entry_offsets[instance->module->funcs[func->index]];
    wasm_value *sp = store->sp;
    wasm_native_run native = {.outer = store->native_run,
                              .top = store->top,
                              .code = store->pc,
                              .high = (uintptr_t)__builtin_frame_address(0),
                              .ticks_at_fault = code->header.flags & WASM_NATIVE_FUEL ? &c->ticks_at_fault : NULL};
    struct wasm_exception *pending = store->exception; /* of a caller's that a host function keeps waiting */
    store->sp = v + slots;
    store->exception = NULL;
    store->native_run = &native;
    c->stack_limit = store->stack_limit;
    ((entry *)at)(c, func->native, v);
    store->native_run = native.outer;
    store->sp = sp;
    leave_few_ticks(store);
    if (WASM_UNLIKELY(store->exception != NULL)) {
        const bool traced = store->trace.valid;
        wisp_status status = wasm_rethrow(store, store->exception);
        store->trace.valid = traced;
        return status;
    }
    store->exception = pending;
    return WISP_OK;
}

/* ---- memories and tables ---- */

static HELPER uint64_t helper_memory_grow(wasm_native_context *c, uint32_t memory, uint64_t pages)
{
    return wasm_memory_grow(c->instance->memories[memory], pages);
}

static HELPER void helper_memory_init(wasm_native_context *c, uint32_t memory, uint32_t data, uint64_t to,
                                      uint64_t from, uint64_t n)
{
    if (!wasm_memory_init(c->instance, memory, data, to, from, n)) TRAP(c, MEMORY);
    TICK(c);
}

static HELPER void helper_memory_copy(wasm_native_context *c, uint32_t to_memory, uint32_t from_memory, uint64_t to,
                                      uint64_t from, uint64_t n)
{
    wasm_memory **memories = c->instance->memories;
    if (!wasm_memory_copy(memories[to_memory], memories[from_memory], to, from, n)) TRAP(c, MEMORY);
    TICK(c);
}

static HELPER void helper_memory_fill(wasm_native_context *c, uint32_t memory, uint64_t to, uint32_t value, uint64_t n)
{
    if (!wasm_memory_fill(c->instance->memories[memory], to, (uint8_t)value, n)) TRAP(c, MEMORY);
    TICK(c);
}

static void helper_data_drop(wasm_native_context *c, uint32_t data)
{
    c->instance->data_sizes[data] = 0;
}

static HELPER uint64_t helper_table_grow(wasm_native_context *c, uint32_t table, void *value, uint64_t n)
{
    uint64_t old = wasm_table_grow(c->instance->tables[table], n, value);
    TICK(c);
    return old;
}

static HELPER void helper_table_init(wasm_native_context *c, uint32_t table, uint32_t elem, uint64_t to, uint64_t from,
                                     uint64_t n)
{
    if (!wasm_table_init(c->instance, table, elem, to, from, n)) TRAP(c, TABLE);
    TICK(c);
}

static HELPER void helper_table_copy(wasm_native_context *c, uint32_t to_table, uint32_t from_table, uint64_t to,
                                     uint64_t from, uint64_t n)
{
    wasm_table **tables = c->instance->tables;
    if (!wasm_table_copy(tables[to_table], tables[from_table], to, from, n)) TRAP(c, TABLE);
    TICK(c);
}

static HELPER void helper_table_fill(wasm_native_context *c, uint32_t table, uint64_t to, void *value, uint64_t n)
{
    if (!wasm_table_fill(c->instance->tables[table], to, value, n)) TRAP(c, TABLE);
    TICK(c);
}

static void helper_elem_drop(wasm_native_context *c, uint32_t elem)
{
    c->instance->elems[elem].count = 0;
}

/* ---- exceptions ---- */

static HELPER void helper_throw(wasm_native_context *c, uint32_t tag, wasm_value *v)
{
    wisp_status status = wasm_throw(c->store, c->instance->tags[tag], v);
    if (status != WISP_E_EXCEPTION) FAIL(c, status);
    came_from(c->store, CALLER_PC, CALLER_FRAME);
    wasm_trace(c->store, WASM_TRAP_FRAMES); /* the frames end by returning */
}

static HELPER void helper_throw_ref(wasm_native_context *c, void *exception)
{
    if (!exception) TRAP(c, NULL_EXCEPTION);
    (void)wasm_rethrow(c->store, exception);
    came_from(c->store, CALLER_PC, CALLER_FRAME);
    wasm_trace(c->store, WASM_TRAP_FRAMES);
}

static uint32_t helper_exception_matches(wasm_native_context *c, uint32_t tag)
{
    return c->store->exception->tag == c->instance->tags[tag];
}

static void *helper_exception_take(wasm_native_context *c, wasm_value *v, uint32_t reference)
{
    wasm_exception *exception = c->store->exception;
    wasm_exception_take(c->store, v, reference);
    return reference ? exception : NULL;
}

/* ---- attaching ---- */

static const void *const helpers[WASM_HELPER_COUNT] = {
#define WASM_HELPER(name, signature) [WASM_HELPER_##name] = (const void *)helper_##name,
#include "wasm/native_helpers.def"
};

static wasm_native_context *make_context(wasm_instance *instance)
{
    const wasm_module *m = instance->module;
    const size_t objects = (size_t)m->memory_count + m->table_count + m->global_count;
    wasm_native_context *c = base_calloc(1, sizeof *c + objects * sizeof(void *));
    if (!c) return NULL;
    c->memory = instance->memory0->guarded ? instance->memory0->data : NULL;
    c->ticks = &instance->store->ticks;
    c->exception = &instance->store->exception;
    c->funcs = instance->funcs;
    c->type_ids = instance->type_ids;
    c->instance = instance;
    c->store = instance->store;
    memcpy(c->helpers, helpers, sizeof helpers);
    void **object = c->objects;
    for (uint32_t i = 0; i < m->memory_count; i++)
        *object++ = instance->memories[i];
    for (uint32_t i = 0; i < m->table_count; i++)
        *object++ = instance->tables[i];
    for (uint32_t i = 0; i < m->global_count; i++)
        *object++ = instance->globals[i];
    return c;
}

wisp_status wasm_native_attach(wasm_instance *instance, const wasm_native_code *code, wisp_report *report)
{
    const wasm_module *m = instance->module;
    const bool explicit_checks = code->header.flags & WASM_NATIVE_EXPLICIT_CHECKS;
    if (!explicit_checks && m->memory_count && !m->memories[0].is64 && !instance->memory0->guarded)
        return base_fail(report, WISP_E_UNSUPPORTED, "wasm: native code that needs guard pages, and there are none");
    if (instance->store->limits.fuel && !(code->header.flags & WASM_NATIVE_FUEL))
        return base_fail(report, WISP_E_UNSUPPORTED,
                         "wasm: native code that does not count fuel, and there is a limit");
    if (!instance->native && !(instance->native = make_context(instance)))
        return base_fail(report, WISP_E_MEMORY, "wasm: out of memory for native code");
    instance->native_code = code;
    for (uint32_t i = 0; i < m->code_count; i++) {
        wasm_func *func = &instance->own_funcs[m->imported_funcs + i];
        if (!func->code) continue; /* replaced */
        func->native = code->base + code->func_offsets[i];
        func->native_context = instance->native;
        wasm_func_changed(func);
    }
    return WISP_OK;
}

void wasm_native_detach(wasm_instance *instance)
{
    for (uint32_t i = 0; i < instance->module->code_count; i++) {
        wasm_func *func = &instance->own_funcs[instance->module->imported_funcs + i];
        func->native = NULL;
        func->native_context = NULL;
        wasm_func_changed(func);
    }
}
