/* How fast the device is against what the machine allows.
 *
 *   kernel_bench [generation|gemm|attention|all] [threads]
 *
 * generation: MATMUL of one token over 600 MB of weights, in alternation with a plain sequential reader of the same
 * bytes on the same threads, since memory bandwidth of a shared machine varies from minute to minute.
 * gemm: MATMUL of 256 tokens, in GOP/s, for each instruction set that the processor has.
 * attention: one token over 4,096 positions, 32 heads of 64 over 4 kv heads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "os/pool.h"
#include "tensor/device.h"
#include "tensor/kernels/kernels.h"
#include "tensor/layout.h"

enum { ROUNDS = 15 };
static const uint32_t types[] = {WISP_Q4_0_R16,  WISP_Q8_0_R16, WISP_Q4_K_R16, WISP_Q5_K_R16,   WISP_Q6_K_R16,
                                 WISP_Q4_1_R16,  WISP_Q5_0_R16, WISP_Q5_1_R16, WISP_IQ4_NL_R16, WISP_IQ4_XS_R16,
                                 WISP_MXFP4_R16, WISP_F16,      WISP_BF16,     WISP_F32};
enum { TYPES = sizeof types / sizeof *types };

static os_pool *pool;
static tensor_executor executor;

static void must(wisp_status status, const wisp_report *report)
{
    if (status == WISP_OK) return;
    fprintf(stderr, "%s\n", report->text);
    exit(1);
}

static double seconds(void)
{
    return (double)os_monotonic_ns() * 1e-9;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

/* ---- the plain reader: every thread its contiguous part ---- */
typedef uint64_t lanes __attribute__((vector_size(64)));
typedef struct reading {
    const uint8_t *data;
    uint64_t size;
    uint64_t sum[OS_POOL_THREADS_MAX];
} reading;

static void read_part(void *arg, unsigned index)
{
    reading *r = arg;
    const uint64_t part = r->size / executor.threads / 256 * 256;
    const lanes *p = (const void *)(r->data + index * part);
    lanes a = {0}, b = {0}, c = {0}, d = {0};
    for (uint64_t i = 0; i < part / 64; i += 4) {
        a ^= p[i];
        b ^= p[i + 1];
        c ^= p[i + 2];
        d ^= p[i + 3];
    }
    a ^= b ^ c ^ d;
    r->sum[index] = a[0] ^ a[3] ^ a[7];
}

/* ---- a matrix of any type with harmless numbers ---- */
static void fill(uint32_t type, uint8_t *w, uint64_t size)
{
    uint64_t x = 88172645463325252u;
    for (uint64_t i = 0; i + 8 <= size; i += 8) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint64_t v = x & 0xbbbbbbbbbbbbbbbbu; /* no F16 or F32 infinities */
        memcpy(w + i, &v, 8);
    }
    (void)type;
}

typedef struct bench {
    tensor_device *d;
    uint32_t w, x, y;
    wisp_cmd cmd;
} bench;

static bench bench_open(unsigned features, uint32_t type, const uint8_t *data, uint64_t size, uint32_t rows,
                        uint32_t cols, uint32_t tokens)
{
    bench b = {0};
    wisp_report report = {0};
    const tensor_options options = {.executor = &executor, .cpu_features = features};
    must(tensor_device_new(&b.d, &options, &report), &report);
    must(tensor_add_weights(b.d, 0, data, size, &report), &report);
    b.w = tensor_weights(b.d, 0);
    b.x = tensor_alloc(b.d, (uint64_t)tokens * cols * 4);
    b.y = tensor_alloc(b.d, (uint64_t)tokens * rows * 4);
    float *x = malloc((size_t)tokens * cols * 4);
    if (!x) abort();
    for (size_t i = 0; i < (size_t)tokens * cols; i++)
        x[i] = (float)(i * 7919 % 1000) / 500.0f - 1.0f;
    must(tensor_write(b.d, b.x, 0, x, (uint64_t)tokens * cols * 4, &report), &report);
    free(x);
    uint64_t stride;
    tensor_row_bytes(type, cols, &stride);
    b.cmd = (wisp_cmd){.op = WISP_OP_MATMUL,
                       .view = {{b.y, WISP_F32, 0, tokens, rows, (uint64_t)rows * 4},
                                {b.x, WISP_F32, 0, tokens, cols, (uint64_t)cols * 4},
                                {b.w, type, 0, rows, cols, stride}}};
    return b;
}

static double bench_run(bench *b)
{
    wisp_report report = {0};
    const double start = seconds();
    must(tensor_submit(b->d, &b->cmd, 1, &report), &report);
    return seconds() - start;
}

static void generation(uint8_t *data, uint64_t room)
{
    static reading r;
    printf("generation: one token, %u threads, weights of about 600 MB; medians of %d rounds in alternation\n",
           executor.threads, ROUNDS);
    for (int i = 0; i < TYPES; i++) {
        const uint32_t cols = 4096;
        uint64_t group, size;
        tensor_matrix_bytes(types[i], 16, cols, &group);
        const uint32_t rows = (uint32_t)(room / group * 16);
        tensor_matrix_bytes(types[i], rows, cols, &size);
        bench b = bench_open(os_cpu_features(), types[i], data, size, rows, cols, 1);
        double read[ROUNDS], run[ROUNDS], ratio[ROUNDS];
        for (int n = -1; n < ROUNDS; n++) {
            r.data = data, r.size = size;
            const double start = seconds();
            os_pool_run(pool, read_part, &r);
            const double reader = seconds() - start, kernel = bench_run(&b);
            if (n < 0) continue;
            read[n] = reader, run[n] = kernel, ratio[n] = reader / kernel;
        }
        const double m = median(ratio, ROUNDS);
        printf("  %-10s reader %5.1f GB/s  kernel %5.1f GB/s  ratio %.2f (%.2f to %.2f)\n",
               tensor_type_find(types[i])->name, (double)size / median(read, ROUNDS) * 1e-9,
               (double)size / median(run, ROUNDS) * 1e-9, m, ratio[ROUNDS / 10], ratio[ROUNDS - 1 - ROUNDS / 10]);
        tensor_device_free(b.d);
    }
}

