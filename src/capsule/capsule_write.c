/* Writing a capsule: everything up to the first weight at once, then the weights as they come. What is known only after
 * the last byte, digests, has a fixed length, so the manifest is written twice over the same place. */
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

enum { MAGIC_BYTES = 8, NAME_SECTION_MAX = 256 << 10, LEB_WIDTH = 5, ENTRIES_EXTRA = 16 };
#define SECTION_MAX UINT64_C(0xffffffff)
static const uint8_t zeros[CAPSULE_ALIGN];

struct capsule_writer {
    capsule_plan *plan;
    capsule_sink sink;
    capsule_engine engine;
    base_buffer intrinsics;
    capsule_manifest manifest;
    uint64_t manifest_at; /* file offset of its text */
    size_t manifest_size;
    uint64_t offset; /* in the file */
    uint64_t segment_bytes[CAPSULE_SEGMENTS_MAX];
    uint32_t segment_count, segment; /* segment being written, and */
    uint64_t segment_at;             /* where in it */
    uint32_t tensor;                 /* tensor being written, and */
    uint64_t tensor_at;
    base_sha256 hash; /* of it */
};

/* ---- placing ---- */

wisp_status capsule_place(capsule_tensor *tensors, uint32_t count, uint64_t head_bytes, uint64_t limit,
                          uint32_t *segment_count, wisp_report *report)
{
    const uint64_t most = SECTION_MAX - (64 << 20); /* room for the engine's own segments */
    if (limit == 0 || limit > most) limit = most;
    uint64_t at = head_bytes;
    uint32_t segment = 0;
    for (uint32_t i = 0; i < count; i++) {
        capsule_tensor *t = &tensors[i];
        uint64_t start = (at + CAPSULE_TENSOR_ALIGN - 1) / CAPSULE_TENSOR_ALIGN * CAPSULE_TENSOR_ALIGN;
        if (t->size > most)
            return base_fail(report, WISP_E_LIMIT, "tensor '%.80s': %" PRIu64 " bytes, more than a section holds",
                             t->name, t->size);
        bool fits = start <= limit && t->size <= limit - start;
        if (!fits && start > 0) { /* an empty overflow section takes any tensor */
            if (++segment == CAPSULE_SEGMENTS_MAX)
                return base_fail(report, WISP_E_LIMIT, "more than %d sections of weights", CAPSULE_SEGMENTS_MAX);
            start = 0;
        }
        t->segment = segment;
        t->offset = start;
        at = start + t->size;
    }
    *segment_count = segment + 1;
    return WISP_OK;
}

/* ---- output ---- */

static wisp_status append(capsule_writer *w, const void *data, size_t size, wisp_report *report)
{
    if (size == 0) return WISP_OK;
    BASE_TRY(w->sink.write(w->sink.self, data, size, report));
    w->offset += size;
    return WISP_OK;
}

static wisp_status append_buffer(capsule_writer *w, base_buffer *b, wisp_report *report)
{
    wisp_status status = b->failed ? base_fail(report, WISP_E_MEMORY, "out of memory for the capsule")
                                   : append(w, b->data, b->size, report);
    base_buffer_fini(b);
    return status;
}

static uint64_t payload_size(const char *name, uint64_t content)
{
    return 1 + strlen(name) + content;
}

static void put_custom_head(base_buffer *b, const char *name, uint64_t content)
{
    base_put_u8(b, SECTION_CUSTOM);
    capsule_put_leb_fixed(b, (uint32_t)payload_size(name, content), LEB_WIDTH);
    base_put_u8(b, (uint8_t)strlen(name));
    base_put_text(b, name);
}

/* Padding so that what begins `ahead` bytes after it lies at a multiple of CAPSULE_ALIGN. Its own head has a fixed
 * width: signing will write another number of zeros. */
static void put_pad(base_buffer *b, uint64_t file_offset, uint64_t ahead)
{
    uint64_t end = file_offset + b->size + 1 + LEB_WIDTH + payload_size(CAPSULE_PAD, 0) + ahead;
    uint64_t fill = (CAPSULE_ALIGN - end % CAPSULE_ALIGN) % CAPSULE_ALIGN;
    put_custom_head(b, CAPSULE_PAD, fill);
    base_put_zeros(b, fill);
}

/* ---- the manifest's list of sections ---- */

