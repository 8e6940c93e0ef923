/* Reading a capsule: nothing is believed that was not checked against the bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/model.h"
#include "base/sha256.h"
#include "capsule/capsule.h"
#include "capsule/framing.h"
#include "capsule/manifest.h"

typedef struct owned {
    capsule_section *sections;
    capsule_manifest manifest;
    base_span segments[CAPSULE_SEGMENTS_MAX];
    capsule_intrinsic *intrinsics;
    const capsule_tensor **by_name;
} owned;

static wisp_status no_memory(wisp_report *report)
{
    return base_fail(report, WISP_E_MEMORY, "out of memory for the capsule");
}

static size_t file_offset(const capsule *c, const void *p)
{
    return (size_t)((const uint8_t *)p - c->file.data);
}

/* ---- sections against the manifest's list ---- */

static bool all_zero(base_span s)
{
    size_t i = 0;
    while (i < s.size && s.data[i] == 0)
        i++;
    return i == s.size;
}

static wisp_status check_section(const capsule *c, const capsule_section *s, const capsule_entry *e,
                                 wisp_report *report)
{
    size_t at = file_offset(c, s->whole.data);
    const char *label = s->id == SECTION_CUSTOM ? e->name : capsule_section_kind(s->id);
    if (s->id != e->id || (s->id == SECTION_CUSTOM && !capsule_section_is(s, e->name)) ||
        capsule_section_is(s, CAPSULE_SIGNATURE) || capsule_section_is(s, CAPSULE_MANIFEST))
        return base_fail(report, WISP_E_INPUT, "byte %zu: section %s is not the one that the manifest lists here", at,
                         s->id == SECTION_CUSTOM ? "custom" : capsule_section_kind(s->id));
    if (capsule_entry_is_pad(e)) {
        if (s->content.size >= 2 * CAPSULE_ALIGN || !all_zero(s->content))
            return base_fail(report, WISP_E_INPUT, "byte %zu: padding that is not a few zeros", at);
        return WISP_OK;
    }
    if (s->payload.size != e->size)
        return base_fail(report, WISP_E_INPUT, "section %s: %zu bytes, but the manifest says %" PRIu64, label,
                         s->payload.size, e->size);
    if (s->id == SECTION_DATA || capsule_entry_is_weights(e)) return WISP_OK; /* looked at in their own way */
    uint8_t digest[32];
    base_sha256_of(s->payload.data, s->payload.size, digest);
    if (memcmp(digest, e->sha256, sizeof digest) != 0)
        return base_fail(report, WISP_E_INPUT, "section %s: damaged (its digest is not the manifest's)", label);
    return WISP_OK;
}

static wisp_status find_manifest(capsule *c, const capsule_section *s, uint32_t *next, wisp_report *report)
{
    uint32_t i = 0;
    c->signed_bytes = (base_span){c->file.data + 8, c->file.size - 8};
    if (c->section_count && capsule_section_is(&s[0], CAPSULE_SIGNATURE)) {
        c->has_signature = true;
        c->signature = s[0].content;
        size_t end = file_offset(c, s[0].whole.data) + s[0].whole.size;
        c->signed_bytes = (base_span){c->file.data + end, c->file.size - end};
        i = 1;
    }
    if (i >= c->section_count || !capsule_section_is(&s[i], CAPSULE_MANIFEST))
        return base_fail(report, WISP_E_INPUT, "not a capsule: no wisp.manifest at its beginning");
    c->manifest = s[i].content;
    *next = i + 1;
    return WISP_OK;
}

/* `wisp compile` adds these behind everything else; the manifest, made before, does not list them. Their worth is the
 * signature's affair. */
static bool is_native_code(const capsule_section *s)
{
    return s->id == SECTION_CUSTOM && s->name.size > sizeof CAPSULE_NATIVE - 1 &&
           memcmp(s->name.data, CAPSULE_NATIVE, sizeof CAPSULE_NATIVE - 1) == 0;
}

static wisp_status check_sections(capsule *c, owned *o, wisp_report *report)
{
    const capsule_section *s = o->sections;
    uint32_t first = 0;
    BASE_TRY(find_manifest(c, s, &first, report));
    BASE_TRY(capsule_manifest_read(&o->manifest, c->manifest, report));
    uint32_t listed = c->section_count;
    while (listed > first && is_native_code(&s[listed - 1]))
        listed--;
    listed -= first;
    if (o->manifest.entry_count != listed)
        return base_fail(report, WISP_E_INPUT, "%u sections after the manifest, which lists %u", (unsigned)listed,
                         (unsigned)o->manifest.entry_count);
    for (uint32_t i = 0; i < o->manifest.entry_count; i++)
        BASE_TRY(check_section(c, &s[first + i], &o->manifest.entries[i], report));
    return WISP_OK;
}

/* ---- the model data ---- */

