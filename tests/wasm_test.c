/* wasm: what the official suite does not ask: limits, interruption, replacement, traps' call stacks, borrowed bytes,
 * failing allocations. Modules are assembled here, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "os/os.h"
#include "wasm/wasm.h"

/* ---- an assembler of sections ---- */

static void section(base_buffer *b, uint8_t id, const void *content, size_t size)
{
    base_put_u8(b, id);
    base_put_leb_u32(b, (uint32_t)size);
    base_put(b, content, size);
}
#define SECTION(b, id, ...)                                                                                            \
    do {                                                                                                               \
        static const uint8_t bytes_[] = {__VA_ARGS__};                                                                 \
        section(b, id, bytes_, sizeof bytes_);                                                                         \
    } while (0)
static void header(base_buffer *b)
{
    base_put(b, "\0asm\1\0\0\0", 8);
}

enum { I32 = 0x7f, FUNC = 0x60, END = 0x0b, CALL = 0x10, GET = 0x20, CONST = 0x41 };

/* types: 0 ()->(), 1 (i)->i; functions: 0 import "h" "f" of type 1, 1 double, 2 direct, 3 indirect, 4 forever, 5 deep,
 * 6 trap, 7 outer; a table holding 1, a memory of 1 page up to 3, one passive data segment, names. */
static base_buffer sample(void)
{
    base_buffer b = {0};
    header(&b);
    SECTION(&b, 0, 4, 'n', 'o', 't', 'e', 'h', 'e', 'l', 'l', 'o');
    SECTION(&b, 1, 2, FUNC, 0, 0, FUNC, 1, I32, 1, I32);
    SECTION(&b, 2, 1, 1, 'h', 1, 'f', 0, 1);
    SECTION(&b, 3, 7, 1, 1, 1, 0, 0, 0, 0);
    SECTION(&b, 4, 1, 0x70, 0, 1);
    SECTION(&b, 5, 1, 1, 1, 3);
    SECTION(&b, 7, 9, 1, 'd', 0, 1, 1, 'c', 0, 2, 1, 'i', 0, 3, 1, 'l', 0, 4, 1, 'r', 0, 5, 1, 't', 0, 7, 1, 'h', 0, 0,
            1, 'm', 2, 0, 1, 'T', 1, 0);
    SECTION(&b, 9, 1, 0, CONST, 0, END, 1, 1);
    SECTION(&b, 12, 1);
    SECTION(&b, 10, 7,                                 //
            7, 0, GET, 0, CONST, 2, 0x6c, END,         // 1: x * 2
            6, 0, GET, 0, CALL, 1, END,                // 2: double(x)
            9, 0, GET, 0, CONST, 0, 0x11, 1, 0, END,   // 3: table[0](x)
            7, 0, 0x03, 0x40, 0x0c, 0, END, END,       // 4: for (;;)
            4, 0, CALL, 5, END,                        // 5: deep()
            8, 0, CONST, 1, CONST, 0, 0x6d, 0x1a, END, // 6: 1 / 0
            5, 0, 0x01, CALL, 6, END);                 // 7: nop, trap()
    SECTION(&b, 11, 1, 1, 4, 'd', 'a', 't', 'a');
    SECTION(&b, 0, 4, 'n', 'a', 'm', 'e', 1, 14, 2, 6, 4, 't', 'r', 'a', 'p', 7, 5, 'o', 'u', 't', 'e', 'r');
    assert_false(b.failed);
    return b;
}

typedef struct fixture {
    base_buffer bytes;
    wasm_module *module;
    wasm_store *store;
    wasm_instance *instance;
    wasm_trap trap;
    wisp_report report;
} fixture;

static wisp_status plus_hundred(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)caller;
    if (context) ++*(unsigned *)context;
    v[0].u32 += 100;
    v[0].words[0] |= 0xdead00000000; /* the machine must not trust the upper half */
    return WISP_OK;
}

static wasm_host_function host_functions[] = {{"f", "(i)i", plus_hundred}};

