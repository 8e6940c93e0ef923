/* The interpreter's translator where the official suite looks little: values that wait on the stack, moves at branches,
 * joined instructions at their edges, exceptions, tail calls without end. Bodies are given as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "wasm/wasm.h"

enum { I32 = 0x7f, I64 = 0x7e, F32 = 0x7d, V128 = 0x7b, END = 0x0b, GET = 0x20, SET = 0x21, TEE = 0x22, CONST = 0x41 };

typedef struct machine {
    base_buffer bytes;
    wasm_module *module;
    wasm_store *store;
    wasm_instance *instance;
    wasm_trap trap;
    wisp_report report;
} machine;

static void section(base_buffer *b, uint8_t id, const base_buffer *content)
{
    base_put_u8(b, id);
    base_put_leb_u32(b, (uint32_t)content->size);
    base_put(b, content->data, content->size);
}

typedef struct text {
    const uint8_t *data;
    size_t size;
} text;
#define TEXT(...) ((text){(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})})

static void put_section(base_buffer *b, uint8_t id, text t)
{
    base_buffer content = {0};
    base_put(&content, t.data, t.size);
    section(b, id, &content);
    base_buffer_fini(&content);
}

static wisp_status host(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)caller;
    if (context) return wasm_host_fail(caller, WISP_E_TRAP, "host");
    v[0].u64 = v[0].u32 * 2;
    return WISP_OK;
}

/* Types as given; function 0 is imported, "h" "h" of type 0 = (i32) -> i32; a memory of one page, a tag of type 1 =
 * (i32) -> (), a table of 4 functions, the functions' bodies with locals; all are exported as "0", "1", … */
static void make(machine *m, text types, text funcs, const text *bodies, unsigned count, const wasm_limits *limits)
{
    static const wasm_host_function function = {"h", "(i)i", host};
    wasm_host_module module = {"h", &function, 1, NULL};
    wasm_imports imports = {.modules = &module, .module_count = 1};
    base_buffer *b = &m->bytes, content = {0};
    *m = (machine){0};
    base_put(b, "\0asm\1\0\0\0", 8);
    put_section(b, 1, types);
    put_section(b, 2, TEXT(1, 1, 'h', 1, 'h', 0, 0));
    put_section(b, 3, funcs);
    put_section(b, 4, TEXT(1, 0x70, 0, 4));
    put_section(b, 5, TEXT(1, 0, 1));
    put_section(b, 13, TEXT(1, 0, 1));
    base_put_u8(&content, (uint8_t)count);
    for (unsigned n = 0; n < count; n++) {
        base_put_u8(&content, 1);
        base_put_u8(&content, (uint8_t)('1' + n));
        base_put_u8(&content, 0);
        base_put_u8(&content, (uint8_t)(1 + n));
    }
    section(b, 7, &content);
    put_section(b, 9, TEXT(1, 0, CONST, 0, END, 2, 0, 1));
    content.size = 0;
    base_put_u8(&content, (uint8_t)count);
    for (unsigned n = 0; n < count; n++) {
        base_put_leb_u32(&content, (uint32_t)bodies[n].size);
        base_put(&content, bodies[n].data, bodies[n].size);
    }
    section(b, 10, &content);
    base_buffer_fini(&content);
    if (wasm_module_new(&m->module, (base_span){b->data, b->size}, NULL, &m->report) != WISP_OK)
        fail_msg("%s", m->report.text);
    assert_int_equal(wasm_store_new(&m->store, limits, &m->report), WISP_OK);
    if (wasm_instance_new(&m->instance, m->store, m->module, &imports, &m->trap, &m->report) != WISP_OK)
        fail_msg("%s", m->report.text);
}

static void destroy(machine *m)
{
    wasm_store_free(m->store);
    wasm_module_free(m->module);
    base_buffer_fini(&m->bytes);
}

