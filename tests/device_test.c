/* The tensor device: buffers and limits, every rule of validation with a command that breaks it, packed layouts, the
 * program's bytes, and the arithmetic of docs/numerics.md against scalar code written from that page. */
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

static uint32_t random32(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 4;
}

static float random_float(void)
{
    return ((float)(random32() % 2001) - 1000.0f) / 256.0f;
}

/* ---- one device with a buffer for each purpose ---- */
enum { W, Y, X, B, IDS, POS, SEQ, TABLE, FREQ, KC, VC, BUFFERS };
enum { SIZE = 1 << 16, N = 3 };

typedef struct fixture {
    tensor_device *d;
    base_budget budget;
    uint8_t *weights;
    uint32_t h[BUFFERS];
    uint8_t before[BUFFERS][SIZE];
} fixture;

static void must(wisp_status status, const wisp_report *report)
{
    if (status != WISP_OK) print_error("%s\n", report->text);
    assert_int_equal(status, WISP_OK);
}

static void put(fixture *f, int buffer, const void *data, uint64_t size)
{
    wisp_report report = {0};
    must(tensor_write(f->d, f->h[buffer], 0, data, size, &report), &report);
}

static void get(fixture *f, int buffer, void *data, uint64_t size)
{
    wisp_report report = {0};
    must(tensor_read(f->d, f->h[buffer], 0, data, size, &report), &report);
}

static int setup(void **state)
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
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    tensor_device_free(f->d);
    assert_int_equal(f->budget.used, 0);
    free(f->weights);
    free(f);
    return 0;
}

static wisp_view view(const fixture *f, int buffer, uint32_t type, uint32_t rows, uint32_t cols)
{
    uint64_t stride = 0;
    tensor_row_bytes(type, cols, &stride);
    return (wisp_view){f->h[buffer], type, 0, rows, cols, stride};
}

/* A correct command of each op over the fixture's buffers. */
static wisp_cmd good(const fixture *f, uint32_t op)
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
    default:
        break;
    }
    return c;
}

static wisp_status submit(fixture *f, const wisp_cmd *c, uint32_t count, wisp_report *report)
{
    *report = (wisp_report){0};
    return tensor_submit(f->d, c, count, report);
}

static void good_commands_run(void **state)
{
    fixture *f = *state;
    wisp_report report;
    for (uint32_t op = WISP_OP_GET_ROWS; op <= WISP_OP_ARGMAX; op++) {
        wisp_cmd c = good(f, op);
        must(submit(f, &c, 1, &report), &report);
        assert_int_equal(tensor_caps(f->d, WISP_CAPS_OP + op), 1);
    }
    assert_int_equal(submit(f, NULL, 0, &report), WISP_OK);
}

/* ---- every rule with a command that breaks it: one field of a good command is changed ---- */
typedef struct wrong {
    const char *what;
    uint32_t op;
    size_t offset, size; /* of the field */
    uint64_t value;
    wisp_status status; /* 0: WISP_E_INPUT */
} wrong;

#define FIELD(f) offsetof(wisp_cmd, f), sizeof(((wisp_cmd *)0)->f)
#define U WISP_E_UNSUPPORTED

