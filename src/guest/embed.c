/* Embeddings: texts in, vectors out. The program makes a vector of each token; here they are pooled into one a text,
 * the model's head is run on that, and the result is normalized. */
#include <stdio.h>

#include "base/mem.h"
#include "guest/engine_state.h"

enum { ROWS_BYTES_MAX = 1 << 20 /* of tokens' vectors, read at a time */ };

typedef struct guest_vectors {
    base_buffer data; /* JSON of the finished ones */
    float *sum, *result, *rows;
    uint32_t width, row_room;
} guest_vectors;

void guest_vectors_free(guest_vectors *v)
{
    if (!v) return;
    base_buffer_fini(&v->data);
    base_free(v->sum);
    base_free(v->result);
    base_free(v->rows);
    base_free(v);
}

bool guest_program_has(const program *p, program_role role)
{
    for (uint32_t i = 0; i < p->buffer_count; i++)
        if (p->buffers[i].role == (uint32_t)role) return true;
    return false;
}

/* ---- as asked ---- */

static bool has_head(const program *p)
{
    return p->vector_length && guest_program_has(p, PROGRAM_ROLE_POOLED) && guest_program_has(p, PROGRAM_ROLE_VECTOR);
}

/* Only scores are made by a head that makes scores. */
static bool uses_head(const program *p, const guest_request *r)
{
    return r->pooling != PROGRAM_POOL_NONE && has_head(p) &&
           (p->pooling == PROGRAM_POOL_RANK) == (r->pooling == PROGRAM_POOL_RANK);
}

static uint32_t result_length(const program *p, const guest_request *r)
{
    return uses_head(p, r) ? p->vector_length : p->embedding_length;
}

static wisp_status check_request(const guest_engine *e, guest_request *r, const char **param, wisp_report *report)
{
    const program *p = &e->program;
    if (r->pooling == GUEST_POOLING_OF_MODEL) r->pooling = p->pooling;
    if (r->pooling == PROGRAM_POOL_RANK && !(p->pooling == PROGRAM_POOL_RANK && has_head(p))) {
        *param = "pooling";
        return base_fail(report, WISP_E_UNSUPPORTED, "pooling: this model has no head that makes scores");
    }
    if (r->pooling == PROGRAM_POOL_RANK) r->plain = true;
    if (r->dimensions == 0) r->dimensions = result_length(p, r);
    if (r->dimensions <= result_length(p, r)) return WISP_OK;
    *param = "dimensions";
    return base_fail(report, WISP_E_INPUT, "dimensions: this model's vectors have %u", (unsigned)result_length(p, r));
}

static wisp_status check_input(const guest_engine *e, const guest_request *r, uint32_t i, wisp_report *report)
{
    const uint32_t begin = i ? r->inputs[i - 1].end : 0, count = r->inputs[i].end - begin;
    char which[32] = "";
    if (r->input_count > 1) snprintf(which, sizeof which, "text %u: ", (unsigned)i + 1);
    if (count == 0) return base_fail(report, WISP_E_INPUT, "input: %sno tokens", which);
    for (uint32_t t = begin; t < r->inputs[i].end; t++)
        if (r->tokens.ids[t] >= e->program.vocab_size)
            return base_fail(report, WISP_E_INPUT, "input: %stoken %u is unknown to the model", which,
                             (unsigned)r->tokens.ids[t]);
    if (count <= e->limits.context) return WISP_OK;
    if (e->limits.context < e->program.context_length)
        return base_fail(report, WISP_E_LIMIT,
                         "input: %s%u tokens do not fit the context of %u (this model's may be up to %u)", which,
                         (unsigned)count, (unsigned)e->limits.context, (unsigned)e->program.context_length);
    return base_fail(report, WISP_E_LIMIT, "input: %s%u tokens, but this model reads at most %u", which,
                     (unsigned)count, (unsigned)e->limits.context);
}

