/* Which keys the user trusts, and whether a file is signed by one of them. docs/signing.md has the threat model. */
#ifndef HOST_TRUST_H
#define HOST_TRUST_H
#include <wisp/sign.h>

#include "capsule/signature.h"
#include "host/folders.h"
#include "os/os.h"

enum { HOST_TRUSTED_MAX = 256 };

/* A secret of this installation, made on first use, which authenticates what WISP keeps for itself in caches.
 * `purpose` separates one use from another. */
wisp_status host_installation_key(uint8_t key[32], const char *purpose, wisp_report *report) WISP_MUST_USE;

typedef struct host_trusted_key {
    char name[WISP_KEY_NAME_MAX + 1];
    capsule_public_key key;
} host_trusted_key;

typedef struct host_trust {
    host_trusted_key *keys; /* by name */
    uint32_t count;
} host_trust;

/* Loads the trusted keys: none if there is no such folder; a failure if others may change the folder or a file in it,
 * or if one is not a key. host_trust_fini is due in any case. */
wisp_status host_trust_load(host_trust *t, wisp_report *report) WISP_MUST_USE;
void host_trust_fini(host_trust *t);

/* Finds the key that made a signature; *key is NULL if none of these did. A signature that names one of them but is not
 * its own is WISP_E_UNTRUSTED: somebody tampered with it. */
wisp_status host_signer_of(const host_trust *t, const capsule_signatures *s, uint32_t index,
                           const host_trusted_key **key, wisp_report *report) WISP_MUST_USE;

/* Is this whole file signed, inside, by a trusted key? What native code inside files depends on.
 *
 * `copied` is what will be used: bytes that the caller copied from the map to memory that nobody else can write, before
 * the call (or pages of the map made private by os_map_detach). They are hashed in place of the file's, so a file that
 * changes meanwhile cannot slip anything in. The rest is hashed from the map.
 *
 * Reading a large file takes longer than starting it, so a positive verdict is kept under $XDG_CACHE_HOME/wisp/trust,
 * if `identity` (of the mapped file: os_map_file_info) is given: bound to device, inode, size, times of modification
 * and change, the copied bytes' place and digest, and the signer's key, authenticated with the installation's key. It
 * is not kept for a file that changed less than two seconds ago, whose next change might leave the same times. The
 * signer must still be trusted when it is used. */
typedef struct host_trust_query {
    base_span file;
    capsule_copied copied;
    const os_file_info *identity; /* NULL: no cache */
} host_trust_query;

/* WISP_OK: yes, by *signer (may be NULL). WISP_E_NOT_FOUND: not signed. Anything else: why not. */
wisp_status host_trust_check(const host_trust_query *query, wisp_key *signer, wisp_report *report) WISP_MUST_USE;

/* trust_cache.c: both say nothing of why not. */
bool host_trust_recall(const host_trust_query *query, const host_trust *trust, const host_trusted_key **signer);
void host_trust_remember(const host_trust_query *query, const host_trusted_key *signer);

void host_describe_key(wisp_key *out, const capsule_public_key *key, const char *name);

#endif
