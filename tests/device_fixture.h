/* One device with a buffer for each purpose, and a correct command of each op over them. */
#ifndef TESTS_DEVICE_FIXTURE_H
#define TESTS_DEVICE_FIXTURE_H
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/device.h"
#include "tensor/layout.h"
#include "tensor/program.h"

static uint32_t seed = 1;

static inline uint32_t random32(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 4;
}

static inline float random_float(void)
{
    return ((float)(random32() % 2001) - 1000.0f) / 256.0f;
}

/* ---- one device with a buffer for each purpose ---- */
enum { W, Y, X, B, C, IDS, POS, SEQ, TABLE, FREQ, KC, VC, BUFFERS };
enum { LAST_OP = WISP_OP_WKV7 };
enum { SIZE = 1 << 16, N = 3 };

typedef struct fixture {
    tensor_device *d;
    base_budget budget;
    uint8_t *weights;
    uint32_t h[BUFFERS];
    uint8_t before[BUFFERS][SIZE];
} fixture;

static inline void must(wisp_status status, const wisp_report *report)
{
    if (status != WISP_OK) print_error("%s\n", report->text);
    assert_int_equal(status, WISP_OK);
}

static inline void put(fixture *f, int buffer, const void *data, uint64_t size)
{
    wisp_report report = {0};
    must(tensor_write(f->d, f->h[buffer], 0, data, size, &report), &report);
}

static inline void get(fixture *f, int buffer, void *data, uint64_t size)
{
    wisp_report report = {0};
    must(tensor_read(f->d, f->h[buffer], 0, data, size, &report), &report);
}

static inline int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    wisp_report report = {0};
    const tensor_options options = {.budget = &f->budget};
    f->budget.limit = 4 << 20;
    must(tensor_device_new(&f->d, &options, &report), &report);
    f->weights = aligned_alloc(64, SIZE);
    for (int i = 0; i < SIZE; i++)
        f->weights[i] = (uint8_t)(random32() & 0xbb);
    must(tensor_add_weights(f->d, 0, f->weights, SIZE, &report), &report);
    f->h[W] = tensor_weights(f->d, 0);
    for (int i = 1; i < BUFFERS; i++)
        f->h[i] = tensor_alloc(f->d, SIZE);
    const int32_t ids[N] = {4, 0, 2}, pos[N] = {0, 64, 127}, seq[N] = {1, 1, 0}, table[2][2] = {{1, 0}, {2, 1}};
    const double freq[4] = {1, 0.5, 0.25, 0.125};
    float x[512];
    for (int i = 0; i < 512; i++)
        x[i] = random_float();
    put(f, IDS, ids, sizeof ids);
    put(f, POS, pos, sizeof pos);
    put(f, SEQ, seq, sizeof seq);
    put(f, TABLE, table, sizeof table);
    put(f, FREQ, freq, sizeof freq);
    put(f, X, x, sizeof x);
    put(f, B, x, sizeof x);
    put(f, C, x, sizeof x);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    fixture *f = *state;
    tensor_device_free(f->d);
    assert_int_equal(f->budget.used, 0);
    free(f->weights);
    free(f);
    return 0;
}

static inline wisp_view view(const fixture *f, int buffer, uint32_t type, uint32_t rows, uint32_t cols)
{
    uint64_t stride = 0;
    tensor_row_bytes(type, cols, &stride);
    return (wisp_view){f->h[buffer], type, 0, rows, cols, stride};
}

