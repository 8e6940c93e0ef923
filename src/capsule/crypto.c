#include "capsule/crypto.h"

#include <sodium.h>
#include <string.h>

#include "base/err.h"

_Static_assert(CAPSULE_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "sizes of libsodium");
_Static_assert(CAPSULE_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "sizes of libsodium");
_Static_assert(CAPSULE_SIGNATURE_BYTES == crypto_sign_BYTES, "sizes of libsodium");
_Static_assert(CAPSULE_MAC_BYTES == crypto_auth_hmacsha256_BYTES, "sizes of libsodium");
_Static_assert(sizeof(crypto_generichash_state) <= sizeof(capsule_blake2b), "sizes of libsodium");

bool capsule_crypto_start(void)
{
    return sodium_init() >= 0;
}

void capsule_keypair(uint8_t public_key[CAPSULE_PUBLIC_BYTES], uint8_t secret_key[CAPSULE_SECRET_BYTES])
{
    crypto_sign_keypair(public_key, secret_key);
}

void capsule_keypair_of(const uint8_t seed[32], uint8_t public_key[CAPSULE_PUBLIC_BYTES],
                        uint8_t secret_key[CAPSULE_SECRET_BYTES])
{
    crypto_sign_seed_keypair(public_key, secret_key, seed);
}

void capsule_ed25519_sign(uint8_t signature[CAPSULE_SIGNATURE_BYTES], const void *message, size_t size,
                          const uint8_t secret_key[CAPSULE_SECRET_BYTES])
{
    crypto_sign_detached(signature, NULL, message, size, secret_key);
}

bool capsule_ed25519_verify(const uint8_t signature[CAPSULE_SIGNATURE_BYTES], const void *message, size_t size,
                            const uint8_t public_key[CAPSULE_PUBLIC_BYTES])
{
    return crypto_sign_verify_detached(signature, message, size, public_key) == 0;
}

void capsule_key_id(uint8_t id[CAPSULE_KEY_ID_BYTES], const uint8_t public_key[CAPSULE_PUBLIC_BYTES])
{
    uint8_t mac[CAPSULE_MAC_BYTES];
    capsule_mac(mac, public_key, "key_id", 6);
    memcpy(id, mac, CAPSULE_KEY_ID_BYTES);
}

void capsule_blake2b_init(capsule_blake2b *h, size_t digest_bytes)
{
    BASE_ASSERT(crypto_generichash_init((crypto_generichash_state *)h->state, NULL, 0, digest_bytes) == 0);
}

void capsule_blake2b_update(capsule_blake2b *h, const void *data, size_t size)
{
    crypto_generichash_update((crypto_generichash_state *)h->state, data, size);
}

void capsule_blake2b_final(capsule_blake2b *h, void *digest, size_t digest_bytes)
{
    crypto_generichash_final((crypto_generichash_state *)h->state, digest, digest_bytes);
}

void capsule_mac(uint8_t mac[CAPSULE_MAC_BYTES], const uint8_t key[32], const void *data, size_t size)
{
    crypto_auth_hmacsha256(mac, data, size, key);
}

bool capsule_equal(const void *a, const void *b, size_t size)
{
    return sodium_memcmp(a, b, size) == 0;
}

void capsule_wipe(void *secret, size_t size)
{
    sodium_memzero(secret, size);
}

void capsule_base64(char *out, size_t capacity, const void *data, size_t size)
{
    sodium_bin2base64(out, capacity, data, size, sodium_base64_VARIANT_ORIGINAL);
}

bool capsule_from_base64(void *out, size_t size, const void *text, size_t text_size)
{
    size_t got = 0;
    const char *end = NULL;
    return sodium_base642bin(out, size, text, text_size, NULL, &got, &end, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           got == size && end == (const char *)text + text_size;
}