static void gemm(const uint8_t *data, uint32_t tokens)
{
    static const struct {
        const char *name;
        unsigned features;
    } targets[] = {{"portable", 0},
                   {"avx2", TENSOR_CPU_AVX2},
                   {"avx512vnni", TENSOR_CPU_AVX2 | TENSOR_CPU_AVX512 | TENSOR_CPU_AVX512_VNNI}};
    const uint32_t rows = 2048, cols = 2048;
    printf("gemm: %u tokens x [%u,%u], %u threads, GOP/s (best of 7)\n", tokens, rows, cols, executor.threads);
    for (size_t t = 0; t < sizeof targets / sizeof *targets; t++) {
        if ((os_cpu_features() & targets[t].features) != targets[t].features) continue;
        printf("  %-11s", targets[t].name);
        for (int i = 0; i < TYPES; i++) {
            uint64_t size;
            tensor_matrix_bytes(types[i], rows, cols, &size);
            bench b = bench_open(targets[t].features, types[i], data, size, rows, cols, tokens);
            double best = 1e9;
            for (int n = 0; n < 7; n++) {
                const double s = bench_run(&b);
                if (s < best) best = s;
            }
            printf(" %s %.0f ", tensor_type_find(types[i])->name, 2e-9 * rows * cols * tokens / best);
            fflush(stdout);
            tensor_device_free(b.d);
        }
        printf("\n");
    }
}

static void attention(unsigned features, const char *name, uint32_t tokens)
{
    enum { HEADS = 32, KV = 4, D = 64, POSITIONS = 4096, PAGES = POSITIONS / 64 };
    wisp_report report = {0};
    tensor_device *d;
    const tensor_options options = {.executor = &executor, .cpu_features = features};
    must(tensor_device_new(&d, &options, &report), &report);
    const uint64_t cache = (uint64_t)POSITIONS * KV * D * 2;
    uint32_t k = tensor_alloc(d, cache), v = tensor_alloc(d, cache), x = tensor_alloc(d, tokens * HEADS * D * 4),
             y = tensor_alloc(d, tokens * HEADS * D * 4), p = tensor_alloc(d, tokens * 4),
             s = tensor_alloc(d, tokens * 4), t = tensor_alloc(d, PAGES * 4);
    int32_t pages[PAGES];
    for (int i = 0; i < PAGES; i++)
        pages[i] = i;
    must(tensor_write(d, t, 0, pages, sizeof pages, &report), &report);
    for (uint32_t i = 0; i < tokens; i++) {
        const int32_t at = (int32_t)(POSITIONS - tokens + i);
        must(tensor_write(d, p, i * 4, &at, 4, &report), &report);
    }
    const wisp_cmd cmd = {.op = WISP_OP_ATTENTION,
                          .param = {{.u = HEADS}, {.u = KV}, {.f = 0.125f}},
                          .view = {{y, WISP_F32, 0, tokens, HEADS * D, HEADS * D * 4},
                                   {x, WISP_F32, 0, tokens, HEADS * D, HEADS * D * 4},
                                   {k, WISP_F16, 0, POSITIONS * KV, D, D * 2},
                                   {v, WISP_F16, 0, POSITIONS * KV, D, D * 2},
                                   {p, WISP_I32, 0, 1, tokens, tokens * 4},
                                   {s, WISP_I32, 0, 1, tokens, tokens * 4},
                                   {t, WISP_I32, 0, 1, PAGES, PAGES * 4}}};
    double best = 1e9;
    for (int n = 0; n < 7; n++) {
        const double start = seconds();
        must(tensor_submit(d, &cmd, 1, &report), &report);
        const double took = seconds() - start;
        if (took < best) best = took;
    }
    printf("  %-11s %3u tokens: %.3f ms, %.1f GFLOP/s\n", name, tokens, best * 1e3,
           4e-9 * HEADS * D * POSITIONS * tokens / best);
    tensor_device_free(d);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "all";
    const int all = strcmp(what, "all") == 0;
    const uint64_t room = 600u << 20;
    wisp_report report = {0};
    must(os_pool_new(&pool, argc > 2 ? (unsigned)atoi(argv[2]) : 0, &report), &report);
    executor = (tensor_executor){pool, os_pool_threads(pool), os_pool_run, os_pool_barrier};
    uint8_t *data = os_pages(room, true);
    if (!data) return 1;
    fill(types[0], data, room);
    if (all || strcmp(what, "gemm") == 0) gemm(data, 256);
    if (all || strcmp(what, "attention") == 0) {
        printf("attention: 4096 positions, 32 heads of 64 over 4 kv heads, F16, %u threads\n", executor.threads);
        for (uint32_t tokens = 1; tokens <= 64; tokens *= 64) {
            attention(TENSOR_CPU_AVX2, "avx2", tokens);
            attention(os_cpu_features(), "best", tokens);
        }
    }
    if (all || strcmp(what, "generation") == 0) generation(data, room);
    os_release(data, room);
    os_pool_free(pool);
    return 0;
}
