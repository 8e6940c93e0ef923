/* Instances, core §4.5: imports are resolved and matched, globals, tables, memories and segments made, in that order.
 */
#include <stdio.h>
#include <string.h>

#include "wasm/machine.h"

enum { LOOK_EVERY = 1024 }; /* items, between two looks at interruption */

static wisp_status out_of_memory(wisp_report *report)
{
    return base_fail(report, WISP_E_MEMORY, "wasm: out of memory for an instance");
}

/* ---- functions, globals made by the host ---- */

wisp_status wasm_func_new(wasm_func **out, wasm_store *store, const char *signature, wasm_host_fn fn, void *context,
                          wisp_report *report)
{
    static const char letters[] = "iIfFvre";
    static const wasm_type named[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64, WASM_V128, WASM_FUNCREF, WASM_EXTERNREF};
    size_t size = strlen(signature);
    wasm_type *types = base_realloc_array(NULL, size, sizeof *types);
    wasm_func *func = base_calloc(1, sizeof *func);
    wasm_functype type = {.params = types};
    bool ok = types && func && signature[0] == '(';
    for (size_t i = 1; ok && i < size; i++) {
        const char *letter = strchr(letters, signature[i]);
        if (signature[i] == ')' && !type.results)
            type.results = types + type.param_count;
        else if (letter)
            types[type.param_count + type.result_count] = named[letter - letters];
        else
            ok = false;
        if (letter && *(type.results ? &type.result_count : &type.param_count) < UINT32_MAX)
            (*(type.results ? &type.result_count : &type.param_count))++;
    }
    const wasm_subtype sub = {.super = WASM_NO_INDEX, .group_size = 1, .form = WASM_FORM_FUNC, .is_final = true};
    const wasm_group group = {.types = &type, .subs = &sub, .size = 1};
    uint32_t id = ok && type.results ? wasm_intern_group(store, &group) : WASM_NO_INDEX;
    base_free(types);
    if (id == WASM_NO_INDEX || !func) {
        base_free(func);
        return base_fail(report, ok ? WISP_E_MEMORY : WISP_E_USAGE, "wasm: cannot make a function \"%s\"", signature);
    }
    func->fn = fn;
    func->context = context;
    wasm_func_changed(func);
    func->type_id = id;
    func->type = store->types[id];
    func->store = store;
    func->next = store->funcs;
    store->funcs = func;
    *out = func;
    return WISP_OK;
}

wisp_status wasm_global_new(wasm_global **out, wasm_store *store, wasm_type type, bool is_mutable, wasm_value value,
                            wisp_report *report)
{
    wasm_global *global = base_calloc(1, sizeof *global);
    if (!global) return out_of_memory(report);
    *global = (wasm_global){.value = value, .type = type, .is_mutable = is_mutable, .next = store->globals};
    if (type == WASM_I32) global->value.u64 = value.u32;
    store->globals = global;
    *out = global;
    return WISP_OK;
}

wasm_value wasm_global_get(const wasm_global *global)
{
    return global->value;
}
bool wasm_global_set(wasm_global *global, wasm_value value)
{
    if (!global->is_mutable) return false;
    global->value = value;
    if (global->type == WASM_I32) global->value.u64 = value.u32;
    return true;
}
wasm_type wasm_global_type(const wasm_global *global)
{
    return global->type;
}

/* ---- imports ---- */

static bool span_is(base_span span, const char *text)
{
    return span.size == strlen(text) && (span.size == 0 || memcmp(span.data, text, span.size) == 0);
}

static bool find_extern(const wasm_imports *imports, const wasm_import_info *import, wasm_extern *out)
{
    for (size_t i = 0; i < imports->extern_count; i++) {
        const wasm_named_extern *e = &imports->externs[i];
        if (!span_is(import->module, e->module)) continue;
        if (e->name ? span_is(import->name, e->name)
                    : wasm_instance_export(e->instance, (const char *)import->name.data, import->name.size, out)) {
            if (e->name) *out = e->value;
            return true;
        }
    }
    return false;
}

