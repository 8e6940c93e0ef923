/* The guest engine, natively: requests in, events out. With $WISP_SHARED (default ../shared) also against published
 * reference results of a trained model. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/model.h"
#include "compile/compile.h"
#include "guest/engine.h"
#include "guest/request.h"
#include "model_fixture.h"
#include "os/os.h"
#include "tensor/program.h"

/* ---- a model in memory and an engine over it ---- */

typedef struct model {
    base_buffer engine, packed;
    uint8_t *file; /* page-aligned copy */
    capsule parsed;
} model;

static void open_model(model *m, const base_buffer *gguf)
{
    wisp_report report = {0};
    memset(m, 0, sizeof *m);
    m->engine = fixture_engine();
    compile_options options = {.engine = fixture_span(&m->engine), .engine_version = "test"};
    assert_int_equal(compile_to_memory(&m->packed, fixture_span(gguf), "m.gguf", &options, &report), WISP_OK);
    m->file = base_alloc_aligned(4096, m->packed.size);
    assert_non_null(m->file);
    memcpy(m->file, m->packed.data, m->packed.size);
    assert_int_equal(capsule_open(&m->parsed, (base_span){m->file, m->packed.size}, &report), WISP_OK);
}

static void close_model(model *m)
{
    capsule_close(&m->parsed);
    base_free(m->file);
    base_buffer_fini(&m->packed);
    base_buffer_fini(&m->engine);
}

static guest_engine *start_on(const model *m, tensor_device *device, const char *options)
{
    wisp_report report = {0};
    guest_engine *e;
    guest_source source = guest_source_of_span(&m->parsed.segments[0]);
    wisp_status status =
        guest_engine_new(&e, &source, device, (base_span){(const uint8_t *)options, strlen(options)}, &report);
    if (status != WISP_OK) print_error("%s\n", report.text);
    assert_int_equal(status, WISP_OK);
    return e;
}

static guest_engine *start(const model *m, const char *options)
{
    return start_on(m, NULL, options);
}

static int32_t submit(guest_engine *e, const char *json)
{
    return guest_submit(e, json, strlen(json));
}

/* Runs everything; all events, one a line. The caller frees. */
static char *run_all(guest_engine *e)
{
    base_buffer all = {0};
    for (int32_t left = 1; left > 0;) {
        left = guest_step(e);
        for (base_span event; (event = guest_next_event(e)).data;) {
            assert_true(base_utf8_valid(event.data, event.size));
            base_put(&all, event.data, event.size);
            base_put_u8(&all, '\n');
        }
    }
    base_put_u8(&all, 0);
    assert_false(all.failed);
    return (char *)all.data;
}

static char *ask(guest_engine *e, const char *json)
{
    assert_true(submit(e, json) > 0);
    return run_all(e);
}

typedef struct answer {
    base_json_doc *doc;
    const base_json *root;
} answer;

static answer parse(const char *line)
{
    answer a = {0};
    wisp_report report = {0};
    assert_int_equal(base_json_parse(&a.doc, &a.root, line, strcspn(line, "\n"), &report), WISP_OK);
    return a;
}

static char *text_of(const char *line)
{
    answer a = parse(line);
    const char *text = base_json_str(base_json_get(base_json_at(base_json_get(a.root, "choices"), 0), "text"));
    char *copy = text ? strdup(text) : NULL;
    base_json_free(a.doc);
    assert_non_null(copy);
    return copy;
}

/* A member of the answer to a request, as text. */
static void assert_answers(guest_engine *e, const char *json, const char *expected)
{
    char *line = ask(e, json);
    if (!strstr(line, expected)) print_error("%s\n%s\nhas no %s\n", json, line, expected);
    assert_non_null(strstr(line, expected));
    base_free(line);
}

static void open_fixture(model *m)
{
    base_buffer gguf = fixture_model(&(fixture_llama){.matrix_type = WISP_F16});
    open_model(m, &gguf);
    base_buffer_fini(&gguf);
}

/* ---- text in, text out ---- */

static void test_tokenize(void **state)
{
    (void)state;
    model m;
    open_fixture(&m);
    guest_engine *e = start(&m, "");
    assert_answers(e, "{\"object\":\"tokenize\",\"text\":\"t260\"}", "\"tokens\":[229,153,132,");
    assert_answers(e, "{\"object\":\"tokenize\",\"text\":\"</s>\",\"add_special\":true}", "\"tokens\":[1,2]");
    assert_answers(e, "{\"object\":\"tokenize\",\"text\":\"</s>\",\"special\":false}", "\"tokens\":[229,153,132,");
    assert_answers(e, "{\"object\":\"tokenize\",\"text\":\"\"}", "\"tokens\":[]");
    assert_answers(e, "{\"object\":\"detokenize\",\"tokens\":[75,104,1,2]}", "\"text\":\"He\"");
    assert_answers(e, "{\"object\":\"detokenize\",\"tokens\":[229,75,133]}", "\"text\":\"\xef\xbf\xbdH\xef\xbf\xbd\"");
    guest_engine_free(e);
    close_model(&m);
}

