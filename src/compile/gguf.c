#include "compile/gguf.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { KEY_BYTES_MAX = 65535, NAME_BYTES_MAX = 256, KV_BYTES_MIN = 13, INFO_BYTES_MIN = 33 };

/* How much of a hostile name goes into a message. */
#define SHOWN(span) (int)((span).size < 80 ? (span).size : 80), (const char *)(span).data

static const compile_gguf_type tensor_types[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},      {3, "Q4_1", 32, 20},
    {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},      {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},
    {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},   {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
    {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
};
enum { TENSOR_TYPES = sizeof tensor_types / sizeof *tensor_types };

const compile_gguf_type *compile_gguf_type_find(uint32_t type)
{
    for (size_t i = 0; i < TENSOR_TYPES; i++)
        if (tensor_types[i].type == type) return &tensor_types[i];
    return NULL;
}

const compile_gguf_type *compile_gguf_type_named(const char *name)
{
    for (size_t i = 0; i < TENSOR_TYPES; i++)
        if (strcmp(tensor_types[i].name, name) == 0) return &tensor_types[i];
    return NULL;
}

static const struct {
    const char *name;
    uint8_t size; /* 0: not fixed */
} value_types[GGUF_TYPE_COUNT] = {
    [GGUF_U8] = {"u8", 1},       [GGUF_I8] = {"i8", 1},   [GGUF_U16] = {"u16", 2}, [GGUF_I16] = {"i16", 2},
    [GGUF_U32] = {"u32", 4},     [GGUF_I32] = {"i32", 4}, [GGUF_F32] = {"f32", 4}, [GGUF_BOOL] = {"bool", 1},
    [GGUF_U64] = {"u64", 8},     [GGUF_I64] = {"i64", 8}, [GGUF_F64] = {"f64", 8}, [GGUF_STRING] = {"string", 0},
    [GGUF_ARRAY] = {"array", 0},
};

static wisp_status ends_early(const base_reader *r, const char *what, wisp_report *report)
{
    return base_fail(report, WISP_E_TRUNCATED, "byte %zu: the file ends inside %s", base_offset(r), what);
}

base_span compile_gguf_next_string(base_reader *r)
{
    return base_read_span(r, base_read_u64(r));
}

/* ---- names ---- */

static int compare_spans(const base_span *a, const base_span *b)
{
    int order = memcmp(a->data, b->data, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static int compare_names(const void *a, const void *b)
{
    return compare_spans(*(const base_span *const *)a, *(const base_span *const *)b);
}

/* Sorts pointers to `count` records that begin with their name; refuses equal names. A sort and not a hash table, so
 * that no choice of names makes it quadratic. */
static wisp_status index_names(const base_span ***index, const void *records, uint64_t count, size_t record_size,
                               const char *what, wisp_report *report)
{
    const base_span **sorted = base_calloc(count, sizeof *sorted);
    if (!sorted) return base_fail(report, WISP_E_MEMORY, "out of memory for %" PRIu64 " %ss", count, what);
    *index = sorted;
    for (uint64_t i = 0; i < count; i++)
        sorted[i] = (const base_span *)((const char *)records + i * record_size);
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (uint64_t i = 1; i < count; i++)
        if (compare_spans(sorted[i - 1], sorted[i]) == 0)
            return base_fail(report, WISP_E_INPUT, "%s '%.*s' appears twice", what, SHOWN(*sorted[i]));
    return WISP_OK;
}

static const void *find_name(const base_span *const *sorted, uint64_t count, const char *name)
{
    const base_span wanted = {(const uint8_t *)name, strlen(name)};
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int order = compare_spans(sorted[middle], &wanted);
        if (order == 0) return sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- key/values ---- */

/* Moves past a value of the type, having looked at every length in it. */
static wisp_status read_array(base_reader *r, compile_gguf_kv *kv, wisp_report *report)
{
    kv->element = base_read_u32(r);
    kv->count = base_read_u64(r);
    if (r->failed) return ends_early(r, "an array's head", report);
    if (kv->element >= GGUF_TYPE_COUNT || kv->element == GGUF_ARRAY)
        return base_fail(report, kv->element == GGUF_ARRAY ? WISP_E_UNSUPPORTED : WISP_E_INPUT,
                         "key '%.*s': array of element type %" PRIu32, SHOWN(kv->key), kv->element);
    size_t size = value_types[kv->element].size;
    if (!base_can_hold(r, kv->count, size ? size : 8))
        return base_fail(report, WISP_E_TRUNCATED, "key '%.*s': %" PRIu64 " elements, but only %zu bytes are left",
                         SHOWN(kv->key), kv->count, base_left(r));
    const uint8_t *start = r->at;
    if (size) {
        base_skip(r, kv->count * size);
    } else {
        for (uint64_t i = 0; i < kv->count; i++) {
            compile_gguf_next_string(r);
            if (r->failed)
                return base_fail(report, WISP_E_TRUNCATED, "key '%.*s': element %" PRIu64 " goes past the file's end",
                                 SHOWN(kv->key), i);
        }
    }
    kv->bytes = (base_span){start, (size_t)(r->at - start)};
    return WISP_OK;
}

static wisp_status read_value(base_reader *r, compile_gguf_kv *kv, wisp_report *report)
{
    kv->count = 1;
    if (kv->type == GGUF_ARRAY) return read_array(r, kv, report);
    if (kv->type == GGUF_STRING)
        kv->bytes = compile_gguf_next_string(r);
    else
        kv->bytes = base_read_span(r, value_types[kv->type].size);
    if (r->failed)
        return base_fail(report, WISP_E_TRUNCATED, "key '%.*s': its value goes past the file's end", SHOWN(kv->key));
    if (kv->type == GGUF_BOOL && kv->bytes.data[0] > 1)
        return base_fail(report, WISP_E_INPUT, "key '%.*s': %d is not a boolean", SHOWN(kv->key), kv->bytes.data[0]);
    return WISP_OK;
}

static bool is_name(base_span s, size_t most)
{
    return s.size > 0 && s.size <= most && base_utf8_valid(s.data, s.size) && !memchr(s.data, 0, s.size);
}

static wisp_status read_keys(compile_gguf *g, base_reader *r, wisp_report *report)
{
    if (g->key_count > GGUF_KEYS_MAX)
        return base_fail(report, WISP_E_LIMIT, "%" PRIu64 " keys, more than %d", g->key_count, GGUF_KEYS_MAX);
    if (!base_can_hold(r, g->key_count, KV_BYTES_MIN))
        return base_fail(report, WISP_E_TRUNCATED, "%" PRIu64 " keys do not fit in %zu bytes", g->key_count,
                         base_left(r));
    g->keys = base_calloc(g->key_count, sizeof *g->keys);
    if (!g->keys) return base_fail(report, WISP_E_MEMORY, "out of memory for %" PRIu64 " keys", g->key_count);
    for (uint64_t i = 0; i < g->key_count; i++) {
        compile_gguf_kv *kv = &g->keys[i];
        size_t at = base_offset(r);
        kv->key = compile_gguf_next_string(r);
        kv->type = base_read_u32(r);
        if (r->failed) return ends_early(r, "a key", report);
        if (!is_name(kv->key, KEY_BYTES_MAX))
            return base_fail(report, WISP_E_INPUT, "byte %zu: key %" PRIu64 " is empty, too long or not UTF-8", at, i);
        if (kv->type >= GGUF_TYPE_COUNT)
            return base_fail(report, WISP_E_INPUT, "key '%.*s': unknown value type %" PRIu32, SHOWN(kv->key), kv->type);
        BASE_TRY(read_value(r, kv, report));
    }
    return index_names(&g->keys_by_name, g->keys, g->key_count, sizeof *g->keys, "key", report);
}

static wisp_status read_alignment(compile_gguf *g, wisp_report *report)
{
    uint64_t alignment = GGUF_ALIGNMENT_DEFAULT;
    BASE_TRY(compile_gguf_uint(g, "general.alignment", &alignment, report));
    if (alignment < 8 || alignment > GGUF_ALIGNMENT_MAX || (alignment & (alignment - 1)) != 0)
        return base_fail(report, WISP_E_INPUT,
                         "key 'general.alignment': %" PRIu64 " is not a power of two from 8 to %d", alignment,
                         GGUF_ALIGNMENT_MAX);
    g->alignment = (uint32_t)alignment;
    return WISP_OK;
}

/* ---- tensor infos ---- */

static wisp_status measure(compile_gguf_tensor *t, wisp_report *report)
{
    const compile_gguf_type *type = compile_gguf_type_find(t->type);
    if (!type)
        return base_fail(report, WISP_E_UNSUPPORTED, "tensor '%.*s': unknown type %" PRIu32, SHOWN(t->name), t->type);
    t->elements = 1;
    for (uint32_t i = 0; i < 4; i++)
        if (t->shape[i] == 0 || __builtin_mul_overflow(t->elements, t->shape[i], &t->elements))
            return base_fail(report, WISP_E_INPUT,
                             "tensor '%.*s': impossible dimensions %" PRIu64 " x %" PRIu64 " x %" PRIu64 " x %" PRIu64,
                             SHOWN(t->name), t->shape[0], t->shape[1], t->shape[2], t->shape[3]);
    if (t->shape[0] % type->block != 0)
        return base_fail(report, WISP_E_INPUT,
                         "tensor '%.*s': rows of %" PRIu64 " elements, but %s has blocks of %" PRIu32, SHOWN(t->name),
                         t->shape[0], type->name, type->block);
    if (__builtin_mul_overflow(t->elements / type->block, (uint64_t)type->block_bytes, &t->size))
        return base_fail(report, WISP_E_INPUT, "tensor '%.*s': %" PRIu64 " elements are too many", SHOWN(t->name),
                         t->elements);
    return WISP_OK;
}

static wisp_status read_info(compile_gguf_tensor *t, base_reader *r, uint64_t number, wisp_report *report)
{
    size_t at = base_offset(r);
    t->name = compile_gguf_next_string(r);
    t->dims = base_read_u32(r);
    if (r->failed) return ends_early(r, "a tensor's name", report);
    if (!is_name(t->name, NAME_BYTES_MAX))
        return base_fail(report, WISP_E_INPUT,
                         "byte %zu: the name of tensor %" PRIu64 " is empty, too long or not UTF-8", at, number);
    if (t->dims < 1 || t->dims > 4)
        return base_fail(report, WISP_E_INPUT, "tensor '%.*s': %" PRIu32 " dimensions", SHOWN(t->name), t->dims);
    for (uint32_t i = 0; i < 4; i++)
        t->shape[i] = i < t->dims ? base_read_u64(r) : 1;
    t->type = base_read_u32(r);
    t->offset = base_read_u64(r);
    if (r->failed) return ends_early(r, "a tensor's description", report);
    return measure(t, report);
}

static wisp_status read_infos(compile_gguf *g, base_reader *r, wisp_report *report)
{
    size_t text = 0;
    for (uint64_t i = 0; i < g->tensor_count; i++) {
        BASE_TRY(read_info(&g->tensors[i], r, i, report));
        text += g->tensors[i].name.size + 1;
    }
    g->infos_end = base_offset(r);
    g->names = base_alloc(text);
    if (!g->names) return base_fail(report, WISP_E_MEMORY, "out of memory for tensor names");
    char *p = g->names;
    for (uint64_t i = 0; i < g->tensor_count; i++) {
        compile_gguf_tensor *t = &g->tensors[i];
        memcpy(p, t->name.data, t->name.size);
        p[t->name.size] = 0;
        t->text = p;
        p += t->name.size + 1;
    }
    return index_names(&g->tensors_by_name, g->tensors, g->tensor_count, sizeof *g->tensors, "tensor", report);
}

static int compare_offsets(const void *a, const void *b)
{
    const compile_gguf_tensor *s = *(const compile_gguf_tensor *const *)a, *t = *(const compile_gguf_tensor *const *)b;
    return (s->offset > t->offset) - (s->offset < t->offset);
}

static wisp_status check_overlap(const compile_gguf *g, wisp_report *report)
{
    const compile_gguf_tensor **sorted = base_calloc(g->tensor_count, sizeof *sorted);
    if (!sorted) return base_fail(report, WISP_E_MEMORY, "out of memory for %" PRIu64 " tensors", g->tensor_count);
    for (uint64_t i = 0; i < g->tensor_count; i++)
        sorted[i] = &g->tensors[i];
    qsort(sorted, g->tensor_count, sizeof *sorted, compare_offsets);
    wisp_status status = WISP_OK;
    for (uint64_t i = 1; i < g->tensor_count && !status; i++)
        if (sorted[i]->offset - sorted[i - 1]->offset < sorted[i - 1]->size)
            status = base_fail(report, WISP_E_INPUT, "tensors '%.*s' and '%.*s' overlap", SHOWN(sorted[i - 1]->name),
                               SHOWN(sorted[i]->name));
    base_free(sorted);
    return status;
}

/* GGUF's offsets count from the data part, which begins at the next multiple of the alignment. */
static wisp_status place_tensors(compile_gguf *g, uint64_t file_size, wisp_report *report)
{
    uint64_t rest = g->infos_end % g->alignment;
    g->data_start = rest ? g->infos_end + (g->alignment - rest) : g->infos_end;
    if (g->tensor_count == 0) return WISP_OK;
    if (g->data_start > file_size)
        return base_fail(report, WISP_E_TRUNCATED, "byte %" PRIu64 ": the file ends before the tensor data", file_size);
    uint64_t room = file_size - g->data_start;
    for (uint64_t i = 0; i < g->tensor_count; i++) {
        compile_gguf_tensor *t = &g->tensors[i];
        if (t->offset % g->alignment != 0)
            return base_fail(report, WISP_E_INPUT, "tensor '%.*s': offset %" PRIu64 " is not a multiple of %" PRIu32,
                             SHOWN(t->name), t->offset, g->alignment);
        if (t->offset > room || t->size > room - t->offset)
            return base_fail(report, WISP_E_TRUNCATED,
                             "tensor '%.*s': %" PRIu64 " bytes at offset %" PRIu64 " go past the file's end (%" PRIu64
                             " bytes of tensor data)",
                             SHOWN(t->name), t->size, t->offset, room);
        t->offset += g->data_start;
    }
    return check_overlap(g, report);
}

static wisp_status parse(compile_gguf *g, base_span bytes, uint64_t file_size, wisp_report *report)
{
    base_reader r = base_reader_of(bytes.data, bytes.size);
    base_span magic = base_read_span(&r, 4);
    g->version = base_read_u32(&r);
    g->tensor_count = base_read_u64(&r);
    g->key_count = base_read_u64(&r);
    if (magic.data && memcmp(magic.data, "GGUF", 4) != 0)
        return base_fail(report, WISP_E_INPUT, "byte 0: not a GGUF file");
    if (r.failed) return ends_early(&r, "the GGUF header", report);
    if (g->version != 2 && g->version != 3)
        return base_fail(report, WISP_E_UNSUPPORTED, "byte 4: GGUF version %" PRIu32 "%s", g->version,
                         g->version == 0x03000000 || g->version == 0x02000000 ? " (a big-endian file)" : "");
    BASE_TRY(read_keys(g, &r, report));
    BASE_TRY(read_alignment(g, report));
    if (g->tensor_count > GGUF_TENSORS_MAX)
        return base_fail(report, WISP_E_LIMIT, "%" PRIu64 " tensors, more than %d", g->tensor_count, GGUF_TENSORS_MAX);
    if (!base_can_hold(&r, g->tensor_count, INFO_BYTES_MIN))
        return base_fail(report, WISP_E_TRUNCATED, "%" PRIu64 " tensors do not fit in %zu bytes", g->tensor_count,
                         base_left(&r));
    g->tensors = base_calloc(g->tensor_count, sizeof *g->tensors);
    if (!g->tensors) return base_fail(report, WISP_E_MEMORY, "out of memory for %" PRIu64 " tensors", g->tensor_count);
    BASE_TRY(read_infos(g, &r, report));
    return place_tensors(g, file_size, report);
}

wisp_status compile_gguf_open(compile_gguf *g, base_span bytes, uint64_t file_size, wisp_report *report)
{
    *g = (compile_gguf){.file = bytes};
    wisp_status status = parse(g, bytes, file_size, report);
    if (status) compile_gguf_close(g);
    return status;
}

void compile_gguf_close(compile_gguf *g)
{
    base_free(g->keys);
    base_free(g->tensors);
    base_free(g->keys_by_name);
    base_free(g->tensors_by_name);
    base_free(g->names);
    *g = (compile_gguf){0};
}

/* ---- access ---- */

const compile_gguf_kv *compile_gguf_find(const compile_gguf *g, const char *key)
{
    return find_name(g->keys_by_name, g->key_count, key);
}

const compile_gguf_tensor *compile_gguf_find_tensor(const compile_gguf *g, const char *name)
{
    return find_name(g->tensors_by_name, g->tensor_count, name);
}

static wisp_status wrong_type(const compile_gguf_kv *kv, const char *wanted, wisp_report *report)
{
    return base_fail(report, WISP_E_INPUT, "key '%.*s': %s expected, found %s%s", SHOWN(kv->key), wanted,
                     kv->type == GGUF_ARRAY ? "an array of " : "",
                     value_types[kv->type == GGUF_ARRAY ? kv->element : kv->type].name);
}

/* Reads any integer: its low 64 bits and whether it is negative. */
static bool integer_of(const compile_gguf_kv *kv, uint64_t *value, bool *negative)
{
    base_reader r = base_reader_of(kv->bytes.data, kv->bytes.size);
    int64_t v;
    switch (kv->type) {
    case GGUF_U8:
        v = base_read_u8(&r);
        break;
    case GGUF_I8:
        v = (int8_t)base_read_u8(&r);
        break;
    case GGUF_U16:
        v = base_read_u16(&r);
        break;
    case GGUF_I16:
        v = (int16_t)base_read_u16(&r);
        break;
    case GGUF_U32:
        v = base_read_u32(&r);
        break;
    case GGUF_I32:
        v = (int32_t)base_read_u32(&r);
        break;
    case GGUF_I64:
        v = (int64_t)base_read_u64(&r);
        break;
    case GGUF_U64:
        *negative = false;
        return *value = base_read_u64(&r), true;
    default:
        return false;
    }
    *negative = v < 0;
    *value = (uint64_t)v;
    return true;
}

wisp_status compile_gguf_uint(const compile_gguf *g, const char *key, uint64_t *out, wisp_report *report)
{
    const compile_gguf_kv *kv = compile_gguf_find(g, key);
    if (!kv) return WISP_OK;
    uint64_t value;
    bool negative;
    if (!integer_of(kv, &value, &negative)) return wrong_type(kv, "an integer", report);
    if (negative) return base_fail(report, WISP_E_INPUT, "key '%s': %" PRId64 " is negative", key, (int64_t)value);
    *out = value;
    return WISP_OK;
}

wisp_status compile_gguf_int(const compile_gguf *g, const char *key, int64_t *out, wisp_report *report)
{
    const compile_gguf_kv *kv = compile_gguf_find(g, key);
    if (!kv) return WISP_OK;
    uint64_t value;
    bool negative;
    if (!integer_of(kv, &value, &negative)) return wrong_type(kv, "an integer", report);
    if (!negative && value > INT64_MAX)
        return base_fail(report, WISP_E_INPUT, "key '%s': %" PRIu64 " is too large", key, value);
    *out = (int64_t)value;
    return WISP_OK;
}

wisp_status compile_gguf_float(const compile_gguf *g, const char *key, double *out, wisp_report *report)
{
    const compile_gguf_kv *kv = compile_gguf_find(g, key);
    if (!kv) return WISP_OK;
    base_reader r = base_reader_of(kv->bytes.data, kv->bytes.size);
    double v;
    if (kv->type == GGUF_F32)
        v = (double)base_read_f32(&r);
    else if (kv->type == GGUF_F64)
        v = base_read_f64(&r);
    else
        return wrong_type(kv, "a float", report);
    if (!isfinite(v)) return base_fail(report, WISP_E_INPUT, "key '%s': not a finite number", key);
    *out = v;
    return WISP_OK;
}

wisp_status compile_gguf_bool(const compile_gguf *g, const char *key, bool *out, wisp_report *report)
{
    const compile_gguf_kv *kv = compile_gguf_find(g, key);
    if (!kv) return WISP_OK;
    if (kv->type != GGUF_BOOL) return wrong_type(kv, "a boolean", report);
    *out = kv->bytes.data[0] != 0;
    return WISP_OK;
}

wisp_status compile_gguf_string(const compile_gguf *g, const char *key, base_span *out, wisp_report *report)
{
    const compile_gguf_kv *kv = compile_gguf_find(g, key);
    if (!kv) return WISP_OK;
    if (kv->type != GGUF_STRING) return wrong_type(kv, "a string", report);
    *out = kv->bytes;
    return WISP_OK;
}

wisp_status compile_gguf_array(const compile_gguf *g, const char *key, uint32_t element, const compile_gguf_kv **out,
                               wisp_report *report)
{
    const compile_gguf_kv *kv = compile_gguf_find(g, key);
    *out = NULL;
    if (!kv) return WISP_OK;
    if (kv->type != GGUF_ARRAY || kv->element != element) {
        char wanted[40] = "an array of ";
        strcat(wanted, value_types[element].name);
        return wrong_type(kv, wanted, report);
    }
    *out = kv;
    return WISP_OK;
}
