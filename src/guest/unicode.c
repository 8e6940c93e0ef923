#include "guest/unicode.h"

static int is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

uint32_t guest_unicode_bits(uint32_t c)
{
    uint32_t low = 0, high = guest_unicode_count, key = c << 8 | 0xff;
    if ((c | 32) >= 'a' && (c | 32) <= 'z') /* most of most texts */
        return 1u << (c & 32 ? GUEST_LL : GUEST_LU) | GUEST_BITS_NOT_SPACE;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (guest_unicode_starts[middle] <= key)
            low = middle;
        else
            high = middle;
    }
    return 1u << (guest_unicode_starts[low] & 31) | (is_space(c) ? GUEST_BITS_SPACE : GUEST_BITS_NOT_SPACE);
}
