/* Branches that compare by themselves. Operand 0 is the distance; a backward branch that is taken is a tick. */
#include "wasm/opbody.h"

#define TAKE_forward GO(BRANCH_TARGET)
/* The tick comes last in wasm_op_tick's eyes, too: the whole branch is done again. */
#define TAKE_back                                                                                                      \
    do {                                                                                                               \
        TICK;                                                                                                          \
        GO(BRANCH_TARGET);                                                                                             \
    } while (0)
#define BRANCH_FORM(name, form, way, type, from_a, from_b, words, value)                                               \
    OP(name##_##form##_##way)                                                                                          \
    {                                                                                                                  \
        const type a = from_a, b = from_b;                                                                             \
        if (value) TAKE_##way;                                                                                         \
        NEXT(words);                                                                                                   \
    }
#define INTEGER_BRANCH(name, way, t, value)                                                                            \
    BRANCH_FORM(name, SS, way, TYPE_##t, S_##t(1), S_##t(2), 3, value)                                                 \
    BRANCH_FORM(name, SC, way, TYPE_##t, S_##t(1), C_##t(2), 3, value)                                                 \
    BRANCH_FORM(name, AS, way, TYPE_##t, A_##t, S_##t(1), 2, value)                                                    \
    BRANCH_FORM(name, AC, way, TYPE_##t, A_##t, C_##t(1), 2, value)
#define FLOAT_BRANCH(name, way, t, value)                                                                              \
    BRANCH_FORM(name, SS, way, TYPE_##t, S_##t(1), S_##t(2), 3, value)                                                 \
    BRANCH_FORM(name, AS, way, TYPE_##t, A_##t, S_##t(1), 2, value)                                                    \
    BRANCH_FORM(name, SA, way, TYPE_##t, S_##t(1), A_##t, 2, value)

/* X(enumerator, name, type, signed type, expression) for both widths */
#define COMPARISONS(X, t, s, w)                                                                                        \
    X(EQ, eq##w, t, a == b)                                                                                            \
    X(NE, ne##w, t, a != b)                                                                                            \
    X(LT_S, lt_s##w, t, (s)a < (s)b)                                                                                   \
    X(GT_S, gt_s##w, t, (s)a > (s)b)                                                                                   \
    X(LE_S, le_s##w, t, (s)a <= (s)b)                                                                                  \
    X(GE_S, ge_s##w, t, (s)a >= (s)b)                                                                                  \
    X(LT_U, lt_u##w, t, a < b)                                                                                         \
    X(GT_U, gt_u##w, t, a > b)                                                                                         \
    X(LE_U, le_u##w, t, a <= b)                                                                                        \
    X(GE_U, ge_u##w, t, a >= b)                                                                                        \
    X(TEST, test##w, t, (a & b) != 0)                                                                                  \
    X(NTEST, ntest##w, t, (a & b) == 0)
#define FLOAT_COMPARISONS(X, t)                                                                                        \
    X(EQ, eq##t, t, a == b)                                                                                            \
    X(NE, ne##t, t, a != b)                                                                                            \
    X(LT_S, lt##t, t, a < b)                                                                                           \
    X(GT_S, gt##t, t, a > b)                                                                                           \
    X(LE_S, le##t, t, a <= b)                                                                                          \
    X(GE_S, ge##t, t, a >= b)

#define DEFINE(enumerator, name, t, value)                                                                             \
    INTEGER_BRANCH(name, forward, t, value)                                                                            \
    INTEGER_BRANCH(name, back, t, value)
COMPARISONS(DEFINE, i, int32_t, 32)
COMPARISONS(DEFINE, I, int64_t, 64)
#undef DEFINE
#define DEFINE(enumerator, name, t, value)                                                                             \
    FLOAT_BRANCH(name, forward, t, value)                                                                              \
    FLOAT_BRANCH(name, back, t, value)                                                                                 \
    FLOAT_BRANCH(name##_not, forward, t, !(value))                                                                     \
    FLOAT_BRANCH(name##_not, back, t, !(value))
FLOAT_COMPARISONS(DEFINE, f)
FLOAT_COMPARISONS(DEFINE, F)
#undef DEFINE

#define LINE(enumerator, name, t, value)                                                                               \
    [WASM_CMP_##enumerator] = {{name##_SS_forward, name##_SS_back},                                                    \
                               {name##_SC_forward, name##_SC_back},                                                    \
                               {name##_AS_forward, name##_AS_back},                                                    \
                               {name##_AC_forward, name##_AC_back}},
const wasm_op_fn wasm_branch_ops[2][WASM_CMPS][WASM_BR_FORMS][2] = {
    {COMPARISONS(LINE, i, int32_t, 32)},
    {COMPARISONS(LINE, I, int64_t, 64)},
};
#undef LINE
#define WAYS(name, form)                                                                                               \
    {                                                                                                                  \
        {name##_##form##_forward, name##_##form##_back}, {name##_not_##form##_forward, name##_not_##form##_back},      \
    }
#define LINE(enumerator, name, t, value) [WASM_CMP_##enumerator] = {WAYS(name, SS), WAYS(name, AS), WAYS(name, SA)},
const wasm_op_fn wasm_float_branch_ops[2][6][3][2][2] = {
    {FLOAT_COMPARISONS(LINE, f)},
    {FLOAT_COMPARISONS(LINE, F)},
};

/* ---- counting loops: slot, constant to add, slot or constant to compare with ---- */

#define COUNT_FORM(name, form, way, from_b, value)                                                                     \
    OP(count_##name##_##form##_##way)                                                                                  \
    {                                                                                                                  \
        const uint32_t a = S_i(1) + W(2), b = from_b;                                                                  \
        if (value) {                                                                                                   \
            COUNT_TICK_##way;                                                                                          \
            *(uint64_t *)(fp + W(1)) = A = a;                                                                          \
            GO(BRANCH_TARGET);                                                                                         \
        }                                                                                                              \
        *(uint64_t *)(fp + W(1)) = A = a;                                                                              \
        NEXT(4);                                                                                                       \
    }
#define COUNT_TICK_forward (void)0
#define COUNT_TICK_back TICK /* before anything is written: the instruction is done again */
#define COUNT(enumerator, name, t, value)                                                                              \
    COUNT_FORM(name, S, forward, S_i(3), value)                                                                        \
    COUNT_FORM(name, C, forward, W(3), value)                                                                          \
    COUNT_FORM(name, S, back, S_i(3), value)                                                                           \
    COUNT_FORM(name, C, back, W(3), value)
COMPARISONS(COUNT, i, int32_t, 32)
#define COUNT_LINE(enumerator, name, t, value)                                                                         \
    [WASM_CMP_##enumerator] = {{count_##name##_S_forward, count_##name##_S_back},                                      \
                               {count_##name##_C_forward, count_##name##_C_back}},
const wasm_op_fn wasm_count_ops[WASM_CMPS][2][2] = {COMPARISONS(COUNT_LINE, i, int32_t, 32)};
