/* The device's insides, for the files of this folder only. */
#ifndef TENSOR_DEVICE_STATE_H
#define TENSOR_DEVICE_STATE_H
#include "tensor/device.h"
#include "tensor/kernels/kernels.h"
#include "tensor/layout.h"

enum {
    TENSOR_BUFFERS_MAX = 1 << 16,
    TENSOR_COMMANDS_MAX = 1 << 16,
    TENSOR_THREADS_MAX = 1024,
    TENSOR_BUFFER_COST = 192, /* bytes charged for a buffer besides its content, so that empty ones are not free */
};

typedef struct tensor_buffer {
    uint8_t *data; /* 64-byte aligned; NULL: a free slot */
    void *owned;   /* what base_free gets; NULL: borrowed weights */
    uint64_t size; /* as asked for */
    uint64_t charged;
    uint64_t written_by; /* serial number of the last submit with a command that writes here */
    bool weights;
    uint32_t weights_index;
} tensor_buffer;

/* ---- op_rules.c: ops.def's operand strings, parsed ---- */
typedef enum tensor_class { CLASS_F32, CLASS_F64, CLASS_I32, CLASS_MAT, CLASS_KV } tensor_class;

typedef struct tensor_size_rule {
    char letter;  /* 0: the constant 1 */
    char times;   /* a second letter, 0: none */
    int8_t param; /* multiplied by this parameter, -1: by `factor` */
    uint8_t factor;
} tensor_size_rule;

typedef struct tensor_operand_rule {
    char name;
    uint8_t type_class;
    bool optional;
    bool written;    /* the output, and what is marked as state */
    int8_t in_place; /* the output may be this operand's view; -1: none */
    char index_of;   /* letter that bounds the values of an index; 0: not an index */
    tensor_size_rule rows, cols;
} tensor_operand_rule;

typedef struct tensor_op_rule {
    const char *name; /* NULL: no such op */
    uint8_t operand_count, param_count;
    char param_name[WISP_CMD_PARAMS][12];
    tensor_operand_rule operand[WISP_CMD_VIEWS];
} tensor_op_rule;

enum { TENSOR_RULES_MAX = TENSOR_ROW_OPS };
typedef struct tensor_op_rules {
    tensor_op_rule rule[TENSOR_RULES_MAX]; /* by op */
} tensor_op_rules;

void tensor_op_rules_init(tensor_op_rules *rules);
const tensor_op_rule *tensor_op_rule_find(const tensor_op_rules *rules, uint32_t op);

/* ---- a checked operand: a pointer that needs no further thought ---- */
typedef struct tensor_ref {
    uint8_t *data;   /* NULL: absent */
    uint64_t extent; /* bytes from the first to one past the last */
    uint64_t stride;
    uint32_t type, rows, cols;
    uint32_t row_bytes; /* plain types; of block types the whole extent counts */
} tensor_ref;

/* One phase of one command; every thread runs the list of tasks. */
typedef enum tensor_task_kind { TASK_OP, TASK_PANEL } tensor_task_kind;
typedef struct tensor_task {
    uint32_t op;
    uint8_t kind;       /* tensor_task_kind */
    bool barrier;       /* wait for the other threads before it */
    bool private_panel; /* each thread makes and reads its own panels */
    uint16_t written;   /* bit i: operand i is written */
    wisp_param param[WISP_CMD_PARAMS];
    tensor_ref ref[WISP_CMD_VIEWS];
    uint32_t queue; /* MATMUL: its place in the device's queues */
} tensor_task;

/* The row groups that a thread still has to do of one MATMUL: begin << 32 | end. The owner takes from the front, so
 * that it reads one sequential stream; a thread that is done with its own takes from the back of another's, so that
 * none waits long when the cores differ in speed or share it with other programs. */
typedef struct tensor_queue {
    _Alignas(64) uint64_t range;
} tensor_queue;

struct tensor_device {
    bool interrupted; /* set by any thread */
    size_t stop_at;   /* task at which an interrupted list ends; SIZE_MAX: none */
    tensor_kernels kernels;
    const tensor_executor *executor;
    unsigned threads;
    base_budget *budget;
    tensor_buffer *buffers; /* handle h is buffers[h - 1] */
    size_t buffer_count, buffer_capacity;
    size_t first_free; /* no slot below it is free */
    uint64_t serial;   /* of submits */
    tensor_op_rules rules;
    tensor_task *tasks;
    size_t task_count, task_capacity;
    void *scratch_owned;
    uint8_t *scratch; /* 64-byte aligned: shared panels, then of each thread private panels and its work area */
    uint64_t scratch_bytes, shared_area, private_area, work_area;
    void *queues_owned;
    tensor_queue *queues;               /* task->queue * threads + index */
    size_t queue_count, queue_capacity; /* in tasks; charged like the tasks: see charge_lists */
    uint64_t list_bytes;
    bool native;
    tensor_observer observer; /* NULL: none */
    void *observer_context;
};

/* Long ops look at it and leave their work half done: the list's result is WISP_E_CANCELLED then. */
static inline bool tensor_is_interrupted(const tensor_device *device)
{
    return __atomic_load_n(&device->interrupted, __ATOMIC_RELAXED);
}

/* The live buffer of a handle, or NULL. */
tensor_buffer *tensor_buffer_of(const tensor_device *device, uint32_t handle);

