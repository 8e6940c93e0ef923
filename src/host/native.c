/* Choosing native code for an instance, and moving to it when it is done. */
#include "host/native.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "host/host.h"
#include "host/trust.h"
#include "os/os.h"

/* The standard engine's images, made by the build (engine_native.S); best target last. */
extern const struct {
    const uint8_t *data;
    uint64_t size;
} host_native_engine[];
extern const uint64_t host_native_engine_count;

struct host_native {
    wasm_instance *instance;
    wasm_store *store;
    wasm_native_wanted wanted;
    host_native_origin origin;
    char why[320], description[380];
    host_native_known *known; /* NULL: there is none */
    bool compile_first;       /* host_native_prepare is to do it */
    host_compilation *compilation;
    host_native_waiter waiter;
    uint32_t *replaceable; /* copied for a compilation */
    uint32_t replaceable_count;
    uint64_t due_ns; /* when it begins */
};

host_native_origin host_native_state(const host_native *n)
{
    return n ? n->origin : HOST_NATIVE_INTERPRETER;
}

const char *host_native_why(const host_native *n)
{
    return n ? n->why : "";
}

static void note(host_native *n, const char *why)
{
    snprintf(n->why, sizeof n->why, "%.300s", why);
}

/* Before it is due nobody has looked for the compiler. */
static bool will_be_compiled(host_native *n)
{
    char path[4096];
    wisp_report report = {0};
    if (n->compilation || host_native_find(path, sizeof path, &report) == WISP_OK) return true;
    note(n, report.text);
    return false;
}

const char *host_native_describe(host_native *n)
{
    static const char *const names[] = {"interpreter",
                                        "interpreter, native code on its way",
                                        "native, made with WISP",
                                        "native, from the file",
                                        "native, from the cache",
                                        "native, compiled now"};
    const bool vain = host_native_state(n) == HOST_NATIVE_COMPILING && !will_be_compiled(n);
    const char *name = names[vain ? HOST_NATIVE_INTERPRETER : host_native_state(n)];
    if (!*host_native_why(n)) return name;
    snprintf(n->description, sizeof n->description, "%s (%.300s)", name, n->why);
    return n->description;
}

static bool use(host_native *n, base_span image, host_native_origin origin)
{
    wisp_report report = {0};
    if (wasm_native_use(n->instance, image, &n->wanted, &report) != WISP_OK) {
        note(n, report.text);
        return false;
    }
    n->origin = origin;
    n->why[0] = 0;
    return true;
}

/* ---- what is there already ---- */

static bool from_engine(host_native *n)
{
    wasm_native_wanted wanted = n->wanted;
    wanted.target = 0;
    for (uint64_t i = host_native_engine_count; i-- > 0;) {
        base_span image = {host_native_engine[i].data, (size_t)host_native_engine[i].size};
        if (!wasm_native_is_of(image, wanted.module)) break; /* all are of one: the other's pages stay untouched */
        if (wasm_native_check(image, &wanted, NULL) != WISP_OK) continue;
        n->wanted.target = 0;
        bool used = use(n, image, HOST_NATIVE_ENGINE);
        n->wanted.target = wasm_native_best_target();
        return used;
    }
    return false;
}

/* Code of a file is as good as who signed all of it. It is copied first, and the copy is what is hashed and used. */
static bool from_section(host_native *n, const host_native_options *options, const wasm_section_info *section)
{
    wisp_report report = {0};
    base_buffer copy = {0};
    base_put(&copy, section->content.data, section->content.size);
    base_span image = {copy.data, copy.size};
    wasm_native_wanted wanted = n->wanted;
    wanted.target = 0;
    bool used = false;
    wisp_status status =
        copy.failed ? base_fail(&report, WISP_E_MEMORY, "out of memory") : wasm_native_check(image, &wanted, &report);
    if (status == WISP_OK) {
        host_trust_query query = {.file = options->file,
                                  .copied = {image, (size_t)(section->content.data - options->file.data)},
                                  .identity = options->identity};
        status = host_trust_check(&query, NULL, &report);
    }
    if (status == WISP_OK) {
        n->wanted.target = 0;
        used = use(n, image, HOST_NATIVE_FILE);
        n->wanted.target = wasm_native_best_target();
    } else {
        base_fail_prefix(&report, status, "native code in the file is not used");
        note(n, report.text);
    }
    base_buffer_fini(&copy);
    return used;
}

static bool from_file(host_native *n, const host_native_options *options)
{
    const wasm_module *m = wasm_instance_module(n->instance);
    const base_span file = options->file, bytes = wasm_module_bytes(m);
    if (!file.data || bytes.data != file.data || bytes.size != file.size) return false;
    for (uint32_t target = WASM_TARGET_END; target-- > 1;) {
        char name[40];
        if (!wasm_native_runs(target)) continue;
        snprintf(name, sizeof name, HOST_NATIVE_SECTION "%s", wasm_native_target_name(target));
        const wasm_section_info *section = wasm_module_custom(m, name, 0);
        if (section && from_section(n, options, section)) return true;
    }
    return false;
}

