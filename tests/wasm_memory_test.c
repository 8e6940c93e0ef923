/* Every load and store of linear memory at every place around every bound, with index and static offset split in
 * different ways, in each way of checking and running (`modes`), compared with a model of a few lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "module_writer.h"
#include "run_modes.h"
#include "wasm/machine.h"

/* ---- the accesses ---- */

enum { ZERO_EXTEND, SIGN_EXTEND, SPLAT, WIDEN_S, WIDEN_U, LOAD_LANE, STORE, STORE_LANE };

typedef struct access {
    uint32_t code;
    uint8_t width; /* bytes of memory */
    char type;     /* of the value, as in a signature */
    uint8_t kind;
    uint8_t log2_align;
    uint8_t result; /* SIGN_EXTEND: bytes of the result; WIDEN: bytes of a narrow lane */
} access;

static const access accesses[] = {
    {0x28, 4, 'i', ZERO_EXTEND, 2, 0},   {0x29, 8, 'I', ZERO_EXTEND, 3, 0},    {0x2a, 4, 'f', ZERO_EXTEND, 2, 0},
    {0x2b, 8, 'F', ZERO_EXTEND, 3, 0},   {0x2c, 1, 'i', SIGN_EXTEND, 0, 4},    {0x2d, 1, 'i', ZERO_EXTEND, 0, 0},
    {0x2e, 2, 'i', SIGN_EXTEND, 1, 4},   {0x2f, 2, 'i', ZERO_EXTEND, 1, 0},    {0x30, 1, 'I', SIGN_EXTEND, 0, 8},
    {0x31, 1, 'I', ZERO_EXTEND, 0, 0},   {0x32, 2, 'I', SIGN_EXTEND, 1, 8},    {0x33, 2, 'I', ZERO_EXTEND, 1, 0},
    {0x34, 4, 'I', SIGN_EXTEND, 2, 8},   {0x35, 4, 'I', ZERO_EXTEND, 2, 0},    {0x36, 4, 'i', STORE, 2, 0},
    {0x37, 8, 'I', STORE, 3, 0},         {0x38, 4, 'f', STORE, 2, 0},          {0x39, 8, 'F', STORE, 3, 0},
    {0x3a, 1, 'i', STORE, 0, 0},         {0x3b, 2, 'i', STORE, 1, 0},          {0x3c, 1, 'I', STORE, 0, 0},
    {0x3d, 2, 'I', STORE, 1, 0},         {0x3e, 4, 'I', STORE, 2, 0},          {0xfd000, 16, 'v', ZERO_EXTEND, 4, 0},
    {0xfd001, 8, 'v', WIDEN_S, 3, 1},    {0xfd002, 8, 'v', WIDEN_U, 3, 1},     {0xfd003, 8, 'v', WIDEN_S, 3, 2},
    {0xfd004, 8, 'v', WIDEN_U, 3, 2},    {0xfd005, 8, 'v', WIDEN_S, 3, 4},     {0xfd006, 8, 'v', WIDEN_U, 3, 4},
    {0xfd007, 1, 'v', SPLAT, 0, 0},      {0xfd008, 2, 'v', SPLAT, 1, 0},       {0xfd009, 4, 'v', SPLAT, 2, 0},
    {0xfd00a, 8, 'v', SPLAT, 3, 0},      {0xfd00b, 16, 'v', STORE, 4, 0},      {0xfd054, 1, 'v', LOAD_LANE, 0, 0},
    {0xfd055, 2, 'v', LOAD_LANE, 1, 0},  {0xfd056, 4, 'v', LOAD_LANE, 2, 0},   {0xfd057, 8, 'v', LOAD_LANE, 3, 0},
    {0xfd058, 1, 'v', STORE_LANE, 0, 0}, {0xfd059, 2, 'v', STORE_LANE, 1, 0},  {0xfd05a, 4, 'v', STORE_LANE, 2, 0},
    {0xfd05b, 8, 'v', STORE_LANE, 3, 0}, {0xfd05c, 4, 'v', ZERO_EXTEND, 2, 0}, {0xfd05d, 8, 'v', ZERO_EXTEND, 3, 0},
};
enum { ACCESSES = sizeof accesses / sizeof *accesses };