static capsule_entry *add_entry(capsule_writer *w, uint32_t id, const char *name)
{
    capsule_entry *e = &w->manifest.entries[w->manifest.entry_count++];
    *e = (capsule_entry){.id = id};
    if (name) memcpy(e->name, name, strlen(name) + 1); /* only names of this file and wisp.weights.N */
    return e;
}

/* A custom section of ours whose content is at hand. */
static void add_custom_entry(capsule_writer *w, const char *name, base_span content)
{
    capsule_entry *e = add_entry(w, SECTION_CUSTOM, name);
    e->size = payload_size(name, content.size);
    base_sha256 h;
    base_sha256_init(&h);
    uint8_t length = (uint8_t)strlen(name);
    base_sha256_update(&h, &length, 1);
    base_sha256_update(&h, name, length);
    base_sha256_update(&h, content.data, content.size);
    base_sha256_final(&h, e->sha256);
}

static bool is_code_part(const capsule_section *s)
{
    return s->id != SECTION_CUSTOM && s->id != SECTION_DATA && s->id != SECTION_DATA_COUNT;
}

static const capsule_section *name_section(const capsule_engine *e)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (capsule_section_is(&e->sections[i], "name") && e->sections[i].whole.size <= NAME_SECTION_MAX)
            return &e->sections[i];
    return NULL;
}

static void add_payload_entry(capsule_writer *w, uint32_t id, const uint8_t *payload, size_t size)
{
    capsule_entry *e = add_entry(w, id, NULL);
    e->size = size;
    base_sha256_of(payload, size, e->sha256);
}

static void add_data_entry(capsule_writer *w, uint64_t data_size)
{
    const capsule_plan *plan = w->plan;
    capsule_entry *e = add_entry(w, SECTION_DATA, NULL);
    e->size = data_size;
    e->model_bytes = w->segment_bytes[0];
    e->head_bytes = plan->head.size;
    base_sha256_of(plan->head.data, plan->head.size, e->head_sha256);
    base_sha256_of(w->engine.segments.data, w->engine.segments.size, e->segments_sha256);
}

/* Bytes of the data section before the model's: count, flag, size. */
static uint64_t data_lead(const capsule_writer *w)
{
    return capsule_leb_size(w->engine.segment_count + 1) + 1 + LEB_WIDTH;
}

static wisp_status list_sections(capsule_writer *w, wisp_report *report)
{
    const capsule_engine *e = &w->engine;
    w->manifest.entries = base_calloc(e->count + 2 * w->segment_count + ENTRIES_EXTRA, sizeof *w->manifest.entries);
    if (!w->manifest.entries) return base_fail(report, WISP_E_MEMORY, "out of memory for the manifest");
    uint8_t count[CAPSULE_DATA_COUNT_MAX];
    const size_t count_size = capsule_data_count(count, e->segment_count + 1);
    for (uint32_t i = 0; i < e->count; i++) {
        const capsule_section *s = &e->sections[i];
        if (s->id == SECTION_CODE) add_payload_entry(w, SECTION_DATA_COUNT, count + 2, count_size - 2);
        if (is_code_part(s)) add_payload_entry(w, s->id, s->content.data, s->content.size);
    }
    add_custom_entry(w, CAPSULE_INTRINSICS, (base_span){w->intrinsics.data, w->intrinsics.size});
    if (w->plan->gguf.size) add_custom_entry(w, CAPSULE_GGUF, w->plan->gguf);
    if (name_section(e)) add_custom_entry(w, "name", name_section(e)->content);
    add_entry(w, SECTION_CUSTOM, CAPSULE_PAD);
    uint64_t data_size = data_lead(w) + w->segment_bytes[0] + e->segments.size;
    if (data_size > SECTION_MAX)
        return base_fail(report, WISP_E_LIMIT, "a data section of %" PRIu64 " bytes", data_size);
    add_data_entry(w, data_size);
    for (uint32_t i = 1; i < w->segment_count; i++) {
        char name[MANIFEST_NAME_MAX];
        snprintf(name, sizeof name, CAPSULE_WEIGHTS "%u", (unsigned)i);
        add_entry(w, SECTION_CUSTOM, CAPSULE_PAD);
        add_entry(w, SECTION_CUSTOM, name)->size = payload_size(name, w->segment_bytes[i]);
    }
    return WISP_OK;
}