static void lock(host_native_known *known)
{
    while (atomic_exchange_explicit(&known->lock, 1, memory_order_acquire))
        os_yield();
}

static void unlock(host_native_known *known)
{
    atomic_store_explicit(&known->lock, 0, memory_order_release);
}

void host_native_known_fini(host_native_known *known)
{
    base_buffer_fini(&known->image);
}

/* The digest of so many megabytes is made once a module. */
static void find_digest(host_native *n, const host_native_options *options)
{
    host_native_known *known = options->known;
    bool found = false;
    if (known) {
        lock(known);
        found = known->digested;
        memcpy(n->wanted.module, known->digest, sizeof known->digest);
        unlock(known);
    }
    if (found) return;
    wasm_module_code_digest(wasm_instance_module(n->instance), options->replaceable, options->replaceable_count,
                            n->wanted.module);
    if (!known) return;
    lock(known);
    memcpy(known->digest, n->wanted.module, sizeof known->digest);
    known->digested = true;
    unlock(known);
}

/* What an earlier instance found in the cache. False: it has to be asked. */
static bool recall(host_native *n, host_native_known *known, bool *used)
{
    lock(known);
    const bool same = known->flags == n->wanted.flags, absent = same && known->absent;
    const bool kept = same && known->image.size != 0; /* once there it stays as it is */
    unlock(known);
    *used = kept && use(n, (base_span){known->image.data, known->image.size}, HOST_NATIVE_CACHE);
    if (absent && !n->why[0]) note(n, "not compiled yet");
    return absent || kept;
}

/* Takes the image over when it is wanted a second time: one instance alone need not have it in memory twice. */
static void remember(host_native_known *known, uint32_t flags, bool found, base_buffer *image)
{
    lock(known);
    if (!known->image.size) {
        const bool again = known->present && known->flags == flags;
        known->flags = flags;
        known->absent = !found;
        known->present = found;
        if (found && again) {
            known->image = *image;
            *image = (base_buffer){0};
        }
    }
    unlock(known);
}

static bool from_cache(host_native *n)
{
    base_buffer image = {0};
    wisp_report report = {0};
    bool used = false;
    if (n->known && recall(n, n->known, &used)) return used;
    wisp_status status = host_native_cache_read(&image, &n->wanted, &report);
    if (status == WISP_OK)
        used = use(n, (base_span){image.data, image.size}, HOST_NATIVE_CACHE);
    else if (!n->why[0])
        note(n, report.text);
    if (n->known && (used || status == WISP_E_NOT_FOUND)) remember(n->known, n->wanted.flags, used, &image);
    base_buffer_fini(&image);
    return used;
}

/* The cache has it now. */
static void forget_absence(host_native *n)
{
    if (!n->known) return;
    lock(n->known);
    n->known->absent = false;
    unlock(n->known);
}

/* ---- compiling ---- */

static bool is_lasting(wisp_status status)
{
    return status != WISP_E_MEMORY && status != WISP_E_IO && status != WISP_E_CANCELLED;
}

static void remember_refusal(host_native *n, const char *why)
{
    if (!n->known) return;
    lock(n->known);
    if (n->known->flags == n->wanted.flags || !n->known->image.size) {
        n->known->flags = n->wanted.flags;
        n->known->refused = true;
        snprintf(n->known->why, sizeof n->known->why, "%.300s", why);
    }
    unlock(n->known);
}

static bool was_refused(host_native *n)
{
    if (!n->known) return false;
    lock(n->known);
    const bool refused = n->known->refused && n->known->flags == n->wanted.flags;
    if (refused) note(n, n->known->why);
    unlock(n->known);
    return refused;
}

/* Of a compilation that is done; the store's thread. */
static wisp_status take_result(host_native *n, wisp_report *report)
{
    const host_native_result *result = host_compilation_result(n->compilation);
    wisp_status status = result->status;
    n->origin = HOST_NATIVE_INTERPRETER;
    if (status == WISP_OK) {
        if (use(n, result->image, result->cached ? HOST_NATIVE_CACHE : HOST_NATIVE_COMPILED)) note(n, result->why);
        forget_absence(n);
    } else {
        note(n, result->why);
        if (is_lasting(status)) remember_refusal(n, result->why);
        base_fail(report, status, "%s", result->why);
    }
    host_compilation_leave(n->compilation, &n->waiter);
    n->compilation = NULL;
    return status;
}

static wisp_status join(host_native *n, unsigned threads, void (*done)(void *), wisp_report *report)
{
    const wasm_native_options options = {.target = n->wanted.target,
                                         .flags = n->wanted.flags,
                                         .replaceable = n->replaceable,
                                         .replaceable_count = n->replaceable_count};
    n->waiter = (host_native_waiter){.done = done, .context = n};
    return host_compilation_join(&n->compilation, n->instance, &n->wanted, &options, threads, &n->waiter, report);
}

