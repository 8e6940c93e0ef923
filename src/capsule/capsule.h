/* The capsule's file format: reader and writer side by side. docs/capsule-format.md is the long form.
 *
 * A capsule is a core WebAssembly module: [signature] wisp.manifest, the engine's sections up to code, wisp.intrinsics,
 * wisp.gguf, name, wisp.pad, the data section (its segment 0 is the passive model segment), then wisp.weights.N.
 * Everything that the file says about itself is in the manifest; everything but the weights is checked on opening.
 */
#ifndef CAPSULE_CAPSULE_H
#define CAPSULE_CAPSULE_H
#include "base/bytes.h"
#include "base/err.h"
#include "base/json.h"
#include <stdbool.h>

enum {
    CAPSULE_FORMAT = 1,
    CAPSULE_ALIGN = 4096,      /* file offset of the model segment's content, and of each overflow section's */
    CAPSULE_TENSOR_ALIGN = 64, /* a tensor's offset in its segment */
    CAPSULE_SEGMENTS_MAX = 1024,
    CAPSULE_SECTIONS_MAX = 2048,
    CAPSULE_TENSORS_MAX = 65536,
    CAPSULE_INTRINSICS_ABI = 1
};

/* One tensor of the directory. Texts are borrowed: from the manifest (reader) or from the caller (writer). */
typedef struct capsule_tensor {
    const char *name;
    const char *type;   /* GGUF's name of the source type: "Q4_0"; as stored in the source file */
    const char *layout; /* how it lies here: "Q4_0_R16"; equal to `type` if as in the source */
    bool generated;     /* made by the compiler, not in the source (wisp.rope_freqs): unpacking leaves it out */
    uint32_t dims;      /* 1 to 4 */
    uint64_t shape[4];  /* GGUF's order: shape[0] is contiguous (columns) */
    uint32_t segment;   /* 0: the data segment, N: wisp.weights.N */
    uint64_t offset;    /* in the segment's content */
    uint64_t size;
    uint8_t sha256[32];
} capsule_tensor;

/* What the manifest says in prose. Texts are borrowed; NULL and 0 where unknown. */
typedef struct capsule_info {
    const char *name, *version, *license;
    const char *source_file;
    uint8_t source_sha256[32];
    uint64_t source_bytes;
    const char *engine_version;
    const char *architecture;
    uint64_t context_length, parameters;
    const char *quantization;
} capsule_info;

/* ---- reader ---- */
typedef struct capsule_section {
    uint32_t id;       /* WebAssembly's section id; 0: custom */
    base_span name;    /* custom sections */
    base_span content; /* custom sections: after the name */
    base_span payload; /* what the size field counts */
    base_span whole;   /* with id and size */
} capsule_section;

typedef struct capsule_intrinsic {
    uint32_t function;   /* index in the module */
    base_span name;      /* "wisp_dev_submit" */
    base_span signature; /* "(ii)i": i i32, I i64, f f32, F f64, v v128 */
} capsule_intrinsic;

typedef struct capsule {
    base_span file;
    bool has_signature;     /* a `signature` section is there; nothing is said about its worth */
    base_span signature;    /* its content */
    base_span signed_bytes; /* what a signature covers: all that follows its section (the file without magic) */
    base_span manifest;     /* JSON text */
    const base_json *json;  /* its root */
    capsule_info info;
    uint8_t engine_sha256[32]; /* recomputed, not quoted: equal to capsule_engine_digest of the engine packed */
    uint32_t section_count;
    const capsule_section *sections; /* all, in file order */
    uint32_t segment_count;          /* 1, and one for each wisp.weights.N */
    const base_span *segments;       /* contents; [0] is the model segment (base/model.h) */
    base_span gguf;                  /* GGUF header, key/values and tensor infos of the source, verbatim */
    base_span intrinsics;
    uint32_t intrinsic_count;
    const capsule_intrinsic *intrinsic;
    uint32_t tensor_count;
    const capsule_tensor *tensors; /* ascending by segment and offset */
    void *owned;                   /* what capsule_close frees */
} capsule;

