/* Reading an ELF64 relocatable object (System V gABI, chapters 4). LLVM wrote it a moment ago, but its bytes are
 * checked like any others: a bug there must not become a write outside the image. */
#include <string.h>

#include "base/mem.h"
#include "wasm/native/link.h"

enum {
    EHDR_SIZE = 64,
    SHDR_SIZE = 64,
    SYM_SIZE = 24,
    ET_REL = 1,
    SHT_PROGBITS = 1,
    SHT_SYMTAB = 2,
    SHT_RELA = 4,
    SHT_NOTE = 7,
    SHT_NOBITS = 8,
    SHT_REL = 9,
    SHF_WRITE = 1,
    SHF_ALLOC = 2,
    SHF_EXECINSTR = 4,
    SHF_TLS = 0x400,
    SHN_LORESERVE = 0xff00,
    SECTIONS_MAX = SHN_LORESERVE - 1,
    ALIGN_MAX = 4096,
};

static wisp_status malformed(const link_object *o, const char *what, wisp_report *report)
{
    return base_fail(report, WISP_E_INPUT, "native code: object %u: %s", (unsigned)o->number, what);
}

static bool span_is(base_span s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

/* The text at `offset` of a string table. */
static bool read_string(base_span table, uint32_t offset, base_span *out)
{
    if (offset >= table.size) return false;
    const uint8_t *start = table.data + offset, *end = memchr(start, 0, table.size - offset);
    if (!end) return false;
    *out = (base_span){start, (size_t)(end - start)};
    return true;
}

static wisp_status read_header(link_object *o, base_span bytes, uint32_t machine, uint64_t *table, uint32_t *names,
                               wisp_report *report)
{
    base_reader r = base_reader_of(bytes.data, bytes.size);
    base_span ident = base_read_span(&r, 16);
    if (!ident.data || memcmp(ident.data, "\177ELF\2\1\1", 7) != 0)
        return malformed(o, "not a little-endian ELF64 file", report);
    uint16_t type = base_read_u16(&r), found = base_read_u16(&r);
    base_skip(&r, 4 + 8 + 8); /* version, entry, program headers */
    *table = base_read_u64(&r);
    base_skip(&r, 4 + 2 + 2 + 2);
    uint16_t entry_size = base_read_u16(&r);
    o->section_count = base_read_u16(&r);
    *names = base_read_u16(&r);
    if (r.failed || type != ET_REL || found != machine || entry_size != SHDR_SIZE)
        return malformed(o, "not a relocatable object for the target", report);
    if (o->section_count == 0 || o->section_count > SECTIONS_MAX || *names >= o->section_count)
        return malformed(o, "its section table is out of range", report);
    return WISP_OK;
}

static wisp_status read_section(link_object *o, link_section *s, base_span bytes, base_reader *r, uint32_t *name,
                                wisp_report *report)
{
    *name = base_read_u32(r);
    s->type = base_read_u32(r);
    s->flags = base_read_u64(r);
    base_skip(r, 8); /* address */
    uint64_t offset = base_read_u64(r), size = base_read_u64(r);
    s->link = base_read_u32(r);
    s->info = base_read_u32(r);
    s->align = base_read_u64(r);
    base_skip(r, 8); /* entry size */
    s->first_func = UINT32_MAX;
    if (r->failed) return malformed(o, "a section header is missing", report);
    s->size = size;
    if (s->type == 0 || s->type == SHT_NOBITS) return WISP_OK;
    base_reader file = base_reader_of(bytes.data, bytes.size);
    base_skip(&file, offset);
    s->bytes = base_read_span(&file, size);
    return file.failed ? malformed(o, "a section goes past the file's end", report) : WISP_OK;
}

/* Which part of the image a section goes to. Unwind tables are dropped: no exception passes native frames, and traces
 * walk frame pointers. */
static wisp_status classify(const link_object *o, link_section *s, wisp_report *report)
{
    s->kind = LINK_DROPPED;
    if (!(s->flags & SHF_ALLOC) || s->size == 0 || s->type == SHT_NOTE || span_is(s->name, ".eh_frame")) return WISP_OK;
    if (s->type != SHT_PROGBITS || s->flags & (SHF_WRITE | SHF_TLS))
        return base_fail(report, WISP_E_UNSUPPORTED, "native code: object %u: section %.*s, which an image cannot have",
                         (unsigned)o->number, (int)(s->name.size < 80 ? s->name.size : 80), (const char *)s->name.data);
    if (s->align == 0) s->align = 1;
    if (s->align > ALIGN_MAX || (s->align & (s->align - 1))) return malformed(o, "an impossible alignment", report);
    s->kind = s->flags & SHF_EXECINSTR ? LINK_TEXT : LINK_RODATA;
    return WISP_OK;
}

static wisp_status read_sections(link_object *o, base_span bytes, uint64_t table, uint32_t names, wisp_report *report)
{
    base_reader r = base_reader_of(bytes.data, bytes.size);
    base_skip(&r, table);
    if (r.failed || !base_can_hold(&r, o->section_count, SHDR_SIZE))
        return malformed(o, "its section table goes past the end", report);
    o->sections = base_calloc(o->section_count, sizeof *o->sections);
    uint32_t *offsets = base_calloc(o->section_count, sizeof *offsets);
    wisp_status status = WISP_OK;
    if (!o->sections || !offsets) status = base_fail(report, WISP_E_MEMORY, "native code: out of memory for an object");
    for (uint32_t i = 0; status == WISP_OK && i < o->section_count; i++)
        status = read_section(o, &o->sections[i], bytes, &r, &offsets[i], report);
    for (uint32_t i = 0; status == WISP_OK && i < o->section_count; i++) {
        if (i == 0 || !o->sections[i].type) continue;
        if (!read_string(o->sections[names].bytes, offsets[i], &o->sections[i].name))
            status = malformed(o, "a section's name is out of range", report);
        else
            status = classify(o, &o->sections[i], report);
    }
    base_free(offsets);
    return status;
}

static wisp_status read_symbol(link_object *o, link_symbol *y, base_reader *r, base_span names, wisp_report *report)
{
    uint32_t name = base_read_u32(r);
    base_skip(r, 2); /* type and binding, visibility */
    uint16_t section = base_read_u16(r);
    y->value = base_read_u64(r);
    y->size = base_read_u64(r);
    if (r->failed || !read_string(names, name, &y->name)) return malformed(o, "a symbol is out of range", report);
    y->section = section ? section : LINK_UNDEFINED;
    if (section >= SHN_LORESERVE) { /* the file's name is absolute; nothing else may be */
        y->section = LINK_UNDEFINED;
        return WISP_OK;
    }
    if (section >= o->section_count) return malformed(o, "a symbol of a section that is not there", report);
    if (section && o->sections[section].kind != LINK_DROPPED && y->value > o->sections[section].bytes.size)
        return malformed(o, "a symbol past its section's end", report);
    if (section && o->sections[section].kind != LINK_DROPPED && y->size > o->sections[section].bytes.size - y->value)
        return malformed(o, "a symbol larger than its section", report);
    return WISP_OK;
}

static wisp_status read_symbols(link_object *o, wisp_report *report)
{
    const link_section *table = NULL;
    for (uint32_t i = 0; i < o->section_count; i++) {
        if (o->sections[i].type != SHT_SYMTAB) continue;
        if (table) return malformed(o, "two symbol tables", report);
        table = &o->sections[i];
    }
    if (!table) return malformed(o, "no symbol table", report);
    if (table->link >= o->section_count || table->bytes.size % SYM_SIZE || table->bytes.size / SYM_SIZE > UINT32_MAX)
        return malformed(o, "its symbol table is malformed", report);
    base_span names = o->sections[table->link].bytes;
    o->symbol_count = (uint32_t)(table->bytes.size / SYM_SIZE);
    o->symbols = base_calloc(o->symbol_count, sizeof *o->symbols);
    if (!o->symbols) return base_fail(report, WISP_E_MEMORY, "native code: out of memory for symbols");
    base_reader r = base_reader_of(table->bytes.data, table->bytes.size);
    for (uint32_t i = 0; i < o->symbol_count; i++)
        BASE_TRY(read_symbol(o, &o->symbols[i], &r, names, report));
    return WISP_OK;
}

wisp_status link_object_read(link_object *o, base_span bytes, uint32_t machine, wisp_report *report)
{
    uint64_t table = 0;
    uint32_t names = 0;
    BASE_TRY(read_header(o, bytes, machine, &table, &names, report));
    BASE_TRY(read_sections(o, bytes, table, names, report));
    BASE_TRY(read_symbols(o, report));
    for (uint32_t i = 0; i < o->section_count; i++)
        if (o->sections[i].type == SHT_REL && o->sections[i].info < o->section_count &&
            o->sections[o->sections[i].info].kind != LINK_DROPPED)
            return malformed(o, "relocations without addends", report);
    return WISP_OK;
}

void link_object_fini(link_object *o)
{
    base_free(o->sections);
    base_free(o->symbols);
    o->sections = NULL;
    o->symbols = NULL;
}

bool link_symbol_index(base_span name, char letter, uint32_t *index)
{
    uint64_t n = 0;
    if (name.size < 2 || name.size > 11 || name.data[0] != letter || (name.data[1] == '0' && name.size > 2))
        return false;
    for (size_t i = 1; i < name.size; i++) {
        if (name.data[i] < '0' || name.data[i] > '9') return false;
        n = n * 10 + (unsigned)(name.data[i] - '0');
    }
    *index = (uint32_t)n;
    return n < UINT32_MAX;
}
