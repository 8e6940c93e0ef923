/* A module around generated functions: types, tables, memories, globals, segments. */
#include "generate.h"

#include <string.h>

/* ---- choices ---- */

static uint32_t next(generator *g)
{
    if (base_left(&g->entropy) >= 2) return base_read_u16(&g->entropy);
    g->state = g->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(g->state >> 48);
}

uint32_t generate_below(generator *g, uint32_t n)
{
    return n < 2 ? 0 : next(g) % n;
}

bool generate_one_in(generator *g, uint32_t n)
{
    return generate_below(g, n) == n - 1;
}

/* ---- types and constants ---- */

void generate_type_code(base_buffer *b, char letter)
{
    static const char letters[] = "iIfFvre";
    static const uint8_t codes[] = {0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f};
    base_put_u8(b, codes[strchr(letters, letter) - letters]);
}

static void put_signed(base_buffer *b, int64_t v)
{
    for (;;) {
        uint8_t byte = v & 0x7f;
        v >>= 7;
        bool last = (v == 0 && !(byte & 0x40)) || (v == -1 && byte & 0x40);
        base_put_u8(b, last ? byte : byte | 0x80);
        if (last) return;
    }
}

static uint64_t integer(generator *g)
{
    static const uint64_t edges[] = {
        0,         1,      (uint64_t)-1, 2,          31,         32,         63,
        64,        0x7f,   0x80,         0xff,       0x100,      65535,      65536,
        0x7fff,    0x8000, 0x7fffffff,   0x80000000, 0xffffffff, 1ull << 32, (1ull << 63) - 1,
        1ull << 63};
    switch (generate_below(g, 3)) {
    case 0:
        return edges[generate_below(g, sizeof edges / sizeof *edges)];
    case 1:
        return generate_below(g, 200);
    default:
        return (uint64_t)next(g) << 48 | (uint64_t)next(g) << 32 | next(g) << 16 | next(g);
    }
}

static uint32_t float_bits(generator *g)
{
    static const uint32_t edges[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
                                     0x7fc00000, 0xffc00000, 0x7f800001, 0x00000001, 0x007fffff, 0x00800000,
                                     0x7f7fffff, 0x4f000000, 0xcf000000, 0x4f800000, 0x5f000000, 0xdf000000,
                                     0x5f800000, 0x3f000000, 0x40200000};
    uint32_t n = sizeof edges / sizeof *edges;
    return generate_one_in(g, 3) ? (uint32_t)integer(g) : edges[generate_below(g, g->options.elsewhere ? 6 : n)];
}

static uint64_t double_bits(generator *g)
{
    static const uint64_t edges[] = {0,
                                     1ull << 63,
                                     0x3ff0000000000000,
                                     0xbff0000000000000,
                                     0x7ff0000000000000,
                                     0xfff0000000000000,
                                     0x7ff8000000000000,
                                     0xfff8000000000000,
                                     0x7ff0000000000001,
                                     1,
                                     0x0010000000000000,
                                     0x7fefffffffffffff,
                                     0x41e0000000000000,
                                     0xc1e0000000200000,
                                     0x43e0000000000000,
                                     0xc3e0000000000000,
                                     0x43f0000000000000,
                                     0x3fe0000000000000};
    uint32_t n = sizeof edges / sizeof *edges;
    return generate_one_in(g, 3) ? integer(g) : edges[generate_below(g, g->options.elsewhere ? 6 : n)];
}

static void vector(generator *g, base_buffer *b)
{
    base_put_u8(b, 0xfd);
    base_put_u8(b, 0x0c);
    for (int i = 0; i < 2; i++) {
        uint32_t kind = generate_below(g, 3);
        uint64_t low = kind == 0   ? integer(g)
                       : kind == 1 ? float_bits(g) | (uint64_t)float_bits(g) << 32
                                   : double_bits(g);
        base_put_u64(b, low);
    }
}

void generate_constant(generator *g, base_buffer *b, char letter)
{
    switch (letter) {
    case 'i':
        base_put_u8(b, 0x41);
        put_signed(b, (int32_t)integer(g));
        break;
    case 'I':
        base_put_u8(b, 0x42);
        put_signed(b, (int64_t)integer(g));
        break;
    case 'f':
        base_put_u8(b, 0x43);
        base_put_u32(b, float_bits(g));
        break;
    case 'F':
        base_put_u8(b, 0x44);
        base_put_u64(b, double_bits(g));
        break;
    case 'v':
        vector(g, b);
        break;
    case 'r':
        if (generate_below(g, 3)) {
            base_put_u8(b, 0xd2);
            base_put_leb_u32(b, generate_below(g, GENERATE_IMPORTS + g->func_count));
        } else {
            base_put_u8(b, 0xd0);
            base_put_u8(b, 0x70);
        }
        break;
    default:
        base_put_u8(b, 0xd0);
        base_put_u8(b, 0x6f);
    }
}

