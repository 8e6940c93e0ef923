/* Importance matrices: what a session's matrices are multiplied with, summed up while it runs. */
#include <string.h>

#include "base/mem.h"
#include "host/host.h"
#include "host/quantizing.h"

typedef struct measured {
    const capsule_tensor *tensor;
    uint64_t matrices;
    double *squares;  /* columns for each matrix; NULL: nothing seen yet */
    uint64_t *counts; /* of each matrix */
} measured;

struct wisp_imatrix {
    tensor_device *device;
    const capsule *parsed;
    measured *tensors; /* as many as the capsule has */
    bool no_memory;
};

/* The tensor that a place in the weights belongs to. */
static measured *tensor_at(wisp_imatrix *m, uint32_t segment, uint64_t offset)
{
    for (uint32_t i = 0; i < m->parsed->tensor_count; i++) {
        const capsule_tensor *t = &m->parsed->tensors[i];
        if (t->segment == segment && offset >= t->offset && offset - t->offset < t->size) return &m->tensors[i];
    }
    return NULL;
}

static bool make_room(wisp_imatrix *m, measured *t)
{
    const uint64_t *shape = t->tensor->shape;
    uint64_t sums;
    if (t->squares) return true;
    /* the manifest is the capsule's word: no more sums than a tensor of that size can have elements */
    if (__builtin_mul_overflow(shape[2], shape[3], &t->matrices) || t->matrices == 0 ||
        __builtin_mul_overflow(shape[0], t->matrices, &sums) || sums / 8 > t->tensor->size)
        return false;
    t->squares = base_calloc((size_t)sums, sizeof *t->squares);
    t->counts = base_calloc((size_t)t->matrices, sizeof *t->counts);
    if (t->squares && t->counts) return true;
    base_free(t->squares);
    base_free(t->counts);
    t->squares = NULL;
    t->counts = NULL;
    m->no_memory = true;
    return false;
}

static void add_row(measured *t, uint64_t matrix, const float *x)
{
    const uint64_t columns = t->tensor->shape[0];
    double *sum = t->squares + matrix * columns;
    for (uint64_t i = 0; i < columns; i++)
        sum[i] += (double)x[i] * (double)x[i];
    t->counts[matrix]++;
}

/* y[n,m] = x[n,k] w[m,k]: views 1 and 2. */
static void look_at(void *context, tensor_device *device, const wisp_cmd *cmd)
{
    wisp_imatrix *m = context;
    uint32_t segment, none;
    if (cmd->op != WISP_OP_MATMUL) return;
    const wisp_view *x = &cmd->view[1], *w = &cmd->view[2];
    const uint8_t *rows = tensor_view_data(device, x, &none);
    tensor_view_data(device, w, &segment);
    measured *t = segment == UINT32_MAX ? NULL : tensor_at(m, segment, w->offset);
    if (!t || t->tensor->generated || t->tensor->shape[0] != x->cols || !make_room(m, t)) return;
    for (uint64_t r = 0; r < x->rows; r++)
        add_row(t, 0, (const float *)(const void *)(rows + r * x->stride));
}

wisp_status wisp_imatrix_new(wisp_imatrix **result, wisp_session *session, wisp_report *report)
{
    if (!result || !session) return base_fail(report, WISP_E_USAGE, "wisp_imatrix_new: no result or no session given");
    tensor_device *device = host_session_device(session);
    if (!device)
        return base_fail(report, WISP_E_UNSUPPORTED, "importance is measured on the native device only (--device cpu)");
    wisp_imatrix *m = base_calloc(1, sizeof *m);
    const capsule *parsed = host_session_capsule(session);
    measured *tensors = base_calloc(parsed->tensor_count, sizeof *tensors);
    if (!m || !tensors) {
        base_free(m);
        base_free(tensors);
        return base_fail(report, WISP_E_MEMORY, "out of memory");
    }
    for (uint32_t i = 0; i < parsed->tensor_count; i++)
        tensors[i].tensor = &parsed->tensors[i];
    *m = (wisp_imatrix){device, parsed, tensors, false};
    tensor_observe(device, look_at, m);
    *result = m;
    return WISP_OK;
}

void wisp_imatrix_free(wisp_imatrix *m)
{
    if (!m) return;
    tensor_observe(m->device, NULL, NULL);
    for (uint32_t i = 0; i < m->parsed->tensor_count; i++) {
        base_free(m->tensors[i].squares);
        base_free(m->tensors[i].counts);
    }
    base_free(m->tensors);
    base_free(m);
}

static wisp_status write_file(const char *output, const base_buffer *bytes, wisp_report *report)
{
    os_output *out;
    BASE_TRY(os_output_open(&out, output, report));
    wisp_status status = os_output_write(out, bytes->data, bytes->size, report);
    if (status == WISP_OK) return os_output_commit(out, report);
    os_output_abort(out);
    return status;
}

wisp_status wisp_imatrix_write(const wisp_imatrix *m, const char *output, const char *dataset, uint32_t chunks,
                               uint32_t chunk, wisp_report *report)
{
    if (!m || !output || !dataset) return base_fail(report, WISP_E_USAGE, "wisp_imatrix_write: something is missing");
    imatrix_sums *sums = base_calloc(m->parsed->tensor_count, sizeof *sums);
    base_buffer bytes = {0};
    size_t count = 0;
    if (!sums || m->no_memory) {
        base_free(sums);
        return base_fail(report, WISP_E_MEMORY, "out of memory");
    }
    for (uint32_t i = 0; i < m->parsed->tensor_count; i++) {
        const measured *t = &m->tensors[i];
        if (t->squares)
            sums[count++] = (imatrix_sums){t->tensor->name, t->tensor->shape[0], t->matrices, t->squares, t->counts};
    }
    wisp_status status = imatrix_write(&bytes, sums, count, dataset, chunks, chunk, report);
    if (status == WISP_OK) status = write_file(output, &bytes, report);
    base_buffer_fini(&bytes);
    base_free(sums);
    return status;
}
