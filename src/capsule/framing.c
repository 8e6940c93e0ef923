#include "capsule/framing.h"

#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"

static const char *const kinds[] = {"custom", "type",  "import",  "function", "table", "memory",   "global",
                                    "export", "start", "element", "code",     "data",  "datacount"};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Place of each id in a module: data count stands between element and code. */
static const uint8_t places[KINDS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 10};

const char *capsule_section_kind(uint32_t id)
{
    return id < KINDS ? kinds[id] : "unknown";
}

uint32_t capsule_section_id(const char *kind)
{
    for (uint32_t i = 0; kind && i < KINDS; i++)
        if (strcmp(kinds[i], kind) == 0) return i;
    return UINT32_MAX;
}

bool capsule_section_is(const capsule_section *s, const char *name)
{
    return s->id == SECTION_CUSTOM && s->name.size == strlen(name) && memcmp(s->name.data, name, s->name.size) == 0;
}

static base_span read_name(base_reader *r)
{
    base_span name = base_read_span(r, base_read_leb_u32(r));
    if (!r->failed && !base_utf8_valid(name.data, name.size)) r->failed = true;
    return name;
}

static wisp_status read_section(base_reader *r, capsule_section *s, wisp_report *report)
{
    size_t at = base_offset(r);
    const uint8_t *start = r->at;
    s->id = base_read_u8(r);
    s->content = base_read_span(r, base_read_leb_u32(r));
    if (r->failed) return base_fail(report, WISP_E_TRUNCATED, "byte %zu: a section goes past the file's end", at);
    s->whole = (base_span){start, (size_t)(r->at - start)};
    s->payload = s->content;
    if (s->id >= KINDS) return base_fail(report, WISP_E_INPUT, "byte %zu: unknown section %u", at, (unsigned)s->id);
    if (s->id == SECTION_CUSTOM) {
        base_reader in = base_reader_of(s->content.data, s->content.size);
        s->name = read_name(&in);
        if (in.failed) return base_fail(report, WISP_E_INPUT, "byte %zu: a custom section without a name", at);
        s->content = (base_span){in.at, base_left(&in)};
    }
    return WISP_OK;
}

static wisp_status read_all(base_reader *r, capsule_section **sections, uint32_t *count, wisp_report *report)
{
    size_t capacity = 0;
    for (unsigned last = 0; base_left(r); ++*count) {
        if (*count == CAPSULE_SECTIONS_MAX)
            return base_fail(report, WISP_E_LIMIT, "more than %d sections", CAPSULE_SECTIONS_MAX);
        if (!BASE_GROW(*sections, capacity, *count + 1)) return base_fail(report, WISP_E_MEMORY, "out of memory");
        capsule_section *s = &(*sections)[*count];
        *s = (capsule_section){0};
        size_t at = base_offset(r);
        BASE_TRY(read_section(r, s, report));
        if (s->id == SECTION_CUSTOM) continue;
        if (places[s->id] <= last)
            return base_fail(report, WISP_E_INPUT, "byte %zu: section %s is out of place", at, kinds[s->id]);
        last = places[s->id];
    }
    return WISP_OK;
}

wisp_status capsule_read_sections(base_span file, capsule_section **sections, uint32_t *count, wisp_report *report)
{
    base_reader r = base_reader_of(file.data, file.size);
    base_span magic = base_read_span(&r, 8);
    if (!magic.data || memcmp(magic.data, "\0asm\1\0\0", 8) != 0)
        return base_fail(report, WISP_E_INPUT, "byte 0: neither a capsule (WebAssembly) nor a GGUF");
    capsule_section *list = NULL;
    *count = 0;
    wisp_status status = read_all(&r, &list, count, report);
    if (status)
        base_free(list);
    else
        *sections = list;
    return status;
}

/* ---- functions ---- */

