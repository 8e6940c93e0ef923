#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const cli_option *find_option(const cli_command *command, const char *name, size_t size)
{
    for (const cli_option *o = command->options; o->name; o++)
        if ((strlen(o->name) == size && memcmp(o->name, name, size) == 0) || (size == 1 && o->letter == *name))
            return o;
    return NULL;
}

/* The index of `text` in "a|b|c", or -1. */
static int choice_index(const char *choices, const char *text)
{
    size_t size = strlen(text);
    int index = 0;
    for (const char *at = choices; at; index++) {
        const char *bar = strchr(at, '|');
        size_t n = bar ? (size_t)(bar - at) : strlen(at);
        if (n == size && memcmp(at, text, n) == 0) return index;
        at = bar ? bar + 1 : NULL;
    }
    return -1;
}

static bool set_number(const cli_option *o, const char *text)
{
    char *end;
    errno = 0;
    if (*text == 0 || strchr(" \t\n+", *text)) return false;
    if (o->kind == CLI_REAL) {
        double v = strtod(text, &end);
        if (*end || errno || !(v >= o->min && v <= o->max)) return false;
        *(double *)o->target = v;
    } else if (o->kind == CLI_INT) {
        long long v = strtoll(text, &end, 10);
        if (*end || errno || (double)v < o->min || (double)v > o->max) return false;
        *(int32_t *)o->target = (int32_t)v;
    } else {
        if (*text == '-') return false;
        unsigned long long v = strtoull(text, &end, 10);
        if (*end || errno || (double)v < o->min || (double)v > o->max) return false;
        *(uint64_t *)o->target = v;
    }
    return true;
}

static int set_option(const cli_command *command, const cli_option *o, const char *text)
{
    if (o->given) *o->given = true;
    if (o->kind == CLI_TEXT) {
        *(const char **)o->target = text;
        return 0;
    }
    if (o->kind == CLI_CHOICE) {
        int index = choice_index(o->value, text);
        if (index < 0) return cli_usage_error(command, "--%s is one of %s, not '%s'", o->name, o->value, text);
        *(unsigned *)o->target = (unsigned)index;
        return 0;
    }
    if (!set_number(o, text) && o->max >= INT32_MAX)
        return cli_usage_error(command, "--%s needs an integer, %.0f or more, not '%s'", o->name, o->min, text);
    if (!set_number(o, text))
        return cli_usage_error(command, "--%s needs a%s from %g to %g, not '%s'", o->name,
                               o->kind == CLI_REAL ? " number" : "n integer", o->min, o->max, text);
    return 0;
}

/* One option, at argv[*at]; moves *at past its value. */
static int parse_option(const cli_command *command, int argc, char **argv, int *at)
{
    const char *arg = argv[*at];
    const char *name = arg[1] == '-' ? arg + 2 : arg + 1, *equals = strchr(name, '=');
    size_t size = equals && arg[1] == '-' ? (size_t)(equals - name) : strlen(name);
    const cli_option *o = arg[1] == '-' || size == 1 ? find_option(command, name, size) : NULL;
    if (!o || (arg[1] == '-' && size == 1)) return cli_usage_error(command, "there is no option %s", arg);
    if (o->kind == CLI_FLAG) {
        if (equals) return cli_usage_error(command, "--%s takes no value", o->name);
        *(bool *)o->target = true;
        return 0;
    }
    if (equals) return set_option(command, o, equals + 1);
    if (*at + 1 >= argc) return cli_usage_error(command, "--%s needs a value (%s)", o->name, o->value);
    return set_option(command, o, argv[++*at]);
}

int cli_parse(const cli_command *command, int argc, char **argv)
{
    int operands = 0;
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        if (only_operands || argv[i][0] != '-' || argv[i][1] == 0)
            argv[operands++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            only_operands = true;
        else if (parse_option(command, argc, argv, &i) != 0)
            return -1;
    }
    if (operands < command->operands_min) {
        cli_usage_error(command, "something is missing: wisp %s %s", command->name, command->operands);
        return -1;
    }
    if (operands > command->operands_max) {
        cli_usage_error(command, "one operand too many: '%s'", argv[command->operands_max]);
        return -1;
    }
    return operands;
}

void cli_help(const cli_command *command)
{
    printf("Usage: wisp %s%s%s%s\n%s.\n", command->name, command->options->name ? " [OPTIONS]" : "",
           *command->operands ? " " : "", command->operands, command->summary);
    if (command->options->name) printf("\nOptions:\n");
    for (const cli_option *o = command->options; o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? "," : " ", o->name, o->value ? " " : "", o->value ? o->value : "");
        printf("  %-29s %s\n", left, o->help);
    }
    printf("\nExample:\n%s\n", command->example);
}
