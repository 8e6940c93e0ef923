/* Around the operations: runs, where a frame is, exceptions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wasm/fault.h"
#include "wasm/regcode.h"

static const wasm_cell exit_cell[] = {{.fn = wasm_op_exit}};
static const wasm_cell translate_cell[] = {{.fn = wasm_op_translate}};
static const wasm_cell host_cell[] = {{.fn = wasm_op_host}};

void wasm_func_changed(wasm_func *func)
{
    func->entry = func->code && !func->native ? translate_cell : host_cell;
}

wisp_status wasm_interpret(wasm_store *store, const wasm_func *func, wasm_value *v)
{
    wasm_frame *top = store->top;
    *top = (wasm_frame){.pc = exit_cell, .fp = (char *)store->pc};
    return func->entry->fn(func->entry, (char *)v, func->instance->memory0->data, store, (uint64_t)(uintptr_t)func,
                           top + 1, 0, 0, (v128){0});
}

/* ---- where code came from ---- */

static int compare_bodies(const void *a, const void *b)
{
    const wasm_cell *x = (*(wasm_body *const *)a)->code, *y = (*(wasm_body *const *)b)->code;
    return x < y ? -1 : x > y;
}

const wasm_body *wasm_body_at(wasm_store *store, const void *code)
{
    if (!store->bodies_sorted && store->body_count)
        qsort(store->bodies, store->body_count, sizeof(void *), compare_bodies);
    store->bodies_sorted = true;
    size_t low = 0, high = store->body_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)store->bodies[middle]->code <= (uintptr_t)code)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low) return NULL;
    const wasm_body *body = store->bodies[low - 1];
    return (uintptr_t)code - (uintptr_t)body->code < body->size ? body : NULL;
}

/* An operation faulted: its code pointer and the first free record are in registers, the guest's numbers in others.
 * What is taken is only shown, in a trap. */
const void *wasm_fault_code(wasm_store *s, const uintptr_t *registers, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        const uintptr_t at = registers[n] - (uintptr_t)s->frames;
        if (!at || at > (uintptr_t)(s->frames_end - s->frames) * sizeof *s->frames || at % sizeof *s->frames) continue;
        s->top = s->frames + at / sizeof *s->frames;
        break; /* arguments come first; registers that callees preserve may hold those of older frames */
    }
    for (unsigned n = 0; n < count; n++) {
        for (size_t k = 0; k < s->body_count; k++)
            if (registers[n] - (uintptr_t)s->bodies[k]->code < s->bodies[k]->size &&
                registers[n] % sizeof(wasm_cell) == 0)
                return s->pc = (const wasm_cell *)registers[n];
    }
    return NULL;
}

/* ---- exceptions ---- */

static size_t exception_size(const wasm_exception *e)
{
    return sizeof *e + e->tag->type->param_count * sizeof *e->values;
}

wisp_status wasm_throw(wasm_store *store, const wasm_tag *tag, const wasm_value *values)
{
    const size_t count = tag->type->param_count, size = sizeof(wasm_exception) + count * sizeof *values;
    wasm_exception *e = NULL;
    store->exception = NULL;
    const uint64_t most = store->limits.exception_bytes;
    if ((!most || size <= most - store->exception_bytes) && base_charge(store->limits.budget, size) &&
        !(e = base_alloc_aligned(sizeof *values, size)))
        base_discharge(store->limits.budget, size);
    if (!e) {
        snprintf(store->reason, sizeof store->reason, "too many exceptions");
        store->exceeded = WASM_LIMIT_EXCEPTIONS;
        return WISP_E_LIMIT;
    }
    *e = (wasm_exception){.tag = tag, .next = store->exceptions};
    if (count) memcpy(e->values, values, count * sizeof *values);
    if (e->next) e->next->previous = e;
    store->exceptions = e;
    store->exception_bytes += size;
    return wasm_rethrow(store, e);
}

wisp_status wasm_rethrow(wasm_store *store, wasm_exception *e)
{
    store->exception = e;
    store->trace.valid = false;
    snprintf(store->reason, sizeof store->reason, "uncaught exception");
    return WISP_E_EXCEPTION;
}

void wasm_exception_free(wasm_store *store, wasm_exception *e)
{
    if (e->next) e->next->previous = e->previous;
    *(e->previous ? &e->previous->next : &store->exceptions) = e->next;
    store->exception_bytes -= exception_size(e);
    base_discharge(store->limits.budget, exception_size(e));
    base_free(e);
}

void wasm_exception_take(wasm_store *store, wasm_value *values, bool reference)
{
    wasm_exception *e = store->exception;
    store->exception = NULL;
    store->trace.valid = false;
    if (values) {
        const size_t count = e->tag->type->param_count;
        if (count) memcpy(values, e->values, count * sizeof *values);
    }
    e->referenced |= reference;
    if (!e->referenced) wasm_exception_free(store, e);
}

/* The clause of `body` that catches the pending exception where `pc` is in it: the innermost try_table's first. */
static const wasm_handler_catch *find_catch(const wasm_store *store, const wasm_body *body, const wasm_cell *pc,
                                            const wasm_handler **handler)
{
    const uint32_t at = (uint32_t)((uintptr_t)pc - (uintptr_t)body->code);
    uint32_t low = 0, high = body->handler_count; /* the last that starts no later is the innermost, or beside it */
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (body->handlers[middle].start <= at)
            low = middle + 1;
        else
            high = middle;
    }
    for (uint32_t n = low ? low - 1 : WASM_NO_INDEX; n != WASM_NO_INDEX; n = body->handlers[n].outer) {
        const wasm_handler *h = &body->handlers[n];
        if (at >= h->end) continue;
        *handler = h;
        for (uint32_t k = h->first; k < h->first + h->count; k++)
            if (!body->catches[k].tag || body->catches[k].tag == store->exception->tag) return &body->catches[k];
    }
    return NULL;
}

bool wasm_find_handler(wasm_store *store)
{
    __typeof__(store->resume) *to = &store->resume;
    const wasm_cell *pc = store->pc;
    for (;; to->top--) {
        if (wasm_store_interrupted(store)) return false; /* each frame may have a million clauses */
        const wasm_handler *handler = NULL;
        const wasm_body *body = wasm_body_at(store, pc);
        const wasm_handler_catch *c = body ? find_catch(store, body, pc, &handler) : NULL;
        if (c) {
            wasm_value *values = (wasm_value *)(to->fp + handler->slot);
            if (c->reference)
                values[c->tag ? c->tag->type->param_count : 0].u64 = (uint64_t)(uintptr_t)store->exception;
            wasm_exception_take(store, c->tag ? values : NULL, c->reference);
            to->pc = (const wasm_cell *)((const char *)body->code + c->target);
            to->instance = body->func->instance;
            return true;
        }
        if (to->top[-1].pc->fn == wasm_op_exit) return false;
        pc = wasm_frame_pc(to->top - 1);
        to->fp = to->top[-1].fp;
    }
}