static wisp_status count_imports(capsule_functions *f, wisp_report *report)
{
    static const char wasi[] = "wasi_snapshot_preview1";
    base_reader r = base_reader_of(f->import.data, f->import.size);
    uint32_t count = f->import.data ? base_read_leb_u32(&r) : 0;
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        base_span module = read_name(&r), name = read_name(&r);
        uint8_t kind = base_read_u8(&r);
        base_read_leb_u32(&r);
        if (r.failed) break;
        if (kind != 0 || module.size != sizeof wasi - 1 || memcmp(module.data, wasi, module.size) != 0)
            return base_fail(report, WISP_E_INPUT, "import '%.*s' '%.*s': a capsule imports functions of %s only",
                             (int)(module.size < 64 ? module.size : 64), (const char *)module.data,
                             (int)(name.size < 64 ? name.size : 64), (const char *)name.data, wasi);
        f->imported++;
    }
    if (r.failed || base_left(&r)) return base_fail(report, WISP_E_INPUT, "import section: malformed");
    return WISP_OK;
}

wisp_status capsule_functions_of(capsule_functions *f, const capsule_section *sections, uint32_t count,
                                 wisp_report *report)
{
    *f = (capsule_functions){0};
    for (uint32_t i = 0; i < count; i++) {
        base_span content = sections[i].content;
        switch (sections[i].id) {
        case SECTION_TYPE:
            f->type = content;
            break;
        case SECTION_IMPORT:
            f->import = content;
            break;
        case SECTION_FUNCTION:
            f->function = content;
            break;
        case SECTION_EXPORT:
            f->export = content;
            break;
        default:
            break;
        }
    }
    return count_imports(f, report);
}

static char letter_of(uint8_t type)
{
    static const char letters[] = "vFfIi"; /* 0x7b to 0x7f */
    return type >= 0x7b && type <= 0x7f ? letters[type - 0x7b] : 0;
}

/* Reads a vector of value types into out, which has room for `room` letters. */
static bool read_letters(base_reader *r, char *out, size_t *at)
{
    uint32_t count = base_read_leb_u32(r);
    for (uint32_t i = 0; i < count; i++) {
        char c = letter_of(base_read_u8(r));
        if (r->failed || !c || *at + 3 >= CAPSULE_SIGNATURE_MAX) return false;
        out[(*at)++] = c;
    }
    return !r->failed;
}

static void skip_type(base_reader *r)
{
    if (base_read_u8(r) != 0x60) r->failed = true; /* §5.3.6: a function type */
    base_skip(r, base_read_leb_u32(r));
    base_skip(r, base_read_leb_u32(r));
}

wisp_status capsule_signature(const capsule_functions *f, uint32_t index, char out[CAPSULE_SIGNATURE_MAX],
                              wisp_report *report)
{
    base_reader r = base_reader_of(f->function.data, f->function.size);
    uint32_t count = base_read_leb_u32(&r);
    if (r.failed || index < f->imported || index - f->imported >= count)
        return base_fail(report, WISP_E_INPUT, "function %u is not one of the module's own", (unsigned)index);
    for (uint32_t i = f->imported; i < index && !r.failed; i++)
        base_read_leb_u32(&r);
    uint32_t type = base_read_leb_u32(&r);
    base_reader t = base_reader_of(f->type.data, f->type.size);
    if (r.failed || type >= base_read_leb_u32(&t))
        return base_fail(report, WISP_E_INPUT, "function %u has no type", (unsigned)index);
    for (uint32_t i = 0; i < type && !t.failed; i++)
        skip_type(&t);
    size_t at = 1;
    out[0] = '(';
    bool fine = base_read_u8(&t) == 0x60 && read_letters(&t, out, &at);
    if (fine) out[at++] = ')';
    if (!fine || !read_letters(&t, out, &at))
        return base_fail(report, WISP_E_UNSUPPORTED, "function %u: its type has no signature here", (unsigned)index);
    out[at] = 0;
    return WISP_OK;
}

/* ---- intrinsics ---- */

static wisp_status put_intrinsic(base_buffer *out, const capsule_functions *f, base_span name, uint32_t index,
                                 wisp_report *report)
{
    char signature[CAPSULE_SIGNATURE_MAX];
    BASE_TRY(capsule_signature(f, index, signature, report));
    base_put_u32(out, index);
    base_put_u32(out, (uint32_t)name.size);
    base_put(out, name.data, name.size);
    base_put_u8(out, (uint8_t)strlen(signature));
    base_put_text(out, signature);
    return WISP_OK;
}

