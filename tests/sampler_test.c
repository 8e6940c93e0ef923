/* Sampling: exact arithmetic, exact draws, and the right distribution. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "guest/sample.h"

static const guest_sampling neutral = {.temperature = 1, .top_p = 1, .min_p = 0, .penalty = 1, .top_k = 0, .seed = 1};

static uint32_t pick(const guest_sampling *settings, const float *logits, uint32_t count)
{
    guest_sampler s;
    float *copy = base_alloc(count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, logits, count * sizeof *copy);
    guest_sampler_init(&s, settings);
    uint32_t token = guest_sampler_pick(&s, copy, count);
    guest_sampler_fini(&s);
    base_free(copy);
    return token;
}

static void fill(float *logits, uint32_t count, uint64_t seed)
{
    uint64_t state[4];
    guest_random_seed(state, seed);
    for (uint32_t i = 0; i < count; i++)
        logits[i] = (float)((double)(guest_random(state) >> 40) / 1048576.0 - 8.0);
}

static void test_generator(void **state)
{
    (void)state;
    uint64_t s[4], fixed[4] = {1, 2, 3, 4};
    guest_random_seed(s, 0); /* SplitMix64's published first outputs, xoshiro256**'s from 1, 2, 3, 4 */
    assert_true(s[0] == 0xe220a8397b1dcdafu && s[1] == 0x6e789e6aa1b965f4u);
    assert_true(s[2] == 0x06c45d188009454fu && s[3] == 0xf88bb8a8724c81ecu);
    assert_true(guest_random(fixed) == 11520 && guest_random(fixed) == 0);
    assert_true(guest_random(fixed) == 1509978240 && guest_random(fixed) == 1215971899390074240u);
}

static void test_exp(void **state)
{
    (void)state;
    for (double x = 0; x > -700; x -= 0.0137) {
        double want = exp(x), got = guest_exp(x);
        assert_true(fabs(got - want) <= want * 4.5e-16);
    }
    assert_true(guest_exp(0) == 1 && guest_exp(-0.0) == 1);
    assert_true(guest_exp(-709) == 0 && guest_exp(-INFINITY) == 0 && guest_exp(NAN) == 0);
}