static const wasm_host_function *find_host(const wasm_imports *imports, const wasm_import_info *import, void **context)
{
    for (size_t i = 0; i < imports->module_count; i++) {
        const wasm_host_module *module = &imports->modules[i];
        if (!span_is(import->module, module->name)) continue;
        for (size_t k = 0; k < module->count; k++) {
            if (!span_is(import->name, module->functions[k].name)) continue;
            *context = module->context;
            return &module->functions[k];
        }
    }
    return NULL;
}

static wisp_status mismatch(const wasm_import_info *import, wisp_report *report)
{
    return base_fail(report, WISP_E_INPUT, "wasm: incompatible import type: \"%.*s\" \"%.*s\"",
                     (int)(import->module.size < 100 ? import->module.size : 100), (const char *)import->module.data,
                     (int)(import->name.size < 100 ? import->name.size : 100), (const char *)import->name.data);
}

static wisp_status unknown(const wasm_import_info *import, wisp_report *report)
{
    return base_fail(report, WISP_E_NOT_FOUND, "wasm: unknown import: \"%.*s\" \"%.*s\"",
                     (int)(import->module.size < 100 ? import->module.size : 100), (const char *)import->module.data,
                     (int)(import->name.size < 100 ? import->name.size : 100), (const char *)import->name.data);
}

/* core §3.3.2 limits: what is there must be within what is asked for. */
static bool range_matches(uint64_t size, const wasm_range *have, const wasm_range *wanted)
{
    return have->is64 == wanted->is64 && size >= wanted->min &&
           (!wanted->has_max || (have->has_max && have->max <= wanted->max));
}

/* A value type of the module, with the store's ids for indices: comparable between modules. */
static wasm_type store_type(const wasm_instance *instance, wasm_type type)
{
    if (!wasm_type_is_ref(type) || (type & WASM_REF_ABSTRACT)) return type;
    return (type & ~0xffffffu) | instance->type_ids[type & 0xffffff];
}

static wisp_status bind_extern(wasm_instance *instance, const wasm_import_info *import, wasm_extern value,
                               wisp_report *report)
{
    const wasm_module *m = instance->module;
    const uint32_t i = import->index;
    if (value.kind != import->kind) return mismatch(import, report);
    bool ok = false;
    switch (value.kind) {
    case WASM_FUNC:
        ok = wasm_store_type_is(instance->store, value.func->type_id, instance->type_ids[m->funcs[i]]);
        instance->funcs[i] = value.func;
        break;
    case WASM_TABLE:
        ok = value.table->type == store_type(instance, m->tables[i].type) &&
             range_matches(value.table->size, &value.table->range, &m->tables[i].range);
        instance->tables[i] = value.table;
        break;
    case WASM_MEMORY:
        ok = range_matches(value.memory->size / WASM_PAGE, &value.memory->range, &m->memories[i]);
        instance->memories[i] = value.memory;
        break;
    case WASM_GLOBAL: {
        wasm_type wanted = store_type(instance, m->globals[i].type);
        ok = value.global->is_mutable == m->globals[i].is_mutable &&
             (m->globals[i].is_mutable ? value.global->type == wanted
                                       : wasm_type_matches(instance->store->subs, value.global->type, wanted));
        instance->globals[i] = value.global;
        break;
    }
    case WASM_TAG:
        ok = value.tag->type_id == instance->type_ids[m->tags[i]];
        instance->tags[i] = value.tag;
        break;
    }
    return ok ? WISP_OK : mismatch(import, report);
}

static wisp_status resolve_imports(wasm_instance *instance, const wasm_imports *imports, wisp_report *report)
{
    static const wasm_imports nothing;
    const wasm_module *m = instance->module;
    if (!imports) imports = &nothing;
    for (uint32_t i = 0; i < m->import_count; i++) {
        const wasm_import_info *import = &m->imports[i];
        if (i % LOOK_EVERY == 0) BASE_TRY(wasm_check_interrupt(instance->store, report));
        wasm_extern value;
        void *context;
        const wasm_host_function *host;
        if (find_extern(imports, import, &value)) {
            BASE_TRY(bind_extern(instance, import, value, report));
        } else if ((host = find_host(imports, import, &context))) {
            if (import->kind != WASM_FUNC) return mismatch(import, report);
            const wasm_functype *type = &m->types[m->funcs[import->index]];
            if (!wasm_signature_matches(host->signature, type)) return mismatch(import, report);
            wasm_func *func = &instance->own_funcs[import->index];
            func->fn = host->fn;
            func->context = context;
            instance->funcs[import->index] = func;
        } else {
            return unknown(import, report);
        }
    }
    return WISP_OK;
}

