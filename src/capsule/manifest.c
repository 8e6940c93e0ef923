#include "capsule/manifest.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "capsule/framing.h"

/* The text ends with: "self":"<64 hex digits>"}\n */
static const char self_key[] = ",\n\"self\":\"", self_end[] = "\"}\n";
enum { HEX = 64, SELF_TAIL = sizeof self_key - 1 + HEX + sizeof self_end - 1 };

bool capsule_entry_is_pad(const capsule_entry *e)
{
    return e->id == SECTION_CUSTOM && strcmp(e->name, CAPSULE_PAD) == 0;
}

bool capsule_entry_is_weights(const capsule_entry *e)
{
    return e->id == SECTION_CUSTOM && strncmp(e->name, CAPSULE_WEIGHTS, sizeof CAPSULE_WEIGHTS - 1) == 0;
}

/* ---- writing ---- */

static void put_hex(base_buffer *b, const uint8_t digest[32])
{
    char hex[HEX + 1];
    base_hex(digest, 32, hex);
    base_putf(b, "\"%s\"", hex);
}

static void put_text(base_buffer *b, const char *key, const char *text)
{
    base_putf(b, ",\n\"%s\":", key);
    if (text)
        base_json_put_cstr(b, text);
    else
        base_put_text(b, "null");
}

static void put_entry(base_buffer *b, const capsule_entry *e)
{
    base_putf(b, "{\"kind\":\"%s\"", capsule_section_kind(e->id));
    if (e->id == SECTION_CUSTOM) {
        base_put_text(b, ",\"name\":");
        base_json_put_cstr(b, e->name);
    }
    if (!capsule_entry_is_pad(e)) base_putf(b, ",\"size\":%" PRIu64, e->size);
    if (e->id == SECTION_DATA) {
        base_putf(b, ",\"model\":%" PRIu64 ",\"head\":%" PRIu64 ",\"head_sha256\":", e->model_bytes, e->head_bytes);
        put_hex(b, e->head_sha256);
        base_put_text(b, ",\"segments_sha256\":");
        put_hex(b, e->segments_sha256);
    } else if (!capsule_entry_is_pad(e) && !capsule_entry_is_weights(e)) {
        base_put_text(b, ",\"sha256\":");
        put_hex(b, e->sha256);
    }
    base_put_text(b, "}");
}

static void put_tensor(base_buffer *b, const capsule_tensor *t)
{
    base_put_text(b, "{\"name\":");
    base_json_put_cstr(b, t->name);
    base_putf(b, ",\"type\":\"%s\",\"shape\":[", t->type);
    for (uint32_t i = 0; i < t->dims; i++)
        base_putf(b, "%s%" PRIu64, i ? "," : "", t->shape[i]);
    base_putf(b, "],\"layout\":\"%s\",\"segment\":%" PRIu32 ",\"offset\":%" PRIu64 ",\"size\":%" PRIu64 ",\"sha256\":",
              t->layout, t->segment, t->offset, t->size);
    put_hex(b, t->sha256);
    base_put_text(b, t->generated ? ",\"generated\":true}" : "}");
}

void capsule_manifest_write(base_buffer *out, const capsule_manifest *m)
{
    const capsule_info *info = &m->info;
    base_putf(out, "{\"wisp\":%d", CAPSULE_FORMAT);
    put_text(out, "name", info->name);
    put_text(out, "version", info->version);
    put_text(out, "license", info->license);
    base_put_text(out, ",\n\"source\":{\"file\":");
    base_json_put_cstr(out, info->source_file ? info->source_file : "");
    base_put_text(out, ",\"sha256\":");
    put_hex(out, info->source_sha256);
    base_putf(out, ",\"bytes\":%" PRIu64 "},\n\"engine\":{\"version\":", info->source_bytes);
    base_json_put_cstr(out, info->engine_version ? info->engine_version : "");
    base_put_text(out, ",\"sha256\":");
    put_hex(out, m->engine_sha256);
    base_put_text(out, "}");
    put_text(out, "architecture", info->architecture);
    base_putf(out, ",\n\"context_length\":%" PRIu64 ",\n\"parameters\":%" PRIu64, info->context_length,
              info->parameters);
    put_text(out, "quantization", info->quantization);
    base_put_text(out, ",\n\"sections\":[");
    for (uint32_t i = 0; i < m->entry_count; i++) {
        base_put_text(out, i ? ",\n" : "\n");
        put_entry(out, &m->entries[i]);
    }
    base_put_text(out, "],\n\"tensors\":[");
    for (uint32_t i = 0; i < m->tensor_count; i++) {
        base_put_text(out, i ? ",\n" : "\n");
        put_tensor(out, &m->tensors[i]);
    }
    base_put_text(out, "]");
    base_put_text(out, self_key);
    if (out->failed) return;
    uint8_t digest[32];
    char hex[HEX + 1];
    base_sha256_of(out->data, out->size, digest);
    base_hex(digest, sizeof digest, hex);
    base_put_text(out, hex);
    base_put_text(out, self_end);
}

