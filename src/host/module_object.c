/* Engines and modules of include/wisp/module.h: loading and inspecting. */
#include <string.h>

#include "compile/compile.h"
#include "host/plain.h"
#include "host/sized.h"

/* ---- engines ---- */

wisp_status wisp_engine_new(wisp_engine **result, const wisp_engine_options *options, wisp_report *report)
{
    wisp_engine_options own;
    if (!result) return base_fail(report, WISP_E_USAGE, "wisp_engine_new: no result given");
    BASE_TRY(host_take_options(&own, sizeof own, options, "wisp_engine_options", report));
    if ((unsigned)own.native > WISP_NATIVE_NOW)
        return base_fail(report, WISP_E_USAGE, "wisp_engine_new: native is not one of wisp_native");
    wisp_engine *engine = base_calloc(1, sizeof *engine);
    if (!engine) return base_fail(report, WISP_E_MEMORY, "out of memory for an engine");
    engine->options = own;
    *result = engine;
    return WISP_OK;
}

void wisp_engine_free(wisp_engine *engine)
{
    base_free(engine);
}

/* ---- imports and exports ---- */

static wisp_kind public_kind(wasm_kind kind)
{
    static const wisp_kind kinds[] = {[WASM_FUNC] = WISP_FUNC,
                                      [WASM_TABLE] = WISP_TABLE,
                                      [WASM_MEMORY] = WISP_MEMORY,
                                      [WASM_GLOBAL] = WISP_GLOBAL,
                                      [WASM_TAG] = WISP_TAG};
    return kinds[kind];
}

const char *wisp_kind_text(wisp_kind kind)
{
    static const char *const texts[] = {"function", "table", "memory", "global", "tag"};
    return (unsigned)kind < sizeof texts / sizeof *texts ? texts[kind] : "unknown";
}

/* Offsets first, since the buffer moves while it grows. */
static size_t put_text(base_buffer *texts, base_span text)
{
    size_t at = texts->size;
    base_put(texts, text.data, text.size);
    base_put_u8(texts, 0);
    return at;
}

static void describe(wisp_extern *e, base_buffer *texts, const wasm_module *wasm, const base_span *module,
                     base_span name, wasm_kind kind, uint32_t index)
{
    *e = (wisp_extern){.kind = public_kind(kind), .name_size = name.size};
    e->module = module ? (const char *)put_text(texts, *module) : NULL;
    e->name = (const char *)put_text(texts, name);
    e->type = (const char *)texts->size;
    host_put_extern_type(texts, wasm, kind, index);
    base_put_u8(texts, 0);
}

static void settle(wisp_extern *list, uint32_t count, const char *texts, bool imports)
{
    for (uint32_t i = 0; i < count; i++) {
        if (imports) list[i].module = texts + (size_t)list[i].module;
        list[i].name = texts + (size_t)list[i].name;
        list[i].type = texts + (size_t)list[i].type;
    }
}

static wisp_status list_externs(wisp_module *m, wisp_report *report)
{
    const uint32_t imports = wasm_module_import_count(m->wasm), exports = wasm_module_export_count(m->wasm);
    base_buffer texts = {0};
    m->imports = base_realloc_array(NULL, imports, sizeof *m->imports);
    m->exports = base_realloc_array(NULL, exports, sizeof *m->exports);
    if (!m->imports || !m->exports) return base_fail(report, WISP_E_MEMORY, "out of memory for a module's names");
    for (uint32_t i = 0; i < imports; i++) {
        const wasm_import_info *info = wasm_module_import(m->wasm, i);
        describe(&m->imports[i], &texts, m->wasm, &info->module, info->name, info->kind, info->index);
    }
    for (uint32_t i = 0; i < exports; i++) {
        const wasm_export_info *info = wasm_module_export(m->wasm, i);
        describe(&m->exports[i], &texts, m->wasm, NULL, info->name, info->kind, info->index);
    }
    m->texts = (char *)texts.data;
    if (texts.failed) return base_fail(report, WISP_E_MEMORY, "out of memory for a module's names");
    settle(m->imports, imports, m->texts, true);
    settle(m->exports, exports, m->texts, false);
    return WISP_OK;
}

const wisp_extern *wisp_module_import(const wisp_module *m, uint32_t index)
{
    return m && index < wasm_module_import_count(m->wasm) ? &m->imports[index] : NULL;
}

const wisp_extern *wisp_module_export(const wisp_module *m, uint32_t index)
{
    return m && index < wasm_module_export_count(m->wasm) ? &m->exports[index] : NULL;
}

/* ---- modules ---- */

