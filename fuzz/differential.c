#include "differential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wasm/machine.h" /* to set a global */

enum { ROUNDS = 2, LINES_MAX = 2000 };

typedef struct recorder {
    base_buffer *out;
    bool elsewhere;
    uint32_t lines;
} recorder;

static wisp_status log_value(void *context, wasm_instance *caller, wasm_value *v)
{
    recorder *r = context;
    (void)caller;
    if (r->lines++ < LINES_MAX) base_putf(r->out, "log %x\n", v[0].u32);
    return WISP_OK;
}

static wisp_status mix(void *context, wasm_instance *caller, wasm_value *v)
{
    recorder *r = context;
    (void)caller;
    if (r->lines++ < LINES_MAX)
        base_putf(r->out, "mix %llx %llx\n", (unsigned long long)v[0].u64, (unsigned long long)v[1].u64);
    v[0].u64 = (v[0].u64 * 31 + v[1].u64) ^ 0x9e3779b97f4a7c15u;
    return WISP_OK;
}

static const wasm_host_function functions[] = {{"log", "(i)", log_value}, {"mix", "(II)I", mix}};

static bool is_nan(wasm_type type, wasm_value v)
{
    return (type == WASM_F32 && v.f32 != v.f32) || (type == WASM_F64 && v.f64 != v.f64);
}

/* References print as null or not: addresses differ from run to run. */
static void put_value(base_buffer *out, wasm_type type, wasm_value v, bool elsewhere)
{
    if (type >> 24)
        base_putf(out, " %s", v.ref ? "ref" : "null");
    else if (elsewhere && is_nan(type, v))
        base_put_text(out, " nan"); /* JavaScript does not keep the bits */
    else if (type == WASM_V128)
        base_putf(out, " %016llx%016llx", (unsigned long long)v.words[1], (unsigned long long)v.words[0]);
    else if (type == WASM_I32 || type == WASM_F32)
        base_putf(out, " %x", v.u32);
    else
        base_putf(out, " %llx", (unsigned long long)v.u64);
}

static wasm_value argument(wasm_type type, uint32_t n)
{
    static const uint64_t edges[] = {0, 1, 0x3fc00001bfffffff, 0x8000000080000000, 0x3ff000003f800000, 5};
    uint64_t bits = edges[n % 6];
    if (n >= 12) bits ^= (n * 0x9e3779b97f4a7c15u) >> (n % 4 * 20); /* wide and narrow ones */
    if (type >> 24) return (wasm_value){.ref = NULL};
    if (type == WASM_I32 || type == WASM_F32) return (wasm_value){.u64 = (uint32_t)bits};
    if (type == WASM_V128) return (wasm_value){.words = {bits, edges[(n + 1) % 6]}};
    return (wasm_value){.u64 = bits};
}

static uint32_t hash_of(const uint8_t *data, uint64_t size)
{
    uint32_t h = (uint32_t)size, word;
    for (uint64_t i = 0; i + 4 <= size; i += 4) {
        memcpy(&word, data + i, sizeof word);
        h = (h ^ word) * 16777619u;
    }
    return h;
}

static void put_state(const recorder *r, wasm_instance *instance, const wasm_module *module)
{
    base_buffer *out = r->out;
    for (uint32_t i = 0; i < wasm_module_export_count(module); i++) {
        const wasm_export_info *e = wasm_module_export(module, i);
        wasm_extern found;
        if (!wasm_instance_export(instance, (const char *)e->name.data, e->name.size, &found)) abort();
        if (e->kind == WASM_MEMORY)
            base_putf(out, "memory %x\n", hash_of(wasm_memory_data(found.memory), wasm_memory_size(found.memory)));
        if (e->kind != WASM_GLOBAL) continue;
        base_put_text(out, "global");
        put_value(out, wasm_global_type(found.global), wasm_global_get(found.global), r->elsewhere);
        base_put_text(out, "\n");
    }
}

