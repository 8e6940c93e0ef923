/* interrupt_bench [ROUNDS [CASE]]: how long it takes until a call that is interrupted, or whose deadline has passed,
 * returns. For each kind of guest, interpreted and native: milliseconds from the interruption to the end of the call,
 * least, median, 99 of 100, greatest; loading a module is stopped by its engine's function. The modules are made here,
 * byte by byte. Wants a quiet machine; a few seconds a case. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wisp/module.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void sleep_ms(double ms)
{
    nanosleep(&(struct timespec){(time_t)(ms / 1e3), (long)((ms - (double)(long)(ms / 1e3) * 1e3) * 1e6)}, NULL);
}

/* ---- modules ---- */

typedef struct bytes {
    uint8_t *data;
    size_t size, capacity;
} bytes;

static void put(bytes *b, const void *data, size_t size)
{
    if (b->size + size > b->capacity) {
        b->capacity = (b->size + size) * 2;
        if (!(b->data = realloc(b->data, b->capacity))) exit(1);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_leb(bytes *b, uint64_t value)
{
    do {
        const uint8_t byte = (uint8_t)((value & 127) | (value > 127 ? 128 : 0));
        put(b, &byte, 1);
    } while (value >>= 7);
}

static void put_section(bytes *b, uint8_t id, const void *content, size_t size)
{
    put(b, &id, 1);
    put_leb(b, size);
    put(b, content, size);
}
#define SECTION(b, id, text) put_section(b, id, text, sizeof text - 1)

typedef struct guest {
    const char *name, *imports, *memory, *body, *data; /* sections' and the body's bytes, with their sizes in front */
    uint32_t repeats;                                  /* `body` so often, then `end` */
    uint32_t tables;                                   /* elements of a table of functions, and of its segment */
} guest;

/* Type 0 is (), type 1 (i32 i32 i32 i32) -> i32; `go` is the function exported. */
static bytes make_module(const guest *g)
{
    bytes b = {0}, section = {0}, body = {0};
    put(&b, "\0asm\1\0\0", 8);
    SECTION(&b, 1, "\2\x60\0\0\x60\4\x7f\x7f\x7f\x7f\1\x7f");
    if (g->imports) put_section(&b, 2, g->imports + 1, (uint8_t)g->imports[0]);
    SECTION(&b, 3, "\1\0");
    if (g->tables) {
        section.size = 0;
        put(&section, "\1\x70\0", 3);
        put_leb(&section, g->tables);
        put_section(&b, 4, section.data, section.size);
    }
    if (g->memory) put_section(&b, 5, g->memory + 1, (uint8_t)g->memory[0]);
    section.size = 0;
    put(&section, "\1\2go\0", 5);
    put_leb(&section, g->imports ? 1 : 0);
    put_section(&b, 7, section.data, section.size);
    if (g->tables) {
        section.size = 0;
        put(&section, "\1\0\x41\0\x0b", 5);
        const uint32_t most = 900000, filled = g->tables < most ? g->tables : most; /* the decoder's limit is near */
        put_leb(&section, filled);
        for (uint32_t i = 0; i < filled; i++)
            put(&section, "\0", 1);
        put_section(&b, 9, section.data, section.size);
    }
    put(&body, "\0", 1);
    for (uint32_t i = 0; i < g->repeats; i++)
        put(&body, g->body + 1, (uint8_t)g->body[0]);
    put(&body, "\x0b", 1);
    section.size = 0;
    put(&section, "\1", 1);
    put_leb(&section, body.size);
    put(&section, body.data, body.size);
    put_section(&b, 10, section.data, section.size);
    if (g->data) put_section(&b, 11, g->data + 1, (uint8_t)g->data[0]);
    free(section.data);
    free(body.data);
    return b;
}

static const char one_page[] = "\3\1\0\1", gigabyte[] = "\5\1\0\x81\x80\1";
static const char nop_import[] = "\x0b\1\3env\3nop\0\0";
static const char poll_import[] = "\x26\1\x16wasi_snapshot_preview1\x0bpoll_oneoff\0\1";
/* a clock of 1000 s: userdata, then kind 0, clock 1, timeout at 24 */
static const char subscription[] = "\x0f\1\0\x41\x18\x0b\x09\0\0\xa5\xd4\xe8\0\0\0\0";

static const guest guests[] = {
    {.name = "loop", .memory = one_page, .repeats = 1, .body = "\x10\3\x40\x41\0\x41\0\x28\2\0\x36\2\0\x0c\0\x0b\x01"},
    {.name = "loop without memory", .repeats = 1, .body = "\5\3\x40\x0c\0\x0b"},
    {.name = "host calls", .imports = nop_import, .repeats = 1, .body = "\7\3\x40\x10\0\x0c\0\x0b"},
    {.name = "memory.fill of 1 GiB",
     .memory = gigabyte,
     .repeats = 1,
     .body = "\x12\3\x40\x41\0\x41\1\x41\x80\x80\x80\x80\4\xfc\x0b\0\x0c\0\x0b"},
    {.name = "poll_oneoff",
     .imports = poll_import,
     .memory = one_page,
     .data = subscription,
     .repeats = 1,
     .body = "\x0d\x41\0\x41\xc0\0\x41\1\x41\x80\1\x10\0\x1a"},
    {.name = "a large function", .memory = one_page, .repeats = 2000000, .body = "\7\x41\0\x28\2\0\x1a\x01"},
    {.name = "a large table", .tables = 9000000, .repeats = 1, .body = "\1\1"},
};
enum { GUESTS = sizeof guests / sizeof *guests, MAX_ROUNDS = 10000 };

/* ---- one interruption ---- */

static wisp_status nop(void *context, wisp_instance *caller, wisp_value *v)
{
    (void)context, (void)caller, (void)v;
    return WISP_OK;
}

static const wisp_host_function functions[] = {{"nop", "()", nop}};
static const wisp_host_module env = {.name = "env", .functions = functions, .count = 1};

static void die(const char *what, const wisp_report *report)
{
    fprintf(stderr, "interrupt_bench: %s: %s\n", what, report->text);
    exit(1);
}

typedef struct run {
    wisp_instance *instance;
    wisp_status status;
    double end_ms;
} run;

static void *call(void *context)
{
    run *r = context;
    wisp_report report = {0};
    r->status = wisp_call(r->instance, &report, "go", "()");
    r->end_ms = now_ms();
    return NULL;
}

static wisp_instance *instantiate(wisp_module *module, uint64_t deadline_ms)
{
    static const wisp_wasi wasi = {.size = sizeof wasi};
    wisp_limits limits = {.size = sizeof limits, .deadline_ms = deadline_ms};
    wisp_instance_options options = {
        .size = sizeof options, .limits = &limits, .wasi = &wasi, .modules = &env, .module_count = 1};
    wisp_report report = {0};
    wisp_instance *instance;
    if (wisp_instance_new(&instance, module, &options, &report) != WISP_OK) die("instance", &report);
    return instance;
}

/* -1: the call had ended by itself. */
static double interrupt_once(wisp_module *module, double after_ms)
{
    run r = {.instance = instantiate(module, 0)};
    pthread_t thread;
    if (pthread_create(&thread, NULL, call, &r) != 0) exit(1);
    sleep_ms(after_ms);
    const double begin = now_ms();
    wisp_instance_interrupt(r.instance);
    pthread_join(thread, NULL);
    wisp_instance_free(r.instance);
    return r.status == WISP_E_CANCELLED ? r.end_ms - begin : -1;
}

static double deadline_once(wisp_module *module, double after_ms)
{
    const uint64_t ms = (uint64_t)after_ms + 1;
    run r = {.instance = instantiate(module, ms)};
    const double begin = now_ms();
    call(&r);
    wisp_instance_free(r.instance);
    return r.status == WISP_E_DEADLINE ? r.end_ms - begin - (double)ms : -1;
}

/* ---- loading ---- */

static _Atomic double stop_at_ms;

static bool is_time(void *unused)
{
    (void)unused;
    return now_ms() >= stop_at_ms;
}

static double load_once(const bytes *code, double after_ms)
{
    wisp_engine_options options = {.size = sizeof options, .native = WISP_NATIVE_OFF, .load_stopped = is_time};
    wisp_engine *engine;
    wisp_module *module = NULL;
    wisp_report report = {0};
    if (wisp_engine_new(&engine, &options, &report) != WISP_OK) die("engine", &report);
    const double begin = now_ms();
    stop_at_ms = begin + 2 + after_ms / 4; /* what comes before is a copy of the bytes */
    wisp_status status = wisp_module_new(&module, engine, code->data, code->size, &report);
    const double end = now_ms();
    wisp_module_free(module);
    wisp_engine_free(engine);
    return status == WISP_E_CANCELLED ? end - stop_at_ms : -1;
}

/* The deadline runs while an instance is made: its table's elements and segment take longer. */
static double instantiate_once(wisp_module *module, double after_ms)
{
    wisp_limits limits = {.size = sizeof limits, .deadline_ms = (uint64_t)after_ms / 4 + 1};
    wisp_instance_options options = {.size = sizeof options, .limits = &limits, .modules = &env, .module_count = 1};
    wisp_report report = {0};
    wisp_instance *instance = NULL;
    const double begin = now_ms();
    wisp_status status = wisp_instance_new(&instance, module, &options, &report);
    const double end = now_ms();
    wisp_instance_free(instance);
    return status == WISP_E_DEADLINE ? end - begin - (double)limits.deadline_ms : -1;
}

/* ---- all ---- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void show(const char *name, const char *how, const char *code, double *times, unsigned count, unsigned ended)
{
    qsort(times, count, sizeof *times, compare);
    printf("%-22s%-13s%-26s", name, how, code);
    if (count)
        printf("%8.2f%8.2f%8.2f%8.2f", times[0], times[count / 2], times[(count * 99ull) / 100], times[count - 1]);
    printf(ended ? "%6u  (%u ended before)\n" : "%6u\n", count, ended);
    fflush(stdout);
}

enum how { INTERRUPT, DEADLINE, INSTANTIATE, HOWS };

static void measure(const guest *g, wisp_native native, enum how how, unsigned rounds)
{
    static const char *const names[] = {"interrupt", "deadline", "instantiate"};
    static double (*const once[])(wisp_module *, double) = {interrupt_once, deadline_once, instantiate_once};
    static double times[MAX_ROUNDS];
    wisp_engine_options options = {.size = sizeof options, .native = native};
    wisp_engine *engine;
    wisp_module *module;
    wisp_report report = {0};
    bytes code = make_module(g);
    if (wisp_engine_new(&engine, &options, &report) != WISP_OK) die("engine", &report);
    if (wisp_module_new(&module, engine, code.data, code.size, &report) != WISP_OK) die(g->name, &report);
    const char *runs = "";
    if (how != INSTANTIATE) {
        wisp_instance *first = instantiate(module, 0); /* compiles */
        runs = wisp_instance_code(first);
        wisp_instance_free(first);
    }
    unsigned count = 0, ended = 0;
    for (unsigned i = 0; i < rounds; i++) {
        const double t = once[how](module, 1 + (double)(rand() % 1000) / 100);
        if (t < 0)
            ended++;
        else
            times[count++] = t;
    }
    show(g->name, names[how], runs, times, count, ended);
    wisp_module_free(module);
    wisp_engine_free(engine);
    free(code.data);
}

