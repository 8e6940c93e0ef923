/* Calls, traps, memory and globals of an instance. */
#include <stdio.h>
#include <string.h>

#include "host/plain.h"

/* Values pass between the API and the machine as they are. */
_Static_assert(sizeof(wisp_value) == sizeof(wasm_value) && _Alignof(wisp_value) == _Alignof(wasm_value), "one layout");

enum { LIST_MAX = 32 };

/* ---- traps ---- */

/* Names become terminated texts of the instance's own; without memory for them there are none. */
static void copy_names(wisp_instance *instance, const wasm_trap *trap)
{
    base_buffer names = {0};
    for (uint32_t i = 0; i < trap->frame_count; i++) {
        base_put(&names, trap->frames[i].name.data, trap->frames[i].name.size);
        base_put_u8(&names, 0);
    }
    base_free(instance->frame_names);
    instance->frame_names = (char *)names.data;
    const char *at = instance->frame_names;
    for (uint32_t i = 0; !names.failed && i < trap->frame_count; i++) {
        if (trap->frames[i].name.size) instance->frames[i].name = at;
        at += trap->frames[i].name.size + 1;
    }
}

void host_record_trap(wisp_instance *instance, wisp_status status, const wasm_trap *trap)
{
    snprintf(instance->reason, sizeof instance->reason, "%s", trap->reason);
    instance->trap = (wisp_trap){.status = status,
                                 .reason = instance->reason,
                                 .exit_code = status == WISP_E_EXIT ? trap->exit_code : 0,
                                 .depth = trap->depth,
                                 .frame_count = trap->frame_count,
                                 .frames = instance->frames};
    for (uint32_t i = 0; i < trap->frame_count; i++)
        instance->frames[i] = (wisp_frame){.func = trap->frames[i].func, .offset = trap->frames[i].offset};
    copy_names(instance, trap);
}

static void forget_trap(wisp_instance *instance)
{
    instance->trap = (wisp_trap){.reason = "", .frames = instance->frames};
}

static wisp_status explain(const wisp_instance *instance, wisp_report *report)
{
    const wisp_trap *trap = &instance->trap;
    const char *in = trap->frame_count ? trap->frames[0].name : NULL;
    if (trap->status == WISP_E_EXIT)
        return base_fail(report, trap->status, "the program exited with code %u", (unsigned)trap->exit_code);
    if (trap->status == WISP_E_CANCELLED) return base_fail(report, trap->status, "interrupted");
    if (in) return base_fail(report, trap->status, "%s, in %.200s", trap->reason, in);
    return base_fail(report, trap->status, "%s", trap->reason);
}

const wisp_trap *wisp_instance_trap(const wisp_instance *instance)
{
    return instance ? &instance->trap : NULL;
}

/* ---- calls ---- */

wisp_status host_call(wisp_instance *instance, wasm_func *func, const wisp_value *args, size_t arg_count,
                      wisp_value *results, size_t result_count, wisp_report *report)
{
    wasm_trap trap; /* large: filled in by the machine only */
    forget_trap(instance);
    instance->active++;
    wisp_status status =
        wasm_call(func, (const wasm_value *)args, arg_count, (wasm_value *)results, result_count, &trap, NULL);
    instance->active--;
    if (status == WISP_OK) {
        forget_trap(instance); /* of a call in between, which a host function took care of */
        return status;
    }
    /* A failure that a host function only passed on happened deeper: that stack is the one to show. */
    const wisp_trap *deeper = &instance->trap;
    if (deeper->status != status || deeper->depth <= trap.depth || strcmp(deeper->reason, trap.reason) != 0)
        host_record_trap(instance, status, &trap);
    return explain(instance, report);
}

/* Compiles first, where that is wanted. Nothing of the guest has run yet, so it can be tried again. */
static wisp_status prepare(wisp_instance *instance, wisp_report *report)
{
    wisp_report why = {0};
    wasm_trap trap = {0};
    wisp_status status = host_native_prepare(instance->native, instance->time_ns, &why);
    if (status == WISP_OK) return WISP_OK;
    snprintf(trap.reason, sizeof trap.reason, "%.127s", why.text);
    host_record_trap(instance, status, &trap);
    return base_fail(report, status, "%s", why.text);
}

