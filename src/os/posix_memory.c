#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/os.h"

void *os_reserve(size_t size)
{
    void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

bool os_commit(void *address, size_t size)
{
    return size == 0 || mprotect(address, size, PROT_READ | PROT_WRITE) == 0;
}

bool os_protect(void *address, size_t size, os_protection protection)
{
    static const int flags[] = {
        [OS_NO_ACCESS] = PROT_NONE, [OS_READ] = PROT_READ, [OS_EXECUTE] = PROT_READ | PROT_EXEC};
    return mprotect(address, size, flags[protection]) == 0;
}

void os_release(void *address, size_t size)
{
    if (address) munmap(address, size);
}

size_t os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *os_pages(size_t size, bool huge)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    if (huge) madvise(p, size, MADV_HUGEPAGE); /* a wish: small pages serve as well */
    return p;
}

void os_populate(void *address, size_t size)
{
#ifdef MADV_POPULATE_WRITE
    const uintptr_t page = os_page_size(), start = ((uintptr_t)address + page - 1) & ~(page - 1);
    const uintptr_t end = ((uintptr_t)address + size) & ~(page - 1);
    if (end > start) madvise((void *)start, end - start, MADV_POPULATE_WRITE);
#else
    (void)address, (void)size;
#endif
}

void *os_pages_resize(void *old, size_t old_size, size_t size)
{
    if (!old) return os_pages(size, false);
    void *p = mremap(old, old_size, size, MREMAP_MAYMOVE);
    return p == MAP_FAILED ? NULL : p;
}

uint64_t os_peak_resident_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

uint64_t os_physical_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    return pages > 0 ? (uint64_t)pages * os_page_size() : 0;
}
