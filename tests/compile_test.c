/* The compiler: programs that give the reference's logits, files that come back bit for bit, errors that name things.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/model.h"
#include "base/sha256.h"
#include "compile/arch/arch.h"
#include "compile/compile.h"
#include "compile/quantize.h"
#include "model_fixture.h"
#include "os/os.h"
#include "tensor/device.h"
#include "tensor/layout.h"
#include "tensor/program.h"

static base_buffer engine;
static char folder[] = "/tmp/wisp-compile-XXXXXX";

static const quantize_options *quantizing;

static base_buffer packed(base_span model, uint64_t limit)
{
    base_buffer out = {0};
    wisp_report report = {0};
    const compile_options options = {
        .engine = fixture_span(&engine), .engine_version = "0.1", .segment_limit = limit, .quantize = quantizing};
    if (compile_to_memory(&out, model, "dir/model.gguf", &options, &report)) fail_msg("refused: %s", report.text);
    return out;
}

static capsule opened(base_span file)
{
    capsule c;
    wisp_report report = {0};
    if (capsule_open(&c, file, &report)) fail_msg("refused: %s", report.text);
    return c;
}

static void refused(base_buffer *file, wisp_status expected, const char *words)
{
    base_buffer out = {0};
    wisp_report report = {0};
    const compile_options options = {.engine = fixture_span(&engine)};
    wisp_status status = compile_to_memory(&out, fixture_span(file), NULL, &options, &report);
    if (status != expected) fail_msg("status %d: %s", status, report.text);
    if (!strstr(report.text, words)) fail_msg("'%s' does not say '%s'", report.text, words);
    base_buffer_fini(&out);
    base_buffer_fini(file);
}

/* ---- running a program on the device ---- */

enum { TOKENS = 256, PAGES = 16 };
typedef struct runner {
    capsule c;
    program p;
    tensor_device *device;
    uint8_t *weights[8];
    uint32_t *handles, role[PROGRAM_ROLE_COUNT];
    uint32_t length; /* tokens in the cache of the one sequence */
} runner;

static void runner_init(runner *r, base_span file)
{
    wisp_report report = {0};
    base_model_head head;
    *r = (runner){.c = opened(file)};
    assert_int_equal(base_model_read(&head, r->c.segments[0], &report), WISP_OK);
    if (program_read(&r->p, head.section[MODEL_SECTION_PROGRAM], &report)) fail_msg("%s", report.text);
    assert_int_equal(tensor_device_new(&r->device, &(tensor_options){0}, &report), WISP_OK);
    for (uint32_t i = 0; i < r->c.segment_count; i++) {
        r->weights[i] = base_alloc_aligned(64, r->c.segments[i].size);
        memcpy(r->weights[i], r->c.segments[i].data, r->c.segments[i].size);
        assert_int_equal(tensor_add_weights(r->device, i, r->weights[i], r->c.segments[i].size, &report), WISP_OK);
    }
    r->handles = calloc(r->p.buffer_count, sizeof *r->handles);
    for (uint32_t i = 0; i < r->p.buffer_count; i++) {
        const program_buffer *b = &r->p.buffers[i];
        uint64_t bytes =
            b->fixed + b->per_token * TOKENS + b->per_output * TOKENS + b->per_page * PAGES + b->per_seq_page * PAGES;
        bool weights = b->role == PROGRAM_ROLE_WEIGHTS;
        r->handles[i] = weights ? tensor_weights(r->device, b->index) : tensor_alloc(r->device, bytes);
        assert_int_not_equal(r->handles[i], 0);
        r->role[b->role] = r->handles[i];
    }
}

static void runner_fini(runner *r)
{
    tensor_device_free(r->device);
    program_fini(&r->p);
    for (size_t i = 0; i < sizeof r->weights / sizeof *r->weights; i++)
        base_free(r->weights[i]);
    free(r->handles);
    capsule_close(&r->c);
}

static void write_i32(runner *r, program_role role, const int32_t *v, uint32_t count)
{
    assert_int_equal(tensor_write(r->device, r->role[role], 0, v, 4 * (uint64_t)count, NULL), WISP_OK);
}