/* The start function, then what a reactor has (WASI, "application ABI"). A command's `_start` is for wisp_instance_run.
 */
static wisp_status start(wisp_instance *instance, wisp_report *report)
{
    if (instance->dead) return base_fail(report, WISP_E_USAGE, "the instance's start failed: it is of no use");
    if (instance->started) return WISP_OK;
    BASE_TRY(prepare(instance, report));
    instance->started = true;
    wasm_trap trap = {0};
    instance->active++;
    wisp_status status = wasm_instance_start(instance->wasm, &trap, NULL);
    instance->active--;
    if (status != WISP_OK) {
        host_record_trap(instance, status, &trap);
        status = explain(instance, report);
    }
    wasm_func *initialize = wasm_instance_find_func(instance->wasm, "_initialize");
    if (status == WISP_OK && initialize && host_signature_is("()", wasm_func_type(initialize)))
        status = host_call(instance, initialize, NULL, 0, NULL, 0, report);
    instance->dead = status != WISP_OK;
    return status;
}

wisp_status wisp_instance_start(wisp_instance *instance, wisp_report *report)
{
    if (!instance) return base_fail(report, WISP_E_USAGE, "wisp_instance_start: no instance given");
    return start(instance, report);
}

wisp_status wisp_instance_run(wisp_instance *instance, uint32_t *exit_code, wisp_report *report)
{
    if (!instance) return base_fail(report, WISP_E_USAGE, "wisp_instance_run: no instance given");
    wasm_func *func = wasm_instance_find_func(instance->wasm, "_start");
    if (!func || !host_signature_is("()", wasm_func_type(func)))
        return base_fail(report, WISP_E_NOT_FOUND, "not a program: it exports no function _start");
    wisp_report inner = {0};
    wisp_status status = start(instance, &inner);
    if (status == WISP_OK) status = host_call(instance, func, NULL, 0, NULL, 0, &inner);
    if (status != WISP_OK && status != WISP_E_EXIT) return base_fail(report, status, "%s", inner.text);
    if (exit_code) *exit_code = instance->trap.exit_code;
    return WISP_OK;
}

wisp_status wisp_func_call(wisp_instance *instance, const wisp_func *func, const wisp_value *args, size_t arg_count,
                           wisp_value *results, size_t result_count, wisp_report *report)
{
    wasm_func *f = (wasm_func *)(uintptr_t)func;
    if (!instance || !f || (arg_count && !args) || (result_count && !results))
        return base_fail(report, WISP_E_USAGE, "wisp_func_call: no instance, function, arguments or results given");
    if (wasm_func_store(f) != instance->store)
        return base_fail(report, WISP_E_USAGE, "wisp_func_call: the function is another instance's");
    const wasm_functype *type = wasm_func_type(f);
    char text[64];
    if (arg_count != type->param_count || result_count != type->result_count)
        return base_fail(report, WISP_E_USAGE, "wisp_func_call: %zu arguments and %zu results for a function %s",
                         arg_count, result_count, host_signature_text(type, text));
    BASE_TRY(start(instance, report));
    return host_call(instance, f, args, arg_count, results, result_count, report);
}

static wisp_status check_type(wasm_func *f, const char *name, const char *signature, wisp_report *report)
{
    char text[64];
    if (host_signature_is(signature, wasm_func_type(f))) return WISP_OK;
    return base_fail(report, WISP_E_INPUT, "%.100s is %s, not %.60s", name,
                     host_signature_text(wasm_func_type(f), text), signature);
}

static wisp_status find(wasm_func **func, wisp_instance *instance, const char *name, const char *signature,
                        wisp_report *report)
{
    if (!instance || !name) return base_fail(report, WISP_E_USAGE, "no instance or no function's name given");
    if (!host_signature_valid(signature))
        return base_fail(report, WISP_E_USAGE, "%.100s: \"%.100s\" is not a signature, as \"(iI)f\" is", name,
                         signature ? signature : "NULL");
    *func = wasm_instance_find_func(instance->wasm, name);
    if (!*func) return base_fail(report, WISP_E_NOT_FOUND, "the module exports no function %.100s", name);
    return check_type(*func, name, signature, report);
}

