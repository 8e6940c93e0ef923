/* Instances of include/wisp/module.h: limits, grants, life. */
#include <string.h>

#include "host/native.h"
#include "host/plain.h"
#include "host/sized.h"

enum { STACK_MIN = 4096, STACK_MAX = 1 << 30, DEPTH_MAX = 10000000, PAGE = 65536 };

/* ---- limits and grants ---- */

static wisp_status set_limits(wisp_instance *instance, wasm_limits *out, const wisp_limits *limits, wisp_report *report)
{
    const uint64_t memory = limits->memory ? limits->memory : 4ull << 30;
    *out = wasm_limits_defaults;
    if (limits->stack && (limits->stack < STACK_MIN || limits->stack > STACK_MAX))
        return base_fail(report, WISP_E_USAGE, "wisp_limits: a stack has 4 KiB to 1 GiB");
    if (limits->call_depth > DEPTH_MAX)
        return base_fail(report, WISP_E_USAGE, "wisp_limits: call_depth is at most %d", DEPTH_MAX);
    out->memory_pages = memory / PAGE;
    if (limits->table_elements) out->table_elements = limits->table_elements;
    if (limits->call_depth) out->call_depth = limits->call_depth;
    if (limits->stack) out->stack_bytes = limits->stack;
    out->fuel = limits->fuel;
    out->explicit_checks = limits->explicit_checks;
    out->time_ns = limits->deadline_ms < UINT64_MAX / 1000000 ? limits->deadline_ms * 1000000 : UINT64_MAX;
    const uint64_t tables = out->table_elements < UINT64_MAX / 64 ? out->table_elements * 16 : UINT64_MAX / 4;
    instance->budget.limit = memory < UINT64_MAX - tables ? memory + tables : UINT64_MAX;
    out->budget = &instance->budget;
    return WISP_OK;
}

static bool take_stream(wasi_stream *to, const wisp_stream *from)
{
    static const int kinds[] = {WASI_STREAM_NONE, WASI_STREAM_FD, WASI_STREAM_CALLBACK};
    if ((unsigned)from->kind >= sizeof kinds / sizeof *kinds) return false;
    *to = (wasi_stream){.fd = from->fd, .transfer = from->transfer, .context = from->context};
    to->kind = kinds[from->kind];
    return from->kind == WISP_STREAM_CALLBACK ? from->transfer != NULL : from->kind != WISP_STREAM_FD || from->fd >= 0;
}

static wisp_status check_texts(const char *const *list, size_t count, const char *what, bool named, wisp_report *report)
{
    if (count && !list) return base_fail(report, WISP_E_USAGE, "wisp_wasi: a number of %s, but no list", what);
    for (size_t i = 0; i < count; i++)
        if (!list[i] || (named && (list[i][0] == '=' || !strchr(list[i], '='))))
            return base_fail(report, WISP_E_USAGE, "wisp_wasi: %s %zu is %s", what, i,
                             list[i] ? "not of the form NAME=value" : "NULL");
    return WISP_OK;
}

static wisp_status grant(wisp_instance *instance, const wisp_wasi *wasi, uint32_t open_files, wisp_report *report)
{
    wasi_config config = {.args = wasi->args,
                          .arg_count = wasi->arg_count,
                          .env = wasi->env,
                          .env_count = wasi->env_count,
                          .directory_count = wasi->directory_count,
                          .open_files = open_files,
                          .listeners = wasi->listeners,
                          .listener_count = wasi->listener_count};
    BASE_TRY(check_texts(wasi->args, wasi->arg_count, "args", false, report));
    BASE_TRY(check_texts(wasi->env, wasi->env_count, "env", true, report));
    if (!take_stream(&config.std_in, &wasi->in) || !take_stream(&config.std_out, &wasi->out) ||
        !take_stream(&config.std_err, &wasi->err))
        return base_fail(report, WISP_E_USAGE, "wisp_wasi: a stream without a descriptor or a function");
    if ((wasi->directory_count && !wasi->directories) || (wasi->listener_count && !wasi->listeners))
        return base_fail(report, WISP_E_USAGE, "wisp_wasi: a number of directories or listeners, but no list");
    wasi_directory *directories = base_calloc(wasi->directory_count, sizeof *directories);
    if (!directories) return base_fail(report, WISP_E_MEMORY, "out of memory for directories");
    wisp_status status = WISP_OK;
    for (size_t i = 0; i < wasi->directory_count && status == WISP_OK; i++) {
        const wisp_directory *d = &wasi->directories[i];
        directories[i] = (wasi_directory){d->host, d->guest ? d->guest : d->host, d->read_only};
        if (!d->host) status = base_fail(report, WISP_E_USAGE, "wisp_wasi: directory %zu has no host path", i);
    }
    config.directories = directories;
    if (status == WISP_OK) status = wasi_context_new(&instance->wasi, &config, report);
    base_free(directories);
    return status;
}

