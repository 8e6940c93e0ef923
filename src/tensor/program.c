/* The program of a model as bytes, little-endian: reader and writer side by side.
 *
 *   u32 version, vocab_size, context_length, embedding_length, block_count, kv_heads, buffer_count, cmd_count,
 *       pooling, rank_pooling, vector_length, whole
 *   buffer_count x (u32 role, u32 index, u64 fixed, per_token, per_output, per_page, per_seq_page, per_seq)
 *   cmd_count x wisp_cmd (384 bytes)
 */
#include "tensor/program.h"

#include <string.h>

#include "base/mem.h"

enum { BUFFERS_MAX = 4096, COMMANDS_MAX = 65536, BUFFER_BYTES = 56, KV_HEADS_MAX = 65536, VECTOR_MAX = 1 << 24 };
/* No size term is larger, so that a few of them times a step's numbers add up in 64 bits. */
#define SIZE_TERM_MAX ((uint64_t)1 << 44)

static wisp_status read_buffer(base_reader *r, program_buffer *b, uint32_t number, uint32_t *roles, wisp_report *report)
{
    b->role = base_read_u32(r);
    b->index = base_read_u32(r);
    uint64_t *const term[] = {&b->fixed, &b->per_token, &b->per_output, &b->per_page, &b->per_seq_page, &b->per_seq};
    for (size_t i = 0; i < sizeof term / sizeof *term; i++) {
        *term[i] = base_read_u64(r);
        if (*term[i] > SIZE_TERM_MAX) return base_fail(report, WISP_E_INPUT, "program: buffer %u is too large", number);
    }
    if (b->role >= PROGRAM_ROLE_COUNT)
        return base_fail(report, WISP_E_INPUT, "program: buffer %u has unknown role %u", number, b->role);
    const bool many = b->role == PROGRAM_ROLE_WEIGHTS || b->role == PROGRAM_ROLE_SCRATCH || b->role == PROGRAM_ROLE_KV;
    if (!many && *roles & 1u << b->role)
        return base_fail(report, WISP_E_INPUT, "program: buffer %u is a second one of role %u", number, b->role);
    *roles |= 1u << b->role;
    return WISP_OK;
}

static bool known_size(uint32_t size)
{
    return size < PROGRAM_SYMBOL || ((size >> 24 & 127) < PROGRAM_SIZE_KINDS && size & PROGRAM_FACTOR_MASK);
}

static wisp_status check_command(const program *p, const wisp_cmd *cmd, uint32_t number, wisp_report *report)
{
    const uint32_t when = cmd->reserved & PROGRAM_WHEN_MASK;
    if (when == PROGRAM_WHEN_MASK || (when == 0 && cmd->reserved != 0))
        return base_fail(report, WISP_E_INPUT, "program: command %u has an unknown condition", number);
    if (cmd->op == WISP_OP_NONE) return base_fail(report, WISP_E_INPUT, "program: command %u has no op", number);
    for (int i = 0; i < WISP_CMD_VIEWS; i++) {
        const wisp_view *v = &cmd->view[i];
        if (v->buffer > p->buffer_count)
            return base_fail(report, WISP_E_INPUT, "program: command %u, view %d: no buffer %u", number, i, v->buffer);
        if (!known_size(v->rows) || !known_size(v->cols))
            return base_fail(report, WISP_E_INPUT, "program: command %u, view %d: unknown symbol", number, i);
    }
    return WISP_OK;
}

