/* Writing a signature into a module. The module is laid out anew as pieces (stretches of the input, new heads, new
 * padding), so that data of any size goes straight from the map to the output, read once. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "capsule/framing.h"
#include "capsule/manifest.h"
#include "capsule/signature.h"
#include "capsule/signature_wire.h"

enum {
    HEAD_MAX = 16,                         /* id, size, length of the name */
    PAD_HEAD = 1 + sizeof CAPSULE_PAD - 1, /* name of the padding with its length */
    RECORD = 1 + CAPSULE_KEY_ID_BYTES + 1 + 1 + CAPSULE_SIGNATURE_BYTES,
    ENTRY_MAX = 4 + CAPSULE_KEY_ID_MAX + CAPSULE_SIGNATURE_BYTES
};

typedef struct piece {
    uint8_t head[HEAD_MAX];
    uint8_t head_size;
    base_span bytes; /* of the input, or zeros */
} piece;

typedef struct signer {
    const capsule_sign_plan *plan;
    capsule_public_key *publics;
    capsule_signatures *old;           /* the signatures that the file has */
    bool keep[CAPSULE_SIGNATURES_MAX]; /* of these */
    uint32_t kept;
    piece *pieces;
    size_t count, capacity;
    bool padded;    /* some of them keep an alignment: a signature section of another size would change them */
    uint64_t total; /* bytes of the pieces */
    bool hashed;    /* `hash` is known: before that, the section is only as large as it will be */
    uint8_t hash[CAPSULE_HASH_BYTES];
    base_buffer section;
} signer;

static wisp_status no_memory(wisp_report *report)
{
    return base_fail(report, WISP_E_MEMORY, "out of memory for the signature");
}

/* ---- pieces ---- */