static const uint64_t offsets32[] = {0, 1, 4095, 65535, 65536, 1ull << 31, 0xffffffff};
static const uint64_t offsets64[] = {0,          1,          65535,          65536,     0xffffffff,
                                     1ull << 32, 1ull << 63, UINT64_MAX - 7, UINT64_MAX};

static unsigned lane_of(const access *a, unsigned k)
{
    return k % (16 / a->width);
}

/* What the instruction gives, from `m`, the bytes in memory, and `before`, its vector operand. */
static void model_load(const access *a, const uint8_t *m, const uint8_t before[16], unsigned lane, uint8_t out[16])
{
    memset(out, 0, 16);
    switch (a->kind) {
    case ZERO_EXTEND:
        memcpy(out, m, a->width);
        break;
    case SIGN_EXTEND:
        memcpy(out, m, a->width);
        for (unsigned i = a->width; i < a->result; i++)
            out[i] = m[a->width - 1] & 0x80 ? 0xff : 0;
        break;
    case SPLAT:
        for (unsigned i = 0; i < 16; i++)
            out[i] = m[i % a->width];
        break;
    case WIDEN_S:
    case WIDEN_U:
        for (unsigned i = 0; i < 16; i++) {
            const unsigned k = i / (2 * a->result), in = i % (2 * a->result);
            const bool negative = a->kind == WIDEN_S && m[k * a->result + a->result - 1] & 0x80;
            out[i] = in < a->result ? m[k * a->result + in] : negative ? 0xff : 0;
        }
        break;
    default:
        memcpy(out, before, 16);
        memcpy(out + lane * a->width, m, a->width);
    }
}

/* ---- a module with a function for each access and offset ---- */

typedef struct shape {
    uint64_t min, max;
    bool is64;
    bool second; /* the memory is number 1; number 0 is another one */
} shape;

typedef struct fixture {
    base_buffer bytes;
    wasm_module *module;
    wasm_store *store;
    wasm_instance *instance;
    wasm_memory *memory;
    const uint64_t *offsets;
    unsigned offset_count;
    const run_mode *mode;
} fixture;

static bool takes_value(const access *a)
{
    return a->kind >= LOAD_LANE;
}
static bool is_store(const access *a)
{
    return a->kind >= STORE;
}

static void put_function(module_writer *w, const access *a, unsigned index, uint64_t offset, const shape *s)
{
    char signature[8];
    snprintf(signature, sizeof signature, "(%c%.*s)%.*s", s->is64 ? 'I' : 'i', takes_value(a), &a->type, !is_store(a),
             &a->type);
    mw_function(w, signature, "");
    mw_op1(w, 0x20, 0);
    if (takes_value(a)) mw_op1(w, 0x20, 1);
    mw_op1(w, a->code, (index % (a->log2_align + 1u)) | (s->second ? 0x40 : 0));
    if (s->second) mw_leb(w, 1);
    mw_leb(w, offset);
    if (a->kind == LOAD_LANE || a->kind == STORE_LANE) mw_byte(w, (uint8_t)lane_of(a, index));
    mw_end(w, NULL);
}

