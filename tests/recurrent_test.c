/* Recurrent ops: against plain code in double precision, and bit for bit the same however the tokens are split into
 * steps, with any number of threads and any kernels. */
#include "device_fixture.h"
#include "os/os.h"
#include "os/pool.h"

enum { TOKENS = 9, SEQUENCES = 2, BUFFER = 1 << 18 };
enum { HY = 1, HS, HP, HQ, HIN }; /* output, state, positions, sequences, inputs from HIN on */

/* One op with inputs of so many columns each; width: of the output; state: columns of a state row. */
typedef struct shape {
    uint32_t op, width, state, inputs;
    struct {
        uint32_t rows, cols; /* rows 0: of tokens */
    } in[6];
    uint32_t param[4];
} shape;

static const shape shapes[] = {
    {WISP_OP_CONV, 40, 3 * 40, 3, {{0, 40}, {4, 40}, {1, 40}}, {0}},
    {WISP_OP_TOKEN_SHIFT, 40, 40, 1, {{0, 40}}, {0}},
    {WISP_OP_SSM_SCAN, 12, 12 * 16, 5, {{0, 12}, {0, 12}, {12, 16}, {0, 16}, {0, 16}}, {0}},
    {WISP_OP_SSM_SCAN, 7, 7 * 21, 5, {{0, 7}, {0, 7}, {7, 21}, {0, 21}, {0, 21}}, {0}},
    {WISP_OP_SSD_SCAN, 4 * 6, 4 * 6 * 20, 5, {{0, 24}, {0, 4}, {1, 4}, {0, 40}, {0, 40}}, {4, 2}},
    {WISP_OP_DELTA_RULE, 4 * 6, 4 * 6 * 20, 5, {{0, 40}, {0, 40}, {0, 24}, {0, 4}, {0, 4}}, {4, 2, 0x3f000000, 1}},
    {WISP_OP_DELTA_RULE, 4 * 6, 4 * 6 * 5, 5, {{0, 10}, {0, 10}, {0, 24}, {0, 20}, {0, 4}}, {4, 2, 0x3f000000, 0}},
    {WISP_OP_WKV6, 3 * 20, 3 * 400, 5, {{0, 60}, {0, 60}, {0, 60}, {0, 60}, {1, 60}}, {3}},
    {WISP_OP_WKV7, 3 * 20, 3 * 400, 6, {{0, 60}, {0, 60}, {0, 60}, {0, 60}, {0, 60}, {0, 60}}, {3}},
};

static float in[6][TOKENS * 64 + 1024];
static const int32_t seqs[TOKENS] = {1, 1, 0, 1, 0, 0, 1, 0, 1}, positions[TOKENS] = {5, 6, 0, 0, 1, 2, 1, 3, 2};

static void fill_inputs(const shape *s)
{
    for (int i = 0; i < 6; i++)
        for (size_t c = 0; c < sizeof in[0] / 4; c++)
            in[i][c] = random_float() / 4;
    /* steps are positive, decays in (0, 1) or below zero */
    for (size_t c = 0; c < sizeof in[0] / 4; c++) {
        if (s->op == WISP_OP_SSM_SCAN || s->op == WISP_OP_SSD_SCAN) {
            in[1][c] = fabsf(in[1][c]);
            in[2][c] = -fabsf(in[2][c]);
        }
        if (s->op == WISP_OP_DELTA_RULE) in[3][c] = -fabsf(in[3][c]);
        if (s->op == WISP_OP_WKV6 || s->op == WISP_OP_WKV7) in[1][c] = fabsf(in[1][c]) / 2;
    }
}

static wisp_view floats_view(uint32_t handle, uint32_t row, uint32_t rows, uint32_t cols)
{
    return (wisp_view){handle, WISP_F32, (uint64_t)row * cols * 4, rows, cols, (uint64_t)cols * 4};
}

static wisp_cmd command(const shape *s, uint32_t first, uint32_t n)
{
    wisp_cmd c = {.op = s->op, .view = {floats_view(HY, first, n, s->width)}};
    for (int i = 0; i < 4; i++)
        c.param[i].u = s->param[i];
    uint32_t v = 1;
    for (uint32_t i = 0; i < s->inputs; i++)
        c.view[v++] = s->in[i].rows ? floats_view(HIN + i, 0, s->in[i].rows, s->in[i].cols)
                                    : floats_view(HIN + i, first, n, s->in[i].cols);
    c.view[v++] = floats_view(HS, 0, SEQUENCES, s->state);
    c.view[v++] = (wisp_view){HP, WISP_I32, first * 4, 1, n, (uint64_t)n * 4};
    c.view[v] = (wisp_view){HQ, WISP_I32, first * 4, 1, n, (uint64_t)n * 4};
    return c;
}

