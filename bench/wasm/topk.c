/* Sampling's selection over 128k logits: the K largest by a heap, sorted, softmax, then the smallest set that holds P
 * of the probability. */
#include "bench.h"

enum { VOCABULARY = 128 << 10, K = 256 };
static float logits[VOCABULARY];
typedef struct candidate {
    float logit;
    uint32_t token;
} candidate;
static candidate heap[K];

static void setup(void)
{
    for (int i = 0; i < VOCABULARY; i++)
        logits[i] = random_float() * 4 + random_float() * random_float() * 8;
}

static inline int less(candidate a, candidate b) /* ties: the lower token wins */
{
    return a.logit < b.logit || (a.logit == b.logit && a.token > b.token);
}

static void sift(uint32_t at, uint32_t count)
{
    candidate moved = heap[at];
    for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && less(heap[child + 1], heap[child])) child++;
        if (!less(heap[child], moved)) break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

/* 2^(x log2 e) by a polynomial: the same bits everywhere. */
static float exponential(float x)
{
    float t = x * 1.44269504f;
    int32_t whole = (int32_t)(t < 0 ? t - 1 : t);
    float f = t - (float)whole;
    float p = 1 + f * (0.693147f + f * (0.240227f + f * (0.0555041f + f * 0.00961813f)));
    if (whole < -126) return 0;
    uint32_t bits = (uint32_t)(whole + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

static uint32_t run(void)
{
    for (uint32_t i = 0; i < K; i++)
        heap[i] = (candidate){logits[i], i};
    for (uint32_t i = K / 2; i--;)
        sift(i, K);
    for (uint32_t i = K; i < VOCABULARY; i++) {
        candidate c = {logits[i], i};
        if (!less(heap[0], c)) continue;
        heap[0] = c;
        sift(0, K);
    }
    for (uint32_t n = K; n > 1; n--) { /* descending */
        candidate smallest = heap[0];
        heap[0] = heap[n - 1];
        sift(0, n - 1);
        heap[n - 1] = smallest;
    }
    float probability[K], total = 0, sum = 0;
    for (uint32_t i = 0; i < K; i++)
        total += probability[i] = exponential(heap[i].logit - heap[0].logit);
    uint32_t kept = 0, hash = 0;
    while (kept < K && sum < 0.95f * total) {
        sum += probability[kept];
        hash = hash * 31 + heap[kept++].token;
    }
    return hash ^ kept << 20;
}
