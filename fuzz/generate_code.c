/* Function bodies: expressions by type, statements, blocks. Everything that is written is valid by construction: an
 * expression leaves exactly one value of its type, a statement nothing. */
#include <string.h>

#include "generate.h"
#include "wasm/machine.h"

enum { DEPTH_MAX = 7, LABELS_MAX = 12, OPS_MAX = 0x320, BUDGET = 220 };

typedef struct coder {
    generator *g;
    base_buffer *b;
    char locals[GENERATE_LOCALS + 1]; /* parameters first; the last four are scratch: f F v i */
    uint32_t local_count, depth, func;
    int budget;
    const generate_type *type;
    const char *labels[LABELS_MAX]; /* letters that a branch takes along, outermost first */
    bool loops[LABELS_MAX];
    uint32_t label_count;
} coder;

static void expression(coder *c, char letter);
static void statement(coder *c);

static void u8(coder *c, unsigned v)
{
    base_put_u8(c->b, (uint8_t)v);
}
static void leb(coder *c, uint32_t v)
{
    base_put_leb_u32(c->b, v);
}

static void opcode(coder *c, uint32_t code)
{
    if (code > 0xff) {
        u8(c, code >> 12);
        leb(c, code & 0xfff);
    } else {
        u8(c, code);
    }
}

static void constant_i32(coder *c, int32_t v)
{
    u8(c, 0x41);
    for (;;) {
        uint8_t byte = v & 0x7f;
        v >>= 7;
        bool last = (v == 0 && !(byte & 0x40)) || (v == -1 && byte & 0x40);
        u8(c, last ? byte : byte | 0x80u);
        if (last) return;
    }
}

static bool usable(const coder *c, uint32_t code)
{
    if (code >= 0xfd100) return c->g->options.relaxed && !c->g->options.elsewhere;
    return true;
}

/* A random instruction of the list whose signature gives `letter` (0: nothing); 0 if none fits. */
static uint32_t pick(const coder *c, char letter)
{
    static uint32_t by_letter[6][OPS_MAX], counts[6];
    static bool ready;
    static const char letters[] = "iIfFv";
    if (!ready) {
        for (uint32_t slot = 0; slot < 0x340; slot++) {
            uint32_t code = slot < 0x100 ? slot : slot < 0x120 ? 0xfc000 + slot - 0x100 : 0xfd000 + slot - 0x120;
            const wasm_op_info *op = wasm_op(code);
            const char *colon = op ? strchr(op->signature, ':') : NULL;
            if (!colon || op->immediate == WASM_IMM_SPECIAL || code == 0x01) continue;
            uint32_t to = colon[1] ? (uint32_t)(strchr(letters, colon[1]) - letters) : 5;
            by_letter[to][counts[to]++] = code;
        }
        ready = true;
    }
    uint32_t list = letter ? (uint32_t)(strchr(letters, letter) - letters) : 5;
    uint32_t code = by_letter[list][generate_below(c->g, counts[list])];
    return usable(c, code) ? code : 0;
}

/* ---- NaNs, where another engine's bits would differ ---- */

static void local(coder *c, unsigned op, uint32_t index)
{
    u8(c, op);
    leb(c, index);
}

/* A local of that type, any of them; UINT32_MAX: none. Never a scratch one: they hold NaNs as they came. */
static uint32_t find_local(const coder *c, char letter)
{
    const uint32_t count = c->local_count - 4, start = generate_below(c->g, count);
    for (uint32_t i = 0; i < count; i++)
        if (c->locals[(start + i) % count] == letter) return (start + i) % count;
    return UINT32_MAX;
}

static void canonicalize(coder *c, char letter, const char *text)
{
    const uint32_t scratch = c->local_count - 4;
    if (letter == 'f' || letter == 'F') {
        const uint32_t at = scratch + (letter == 'F');
        local(c, 0x22, at);
        u8(c, letter == 'f' ? 0x43 : 0x44);
        if (letter == 'f')
            base_put_u32(c->b, 0x7fc00000);
        else
            base_put_u64(c->b, 0x7ff8000000000000);
        local(c, 0x20, at);
        local(c, 0x20, at);
        u8(c, letter == 'f' ? 0x5b : 0x61); /* eq */
        u8(c, 0x1b);                        /* select */
    } else if (letter == 'v' && (strncmp(text, "f32x4", 5) == 0 || strncmp(text, "f64x2", 5) == 0)) {
        const bool wide = text[1] == '6';
        local(c, 0x22, scratch + 2);
        opcode(c, 0xfd00c);
        for (int i = 0; i < 2; i++)
            base_put_u64(c->b, wide ? 0x7ff8000000000000 : 0x7fc000007fc00000);
        local(c, 0x20, scratch + 2);
        local(c, 0x20, scratch + 2);
        opcode(c, wide ? 0xfd047 : 0xfd041); /* eq */
        opcode(c, 0xfd052);                  /* bitselect */
    }
}

