/* wasm: the type system of 3.0 and validation, where the official suite does not look: hostile sizes, groups that
 * differ by a hair, identity between modules, and both ways that code is validated by. Modules are assembled here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "wasm/machine.h"

enum { I32 = 0x7f, I64 = 0x7e, FUNC = 0x60, STRUCT = 0x5f, ARRAY = 0x5e, SUB = 0x50, FINAL = 0x4f, REC = 0x4e };
enum { END = 0x0b, REF = 0x64, NULLABLE = 0x63, EXNREF = 0x69 };

/* ---- an assembler ---- */

static base_buffer header(void)
{
    base_buffer b = {0};
    base_put(&b, "\0asm\1\0\0\0", 8);
    return b;
}

static void section(base_buffer *b, uint8_t id, const void *content, size_t size)
{
    base_put_u8(b, id);
    base_put_leb_u32(b, (uint32_t)size);
    base_put(b, content, size);
    assert_false(b->failed);
}
#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define SECTION(b, id, ...) section(b, id, BYTES(__VA_ARGS__))

static wisp_report report;

/* Decodes a copy of exactly the buffer's size, and frees the buffer. */
static wisp_status decode(base_buffer *b, wasm_module **out)
{
    static uint8_t *kept[64];
    static unsigned next;
    uint8_t **copy = &kept[next++ % 64];
    free(*copy);
    *copy = malloc(b->size);
    memcpy(*copy, b->data, b->size);
    report = (wisp_report){0};
    wisp_status status = wasm_module_new(out, (base_span){*copy, b->size}, NULL, &report);
    base_buffer_fini(b);
    return status;
}

static wisp_status verdict(base_buffer *b)
{
    wasm_module *m;
    wisp_status status = decode(b, &m);
    if (status == WISP_OK) wasm_module_free(m);
    return status;
}

/* Of a type section alone. */
static wisp_status types(const uint8_t *content, size_t size)
{
    base_buffer b = header();
    section(&b, 1, content, size);
    return verdict(&b);
}

static void expect(wisp_status status, wisp_status wanted, const char *text)
{
    if (status != wanted) fail_msg("status %d (%s), wanted %d", status, report.text, wanted);
    if (text && !strstr(report.text, text)) fail_msg("\"%s\" without \"%s\"", report.text, text);
}

/* ---- identity ---- */

static wasm_module *module_of_types(const uint8_t *content, size_t size)
{
    base_buffer b = header();
    wasm_module *m;
    section(&b, 1, content, size);
    expect(decode(&b, &m), WISP_OK, NULL);
    return m;
}

static void equal_groups_are_one(void **state)
{
    (void)state;
    /* 0, 1: a pair that name each other; 2, 3: the same; 4, 5: the other way round; 6: a pair's first, alone */
    wasm_module *m = module_of_types(BYTES(4,                                                        //
                                           REC, 2, FUNC, 1, NULLABLE, 1, 0, FUNC, 0, 1, NULLABLE, 0, //
                                           REC, 2, FUNC, 1, NULLABLE, 3, 0, FUNC, 0, 1, NULLABLE, 2, //
                                           REC, 2, FUNC, 0, 1, NULLABLE, 5, FUNC, 1, NULLABLE, 4, 0, //
                                           FUNC, 1, NULLABLE, 1, 0));
    static const uint32_t wanted[] = {0, 1, 0, 1, 4, 5, 6};
    assert_int_equal(m->type_count, 7);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(m->canonical[i], wanted[i]);
    assert_int_equal(m->types[2].params[0] & 0xffffff, 1); /* everything names the first */
    wasm_module_free(m);
}

/* A type that names itself is another than one that names such a type (iso-recursion, core §3.3.9). */
static void a_loop_is_not_its_unrolling(void **state)
{
    (void)state;
    wasm_module *m = module_of_types(BYTES(3,                       //
                                           FUNC, 1, NULLABLE, 0, 0, //
                                           FUNC, 1, NULLABLE, 0, 0, //
                                           FUNC, 1, NULLABLE, 2, 0));
    assert_int_equal(m->canonical[1], 1);
    assert_int_equal(m->canonical[2], 0);
    wasm_module_free(m);
}

