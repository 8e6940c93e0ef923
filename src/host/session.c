/* A session: one instance of the capsule's module, its device and its requests. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "host/host.h"
#include "host/native.h"
#include "host/sized.h"
#include "os/pool.h"
#include "wasi/wasi.h"

enum { EVENT_MAX = 64 << 20, WAITING_MAX = 256 << 20, TABLES_BYTES = 64 << 20, ENGINE_ABI = 1 };

typedef struct waiting_event {
    struct waiting_event *next;
    size_t size;
    char json[];
} waiting_event;

struct wisp_session {
    wisp_capsule *capsule;
    os_pool *pool;
    tensor_executor executor;
    base_budget device_budget, memory_budget;
    tensor_device *device; /* NULL: portable */
    wasi_context *wasi;
    wasm_store *store;
    wasm_instance *instance;
    host_native *native;
    wasm_func *alloc, *free, *init, *submit, *step, *next_event, *cancel;
    bool dead; /* trapped or interrupted: the engine's state is unknown */
    int32_t active;
    waiting_event *first, **last; /* read while looking for another one */
    size_t waiting_bytes;
    waiting_event *current; /* what the last wisp_poll returned */
    base_json_doc *current_doc;
    uint64_t start_ns;
};

/* ---- calling the engine ---- */

static void put_frame(base_buffer *text, const wasm_trap_frame *frame)
{
    if (frame->name.size)
        base_putf(text, "%.*s", (int)(frame->name.size < 80 ? frame->name.size : 80), (const char *)frame->name.data);
    else
        base_putf(text, "function %u", (unsigned)frame->func);
}

/* One line: the reason, where, and who called. */
static wisp_status explain_trap(const wasm_trap *trap, wisp_status status, wisp_report *report)
{
    enum { CALLERS = 4 };
    if (status != WISP_E_TRAP) return status;
    base_buffer where = {0};
    for (uint32_t i = 0; i < trap->frame_count && i <= CALLERS; i++) {
        base_put_text(&where, i == 0 ? " in " : i == 1 ? ", called by " : ", ");
        put_frame(&where, &trap->frames[i]);
        if (i == 0) base_putf(&where, " at 0x%llx", (unsigned long long)trap->frames[0].offset);
    }
    if (trap->depth > CALLERS + 1) base_put_text(&where, ", …");
    base_report_clear(report);
    base_fail(report, status, "the capsule trapped: %s%.*s", trap->reason, where.failed ? 0 : (int)where.size,
              where.size ? (const char *)where.data : "");
    base_buffer_fini(&where);
    return status;
}

static wisp_status call(wisp_session *s, wasm_func *func, const wasm_value *args, size_t count, int32_t *result,
                        wisp_report *report)
{
    wasm_trap trap = {0};
    wasm_value value = {0};
    bool returns = wasm_func_type(func)->result_count == 1;
    if (s->dead) return base_fail(report, WISP_E_USAGE, "the session ended with an error before");
    wisp_status status = wasm_call(func, args, count, &value, returns, &trap, report);
    if (status != WISP_OK) {
        s->dead = true;
        if (status == WISP_E_CANCELLED) return base_fail(report, status, "interrupted");
        if (status == WISP_E_EXIT) return base_fail(report, WISP_E_TRAP, "the capsule's engine exited");
        return explain_trap(&trap, status, report);
    }
    *result = returns ? value.i32 : 0;
    return WISP_OK;
}

/* Calls a function that takes a text: (pointer, size). */
static wisp_status call_with_text(wisp_session *s, wasm_func *func, const char *text, size_t size, int32_t *result,
                                  wisp_report *report)
{
    int32_t address, ignored;
    if (size > INT32_MAX) return base_fail(report, WISP_E_LIMIT, "the request is too long");
    BASE_TRY(call(s, s->alloc, &(wasm_value){.u64 = size}, 1, &address, report));
    void *to = address ? wasm_memory_at(s->instance, (uint32_t)address, size) : NULL;
    if (!to) return base_fail(report, WISP_E_MEMORY, "the sandbox has no memory for a request of %zu bytes", size);
    memcpy(to, text, size);
    wasm_value args[2] = {{.u64 = (uint32_t)address}, {.u64 = size}};
    BASE_TRY(call(s, func, args, 2, result, report));
    return call(s, s->free, args, 1, &ignored, report);
}

