/* Reading signatures inside a module. Whatever would leave a byte uncovered, or could be read in two ways, is refused.
 */
#include <inttypes.h>
#include <string.h>

#include "base/sha256.h"
#include "capsule/framing.h"
#include "capsule/manifest.h"
#include "capsule/signature.h"
#include "capsule/signature_wire.h"

/* ---- sections ---- */

wisp_status wire_magic(base_reader *r, wisp_report *report)
{
    base_span magic = base_read_span(r, WIRE_MAGIC_BYTES);
    if (!magic.data || memcmp(magic.data, "\0asm\1\0\0", WIRE_MAGIC_BYTES) != 0)
        return base_fail(report, WISP_E_INPUT, "byte 0: not a WebAssembly module");
    return WISP_OK;
}

wisp_status wire_next(base_reader *r, wire_section *s, wisp_report *report)
{
    *s = (wire_section){.at = base_offset(r)};
    s->id = base_read_u8(r);
    const size_t size_at = base_offset(r);
    const uint32_t size = base_read_leb_u32(r);
    s->shortest = base_offset(r) - size_at == capsule_leb_size(size);
    s->payload = base_read_span(r, size);
    if (r->failed) return base_fail(report, WISP_E_TRUNCATED, "byte %zu: a section goes past the file's end", s->at);
    s->content = s->payload;
    if (s->id != SECTION_CUSTOM) return WISP_OK;
    base_reader in = base_reader_of(s->payload.data, s->payload.size);
    const uint32_t name_size = base_read_leb_u32(&in);
    s->shortest &= base_offset(&in) == capsule_leb_size(name_size);
    s->name = base_read_span(&in, name_size);
    if (in.failed || !base_utf8_valid(s->name.data, s->name.size))
        return base_fail(report, WISP_E_INPUT, "byte %zu: a custom section without a name", s->at);
    s->content = (base_span){in.at, base_left(&in)};
    return WISP_OK;
}

bool wire_is(const wire_section *s, const char *name)
{
    return s->id == SECTION_CUSTOM && s->name.size == strlen(name) && memcmp(s->name.data, name, s->name.size) == 0;
}

size_t wire_message(uint8_t out[WIRE_MESSAGE_MAX], const void *hashes, uint32_t hash_count)
{
    static const uint8_t lead[WIRE_MESSAGE_LEAD] = {
        'w', 'a', 's', 'm', 's', 'i', 'g', WIRE_VERSION, WIRE_CONTENT_MODULE, WIRE_HASH_SHA256};
    BASE_ASSERT(hash_count <= CAPSULE_HASHES_MAX);
    memcpy(out, lead, sizeof lead);
    memcpy(out + sizeof lead, hashes, (size_t)hash_count * CAPSULE_HASH_BYTES);
    return sizeof lead + (size_t)hash_count * CAPSULE_HASH_BYTES;
}

/* ---- the signature section ---- */

static wisp_status refuse(wisp_report *report, const char *why)
{
    return base_fail(report, WISP_E_INPUT, "signature section: %s", why);
}

/* One signature: key id, algorithm, signature, and nothing else. */
static wisp_status read_entry(capsule_signature_entry *e, base_span record, wisp_report *report)
{
    base_reader r = base_reader_of(record.data, record.size);
    base_span key_id = base_read_span(&r, base_read_leb_u32(&r));
    uint8_t algorithm = base_read_u8(&r);
    if (!r.failed && algorithm != WIRE_ED25519)
        return base_fail(report, WISP_E_UNSUPPORTED, "signature section: unknown signature algorithm 0x%02x",
                         (unsigned)algorithm);
    base_span signature = base_read_span(&r, base_read_leb_u32(&r));
    if (r.failed || base_left(&r)) return refuse(report, "a signature that does not fill its record");
    if (key_id.size > CAPSULE_KEY_ID_MAX) return refuse(report, "a key id of more than 64 bytes");
    if (signature.size != CAPSULE_SIGNATURE_BYTES) return refuse(report, "an Ed25519 signature has 64 bytes");
    e->key_id_size = (uint32_t)key_id.size;
    memcpy(e->key_id, key_id.data, key_id.size);
    memcpy(e->signature, signature.data, signature.size);
    return WISP_OK;
}