/* ---- sections ---- */

static void put_section(base_buffer *out, uint8_t id, base_buffer *content)
{
    base_put_u8(out, id);
    base_put_leb_u32(out, (uint32_t)content->size);
    base_put(out, content->data, content->size);
    out->failed |= content->failed;
    content->size = 0;
}

static void put_name(base_buffer *b, const char *name)
{
    base_put_leb_u32(b, (uint32_t)strlen(name));
    base_put_text(b, name);
}

static void choose_letters(generator *g, char *out, uint32_t most)
{
    const char *letters = g->options.elsewhere ? "iIfF" : "iIfFvre";
    uint32_t n = generate_below(g, most + 1);
    for (uint32_t i = 0; i < n; i++)
        out[i] = letters[generate_below(g, generate_one_in(g, 6)  ? (uint32_t)strlen(letters)
                                           : g->options.elsewhere ? 4
                                                                  : 5)];
    out[n] = 0;
}

static void choose(generator *g)
{
    static const generate_type fixed[] = {{"i", ""}, {"II", "I"}, {"", ""}, {"", "i"}};
    memcpy(g->types, fixed, sizeof fixed);
    g->type_count = 4 + generate_below(g, GENERATE_TYPES - 3);
    for (uint32_t t = 4; t < g->type_count; t++) {
        choose_letters(g, g->types[t].params, GENERATE_PARAMS);
        choose_letters(g, g->types[t].results, generate_one_in(g, 4) ? GENERATE_PARAMS : 1);
    }
    g->func_count = 1 + generate_below(g, GENERATE_FUNCS);
    g->func_types[GENERATE_LOG] = 0;
    g->func_types[GENERATE_MIX] = 1;
    for (uint32_t f = 0; f < g->func_count; f++)
        g->func_types[GENERATE_IMPORTS + f] = 1 + generate_below(g, g->type_count - 1);
    const bool more = !g->options.elsewhere;
    g->table_count = 2; /* functions, and externref */
    g->memory_count = 1 + (more && generate_one_in(g, 3));
    g->memory64[0] = more && g->options.memory64 && generate_one_in(g, 3);
    g->memory64[1] = more && g->options.memory64 && generate_one_in(g, 2);
    g->table64[0] = more && g->options.memory64 && generate_one_in(g, 4);
    memcpy(g->globals, more ? "iIfFvri" : "iIfFi", more ? 8 : 6);
    g->global_count = (uint32_t)strlen(g->globals);
    g->tag_count = more && g->options.exceptions ? 2 : 0;
    g->elem_count = 3; /* active, passive, declared */
    g->data_count = 2; /* active, passive */
}

static void put_types(const generator *g, base_buffer *b)
{
    base_put_leb_u32(b, g->type_count);
    for (uint32_t t = 0; t < g->type_count; t++) {
        base_put_u8(b, 0x60);
        for (int side = 0; side < 2; side++) {
            const char *letters = side ? g->types[t].results : g->types[t].params;
            base_put_leb_u32(b, (uint32_t)strlen(letters));
            for (; *letters; letters++)
                generate_type_code(b, *letters);
        }
    }
}

static void put_imports_and_functions(const generator *g, base_buffer *out, base_buffer *b)
{
    base_put_leb_u32(b, GENERATE_IMPORTS);
    for (int i = 0; i < GENERATE_IMPORTS; i++) {
        put_name(b, "h");
        put_name(b, i == GENERATE_LOG ? "log" : "mix");
        base_put_u8(b, 0);
        base_put_leb_u32(b, g->func_types[i]);
    }
    put_section(out, 2, b);
    base_put_leb_u32(b, g->func_count);
    for (uint32_t f = 0; f < g->func_count; f++)
        base_put_leb_u32(b, g->func_types[GENERATE_IMPORTS + f]);
    put_section(out, 3, b);
}

static void put_tables_and_memories(generator *g, base_buffer *out, base_buffer *b)
{
    base_put_leb_u32(b, g->table_count);
    for (uint32_t t = 0; t < g->table_count; t++) {
        base_put_u8(b, t == 0 ? 0x70 : 0x6f);
        base_put_u8(b, g->table64[t] ? 5 : 1);
        base_put_leb_u32(b, 10);
        base_put_leb_u32(b, 12);
    }
    put_section(out, 4, b);
    base_put_leb_u32(b, g->memory_count);
    for (uint32_t m = 0; m < g->memory_count; m++) {
        base_put_u8(b, g->memory64[m] ? 5 : 1);
        base_put_leb_u32(b, !generate_one_in(g, 8));
        base_put_leb_u32(b, 3);
    }
    put_section(out, 5, b);
    if (!g->tag_count) return;
    base_put_leb_u32(b, g->tag_count);
    for (uint32_t t = 0; t < g->tag_count; t++) {
        base_put_u8(b, 0);
        base_put_leb_u32(b, t == 0 ? 0 : 2); /* (i32), () */
    }
    put_section(out, 13, b);
}

