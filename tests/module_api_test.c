/* include/wisp/module.h as an embedder uses it: inspection, calls of every shape, host functions, limits told apart,
 * traps with frames, interruption, re-entrancy, misuse, failing allocations. The guest is tests/guests/api_guest.c. */
/* what cmocka.h needs comes first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <wisp/module.h>

#include "base/mem.h"
#include "os/os.h"

static wisp_module *module;

static int prepare(void **state)
{
    (void)state;
    wisp_report report = {0};
    if (wisp_module_open(&module, NULL, getenv("WISP_API_GUEST"), &report) == WISP_OK) return 0;
    fprintf(stderr, "%s\n", report.text);
    return -1;
}

static int clean_up(void **state)
{
    (void)state;
    wisp_module_free(module);
    return 0;
}

/* ---- host functions ---- */

typedef struct host_state {
    unsigned calls;
    char text[64];
    wisp_status inner; /* what the last call from inside returned */
    bool swallow;
} host_state;

/* Calls back into the guest, down to 0; below that, into a trap. */
static wisp_status call_back(void *context, wisp_instance *caller, wisp_value *v)
{
    host_state *h = context;
    int32_t n = v[0].i32, result = 0;
    h->calls++;
    if (n > 0)
        h->inner = wisp_call(caller, NULL, "nested", "(i)i", n - 1, &result);
    else if (n < 0)
        h->inner = wisp_call(caller, NULL, "outer", "(i)i", 1, &result);
    v[0].i32 = result;
    return h->swallow ? WISP_OK : h->inner;
}

static wisp_status fail_as_asked(void *context, wisp_instance *caller, wisp_value *v)
{
    (void)context;
    uint8_t byte;
    switch (v[0].i32) {
    case 0:
        return wisp_host_fail(caller, "no %s number %d", "widget", 7);
    case 1:
        return wisp_host_exit(caller, 42);
    case 2:
        return WISP_E_IO;
    case 3:
        return wisp_memory_read(caller, 1ull << 40, &byte, 1);
    default:
        return WISP_OK;
    }
}

static wisp_status take_text(void *context, wisp_instance *caller, wisp_value *v)
{
    host_state *h = context;
    if (v[1].u32 >= sizeof h->text) return wisp_host_fail(caller, "too long");
    wisp_status status = wisp_memory_read(caller, v[0].u32, h->text, v[1].u32);
    v[0].i32 = 5;
    return status;
}

static const wisp_host_function functions[] = {
    {"call_back", "(i)i", call_back}, {"fail", "(i)", fail_as_asked}, {"text", "(ii)i", take_text}};

static wisp_instance *start(host_state *h, const wisp_limits *limits, wisp_module *of)
{
    static const wisp_limits small = {.size = sizeof small, .stack = 256 << 10, .call_depth = 5000};
    wisp_instance *instance = NULL;
    wisp_report report = {0};
    wisp_host_module env = {"env", functions, 3, h};
    if (!limits) limits = &small; /* a store's stacks are filled where MALLOC_PERTURB_ is set: large ones take time */
    wisp_wasi wasi = {.size = sizeof wasi};
    wisp_instance_options options = {
        .size = sizeof options, .limits = limits, .wasi = &wasi, .modules = &env, .module_count = 1};
    if (wisp_instance_new(&instance, of, &options, &report) != WISP_OK) fail_msg("%s", report.text);
    return instance;
}

/* ---- modules ---- */

static void inspection(void **state)
{
    (void)state;
    const wisp_extern *e = wisp_module_import(module, 0);
    assert_non_null(e);
    assert_string_equal(e->module, "env");
    assert_int_equal(e->kind, WISP_FUNC);
    unsigned imports = 0, found = 0;
    while (wisp_module_import(module, imports))
        imports++;
    assert_int_equal(imports, 4);
    for (uint32_t i = 0; (e = wisp_module_export(module, i)); i++) {
        assert_null(e->module);
        if (strcmp(e->name, "mix") == 0) found += strcmp(e->type, "(iIfF)F") == 0;
        if (strcmp(e->name, "memory") == 0) found += e->kind == WISP_MEMORY && strstr(e->type, "pages");
    }
    assert_int_equal(found, 2);
    assert_null(wisp_module_import(module, UINT32_MAX));
    assert_null(wisp_module_export(NULL, 0));
    assert_string_equal(wisp_kind_text(WISP_TAG), "tag");
    assert_string_equal(wisp_kind_text((wisp_kind)99), "unknown");
}

static void expect_module(wisp_status status, const void *bytes, size_t size, const char *words)
{
    wisp_module *m = NULL;
    wisp_report report = {0};
    assert_int_equal(wisp_module_new(&m, NULL, bytes, size, &report), status);
    assert_null(m);
    assert_int_equal(report.status, status);
    if (!strstr(report.text, words)) fail_msg("'%s' does not say '%s'", report.text, words);
}

static void bad_modules(void **state)
{
    (void)state;
    wisp_module *m = NULL;
    wisp_report report = {0};
    expect_module(WISP_E_TRUNCATED, "", 0, "empty");
    expect_module(WISP_E_INPUT, "#!/bin/sh\n", 10, "not a WebAssembly module");
    expect_module(WISP_E_UNSUPPORTED, "\0asm\x0d\0\1\0", 8, "component");
    expect_module(WISP_E_USAGE, NULL, 3, "no bytes");
    assert_int_equal(wisp_module_open(&m, NULL, "/nowhere/x.wasm", &report), WISP_E_NOT_FOUND);
    assert_int_equal(wisp_module_open(&m, NULL, "/tmp", NULL), WISP_E_IO);
    assert_int_equal(wisp_module_open(&m, NULL, NULL, NULL), WISP_E_USAGE);
    assert_int_equal(wisp_probe(getenv("WISP_API_GUEST")), WISP_FILE_MODULE);
    assert_int_equal(wisp_probe("/tmp"), WISP_FILE_UNKNOWN);
    assert_int_equal(wisp_probe(NULL), WISP_FILE_UNKNOWN);
}

