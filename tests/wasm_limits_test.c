/* Every limit of a store: it is met, it is told apart from the others, and the store can be called again. Interruption
 * and deadlines: how soon they come is printed, and only far too late is a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "module_writer.h"
#include "os/os.h"
#include "run_modes.h"

enum { PAGES = 16384, TABLE = 1000000, SECOND = 1000000000 };

static void put_loop_forever(module_writer *w)
{
    mw_op1(w, 0x03, 0x40); /* loop */
    mw_op1(w, 0x0c, 0);    /* br 0 */
    mw_op(w, 0x0b);
    mw_op(w, 0x00);
}

/* An endless loop with a body of 4 * `count` instructions. */
static void put_long_loop(module_writer *w, unsigned count)
{
    mw_op1(w, 0x03, 0x40);
    for (unsigned i = 0; i < count; i++) {
        mw_op1(w, 0x20, 0);
        mw_i32(w, (int32_t)i);
        mw_op(w, 0x6c); /* i32.mul */
        mw_op1(w, 0x21, 0);
    }
    mw_op1(w, 0x0c, 0);
    mw_op(w, 0x0b);
    mw_op(w, 0x00);
}

/* for (; n; n--) */
static void put_count(module_writer *w)
{
    mw_op1(w, 0x03, 0x40);
    mw_op1(w, 0x20, 0);
    mw_i32(w, -1);
    mw_op(w, 0x6a);
    mw_op1(w, 0x22, 0);
    mw_op1(w, 0x0d, 0); /* br_if */
    mw_op(w, 0x0b);
    mw_op1(w, 0x20, 0);
}

static void put_bulk(module_writer *w, const char *name, uint32_t code, const char *arguments, unsigned immediates,
                     uint64_t first)
{
    char signature[16];
    snprintf(signature, sizeof signature, "(%s)", arguments);
    mw_function(w, signature, "");
    for (unsigned i = 0; i < strlen(arguments); i++)
        mw_op1(w, 0x20, i);
    mw_op1(w, code, first);
    for (unsigned i = 1; i < immediates; i++)
        mw_leb(w, 0);
    mw_end(w, name);
}

/* work(n): for (; n; n--) global = global * 31 + one(n), memory[4 n] = n, and n bytes at 8192 are n. Its traces are in
 * memory and the global. */
static void put_work(module_writer *w, uint32_t one)
{
    base_put(&w->globals, "\x7e\x01\x42\x00\x0b", 5); /* i64, mutable, 0 */
    w->global_count++;
    mw_export(w, "trace", 3, 0);
    mw_function(w, "(i)i", "");
    mw_op1(w, 0x03, 0x40);
    mw_op1(w, 0x23, 0), mw_i64(w, 31), mw_op(w, 0x7e);
    mw_op1(w, 0x20, 0), mw_op1(w, 0x10, one), mw_op(w, 0xad), mw_op(w, 0x7c), mw_op1(w, 0x24, 0);
    mw_op1(w, 0x20, 0), mw_i32(w, 2), mw_op(w, 0x74), mw_op1(w, 0x20, 0), mw_access(w, 0x36, 2, 0);
    mw_i32(w, 8192), mw_op1(w, 0x20, 0), mw_op1(w, 0x20, 0), mw_op1(w, 0xfc00b, 0);
    mw_op1(w, 0x20, 0), mw_i32(w, -1), mw_op(w, 0x6a), mw_op1(w, 0x22, 0), mw_op1(w, 0x0d, 0);
    mw_op(w, 0x0b);
    mw_op1(w, 0x20, 0);
    mw_end(w, "work");
}

/* Three loops that read ever higher until a read faults. What is counted between a read and the one before: a branch; a
 * call in one arm of an `if`; a branch and several calls, and reads that are skipped. */
