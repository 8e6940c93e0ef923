/* Making keys, and signing files with them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "capsule/minisig.h"
#include "host/sized.h"
#include "host/trust.h"

static const char default_key[] = "sign"; /* in the folder of settings */

/* ---- keys ---- */

static wisp_status make_pair(const char *stem, wisp_key *out, wisp_report *report)
{
    char secret_path[HOST_PATH_MAX], public_path[HOST_PATH_MAX], text[CAPSULE_SECRET_FILE_MAX];
    capsule_secret_key secret;
    int n = snprintf(secret_path, sizeof secret_path, "%s.key", stem);
    if (n < 0 || n >= HOST_PATH_MAX) return base_fail(report, WISP_E_USAGE, "the key's path is too long");
    snprintf(public_path, sizeof public_path, "%s.pub", stem);
    if (os_file_exists(public_path)) /* before the secret one is made */
        return base_fail(report, WISP_E_IO, "%s: it exists, and is left as it is", public_path);
    capsule_key_generate(&secret);
    const capsule_public_key key = capsule_public_of(&secret);
    capsule_secret_write(text, &secret);
    capsule_wipe(&secret, sizeof secret);
    wisp_status status = os_create_file(secret_path, 0600, text, strlen(text), report);
    capsule_wipe(text, sizeof text);
    BASE_TRY(status);
    capsule_public_write(text, &key);
    status = os_create_file(public_path, 0644, text, strlen(text), report);
    if (status) (void)!os_remove_file(secret_path, NULL);
    if (status == WISP_OK && out) host_describe_key(out, &key, "");
    return status;
}

wisp_status wisp_keygen(const char *name, wisp_key *key, wisp_report *report)
{
    char stem[HOST_PATH_MAX];
    if (!capsule_crypto_start()) return base_fail(report, WISP_E_IO, "no source of randomness");
    if (name) return *name ? make_pair(name, key, report) : base_fail(report, WISP_E_USAGE, "a key without a name");
    BASE_TRY(host_config_path(stem, "", report));
    BASE_TRY(os_make_directories(stem, report));
    BASE_TRY(host_config_path(stem, default_key, report));
    return make_pair(stem, key, report);
}

static wisp_status read_secret(capsule_secret_key *key, const char *path, wisp_report *report)
{
    uint8_t text[CAPSULE_KEY_FILE_MAX];
    size_t size = 0;
    wisp_status status = os_read_private(path, true, text, sizeof text, &size, report);
    if (status == WISP_OK) {
        status = capsule_secret_read(key, (base_span){text, size}, report);
        if (status) status = base_fail_prefix(report, status, path);
    }
    capsule_wipe(text, sizeof text);
    return status;
}

/* ---- signing ---- */

static wisp_status sink_write(void *self, const void *data, size_t size, wisp_report *report)
{
    return os_output_write(self, data, size, report);
}

static wisp_status sink_write_at(void *self, uint64_t offset, const void *data, size_t size, wisp_report *report)
{
    return os_output_write_at(self, offset, data, size, report);
}

static wisp_status sign_inside(const wisp_sign_options *o, const char *output, const capsule_secret_key *keys,
                               base_span file, uint32_t *kept, wisp_report *report)
{
    const capsule_sign_plan plan = {.file = file,
                                    .keys = keys,
                                    .key_count = o->key_count,
                                    .replace = o->replace,
                                    .progress = o->progress,
                                    .context = o->progress_context};
    os_output *out;
    BASE_TRY(os_output_open(&out, output, report));
    const capsule_sink sink = {out, sink_write, sink_write_at};
    wisp_status status = os_output_mode_of(out, o->input, report);
    if (status == WISP_OK) {
        status = capsule_sign(&plan, &sink, kept, report);
        if (status) status = base_fail_prefix(report, status, o->input);
    }
    if (status == WISP_OK) return os_output_commit(out, report);
    os_output_abort(out);
    return status;
}

