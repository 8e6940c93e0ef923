/* How the body of an operation reads its operands and goes on to the next one. Only interp*.c include this. */
#ifndef WASM_OPBODY_H
#define WASM_OPBODY_H
#include <string.h>

#include "wasm/regcode.h"

/* All of these functions lie in one section, so that a fault in one of them can be told from any other. */
#define WASM_TEXT __attribute__((section("wasm_ops_text")))
#define OP(name) static WASM_TEXT wisp_status name(WASM_STATE)
#define MISC(name) WASM_TEXT wisp_status wasm_op_##name(WASM_STATE)

/* Operand n, of 32 bits. Instructions take whole cells: CELLS(operands). */
#define W(n) (((const uint32_t *)(pc + 1))[n])
#define CELLS(n) (1 + ((n) + 1) / 2)
#define GO(to)                                                                                                         \
    do {                                                                                                               \
        pc = (to);                                                                                                     \
        WASM_TAIL pc->fn(WASM_STATE_VALUES);                                                                           \
    } while (0)
#define NEXT(operands) GO(pc + CELLS(operands))
#define BRANCH_TARGET ((const wasm_cell *)((const char *)pc + (int32_t)W(0)))
#define SLOT(offset) ((wasm_value *)(fp + (offset)))

/* Ends the run; out of the way. */
wisp_status wasm_op_trap(const wasm_cell *pc, wasm_store *S, wasm_frame *top, wasm_trap_kind kind);
#define TRAP(kind) WASM_TAIL_TRAP(wasm_op_trap(pc, S, top, WASM_TRAP_##kind))
#define WASM_TAIL_TRAP(call) return call
#define TRAP_IF(condition, kind)                                                                                       \
    if (WASM_UNLIKELY(condition)) TRAP(kind);
/* One call or backward branch. Once the grant is used up, wasm_op_tick asks for more and does `pc` again. */
#define TICK                                                                                                           \
    if (WASM_UNLIKELY(--S->ticks < 0)) WASM_TAIL wasm_op_tick(WASM_STATE_VALUES)

static inline uint32_t f32_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline uint64_t f64_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline float bits_f32(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline double bits_f64(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define TYPE_i uint32_t
#define TYPE_I uint64_t
#define TYPE_f float
#define TYPE_F double
#define TYPE_fbits uint32_t
#define TYPE_Fbits uint64_t
#define TYPE_v v128

/* S: the slot that operand n names */
#define S_i(n) (*(const uint32_t *)(fp + W(n)))
#define S_I(n) (*(const uint64_t *)(fp + W(n)))
#define S_f(n) (*(const float *)(fp + W(n)))
#define S_F(n) (*(const double *)(fp + W(n)))
#define S_fbits(n) (*(const uint32_t *)(fp + W(n)))
#define S_Fbits(n) (*(const uint64_t *)(fp + W(n)))
#define S_v(n) (*(const v128 *)(fp + W(n)))
/* A: the accumulator */
#define A_i ((uint32_t)A)
#define A_I A
#define A_f f
#define A_F d
#define A_fbits f32_bits(f)
#define A_Fbits f64_bits(d)
#define A_v v
/* C: operand n is the constant (of 64 bits where floats need it, sign-extended otherwise) */
static inline uint64_t wide_constant(const uint32_t *at)
{
    uint64_t bits;
    memcpy(&bits, at, sizeof bits);
    return bits;
}
#define C_i(n) W(n)
#define C_I(n) ((uint64_t)(int64_t)(int32_t)W(n))
#define C_f(n) bits_f32(W(n))
#define C_F(n) bits_f64(wide_constant(&W(n)))
#define C_fbits(n) W(n)
#define C_Fbits(n) wide_constant(&W(n))
#define CWORDS_i 1
#define CWORDS_I 1
#define CWORDS_f 1
#define CWORDS_F 2
#define CWORDS_fbits 1
#define CWORDS_Fbits 2
/* a result into its accumulator, and from there to the slot of operand n */
#define SET_i(x) (A = (uint32_t)(x))
#define SET_I(x) (A = (x))
#define SET_f(x) (f = (x))
#define SET_F(x) (d = (x))
#define SET_fbits(x) (f = bits_f32(x))
#define SET_Fbits(x) (d = bits_f64(x))
#define SET_v(x) (v = (v128)(x))
#define PUT_i(n) (*(uint64_t *)(fp + W(n)) = A)
#define PUT_I(n) (*(uint64_t *)(fp + W(n)) = A)
#define PUT_f(n) (*(float *)(fp + W(n)) = f)
#define PUT_F(n) (*(double *)(fp + W(n)) = d)
#define PUT_fbits(n) PUT_f(n)
#define PUT_Fbits(n) PUT_F(n)
#define PUT_v(n) (*(v128 *)(fp + W(n)) = v)

/* The compiler must not move `pc` on before the access: should that fault, pc says where (wasm_fault_code). */
#define ACCESSED __asm__ volatile("" : "+r"(pc) : : "memory")

#endif
