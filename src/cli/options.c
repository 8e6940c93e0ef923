#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const cli_option *find_option(const cli_command *command, const char *name, size_t size)
{
    for (const cli_option *o = command->options; o->name; o++)
        if (o->kind == CLI_HEADING)
            continue;
        else if ((strlen(o->name) == size && memcmp(o->name, name, size) == 0) || (size == 1 && o->letter == *name))
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

/* A whole number and its unit, one of a list that begins with what stands for none. */
static bool set_scaled(const cli_option *o, const char *text)
{
    static const struct {
        cli_kind kind;
        const char *name;
        uint64_t factor;
    } units[] = {{CLI_SIZE, "", 1},         {CLI_SIZE, "K", 1u << 10},   {CLI_SIZE, "M", 1u << 20},
                 {CLI_SIZE, "G", 1u << 30}, {CLI_SIZE, "T", 1ull << 40}, {CLI_DURATION, "ms", 1},
                 {CLI_DURATION, "s", 1000}, {CLI_DURATION, "m", 60000},  {CLI_DURATION, "h", 3600000}};
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9') return false;
    unsigned long long v = strtoull(text, &end, 10);
    for (size_t i = 0; !errno && i < sizeof units / sizeof *units; i++) {
        uint64_t scaled;
        if (units[i].kind != o->kind || strcmp(units[i].name, end) != 0) continue;
        if (__builtin_mul_overflow((uint64_t)v, units[i].factor, &scaled)) return false;
        if ((double)scaled < o->min || (double)scaled > o->max) return false;
        *(uint64_t *)o->target = scaled;
        return true;
    }
    return false;
}

static int add_item(const cli_command *command, const cli_option *o, const char *text)
{
    cli_list *list = o->target;
    if (list->count == CLI_LIST_MAX) return cli_usage_error(command, "--%s: at most %d times", o->name, CLI_LIST_MAX);
    list->items[list->count++] = text;
    return 0;
}

/* One bit for each option of the command that runs. */
static uint64_t given_options;

static int set_option(const cli_command *command, const cli_option *o, const char *text)
{
    if (o->given) *o->given = true;
    if (o->kind == CLI_TEXT) {
        *(const char **)o->target = text;
        return 0;
    }
    if (o->kind == CLI_LIST) return add_item(command, o, text);
    if (o->kind == CLI_SIZE && !set_scaled(o, text))
        return cli_usage_error(command, "--%s needs a size such as 65536, 64K, 16M or 2G, at least 64K, not '%s'",
                               o->name, text);
    if (o->kind == CLI_DURATION && !set_scaled(o, text))
        return cli_usage_error(command, "--%s needs a time such as 500ms, 10s or 2m, not '%s'", o->name, text);
    if (o->kind == CLI_SIZE || o->kind == CLI_DURATION) return 0;
    if (o->kind == CLI_CHOICE) {
        int index = choice_index(o->value, text);
        if (index < 0) return cli_usage_error(command, "--%s is one of %s, not '%s'", o->name, o->value, text);
        *(unsigned *)o->target = (unsigned)index;
        return 0;
    }
    if (!set_number(o, text) && o->max >= INT32_MAX)
        return cli_usage_error(command, "--%s needs an integer, %.0f or more, not '%s'", o->name, o->min, text);
    if (!set_number(o, text))
        return o->kind == CLI_REAL ? cli_usage_error(command, "--%s needs a number from %g to %g, not '%s'", o->name,
                                                     o->min, o->max, text)
                                   : cli_usage_error(command, "--%s needs an integer from %.0f to %.0f, not '%s'",
                                                     o->name, o->min, o->max, text);
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
    given_options |= 1ull << (o - command->options);
    if (o->kind == CLI_FLAG) {
        if (equals) return cli_usage_error(command, "--%s takes no value", o->name);
        *(bool *)o->target = true;
        return 0;
    }
    if (equals) return set_option(command, o, equals + 1);
    if (*at + 1 >= argc) return cli_usage_error(command, "--%s needs a value (%s)", o->name, o->value);
    return set_option(command, o, argv[++*at]);
}

static bool is_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static void show_help(const cli_command *command)
{
    printf("Usage: wisp %s%s%s%s\n%s.\n", command->name, command->options->name ? " [OPTIONS]" : "",
           *command->operands ? " " : "", command->operands, command->summary);
    if (command->options->name && command->options->kind != CLI_HEADING) printf("\nOptions:\n");
    char left[128] = "";
    for (const cli_option *o = command->options; o->name; o++) {
        size_t used = strlen(left);
        if (o->kind == CLI_HEADING) {
            printf("%s%s:\n", o == command->options ? "\n" : "", o->help);
            continue;
        }
        if (used)
            snprintf(left + used, sizeof left - used, " --%s %s", o->name, o->value);
        else
            snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                     o->letter ? "," : " ", o->name, o->value ? " " : "", o->value ? o->value : "");
        if (!o->help) continue;
        printf("  %-29s %s\n", left, o->help);
        left[0] = 0;
    }
    printf("\nExample:\n%s\n", command->example);
}

const char *cli_given_under(const cli_command *command, const char *heading, const char *except)
{
    bool inside = false;
    for (const cli_option *o = command->options; o->name; o++) {
        if (o->kind == CLI_HEADING)
            inside = strcmp(o->help, heading) == 0;
        else if (inside && (given_options >> (o - command->options) & 1) && !(except && strcmp(except, o->name) == 0))
            return o->name;
    }
    return NULL;
}

int cli_parse(const cli_command *command, int argc, char **argv)
{
    int operands = 0;
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        if (only_operands || argv[i][0] != '-' || argv[i][1] == 0) {
            argv[operands++] = argv[i];
            if (operands == 1 && command->operands_max == CLI_FILE_AND_ARGUMENTS)
                only_operands |= wisp_probe(argv[0]) == WISP_FILE_MODULE;
        } else if (strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (is_help(argv[i])) {
            show_help(command);
            return CLI_HELP_SHOWN;
        } else if (parse_option(command, argc, argv, &i) != 0) {
            return -1;
        }
    }
    if (operands < command->operands_min) {
        cli_usage_error(command, "something is missing: wisp %s %s", command->name, command->operands);
        return -1;
    }
    if (command->operands_max != CLI_FILE_AND_ARGUMENTS && operands > command->operands_max) {
        cli_usage_error(command, "one operand too many: '%s'", argv[command->operands_max]);
        return -1;
    }
    return operands;
}