static void what_differs_differs(void **state)
{
    (void)state;
    wasm_module *m = module_of_types(BYTES(12,                      //
                                           FUNC, 0, 0,              /* 0 */
                                           FINAL, 0, FUNC, 0, 0,    /* the same, spelled out */
                                           SUB, 0, FUNC, 0, 0,      /* not final */
                                           SUB, 1, 2, FUNC, 0, 0,   /* with a supertype */
                                           FINAL, 1, 2, FUNC, 0, 0, //
                                           STRUCT, 0,               /* 5 */
                                           STRUCT, 1, I32, 0,       //
                                           STRUCT, 1, I32, 1,       /* mutable */
                                           STRUCT, 1, 0x78, 0,      /* packed */
                                           ARRAY, I32, 0,           /* not the struct of one */
                                           REC, 1, STRUCT, 0,       /* 10: a group of one is the type */
                                           REC, 2, STRUCT, 0, STRUCT, 0));
    static const uint32_t wanted[] = {0, 0, 2, 3, 4, 5, 6, 7, 8, 9, 5, 11, 12};
    assert_int_equal(m->type_count, 13);
    for (unsigned i = 0; i < 13; i++)
        assert_int_equal(m->canonical[i], wanted[i]);
    wasm_module_free(m);
}

static void ids_are_the_stores(void **state)
{
    (void)state;
    wasm_module *a = module_of_types(BYTES(2, SUB, 0, FUNC, 0, 0, SUB, 1, 0, FUNC, 0, 0));
    wasm_module *b =
        module_of_types(BYTES(4, STRUCT, 0, SUB, 0, FUNC, 0, 0, SUB, 1, 1, FUNC, 0, 0, SUB, 1, 2, FUNC, 0, 0));
    wasm_store *store;
    wasm_instance *x, *y;
    assert_int_equal(wasm_store_new(&store, NULL, &report), WISP_OK);
    assert_int_equal(wasm_instance_new(&x, store, a, NULL, NULL, &report), WISP_OK);
    assert_int_equal(wasm_instance_new(&y, store, b, NULL, NULL, &report), WISP_OK);
    assert_int_equal(x->type_ids[0], y->type_ids[1]);
    assert_int_equal(x->type_ids[1], y->type_ids[2]);
    assert_true(wasm_store_type_is(store, y->type_ids[3], x->type_ids[0]));
    assert_true(wasm_store_type_is(store, y->type_ids[3], y->type_ids[3]));
    assert_false(wasm_store_type_is(store, x->type_ids[0], y->type_ids[3]));
    assert_false(wasm_store_type_is(store, y->type_ids[3], y->type_ids[0]));
    size_t known = store->type_count;
    assert_int_equal(wasm_instance_new(&y, store, b, NULL, NULL, &report), WISP_OK);
    assert_int_equal(store->type_count, known);
    wasm_store_free(store);
    wasm_module_free(a);
    wasm_module_free(b);
}

/* ---- supertypes ---- */

