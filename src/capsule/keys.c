#include "capsule/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"

enum {
    WASMSIGN_PUBLIC = 0x01, /* Signatures.md, "Signature algorithms and key serialization" */
    WASMSIGN_SECRET = 0x81,
    PUBLIC_WORD_BYTES = 2 + CAPSULE_KEY_NUMBER_BYTES + CAPSULE_PUBLIC_BYTES,
    CHECK_BYTES = 32,
    /* algorithm, key derivation, checksum's algorithm, salt, two limits, number, key, checksum */
    SECRET_WORD_BYTES = 2 + 2 + 2 + 32 + 8 + 8 + CAPSULE_KEY_NUMBER_BYTES + CAPSULE_SECRET_BYTES + CHECK_BYTES,
    SSH_BYTES = 4 + 11 + 4 + CAPSULE_PUBLIC_BYTES
};
static const char ssh_name[] = "ssh-ed25519";

/* ---- keys ---- */

/* A key that came without minisign's number gets the one that wisp keygen would have given it: the begin of its name,
 * in minisign's order of digits. */
static void number_of(uint8_t number[CAPSULE_KEY_NUMBER_BYTES], const uint8_t public_key[CAPSULE_PUBLIC_BYTES])
{
    uint8_t id[CAPSULE_KEY_ID_BYTES];
    capsule_key_id(id, public_key);
    for (int i = 0; i < CAPSULE_KEY_NUMBER_BYTES; i++)
        number[i] = id[CAPSULE_KEY_NUMBER_BYTES - 1 - i];
}

void capsule_key_generate(capsule_secret_key *secret)
{
    uint8_t public_key[CAPSULE_PUBLIC_BYTES];
    capsule_keypair(public_key, secret->key);
    number_of(secret->number, public_key);
}

capsule_public_key capsule_public_of(const capsule_secret_key *secret)
{
    capsule_public_key key;
    memcpy(key.number, secret->number, sizeof key.number);
    memcpy(key.key, secret->key + 32, sizeof key.key);
    return key;
}

void capsule_key_name(char out[CAPSULE_KEY_ID_TEXT], const capsule_public_key *key)
{
    uint8_t id[CAPSULE_KEY_ID_BYTES];
    capsule_key_id(id, key->key);
    base_hex(id, sizeof id, out);
}

/* ---- writing ---- */

