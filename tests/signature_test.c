/* Signatures in a module and beside a file: what is signed is accepted, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "capsule/capsule.h"
#include "capsule/minisig.h"
#include "capsule/signature.h"
#include "compile/compile.h"
#include "model_fixture.h"

/* ---- keys ---- */

static capsule_secret_key key_of(uint8_t first)
{
    capsule_secret_key key = {.number = {first, 1, 2, 3, 4, 5, 6, 7}};
    uint8_t seed[32] = {first}, public_key[32];
    capsule_keypair_of(seed, public_key, key.key);
    return key;
}

static void from_hex(base_buffer *out, const char *hex)
{
    for (; *hex; hex += 2) {
        unsigned v;
        assert_int_equal(sscanf(hex, "%2x", &v), 1);
        base_put_u8(out, (uint8_t)v);
    }
}

/* RFC 8032 §7.1, TEST 1 and TEST 2 */
static const char rfc_seed[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                  rfc_public[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                  rfc_signature[] = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
                                    "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
                  rfc2_public[] = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                  rfc2_signature[] = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
                                     "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

static capsule_secret_key rfc_key(void)
{
    base_buffer seed = {0};
    capsule_secret_key key = {0};
    uint8_t public_key[32];
    from_hex(&seed, rfc_seed);
    capsule_keypair_of(seed.data, public_key, key.key);
    base_buffer_fini(&seed);
    return key;
}

static void test_primitives(void **state)
{
    (void)state;
    base_buffer b = {0};
    char hex[2 * 64 + 1];
    uint8_t signature[64], digest[64];
    capsule_secret_key key = rfc_key();
    base_hex(key.key + 32, 32, hex);
    assert_string_equal(hex, rfc_public);
    capsule_ed25519_sign(signature, "", 0, key.key);
    base_hex(signature, 64, hex);
    assert_string_equal(hex, rfc_signature);
    from_hex(&b, rfc2_public);
    from_hex(&b, rfc2_signature);
    assert_true(capsule_ed25519_verify(b.data + 32, "\x72", 1, b.data));
    assert_false(capsule_ed25519_verify(b.data + 32, "\x73", 1, b.data));
    base_buffer_fini(&b);
    capsule_blake2b h; /* RFC 7693, appendix A */
    capsule_blake2b_init(&h, 64);
    capsule_blake2b_update(&h, "a", 1);
    capsule_blake2b_update(&h, "bc", 2);
    capsule_blake2b_final(&h, digest, 64);
    base_hex(digest, 64, hex);
    assert_string_equal(hex, "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                             "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
    uint8_t small_order[32] = {1}, zero[64] = {1};
    assert_false(capsule_ed25519_verify(zero, "x", 1, small_order));
}

/* ---- signing into memory ---- */

static wisp_status append(void *self, const void *data, size_t size, wisp_report *report)
{
    base_buffer *b = self;
    base_put(b, data, size);
    return b->failed ? base_fail(report, WISP_E_MEMORY, "out of memory") : WISP_OK;
}

static wisp_status overwrite(void *self, uint64_t offset, const void *data, size_t size, wisp_report *report)
{
    base_buffer *b = self;
    (void)report;
    assert_true(offset <= b->size && size <= b->size - offset);
    memcpy(b->data + offset, data, size);
    return WISP_OK;
}

static wisp_status sign_with(base_buffer *out, base_span file, const capsule_secret_key *keys, uint32_t count,
                             bool replace, uint32_t *kept, wisp_report *report)
{
    const capsule_sign_plan plan = {.file = file, .keys = keys, .key_count = count, .replace = replace};
    const capsule_sink sink = {out, append, overwrite};
    *out = (base_buffer){0};
    return capsule_sign(&plan, &sink, kept, report);
}

static base_buffer sign(base_span file, const capsule_secret_key *key)
{
    base_buffer out;
    wisp_report report = {0};
    uint32_t kept;
    if (sign_with(&out, file, key, 1, false, &kept, &report)) fail_msg("%s", report.text);
    assert_int_equal(kept, 0);
    return out;
}

/* WISP_OK only if this key signed all of it. */
static wisp_status accept(base_span file, const capsule_public_key *key, wisp_report *report)
{
    capsule_signatures s;
    bool by = false;
    BASE_TRY(capsule_signatures_read(&s, file, report));
    for (uint32_t i = 0; i < s.count; i++)
        by |= capsule_signatures_by(&s, i, key);
    if (!by) return base_fail(report, WISP_E_UNTRUSTED, "not by this key");
    return capsule_signatures_check(&s, NULL, NULL, NULL, report);
}

static void accepts(base_span file, const capsule_secret_key *key)
{
    wisp_report report = {0};
    capsule_public_key public_key = capsule_public_of(key);
    if (accept(file, &public_key, &report)) fail_msg("%s", report.text);
}

static void refuses(base_span file, const capsule_secret_key *key, const char *why)
{
    wisp_report report = {0};
    capsule_public_key public_key = capsule_public_of(key);
    assert_int_not_equal(accept(file, &public_key, &report), WISP_OK);
    if (!strstr(report.text, why)) fail_msg("'%s' does not say '%s'", report.text, why);
}

static void put_custom(base_buffer *b, const char *name, const void *content, size_t size)
{
    base_put_u8(b, 0);
    base_put_leb_u32(b, (uint32_t)(1 + strlen(name) + size));
    base_put_u8(b, (uint8_t)strlen(name));
    base_put_text(b, name);
    base_put(b, content, size);
}

static base_buffer small_module(void)
{
    static const uint8_t types[] = {1, 0x60, 0, 0};
    base_buffer b = {0};
    base_put(&b, "\0asm\1\0\0", 8);
    fixture_section(&b, 1, types, sizeof types);
    put_custom(&b, "note", "hello", 5);
    return b;
}

/* ---- wasmsign2 ---- */

/* What wasmsign2's library (0.2.6, SecretKey::sign, default key id) makes of small_module with the RFC's key. */
static const char wasmsign_vector[] =
    "0061736d01000000008101097369676e61747572650101010172011ccb8fedf0af8c64c1739fee7fcca738852c1bac83"
    "4a208afc53ed224225d154014f0c58fb94a6933f01b8b7707a8b01403a6094e84af414e5d350ff12ece43fc5dfc9d10c"
    "2e3fed43d3010a0bde1ebb51cd296c3393426a882bc3cdbb007ed6655ecaf78fe0b105c376c76072bb723a0801040160"
    "0000000a046e6f746568656c6c6f";

static void test_vector(void **state)
{
    (void)state;
    base_buffer module = small_module(), expected = {0};
    capsule_secret_key key = rfc_key();
    from_hex(&expected, wasmsign_vector);
    base_buffer out = sign(fixture_span(&module), &key);
    assert_int_equal(out.size, expected.size);
    assert_memory_equal(out.data, expected.data, out.size);
    accepts(fixture_span(&expected), &key);
    base_buffer_fini(&module);
    base_buffer_fini(&expected);
    base_buffer_fini(&out);
}

/* ---- damage ---- */

static void test_every_byte(void **state)
{
    (void)state;
    base_buffer module = small_module();
    capsule_secret_key key = key_of(1), other = key_of(2);
    base_buffer out = sign(fixture_span(&module), &key);
    capsule_public_key public_key = capsule_public_of(&key);
    accepts(fixture_span(&out), &key);
    refuses(fixture_span(&out), &other, "not by this key");
    refuses(fixture_span(&module), &key, "not signed");
    for (size_t i = 0; i < out.size; i++)
        for (int bit = 0; bit < 8; bit++) {
            out.data[i] ^= (uint8_t)(1 << bit);
            if (accept(fixture_span(&out), &public_key, NULL) == WISP_OK) fail_msg("byte %zu, bit %d", i, bit);
            out.data[i] ^= (uint8_t)(1 << bit);
        }
    for (size_t size = 0; size < out.size; size++)
        assert_int_not_equal(accept((base_span){out.data, size}, &public_key, NULL), WISP_OK);
    accepts(fixture_span(&out), &key);
    base_put_u8(&out, 0);
    refuses(fixture_span(&out), &key, "past the file's end");
    out.size--;
    put_custom(&out, "more", "", 0);
    refuses(fixture_span(&out), &key, "changed since it was signed");
    base_buffer_fini(&module);
    base_buffer_fini(&out);
}

static void test_copied(void **state)
{
    (void)state;
    base_buffer module = small_module();
    capsule_secret_key key = key_of(1);
    base_buffer out = sign(fixture_span(&module), &key);
    capsule_signatures s;
    assert_int_equal(capsule_signatures_read(&s, fixture_span(&out), NULL), WISP_OK);
    uint8_t copy[64];
    for (size_t at = 0; at < out.size; at++)
        for (size_t n = 0; n <= out.size - at && n <= sizeof copy; n += 3) {
            const capsule_copied copied = {{copy, n}, at};
            memcpy(copy, out.data + at, n);
            assert_int_equal(capsule_signatures_check(&s, &copied, NULL, NULL, NULL), WISP_OK);
            if (at < s.body || n == 0) continue;
            memset(out.data + at, 0xaa, n); /* the file changes: the copy counts … */
            assert_int_equal(capsule_signatures_check(&s, &copied, NULL, NULL, NULL), WISP_OK);
            memcpy(out.data + at, copy, n);
            copy[n - 1] ^= 1; /* … also where it is the one that is wrong */
            assert_int_not_equal(capsule_signatures_check(&s, &copied, NULL, NULL, NULL), WISP_OK);
        }
    const capsule_copied outside = {{copy, 2}, out.size - 1};
    assert_int_equal(capsule_signatures_check(&s, &outside, NULL, NULL, NULL), WISP_E_USAGE);
    base_buffer_fini(&module);
    base_buffer_fini(&out);
}

/* ---- signatures by hand ---- */

typedef struct hand {
    uint8_t version, type, hash_function, algorithm;
    uint32_t sets, hash_count, claimed_hashes, signatures, signature_size;
    const char *key_id;
    const char *tail, *set_tail, *record_tail;
} hand;

static void put_slice(base_buffer *b, const base_buffer *from)
{
    base_put_leb_u32(b, (uint32_t)from->size);
    base_put(b, from->data, from->size);
}

/* The payload of a signature of these hashes, with whatever is wrong about it. */
static base_buffer hand_payload(const hand *h, const uint8_t *hashes, const capsule_secret_key *key)
{
    base_buffer message = {0}, record = {0}, set = {0}, out = {0};
    uint8_t signature[64];
    base_put(&message, "wasmsig\1\1\1", 10);
    base_put(&message, hashes, 32 * (size_t)h->hash_count);
    capsule_ed25519_sign(signature, message.data, message.size, key->key);
    base_put_leb_u32(&record, h->key_id ? (uint32_t)strlen(h->key_id) : 0);
    if (h->key_id) base_put_text(&record, h->key_id);
    base_put_u8(&record, h->algorithm);
    base_put_leb_u32(&record, h->signature_size);
    base_put(&record, signature, h->signature_size);
    if (h->record_tail) base_put_text(&record, h->record_tail);
    base_put_leb_u32(&set, h->claimed_hashes ? h->claimed_hashes : h->hash_count);
    base_put(&set, hashes, 32 * (size_t)h->hash_count);
    base_put_leb_u32(&set, h->signatures);
    for (uint32_t i = 0; i < h->signatures && i < 100; i++)
        put_slice(&set, &record);
    if (h->set_tail) base_put_text(&set, h->set_tail);
    base_put_u8(&out, h->version);
    base_put_u8(&out, h->type);
    base_put_u8(&out, h->hash_function);
    base_put_leb_u32(&out, h->sets);
    for (uint32_t i = 0; i < h->sets && i < 100; i++)
        put_slice(&out, &set);
    if (h->tail) base_put_text(&out, h->tail);
    base_buffer_fini(&message);
    base_buffer_fini(&record);
    base_buffer_fini(&set);
    return out;
}

/* A module of these sections behind the signature by hand; hashes NULL: the one of all sections. */
static base_buffer hand_module(const hand *h, const base_buffer *sections, const uint8_t *hashes,
                               const capsule_secret_key *key)
{
    uint8_t whole[32];
    base_buffer out = {0};
    base_sha256_of(sections->data, sections->size, whole);
    base_buffer payload = hand_payload(h, hashes ? hashes : whole, key);
    base_put(&out, "\0asm\1\0\0", 8);
    put_custom(&out, "signature", payload.data, payload.size);
    base_put(&out, sections->data, sections->size);
    base_buffer_fini(&payload);
    return out;
}

static const hand good = {.version = 1,
                          .type = 1,
                          .hash_function = 1,
                          .algorithm = 1,
                          .sets = 1,
                          .hash_count = 1,
                          .signatures = 1,
                          .signature_size = 64};

static void check_hand(hand h, const char *why)
{
    capsule_secret_key key = key_of(1);
    base_buffer sections = {0};
    put_custom(&sections, "a", "1", 1);
    base_buffer out = hand_module(&h, &sections, NULL, &key);
    if (why)
        refuses(fixture_span(&out), &key, why);
    else
        accepts(fixture_span(&out), &key);
    base_buffer_fini(&sections);
    base_buffer_fini(&out);
}

#define WITH(member, value)                                                                                            \
    ({                                                                                                                 \
        hand h_ = good;                                                                                                \
        h_.member = value;                                                                                             \
        h_;                                                                                                            \
    })

static void test_forms(void **state)
{
    (void)state;
    check_hand(good, NULL);
    check_hand(WITH(signatures, 2), NULL); /* the same twice adds nothing and harms nothing */
    check_hand(WITH(key_id, "first"), "not by this key");
    check_hand(WITH(version, 2), "version 2");
    check_hand(WITH(type, 2), "content type 2");
    check_hand(WITH(hash_function, 2), "hash function 2");
    check_hand(WITH(algorithm, 2), "algorithm 0x02");
    check_hand(WITH(sets, 0), "0 sets");
    check_hand(WITH(sets, 2), "2 sets");
    check_hand(WITH(signatures, 0), "0 signatures");
    check_hand(WITH(signatures, 65), "65 signatures");
    check_hand(WITH(signatures, UINT32_MAX), "signatures");
    check_hand(WITH(claimed_hashes, 2), "signature section");
    check_hand(WITH(claimed_hashes, 65), "65 hashes");
    check_hand(WITH(claimed_hashes, UINT32_MAX), "hashes");
    check_hand(WITH(signature_size, 63), "64 bytes");
    check_hand(WITH(signature_size, 0), "64 bytes");
    check_hand(WITH(tail, "x"), "does not fill");
    check_hand(WITH(set_tail, "x"), "after its last signature");
    check_hand(WITH(record_tail, "x"), "does not fill");
    check_hand(WITH(key_id, "12345678901234567890123456789012345678901234567890123456789012345"), "key id");
}

/* ---- parts ---- */

static void put_delimiter(base_buffer *b)
{
    put_custom(b, "signature_delimiter", "0123456789abcdef", 16);
}

static void test_parts(void **state)
{
    (void)state;
    capsule_secret_key key = key_of(1);
    base_buffer sections = {0};
    uint8_t hashes[3][32];
    size_t ends[3];
    for (int i = 0; i < 3; i++) {
        put_custom(&sections, "part", &i, 1);
        put_delimiter(&sections);
        ends[i] = sections.size;
        base_sha256_of(sections.data, sections.size, hashes[i]);
    }
    hand h = WITH(hash_count, 3);
    base_buffer out = hand_module(&h, &sections, hashes[0], &key);
    accepts(fixture_span(&out), &key); /* every part is signed */
    put_custom(&out, "more", "", 0);
    refuses(fixture_span(&out), &key, "partial");
    put_delimiter(&out);
    refuses(fixture_span(&out), &key, "partial");
    base_buffer_fini(&out);

    h = WITH(hash_count, 2); /* the last part is not */
    out = hand_module(&h, &sections, hashes[0], &key);
    refuses(fixture_span(&out), &key, "partial");
    base_buffer_fini(&out);
    h = WITH(hash_count, 1);
    out = hand_module(&h, &sections, hashes[0], &key);
    refuses(fixture_span(&out), &key, "changed");
    base_buffer_fini(&out);
    out = hand_module(&h, &sections, hashes[2], &key); /* one hash over all, as wasmsign2's simple form */
    accepts(fixture_span(&out), &key);
    base_buffer_fini(&out);
    const size_t all = sections.size;
    sections.size = ends[1]; /* a part was taken away */
    h = WITH(hash_count, 3);
    out = hand_module(&h, &sections, hashes[0], &key);
    refuses(fixture_span(&out), &key, "3 parts are signed, but the file has 2");
    base_buffer_fini(&out);
    sections.size = all;
    memcpy(hashes[0], hashes[1], 32); /* parts out of order */
    out = hand_module(&h, &sections, hashes[0], &key);
    refuses(fixture_span(&out), &key, "changed");
    base_buffer_fini(&out);
    base_buffer_fini(&sections);
}

static void test_places(void **state)
{
    (void)state;
    capsule_secret_key key = key_of(1);
    base_buffer sections = {0}, out = {0}, payload;
    put_custom(&sections, "a", "1", 1);
    uint8_t hash[32];
    base_sha256_of(sections.data, sections.size, hash);
    payload = hand_payload(&good, hash, &key);
    base_put(&out, "\0asm\1\0\0", 8);
    base_put(&out, sections.data, sections.size);
    put_custom(&out, "signature", payload.data, payload.size);
    refuses(fixture_span(&out), &key, "not the first");
    base_buffer_fini(&out);
    put_custom(&sections, "signature", payload.data, payload.size); /* doubled, and the first one covers the second */
    out = hand_module(&good, &sections, NULL, &key);
    refuses(fixture_span(&out), &key, "second signature section");
    base_buffer_fini(&out);
    sections.size = 0;
    base_put(&sections, "\0\x86\0\4name1", 9); /* a size in two bytes: covered, but wasmsign2 would hash it as one */
    out = hand_module(&good, &sections, NULL, &key);
    refuses(fixture_span(&out), &key, "shortest");
    base_buffer again = sign(fixture_span(&out), &key); /* signing mends it */
    accepts(fixture_span(&again), &key);
    base_buffer_fini(&again);
    base_buffer_fini(&out);
    sections.size = 0;
    base_put(&sections, "\0\7\x84\0name1", 9); /* the same of the name's length */
    out = hand_module(&good, &sections, NULL, &key);
    refuses(fixture_span(&out), &key, "shortest");
    base_buffer_fini(&out);
    sections.size = 0; /* nothing but the signature */
    out = hand_module(&good, &sections, NULL, &key);
    accepts(fixture_span(&out), &key);
    memcpy(out.data, "\0asm\x0d\0\1", 8); /* a component */
    refuses(fixture_span(&out), &key, "not a WebAssembly module");
    base_buffer_fini(&out);
    base_buffer_fini(&sections);
    base_buffer_fini(&payload);
}

/* ---- several keys ---- */

static void test_several(void **state)
{
    (void)state;
    capsule_secret_key keys[2] = {key_of(1), key_of(2)}, third = key_of(3);
    base_buffer module = small_module(), out, more;
    wisp_report report = {0};
    uint32_t kept;
    assert_int_equal(sign_with(&out, fixture_span(&module), keys, 2, false, &kept, &report), WISP_OK);
    accepts(fixture_span(&out), &keys[0]);
    accepts(fixture_span(&out), &keys[1]);
    assert_int_equal(sign_with(&more, fixture_span(&out), &third, 1, false, &kept, &report), WISP_OK);
    assert_int_equal(kept, 2);
    accepts(fixture_span(&more), &keys[0]);
    accepts(fixture_span(&more), &third);
    base_buffer_fini(&out);
    assert_int_equal(sign_with(&out, fixture_span(&more), &third, 1, false, &kept, &report), WISP_OK);
    assert_int_equal(kept, 2); /* signing again replaces: the file is the same */
    assert_int_equal(out.size, more.size);
    assert_memory_equal(out.data, more.data, out.size);
    base_buffer_fini(&out);
    assert_int_equal(sign_with(&out, fixture_span(&more), &third, 1, true, &kept, &report), WISP_OK);
    assert_int_equal(kept, 0);
    refuses(fixture_span(&out), &keys[0], "not by this key");
    base_buffer_fini(&out);
    more.data[more.size - 1] ^= 1; /* what they signed is gone: so are they */
    assert_int_equal(sign_with(&out, fixture_span(&more), &third, 1, false, &kept, &report), WISP_OK);
    assert_int_equal(kept, 0);
    accepts(fixture_span(&out), &third);
    base_buffer_fini(&out);
    keys[1] = keys[0];
    assert_int_equal(sign_with(&out, fixture_span(&module), keys, 2, false, &kept, &report), WISP_E_USAGE);
    base_buffer_fini(&out);
    base_buffer_fini(&more);
    base_buffer_fini(&module);
}

/* ---- alignment ---- */

/* Padding of every size: 1 to 4096 bytes of something, padding, and something aligned behind it. */
static void test_padding(void **state)
{
    (void)state;
    static const uint8_t zeros[8192];
    capsule_secret_key key = key_of(1);
    for (size_t n = 1; n <= 4096; n += n < 3600 || n > 4000 ? 41 : 1) {
        base_buffer module = {0};
        base_put(&module, "\0asm\1\0\0", 8);
        put_custom(&module, "x", zeros, n);
        size_t end = module.size + 1 + 2 + 1 + 8 + 1 + 1 + 1 + 1;
        put_custom(&module, "wisp.pad", zeros, 4096 + (4096 - end % 4096) % 4096);
        put_custom(&module, "w", "aligned", 7);
        assert_int_equal((module.size - 7) % 4096, 0);
        base_buffer out = sign(fixture_span(&module), &key);
        accepts(fixture_span(&out), &key);
        assert_int_equal((out.size - 7) % 4096, 0);
        assert_memory_equal(out.data + out.size - 7, "aligned", 7);
        base_buffer again = sign(fixture_span(&out), &key);
        assert_int_equal(again.size, out.size);
        assert_memory_equal(again.data, out.data, out.size);
        base_buffer_fini(&again);
        base_buffer_fini(&out);
        base_buffer_fini(&module);
    }
}

static base_buffer small_capsule(uint64_t limit)
{
    base_buffer out = {0}, engine = fixture_engine();
    base_buffer model = fixture_model(&(fixture_llama){
        .matrix_type = 2, .width = 32, .ff_width = 32, .heads = 2, .kv_heads = 1, .blocks = 1, .vocab = 262});
    const compile_options options = {.engine = fixture_span(&engine), .segment_limit = limit};
    assert_int_equal(compile_to_memory(&out, fixture_span(&model), "x.gguf", &options, NULL), WISP_OK);
    base_buffer_fini(&engine);
    base_buffer_fini(&model);
    return out;
}

static void check_capsule(base_span file, const capsule *was)
{
    capsule c;
    wisp_report report = {0};
    if (capsule_open(&c, file, &report)) fail_msg("%s", report.text);
    assert_true(c.has_signature);
    assert_int_equal(capsule_verify_weights(&c, NULL, NULL, &report), WISP_OK);
    assert_int_equal(c.segment_count, was->segment_count);
    for (uint32_t i = 0; i < c.segment_count; i++) {
        assert_int_equal((size_t)(c.segments[i].data - file.data) % CAPSULE_ALIGN, 0);
        assert_int_equal(c.segments[i].size, was->segments[i].size);
        assert_memory_equal(c.segments[i].data, was->segments[i].data, c.segments[i].size);
    }
    assert_int_equal(c.manifest.size, was->manifest.size);
    assert_memory_equal(c.manifest.data, was->manifest.data, c.manifest.size);
    assert_memory_equal(c.engine_sha256, was->engine_sha256, 32);
    capsule_close(&c);
}

static void test_capsule(void **state)
{
    (void)state;
    static const uint64_t limits[] = {0, 20000};
    capsule_secret_key keys[2] = {key_of(1), key_of(2)};
    for (int i = 0; i < 2; i++) {
        base_buffer plain = small_capsule(limits[i]), out, more;
        capsule was;
        wisp_report report = {0};
        uint32_t kept;
        assert_int_equal(capsule_open(&was, fixture_span(&plain), &report), WISP_OK);
        assert_true(i == 0 || was.segment_count > 1);
        out = sign(fixture_span(&plain), &keys[0]);
        accepts(fixture_span(&out), &keys[0]);
        check_capsule(fixture_span(&out), &was);
        /* another key would move the data: not without being asked */
        assert_int_equal(sign_with(&more, fixture_span(&out), &keys[1], 1, false, &kept, &report), WISP_E_UNSUPPORTED);
        base_buffer_fini(&more);
        report = (wisp_report){0};
        assert_int_equal(sign_with(&more, fixture_span(&out), &keys[1], 1, true, &kept, &report), WISP_OK);
        accepts(fixture_span(&more), &keys[1]);
        check_capsule(fixture_span(&more), &was);
        base_buffer_fini(&more);
        assert_int_equal(sign_with(&more, fixture_span(&out), keys, 2, false, &kept, &report), WISP_OK);
        accepts(fixture_span(&more), &keys[0]);
        accepts(fixture_span(&more), &keys[1]);
        check_capsule(fixture_span(&more), &was);
        capsule_close(&was);
        base_buffer_fini(&plain);
        base_buffer_fini(&out);
        base_buffer_fini(&more);
    }
}

static bool stop_at_once(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    assert_true(done <= total);
    return false;
}

static void test_stopped(void **state)
{
    (void)state;
    base_buffer module = small_module(), out = {0};
    capsule_secret_key key = key_of(1);
    uint32_t kept;
    capsule_sign_plan plan = {.file = fixture_span(&module), .keys = &key, .key_count = 1, .progress = stop_at_once};
    const capsule_sink sink = {&out, append, overwrite};
    assert_int_equal(capsule_sign(&plan, &sink, &kept, NULL), WISP_E_CANCELLED);
    base_buffer_fini(&out);
    plan.progress = NULL;
    for (long n = 0;; n++) {
        base_mem_fail_after(n);
        wisp_status status = capsule_sign(&plan, &sink, &kept, NULL);
        base_mem_fail_after(-1);
        base_buffer_fini(&out);
        out = (base_buffer){0};
        if (status == WISP_OK) break;
        assert_int_equal(status, WISP_E_MEMORY);
        assert_true(n < 100);
    }
    base_buffer_fini(&module);
}

/* ---- key files ---- */

static void test_key_files(void **state)
{
    (void)state;
    capsule_secret_key secret, read;
    capsule_public_key public_read;
    char text[CAPSULE_SECRET_FILE_MAX], public_text[CAPSULE_PUBLIC_FILE_MAX];
    capsule_key_generate(&secret);
    const capsule_public_key key = capsule_public_of(&secret);
    capsule_secret_write(text, &secret);
    capsule_public_write(public_text, &key);
    const base_span file = {(const uint8_t *)text, strlen(text)};
    const base_span public_file = {(const uint8_t *)public_text, strlen(public_text)};
    assert_int_equal(capsule_secret_read(&read, file, NULL), WISP_OK);
    assert_memory_equal(&read, &secret, sizeof read);
    assert_int_equal(capsule_public_read(&public_read, public_file, NULL), WISP_OK);
    assert_memory_equal(&public_read, &key, sizeof key);
    assert_int_not_equal(capsule_public_read(&public_read, file, NULL), WISP_OK);
    assert_int_not_equal(capsule_secret_read(&read, public_file, NULL), WISP_OK);
    const size_t word = (size_t)(strchr(text, '\n') - text) + 1;
    for (size_t i = word; i < file.size - 1; i++) { /* any damage is found, but to the salt and limits of no use */
        text[i] ^= 1;
        if (capsule_secret_read(&read, file, NULL) == WISP_OK) assert_memory_equal(&read, &secret, sizeof read);
        text[i] ^= 1;
    }
    for (size_t i = 0; i < public_file.size; i++) { /* both forms of the key must change together */
        public_text[i] ^= 1;
        if (capsule_public_read(&public_read, public_file, NULL) == WISP_OK)
            assert_memory_equal(public_read.key, key.key, 32);
        public_text[i] ^= 1;
    }
    for (size_t n = 0; n < file.size - 1; n++)
        assert_int_not_equal(capsule_secret_read(&read, (base_span){file.data, n}, NULL), WISP_OK);
}

static void test_raw_keys(void **state)
{
    (void)state;
    capsule_secret_key secret = key_of(7), read;
    capsule_public_key public_read;
    uint8_t raw[80] = {0x81};
    memcpy(raw + 1, secret.key, 64);
    for (size_t n = 0; n < sizeof raw; n++) {
        wisp_status status = capsule_secret_read(&read, (base_span){raw, n}, NULL);
        assert_int_equal(status == WISP_OK, n == 65);
        assert_int_equal(capsule_public_read(&public_read, (base_span){raw, n}, NULL), WISP_E_INPUT);
    }
    assert_int_equal(capsule_secret_read(&read, (base_span){raw, 65}, NULL), WISP_OK);
    assert_memory_equal(read.key, secret.key, 64);
    raw[60] ^= 1; /* a public half of another key */
    assert_int_equal(capsule_secret_read(&read, (base_span){raw, 65}, NULL), WISP_E_INPUT);
    static const capsule_secret_key wiped;
    assert_memory_equal(&read, &wiped, sizeof read);
    raw[0] = 1;
    for (size_t n = 0; n < sizeof raw; n++) {
        assert_int_equal(capsule_public_read(&public_read, (base_span){raw, n}, NULL) == WISP_OK, n == 33);
        assert_int_equal(capsule_secret_read(&read, (base_span){raw, n}, NULL), WISP_E_INPUT);
    }
}

/* ---- minisign ---- */

static void test_minisig(void **state)
{
    (void)state;
    static const char content[] = "content";
    uint8_t digest[64];
    capsule_secret_key key = key_of(1), other = key_of(2);
    const capsule_public_key public_key = capsule_public_of(&key), other_public = capsule_public_of(&other);
    base_buffer text = {0};
    capsule_minisig m;
    assert_int_equal(capsule_minisig_digest(digest, (base_span){(const uint8_t *)content, 7}, NULL, NULL, NULL),
                     WISP_OK);
    assert_int_equal(capsule_minisig_write(&text, digest, &key, "when\tand \xc3\xa4", NULL), WISP_OK);
    assert_int_equal(capsule_minisig_read(&m, fixture_span(&text), NULL), WISP_OK);
    assert_true(capsule_minisig_by(&m, &public_key) && capsule_minisig_of(&m, digest, &public_key));
    assert_false(capsule_minisig_by(&m, &other_public) || capsule_minisig_of(&m, digest, &other_public));
    digest[5] ^= 1;
    assert_false(capsule_minisig_of(&m, digest, &public_key));
    digest[5] ^= 1;
    const size_t first = (size_t)((uint8_t *)memchr(text.data, '\n', text.size) - text.data);
    for (size_t i = first + 1; i < text.size - 1; i++) { /* all but the untrusted comment, and the key's number */
        text.data[i] ^= 1;
        if (capsule_minisig_read(&m, fixture_span(&text), NULL) == WISP_OK && capsule_minisig_by(&m, &public_key) &&
            capsule_minisig_of(&m, digest, &public_key) && memcmp(m.number, key.number, 8) == 0)
            fail_msg("byte %zu", i);
        text.data[i] ^= 1;
    }
    for (size_t n = 0; n < text.size - 1; n++)
        assert_int_not_equal(capsule_minisig_read(&m, (base_span){text.data, n}, NULL), WISP_OK);
    text.data[first + 2] = 'W'; /* "RWQ…": the old form, "Ed" */
    assert_int_equal(capsule_minisig_read(&m, fixture_span(&text), NULL), WISP_E_UNSUPPORTED);
    base_buffer_fini(&text);
    text = (base_buffer){0};
    assert_int_equal(capsule_minisig_write(&text, digest, &key, "two\nlines", NULL), WISP_E_USAGE);
    assert_int_equal(capsule_minisig_write(&text, digest, &key, "\x1b[31m", NULL), WISP_E_USAGE);
    base_buffer_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_primitives), cmocka_unit_test(test_vector),  cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_copied),     cmocka_unit_test(test_forms),   cmocka_unit_test(test_parts),
        cmocka_unit_test(test_places),     cmocka_unit_test(test_several), cmocka_unit_test(test_padding),
        cmocka_unit_test(test_capsule),    cmocka_unit_test(test_stopped), cmocka_unit_test(test_key_files),
        cmocka_unit_test(test_raw_keys),   cmocka_unit_test(test_minisig),
    };
    if (!capsule_crypto_start()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
