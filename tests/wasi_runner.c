/* Runs a WASI command for the tests: wasi_runner [--dir HOST::GUEST[::ro]] [--env NAME=VALUE] [--listen FD] [--files N]
 * [--interrupt MS] [--walk] MODULE.wasm [ARGUMENT...]. Its exit code is the guest's; 124: it did not run, or trapped;
 * 125: it was interrupted, and how many microseconds after that it ended is on standard error. --walk opens paths
 * without openat2. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "os/os.h"
#include "wasi/context.h"

enum { MOST = 16, DID_NOT_RUN = 124, INTERRUPTED = 125 };

typedef struct options {
    wasi_config config;
    wasi_directory directories[MOST];
    const char *env[MOST];
    int listeners[MOST];
    const char *module;
    int interrupt_ms; /* 0: never */
} options;

typedef struct interrupter {
    wasm_store *store;
    int ms;
    uint64_t when;
} interrupter;

static void interrupt(void *context)
{
    interrupter *i = context;
    nanosleep(&(struct timespec){i->ms / 1000, i->ms % 1000 * 1000000l}, NULL);
    i->when = os_monotonic_ns();
    wasm_store_interrupt(i->store);
}

static _Noreturn void usage(void)
{
    fputs("usage: wasi_runner [--dir HOST::GUEST[::ro]] [--env NAME=VALUE] [--listen FD] [--files N] [--interrupt MS] "
          "[--walk] MODULE [ARGUMENT...]\n",
          stderr);
    exit(DID_NOT_RUN);
}

static void add_directory(options *o, char *text)
{
    char *guest = strstr(text, "::");
    if (!guest || o->config.directory_count == MOST) usage();
    *guest = 0, guest += 2;
    char *mode = strstr(guest, "::");
    if (mode) *mode = 0, mode += 2;
    o->directories[o->config.directory_count++] = (wasi_directory){text, guest, mode && strcmp(mode, "ro") == 0};
}

static void parse(options *o, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--walk") == 0) {
            wasi_sandbox_walk_only(true);
            continue;
        }
        if (i + 1 == argc || o->config.env_count == MOST || o->config.listener_count == MOST) usage();
        char *value = argv[++i];
        if (strcmp(argv[i - 1], "--dir") == 0)
            add_directory(o, value);
        else if (strcmp(argv[i - 1], "--env") == 0)
            o->env[o->config.env_count++] = value;
        else if (strcmp(argv[i - 1], "--listen") == 0)
            o->listeners[o->config.listener_count++] = atoi(value);
        else if (strcmp(argv[i - 1], "--files") == 0)
            o->config.open_files = (uint32_t)atoi(value);
        else if (strcmp(argv[i - 1], "--interrupt") == 0)
            o->interrupt_ms = atoi(value);
        else
            usage();
    }
    if (i == argc) usage();
    o->module = argv[i];
    o->config.args = (const char *const *)argv + i;
    o->config.arg_count = (size_t)(argc - i);
    o->config.env = o->env;
    o->config.directories = o->directories;
    o->config.listeners = o->listeners;
    o->config.std_in = (wasi_stream){.kind = WASI_STREAM_FD, .fd = 0};
    o->config.std_out = (wasi_stream){.kind = WASI_STREAM_FD, .fd = 1};
    o->config.std_err = (wasi_stream){.kind = WASI_STREAM_FD, .fd = 2};
}

static wisp_status run_command(const options *o, wasm_instance *instance, uint32_t *code, wasm_trap *trap,
                               wisp_report *report)
{
    interrupter i = {wasm_instance_store(instance), o->interrupt_ms, 0};
    os_thread *thread = NULL;
    if (i.ms) BASE_TRY(os_thread_start(&thread, interrupt, &i, report));
    wisp_status status = wasi_run_command(instance, code, trap, report);
    const uint64_t end = os_monotonic_ns();
    if (thread) os_thread_join(thread);
    if (status != WISP_E_CANCELLED) return status;
    fprintf(stderr, "%llu\n", (unsigned long long)(end - i.when) / 1000);
    *code = INTERRUPTED;
    return WISP_OK;
}

static wisp_status run(const options *o, os_map map, uint32_t *code, wasm_trap *trap, wisp_report *report)
{
    wasi_context *wasi = NULL;
    wasm_module *module = NULL;
    wasm_store *store = NULL;
    wasm_instance *instance;
    wisp_status status = wasi_context_new(&wasi, &o->config, report);
    if (status == WISP_OK) status = wasm_module_new(&module, (base_span){map.data, map.size}, NULL, report);
    if (status == WISP_OK) status = wasm_store_new(&store, NULL, report);
    if (status == WISP_OK) {
        wasm_host_module host = wasi_host_module(wasi);
        wasm_imports imports = {.modules = &host, .module_count = 1};
        status = wasm_instance_new(&instance, store, module, &imports, trap, report);
    }
    if (status == WISP_OK) status = wasm_instance_start(instance, trap, report);
    if (status == WISP_OK) status = run_command(o, instance, code, trap, report);
    wasm_store_free(store);
    wasi_context_free(wasi);
    wasm_module_free(module);
    return status;
}

int main(int argc, char **argv)
{
    options o = {0};
    os_map map;
    wisp_report report = {0};
    wasm_trap trap = {0};
    uint32_t code = DID_NOT_RUN;
    parse(&o, argc, argv);
    wisp_status status = os_map_file(&map, o.module, &report);
    if (status == WISP_OK) {
        status = run(&o, map, &code, &trap, &report);
        os_unmap(&map);
    }
    if (status == WISP_OK) return (int)code;
    fprintf(stderr, "%s: %s %s\n", o.module, report.text, trap.reason);
    return DID_NOT_RUN;
}
