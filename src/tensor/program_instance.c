/* What an instance decides in a program: commands that depend on the context's size, the type of keys and values. */
#include "tensor/layout.h"
#include "tensor/program.h"

/* The arrays are the program's own: program_read allocated them. */
static wisp_cmd *own_cmds(const program *p)
{
    return (wisp_cmd *)(uintptr_t)p->cmds;
}

static bool applies(uint32_t when, uint32_t context)
{
    const uint32_t limit = when & ~PROGRAM_WHEN_MASK;
    if ((when & PROGRAM_WHEN_MASK) == PROGRAM_UP_TO) return context <= limit;
    return when == 0 || context > limit;
}

void program_for_context(program *p, uint32_t context)
{
    wisp_cmd *cmds = own_cmds(p);
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->cmd_count; i++) {
        if (!applies(cmds[i].reserved, context)) continue;
        cmds[count] = cmds[i];
        cmds[count++].reserved = 0;
    }
    p->cmd_count = count;
}

/* A view of a cache. */
static bool is_cache(const program *p, const wisp_view *v)
{
    return v->buffer && p->buffers[v->buffer - 1].role == PROGRAM_ROLE_KV &&
           program_size_is(v->rows, PROGRAM_SIZE_KV) && (v->type == WISP_F32 || v->type == WISP_F16);
}

static uint64_t row_in(uint32_t type, uint64_t elements)
{
    const uint64_t block = tensor_type_find(type)->block;
    uint64_t bytes;
    return tensor_row_bytes(type, (elements + block - 1) / block * block, &bytes) ? bytes : 0;
}

/* The cache that a view is of takes another type; `whole`: the view shows its whole rows, so its size follows. */
static wisp_status convert(wisp_view *v, program_buffer *b, uint32_t type, bool whole, wisp_report *report)
{
    const uint64_t size = v->type == WISP_F32 ? 4 : 2, row = row_in(type, v->stride / size);
    if (v->stride == 0 || v->stride % size || v->offset || row == 0 || row > UINT32_MAX)
        return base_fail(report, WISP_E_UNSUPPORTED, "the model's keys and values cannot be of another type");
    if (whole) b->per_page = b->per_page / v->stride * row;
    v->stride = row;
    v->type = type;
    return WISP_OK;
}

wisp_status program_set_cache_type(program *p, uint32_t type, wisp_report *report)
{
    wisp_cmd *cmds = own_cmds(p);
    program_buffer *buffers = (program_buffer *)(uintptr_t)p->buffers;
    for (uint32_t i = 0; i < p->buffer_count; i++)
        if (buffers[i].role == PROGRAM_ROLE_KV) buffers[i].index = 0; /* 1: its size has been changed */
    for (uint32_t i = 0; i < p->cmd_count; i++)
        for (int k = 0; k < WISP_CMD_VIEWS; k++) {
            wisp_view *v = &cmds[i].view[k];
            if (!is_cache(p, v) || v->type == type) continue;
            program_buffer *b = &buffers[v->buffer - 1];
            const bool whole = cmds[i].op == WISP_OP_KV_WRITE && k == 0 && b->index == 0;
            BASE_TRY(convert(v, b, type, whole, report));
            b->index |= whole;
        }
    return WISP_OK;
}

static bool add_term(uint64_t *sum, uint64_t a, uint64_t b)
{
    uint64_t product;
    return !__builtin_mul_overflow(a, b, &product) && !__builtin_add_overflow(*sum, product, sum);
}

bool program_buffer_bytes(const program_buffer *b, const program_sizes *s, uint64_t *bytes)
{
    const uint64_t sequences = s->of[PROGRAM_SIZE_SEQUENCES], pages = s->of[PROGRAM_SIZE_KV] / WISP_KV_PAGE;
    *bytes = b->fixed;
    return add_term(bytes, b->per_token, s->of[PROGRAM_SIZE_TOKENS]) &&
           add_term(bytes, b->per_output, s->of[PROGRAM_SIZE_OUTPUTS]) && add_term(bytes, b->per_page, pages) &&
           add_term(bytes, b->per_seq_page, sequences * s->of[PROGRAM_SIZE_SEQ_PAGES]) &&
           add_term(bytes, b->per_seq, sequences);
}

uint64_t program_bytes(const program *p, const program_sizes *sizes)
{
    uint64_t sum = 0, bytes;
    for (uint32_t i = 0; i < p->buffer_count; i++) {
        if (p->buffers[i].role == PROGRAM_ROLE_WEIGHTS) continue;
        if (!program_buffer_bytes(&p->buffers[i], sizes, &bytes) || !add_term(&sum, bytes, 1)) return UINT64_MAX;
    }
    return sum;
}
