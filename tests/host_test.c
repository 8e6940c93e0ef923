/* include/wisp as an embedder uses it: the model in the box packed, run, cancelled, interrupted; misuse and failing
 * allocation give errors, not crashes. */
/* what cmocka.h needs comes first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wisp/json.h>
#include <wisp/sign.h>
#include <wisp/wisp.h>

#include "base/mem.h"
#include "os/os.h"

static char folder[] = "/tmp/wisp-host-test-XXXXXX", capsule_path[64];
static wisp_capsule *capsule;

static int prepare(void **state)
{
    (void)state;
    char model[4096];
    wisp_report report = {0};
    snprintf(model, sizeof model, "%s/models/wisp-stories.gguf", getenv("WISP_SOURCE"));
    if (!mkdtemp(folder)) return -1;
    snprintf(capsule_path, sizeof capsule_path, "%s/story.wasm", folder);
    wisp_pack_options options = {.size = sizeof options, .input = model, .output = capsule_path, .name = "story"};
    if (wisp_pack(&options, &report) != WISP_OK || wisp_open(&capsule, capsule_path, NULL, &report) != WISP_OK) {
        fprintf(stderr, "%s\n", report.text);
        return -1;
    }
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    wisp_close(capsule);
    unlink(capsule_path);
    return rmdir(folder);
}

static wisp_session *start(const wisp_session_options *options)
{
    wisp_session *session = NULL;
    wisp_report report = {0};
    if (wisp_session_new(&session, capsule, options, &report) != WISP_OK) fail_msg("%s", report.text);
    return session;
}

static uint32_t submit(wisp_session *session, int32_t max_tokens)
{
    uint32_t id = 0;
    wisp_report report = {0};
    wisp_completion request = WISP_COMPLETION_DEFAULTS;
    request.prompt = "Once upon a time";
    request.prompt_size = strlen(request.prompt);
    request.max_tokens = max_tokens;
    request.temperature = 0;
    request.ignore_eos = true;
    if (wisp_submit(session, &request, &id, &report) != WISP_OK) fail_msg("%s", report.text);
    assert_true(id > 0);
    return id;
}

typedef struct story {
    char text[4][4096];
    wisp_event done[4];
    int finished;
} story;

static bool collect(void *context, const wisp_event *event)
{
    story *s = context;
    assert_in_range(event->id, 1, 3);
    if (event->kind == WISP_EVENT_TEXT || event->kind == WISP_EVENT_DONE)
        strncat(s->text[event->id], event->text, 1000);
    if (event->kind == WISP_EVENT_DONE) {
        s->done[event->id] = *event;
        s->done[event->id].finish_reason = strcmp(event->finish_reason, "length") == 0 ? "length" : "other";
        s->finished++;
    }
    return true;
}

static void sessions_give_equal_texts(void **state)
{
    (void)state;
    story first = {0}, second = {0};
    wisp_session_options portable = {.size = sizeof portable, .device = WISP_DEVICE_PORTABLE, .context_length = 128};
    wisp_session *a = start(NULL), *b = start(&portable);
    submit(a, 12);
    submit(b, 12);
    assert_int_equal(wisp_run(a, collect, &first, NULL), WISP_OK);
    assert_int_equal(wisp_run(b, collect, &second, NULL), WISP_OK);
    assert_int_equal(first.finished, 1);
    assert_string_equal(first.text[1], second.text[1]);
    assert_true(strlen(first.text[1]) > 12);
    assert_int_equal(first.done[1].completion_tokens, 12);
    assert_string_equal(first.done[1].finish_reason, "length");
    wisp_session_stats stats = {.size = sizeof stats};
    assert_int_equal(wisp_session_get_stats(a, &stats, NULL), WISP_OK);
    assert_true(stats.guest_bytes > 0 && stats.device_bytes > 0);
    wisp_session_free(a);
    wisp_session_free(b);
}

static void several_requests_and_cancel(void **state)
{
    (void)state;
    story s = {0};
    wisp_session *session = start(NULL);
    uint32_t one = submit(session, 8), two = submit(session, 8), three = submit(session, 1000);
    assert_int_equal(wisp_cancel(session, three, NULL), WISP_OK);
    assert_int_equal(wisp_cancel(session, 99, NULL), WISP_E_NOT_FOUND);
    assert_int_equal(wisp_run(session, collect, &s, NULL), WISP_OK);
    assert_int_equal(s.finished, 3);
    assert_string_equal(s.text[one], s.text[two]);
    wisp_session_free(session);
}

static void bad_requests_leave_the_session_usable(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"prompt\":7}",
        "{\"prompt\":\"x\",\"temperature\":-1}",
        "{\"prompt\":\"x\",\"max_tokens\":1e99}",
        "{\"prompt\":\"x\",\"n\":2}",
        "{\"object\":\"nonsense\"}",
        "{\"prompt\":[1,2,99999999]}",
        "{\"prompt\":[-1]}",
    };
    wisp_session *session = start(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wisp_report report = {0};
        assert_int_not_equal(wisp_submit_json(session, bad[i], strlen(bad[i]), NULL, &report), WISP_OK);
        assert_true(report.status != WISP_OK && *report.text);
    }
    story s = {0};
    uint32_t id = submit(session, 4);
    assert_in_range(id, 1, 3);
    assert_int_equal(wisp_run(session, collect, &s, NULL), WISP_OK);
    assert_int_equal(s.finished, 1);
    wisp_session_free(session);
}

static void interrupt_later(void *session)
{
    usleep(50000);
    wisp_session_interrupt(session);
}

static bool ignore(void *context, const wisp_event *event)
{
    (void)context;
    (void)event;
    return true;
}

/* Requests without end, so that only the interrupt can end it. */
static void interrupt_one(const wisp_session_options *options)
{
    wisp_session *session = start(options);
    os_thread *thread;
    wisp_report report = {0};
    wisp_status status;
    assert_int_equal(os_thread_start(&thread, interrupt_later, session, NULL), WISP_OK);
    do {
        static const char request[] = "{\"prompt\":\"Once\",\"max_tokens\":100,\"ignore_eos\":true,\"stream\":true}";
        status = wisp_submit_json(session, request, strlen(request), NULL, &report);
        if (status == WISP_OK) status = wisp_run(session, ignore, NULL, &report);
    } while (status == WISP_OK);
    assert_int_equal(status, WISP_E_CANCELLED);
    os_thread_join(thread);
    assert_int_equal(wisp_submit_json(session, "{}", 2, NULL, NULL), WISP_E_USAGE); /* dead, and says so */
    wisp_session_free(session);
}

