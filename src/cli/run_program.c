/* wisp run, of a WASI program: what it is granted, how its end becomes an exit status, and its call stack. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

cli_program_options cli_program;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* ---- what is granted ---- */

static bool cut_suffix(char *text, const char *suffix)
{
    size_t size = strlen(text), n = strlen(suffix);
    if (size <= n || strcmp(text + size - n, suffix) != 0) return false;
    text[size - n] = 0;
    return true;
}

/* HOST[:GUEST][:ro]; ":rw" at the end says the default, for names that end in ":ro". */
static int grant_directory(wisp_directory *directory, const char *text)
{
    char *host = strdup(text); /* lives as long as the process */
    if (!host) return cli_say("out of memory"), EXIT_FAILED;
    directory->read_only = cut_suffix(host, ":ro");
    if (!directory->read_only) cut_suffix(host, ":rw");
    char *colon = strchr(host, ':');
    directory->host = host;
    directory->guest = colon ? colon + 1 : host;
    if (colon) *colon = 0;
    if (!*directory->host || !*directory->guest)
        return cli_usage_error(&cli_run, "--dir needs HOST[:GUEST][:ro], not '%s'", text);
    return EXIT_DONE;
}

static int grant_variable(const char **variable, const char *text)
{
    const char *value = getenv(text);
    if (*text && strchr(text, '=') > text) {
        *variable = text;
        return EXIT_DONE;
    }
    if (!*text || *text == '=') return cli_usage_error(&cli_run, "--env needs NAME=VALUE, not '%s'", text);
    if (!value) return cli_usage_error(&cli_run, "--env %s: there is no such variable here; NAME=VALUE sets one", text);
    size_t size = strlen(text) + strlen(value) + 2;
    char *both = malloc(size); /* lives as long as the process */
    if (!both) return cli_say("out of memory"), EXIT_FAILED;
    snprintf(both, size, "%s=%s", text, value);
    *variable = both;
    return EXIT_DONE;
}

typedef struct grants {
    wisp_directory directories[CLI_LIST_MAX];
    const char *env[CLI_LIST_MAX];
    int listeners[CLI_LIST_MAX];
} grants;

static int grant(wisp_wasi *wasi, grants *g)
{
    int status = EXIT_DONE;
    for (size_t i = 0; i < cli_program.directories.count && status == EXIT_DONE; i++)
        status = grant_directory(&g->directories[i], cli_program.directories.items[i]);
    for (size_t i = 0; i < cli_program.environment.count && status == EXIT_DONE; i++)
        status = grant_variable(&g->env[i], cli_program.environment.items[i]);
    for (size_t i = 0; i < cli_program.listeners.count && status == EXIT_DONE; i++)
        status = cli_listen(&g->listeners[i], cli_program.listeners.items[i]);
    wasi->directories = g->directories;
    wasi->directory_count = cli_program.directories.count;
    wasi->env = g->env;
    wasi->env_count = cli_program.environment.count;
    wasi->listeners = g->listeners;
    wasi->listener_count = cli_program.listeners.count;
    return status;
}

/* ---- how it ended ---- */

static void print_stack(const char *name, const wisp_trap *trap)
{
    for (uint32_t i = 0; i < trap->frame_count; i++) {
        const wisp_frame *frame = &trap->frames[i];
        char place[64], func[32];
        snprintf(place, sizeof place, ":0x%llx\n", (unsigned long long)frame->offset);
        snprintf(func, sizeof func, "function %u", (unsigned)frame->func);
        fprintf(stderr, "  #%u ", (unsigned)i);
        cli_put_clean(stderr, frame->name ? frame->name : func);
        fputs(" at ", stderr);
        cli_put_clean(stderr, name);
        fputs(place, stderr);
    }
    if (trap->depth > trap->frame_count)
        fprintf(stderr, "  … and %u more\n", (unsigned)(trap->depth - trap->frame_count));
}

