/* Requests as JSON: every field is checked for type and range, and an error names the field. */
#include "guest/request.h"

#include <string.h>

#include "base/mem.h"

typedef struct reader {
    const base_json *root;
    const guest_bounds *bounds;
    const char **param;
    wisp_report *report;
} reader;

static wisp_status bad(const reader *r, const char *name, const char *what)
{
    *r->param = name;
    return base_fail(r->report, WISP_E_INPUT, "%s: %s", name, what);
}

/* A member that is there and not null. */
static const base_json *member(const reader *r, const char *name)
{
    const base_json *node = base_json_get(r->root, name);
    return node && node->kind != JSON_NULL ? node : NULL;
}

static wisp_status read_bool(const reader *r, const char *name, bool *out)
{
    const base_json *node = member(r, name);
    if (!node) return WISP_OK;
    if (node->kind != JSON_BOOL) return bad(r, name, "must be true or false");
    *out = node->boolean;
    return WISP_OK;
}

static wisp_status read_number(const reader *r, const char *name, double least, double most, double *out)
{
    const base_json *node = member(r, name);
    double v;
    if (!node) return WISP_OK;
    if (!base_json_double(node, &v) || !(v >= least && v <= most)) {
        *r->param = name;
        return base_fail(r->report, WISP_E_INPUT, "%s: must be a number from %g to %g", name, least, most);
    }
    *out = v;
    return WISP_OK;
}

wisp_status guest_read_count(const base_json *object, const char *name, uint64_t least, uint64_t most, uint32_t *out,
                             const char **param, wisp_report *report)
{
    const base_json *node = base_json_get(object, name);
    uint64_t v;
    if (!node || node->kind == JSON_NULL) return WISP_OK;
    if (!base_json_uint(node, &v) || v < least || v > most) {
        *param = name;
        return base_fail(report, WISP_E_INPUT, "%s: must be a whole number from %llu to %llu", name,
                         (unsigned long long)least, (unsigned long long)most);
    }
    *out = (uint32_t)v;
    return WISP_OK;
}

static wisp_status read_count(const reader *r, const char *name, uint64_t least, uint64_t most, uint32_t *out)
{
    return guest_read_count(r->root, name, least, most, out, r->param, r->report);
}

static wisp_status read_ids(const reader *r, const char *name, const base_json *array, guest_tokens *out)
{
    if (!BASE_GROW(out->ids, out->capacity, out->count + array->count + 1))
        return base_fail(r->report, WISP_E_MEMORY, "out of memory for %s", name);
    for (const base_json *node = array->first; node; node = node->next) {
        uint64_t id;
        if (!base_json_uint(node, &id) || id >= r->bounds->vocab_size) {
            *r->param = name;
            return base_fail(r->report, WISP_E_INPUT, "%s: token ids must be whole numbers below %u", name,
                             (unsigned)r->bounds->vocab_size);
        }
        out->ids[out->count++] = (uint32_t)id;
    }
    return WISP_OK;
}

static wisp_status read_text(const reader *r, const char *name, guest_request *q)
{
    const base_json *node = member(r, name);
    if (!node || node->kind != JSON_STRING) return bad(r, name, "a string is required");
    q->text = node->text;
    q->text_size = node->size;
    return WISP_OK;
}

/* A string, or an array of token ids (that of several prompts is not one). */
static wisp_status read_prompt(const reader *r, guest_request *q)
{
    const base_json *node = member(r, "prompt");
    if (node && node->kind == JSON_ARRAY) return read_ids(r, "prompt", node, &q->tokens);
    if (node && node->kind != JSON_STRING) return bad(r, "prompt", "must be a string or an array of token ids");
    return read_text(r, "prompt", q);
}

static wisp_status add_stop(const reader *r, const base_json *node, guest_request *q)
{
    if (node->kind != JSON_STRING || node->size == 0 || node->size > GUEST_STOP_BYTES_MAX)
        return bad(r, "stop", "each must be a string of 1 to 1024 bytes");
    if (q->stop_count == GUEST_STOPS_MAX) return bad(r, "stop", "at most 16 strings");
    base_buffer *stop = &q->stops[q->stop_count++];
    base_put(stop, node->text, node->size);
    return stop->failed ? base_fail(r->report, WISP_E_MEMORY, "out of memory") : WISP_OK;
}

static wisp_status read_stops(const reader *r, guest_request *q)
{
    const base_json *node = member(r, "stop");
    if (!node) return WISP_OK;
    if (node->kind != JSON_ARRAY) return add_stop(r, node, q);
    for (const base_json *one = node->first; one; one = one->next)
        BASE_TRY(add_stop(r, one, q));
    return WISP_OK;
}

static wisp_status read_seed(const reader *r, guest_request *q)
{
    const base_json *node = member(r, "seed");
    int64_t below;
    q->random_seed = !node;
    if (!node || base_json_uint(node, &q->sampling.seed)) return WISP_OK;
    if (!base_json_int(node, &below)) return bad(r, "seed", "must be a whole number of at most 64 bits");
    q->random_seed = true; /* negative */
    return WISP_OK;
}

