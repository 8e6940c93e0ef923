/* Choosing a token from logits: one seeded generator, IEEE basic operations only, so that text is equal everywhere. */
#ifndef GUEST_SAMPLE_H
#define GUEST_SAMPLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUEST_PENALTY_WINDOW = 64 };
#define GUEST_NO_TOKEN UINT32_MAX

typedef struct guest_sampling {
    double temperature; /* 0: greedy */
    double top_p, min_p, penalty;
    uint32_t top_k; /* 0: all */
    uint64_t seed;
} guest_sampling;

typedef struct guest_candidate {
    float logit;
    uint32_t id;
} guest_candidate;

typedef struct guest_sampler {
    guest_sampling settings;
    uint64_t state[4];                     /* xoshiro256** */
    uint32_t recent[GUEST_PENALTY_WINDOW]; /* a ring */
    uint32_t recent_count;
    guest_candidate *candidates;
    double *weights;
    size_t candidate_room, weight_room;
} guest_sampler;

void guest_sampler_init(guest_sampler *s, const guest_sampling *settings);
void guest_sampler_fini(guest_sampler *s);
/* A token of the text so far, for the repetition penalty. */
void guest_sampler_accept(guest_sampler *s, uint32_t token);
/* The device's argmax gives the same token. */
bool guest_sampler_is_argmax(const guest_sampler *s);
/* Overwrites logits with the penalized ones; GUEST_NO_TOKEN: out of memory. Logits that are not numbers never win. */
uint32_t guest_sampler_pick(guest_sampler *s, float *logits, uint32_t count);

uint64_t guest_random(uint64_t state[4]);
void guest_random_seed(uint64_t state[4], uint64_t seed);
/* exp(x) for x <= 0, within 2 units in the last place; the same bits everywhere. */
double guest_exp(double x);
/* ln(x) for normal x > 0, likewise. */
double guest_log(double x);
/* The `k` largest, largest first, ties by lower id first; returns how many there are. `out` has room for k. */
size_t guest_largest(const float *logits, uint32_t count, guest_candidate *out, size_t k);

#endif
