#include "compile/builder.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/layout.h"

enum { KEY_MAX = 160, NAME_MAX_BYTES = 256 };

void compile_fail(compile_builder *b, wisp_status status, const char *format, ...)
{
    if (b->status) return;
    va_list args;
    va_start(args, format);
    b->status = base_vfail(b->report, status, format, args);
    va_end(args);
}

static void no_memory(compile_builder *b)
{
    compile_fail(b, WISP_E_MEMORY, "out of memory");
}

void *compile_keep(compile_builder *b, size_t size)
{
    if (b->status) return NULL;
    void *p = BASE_GROW(b->kept, b->kept_capacity, b->kept_count + 1) ? base_calloc(1, size) : NULL;
    if (p)
        b->kept[b->kept_count++] = p;
    else
        no_memory(b);
    return p;
}

const char *compile_keep_text(compile_builder *b, base_span text)
{
    char *p = compile_keep(b, text.size + 1);
    if (p && text.size) memcpy(p, text.data, text.size);
    return p;
}

/* ---- weights from the source ---- */

static bool take_source(compile_builder *b)
{
    const compile_gguf *g = b->gguf;
    if (!BASE_GROW(b->weights, b->weight_capacity, g->tensor_count)) return no_memory(b), false;
    for (uint64_t i = 0; i < g->tensor_count; i++) {
        const compile_gguf_tensor *t = &g->tensors[i];
        if (strncmp(t->text, "wisp.", 5) == 0)
            return compile_fail(b, WISP_E_UNSUPPORTED, "tensor '%.80s': names in wisp. are reserved", t->text), false;
        compile_weight *w = &b->weights[b->weight_count++];
        *w = (compile_weight){.source = t, .name = t->text, .source_type = t->type, .layout = t->type};
        w->dims = t->dims;
        w->size = t->size;
        memcpy(w->shape, t->shape, sizeof w->shape);
    }
    return true;
}

wisp_status compile_builder_init(compile_builder *b, const compile_source *source, wisp_report *report)
{
    *b = (compile_builder){.source = source, .gguf = source->gguf, .report = report};
    base_span name = {NULL, 0};
    b->status = compile_gguf_string(b->gguf, "general.architecture", &name, report);
    if (!b->status && (name.size == 0 || name.size >= sizeof b->architecture))
        compile_fail(b, WISP_E_INPUT, "key 'general.architecture' is missing, empty or too long");
    if (!b->status) {
        memcpy(b->architecture, name.data, name.size);
        take_source(b);
    }
    if (b->status) {
        wisp_status status = b->status;
        compile_builder_fini(b);
        return status;
    }
    return WISP_OK;
}

void compile_builder_fini(compile_builder *b)
{
    for (size_t i = 0; i < b->kept_count; i++)
        base_free(b->kept[i]);
    base_free(b->kept);
    base_free(b->weights);
    base_free(b->buffers);
    base_free(b->cmds);
    *b = (compile_builder){0};
}

static compile_weight *find_weight(const compile_builder *b, const char *name)
{
    const compile_gguf_tensor *t = compile_gguf_find_tensor(b->gguf, name);
    return t ? &b->weights[t - b->gguf->tensors] : NULL;
}

bool compile_exists(const compile_builder *b, const char *name)
{
    return find_weight(b, name) != NULL;
}

uint32_t compile_type_of(const compile_builder *b, const char *name)
{
    const compile_weight *w = find_weight(b, name);
    return w ? w->source_type : (uint32_t)WISP_F32;
}

/* ---- hyper-parameters ---- */

static const char *full_key(const compile_builder *b, const char *key, char out[KEY_MAX])
{
    if (*key == ':')
        snprintf(out, KEY_MAX, "%s", key + 1);
    else
        snprintf(out, KEY_MAX, "%s.%s", b->architecture, key);
    return out;
}

bool compile_has(const compile_builder *b, const char *key)
{
    char full[KEY_MAX];
    return compile_gguf_find(b->gguf, full_key(b, key, full)) != NULL;
}