static void supertypes_are_checked(void **state)
{
    (void)state;
    expect(types(BYTES(1, SUB, 1, 0, FUNC, 0, 0)), WISP_E_INPUT, "unknown type"); /* itself */
    expect(types(BYTES(1, REC, 2, SUB, 1, 1, FUNC, 0, 0, SUB, 1, 0, FUNC, 0, 0)), WISP_E_INPUT, "unknown type");
    expect(types(BYTES(2, SUB, 0, FUNC, 0, 0, SUB, 2, 0, 0, FUNC, 0, 0)), WISP_E_INPUT, "sub type"); /* two of them */
    expect(types(BYTES(2, FUNC, 0, 0, SUB, 1, 0, FUNC, 0, 0)), WISP_E_INPUT, "final");
    expect(types(BYTES(2, SUB, 0, FUNC, 0, 0, SUB, 1, 0, STRUCT, 0)), WISP_E_INPUT, "sub type");
    expect(types(BYTES(2, SUB, 0, FUNC, 0, 0, SUB, 1, 0, FUNC, 1, I32, 0)), WISP_E_INPUT, "sub type");
    expect(types(BYTES(2, SUB, 0, STRUCT, 1, I32, 0, SUB, 1, 0, STRUCT, 2, I32, 0, I64, 0)), WISP_OK, NULL);
    expect(types(BYTES(2, SUB, 0, STRUCT, 1, I32, 0, SUB, 1, 0, STRUCT, 0)), WISP_E_INPUT, "sub type");
    expect(types(BYTES(2, SUB, 0, STRUCT, 1, I32, 0, SUB, 1, 0, STRUCT, 1, I32, 1)), WISP_E_INPUT, "sub type");
    /* parameters the other way: (funcref) is below (ref null 0) as a parameter, not above */
    expect(types(BYTES(2, SUB, 0, FUNC, 1, NULLABLE, 0, 0, SUB, 1, 0, FUNC, 1, 0x70, 0)), WISP_OK, NULL);
    expect(types(BYTES(2, SUB, 0, FUNC, 1, 0x70, 0, SUB, 1, 0, FUNC, 1, NULLABLE, 0, 0)), WISP_E_INPUT, "sub type");
    /* mutable fields are neither */
    expect(types(BYTES(2, SUB, 0, ARRAY, 0x70, 0, SUB, 1, 0, ARRAY, NULLABLE, 0x73, 0)), WISP_OK, NULL);
    expect(types(BYTES(2, SUB, 0, ARRAY, 0x70, 1, SUB, 1, 0, ARRAY, NULLABLE, 0x73, 1)), WISP_E_INPUT, "sub type");
}

