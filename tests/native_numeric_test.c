/* Every numeric and vector instruction of opcodes.def, interpreted and compiled, on edge values and random ones: the
 * same bits, the same traps. Whatever a new line of opcodes.def says is tested from then on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "run_modes.h"
#include "wasm/simd.h"

/* ---- what opcodes.def says ---- */

typedef struct operation {
    uint32_t code;
    const char *text, *operands; /* letters i I f F v */
    char result;
    uint32_t lanes; /* of an extract or replace: an immediate follows */
} operation;

#define L(t) LETTER_##t
#define LETTER_i "i"
#define LETTER_I "I"
#define LETTER_f "f"
#define LETTER_F "F"
#define LETTER_fbits "f"
#define LETTER_Fbits "F"
#define LETTER_v "v"
static const operation operations[] = {
#define WASM_UN(code, name, text, a, r, value) {code, text, L(a), L(r)[0], 0},
#define WASM_BIN(code, name, text, a, b, r, value) {code, text, L(a) L(b), L(r)[0], 0},
#define WASM_TRI(code, name, text, a, b, c, r, value) {code, text, L(a) L(b) L(c), L(r)[0], 0},
#define WASM_UN_TRAP(code, name, text, a, r, check, value) {code, text, L(a), L(r)[0], 0},
#define WASM_BIN_TRAP(code, name, text, a, b, r, check, value) {code, text, L(a) L(b), L(r)[0], 0},
#define WASM_EXTRACT(code, name, text, lanes, r, value) {code, text, "v", L(r)[0], lanes},
#define WASM_REPLACE(code, name, text, lanes, a, type) {code, text, "v" L(a), 'v', lanes},
#define WASM_LOAD(code, name, text, r, align, type, value)
#define WASM_STORE(code, name, text, a, align, type, value)
#define WASM_LOAD_LANE(code, name, text, align, type)
#define WASM_STORE_LANE(code, name, text, align, type)
#define WASM_OP(code, name, text, imm, signature)
#define WASM_LOCAL_OP(code, name, text, imm, signature)
#include "wasm/opcodes.def"
    /* one operand is known to be a number, since it is converted first: compilers then take short cuts */
    {0x96, "f32.min, f32.convert_i32_s", "fi", 'f', 0},
    {0x97, "f32.max, f32.convert_i32_s", "fi", 'f', 0},
    {0xa4, "f64.min, f64.convert_i64_s", "FI", 'F', 0},
    {0xa5, "f64.max, f64.convert_i64_s", "FI", 'F', 0},
    {0xfd0e8, "f32x4.min, a lane of splats, f32.convert_i32_s", "fi", 'f', 0},
    {0xfd0f5, "f64x2.max, a lane of splats, f64.convert_i64_s", "FI", 'F', 0},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

/* ---- a module with a function for each ---- */

static void put_section(base_buffer *b, uint8_t id, const base_buffer *content)
{
    base_put_u8(b, id);
    base_put_leb_u64(b, content->size);
    base_put(b, content->data, content->size);
}

static uint8_t type_byte(char letter)
{
    return letter == 'i' ? 0x7f : letter == 'I' ? 0x7e : letter == 'f' ? 0x7d : letter == 'F' ? 0x7c : 0x7b;
}

static void put_type(base_buffer *types, const operation *op)
{
    base_put_u8(types, 0x60);
    base_put_leb_u64(types, strlen(op->operands));
    for (const char *s = op->operands; *s; s++)
        base_put_u8(types, type_byte(*s));
    base_put_leb_u64(types, 1);
    base_put_u8(types, type_byte(op->result));
}

static void put_body(base_buffer *codes, const operation *op)
{
    base_buffer body = {0};
    base_put_leb_u64(&body, 0);
    const bool single = strcmp(op->operands, "fi") == 0, converts = single || strcmp(op->operands, "FI") == 0;
    for (uint32_t i = 0; i < strlen(op->operands); i++) {
        base_put_u8(&body, 0x20);
        base_put_leb_u64(&body, i);
        if (converts && i == 1) base_put_u8(&body, single ? 0xb2 : 0xb9);
        if (converts && op->code > 0xff) base_put(&body, single ? "\xfd\x13" : "\xfd\x14", 2);
    }
    if (op->code > 0xff) {
        base_put_u8(&body, (uint8_t)(op->code >> 12));
        base_put_leb_u64(&body, op->code & 0xfff);
    } else {
        base_put_u8(&body, (uint8_t)op->code);
    }
    if (op->lanes) base_put_u8(&body, (uint8_t)(op->code % op->lanes));
    if (converts && op->code > 0xff) base_put(&body, single ? "\xfd\x1f\0" : "\xfd\x21\0", 3);
    base_put_u8(&body, 0x0b);
    base_put_leb_u64(codes, body.size);
    base_put(codes, body.data, body.size);
    base_buffer_fini(&body);
}

static void make_module(base_buffer *out)
{
    base_buffer types = {0}, funcs = {0}, codes = {0};
    base_put_leb_u64(&types, OPERATIONS);
    base_put_leb_u64(&funcs, OPERATIONS);
    base_put_leb_u64(&codes, OPERATIONS);
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        put_type(&types, &operations[i]);
        base_put_leb_u64(&funcs, i);
        put_body(&codes, &operations[i]);
    }
    base_put(out, "\0asm\1\0\0\0", 8);
    put_section(out, 1, &types);
    put_section(out, 3, &funcs);
    put_section(out, 10, &codes);
    base_buffer_fini(&types);
    base_buffer_fini(&funcs);
    base_buffer_fini(&codes);
}

/* ---- values ---- */