static void setup(fixture *f, const run_mode *mode, const shape *s)
{
    module_writer w = {0};
    *f = (fixture){.mode = mode,
                   .offsets = s->is64 ? offsets64 : offsets32,
                   .offset_count =
                       s->is64 ? sizeof offsets64 / sizeof *offsets64 : sizeof offsets32 / sizeof *offsets32};
    if (s->second) mw_memory(&w, 1, 1, false);
    mw_memory(&w, s->min, s->max, s->is64);
    for (unsigned i = 0; i < ACCESSES; i++)
        for (unsigned k = 0; k < f->offset_count; k++)
            put_function(&w, &accesses[i], i, f->offsets[k], s);
    mw_function(&w, s->is64 ? "(I)I" : "(i)i", "");
    mw_op1(&w, 0x20, 0);
    mw_op1(&w, 0x40, s->second); /* memory.grow */
    mw_end(&w, "grow");
    f->bytes = mw_finish(&w);
    assert_false(f->bytes.failed);
    wasm_limits limits = wasm_limits_defaults;
    limits.explicit_checks = mode->explicit_checks;
    wisp_report report = {0};
    wisp_status status = wasm_module_new(&f->module, (base_span){f->bytes.data, f->bytes.size}, NULL, &report);
    if (status != WISP_OK) fail_msg("%s", report.text);
    assert_int_equal(wasm_store_new(&f->store, &limits, NULL), WISP_OK);
    assert_int_equal(wasm_instance_new(&f->instance, f->store, f->module, NULL, NULL, NULL), WISP_OK);
    f->memory = wasm_instance_memory(f->instance, s->second);
    assert_int_equal(f->memory->guarded, !s->is64 && !mode->explicit_checks);
    if (run_mode_prepare(mode, f->instance, &report) != WISP_OK) fail_msg("%s", report.text);
}

static void teardown(fixture *f)
{
    wasm_store_free(f->store);
    wasm_module_free(f->module);
    base_buffer_fini(&f->bytes);
}

/* ---- one access ---- */

static uint8_t pattern(uint64_t address)
{
    return (uint8_t)(address * 0x9d + (address >> 8) * 0x3b + 0x51);
}

enum { WINDOW = 20 };

/* The bytes around `bound` that are inside, made known. */
static void paint(fixture *f, uint64_t bound)
{
    const uint64_t size = f->memory->size;
    for (uint64_t i = bound > 2 * WINDOW ? bound - 2 * WINDOW : 0; i < size && i < bound + 2 * WINDOW; i++)
        f->memory->data[i] = pattern(i);
}

static void must_be_painted(fixture *f, uint64_t bound)
{
    const uint64_t size = f->memory->size;
    for (uint64_t i = bound > 2 * WINDOW ? bound - 2 * WINDOW : 0; i < size && i < bound + 2 * WINDOW; i++)
        assert_int_equal(f->memory->data[i], pattern(i));
}

static const uint8_t operand[16] = {0x81, 2, 0xf3, 4, 5, 0xe6, 7, 0x88, 9, 0xaa, 11, 0xcc, 13, 14, 0xdf, 0x90};

static void check_value(fixture *f, unsigned i, uint64_t address, const wasm_value *v)
{
    const access *a = &accesses[i];
    uint8_t bytes[16], expected[16];
    if (!is_store(a)) {
        for (unsigned k = 0; k < a->width; k++)
            bytes[k] = pattern(address + k);
        model_load(a, bytes, operand, lane_of(a, i), expected);
        assert_memory_equal(v->v128, expected, a->type == 'v' ? 16 : 8);
        return;
    }
    const uint8_t *stored = operand + (a->kind == STORE_LANE ? lane_of(a, i) * a->width : 0);
    assert_memory_equal(f->memory->data + address, stored, a->width);
    for (unsigned k = 0; k < a->width; k++)
        f->memory->data[address + k] = pattern(address + k);
}

static unsigned trapped, accessed;