wisp_status wisp_func_find(wisp_func **func, wisp_instance *instance, const char *name, const char *signature,
                           wisp_report *report)
{
    wasm_func *found;
    if (!func) return base_fail(report, WISP_E_USAGE, "wisp_func_find: no result given");
    BASE_TRY(find(&found, instance, name, signature, report));
    *func = (wisp_func *)found;
    return WISP_OK;
}

wisp_status wisp_func_indirect(wisp_func **func, wisp_instance *instance, const char *table, uint64_t index,
                               const char *signature, wisp_report *report)
{
    wasm_extern e = {.kind = WASM_TABLE};
    void *item;
    if (!func || !instance || !host_signature_valid(signature))
        return base_fail(report, WISP_E_USAGE, "wisp_func_indirect: no result, no instance or no signature given");
    if (!table)
        e.table = wasm_instance_table(instance->wasm, 0);
    else if (!wasm_instance_export(instance->wasm, table, strlen(table), &e) || e.kind != WASM_TABLE)
        e.table = NULL;
    if (!e.table || wasm_table_type(e.table) != WASM_FUNCREF)
        return base_fail(report, WISP_E_NOT_FOUND, "there is no table of functions%s%.100s", table ? " " : "",
                         table ? table : "");
    if (!wasm_table_get(e.table, index, &item) || !item)
        return base_fail(report, WISP_E_NOT_FOUND, "the table holds no function at %llu", (unsigned long long)index);
    BASE_TRY(check_type(item, "the function in the table", signature, report));
    *func = item;
    return WISP_OK;
}

/* ---- calls with C's own arguments ---- */

static void take_argument(wisp_value *v, char letter, va_list *list)
{
    switch (letter) {
    case 'i':
        v->u32 = va_arg(*list, uint32_t);
        break;
    case 'I':
        v->u64 = va_arg(*list, uint64_t);
        break;
    case 'f':
        v->f32 = (float)va_arg(*list, double);
        break;
    case 'F':
        v->f64 = va_arg(*list, double);
        break;
    case 'v':
        memcpy(v->v128, va_arg(*list, const uint8_t *), sizeof v->v128);
        break;
    default:
        v->ref = va_arg(*list, void *);
    }
}

static void give_result(const wisp_value *v, char letter, va_list *list)
{
    const size_t size = letter == 'i' || letter == 'f'   ? 4
                        : letter == 'v'                  ? 16
                        : letter == 'I' || letter == 'F' ? 8
                                                         : sizeof(void *);
    void *to = va_arg(*list, void *);
    if (to) memcpy(to, v, size);
}

wisp_status wisp_call(wisp_instance *instance, wisp_report *report, const char *name, const char *signature, ...)
{
    wasm_func *func;
    wisp_value values[LIST_MAX];
    BASE_TRY(find(&func, instance, name, signature, report));
    const wasm_functype *type = wasm_func_type(func);
    if (type->param_count > LIST_MAX || type->result_count > LIST_MAX)
        return base_fail(report, WISP_E_USAGE, "%.100s: more than %d values: wisp_func_call takes as many as you like",
                         name, LIST_MAX);
    BASE_TRY(start(instance, report));
    const char *letters = signature + 1;
    va_list list;
    va_start(list, signature);
    for (uint32_t i = 0; i < type->param_count; i++)
        take_argument(&values[i], *letters++, &list);
    letters++;
    wisp_status status = host_call(instance, func, values, type->param_count, values, type->result_count, report);
    for (uint32_t i = 0; status == WISP_OK && i < type->result_count; i++)
        give_result(&values[i], *letters++, &list);
    va_end(list);
    return status;
}

/* ---- host functions' ends ---- */

