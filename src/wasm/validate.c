/* Validation of code, core §3.3 and appendix A.3: the stacks, locals, control instructions. Other instructions are in
 * validate_fast.c and validate_ops.c. */
#include <string.h>

#include "os/os.h"
#include "wasm/decode.h"
#include "wasm/validator.h"

enum { BLOCK = 0x02, LOOP = 0x03, IF = 0x04, ELSE = 0x05, TRY_TABLE = 0x1f };

enum { GUARD = 4 }; /* words below the operands, so that the fast path may look at three without asking */

wisp_status wasm_validator_out_of_memory(wasm_validator *v)
{
    return base_fail(v->d->report, WISP_E_MEMORY, "wasm: out of memory while validating");
}

/* ---- operands ---- */

wisp_status wasm_grow_operands(wasm_validator *v, uint32_t count)
{
    const size_t have = wasm_operand_count(v), limit = v->m->limits.operands;
    if (count > limit || have > limit - count)
        return base_fail(v->d->report, WISP_E_LIMIT, "wasm: byte %zu: more than %zu operands", base_offset(&v->d->r),
                         limit);
    if (!v->operands || have + count > v->operand_capacity) {
        size_t capacity = have + count + v->operand_capacity;
        if (capacity < 64) capacity = 64;
        wasm_type *p = base_realloc_array(v->operands ? v->operands - GUARD : NULL, capacity + GUARD, sizeof *p);
        if (!p) return wasm_validator_out_of_memory(v);
        const size_t floor = (size_t)(v->floor - v->operands), high = (size_t)(v->high - v->operands);
        memset(p, 0, GUARD * sizeof *p);
        v->operands = p + GUARD;
        v->sp = v->operands + have;
        v->floor = v->operands + floor;
        v->high = v->operands + high;
        v->operand_capacity = capacity;
    }
    v->room = v->operands + (v->operand_capacity < limit ? v->operand_capacity : limit);
    return WISP_OK;
}

wisp_status wasm_pop_slow(wasm_validator *v, wasm_type *out)
{
    *out = WASM_BOTTOM;
    return wasm_top(v)->unreachable ? WISP_OK : wasm_decode_fail(v->d, "type mismatch: the operand stack is empty");
}

wisp_status wasm_pop_ref(wasm_validator *v, wasm_type *out)
{
    BASE_TRY(wasm_pop(v, out));
    if (*out == WASM_BOTTOM) *out = WASM_BOTTOM_REF;
    return wasm_type_is_ref(*out) ? WISP_OK : wasm_decode_fail(v->d, "type mismatch: no reference");
}

wisp_status wasm_pop_type_slow(wasm_validator *v, wasm_type type)
{
    wasm_type have;
    BASE_TRY(wasm_pop(v, &have));
    if (have == WASM_BOTTOM || wasm_type_matches(v->m->subs, have, type)) return WISP_OK;
    char a[16], b[16];
    return wasm_decode_fail(v->d, "type mismatch: %s where %s is needed", wasm_type_name(have, a),
                            wasm_type_name(type, b));
}

wisp_status wasm_push_list(wasm_validator *v, const wasm_type *types, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        BASE_TRY(wasm_push(v, types[i]));
    return WISP_OK;
}

wisp_status wasm_pop_list(wasm_validator *v, const wasm_type *types, uint32_t count)
{
    while (count--)
        BASE_TRY(wasm_pop_type(v, types[count]));
    return WISP_OK;
}

void wasm_mark_unreachable(wasm_validator *v)
{
    v->sp = v->floor;
    wasm_top(v)->unreachable = true;
}

wisp_status wasm_read_index_slow(wasm_validator *v, uint32_t index, const char *what)
{
    BASE_TRY(wasm_decode_check(v->d));
    return wasm_decode_fail(v->d, "unknown %s %u", what, index);
}

/* ---- control frames ---- */

static const wasm_type *params_of(const wasm_control *c, uint32_t *count)
{
    *count = c->type ? c->type->param_count : 0;
    return c->type ? c->type->params : NULL;
}