static void setup(fixture *f, const wasm_limits *limits)
{
    *f = (fixture){.bytes = sample()};
    wasm_host_module host = {"h", host_functions, 1, NULL};
    wasm_imports imports = {.modules = &host, .module_count = 1};
    base_span bytes = {f->bytes.data, f->bytes.size};
    assert_int_equal(wasm_module_new(&f->module, bytes, NULL, &f->report), WISP_OK);
    assert_int_equal(wasm_store_new(&f->store, limits, &f->report), WISP_OK);
    assert_int_equal(wasm_instance_new(&f->instance, f->store, f->module, &imports, &f->trap, &f->report), WISP_OK);
    assert_int_equal(wasm_instance_start(f->instance, &f->trap, &f->report), WISP_OK);
}

static void teardown(fixture *f)
{
    wasm_store_free(f->store);
    wasm_module_free(f->module);
    base_buffer_fini(&f->bytes);
}

static wisp_status call0(fixture *f, const char *name)
{
    f->report = (wisp_report){0};
    wasm_func *func = wasm_instance_find_func(f->instance, name);
    assert_non_null(func);
    return wasm_call(func, NULL, 0, NULL, 0, &f->trap, &f->report);
}

static uint64_t call1(fixture *f, const char *name, uint32_t argument)
{
    wasm_value v = {.u32 = argument};
    wasm_func *func = wasm_instance_find_func(f->instance, name);
    assert_non_null(func);
    assert_int_equal(wasm_call(func, &v, 1, &v, 1, &f->trap, &f->report), WISP_OK);
    return v.u64;
}

/* ---- modules ---- */

static void module_borrows_its_bytes(void **state)
{
    (void)state;
    fixture f;
    setup(&f, NULL);
    wasm_data_info data = wasm_module_data(f.module, 0);
    assert_int_equal(data.bytes.size, 4);
    assert_true(data.passive);
    assert_true(data.bytes.data > f.bytes.data && data.bytes.data < f.bytes.data + f.bytes.size);
    assert_memory_equal(data.bytes.data, "data", 4);
    const wasm_section_info *note = wasm_module_custom(f.module, "note", 0);
    assert_int_equal(note->offset, 8);
    assert_memory_equal(note->content.data, "hello", 5);
    assert_null(wasm_module_custom(f.module, "note", 1));
    wasm_code_info code = wasm_module_code(f.module, 2);
    assert_int_equal(code.body.size, 6);
    assert_ptr_equal(code.body.data, f.bytes.data + code.offset);
    assert_int_equal(code.local_count, 1);
    assert_int_equal(wasm_module_func_name(f.module, 7).size, 5);
    assert_null(wasm_module_func_name(f.module, 1).data);
    assert_int_equal(wasm_module_import(f.module, 0)->kind, WASM_FUNC);
    teardown(&f);
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    base_buffer b = sample();
    unsigned accepted = 0;
    for (size_t size = 0; size < b.size; size++) {
        wasm_module *module;
        wisp_report report = {0};
        uint8_t *exact = malloc(size + 1);
        memcpy(exact, b.data, size);
        wisp_status status = wasm_module_new(&module, (base_span){exact, size}, NULL, &report);
        if (status == WISP_OK) {
            accepted++;
            wasm_module_free(module);
        } else {
            assert_true(status == WISP_E_TRUNCATED || status == WISP_E_INPUT);
            assert_non_null(strstr(report.text, "wasm: "));
        }
        free(exact);
    }
    assert_int_equal(accepted, 5); /* after the header, the note, the types, the import; before the names */
    base_buffer_fini(&b);
}

static void decode_limits_hold(void **state)
{
    (void)state;
    base_buffer b = sample();
    wasm_decode_limits limits[] = {wasm_decode_defaults, wasm_decode_defaults, wasm_decode_defaults,
                                   wasm_decode_defaults, wasm_decode_defaults};
    limits[0].items = 6;
    limits[1].params = 0;
    limits[2].operands = 1;
    limits[3].nesting = 1;
    limits[4].locals = 0;
    for (unsigned i = 0; i < 4; i++) {
        wasm_module *module;
        wisp_report report = {0};
        assert_int_equal(wasm_module_new(&module, (base_span){b.data, b.size}, &limits[i], &report), WISP_E_LIMIT);
        assert_int_equal(report.status, WISP_E_LIMIT);
    }
    base_buffer_fini(&b);
    /* a function of 2^32 - 1 locals */
    base_buffer huge = {0};
    header(&huge);
    SECTION(&huge, 1, 1, FUNC, 0, 0);
    SECTION(&huge, 3, 1, 0);
    SECTION(&huge, 10, 1, 8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, I32, END);
    wasm_module *module;
    assert_int_equal(wasm_module_new(&module, (base_span){huge.data, huge.size}, NULL, NULL), WISP_E_LIMIT);
    base_buffer_fini(&huge);
}

