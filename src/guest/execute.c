#include "guest/execute.h"

#include <string.h>

#include "base/mem.h"

enum { LISTS = 4, TOKEN_ROOM = 256 };

/* What a step is asked for. */
typedef struct wanted {
    uint32_t tokens;
    uint32_t first, outputs; /* of the tokens */
    uint32_t pooled;         /* vectors that the head is run on */
    bool logits;             /* of the outputs */
} wanted;

/* Commands with all symbols replaced, for one size of step. */
typedef struct command_list {
    wanted of;
    uint32_t count;
    wisp_cmd *cmds; /* NULL: none yet */
} command_list;

typedef struct sequence {
    bool open;
    uint32_t length, pages;
} sequence;

struct guest_executor {
    const program *program;
    const guest_device *device;
    guest_limits limits;
    uint32_t seq_pages, page_count;
    uint32_t *handles;                        /* of the program's buffers; NULL: not allocated yet */
    uint32_t role_handle[PROGRAM_ROLE_COUNT]; /* of the roles that occur once; 0: absent */
    command_list lists[LISTS];
    uint32_t next_list;
    sequence *sequences;
    int32_t *page_table; /* sequences x seq_pages; -1: none */
    uint32_t *free_pages, free_count;
    uint32_t token_room, output_room, logit_room; /* tokens, outputs and their logits that the buffers have room for */
    int32_t *ids, *numbers;                       /* chunk: scratch for inputs */
    int32_t last_sequence;                        /* what SEQS and OUT_ROWS hold, so as not to write it again */
    uint32_t last_sequence_count, last_out_first, last_outputs;
    bool table_changed;
};

wisp_status guest_executor_new(guest_executor **result, const program *p, const guest_device *device,
                               guest_limits limits, wisp_report *report)
{
    guest_executor *x = base_calloc(1, sizeof *x);
    if (!x) return base_fail(report, WISP_E_MEMORY, "out of memory");
    x->program = p;
    x->device = device;
    x->limits = limits;
    x->seq_pages = (limits.context + WISP_KV_PAGE - 1) / WISP_KV_PAGE;
    x->page_count = x->seq_pages * limits.sequences;
    x->sequences = base_calloc(limits.sequences, sizeof *x->sequences);
    x->page_table = base_calloc(x->page_count, sizeof *x->page_table);
    x->free_pages = base_calloc(x->page_count, sizeof *x->free_pages);
    x->ids = base_calloc(limits.chunk, sizeof *x->ids);
    x->numbers = base_calloc(limits.chunk, sizeof *x->numbers);
    if (!x->sequences || !x->page_table || !x->free_pages || !x->ids || !x->numbers) {
        guest_executor_free(x);
        return base_fail(report, WISP_E_MEMORY, "out of memory");
    }
    for (uint32_t i = 0; i < x->page_count; i++) {
        x->page_table[i] = -1;
        x->free_pages[i] = x->page_count - 1 - i; /* the last one is taken first: page 0 */
    }
    x->free_count = x->page_count;
    x->last_sequence = -1;
    x->token_room = limits.chunk < TOKEN_ROOM ? limits.chunk : TOKEN_ROOM;
    x->output_room = x->logit_room = 1;
    x->table_changed = true;
    *result = x;
    return WISP_OK;
}

static void free_buffers(guest_executor *x)
{
    for (uint32_t i = 0; x->handles && i < x->program->buffer_count; i++)
        if (x->program->buffers[i].role != PROGRAM_ROLE_WEIGHTS && x->handles[i])
            guest_device_free(x->device, x->handles[i]);
    base_free(x->handles);
    x->handles = NULL;
}

void guest_executor_free(guest_executor *x)
{
    if (!x) return;
    free_buffers(x);
    for (int i = 0; i < LISTS; i++)
        base_free(x->lists[i].cmds);
    base_free(x->sequences);
    base_free(x->page_table);
    base_free(x->free_pages);
    base_free(x->ids);
    base_free(x->numbers);
    base_free(x);
}

/* ---- buffers ---- */

static program_sizes sizes_of(const guest_executor *x, const wanted *w)
{
    return (program_sizes){{[PROGRAM_SIZE_TOKENS] = w->tokens,
                            [PROGRAM_SIZE_OUTPUTS] = w->outputs,
                            [PROGRAM_SIZE_SEQUENCES] = x->limits.sequences,
                            [PROGRAM_SIZE_SEQ_PAGES] = x->seq_pages,
                            [PROGRAM_SIZE_KV] = x->page_count * WISP_KV_PAGE,
                            [PROGRAM_SIZE_POOLED] = w->pooled}};
}