/* Runs the tokens after those before; logits and argmax of the last one. */
static int32_t step(runner *r, const int32_t *ids, uint32_t tokens, float *logits)
{
    int32_t positions[TOKENS], seqs[TOKENS] = {0}, pages[PAGES], wanted = (int32_t)tokens - 1, best;
    wisp_report report = {0};
    assert_true(tokens <= TOKENS);
    for (uint32_t i = 0; i < tokens; i++)
        positions[i] = (int32_t)(r->length + i);
    for (int i = 0; i < PAGES; i++)
        pages[i] = PAGES - 1 - i;
    write_i32(r, PROGRAM_ROLE_TOKEN_IDS, ids, tokens);
    write_i32(r, PROGRAM_ROLE_POSITIONS, positions, tokens);
    write_i32(r, PROGRAM_ROLE_SEQS, seqs, tokens);
    write_i32(r, PROGRAM_ROLE_PAGES, pages, PAGES);
    write_i32(r, PROGRAM_ROLE_OUT_ROWS, &wanted, 1);
    const program_sizes sizes = {{tokens, 1, 1, PAGES, PAGES * WISP_KV_PAGE}};
    wisp_cmd *cmds = malloc(r->p.cmd_count * sizeof *cmds);
    memcpy(cmds, r->p.cmds, r->p.cmd_count * sizeof *cmds);
    for (uint32_t i = 0; i < r->p.cmd_count; i++)
        for (int k = 0; k < WISP_CMD_VIEWS; k++) {
            wisp_view *v = &cmds[i].view[k];
            if (!v->buffer) continue;
            v->buffer = r->handles[v->buffer - 1];
            if (v->cols >= PROGRAM_SYMBOL) v->stride = program_size(v->cols, &sizes) * 4;
            v->cols = program_size(v->cols, &sizes);
            v->rows = program_size(v->rows, &sizes);
        }
    if (tensor_submit(r->device, cmds, r->p.cmd_count, &report)) fail_msg("%s", report.text);
    free(cmds);
    r->length += tokens;
    assert_int_equal(tensor_read(r->device, r->role[PROGRAM_ROLE_ARGMAX], 0, &best, 4, NULL), WISP_OK);
    assert_int_equal(
        tensor_read(r->device, r->role[PROGRAM_ROLE_LOGITS], 0, logits, 4 * (uint64_t)r->p.vocab_size, NULL), WISP_OK);
    return best;
}

/* ---- against the reference ---- */

static uint32_t read_ids(const base_json *list, int32_t *ids)
{
    uint32_t n = 0;
    assert_non_null(list);
    for (const base_json *e = list->first; e && n < TOKENS; e = e->next) {
        int64_t id;
        assert_true(base_json_int(e, &id));
        ids[n++] = (int32_t)id;
    }
    return n;
}

static double number(const base_json *node)
{
    double v = NAN;
    assert_true(base_json_double(node, &v));
    return v;
}

static void check_prompt(const char *name, base_span file, const base_json *want, double tolerance)
{
    runner r;
    int32_t prompt[TOKENS], greedy[TOKENS];
    runner_init(&r, file);
    uint32_t prompt_count = read_ids(base_json_get(want, "prompt_ids"), prompt);
    uint32_t greedy_count = read_ids(base_json_get(want, "greedy_ids"), greedy);
    float *logits = malloc(4 * (size_t)r.p.vocab_size);
    int32_t best = step(&r, prompt, prompt_count, logits);
    const base_json *first = base_json_get(want, "logits_first32"), *top = base_json_get(want, "top20");
    double worst = 0;
    uint32_t i = 0;
    for (const base_json *e = first->first; e; e = e->next, i++)
        worst = fmax(worst, fabs(number(e) - (double)logits[i]));
    for (const base_json *e = top->first; e; e = e->next)
        worst = fmax(worst, fabs(number(base_json_at(e, 1)) - (double)logits[(int)number(base_json_at(e, 0))]));
    if (!(worst <= tolerance)) fail_msg("%s: logits differ by %g (at most %g)", name, worst, tolerance);
    for (i = 0; i < greedy_count && i < 32; i++) {
        double gap = number(base_json_at(base_json_get(want, "greedy_gaps"), i));
        if (gap < 4 * tolerance) break; /* the reference itself might say otherwise */
        if (best != greedy[i]) fail_msg("%s: token %u is %d, not %d", name, i, best, greedy[i]);
        best = step(&r, &greedy[i], 1, logits);
    }
    print_message("%s: %u prompt tokens, logits within %.2g, %u greedy tokens equal\n", name, prompt_count, worst, i);
    free(logits);
    runner_fini(&r);
}

