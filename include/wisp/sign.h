/** @file sign.h  Signing files, and telling who signed them (docs/signing.md).
 *
 * Two forms. *Inside*: a section of a WebAssembly module, as wasmsign2 writes it; it covers every byte that follows.
 * *Beside* (detached): FILE.minisig of any file, which minisign reads and writes as well. Keys are Ed25519. A key is
 * called by its id: 24 hexadecimal digits made from the public key.
 *
 * Trusted are the keys in $XDG_CONFIG_HOME/wisp/trust (default ~/.config), files NAME.pub, if nobody but the user and
 * root can change them.
 */
#ifndef WISP_SIGN_H
#define WISP_SIGN_H
#include <wisp/wisp.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { WISP_KEY_NAME_MAX = 64, WISP_SIGNERS_MAX = 64 };

typedef struct wisp_key {
    char id[25];
    char minisign[57];                /**< the public key in one word, as `minisign -P` takes it */
    char name[WISP_KEY_NAME_MAX + 1]; /**< of a trusted key: its file's name without .pub */
} wisp_key;

/** Makes a pair of keys: NAME.key, secret, not encrypted, mode 0600, and NAME.pub. `name` is a path without ending;
 * NULL: $XDG_CONFIG_HOME/wisp/sign. Existing files are left alone (WISP_E_IO). `key` may be NULL. */
WISP_API wisp_status wisp_keygen(const char *name, wisp_key *key, wisp_report *report) WISP_MUST_USE;

typedef struct wisp_sign_options {
    size_t size;
    const char *input;
    const char *output;      /**< NULL: the input itself; detached: INPUT.minisig. Appears when it is complete */
    const char *const *keys; /**< files of secret keys; NULL: the one that wisp_keygen makes with no name */
    uint32_t key_count;
    bool detached;
    bool replace;        /**< drop what others have signed */
    const char *comment; /**< detached: signed too, and shown by who verifies; NULL: the time and the file's name */
    wisp_progress progress;
    void *progress_context;
} wisp_sign_options;

/** Signs a file. Inside a module: signatures by the same keys are replaced, those of others kept if they still hold
 * (*kept, may be NULL, counts them); where adding one would void them, WISP_E_UNSUPPORTED. */
WISP_API wisp_status wisp_sign(const wisp_sign_options *options, uint32_t *kept, wisp_report *report) WISP_MUST_USE;

typedef struct wisp_verify_options {
    size_t size;
    const char *file;
    const char *signature; /**< a detached signature; NULL: the one inside, or else FILE.minisig */
    bool detached;         /**< with NULL above: FILE.minisig, whatever lies inside */
    const char *key;       /**< a public key's file: only that key counts. NULL: the trusted ones */
    wisp_progress progress;
    void *progress_context;
} wisp_verify_options;

typedef struct wisp_signer {
    wisp_key key; /**< .id as the signature says, not checked, where `valid` is false; "" if it says nothing */
    bool valid;   /**< a trusted (or the given) key made this signature */
} wisp_signer;

typedef struct wisp_verdict {
    size_t size;
    bool is_detached;
    uint64_t file_bytes, covered_bytes; /**< inside a module: all but the magic and the signature section itself */
    uint32_t signer_count;
    wisp_signer signers[WISP_SIGNERS_MAX];
    char comment[1024]; /**< detached: signed with the file; cut if longer */
} wisp_verdict;

/** WISP_OK only if a trusted (or the given) key signed the whole file. Otherwise the report says why not:
 * WISP_E_NOT_FOUND no signature, WISP_E_UNTRUSTED not by such a key or changed since, WISP_E_INPUT or
 * WISP_E_UNSUPPORTED a signature that cannot be accepted. `verdict` is filled as far as things are known. */
WISP_API wisp_status wisp_verify(const wisp_verify_options *options, wisp_verdict *verdict,
                                 wisp_report *report) WISP_MUST_USE;

/** Adds a public key's file to the trusted ones, under a name (NULL: the file's own without .pub). */
WISP_API wisp_status wisp_trust_add(const char *file, const char *name, wisp_key *key,
                                    wisp_report *report) WISP_MUST_USE;
/** Removes by name, or by id. */
WISP_API wisp_status wisp_trust_remove(const char *name_or_id, wisp_report *report) WISP_MUST_USE;
WISP_API wisp_status wisp_trust_list(void (*each)(void *context, const wisp_key *key), void *context,
                                     wisp_report *report) WISP_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