static void put_faults(module_writer *w, uint32_t one)
{
    mw_function(w, "(i)", "");
    mw_op1(w, 0x03, 0x40);
    mw_op1(w, 0x20, 0), mw_access(w, 0x28, 2, 0), mw_op(w, 0x1a);
    mw_op1(w, 0x20, 0), mw_i32(w, 1000), mw_op(w, 0x6a), mw_op1(w, 0x21, 0), mw_op1(w, 0x0c, 0);
    mw_op(w, 0x0b);
    mw_end(w, "read");
    mw_function(w, "(i)", "");
    mw_op1(w, 0x03, 0x40);
    mw_op1(w, 0x20, 0), mw_i32(w, 8), mw_op(w, 0x71), mw_op1(w, 0x04, 0x40); /* (n & 8) */
    mw_op1(w, 0x20, 0), mw_op1(w, 0x10, one), mw_op(w, 0x1a), mw_op(w, 0x0b);
    mw_op1(w, 0x20, 0), mw_access(w, 0x28, 2, 0), mw_op(w, 0x1a);
    mw_op1(w, 0x20, 0), mw_i32(w, 1000), mw_op(w, 0x6a), mw_op1(w, 0x21, 0), mw_op1(w, 0x0c, 0);
    mw_op(w, 0x0b);
    mw_end(w, "read_if");
    mw_function(w, "(i)", "");
    mw_op1(w, 0x03, 0x40), mw_op1(w, 0x02, 0x40);
    mw_op1(w, 0x20, 0), mw_op1(w, 0x10, one), mw_op1(w, 0x10, one), mw_op1(w, 0x10, one), mw_op1(w, 0x21, 0);
    mw_op1(w, 0x20, 0), mw_i32(w, 3), mw_op(w, 0x71), mw_op1(w, 0x0d, 0); /* br_if (n & 3) */
    mw_op1(w, 0x20, 0), mw_access(w, 0x28, 2, 0), mw_op(w, 0x1a), mw_op(w, 0x0b);
    mw_op1(w, 0x20, 0), mw_i32(w, 500), mw_op(w, 0x6a), mw_op1(w, 0x21, 0), mw_op1(w, 0x0c, 0);
    mw_op(w, 0x0b);
    mw_end(w, "read_skip");
}

static base_buffer make_module(void)
{
    module_writer w = {0};
    const uint32_t wait = mw_import_function(&w, "h", "wait", "()");
    const uint32_t again = mw_import_function(&w, "h", "again", "(i)i");
    mw_memory(&w, 1, PAGES, false);
    mw_table(&w, 0x6f, 1, TABLE);
    mw_passive_data(&w, "0123456789abcdef", 16);
    const uint32_t one = mw_function(&w, "(i)i", "");
    mw_op1(&w, 0x20, 0), mw_i32(&w, 1), mw_op(&w, 0x6a);
    mw_end(&w, "one");
    put_work(&w, one);
    put_faults(&w, one);
    mw_function(&w, "()", "");
    put_loop_forever(&w);
    mw_end(&w, "loop");
    mw_function(&w, "()", "i");
    put_long_loop(&w, 20000);
    mw_end(&w, "long");
    uint32_t deep = mw_function(&w, "(i)i", "");
    mw_op1(&w, 0x20, 0), mw_op1(&w, 0x10, deep), mw_i32(&w, 1), mw_op(&w, 0x6a);
    mw_end(&w, "deep");
    uint32_t wide = mw_function(&w, "()I", "IIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII");
    mw_op1(&w, 0x10, wide), mw_op1(&w, 0x22, 7), mw_op1(&w, 0x20, 7), mw_op(&w, 0x7c);
    mw_end(&w, "wide");
    mw_function(&w, "(i)i", "");
    mw_op1(&w, 0x20, 0), mw_op1(&w, 0x10, again), mw_i32(&w, 1), mw_op(&w, 0x6a);
    mw_end(&w, "back");
    mw_function(&w, "()", "");
    mw_op1(&w, 0x10, wait);
    mw_end(&w, "wait");
    mw_function(&w, "(i)i", "");
    put_count(&w);
    mw_end(&w, "count");
    uint32_t fib = mw_function(&w, "(i)i", "");
    mw_op1(&w, 0x20, 0), mw_i32(&w, 2), mw_op(&w, 0x48);
    mw_op1(&w, 0x04, 0x7f), mw_op1(&w, 0x20, 0), mw_op(&w, 0x05);
    mw_op1(&w, 0x20, 0), mw_i32(&w, 1), mw_op(&w, 0x6b), mw_op1(&w, 0x10, fib);
    mw_op1(&w, 0x20, 0), mw_i32(&w, 2), mw_op(&w, 0x6b), mw_op1(&w, 0x10, fib);
    mw_op(&w, 0x6a), mw_op(&w, 0x0b);
    mw_end(&w, "fib");
    put_bulk(&w, "fill", 0xfc00b, "iii", 1, 0);
    put_bulk(&w, "copy", 0xfc00a, "iii", 2, 0);
    put_bulk(&w, "init", 0xfc008, "iii", 2, 0);
    put_bulk(&w, "table_fill", 0xfc011, "iei", 1, 0);
    put_bulk(&w, "table_copy", 0xfc00e, "iii", 2, 0);
    mw_function(&w, "(i)i", "");
    mw_op1(&w, 0x20, 0), mw_op1(&w, 0x40, 0);
    mw_end(&w, "grow");
    mw_function(&w, "(ei)i", "");
    mw_op1(&w, 0x20, 0), mw_op1(&w, 0x20, 1), mw_op1(&w, 0xfc00f, 0);
    mw_end(&w, "table_grow");
    base_buffer bytes = mw_finish(&w);
    assert_false(bytes.failed);
    return bytes;
}