static void test_streams_the_same_text(void **state)
{
    (void)state;
    model m;
    open_fixture(&m);
    guest_engine *e = start(&m, "{\"chunk\":3,\"model\":\"M\"}");
    char *whole = ask(e, "{\"prompt\":\"hello\",\"max_tokens\":20,\"seed\":7}");
    char *stream = ask(e, "{\"prompt\":\"hello\",\"max_tokens\":20,\"seed\":7,\"stream\":true}");
    assert_non_null(strstr(whole, "\"model\":\"M\""));
    assert_null(strchr(strchr(whole, '\n') + 1, '\n')); /* one event */
    char *expected = text_of(whole), *joined = calloc(1, strlen(stream) + 1);
    unsigned finished = 0;
    for (const char *line = stream; *line; line = strchr(line, '\n') + 1) {
        char *part = text_of(line);
        strcat(joined, part);
        finished += strstr(line, "\"finish_reason\":null") == NULL;
        assert_true(strstr(line, "\"finish_reason\":null") ? *part != 0 : *part == 0);
        free(part);
    }
    assert_string_equal(joined, expected);
    assert_int_equal(finished, 1);
    free(joined);
    free(expected);
    base_free(whole);
    base_free(stream);
    guest_engine_free(e);
    close_model(&m);
}

static void test_finish_reasons(void **state)
{
    (void)state;
    model m;
    open_fixture(&m);
    guest_engine *e = start(&m, "{\"context\":40}");
    assert_answers(e, "{\"prompt\":\"a\",\"max_tokens\":3,\"ignore_eos\":true}", "\"finish_reason\":\"length\"");
    assert_answers(e, "{\"prompt\":\"a\",\"max_tokens\":0}", "\"completion_tokens\":0");
    /* the last token is chosen with a full context and needs no place in it: 40 - 2 + 1 */
    assert_answers(e, "{\"prompt\":[1,75],\"ignore_eos\":true}", "\"completion_tokens\":39");
    int32_t id = submit(e, "{\"prompt\":\"a\",\"ignore_eos\":true}");
    guest_step(e);
    assert_int_equal(guest_cancel(e, id), 0);
    assert_int_equal(guest_cancel(e, id + 1), -1);
    char *events = run_all(e);
    assert_non_null(strstr(events, "\"finish_reason\":\"cancelled\""));
    base_free(events);
    assert_int_equal(guest_cancel(e, id), -1);
    guest_engine_free(e);
    close_model(&m);
}

/* A request alone, among others, and one that waits for its turn give the same text. */
static void test_parallel(void **state)
{
    (void)state;
    static const char *const requests[] = {"{\"prompt\":\"abc\",\"max_tokens\":30,\"seed\":1,\"ignore_eos\":true}",
                                           "{\"prompt\":\"xyzuvw\",\"max_tokens\":12,\"seed\":2,\"ignore_eos\":true}",
                                           "{\"prompt\":\"1\",\"max_tokens\":70,\"seed\":3,\"ignore_eos\":true}"};
    model m;
    open_fixture(&m);
    char *alone[3];
    for (int i = 0; i < 3; i++) {
        guest_engine *e = start(&m, "");
        char *line = ask(e, requests[i]);
        alone[i] = text_of(line);
        base_free(line);
        guest_engine_free(e);
    }
    guest_engine *e = start(&m, "{\"parallel\":2,\"chunk\":2}");
    for (int i = 0; i < 3; i++)
        assert_int_equal(submit(e, requests[i]), i + 1);
    char *all = run_all(e);
    for (const char *line = all; *line; line = strchr(line, '\n') + 1) {
        int id = 0;
        assert_int_equal(sscanf(line, "{\"id\":\"cmpl-%d\"", &id), 1);
        char *text = text_of(line);
        assert_string_equal(text, alone[id - 1]);
        free(text);
    }
    for (int i = 0; i < 3; i++)
        free(alone[i]);
    base_free(all);
    guest_engine_free(e);
    close_model(&m);
}

/* ---- stop strings ---- */

