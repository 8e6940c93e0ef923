/* Makes WebAssembly modules in memory, section by section and instruction by instruction: for tests and fuzz targets.
 *
 *     module_writer w = {0};
 *     mw_memory(&w, 1, 3, false);
 *     uint32_t f = mw_function(&w, "(i)i", "I");         one i64 local
 *     mw_op(&w, 0x20), mw_leb(&w, 0);                    local.get 0
 *     mw_access(&w, 0x28, 2, 16);                        i32.load align=4 offset=16
 *     mw_end(&w, "load");                                exported
 *     base_buffer bytes = mw_finish(&w);                 the module; ends the writer
 *
 * Opcodes as in opcodes.def: 0xFC000 and 0xFD000 for the prefixed ones. Imports come before what they are followed by
 * in their index space. Nothing is checked: a wrong module is the caller's intention. */
#ifndef TESTS_MODULE_WRITER_H
#define TESTS_MODULE_WRITER_H
#include <string.h>

#include "base/bytes.h"

typedef struct module_writer {
    base_buffer types, imports, funcs, tables, memories, tags, globals, exports, elems, codes, datas, body;
    uint32_t type_count, import_count, func_count, imported_funcs, table_count, memory_count, tag_count, global_count,
        export_count, elem_count, data_count;
    uint32_t start; /* function index + 1 */
} module_writer;

static inline void mw_leb_signed(base_buffer *b, int64_t v)
{
    for (;;) {
        uint8_t byte = (uint8_t)(v & 0x7f);
        v >>= 7;
        if ((v == 0 && !(byte & 0x40)) || (v == -1 && (byte & 0x40))) {
            base_put_u8(b, byte);
            return;
        }
        base_put_u8(b, byte | 0x80);
    }
}

static inline uint8_t mw_letter(char letter)
{
    static const char letters[] = "iIfFvre";
    static const uint8_t types[] = {0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f};
    return types[strchr(letters, letter) - letters];
}

static inline void mw_name(base_buffer *b, const char *text)
{
    base_put_leb_u32(b, (uint32_t)strlen(text));
    base_put(b, text, strlen(text));
}

/* "(iI)f": its index. */
static inline uint32_t mw_type(module_writer *w, const char *signature)
{
    const char *middle = strchr(signature, ')');
    base_put_u8(&w->types, 0x60);
    base_put_leb_u32(&w->types, (uint32_t)(middle - signature - 1));
    for (const char *p = signature + 1; p < middle; p++)
        base_put_u8(&w->types, mw_letter(*p));
    base_put_leb_u32(&w->types, (uint32_t)strlen(middle + 1));
    for (const char *p = middle + 1; *p; p++)
        base_put_u8(&w->types, mw_letter(*p));
    return w->type_count++;
}

static inline void mw_range(base_buffer *b, uint64_t min, uint64_t max, bool is64)
{
    base_put_u8(b, (uint8_t)((max != UINT64_MAX) | (is64 ? 4 : 0)));
    base_put_leb_u64(b, min);
    if (max != UINT64_MAX) base_put_leb_u64(b, max);
}

/* `max` UINT64_MAX: none. Returns the index. */
static inline uint32_t mw_memory(module_writer *w, uint64_t min, uint64_t max, bool is64)
{
    mw_range(&w->memories, min, max, is64);
    return w->memory_count++;
}

static inline uint32_t mw_table(module_writer *w, uint8_t type, uint64_t min, uint64_t max)
{
    base_put_u8(&w->tables, type);
    mw_range(&w->tables, min, max, false);
    return w->table_count++;
}

static inline uint32_t mw_import_function(module_writer *w, const char *module, const char *name, const char *signature)
{
    uint32_t type = mw_type(w, signature);
    mw_name(&w->imports, module);
    mw_name(&w->imports, name);
    base_put_u8(&w->imports, 0);
    base_put_leb_u32(&w->imports, type);
    w->import_count++;
    return w->imported_funcs++;
}

static inline void mw_export(module_writer *w, const char *name, uint8_t kind, uint32_t index)
{
    mw_name(&w->exports, name);
    base_put_u8(&w->exports, kind);
    base_put_leb_u32(&w->exports, index);
    w->export_count++;
}