/* ---- events ---- */

/* Copies the engine's next event to the end of the list; *more is false if there is none. */
static wisp_status fetch_event(wisp_session *s, bool *more, wisp_report *report)
{
    int32_t address;
    uint32_t size;
    BASE_TRY(call(s, s->next_event, NULL, 0, &address, report));
    *more = address != 0;
    if (!address) return WISP_OK;
    const uint8_t *head = wasm_memory_at(s->instance, (uint32_t)address, sizeof size);
    if (head) memcpy(&size, head, sizeof size);
    const bool room = head && size <= EVENT_MAX && s->waiting_bytes <= WAITING_MAX;
    const uint8_t *text = room ? wasm_memory_at(s->instance, (uint64_t)(uint32_t)address + 4, size) : NULL;
    if (!text) {
        s->dead = true;
        return base_fail(report, WISP_E_TRAP,
                         "the capsule's engine gave events that are too long or outside its memory");
    }
    waiting_event *e = base_alloc(sizeof *e + size + 1);
    if (!e) return base_fail(report, WISP_E_MEMORY, "out of memory for an event");
    e->next = NULL;
    e->size = size;
    memcpy(e->json, text, size);
    e->json[size] = 0;
    *s->last = e;
    s->last = &e->next;
    s->waiting_bytes += sizeof *e + size;
    return WISP_OK;
}

static waiting_event *take_first(wisp_session *s)
{
    waiting_event *e = s->first;
    if (!e) return NULL;
    if (!(s->first = e->next)) s->last = &s->first;
    s->waiting_bytes -= sizeof *e + e->size;
    return e;
}

static void forget_current(wisp_session *s)
{
    base_json_free(s->current_doc);
    base_free(s->current);
    s->current_doc = NULL;
    s->current = NULL;
}

/* A refused request or option answers with an event whose id is null; its message goes to the report. */
static wisp_status refusal(wisp_session *s, const char *otherwise, wisp_report *report)
{
    bool more = true;
    while (more)
        BASE_TRY(fetch_event(s, &more, report));
    for (waiting_event **at = &s->first; *at; at = &(*at)->next) {
        waiting_event *e = *at;
        wisp_event event;
        base_json_doc *doc = NULL;
        bool found = host_read_event(&event, &doc, (base_span){(const uint8_t *)e->json, e->size}, NULL) == WISP_OK &&
                     event.kind == WISP_EVENT_ERROR && event.id == 0;
        if (found) {
            base_fail(report, WISP_E_INPUT, "%s", event.text);
            if (!(*at = e->next)) s->last = at;
            s->waiting_bytes -= sizeof *e + e->size;
            base_free(e);
        }
        base_json_free(doc);
        if (found) return WISP_E_INPUT;
    }
    return base_fail(report, WISP_E_INTERNAL, "%s", otherwise);
}

static wisp_status poll_event(wisp_session *s, wisp_event *event, wisp_report *report)
{
    forget_current(s);
    *event = (wisp_event){.size = sizeof *event};
    while (!s->first) {
        bool more;
        BASE_TRY(fetch_event(s, &more, report));
        if (more) break;
        if (s->active <= 0) return WISP_OK;
        BASE_TRY(call(s, s->step, NULL, 0, &s->active, report));
    }
    s->current = take_first(s);
    return host_read_event(event, &s->current_doc, (base_span){(const uint8_t *)s->current->json, s->current->size},
                           report);
}

wisp_status wisp_poll(wisp_session *s, wisp_event *event, wisp_report *report)
{
    wisp_event own;
    if (!s) return base_fail(report, WISP_E_USAGE, "wisp_poll: no session given");
    BASE_TRY(host_check_result(event, "wisp_event", report));
    wisp_status status = poll_event(s, &own, report);
    host_give_result(event, &own, sizeof own);
    return status;
}

wisp_status wisp_run(wisp_session *s, bool (*on_event)(void *, const wisp_event *), void *context, wisp_report *report)
{
    if (!s || !on_event) return base_fail(report, WISP_E_USAGE, "wisp_run: no session or no function given");
    for (;;) {
        wisp_event event;
        BASE_TRY(poll_event(s, &event, report));
        if (event.kind == WISP_EVENT_NONE) return WISP_OK;
        if (!on_event(context, &event)) return base_fail(report, WISP_E_CANCELLED, "stopped by the caller");
    }
}