/* ---- reading ---- */

static wisp_status wrong(wisp_report *report, const char *what)
{
    return base_fail(report, WISP_E_INPUT, "manifest: %s is missing or wrong", what);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const base_json *node, uint8_t digest[32])
{
    if (!node || node->kind != JSON_STRING || node->size != HEX) return false;
    for (int i = 0; i < 32; i++) {
        int high = hex_digit(node->text[2 * i]), low = hex_digit(node->text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* A string, or null where `optional`. */
static bool read_text(const base_json *object, const char *key, bool optional, const char **out)
{
    const base_json *node = base_json_get(object, key);
    *out = base_json_str(node);
    return *out || (optional && node && node->kind == JSON_NULL);
}

static bool read_uint(const base_json *object, const char *key, uint64_t *out)
{
    return base_json_uint(base_json_get(object, key), out);
}

static wisp_status read_info(capsule_manifest *m, wisp_report *report)
{
    const base_json *root = m->root, *source = base_json_get(root, "source"), *engine = base_json_get(root, "engine");
    capsule_info *i = &m->info;
    uint64_t format;
    if (!read_uint(root, "wisp", &format)) return wrong(report, "the format version 'wisp'");
    if (format != CAPSULE_FORMAT)
        return base_fail(report, WISP_E_UNSUPPORTED, "manifest: format version %" PRIu64 ", known is %d", format,
                         CAPSULE_FORMAT);
    if (!read_text(root, "name", true, &i->name) || !read_text(root, "version", true, &i->version) ||
        !read_text(root, "license", true, &i->license))
        return wrong(report, "'name', 'version' or 'license'");
    if (!read_text(source, "file", false, &i->source_file) || !read_uint(source, "bytes", &i->source_bytes) ||
        !read_hex(base_json_get(source, "sha256"), i->source_sha256))
        return wrong(report, "'source'");
    if (!read_text(engine, "version", false, &i->engine_version) ||
        !read_hex(base_json_get(engine, "sha256"), m->engine_sha256))
        return wrong(report, "'engine'");
    if (!read_text(root, "architecture", true, &i->architecture) ||
        !read_uint(root, "context_length", &i->context_length) || !read_uint(root, "parameters", &i->parameters) ||
        !read_text(root, "quantization", true, &i->quantization))
        return wrong(report, "'architecture', 'context_length', 'parameters' or 'quantization'");
    return WISP_OK;
}

static wisp_status read_entry(capsule_entry *e, const base_json *node, wisp_report *report)
{
    *e = (capsule_entry){.id = capsule_section_id(base_json_str(base_json_get(node, "kind")))};
    if (e->id == UINT32_MAX) return wrong(report, "a section's 'kind'");
    if (e->id == SECTION_CUSTOM) {
        const char *name = base_json_str(base_json_get(node, "name"));
        if (!name || strlen(name) >= sizeof e->name) return wrong(report, "a section's 'name'");
        memcpy(e->name, name, strlen(name) + 1);
    }
    if (capsule_entry_is_pad(e)) return WISP_OK;
    if (!read_uint(node, "size", &e->size)) return wrong(report, "a section's 'size'");
    if (capsule_entry_is_weights(e)) return WISP_OK;
    if (e->id == SECTION_DATA) {
        if (!read_uint(node, "model", &e->model_bytes) || !read_uint(node, "head", &e->head_bytes) ||
            !read_hex(base_json_get(node, "head_sha256"), e->head_sha256) ||
            !read_hex(base_json_get(node, "segments_sha256"), e->segments_sha256))
            return wrong(report, "the data section's description");
        return WISP_OK;
    }
    return read_hex(base_json_get(node, "sha256"), e->sha256) ? WISP_OK : wrong(report, "a section's 'sha256'");
}

static wisp_status read_entries(capsule_manifest *m, wisp_report *report)
{
    const base_json *list = base_json_get(m->root, "sections");
    if (!list || list->kind != JSON_ARRAY || list->count > CAPSULE_SECTIONS_MAX) return wrong(report, "'sections'");
    m->entries = base_calloc(list->count, sizeof *m->entries);
    if (!m->entries) return base_fail(report, WISP_E_MEMORY, "manifest: out of memory");
    for (const base_json *node = list->first; node; node = node->next)
        BASE_TRY(read_entry(&m->entries[m->entry_count++], node, report));
    return WISP_OK;
}

static bool read_shape(capsule_tensor *t, const base_json *shape)
{
    if (!shape || shape->kind != JSON_ARRAY || shape->count < 1 || shape->count > 4) return false;
    uint64_t product = 1;
    t->dims = 0;
    for (const base_json *d = shape->first; d; d = d->next) {
        uint64_t *n = &t->shape[t->dims++];
        if (!base_json_uint(d, n) || *n == 0 || __builtin_mul_overflow(product, *n, &product)) return false;
    }
    for (uint32_t i = t->dims; i < 4; i++)
        t->shape[i] = 1;
    return true;
}

static wisp_status read_tensor(capsule_tensor *t, const base_json *node, wisp_report *report)
{
    uint64_t segment;
    const base_json *generated = base_json_get(node, "generated");
    if (!read_text(node, "name", false, &t->name)) return wrong(report, "a tensor's 'name'");
    if (!read_text(node, "type", false, &t->type) || !read_text(node, "layout", false, &t->layout) ||
        !read_shape(t, base_json_get(node, "shape")) || !read_uint(node, "segment", &segment) ||
        segment >= CAPSULE_SEGMENTS_MAX || !read_uint(node, "offset", &t->offset) ||
        !read_uint(node, "size", &t->size) || !read_hex(base_json_get(node, "sha256"), t->sha256) ||
        (generated && generated->kind != JSON_BOOL))
        return base_fail(report, WISP_E_INPUT, "manifest: tensor '%.80s': a member is missing or wrong", t->name);
    t->segment = (uint32_t)segment;
    t->generated = generated && generated->boolean;
    return WISP_OK;
}

static wisp_status read_tensors(capsule_manifest *m, wisp_report *report)
{
    const base_json *list = base_json_get(m->root, "tensors");
    if (!list || list->kind != JSON_ARRAY || list->count > CAPSULE_TENSORS_MAX) return wrong(report, "'tensors'");
    m->tensors = base_calloc(list->count, sizeof *m->tensors);
    if (!m->tensors) return base_fail(report, WISP_E_MEMORY, "manifest: out of memory");
    for (const base_json *node = list->first; node; node = node->next)
        BASE_TRY(read_tensor(&m->tensors[m->tensor_count++], node, report));
    return WISP_OK;
}

static wisp_status check_self(base_span text, wisp_report *report)
{
    if (text.size < SELF_TAIL || text.size > MANIFEST_BYTES_MAX) return wrong(report, "its own digest 'self'");
    const uint8_t *tail = text.data + text.size - SELF_TAIL, *hex = tail + sizeof self_key - 1;
    uint8_t digest[32];
    char expected[HEX + 1];
    base_sha256_of(text.data, (size_t)(hex - text.data), digest);
    base_hex(digest, sizeof digest, expected);
    if (memcmp(tail, self_key, sizeof self_key - 1) != 0 || memcmp(hex + HEX, self_end, sizeof self_end - 1) != 0)
        return wrong(report, "its own digest 'self'");
    if (memcmp(hex, expected, HEX) != 0)
        return base_fail(report, WISP_E_INPUT, "manifest: damaged (its digest is not the one it names)");
    return WISP_OK;
}

static wisp_status read_members(capsule_manifest *m, wisp_report *report)
{
    BASE_TRY(read_info(m, report));
    BASE_TRY(read_entries(m, report));
    return read_tensors(m, report);
}

wisp_status capsule_manifest_read(capsule_manifest *m, base_span text, wisp_report *report)
{
    *m = (capsule_manifest){0};
    BASE_TRY(check_self(text, report));
    wisp_status status = base_json_parse(&m->doc, &m->root, text.data, text.size, report);
    if (status) return base_fail_prefix(report, status, "manifest");
    status = read_members(m, report);
    if (status) capsule_manifest_fini(m);
    return status;
}

void capsule_manifest_fini(capsule_manifest *m)
{
    base_free(m->entries);
    base_free(m->tensors);
    base_json_free(m->doc);
    *m = (capsule_manifest){0};
}