static void check_model(const char *path, const char *reference, double tolerance)
{
    os_map model, lines;
    if (os_map_file(&model, path, NULL) || os_map_file(&lines, reference, NULL)) {
        print_message("skipped: %s or %s is not there\n", path, reference);
        return;
    }
    base_buffer file = packed((base_span){model.data, model.size}, 0);
    const char *at = (const char *)lines.data, *end = at + lines.size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop ? stop : end) - at);
        base_json_doc *doc;
        const base_json *root;
        if (size < 2) break;
        assert_int_equal(base_json_parse(&doc, &root, at, size, NULL), WISP_OK);
        check_prompt(strrchr(path, '/') + 1, fixture_span(&file), root, tolerance);
        base_json_free(doc);
        at += size + 1;
    }
    base_buffer_fini(&file);
    os_unmap(&model);
    os_unmap(&lines);
}

static const char *shared(const char *name, char out[512])
{
    const char *root = getenv("WISP_SHARED");
    snprintf(out, 512, "%s/models/%s", root ? root : "../shared", name);
    return out;
}

static void logits_of_the_stories(void **state)
{
    (void)state;
    static const struct {
        const char *model, *reference;
        double tolerance;
    } cases[] = {
        {"stories260K-f32.gguf", "stories260K-f32.jsonl", 2e-3},
        {"stories260K-pad192-f32.gguf", "stories260K-pad192-f32.jsonl", 2e-3},
        {"stories260K-f16.gguf", "stories260K-f16.jsonl", 2e-2},
        {"stories260K-pad192-BF16.gguf", "stories260K-pad192-BF16.dequant.jsonl", 2e-2},
        {"stories260K-pad192-Q8_0.gguf", "stories260K-pad192-Q8_0.dequant.jsonl", 0.4},
        {"stories260K-pad192-Q4_0.gguf", "stories260K-pad192-Q4_0.dequant.jsonl", 0.4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char model[512], reference[512], name[128];
        snprintf(name, sizeof name, "stories/%s", cases[i].model);
        shared(name, model);
        snprintf(name, sizeof name, "stories/%s", cases[i].reference);
        check_model(model, shared(name, reference), cases[i].tolerance);
    }
}

static void logits_of_quantized_types(void **state)
{
    (void)state;
    static const char *const types[] = {"Q4_0", "Q8_0", "Q4_K", "Q6_K"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char model[512], reference[512], name[128];
        snprintf(name, sizeof name, "quants/llama-%s.gguf", types[i]);
        shared(name, model);
        snprintf(name, sizeof name, "quants/llama-%s.dequant.jsonl", types[i]);
        check_model(model, shared(name, reference), 0.4);
    }
}

/* Tied embeddings, and the frequencies of Llama 3; made by a script that wants numpy. */
static void logits_of_the_family(void **state)
{
    (void)state;
    static const char *const names[] = {"llama", "llama-tied", "llama3-ropefreqs"};
    char script[512], command[1200];
    snprintf(command, sizeof command,
             "/usr/bin/python3 %s --type f32 %s llama llama-tied llama3-ropefreqs >/dev/null 2>&1",
             shared("arch/expand.py", script), folder);
    if (system(command) != 0) {
        print_message("skipped: expand.py is not there, or numpy is not\n");
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char model[512], reference[512], name[128];
        snprintf(model, sizeof model, "%s/%s-f32.gguf", folder, names[i]);
        snprintf(name, sizeof name, "arch/%s.f32.jsonl", names[i]);
        check_model(model, shared(name, reference), 2e-3);
        unlink(model);
    }
}

/* A prompt in one step or token by token, weights in one segment or in three: the same bits. */
static void the_split_does_not_matter(void **state)
{
    (void)state;
    static const int32_t ids[] = {1, 5, 270, 33, 290, 8, 100, 299};
    static float whole[300], single[300], spread[300];
    base_buffer model = fixture_model(&(fixture_llama){.matrix_type = 2, .biases = true});
    base_buffer one = packed(fixture_span(&model), 0), three = packed(fixture_span(&model), 50000);
    runner r;
    runner_init(&r, fixture_span(&one));
    step(&r, ids, 8, whole);
    runner_fini(&r);
    runner_init(&r, fixture_span(&one));
    for (int i = 0; i < 8; i++)
        step(&r, ids + i, 1, single);
    runner_fini(&r);
    assert_memory_equal(whole, single, sizeof whole);
    runner_init(&r, fixture_span(&three));
    assert_true(r.c.segment_count > 1);
    step(&r, ids, 8, spread);
    runner_fini(&r);
    assert_memory_equal(whole, spread, sizeof whole);
    base_buffer_fini(&one);
    base_buffer_fini(&three);
    base_buffer_fini(&model);
}

/* ---- files ---- */

static void write_file(const char *path, const base_buffer *b)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, b->size, f), b->size);
    fclose(f);
}