/* A data section after it must not hide that the code section is not there. */
static void functions_need_their_code(void **state)
{
    (void)state;
    base_buffer b = {0};
    header(&b);
    SECTION(&b, 1, 1, FUNC, 0, 0);
    SECTION(&b, 3, 1, 0);
    SECTION(&b, 11, 0);
    wasm_module *module;
    assert_int_equal(wasm_module_new(&module, (base_span){b.data, b.size}, NULL, NULL), WISP_E_INPUT);
    base_buffer_fini(&b);
}

/* ---- replacement ---- */

static void replaced_however_it_is_reached(void **state)
{
    (void)state;
    fixture f;
    unsigned calls = 0;
    setup(&f, NULL);
    assert_int_equal(call1(&f, "c", 21), 42);
    assert_int_equal(call1(&f, "i", 21), 42);
    assert_int_equal(wasm_instance_replace(f.instance, 1, "(i)i", plus_hundred, &calls, NULL), WISP_OK);
    assert_int_equal(call1(&f, "d", 1), 101); /* export */
    assert_int_equal(call1(&f, "c", 2), 102); /* call */
    assert_int_equal(call1(&f, "i", 3), 103); /* call_indirect */
    assert_int_equal(calls, 3);
    /* another instance that imports it */
    wasm_instance *second;
    wasm_named_extern from = {.module = "h", .name = "f", .value = {.kind = WASM_FUNC}};
    from.value.func = wasm_instance_func(f.instance, 1);
    wasm_imports imports = {.externs = &from, .extern_count = 1};
    assert_int_equal(wasm_instance_new(&second, f.store, f.module, &imports, NULL, NULL), WISP_OK);
    wasm_value v = {.u32 = 4};
    assert_int_equal(wasm_call(wasm_instance_find_func(second, "h"), &v, 1, &v, 1, NULL, NULL), WISP_OK);
    assert_int_equal(v.u64, 104);
    assert_int_equal(calls, 4);
    teardown(&f);
}

static void replacement_is_checked(void **state)
{
    (void)state;
    fixture f;
    setup(&f, NULL);
    assert_int_equal(wasm_instance_replace(f.instance, 1, "(I)i", plus_hundred, NULL, NULL), WISP_E_INPUT);
    assert_int_equal(wasm_instance_replace(f.instance, 1, "(i)", plus_hundred, NULL, NULL), WISP_E_INPUT);
    assert_int_equal(wasm_instance_replace(f.instance, 1, "(ii)i", plus_hundred, NULL, NULL), WISP_E_INPUT);
    assert_int_equal(wasm_instance_replace(f.instance, 1, "i)i", plus_hundred, NULL, NULL), WISP_E_INPUT);
    assert_int_equal(wasm_instance_replace(f.instance, 1, "", plus_hundred, NULL, NULL), WISP_E_INPUT);
    assert_int_equal(wasm_instance_replace(f.instance, 0, "(i)i", plus_hundred, NULL, NULL), WISP_E_NOT_FOUND);
    assert_int_equal(wasm_instance_replace(f.instance, 99, "(i)i", plus_hundred, NULL, NULL), WISP_E_NOT_FOUND);
    assert_int_equal(call1(&f, "d", 5), 10);
    teardown(&f);
}

/* ---- limits, traps ---- */

static void traps_carry_the_call_stack(void **state)
{
    (void)state;
    fixture f;
    setup(&f, NULL);
    assert_int_equal(call0(&f, "t"), WISP_E_TRAP);
    assert_string_equal(f.trap.reason, "integer divide by zero");
    assert_string_equal(f.report.text, "wasm: integer divide by zero");
    assert_int_equal(f.trap.depth, 2);
    assert_int_equal(f.trap.frame_count, 2);
    assert_int_equal(f.trap.frames[0].func, 6);
    assert_memory_equal(f.trap.frames[0].name.data, "trap", 4);
    assert_int_equal(f.trap.frames[1].func, 7);
    wasm_code_info code = wasm_module_code(f.module, 6);
    assert_int_equal(f.trap.frames[0].offset, code.offset + 6); /* after i32.div_s */
    assert_int_equal(call1(&f, "d", 5), 10);                    /* the store goes on */
    teardown(&f);
}

