/* wasm/fault.h: which faults are traps, and what happens to all others; interruption of native text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/faults.h"
#include "os/os.h"
#include "wasm/fault.h"

/* Stands for an instruction of the interpreter: the access itself is in this section. */
__attribute__((noinline, section("wasm_ops_text"))) static void poke(volatile uint8_t *p)
{
    *p = 1;
}
/* The same anywhere else. */
__attribute__((noinline)) static void poke_outside(volatile uint8_t *p)
{
    *p = 1;
}

typedef struct fixture {
    wasm_store *store;
    wasm_memory *memory;
} fixture;

static void setup(fixture *f)
{
    assert_int_equal(wasm_store_new(&f->store, NULL, NULL), WISP_OK);
    assert_int_equal(wasm_memory_new(&f->memory, f->store, (wasm_range){.min = 1}, NULL), WISP_OK);
    assert_true(f->memory->guarded);
}

static wisp_status touch(wasm_store *store, void *address)
{
    (void)store;
    poke(address);
    return WISP_OK;
}

static wisp_status touch_outside(wasm_store *store, void *address)
{
    (void)store;
    poke_outside(address);
    return WISP_OK;
}

/* ---- ours ---- */

static void the_guard_traps(void **state)
{
    (void)state;
    fixture f;
    setup(&f);
    uint8_t *data = f.memory->data;
    const uint64_t last = f.memory->reserved - 1, bad[] = {65536, 65537, 1ull << 32, 1ull << 33, last};
    assert_int_equal(wasm_guarded_run(f.store, touch, data), WISP_OK);
    assert_int_equal(wasm_guarded_run(f.store, touch, data + 65535), WISP_OK);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
            f.store->reason[0] = 0;
            assert_int_equal(wasm_guarded_run(f.store, touch, data + bad[i]), WISP_E_TRAP);
            assert_string_equal(f.store->reason, "out of bounds memory access");
        }
    assert_int_equal(wasm_memory_grow(f.memory, 1), 1);
    assert_ptr_equal(f.memory->data, data);
    assert_int_equal(wasm_guarded_run(f.store, touch, data + 65536), WISP_OK);
    assert_int_equal(wasm_guarded_run(f.store, touch, data + 131072), WISP_E_TRAP);
    assert_true(f.memory->reserved >= (1ull << 33) + 16);
    wasm_store_free(f.store);
}

typedef struct nested {
    wasm_store *store;
    uint8_t *address;
} nested;

static wisp_status run_inner(wasm_store *store, void *arg)
{
    (void)store;
    nested *n = arg;
    assert_int_equal(wasm_guarded_run(n->store, touch, n->address), WISP_E_TRAP);
    return WISP_E_IO; /* the outer activation is as it was */
}

static void activations_nest(void **state)
{
    (void)state;
    fixture a, b;
    setup(&a);
    setup(&b);
    nested same = {a.store, a.memory->data + 65536}, other = {b.store, b.memory->data + 65536};
    assert_int_equal(wasm_guarded_run(a.store, run_inner, &same), WISP_E_IO);
    assert_int_equal(wasm_guarded_run(a.store, run_inner, &other), WISP_E_IO);
    assert_int_equal(wasm_guarded_run(a.store, touch, a.memory->data + 65536), WISP_E_TRAP);
    wasm_store_free(a.store);
    wasm_store_free(b.store);
}

static wisp_status give_up(wasm_store *store, void *arg)
{
    (void)arg;
    wasm_unwind(store, WISP_E_EXIT);
}

static void helpers_unwind(void **state)
{
    (void)state;
    fixture f;
    setup(&f);
    assert_int_equal(wasm_guarded_run(f.store, give_up, NULL), WISP_E_EXIT);
    wasm_store_free(f.store);
}

static void fault_often(void *result)
{
    fixture f;
    unsigned traps = 0;
    setup(&f);
    for (unsigned i = 0; i < 2000; i++)
        traps += wasm_guarded_run(f.store, touch, f.memory->data + 65536 + i * 4099u) == WISP_E_TRAP;
    *(unsigned *)result = traps;
    wasm_store_free(f.store);
}

