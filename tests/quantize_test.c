/* Quantizing: errors of every type against what its bits allow, extreme values, mixes, files. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "compile/compile.h"
#include "compile/quantize.h"
#include "compile/quantize_row.h"
#include "model_fixture.h"
#include "tensor/abi.h"
#include "tensor/blocks.h"

enum { COUNT = 4096 };

/* ---- rows ---- */

static float normal(uint64_t *state)
{
    double u[2];
    for (int i = 0; i < 2; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        u[i] = ((double)(*state >> 33) + 0.5) / 2147483648.0;
    }
    return (float)(sqrt(-2 * log(u[0])) * cos(6.283185307179586 * u[1]));
}

/* To the type and back. */
static void there_and_back(uint32_t type, const float *x, const float *importance, float *y)
{
    const compile_gguf_type *info = compile_gguf_type_find(type);
    uint8_t bytes[COUNT * 4];
    quantize_row(type, x, importance, COUNT, bytes);
    assert_true(tensor_dequantize(type, bytes, COUNT, y) && info->block > 1);
}

static double error_of(const float *x, const float *y, const float *w)
{
    double error = 0, all = 0;
    for (int i = 0; i < COUNT; i++) {
        const double weight = w ? (double)w[i] : 1, d = (double)x[i] - (double)y[i];
        error += weight * d * d;
        all += weight * (double)x[i] * (double)x[i];
    }
    return sqrt(error / all);
}

/* Root of the mean square error of normally distributed elements, relative to theirs: what these quantizers reach, and
 * a little. A wrong bit anywhere costs much more. */
static const struct {
    const char *name;
    double most;
} types[] = {
    {"Q4_0", 0.086},   {"Q4_1", 0.075},   {"Q5_0", 0.043},  {"Q5_1", 0.037},  {"Q8_0", 0.0056},
    {"Q2_K", 0.285},   {"Q3_K", 0.153},   {"Q4_K", 0.075},  {"Q5_K", 0.037},  {"Q6_K", 0.0178},
    {"IQ4_NL", 0.078}, {"IQ4_XS", 0.079}, {"TQ1_0", 0.455}, {"TQ2_0", 0.455}, {"MXFP4", 0.117},
};
enum { TYPES = sizeof types / sizeof *types };

static uint32_t number_of(const char *name)
{
    return compile_gguf_type_named(name)->type;
}

static void test_errors(void **state)
{
    (void)state;
    float x[COUNT], y[COUNT], importance[COUNT], better[COUNT];
    uint64_t seed = 1;
    for (int i = 0; i < COUNT; i++) {
        x[i] = 0.02f * normal(&seed);
        importance[i] = i % 16 < 4 ? 100.0f : 1.0f;
    }
    for (size_t i = 0; i < TYPES; i++) {
        const uint32_t type = number_of(types[i].name);
        assert_true(quantize_makes(type));
        there_and_back(type, x, NULL, y);
        const double error = error_of(x, y, NULL);
        print_message("%-8s %.4f\n", types[i].name, error);
        if (!(error <= types[i].most)) fail_msg("%s: error %g, more than %g", types[i].name, error, types[i].most);
        if (type == number_of("Q8_0")) continue; /* takes no importance */
        there_and_back(type, x, importance, better);
        const double weighted = error_of(x, better, importance), without = error_of(x, y, importance);
        if (!(weighted < without)) fail_msg("%s: importance does not help: %g, %g", types[i].name, weighted, without);
    }
}

static void test_extremes(void **state)
{
    (void)state;
    static const float values[] = {0, 1, -1, 1e-45f, -1e-30f, 1e-7f, 65504, -65504, 1e6f, 1e20f, -FLT_MAX, FLT_MAX};
    enum { VALUES = sizeof values / sizeof *values };
    float x[COUNT], y[COUNT];
    for (size_t i = 0; i < TYPES; i++)
        for (int k = 0; k < VALUES * 3; k++) {
            /* all the same; alone among zeros; with what is small and of the other sign */
            for (int n = 0; n < COUNT; n++)
                x[n] = k % 3 == 0 || n % 100 == 3 ? values[k / 3] : k % 3 == 1 ? 0 : -values[k / 3] / 8;
            there_and_back(number_of(types[i].name), x, NULL, y);
            const double most = fabs((double)values[k / 3]);
            for (int n = 0; n < COUNT; n++) {
                const double off = fabs((double)x[n] - (double)y[n]);
                const bool reached = most <= 65504 && most >= 1e-3;
                if (!isfinite(y[n]) || (reached && off > most * 0.6))
                    fail_msg("%s: %g became %g", types[i].name, (double)x[n], (double)y[n]);
            }
        }
}

