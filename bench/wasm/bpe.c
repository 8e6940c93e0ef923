/* Byte-pair encoding: in each word the pair of lowest rank is merged until none is left; ranks in an open hash table.
 */
#include "bench.h"

enum { SLOTS = 1 << 14, MERGES = 6000, WORDS = 1000, WORD_MAX = 16 };
static struct {
    uint32_t left, right, rank, merged;
} table[SLOTS];
static uint8_t words[WORDS][WORD_MAX];
static uint8_t sizes[WORDS];

static uint32_t slot_of(uint32_t left, uint32_t right)
{
    uint32_t at = (left * 2654435761u ^ right * 2246822519u) >> 7 & (SLOTS - 1);
    while (table[at].merged && (table[at].left != left || table[at].right != right))
        at = (at + 1) & (SLOTS - 1);
    return at;
}

static void setup(void)
{
    for (uint32_t i = 0; i < MERGES; i++) {
        /* the first merges join letters, later ones what came out of earlier merges */
        uint32_t left = i < 600 ? random_u32() % 26 : 26 + random_u32() % i,
                 right = random_u32() % 3 ? random_u32() % 26 : left;
        uint32_t at = slot_of(left, right);
        if (table[at].merged) continue;
        table[at].left = left;
        table[at].right = right;
        table[at].rank = i;
        table[at].merged = 26 + i;
    }
    for (int w = 0; w < WORDS; w++) {
        sizes[w] = (uint8_t)(3 + random_u32() % (WORD_MAX - 3));
        for (int i = 0; i < sizes[w]; i++)
            words[w][i] = (uint8_t)(random_u32() % 26);
    }
}

static uint32_t encode(const uint8_t *word, uint32_t size, uint32_t hash)
{
    uint32_t symbols[WORD_MAX];
    for (uint32_t i = 0; i < size; i++)
        symbols[i] = word[i];
    for (;;) {
        uint32_t best = UINT32_MAX, where = 0, merged = 0;
        for (uint32_t i = 0; i + 1 < size; i++) {
            uint32_t at = slot_of(symbols[i], symbols[i + 1]);
            if (table[at].merged && table[at].rank < best) {
                best = table[at].rank;
                where = i;
                merged = table[at].merged;
            }
        }
        if (best == UINT32_MAX) break;
        symbols[where] = merged;
        size--;
        for (uint32_t i = where + 1; i < size; i++)
            symbols[i] = symbols[i + 1];
    }
    for (uint32_t i = 0; i < size; i++)
        hash = hash * 31 + symbols[i];
    return hash;
}

static uint32_t run(void)
{
    uint32_t hash = 0;
    for (int w = 0; w < WORDS; w++)
        hash = encode(words[w], sizes[w], hash);
    return hash;
}