static wisp_status chain_of(uint32_t count, bool one_group)
{
    base_buffer s = {0}, b = header();
    base_put_leb_u32(&s, one_group ? 1 : count);
    if (one_group) {
        base_put_u8(&s, REC);
        base_put_leb_u32(&s, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        base_put_u8(&s, SUB);
        base_put_u8(&s, i > 0);
        if (i) base_put_leb_u32(&s, i - 1);
        base_put(&s, "\x60\0\0", 3);
    }
    section(&b, 1, s.data, s.size);
    base_buffer_fini(&s);
    return verdict(&b);
}

static void chains_of_supertypes_end(void **state)
{
    (void)state;
    for (int one_group = 0; one_group < 2; one_group++) {
        expect(chain_of(64, one_group), WISP_OK, NULL); /* 63 above the last */
        expect(chain_of(65, one_group), WISP_E_LIMIT, "supertypes");
        expect(chain_of(1000000, one_group), WISP_E_LIMIT, "supertypes");
    }
}

/* ---- sizes ---- */

static void counts_are_not_believed(void **state)
{
    (void)state;
#define HUGE 0xff, 0xff, 0xff, 0xff, 0x0f
    expect(types(BYTES(HUGE, FUNC, 0, 0)), WISP_E_INPUT, "length out of bounds");
    expect(types(BYTES(1, REC, HUGE, FUNC, 0, 0)), WISP_E_INPUT, "length out of bounds");
    expect(types(BYTES(1, STRUCT, HUGE, I32, 0)), WISP_E_INPUT, "length out of bounds");
    expect(types(BYTES(1, FUNC, HUGE, I32, 0)), WISP_E_INPUT, "length out of bounds");
    expect(types(BYTES(1, SUB, HUGE, 0, FUNC, 0, 0)), WISP_E_INPUT, "sub type");
    expect(types(BYTES(1, REC, 0)), WISP_OK, NULL);
    expect(types(BYTES(1, FUNC, 1, NULLABLE, HUGE, 0)), WISP_E_INPUT, "unknown type");
    expect(types(BYTES(1, ARRAY, I32, 2)), WISP_E_INPUT, "malformed mutability");
    expect(types(BYTES(1, ARRAY, I32)), WISP_E_TRUNCATED, NULL);
    base_buffer b = header();
    SECTION(&b, 1, 1, FUNC, 0, 0);
    SECTION(&b, 3, 1, 0);
    SECTION(&b, 10, 1, 11, 0, 0x1f, 0x40, HUGE, END, END, END); /* catches */
    expect(verdict(&b), WISP_E_INPUT, "length out of bounds");
}

enum { MANY = 1000000 };

/* Each of `MANY` types written by `put`; a second is far more than linear work takes, and far less than quadratic. */
static void many(void (*put)(base_buffer *, uint32_t), uint32_t groups, const uint8_t *prefix, size_t prefix_size)
{
    base_buffer s = {0}, b = header();
    base_put_leb_u32(&s, groups);
    base_put(&s, prefix, prefix_size);
    for (uint32_t i = 0; i < MANY; i++)
        put(&s, i);
    section(&b, 1, s.data, s.size);
    base_buffer_fini(&s);
    uint64_t start = os_monotonic_ns();
    expect(verdict(&b), WISP_OK, NULL);
    uint64_t seconds = (os_monotonic_ns() - start) / 1000000000;
    if (seconds > 30) fail_msg("%u s for a million types", (unsigned)seconds);
}

static void put_same(base_buffer *b, uint32_t i)
{
    (void)i;
    base_put(b, BYTES(FUNC, 1, I32, 0));
}
static void put_own(base_buffer *b, uint32_t i) /* 10 parameters that spell the number */
{
    base_put(b, BYTES(FUNC, 10));
    for (unsigned k = 0; k < 10; k++)
        base_put_u8(b, (uint8_t)(I32 - (i >> 2 * k & 3)));
    base_put_u8(b, 0);
}
static void put_heap_type(base_buffer *b, uint32_t index) /* as s33: bit 6 of the last byte is the sign */
{
    for (; index >= 64; index >>= 7)
        base_put_u8(b, (uint8_t)(index | 0x80));
    base_put_u8(b, (uint8_t)index);
}
static void put_previous(base_buffer *b, uint32_t i)
{
    base_put(b, BYTES(FUNC, 1, NULLABLE));
    put_heap_type(b, i ? i - 1 : 0);
    base_put_u8(b, 0);
}
static void put_next(base_buffer *b, uint32_t i)
{
    base_put(b, BYTES(FUNC, 1, NULLABLE));
    put_heap_type(b, i + 1 < MANY ? i + 1 : 0);
    base_put_u8(b, 0);
}

static void a_million_types_take_linear_time(void **state)
{
    (void)state;
    many(put_same, MANY, NULL, 0);
    many(put_own, MANY, NULL, 0);
    many(put_previous, MANY, NULL, 0);
    many(put_next, 1, BYTES(REC, 0xc0, 0x84, 0x3d));
}

/* 100,000 functions of 50,000 locals each, which take six bytes in the file. */
static void locals_are_runs(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    base_buffer f = {0}, c = {0}, b = header();
    SECTION(&b, 1, 1, FUNC, 1, I64, 0);
    base_put_leb_u32(&f, COUNT);
    base_put_leb_u32(&c, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        base_put_u8(&f, 0);
        base_put(&c, BYTES(6, 1, 0xcf, 0x86, 0x03, I32, END)); /* 49,999 and the parameter */
    }
    section(&b, 3, f.data, f.size);
    section(&b, 10, c.data, c.size);
    base_buffer_fini(&f);
    base_buffer_fini(&c);
    uint64_t start = os_monotonic_ns();
    expect(verdict(&b), WISP_OK, NULL);
    assert_true(os_monotonic_ns() - start < 10000000000u);
}

/* ---- code ---- */

/* A module of one function, the last bytes of the file; types: 0 ()->(), 1 (i)->(i), 2 ()->(ref 0); a tag of (i). */
static wisp_status code(const uint8_t *body, size_t size)
{
    base_buffer b = header(), c = {0};
    SECTION(&b, 1, 4, FUNC, 0, 0, FUNC, 1, I32, 1, I32, FUNC, 0, 1, REF, 0, FUNC, 1, I32, 0);
    SECTION(&b, 3, 1, 0);
    SECTION(&b, 5, 1, 0, 1);
    SECTION(&b, 13, 1, 0, 3);
    SECTION(&b, 7, 1, 1, 'f', 0, 0);
    base_put_u8(&c, 1);
    base_put_leb_u32(&c, (uint32_t)size);
    base_put(&c, body, size);
    section(&b, 10, c.data, c.size);
    base_buffer_fini(&c);
    return verdict(&b);
}
#define CODE(...) code(BYTES(__VA_ARGS__))

static void locals_without_default_are_set_first(void **state)
{
    (void)state;
    /* one local (ref 0): set by ref.func 0 */
    expect(CODE(1, 1, REF, 0, END), WISP_OK, NULL);
    expect(CODE(1, 1, REF, 0, 0x20, 0, 0x1a, END), WISP_E_INPUT, "uninitialized local");
    expect(CODE(1, 1, REF, 0, 0xd2, 0, 0x21, 0, 0x20, 0, 0x1a, END), WISP_OK, NULL);
    expect(CODE(1, 1, REF, 0, 0xd2, 0, 0x22, 0, 0x1a, 0x20, 0, 0x1a, END), WISP_OK, NULL);
    /* set in a block: not after it, but inside */
    expect(CODE(1, 1, REF, 0, 0x02, 0x40, 0xd2, 0, 0x21, 0, 0x20, 0, 0x1a, END, END), WISP_OK, NULL);
    expect(CODE(1, 1, REF, 0, 0x02, 0x40, 0xd2, 0, 0x21, 0, END, 0x20, 0, 0x1a, END), WISP_E_INPUT, "uninitialized");
    /* set before: also inside; set in one arm: not in the other */
    expect(CODE(1, 1, REF, 0, 0xd2, 0, 0x21, 0, 0x02, 0x40, 0x20, 0, 0x1a, END, END), WISP_OK, NULL);
    expect(CODE(1, 1, REF, 0, 0x41, 0, 0x04, 0x40, 0xd2, 0, 0x21, 0, 0x05, 0x20, 0, 0x1a, END, END), WISP_E_INPUT,
           "uninitialized");
    /* the 300th of them, and an ordinary one after it */
    expect(CODE(2, 0xac, 2, REF, 0, 1, I32, 0xd2, 0, 0x21, 0xab, 2, 0x20, 0xab, 2, 0x1a, 0x20, 0xac, 2, 0x1a, END),
           WISP_OK, NULL);
    expect(CODE(1, 0xac, 2, REF, 0, 0xd2, 0, 0x21, 0xab, 2, 0x20, 0xaa, 2, 0x1a, END), WISP_E_INPUT, "uninitialized");
}

static void locals_far_out_have_their_types(void **state)
{
    (void)state;
    /* 255 i32, then i64, f32, …: around the edge of what is spread out */
    expect(CODE(3, 0xff, 1, I32, 1, I64, 1, 0x7d, 0x20, 0xfe, 1, 0x21, 0, END), WISP_OK, NULL);
    expect(CODE(3, 0xff, 1, I32, 1, I64, 1, 0x7d, 0x20, 0xff, 1, 0x21, 0, END), WISP_E_INPUT, "type mismatch");
    expect(CODE(3, 0xff, 1, I32, 1, I64, 1, 0x7d, 0x20, 0xff, 1, 0x42, 0, 0x7c, 0x1a, END), WISP_OK, NULL);
    expect(CODE(3, 0xff, 1, I32, 1, I64, 1, 0x7d, 0x20, 0x80, 2, 0x8b, 0x1a, END), WISP_OK, NULL);
    expect(CODE(3, 0xff, 1, I32, 1, I64, 1, 0x7d, 0x20, 0x81, 2, 0x1a, END), WISP_E_INPUT, "unknown local 257");
    expect(CODE(2, 1, I32, 0xff, 0xff, 3, I64, 0x1a, END), WISP_E_LIMIT, "locals");
}

static void catches_fit_their_labels(void **state)
{
    (void)state;
    /* catch 0 carries an i32; catch_all_ref an exnref */
    expect(CODE(0, 0x02, I32, 0x1f, 0x40, 1, 0, 0, 0, END, 0x41, 0, END, 0x1a, END), WISP_OK, NULL);
    expect(CODE(0, 0x02, I64, 0x1f, 0x40, 1, 0, 0, 0, END, 0x42, 0, END, 0x1a, END), WISP_E_INPUT, "type mismatch");
    expect(CODE(0, 0x02, EXNREF, 0x1f, 0x40, 1, 3, 0, END, 0xd0, EXNREF, END, 0x0a, END), WISP_OK, NULL);
    expect(CODE(0, 0x02, 0x70, 0x1f, 0x40, 1, 3, 0, END, 0xd0, 0x70, END, 0x1a, END), WISP_E_INPUT, "type mismatch");
    expect(CODE(0, 0x1f, 0x40, 1, 0, 0, 0, END, END), WISP_E_INPUT, "type mismatch"); /* the label takes nothing */
    expect(CODE(0, 0x1f, 0x40, 1, 2, 1, END, END), WISP_E_INPUT, "unknown label");    /* labels count from outside */
    expect(CODE(0, 0x1f, 0x40, 1, 4, 0, END, END), WISP_E_INPUT, "malformed catch");
    expect(CODE(0, 0x1f, 0x40, 1, 0, 1, 0, END, END), WISP_E_INPUT, "unknown tag");
    expect(CODE(0, 0x41, 0, 0x08, 0, END), WISP_OK, NULL);
    expect(CODE(0, 0x42, 0, 0x08, 0, END), WISP_E_INPUT, "type mismatch");
}

/* Every instruction of a fixed signature, once with what it takes and once with each operand wrong, at the start of a
 * long function (the fast way) and as the file's last instructions (the careful way): both must say the same. */
static void both_ways_agree(void **state)
{
    (void)state;
    unsigned checked = 0;
    for (uint32_t op = 0; op < 0x400; op++) {
        uint32_t number = op < 0x100 ? op : op < 0x200 ? 0xfc000 | (op & 0xff) : 0xfd000 | (op & 0x1ff);
        const wasm_op_info *info = wasm_op(number);
        if (!info || info->immediate == WASM_IMM_SPECIAL || !strchr(info->signature, ':')) continue;
        const char *colon = strchr(info->signature, ':');
        int operands = (int)(colon - info->signature);
        for (int wrong = -1; wrong < operands; wrong++) {
            base_buffer f = {0};
            base_put_u8(&f, 0);
            for (int i = 0; i < operands; i++) {
                char type = info->signature[i] == 'a' ? 'i' : info->signature[i];
                if (i == wrong) type = type == 'F' ? 'f' : 'F';
                static const uint8_t zero[18];
                base_put(&f, type == 'v' ? (const void *)"\xfd\x0c" : &(uint8_t){strchr("iIfF", type) - "iIfF" + 0x41},
                         type == 'v' ? 2 : 1);
                base_put(&f, zero, type == 'v' ? 16 : type == 'F' ? 8 : type == 'f' ? 4 : 1);
            }
            if (number > 0xff) base_put_u8(&f, (uint8_t)(number >> 12));
            base_put_leb_u32(&f, number & 0xfff);
            static const uint8_t immediate[16];
            static const uint8_t sizes[] = {[WASM_IMM_MEMARG] = 2,   [WASM_IMM_MEMARG_LANE] = 3, [WASM_IMM_LANE] = 1,
                                            [WASM_IMM_SHUFFLE] = 16, [WASM_IMM_I32] = 1,         [WASM_IMM_I64] = 1,
                                            [WASM_IMM_F32] = 4,      [WASM_IMM_F64] = 8,         [WASM_IMM_V128] = 16};
            base_put(&f, immediate, sizes[info->immediate]);
            if (colon[1]) base_put_u8(&f, 0x1a);
            size_t size = f.size;
            for (int way = 0; way < 2; way++) {
                f.size = size;
                for (int i = 0; way == 0 && i < 40; i++)
                    base_put_u8(&f, 0x01);
                base_put_u8(&f, END);
                expect(code(f.data, f.size), wrong < 0 ? WISP_OK : WISP_E_INPUT, wrong < 0 ? NULL : "type mismatch");
            }
            base_buffer_fini(&f);
            checked++;
        }
    }
    assert_true(checked > 900);
}

/* The same code with its end cut off at every byte: refused, and nothing past the file is looked at (sanitizers). */
static void cut_code_is_refused(void **state)
{
    (void)state;
    static const uint8_t whole[] = {1,    2,    I32,  0x41, 0x80, 0x80, 0x80, 0x80, 0x78, 0x21, 0,    0x42, 0x80,
                                    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f, 0x1a, 0x44, 0,    0,
                                    0,    0,    0,    0,    0,    0,    0x1a, 0x20, 0x81, 0x00, 0x28, 2,    0x80,
                                    0x80, 0x04, 0x1a, 0xfd, 0x0c, 0,    0,    0,    0,    0,    0,    0,    0,
                                    0,    0,    0,    0,    0,    0,    0,    0,    0xfd, 0x83, 0x01, 0x1a, END};
    expect(code(whole, sizeof whole), WISP_OK, NULL);
    for (size_t n = 0; n < sizeof whole; n++) {
        wisp_status status = code(whole, n);
        if (status != WISP_E_INPUT && status != WISP_E_TRUNCATED) fail_msg("status %d at %zu", status, n);
    }
}

/* 60,000 functions, enough for several threads; those in `wrong` leave a value, the byte after theirs is said. */
static wisp_status large(const uint32_t *wrong, unsigned wrong_count, bool cut, size_t *first)
{
    enum { COUNT = 60000 };
    base_buffer f = {0}, c = {0}, b = header();
    SECTION(&b, 1, 1, FUNC, 0, 0);
    base_put_leb_u32(&f, COUNT);
    base_put_leb_u32(&c, COUNT);
    *first = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        bool bad = false;
        for (unsigned k = 0; k < wrong_count; k++)
            bad |= wrong[k] == i;
        base_put_u8(&f, 0);
        base_put(&c, BYTES(6, 0, 0x41, 0, 0x41, 0, END));
        if (!bad) c.data[c.size - 3] = 0x1a; /* i32.const 0, drop, nop */
        if (!bad) c.data[c.size - 2] = 0x01;
        if (bad && !*first) *first = c.size;
    }
    if (cut) c.data[c.size - 7] = 0x7f; /* the last body is longer than the section */
    section(&b, 3, f.data, f.size);
    section(&b, 10, c.data, c.size);
    *first += b.size - c.size;
    base_buffer_fini(&f);
    base_buffer_fini(&c);
    return verdict(&b);
}

