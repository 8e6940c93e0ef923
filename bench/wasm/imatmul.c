/* Integer matrix product, C[N, N] = A[N, N] B[N, N]. */
#include "bench.h"

enum { N = 160 };
static int32_t a[N][N], b[N][N], c[N][N];

static void setup(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (int32_t)(random_u32() & 0xffff) - 32768;
            b[i][j] = (int32_t)(random_u32() & 0xffff) - 32768;
        }
}

static uint32_t run(void)
{
    uint32_t sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            uint32_t dot = 0;
            for (int k = 0; k < N; k++)
                dot += (uint32_t)a[i][k] * (uint32_t)b[k][j];
            c[i][j] = (int32_t)dot;
            sum = sum * 31 + dot;
        }
    return sum;
}