static bool is_of_logits(const program_buffer *b)
{
    return b->role == PROGRAM_ROLE_LOGITS || b->role == PROGRAM_ROLE_ARGMAX;
}

/* A handle, 0 on failure. */
static uint32_t allocate_buffer(guest_executor *x, const program_buffer *b, wisp_report *report)
{
    uint64_t bytes;
    const wanted room = {.tokens = x->token_room, .outputs = is_of_logits(b) ? x->logit_room : x->output_room};
    const program_sizes sizes = sizes_of(x, &room);
    uint32_t handle = program_buffer_bytes(b, &sizes, &bytes) ? guest_device_alloc(x->device, bytes) : 0;
    if (!handle)
        base_fail(report, WISP_E_MEMORY,
                  "no memory for a buffer of %llu bytes with a context of %u (a smaller context or chunk needs less)",
                  (unsigned long long)bytes, (unsigned)x->limits.context);
    return handle;
}

static wisp_status allocate(guest_executor *x, uint32_t i, wisp_report *report)
{
    const program_buffer *b = &x->program->buffers[i];
    if (b->role == PROGRAM_ROLE_WEIGHTS) {
        x->handles[i] = guest_device_weights(x->device, b->index);
        if (x->handles[i]) return WISP_OK;
        const wisp_report *why = guest_portable_report();
        if (!x->device->direct && why->status != WISP_OK) return base_fail(report, why->status, "%s", why->text);
        return base_fail(report, WISP_E_INPUT, "the capsule has no weights number %u", (unsigned)b->index);
    }
    x->handles[i] = allocate_buffer(x, b, report);
    return x->handles[i] ? WISP_OK : WISP_E_MEMORY;
}

static wisp_status allocate_all(guest_executor *x, wisp_report *report)
{
    if (x->handles) return WISP_OK;
    x->handles = base_calloc(x->program->buffer_count, sizeof *x->handles);
    if (!x->handles) return base_fail(report, WISP_E_MEMORY, "out of memory");
    memset(x->role_handle, 0, sizeof x->role_handle);
    for (uint32_t i = 0; i < x->program->buffer_count; i++) {
        wisp_status status = allocate(x, i, report);
        if (status != WISP_OK) {
            free_buffers(x);
            return status;
        }
        x->role_handle[x->program->buffers[i].role] = x->handles[i];
    }
    static const uint8_t needed[] = {PROGRAM_ROLE_TOKEN_IDS, PROGRAM_ROLE_POSITIONS};
    for (size_t i = 0; i < sizeof needed; i++)
        if (!x->role_handle[needed[i]]) {
            free_buffers(x);
            return base_fail(report, WISP_E_INPUT, "the program has no buffer of role %d", needed[i]);
        }
    return WISP_OK;
}

static bool grow(uint32_t *room, uint32_t wanted, uint32_t most)
{
    if (wanted <= *room) return false;
    const uint64_t twice = (uint64_t)*room * 2;
    *room = twice > most ? most : (uint32_t)twice;
    if (*room < wanted) *room = wanted;
    return true;
}

/* Room for what is wanted. Nearly every step has a few tokens and one output, so the rest is allocated when it is asked
 * for; what the buffers hold does not outlive a step, except in those kept between steps, which grow with neither. */
static wisp_status make_room(guest_executor *x, const wanted *w, wisp_report *report)
{
    const uint32_t before[] = {x->token_room, x->output_room, x->logit_room};
    const bool tokens = grow(&x->token_room, w->tokens, x->limits.chunk);
    const bool outputs = w->outputs > x->output_room, logits = w->logits && w->outputs > x->logit_room;
    if (outputs) x->output_room = w->outputs;
    if (logits) x->logit_room = w->outputs;
    if (!tokens && !outputs && !logits) return WISP_OK;
    x->last_outputs = x->last_sequence_count = 0;
    for (int i = 0; i < LISTS; i++) { /* they hold the old handles */
        base_free(x->lists[i].cmds);
        x->lists[i] = (command_list){0};
    }
    for (uint32_t i = 0; x->handles && i < x->program->buffer_count; i++) {
        const program_buffer *b = &x->program->buffers[i];
        const bool more = (tokens && b->per_token) || (b->per_output && (is_of_logits(b) ? logits : outputs));
        if (b->role == PROGRAM_ROLE_WEIGHTS || b->role == PROGRAM_ROLE_KV || !more) continue;
        const uint32_t handle = allocate_buffer(x, b, report);
        if (!handle) { /* those that have grown already are none the worse for it */
            x->token_room = before[0];
            x->output_room = before[1];
            x->logit_room = before[2];
            return WISP_E_MEMORY;
        }
        guest_device_free(x->device, x->handles[i]);
        x->handles[i] = handle;
        x->role_handle[b->role] = handle;
    }
    return WISP_OK;
}

