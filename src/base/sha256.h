/* SHA-256 (FIPS 180-4). Ours because the guest needs it inside the sandbox too, and because packing hashes every byte
 * of a model: with the CPU's SHA instructions it runs at memory speed, which libsodium's portable code does not. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H
#include <stddef.h>
#include <stdint.h>

typedef struct base_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} base_sha256;

void base_sha256_init(base_sha256 *h);
void base_sha256_update(base_sha256 *h, const void *data, size_t size);
void base_sha256_final(base_sha256 *h, uint8_t digest[32]);
void base_sha256_of(const void *data, size_t size, uint8_t digest[32]);
void base_hex(const uint8_t *data, size_t size, char *out); /* 2 * size + 1 bytes, lower case */

#endif
