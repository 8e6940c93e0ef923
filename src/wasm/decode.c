/* The binary format, core §5: from bytes to a module whose every part has been validated (core §3). */
#include <stdio.h>
#include <string.h>

#include "os/os.h"
#include "wasm/decode.h"

const wasm_decode_limits wasm_decode_defaults = {
    .items = 1000000, .params = 1000, .locals = 50000, .operands = 100000, .nesting = 10000};

wisp_status wasm_decode_fail(wasm_decoder *d, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return base_fail(d->report, WISP_E_INPUT, "wasm: byte %zu, %s: %s", base_offset(&d->r), d->section, text);
}

wisp_status wasm_decode_check(wasm_decoder *d)
{
    if (!d->r.failed) return WISP_OK;
    if (d->r.end == d->m->bytes.data + d->m->bytes.size && base_left(&d->r) < 10)
        return base_fail(d->report, WISP_E_TRUNCATED, "wasm: byte %zu, %s: the module ends too early",
                         base_offset(&d->r), d->section);
    return wasm_decode_fail(d, "unexpected end or malformed integer");
}

wisp_status wasm_decode_no_memory(wasm_decoder *d)
{
    return base_fail(d->report, WISP_E_MEMORY, "wasm: out of memory for the module's description");
}

wisp_status wasm_decode_too_many(wasm_decoder *d, const char *what, uint64_t count, uint64_t limit)
{
    return base_fail(d->report, WISP_E_LIMIT, "wasm: byte %zu, %s: %llu %s, the limit is %llu", base_offset(&d->r),
                     d->section, (unsigned long long)count, what, (unsigned long long)limit);
}

