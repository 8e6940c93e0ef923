/* ops.def's operand strings -> a table, once a device. The strings are ours: a mistake in one is our bug. */
#include <string.h>

#include "tensor/device_state.h"

typedef struct cursor {
    const char *at;
    const char *params; /* the op's parameter string, for names in sizes */
} cursor;

static bool accept(cursor *c, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(c->at, word, n) != 0) return false;
    c->at += n;
    return true;
}

static void expect(cursor *c, const char *word)
{
    bool found = accept(c, word);
    BASE_ASSERT(found);
}

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || c == '_';
}

static size_t word_length(const char *p)
{
    size_t n = 0;
    while (is_lower(p[n]))
        n++;
    return n;
}

/* "name:type name:type" */
static void parse_params(tensor_op_rule *rule, const char *text)
{
    cursor c = {text, NULL};
    while (*c.at) {
        size_t n = word_length(c.at);
        BASE_ASSERT(n > 0 && n < sizeof rule->param_name[0] && rule->param_count < WISP_CMD_PARAMS);
        memcpy(rule->param_name[rule->param_count++], c.at, n);
        c.at += n;
        bool typed = accept(&c, ":u32") || accept(&c, ":f32");
        BASE_ASSERT(typed);
        accept(&c, " ");
    }
}

static int param_index(const tensor_op_rule *rule, const char *name, size_t n)
{
    for (int i = 0; i < rule->param_count; i++)
        if (strlen(rule->param_name[i]) == n && memcmp(rule->param_name[i], name, n) == 0) return i;
    return -1;
}

/* 1 | letter | digit*letter | parameter | parameter*letter | letter*letter */
static tensor_size_rule parse_size(cursor *c, const tensor_op_rule *rule)
{
    tensor_size_rule size = {.param = -1, .factor = 1};
    if (accept(c, "1")) return size;
    if (*c->at > '1' && *c->at <= '9') {
        size.factor = (uint8_t)(*c->at++ - '0');
        expect(c, "*");
    } else if (word_length(c->at) > 1) {
        size_t n = word_length(c->at);
        size.param = (int8_t)param_index(rule, c->at, n);
        BASE_ASSERT(size.param >= 0);
        c->at += n;
        if (!accept(c, "*")) return size;
    }
    BASE_ASSERT(word_length(c->at) == 1);
    size.letter = *c->at++;
    if (accept(c, "*")) size.times = *c->at++;
    return size;
}

static uint8_t parse_class(cursor *c)
{
    static const char *const names[] = {"f32", "f64", "i32", "mat", "kv"}; /* order of tensor_class */
    for (uint8_t i = 0; i < sizeof names / sizeof *names; i++)
        if (accept(c, names[i])) return i;
    BASE_ASSERT(!"an operand type");
    return 0;
}

/* name:type?![rows,cols]~x<r */
static void parse_operand(cursor *c, tensor_op_rule *rule, char in_place[WISP_CMD_VIEWS])
{
    BASE_ASSERT(rule->operand_count < WISP_CMD_VIEWS);
    tensor_operand_rule *o = &rule->operand[rule->operand_count];
    o->name = *c->at++;
    expect(c, ":");
    o->type_class = parse_class(c);
    o->optional = accept(c, "?");
    o->written = accept(c, "!") || rule->operand_count == 0;
    expect(c, "[");
    o->rows = parse_size(c, rule);
    expect(c, ",");
    o->cols = parse_size(c, rule);
    expect(c, "]");
    o->in_place = -1;
    if (accept(c, "~")) in_place[rule->operand_count] = *c->at++;
    if (accept(c, "<")) o->index_of = *c->at++;
    rule->operand_count++;
    accept(c, " ");
}

static void parse_rule(tensor_op_rule *rule, const char *operands, const char *params)
{
    cursor c = {operands, params};
    char in_place[WISP_CMD_VIEWS] = {0};
    parse_params(rule, params);
    while (*c.at)
        parse_operand(&c, rule, in_place);
    for (int i = 0; i < rule->operand_count; i++)
        for (int j = 0; j < rule->operand_count; j++)
            if (in_place[i] && rule->operand[j].name == in_place[i]) rule->operand[i].in_place = (int8_t)j;
}

void tensor_op_rules_init(tensor_op_rules *rules)
{
    static const struct {
        uint32_t op;
        const char *name, *operands, *params;
    } text[] = {
#define WISP_OP(name, number, operands, parameters, summary) {number, #name, operands, parameters},
#include "tensor/ops.def"
#undef WISP_OP
    };
    *rules = (tensor_op_rules){0};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        BASE_ASSERT(text[i].op < TENSOR_RULES_MAX);
        tensor_op_rule *rule = &rules->rule[text[i].op];
        rule->name = text[i].name;
        parse_rule(rule, text[i].operands, text[i].params);
    }
}

const tensor_op_rule *tensor_op_rule_find(const tensor_op_rules *rules, uint32_t op)
{
    return op < TENSOR_RULES_MAX && rules->rule[op].name ? &rules->rule[op] : NULL;
}
