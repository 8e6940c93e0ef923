/* Capsule -> GGUF: the metadata as they were, every tensor back in its source's layout, zeros in between. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/model.h"
#include "base/sha256.h"
#include "compile/compile.h"
#include "compile/gguf.h"
#include "os/os.h"
#include "tensor/layout.h"
#include "tensor/program.h"

typedef struct unpacking {
    const capsule *c;
    os_output *out;
    base_sha256 hash;
    uint64_t at;
    capsule_progress progress;
    void *progress_context;
} unpacking;

static wisp_status put(unpacking *u, const void *data, size_t size, wisp_report *report)
{
    base_sha256_update(&u->hash, data, size);
    u->at += size;
    return os_output_write(u->out, data, size, report);
}

static wisp_status put_zeros(unpacking *u, uint64_t end, wisp_report *report)
{
    static const uint8_t zeros[4096];
    while (u->at < end)
        BASE_TRY(put(u, zeros, end - u->at < sizeof zeros ? (size_t)(end - u->at) : sizeof zeros, report));
    return WISP_OK;
}

/* The layout by its name; only what the source's type may have been made into. */
static wisp_status check_layout(const capsule_tensor *t, const compile_gguf_tensor *source, uint32_t *layout,
                                wisp_report *report)
{
    const compile_gguf_type *type = compile_gguf_type_find(source->type);
    const tensor_type_info *info = tensor_type_find(source->type);
    uint64_t rows = source->elements / source->shape[0], size = source->size;
    if (strcmp(t->layout, type->name) == 0) {
        *layout = source->type;
    } else {
        const tensor_type_info *packed = info && info->packed ? tensor_type_find(info->packed) : NULL;
        if (!packed || strcmp(t->layout, packed->name) != 0 ||
            !tensor_matrix_bytes(packed->type, rows, source->shape[0], &size))
            return base_fail(report, WISP_E_UNSUPPORTED, "tensor '%.80s': %s cannot be laid out as '%.40s'", t->name,
                             type->name, t->layout);
        *layout = packed->type;
    }
    if (t->dims != source->dims || memcmp(t->shape, source->shape, sizeof t->shape) != 0 || t->size != size ||
        strcmp(t->type, type->name) != 0 || t->generated)
        return base_fail(report, WISP_E_INPUT, "tensor '%.80s': the manifest and wisp.gguf disagree", t->name);
    return WISP_OK;
}

static wisp_status put_packed(unpacking *u, const compile_gguf_tensor *source, uint32_t layout, base_span bytes,
                              wisp_report *report)
{
    const uint64_t cols = source->shape[0], rows = source->elements / cols, group = tensor_group_bytes(layout, cols);
    const size_t row_bytes = (size_t)(source->size / rows);
    uint8_t *buffer = base_alloc_aligned(64, TENSOR_ROW_GROUP * row_bytes);
    if (!buffer) return base_fail(report, WISP_E_MEMORY, "tensor '%s': out of memory", source->text);
    wisp_status status = WISP_OK;
    for (uint64_t row = 0; row < rows && !status; row += TENSOR_ROW_GROUP) {
        uint32_t count = rows - row < TENSOR_ROW_GROUP ? (uint32_t)(rows - row) : TENSOR_ROW_GROUP;
        tensor_unpack_group(layout, bytes.data + row / TENSOR_ROW_GROUP * group, count, cols, buffer);
        status = put(u, buffer, count * row_bytes, report);
    }
    base_free(buffer);
    return status;
}

static wisp_status put_tensor(unpacking *u, const compile_gguf_tensor *source, wisp_report *report)
{
    const capsule_tensor *t = capsule_find_tensor(u->c, source->text);
    uint32_t layout = 0;
    uint8_t digest[32];
    if (!t) return base_fail(report, WISP_E_INPUT, "tensor '%s' is not in the capsule", source->text);
    BASE_TRY(check_layout(t, source, &layout, report));
    base_span bytes = capsule_tensor_bytes(u->c, t);
    base_sha256_of(bytes.data, bytes.size, digest);
    if (memcmp(digest, t->sha256, sizeof digest) != 0)
        return base_fail(report, WISP_E_INPUT, "tensor '%s': damaged (its digest is not the manifest's)", t->name);
    BASE_TRY(put_zeros(u, source->offset, report));
    if (layout == source->type) return put(u, bytes.data, bytes.size, report);
    return put_packed(u, source, layout, bytes, report);
}

static int compare_sources(const void *a, const void *b)
{
    const compile_gguf_tensor *s = *(const compile_gguf_tensor *const *)a, *t = *(const compile_gguf_tensor *const *)b;
    return (s->offset > t->offset) - (s->offset < t->offset);
}

