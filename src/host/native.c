/* Choosing native code for an instance, and moving to it when it is done. */
#include "host/native.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "host/host.h"
#include "host/trust.h"

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
    char why[200];
    host_background *background;
    /* Written by the background thread, then taken by the store's at a tick or call. */
    base_buffer image;
    wisp_status status;
    char background_why[200];
    atomic_bool ready;
};

host_native_origin host_native_state(const host_native *n)
{
    return n ? n->origin : HOST_NATIVE_INTERPRETER;
}

const char *host_native_state_name(host_native_origin origin)
{
    static const char *const names[] = {"interpreter",
                                        "interpreter, native code on its way",
                                        "native, made with WISP",
                                        "native, from the file",
                                        "native, from the cache",
                                        "native, compiled now"};
    return names[origin];
}

const char *host_native_why(const host_native *n)
{
    return n ? n->why : "";
}

static void note(host_native *n, const char *why)
{
    snprintf(n->why, sizeof n->why, "%.199s", why);
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

static bool from_cache(host_native *n)
{
    base_buffer image = {0};
    wisp_report report = {0};
    wisp_status status = host_native_cache_read(&image, &n->wanted, &report);
    if (status != WISP_OK) {
        if (!n->why[0]) note(n, report.text);
        return false;
    }
    bool used = use(n, (base_span){image.data, image.size}, HOST_NATIVE_CACHE);
    base_buffer_fini(&image);
    return used;
}

/* ---- compiling ---- */

/* On the store's thread. */
static void take(void *context)
{
    host_native *n = context;
    if (!atomic_load_explicit(&n->ready, memory_order_acquire) || n->origin != HOST_NATIVE_COMPILING) return;
    n->origin = HOST_NATIVE_INTERPRETER;
    if (n->status == WISP_OK)
        use(n, (base_span){n->image.data, n->image.size}, HOST_NATIVE_COMPILED);
    else
        note(n, n->background_why);
    base_buffer_fini(&n->image);
    n->image = (base_buffer){0};
}

/* On the background thread. */
static void done(void *context, wisp_status status, base_span image, const char *why)
{
    host_native *n = context;
    snprintf(n->background_why, sizeof n->background_why, "%.199s", why);
    if (status == WISP_OK) {
        wisp_report report = {0}; /* a cache that cannot be written to costs time only */
        if (wasm_native_check(image, &n->wanted, NULL) == WISP_OK &&
            host_native_cache_write(image, &n->wanted, &report) != WISP_OK)
            snprintf(n->background_why, sizeof n->background_why, "%.199s", report.text);
        base_put(&n->image, image.data, image.size);
        if (n->image.failed) status = WISP_E_MEMORY;
    }
    n->status = status;
    atomic_store_explicit(&n->ready, true, memory_order_release);
    if (status != WISP_E_CANCELLED) wasm_store_post(n->store, take, n);
}

static void compile_now(host_native *n, const host_compile_job *job)
{
    base_buffer image = {0};
    wisp_report report = {0};
    if (host_compile(&image, job, &report) != WISP_OK) {
        note(n, report.text);
    } else {
        base_span bytes = {image.data, image.size};
        if (use(n, bytes, HOST_NATIVE_COMPILED) && host_native_cache_write(bytes, &n->wanted, &report) != WISP_OK)
            note(n, report.text);
    }
    base_buffer_fini(&image);
}

static wisp_status compile(host_native *n, const host_native_options *options, wisp_report *report)
{
    base_buffer module = {0};
    wisp_report why = {0};
    BASE_TRY(wasm_module_skeleton(&module, wasm_instance_module(n->instance), report));
    host_compile_job job = {.module = {module.data, module.size},
                            .options = {.target = n->wanted.target,
                                        .flags = n->wanted.flags,
                                        .replaceable = options->replaceable,
                                        .replaceable_count = options->replaceable_count}};
    if (options->policy == HOST_NATIVE_NOW) {
        compile_now(n, &job);
    } else {
        job.threads = os_cpu_count() > 1 ? os_cpu_count() - 1 : 1; /* one is left to the program */
        n->origin = HOST_NATIVE_COMPILING;                         /* before the thread could be done */
        n->why[0] = 0;
        if (host_background_start(&n->background, &job, done, n, &why) != WISP_OK) {
            n->origin = HOST_NATIVE_INTERPRETER;
            note(n, why.text);
        }
    }
    base_buffer_fini(&module);
    return WISP_OK;
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
    if (from_engine(n) || from_file(n, options) || from_cache(n) || options->policy == HOST_NATIVE_CACHED)
        return WISP_OK;
    return compile(n, options, report);
}

wisp_status host_native_attach(host_native **out, wasm_instance *instance, const host_native_options *options,
                               wisp_report *report)
{
    *out = NULL;
    if (options->policy == HOST_NATIVE_OFF) return WISP_OK;
    host_native *n = base_calloc(1, sizeof *n);
    if (!n) return base_fail(report, WISP_E_MEMORY, "out of memory for native code");
    n->instance = instance;
    n->store = wasm_instance_store(instance);
    n->wanted.target = wasm_native_best_target();
    n->wanted.flags = wasm_native_flags_of(instance);
    wasm_module_code_digest(wasm_instance_module(instance), options->replaceable, options->replaceable_count,
                            n->wanted.module);
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
    host_background_free(n->background);
    wasm_store_post(n->store, NULL, NULL);
    base_buffer_fini(&n->image);
    base_free(n);
}