/* The counter that ends loops, full again. */
static void refill(wasm_instance *instance, const wasm_module *module)
{
    wasm_extern last = {.any = NULL}, found;
    for (uint32_t i = 0; i < wasm_module_export_count(module); i++) {
        const wasm_export_info *e = wasm_module_export(module, i);
        if (e->kind != WASM_GLOBAL) continue;
        if (!wasm_instance_export(instance, (const char *)e->name.data, e->name.size, &found)) abort();
        last = found;
    }
    if (last.any) last.global->value.u64 = GENERATE_COUNTER;
}

static void call_export(recorder *r, wasm_instance *instance, const wasm_export_info *e, uint32_t round)
{
    wasm_value arguments[16], results[16];
    wasm_trap trap;
    wisp_report report = {0};
    wasm_extern found;
    if (!wasm_instance_export(instance, (const char *)e->name.data, e->name.size, &found)) abort();
    const wasm_functype *type = wasm_func_type(found.func);
    refill(instance, wasm_instance_module(instance));
    for (uint32_t i = 0; i < type->param_count; i++)
        arguments[i] = argument(type->params[i], round * 3 + i);
    wisp_status status =
        wasm_call(found.func, arguments, type->param_count, results, type->result_count, &trap, &report);
    if (status == WISP_E_INTERNAL || status == WISP_E_USAGE || (status != WISP_OK && !trap.reason[0])) abort();
    base_putf(r->out, "%.*s:", (int)e->name.size, (const char *)e->name.data);
    if (r->elsewhere)
        base_put_text(r->out, status ? " trap" : ""); /* other engines word it otherwise */
    else
        base_putf(r->out, " %d %s", status, status ? trap.reason : "");
    for (uint32_t i = 0; status == WISP_OK && i < type->result_count; i++)
        put_value(r->out, type->results[i], results[i], r->elsewhere);
    base_put_text(r->out, "\n");
}

uint64_t differential_run(base_buffer *transcript, const wasm_module *module, const differential_options *options)
{
    wasm_limits limits = wasm_limits_defaults;
    limits.memory_pages = 8;
    limits.table_elements = 100;
    limits.fuel = options->fuel;
    limits.explicit_checks = options->explicit_checks;
    recorder r = {.out = transcript, .elsewhere = options->elsewhere};
    const wasm_host_module host = {"h", functions, 2, &r};
    const wasm_imports imports = {&host, 1, NULL, 0};
    wasm_store *store;
    wasm_instance *instance;
    wisp_report report = {0};
    if (wasm_store_new(&store, &limits, &report) != WISP_OK) abort();
    wisp_status status = wasm_instance_new(&instance, store, module, &imports, NULL, &report);
    if (status == WISP_OK && options->prepare) status = options->prepare(options->context, instance);
    base_putf(transcript, "instance %d\n", status);
    uint64_t calls = 0;
    const uint32_t rounds = options->rounds ? options->rounds : ROUNDS;
    for (uint32_t round = 0; status == WISP_OK && round < rounds; round++) {
        for (uint32_t i = 0; i < wasm_module_export_count(module); i++) {
            if (wasm_module_export(module, i)->kind != WASM_FUNC) continue;
            call_export(&r, instance, wasm_module_export(module, i), round);
            calls++;
        }
        put_state(&r, instance, module);
    }
    if (options->fuel) base_putf(transcript, "fuel %llu\n", (unsigned long long)wasm_store_fuel(store));
    wasm_store_free(store);
    return calls;
}

const char *differential_first(const base_buffer *a, const base_buffer *b, char out[512])
{
    size_t i = 0, line = 0;
    while (i < a->size && i < b->size && a->data[i] == b->data[i])
        if (a->data[i++] == '\n') line = i;
    if (i == a->size && i == b->size) return NULL;
    const uint8_t *x = memchr(a->data + line, '\n', a->size - line), *y = memchr(b->data + line, '\n', b->size - line);
    snprintf(out, 512, "\"%.*s\" and \"%.*s\"", (int)((x ? x : a->data + a->size) - (a->data + line)),
             (const char *)a->data + line, (int)((y ? y : b->data + b->size) - (b->data + line)),
             (const char *)b->data + line);
    return out;
}