static wisp_status decode(wisp_module *m, base_span bytes, wisp_report *report)
{
    if (bytes.size >= 8 && memcmp(bytes.data, "\0asm\x0d\0\1\0", 8) == 0)
        return base_fail(report, WISP_E_UNSUPPORTED,
                         "a component, not a core module: compile for WASI preview 1 (wasm32-wasip1)");
    if (bytes.size && (bytes.size < 4 || memcmp(bytes.data, "\0asm", 4) != 0))
        return base_fail(report, WISP_E_INPUT, "byte 0: not a WebAssembly module");
    if (!bytes.size) return base_fail(report, WISP_E_TRUNCATED, "empty: not a WebAssembly module");
    wasm_decode_limits limits = wasm_decode_defaults;
    if (m->engine) {
        const wisp_engine_options *options = &m->engine->options;
        const uint64_t now = os_monotonic_ns(), ms = options->load_deadline_ms;
        if (ms && ms < (UINT64_MAX - now) / 1000000) limits.until_ns = now + ms * 1000000;
        limits.stopped = options->load_stopped;
        limits.stopped_context = options->load_context;
    }
    BASE_TRY(wasm_module_new(&m->wasm, bytes, &limits, report));
    return list_externs(m, report);
}

static wisp_status open_file(wisp_module *m, const char *path, wisp_report *report)
{
    BASE_TRY(os_map_copy_info(&m->map, &m->identity, path, report));
    wisp_status status = decode(m, (base_span){m->map.data, (size_t)m->map.size}, report);
    return status == WISP_OK ? status : base_fail_prefix(report, status, path);
}

static wisp_status copy_bytes(wisp_module *m, const void *bytes, size_t size, wisp_report *report)
{
    if (!(m->bytes = base_alloc(size))) return base_fail(report, WISP_E_MEMORY, "out of memory for a module");
    if (size) memcpy(m->bytes, bytes, size);
    return decode(m, (base_span){m->bytes, size}, report);
}

static wisp_status make(wisp_module **result, wisp_engine *engine, const char *path, const void *bytes, size_t size,
                        wisp_report *report)
{
    wisp_module *m = base_calloc(1, sizeof *m);
    if (!m) return base_fail(report, WISP_E_MEMORY, "out of memory for a module");
    m->engine = engine;
    wisp_status status = path ? open_file(m, path, report) : copy_bytes(m, bytes, size, report);
    if (status == WISP_OK)
        *result = m;
    else
        wisp_module_free(m);
    return status;
}

wisp_status wisp_module_new(wisp_module **result, wisp_engine *engine, const void *bytes, size_t size,
                            wisp_report *report)
{
    if (!result || (!bytes && size))
        return base_fail(report, WISP_E_USAGE, "wisp_module_new: no result or no bytes given");
    return make(result, engine, NULL, bytes, size, report);
}

wisp_status wisp_module_open(wisp_module **result, wisp_engine *engine, const char *path, wisp_report *report)
{
    if (!result || !path) return base_fail(report, WISP_E_USAGE, "wisp_module_open: no result or no path given");
    return make(result, engine, path, NULL, 0, report);
}

void wisp_module_free(wisp_module *m)
{
    if (!m) return;
    wasm_module_free(m->wasm);
    host_native_known_fini(&m->native);
    os_unmap(&m->map);
    base_free(m->bytes);
    base_free(m->imports);
    base_free(m->exports);
    base_free(m->texts);
    base_free(m);
}

/* ---- a first look ---- */

/* Damaged files count as what their start says: whoever opens them finds out where they are broken. */
static wisp_file_kind probe(base_span bytes)
{
    if (compile_probe(bytes)) return WISP_FILE_GGUF;
    base_reader r = base_reader_of(bytes.data, bytes.size);
    base_span magic = base_read_span(&r, 4);
    if (!magic.data || memcmp(magic.data, "\0asm", 4) != 0) return WISP_FILE_UNKNOWN;
    base_read_u32(&r);
    while (base_left(&r) && !r.failed) {
        uint8_t id = base_read_u8(&r);
        uint32_t size = base_read_leb_u32(&r);
        base_reader content = r;
        base_skip(&r, size);
        if (id != 0) continue;
        base_span name = base_read_span(&content, base_read_leb_u32(&content));
        if (name.size == strlen("wisp.manifest") && memcmp(name.data, "wisp.manifest", name.size) == 0)
            return WISP_FILE_CAPSULE;
    }
    return WISP_FILE_MODULE;
}

wisp_file_kind wisp_probe(const char *path)
{
    os_map map;
    if (!path || os_map_file(&map, path, NULL) != WISP_OK) return WISP_FILE_UNKNOWN;
    wisp_file_kind kind = probe((base_span){map.data, (size_t)map.size});
    os_unmap(&map);
    return kind;
}
