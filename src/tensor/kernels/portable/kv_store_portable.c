/* A row on its way into a cache: the definition of how it is quantized, for every target. */
#include <string.h>

#include "tensor/kernels/kernels.h"

enum { BLOCK = 32 };

/* Half to even, in [least, 127]; NaN gives the least. */
static int32_t nearest(float t, float least)
{
    t = t > least ? t : least;
    t = t < 127 ? t : 127;
    t = t + 0x1.8p23f;
    uint32_t u;
    memcpy(&u, &t, sizeof u);
    return (int32_t)(u - 0x4b400000u);
}

/* The first element of the largest magnitude; NaN is passed over. */
static float extreme(const float x[BLOCK])
{
    float most = 0, at = 0;
    for (int i = 0; i < BLOCK; i++) {
        const float magnitude = x[i] < 0 ? -x[i] : x[i];
        at = magnitude > most ? x[i] : at;
        most = magnitude > most ? magnitude : most;
    }
    return at;
}

/* Puts the scale as it is kept, and returns what elements are multiplied by. */
static float put_scale(const tensor_kernels *k, uint8_t *to, float d)
{
    uint16_t half;
    float kept;
    k->f32_to_f16(&half, &d, 1);
    k->f16_to_f32(&kept, &half, 1);
    memcpy(to, &half, 2);
    return kept != 0 ? 1 / kept : 0;
}

static uint8_t *store_q8_0(const tensor_kernels *k, uint8_t *to, const float x[BLOCK])
{
    const float m = extreme(x), id = put_scale(k, to, (m < 0 ? -m : m) / 127);
    for (int i = 0; i < BLOCK; i++)
        to[2 + i] = (uint8_t)(int8_t)nearest(x[i] * id, -127);
    return to + 2 + BLOCK;
}

static uint8_t nibble(float t)
{
    const int32_t q = nearest(t, -8);
    return (uint8_t)((q < 7 ? q : 7) + 8);
}

static uint8_t *store_q4_0(const tensor_kernels *k, uint8_t *to, const float x[BLOCK])
{
    const float id = put_scale(k, to, extreme(x) / -8);
    for (int i = 0; i < BLOCK / 2; i++)
        to[2 + i] = (uint8_t)(nibble(x[i] * id) | nibble(x[i + BLOCK / 2] * id) << 4);
    return to + 2 + BLOCK / 2;
}

void tensor_kv_store(const tensor_kernels *k, uint32_t type, uint8_t *to, const float *x, uint32_t d)
{
    if (type == WISP_F32) {
        memcpy(to, x, (size_t)d * sizeof *x);
        return;
    }
    if (type == WISP_F16) {
        k->f32_to_f16((uint16_t *)(void *)to, x, d);
        return;
    }
    for (uint32_t i = 0; i < d; i += BLOCK) {
        float part[BLOCK] = {0};
        memcpy(part, x + i, (d - i < BLOCK ? d - i : BLOCK) * sizeof *x);
        to = type == WISP_Q8_0 ? store_q8_0(k, to, part) : store_q4_0(k, to, part);
    }
}
