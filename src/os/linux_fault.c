/* SIGSEGV and SIGBUS: ours are handled, all others get what they would have got without us. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "os/faults.h"

enum { SIGNALS = 2 };
static const int numbers[SIGNALS] = {SIGSEGV, SIGBUS};

/* Handlers that ours was put in front of, oldest first. Usually one; another one when somebody who came later was
 * found in our place. Entries are never changed, as a handler may be reading them: what is before `first` is out of
 * use. */
enum { OTHERS = 8 };
typedef struct chain {
    struct sigaction others[OTHERS];
    unsigned first, count; /* atomic */
    bool spent[OTHERS];    /* was for one time (SA_RESETHAND) */
} chain;

static os_fault_owner owner;
static chain chains[SIGNALS];
static pthread_mutex_t installing = PTHREAD_MUTEX_INITIALIZER;
#define THREAD_LOCAL static _Thread_local __attribute__((tls_model("initial-exec")))
THREAD_LOCAL bool prepared;
/* The fault being forwarded, and to which of the others. It comes back if that one had saved our handler as the one
 * before it: then it goes to the next older. */
THREAD_LOCAL const void *forwarded;
THREAD_LOCAL unsigned forwarded_to;

static bool is_ignored(const struct sigaction *action)
{
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_IGN;
}
static bool is_default(const struct sigaction *action)
{
    return is_ignored(action) || (!(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_DFL);
}

/* A fault that the kernel found kills the process even where the signal is ignored; one that was sent does not. */
static void take_default(int number, const siginfo_t *info, bool ignored)
{
    const bool sent = info->si_code <= 0;
    if (sent && ignored) return;
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(number, &action, NULL);
    if (sent) raise(number); /* not blocked: this handler runs with SA_NODEFER */
    /* else the instruction faults again on return, and the core shows it */
}

static void call_other(const struct sigaction *other, int number, siginfo_t *info, void *context)
{
    sigset_t mask = other->sa_mask;
    if (!(other->sa_flags & SA_NODEFER)) sigaddset(&mask, number);
    pthread_sigmask(SIG_BLOCK, &mask, NULL); /* undone by the return from our handler */
    if (other->sa_flags & SA_SIGINFO)
        other->sa_sigaction(number, info, context);
    else
        other->sa_handler(number);
}

static void forward(chain *c, int number, siginfo_t *info, void *context)
{
    const unsigned first = __atomic_load_n(&c->first, __ATOMIC_ACQUIRE);
    const void *const outer = forwarded;
    const unsigned outer_to = forwarded_to;
    const unsigned end = context == outer ? outer_to : __atomic_load_n(&c->count, __ATOMIC_ACQUIRE);
    if (end <= first) {
        take_default(number, info, false);
        return;
    }
    const struct sigaction *other = &c->others[end - 1];
    if (__atomic_load_n(&c->spent[end - 1], __ATOMIC_RELAXED) || is_default(other)) {
        take_default(number, info, is_ignored(other));
        return;
    }
    if (other->sa_flags & (int)SA_RESETHAND) __atomic_store_n(&c->spent[end - 1], true, __ATOMIC_RELAXED);
    forwarded = context;
    forwarded_to = end - 1;
    call_other(other, number, info, context);
    forwarded = outer;
    forwarded_to = outer_to;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    const int saved = errno;
    os_fault_verdict verdict = OS_FAULT_FOREIGN;
    os_landing landing = {NULL, NULL};
    if (info->si_code > 0 && info->si_code != SI_KERNEL) { /* the kernel's, and it knows the address */
        os_fault fault;
        os_context_read(context, &fault);
        fault.address = (uintptr_t)info->si_addr;
        verdict = owner(&fault, &landing);
    }
    if (verdict == OS_FAULT_LAND)
        os_context_land(context, &landing);
    else if (verdict == OS_FAULT_FOREIGN)
        forward(&chains[number == SIGBUS], number, info, context);
    errno = saved;
}

static bool is_ours(int number, struct sigaction *now)
{
    memset(now, 0, sizeof *now); /* a sanitizer that keeps its handler leaves this as it is */
    return sigaction(number, NULL, now) == 0 && (now->sa_flags & SA_SIGINFO) && now->sa_sigaction == on_fault;
}

/* Puts our handler in front of `other`. */
static bool install(chain *c, int number, const struct sigaction *other)
{
    const unsigned count = c->count;
    const struct sigaction *last = count ? &c->others[count - 1] : NULL;
    const bool known = last && last->sa_flags == other->sa_flags && last->sa_handler == other->sa_handler;
    if (!known || c->spent[count - 1]) {
        if (count == OTHERS) return false;
        c->others[count] = *other;
        if (is_default(other)) __atomic_store_n(&c->first, count, __ATOMIC_RELEASE); /* nobody older is left */
        __atomic_store_n(&c->count, count + 1, __ATOMIC_RELEASE);
    }
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER}, now;
    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL) == 0 && is_ours(number, &now);
}

bool os_fault_install(os_fault_owner new_owner)
{
    if (!os_context_supported()) return false;
    pthread_mutex_lock(&installing);
    owner = new_owner;
    bool ok = true;
    for (unsigned i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        if (!is_ours(numbers[i], &now)) ok = install(&chains[i], numbers[i], &now) && ok;
    }
    pthread_mutex_unlock(&installing);
    return ok;
}

void os_fault_prepare_thread(void)
{
    forwarded = NULL; /* a handler that jumped out did not come back to say so */
    if (prepared) return;
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < SIGNALS; i++)
        sigaddset(&set, numbers[i]);
    prepared = pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0;
}
