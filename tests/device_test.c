/* The tensor device: buffers and limits, every rule of validation with a command that breaks it, packed layouts, the
 * program's bytes. */
#include "device_fixture.h"

static void good_commands_run(void **state)
{
    fixture *f = *state;
    wisp_report report;
    for (uint32_t op = WISP_OP_GET_ROWS; op <= LAST_OP; op++) {
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
    {"unused last parameter", WISP_OP_ROPE, FIELD(param[5]), 1, 0},
    {"unknown mode", WISP_OP_ATTENTION, FIELD(param[5]), WISP_ATTEND_MODES, 0},
    {"chunks of nothing", WISP_OP_ATTENTION, FIELD(param[5]), WISP_ATTEND_CHUNK, 0},
    {"values of another size", WISP_OP_ATTENTION, FIELD(view[3].cols), 4, 0},
    {"unknown activation", WISP_OP_UNARY, FIELD(param[0]), WISP_ACT_SWIGLU_OAI, 0},
    {"unknown gate", WISP_OP_GLU, FIELD(param[0]), WISP_ACT_KINDS, 0},
    {"positions in lengths of 0", WISP_OP_POSITION_SCALE, FIELD(param[2]), 0, 0},
    {"rows that do not go round", WISP_OP_MUL, FIELD(view[2].rows), 2, 0},
    {"more rows to go round than rows", WISP_OP_MUL, FIELD(view[2].rows), 6, 0},
    {"no rows to go round", WISP_OP_MUL, FIELD(view[2].rows), 0, 0},
    {"copy of part of the rows", WISP_OP_COPY, FIELD(view[0].rows), 7, 0},
    {"copy of fewer rows", WISP_OP_COPY, FIELD(view[0].rows), 0, 0},
    {"copy of other columns", WISP_OP_COPY, FIELD(view[0].cols), 16, 0},
    {"scale of two columns", WISP_OP_ROW_SCALE, FIELD(view[2].cols), 2, 0},
    {"more of the largest than there are", WISP_OP_TOPK, FIELD(view[0].cols), 33, 0},
    {"groups of which none is kept", WISP_OP_TOPK, FIELD(param[0]), 4, 0},
    {"kept groups without groups", WISP_OP_TOPK, FIELD(param[1]), 2, 0},
    {"choice as floats", WISP_OP_TOPK, FIELD(view[0].type), WISP_F32, 0},
    {"matrices that are not whole", WISP_OP_MATMUL_ID, FIELD(view[2].rows), 5 * 16 - 1, 0},
    {"packed matrices off their groups", WISP_OP_MATMUL_ID, FIELD(view[0].cols), 8, 0},
    {"no matrices", WISP_OP_MATMUL_ID, FIELD(view[2].rows), 0, 0},
    {"biases of other matrices", WISP_OP_MATMUL_ID, FIELD(view[4].rows), 4, 0},
    {"choices of another number", WISP_OP_MATMUL_ID, FIELD(view[3].cols), 3, 0},
    {"inputs for some of the choices", WISP_OP_MATMUL_ID, FIELD(view[1].rows), 2, 0},
    {"one input", WISP_OP_MATMUL_ID, FIELD(view[1].rows), 1, 0},
    {"choices in weights", WISP_OP_MATMUL_ID, FIELD(view[3].buffer), 1, 0},
    {"results of fewer choices", WISP_OP_COMBINE, FIELD(view[2].rows), 5, 0},
    {"no heads to multiply", WISP_OP_MATMUL_HEADS, FIELD(param[0]), 0, 0},
    {"heads that share no matrix", WISP_OP_MATMUL_HEADS, FIELD(param[0]), 3, 0},
    {"heads off their groups", WISP_OP_MATMUL_HEADS, FIELD(param[0]), 4, 0},
    {"state of fewer taps", WISP_OP_CONV, FIELD(view[4].cols), 2 * 32, 0},
    {"state of one sequence", WISP_OP_CONV, FIELD(view[4].rows), 1, 0},
    {"one tap", WISP_OP_CONV, FIELD(view[2].rows), 1, 0},
    {"integer state", WISP_OP_TOKEN_SHIFT, FIELD(view[2].type), WISP_I32, 0},
    {"state in weights", WISP_OP_TOKEN_SHIFT, FIELD(view[2].buffer), 1, 0},
    {"state over the output", WISP_OP_TOKEN_SHIFT, FIELD(view[2].buffer), 2, 0},
    {"state over the input", WISP_OP_TOKEN_SHIFT, FIELD(view[2].buffer), 3, 0},
    {"channels of another state", WISP_OP_SSM_SCAN, FIELD(view[6].cols), 31 * 5, 0},
    {"groups that do not divide", WISP_OP_SSD_SCAN, FIELD(param[1]), 5, 0},
    {"state of other heads", WISP_OP_SSD_SCAN, FIELD(view[6].cols), 31 * 5, 0},
    {"key heads that do not divide", WISP_OP_DELTA_RULE, FIELD(param[1]), 5, 0},
    {"tiles of two kinds", WISP_OP_DELTA_RULE, FIELD(param[3]), 2, 0},
    {"decays of another number", WISP_OP_DELTA_RULE, FIELD(view[4].cols), 5, 0},
    {"state of another size", WISP_OP_DELTA_RULE, FIELD(view[6].cols), 32 * 4, 0},
    {"matrices of another size", WISP_OP_WKV6, FIELD(view[6].cols), 32 * 7, 0},
    {"heads of another size", WISP_OP_WKV7, FIELD(param[0]), 2, 0},
    {"one row to pool into", WISP_OP_POOL_MEAN, FIELD(view[0].rows), 1, 0},
    {"unused view", WISP_OP_ADD, FIELD(view[3].rows), 1, 0},
    {"unused view's buffer", WISP_OP_ADD, FIELD(view[10].buffer), 2, 0},
    {"absent operand with a shape", WISP_OP_MATMUL, FIELD(view[3].buffer), 0, 0},
    {"missing operand", WISP_OP_ADD, FIELD(view[1].buffer), 0, 0},
    {"missing output", WISP_OP_ADD, FIELD(view[0].buffer), 0, 0},
    {"unknown buffer", WISP_OP_ADD, FIELD(view[1].buffer), 99, 0},
    {"largest buffer number", WISP_OP_ADD, FIELD(view[1].buffer), UINT32_MAX, 0},
    {"unknown type", WISP_OP_ADD, FIELD(view[1].type), 77, U},
    {"wrong type", WISP_OP_ADD, FIELD(view[1].type), WISP_I32, 0},
    {"integer weights", WISP_OP_MATMUL, FIELD(view[2].type), WISP_I32, 0},
    {"weights of doubles", WISP_OP_GET_ROWS, FIELD(view[1].type), WISP_F64, 0},
    {"cache of blocks with minima", WISP_OP_KV_WRITE, FIELD(view[0].type), WISP_Q4_1, 0},
    {"quantized cache of too short rows", WISP_OP_KV_WRITE, FIELD(view[0].type), WISP_Q8_0, 0},
    {"quantized keys beside others", WISP_OP_ATTENTION, FIELD(view[2].type), WISP_Q4_0, 0},
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
    c = good(f, WISP_OP_GLU); /* columns of the same rows do not overlap */
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
        {"sequence past the state", WISP_OP_CONV, SEQ, 1, 2},
        {"negative sequence of a state", WISP_OP_WKV7, SEQ, 2, -1},
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
    for (uint32_t op = WISP_OP_GET_ROWS; op <= LAST_OP; op++) {
        wisp_cmd c = good(f, op);
        for (int i = 0; i < WISP_CMD_VIEWS; i++) {
            if (c.view[i].rows == N || c.view[i].rows == 2 * N) c.view[i].rows = 0;
            if (c.view[i].cols == N) c.view[i].cols = 0;
        }
        must(submit(f, &c, 1, &report), &report);
    }
    float zeros[2 * 32] = {0};
    put(f, Y, zeros, sizeof zeros); /* the mean of no rows */
    memset(f->before[Y], 0, sizeof zeros);
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
    return (program){1000, 2048, 64, 3, 2, 3, 1, PROGRAM_POOL_RANK, PROGRAM_POOL_CLS, 7, 1, buffers, cmd};
}

/* Commands for short and for long contexts, and a cache of 8 elements a row in other types. */
static void program_of_an_instance(void **state)
{
    (void)state;
    static const struct {
        uint32_t context, type, commands;
        uint64_t row;
    } cases[] = {{64, WISP_F16, 3, 16}, {65, WISP_F32, 4, 32}, {64, WISP_Q8_0, 3, 34}, {4096, WISP_Q4_0, 4, 18}};
    const program_buffer buffers[] = {{.role = PROGRAM_ROLE_KV, .per_page = 2 * WISP_KV_PAGE * 16},
                                      {.role = PROGRAM_ROLE_KV, .per_seq = 100}};
    const wisp_view cache = {1, WISP_F16, 0, PROGRAM_SIZE(PROGRAM_SIZE_KV, 2), 8, 16};
    const wisp_cmd cmds[] = {{.op = WISP_OP_KV_WRITE, .view = {cache}},
                             {.op = WISP_OP_ADD, .reserved = PROGRAM_UP_TO | 64},
                             {.op = WISP_OP_MUL, .reserved = PROGRAM_ABOVE | 64},
                             {.op = WISP_OP_MUL, .reserved = PROGRAM_ABOVE | 64},
                             {.op = WISP_OP_ATTENTION, .view = {{0}, {0}, cache, cache}}};
    const program p = {.vocab_size = 1000,
                       .context_length = 2048,
                       .buffer_count = 2,
                       .cmd_count = 5,
                       .buffers = buffers,
                       .cmds = cmds};
    const program_sizes sizes = {
        {[PROGRAM_SIZE_SEQUENCES] = 2, [PROGRAM_SIZE_SEQ_PAGES] = 3, [PROGRAM_SIZE_KV] = 6 * WISP_KV_PAGE}};
    base_buffer bytes = {0};
    wisp_report report = {0};
    program_write(&bytes, &p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        program q;
        must(program_read(&q, (base_span){bytes.data, bytes.size}, &report), &report);
        program_for_context(&q, cases[i].context);
        must(program_set_cache_type(&q, cases[i].type, &report), &report);
        assert_int_equal(q.cmd_count, cases[i].commands);
        assert_int_equal(q.cmds[1].op, cases[i].context > 64 ? WISP_OP_MUL : WISP_OP_ADD);
        assert_int_equal(q.cmds[1].reserved, 0);
        const wisp_view *v = &q.cmds[q.cmd_count - 1].view[3];
        assert_true(v->type == cases[i].type && v->stride == cases[i].row && v->cols == 8);
        assert_int_equal(q.buffers[0].per_page, 2 * WISP_KV_PAGE * cases[i].row);
        assert_int_equal(program_bytes(&q, &sizes), 6 * 2 * WISP_KV_PAGE * cases[i].row + 200);
        program_fini(&q);
    }
    base_buffer_fini(&bytes);
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
    assert_int_equal(q.vector_length, 7);
    assert_int_equal(q.whole, 1);
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
        {0, 1},          /* version */
        {4, 0},          /* no vocabulary */
        {4, 0x80000000}, /* ids are i32 */
        {8, 0},          /* no context */
        {20, 1 << 20},   /* kv heads */
        {24, 4},         /* counts that the size does not bear out */
        {24, UINT32_MAX},
        {28, UINT32_MAX},
        {12, 1 << 25}, /* size of vectors */
        {32, PROGRAM_POOLINGS},
        {36, PROGRAM_POOL_RANK},
        {40, 1 << 25},
        {44, 2},
        {48, PROGRAM_ROLE_COUNT},                                  /* role */
        {48 + 56, PROGRAM_ROLE_TOKEN_IDS},                         /* a second one */
        {48 + 12, UINT32_MAX},                                     /* size term */
        {48 + 168, 0},                                             /* op */
        {48 + 168 + 4, 1},                                         /* reserved */
        {48 + 168 + 32, 4},                                        /* buffer */
        {48 + 168 + 32 + 16, PROGRAM_SIZE(PROGRAM_SIZE_KINDS, 1)}, /* symbol */
        {48 + 168 + 32 + 20, PROGRAM_SIZE(PROGRAM_SIZE_TOKENS, 0)},
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
        cmocka_unit_test(packing_is_reversible),
        cmocka_unit_test(sizes_do_not_overflow),
        cmocka_unit_test(program_round_trip),
        cmocka_unit_test(program_of_an_instance),
        cmocka_unit_test(hostile_programs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
