/* The sandbox's wall on the tensor side: no command runs before all of its list passed here.
 *
 * Guest data is hostile: every number of a view is compared by subtraction or with overflow-checked arithmetic, index
 * operands are checked value by value, and what a list writes may not be what it indexes with. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tensor/device_state.h"

typedef tensor_check place;

wisp_status tensor_check_fail(const place *p, wisp_status status, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return base_fail(p->report, status, "command %u (%s): %s", p->number, p->rule ? p->rule->name : "?", text);
}

#define fail tensor_check_fail
#define FAIL CHECK_FAIL

static bool is_zero(const void *data, size_t size)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < size; i++)
        if (p[i]) return false;
    return true;
}

static bool class_has(uint8_t type_class, uint32_t type)
{
    switch (type_class) {
    case CLASS_F32:
        return type == WISP_F32;
    case CLASS_F64:
        return type == WISP_F64;
    case CLASS_I32:
        return type == WISP_I32;
    case CLASS_KV:
        return type == WISP_F32 || type == WISP_F16 || type == WISP_Q8_0 || type == WISP_Q4_0;
    default:
        return tensor_matmul_kind_of(type) != TENSOR_MATMUL_KINDS;
    }
}

/* A row of a quantized cache is whole blocks, the last one filled up with zeros. */
static bool row_bytes(const wisp_view *v, bool cache, uint64_t *bytes)
{
    const uint64_t block = tensor_type_find(v->type)->block, cols = v->cols;
    return tensor_row_bytes(v->type, cache ? (cols + block - 1) / block * block : cols, bytes);
}

/* Bytes between the view's first and one past its last; false: impossible numbers. */
static bool view_extent(const wisp_view *v, bool cache, uint64_t *extent)
{
    const tensor_type_info *info = tensor_type_find(v->type);
    uint64_t row;
    if (!info->block_bytes) return v->stride == 0 && tensor_matrix_bytes(v->type, v->rows, v->cols, extent);
    if (!row_bytes(v, cache, &row)) return false;
    if (v->stride % info->align != 0 || v->stride < row) return false;
    *extent = 0;
    if (v->rows == 0) return true;
    return !__builtin_mul_overflow(v->stride, (uint64_t)v->rows - 1, extent) &&
           !__builtin_add_overflow(*extent, row, extent);
}

static wisp_status check_view(const place *p, int i)
{
    const wisp_view *v = &p->cmd->view[i];
    const tensor_operand_rule *rule = &p->rule->operand[i];
    const tensor_type_info *info = tensor_type_find(v->type);
    const tensor_buffer *buffer = tensor_buffer_of(p->device, v->buffer);
    uint64_t extent;
    if (!buffer) return FAIL(p, "operand %c: no buffer %u", rule->name, v->buffer);
    if (!info) return fail(p, WISP_E_UNSUPPORTED, "operand %c: unknown type %u", rule->name, v->type);
    if (!class_has(rule->type_class, v->type)) return FAIL(p, "operand %c: cannot be %s", rule->name, info->name);
    if (!view_extent(v, rule->type_class == CLASS_KV, &extent))
        return FAIL(p, "operand %c: impossible shape [%u,%u] of %s, stride %llu", rule->name, v->rows, v->cols,
                    info->name, (unsigned long long)v->stride);
    if (v->offset % info->align != 0) return FAIL(p, "operand %c: misaligned offset", rule->name);
    if (v->offset > buffer->size || extent > buffer->size - v->offset)
        return FAIL(p, "operand %c: %llu bytes at %llu do not fit in buffer %u of %llu bytes", rule->name,
                    (unsigned long long)extent, (unsigned long long)v->offset, v->buffer,
                    (unsigned long long)buffer->size);
    return WISP_OK;
}

static wisp_status bind(place *p, int i, char letter, uint64_t value, const char *what)
{
    const char name = p->rule->operand[i].name;
    const int l = letter - 'a';
    if (!p->bound[l]) {
        /* Only what goes with n, the tokens of a step, may be zero: see check_rows. */
        if (value == 0 && !strchr("ngta", letter)) return FAIL(p, "operand %c: no %s", name, what);
        p->bound[l] = true;
        p->size[l] = value;
    }
    if (p->size[l] == value) return WISP_OK;
    return FAIL(p, "operand %c: %s (%c) is %llu, elsewhere %llu", name, what, letter, (unsigned long long)value,
                (unsigned long long)p->size[l]);
}