/* ---- a store of it ---- */

typedef struct fixture {
    base_buffer bytes;
    wasm_module *module;
    wasm_store *store;
    wasm_instance *instance;
    wasm_trap trap;
    wisp_report report;
} fixture;

static wisp_status host_wait(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)context, (void)v;
    const uint64_t give_up = os_monotonic_ns() + 5ull * SECOND;
    while (!wasm_store_interrupted(wasm_instance_store(caller)))
        if (os_monotonic_ns() > give_up) return WISP_E_IO;
    return WISP_OK; /* the machine sees for itself */
}

static wisp_status host_again(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)context;
    wasm_value arg = {.u64 = v[0].u32 - 1};
    v[0].u64 = 0;
    if (arg.u32 == UINT32_MAX) return WISP_OK;
    return wasm_call(wasm_instance_find_func(caller, "back"), &arg, 1, v, 1, NULL, NULL);
}

static const wasm_host_function host_functions[] = {{"wait", "()", host_wait}, {"again", "(i)i", host_again}};
static const wasm_host_module host_module = {"h", host_functions, 2, NULL};
static const wasm_imports imports = {&host_module, 1, NULL, 0};

static void setup_in(fixture *f, const run_mode *mode, const wasm_limits *limits)
{
    wasm_limits l = limits ? *limits : wasm_limits_defaults;
    l.explicit_checks = mode->explicit_checks;
    *f = (fixture){.bytes = make_module()};
    wisp_status status = wasm_module_new(&f->module, (base_span){f->bytes.data, f->bytes.size}, NULL, &f->report);
    if (status != WISP_OK) fail_msg("%s", f->report.text);
    assert_int_equal(wasm_store_new(&f->store, &l, NULL), WISP_OK);
    assert_int_equal(wasm_instance_new(&f->instance, f->store, f->module, &imports, NULL, NULL), WISP_OK);
    if (run_mode_prepare(mode, f->instance, &f->report) != WISP_OK) fail_msg("%s", f->report.text);
}

static void setup(fixture *f, const wasm_limits *limits)
{
    setup_in(f, &run_modes[0], limits);
}

static void teardown(fixture *f)
{
    wasm_store_free(f->store);
    wasm_module_free(f->module);
    base_buffer_fini(&f->bytes);
}

/* Up to three arguments; what the function returns is in *result. */
static wisp_status call(fixture *f, const char *name, uint32_t a, uint32_t b, uint32_t c, wasm_value *result)
{
    wasm_func *func = wasm_instance_find_func(f->instance, name);
    wasm_value args[3] = {{.u64 = a}, {.u64 = b}, {.u64 = c}}, ignored;
    const wasm_functype *type = wasm_func_type(func);
    f->report = (wisp_report){0};
    return wasm_call(func, args, type->param_count, result ? result : &ignored, type->result_count, &f->trap,
                     &f->report);
}

static void must_still_run(fixture *f)
{
    wasm_value v;
    assert_int_equal(call(f, "one", 41, 0, 0, &v), WISP_OK);
    assert_int_equal(v.u64, 42);
    assert_int_equal(call(f, "fib", 10, 0, 0, &v), WISP_OK);
    assert_int_equal(v.u64, 55);
}

static void must_end(fixture *f, wisp_status got, wisp_status wanted, wasm_limit limit)
{
    if (got != wanted || f->trap.limit != limit)
        fail_msg("status %d (%s), limit %d; wanted %d, %d", got, f->report.text, f->trap.limit, wanted, limit);
    assert_int_equal(wasm_store_exceeded(f->store), limit);
    assert_int_equal(f->report.status, wanted);
}

/* ---- objects ---- */

