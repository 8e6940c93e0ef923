/* Value types: matching (core §3.3), names, host signatures; and the arena that a module's parts live in. */
#include <stdio.h>
#include <string.h>

#include "wasm/machine.h"

struct wasm_arena_block {
    struct wasm_arena_block *next;
    size_t used, size;
    wasm_value data[]; /* for its alignment */
};

void *wasm_arena_array(wasm_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes + 15) & ~(size_t)15;
    struct wasm_arena_block *block = arena->blocks;
    if (!block || bytes > block->size - block->used) {
        size_t room = bytes > 8192 ? bytes : 8192;
        block = base_calloc(1, sizeof *block + room);
        if (!block) return NULL;
        block->size = room;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *p = (uint8_t *)block->data + block->used;
    block->used += bytes;
    return p;
}

void wasm_arena_fini(wasm_arena *arena)
{
    for (struct wasm_arena_block *next, *block = arena->blocks; block; block = next) {
        next = block->next;
        base_free(block);
    }
    arena->blocks = NULL;
}

bool wasm_type_is_ref(wasm_type type)
{
    return (type & WASM_REF) != 0;
}

bool wasm_type_defaultable(wasm_type type)
{
    return !wasm_type_is_ref(type) || (type & WASM_REF_NULL);
}

static bool lists_equal(const wasm_module *m, const wasm_type *a, const wasm_type *b, uint32_t count, uint32_t a_self,
                        uint32_t b_self)
{
    for (uint32_t i = 0; i < count; i++) {
        if (a[i] == b[i] && (!wasm_type_is_ref(a[i]) || (a[i] & WASM_REF_ABSTRACT))) continue;
        const wasm_type flags = WASM_REF | WASM_REF_NULL | WASM_REF_ABSTRACT;
        if ((a[i] & flags) != (b[i] & flags) || !wasm_type_is_ref(a[i]) || (a[i] & WASM_REF_ABSTRACT)) return false;
        uint32_t x = a[i] & 0xffffff, y = b[i] & 0xffffff;
        if (x == a_self && y == b_self) continue;
        if (x == a_self || y == b_self || !wasm_types_equal(m, x, y)) return false;
    }
    return true;
}

/* A type refers to itself or to earlier types only, so this ends. */
bool wasm_types_equal(const wasm_module *m, uint32_t a, uint32_t b)
{
    if (a == b) return true;
    const wasm_functype *x = &m->types[a], *y = &m->types[b];
    return x->param_count == y->param_count && x->result_count == y->result_count &&
           lists_equal(m, x->params, y->params, x->param_count, a, b) &&
           lists_equal(m, x->results, y->results, x->result_count, a, b);
}

bool wasm_type_matches(const wasm_module *m, wasm_type sub, wasm_type super)
{
    if (sub == super) return true;
    if (!wasm_type_is_ref(sub) || !wasm_type_is_ref(super)) return false;
    if ((sub & WASM_REF_NULL) && !(super & WASM_REF_NULL)) return false;
    bool sub_abstract = sub & WASM_REF_ABSTRACT, super_abstract = super & WASM_REF_ABSTRACT;
    uint32_t from = sub & 0xffffff, to = super & 0xffffff;
    if (sub_abstract && super_abstract) return from == to;
    if (super_abstract) return to == 0x70; /* every defined type is a function type */
    return !sub_abstract && wasm_types_equal(m, from, to);
}

const char *wasm_type_name(wasm_type type, char out[16])
{
    switch (type) {
    case 0:
        return "any type";
    case WASM_I32:
        return "i32";
    case WASM_I64:
        return "i64";
    case WASM_F32:
        return "f32";
    case WASM_F64:
        return "f64";
    case WASM_V128:
        return "v128";
    case WASM_FUNCREF:
        return "funcref";
    case WASM_EXTERNREF:
        return "externref";
    default:
        snprintf(out, 16, "(ref %x)", (unsigned)type & 0xffffff);
        return out;
    }
}

static bool list_matches(const char **at, char end, const wasm_type *types, uint32_t count)
{
    static const char letters[] = "iIfFvre";
    static const wasm_type named[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64, WASM_V128, WASM_FUNCREF, WASM_EXTERNREF};
    for (uint32_t i = 0; i < count; i++, ++*at) {
        const char *letter = **at ? strchr(letters, **at) : NULL;
        if (!letter || named[letter - letters] != types[i]) return false;
    }
    return **at == end;
}

bool wasm_signature_matches(const char *signature, const wasm_functype *type)
{
    const char *at = signature;
    if (*at++ != '(' || !list_matches(&at, ')', type->params, type->param_count)) return false;
    at++;
    return list_matches(&at, 0, type->results, type->result_count);
}
