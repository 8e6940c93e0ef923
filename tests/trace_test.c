/* Traps list the wasm call stack, however each part of it runs: instances, interpreted or native in every combination,
 * linked directly or through host functions, end in every way. Interpreted all through is what the others must show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "module_writer.h"
#include "run_modes.h"

/* ---- modules ---- */

enum ending {
    DIVIDE,
    LOAD,
    LOAD_FRAMED,
    UNREACHABLE,
    DOWN,
    THROW,
    FILL,
    CAUGHT_FIRST,
    CAUGHT_ELSEWHERE,
    FAIL,
    ENDINGS
};
static const char *const ending_names[ENDINGS] = {"divide", "load", "load_framed",  "unreachable",      "down",
                                                  "throw",  "fill", "caught_first", "caught_elsewhere", "fail"};

typedef struct names {
    const char *of[32];
    uint32_t count; /* functions, imported ones first */
} names;

static void put_section(base_buffer *out, const base_buffer *content)
{
    base_put_u8(out, 0);
    base_put_leb_u32(out, (uint32_t)content->size);
    base_put(out, content->data, content->size);
}

static base_buffer finish(module_writer *w, const names *n)
{
    base_buffer map = {0}, section = {0}, bytes = mw_finish(w);
    base_put_leb_u32(&map, n->count);
    for (uint32_t i = 0; i < n->count; i++) {
        base_put_leb_u32(&map, i);
        mw_name(&map, n->of[i]);
    }
    mw_name(&section, "name");
    base_put_u8(&section, 1);
    base_put_leb_u32(&section, (uint32_t)map.size);
    base_put(&section, map.data, map.size);
    put_section(&bytes, &section);
    base_buffer_fini(&map);
    base_buffer_fini(&section);
    assert_false(bytes.failed);
    return bytes;
}

static void name(names *n, uint32_t index, const char *text)
{
    n->of[index] = text;
    if (index >= n->count) n->count = index + 1;
}

static void put_tag(module_writer *w)
{
    base_put_u8(&w->tags, 0);
    base_put_leb_u32(&w->tags, mw_type(w, "()"));
    w->tag_count++;
}

static uint32_t begin(module_writer *w, names *n, const char *text)
{
    uint32_t index = mw_function(w, "(i)i", "");
    name(n, index, text);
    return index;
}

static void put_call(module_writer *w, uint32_t func, int32_t argument)
{
    mw_i32(w, argument);
    mw_op1(w, 0x10, func);
}

/* Calls `func`, whose exception ends nowhere but here; then divides by zero. */
static void put_caught(module_writer *w, names *n, const char *text, uint32_t func, uint32_t divide)
{
    begin(w, n, text);
    mw_op1(w, 0x02, 0x40); /* block */
    mw_op1(w, 0x1f, 0x40); /* try_table catch_all 0 */
    mw_leb(w, 1), mw_leb(w, 2), mw_leb(w, 0);
    put_call(w, func, 0);
    mw_op(w, 0x1a), mw_op(w, 0x0b), mw_op(w, 0x0b);
    put_call(w, divide, 0);
    mw_end(w, NULL);
}

