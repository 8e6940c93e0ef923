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

bool wasm_type_is_concrete(wasm_type type)
{
    return wasm_type_is_ref(type) && !(type & WASM_REF_ABSTRACT);
}

bool wasm_type_defaultable(wasm_type type)
{
    return !wasm_type_is_ref(type) || (type & WASM_REF_NULL);
}

static bool lists_equal(const wasm_type *a, const wasm_type *b, uint32_t count, uint32_t a_self, uint32_t b_self)
{
    for (uint32_t i = 0; i < count; i++) {
        bool both_self = wasm_type_is_concrete(a[i]) && wasm_type_is_concrete(b[i]) && (a[i] & 0xffffff) == a_self &&
                         (b[i] & 0xffffff) == b_self && a[i] >> 24 == b[i] >> 24;
        if (a[i] != b[i] && !both_self) return false;
    }
    return true;
}

static uint32_t type_hash(const wasm_functype *type, uint32_t self)
{
    uint32_t h = type->param_count * 31 + type->result_count, count = type->param_count + type->result_count;
    for (uint32_t i = 0; i < count; i++) {
        wasm_type t = i < type->param_count ? type->params[i] : type->results[i - type->param_count];
        if (wasm_type_is_concrete(t) && (t & 0xffffff) == self) t |= 0xffffff;
        h = (h ^ t) * 16777619u;
        h ^= h >> 13;
    }
    return h;
}

/* Types are compared by what they say (core §3.3.4), once, here: later, equal types have equal canonical indices. A
 * type refers to earlier types, by their canonical index already, or to itself. */
void wasm_canonicalize_type(wasm_module *m, uint32_t index, uint32_t *slots, size_t slot_count)
{
    const wasm_functype *type = &m->types[index];
    size_t at = type_hash(type, index) & (slot_count - 1);
    m->canonical[index] = index;
    for (; slots[at]; at = (at + 1) & (slot_count - 1)) {
        uint32_t other = slots[at] - 1;
        const wasm_functype *t = &m->types[other];
        if (t->param_count == type->param_count && t->result_count == type->result_count &&
            lists_equal(type->params, t->params, t->param_count, index, other) &&
            lists_equal(type->results, t->results, t->result_count, index, other)) {
            m->canonical[index] = other;
            return;
        }
    }
    slots[at] = index + 1;
}

enum { /* core §5.3.3: the bytes of abstract heap types; 0 is below all of them */
       HEAP_BOTTOM = 0,
       HEAP_EXN = 0x69,
       HEAP_ARRAY,
       HEAP_STRUCT,
       HEAP_I31,
       HEAP_EQ,
       HEAP_ANY,
       HEAP_EXTERN,
       HEAP_FUNC,
       HEAP_NONE,
       HEAP_NOEXTERN,
       HEAP_NOFUNC,
       HEAP_NOEXN,
};

/* core §3.3.3, among abstract heap types */
static bool abstract_matches(uint32_t sub, uint32_t super)
{
    if (sub == super || sub == HEAP_BOTTOM) return true;
    switch (super) {
    case HEAP_ANY:
        return sub == HEAP_EQ || (sub >= HEAP_ARRAY && sub <= HEAP_I31) || sub == HEAP_NONE;
    case HEAP_EQ:
        return (sub >= HEAP_ARRAY && sub <= HEAP_I31) || sub == HEAP_NONE;
    case HEAP_I31:
    case HEAP_STRUCT:
    case HEAP_ARRAY:
        return sub == HEAP_NONE;
    case HEAP_FUNC:
        return sub == HEAP_NOFUNC;
    case HEAP_EXTERN:
        return sub == HEAP_NOEXTERN;
    case HEAP_EXN:
        return sub == HEAP_NOEXN;
    default:
        return false;
    }
}

bool wasm_type_matches(wasm_type sub, wasm_type super)
{
    if (sub == super) return true;
    if (!wasm_type_is_ref(sub) || !wasm_type_is_ref(super)) return false;
    if ((sub & WASM_REF_NULL) && !(super & WASM_REF_NULL)) return false;
    bool sub_abstract = sub & WASM_REF_ABSTRACT, super_abstract = super & WASM_REF_ABSTRACT;
    uint32_t from = sub & 0xffffff, to = super & 0xffffff;
    if (sub_abstract && super_abstract) return abstract_matches(from, to);
    if (super_abstract) return to == HEAP_FUNC; /* every defined type is a function type */
    return sub_abstract ? from == HEAP_BOTTOM || from == HEAP_NOFUNC : from == to;
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
    case WASM_EXNREF:
        return "exnref";
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
