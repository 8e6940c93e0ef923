/* Generated modules: all are valid, all end, and however they are run they show the same. generated_test [FIRST COUNT]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/differential.h"

static generate_options options_of(uint32_t seed)
{
    return (generate_options){.elsewhere = seed % 5 == 0,
                              .exceptions = seed & 1,
                              .typed_references = seed & 2,
                              .tail_calls = true,
                              .memory64 = seed & 4,
                              .relaxed = true};
}

static bool make(uint32_t seed, const generate_options *options, base_buffer *bytes)
{
    uint8_t entropy[2048];
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < sizeof entropy; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        entropy[i] = (uint8_t)(state >> 56);
    }
    return generate_module(bytes, entropy, sizeof entropy, options);
}

static const struct way {
    const char *name;
    differential_options options;
} ways[] = {
    {"interpreted, guard pages", {.fuel = 100000}},
    {"interpreted, explicit checks", {.fuel = 100000, .explicit_checks = true}},
#ifdef WITH_NATIVE
    {"native, guard pages, fuel", {.fuel = 100000, .prepare = differential_native}},
    {"native, explicit checks, fuel", {.fuel = 100000, .explicit_checks = true, .prepare = differential_native}},
    {"interpreted, no fuel", {.fuel = 0}},
    {"native, no fuel", {.fuel = 0, .prepare = differential_native}},
#endif
};

/* What has fuel is compared with the first, what has none with the first that has none. */
static int compare(uint32_t seed, const wasm_module *module, bool natively)
{
    enum { WAYS = sizeof ways / sizeof *ways };
    base_buffer transcripts[WAYS] = {{0}};
    char text[512];
    int failed = 0;
    for (int i = 0, reference = 0; i < WAYS; i++) {
        if (ways[i].options.prepare && !natively) continue;
        if (ways[i].options.fuel != ways[reference].options.fuel) reference = i;
        differential_run(&transcripts[i], module, &ways[i].options);
        const char *difference = differential_first(&transcripts[reference], &transcripts[i], text);
        if (difference) printf("seed %u: %s; %s: %s\n", seed, ways[reference].name, ways[i].name, difference);
        failed |= difference != NULL;
    }
    if (getenv("SHOW")) fwrite(transcripts[0].data, 1, transcripts[0].size, stdout);
    for (int i = 0; i < WAYS; i++)
        base_buffer_fini(&transcripts[i]);
    return failed;
}

/* Fuel that runs out anywhere: at every count up to a hundred, then more sparsely. */
static int sweep(uint32_t seed, const wasm_module *module)
{
    int failed = 0;
#ifdef WITH_NATIVE
    base_buffer image = {0};
    for (uint64_t fuel = 1; fuel < 20000 && !failed; fuel += fuel < 100 ? 1 : fuel / 3) {
        const differential_options interpreted = {.fuel = fuel};
        const differential_options native = {.fuel = fuel, .prepare = differential_native_again, .context = &image};
        base_buffer transcripts[2] = {{0}};
        char text[512];
        differential_run(&transcripts[0], module, &interpreted);
        differential_run(&transcripts[1], module, &native);
        const char *difference = differential_first(&transcripts[0], &transcripts[1], text);
        if (difference) printf("seed %u: fuel %u: %s\n", seed, (unsigned)fuel, difference);
        failed = difference != NULL;
        base_buffer_fini(&transcripts[0]);
        base_buffer_fini(&transcripts[1]);
    }
    base_buffer_fini(&image);
#else
    (void)seed, (void)module;
#endif
    return failed;
}

/* For another engine: the module, and what is to be seen. */
static int write_files(const char *folder, uint32_t seed, const wasm_module *module, const base_buffer *bytes)
{
    base_buffer transcript = {0};
    const base_buffer *contents[2] = {bytes, &transcript};
    int failed = 0;
    differential_run(&transcript, module, &(differential_options){.elsewhere = true});
    for (int i = 0; i < 2; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%u.%s", folder, seed, i ? "txt" : "wasm");
        FILE *f = fopen(path, "wb");
        failed |= !f || fwrite(contents[i]->data, 1, contents[i]->size, f) != contents[i]->size;
        if (f) failed |= fclose(f) != 0;
    }
    base_buffer_fini(&transcript);
    return failed;
}

/* `elsewhere`: with nothing that other engines lack. */
static int check(uint32_t seed, const char *folder, bool elsewhere, bool natively)
{
    generate_options options = options_of(seed);
    base_buffer bytes = {0};
    wisp_report report = {0};
    wasm_module *module;
    int failed = 0;
    if (elsewhere) options.elsewhere = true;
    if (!make(seed, &options, &bytes)) return 1;
    if (wasm_module_new(&module, (base_span){bytes.data, bytes.size}, NULL, &report) != WISP_OK) {
        printf("seed %u: not valid: %s\n", seed, report.text);
        failed = 1;
    } else {
        failed = folder ? write_files(folder, seed, module, &bytes) : compare(seed, module, natively);
        if (!folder && natively && seed % 50 == 0) failed |= sweep(seed, module);
        wasm_module_free(module);
    }
    base_buffer_fini(&bytes);
    return failed;
}

/* Shows what a module does, for finding out why. */
static int show(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *f = fopen(path, "rb");
    size_t size = f ? fread(data, 1, sizeof data, f) : 0;
    wisp_report report = {0};
    wasm_module *module;
    base_buffer transcript = {0};
    if (f) fclose(f);
    if (wasm_module_new(&module, (base_span){data, size}, NULL, &report) != WISP_OK) return puts(report.text), 1;
    differential_run(&transcript, module, &(differential_options){.elsewhere = true});
    fwrite(transcript.data, 1, transcript.size, stdout);
    base_buffer_fini(&transcript);
    wasm_module_free(module);
    return 0;
}

/* Seeds that found something once. */
static const uint32_t found[] = {141, 324, 347};

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--show") == 0) return show(argv[2]);
    const char *folder = argc > 2 && strcmp(argv[1], "--write") == 0 ? argv[2] : NULL;
    char **numbers = argv + (folder ? 3 : 1);
    int given = argc - (int)(numbers - argv);
    uint32_t first = given > 0 ? (uint32_t)atol(numbers[0]) : 0, count = given > 1 ? (uint32_t)atol(numbers[1]) : 2000;
    int failures = 0;
    for (size_t i = 0; given <= 0 && !folder && i < sizeof found / sizeof *found; i++)
        failures += check(found[i], NULL, false, true);
    for (uint32_t i = 0; i < count && failures < 10; i++) {
        failures += check(first + i, folder, folder, given > 0 || i % 16 == 0); /* compiling takes its time */
        if (!folder && (given > 0 || i % 16 == 8)) failures += check(first + i, NULL, true, true);
    }
    printf("%u modules, %d failures\n", count, failures);
    return failures != 0;
}