static void an_interrupt_ends_a_run(void **state)
{
    (void)state;
    wisp_session_options options[] = {{.size = sizeof *options, .device = WISP_DEVICE_PORTABLE},
                                      {.size = sizeof *options, .threads = 1},
                                      {.size = sizeof *options, .threads = 2}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        interrupt_one(&options[i]);
}

static void limits_are_errors(void **state)
{
    (void)state;
    wisp_session *session = NULL;
    wisp_report report = {0};
    wisp_session_options little = {.size = sizeof little, .device_limit = 100000};
    wisp_status status = wisp_session_new(&session, capsule, &little, &report);
    if (status == WISP_OK) { /* buffers may come with the first request */
        wisp_event event = {.size = sizeof event};
        status = wisp_submit_json(session, "{\"prompt\":\"x\"}", 14, NULL, &report);
        if (status == WISP_OK) status = wisp_poll(session, &event, &report);
        assert_true(status != WISP_OK || event.kind == WISP_EVENT_ERROR);
    }
    wisp_session_free(session);
    session = NULL;
    wisp_session_options small = {.size = sizeof small, .memory_limit = 65536};
    assert_int_not_equal(wisp_session_new(&session, capsule, &small, &report), WISP_OK);
    wisp_session_options long_context = {.size = sizeof long_context, .context_length = 1000000000};
    assert_int_not_equal(wisp_session_new(&session, capsule, &long_context, &report), WISP_OK);
    wisp_session_options many = {.size = sizeof many, .threads = 100000};
    assert_int_not_equal(wisp_session_new(&session, capsule, &many, &report), WISP_OK);
}

static void misuse_is_an_error(void **state)
{
    (void)state;
    wisp_report report = {0};
    wisp_capsule *none = NULL;
    assert_int_equal(wisp_open(NULL, "x", NULL, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_open(&none, NULL, NULL, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_open(&none, "/no/such/file", NULL, &report), WISP_E_NOT_FOUND);
    assert_non_null(strstr(report.text, "/no/such/file"));
    assert_null(none);
    assert_int_equal(wisp_session_new(NULL, NULL, NULL, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_poll(NULL, NULL, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_pack(NULL, NULL), WISP_E_USAGE);
    wisp_session *session = start(NULL);
    assert_int_equal(wisp_run(session, NULL, NULL, NULL), WISP_E_USAGE);
    wisp_completion not_finite = WISP_COMPLETION_DEFAULTS;
    not_finite.prompt = "x";
    not_finite.temperature = 0.0 / 0.0;
    assert_int_equal(wisp_submit(session, &not_finite, NULL, NULL), WISP_E_USAGE);
    wisp_session_free(session);
    wisp_close(NULL);
    wisp_session_free(NULL);
    wisp_session_interrupt(NULL);
}

/* Every struct of options and results of wisp.h and sign.h whose size is not set. */
static void sizes_must_be_set(void **state)
{
    (void)state;
    wisp_capsule *none = NULL;
    wisp_session *no_session = NULL, *session = start(NULL);
    const wisp_open_options open = {0};
    const wisp_session_options options = {0};
    const wisp_completion completion = {.prompt = "x"};
    const wisp_pack_options pack = {.input = capsule_path, .output = "/nowhere/x"};
    const wisp_compile_options compile = {.input = capsule_path, .output = "/nowhere/x"},
                               sized = {.size = sizeof sized, .input = capsule_path, .output = "/nowhere/x"};
    const wisp_sign_options sign = {.input = capsule_path};
    const wisp_verify_options verify = {.file = capsule_path},
                              sized_verify = {.size = sizeof sized_verify, .file = capsule_path};
    wisp_event event = {0};
    wisp_session_stats stats = {0};
    wisp_compile_result result = {0};
    wisp_read_speed speed = {0};
    wisp_verdict verdict = {0};
    assert_int_equal(wisp_open(&none, capsule_path, &open, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_session_new(&no_session, capsule, &options, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_submit(session, &completion, NULL, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_poll(session, &event, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_session_get_stats(session, &stats, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_pack(&pack, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_compile(&compile, NULL, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_compile(&sized, &result, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_measure_read(capsule, 1, 1, &speed, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_sign(&sign, NULL, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_verify(&verify, &verdict, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_verify(&sized_verify, &verdict, NULL), WISP_E_USAGE);
    wisp_session_free(session);
}

/* Programs compiled against another version's header. */
static void other_headers(void **state)
{
    (void)state;
    wisp_session *session = NULL;
    struct {
        wisp_session_stats known;
        uint64_t later;
    } newer = {.known = {.size = sizeof newer}, .later = 7};
    struct {
        wisp_session_options known;
        uint64_t later;
    } asks = {.known = {.size = sizeof asks, .threads = 1}};
    assert_int_equal(wisp_session_new(&session, capsule, &asks.known, NULL), WISP_OK);
    assert_int_equal(wisp_session_get_stats(session, &newer.known, NULL), WISP_OK);
    assert_int_equal(newer.known.size, sizeof newer);
    assert_int_equal(newer.known.threads, 1);
    assert_non_null(newer.known.code);
    assert_int_equal(newer.later, 0);
    wisp_session_stats older = {.size = offsetof(wisp_session_stats, device_bytes), .device_bytes = 99};
    assert_int_equal(wisp_session_get_stats(session, &older, NULL), WISP_OK);
    assert_true(older.guest_bytes > 0);
    assert_int_equal(older.device_bytes, 99); /* not there, for that program */
    wisp_session_free(session);
    asks.later = 1;
    assert_int_equal(wisp_session_new(&session, capsule, &asks.known, NULL), WISP_E_UNSUPPORTED);
}

static void failing_allocation_is_an_error(void **state)
{
    (void)state;
    int succeeded = 0;
    for (long n = 0; n < 20000 && succeeded < 2; n = n < 200 ? n + 1 : n + n / 9) {
        wisp_capsule *c = NULL;
        wisp_session *s = NULL;
        wisp_report report = {0};
        base_mem_fail_after(n);
        wisp_status status = wisp_open(&c, capsule_path, NULL, &report);
        if (status == WISP_OK) status = wisp_session_new(&s, c, NULL, &report);
        base_mem_fail_after(-1);
        if (status != WISP_OK) assert_true(report.status != WISP_OK);
        succeeded += status == WISP_OK;
        wisp_session_free(s);
        wisp_close(c);
    }
    assert_true(succeeded > 0);
}

static void manifest_and_verification(void **state)
{
    (void)state;
    size_t size;
    wisp_json *doc;
    const char *text = wisp_capsule_manifest(capsule, &size);
    assert_int_equal(wisp_json_parse(&doc, text, size, NULL), WISP_OK);
    assert_string_equal(wisp_json_text(wisp_json_get(wisp_json_root(doc), "name")), "story");
    wisp_json_free(doc);
    assert_int_equal(wisp_capsule_verify(capsule, NULL, NULL, NULL), WISP_OK);
    assert_true(wisp_capsule_weight_bytes(capsule) < wisp_capsule_file_bytes(capsule));
    assert_null(wisp_capsule_manifest(NULL, &size));
    assert_int_equal(size, 0);
    assert_null(wisp_capsule_manifest(NULL, NULL));
    assert_int_equal(wisp_capsule_file_bytes(NULL), 0);
    assert_int_equal(wisp_capsule_weight_bytes(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_give_equal_texts),
        cmocka_unit_test(several_requests_and_cancel),
        cmocka_unit_test(bad_requests_leave_the_session_usable),
        cmocka_unit_test(an_interrupt_ends_a_run),
        cmocka_unit_test(limits_are_errors),
        cmocka_unit_test(misuse_is_an_error),
        cmocka_unit_test(sizes_must_be_set),
        cmocka_unit_test(other_headers),
        cmocka_unit_test(failing_allocation_is_an_error),
        cmocka_unit_test(manifest_and_verification),
    };
    return cmocka_run_group_tests_name("host", tests, prepare, clean_up);
}
