/* MATMUL_ID and MATMUL_HEADS: matrices of m rows one after the other in one operand, each for rows of its own: those
 * that a router sent to it, or all of them, columns of its head. Row for row the arithmetic is MATMUL's.
 *
 * Each thread sorts the router's choice for itself, twice: it is short. Rows of one matrix are gathered into panels of
 * up to 8, so that its weights are read once for all of them. An index that is no matrix's number gives a row of zeros.
 */
#include <string.h>

#include "tensor/device_state.h"

enum { ROWS = TENSOR_ROW_GROUP, TOKENS = TENSOR_PANEL_TOKENS };

/* What a thread knows of a task, and where it works. */
typedef struct stack {
    const tensor_device *d;
    const tensor_task *t;
    uint32_t matrices, rows; /* in w, and rows of each (m) */
    uint32_t slots;          /* rows of y there are to make (n * u), or n */
    uint32_t *start, *order; /* MATMUL_ID: order[start[e] .. start[e + 1]) are the slots of matrix e */
    uint32_t *active;        /* matrices that have slots, ascending */
    uint64_t *panels;        /* where the panels of active matrix i begin */
    uint32_t active_count;
    float *y, *gathered; /* [TOKENS][ROWS]; [TOKENS][k] */
    uint8_t *made;
} stack;

static uint64_t up64(uint64_t n)
{
    return (n + 63) & ~(uint64_t)63;
}

static tensor_panel_kind kind_of(const tensor_task *t)
{
    return tensor_panel_kind_of(tensor_matmul_kind_of(t->ref[2].type));
}

static uint32_t row_count(const tensor_task *t)
{
    return t->op == WISP_OP_MATMUL_HEADS ? t->ref[0].cols / t->param[0].u : t->ref[0].cols;
}

/* Columns of w: of x those of one head. */
static uint32_t depth(const tensor_task *t)
{
    return t->ref[2].cols;
}

/* A panel of fewer rows is smaller, but each is padded: one row's panel, padded, for every slot is enough. */
uint64_t tensor_stack_panels_bytes(const tensor_task *t)
{
    uint64_t bytes;
    if (t->op == WISP_OP_MATMUL_ID)
        bytes = up64(tensor_panel_bytes(kind_of(t), 1, depth(t)));
    else
        bytes = tensor_panels_bytes(kind_of(t), t->ref[1].rows, depth(t));
    const uint64_t count = t->op == WISP_OP_MATMUL_ID ? t->ref[0].rows : t->param[0].u;
    return __builtin_mul_overflow(bytes, count, &bytes) ? UINT64_MAX / 2 : bytes;
}

static uint64_t list_bytes(const tensor_task *t)
{
    const uint64_t matrices = t->ref[2].rows / row_count(t), slots = t->ref[0].rows;
    return up64((matrices + 2) * 4) + up64(slots * 4) + up64(matrices * 4) + up64(matrices * 8);
}

uint64_t tensor_stack_scratch(const tensor_task *t)
{
    return TOKENS * ROWS * 4 + up64((uint64_t)TOKENS * depth(t) * 4) + up64(tensor_made_bytes(&t->ref[2])) +
           list_bytes(t);
}

/* Counting sort of the slots by matrix. */
static void sort_slots(stack *s)
{
    const tensor_ref *i = &s->t->ref[3];
    const uint32_t used = i->cols;
    memset(s->start, 0, ((size_t)s->matrices + 2) * sizeof *s->start);
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        const uint32_t e = (uint32_t)tensor_int_at(i, slot / used, slot % used);
        if (e < s->matrices) s->start[e + 2]++;
    }
    for (uint32_t e = 2; e < s->matrices + 2; e++)
        s->start[e] += s->start[e - 1];
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        const uint32_t e = (uint32_t)tensor_int_at(i, slot / used, slot % used);
        if (e < s->matrices) s->order[s->start[e + 1]++] = slot;
    }
}

static uint32_t slots_of(const stack *s, uint32_t matrix)
{
    return s->t->op == WISP_OP_MATMUL_ID ? s->start[matrix + 1] - s->start[matrix] : s->slots;
}

static stack open_stack(const tensor_device *d, const tensor_task *t, unsigned index)
{
    uint8_t *at = tensor_scratch_of(d, index) + d->private_area;
    stack s = {
        .d = d, .t = t, .rows = row_count(t), .matrices = t->ref[2].rows / row_count(t), .slots = t->ref[0].rows};
    s.y = (float *)(void *)at;
    at += TOKENS * ROWS * 4;
    s.gathered = (float *)(void *)at;
    at += up64((uint64_t)TOKENS * depth(t) * 4);
    s.made = at;
    at += up64(tensor_made_bytes(&t->ref[2]));
    s.start = (uint32_t *)(void *)at;
    at += up64(((uint64_t)s.matrices + 2) * 4);
    s.order = (uint32_t *)(void *)at;
    at += up64((uint64_t)s.slots * 4);
    s.active = (uint32_t *)(void *)at;
    at += up64((uint64_t)s.matrices * 4);
    s.panels = (uint64_t *)(void *)at;
    if (t->op == WISP_OP_MATMUL_ID) sort_slots(&s);
    uint64_t offset = 0;
    for (uint32_t e = 0; e < s.matrices; e++) {
        const uint32_t count = slots_of(&s, e);
        if (count == 0) continue;
        s.panels[s.active_count] = offset;
        s.active[s.active_count++] = e;
        offset += tensor_panels_bytes(kind_of(t), count, depth(t));
    }
    return s;
}