wisp_status wasm_read_vector(wasm_decoder *d, uint32_t *count, size_t min_size, size_t element, void *array)
{
    *count = base_read_leb_u32(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (!base_can_hold(&d->r, *count, min_size)) return wasm_decode_fail(d, "length out of bounds");
    if (*count > d->m->limits.items) return wasm_decode_too_many(d, "items", *count, d->m->limits.items);
    void *p = wasm_arena_array(&d->m->arena, *count, element);
    if (!p) return wasm_decode_no_memory(d);
    memcpy(array, &p, sizeof p);
    return WISP_OK;
}

static wisp_status read_name(wasm_decoder *d, base_span *out)
{
    *out = base_read_span(&d->r, base_read_leb_u32(&d->r));
    BASE_TRY(wasm_decode_check(d));
    if (!base_utf8_valid(out->data, out->size)) return wasm_decode_fail(d, "malformed UTF-8 encoding");
    return WISP_OK;
}

/* ---- types ---- */

static wisp_status read_ref_type(wasm_decoder *d, wasm_type *out)
{
    BASE_TRY(wasm_decode_type(d, out));
    return wasm_type_is_ref(*out) ? WISP_OK : wasm_decode_fail(d, "malformed reference type");
}

static wisp_status read_range(wasm_decoder *d, wasm_range *out, bool of_memory)
{
    uint8_t flags = base_read_u8(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (of_memory && (flags & ~7u) == 0 && (flags & 2))
        return base_fail(d->report, WISP_E_UNSUPPORTED, "wasm: byte %zu: shared memory", base_offset(&d->r));
    if (flags & ~5u) return wasm_decode_fail(d, "malformed limits flags");
    *out = (wasm_range){.has_max = flags & 1, .is64 = flags & 4};
    out->min = out->is64 ? base_read_leb_u64(&d->r) : base_read_leb_u32(&d->r);
    if (out->has_max) out->max = out->is64 ? base_read_leb_u64(&d->r) : base_read_leb_u32(&d->r);
    BASE_TRY(wasm_decode_check(d));
    uint64_t most = of_memory ? (out->is64 ? 1ull << 48 : 65536) : (out->is64 ? UINT64_MAX : UINT32_MAX);
    if (out->min > most || (out->has_max && out->max > most))
        return wasm_decode_fail(d, "%s size out of range", of_memory ? "memory" : "table");
    if (out->has_max && out->max < out->min)
        return wasm_decode_fail(d, "size minimum must not be greater than maximum");
    return WISP_OK;
}

static wisp_status read_global_type(wasm_decoder *d, wasm_global_decl *out)
{
    BASE_TRY(wasm_decode_type(d, &out->type));
    uint8_t mutable = base_read_u8(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (mutable > 1) return wasm_decode_fail(d, "malformed mutability");
    out->is_mutable = mutable;
    return WISP_OK;
}

/* Of a function or a tag: it must be a function type. */
static wisp_status read_type_index(wasm_decoder *d, uint32_t *out)
{
    *out = base_read_leb_u32(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (*out >= d->m->type_count) return wasm_decode_fail(d, "unknown type %u", *out);
    return d->m->subs[*out].form == WASM_FORM_FUNC ? WISP_OK : wasm_decode_fail(d, "type mismatch: no function type");
}

static wisp_status read_tag_type(wasm_decoder *d, uint32_t *out)
{
    uint8_t attribute = base_read_u8(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (attribute) return wasm_decode_fail(d, "malformed tag attribute");
    BASE_TRY(read_type_index(d, out));
    return d->m->types[*out].result_count ? wasm_decode_fail(d, "non-empty tag result type") : WISP_OK;
}

/* ---- imports and index spaces ---- */

/* Imports come first in every index space, but their number by kind is known only after they are read: each space is
 * kept in a growing array and extended by its own section. */
static wisp_status extend(wasm_decoder *d, void *array, uint32_t have, uint32_t more, size_t element)
{
    void *old, *p = wasm_arena_array(&d->m->arena, (size_t)have + more, element);
    if (!p) return wasm_decode_no_memory(d);
    memcpy(&old, array, sizeof old);
    if (have) memcpy(p, old, (size_t)have * element);
    memcpy(array, &p, sizeof p);
    return WISP_OK;
}

static wisp_status read_import(wasm_decoder *d, wasm_import_info *out)
{
    wasm_module *m = d->m;
    BASE_TRY(read_name(d, &out->module));
    BASE_TRY(read_name(d, &out->name));
    uint8_t kind = base_read_u8(&d->r);
    BASE_TRY(wasm_decode_check(d));
    out->kind = kind;
    switch (kind) {
    case WASM_FUNC:
        out->index = m->imported_funcs++;
        return read_type_index(d, &m->funcs[out->index]);
    case WASM_TABLE:
        out->index = m->imported_tables++;
        BASE_TRY(read_ref_type(d, &m->tables[out->index].type));
        return read_range(d, &m->tables[out->index].range, false);
    case WASM_MEMORY:
        out->index = m->imported_memories++;
        return read_range(d, &m->memories[out->index], true);
    case WASM_GLOBAL:
        out->index = m->imported_globals++;
        return read_global_type(d, &m->globals[out->index]);
    case WASM_TAG:
        out->index = m->imported_tags++;
        return read_tag_type(d, &m->tags[out->index]);
    default:
        return wasm_decode_fail(d, "malformed import kind 0x%02x", kind);
    }
}

static wisp_status decode_imports(wasm_decoder *d)
{
    wasm_module *m = d->m;
    uint32_t count;
    BASE_TRY(wasm_read_vector(d, &count, 4, sizeof *m->imports, &m->imports));
    /* at most `count` of each kind; the arrays are short-lived unless no section of the kind follows */
    BASE_TRY(extend(d, &m->funcs, 0, count, sizeof *m->funcs));
    BASE_TRY(extend(d, &m->tables, 0, count, sizeof *m->tables));
    BASE_TRY(extend(d, &m->memories, 0, count, sizeof *m->memories));
    BASE_TRY(extend(d, &m->globals, 0, count, sizeof *m->globals));
    BASE_TRY(extend(d, &m->tags, 0, count, sizeof *m->tags));
    for (uint32_t i = 0; i < count; i++)
        BASE_TRY(read_import(d, &m->imports[i]));
    m->import_count = count;
    m->func_count = m->imported_funcs;
    m->table_count = m->imported_tables;
    m->memory_count = m->imported_memories;
    m->global_count = m->imported_globals;
    m->tag_count = m->imported_tags;
    return WISP_OK;
}

static wisp_status decode_functions(wasm_decoder *d)
{
    wasm_module *m = d->m;
    uint32_t count, *types;
    BASE_TRY(wasm_read_vector(d, &count, 1, sizeof *types, &types));
    BASE_TRY(extend(d, &m->funcs, m->func_count, count, sizeof *m->funcs));
    for (uint32_t i = 0; i < count; i++)
        BASE_TRY(read_type_index(d, &m->funcs[m->func_count + i]));
    m->func_count += count;
    m->code_count = count;
    m->codes = wasm_arena_array(&m->arena, count, sizeof *m->codes);
    return m->codes ? WISP_OK : wasm_decode_no_memory(d);
}

static wisp_status decode_tables(wasm_decoder *d)
{
    wasm_module *m = d->m;
    uint32_t count;
    void *unused;
    BASE_TRY(wasm_read_vector(d, &count, 3, 1, &unused));
    BASE_TRY(extend(d, &m->tables, m->table_count, count, sizeof *m->tables));
    for (uint32_t i = 0; i < count; i++) {
        wasm_table_decl *table = &m->tables[m->table_count];
        bool with_init = base_left(&d->r) >= 2 && d->r.at[0] == 0x40 && d->r.at[1] == 0x00;
        if (with_init) base_skip(&d->r, 2);
        BASE_TRY(read_ref_type(d, &table->type));
        BASE_TRY(read_range(d, &table->range, false));
        if (with_init)
            BASE_TRY(wasm_validate_constant(d, &table->init, table->type));
        else if (!wasm_type_defaultable(table->type))
            return wasm_decode_fail(d, "type mismatch: table needs a value");
        m->table_count++;
    }
    return WISP_OK;
}

static wisp_status decode_memories(wasm_decoder *d)
{
    wasm_module *m = d->m;
    uint32_t count;
    void *unused;
    BASE_TRY(wasm_read_vector(d, &count, 2, 1, &unused));
    BASE_TRY(extend(d, &m->memories, m->memory_count, count, sizeof *m->memories));
    for (uint32_t i = 0; i < count; i++)
        BASE_TRY(read_range(d, &m->memories[m->memory_count++], true));
    return WISP_OK;
}

static wisp_status decode_tags(wasm_decoder *d)
{
    wasm_module *m = d->m;
    uint32_t count;
    void *unused;
    BASE_TRY(wasm_read_vector(d, &count, 2, 1, &unused));
    BASE_TRY(extend(d, &m->tags, m->tag_count, count, sizeof *m->tags));
    for (uint32_t i = 0; i < count; i++)
        BASE_TRY(read_tag_type(d, &m->tags[m->tag_count++]));
    return WISP_OK;
}

static wisp_status decode_globals(wasm_decoder *d)
{
    wasm_module *m = d->m;
    uint32_t count;
    void *unused;
    BASE_TRY(wasm_read_vector(d, &count, 3, 1, &unused));
    BASE_TRY(extend(d, &m->globals, m->global_count, count, sizeof *m->globals));
    for (uint32_t i = 0; i < count; i++) {
        wasm_global_decl *global = &m->globals[m->global_count];
        BASE_TRY(read_global_type(d, global));
        BASE_TRY(wasm_validate_constant(d, &global->init, global->type));
        m->global_count++; /* only now: an initializer sees the globals before it */
    }
    return WISP_OK;
}

static uint32_t kind_count(const wasm_module *m, wasm_kind kind)
{
    switch (kind) {
    case WASM_FUNC:
        return m->func_count;
    case WASM_TABLE:
        return m->table_count;
    case WASM_MEMORY:
        return m->memory_count;
    case WASM_GLOBAL:
        return m->global_count;
    case WASM_TAG:
        return m->tag_count;
    }
    return 0;
}

/* core §3.4.14: export names are distinct. A hash table, so that a million of them stay linear. */
static wisp_status check_export_names(wasm_decoder *d)
{
    const wasm_module *m = d->m;
    size_t size = 16;
    while (size < (size_t)m->export_count * 2)
        size *= 2;
    uint32_t *slots = base_calloc(size, sizeof *slots);
    if (!slots) return wasm_decode_no_memory(d);
    uint64_t seed;
    if (!os_random(&seed, sizeof seed)) seed = (uintptr_t)slots; /* secret: nobody can choose names that collide */
    wisp_status status = WISP_OK;
    for (uint32_t i = 0; i < m->export_count && status == WISP_OK; i++) {
        base_span name = m->exports[i].name;
        size_t at = wasm_hash_bytes(seed, name.data, name.size) & (size - 1);
        for (; slots[at]; at = (at + 1) & (size - 1)) {
            base_span other = m->exports[slots[at] - 1].name;
            if (other.size == name.size && memcmp(other.data, name.data, name.size) == 0) {
                status = wasm_decode_fail(d, "duplicate export name");
                break;
            }
        }
        slots[at] = i + 1;
    }
    base_free(slots);
    return status;
}

static wisp_status decode_exports(wasm_decoder *d)
{
    static const char *const names[] = {"function", "table", "memory", "global", "tag"};
    wasm_module *m = d->m;
    uint32_t count;
    BASE_TRY(wasm_read_vector(d, &count, 3, sizeof *m->exports, &m->exports));
    for (uint32_t i = 0; i < count; i++) {
        wasm_export_info *e = &m->exports[i];
        BASE_TRY(read_name(d, &e->name));
        uint8_t kind = base_read_u8(&d->r);
        e->index = base_read_leb_u32(&d->r);
        BASE_TRY(wasm_decode_check(d));
        if (kind > WASM_TAG) return wasm_decode_fail(d, "malformed export kind 0x%02x", kind);
        e->kind = kind;
        if (e->index >= kind_count(m, e->kind)) return wasm_decode_fail(d, "unknown %s %u", names[kind], e->index);
        if (e->kind == WASM_FUNC) m->declared[e->index] = 1;
    }
    m->export_count = count;
    return check_export_names(d);
}

static wisp_status decode_start(wasm_decoder *d)
{
    uint32_t start = base_read_leb_u32(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (start >= d->m->func_count) return wasm_decode_fail(d, "unknown function %u", start);
    const wasm_functype *type = &d->m->types[d->m->funcs[start]];
    if (type->param_count || type->result_count) return wasm_decode_fail(d, "start function has parameters or results");
    d->m->start = start;
    return WISP_OK;
}

/* ---- segments ---- */

static wisp_status read_elem_items(wasm_decoder *d, wasm_elem *e, bool expressions)
{
    wasm_module *m = d->m;
    if (expressions) {
        BASE_TRY(wasm_read_vector(d, &e->count, 2, sizeof *e->exprs, &e->exprs));
        for (uint32_t i = 0; i < e->count; i++)
            BASE_TRY(wasm_validate_constant(d, &e->exprs[i], e->type));
        return WISP_OK;
    }
    BASE_TRY(wasm_read_vector(d, &e->count, 1, sizeof *e->funcs, &e->funcs));
    for (uint32_t i = 0; i < e->count; i++) {
        uint32_t func = e->funcs[i] = base_read_leb_u32(&d->r);
        BASE_TRY(wasm_decode_check(d));
        if (func >= m->func_count) return wasm_decode_fail(d, "unknown function %u", func);
        m->declared[func] = 1;
    }
    return WISP_OK;
}

/* core §5.5.12: bit 0: passive or declared; bit 1: table index, or declared; bit 2: expressions */
static wisp_status read_elem(wasm_decoder *d, wasm_elem *e)
{
    wasm_module *m = d->m;
    uint32_t flags = base_read_leb_u32(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (flags > 7) return wasm_decode_fail(d, "malformed elements segment kind");
    e->mode = !(flags & 1) ? WASM_SEGMENT_ACTIVE : flags & 2 ? WASM_SEGMENT_DECLARED : WASM_SEGMENT_PASSIVE;
    if (e->mode == WASM_SEGMENT_ACTIVE) {
        e->table = flags & 2 ? base_read_leb_u32(&d->r) : 0;
        BASE_TRY(wasm_decode_check(d));
        if (e->table >= m->table_count) return wasm_decode_fail(d, "unknown table %u", e->table);
        BASE_TRY(wasm_validate_constant(d, &e->offset, m->tables[e->table].range.is64 ? WASM_I64 : WASM_I32));
    }
    e->type = flags & 4 ? WASM_FUNCREF : WASM_FUNCREF & ~(wasm_type)WASM_REF_NULL;
    if (flags & 3) {
        if (flags & 4) {
            BASE_TRY(read_ref_type(d, &e->type));
        } else {
            uint8_t kind = base_read_u8(&d->r);
            BASE_TRY(wasm_decode_check(d));
            if (kind) return wasm_decode_fail(d, "malformed element kind");
        }
    }
    if (e->mode == WASM_SEGMENT_ACTIVE && !wasm_type_matches(m->subs, e->type, m->tables[e->table].type))
        return wasm_decode_fail(d, "type mismatch: elements do not fit the table");
    return read_elem_items(d, e, flags & 4);
}

static wisp_status decode_elems(wasm_decoder *d)
{
    uint32_t count;
    BASE_TRY(wasm_read_vector(d, &count, 2, sizeof *d->m->elems, &d->m->elems));
    for (uint32_t i = 0; i < count; i++)
        BASE_TRY(read_elem(d, &d->m->elems[i]));
    d->m->elem_count = count;
    return WISP_OK;
}

static wisp_status decode_data_count(wasm_decoder *d)
{
    d->data_count = base_read_leb_u32(&d->r);
    d->has_data_count = true;
    BASE_TRY(wasm_decode_check(d));
    if (d->data_count > d->m->limits.items)
        return wasm_decode_too_many(d, "segments", d->data_count, d->m->limits.items);
    return WISP_OK;
}

static wisp_status decode_datas(wasm_decoder *d)
{
    wasm_module *m = d->m;
    uint32_t count;
    BASE_TRY(wasm_read_vector(d, &count, 2, sizeof *m->datas, &m->datas));
    if (d->has_data_count && count != d->data_count)
        return wasm_decode_fail(d, "data count and data section have inconsistent lengths");
    for (uint32_t i = 0; i < count; i++) {
        wasm_data *data = &m->datas[i];
        uint32_t flags = base_read_leb_u32(&d->r);
        BASE_TRY(wasm_decode_check(d));
        if (flags > 2) return wasm_decode_fail(d, "malformed data segment kind");
        data->mode = flags == 1 ? WASM_SEGMENT_PASSIVE : WASM_SEGMENT_ACTIVE;
        data->memory = flags == 2 ? base_read_leb_u32(&d->r) : 0;
        BASE_TRY(wasm_decode_check(d));
        if (flags != 1) {
            if (data->memory >= m->memory_count) return wasm_decode_fail(d, "unknown memory %u", data->memory);
            BASE_TRY(wasm_validate_constant(d, &data->offset, m->memories[data->memory].is64 ? WASM_I64 : WASM_I32));
        }
        data->bytes = base_read_span(&d->r, base_read_leb_u32(&d->r));
        BASE_TRY(wasm_decode_check(d));
    }
    m->data_count = count;
    return WISP_OK;
}

/* ---- sections ---- */

typedef struct section_rule {
    const char *name;
    uint32_t order; /* of appearance, core §5.5.2 */
    wisp_status (*decode)(wasm_decoder *);
} section_rule;

static const section_rule rules[14] = {
    [0] = {"custom section", 0, NULL},
    [1] = {"type section", 1, wasm_decode_types},
    [2] = {"import section", 2, decode_imports},
    [3] = {"function section", 3, decode_functions},
    [4] = {"table section", 4, decode_tables},
    [5] = {"memory section", 5, decode_memories},
    [13] = {"tag section", 6, decode_tags},
    [6] = {"global section", 7, decode_globals},
    [7] = {"export section", 8, decode_exports},
    [8] = {"start section", 9, decode_start},
    [9] = {"element section", 10, decode_elems},
    [12] = {"data count section", 11, decode_data_count},
    [10] = {"code section", 12, wasm_decode_codes},
    [11] = {"data section", 13, decode_datas},
};

static wisp_status record_section(wasm_decoder *d, uint8_t id, uint64_t offset, base_span name, base_span content)
{
    wasm_module *m = d->m;
    if (m->section_count >= m->limits.items)
        return wasm_decode_too_many(d, "sections", m->section_count, m->limits.items);
    if (!BASE_GROW(m->sections, m->section_capacity, (size_t)m->section_count + 1)) return wasm_decode_no_memory(d);
    m->sections[m->section_count++] = (wasm_section_info){.id = id, .offset = offset, .name = name, .content = content};
    return WISP_OK;
}

/* After the function section every function is known: room for the marks of core §3.4.1 C.refs. */
static wisp_status ready_for(wasm_decoder *d, uint8_t id)
{
    wasm_module *m = d->m;
    if (rules[id].order <= rules[3].order || m->declared) return WISP_OK;
    m->declared = wasm_arena_array(&m->arena, m->func_count, 1);
    return m->declared ? WISP_OK : wasm_decode_no_memory(d);
}

static wisp_status decode_section(wasm_decoder *d)
{
    uint64_t offset = base_offset(&d->r);
    const uint8_t *module_end = d->r.end;
    uint8_t id = base_read_u8(&d->r);
    d->section = "section header";
    base_span content = base_read_span(&d->r, base_read_leb_u32(&d->r));
    BASE_TRY(wasm_decode_check(d));
    if (id >= 14) return wasm_decode_fail(d, "malformed section id %u", id);
    d->section = rules[id].name;
    d->r.at = content.data;
    d->r.end = content.data + content.size;
    if (id == 0) {
        base_span name;
        BASE_TRY(read_name(d, &name));
        base_span rest = base_read_span(&d->r, base_left(&d->r));
        BASE_TRY(record_section(d, id, offset, name, rest));
    } else {
        if (rules[id].order <= d->last_order) return wasm_decode_fail(d, "unexpected content after last section");
        d->last_order = rules[id].order;
        d->has_code |= id == 10;
        BASE_TRY(ready_for(d, id));
        BASE_TRY(rules[id].decode(d));
        if (base_left(&d->r)) return wasm_decode_fail(d, "section size mismatch");
        BASE_TRY(record_section(d, id, offset, (base_span){NULL, 0}, content));
    }
    d->r.end = module_end;
    return WISP_OK;
}

static wisp_status decode_module(wasm_decoder *d)
{
    d->section = "header";
    uint32_t magic = base_read_u32(&d->r), version = base_read_u32(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (magic != 0x6d736100) return wasm_decode_fail(d, "magic header not detected");
    if (version != 1) return wasm_decode_fail(d, "unknown binary version %u", version);
    while (base_left(&d->r))
        BASE_TRY(decode_section(d));
    d->section = "module";
    if (!d->has_code && d->m->code_count)
        return wasm_decode_fail(d, "function and code section have inconsistent lengths");
    if (d->has_data_count && d->data_count != d->m->data_count)
        return wasm_decode_fail(d, "data count and data section have inconsistent lengths");
    return WISP_OK;
}

wisp_status wasm_module_new(wasm_module **out, base_span bytes, const wasm_decode_limits *limits, wisp_report *report)
{
    wasm_module *m = base_calloc(1, sizeof *m);
    if (!m) return base_fail(report, WISP_E_MEMORY, "wasm: out of memory for a module");
    m->bytes = bytes;
    m->start = WASM_NO_INDEX;
    m->limits = limits ? *limits : wasm_decode_defaults;
    wasm_decoder d = {.m = m, .r = base_reader_of(bytes.data, bytes.size), .report = report};
    wisp_status status = decode_module(&d);
    wasm_validator_free(d.validator);
    if (status == WISP_OK)
        *out = m;
    else
        wasm_module_free(m);
    return status;
}

void wasm_module_free(wasm_module *m)
{
    if (!m) return;
    wasm_arena_fini(&m->arena);
    base_free(m->types);
    base_free(m->subs);
    base_free(m->canonical);
    base_free(m->sections);
    base_free(m->func_names);
    base_free(m);
}
