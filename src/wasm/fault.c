/* fault.h: activations, the owner of faults, protection of native images. */
#include <errno.h>
#include <stdio.h>

#include "os/faults.h"
#include "os/os.h"
#include "wasm/fault.h"

/* The linker's names for the section's bounds; absent while nothing is in it. */
extern const char __start_wasm_ops_text[] __attribute__((weak, visibility("hidden")));
extern const char __stop_wasm_ops_text[] __attribute__((weak, visibility("hidden")));
__attribute__((weak)) const void *wasm_fault_code(wasm_store *store, const uintptr_t *registers, unsigned count);

/* Initial-exec: a signal handler may not allocate thread-local storage. */
static _Thread_local wasm_activation *innermost __attribute__((tls_model("initial-exec")));

/* ---- activations ---- */

wisp_status wasm_guarded_run(wasm_store *store, wisp_status (*body)(wasm_store *store, void *arg), void *arg)
{
    wasm_activation a = {.store = store, .outer = innermost};
    os_fault_prepare_thread();
    wisp_status status;
    if (_setjmp(a.jump) == 0) {
        innermost = &a;
        status = body(store, arg);
    } else {
        status = a.status;
    }
    innermost = a.outer;
    return status;
}

_Noreturn void wasm_unwind(wasm_store *store, wisp_status status)
{
    BASE_ASSERT(innermost && innermost->store == store);
    wasm_trace(store, WASM_TRACE_ALL); /* while the frames are there */
    innermost->status = status;
    _longjmp(innermost->jump, 1);
}

/* Where a thread goes on after a fault of ours: outside the signal handler, so that it may do what it likes. */
static void land(void *argument)
{
    wasm_activation *a = argument;
    const wasm_native_run *run = a->store->native_run;
    if (!a->interrupted && a->store->fault_pc && run && run->ticks_at_fault) a->store->ticks = *run->ticks_at_fault;
    wisp_status status = a->interrupted ? wasm_interrupted(a->store) : wasm_trap_raise(a->store, WASM_TRAP_MEMORY);
    wasm_unwind(a->store, status);
}

/* ---- whose fault ---- */

static bool in_range(uintptr_t address, const void *start, size_t size)
{
    return address - (uintptr_t)start < size;
}

static bool in_ops(uintptr_t pc)
{
    return in_range(pc, __start_wasm_ops_text, (size_t)(__stop_wasm_ops_text - __start_wasm_ops_text));
}

static wasm_image *image_of(const wasm_store *store, uintptr_t pc)
{
    wasm_image *image = atomic_load(&store->images);
    while (image && !in_range(pc, image->start, image->size))
        image = image->next;
    return image;
}

/* An access that begins in the committed part and ends behind it is reported, by some CPUs, where it begins. */
enum { WIDEST_ACCESS = 64 };

static bool in_guard(const wasm_store *store, uintptr_t address)
{
    for (const wasm_memory *m = store->memories; m; m = m->next) {
        if (!m->guarded) continue;
        uintptr_t at = address - (uintptr_t)m->data;
        if (at < m->reserved && at + WIDEST_ACCESS > m->size) return true;
    }
    return false;
}

static bool set_executable(const wasm_image *image)
{
    return os_protect((void *)(uintptr_t)image->start, image->size, OS_EXECUTE);
}

static void forbid(const wasm_image *image)
{
    (void)os_protect((void *)(uintptr_t)image->start, image->size, OS_NO_ACCESS);
}

/* A fetch from an image that is not executable: interrupted, or left so by an interrupter that came late. */
static os_fault_verdict on_fetch(wasm_activation *a, const wasm_image *image)
{
    if (!atomic_load(&a->store->interrupt)) {
        if (!set_executable(image)) return OS_FAULT_FOREIGN;
        if (!atomic_load(&a->store->interrupt)) return OS_FAULT_RETRY;
        forbid(image);
    }
    a->interrupted = true;
    return OS_FAULT_LAND;
}

static os_fault_verdict on_fault(const os_fault *fault, os_landing *landing)
{
    wasm_activation *a = innermost;
    if (!a) return OS_FAULT_FOREIGN;
    wasm_store *store = a->store;
    const bool ops = in_ops(fault->pc);
    const wasm_image *image = ops ? NULL : image_of(store, fault->pc);
    if (!ops && !image) return OS_FAULT_FOREIGN;
    os_fault_verdict verdict = OS_FAULT_FOREIGN;
    if (image && in_range(fault->address, image->start, image->size)) {
        verdict = on_fetch(a, image);
    } else if (in_guard(store, fault->address)) {
        a->interrupted = false;
        verdict = OS_FAULT_LAND;
    }
    if (verdict != OS_FAULT_LAND) return verdict;
    store->fault_code = ops && wasm_fault_code ? wasm_fault_code(store, fault->registers, fault->register_count) : NULL;
    store->fault_pc = ops ? 0 : fault->pc;
    store->fault_frame = fault->frame;
    store->fault_stack = fault->stack;
    store->fault_link = fault->link;
    store->fault_new = true;
    *landing = (os_landing){land, a};
    return OS_FAULT_LAND;
}

bool wasm_faults_available(const wasm_store *store)
{
    return !store->limits.explicit_checks && os_fault_install(on_fault);
}

bool wasm_image_faults_arrive(void)
{
    return os_fault_install(on_fault);
}

/* ---- images and interruption ---- */

static void protect_all(wasm_store *store)
{
    for (const wasm_image *image = atomic_load(&store->images); image; image = image->next)
        forbid(image);
}

void wasm_interrupt(wasm_store *store, uint32_t bit)
{
    const int saved = errno; /* of what a signal handler interrupted */
    atomic_fetch_add(&store->interrupters, 1);
    atomic_fetch_or(&store->interrupt, bit);
    protect_all(store);
    atomic_fetch_sub(&store->interrupters, 1);
    errno = saved;
}

void wasm_uninterrupt(wasm_store *store, uint32_t bits)
{
    if (!(atomic_fetch_and(&store->interrupt, ~bits) & bits)) return;
    for (const wasm_image *image = atomic_load(&store->images); image; image = image->next)
        (void)set_executable(image);
    if (atomic_load(&store->interrupt)) protect_all(store);
}

void wasm_image_add(wasm_store *store, wasm_image *image)
{
    image->next = atomic_load(&store->images);
    atomic_store(&store->images, image);
    if (atomic_load(&store->interrupt)) forbid(image);
}

void wasm_image_remove(wasm_store *store, wasm_image *image)
{
    wasm_image *at = atomic_load(&store->images);
    if (at == image) {
        atomic_store(&store->images, image->next);
    } else {
        while (at && at->next != image)
            at = at->next;
        if (at) at->next = image->next;
    }
    atomic_thread_fence(memory_order_seq_cst);
    while (atomic_load(&store->interrupters))
        os_yield();
}

wisp_status wasm_interrupted(wasm_store *store)
{
    const bool cancelled = atomic_load(&store->interrupt) & WASM_INTERRUPT_CANCEL;
    store->exceeded = cancelled ? WASM_LIMIT_INTERRUPT : WASM_LIMIT_DEADLINE;
    snprintf(store->reason, sizeof store->reason, "%s", cancelled ? "interrupted" : "deadline exceeded");
    return cancelled ? WISP_E_CANCELLED : WISP_E_DEADLINE;
}