/* Row of y that slot j of a matrix makes. */
static uint32_t slot_of(const stack *s, uint32_t matrix, uint32_t j)
{
    return s->t->op == WISP_OP_MATMUL_ID ? s->order[s->start[matrix] + j] : j;
}

static uint8_t *panels_of(const stack *s, unsigned index)
{
    return s->t->private_panel ? tensor_scratch_of(s->d, index) : s->d->scratch;
}

static const float *input_of(const stack *s, uint32_t matrix, uint32_t j)
{
    const tensor_ref *x = &s->t->ref[1];
    uint64_t row = slot_of(s, matrix, j);
    if (s->t->op == WISP_OP_MATMUL_ID && x->rows != s->slots) row /= s->t->ref[3].cols;
    const float *at = (const float *)(const void *)(x->data + (size_t)(row * x->stride));
    return s->t->op == WISP_OP_MATMUL_HEADS ? at + (size_t)matrix * depth(s->t) : at;
}

void tensor_run_stack_panels(const tensor_device *d, const tensor_task *t, unsigned index)
{
    const stack s = open_stack(d, t, index);
    const uint32_t k = depth(t);
    const uint64_t stride = tensor_panel_stride(kind_of(t), k);
    uint8_t *panels = panels_of(&s, index);
    uint64_t number = 0;
    for (uint32_t i = 0; i < s.active_count && !tensor_is_interrupted(d); i++) {
        const uint32_t e = s.active[i], count = slots_of(&s, e);
        for (uint32_t first = 0; first < count; first += TOKENS) {
            const uint32_t tokens = count - first < TOKENS ? count - first : TOKENS;
            if (!t->private_panel && number++ % d->threads != index) continue;
            for (uint32_t j = 0; j < tokens; j++)
                memcpy(s.gathered + (size_t)j * k, input_of(&s, e, first + j), (size_t)k * 4);
            d->kernels.panel[kind_of(t)](s.gathered, k, tokens, k, panels + s.panels[i] + first / TOKENS * stride);
        }
    }
}

/* s->y, [tokens][ROWS], into the rows of y that the panel's slots make, columns [row, row + count) of the matrix. */
static void put(const stack *s, uint32_t matrix, uint32_t first, uint32_t tokens, uint32_t row, uint32_t count)
{
    const tensor_ref *y = &s->t->ref[0], *b = &s->t->ref[4];
    const uint64_t column = s->t->op == WISP_OP_MATMUL_HEADS ? (uint64_t)matrix * s->rows + row : row;
    const uint8_t *bias = s->t->op == WISP_OP_MATMUL_ID && b->data ? b->data + (size_t)(matrix * b->stride) : NULL;
    for (uint32_t j = 0; j < tokens; j++) {
        float *out = (float *)(void *)(y->data + (size_t)(slot_of(s, matrix, first + j) * y->stride)) + column;
        memcpy(out, s->y + j * ROWS, count * sizeof *out);
        if (bias)
            s->d->kernels.row[WISP_OP_ADD](out, (const float *const[3]){out, (const float *)(const void *)bias + row},
                                           count, NULL);
    }
}

/* Group g of active matrix i. */
static void run_group(const stack *s, unsigned index, uint32_t i, uint32_t group)
{
    const tensor_ref *w = &s->t->ref[2];
    const tensor_matmul_kind kind = tensor_matmul_kind_of(w->type);
    const uint32_t e = s->active[i], row = group * ROWS, slots = slots_of(s, e);
    const uint64_t stride = tensor_panel_stride(kind_of(s->t), w->cols);
    tensor_matmul_args a = {.stride = (size_t)w->stride, .k = w->cols, .y = s->y, .ldy = ROWS};
    a.rows = s->rows - row < ROWS ? s->rows - row : ROWS;
    a.w = tensor_weight_rows(w, (uint64_t)e * s->rows + row, a.rows, s->made);
    for (uint32_t first = 0; first < slots; first += TOKENS) {
        a.tokens = slots - first < TOKENS ? slots - first : TOKENS;
        a.panel = panels_of(s, index) + s->panels[i] + first / TOKENS * stride;
        s->d->kernels.matmul[kind](&a);
        put(s, e, first, a.tokens, row, a.rows);
    }
}

static void run_groups(const tensor_device *d, const tensor_task *t, unsigned index, tensor_range groups)
{
    const stack s = open_stack(d, t, index);
    const uint32_t each = (s.rows + ROWS - 1) / ROWS;
    for (uint64_t g = groups.begin; g < groups.end && g / each < s.active_count; g++)
        run_group(&s, index, (uint32_t)(g / each), (uint32_t)(g % each));
}

/* Rows whose index is no matrix's number. */
static void clear_rows(const tensor_task *t, tensor_range rows)
{
    const tensor_ref *y = &t->ref[0], *i = &t->ref[3];
    for (uint64_t slot = rows.begin; slot < rows.end; slot++)
        if ((uint32_t)tensor_int_at(i, slot / i->cols, slot % i->cols) >= t->ref[2].rows / y->cols)
            memset(y->data + (size_t)(slot * y->stride), 0, (size_t)y->cols * 4);
}

void tensor_run_stack(const tensor_device *d, const tensor_task *t, unsigned index)
{
    if (t->op == WISP_OP_MATMUL_ID) clear_rows(t, tensor_share(t->ref[0].rows, index, d->threads));
    tensor_run_groups(d, t, index, run_groups);
}