/* ---- commands ---- */

/* False: the command only makes what is not wanted. */
static bool instantiate(const guest_executor *x, wisp_cmd *cmd, const program_sizes *sizes, bool logits)
{
    for (int i = 0; i < WISP_CMD_VIEWS; i++) {
        wisp_view *v = &cmd->view[i];
        if (v->buffer == 0) continue;
        if (!logits && is_of_logits(&x->program->buffers[v->buffer - 1])) return false;
        v->buffer = x->handles[v->buffer - 1];
        if (v->cols >= PROGRAM_SYMBOL && v->stride == 0) v->stride = (uint64_t)program_size(v->cols, sizes) * 4;
        v->rows = program_size(v->rows, sizes);
        v->cols = program_size(v->cols, sizes);
        if (v->rows == 0 || v->cols == 0) return false;
    }
    return true;
}

static bool same(const wanted *a, const wanted *b)
{
    return a->tokens == b->tokens && a->outputs == b->outputs && a->pooled == b->pooled && a->logits == b->logits;
}

static const command_list *list_for(guest_executor *x, const wanted *w)
{
    for (int i = 0; i < LISTS; i++)
        if (x->lists[i].cmds && same(&x->lists[i].of, w)) return &x->lists[i];
    command_list *l = &x->lists[x->next_list++ % LISTS];
    if (!l->cmds) l->cmds = base_alloc(x->program->cmd_count * sizeof *l->cmds);
    if (!l->cmds) return NULL;
    *l = (command_list){.of = *w, .cmds = l->cmds};
    const program_sizes sizes = sizes_of(x, w);
    for (uint32_t i = 0; i < x->program->cmd_count; i++) {
        l->cmds[l->count] = x->program->cmds[i];
        l->count += instantiate(x, &l->cmds[l->count], &sizes, w->logits);
    }
    return l;
}

/* ---- sequences ---- */

int32_t guest_sequence_open(guest_executor *x)
{
    for (uint32_t i = 0; i < x->limits.sequences; i++) {
        if (x->sequences[i].open) continue;
        x->sequences[i] = (sequence){.open = true};
        return (int32_t)i;
    }
    return -1;
}

void guest_sequence_close(guest_executor *x, int32_t number)
{
    sequence *s = &x->sequences[number];
    int32_t *row = x->page_table + (size_t)number * x->seq_pages;
    while (s->pages) {
        x->free_pages[x->free_count++] = (uint32_t)row[--s->pages];
        row[s->pages] = -1;
    }
    s->open = false;
    x->table_changed = true;
}

void guest_sequence_restart(guest_executor *x, int32_t number)
{
    guest_sequence_close(x, number);
    x->sequences[number] = (sequence){.open = true};
}

uint32_t guest_sequence_length(const guest_executor *x, int32_t number)
{
    return x->sequences[number].length;
}

/* Pages for `length` positions; there are enough for every sequence's full context. */
static void take_pages(guest_executor *x, int32_t number, uint32_t length)
{
    sequence *s = &x->sequences[number];
    int32_t *row = x->page_table + (size_t)number * x->seq_pages;
    for (uint32_t need = (length + WISP_KV_PAGE - 1) / WISP_KV_PAGE; s->pages < need; s->pages++) {
        BASE_ASSERT(x->free_count > 0);
        row[s->pages] = (int32_t)x->free_pages[--x->free_count];
        x->table_changed = true;
    }
}

/* ---- a step ---- */

static wisp_status write_role(guest_executor *x, uint32_t role, const int32_t *values, uint32_t count,
                              wisp_report *report)
{
    if (!x->role_handle[role]) return WISP_OK; /* a program may do without it */
    return guest_device_write(x->device, x->role_handle[role], 0, values, count * 4, report);
}

static wisp_status write_inputs(guest_executor *x, int32_t number, const uint32_t *tokens, const wanted *w,
                                wisp_report *report)
{
    const sequence *s = &x->sequences[number];
    const uint32_t count = w->tokens;
    for (uint32_t i = 0; i < count; i++) {
        x->ids[i] = (int32_t)tokens[i];
        x->numbers[i] = (int32_t)(s->length + i);
    }
    BASE_TRY(write_role(x, PROGRAM_ROLE_TOKEN_IDS, x->ids, count, report));
    BASE_TRY(write_role(x, PROGRAM_ROLE_POSITIONS, x->numbers, count, report));
    if (x->last_sequence != number || x->last_sequence_count < count) {
        for (uint32_t i = 0; i < count; i++)
            x->numbers[i] = number;
        BASE_TRY(write_role(x, PROGRAM_ROLE_SEQS, x->numbers, count, report));
        x->last_sequence = number;
        x->last_sequence_count = count;
    }
    if (w->outputs && (x->last_out_first != w->first || x->last_outputs != w->outputs)) {
        for (uint32_t i = 0; i < w->outputs; i++)
            x->ids[i] = (int32_t)(w->first + i);
        BASE_TRY(write_role(x, PROGRAM_ROLE_OUT_ROWS, x->ids, w->outputs, report));
        x->last_out_first = w->first;
        x->last_outputs = w->outputs;
    }
    if (!x->table_changed) return WISP_OK;
    BASE_TRY(write_role(x, PROGRAM_ROLE_PAGES, x->page_table, x->page_count, report));
    x->table_changed = false;
    return WISP_OK;
}

