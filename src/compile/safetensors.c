#include "compile/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "compile/hf_folder.h"
#include "tensor/blocks.h"

#define INDEX_NAME "model.safetensors.index.json"
enum { NAME_MAX_BYTES = 512, INDEX_MAX = 100 << 20 };

static const struct {
    const char *name;
    uint8_t size;
} types[ST_TYPES] = {
    [ST_BOOL] = {"BOOL", 1},       [ST_U8] = {"U8", 1},   [ST_I8] = {"I8", 1},   [ST_F8_E4M3] = {"F8_E4M3", 1},
    [ST_F8_E5M2] = {"F8_E5M2", 1}, [ST_U16] = {"U16", 2}, [ST_I16] = {"I16", 2}, [ST_F16] = {"F16", 2},
    [ST_BF16] = {"BF16", 2},       [ST_U32] = {"U32", 4}, [ST_I32] = {"I32", 4}, [ST_F32] = {"F32", 4},
    [ST_U64] = {"U64", 8},         [ST_I64] = {"I64", 8}, [ST_F64] = {"F64", 8},
};

const char *safetensors_type_name(safetensors_type type)
{
    return types[type].name;
}

void safetensors_close(safetensors *s)
{
    for (size_t i = 0; i < s->doc_count; i++)
        base_json_free(s->docs[i]);
    for (size_t i = 0; i < s->map_count; i++)
        os_unmap(&s->maps[i]);
    base_free(s->docs);
    base_free(s->maps);
    base_free(s->tensors);
    *s = (safetensors){0};
}

static int compare_tensors(const void *a, const void *b)
{
    return strcmp(((const safetensors_tensor *)a)->name, ((const safetensors_tensor *)b)->name);
}

const safetensors_tensor *safetensors_find(const safetensors *s, const char *name)
{
    const safetensors_tensor wanted = {.name = name};
    return s->count ? bsearch(&wanted, s->tensors, s->count, sizeof *s->tensors, compare_tensors) : NULL;
}

/* ---- a header ---- */

static wisp_status read_type(safetensors_tensor *t, const base_json *node, wisp_report *report)
{
    const char *name = base_json_str(base_json_get(node, "dtype"));
    if (!name) return base_fail(report, WISP_E_INPUT, "tensor '%.80s': no dtype", t->name);
    for (int i = 0; i < ST_TYPES; i++) {
        if (strcmp(types[i].name, name) != 0) continue;
        t->type = (safetensors_type)i;
        return WISP_OK;
    }
    return base_fail(report, WISP_E_UNSUPPORTED, "tensor '%.80s': unknown dtype '%.20s'", t->name, name);
}

static wisp_status read_shape(safetensors_tensor *t, const base_json *node, wisp_report *report)
{
    const base_json *shape = base_json_get(node, "shape");
    if (!shape || shape->kind != JSON_ARRAY || shape->count > SAFETENSORS_DIMS_MAX)
        return base_fail(report, WISP_E_INPUT, "tensor '%.80s': no shape of at most %d dimensions", t->name,
                         SAFETENSORS_DIMS_MAX);
    t->elements = 1;
    for (const base_json *d = shape->first; d; d = d->next) {
        uint64_t *size = &t->shape[t->dims++];
        if (!base_json_uint(d, size) || __builtin_mul_overflow(t->elements, *size, &t->elements))
            return base_fail(report, WISP_E_INPUT, "tensor '%.80s': impossible dimension %u", t->name, t->dims - 1);
    }
    return WISP_OK;
}

static wisp_status read_place(safetensors_tensor *t, const base_json *node, base_span data, wisp_report *report)
{
    const base_json *offsets = base_json_get(node, "data_offsets");
    uint64_t begin, end, size;
    if (!offsets || offsets->kind != JSON_ARRAY || offsets->count != 2 ||
        !base_json_uint(base_json_at(offsets, 0), &begin) || !base_json_uint(base_json_at(offsets, 1), &end))
        return base_fail(report, WISP_E_INPUT, "tensor '%.80s': data_offsets are not two whole numbers", t->name);
    if (begin > end || end > data.size)
        return base_fail(report, WISP_E_TRUNCATED, "tensor '%.80s': bytes %llu to %llu of %zu", t->name,
                         (unsigned long long)begin, (unsigned long long)end, data.size);
    if (__builtin_mul_overflow(t->elements, (uint64_t)types[t->type].size, &size) || size != end - begin)
        return base_fail(report, WISP_E_INPUT, "tensor '%.80s': its shape and type do not make %llu bytes", t->name,
                         (unsigned long long)(end - begin));
    t->bytes = (base_span){data.data + begin, (size_t)size};
    return WISP_OK;
}