/* ---- calls ---- */

static void typed_calls(void **state)
{
    (void)state;
    host_state h = {0};
    wisp_instance *instance = start(&h, NULL, module);
    int32_t sum = 0;
    int64_t product = 0;
    double mixed = 0;
    float halved = 0;
    wisp_report report = {0};
    assert_int_equal(wisp_call(instance, &report, "add", "(ii)i", -3, 5, &sum), WISP_OK);
    assert_int_equal(sum, 2);
    assert_int_equal(wisp_call(instance, NULL, "multiply", "(II)I", INT64_C(-5), INT64_C(1) << 40, &product), WISP_OK);
    assert_int_equal(product, -(INT64_C(5) << 40));
    assert_int_equal(wisp_call(instance, NULL, "mix", "(iIfF)F", 1, INT64_C(2), 0.5, 8.0, &mixed), WISP_OK);
    assert_true(mixed == 7);
    assert_int_equal(wisp_call(instance, NULL, "half", "(f)f", 5.0, &halved), WISP_OK);
    assert_true(halved == 2.5f);
    assert_int_equal(wisp_call(instance, NULL, "add", "(ii)i", 1, 2, NULL), WISP_OK);
    wisp_func *add = NULL;
    wisp_value values[2] = {{.i32 = 40}, {.i32 = 2}};
    assert_int_equal(wisp_func_find(&add, instance, "add", "(ii)i", NULL), WISP_OK);
    assert_int_equal(wisp_func_call(instance, add, values, 2, values, 1, &report), WISP_OK);
    assert_int_equal(values[0].i32, 42);
    int32_t pointer, initialized;
    assert_int_equal(wisp_call(instance, NULL, "pointer", "()i", &pointer), WISP_OK);
    assert_int_equal(wisp_func_indirect(&add, instance, NULL, (uint32_t)pointer, "(ii)i", &report), WISP_OK);
    values[0].i32 = 1;
    assert_int_equal(wisp_func_call(instance, add, values, 2, values, 1, NULL), WISP_OK);
    assert_int_equal(values[0].i32, 3);
    assert_int_equal(wisp_call(instance, NULL, "initialized", "()i", &initialized), WISP_OK);
    assert_int_equal(initialized, 1);
    assert_int_equal(report.status, WISP_OK);
    wisp_instance_free(instance);
}

/* (iI)Ii swaps; (e)e and (v)v give back; g a mutable i32, c a constant i64. */
static const uint8_t shapes[] = {
    0,    'a',  's',  'm',  1,    0,    0,    0,    1,  18,   3,   0x60, 2,   0x7f, 0x7e, 2,  0x7e, 0x7f, 0x60, 1,
    0x6f, 1,    0x6f, 0x60, 1,    0x7b, 1,    0x7b, 3,  4,    3,   0,    1,   2,    6,    11, 2,    0x7f, 1,    0x41,
    7,    0x0b, 0x7e, 0,    0x42, 9,    0x0b, 7,    28, 5,    4,   's',  'w', 'a',  'p',  0,  0,    3,    'r',  'e',
    'f',  0,    1,    3,    'v',  'e',  'c',  0,    2,  1,    'g', 3,    0,   1,    'c',  3,  1,    10,   18,   3,
    6,    0,    0x20, 1,    0x20, 0,    0x0b, 4,    0,  0x20, 0,   0x0b, 4,   0,    0x20, 0,  0x0b};

static void other_shapes_and_globals(void **state)
{
    (void)state;
    wisp_module *m = NULL;
    wisp_instance *instance = NULL;
    wisp_report report = {0};
    if (wisp_module_new(&m, NULL, shapes, sizeof shapes, &report) != WISP_OK) fail_msg("%s", report.text);
    assert_int_equal(wisp_instance_new(&instance, m, NULL, &report), WISP_OK);
    int64_t wide;
    int32_t narrow;
    void *reference;
    uint8_t vector[16] = "fifteen letters", same[16] = {0};
    assert_int_equal(wisp_call(instance, NULL, "swap", "(iI)Ii", -7, INT64_C(9), &wide, &narrow), WISP_OK);
    assert_true(wide == 9 && narrow == -7);
    assert_int_equal(wisp_call(instance, NULL, "ref", "(e)e", &wide, &reference), WISP_OK);
    assert_ptr_equal(reference, &wide);
    assert_int_equal(wisp_call(instance, NULL, "vec", "(v)v", vector, same), WISP_OK);
    assert_memory_equal(vector, same, 16);
    wisp_value v;
    assert_int_equal(wisp_global_get(instance, "g", 'i', &v, NULL), WISP_OK);
    assert_int_equal(v.i32, 7);
    assert_int_equal(wisp_global_set(instance, "g", 'i', (wisp_value){.i32 = -1}, NULL), WISP_OK);
    assert_int_equal(wisp_global_get(instance, "g", 'i', &v, NULL), WISP_OK);
    assert_int_equal(v.i32, -1);
    assert_int_equal(wisp_global_get(instance, "c", 'I', &v, NULL), WISP_OK);
    assert_int_equal(v.i64, 9);
    assert_int_equal(wisp_global_set(instance, "c", 'I', v, &report), WISP_E_INPUT);
    assert_non_null(strstr(report.text, "constant"));
    assert_int_equal(wisp_global_get(instance, "g", 'I', &v, NULL), WISP_E_INPUT);
    assert_int_equal(wisp_global_get(instance, "swap", 'i', &v, NULL), WISP_E_NOT_FOUND);
    assert_int_equal(wisp_memory_size(instance), 0);
    assert_int_equal(wisp_memory_grow(instance, 1, NULL), WISP_E_USAGE);
    assert_string_equal(wisp_module_export(m, 3)->type, "mutable i32");
    wisp_instance_free(instance);
    wisp_module_free(m);
}

