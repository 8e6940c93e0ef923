/* Which locals only ever hold results of floating-point arithmetic of one lane type (or constants that are no NaN)?
 * Those keep whatever NaN the CPU made until its bits can be seen; all others are canonicalized when they are set.
 *
 * What a local is set to is what the instruction in front of the local.set has pushed: on a stack machine nothing else
 * can be on top, unless that instruction pushes nothing known here (then the local is of the others). */
#include "wasm/native/emit.h"

#include <string.h>

enum { NEUTRAL = 100, OTHER };

typedef struct scan {
    native_function *f;
    uint8_t *kinds; /* of each local: EXACT (nothing known yet), a native_nan, OTHER */
    struct copy {
        uint32_t to, from;
    } * copies;
    size_t count, capacity;
} scan;

static bool has_nan_lanes(const uint8_t *bytes)
{
    float f[4];
    double d[2];
    memcpy(f, bytes, sizeof f);
    memcpy(d, bytes, sizeof d);
    for (unsigned i = 0; i < 4; i++)
        if (f[i] != f[i]) return true;
    return d[0] != d[0] || d[1] != d[1];
}

static bool is_nan_bits(uint64_t bits, bool wide)
{
    return wide ? (bits & ~(1ull << 63)) > 0x7ff0000000000000 : (bits & 0x7fffffff) > 0x7f800000;
}

/* Of what an instruction pushes; must be OTHER wherever the value may be a NaN with bits of its own. */
static uint8_t kind_of_result(const wasm_instr *i)
{
    const uint32_t c = i->code;
    if (c == 0x43 || c == 0x44) return is_nan_bits(i->bits, c == 0x44) ? OTHER : NEUTRAL;
    if (c == 0xfd00c) return has_nan_lanes(i->bytes) ? OTHER : NEUTRAL;
    if ((c >= 0x8d && c <= 0x97) || c == 0xb6) return NAN_F32;
    if ((c >= 0x9b && c <= 0xa5) || c == 0xbb) return NAN_F64;
    if ((c >= 0xfd067 && c <= 0xfd06a) || c == 0xfd05e || (c >= 0xfd0e3 && c <= 0xfd0e9)) return NAN_F32X4;
    if (c == 0xfd074 || c == 0xfd075 || c == 0xfd07a || c == 0xfd094 || c == 0xfd05f || (c >= 0xfd0ef && c <= 0xfd0f5))
        return NAN_F64X2;
    if (c == 0xfd105 || c == 0xfd106 || c == 0xfd10d || c == 0xfd10e) return NAN_F32X4; /* relaxed madd, min, max */
    if (c == 0xfd107 || c == 0xfd108 || c == 0xfd10f || c == 0xfd110) return NAN_F64X2;
    return OTHER;
}

static void meet(uint8_t *kind, uint8_t with)
{
    if (with == NEUTRAL || with == *kind) return;
    *kind = *kind == EXACT ? with : OTHER;
}

static bool scan_code(scan *s)
{
    native_function *f = s->f;
    const uint8_t *pc = f->code->start;
    wasm_instr before = {.code = 0x01}, i;
    while (pc < f->code->end) {
        wasm_instr_read_nocheck(&i, f->u->m, &pc);
        if (i.code == 0x21 || i.code == 0x22) {
            if (before.code == 0x20 || before.code == 0x22) {
                if (!BASE_GROW(s->copies, s->capacity, s->count + 1)) return false;
                s->copies[s->count++] = (struct copy){.to = i.index, .from = before.index};
            } else {
                meet(&s->kinds[i.index], kind_of_result(&before));
            }
        }
        before = i;
    }
    return true;
}

/* A copy brings its source's kind along; a chain of them that is too long to settle is of the others. */
static void spread(scan *s)
{
    enum { ROUNDS = 8 };
    for (unsigned round = 0; round <= ROUNDS; round++) {
        bool changed = false;
        for (size_t k = 0; k < s->count; k++) {
            uint8_t *to = &s->kinds[s->copies[k].to], old = *to;
            uint8_t from = s->kinds[s->copies[k].from];
            if (round == ROUNDS)
                *to = OTHER;
            else if (from != EXACT)
                meet(to, from);
            changed |= *to != old;
        }
        if (!changed) return;
    }
}

void native_find_arithmetic_locals(native_function *f)
{
    scan s = {.f = f, .kinds = f->local_nans};
    memset(s.kinds, EXACT, f->local_count);
    memset(s.kinds, OTHER, f->type->param_count); /* they come with bits of their own */
    const bool done = scan_code(&s);
    if (done) spread(&s);
    for (uint32_t i = 0; i < f->local_count; i++)
        if (!done || s.kinds[i] >= NEUTRAL) s.kinds[i] = EXACT;
    base_free(s.copies);
}