static void too_much_of_everything(void **state)
{
    (void)state;
    base_budget budget = {.limit = 100 * 65536};
    wasm_limits limits = wasm_limits_defaults;
    limits.memory_pages = limits.table_elements = 200;
    limits.memories = limits.tables = limits.instances = 2;
    limits.budget = &budget;
    fixture f;
    setup(&f, &limits);
    wasm_memory *memory;
    wasm_table *table;
    wasm_instance *instance;
    assert_int_equal(wasm_memory_new(&memory, f.store, (wasm_range){.min = 201}, NULL), WISP_E_LIMIT);
    assert_int_equal(wasm_store_exceeded(f.store), WASM_LIMIT_MEMORY_PAGES);
    assert_int_equal(wasm_memory_new(&memory, f.store, (wasm_range){.min = 100}, NULL), WISP_E_MEMORY);
    assert_int_equal(wasm_store_exceeded(f.store), WASM_LIMIT_BUDGET);
    const wasm_range many = {.min = 201}, few = {.min = 10};
    assert_int_equal(wasm_table_new(&table, f.store, WASM_EXTERNREF, many, NULL, NULL), WISP_E_LIMIT);
    assert_int_equal(wasm_store_exceeded(f.store), WASM_LIMIT_TABLE_ELEMENTS);
    assert_int_equal(wasm_instance_new(&instance, f.store, f.module, &imports, NULL, NULL), WISP_OK);
    assert_int_equal(wasm_store_exceeded(f.store), WASM_LIMIT_NONE);
    assert_int_equal(wasm_instance_new(&instance, f.store, f.module, &imports, NULL, NULL), WISP_E_LIMIT);
    assert_int_equal(wasm_store_exceeded(f.store), WASM_LIMIT_INSTANCES);
    assert_int_equal(wasm_memory_new(&memory, f.store, (wasm_range){.min = 1}, NULL), WISP_E_LIMIT);
    assert_int_equal(wasm_store_exceeded(f.store), WASM_LIMIT_MEMORIES);
    assert_int_equal(wasm_table_new(&table, f.store, WASM_EXTERNREF, few, NULL, NULL), WISP_E_LIMIT);
    assert_int_equal(wasm_store_exceeded(f.store), WASM_LIMIT_TABLES);
    wasm_value v;
    assert_int_equal(call(&f, "grow", 200, 0, 0, &v), WISP_OK); /* the guest is told, and goes on */
    assert_int_equal(v.u64, UINT32_MAX);
    assert_int_equal(call(&f, "grow", 99, 0, 0, &v), WISP_OK); /* the limit would allow it, the budget does not */
    assert_int_equal(v.u64, UINT32_MAX);
    assert_int_equal(call(&f, "grow", 10, 0, 0, &v), WISP_OK);
    assert_int_equal(v.u64, 1);
    assert_int_equal(call(&f, "table_grow", 0, 200, 0, &v), WISP_OK);
    assert_int_equal(v.u64, UINT32_MAX);
    assert_int_equal(call(&f, "table_grow", 0, 199, 0, &v), WISP_OK);
    assert_int_equal(v.u64, 1);
    must_still_run(&f);
    teardown(&f);
    assert_int_equal(budget.used, 0);
}

/* ---- stacks ---- */

static void stacks_are_told_apart(void **state)
{
    (void)state;
    for (unsigned m = 0; m < run_mode_count; m++) {
        wasm_limits limits = wasm_limits_defaults;
        fixture f;
        limits.call_depth = 100;
        if (run_modes[m].native) limits.native_stack = 256 << 10;
        setup_in(&f, &run_modes[m], &limits);
        const bool native = run_modes[m].native;
        for (unsigned i = 0; i < 3; i++) {
            must_end(&f, call(&f, "deep", 0, 0, 0, NULL), WISP_E_TRAP,
                     native ? WASM_LIMIT_NATIVE_STACK : WASM_LIMIT_CALL_DEPTH);
            assert_string_equal(f.trap.reason, "call stack exhausted");
            must_still_run(&f);
        }
        teardown(&f);
        limits = wasm_limits_defaults;
        limits.stack_bytes = 8192;
        if (native) continue;
        setup_in(&f, &run_modes[m], &limits);
        must_end(&f, call(&f, "wide", 0, 0, 0, NULL), WISP_E_TRAP, WASM_LIMIT_VALUE_STACK);
        must_still_run(&f);
        teardown(&f);
    }
}

static void host_recursion_ends(void **state)
{
    (void)state;
    for (unsigned m = 0; m < run_mode_count; m++) {
        wasm_limits limits = wasm_limits_defaults;
        fixture f;
        wasm_value v;
        limits.host_depth = 10;
        setup_in(&f, &run_modes[m], &limits);
        assert_int_equal(call(&f, "back", 8, 0, 0, &v), WISP_OK);
        assert_int_equal(v.u64, 9);
        must_end(&f, call(&f, "back", 1000, 0, 0, NULL), WISP_E_TRAP, WASM_LIMIT_HOST_DEPTH);
        must_still_run(&f);
        teardown(&f);
        limits.host_depth = 100000000;
        limits.native_stack = 300 << 10;
        setup_in(&f, &run_modes[m], &limits);
        must_end(&f, call(&f, "back", 100000, 0, 0, NULL), WISP_E_TRAP, WASM_LIMIT_NATIVE_STACK);
        must_still_run(&f);
        teardown(&f);
    }
}

static void recurse_on_small_stack(void *context)
{
    fixture *f = context;
    must_end(f, call(f, "back", 10000000, 0, 0, NULL), WISP_E_TRAP, WASM_LIMIT_NATIVE_STACK);
    must_still_run(f);
}