static void the_first_wrong_function_is_named(void **state)
{
    (void)state;
    char text[60];
    size_t first;
    expect(large(NULL, 0, false, &first), WISP_OK, NULL);
    for (unsigned n = 0; n < 20; n++) {
        const uint32_t wrong[] = {25 + n * 1500, 17 + n * 1500, 58999}; /* neighbours, of two chunks */
        expect(large(wrong, 3, n & 1, &first), WISP_E_INPUT, "values left");
        snprintf(text, sizeof text, "byte %zu, code section: ", first);
        if (!strstr(report.text, text)) fail_msg("\"%s\", wanted %s", report.text, text);
    }
    expect(large(NULL, 0, true, &first), WISP_E_TRUNCATED, NULL);
    os_thread_fail_after(0); /* no second thread: the same answer */
    const uint32_t wrong[] = {3, 50000};
    expect(large(wrong, 2, false, &first), WISP_E_INPUT, "values left");
    os_thread_fail_after(-1);
}

/* ---- constant expressions ---- */

static uint64_t constant(const uint8_t *expression, size_t size, uint8_t type)
{
    base_buffer b = header(), g = {0};
    base_put(&g, (const uint8_t[]){2, I64, 0, 0x42, 5, END, type, 0}, 8);
    base_put(&g, expression, size);
    section(&b, 6, g.data, g.size);
    SECTION(&b, 7, 1, 1, 'g', 3, 1);
    base_buffer_fini(&g);
    wasm_module *m;
    wasm_store *store;
    wasm_instance *instance;
    wasm_extern e;
    expect(decode(&b, &m), WISP_OK, NULL);
    assert_int_equal(wasm_store_new(&store, NULL, &report), WISP_OK);
    assert_int_equal(wasm_instance_new(&instance, store, m, NULL, NULL, &report), WISP_OK);
    assert_true(wasm_instance_export(instance, "g", 1, &e));
    uint64_t value = wasm_global_get(e.global).u64;
    wasm_store_free(store);
    wasm_module_free(m);
    return value;
}

