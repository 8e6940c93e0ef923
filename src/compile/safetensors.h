/* Safetensors: a checked view over mapped files (Hugging Face's format: u64 size of a JSON header, the header, data).
 *
 * Everything in the header is looked at once: counts, shapes, offsets against sizes, overlaps. A model in several files
 * has an index that names the file of each tensor; names that lead out of the folder are refused.
 */
#ifndef COMPILE_SAFETENSORS_H
#define COMPILE_SAFETENSORS_H
#include "base/bytes.h"
#include "base/err.h"
#include "os/os.h"
#include <stdbool.h>

enum { SAFETENSORS_HEADER_MAX = 100 << 20, SAFETENSORS_DIMS_MAX = 8, SAFETENSORS_FILES_MAX = 1024 };

typedef enum safetensors_type {
    ST_BOOL,
    ST_U8,
    ST_I8,
    ST_F8_E4M3,
    ST_F8_E5M2,
    ST_U16,
    ST_I16,
    ST_F16,
    ST_BF16,
    ST_U32,
    ST_I32,
    ST_F32,
    ST_U64,
    ST_I64,
    ST_F64,
    ST_TYPES
} safetensors_type;

typedef struct safetensors_tensor {
    const char *name;
    safetensors_type type;
    uint32_t dims;
    uint64_t shape[SAFETENSORS_DIMS_MAX]; /* the last one is contiguous */
    uint64_t elements;
    base_span bytes;
} safetensors_tensor;

typedef struct safetensors {
    safetensors_tensor *tensors; /* by name, ascending */
    size_t count, capacity;
    struct base_json_doc **docs; /* hold the names */
    size_t doc_count, doc_capacity;
    os_map *maps;
    size_t map_count, map_capacity;
} safetensors;

/* One file in memory, which must outlive *s. On failure *s is empty. */
wisp_status safetensors_open(safetensors *s, base_span file, wisp_report *report) WISP_MUST_USE;
/* model.safetensors in the folder, or all files that model.safetensors.index.json names. */
wisp_status safetensors_open_folder(safetensors *s, const char *folder, wisp_report *report) WISP_MUST_USE;
void safetensors_close(safetensors *s);

const safetensors_tensor *safetensors_find(const safetensors *s, const char *name); /* NULL if absent */
const char *safetensors_type_name(safetensors_type type);

/* Elements first … first + count - 1 as floats; false: the type is none of floats. */
bool safetensors_floats(const safetensors_tensor *t, uint64_t first, uint64_t count, float *out);

/* The names of an index's files, each once, in `each`; for safetensors_open_folder and its tests. */
wisp_status safetensors_index_files(base_span json, wisp_status (*each)(void *context, const char *name, wisp_report *),
                                    void *context, wisp_report *report) WISP_MUST_USE;

#endif
