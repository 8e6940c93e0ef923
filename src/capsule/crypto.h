/* The one door to libsodium: Ed25519, BLAKE2b-512, HMAC-SHA-256, base64, wiping. Nothing else includes <sodium.h>. */
#ifndef CAPSULE_CRYPTO_H
#define CAPSULE_CRYPTO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CAPSULE_PUBLIC_BYTES = 32,
    CAPSULE_SECRET_BYTES = 64, /* the seed, then the public key: libsodium's and wasmsign2's form */
    CAPSULE_SIGNATURE_BYTES = 64,
    CAPSULE_KEY_ID_BYTES = 12,
    CAPSULE_BLAKE2B_BYTES = 64,
    CAPSULE_MAC_BYTES = 32
};

/* False if libsodium cannot start (no source of randomness). Cheap when repeated; any thread. */
bool capsule_crypto_start(void);

void capsule_keypair(uint8_t public_key[CAPSULE_PUBLIC_BYTES], uint8_t secret_key[CAPSULE_SECRET_BYTES]);
/* The secret key of a seed (its first 32 bytes); with it, checks that a pair belongs together. */
void capsule_keypair_of(const uint8_t seed[32], uint8_t public_key[CAPSULE_PUBLIC_BYTES],
                        uint8_t secret_key[CAPSULE_SECRET_BYTES]);
void capsule_ed25519_sign(uint8_t signature[CAPSULE_SIGNATURE_BYTES], const void *message, size_t size,
                          const uint8_t secret_key[CAPSULE_SECRET_BYTES]);
bool capsule_ed25519_verify(const uint8_t signature[CAPSULE_SIGNATURE_BYTES], const void *message, size_t size,
                            const uint8_t public_key[CAPSULE_PUBLIC_BYTES]) __attribute__((warn_unused_result));
/* wasmsign2's name of a public key: the first 12 bytes of HMAC-SHA-256 of "key_id" with it as the key. */
void capsule_key_id(uint8_t id[CAPSULE_KEY_ID_BYTES], const uint8_t public_key[CAPSULE_PUBLIC_BYTES]);

typedef struct capsule_blake2b {
    _Alignas(64) uint8_t state[384];
} capsule_blake2b;
/* Digests of 32 or 64 bytes, without a key. */
void capsule_blake2b_init(capsule_blake2b *h, size_t digest_bytes);
void capsule_blake2b_update(capsule_blake2b *h, const void *data, size_t size);
void capsule_blake2b_final(capsule_blake2b *h, void *digest, size_t digest_bytes);

void capsule_mac(uint8_t mac[CAPSULE_MAC_BYTES], const uint8_t key[32], const void *data, size_t size);
/* In time that does not depend on the content. */
bool capsule_equal(const void *a, const void *b, size_t size) __attribute__((warn_unused_result));
void capsule_wipe(void *secret, size_t size);

/* Standard alphabet, padded. `out` has room for CAPSULE_BASE64_SIZE(size) characters, the NUL counted. */
#define CAPSULE_BASE64_SIZE(size) (((size) + 2) / 3 * 4 + 1)
void capsule_base64(char *out, size_t capacity, const void *data, size_t size);
/* True if `text` is the base64 of exactly `size` bytes, and nothing else. */
bool capsule_from_base64(void *out, size_t size, const void *text, size_t text_size)
    __attribute__((warn_unused_result));

#endif