static void recursion_ends_in_a_trap(void **state)
{
    (void)state;
    wasm_limits limits = wasm_limits_defaults;
    fixture f;
    limits.call_depth = 100;
    setup(&f, &limits);
    assert_int_equal(call0(&f, "r"), WISP_E_TRAP);
    assert_string_equal(f.trap.reason, "call stack exhausted");
    assert_int_equal(f.trap.depth, 100);
    assert_int_equal(f.trap.frame_count, WASM_TRAP_FRAMES);
    teardown(&f);
    limits = wasm_limits_defaults;
    limits.stack_bytes = 48; /* three slots */
    setup(&f, &limits);
    wasm_value v = {.u32 = 1};
    assert_int_equal(call1(&f, "d", 1), 2);
    assert_int_equal(wasm_call(wasm_instance_find_func(f.instance, "i"), &v, 1, &v, 1, &f.trap, NULL), WISP_E_TRAP);
    assert_string_equal(f.trap.reason, "call stack exhausted");
    teardown(&f);
}

static void fuel_runs_out(void **state)
{
    (void)state;
    wasm_limits limits = wasm_limits_defaults;
    fixture f;
    limits.fuel = 5000;
    setup(&f, &limits);
    assert_int_equal(call1(&f, "c", 1), 2);
    assert_int_equal(wasm_store_fuel(f.store), 4999); /* one call */
    assert_int_equal(call0(&f, "l"), WISP_E_FUEL);
    assert_int_equal(wasm_store_fuel(f.store), 0);
    wasm_store_set_fuel(f.store, 10);
    assert_int_equal(call1(&f, "c", 1), 2);
    teardown(&f);
}

static void *data_of(fixture *f)
{
    return wasm_memory_data(wasm_instance_memory(f->instance, 0));
}

static void memory_stays_in_its_limits(void **state)
{
    (void)state;
    base_budget budget = {.limit = 2 * 65536 + 1000};
    wasm_limits limits = wasm_limits_defaults;
    fixture f;
    limits.memory_pages = 2;
    limits.budget = &budget;
    setup(&f, &limits);
    wasm_memory *memory = wasm_instance_memory(f.instance, 0);
    assert_null(wasm_memory_at(f.instance, 65536, 1));
    assert_null(wasm_memory_at(f.instance, 65535, 2));
    assert_null(wasm_memory_at(f.instance, UINT64_MAX, 2));
    assert_null(wasm_memory_at(f.instance, 1, UINT64_MAX));
    assert_non_null(wasm_memory_at(f.instance, 65536, 0));
    uint8_t *before = data_of(&f);
    assert_int_equal(wasm_memory_grow(memory, 1), 1);
    if (wasm_memory_is_fixed(memory)) assert_ptr_equal(data_of(&f), before);
    assert_non_null(wasm_memory_at(f.instance, 65536, 65536));
    assert_int_equal(wasm_memory_grow(memory, 1), UINT64_MAX); /* its own maximum is 3, the store's 2 */
    assert_int_equal(wasm_memory_grow(memory, UINT64_MAX), UINT64_MAX);
    wasm_store_free(f.store);
    assert_int_equal(budget.used, 0);
    f.store = NULL;
    teardown(&f);
}

static void too_much_memory_is_refused(void **state)
{
    (void)state;
    wasm_limits limits = wasm_limits_defaults;
    wasm_store *store;
    wasm_memory *memory;
    wasm_table *table;
    limits.memory_pages = 10;
    limits.table_elements = 10;
    limits.tables = 1;
    assert_int_equal(wasm_store_new(&store, &limits, NULL), WISP_OK);
    assert_int_equal(wasm_memory_new(&memory, store, (wasm_range){.min = 11}, NULL), WISP_E_LIMIT);
    assert_int_equal(wasm_table_new(&table, store, WASM_FUNCREF, (wasm_range){.min = 11}, NULL, NULL), WISP_E_LIMIT);
    assert_int_equal(wasm_table_new(&table, store, WASM_FUNCREF, (wasm_range){.min = 10}, NULL, NULL), WISP_OK);
    assert_int_equal(wasm_table_new(&table, store, WASM_FUNCREF, (wasm_range){.min = 0}, NULL, NULL), WISP_E_LIMIT);
    wasm_store_free(store);
}

