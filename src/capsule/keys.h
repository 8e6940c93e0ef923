/* Keys in files. docs/signing.md is the long form.
 *
 * NAME.pub is text: minisign's two lines, and the same key as a line of OpenSSH, which wasmsign2 reads. NAME.key is
 * minisign's secret key without a password. wasmsign2's own binary files (33 and 65 bytes) are read as well.
 */
#ifndef CAPSULE_KEYS_H
#define CAPSULE_KEYS_H
#include "base/bytes.h"
#include "base/err.h"
#include "capsule/crypto.h"

enum {
    CAPSULE_KEY_NUMBER_BYTES = 8, /* minisign's name of a key */
    CAPSULE_KEY_FILE_MAX = 4096,  /* bytes of a key's file */
    CAPSULE_KEY_ID_TEXT = 2 * CAPSULE_KEY_ID_BYTES + 1,
    CAPSULE_MINISIGN_KEY_TEXT = 57, /* a public key in one word, the NUL counted */
    CAPSULE_PUBLIC_FILE_MAX = 512,
    CAPSULE_SECRET_FILE_MAX = 512
};

typedef struct capsule_public_key {
    uint8_t number[CAPSULE_KEY_NUMBER_BYTES];
    uint8_t key[CAPSULE_PUBLIC_BYTES];
} capsule_public_key;

typedef struct capsule_secret_key { /* for capsule_wipe */
    uint8_t number[CAPSULE_KEY_NUMBER_BYTES];
    uint8_t key[CAPSULE_SECRET_BYTES];
} capsule_secret_key;

void capsule_key_generate(capsule_secret_key *secret);
capsule_public_key capsule_public_of(const capsule_secret_key *secret);
/* Lower-case hexadecimal digits of capsule_key_id: how a key is called everywhere. */
void capsule_key_name(char out[CAPSULE_KEY_ID_TEXT], const capsule_public_key *key);

/* The files' texts, NUL-terminated. The secret one is for capsule_wipe. */
void capsule_public_write(char out[CAPSULE_PUBLIC_FILE_MAX], const capsule_public_key *key);
void capsule_secret_write(char out[CAPSULE_SECRET_FILE_MAX], const capsule_secret_key *key);
/* The public key in one word, as `minisign -P` takes it. */
void capsule_public_word(char out[CAPSULE_MINISIGN_KEY_TEXT], const capsule_public_key *key);

wisp_status capsule_public_read(capsule_public_key *key, base_span file, wisp_report *report) WISP_MUST_USE;
/* On failure the key is wiped. */
wisp_status capsule_secret_read(capsule_secret_key *key, base_span file, wisp_report *report) WISP_MUST_USE;

/* The next line of a text without its end (LF or CR LF); the last one may lack it. `failed` when there is none. */
base_span capsule_read_line(base_reader *r);
/* The rest of a line after `prefix`, {NULL, 0} if it begins otherwise. */
base_span capsule_after_prefix(base_span line, const char *prefix);
#define CAPSULE_UNTRUSTED_COMMENT "untrusted comment: "

#endif
