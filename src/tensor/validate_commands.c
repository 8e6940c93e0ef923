/* The sandbox's wall on the tensor side: no command runs before all of its list passed here.
 *
 * Guest data is hostile: every number of a view is compared by subtraction or with overflow-checked arithmetic, index
 * operands are checked value by value, and what a list writes may not be what it indexes with. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tensor/device_state.h"

/* Where in the list we are, for the report. */
typedef struct place {
    tensor_device *device;
    wisp_report *report;
    uint32_t number; /* of the command */
    const wisp_cmd *cmd;
    const tensor_op_rule *rule;
    uint64_t size[26]; /* what each letter stands for */
    bool bound[26];
} place;

static wisp_status fail(const place *p, wisp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static wisp_status fail(const place *p, wisp_status status, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return base_fail(p->report, status, "command %u (%s): %s", p->number, p->rule ? p->rule->name : "?", text);
}

#define FAIL(p, ...) fail(p, WISP_E_INPUT, __VA_ARGS__)

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
        return type == WISP_F32 || type == WISP_F16;
    default:
        return tensor_matmul_kind_of(type) != TENSOR_MATMUL_KINDS;
    }
}

/* Bytes between the view's first and one past its last; false: impossible numbers. */
static bool view_extent(const wisp_view *v, uint64_t *extent)
{
    const tensor_type_info *info = tensor_type_find(v->type);
    uint64_t row;
    if (!info->block_bytes) return v->stride == 0 && tensor_matrix_bytes(v->type, v->rows, v->cols, extent);
    if (!tensor_row_bytes(v->type, v->cols, &row)) return false;
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
    if (!view_extent(v, &extent))
        return FAIL(p, "operand %c: impossible shape [%u,%u] of %s, stride %llu", rule->name, v->rows, v->cols,
                    info->name, (unsigned long long)v->stride);
    if (v->offset % info->align != 0) return FAIL(p, "operand %c: misaligned offset", rule->name);
    if (v->offset > buffer->size || extent > buffer->size - v->offset)
        return FAIL(p, "operand %c: %llu bytes at %llu do not fit in buffer %u of %llu bytes", rule->name,
                    (unsigned long long)extent, (unsigned long long)v->offset, v->buffer,
                    (unsigned long long)buffer->size);
    return WISP_OK;
}

/* Binds or compares one size. Only n, the tokens of a step, may be zero. */
static wisp_status check_size(place *p, int i, const tensor_size_rule *size, uint64_t value, const char *what)
{
    const char name = p->rule->operand[i].name;
    uint64_t factor = size->param >= 0 ? p->cmd->param[size->param].u : size->factor;
    if (!size->letter) return value == 1 ? WISP_OK : FAIL(p, "operand %c: %s must be 1", name, what);
    if (factor == 0 || value % factor != 0)
        return FAIL(p, "operand %c: %llu %s are not a multiple of %llu", name, (unsigned long long)value, what,
                    (unsigned long long)factor);
    value /= factor;
    int letter = size->letter - 'a';
    if (!p->bound[letter]) {
        if (value == 0 && size->letter != 'n') return FAIL(p, "operand %c: no %s", name, what);
        p->bound[letter] = true;
        p->size[letter] = value;
    }
    if (p->size[letter] != value)
        return FAIL(p, "operand %c: %s (%c) is %llu, elsewhere %llu", name, what, size->letter,
                    (unsigned long long)value, (unsigned long long)p->size[letter]);
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
        BASE_TRY(check_size(p, i, &p->rule->operand[i].rows, v->rows, "rows"));
        BASE_TRY(check_size(p, i, &p->rule->operand[i].cols, v->cols, "cols"));
    }
    return WISP_OK;
}

/* The output: not weights, and no byte in common with an input, unless it is that very view and the rule allows it. */
static wisp_status check_output(const place *p)
{
    const wisp_view *out = &p->cmd->view[0];
    if (tensor_buffer_of(p->device, out->buffer)->weights)
        return FAIL(p, "operand %c: weights are read-only", p->rule->operand[0].name);
    const tensor_ref output = tensor_resolve(p->device, out);
    for (int i = 1; i < p->rule->operand_count; i++) {
        const wisp_view *in = &p->cmd->view[i];
        if (in->buffer != out->buffer) continue;
        const tensor_ref input = tensor_resolve(p->device, in);
        if (!tensor_overlap(&output, &input)) continue;
        if (p->rule->operand[0].in_place == i && memcmp(in, out, sizeof *in) == 0) continue;
        return FAIL(p, "operand %c overlaps the output", p->rule->operand[i].name);
    }
    return WISP_OK;
}

static int32_t int_at(const tensor_ref *r, uint64_t row, uint64_t col)
{
    int32_t v;
    memcpy(&v, r->data + (size_t)(row * r->stride + col * 4), 4);
    return v;
}

/* Values of an index operand lie in [0, bound). */
static wisp_status check_index(const place *p, int i, uint64_t bound)
{
    const tensor_ref r = tensor_resolve(p->device, &p->cmd->view[i]);
    for (uint64_t c = 0; c < r.cols; c++) {
        const int32_t v = int_at(&r, 0, c);
        if (v < 0 || (uint64_t)v >= bound)
            return FAIL(p, "operand %c: index %d of element %llu is not below %llu", p->rule->operand[i].name, v,
                        (unsigned long long)c, (unsigned long long)bound);
    }
    return WISP_OK;
}