static const capsule_section *section_by_id(const capsule *c, uint32_t id)
{
    for (uint32_t i = 0; i < c->section_count; i++)
        if (c->sections[i].id == id) return &c->sections[i];
    return NULL;
}

static wisp_status check_aligned(const capsule *c, base_span s, const char *what, wisp_report *report)
{
    size_t at = file_offset(c, s.data);
    if (at % CAPSULE_ALIGN == 0) return WISP_OK;
    return base_fail(report, WISP_E_INPUT, "%s begins at byte %zu, which is no multiple of %d", what, at,
                     CAPSULE_ALIGN);
}

static wisp_status check_head(base_span model, const capsule_entry *e, wisp_report *report)
{
    uint64_t head_bytes;
    base_model_head head;
    uint8_t digest[32];
    if (model.size < MODEL_HEAD_FIXED || e->head_bytes > model.size)
        return base_fail(report, WISP_E_INPUT, "model data: %zu bytes are too few", model.size);
    base_sha256_of(model.data, (size_t)e->head_bytes, digest);
    if (memcmp(digest, e->head_sha256, sizeof digest) != 0)
        return base_fail(report, WISP_E_INPUT, "model data: damaged head (its digest is not the manifest's)");
    BASE_TRY(base_model_head_size(model.data, model.size, &head_bytes, report));
    if (head_bytes != e->head_bytes)
        return base_fail(report, WISP_E_INPUT, "model data: a head of another size than the manifest's");
    BASE_TRY(base_model_read(&head, model, report));
    if (head.weights_bytes != model.size - head_bytes)
        return base_fail(report, WISP_E_INPUT, "model data: the segment's size is not the one that its head says");
    return WISP_OK;
}

static wisp_status check_data(capsule *c, owned *o, base_span *engine_segments, wisp_report *report)
{
    const capsule_section *data = section_by_id(c, SECTION_DATA), *count = section_by_id(c, SECTION_DATA_COUNT);
    const capsule_entry *e = NULL;
    for (uint32_t i = 0; i < o->manifest.entry_count; i++)
        if (o->manifest.entries[i].id == SECTION_DATA) e = &o->manifest.entries[i];
    if (!data || !count || !e) return base_fail(report, WISP_E_INPUT, "no data section, or no data count");
    base_reader counts = base_reader_of(count->content.data, count->content.size);
    base_reader r = base_reader_of(data->content.data, data->content.size);
    uint32_t segments = base_read_leb_u32(&r), flag = base_read_leb_u32(&r);
    base_span model = base_read_span(&r, base_read_leb_u32(&r));
    if (r.failed || flag != 1 || segments != base_read_leb_u32(&counts) || counts.failed ||
        model.size != e->model_bytes)
        return base_fail(report, WISP_E_INPUT, "the first data segment is not the model that the manifest lists");
    BASE_TRY(check_aligned(c, model, "the model data", report));
    BASE_TRY(check_head(model, e, report));
    uint8_t digest[32];
    *engine_segments = (base_span){r.at, base_left(&r)};
    base_sha256_of(engine_segments->data, engine_segments->size, digest);
    if (memcmp(digest, e->segments_sha256, sizeof digest) != 0)
        return base_fail(report, WISP_E_INPUT, "the engine's data: damaged (its digest is not the manifest's)");
    o->segments[0] = model;
    c->segment_count = 1;
    return WISP_OK;
}

/* wisp.weights.1, .2, … in this order, nothing between the numbers. */
static wisp_status find_overflow(capsule *c, owned *o, wisp_report *report)
{
    for (uint32_t i = 0; i < c->section_count; i++) {
        const capsule_section *s = &o->sections[i];
        if (s->id != SECTION_CUSTOM || s->name.size < sizeof CAPSULE_WEIGHTS - 1 ||
            memcmp(s->name.data, CAPSULE_WEIGHTS, sizeof CAPSULE_WEIGHTS - 1) != 0)
            continue;
        char expected[MANIFEST_NAME_MAX];
        snprintf(expected, sizeof expected, CAPSULE_WEIGHTS "%u", (unsigned)c->segment_count);
        if (!capsule_section_is(s, expected) || c->segment_count == CAPSULE_SEGMENTS_MAX)
            return base_fail(report, WISP_E_INPUT, "byte %zu: section %s expected here", file_offset(c, s->whole.data),
                             expected);
        BASE_TRY(check_aligned(c, s->content, expected, report));
        o->segments[c->segment_count++] = s->content;
    }
    return WISP_OK;
}

