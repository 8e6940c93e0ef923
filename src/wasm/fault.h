/* Memory faults and interruption: how a guest that reads past its memory, or that runs when it should not, is thrown
 * out of code that makes no check.
 *
 * **Guard pages.** A guarded memory (wasm_memory.guarded) reserves 8 GiB + 64 KiB without access and commits what it
 * has: no 32-bit index plus 32-bit offset reaches beyond. Code in the text section `wasm_ops_text` (the interpreter's)
 * and in registered native images may access such a memory without a comparison.
 *
 * **Whose fault is it?** The handler takes a fault if the thread is inside wasm_guarded_run, the kernel raised it (not
 * kill), the instruction lies in wasm_ops_text or in an image of the innermost activation's store, and the address lies
 * either in the part of one of that store's guarded memories that is not committed, or in the image itself (next
 * paragraph). Everything else goes to the handler that was there before. So a bug in a host function or in a kernel is
 * never taken for a trap. The interrupted thread goes on in a landing function on its own stack, outside the handler,
 * which unwinds to the activation: the code it leaves holds no lock and no resource, being the guest's.
 *
 * **Interruption.** wasm_store_interrupt sets a bit of `store->interrupt`, then makes the text of every image of the
 * store inaccessible: native code faults at its next instruction fetch. Interpreted code looks at the bits on ticks,
 * bulk operations between pieces. To resume is to clear the bits, then to make the images executable. The order of
 * these is all that is needed; every access to the bits and to the list is sequentially consistent:
 *  - R1: who interrupts sets the bit *before* he protects (and before he walks the list).
 *  - R2: whoever makes text executable looks at the bits *afterwards*, and protects it again if any is set. If it saw
 *    none, the bit was set later, and by R1 so was the protection: it was not undone.
 *  - R3: adding an image publishes it, *then* looks at the bits (as R2). If it saw none, the bit is set later, and the
 *    interrupter's walk finds the image.
 *  - An interrupter may protect after the store has been resumed (it was slow). Then native code faults although no bit
 *    is set: the handler makes that image executable again, under R2, and the instruction is tried once more.
 *  - While a host function runs, images may be protected and bits set: the call from native or interpreted code looks
 *    at the bits after it (wasm_call_host), and the return into protected text would fault anyway.
 *  - While the handler or a landing runs: both only unwind or retry, and touch no guest code. A bit set after their
 *    look protects after it, so that a retry faults again; after an unwinding, the next call finds the bit.
 *  - A call looks at the bits before it enters the guest: an interruption of an idle store ends the next call.
 *  - Removing an image unlinks it, *then* waits until no interrupter is inside (`store->interrupters`, counted before
 *    the walk): none can protect what has been unmapped. Interrupters never wait, so they may be signal handlers, also
 *    one that interrupts the remover.
 *  - A deadline is an interrupter on the watchdog's thread with a bit of its own; os_alarm_clear waits for it. The bit
 *    is cleared when the outermost call ends; it is the embedder's bit that stays.
 */
#ifndef WASM_FAULT_H
#define WASM_FAULT_H
#include <setjmp.h>

#include "wasm/machine.h"

/* Bits of store->interrupt. */
enum { WASM_INTERRUPT_CANCEL = 1, WASM_INTERRUPT_DEADLINE = 2 };

/* ---- activations ---- */

typedef struct wasm_activation {
    wasm_store *store;
    struct wasm_activation *outer; /* of this thread */
    wisp_status status;
    bool interrupted; /* why the landing unwinds: else a memory access out of bounds */
    jmp_buf jump;
} wasm_activation;

/* Runs body(store, arg), in which faults are traps. What wasm_unwind was given, or what `body` returned. Frames between
 * are abandoned, not unwound: `body` and what it calls up to guest code must own nothing. */
wisp_status wasm_guarded_run(wasm_store *store, wisp_status (*body)(wasm_store *store, void *arg), void *arg);
/* To the innermost activation of this thread, which is one of `store`. The reason's text is set (wasm_trap_raise…). */
_Noreturn void wasm_unwind(wasm_store *store, wisp_status status);

/* May memories of this store be guarded? Looks at the limits, and whether faults reach us. */
bool wasm_faults_available(const wasm_store *store);

/* Where the interpreter's code pointer is, given the interrupted registers (os/faults.h says in which order); NULL:
 * unknown. Runs inside the signal handler. The interpreter provides it; what it returns is in store->fault_code when
 * the trap is captured. */
const void *wasm_fault_code(wasm_store *store, const uintptr_t *registers, unsigned count);

/* ---- images of native code ---- */

/* For functions that call into an image: a sanitizer would first read the bytes before the callee, which are not a
 * compiler's, and which an interruption makes inaccessible. */
#ifdef __clang__
#define WASM_CALLS_IMAGE __attribute__((no_sanitize("function")))
#else
#define WASM_CALLS_IMAGE
#endif

/* Text of whole pages, readable and executable, mapped for this store alone. The node is the caller's; it stays where
 * it is until it is removed (at the latest before wasm_store_free). Store's thread only. */
typedef struct wasm_image {
    const void *start;
    size_t size;
    _Atomic(struct wasm_image *) next;
} wasm_image;
void wasm_image_add(wasm_store *store, wasm_image *image);
/* To be asked before one is added: interrupting it is a fault, also in a store that has no guarded memory. */
bool wasm_image_faults_arrive(void);
void wasm_image_remove(wasm_store *store, wasm_image *image);

/* ---- interruption ---- */

void wasm_interrupt(wasm_store *store, uint32_t bit); /* async-signal-safe, any thread */
void wasm_uninterrupt(wasm_store *store, uint32_t bits);
/* CANCELLED or DEADLINE with its reason, by the bits that are set. */
wisp_status wasm_interrupted(wasm_store *store);

#endif
