#include "guest/unicode.h"

uint32_t guest_unicode_lower(uint32_t c)
{
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    uint32_t low = 0, high = guest_lower_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (guest_lower_cases[middle].from < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < guest_lower_count && guest_lower_cases[low].from == c ? guest_lower_cases[low].to : c;
}

/* The first place whose value is not below key. */
static uint32_t find_key(const uint32_t *keys, uint32_t count, uint32_t key)
{
    uint32_t low = 0;
    while (low < count) {
        uint32_t middle = (low + count) / 2;
        if (keys[middle] < key)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

uint8_t guest_combining_class(uint32_t c)
{
    if (c < 0x300) return 0;
    uint32_t at = find_key(guest_combining_classes, guest_class_count, c << 8);
    return at < guest_class_count && guest_combining_classes[at] >> 8 == c ? (uint8_t)guest_combining_classes[at] : 0;
}

base_span guest_decomposition(uint32_t c, bool compatible)
{
    if (c < 0xa0) return (base_span){0};
    uint32_t at = find_key(guest_decomposition_keys, guest_decomposition_count, c << 1 | compatible);
    if (compatible && (at == guest_decomposition_count || guest_decomposition_keys[at] != (c << 1 | 1)))
        at = find_key(guest_decomposition_keys, guest_decomposition_count, c << 1);
    if (at == guest_decomposition_count || guest_decomposition_keys[at] >> 1 != c ||
        (!compatible && guest_decomposition_keys[at] & 1))
        return (base_span){0};
    uint32_t start = guest_decomposition_offsets[at];
    return (base_span){guest_decomposition_texts + start, guest_decomposition_offsets[at + 1] - start};
}

static uint32_t compose_hangul(uint32_t first, uint32_t second)
{
    if (first >= 0x1100 && first < 0x1113 && second >= 0x1161 && second < 0x1176)
        return 0xac00 + ((first - 0x1100) * 21 + (second - 0x1161)) * 28;
    if (first >= 0xac00 && first < 0xd7a4 && (first - 0xac00) % 28 == 0 && second > 0x11a7 && second < 0x11c3)
        return first + (second - 0x11a7);
    return 0;
}

uint32_t guest_compose(uint32_t first, uint32_t second)
{
    uint32_t low = 0, high = guest_composition_count, hangul = compose_hangul(first, second);
    if (hangul) return hangul;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const guest_composition *c = &guest_compositions[middle];
        if (c->first < first || (c->first == first && c->second < second))
            low = middle + 1;
        else
            high = middle;
    }
    const guest_composition *c = &guest_compositions[low];
    return low < guest_composition_count && c->first == first && c->second == second ? c->result : 0;
}
