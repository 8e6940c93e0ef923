#include "compile/imatrix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "compile/gguf_write.h"
#include "tensor/abi.h"

static const char sums_suffix[] = ".in_sum2", counts_suffix[] = ".counts";

void imatrix_fini(imatrix *m)
{
    for (size_t i = 0; i < m->count; i++) {
        base_free(m->entries[i].name);
        base_free(m->entries[i].mean);
    }
    base_free(m->entries);
    *m = (imatrix){0};
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const imatrix_entry *)a)->name, ((const imatrix_entry *)b)->name);
}

const imatrix_entry *imatrix_find(const imatrix *m, const char *name)
{
    const imatrix_entry wanted = {.name = (char *)(uintptr_t)name};
    return m->count ? bsearch(&wanted, m->entries, m->count, sizeof *m->entries, compare_entries) : NULL;
}

/* The next entry, its values to be filled in. `columns` floats are known to be in the file. */
static wisp_status add_entry(imatrix *m, base_span name, uint64_t columns, wisp_report *report)
{
    if (!BASE_GROW(m->entries, m->capacity, m->count + 1)) return base_fail(report, WISP_E_MEMORY, "out of memory");
    imatrix_entry e = {base_alloc(name.size + 1), columns, base_alloc((size_t)columns * sizeof *e.mean)};
    if (!e.name || !e.mean) {
        base_free(e.name);
        base_free(e.mean);
        return base_fail(report, WISP_E_MEMORY, "out of memory");
    }
    memcpy(e.name, name.data, name.size);
    e.name[name.size] = 0;
    m->entries[m->count++] = e;
    return WISP_OK;
}

static wisp_status set_mean(const imatrix_entry *e, uint64_t i, float mean, wisp_report *report)
{
    if (!(mean >= 0) || !isfinite(mean))
        return base_fail(report, WISP_E_INPUT, "'%s': the importance of column %llu is %g", e->name,
                         (unsigned long long)i, (double)mean);
    e->mean[i] = mean;
    return WISP_OK;
}

/* ---- the GGUF ---- */

static float float_at(base_span bytes, uint64_t i)
{
    float v;
    memcpy(&v, bytes.data + 4 * i, sizeof v);
    return v;
}

static base_span tensor_span(const compile_gguf *g, const compile_gguf_tensor *t)
{
    return (base_span){g->file.data + t->offset, (size_t)t->size};
}

/* Matrices that saw no input (experts that were never chosen) count all columns alike. */
static wisp_status read_sums(imatrix *m, const compile_gguf *g, const compile_gguf_tensor *sums, wisp_report *report)
{
    char counts_name[IMATRIX_NAME_MAX + sizeof counts_suffix];
    const base_span name = {sums->name.data, sums->name.size - (sizeof sums_suffix - 1)};
    memcpy(counts_name, name.data, name.size);
    memcpy(counts_name + name.size, counts_suffix, sizeof counts_suffix);
    const compile_gguf_tensor *counts = compile_gguf_find_tensor(g, counts_name);
    const uint64_t columns = sums->shape[0], matrices = sums->elements / columns;
    if (!counts || counts->type != WISP_F32 || sums->type != WISP_F32 || counts->elements != matrices)
        return base_fail(report, WISP_E_INPUT, "tensor '%s': there is no '%s' of %llu F32 that goes with it",
                         sums->text, counts_name, (unsigned long long)matrices);
    BASE_TRY(add_entry(m, name, sums->elements, report));
    const imatrix_entry *e = &m->entries[m->count - 1];
    const base_span s = tensor_span(g, sums), c = tensor_span(g, counts);
    for (uint64_t i = 0; i < sums->elements; i++) {
        const float count = float_at(c, i / columns);
        BASE_TRY(set_mean(e, i, count > 0 ? float_at(s, i) / count : 1, report));
    }
    return WISP_OK;
}

static wisp_status read_gguf(imatrix *m, base_span file, wisp_report *report)
{
    compile_gguf g;
    BASE_TRY(compile_gguf_open(&g, file, file.size, report));
    wisp_status status = WISP_OK;
    for (uint64_t i = 0; i < g.tensor_count && !status; i++) {
        const compile_gguf_tensor *t = &g.tensors[i];
        const size_t n = sizeof sums_suffix - 1;
        if (t->name.size > n && memcmp(t->name.data + t->name.size - n, sums_suffix, n) == 0)
            status = read_sums(m, &g, t, report);
    }
    compile_gguf_close(&g);
    return status;
}

/* ---- the older file: count; of each entry: name, calls, values (their sums over the calls) ---- */