static void threads_fault_at_once(void **state)
{
    (void)state;
    unsigned traps[2] = {0, 0};
    os_thread *threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(os_thread_start(&threads[i], fault_often, &traps[i], NULL), WISP_OK);
    for (unsigned i = 0; i < 2; i++) {
        os_thread_join(threads[i]);
        assert_int_equal(traps[i], 2000);
    }
}

static void fault_with_all_blocked(void *result)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    fault_often(result);
}

static void a_thread_that_blocks_signals_may_fault(void **state)
{
    (void)state;
    unsigned traps = 0;
    os_thread *thread;
    assert_int_equal(os_thread_start(&thread, fault_with_all_blocked, &traps, NULL), WISP_OK);
    os_thread_join(thread);
    assert_int_equal(traps, 2000);
}

/* ---- not ours: in a child, which says how it ended ---- */

typedef enum { BY_DEFAULT, IGNORED, PLAIN, WITH_INFO, ONCE } disposition;

static void on_plain(int number)
{
    _exit(number == SIGSEGV ? 41 : 1);
}

static volatile uint8_t *expected;
static volatile sig_atomic_t seen;
static void on_info(int number, siginfo_t *info, void *context)
{
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    os_fault fault;
    os_context_read(context, &fault);
    bool ok = number == SIGSEGV && info->si_addr == expected && sigismember(&now, SIGSEGV) == 1 &&
              sigismember(&now, SIGUSR1) == 1 && sigismember(&now, SIGUSR2) == 0 && fault.pc;
    _exit(ok ? 42 : 2);
}
static void on_once(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info, (void)context;
    seen++; /* and return: the second time the default kills */
    if (seen > 1) _exit(3);
}

static void arrange(disposition how)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaddset(&action.sa_mask, SIGUSR1);
    if (how == IGNORED) action.sa_handler = SIG_IGN;
    if (how == PLAIN) action.sa_handler = on_plain;
    if (how == WITH_INFO || how == ONCE) {
        action.sa_flags = SA_SIGINFO | (how == ONCE ? (int)SA_RESETHAND : 0);
        action.sa_sigaction = how == ONCE ? on_once : on_info;
    }
    sigaction(SIGSEGV, &action, NULL);
}

/* What the child does once the dispositions are arranged and our handler is in place. */
typedef void (*crime)(fixture *f);

static int status_of_child(disposition how, crime commit)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        arrange(how);
        fixture f;
        setup(&f);
        commit(&f);
        _exit(99);
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

static void touch_nothing_mapped(fixture *f) /* no activation */
{
    (void)f;
    expected = (uint8_t *)16;
    poke((uint8_t *)16);
}
static void ops_elsewhere(fixture *f) /* the interpreter's text, but not a guest's memory */
{
    expected = (uint8_t *)4096;
    (void)wasm_guarded_run(f->store, touch, (uint8_t *)4096);
}
static void host_in_guard(fixture *f) /* a guest's memory, but not guest code */
{
    expected = f->memory->data + 65536;
    (void)wasm_guarded_run(f->store, touch_outside, f->memory->data + 65536);
}
static void memory_of_another_store(fixture *f)
{
    fixture other;
    setup(&other);
    expected = other.memory->data + 65536;
    (void)wasm_guarded_run(f->store, touch, other.memory->data + 65536);
}
static void inside_the_memory(fixture *f) /* committed: whoever took it away, it is no trap */
{
    os_protect(f->memory->data, 4096, OS_NO_ACCESS);
    expected = f->memory->data + 8;
    (void)wasm_guarded_run(f->store, touch, f->memory->data + 8);
}
static void after_the_activation(fixture *f)
{
    if (wasm_guarded_run(f->store, touch, f->memory->data + 65536) != WISP_E_TRAP) _exit(4);
    expected = f->memory->data + 65536;
    poke(f->memory->data + 65536);
}
static void beside_the_memory(fixture *f) /* just below it, or just above, where nothing else is */
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    uint8_t *const at[] = {f->memory->data - 4096, f->memory->data + f->memory->reserved};
    for (unsigned i = 0; i < 2 && !expected; i++) {
        void *p = mmap(at[i], 4096, PROT_NONE, flags, -1, 0);
        if (p != MAP_FAILED) expected = p;
    }
    if (!expected) expected = os_reserve(4096);
    (void)wasm_guarded_run(f->store, touch, (void *)(uintptr_t)expected);
}

