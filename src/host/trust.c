#include "host/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static wisp_status read_installation_key(const char *path, uint8_t key[32], wisp_report *report)
{
    size_t size;
    BASE_TRY(os_read_private(path, true, key, 32, &size, report));
    return size == 32 ? WISP_OK : base_fail(report, WISP_E_INPUT, "%s: not 32 bytes: remove it", path);
}

wisp_status host_installation_key(uint8_t key[32], const char *purpose, wisp_report *report)
{
    char folder[HOST_PATH_MAX], path[HOST_PATH_MAX];
    uint8_t secret[32];
    wisp_report missing = {0};
    BASE_TRY(host_config_path(folder, "", report));
    BASE_TRY(host_config_path(path, "installation.key", report));
    if (!os_file_exists(path)) {
        BASE_TRY(os_make_directories(folder, report));
        if (!os_random(secret, sizeof secret)) return base_fail(report, WISP_E_IO, "no source of randomness");
        (void)!os_create_file(path, 0600, secret, sizeof secret, &missing); /* another process may have been faster */
    }
    BASE_TRY(os_check_private(folder, report));
    BASE_TRY(read_installation_key(path, secret, report));
    capsule_mac(key, secret, purpose, strlen(purpose));
    capsule_wipe(secret, sizeof secret);
    return WISP_OK;
}

void host_describe_key(wisp_key *out, const capsule_public_key *key, const char *name)
{
    *out = (wisp_key){0};
    capsule_key_name(out->id, key);
    capsule_public_word(out->minisign, key);
    snprintf(out->name, sizeof out->name, "%s", name);
}

/* ---- the folder ---- */

typedef struct loader {
    host_trust *trust;
    const char *folder;
    wisp_status status;
    wisp_report *report;
} loader;

static wisp_status load_key(loader *l, const char *file)
{
    char path[HOST_PATH_MAX];
    uint8_t text[CAPSULE_KEY_FILE_MAX];
    size_t size, stem = strlen(file) - 4;
    int n = snprintf(path, sizeof path, "%s/%s", l->folder, file);
    if (n < 0 || n >= HOST_PATH_MAX || stem > WISP_KEY_NAME_MAX)
        return base_fail(l->report, WISP_E_INPUT, "%.200s: its name is too long", file);
    if (l->trust->count == HOST_TRUSTED_MAX)
        return base_fail(l->report, WISP_E_LIMIT, "%s: more than %d trusted keys", l->folder, HOST_TRUSTED_MAX);
    host_trusted_key *k = &l->trust->keys[l->trust->count];
    BASE_TRY(os_read_private(path, false, text, sizeof text, &size, l->report));
    wisp_status status = capsule_public_read(&k->key, (base_span){text, size}, l->report);
    if (status) return base_fail_prefix(l->report, status, path);
    memcpy(k->name, file, stem);
    k->name[stem] = 0;
    l->trust->count++;
    return WISP_OK;
}

static bool visit(void *context, const char *name)
{
    loader *l = context;
    size_t n = strlen(name);
    if (name[0] == '.' || n <= 4 || strcmp(name + n - 4, ".pub") != 0) return true;
    l->status = load_key(l, name);
    return l->status == WISP_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const host_trusted_key *)a)->name, ((const host_trusted_key *)b)->name);
}

wisp_status host_trust_load(host_trust *t, wisp_report *report)
{
    char folder[HOST_PATH_MAX];
    *t = (host_trust){0};
    BASE_TRY(host_config_path(folder, "trust", report));
    if (!os_file_exists(folder)) return WISP_OK;
    if (!capsule_crypto_start()) return base_fail(report, WISP_E_IO, "no source of randomness");
    BASE_TRY(os_check_private(folder, report));
    t->keys = base_calloc(HOST_TRUSTED_MAX, sizeof *t->keys);
    if (!t->keys) return base_fail(report, WISP_E_MEMORY, "out of memory for trusted keys");
    loader l = {.trust = t, .folder = folder, .report = report};
    BASE_TRY(os_list_folder(folder, visit, &l, report));
    BASE_TRY(l.status);
    qsort(t->keys, t->count, sizeof *t->keys, by_name);
    return WISP_OK;
}

void host_trust_fini(host_trust *t)
{
    base_free(t->keys);
    *t = (host_trust){0};
}

/* ---- signatures ---- */

wisp_status host_signer_of(const host_trust *t, const capsule_signatures *s, uint32_t index,
                           const host_trusted_key **key, wisp_report *report)
{
    *key = NULL;
    for (uint32_t i = 0; i < t->count; i++) {
        bool valid = capsule_signatures_by(s, index, &t->keys[i].key);
        if (!valid && capsule_signatures_names(s, index, &t->keys[i].key))
            return base_fail(report, WISP_E_UNTRUSTED, "a signature that names key %s, but is not by it",
                             t->keys[i].name);
        if (valid) *key = &t->keys[i];
        if (valid) return WISP_OK;
    }
    return WISP_OK;
}

static wisp_status check(const host_trust_query *q, const host_trust *trust, const host_trusted_key **signer,
                         wisp_report *report)
{
    capsule_signatures s;
    *signer = NULL;
    if (q->identity && host_trust_recall(q, trust, signer)) return WISP_OK;
    BASE_TRY(capsule_signatures_read(&s, q->file, report));
    for (uint32_t i = 0; i < s.count; i++) {
        const host_trusted_key *key;
        BASE_TRY(host_signer_of(trust, &s, i, &key, report));
        if (key && !*signer) *signer = key;
    }
    if (!*signer) return base_fail(report, WISP_E_UNTRUSTED, "not signed by a trusted key");
    BASE_TRY(capsule_signatures_check(&s, &q->copied, NULL, NULL, report));
    if (q->identity) host_trust_remember(q, *signer);
    return WISP_OK;
}

wisp_status host_trust_check(const host_trust_query *query, wisp_key *signer, wisp_report *report)
{
    host_trust trust;
    const host_trusted_key *key;
    wisp_status status = host_trust_load(&trust, report);
    if (status == WISP_OK && trust.count == 0) status = base_fail(report, WISP_E_UNTRUSTED, "no key is trusted here");
    if (status == WISP_OK) status = check(query, &trust, &key, report);
    if (status == WISP_OK && signer) host_describe_key(signer, &key->key, key->name);
    host_trust_fini(&trust);
    return status;
}
