/* The wasm call stack of a trap. Interpreted frames have records; native ones are found by their frame pointers, one
 * stretch for each wasm_native_run, from where it last left native code (or trapped in it) up to the entry. Addresses
 * are taken down while the frames are there, and given names when somebody asks. */
#include <string.h>

#include "wasm/native_abi.h"
#include "wasm/regcode.h"

static bool in_functions(const wasm_native_code *code, uintptr_t pc)
{
    const uint32_t count = code->header.func_count;
    const uintptr_t at = pc - (uintptr_t)code->base;
    return count && at >= code->func_offsets[0] && at < code->func_offsets[count];
}

static const wasm_native_code *code_at(const wasm_store *store, uintptr_t pc)
{
    const wasm_native_code *code = store->native_codes;
    while (code && !in_functions(code, pc))
        code = code->next;
    return code;
}

/* Of the defined functions, the one that `pc` is in. */
static uint32_t function_at(const wasm_native_code *code, uintptr_t pc)
{
    const uintptr_t at = pc - (uintptr_t)code->base;
    uint32_t low = 0, high = code->header.func_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (code->func_offsets[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

/* ---- taking down ---- */

static void add(wasm_trace_state *trace, uintptr_t at)
{
    if (trace->depth < WASM_TRAP_FRAMES) trace->at[trace->depth] = at;
    trace->depth++;
}

/* Two words of the stack, by whoever they were written. */
typedef struct words {
    uintptr_t first, second;
} words;
static __attribute__((no_sanitize_address, noinline)) bool read_words(words *to, uintptr_t at, uintptr_t low,
                                                                      uintptr_t high)
{
    if (at <= low || at % sizeof(uintptr_t) || at >= high || high - at < 2 * sizeof(uintptr_t)) return false;
    to->first = ((const volatile uintptr_t *)at)[0];
    to->second = ((const volatile uintptr_t *)at)[1];
    return true;
}

/* A fault before the function made its frame (leaf functions may never make one): the frame pointer is the caller's,
 * who would be missing. Where he goes on is on top of the stack, or below what was pushed first, or in a register. What
 * is not in a function is none; 0: the frame is there. */
static uintptr_t caller_without_frame(const wasm_store *store, const wasm_native_code *code, uintptr_t low,
                                      uintptr_t high)
{
    enum { PROLOGUE = 16 };
    const uintptr_t pc = store->fault_pc, frame = store->fault_frame;
    const uint32_t index = function_at(code, pc);
    const uintptr_t into = pc - (uintptr_t)code->base - code->func_offsets[index];
    const bool frameless = code->frameless && code->frameless[index];
    words top, record;
    uintptr_t caller = 0;
    if (store->fault_link) {
        const bool made = read_words(&record, frame, low, high) && record.second == store->fault_link;
        if ((frameless || into < PROLOGUE) && !made) caller = store->fault_link;
    } else if (read_words(&top, store->fault_stack, low, high)) {
        if (top.first == frame)
            caller = top.second;
        else if (frameless || !into)
            caller = top.first;
    }
    code = code_at(store, caller - 1);
    return code && code->func_offsets[function_at(code, caller)] != caller - (uintptr_t)code->base ? caller : 0;
}

/* Frames of `run`, from the one at `pc`; return addresses are taken one down, into the call. */
static void walk_native(wasm_store *store, const wasm_native_run *run, uintptr_t pc, uintptr_t frame, uint32_t most)
{
    wasm_trace_state *trace = &store->trace;
    const wasm_native_code *code = code_at(store, pc);
    uintptr_t low = (uintptr_t)__builtin_frame_address(0), caller = 0;
    words record;
    if (code) add(trace, pc);
    if (code && store->fault_stack && pc == store->fault_pc) caller = caller_without_frame(store, code, low, run->high);
    if (caller) add(trace, caller - 1);
    while (trace->depth < most && read_words(&record, frame, low, run->high) && code_at(store, record.second - 1)) {
        add(trace, record.second - 1);
        low = frame;
        frame = record.first;
    }
}

void wasm_trace(wasm_store *store, uint32_t most)
{
    wasm_trace_state *trace = &store->trace;
    const wasm_cell *pc = store->pc;
    const wasm_frame *top = store->top;
    uintptr_t trapped = store->fault_new ? store->fault_pc : 0;
    store->fault_new = false;
    if (trace->valid) return;
    trace->valid = true;
    trace->depth = 0;
    for (const wasm_native_run *run = store->native_run;; run = run->outer) {
        for (const wasm_frame *end = run ? run->top : store->frames; top > end; top--, trapped = 0) {
            add(trace, (uintptr_t)pc);
            pc = wasm_frame_pc(top - 1);
        }
        if (!run || trace->depth >= most) break;
        walk_native(store, run, trapped ? trapped : run->pc, trapped ? store->fault_frame : run->frame, most);
        pc = run->code;
        trapped = 0;
    }
}

/* ---- names ---- */

/* The byte after the instruction that the code came from. */
static uint64_t offset_of(const wasm_body *body, uintptr_t pc)
{
    const uint32_t at = (uint32_t)(pc - (uintptr_t)body->code);
    uint32_t low = 0, high = body->place_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (body->places[middle].code <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? body->places[low - 1].offset : 0;
}

static bool describe(wasm_store *store, uintptr_t at, wasm_trap_frame *frame)
{
    const wasm_native_code *code = code_at(store, at);
    const wasm_body *body = code ? NULL : wasm_body_at(store, (const void *)at);
    const wasm_instance *instance = store->instances;
    if (body) {
        instance = body->func->instance;
        *frame = (wasm_trap_frame){.func = body->func->index, .offset = offset_of(body, at)};
    } else if (code) {
        while (instance && instance->native_code != code)
            instance = instance->next;
        if (!instance) return false;
        const wasm_module *m = instance->module;
        const uint32_t index = function_at(code, at);
        *frame = (wasm_trap_frame){.func = m->imported_funcs + index,
                                   .offset = (uint64_t)(m->codes[index].body.data - m->bytes.data)};
    } else {
        return false;
    }
    frame->name = wasm_module_func_name(instance->module, frame->func);
    return true;
}

void wasm_trap_capture(wasm_store *store, wasm_trap *trap)
{
    memcpy(trap->reason, store->reason, sizeof trap->reason);
    trap->exit_code = store->exit_code;
    trap->limit = store->exceeded;
    wasm_trace(store, WASM_TRACE_ALL);
    trap->depth = store->trace.depth;
    trap->frame_count = 0;
    for (uint32_t i = 0; i < trap->depth && i < WASM_TRAP_FRAMES; i++)
        trap->frame_count += describe(store, store->trace.at[i], &trap->frames[trap->frame_count]);
}