/* "f"(n): last -> choose -> one function for each ending. It imports what throws if a host function must be between. */
static base_buffer make_last(void)
{
    module_writer w = {0};
    names n = {{0}, 0};
    uint32_t endings[ENDINGS];
    const uint32_t fail = mw_import_function(&w, "h", "fail", "(i)i");
    const uint32_t again = mw_import_function(&w, "h", "again", "(i)i"); /* calls the export "throw" */
    name(&n, fail, "h.fail"), name(&n, again, "h.again");
    mw_memory(&w, 1, 1, false);
    put_tag(&w);
    endings[DIVIDE] = begin(&w, &n, "divide");
    mw_i32(&w, 1), mw_op1(&w, 0x20, 0), mw_op(&w, 0x6d), mw_end(&w, NULL);
    endings[LOAD] = begin(&w, &n, "load");
    mw_i32(&w, 0x7ffffff0), mw_access(&w, 0x28, 2, 16), mw_end(&w, NULL);
    endings[LOAD_FRAMED] = begin(&w, &n, "load_framed");
    put_call(&w, endings[DIVIDE], 1), mw_access(&w, 0x28, 2, 0x7ffffff0);
    put_call(&w, endings[DIVIDE], 1), mw_op(&w, 0x6a), mw_end(&w, NULL);
    endings[UNREACHABLE] = begin(&w, &n, "unreachable");
    mw_op(&w, 0x00), mw_end(&w, NULL);
    endings[DOWN] = begin(&w, &n, "down");
    put_call(&w, endings[DOWN], 0), mw_i32(&w, 1), mw_op(&w, 0x6a), mw_end(&w, NULL);
    endings[THROW] = begin(&w, &n, "throw");
    mw_op1(&w, 0x08, 0), mw_end(&w, "throw");
    endings[FILL] = begin(&w, &n, "fill");
    mw_i32(&w, 0), mw_i32(&w, 0), mw_i32(&w, 65537), mw_op1(&w, 0xfc00b, 0), mw_i32(&w, 1), mw_end(&w, NULL);
    endings[CAUGHT_FIRST] = endings[FILL] + 1;
    put_caught(&w, &n, "caught_first", endings[THROW], endings[DIVIDE]);
    endings[CAUGHT_ELSEWHERE] = endings[FILL] + 2;
    put_caught(&w, &n, "caught_elsewhere", again, endings[DIVIDE]);
    endings[FAIL] = fail;
    uint32_t choose = begin(&w, &n, "choose");
    for (int32_t i = 0; i < ENDINGS; i++) {
        mw_op1(&w, 0x20, 0), mw_i32(&w, i), mw_op(&w, 0x46);
        mw_op1(&w, 0x04, 0x40), put_call(&w, endings[i], 0), mw_op(&w, 0x1a), mw_op(&w, 0x0b);
    }
    mw_i32(&w, 0), mw_end(&w, NULL);
    begin(&w, &n, "last");
    mw_op1(&w, 0x20, 0), mw_op1(&w, 0x10, choose), mw_i32(&w, 1), mw_op(&w, 0x6a), mw_end(&w, "f");
    return finish(&w, &n);
}

/* "f"(n): `outer` -> `inner` -> the import. A tag decides how native code calls. */
static base_buffer make_link(const char *outer, const char *inner, bool tag)
{
    module_writer w = {0};
    names n = {{0}, 0};
    const uint32_t next = mw_import_function(&w, "n", "f", "(i)i");
    name(&n, next, "n.f");
    if (tag) put_tag(&w);
    const uint32_t call = begin(&w, &n, inner);
    mw_op1(&w, 0x20, 0), mw_op1(&w, 0x10, next), mw_i32(&w, 1), mw_op(&w, 0x6a), mw_end(&w, NULL);
    begin(&w, &n, outer);
    mw_op1(&w, 0x20, 0), mw_op1(&w, 0x10, call), mw_i32(&w, 1), mw_op(&w, 0x6a), mw_end(&w, "f");
    return finish(&w, &n);
}

/* ---- a chain of instances in a store ---- */

enum { LEVELS = 3 };
static base_buffer bytes[LEVELS];
static wasm_module *modules[LEVELS];

typedef struct host_link {
    wasm_func *func;
    wasm_trap *trap;
} host_link;

typedef struct chain {
    wasm_store *store;
    wasm_instance *instances[LEVELS]; /* the last to be called first */
    wasm_func *funcs[LEVELS];
    wasm_trap traps[LEVELS]; /* of the calls that host functions make: to which level */
    host_link links[LEVELS];
} chain;

static wisp_status host_fail(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)context, (void)v;
    return wasm_host_fail(caller, WISP_E_IO, "no more");
}

static wisp_status host_again(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)context;
    return wasm_call(wasm_instance_find_func(caller, "throw"), v, 1, v, 1, NULL, NULL);
}

static wisp_status host_next(void *context, wasm_instance *caller, wasm_value *v)
{
    const host_link *to = context;
    (void)caller;
    return wasm_call(to->func, v, 1, v, 1, to->trap, NULL);
}

/* Bit n of `native`: level n runs natively, where the mode does. */
static void open_chain(chain *c, const run_mode *mode, unsigned native, bool through_host)
{
    static const wasm_host_function ends[] = {{"fail", "(i)i", host_fail}, {"again", "(i)i", host_again}};
    static const wasm_host_function next[] = {{"f", "(i)i", host_next}};
    wasm_limits limits = wasm_limits_defaults;
    wisp_report report = {0};
    limits.explicit_checks = mode->explicit_checks;
    limits.call_depth = 1000;
    limits.native_stack = 256 << 10;
    *c = (chain){0};
    assert_int_equal(wasm_store_new(&c->store, &limits, NULL), WISP_OK);
    for (unsigned i = 0; i < LEVELS; i++) {
        wasm_host_module host = {"h", ends, 2, NULL};
        wasm_named_extern direct = {.module = "n", .name = "f"};
        wasm_imports imports = {&host, 1, NULL, 0};
        if (i && through_host) {
            c->links[i] = (host_link){c->funcs[i - 1], &c->traps[i - 1]};
            host = (wasm_host_module){"n", next, 1, &c->links[i]};
        } else if (i) {
            direct.value = (wasm_extern){.kind = WASM_FUNC, .func = c->funcs[i - 1]};
            imports = (wasm_imports){NULL, 0, &direct, 1};
        }
        assert_int_equal(wasm_instance_new(&c->instances[i], c->store, modules[i], &imports, NULL, &report), WISP_OK);
        c->funcs[i] = wasm_instance_find_func(c->instances[i], "f");
        if (native >> i & 1 && run_mode_prepare(mode, c->instances[i], &report) != WISP_OK) fail_msg("%s", report.text);
    }
}