static void check_stop(const char *const *tokens, const char *stop, const char *expected, bool found)
{
    guest_request r = {.stop_count = 2};
    guest_output o = {0};
    base_put_text(&r.stops[0], stop);
    base_put_text(&r.stops[1], "never to be seen");
    static const uint8_t types[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    uint32_t offsets[17] = {0}, n = 0;
    base_buffer text = {0};
    for (; tokens[n]; n++) {
        base_put_text(&text, tokens[n]);
        offsets[n + 1] = (uint32_t)text.size;
    }
    base_vocab v = {.kind = VOCAB_BPE, .count = n, .offsets = offsets, .text = text.data, .types = types};
    o.detokenizer.vocab = &v;
    for (uint32_t i = 0; i < n && !o.stopped; i++)
        guest_output_put(&o, i, &r);
    guest_output_end(&o, &r);
    base_put_u8(&o.ready, 0);
    assert_string_equal((char *)o.ready.data, expected);
    assert_int_equal(o.stopped, found);
    guest_output_fini(&o);
    base_buffer_fini(&r.stops[0]);
    base_buffer_fini(&r.stops[1]);
    base_buffer_fini(&text);
}

static void test_stop_strings(void **state)
{
    (void)state;
    check_stop((const char *const[]){"a", "b", "c", NULL}, "b", "a", true);
    check_stop((const char *const[]){"one ", "tw", "o thr", "ee", NULL}, "two", "one ", true);
    check_stop((const char *const[]){"one ", "tw", "i", "n", NULL}, "two", "one twin", false);
    check_stop((const char *const[]){"aa", "aa", "b", NULL}, "aab", "aa", true);
    check_stop((const char *const[]){"\xc3", "\xa9!", "x", NULL}, "\xc3\xa9!", "", true);
    check_stop((const char *const[]){"end ne", "ver to be see", NULL}, "q", "end never to be see", false);
    check_stop((const char *const[]){"x\xe2\x82", "y", NULL}, "q", "x\xef\xbf\xbdy", false);
    check_stop((const char *const[]){"x\xe2\x82", NULL}, "q", "x\xef\xbf\xbd", false);
    check_stop((const char *const[]){"\xf0\x9f", "\x9a", "\x80", NULL}, "q", "\xf0\x9f\x9a\x80", false);
    check_stop((const char *const[]){"\xe2\xc3", "\xa9\xed\xa0", NULL}, "q",
               "\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd", false);
}

/* ---- errors ---- */

static void assert_refused(guest_engine *e, const char *json, const char *param, const char *type)
{
    char expected[128];
    assert_int_equal(submit(e, json), 0);
    base_span event = guest_next_event(e);
    assert_non_null(event.data);
    char *text = strndup((const char *)event.data, event.size);
    snprintf(expected, sizeof expected, param ? "\"type\":\"%s\",\"param\":\"%s\"" : "\"type\":\"%s\",\"param\":null",
             type, param);
    if (!strstr(text, expected) || strncmp(text, "{\"id\":null,\"error\":", 19) != 0)
        print_error("%s\n%s\nhas no %s\n", json, text, expected);
    assert_non_null(strstr(text, expected));
    assert_null(guest_next_event(e).data);
    free(text);
}

static const struct {
    const char *json, *param;
} refusals[] = {
    {"", NULL},
    {"[]", NULL},
    {"{\"prompt\":\"a\"", NULL},
    {"{}", "prompt"},
    {"{\"prompt\":5}", "prompt"},
    {"{\"prompt\":null}", "prompt"},
    {"{\"prompt\":[1,300]}", "prompt"},
    {"{\"prompt\":[[1]]}", "prompt"},
    {"{\"prompt\":[-1]}", "prompt"},
    {"{\"prompt\":[1.5]}", "prompt"},
    {"{\"prompt\":[]}", "prompt"},
    {"{\"prompt\":[1,1,1,1,1,1,1,1,1,1,1]}", "prompt"},
    {"{\"object\":\"chat\",\"prompt\":\"a\"}", "object"},
    {"{\"object\":7,\"prompt\":\"a\"}", "object"},
    {"{\"prompt\":\"a\",\"max_tokens\":-1}", "max_tokens"},
    {"{\"prompt\":\"a\",\"max_tokens\":1.5}", "max_tokens"},
    {"{\"prompt\":\"a\",\"max_tokens\":\"7\"}", "max_tokens"},
    {"{\"prompt\":\"a\",\"max_tokens\":99999999999999999999}", "max_tokens"},
    {"{\"prompt\":\"a\",\"temperature\":-0.1}", "temperature"},
    {"{\"prompt\":\"a\",\"temperature\":1e999}", "temperature"},
    {"{\"prompt\":\"a\",\"temperature\":true}", "temperature"},
    {"{\"prompt\":\"a\",\"top_p\":1.01}", "top_p"},
    {"{\"prompt\":\"a\",\"min_p\":-1}", "min_p"},
    {"{\"prompt\":\"a\",\"top_k\":-1}", "top_k"},
    {"{\"prompt\":\"a\",\"repeat_penalty\":0}", "repeat_penalty"},
    {"{\"prompt\":\"a\",\"repetition_penalty\":1000}", "repetition_penalty"},
    {"{\"prompt\":\"a\",\"seed\":1.5}", "seed"},
    {"{\"prompt\":\"a\",\"seed\":\"x\"}", "seed"},
    {"{\"prompt\":\"a\",\"stop\":\"\"}", "stop"},
    {"{\"prompt\":\"a\",\"stop\":[1]}", "stop"},
    {"{\"prompt\":\"a\",\"stream\":1}", "stream"},
    {"{\"prompt\":\"a\",\"ignore_eos\":\"no\"}", "ignore_eos"},
    {"{\"prompt\":\"a\",\"n\":\"2\"}", "n"},
    {"{\"object\":\"tokenize\"}", "text"},
    {"{\"object\":\"tokenize\",\"text\":[1]}", "text"},
    {"{\"object\":\"tokenize\",\"text\":\"a\",\"special\":0}", "special"},
    {"{\"object\":\"detokenize\",\"tokens\":[300]}", "tokens"},
    {"{\"object\":\"logits\",\"prompt\":\"a\",\"tokens\":[1]}", "tokens"},
    {"{\"object\":\"logits\",\"prompt\":\"a\",\"top\":1001}", "top"},
    {"{\"object\":\"logits\",\"prompt\":\"a\",\"greedy\":11}", "greedy"},
    {"{\"object\":\"logits\",\"prompt\":\"a\",\"greedy\":9}", "prompt"},
    {"{\"object\":\"logits\",\"prompt\":\"a\",\"chunk\":0}", "chunk"},
    {"{\"object\":\"score\",\"tokens\":[1]}", "from"},
    {"{\"object\":\"score\",\"tokens\":[1,2],\"from\":0}", "from"},
    {"{\"object\":\"score\",\"tokens\":[1,2],\"from\":2}", "from"},
    {"{\"object\":\"score\",\"tokens\":[1,2],\"prompt\":\"a\"}", "tokens"},
    {"{\"object\":\"score\",\"tokens\":[1,1,1,1,1,1,1,1,1,1,1]}", "prompt"},
    {"{\"object\":\"bench\",\"prefill\":0}", "prefill"},
    {"{\"object\":\"bench\",\"prefill\":10,\"generate\":1}", "prompt"},
};

static void test_refusals(void **state)
{
    (void)state;
    model m;
    open_fixture(&m);
    guest_engine *e = start(&m, "{\"context\":10,\"chunk\":4}");
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        assert_refused(e, refusals[i].json, refusals[i].param, "invalid_request_error");
    assert_refused(e, "{\"prompt\":\"a\",\"n\":2}", "n", "unsupported");
    assert_refused(e, "{\"prompt\":\"a\",\"logprobs\":1}", "logprobs", "unsupported");
    assert_refused(e, "{\"prompt\":\"a\",\"presence_penalty\":0.5}", "presence_penalty", "unsupported");
    assert_answers(e, "{\"prompt\":\"a\",\"n\":1,\"echo\":false,\"logprobs\":null,\"max_tokens\":1,\"user\":\"u\"}",
                   "\"usage\"");
    assert_answers(e, "{\"prompt\":\"a\",\"seed\":18446744073709551615,\"max_tokens\":1}",
                   "\"seed\":18446744073709551615");
    guest_engine_free(e);
    close_model(&m);
}

/* With context_shift: the same as a new request with the tokens that stay. */
static void test_context_shift(void **state)
{
    (void)state;
    model m;
    open_fixture(&m);
    guest_engine *e = start(&m, "{\"context\":16,\"chunk\":4}");
    assert_refused(e, "{\"prompt\":[1,70,71,72,73,74,75,76,77,78,79,80,81,82,83,84,85,86,87,88]}", "prompt",
                   "invalid_request_error");
    assert_refused(e, "{\"prompt\":\"a\",\"context_shift\":true,\"keep\":16}", "keep", "invalid_request_error");
    static const char *const pairs[][2] = {
        {"{\"prompt\":[1,70,71,72,73,74,75,76,77,78,79,80,81,82,83,84,85,86,87,88],\"max_tokens\":9,"
         "\"context_shift\":true,\"ignore_eos\":true,\"temperature\":0}",
         "{\"prompt\":[1,82,83,84,85,86,87,88],\"max_tokens\":9,\"ignore_eos\":true,\"temperature\":0}"},
        {"{\"prompt\":[1,70,71,72,73,74,75,76,77,78,79,80,81,82,83,84,85,86,87,88],\"max_tokens\":7,\"keep\":4,"
         "\"context_shift\":true,\"ignore_eos\":true,\"temperature\":0}",
         "{\"prompt\":[1,70,71,72,83,84,85,86,87,88],\"max_tokens\":7,\"ignore_eos\":true,\"temperature\":0}"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *shifted = ask(e, pairs[i][0]), *fresh = ask(e, pairs[i][1]);
        char *a = text_of(shifted), *b = text_of(fresh);
        assert_string_equal(a, b);
        assert_non_null(strstr(shifted, "\"prompt_tokens\":20,"));
        assert_non_null(strstr(shifted, "\"shifts\":1,"));
        base_free(a);
        base_free(b);
        base_free(shifted);
        base_free(fresh);
    }
    assert_answers(e, "{\"prompt\":[1,75],\"max_tokens\":40,\"context_shift\":true,\"ignore_eos\":true}",
                   "\"shifts\":3,\"dropped_tokens\":27}"); /* 17 become 8, three times; then 8 + 7 fit */
    guest_engine_free(e);
    close_model(&m);
}

/* What does not fit is refused before anything is allocated, and what would fit is said. */
static void test_context_that_does_not_fit(void **state)
{
    (void)state;
    model m;
    open_fixture(&m);
    guest_source source = guest_source_of_span(&m.parsed.segments[0]);
    base_budget budget = {.limit = 2 << 20};
    const tensor_options options = {.budget = &budget};
    wisp_report report = {0};
    tensor_device *device;
    guest_engine *e;
    static const char json[] = "{\"context\":256,\"parallel\":64}";
    assert_int_equal(tensor_device_new(&device, &options, &report), WISP_OK);
    const uint64_t used = budget.used;
    assert_int_equal(
        guest_engine_new(&e, &source, device, (base_span){(const uint8_t *)json, sizeof json - 1}, &report),
        WISP_E_MEMORY);
    assert_non_null(strstr(report.text, "256 positions need"));
    assert_non_null(strstr(report.text, " fit "));
    assert_int_equal(budget.used, used);
    tensor_device_free(device);
    close_model(&m);
}

static void test_options(void **state)
{
    (void)state;
    static const char *const bad[] = {"[]",
                                      "{\"context\":0}",
                                      "{\"context\":257}",
                                      "{\"context\":\"1\"}",
                                      "{\"chunk\":0}",
                                      "{\"chunk\":1e9}",
                                      "{\"parallel\":65}",
                                      "{\"modle\":\"x\"}",
                                      "{\"model\":1}",
                                      "{\"kv_type\":\"q4_1\"}",
                                      "{\"kv_type\":1}",
                                      "{"};
    model m;
    open_fixture(&m);
    guest_source source = guest_source_of_span(&m.parsed.segments[0]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wisp_report report = {0};
        guest_engine *e;
        base_span json = {(const uint8_t *)bad[i], strlen(bad[i])};
        assert_int_not_equal(guest_engine_new(&e, &source, NULL, json, &report), WISP_OK);
        assert_true(report.text[0] != 0);
    }
    close_model(&m);
}

static void test_vocabulary_only(void **state)
{
    (void)state;
    fixture_gguf g = {0};
    fixture_text(&g, "general.architecture", "llama");
    fixture_vocabulary(&g, 300);
    base_buffer gguf = fixture_finish(&g);
    model m;
    open_model(&m, &gguf);
    guest_engine *e = start(&m, "");
    assert_answers(e, "{\"object\":\"tokenize\",\"text\":\"<s>\"}", "\"tokens\":[1]");
    assert_refused(e, "{\"prompt\":\"a\"}", NULL, "unsupported");
    guest_engine_free(e);
    close_model(&m);
    base_buffer_fini(&gguf);
}

/* Every allocation fails once: an error, or the right answer, and nothing leaks or crashes. */
static void test_out_of_memory(void **state)
{
    (void)state;
    model m;
    open_fixture(&m);
    guest_source source = guest_source_of_span(&m.parsed.segments[0]);
    bool finished = false;
    for (long n = 0; !finished && n < 2000; n++) {
        wisp_report report = {0};
        guest_engine *e = NULL;
        static const char options[] = "{\"context\":32,\"chunk\":4,\"parallel\":2}";
        base_mem_fail_after(n);
        if (guest_engine_new(&e, &source, NULL, (base_span){(const uint8_t *)options, sizeof options - 1}, &report) ==
            WISP_OK) {
            submit(
                e,
                "{\"prompt\":\"abcdef</s>\",\"max_tokens\":3,\"stop\":[\"x\"],\"repeat_penalty\":1.1,\"top_p\":0.5}");
            submit(e, "{\"object\":\"score\",\"tokens\":[1,2,3,4,5]}");
            submit(e, "{\"object\":\"logits\",\"prompt\":[1,2,3],\"top\":3,\"greedy\":2}");
            for (int i = 0; i < 20 && guest_step(e) > 0; i++)
                continue;
            for (base_span event; (event = guest_next_event(e)).data;)
                finished = memmem(event.data, event.size, "\"sha256\"", 8) != NULL;
            guest_engine_free(e);
        }
        base_mem_fail_after(-1);
    }
    assert_true(finished);
    close_model(&m);
}

/* ---- hostile programs ---- */

/* The program's commands, in the capsule's own copy. */
static uint8_t *commands_of(const model *m, size_t *size)
{
    wisp_report report = {0};
    base_model_head head;
    assert_int_equal(base_model_read(&head, m->parsed.segments[0], &report), WISP_OK);
    base_span program_bytes = head.section[MODEL_SECTION_PROGRAM];
    program p;
    assert_int_equal(program_read(&p, program_bytes, &report), WISP_OK);
    *size = p.cmd_count * sizeof *p.cmds;
    program_fini(&p);
    return m->file + (program_bytes.data - m->file) + program_bytes.size - *size;
}

static void test_unknown_op(void **state)
{
    (void)state;
    model m;
    size_t size;
    open_fixture(&m);
    const uint32_t op = 999;
    memcpy(commands_of(&m, &size), &op, sizeof op);
    guest_engine *e = start(&m, "");
    assert_answers(e, "{\"prompt\":\"a\"}", "{\"id\":\"cmpl-1\",\"error\":{");
    assert_answers(e, "{\"prompt\":\"a\"}", "\"type\":\"unsupported\"");
    assert_answers(e, "{\"object\":\"tokenize\",\"text\":\"<s>\"}", "[1]");
    guest_engine_free(e);
    close_model(&m);
}

/* Any command may lie: the request ends with an error or with an answer, and nothing else happens. */
static void test_damaged_programs(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 1, 5, 64, 0x100, 0xffffff00, 0xffffff04, 0x7fffffff, 0xffffffff};
    uint64_t random[4];
    model m;
    size_t size;
    guest_random_seed(random, 5);
    open_fixture(&m);
    uint8_t *commands = commands_of(&m, &size);
    unsigned failed = 0;
    for (unsigned i = 0; i < 600; i++) {
        size_t at = (size_t)(guest_random(random) % (size / 4)) * 4;
        uint32_t before, damage = values[guest_random(random) % (sizeof values / sizeof *values)];
        base_budget budget = {.limit = 64 << 20};
        wisp_report report = {0};
        tensor_device *device;
        memcpy(&before, commands + at, 4);
        memcpy(commands + at, &damage, 4);
        assert_int_equal(tensor_device_new(&device, &(tensor_options){.budget = &budget}, &report), WISP_OK);
        guest_source source = guest_source_of_span(&m.parsed.segments[0]);
        guest_engine *e;
        if (guest_engine_new(&e, &source, device, (base_span){NULL, 0}, &report) == WISP_OK) {
            char *events = ask(e, "{\"prompt\":\"ab\",\"max_tokens\":3,\"ignore_eos\":true}");
            failed += strstr(events, "\"error\"") != NULL;
            base_free(events);
            guest_engine_free(e);
        }
        tensor_device_free(device);
        memcpy(commands + at, &before, 4);
    }
    assert_true(failed > 50);
    close_model(&m);
}

/* ---- the same numbers, however it is run ---- */

static void digest_of(guest_engine *e, const char *json, char sha[65])
{
    char *line = ask(e, json);
    const char *at = strstr(line, "\"sha256\":\"");
    assert_non_null(at);
    memcpy(sha, at + 10, 64);
    sha[64] = 0;
    base_free(line);
}

static void check_same_digest(const model *m, const char *prompt)
{
    static const unsigned chunks[] = {1, 7, 64};
    char json[512], expected[65], got[65];
    wisp_report report = {0};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        guest_engine *e = start(m, "");
        snprintf(json, sizeof json, "{\"object\":\"logits\",\"prompt\":\"%s\",\"greedy\":20,\"chunk\":%u}", prompt,
                 chunks[i]);
        digest_of(e, json, i ? got : expected);
        if (i) assert_string_equal(got, expected);
        guest_engine_free(e);
    }
    tensor_device *device;
    assert_int_equal(tensor_device_new(&device, &(tensor_options){.cpu_features = os_cpu_features()}, &report),
                     WISP_OK);
    guest_engine *e = start_on(m, device, "");
    digest_of(e, json, got);
    assert_string_equal(got, expected);
    guest_engine_free(e);
    tensor_device_free(device);
    /* not aligned: the data is read, not mapped */
    base_buffer moved = {0};
    base_put_zeros(&moved, 1 + (16 - 1 + 64) % 64);
    base_put(&moved, m->parsed.segments[0].data, m->parsed.segments[0].size);
    base_span span = {moved.data + 1, m->parsed.segments[0].size};
    memmove(moved.data + 1, m->parsed.segments[0].data, span.size);
    guest_source source = guest_source_of_span(&span);
    assert_null(source.mapped);
    assert_int_equal(guest_engine_new(&e, &source, NULL, (base_span){NULL, 0}, &report), WISP_OK);
    digest_of(e, json, got);
    assert_string_equal(got, expected);
    guest_engine_free(e);
    base_buffer_fini(&moved);
}

