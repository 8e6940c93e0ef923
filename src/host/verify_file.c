/* Who signed a file, and who is trusted. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "capsule/minisig.h"
#include "host/sized.h"
#include "host/trust.h"

typedef struct verifier {
    const wisp_verify_options *options;
    base_span file;
    host_trust trust; /* or the one key given */
    wisp_verdict verdict;
    wisp_report *report;
} verifier;

/* A public key's file that the user names. */
static wisp_status read_public(capsule_public_key *key, const char *path, wisp_report *report)
{
    os_map map;
    BASE_TRY(os_map_file(&map, path, report));
    wisp_status status = map.size > CAPSULE_KEY_FILE_MAX
                             ? base_fail(report, WISP_E_INPUT, "not a key: %llu bytes", (unsigned long long)map.size)
                             : capsule_public_read(key, (base_span){map.data, map.size}, report);
    os_unmap(&map);
    return status ? base_fail_prefix(report, status, path) : WISP_OK;
}

/* A file's name without folders and .pub. */
static void key_name_of(char out[WISP_KEY_NAME_MAX + 1], const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    if (n > 4 && strcmp(name + n - 4, ".pub") == 0) n -= 4;
    if (n > WISP_KEY_NAME_MAX) n = WISP_KEY_NAME_MAX;
    memcpy(out, name, n);
    out[n] = 0;
}

static wisp_status load_keys(verifier *v)
{
    if (!v->options->key) return host_trust_load(&v->trust, v->report);
    v->trust.keys = base_calloc(1, sizeof *v->trust.keys);
    if (!v->trust.keys) return base_fail(v->report, WISP_E_MEMORY, "out of memory for keys");
    v->trust.count = 1;
    key_name_of(v->trust.keys[0].name, v->options->key);
    return read_public(&v->trust.keys[0].key, v->options->key, v->report);
}

static wisp_status not_trusted(verifier *v)
{
    if (v->options->key) return base_fail(v->report, WISP_E_UNTRUSTED, "not signed by the given key");
    if (v->trust.count == 0) return base_fail(v->report, WISP_E_UNTRUSTED, "signed, but no key is trusted here");
    return base_fail(v->report, WISP_E_UNTRUSTED, "signed, but not by a trusted key");
}

/* ---- inside a module ---- */

static wisp_status add_signer(verifier *v, const capsule_signatures *s, uint32_t index, bool *trusted)
{
    const capsule_signature_entry *e = &s->entries[index];
    const host_trusted_key *key;
    BASE_TRY(host_signer_of(&v->trust, s, index, &key, v->report));
    wisp_signer *signer = &v->verdict.signers[v->verdict.signer_count++];
    if (key) {
        signer->valid = *trusted = true;
        host_describe_key(&signer->key, &key->key, key->name);
    } else { /* as many digits as ours have: the rest of a longer one says no more */
        uint32_t n = e->key_id_size < CAPSULE_KEY_ID_BYTES ? e->key_id_size : CAPSULE_KEY_ID_BYTES;
        base_hex(e->key_id, n, signer->key.id);
    }
    return WISP_OK;
}

static wisp_status verify_inside(verifier *v, const capsule_signatures *s)
{
    bool trusted = false;
    v->verdict.covered_bytes = s->file.size - s->body;
    for (uint32_t i = 0; i < s->count; i++)
        BASE_TRY(add_signer(v, s, i, &trusted));
    if (!trusted) return not_trusted(v);
    return capsule_signatures_check(s, NULL, v->options->progress, v->options->progress_context, v->report);
}

/* ---- beside a file ---- */

