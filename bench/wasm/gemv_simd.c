/* y[ROWS] = W[ROWS, COLUMNS] x[COLUMNS] in f32 (it stays in the second-level cache), eight times over, with 16-byte
 * vectors: four sums of four lanes. */
#include "bench.h"

typedef float f32x4 __attribute__((vector_size(16)));
enum { ROWS = 256, COLUMNS = 512, VECTORS = COLUMNS / 4 };
static f32x4 w[ROWS][VECTORS], x[VECTORS];
static float y[ROWS];

static void setup(void)
{
    for (int c = 0; c < COLUMNS; c++)
        x[c / 4][c % 4] = random_float();
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++)
            w[r][c / 4][c % 4] = random_float();
}

static uint32_t run(void)
{
    uint32_t sum = 0, bits;
    for (int n = 0; n < 8 * ROWS; n++) {
        const int r = n % ROWS;
        f32x4 a = {0}, b = {0}, c = {0}, d = {0};
        for (int i = 0; i < VECTORS; i += 4) {
            a += w[r][i] * x[i];
            b += w[r][i + 1] * x[i + 1];
            c += w[r][i + 2] * x[i + 2];
            d += w[r][i + 3] * x[i + 3];
        }
        a = (a + b) + (c + d);
        y[r] = (a[0] + a[1]) + (a[2] + a[3]);
        memcpy(&bits, &y[r], sizeof bits);
        sum = sum * 31 + bits;
    }
    return sum;
}