static unsigned files_in(const char *path)
{
    unsigned count = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        count += e->d_name[0] != '.' || strlen(e->d_name) > 2;
    closedir(d);
    return count;
}

static const char *in_folder(const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", folder, name);
    return out;
}

static void check_round_trip(const base_buffer *model, uint64_t limit)
{
    char in[256], capsule_path[256], out[256];
    write_file(in_folder("in.gguf", in), model);
    compile_pack_options options = {.input = in, .output = in_folder("x.wasm", capsule_path)};
    options.common = (compile_options){.engine = fixture_span(&engine), .segment_limit = limit};
    compile_result result;
    wisp_report report = {0};
    uint8_t digest[32];
    bool identical = false;
    os_map map, back;
    if (compile_pack(&options, &result, &report)) fail_msg("%s", report.text);
    base_sha256_of(model->data, model->size, digest);
    assert_memory_equal(result.source_sha256, digest, 32);
    assert_int_equal(os_map_file(&map, capsule_path, &report), WISP_OK);
    assert_int_equal(result.output_bytes, map.size);
    capsule c = opened((base_span){map.data, map.size});
    assert_int_equal(capsule_verify_weights(&c, NULL, NULL, &report), WISP_OK);
    assert_memory_equal(c.info.source_sha256, digest, 32);
    if (compile_unpack(&c, in_folder("out.gguf", out), NULL, NULL, &identical, &report)) fail_msg("%s", report.text);
    assert_true(identical);
    assert_int_equal(os_map_file(&back, out, &report), WISP_OK);
    assert_int_equal(back.size, model->size);
    assert_memory_equal(back.data, model->data, back.size);
    os_unmap(&back);
    capsule_close(&c);
    os_unmap(&map);
    unlink(in);
    unlink(capsule_path);
    unlink(out);
    assert_int_equal(files_in(folder), 0);
}

static void files_come_back(void **state)
{
    (void)state;
    const fixture_llama models[] = {
        {.matrix_type = 0},
        {.matrix_type = 1, .vector_type = 1},
        {.matrix_type = 30, .vector_type = 30, .biases = true},
        {.matrix_type = 2, .tied = true},
        {.matrix_type = 2, .rope_freqs = true},
        {.matrix_type = 8, .vocab = 301},
        {.matrix_type = 12, .width = 256, .ff_width = 512},
        {.matrix_type = 14, .width = 256, .ff_width = 256, .tied = true},
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        base_buffer model = fixture_model(&models[i]);
        check_round_trip(&model, 0);
        check_round_trip(&model, 60000);
        base_buffer_fini(&model);
    }
}

static void shared_models_come_back(void **state)
{
    (void)state;
    static const char *const names[] = {"stories/stories260K-f32.gguf",    "stories/stories260K-pad192-Q4_0.gguf",
                                        "quants/llama-Q4_K.gguf",          "quants/llama-Q6_K.gguf",
                                        "vocab/ggml-vocab-llama-spm.gguf", "vocab/ggml-vocab-qwen2.gguf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        os_map m;
        if (os_map_file(&m, shared(names[i], path), NULL)) {
            print_message("skipped: %s is not there\n", path);
            continue;
        }
        base_buffer copy = {0};
        base_put(&copy, m.data, m.size);
        check_round_trip(&copy, 0);
        base_buffer_fini(&copy);
        os_unmap(&m);
    }
}

/* Two tensors after each other in the source may lie far apart in the capsule; types that no op knows are kept too. */
static void unused_tensors_are_kept(void **state)
{
    (void)state;
    base_buffer model = fixture_model(&(fixture_llama){.matrix_type = 2});
    compile_gguf parsed;
    assert_int_equal(compile_gguf_open(&parsed, fixture_span(&model), model.size, NULL), WISP_OK);
    /* the same file with one tensor more: its description before the data, its bytes at the end */
    base_buffer more = {0};
    base_put(&more, model.data, parsed.infos_end);
    fixture_string(&more, "extra.weight");
    base_put_u32(&more, 1);
    base_put_u64(&more, 256);
    base_put_u32(&more, 16); /* IQ2_XXS */
    base_put_u64(&more, (model.size - parsed.data_start + 31) / 32 * 32);
    memcpy(more.data + 8, &(uint64_t){parsed.tensor_count + 1}, 8);
    base_put_align(&more, 32);
    base_put(&more, model.data + parsed.data_start, model.size - parsed.data_start);
    base_put_align(&more, 32);
    for (int i = 0; i < 66; i++)
        base_put_u8(&more, (uint8_t)i);
    base_put_align(&more, 32);
    base_buffer file = packed(fixture_span(&more), 0);
    capsule c = opened(fixture_span(&file));
    const capsule_tensor *extra = capsule_find_tensor(&c, "extra.weight");
    assert_non_null(extra);
    assert_string_equal(extra->layout, "IQ2_XXS");
    assert_false(compile_tensor_used(&c, extra));
    assert_true(compile_tensor_used(&c, capsule_find_tensor(&c, "blk.1.ffn_up.weight")));
    assert_ptr_equal(extra, &c.tensors[c.tensor_count - 1]);
    capsule_close(&c);
    check_round_trip(&more, 0);
    compile_gguf_close(&parsed);
    base_buffer_fini(&file);
    base_buffer_fini(&more);
    base_buffer_fini(&model);
}

