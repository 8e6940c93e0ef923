/* Partitions of a module are compiled side by side. Where they begin depends on the module only, so that the image does
 * too; the largest go first, so that no thread ends up alone with one. */
#include "wasm/native/native_compile.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "os/os.h"
#include "wasm/native/codegen.h"
#include "wasm/native/link.h"

enum {
    PARTITION_BYTES = 12 << 10, /* of WebAssembly code: a few tenths of a second's work */
    THREADS_MAX = 64,
};

typedef struct partition {
    uint32_t first, count;
    bool entries;
    size_t weight; /* bytes of code */
    uint8_t *object;
    size_t object_size;
} partition;

typedef struct compilation {
    const wasm_compile_job *job;
    wasm_codegen_options options;
    partition *partitions;
    uint32_t *order; /* heaviest first */
    uint32_t count;
    atomic_uint next;    /* in `order` */
    uint32_t done;       /* functions */
    uint32_t events;     /* slept on: changes when `done` does, and when a thread ends */
    atomic_uint running; /* threads */
    atomic_bool stop;
    atomic_flag failing;
    wisp_status status; /* of the first failure; with its report */
    wisp_report report;
} compilation;

static wisp_status no_memory(wisp_report *report)
{
    return base_fail(report, WISP_E_MEMORY, "native code: out of memory for compiling");
}

/* ---- partitions ---- */

static wisp_status divide(compilation *c, wisp_report *report)
{
    const wasm_module *m = c->job->module;
    c->partitions = base_calloc((size_t)m->code_count + 1, sizeof *c->partitions);
    c->order = base_calloc((size_t)m->code_count + 1, sizeof *c->order);
    if (!c->partitions || !c->order) return no_memory(report);
    bool alone = true; /* nothing joins the last partition */
    for (uint32_t i = 0; i < m->code_count; i++) {
        const bool large = wasm_codegen_is_large(m, &m->codes[i]); /* compiled in a way of its own */
        const size_t size = m->codes[i].body.size;
        partition *p = c->count ? &c->partitions[c->count - 1] : NULL;
        if (alone || large || p->weight >= PARTITION_BYTES || size >= PARTITION_BYTES) {
            p = &c->partitions[c->count++];
            p->first = i;
        }
        alone = large;
        p->count++;
        p->weight += size;
    }
    c->partitions[c->count++].entries = true;
    return WISP_OK;
}

/* By powers of two: the aim is only that no large one comes last. */
static void sort_by_weight(compilation *c)
{
    uint32_t at = 0;
    for (unsigned bit = 64; bit-- > 0;)
        for (uint32_t i = 0; i < c->count; i++)
            if (63u - (unsigned)__builtin_clzll(c->partitions[i].weight | 1) == bit) c->order[at++] = i;
}

/* ---- threads ---- */

static void fail(compilation *c, wisp_status status, const wisp_report *report)
{
    if (atomic_flag_test_and_set(&c->failing)) return;
    c->status = status;
    c->report = *report;
    atomic_store(&c->stop, true);
}

static void tell(compilation *c, uint32_t functions)
{
    __atomic_add_fetch(&c->done, functions, __ATOMIC_RELEASE);
    __atomic_add_fetch(&c->events, 1, __ATOMIC_RELEASE);
    os_wake_all(&c->events);
}

static void compile_partition(compilation *c, partition *p)
{
    wisp_report report = {0};
    wisp_status status = wasm_codegen_object(&p->object, &p->object_size, c->job->module, &c->options, p->first,
                                             p->count, p->entries, &report);
    if (status != WISP_OK) fail(c, status, &report);
    tell(c, p->count);
}

static void work(void *context)
{
    compilation *c = context;
    for (uint32_t i; !atomic_load(&c->stop) && (i = atomic_fetch_add(&c->next, 1)) < c->count;)
        compile_partition(c, &c->partitions[c->order[i]]);
    atomic_fetch_sub(&c->running, 1);
    tell(c, 0);
}