static void run_split(const shape *s, unsigned threads, unsigned features, uint32_t split, float *y, float *state)
{
    static os_pool *pools[4];
    wisp_report report = {0};
    tensor_device *d;
    if (!pools[threads]) must(os_pool_new(&pools[threads], threads, &report), &report);
    const tensor_executor executor = {pools[threads], threads, os_pool_run, os_pool_barrier};
    const tensor_options options = {.executor = threads > 1 ? &executor : NULL, .cpu_features = features};
    must(tensor_device_new(&d, &options, &report), &report);
    for (uint32_t h = HY; h < HIN + 6; h++)
        assert_int_equal(tensor_alloc(d, BUFFER), h);
    for (uint32_t i = 0; i < s->inputs; i++)
        must(tensor_write(d, HIN + i, 0, in[i], sizeof in[i], &report), &report);
    must(tensor_write(d, HP, 0, positions, sizeof positions, &report), &report);
    must(tensor_write(d, HQ, 0, seqs, sizeof seqs, &report), &report);
    must(tensor_write(d, HS, 0, state, (uint64_t)SEQUENCES * s->state * 4, &report), &report);
    for (uint32_t first = 0; first < TOKENS; first += split) {
        const wisp_cmd c = command(s, first, TOKENS - first < split ? TOKENS - first : split);
        must(tensor_submit(d, &c, 1, &report), &report);
    }
    must(tensor_read(d, HY, 0, y, (uint64_t)TOKENS * s->width * 4, &report), &report);
    must(tensor_read(d, HS, 0, state, (uint64_t)SEQUENCES * s->state * 4, &report), &report);
    tensor_device_free(d);
}

/* ---- the same in double precision ---- */
static double at(int i, uint32_t t, uint32_t cols, uint32_t c)
{
    return in[i][(size_t)t * cols + c];
}

static void plain_scan(const shape *s, uint32_t t, double *h, double *y)
{
    const int is_ssd = s->op == WISP_OP_SSD_SCAN;
    const uint32_t heads = is_ssd ? s->param[0] : s->width, m = s->width / heads, d = s->state / s->width;
    const uint32_t groups = is_ssd ? s->param[1] : 1;
    for (uint32_t row = 0; row < s->width; row++) {
        const uint32_t head = row / m, group = head / (heads / groups);
        const double dt = at(1, t, heads, head);
        y[row] = 0;
        for (uint32_t i = 0; i < d; i++) {
            const double a = is_ssd ? at(2, 0, heads, head) : at(2, row, d, i);
            double *cell = &h[row * d + i];
            *cell = exp(dt * a) * *cell + dt * at(0, t, s->width, row) * at(3, t, groups * d, group * d + i);
            y[row] += *cell * at(4, t, groups * d, group * d + i);
        }
    }
}

static void plain_delta(const shape *s, uint32_t t, double *h, double *y)
{
    const uint32_t heads = s->param[0], keys = s->param[1], e = s->width / heads, d = s->state / s->width;
    for (uint32_t row = 0; row < s->width; row++) {
        const uint32_t head = row / e, key = s->param[3] ? head % keys : head / (heads / keys);
        double sum = 0;
        for (uint32_t i = 0; i < d; i++) {
            const double g = s->in[3].cols == heads ? at(3, t, heads, head) : at(3, t, heads * d, head * d + i);
            h[row * d + i] *= exp(g);
            sum += h[row * d + i] * at(1, t, keys * d, key * d + i);
        }
        const double u = (at(2, t, s->width, row) - sum) * at(4, t, heads, head);
        y[row] = 0;
        for (uint32_t i = 0; i < d; i++) {
            h[row * d + i] += at(1, t, keys * d, key * d + i) * u;
            y[row] += h[row * d + i] * at(0, t, keys * d, key * d + i) * 0.5;
        }
    }
}

/* inputs: r w k v u */
static void plain_wkv6(const shape *s, uint32_t t, double *h, double *y)
{
    const uint32_t d = s->width / s->param[0];
    for (uint32_t c = 0; c < s->width; c++) {
        const uint32_t head = c / d, j = c % d;
        y[c] = 0;
        for (uint32_t i = 0; i < d; i++) {
            double *cell = &h[(head * d + i) * d + j];
            const double kv = at(2, t, s->width, head * d + i) * at(3, t, s->width, c);
            y[c] += at(0, t, s->width, head * d + i) * (at(4, 0, s->width, head * d + i) * kv + *cell);
            *cell = *cell * at(1, t, s->width, head * d + i) + kv;
        }
    }
}