static wisp_status prepare(guest_executor *x, const wanted *w, wisp_report *report)
{
    BASE_TRY(make_room(x, w, report));
    return allocate_all(x, report);
}

static wisp_status submit(guest_executor *x, const wanted *w, wisp_report *report)
{
    const command_list *l = list_for(x, w);
    if (!l) return base_fail(report, WISP_E_MEMORY, "out of memory for a step's commands");
    return guest_device_submit(x->device, l->cmds, l->count, report);
}

static wisp_status step(guest_executor *x, int32_t number, const uint32_t *tokens, const wanted *w, wisp_report *report)
{
    sequence *s = &x->sequences[number];
    BASE_ASSERT(s->open && w->tokens > 0 && w->tokens <= x->limits.chunk);
    BASE_ASSERT(w->outputs <= w->tokens && w->first <= w->tokens - w->outputs);
    if (w->tokens > x->limits.context - s->length)
        return base_fail(report, WISP_E_LIMIT, "the context of %u tokens is full", (unsigned)x->limits.context);
    BASE_TRY(prepare(x, w, report));
    take_pages(x, number, s->length + w->tokens);
    BASE_TRY(write_inputs(x, number, tokens, w, report));
    BASE_TRY(submit(x, w, report));
    s->length += w->tokens;
    return WISP_OK;
}

wisp_status guest_executor_step(guest_executor *x, int32_t number, const uint32_t *tokens, uint32_t count,
                                uint32_t outputs, wisp_report *report)
{
    const wanted w = {.tokens = count, .first = count - outputs, .outputs = outputs, .logits = true};
    return step(x, number, tokens, &w, report);
}

wisp_status guest_executor_read_step(guest_executor *x, int32_t number, const uint32_t *tokens, uint32_t count,
                                     uint32_t first, uint32_t outputs, wisp_report *report)
{
    const wanted w = {.tokens = count, .first = first, .outputs = outputs};
    return step(x, number, tokens, &w, report);
}

wisp_status guest_executor_vectors(guest_executor *x, uint32_t output, uint32_t count, float *vectors,
                                   wisp_report *report)
{
    const uint64_t bytes = (uint64_t)x->program->embedding_length * 4;
    return guest_device_read(x->device, x->role_handle[PROGRAM_ROLE_EMBEDDING], output * bytes, vectors,
                             (uint32_t)(count * bytes), report);
}

wisp_status guest_executor_head(guest_executor *x, const float *pooled, float *vector, wisp_report *report)
{
    const wanted w = {.pooled = 1};
    BASE_TRY(prepare(x, &w, report));
    BASE_TRY(guest_device_write(x->device, x->role_handle[PROGRAM_ROLE_POOLED], 0, pooled,
                                x->program->embedding_length * 4, report));
    BASE_TRY(submit(x, &w, report));
    return guest_device_read(x->device, x->role_handle[PROGRAM_ROLE_VECTOR], 0, vector, x->program->vector_length * 4,
                             report);
}

wisp_status guest_executor_logits(guest_executor *x, uint32_t output, float *logits, wisp_report *report)
{
    const uint32_t bytes = x->program->vocab_size * 4;
    return guest_device_read(x->device, x->role_handle[PROGRAM_ROLE_LOGITS], (uint64_t)output * bytes, logits, bytes,
                             report);
}

wisp_status guest_executor_argmax(guest_executor *x, uint32_t *token, wisp_report *report)
{
    if (!x->role_handle[PROGRAM_ROLE_ARGMAX]) return base_fail(report, WISP_E_UNSUPPORTED, "the program has no argmax");
    BASE_TRY(guest_device_read(x->device, x->role_handle[PROGRAM_ROLE_ARGMAX], 0, token, sizeof *token, report));
    if (*token < x->program->vocab_size) return WISP_OK;
    return base_fail(report, WISP_E_INPUT, "the program's argmax is out of range");
}