static void test_digest(void **state)
{
    (void)state;
    static const uint32_t types[] = {WISP_F32, WISP_F16, WISP_Q8_0};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        base_buffer gguf = fixture_model(&(fixture_llama){.matrix_type = types[i], .tied = i == 1});
        model m;
        open_model(&m, &gguf);
        check_same_digest(&m, "some words that are a few tokens long");
        close_model(&m);
        base_buffer_fini(&gguf);
    }
}

/* ---- scores ---- */

static double number_at(const base_json *pair, uint32_t i)
{
    double v = NAN;
    base_json_double(base_json_at(pair, i), &v);
    return v;
}

/* -ln p of one token after those before it, from all logits. */
static double surprise_of(guest_engine *e, const char *before, unsigned token)
{
    char json[256];
    double largest = -INFINITY, wanted = NAN, sum = 0;
    snprintf(json, sizeof json, "{\"object\":\"logits\",\"top\":1000,\"tokens\":[%s]}", before);
    char *line = ask(e, json);
    answer got = parse(line);
    const base_json *all = base_json_get(got.root, "top");
    for (const base_json *p = all->first; p; p = p->next) {
        largest = fmax(largest, number_at(p, 1));
        if (number_at(p, 0) == token) wanted = number_at(p, 1);
    }
    for (const base_json *p = all->first; p; p = p->next)
        sum += exp(number_at(p, 1) - largest);
    base_json_free(got.doc);
    base_free(line);
    return log(sum) + largest - wanted;
}