/* Fields that would change the answer: accepted where they say nothing. */
static wisp_status refuse_unsupported(const reader *r)
{
    static const struct {
        const char *name;
        double neutral;
    } numbers[] = {{"n", 1}, {"best_of", 1}, {"presence_penalty", 0}, {"frequency_penalty", 0}};
    static const char *const others[] = {"echo", "logprobs", "suffix", "logit_bias"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const base_json *node = member(r, numbers[i].name);
        double v;
        if (!node) continue;
        if (!base_json_double(node, &v)) return bad(r, numbers[i].name, "must be a number");
        if (v == numbers[i].neutral) continue;
        *r->param = numbers[i].name;
        return base_fail(r->report, WISP_E_UNSUPPORTED, "%s: only %g is supported", numbers[i].name,
                         numbers[i].neutral);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const base_json *node = member(r, others[i]);
        bool neutral = !node || (node->kind == JSON_BOOL && !node->boolean) ||
                       (node->kind == JSON_STRING && node->size == 0) ||
                       (node->kind == JSON_OBJECT && node->count == 0);
        if (neutral) continue;
        *r->param = others[i];
        return base_fail(r->report, WISP_E_UNSUPPORTED, "%s: not supported", others[i]);
    }
    return WISP_OK;
}

static wisp_status read_completion(const reader *r, guest_request *q)
{
    BASE_TRY(read_prompt(r, q));
    q->max_tokens = UINT32_MAX;
    BASE_TRY(read_count(r, "max_tokens", 0, INT32_MAX, &q->max_tokens));
    BASE_TRY(read_number(r, "temperature", 0, 100, &q->sampling.temperature));
    BASE_TRY(read_number(r, "top_p", 0, 1, &q->sampling.top_p));
    BASE_TRY(read_number(r, "min_p", 0, 1, &q->sampling.min_p));
    BASE_TRY(read_count(r, "top_k", 0, INT32_MAX, &q->sampling.top_k));
    BASE_TRY(read_number(r, "repeat_penalty", 0.01, 100, &q->sampling.penalty));
    BASE_TRY(read_number(r, "repetition_penalty", 0.01, 100, &q->sampling.penalty));
    BASE_TRY(read_bool(r, "stream", &q->stream));
    BASE_TRY(read_bool(r, "ignore_eos", &q->ignore_eos));
    BASE_TRY(read_bool(r, "context_shift", &q->context_shift));
    q->keep = GUEST_KEEP_BOS;
    BASE_TRY(read_count(r, "keep", 0, r->bounds->context - 1, &q->keep));
    BASE_TRY(read_seed(r, q));
    BASE_TRY(read_stops(r, q));
    return refuse_unsupported(r);
}

/* The tokens in `tokens` as they are, or the text in `prompt`; and how many tokens a step. */
static wisp_status read_passage(const reader *r, guest_request *q)
{
    const base_json *tokens = member(r, "tokens");
    if (tokens && member(r, "prompt")) return bad(r, "tokens", "prompt is given too");
    if (tokens && tokens->kind != JSON_ARRAY) return bad(r, "tokens", "must be an array of token ids");
    BASE_TRY(tokens ? read_ids(r, "tokens", tokens, &q->tokens) : read_prompt(r, q));
    uint32_t chunk = r->bounds->chunk;
    BASE_TRY(read_count(r, "chunk", 1, INT32_MAX, &chunk));
    if (chunk < q->chunk) q->chunk = chunk; /* more than the engine's would change nothing */
    return WISP_OK;
}

static wisp_status read_logits(const reader *r, guest_request *q)
{
    BASE_TRY(read_passage(r, q));
    BASE_TRY(read_count(r, "top", 0, GUEST_TOP_MAX, &q->top));
    return read_count(r, "greedy", 0, r->bounds->context, &q->greedy);
}

static wisp_status add_input(const reader *r, const base_json *node, guest_request *q)
{
    guest_input *input = &q->inputs[q->input_count++];
    if (node->kind == JSON_STRING) {
        input->text = node->text;
        input->text_size = node->size;
    } else if (node->kind == JSON_ARRAY) {
        BASE_TRY(read_ids(r, "input", node, &q->tokens));
    } else {
        return bad(r, "input", "each must be a string or an array of token ids");
    }
    input->end = (uint32_t)q->tokens.count;
    return WISP_OK;
}

/* A string, an array of strings, of token ids, or of arrays of these. */
static wisp_status read_inputs(const reader *r, guest_request *q)
{
    const base_json *node = member(r, "input");
    if (!node || (node->kind != JSON_STRING && node->kind != JSON_ARRAY))
        return bad(r, "input", "a string or an array is required");
    const bool several = node->kind == JSON_ARRAY && node->first && node->first->kind != JSON_NUMBER;
    const uint32_t count = several ? node->count : 1;
    if (count > GUEST_INPUTS_MAX) return bad(r, "input", "at most 2048 texts");
    q->inputs = base_calloc(count, sizeof *q->inputs);
    if (!q->inputs) return base_fail(r->report, WISP_E_MEMORY, "out of memory");
    if (!several) return add_input(r, node, q);
    for (const base_json *one = node->first; one; one = one->next)
        BASE_TRY(add_input(r, one, q));
    return WISP_OK;
}

