/* The operations that opcodes.def defines by an expression, in all their forms, and what the translator picks them by.
 */
#include "wasm/opbody.h"

/* ---- arithmetic ---- */

#define PAIR(name, r, words, ...)                                                                                      \
    OP(name##_to_acc)                                                                                                  \
    {                                                                                                                  \
        __VA_ARGS__;                                                                                                   \
        NEXT(words);                                                                                                   \
    }                                                                                                                  \
    OP(name##_to_slot)                                                                                                 \
    {                                                                                                                  \
        __VA_ARGS__;                                                                                                   \
        PUT_##r(words);                                                                                                \
        NEXT((words) + 1);                                                                                             \
    }
#define UN(name, ta, r, check, value)                                                                                  \
    PAIR(name##_S, r, 1, const TYPE_##ta a = S_##ta(0); check SET_##r(value))                                          \
    PAIR(name##_A, r, 0, const TYPE_##ta a = A_##ta; check SET_##r(value))
#define BIN_FORM(name, form, ta, from_a, tb, from_b, r, words, check, value)                                           \
    PAIR(name##_##form, r, words, const TYPE_##ta a = from_a; const TYPE_##tb b = from_b; check SET_##r(value))
#define BIN(name, ta, tb, r, check, value)                                                                             \
    BIN_FORM(name, SS, ta, S_##ta(0), tb, S_##tb(1), r, 2, check, value)                                               \
    BIN_FORM(name, AS, ta, A_##ta, tb, S_##tb(0), r, 1, check, value)                                                  \
    BIN_FORM(name, SA, ta, S_##ta(0), tb, A_##tb, r, 1, check, value)                                                  \
    CONSTANT_FORMS_##tb(name, ta, tb, r, check, value)
#define CONSTANT_FORMS(name, ta, tb, r, check, value)                                                                  \
    BIN_FORM(name, SC, ta, S_##ta(0), tb, C_##tb(1), r, 1 + CWORDS_##tb, check, value)                                 \
    BIN_FORM(name, AC, ta, A_##ta, tb, C_##tb(0), r, CWORDS_##tb, check, value)
#define CONSTANT_FORMS_i CONSTANT_FORMS
#define CONSTANT_FORMS_I CONSTANT_FORMS
#define CONSTANT_FORMS_f CONSTANT_FORMS
#define CONSTANT_FORMS_F CONSTANT_FORMS
#define CONSTANT_FORMS_fbits CONSTANT_FORMS
#define CONSTANT_FORMS_Fbits CONSTANT_FORMS
#define CONSTANT_FORMS_v(name, ta, tb, r, check, value)
#define TRI_FORM(name, form, from_a, from_b, from_c, words, value)                                                     \
    PAIR(name##_##form, v, words, const v128 a = from_a, b = from_b, c = from_c; SET_v(value))

/* ---- memory 0, guarded ---- */

#define ADDRESS_S(offset) (mem + ((uint64_t)S_i(0) + W(offset)))
#define ADDRESS_A(offset) (mem + ((uint64_t)A_i + W(offset)))
#define ADDRESS_K(offset) (mem + W(offset))
#define ADDRESS_X(offset) (mem + (uint64_t)(uint32_t)(S_i(0) + S_i(1)))
#define ADDRESS_D(offset) (mem + (uint64_t)(uint32_t)(S_i(0) + W(1)))
#define LOAD_FORM(name, form, words, r, type, value)                                                                   \
    PAIR(name##_##form, r, words, type m; memcpy(&m, ADDRESS_##form((words)-1), sizeof m); ACCESSED; SET_##r(value))
#define STORE_FORM(name, form, address, words, ta, from, type, value)                                                  \
    OP(name##_##form)                                                                                                  \
    {                                                                                                                  \
        const TYPE_##ta a = from;                                                                                      \
        const type m = (value);                                                                                        \
        memcpy(address, &m, sizeof m);                                                                                 \
        ACCESSED;                                                                                                      \
        NEXT(words);                                                                                                   \
    }

/* ---- any memory, checked: operands …, memory (64 bits), offset (64 bits) ---- */

/* NULL: out of bounds. `at` is an address of 32 bits, zero-extended, or of 64. */
static inline uint8_t *checked_address(const uint32_t *words, uint64_t at, unsigned size)
{
    const wasm_memory *memory;
    uint64_t offset;
    memcpy(&memory, words, sizeof memory);
    memcpy(&offset, words + 2, sizeof offset);
    if (WASM_UNLIKELY(__builtin_add_overflow(at, offset, &at) || !wasm_inside(at, size, memory->size))) return NULL;
    return memory->data + at;
}
#define CHECKED(p, words, at, size)                                                                                    \
    uint8_t *p = checked_address(&W(words), at, size);                                                                 \
    TRAP_IF(!p, MEMORY)
#define CHECKED_LOAD(name, form, words, at, r, type, value)                                                            \
    PAIR(name##_checked_##form, r, (words) + 4, CHECKED(p, words, at, sizeof(type)) type m; memcpy(&m, p, sizeof m);   \
         SET_##r(value))
#define CHECKED_STORE(name, form, words, at, ta, from, type, value)                                                    \
    OP(name##_checked_##form)                                                                                          \
    {                                                                                                                  \
        const TYPE_##ta a = from;                                                                                      \
        const type m = (value);                                                                                        \
        CHECKED(p, words, at, sizeof m)                                                                                \
        memcpy(p, &m, sizeof m);                                                                                       \
        NEXT((words) + 4);                                                                                             \
    }

/* ---- the list ---- */

#define WASM_UN(code, name, text, a, r, value) UN(name, a, r, , value)
#define WASM_UN_TRAP(code, name, text, a, r, check, value) UN(name, a, r, check, value)
#define WASM_BIN(code, name, text, a, b, r, value) BIN(name, a, b, r, , value)
#define WASM_BIN_TRAP(code, name, text, a, b, r, check, value) BIN(name, a, b, r, check, value)
#define WASM_TRI(code, name, text, ta, tb, tc, r, value)                                                               \
    TRI_FORM(name, SSS, S_v(0), S_v(1), S_v(2), 3, value)                                                              \
    TRI_FORM(name, ASS, A_v, S_v(0), S_v(1), 2, value)                                                                 \
    TRI_FORM(name, SAS, S_v(0), A_v, S_v(1), 2, value)                                                                 \
    TRI_FORM(name, SSA, S_v(0), S_v(1), A_v, 2, value)
#define WASM_LOAD(code, name, text, r, align, type, value)                                                             \
    LOAD_FORM(name, S, 2, r, type, value)                                                                              \
    LOAD_FORM(name, A, 1, r, type, value)                                                                              \
    LOAD_FORM(name, K, 1, r, type, value)                                                                              \
    LOAD_FORM(name, X, 2, r, type, value)                                                                              \
    LOAD_FORM(name, D, 2, r, type, value)                                                                              \
    CHECKED_LOAD(name, S, 1, S_I(0), r, type, value)                                                                   \
    CHECKED_LOAD(name, A, 0, A, r, type, value)
#define STORE_CONSTANT_FORMS(name, ta, type, value)                                                                    \
    STORE_FORM(name, SC, ADDRESS_S(1), 2 + CWORDS_##ta, ta, C_##ta(2), type, value)                                    \
    STORE_FORM(name, AC, ADDRESS_A(0), 1 + CWORDS_##ta, ta, C_##ta(1), type, value)                                    \
    STORE_FORM(name, KC, ADDRESS_K(0), 1 + CWORDS_##ta, ta, C_##ta(1), type, value)
#define STORE_CONSTANT_FORMS_i STORE_CONSTANT_FORMS
#define STORE_CONSTANT_FORMS_I STORE_CONSTANT_FORMS
#define STORE_CONSTANT_FORMS_fbits STORE_CONSTANT_FORMS
#define STORE_CONSTANT_FORMS_Fbits STORE_CONSTANT_FORMS
#define STORE_CONSTANT_FORMS_v(name, ta, type, value)
#define WASM_STORE(code, name, text, ta, align, type, value)                                                           \
    STORE_FORM(name, SS, ADDRESS_S(1), 3, ta, S_##ta(2), type, value)                                                  \
    STORE_FORM(name, SA, ADDRESS_S(1), 2, ta, A_##ta, type, value)                                                     \
    STORE_FORM(name, AS, ADDRESS_A(0), 2, ta, S_##ta(1), type, value)                                                  \
    STORE_FORM(name, KS, ADDRESS_K(0), 2, ta, S_##ta(1), type, value)                                                  \
    STORE_FORM(name, KA, ADDRESS_K(0), 1, ta, A_##ta, type, value)                                                     \
    STORE_FORM(name, XS, ADDRESS_X(0), 3, ta, S_##ta(2), type, value)                                                  \
    STORE_FORM(name, XA, ADDRESS_X(0), 2, ta, A_##ta, type, value)                                                     \
    STORE_FORM(name, DS, ADDRESS_D(0), 3, ta, S_##ta(2), type, value)                                                  \
    STORE_FORM(name, DA, ADDRESS_D(0), 2, ta, A_##ta, type, value)                                                     \
    STORE_FORM(name, AA, ADDRESS_A(0), 1, ta, A_##ta, type, value)                                                     \
    STORE_CONSTANT_FORMS_##ta(name, ta, type, value) CHECKED_STORE(name, SS, 2, S_I(0), ta, S_##ta(1), type, value)    \
        CHECKED_STORE(name, SA, 1, S_I(0), ta, A_##ta, type, value)                                                    \
            CHECKED_STORE(name, AS, 1, A, ta, S_##ta(0), type, value)                                                  \
                CHECKED_STORE(name, AA, 0, A, ta, A_##ta, type, value)
#define WASM_EXTRACT(code, name, text, lanes, r, value)                                                                \
    PAIR(name##_S, r, 2, const v128 a = S_v(0); const unsigned k = W(1) & (lanes - 1); SET_##r(value))                 \
    PAIR(name##_A, r, 1, const v128 a = v; const unsigned k = W(0) & (lanes - 1); SET_##r(value))
#define REPLACE_FORM(name, form, vector, tb, from, words, lanes, type)                                                 \
    PAIR(name##_##form, v, words, type a = (type)(vector); a[W((words)-1) & (lanes - 1)] = (__typeof__(a[0]))(from);   \
         SET_v(a))
#define WASM_REPLACE(code, name, text, lanes, tb, type)                                                                \
    REPLACE_FORM(name, SS, S_v(0), tb, S_##tb(1), 3, lanes, type)                                                      \
    REPLACE_FORM(name, AS, v, tb, S_##tb(0), 2, lanes, type)                                                           \
    REPLACE_FORM(name, SA, S_v(0), tb, A_##tb, 2, lanes, type)
/* address and vector in slots, lane, memory, offset */
#define WASM_LOAD_LANE(code, name, text, align, type)                                                                  \
    PAIR(name##_SS, v, 7, type a = (type)S_v(1); CHECKED(p, 3, S_I(0), 1u << align) __typeof__(((type){0})[0]) m;      \
         memcpy(&m, p, sizeof m); a[W(2) & ((16 >> align) - 1)] = m; SET_v(a))
#define WASM_STORE_LANE(code, name, text, align, type)                                                                 \
    OP(name##_SS)                                                                                                      \
    {                                                                                                                  \
        const type a = (type)S_v(1);                                                                                   \
        CHECKED(p, 3, S_I(0), 1u << align)                                                                             \
        const __typeof__(((type){0})[0]) m = a[W(2) & ((16 >> align) - 1)];                                            \
        memcpy(p, &m, sizeof m);                                                                                       \
        NEXT(7);                                                                                                       \
    }
#define WASM_OP(code, name, text, imm, signature)
#define WASM_LOCAL_OP(code, name, text, imm, signature)
#include "wasm/opcodes.def"

/* ---- which one ---- */

/* gcc and clang make tables of distances of these, which need no relocation. */
#define PAIR_CASE(code, name, forms, n, form)                                                                          \
    case WASM_OP_SLOT(code) * (forms) + (n):                                                                           \
        return (wasm_op_pair){name##_##form##_to_acc, name##_##form##_to_slot};
#define CASE(code, name, form) PAIR_CASE(code, name, WASM_FORMS, WASM_FORM_##form, form)
#define CONSTANT_CASES(code, name) CASE(code, name, SC) CASE(code, name, AC)
#define CONSTANT_CASES_i CONSTANT_CASES
#define CONSTANT_CASES_I CONSTANT_CASES
#define CONSTANT_CASES_f CONSTANT_CASES
#define CONSTANT_CASES_F CONSTANT_CASES
#define CONSTANT_CASES_fbits CONSTANT_CASES
#define CONSTANT_CASES_Fbits CONSTANT_CASES
#define CONSTANT_CASES_v(code, name)
#define UN_CASES(code, name) CASE(code, name, S) CASE(code, name, A)
#define BIN_CASES(code, name) CASE(code, name, SS) CASE(code, name, AS) CASE(code, name, SA)
#define LOAD_CASE(code, name, form) PAIR_CASE(code, name, WASM_FORMS, WASM_LOAD_##form, form)

wasm_op_pair wasm_op_of(uint32_t slot, unsigned form)
{
    switch (slot * WASM_FORMS + form) {
#define WASM_UN(code, name, text, a, r, value) UN_CASES(code, name)
#define WASM_UN_TRAP(code, name, text, a, r, check, value) UN_CASES(code, name)
#define WASM_BIN(code, name, text, a, b, r, value) BIN_CASES(code, name) CONSTANT_CASES_##b(code, name)
#define WASM_BIN_TRAP(code, name, text, a, b, r, check, value) BIN_CASES(code, name) CONSTANT_CASES_##b(code, name)
#define WASM_TRI(code, name, text, a, b, c, r, value)                                                                  \
    CASE(code, name, SSS) CASE(code, name, ASS) CASE(code, name, SAS) CASE(code, name, SSA)
#define WASM_LOAD(code, name, text, r, align, type, value)                                                             \
    LOAD_CASE(code, name, S)                                                                                           \
    LOAD_CASE(code, name, A) LOAD_CASE(code, name, K) LOAD_CASE(code, name, X) LOAD_CASE(code, name, D)
#define WASM_STORE(code, name, text, a, align, type, value)
#define WASM_EXTRACT(code, name, text, lanes, r, value) UN_CASES(code, name)
#define WASM_REPLACE(code, name, text, lanes, a, type) BIN_CASES(code, name)
#define WASM_LOAD_LANE(code, name, text, align, type) CASE(code, name, SS)
#define WASM_STORE_LANE(code, name, text, align, type)                                                                 \
    case WASM_OP_SLOT(code) * WASM_FORMS + WASM_FORM_SS:                                                               \
        return (wasm_op_pair){name##_SS, NULL};
#define WASM_OP(code, name, text, imm, signature)
#define WASM_LOCAL_OP(code, name, text, imm, signature)
#include "wasm/opcodes.def"
    default:
        return (wasm_op_pair){NULL, NULL};
    }
}

#define NOTHING(...)
#define STORE_CASE(code, name, form)                                                                                   \
    case WASM_OP_SLOT(code) * WASM_STORE_FORMS + WASM_STORE_##form:                                                    \
        return name##_##form;
#define STORE_CONSTANT_CASES(code, name)                                                                               \
    STORE_CASE(code, name, SC) STORE_CASE(code, name, AC) STORE_CASE(code, name, KC)
#define STORE_CONSTANT_CASES_i STORE_CONSTANT_CASES
#define STORE_CONSTANT_CASES_I STORE_CONSTANT_CASES
#define STORE_CONSTANT_CASES_f STORE_CONSTANT_CASES
#define STORE_CONSTANT_CASES_F STORE_CONSTANT_CASES
#define STORE_CONSTANT_CASES_fbits STORE_CONSTANT_CASES
#define STORE_CONSTANT_CASES_Fbits STORE_CONSTANT_CASES
#define STORE_CONSTANT_CASES_v(code, name)

wasm_op_fn wasm_store_op_of(uint32_t slot, unsigned form)
{
    switch (slot * WASM_STORE_FORMS + form) {
#define WASM_STORE(code, name, text, a, align, type, value)                                                            \
    STORE_CASE(code, name, SS)                                                                                         \
    STORE_CASE(code, name, SA)                                                                                         \
    STORE_CASE(code, name, AS)                                                                                         \
    STORE_CASE(code, name, KS) STORE_CASE(code, name, KA) STORE_CASE(code, name, XS) STORE_CASE(code, name, XA)        \
        STORE_CASE(code, name, DS) STORE_CASE(code, name, DA) STORE_CASE(code, name, AA)                               \
            STORE_CONSTANT_CASES_##a(code, name)
#define WASM_LOAD NOTHING
#define WASM_UN NOTHING
#define WASM_UN_TRAP NOTHING
#define WASM_BIN NOTHING
#define WASM_BIN_TRAP NOTHING
#define WASM_TRI NOTHING
#define WASM_EXTRACT NOTHING
#define WASM_REPLACE NOTHING
#define WASM_LOAD_LANE NOTHING
#define WASM_STORE_LANE NOTHING
#define WASM_OP NOTHING
#define WASM_LOCAL_OP NOTHING
#include "wasm/opcodes.def"
    default:
        return NULL;
    }
}

#define CHECKED_CASE(code, n, function)                                                                                \
    case WASM_OP_SLOT(code) * 4 + (n):                                                                                 \
        return function;

wasm_op_fn wasm_checked_store_op_of(uint32_t slot, unsigned form)
{
    switch (slot * 4 + form) {
#define WASM_STORE(code, name, text, a, align, type, value)                                                            \
    CHECKED_CASE(code, 0, name##_checked_SS)                                                                           \
    CHECKED_CASE(code, 1, name##_checked_SA)                                                                           \
    CHECKED_CASE(code, 2, name##_checked_AS)                                                                           \
    CHECKED_CASE(code, 3, name##_checked_AA)
#define WASM_LOAD NOTHING
#define WASM_UN NOTHING
#define WASM_UN_TRAP NOTHING
#define WASM_BIN NOTHING
#define WASM_BIN_TRAP NOTHING
#define WASM_TRI NOTHING
#define WASM_EXTRACT NOTHING
#define WASM_REPLACE NOTHING
#define WASM_LOAD_LANE NOTHING
#define WASM_STORE_LANE NOTHING
#define WASM_OP NOTHING
#define WASM_LOCAL_OP NOTHING
#include "wasm/opcodes.def"
    default:
        return NULL;
    }
}

wasm_op_pair wasm_checked_load_op_of(uint32_t slot, unsigned form)
{
    switch (slot * 2 + form) {
#define WASM_STORE NOTHING
#define WASM_LOAD(code, name, text, r, align, type, value)                                                             \
    PAIR_CASE(code, name, 2, 0, checked_S)                                                                             \
    PAIR_CASE(code, name, 2, 1, checked_A)
#define WASM_UN NOTHING
#define WASM_UN_TRAP NOTHING
#define WASM_BIN NOTHING
#define WASM_BIN_TRAP NOTHING
#define WASM_TRI NOTHING
#define WASM_EXTRACT NOTHING
#define WASM_REPLACE NOTHING
#define WASM_LOAD_LANE NOTHING
#define WASM_STORE_LANE NOTHING
#define WASM_OP NOTHING
#define WASM_LOCAL_OP NOTHING
#include "wasm/opcodes.def"
    default:
        return (wasm_op_pair){NULL, NULL};
    }
}
