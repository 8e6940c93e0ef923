/* Structs of the public API that begin with their size (wisp/error.h): the caller's may be shorter or longer than ours.
 */
#ifndef HOST_SIZED_H
#define HOST_SIZED_H
#include "base/err.h"
#include <stddef.h>

/* Copies options: what the caller's lack is zero, what they have too much must be zero. `from` NULL: all zero. */
wisp_status host_take_options(void *to, size_t size, const void *from, const char *name,
                              wisp_report *report) WISP_MUST_USE;
/* Before the work: has the caller set its result's size? */
wisp_status host_check_result(const void *result, const char *name, wisp_report *report) WISP_MUST_USE;
/* Copies our result to as much as the caller's has; more of it becomes zero. */
void host_give_result(void *result, const void *own, size_t size);

#endif
