/* Mixtures of experts: MATMUL_ID and MATMUL_HEADS give the very bits that MATMUL gives row by row, for every type,
 * thread count and number of rows; TOPK, PICK, COMBINE against plain code. */
#include "device_fixture.h"
#include "os/os.h"
#include "os/pool.h"

enum { EXPERTS = 5, OUT = 32, IN = 256, USED = 3, ROWS = 40, BUFFER = 1 << 20 };
enum { HW = 1, HX, HI, HB, HY, HZ };

static const uint32_t types[] = {WISP_F32,  WISP_F16,      WISP_BF16,     WISP_Q4_0,     WISP_Q8_0,
                                 WISP_Q4_K, WISP_Q4_0_R16, WISP_Q8_0_R16, WISP_Q6_K_R16, WISP_Q5_K};

static wisp_view matrix(uint32_t handle, uint32_t type, uint32_t rows, uint32_t cols)
{
    uint64_t stride = 0;
    tensor_row_bytes(type, cols, &stride);
    return (wisp_view){handle, type, 0, rows, cols, stride};
}

static tensor_device *open_device(unsigned threads, const uint8_t *weights, tensor_executor *executor)
{
    static os_pool *pools[4];
    tensor_device *d;
    wisp_report report = {0};
    if (!pools[threads]) must(os_pool_new(&pools[threads], threads, &report), &report);
    *executor = (tensor_executor){pools[threads], threads, os_pool_run, os_pool_barrier};
    const tensor_options options = {.executor = threads > 1 ? executor : NULL,
                                    .cpu_features = threads > 1 ? os_cpu_features() : 0};
    must(tensor_device_new(&d, &options, &report), &report);
    must(tensor_add_weights(d, 0, weights, BUFFER, &report), &report);
    for (uint32_t h = HX; h <= HZ; h++)
        assert_int_equal(tensor_alloc(d, BUFFER), h);
    return d;
}

/* Rows of y by MATMUL, one at a time. */
static void one_by_one(tensor_device *d, uint32_t type, uint32_t n, const int32_t *choice, int of_each, float *want)
{
    uint64_t bytes;
    assert_true(tensor_matrix_bytes(type, OUT, IN, &bytes));
    for (uint32_t slot = 0; slot < n * USED; slot++) {
        wisp_report report = {0};
        float *row = want + (size_t)slot * OUT;
        memset(row, 0, OUT * sizeof *row);
        if (choice[slot] < 0 || choice[slot] >= EXPERTS) continue;
        wisp_cmd c = {.op = WISP_OP_MATMUL,
                      .view = {matrix(HZ, WISP_F32, 1, OUT), matrix(HX, WISP_F32, 1, IN), matrix(HW, type, OUT, IN),
                               matrix(HB, WISP_F32, 1, OUT)}};
        c.view[1].offset = (uint64_t)(of_each ? slot : slot / USED) * IN * 4;
        c.view[2].offset = (uint64_t)choice[slot] * bytes;
        c.view[3].offset = (uint64_t)choice[slot] * OUT * 4;
        must(tensor_submit(d, &c, 1, &report), &report);
        must(tensor_read(d, HZ, 0, row, OUT * sizeof *row, &report), &report);
    }
}

static void compare(const float *a, const float *b, size_t count, uint32_t type, unsigned threads)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(a + i, b + i, 4) != 0 && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("type %u, %u threads: element %zu is %g, not %g", type, threads, i, (double)a[i], (double)b[i]);
}

static uint8_t *random_weights(void)
{
    uint8_t *w = aligned_alloc(64, BUFFER);
    for (int i = 0; i < BUFFER; i++)
        w[i] = (uint8_t)(random32() & 0xbb);
    return w;
}

static void check_type(uint32_t type, unsigned threads, const uint8_t *weights, uint32_t n, int of_each)
{
    static float x[ROWS * USED * IN], bias[EXPERTS * OUT], got[ROWS * USED * OUT], want[ROWS * USED * OUT];
    int32_t choice[ROWS * USED];
    wisp_report report = {0};
    tensor_executor executor;
    tensor_device *d = open_device(threads, weights, &executor);
    for (size_t i = 0; i < sizeof x / 4; i++)
        x[i] = random_float();
    for (size_t i = 0; i < sizeof bias / 4; i++)
        bias[i] = random_float();
    for (uint32_t i = 0; i < n * USED; i++)
        choice[i] = (int32_t)(random32() % (EXPERTS + 1)) - (random32() % 16 == 0); /* some are none's number */
    must(tensor_write(d, HX, 0, x, sizeof x, &report), &report);
    must(tensor_write(d, HB, 0, bias, sizeof bias, &report), &report);
    must(tensor_write(d, HI, 0, choice, n * USED * 4, &report), &report);
    const wisp_cmd c = {.op = WISP_OP_MATMUL_ID,
                        .view = {matrix(HY, WISP_F32, n * USED, OUT), matrix(HX, WISP_F32, of_each ? n * USED : n, IN),
                                 matrix(HW, type, EXPERTS * OUT, IN), matrix(HI, WISP_I32, n, USED),
                                 matrix(HB, WISP_F32, EXPERTS, OUT)}};
    must(tensor_submit(d, &c, 1, &report), &report);
    must(tensor_read(d, HY, 0, got, (uint64_t)n * USED * OUT * 4, &report), &report);
    one_by_one(d, type, n, choice, of_each, want);
    compare(got, want, (size_t)n * USED * OUT, type, threads);
    tensor_device_free(d);
}