static wisp_status try_call(machine *m, const char *name, uint64_t a, uint64_t b, wasm_value *results)
{
    wasm_func *func = wasm_instance_find_func(m->instance, name);
    const wasm_functype *type = wasm_func_type(func);
    wasm_value v[4] = {{.u64 = a}, {.u64 = b}};
    return wasm_call(func, v, type->param_count, results, type->result_count, &m->trap, &m->report);
}

static uint64_t call(machine *m, const char *name, uint64_t a, uint64_t b)
{
    wasm_value results[8];
    if (try_call(m, name, a, b, results) != WISP_OK) fail_msg("%s: %s", name, m->report.text);
    return results[0].u64;
}

/* types: 0 (i)->i, 1 (i)->(), 2 (ii)->i, 3 (ii)->ii, 4 (I)->I, 5 ()->(), 6 (f)->i */
#define TYPES                                                                                                          \
    TEXT(7, 0x60, 1, I32, 1, I32, 0x60, 1, I32, 0, 0x60, 2, I32, I32, 1, I32, 0x60, 2, I32, I32, 2, I32, I32, 0x60, 1, \
         I64, 1, I64, 0x60, 0, 0, 0x60, 1, F32, 1, I32)

/* ---- values that wait on the stack ---- */

static void old_values_of_locals_survive(void **state)
{
    (void)state;
    machine m;
    const text bodies[] = {
        /* x++ + x, with x = 10: 10 * 100 + 11 */
        TEXT(0, GET, 0, GET, 0, CONST, 1, 0x6a, SET, 0, CONST, 0xe4, 0, 0x6c, GET, 0, 0x6a, END),
        /* exchange by the stack alone, then a - b */
        TEXT(0, GET, 0, GET, 1, SET, 0, SET, 1, GET, 0, GET, 1, 0x6b, END),
        /* x; if (1) x = 7; + x */
        TEXT(0, GET, 0, CONST, 1, 0x04, 0x40, CONST, 7, SET, 0, END, GET, 0, 0x6a, END),
        /* x, tee y = x * 3 (twice on the stack), x = 1: x0 + y + y + x */
        TEXT(0, GET, 0, GET, 0, CONST, 3, 0x6c, TEE, 1, GET, 1, CONST, 1, SET, 0, 0x6a, 0x6a, GET, 0, 0x6a, END),
        /* the old value against a constant that took its place */
        TEXT(0, GET, 0, CONST, 5, SET, 0, GET, 0, 0x6b, END),
    };
    make(&m, TYPES, TEXT(5, 0, 2, 0, 2, 0), bodies, 5, NULL);
    assert_int_equal(call(&m, "1", 10, 0), 1011);
    assert_int_equal((int32_t)call(&m, "2", 3, 10), 7);
    assert_int_equal(call(&m, "3", 20, 0), 27);
    assert_int_equal(call(&m, "4", 5, 0), 36);
    assert_int_equal(call(&m, "5", 9, 0), 4);
    destroy(&m);
}

static void a_hundred_values_wait(void **state)
{
    (void)state;
    machine m;
    uint8_t code[1000] = {0};
    size_t size = 1;
    for (int i = 0; i < 100; i++) {
        code[size++] = GET;
        code[size++] = 0;
    }
    code[size++] = CONST;
    code[size++] = 1;
    code[size++] = SET;
    code[size++] = 0;
    for (int i = 0; i < 99; i++)
        code[size++] = 0x6a;
    code[size++] = GET;
    code[size++] = 0;
    code[size++] = 0x6a;
    code[size++] = END;
    make(&m, TYPES, TEXT(1, 0), &(text){code, size}, 1, NULL);
    assert_int_equal(call(&m, "1", 3, 0), 301);
    destroy(&m);
}

/* ---- values at branches ---- */