static const wrong wrongs[] = {
    {"no op", WISP_OP_ADD, FIELD(op), 0, U},
    {"unknown op", WISP_OP_ADD, FIELD(op), 999, U},
    {"reserved", WISP_OP_ADD, FIELD(reserved), 1, 0},
    {"unused parameter", WISP_OP_ADD, FIELD(param[0]), 1, 0},
    {"unused last parameter", WISP_OP_ATTENTION, FIELD(param[5]), 1, 0},
    {"unused view", WISP_OP_ADD, FIELD(view[3].rows), 1, 0},
    {"unused view's buffer", WISP_OP_ADD, FIELD(view[6].buffer), 2, 0},
    {"absent operand with a shape", WISP_OP_MATMUL, FIELD(view[3].buffer), 0, 0},
    {"missing operand", WISP_OP_ADD, FIELD(view[1].buffer), 0, 0},
    {"missing output", WISP_OP_ADD, FIELD(view[0].buffer), 0, 0},
    {"unknown buffer", WISP_OP_ADD, FIELD(view[1].buffer), 99, 0},
    {"largest buffer number", WISP_OP_ADD, FIELD(view[1].buffer), UINT32_MAX, 0},
    {"unknown type", WISP_OP_ADD, FIELD(view[1].type), 77, U},
    {"wrong type", WISP_OP_ADD, FIELD(view[1].type), WISP_I32, 0},
    {"integer weights", WISP_OP_MATMUL, FIELD(view[2].type), WISP_I32, 0},
    {"weights of doubles", WISP_OP_GET_ROWS, FIELD(view[1].type), WISP_F64, 0},
    {"quantized cache", WISP_OP_KV_WRITE, FIELD(view[0].type), WISP_Q8_0, 0},
    {"float indices", WISP_OP_GET_ROWS, FIELD(view[2].type), WISP_F32, 0},
    {"misaligned offset", WISP_OP_ADD, FIELD(view[1].offset), 2, 0},
    {"misaligned doubles", WISP_OP_ROPE_TABLE, FIELD(view[2].offset), 4, 0},
    {"misaligned packed weights", WISP_OP_MATMUL, FIELD(view[2].offset), 32, 0},
    {"misaligned stride", WISP_OP_ADD, FIELD(view[1].stride), 130, 0},
    {"stride below a row", WISP_OP_ADD, FIELD(view[1].stride), 124, 0},
    {"stride of zero", WISP_OP_ADD, FIELD(view[1].stride), 0, 0},
    {"stride that overflows", WISP_OP_ADD, FIELD(view[1].stride), UINT64_MAX - 3, 0},
    {"stride that wraps to small", WISP_OP_ADD, FIELD(view[1].stride), (uint64_t)1 << 63, 0},
    {"packed weights with a stride", WISP_OP_MATMUL, FIELD(view[2].stride), 64, 0},
    {"offset at the end", WISP_OP_ADD, FIELD(view[1].offset), SIZE, 0},
    {"one element too far", WISP_OP_ADD, FIELD(view[1].offset), SIZE - 380, 0},
    {"offset that overflows", WISP_OP_ADD, FIELD(view[1].offset), UINT64_MAX - 3, 0},
    {"packed weights past the end", WISP_OP_MATMUL, FIELD(view[2].offset), SIZE - 576, 0},
    {"more rows than bytes", WISP_OP_GET_ROWS, FIELD(view[1].rows), 4000, 0},
    {"rows without end", WISP_OP_GET_ROWS, FIELD(view[1].rows), UINT32_MAX, 0},
    {"packed rows without end", WISP_OP_MATMUL, FIELD(view[2].rows), UINT32_MAX, 0},
    {"columns not whole blocks", WISP_OP_GET_ROWS, FIELD(view[1].cols), 33, 0},
    {"rows disagree", WISP_OP_ADD, FIELD(view[2].rows), 2, 0},
    {"columns disagree", WISP_OP_ADD, FIELD(view[2].cols), 31, 0},
    {"no columns", WISP_OP_ADD, FIELD(view[0].cols), 0, 0},
    {"no weights", WISP_OP_GET_ROWS, FIELD(view[1].rows), 0, 0},
    {"norm of two rows", WISP_OP_RMS_NORM, FIELD(view[2].rows), 2, 0},
    {"bias of another size", WISP_OP_MATMUL, FIELD(view[3].cols), 19, 0},
    {"weights for another input", WISP_OP_MATMUL, FIELD(view[2].cols), 64, 0},
    {"output of another size", WISP_OP_MATMUL, FIELD(view[0].cols), 21, 0},
    {"two columns of argmax", WISP_OP_ARGMAX, FIELD(view[0].cols), 2, 0},
    {"table for other frequencies", WISP_OP_ROPE_TABLE, FIELD(view[2].cols), 3, 0},
    {"no heads", WISP_OP_ROPE, FIELD(param[0]), 0, 0},
    {"heads that do not divide", WISP_OP_ROPE, FIELD(param[0]), 5, 0},
    {"more heads than elements", WISP_OP_ROPE, FIELD(param[0]), 33, 0},
    {"more angles than pairs", WISP_OP_ROPE, FIELD(param[0]), 8, 0},
    {"unknown pairing", WISP_OP_ROPE, FIELD(param[1]), 2, 0},
    {"kv heads of another size", WISP_OP_KV_WRITE, FIELD(param[0]), 4, 0},
    {"no kv heads", WISP_OP_KV_WRITE, FIELD(param[0]), 0, 0},
    {"cache of no whole pages", WISP_OP_KV_WRITE, FIELD(view[0].rows), 3 * 2 * 64 - 1, 0},
    {"cache of one page", WISP_OP_KV_WRITE, FIELD(view[0].rows), 2 * 64, 0},
    {"page table of one page", WISP_OP_KV_WRITE, FIELD(view[4].cols), 1, 0},
    {"page table of one sequence", WISP_OP_KV_WRITE, FIELD(view[4].rows), 1, 0},
    {"attention without kv heads", WISP_OP_ATTENTION, FIELD(param[1]), 0, 0},
    {"kv heads that do not divide", WISP_OP_ATTENTION, FIELD(param[1]), 3, 0},
    {"more kv heads than pages", WISP_OP_ATTENTION, FIELD(param[1]), 4, 0},
    {"attention of no heads", WISP_OP_ATTENTION, FIELD(param[0]), 0, 0},
    {"keys and values differ", WISP_OP_ATTENTION, FIELD(view[2].type), WISP_F32, 0},
    {"one token's position missing", WISP_OP_ATTENTION, FIELD(view[4].cols), 2, 0},
};