static void rows_of_experts_are_rows_of_matmul(void **state)
{
    static const uint32_t rows[] = {1, 2, 3, ROWS};
    uint8_t *weights = random_weights();
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (unsigned threads = 1; threads <= 3; threads++)
                check_type(types[i], threads, weights, rows[r], (int)(r + threads) % 2);
    free(weights);
}

/* Products of one list with the same input and choice share panels; a written choice does not. */
static void panels_follow_the_choice(void **state)
{
    float x[4 * IN], first[8 * OUT], second[8 * OUT], want[8 * OUT];
    int32_t choice[4 * 2], other[4 * 2];
    uint8_t *weights = random_weights();
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads++) {
        wisp_report report = {0};
        tensor_executor executor;
        tensor_device *d = open_device(threads, weights, &executor);
        for (size_t i = 0; i < sizeof x / 4; i++)
            x[i] = random_float();
        for (int i = 0; i < 8; i++)
            choice[i] = i % EXPERTS, other[i] = (i + 2) % EXPERTS;
        must(tensor_write(d, HX, 0, x, sizeof x, &report), &report);
        must(tensor_write(d, HI, 0, choice, sizeof choice, &report), &report);
        must(tensor_write(d, HB, 0, other, sizeof other, &report), &report);
        wisp_cmd c[4] = {{.op = WISP_OP_MATMUL_ID,
                          .view = {matrix(HY, WISP_F32, 8, OUT), matrix(HX, WISP_F32, 4, IN),
                                   matrix(HW, WISP_Q8_0, EXPERTS * OUT, IN), matrix(HI, WISP_I32, 4, 2)}}};
        c[1] = c[3] = c[0]; /* COPY is for floats: the bits of small integers are floats, too */
        c[1].view[0].offset = sizeof first;
        c[2] = (wisp_cmd){.op = WISP_OP_COPY, .view = {matrix(HI, WISP_F32, 1, 8), matrix(HB, WISP_F32, 1, 8)}};
        must(tensor_submit(d, c, 4, &report), &report);
        must(tensor_read(d, HY, 0, first, sizeof first, &report), &report);
        must(tensor_read(d, HY, sizeof first, second, sizeof second, &report), &report);
        must(tensor_submit(d, c, 1, &report), &report);
        must(tensor_read(d, HY, 0, want, sizeof want, &report), &report);
        compare(first, want, 8 * OUT, WISP_Q8_0, threads);
        must(tensor_write(d, HI, 0, choice, sizeof choice, &report), &report);
        must(tensor_submit(d, c, 1, &report), &report);
        must(tensor_read(d, HY, 0, want, sizeof want, &report), &report);
        compare(second, want, 8 * OUT, WISP_Q8_0, threads);
        tensor_device_free(d);
    }
    free(weights);
}