/* ---- validate_commands.c ---- */
/* Checks a whole list; fills no memory of the guest and changes nothing but written_by marks. */
wisp_status tensor_validate(tensor_device *device, const wisp_cmd *cmds, uint32_t count,
                            wisp_report *report) WISP_MUST_USE;
/* A command whose operands and sizes are right, and what its op wants besides (check_ops.c). */
typedef struct tensor_check {
    tensor_device *device;
    wisp_report *report;
    uint32_t number; /* of the command in its list, for the report */
    const wisp_cmd *cmd;
    const tensor_op_rule *rule;
    uint64_t size[26]; /* what each letter stands for */
    bool bound[26];
} tensor_check;

wisp_status tensor_check_fail(const tensor_check *c, wisp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define CHECK_FAIL(c, ...) tensor_check_fail(c, WISP_E_INPUT, __VA_ARGS__)
/* Indices cannot lie in weights, nor in what a command of the same list writes. */
wisp_status tensor_check_read_only(const tensor_check *c, int operand) WISP_MUST_USE;
wisp_status tensor_check_op(const tensor_check *c) WISP_MUST_USE; /* check_ops.c */
static inline uint64_t tensor_check_size(const tensor_check *c, char letter)
{
    return c->size[letter - 'a'];
}
/* Element of an i32 operand. */
static inline int32_t tensor_int_at(const tensor_ref *r, uint64_t row, uint64_t col)
{
    int32_t v;
    __builtin_memcpy(&v, r->data + (size_t)(row * r->stride + col * 4), 4);
    return v;
}

/* A checked command's operand. */
tensor_ref tensor_resolve(const tensor_device *device, const wisp_view *view);
/* Do two operands share a byte? Columns of the same strided rows are told apart. */
bool tensor_overlap(const tensor_ref *a, const tensor_ref *b);

/* ---- device_plan.c: a validated list -> tasks, with barriers where one is needed ---- */
wisp_status tensor_plan(tensor_device *device, const wisp_cmd *cmds, uint32_t count, wisp_report *report) WISP_MUST_USE;

/* ---- device_run.c, run_matmul.c, run_attention.c: what thread `index` of device->threads does of a task ---- */
void tensor_run_task(const tensor_device *device, const tensor_task *task, unsigned index);
void tensor_run_panels(const tensor_device *device, const tensor_task *task, unsigned index);
void tensor_run_matmul(const tensor_device *device, const tensor_task *task, unsigned index);
void tensor_run_kv_write(const tensor_device *device, const tensor_task *task, unsigned index);
void tensor_run_attention(const tensor_device *device, const tensor_task *task, unsigned index);

static inline bool tensor_is_matmul(uint32_t op)
{
    return op == WISP_OP_MATMUL || op == WISP_OP_MATMUL_ID || op == WISP_OP_MATMUL_HEADS;
}

/* A thread's part of `total` equal pieces: one contiguous range. */
typedef struct tensor_range {
    uint64_t begin, end;
} tensor_range;
static inline tensor_range tensor_share(uint64_t total, unsigned index, unsigned threads)
{
    return (tensor_range){total * index / threads, total * (index + 1) / threads};
}

tensor_matmul_kind tensor_matmul_kind_of(uint32_t type); /* TENSOR_MATMUL_KINDS: no such weights */
tensor_panel_kind tensor_panel_kind_of(tensor_matmul_kind kind);
const char *tensor_matmul_name(tensor_matmul_kind kind);
/* Bytes of all panels of a MATMUL, each padded to 64. */
uint64_t tensor_panels_bytes(tensor_panel_kind kind, uint64_t tokens, uint64_t k);
/* Bytes from one full panel to the next. */
uint64_t tensor_panel_stride(tensor_panel_kind kind, uint64_t k);
/* `count` (at most 16) rows of weights from `row` on, as its kernel wants them: in place, or made at `made`, where
 * there are tensor_made_bytes. Packed types: row begins a group. */
const void *tensor_weight_rows(const tensor_ref *w, uint64_t row, uint32_t count, uint8_t *made);
uint64_t tensor_made_bytes(const tensor_ref *w);
/* Row groups of one MATMUL task, and how a thread takes them: its own, then others'. */
uint64_t tensor_matmul_groups(const tensor_task *task);
typedef void tensor_groups_fn(const tensor_device *device, const tensor_task *task, unsigned index,
                              tensor_range groups);
void tensor_run_groups(const tensor_device *device, const tensor_task *task, unsigned index, tensor_groups_fn *run);
/* run_matmul_stack.c: MATMUL_ID and MATMUL_HEADS, many matrices in one operand */
void tensor_run_stack(const tensor_device *device, const tensor_task *task, unsigned index);
void tensor_run_stack_panels(const tensor_device *device, const tensor_task *task, unsigned index);
uint64_t tensor_stack_panels_bytes(const tensor_task *task);
uint64_t tensor_stack_scratch(const tensor_task *task);
/* run_router.c: one row */
void tensor_run_topk(const tensor_task *task, uint64_t row);
void tensor_run_pick(const tensor_task *task, uint64_t row);
void tensor_run_combine(const tensor_task *task, uint64_t row);

/* run_recurrent.c: false if the op is none of its own */
bool tensor_run_recurrent(const tensor_device *device, const tensor_task *task, unsigned index);

/* Scratch bytes of one thread. */
uint64_t tensor_matmul_scratch(const tensor_ref *w);
uint64_t tensor_attention_scratch(const tensor_task *task);
uint8_t *tensor_scratch_of(const tensor_device *device, unsigned index);

#endif