bool compile_is_array(const compile_builder *b, const char *key)
{
    char full[KEY_MAX];
    const compile_gguf_kv *kv = compile_gguf_find(b->gguf, full_key(b, key, full));
    return kv && kv->type == GGUF_ARRAY;
}

uint32_t compile_uint_or(compile_builder *b, const char *key, uint32_t fallback, uint32_t least, uint32_t most)
{
    char full[KEY_MAX];
    uint64_t v = fallback;
    if (b->status) return 0;
    b->status = compile_gguf_uint(b->gguf, full_key(b, key, full), &v, b->report);
    if (!b->status && (v < least || v > most))
        compile_fail(b, WISP_E_INPUT, "key '%s': %" PRIu64 " is not in [%" PRIu32 ", %" PRIu32 "]", full, v, least,
                     most);
    return b->status ? 0 : (uint32_t)v;
}

uint32_t compile_uint(compile_builder *b, const char *key, uint32_t least, uint32_t most)
{
    char full[KEY_MAX];
    if (!b->status && !compile_has(b, key))
        compile_fail(b, WISP_E_INPUT, "key '%s' is missing", full_key(b, key, full));
    return compile_uint_or(b, key, least, least, most);
}

double compile_float_or(compile_builder *b, const char *key, double fallback)
{
    char full[KEY_MAX];
    if (!b->status) b->status = compile_gguf_float(b->gguf, full_key(b, key, full), &fallback, b->report);
    return b->status ? 0 : fallback;
}

bool compile_bool_or(compile_builder *b, const char *key, bool fallback)
{
    char full[KEY_MAX];
    if (!b->status) b->status = compile_gguf_bool(b->gguf, full_key(b, key, full), &fallback, b->report);
    return !b->status && fallback;
}

