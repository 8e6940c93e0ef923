/* Threads by pthreads, sleeping and waking by futex(2). */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"

struct os_thread {
    pthread_t id;
    void (*run)(void *);
    void *context;
};

static long fail_after = -1;

void os_thread_fail_after(long n)
{
    fail_after = n;
}

static void *start(void *p)
{
    os_thread *thread = p;
    thread->run(thread->context);
    return NULL;
}

wisp_status os_thread_start(os_thread **result, void (*run)(void *), void *context, wisp_report *report)
{
    os_thread *thread = base_alloc(sizeof *thread);
    if (!thread) return base_fail(report, WISP_E_MEMORY, "out of memory for a thread");
    thread->run = run;
    thread->context = context;
    int error = fail_after == 0 ? EAGAIN : 0;
    if (fail_after > 0) fail_after--;
    if (!error) error = pthread_create(&thread->id, NULL, start, thread);
    if (error) {
        base_free(thread);
        return base_fail(report, WISP_E_LIMIT, "cannot start a thread: %s", strerror(error));
    }
    *result = thread;
    return WISP_OK;
}

void os_thread_join(os_thread *thread)
{
    if (!thread) return;
    pthread_join(thread->id, NULL);
    base_free(thread);
}

void os_wait(const uint32_t *word, uint32_t expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

void os_wait_for(const uint32_t *word, uint32_t expected, uint64_t ns)
{
    const struct timespec time = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, &time, NULL, 0);
}

void os_wake_all(const uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

void os_yield(void)
{
    sched_yield();
}

/* Of the first thread, without reading /proc/self/maps as the C library does: its stack ends with the page of the
 * program's name, which the kernel puts last, and has room for its limit; beyond 64 MiB that is not sure when the limit
 * was raised after the start. */
static bool first_stack(uintptr_t *from, uintptr_t *to)
{
    const char *name = (const char *)getauxval(AT_EXECFN);
    const uintptr_t here = (uintptr_t)&name, most = 64 << 20, page = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct rlimit limit;
    if (!name || syscall(SYS_gettid) != getpid() || getrlimit(RLIMIT_STACK, &limit) != 0) return false;
    const uintptr_t size = limit.rlim_cur < most ? (uintptr_t)limit.rlim_cur & ~(page - 1) : most;
    *to = ((uintptr_t)name + strlen(name) + 1 + sizeof(void *) + page - 1) & ~(page - 1);
    *from = *to - size;
    return size < *to && here > *from && here < *to;
}

bool os_stack_bounds(uintptr_t *low, uintptr_t *high)
{
    static _Thread_local uintptr_t from, to;
    if (!to && !first_stack(&from, &to)) from = to = 0;
    if (!to) {
        pthread_attr_t attributes;
        void *address;
        size_t size;
        if (pthread_getattr_np(pthread_self(), &attributes) != 0) return false;
        if (pthread_attr_getstack(&attributes, &address, &size) == 0) {
            from = (uintptr_t)address;
            to = from + size;
        }
        pthread_attr_destroy(&attributes);
    }
    *low = from;
    *high = to;
    return to != 0;
}

unsigned os_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}