static wisp_status read_head(program *p, base_reader *r, wisp_report *report)
{
    const uint32_t version = base_read_u32(r);
    uint32_t *const field[] = {
        &p->vocab_size, &p->context_length, &p->embedding_length, &p->block_count,   &p->kv_heads, &p->buffer_count,
        &p->cmd_count,  &p->pooling,        &p->rank_pooling,     &p->vector_length, &p->whole};
    for (size_t i = 0; i < sizeof field / sizeof *field; i++)
        *field[i] = base_read_u32(r);
    if (r->failed) return base_fail(report, WISP_E_TRUNCATED, "program: no head");
    if (version != PROGRAM_VERSION) return base_fail(report, WISP_E_UNSUPPORTED, "program: version %u", version);
    if (p->buffer_count > BUFFERS_MAX || p->cmd_count > COMMANDS_MAX)
        return base_fail(report, WISP_E_LIMIT, "program: %u buffers, %u commands", p->buffer_count, p->cmd_count);
    if (p->kv_heads > KV_HEADS_MAX || p->vocab_size == 0 || p->vocab_size > INT32_MAX || p->context_length == 0 ||
        p->context_length > INT32_MAX)
        return base_fail(report, WISP_E_INPUT, "program: impossible vocabulary, context or head count");
    if (p->pooling >= PROGRAM_POOLINGS || p->rank_pooling >= PROGRAM_POOL_RANK || p->whole > 1 ||
        p->embedding_length > VECTOR_MAX || p->vector_length > VECTOR_MAX)
        return base_fail(report, WISP_E_INPUT, "program: impossible vectors");
    if (base_left(r) != (uint64_t)p->buffer_count * BUFFER_BYTES + (uint64_t)p->cmd_count * sizeof(wisp_cmd))
        return base_fail(report, WISP_E_TRUNCATED, "program: its size does not match its counts");
    return WISP_OK;
}

static wisp_status read_body(program *p, program_buffer *buffers, wisp_cmd *cmds, base_reader *r, wisp_report *report)
{
    uint32_t roles = 0;
    for (uint32_t i = 0; i < p->buffer_count; i++)
        BASE_TRY(read_buffer(r, &buffers[i], i, &roles, report));
    for (uint32_t i = 0; i < p->cmd_count; i++) {
        memcpy(&cmds[i], base_read_span(r, sizeof *cmds).data, sizeof *cmds);
        BASE_TRY(check_command(p, &cmds[i], i, report));
    }
    return WISP_OK;
}

wisp_status program_read(program *p, base_span bytes, wisp_report *report)
{
    base_reader r = base_reader_of(bytes.data, bytes.size);
    program read = {0};
    *p = read;
    BASE_TRY(read_head(&read, &r, report));
    /* one block: commands first, they need the stricter alignment */
    wisp_cmd *cmds = base_alloc(read.cmd_count * sizeof *cmds + read.buffer_count * sizeof(program_buffer));
    if (!cmds) return base_fail(report, WISP_E_MEMORY, "program: %u commands", read.cmd_count);
    program_buffer *buffers = (program_buffer *)(void *)(cmds + read.cmd_count);
    read.cmds = cmds;
    read.buffers = buffers;
    wisp_status status = read_body(&read, buffers, cmds, &r, report);
    if (status == WISP_OK)
        *p = read;
    else
        base_free(cmds);
    return status;
}

void program_write(base_buffer *out, const program *p)
{
    const uint32_t head[] = {PROGRAM_VERSION, p->vocab_size,   p->context_length, p->embedding_length,
                             p->block_count,  p->kv_heads,     p->buffer_count,   p->cmd_count,
                             p->pooling,      p->rank_pooling, p->vector_length,  p->whole};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        base_put_u32(out, head[i]);
    for (uint32_t i = 0; i < p->buffer_count; i++) {
        const program_buffer *b = &p->buffers[i];
        base_put_u32(out, b->role);
        base_put_u32(out, b->index);
        base_put_u64(out, b->fixed);
        base_put_u64(out, b->per_token);
        base_put_u64(out, b->per_output);
        base_put_u64(out, b->per_page);
        base_put_u64(out, b->per_seq_page);
        base_put_u64(out, b->per_seq);
    }
    base_put(out, p->cmds, p->cmd_count * sizeof *p->cmds);
}

uint32_t program_size(uint32_t size, const program_sizes *sizes)
{
    if (size < PROGRAM_SYMBOL) return size;
    const uint64_t n = (uint64_t)sizes->of[size >> 24 & 127] * (size & PROGRAM_FACTOR_MASK);
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

void program_fini(program *p)
{
    base_free((void *)(uintptr_t)p->cmds);
    *p = (program){0};
}
