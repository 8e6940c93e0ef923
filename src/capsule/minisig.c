#include "capsule/minisig.h"

#include <string.h>

enum { WORD_BYTES = 2 + CAPSULE_KEY_NUMBER_BYTES + CAPSULE_SIGNATURE_BYTES, PIECE = 4 << 20 };
static const char trusted_comment[] = "trusted comment: ";

static wisp_status bad(wisp_report *report, const char *what)
{
    return base_fail(report, WISP_E_INPUT, "not a minisign signature: %s", what);
}

/* A comment is shown on terminals, and is one line in the file. */
static bool is_comment(base_span text)
{
    uint32_t c;
    if (text.size > CAPSULE_COMMENT_MAX) return false;
    for (size_t at = 0, n; at < text.size; at += n) {
        n = base_utf8_decode(text.data + at, text.size - at, &c);
        if (n == 0 || (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0)) return false;
    }
    return true;
}

static wisp_status parse_word(capsule_minisig *m, base_span word, wisp_report *report)
{
    uint8_t bytes[WORD_BYTES];
    if (!capsule_from_base64(bytes, sizeof bytes, word.data, word.size))
        return bad(report, "its second line is not the base64 of 74 bytes");
    base_reader r = base_reader_of(bytes, sizeof bytes);
    base_span algorithm = base_read_span(&r, 2);
    if (memcmp(algorithm.data, "Ed", 2) == 0)
        return base_fail(report, WISP_E_UNSUPPORTED,
                         "a minisign signature of the old form, not of the file's digest: sign again without -l");
    if (memcmp(algorithm.data, "ED", 2) != 0)
        return base_fail(report, WISP_E_UNSUPPORTED, "a minisign signature of an unknown algorithm");
    memcpy(m->number, base_read_span(&r, sizeof m->number).data, sizeof m->number);
    memcpy(m->signature, base_read_span(&r, sizeof m->signature).data, sizeof m->signature);
    return WISP_OK;
}

wisp_status capsule_minisig_read(capsule_minisig *m, base_span text, wisp_report *report)
{
    *m = (capsule_minisig){0};
    base_reader r = base_reader_of(text.data, text.size);
    base_span untrusted = capsule_read_line(&r), word = capsule_read_line(&r);
    base_span comment = capsule_read_line(&r), whole = capsule_read_line(&r);
    if (r.failed) return bad(report, "it has fewer than four lines");
    if (base_left(&r)) return bad(report, "lines after the fourth");
    if (!capsule_after_prefix(untrusted, CAPSULE_UNTRUSTED_COMMENT).data)
        return bad(report, "its first line does not begin with \"untrusted comment: \"");
    BASE_TRY(parse_word(m, word, report));
    m->comment = capsule_after_prefix(comment, trusted_comment);
    if (!m->comment.data || !is_comment(m->comment))
        return bad(report, "its third line is not \"trusted comment: \" and printable text");
    if (!capsule_from_base64(m->whole, sizeof m->whole, whole.data, whole.size))
        return bad(report, "its fourth line is not the base64 of 64 bytes");
    return WISP_OK;
}

/* The signature and the comment after it: what the second signature is of. */
static size_t comment_message(uint8_t out[CAPSULE_SIGNATURE_BYTES + CAPSULE_COMMENT_MAX], const uint8_t *signature,
                              base_span comment)
{
    memcpy(out, signature, CAPSULE_SIGNATURE_BYTES);
    memcpy(out + CAPSULE_SIGNATURE_BYTES, comment.data, comment.size);
    return CAPSULE_SIGNATURE_BYTES + comment.size;
}

bool capsule_minisig_by(const capsule_minisig *m, const capsule_public_key *key)
{
    uint8_t message[CAPSULE_SIGNATURE_BYTES + CAPSULE_COMMENT_MAX];
    size_t size = comment_message(message, m->signature, m->comment);
    return capsule_ed25519_verify(m->whole, message, size, key->key);
}

bool capsule_minisig_of(const capsule_minisig *m, const uint8_t digest[CAPSULE_BLAKE2B_BYTES],
                        const capsule_public_key *key)
{
    return capsule_ed25519_verify(m->signature, digest, CAPSULE_BLAKE2B_BYTES, key->key);
}

wisp_status capsule_minisig_digest(uint8_t digest[CAPSULE_BLAKE2B_BYTES], base_span file, capsule_progress progress,
                                   void *context, wisp_report *report)
{
    capsule_blake2b h;
    if (!capsule_crypto_start()) return base_fail(report, WISP_E_IO, "no source of randomness");
    capsule_blake2b_init(&h, CAPSULE_BLAKE2B_BYTES);
    for (size_t at = 0, n; at < file.size; at += n) {
        n = file.size - at < PIECE ? file.size - at : PIECE;
        capsule_blake2b_update(&h, file.data + at, n);
        if (progress && !progress(context, at + n, file.size)) return base_fail(report, WISP_E_CANCELLED, "cancelled");
    }
    capsule_blake2b_final(&h, digest, CAPSULE_BLAKE2B_BYTES);
    return WISP_OK;
}

wisp_status capsule_minisig_write(base_buffer *out, const uint8_t digest[CAPSULE_BLAKE2B_BYTES],
                                  const capsule_secret_key *key, const char *comment, wisp_report *report)
{
    const base_span text = {(const uint8_t *)comment, strlen(comment)};
    uint8_t word[WORD_BYTES] = {'E', 'D'}, whole[CAPSULE_SIGNATURE_BYTES];
    uint8_t *signature = word + WORD_BYTES - CAPSULE_SIGNATURE_BYTES;
    uint8_t message[CAPSULE_SIGNATURE_BYTES + CAPSULE_COMMENT_MAX];
    char base64[CAPSULE_BASE64_SIZE(WORD_BYTES)];
    if (!is_comment(text))
        return base_fail(report, WISP_E_USAGE, "the comment is not one line of text of at most %d bytes",
                         CAPSULE_COMMENT_MAX);
    memcpy(word + 2, key->number, sizeof key->number);
    capsule_ed25519_sign(signature, digest, CAPSULE_BLAKE2B_BYTES, key->key);
    capsule_ed25519_sign(whole, message, comment_message(message, signature, text), key->key);
    capsule_base64(base64, sizeof base64, word, sizeof word);
    base_putf(out, CAPSULE_UNTRUSTED_COMMENT "signature from wisp secret key\n%s\n%s%s\n", base64, trusted_comment,
              comment);
    capsule_base64(base64, sizeof base64, whole, sizeof whole);
    base_putf(out, "%s\n", base64);
    return out->failed ? base_fail(report, WISP_E_MEMORY, "out of memory for the signature") : WISP_OK;
}
