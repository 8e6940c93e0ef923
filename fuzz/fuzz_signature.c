/* Reaches: capsule_signatures_read, capsule_signatures_check, capsule_sign (lay_out, look_at_old), capsule_public_read,
 * capsule_secret_read, capsule_minisig_read. Input: a module; after a byte 'k' a public key's file, 's' a secret one's,
 * 'm' a minisign signature. What capsule_sign makes of a module must be accepted, and stay as it is when signed again.
 */
#include <string.h>

#include "../tests/model_fixture.h"
#include "capsule/minisig.h"
#include "capsule/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static capsule_secret_key key;
static capsule_public_key public_key;

static wisp_status append(void *self, const void *data, size_t size, wisp_report *report)
{
    (void)report;
    base_put(self, data, size);
    return WISP_OK;
}

static wisp_status overwrite(void *self, uint64_t offset, const void *data, size_t size, wisp_report *report)
{
    (void)report;
    memcpy(((base_buffer *)self)->data + offset, data, size);
    return WISP_OK;
}

static wisp_status sign(base_buffer *out, base_span file)
{
    uint32_t kept;
    const capsule_sign_plan plan = {.file = file, .keys = &key, .key_count = 1};
    const capsule_sink sink = {out, append, overwrite};
    return capsule_sign(&plan, &sink, &kept, NULL);
}

static void module(base_span file)
{
    static capsule_signatures s;
    wisp_report report = {0};
    if (capsule_signatures_read(&s, file, &report) == WISP_OK) {
        BASE_ASSERT(s.count >= 1 && s.part_count == s.hash_count && s.part_ends[s.part_count - 1] == file.size);
        for (uint32_t i = 0; i < s.count; i++)
            (void)!capsule_signatures_by(&s, i, &public_key);
        (void)!capsule_signatures_check(&s, NULL, NULL, NULL, &report);
    } else {
        BASE_ASSERT(report.status != WISP_OK && report.text[0] && s.count == 0);
    }
    base_buffer out = {0}, again = {0};
    if (sign(&out, file) == WISP_OK) {
        bool by = false;
        BASE_ASSERT(capsule_signatures_read(&s, fixture_span(&out), NULL) == WISP_OK);
        for (uint32_t i = 0; i < s.count; i++)
            by |= capsule_signatures_by(&s, i, &public_key);
        BASE_ASSERT(by && capsule_signatures_check(&s, NULL, NULL, NULL, NULL) == WISP_OK);
        BASE_ASSERT(sign(&again, fixture_span(&out)) == WISP_OK && again.size == out.size);
    }
    base_buffer_fini(&out);
    base_buffer_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!key.key[0]) {
        BASE_ASSERT(capsule_crypto_start());
        capsule_keypair_of((const uint8_t[32]){9}, public_key.key, key.key);
        public_key = capsule_public_of(&key);
    }
    capsule_public_key other_public;
    capsule_secret_key other;
    capsule_minisig m;
    const base_span rest = {data + 1, size ? size - 1 : 0};
    switch (size ? data[0] : 0) {
    case 'k':
        (void)!capsule_public_read(&other_public, rest, NULL);
        break;
    case 's':
        (void)!capsule_secret_read(&other, rest, NULL);
        break;
    case 'm':
        if (capsule_minisig_read(&m, rest, NULL) == WISP_OK) (void)!capsule_minisig_by(&m, &public_key);
        break;
    default:
        module((base_span){data, size});
    }
    return 0;
}