/* What a type can hold comes back as it was. */
static void test_exact(void **state)
{
    (void)state;
    float x[COUNT], y[COUNT];
    static const char *const ternary[] = {"TQ1_0", "TQ2_0"};
    uint64_t seed = 7;
    for (int i = 0; i < 2; i++) {
        for (int n = 0; n < COUNT; n++)
            x[n] = 0.125f * (float)((int)(fabsf(normal(&seed)) * 100) % 3 - 1);
        there_and_back(number_of(ternary[i]), x, NULL, y);
        assert_memory_equal(x, y, sizeof x);
    }
    for (int n = 0; n < COUNT; n++)
        x[n] = 0.25f * (float)tensor_values_fp4[n % 16];
    there_and_back(number_of("MXFP4"), x, NULL, y);
    for (int n = 0; n < COUNT; n++)
        assert_true(x[n] == y[n]);
    for (int n = 0; n < COUNT; n++)
        x[n] = 0.5f * (float)tensor_values_iq4[n % 16];
    there_and_back(number_of("IQ4_NL"), x, NULL, y);
    assert_memory_equal(x, y, sizeof x);
    for (int n = 0; n < COUNT; n++)
        x[n] = (float)(n % 16) * 0.5f - 3;
    there_and_back(number_of("Q4_1"), x, NULL, y);
    assert_memory_equal(x, y, sizeof x);
}

