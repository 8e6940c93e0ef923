/* GGUF (ggml's docs/gguf.md, versions 2 and 3): a checked view over a mapped file.
 *
 * compile_gguf_open looks at every count, length, offset, type and alignment once; afterwards the accessors only hand
 * out spans. All errors name the place: a byte offset, a key or a tensor.
 */
#ifndef COMPILE_GGUF_H
#define COMPILE_GGUF_H
#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>

enum {
    GGUF_U8 = 0,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPE_COUNT
};
enum { GGUF_KEYS_MAX = 1 << 20, GGUF_TENSORS_MAX = 1 << 16, GGUF_ALIGNMENT_DEFAULT = 32, GGUF_ALIGNMENT_MAX = 1 << 20 };

/* ggml's tensor types, also those that no device here knows: enough to measure and to copy them. */
typedef struct compile_gguf_type {
    uint32_t type;
    const char *name;
    uint32_t block, block_bytes;
} compile_gguf_type;
const compile_gguf_type *compile_gguf_type_find(uint32_t type); /* NULL if unknown */
const compile_gguf_type *compile_gguf_type_named(const char *name);

typedef struct compile_gguf_kv {
    base_span key;    /* first, so that names sort alike */
    uint32_t type;    /* GGUF_* */
    uint32_t element; /* arrays: type of the elements */
    uint64_t count;   /* arrays: elements; else 1 */
    base_span bytes;  /* the value: a string's text, a scalar's or an array's bytes (string arrays: with lengths) */
} compile_gguf_kv;

typedef struct compile_gguf_tensor {
    base_span name;   /* first, so that names sort alike */
    const char *text; /* the same, terminated */
    uint32_t type, dims;
    uint64_t shape[4]; /* 1 past dims; shape[0] is contiguous */
    uint64_t elements;
    uint64_t offset; /* in the file, not in the data part */
    uint64_t size;
} compile_gguf_tensor;

typedef struct compile_gguf {
    base_span file;
    uint32_t version, alignment;
    uint64_t key_count, tensor_count;
    uint64_t infos_end; /* bytes before it: header, key/values, tensor infos */
    uint64_t data_start;
    compile_gguf_kv *keys;
    compile_gguf_tensor *tensors;                      /* file order */
    const base_span **keys_by_name, **tensors_by_name; /* sorted; each points at a kv's or tensor's first member */
    char *names;
} compile_gguf;

/* `bytes` is the file, or at least all of it before the tensor data; `file_size` is the size of the whole.
 * On failure *g is all zero. The bytes must stay mapped. */
wisp_status compile_gguf_open(compile_gguf *g, base_span bytes, uint64_t file_size, wisp_report *report) WISP_MUST_USE;
void compile_gguf_close(compile_gguf *g);

const compile_gguf_kv *compile_gguf_find(const compile_gguf *g, const char *key);             /* NULL if absent */
const compile_gguf_tensor *compile_gguf_find_tensor(const compile_gguf *g, const char *name); /* NULL if absent */

/* A value of the wanted kind: *out is left as it is where the key is absent; another type is an error. Integers may be
 * stored in any width and sign, floats as f32 or f64. */
wisp_status compile_gguf_uint(const compile_gguf *g, const char *key, uint64_t *out, wisp_report *report) WISP_MUST_USE;
wisp_status compile_gguf_int(const compile_gguf *g, const char *key, int64_t *out, wisp_report *report) WISP_MUST_USE;
wisp_status compile_gguf_float(const compile_gguf *g, const char *key, double *out,
                               wisp_report *report) WISP_MUST_USE; /* finite */
wisp_status compile_gguf_bool(const compile_gguf *g, const char *key, bool *out, wisp_report *report) WISP_MUST_USE;
wisp_status compile_gguf_string(const compile_gguf *g, const char *key, base_span *out,
                                wisp_report *report) WISP_MUST_USE;
/* An array whose elements are of exactly that type; NULL in *out if absent. */
wisp_status compile_gguf_array(const compile_gguf *g, const char *key, uint32_t element, const compile_gguf_kv **out,
                               wisp_report *report) WISP_MUST_USE;
/* Walks an array of strings: a reader over kv->bytes, then one call an element. */
base_span compile_gguf_next_string(base_reader *r);

#endif