static void try_one(fixture *f, unsigned i, unsigned k, uint64_t index)
{
    const access *a = &accesses[i];
    uint64_t address;
    const bool wraps = __builtin_add_overflow(index, f->offsets[k], &address);
    const bool inside = !wraps && wasm_inside(address, a->width, f->memory->size);
    wasm_value v[2] = {{.u64 = index}}, out = {.u64 = 0};
    memcpy(v[1].v128, operand, 16);
    wasm_trap trap;
    wisp_status status = wasm_call(wasm_instance_func(f->instance, i * f->offset_count + k), v, 1 + takes_value(a),
                                   &out, !is_store(a), &trap, NULL);
    if (status != (inside ? WISP_OK : WISP_E_TRAP))
        fail_msg("%s: access %x of %u bytes at %llx + %llx, memory of %llx: status %d", f->mode->name,
                 (unsigned)a->code, a->width, (unsigned long long)index, (unsigned long long)f->offsets[k],
                 (unsigned long long)f->memory->size, status);
    if (inside) {
        check_value(f, i, address, &out);
        accessed++;
        return;
    }
    trapped++;
    assert_string_equal(trap.reason, "out of bounds memory access");
    assert_int_equal(trap.limit, WASM_LIMIT_NONE);
}

/* All accesses that begin around `bound`, however index and offset make it; `bound` is modulo 2^64. */
static void around(fixture *f, uint64_t bound)
{
    paint(f, bound);
    for (unsigned i = 0; i < ACCESSES; i++)
        for (unsigned k = 0; k < f->offset_count; k++)
            for (int delta = -WINDOW + 1; delta <= 2; delta++) {
                const uint64_t index = bound + (uint64_t)(int64_t)delta - f->offsets[k];
                if (f->memory->range.is64 || index <= UINT32_MAX) try_one(f, i, k, index);
            }
    must_be_painted(f, bound);
}

static void everywhere(fixture *f)
{
    around(f, f->memory->size);
    around(f, 0);
    around(f, 1ull << 32);
    around(f, (1ull << 33) - 2); /* the greatest sum of two u32 */
    if (f->memory->range.is64) around(f, 1ull << 63);
    if (f->memory->size > 65536) around(f, 65536);
}

/* Grows by the instruction; both ends again. */
static void grow_and_repeat(fixture *f, uint64_t pages)
{
    const uint64_t old = f->memory->size / 65536;
    wasm_value v = {.u64 = pages};
    assert_int_equal(wasm_call(wasm_instance_find_func(f->instance, "grow"), &v, 1, &v, 1, NULL, NULL), WISP_OK);
    assert_int_equal(v.u64, old);
    assert_int_equal(f->memory->size, (old + pages) * 65536);
    around(f, f->memory->size);
    around(f, old * 65536);
}

static void with_shape(const shape *s, uint64_t growth)
{
    for (unsigned m = 0; m < run_mode_count; m++) {
        fixture f;
        setup(&f, &run_modes[m], s);
        trapped = accessed = 0;
        everywhere(&f);
        if (growth) {
            grow_and_repeat(&f, growth);
            wasm_value v = {.u64 = 1}; /* it is at its maximum now */
            assert_int_equal(wasm_call(wasm_instance_find_func(f.instance, "grow"), &v, 1, &v, 1, NULL, NULL), WISP_OK);
            assert_true(s->is64 ? v.u64 == UINT64_MAX : v.u64 == UINT32_MAX);
            around(&f, f.memory->size);
        }
        assert_true(trapped > 1000);
        if (s->min || growth) assert_true(accessed > 1000);
        print_message("%s: %u accesses inside, %u trapped\n", run_modes[m].name, accessed, trapped);
        teardown(&f);
    }
}

static void empty_and_grown(void **state)
{
    (void)state;
    with_shape(&(shape){.min = 0, .max = 1}, 1);
}
static void one_page(void **state)
{
    (void)state;
    with_shape(&(shape){.min = 1, .max = UINT64_MAX}, 0);
}
static void some_pages_and_grown(void **state)
{
    (void)state;
    with_shape(&(shape){.min = 3, .max = 5}, 2);
}
static void four_gigabytes(void **state)
{
    (void)state;
    with_shape(&(shape){.min = 65536, .max = 65536}, 0);
}
static void wide_addresses(void **state)
{
    (void)state;
    with_shape(&(shape){.min = 2, .max = 3, .is64 = true}, 1);
}
static void a_second_memory(void **state)
{
    (void)state;
    with_shape(&(shape){.min = 2, .max = 3, .second = true}, 1);
    with_shape(&(shape){.min = 2, .max = 2, .is64 = true, .second = true}, 0);
}