static void remember(fixture *f)
{
    for (int i = 0; i < BUFFERS; i++)
        get(f, i, f->before[i], SIZE);
}

static int untouched(fixture *f)
{
    static uint8_t now[SIZE];
    for (int i = 0; i < BUFFERS; i++) {
        get(f, i, now, SIZE);
        if (memcmp(now, f->before[i], SIZE) != 0) return 0;
    }
    return 1;
}

/* A wrong command after a good one: refused, and the good one has not run either. */
static void refused(fixture *f, const char *what, const wisp_cmd *bad, wisp_status status)
{
    wisp_report report;
    wisp_cmd list[2] = {good(f, WISP_OP_ADD), *bad};
    list[0].view[0].offset = SIZE / 2;
    remember(f);
    const wisp_status got = submit(f, list, 2, &report);
    if (got != status) print_error("%s: status %d, not %d: %s\n", what, got, status, report.text);
    assert_int_equal(got, status);
    assert_int_equal(report.status, status);
    assert_true(strncmp(report.text, "command 1 (", 11) == 0);
    assert_true(untouched(f));
}

static void wrong_commands_are_refused(void **state)
{
    fixture *f = *state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        const wrong *w = &wrongs[i];
        wisp_cmd c = good(f, w->op);
        memcpy((char *)&c + w->offset, &w->value, w->size);
        refused(f, w->what, &c, w->status ? w->status : WISP_E_INPUT);
    }
}

static void overlaps_are_refused(void **state)
{
    fixture *f = *state;
    wisp_report report;
    wisp_cmd c = good(f, WISP_OP_ADD);
    c.view[0] = c.view[1]; /* in place: allowed for a */
    assert_int_equal(submit(f, &c, 1, &report), WISP_OK);
    c = good(f, WISP_OP_ADD);
    c.view[0] = c.view[2];
    refused(f, "output over b", &c, WISP_E_INPUT);
    c.view[0] = c.view[1];
    c.view[0].offset += 4;
    refused(f, "output shifted over a", &c, WISP_E_INPUT);
    c = good(f, WISP_OP_MATMUL);
    c.view[0].buffer = f->h[X];
    refused(f, "product over its input", &c, WISP_E_INPUT);
    c.view[0].offset = 2 * 128 + 124;
    refused(f, "product over the last element", &c, WISP_E_INPUT);
    c.view[0].offset = 3 * 128;
    assert_int_equal(submit(f, &c, 1, &report), WISP_OK);
    c = good(f, WISP_OP_SILU_MUL); /* columns of the same rows do not overlap */
    c.view[0] = c.view[1];
    c.view[2] = c.view[1];
    for (int i = 0; i < 3; i++)
        c.view[i].stride = 256;
    c.view[2].offset = 128;
    assert_int_equal(submit(f, &c, 1, &report), WISP_OK);
    c.view[2].offset = 124;
    refused(f, "columns that overlap", &c, WISP_E_INPUT);
    c.view[2].offset = 132;
    refused(f, "columns that overlap around the stride", &c, WISP_E_INPUT);
    c = good(f, WISP_OP_ADD);
    c.view[0].buffer = f->h[W];
    refused(f, "weights as output", &c, WISP_E_INPUT);
}