static void branches_carry_values(void **state)
{
    (void)state;
    machine m;
    const text bodies[] = {
        /* a loop with parameters (i, sum): sum += i, i -= 1 until 0 */
        TEXT(0, GET, 0, CONST, 0, 0x03, 3, SET, 1, TEE, 0, GET, 1, GET, 0, 0x6a, SET, 1, CONST, 1, 0x6b, TEE, 0, GET, 1,
             GET, 0, 0x0d, 0, END, 0x6a, END),
        /* a loop whose parameters change places at each turn: (a, b) -> (b - 1, a), until the first is 0 */
        TEXT(0, GET, 0, GET, 1, 0x03, 3, SET, 1, SET, 0, GET, 1, CONST, 1, 0x6b, GET, 0, GET, 1, CONST, 1, 0x6b, 0x0d,
             0, END, 0x6b, END),
        /* br_if with a value over others: block (i) 1 2 3 x br_if-taken-if-x */
        TEXT(0, 0x02, I32, CONST, 1, CONST, 2, GET, 0, CONST, 10, 0x6a, GET, 0, 0x0d, 0, 0x6a, 0x6a, END, END),
        /* br_table out of three blocks with a value */
        TEXT(0, 0x02, I32, 0x02, I32, 0x02, I32, CONST, 50, GET, 0, 0x0e, 2, 0, 1, 2, END, CONST, 1, 0x6a, END, CONST,
             2, 0x6a, END, END),
        /* return from the middle with things on the stack */
        TEXT(0, CONST, 1, CONST, 2, GET, 0, GET, 0, 0x04, 0x40, GET, 0, CONST, 5, 0x6c, 0x0f, END, 0x6a, 0x6a, END),
    };
    make(&m, TYPES, TEXT(5, 2, 2, 0, 0, 0), bodies, 5, NULL);
    assert_int_equal(call(&m, "1", 10, 0), 55);
    assert_int_equal((int32_t)call(&m, "2", 3, 3), -1);
    assert_int_equal(call(&m, "3", 4, 0), 14);
    assert_int_equal(call(&m, "3", 0, 0), 13);
    assert_int_equal(call(&m, "4", 0, 0), 53);
    assert_int_equal(call(&m, "4", 1, 0), 52);
    assert_int_equal(call(&m, "4", 2, 0), 50);
    assert_int_equal(call(&m, "4", 77, 0), 50);
    assert_int_equal(call(&m, "5", 6, 0), 30);
    assert_int_equal(call(&m, "5", 0, 0), 3);
    destroy(&m);
}

/* ---- joined instructions ---- */

static void comparisons_take_their_branch(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};
    for (uint8_t op = 0x46; op <= 0x4f; op++) {
        machine m;
        const text bodies[] = {
            TEXT(0, GET, 0, GET, 1, op, END),                                                     /* the value itself */
            TEXT(0, 0x02, 0x40, GET, 0, GET, 1, op, 0x0d, 0, CONST, 0, 0x0f, END, CONST, 1, END), /* br_if */
            TEXT(0, GET, 0, GET, 1, op, 0x04, I32, CONST, 1, 0x05, CONST, 0, END, END),           /* if */
            TEXT(0, GET, 0, GET, 1, op, 0x45, 0x04, I32, CONST, 0, 0x05, CONST, 1, END, END),     /* if not */
            TEXT(0, GET, 0, CONST, 0, 0x6a, GET, 1, op, 0x04, I32, CONST, 1, 0x05, CONST, 0, END, END),
            TEXT(0, GET, 0, GET, 1, CONST, 0, 0x6a, op, 0x04, I32, CONST, 1, 0x05, CONST, 0, END, END),
            /* a loop that is left after the first turn or by its count: slot += 1, compared */
            TEXT(0, GET, 0, CONST, 0x7f, 0x6a, SET, 0, 0x02, 0x40, 0x03, 0x40, GET, 0, CONST, 1, 0x6a, TEE, 0, GET, 1,
                 op, 0x0d, 1, CONST, 0, 0x0f, END, END, CONST, 1, END),
        };
        make(&m, TYPES, TEXT(7, 2, 2, 2, 2, 2, 2, 2), bodies, 7, NULL);
        for (unsigned i = 0; i < 64; i++) {
            const uint64_t a = values[i / 8], b = values[i % 8], wanted = call(&m, "1", a, b);
            const char name[7][2] = {"1", "2", "3", "4", "5", "6", "7"};
            for (unsigned n = 1; n < 7; n++)
                assert_int_equal(call(&m, name[n], a, b), wanted);
        }
        destroy(&m);
    }
}