/* ---- instructions of the list ---- */

static void address(coder *c, uint32_t memory)
{
    const bool wide = c->g->memory64[memory];
    expression(c, 'i');
    if (!generate_one_in(c->g, 60)) { /* mostly inside */
        constant_i32(c, 0xfff);
        u8(c, 0x71);
    }
    if (wide) u8(c, generate_one_in(c->g, 10) ? 0xac : 0xad);
}

static void immediates(coder *c, const wasm_op_info *op, uint32_t memory)
{
    if (op->immediate == WASM_IMM_MEMARG || op->immediate == WASM_IMM_MEMARG_LANE) {
        u8(c, generate_below(c->g, op->aux + 1u) | (memory ? 0x40 : 0));
        if (memory) leb(c, memory);
        uint32_t offset = generate_below(c->g, 40);
        leb(c, generate_one_in(c->g, 60) ? 0xffffffffu - offset : offset);
    }
    if (op->immediate == WASM_IMM_MEMARG_LANE) u8(c, generate_below(c->g, 16u >> op->aux));
    if (op->immediate == WASM_IMM_LANE) u8(c, generate_below(c->g, op->aux));
    if (op->immediate == WASM_IMM_SHUFFLE)
        for (int i = 0; i < 16; i++)
            u8(c, generate_below(c->g, 32));
}

static bool listed(coder *c, char result)
{
    uint32_t code = pick(c, result);
    if (!code) return false;
    const wasm_op_info *op = wasm_op(code);
    if (op->immediate >= WASM_IMM_I32) return false; /* constants */
    uint32_t memory = generate_below(c->g, c->g->memory_count);
    const bool divides = (code >= 0x6d && code <= 0x70) || (code >= 0x7f && code <= 0x82);
    const bool truncates = (code >= 0xa8 && code <= 0xab) || (code >= 0xae && code <= 0xb1);
    if (truncates && generate_below(c->g, 8)) return false; /* a program that traps at once shows little */
    for (const char *p = op->signature; *p != ':'; p++) {
        if (*p == 'a')
            address(c, memory);
        else
            expression(c, *p);
    }
    if (divides && generate_below(c->g, 8)) {
        u8(c, code < 0x7f ? 0x41 : 0x42), u8(c, 1);
        u8(c, code < 0x7f ? 0x72 : 0x84); /* or */
    }
    opcode(c, code);
    immediates(c, op, memory);
    bool loads = op->immediate == WASM_IMM_MEMARG || op->immediate == WASM_IMM_MEMARG_LANE;
    if (c->g->options.elsewhere && result && !loads) canonicalize(c, result, op->text);
    return true;
}

/* ---- blocks and branches ---- */

static void use_counter(coder *c)
{
    const uint32_t counter = c->g->global_count - 1;
    local(c, 0x23, counter);
    u8(c, 0x45);
    u8(c, 0x04), u8(c, 0x40), u8(c, 0x00), u8(c, 0x0b); /* if unreachable end */
    local(c, 0x23, counter);
    constant_i32(c, 1);
    u8(c, 0x6b);
    local(c, 0x24, counter);
}

static const char *single(char letter)
{
    static const char all[] = "i\0I\0f\0F\0v\0r\0e\0";
    for (const char *p = all; *p; p += 2)
        if (*p == letter) return p;
    return "";
}

static void block_type(coder *c, char letter)
{
    if (letter)
        generate_type_code(c->b, letter);
    else
        u8(c, 0x40);
}

static void statements(coder *c)
{
    for (uint32_t n = generate_below(c->g, 4); n && c->budget > 0; n--)
        statement(c);
}

static void values(coder *c, const char *letters)
{
    for (; *letters; letters++)
        expression(c, *letters);
}

/* Leaves values[…] to a local or drops them. */
static void consume(coder *c, const char *letters)
{
    for (size_t i = strlen(letters); i--;) {
        uint32_t at = generate_one_in(c->g, 2) ? find_local(c, letters[i]) : UINT32_MAX;
        if (at != UINT32_MAX)
            local(c, 0x21, at);
        else
            u8(c, 0x1a);
    }
}

