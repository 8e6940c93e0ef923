/* Signatures by letters, and what else is said about imports and exports. */
#include <stdio.h>
#include <string.h>

#include "host/plain.h"

static const char letters[] = "iIfFvre";
static const wasm_type types[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64, WASM_V128, WASM_FUNCREF, WASM_EXTERNREF};

char host_type_letter(wasm_type type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i] == type) return letters[i];
    return '?';
}

bool host_signature_valid(const char *signature)
{
    if (!signature || *signature++ != '(') return false;
    signature += strspn(signature, letters);
    if (*signature++ != ')') return false;
    return signature[strspn(signature, letters)] == 0;
}

bool host_signature_is(const char *signature, const wasm_functype *type)
{
    const char *at = signature;
    if (*at++ != '(') return false;
    for (uint32_t i = 0; i < type->param_count; i++)
        if (*at == '?' || *at++ != host_type_letter(type->params[i])) return false;
    if (*at++ != ')') return false;
    for (uint32_t i = 0; i < type->result_count; i++)
        if (*at == '?' || *at++ != host_type_letter(type->results[i])) return false;
    return *at == 0;
}

void host_put_signature(base_buffer *out, const wasm_functype *type)
{
    base_put_u8(out, '(');
    for (uint32_t i = 0; i < type->param_count; i++)
        base_put_u8(out, (uint8_t)host_type_letter(type->params[i]));
    base_put_u8(out, ')');
    for (uint32_t i = 0; i < type->result_count; i++)
        base_put_u8(out, (uint8_t)host_type_letter(type->results[i]));
}

const char *host_signature_text(const wasm_functype *type, char out[64])
{
    base_buffer text = {0};
    host_put_signature(&text, type);
    if (text.failed || text.size > 60)
        snprintf(out, 64, "a function of %u and %u", type->param_count, type->result_count);
    else
        snprintf(out, 64, "%.*s", (int)text.size, (const char *)text.data);
    base_buffer_fini(&text);
    return out;
}

static const char *type_name(wasm_type type)
{
    static const char *const names[] = {"i32", "i64", "f32", "f64", "v128", "funcref", "externref"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i] == type) return names[i];
    return "ref";
}

static void put_range(base_buffer *out, const wasm_range *range, const char *unit)
{
    base_putf(out, "%llu..", (unsigned long long)range->min);
    if (range->has_max) base_putf(out, "%llu", (unsigned long long)range->max);
    base_putf(out, " %s%s", unit, range->is64 ? ", 64-bit" : "");
}

void host_put_extern_type(base_buffer *out, const wasm_module *module, wasm_kind kind, uint32_t index)
{
    wasm_range range;
    wasm_table_info table;
    wasm_global_info global;
    switch (kind) {
    case WASM_FUNC:
        host_put_signature(out, wasm_module_func_type(module, index));
        return;
    case WASM_MEMORY:
        range = wasm_module_memory(module, index);
        put_range(out, &range, "pages");
        return;
    case WASM_TABLE:
        table = wasm_module_table(module, index);
        put_range(out, &table.range, type_name(table.type));
        return;
    case WASM_GLOBAL:
        global = wasm_module_global(module, index);
        base_putf(out, "%s%s", global.is_mutable ? "mutable " : "", type_name(global.type));
        return;
    case WASM_TAG:
        host_put_signature(out, wasm_module_tag_type(module, index));
        return;
    }
}