/* inputs: r w k v a b */
static void plain_wkv7(const shape *s, uint32_t t, double *h, double *y)
{
    const uint32_t d = s->width / s->param[0], w = s->width;
    for (uint32_t row = 0; row < w; row++) {
        const uint32_t first = row / d * d;
        double p = 0;
        for (uint32_t i = 0; i < d; i++)
            p += h[row * d + i] * at(4, t, w, first + i);
        y[row] = 0;
        for (uint32_t i = 0; i < d; i++) {
            double *cell = &h[row * d + i];
            *cell =
                *cell * at(1, t, w, first + i) + at(2, t, w, first + i) * at(3, t, w, row) + at(5, t, w, first + i) * p;
            y[row] += *cell * at(0, t, w, first + i);
        }
    }
}

static void plain_window(const shape *s, uint32_t t, double *h, double *y)
{
    const uint32_t taps = s->op == WISP_OP_CONV ? 4 : 2, w = s->width;
    for (uint32_t c = 0; c < w; c++) {
        const double now = at(0, t, w, c);
        y[c] = s->op == WISP_OP_CONV ? at(1, taps - 1, w, c) * now + at(2, 0, w, c) : h[c];
        for (uint32_t j = 0; j + 1 < taps; j++) {
            if (s->op == WISP_OP_CONV) y[c] += at(1, j, w, c) * h[j * w + c];
            h[j * w + c] = j + 2 < taps ? h[(j + 1) * w + c] : now;
        }
    }
}

static void plain(const shape *s, double *h, double *y)
{
    for (uint32_t t = 0; t < TOKENS; t++) {
        double *state = h + (size_t)seqs[t] * s->state, *out = y + (size_t)t * s->width;
        if (positions[t] == 0) memset(state, 0, s->state * sizeof *state);
        if (s->op == WISP_OP_SSM_SCAN || s->op == WISP_OP_SSD_SCAN)
            plain_scan(s, t, state, out);
        else if (s->op == WISP_OP_DELTA_RULE)
            plain_delta(s, t, state, out);
        else if (s->op == WISP_OP_WKV6)
            plain_wkv6(s, t, state, out);
        else if (s->op == WISP_OP_WKV7)
            plain_wkv7(s, t, state, out);
        else
            plain_window(s, t, state, out);
    }
}

enum { Y_MAX = TOKENS * 64, STATE_MAX = SEQUENCES * 1200 };

static void first_state(const shape *s, float *state)
{
    for (uint32_t i = 0; i < SEQUENCES * s->state; i++)
        state[i] = (float)((int)(i * 7 % 13) - 6) / 8;
}

static void ops_do_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        static float y[Y_MAX], h[STATE_MAX];
        static double want[Y_MAX], state_want[STATE_MAX];
        const shape *s = &shapes[i];
        fill_inputs(s);
        first_state(s, h);
        for (uint32_t c = 0; c < SEQUENCES * s->state; c++)
            state_want[c] = h[c];
        run_split(s, 1, 0, TOKENS, y, h);
        plain(s, state_want, want);
        for (uint32_t c = 0; c < TOKENS * s->width; c++)
            if (fabs(y[c] - want[c]) > 2e-5 * (1 + fabs(want[c])))
                fail_msg("shape %zu, output %u: %g, not %g", i, c, (double)y[c], want[c]);
        for (uint32_t c = 0; c < SEQUENCES * s->state; c++)
            if (fabs(h[c] - state_want[c]) > 2e-5 * (1 + fabs(state_want[c])))
                fail_msg("shape %zu, state %u: %g, not %g", i, c, (double)h[c], state_want[c]);
    }
}

static void splits_and_threads_change_nothing(void **state)
{
    static const uint32_t splits[] = {1, 2, 4, TOKENS};
    const unsigned all = os_cpu_features(), features[] = {0, all & OS_CPU_AVX2, all};
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        static float y[Y_MAX], h[STATE_MAX], want[Y_MAX], state_want[STATE_MAX];
        const shape *s = &shapes[i];
        fill_inputs(s);
        first_state(s, state_want);
        run_split(s, 1, 0, TOKENS, want, state_want);
        for (unsigned threads = 1; threads <= 3; threads++)
            for (size_t f = 0; f < 3; f++)
                for (size_t k = 0; k < sizeof splits / sizeof *splits; k++) {
                    first_state(s, h);
                    run_split(s, threads, features[f], splits[k], y, h);
                    if (memcmp(y, want, (size_t)TOKENS * s->width * 4) ||
                        memcmp(h, state_want, SEQUENCES * s->state * 4))
                        fail_msg("shape %zu: %u threads, features %u, split %u", i, threads, features[f], splits[k]);
                }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_do_what_they_say),
        cmocka_unit_test(splits_and_threads_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