/* Do these first bytes (a few hundred are enough) look like a capsule? Says nothing about its being a good one. */
bool capsule_probe(base_span head);

/* Parses and checks the mapped file, which must stay mapped: the framing, the manifest and its own digest, that exactly
 * the sections listed are there, their digests, the model head, the intrinsics, the tensor directory. Not the weights.
 * On failure *c is all zero. */
wisp_status capsule_open(capsule *c, base_span file, wisp_report *report) WISP_MUST_USE;
void capsule_close(capsule *c);

/* Reads every tensor and compares its digest; gaps between tensors must be zero. `progress` (NULL is allowed) is told
 * bytes done and total, and returns false to stop (WISP_E_CANCELLED). */
typedef bool (*capsule_progress)(void *context, uint64_t done, uint64_t total);
wisp_status capsule_verify_weights(const capsule *c, capsule_progress progress, void *context,
                                   wisp_report *report) WISP_MUST_USE;

/* NULL if there is none of that name. */
const capsule_tensor *capsule_find_tensor(const capsule *c, const char *name);
base_span capsule_tensor_bytes(const capsule *c, const capsule_tensor *t);
const capsule_section *capsule_find_section(const capsule *c, const char *name);

/* ---- writer ---- */
/* Where a capsule goes. write appends; write_at overwrites bytes already written (digests known only at the end). */
typedef struct capsule_sink {
    void *self;
    wisp_status (*write)(void *self, const void *data, size_t size, wisp_report *report);
    wisp_status (*write_at)(void *self, uint64_t offset, const void *data, size_t size, wisp_report *report);
} capsule_sink;

typedef struct capsule_plan {
    base_span engine;        /* a plain module that reads the model with memory.init 0 / data.drop 0 */
    capsule_info info;       /* source_sha256 may still be unknown: see capsule_writer_end */
    base_span gguf;          /* content of wisp.gguf; may be empty: no such section */
    base_span head;          /* base_model_write's output, the first bytes of the model segment */
    capsule_tensor *tensors; /* placed by capsule_place, in that order; sha256 is filled while streaming */
    uint32_t tensor_count;
    bool digests_given; /* the caller fills in every tensor's sha256 before capsule_writer_end */
} capsule_plan;

/* Assigns segment and offset in array order, from head_bytes on. A tensor that would take a segment past `limit` bytes
 * (0: what one section holds) begins the next one. Sets the number of segments. */
wisp_status capsule_place(capsule_tensor *tensors, uint32_t count, uint64_t head_bytes, uint64_t limit,
                          uint32_t *segment_count, wisp_report *report) WISP_MUST_USE;

/* Writes all up to the first weight; capsule_writer_put appends the tensors' bytes, in order, in pieces of any size
 * (gaps and overflow sections are the writer's affair); capsule_writer_end writes the rest and the digests.
 * `plan` and what it points to must live until the end. capsule_writer_free is due in any case; NULL is allowed. */
typedef struct capsule_writer capsule_writer;
wisp_status capsule_writer_begin(capsule_writer **writer, capsule_plan *plan, const capsule_sink *sink,
                                 wisp_report *report) WISP_MUST_USE;
wisp_status capsule_writer_put(capsule_writer *w, const void *data, size_t size, wisp_report *report) WISP_MUST_USE;
wisp_status capsule_writer_end(capsule_writer *w, const uint8_t source_sha256[32], wisp_report *report) WISP_MUST_USE;
void capsule_writer_free(capsule_writer *w);

/* Names an engine: what stays the same of it in every capsule (sections type to code, data count raised by one for the
 * model segment, its own data segments). */
wisp_status capsule_engine_digest(base_span engine, uint8_t digest[32], wisp_report *report) WISP_MUST_USE;

#endif