static wisp_status count_in(wisp_instance *instance, wisp_report *report)
{
    wisp_engine *engine = instance->module->engine;
    if (!engine) return WISP_OK;
    uint32_t before = atomic_fetch_add(&engine->instances, 1);
    instance->counted = true;
    if (engine->options.instances && before >= engine->options.instances)
        return base_fail(report, WISP_E_LIMIT, "the engine has %u instances, as many as it may have",
                         engine->options.instances);
    return WISP_OK;
}

/* ---- native code ---- */

/* The one place where an instance gets native code, if its engine allows it and there is any. */
static wisp_status attach_native(wisp_instance *instance, wisp_report *report)
{
    wisp_module *m = instance->module;
    host_native_options options = {.policy = m->engine ? m->engine->options.native : WISP_NATIVE_CACHED,
                                   .file = wasm_module_bytes(m->wasm),
                                   .identity = m->map.data ? &m->identity : NULL,
                                   .known = &m->native};
    return host_native_attach(&instance->native, instance->wasm, &options, report);
}

const char *wisp_instance_code(const wisp_instance *instance)
{
    return host_native_describe(instance ? instance->native : NULL);
}

/* ---- life ---- */

static wisp_status build(wisp_instance *instance, const wisp_instance_options *given, wisp_report *report)
{
    wisp_instance_options options;
    wisp_limits limits;
    wisp_wasi wasi;
    wasm_limits machine;
    BASE_TRY(host_take_options(&options, sizeof options, given, "wisp_instance_options", report));
    BASE_TRY(host_take_options(&limits, sizeof limits, options.limits, "wisp_limits", report));
    BASE_TRY(host_take_options(&wasi, sizeof wasi, options.wasi, "wisp_wasi", report));
    BASE_TRY(host_check_tables(&options, report));
    BASE_TRY(set_limits(instance, &machine, &limits, report));
    BASE_TRY(count_in(instance, report));
    BASE_TRY(host_check_imports(instance->module, &options, report));
    if (options.wasi) BASE_TRY(grant(instance, &wasi, limits.open_files, report));
    BASE_TRY(wasm_store_new(&instance->store, &machine, report));
    BASE_TRY(host_link(instance, &options, report));
    instance->fuel_limited = limits.fuel != 0;
    instance->time_ns = machine.time_ns;
    return attach_native(instance, report);
}

wisp_status wisp_instance_new(wisp_instance **result, wisp_module *module, const wisp_instance_options *options,
                              wisp_report *report)
{
    if (!result || !module) return base_fail(report, WISP_E_USAGE, "wisp_instance_new: no result or no module given");
    wisp_instance *instance = base_calloc(1, sizeof *instance);
    if (!instance) return base_fail(report, WISP_E_MEMORY, "out of memory for an instance");
    instance->module = module;
    instance->trap.reason = "";
    instance->trap.frames = instance->frames;
    wisp_status status = build(instance, options, report);
    if (status == WISP_OK)
        *result = instance;
    else
        wisp_instance_free(instance);
    return status;
}

void wisp_instance_free(wisp_instance *instance)
{
    if (!instance) return;
    BASE_ASSERT(!instance->active); /* freed from one of its host functions */
    if (instance->counted) atomic_fetch_sub(&instance->module->engine->instances, 1);
    host_native_free(instance->native);
    wasm_store_free(instance->store);
    wasi_context_free(instance->wasi);
    base_free(instance->bindings);
    base_free(instance->frame_names);
    base_free(instance);
}

void wisp_instance_interrupt(wisp_instance *instance)
{
    if (instance) wasm_store_interrupt(instance->store);
}

void wisp_instance_resume(wisp_instance *instance)
{
    if (instance) wasm_store_resume(instance->store);
}

uint64_t wisp_instance_fuel(const wisp_instance *instance)
{
    return instance && instance->fuel_limited ? wasm_store_fuel(instance->store) : UINT64_MAX;
}

void wisp_instance_set_fuel(wisp_instance *instance, uint64_t fuel)
{
    if (!instance) return;
    instance->fuel_limited = fuel != 0;
    wasm_store_set_fuel(instance->store, fuel);
}