/* A mapped file may change between the check of an index and its use, so no index lies there. */
static void indices_do_not_lie_in_weights(void **state)
{
    fixture *f = *state;
    static const struct {
        uint32_t op;
        int view;
    } cases[] = {{WISP_OP_GET_ROWS, 2},  {WISP_OP_KV_WRITE, 2},  {WISP_OP_KV_WRITE, 3}, {WISP_OP_KV_WRITE, 4},
                 {WISP_OP_ATTENTION, 4}, {WISP_OP_ATTENTION, 5}, {WISP_OP_ATTENTION, 6}};
    /* zeros are valid indices everywhere, so only their place is wrong */
    static const uint8_t zeros[SIZE] __attribute__((aligned(64)));
    assert_int_equal(tensor_add_weights(f->d, 1, zeros, sizeof zeros, NULL), WISP_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wisp_cmd c = good(f, cases[i].op);
        c.view[cases[i].view].buffer = tensor_weights(f->d, 1);
        c.view[cases[i].view].offset = 0;
        refused(f, "indices in weights", &c, WISP_E_INPUT);
    }
}

static void an_interrupted_device_runs_nothing(void **state)
{
    fixture *f = *state;
    wisp_report report = {0};
    wisp_cmd c = good(f, WISP_OP_ATTENTION);
    tensor_interrupt(f->d);
    assert_int_equal(submit(f, &c, 1, &report), WISP_E_CANCELLED);
}

static void indices_are_checked(void **state)
{
    static const struct {
        const char *what;
        uint32_t op;
        int buffer, element;
        int32_t value;
    } cases[] = {
        {"row past the end", WISP_OP_GET_ROWS, IDS, 2, 5},
        {"negative row", WISP_OP_GET_ROWS, IDS, 0, -1},
        {"lowest row", WISP_OP_GET_ROWS, IDS, 1, INT32_MIN},
        {"negative position", WISP_OP_KV_WRITE, POS, 1, -1},
        {"position past the table", WISP_OP_KV_WRITE, POS, 1, 128},
        {"largest position", WISP_OP_ATTENTION, POS, 0, INT32_MAX},
        {"sequence past the table", WISP_OP_KV_WRITE, SEQ, 0, 2},
        {"negative sequence", WISP_OP_ATTENTION, SEQ, 0, -1},
        {"page past the cache", WISP_OP_KV_WRITE, TABLE, 2, 3},
        {"negative page", WISP_OP_ATTENTION, TABLE, 3, -1},
        {"page that is only read", WISP_OP_ATTENTION, TABLE, 0, 3},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wisp_report report = {0};
        int32_t old, value = cases[i].value;
        const uint64_t at = (uint64_t)cases[i].element * 4;
        must(tensor_read(f->d, f->h[cases[i].buffer], at, &old, 4, &report), &report);
        must(tensor_write(f->d, f->h[cases[i].buffer], at, &value, 4, &report), &report);
        wisp_cmd c = good(f, cases[i].op);
        refused(f, cases[i].what, &c, WISP_E_INPUT);
        must(tensor_write(f->d, f->h[cases[i].buffer], at, &old, 4, &report), &report);
        assert_int_equal(submit(f, &c, 1, &report), WISP_OK);
    }
}

/* A page that a sequence does not reach need not exist. */
static void unused_pages_may_be_anything(void **state)
{
    fixture *f = *state;
    wisp_report report;
    const int32_t pos[N] = {0, 1, 63}, table[2][2] = {{1, -1}, {2, 999}};
    put(f, POS, pos, sizeof pos);
    put(f, TABLE, table, sizeof table);
    wisp_cmd c = good(f, WISP_OP_ATTENTION);
    must(submit(f, &c, 1, &report), &report);
}

static void written_indices_are_refused(void **state)
{
    static const int buffers[] = {POS, SEQ, TABLE, IDS};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        for (int before = 0; before < 2; before++) {
            wisp_report report;
            wisp_cmd list[2] = {good(f, buffers[i] == IDS ? WISP_OP_GET_ROWS : WISP_OP_ATTENTION),
                                good(f, WISP_OP_ARGMAX)};
            list[1].view[0].buffer = f->h[buffers[i]];
            list[1].view[0].offset = SIZE / 2; /* also when it writes elsewhere in the buffer */
            if (before) {
                const wisp_cmd first = list[0];
                list[0] = list[1];
                list[1] = first;
            }
            remember(f);
            assert_int_equal(submit(f, list, 2, &report), WISP_E_INPUT);
            assert_true(untouched(f));
        }
}