/* Without a limit of its own a call stops before the thread's stack ends, on whatever thread it is. */
static void the_threads_stack_is_the_limit(void **state)
{
    (void)state;
    wasm_limits limits = wasm_limits_defaults;
    fixture f;
    os_thread *thread;
    limits.host_depth = UINT32_MAX;
    limits.call_depth = 2000000;
    limits.stack_bytes = 64 << 20;
    setup(&f, &limits);
    assert_int_equal(os_thread_start(&thread, recurse_on_small_stack, &f, NULL), WISP_OK);
    os_thread_join(thread);
    recurse_on_small_stack(&f);
    teardown(&f);
}

/* ---- fuel ---- */

typedef struct costing {
    const char *name;
    uint32_t a, b, c;
    uint64_t cost;
} costing;

/* 1 a call, 1 a taken backward branch, bulk operations 1 and 1 more per 64 bytes. */
static const costing costs[] = {
    {"one", 1, 0, 0, 0},        {"count", 1, 0, 0, 0},      {"count", 1000, 0, 0, 999}, {"fib", 10, 0, 0, 176},
    {"fib", 2, 0, 0, 2},        {"back", 3, 0, 0, 4},       {"fill", 0, 7, 0, 1},       {"fill", 0, 7, 64, 2},
    {"fill", 0, 7, 6400, 101},  {"copy", 0, 64, 127, 2},    {"init", 0, 0, 16, 1},      {"table_fill", 0, 0, 1, 1},
    {"table_copy", 0, 0, 1, 1}, {"table_grow", 0, 7, 0, 1}, {"table_grow", 0, 8, 0, 2}, {"table_fill", 0, 0, 16, 3},
    {"grow", 1, 0, 0, 0},
};

static void fuel_is_the_same_everywhere(void **state)
{
    (void)state;
    for (unsigned m = 0; m < run_mode_count; m++) {
        wasm_limits limits = wasm_limits_defaults;
        fixture f;
        limits.fuel = 1000000;
        setup_in(&f, &run_modes[m], &limits);
        for (unsigned i = 0; i < sizeof costs / sizeof *costs; i++) {
            const costing *c = &costs[i];
            wasm_store_set_fuel(f.store, 1000000);
            assert_int_equal(call(&f, c->name, c->a, c->b, c->c, NULL), WISP_OK);
            if (1000000 - wasm_store_fuel(f.store) != c->cost)
                fail_msg("%s: %s(%u, %u, %u) cost %llu", run_modes[m].name, c->name, c->a, c->b, c->c,
                         (unsigned long long)(1000000 - wasm_store_fuel(f.store)));
            if (!c->cost || !strncmp(c->name, "table_grow", 10)) continue;
            wasm_store_set_fuel(f.store, c->cost); /* exactly enough */
            assert_int_equal(call(&f, c->name, c->a, c->b, c->c, NULL), WISP_OK);
            assert_int_equal(wasm_store_fuel(f.store), 0);
            if (c->cost < 2) continue; /* no fuel at all is no limit */
            wasm_store_set_fuel(f.store, c->cost - 1);
            must_end(&f, call(&f, c->name, c->a, c->b, c->c, NULL), WISP_E_FUEL, WASM_LIMIT_FUEL);
            assert_int_equal(wasm_store_fuel(f.store), 0);
            assert_string_equal(f.trap.reason, "all fuel consumed");
            wasm_store_set_fuel(f.store, 1000000);
            must_still_run(&f);
        }
        teardown(&f);
    }
}

typedef struct outcome {
    wisp_status status;
    uint64_t fuel, global, memory; /* a sum of it */
    wasm_value result;
} outcome;

static outcome spend(const fixture *f, const costing *c, uint64_t fuel)
{
    fixture copy = *f;
    wasm_extern global;
    wasm_memory *memory = wasm_instance_memory(f->instance, 0);
    outcome out = {.result = {.u64 = 0}};
    assert_true(wasm_instance_export(f->instance, "trace", 5, &global));
    wasm_store_set_fuel(f->store, 1000000);
    assert_int_equal(call(&copy, "fill", 0, 0, 65536, NULL), WISP_OK);
    wasm_store_set_fuel(f->store, fuel);
    out.status = call(&copy, c->name, c->a, c->b, c->c, &out.result);
    if (out.status != WISP_OK) out.result.u64 = 0;
    out.fuel = wasm_store_fuel(f->store);
    out.global = wasm_global_get(global.global).u64;
    for (uint32_t i = 0; i < 65536; i++)
        out.memory = out.memory * 31 + wasm_memory_data(memory)[i];
    return out;
}

