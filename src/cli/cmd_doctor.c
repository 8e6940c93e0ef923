/* wisp doctor: what this machine offers and what WISP makes of it. */
#include <stdio.h>
#include <string.h>
#include <wisp/json.h>

#include "cli/cli.h"

static bool as_json, models;

static const cli_option options[] = {
    {0, "models", NULL, "the model families that can be packed, as a Markdown table", CLI_FLAG, &models, 0, 0, NULL},
    {0, "json", NULL, "as a JSON array of [key, value] pairs; of models, of objects", CLI_FLAG, &as_json, 0, 0, NULL},
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

static void print_model(void *context, const char *name, const char *title, const char *types, const char *tested)
{
    int *lines = context;
    char quoted[4][600];
    if (!as_json) {
        if (!(*lines)++) printf("Types: %s.\n\n| family | models | tested by |\n| --- | --- | --- |\n", types);
        printf("| `%s` | %s | %s |\n", name, title, *tested ? tested : "—");
        return;
    }
    const char *const text[] = {name, title, types, tested};
    for (int i = 0; i < 4; i++)
        wisp_json_quote(quoted[i], sizeof quoted[i], text[i], strlen(text[i]));
    printf("%s{\"name\":%s,\"title\":%s,\"types\":%s,\"tested\":%s}", (*lines)++ ? ",\n" : "[", quoted[0], quoted[1],
           quoted[2], quoted[3]);
}

static int run(int count, char **operands)
{
    (void)count;
    (void)operands;
    wisp_report report = {0};
    int lines = 0;
    if (models) {
        wisp_list_models(print_model, &lines);
        if (as_json) printf("]\n");
        return EXIT_DONE;
    }
    wisp_status status = wisp_describe(print_line, &lines, &report);
    if (as_json) printf("]\n");
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_doctor = {
    "doctor", "Shows CPU features, the kernels chosen, limits and versions; or the model families",
    "",       "  wisp doctor\n  wisp doctor --models",
    options,  0,
    0,        run,
};
