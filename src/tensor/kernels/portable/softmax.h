/* The online softmax of attention over one tile; the definition for every target, compiled once an ISA. */
#ifndef TENSOR_SOFTMAX_H
#define TENSOR_SOFTMAX_H
#include "tensor/abi.h"
#include "tensor/kernels/portable/functions.h"

static float softmax(float *s, uint32_t count, int round13, float *m, float *l)
{
    v16f v = {*m}, sum = {0};
    float most = *m;
    for (uint32_t j = 0; j < count; j++)
        if (s[j] > most) most = s[j];
    v = v - most;
    v16_exp(&v);
    const float correction = v[0];
    for (uint32_t j = 0; j < WISP_KV_PAGE; j += 16) {
        const uint32_t n = count <= j ? 0 : count - j < 16 ? count - j : 16;
        v16f e = {0};
        v16_load_part(&v, s + j, n);
        v = v - most;
        v16_exp(&v);
        if (round13) v16_condition13(&v);
        memcpy(&e, &v, n * sizeof *s); /* lanes past count stay zero */
        v16_store(s + j, &e);
        sum = sum + e;
    }
    *m = most;
    *l = *l * correction + v16_fold(&sum);
    return correction;
}

static void adjust(float *s, uint32_t count, float softcap, float slope, int32_t distance)
{
    for (uint32_t j = 0; j < count; j += 16) {
        const uint32_t n = count - j < 16 ? count - j : 16;
        v16f v;
        v16_load_part(&v, s + j, n);
        if (softcap != 0) {
            v = v / softcap;
            v16_tanh(&v);
            v = softcap * v;
        }
        for (uint32_t i = 0; i < n && slope != 0; i++) {
            const int32_t apart = distance - (int32_t)(j + i);
            v[i] = v[i] + slope * (float)(apart < 0 ? apart : -apart);
        }
        v16_store_part(s + j, &v, n);
    }
}

#endif