static double member_of(guest_engine *e, const char *json, const char *name)
{
    double v = NAN;
    char *line = ask(e, json);
    answer got = parse(line);
    assert_true(base_json_double(base_json_get(got.root, name), &v));
    base_json_free(got.doc);
    base_free(line);
    return v;
}

static void test_score(void **state)
{
    (void)state;
    static const unsigned tokens[] = {1, 40, 41, 200, 7, 100};
    model m;
    /* F16 vectors: the fixture's F32 ones are so small that all logits are equal */
    base_buffer gguf = fixture_model(&(fixture_llama){.matrix_type = WISP_F16, .vector_type = WISP_F16});
    open_model(&m, &gguf);
    base_buffer_fini(&gguf);
    guest_engine *e = start(&m, "");
    char json[256];
    double sum = 0, squares = 0, first = 0;
    for (int from = 5; from >= 1; from--) {
        char before[64] = "";
        for (int i = 0; i < from; i++)
            snprintf(before + strlen(before), sizeof before - strlen(before), i ? ",%u" : "%u", tokens[i]);
        const double v = surprise_of(e, before, tokens[from]);
        sum += v;
        squares += v * v;
        for (int chunk = 1; chunk <= 6; chunk++) {
            snprintf(json, sizeof json,
                     "{\"object\":\"score\",\"from\":%d,\"chunk\":%d,\"tokens\":[1,40,41,200,7,100]}", from, chunk);
            const double nll = member_of(e, json, "nll");
            if (chunk == 1) first = nll;
            assert_true(nll == first); /* bit for bit */
            assert_true(fabs(nll - sum) < 1e-5);
            assert_true(fabs(member_of(e, json, "nll_squares") - squares) < 1e-4);
            assert_int_equal(member_of(e, json, "scored"), 6 - from);
        }
    }
    /* one output again, after buffers grew */
    assert_answers(e, "{\"prompt\":\"a\",\"max_tokens\":3}", "\"finish_reason\":");
    guest_engine_free(e);
    close_model(&m);
}