/* ---- making the parts ---- */

/* The store's ids of the module's types. */
static wisp_status intern_types(wasm_instance *instance, wisp_report *report)
{
    const wasm_module *m = instance->module;
    for (uint32_t i = 0; i < m->type_count; i++) {
        if (m->canonical[i] != i) {
            instance->type_ids[i] = instance->type_ids[m->canonical[i]];
            continue;
        }
        if (m->subs[i].group != i) continue; /* came with the first of its group */
        const wasm_group group = {.types = &m->types[i],
                                  .subs = &m->subs[i],
                                  .start = i,
                                  .size = m->subs[i].group_size,
                                  .ids = instance->type_ids};
        uint32_t id = wasm_intern_group(instance->store, &group);
        if (id == WASM_NO_INDEX) return out_of_memory(report);
        for (uint32_t k = 0; k < group.size; k++)
            instance->type_ids[i + k] = id + k;
    }
    return WISP_OK;
}

static wisp_status allocate(wasm_instance *instance, wisp_report *report)
{
    const wasm_module *m = instance->module;
    instance->funcs = base_calloc(m->func_count, sizeof *instance->funcs);
    instance->own_funcs = base_calloc(m->func_count, sizeof *instance->own_funcs);
    instance->tables = base_calloc(m->table_count, sizeof *instance->tables);
    instance->memories = base_calloc(m->memory_count, sizeof *instance->memories);
    instance->globals = base_calloc(m->global_count, sizeof *instance->globals);
    instance->tags = base_calloc(m->tag_count, sizeof *instance->tags);
    instance->type_ids = base_calloc(m->type_count, sizeof *instance->type_ids);
    instance->elems = base_calloc(m->elem_count, sizeof *instance->elems);
    instance->data_sizes = base_calloc(m->data_count, sizeof *instance->data_sizes);
    if (!instance->funcs || !instance->own_funcs || !instance->tables || !instance->memories || !instance->globals ||
        !instance->tags || !instance->type_ids || !instance->elems || !instance->data_sizes)
        return out_of_memory(report);
    return intern_types(instance, report);
}

static void make_functions(wasm_instance *instance)
{
    const wasm_module *m = instance->module;
    for (uint32_t i = 0; i < m->func_count; i++) {
        wasm_func *func = &instance->own_funcs[i];
        func->instance = instance;
        func->store = instance->store;
        func->type = &m->types[m->funcs[i]];
        func->type_id = instance->type_ids[m->funcs[i]];
        func->index = i;
        if (i >= m->imported_funcs) {
            func->code = &m->codes[i - m->imported_funcs];
            instance->funcs[i] = func;
        }
        wasm_func_changed(func);
    }
}

static wisp_status evaluate(wasm_instance *instance, const wasm_code *code, wasm_value *out, wisp_report *report)
{
    wisp_status status = wasm_evaluate(instance, code, out);
    return status == WISP_OK ? status : base_fail(report, status, "wasm: %s", instance->store->reason);
}

static wisp_status make_globals(wasm_instance *instance, wisp_report *report)
{
    const wasm_module *m = instance->module;
    for (uint32_t i = m->imported_globals; i < m->global_count; i++) {
        wasm_value value;
        if (i % LOOK_EVERY == 0) BASE_TRY(wasm_check_interrupt(instance->store, report));
        BASE_TRY(evaluate(instance, &m->globals[i].init, &value, report));
        BASE_TRY(wasm_global_new(&instance->globals[i], instance->store, store_type(instance, m->globals[i].type),
                                 m->globals[i].is_mutable, value, report));
    }
    return WISP_OK;
}