static int say_failure(const char *name, const wisp_instance *instance, const wisp_report *report)
{
    const wisp_trap *trap = wisp_instance_trap(instance);
    switch ((int)report->status) {
    case WISP_E_CANCELLED:
        return cli_fail(report);
    case WISP_E_FUEL:
        cli_say("%s used up its fuel of %llu; --fuel N gives it more", name, (unsigned long long)cli_program.fuel);
        break;
    case WISP_E_DEADLINE:
        cli_say("%s was ended at its deadline of %llu ms; --deadline D gives it more time", name,
                (unsigned long long)cli_program.deadline_ms);
        break;
    case WISP_E_TRAP:
        cli_say("%s trapped: %s", name, trap->reason);
        break;
    case WISP_E_EXCEPTION:
        cli_say("%s threw an exception that nothing caught", name);
        break;
    default:
        cli_say("%s: %s", name, report->text);
        return report->status == WISP_E_USAGE ? EXIT_USAGE : EXIT_FAILED;
    }
    print_stack(name, trap);
    return EXIT_TRAPPED;
}

/* ---- running ---- */

static int exit_status_of(const char *name, uint32_t code)
{
    if (code <= EXIT_PROGRAM_MAX) return (int)code;
    cli_say("%s exited with %lu, which becomes %d here", name, (unsigned long)code, EXIT_PROGRAM_MAX);
    return EXIT_PROGRAM_MAX;
}

static int run_command(wisp_instance *instance, const char *name, wisp_report *report)
{
    uint32_t code = 0;
    if (wisp_instance_run(instance, &code, report) != WISP_OK) return say_failure(name, instance, report);
    return exit_status_of(name, code);
}

static bool parse_value(wisp_value *v, char type, const char *text)
{
    char *end;
    errno = 0;
    *v = (wisp_value){.u64 = 0};
    if (type == 'f')
        v->f32 = strtof(text, &end);
    else if (type == 'F')
        v->f64 = strtod(text, &end);
    else if (*text == '-')
        v->i64 = strtoll(text, &end, 0);
    else
        v->u64 = strtoull(text, &end, 0);
    if (!*text || *end || (errno && type != 'f' && type != 'F')) return false;
    if (type == 'i' && (*text == '-' ? v->i64 < INT32_MIN : v->u64 > UINT32_MAX)) return false;
    return strchr("iIfF", type) != NULL;
}

static void print_value(const wisp_value *v, char type)
{
    if (type == 'i') printf("%ld\n", (long)v->i32);
    if (type == 'I') printf("%lld\n", (long long)v->i64);
    if (type == 'f') printf("%.9g\n", (double)v->f32);
    if (type == 'F') printf("%.17g\n", v->f64);
    if (type == 'v')
        for (int i = 0; i < 16; i++)
            printf("%02x%s", v->v128[i], i == 15 ? "\n" : "");
    if (type == 'r' || type == 'e') printf("%s\n", v->ref ? "a reference" : "null");
}

/* --invoke: an exported function, arguments and results as numbers. */
static int invoke(wisp_instance *instance, const wisp_module *module, const char *name, int count, char **args,
                  wisp_report *report)
{
    enum { MAX = 1000 };
    static wisp_value values[MAX];
    wisp_func *func;
    const wisp_extern *e = cli_exported_function(module, cli_program.invoke);
    if (!e)
        return cli_say("%s exports no function %s; `wisp inspect` lists them", name, cli_program.invoke), EXIT_FAILED;
    const char *params = e->type + 1, *results = strchr(e->type, ')') + 1;
    size_t param_count = (size_t)(results - params - 1), result_count = strlen(results);
    if (param_count > MAX || result_count > MAX || strchr(e->type, '?'))
        return cli_say("%s %s cannot be called from here", cli_program.invoke, e->type), EXIT_FAILED;
    if ((size_t)count != param_count)
        return cli_usage_error(&cli_run, "%s %s takes %zu arguments, not %d", cli_program.invoke, e->type, param_count,
                               count);
    for (int i = 0; i < count; i++)
        if (!parse_value(&values[i], params[i], args[i]))
            return cli_usage_error(&cli_run, "'%s' is not of type %c (%s %s)", args[i], params[i], cli_program.invoke,
                                   e->type);
    wisp_status status = wisp_func_find(&func, instance, cli_program.invoke, e->type, report);
    if (status == WISP_OK) status = wisp_func_call(instance, func, values, param_count, values, result_count, report);
    if (status == WISP_E_EXIT) return exit_status_of(name, wisp_instance_trap(instance)->exit_code);
    if (status != WISP_OK) return say_failure(name, instance, report);
    for (size_t i = 0; i < result_count; i++)
        print_value(&values[i], results[i]);
    return EXIT_DONE;
}

