/* The code section, core §5.5.13: first where each body is, then their validation, on several threads where there is
 * much of it. Whoever fails, the error is that of the first function that is wrong. */
#include <string.h>

#include "os/os.h"
#include "wasm/decode.h"

enum { THREADS = 4, CHUNK = 8, WORTH_THREADS = 256 << 10 }; /* functions claimed at a time; bytes of code */

typedef struct code_section {
    uint32_t count; /* of bodies found */
    _Atomic uint32_t next, first_wrong;
} code_section;

typedef struct worker {
    code_section *s;
    wasm_decoder d; /* a copy: its own reader, validator and report */
    wisp_report report;
    wisp_status status;
    uint32_t wrong; /* the function, with `status` */
    os_thread *thread;
} worker;

static wisp_status validate_body(wasm_decoder *d, uint32_t index)
{
    const wasm_module *m = d->m;
    wasm_code *code = &m->codes[index];
    d->r.at = code->body.data;
    d->r.end = code->body.data + code->body.size;
    BASE_TRY(wasm_validate_function(d->validator, code, &m->types[m->funcs[m->imported_funcs + index]]));
    return base_left(&d->r) ? wasm_decode_fail(d, "operators remaining after end of function") : WISP_OK;
}

/* Chunks are claimed in order, and none is given up that lies before a failure: the least failure is always found. */
static void work(void *context)
{
    worker *w = context;
    for (;;) {
        const uint32_t start = atomic_fetch_add(&w->s->next, CHUNK);
        if (start >= w->s->count || start > atomic_load(&w->s->first_wrong)) return;
        const uint32_t end = w->s->count - start < CHUNK ? w->s->count : start + CHUNK;
        for (uint32_t i = start; i < end; i++) {
            w->status = validate_body(&w->d, i);
            if (w->status == WISP_OK) continue;
            w->wrong = i;
            uint32_t least = atomic_load(&w->s->first_wrong);
            while (i < least && !atomic_compare_exchange_weak(&w->s->first_wrong, &least, i)) {
            }
            return;
        }
    }
}

static bool prepare(worker *w, code_section *s, const wasm_decoder *d)
{
    *w = (worker){.s = s, .d = *d};
    w->d.report = &w->report;
    w->d.validator = wasm_validator_new(&w->d);
    return w->d.validator != NULL;
}

/* The last worker is the calling thread. */
static wisp_status validate_bodies(wasm_decoder *d, code_section *s, unsigned threads)
{
    worker w[THREADS];
    unsigned count = 0;
    wisp_status status = WISP_OK;
    while (count + 1 < threads && prepare(&w[count], s, d)) {
        if (os_thread_start(&w[count].thread, work, &w[count], NULL) != WISP_OK) {
            wasm_validator_free(w[count].d.validator);
            break; /* then with fewer */
        }
        count++;
    }
    if (!prepare(&w[count], s, d)) status = wasm_decode_no_memory(d);
    if (status == WISP_OK) work(&w[count]);
    for (unsigned i = 0; i < count; i++)
        os_thread_join(w[i].thread);
    for (unsigned i = 0; i <= count; i++) {
        if (status == WISP_OK && w[i].status != WISP_OK && w[i].wrong == s->first_wrong) {
            status = w[i].status;
            if (d->report && d->report->status == WISP_OK) *d->report = w[i].report;
        }
        wasm_validator_free(w[i].d.validator);
    }
    return status;
}

static wisp_status find_body(wasm_decoder *d, uint32_t index)
{
    wasm_code *code = &d->m->codes[index];
    code->body = base_read_span(&d->r, base_read_leb_u32(&d->r));
    BASE_TRY(wasm_decode_check(d));
    if (code->body.size > INT32_MAX) return wasm_decode_too_many(d, "bytes of a function", code->body.size, INT32_MAX);
    return WISP_OK;
}

wisp_status wasm_decode_codes(wasm_decoder *d)
{
    uint32_t count = base_read_leb_u32(&d->r);
    BASE_TRY(wasm_decode_check(d));
    if (count != d->m->code_count) return wasm_decode_fail(d, "function and code section have inconsistent lengths");
    const size_t size = base_left(&d->r);
    code_section s = {.first_wrong = UINT32_MAX};
    wisp_report *report = d->report;
    base_reader before = d->r;
    d->report = NULL; /* functions before a size that is wrong have their say first */
    while (s.count < count && find_body(d, s.count) == WISP_OK) {
        before = d->r;
        s.count++;
    }
    d->report = report;
    d->r = before;
    const unsigned cpus = size >= WORTH_THREADS ? os_cpu_count() : 1;
    BASE_TRY(validate_bodies(d, &s, cpus < THREADS ? cpus : THREADS));
    return s.count < count ? find_body(d, s.count) : WISP_OK;
}
