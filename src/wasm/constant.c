/* Constant expressions, core §3.4.13 and §4.4.15: evaluated where an instance is made. They cannot trap. */
#include <stdio.h>
#include <string.h>

#include "wasm/instr.h"

static void arithmetic(uint32_t code, wasm_value *v)
{
    const uint64_t a = v[0].u64, b = v[1].u64;
    uint64_t r = 0;
    switch (code) {
    case 0x6a:
    case 0x7c:
        r = a + b;
        break;
    case 0x6b:
    case 0x7d:
        r = a - b;
        break;
    default: /* 0x6c, 0x7e */
        r = a * b;
        break;
    }
    v[0].u64 = code < 0x7c ? (uint32_t)r : r;
}

/* One instruction that gives a value. */
static wasm_value value_of(const wasm_instance *instance, const wasm_instr *i)
{
    wasm_value v = {.words = {0, 0}};
    switch (i->code) {
    case 0x23:
        return instance->globals[i->index]->value;
    case 0xd2:
        v.ref = instance->funcs[i->index];
        break;
    case 0xfd00c:
        memcpy(v.v128, i->bytes, 16);
        break;
    default: /* numbers; ref.null: zero */
        v.u64 = i->bits;
        break;
    }
    return v;
}

static void run(const wasm_instance *instance, const wasm_code *code, wasm_value *stack)
{
    wasm_value *sp = stack;
    for (const uint8_t *pc = code->start;;) {
        wasm_instr i;
        wasm_instr_read_nocheck(&i, instance->module, &pc);
        if (i.code == 0x0b) return;
        if ((i.code >= 0x6a && i.code <= 0x6c) || (i.code >= 0x7c && i.code <= 0x7e))
            arithmetic(i.code, --sp - 1);
        else
            *sp++ = value_of(instance, &i);
    }
}

wisp_status wasm_evaluate(wasm_instance *instance, const wasm_code *code, wasm_value *out)
{
    enum { FEW = 8 };
    wasm_value few[FEW], *stack = few;
    if (code->operands > FEW) stack = base_alloc_aligned(sizeof *stack, code->operands * sizeof *stack);
    if (!stack) {
        snprintf(instance->store->reason, sizeof instance->store->reason, "out of memory");
        return WISP_E_MEMORY;
    }
    run(instance, code, stack);
    *out = stack[0];
    if (stack != few) base_free(stack);
    return WISP_OK;
}