/* ---- vectors ---- */

static char *embed_with(const model *m, const char *options, const char *fields)
{
    char json[256];
    guest_engine *e = start(m, options);
    snprintf(json, sizeof json, "{\"object\":\"embeddings\",%s}", fields);
    char *line = ask(e, json);
    guest_engine_free(e);
    return line;
}

/* What comes before "usage", which is all that may depend on other things than the text. */
static void assert_same_vectors(char *a, char *b)
{
    char *end = strstr(a, "\"usage\"");
    assert_non_null(end);
    assert_memory_equal(a, b, (size_t)(end - a));
    base_free(a);
    base_free(b);
}

static void test_embeddings(void **state)
{
    static const char *const poolings[] = {"none", "mean", "cls", "last"};
    static const char *const refused[][2] = {
        {"\"x\":1", "input: a string or an array"},
        {"\"input\":7", "input: a string or an array"},
        {"\"input\":[\"a\",7]", "input: each must be"},
        {"\"input\":[[1],[999999]]", "input: token ids"},
        {"\"input\":[[1],[]]", "input: text 2: no tokens"},
        {"\"input\":[]", "input: no tokens"},
        {"\"input\":\"a\",\"pooling\":\"max\"", "pooling: must be"},
        {"\"input\":\"a\",\"pooling\":\"rank\"", "no head that makes scores"},
        {"\"input\":\"a\",\"encoding_format\":\"hex\"", "encoding_format: must be"},
        {"\"input\":\"a\",\"dimensions\":0", "dimensions: must be"},
        {"\"input\":\"a\",\"dimensions\":4096", "dimensions: this model's vectors have"},
        {"\"input\":\"a\",\"normalize\":1", "normalize: must be"},
        {"\"input\":[[1],[1,2,3,4,5,6,7,8,9]]", "input: text 2: 9 tokens do not fit the context of 8"},
    };
    (void)state;
    model m;
    open_fixture(&m);
    for (int i = 0; i < 4; i++) {
        char fields[128];
        snprintf(fields, sizeof fields, "\"input\":[[1,40,41,200,7,100],[1,3]],\"pooling\":\"%s\"", poolings[i]);
        assert_same_vectors(embed_with(&m, "", fields), embed_with(&m, "{\"chunk\":1}", fields));
        assert_same_vectors(embed_with(&m, "", fields), embed_with(&m, "{\"chunk\":4}", fields));
    }
    guest_engine *e = start(&m, "{\"context\":8}");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char json[192];
        snprintf(json, sizeof json, "{\"object\":\"embeddings\",%s}", refused[i][0]);
        assert_int_equal(guest_submit(e, json, strlen(json)), 0);
        const base_span event = guest_next_event(e);
        if (!memmem(event.data, event.size, refused[i][1], strlen(refused[i][1]))) print_error("%s\n", json);
        assert_non_null(memmem(event.data, event.size, refused[i][1], strlen(refused[i][1])));
    }
    assert_answers(e, "{\"object\":\"embeddings\",\"input\":[1],\"dimensions\":1}", "\"embedding\":[-1],");
    assert_answers(e, "{\"object\":\"embeddings\",\"input\":[1],\"dimensions\":1,\"encoding_format\":\"base64\"}",
                   "\"embedding\":\"AACAvw==\",\"tokens\":1}");
    assert_answers(e, "{\"object\":\"embeddings\",\"input\":[[1],[1,2]]}",
                   "\"usage\":{\"prompt_tokens\":3,\"total_tokens\":3}");
    assert_answers(e, "{\"prompt\":\"a\",\"max_tokens\":3}", "\"finish_reason\":"); /* logits again */
    guest_engine_free(e);
    close_model(&m);
}

