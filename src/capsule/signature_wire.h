/* Numbers of the format and the walk over sections, shared by signature_read.c and signature_write.c. */
#ifndef CAPSULE_SIGNATURE_WIRE_H
#define CAPSULE_SIGNATURE_WIRE_H
#include "capsule/signature.h"

enum {
    WIRE_MAGIC_BYTES = 8,
    WIRE_VERSION = 0x01,
    WIRE_CONTENT_MODULE = 0x01,
    WIRE_HASH_SHA256 = 0x01,
    WIRE_ED25519 = 0x01,
    WIRE_MESSAGE_LEAD = 10, /* "wasmsig", version, content type, hash function */
    WIRE_PIECE = 4 << 20    /* bytes hashed between two reports of progress */
};
#define WIRE_DELIMITER "signature_delimiter"

typedef struct wire_section {
    uint8_t id;
    size_t at;         /* of its id */
    base_span name;    /* custom sections; {NULL, 0} otherwise */
    base_span content; /* custom sections: after the name; else all of the payload */
    base_span payload;
    bool shortest; /* its size, and its name's, are encoded in the fewest bytes */
} wire_section;

wisp_status wire_magic(base_reader *r, wisp_report *report) WISP_MUST_USE;
/* Reads one section; ids and order are not this format's affair. */
wisp_status wire_next(base_reader *r, wire_section *s, wisp_report *report) WISP_MUST_USE;
bool wire_is(const wire_section *s, const char *custom_name);
/* Makes the message that is signed; its size. */
enum { WIRE_MESSAGE_MAX = WIRE_MESSAGE_LEAD + CAPSULE_HASHES_MAX * CAPSULE_HASH_BYTES };
size_t wire_message(uint8_t out[WIRE_MESSAGE_MAX], const void *hashes, uint32_t hash_count);

#endif
