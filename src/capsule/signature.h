/* Signatures inside a module, as wasmsign2 writes them (WebAssembly/tool-conventions, Signatures.md): reader and writer
 * side by side. docs/signing.md has the bytes, and where the tool and the document differ.
 *
 * What is read here counts for the whole file or not at all. The hash is taken over the bytes as they lie in the file;
 * wasmsign2 hashes sections written anew with the shortest LEB128 in their heads. The two agree because only files with
 * shortest heads are accepted, so that every byte after the signature section is covered, and in one form only.
 */
#ifndef CAPSULE_SIGNATURE_H
#define CAPSULE_SIGNATURE_H
#include "capsule/capsule.h"
#include "capsule/crypto.h"
#include "capsule/keys.h"

enum {
    CAPSULE_SIGNATURES_MAX = 64, /* signatures in a file */
    CAPSULE_HASHES_MAX = 64,     /* parts of a file: wasmsign2's own limit */
    CAPSULE_HASH_BYTES = 32,
    CAPSULE_KEY_ID_MAX = 64
};

/* Copies: whoever can write to the file while it is mapped must not change a signature between two looks at it. */
typedef struct capsule_signature_entry {
    uint32_t key_id_size; /* may be 0: the signer does not say which key it was */
    uint8_t key_id[CAPSULE_KEY_ID_MAX];
    uint8_t signature[CAPSULE_SIGNATURE_BYTES];
} capsule_signature_entry;

typedef struct capsule_signatures {
    base_span file;
    size_t body; /* where the signed bytes begin: after the signature section */
    uint32_t hash_count;
    uint8_t hashes[CAPSULE_HASHES_MAX][CAPSULE_HASH_BYTES];
    uint32_t count;
    capsule_signature_entry entries[CAPSULE_SIGNATURES_MAX];
    /* Where each signed part ends (after its delimiter), the last one at the file's end. One if there is one hash. */
    uint32_t part_count;
    size_t part_ends[CAPSULE_HASHES_MAX];
} capsule_signatures;

/* Reads the framing of the whole file and the signature section. WISP_E_NOT_FOUND: a module without signature.
 * WISP_E_INPUT or WISP_E_UNSUPPORTED: one that is not acceptable, and why. Says nothing yet about keys or content. */
wisp_status capsule_signatures_read(capsule_signatures *s, base_span file, wisp_report *report) WISP_MUST_USE;

/* Is entry `index` a signature of the hashes by this key? If it names a key, then it must be this one: the name is not
 * signed, and nothing in a file that counts may be other than its signer left it. */
bool capsule_signatures_by(const capsule_signatures *s, uint32_t index, const capsule_public_key *key) WISP_MUST_USE;
/* Does the entry name this key, by wasmsign2's key id? An entry without key id names none. */
bool capsule_signatures_names(const capsule_signatures *s, uint32_t index, const capsule_public_key *key);

/* Bytes that were copied out of the file before: they are hashed in place of what the file says now, so that what is
 * checked is what will be used. {0} is none. */
typedef struct capsule_copied {
    base_span bytes;
    size_t at; /* in the file */
} capsule_copied;
/* Reads the file to its end: are the hashes those of its content? */
wisp_status capsule_signatures_check(const capsule_signatures *s, const capsule_copied *copied,
                                     capsule_progress progress, void *context, wisp_report *report) WISP_MUST_USE;

/* ---- writer ---- */
/* Copies `file`, a module, with a signature section by all of `keys` in it. Section heads take their shortest form.
 * Where the file keeps something on a multiple of CAPSULE_ALIGN by a `wisp.pad` before it, it does so afterwards.
 *
 * Signatures that are already there: those by the same keys are replaced. Those by others are kept if they still hold
 * and the new signature does not move the padding (then they could not hold any more: WISP_E_USAGE); with `replace`
 * they are dropped. *kept counts them. */
typedef struct capsule_sign_plan {
    base_span file;
    const capsule_secret_key *keys;
    uint32_t key_count; /* 1 to CAPSULE_SIGNATURES_MAX */
    bool replace;
    capsule_progress progress;
    void *context;
} capsule_sign_plan;
wisp_status capsule_sign(const capsule_sign_plan *plan, const capsule_sink *sink, uint32_t *kept,
                         wisp_report *report) WISP_MUST_USE;

#endif
