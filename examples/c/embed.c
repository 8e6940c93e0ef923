/* Runs a WebAssembly module in a sandbox: gives it a function, calls it, looks into its memory, and stops it.
 *     cc embed.c $(pkg-config --cflags --libs wisp) -o embed && ./embed embed.wasm
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wisp/module.h>

/* What the guest imports as "env" "say": a pointer and a size, which must be checked. */
static wisp_status say(void *context, wisp_instance *caller, wisp_value *v)
{
    const char *text = wisp_memory_at(caller, v[0].u32, v[1].u32);
    if (!text) return wisp_host_fail(caller, "say: the text is out of bounds");
    fprintf(context, "the guest says: %.*s\n", (int)v[1].u32, text);
    return WISP_OK;
}

static const wisp_host_function functions[] = {{"say", "(ii)", say}};

static void *stop_soon(void *instance)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    wisp_instance_interrupt(instance);
    return NULL;
}

/* The only thing that may be done to an instance from another thread. */
static wisp_status call_and_interrupt(wisp_instance *instance, wisp_report *report)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, stop_soon, instance)) return WISP_E_INTERNAL;
    wisp_status status = wisp_call(instance, report, "forever", "()");
    pthread_join(thread, NULL);
    wisp_instance_resume(instance);
    return status;
}

static wisp_status use(wisp_instance *instance, wisp_report *report)
{
    static const char text[] = "hello";
    double result;
    int32_t line, size;
    wisp_status status = wisp_call(instance, report, "power", "(Fi)F", 1.5, 4, &result);
    if (status == WISP_OK) printf("1.5 to the 4th is %g\n", result);

    if (status == WISP_OK) status = wisp_call(instance, report, "line", "()i", &line);
    if (status == WISP_OK) status = wisp_memory_write(instance, (uint32_t)line, text, strlen(text));
    if (status == WISP_OK) status = wisp_call(instance, report, "shout", "(i)i", (int32_t)strlen(text), &size);
    if (status != WISP_OK) return status;

    wisp_report ended = {0}; /* what follows is meant to fail */
    if (wisp_call(instance, &ended, "shout", "(i)i", 1 << 30, &size) == WISP_E_TRAP) {
        const wisp_trap *trap = wisp_instance_trap(instance);
        printf("trap: %s, in %s\n", trap->reason, trap->frame_count ? trap->frames[0].name : "?");
    }
    if (call_and_interrupt(instance, NULL) == WISP_E_CANCELLED) printf("interrupted\n");
    wisp_instance_set_fuel(instance, 1000000);
    if (wisp_call(instance, NULL, "forever", "()") == WISP_E_FUEL) printf("out of fuel\n");
    return WISP_OK;
}

int main(int argc, char **argv)
{
    wisp_module *module = NULL;
    wisp_instance *instance = NULL;
    wisp_report report = {0};
    wisp_host_module env = {.name = "env", .functions = functions, .count = 1, .context = stdout};
    wisp_limits limits = {.size = sizeof limits, .memory = 16 << 20};
    wisp_instance_options options = {.size = sizeof options, .limits = &limits, .modules = &env, .module_count = 1};
    if (argc != 2) return fprintf(stderr, "usage: embed FILE\n"), 2;
    wisp_status status = wisp_module_open(&module, NULL, argv[1], &report);
    if (status == WISP_OK) status = wisp_instance_new(&instance, module, &options, &report);
    if (status == WISP_OK) status = use(instance, &report);
    if (status != WISP_OK) fprintf(stderr, "%s\n", report.text);
    wisp_instance_free(instance);
    wisp_module_free(module);
    return status != WISP_OK;
}