static wisp_status verify_text(verifier *v, base_span text)
{
    capsule_minisig m;
    const host_trusted_key *key = NULL;
    wisp_signer *signer = &v->verdict.signers[0];
    uint8_t digest[CAPSULE_BLAKE2B_BYTES];
    v->verdict.covered_bytes = v->file.size;
    BASE_TRY(capsule_minisig_read(&m, text, v->report));
    v->verdict.signer_count = 1;
    snprintf(v->verdict.comment, sizeof v->verdict.comment, "%.*s", (int)m.comment.size, (const char *)m.comment.data);
    for (uint32_t i = 0; i < v->trust.count && !key; i++)
        if (capsule_minisig_by(&m, &v->trust.keys[i].key)) key = &v->trust.keys[i];
    if (!key) {
        for (uint32_t i = 0; i < v->trust.count; i++)
            if (memcmp(m.number, v->trust.keys[i].key.number, sizeof m.number) == 0)
                return base_fail(v->report, WISP_E_UNTRUSTED, "a signature that names key %s, but is not by it",
                                 v->trust.keys[i].name);
        return not_trusted(v);
    }
    host_describe_key(&signer->key, &key->key, key->name);
    BASE_TRY(capsule_minisig_digest(digest, v->file, v->options->progress, v->options->progress_context, v->report));
    if (!capsule_minisig_of(&m, digest, &key->key))
        return base_fail(v->report, WISP_E_UNTRUSTED, "changed since it was signed");
    signer->valid = true;
    return WISP_OK;
}

static wisp_status verify_beside(verifier *v, const char *path)
{
    os_map map;
    v->verdict.is_detached = true;
    BASE_TRY(os_map_file(&map, path, v->report));
    /* A copy: nobody changes it between two looks. */
    static const char too_long[] = "longer than a signature is";
    uint8_t text[CAPSULE_MINISIG_FILE_MAX];
    size_t size = map.size < sizeof text ? (size_t)map.size : sizeof text;
    memcpy(text, map.data, size);
    wisp_status status = map.size > sizeof text ? base_fail(v->report, WISP_E_INPUT, "%s: %s", path, too_long)
                                                : verify_text(v, (base_span){text, size});
    os_unmap(&map);
    return status;
}

/* ---- which of the two ---- */

static wisp_status verify_file(verifier *v)
{
    char beside[HOST_PATH_MAX];
    capsule_signatures s;
    wisp_report report = {0};
    if (v->options->signature) return verify_beside(v, v->options->signature);
    int n = snprintf(beside, sizeof beside, "%s.minisig", v->options->file);
    if (n < 0 || n >= HOST_PATH_MAX) return base_fail(v->report, WISP_E_USAGE, "the file's path is too long");
    if (v->options->detached) return verify_beside(v, beside);
    wisp_status status = capsule_signatures_read(&s, v->file, &report);
    if (status == WISP_OK) return verify_inside(v, &s);
    bool module = v->file.size >= 4 && memcmp(v->file.data, "\0asm", 4) == 0;
    if (module && status != WISP_E_NOT_FOUND) return base_fail(v->report, status, "%s", report.text);
    if (os_file_exists(beside)) return verify_beside(v, beside);
    return base_fail(v->report, WISP_E_NOT_FOUND, "not signed: no signature inside, and no %.200s beside it", beside);
}

wisp_status wisp_verify(const wisp_verify_options *options, wisp_verdict *verdict, wisp_report *report)
{
    os_map map;
    wisp_verify_options own;
    BASE_TRY(host_take_options(&own, sizeof own, options, "wisp_verify_options", report));
    BASE_TRY(host_check_result(verdict, "wisp_verdict", report));
    if (!own.file) return base_fail(report, WISP_E_USAGE, "wisp_verify: a file is needed");
    if (!capsule_crypto_start()) return base_fail(report, WISP_E_IO, "no source of randomness");
    verifier v = {.options = &own, .report = report};
    wisp_status status = load_keys(&v);
    if (status == WISP_OK) status = os_map_file(&map, own.file, report);
    if (status == WISP_OK) {
        os_map_sequential(map.data, map.size);
        v.file = (base_span){map.data, map.size};
        v.verdict.file_bytes = map.size;
        status = verify_file(&v);
        if (status) status = base_fail_prefix(report, status, own.file);
        os_unmap(&map);
    }
    host_give_result(verdict, &v.verdict, sizeof v.verdict);
    host_trust_fini(&v.trust);
    return status;
}

/* ---- the trusted keys ---- */