/* The hashes, and who signed them. */
static wisp_status read_set(capsule_signatures *s, base_span set, wisp_report *report)
{
    base_reader r = base_reader_of(set.data, set.size);
    s->hash_count = base_read_leb_u32(&r);
    if (s->hash_count == 0 || s->hash_count > CAPSULE_HASHES_MAX)
        return base_fail(report, WISP_E_LIMIT, "signature section: %" PRIu32 " hashes (1 to %d)", s->hash_count,
                         CAPSULE_HASHES_MAX);
    base_span hashes = base_read_span(&r, (uint64_t)s->hash_count * CAPSULE_HASH_BYTES);
    s->count = base_read_leb_u32(&r);
    if (r.failed) return refuse(report, "ends too early");
    memcpy(s->hashes, hashes.data, hashes.size);
    if (s->count == 0 || s->count > CAPSULE_SIGNATURES_MAX)
        return base_fail(report, WISP_E_LIMIT, "signature section: %" PRIu32 " signatures (1 to %d)", s->count,
                         CAPSULE_SIGNATURES_MAX);
    for (uint32_t i = 0; i < s->count; i++) {
        base_span record = base_read_span(&r, base_read_leb_u32(&r));
        if (r.failed) return refuse(report, "ends too early");
        BASE_TRY(read_entry(&s->entries[i], record, report));
    }
    return base_left(&r) ? refuse(report, "bytes after its last signature") : WISP_OK;
}

static wisp_status read_payload(capsule_signatures *s, base_span content, wisp_report *report)
{
    base_reader r = base_reader_of(content.data, content.size);
    uint8_t version = base_read_u8(&r), type = base_read_u8(&r), hash = base_read_u8(&r);
    uint32_t sets = base_read_leb_u32(&r);
    if (r.failed) return refuse(report, "ends too early");
    if (version != WIRE_VERSION || type != WIRE_CONTENT_MODULE || hash != WIRE_HASH_SHA256)
        return base_fail(report, WISP_E_UNSUPPORTED,
                         "signature section: version %u, content type %u, hash function %u (known are 1, 1, 1)",
                         (unsigned)version, (unsigned)type, (unsigned)hash);
    if (sets != 1) /* each would be valid for another state of the file */
        return base_fail(report, WISP_E_UNSUPPORTED, "signature section: %" PRIu32 " sets of hashes, not one", sets);
    base_span set = base_read_span(&r, base_read_leb_u32(&r));
    if (r.failed || base_left(&r)) return refuse(report, "its set of hashes does not fill it");
    return read_set(s, set, report);
}

/* ---- the rest of the file ---- */

static wisp_status add_part(capsule_signatures *s, size_t end, wisp_report *report)
{
    if (s->part_count == s->hash_count)
        return base_fail(report, WISP_E_INPUT,
                         "a partial signature: the file has more parts than the %" PRIu32 " that are signed",
                         s->hash_count);
    s->part_ends[s->part_count++] = end;
    return WISP_OK;
}

/* One hash covers all, whatever delimiters lie inside; several cover the parts up to each delimiter. */
static wisp_status read_parts(capsule_signatures *s, base_reader *r, wisp_report *report)
{
    bool ended = true;
    while (base_left(r)) {
        wire_section section;
        BASE_TRY(wire_next(r, &section, report));
        if (wire_is(&section, CAPSULE_SIGNATURE))
            return base_fail(report, WISP_E_INPUT, "byte %zu: a second signature section", section.at);
        if (!section.shortest)
            return base_fail(report, WISP_E_INPUT,
                             "byte %zu: a section whose head is not in its shortest form: signing it anew mends that",
                             section.at);
        ended = wire_is(&section, WIRE_DELIMITER);
        if (ended && s->hash_count > 1) BASE_TRY(add_part(s, base_offset(r), report));
    }
    if (s->hash_count == 1 || !ended) BASE_TRY(add_part(s, s->file.size, report));
    if (s->part_count != s->hash_count)
        return base_fail(report, WISP_E_INPUT, "%" PRIu32 " parts are signed, but the file has %" PRIu32, s->hash_count,
                         s->part_count);
    return WISP_OK;
}

/* Not signed, or signed in a place where it does not count? */
static wisp_status no_signature(base_reader *r, wisp_report *report)
{
    while (base_left(r)) {
        wire_section section;
        BASE_TRY(wire_next(r, &section, report));
        if (wire_is(&section, CAPSULE_SIGNATURE))
            return base_fail(report, WISP_E_INPUT, "byte %zu: a signature section that is not the first section",
                             section.at);
    }
    return base_fail(report, WISP_E_NOT_FOUND, "not signed");
}

