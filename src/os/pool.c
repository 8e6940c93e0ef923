#include "os/pool.h"

#include "base/mem.h"

/* A word that is waited on has a cache line of its own. */
typedef struct gate {
    _Alignas(64) uint32_t generation;
    uint32_t sleepers;
} gate;

struct os_pool {
    gate start, phase;
    _Alignas(64) uint32_t arrived; /* at the barrier */
    unsigned threads;
    bool spin;
    bool quit;
    void (*work)(void *arg, unsigned index);
    void *arg;
    unsigned started; /* workers that exist */
    os_thread *worker[OS_POOL_THREADS_MAX];
    uint32_t next_index;
};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Waiting up to a millisecond awake covers the gaps inside a step and between two steps of a generation (the guest
 * samples and writes an event); longer waits, an idle server's, sleep. Being woken costs 50 us, and some milliseconds
 * where another program keeps the CPU busy. After the first look the CPU is offered to others, for the thread that is
 * waited for may itself be waiting for this CPU. With more threads than CPUs, staying awake only steals time. */
enum { SPIN_NS = 1000000, SPINS_A_LOOK = 256 };

static void wait_change(gate *g, uint32_t seen, bool spin)
{
    const uint64_t until = spin ? os_monotonic_ns() + SPIN_NS : 0;
    while (spin) {
        for (int i = 0; i < SPINS_A_LOOK; i++) {
            if (__atomic_load_n(&g->generation, __ATOMIC_ACQUIRE) != seen) return;
            relax();
        }
        os_yield();
        spin = os_monotonic_ns() < until;
    }
    __atomic_fetch_add(&g->sleepers, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&g->generation, __ATOMIC_SEQ_CST) == seen)
        os_wait(&g->generation, seen);
    __atomic_fetch_sub(&g->sleepers, 1, __ATOMIC_SEQ_CST);
}

static void advance(gate *g)
{
    __atomic_fetch_add(&g->generation, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&g->sleepers, __ATOMIC_SEQ_CST)) os_wake_all(&g->generation);
}

void os_pool_barrier(void *self)
{
    os_pool *pool = self;
    if (pool->threads == 1) return;
    uint32_t seen = __atomic_load_n(&pool->phase.generation, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&pool->arrived, 1, __ATOMIC_ACQ_REL) == pool->threads) {
        __atomic_store_n(&pool->arrived, 0, __ATOMIC_RELAXED);
        advance(&pool->phase);
    } else {
        wait_change(&pool->phase, seen, pool->spin);
    }
}

static void worker(void *context)
{
    os_pool *pool = context;
    unsigned index = __atomic_add_fetch(&pool->next_index, 1, __ATOMIC_RELAXED);
    uint32_t seen = 0;
    for (;;) {
        wait_change(&pool->start, seen, pool->spin);
        seen++;
        if (pool->quit) return;
        pool->work(pool->arg, index);
        os_pool_barrier(pool);
    }
}

void os_pool_run(void *self, void (*work)(void *arg, unsigned index), void *arg)
{
    os_pool *pool = self;
    pool->work = work;
    pool->arg = arg;
    if (pool->threads > 1) advance(&pool->start);
    work(arg, 0);
    os_pool_barrier(pool);
}

wisp_status os_pool_new(os_pool **result, unsigned threads, wisp_report *report)
{
    if (threads == 0) threads = os_cpu_count();
    if (threads > OS_POOL_THREADS_MAX)
        return base_fail(report, WISP_E_USAGE, "%u threads: at most %d", threads, OS_POOL_THREADS_MAX);
    os_pool *pool = base_alloc_aligned(64, sizeof *pool);
    if (!pool) return base_fail(report, WISP_E_MEMORY, "out of memory for the thread pool");
    *pool = (os_pool){.threads = threads, .spin = threads <= os_cpu_count()};
    for (unsigned i = 1; i < threads; i++) {
        wisp_status status = os_thread_start(&pool->worker[i], worker, pool, report);
        if (status != WISP_OK) {
            os_pool_free(pool);
            return status;
        }
        pool->started++;
    }
    *result = pool;
    return WISP_OK;
}

void os_pool_free(os_pool *pool)
{
    if (!pool) return;
    pool->quit = true;
    advance(&pool->start);
    for (unsigned i = 1; i <= pool->started; i++)
        os_thread_join(pool->worker[i]);
    base_free(pool);
}

unsigned os_pool_threads(const os_pool *pool)
{
    return pool->threads;
}