/* Bytes of an array's scalar elements; 0: other elements. */
static uint32_t element_bytes(uint32_t type)
{
    static const uint8_t bytes[GGUF_TYPE_COUNT] = {
        [GGUF_U8] = 1,  [GGUF_I8] = 1,   [GGUF_U16] = 2, [GGUF_I16] = 2, [GGUF_U32] = 4, [GGUF_I32] = 4,
        [GGUF_F32] = 4, [GGUF_BOOL] = 1, [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8};
    return type < GGUF_TYPE_COUNT ? bytes[type] : 0;
}

/* The key's array, if it is one; NULL and a failure if it is too short or of texts. */
static const compile_gguf_kv *layer_array(compile_builder *b, const char *key, uint32_t layer, bool *is_array)
{
    char full[KEY_MAX];
    const compile_gguf_kv *kv = b->status ? NULL : compile_gguf_find(b->gguf, full_key(b, key, full));
    *is_array = kv && kv->type == GGUF_ARRAY;
    if (!*is_array) return NULL;
    if (layer < kv->count && element_bytes(kv->element)) return kv;
    compile_fail(b, WISP_E_INPUT, "key '%s': no number for layer %" PRIu32, full, layer);
    return NULL;
}

uint32_t compile_uint_at(compile_builder *b, const char *key, uint32_t layer, uint32_t fallback, uint32_t least,
                         uint32_t most)
{
    char full[KEY_MAX];
    bool is_array;
    const compile_gguf_kv *kv = layer_array(b, key, layer, &is_array);
    if (!is_array) return compile_uint_or(b, key, fallback, least, most);
    if (!kv) return 0;
    const uint32_t size = element_bytes(kv->element);
    uint64_t v = 0;
    memcpy(&v, kv->bytes.data + (size_t)layer * size, size); /* a negative number becomes one out of range */
    if (kv->element == GGUF_F32 || kv->element == GGUF_F64 || v < least || v > most) {
        compile_fail(b, WISP_E_INPUT, "key '%s': layer %" PRIu32 " is not in [%" PRIu32 ", %" PRIu32 "]",
                     full_key(b, key, full), layer, least, most);
        return 0;
    }
    return (uint32_t)v;
}

double compile_float_at(compile_builder *b, const char *key, uint32_t layer, double fallback)
{
    bool is_array;
    const compile_gguf_kv *kv = layer_array(b, key, layer, &is_array);
    if (!is_array) return compile_float_or(b, key, fallback);
    float f = NAN;
    if (kv && kv->element == GGUF_F32) memcpy(&f, kv->bytes.data + (size_t)layer * 4, 4);
    if (!isfinite(f)) compile_fail(b, WISP_E_INPUT, "key '%s.%s': not a finite number", b->architecture, key);
    return b->status ? 0 : (double)f;
}

base_span compile_string_or(compile_builder *b, const char *key, const char *fallback)
{
    char full[KEY_MAX];
    base_span text = {(const uint8_t *)fallback, strlen(fallback)};
    if (!b->status) b->status = compile_gguf_string(b->gguf, full_key(b, key, full), &text, b->report);
    return text;
}

/* ---- using weights ---- */

static compile_weight *add_made(compile_builder *b, const char *name, uint32_t type, uint32_t cols, uint64_t size)
{
    uint8_t *bytes = compile_keep(b, size);
    const char *kept = compile_keep_text(b, (base_span){(const uint8_t *)name, strlen(name)});
    if (b->status) return NULL;
    if (!BASE_GROW(b->weights, b->weight_capacity, b->weight_count + 1)) return no_memory(b), NULL;
    compile_weight *w = &b->weights[b->weight_count++];
    *w = (compile_weight){.name = kept, .source_type = type, .layout = type, .dims = 1, .shape = {cols, 1, 1, 1}};
    w->size = size;
    w->made = bytes;
    return w;
}

static wisp_view view_of(compile_builder *b, compile_weight *w, uint32_t rows, uint32_t cols)
{
    uint64_t stride = 0;
    if (!tensor_row_bytes(w->layout, cols, &stride)) stride = 0;
    w->used = true;
    return (wisp_view){.buffer = COMPILE_WEIGHT + (uint32_t)(w - b->weights),
                       .type = w->layout,
                       .rows = rows,
                       .cols = cols,
                       .stride = stride};
}

wisp_view compile_weight_made(compile_builder *b, const char *name, wisp_type type, const void *data, uint32_t cols)
{
    uint64_t size;
    if (b->status || !tensor_matrix_bytes(type, 1, cols, &size)) return (wisp_view){0};
    compile_weight *w = add_made(b, name, type, cols, size);
    if (!w) return (wisp_view){0};
    memcpy(w->made, data, size);
    return view_of(b, w, 1, cols);
}

static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff, bits;
    if (exponent == 0) { /* zero and subnormals: exact in binary32 */
        float v = (float)mantissa * 0x1p-24f;
        return sign ? -v : v;
    }
    bits = sign | (exponent == 31 ? 0x7f800000 : (exponent + 112) << 23) | mantissa << 13;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static compile_weight *find_made(const compile_builder *b, const char *name)
{
    for (uint32_t i = (uint32_t)b->gguf->tensor_count; i < b->weight_count; i++)
        if (strcmp(b->weights[i].name, name) == 0) return &b->weights[i];
    return NULL;
}

const uint8_t *compile_tensor_bytes(compile_builder *b, const compile_gguf_tensor *t)
{
    base_span bytes = {NULL, 0};
    if (!b->status) b->status = b->source->tensor(b->source->self, t, &bytes, b->report);
    BASE_ASSERT(b->status || bytes.size == t->size);
    return b->status ? NULL : bytes.data;
}

/* A vector that ops want as f32 but the source has in two bytes: the original stays, for unpacking. */
static void widen_values(compile_builder *b, const compile_weight *w, uint64_t count, uint8_t *to)
{
    const uint8_t *from = compile_tensor_bytes(b, w->source);
    for (uint64_t i = 0; from && i < count; i++) {
        uint16_t bits;
        memcpy(&bits, from + 2 * (size_t)i, 2);
        uint32_t wide = (uint32_t)bits << 16;
        float v;
        memcpy(&v, &wide, sizeof v);
        if (w->source_type == WISP_F16) v = half_to_float(bits);
        memcpy(to + 4 * (size_t)i, &v, 4);
    }
}

static compile_weight *widen(compile_builder *b, compile_weight *w, uint32_t rows, uint32_t cols)
{
    char name[NAME_MAX_BYTES + 16];
    snprintf(name, sizeof name, "wisp.f32.%s", w->name);
    compile_weight *made = find_made(b, name); /* the same tensor may serve several times */
    if (made) return made;
    const ptrdiff_t at = w - b->weights; /* add_made may move the array */
    made = add_made(b, name, WISP_F32, rows * cols, (uint64_t)rows * cols * 4);
    if (made) widen_values(b, &b->weights[at], (uint64_t)rows * cols, made->made);
    return made;
}

static bool is_matrix_type(const tensor_type_info *info)
{
    return info && info->type != WISP_F64 && info->type != WISP_I32;
}

static void unsupported_type(compile_builder *b, const compile_weight *w)
{
    compile_fail(b, WISP_E_UNSUPPORTED, "tensor '%s': type %s is not supported yet", w->name,
                 compile_gguf_type_find(w->source_type)->name);
}

static wisp_view use_vector(compile_builder *b, compile_weight *w, uint32_t rows, uint32_t cols)
{
    if (w->source_type == WISP_F16 || w->source_type == WISP_BF16)
        w = widen(b, w, rows, cols);
    else if (w->source_type != WISP_F32)
        unsupported_type(b, w);
    return b->status ? (wisp_view){0} : view_of(b, w, rows, cols);
}

static wisp_view use_matrix(compile_builder *b, compile_weight *w, compile_use use, uint32_t rows, uint32_t cols)
{
    const tensor_type_info *info = tensor_type_find(w->source_type);
    if (!is_matrix_type(info)) return unsupported_type(b, w), (wisp_view){0};
    if (use == COMPILE_MATMUL && info->packed) w->layout = info->packed;
    if (!tensor_matrix_bytes(w->layout, rows, cols, &w->size))
        return compile_fail(b, WISP_E_INPUT, "tensor '%s': it is too large", w->name), (wisp_view){0};
    return view_of(b, w, rows, cols);
}

static bool has_shape(const compile_weight *w, uint32_t stack, uint32_t rows, uint32_t cols)
{
    return w->shape[0] == cols && w->shape[1] == rows && w->shape[2] == stack && w->shape[3] == 1;
}

static void format_name(char out[NAME_MAX_BYTES], const char *format, uint32_t block)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(out, NAME_MAX_BYTES, format, (unsigned)block);
#pragma GCC diagnostic pop
}