static const wasm_type *results_of(const wasm_control *c, uint32_t *count)
{
    *count = c->type ? c->type->result_count : c->single ? 1 : 0;
    return c->type ? c->type->results : &c->single;
}

/* What a branch to the frame takes along. */
static const wasm_type *label_of(const wasm_control *c, uint32_t *count)
{
    return c->opcode == LOOP ? params_of(c, count) : results_of(c, count);
}

static wisp_status push_control(wasm_validator *v, const wasm_control *c)
{
    if (v->control_count >= v->d->m->limits.nesting)
        return base_fail(v->d->report, WISP_E_LIMIT, "wasm: byte %zu: blocks nest deeper than %zu",
                         base_offset(&v->d->r), v->control_count);
    if (!BASE_GROW(v->controls, v->control_capacity, v->control_count + 1)) return wasm_validator_out_of_memory(v);
    wasm_control *new = &v->controls[v->control_count++];
    *new = *c;
    new->height = (uint32_t)wasm_operand_count(v);
    new->inits = (uint32_t)v->init_count;
    v->floor = v->sp;
    uint32_t count;
    const wasm_type *params = params_of(new, &count);
    return v->control_count == 1 ? WISP_OK : wasm_push_list(v, params, count);
}

static wisp_status check_results(wasm_validator *v)
{
    const wasm_control *c = wasm_top(v);
    uint32_t count;
    const wasm_type *results = results_of(c, &count);
    BASE_TRY(wasm_pop_list(v, results, count));
    if (v->sp != v->floor) return wasm_decode_fail(v->d, "type mismatch: values left at the end of a block");
    return WISP_OK;
}

/* Locals that were initialized inside a block are not after it, core §3.4.2. */
static void undo_inits(wasm_validator *v, uint32_t count)
{
    while (v->init_count > count)
        v->init_stamps[v->inits[--v->init_count]] = 0;
}

/* ---- control instructions, core §3.4.1 ---- */

