/* The functions that a host may replace by native ones (listed in the capsule's wisp.intrinsics section), with the
 * portable bodies of portable.c. They live in a file of their own and the guest is built without LTO, so that the
 * compiler knows nothing about them but these declarations.
 */
#ifndef GUEST_INTRINSICS_H
#define GUEST_INTRINSICS_H
#include "tensor/abi.h"

uint32_t wisp_dev_caps(uint32_t query);   /* WISP_CAPS_* */
uint32_t wisp_dev_weights(uint32_t n);    /* handle of model data n (0: the whole data segment); 0: none */
uint32_t wisp_dev_alloc(uint64_t bytes);  /* zeroed; 0: over the limit */
void wisp_dev_free(uint32_t h);
/* Linear memory to buffer and back: 0, or non-zero and nothing was written (a native host traps instead). */
uint32_t wisp_dev_write(uint32_t h, uint64_t offset, const void *ptr, uint32_t bytes);
uint32_t wisp_dev_read(uint32_t h, uint64_t offset, void *ptr, uint32_t bytes);
/* 0: done. 1: an op or type is not known here, nothing was run. 2: a command is wrong, nothing was run (a native host
 * traps instead). */
uint32_t wisp_dev_submit(const wisp_cmd *cmds, uint32_t count);

enum { GUEST_SUBMIT_DONE = 0, GUEST_SUBMIT_NOT_NATIVE = 1, GUEST_SUBMIT_REFUSED = 2 };

#endif