static inline uint32_t mw_passive_data(module_writer *w, const void *bytes, size_t size)
{
    base_put_u8(&w->datas, 1);
    base_put_leb_u32(&w->datas, (uint32_t)size);
    base_put(&w->datas, bytes, size);
    return w->data_count++;
}

/* ---- functions ---- */

/* Opens a function with so many locals of these types; returns its index. */
static inline uint32_t mw_function(module_writer *w, const char *signature, const char *locals)
{
    base_put_leb_u32(&w->funcs, mw_type(w, signature));
    base_put_leb_u32(&w->body, (uint32_t)strlen(locals));
    for (; *locals; locals++) {
        base_put_u8(&w->body, 1);
        base_put_u8(&w->body, mw_letter(*locals));
    }
    return w->imported_funcs + w->func_count++;
}

static inline void mw_byte(module_writer *w, uint8_t byte)
{
    base_put_u8(&w->body, byte);
}
static inline void mw_leb(module_writer *w, uint64_t v)
{
    base_put_leb_u64(&w->body, v);
}
static inline void mw_op(module_writer *w, uint32_t code)
{
    if (code >> 12 == 0xfc || code >> 12 == 0xfd) {
        mw_byte(w, (uint8_t)(code >> 12));
        mw_leb(w, code & 0xfff);
    } else {
        mw_byte(w, (uint8_t)code);
    }
}
static inline void mw_op1(module_writer *w, uint32_t code, uint64_t immediate)
{
    mw_op(w, code);
    mw_leb(w, immediate);
}
static inline void mw_i32(module_writer *w, int32_t v) /* i32.const */
{
    mw_byte(w, 0x41);
    mw_leb_signed(&w->body, v);
}
static inline void mw_i64(module_writer *w, int64_t v)
{
    mw_byte(w, 0x42);
    mw_leb_signed(&w->body, v);
}
/* A load or store of memory 0; a lane index, where there is one, is put by the caller. */
static inline void mw_access(module_writer *w, uint32_t code, uint32_t align, uint64_t offset)
{
    mw_op1(w, code, align);
    mw_leb(w, offset);
}
/* Closes the function; `name` exports it, NULL does not. */
static inline void mw_end(module_writer *w, const char *name)
{
    mw_byte(w, 0x0b);
    base_put_leb_u32(&w->codes, (uint32_t)w->body.size);
    base_put(&w->codes, w->body.data, w->body.size);
    w->body.size = 0;
    if (name) mw_export(w, name, 0, w->imported_funcs + w->func_count - 1);
}

/* ---- the module ---- */

static inline void mw_section(base_buffer *out, uint8_t id, uint32_t count, base_buffer *content)
{
    base_buffer head = {0};
    base_put_leb_u32(&head, count);
    if (count) {
        base_put_u8(out, id);
        base_put_leb_u32(out, (uint32_t)(head.size + content->size));
        base_put(out, head.data, head.size);
        base_put(out, content->data, content->size);
    }
    base_buffer_fini(&head);
    base_buffer_fini(content);
}

static inline base_buffer mw_finish(module_writer *w)
{
    base_buffer out = {0}, nothing = {0};
    base_put(&out, "\0asm\1\0\0\0", 8);
    mw_section(&out, 1, w->type_count, &w->types);
    mw_section(&out, 2, w->import_count, &w->imports);
    mw_section(&out, 3, w->func_count, &w->funcs);
    mw_section(&out, 4, w->table_count, &w->tables);
    mw_section(&out, 5, w->memory_count, &w->memories);
    mw_section(&out, 13, w->tag_count, &w->tags);
    mw_section(&out, 6, w->global_count, &w->globals);
    mw_section(&out, 7, w->export_count, &w->exports);
    if (w->start) {
        base_put_u8(&out, 8);
        base_put_u8(&out, w->start - 1 < 128 ? 1 : 5);
        base_put_leb_u32(&out, w->start - 1);
    }
    mw_section(&out, 9, w->elem_count, &w->elems);
    mw_section(&out, 12, w->data_count, &nothing); /* the count alone */
    mw_section(&out, 10, w->func_count, &w->codes);
    mw_section(&out, 11, w->data_count, &w->datas);
    base_buffer_fini(&w->body);
    *w = (module_writer){0};
    return out;
}

#endif