/* The index of a member's string among `names`. */
static wisp_status read_choice(const reader *r, const char *name, const char *const *names, uint32_t count,
                               const char *what, uint32_t *out)
{
    const base_json *node = member(r, name);
    const char *text = node ? base_json_str(node) : NULL;
    if (!node) return WISP_OK;
    for (uint32_t i = 0; text && i < count; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *out = i;
        return WISP_OK;
    }
    return bad(r, name, what);
}

static wisp_status read_embeddings(const reader *r, guest_request *q)
{
    static const char *const poolings[] = {"none", "mean", "cls", "last", "rank"}, *const formats[] = {"float",
                                                                                                       "base64"};
    bool normalize = true;
    uint32_t format = 0;
    q->pooling = GUEST_POOLING_OF_MODEL;
    BASE_TRY(read_inputs(r, q));
    BASE_TRY(read_choice(r, "pooling", poolings, 5, "must be none, mean, cls, last or rank", &q->pooling));
    BASE_TRY(read_choice(r, "encoding_format", formats, 2, "must be float or base64", &format));
    BASE_TRY(read_bool(r, "normalize", &normalize));
    q->plain = !normalize;
    q->base64 = format == 1;
    return read_count(r, "dimensions", 1, INT32_MAX, &q->dimensions);
}

static wisp_status read_kind(const reader *r, guest_request *q)
{
    static const struct {
        const char *name;
        guest_kind kind;
    } kinds[] = {{"text_completion", GUEST_COMPLETION},
                 {"tokenize", GUEST_TOKENIZE},
                 {"detokenize", GUEST_DETOKENIZE},
                 {"logits", GUEST_LOGITS},
                 {"score", GUEST_SCORE},
                 {"bench", GUEST_BENCH},
                 {"embeddings", GUEST_EMBEDDINGS}};
    const base_json *node = member(r, "object");
    const char *name = node ? base_json_str(node) : "text_completion";
    for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(name, kinds[i].name) != 0) continue;
        q->kind = kinds[i].kind;
        return WISP_OK;
    }
    return bad(r, "object", "must be text_completion, embeddings, tokenize, detokenize, logits, score or bench");
}

wisp_status guest_request_read(guest_request *q, const base_json *root, const guest_bounds *bounds, const char **param,
                               wisp_report *report)
{
    reader r = {root, bounds, param, report};
    *param = NULL;
    *q = (guest_request){.sequence = -1,
                         .special = true,
                         .chunk = bounds->chunk,
                         .sampling = {.temperature = 0.8, .top_k = 40, .top_p = 0.95, .min_p = 0.05, .penalty = 1}};
    if (root->kind != JSON_OBJECT) return base_fail(report, WISP_E_INPUT, "a request must be a JSON object");
    BASE_TRY(read_kind(&r, q));
    switch (q->kind) {
    case GUEST_COMPLETION:
        return read_completion(&r, q);
    case GUEST_TOKENIZE:
        BASE_TRY(read_bool(&r, "special", &q->special));
        BASE_TRY(read_bool(&r, "add_special", &q->add_special));
        BASE_TRY(read_bool(&r, "pieces", &q->pieces));
        return read_text(&r, "text", q);
    case GUEST_DETOKENIZE:
        if (!member(&r, "tokens") || member(&r, "tokens")->kind != JSON_ARRAY)
            return bad(&r, "tokens", "an array of token ids is required");
        return read_ids(&r, "tokens", member(&r, "tokens"), &q->tokens);
    case GUEST_LOGITS:
        return read_logits(&r, q);
    case GUEST_SCORE:
        q->from = 1;
        BASE_TRY(read_passage(&r, q));
        return read_count(&r, "from", 1, r.bounds->context, &q->from);
    case GUEST_EMBEDDINGS:
        return read_embeddings(&r, q);
    case GUEST_BENCH:
        q->prefill = bounds->context < 512 ? bounds->context / 2 + 1 : 512;
        q->generate = bounds->context < 1024 ? bounds->context / 4 : 128;
        BASE_TRY(read_count(&r, "prefill", 1, bounds->context, &q->prefill));
        return read_count(&r, "generate", 0, bounds->context, &q->generate);
    }
    return WISP_OK;
}

void guest_request_fini(guest_request *q)
{
    guest_tokens_fini(&q->tokens);
    for (uint32_t i = 0; i < q->stop_count; i++)
        base_buffer_fini(&q->stops[i]);
    guest_sampler_fini(&q->sampler);
    guest_output_fini(&q->output);
    base_free(q->logits);
    base_free(q->digest);
    base_free(q->inputs);
    guest_vectors_free(q->vectors);
}