static wisp_status read_tensor(safetensors *s, const base_json *node, base_span data, wisp_report *report)
{
    safetensors_tensor t = {.name = node->key};
    if (node->key_size == 0 || node->key_size > NAME_MAX_BYTES || strlen(node->key) != node->key_size)
        return base_fail(report, WISP_E_INPUT, "a tensor's name is empty, too long or holds a zero byte");
    if (node->kind != JSON_OBJECT) return base_fail(report, WISP_E_INPUT, "tensor '%.80s': no object", t.name);
    BASE_TRY(read_type(&t, node, report));
    BASE_TRY(read_shape(&t, node, report));
    BASE_TRY(read_place(&t, node, data, report));
    if (!BASE_GROW(s->tensors, s->capacity, s->count + 1)) return base_fail(report, WISP_E_MEMORY, "out of memory");
    s->tensors[s->count++] = t;
    return WISP_OK;
}

static int compare_places(const void *a, const void *b)
{
    const safetensors_tensor *x = a, *y = b;
    if (x->bytes.data != y->bytes.data) return x->bytes.data < y->bytes.data ? -1 : 1;
    return x->bytes.size < y->bytes.size ? -1 : x->bytes.size > y->bytes.size;
}

/* The tensors from `first` on are of one file: they fill its data, as the format demands. What else there were would
 * be hashed with the file, however long it is. */
static wisp_status check_places(safetensors *s, size_t first, base_span data, wisp_report *report)
{
    safetensors_tensor *t = s->tensors ? s->tensors + first : NULL;
    const size_t count = s->count - first;
    uint64_t left = data.size;
    if (count) qsort(t, count, sizeof *t, compare_places);
    for (size_t i = 0; i < count; i++) {
        if (i && t[i].bytes.data < t[i - 1].bytes.data + t[i - 1].bytes.size)
            return base_fail(report, WISP_E_INPUT, "tensors '%.80s' and '%.80s' overlap", t[i - 1].name, t[i].name);
        left -= t[i].bytes.size;
    }
    if (left == 0) return WISP_OK;
    return base_fail(report, WISP_E_INPUT, "%llu bytes of data are of no tensor", (unsigned long long)left);
}

static wisp_status add_file(safetensors *s, base_span file, wisp_report *report)
{
    base_reader r = base_reader_of(file.data, file.size);
    const uint64_t size = base_read_u64(&r);
    const size_t first = s->count;
    const base_json *root;
    if (r.failed || size > base_left(&r))
        return base_fail(report, WISP_E_TRUNCATED, "no safetensors file: a header of %llu bytes in %zu",
                         (unsigned long long)size, base_left(&r));
    if (size > SAFETENSORS_HEADER_MAX)
        return base_fail(report, WISP_E_LIMIT, "a header of %llu bytes, more than %d", (unsigned long long)size,
                         SAFETENSORS_HEADER_MAX);
    const base_span header = base_read_span(&r, size);
    if (!BASE_GROW(s->docs, s->doc_capacity, s->doc_count + 1))
        return base_fail(report, WISP_E_MEMORY, "out of memory");
    wisp_status status = base_json_parse(&s->docs[s->doc_count], &root, header.data, header.size, report);
    if (status != WISP_OK) return base_fail_prefix(report, status, "the header");
    s->doc_count++;
    if (root->kind != JSON_OBJECT) return base_fail(report, WISP_E_INPUT, "the header is not a JSON object");
    const base_span data = {r.at, base_left(&r)};
    for (const base_json *node = root->first; node; node = node->next)
        if (strcmp(node->key, "__metadata__") != 0) BASE_TRY(read_tensor(s, node, data, report));
    return check_places(s, first, data, report);
}

static wisp_status sort_tensors(safetensors *s, wisp_report *report)
{
    if (s->count == 0) return WISP_OK;
    qsort(s->tensors, s->count, sizeof *s->tensors, compare_tensors);
    for (size_t i = 1; i < s->count; i++)
        if (compare_tensors(&s->tensors[i - 1], &s->tensors[i]) == 0)
            return base_fail(report, WISP_E_INPUT, "tensor '%.80s' is in two files", s->tensors[i].name);
    return WISP_OK;
}

static wisp_status close_after(safetensors *s, wisp_status status)
{
    if (status != WISP_OK) safetensors_close(s);
    return status;
}

wisp_status safetensors_open(safetensors *s, base_span file, wisp_report *report)
{
    *s = (safetensors){0};
    wisp_status status = add_file(s, file, report);
    return close_after(s, status == WISP_OK ? sort_tensors(s, report) : status);
}

/* ---- a folder ---- */

/* A plain file name: what an index says is not where files are looked for. */
static bool is_plain_name(const char *name)
{
    const size_t size = strlen(name);
    return size > 0 && size <= 255 && name[0] != '.' && !strchr(name, '/') && !strchr(name, '\\');
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static wisp_status each_file(const base_json *map, const char **names,
                             wisp_status (*each)(void *, const char *, wisp_report *), void *context,
                             wisp_report *report)
{
    size_t count = 0, files = 0;
    for (const base_json *node = map->first; node; node = node->next) {
        const char *name = base_json_str(node);
        if (!name || !is_plain_name(name))
            return base_fail(report, WISP_E_INPUT, "tensor '%.80s': its file's name is not one in the same folder",
                             node->key);
        names[count++] = name;
    }
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        if (i && strcmp(names[i - 1], names[i]) == 0) continue;
        if (++files > SAFETENSORS_FILES_MAX)
            return base_fail(report, WISP_E_LIMIT, "more than %d files", SAFETENSORS_FILES_MAX);
        BASE_TRY(each(context, names[i], report));
    }
    return WISP_OK;
}