static void heads_are_matmuls(void **state)
{
    enum { HEADS = 3 };
    static float x[ROWS * HEADS * IN], got[ROWS * HEADS * OUT], want[ROWS * HEADS * OUT];
    uint8_t *weights = random_weights();
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (unsigned threads = 1; threads <= 3; threads++) {
            const uint32_t n = threads == 1 ? 1 : ROWS / threads;
            uint64_t bytes;
            wisp_report report = {0};
            tensor_executor executor;
            tensor_device *d = open_device(threads, weights, &executor);
            for (size_t c = 0; c < sizeof x / 4; c++)
                x[c] = random_float();
            must(tensor_write(d, HX, 0, x, sizeof x, &report), &report);
            wisp_cmd c = {.op = WISP_OP_MATMUL_HEADS,
                          .param = {{.u = HEADS}},
                          .view = {matrix(HY, WISP_F32, n, HEADS * OUT), matrix(HX, WISP_F32, n, HEADS * IN),
                                   matrix(HW, types[i], HEADS * OUT, IN)}};
            must(tensor_submit(d, &c, 1, &report), &report);
            must(tensor_read(d, HY, 0, got, (uint64_t)n * HEADS * OUT * 4, &report), &report);
            assert_true(tensor_matrix_bytes(types[i], OUT, IN, &bytes));
            for (uint32_t h = 0; h < HEADS; h++) {
                wisp_cmd one = {.op = WISP_OP_MATMUL, .view = {c.view[0], c.view[1], c.view[2]}};
                one.view[0].cols = OUT, one.view[0].offset = h * OUT * 4;
                one.view[1].cols = IN, one.view[1].offset = h * IN * 4;
                one.view[2].rows = OUT, one.view[2].offset = h * bytes;
                must(tensor_submit(d, &one, 1, &report), &report);
            }
            must(tensor_read(d, HY, 0, want, (uint64_t)n * HEADS * OUT * 4, &report), &report);
            compare(got, want, (size_t)n * HEADS * OUT, types[i], threads);
            tensor_device_free(d);
        }
    free(weights);
}

static void the_largest_are_chosen(void **state)
{
    static const struct {
        float x[8], bias[8];
        uint32_t groups, kept;
        int32_t want[4];
    } cases[] = {
        {{1, 5, 3, 5, 2, 0, 4, 4}, {0}, 0, 0, {1, 3, 6, 7}},
        {{1, 5, 3, 5, 2, 0, 4, 4}, {0, -9, 0, 0, 9, 0, 0, 1}, 0, 0, {4, 3, 7, 6}},
        {{NAN, -1, NAN, -2, NAN, -INFINITY, NAN, NAN}, {0}, 0, 0, {1, 3, 5, 0}},
        {{9, 1, 5, 6, 2, 2, 7, 7}, {0}, 4, 2, {6, 7, 3, 2}}, /* groups {9,1} {5,6} {2,2} {7,7} */
        {{9, 1, 5, 5, 4, 6, 1, 0}, {0}, 4, 2, {0, 2, 3, 1}}, /* 10 10 10 1: ties to the lower group */
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wisp_report report;
        int32_t got[4];
        put(f, X, cases[i].x, sizeof cases[i].x);
        put(f, B, cases[i].bias, sizeof cases[i].bias);
        wisp_cmd c = {.op = WISP_OP_TOPK,
                      .param = {{.u = cases[i].groups}, {.u = cases[i].kept}},
                      .view = {view(f, Y, WISP_I32, 1, 4), view(f, X, WISP_F32, 1, 8), view(f, B, WISP_F32, 1, 8)}};
        must(submit(f, &c, 1, &report), &report);
        get(f, Y, got, sizeof got);
        for (int j = 0; j < 4; j++)
            if (got[j] != cases[i].want[j]) fail_msg("case %zu: %d is chosen at %d", i, got[j], j);
    }
}

static void picked_and_combined(void **state)
{
    fixture *f = *state;
    wisp_report report;
    const float x[2 * 3] = {1, 2, 3, 4, 5, 6}, w[2 * 2] = {0.5f, 2, -1, 0.25f};
    const int32_t index[2 * 2] = {2, -1, 0, 3};
    float y[2 * 3];
    put(f, X, x, sizeof x);
    put(f, IDS, index, sizeof index);
    wisp_cmd c = {.op = WISP_OP_PICK,
                  .view = {view(f, Y, WISP_F32, 2, 2), view(f, X, WISP_F32, 2, 3), view(f, IDS, WISP_I32, 2, 2)}};
    must(submit(f, &c, 1, &report), &report);
    get(f, Y, y, 16);
    assert_true(y[0] == 3 && y[1] == 0 && y[2] == 4 && y[3] == 0);
    const float each[4 * 3] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    put(f, X, each, sizeof each);
    put(f, B, w, sizeof w);
    c = (wisp_cmd){.op = WISP_OP_COMBINE,
                   .view = {view(f, Y, WISP_F32, 2, 3), view(f, B, WISP_F32, 2, 2), view(f, X, WISP_F32, 4, 3)}};
    must(submit(f, &c, 1, &report), &report);
    get(f, Y, y, sizeof y);
    for (int i = 0; i < 6; i++)
        assert_true(y[i] == w[i / 3 * 2] * each[i / 3 * 6 + i % 3] + w[i / 3 * 2 + 1] * each[i / 3 * 6 + 3 + i % 3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_experts_are_rows_of_matmul),
        cmocka_unit_test(panels_follow_the_choice),
        cmocka_unit_test(heads_are_matmuls),
        TEST(the_largest_are_chosen),
        TEST(picked_and_combined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