/* Wherever in a program fuel runs out, all ways of running it have come equally far. */
static void fuel_runs_out_at_the_same_place(void **state)
{
    (void)state;
    static const costing programs[] = {{"work", 200, 0, 0, 0},   {"fib", 12, 0, 0, 0},     {"count", 700, 0, 0, 0},
                                       {"back", 40, 0, 0, 0},    {"deep", 0, 0, 0, 0},     {"copy", 0, 1, 60000, 0},
                                       {"read", 0, 0, 0, 0},     {"read", 65536, 0, 0, 0}, {"read_if", 8, 0, 0, 0},
                                       {"read_skip", 0, 0, 0, 0}};
    wasm_limits limits = wasm_limits_defaults;
    limits.fuel = 1;
    limits.call_depth = 1 << 20; /* what ends is fuel */
    fixture f[2];
    unsigned ended = 0;
    for (unsigned m = 1; m < run_mode_count; m++) {
        setup_in(&f[0], &run_modes[0], &limits);
        setup_in(&f[1], &run_modes[m], &limits);
        for (unsigned p = 0; p < sizeof programs / sizeof *programs; p++) {
            for (uint64_t fuel = 1; fuel < 3000; fuel += fuel < 200 ? 1 : 257) {
                const outcome wanted = spend(&f[0], &programs[p], fuel), got = spend(&f[1], &programs[p], fuel);
                ended += wanted.status == WISP_E_FUEL;
                if (got.status != wanted.status || got.fuel != wanted.fuel || got.global != wanted.global ||
                    got.memory != wanted.memory || got.result.u64 != wanted.result.u64)
                    fail_msg("%s: %s, fuel %u: status %d and %d, left %llu and %llu", run_modes[m].name,
                             programs[p].name, (unsigned)fuel, got.status, wanted.status, (unsigned long long)got.fuel,
                             (unsigned long long)wanted.fuel);
            }
        }
        teardown(&f[0]);
        teardown(&f[1]);
    }
    assert_true(ended > 1200 * (run_mode_count - 1));
}

static void what_cannot_be_paid_is_not_done(void **state)
{
    (void)state;
    wasm_limits limits = wasm_limits_defaults;
    fixture f;
    limits.fuel = 1000;
    setup(&f, &limits);
    uint8_t *data = wasm_memory_data(wasm_instance_memory(f.instance, 0));
    must_end(&f, call(&f, "fill", 0, 7, 65536, NULL), WISP_E_FUEL, WASM_LIMIT_FUEL);
    assert_int_equal(data[0], 0);
    wasm_store_set_fuel(f.store, 1025);
    assert_int_equal(call(&f, "fill", 0, 7, 65536, NULL), WISP_OK);
    assert_int_equal(data[65535], 7);
    teardown(&f);
}

/* ---- interruption ---- */

typedef struct interrupter {
    wasm_store *store;
    uint64_t after_ns, at; /* when it was done */
} interrupter;

static void sleep_ns(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / SECOND), (long)(ns % SECOND)};
    nanosleep(&t, NULL);
}

static void interrupt_later(void *context)
{
    interrupter *i = context;
    sleep_ns(i->after_ns);
    i->at = os_monotonic_ns();
    wasm_store_interrupt(i->store);
}

/* Calls what never ends by itself, and interrupts it. Milliseconds from one to the other. */
static double interrupted_after(fixture *f, const char *name, uint32_t a, uint32_t b, uint32_t c)
{
    interrupter i = {f->store, 10000000, 0};
    os_thread *thread;
    assert_int_equal(os_thread_start(&thread, interrupt_later, &i, NULL), WISP_OK);
    wisp_status status = call(f, name, a, b, c, NULL);
    const uint64_t end = os_monotonic_ns();
    os_thread_join(thread);
    must_end(f, status, WISP_E_CANCELLED, WASM_LIMIT_INTERRUPT);
    assert_string_equal(f->trap.reason, "interrupted");
    assert_int_equal(call(f, "one", 1, 0, 0, NULL), WISP_E_CANCELLED); /* until it is taken back, and at once */
    wasm_store_resume(f->store);
    must_still_run(f);
    return (double)(end - i.at) / 1e6;
}

static void interruption_is_soon(void **state)
{
    (void)state;
    static const char *const names[] = {"loop", "long", "wait"};
    for (unsigned m = 0; m < run_mode_count; m++) {
        fixture f;
        setup_in(&f, &run_modes[m], NULL);
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
            double worst = 0;
            for (unsigned k = 0; k < 5; k++) {
                double ms = interrupted_after(&f, names[i], 0, 0, 0);
                if (ms > worst) worst = ms;
            }
            print_message("%s: \"%s\" ended %.2f ms after the interruption (worst of 5)\n", run_modes[m].name, names[i],
                          worst);
            assert_true(worst < 1000);
        }
        teardown(&f);
    }
}