#define EXPECT(wanted, call)                                                                                           \
    do {                                                                                                               \
        report = (wisp_report){0};                                                                                     \
        assert_int_equal(call, wanted);                                                                                \
        assert_int_equal(report.status, wanted);                                                                       \
        assert_true(report.text[0]);                                                                                   \
    } while (0)

static void wrong_calls(void **state)
{
    (void)state;
    host_state h = {0};
    wisp_instance *instance = start(&h, NULL, module), *other = start(&h, NULL, module);
    wisp_report report;
    wisp_func *add = NULL;
    wisp_value v[3] = {{.i32 = 0}};
    int32_t out;
    EXPECT(WISP_E_NOT_FOUND, wisp_call(instance, &report, "nothing", "()"));
    EXPECT(WISP_E_NOT_FOUND, wisp_call(instance, &report, "memory", "()"));
    EXPECT(WISP_E_INPUT, wisp_call(instance, &report, "add", "(iI)i", 1, INT64_C(1), &out));
    assert_non_null(strstr(report.text, "add is (ii)i, not (iI)i"));
    EXPECT(WISP_E_INPUT, wisp_call(instance, &report, "add", "(i)i", 1, &out));
    EXPECT(WISP_E_INPUT, wisp_call(instance, &report, "add", "(ii)", 1, 1));
    static const char *const wrong[] = {"", "ii", "(ii", "(ix)i", "(ii)i ", "(ii)(i)", "(?)"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        EXPECT(WISP_E_USAGE, wisp_call(instance, &report, "add", wrong[i], 1, 1, &out));
    EXPECT(WISP_E_USAGE, wisp_call(instance, &report, "add", NULL));
    EXPECT(WISP_E_USAGE, wisp_call(instance, &report, NULL, "()"));
    EXPECT(WISP_E_USAGE, wisp_call(NULL, &report, "add", "()"));
    assert_int_equal(wisp_func_find(&add, other, "add", "(ii)i", NULL), WISP_OK);
    EXPECT(WISP_E_USAGE, wisp_func_call(instance, add, v, 2, v, 1, &report));
    EXPECT(WISP_E_USAGE, wisp_func_call(other, add, v, 1, v, 1, &report));
    EXPECT(WISP_E_USAGE, wisp_func_call(other, add, v, 2, v, 2, &report));
    EXPECT(WISP_E_USAGE, wisp_func_call(other, add, NULL, 2, v, 1, &report));
    EXPECT(WISP_E_USAGE, wisp_func_call(other, NULL, v, 2, v, 1, &report));
    EXPECT(WISP_E_USAGE, wisp_func_call(NULL, add, v, 2, v, 1, &report));
    EXPECT(WISP_E_USAGE, wisp_func_find(NULL, other, "add", "(ii)i", &report));
    EXPECT(WISP_E_NOT_FOUND, wisp_func_indirect(&add, other, NULL, 0, "(ii)i", &report)); /* C's null pointer */
    EXPECT(WISP_E_NOT_FOUND, wisp_func_indirect(&add, other, NULL, UINT64_MAX, "(ii)i", &report));
    EXPECT(WISP_E_NOT_FOUND, wisp_func_indirect(&add, other, "no such table", 1, "(ii)i", &report));
    EXPECT(WISP_E_INPUT, wisp_func_indirect(&add, other, NULL, 1, "(F)i", &report));
    EXPECT(WISP_E_NOT_FOUND, wisp_instance_run(instance, NULL, &report));
    EXPECT(WISP_E_USAGE, wisp_instance_run(NULL, NULL, &report));
    EXPECT(WISP_E_USAGE, wisp_instance_start(NULL, &report));
    EXPECT(WISP_E_USAGE, wisp_memory_grow(NULL, 1, &report));
    EXPECT(WISP_E_USAGE, wisp_global_get(NULL, "g", 'i', v, &report));
    EXPECT(WISP_E_USAGE, wisp_global_get(instance, "g", 'i', NULL, &report));
    EXPECT(WISP_E_USAGE, wisp_global_set(instance, NULL, 'i', v[0], &report));
    assert_null(wisp_instance_trap(NULL));
    assert_null(wisp_memory_at(NULL, 0, 0));
    assert_int_equal(wisp_memory_read(NULL, 0, v, 1), WISP_E_USAGE);
    assert_int_equal(wisp_memory_write(instance, 0, NULL, 1), WISP_E_USAGE);
    assert_int_equal(wisp_memory_size(NULL), 0);
    wisp_instance_interrupt(NULL);
    wisp_instance_resume(NULL);
    wisp_instance_set_fuel(NULL, 1);
    wisp_instance_free(NULL);
    wisp_module_free(NULL);
    wisp_engine_free(NULL);
    wisp_instance_free(instance);
    wisp_instance_free(other);
}

/* ---- traps ---- */

static void traps_have_frames(void **state)
{
    (void)state;
    host_state h = {0};
    wisp_report report;
    int32_t out = 77;
    wisp_instance *instance = start(&h, NULL, module);
    EXPECT(WISP_E_TRAP, wisp_call(instance, &report, "outer", "(i)i", 5, &out));
    assert_int_equal(out, 77);
    assert_non_null(strstr(report.text, "integer divide by zero, in divide"));
    const wisp_trap *trap = wisp_instance_trap(instance);
    assert_int_equal(trap->status, WISP_E_TRAP);
    assert_string_equal(trap->reason, "integer divide by zero");
    assert_int_equal(trap->frame_count, 2);
    assert_int_equal(trap->depth, 2);
    assert_string_equal(trap->frames[0].name, "divide");
    assert_string_equal(trap->frames[1].name, "outer");
    assert_true(trap->frames[0].offset > 0 && trap->frames[0].offset < trap->frames[1].offset);
    EXPECT(WISP_E_TRAP, wisp_call(instance, &report, "deep", "(i)i", 0, &out));
    assert_string_equal(trap->reason, "call stack exhausted");
    assert_true(trap->depth > 1000 && trap->frame_count < 100);
    assert_int_equal(wisp_call(instance, NULL, "add", "(ii)i", 1, 1, &out), WISP_OK);
    assert_int_equal(trap->status, WISP_OK);
    assert_int_equal(trap->frame_count, 0);
    wisp_instance_free(instance);
}

static void host_functions_that_fail(void **state)
{
    (void)state;
    host_state h = {0};
    wisp_report report;
    wisp_instance *instance = start(&h, NULL, module);
    const wisp_trap *trap = wisp_instance_trap(instance);
    EXPECT(WISP_E_TRAP, wisp_call(instance, &report, "failing", "(i)", 0));
    assert_string_equal(trap->reason, "no widget number 7");
    assert_string_equal(trap->frames[0].name, "failing");
    EXPECT(WISP_E_EXIT, wisp_call(instance, &report, "failing", "(i)", 1));
    assert_int_equal(trap->exit_code, 42);
    EXPECT(WISP_E_EXIT, wisp_call(instance, &report, "leave", "(i)", 3));
    assert_int_equal(trap->exit_code, 3);
    EXPECT(WISP_E_IO, wisp_call(instance, &report, "failing", "(i)", 2));
    EXPECT(WISP_E_TRAP, wisp_call(instance, &report, "failing", "(i)", 3));
    assert_string_equal(trap->reason, "out of bounds memory access");
    assert_int_equal(wisp_call(instance, NULL, "failing", "(i)", 4), WISP_OK);
    int32_t out;
    assert_int_equal(wisp_call(instance, NULL, "say", "(i)i", 5, &out), WISP_OK);
    assert_string_equal(h.text, "hello");
    assert_int_equal(out, 5);
    EXPECT(WISP_E_TRAP, wisp_call(instance, &report, "say", "(i)i", 1000, &out));
    assert_string_equal(trap->reason, "too long");
    wisp_instance_free(instance);
}

static void calls_within_calls(void **state)
{
    (void)state;
    host_state h = {0};
    wisp_report report;
    int32_t out = 0;
    wisp_instance *instance = start(&h, NULL, module);
    const wisp_trap *trap = wisp_instance_trap(instance);
    assert_int_equal(wisp_call(instance, NULL, "nested", "(i)i", 10, &out), WISP_OK);
    assert_int_equal(out, 11);
    assert_int_equal(h.calls, 11);
    EXPECT(WISP_E_TRAP, wisp_call(instance, &report, "nested", "(i)i", 100000, &out));
    assert_string_equal(trap->reason, "call stack exhausted");
    /* a trap below a host function that passes it on: the whole stack is shown */
    EXPECT(WISP_E_TRAP, wisp_call(instance, &report, "nested", "(i)i", -1, &out));
    assert_int_equal(trap->frame_count, 3);
    assert_string_equal(trap->frames[0].name, "divide");
    assert_string_equal(trap->frames[2].name, "nested");
    /* one that a host function takes care of leaves no trace */
    h.swallow = true;
    assert_int_equal(wisp_call(instance, NULL, "nested", "(i)i", -1, &out), WISP_OK);
    assert_int_equal(h.inner, WISP_E_TRAP);
    assert_int_equal(trap->status, WISP_OK);
    wisp_instance_free(instance);
}

/* ---- limits ---- */

static void fuel(void **state)
{
    (void)state;
    host_state h = {0};
    wisp_report report;
    int32_t out;
    wisp_limits limits = {.size = sizeof limits, .fuel = 1000};
    wisp_instance *instance = start(&h, &limits, module);
    assert_int_equal(wisp_instance_fuel(instance), 1000);
    assert_int_equal(wisp_call(instance, NULL, "count", "(i)i", 100, &out), WISP_OK);
    uint64_t left = wisp_instance_fuel(instance);
    assert_in_range(left, 1, 950);
    EXPECT(WISP_E_FUEL, wisp_call(instance, &report, "count", "(i)i", 100000, &out));
    assert_int_equal(wisp_instance_trap(instance)->status, WISP_E_FUEL);
    assert_string_equal(wisp_instance_trap(instance)->frames[0].name, "count");
    assert_int_equal(wisp_instance_fuel(instance), 0);
    wisp_instance_set_fuel(instance, 1000);
    assert_int_equal(wisp_call(instance, NULL, "count", "(i)i", 100, &out), WISP_OK);
    assert_in_range(wisp_instance_fuel(instance), left, left + 1); /* without `_initialize` */
    wisp_instance_set_fuel(instance, 0);
    assert_true(wisp_instance_fuel(instance) == UINT64_MAX);
    assert_int_equal(wisp_call(instance, NULL, "count", "(i)i", 100000, &out), WISP_OK);
    wisp_instance_free(instance);
}

static void deadline(void **state)
{
    (void)state;
    host_state h = {0};
    wisp_report report;
    int32_t out;
    wisp_limits limits = {.size = sizeof limits, .deadline_ms = 50};
    wisp_instance *instance = start(&h, &limits, module);
    uint64_t fastest = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t begin = os_monotonic_ns();
        EXPECT(WISP_E_DEADLINE, wisp_call(instance, &report, "forever", "()"));
        uint64_t spent = os_monotonic_ns() - begin;
        assert_true(spent >= 50000000);
        if (spent < fastest) fastest = spent;
        assert_string_equal(wisp_instance_trap(instance)->frames[0].name, "forever");
        assert_int_equal(wisp_call(instance, NULL, "add", "(ii)i", 1, 1, &out), WISP_OK); /* has its own */
    }
    assert_in_range(fastest, 0, 60000000); /* the best of five: the machine may be busy */
    wisp_instance_free(instance);
}