static void float_comparisons_keep_nans_apart(void **state)
{
    (void)state;
    for (uint8_t op = 0x5b; op <= 0x60; op++) {
        machine m;
        const text bodies[] = {
            TEXT(0, GET, 0, 0x43, 0, 0, 0x80, 0x3f, op, END),
            TEXT(0, GET, 0, 0x43, 0, 0, 0x80, 0x3f, op, 0x04, I32, CONST, 1, 0x05, CONST, 0, END, END),
            TEXT(0, GET, 0, 0x43, 0, 0, 0x80, 0x3f, op, 0x45, 0x04, I32, CONST, 0, 0x05, CONST, 1, END, END),
            TEXT(0, 0x43, 0, 0, 0x80, 0x3f, GET, 0, op, END),
            TEXT(0, 0x43, 0, 0, 0x80, 0x3f, GET, 0, op, 0x04, I32, CONST, 1, 0x05, CONST, 0, END, END),
        };
        static const uint32_t values[] = {0, 0x3f800000, 0x40000000, 0x7fc00000, 0xbf800000};
        make(&m, TYPES, TEXT(5, 6, 6, 6, 6, 6), bodies, 5, NULL);
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(call(&m, "2", values[i], 0), call(&m, "1", values[i], 0));
            assert_int_equal(call(&m, "3", values[i], 0), call(&m, "1", values[i], 0));
            assert_int_equal(call(&m, "5", values[i], 0), call(&m, "4", values[i], 0));
        }
        assert_int_equal(call(&m, "1", 0x7fc00000, 0), op == 0x5c);
        destroy(&m);
    }
}

static void sums_as_addresses_wrap(void **state)
{
    (void)state;
    machine m;
    const text bodies[] = {
        /* store 42 at a - 4, load from there */
        TEXT(0, GET, 0, CONST, 0x7c, 0x6a, CONST, 42, 0x36, 2, 0, GET, 0, CONST, 0x7c, 0x6a, 0x28, 2, 0, END),
        TEXT(0, GET, 0, GET, 1, 0x6a, GET, 1, 0x36, 2, 0, GET, 0, GET, 1, 0x6a, 0x28, 2, 0, END),
        TEXT(0, GET, 0, CONST, 0x7c, 0x6a, 0x28, 2, 4, END), /* with an offset: not wrapped */
        TEXT(0, CONST, 8, 0x28, 2, 4, CONST, 8, CONST, 9, 0x36, 2, 4, END),
    };
    make(&m, TYPES, TEXT(4, 0, 2, 0, 0), bodies, 4, NULL);
    wasm_value r[1];
    assert_int_equal(call(&m, "1", 4, 0), 42);
    assert_int_equal(call(&m, "1", 65536, 0), 42);
    assert_int_equal(try_call(&m, "1", 3, 0, r), WISP_E_TRAP); /* 0xffffffff */
    assert_string_equal(m.trap.reason, "out of bounds memory access");
    assert_int_equal(m.trap.frame_count, 1);
    assert_int_equal(m.trap.frames[0].offset, wasm_module_code(m.module, 1).offset + 11); /* after the store */
    assert_int_equal(call(&m, "2", 16, 0xfffffff8), 0xfffffff8);
    assert_int_equal(try_call(&m, "3", 0, 0, r), WISP_E_TRAP); /* 0xfffffffc + 4 */
    assert_int_equal(call(&m, "1", 8, 0), 42);
    assert_int_equal(call(&m, "3", 4, 0), 42);
    assert_int_equal(call(&m, "4", 0, 0), 0);
    assert_int_equal(call(&m, "4", 0, 0), 9);
    destroy(&m);
}

