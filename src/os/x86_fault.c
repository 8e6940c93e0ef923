/* The registers of an interrupted thread: x86-64, Linux. */
#include <ucontext.h>

#include "os/faults.h"

bool os_context_supported(void)
{
    return true;
}

void os_context_read(const void *context, os_fault *fault)
{
    static const unsigned char order[] = {REG_RDI, REG_RSI, REG_RDX, REG_RCX, REG_R8,  REG_R9,  REG_RAX, REG_RBX,
                                          REG_RBP, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RSP};
    const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
    fault->pc = (uintptr_t)registers[REG_RIP];
    fault->frame = (uintptr_t)registers[REG_RBP];
    fault->stack = (uintptr_t)registers[REG_RSP];
    fault->link = 0; /* calls push it */
    fault->register_count = sizeof order;
    for (unsigned i = 0; i < sizeof order; i++)
        fault->registers[i] = (uintptr_t)registers[order[i]];
}

/* Below the red zone, aligned as at a function's entry. There is no return address: land() never returns. */
void os_context_land(void *context, const os_landing *landing)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    registers[REG_RSP] = ((registers[REG_RSP] - 128) & ~(greg_t)15) - 8;
    registers[REG_RDI] = (greg_t)(uintptr_t)landing->argument;
    registers[REG_RIP] = (greg_t)(uintptr_t)landing->land;
    registers[REG_EFL] &= ~(greg_t)0x400; /* the direction flag, as the convention wants it */
}