static void print_code(const wisp_instance *instance)
{
    fprintf(stderr, "code: %s\n", wisp_instance_code(instance));
}

static int start(wisp_module *module, const char *name, int count, char **operands)
{
    static grants granted;
    wisp_report report = {0};
    wisp_instance *instance = NULL;
    wisp_limits limits = {.size = sizeof limits,
                          .memory = cli_program.memory,
                          .fuel = cli_program.fuel,
                          .deadline_ms = cli_program.deadline_ms};
    wisp_wasi wasi = {.size = sizeof wasi,
                      .args = (const char *const *)operands,
                      .arg_count = (size_t)count,
                      .in = {.kind = WISP_STREAM_FD, .fd = STDIN_FILENO},
                      .out = {.kind = WISP_STREAM_FD, .fd = STDOUT_FILENO},
                      .err = {.kind = WISP_STREAM_FD, .fd = STDERR_FILENO}};
    wisp_instance_options options = {.size = sizeof options, .limits = &limits, .wasi = &wasi};
    int exit_status = grant(&wasi, &granted);
    if (exit_status != EXIT_DONE) return exit_status;
    wisp_status status = wisp_instance_new(&instance, module, &options, &report);
    if (status == WISP_E_LIMIT || status == WISP_E_MEMORY)
        cli_say("%s: %s; --mem-limit N gives it more", name, report.text);
    else if (status != WISP_OK)
        cli_say("%s: %s", name, report.text);
    if (status != WISP_OK) return status == WISP_E_DEADLINE ? EXIT_TRAPPED : EXIT_FAILED;
    cli_watch_instance(instance);
    if (cli_interrupted()) wisp_instance_interrupt(instance); /* before it could be watched */
    exit_status = cli_program.invoke ? invoke(instance, module, name, count - 1, operands + 1, &report)
                                     : run_command(instance, name, &report);
    cli_watch_instance(NULL);
    if (cli_session.stats) print_code(instance);
    wisp_instance_free(instance);
    return exit_status;
}

static bool stopped(void *unused)
{
    (void)unused;
    return cli_interrupted();
}

int cli_run_program(int count, char **operands)
{
    wisp_report report = {0};
    wisp_engine *engine = NULL;
    wisp_module *module = NULL;
    const wisp_engine_options options = {.size = sizeof options,
                                         .native = cli_native(),
                                         .load_deadline_ms = cli_program.deadline_ms,
                                         .load_stopped = stopped};
    if (wisp_engine_new(&engine, &options, &report) != WISP_OK ||
        wisp_module_open(&module, engine, operands[0], &report) != WISP_OK) {
        wisp_engine_free(engine);
        return report.status == WISP_E_DEADLINE ? cli_fail(&report), EXIT_TRAPPED : cli_fail(&report);
    }
    operands[0] = (char *)base_name(operands[0]); /* where it lies is none of its business */
    int exit_status = start(module, operands[0], count, operands);
    wisp_module_free(module);
    wisp_engine_free(engine);
    return exit_status;
}