wisp_status safetensors_index_files(base_span json, wisp_status (*each)(void *, const char *, wisp_report *),
                                    void *context, wisp_report *report)
{
    base_json_doc *doc;
    const base_json *root;
    BASE_TRY(base_json_parse(&doc, &root, json.data, json.size, report));
    const base_json *map = base_json_get(root, "weight_map");
    wisp_status status = WISP_OK;
    if (!map || map->kind != JSON_OBJECT || map->count == 0) {
        status = base_fail(report, WISP_E_INPUT, "no 'weight_map'");
    } else {
        const char **names = base_calloc(map->count, sizeof *names);
        status =
            names ? each_file(map, names, each, context, report) : base_fail(report, WISP_E_MEMORY, "out of memory");
        base_free(names);
    }
    base_json_free(doc);
    return status;
}

typedef struct opening {
    safetensors *s;
    const char *folder;
    bool in_file; /* what is wrong is in one of the files, not in the index */
} opening;

static wisp_status open_file(void *context, const char *name, wisp_report *report)
{
    opening *o = context;
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", o->folder, name) >= (int)sizeof path)
        return base_fail(report, WISP_E_INPUT, "%.80s: the path is too long", name);
    if (!BASE_GROW(o->s->maps, o->s->map_capacity, o->s->map_count + 1))
        return base_fail(report, WISP_E_MEMORY, "out of memory");
    os_map *map = &o->s->maps[o->s->map_count];
    BASE_TRY(hf_check_link(o->folder, name, report));
    BASE_TRY(os_map_file(map, path, report));
    o->s->map_count++;
    wisp_status status = add_file(o->s, (base_span){map->data, (size_t)map->size}, report);
    o->in_file = status != WISP_OK;
    return status == WISP_OK ? status : base_fail_prefix(report, status, name);
}

static wisp_status open_indexed(opening *o, const char *path, wisp_report *report)
{
    os_map map;
    BASE_TRY(hf_check_link(o->folder, INDEX_NAME, report));
    BASE_TRY(os_map_file(&map, path, report));
    wisp_status status = map.size > INDEX_MAX
                             ? base_fail(report, WISP_E_LIMIT, "%.200s: too large", path)
                             : safetensors_index_files((base_span){map.data, (size_t)map.size}, open_file, o, report);
    os_unmap(&map);
    if (status == WISP_OK || o->in_file) return status;
    return base_fail_prefix(report, status, INDEX_NAME);
}

wisp_status safetensors_open_folder(safetensors *s, const char *folder, wisp_report *report)
{
    opening o = {.s = s, .folder = folder};
    char path[4096];
    *s = (safetensors){0};
    if (snprintf(path, sizeof path, "%s/" INDEX_NAME, folder) >= (int)sizeof path)
        return base_fail(report, WISP_E_INPUT, "%.80s…: the path is too long", folder);
    wisp_status status =
        os_file_exists(path) ? open_indexed(&o, path, report) : open_file(&o, "model.safetensors", report);
    return close_after(s, status == WISP_OK ? sort_tensors(s, report) : status);
}

/* ---- numbers ---- */

/* E4M3 as the OCP has it: bias 7, no infinity, S.1111.111 is NaN. */
static float from_e4m3(uint8_t v)
{
    const uint32_t exponent = v >> 3 & 15, mantissa = v & 7;
    float f = exponent ? (float)(8 + mantissa) : (float)mantissa;
    for (uint32_t e = exponent ? exponent : 1; e < 10; e++)
        f *= 0.5f;
    for (uint32_t e = 10; e < exponent; e++)
        f *= 2;
    if ((v & 0x7f) == 0x7f) f = __builtin_nanf("");
    return v & 0x80 ? -f : f;
}

bool safetensors_floats(const safetensors_tensor *t, uint64_t first, uint64_t count, float *out)
{
    const uint8_t *p = t->bytes.data + first * types[t->type].size;
    BASE_ASSERT(first <= t->elements && count <= t->elements - first);
    for (uint64_t i = 0; i < count; i++) {
        uint16_t half;
        uint32_t bits;
        double wide;
        switch (t->type) {
        case ST_F32:
            memcpy(&out[i], p + 4 * i, 4);
            break;
        case ST_F64:
            memcpy(&wide, p + 8 * i, 8);
            out[i] = (float)wide;
            break;
        case ST_BF16:
            memcpy(&half, p + 2 * i, 2);
            bits = (uint32_t)half << 16;
            memcpy(&out[i], &bits, 4);
            break;
        case ST_F16:
            memcpy(&half, p + 2 * i, 2);
            out[i] = tensor_half_to_float(half);
            break;
        case ST_F8_E5M2: /* the upper half of an F16 */
            out[i] = tensor_half_to_float((uint16_t)(p[i] << 8));
            break;
        case ST_F8_E4M3:
            out[i] = from_e4m3(p[i]);
            break;
        default:
            return false;
        }
    }
    return true;
}
