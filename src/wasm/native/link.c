/* Laying out an image: text in the order of function indices, so that a program counter is looked up by binary search,
 * then read-only data. */
#include "wasm/native/link.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Relative 32-bit references reach half of the address space; offsets in the tables are 32 bits. */
enum { IMAGE_MAX = 1 << 30, SHT_RELA = 4 };

typedef struct linker {
    const wasm_link_input *in;
    uint32_t machine;
    uint64_t page; /* the largest page size of the target's systems: protection changes there */
    link_object *objects;
    link_section **parts; /* kept sections in the image's order */
    size_t part_count;
    link_places places;
    uint64_t *ends; /* of functions */
    wasm_native_header header;
} linker;

static wisp_status no_memory(wisp_report *report)
{
    return base_fail(report, WISP_E_MEMORY, "native code: out of memory for linking");
}

static uint64_t align_up(uint64_t v, uint64_t alignment)
{
    return (v + alignment - 1) & ~(alignment - 1);
}

static wisp_status read_objects(linker *l, wisp_report *report)
{
    const wasm_link_input *in = l->in;
    l->objects = base_calloc(in->object_count, sizeof *l->objects);
    l->places = (link_places){.funcs = base_calloc(in->func_count, sizeof(uint64_t)),
                              .entries = base_calloc(in->type_count, sizeof(uint64_t)),
                              .first_func = in->first_func,
                              .func_count = in->func_count,
                              .type_count = in->type_count};
    l->ends = base_calloc(in->func_count, sizeof *l->ends);
    if (!l->objects || !l->places.funcs || !l->places.entries || !l->ends) return no_memory(report);
    for (uint32_t i = 0; i < in->object_count; i++) {
        l->objects[i].number = i;
        BASE_TRY(link_object_read(&l->objects[i], in->objects[i], l->machine, report));
    }
    return WISP_OK;
}

/* The lowest function of each section orders the text. */
static void find_first_functions(link_object *o)
{
    for (uint32_t i = 0; i < o->symbol_count; i++) {
        uint32_t index;
        const link_symbol *y = &o->symbols[i];
        if (y->section == LINK_UNDEFINED || !link_symbol_index(y->name, 'f', &index)) continue;
        link_section *s = &o->sections[y->section];
        if (index < s->first_func) s->first_func = index;
    }
}

/* Text before data, by first function; ties (sections without functions, all data) stay in input order, which the
 * addresses of `parts` do not show: `at` holds it until it is the place. */
