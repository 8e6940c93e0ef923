/* The registers of an interrupted thread: AArch64, Linux. */
#include <ucontext.h>

#include "os/faults.h"

bool os_context_supported(void)
{
    return true;
}

void os_context_read(const void *context, os_fault *fault)
{
    const mcontext_t *m = &((const ucontext_t *)context)->uc_mcontext;
    fault->pc = m->pc;
    fault->frame = m->regs[29];
    fault->stack = m->sp;
    fault->link = m->regs[30];
    fault->register_count = 32;
    for (unsigned i = 0; i < 31; i++)
        fault->registers[i] = m->regs[i];
    fault->registers[31] = m->sp;
}

void os_context_land(void *context, const os_landing *landing)
{
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    m->sp &= ~15ull;
    m->regs[0] = (uintptr_t)landing->argument;
    m->pc = (uintptr_t)landing->land;
    m->pstate &= ~(3ull << 10); /* BTYPE: nothing has branched there */
}