static wisp_status check_read_only(const place *p, int i)
{
    const tensor_buffer *b = tensor_buffer_of(p->device, p->cmd->view[i].buffer);
    /* Weights are a mapped file: whoever may write to it could change an index between this check and its use. */
    if (b->weights) return FAIL(p, "operand %c: indices cannot lie in weights", p->rule->operand[i].name);
    if (b->written_by != p->device->serial) return WISP_OK;
    return FAIL(p, "operand %c: a command of this list writes the buffer of its indices", p->rule->operand[i].name);
}

/* Positions p[1,n] of sequences s[1,n] through page table t[q,g] into a cache of r rows: every page that the op touches
 * exists. s itself was checked against q. Operands 3 (KV_WRITE: 2) and the two after it. */
static wisp_status check_pages(const place *p, int first, uint64_t heads, bool all)
{
    const tensor_ref pos = tensor_resolve(p->device, &p->cmd->view[first]);
    const tensor_ref seq = tensor_resolve(p->device, &p->cmd->view[first + 1]);
    const tensor_ref table = tensor_resolve(p->device, &p->cmd->view[first + 2]);
    const uint64_t rows = p->size['r' - 'a'], page_rows = heads * WISP_KV_PAGE, pages = rows / page_rows;
    if (rows % page_rows != 0) return FAIL(p, "cache rows are not whole pages of %llu", (unsigned long long)page_rows);
    BASE_TRY(check_read_only(p, first));
    BASE_TRY(check_read_only(p, first + 2));
    int64_t checked_row = -1;
    uint64_t checked = 0; /* pages of that sequence which are known to be right */
    for (uint64_t i = 0; i < pos.cols; i++) {
        const int32_t at = int_at(&pos, 0, i), row = int_at(&seq, 0, i);
        if (tensor_is_interrupted(p->device))
            return fail(p, WISP_E_CANCELLED, "interrupted");
        if (at < 0 || (uint32_t)at / WISP_KV_PAGE >= table.cols)
            return FAIL(p, "token %llu: position %d is outside the page table", (unsigned long long)i, at);
        const uint64_t last = (uint32_t)at / WISP_KV_PAGE;
        if (row != checked_row) checked = 0;
        checked_row = row;
        for (uint64_t g = all ? checked : last; g <= last; g++) {
            const int32_t page = int_at(&table, (uint64_t)row, g);
            if (page < 0 || (uint64_t)page >= pages)
                return FAIL(p, "token %llu: page %d of sequence %d is outside the cache", (unsigned long long)i, page,
                            row);
        }
        if (all && last + 1 > checked) checked = last + 1;
    }
    return WISP_OK;
}

/* ---- what the operand strings cannot say ---- */
static wisp_status check_rope(const place *p)
{
    if (p->cmd->param[1].u > 1) return FAIL(p, "halves must be 0 or 1");
    if (p->size['h' - 'a'] > p->size['d' - 'a'] / 2) return FAIL(p, "more angles than pairs");
    return WISP_OK;
}

static wisp_status check_attention(const place *p)
{
    const uint32_t heads = p->cmd->param[0].u, kv_heads = p->cmd->param[1].u;
    if (kv_heads == 0 || heads % kv_heads != 0) return FAIL(p, "%u heads over %u kv heads", heads, kv_heads);
    if (p->cmd->view[2].type != p->cmd->view[3].type) return FAIL(p, "keys and values differ in type");
    return check_pages(p, 4, kv_heads, true);
}

/* The number of a row must fit where ARGMAX puts it. */
static wisp_status check_argmax(const place *p)
{
    return p->size['d' - 'a'] <= INT32_MAX ? WISP_OK : FAIL(p, "too many columns");
}

static wisp_status check_op(const place *p)
{
    switch (p->cmd->op) {
    case WISP_OP_ROPE:
        return check_rope(p);
    case WISP_OP_KV_WRITE:
        return check_pages(p, 2, p->cmd->param[0].u, false);
    case WISP_OP_ATTENTION:
        return check_attention(p);
    case WISP_OP_ARGMAX:
        return check_argmax(p);
    default:
        return WISP_OK;
    }
}

/* Everything but what indices hold. */
static wisp_status check_shapes(place *p)
{
    if (!p->rule) return fail(p, WISP_E_UNSUPPORTED, "unknown op %u", p->cmd->op);
    if (p->cmd->reserved != 0) return FAIL(p, "reserved field is not zero");
    for (int i = p->rule->param_count; i < WISP_CMD_PARAMS; i++)
        if (p->cmd->param[i].u != 0) return FAIL(p, "parameter %d must be zero", i);
    BASE_TRY(check_operands(p));
    return check_output(p);
}

static wisp_status check_indices(const place *p)
{
    for (int i = 0; i < p->rule->operand_count; i++) {
        const char letter = p->rule->operand[i].index_of;
        if (!letter) continue;
        BASE_TRY(check_read_only(p, i));
        BASE_TRY(check_index(p, i, p->size[letter - 'a']));
    }
    return check_op(p);
}

wisp_status tensor_validate(tensor_device *device, const wisp_cmd *cmds, uint32_t count, wisp_report *report)
{
    device->serial++;
    if (count > TENSOR_COMMANDS_MAX) return base_fail(report, WISP_E_LIMIT, "%u commands in one list", count);
    for (uint32_t i = 0; i < count; i++) { /* all outputs must be known before indices are trusted */
        tensor_buffer *output = tensor_buffer_of(device, cmds[i].view[0].buffer);
        if (output) output->written_by = device->serial;
    }
    for (uint32_t i = 0; i < count; i++) {
        place p = {.device = device, .report = report, .number = i, .cmd = &cmds[i]};
        if (tensor_is_interrupted(device))
            return base_fail(report, WISP_E_CANCELLED, "interrupted");
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
    const bool plain = tensor_row_bytes(v->type, v->cols, &row) && view_extent(v, &r.extent);
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
