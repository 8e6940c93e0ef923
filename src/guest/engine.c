#include "guest/engine.h"

#include <string.h>

#include "base/mem.h"
#include "guest/engine_state.h"

enum {
    CONTEXT_DEFAULT = 4096,
    CONTEXT_WHOLE = 8192,
    CHUNK_DEFAULT = 256,
    CHUNK_MAX = 4096,
    PARALLEL_MAX = 64,
    NAME_MAX_BYTES = 256
};

/* ---- opening a model ---- */

static wisp_status open_head(guest_engine *e, wisp_report *report)
{
    uint8_t first[MODEL_HEAD_FIXED];
    uint64_t head_bytes;
    if (e->source.size < sizeof first) return base_fail(report, WISP_E_TRUNCATED, "there is no model data");
    e->source.read(e->source.self, 0, first, sizeof first);
    BASE_TRY(base_model_head_size(first, e->source.size, &head_bytes, report));
    const uint8_t *bytes = e->source.mapped;
    if (!bytes) {
        bytes = e->head_bytes = base_alloc_aligned(64, (size_t)head_bytes);
        if (!bytes) return base_fail(report, WISP_E_MEMORY, "no memory for the model's head");
        e->source.read(e->source.self, 0, e->head_bytes, (uint32_t)head_bytes);
    }
    BASE_TRY(base_model_read(&e->head, (base_span){bytes, (size_t)head_bytes}, report));
    e->source.size = e->head.head_bytes + e->head.weights_bytes; /* now it is known */
    return WISP_OK;
}

static wisp_status open_vocabulary(guest_engine *e, wisp_report *report)
{
    base_span block = e->head.section[MODEL_SECTION_VOCAB];
    if (!block.data) return base_fail(report, WISP_E_INPUT, "the model has no vocabulary");
    BASE_TRY(base_vocab_open(&e->vocab, block, report));
    return guest_tokenizer_new(&e->tokenizer, &e->vocab, report);
}

static bool is_known(const guest_device *d, const program *p)
{
    for (uint32_t i = 0; i < p->cmd_count; i++) {
        const wisp_cmd *cmd = &p->cmds[i];
        if (!guest_device_caps(d, WISP_CAPS_OP + cmd->op)) return false;
        for (int k = 0; k < WISP_CMD_VIEWS; k++) {
            const wisp_view *v = &cmd->view[k];
            if (v->buffer == 0 || p->buffers[v->buffer - 1].role != PROGRAM_ROLE_WEIGHTS) continue;
            bool plain = v->type == WISP_F32 || v->type == WISP_F64 || v->type == WISP_I32;
            if (!plain && !guest_device_caps(d, WISP_CAPS_TYPE + v->type)) return false;
        }
    }
    return guest_device_caps(d, WISP_CAPS_ABI) >= WISP_DEV_ABI;
}

/* A host that lacks an op or a type of this program is not used at all: buffers cannot be on both sides. */
static wisp_status choose_device(guest_engine *e, tensor_device *given, wisp_report *report)
{
    e->device.direct = given;
    if (given) {
        if (!tensor_weights(given, 0) && e->source.mapped && e->head.weights_bytes)
            BASE_TRY(tensor_add_weights(given, 0, e->source.mapped, e->source.size, report));
    } else if (!is_known(&e->device, &e->program)) {
        e->device.direct = guest_portable_device(report);
        if (!e->device.direct || !guest_portable_weights(0, report)) return report ? report->status : WISP_E_MEMORY;
    }
    e->native = guest_device_caps(&e->device, WISP_CAPS_FLAGS) & WISP_CAPS_FLAG_NATIVE;
    return WISP_OK;
}

static wisp_status open_program(guest_engine *e, tensor_device *given, wisp_report *report)
{
    base_span bytes = e->head.section[MODEL_SECTION_PROGRAM];
    if (!bytes.data || e->head.weights_bytes == 0) return WISP_OK;
    BASE_TRY(program_read(&e->program, bytes, report));
    if (e->program.cmd_count == 0) return WISP_OK;
    return choose_device(e, given, report);
}

/* ---- options ---- */

static wisp_status check_names(const base_json *root, const char **param, wisp_report *report)
{
    static const char *const known[] = {"context", "chunk", "parallel", "model", "kv_type"};
    if (root->kind != JSON_OBJECT) return base_fail(report, WISP_E_INPUT, "options must be a JSON object");
    for (const base_json *m = root->first; m; m = m->next) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found |= strcmp(m->key, known[i]) == 0;
        if (found) continue;
        *param = NULL;
        return base_fail(report, WISP_E_INPUT, "unknown option '%.60s'", m->key);
    }
    return WISP_OK;
}

