/* The arithmetic of docs/numerics.md against scalar code written from that page. */
#include "device_fixture.h"

/* ---- the arithmetic, from docs/numerics.md ---- */
static float half(const uint8_t *p)
{
    const uint32_t h = (uint32_t)(p[0] | p[1] << 8), e = h >> 10 & 31;
    const float m = e ? ldexpf((float)(1024 + (h & 1023)), (int)e - 25) : ldexpf((float)(h & 1023), -24);
    return h & 0x8000 ? -m : m;
}

static void quantize(const float *x, int n, int32_t *q, float *d)
{
    float amax = 0;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > amax) amax = fabsf(x[i]);
    const float id = amax != 0 ? 127.0f / amax : 0;
    *d = amax / 127.0f;
    for (int i = 0; i < n; i++)
        q[i] = (int32_t)rintf(fmaxf(-127.0f, fminf(127.0f, x[i] * id)));
}

/* Scalar Q4_0 row times one token. */
static float q4_0_dot(const uint8_t *row, const float *x, int k)
{
    volatile float acc = 0;
    for (int b = 0; b < k / 32; b++, row += 18, x += 32) {
        int32_t q[32], dot = 0;
        float da;
        quantize(x, 32, q, &da);
        for (int j = 0; j < 32; j++)
            dot += q[j] * ((j < 16 ? row[2 + j] & 15 : row[2 + j - 16] >> 4) - 8);
        volatile float scale = half(row) * da, product = scale * (float)dot;
        acc = acc + product;
    }
    return acc;
}

static float dot16(const float *a, const float *b, int n)
{
    volatile float lane[16] = {0};
    for (int i = 0; i < n; i++) {
        volatile float product = a[i] * b[i];
        lane[i % 16] = lane[i % 16] + product;
    }
    for (int step = 8; step; step /= 2)
        for (int i = 0; i < step; i++)
            lane[i] = lane[i] + lane[i + step];
    return lane[0];
}

static void matmul_follows_the_page(void **state)
{
    enum { M = 20, K = 96 };
    fixture *f = *state;
    wisp_report report;
    float x[N * K], y[N * M];
    for (int i = 0; i < N * K; i++)
        x[i] = random_float();
    put(f, X, x, sizeof x);
    for (int i = 0; i < M * K / 32; i++)
        f->weights[i * 18 + 1] = (uint8_t)((f->weights[i * 18 + 1] & 0x83) | 0x20);
    wisp_cmd c = {.op = WISP_OP_MATMUL,
                  .view = {view(f, Y, WISP_F32, N, M), view(f, X, WISP_F32, N, K), view(f, W, WISP_Q4_0, M, K)}};
    must(submit(f, &c, 1, &report), &report);
    get(f, Y, y, sizeof y);
    for (int i = 0; i < N * M; i++)
        assert_true(y[i] == q4_0_dot(f->weights + i % M * (K / 32 * 18), x + i / M * K, K));
    c.view[2] = view(f, B, WISP_F32, M, 50);
    c.view[1] = view(f, X, WISP_F32, N, 50);
    float w[M * 50];
    for (int i = 0; i < M * 50; i++)
        w[i] = random_float() * 1.2345f;
    put(f, B, w, sizeof w);
    must(submit(f, &c, 1, &report), &report);
    get(f, Y, y, sizeof y);
    for (int i = 0; i < N * M; i++)
        assert_true(y[i] == dot16(w + i % M * 50, x + i / M * 50, 50));
}

/* sin, cos and exp are ours: how far from libm's? */
static void functions_are_accurate(void **state)
{
    fixture *f = *state;
    wisp_report report;
    const int32_t pos[N] = {1, 4096, 1000000};
    const double freq[4] = {1, 0.7316, 1e-3, 0.99999};
    float t[N * 8], x[N * 32], one[N * 32], y[N * 32];
    put(f, POS, pos, sizeof pos);
    put(f, FREQ, freq, sizeof freq);
    wisp_cmd c = good(f, WISP_OP_ROPE_TABLE);
    must(submit(f, &c, 1, &report), &report);
    get(f, Y, t, sizeof t);
    for (int i = 0; i < N * 4; i++) {
        assert_true(fabs(t[2 * i] - cos(pos[i / 4] * freq[i % 4])) < 1e-7);
        assert_true(fabs(t[2 * i + 1] - sin(pos[i / 4] * freq[i % 4])) < 1e-7);
    }
    for (int i = 0; i < N * 32; i++) {
        x[i] = (float)(i - 48) * 1.7f;
        one[i] = 1;
    }
    put(f, X, x, sizeof x);
    put(f, B, one, sizeof one);
    c = good(f, WISP_OP_GLU);
    c.param[0].u = WISP_ACT_SILU;
    must(submit(f, &c, 1, &report), &report);
    get(f, Y, y, sizeof y);
    for (int i = 0; i < N * 32; i++) {
        const double want = x[i] / (1 + exp(-(double)x[i]));
        assert_true(fabs(y[i] - want) <= 3e-7 * fabs(want) + 1e-37);
    }
}