/* ---- requests ---- */

wisp_status wisp_submit_json(wisp_session *s, const char *json, size_t size, uint32_t *id, wisp_report *report)
{
    int32_t number;
    if (!s || !json) return base_fail(report, WISP_E_USAGE, "wisp_submit_json: no session or no request given");
    BASE_TRY(call_with_text(s, s->submit, json, size, &number, report));
    if (number <= 0) return refusal(s, "the engine refused the request", report);
    if (s->active < INT32_MAX) s->active++; /* at least; the next step tells */
    if (id) *id = (uint32_t)number;
    return WISP_OK;
}

static wisp_status check_completion(const wisp_completion *c, wisp_report *report)
{
    if (!c->prompt) return base_fail(report, WISP_E_USAGE, "wisp_submit: no prompt given");
    if (!(isfinite(c->temperature) && isfinite(c->top_p) && isfinite(c->min_p) && isfinite(c->repeat_penalty)))
        return base_fail(report, WISP_E_USAGE, "wisp_submit: a sampling parameter is not a finite number");
    return WISP_OK;
}

static void put_completion(base_buffer *out, const wisp_completion *c)
{
    base_put_text(out, "{\"object\":\"text_completion\",\"stream\":true,\"prompt\":");
    base_json_put_string(out, c->prompt, c->prompt_size);
    if (c->max_tokens >= 0) base_putf(out, ",\"max_tokens\":%d", (int)c->max_tokens);
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"temperature", c->temperature},
                   {"top_p", c->top_p},
                   {"min_p", c->min_p},
                   {"repetition_penalty", c->repeat_penalty}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        base_putf(out, ",\"%s\":", numbers[i].name);
        base_json_put_double(out, numbers[i].value);
    }
    base_putf(out, ",\"top_k\":%d,\"seed\":%llu,\"ignore_eos\":%s", (int)c->top_k, (unsigned long long)c->seed,
              c->ignore_eos ? "true" : "false");
    if (c->context_shift) base_put_text(out, ",\"context_shift\":true");
    if (c->keep > 0) base_putf(out, ",\"keep\":%d", (int)c->keep);
    for (size_t i = 0; i < c->stop_count; i++) {
        base_put_text(out, i ? "," : ",\"stop\":[");
        base_json_put_cstr(out, c->stop[i]);
    }
    base_put_text(out, c->stop_count ? "]}" : "}");
}

wisp_status wisp_submit(wisp_session *s, const wisp_completion *completion, uint32_t *id, wisp_report *report)
{
    base_buffer json = {0};
    wisp_completion c;
    if (!s) return base_fail(report, WISP_E_USAGE, "wisp_submit: no session given");
    BASE_TRY(host_take_options(&c, sizeof c, completion, "wisp_completion", report));
    BASE_TRY(check_completion(&c, report));
    put_completion(&json, &c);
    wisp_status status = json.failed ? base_fail(report, WISP_E_MEMORY, "out of memory for a request")
                                     : wisp_submit_json(s, (const char *)json.data, json.size, id, report);
    base_buffer_fini(&json);
    return status;
}

wisp_status wisp_cancel(wisp_session *s, uint32_t id, wisp_report *report)
{
    int32_t result;
    if (!s) return base_fail(report, WISP_E_USAGE, "wisp_cancel: no session given");
    BASE_TRY(call(s, s->cancel, &(wasm_value){.u64 = id}, 1, &result, report));
    return result == 0 ? WISP_OK : base_fail(report, WISP_E_NOT_FOUND, "no unfinished request %u", (unsigned)id);
}

/* ---- making a session ---- */

static wisp_status start_device(wisp_session *s, const wisp_session_options *options, wisp_report *report)
{
    const capsule *parsed = &s->capsule->parsed;
    s->device_budget.limit = options->device_limit ? options->device_limit : os_physical_memory_bytes() / 4 * 3;
    BASE_TRY(os_pool_new(&s->pool, options->threads, report));
    s->executor = (tensor_executor){s->pool, os_pool_threads(s->pool), os_pool_run, os_pool_barrier};
    tensor_options device = {.executor = &s->executor, .cpu_features = os_cpu_features(), .budget = &s->device_budget};
    BASE_TRY(tensor_device_new(&s->device, &device, report));
    for (uint32_t n = 0; n < parsed->segment_count; n++)
        BASE_TRY(tensor_add_weights(s->device, n, parsed->segments[n].data, parsed->segments[n].size, report));
    return host_replace_intrinsics(s->instance, parsed, s->device, report);
}

