#include "wasm/instr.h"

#include <string.h>

static uint64_t leb_nocheck(const uint8_t **pc)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = *(*pc)++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) break;
    }
    return v;
}

static int64_t leb_signed_nocheck(const uint8_t **pc)
{
    uint64_t v = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = *(*pc)++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80 && shift < 64);
    if (shift < 64 && byte & 0x40) v |= ~(uint64_t)0 << shift;
    return (int64_t)v;
}

static uint32_t index_nocheck(const uint8_t **pc)
{
    return (uint32_t)leb_nocheck(pc);
}

/* core §5.3.2 */
static wasm_type heap_type_nocheck(const wasm_module *m, const uint8_t **pc)
{
    int64_t v = leb_signed_nocheck(pc);
    return v >= 0 ? WASM_REF | m->canonical[v] : WASM_REF | WASM_REF_ABSTRACT | (uint32_t)(v & 0x7f);
}

static wasm_type value_type_nocheck(const wasm_module *m, const uint8_t **pc)
{
    uint8_t byte = **pc;
    if (byte >= WASM_V128 && byte <= WASM_I32) {
        ++*pc;
        return byte;
    }
    if (byte != 0x63 && byte != 0x64) return heap_type_nocheck(m, pc) | WASM_REF_NULL;
    ++*pc;
    return heap_type_nocheck(m, pc) | (byte == 0x63 ? WASM_REF_NULL : 0);
}

/* core §5.5.13: groups of a count and a type */
void wasm_local_types_nocheck(const wasm_module *m, const wasm_code *code, wasm_type *out)
{
    const uint8_t *pc = code->body.data;
    for (uint32_t groups = index_nocheck(&pc); groups; groups--) {
        uint32_t count = index_nocheck(&pc);
        wasm_type type = value_type_nocheck(m, &pc);
        while (count--)
            *out++ = type;
    }
}

/* core §5.4.1 */
static void block_type_nocheck(wasm_instr *out, const wasm_module *m, const uint8_t **pc)
{
    uint8_t byte = **pc;
    if (byte == 0x40)
        ++*pc;
    else if ((byte & 0xc0) == 0x40)
        out->type = value_type_nocheck(m, pc);
    else
        out->block = &m->types[leb_signed_nocheck(pc)];
}

static void memarg_nocheck(wasm_instr *out, const uint8_t **pc)
{
    uint64_t flags = leb_nocheck(pc);
    out->align = flags & 0x3f;
    if (flags & 0x40) out->index = index_nocheck(pc);
    out->offset = leb_nocheck(pc);
}

static void skip_labels_nocheck(wasm_instr *out, const uint8_t **pc)
{
    out->count = index_nocheck(pc);
    out->list = *pc;
    for (uint64_t n = 0; n <= out->count; n++)
        (void)leb_nocheck(pc);
}

static void skip_catches_nocheck(wasm_instr *out, const uint8_t **pc)
{
    out->count = index_nocheck(pc);
    out->list = *pc;
    for (uint32_t n = 0; n < out->count; n++)
        (void)wasm_instr_catch_nocheck(pc);
}

uint32_t wasm_instr_label_nocheck(const uint8_t **list)
{
    return index_nocheck(list);
}

wasm_catch wasm_instr_catch_nocheck(const uint8_t **list)
{
    wasm_catch c = {.kind = *(*list)++};
    if (c.kind == WASM_CATCH || c.kind == WASM_CATCH_REF) c.tag = index_nocheck(list);
    c.label = index_nocheck(list);
    return c;
}

static void special_nocheck(wasm_instr *out, const wasm_module *m, const uint8_t **pc)
{
    switch (out->code) {
    case 0x00: /* without immediates: unreachable, else, throw_ref, end, return, ref.is_null, drop, select, … */
    case 0x05:
    case 0x0a:
    case 0x0b:
    case 0x0f:
    case 0x1a:
    case 0x1b:
    case 0xd1:
    case 0xd3: /* ref.eq */
    case 0xd4: /* ref.as_non_null */
        break;
    case 0x02:
    case 0x03:
    case 0x04:
        block_type_nocheck(out, m, pc);
        break;
    case 0x1f: /* try_table */
        block_type_nocheck(out, m, pc);
        skip_catches_nocheck(out, pc);
        break;
    case 0x0e:
        skip_labels_nocheck(out, pc);
        break;
    case 0x1c:
        (void)leb_nocheck(pc); /* the count, 1 */
        out->type = value_type_nocheck(m, pc);
        break;
    case 0xd0:
        out->type = heap_type_nocheck(m, pc) | WASM_REF_NULL;
        break;
    case 0x11: /* call_indirect, return_call_indirect: type, table */
    case 0x13:
    case 0xfc008: /* memory.init: data, memory */
    case 0xfc00a: /* memory.copy: to, from */
    case 0xfc00c: /* table.init: elem, table */
    case 0xfc00e: /* table.copy: to, from */
        out->index = index_nocheck(pc);
        out->index2 = index_nocheck(pc);
        break;
    default: /* one index */
        out->index = index_nocheck(pc);
        break;
    }
}

void wasm_instr_read_nocheck(wasm_instr *out, const wasm_module *m, const uint8_t **pc)
{
    uint32_t code = *(*pc)++;
    if (code == 0xfc || code == 0xfd) code = code << 12 | index_nocheck(pc);
    *out = (wasm_instr){.code = code};
    switch (wasm_op(code)->immediate) {
    case WASM_IMM_NONE:
        break;
    case WASM_IMM_SPECIAL:
        special_nocheck(out, m, pc);
        break;
    case WASM_IMM_MEMARG:
        memarg_nocheck(out, pc);
        break;
    case WASM_IMM_MEMARG_LANE:
        memarg_nocheck(out, pc);
        out->lane = *(*pc)++;
        break;
    case WASM_IMM_LANE:
        out->lane = *(*pc)++;
        break;
    case WASM_IMM_I32:
        out->bits = (uint32_t)leb_signed_nocheck(pc);
        break;
    case WASM_IMM_I64:
        out->bits = (uint64_t)leb_signed_nocheck(pc);
        break;
    case WASM_IMM_F32: {
        uint32_t bits;
        memcpy(&bits, *pc, sizeof bits);
        *pc += sizeof bits;
        out->bits = bits;
        break;
    }
    case WASM_IMM_F64:
        memcpy(&out->bits, *pc, sizeof out->bits);
        *pc += sizeof out->bits;
        break;
    case WASM_IMM_V128:
    case WASM_IMM_SHUFFLE:
        out->bytes = *pc;
        *pc += 16;
        break;
    }
}
