/* Validation of what most code is made of: instructions of a fixed signature whose immediates are short, checked
 * against one table without a call or an allocation. What is longer, rarer or wrong is left to the careful code in
 * validate.c and validate_ops.c, which starts again at the instruction's first byte; so nothing here can report, only
 * decline. */
#include <string.h>

#include "wasm/validator.h"

/* How an instruction is read and what it does to the operands. All of it is data, masks in place of conditions, so that
 * one path without branches serves them all: the order of instructions in real code cannot be predicted. */
typedef struct rule {
    wasm_type pops[3], used[3]; /* types from the top of the stack downwards; all bits set where there is one */
    wasm_type push, local;      /* all bits set: the type is that of the local which the immediate names */
    uint32_t count, pushes;     /* how many */
    uint32_t prefix;            /* 0, or where its sub-opcodes begin in the table */
    uint32_t first_most;        /* of the first byte of the immediate */
    uint32_t fixed;             /* bytes before the LEB128 */
    uint32_t skip;              /* bits before it */
    uint32_t leb, most;         /* all bits set if there is one; how many bytes are sure to be valid, 0: never taken */
} rule;

#define ALL UINT32_MAX
#define FIXED(n) .fixed = (n), .first_most = 0xff, .most = 8
#define LEB(longest) .first_most = 0xff, .leb = ALL, .most = (longest)
#define MEMARG(align) .first_most = (align), .fixed = 1, .skip = 8, .leb = ALL, .most = 4
#define POP_1(a) .pops = {a}, .used = {ALL}, .count = 1
#define POP_2(a, b) .pops = {b, a}, .used = {ALL, ALL}, .count = 2
#define POP_3(a, b, c) .pops = {c, b, a}, .used = {ALL, ALL, ALL}, .count = 3
#define PUSH(r) .push = TYPE_##r, .pushes = 1