static wisp_status read_old_entry(imatrix *m, base_reader *r, wisp_report *report)
{
    const size_t at = base_offset(r);
    const uint32_t name_size = base_read_u32(r);
    const base_span name = base_read_span(r, name_size);
    const uint32_t calls = base_read_u32(r), columns = base_read_u32(r);
    if (r->failed || !base_can_hold(r, columns, 4))
        return base_fail(report, WISP_E_TRUNCATED, "byte %zu: the file ends inside an entry", at);
    if (name_size == 0 || name_size > IMATRIX_NAME_MAX || memchr(name.data, 0, name_size) ||
        !base_utf8_valid(name.data, name.size))
        return base_fail(report, WISP_E_INPUT, "byte %zu: an entry's name is empty, too long or no text", at);
    if (columns == 0 || columns > INT32_MAX || calls > INT32_MAX)
        return base_fail(report, WISP_E_INPUT, "byte %zu: an entry of %u columns, %u calls", at, columns, calls);
    BASE_TRY(add_entry(m, name, columns, report));
    const imatrix_entry *e = &m->entries[m->count - 1];
    for (uint32_t i = 0; i < columns; i++) {
        const float sum = base_read_f32(r);
        BASE_TRY(set_mean(e, i, calls ? sum / (float)calls : sum, report));
    }
    return WISP_OK;
}

static wisp_status read_old(imatrix *m, base_span file, wisp_report *report)
{
    base_reader r = base_reader_of(file.data, file.size);
    const uint32_t count = base_read_u32(&r);
    if (r.failed || !base_can_hold(&r, count, 17))
        return base_fail(report, WISP_E_TRUNCATED, "no importance matrix: %u entries do not fit in %zu bytes", count,
                         base_left(&r));
    if (count > IMATRIX_ENTRIES_MAX)
        return base_fail(report, WISP_E_LIMIT, "%u entries, more than %d", count, IMATRIX_ENTRIES_MAX);
    for (uint32_t i = 0; i < count; i++)
        BASE_TRY(read_old_entry(m, &r, report));
    return WISP_OK; /* then how many chunks and which text: nothing that is needed */
}

static wisp_status sort_entries(imatrix *m, wisp_report *report)
{
    if (m->count == 0) return base_fail(report, WISP_E_INPUT, "an importance matrix without entries");
    qsort(m->entries, m->count, sizeof *m->entries, compare_entries);
    for (size_t i = 1; i < m->count; i++)
        if (strcmp(m->entries[i - 1].name, m->entries[i].name) == 0)
            return base_fail(report, WISP_E_INPUT, "'%s' appears twice", m->entries[i].name);
    return WISP_OK;
}

wisp_status imatrix_read(imatrix *m, base_span file, wisp_report *report)
{
    *m = (imatrix){0};
    const bool gguf = file.size >= 4 && memcmp(file.data, "GGUF", 4) == 0;
    wisp_status status = gguf ? read_gguf(m, file, report) : read_old(m, file, report);
    if (status == WISP_OK) status = sort_entries(m, report);
    if (status != WISP_OK) imatrix_fini(m);
    return status;
}

/* ---- writing ---- */

static int compare_sums(const void *a, const void *b)
{
    return strcmp((*(const imatrix_sums *const *)a)->name, (*(const imatrix_sums *const *)b)->name);
}

static bool put_info(gguf_head *h, const imatrix_sums *s, const char *suffix, uint64_t columns)
{
    char name[IMATRIX_NAME_MAX + 16];
    const size_t size = strlen(s->name), more = strlen(suffix);
    if (size + more > IMATRIX_NAME_MAX) return false;
    memcpy(name, s->name, size);
    memcpy(name + size, suffix, more);
    return gguf_put_tensor(h, (base_span){(const uint8_t *)name, size + more}, WISP_F32, 2,
                           (const uint64_t[]){columns, s->matrices});
}

static void put_values(base_buffer *out, const imatrix_sums *s)
{
    for (uint64_t i = 0; i < s->columns * s->matrices; i++)
        base_put_f32(out, (float)s->squares[i]);
    base_put_align(out, GGUF_ALIGNMENT_DEFAULT);
    for (uint64_t i = 0; i < s->matrices; i++)
        base_put_f32(out, (float)s->counts[i]);
    base_put_align(out, GGUF_ALIGNMENT_DEFAULT);
}

wisp_status imatrix_write(base_buffer *out, const imatrix_sums *sums, size_t count, const char *dataset,
                          uint32_t chunks, uint32_t chunk, wisp_report *report)
{
    gguf_head h;
    bool fits = true;
    const imatrix_sums **order = base_calloc(count, sizeof *order);
    if (!order) return base_fail(report, WISP_E_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        order[i] = &sums[i];
    qsort(order, count, sizeof *order, compare_sums);
    gguf_head_init(&h, GGUF_ALIGNMENT_DEFAULT);
    gguf_put_string(&h, "general.type", "imatrix", 7);
    gguf_begin_array(&h, "imatrix.datasets", GGUF_STRING, 1);
    gguf_put_element_string(&h, dataset, strlen(dataset));
    gguf_put_u32(&h, "imatrix.chunk_count", chunks);
    gguf_put_u32(&h, "imatrix.chunk_size", chunk);
    for (size_t i = 0; i < count && fits; i++)
        fits = put_info(&h, order[i], sums_suffix, order[i]->columns) && put_info(&h, order[i], counts_suffix, 1);
    gguf_head_write(&h, out);
    for (size_t i = 0; i < count && fits; i++)
        put_values(out, order[i]);
    gguf_head_fini(&h);
    base_free(order);
    if (!fits) return base_fail(report, WISP_E_LIMIT, "a tensor's name is too long, or there are too many columns");
    return out->failed ? base_fail(report, WISP_E_MEMORY, "out of memory") : WISP_OK;
}
