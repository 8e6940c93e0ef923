/* Validation of the instructions that do not touch control frames: by their line in opcodes.def, or by hand where the
 * type depends on an index. */
#include <string.h>

#include "wasm/validator.h"

/* ---- the list as a table ---- */

#define SLOT(code) ((code) < 0x100 ? (code) : (code) >> 12 == 0xfc ? 0x100 + ((code)&0xff) : 0x200 + ((code)&0xfff))
#define LETTERS_fbits "f"
#define LETTERS_Fbits "F"
#define LETTERS_i "i"
#define LETTERS_I "I"
#define LETTERS_f "f"
#define LETTERS_F "F"
#define LETTERS_v "v"
#define INFO(code, text, imm, aux, signature) [SLOT(code)] = {text, signature, WASM_IMM_##imm, aux},

static const wasm_op_info ops[0x200 + 0x120] = {
#define WASM_UN(code, name, text, a, r, value) INFO(code, text, NONE, 0, LETTERS_##a ":" LETTERS_##r)
#define WASM_BIN(code, name, text, a, b, r, value) INFO(code, text, NONE, 0, LETTERS_##a LETTERS_##b ":" LETTERS_##r)
#define WASM_TRI(code, name, text, a, b, c, r, value)                                                                  \
    INFO(code, text, NONE, 0, LETTERS_##a LETTERS_##b LETTERS_##c ":" LETTERS_##r)
#define WASM_UN_TRAP(code, name, text, a, r, check, value) INFO(code, text, NONE, 0, LETTERS_##a ":" LETTERS_##r)
#define WASM_BIN_TRAP(code, name, text, a, b, r, check, value)                                                         \
    INFO(code, text, NONE, 0, LETTERS_##a LETTERS_##b ":" LETTERS_##r)
#define WASM_LOAD(code, name, text, r, align, type, value) INFO(code, text, MEMARG, align, "a:" LETTERS_##r)
#define WASM_STORE(code, name, text, a, align, type, value) INFO(code, text, MEMARG, align, "a" LETTERS_##a ":")
#define WASM_EXTRACT(code, name, text, lanes, r, value) INFO(code, text, LANE, lanes, "v:" LETTERS_##r)
#define WASM_REPLACE(code, name, text, lanes, a, type) INFO(code, text, LANE, lanes, "v" LETTERS_##a ":v")
#define WASM_LOAD_LANE(code, name, text, align, type) INFO(code, text, MEMARG_LANE, align, "av:v")
#define WASM_STORE_LANE(code, name, text, align, type) INFO(code, text, MEMARG_LANE, align, "av:")
#define WASM_OP(code, name, text, imm, signature) INFO(code, text, imm, 0, signature)
#define WASM_LOCAL_OP(code, name, text, imm, signature) INFO(code, text, imm, 0, signature)
#include "wasm/opcodes.def"
};

const wasm_op_info *wasm_op(uint32_t code)
{
    uint32_t prefix = code >> 12, sub = code & 0xfff;
    if (prefix == 0xfc ? sub > 0xff : prefix == 0xfd ? sub >= 0x120 : code > 0xff) return NULL;
    const wasm_op_info *op = &ops[SLOT(code)];
    return *op->text ? op : NULL;
}

/* ---- instructions with a fixed signature ---- */

static wasm_type address_type(const wasm_range *range)
{
    return range->is64 ? WASM_I64 : WASM_I32;
}

/* core §5.4.6 memarg: bit 6 of the alignment says that a memory index follows. */
static wisp_status read_memarg(wasm_validator *v, uint32_t natural, wasm_type *address)
{
    wasm_decoder *d = v->d;
    uint32_t flags = base_read_leb_u32(&d->r), memory = 0;
    BASE_TRY(wasm_decode_check(d));
    if (flags >= 0x80) return wasm_decode_fail(d, "malformed memop flags");
    if (flags & 0x40) memory = base_read_leb_u32(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (memory >= d->m->memory_count) return wasm_decode_fail(d, "unknown memory %u", memory);
    if ((flags & 0x3f) > natural) return wasm_decode_fail(d, "alignment must not be larger than natural");
    *address = address_type(&d->m->memories[memory]);
    if (*address == WASM_I64)
        base_read_leb_u64(&d->r);
    else
        base_read_leb_u32(&d->r);
    return wasm_decode_check(d);
}

static wisp_status read_lanes(wasm_validator *v, unsigned count, unsigned limit)
{
    base_span lanes = base_read_span(&v->d->r, count);
    BASE_TRY(wasm_decode_check(v->d));
    for (unsigned i = 0; i < count; i++)
        if (lanes.data[i] >= limit) return wasm_decode_fail(v->d, "invalid lane index %u", lanes.data[i]);
    return WISP_OK;
}

static wisp_status read_immediate(wasm_validator *v, const wasm_op_info *op, wasm_type *address)
{
    base_reader *r = &v->d->r;
    switch (op->immediate) {
    case WASM_IMM_MEMARG:
        return read_memarg(v, op->aux, address);
    case WASM_IMM_MEMARG_LANE:
        BASE_TRY(read_memarg(v, op->aux, address));
        return read_lanes(v, 1, 16u >> op->aux);
    case WASM_IMM_LANE:
        return read_lanes(v, 1, op->aux);
    case WASM_IMM_SHUFFLE:
        return read_lanes(v, 16, 32);
    case WASM_IMM_I32:
        base_read_leb_s32(r);
        break;
    case WASM_IMM_I64:
        base_read_leb_s64(r);
        break;
    case WASM_IMM_F32:
        base_skip(r, 4);
        break;
    case WASM_IMM_F64:
        base_skip(r, 8);
        break;
    case WASM_IMM_V128:
        base_skip(r, 16);
        break;
    default:
        break;
    }
    return wasm_decode_check(v->d);
}

static wasm_type letter_type(char letter, wasm_type address)
{
    switch (letter) {
    case 'i':
        return WASM_I32;
    case 'I':
        return WASM_I64;
    case 'f':
        return WASM_F32;
    case 'F':
        return WASM_F64;
    case 'v':
        return WASM_V128;
    default:
        return address;
    }
}

wisp_status wasm_validate_simple(wasm_validator *v, const wasm_op_info *op)
{
    wasm_type address = WASM_I32;
    BASE_TRY(read_immediate(v, op, &address));
    const char *colon = strchr(op->signature, ':');
    for (const char *p = colon; p-- > op->signature;)
        BASE_TRY(wasm_pop_type(v, letter_type(*p, address)));
    return colon[1] ? wasm_push(v, letter_type(colon[1], address)) : WISP_OK;
}

/* ---- calls, core §3.4.1 ---- */

static wisp_status apply(wasm_validator *v, const wasm_functype *type, bool tail)
{
    BASE_TRY(wasm_pop_list(v, type->params, type->param_count));
    if (!tail) return wasm_push_list(v, type->results, type->result_count);
    if (type->result_count != v->type->result_count ||
        !wasm_types_match(v->m->subs, type->results, v->type->results, type->result_count))
        return wasm_decode_fail(v->d, "type mismatch: results of a tail call");
    wasm_mark_unreachable(v);
    return WISP_OK;
}

static wisp_status read_function_type(wasm_validator *v, uint32_t *type)
{
    BASE_TRY(wasm_read_index(v, v->m->type_count, "type", type));
    if (v->m->subs[*type].form != WASM_FORM_FUNC)
        return wasm_decode_fail(v->d, "type mismatch: type %u is no function type", *type);
    return WISP_OK;
}

static wisp_status validate_call(wasm_validator *v, bool tail)
{
    const wasm_module *m = v->d->m;
    uint32_t func;
    BASE_TRY(wasm_read_index(v, m->func_count, "function", &func));
    return apply(v, &m->types[m->funcs[func]], tail);
}

static wisp_status validate_call_indirect(wasm_validator *v, bool tail)
{
    const wasm_module *m = v->d->m;
    uint32_t type, table;
    BASE_TRY(read_function_type(v, &type));
    BASE_TRY(wasm_read_index(v, m->table_count, "table", &table));
    if (!wasm_type_matches(m->subs, m->tables[table].type, WASM_FUNCREF))
        return wasm_decode_fail(v->d, "type mismatch: call_indirect needs a table of functions");
    BASE_TRY(wasm_pop_type(v, address_type(&m->tables[table].range)));
    return apply(v, &m->types[type], tail);
}

static wisp_status validate_call_ref(wasm_validator *v, bool tail)
{
    const wasm_module *m = v->d->m;
    uint32_t type;
    BASE_TRY(read_function_type(v, &type));
    BASE_TRY(wasm_pop_type(v, WASM_REF | WASM_REF_NULL | m->canonical[type]));
    return apply(v, &m->types[type], tail);
}

/* ---- references, parametric ---- */

static wisp_status validate_ref(wasm_validator *v, uint32_t code)
{
    const wasm_module *m = v->d->m;
    wasm_type type;
    uint32_t func;
    if (code == 0xd0) {
        BASE_TRY(wasm_decode_heap_type(v->d, &type));
        return wasm_push(v, type | WASM_REF_NULL);
    }
    if (code == 0xd1) {
        BASE_TRY(wasm_pop_ref(v, &type));
        return wasm_push(v, WASM_I32);
    }
    if (code == 0xd4) { /* ref.as_non_null */
        BASE_TRY(wasm_pop_ref(v, &type));
        return wasm_push(v, type & ~(wasm_type)WASM_REF_NULL);
    }
    BASE_TRY(wasm_read_index(v, m->func_count, "function", &func));
    if (v->constant)
        m->declared[func] = 1;
    else if (!m->declared[func])
        return wasm_decode_fail(v->d, "undeclared function reference");
    return wasm_push(v, WASM_REF | m->canonical[m->funcs[func]]);
}

static wisp_status validate_select(wasm_validator *v)
{
    wasm_type a, b;
    BASE_TRY(wasm_pop_type(v, WASM_I32));
    BASE_TRY(wasm_pop(v, &a));
    BASE_TRY(wasm_pop(v, &b));
    if (wasm_type_is_ref(a) || wasm_type_is_ref(b) || (a != b && a != WASM_BOTTOM && b != WASM_BOTTOM))
        return wasm_decode_fail(v->d, "type mismatch in select");
    return wasm_push(v, a == WASM_BOTTOM ? b : a);
}

static wisp_status validate_select_typed(wasm_validator *v)
{
    wasm_type type;
    uint32_t count = base_read_leb_u32(&v->d->r);
    BASE_TRY(wasm_decode_check(v->d));
    if (count != 1) return wasm_decode_fail(v->d, "invalid result arity");
    BASE_TRY(wasm_decode_type(v->d, &type));
    BASE_TRY(wasm_pop_type(v, WASM_I32));
    BASE_TRY(wasm_pop_type(v, type));
    BASE_TRY(wasm_pop_type(v, type));
    return wasm_push(v, type);
}

/* ---- variables ---- */

/* core §3.4.2: a local without a default must have been set, in this block or around it. */
static wisp_status track_init(wasm_validator *v, uint32_t index, bool set)
{
    bool known = v->init_stamps[index] == v->stamp;
    if (!set) return known ? WISP_OK : wasm_decode_fail(v->d, "uninitialized local %u", index);
    if (known) return WISP_OK;
    if (!BASE_GROW(v->inits, v->init_capacity, v->init_count + 1)) return wasm_validator_out_of_memory(v);
    v->inits[v->init_count++] = index;
    v->init_stamps[index] = v->stamp;
    return WISP_OK;
}

static wisp_status validate_local(wasm_validator *v, uint32_t code)
{
    uint32_t index;
    BASE_TRY(wasm_read_index(v, v->local_count, "local", &index));
    const wasm_type type = wasm_local_type(v, index);
    if (code != 0x20) BASE_TRY(wasm_pop_type(v, type));
    if (v->tracks_inits && index >= v->param_count && !wasm_type_defaultable(type))
        BASE_TRY(track_init(v, index, code != 0x20));
    return code != 0x21 ? wasm_push(v, type) : WISP_OK;
}

static wisp_status validate_global(wasm_validator *v, uint32_t code)
{
    const wasm_module *m = v->d->m;
    uint32_t index;
    BASE_TRY(wasm_read_index(v, m->global_count, "global", &index));
    const wasm_global_decl *global = &m->globals[index];
    if (code == 0x23) {
        if (v->constant && global->is_mutable) return wasm_decode_fail(v->d, "constant expression required");
        return wasm_push(v, global->type);
    }
    if (!global->is_mutable) return wasm_decode_fail(v->d, "immutable global");
    return wasm_pop_type(v, global->type);
}

/* ---- tables ---- */

static wisp_status validate_table_init(wasm_validator *v)
{
    const wasm_module *m = v->d->m;
    uint32_t elem, table;
    BASE_TRY(wasm_read_index(v, m->elem_count, "elem segment", &elem));
    BASE_TRY(wasm_read_index(v, m->table_count, "table", &table));
    if (!wasm_type_matches(m->subs, m->elems[elem].type, m->tables[table].type))
        return wasm_decode_fail(v->d, "type mismatch: elements do not fit the table");
    BASE_TRY(wasm_pop_type(v, WASM_I32));
    BASE_TRY(wasm_pop_type(v, WASM_I32));
    return wasm_pop_type(v, address_type(&m->tables[table].range));
}

static wisp_status validate_table_copy(wasm_validator *v)
{
    const wasm_module *m = v->d->m;
    uint32_t to, from;
    BASE_TRY(wasm_read_index(v, m->table_count, "table", &to));
    BASE_TRY(wasm_read_index(v, m->table_count, "table", &from));
    const wasm_table_decl *a = &m->tables[to], *b = &m->tables[from];
    if (!wasm_type_matches(m->subs, b->type, a->type)) return wasm_decode_fail(v->d, "type mismatch: tables differ");
    BASE_TRY(wasm_pop_type(v, a->range.is64 && b->range.is64 ? WASM_I64 : WASM_I32));
    BASE_TRY(wasm_pop_type(v, address_type(&b->range)));
    return wasm_pop_type(v, address_type(&a->range));
}

static wisp_status validate_table(wasm_validator *v, uint32_t code)
{
    const wasm_module *m = v->d->m;
    uint32_t index;
    if (code == 0xfc00c) return validate_table_init(v);
    if (code == 0xfc00e) return validate_table_copy(v);
    if (code == 0xfc00d) return wasm_read_index(v, m->elem_count, "elem segment", &index);
    BASE_TRY(wasm_read_index(v, m->table_count, "table", &index));
    wasm_type type = m->tables[index].type, address = address_type(&m->tables[index].range);
    switch (code) {
    case 0x25:
        BASE_TRY(wasm_pop_type(v, address));
        return wasm_push(v, type);
    case 0x26:
        BASE_TRY(wasm_pop_type(v, type));
        return wasm_pop_type(v, address);
    case 0xfc00f:
        BASE_TRY(wasm_pop_type(v, address));
        BASE_TRY(wasm_pop_type(v, type));
        return wasm_push(v, address);
    case 0xfc010:
        return wasm_push(v, address);
    default: /* table.fill */
        BASE_TRY(wasm_pop_type(v, address));
        BASE_TRY(wasm_pop_type(v, type));
        return wasm_pop_type(v, address);
    }
}

/* ---- memories ---- */

static wisp_status read_memory(wasm_validator *v, wasm_type *address)
{
    uint32_t memory;
    BASE_TRY(wasm_read_index(v, v->d->m->memory_count, "memory", &memory));
    *address = address_type(&v->d->m->memories[memory]);
    return WISP_OK;
}

static wisp_status read_data_index(wasm_validator *v)
{
    uint32_t data;
    if (!v->d->has_data_count) return wasm_decode_fail(v->d, "data count section required");
    return wasm_read_index(v, v->d->data_count, "data segment", &data);
}

static wisp_status validate_memory(wasm_validator *v, uint32_t code)
{
    wasm_type to, from;
    switch (code) {
    case 0x3f:
        BASE_TRY(read_memory(v, &to));
        return wasm_push(v, to);
    case 0x40:
        BASE_TRY(read_memory(v, &to));
        BASE_TRY(wasm_pop_type(v, to));
        return wasm_push(v, to);
    case 0xfc008:
        BASE_TRY(read_data_index(v));
        BASE_TRY(read_memory(v, &to));
        BASE_TRY(wasm_pop_type(v, WASM_I32));
        BASE_TRY(wasm_pop_type(v, WASM_I32));
        return wasm_pop_type(v, to);
    case 0xfc009:
        return read_data_index(v);
    case 0xfc00a:
        BASE_TRY(read_memory(v, &to));
        BASE_TRY(read_memory(v, &from));
        BASE_TRY(wasm_pop_type(v, to == WASM_I64 && from == WASM_I64 ? WASM_I64 : WASM_I32));
        BASE_TRY(wasm_pop_type(v, from));
        return wasm_pop_type(v, to);
    default: /* memory.fill */
        BASE_TRY(read_memory(v, &to));
        BASE_TRY(wasm_pop_type(v, to));
        BASE_TRY(wasm_pop_type(v, WASM_I32));
        return wasm_pop_type(v, to);
    }
}

wisp_status wasm_validate_special(wasm_validator *v, uint32_t code)
{
    wasm_type type;
    switch (code) {
    case 0x10:
        return validate_call(v, false);
    case 0x11:
        return validate_call_indirect(v, false);
    case 0x12:
        return validate_call(v, true);
    case 0x13:
        return validate_call_indirect(v, true);
    case 0x14:
        return validate_call_ref(v, false);
    case 0x15:
        return validate_call_ref(v, true);
    case 0x1a:
        return wasm_pop(v, &type);
    case 0x1b:
        return validate_select(v);
    case 0x1c:
        return validate_select_typed(v);
    case 0x20:
    case 0x21:
    case 0x22:
        return validate_local(v, code);
    case 0x23:
    case 0x24:
        return validate_global(v, code);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd4:
        return validate_ref(v, code);
    case 0x3f:
    case 0x40:
    case 0xfc008:
    case 0xfc009:
    case 0xfc00a:
    case 0xfc00b:
        return validate_memory(v, code);
    default:
        return validate_table(v, code);
    }
}