wisp_status guest_embed_begin(guest_engine *e, guest_request *r, const char **param, wisp_report *report)
{
    guest_tokens given = r->tokens;
    uint32_t from = 0;
    BASE_TRY(check_request(e, r, param, report));
    r->tokens = (guest_tokens){0};
    *param = "input";
    wisp_status status = WISP_OK;
    for (uint32_t i = 0; i < r->input_count && status == WISP_OK; i++) {
        guest_input *input = &r->inputs[i];
        const uint32_t count = input->end - from;
        from = input->end;
        if (input->text)
            status = guest_tokenize(e->tokenizer, (base_span){(const uint8_t *)input->text, input->text_size},
                                    GUEST_TOKENIZE_SPECIAL | GUEST_TOKENIZE_ADD, &r->tokens, report);
        else if (!BASE_GROW(r->tokens.ids, r->tokens.capacity, r->tokens.count + count + 1))
            status = base_fail(report, WISP_E_MEMORY, "out of memory");
        for (uint32_t t = 0; !input->text && status == WISP_OK && t < count; t++)
            r->tokens.ids[r->tokens.count++] = given.ids[from - count + t];
        input->text = NULL;
        if (status == WISP_OK && r->tokens.count > INT32_MAX)
            status = base_fail(report, WISP_E_LIMIT, "input: too long");
        input->end = (uint32_t)r->tokens.count;
        if (status == WISP_OK) status = check_input(e, r, i, report);
    }
    guest_tokens_fini(&given);
    return status;
}

/* ---- underway ---- */

static wisp_status begin_vectors(guest_engine *e, guest_request *r, wisp_report *report)
{
    guest_vectors *v = r->vectors = base_calloc(1, sizeof *v);
    if (v) {
        v->width = e->program.embedding_length;
        v->row_room = v->width < ROWS_BYTES_MAX / 4 ? ROWS_BYTES_MAX / 4 / (v->width ? v->width : 1) : 1;
        v->sum = base_calloc(v->width + 1, sizeof *v->sum);
        v->result = base_calloc((size_t)v->width + e->program.vector_length + 1, sizeof *v->result);
        v->rows = base_calloc((size_t)v->row_room * v->width + 1, sizeof *v->rows);
    }
    if (v && v->sum && v->result && v->rows) return WISP_OK;
    return base_fail(report, WISP_E_MEMORY, "out of memory for vectors");
}

/* To length 1, but for what has none; the sum in ascending order, in double precision. */
static void normalize(float *v, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (double)v[i] * (double)v[i];
    const double length = __builtin_sqrt(sum);
    for (uint32_t i = 0; i < count && length > 0; i++)
        v[i] = (float)((double)v[i] / length);
}

static void put_base64(base_buffer *b, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t n = size - i < 3 ? size - i : 3;
        const uint32_t three =
            (uint32_t)bytes[i] << 16 | (n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (n > 2 ? bytes[i + 2] : 0);
        for (size_t k = 0; k < 4; k++)
            base_put_u8(b, k <= n ? (uint8_t)digits[three >> (18 - 6 * k) & 63] : '=');
    }
}

/* NaN has bits that are not defined, JSON has no way to say it, and no text is like it. */
static wisp_status put_vector(base_buffer *b, const guest_request *r, float *v, wisp_report *report)
{
    for (uint32_t i = 0; i < r->dimensions; i++)
        if (!__builtin_isfinite(v[i]))
            return base_fail(report, WISP_E_INPUT,
                             "the model's vector is not finite (number %u): are its weights sound?", (unsigned)i);
    if (!r->plain) normalize(v, r->dimensions);
    if (r->base64) {
        base_put_u8(b, '"');
        put_base64(b, (const uint8_t *)v, r->dimensions * sizeof *v); /* little-endian, as wasm is */
        base_put_u8(b, '"');
        return WISP_OK;
    }
    for (uint32_t i = 0; i < r->dimensions; i++) {
        base_put_u8(b, i ? ',' : '[');
        base_json_put_double(b, (double)v[i]);
    }
    base_put_u8(b, ']');
    return WISP_OK;
}

static program_pooling pooling_of(const guest_engine *e, const guest_request *r)
{
    return (program_pooling)(r->pooling == PROGRAM_POOL_RANK ? e->program.rank_pooling : r->pooling);
}