static void other_faults_go_where_they_went(void **state)
{
    (void)state;
    static const crime crimes[] = {touch_nothing_mapped, ops_elsewhere,     host_in_guard,    memory_of_another_store,
                                   after_the_activation, beside_the_memory, inside_the_memory};
    for (unsigned i = 0; i < sizeof crimes / sizeof *crimes; i++) {
        int status = status_of_child(BY_DEFAULT, crimes[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSEGV);
        status = status_of_child(IGNORED, crimes[i]); /* the kernel does not let a fault be ignored */
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSEGV);
        status = status_of_child(PLAIN, crimes[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 41);
        status = status_of_child(WITH_INFO, crimes[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 42);
        status = status_of_child(ONCE, crimes[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSEGV);
    }
}

static void send_one(fixture *f)
{
    (void)f;
    raise(SIGSEGV);
    _exit(50); /* it was survived */
}

static void signals_that_are_sent_too(void **state)
{
    (void)state;
    int status = status_of_child(BY_DEFAULT, send_one);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    status = status_of_child(IGNORED, send_one);
    assert_int_equal(WEXITSTATUS(status), 50);
    status = status_of_child(PLAIN, send_one);
    assert_int_equal(WEXITSTATUS(status), 41);
    status = status_of_child(ONCE, send_one);
    assert_int_equal(WEXITSTATUS(status), 50);
}

/* Somebody came after us, with or without remembering us: the next memory puts us in front again. */
static struct sigaction remembered;
static void on_late(int number, siginfo_t *info, void *context)
{
    if (++seen > 1) _exit(5);
    remembered.sa_sigaction(number, info, context); /* ours; which goes on to who was there before */
}

static void come_late(fixture *f, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    wasm_memory *memory;
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaction(SIGSEGV, &action, &remembered);
    if (wasm_memory_new(&memory, f->store, (wasm_range){.min = 1}, NULL) != WISP_OK || !memory->guarded) _exit(1);
    if (wasm_guarded_run(f->store, touch, memory->data + 65536) != WISP_E_TRAP) _exit(2);
}

static void late_and_careless(fixture *f)
{
    come_late(f, on_info);
    host_in_guard(f);
}
static void late_and_careful(fixture *f)
{
    come_late(f, on_late);
    host_in_guard(f);
}

static void handlers_that_come_later(void **state)
{
    (void)state;
    int status = status_of_child(BY_DEFAULT, late_and_careless);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    status = status_of_child(BY_DEFAULT, late_and_careful);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    status = status_of_child(PLAIN, late_and_careful);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 41);
}

static void refused_by_the_system(fixture *f)
{
    struct rlimit space = {4ull << 30, 4ull << 30};
    wasm_memory *memory;
    wasm_store_free(f->store);
    if (setrlimit(RLIMIT_AS, &space) != 0 || wasm_store_new(&f->store, NULL, NULL) != WISP_OK) _exit(1);
    wasm_range range = {.min = 1, .max = 65536, .has_max = true};
    if (wasm_memory_new(&memory, f->store, range, NULL) != WISP_OK || memory->guarded) _exit(2);
    memory->data[65535] = 7;
    if (wasm_memory_grow(memory, 100) != 1 || memory->data[65535] != 7 || memory->data[101 * 65536 - 1]) _exit(3);
    memory->data[101 * 65536 - 1] = 1;
    wasm_store_free(f->store);
    _exit(60);
}

static void guard_pages_are_not_always_there(void **state)
{
    (void)state;
    const char *sanitized = getenv("WISP_SANITIZED");
    if (!sanitized || strcmp(sanitized, "yes") != 0) /* a sanitizer's shadow is larger than that */
        assert_int_equal(WEXITSTATUS(status_of_child(BY_DEFAULT, refused_by_the_system)), 60);
    wasm_limits limits = wasm_limits_defaults;
    wasm_store *store;
    wasm_memory *memory;
    limits.explicit_checks = true;
    assert_int_equal(wasm_store_new(&store, &limits, NULL), WISP_OK);
    assert_int_equal(wasm_memory_new(&memory, store, (wasm_range){.min = 1}, NULL), WISP_OK);
    assert_false(memory->guarded);
    wasm_store_free(store);
    fixture f;
    setup(&f); /* 64-bit memories never are */
    assert_int_equal(wasm_memory_new(&memory, f.store, (wasm_range){.min = 1, .is64 = true}, NULL), WISP_OK);
    assert_false(memory->guarded);
    wasm_store_free(f.store);
}

/* ---- native text, written by hand ---- */

#if defined(__x86_64__)
static const uint8_t spin_code[] = {0xeb, 0xfe};                        /* jmp to itself */
static const uint8_t poke_code[] = {0xc6, 0x07, 0x01, 0xc3};            /* *p = 1 */
static const uint8_t call_code[] = {0x48, 0x83, 0xec, 0x08, 0xff, 0xd7, /* f() */
                                    0x48, 0x83, 0xc4, 0x08, 0xc3};
#elif defined(__aarch64__)
static const uint32_t spin_code[] = {0x14000000};
static const uint32_t poke_code[] = {0x39000001, 0xd65f03c0};
static const uint32_t call_code[] = {0xa9bf7bfd, 0xd63f0000, 0xa8c17bfd, 0xd65f03c0};
#endif
enum { SPIN = 0, POKE = 64, CALL = 128, TEXT = 4096 };

static wasm_image make_text(void)
{
    uint8_t *text = os_pages(TEXT, false);
    assert_non_null(text);
    memcpy(text + SPIN, spin_code, sizeof spin_code);
    memcpy(text + POKE, poke_code, sizeof poke_code);
    memcpy(text + CALL, call_code, sizeof call_code);
    assert_true(os_protect(text, TEXT, OS_EXECUTE));
    __builtin___clear_cache((char *)text, (char *)text + TEXT);
    return (wasm_image){.start = text, .size = TEXT};
}

typedef struct entry {
    wasm_image *image;
    size_t offset;
    void *argument;
} entry;

WASM_CALLS_IMAGE static wisp_status run_blindly(wasm_store *store, void *arg)
{
    (void)store;
    const entry *e = arg;
    ((void (*)(void *))((uintptr_t)e->image->start + e->offset))(e->argument);
    return WISP_OK;
}

/* As every entry into native code: after a look at the bits. */
static wisp_status run_text(wasm_store *store, void *arg)
{
    return wasm_store_interrupted(store) ? wasm_interrupted(store) : run_blindly(store, arg);
}

static wisp_status run_native(wasm_store *store, wasm_image *image, size_t offset, void *argument)
{
    entry e = {image, offset, argument};
    return wasm_guarded_run(store, run_text, &e);
}

static void text_traps(void **state)
{
    (void)state;
    fixture f;
    setup(&f);
    wasm_image image = make_text();
    wasm_image_add(f.store, &image);
    assert_int_equal(run_native(f.store, &image, POKE, f.memory->data), WISP_OK);
    assert_int_equal(f.memory->data[0], 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(run_native(f.store, &image, POKE, f.memory->data + 65536), WISP_E_TRAP);
        assert_true(f.store->fault_pc - (uintptr_t)image.start - POKE < 8);
    }
    wasm_image_remove(f.store, &image);
    os_release((void *)(uintptr_t)image.start, TEXT);
    wasm_store_free(f.store);
}

static void text_that_is_not_registered(fixture *f)
{
    wasm_image image = make_text();
    wisp_status status = run_native(f->store, &image, POKE, f->memory->data + 65536);
    _exit(70 + status);
}
static void text_of_another_store(fixture *f)
{
    fixture other;
    setup(&other);
    wasm_image image = make_text();
    wasm_image_add(other.store, &image);
    wisp_status status = run_native(f->store, &image, POKE, f->memory->data + 65536);
    _exit(70 + status);
}
static void text_that_was_removed(fixture *f)
{
    wasm_image image = make_text();
    wasm_image_add(f->store, &image);
    wasm_image_remove(f->store, &image);
    wisp_status status = run_native(f->store, &image, POKE, f->memory->data + 65536);
    _exit(70 + status);
}
static void text_that_reads_elsewhere(fixture *f)
{
    wasm_image image = make_text();
    wasm_image_add(f->store, &image);
    wisp_status status = run_native(f->store, &image, POKE, (void *)4096);
    _exit(70 + status);
}

static void text_of_nobody(void **state)
{
    (void)state;
    static const crime crimes[] = {text_that_is_not_registered, text_of_another_store, text_that_was_removed,
                                   text_that_reads_elsewhere};
    for (unsigned i = 0; i < sizeof crimes / sizeof *crimes; i++) {
        int status = status_of_child(BY_DEFAULT, crimes[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSEGV);
    }
}

static uint64_t interrupted_at;
static void interrupt_later(void *store)
{
    struct timespec t = {0, 5000000};
    nanosleep(&t, NULL);
    interrupted_at = os_monotonic_ns();
    wasm_store_interrupt(store);
}

static void spinning_text_is_interrupted(void **state)
{
    (void)state;
    fixture f;
    setup(&f);
    wasm_image image = make_text(), second = make_text();
    wasm_image_add(f.store, &image);
    wasm_image_add(f.store, &second);
    double worst = 0;
    for (unsigned i = 0; i < 20; i++) {
        os_thread *thread;
        assert_int_equal(os_thread_start(&thread, interrupt_later, f.store, NULL), WISP_OK);
        assert_int_equal(run_native(f.store, i & 1 ? &second : &image, SPIN, NULL), WISP_E_CANCELLED);
        const double ms = (double)(os_monotonic_ns() - interrupted_at) / 1e6;
        os_thread_join(thread);
        if (ms > worst) worst = ms;
        assert_string_equal(f.store->reason, "interrupted");
        assert_int_equal(run_native(f.store, &image, SPIN, NULL), WISP_E_CANCELLED);
        wasm_store_resume(f.store);
        assert_int_equal(run_native(f.store, &image, POKE, f.memory->data), WISP_OK);
        assert_int_equal(run_native(f.store, &second, POKE, f.memory->data), WISP_OK);
    }
    print_message("native text ended %.2f ms after the interruption (worst of 20)\n", worst);
    assert_true(worst < 1000);
    wasm_store_free(f.store);
    os_release((void *)(uintptr_t)image.start, TEXT);
    os_release((void *)(uintptr_t)second.start, TEXT);
}

static wasm_store *self;
static void interrupt_self(void)
{
    wasm_store_interrupt(self);
}
static void on_timer(int number)
{
    (void)number;
    wasm_store_interrupt(self);
}

/* From a host function below the text, and from a signal handler on its thread. */
static void text_is_interrupted_by_its_own_thread(void **state)
{
    (void)state;
    fixture f;
    setup(&f);
    wasm_image image = make_text();
    wasm_image_add(f.store, &image);
    self = f.store;
    struct sigaction action = {.sa_handler = on_timer}, old;
    sigaction(SIGALRM, &action, &old);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(run_native(f.store, &image, CALL, (void *)(uintptr_t)interrupt_self), WISP_E_CANCELLED);
        wasm_store_resume(f.store);
        struct itimerval timer = {.it_value = {0, 1000}};
        setitimer(ITIMER_REAL, &timer, NULL);
        assert_int_equal(run_native(f.store, &image, SPIN, NULL), WISP_E_CANCELLED);
        wasm_store_resume(f.store);
    }
    sigaction(SIGALRM, &old, NULL);
    wasm_store_free(f.store);
    os_release((void *)(uintptr_t)image.start, TEXT);
}

/* The races of fault.h, one by one, as if a thread had been slow. */
static void late_and_early(void **state)
{
    (void)state;
    fixture f;
    setup(&f);
    wasm_image image = make_text(), other = make_text();
    wasm_image_add(f.store, &image);
    assert_true(os_protect((void *)(uintptr_t)image.start, TEXT, OS_NO_ACCESS)); /* after the resumption */
    assert_int_equal(run_native(f.store, &image, POKE, f.memory->data), WISP_OK);
    wasm_store_interrupt(f.store); /* before the image is there */
    wasm_image_add(f.store, &other);
    entry e = {&other, POKE, f.memory->data};
    assert_int_equal(wasm_guarded_run(f.store, run_blindly, &e), WISP_E_CANCELLED);
    wasm_image_remove(f.store, &image); /* what is removed is left alone */
    assert_true(os_protect((void *)(uintptr_t)image.start, TEXT, OS_EXECUTE));
    wasm_store_interrupt(f.store);
    entry removed = {&image, POKE, f.memory->data};
    assert_int_equal(run_blindly(f.store, &removed), WISP_OK);
    /* the look at the bits was just before: the text itself must stop it */
    assert_int_equal(wasm_guarded_run(f.store, run_blindly, &e), WISP_E_CANCELLED);
    wasm_store_resume(f.store);
    assert_int_equal(wasm_guarded_run(f.store, run_blindly, &e), WISP_OK);
    wasm_image_remove(f.store, &other);
    wasm_store_free(f.store);
    os_release((void *)(uintptr_t)image.start, TEXT);
    os_release((void *)(uintptr_t)other.start, TEXT);
}

typedef struct hammer {
    wasm_store *store;
    _Atomic bool stop;
} hammer;

static void interrupt_again_and_again(void *context)
{
    hammer *h = context;
    for (unsigned i = 0; !h->stop; i++) {
        wasm_store_interrupt(h->store);
        if (i % 3) os_yield();
    }
}

/* Images come and go while two threads interrupt: nothing hangs, nothing else is protected. */
static void interruptions_at_any_time(void **state)
{
    (void)state;
    fixture f;
    setup(&f);
    wasm_image image = make_text();
    wasm_image_add(f.store, &image);
    hammer h = {f.store, false};
    os_thread *threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(os_thread_start(&threads[i], interrupt_again_and_again, &h, NULL), WISP_OK);
    unsigned done = 0;
    for (unsigned i = 0; i < 200; i++) {
        wasm_image brief = make_text();
        wasm_image_add(f.store, &brief);
        assert_int_equal(run_native(f.store, i & 1 ? &image : &brief, SPIN, NULL), WISP_E_CANCELLED);
        wasm_store_resume(f.store);
        wisp_status status = run_native(f.store, &brief, POKE, f.memory->data);
        assert_true(status == WISP_OK || status == WISP_E_CANCELLED);
        done += status == WISP_OK;
        wasm_store_resume(f.store);
        wasm_image_remove(f.store, &brief);
        memset((void *)f.memory->data, (int)i, 4096);
        os_release((void *)(uintptr_t)brief.start, TEXT);
    }
    h.stop = true;
    for (unsigned i = 0; i < 2; i++)
        os_thread_join(threads[i]);
    wasm_store_resume(f.store);
    assert_int_equal(run_native(f.store, &image, POKE, f.memory->data), WISP_OK);
    print_message("%u of 200 short calls ended before an interruption\n", done);
    wasm_store_free(f.store);
    os_release((void *)(uintptr_t)image.start, TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guard_traps),
        cmocka_unit_test(activations_nest),
        cmocka_unit_test(helpers_unwind),
        cmocka_unit_test(threads_fault_at_once),
        cmocka_unit_test(a_thread_that_blocks_signals_may_fault),
        cmocka_unit_test(other_faults_go_where_they_went),
        cmocka_unit_test(signals_that_are_sent_too),
        cmocka_unit_test(handlers_that_come_later),
        cmocka_unit_test(text_traps),
        cmocka_unit_test(text_of_nobody),
        cmocka_unit_test(spinning_text_is_interrupted),
        cmocka_unit_test(text_is_interrupted_by_its_own_thread),
        cmocka_unit_test(late_and_early),
        cmocka_unit_test(interruptions_at_any_time),
        cmocka_unit_test(guard_pages_are_not_always_there),
    };
    return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
