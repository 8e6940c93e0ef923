/* Validation of code, the loop: instructions of a fixed signature are checked here, each by a few instructions of its
 * own, since it is their order, not their number, that a CPU has to guess. What is longer, rarer or wrong goes to the
 * careful code in validate.c and validate_ops.c, which starts again at the instruction's first byte: nothing here
 * reports an error. */
#include <string.h>

#include "wasm/validator.h"

#pragma GCC diagnostic ignored "-Woverride-init" /* a table whose every entry is first set to one label */

#define TYPE_i WASM_I32
#define TYPE_I WASM_I64
#define TYPE_f WASM_F32
#define TYPE_F WASM_F64
#define TYPE_fbits WASM_F32
#define TYPE_Fbits WASM_F64
#define TYPE_v WASM_V128
#define SLOT(code) ((code) < 0x100 ? (code) : (code) >> 12 == 0xfc ? 0x100 + ((code)&0xff) : 0x200 + ((code)&0xfff))

/* The longest instruction that is taken: prefix of three bytes, alignment, offset. Each reads no byte after these. */
enum { LONGEST = 12 };

/* How many bytes the LEB128 at p takes, looking at 8 of them; more than 7: it is longer than that. */
static inline unsigned leb_size(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return (unsigned)__builtin_ctzll((~w & 0x8080808080808080u) | (uint64_t)1 << 63) / 8 + 1;
}

/* An index of one or two bytes; no index is UINT32_MAX. */
static inline uint32_t index_at(const uint8_t **p)
{
    uint32_t first = *(*p)++;
    if (WASM_LIKELY(first < 0x80)) return first;
    uint32_t second = *(*p)++;
    return second < 0x80 ? (first & 0x7f) | second << 7 : UINT32_MAX;
}

#define SAVE (v->sp = sp, v->high = high)
#define LOAD                                                                                                           \
    (at = v->d->r.at, sp = v->sp, high = v->high, floor = v->floor, room = v->room,                                    \
     last = base_left(&v->d->r) >= LONGEST ? v->d->r.end - LONGEST : at - 1, last = last < v->look ? last : v->look)
#define NEXT                                                                                                           \
    do {                                                                                                               \
        if (WASM_UNLIKELY(at > last)) goto other;                                                                      \
        p = at;                                                                                                        \
        goto *labels[*p++];                                                                                            \
    } while (0)
#define DONE                                                                                                           \
    at = p;                                                                                                            \
    NEXT
#define HAVE(n)                                                                                                        \
    if (WASM_UNLIKELY(sp - floor < (n))) goto other
#define IS(i, t)                                                                                                       \
    if (WASM_UNLIKELY(sp[i] != (t))) goto other
#define PUSH(t)                                                                                                        \
    if (WASM_UNLIKELY(sp == room)) goto other;                                                                         \
    *sp++ = (t);                                                                                                       \
    if (sp > high) high = sp
#define SKIP_LEB(most)                                                                                                 \
    {                                                                                                                  \
        const unsigned size_ = leb_size(p);                                                                            \
        if (WASM_UNLIKELY(size_ > (most))) goto other;                                                                 \
        p += size_;                                                                                                    \
    }
#define MEMARG(align)                                                                                                  \
    if (WASM_UNLIKELY(*p++ > (align) || !plain_memory)) goto other;                                                    \
    SKIP_LEB(4)
#define INDEX(count)                                                                                                   \
    const uint32_t index = index_at(&p);                                                                               \
    if (WASM_UNLIKELY(index >= (count))) goto other
/* An instruction of validate.c's whose opcode has been read. */
#define CALL(function)                                                                                                 \
    v->d->r.at = p;                                                                                                    \
    SAVE;                                                                                                              \
    BASE_TRY(function);                                                                                                \
    LOAD;                                                                                                              \
    NEXT

