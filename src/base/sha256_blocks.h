/* The compression function of SHA-256 over whole blocks. sha256_x86.c and sha256_generic.c each define
 * base_sha256_blocks; the build takes one of them. */
#ifndef BASE_SHA256_BLOCKS_H
#define BASE_SHA256_BLOCKS_H
#include <stddef.h>
#include <stdint.h>

extern const uint32_t base_sha256_k[64];
void base_sha256_blocks(uint32_t state[8], const uint8_t *data, size_t blocks);
void base_sha256_blocks_portable(uint32_t state[8], const uint8_t *data, size_t blocks);

#endif
