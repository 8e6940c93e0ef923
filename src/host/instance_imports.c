/* Linking: the embedder's tables and WASI against what a module imports, with messages that say what is there. */
#include <string.h>

#include "host/plain.h"

static const char wasi_name[] = "wasi_snapshot_preview1";

wisp_status host_check_tables(const wisp_instance_options *options, wisp_report *report)
{
    if (options->module_count && !options->modules)
        return base_fail(report, WISP_E_USAGE, "wisp_instance_new: module_count without modules");
    for (size_t i = 0; i < options->module_count; i++) {
        const wisp_host_module *m = &options->modules[i];
        if (!m->name || (m->count && !m->functions))
            return base_fail(report, WISP_E_USAGE, "wisp_instance_new: host module %zu has no name or no functions", i);
        for (size_t k = 0; k < m->count; k++) {
            const wisp_host_function *f = &m->functions[k];
            if (!f->name || !f->fn)
                return base_fail(report, WISP_E_USAGE, "wisp_instance_new: function %zu of \"%s\" has no name or no fn",
                                 k, m->name);
            if (!host_signature_valid(f->signature))
                return base_fail(report, WISP_E_USAGE,
                                 "wisp_instance_new: \"%s\" \"%s\": \"%s\" is not a signature, as \"(iI)f\" is",
                                 m->name, f->name, f->signature ? f->signature : "NULL");
        }
    }
    return WISP_OK;
}

static bool is(const char *text, const char *name, size_t size)
{
    return strlen(text) == size && memcmp(text, name, size) == 0;
}

/* The signature under which the import is offered, or NULL. */
static const char *offered(const wisp_instance_options *options, const wisp_extern *import)
{
    for (size_t i = 0; i < options->module_count; i++) {
        const wisp_host_module *m = &options->modules[i];
        for (size_t k = 0; strcmp(m->name, import->module) == 0 && k < m->count; k++)
            if (is(m->functions[k].name, import->name, import->name_size)) return m->functions[k].signature;
    }
    wasm_host_module wasi = wasi_host_module(NULL);
    for (size_t k = 0; options->wasi && strcmp(wasi.name, import->module) == 0 && k < wasi.count; k++)
        if (is(wasi.functions[k].name, import->name, import->name_size)) return wasi.functions[k].signature;
    return NULL;
}

static wisp_status unknown(const wisp_instance_options *options, const wisp_extern *import, wisp_report *report)
{
    const char *why = NULL;
    if (import->kind != WISP_FUNC)
        why = "only functions can be given to a module";
    else if (strcmp(import->module, wasi_name) == 0)
        why = options->wasi ? "WASI preview 1 has no such function" : "no WASI is granted";
    else if (strcmp(import->module, "wasi_unstable") == 0)
        why = "that is a WASI before preview 1: compile again with a wasi-libc of today";
    else if (strncmp(import->module, "wasi:", 5) == 0)
        why = "that is WASI preview 2: compile for preview 1 (wasm32-wasip1)";
    if (why)
        return base_fail(report, WISP_E_NOT_FOUND, "imports the %s \"%.100s\" \"%.100s\": %s",
                         wisp_kind_text(import->kind), import->module, import->name, why);
    base_buffer list = {0};
    if (options->wasi) base_putf(&list, " %s", wasi_name);
    for (size_t i = 0; i < options->module_count && i < 5; i++)
        base_putf(&list, " %.30s", options->modules[i].name);
    base_put_u8(&list, 0);
    base_fail(report, WISP_E_NOT_FOUND,
              "imports the function \"%.100s\" \"%.100s\" %.60s, which nothing offers; there is:%s", import->module,
              import->name, import->type, list.failed || list.size < 2 ? " nothing" : (char *)list.data);
    base_buffer_fini(&list);
    return WISP_E_NOT_FOUND;
}

wisp_status host_check_imports(const wisp_module *module, const wisp_instance_options *options, wisp_report *report)
{
    const wisp_extern *import;
    for (uint32_t i = 0; (import = wisp_module_import(module, i)); i++) {
        const char *signature = import->kind == WISP_FUNC ? offered(options, import) : NULL;
        if (!signature) return unknown(options, import, report);
        if (strcmp(signature, import->type) != 0)
            return base_fail(report, WISP_E_INPUT,
                             "imports the function \"%.100s\" \"%.100s\" as %.60s, but what is offered is %.60s",
                             import->module, import->name, import->type, signature);
    }
    return WISP_OK;
}

/* ---- linking ---- */

static wisp_status call_binding(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)caller;
    const host_binding *b = context;
    return b->fn(b->context, b->instance, (wisp_value *)v);
}

static wisp_status instantiate(wisp_instance *instance, const wasm_host_module *modules, size_t count,
                               wisp_report *report)
{
    wasm_trap trap = {0};
    wasm_imports imports = {.modules = modules, .module_count = count};
    wisp_status status =
        wasm_instance_new(&instance->wasm, instance->store, instance->module->wasm, &imports, &trap, report);
    if (status != WISP_OK) host_record_trap(instance, status, &trap);
    return status;
}

/* The machine hands one context to all functions of a module: each function here is a module of its own, to get its
 * binding. They are looked at in order, so the embedder's tables come before WASI. */
wisp_status host_link(wisp_instance *instance, const wisp_instance_options *options, wisp_report *report)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < options->module_count; i++)
        count += options->modules[i].count;
    instance->bindings = base_calloc(count, sizeof *instance->bindings);
    wasm_host_function *functions = base_calloc(count, sizeof *functions);
    wasm_host_module *modules = base_calloc(count + 1, sizeof *modules);
    wisp_status status = WISP_OK;
    if (!instance->bindings || !functions || !modules)
        status = base_fail(report, WISP_E_MEMORY, "out of memory for host functions");
    for (size_t i = 0; status == WISP_OK && i < options->module_count; i++) {
        const wisp_host_module *m = &options->modules[i];
        for (size_t k = 0; k < m->count; k++, at++) {
            instance->bindings[at] = (host_binding){m->functions[k].fn, m->context, instance};
            functions[at] = (wasm_host_function){m->functions[k].name, m->functions[k].signature, call_binding};
            modules[at] = (wasm_host_module){m->name, &functions[at], 1, &instance->bindings[at]};
        }
    }
    if (status == WISP_OK) {
        if (instance->wasi) modules[at] = wasi_host_module(instance->wasi);
        status = instantiate(instance, modules, count + (instance->wasi != NULL), report);
    }
    base_free(functions);
    base_free(modules);
    return status;
}
