/* What a module says about itself, and the name section. */
#include <string.h>

#include "wasm/machine.h"

base_span wasm_module_bytes(const wasm_module *m)
{
    return m->bytes;
}

uint32_t wasm_module_section_count(const wasm_module *m)
{
    return m->section_count;
}

const wasm_section_info *wasm_module_section(const wasm_module *m, uint32_t index)
{
    return index < m->section_count ? &m->sections[index] : NULL;
}

static bool span_is(base_span span, const char *text, size_t size)
{
    return span.size == size && (size == 0 || memcmp(span.data, text, size) == 0);
}

const wasm_section_info *wasm_module_custom(const wasm_module *m, const char *name, uint32_t n)
{
    for (uint32_t i = 0; i < m->section_count; i++)
        if (m->sections[i].id == 0 && span_is(m->sections[i].name, name, strlen(name)) && n-- == 0)
            return &m->sections[i];
    return NULL;
}

uint32_t wasm_module_import_count(const wasm_module *m)
{
    return m->import_count;
}

const wasm_import_info *wasm_module_import(const wasm_module *m, uint32_t index)
{
    return index < m->import_count ? &m->imports[index] : NULL;
}

uint32_t wasm_module_export_count(const wasm_module *m)
{
    return m->export_count;
}

const wasm_export_info *wasm_module_export(const wasm_module *m, uint32_t index)
{
    return index < m->export_count ? &m->exports[index] : NULL;
}

const wasm_export_info *wasm_module_find_export(const wasm_module *m, const char *name, size_t size)
{
    for (uint32_t i = 0; i < m->export_count; i++)
        if (span_is(m->exports[i].name, name, size)) return &m->exports[i];
    return NULL;
}

uint32_t wasm_module_func_count(const wasm_module *m)
{
    return m->func_count;
}
uint32_t wasm_module_imported_func_count(const wasm_module *m)
{
    return m->imported_funcs;
}

const wasm_functype *wasm_module_func_type(const wasm_module *m, uint32_t func)
{
    return func < m->func_count ? &m->types[m->funcs[func]] : NULL;
}

wasm_code_info wasm_module_code(const wasm_module *m, uint32_t func)
{
    if (func < m->imported_funcs || func >= m->func_count) return (wasm_code_info){0};
    const wasm_code *code = &m->codes[func - m->imported_funcs];
    return (wasm_code_info){.body = code->body,
                            .offset = (uint64_t)(code->body.data - m->bytes.data),
                            .local_count = code->params + code->locals,
                            .operand_count = code->operands};
}

wasm_data_info wasm_module_data(const wasm_module *m, uint32_t index)
{
    if (index >= m->data_count) return (wasm_data_info){0};
    return (wasm_data_info){.bytes = m->datas[index].bytes, .passive = m->datas[index].mode == WASM_SEGMENT_PASSIVE};
}

wasm_range wasm_module_memory(const wasm_module *m, uint32_t index)
{
    return index < m->memory_count ? m->memories[index] : (wasm_range){0};
}

wasm_table_info wasm_module_table(const wasm_module *m, uint32_t index)
{
    if (index >= m->table_count) return (wasm_table_info){0};
    return (wasm_table_info){.type = m->tables[index].type, .range = m->tables[index].range};
}

wasm_global_info wasm_module_global(const wasm_module *m, uint32_t index)
{
    if (index >= m->global_count) return (wasm_global_info){0};
    return (wasm_global_info){.type = m->globals[index].type, .is_mutable = m->globals[index].is_mutable};
}

const wasm_functype *wasm_module_tag_type(const wasm_module *m, uint32_t index)
{
    return index < m->tag_count ? &m->types[m->tags[index]] : NULL;
}

/* Names (core appendix, 7.4.1) are read again each time: they are wanted for traps and listings only, and what is
 * malformed there must not make a module invalid. */
base_span wasm_module_func_name(const wasm_module *m, uint32_t func)
{
    const base_span none = {NULL, 0};
    const wasm_section_info *section = wasm_module_custom(m, "name", 0);
    if (!section) return none;
    base_reader r = base_reader_of(section->content.data, section->content.size);
    while (base_left(&r) && !r.failed) {
        uint8_t id = base_read_u8(&r);
        base_span part = base_read_span(&r, base_read_leb_u32(&r));
        if (id != 1 || !part.data) continue;
        base_reader names = base_reader_of(part.data, part.size);
        for (uint32_t left = base_read_leb_u32(&names); left && !names.failed; left--) {
            uint32_t index = base_read_leb_u32(&names);
            base_span name = base_read_span(&names, base_read_leb_u32(&names));
            if (!names.failed && index == func) return base_utf8_valid(name.data, name.size) ? name : none;
        }
    }
    return none;
}
