/* What the tokenizers need of Unicode. */
#ifndef GUEST_UNICODE_H
#define GUEST_UNICODE_H
#include "base/bytes.h"
#include <stdbool.h>
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

/* A set of categories as bits 0 to 29; two more say whether it is white space (the property White_Space). */
#define GUEST_BITS_L (31u << GUEST_LL)
#define GUEST_BITS_M (7u << GUEST_MC)
#define GUEST_BITS_N (7u << GUEST_ND)
#define GUEST_BITS_P (127u << GUEST_PC)
#define GUEST_BITS_S (15u << GUEST_SC)
#define GUEST_BITS_SPACE (1u << 30)
#define GUEST_BITS_NOT_SPACE (1u << 31)

#define GUEST_BITS_Z (7u << GUEST_ZL)

/* Made by tools/make-unicode.py. Categories in two stages: blocks of 256 code points, equal ones once. */
extern const uint8_t guest_unicode_index[0x110000 / 256], guest_unicode_categories[];
typedef struct guest_code_pair {
    uint32_t from, to;
} guest_code_pair;
typedef struct guest_composition {
    uint32_t first, second, result;
} guest_composition;
extern const uint32_t guest_lower_count, guest_class_count, guest_decomposition_count, guest_composition_count;
extern const guest_code_pair guest_lower_cases[];
extern const uint32_t guest_combining_classes[];  /* code point << 8 | class */
extern const uint32_t guest_decomposition_keys[]; /* code point << 1 | compatible */
extern const uint16_t guest_decomposition_offsets[];
extern const uint8_t guest_decomposition_texts[]; /* UTF-8, in full */
extern const guest_composition guest_compositions[];

/* The set that holds a code point's category and whether it is white space. */
static inline uint32_t guest_unicode_bits(uint32_t c)
{
    if (c > 0x10ffff) return 1u << GUEST_CN | GUEST_BITS_NOT_SPACE;
    uint32_t bits = 1u << guest_unicode_categories[(uint32_t)guest_unicode_index[c >> 8] << 8 | (c & 255)];
    bool space = (bits & GUEST_BITS_Z) || (c >= 9 && c <= 13) || c == 0x85;
    return bits | (space ? GUEST_BITS_SPACE : GUEST_BITS_NOT_SPACE);
}
uint32_t guest_unicode_lower(uint32_t code_point); /* simple mapping */
uint8_t guest_combining_class(uint32_t code_point);
/* The full decomposition as UTF-8, {NULL, 0}: itself. Hangul has none here. */
base_span guest_decomposition(uint32_t code_point, bool compatible);
uint32_t guest_compose(uint32_t first, uint32_t second); /* 0: they do not compose; Hangul does */

#endif