static wisp_status check_engine(capsule *c, owned *o, base_span engine_segments, wisp_report *report)
{
    base_sha256 h;
    base_sha256_init(&h);
    for (uint32_t i = 0; i < c->section_count; i++)
        if (o->sections[i].id != SECTION_CUSTOM && o->sections[i].id != SECTION_DATA)
            base_sha256_update(&h, o->sections[i].whole.data, o->sections[i].whole.size);
    base_sha256_update(&h, engine_segments.data, engine_segments.size);
    base_sha256_final(&h, c->engine_sha256);
    if (memcmp(c->engine_sha256, o->manifest.engine_sha256, sizeof c->engine_sha256) != 0)
        return base_fail(report, WISP_E_INPUT, "the engine's digest is not the one that the manifest names");
    return WISP_OK;
}

static wisp_status find_parts(capsule *c, owned *o, wisp_report *report)
{
    bool seen = false, seen_gguf = false;
    for (uint32_t i = 0; i < c->section_count; i++) {
        const capsule_section *s = &o->sections[i];
        bool gguf = capsule_section_is(s, CAPSULE_GGUF), intrinsics = capsule_section_is(s, CAPSULE_INTRINSICS);
        if ((gguf && seen_gguf) || (intrinsics && seen))
            return base_fail(report, WISP_E_INPUT, "byte %zu: a second section of this name",
                             file_offset(c, s->whole.data));
        if (gguf) c->gguf = s->content;
        if (intrinsics) c->intrinsics = s->content;
        seen |= intrinsics;
        seen_gguf |= gguf;
    }
    if (!seen) return base_fail(report, WISP_E_INPUT, "no section wisp.intrinsics");
    capsule_functions functions;
    BASE_TRY(capsule_functions_of(&functions, o->sections, c->section_count, report));
    return capsule_intrinsics_read(&o->intrinsics, &c->intrinsic_count, c->intrinsics, &functions, report);
}

/* ---- the tensor directory ---- */

static int compare_tensor_names(const void *a, const void *b)
{
    return strcmp((*(const capsule_tensor *const *)a)->name, (*(const capsule_tensor *const *)b)->name);
}

static wisp_status index_tensors(const capsule *c, owned *o, wisp_report *report)
{
    o->by_name = base_calloc(c->tensor_count, sizeof *o->by_name);
    if (!o->by_name) return no_memory(report);
    for (uint32_t i = 0; i < c->tensor_count; i++)
        o->by_name[i] = &c->tensors[i];
    qsort(o->by_name, c->tensor_count, sizeof *o->by_name, compare_tensor_names);
    for (uint32_t i = 1; i < c->tensor_count; i++)
        if (strcmp(o->by_name[i - 1]->name, o->by_name[i]->name) == 0)
            return base_fail(report, WISP_E_INPUT, "tensor '%.80s' is listed twice", o->by_name[i]->name);
    return WISP_OK;
}

static wisp_status check_tensors(const capsule *c, owned *o, wisp_report *report)
{
    uint32_t segment = 0;
    base_model_head head;
    BASE_TRY(base_model_read(&head, c->segments[0], report));
    uint64_t end = head.head_bytes;
    for (uint32_t i = 0; i < c->tensor_count; i++) {
        const capsule_tensor *t = &c->tensors[i];
        if (t->segment >= c->segment_count)
            return base_fail(report, WISP_E_INPUT, "tensor '%.80s': there is no segment %u", t->name,
                             (unsigned)t->segment);
        uint64_t size = c->segments[t->segment].size;
        if (t->size == 0 || t->offset > size || t->size > size - t->offset)
            return base_fail(report, WISP_E_INPUT,
                             "tensor '%.80s': %" PRIu64 " bytes at offset %" PRIu64 " go past the segment's end",
                             t->name, t->size, t->offset);
        if (t->offset % CAPSULE_TENSOR_ALIGN)
            return base_fail(report, WISP_E_INPUT, "tensor '%.80s': offset %" PRIu64 " is no multiple of %d", t->name,
                             t->offset, CAPSULE_TENSOR_ALIGN);
        if (t->segment < segment || (t->segment == segment && t->offset < end))
            return base_fail(report, WISP_E_INPUT, "tensor '%.80s': overlaps what comes before it", t->name);
        segment = t->segment;
        end = t->offset + t->size;
    }
    return index_tensors(c, o, report);
}

/* ---- opening ---- */

static wisp_status open_parts(capsule *c, owned *o, wisp_report *report)
{
    base_span engine_segments = {0};
    BASE_TRY(capsule_read_sections(c->file, &o->sections, &c->section_count, report));
    c->sections = o->sections;
    BASE_TRY(check_sections(c, o, report));
    c->segments = o->segments;
    BASE_TRY(check_data(c, o, &engine_segments, report));
    BASE_TRY(find_overflow(c, o, report));
    BASE_TRY(check_engine(c, o, engine_segments, report));
    BASE_TRY(find_parts(c, o, report));
    c->json = o->manifest.root;
    c->info = o->manifest.info;
    c->tensors = o->manifest.tensors;
    c->tensor_count = o->manifest.tensor_count;
    c->intrinsic = o->intrinsics;
    return check_tensors(c, o, report);
}

