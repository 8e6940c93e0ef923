/* Types: matching (core §3.3), recursive groups kept once, names, host signatures; and the arena that a module's parts
 * live in. */
#include <stdio.h>
#include <string.h>

#include "os/os.h"
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

enum { /* core §5.3.2: the bytes of abstract heap types; 0 is below all of them */
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

/* core §3.3.4, among abstract heap types */
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

/* core §3.3.4: a defined type of this form below an abstract one */
static bool form_matches(uint8_t form, uint32_t super)
{
    if (form == WASM_FORM_FUNC) return super == HEAP_FUNC;
    return super == HEAP_ANY || super == HEAP_EQ || super == (form == WASM_FORM_STRUCT ? HEAP_STRUCT : HEAP_ARRAY);
}

/* core §3.3.8: the declared supertypes, at most WASM_SUBTYPE_DEPTH of them, are followed. */
bool wasm_subtype_is(const wasm_subtype *subs, uint32_t sub, uint32_t super)
{
    for (uint32_t wanted = subs[super].depth; subs[sub].depth > wanted;)
        sub = subs[sub].super;
    return sub == super;
}

bool wasm_type_matches(const wasm_subtype *subs, wasm_type sub, wasm_type super)
{
    if (sub == super) return true;
    if (!wasm_type_is_ref(sub) || !wasm_type_is_ref(super)) return false;
    if ((sub & WASM_REF_NULL) && !(super & WASM_REF_NULL)) return false;
    bool sub_abstract = sub & WASM_REF_ABSTRACT, super_abstract = super & WASM_REF_ABSTRACT;
    uint32_t from = sub & 0xffffff, to = super & 0xffffff;
    if (sub_abstract && super_abstract) return abstract_matches(from, to);
    if (super_abstract) return form_matches(subs[from].form, to);
    if (!sub_abstract) return wasm_subtype_is(subs, from, to);
    return from == HEAP_BOTTOM || from == (subs[to].form == WASM_FORM_FUNC ? HEAP_NOFUNC : HEAP_NONE);
}

bool wasm_types_match(const wasm_subtype *subs, const wasm_type *sub, const wasm_type *super, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (sub[i] != super[i] && !wasm_type_matches(subs, sub[i], super[i])) return false;
    return true;
}

/* core §3.3.7: a field that may be set must be of the same type on both sides. */
static bool field_matches(const wasm_subtype *subs, wasm_type sub, wasm_type super)
{
    if (sub == super) return true;
    if ((sub | super) & WASM_FIELD_MUTABLE) return false;
    return wasm_type_matches(subs, sub, super);
}

bool wasm_composite_matches(const wasm_subtype *subs, uint8_t form, const wasm_functype *sub,
                            const wasm_functype *super)
{
    if (form == WASM_FORM_FUNC)
        return sub->param_count == super->param_count && sub->result_count == super->result_count &&
               wasm_types_match(subs, super->params, sub->params, sub->param_count) &&
               wasm_types_match(subs, sub->results, super->results, sub->result_count);
    if (sub->param_count < super->param_count) return false;
    for (uint32_t i = 0; i < super->param_count; i++)
        if (!field_matches(subs, sub->params[i], super->params[i])) return false;
    return true;
}

/* ---- recursive groups, core §2.3.12: equal ones are kept once ---- */

/* A reference as it is compared: to a type of the group by position, to an earlier one by its identity. */
static wasm_type seen_from(const wasm_group *g, wasm_type type)
{
    if (!wasm_type_is_concrete(type)) return type;
    uint32_t index = type & 0xffffff;
    if (index - g->start < g->size) return WASM_REF_WITHIN | (type & ~0xffffffu) | (index - g->start);
    return g->ids ? (type & ~0xffffffu) | g->ids[index] : type;
}

static wasm_type super_seen_from(const wasm_group *g, uint32_t k)
{
    return g->subs[k].super == WASM_NO_INDEX ? 0 : seen_from(g, WASM_REF | g->subs[k].super);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    unsigned __int128 product = (unsigned __int128)(h ^ v) * 0x9e3779b97f4a7c15u;
    return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

uint32_t wasm_hash_bytes(uint64_t seed, const uint8_t *data, size_t size)
{
    uint64_t h = seed ^ size;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        h = mix(h, word);
    }
    for (; size; data++, size--)
        h = mix(h, *data);
    return (uint32_t)(h ^ h >> 32);
}

static uint32_t group_hash(const wasm_group *g, uint64_t seed)
{
    uint64_t h = mix(seed, g->size);
    for (uint32_t k = 0; k < g->size; k++) {
        const wasm_functype *t = &g->types[k];
        h = mix(h, g->subs[k].form | (uint64_t)g->subs[k].is_final << 8 | (uint64_t)super_seen_from(g, k) << 32);
        h = mix(h, t->param_count | (uint64_t)t->result_count << 32);
        for (uint32_t i = 0; i < t->param_count; i++)
            h = mix(h, seen_from(g, t->params[i]));
        for (uint32_t i = 0; i < t->result_count; i++)
            h = mix(h, seen_from(g, t->results[i]));
    }
    return (uint32_t)(h ^ h >> 32);
}

static bool lists_equal(const wasm_group *g, const wasm_type *a, const wasm_group *h, const wasm_type *b,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (seen_from(g, a[i]) != seen_from(h, b[i])) return false;
    return true;
}

static bool groups_equal(const wasm_group *g, const wasm_group *h)
{
    if (g->size != h->size) return false;
    for (uint32_t k = 0; k < g->size; k++) {
        const wasm_functype *a = &g->types[k], *b = &h->types[k];
        if (g->subs[k].form != h->subs[k].form || g->subs[k].is_final != h->subs[k].is_final ||
            super_seen_from(g, k) != super_seen_from(h, k) || a->param_count != b->param_count ||
            a->result_count != b->result_count || !lists_equal(g, a->params, h, b->params, a->param_count) ||
            !lists_equal(g, a->results, h, b->results, a->result_count))
            return false;
    }
    return true;
}

static bool grow_groups(wasm_groups *table)
{
    if (table->slot_count > table->used * 2) return true;
    size_t count = table->slot_count ? table->slot_count * 2 : 64;
    wasm_group_slot *slots = base_calloc(count, sizeof *slots);
    if (!slots) return false;
    /* a secret start: nobody can choose a million types that all fall into one slot */
    if (!table->seed && !os_random(&table->seed, sizeof table->seed)) table->seed = (uintptr_t)slots;
    for (size_t i = 0; i < table->slot_count; i++) {
        if (!table->slots[i].start) continue;
        size_t at = table->slots[i].hash & (count - 1);
        while (slots[at].start)
            at = (at + 1) & (count - 1);
        slots[at] = table->slots[i];
    }
    base_free(table->slots);
    table->slots = slots;
    table->slot_count = count;
    return true;
}

bool wasm_groups_find(wasm_groups *table, const wasm_group *g, wasm_group (*at)(const void *, uint32_t),
                      const void *space, uint32_t *start)
{
    if (!grow_groups(table)) return false;
    const uint32_t hash = group_hash(g, table->seed);
    size_t i = hash & (table->slot_count - 1);
    for (; table->slots[i].start; i = (i + 1) & (table->slot_count - 1)) {
        if (table->slots[i].hash != hash) continue;
        wasm_group other = at(space, table->slots[i].start - 1);
        if (!groups_equal(g, &other)) continue;
        *start = table->slots[i].start - 1;
        return true;
    }
    table->slots[i] = (wasm_group_slot){.start = *start + 1, .hash = hash};
    table->used++;
    return true;
}

void wasm_groups_fini(wasm_groups *table)
{
    base_free(table->slots);
    *table = (wasm_groups){0};
}

static wasm_group group_of_module(const void *module, uint32_t start)
{
    const wasm_module *m = module;
    return (wasm_group){
        .types = &m->types[start], .subs = &m->subs[start], .start = start, .size = m->subs[start].group_size};
}

bool wasm_canonicalize_group(wasm_module *m, wasm_groups *table, uint32_t start)
{
    const wasm_group g = group_of_module(m, start);
    uint32_t same = start;
    if (!wasm_groups_find(table, &g, group_of_module, m, &same)) return false;
    if (same == start) return true;
    for (uint32_t k = 0; k < g.size; k++) { /* so that all references name canonical types */
        m->canonical[start + k] = same + k;
        m->types[start + k] = m->types[same + k];
        m->subs[start + k] = m->subs[same + k];
    }
    return true;
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
