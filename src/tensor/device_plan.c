/* A validated list of commands -> tasks for the threads: one a command, MATMUL two (panels, product).
 *
 * Panels made for one MATMUL serve the next ones that read the same activations (query, key and value; gate and up). A
 * barrier stands before a task only if it touches bytes that a task since the last barrier wrote, or writes what one
 * read. The decisions are taken here, once, so that all threads agree on them. */
#include "tensor/device_state.h"
#include "tensor/layout.h"

enum { ACCESSES_MAX = 64, PRIVATE_TOKENS = 2 };

typedef struct access {
    tensor_ref ref;
    bool write;
} access;

typedef struct planner {
    tensor_device *device;
    access seen[ACCESSES_MAX]; /* since the last barrier */
    uint32_t seen_count;
    bool panels_read, panels_written; /* the shared ones, since the last barrier */
    tensor_task panels;               /* what the panels were made for: its activations (data NULL: none), its indices */
    uint64_t shared_area, private_area, work_area;
} planner;

static bool conflicts(const planner *p, const tensor_ref *ref, bool write)
{
    for (uint32_t i = 0; i < p->seen_count; i++)
        if ((write || p->seen[i].write) && tensor_overlap(ref, &p->seen[i].ref)) return true;
    return false;
}

static void note(planner *p, const tensor_ref *ref, bool write)
{
    if (ref->extent) p->seen[p->seen_count++] = (access){*ref, write};
}

/* Which operands does this task touch? A product reads panels instead of x; making them reads x alone. */
static bool touches(const tensor_task *task, int i)
{
    if (task->kind == TASK_PANEL) return i == 1 || (task->op == WISP_OP_MATMUL_ID && i == 3);
    return !tensor_is_matmul(task->op) || i != 1;
}

static void place_barrier(planner *p, tensor_task *task)
{
    const bool matmul = tensor_is_matmul(task->op) && !task->private_panel, panel = task->kind == TASK_PANEL;
    bool needed = p->seen_count > ACCESSES_MAX - WISP_CMD_VIEWS;
    for (int i = 0; i < WISP_CMD_VIEWS && !needed; i++)
        if (task->ref[i].data && touches(task, i)) needed = conflicts(p, &task->ref[i], task->written >> i & 1);
    if (matmul) needed = needed || p->panels_written || (panel && p->panels_read);
    if (needed) {
        task->barrier = p->device->threads > 1;
        p->seen_count = 0;
        p->panels_read = p->panels_written = false;
    }
    for (int i = 0; i < WISP_CMD_VIEWS; i++)
        if (task->ref[i].data && touches(task, i)) note(p, &task->ref[i], task->written >> i & 1);
    if (matmul && panel) p->panels_written = true;
    if (matmul && !panel) p->panels_read = true;
}