/* The source's tensor of that shape; a failure says what was expected. */
static compile_weight *take(compile_builder *b, uint32_t stack, uint32_t rows, uint32_t cols, const char *format,
                            uint32_t block)
{
    char name[NAME_MAX_BYTES], want[64];
    if (b->status) return NULL;
    format_name(name, format, block);
    compile_weight *w = find_weight(b, name);
    snprintf(want, sizeof want, stack > 1 ? "[%" PRIu32 ", %" PRIu32 ", %" PRIu32 "]" : "[%" PRIu32 ", %" PRIu32 "]",
             cols, rows, stack);
    if (!w) return compile_fail(b, WISP_E_INPUT, "tensor '%s' is missing; %s expected", name, want), NULL;
    if (has_shape(w, stack, rows, cols)) return w;
    compile_fail(b, WISP_E_INPUT, "tensor '%s': [%" PRIu64 ", %" PRIu64 "%s found, %s expected", name, w->shape[0],
                 w->shape[1], w->shape[2] * w->shape[3] == 1 ? "]" : ", ...]", want);
    return NULL;
}

wisp_view compile_weight_view(compile_builder *b, compile_use use, uint32_t rows, uint32_t cols, const char *format,
                              uint32_t block)
{
    compile_weight *w = take(b, 1, rows, cols, format, block);
    if (!w) return (wisp_view){0};
    return use == COMPILE_VECTOR ? use_vector(b, w, rows, cols) : use_matrix(b, w, use, rows, cols);
}