static wisp_status read_options(guest_engine *e, const base_json *root, wisp_report *report)
{
    const char *param = NULL;
    uint32_t most = e->program.cmd_count ? e->program.context_length : INT32_MAX;
    guest_limits *l = &e->limits;
    const uint32_t usual = e->program.whole ? CONTEXT_WHOLE : CONTEXT_DEFAULT;
    *l = (guest_limits){most < usual ? most : usual, CHUNK_DEFAULT, 1, GUEST_KV_DEFAULT};
    if (root) {
        BASE_TRY(check_names(root, &param, report));
        BASE_TRY(guest_read_count(root, "context", 1, most, &l->context, &param, report));
        BASE_TRY(guest_read_count(root, "chunk", 1, CHUNK_MAX, &l->chunk, &param, report));
        BASE_TRY(guest_read_count(root, "parallel", 1, PARALLEL_MAX, &l->sequences, &param, report));
        BASE_TRY(guest_read_kv_type(root, &l->kv_type, report));
    }
    if (e->program.whole || l->chunk > l->context) l->chunk = l->context;
    const uint64_t rows = ((uint64_t)l->context + WISP_KV_PAGE) * l->sequences * (e->program.kv_heads + 1);
    if (rows > INT32_MAX) return base_fail(report, WISP_E_LIMIT, "context: too large for that many parallel requests");
    const base_json *model = base_json_get(root, "model");
    if (!model) return WISP_OK;
    if (model->kind != JSON_STRING || model->size > NAME_MAX_BYTES)
        return base_fail(report, WISP_E_INPUT, "model: must be a string of at most %d bytes", NAME_MAX_BYTES);
    e->model_name.size = 0;
    base_put(&e->model_name, model->text, model->size);
    return WISP_OK;
}

/* The model's own name, from its information section; whatever is wrong there costs the name only. */
static void read_name(guest_engine *e)
{
    base_span info = e->head.section[MODEL_SECTION_INFO];
    base_json_doc *doc = NULL;
    const base_json *root;
    base_put_text(&e->model_name, "wisp");
    if (!info.size || base_json_parse(&doc, &root, info.data, info.size, NULL) != WISP_OK) return;
    const base_json *name = base_json_get(root, "name");
    if (name && name->kind == JSON_STRING && name->size && name->size <= NAME_MAX_BYTES) {
        e->model_name.size = 0;
        base_put(&e->model_name, name->text, name->size);
    }
    base_json_free(doc);
}

static wisp_status open_engine(guest_engine *e, tensor_device *device, base_span options, wisp_report *report)
{
    base_json_doc *doc = NULL;
    const base_json *root = NULL;
    BASE_TRY(open_head(e, report));
    BASE_TRY(open_vocabulary(e, report));
    if (!device) {
        guest_portable_reset(&e->source);
        e->uses_portable = true;
    }
    BASE_TRY(open_program(e, device, report));
    read_name(e);
    if (options.size) BASE_TRY(base_json_parse(&doc, &root, options.data, options.size, report));
    wisp_status status = read_options(e, root, report);
    base_json_free(doc);
    if (status != WISP_OK) return status;
    if (e->model_name.failed) return base_fail(report, WISP_E_MEMORY, "out of memory");
    if (e->program.cmd_count == 0) return WISP_OK;
    BASE_TRY(guest_fit_program(&e->program, &e->limits, guest_device_caps(&e->device, WISP_CAPS_FREE), report));
    return guest_executor_new(&e->executor, &e->program, &e->device, e->limits, report);
}

wisp_status guest_engine_new(guest_engine **engine, const guest_source *source, tensor_device *device,
                             base_span options_json, wisp_report *report)
{
    guest_engine *e = base_calloc(1, sizeof *e);
    if (!e) return base_fail(report, WISP_E_MEMORY, "out of memory");
    e->source = *source;
    e->last_event = &e->first_event;
    wisp_status status = open_engine(e, device, options_json, report);
    if (status != WISP_OK) {
        guest_engine_free(e);
        return status;
    }
    *engine = e;
    return WISP_OK;
}