static void put_globals_and_exports(generator *g, base_buffer *out, base_buffer *b)
{
    char name[16];
    base_put_leb_u32(b, g->global_count);
    for (uint32_t i = 0; i < g->global_count; i++) {
        generate_type_code(b, g->globals[i]);
        base_put_u8(b, 1);
        if (i + 1 < g->global_count) {
            generate_constant(g, b, g->globals[i]);
        } else {
            base_put_u8(b, 0x41);
            put_signed(b, GENERATE_COUNTER);
        }
        base_put_u8(b, 0x0b);
    }
    put_section(out, 6, b);
    const struct {
        char letter;
        uint8_t kind;
        uint32_t first, count;
    } lists[] = {{'f', 0, GENERATE_IMPORTS, g->func_count}, {'m', 2, 0, g->memory_count}, {'g', 3, 0, g->global_count}};
    base_put_leb_u32(b, g->func_count + g->memory_count + g->global_count);
    for (int k = 0; k < 3; k++)
        for (uint32_t i = 0; i < lists[k].count; i++) {
            name[0] = lists[k].letter;
            name[1] = (char)('0' + i);
            name[2] = 0;
            put_name(b, name);
            base_put_u8(b, lists[k].kind);
            base_put_leb_u32(b, lists[k].first + i);
        }
    put_section(out, 7, b);
}

static void put_segments(generator *g, base_buffer *out, base_buffer *b)
{
    base_put_leb_u32(b, g->elem_count);
    for (uint32_t e = 0; e < g->elem_count; e++) {
        base_put_leb_u32(b, e == 0 ? 0 : e == 1 ? 1 : 3); /* active, passive, declared */
        if (e == 0) {
            base_put_u8(b, g->table64[0] ? 0x42 : 0x41);
            put_signed(b, generate_one_in(g, 4));
            base_put_u8(b, 0x0b);
        } else {
            base_put_u8(b, 0); /* functions */
        }
        uint32_t count = e == 2 ? GENERATE_IMPORTS + g->func_count : 5 + generate_below(g, 5);
        base_put_leb_u32(b, count);
        for (uint32_t i = 0; i < count; i++)
            base_put_leb_u32(b, e == 2 ? i : generate_below(g, GENERATE_IMPORTS + g->func_count));
    }
    put_section(out, 9, b);
    base_put_leb_u32(b, g->data_count);
    put_section(out, 12, b);
}

static void put_data(generator *g, base_buffer *out, base_buffer *b)
{
    base_put_leb_u32(b, g->data_count);
    for (uint32_t d = 0; d < g->data_count; d++) {
        base_put_u8(b, d == 0 ? 0 : 1);
        if (d == 0) {
            base_put_u8(b, g->memory64[0] ? 0x42 : 0x41);
            put_signed(b, 0);
            base_put_u8(b, 0x0b);
        }
        uint32_t count = d == 0 ? 0 : generate_below(g, 40); /* the memory may have no page: nothing is put there */
        base_put_leb_u32(b, count);
        for (uint32_t i = 0; i < count; i++)
            base_put_u8(b, (uint8_t)next(g));
    }
    put_section(out, 11, b);
}

bool generate_module(base_buffer *out, const uint8_t *entropy, size_t size, const generate_options *options)
{
    generator g = {.options = *options, .entropy = base_reader_of(entropy, size), .state = 88172645463325252u + size};
    base_buffer b = {0}, body = {0};
    if (options->elsewhere) g.options = (generate_options){.elsewhere = true, .tail_calls = true};
    choose(&g);
    base_put_u32(out, 0x6d736100);
    base_put_u32(out, 1);
    put_types(&g, &b);
    put_section(out, 1, &b);
    put_imports_and_functions(&g, out, &b);
    put_tables_and_memories(&g, out, &b);
    put_globals_and_exports(&g, out, &b);
    put_segments(&g, out, &b);
    base_put_leb_u32(&b, g.func_count);
    for (uint32_t f = 0; f < g.func_count; f++) {
        body.size = 0;
        generate_body(&g, &body, GENERATE_IMPORTS + f);
        base_put_leb_u32(&b, (uint32_t)body.size);
        base_put(&b, body.data, body.size);
        b.failed |= body.failed;
    }
    put_section(out, 10, &b);
    put_data(&g, out, &b);
    base_buffer_fini(&body);
    base_buffer_fini(&b);
    return !out->failed;
}