wisp_view compile_weight_slice(compile_builder *b, uint32_t first, uint32_t rows, uint32_t total, uint32_t cols,
                               const char *format, uint32_t block)
{
    compile_weight *w = take(b, 1, total, cols, format, block);
    if (!w) return (wisp_view){0};
    const bool aligned = first % TENSOR_ROW_GROUP == 0 && (rows % TENSOR_ROW_GROUP == 0 || first + rows == total);
    wisp_view v = use_matrix(b, w, aligned ? COMPILE_MATMUL : COMPILE_ROWS, total, cols);
    if (b->status) return v;
    BASE_ASSERT(first < total && rows <= total - first);
    if (v.stride == 0 && !aligned)
        compile_fail(b, WISP_E_UNSUPPORTED, "tensor '%s': rows %" PRIu32 " to %" PRIu32 " of packed ones", w->name,
                     first, first + rows);
    v.rows = rows;
    v.offset = v.stride ? first * v.stride : first / TENSOR_ROW_GROUP * tensor_group_bytes(w->layout, cols);
    return v;
}

wisp_view compile_weight_stack(compile_builder *b, uint32_t count, uint32_t rows, uint32_t cols, const char *format,
                               uint32_t block)
{
    compile_weight *w = take(b, count, rows, cols, format, block);
    if (!w) return (wisp_view){0};
    if ((uint64_t)count * rows > INT32_MAX)
        return compile_fail(b, WISP_E_INPUT, "tensor '%s': it is too large", w->name), (wisp_view){0};
    return use_matrix(b, w, rows % TENSOR_ROW_GROUP ? COMPILE_ROWS : COMPILE_MATMUL, count * rows, cols);
}

wisp_view compile_weight_flat(compile_builder *b, uint32_t count, const char *format, uint32_t block)
{
    char name[NAME_MAX_BYTES];
    if (b->status) return (wisp_view){0};
    format_name(name, format, block);
    compile_weight *w = find_weight(b, name);
    if (w && w->source->elements == count) return use_vector(b, w, 1, count);
    if (w)
        compile_fail(b, WISP_E_INPUT, "tensor '%s': %" PRIu64 " elements found, %" PRIu32 " expected", name,
                     w->source->elements, count);
    else
        compile_fail(b, WISP_E_INPUT, "tensor '%s' is missing; %" PRIu32 " elements expected", name, count);
    return (wisp_view){0};
}

const float *compile_weight_values(compile_builder *b, uint64_t count, const char *format, uint32_t block)
{
    char name[NAME_MAX_BYTES];
    if (b->status) return NULL;
    format_name(name, format, block);
    const compile_weight *w = find_weight(b, name);
    if (!w) return NULL;
    if (w->source->elements != count)
        return compile_fail(b, WISP_E_INPUT, "tensor '%s': %" PRIu64 " elements found, %" PRIu64 " expected", name,
                            w->source->elements, count),
               NULL;
    if (w->source_type != WISP_F32 && w->source_type != WISP_F16 && w->source_type != WISP_BF16)
        return unsupported_type(b, w), NULL;
    float *values = compile_keep(b, count * sizeof *values);
    if (!values) return NULL;
    if (w->source_type == WISP_F32) {
        const uint8_t *bytes = compile_tensor_bytes(b, w->source);
        if (bytes) memcpy(values, bytes, count * sizeof *values);
    } else {
        widen_values(b, w, count, (uint8_t *)values);
    }
    for (uint64_t i = 0; i < count && !b->status; i++)
        if (!isfinite(values[i]))
            return compile_fail(b, WISP_E_INPUT, "tensor '%s': element %" PRIu64 " is not a finite number", name, i),
                   NULL;
    return b->status ? NULL : values;
}

