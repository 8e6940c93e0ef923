/* Memory faults (SIGSEGV, SIGBUS) as events: one owner in the process looks at each and says where the thread goes on.
 * What the owner does not want is handled as if this handler were not there. linux_fault.c has the signals, *_fault.c
 * of each CPU the interrupted registers. */
#ifndef OS_FAULTS_H
#define OS_FAULTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OS_FAULT_REGISTERS = 32 };

typedef struct os_fault {
    uintptr_t pc, frame, address; /* of the instruction, the frame pointer, what it wanted to read, write or fetch */
    uintptr_t stack, link; /* the stack pointer; the register that holds a return address, 0 where there is none */
    /* The general registers: those of the C calling convention's arguments first, in order, then the others. */
    uintptr_t registers[OS_FAULT_REGISTERS];
    unsigned register_count;
} os_fault;

typedef enum {
    OS_FAULT_FOREIGN, /* not the owner's */
    OS_FAULT_RETRY,   /* the cause is gone */
    OS_FAULT_LAND,    /* the thread goes on in land(argument), as if the faulting instruction had called it */
} os_fault_verdict;

typedef struct os_landing {
    void (*land)(void *argument); /* must not return */
    void *argument;
} os_landing;

/* Runs inside the signal handler, on the thread that faulted: async-signal-safe calls only. */
typedef os_fault_verdict (*os_fault_owner)(const os_fault *fault, os_landing *landing);

/* Sees to it that our handler is in place, in front of whatever is there now. (One that came later than ours and saved
 * ours as the one before it is called once, not for ever.) False: this platform has none, or a sanitizer keeps its own:
 * no fault may be relied upon. */
bool os_fault_install(os_fault_owner owner);
/* Makes this thread able to take faults: a blocked SIGSEGV would end the process. Cheap after the first time. */
void os_fault_prepare_thread(void);

/* For linux_fault.c, by CPU: reads and changes a ucontext_t. False: not known here. */
bool os_context_supported(void);
void os_context_read(const void *context, os_fault *fault);
void os_context_land(void *context, const os_landing *landing);

#endif