static void measure_loading(const guest *g, unsigned rounds)
{
    static double times[MAX_ROUNDS];
    bytes code = make_module(g);
    unsigned count = 0, ended = 0;
    for (unsigned i = 0; i < rounds; i++) {
        const double t = load_once(&code, 1 + (double)(rand() % 1000) / 100);
        if (t < 0)
            ended++;
        else
            times[count++] = t;
    }
    show(g->name, "load", "", times, count, ended);
    free(code.data);
}

int main(int argc, char **argv)
{
    const int given = argc > 1 ? atoi(argv[1]) : 50;
    const unsigned rounds = given < 1 ? 1 : given > MAX_ROUNDS ? MAX_ROUNDS : (unsigned)given;
    printf("%-61s%8s%8s%8s%8s%6s\n", "ms from the interruption to the end", "least", "median", "99 %", "most", "runs");
    for (const guest *g = guests; g < guests + GUESTS; g++) {
        if (argc > 2 && !strstr(g->name, argv[2])) continue;
        if (g->tables) {
            measure(g, WISP_NATIVE_OFF, INSTANTIATE, rounds);
            continue;
        }
        measure(g, WISP_NATIVE_OFF, INTERRUPT, rounds);
        if (g->repeats > 1) {
            measure_loading(g, rounds);
            continue;
        }
        measure(g, WISP_NATIVE_OFF, DEADLINE, rounds);
        measure(g, WISP_NATIVE_NOW, INTERRUPT, rounds);
        measure(g, WISP_NATIVE_NOW, DEADLINE, rounds);
    }
    return 0;
}