static void extended_values_are_unsigned(void **state)
{
    (void)state;
    machine m;
    const text bodies[] = {
        TEXT(0, GET, 0, 0xa7, CONST, 1, 0x6b, 0xad, GET, 0, 0x7c, END), /* u64(i32(x) - 1) + x */
        TEXT(1, 1, I32, GET, 0, 0xa7, SET, 1, GET, 1, 0xad, END),
        TEXT(0, CONST, 0x7f, CONST, 1, GET, 0, 0xa7, 0x1b, 0xad, END), /* u64(i32(x) ? -1 : 1) */
    };
    make(&m, TYPES, TEXT(3, 4, 4, 4), bodies, 3, NULL);
    assert_true(call(&m, "1", 0, 0) == 0xffffffff);
    assert_true(call(&m, "1", 1ull << 32, 0) == 0x1ffffffff);
    assert_true(call(&m, "2", 0xdeadbeefcafe, 0) == 0xbeefcafe);
    assert_true(call(&m, "3", 5, 0) == 0xffffffff);
    assert_true(call(&m, "3", 0, 0) == 1);
    destroy(&m);
}

/* ---- frames ---- */

static void wide_frames(void **state)
{
    (void)state;
    machine m;
    const text bodies[] = {
        /* 50,000 locals, the last one is used and zero before */
        TEXT(1, 0xcf, 0x86, 3, I32, GET, 0xcf, 0x86, 3, GET, 0, 0x6a, TEE, 0xcf, 0x86, 3, GET, 0xcf, 0x86, 3, 0x6a,
             END),
        TEXT(1, 3, I32, GET, 1, GET, 2, 0x6a, GET, 3, 0x6a, CONST, 9, TEE, 1, TEE, 2, SET, 3, END), /* zero each time */
    };
    make(&m, TYPES, TEXT(2, 0, 0), bodies, 2, NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(&m, "1", 21, 0), 42);
        assert_int_equal(call(&m, "2", 1, 0), 0);
    }
    destroy(&m);
}

/* ---- calls ---- */

/* No native stack is used however long it runs: a loop of 20 million turns, and as many tail calls. */
static void tail_calls_without_end(void **state)
{
    (void)state;
    machine m;
    const text bodies[] = {
        TEXT(0, 0x03, 0x40, GET, 0, CONST, 1, 0x6b, TEE, 0, 0x0d, 0, END, GET, 0, END),
        /* return_call itself(x - 1); through the table; at the end a host function: 21 doubled */
        TEXT(0, GET, 0, 0x45, 0x04, 0x40, CONST, 21, 0x12, 0, END, GET, 0, CONST, 1, 0x6b, 0x12, 2, END),
        TEXT(0, GET, 0, CONST, 1, 0x13, 0, 0, END),                /* return_call_indirect of table[1] */
        TEXT(0, 0xd2, 0, 0x1a, GET, 0, CONST, 0, 0x13, 0, 0, END), /* of the host function */
        /* a loop around a call of the host */
        TEXT(0, 0x03, 0x40, GET, 0, 0x10, 0, 0x1a, GET, 0, CONST, 1, 0x6b, TEE, 0, 0x0d, 0, END, GET, 0, END),
    };
    make(&m, TYPES, TEXT(5, 0, 0, 0, 0, 0), bodies, 5, NULL);
    assert_int_equal(call(&m, "5", 1000000, 0), 0);
    assert_int_equal(call(&m, "1", 20000000, 0), 0);
    assert_int_equal(call(&m, "2", 20000000, 0), 42);
    assert_int_equal(call(&m, "3", 1000, 0), 0);
    assert_int_equal(call(&m, "4", 4, 0), 8);
    destroy(&m);
}

