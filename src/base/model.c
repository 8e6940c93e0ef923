#include "base/model.h"

#include <string.h>

static const char magic[8] = "WISPMODL";
enum { SECTION_ENTRY = 24, SECTION_ALIGN = 64, HEAD_MAX = 1 << 30 };

static wisp_status read_fixed(base_reader *r, uint32_t *sections, uint64_t *head, uint64_t *weights,
                              wisp_report *report)
{
    base_span m = base_read_span(r, sizeof magic);
    uint32_t version = base_read_u32(r);
    *sections = base_read_u32(r);
    *head = base_read_u64(r);
    *weights = base_read_u64(r);
    if (r->failed) return base_fail(report, WISP_E_TRUNCATED, "model data: the head ends too early");
    if (memcmp(m.data, magic, sizeof magic) != 0) return base_fail(report, WISP_E_INPUT, "model data: wrong magic");
    if (version != MODEL_VERSION)
        return base_fail(report, WISP_E_UNSUPPORTED, "model data: version %u, this engine knows %d", (unsigned)version,
                         MODEL_VERSION);
    if (*head % MODEL_ALIGN || *head == 0 || *head > HEAD_MAX)
        return base_fail(report, WISP_E_INPUT, "model data: impossible head size");
    if (*sections > MODEL_SECTIONS_MAX) return base_fail(report, WISP_E_INPUT, "model data: too many sections");
    return WISP_OK;
}

wisp_status base_model_head_size(const void *first32, uint64_t segment_size, uint64_t *head_bytes, wisp_report *report)
{
    base_reader r = base_reader_of(first32, MODEL_HEAD_FIXED);
    uint32_t sections;
    uint64_t weights;
    BASE_TRY(read_fixed(&r, &sections, head_bytes, &weights, report));
    if (*head_bytes > segment_size || weights > segment_size - *head_bytes)
        return base_fail(report, WISP_E_TRUNCATED, "model data: the segment is shorter than its head says");
    return WISP_OK;
}

wisp_status base_model_read(base_model_head *head, base_span bytes, wisp_report *report)
{
    base_reader r = base_reader_of(bytes.data, bytes.size);
    uint32_t count;
    memset(head, 0, sizeof *head);
    BASE_TRY(read_fixed(&r, &count, &head->head_bytes, &head->weights_bytes, report));
    if (bytes.size < head->head_bytes) return base_fail(report, WISP_E_TRUNCATED, "model data: the head is cut off");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t kind = base_read_u32(&r), zero = base_read_u32(&r);
        uint64_t offset = base_read_u64(&r), size = base_read_u64(&r);
        if (r.failed || zero || kind == 0 || kind >= MODEL_SECTIONS_MAX || head->section[kind].data)
            return base_fail(report, WISP_E_INPUT, "model data: section entry %u is wrong", (unsigned)i);
        if (offset % SECTION_ALIGN || offset > head->head_bytes || size > head->head_bytes - offset)
            return base_fail(report, WISP_E_INPUT, "model data: section %u lies outside the head", (unsigned)kind);
        head->section[kind] = (base_span){bytes.data + offset, (size_t)size};
    }
    return WISP_OK;
}

void base_model_write(base_buffer *out, const base_span section[MODEL_SECTIONS_MAX], uint64_t weights_bytes)
{
    uint32_t count = 0;
    for (int kind = 1; kind < MODEL_SECTIONS_MAX; kind++)
        count += section[kind].data != NULL;
    uint64_t offset = MODEL_HEAD_FIXED + (uint64_t)count * SECTION_ENTRY, at[MODEL_SECTIONS_MAX];
    for (int kind = 1; kind < MODEL_SECTIONS_MAX; kind++) {
        if (!section[kind].data) continue;
        at[kind] = (offset + SECTION_ALIGN - 1) / SECTION_ALIGN * SECTION_ALIGN;
        offset = at[kind] + section[kind].size;
    }
    base_put(out, magic, sizeof magic);
    base_put_u32(out, MODEL_VERSION);
    base_put_u32(out, count);
    base_put_u64(out, (offset + MODEL_ALIGN - 1) / MODEL_ALIGN * MODEL_ALIGN);
    base_put_u64(out, weights_bytes);
    for (uint32_t kind = 1; kind < MODEL_SECTIONS_MAX; kind++) {
        if (!section[kind].data) continue;
        base_put_u32(out, kind);
        base_put_u32(out, 0);
        base_put_u64(out, at[kind]);
        base_put_u64(out, section[kind].size);
    }
    for (int kind = 1; kind < MODEL_SECTIONS_MAX; kind++) {
        if (!section[kind].data) continue;
        base_put_align(out, SECTION_ALIGN);
        base_put(out, section[kind].data, section[kind].size);
    }
    base_put_align(out, MODEL_ALIGN);
}
