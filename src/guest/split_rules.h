/* The rules of split.c in the form that they are matched in. */
#ifndef GUEST_SPLIT_RULES_H
#define GUEST_SPLIT_RULES_H
#include "guest/split.h"
#include "guest/unicode.h"

enum {
    SPLIT_PASSES = 6,
    SPLIT_ALTERNATIVES = 32,
    SPLIT_ITEMS = 64,
    SPLIT_RANGES = 160,
    SPLIT_MANY = UINT16_MAX,
    SPLIT_NONE = UINT8_MAX
};
enum { SPLIT_NEGATED = 1, SPLIT_NOT_BEFORE = 2, SPLIT_SHORT_FORMS = 4, SPLIT_ANY_CASE = 8, SPLIT_PHRASE = 16 };
/* What a pass does: match alternatives, cut off the white space at the end, or cut numbers in threes. */
enum { SPLIT_MATCH, SPLIT_TRAILING, SPLIT_THREES };

typedef struct split_range {
    uint32_t low, high;
} split_range;

typedef struct split_item {
    uint32_t bits;        /* GUEST_BITS_* */
    split_range hole;     /* taken out again */
    uint32_t ascii[4];    /* which ASCII characters the class has */
    uint16_t least, most; /* SPLIT_MANY: without end */
    uint8_t first_range, range_count;
    uint8_t flags;
} split_item;

typedef struct split_pass {
    uint8_t first, count; /* alternatives */
    uint8_t what;
    uint8_t star;        /* the alternative that begins with a class*, SPLIT_NONE: none does */
    uint32_t begin[129]; /* by the first byte (128: not ASCII): which alternatives may match, as bits from `first` */
} split_pass;

struct guest_split {
    uint8_t pass_count, alternative_count, item_count, range_count;
    split_pass pass[SPLIT_PASSES];
    struct {
        uint8_t first, count; /* items */
    } alternative[SPLIT_ALTERNATIVES];
    split_item items[SPLIT_ITEMS];
    split_range ranges[SPLIT_RANGES];
    uint64_t work;
};

/* Is the code point in the item's class? */
bool guest_split_has(const guest_split *s, const split_item *it, uint32_t code_point);

#endif
