/* Integer dot products of packed units (layout.h) in 16-bit lanes, 16 rows as 4 vectors of 4.
 *
 * The four bytes of a row are two 16-bit lanes: its even bytes meet activations 0 and 2, its odd bytes 1 and 3. */
#ifndef TENSOR_PACKED_H
#define TENSOR_PACKED_H
#include "tensor/kernels/portable/portable.h"
#include "tensor/kernels/portable/vec.h"
#include "tensor/layout.h"

typedef int16_t v8s __attribute__((vector_size(16)));
typedef uint16_t v8u __attribute__((vector_size(16)));

VEC_INLINE void load8u(v8u *v, const uint8_t *p)
{
    memcpy(v, p, sizeof *v);
}

/* Activations a[0..3] for every row: even = a0 a2 a0 a2 …, odd = a1 a3 a1 a3 … */
VEC_INLINE void spread(const int8_t *a, v8s *even, v8s *odd)
{
    int32_t four;
    memcpy(&four, a, 4);
    v8s all = (v8s)((v4i){0} + four);
    *even = (v8s)((v8u)all << 8) >> 8;
    *odd = all >> 8;
}

/* The two halves of every 32-bit lane, added. */
VEC_INLINE void add_halves(v4i *out, const v8s *v)
{
    *out += (v4i)((v4i)*v << 16) >> 16;
    *out += (v4i)*v >> 16;
}

/* dot[r] += 32 unsigned nibbles of each row * a[0..31]. A 16-bit lane adds 16 products of at most 15 * 127: 30,480. */
VEC_INLINE void nibbles_dot32(const uint8_t *units, const int8_t *a, v4i dot[4])
{
    v8s sum[4] = {0};
    for (int c = 0; c < 4; c++) {
        v8s even, odd, even4, odd4;
        spread(a + 8 * c, &even, &odd);
        spread(a + 8 * c + 4, &even4, &odd4);
        for (int r = 0; r < 4; r++) {
            v8u w;
            load8u(&w, units + c * 64 + r * 16);
            sum[r] += (v8s)(w & 15) * even + (v8s)(w >> 8 & 15) * odd;
            sum[r] += (v8s)(w >> 4 & 15) * even4 + (v8s)(w >> 12) * odd4;
        }
    }
    for (int r = 0; r < 4; r++)
        add_halves(&dot[r], &sum[r]);
}

/* dot[r] += 4 n signed bytes of each row * a[0 .. 4n - 1]. Each product (at most 128 * 127) fits in 16 bits, no two do.
 */
VEC_INLINE void bytes_dot(const uint8_t *units, const int8_t *a, int n, v4i dot[4])
{
    for (int c = 0; c < n; c++) {
        v8s even, odd;
        spread(a + 4 * c, &even, &odd);
        for (int r = 0; r < 4; r++) {
            v8u w;
            load8u(&w, units + c * 64 + r * 16);
            v8s products = ((v8s)(w << 8) >> 8) * even;
            add_halves(&dot[r], &products);
            products = ((v8s)w >> 8) * odd;
            add_halves(&dot[r], &products);
        }
    }
}

/* dot[r] += 16 unsigned 6-bit values of each row * a[0..15]; low: 2 units, high: 1 unit. A 16-bit lane adds 4 products
 * of at most 63 * 127: 32,004. */
VEC_INLINE void six_bits_dot16(const uint8_t *low, const uint8_t *high, const int8_t *a, v4i dot[4])
{
    for (int c = 0; c < 2; c++) {
        v8s even, odd, even4, odd4;
        spread(a + 8 * c, &even, &odd);
        spread(a + 8 * c + 4, &even4, &odd4);
        for (int r = 0; r < 4; r++) {
            v8u w, h;
            load8u(&w, low + c * 64 + r * 16);
            load8u(&h, high + r * 16);
            h = h >> (4 * c); /* bits 0-1 and 2-3 of each byte now; what is above is masked off */
            v8u q = (w & 0x0f0f) | (h << 4 & 0x3030), q4 = (w >> 4 & 0x0f0f) | (h << 2 & 0x3030);
            v8s products = (v8s)(q & 255) * even + (v8s)(q >> 8) * odd;
            products += (v8s)(q4 & 255) * even4 + (v8s)(q4 >> 8) * odd4;
            add_halves(&dot[r], &products);
        }
    }
}

VEC_INLINE void widen_u8(v4i *out, const uint8_t *p)
{
    *out = (v4i){p[0], p[1], p[2], p[3]};
}
VEC_INLINE void widen_s8(v4i *out, const uint8_t *p)
{
    *out = (v4i){(int8_t)p[0], (int8_t)p[1], (int8_t)p[2], (int8_t)p[3]};
}

/* acc = acc + (dw * da) * isum, 4 rows */
VEC_INLINE void add_scaled(v4f *acc, const v4f *dw, float da, const v4i *isum)
{
    *acc = *acc + (*dw * da) * __builtin_convertvector(*isum, v4f);
}

#endif
