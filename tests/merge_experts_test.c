/* Old files of mixtures of experts: a matrix an expert becomes a stack, and what does not fit together is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compile/gguf_write.h"
#include "compile/merge_experts.h"

typedef struct given {
    const char *name;
    uint32_t rows; /* of 8 columns */
} given;

/* A file of these tensors; element i of tensor t is 100 t + i. */
static void write_file(base_buffer *out, const given *tensors, size_t count)
{
    gguf_head h;
    gguf_head_init(&h, 32);
    gguf_put_string(&h, "general.architecture", "llama", 5);
    for (size_t t = 0; t < count; t++) {
        const uint64_t shape[4] = {8, tensors[t].rows, 1, 1};
        const base_span name = {(const uint8_t *)tensors[t].name, strlen(tensors[t].name)};
        assert_true(gguf_put_tensor(&h, name, 0, 2, shape));
    }
    gguf_head_write(&h, out);
    gguf_head_fini(&h);
    for (size_t t = 0; t < count; t++) /* 8 columns of 4 bytes: every tensor ends on the alignment */
        for (uint32_t i = 0; i < 8 * tensors[t].rows; i++)
            base_put_f32(out, (float)(100 * t + i));
    assert_false(out->failed);
}

static wisp_status merge(base_buffer *file, compile_gguf *g, compile_source *from, expert_merger **m,
                         const given *tensors, size_t count, wisp_report *report)
{
    write_file(file, tensors, count);
    assert_int_equal(compile_gguf_open(g, (base_span){file->data, file->size}, file->size, report), WISP_OK);
    *from = compile_source_of(g);
    return expert_merger_new(m, from, report);
}

static void check_values(const compile_source *s, const char *name, const float *want, size_t count)
{
    base_span bytes;
    wisp_report report = {0};
    const compile_gguf_tensor *t = compile_gguf_find_tensor(s->gguf, name);
    assert_non_null(t);
    assert_int_equal(s->tensor(s->self, t, &bytes, &report), WISP_OK);
    assert_int_equal(bytes.size, count * sizeof *want);
    assert_memory_equal(bytes.data, want, bytes.size);
}

static void test_stacks(void **state)
{
    (void)state;
    static const given tensors[] = {{"blk.0.ffn_up.1.weight", 1},    {"token_embd.weight", 2},
                                    {"blk.0.ffn_up.0.weight", 1},    {"blk.0.ffn_up.2.weight", 1},
                                    {"blk.10.ffn_down.0.weight", 2}, {"blk.0.ffn_up.weight", 1}};
    float want[24];
    base_buffer file = {0};
    compile_gguf g;
    compile_source from;
    expert_merger *m;
    wisp_report report = {0};
    assert_int_equal(merge(&file, &g, &from, &m, tensors, 6, &report), WISP_OK);
    assert_non_null(m);
    const compile_source s = expert_merger_source(m);
    assert_int_equal(s.gguf->tensor_count, 4);
    const compile_gguf_tensor *up = compile_gguf_find_tensor(s.gguf, "blk.0.ffn_up_exps.weight");
    assert_true(up && up->dims == 3 && up->shape[0] == 8 && up->shape[1] == 1 && up->shape[2] == 3);
    for (int i = 0; i < 24; i++)
        want[i] = (float)((i < 8 ? 200 : i < 16 ? 0 : 300) + i % 8);
    check_values(&s, "blk.0.ffn_up_exps.weight", want, 24);
    for (int i = 0; i < 16; i++)
        want[i] = (float)(100 + i);
    check_values(&s, "token_embd.weight", want, 16);
    for (int i = 0; i < 16; i++)
        want[i] = (float)(400 + i);
    check_values(&s, "blk.10.ffn_down_exps.weight", want, 16);
    assert_null(compile_gguf_find_tensor(s.gguf, "blk.0.ffn_up.0.weight"));
    expert_merger_free(m);
    compile_gguf_close(&g);
    base_buffer_fini(&file);
}

static void test_nothing_to_merge(void **state)
{
    (void)state;
    static const given tensors[] = {{"blk.0.ffn_up_exps.weight", 1}, {"blk.0.ffn_norm.0.weight", 1},
                                    {"blk.0.ffn_up.00.weight", 1},   {"blk.0.ffn_up.0.bias", 1},
                                    {"blk.0.ffn_up.0.weights", 1},   {"blk.4294967296.ffn_up.0.weight", 1},
                                    {"blk.+1.ffn_up.0.weight", 1}};
    base_buffer file = {0};
    compile_gguf g;
    compile_source from;
    expert_merger *m;
    wisp_report report = {0};
    assert_int_equal(merge(&file, &g, &from, &m, tensors, 7, &report), WISP_OK);
    assert_null(m);
    compile_gguf_close(&g);
    base_buffer_fini(&file);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        given tensors[3];
        const char *says;
    } cases[] = {
        {{{"blk.0.ffn_up.0.weight", 1}, {"blk.0.ffn_up.2.weight", 1}, {"x", 1}}, "there is no expert 1"},
        {{{"blk.0.ffn_up.1.weight", 1}, {"y", 1}, {"x", 1}}, "there is no expert 0"},
        {{{"blk.0.ffn_up.0.weight", 1}, {"blk.0.ffn_up.1.weight", 2}, {"x", 1}}, "are not those of expert 0"},
        {{{"blk.0.ffn_up.0.weight", 1}, {"blk.0.ffn_up_exps.weight", 1}, {"x", 1}}, "blk.0.ffn_up_exps.weight"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        base_buffer file = {0};
        compile_gguf g;
        compile_source from;
        expert_merger *m;
        wisp_report report = {0};
        assert_int_equal(merge(&file, &g, &from, &m, cases[i].tensors, 3, &report), WISP_E_INPUT);
        assert_null(m);
        if (!strstr(report.text, cases[i].says)) fail_msg("'%s' does not say '%s'", report.text, cases[i].says);
        compile_gguf_close(&g);
        base_buffer_fini(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stacks),
        cmocka_unit_test(test_nothing_to_merge),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