static double act(uint32_t kind, double x)
{
    switch (kind) {
    case WISP_ACT_RELU:
        return x > 0 ? x : 0;
    case WISP_ACT_RELU_SQUARED:
        return x > 0 ? x * x : 0;
    case WISP_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case WISP_ACT_GELU_ERF:
        return 0.5 * x * (1 + erf(x / sqrt(2)));
    case WISP_ACT_GELU_QUICK:
        return x / (1 + exp(-1.702 * x));
    case WISP_ACT_SILU:
        return x / (1 + exp(-x));
    case WISP_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case WISP_ACT_TANH:
        return tanh(x);
    case WISP_ACT_EXP:
        return exp(x);
    case WISP_ACT_SOFTPLUS:
        return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    case WISP_ACT_SOFTCAP:
        return 30 * tanh(x / 30);
    default: /* XIELU with the parameters below */
        return x > 0 ? 0.75 * x * x + 0.5 * x : (expm1(fmin(x, -1e-6)) - x) * 30 + 0.5 * x;
    }
}

static void activations_are_accurate(void **state)
{
    fixture *f = *state;
    wisp_report report;
    float x[N * 32], y[N * 32];
    for (int i = 0; i < N * 32; i++)
        x[i] = (float)(i - 48) * (i % 3 ? 0.03f : 0.3f);
    put(f, X, x, sizeof x);
    for (uint32_t kind = 0; kind < WISP_ACT_SWIGLU_OAI; kind++) {
        wisp_cmd c = good(f, WISP_OP_UNARY);
        const float p[] = {30, 0.75f, 0.5f, -1e-6f};
        c.param[0].u = kind;
        for (int i = 0; i < 4; i++)
            c.param[1 + i].f = p[i];
        must(submit(f, &c, 1, &report), &report);
        get(f, Y, y, sizeof y);
        for (int i = 0; i < N * 32; i++) {
            const double want = act(kind, x[i]), scale = kind == WISP_ACT_XIELU ? 30 : 1;
            if (fabs(y[i] - want) > 5e-7 * scale * (1 + fabs(want)))
                fail_msg("activation %u of %g: %g, not %g", kind, (double)x[i], (double)y[i], want);
        }
    }
}

static void attention_is_causal_and_normalized(void **state)
{
    fixture *f = *state;
    wisp_report report;
    float q[N * 32], v[N * 16], y[N * 32];
    const int32_t pos[N] = {0, 1, 2}, seq[N] = {0, 0, 0};
    for (int i = 0; i < N * 16; i++)
        v[i] = (float)(i / 16 + 1);
    for (int i = 0; i < N * 32; i++)
        q[i] = 0; /* equal scores: the mean of all values seen */
    put(f, POS, pos, sizeof pos);
    put(f, SEQ, seq, sizeof seq);
    put(f, X, v, sizeof v);
    wisp_cmd list[3] = {good(f, WISP_OP_KV_WRITE), good(f, WISP_OP_KV_WRITE), good(f, WISP_OP_ATTENTION)};
    list[1].view[0].buffer = f->h[VC];
    list[2].view[1].buffer = f->h[B];
    put(f, B, q, sizeof q);
    must(submit(f, list, 3, &report), &report);
    get(f, Y, y, sizeof y);
    for (int i = 0; i < N * 32; i++)
        assert_true(y[i] == (float)(i / 32) * 0.5f + 1);
}

