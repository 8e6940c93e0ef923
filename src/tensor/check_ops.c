/* What a command's operand string cannot say (ops.def): one check function an op that wants one. */
#include "tensor/device_state.h"

/* Positions p[1,n] of sequences s[1,n] through page table t[q,g] into a cache of r rows: every page that the op touches
 * exists. s itself was checked against q. Operands 3 (KV_WRITE: 2) and the two after it. */
static wisp_status check_pages(const tensor_check *p, int first, uint64_t heads, bool all)
{
    const tensor_ref pos = tensor_resolve(p->device, &p->cmd->view[first]);
    const tensor_ref seq = tensor_resolve(p->device, &p->cmd->view[first + 1]);
    const tensor_ref table = tensor_resolve(p->device, &p->cmd->view[first + 2]);
    const uint64_t rows = tensor_check_size(p, 'r'), page_rows = heads * WISP_KV_PAGE, pages = rows / page_rows;
    if (rows % page_rows != 0)
        return CHECK_FAIL(p, "cache rows are not whole pages of %llu", (unsigned long long)page_rows);
    BASE_TRY(tensor_check_read_only(p, first));
    BASE_TRY(tensor_check_read_only(p, first + 2));
    int64_t checked_row = -1;
    uint64_t checked = 0; /* pages of that sequence which are known to be right */
    for (uint64_t i = 0; i < pos.cols; i++) {
        const int32_t at = tensor_int_at(&pos, 0, i), row = tensor_int_at(&seq, 0, i);
        if (tensor_is_interrupted(p->device)) return tensor_check_fail(p, WISP_E_CANCELLED, "interrupted");
        if (at < 0 || (uint32_t)at / WISP_KV_PAGE >= table.cols)
            return CHECK_FAIL(p, "token %llu: position %d is outside the page table", (unsigned long long)i, at);
        const uint64_t last = (uint32_t)at / WISP_KV_PAGE;
        if (row != checked_row) checked = 0;
        checked_row = row;
        for (uint64_t g = all ? checked : last; g <= last; g++) {
            const int32_t page = tensor_int_at(&table, (uint64_t)row, g);
            if (page < 0 || (uint64_t)page >= pages)
                return CHECK_FAIL(p, "token %llu: page %d of sequence %d is outside the cache", (unsigned long long)i,
                                  page, row);
        }
        if (all && last + 1 > checked) checked = last + 1;
    }
    return WISP_OK;
}

/* ---- what the operand strings cannot say ---- */
static wisp_status check_rope(const tensor_check *p)
{
    if (p->cmd->param[1].u > 1) return CHECK_FAIL(p, "halves must be 0 or 1");
    if (tensor_check_size(p, 'h') > tensor_check_size(p, 'd') / 2) return CHECK_FAIL(p, "more angles than pairs");
    return WISP_OK;
}

static wisp_status check_attention(const tensor_check *p)
{
    const uint32_t heads = p->cmd->param[0].u, kv_heads = p->cmd->param[1].u;
    if (kv_heads == 0 || heads % kv_heads != 0) return CHECK_FAIL(p, "%u heads over %u kv heads", heads, kv_heads);
    if (p->cmd->view[2].type != p->cmd->view[3].type) return CHECK_FAIL(p, "keys and values differ in type");
    const uint32_t window = p->cmd->param[4].u, mode = p->cmd->param[5].u;
    if (mode >= WISP_ATTEND_MODES) return CHECK_FAIL(p, "unknown mode %u", mode);
    if (mode == WISP_ATTEND_CHUNK && window == 0) return CHECK_FAIL(p, "chunks of no positions");
    return check_pages(p, 4, kv_heads, true);
}

/* The number of a row must fit where ARGMAX puts it. */
static wisp_status check_argmax(const tensor_check *p)
{
    return tensor_check_size(p, 'd') <= INT32_MAX ? WISP_OK : CHECK_FAIL(p, "too many columns");
}

static wisp_status check_activation(const tensor_check *p)
{
    const uint32_t kind = p->cmd->param[0].u;
    if (kind < (p->cmd->op == WISP_OP_GLU ? WISP_ACT_KINDS : WISP_ACT_SWIGLU_OAI)) return WISP_OK;
    return CHECK_FAIL(p, "unknown activation %u", kind);
}

static wisp_status check_positions(const tensor_check *p)
{
    if (p->cmd->param[2].u == 0) return CHECK_FAIL(p, "length is 0");
    return WISP_OK;
}