#define TYPE_i WASM_I32
#define TYPE_I WASM_I64
#define TYPE_f WASM_F32
#define TYPE_F WASM_F64
#define TYPE_fbits WASM_F32
#define TYPE_Fbits WASM_F64
#define TYPE_v WASM_V128
#define SLOT(code) ((code) < 0x100 ? (code) : (code) >> 12 == 0xfc ? 0x100 + ((code)&0xff) : 0x200 + ((code)&0xfff))
#define UN(code, a, r) [SLOT(code)] = {POP_1(TYPE_##a), PUSH(r), FIXED(0)},
#define BIN(code, a, b, r) [SLOT(code)] = {POP_2(TYPE_##a, TYPE_##b), PUSH(r), FIXED(0)},

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" /* first all of them slow, then those of the list */
static const rule rules[0x200 + 0x120] = {
    [0 ... 0x200 + 0x120 - 1] = {LEB(0)}, /* left to the others */
#define WASM_UN(code, name, text, a, r, value) UN(code, a, r)
#define WASM_BIN(code, name, text, a, b, r, value) BIN(code, a, b, r)
#define WASM_TRI(code, name, text, a, b, c, r, value)                                                                  \
    [SLOT(code)] = {POP_3(TYPE_##a, TYPE_##b, TYPE_##c), PUSH(r), FIXED(0)},
#define WASM_UN_TRAP(code, name, text, a, r, check, value) UN(code, a, r)
#define WASM_BIN_TRAP(code, name, text, a, b, r, check, value) BIN(code, a, b, r)
#define WASM_LOAD(code, name, text, r, align, type, value) [SLOT(code)] = {POP_1(WASM_I32), PUSH(r), MEMARG(align)},
#define WASM_STORE(code, name, text, a, align, type, value) [SLOT(code)] = {POP_2(WASM_I32, TYPE_##a), MEMARG(align)},
#define WASM_EXTRACT(code, name, text, lanes, r, value)
#define WASM_REPLACE(code, name, text, lanes, a, type)
#define WASM_LOAD_LANE(code, name, text, align, type)
#define WASM_STORE_LANE(code, name, text, align, type)
#define WASM_OP(code, name, text, imm, signature)
#define WASM_LOCAL_OP(code, name, text, imm, signature)
#include "wasm/opcodes.def"
    [0x01] = {FIXED(0)}, /* nop */
    [0x20] = {.local = ALL, .pushes = 1, LEB(2)},
    [0x21] = {.local = ALL, .used = {ALL}, .count = 1, LEB(2)},
    [0x22] = {.local = ALL, .used = {ALL}, .count = 1, .pushes = 1, LEB(2)},
    [0x41] = {PUSH(i), LEB(4)}, /* 4 of 5 bytes, 7 of 10: there, no bits must agree with others */
    [0x42] = {PUSH(I), LEB(7)},
    [0x43] = {PUSH(f), FIXED(4)},
    [0x44] = {PUSH(F), FIXED(8)},
    [SLOT(0xfd00c)] = {PUSH(v), FIXED(16)},
    [0xfc] = {.prefix = 0x100},
    [0xfd] = {.prefix = 0x200},
};
#pragma GCC diagnostic pop

/* The longest instruction that is looked at: prefix, sub-opcode, alignment, offset or sixteen bytes, each read as 8. */
enum { LONGEST = 32 };

static inline uint64_t word_at(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* How many bytes the LEB128 at the start of the word takes; more than 7: the word is not enough. */
static inline unsigned leb_size(uint64_t w)
{
    return (unsigned)__builtin_ctzll((~w & 0x8080808080808080u) | (uint64_t)1 << 63) / 8 + 1;
}

/* The rule of the instruction at *p, which moves to its immediate. */
static inline const rule *rule_at(const uint8_t **p)
{
    const rule *r = &rules[*(*p)++];
    if (WASM_LIKELY(!r->prefix)) return r;
    const uint64_t w = word_at(*p);
    const uint32_t sub = (uint32_t)((w & 0x7f) | (w & 0x80 ? w >> 1 & 0x3f80 : 0));
    const bool one = !(w & 0x80), two = !(w & 0x8000);
    *p += 2 - one;
    if (!(one | two) || sub >= (r->prefix == 0x100 ? 0x100 : 0x120)) return &rules[0]; /* a slow one */
    return &rules[r->prefix + sub];
}

/* The state of the loop below, in registers while it runs. */
typedef struct cursor {
    const uint8_t *at;
    wasm_type *sp, *high;
    bool vectors;
} cursor;

/* One instruction; false: it is none for here, and nothing has changed. */
static inline bool step(cursor *c, const wasm_validator *v, uint32_t locals, uint32_t most_skip, const uint8_t *end)
{
    const uint8_t *p = c->at;
    const rule *r = rule_at(&p);
    const uint64_t w = word_at(p);
    const unsigned size = leb_size(w >> r->skip);
    const uint32_t index = (uint32_t)((w & 0x7f) | ((w >> 1 & 0x3f80) & -(w >> 7 & 1)));
    const wasm_type local = v->locals[index % WASM_DIRECT_LOCALS] & r->local;
    wasm_type *const sp = c->sp;
    const wasm_type differs = ((sp[-1] ^ (r->pops[0] | local)) & r->used[0]) | ((sp[-2] ^ r->pops[1]) & r->used[1]) |
                              ((sp[-3] ^ r->pops[2]) & r->used[2]);
    p += r->fixed + (size & r->leb);
    const bool declined = (differs != 0) | (sp - v->floor < (ptrdiff_t)r->count) | ((w & 0xff) > r->first_most) |
                          (size > r->most) | (((index + 1) & r->local) > locals) | (r->skip > most_skip) | (p > end);
    if (declined) return false;
    c->sp = sp - r->count;
    *c->sp = r->push | local;
    c->sp += r->pushes;
    c->at = p;
    c->vectors |= (r->push | local) == WASM_V128;
    if (c->sp > c->high) c->high = c->sp;
    return true;
}

void wasm_validate_fast(wasm_validator *v)
{
    base_reader *reader = &v->d->r;
    if (v->m->bytes.size < LONGEST) return;
    const uint8_t *const last = v->m->bytes.data + (v->m->bytes.size - LONGEST); /* what follows may be looked at */
    const uint8_t *const end = reader->end;
    cursor c = {.at = reader->at, .sp = v->sp, .high = v->high, .vectors = v->vectors};
    const uint32_t most_skip = v->plain_memory ? 8 : 0; /* otherwise no memory access is taken */
    const uint32_t direct = v->local_count < WASM_DIRECT_LOCALS ? v->local_count : WASM_DIRECT_LOCALS;
    const uint32_t locals = v->tracks_inits ? 0 : direct;
    while (c.at <= last && c.sp < v->room && step(&c, v, locals, most_skip, end)) {
    }
    v->sp = c.sp;
    v->high = c.high;
    v->vectors = c.vectors;
    reader->at = c.at;
}
