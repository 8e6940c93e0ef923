/* What the pre-tokenizers need of Unicode: general categories and white space. */
#ifndef GUEST_UNICODE_H
#define GUEST_UNICODE_H
#include <stdint.h>

/* In the order of tools/make-unicode.py. */
enum {
    GUEST_CN,
    GUEST_CC,
    GUEST_CF,
    GUEST_CO,
    GUEST_CS, /* other */
    GUEST_LL,
    GUEST_LM,
    GUEST_LO,
    GUEST_LT,
    GUEST_LU, /* letters */
    GUEST_MC,
    GUEST_ME,
    GUEST_MN, /* marks */
    GUEST_ND,
    GUEST_NL,
    GUEST_NO, /* numbers */
    GUEST_PC,
    GUEST_PD,
    GUEST_PE,
    GUEST_PF,
    GUEST_PI,
    GUEST_PO,
    GUEST_PS, /* punctuation */
    GUEST_SC,
    GUEST_SK,
    GUEST_SM,
    GUEST_SO, /* symbols */
    GUEST_ZL,
    GUEST_ZP,
    GUEST_ZS, /* separators */
};

/* code point << 8 | category, where each run of one category begins; ascending, the first is 0 (generated). */
extern const uint32_t guest_unicode_count, guest_unicode_starts[];

/* A set of categories as bits 0 to 29; two more say whether it is white space (the property White_Space). */
#define GUEST_BITS_L (31u << GUEST_LL)
#define GUEST_BITS_M (7u << GUEST_MC)
#define GUEST_BITS_N (7u << GUEST_ND)
#define GUEST_BITS_P (127u << GUEST_PC)
#define GUEST_BITS_S (15u << GUEST_SC)
#define GUEST_BITS_SPACE (1u << 30)
#define GUEST_BITS_NOT_SPACE (1u << 31)

uint32_t guest_unicode_bits(uint32_t code_point);

#endif