typedef struct load_stop {
    _Atomic unsigned asked;
    bool answer;
} load_stop;

static bool ask_slowly(void *context)
{
    load_stop *stop = context;
    stop->asked++;
    usleep(3000); /* longer than the deadline below */
    return stop->answer;
}

static void loading_ends(void **state)
{
    (void)state;
    wisp_report report = {0};
    load_stop stop = {.answer = true};
    wisp_engine_options options = {.size = sizeof options, .load_stopped = ask_slowly, .load_context = &stop};
    for (int n = 0; n < 3; n++) {
        wisp_engine *engine;
        wisp_module *m = NULL;
        static const wisp_status expected[] = {WISP_E_CANCELLED, WISP_E_DEADLINE, WISP_OK};
        stop.asked = 0;
        stop.answer = n == 0;
        options.load_deadline_ms = n == 1 ? 1 : 0;
        report = (wisp_report){0};
        assert_int_equal(wisp_engine_new(&engine, &options, &report), WISP_OK);
        assert_int_equal(wisp_module_open(&m, engine, getenv("WISP_API_GUEST"), &report), expected[n]);
        assert_int_equal(report.status, expected[n]);
        assert_true(stop.asked > 0);
        wisp_module_free(m);
        wisp_engine_free(engine);
    }
}

