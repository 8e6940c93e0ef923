/* The exports (README.md), besides intrinsics.h and _start. */
#ifndef GUEST_LIBRARY_H
#define GUEST_LIBRARY_H
#include <stdint.h>

uint32_t wisp_abi(void);
void *wisp_alloc(uint32_t size);
void wisp_free(void *p);
int32_t wisp_init(const char *json, uint32_t size);
int32_t wisp_submit(const char *json, uint32_t size);
int32_t wisp_step(void);
const void *wisp_next_event(void);
int32_t wisp_cancel(int32_t id);

#endif