/* a*b: one of the letters is known by now; both are below 2^32. */
static wisp_status bind_product(place *p, int i, const tensor_size_rule *size, uint64_t value, const char *what)
{
    const char known = p->bound[size->letter - 'a'] ? size->letter : size->times;
    const char other = known == size->letter ? size->times : size->letter;
    const uint64_t factor = p->size[known - 'a'];
    BASE_ASSERT(p->bound[known - 'a']);
    if (p->bound[other - 'a'] ? value == factor * p->size[other - 'a'] : factor && value % factor == 0)
        return p->bound[other - 'a'] ? WISP_OK : bind(p, i, other, value / factor, what);
    return FAIL(p, "operand %c: %llu %s are not %c*%c, a multiple of %llu", p->rule->operand[i].name,
                (unsigned long long)value, what, size->letter, size->times, (unsigned long long)factor);
}

/* Binds or compares one size. */
static wisp_status check_size(place *p, int i, const tensor_size_rule *size, uint64_t value, const char *what)
{
    const char name = p->rule->operand[i].name;
    uint64_t factor = size->param >= 0 ? p->cmd->param[size->param].u : size->factor;
    if (!size->letter)
        return value == factor ? WISP_OK
                               : FAIL(p, "operand %c: %s must be %llu", name, what, (unsigned long long)factor);
    if (size->times) return bind_product(p, i, size, value, what);
    if (factor == 0 || value % factor != 0)
        return FAIL(p, "operand %c: %llu %s are not a multiple of %llu", name, (unsigned long long)value, what,
                    (unsigned long long)factor);
    return bind(p, i, size->letter, value / factor, what);
}

/* n rows read g rows in turn, or fill t rows. */
static wisp_status check_rows(const place *p)
{
    const uint64_t n = tensor_check_size(p, 'n'), g = tensor_check_size(p, 'g'), t = tensor_check_size(p, 't');
    if (p->bound['g' - 'a'] && (n ? g == 0 || n % g != 0 : g > 1))
        return FAIL(p, "%llu rows are not a multiple of an operand's %llu", (unsigned long long)n,
                    (unsigned long long)g);
    if (p->bound['t' - 'a'] && (n ? t == 0 || t % n != 0 : t != 0))
        return FAIL(p, "%llu rows are not a multiple of %llu", (unsigned long long)t, (unsigned long long)n);
    return WISP_OK;
}

static wisp_status check_sizes(place *p, bool products)
{
    for (int i = 0; i < p->rule->operand_count; i++) {
        const tensor_operand_rule *rule = &p->rule->operand[i];
        const wisp_view *v = &p->cmd->view[i];
        if (v->buffer == 0) continue; /* absent */
        if ((rule->rows.times != 0) == products) BASE_TRY(check_size(p, i, &rule->rows, v->rows, "rows"));
        if ((rule->cols.times != 0) == products) BASE_TRY(check_size(p, i, &rule->cols, v->cols, "cols"));
    }
    return WISP_OK;
}

static wisp_status check_operands(place *p)
{
    for (int i = 0; i < WISP_CMD_VIEWS; i++) {
        const wisp_view *v = &p->cmd->view[i];
        if (i >= p->rule->operand_count || (v->buffer == 0 && p->rule->operand[i].optional)) {
            if (!is_zero(v, sizeof *v)) return FAIL(p, "view %d: must be zero", i);
            continue;
        }
        BASE_TRY(check_view(p, i));
    }
    BASE_TRY(check_sizes(p, false));
    BASE_TRY(check_sizes(p, true));
    return check_rows(p);
}

/* What is written: not weights, and no byte in common with another operand, unless it is the output and that very view
 * and the rule allows it. */
static wisp_status check_written(const place *p, int w)
{
    const wisp_view *out = &p->cmd->view[w];
    const tensor_buffer *buffer = tensor_buffer_of(p->device, out->buffer);
    if (!buffer) return WISP_OK; /* an absent one */
    if (buffer->weights) return FAIL(p, "operand %c: weights are read-only", p->rule->operand[w].name);
    const tensor_ref output = tensor_resolve(p->device, out);
    for (int i = 0; i < p->rule->operand_count; i++) {
        const wisp_view *in = &p->cmd->view[i];
        if (i == w || in->buffer != out->buffer) continue;
        const tensor_ref input = tensor_resolve(p->device, in);
        if (!tensor_overlap(&output, &input)) continue;
        if (p->rule->operand[w].in_place == i && memcmp(in, out, sizeof *in) == 0) continue;
        return FAIL(p, "operand %c overlaps %s", p->rule->operand[i].name, w ? "the state" : "the output");
    }
    return WISP_OK;
}