/* All options of attention against plain sums in double precision: 7 positions, keys of 8 elements, values of 5. */
enum { POSITIONS = 7, KEY = 8, VALUE = 5, QUERY_HEADS = 4 };
typedef struct attention_case {
    uint32_t mode, window;
    float softcap;
    int slopes, sinks;
} attention_case;

static const float slope_of[QUERY_HEADS] = {0.5f, 0.25f, 0.125f, 0};
static const float sink_of[QUERY_HEADS] = {1, -2, 0.5f, 3};

static int sees(const attention_case *a, int p, int j)
{
    switch (a->mode) {
    case WISP_ATTEND_CAUSAL:
        return j <= p && (!a->window || p - j < (int)a->window);
    case WISP_ATTEND_CHUNK:
        return j <= p && j / (int)a->window == p / (int)a->window;
    case WISP_ATTEND_SYMMETRIC:
        return abs(p - j) <= (int)a->window / 2;
    default:
        return 1;
    }
}

static void plain_attention(const attention_case *a, const float *q, const float *k, const float *v, double *y)
{
    for (int p = 0; p < POSITIONS; p++)
        for (int h = 0; h < QUERY_HEADS; h++) {
            double sum = a->sinks ? exp((double)sink_of[h]) : 0, acc[VALUE] = {0};
            for (int j = 0; j < POSITIONS; j++) {
                double s = 0;
                for (int c = 0; c < KEY; c++)
                    s += (double)q[(p * QUERY_HEADS + h) * KEY + c] * k[(j * 2 + h / 2) * KEY + c];
                s *= 0.25;
                if (a->softcap != 0) s = a->softcap * tanh(s / a->softcap);
                if (a->slopes) s -= slope_of[h] * abs(p - j);
                const double e = sees(a, p, j) ? exp(s) : 0;
                sum += e;
                for (int c = 0; c < VALUE; c++)
                    acc[c] += e * v[(j * 2 + h / 2) * VALUE + c];
            }
            for (int c = 0; c < VALUE; c++)
                y[(p * QUERY_HEADS + h) * VALUE + c] = acc[c] / sum;
        }
}

/* What a cache of that type keeps of rows of d elements (at most 32). */
static void as_kept(uint32_t type, float *x, int rows, int d)
{
    const float least = type == WISP_Q8_0 ? -127 : -8, most = type == WISP_Q8_0 ? 127 : 7;
    for (int r = 0; r < rows && type != WISP_F32; r++, x += d) {
        float extreme = 0;
        for (int i = 0; i < d; i++)
            if (fabsf(x[i]) > fabsf(extreme)) extreme = x[i];
        const _Float16 kept = (_Float16)(type == WISP_Q8_0 ? fabsf(extreme) / 127 : extreme / -8);
        const volatile float scale = (float)kept, id = scale != 0 ? 1 / scale : 0;
        for (int i = 0; i < d; i++) {
            const volatile float t = x[i] * id;
            x[i] = rintf(fmaxf(least, fminf(most, t))) * scale;
        }
    }
}

