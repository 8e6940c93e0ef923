/* The manifest's JSON, written and read. docs/capsule-format.md lists its members. */
#ifndef CAPSULE_MANIFEST_H
#define CAPSULE_MANIFEST_H
#include "capsule/capsule.h"

enum { MANIFEST_NAME_MAX = 96, MANIFEST_BYTES_MAX = 64 << 20 };

#define CAPSULE_MANIFEST "wisp.manifest"
#define CAPSULE_SIGNATURE "signature"
#define CAPSULE_INTRINSICS "wisp.intrinsics"
#define CAPSULE_GGUF "wisp.gguf"
#define CAPSULE_PAD "wisp.pad"
#define CAPSULE_WEIGHTS "wisp.weights." /* and a number from 1 */
#define CAPSULE_NATIVE "wisp.aot."      /* and a target; behind all that the manifest lists */

/* What the manifest says about one section. Sizes and digests are of the section's payload (what WebAssembly's size
 * field counts). Of padding only the place is listed, so that signing may change it; weights have no digest here. */
typedef struct capsule_entry {
    uint32_t id;
    char name[MANIFEST_NAME_MAX]; /* custom sections */
    uint64_t size;
    uint8_t sha256[32];
    /* the data section only: bytes of the model segment and of its head, digests of that and of all after the segment
     */
    uint64_t model_bytes, head_bytes;
    uint8_t head_sha256[32], segments_sha256[32];
} capsule_entry;

bool capsule_entry_is_pad(const capsule_entry *e);
bool capsule_entry_is_weights(const capsule_entry *e);

typedef struct capsule_manifest {
    capsule_info info;
    uint8_t engine_sha256[32];
    uint32_t entry_count, tensor_count;
    capsule_entry *entries;
    capsule_tensor *tensors;
    /* reader only */
    base_json_doc *doc;
    const base_json *root;
} capsule_manifest;

/* Appends the whole text to an empty buffer; its length does not depend on any digest. */
void capsule_manifest_write(base_buffer *out, const capsule_manifest *m);
/* Checks the text's own digest and every member's form; what the members say about the file is the reader's to check.
 * capsule_manifest_fini is due after success. */
wisp_status capsule_manifest_read(capsule_manifest *m, base_span text, wisp_report *report) WISP_MUST_USE;
void capsule_manifest_fini(capsule_manifest *m);

#endif