/* ---- the file up to the weights ---- */

static wisp_status put_manifest(capsule_writer *w, base_buffer *b, wisp_report *report)
{
    base_buffer text = {0};
    capsule_manifest_write(&text, &w->manifest);
    wisp_status status = WISP_OK;
    if (text.failed)
        status = base_fail(report, WISP_E_MEMORY, "out of memory for the manifest");
    else if (text.size > MANIFEST_BYTES_MAX)
        status = base_fail(report, WISP_E_LIMIT, "a manifest of %zu bytes", text.size);
    if (!status) {
        put_custom_head(b, CAPSULE_MANIFEST, text.size);
        w->manifest_at = w->offset + b->size;
        w->manifest_size = text.size;
        base_put(b, text.data, text.size);
    }
    base_buffer_fini(&text);
    return status;
}

static void put_custom(base_buffer *b, const char *name, base_span content)
{
    put_custom_head(b, name, content.size);
    base_put(b, content.data, content.size);
}

static void put_engine(capsule_writer *w, base_buffer *b)
{
    uint8_t count[CAPSULE_DATA_COUNT_MAX];
    const size_t count_size = capsule_data_count(count, w->engine.segment_count + 1);
    for (uint32_t i = 0; i < w->engine.count; i++) {
        const capsule_section *s = &w->engine.sections[i];
        if (s->id == SECTION_CODE) base_put(b, count, count_size);
        if (is_code_part(s)) base_put(b, s->whole.data, s->whole.size);
    }
}

static wisp_status write_front(capsule_writer *w, wisp_report *report)
{
    const capsule_plan *plan = w->plan;
    base_buffer b = {0};
    base_put(&b, "\0asm\1\0\0", MAGIC_BYTES);
    wisp_status status = put_manifest(w, &b, report);
    if (status) {
        base_buffer_fini(&b);
        return status;
    }
    put_engine(w, &b);
    put_custom(&b, CAPSULE_INTRINSICS, (base_span){w->intrinsics.data, w->intrinsics.size});
    if (plan->gguf.size) put_custom(&b, CAPSULE_GGUF, plan->gguf);
    if (name_section(&w->engine)) put_custom(&b, "name", name_section(&w->engine)->content);
    put_pad(&b, w->offset, 1 + LEB_WIDTH + data_lead(w));
    base_put_u8(&b, SECTION_DATA);
    capsule_put_leb_fixed(&b, (uint32_t)(data_lead(w) + w->segment_bytes[0] + w->engine.segments.size), LEB_WIDTH);
    base_put_leb_u32(&b, w->engine.segment_count + 1);
    base_put_u8(&b, 1); /* passive */
    capsule_put_leb_fixed(&b, (uint32_t)w->segment_bytes[0], LEB_WIDTH);
    base_put(&b, plan->head.data, plan->head.size);
    w->segment_at = plan->head.size;
    return append_buffer(w, &b, report);
}

/* Takes the placement from the plan and refuses one that capsule_place did not make. */
static wisp_status measure_segments(capsule_writer *w, wisp_report *report)
{
    const capsule_plan *plan = w->plan;
    w->segment_bytes[0] = plan->head.size;
    w->segment_count = 1;
    for (uint32_t i = 0; i < plan->tensor_count; i++) {
        const capsule_tensor *t = &plan->tensors[i];
        bool next = t->segment == w->segment_count && t->segment < CAPSULE_SEGMENTS_MAX && t->offset == 0;
        if (next) w->segment_count++;
        if (t->segment + 1 != w->segment_count || t->offset < w->segment_bytes[t->segment] ||
            t->offset - w->segment_bytes[t->segment] >= CAPSULE_TENSOR_ALIGN || t->offset % CAPSULE_TENSOR_ALIGN ||
            t->size == 0 || t->size > SECTION_MAX - t->offset)
            return base_fail(report, WISP_E_USAGE, "tensor '%.80s' is not placed", t->name);
        w->segment_bytes[t->segment] = t->offset + t->size;
    }
    return WISP_OK;
}