/* Nine million elements take more than a millisecond. */
static void making_an_instance_ends(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "\0asm\1\0\0\0\4\7\1\x70\0\xc0\xa8\xa5\4";
    wisp_report report = {0};
    wisp_module *m;
    wisp_instance *instance = NULL;
    wisp_limits limits = {.size = sizeof limits, .deadline_ms = 1};
    wisp_instance_options options = {.size = sizeof options, .limits = &limits};
    assert_int_equal(wisp_module_new(&m, NULL, bytes, sizeof bytes - 1, &report), WISP_OK);
    assert_int_equal(wisp_instance_new(&instance, m, &options, &report), WISP_E_DEADLINE);
    limits.deadline_ms = 0;
    report = (wisp_report){0};
    assert_int_equal(wisp_instance_new(&instance, m, &options, &report), WISP_OK);
    wisp_instance_free(instance);
    wisp_module_free(m);
}

static void memory(void **state)
{
    (void)state;
    host_state h = {0};
    wisp_report report;
    wisp_limits limits = {.size = sizeof limits, .memory = 8 << 20};
    wisp_instance *instance = start(&h, &limits, module);
    int32_t at, sum, old;
    uint8_t bytes[64], back[64] = {0};
    memset(bytes, 3, sizeof bytes);
    assert_int_equal(wisp_call(instance, NULL, "buffer", "()i", &at), WISP_OK);
    assert_int_equal(wisp_memory_write(instance, (uint32_t)at, bytes, 64), WISP_OK);
    assert_int_equal(wisp_call(instance, NULL, "checksum", "()i", &sum), WISP_OK);
    assert_int_equal(sum, 192);
    assert_int_equal(wisp_memory_read(instance, (uint32_t)at, back, 64), WISP_OK);
    assert_memory_equal(bytes, back, 64);
    uint64_t size = wisp_memory_size(instance);
    assert_int_equal(wisp_memory_read(instance, size - 64, back, 64), WISP_OK);
    assert_int_equal(wisp_memory_read(instance, size - 63, back, 64), WISP_E_TRAP);
    assert_int_equal(wisp_memory_write(instance, size - 63, back, 64), WISP_E_TRAP);
    assert_int_equal(wisp_memory_write(instance, UINT64_MAX - 3, back, 64), WISP_E_TRAP);
    assert_int_equal(wisp_memory_read(instance, size, NULL, 0), WISP_OK);
    assert_non_null(wisp_memory_at(instance, size, 0));
    assert_null(wisp_memory_at(instance, size + 1, 0));
    assert_null(wisp_memory_at(instance, 1, UINT64_MAX));
    assert_int_equal(wisp_memory_grow(instance, 1, NULL), WISP_OK);
    assert_int_equal(wisp_memory_size(instance), size + 65536);
    EXPECT(WISP_E_LIMIT, wisp_memory_grow(instance, 200, &report));
    assert_int_equal(wisp_call(instance, NULL, "grow", "(i)i", 200, &old), WISP_OK);
    assert_int_equal(old, -1);
    wisp_instance_free(instance);
    limits.memory = 65536;
    wisp_host_module env = {"env", functions, 3, &h};
    wisp_wasi wasi = {.size = sizeof wasi};
    wisp_instance_options options = {
        .size = sizeof options, .limits = &limits, .wasi = &wasi, .modules = &env, .module_count = 1};
    EXPECT(WISP_E_LIMIT, wisp_instance_new(&instance, module, &options, &report));
}

static uint64_t address_space(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f) {
        if (fscanf(f, "%llu", &pages) != 1) pages = 0;
        fclose(f);
    }
    return pages * os_page_size();
}

/* The same trap in both ways, with and without the address space that guard pages need. */
static void explicit_checks(void **state)
{
    (void)state;
    enum { GUARDED = 8 }; /* GiB */
    host_state h = {0};
    wisp_report report;
    void *room = os_reserve((size_t)GUARDED << 30);
    if (room) os_release(room, (size_t)GUARDED << 30);
    for (int explicit = 0; explicit < 2; explicit ++) {
        wisp_limits limits = {.size = sizeof limits, .stack = 256 << 10, .explicit_checks = explicit};
        const uint64_t before = address_space();
        wisp_instance *instance = start(&h, &limits, module);
        const uint64_t taken = address_space() - before;
        int32_t out, end = (int32_t)wisp_memory_size(instance);
        assert_int_equal(wisp_call(instance, NULL, "peek", "(i)i", end - 4, &out), WISP_OK);
        EXPECT(WISP_E_TRAP, wisp_call(instance, &report, "peek", "(i)i", end - 3, &out));
        assert_string_equal(wisp_instance_trap(instance)->reason, "out of bounds memory access");
        assert_string_equal(wisp_instance_trap(instance)->frames[0].name, "peek");
        EXPECT(WISP_E_TRAP, wisp_call(instance, &report, "peek", "(i)i", -1, &out));
        if (room && before) assert_int_equal(taken >> 30 >= GUARDED, !explicit);
        wisp_instance_free(instance);
    }
}