static void constant_expressions_wrap(void **state)
{
    (void)state;
    /* i32: -1 + -1, 0 - 1, 65536 * 65536; i64: the global before it - 6, … */
    assert_int_equal(constant(BYTES(0x41, 0x7f, 0x41, 0x7f, 0x6a, END), I32), 0xfffffffe);
    assert_int_equal(constant(BYTES(0x41, 0, 0x41, 1, 0x6b, END), I32), 0xffffffff);
    assert_int_equal(constant(BYTES(0x41, 0x80, 0x80, 4, 0x41, 0x80, 0x80, 4, 0x6c, END), I32), 0);
    assert_int_equal(constant(BYTES(0x23, 0, 0x42, 6, 0x7d, END), I64), UINT64_MAX);
    assert_int_equal(constant(BYTES(0x23, 0, 0x42, 6, 0x7e, 0x42, 3, 0x7c, END), I64), 33);
}

/* -1 + 1 is 0 as an address, too. */
static void offsets_wrap(void **state)
{
    (void)state;
    base_buffer b = header();
    wasm_module *m;
    wasm_store *store;
    wasm_instance *instance;
    SECTION(&b, 5, 1, 0, 1);
    SECTION(&b, 11, 1, 0, 0x41, 0x7f, 0x41, 1, 0x6a, END, 1, 'x');
    expect(decode(&b, &m), WISP_OK, NULL);
    assert_int_equal(wasm_store_new(&store, NULL, &report), WISP_OK);
    expect(wasm_instance_new(&instance, store, m, NULL, NULL, &report), WISP_OK, NULL);
    assert_int_equal(*(char *)wasm_memory_at(instance, 0, 1), 'x');
    wasm_store_free(store);
    wasm_module_free(m);
}