/* core §5.4.1: 0x40, a value type, or a type index as s33 */
static wisp_status read_block_type(wasm_validator *v, wasm_control *c)
{
    wasm_decoder *d = v->d;
    if (!base_left(&d->r)) return wasm_decode_fail(d, "unexpected end");
    uint8_t byte = *d->r.at;
    if (byte == 0x40) {
        d->r.at++;
        return WISP_OK;
    }
    if ((byte & 0xc0) == 0x40) return wasm_decode_type(d, &c->single);
    int64_t index = base_read_leb_s33(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (index < 0 || index >= d->m->type_count) return wasm_decode_fail(d, "unknown type");
    if (d->m->subs[index].form != WASM_FORM_FUNC) return wasm_decode_fail(d, "type mismatch: no function type");
    c->type = &d->m->types[index];
    return WISP_OK;
}

static wisp_status read_label(wasm_validator *v, uint32_t *depth)
{
    return wasm_read_index(v, (uint32_t)v->control_count, "label", depth);
}

/* The frame has room for `count` values on top of what is there: a handler puts them there. */
static wisp_status expect_values(wasm_validator *v, uint32_t count)
{
    if (count > (size_t)(v->room - v->sp)) BASE_TRY(wasm_grow_operands(v, count));
    if (v->sp + count > v->high) v->high = v->sp + count;
    return WISP_OK;
}

/* One catch clause: what it carries must fit its label (core §3.4.1 catch). */
static wisp_status check_catch(wasm_validator *v)
{
    wasm_decoder *d = v->d;
    uint32_t tag = 0, depth, count, given = 0;
    uint8_t kind = base_read_u8(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (kind > 3) return wasm_decode_fail(d, "malformed catch clause");
    const wasm_functype *type = NULL;
    if (kind < 2) {
        BASE_TRY(wasm_read_index(v, d->m->tag_count, "tag", &tag));
        type = &d->m->types[d->m->tags[tag]];
        given = type->param_count;
    }
    BASE_TRY(read_label(v, &depth));
    const wasm_type *wanted = label_of(&v->controls[v->control_count - 1 - depth], &count);
    bool fits = count == given + (kind & 1) && (!type || wasm_types_match(v->m->subs, type->params, wanted, given));
    if (fits && kind & 1) fits = wasm_type_matches(v->m->subs, WASM_EXNREF & ~(wasm_type)WASM_REF_NULL, wanted[given]);
    return fits ? expect_values(v, count) : wasm_decode_fail(d, "type mismatch in a catch clause");
}

static wisp_status read_catches(wasm_validator *v)
{
    uint32_t count = base_read_leb_u32(&v->d->r);
    BASE_TRY(wasm_decode_check(v->d));
    if (!base_can_hold(&v->d->r, count, 2)) return wasm_decode_fail(v->d, "length out of bounds");
    for (uint32_t i = 0; i < count; i++)
        BASE_TRY(check_catch(v));
    return WISP_OK;
}

static wisp_status begin_block(wasm_validator *v, uint8_t opcode)
{
    wasm_control c = {.opcode = opcode};
    BASE_TRY(read_block_type(v, &c));
    if (opcode == IF) BASE_TRY(wasm_pop_type(v, WASM_I32));
    uint32_t count;
    const wasm_type *params = params_of(&c, &count);
    BASE_TRY(wasm_pop_list(v, params, count));
    if (opcode == TRY_TABLE) BASE_TRY(read_catches(v)); /* their labels count from outside */
    return push_control(v, &c);
}

static wisp_status begin_else(wasm_validator *v)
{
    if (wasm_top(v)->opcode != IF) return wasm_decode_fail(v->d, "else without if");
    BASE_TRY(check_results(v));
    wasm_control *c = wasm_top(v);
    c->opcode = ELSE;
    c->unreachable = false;
    undo_inits(v, c->inits);
    uint32_t count;
    const wasm_type *params = params_of(c, &count);
    return wasm_push_list(v, params, count);
}

/* An `if` without else must take what it gives. */
static wisp_status check_missing_else(wasm_validator *v)
{
    const wasm_control *c = wasm_top(v);
    uint32_t params, results;
    const wasm_type *from = params_of(c, &params), *to = results_of(c, &results);
    bool same = params == results && wasm_types_match(v->m->subs, from, to, params);
    return same ? WISP_OK : wasm_decode_fail(v->d, "type mismatch: if without else must not change the stack");
}

static wisp_status end_block(wasm_validator *v)
{
    BASE_TRY(check_results(v));
    wasm_control c = *wasm_top(v);
    if (c.opcode == IF) BASE_TRY(check_missing_else(v));
    v->control_count--;
    undo_inits(v, c.inits);
    if (!v->control_count) return WISP_OK;
    v->floor = v->operands + wasm_top(v)->height;
    uint32_t count;
    const wasm_type *results = results_of(&c, &count);
    return wasm_push_list(v, results, count);
}

static wisp_status validate_br(wasm_validator *v, bool conditional)
{
    uint32_t depth, count;
    BASE_TRY(read_label(v, &depth));
    if (conditional) BASE_TRY(wasm_pop_type(v, WASM_I32));
    wasm_control c = v->controls[v->control_count - 1 - depth];
    const wasm_type *types = label_of(&c, &count);
    BASE_TRY(wasm_pop_list(v, types, count));
    if (conditional) return wasm_push_list(v, types, count);
    wasm_mark_unreachable(v);
    return WISP_OK;
}

/* One label of a br_table: its types must fit what is there, which stays there. */
static wisp_status check_table_label(wasm_validator *v, uint32_t depth, uint32_t arity)
{
    wasm_control *c = &v->controls[v->control_count - 1 - depth];
    uint32_t count;
    if (c->checked_by == v->br_tables) return WISP_OK; /* a table may name a label of many types a million times */
    c->checked_by = v->br_tables;
    const wasm_type *types = label_of(c, &count);
    if (count != arity) return wasm_decode_fail(v->d, "type mismatch: labels of different arity");
    for (uint32_t i = 0; i < count; i++) {
        if ((size_t)(v->sp - v->floor) <= i) {
            if (wasm_top(v)->unreachable) break;
            return wasm_decode_fail(v->d, "type mismatch: the operand stack is empty");
        }
        wasm_type have = v->sp[-1 - (ptrdiff_t)i];
        if (have != WASM_BOTTOM && !wasm_type_matches(v->m->subs, have, types[count - 1 - i]))
            return wasm_decode_fail(v->d, "type mismatch in br_table");
    }
    return WISP_OK;
}

static wisp_status validate_br_table(wasm_validator *v)
{
    wasm_decoder *d = v->d;
    uint32_t count = base_read_leb_u32(&d->r), depth, arity;
    v->br_tables++;
    BASE_TRY(wasm_decode_check(d));
    if (!base_can_hold(&d->r, (uint64_t)count + 1, 1)) return wasm_decode_fail(d, "length out of bounds");
    BASE_TRY(wasm_pop_type(v, WASM_I32));
    base_reader labels = d->r;
    for (uint32_t i = 0; i <= count; i++)
        depth = base_read_leb_u32(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (depth >= v->control_count) return wasm_decode_fail(d, "unknown label %u", depth);
    label_of(&v->controls[v->control_count - 1 - depth], &arity); /* the default's arity is everyone's */
    d->r = labels;
    for (uint32_t i = 0; i <= count; i++) {
        BASE_TRY(read_label(v, &depth));
        BASE_TRY(check_table_label(v, depth, arity));
    }
    wasm_mark_unreachable(v);
    return WISP_OK;
}

/* br_on_null, br_on_non_null: the reference is on top; the branch of the latter takes it along. */
static wisp_status validate_br_on_null(wasm_validator *v, bool non_null)
{
    uint32_t depth, count;
    wasm_type ref;
    BASE_TRY(read_label(v, &depth));
    BASE_TRY(wasm_pop_ref(v, &ref));
    wasm_control c = v->controls[v->control_count - 1 - depth];
    const wasm_type *types = label_of(&c, &count);
    if (non_null) {
        if (!count || !wasm_type_is_ref(types[count - 1]))
            return wasm_decode_fail(v->d, "type mismatch: the label takes no reference");
        BASE_TRY(wasm_push(v, ref & ~(wasm_type)WASM_REF_NULL));
    }
    BASE_TRY(wasm_pop_list(v, types, count));
    BASE_TRY(wasm_push_list(v, types, non_null ? count - 1 : count));
    return non_null ? WISP_OK : wasm_push(v, ref & ~(wasm_type)WASM_REF_NULL);
}

static wisp_status validate_throw(wasm_validator *v, bool by_ref)
{
    if (by_ref) {
        BASE_TRY(wasm_pop_type(v, WASM_EXNREF));
    } else {
        uint32_t tag;
        BASE_TRY(wasm_read_index(v, v->d->m->tag_count, "tag", &tag));
        const wasm_functype *type = &v->d->m->types[v->d->m->tags[tag]];
        BASE_TRY(wasm_pop_list(v, type->params, type->param_count));
    }
    wasm_mark_unreachable(v);
    return WISP_OK;
}

static bool is_control(uint32_t code)
{
    return (code <= 0x0f && code != 0x01) || code == TRY_TABLE || code == 0xd5 || code == 0xd6;
}

wisp_status wasm_validate_control(wasm_validator *v, uint32_t code)
{
    switch (code) {
    case 0x00:
        wasm_mark_unreachable(v);
        return WISP_OK;
    case BLOCK:
    case LOOP:
    case IF:
    case TRY_TABLE:
        return begin_block(v, (uint8_t)code);
    case ELSE:
        return begin_else(v);
    case 0x08:
    case 0x0a:
        return validate_throw(v, code == 0x0a);
    case 0x0b:
        return end_block(v);
    case 0x0c:
        return validate_br(v, false);
    case 0x0d:
        return validate_br(v, true);
    case 0x0e:
        return validate_br_table(v);
    case 0xd5:
    case 0xd6:
        return validate_br_on_null(v, code == 0xd6);
    default: /* return */
        BASE_TRY(wasm_pop_list(v, v->type->results, v->type->result_count));
        wasm_mark_unreachable(v);
        return WISP_OK;
    }
}

/* ---- instructions ---- */

static wisp_status read_opcode(wasm_decoder *d, uint32_t *code)
{
    *code = base_read_u8(&d->r);
    if (*code == 0xfc || *code == 0xfd) {
        uint32_t sub = base_read_leb_u32(&d->r);
        if (sub > 0xfff) return wasm_decode_fail(d, "illegal opcode 0x%02x %u", *code, sub);
        *code = *code << 12 | sub;
    }
    return wasm_decode_check(d);
}

/* core §3.4.13: constant expressions, with the arithmetic of 3.0's extended ones */
static bool is_constant(uint32_t code)
{
    return code == 0x0b || code == 0x23 || (code >= 0x41 && code <= 0x44) || code == 0xd0 || code == 0xd2 ||
           code == 0xfd00c || (code >= 0x6a && code <= 0x6c) || (code >= 0x7c && code <= 0x7e);
}

/* Opcodes that 3.0 or a proposal has and the machine does not, and those that nothing has. */
static wisp_status unsupported_opcode(wasm_decoder *d, uint32_t code)
{
    if (code != 0xd3 && code != 0xfb && code != 0xfe) return wasm_decode_fail(d, "illegal opcode %x", code);
    return base_fail(d->report, WISP_E_UNSUPPORTED, "wasm: byte %zu, %s: %s are not supported (opcode 0x%x)",
                     base_offset(&d->r), d->section,
                     code == 0xfe ? "threads" : "instructions of the garbage-collected heap", code);
}

wisp_status wasm_validator_look(wasm_validator *v)
{
    enum { EVERY = 64 << 10 }; /* bytes of code: less than a millisecond */
    const wasm_decode_limits *limits = &v->m->limits;
    wasm_decoder *d = v->d;
    const size_t left = (size_t)(v->m->bytes.data + v->m->bytes.size - d->r.at);
    v->look = d->r.at + (left < EVERY ? left : EVERY);
    if (limits->stopped && limits->stopped(limits->stopped_context))
        return base_fail(d->report, WISP_E_CANCELLED, "wasm: byte %zu, %s: interrupted", base_offset(&d->r),
                         d->section);
    if (limits->until_ns && os_monotonic_ns() >= limits->until_ns)
        return base_fail(d->report, WISP_E_DEADLINE, "wasm: byte %zu, %s: not validated in time", base_offset(&d->r),
                         d->section);
    return WISP_OK;
}

wisp_status wasm_validate_instruction(wasm_validator *v)
{
    wasm_decoder *d = v->d;
    uint32_t code;
    BASE_TRY(read_opcode(d, &code));
    const wasm_op_info *op = wasm_op(code);
    if (!op) return unsupported_opcode(d, code);
    if (v->constant && !is_constant(code)) return wasm_decode_fail(d, "constant expression required");
    if (is_control(code)) return wasm_validate_control(v, code);
    return op->immediate == WASM_IMM_SPECIAL ? wasm_validate_special(v, code) : wasm_validate_simple(v, op);
}

/* ---- locals ---- */

wasm_type wasm_local_type(const wasm_validator *v, uint32_t index)
{
    if (index < WASM_DIRECT_LOCALS) return v->locals[index];
    size_t low = 0, high = v->run_count - 1; /* the first run that ends after it */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (v->runs[middle].end > index)
            high = middle;
        else
            low = middle + 1;
    }
    return v->runs[low].type;
}

static wisp_status add_locals(wasm_validator *v, uint32_t count, wasm_type type)
{
    const uint32_t limit = v->m->limits.locals;
    if (count > limit || v->local_count > limit - count)
        return wasm_decode_too_many(v->d, "locals", (uint64_t)v->local_count + count, limit);
    if (!count) return WISP_OK;
    if (!BASE_GROW(v->runs, v->run_capacity, v->run_count + 1)) return wasm_validator_out_of_memory(v);
    for (uint32_t i = v->local_count; i < v->local_count + count && i < WASM_DIRECT_LOCALS; i++)
        v->locals[i] = type;
    v->local_count += count;
    v->runs[v->run_count++] = (wasm_local_run){.end = v->local_count, .type = type};
    v->tracks_inits |= !wasm_type_defaultable(type);
    return WISP_OK;
}

/* A stamp of its own for each function, so that nothing needs to be cleared. */
static wisp_status begin_inits(wasm_validator *v)
{
    const size_t old = v->stamp_capacity;
    if (!BASE_GROW(v->init_stamps, v->stamp_capacity, v->local_count)) return wasm_validator_out_of_memory(v);
    if (v->stamp_capacity > old) memset(v->init_stamps + old, 0, (v->stamp_capacity - old) * sizeof *v->init_stamps);
    v->stamp++;
    return WISP_OK;
}

/* core §5.5.13 */
static wisp_status read_locals(wasm_validator *v)
{
    base_reader *r = &v->d->r;
    uint32_t groups = wasm_next_u32(r);
    BASE_TRY(wasm_decode_check(v->d));
    if (!base_can_hold(r, groups, 2)) return wasm_decode_fail(v->d, "length out of bounds");
    v->tracks_inits = false; /* parameters come initialized */
    for (uint32_t i = 0; i < groups; i++) {
        uint32_t count = wasm_next_u32(r);
        wasm_type type;
        BASE_TRY(wasm_decode_type(v->d, &type));
        BASE_TRY(add_locals(v, count, type));
    }
    return v->tracks_inits ? begin_inits(v) : WISP_OK;
}

/* ---- functions ---- */

static wisp_status begin(wasm_validator *v, const wasm_functype *type)
{
    v->sp = v->floor = v->high = v->operands;
    BASE_TRY(wasm_grow_operands(v, 0));
    v->control_count = v->run_count = v->init_count = 0;
    v->local_count = 0;
    v->tracks_inits = false;
    v->type = type;
    v->plain_memory = v->m->memory_count && !v->m->memories[0].is64;
    for (uint32_t i = 0; i < type->param_count; i++)
        BASE_TRY(add_locals(v, 1, type->params[i]));
    v->param_count = type->param_count;
    return WISP_OK;
}

static wisp_status validate_body(wasm_validator *v, wasm_code *code, const wasm_functype *type)
{
    code->start = v->d->r.at;
    const wasm_control function = {.opcode = 0, .type = type};
    BASE_TRY(push_control(v, &function));
    if (!v->constant) BASE_TRY(wasm_validate_code(v));
    while (v->control_count)
        BASE_TRY(wasm_validate_instruction(v));
    code->end = v->d->r.at;
    code->operands = (uint32_t)(v->high - v->operands);
    return WISP_OK;
}

wisp_status wasm_validate_function(wasm_validator *v, wasm_code *code, const wasm_functype *type)
{
    BASE_TRY(begin(v, type));
    BASE_TRY(read_locals(v));
    v->constant = false;
    code->params = type->param_count;
    code->results = type->result_count;
    code->locals = v->local_count - type->param_count;
    return validate_body(v, code, type);
}

wisp_status wasm_validate_constant(wasm_decoder *d, wasm_code *code, wasm_type type)
{
    if (!d->validator && !(d->validator = wasm_validator_new(d)))
        return base_fail(d->report, WISP_E_MEMORY, "wasm: out of memory while validating");
    const wasm_functype constant = {.results = &type, .result_count = 1};
    *code = (wasm_code){.results = 1};
    BASE_TRY(begin(d->validator, &constant));
    d->validator->constant = true;
    return validate_body(d->validator, code, &constant);
}

wasm_validator *wasm_validator_new(wasm_decoder *d)
{
    wasm_validator *v = base_calloc(1, sizeof *v);
    if (!v) return NULL;
    v->d = d;
    v->m = d->m;
    return v;
}

void wasm_validator_free(wasm_validator *v)
{
    if (!v) return;
    if (v->operands) base_free(v->operands - GUARD);
    base_free(v->controls);
    base_free(v->runs);
    base_free(v->init_stamps);
    base_free(v->inits);
    base_free(v);
}