static void stacks(void **state)
{
    (void)state;
    host_state h = {0};
    wisp_report report;
    int32_t out;
    wisp_limits limits = {.size = sizeof limits, .call_depth = 100};
    wisp_instance *instance = start(&h, &limits, module);
    EXPECT(WISP_E_TRAP, wisp_call(instance, &report, "deep", "(i)i", 0, &out));
    assert_in_range(wisp_instance_trap(instance)->depth, 90, 100);
    wisp_instance_free(instance);
    limits = (wisp_limits){.size = sizeof limits, .stack = 4096};
    instance = start(&h, &limits, module);
    EXPECT(WISP_E_TRAP, wisp_call(instance, &report, "deep", "(i)i", 0, &out));
    wisp_instance_free(instance);
}

typedef struct helper {
    wisp_instance *instance;
    uint64_t wait_ns;
    uint64_t at_ns;
} helper;

static void interrupt_later(void *context)
{
    helper *h = context;
    uint64_t until = os_monotonic_ns() + h->wait_ns;
    while (os_monotonic_ns() < until)
        usleep(500);
    h->at_ns = os_monotonic_ns();
    wisp_instance_interrupt(h->instance);
}

static void interruption(void **state)
{
    (void)state;
    host_state h = {0};
    wisp_report report;
    int32_t out;
    wisp_instance *instance = start(&h, NULL, module);
    uint64_t fastest = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        helper other = {.instance = instance, .wait_ns = 20000000};
        os_thread *thread;
        assert_int_equal(os_thread_start(&thread, interrupt_later, &other, NULL), WISP_OK);
        EXPECT(WISP_E_CANCELLED, wisp_call(instance, &report, "forever", "()"));
        uint64_t now = os_monotonic_ns();
        os_thread_join(thread);
        if (now - other.at_ns < fastest) fastest = now - other.at_ns;
        EXPECT(WISP_E_CANCELLED, wisp_call(instance, &report, "add", "(ii)i", 1, 1, &out));
        wisp_instance_resume(instance);
    }
    assert_in_range(fastest, 0, 10000000); /* the best of five: the machine may be busy */
    assert_int_equal(wisp_call(instance, NULL, "add", "(ii)i", 1, 1, &out), WISP_OK);
    wisp_instance_free(instance);
}

/* ---- many ---- */

static void many_instances(void **state)
{
    (void)state;
    enum { MANY = 100 };
    host_state h = {0};
    wisp_instance *instances[MANY];
    for (int i = 0; i < MANY; i++)
        instances[i] = start(&h, NULL, module);
    for (int i = 0; i < MANY; i++) {
        int32_t at;
        uint8_t byte = (uint8_t)i;
        assert_int_equal(wisp_call(instances[i], NULL, "buffer", "()i", &at), WISP_OK);
        assert_int_equal(wisp_memory_write(instances[i], (uint32_t)at, &byte, 1), WISP_OK);
    }
    for (int i = 0; i < MANY; i++) {
        int32_t sum;
        assert_int_equal(wisp_call(instances[i], NULL, "checksum", "()i", &sum), WISP_OK);
        assert_int_equal(sum, i);
        wisp_instance_free(instances[i]);
    }
}

static void work(void *context)
{
    host_state h = {0};
    int32_t sum = 0;
    for (int i = 0; i < 20; i++) {
        wisp_instance *instance = start(&h, NULL, context);
        int32_t one = 0;
        if (wisp_call(instance, NULL, "nested", "(i)i", i, &one) == WISP_OK) sum += one;
        wisp_instance_free(instance);
    }
    if (sum != 210) abort();
}

static void threads_share_a_module(void **state)
{
    (void)state;
    os_thread *threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(os_thread_start(&threads[i], work, module, NULL), WISP_OK);
    for (int i = 0; i < 4; i++)
        os_thread_join(threads[i]);
}

static void engines(void **state)
{
    (void)state;
    wisp_report report;
    wisp_engine *engine = NULL;
    wisp_module *m = NULL;
    wisp_instance *a = NULL, *b = NULL, *c = NULL;
    wisp_engine_options options = {.size = sizeof options, .native = WISP_NATIVE_OFF, .instances = 2};
    assert_int_equal(wisp_engine_new(&engine, &options, NULL), WISP_OK);
    assert_int_equal(wisp_module_new(&m, engine, shapes, sizeof shapes, NULL), WISP_OK);
    assert_int_equal(wisp_instance_new(&a, m, NULL, NULL), WISP_OK);
    assert_int_equal(wisp_instance_new(&b, m, NULL, NULL), WISP_OK);
    assert_string_equal(wisp_instance_code(a), "interpreter");
    assert_string_equal(wisp_instance_code(NULL), "interpreter");
    EXPECT(WISP_E_LIMIT, wisp_instance_new(&c, m, NULL, &report));
    wisp_instance_free(a);
    assert_int_equal(wisp_instance_new(&c, m, NULL, NULL), WISP_OK);
    wisp_instance_free(b);
    wisp_instance_free(c);
    wisp_module_free(m);
    wisp_engine_free(engine);
    options.native = (wisp_native)7;
    EXPECT(WISP_E_USAGE, wisp_engine_new(&engine, &options, &report));
    options.size = 0;
    EXPECT(WISP_E_USAGE, wisp_engine_new(&engine, &options, &report));
    EXPECT(WISP_E_USAGE, wisp_engine_new(NULL, NULL, &report));
    /* a caller compiled against a later header: fine as long as it asks for nothing that is not here */
    struct {
        wisp_engine_options known;
        uint64_t later;
    } newer = {.known = {.size = sizeof newer}};
    assert_int_equal(wisp_engine_new(&engine, &newer.known, NULL), WISP_OK);
    wisp_engine_free(engine);
    newer.later = 1;
    EXPECT(WISP_E_UNSUPPORTED, wisp_engine_new(&engine, &newer.known, &report));
    /* … and one compiled against an earlier one, which ended after the size */
    wisp_engine_options earlier = {.size = sizeof(size_t), .native = (wisp_native)99};
    assert_int_equal(wisp_engine_new(&engine, &earlier, NULL), WISP_OK);
    wisp_engine_free(engine);
}