static wisp_status call_chain(chain *c, enum ending ending)
{
    wasm_value v = {.u64 = ending};
    memset(c->traps, 0, sizeof c->traps);
    return wasm_call(c->funcs[LEVELS - 1], &v, 1, &v, 1, &c->traps[LEVELS - 1], NULL);
}

/* ---- comparing ---- */

static void describe(char *out, size_t size, const wasm_trap *trap)
{
    size_t at = (size_t)snprintf(out, size, "%s:", trap->reason);
    for (uint32_t i = 0; i < trap->frame_count && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, " %.*s(%u)", (int)trap->frames[i].name.size,
                               (const char *)trap->frames[i].name.data, trap->frames[i].func);
}

static uint64_t body_of(const wasm_trap_frame *frame)
{
    for (unsigned i = 0; i < LEVELS; i++) {
        const base_span all = wasm_module_bytes(modules[i]);
        if ((uintptr_t)frame->name.data - (uintptr_t)all.data < all.size)
            return wasm_module_code(modules[i], frame->func).offset;
    }
    fail_msg("a frame of no module");
    return 0;
}

static void compare(const chain *c, const chain *reference, const char *how, enum ending ending)
{
    char text[2][2000];
    for (unsigned i = 0; i < LEVELS; i++) {
        const wasm_trap *got = &c->traps[i], *wanted = &reference->traps[i];
        describe(text[0], sizeof text[0], wanted);
        describe(text[1], sizeof text[1], got);
        if (strcmp(text[0], text[1]) != 0)
            fail_msg("%s, %s, level %u:\n%s\nin place of\n%s", how, ending_names[ending], i, text[1], text[0]);
        if (ending != DOWN && got->depth != wanted->depth)
            fail_msg("%s, %s, level %u: depth %u in place of %u", how, ending_names[ending], i, got->depth,
                     wanted->depth);
        for (uint32_t k = 0; k < got->frame_count; k++) {
            const wasm_trap_frame *frame = &got->frames[k];
            if (frame->offset != wanted->frames[k].offset && frame->offset != body_of(frame))
                fail_msg("%s, %s, level %u, frame %u: offset %llu", how, ending_names[ending], i, k,
                         (unsigned long long)frame->offset);
        }
    }
}

/* What the interpreter shows is right, in words. */
static void check_reference(const chain *c, enum ending ending, bool through_host)
{
    static const char *const wanted[ENDINGS] = {
        [DIVIDE] = "integer divide by zero: divide(2) choose(11) last(12)",
        [LOAD] = "out of bounds memory access: load(3) choose(11) last(12)",
        [LOAD_FRAMED] = "out of bounds memory access: load_framed(4) choose(11) last(12)",
        [UNREACHABLE] = "unreachable: unreachable(5) choose(11) last(12)",
        [DOWN] = "call stack exhausted: down(6) down(6) down(6) down(6)",
        [THROW] = "uncaught exception: throw(7) choose(11) last(12)",
        [FILL] = "out of bounds memory access: fill(8) choose(11) last(12)",
        [CAUGHT_FIRST] = "integer divide by zero: divide(2) caught_first(9) choose(11) last(12)",
        [CAUGHT_ELSEWHERE] = "integer divide by zero: divide(2) caught_elsewhere(10) choose(11) last(12)",
        [FAIL] = "no more: choose(11) last(12)",
    };
    static const char rest[] = " middle_in(1) middle_out(2) first_in(1) first_out(2)";
    char text[2000], whole[2000];
    describe(text, sizeof text, &c->traps[through_host ? 0 : LEVELS - 1]);
    snprintf(whole, sizeof whole, "%s%s", wanted[ending], rest);
    if (ending == DOWN)
        assert_memory_equal(text, wanted[ending], strlen(wanted[ending]));
    else
        assert_string_equal(text, whole);
    if (!through_host) return;
    describe(text, sizeof text, &c->traps[LEVELS - 1]);
    assert_string_equal(strchr(text, ':'), ": first_in(1) first_out(2)");
}