static bool report_progress(const compilation *c)
{
    const wasm_compile_job *job = c->job;
    uint32_t done = __atomic_load_n(&c->done, __ATOMIC_ACQUIRE);
    return !job->progress || job->progress(job->context, done, job->module->code_count);
}

/* This thread tells the progress and waits; it compiles only if no other thread could be started. */
static wisp_status run_threads(compilation *c, wisp_report *report)
{
    os_thread *threads[THREADS_MAX];
    uint32_t started = 0, wanted = c->job->threads ? c->job->threads : os_cpu_count();
    if (wanted > THREADS_MAX) wanted = THREADS_MAX;
    if (wanted > c->count) wanted = c->count;
    for (; started < wanted; started++) {
        atomic_fetch_add(&c->running, 1);
        if (os_thread_start(&threads[started], work, c, NULL) == WISP_OK) continue;
        atomic_fetch_sub(&c->running, 1);
        break;
    }
    bool cancelled = false;
    if (!started) {
        for (uint32_t i = 0; i < c->count && !atomic_load(&c->stop) && !cancelled; i++) {
            compile_partition(c, &c->partitions[c->order[i]]);
            cancelled = !report_progress(c);
        }
    }
    for (;;) {
        uint32_t events = __atomic_load_n(&c->events, __ATOMIC_ACQUIRE);
        if (!cancelled && !report_progress(c)) {
            cancelled = true;
            atomic_store(&c->stop, true);
        }
        if (atomic_load(&c->running) == 0) break;
        os_wait(&c->events, events);
    }
    for (uint32_t i = 0; i < started; i++)
        os_thread_join(threads[i]);
    if (c->status != WISP_OK) {
        if (report && report->status == WISP_OK) *report = c->report;
        return c->status;
    }
    return cancelled ? base_fail(report, WISP_E_CANCELLED, "compiling was cancelled") : WISP_OK;
}

/* ---- the image ---- */

static wisp_status link_all(compilation *c, base_buffer *image, wisp_report *report)
{
    const wasm_module *m = c->job->module;
    base_span *objects = base_calloc(c->count, sizeof *objects);
    if (!objects) return no_memory(report);
    for (uint32_t i = 0; i < c->count; i++)
        objects[i] = (base_span){c->partitions[i].object, c->partitions[i].object_size};
    wasm_link_input in = {.objects = objects,
                          .object_count = c->count,
                          .target = c->options.target,
                          .flags = c->options.flags,
                          .first_func = m->imported_funcs,
                          .func_count = m->code_count,
                          .type_count = m->type_count};
    wasm_module_code_digest(m, c->options.replaceable, c->options.replaceable_count, in.module);
    wisp_status status = wasm_link(image, &in, report);
    base_free(objects);
    return status;
}

static wisp_status compile(compilation *c, base_buffer *image, wisp_report *report)
{
    BASE_TRY(divide(c, report));
    sort_by_weight(c);
    BASE_TRY(run_threads(c, report));
    return link_all(c, image, report);
}

wisp_status wasm_compile(base_buffer *image, const wasm_compile_job *job, wisp_report *report)
{
    const wasm_native_options *options = &job->options;
    if (!wasm_native_target_name(options->target) || options->flags & ~(uint32_t)WASM_NATIVE_ALL_FLAGS)
        return base_fail(report, WISP_E_USAGE, "native code: an unknown target or option");
    compilation c = {.job = job,
                     .options = {.target = (enum wasm_native_target)options->target,
                                 .flags = options->flags,
                                 .replaceable = options->replaceable,
                                 .replaceable_count = options->replaceable_count},
                     .failing = ATOMIC_FLAG_INIT};
    wisp_status status = compile(&c, image, report);
    for (uint32_t i = 0; i < c.count; i++)
        base_free(c.partitions[i].object);
    base_free(c.partitions);
    base_free(c.order);
    return status;
}