wisp_status capsule_intrinsics_write(base_buffer *out, const capsule_functions *f, wisp_report *report)
{
    static const char prefix[] = "wisp_dev_";
    base_reader r = base_reader_of(f->export.data, f->export.size);
    uint32_t count = f->export.data ? base_read_leb_u32(&r) : 0, found = 0;
    size_t head = out->size;
    base_put_u32(out, CAPSULE_INTRINSICS_ABI);
    base_put_u32(out, 0);
    for (uint32_t i = 0; i < count; i++) {
        base_span name = read_name(&r);
        uint8_t kind = base_read_u8(&r);
        uint32_t index = base_read_leb_u32(&r);
        if (r.failed) return base_fail(report, WISP_E_INPUT, "export section: malformed at entry %u", (unsigned)i);
        if (kind != 0 || name.size < sizeof prefix - 1 || memcmp(name.data, prefix, sizeof prefix - 1) != 0) continue;
        BASE_TRY(put_intrinsic(out, f, name, index, report));
        found++;
    }
    if (out->failed) return base_fail(report, WISP_E_MEMORY, "out of memory for the intrinsics");
    memcpy(out->data + head + 4, &found, sizeof found);
    return WISP_OK;
}

static wisp_status read_intrinsic(capsule_intrinsic *e, base_reader *r, const capsule_functions *f, wisp_report *report)
{
    char signature[CAPSULE_SIGNATURE_MAX];
    e->function = base_read_u32(r);
    e->name = base_read_span(r, base_read_u32(r));
    e->signature = base_read_span(r, base_read_u8(r));
    if (r->failed || !e->name.size || !base_utf8_valid(e->name.data, e->name.size))
        return base_fail(report, WISP_E_INPUT, "wisp.intrinsics: malformed");
    BASE_TRY(capsule_signature(f, e->function, signature, report));
    if (e->signature.size != strlen(signature) || memcmp(e->signature.data, signature, e->signature.size) != 0)
        return base_fail(report, WISP_E_INPUT, "wisp.intrinsics: function %u has the signature %s, not the one listed",
                         (unsigned)e->function, signature);
    return WISP_OK;
}

wisp_status capsule_intrinsics_read(capsule_intrinsic **list, uint32_t *count, base_span content,
                                    const capsule_functions *f, wisp_report *report)
{
    base_reader r = base_reader_of(content.data, content.size);
    uint32_t abi = base_read_u32(&r), n = base_read_u32(&r);
    if (r.failed || n > 256 || !base_can_hold(&r, n, 9))
        return base_fail(report, WISP_E_INPUT, "wisp.intrinsics: malformed");
    if (abi != CAPSULE_INTRINSICS_ABI)
        return base_fail(report, WISP_E_UNSUPPORTED, "wisp.intrinsics: ABI %u, known is %d", (unsigned)abi,
                         CAPSULE_INTRINSICS_ABI);
    capsule_intrinsic *entries = base_calloc(n, sizeof *entries);
    if (!entries) return base_fail(report, WISP_E_MEMORY, "out of memory for the intrinsics");
    wisp_status status = WISP_OK;
    for (uint32_t i = 0; i < n && !status; i++)
        status = read_intrinsic(&entries[i], &r, f, report);
    if (!status && base_left(&r)) status = base_fail(report, WISP_E_INPUT, "wisp.intrinsics: bytes left over");
    if (status) {
        base_free(entries);
        return status;
    }
    *list = entries;
    *count = n;
    return WISP_OK;
}

/* ---- the engine ---- */

static wisp_status skip_active_segment(base_reader *r, uint32_t number, wisp_report *report)
{
    uint32_t flags = base_read_leb_u32(r);
    if (!r->failed && flags == 1)
        return base_fail(report, WISP_E_UNSUPPORTED, "data segment %u is passive; its index would change in a capsule",
                         (unsigned)number);
    if (flags == 2) base_read_leb_u32(r);
    for (uint8_t op = 0; op != 0x0b && !r->failed;) { /* §5.4.9: a constant expression, its plain forms */
        op = base_read_u8(r);
        if (op == 0x41)
            base_read_leb_s32(r);
        else if (op == 0x23)
            base_read_leb_u32(r);
        else if (op != 0x0b)
            r->failed = true;
    }
    base_skip(r, base_read_leb_u32(r));
    if (r->failed || flags > 2) return base_fail(report, WISP_E_INPUT, "data segment %u", (unsigned)number);
    return WISP_OK;
}