/* Of what a cache of that type keeps. */
static void attend_with_options(fixture *f, uint32_t type, double tolerance)
{
    static const attention_case cases[] = {{0, 0, 0, 0, 0}, {0, 3, 0, 0, 0}, {1, 0, 0, 0, 0}, {2, 3, 0, 0, 0},
                                           {3, 4, 0, 0, 0}, {0, 0, 2, 0, 0}, {0, 0, 0, 1, 0}, {1, 0, 0, 1, 0},
                                           {0, 0, 0, 0, 1}, {0, 2, 1, 1, 1}, {3, 2, 3, 1, 1}};
    wisp_report report;
    uint64_t row = 34;
    float q[POSITIONS * QUERY_HEADS * KEY], k[POSITIONS * 2 * KEY], v[POSITIONS * 2 * VALUE];
    float y[POSITIONS * QUERY_HEADS * VALUE];
    double want[POSITIONS * QUERY_HEADS * VALUE];
    int32_t pos[POSITIONS], seq[POSITIONS] = {0};
    for (size_t i = 0; i < sizeof q / 4; i++)
        q[i] = random_float() / 2;
    for (size_t i = 0; i < sizeof k / 4; i++)
        k[i] = random_float() / 2;
    for (size_t i = 0; i < sizeof v / 4; i++)
        v[i] = random_float();
    for (int i = 0; i < POSITIONS; i++)
        pos[i] = i;
    put(f, POS, pos, sizeof pos);
    put(f, SEQ, seq, sizeof seq);
    put(f, X, k, sizeof k);
    put(f, B, v, sizeof v);
    as_kept(type, k, POSITIONS * 2, KEY);
    as_kept(type, v, POSITIONS * 2, VALUE);
    put(f, C, q, sizeof q);
    put(f, FREQ, slope_of, sizeof slope_of);
    put(f, IDS, sink_of, sizeof sink_of);
    const wisp_view p = view(f, POS, WISP_I32, 1, POSITIONS), s = view(f, SEQ, WISP_I32, 1, POSITIONS),
                    t = view(f, TABLE, WISP_I32, 2, 2);
    wisp_view keys = view(f, KC, type, 3 * 2 * 64, KEY), values = view(f, VC, type, 3 * 2 * 64, VALUE);
    if (type != WISP_F32 && tensor_row_bytes(type, 32, &row)) keys.stride = values.stride = row;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const attention_case *a = &cases[i];
        const wisp_cmd list[] = {
            {.op = WISP_OP_KV_WRITE,
             .param = {{.u = 2}},
             .view = {keys, view(f, X, WISP_F32, POSITIONS, 2 * KEY), p, s, t}},
            {.op = WISP_OP_KV_WRITE,
             .param = {{.u = 2}},
             .view = {values, view(f, B, WISP_F32, POSITIONS, 2 * VALUE), p, s, t}},
            {.op = WISP_OP_ATTENTION,
             .param = {{.u = QUERY_HEADS}, {.u = 2}, {.f = 0.25f}, {.f = a->softcap}, {.u = a->window}, {.u = a->mode}},
             .view = {view(f, Y, WISP_F32, POSITIONS, QUERY_HEADS * VALUE),
                      view(f, C, WISP_F32, POSITIONS, QUERY_HEADS * KEY), keys, values, p, s, t,
                      a->sinks ? view(f, IDS, WISP_F32, 1, QUERY_HEADS) : (wisp_view){0},
                      a->slopes ? view(f, FREQ, WISP_F32, 1, QUERY_HEADS) : (wisp_view){0}}},
        };
        must(submit(f, list, 3, &report), &report);
        get(f, Y, y, sizeof y);
        plain_attention(a, q, k, v, want);
        for (size_t c = 0; c < sizeof y / 4; c++)
            if (fabs(y[c] - want[c]) > tolerance)
                fail_msg("case %zu, element %zu: %g, not %g", i, c, (double)y[c], want[c]);
    }
}

static void attention_has_options(void **state)
{
    attend_with_options(*state, WISP_F32, 3e-6);
}

/* The rounding of queries and weights to 13 bits apart. */
static void quantized_caches_follow_the_page(void **state)
{
    attend_with_options(*state, WISP_Q8_0, 4e-4);
    attend_with_options(*state, WISP_Q4_0, 4e-4);
}

/* ---- argmax: ties, NaN, infinities ---- */
static void argmax_ties_and_nans(void **state)
{
    static const struct {
        float x[5];
        int32_t best;
    } cases[] = {{{1, 3, 2, 3, 0}, 1},
                 {{NAN, -1, NAN, -2, NAN}, 1},
                 {{NAN, NAN, NAN, NAN, NAN}, 0},
                 {{NAN, -INFINITY, -INFINITY, NAN, NAN}, 1},
                 {{-1, INFINITY, 2, INFINITY, NAN}, 1},
                 {{-0.0f, 0.0f, 0, 0, 0}, 0}};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wisp_report report;
        int32_t best;
        put(f, X, cases[i].x, sizeof cases[i].x);
        wisp_cmd c = {.op = WISP_OP_ARGMAX, .view = {view(f, Y, WISP_I32, 1, 1), view(f, X, WISP_F32, 1, 5)}};
        must(submit(f, &c, 1, &report), &report);
        get(f, Y, &best, 4);
        assert_int_equal(best, cases[i].best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(matmul_follows_the_page),  TEST(functions_are_accurate),
        TEST(activations_are_accurate), TEST(attention_is_causal_and_normalized),
        TEST(attention_has_options),    TEST(quantized_caches_follow_the_page),
        TEST(argmax_ties_and_nans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