static wisp_status begin(capsule_writer *w, wisp_report *report)
{
    BASE_TRY(measure_segments(w, report));
    BASE_TRY(capsule_engine_open(&w->engine, w->plan->engine, report));
    BASE_TRY(capsule_intrinsics_write(&w->intrinsics, &w->engine.functions, report));
    w->manifest.info = w->plan->info;
    memcpy(w->manifest.engine_sha256, w->engine.sha256, 32);
    w->manifest.tensors = w->plan->tensors;
    w->manifest.tensor_count = w->plan->tensor_count;
    BASE_TRY(list_sections(w, report));
    return write_front(w, report);
}

wisp_status capsule_writer_begin(capsule_writer **writer, capsule_plan *plan, const capsule_sink *sink,
                                 wisp_report *report)
{
    *writer = NULL;
    capsule_writer *w = base_calloc(1, sizeof *w);
    if (!w) return base_fail(report, WISP_E_MEMORY, "out of memory for the capsule");
    w->plan = plan;
    w->sink = *sink;
    wisp_status status = begin(w, report);
    if (status) {
        capsule_writer_free(w);
        return status;
    }
    *writer = w;
    return WISP_OK;
}

void capsule_writer_free(capsule_writer *w)
{
    if (!w) return;
    capsule_engine_close(&w->engine);
    base_buffer_fini(&w->intrinsics);
    base_free(w->manifest.entries);
    base_free(w);
}

/* ---- the weights ---- */

/* Ends the segment being written and begins the next one. */
static wisp_status next_segment(capsule_writer *w, wisp_report *report)
{
    if (w->segment == 0) BASE_TRY(append(w, w->engine.segments.data, w->engine.segments.size, report));
    if (++w->segment == w->segment_count) return WISP_OK;
    char name[MANIFEST_NAME_MAX];
    snprintf(name, sizeof name, CAPSULE_WEIGHTS "%u", (unsigned)w->segment);
    base_buffer b = {0};
    put_pad(&b, w->offset, 1 + LEB_WIDTH + payload_size(name, 0));
    put_custom_head(&b, name, w->segment_bytes[w->segment]);
    w->segment_at = 0;
    return append_buffer(w, &b, report);
}

static wisp_status begin_tensor(capsule_writer *w, const capsule_tensor *t, wisp_report *report)
{
    if (t->segment != w->segment) BASE_TRY(next_segment(w, report));
    BASE_ASSERT(t->offset - w->segment_at < sizeof zeros);
    BASE_TRY(append(w, zeros, (size_t)(t->offset - w->segment_at), report));
    w->segment_at = t->offset;
    base_sha256_init(&w->hash);
    return WISP_OK;
}

wisp_status capsule_writer_put(capsule_writer *w, const void *data, size_t size, wisp_report *report)
{
    for (const uint8_t *p = data; size;) {
        if (w->tensor == w->plan->tensor_count)
            return base_fail(report, WISP_E_USAGE, "more weights than the capsule has tensors for");
        capsule_tensor *t = &w->plan->tensors[w->tensor];
        if (w->tensor_at == 0) BASE_TRY(begin_tensor(w, t, report));
        size_t n = size < t->size - w->tensor_at ? size : (size_t)(t->size - w->tensor_at);
        if (!w->plan->digests_given) base_sha256_update(&w->hash, p, n);
        BASE_TRY(append(w, p, n, report));
        p += n;
        size -= n;
        w->tensor_at += n;
        w->segment_at += n;
        if (w->tensor_at < t->size) continue;
        if (!w->plan->digests_given) base_sha256_final(&w->hash, t->sha256);
        w->tensor++;
        w->tensor_at = 0;
    }
    return WISP_OK;
}

wisp_status capsule_writer_end(capsule_writer *w, const uint8_t source_sha256[32], wisp_report *report)
{
    if (w->tensor != w->plan->tensor_count || w->tensor_at)
        return base_fail(report, WISP_E_USAGE, "fewer weights than the capsule has tensors for");
    BASE_TRY(next_segment(w, report));
    memcpy(w->manifest.info.source_sha256, source_sha256, 32);
    base_buffer text = {0};
    capsule_manifest_write(&text, &w->manifest);
    wisp_status status;
    if (text.failed) {
        status = base_fail(report, WISP_E_MEMORY, "out of memory for the manifest");
    } else {
        BASE_ASSERT(text.size == w->manifest_size);
        status = w->sink.write_at(w->sink.self, w->manifest_at, text.data, text.size, report);
    }
    base_buffer_fini(&text);
    return status;
}