/* Matrices that lie one after the other in packed row groups begin on a group. */
static wisp_status check_stack(const tensor_check *p, uint64_t rows)
{
    const tensor_type_info *info = tensor_type_find(p->cmd->view[2].type);
    if (info->block_bytes || rows % TENSOR_ROW_GROUP == 0) return WISP_OK;
    return CHECK_FAIL(p, "packed matrices of %llu rows each", (unsigned long long)rows);
}

static wisp_status check_matmul_id(const tensor_check *p)
{
    const uint64_t n = tensor_check_size(p, 'n'), u = tensor_check_size(p, 'u'), a = tensor_check_size(p, 'a');
    if (a != n && a != n * u) return CHECK_FAIL(p, "%llu rows of x", (unsigned long long)a);
    /* every thread looks at the indices for itself, so they must stay as they are: a mapped file need not */
    if (tensor_buffer_of(p->device, p->cmd->view[3].buffer)->weights)
        return CHECK_FAIL(p, "operand i: indices cannot lie in weights");
    return check_stack(p, tensor_check_size(p, 'm'));
}

static wisp_status check_topk(const tensor_check *p)
{
    const uint64_t k = tensor_check_size(p, 'k'), e = tensor_check_size(p, 'e');
    const uint32_t groups = p->cmd->param[0].u, kept = p->cmd->param[1].u;
    if (e > INT32_MAX || k > e)
        return CHECK_FAIL(p, "the largest %llu of %llu", (unsigned long long)k, (unsigned long long)e);
    if (groups <= 1) return groups == kept ? WISP_OK : CHECK_FAIL(p, "%u of %u groups", kept, groups);
    if (e % groups != 0 || e / groups < 2 || groups > 64 || kept == 0 || kept > groups || k > e / groups * kept)
        return CHECK_FAIL(p, "%u of %u groups of %llu", kept, groups, (unsigned long long)e);
    return WISP_OK;
}

/* A state row has room for what the op keeps, and no more. */
static wisp_status check_state(const tensor_check *p, char letter, uint64_t rows, uint64_t cols)
{
    if (rows * cols == tensor_check_size(p, letter)) return WISP_OK; /* both below 2^32 */
    return CHECK_FAIL(p, "operand h: %llu columns, not %llu", (unsigned long long)tensor_check_size(p, letter),
                      (unsigned long long)(rows * cols));
}

/* Divides what the operand strings multiply. */
static wisp_status check_ssd(const tensor_check *p)
{
    const uint32_t heads = p->cmd->param[0].u, groups = p->cmd->param[1].u;
    if (heads % groups != 0) return CHECK_FAIL(p, "%u heads in %u groups", heads, groups);
    return check_state(p, 'z', p->cmd->view[0].cols, tensor_check_size(p, 'c'));
}

static wisp_status check_delta(const tensor_check *p)
{
    const uint32_t heads = p->cmd->param[0].u, keys = p->cmd->param[1].u;
    const uint64_t w = tensor_check_size(p, 'w'), d = tensor_check_size(p, 'd');
    if (heads % keys != 0 || p->cmd->param[3].u > 1) return CHECK_FAIL(p, "%u heads over %u key heads", heads, keys);
    if (w != heads && w != heads * d) return CHECK_FAIL(p, "operand g: %llu columns", (unsigned long long)w);
    return check_state(p, 'z', p->cmd->view[0].cols, d);
}

wisp_status tensor_check_op(const tensor_check *p)
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
    case WISP_OP_CONV:
        return check_state(p, 'c', tensor_check_size(p, 'k') - 1, tensor_check_size(p, 'd'));
    case WISP_OP_SSD_SCAN:
        return check_ssd(p);
    case WISP_OP_DELTA_RULE:
        return check_delta(p);
    case WISP_OP_WKV6:
    case WISP_OP_WKV7:
        return check_state(p, 'z', p->cmd->view[0].cols, tensor_check_size(p, 'd'));
    case WISP_OP_TOPK:
        return check_topk(p);
    case WISP_OP_MATMUL_ID:
        return check_matmul_id(p);
    case WISP_OP_MATMUL_HEADS:
        return check_stack(p, tensor_check_size(p, 'm'));
    case WISP_OP_UNARY:
    case WISP_OP_GLU:
        return check_activation(p);
    case WISP_OP_POSITION_SCALE:
        return check_positions(p);
    default:
        return WISP_OK;
    }
}
