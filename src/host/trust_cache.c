/* Verdicts on large files, so that they are not read whole at each start. One small file each, which may go at any
 * time: the signer's public key, then a MAC over everything that the verdict is about. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "host/host.h"
#include "host/trust.h"

enum { FRESH_SECONDS = 2, ENTRY_BYTES = CAPSULE_PUBLIC_BYTES + CAPSULE_MAC_BYTES };

/* What a verdict is about, in fixed fields. */
enum { SUBJECT_BYTES = 8 * 7 + 32 + CAPSULE_PUBLIC_BYTES };
typedef struct subject {
    uint8_t bytes[SUBJECT_BYTES]; /* the signer's key last */
    char path[HOST_PATH_MAX];
} subject;

static void put_u64(uint8_t *out, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}

static bool describe(subject *s, const host_trust_query *q)
{
    const os_file_info *f = q->identity;
    const uint64_t fields[7] = {
        f->device, f->inode, f->size, (uint64_t)f->mtime_ns, (uint64_t)f->ctime_ns, q->copied.at, q->copied.bytes.size};
    uint8_t digest[32];
    char hex[65], folder[HOST_PATH_MAX];
    memset(s->bytes, 0, sizeof s->bytes);
    for (int i = 0; i < 7; i++)
        put_u64(s->bytes + 8 * i, fields[i]);
    base_sha256_of(q->copied.bytes.data, q->copied.bytes.size, s->bytes + 8 * 7);
    base_sha256_of(s->bytes, SUBJECT_BYTES - CAPSULE_PUBLIC_BYTES, digest);
    base_hex(digest, sizeof digest, hex);
    if (host_cache_folder(folder, "trust", NULL) != WISP_OK) return false;
    int n = snprintf(s->path, sizeof s->path, "%s/%s", folder, hex);
    return n > 0 && n < HOST_PATH_MAX;
}

static bool authenticate(uint8_t mac[CAPSULE_MAC_BYTES], subject *s, const uint8_t public_key[CAPSULE_PUBLIC_BYTES])
{
    uint8_t key[32];
    if (host_installation_key(key, "wisp verdicts 1", NULL) != WISP_OK) return false;
    memcpy(s->bytes + SUBJECT_BYTES - CAPSULE_PUBLIC_BYTES, public_key, CAPSULE_PUBLIC_BYTES);
    capsule_mac(mac, key, s->bytes, sizeof s->bytes);
    capsule_wipe(key, sizeof key);
    return true;
}

bool host_trust_recall(const host_trust_query *query, const host_trust *trust, const host_trusted_key **signer)
{
    subject s;
    uint8_t entry[ENTRY_BYTES], mac[CAPSULE_MAC_BYTES];
    size_t size;
    *signer = NULL;
    if (!describe(&s, query) || os_read_private(s.path, false, entry, sizeof entry, &size, NULL) != WISP_OK ||
        size != sizeof entry)
        return false;
    for (uint32_t i = 0; i < trust->count; i++)
        if (memcmp(trust->keys[i].key.key, entry, CAPSULE_PUBLIC_BYTES) == 0) *signer = &trust->keys[i];
    if (!*signer || !authenticate(mac, &s, entry) || !capsule_equal(mac, entry + CAPSULE_PUBLIC_BYTES, sizeof mac))
        *signer = NULL;
    return *signer != NULL;
}

void host_trust_remember(const host_trust_query *query, const host_trusted_key *signer)
{
    subject s;
    uint8_t entry[ENTRY_BYTES];
    /* A change within the same tick of the clock would leave the same times: such a file is not young enough to know.
     */
    const int64_t fresh = (int64_t)os_realtime_ns() - FRESH_SECONDS * INT64_C(1000000000);
    if (query->identity->ctime_ns > fresh || query->identity->mtime_ns > fresh) return;
    if (!describe(&s, query) || !authenticate(entry + CAPSULE_PUBLIC_BYTES, &s, signer->key.key)) return;
    memcpy(entry, signer->key.key, CAPSULE_PUBLIC_BYTES);
    os_output *out;
    if (os_output_open(&out, s.path, NULL) != WISP_OK) return;
    if (os_output_make_private(out, NULL) == WISP_OK && os_output_write(out, entry, sizeof entry, NULL) == WISP_OK)
        (void)!os_output_commit(out, NULL);
    else
        os_output_abort(out);
}