static wisp_status make_tables_and_memories(wasm_instance *instance, wisp_report *report)
{
    const wasm_module *m = instance->module;
    for (uint32_t i = m->imported_tables; i < m->table_count; i++) {
        wasm_value initial = {.ref = NULL};
        if (m->tables[i].init.start) BASE_TRY(evaluate(instance, &m->tables[i].init, &initial, report));
        BASE_TRY(wasm_table_new(&instance->tables[i], instance->store, store_type(instance, m->tables[i].type),
                                m->tables[i].range, initial.ref, report));
    }
    for (uint32_t i = m->imported_memories; i < m->memory_count; i++)
        BASE_TRY(wasm_memory_new(&instance->memories[i], instance->store, m->memories[i], report));
    instance->memory0 = m->memory_count ? instance->memories[0] : &instance->store->no_memory;
    for (uint32_t i = m->imported_tags; i < m->tag_count; i++) {
        wasm_tag *tag = base_calloc(1, sizeof *tag);
        if (!tag) return out_of_memory(report);
        *tag = (wasm_tag){
            .type_id = instance->type_ids[m->tags[i]], .type = &m->types[m->tags[i]], .next = instance->store->tags};
        instance->store->tags = instance->tags[i] = tag;
    }
    return WISP_OK;
}

static wisp_status make_elems(wasm_instance *instance, wisp_report *report)
{
    const wasm_module *m = instance->module;
    for (uint32_t i = 0; i < m->elem_count; i++) {
        const wasm_elem *elem = &m->elems[i];
        wasm_refs *refs = &instance->elems[i];
        refs->items = base_calloc(elem->count, sizeof *refs->items);
        if (!refs->items) return out_of_memory(report);
        refs->count = elem->count;
        for (uint32_t k = 0; k < elem->count; k++) {
            wasm_value value;
            if (k % LOOK_EVERY == 0) BASE_TRY(wasm_check_interrupt(instance->store, report));
            if (elem->funcs)
                value.ref = instance->funcs[elem->funcs[k]];
            else
                BASE_TRY(evaluate(instance, &elem->exprs[k], &value, report));
            refs->items[k] = value.ref;
        }
    }
    for (uint32_t i = 0; i < m->data_count; i++)
        instance->data_sizes[i] = m->datas[i].bytes.size;
    return WISP_OK;
}

static wisp_status segment_trap(wasm_store *store, wasm_trap_kind kind, wasm_trap *trap, wisp_report *report)
{
    wisp_status status = wasm_trap_raise(store, kind);
    if (trap) wasm_trap_capture(store, trap);
    return base_fail(report, status, "wasm: %s in an active segment", store->reason);
}

/* core §4.5.4 steps for active and declared segments: elements first, each dropped once it is in place. */
static wisp_status run_segments(wasm_instance *instance, wasm_trap *trap, wisp_report *report)
{
    const wasm_module *m = instance->module;
    wasm_value at;
    for (uint32_t i = 0; i < m->elem_count; i++) {
        BASE_TRY(wasm_check_interrupt(instance->store, report));
        if (m->elems[i].mode == WASM_SEGMENT_ACTIVE) {
            BASE_TRY(evaluate(instance, &m->elems[i].offset, &at, report));
            if (!wasm_table_init(instance, m->elems[i].table, i, at.u64, 0, m->elems[i].count))
                return segment_trap(instance->store, WASM_TRAP_TABLE, trap, report);
        }
        if (m->elems[i].mode != WASM_SEGMENT_PASSIVE) instance->elems[i].count = 0;
    }
    for (uint32_t i = 0; i < m->data_count; i++) {
        BASE_TRY(wasm_check_interrupt(instance->store, report));
        if (m->datas[i].mode == WASM_SEGMENT_PASSIVE) continue;
        BASE_TRY(evaluate(instance, &m->datas[i].offset, &at, report));
        if (!wasm_memory_init(instance, m->datas[i].memory, i, at.u64, 0, m->datas[i].bytes.size))
            return segment_trap(instance->store, WASM_TRAP_MEMORY, trap, report);
        instance->data_sizes[i] = 0;
    }
    return wasm_check_interrupt(instance->store, report); /* a copy that was interrupted is not whole */
}

static wisp_status build(wasm_instance *instance, const wasm_imports *imports, wasm_trap *trap, wisp_report *report)
{
    BASE_TRY(allocate(instance, report));
    make_functions(instance);
    BASE_TRY(resolve_imports(instance, imports, report));
    BASE_TRY(make_globals(instance, report));
    BASE_TRY(make_tables_and_memories(instance, report));
    BASE_TRY(make_elems(instance, report));
    return run_segments(instance, trap, report);
}