static void the_same_twice(void **state)
{
    (void)state;
    base_buffer model = fixture_model(&(fixture_llama){.matrix_type = 2});
    base_buffer one = packed(fixture_span(&model), 0);
    os_thread_fail_after(0); /* the digest is then taken on the one thread */
    base_buffer two = packed(fixture_span(&model), 0);
    os_thread_fail_after(-1);
    assert_int_equal(one.size, two.size);
    assert_memory_equal(one.data, two.data, one.size);
    base_buffer_fini(&one);
    base_buffer_fini(&two);
    base_buffer_fini(&model);
}

/* ---- failures leave nothing ---- */

static bool stop_soon(void *context, uint64_t done, uint64_t total)
{
    unsigned *calls = context;
    assert_true(done <= total);
    return ++*calls < 3;
}

static void nothing_is_left(void **state)
{
    (void)state;
    char in[256], out[256];
    base_buffer model = fixture_model(&(fixture_llama){.matrix_type = 8});
    write_file(in_folder("in.gguf", in), &model);
    unsigned calls = 0;
    compile_pack_options options = {.input = in, .output = in_folder("x.wasm", out)};
    options.common =
        (compile_options){.engine = fixture_span(&engine), .progress = stop_soon, .progress_context = &calls};
    assert_int_equal(compile_pack(&options, NULL, NULL), WISP_E_CANCELLED);
    assert_int_equal(files_in(folder), 1);

    options.common.progress = NULL;
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){20000, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    wisp_report report = {0};
    wisp_status status = compile_pack(&options, NULL, &report);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(status, WISP_E_IO);
    assert_int_equal(files_in(folder), 1);

    compile_gguf g; /* a value found bad after much was written */
    assert_int_equal(compile_gguf_open(&g, fixture_span(&model), model.size, NULL), WISP_OK);
    memcpy(model.data + compile_gguf_find_tensor(&g, "output.weight")->offset, "\xff\xff", 2);
    compile_gguf_close(&g);
    write_file(in, &model);
    base_report_clear(&report);
    assert_int_equal(compile_pack(&options, NULL, &report), WISP_E_INPUT);
    assert_non_null(strstr(report.text, "in.gguf: tensor 'output.weight'"));
    assert_int_equal(files_in(folder), 1);
    options.input = "/nonexistent/x.gguf";
    assert_int_equal(compile_pack(&options, NULL, NULL), WISP_E_NOT_FOUND);
    unlink(in);
    base_buffer_fini(&model);
}

static void memory_that_fails(void **state)
{
    (void)state;
    base_buffer model = fixture_model(&(fixture_llama){.matrix_type = 2, .vector_type = 1, .rope_freqs = false});
    const compile_options options = {.engine = fixture_span(&engine)};
    os_thread_fail_after(0); /* one thread, so that the count is the same each time */
    for (long n = 0;; n++) {
        base_buffer out = {0};
        wisp_report report = {0};
        base_mem_fail_after(n);
        wisp_status status = compile_to_memory(&out, fixture_span(&model), NULL, &options, &report);
        base_mem_fail_after(-1);
        base_buffer_fini(&out);
        if (status == WISP_OK) break;
        if (status != WISP_E_MEMORY) fail_msg("allocation %ld: %s", n, report.text);
    }
    os_thread_fail_after(-1);
    base_buffer_fini(&model);
}

/* ---- what the front end makes ---- */

