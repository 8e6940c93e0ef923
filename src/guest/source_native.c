/* Model data from memory: the native double's stand-in for the module's data segment. */
#include <string.h>

#include "guest/engine.h"

static void read_span(void *self, uint32_t offset, void *to, uint32_t size)
{
    const base_span *bytes = self;
    BASE_ASSERT(offset <= bytes->size && size <= bytes->size - offset); /* as memory.init traps */
    memcpy(to, bytes->data + offset, size);
}

uint64_t guest_memory_left(void)
{
    return UINT64_MAX;
}

guest_source guest_source_of_span(const base_span *bytes)
{
    bool aligned = (uintptr_t)bytes->data % 64 == 0;
    return (guest_source){.size = bytes->size,
                          .read = read_span,
                          .self = (void *)(uintptr_t)bytes,
                          .mapped = aligned ? bytes->data : NULL};
}