/* "timestamp:… file:…", as minisign says it; the name without what a comment cannot hold. */
static void default_comment(char *out, size_t size, const char *input)
{
    const char *slash = strrchr(input, '/'), *name = slash ? slash + 1 : input;
    int n = snprintf(out, size, "timestamp:%lld\tfile:", (long long)time(NULL));
    for (size_t at = (size_t)n; *name && at + 1 < size; name++, out[at] = 0)
        out[at++] = *name >= 0x20 && *name < 0x7f ? *name : '?';
}

static wisp_status sign_beside(const wisp_sign_options *o, const char *output, const capsule_secret_key *key,
                               base_span file, wisp_report *report)
{
    char comment[512];
    uint8_t digest[CAPSULE_BLAKE2B_BYTES];
    base_buffer text = {0};
    os_output *out = NULL;
    default_comment(comment, sizeof comment, o->input);
    BASE_TRY(capsule_minisig_digest(digest, file, o->progress, o->progress_context, report));
    wisp_status status = capsule_minisig_write(&text, digest, key, o->comment ? o->comment : comment, report);
    if (status == WISP_OK) status = os_output_open(&out, output, report);
    if (status == WISP_OK) status = os_output_write(out, text.data, text.size, report);
    if (status == WISP_OK)
        status = os_output_commit(out, report);
    else
        os_output_abort(out);
    base_buffer_fini(&text);
    return status;
}

static wisp_status sign_mapped(const wisp_sign_options *o, const capsule_secret_key *keys, uint32_t *kept,
                               wisp_report *report)
{
    char path[HOST_PATH_MAX];
    os_map map;
    os_file_info from, to;
    int n = snprintf(path, sizeof path, "%s.minisig", o->input);
    if (n < 0 || n >= HOST_PATH_MAX) return base_fail(report, WISP_E_USAGE, "the file's path is too long");
    BASE_TRY(os_map_file_info(&map, &from, o->input, report));
    os_map_sequential(map.data, map.size);
    const base_span file = {map.data, map.size};
    wisp_status status;
    if (o->detached) {
        const char *output = o->output ? o->output : path;
        bool same = os_stat(output, &to) && to.inode == from.inode && to.device == from.device;
        status = same ? base_fail(report, WISP_E_USAGE, "%s: the signature would replace the file", output)
                      : sign_beside(o, output, keys, file, report);
    } else { /* in place of a link, the file that it leads to is replaced */
        char *real = o->output ? NULL : os_real_path(o->input, report);
        const char *output = o->output ? o->output : real;
        status = output ? sign_inside(o, output, keys, file, kept, report) : WISP_E_IO;
        base_free(real);
    }
    os_unmap(&map);
    return status;
}

wisp_status wisp_sign(const wisp_sign_options *options, uint32_t *kept, wisp_report *report)
{
    wisp_sign_options o;
    BASE_TRY(host_take_options(&o, sizeof o, options, "wisp_sign_options", report));
    if (!o.input) return base_fail(report, WISP_E_USAGE, "wisp_sign: an input is needed");
    if (!capsule_crypto_start()) return base_fail(report, WISP_E_IO, "no source of randomness");
    char path[HOST_PATH_MAX];
    const char *own = path;
    uint32_t held = 0;
    if (!o.keys) {
        BASE_TRY(host_config_path(path, "sign.key", report));
        if (!os_file_exists(path))
            return base_fail(report, WISP_E_NOT_FOUND, "no key is given, and there is none in %s", path);
        o.keys = &own;
        o.key_count = 1;
    }
    if (o.key_count == 0 || o.key_count > (o.detached ? 1 : WISP_SIGNERS_MAX))
        return base_fail(report, WISP_E_USAGE, "%" PRIu32 " keys: %s", o.key_count,
                         o.detached ? "a detached signature is by one" : "1 to 64 can sign a file");
    capsule_secret_key *keys = base_calloc(o.key_count, sizeof *keys);
    if (!keys) return base_fail(report, WISP_E_MEMORY, "out of memory for keys");
    wisp_status status = WISP_OK;
    for (uint32_t i = 0; i < o.key_count && status == WISP_OK; i++)
        status = read_secret(&keys[i], o.keys[i], report);
    if (status == WISP_OK) status = sign_mapped(&o, keys, &held, report);
    capsule_wipe(keys, o.key_count * sizeof *keys);
    base_free(keys);
    if (kept) *kept = held;
    return status;
}