static int by_rank(const void *a, const void *b)
{
    const guest_candidate *x = a, *y = b;
    if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

static void test_largest(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    float logits[COUNT];
    guest_candidate all[COUNT], got[COUNT];
    fill(logits, COUNT, 3);
    for (uint32_t i = 0; i < COUNT; i++) {
        logits[i] = floorf(logits[i] * 4) / 4; /* many ties */
        all[i] = (guest_candidate){logits[i], i};
    }
    qsort(all, COUNT, sizeof *all, by_rank);
    static const size_t sizes[] = {1, 2, 7, 128, 999, 1000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        assert_int_equal(guest_largest(logits, COUNT, got, sizes[k]), sizes[k]);
        assert_memory_equal(got, all, sizes[k] * sizeof *got);
    }
    assert_int_equal(guest_largest(logits, COUNT, got, 0), 0);
    for (uint32_t i = 0; i < COUNT; i += 2)
        logits[i] = NAN;
    assert_int_equal(guest_largest(logits, COUNT, got, COUNT), COUNT / 2);
    for (size_t i = 1; i < COUNT / 2; i++)
        assert_true(by_rank(&got[i - 1], &got[i]) < 0 && got[i].id % 2 == 1);
}

static void test_greedy(void **state)
{
    (void)state;
    const float ties[] = {1, 3, 2, 3}, numbers[] = {NAN, 1, NAN, 2}, none[] = {NAN, NAN}, low[] = {-INFINITY, -5};
    guest_sampling greedy = neutral, one = neutral;
    greedy.temperature = 0;
    one.top_k = 1;
    assert_int_equal(pick(&greedy, ties, 4), 1);
    assert_int_equal(pick(&one, ties, 4), 1);
    assert_int_equal(pick(&greedy, numbers, 4), 3);
    assert_int_equal(pick(&neutral, none, 2), 0);
    assert_int_equal(pick(&neutral, low, 2), 1);
    guest_sampler s;
    guest_sampler_init(&s, &greedy);
    assert_true(guest_sampler_is_argmax(&s));
    guest_sampler_init(&s, &neutral);
    assert_false(guest_sampler_is_argmax(&s));
    greedy.penalty = 1.1;
    guest_sampler_init(&s, &greedy);
    assert_false(guest_sampler_is_argmax(&s));
}

static void test_penalty(void **state)
{
    (void)state;
    guest_sampling settings = neutral;
    guest_sampler s;
    settings.temperature = 0;
    settings.penalty = 2;
    guest_sampler_init(&s, &settings);
    for (uint32_t i = 0; i < 100; i++)
        guest_sampler_accept(&s, i < 30 ? 9 : 1); /* 9 leaves the window; 1 fills it and is penalized once */
    guest_sampler_accept(&s, 2);
    guest_sampler_accept(&s, 500); /* no logit */
    float logits[] = {0.5f, 4, -1, 0, 0, 0, 0, 0, 0, 1.9f};
    assert_int_equal(guest_sampler_pick(&s, logits, 10), 1);
    assert_true(logits[1] == 2 && logits[2] == -2 && logits[9] == 1.9f && logits[0] == 0.5f);
    guest_sampler_fini(&s);
}

static void count_draws(const guest_sampling *settings, const float *logits, uint32_t count, unsigned draws,
                        unsigned *seen)
{
    guest_sampler s;
    float copy[64];
    guest_sampler_init(&s, settings);
    memset(seen, 0, count * sizeof *seen);
    for (unsigned i = 0; i < draws; i++) {
        memcpy(copy, logits, count * sizeof *copy);
        uint32_t token = guest_sampler_pick(&s, copy, count);
        assert_true(token < count);
        seen[token]++;
    }
    guest_sampler_fini(&s);
}

static void test_distribution(void **state)
{
    (void)state;
    enum { DRAWS = 40000 };
    const double p[] = {0.5, 0.3, 0.15, 0.05};
    float logits[4];
    unsigned seen[4];
    for (int i = 0; i < 4; i++)
        logits[i] = (float)log(p[i]);
    count_draws(&neutral, logits, 4, DRAWS, seen);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(seen[i] - p[i] * DRAWS) < 4 * sqrt(p[i] * (1 - p[i]) * DRAWS));
    guest_sampling s = neutral;
    s.temperature = 0.5; /* squares the probabilities */
    count_draws(&s, logits, 4, DRAWS, seen);
    double q = 0.25 / (0.25 + 0.09 + 0.0225 + 0.0025);
    assert_true(fabs(seen[0] - q * DRAWS) < 4 * sqrt(q * (1 - q) * DRAWS));
    s = neutral;
    s.top_p = 0.75; /* 0.5 is not enough, 0.8 is */
    count_draws(&s, logits, 4, DRAWS, seen);
    assert_true(seen[2] == 0 && seen[3] == 0 && fabs(seen[0] - 0.625 * DRAWS) < 4 * sqrt(0.625 * 0.375 * DRAWS));
    s = neutral;
    s.top_k = 3;
    count_draws(&s, logits, 4, DRAWS, seen);
    assert_true(seen[3] == 0 && seen[2] > 0);
    s = neutral;
    s.min_p = 0.25; /* of 0.5: 0.125 */
    count_draws(&s, logits, 4, DRAWS, seen);
    assert_true(seen[3] == 0 && seen[2] > 0);
    s.min_p = 1;
    count_draws(&s, logits, 4, 100, seen);
    assert_int_equal(seen[0], 100);
    s = neutral;
    s.top_p = 0;
    count_draws(&s, logits, 4, 100, seen);
    assert_int_equal(seen[0], 100);
    s = neutral;
    s.temperature = 1e-300;
    count_draws(&s, logits, 4, 100, seen);
    assert_int_equal(seen[0], 100);
}

/* The nucleus among many equal logits is large: it must be found, not cut at the first guess. */
static void test_wide_nucleus(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static float logits[COUNT];
    guest_sampling s = neutral;
    s.top_p = 0.9;
    uint32_t highest = 0;
    for (unsigned i = 0; i < 300; i++) {
        s.seed = i;
        uint32_t token = pick(&s, logits, COUNT);
        assert_true(token < COUNT * 9 / 10);
        highest = token > highest ? token : highest;
    }
    assert_true(highest > COUNT * 8 / 10);
}

/* What any build of the engine must draw: equal text on every host depends on it. */
static void test_pinned_draws(void **state)
{
    (void)state;
    enum { COUNT = 300, DRAWS = 24 };
    static const guest_sampling settings[] = {
        {.temperature = 0.8, .top_p = 0.95, .min_p = 0.05, .penalty = 1, .top_k = 40, .seed = 42},
        {.temperature = 1.5, .top_p = 1, .min_p = 0, .penalty = 1.2, .top_k = 0, .seed = 7},
        {.temperature = 1, .top_p = 0.5, .min_p = 0, .penalty = 1, .top_k = 0, .seed = 7},
    };
    static const uint32_t expected[] = {0xf595855fu, 0xc6bcde7fu, 0xbe07341au};
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
        guest_sampler s;
        uint32_t hash = 2166136261u;
        guest_sampler_init(&s, &settings[k]);
        for (unsigned i = 0; i < DRAWS; i++) {
            float logits[COUNT];
            fill(logits, COUNT, i);
            uint32_t token = guest_sampler_pick(&s, logits, COUNT);
            guest_sampler_accept(&s, token);
            hash = (hash ^ token) * 16777619u;
        }
        guest_sampler_fini(&s);
        if (hash != expected[k]) print_error("settings %zu: 0x%08xu\n", k, (unsigned)hash);
        assert_int_equal(hash, expected[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generator),    cmocka_unit_test(test_exp),          cmocka_unit_test(test_largest),
        cmocka_unit_test(test_greedy),       cmocka_unit_test(test_penalty),      cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_wide_nucleus), cmocka_unit_test(test_pinned_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