/* ---- exceptions ---- */

static void exceptions(void **state)
{
    (void)state;
    machine m;
    const text bodies[] = {
        TEXT(0, GET, 0, 0x08, 0, END), /* 1: throw(x) */
        /* 2: catch its value: block (i) try_table (catch 0 -> 0) call 1; 99; end; end + 1 */
        TEXT(0, 0x02, I32, 0x1f, 0x40, 1, 0, 0, 0, GET, 0, 0x10, 1, END, CONST, 99, END, CONST, 1, 0x6a, END),
        /* 3: catch_all in a loop: throws x times, counts down */
        TEXT(0, 0x03, 0x40, 0x02, 0x40, 0x1f, 0x40, 1, 2, 0, GET, 0, 0x45, 0x0d, 2, GET, 0, CONST, 1, 0x6b, SET, 0, GET,
             0, 0x08, 0, END, END, GET, 0, 0x0d, 0, END, GET, 0, END),
        /* 4: catch_ref, throw_ref to an outer one which takes the value */
        TEXT(0, 0x02, I32, 0x1f, 0x40, 1, 0, 0, 0, 0x02, 7, 0x1f, 0x40, 1, 1, 0, 0, GET, 0, 0x10, 1, END, 0x00, END,
             0x0a, END, CONST, 99, END, END),
        /* 5: nothing catches: type (i)->() */
        TEXT(0, 0x02, 0x40, 0x1f, 0x40, 0, GET, 0, 0x10, 1, END, END, CONST, 0, END),
        /* 6: a trap is no exception */
        TEXT(0, 0x02, 0x40, 0x1f, 0x40, 1, 2, 0, 0x00, END, END, CONST, 0, END),
    };
    const text types = TEXT(8, 0x60, 1, I32, 1, I32, 0x60, 1, I32, 0, 0x60, 2, I32, I32, 1, I32, 0x60, 2, I32, I32, 2,
                            I32, I32, 0x60, 1, I64, 1, I64, 0x60, 0, 0, 0x60, 1, F32, 1, I32, 0x60, 0, 2, I32, 0x69);
    make(&m, types, TEXT(6, 1, 0, 0, 0, 0, 0), bodies, 6, NULL);
    wasm_value r[1];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(&m, "2", 41, 0), 42);
        assert_int_equal(call(&m, "4", 7, 0), 7);
        assert_int_equal(try_call(&m, "5", 3, 0, r), WISP_E_EXCEPTION);
        assert_string_equal(m.trap.reason, "uncaught exception");
        assert_int_equal(m.trap.frame_count, 2);
        assert_int_equal(m.trap.frames[0].func, 1);
        assert_int_equal(m.trap.frames[1].func, 5);
        assert_int_equal(try_call(&m, "6", 3, 0, r), WISP_E_TRAP);
    }
    assert_int_equal(call(&m, "3", 3000000, 0), 0); /* each ends where it is caught: no limit is met */
    destroy(&m);
}

/* What a clause puts on the stack may be more than there ever is otherwise, and than the thrower has: throw_ref needs
 * one slot for any number of values. The frame must have room for them. */