static void free_event(guest_event *event)
{
    if (!event) return;
    base_buffer_fini(&event->bytes);
    base_free(event);
}

void guest_engine_free(guest_engine *e)
{
    if (!e) return;
    for (guest_request *r = e->requests, *next; r; r = next) {
        next = r->next;
        guest_request_fini(r);
        base_free(r);
    }
    for (guest_event *event = e->first_event, *next; event; event = next) {
        next = event->next;
        free_event(event);
    }
    free_event(e->shown_event);
    guest_executor_free(e->executor);
    program_fini(&e->program);
    guest_tokenizer_free(e->tokenizer);
    base_buffer_fini(&e->model_name);
    if (e->uses_portable) guest_portable_reset(NULL);
    base_free(e->head_bytes);
    base_free(e);
}

/* ---- requests ---- */

static uint32_t vocab_size(const guest_engine *e)
{
    return e->executor && e->program.vocab_size < e->vocab.count ? e->program.vocab_size : e->vocab.count;
}

static wisp_status make_tokens(guest_engine *e, guest_request *r, const char **param, wisp_report *report)
{
    unsigned flags = (r->special ? GUEST_TOKENIZE_SPECIAL : 0) |
                     (r->kind != GUEST_TOKENIZE || r->add_special ? GUEST_TOKENIZE_ADD : 0);
    if (r->kind == GUEST_BENCH) {
        uint64_t state[4];
        guest_random_seed(state, 1);
        if (!BASE_GROW(r->tokens.ids, r->tokens.capacity, r->prefill))
            return base_fail(report, WISP_E_MEMORY, "out of memory");
        while (r->tokens.count < r->prefill)
            r->tokens.ids[r->tokens.count++] = (uint32_t)(guest_random(state) % vocab_size(e));
    }
    if (r->text)
        BASE_TRY(guest_tokenize(e->tokenizer, (base_span){(const uint8_t *)r->text, r->text_size}, flags, &r->tokens,
                                report));
    r->text = NULL;
    if (r->kind == GUEST_TOKENIZE || r->kind == GUEST_DETOKENIZE) return WISP_OK;
    if (r->kind == GUEST_EMBEDDINGS) return guest_embed_begin(e, r, param, report);
    *param = "prompt";
    for (size_t i = 0; i < r->tokens.count; i++)
        if (r->tokens.ids[i] >= e->program.vocab_size)
            return base_fail(report, WISP_E_INPUT, "prompt: token %u is unknown to the model",
                             (unsigned)r->tokens.ids[i]);
    if (r->tokens.count == 0) return base_fail(report, WISP_E_INPUT, "prompt: no tokens");
    if (r->kind == GUEST_SCORE && r->from >= r->tokens.count) {
        *param = "from";
        return base_fail(report, WISP_E_INPUT, "from: there is no token %u", (unsigned)r->from);
    }
    const uint64_t need = (uint64_t)r->tokens.count + r->greedy + r->generate;
    r->prompt = (uint32_t)r->tokens.count;
    if (need <= e->limits.context) return WISP_OK;
    if (r->context_shift) return guest_shift(e, r), WISP_OK;
    return base_fail(report, WISP_E_LIMIT,
                     "prompt: %llu tokens do not fit the context of %u; a larger context (--context) has room, and a "
                     "completion with context_shift (--context-shift) drops the oldest",
                     (unsigned long long)need, (unsigned)e->limits.context);
}

static wisp_status check_ability(const guest_engine *e, const guest_request *r, wisp_report *report)
{
    if (r->kind == GUEST_TOKENIZE || r->kind == GUEST_DETOKENIZE) return WISP_OK;
    if (!e->executor)
        return base_fail(report, WISP_E_UNSUPPORTED,
                         "this capsule holds a vocabulary without a model: it can only tokenize");
    if (r->kind == GUEST_EMBEDDINGS) {
        if (guest_program_has(&e->program, PROGRAM_ROLE_EMBEDDING)) return WISP_OK;
        return base_fail(report, WISP_E_UNSUPPORTED, "this capsule's model gives no embeddings");
    }
    if (guest_program_has(&e->program, PROGRAM_ROLE_LOGITS)) return WISP_OK;
    return base_fail(report, WISP_E_UNSUPPORTED,
                     "this model makes embeddings, not text: there is nothing to generate or to score");
}