wisp_status wasm_instance_new(wasm_instance **out, wasm_store *store, const wasm_module *module,
                              const wasm_imports *imports, wasm_trap *trap, wisp_report *report)
{
    if (trap) memset(trap, 0, sizeof *trap);
    store->exceeded = WASM_LIMIT_NONE;
    if (store->limits.instances && store->instance_count >= store->limits.instances) {
        store->exceeded = WASM_LIMIT_INSTANCES;
        return base_fail(report, WISP_E_LIMIT, "wasm: more than %u instances", store->limits.instances);
    }
    wasm_instance *instance = base_calloc(1, sizeof *instance);
    if (!instance) return out_of_memory(report);
    store->instance_count++;
    instance->store = store;
    instance->module = module;
    instance->memory0 = &store->no_memory;
    instance->next = store->instances;
    store->instances = instance;
    const bool outermost = !store->host_depth && !store->alarm.ring;
    if (outermost) wasm_begin_deadline(store);
    wisp_status status = build(instance, imports, trap, report);
    if (outermost) wasm_end_deadline(store);
    if (status == WISP_OK) *out = instance;
    return status;
}

wisp_status wasm_instance_start(wasm_instance *instance, wasm_trap *trap, wisp_report *report)
{
    if (trap) memset(trap, 0, sizeof *trap);
    if (instance->module->start == WASM_NO_INDEX) return WISP_OK;
    return wasm_call(instance->funcs[instance->module->start], NULL, 0, NULL, 0, trap, report);
}

wisp_status wasm_instance_replace(wasm_instance *instance, uint32_t func, const char *signature, wasm_host_fn fn,
                                  void *context, wisp_report *report)
{
    const wasm_module *m = instance->module;
    if (func < m->imported_funcs || func >= m->func_count)
        return base_fail(report, WISP_E_NOT_FOUND, "wasm: no defined function %u to replace", func);
    wasm_func *f = &instance->own_funcs[func];
    if (!wasm_signature_matches(signature, f->type))
        return base_fail(report, WISP_E_INPUT, "wasm: function %u is not of type %s", func, signature);
    f->code = NULL;
    f->native = NULL;
    f->native_context = NULL;
    f->fn = fn;
    f->context = context;
    wasm_func_changed(f);
    return WISP_OK;
}

/* ---- looking in ---- */

wasm_store *wasm_instance_store(const wasm_instance *instance)
{
    return instance->store;
}
const wasm_module *wasm_instance_module(const wasm_instance *instance)
{
    return instance->module;
}

bool wasm_instance_export(const wasm_instance *instance, const char *name, size_t size, wasm_extern *out)
{
    const wasm_export_info *e = wasm_module_find_export(instance->module, name, size);
    if (!e) return false;
    out->kind = e->kind;
    switch (e->kind) {
    case WASM_FUNC:
        out->func = instance->funcs[e->index];
        break;
    case WASM_TABLE:
        out->table = instance->tables[e->index];
        break;
    case WASM_MEMORY:
        out->memory = instance->memories[e->index];
        break;
    case WASM_GLOBAL:
        out->global = instance->globals[e->index];
        break;
    case WASM_TAG:
        out->tag = instance->tags[e->index];
        break;
    }
    return true;
}

wasm_func *wasm_instance_find_func(const wasm_instance *instance, const char *name)
{
    wasm_extern e;
    return wasm_instance_export(instance, name, strlen(name), &e) && e.kind == WASM_FUNC ? e.func : NULL;
}

wasm_func *wasm_instance_func(const wasm_instance *instance, uint32_t index)
{
    return index < instance->module->func_count ? instance->funcs[index] : NULL;
}

wasm_table *wasm_instance_table(const wasm_instance *instance, uint32_t index)
{
    return index < instance->module->table_count ? instance->tables[index] : NULL;
}

wasm_memory *wasm_instance_memory(const wasm_instance *instance, uint32_t index)
{
    return index < instance->module->memory_count ? instance->memories[index] : NULL;
}