/* A named exception to the budget of lines, as the interpreter's loop: a body for each instruction. */
wisp_status wasm_validate_code(wasm_validator *v)
{
    static const void *const labels[0x200 + 0x120] = {
        [0 ... 0x200 + 0x120 - 1] = &&other,
#define LABEL(code, name) [SLOT(code)] = &&op_##name,
#define WASM_UN(code, name, text, a, r, value) LABEL(code, name)
#define WASM_BIN(code, name, text, a, b, r, value) LABEL(code, name)
#define WASM_TRI(code, name, text, a, b, c, r, value) LABEL(code, name)
#define WASM_UN_TRAP(code, name, text, a, r, check, value) LABEL(code, name)
#define WASM_BIN_TRAP(code, name, text, a, b, r, check, value) LABEL(code, name)
#define WASM_LOAD(code, name, text, r, align, type, value) LABEL(code, name)
#define WASM_STORE(code, name, text, a, align, type, value) LABEL(code, name)
#define WASM_EXTRACT(code, name, text, lanes, r, value)
#define WASM_REPLACE(code, name, text, lanes, a, type)
#define WASM_LOAD_LANE(code, name, text, align, type)
#define WASM_STORE_LANE(code, name, text, align, type)
#define WASM_OP(code, name, text, imm, signature)
#define WASM_LOCAL_OP(code, name, text, imm, signature)
#include "wasm/opcodes.def"
        [0x02] = &&op_block,
        [0x03] = &&op_loop,
        [0x04] = &&op_if,
        [0x0b] = &&op_end,
        [0x0c] = &&op_br,
        [0x0d] = &&op_br_if,
        [0x10] = &&op_call,
        [0x1a] = &&op_drop,
        [0x1b] = &&op_select,
        [0x20] = &&op_local_get,
        [0x21] = &&op_local_set,
        [0x22] = &&op_local_tee,
        [0x23] = &&op_global_get,
        [0x24] = &&op_global_set,
        [0x41] = &&op_i32_const,
        [0x42] = &&op_i64_const,
        [0x43] = &&op_f32_const,
        [0x44] = &&op_f64_const,
        [0xfc] = &&prefix_fc,
        [0xfd] = &&prefix_fd,
        [SLOT(0xfd00c)] = &&op_v128_const,
    };
    const bool plain_memory = v->plain_memory;
    const uint32_t direct = v->local_count < WASM_DIRECT_LOCALS ? v->local_count : WASM_DIRECT_LOCALS;
    const uint32_t locals = v->tracks_inits ? 0 : direct;
    const uint8_t *at, *p, *last;
    wasm_type *sp, *high, *floor, *room;
    LOAD;
    NEXT;

#define WASM_UN(code, name, text, a, r, value)                                                                         \
    op_##name : HAVE(1);                                                                                               \
    IS(-1, TYPE_##a);                                                                                                  \
    sp[-1] = TYPE_##r;                                                                                                 \
    DONE;
#define WASM_BIN(code, name, text, a, b, r, value)                                                                     \
    op_##name : HAVE(2);                                                                                               \
    IS(-1, TYPE_##b);                                                                                                  \
    IS(-2, TYPE_##a);                                                                                                  \
    sp--;                                                                                                              \
    sp[-1] = TYPE_##r;                                                                                                 \
    DONE;
#define WASM_TRI(code, name, text, a, b, c, r, value)                                                                  \
    op_##name : HAVE(3);                                                                                               \
    IS(-1, TYPE_##c);                                                                                                  \
    IS(-2, TYPE_##b);                                                                                                  \
    IS(-3, TYPE_##a);                                                                                                  \
    sp -= 2;                                                                                                           \
    sp[-1] = TYPE_##r;                                                                                                 \
    DONE;
#define WASM_UN_TRAP(code, name, text, a, r, check, value) WASM_UN(code, name, text, a, r, value)
#define WASM_BIN_TRAP(code, name, text, a, b, r, check, value) WASM_BIN(code, name, text, a, b, r, value)
#define WASM_LOAD(code, name, text, r, align, type, value)                                                             \
    op_##name : HAVE(1);                                                                                               \
    IS(-1, WASM_I32);                                                                                                  \
    MEMARG(align);                                                                                                     \
    sp[-1] = TYPE_##r;                                                                                                 \
    DONE;
#define WASM_STORE(code, name, text, a, align, type, value)                                                            \
    op_##name : HAVE(2);                                                                                               \
    IS(-1, TYPE_##a);                                                                                                  \
    IS(-2, WASM_I32);                                                                                                  \
    MEMARG(align);                                                                                                     \
    sp -= 2;                                                                                                           \
    DONE;
#define WASM_EXTRACT(code, name, text, lanes, r, value)
#define WASM_REPLACE(code, name, text, lanes, a, type)
#define WASM_LOAD_LANE(code, name, text, align, type)
#define WASM_STORE_LANE(code, name, text, align, type)
#define WASM_OP(code, name, text, imm, signature)
#define WASM_LOCAL_OP(code, name, text, imm, signature)
#include "wasm/opcodes.def"

op_local_get : {
    INDEX(locals);
    PUSH(v->locals[index]);
    DONE;
}
op_local_set : {
    INDEX(locals);
    HAVE(1);
    IS(-1, v->locals[index]);
    sp--;
    DONE;
}
op_local_tee : {
    INDEX(locals);
    HAVE(1);
    IS(-1, v->locals[index]);
    DONE;
}
op_global_get : {
    INDEX(v->m->global_count);
    PUSH(v->m->globals[index].type);
    DONE;
}
op_global_set : {
    INDEX(v->m->global_count);
    HAVE(1);
    IS(-1, v->m->globals[index].type);
    if (!v->m->globals[index].is_mutable) goto other;
    sp--;
    DONE;
}
op_i32_const: /* up to 4 bytes of 5, 7 of 10, nothing in them can be wrong */
    SKIP_LEB(4);
    PUSH(WASM_I32);
    DONE;
op_i64_const:
    SKIP_LEB(7);
    PUSH(WASM_I64);
    DONE;
op_f32_const:
    p += 4;
    PUSH(WASM_F32);
    DONE;
op_f64_const:
    p += 8;
    PUSH(WASM_F64);
    DONE;
op_v128_const:
    if (v->d->r.end - p <= 16) goto other;
    p += 16;
    PUSH(WASM_V128);
    DONE;
op_drop:
    HAVE(1);
    sp--;
    DONE;
op_select:
    HAVE(3);
    IS(-1, WASM_I32);
    IS(-2, sp[-3]);
    if (wasm_type_is_ref(sp[-2]) || sp[-2] == WASM_BOTTOM) goto other;
    sp -= 2;
    DONE;
op_block:
    CALL(wasm_validate_control(v, 0x02));
op_loop:
    CALL(wasm_validate_control(v, 0x03));
op_if:
    CALL(wasm_validate_control(v, 0x04));
op_br:
    CALL(wasm_validate_control(v, 0x0c));
op_br_if:
    CALL(wasm_validate_control(v, 0x0d));
op_call:
    CALL(wasm_validate_special(v, 0x10));
op_end:
    v->d->r.at = p;
    SAVE;
    BASE_TRY(wasm_validate_control(v, 0x0b));
    if (!v->control_count) return WISP_OK;
    LOAD;
    NEXT;
prefix_fc : {
    const uint32_t sub = index_at(&p);
    if (sub > 0xff) goto other;
    goto *labels[0x100 + sub];
}
prefix_fd : {
    const uint32_t sub = index_at(&p);
    if (sub >= 0x120) goto other;
    goto *labels[0x200 + sub];
}
other:
    v->d->r.at = at;
    SAVE;
    if (WASM_UNLIKELY(at > v->look)) BASE_TRY(wasm_validator_look(v));
    BASE_TRY(wasm_validate_instruction(v));
    if (!v->control_count) return WISP_OK;
    LOAD;
    NEXT;
}
