/* Matrix product of 64-bit integers, C[N, N] = A[N, N] B[N, N], B stored by columns. */
#include "bench.h"

enum { N = 80 };
static int64_t a[N][N], b[N][N], c[N][N];

static void setup(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (int64_t)random_u32() - 8000000;
            b[i][j] = (int64_t)random_u32() - 8000000;
        }
}

static uint32_t run(void)
{
    uint32_t sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            int64_t dot = 0;
            for (int k = 0; k < N; k++)
                dot += a[i][k] * b[j][k];
            c[i][j] = dot;
            sum = sum * 31 + (uint32_t)dot;
        }
    return sum;
}
