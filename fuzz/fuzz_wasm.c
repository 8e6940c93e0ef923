/* Must reach: wasm_module_new (decode_section, wasm_validate_function, wasm_validate_constant), wasm_instance_new,
 * wasm_interpret, wasm_instance_replace, wasm_trap_capture, wasm_module_func_name. */
#include <stdlib.h>
#include <string.h>

#include "wasm/wasm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static wisp_status host(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)context;
    uint8_t *p = wasm_memory_at(caller, v[0].u32, 16);
    if (p) p[15] ^= 1;
    v[0].u32 = p ? p[0] : 1;
    return p || caller ? WISP_OK : WISP_E_TRAP;
}

/* Calls back into whatever is exported as "f": host recursion. */
static wisp_status again(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)context, (void)v;
    wasm_func *f = wasm_instance_find_func(caller, "f");
    if (!f || wasm_func_type(f)->param_count || wasm_func_type(f)->result_count) return WISP_OK;
    return wasm_call(f, NULL, 0, NULL, 0, NULL, NULL);
}

static const wasm_host_function functions[] = {{"h", "(i)i", host}, {"a", "()", again}};
static const wasm_host_module module_h = {"h", functions, 2, NULL};

static const wasm_decode_limits decode_limits = {
    .items = 5000, .params = 100, .locals = 2000, .operands = 2000, .nesting = 200};

static void call_export(wasm_instance *instance, const wasm_export_info *e, uint64_t argument)
{
    wasm_value values[100] = {{.u64 = 0}}, results[100];
    wasm_trap trap;
    wasm_extern found;
    if (e->kind != WASM_FUNC) return;
    if (!wasm_instance_export(instance, (const char *)e->name.data, e->name.size, &found)) abort();
    const wasm_functype *type = wasm_func_type(found.func);
    for (uint32_t i = 0; i < type->param_count; i++)
        if (type->params[i] >> 24 == 0)
            values[i].u64 = argument + i; /* references stay null */
        else if (!(type->params[i] & WASM_REF_NULL))
            return;
    wisp_report report = {0};
    wisp_status status = wasm_call(found.func, values, type->param_count, results, type->result_count, &trap, &report);
    if (status == WISP_E_INTERNAL || status == WISP_E_USAGE) abort();
    if (status != WISP_OK && !trap.reason[0]) abort();
}

static void run(const wasm_module *module)
{
    static const wasm_limits limits = {.memory_pages = 4,
                                       .table_elements = 500,
                                       .memories = 4,
                                       .tables = 8,
                                       .call_depth = 60,
                                       .stack_bytes = 64 << 10,
                                       .host_depth = 5,
                                       .fuel = 20000};
    wasm_store *store;
    wasm_instance *instance;
    wasm_trap trap;
    if (wasm_store_new(&store, &limits, NULL)) return;
    wasm_imports imports = {&module_h, 1, NULL, 0};
    if (wasm_instance_new(&instance, store, module, &imports, &trap, NULL) == WISP_OK &&
        wasm_instance_start(instance, &trap, NULL) == WISP_OK) {
        uint32_t count = wasm_module_export_count(module);
        for (uint32_t i = 0; i < count && i < 20; i++)
            call_export(instance, wasm_module_export(module, i), i * 0x10001u);
        for (uint32_t i = 0; i < wasm_module_func_count(module) && i < 3; i++) {
            wisp_status status = wasm_instance_replace(instance, i, "(i)i", host, NULL, NULL);
            (void)status;
        }
        for (uint32_t i = 0; i < count && i < 20; i++)
            call_export(instance, wasm_module_export(module, i), UINT64_MAX - i);
    }
    wasm_store_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wasm_module *module;
    wisp_report report = {0};
    /* a copy of the exact size, so that a read past the end is seen */
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes) return 0;
    memcpy(bytes, data, size);
    wisp_status status = wasm_module_new(&module, (base_span){bytes, size}, &decode_limits, &report);
    if (status == WISP_OK) {
        run(module);
        wasm_module_free(module);
    } else if (status != report.status || !report.text[0]) {
        abort();
    }
    free(bytes);
    return 0;
}
