/* Signatures beside a file, in minisign's form: FILE.minisig, of any kind of file. docs/signing.md has the lines.
 * Only the form that minisign writes since 0.10 ("ED", over BLAKE2b-512 of the file); its older one is refused. */
#ifndef CAPSULE_MINISIG_H
#define CAPSULE_MINISIG_H
#include "capsule/capsule.h"
#include "capsule/keys.h"

enum { CAPSULE_MINISIG_FILE_MAX = 16384, CAPSULE_COMMENT_MAX = 8000 };

typedef struct capsule_minisig {
    uint8_t number[CAPSULE_KEY_NUMBER_BYTES];
    uint8_t signature[CAPSULE_SIGNATURE_BYTES]; /* of the digest */
    uint8_t whole[CAPSULE_SIGNATURE_BYTES];     /* of the signature and the comment */
    base_span comment;                          /* the trusted one: UTF-8 without control characters; of the text */
} capsule_minisig;

wisp_status capsule_minisig_read(capsule_minisig *m, base_span text, wisp_report *report) WISP_MUST_USE;
/* Is the comment signed by this key? A cheap first look; says nothing about the file. */
bool capsule_minisig_by(const capsule_minisig *m, const capsule_public_key *key) WISP_MUST_USE;
/* Is the file's digest signed by this key? */
bool capsule_minisig_of(const capsule_minisig *m, const uint8_t digest[CAPSULE_BLAKE2B_BYTES],
                        const capsule_public_key *key) WISP_MUST_USE;
wisp_status capsule_minisig_digest(uint8_t digest[CAPSULE_BLAKE2B_BYTES], base_span file, capsule_progress progress,
                                   void *context, wisp_report *report) WISP_MUST_USE;

/* Appends the text of a signature. The comment is one line of UTF-8 without control characters. */
wisp_status capsule_minisig_write(base_buffer *out, const uint8_t digest[CAPSULE_BLAKE2B_BYTES],
                                  const capsule_secret_key *key, const char *comment,
                                  wisp_report *report) WISP_MUST_USE;

#endif