static wisp_status read_segments(capsule_engine *e, base_span data, wisp_report *report)
{
    base_reader r = base_reader_of(data.data, data.size);
    e->segment_count = base_read_leb_u32(&r);
    if (r.failed || e->segment_count == UINT32_MAX) return base_fail(report, WISP_E_INPUT, "data section");
    e->segments = (base_span){r.at, base_left(&r)};
    for (uint32_t i = 0; i < e->segment_count; i++)
        BASE_TRY(skip_active_segment(&r, i, report));
    if (base_left(&r)) return base_fail(report, WISP_E_INPUT, "bytes left over in the data section");
    return WISP_OK;
}

void capsule_put_leb_fixed(base_buffer *b, uint32_t v, unsigned width)
{
    for (unsigned i = 0; i < width; i++, v >>= 7)
        base_put_u8(b, (uint8_t)((v & 0x7f) | (i + 1 < width ? 0x80 : 0)));
}

size_t capsule_data_count(uint8_t out[CAPSULE_DATA_COUNT_MAX], uint32_t segments)
{
    size_t n = 2;
    out[0] = SECTION_DATA_COUNT;
    do {
        out[n++] = (uint8_t)((segments & 0x7f) | (segments > 0x7f ? 0x80 : 0));
    } while (segments >>= 7);
    out[1] = (uint8_t)(n - 2);
    return n;
}

/* The digest of what the reader finds in a capsule: see capsule_engine_digest. */
static void digest_engine(capsule_engine *e)
{
    uint8_t count[CAPSULE_DATA_COUNT_MAX];
    const size_t count_size = capsule_data_count(count, e->segment_count + 1);
    base_sha256 h;
    base_sha256_init(&h);
    for (uint32_t i = 0; i < e->count; i++) {
        const capsule_section *s = &e->sections[i];
        if (s->id == SECTION_CODE) base_sha256_update(&h, count, count_size);
        if (s->id != SECTION_CUSTOM && s->id != SECTION_DATA_COUNT && s->id != SECTION_DATA)
            base_sha256_update(&h, s->whole.data, s->whole.size);
    }
    base_sha256_update(&h, e->segments.data, e->segments.size);
    base_sha256_final(&h, e->sha256);
}

static wisp_status open_engine(capsule_engine *e, wisp_report *report)
{
    bool has_code = false;
    BASE_TRY(capsule_functions_of(&e->functions, e->sections, e->count, report));
    for (uint32_t i = 0; i < e->count; i++) {
        if (e->sections[i].id == SECTION_DATA) BASE_TRY(read_segments(e, e->sections[i].content, report));
        has_code |= e->sections[i].id == SECTION_CODE;
    }
    if (!has_code) return base_fail(report, WISP_E_INPUT, "a module without code");
    digest_engine(e);
    return WISP_OK;
}

wisp_status capsule_engine_open(capsule_engine *e, base_span module, wisp_report *report)
{
    *e = (capsule_engine){.segments = {module.data, 0}};
    wisp_status status = capsule_read_sections(module, &e->sections, &e->count, report);
    if (!status) status = open_engine(e, report);
    if (status) {
        capsule_engine_close(e);
        return base_fail_prefix(report, status, "engine");
    }
    return WISP_OK;
}

void capsule_engine_close(capsule_engine *e)
{
    base_free(e->sections);
    *e = (capsule_engine){0};
}

wisp_status capsule_engine_digest(base_span engine, uint8_t digest[32], wisp_report *report)
{
    capsule_engine e;
    BASE_TRY(capsule_engine_open(&e, engine, report));
    memcpy(digest, e.sha256, sizeof e.sha256);
    capsule_engine_close(&e);
    return WISP_OK;
}