wisp_view compile_weight_optional(compile_builder *b, compile_use use, uint32_t rows, uint32_t cols, const char *format,
                                  uint32_t block)
{
    char name[NAME_MAX_BYTES];
    format_name(name, format, block);
    if (b->status || !compile_exists(b, name)) return (wisp_view){0};
    return compile_weight_view(b, use, rows, cols, format, block);
}

/* ---- buffers and commands ---- */

uint32_t compile_buffer(compile_builder *b, program_buffer buffer)
{
    if (b->status) return 0;
    if (!BASE_GROW(b->buffers, b->buffer_capacity, b->buffer_count + 1)) return no_memory(b), 0;
    b->buffers[b->buffer_count++] = buffer;
    return b->buffer_count;
}

uint32_t compile_scratch(compile_builder *b, uint32_t cols)
{
    return compile_buffer(b, (program_buffer){.role = PROGRAM_ROLE_SCRATCH, .per_token = (uint64_t)cols * 4});
}

wisp_view compile_view(uint32_t buffer, wisp_type type, uint32_t rows, uint32_t cols)
{
    uint64_t stride = 0;
    if (cols < PROGRAM_SYMBOL && !tensor_row_bytes(type, cols, &stride)) stride = 0;
    return (wisp_view){.buffer = buffer, .type = type, .rows = rows, .cols = cols, .stride = stride};
}

void compile_emit(compile_builder *b, wisp_cmd cmd)
{
    if (b->status) return;
    if (BASE_GROW(b->cmds, b->cmd_capacity, b->cmd_count + 1))
        b->cmds[b->cmd_count++] = cmd;
    else
        no_memory(b);
}

static wisp_view io_view(compile_builder *b, program_role role, uint32_t rows, uint32_t cols, program_buffer size)
{
    size.role = role;
    return compile_view(compile_buffer(b, size), WISP_I32, rows, cols);
}

compile_io compile_declare_io(compile_builder *b)
{
    const program_buffer token = {.per_token = 4}, page = {.per_seq_page = 4}, output = {.per_output = 4};
    return (compile_io){
        .token_ids = io_view(b, PROGRAM_ROLE_TOKEN_IDS, 1, PROGRAM_TOKENS, token),
        .positions = io_view(b, PROGRAM_ROLE_POSITIONS, 1, PROGRAM_TOKENS, token),
        .seqs = io_view(b, PROGRAM_ROLE_SEQS, 1, PROGRAM_TOKENS, token),
        .pages = io_view(b, PROGRAM_ROLE_PAGES, PROGRAM_SEQUENCES, PROGRAM_SEQ_PAGES, page),
        .out_rows = io_view(b, PROGRAM_ROLE_OUT_ROWS, 1, PROGRAM_OUTPUTS, output),
    };
}

wisp_view compile_declare_logits(compile_builder *b)
{
    const program_buffer logits = {.role = PROGRAM_ROLE_LOGITS, .per_output = (uint64_t)b->vocab_size * 4};
    return compile_view(compile_buffer(b, logits), WISP_F32, PROGRAM_OUTPUTS, b->vocab_size);
}

wisp_view compile_declare_argmax(compile_builder *b)
{
    return io_view(b, PROGRAM_ROLE_ARGMAX, PROGRAM_OUTPUTS, 1, (program_buffer){.per_output = 4});
}

/* ---- result ---- */

static void describe(const compile_weight *w, capsule_tensor *t)
{
    const tensor_type_info *layout = tensor_type_find(w->layout);
    const compile_gguf_type *type = compile_gguf_type_find(w->source_type);
    *t = (capsule_tensor){.name = w->name, .type = type->name, .layout = layout ? layout->name : type->name};
    t->generated = w->source == NULL;
    t->dims = w->dims;
    t->size = w->size;
    memcpy(t->shape, w->shape, sizeof t->shape);
}

