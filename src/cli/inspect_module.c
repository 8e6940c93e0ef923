/* wisp inspect, of a module that is no capsule: what it imports and exports. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

const wisp_extern *cli_exported_function(const wisp_module *module, const char *name)
{
    const wisp_extern *e;
    for (uint32_t i = 0; (e = wisp_module_export(module, i)); i++)
        if (e->kind == WISP_FUNC && strcmp(e->name, name) == 0) return e;
    return NULL;
}

static void print_externs(const wisp_module *module, const wisp_extern *(*get)(const wisp_module *, uint32_t),
                          const char *label)
{
    const wisp_extern *e;
    uint32_t count = 0;
    while (get(module, count))
        count++;
    printf("%-16s%u\n", label, (unsigned)count);
    for (uint32_t i = 0; (e = get(module, i)); i++) {
        printf("  %-9s ", wisp_kind_text(e->kind));
        if (e->module) cli_put_clean(stdout, e->module), putchar(' ');
        cli_put_clean(stdout, e->name);
        printf(" %s\n", e->type);
    }
}

static void json_externs(char **json, const wisp_module *module,
                         const wisp_extern *(*get)(const wisp_module *, uint32_t), const char *label)
{
    const wisp_extern *e;
    cli_append(json, "\"%s\":[", label);
    for (uint32_t i = 0; (e = get(module, i)); i++) {
        cli_append(json, "%s{\"kind\":\"%s\",", i ? "," : "", wisp_kind_text(e->kind));
        if (e->module) {
            cli_append(json, "\"module\":");
            cli_append_quoted(json, e->module, strlen(e->module));
            cli_append(json, ",");
        }
        cli_append(json, "\"name\":");
        cli_append_quoted(json, e->name, e->name_size);
        cli_append(json, ",\"type\":");
        cli_append_quoted(json, e->type, strlen(e->type));
        cli_append(json, "}");
        fputs(*json, stdout); /* there may be a million: appending to all of them would take hours */
        free(*json);
        *json = NULL;
    }
    cli_append(json, "]");
}

int cli_inspect_module(const char *path, bool as_json)
{
    wisp_report report = {0};
    wisp_module *module = NULL;
    if (wisp_module_open(&module, NULL, path, &report) != WISP_OK) return cli_fail(&report);
    if (as_json) {
        char *json = NULL;
        cli_append(&json, "{");
        json_externs(&json, module, wisp_module_import, "imports");
        cli_append(&json, ",");
        json_externs(&json, module, wisp_module_export, "exports");
        printf("%s}\n", json);
        free(json);
    } else {
        printf("%-16sWebAssembly module%s\n", "kind",
               cli_exported_function(module, "_start") ? ", a WASI program" : "");
        print_externs(module, wisp_module_import, "imports");
        print_externs(module, wisp_module_export, "exports");
    }
    wisp_module_free(module);
    return EXIT_DONE;
}
