/* Types in the binary format, core §5.3, and the type section, §5.5.4: recursive groups of function, struct and array
 * types with their supertypes, checked (core §3.2.11) and kept once where they are equal. */
#include <string.h>

#include "wasm/decode.h"

/* core §5.3.2: an abstract heap type is a negative s33, an index is not. The result has no null flag. */
wisp_status wasm_decode_heap_type(wasm_decoder *d, wasm_type *out)
{
    int64_t v = base_read_leb_s33(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (v >= 0) {
        if (v >= d->m->type_count || v > 0xffffff) return wasm_decode_fail(d, "unknown type");
        *out = WASM_REF | d->m->canonical[v];
        return WISP_OK;
    }
    if (v < -64) return wasm_decode_fail(d, "malformed heap type");
    uint32_t byte = (uint32_t)(v & 0x7f);
    if (byte < 0x69 || byte > 0x74) return wasm_decode_fail(d, "malformed heap type");
    *out = WASM_REF | WASM_REF_ABSTRACT | byte;
    return WISP_OK;
}

wisp_status wasm_decode_type(wasm_decoder *d, wasm_type *out)
{
    uint8_t byte = base_read_u8(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (byte >= WASM_V128 && byte <= WASM_I32) {
        *out = byte;
        return WISP_OK;
    }
    if (byte == 0x63 || byte == 0x64) {
        BASE_TRY(wasm_decode_heap_type(d, out));
        if (byte == 0x63) *out |= WASM_REF_NULL;
        return WISP_OK;
    }
    if (byte >= 0x69 && byte <= 0x74) { /* the short form of a nullable reference */
        d->r.at--;
        BASE_TRY(wasm_decode_heap_type(d, out));
        *out |= WASM_REF_NULL;
        return WISP_OK;
    }
    return wasm_decode_fail(d, "malformed value type 0x%02x", byte);
}

/* ---- the type section ---- */

/* What grows while the section is read. */
typedef struct section {
    size_t types, subs, canonical; /* capacities */
    wasm_groups groups;
} section;

static wisp_status read_value_types(wasm_decoder *d, const wasm_type **list, uint32_t *count)
{
    wasm_type *types;
    BASE_TRY(wasm_read_vector(d, count, 1, sizeof *types, &types));
    if (*count > d->m->limits.params)
        return wasm_decode_too_many(d, "parameters or results", *count, d->m->limits.params);
    for (uint32_t i = 0; i < *count; i++)
        BASE_TRY(wasm_decode_type(d, &types[i]));
    *list = types;
    return WISP_OK;
}

/* core §5.3.9 */
static wisp_status read_field(wasm_decoder *d, wasm_type *out)
{
    uint8_t byte = base_left(&d->r) ? *d->r.at : 0;
    if (byte == WASM_PACKED_I8 || byte == WASM_PACKED_I16)
        *out = base_read_u8(&d->r);
    else
        BASE_TRY(wasm_decode_type(d, out));
    uint8_t mutable = base_read_u8(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (mutable > 1) return wasm_decode_fail(d, "malformed mutability");
    if (mutable) *out |= WASM_FIELD_MUTABLE;
    return WISP_OK;
}

static wisp_status read_fields(wasm_decoder *d, wasm_functype *type, bool array)
{
    const uint64_t limit = (uint64_t)d->m->limits.params * 10; /* browsers: 1,000 parameters, 10,000 fields */
    wasm_type *fields;
    if (array) {
        type->param_count = 1;
        fields = wasm_arena_array(&d->m->arena, 1, sizeof *fields);
        if (!fields) return wasm_decode_no_memory(d);
    } else {
        BASE_TRY(wasm_read_vector(d, &type->param_count, 2, sizeof *fields, &fields));
        if (type->param_count > limit) return wasm_decode_too_many(d, "fields", type->param_count, limit);
    }
    for (uint32_t i = 0; i < type->param_count; i++)
        BASE_TRY(read_field(d, &fields[i]));
    type->params = fields;
    return WISP_OK;
}

/* The supertypes in front of a type, core §5.3.12: at most one, and declared before it. */
static wisp_status read_super(wasm_decoder *d, uint32_t index)
{
    wasm_module *m = d->m;
    uint32_t count = base_read_leb_u32(&d->r), super = 0;
    BASE_TRY(wasm_decode_check(d));
    if (count > 1) return wasm_decode_fail(d, "sub type: more than one supertype");
    if (!count) return WISP_OK;
    super = base_read_leb_u32(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (super >= index) return wasm_decode_fail(d, "unknown type %u", super);
    m->subs[index].super = m->canonical[super];
    if (m->subs[super].depth == WASM_SUBTYPE_DEPTH)
        return wasm_decode_too_many(d, "supertypes above a type", WASM_SUBTYPE_DEPTH + 1, WASM_SUBTYPE_DEPTH);
    m->subs[index].depth = m->subs[super].depth + 1;
    return WISP_OK;
}

static wisp_status read_subtype(wasm_decoder *d, uint32_t index)
{
    wasm_functype *type = &d->m->types[index];
    wasm_subtype *sub = &d->m->subs[index];
    uint8_t form = base_read_u8(&d->r);
    BASE_TRY(wasm_decode_check(d));
    sub->is_final = form != 0x50;
    if (form == 0x50 || form == 0x4f) {
        BASE_TRY(read_super(d, index));
        form = base_read_u8(&d->r);
        BASE_TRY(wasm_decode_check(d));
    }
    sub->form = form;
    if (form == WASM_FORM_STRUCT || form == WASM_FORM_ARRAY) return read_fields(d, type, form == WASM_FORM_ARRAY);
    if (form != WASM_FORM_FUNC) return wasm_decode_fail(d, "malformed type form 0x%02x", form);
    BASE_TRY(read_value_types(d, &type->params, &type->param_count));
    return read_value_types(d, &type->results, &type->result_count);
}

/* core §3.2.11: what a type says of its supertype must be so. */
static wisp_status check_super(wasm_decoder *d, uint32_t index)
{
    const wasm_module *m = d->m;
    const wasm_subtype *sub = &m->subs[index];
    if (sub->super == WASM_NO_INDEX) return WISP_OK;
    const wasm_subtype *super = &m->subs[sub->super];
    if (super->is_final) return wasm_decode_fail(d, "sub type %u: its supertype is final", index);
    if (super->form != sub->form ||
        !wasm_composite_matches(m->subs, sub->form, &m->types[index], &m->types[sub->super]))
        return wasm_decode_fail(d, "sub type %u does not match its supertype", index);
    return WISP_OK;
}

static wisp_status read_group(wasm_decoder *d, section *s, uint32_t size)
{
    wasm_module *m = d->m;
    const uint32_t start = m->type_count;
    const uint64_t end = (uint64_t)start + size;
    if (end > m->limits.items) return wasm_decode_too_many(d, "types", end, m->limits.items);
    if (!BASE_GROW(m->types, s->types, end) || !BASE_GROW(m->subs, s->subs, end) ||
        !BASE_GROW(m->canonical, s->canonical, end))
        return wasm_decode_no_memory(d);
    for (uint32_t i = start; i < end; i++) { /* types of a group may name each other */
        m->types[i] = (wasm_functype){0};
        m->subs[i] = (wasm_subtype){.super = WASM_NO_INDEX, .group = start, .group_size = size};
        m->canonical[i] = i;
    }
    m->type_count = (uint32_t)end;
    for (uint32_t i = start; i < end; i++)
        BASE_TRY(read_subtype(d, i));
    if (!size) return WISP_OK;
    if (!wasm_canonicalize_group(m, &s->groups, start)) return wasm_decode_no_memory(d);
    for (uint32_t i = start; i < end && m->canonical[i] == i; i++) /* others have been checked */
        BASE_TRY(check_super(d, i));
    return WISP_OK;
}

static wisp_status read_groups(wasm_decoder *d, section *s, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = 1;
        if (base_left(&d->r) && *d->r.at == 0x4e) {
            base_read_u8(&d->r);
            size = base_read_leb_u32(&d->r);
            BASE_TRY(wasm_decode_check(d));
            if (!base_can_hold(&d->r, size, 2)) return wasm_decode_fail(d, "length out of bounds");
        }
        BASE_TRY(read_group(d, s, size));
    }
    return WISP_OK;
}

wisp_status wasm_decode_types(wasm_decoder *d)
{
    uint32_t count = base_read_leb_u32(&d->r);
    section s = {0};
    BASE_TRY(wasm_decode_check(d));
    if (!base_can_hold(&d->r, count, 2)) return wasm_decode_fail(d, "length out of bounds");
    if (count > d->m->limits.items) return wasm_decode_too_many(d, "types", count, d->m->limits.items);
    wisp_status status = read_groups(d, &s, count);
    wasm_groups_fini(&s.groups);
    return status;
}