/* A step reads the weights from first to last: they lie as the program uses them, the unused ones behind. */
wisp_status compile_order_weights(compile_builder *b, capsule_tensor **tensors, uint32_t **order)
{
    uint32_t n = 0;
    *tensors = compile_keep(b, b->weight_count * sizeof **tensors);
    *order = compile_keep(b, b->weight_count * sizeof **order);
    bool *taken = compile_keep(b, b->weight_count * sizeof *taken);
    if (b->status) return b->status;
    for (uint32_t c = 0; c < b->cmd_count; c++)
        for (int v = 0; v < WISP_CMD_VIEWS; v++) {
            uint32_t buffer = b->cmds[c].view[v].buffer;
            if (buffer < COMPILE_WEIGHT || taken[buffer - COMPILE_WEIGHT]) continue;
            taken[buffer - COMPILE_WEIGHT] = true;
            (*order)[n++] = buffer - COMPILE_WEIGHT;
        }
    for (uint32_t i = 0; i < b->weight_count; i++)
        if (!taken[i]) (*order)[n++] = i;
    for (uint32_t i = 0; i < n; i++)
        describe(&b->weights[(*order)[i]], &(*tensors)[i]);
    return WISP_OK;
}

/* Weight buffers come after the others, one for each segment. A matrix that was looked up before it got packed is
 * named with its final type here. */
static void relocate(const compile_builder *b, wisp_view *v, const capsule_tensor *tensors, const uint32_t *place)
{
    if (v->buffer < COMPILE_WEIGHT) return;
    const compile_weight *w = &b->weights[v->buffer - COMPILE_WEIGHT];
    const capsule_tensor *t = &tensors[place[v->buffer - COMPILE_WEIGHT]];
    v->buffer = b->buffer_count + t->segment + 1;
    v->offset += t->offset;
    v->type = w->layout;
    if (!tensor_row_bytes(w->layout, v->cols, &v->stride)) v->stride = 0;
}

wisp_status compile_write_program(compile_builder *b, base_buffer *out, const capsule_tensor *tensors,
                                  const uint32_t *order, uint32_t segment_count)
{
    wisp_cmd *cmds = base_calloc(b->cmd_count, sizeof *cmds);
    program_buffer *buffers = base_calloc(b->buffer_count + segment_count, sizeof *buffers);
    uint32_t *place = base_calloc(b->weight_count, sizeof *place);
    if (cmds && buffers && place) {
        for (uint32_t i = 0; i < b->weight_count; i++)
            place[order[i]] = i;
        memcpy(cmds, b->cmds, b->cmd_count * sizeof *cmds);
        for (uint32_t i = 0; i < b->cmd_count; i++)
            for (int v = 0; v < WISP_CMD_VIEWS; v++)
                relocate(b, &cmds[i].view[v], tensors, place);
        memcpy(buffers, b->buffers, b->buffer_count * sizeof *buffers);
        for (uint32_t s = 0; s < segment_count; s++)
            buffers[b->buffer_count + s] = (program_buffer){.role = PROGRAM_ROLE_WEIGHTS, .index = s};
        program_write(out, &(program){.vocab_size = b->vocab_size,
                                      .context_length = b->context_length,
                                      .embedding_length = b->embedding_length,
                                      .block_count = b->block_count,
                                      .kv_heads = b->kv_heads,
                                      .pooling = b->pooling,
                                      .rank_pooling = b->rank_pooling,
                                      .vector_length = b->vector_length,
                                      .whole = b->whole,
                                      .buffer_count = b->buffer_count + segment_count,
                                      .cmd_count = b->cmd_count,
                                      .buffers = buffers,
                                      .cmds = cmds});
    }
    if (!cmds || !buffers || !place || out->failed) no_memory(b);
    base_free(cmds);
    base_free(buffers);
    base_free(place);
    return b->status;
}