static int compare_parts(const void *a, const void *b)
{
    const link_section *x = *(link_section *const *)a, *y = *(link_section *const *)b;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    if (x->kind == LINK_TEXT && x->first_func != y->first_func) return x->first_func < y->first_func ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static wisp_status collect_parts(linker *l, wisp_report *report)
{
    size_t count = 0;
    for (uint32_t i = 0; i < l->in->object_count; i++)
        count += l->objects[i].section_count;
    l->parts = base_calloc(count, sizeof *l->parts);
    if (!l->parts) return no_memory(report);
    for (uint32_t i = 0; i < l->in->object_count; i++) {
        link_object *o = &l->objects[i];
        find_first_functions(o);
        for (uint32_t k = 0; k < o->section_count; k++) {
            if (o->sections[k].kind == LINK_DROPPED) continue;
            o->sections[k].at = l->part_count;
            l->parts[l->part_count++] = &o->sections[k];
        }
    }
    qsort(l->parts, l->part_count, sizeof *l->parts, compare_parts);
    return WISP_OK;
}

static wisp_status lay_out(linker *l, wisp_report *report)
{
    wasm_native_header *h = &l->header;
    size_t i = 0;
    uint64_t at = sizeof *h + 4 * ((uint64_t)l->in->func_count + 1 + l->in->type_count);
    at = h->text_offset = align_up(at, l->page);
    for (; i < l->part_count && l->parts[i]->kind == LINK_TEXT && at <= IMAGE_MAX; i++) {
        l->parts[i]->at = align_up(at, l->parts[i]->align);
        at = l->parts[i]->at + l->parts[i]->bytes.size;
    }
    h->text_size = at - h->text_offset;
    at = h->rodata_offset = align_up(at, l->page);
    for (; i < l->part_count && at <= IMAGE_MAX; i++) {
        l->parts[i]->at = align_up(at, l->parts[i]->align);
        at = l->parts[i]->at + l->parts[i]->bytes.size;
    }
    h->rodata_size = at - h->rodata_offset;
    h->image_size = at;
    if (i < l->part_count || at > IMAGE_MAX)
        return base_fail(report, WISP_E_LIMIT, "native code: an image of more than %d bytes", IMAGE_MAX);
    return WISP_OK;
}

static wisp_status place_symbol(linker *l, const link_object *o, const link_symbol *y, wisp_report *report)
{
    uint32_t index;
    const link_section *s = &o->sections[y->section];
    uint64_t *at = NULL;
    if (s->kind != LINK_TEXT) return WISP_OK;
    if (link_symbol_index(y->name, 'f', &index)) {
        index -= l->in->first_func;
        if (index < l->in->func_count) at = &l->places.funcs[index];
        if (at) l->ends[index] = s->at + y->value + y->size;
    } else if (link_symbol_index(y->name, 'e', &index)) {
        if (index < l->in->type_count) at = &l->places.entries[index];
    } else {
        return WISP_OK;
    }
    if (!at || *at)
        return base_fail(report, WISP_E_INPUT, "native code: '%.*s' is defined twice, or no function of the module",
                         (int)y->name.size, (const char *)y->name.data);
    *at = s->at + y->value;
    return WISP_OK;
}

static wisp_status place_symbols(linker *l, wisp_report *report)
{
    for (uint32_t i = 0; i < l->in->object_count; i++)
        for (uint32_t k = 0; k < l->objects[i].symbol_count; k++)
            if (l->objects[i].symbols[k].section != LINK_UNDEFINED)
                BASE_TRY(place_symbol(l, &l->objects[i], &l->objects[i].symbols[k], report));
    uint64_t last = l->header.text_offset;
    for (uint32_t i = 0; i < l->in->func_count; i++) {
        if (!l->places.funcs[i])
            return base_fail(report, WISP_E_INPUT, "native code: function %u was not compiled",
                             (unsigned)(l->in->first_func + i));
        if (l->places.funcs[i] < last)
            return base_fail(report, WISP_E_INPUT, "native code: function %u is out of order",
                             (unsigned)(l->in->first_func + i));
        last = l->ends[i];
    }
    return WISP_OK;
}

static void write_head(const linker *l, base_buffer *b)
{
    const wasm_native_header *h = &l->header;
    base_put(b, WASM_NATIVE_MAGIC, sizeof h->magic);
    base_put_u32(b, wasm_native_abi());
    base_put_u32(b, l->in->target);
    base_put_u32(b, l->in->flags);
    base_put_u32(b, l->in->func_count);
    base_put_u32(b, l->in->type_count);
    base_put_u32(b, 0);
    base_put_u64(b, h->text_offset);
    base_put_u64(b, h->text_size);
    base_put_u64(b, h->rodata_offset);
    base_put_u64(b, h->rodata_size);
    base_put_u64(b, h->image_size);
    base_put(b, l->in->module, sizeof h->module);
    for (uint32_t i = 0; i < l->in->func_count; i++)
        base_put_u32(b, (uint32_t)l->places.funcs[i]);
    base_put_u32(b, (uint32_t)(l->in->func_count ? l->ends[l->in->func_count - 1] : h->text_offset));
    for (uint32_t i = 0; i < l->in->type_count; i++)
        base_put_u32(b, l->places.entries[i] ? (uint32_t)l->places.entries[i] : WASM_NATIVE_NO_ENTRY);
}

/* Gaps in x86 text are breakpoints: a jump astray stops there. On Arm zeros are undefined instructions already. */
static wisp_status write_image(linker *l, base_buffer *b, wisp_report *report)
{
    write_head(l, b);
    base_put_zeros(b, (size_t)l->header.image_size - b->size);
    if (b->failed) return no_memory(report);
    if (l->machine == LINK_MACHINE_X86_64) memset(b->data + l->header.text_offset, 0xcc, (size_t)l->header.text_size);
    for (size_t i = 0; i < l->part_count; i++)
        memcpy(b->data + l->parts[i]->at, l->parts[i]->bytes.data, l->parts[i]->bytes.size);
    for (uint32_t i = 0; i < l->in->object_count; i++) {
        const link_object *o = &l->objects[i];
        for (uint32_t k = 0; k < o->section_count; k++)
            if (o->sections[k].type == SHT_RELA)
                BASE_TRY(link_relocate(o, &o->sections[k], l->machine, &l->places, b->data, report));
    }
    return WISP_OK;
}

static wisp_status run(linker *l, base_buffer *image, wisp_report *report)
{
    BASE_TRY(read_objects(l, report));
    BASE_TRY(collect_parts(l, report));
    BASE_TRY(lay_out(l, report));
    BASE_TRY(place_symbols(l, report));
    return write_image(l, image, report);
}

wisp_status wasm_link(base_buffer *image, const wasm_link_input *in, wisp_report *report)
{
    bool arm = in->target == WASM_TARGET_AARCH64;
    linker l = {.in = in, .machine = arm ? LINK_MACHINE_AARCH64 : LINK_MACHINE_X86_64, .page = arm ? 65536 : 4096};
    wisp_status status = run(&l, image, report);
    for (uint32_t i = 0; l.objects && i < in->object_count; i++)
        link_object_fini(&l.objects[i]);
    base_free(l.objects);
    base_free(l.parts);
    base_free(l.places.funcs);
    base_free(l.places.entries);
    base_free(l.ends);
    return status;
}