static wisp_status read_file(capsule_signatures *s, wisp_report *report)
{
    base_reader r = base_reader_of(s->file.data, s->file.size);
    wire_section first;
    BASE_TRY(wire_magic(&r, report));
    if (base_left(&r) == 0) return base_fail(report, WISP_E_NOT_FOUND, "not signed");
    BASE_TRY(wire_next(&r, &first, report));
    if (!wire_is(&first, CAPSULE_SIGNATURE)) return no_signature(&r, report);
    if (!first.shortest)
        return base_fail(report, WISP_E_INPUT, "byte %zu: a section whose head is not in its shortest form", first.at);
    s->body = base_offset(&r);
    BASE_TRY(read_payload(s, first.content, report));
    return read_parts(s, &r, report);
}

wisp_status capsule_signatures_read(capsule_signatures *s, base_span file, wisp_report *report)
{
    *s = (capsule_signatures){.file = file};
    wisp_status status = read_file(s, report);
    if (status) *s = (capsule_signatures){0};
    return status;
}

/* ---- keys and content ---- */

bool capsule_signatures_names(const capsule_signatures *s, uint32_t index, const capsule_public_key *key)
{
    uint8_t id[CAPSULE_KEY_ID_BYTES];
    const capsule_signature_entry *e = &s->entries[index];
    capsule_key_id(id, key->key);
    return e->key_id_size == sizeof id && memcmp(e->key_id, id, sizeof id) == 0;
}

bool capsule_signatures_by(const capsule_signatures *s, uint32_t index, const capsule_public_key *key)
{
    uint8_t message[WIRE_MESSAGE_MAX];
    if (s->entries[index].key_id_size && !capsule_signatures_names(s, index, key)) return false;
    size_t size = wire_message(message, s->hashes, s->hash_count);
    return capsule_ed25519_verify(s->entries[index].signature, message, size, key->key);
}

typedef struct hashing {
    base_sha256 hash;
    uint64_t done, total;
    capsule_progress progress;
    void *context;
} hashing;

static wisp_status hash_bytes(hashing *h, const uint8_t *data, size_t size, wisp_report *report)
{
    for (size_t at = 0, n; at < size; at += n) {
        n = size - at < WIRE_PIECE ? size - at : WIRE_PIECE;
        base_sha256_update(&h->hash, data + at, n);
        h->done += n;
        if (h->progress && !h->progress(h->context, h->done, h->total))
            return base_fail(report, WISP_E_CANCELLED, "cancelled");
    }
    return WISP_OK;
}

/* The bytes from `begin` to `end`, those that were copied from the copy. */
static wisp_status hash_range(hashing *h, const capsule_signatures *s, const capsule_copied *copied, size_t begin,
                              size_t end, wisp_report *report)
{
    const size_t copy_end = copied->at + copied->bytes.size;
    const size_t from = begin > copied->at ? begin : copied->at, to = end < copy_end ? end : copy_end;
    if (!copied->bytes.size || from >= to) return hash_bytes(h, s->file.data + begin, end - begin, report);
    BASE_TRY(hash_bytes(h, s->file.data + begin, from - begin, report));
    BASE_TRY(hash_bytes(h, copied->bytes.data + (from - copied->at), to - from, report));
    return hash_bytes(h, s->file.data + to, end - to, report);
}

wisp_status capsule_signatures_check(const capsule_signatures *s, const capsule_copied *copied,
                                     capsule_progress progress, void *context, wisp_report *report)
{
    static const capsule_copied none;
    if (!copied) copied = &none;
    if (copied->at > s->file.size || copied->bytes.size > s->file.size - copied->at)
        return base_fail(report, WISP_E_USAGE, "the copy does not lie in the file");
    hashing h = {.total = s->file.size - s->body, .progress = progress, .context = context};
    base_sha256_init(&h.hash);
    size_t at = s->body;
    for (uint32_t i = 0; i < s->part_count; at = s->part_ends[i++]) {
        BASE_TRY(hash_range(&h, s, copied, at, s->part_ends[i], report));
        base_sha256 so_far = h.hash;
        uint8_t digest[CAPSULE_HASH_BYTES];
        base_sha256_final(&so_far, digest);
        if (memcmp(digest, s->hashes[i], sizeof digest) != 0)
            return base_fail(report, WISP_E_UNTRUSTED, "changed since it was signed: bytes %zu to %zu", at,
                             s->part_ends[i]);
    }
    return WISP_OK;
}