static bool same_view(const tensor_ref *a, const tensor_ref *b)
{
    return a->data == b->data && a->stride == b->stride && a->rows == b->rows && a->cols == b->cols;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void add_task(planner *p, const tensor_task *task)
{
    tensor_task *added = &p->device->tasks[p->device->task_count++];
    *added = *task;
    place_barrier(p, added);
}

static tensor_panel_kind panel_kind(const tensor_task *task)
{
    return tensor_panel_kind_of(tensor_matmul_kind_of(task->ref[2].type));
}

/* The same panels? Those of MATMUL_ID are sorted by matrix. */
static bool same_panels(const tensor_task *a, const tensor_task *b)
{
    if (!same_view(&a->ref[1], &b->ref[1]) || panel_kind(a) != panel_kind(b) || a->op != b->op) return false;
    if (a->op == WISP_OP_MATMUL_HEADS) return a->param[0].u == b->param[0].u;
    if (a->op == WISP_OP_MATMUL) return true;
    return same_view(&a->ref[3], &b->ref[3]) && a->ref[2].rows / a->ref[0].cols == b->ref[2].rows / b->ref[0].cols;
}

static void plan_matmul(planner *p, tensor_task *task)
{
    const tensor_ref *x = &task->ref[1];
    const bool stack = task->op != WISP_OP_MATMUL;
    const uint64_t bytes =
        stack ? tensor_stack_panels_bytes(task) : tensor_panels_bytes(panel_kind(task), x->rows, x->cols);
    /* cheaper made twice than waited for */
    task->private_panel = (task->op == WISP_OP_MATMUL_ID ? task->ref[3].rows : x->rows) <= PRIVATE_TOKENS;
    uint64_t *area = task->private_panel ? &p->private_area : &p->shared_area;
    *area = max64(*area, bytes);
    p->work_area = max64(p->work_area, stack ? tensor_stack_scratch(task) : tensor_matmul_scratch(&task->ref[2]));
    if (!p->panels.ref[1].data || !same_panels(task, &p->panels)) {
        tensor_task panel = *task;
        panel.kind = TASK_PANEL;
        add_task(p, &panel);
        p->panels = panel;
    }
    task->queue = (uint32_t)p->device->queue_count++;
    add_task(p, task);
}

/* What a list itself takes, tasks and queues, counts as device memory too. */
static wisp_status charge_lists(tensor_device *d, wisp_report *report)
{
    const uint64_t bytes =
        d->task_capacity * sizeof *d->tasks + (uint64_t)d->queue_count * d->threads * sizeof(tensor_queue);
    if (bytes <= d->list_bytes) return WISP_OK;
    if (!base_charge(d->budget, bytes - d->list_bytes))
        return base_fail(report, WISP_E_LIMIT, "a list of %zu tasks is over the device's limit", d->task_count);
    d->list_bytes = bytes;
    return WISP_OK;
}

/* Deals each MATMUL's row groups to the threads, in equal contiguous ranges. */
static wisp_status deal_groups(tensor_device *d, wisp_report *report)
{
    if (d->queue_count > d->queue_capacity) {
        const size_t each = d->threads * sizeof(tensor_queue);
        base_free(d->queues_owned);
        d->queue_capacity = 0;
        d->queues_owned = d->queue_count > SIZE_MAX / each ? NULL : base_alloc_aligned(64, d->queue_count * each);
        if (!d->queues_owned) return base_fail(report, WISP_E_MEMORY, "%zu matrix products", d->queue_count);
        d->queues = d->queues_owned;
        d->queue_capacity = d->queue_count;
    }
    for (size_t i = 0; i < d->task_count; i++) {
        const tensor_task *t = &d->tasks[i];
        if (!tensor_is_matmul(t->op) || t->kind != TASK_OP) continue;
        const uint64_t groups = tensor_matmul_groups(t);
        for (unsigned index = 0; index < d->threads; index++) {
            const tensor_range share = tensor_share(groups, index, d->threads);
            d->queues[(size_t)t->queue * d->threads + index].range = share.begin << 32 | share.end;
        }
    }
    return WISP_OK;
}

/* Are the panels of what is written here no longer right? */
static bool makes_stale(const planner *p, const tensor_ref *written)
{
    return tensor_overlap(written, &p->panels.ref[1]) ||
           (p->panels.op == WISP_OP_MATMUL_ID && tensor_overlap(written, &p->panels.ref[3]));
}

static void plan_command(planner *p, const wisp_cmd *cmd)
{
    const tensor_op_rule *rule = tensor_op_rule_find(&p->device->rules, cmd->op);
    tensor_task task = {.op = cmd->op, .kind = TASK_OP};
    for (int i = 0; i < rule->operand_count; i++) {
        task.ref[i] = tensor_resolve(p->device, &cmd->view[i]);
        if (rule->operand[i].written) task.written |= (uint16_t)(1u << i);
    }
    for (int i = 0; i < WISP_CMD_PARAMS; i++)
        task.param[i] = cmd->param[i];
    if (task.ref[0].rows == 0) return;
    if (tensor_is_matmul(cmd->op))
        plan_matmul(p, &task);
    else
        add_task(p, &task);
    if (cmd->op == WISP_OP_ATTENTION) p->work_area = max64(p->work_area, tensor_attention_scratch(&task));
    for (int i = 0; i < rule->operand_count; i++)
        if (task.written >> i & 1 && makes_stale(p, &task.ref[i])) p->panels = (tensor_task){0};
}

static uint64_t up64(uint64_t n)
{
    return (n + 63) & ~(uint64_t)63;
}

/* Grows the scratch; nothing is allocated once the largest step has been seen. */
static wisp_status reserve_scratch(planner *p, wisp_report *report)
{
    tensor_device *d = p->device;
    d->shared_area = max64(d->shared_area, up64(p->shared_area));
    d->private_area = max64(d->private_area, up64(p->private_area));
    d->work_area = max64(d->work_area, up64(p->work_area));
    uint64_t each, bytes;
    if (__builtin_add_overflow(d->private_area, d->work_area, &each) ||
        __builtin_mul_overflow(each, (uint64_t)d->threads, &bytes) ||
        __builtin_add_overflow(bytes, d->shared_area, &bytes) || bytes > SIZE_MAX - 64)
        return base_fail(report, WISP_E_LIMIT, "a step needs more scratch memory than there are addresses");
    if (bytes <= d->scratch_bytes) return WISP_OK;
    base_free(d->scratch_owned);
    base_discharge(d->budget, d->scratch_bytes);
    d->scratch_owned = d->scratch = NULL;
    d->scratch_bytes = 0;
    if (!base_charge(d->budget, bytes))
        return base_fail(report, WISP_E_LIMIT, "%llu bytes of scratch are over the device's limit",
                         (unsigned long long)bytes);
    d->scratch_owned = base_alloc_aligned(64, (size_t)bytes);
    if (!d->scratch_owned) {
        base_discharge(d->budget, bytes);
        return base_fail(report, WISP_E_MEMORY, "%llu bytes of scratch", (unsigned long long)bytes);
    }
    d->scratch = d->scratch_owned;
    d->scratch_bytes = bytes;
    return WISP_OK;
}

wisp_status tensor_plan(tensor_device *device, const wisp_cmd *cmds, uint32_t count, wisp_report *report)
{
    planner p = {.device = device};
    device->task_count = device->queue_count = 0;
    if (!BASE_GROW(device->tasks, device->task_capacity, (size_t)count * 2))
        return base_fail(report, WISP_E_MEMORY, "%u commands", count);
    for (uint32_t i = 0; i < count; i++)
        plan_command(&p, &cmds[i]);
    BASE_TRY(charge_lists(device, report));
    BASE_TRY(deal_groups(device, report));
    return reserve_scratch(&p, report);
}