static void tied_embeddings_are_packed_once(void **state)
{
    (void)state;
    base_buffer model = fixture_model(&(fixture_llama){.matrix_type = 2, .tied = true});
    base_buffer file = packed(fixture_span(&model), 0);
    capsule c = opened(fixture_span(&file));
    assert_string_equal(capsule_find_tensor(&c, "token_embd.weight")->layout, "Q4_0_R16");
    assert_null(capsule_find_tensor(&c, "output.weight"));
    capsule_close(&c);
    base_buffer_fini(&file);
    base_buffer_fini(&model);
    model = fixture_model(&(fixture_llama){.matrix_type = 2});
    file = packed(fixture_span(&model), 0);
    c = opened(fixture_span(&file));
    assert_string_equal(capsule_find_tensor(&c, "token_embd.weight")->layout, "Q4_0");
    assert_string_equal(capsule_find_tensor(&c, "output.weight")->layout, "Q4_0_R16");
    assert_string_equal(c.info.quantization, "Q4_0");
    assert_string_equal(c.info.name, "fixture");
    assert_string_equal(c.info.source_file, "model.gguf");
    assert_int_equal(c.info.context_length, 256);
    capsule_close(&c);
    base_buffer_fini(&file);
    base_buffer_fini(&model);
}

static void (*scaling_keys)(fixture_gguf *g);

/* The table of angles of a fixture with 16 rotary dimensions. */
static void angles_of(fixture_llama *m, double angles[8])
{
    m->more_keys = scaling_keys;
    base_buffer model = fixture_model(m), file = packed(fixture_span(&model), 0);
    capsule c = opened(fixture_span(&file));
    const capsule_tensor *t = capsule_find_tensor(&c, "wisp.rope_freqs");
    assert_non_null(t);
    assert_true(t->generated);
    assert_int_equal(t->size, 64);
    memcpy(angles, capsule_tensor_bytes(&c, t).data, 64);
    capsule_close(&c);
    base_buffer_fini(&file);
    base_buffer_fini(&model);
}

static void linear_keys(fixture_gguf *g)
{
    fixture_text(g, "llama.rope.scaling.type", "linear");
    fixture_f32(g, "llama.rope.scaling.factor", 4);
}

static void yarn_keys(fixture_gguf *g)
{
    fixture_text(g, "llama.rope.scaling.type", "yarn");
    fixture_f32(g, "llama.rope.scaling.factor", 4);
    fixture_u32(g, "llama.rope.scaling.original_context_length", 64);
}

static void rotary_frequencies(void **state)
{
    (void)state;
    double plain[8], linear[8], yarn[8], factors[8];
    fixture_llama m = {.matrix_type = 1};
    scaling_keys = NULL;
    angles_of(&m, plain);
    for (int i = 0; i < 8; i++)
        assert_true(fabs(plain[i] - pow(10000, -i / 8.0)) < 1e-15);
    scaling_keys = linear_keys;
    angles_of(&m, linear);
    for (int i = 0; i < 8; i++)
        assert_true(linear[i] == plain[i] / 4);
    scaling_keys = yarn_keys; /* low = floor(-0.99) -> 0, high = ceil(2.02) = 3: pairs 0..3 go from kept to divided */
    angles_of(&m, yarn);
    for (int i = 0; i < 8; i++) {
        double kept = i < 3 ? 1 - i / 3.0 : 0;
        assert_true(fabs(yarn[i] - plain[i] * (kept + (1 - kept) / 4)) < 1e-15);
    }
    scaling_keys = NULL;
    m.rope_freqs = true;
    m.matrix_type = 0;
    angles_of(&m, factors);
    for (int i = 0; i < 8; i++)
        assert_true(factors[i] == plain[i] / (1 + i));
    const quantize_options smaller = {.choice = {.type = "Q8_0", .pure = true}}; /* made of the new file's head alone */
    quantizing = &smaller;
    angles_of(&m, linear);
    quantizing = NULL;
    assert_memory_equal(linear, factors, sizeof factors);
}

static void put_shape(fixture_gguf *g, uint64_t *offset, const char *name, uint32_t type, uint64_t cols, uint64_t rows)
{
    const compile_gguf_type *t = compile_gguf_type_find(type);
    fixture_string(&g->infos, name);
    base_put_u32(&g->infos, rows ? 2 : 1);
    base_put_u64(&g->infos, cols);
    if (rows) base_put_u64(&g->infos, rows);
    base_put_u32(&g->infos, type);
    base_put_u64(&g->infos, *offset);
    g->tensor_count++;
    *offset += (cols / t->block * t->block_bytes * (rows ? rows : 1) + 31) / 32 * 32;
}