/* A gigabyte at once: the end of it is not reached. */
static void bulk_operations_are_interrupted(void **state)
{
    (void)state;
    for (unsigned m = 0; m < run_mode_count; m++) {
        fixture f;
        wasm_value v;
        setup_in(&f, &run_modes[m], NULL);
        assert_int_equal(call(&f, "grow", PAGES - 1, 0, 0, &v), WISP_OK);
        assert_int_equal(v.u64, 1);
        wasm_memory *memory = wasm_instance_memory(f.instance, 0);
        const uint32_t half = PAGES / 2 * 65536u;
        double ms = interrupted_after(&f, "fill", 0, 7, 2 * half - 1);
        uint8_t *data = wasm_memory_data(memory);
        assert_int_equal(data[0], 7);
        assert_int_equal(data[2 * half - 2], 0);
        double copy_ms = interrupted_after(&f, "copy", 1, 0, 2 * half - 1);
        assert_int_equal(data[2 * half - 2], 0); /* overlapping upwards: it began there, with zeros */
        print_message("%s: memory.fill ended %.2f ms, memory.copy %.2f ms after the interruption\n", run_modes[m].name,
                      ms, copy_ms);
        assert_true(ms < 1000 && copy_ms < 1000);
        teardown(&f);
    }
}

static void pieces_make_the_whole(void **state)
{
    (void)state;
    fixture f;
    wasm_value v;
    setup(&f, NULL);
    assert_int_equal(call(&f, "grow", 99, 0, 0, &v), WISP_OK);
    uint8_t *data = wasm_memory_data(wasm_instance_memory(f.instance, 0));
    const uint32_t n = 5000003;
    for (uint32_t i = 0; i < n; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 11));
    assert_int_equal(call(&f, "copy", 1000, 0, n, NULL), WISP_OK); /* upwards over itself */
    for (uint32_t i = 0; i < n; i++)
        if (data[1000 + i] != (uint8_t)(i * 7 + (i >> 11))) fail_msg("byte %u", i);
    assert_int_equal(call(&f, "copy", 10, 1000, n, NULL), WISP_OK); /* and down */
    for (uint32_t i = 0; i < n; i++)
        if (data[10 + i] != (uint8_t)(i * 7 + (i >> 11))) fail_msg("byte %u", i);
    assert_int_equal(call(&f, "fill", 3, 9, n, NULL), WISP_OK);
    for (uint32_t i = 0; i < n; i++)
        if (data[3 + i] != 9) fail_msg("byte %u", i);
    assert_int_equal(data[n + 3], (uint8_t)((n - 7) * 7 + ((n - 7) >> 11)));
    assert_int_equal(call(&f, "table_grow", 0, 999999, 0, &v), WISP_OK);
    assert_int_equal(call(&f, "table_fill", 5, 1234, 999990, NULL), WISP_OK);
    assert_int_equal(call(&f, "table_copy", 0, 5, 999990, NULL), WISP_OK);
    teardown(&f);
}

static wasm_store *signalled;
static void on_alarm(int number)
{
    (void)number;
    wasm_store_interrupt(signalled);
}

/* By a handler on the very thread that runs the guest. */
static void signal_handlers_interrupt(void **state)
{
    (void)state;
    for (unsigned m = 0; m < run_mode_count; m++) {
        fixture f;
        setup_in(&f, &run_modes[m], NULL);
        signalled = f.store;
        struct sigaction action = {.sa_handler = on_alarm}, old;
        sigaction(SIGALRM, &action, &old);
        for (unsigned i = 0; i < 20; i++) {
            struct itimerval timer = {.it_value = {0, 2000}};
            setitimer(ITIMER_REAL, &timer, NULL);
            must_end(&f, call(&f, i & 1 ? "loop" : "long", 0, 0, 0, NULL), WISP_E_CANCELLED, WASM_LIMIT_INTERRUPT);
            wasm_store_resume(f.store);
            must_still_run(&f);
        }
        sigaction(SIGALRM, &old, NULL);
        teardown(&f);
    }
}

typedef struct hammer {
    wasm_store *store;
    _Atomic bool stop;
} hammer;

static void interrupt_again_and_again(void *context)
{
    hammer *h = context;
    for (unsigned i = 0; !h->stop; i++) {
        wasm_store_interrupt(h->store);
        if (i % 3) sleep_ns(i % 7 * 1000);
    }
}