static wisp_status find_exports(wisp_session *s, wisp_report *report)
{
    const struct {
        const char *name;
        wasm_func **func;
        uint32_t params, results;
    } exports[] = {
        {"wisp_alloc", &s->alloc, 1, 1},   {"wisp_free", &s->free, 1, 0}, {"wisp_init", &s->init, 2, 1},
        {"wisp_submit", &s->submit, 2, 1}, {"wisp_step", &s->step, 0, 1}, {"wisp_next_event", &s->next_event, 0, 1},
        {"wisp_cancel", &s->cancel, 1, 1},
    };
    for (size_t i = 0; i < sizeof exports / sizeof *exports; i++) {
        wasm_func *func = wasm_instance_find_func(s->instance, exports[i].name);
        const wasm_functype *type = func ? wasm_func_type(func) : NULL;
        bool fits = type && type->param_count == exports[i].params && type->result_count == exports[i].results;
        for (uint32_t p = 0; fits && p < type->param_count; p++)
            fits = type->params[p] == WASM_I32;
        for (uint32_t r = 0; fits && r < type->result_count; r++)
            fits = type->results[r] == WASM_I32;
        if (!fits)
            return base_fail(report, WISP_E_UNSUPPORTED, "the capsule's engine has no %s as expected", exports[i].name);
        *exports[i].func = func;
    }
    return WISP_OK;
}

static wisp_status start_engine(wisp_session *s, const wisp_session_options *options, wisp_report *report)
{
    int32_t abi, result;
    wasm_func *get_abi = wasm_instance_find_func(s->instance, "wisp_abi");
    if (!get_abi || wasm_func_type(get_abi)->param_count || wasm_func_type(get_abi)->result_count != 1)
        return base_fail(report, WISP_E_UNSUPPORTED, "the capsule has no engine that WISP knows");
    BASE_TRY(call(s, get_abi, NULL, 0, &abi, report));
    if (abi != ENGINE_ABI)
        return base_fail(report, WISP_E_UNSUPPORTED, "the capsule's engine speaks ABI %d, this host %d", (int)abi,
                         ENGINE_ABI);
    char json[128];
    int n = snprintf(json, sizeof json, "{\"chunk\":%u", options->chunk ? (unsigned)options->chunk : 256u);
    if (options->context_length)
        n += snprintf(json + n, sizeof json - (size_t)n, ",\"context\":%u", (unsigned)options->context_length);
    /* Engines of older capsules do not know it, and refuse what they do not know. */
    static const char *const kv_types[] = {NULL, "f32", "f16", "q8_0", "q4_0"};
    if (kv_types[options->kv_type])
        n += snprintf(json + n, sizeof json - (size_t)n, ",\"kv_type\":\"%s\"", kv_types[options->kv_type]);
    json[n++] = '}';
    BASE_TRY(call_with_text(s, s->init, json, (size_t)n, &result, report));
    return result == 0 ? WISP_OK : refusal(s, "the engine did not start", report);
}

/* The device's functions may be replaced, whether they are or not: the code is the same. */
static wisp_status start_native(wisp_session *s, wisp_native policy, wisp_report *report)
{
    const capsule *parsed = &s->capsule->parsed;
    uint32_t *functions;
    BASE_TRY(host_replaceable(&functions, parsed, report));
    host_native_options options = {.policy = policy,
                                   .replaceable = functions,
                                   .replaceable_count = parsed->intrinsic_count,
                                   .file = wasm_module_bytes(s->capsule->module),
                                   .identity = s->capsule->map.data ? &s->capsule->identity : NULL};
    wisp_status status = host_native_attach(&s->native, s->instance, &options, report);
    base_free(functions);
    return status;
}