static void zero_tokens_do_nothing(void **state)
{
    fixture *f = *state;
    wisp_report report;
    remember(f);
    for (uint32_t op = WISP_OP_GET_ROWS; op <= WISP_OP_ARGMAX; op++) {
        wisp_cmd c = good(f, op);
        for (int i = 0; i < WISP_CMD_VIEWS; i++) {
            if (c.view[i].rows == N) c.view[i].rows = 0;
            if (c.view[i].cols == N) c.view[i].cols = 0;
        }
        must(submit(f, &c, 1, &report), &report);
    }
    assert_true(untouched(f));
}

static void buffers_and_limits(void **state)
{
    fixture *f = *state;
    wisp_report report = {0};
    uint8_t byte = 7;
    const uint64_t used = f->budget.used;
    assert_int_equal(tensor_alloc(f->d, f->budget.limit), 0);
    assert_int_equal(tensor_alloc(f->d, UINT64_MAX), 0);
    assert_int_equal(f->budget.used, used);
    uint32_t h = tensor_alloc(f->d, 100), zero = tensor_alloc(f->d, 0);
    assert_true(h && zero && f->budget.used > used + 100);
    assert_int_equal(tensor_read(f->d, h, 99, &byte, 1, &report), WISP_OK);
    assert_int_equal(byte, 0);
    assert_int_equal(tensor_read(f->d, h, 100, &byte, 1, &report), WISP_E_INPUT);
    assert_int_equal(tensor_read(f->d, h, UINT64_MAX, &byte, 1, NULL), WISP_E_INPUT);
    assert_int_equal(tensor_write(f->d, h, 1, &byte, UINT64_MAX, NULL), WISP_E_INPUT);
    assert_int_equal(tensor_write(f->d, zero, 0, &byte, 0, NULL), WISP_OK);
    assert_int_equal(tensor_write(f->d, zero, 0, &byte, 1, NULL), WISP_E_INPUT);
    assert_int_equal(tensor_write(f->d, f->h[W], 0, &byte, 1, NULL), WISP_E_INPUT);
    assert_int_equal(tensor_write(f->d, 0, 0, &byte, 1, NULL), WISP_E_INPUT);
    tensor_free(f->d, h);
    tensor_free(f->d, h);
    tensor_free(f->d, zero);
    tensor_free(f->d, f->h[W]);
    tensor_free(f->d, 12345);
    assert_int_equal(f->budget.used, used);
    assert_int_equal(tensor_read(f->d, h, 0, &byte, 1, NULL), WISP_E_INPUT);
    assert_int_equal(tensor_weights(f->d, 0), f->h[W]);
    assert_int_equal(tensor_weights(f->d, 1), 0);
    assert_int_equal(tensor_add_weights(f->d, 0, f->weights, 64, NULL), WISP_E_USAGE);
    assert_int_equal(tensor_add_weights(f->d, 1, f->weights + 1, 64, NULL), WISP_E_USAGE);
    assert_int_equal(tensor_caps(f->d, WISP_CAPS_ABI), WISP_DEV_ABI);
    assert_int_equal(tensor_caps(f->d, WISP_CAPS_THREADS), 1);
    assert_true(tensor_caps(f->d, WISP_CAPS_FLAGS) & WISP_CAPS_FLAG_EXACT);
    assert_int_equal(tensor_caps(f->d, WISP_CAPS_TYPE + WISP_Q6_K_R16), 1);
    assert_int_equal(tensor_caps(f->d, WISP_CAPS_TYPE + WISP_I32), 0);
    assert_int_equal(tensor_caps(f->d, WISP_CAPS_OP + 0), 0);
    assert_int_equal(tensor_caps(f->d, 0xffffffff), 0);
}

/* Buffers without end stop at the table's size, not at the machine's memory. */
static void many_buffers(void **state)
{
    fixture *f = *state;
    uint32_t count = 0;
    f->budget.limit = UINT64_MAX;
    while (count < 1 << 17 && tensor_alloc(f->d, 0))
        count++;
    assert_true(count < 1 << 17);
}