static void minisign_number(char out[17], const uint8_t number[CAPSULE_KEY_NUMBER_BYTES])
{
    for (int i = 0; i < CAPSULE_KEY_NUMBER_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02X", (unsigned)number[CAPSULE_KEY_NUMBER_BYTES - 1 - i]);
}

void capsule_public_word(char out[CAPSULE_MINISIGN_KEY_TEXT], const capsule_public_key *key)
{
    uint8_t word[PUBLIC_WORD_BYTES] = {'E', 'd'};
    memcpy(word + 2, key->number, sizeof key->number);
    memcpy(word + 2 + sizeof key->number, key->key, sizeof key->key);
    capsule_base64(out, CAPSULE_MINISIGN_KEY_TEXT, word, sizeof word);
}

static void ssh_word(char out[CAPSULE_BASE64_SIZE(SSH_BYTES)], const capsule_public_key *key)
{
    uint8_t blob[SSH_BYTES] = {0, 0, 0, 11, 's', 's', 'h', '-', 'e', 'd', '2', '5', '5', '1', '9', 0, 0, 0, 32};
    memcpy(blob + SSH_BYTES - CAPSULE_PUBLIC_BYTES, key->key, CAPSULE_PUBLIC_BYTES);
    capsule_base64(out, CAPSULE_BASE64_SIZE(SSH_BYTES), blob, sizeof blob);
}

void capsule_public_write(char out[CAPSULE_PUBLIC_FILE_MAX], const capsule_public_key *key)
{
    char number[17], word[CAPSULE_MINISIGN_KEY_TEXT], ssh[CAPSULE_BASE64_SIZE(SSH_BYTES)];
    char name[CAPSULE_KEY_ID_TEXT];
    minisign_number(number, key->number);
    capsule_public_word(word, key);
    ssh_word(ssh, key);
    capsule_key_name(name, key);
    snprintf(out, CAPSULE_PUBLIC_FILE_MAX, CAPSULE_UNTRUSTED_COMMENT "minisign public key %s\n%s\n%s %s wisp-%s\n",
             number, word, ssh_name, ssh, name);
}

static void checksum(uint8_t out[CHECK_BYTES], const capsule_secret_key *key)
{
    capsule_blake2b h;
    capsule_blake2b_init(&h, CHECK_BYTES);
    capsule_blake2b_update(&h, "Ed", 2);
    capsule_blake2b_update(&h, key->number, sizeof key->number);
    capsule_blake2b_update(&h, key->key, sizeof key->key);
    capsule_blake2b_final(&h, out, CHECK_BYTES);
    capsule_wipe(&h, sizeof h);
}

void capsule_secret_write(char out[CAPSULE_SECRET_FILE_MAX], const capsule_secret_key *key)
{
    uint8_t word[SECRET_WORD_BYTES] = {'E', 'd', 0, 0, 'B', '2'}; /* no key derivation: not encrypted */
    uint8_t *at = word + SECRET_WORD_BYTES - CHECK_BYTES - sizeof key->key - sizeof key->number;
    memcpy(at, key->number, sizeof key->number);
    memcpy(at + sizeof key->number, key->key, sizeof key->key);
    checksum(word + SECRET_WORD_BYTES - CHECK_BYTES, key);
    int n = snprintf(out, CAPSULE_SECRET_FILE_MAX, CAPSULE_UNTRUSTED_COMMENT "wisp secret key, not encrypted\n");
    capsule_base64(out + n, CAPSULE_SECRET_FILE_MAX - (size_t)n, word, sizeof word);
    strcat(out, "\n");
    capsule_wipe(word, sizeof word);
}

/* ---- reading ---- */

base_span capsule_read_line(base_reader *r)
{
    const uint8_t *begin = r->at, *end = base_left(r) ? memchr(begin, '\n', base_left(r)) : NULL;
    if (base_left(r) == 0) r->failed = true;
    base_span line = base_read_span(r, end ? (size_t)(end - begin) : base_left(r));
    if (end) base_skip(r, 1);
    if (line.size && line.data[line.size - 1] == '\r') line.size--;
    return line;
}

base_span capsule_after_prefix(base_span line, const char *prefix)
{
    size_t n = strlen(prefix);
    if (line.size < n || memcmp(line.data, prefix, n) != 0) return (base_span){NULL, 0};
    return (base_span){line.data + n, line.size - n};
}

static wisp_status bad_key(wisp_report *report, const char *what)
{
    return base_fail(report, WISP_E_INPUT, "not a key: %s", what);
}

/* The word on the second line, after a comment; {NULL, 0} if the text is something else. */
static base_span key_word(base_reader *r)
{
    base_span comment = capsule_read_line(r), word = capsule_read_line(r);
    if (r->failed || !capsule_after_prefix(comment, CAPSULE_UNTRUSTED_COMMENT).data) return (base_span){NULL, 0};
    return word;
}

static wisp_status parse_public_word(capsule_public_key *key, base_span word, wisp_report *report)
{
    uint8_t bytes[PUBLIC_WORD_BYTES];
    if (!capsule_from_base64(bytes, sizeof bytes, word.data, word.size))
        return bad_key(report, "its second line is not the base64 of a minisign public key's 42 bytes");
    base_reader r = base_reader_of(bytes, sizeof bytes);
    base_span algorithm = base_read_span(&r, 2), number = base_read_span(&r, sizeof key->number);
    if (memcmp(algorithm.data, "Ed", 2) != 0) return bad_key(report, "an algorithm other than Ed25519");
    memcpy(key->number, number.data, number.size);
    memcpy(key->key, base_read_span(&r, sizeof key->key).data, sizeof key->key);
    return WISP_OK;
}

wisp_status capsule_public_read(capsule_public_key *key, base_span file, wisp_report *report)
{
    base_reader r = base_reader_of(file.data, file.size);
    if (file.size && file.data[0] == WASMSIGN_SECRET) return bad_key(report, "this is a secret key");
    if (file.size && file.data[0] == WASMSIGN_PUBLIC) {
        base_skip(&r, 1);
        if (base_left(&r) != sizeof key->key) return bad_key(report, "a wasmsign2 public key has 33 bytes");
        memcpy(key->key, base_read_span(&r, sizeof key->key).data, sizeof key->key);
        number_of(key->number, key->key);
        return WISP_OK;
    }
    base_span word = key_word(&r);
    if (!word.data) return bad_key(report, "neither minisign's text (\"untrusted comment: …\") nor wasmsign2's bytes");
    if (word.size == CAPSULE_BASE64_SIZE(SECRET_WORD_BYTES) - 1) return bad_key(report, "this is a secret key");
    BASE_TRY(parse_public_word(key, word, report));
    if (base_left(&r) == 0) return WISP_OK;
    /* The same key again for other tools; another one there would make them trust something else. */
    char ssh[CAPSULE_BASE64_SIZE(SSH_BYTES)];
    ssh_word(ssh, key);
    base_span encoded = capsule_after_prefix(capsule_read_line(&r), "ssh-ed25519 ");
    if (!capsule_after_prefix(encoded, ssh).data || base_left(&r))
        return bad_key(report, "what follows the second line is not the same key in OpenSSH's form");
    return WISP_OK;
}

/* The fields of a minisign secret key that is not encrypted. */
static wisp_status parse_secret_word(capsule_secret_key *key, const uint8_t bytes[SECRET_WORD_BYTES],
                                     wisp_report *report)
{
    base_reader r = base_reader_of(bytes, SECRET_WORD_BYTES);
    base_span algorithm = base_read_span(&r, 2), derivation = base_read_span(&r, 2), check = base_read_span(&r, 2);
    base_skip(&r, 32 + 8 + 8);
    base_span number = base_read_span(&r, sizeof key->number), secret = base_read_span(&r, sizeof key->key);
    base_span sum = base_read_span(&r, CHECK_BYTES);
    if (memcmp(algorithm.data, "Ed", 2) != 0 || memcmp(check.data, "B2", 2) != 0)
        return bad_key(report, "an algorithm other than Ed25519 with a BLAKE2b checksum");
    if (memcmp(derivation.data, "\0\0", 2) != 0)
        return base_fail(
            report, WISP_E_UNSUPPORTED,
            "the secret key is encrypted with a password, which is not supported: `minisign -C -W -s FILE` "
            "takes the password off");
    memcpy(key->number, number.data, number.size);
    memcpy(key->key, secret.data, secret.size);
    uint8_t expected[CHECK_BYTES];
    static const uint8_t unset[CHECK_BYTES]; /* minisign -G -W leaves it so */
    checksum(expected, key);
    if (memcmp(sum.data, unset, sizeof unset) != 0 && !capsule_equal(expected, sum.data, CHECK_BYTES))
        return bad_key(report, "damaged: its checksum is wrong");
    return WISP_OK;
}

static wisp_status parse_secret(capsule_secret_key *key, base_span file, wisp_report *report)
{
    base_reader r = base_reader_of(file.data, file.size);
    if (file.size && file.data[0] == WASMSIGN_PUBLIC) return bad_key(report, "this is a public key, not a secret one");
    if (file.size && file.data[0] == WASMSIGN_SECRET) {
        base_skip(&r, 1);
        if (base_left(&r) != sizeof key->key) return bad_key(report, "a wasmsign2 key pair has 65 bytes");
        memcpy(key->key, base_read_span(&r, sizeof key->key).data, sizeof key->key);
        number_of(key->number, key->key + 32);
        return WISP_OK;
    }
    base_span word = key_word(&r);
    if (!word.data || base_left(&r))
        return bad_key(report, "neither minisign's text (\"untrusted comment: …\") nor wasmsign2's bytes");
    uint8_t bytes[SECRET_WORD_BYTES];
    wisp_status status = capsule_from_base64(bytes, sizeof bytes, word.data, word.size)
                             ? parse_secret_word(key, bytes, report)
                             : bad_key(report, "its second line is not the base64 of a minisign secret key");
    capsule_wipe(bytes, sizeof bytes);
    return status;
}

wisp_status capsule_secret_read(capsule_secret_key *key, base_span file, wisp_report *report)
{
    uint8_t public_key[CAPSULE_PUBLIC_BYTES], secret_key[CAPSULE_SECRET_BYTES];
    *key = (capsule_secret_key){0};
    wisp_status status = parse_secret(key, file, report);
    if (status == WISP_OK) { /* signing with a public half that is not the seed's would give the seed away */
        capsule_keypair_of(key->key, public_key, secret_key);
        if (!capsule_equal(secret_key, key->key, sizeof secret_key))
            status = bad_key(report, "damaged: its public half does not belong to its secret half");
        capsule_wipe(secret_key, sizeof secret_key);
    }
    if (status) capsule_wipe(key, sizeof *key);
    return status;
}