/* Values of an index operand lie in [0, bound). */
static wisp_status check_index(const place *p, int i, uint64_t bound)
{
    const tensor_ref r = tensor_resolve(p->device, &p->cmd->view[i]);
    for (uint64_t c = 0; c < r.cols; c++) {
        const int32_t v = tensor_int_at(&r, 0, c);
        if (v < 0 || (uint64_t)v >= bound)
            return FAIL(p, "operand %c: index %d of element %llu is not below %llu", p->rule->operand[i].name, v,
                        (unsigned long long)c, (unsigned long long)bound);
    }
    return WISP_OK;
}

wisp_status tensor_check_read_only(const place *p, int i)
{
    const tensor_buffer *b = tensor_buffer_of(p->device, p->cmd->view[i].buffer);
    /* Weights are a mapped file: whoever may write to it could change an index between this check and its use. */
    if (b->weights) return FAIL(p, "operand %c: indices cannot lie in weights", p->rule->operand[i].name);
    if (b->written_by != p->device->serial) return WISP_OK;
    return FAIL(p, "operand %c: a command of this list writes the buffer of its indices", p->rule->operand[i].name);
}

/* Everything but what indices hold. */
static wisp_status check_shapes(place *p)
{
    if (!p->rule) return fail(p, WISP_E_UNSUPPORTED, "unknown op %u", p->cmd->op);
    if (p->cmd->reserved != 0) return FAIL(p, "reserved field is not zero");
    for (int i = p->rule->param_count; i < WISP_CMD_PARAMS; i++)
        if (p->cmd->param[i].u != 0) return FAIL(p, "parameter %d must be zero", i);
    BASE_TRY(check_operands(p));
    for (int i = 0; i < p->rule->operand_count; i++)
        if (p->rule->operand[i].written) BASE_TRY(check_written(p, i));
    return WISP_OK;
}

static wisp_status check_indices(const place *p)
{
    for (int i = 0; i < p->rule->operand_count; i++) {
        const char letter = p->rule->operand[i].index_of;
        if (!letter) continue;
        BASE_TRY(tensor_check_read_only(p, i));
        BASE_TRY(check_index(p, i, p->size[letter - 'a']));
    }
    return tensor_check_op(p);
}

static void mark_written(tensor_device *device, const wisp_cmd *cmd)
{
    const tensor_op_rule *rule = tensor_op_rule_find(&device->rules, cmd->op);
    for (int i = 0; rule && i < rule->operand_count; i++) {
        tensor_buffer *b = rule->operand[i].written ? tensor_buffer_of(device, cmd->view[i].buffer) : NULL;
        if (b) b->written_by = device->serial;
    }
}

wisp_status tensor_validate(tensor_device *device, const wisp_cmd *cmds, uint32_t count, wisp_report *report)
{
    device->serial++;
    if (count > TENSOR_COMMANDS_MAX) return base_fail(report, WISP_E_LIMIT, "%u commands in one list", count);
    for (uint32_t i = 0; i < count; i++) /* all outputs must be known before indices are trusted */
        mark_written(device, &cmds[i]);
    for (uint32_t i = 0; i < count; i++) {
        place p = {.device = device, .report = report, .number = i, .cmd = &cmds[i]};
        if (tensor_is_interrupted(device)) return base_fail(report, WISP_E_CANCELLED, "interrupted");
        p.rule = tensor_op_rule_find(&device->rules, cmds[i].op);
        BASE_TRY(check_shapes(&p));
        BASE_TRY(check_indices(&p));
    }
    return WISP_OK;
}

tensor_ref tensor_resolve(const tensor_device *device, const wisp_view *v)
{
    tensor_ref r = {0};
    const tensor_buffer *buffer = tensor_buffer_of(device, v->buffer);
    if (!buffer) return r;
    uint64_t row;
    const bool plain = row_bytes(v, true, &row) && view_extent(v, true, &r.extent); /* the operand was checked */
    BASE_ASSERT(plain);
    r.data = buffer->data + (size_t)v->offset;
    r.stride = v->stride;
    r.type = v->type;
    r.rows = v->rows;
    r.cols = v->cols;
    r.row_bytes = v->stride <= UINT32_MAX ? (uint32_t)row : 0;
    return r;
}

bool tensor_overlap(const tensor_ref *a, const tensor_ref *b)
{
    if (a->extent == 0 || b->extent == 0) return false;
    const uintptr_t pa = (uintptr_t)a->data, pb = (uintptr_t)b->data;
    if (pa <= pb ? pb - pa >= a->extent : pa - pb >= b->extent) return false;
    /* columns [0, row) and [apart, apart + row) of rows that both are `stride` bytes apart? */
    const uint64_t stride = a->stride;
    if (stride != b->stride || !a->row_bytes || !b->row_bytes) return true;
    const uint64_t apart = pa <= pb ? (pb - pa) % stride : (stride - (pa - pb) % stride) % stride;
    return apart < a->row_bytes || apart > stride - b->row_bytes;
}