static const uint32_t edges32[] = {0,          1,          2,          7,          31,         32,         0x7f,
                                   0x80,       0xff,       0x7fff,     0x8000,     0xffff,     0x7fffffff, 0x80000000,
                                   0x80000001, 0xffffffff, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000,
                                   0xffc00000, 0x7f800001, 0x7fa00000, 0xffa12345, 0x00000001, 0x00800000, 0x4f000000,
                                   0xcf000000, 0x4f7fffff, 0x4f800000, 0x5f000000, 0xdf000000, 0x5f800000, 0x3effffff,
                                   0x3f000000, 0x3fc00000, 0x40200000, 0xbf000000, 0x4b000001, 0x7f7fffff};
static const uint64_t edges64[] = {0,
                                   1,
                                   63,
                                   64,
                                   0x7fffffffffffffff,
                                   0x8000000000000000,
                                   0xffffffffffffffff,
                                   0x3ff0000000000000,
                                   0xbff0000000000000,
                                   0x7ff0000000000000,
                                   0xfff0000000000000,
                                   0x7ff8000000000000,
                                   0xfff8000000000000,
                                   0x7ff0000000000001,
                                   0xfff4123456789abc,
                                   0x41e0000000000000,
                                   0xc1e0000000000000,
                                   0xc1e0000000200000,
                                   0x41efffffffe00000,
                                   0x41f0000000000000,
                                   0x43e0000000000000,
                                   0xc3e0000000000000,
                                   0x43f0000000000000,
                                   0x3fe0000000000000,
                                   0x3ff8000000000000,
                                   0x4004000000000000,
                                   0x47efffffe0000000,
                                   0x36a0000000000000,
                                   0x8000000000000001,
                                   0x00000001ffffffff};
enum { EDGES32 = sizeof edges32 / sizeof *edges32, EDGES64 = sizeof edges64 / sizeof *edges64 };

static uint64_t random_state = 1;
static uint64_t random64(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state ^ random_state >> 29;
}

static uint32_t some32(void)
{
    return random64() & 1 ? edges32[random64() % EDGES32] : (uint32_t)(random64() >> 32);
}
static uint64_t some64(void)
{
    switch (random64() & 3) {
    case 0:
        return random64();
    case 1:
        return (uint64_t)some32() << 32 | some32();
    default:
        return edges64[random64() % EDGES64];
    }
}

static wasm_value some_value(char letter)
{
    wasm_value v = {.words = {some64(), 0}};
    if (letter == 'i' || letter == 'f') v.u64 = some32();
    if (letter == 'v') v.words[1] = some64();
    if (letter == 'v' && random64() & 1) v.words[0] = (uint64_t)some32() << 32 | some32();
    return v;
}

/* ---- the comparison ---- */

typedef struct way {
    wasm_store *store;
    wasm_instance *instance;
} way;

static way make_way(const wasm_module *module, const run_mode *mode)
{
    way w;
    wisp_report report = {0};
    wasm_limits limits = wasm_limits_defaults;
    limits.explicit_checks = mode->explicit_checks;
    if (wasm_store_new(&w.store, &limits, &report) != WISP_OK ||
        wasm_instance_new(&w.instance, w.store, module, NULL, NULL, &report) != WISP_OK ||
        run_mode_prepare(mode, w.instance, &report) != WISP_OK) {
        printf("%s: %s\n", mode->name, report.text);
        exit(1);
    }
    return w;
}

static unsigned bytes_of(char letter)
{
    return letter == 'v' ? 16 : letter == 'I' || letter == 'F' ? 8 : 4;
}

static bool differs(const way *a, const way *b, uint32_t n)
{
    const operation *op = &operations[n];
    const size_t count = strlen(op->operands);
    wasm_value args[3], results[2];
    wasm_trap traps[2];
    wisp_status statuses[2];
    for (size_t i = 0; i < count; i++)
        args[i] = some_value(op->operands[i]);
    for (int i = 0; i < 2; i++)
        statuses[i] = wasm_call(wasm_instance_func(i ? b->instance : a->instance, n), args, count, &results[i], 1,
                                &traps[i], NULL);
    if (statuses[0] == statuses[1] &&
        (statuses[0] == WISP_OK ? memcmp(&results[0], &results[1], bytes_of(op->result)) == 0
                                : strcmp(traps[0].reason, traps[1].reason) == 0))
        return false;
    printf("%s:", op->text);
    for (size_t i = 0; i < count; i++)
        printf(" %016llx%016llx", (unsigned long long)args[i].words[1], (unsigned long long)args[i].words[0]);
    for (int i = 0; i < 2; i++)
        printf(i ? ", then %d %016llx%016llx\n" : ": %d %016llx%016llx", statuses[i],
               (unsigned long long)results[i].words[1], (unsigned long long)results[i].words[0]);
    return true;
}

int main(void)
{
    enum { ROUNDS = 400 };
    base_buffer bytes = {0};
    wisp_report report = {0};
    wasm_module *module;
    unsigned failures = 0;
    make_module(&bytes);
    if (wasm_module_new(&module, (base_span){bytes.data, bytes.size}, NULL, &report) != WISP_OK)
        return puts(report.text), 1;
    way interpreted = make_way(module, &run_modes[0]);
    for (unsigned m = 1; m < run_mode_count; m++) {
        way other = make_way(module, &run_modes[m]);
        for (uint32_t n = 0; n < OPERATIONS && failures < 20; n++)
            for (unsigned k = 0; k < ROUNDS && failures < 20; k++)
                failures += differs(&interpreted, &other, n);
        wasm_store_free(other.store);
    }
    printf("%u instructions, %u failures\n", (unsigned)OPERATIONS, failures);
    wasm_store_free(interpreted.store);
    wasm_module_free(module);
    base_buffer_fini(&bytes);
    return failures != 0;
}