/* ---- linking ---- */

static void expect_link(wisp_status status, const wisp_instance_options *options, const char *words)
{
    wisp_report report = {0};
    wisp_instance *instance = NULL;
    assert_int_equal(wisp_instance_new(&instance, module, options, &report), status);
    assert_null(instance);
    if (!strstr(report.text, words)) fail_msg("'%s' does not say '%s'", report.text, words);
}

static void links_that_fail(void **state)
{
    (void)state;
    host_state h = {0};
    wisp_host_function own[3] = {functions[0], functions[1], functions[2]};
    wisp_host_module env = {"env", own, 3, &h};
    wisp_wasi wasi = {.size = sizeof wasi};
    wisp_limits limits = {.size = sizeof limits};
    wisp_instance_options options = {
        .size = sizeof options, .limits = &limits, .wasi = &wasi, .modules = &env, .module_count = 1};
    env.count = 2;
    expect_link(WISP_E_NOT_FOUND, &options, "\"env\" \"text\" (ii)i");
    expect_link(WISP_E_NOT_FOUND, &options, "there is: wasi_snapshot_preview1 env");
    expect_link(WISP_E_NOT_FOUND, NULL, "there is: nothing");
    env.count = 3;
    options.wasi = NULL;
    expect_link(WISP_E_NOT_FOUND, &options, "no WASI is granted");
    options.wasi = &wasi;
    own[2].signature = "(iI)i";
    expect_link(WISP_E_INPUT, &options, "as (ii)i, but what is offered is (iI)i");
    own[2].signature = "(ii";
    expect_link(WISP_E_USAGE, &options, "not a signature");
    own[2] = (wisp_host_function){"text", "(ii)i", NULL};
    expect_link(WISP_E_USAGE, &options, "no fn");
    own[2] = functions[2];
    env.name = NULL;
    expect_link(WISP_E_USAGE, &options, "no name");
    env.name = "env";
    limits.stack = 1;
    expect_link(WISP_E_USAGE, &options, "stack");
    limits.stack = 0;
    limits.call_depth = UINT32_MAX;
    expect_link(WISP_E_USAGE, &options, "call_depth");
    limits.size = 0;
    expect_link(WISP_E_USAGE, &options, "sizeof(wisp_limits)");
    options.limits = NULL;
    const char *const list[] = {"A=1", "B"};
    wasi.env = list;
    wasi.env_count = 2;
    expect_link(WISP_E_USAGE, &options, "NAME=value");
    wasi.env_count = 1;
    wasi.arg_count = 1;
    expect_link(WISP_E_USAGE, &options, "args");
    wasi.arg_count = 0;
    wasi.out = (wisp_stream){.kind = WISP_STREAM_CALLBACK};
    expect_link(WISP_E_USAGE, &options, "stream");
    wasi.out = (wisp_stream){.kind = (wisp_stream_kind)9};
    expect_link(WISP_E_USAGE, &options, "stream");
    wasi.out = (wisp_stream){.kind = WISP_STREAM_NONE};
    wisp_directory directory = {NULL, "/", false};
    wasi.directories = &directory;
    wasi.directory_count = 1;
    expect_link(WISP_E_USAGE, &options, "directory 0");
    wasi.directory_count = 0;
    wasi.listener_count = 1;
    expect_link(WISP_E_USAGE, &options, "listeners");
    int not_a_socket = open("/dev/null", O_RDONLY);
    wasi.listeners = &not_a_socket;
    expect_link(WISP_E_USAGE, &options, "");
    close(not_a_socket);
    wasi.listener_count = 0;
    wasi.directory_count = 1;
    directory.host = "/no/such/folder";
    expect_link(WISP_E_IO, &options, "/no/such/folder");
    assert_int_equal(wisp_instance_new(NULL, module, NULL, NULL), WISP_E_USAGE);
    wisp_instance *instance;
    assert_int_equal(wisp_instance_new(&instance, NULL, NULL, NULL), WISP_E_USAGE);
}

/* A start function that is `unreachable`. */
static void a_start_that_fails(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0, 'a', 's', 'm', 1,   0, 0, 0, 1, 4, 1,  0x60, 0, 0, 3, 2, 1,   0,
                                    7, 5,   1,   1,   'f', 0, 0, 8, 1, 0, 10, 5,    1, 3, 0, 0, 0x0b};
    wisp_module *m = NULL;
    wisp_instance *instance = NULL;
    wisp_report report;
    assert_int_equal(wisp_module_new(&m, NULL, bytes, sizeof bytes, NULL), WISP_OK);
    assert_int_equal(wisp_instance_new(&instance, m, NULL, NULL), WISP_OK);
    EXPECT(WISP_E_TRAP, wisp_instance_start(instance, &report));
    EXPECT(WISP_E_USAGE, wisp_call(instance, &report, "f", "()"));
    wisp_instance_free(instance);
    wisp_module_free(m);
}

/* ---- WASI ---- */

typedef struct captured {
    char text[256];
    size_t size;
} captured;

static int64_t capture(void *context, void *data, size_t size)
{
    captured *c = context;
    size_t n = size < sizeof c->text - 1 - c->size ? size : sizeof c->text - 1 - c->size;
    memcpy(c->text + c->size, data, n);
    c->size += n;
    return (int64_t)size;
}

static int64_t feed(void *context, void *data, size_t size)
{
    const char **text = context;
    size_t n = strlen(*text) < size ? strlen(*text) : size;
    memcpy(data, *text, n);
    *text += n;
    return (int64_t)n;
}