static wisp_status accept(guest_engine *e, guest_request *r, const base_json *root, const char **param,
                          wisp_report *report)
{
    /* ids above the vocabulary may still be rows of the model (padding): allowed where the model is run */
    guest_bounds bounds = {e->executor ? e->program.vocab_size : e->vocab.count, e->limits.context, e->limits.chunk};
    BASE_TRY(guest_request_read(r, root, &bounds, param, report));
    BASE_TRY(check_ability(e, r, report));
    BASE_TRY(make_tokens(e, r, param, report));
    r->created = guest_wall_seconds();
    if (r->random_seed) r->sampling.seed = guest_random_bits() >> 11; /* exact as a JSON number everywhere */
    guest_sampler_init(&r->sampler, &r->sampling);
    bool text_before = false;
    for (size_t i = 0; r->kind == GUEST_COMPLETION && i < r->tokens.count; i++) {
        uint32_t id = r->tokens.ids[i];
        guest_sampler_accept(&r->sampler, id);
        text_before |= id < e->vocab.count && e->vocab.types[id] != VOCAB_CONTROL;
    }
    r->output.detokenizer = (guest_detokenizer){.vocab = &e->vocab, .at_start = !text_before};
    return WISP_OK;
}

int32_t guest_submit(guest_engine *e, const void *json, size_t size)
{
    wisp_report report = {0};
    base_json_doc *doc = NULL;
    const base_json *root;
    const char *param = NULL;
    guest_request *r = base_calloc(1, sizeof *r);
    wisp_status status =
        r ? base_json_parse(&doc, &root, json, size, &report) : base_fail(&report, WISP_E_MEMORY, "out of memory");
    if (status == WISP_OK && e->last_id == INT32_MAX)
        status = base_fail(&report, WISP_E_LIMIT, "no request numbers left");
    if (status == WISP_OK) status = accept(e, r, root, &param, &report);
    base_json_free(doc);
    if (status != WISP_OK) {
        guest_error_event(e, NULL, param, &report);
        if (r) guest_request_fini(r);
        base_free(r);
        return 0;
    }
    guest_request **last = &e->requests;
    while (*last)
        last = &(*last)->next;
    *last = r;
    return r->id = ++e->last_id;
}

int32_t guest_cancel(guest_engine *e, int32_t id)
{
    for (guest_request *r = e->requests; r; r = r->next) {
        if (r->id != id || r->cancelled) continue;
        r->cancelled = true;
        return 0;
    }
    return -1;
}

static wisp_status run_unit(guest_engine *e, guest_request *r, wisp_report *report)
{
    if (r->kind == GUEST_TOKENIZE) return guest_tokenize_unit(e, r, report);
    if (r->kind == GUEST_DETOKENIZE) return guest_detokenize_unit(e, r, report);
    if (r->cancelled && r->kind != GUEST_COMPLETION) return base_fail(report, WISP_E_CANCELLED, "cancelled");
    if (r->sequence < 0 && !r->cancelled) {
        r->sequence = guest_sequence_open(e->executor);
        if (r->sequence < 0) return WISP_OK; /* its turn comes when another one ends */
    }
    if (r->kind == GUEST_LOGITS) return guest_logits_unit(e, r, report);
    if (r->kind == GUEST_SCORE) return guest_score_unit(e, r, report);
    if (r->kind == GUEST_BENCH) return guest_bench_unit(e, r, report);
    if (r->kind == GUEST_EMBEDDINGS) return guest_embed_unit(e, r, report);
    return guest_completion_unit(e, r, report);
}

int32_t guest_step(guest_engine *e)
{
    int32_t left = 0;
    for (guest_request **at = &e->requests; *at;) {
        guest_request *r = *at;
        wisp_report report = {0};
        if (run_unit(e, r, &report) != WISP_OK) {
            guest_error_event(e, r, NULL, &report);
            r->done = true;
        }
        if (!r->done) {
            left++;
            at = &r->next;
            continue;
        }
        if (r->sequence >= 0) guest_sequence_close(e->executor, r->sequence);
        *at = r->next;
        guest_request_fini(r);
        base_free(r);
    }
    return left;
}

base_span guest_next_event(guest_engine *e)
{
    guest_event *event = e->first_event;
    free_event(e->shown_event);
    e->shown_event = event;
    if (!event) return (base_span){NULL, 0};
    e->first_event = event->next;
    if (!e->first_event) e->last_event = &e->first_event;
    return (base_span){event->bytes.data + 4, event->bytes.size - 4};
}