static void interrupt_soon(void *context)
{
    struct timespec t = {0, 20000000};
    nanosleep(&t, NULL);
    wasm_store_interrupt(context);
}

static void another_thread_interrupts(void **state)
{
    (void)state;
    fixture f;
    os_thread *thread;
    setup(&f, NULL);
    assert_int_equal(os_thread_start(&thread, interrupt_soon, f.store, NULL), WISP_OK);
    assert_int_equal(call0(&f, "l"), WISP_E_CANCELLED);
    os_thread_join(thread);
    assert_int_equal(call0(&f, "l"), WISP_E_CANCELLED); /* until it is taken back */
    wasm_store_resume(f.store);
    assert_int_equal(call1(&f, "c", 4), 8);
    teardown(&f);
}

/* ---- host functions ---- */

static wisp_status fail_or_exit(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)context;
    if (v[0].u32 == 1) return wasm_host_fail(caller, WISP_E_TRAP, "no %s", "luck");
    if (v[0].u32 == 2) return wasm_host_exit(caller, 77);
    if (v[0].u32 == 3) return WISP_E_IO;
    wasm_value arg = v[0]; /* 4 and more: call back, forever */
    return wasm_call(wasm_instance_find_func(caller, "c"), &arg, 1, v, 1, NULL, NULL);
}

static void host_functions_unwind_the_guest(void **state)
{
    (void)state;
    fixture f;
    wasm_value v;
    setup(&f, NULL);
    assert_int_equal(wasm_instance_replace(f.instance, 1, "(i)i", fail_or_exit, NULL, NULL), WISP_OK);
    wasm_func *direct = wasm_instance_find_func(f.instance, "c");
    v.u32 = 1;
    assert_int_equal(wasm_call(direct, &v, 1, &v, 1, &f.trap, NULL), WISP_E_TRAP);
    assert_string_equal(f.trap.reason, "no luck");
    assert_int_equal(f.trap.frames[0].func, 2);
    v.u32 = 2;
    assert_int_equal(wasm_call(direct, &v, 1, &v, 1, &f.trap, NULL), WISP_E_EXIT);
    assert_int_equal(f.trap.exit_code, 77);
    v.u32 = 3;
    assert_int_equal(wasm_call(direct, &v, 1, &v, 1, &f.trap, NULL), WISP_E_IO);
    v.u32 = 4;
    assert_int_equal(wasm_call(direct, &v, 1, &v, 1, &f.trap, NULL), WISP_E_TRAP);
    assert_string_equal(f.trap.reason, "call stack exhausted");
    assert_int_equal(wasm_call(direct, &v, 1, &v, 0, NULL, NULL), WISP_E_USAGE);
    teardown(&f);
}

static void host_results_are_normalized(void **state)
{
    (void)state;
    fixture f;
    setup(&f, NULL);
    assert_int_equal(call1(&f, "h", 7), 107); /* all 64 bits */
    wasm_func *made;
    assert_int_equal(wasm_func_new(&made, f.store, "(iI)vre", plus_hundred, NULL, NULL), WISP_OK);
    assert_int_equal(wasm_func_type(made)->result_count, 3);
    assert_int_equal(wasm_func_type(made)->params[1], WASM_I64);
    assert_int_equal(wasm_func_new(&made, f.store, "(iX)", plus_hundred, NULL, NULL), WISP_E_USAGE);
    assert_int_equal(wasm_func_new(&made, f.store, "", plus_hundred, NULL, NULL), WISP_E_USAGE);
    teardown(&f);
}

