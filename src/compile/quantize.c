#include "compile/quantize.h"

#include <string.h>

#include "base/mem.h"
#include "compile/gguf_write.h"
#include "compile/quantize_row.h"
#include "os/os.h"
#include "os/pool.h"
#include "tensor/abi.h"
#include "tensor/blocks.h"

enum {
    QUANTIZATION_VERSION = 2, /* of ggml's block types, since 2023 */
    SLAB_ELEMENTS = 1 << 22,  /* between two looks at the progress */
    BATCH_ELEMENTS = 1 << 15, /* that a thread takes at a time */
};

struct quantizer {
    const compile_source *from;
    const compile_gguf *old;
    quantize_options options;
    const quantize_mix *mix;
    uint32_t *types; /* of the result's tensors */
    base_buffer head;
    compile_gguf gguf; /* the result's */
    uint64_t bytes, done, total;
    os_pool *pool;
    float *rows; /* one a thread */
    uint64_t row_room;
    uint8_t *tensor; /* the last one made */
    size_t tensor_room;
};

/* ---- the head ---- */

static bool key_is(const compile_gguf_kv *kv, const char *name)
{
    return kv->key.size == strlen(name) && memcmp(kv->key.data, name, kv->key.size) == 0;
}

/* Keys that are put anew, and those of a file in several parts, which the result is not. */
static bool is_replaced(const compile_gguf_kv *kv)
{
    static const char *const names[] = {"general.quantization_version", "general.file_type", "split.no", "split.count",
                                        "split.tensors.count"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (key_is(kv, names[i])) return true;
    return false;
}

static wisp_status make_head(quantizer *q, wisp_report *report)
{
    gguf_head h;
    bool fits = true;
    gguf_head_init(&h, q->old->alignment);
    for (uint64_t i = 0; i < q->old->key_count; i++)
        if (!is_replaced(&q->old->keys[i])) gguf_put_copy(&h, &q->old->keys[i]);
    gguf_put_u32(&h, "general.quantization_version", QUANTIZATION_VERSION);
    gguf_put_u32(&h, "general.file_type", q->mix->file_type);
    for (uint64_t i = 0; i < q->old->tensor_count && fits; i++) {
        const compile_gguf_tensor *t = &q->old->tensors[i];
        fits = gguf_put_tensor(&h, t->name, q->types[i], t->dims, t->shape);
    }
    gguf_head_write(&h, &q->head);
    q->bytes = q->head.size + h.data_bytes;
    gguf_head_fini(&h);
    if (!fits) return base_fail(report, WISP_E_LIMIT, "the result would be too large");
    if (q->head.failed) return base_fail(report, WISP_E_MEMORY, "out of memory");
    return compile_gguf_open(&q->gguf, (base_span){q->head.data, q->head.size}, q->bytes, report);
}

static bool is_plain(uint32_t type)
{
    return type == WISP_F32 || type == WISP_F16 || type == WISP_BF16;
}

static wisp_status check_again(const quantizer *q, wisp_report *report)
{
    for (uint64_t i = 0; i < q->old->tensor_count && !q->options.again; i++) {
        const compile_gguf_tensor *t = &q->old->tensors[i];
        if (t->type != q->types[i] && !is_plain(t->type))
            return base_fail(report, WISP_E_INPUT,
                             "tensor '%s' is %s already and would lose twice: quantize the original "
                             "(--allow-requantize does it all the same)",
                             t->text, compile_gguf_type_find(t->type)->name);
    }
    return WISP_OK;
}

static wisp_status start(quantizer *q, wisp_report *report)
{
    const uint64_t count = q->old->tensor_count;
    q->types = base_calloc(count, sizeof *q->types);
    if (!q->types) return base_fail(report, WISP_E_MEMORY, "out of memory");
    BASE_TRY(quantize_choose(q->old, &q->options.choice, q->types, &q->mix, report));
    BASE_TRY(check_again(q, report));
    BASE_TRY(make_head(q, report));
    for (uint64_t i = 0; i < count; i++) {
        q->total += q->old->tensors[i].size;
        if (q->old->tensors[i].shape[0] > q->row_room) q->row_room = q->old->tensors[i].shape[0];
    }
    return WISP_OK;
}

wisp_status quantizer_new(quantizer **result, const compile_source *from, const quantize_options *options,
                          wisp_report *report)
{
    quantizer *q = base_calloc(1, sizeof *q);
    if (!q) return base_fail(report, WISP_E_MEMORY, "out of memory");
    q->from = from;
    q->old = from->gguf;
    q->options = *options;
    q->options.choice.has_importance = options->importance != NULL;
    wisp_status status = start(q, report);
    if (status != WISP_OK) {
        quantizer_free(q);
        return status;
    }
    *result = q;
    return WISP_OK;
}

void quantizer_free(quantizer *q)
{
    if (!q) return;
    os_pool_free(q->pool);
    compile_gguf_close(&q->gguf);
    base_buffer_fini(&q->head);
    base_free(q->types);
    base_free(q->rows);
    base_free(q->tensor);
    base_free(q);
}

base_span quantizer_head(const quantizer *q)
{
    return (base_span){q->head.data, q->head.size};
}

const quantize_mix *quantizer_mix(const quantizer *q)
{
    return q->mix;
}

/* ---- a tensor ---- */

typedef struct job {
    const compile_gguf_tensor *t;
    uint32_t to;
    const uint8_t *in;
    uint8_t *out;
    uint64_t cols, in_bytes, out_bytes; /* a row */
    const float *importance;            /* cols for each matrix, or NULL */
    uint64_t batch, end, next;          /* rows; next is shared */
    uint64_t bad;                       /* the first row with something that is not finite; shared */
    float *rows;
} job;

static void read_row(const job *j, uint64_t row, float *x)
{
    const uint8_t *in = j->in + row * j->in_bytes;
    if (j->t->type == WISP_F32) {
        memcpy(x, in, j->in_bytes);
    } else if (j->t->type == WISP_F16 || j->t->type == WISP_BF16) {
        for (uint64_t i = 0; i < j->cols; i++) {
            const uint16_t v = (uint16_t)(in[2 * i] | in[2 * i + 1] << 8);
            const uint32_t bits = (uint32_t)v << 16;
            if (j->t->type == WISP_F16)
                x[i] = tensor_half_to_float(v);
            else
                memcpy(&x[i], &bits, sizeof bits);
        }
    } else {
        BASE_ASSERT(tensor_dequantize(j->t->type, in, j->cols, x)); /* may_change() let no other type through */
    }
}

static bool is_finite(const float *x, uint64_t n)
{
    uint32_t most = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    return most < 0x7f800000;
}

static void note_bad(job *j, uint64_t row)
{
    uint64_t seen = __atomic_load_n(&j->bad, __ATOMIC_RELAXED);
    while (row < seen && !__atomic_compare_exchange_n(&j->bad, &seen, row, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
}

/* Rows are independent of each other, so it does not matter who makes which. */
static void run_job(void *arg, unsigned thread)
{
    job *j = arg;
    float *x = j->rows + thread * j->cols;
    for (;;) {
        const uint64_t first = __atomic_fetch_add(&j->next, j->batch, __ATOMIC_RELAXED);
        for (uint64_t row = first; row < first + j->batch; row++) {
            if (row >= j->end) return;
            read_row(j, row, x);
            if (!is_finite(x, j->cols)) {
                note_bad(j, row);
                continue;
            }
            const float *importance = j->importance ? j->importance + row / j->t->shape[1] * j->cols : NULL;
            quantize_row(j->to, x, importance, j->cols, j->out + row * j->out_bytes);
        }
    }
}

static wisp_status tell(quantizer *q, uint64_t bytes, wisp_report *report)
{
    const quantize_options *o = &q->options;
    q->done = bytes > q->total - q->done ? q->total : q->done + bytes; /* some tensors are read twice */
    if (!o->progress || o->progress(o->progress_context, q->done, q->total)) return WISP_OK;
    return base_fail(report, WISP_E_CANCELLED, "cancelled");
}

static wisp_status make_room(quantizer *q, uint64_t bytes, wisp_report *report)
{
    if (!q->pool) BASE_TRY(os_pool_new(&q->pool, q->options.threads, report));
    if (!q->rows) {
        uint64_t count;
        if (__builtin_mul_overflow(q->row_room, (uint64_t)os_pool_threads(q->pool), &count) || count > SIZE_MAX / 4)
            return base_fail(report, WISP_E_MEMORY, "out of memory for a row");
        q->rows = base_alloc((size_t)count * sizeof *q->rows);
        if (!q->rows) return base_fail(report, WISP_E_MEMORY, "out of memory for a row");
    }
    if (bytes <= q->tensor_room) return WISP_OK;
    base_free(q->tensor);
    q->tensor_room = 0;
    q->tensor = base_alloc((size_t)bytes);
    if (!q->tensor)
        return base_fail(report, WISP_E_MEMORY, "out of memory for a tensor of %llu bytes", (unsigned long long)bytes);
    q->tensor_room = (size_t)bytes;
    return WISP_OK;
}

/* The importance of the tensor's columns, of each of its matrices; embeddings may do without one that fits, since they
 * are looked up, not multiplied. */
static wisp_status find_importance(const quantizer *q, const compile_gguf_tensor *t, const float **mean,
                                   wisp_report *report)
{
    const imatrix_entry *e = q->options.importance ? imatrix_find(q->options.importance, t->text) : NULL;
    const uint64_t columns = t->shape[0] * t->shape[2];
    *mean = e && e->columns == columns ? e->mean : NULL;
    if (!e || *mean || strstr(t->text, "token_embd")) return WISP_OK;
    return base_fail(report, WISP_E_INPUT, "tensor '%s' has %llu columns, the importance matrix %llu", t->text,
                     (unsigned long long)columns, (unsigned long long)e->columns);
}

static wisp_status make_tensor(quantizer *q, const compile_gguf_tensor *old, const compile_gguf_tensor *t, base_span in,
                               wisp_report *report)
{
    const uint64_t rows = old->elements / old->shape[0], slab = SLAB_ELEMENTS / old->shape[0] + 1;
    BASE_TRY(make_room(q, t->size, report));
    job j = {.t = old,
             .to = t->type,
             .in = in.data,
             .out = q->tensor,
             .cols = old->shape[0],
             .in_bytes = old->size / rows,
             .out_bytes = t->size / rows,
             .batch = BATCH_ELEMENTS / old->shape[0] + 1,
             .bad = UINT64_MAX,
             .rows = q->rows};
    BASE_TRY(find_importance(q, old, &j.importance, report));
    for (uint64_t first = 0; first < rows; first = j.end) {
        j.next = first;
        j.end = rows - first < slab ? rows : first + slab;
        os_pool_run(q->pool, run_job, &j);
        if (j.bad != UINT64_MAX)
            return base_fail(report, WISP_E_INPUT, "tensor '%s': row %llu holds something that is not a finite number",
                             old->text, (unsigned long long)j.bad);
        if (q->from->mapped) os_map_done(j.in + first * j.in_bytes, (size_t)((j.end - first) * j.in_bytes));
        BASE_TRY(tell(q, (j.end - first) * j.in_bytes, report));
    }
    return WISP_OK;
}

static wisp_status tensor_bytes(void *self, const compile_gguf_tensor *t, base_span *bytes, wisp_report *report)
{
    quantizer *q = self;
    const compile_gguf_tensor *old = &q->old->tensors[t - q->gguf.tensors];
    base_span in;
    BASE_TRY(q->from->tensor(q->from->self, old, &in, report));
    if (old->type == t->type) {
        *bytes = in;
        return tell(q, old->size, report);
    }
    BASE_TRY(make_tensor(q, old, t, in, report));
    *bytes = (base_span){q->tensor, (size_t)t->size};
    return WISP_OK;
}

compile_source quantizer_source(quantizer *q)
{
    compile_source source = *q->from; /* vocabulary and files */
    source.gguf = &q->gguf;
    source.gguf_bytes = q->bytes;
    source.mapped = false;
    source.self = q;
    source.tensor = tensor_bytes;
    return source;
}

/* ---- a file ---- */

static wisp_status write_all(quantizer *q, os_output *out, wisp_report *report)
{
    static const uint8_t zeros[GGUF_ALIGNMENT_MAX];
    BASE_TRY(os_output_write(out, q->head.data, q->head.size, report));
    for (uint64_t i = 0; i < q->gguf.tensor_count; i++) {
        base_span bytes;
        BASE_TRY(tensor_bytes(q, &q->gguf.tensors[i], &bytes, report));
        BASE_TRY(os_output_write(out, bytes.data, bytes.size, report));
        const size_t over = bytes.size % q->gguf.alignment;
        if (over) BASE_TRY(os_output_write(out, zeros, q->gguf.alignment - over, report));
    }
    return WISP_OK;
}

wisp_status quantizer_write(quantizer *q, const char *output, wisp_report *report)
{
    os_output *out;
    BASE_TRY(os_output_open(&out, output, report));
    wisp_status status = write_all(q, out, report);
    if (status == WISP_OK) return os_output_commit(out, report);
    os_output_abort(out);
    return status;
}
