/* What this machine offers: for `wisp doctor` and `wisp bench`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "compile/arch/arch.h"
#include "host/host.h"
#include "host/native.h"
#include "host/sized.h"
#include "os/pool.h"
#include "tensor/layout.h"

typedef struct describe_context {
    void (*line)(void *context, const char *key, const char *value);
    void *context;
} describe_context;

static void describe_kernel(void *context, const char *text)
{
    describe_context *d = context;
    d->line(d->context, "kernel", text);
}

static void describe_cpu(describe_context *d)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{OS_CPU_SSE41, "sse4.1"},         {OS_CPU_AVX2, "avx2"},
                 {OS_CPU_AVX512, "avx512"},        {OS_CPU_AVX512_VNNI, "avx512-vnni"},
                 {OS_CPU_AVX_VNNI, "avx-vnni"},    {OS_CPU_SHA, "sha"},
                 {OS_CPU_NEON_DOTPROD, "dotprod"}, {OS_CPU_NEON_I8MM, "i8mm"}};
    char name[64], text[200] = "";
    unsigned features = os_cpu_features();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(features & names[i].bit)) continue;
        strncat(text, *text ? " " : "", 2);
        strncat(text, names[i].name, 20);
    }
    d->line(d->context, "cpu", os_cpu_name(name));
    d->line(d->context, "cpu features", *text ? text : "none that WISP uses");
    snprintf(text, sizeof text, "%u", os_cpu_count());
    d->line(d->context, "cpus", text);
    snprintf(text, sizeof text, "%.1f GiB", (double)os_physical_memory_bytes() / (1 << 30));
    d->line(d->context, "memory", text);
}

static void describe_native(describe_context *d)
{
    char text[4400];
    wisp_report report = {0};
    const char *target = wasm_native_target_name(wasm_native_best_target());
    d->line(d->context, "native code", target ? target : "none for this CPU");
    if (host_native_find(text, sizeof text, &report) != WISP_OK)
        snprintf(text, sizeof text, "%s", report.text);
    text[500] = 0;
    d->line(d->context, "native compiler", text);
    host_native_cache_describe(text, 500);
    d->line(d->context, "native cache", text);
}

wisp_status wisp_describe(void (*line)(void *, const char *, const char *), void *context, wisp_report *report)
{
    if (!line) return base_fail(report, WISP_E_USAGE, "wisp_describe: no function given");
    describe_context d = {line, context};
    char text[200];
    tensor_device *device;
    line(context, "wisp", WISP_VERSION);
    describe_cpu(&d);
    tensor_options options = {.cpu_features = os_cpu_features()};
    BASE_TRY(tensor_device_new(&device, &options, report));
    tensor_describe(device, describe_kernel, &d);
    tensor_device_free(device);
    snprintf(text, sizeof text, "ABI %d, %u bytes", WISP_DEV_ABI, host_engine_size);
    line(context, "engine", text);
    describe_native(&d);
    void *reserved = os_reserve((size_t)8 << 30);
    line(context, "address space",
         reserved ? "8 GiB can be reserved: sandbox memory stays in place"
                  : "limited: sandbox memory is moved when it grows");
    os_release(reserved, (size_t)8 << 30);
    snprintf(text, sizeof text, "%d threads, context 4096 by default", OS_POOL_THREADS_MAX);
    line(context, "limits", text);
    return WISP_OK;
}

/* ---- reading memory as plainly as possible ---- */

typedef uint64_t v8u64 __attribute__((vector_size(64), aligned(64)));

typedef struct reading {
    const capsule *parsed;
    unsigned threads;
    uint64_t sink[OS_POOL_THREADS_MAX];
} reading;

static uint64_t read_range(const uint8_t *p, size_t size)
{
    v8u64 a = {0}, b = {0}, c = {0}, d = {0};
    size_t blocks = size / 256;
    const v8u64 *v = (const v8u64 *)p;
    for (size_t i = 0; i < blocks; i++, v += 4) {
        a ^= v[0];
        b ^= v[1];
        c ^= v[2];
        d ^= v[3];
    }
    a ^= b ^ c ^ d;
    uint64_t sum = 0;
    for (int i = 0; i < 8; i++)
        sum ^= a[i];
    return sum;
}

/* A picked row of the embedding table is nothing beside the matrices, unless the table is the output matrix too. */
static bool is_streamed(const capsule *parsed, const capsule_tensor *t)
{
    return strcmp(t->name, "token_embd.weight") != 0 || !capsule_find_tensor(parsed, "output.weight");
}

static void read_share(void *arg, unsigned index)
{
    reading *r = arg;
    for (uint32_t n = 0; n < r->parsed->tensor_count; n++) {
        const capsule_tensor *t = &r->parsed->tensors[n];
        if (!is_streamed(r->parsed, t)) continue;
        size_t share = t->size / r->threads / 256 * 256; /* rests of a few hundred bytes do not matter */
        r->sink[index] ^= read_range(capsule_tensor_bytes(r->parsed, t).data + index * share, share);
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

wisp_status wisp_measure_read(const wisp_capsule *capsule, unsigned threads, unsigned rounds, wisp_read_speed *speed,
                              wisp_report *report)
{
    enum { ROUNDS_MAX = 1000 };
    os_pool *pool;
    BASE_TRY(host_check_result(speed, "wisp_read_speed", report));
    if (!capsule || rounds == 0 || rounds > ROUNDS_MAX)
        return base_fail(report, WISP_E_USAGE, "wisp_measure_read: 1 to %d rounds", ROUNDS_MAX);
    BASE_TRY(os_pool_new(&pool, threads, report));
    reading *r = base_calloc(1, sizeof *r);
    uint64_t *times = base_calloc(rounds, sizeof *times);
    wisp_status status = WISP_OK;
    if (r && times) {
        r->parsed = &capsule->parsed;
        r->threads = os_pool_threads(pool);
        os_pool_run(pool, read_share, r); /* brings the pages in */
        for (unsigned i = 0; i < rounds; i++) {
            uint64_t begin = os_monotonic_ns();
            os_pool_run(pool, read_share, r);
            times[i] = os_monotonic_ns() - begin;
        }
        volatile uint64_t keep = r->sink[0]; /* the reads must not be optimized away */
        (void)keep;
        qsort(times, rounds, sizeof *times, compare_u64);
        wisp_read_speed own = {.fastest_ns = times[0], .median_ns = times[rounds / 2]};
        for (uint32_t n = 0; n < capsule->parsed.tensor_count; n++)
            if (is_streamed(&capsule->parsed, &capsule->parsed.tensors[n]))
                own.bytes += capsule->parsed.tensors[n].size;
        host_give_result(speed, &own, sizeof own);
    } else {
        status = base_fail(report, WISP_E_MEMORY, "out of memory");
    }
    base_free(times);
    base_free(r);
    os_pool_free(pool);
    return status;
}

void wisp_list_models(void (*line)(void *context, const char *name, const char *title, const char *types,
                                   const char *tested),
                      void *context)
{
    char types[400] = "";
    for (uint32_t type = 0; type < 64; type++) {
        const tensor_type_info *info = tensor_type_find(type);
        const bool matrix = info && type != WISP_I32 && type != WISP_F64;
        if (matrix && strlen(types) + strlen(info->name) + 2 < sizeof types)
            snprintf(types + strlen(types), sizeof types - strlen(types), "%s%s", *types ? " " : "", info->name);
    }
    for (size_t i = 0; i < compile_arch_count; i++) {
        const compile_arch *a = &compile_archs[i];
        line(context, a->name, a->title, types, a->tested ? a->tested : "");
    }
}