static void all_ways(bool through_host)
{
    for (int e = 0; e < ENDINGS; e++) {
        chain reference;
        open_chain(&reference, &run_modes[0], 0, through_host);
        const wisp_status status = call_chain(&reference, (enum ending)e);
        check_reference(&reference, (enum ending)e, through_host);
        assert_true(status == WISP_E_TRAP || status == WISP_E_IO || status == WISP_E_EXCEPTION);
        wasm_store_free(reference.store);
    }
    for (unsigned m = 0; m < run_mode_count; m++) {
        for (unsigned native = 0; native < (run_modes[m].native ? 1u << LEVELS : 1); native++) {
            chain c, reference;
            char how[100];
            snprintf(how, sizeof how, "%s, native levels %x", run_modes[m].name, native);
            open_chain(&reference, &run_modes[0], 0, through_host);
            open_chain(&c, &run_modes[m], native, through_host);
            for (int round = 0; round < 2; round++) /* nothing is left behind */
                for (int e = 0; e < ENDINGS; e++) {
                    const wisp_status wanted = call_chain(&reference, (enum ending)e);
                    assert_int_equal(call_chain(&c, (enum ending)e), wanted);
                    compare(&c, &reference, how, (enum ending)e);
                }
            wasm_store_free(c.store);
            wasm_store_free(reference.store);
        }
    }
}

static void linked_directly(void **state)
{
    (void)state;
    all_ways(false);
}

static void through_host_functions(void **state)
{
    (void)state;
    all_ways(true);
}

/* An exception that an interpreted function throws and native code catches, more often than there is room for frames.
 */
static void catching_leaves_nothing_behind(void **state)
{
    (void)state;
    module_writer w = {0};
    names n = {{0}, 0};
    const uint32_t next = mw_import_function(&w, "n", "f", "(i)i");
    name(&n, next, "n.f");
    put_tag(&w);
    mw_function(&w, "(i)i", "");
    mw_op1(&w, 0x03, 0x40); /* loop */
    mw_op1(&w, 0x02, 0x40), mw_op1(&w, 0x1f, 0x40), mw_leb(&w, 1), mw_leb(&w, 2), mw_leb(&w, 0);
    put_call(&w, next, THROW);
    mw_op(&w, 0x1a), mw_op(&w, 0x0b), mw_op(&w, 0x0b);
    mw_op1(&w, 0x20, 0), mw_i32(&w, -1), mw_op(&w, 0x6a), mw_op1(&w, 0x22, 0), mw_op1(&w, 0x0d, 0), mw_op(&w, 0x0b);
    mw_op1(&w, 0x20, 0), mw_end(&w, "loop");
    base_buffer code = finish(&w, &n);
    wasm_module *module;
    assert_int_equal(wasm_module_new(&module, (base_span){code.data, code.size}, NULL, NULL), WISP_OK);
    for (unsigned m = 0; m < run_mode_count; m++) {
        chain c;
        wasm_instance *instance;
        wasm_value v = {.u64 = 3000};
        open_chain(&c, &run_modes[m], 0, false);
        const wasm_named_extern direct = {.module = "n", .name = "f", .value = {.kind = WASM_FUNC, .func = c.funcs[0]}};
        const wasm_imports imports = {NULL, 0, &direct, 1};
        assert_int_equal(wasm_instance_new(&instance, c.store, module, &imports, NULL, NULL), WISP_OK);
        assert_int_equal(run_mode_prepare(&run_modes[m], instance, NULL), WISP_OK);
        wasm_func *loop = wasm_instance_find_func(instance, "loop");
        assert_int_equal(wasm_call(loop, &v, 1, &v, 1, &c.traps[0], NULL), WISP_OK);
        wasm_store_free(c.store);
    }
    wasm_module_free(module);
    base_buffer_fini(&code);
}

static int make_modules(void **state)
{
    (void)state;
    bytes[0] = make_last();
    bytes[1] = make_link("middle_out", "middle_in", true);
    bytes[2] = make_link("first_out", "first_in", false);
    for (unsigned i = 0; i < LEVELS; i++) {
        wisp_report report = {0};
        if (wasm_module_new(&modules[i], (base_span){bytes[i].data, bytes[i].size}, NULL, &report) != WISP_OK)
            fail_msg("%s", report.text);
    }
    return 0;
}

static int free_modules(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LEVELS; i++) {
        wasm_module_free(modules[i]);
        base_buffer_fini(&bytes[i]);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linked_directly),
        cmocka_unit_test(through_host_functions),
        cmocka_unit_test(catching_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("traces", tests, make_modules, free_modules);
}