static void open_label(coder *c, const char *letters, bool loop)
{
    c->loops[c->label_count] = loop;
    c->labels[c->label_count++] = letters;
}

/* Whether to go round again: mostly not for ever. */
static void again(coder *c)
{
    if (generate_one_in(c->g, 6)) {
        expression(c, 'i');
        return;
    }
    local(c, 0x23, c->g->global_count - 1);
    constant_i32(c, 3);
    u8(c, 0x71);
}

static void block(coder *c, char letter)
{
    const uint32_t kind = generate_below(c->g, 3); /* block, loop, if */
    if (c->label_count >= LABELS_MAX - 1) {
        if (letter) generate_constant(c->g, c->b, letter);
        return;
    }
    if (kind == 2) expression(c, 'i');
    u8(c, 0x02 + kind);
    block_type(c, letter);
    open_label(c, kind == 1 ? "" : single(letter), kind == 1);
    if (kind == 1) {
        use_counter(c);
        statements(c);
        if (generate_one_in(c->g, 2)) {
            again(c);
            u8(c, 0x0d), u8(c, 0);
        }
    }
    statements(c);
    if (letter) expression(c, letter);
    if (kind == 2 && (letter || generate_one_in(c->g, 2))) {
        u8(c, 0x05);
        statements(c);
        if (letter) expression(c, letter);
    }
    u8(c, 0x0b);
    c->label_count--;
}

/* A loop that takes values along: block types by index. */
static void loop_with_values(coder *c)
{
    uint32_t index = generate_below(c->g, c->g->type_count);
    const generate_type *type = &c->g->types[index];
    if (c->label_count >= LABELS_MAX - 1) return;
    values(c, type->params);
    u8(c, generate_one_in(c->g, 2) ? 0x02 : 0x03);
    const bool loop = c->b->failed || c->b->data[c->b->size - 1] == 0x03;
    leb(c, index);
    open_label(c, loop ? type->params : type->results, loop);
    consume(c, type->params);
    if (loop) use_counter(c);
    statements(c);
    if (generate_one_in(c->g, 2)) {
        values(c, c->labels[c->label_count - 1]);
        if (loop)
            again(c);
        else
            expression(c, 'i');
        u8(c, 0x0d), u8(c, 0);
        consume(c, c->labels[c->label_count - 1]);
    }
    values(c, type->results);
    u8(c, 0x0b);
    c->label_count--;
    consume(c, type->results);
}

static uint32_t label(coder *c)
{
    return generate_below(c->g, c->label_count);
}

static void branch(coder *c)
{
    uint32_t depth = label(c);
    const char *letters = c->labels[c->label_count - 1 - depth];
    values(c, letters);
    if (c->loops[c->label_count - 1 - depth]) {
        again(c);
        u8(c, 0x0d);
        leb(c, depth);
        consume(c, letters);
        return;
    }
    switch (generate_below(c->g, 4)) {
    case 0: { /* br_table: only labels that take the same along */
        expression(c, 'i');
        u8(c, 0x0e);
        uint32_t count = generate_below(c->g, 5);
        leb(c, count);
        for (uint32_t i = 0; i <= count; i++) {
            uint32_t other = label(c);
            bool fits = !c->loops[c->label_count - 1 - other] || generate_one_in(c->g, 8);
            leb(c, fits && strcmp(c->labels[c->label_count - 1 - other], letters) == 0 ? other : depth);
        }
        break;
    }
    case 1:
        u8(c, 0x0c);
        leb(c, depth);
        break;
    default:
        expression(c, 'i');
        u8(c, 0x0d);
        leb(c, depth);
        consume(c, letters);
    }
}

/* try_table with each kind of catch, around a call that may throw. */
static void try_table(coder *c)
{
    if (!c->g->tag_count || c->label_count + 3 >= LABELS_MAX) return;
    const uint32_t kind = generate_below(c->g, 3); /* catch 0 (i32), catch 1, catch_all */
    const char *letters = kind == 0 ? "i" : "";
    u8(c, 0x02);
    block_type(c, kind == 0 ? 'i' : 0);
    open_label(c, letters, false);
    u8(c, 0x1f);
    u8(c, 0x40);
    leb(c, 1);
    u8(c, kind == 2 ? 2 : 0);
    if (kind != 2) leb(c, kind);
    leb(c, 0);
    open_label(c, "", false);
    statements(c);
    if (generate_one_in(c->g, 2)) {
        uint32_t tag = generate_below(c->g, 2);
        if (tag == 0) expression(c, 'i');
        u8(c, 0x08);
        leb(c, tag);
    } else {
        statements(c);
    }
    u8(c, 0x0b);
    c->label_count--;
    if (kind == 0) expression(c, 'i');
    u8(c, 0x0b);
    c->label_count--;
    consume(c, letters);
}