/* A correct command of each op over the fixture's buffers. */
static inline wisp_cmd good(const fixture *f, uint32_t op)
{
    const wisp_view pos = view(f, POS, WISP_I32, 1, N), seq = view(f, SEQ, WISP_I32, 1, N),
                    table = view(f, TABLE, WISP_I32, 2, 2), kc = view(f, KC, WISP_F16, 3 * 2 * 64, 8),
                    vc = view(f, VC, WISP_F16, 3 * 2 * 64, 8);
    const wisp_view y = view(f, Y, WISP_F32, N, 32), x = view(f, X, WISP_F32, N, 32), b = view(f, B, WISP_F32, N, 32);
    wisp_cmd c = {.op = op, .view = {y, x, b}};
    switch (op) {
    case WISP_OP_GET_ROWS:
        c.view[1] = view(f, W, WISP_Q4_0, 5, 32), c.view[2] = view(f, IDS, WISP_I32, 1, N);
        break;
    case WISP_OP_RMS_NORM:
        c.view[2].rows = 1, c.param[0].f = 1e-5f;
        break;
    case WISP_OP_MATMUL:
        c.view[0] = view(f, Y, WISP_F32, N, 20), c.view[2] = view(f, W, WISP_Q4_0_R16, 20, 32);
        c.view[3] = view(f, B, WISP_F32, 1, 20);
        break;
    case WISP_OP_ROPE_TABLE:
        c.view[0] = view(f, Y, WISP_F32, N, 8), c.view[1] = pos, c.view[2] = view(f, FREQ, WISP_F64, 1, 4);
        c.param[0].f = 1;
        break;
    case WISP_OP_ROPE:
        c.param[0].u = 4, c.view[2] = view(f, B, WISP_F32, N, 8);
        break;
    case WISP_OP_KV_WRITE:
        c = (wisp_cmd){.op = op, .param = {{.u = 2}}, .view = {kc, view(f, X, WISP_F32, N, 16), pos, seq, table}};
        break;
    case WISP_OP_ATTENTION:
        c = (wisp_cmd){.op = op, .param = {{.u = 4}, {.u = 2}, {.f = 0.5f}}, .view = {y, x, kc, vc, pos, seq, table}};
        break;
    case WISP_OP_ARGMAX:
        c = (wisp_cmd){.op = op, .view = {view(f, Y, WISP_I32, N, 1), x}};
        break;
    case WISP_OP_LAYER_NORM:
        c.view[2].rows = 1, c.view[3] = view(f, C, WISP_F32, 1, 32), c.param[0].f = 1e-5f;
        break;
    case WISP_OP_LERP:
        c.view[3] = view(f, C, WISP_F32, N, 32);
        break;
    case WISP_OP_ROW_SCALE:
        c.view[2] = view(f, B, WISP_F32, N, 1);
        break;
    case WISP_OP_POSITION_SCALE:
        c.view[2] = pos, c.param[0].f = 0.1f, c.param[2].u = 64;
        break;
    case WISP_OP_COPY:
        c = (wisp_cmd){.op = op, .view = {view(f, Y, WISP_F32, 2 * N, 32), x}};
        break;
    case WISP_OP_POOL_MEAN:
        c.view[0] = view(f, Y, WISP_F32, 2, 32), c.view[2] = seq;
        break;
    case WISP_OP_CONV:
        c = (wisp_cmd){.op = op, .view = {y, x, view(f, B, WISP_F32, 4, 32), view(f, C, WISP_F32, 1, 32)}};
        c.view[4] = view(f, KC, WISP_F32, 2, 3 * 32), c.view[5] = pos, c.view[6] = seq;
        break;
    case WISP_OP_TOKEN_SHIFT:
        c = (wisp_cmd){.op = op, .view = {y, x, view(f, KC, WISP_F32, 2, 32), pos, seq}};
        break;
    case WISP_OP_SSM_SCAN:
        c = (wisp_cmd){.op = op, .view = {y, x, b, view(f, C, WISP_F32, 32, 5), view(f, B, WISP_F32, N, 5)}};
        c.view[5] = view(f, X, WISP_F32, N, 5), c.view[6] = view(f, KC, WISP_F32, 2, 32 * 5), c.view[7] = pos;
        c.view[8] = seq;
        break;
    case WISP_OP_SSD_SCAN:
        c = (wisp_cmd){.op = op, .param = {{.u = 4}, {.u = 2}}, .view = {y, x, view(f, B, WISP_F32, N, 4)}};
        c.view[3] = view(f, C, WISP_F32, 1, 4), c.view[4] = view(f, B, WISP_F32, N, 2 * 5);
        c.view[5] = view(f, X, WISP_F32, N, 2 * 5), c.view[6] = view(f, KC, WISP_F32, 2, 32 * 5), c.view[7] = pos;
        c.view[8] = seq;
        break;
    case WISP_OP_DELTA_RULE:
        c = (wisp_cmd){.op = op, .param = {{.u = 4}, {.u = 2}, {.f = 0.5f}, {.u = 1}}, .view = {y}};
        c.view[1] = view(f, X, WISP_F32, N, 2 * 5), c.view[2] = view(f, B, WISP_F32, N, 2 * 5), c.view[3] = x;
        c.view[4] = view(f, C, WISP_F32, N, 4), c.view[5] = view(f, B, WISP_F32, N, 4);
        c.view[6] = view(f, KC, WISP_F32, 2, 32 * 5), c.view[7] = pos, c.view[8] = seq;
        break;
    case WISP_OP_WKV6:
        c = (wisp_cmd){.op = op, .param = {{.u = 4}}, .view = {y, x, b, x, b, view(f, C, WISP_F32, 1, 32)}};
        c.view[6] = view(f, KC, WISP_F32, 2, 32 * 8), c.view[7] = pos, c.view[8] = seq;
        break;
    case WISP_OP_WKV7:
        c = (wisp_cmd){.op = op, .param = {{.u = 4}}, .view = {y, x, b, x, b, x, b}};
        c.view[7] = view(f, KC, WISP_F32, 2, 32 * 8), c.view[8] = pos, c.view[9] = seq;
        break;
    case WISP_OP_TOPK:
        c.view[0] = view(f, Y, WISP_I32, N, 4), c.view[2].rows = 1;
        break;
    case WISP_OP_PICK:
        c.view[0] = view(f, Y, WISP_F32, N, 4), c.view[2] = view(f, IDS, WISP_I32, N, 4);
        break;
    case WISP_OP_MATMUL_ID:
        c.view[0] = view(f, Y, WISP_F32, 2 * N, 16), c.view[2] = view(f, W, WISP_Q4_0_R16, 5 * 16, 32);
        c.view[3] = view(f, IDS, WISP_I32, N, 2), c.view[4] = view(f, B, WISP_F32, 5, 16);
        break;
    case WISP_OP_COMBINE:
        c.view[1] = view(f, B, WISP_F32, N, 2), c.view[2] = view(f, X, WISP_F32, 2 * N, 32);
        break;
    case WISP_OP_MATMUL_HEADS:
        c = (wisp_cmd){.op = op, .param = {{.u = 2}}};
        c.view[0] = view(f, Y, WISP_F32, N, 32), c.view[1] = view(f, X, WISP_F32, N, 64);
        c.view[2] = view(f, W, WISP_Q4_0_R16, 2 * 16, 32);
        break;
    case WISP_OP_NORM_SUM:
    case WISP_OP_L2_NORM:
    case WISP_OP_AFFINE:
    case WISP_OP_UNARY:
    case WISP_OP_CLAMP:
    case WISP_OP_SOFTMAX:
        c.view[2] = (wisp_view){0};
        break;
    default:
        break;
    }
    return c;
}

static inline wisp_status submit(fixture *f, const wisp_cmd *c, uint32_t count, wisp_report *report)
{
    *report = (wisp_report){0};
    return tensor_submit(f->d, c, count, report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