/* The shape of a 1.1-billion-parameter model without its bytes: what a step of 256 tokens takes. */
static void scratch_of_a_large_model(void **state)
{
    (void)state;
    fixture_gguf f = {0};
    uint64_t offset = 0, scratch = 0, kv_page = 0;
    fixture_text(&f, "general.architecture", "llama");
    fixture_u32(&f, "llama.context_length", 2048);
    fixture_u32(&f, "llama.embedding_length", 2048);
    fixture_u32(&f, "llama.block_count", 2);
    fixture_u32(&f, "llama.feed_forward_length", 5632);
    fixture_u32(&f, "llama.attention.head_count", 32);
    fixture_u32(&f, "llama.attention.head_count_kv", 4);
    fixture_f32(&f, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    put_shape(&f, &offset, "token_embd.weight", 2, 2048, 32000);
    put_shape(&f, &offset, "output_norm.weight", 0, 2048, 0);
    for (int i = 0; i < 2; i++) {
        static const struct {
            const char *name;
            uint32_t cols, rows;
        } t[] = {{"attn_norm", 2048, 0},   {"attn_q", 2048, 2048},      {"attn_k", 2048, 256},
                 {"attn_v", 2048, 256},    {"attn_output", 2048, 2048}, {"ffn_norm", 2048, 0},
                 {"ffn_gate", 2048, 5632}, {"ffn_up", 2048, 5632},      {"ffn_down", 5632, 2048}};
        for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
            char name[64];
            snprintf(name, sizeof name, "blk.%d.%s.weight", i, t[k].name);
            put_shape(&f, &offset, name, t[k].rows ? 2 : 0, t[k].cols, t[k].rows);
        }
    }
    base_buffer file = fixture_finish(&f);
    compile_gguf g;
    compile_builder b;
    wisp_report report = {0};
    assert_int_equal(compile_gguf_open(&g, fixture_span(&file), file.size + offset, &report), WISP_OK);
    const compile_source source = compile_source_of(&g);
    assert_int_equal(compile_builder_init(&b, &source, &report), WISP_OK);
    b.vocab_size = 32000;
    compile_arch_find("llama")->build(&b);
    if (b.status) fail_msg("%s", report.text);
    for (uint32_t i = 0; i < b.buffer_count; i++) {
        if (b.buffers[i].role == PROGRAM_ROLE_SCRATCH) scratch += b.buffers[i].fixed + b.buffers[i].per_token * 256;
        if (b.buffers[i].role == PROGRAM_ROLE_KV) kv_page += b.buffers[i].per_page;
    }
    assert_true(scratch < UINT64_C(40) << 20);
    assert_int_equal(kv_page, 2 * 2 * WISP_KV_PAGE * 256 * 2); /* blocks, K and V, positions, elements, bytes */
    print_message("scratch for 256 tokens: %.1f MiB\n", (double)scratch / 1048576);
    compile_builder_fini(&b);
    compile_gguf_close(&g);
    base_buffer_fini(&file);
}

/* ---- errors name what is wrong ---- */