/* Interruptions at any moment: each call ends well or as cancelled, none hangs. */
static void interruptions_at_any_time(void **state)
{
    (void)state;
    for (unsigned m = 0; m < run_mode_count; m++) {
        fixture f;
        os_thread *thread;
        setup_in(&f, &run_modes[m], NULL);
        hammer h = {f.store, false};
        unsigned cancelled = 0;
        assert_int_equal(os_thread_start(&thread, interrupt_again_and_again, &h, NULL), WISP_OK);
        for (unsigned i = 0; i < 3000; i++) {
            const char *name = i % 3 == 0 ? "loop" : i % 3 == 1 ? "fib" : "back";
            wisp_status status = call(&f, name, 9, 0, 0, NULL);
            if (status != WISP_OK) assert_int_equal(status, WISP_E_CANCELLED);
            cancelled += status != WISP_OK;
            wasm_store_resume(f.store);
        }
        h.stop = true;
        os_thread_join(thread);
        wasm_store_resume(f.store);
        assert_true(cancelled >= 1000);
        must_still_run(&f);
        teardown(&f);
    }
}

/* ---- deadlines ---- */

static unsigned thread_count(void)
{
    DIR *tasks = opendir("/proc/self/task");
    unsigned count = 0;
    while (tasks && readdir(tasks))
        count++;
    if (tasks) closedir(tasks);
    return count;
}

static void deadlines_are_kept(void **state)
{
    (void)state;
    static const char *const names[] = {"loop", "long", "wait"};
    const unsigned threads = thread_count();
    for (unsigned m = 0; m < run_mode_count; m++) {
        wasm_limits limits = wasm_limits_defaults;
        fixture f;
        limits.time_ns = 20000000;
        setup_in(&f, &run_modes[m], &limits);
        assert_int_equal(thread_count(), threads + 1);
        for (unsigned i = 0; i < 6; i++) {
            uint64_t begin = os_monotonic_ns();
            must_end(&f, call(&f, names[i % 3], 0, 0, 0, NULL), WISP_E_DEADLINE, WASM_LIMIT_DEADLINE);
            const double late = (double)(os_monotonic_ns() - begin) / 1e6 - 20;
            assert_string_equal(f.trap.reason, "deadline exceeded");
            if (i < 3)
                print_message("%s: \"%s\" ended %.2f ms after its deadline\n", run_modes[m].name, names[i], late);
            assert_true(late >= 0 && late < 1000);
            assert_false(wasm_store_interrupted(f.store)); /* each call has its own */
            must_still_run(&f);
        }
        for (unsigned i = 0; i < 20000; i++) /* none of these is late */
            assert_int_equal(call(&f, "one", 1, 0, 0, NULL), WISP_OK);
        assert_int_equal(wasm_store_set_time(f.store, 0, NULL), WISP_OK);
        interrupted_after(&f, "loop", 0, 0, 0);
        assert_int_equal(wasm_store_set_time(f.store, 1, NULL), WISP_OK);
        must_end(&f, call(&f, "loop", 0, 0, 0, NULL), WISP_E_DEADLINE, WASM_LIMIT_DEADLINE);
        teardown(&f);
        assert_int_equal(thread_count(), threads);
    }
}

/* The embedder's interruption outlives the deadline's. */
static void interruption_and_deadline(void **state)
{
    (void)state;
    wasm_limits limits = wasm_limits_defaults;
    fixture f;
    limits.time_ns = 10000000;
    setup(&f, &limits);
    wasm_store_interrupt(f.store);
    must_end(&f, call(&f, "loop", 0, 0, 0, NULL), WISP_E_CANCELLED, WASM_LIMIT_INTERRUPT);
    must_end(&f, call(&f, "loop", 0, 0, 0, NULL), WISP_E_CANCELLED, WASM_LIMIT_INTERRUPT);
    wasm_store_resume(f.store);
    must_end(&f, call(&f, "loop", 0, 0, 0, NULL), WISP_E_DEADLINE, WASM_LIMIT_DEADLINE);
    must_still_run(&f);
    teardown(&f);
    os_thread_fail_after(0);
    wasm_store *store;
    wisp_report report = {0};
    assert_int_equal(wasm_store_new(&store, &limits, &report), WISP_E_LIMIT);
    os_thread_fail_after(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_much_of_everything),
        cmocka_unit_test(stacks_are_told_apart),
        cmocka_unit_test(host_recursion_ends),
        cmocka_unit_test(the_threads_stack_is_the_limit),
        cmocka_unit_test(fuel_is_the_same_everywhere),
        cmocka_unit_test(fuel_runs_out_at_the_same_place),
        cmocka_unit_test(what_cannot_be_paid_is_not_done),
        cmocka_unit_test(interruption_is_soon),
        cmocka_unit_test(bulk_operations_are_interrupted),
        cmocka_unit_test(pieces_make_the_whole),
        cmocka_unit_test(signal_handlers_interrupt),
        cmocka_unit_test(interruptions_at_any_time),
        cmocka_unit_test(deadlines_are_kept),
        cmocka_unit_test(interruption_and_deadline),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