/* ---- calls ---- */

static void table_index(coder *c)
{
    expression(c, 'i');
    if (!generate_one_in(c->g, 6)) {
        constant_i32(c, 7);
        u8(c, 0x71);
    }
    if (c->g->table64[0]) u8(c, 0xad);
}

static void push_target(coder *c, uint32_t how, uint32_t *type)
{
    if (how == 0) return;
    *type = generate_below(c->g, c->g->type_count);
    values(c, c->g->types[*type].params);
    if (how == 1) {
        table_index(c);
    } else { /* a typed reference: any function of that type, or null */
        uint32_t f = 0;
        while (f < GENERATE_IMPORTS + c->g->func_count && c->g->func_types[f] != *type)
            f++;
        if (f < GENERATE_IMPORTS + c->g->func_count) {
            u8(c, 0xd2);
            leb(c, f);
        } else {
            u8(c, 0xd0);
            leb(c, *type);
        }
    }
}

static const char *call(coder *c)
{
    const uint32_t all = GENERATE_IMPORTS + c->g->func_count;
    const uint32_t how =
        generate_one_in(c->g, 3) ? 1 + generate_below(c->g, c->g->options.typed_references ? 2 : 1) : 0;
    /* mostly onwards, or nearly all would be endless recursion */
    uint32_t func =
        generate_below(c->g, 8) ? c->func + 1 + generate_below(c->g, all - c->func - 1) : generate_below(c->g, all);
    if (func >= all) func = GENERATE_MIX;
    uint32_t type = c->g->func_types[func];
    if (how == 0) values(c, c->g->types[type].params);
    push_target(c, how, &type);
    const char *results = c->g->types[type].results;
    const bool tail = c->g->options.tail_calls && strcmp(results, c->type->results) == 0 && generate_one_in(c->g, 6);
    static const uint8_t codes[3][2] = {{0x10, 0x12}, {0x11, 0x13}, {0x14, 0x15}};
    u8(c, codes[how][tail]);
    leb(c, how == 0 ? func : type);
    if (how == 1) leb(c, 0);
    return tail ? NULL : results;
}

/* ---- tables, memories ---- */

static void bulk(coder *c)
{
    generator *g = c->g;
    uint32_t memory = generate_below(g, g->memory_count), other = generate_below(g, g->memory_count);
    switch (generate_below(g, 6)) {
    case 0: /* memory.fill */
        address(c, memory);
        expression(c, 'i');
        address(c, memory);
        opcode(c, 0xfc00b);
        leb(c, memory);
        break;
    case 1: /* memory.copy: the length is 64 bits wide only if both memories are */
        address(c, memory);
        address(c, other);
        constant_i32(c, (int32_t)generate_below(g, 300));
        if (g->memory64[memory] && g->memory64[other]) u8(c, 0xad);
        opcode(c, 0xfc00a);
        leb(c, memory);
        leb(c, other);
        break;
    case 2: /* memory.init */
        address(c, memory);
        constant_i32(c, (int32_t)generate_below(g, 20));
        constant_i32(c, (int32_t)generate_below(g, 20));
        opcode(c, 0xfc008);
        leb(c, 1);
        leb(c, memory);
        break;
    case 3: /* table.set, externref left alone */
        table_index(c);
        expression(c, 'r');
        u8(c, 0x26);
        leb(c, 0);
        break;
    case 4: /* table.init */
        table_index(c);
        constant_i32(c, (int32_t)generate_below(g, 4));
        constant_i32(c, (int32_t)generate_below(g, 4));
        opcode(c, 0xfc00c);
        leb(c, 1);
        leb(c, 0);
        break;
    default: /* table.copy within itself */
        table_index(c);
        table_index(c);
        constant_i32(c, (int32_t)generate_below(g, 4));
        if (g->table64[0]) u8(c, 0xad);
        opcode(c, 0xfc00e);
        leb(c, 0);
        leb(c, 0);
    }
}

static void sizes(coder *c) /* leaves an i32 */
{
    const uint32_t memory = generate_below(c->g, c->g->memory_count);
    bool wide = c->g->memory64[memory];
    switch (generate_below(c->g, 4)) {
    case 0:
        u8(c, 0x3f);
        leb(c, memory);
        break;
    case 1:
        constant_i32(c, (int32_t)generate_below(c->g, 3));
        if (wide) u8(c, 0xad);
        u8(c, 0x40);
        leb(c, memory);
        break;
    case 2:
        wide = c->g->table64[0];
        opcode(c, 0xfc010);
        leb(c, 0);
        break;
    default:
        wide = false;
        expression(c, 'r');
        u8(c, 0xd1); /* ref.is_null */
    }
    if (wide) u8(c, 0xa7);
}