static void replace(base_buffer *file, const char *from, const char *to)
{
    uint8_t *at = memmem(file->data, file->size, from, strlen(from));
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

static void experts(fixture_gguf *g)
{
    fixture_u32(g, "llama.expert_count", 8);
}

static void spiral(fixture_gguf *g)
{
    fixture_text(g, "llama.rope.scaling.type", "spiral");
    fixture_f32(g, "llama.rope.scaling.factor", 2);
}

static void models_are_refused(void **state)
{
    (void)state;
    const fixture_llama q4 = {.matrix_type = 2};
    base_buffer m = fixture_model(&q4);
    replace(&m, "blk.1.attn_q.weight", "blk.1.attn_x.weight");
    refused(&m, WISP_E_INPUT, "tensor 'blk.1.attn_q.weight' is missing; [64, 64] expected");
    m = fixture_model(&q4);
    replace(&m, "blk.1.ffn_up.weight", "blk.1.ffn_xx.weight");
    replace(&m, "blk.1.ffn_down.weight", "blk.1.ffn_upxx.weight");
    refused(&m, WISP_E_INPUT, "tensor 'blk.1.ffn_up.weight' is missing");
    m = fixture_model(&q4);
    replace(&m, "blk.0.attn_k.weight", "blk.0.xxxx_k.weight");
    replace(&m, "blk.1.attn_q.weight", "blk.0.attn_k.weight");
    refused(&m, WISP_E_INPUT, "tensor 'blk.0.attn_k.weight': [64, 64] found, [64, 32] expected");
    m = fixture_model(&(fixture_llama){.matrix_type = 2, .more_keys = experts});
    refused(&m, WISP_E_INPUT, "key 'llama.expert_used_count' is missing");
    m = fixture_model(&(fixture_llama){.matrix_type = 2, .more_keys = spiral});
    refused(&m, WISP_E_UNSUPPORTED, "'spiral' is not supported");
    m = fixture_model(&(fixture_llama){.matrix_type = 9});
    refused(&m, WISP_E_UNSUPPORTED, "tensor 'token_embd.weight': type Q8_1 is not supported yet");
    m = fixture_model(&q4);
    replace(&m, "llama", "lxama");
    refused(&m, WISP_E_UNSUPPORTED, "'lxama' is not supported");
    m = fixture_model(&q4);
    replace(&m, "blk.0.ffn_norm.weight", "wisp.xffn_norm.weight");
    refused(&m, WISP_E_UNSUPPORTED, "names in wisp. are reserved");
    m = fixture_model(&(fixture_llama){.matrix_type = 2, .heads = 5});
    refused(&m, WISP_E_INPUT, "heads");
    m = fixture_model(&q4);
    replace(&m, "llama.block_count", "llama.xlock_count");
    refused(&m, WISP_E_INPUT, "key 'llama.block_count' is missing");
}

static void rows_and_tokens_agree(void **state)
{
    (void)state;
    base_buffer m = fixture_model(&(fixture_llama){.matrix_type = 2});
    compile_gguf g;
    assert_int_equal(compile_gguf_open(&g, fixture_span(&m), m.size, NULL), WISP_OK);
    const compile_gguf_tensor *t = compile_gguf_find_tensor(&g, "token_embd.weight");
    uint8_t *rows = m.data + (t->name.data - m.data) + t->name.size + 4 + 8;
    memcpy(rows, &(uint64_t){299}, 8);
    compile_gguf_close(&g);
    refused(&m, WISP_E_INPUT, "has 299 rows, but the tokenizer has 300 tokens");
}

static void vocabulary_only(void **state)
{
    (void)state;
    base_buffer model = fixture_model(&(fixture_llama){.matrix_type = 2}), out = {0};
    const compile_options options = {.engine = fixture_span(&engine), .vocabulary_only = true};
    assert_int_equal(compile_to_memory(&out, fixture_span(&model), NULL, &options, NULL), WISP_OK);
    capsule c = opened(fixture_span(&out));
    base_model_head head;
    char path[256];
    wisp_report report = {0};
    assert_int_equal(base_model_read(&head, c.segments[0], NULL), WISP_OK);
    assert_int_equal(c.tensor_count, 0);
    assert_int_equal(head.weights_bytes, 0);
    assert_null(head.section[MODEL_SECTION_PROGRAM].data);
    assert_non_null(head.section[MODEL_SECTION_VOCAB].data);
    assert_int_equal(compile_unpack(&c, in_folder("no.gguf", path), NULL, NULL, NULL, &report), WISP_E_UNSUPPORTED);
    assert_int_equal(files_in(folder), 0);
    capsule_close(&c);
    base_buffer_fini(&out);
    base_buffer_fini(&model);
}

static void prologue_of_files(void **state)
{
    (void)state;
    assert_true(compile_probe((base_span){(const uint8_t *)"GGUF", 4}));
    assert_false(compile_probe((base_span){(const uint8_t *)"GGU", 3}));
    assert_false(compile_probe((base_span){(const uint8_t *)"\0asm", 4}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_of_the_stories),
        cmocka_unit_test(logits_of_quantized_types),
        cmocka_unit_test(logits_of_the_family),
        cmocka_unit_test(the_split_does_not_matter),
        cmocka_unit_test(files_come_back),
        cmocka_unit_test(shared_models_come_back),
        cmocka_unit_test(unused_tensors_are_kept),
        cmocka_unit_test(the_same_twice),
        cmocka_unit_test(nothing_is_left),
        cmocka_unit_test(memory_that_fails),
        cmocka_unit_test(tied_embeddings_are_packed_once),
        cmocka_unit_test(rotary_frequencies),
        cmocka_unit_test(scratch_of_a_large_model),
        cmocka_unit_test(models_are_refused),
        cmocka_unit_test(rows_and_tokens_agree),
        cmocka_unit_test(vocabulary_only),
        cmocka_unit_test(prologue_of_files),
    };
    engine = fixture_engine();
    if (!mkdtemp(folder)) return 1;
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    base_buffer_fini(&engine);
    rmdir(folder);
    return failures;
}