wisp_status wisp_host_fail(wisp_instance *caller, const char *format, ...)
{
    char text[128];
    if (!caller) return WISP_E_USAGE;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return wasm_host_fail(caller->wasm, WISP_E_TRAP, "%s", text);
}

wisp_status wisp_host_exit(wisp_instance *caller, uint32_t code)
{
    return caller ? wasm_host_exit(caller->wasm, code) : WISP_E_USAGE;
}

/* ---- memory ---- */

void *wisp_memory_at(wisp_instance *instance, uint64_t address, uint64_t size)
{
    return instance ? wasm_memory_at(instance->wasm, address, size) : NULL;
}

static void *memory_or_fail(wisp_instance *instance, uint64_t address, size_t size)
{
    void *at = wasm_memory_at(instance->wasm, address, size);
    if (!at) (void)wasm_host_fail(instance->wasm, WISP_E_TRAP, "out of bounds memory access");
    return at;
}

wisp_status wisp_memory_read(wisp_instance *instance, uint64_t address, void *to, size_t size)
{
    if (!instance || (size && !to)) return WISP_E_USAGE;
    const void *from = memory_or_fail(instance, address, size);
    if (from && size) memcpy(to, from, size);
    return from ? WISP_OK : WISP_E_TRAP;
}

wisp_status wisp_memory_write(wisp_instance *instance, uint64_t address, const void *from, size_t size)
{
    if (!instance || (size && !from)) return WISP_E_USAGE;
    void *to = memory_or_fail(instance, address, size);
    if (to && size) memcpy(to, from, size);
    return to ? WISP_OK : WISP_E_TRAP;
}

uint64_t wisp_memory_size(const wisp_instance *instance)
{
    wasm_memory *memory = instance ? wasm_instance_memory(instance->wasm, 0) : NULL;
    return memory ? wasm_memory_size(memory) : 0;
}

wisp_status wisp_memory_grow(wisp_instance *instance, uint64_t pages, wisp_report *report)
{
    wasm_memory *memory = instance ? wasm_instance_memory(instance->wasm, 0) : NULL;
    if (!memory) return base_fail(report, WISP_E_USAGE, "wisp_memory_grow: no instance, or one without a memory");
    if (wasm_memory_grow(memory, pages) == UINT64_MAX)
        return base_fail(report, WISP_E_LIMIT, "memory cannot grow by %llu pages: its limit is reached",
                         (unsigned long long)pages);
    return WISP_OK;
}

/* ---- globals ---- */

static wisp_status find_global(wasm_global **global, wisp_instance *instance, const char *name, char type,
                               wisp_report *report)
{
    wasm_extern e;
    if (!instance || !name) return base_fail(report, WISP_E_USAGE, "no instance or no global's name given");
    if (!wasm_instance_export(instance->wasm, name, strlen(name), &e) || e.kind != WASM_GLOBAL)
        return base_fail(report, WISP_E_NOT_FOUND, "the module exports no global %.100s", name);
    char own = host_type_letter(wasm_global_type(e.global));
    if (own == '?' || own != type)
        return base_fail(report, WISP_E_INPUT, "the global %.100s is of type %c, not %c", name, own, type);
    *global = e.global;
    return WISP_OK;
}

wisp_status wisp_global_get(wisp_instance *instance, const char *name, char type, wisp_value *value,
                            wisp_report *report)
{
    wasm_global *global;
    if (!value) return base_fail(report, WISP_E_USAGE, "wisp_global_get: no result given");
    BASE_TRY(find_global(&global, instance, name, type, report));
    wasm_value own = wasm_global_get(global);
    memcpy(value, &own, sizeof own);
    return WISP_OK;
}

wisp_status wisp_global_set(wisp_instance *instance, const char *name, char type, wisp_value value, wisp_report *report)
{
    wasm_global *global;
    wasm_value own;
    BASE_TRY(find_global(&global, instance, name, type, report));
    memcpy(&own, &value, sizeof own);
    if (wasm_global_set(global, own)) return WISP_OK;
    return base_fail(report, WISP_E_INPUT, "the global %.100s is constant", name);
}