static void scratch_is_charged(void **state)
{
    fixture *f = *state;
    wisp_report report;
    wisp_cmd c = good(f, WISP_OP_MATMUL);
    f->budget.limit = f->budget.used;
    remember(f);
    assert_int_equal(submit(f, &c, 1, &report), WISP_E_LIMIT);
    assert_true(untouched(f));
    f->budget.limit += 1 << 20;
    assert_int_equal(submit(f, &c, 1, &report), WISP_OK);
    const uint64_t used = f->budget.used;
    assert_int_equal(submit(f, &c, 1, &report), WISP_OK); /* nothing more in the steady state */
    assert_int_equal(f->budget.used, used);
}

static void failing_allocation(void **state)
{
    fixture *f = *state;
    wisp_report report;
    wisp_cmd c = good(f, WISP_OP_MATMUL);
    remember(f);
    for (long n = 0; n < 2; n++) {
        base_mem_fail_after(n);
        assert_int_equal(submit(f, &c, 1, &report), WISP_E_MEMORY);
        base_mem_fail_after(-1);
        assert_true(untouched(f));
    }
    base_mem_fail_after(0);
    assert_int_equal(tensor_alloc(f->d, 64), 0);
    base_mem_fail_after(-1);
    assert_int_equal(submit(f, &c, 1, &report), WISP_OK);
}

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
    c = good(f, WISP_OP_SILU_MUL);
    must(submit(f, &c, 1, &report), &report);
    get(f, Y, y, sizeof y);
    for (int i = 0; i < N * 32; i++) {
        const double want = x[i] / (1 + exp(-(double)x[i]));
        assert_true(fabs(y[i] - want) <= 3e-7 * fabs(want) + 1e-37);
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

/* ---- layouts ---- */
static void packing_is_reversible(void **state)
{
    static const uint32_t types[] = {WISP_Q4_0, WISP_Q8_0, WISP_Q4_K,   WISP_Q6_K,   WISP_Q4_1, WISP_Q5_0,
                                     WISP_Q5_1, WISP_Q5_K, WISP_IQ4_NL, WISP_IQ4_XS, WISP_MXFP4};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (uint32_t count = 1; count <= 16; count += 5)
            for (uint32_t blocks = 1; blocks <= 5; blocks++) {
                const tensor_type_info *info = tensor_type_find(types[i]);
                const uint64_t cols = (uint64_t)blocks * info->block;
                uint64_t row, packed;
                assert_true(tensor_row_bytes(types[i], cols, &row));
                assert_true(tensor_matrix_bytes(info->packed, count, cols, &packed));
                assert_int_equal(packed, tensor_group_bytes(info->packed, cols));
                uint8_t *in = malloc(row * count), *out = malloc(packed), *back = malloc(row * count);
                for (uint64_t j = 0; j < row * count; j++)
                    in[j] = (uint8_t)random32();
                tensor_pack_group(info->packed, in, count, cols, out);
                tensor_unpack_group(info->packed, out, count, cols, back);
                assert_memory_equal(in, back, row * count);
                free(in);
                free(out);
                free(back);
            }
}

static void sizes_do_not_overflow(void **state)
{
    uint64_t bytes;
    (void)state;
    assert_true(tensor_matrix_bytes(WISP_Q4_0_R16, 17, 96, &bytes) && bytes == 2 * (576 + 320));
    assert_true(tensor_matrix_bytes(WISP_Q8_0_R16, 16, 64, &bytes) && bytes == 1088);
    assert_true(tensor_matrix_bytes(WISP_Q4_K_R16, 1, 256, &bytes) && bytes == 2368);
    assert_true(tensor_matrix_bytes(WISP_Q6_K_R16, 16, 512, &bytes) && bytes == 2 * 3392);
    assert_false(tensor_matrix_bytes(WISP_Q4_0_R16, 16, 33, &bytes));
    assert_false(tensor_matrix_bytes(WISP_Q8_0_R16, UINT64_MAX, 1u << 20, &bytes));
    assert_false(tensor_matrix_bytes(WISP_Q8_0_R16, 16, UINT64_MAX - 31, &bytes));
    assert_false(tensor_matrix_bytes(WISP_F32, UINT64_MAX / 2, 4, &bytes));
    assert_false(tensor_row_bytes(WISP_F64, UINT64_MAX / 4, &bytes));
    assert_false(tensor_matrix_bytes(4, 1, 32, &bytes));
    assert_null(tensor_type_find(12345));
}

/* ---- the program's bytes ---- */
static program small_program(program_buffer *buffers, wisp_cmd *cmd)
{
    buffers[0] = (program_buffer){.role = PROGRAM_ROLE_TOKEN_IDS, .per_token = 4};
    buffers[1] = (program_buffer){.role = PROGRAM_ROLE_SCRATCH, .fixed = 64, .per_page = 3, .per_seq_page = 4};
    buffers[2] = (program_buffer){.role = PROGRAM_ROLE_WEIGHTS, .index = 1, .per_output = 8};
    *cmd = (wisp_cmd){.op = WISP_OP_ADD, .view = {{.buffer = 3, .rows = PROGRAM_TOKENS, .cols = 8}}};
    return (program){1000, 2048, 64, 3, 2, 3, 1, buffers, cmd};
}

static void program_round_trip(void **state)
{
    (void)state;
    program_buffer buffers[3];
    wisp_cmd cmd;
    program p = small_program(buffers, &cmd), q;
    base_buffer bytes = {0};
    wisp_report report = {0};
    program_write(&bytes, &p);
    must(program_read(&q, (base_span){bytes.data, bytes.size}, &report), &report);
    assert_int_equal(q.vocab_size, 1000);
    assert_int_equal(q.kv_heads, 2);
    assert_memory_equal(q.buffers, buffers, sizeof buffers);
    assert_memory_equal(q.cmds, &cmd, sizeof cmd);
    program_fini(&q);
    for (size_t n = 0; n < bytes.size; n++) {
        assert_int_not_equal(program_read(&q, (base_span){bytes.data, n}, NULL), WISP_OK);
        program_fini(&q);
    }
    base_put_u8(&bytes, 0);
    assert_int_not_equal(program_read(&q, (base_span){bytes.data, bytes.size}, NULL), WISP_OK);
    base_mem_fail_after(0);
    assert_int_equal(program_read(&q, (base_span){bytes.data, bytes.size - 1}, NULL), WISP_E_MEMORY);
    base_mem_fail_after(-1);
    base_buffer_fini(&bytes);
}

static void hostile_programs_are_refused(void **state)
{
    static const struct {
        size_t offset;
        uint32_t value;
    } cases[] = {
        {0, 2},          /* version */
        {4, 0},          /* no vocabulary */
        {4, 0x80000000}, /* ids are i32 */
        {8, 0},          /* no context */
        {20, 0},         /* no kv heads */
        {24, 4},         /* counts that the size does not bear out */
        {24, UINT32_MAX},
        {28, UINT32_MAX},
        {32, PROGRAM_ROLE_COUNT},                 /* role */
        {32 + 48, PROGRAM_ROLE_TOKEN_IDS},        /* a second one */
        {32 + 12, UINT32_MAX},                    /* size term */
        {32 + 144, 0},                            /* op */
        {32 + 144 + 4, 1},                        /* reserved */
        {32 + 144 + 32, 4},                       /* buffer */
        {32 + 144 + 32 + 16, PROGRAM_SYMBOL + 5}, /* symbol */
        {32 + 144 + 32 + 20, UINT32_MAX},
    };
    (void)state;
    program_buffer buffers[3];
    wisp_cmd cmd;
    program p = small_program(buffers, &cmd), q;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        base_buffer bytes = {0};
        wisp_report report = {0};
        program_write(&bytes, &p);
        memcpy(bytes.data + cases[i].offset, &cases[i].value, 4);
        const wisp_status status = program_read(&q, (base_span){bytes.data, bytes.size}, &report);
        if (status == WISP_OK) print_error("case %zu is accepted\n", i);
        assert_int_not_equal(status, WISP_OK);
        assert_null(q.cmds);
        base_buffer_fini(&bytes);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_commands_run),
        TEST(wrong_commands_are_refused),
        TEST(overlaps_are_refused),
        TEST(indices_do_not_lie_in_weights),
        TEST(an_interrupted_device_runs_nothing),
        TEST(indices_are_checked),
        TEST(unused_pages_may_be_anything),
        TEST(written_indices_are_refused),
        TEST(zero_tokens_do_nothing),
        TEST(buffers_and_limits),
        TEST(many_buffers),
        TEST(scratch_is_charged),
        TEST(failing_allocation),
        TEST(matmul_follows_the_page),
        TEST(functions_are_accurate),
        TEST(attention_is_causal_and_normalized),
        TEST(argmax_ties_and_nans),
        cmocka_unit_test(packing_is_reversible),
        cmocka_unit_test(sizes_do_not_overflow),
        cmocka_unit_test(program_round_trip),
        cmocka_unit_test(hostile_programs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
