/* Compilations under way in this process: one a module, however many instances wait for it. A thread waits for the
 * compiler; who asked looks at the result when it likes. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "host/native.h"
#include "os/child.h"

struct host_compilation {
    host_compilation *next; /* in the list, while somebody holds it */
    wasm_native_wanted wanted;
    host_native_waiter *waiters;
    uint32_t users;
    uint32_t finished; /* slept on; 1 once the rest does not change any more */
    os_thread *thread;
    os_bell bell;
    atomic_bool unwanted;
    base_buffer module;
    uint32_t *replaceable;
    uint32_t replaceable_count;
    unsigned threads;
    host_native_result result;
    base_buffer image;
    wisp_report report;
};

static atomic_int list_lock;
static host_compilation *list;

static void lock(void)
{
    while (atomic_exchange_explicit(&list_lock, 1, memory_order_acquire))
        os_yield();
}

static void unlock(void)
{
    atomic_store_explicit(&list_lock, 0, memory_order_release);
}

static bool is_wanted(void *context, uint64_t done, uint64_t total)
{
    host_compilation *c = context;
    (void)done, (void)total;
    return !atomic_load_explicit(&c->unwanted, memory_order_relaxed);
}

/* Another process may have compiled it meanwhile. A cache that cannot be written to costs time only. */
static wisp_status obtain(host_compilation *c)
{
    wisp_report why = {0};
    const host_compile_job job = {.module = {c->module.data, c->module.size},
                                  .options = {.target = c->wanted.target,
                                              .flags = c->wanted.flags,
                                              .replaceable = c->replaceable,
                                              .replaceable_count = c->replaceable_count},
                                  .threads = c->threads,
                                  .progress = is_wanted,
                                  .context = c,
                                  .bell = &c->bell};
    c->result.cached = host_native_cache_read(&c->image, &c->wanted, NULL) == WISP_OK;
    if (c->result.cached) return WISP_OK;
    BASE_TRY(host_compile(&c->image, &job, &c->report));
    const base_span image = {c->image.data, c->image.size};
    BASE_TRY(wasm_native_check(image, &c->wanted, &c->report));
    if (host_native_cache_write(image, &c->wanted, &why) != WISP_OK)
        snprintf(c->report.text, sizeof c->report.text, "it is not kept: %.400s", why.text);
    return WISP_OK;
}

static void work(void *context)
{
    host_compilation *c = context;
    c->result.status = obtain(c);
    c->result.image = (base_span){c->image.data, c->image.size};
    c->result.why = c->report.text;
    base_buffer_fini(&c->module);
    c->module = (base_buffer){0};
    lock();
    __atomic_store_n(&c->finished, 1, __ATOMIC_RELEASE);
    for (host_native_waiter *w = c->waiters; w; w = w->next)
        w->done(w->context);
    unlock();
    os_wake_all(&c->finished);
}

static void free_compilation(host_compilation *c)
{
    os_thread_join(c->thread);
    os_bell_close(&c->bell);
    base_buffer_fini(&c->module);
    base_buffer_fini(&c->image);
    base_free(c->replaceable);
    base_free(c);
}

static wisp_status prepare(host_compilation **out, wasm_instance *instance, const wasm_native_wanted *wanted,
                           const wasm_native_options *options, unsigned threads, wisp_report *report)
{
    const size_t size = options->replaceable_count * sizeof *options->replaceable;
    host_compilation *c = base_calloc(1, sizeof *c);
    if (!c) return base_fail(report, WISP_E_MEMORY, "out of memory for native code");
    *c = (host_compilation){.wanted = *wanted,
                            .bell = OS_BELL_NONE,
                            .users = 1,
                            .threads = threads,
                            .replaceable = base_alloc(size),
                            .replaceable_count = options->replaceable_count};
    wisp_status status = c->replaceable ? WISP_OK : base_fail(report, WISP_E_MEMORY, "out of memory for native code");
    if (status == WISP_OK && size) memcpy(c->replaceable, options->replaceable, size);
    if (status == WISP_OK) status = wasm_module_skeleton(&c->module, wasm_instance_module(instance), report);
    if (status == WISP_OK) status = os_bell_open(&c->bell, report);
    if (status == WISP_OK)
        *out = c;
    else
        free_compilation(c);
    return status;
}

/* With the lock held. */
static host_compilation *find(const wasm_native_wanted *wanted)
{
    host_compilation *c = list;
    while (c && memcmp(&c->wanted, wanted, sizeof *wanted) != 0)
        c = c->next;
    return c;
}

static void add_waiter(host_compilation *c, host_native_waiter *waiter)
{
    waiter->next = c->waiters;
    c->waiters = waiter;
    if (c->finished) waiter->done(waiter->context);
}

static host_compilation *join(const wasm_native_wanted *wanted, host_native_waiter *waiter)
{
    host_compilation *c = find(wanted);
    if (!c) return NULL;
    c->users++;
    add_waiter(c, waiter);
    return c;
}

wisp_status host_compilation_join(host_compilation **out, wasm_instance *instance, const wasm_native_wanted *wanted,
                                  const wasm_native_options *options, unsigned threads, host_native_waiter *waiter,
                                  wisp_report *report)
{
    host_compilation *made = NULL;
    lock();
    *out = join(wanted, waiter);
    unlock();
    if (*out) return WISP_OK;
    BASE_TRY(prepare(&made, instance, wanted, options, threads, report));
    lock();
    *out = join(wanted, waiter); /* of somebody who was faster */
    wisp_status status = *out ? WISP_OK : os_thread_start(&made->thread, work, made, report);
    if (!*out && status == WISP_OK) {
        made->next = list;
        *out = list = made;
        add_waiter(made, waiter);
        made = NULL;
    }
    unlock();
    if (made) free_compilation(made);
    return status;
}

const host_native_result *host_compilation_result(const host_compilation *c)
{
    return __atomic_load_n(&c->finished, __ATOMIC_ACQUIRE) ? &c->result : NULL;
}

void host_compilation_wait(const host_compilation *c, uint64_t ns)
{
    os_wait_for(&c->finished, 0, ns);
}

static void take_out(host_compilation *c, host_native_waiter *waiter)
{
    host_native_waiter **w = &c->waiters;
    while (*w && *w != waiter)
        w = &(*w)->next;
    if (*w) *w = waiter->next;
    if (--c->users) return;
    host_compilation **at = &list;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
}

void host_compilation_leave(host_compilation *c, host_native_waiter *waiter)
{
    if (!c) return;
    lock();
    take_out(c, waiter);
    const bool last = c->users == 0;
    unlock();
    if (!last) return;
    atomic_store_explicit(&c->unwanted, true, memory_order_relaxed);
    os_bell_ring(&c->bell);
    free_compilation(c);
}