/* On the store's thread. */
static void take(void *context)
{
    host_native *n = context;
    if (n->compilation && host_compilation_result(n->compilation)) (void)take_result(n, NULL);
}

/* On another thread, or this one. */
static void post_take(void *context)
{
    host_native *n = context;
    wasm_store_post(n->store, take, n);
}

/* On the store's thread, at ticks and calls until it is time: a program that ends before that has paid for no thread,
 * no copy of the module and no process. */
static void begin_when_due(void *context)
{
    host_native *n = context;
    wisp_report report = {0};
    if (os_monotonic_ns() < n->due_ns) {
        wasm_store_post(n->store, begin_when_due, n);
        return;
    }
    const unsigned cpus = os_cpu_count(); /* one is left to the program */
    if (join(n, cpus > 1 ? cpus - 1 : 1, post_take, &report) == WISP_OK) return;
    n->origin = HOST_NATIVE_INTERPRETER;
    note(n, report.text);
}

static wisp_status plan(host_native *n, const host_native_options *options, wisp_report *report)
{
    enum { DELAY_MS = 50 };
    const size_t size = options->replaceable_count * sizeof *n->replaceable;
    const bool now = options->policy == WISP_NATIVE_NOW;
    if (!now && was_refused(n)) return WISP_OK;
    n->replaceable = base_alloc(size);
    if (!n->replaceable) return base_fail(report, WISP_E_MEMORY, "out of memory for native code");
    if (size) memcpy(n->replaceable, options->replaceable, size);
    n->replaceable_count = options->replaceable_count;
    n->why[0] = 0;
    n->compile_first = now;
    if (now) return WISP_OK;
    n->due_ns = os_monotonic_ns() + DELAY_MS * 1000000ull;
    n->origin = HOST_NATIVE_COMPILING;
    wasm_store_post(n->store, begin_when_due, n);
    return WISP_OK;
}

static void look_later(void *context)
{
    (void)context; /* host_native_prepare looks by itself */
}

static wisp_status wait_for_result(host_native *n, uint64_t time_ns, wisp_report *report)
{
    enum { LOOK_MS = 10 };
    const uint64_t begin = os_monotonic_ns();
    while (!host_compilation_result(n->compilation)) {
        if (wasm_store_interrupted(n->store))
            return base_fail(report, WISP_E_CANCELLED, "interrupted while it was compiled");
        if (time_ns && os_monotonic_ns() - begin >= time_ns)
            return base_fail(report, WISP_E_DEADLINE, "the deadline was reached while it was compiled");
        host_compilation_wait(n->compilation, LOOK_MS * 1000000ull);
    }
    return WISP_OK;
}

wisp_status host_native_prepare(host_native *n, uint64_t time_ns, wisp_report *report)
{
    wisp_report why = {0};
    if (!n || !n->compile_first) return WISP_OK;
    wisp_status status = join(n, 0, look_later, &why);
    if (status == WISP_OK) {
        status = wait_for_result(n, time_ns, report);
        if (status != WISP_OK) { /* another time, perhaps */
            host_compilation_leave(n->compilation, &n->waiter);
            n->compilation = NULL;
            return status;
        }
        status = take_result(n, &why);
    }
    n->compile_first = false;
    if (status == WISP_OK) return WISP_OK;
    note(n, why.text);
    if (status == WISP_E_UNSUPPORTED || status == WISP_E_LIMIT) return WISP_OK;
    return base_fail(report, status, "%s", why.text);
}

static wisp_status choose(host_native *n, const host_native_options *options, wisp_report *report)
{
    if (!n->wanted.target) {
        note(n, "this CPU is not one that native code is made for");
        return WISP_OK;
    }
    if (wasm_module_func_count(wasm_instance_module(n->instance)) ==
        wasm_module_imported_func_count(wasm_instance_module(n->instance)))
        return WISP_OK; /* no code */
    if (from_engine(n) || from_file(n, options) || from_cache(n) || options->policy == WISP_NATIVE_CACHED)
        return WISP_OK;
    return plan(n, options, report);
}

wisp_status host_native_attach(host_native **out, wasm_instance *instance, const host_native_options *options,
                               wisp_report *report)
{
    *out = NULL;
    if (options->policy == WISP_NATIVE_OFF) return WISP_OK;
    host_native *n = base_calloc(1, sizeof *n);
    if (!n) return base_fail(report, WISP_E_MEMORY, "out of memory for native code");
    n->instance = instance;
    n->store = wasm_instance_store(instance);
    n->wanted.target = wasm_native_best_target();
    n->wanted.flags = wasm_native_flags_of(instance);
    n->known = options->known;
    find_digest(n, options);
    wisp_status status = choose(n, options, report);
    if (status != WISP_OK) {
        host_native_free(n);
        return status;
    }
    *out = n;
    return WISP_OK;
}

void host_native_free(host_native *n)
{
    if (!n) return;
    host_compilation_leave(n->compilation, &n->waiter); /* nothing is posted from here on */
    wasm_store_post(n->store, NULL, NULL);
    base_free(n->replaceable);
    base_free(n);
}
