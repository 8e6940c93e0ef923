/* Completions: the prompt in chunks, then a token a step. */
#include "base/mem.h"
#include "guest/engine_state.h"

wisp_status guest_prefill_unit(guest_engine *e, guest_request *r, bool *complete, wisp_report *report)
{
    uint64_t begin = guest_now_ns();
    uint32_t left = (uint32_t)r->tokens.count - r->fed, count = left < r->chunk ? left : r->chunk;
    *complete = count == left;
    BASE_TRY(guest_executor_step(e->executor, r->sequence, r->tokens.ids + r->fed, count, *complete ? 1 : 0, report));
    r->fed += count;
    r->prefilled += count;
    r->prefill_ns += guest_now_ns() - begin;
    return WISP_OK;
}

float *guest_read_logits(guest_engine *e, guest_request *r, uint32_t output, wisp_report *report)
{
    if (!r->logits) r->logits = base_alloc((size_t)e->program.vocab_size * sizeof *r->logits);
    if (!r->logits) {
        base_fail(report, WISP_E_MEMORY, "out of memory for logits");
        return NULL;
    }
    return guest_executor_logits(e->executor, output, r->logits, report) == WISP_OK ? r->logits : NULL;
}

static wisp_status choose(guest_engine *e, guest_request *r, uint32_t *token, wisp_report *report)
{
    if (guest_sampler_is_argmax(&r->sampler)) return guest_executor_argmax(e->executor, token, report);
    float *logits = guest_read_logits(e, r, 0, report);
    if (!logits) return report ? report->status : WISP_E_MEMORY;
    *token = guest_sampler_pick(&r->sampler, logits, e->program.vocab_size);
    return *token == GUEST_NO_TOKEN ? base_fail(report, WISP_E_MEMORY, "out of memory for sampling") : WISP_OK;
}

static void put_choice(base_buffer *b, const guest_engine *e, const guest_request *r, const char *finish)
{
    base_put_u8(b, '{');
    guest_put_id(b, r);
    base_putf(b, ",\"object\":\"text_completion\",\"created\":%lld,\"model\":", (long long)r->created);
    base_json_put_string(b, (const char *)e->model_name.data, e->model_name.size);
    base_put_text(b, ",\"choices\":[{\"index\":0,\"text\":");
    base_json_put_string(b, (const char *)r->output.ready.data, r->output.ready.size);
    base_put_text(b, ",\"logprobs\":null,\"finish_reason\":");
    if (finish)
        base_putf(b, "\"%s\"}]", finish);
    else
        base_put_text(b, "null}]");
}

static void send_text(guest_engine *e, guest_request *r)
{
    guest_event *event;
    if (r->output.ready.size == 0) return;
    base_buffer *b = guest_event_begin(e, &event);
    put_choice(b, e, r, NULL);
    base_put_u8(b, '}');
    guest_event_end(e, event);
    r->output.ready.size = 0;
}

static bool is_full(const guest_engine *e, const guest_request *r)
{
    return r->sequence >= 0 && guest_sequence_length(e->executor, r->sequence) >= e->limits.context;
}

static void finish(guest_engine *e, guest_request *r, const char *reason)
{
    guest_event *event;
    guest_output_end(&r->output, r);
    if (r->output.stopped) reason = "stop";
    if (r->stream) send_text(e, r);
    base_buffer *b = guest_event_begin(e, &event);
    const uint32_t prompt = r->prompt;
    put_choice(b, e, r, reason);
    base_putf(b,
              ",\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u,\"total_tokens\":%u,"
              "\"prompt_tokens_details\":{\"cached_tokens\":0}}",
              (unsigned)prompt, (unsigned)r->generated, (unsigned)(prompt + r->generated));
    base_putf(b,
              ",\"wisp\":{\"prefill_tokens\":%u,\"prefill_ns\":%llu,\"decode_tokens\":%u,\"decode_ns\":%llu,"
              "\"native\":%s,\"seed\":%llu,\"shifts\":%u,\"dropped_tokens\":%u}}",
              (unsigned)r->prefilled, (unsigned long long)r->prefill_ns, (unsigned)r->decoded,
              (unsigned long long)r->decode_ns, e->native ? "true" : "false", (unsigned long long)r->sampling.seed,
              (unsigned)r->shifts, (unsigned)r->dropped);
    guest_event_end(e, event);
    r->done = true;
}

/* The tokens that stay go through the model again, at their new positions: the same as a new request with them. */
static void shift(guest_engine *e, guest_request *r)
{
    guest_shift(e, r);
    guest_sequence_close(e->executor, r->sequence);
    r->sequence = guest_sequence_open(e->executor);
}

static wisp_status take_token(guest_engine *e, guest_request *r, wisp_report *report)
{
    uint32_t token;
    BASE_TRY(choose(e, r, &token, report));
    if (!r->ignore_eos && base_vocab_is_end(&e->vocab, token)) {
        finish(e, r, "stop");
        return WISP_OK;
    }
    guest_sampler_accept(&r->sampler, token);
    guest_output_put(&r->output, token, r);
    if (r->output.held.failed || r->output.ready.failed)
        return base_fail(report, WISP_E_MEMORY, "out of memory for text");
    r->last = token;
    r->generated++;
    if (r->stream) send_text(e, r);
    if (r->context_shift) {
        if (!BASE_GROW(r->tokens.ids, r->tokens.capacity, r->tokens.count + 1))
            return base_fail(report, WISP_E_MEMORY, "out of memory for tokens");
        r->tokens.ids[r->tokens.count++] = token;
        r->fed++; /* it is the next step's, not the prompt's */
    }
    if (r->output.stopped)
        finish(e, r, "stop");
    else if (r->generated >= r->max_tokens || (is_full(e, r) && !r->context_shift))
        finish(e, r, "length");
    else if (is_full(e, r))
        shift(e, r);
    return WISP_OK;
}

wisp_status guest_completion_unit(guest_engine *e, guest_request *r, wisp_report *report)
{
    if (r->cancelled || r->max_tokens == 0) {
        finish(e, r, r->cancelled ? "cancelled" : "length");
        return WISP_OK;
    }
    uint64_t begin = guest_now_ns();
    if (r->fed < r->tokens.count) {
        bool complete;
        BASE_TRY(guest_prefill_unit(e, r, &complete, report));
        if (complete) BASE_TRY(take_token(e, r, report));
        return WISP_OK;
    }
    BASE_TRY(guest_executor_step(e->executor, r->sequence, &r->last, 1, 1, report));
    r->decoded++;
    r->decode_ns += guest_now_ns() - begin; /* so that the final event has it */
    begin = guest_now_ns();
    BASE_TRY(take_token(e, r, report));
    r->decode_ns += guest_now_ns() - begin;
    return WISP_OK;
}