static void a_deep_constant_expression(void **state)
{
    (void)state;
    enum { DEEP = 100000 };
    base_buffer e = {0};
    for (int i = 0; i < DEEP; i++)
        base_put(&e, BYTES(0x42, 1));
    for (int i = 1; i < DEEP; i++)
        base_put_u8(&e, 0x7c);
    base_put_u8(&e, END);
    assert_int_equal(constant(e.data, e.size, I64), DEEP);
    base_buffer_fini(&e);
}

static void allocations_may_fail(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        base_buffer b = header();
        SECTION(&b, 1, 2, REC, 2, SUB, 0, STRUCT, 1, I32, 0, SUB, 1, 0, STRUCT, 2, I32, 0, REF, 1, 1, FUNC, 0, 0);
        SECTION(&b, 3, 1, 2);
        SECTION(&b, 7, 1, 1, 'f', 0, 0);
        SECTION(&b, 10, 1, 12, 1, 2, REF, 2, 0xd2, 0, 0x21, 1, 0x20, 1, 0x1a, END);
        uint8_t bytes[200];
        assert_true(b.size <= sizeof bytes);
        memcpy(bytes, b.data, b.size);
        wasm_module *m;
        wasm_store *store;
        wasm_instance *instance;
        base_mem_fail_after(n);
        wisp_status status = wasm_module_new(&m, (base_span){bytes, b.size}, NULL, &report);
        if (status == WISP_OK) {
            status = wasm_store_new(&store, NULL, &report);
            if (status == WISP_OK) {
                status = wasm_instance_new(&instance, store, m, NULL, NULL, &report);
                wasm_store_free(store);
            }
            wasm_module_free(m);
        }
        base_mem_fail_after(-1);
        base_buffer_fini(&b);
        if (status == WISP_OK) {
            assert_true(n > 10);
            return;
        }
        assert_int_equal(status, WISP_E_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_groups_are_one),
        cmocka_unit_test(a_loop_is_not_its_unrolling),
        cmocka_unit_test(what_differs_differs),
        cmocka_unit_test(ids_are_the_stores),
        cmocka_unit_test(supertypes_are_checked),
        cmocka_unit_test(chains_of_supertypes_end),
        cmocka_unit_test(counts_are_not_believed),
        cmocka_unit_test(a_million_types_take_linear_time),
        cmocka_unit_test(locals_are_runs),
        cmocka_unit_test(locals_without_default_are_set_first),
        cmocka_unit_test(locals_far_out_have_their_types),
        cmocka_unit_test(catches_fit_their_labels),
        cmocka_unit_test(both_ways_agree),
        cmocka_unit_test(cut_code_is_refused),
        cmocka_unit_test(the_first_wrong_function_is_named),
        cmocka_unit_test(constant_expressions_wrap),
        cmocka_unit_test(offsets_wrap),
        cmocka_unit_test(a_deep_constant_expression),
        cmocka_unit_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