static void caught_values_are_part_of_the_frame(void **state)
{
    (void)state;
    machine m;
    const text types = TEXT(5, 0x60, 1, I32, 1, I32, 0x60, 8, I32, I32, I32, I32, I32, I32, I32, I32, 0, 0x60, 0, 8,
                            I32, I32, I32, I32, I32, I32, I32, I32, 0x60, 1, 0x69, 1, I32, 0x60, 0, 0);
    const text bodies[] = {
        /* 1: throws eight values */
        TEXT(0, CONST, 1, CONST, 2, CONST, 3, CONST, 4, CONST, 5, CONST, 6, CONST, 7, CONST, 8, 0x08, 0, END),
        /* 2: throws its argument, and catches it above seven operands: 1 + 7 + 8 slots */
        TEXT(0, 0x02, 2, CONST, 0, CONST, 0, CONST, 0, CONST, 0, CONST, 0, CONST, 0, CONST, 0, 0x1f, 0x40, 1, 0, 0, 0,
             GET, 0, 0x0a, END, 0x00, END, 0x1a, 0x1a, 0x1a, 0x1a, 0x1a, 0x1a, 0x1a, END),
        /* 3: gives 2 what 1 throws; 1 slot below 2's */
        TEXT(0, 0x02, 0x69, 0x1f, 0x40, 1, 3, 0, 0x10, 1, END, 0x00, END, 0x10, 2, END),
    };
    wasm_value r[1];
    for (unsigned slots = 10; slots <= 17; slots++) {
        wasm_limits limits = wasm_limits_defaults;
        limits.stack_bytes = slots * sizeof(wasm_value);
        make(&m, types, TEXT(3, 4, 3, 0), bodies, 3, &limits);
        assert_int_equal(try_call(&m, "3", 0, 0, r), slots < 17 ? WISP_E_TRAP : WISP_OK);
        if (slots == 17) assert_int_equal(r[0].u32, 1);
        destroy(&m);
    }
}

/* Two bytes are a call that takes and leaves a thousand values: translating it looks at the clock, too. */
static void translation_is_interrupted(void **state)
{
    (void)state;
    enum { VALUES = 1000, CALLS = 30000 };
    machine m;
    base_buffer types = {0}, body = {0};
    base_put(&types, (const uint8_t[]){3, 0x60, 1, I32, 1, I32, 0x60, 1, I32, 0, 0x60}, 11);
    for (int side = 0; side < 2; side++) {
        base_put_leb_u32(&types, VALUES);
        for (int n = 0; n < VALUES; n++)
            base_put_u8(&types, I32);
    }
    base_put(&body, (const uint8_t[]){0, GET, 0, 0x04, 0x40}, 5);
    for (int n = 0; n < VALUES; n++)
        base_put(&body, (const uint8_t[]){CONST, 0}, 2);
    for (int n = 0; n < CALLS; n++)
        base_put(&body, (const uint8_t[]){0x10, 1}, 2);
    for (int n = 0; n < VALUES; n++)
        base_put_u8(&body, 0x1a);
    base_put(&body, (const uint8_t[]){END, GET, 0, END}, 4);
    const text bodies[] = {TEXT(0, 0x00, END), {body.data, body.size}};
    wasm_limits limits = wasm_limits_defaults;
    limits.time_ns = 1000000;
    wasm_value r[1];
    make(&m, (text){types.data, types.size}, TEXT(2, 2, 0), bodies, 2, &limits);
    assert_int_equal(try_call(&m, "2", 0, 0, r), WISP_E_DEADLINE);
    assert_int_equal(wasm_store_set_time(m.store, 0, &m.report), WISP_OK);
    assert_int_equal(call(&m, "2", 0, 0), 0);
    destroy(&m);
    base_buffer_fini(&types);
    base_buffer_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_values_of_locals_survive),
        cmocka_unit_test(a_hundred_values_wait),
        cmocka_unit_test(branches_carry_values),
        cmocka_unit_test(comparisons_take_their_branch),
        cmocka_unit_test(float_comparisons_keep_nans_apart),
        cmocka_unit_test(sums_as_addresses_wrap),
        cmocka_unit_test(extended_values_are_unsigned),
        cmocka_unit_test(wide_frames),
        cmocka_unit_test(tail_calls_without_end),
        cmocka_unit_test(exceptions),
        cmocka_unit_test(caught_values_are_part_of_the_frame),
        cmocka_unit_test(translation_is_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