/* No tensor may lie farther than gaps of less than the alignment, or the size of the file that was packed, explain: the
 * gaps are written as zeros. (A model quantized while it was packed never was a file.) */
static wisp_status check_places(const capsule *c, const compile_gguf *g, wisp_report *report)
{
    uint64_t end = g->data_start;
    for (uint64_t i = 0; i < g->tensor_count; i++)
        if (__builtin_add_overflow(end, g->tensors[i].size, &end) || __builtin_add_overflow(end, g->alignment, &end))
            end = UINT64_MAX;
    if (c->info.source_bytes > end) end = c->info.source_bytes;
    for (uint64_t i = 0; i < g->tensor_count; i++)
        if (g->tensors[i].size > end || g->tensors[i].offset > end - g->tensors[i].size)
            return base_fail(report, WISP_E_INPUT, "wisp.gguf: tensor '%s' lies past the end", g->tensors[i].text);
    return WISP_OK;
}

/* The file's end: what the manifest says if that is no more than alignment after the last tensor. */
static uint64_t end_of_file(const unpacking *u, const compile_gguf *g)
{
    uint64_t bytes = u->c->info.source_bytes;
    return bytes > u->at && bytes - u->at < g->alignment ? bytes : u->at;
}

static wisp_status put_tensors(unpacking *u, const compile_gguf *g, wisp_report *report)
{
    const compile_gguf_tensor **sorted = base_calloc(g->tensor_count, sizeof *sorted);
    if (!sorted) return base_fail(report, WISP_E_MEMORY, "out of memory");
    for (uint64_t i = 0; i < g->tensor_count; i++)
        sorted[i] = &g->tensors[i];
    qsort(sorted, g->tensor_count, sizeof *sorted, compare_sources);
    wisp_status status = put(u, g->file.data, (size_t)g->infos_end, report);
    for (uint64_t i = 0; i < g->tensor_count && !status; i++) {
        status = put_tensor(u, sorted[i], report);
        if (!status && u->progress && !u->progress(u->progress_context, u->at, u->c->info.source_bytes))
            status = base_fail(report, WISP_E_CANCELLED, "stopped");
    }
    if (!status) status = put_zeros(u, end_of_file(u, g), report);
    base_free(sorted);
    return status;
}

static wisp_status unpack_gguf(unpacking *u, const compile_gguf *g, const char *output, bool *identical,
                               wisp_report *report)
{
    uint8_t digest[32];
    BASE_TRY(os_output_open(&u->out, output, report));
    base_sha256_init(&u->hash);
    wisp_status status = put_tensors(u, g, report);
    if (status) {
        os_output_abort(u->out);
        return status;
    }
    base_sha256_final(&u->hash, digest);
    if (identical) *identical = memcmp(digest, u->c->info.source_sha256, sizeof digest) == 0;
    return os_output_commit(u->out, report);
}

wisp_status compile_unpack(const capsule *c, const char *output, capsule_progress progress, void *progress_context,
                           bool *identical, wisp_report *report)
{
    unpacking u = {.c = c, .progress = progress, .progress_context = progress_context};
    compile_gguf g;
    if (!c->gguf.size) return base_fail(report, WISP_E_UNSUPPORTED, "the capsule holds no GGUF metadata to unpack");
    wisp_status status = compile_gguf_open(&g, c->gguf, UINT64_MAX, report);
    if (!status && (status = check_places(c, &g, report))) compile_gguf_close(&g);
    if (status) return base_fail_prefix(report, status, "wisp.gguf");
    if (g.tensor_count && !c->tensor_count)
        status = base_fail(report, WISP_E_UNSUPPORTED, "the capsule holds a vocabulary only");
    else if (g.infos_end != c->gguf.size)
        status = base_fail(report, WISP_E_INPUT, "wisp.gguf: bytes after the tensor descriptions");
    else
        status = unpack_gguf(&u, &g, output, identical, report);
    compile_gguf_close(&g);
    return status;
}

bool compile_tensor_used(const capsule *c, const capsule_tensor *t)
{
    base_model_head head;
    program p;
    bool used = false;
    if (base_model_read(&head, c->segments[0], NULL) || program_read(&p, head.section[MODEL_SECTION_PROGRAM], NULL))
        return false;
    for (uint32_t i = 0; i < p.cmd_count && !used; i++)
        for (int v = 0; v < WISP_CMD_VIEWS && !used; v++) {
            const wisp_view *view = &p.cmds[i].view[v];
            if (view->buffer == 0 || view->offset != t->offset) continue;
            const program_buffer *buffer = &p.buffers[view->buffer - 1];
            used = buffer->role == PROGRAM_ROLE_WEIGHTS && buffer->index == t->segment;
        }
    program_fini(&p);
    return used;
}