static size_t put_leb(uint8_t *out, uint32_t v)
{
    size_t n = 0;
    for (; v > 0x7f; v >>= 7)
        out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

static wisp_status add_piece(signer *g, const wire_section *s, base_span bytes, uint32_t payload, wisp_report *report)
{
    if (BASE_GROW(g->pieces, g->capacity, g->count + 1)) {
        piece *p = &g->pieces[g->count++];
        *p = (piece){.head = {s->id}, .bytes = bytes};
        size_t n = 1 + put_leb(p->head + 1, payload);
        if (s->id == SECTION_CUSTOM) n += put_leb(p->head + n, (uint32_t)s->name.size);
        p->head_size = (uint8_t)n;
        g->total += n + bytes.size;
        return WISP_OK;
    }
    return no_memory(report);
}

/* What follows the head: of a custom section from its name on. */
static base_span after_head(const wire_section *s)
{
    if (s->id != SECTION_CUSTOM) return s->payload;
    return (base_span){s->name.data, s->name.size + s->content.size};
}

static uint32_t shortest_payload(const wire_section *s)
{
    size_t bytes = after_head(s).size;
    return (uint32_t)(s->id == SECTION_CUSTOM ? capsule_leb_size((uint32_t)s->name.size) + bytes : bytes);
}

/* Where in a section the thing lies that padding before it may align: a custom section's content, and of a data section
 * the bytes of its first segment, if that is passive. From the end of the head. */
static size_t anchor_of(const wire_section *s)
{
    if (s->id == SECTION_CUSTOM) return s->name.size;
    if (s->id != SECTION_DATA) return 0;
    base_reader r = base_reader_of(s->payload.data, s->payload.size);
    base_read_leb_u32(&r);
    if (base_read_leb_u32(&r) != 1) return 0;
    base_read_leb_u32(&r);
    return r.failed ? 0 : base_offset(&r);
}

static bool is_zero(base_span s)
{
    size_t i = 0;
    while (i < s.size && s.data[i] == 0)
        i++;
    return i == s.size;
}

/* Is the section padding of ours, with something aligned right behind it? */
static bool aligns(const signer *g, const wire_section *pad, const wire_section *next)
{
    if (!wire_is(pad, CAPSULE_PAD) || pad->content.size >= 2 * CAPSULE_ALIGN || !is_zero(pad->content)) return false;
    size_t at = (size_t)(after_head(next).data - g->plan->file.data) + anchor_of(next);
    return at % CAPSULE_ALIGN == 0;
}

/* Padding at `offset` so that what lies `ahead` bytes behind it comes to a multiple of CAPSULE_ALIGN. Its own head is
 * one byte longer from 128 bytes on: the one gap that neither form fills takes another 4096. */
static uint32_t pad_zeros(uint64_t offset, uint64_t ahead)
{
    for (uint32_t more = 0;; more += CAPSULE_ALIGN)
        for (unsigned width = 1; width <= 2; width++) {
            uint64_t end = offset + 1 + width + PAD_HEAD + ahead;
            uint32_t zeros = more + (uint32_t)((CAPSULE_ALIGN - end % CAPSULE_ALIGN) % CAPSULE_ALIGN);
            if (capsule_leb_size(PAD_HEAD + zeros) == width) return zeros;
        }
}

static wisp_status add_pad(signer *g, const wire_section *pad, const wire_section *next, uint64_t body,
                           wisp_report *report)
{
    static const uint8_t zeros[2 * CAPSULE_ALIGN + 64];
    uint32_t payload = shortest_payload(next);
    uint64_t head = 1 + capsule_leb_size(payload);
    if (next->id == SECTION_CUSTOM) head += capsule_leb_size((uint32_t)next->name.size);
    uint32_t fill = pad_zeros(body + g->total, head + anchor_of(next));
    BASE_ASSERT(fill <= sizeof zeros);
    BASE_TRY(add_piece(g, pad, pad->name, PAD_HEAD + fill, report));
    if (!BASE_GROW(g->pieces, g->capacity, g->count + 1)) return no_memory(report);
    g->pieces[g->count++] = (piece){.bytes = {zeros, fill}};
    g->total += fill;
    g->padded = true;
    return WISP_OK;
}

/* Lays out all but signature sections, for a body that begins at this offset. */
static wisp_status lay_out(signer *g, uint64_t body, wisp_report *report)
{
    base_reader r = base_reader_of(g->plan->file.data, g->plan->file.size);
    wire_section section = {0}, next = {0};
    bool has = false;
    g->count = 0;
    g->total = 0;
    g->padded = false;
    BASE_TRY(wire_magic(&r, report));
    while (has || base_left(&r)) {
        bool has_next = base_left(&r) != 0;
        if (has_next) BASE_TRY(wire_next(&r, &next, report));
        if (has_next && wire_is(&next, CAPSULE_SIGNATURE)) {
            if (next.at != WIRE_MAGIC_BYTES)
                return base_fail(report, WISP_E_INPUT, "byte %zu: a signature section that is not the first section",
                                 next.at);
            continue;
        }
        if (has && has_next && aligns(g, &section, &next))
            BASE_TRY(add_pad(g, &section, &next, body, report));
        else if (has)
            BASE_TRY(add_piece(g, &section, after_head(&section), shortest_payload(&section), report));
        section = next;
        has = has_next;
    }
    return WISP_OK;
}

/* ---- signatures that are there already ---- */

static bool is_new_key(const signer *g, uint32_t entry)
{
    for (uint32_t k = 0; k < g->plan->key_count; k++)
        if (capsule_signatures_names(g->old, entry, &g->publics[k]) ||
            capsule_signatures_by(g->old, entry, &g->publics[k]))
            return true; /* also one that is damaged */
    return false;
}

/* Which of them stay: those by other keys, if they hold for the file as it is. What does not hold any more goes. */
static wisp_status look_at_old(signer *g, wisp_report *report)
{
    wisp_report ignored = {0};
    wisp_status status = capsule_signatures_read(g->old, g->plan->file, &ignored);
    uint32_t others = 0;
    for (uint32_t i = 0; i < g->old->count; i++)
        others += !is_new_key(g, i);
    if (others == 0 || g->plan->replace) return WISP_OK;
    status = capsule_signatures_check(g->old, NULL, g->plan->progress, g->plan->context, &ignored);
    if (status == WISP_E_CANCELLED) return base_fail(report, status, "cancelled");
    if (status || g->old->hash_count != 1) return WISP_OK;
    if (others + g->plan->key_count > CAPSULE_SIGNATURES_MAX)
        return base_fail(report, WISP_E_LIMIT, "more than %d signatures", CAPSULE_SIGNATURES_MAX);
    for (uint32_t i = 0; i < g->old->count; i++)
        g->kept += g->keep[i] = !is_new_key(g, i);
    return WISP_OK;
}

/* ---- the section ---- */

static void put_record(base_buffer *b, const uint8_t *key_id, uint32_t key_id_size, const uint8_t *signature)
{
    base_put_leb_u32(b, capsule_leb_size(key_id_size) + key_id_size + 1 + 1 + CAPSULE_SIGNATURE_BYTES);
    base_put_leb_u32(b, key_id_size);
    base_put(b, key_id, key_id_size);
    base_put_u8(b, WIRE_ED25519);
    base_put_leb_u32(b, CAPSULE_SIGNATURE_BYTES);
    base_put(b, signature, CAPSULE_SIGNATURE_BYTES);
}

static void put_set(signer *g, base_buffer *b)
{
    uint8_t message[WIRE_MESSAGE_MAX];
    const size_t size = wire_message(message, g->hash, 1);
    base_put_leb_u32(b, 1);
    base_put(b, g->hash, sizeof g->hash);
    base_put_leb_u32(b, g->kept + g->plan->key_count);
    for (uint32_t i = 0; i < g->old->count; i++) {
        const capsule_signature_entry *e = &g->old->entries[i];
        if (g->keep[i]) put_record(b, e->key_id, e->key_id_size, e->signature);
    }
    for (uint32_t i = 0; i < g->plan->key_count; i++) {
        uint8_t id[CAPSULE_KEY_ID_BYTES], signature[CAPSULE_SIGNATURE_BYTES] = {0};
        capsule_key_id(id, g->publics[i].key);
        if (g->hashed) capsule_ed25519_sign(signature, message, size, g->plan->keys[i].key);
        put_record(b, id, sizeof id, signature);
    }
}

/* The whole section; its size does not depend on the hash. */
static wisp_status make_section(signer *g, wisp_report *report)
{
    base_buffer set = {0}, payload = {0};
    put_set(g, &set);
    base_put_leb_u32(&payload, sizeof CAPSULE_SIGNATURE - 1);
    base_put_text(&payload, CAPSULE_SIGNATURE);
    base_put_u8(&payload, WIRE_VERSION);
    base_put_u8(&payload, WIRE_CONTENT_MODULE);
    base_put_u8(&payload, WIRE_HASH_SHA256);
    base_put_leb_u32(&payload, 1);
    base_put_leb_u32(&payload, (uint32_t)set.size);
    base_put(&payload, set.data, set.size);
    base_buffer_fini(&g->section);
    g->section = (base_buffer){0};
    base_put_u8(&g->section, SECTION_CUSTOM);
    base_put_leb_u32(&g->section, (uint32_t)payload.size);
    base_put(&g->section, payload.data, payload.size);
    bool failed = set.failed || payload.failed || g->section.failed;
    base_buffer_fini(&set);
    base_buffer_fini(&payload);
    return failed ? no_memory(report) : WISP_OK;
}

/* ---- output ---- */

static wisp_status lost(wisp_report *report)
{
    return base_fail(report, WISP_E_UNSUPPORTED,
                     "already signed by another key, whose signature would not hold any more: the model data move");
}

static wisp_status write_bytes(signer *g, const capsule_sink *sink, base_sha256 *h, base_span bytes, uint64_t *done,
                               wisp_report *report)
{
    for (size_t at = 0, n; at < bytes.size; at += n) {
        n = bytes.size - at < WIRE_PIECE ? bytes.size - at : WIRE_PIECE;
        base_sha256_update(h, bytes.data + at, n);
        BASE_TRY(sink->write(sink->self, bytes.data + at, n, report));
        *done += n;
        if (g->plan->progress && !g->plan->progress(g->plan->context, *done, g->total))
            return base_fail(report, WISP_E_CANCELLED, "cancelled");
    }
    return WISP_OK;
}

static wisp_status write_all(signer *g, const capsule_sink *sink, wisp_report *report)
{
    base_sha256 h;
    uint64_t done = 0;
    base_sha256_init(&h);
    BASE_TRY(sink->write(sink->self, g->plan->file.data, WIRE_MAGIC_BYTES, report));
    BASE_TRY(sink->write(sink->self, g->section.data, g->section.size, report)); /* its hash is not known yet */
    for (size_t i = 0; i < g->count; i++) {
        const piece *p = &g->pieces[i];
        BASE_TRY(write_bytes(g, sink, &h, (base_span){p->head, p->head_size}, &done, report));
        BASE_TRY(write_bytes(g, sink, &h, p->bytes, &done, report));
    }
    base_sha256_final(&h, g->hash);
    g->hashed = true;
    if (g->kept && memcmp(g->hash, g->old->hashes[0], sizeof g->hash) != 0) return lost(report);
    const size_t size = g->section.size;
    BASE_TRY(make_section(g, report));
    BASE_ASSERT(g->section.size == size);
    return sink->write_at(sink->self, WIRE_MAGIC_BYTES, g->section.data, size, report);
}

static wisp_status sign(signer *g, const capsule_sink *sink, wisp_report *report)
{
    const capsule_sign_plan *plan = g->plan;
    for (uint32_t i = 0; i < plan->key_count; i++) {
        g->publics[i] = capsule_public_of(&plan->keys[i]);
        for (uint32_t k = 0; k < i; k++)
            if (capsule_equal(g->publics[i].key, g->publics[k].key, CAPSULE_PUBLIC_BYTES))
                return base_fail(report, WISP_E_USAGE, "the same key twice");
    }
    BASE_TRY(look_at_old(g, report));
    BASE_TRY(make_section(g, report));
    const uint64_t body = WIRE_MAGIC_BYTES + g->section.size;
    BASE_TRY(lay_out(g, body, report));
    if (g->kept && g->padded && body != g->old->body) return lost(report);
    return write_all(g, sink, report);
}

wisp_status capsule_sign(const capsule_sign_plan *plan, const capsule_sink *sink, uint32_t *kept, wisp_report *report)
{
    if (plan->key_count == 0 || plan->key_count > CAPSULE_SIGNATURES_MAX)
        return base_fail(report, WISP_E_USAGE, "1 to %d keys, not %" PRIu32, CAPSULE_SIGNATURES_MAX, plan->key_count);
    if (!capsule_crypto_start()) return base_fail(report, WISP_E_IO, "no source of randomness");
    signer g = {.plan = plan};
    g.publics = base_calloc(plan->key_count, sizeof *g.publics);
    g.old = base_calloc(1, sizeof *g.old);
    wisp_status status = g.publics && g.old ? sign(&g, sink, report) : no_memory(report);
    *kept = g.kept;
    base_free(g.publics);
    base_free(g.old);
    base_free(g.pieces);
    base_buffer_fini(&g.section);
    return status;
}