static void test_plain(void **state)
{
    (void)state;
    /* F16: ties to even, subnormals, the largest value instead of infinity */
    static const struct {
        float v;
        uint16_t f16, bf16;
    } cases[] = {{1, 0x3c00, 0x3f80},
                 {-2, 0xc000, 0xc000},
                 {1.00048828125f, 0x3c00, 0x3f80},
                 {1.00146484375f, 0x3c02, 0x3f80},
                 {65504, 0x7bff, 0x4780},
                 {65536, 0x7bff, 0x4780},
                 {0x1p-24f, 0x0001, 0x3380},
                 {0x1p-25f, 0x0000, 0x3300},
                 {0x1.8p-24f, 0x0002, 0x33c0},
                 {FLT_MAX, 0x7bff, 0x7f7f},
                 {1.01171875f, 0x3c0c, 0x3f82},
                 {-0.0f, 0x8000, 0x8000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint16_t f16, bf16;
        quantize_row(1, &cases[i].v, NULL, 1, &f16);
        quantize_row(30, &cases[i].v, NULL, 1, &bf16);
        if (f16 != cases[i].f16 || bf16 != cases[i].bf16)
            fail_msg("%g: %04x %04x, not %04x %04x", (double)cases[i].v, f16, bf16, cases[i].f16, cases[i].bf16);
    }
    for (uint32_t h = 0; h < 0x10000; h++) {
        const float v = tensor_half_to_float((uint16_t)h);
        uint16_t back;
        if (!isfinite(v)) continue;
        quantize_row(1, &v, NULL, 1, &back);
        assert_int_equal(back, h);
    }
}

/* ---- mixes ---- */

static void more_experts(fixture_gguf *g)
{
    fixture_u32(g, "llama.expert_count", 8);
}

/* Checks "TENSOR=TYPE …". */
static void check_mix(const fixture_llama *model, quantize_choice choice, const char *expected)
{
    base_buffer file = fixture_model(model);
    compile_gguf g;
    wisp_report report = {0};
    const quantize_mix *mix;
    assert_int_equal(compile_gguf_open(&g, fixture_span(&file), file.size, &report), WISP_OK);
    uint32_t *got = calloc(g.tensor_count, sizeof *got);
    if (quantize_choose(&g, &choice, got, &mix, &report) != WISP_OK) fail_msg("%s: %s", choice.type, report.text);
    char copy[1024], *rest = copy;
    snprintf(copy, sizeof copy, "%s", expected);
    for (char *pair; (pair = strsep(&rest, " "));) {
        char *type = strchr(pair, '=') + 1;
        type[-1] = 0;
        const compile_gguf_tensor *t = compile_gguf_find_tensor(&g, pair);
        assert_non_null(t);
        const char *name = compile_gguf_type_find(got[t - g.tensors])->name;
        if (strcmp(name, type) != 0) fail_msg("%s: %s is %s, not %s", choice.type, pair, name, type);
    }
    free(got);
    compile_gguf_close(&g);
    base_buffer_fini(&file);
}

#define PURE(name) ((quantize_choice){.type = name, .pure = true})
#define MIX(name) ((quantize_choice){.type = name})

static void test_mixes(void **state)
{
    (void)state;
    const fixture_llama wide = {
        .matrix_type = 1, .width = 256, .ff_width = 256, .heads = 8, .kv_heads = 4, .blocks = 16, .vocab = 300};
    check_mix(&wide, MIX("Q4_K_M"),
              "output.weight=Q6_K token_embd.weight=Q4_K output_norm.weight=F32 blk.0.attn_v.weight=Q6_K "
              "blk.1.attn_v.weight=Q6_K blk.2.attn_v.weight=Q4_K blk.4.ffn_down.weight=Q6_K blk.5.ffn_down.weight=Q4_K "
              "blk.14.ffn_down.weight=Q6_K blk.13.attn_q.weight=Q4_K blk.0.ffn_up.weight=Q4_K");
    check_mix(
        &wide, MIX("q4_k_s"),
        "blk.3.attn_v.weight=Q5_K blk.4.attn_v.weight=Q4_K blk.1.ffn_down.weight=Q5_K blk.2.ffn_down.weight=Q4_K");
    check_mix(&wide, MIX("Q3_K"),
              "blk.1.attn_v.weight=Q5_K blk.2.attn_v.weight=Q4_K blk.0.ffn_down.weight=Q5_K blk.1.ffn_down.weight=Q4_K "
              "blk.9.attn_output.weight=Q4_K blk.9.attn_q.weight=Q3_K");
    check_mix(&wide, MIX("Q2_K"), "blk.9.attn_v.weight=Q3_K blk.9.ffn_down.weight=Q3_K blk.9.attn_output.weight=Q3_K");
    check_mix(&wide, MIX("Q8_0"), "output.weight=Q8_0 blk.9.attn_v.weight=Q8_0 blk.9.attn_norm.weight=F32");
    check_mix(&wide, MIX("IQ4_XS"), "blk.0.ffn_down.weight=Q5_K blk.2.ffn_down.weight=IQ4_XS output.weight=Q6_K");
    check_mix(&wide, MIX("TQ1_0"), "token_embd.weight=Q4_K blk.0.ffn_down.weight=TQ1_0 output.weight=Q6_K");
    check_mix(&wide, PURE("Q4_K_M"), "output.weight=Q4_K blk.0.attn_v.weight=Q4_K output_norm.weight=F32");
    check_mix(&wide, MIX("F16"), "output.weight=F16 blk.0.attn_v.weight=F16 output_norm.weight=F32");
    check_mix(&wide, ((quantize_choice){.type = "Q4_0", .output = "q8_0", .embedding = "F16"}),
              "output.weight=Q8_0 token_embd.weight=F16 blk.0.ffn_down.weight=Q4_0");
    check_mix(&wide, ((quantize_choice){.type = "Q4_0", .has_importance = true}),
              "blk.1.ffn_down.weight=Q4_1 blk.2.ffn_down.weight=Q4_0");
    fixture_llama other = wide;
    other.tied = true;
    check_mix(&other, MIX("Q4_K_M"), "token_embd.weight=Q6_K");
    other.kv_heads = 2; /* four queries a key */
    check_mix(&other, MIX("Q2_K"), "blk.9.attn_v.weight=Q4_K");
    other.more_keys = more_experts;
    check_mix(&other, MIX("Q4_K_M"), "blk.9.attn_v.weight=Q8_0 blk.9.attn_k.weight=Q8_0 blk.9.attn_output.weight=Q5_K");
    const fixture_llama narrow = {.matrix_type = 0, .width = 64, .ff_width = 48, .heads = 4, .kv_heads = 2};
    check_mix(&narrow, MIX("Q4_K_M"), "blk.0.attn_q.weight=Q5_0 output.weight=Q8_0 blk.0.ffn_down.weight=F16");
    check_mix(&narrow, MIX("Q2_K"), "blk.0.attn_q.weight=Q4_0");
    check_mix(&narrow, MIX("IQ4_XS"), "blk.0.attn_q.weight=IQ4_NL");
}

/* ---- files ---- */

static wisp_status quantize_span(base_span file, const quantize_options *options, const char *to, wisp_report *report)
{
    compile_gguf g;
    quantizer *q = NULL;
    assert_int_equal(compile_gguf_open(&g, file, file.size, report), WISP_OK);
    const compile_source source = compile_source_of(&g);
    wisp_status status = quantizer_new(&q, &source, options, report);
    if (status == WISP_OK) status = quantizer_write(q, to, report);
    quantizer_free(q);
    compile_gguf_close(&g);
    return status;
}

static void test_refusals(void **state)
{
    (void)state;
    wisp_report report = {0};
    char path[64];
    snprintf(path, sizeof path, "/tmp/quantize_test.%d.gguf", (int)getpid());
    base_buffer file = fixture_model(&(fixture_llama){.matrix_type = 0});
    quantize_options options = {.choice = MIX("Q9_X")};
    assert_int_equal(quantize_span(fixture_span(&file), &options, path, &report), WISP_E_USAGE);
    assert_non_null(strstr(report.text, "Q4_K_M"));
    options.choice = (quantize_choice){.type = "Q8_0", .output = "I32"};
    report = (wisp_report){0};
    assert_int_equal(quantize_span(fixture_span(&file), &options, path, &report), WISP_E_USAGE);
    /* an infinity in the last matrix (output.weight's first element) */
    compile_gguf g;
    assert_int_equal(compile_gguf_open(&g, fixture_span(&file), file.size, NULL), WISP_OK);
    const compile_gguf_tensor *t = compile_gguf_find_tensor(&g, "output.weight");
    const float infinite = INFINITY;
    memcpy(file.data + t->offset + 5 * 64 * 4, &infinite, 4);
    compile_gguf_close(&g);
    options.choice = MIX("Q8_0");
    report = (wisp_report){0};
    assert_int_equal(quantize_span(fixture_span(&file), &options, path, &report), WISP_E_INPUT);
    assert_non_null(strstr(report.text, "output.weight"));
    assert_non_null(strstr(report.text, "row 5"));
    assert_int_not_equal(access(path, F_OK), 0);
    base_buffer_fini(&file);
    file = fixture_model(&(fixture_llama){.matrix_type = WISP_Q8_0});
    options.choice = MIX("Q4_0");
    report = (wisp_report){0};
    assert_int_equal(quantize_span(fixture_span(&file), &options, path, &report), WISP_E_INPUT);
    assert_non_null(strstr(report.text, "Q8_0"));
    options.again = true;
    report = (wisp_report){0};
    assert_int_equal(quantize_span(fixture_span(&file), &options, path, &report), WISP_OK);
    assert_int_equal(unlink(path), 0);
    base_buffer_fini(&file);
}

/* Every allocation fails once. */
static void test_out_of_memory(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/quantize_test.%d.gguf", (int)getpid());
    base_buffer file = fixture_model(&(fixture_llama){.matrix_type = 1});
    const quantize_options options = {.choice = MIX("Q4_0"), .threads = 1};
    compile_gguf g;
    wisp_status status = WISP_E_MEMORY;
    assert_int_equal(compile_gguf_open(&g, fixture_span(&file), file.size, NULL), WISP_OK);
    const compile_source source = compile_source_of(&g);
    for (long n = 0; status != WISP_OK && n < 1000; n++) {
        quantizer *q = NULL;
        base_mem_fail_after(n);
        status = quantizer_new(&q, &source, &options, NULL);
        if (status == WISP_OK) status = quantizer_write(q, path, NULL);
        quantizer_free(q);
        base_mem_fail_after(-1);
        assert_true(status == WISP_OK || status == WISP_E_MEMORY);
    }
    assert_int_equal(status, WISP_OK);
    assert_int_equal(unlink(path), 0);
    compile_gguf_close(&g);
    base_buffer_fini(&file);
}

/* What is offered can be made; the offer has no gaps. */
static void test_offer(void **state)
{
    (void)state;
    uint32_t count = 0;
    for (const quantize_mix *m; (m = quantize_mix_at(count)); count++) {
        const compile_gguf_type *type = compile_gguf_type_named(m->type_name);
        assert_true(type && quantize_makes(type->type));
    }
    assert_true(count >= 20);
    assert_null(quantize_mix_at(count + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offer),    cmocka_unit_test(test_errors),        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_exact),    cmocka_unit_test(test_plain),         cmocka_unit_test(test_mixes),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