/* ---- expressions and statements ---- */

static void simple(coder *c, char letter)
{
    uint32_t at = generate_below(c->g, 3) ? find_local(c, letter) : UINT32_MAX;
    if (at != UINT32_MAX) {
        local(c, 0x20, at);
        return;
    }
    const char *global = strchr(c->g->globals, letter);
    if (global && generate_one_in(c->g, 4))
        local(c, 0x23, (uint32_t)(global - c->g->globals));
    else
        generate_constant(c->g, c->b, letter);
}

static void nested(coder *c, char letter)
{
    const bool number = letter != 'r' && letter != 'e';
    switch (generate_below(c->g, 12)) {
    case 0:
        block(c, letter);
        return;
    case 1:
        expression(c, letter);
        expression(c, letter);
        expression(c, 'i');
        if (number) {
            u8(c, 0x1b);
        } else {
            u8(c, 0x1c), u8(c, 1);
            generate_type_code(c->b, letter);
        }
        return;
    case 2:
        if (letter != 'i') break;
        sizes(c);
        return;
    case 3: {
        uint32_t at = find_local(c, letter);
        if (at == UINT32_MAX) break;
        expression(c, letter);
        local(c, 0x22, at);
        return;
    }
    case 4:
        if (letter != 'r') break;
        table_index(c);
        u8(c, 0x25);
        leb(c, 0);
        return;
    default:
        break;
    }
    if (!number || !listed(c, letter)) simple(c, letter);
}

static void expression(coder *c, char letter)
{
    c->budget--;
    if (c->depth >= DEPTH_MAX || c->budget <= 0) {
        simple(c, letter);
        return;
    }
    c->depth++;
    if (generate_one_in(c->g, 3))
        simple(c, letter);
    else
        nested(c, letter);
    c->depth--;
}

static void assign(coder *c)
{
    if (generate_one_in(c->g, 3)) {
        uint32_t global = generate_below(c->g, c->g->global_count - 1);
        expression(c, c->g->globals[global]);
        local(c, 0x24, global);
    } else {
        uint32_t at = generate_below(c->g, c->local_count - 4);
        expression(c, c->locals[at]);
        local(c, 0x21, at);
    }
}

static void statement(coder *c)
{
    const char *results;
    c->budget--;
    if (c->depth >= DEPTH_MAX) return;
    c->depth++;
    switch (generate_below(c->g, 11)) {
    case 0:
    case 1:
        listed(c, 0); /* stores */
        break;
    case 2:
        block(c, 0);
        break;
    case 3:
        branch(c);
        break;
    case 4:
        if (generate_below(c->g, 2) && (results = call(c))) consume(c, results);
        break;
    case 5:
        bulk(c);
        break;
    case 6:
        try_table(c);
        break;
    case 7:
        expression(c, 'i');
        u8(c, 0x10), u8(c, GENERATE_LOG);
        break;
    case 8:
        loop_with_values(c);
        break;
    default:
        assign(c);
    }
    c->depth--;
}

static void put_locals(coder *c, uint32_t params)
{
    leb(c, c->local_count - params);
    for (uint32_t i = params; i < c->local_count; i++) {
        leb(c, 1);
        generate_type_code(c->b, c->locals[i]);
    }
}

void generate_body(generator *g, base_buffer *b, uint32_t func)
{
    const generate_type *type = &g->types[g->func_types[func]];
    coder c = {.g = g, .b = b, .type = type, .func = func, .budget = BUDGET};
    static const char more[] = "iIfFviIrevf";
    const uint32_t params = (uint32_t)strlen(type->params);
    memcpy(c.locals, type->params, params);
    c.local_count = params;
    for (uint32_t n = 1 + generate_below(g, 8); n; n--)
        c.locals[c.local_count++] = g->options.elsewhere ? "iIfFv"[generate_below(g, 5)] : more[generate_below(g, 11)];
    memcpy(c.locals + c.local_count, "fFvi", 4);
    c.local_count += 4;
    put_locals(&c, params);
    open_label(&c, type->results, false);
    use_counter(&c);
    while (c.budget > 60)
        statement(&c);
    c.budget = 60;
    values(&c, type->results);
    u8(&c, 0x0b);
}