static void expect_program(wisp_module *m, const char *what, const char *argument, uint32_t code, const char *output)
{
    const char *const args[] = {"program", what, argument}, *const env[] = {"COLOR=green"};
    const char *input = "typed in";
    captured out = {.size = 0};
    wisp_directory directory = {"/tmp", "/data", true};
    wisp_wasi wasi = {.size = sizeof wasi,
                      .args = args,
                      .arg_count = 3,
                      .env = env,
                      .env_count = 1,
                      .directories = &directory,
                      .directory_count = 1,
                      .in = {.kind = WISP_STREAM_CALLBACK, .transfer = feed, .context = &input},
                      .out = {.kind = WISP_STREAM_CALLBACK, .transfer = capture, .context = &out}};
    wisp_instance_options options = {.size = sizeof options, .wasi = &wasi};
    wisp_instance *instance = NULL;
    wisp_report report = {0};
    uint32_t got = 99;
    if (wisp_instance_new(&instance, m, &options, &report) != WISP_OK) fail_msg("%s", report.text);
    if (wisp_instance_run(instance, &got, &report) != WISP_OK) fail_msg("%s: %s", what, report.text);
    assert_int_equal(got, code);
    assert_string_equal(out.text, output);
    wisp_instance_free(instance);
}

static void programs(void **state)
{
    (void)state;
    wisp_module *m = NULL;
    assert_int_equal(wisp_module_open(&m, NULL, getenv("WISP_WASI_GUEST"), NULL), WISP_OK);
    expect_program(m, "", "", 0, "hello, world\n");
    expect_program(m, "args", "x y", 0, "0: program\n1: args\n2: x y\n");
    expect_program(m, "env", "COLOR", 0, "green\n");
    expect_program(m, "env", "HOME", 0, "unset\n");
    expect_program(m, "exit", "17", 17, "");
    expect_program(m, "cat", "", 0, "typed in");
    expect_program(m, "read", "/etc/passwd", 3, "/etc/passwd: Capabilities insufficient\n");
    expect_program(m, "write", "/data/wisp-x", 3, "/data/wisp-x: Capabilities insufficient\n");
    wisp_module_free(m);
}

/* ---- memory that runs out ---- */

typedef struct client {
    unsigned short port; /* as the network has it */
    char answer[16];
    ssize_t size;
} client;

static void connect_and_ask(void *context)
{
    client *c = context;
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = c->port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    c->size = -1;
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 && send(fd, "hello", 5, 0) == 5 &&
        shutdown(fd, SHUT_WR) == 0)
        c->size = recv(fd, c->answer, sizeof c->answer - 1, MSG_WAITALL);
    close(fd);
}

/* A listening socket of the embedder's, granted: a real client over loopback. Without it there is nothing at 3. */
static void listeners(void **state)
{
    (void)state;
    wisp_module *m = NULL;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const char *const args[] = {"program", "serve", "3"};
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(wisp_module_open(&m, NULL, getenv("WISP_WASI_GUEST"), NULL), WISP_OK);
    for (size_t granted = 0; granted < 2; granted++) {
        wisp_wasi wasi = {
            .size = sizeof wasi, .args = args, .arg_count = 3, .listeners = &listener, .listener_count = granted};
        wisp_instance_options options = {.size = sizeof options, .wasi = &wasi};
        wisp_instance *instance = NULL;
        client c = {.port = address.sin_port};
        os_thread *thread = NULL;
        uint32_t code = 99;
        assert_int_equal(wisp_instance_new(&instance, m, &options, NULL), WISP_OK);
        if (granted) assert_int_equal(os_thread_start(&thread, connect_and_ask, &c, NULL), WISP_OK);
        assert_int_equal(wisp_instance_run(instance, &code, NULL), WISP_OK);
        if (thread) os_thread_join(thread);
        assert_int_equal(code, granted ? 0 : 7);
        assert_string_equal(c.answer, granted ? "HELLO" : "");
        wisp_instance_free(instance);
    }
    wisp_module_free(m);
    assert_int_equal(listen(listener, 1), 0); /* a duplicate was used: this one is still open */
    close(listener);
}

static void failing_allocations(void **state)
{
    (void)state;
    wisp_report report;
    unsigned done = 0;
    for (long n = 0; n < 1000 && !done; n++) {
        wisp_module *m = NULL;
        wisp_instance *instance = NULL;
        int64_t wide = 0;
        report = (wisp_report){0};
        base_mem_fail_after(n);
        wisp_status status = wisp_module_new(&m, NULL, shapes, sizeof shapes, &report);
        wisp_wasi wasi = {.size = sizeof wasi};
        wisp_host_module env = {"env", functions, 3, NULL};
        wisp_limits limits = {.size = sizeof limits, .stack = 4096, .call_depth = 100};
        wisp_instance_options options = {
            .size = sizeof options, .limits = &limits, .wasi = &wasi, .modules = &env, .module_count = 1};
        if (status == WISP_OK) status = wisp_instance_new(&instance, m, &options, &report);
        if (status == WISP_OK) status = wisp_call(instance, &report, "swap", "(iI)Ii", 1, INT64_C(2), &wide, NULL);
        if (status == WISP_OK) done++;
        base_mem_fail_after(-1);
        if (status != WISP_OK && status != WISP_E_MEMORY) fail_msg("%ld: %d %s", n, status, report.text);
        wisp_instance_free(instance);
        wisp_module_free(m);
    }
    assert_int_equal(done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspection),
        cmocka_unit_test(bad_modules),
        cmocka_unit_test(typed_calls),
        cmocka_unit_test(other_shapes_and_globals),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(traps_have_frames),
        cmocka_unit_test(host_functions_that_fail),
        cmocka_unit_test(calls_within_calls),
        cmocka_unit_test(fuel),
        cmocka_unit_test(deadline),
        cmocka_unit_test(loading_ends),
        cmocka_unit_test(making_an_instance_ends),
        cmocka_unit_test(memory),
        cmocka_unit_test(explicit_checks),
        cmocka_unit_test(stacks),
        cmocka_unit_test(interruption),
        cmocka_unit_test(many_instances),
        cmocka_unit_test(threads_share_a_module),
        cmocka_unit_test(engines),
        cmocka_unit_test(links_that_fail),
        cmocka_unit_test(a_start_that_fails),
        cmocka_unit_test(programs),
        cmocka_unit_test(listeners),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
