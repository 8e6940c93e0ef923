/* wisp completion: completion scripts for shells, made from the option tables. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const cli_option options[] = {{0}};

static void print_options(const cli_command *command)
{
    for (const cli_option *o = command->options; o->name; o++)
        if (o->kind != CLI_HEADING) printf("--%s ", o->name);
    printf("--help");
}

static void print_bash(void)
{
    printf("_wisp() {\n    local cur=${COMP_WORDS[COMP_CWORD]} words=\n    if [ \"$COMP_CWORD\" = 1 ]; then\n"
           "        words='");
    for (const cli_command *const *c = cli_commands; *c; c++)
        printf("%s ", (*c)->name);
    printf("--help --version'\n    elif [[ $cur == -* ]]; then\n        case ${COMP_WORDS[1]} in\n");
    for (const cli_command *const *c = cli_commands; *c; c++) {
        printf("        %s) words='", (*c)->name);
        print_options(*c);
        printf("' ;;\n");
    }
    printf("        esac\n    else\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n        return\n    fi\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o filenames -F _wisp wisp\n");
}

static void print_fish_option(const char *command, const cli_option *o)
{
    printf("complete -c wisp -n '__fish_seen_subcommand_from %s' -l %s", command, o->name);
    if (o->letter) printf(" -s %c", o->letter);
    if (o->kind == CLI_CHOICE) {
        printf(" -x -a '");
        for (const char *at = o->value; *at; at++)
            putchar(*at == '|' ? ' ' : *at);
        putchar('\'');
    } else if (o->kind != CLI_FLAG) {
        printf(" -r");
    }
    putchar('\n');
}

static void print_fish(void)
{
    for (const cli_command *const *c = cli_commands; *c; c++) {
        printf("complete -c wisp -n __fish_use_subcommand -a %s -d '%s'\n", (*c)->name, (*c)->summary);
        for (const cli_option *o = (*c)->options; o->name; o++)
            if (o->kind != CLI_HEADING) print_fish_option((*c)->name, o);
    }
}

static int run(int count, char **operands)
{
    (void)count;
    if (strcmp(operands[0], "bash") == 0)
        print_bash();
    else if (strcmp(operands[0], "zsh") == 0)
        printf("autoload -U +X bashcompinit && bashcompinit\n"), print_bash();
    else if (strcmp(operands[0], "fish") == 0)
        print_fish();
    else
        return cli_usage_error(&cli_completion, "bash, zsh or fish, not '%s'", operands[0]);
    return EXIT_DONE;
}

const cli_command cli_completion = {
    "completion",
    "Prints a completion script for bash, zsh or fish",
    "SHELL",
    "  source <(wisp completion bash)",
    options,
    1,
    1,
    run,
};
