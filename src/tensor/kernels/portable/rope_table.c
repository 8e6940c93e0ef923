/* sin and cos in double precision by a fixed sequence of +, - and *: the same bits on every target.
 * Reduction by pi/2 in three parts (33 bits each, so that n * part is exact for |n| < 2^20); polynomials of fdlibm. */
#include <string.h>

#include "tensor/kernels/kernels.h"
#include "tensor/kernels/portable/functions.h"

static void sin_cos(double x, double *sin, double *cos)
{
    const double magic = 0x1.8p52, shifted = x * 6.36619772367581382433e-01 + magic, n = shifted - magic;
    uint64_t quadrant;
    memcpy(&quadrant, &shifted, sizeof quadrant);
    double r = ((x - n * 1.57079632673412561417e+00) - n * 6.07710050630396597660e-11) - n * 2.02226624871116645580e-21;
    double z = r * r;
    double s = 1.58969099521155010221e-10 * z - 2.50507602534068634195e-08;
    s = s * z + 2.75573137070700676789e-06;
    s = s * z - 1.98412698298579493134e-04;
    s = s * z + 8.33333333332248946124e-03;
    s = s * z - 1.66666666666666324348e-01;
    s = s * z * r + r;
    double c = -1.13596475577881948265e-11 * z + 2.08757232129817482790e-09;
    c = c * z - 2.75573143513906633035e-07;
    c = c * z + 2.48015872894767294178e-05;
    c = c * z - 1.38888888888741095749e-03;
    c = c * z + 4.16666666666666019037e-02;
    c = c * z * z - 0.5 * z + 1.0;
    *sin = quadrant & 1 ? c : s;
    *cos = quadrant & 1 ? s : c;
    if (quadrant & 2) *sin = -*sin;
    if ((quadrant + 1) & 2) *cos = -*cos;
}

/* t [h][cos, sin] */
void tensor_rope_table(float *t, int32_t position, const double *f, uint32_t h, float scale)
{
    for (uint32_t i = 0; i < h; i++) {
        double s, c;
        sin_cos((double)position * f[i], &s, &c);
        t[2 * i] = (float)(c * (double)scale);
        t[2 * i + 1] = (float)(s * (double)scale);
    }
}

/* 1 + a * ln(1 + floor((position + offset) / length)); a negative position counts as 0. */
float tensor_position_scale(int32_t position, uint32_t offset, uint32_t length, float a)
{
    const uint64_t n = ((position > 0 ? (uint64_t)position : 0) + offset) / length;
    v16f v = {1.0f + (float)n};
    v16_log(&v);
    return 1.0f + a * v[0];
}
