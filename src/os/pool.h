/* A fork-join pool: the threads behind the tensor device's executor (tensor/device.h has the same shape, since tensor
 * may not include os). Threads that wait spin briefly, then sleep. */
#ifndef OS_POOL_H
#define OS_POOL_H
#include "os/os.h"

typedef struct os_pool os_pool;

enum { OS_POOL_THREADS_MAX = 256 };

/* `threads` counts the calling one; 0: one for each CPU that the process may use. */
wisp_status os_pool_new(os_pool **pool, unsigned threads, wisp_report *report) WISP_MUST_USE;
void os_pool_free(os_pool *pool);
unsigned os_pool_threads(const os_pool *pool);

/* Runs work(arg, i) on every thread i < threads (0 is the caller); returns when all are done. Not reentrant. */
void os_pool_run(void *pool, void (*work)(void *arg, unsigned index), void *arg);
/* To be called by every thread of a run: none goes on before all are here. */
void os_pool_barrier(void *pool);

#endif