static void test_embeddings_out_of_memory(void **state)
{
    (void)state;
    model m;
    open_fixture(&m);
    bool finished = false;
    for (int n = 0; !finished; n++) {
        wisp_report report = {0};
        guest_engine *e = start(&m, "");
        base_mem_fail_after(n);
        static const char json[] = "{\"object\":\"embeddings\",\"input\":[[1,40,41],\"ab\"]}";
        guest_submit(e, json, sizeof json - 1);
        while (guest_step(e) > 0)
            ;
        base_mem_fail_after(-1);
        for (base_span event; (event = guest_next_event(e)).data;)
            finished |= memmem(event.data, event.size, "\"list\"", 6) != NULL;
        guest_engine_free(e);
        (void)report;
    }
    close_model(&m);
}

/* ---- a trained model against its reference ---- */

static const char *shared_path(const char *name)
{
    static char path[768];
    const char *said = getenv("WISP_SHARED");
    snprintf(path, sizeof path, "%s/models/stories/%s", said ? said : "../shared", name);
    return path;
}

/* Logits within `tolerance`; the same greedy tokens too, if that can be demanded (not of 8-bit activations). */
static void check_prompt(guest_engine *e, const base_json *want, double tolerance, bool same_ids)
{
    base_buffer json = {0};
    const base_json *prompt = base_json_get(want, "prompt"), *greedy = base_json_get(want, "greedy_ids");
    base_put_text(&json, "{\"object\":\"logits\",\"top\":20,\"chunk\":5,\"prompt\":");
    base_json_put_string(&json, prompt->text, prompt->size);
    base_putf(&json, ",\"greedy\":%u}", (unsigned)greedy->count);
    base_put_u8(&json, 0);
    char *line = ask(e, (char *)json.data);
    answer got = parse(line);
    static const char *const lists[] = {"prompt_ids", "greedy_ids"};
    for (int k = 0; k < (same_ids ? 2 : 1); k++) {
        const base_json *a = base_json_get(got.root, lists[k]), *b = base_json_get(want, lists[k]);
        assert_int_equal(a->count, b->count);
        for (uint32_t i = 0; i < a->count; i++)
            assert_int_equal(number_at(a, i), number_at(b, i));
    }
    for (uint32_t i = 0; i < 20; i++) { /* by id: near ties may change places */
        const base_json *pair = base_json_at(base_json_get(want, "top20"), i), *all = base_json_get(got.root, "top");
        for (const base_json *p = all->first; p; p = p->next)
            if (number_at(p, 0) == number_at(pair, 0))
                assert_true(fabs(number_at(p, 1) - number_at(pair, 1)) < tolerance);
    }
    base_json_free(got.doc);
    base_free(line);
    base_buffer_fini(&json);
}