/* Takes the rows that a step gave, in ascending order. */
static wisp_status take_rows(guest_engine *e, guest_request *r, uint32_t count, bool *any, wisp_report *report)
{
    guest_vectors *v = r->vectors;
    const bool all = r->pooling == PROGRAM_POOL_NONE;
    for (uint32_t done = 0; done < count;) {
        const uint32_t n = count - done < v->row_room ? count - done : v->row_room;
        BASE_TRY(guest_executor_vectors(e->executor, done, n, v->rows, report));
        for (uint32_t row = 0; row < n; row++) {
            float *x = v->rows + (size_t)row * v->width;
            if (all) {
                base_put_u8(&v->data, *any ? ',' : '[');
                BASE_TRY(put_vector(&v->data, r, x, report));
            }
            for (uint32_t i = 0; !all && i < v->width; i++)
                v->sum[i] = *any ? v->sum[i] + x[i] : 0.0f + x[i];
            *any = true;
        }
        done += n;
    }
    return WISP_OK;
}

static void vectors_event(guest_engine *e, guest_request *r)
{
    static const char *const names[] = {"none", "mean", "cls", "last", "rank"};
    guest_event *event;
    base_buffer *b = guest_event_begin(e, &event);
    base_put_u8(b, '{');
    guest_put_id(b, r);
    base_put_text(b, ",\"object\":\"list\",\"data\":[");
    base_put(b, r->vectors->data.data, r->vectors->data.size);
    base_put_text(b, "],\"model\":");
    base_json_put_string(b, (const char *)e->model_name.data, e->model_name.size);
    base_putf(b,
              ",\"usage\":{\"prompt_tokens\":%u,\"total_tokens\":%u},\"wisp\":{\"dimensions\":%u,\"pooling\":\"%s\","
              "\"normalized\":%s,\"native\":%s}}",
              (unsigned)r->tokens.count, (unsigned)r->tokens.count, (unsigned)r->dimensions, names[r->pooling],
              r->plain ? "false" : "true", e->native ? "true" : "false");
    b->failed |= r->vectors->data.failed;
    guest_event_end(e, event);
    r->done = true;
}

/* The text of number r->generated is read: its vector, and on to the next. */
static wisp_status finish_text(guest_engine *e, guest_request *r, uint32_t count, wisp_report *report)
{
    guest_vectors *v = r->vectors;
    float *result = v->sum;
    if (pooling_of(e, r) == PROGRAM_POOL_MEAN && count > 1)
        for (uint32_t i = 0; i < v->width; i++)
            v->sum[i] /= (float)count;
    if (uses_head(&e->program, r)) {
        result = v->result;
        BASE_TRY(guest_executor_head(e->executor, v->sum, result, report));
    }
    if (r->pooling == PROGRAM_POOL_NONE)
        base_put_u8(&v->data, ']');
    else
        BASE_TRY(put_vector(&v->data, r, result, report));
    base_putf(&v->data, ",\"tokens\":%u}", (unsigned)count);
    if (v->data.failed) return base_fail(report, WISP_E_MEMORY, "out of memory for vectors");
    if (++r->generated == r->input_count)
        vectors_event(e, r);
    else
        guest_sequence_restart(e->executor, r->sequence);
    return WISP_OK;
}

/* A chunk of a text. */
wisp_status guest_embed_unit(guest_engine *e, guest_request *r, wisp_report *report)
{
    if (!r->vectors) BASE_TRY(begin_vectors(e, r, report));
    const uint32_t begin = r->generated ? r->inputs[r->generated - 1].end : 0, end = r->inputs[r->generated].end;
    const uint32_t left = end - r->fed, n = left < r->chunk ? left : r->chunk;
    const program_pooling pooling = pooling_of(e, r);
    bool any = r->fed > begin;
    uint32_t first = 0, outputs = n;
    if (!any)
        base_putf(&r->vectors->data, "%s{\"object\":\"embedding\",\"index\":%u,\"embedding\":", r->generated ? "," : "",
                  (unsigned)r->generated);
    if (pooling == PROGRAM_POOL_CLS) outputs = !any;
    if (pooling == PROGRAM_POOL_LAST) {
        outputs = n == left;
        first = n - outputs;
        any = false;
    }
    BASE_TRY(guest_executor_read_step(e->executor, r->sequence, r->tokens.ids + r->fed, n, first, outputs, report));
    BASE_TRY(take_rows(e, r, outputs, &any, report));
    r->fed += n;
    return n == left ? finish_text(e, r, end - begin, report) : WISP_OK;
}
