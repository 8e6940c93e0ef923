/* wisp doctor: what this machine offers and what WISP makes of it. */
#include <stdio.h>
#include <string.h>
#include <wisp/json.h>

#include "cli/cli.h"

static bool as_json;

static const cli_option options[] = {
    {0, "json", NULL, "as a JSON array of [key, value] pairs", CLI_FLAG, &as_json, 0, 0, NULL},
    {0},
};

static void print_line(void *context, const char *key, const char *value)
{
    int *lines = context;
    if (!as_json) {
        printf("%-16s%s\n", key, value);
        return;
    }
    char quoted[2][600];
    wisp_json_quote(quoted[0], sizeof quoted[0], key, strlen(key));
    wisp_json_quote(quoted[1], sizeof quoted[1], value, strlen(value));
    printf("%s[%s,%s]", (*lines)++ ? "," : "[", quoted[0], quoted[1]);
}

static int run(int count, char **operands)
{
    (void)count;
    (void)operands;
    wisp_report report = {0};
    int lines = 0;
    wisp_status status = wisp_describe(print_line, &lines, &report);
    if (as_json) printf("]\n");
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_doctor = {
    "doctor", "Shows CPU features, the kernels chosen, limits and versions", "", "  wisp doctor", options, 0, 0, run,
};