static void check_story(const char *file, const char *reference, double tolerance, bool same_ids)
{
    os_map gguf_map, reference_map;
    os_file_info info;
    wisp_report report = {0};
    if (!os_stat(shared_path(file), &info)) {
        print_message("skipped: %s is not there\n", shared_path(file));
        skip();
    }
    assert_int_equal(os_map_file(&gguf_map, shared_path(file), &report), WISP_OK);
    assert_int_equal(os_map_file(&reference_map, shared_path(reference), &report), WISP_OK);
    base_buffer gguf = {.data = (uint8_t *)(uintptr_t)gguf_map.data, .size = (size_t)gguf_map.size};
    model m;
    open_model(&m, &gguf);
    guest_engine *e = start(&m, "");
    unsigned prompts = 0;
    const char *at = (const char *)reference_map.data, *end = at + reference_map.size;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((newline ? newline : end) - at);
        base_json_doc *doc;
        const base_json *root;
        assert_int_equal(base_json_parse(&doc, &root, at, size, &report), WISP_OK);
        check_prompt(e, root, tolerance, same_ids);
        base_json_free(doc);
        prompts++;
        at += size + 1;
    }
    guest_engine_free(e);
    print_message("%s: %u prompts\n", file, prompts);
    assert_true(prompts > 0);
    check_same_digest(&m, "Once upon a time there was a");
    close_model(&m);
    os_unmap(&gguf_map);
    os_unmap(&reference_map);
}

static void test_story_f32(void **state)
{
    (void)state;
    check_story("stories260K-f32.gguf", "stories260K-f32.jsonl", 1e-4, true);
}

static void test_story_f16(void **state)
{
    (void)state;
    check_story("stories260K-f16.gguf", "stories260K-f16.jsonl", 0.02, true);
}

static void test_story_q8(void **state)
{
    (void)state;
    check_story("stories260K-pad192-Q8_0.gguf", "stories260K-pad192-Q8_0.dequant.jsonl", 0.36, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenize),         cmocka_unit_test(test_streams_the_same_text),
        cmocka_unit_test(test_finish_reasons),   cmocka_unit_test(test_parallel),
        cmocka_unit_test(test_stop_strings),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_options),          cmocka_unit_test(test_vocabulary_only),
        cmocka_unit_test(test_out_of_memory),    cmocka_unit_test(test_unknown_op),
        cmocka_unit_test(test_damaged_programs), cmocka_unit_test(test_digest),
        cmocka_unit_test(test_story_f32),        cmocka_unit_test(test_story_f16),
        cmocka_unit_test(test_story_q8),         cmocka_unit_test(test_score),
        cmocka_unit_test(test_embeddings),       cmocka_unit_test(test_embeddings_out_of_memory),
        cmocka_unit_test(test_context_shift),    cmocka_unit_test(test_context_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
