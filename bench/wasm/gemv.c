/* y[ROWS] = W[ROWS, COLUMNS] x[COLUMNS] in f32 (it stays in the second-level cache), eight times over, one product and
 * one sum at a time. */
#include "bench.h"

enum { ROWS = 256, COLUMNS = 512 };
static float w[ROWS][COLUMNS], x[COLUMNS], y[ROWS];

static void setup(void)
{
    for (int c = 0; c < COLUMNS; c++)
        x[c] = random_float();
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++)
            w[r][c] = random_float();
}

static uint32_t run(void)
{
    uint32_t sum = 0, bits;
    for (int n = 0; n < 8 * ROWS; n++) {
        const int r = n % ROWS;
        float dot = 0;
        for (int c = 0; c < COLUMNS; c++)
            dot += w[r][c] * x[c];
        y[r] = dot;
        memcpy(&bits, &y[r], sizeof bits);
        sum = sum * 31 + bits;
    }
    return sum;
}