wisp_status capsule_open(capsule *c, base_span file, wisp_report *report)
{
    *c = (capsule){.file = file};
    owned *o = base_calloc(1, sizeof *o);
    if (!o) return no_memory(report);
    c->owned = o;
    wisp_status status = open_parts(c, o, report);
    if (status) capsule_close(c);
    return status;
}

void capsule_close(capsule *c)
{
    owned *o = c->owned;
    if (o) {
        base_free(o->sections);
        base_free(o->intrinsics);
        base_free(o->by_name);
        capsule_manifest_fini(&o->manifest);
        base_free(o);
    }
    *c = (capsule){0};
}

bool capsule_probe(base_span head)
{
    base_reader r = base_reader_of(head.data, head.size);
    base_span magic = base_read_span(&r, 8);
    if (!magic.data || memcmp(magic.data, "\0asm\1\0\0", 8) != 0) return false;
    for (int i = 0; i < 2; i++) { /* the manifest, or a signature and the manifest */
        uint8_t id = base_read_u8(&r);
        uint32_t size = base_read_leb_u32(&r);
        size_t start = base_offset(&r);
        base_span name = base_read_span(&r, base_read_leb_u32(&r));
        if (r.failed || id != SECTION_CUSTOM) return false;
        if (name.size == sizeof CAPSULE_MANIFEST - 1 && memcmp(name.data, CAPSULE_MANIFEST, name.size) == 0)
            return true;
        size_t done = base_offset(&r) - start;
        if (size < done || !base_skip(&r, size - done)) return false;
    }
    return false;
}

/* ---- weights ---- */

typedef struct verifier {
    const capsule *c;
    capsule_progress progress;
    void *context;
    uint64_t done, total;
} verifier;

static wisp_status verify_tensor(verifier *v, const capsule_tensor *t, wisp_report *report)
{
    base_span bytes = capsule_tensor_bytes(v->c, t);
    base_sha256 h;
    uint8_t digest[32];
    base_sha256_init(&h);
    for (size_t at = 0, n; at < bytes.size; at += n) {
        n = bytes.size - at < 4u << 20 ? bytes.size - at : 4u << 20;
        base_sha256_update(&h, bytes.data + at, n);
        v->done += n;
        if (v->progress && !v->progress(v->context, v->done, v->total))
            return base_fail(report, WISP_E_CANCELLED, "cancelled");
    }
    base_sha256_final(&h, digest);
    if (memcmp(digest, t->sha256, sizeof digest) != 0)
        return base_fail(report, WISP_E_INPUT, "tensor '%.80s': damaged (its digest is not the manifest's)", t->name);
    return WISP_OK;
}

wisp_status capsule_verify_weights(const capsule *c, capsule_progress progress, void *context, wisp_report *report)
{
    verifier v = {.c = c, .progress = progress, .context = context};
    base_model_head head;
    BASE_TRY(base_model_read(&head, c->segments[0], report));
    for (uint32_t i = 0; i < c->tensor_count; i++)
        v.total += c->tensors[i].size;
    uint32_t next = 0;
    for (uint32_t s = 0; s < c->segment_count; s++) {
        base_span segment = c->segments[s];
        uint64_t end = s == 0 ? head.head_bytes : 0;
        for (; next < c->tensor_count && c->tensors[next].segment == s; next++) {
            const capsule_tensor *t = &c->tensors[next];
            if (!all_zero((base_span){segment.data + end, (size_t)(t->offset - end)}))
                return base_fail(report, WISP_E_INPUT, "before tensor '%.80s': padding that is not zero", t->name);
            BASE_TRY(verify_tensor(&v, t, report));
            end = t->offset + t->size;
        }
        if (!all_zero((base_span){segment.data + end, (size_t)(segment.size - end)}))
            return base_fail(report, WISP_E_INPUT, "segment %u: bytes after its last tensor", (unsigned)s);
    }
    return WISP_OK;
}

const capsule_tensor *capsule_find_tensor(const capsule *c, const char *name)
{
    const owned *o = c->owned;
    const capsule_tensor wanted = {.name = name}, *key = &wanted;
    const capsule_tensor **found = bsearch(&key, o->by_name, c->tensor_count, sizeof *o->by_name, compare_tensor_names);
    return found ? *found : NULL;
}

base_span capsule_tensor_bytes(const capsule *c, const capsule_tensor *t)
{
    return (base_span){c->segments[t->segment].data + t->offset, (size_t)t->size};
}

const capsule_section *capsule_find_section(const capsule *c, const char *name)
{
    for (uint32_t i = 0; i < c->section_count; i++)
        if (capsule_section_is(&c->sections[i], name)) return &c->sections[i];
    return NULL;
}