static bool good_name(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '-' && c != '_' && !((c == '.' || c == '@') && i > 0)) return false;
    }
    return n > 0 && n <= WISP_KEY_NAME_MAX;
}

static wisp_status trust_path(char out[HOST_PATH_MAX], const char *name, wisp_report *report)
{
    char file[WISP_KEY_NAME_MAX + 16];
    snprintf(file, sizeof file, "trust/%s.pub", name);
    return host_config_path(out, file, report);
}

static wisp_status add_key(const host_trust *trust, const capsule_public_key *key, const char *name,
                           wisp_report *report)
{
    char folder[HOST_PATH_MAX], path[HOST_PATH_MAX], text[CAPSULE_PUBLIC_FILE_MAX];
    for (uint32_t i = 0; i < trust->count; i++)
        if (memcmp(trust->keys[i].key.key, key->key, CAPSULE_PUBLIC_BYTES) == 0)
            return base_fail(report, WISP_E_USAGE, "this key is trusted already, as %s", trust->keys[i].name);
    if (trust->count == HOST_TRUSTED_MAX)
        return base_fail(report, WISP_E_LIMIT, "more than %d trusted keys", HOST_TRUSTED_MAX);
    BASE_TRY(host_config_path(folder, "trust", report));
    BASE_TRY(os_make_directories(folder, report));
    BASE_TRY(os_check_private(folder, report));
    BASE_TRY(trust_path(path, name, report));
    capsule_public_write(text, key);
    return os_create_file(path, 0644, text, strlen(text), report);
}

wisp_status wisp_trust_add(const char *file, const char *name, wisp_key *key, wisp_report *report)
{
    char own[WISP_KEY_NAME_MAX + 1];
    capsule_public_key public_key;
    host_trust trust;
    if (!file) return base_fail(report, WISP_E_USAGE, "wisp_trust_add: a file is needed");
    if (!capsule_crypto_start()) return base_fail(report, WISP_E_IO, "no source of randomness");
    key_name_of(own, file);
    if (!name) name = own;
    if (!good_name(name))
        return base_fail(report, WISP_E_USAGE, "'%.80s' is no name for a key: it has letters, digits, - and _", name);
    BASE_TRY(read_public(&public_key, file, report));
    wisp_status status = host_trust_load(&trust, report);
    if (status == WISP_OK) status = add_key(&trust, &public_key, name, report);
    if (status == WISP_OK && key) host_describe_key(key, &public_key, name);
    host_trust_fini(&trust);
    return status;
}

wisp_status wisp_trust_remove(const char *name_or_id, wisp_report *report)
{
    host_trust trust;
    char path[HOST_PATH_MAX], id[CAPSULE_KEY_ID_TEXT];
    const char *name = NULL;
    if (!name_or_id) return base_fail(report, WISP_E_USAGE, "wisp_trust_remove: a name is needed");
    wisp_status status = host_trust_load(&trust, report);
    for (uint32_t i = 0; status == WISP_OK && i < trust.count; i++) {
        capsule_key_name(id, &trust.keys[i].key);
        if (strcmp(trust.keys[i].name, name_or_id) == 0 || strcmp(id, name_or_id) == 0) name = trust.keys[i].name;
    }
    if (status == WISP_OK && !name)
        status = base_fail(report, WISP_E_NOT_FOUND, "no trusted key is called '%.80s'", name_or_id);
    if (status == WISP_OK) status = trust_path(path, name, report);
    if (status == WISP_OK) status = os_remove_file(path, report);
    host_trust_fini(&trust);
    return status;
}

wisp_status wisp_trust_list(void (*each)(void *context, const wisp_key *key), void *context, wisp_report *report)
{
    host_trust trust;
    if (!each) return base_fail(report, WISP_E_USAGE, "wisp_trust_list: a function is needed");
    wisp_status status = host_trust_load(&trust, report);
    for (uint32_t i = 0; status == WISP_OK && i < trust.count; i++) {
        wisp_key key;
        host_describe_key(&key, &trust.keys[i].key, trust.keys[i].name);
        each(context, &key);
    }
    host_trust_fini(&trust);
    return status;
}