static wisp_status start(wisp_session *s, const wisp_session_options *options, wisp_report *report)
{
    wasi_config config = {.args = (const char *const[]){"capsule.wasm"}, .arg_count = 1};
    wasm_limits limits = wasm_limits_defaults;
    wasm_trap trap = {0};
    uint64_t pages = options->memory_limit ? options->memory_limit / 65536 : 65536;
    limits.memory_pages = pages < 65536 ? pages : 65536;
    s->memory_budget.limit = limits.memory_pages * 65536 + TABLES_BYTES;
    limits.budget = &s->memory_budget;
    limits.memories = 1; /* of what a capsule is made, docs/capsule-format.md */
    limits.tables = 16;
    BASE_TRY(wasi_context_new(&s->wasi, &config, report));
    BASE_TRY(wasm_store_new(&s->store, &limits, report));
    wasm_host_module wasi = wasi_host_module(s->wasi);
    wasm_imports imports = {.modules = &wasi, .module_count = 1};
    BASE_TRY(explain_trap(&trap, wasm_instance_new(&s->instance, s->store, s->capsule->module, &imports, &trap, report),
                          report));
    if (options->device == WISP_DEVICE_CPU) BASE_TRY(start_device(s, options, report));
    BASE_TRY(start_native(s, options->native, report));
    if (options->created) options->created(options->created_context, s);
    BASE_TRY(host_native_prepare(s->native, 0, report));
    BASE_TRY(explain_trap(&trap, wasm_instance_start(s->instance, &trap, report), report));
    BASE_TRY(find_exports(s, report));
    return start_engine(s, options, report);
}

wisp_status wisp_session_new(wisp_session **result, wisp_capsule *capsule, const wisp_session_options *options,
                             wisp_report *report)
{
    wisp_session_options own;
    uint64_t begin = os_monotonic_ns();
    if (!result || !capsule) return base_fail(report, WISP_E_USAGE, "wisp_session_new: no result or no capsule given");
    BASE_TRY(host_take_options(&own, sizeof own, options, "wisp_session_options", report));
    if ((unsigned)own.native > WISP_NATIVE_NOW)
        return base_fail(report, WISP_E_USAGE, "wisp_session_options: native is %d, none of wisp_native",
                         (int)own.native);
    if ((unsigned)own.kv_type > WISP_KV_Q4_0)
        return base_fail(report, WISP_E_USAGE, "wisp_session_options: kv_type is %d, none of wisp_kv_type",
                         (int)own.kv_type);
    wisp_session *s = base_calloc(1, sizeof *s);
    if (!s) return base_fail(report, WISP_E_MEMORY, "out of memory");
    s->capsule = capsule;
    s->last = &s->first;
    wisp_status status = start(s, &own, report);
    if (status != WISP_OK) {
        if (own.created) own.created(own.created_context, NULL);
        wisp_session_free(s);
        return status;
    }
    s->start_ns = os_monotonic_ns() - begin;
    *result = s;
    return WISP_OK;
}

void wisp_session_free(wisp_session *s)
{
    if (!s) return;
    forget_current(s);
    for (waiting_event *e; (e = take_first(s));)
        base_free(e);
    host_native_free(s->native);
    wasm_store_free(s->store);
    wasi_context_free(s->wasi);
    tensor_device_free(s->device);
    os_pool_free(s->pool);
    base_free(s);
}

void wisp_session_interrupt(wisp_session *s)
{
    if (!s) return;
    if (s->device) tensor_interrupt(s->device);
    wasm_store_interrupt(s->store);
}

tensor_device *host_session_device(wisp_session *s)
{
    return s->device;
}

const capsule *host_session_capsule(const wisp_session *s)
{
    return &s->capsule->parsed;
}

wisp_status wisp_session_get_stats(const wisp_session *s, wisp_session_stats *stats, wisp_report *report)
{
    if (!s) return base_fail(report, WISP_E_USAGE, "wisp_session_get_stats: no session given");
    BASE_TRY(host_check_result(stats, "wisp_session_stats", report));
    const wisp_session_stats own = {
        .start_ns = s->start_ns,
        .guest_bytes = wasm_memory_size(wasm_instance_memory(s->instance, 0)),
        .device_bytes = s->device_budget.used,
        .peak_resident = os_peak_resident_bytes(),
        .threads = s->pool ? os_pool_threads(s->pool) : 1,
        .code = host_native_describe(s->native),
    };
    host_give_result(stats, &own, sizeof own);
    return WISP_OK;
}