static void imports_must_fit(void **state)
{
    (void)state;
    fixture f;
    wasm_instance *instance;
    setup(&f, NULL);
    assert_int_equal(wasm_instance_new(&instance, f.store, f.module, NULL, NULL, &f.report), WISP_E_NOT_FOUND);
    assert_non_null(strstr(f.report.text, "\"h\" \"f\""));
    wasm_host_function wrong = {"f", "(i)I", plus_hundred};
    wasm_host_module host = {"h", &wrong, 1, NULL};
    wasm_imports imports = {.modules = &host, .module_count = 1};
    assert_int_equal(wasm_instance_new(&instance, f.store, f.module, &imports, NULL, NULL), WISP_E_INPUT);
    teardown(&f);
}

/* ---- numbers ---- */

static void nans_have_one_form(void **state)
{
    (void)state;
    base_buffer b = {0};
    header(&b);
    SECTION(&b, 1, 1, FUNC, 2, 0x7d, 0x7d, 1, 0x7d);
    SECTION(&b, 3, 2, 0, 0);
    SECTION(&b, 7, 2, 1, 'd', 0, 0, 1, 'm', 0, 1);
    SECTION(&b, 10, 2, 7, 0, GET, 0, GET, 1, 0x95, END, 7, 0, GET, 0, GET, 1, 0x96, END);
    wasm_module *module;
    wasm_store *store;
    wasm_instance *instance;
    assert_int_equal(wasm_module_new(&module, (base_span){b.data, b.size}, NULL, NULL), WISP_OK);
    assert_int_equal(wasm_store_new(&store, NULL, NULL), WISP_OK);
    assert_int_equal(wasm_instance_new(&instance, store, module, NULL, NULL, NULL), WISP_OK);
    const uint32_t inputs[][2] = {{0, 0}, {0xffc12345, 0x3f800000}, {0x3f800000, 0x7fa00001}};
    for (unsigned i = 0; i < 3; i++)
        for (unsigned k = 0; k < 2; k++) {
            wasm_value v[2] = {{.u32 = inputs[i][0]}, {.u32 = inputs[i][1]}};
            assert_int_equal(wasm_call(wasm_instance_func(instance, k), v, 2, v, 1, NULL, NULL), WISP_OK);
            assert_int_equal(v[0].u32, i == 0 && k == 1 ? 0 : 0x7fc00000);
        }
    wasm_store_free(store);
    wasm_module_free(module);
    base_buffer_fini(&b);
}

/* ---- failing allocations ---- */

static void every_allocation_may_fail(void **state)
{
    (void)state;
    base_buffer b = sample();
    wasm_host_module host = {"h", host_functions, 1, NULL};
    wasm_imports imports = {.modules = &host, .module_count = 1};
    wisp_status status = WISP_E_MEMORY;
    unsigned rounds = 0;
    for (; status != WISP_OK; rounds++) {
        wasm_module *module = NULL;
        wasm_store *store = NULL;
        wasm_instance *instance;
        base_mem_fail_after(rounds);
        status = wasm_module_new(&module, (base_span){b.data, b.size}, NULL, NULL);
        if (status == WISP_OK) status = wasm_store_new(&store, NULL, NULL);
        if (status == WISP_OK) status = wasm_instance_new(&instance, store, module, &imports, NULL, NULL);
        base_mem_fail_after(-1);
        assert_true(status == WISP_OK || status == WISP_E_MEMORY);
        wasm_store_free(store);
        wasm_module_free(module);
    }
    assert_true(rounds > 20);
    base_buffer_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(module_borrows_its_bytes),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(decode_limits_hold),
        cmocka_unit_test(functions_need_their_code),
        cmocka_unit_test(replaced_however_it_is_reached),
        cmocka_unit_test(replacement_is_checked),
        cmocka_unit_test(traps_carry_the_call_stack),
        cmocka_unit_test(recursion_ends_in_a_trap),
        cmocka_unit_test(fuel_runs_out),
        cmocka_unit_test(memory_stays_in_its_limits),
        cmocka_unit_test(too_much_memory_is_refused),
        cmocka_unit_test(another_thread_interrupts),
        cmocka_unit_test(host_functions_unwind_the_guest),
        cmocka_unit_test(host_results_are_normalized),
        cmocka_unit_test(imports_must_fit),
        cmocka_unit_test(nans_have_one_form),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("wasm", tests, NULL, NULL);
}