/* ---- what a compiler may know ---- */

typedef struct fixed {
    uint64_t index, offset;
    bool inside;
} fixed;

enum { FIXED = 7, FIXED_PAGES = 3, FIXED_SIZE = FIXED_PAGES * 65536 };

static fixed fixed_at(unsigned n, unsigned width)
{
    const fixed list[FIXED] = {{FIXED_SIZE - width, 0, true},    {FIXED_SIZE - width + 1, 0, false},
                               {0, FIXED_SIZE - width, true},    {1, FIXED_SIZE - width, false},
                               {0xffffffff, 0xffffffff, false},  {0x80000000, 0x80000000, false},
                               {FIXED_SIZE - width - 8, 8, true}};
    return list[n];
}

/* The address is a constant, and what is loaded is thrown away. */
static base_buffer make_fixed(void)
{
    module_writer w = {0};
    mw_memory(&w, FIXED_PAGES, FIXED_PAGES, false);
    for (unsigned i = 0; i < ACCESSES; i++)
        for (unsigned n = 0; n < FIXED; n++) {
            const access *a = &accesses[i];
            const fixed at = fixed_at(n, a->width);
            char signature[8];
            snprintf(signature, sizeof signature, "(%.*s)", takes_value(a), &a->type);
            mw_function(&w, signature, "");
            mw_i32(&w, (int32_t)(uint32_t)at.index);
            if (takes_value(a)) mw_op1(&w, 0x20, 0);
            mw_access(&w, a->code, 0, at.offset);
            if (a->kind == LOAD_LANE || a->kind == STORE_LANE) mw_byte(&w, 0);
            if (!is_store(a)) mw_op(&w, 0x1a); /* drop */
            mw_end(&w, NULL);
        }
    return mw_finish(&w);
}

static void constant_addresses_and_unused_values(void **state)
{
    (void)state;
    for (unsigned m = 0; m < run_mode_count; m++) {
        fixture f = {.bytes = make_fixed()};
        wasm_limits limits = wasm_limits_defaults;
        wisp_report report = {0};
        limits.explicit_checks = run_modes[m].explicit_checks;
        assert_int_equal(wasm_module_new(&f.module, (base_span){f.bytes.data, f.bytes.size}, NULL, NULL), WISP_OK);
        assert_int_equal(wasm_store_new(&f.store, &limits, NULL), WISP_OK);
        assert_int_equal(wasm_instance_new(&f.instance, f.store, f.module, NULL, NULL, NULL), WISP_OK);
        if (run_mode_prepare(&run_modes[m], f.instance, &report) != WISP_OK) fail_msg("%s", report.text);
        for (unsigned i = 0; i < ACCESSES * FIXED; i++) {
            const access *a = &accesses[i / FIXED];
            const fixed at = fixed_at(i % FIXED, a->width);
            wasm_value v;
            memcpy(v.v128, operand, 16);
            wisp_status status = wasm_call(wasm_instance_func(f.instance, i), &v, takes_value(a), NULL, 0, NULL, NULL);
            if (status != (at.inside ? WISP_OK : WISP_E_TRAP))
                fail_msg("%s: access %x at constant %llx + %llx: status %d", run_modes[m].name, (unsigned)a->code,
                         (unsigned long long)at.index, (unsigned long long)at.offset, status);
        }
        teardown(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_addresses_and_unused_values),
        cmocka_unit_test(empty_and_grown),
        cmocka_unit_test(one_page),
        cmocka_unit_test(some_pages_and_grown),
        cmocka_unit_test(four_gigabytes),
        cmocka_unit_test(wide_addresses),
        cmocka_unit_test(a_second_memory),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
