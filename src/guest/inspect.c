/* Requests that look inside: tokens, logits, speed. */
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "guest/engine_state.h"

typedef struct guest_digest {
    base_sha256 sha;
    size_t top_count;
    guest_candidate top[]; /* as many as were asked for */
} guest_digest;

enum { TOKENS_A_PART = 1 << 16 /* of an answer to tokenize: an event stays small, whatever the text is */ };

/* A piece is a string, or the numbers of its bytes where these are no text by themselves. */
static void put_piece(guest_engine *e, base_buffer *b, uint32_t token)
{
    base_buffer piece = {0};
    guest_token_piece(&e->vocab, token, &piece);
    b->failed |= piece.failed;
    if (base_utf8_valid(piece.data, piece.size) && !(piece.size && memchr(piece.data, 0, piece.size))) {
        base_json_put_string(b, (const char *)piece.data, piece.size);
    } else {
        for (size_t i = 0; i < piece.size; i++)
            base_putf(b, i ? ",%u" : "[%u", piece.data[i]);
        base_put_u8(b, ']');
    }
    base_buffer_fini(&piece);
}

/* One part of the answer a step; all but the last say that more follows. */
wisp_status guest_tokenize_unit(guest_engine *e, guest_request *r, wisp_report *report)
{
    guest_event *event;
    size_t left = r->tokens.count - r->fed, n = left < TOKENS_A_PART ? left : TOKENS_A_PART;
    (void)report;
    base_buffer *b = guest_event_begin(e, &event);
    base_put_u8(b, '{');
    guest_put_id(b, r);
    base_put_text(b, ",\"object\":\"tokenize\",");
    guest_tokens part = {.ids = r->tokens.ids, .count = r->fed + n};
    guest_put_ids(b, "tokens", &part, r->fed);
    if (r->pieces) base_put_text(b, ",\"pieces\":[");
    for (size_t i = 0; r->pieces && i < n; i++) {
        if (i) base_put_u8(b, ',');
        put_piece(e, b, r->tokens.ids[r->fed + i]);
    }
    if (r->pieces) base_put_u8(b, ']');
    if (n < left) base_put_text(b, ",\"more\":true");
    base_put_u8(b, '}');
    guest_event_end(e, event);
    r->fed += (uint32_t)n;
    r->done = n == left;
    return WISP_OK;
}

wisp_status guest_detokenize_unit(guest_engine *e, guest_request *r, wisp_report *report)
{
    guest_event *event;
    (void)report;
    r->output.detokenizer.at_start = true;
    for (size_t i = 0; i < r->tokens.count; i++)
        guest_output_put(&r->output, r->tokens.ids[i], r);
    guest_output_end(&r->output, r);
    base_buffer *b = guest_event_begin(e, &event);
    base_put_u8(b, '{');
    guest_put_id(b, r);
    base_put_text(b, ",\"object\":\"detokenize\",\"text\":");
    base_json_put_string(b, (const char *)r->output.ready.data, r->output.ready.size);
    base_put_u8(b, '}');
    guest_event_end(e, event);
    r->done = true;
    return WISP_OK;
}

static void logits_event(guest_engine *e, guest_request *r)
{
    guest_event *event;
    uint8_t digest[32];
    char hex[65];
    size_t prompt = r->tokens.count - r->greedy;
    base_sha256_final(&r->digest->sha, digest);
    base_hex(digest, sizeof digest, hex);
    base_buffer *b = guest_event_begin(e, &event);
    base_put_u8(b, '{');
    guest_put_id(b, r);
    base_put_text(b, ",\"object\":\"logits\",");
    size_t count = r->tokens.count;
    r->tokens.count = prompt;
    guest_put_ids(b, "prompt_ids", &r->tokens, 0);
    r->tokens.count = count;
    base_put_text(b, ",\"top\":[");
    for (size_t i = 0; i < r->digest->top_count; i++) {
        base_putf(b, i ? ",[%u," : "[%u,", (unsigned)r->digest->top[i].id);
        base_json_put_double(b, (double)r->digest->top[i].logit);
        base_put_u8(b, ']');
    }
    base_put_text(b, "],");
    guest_put_ids(b, "greedy_ids", &r->tokens, prompt);
    base_putf(b, ",\"sha256\":\"%s\"}", hex);
    guest_event_end(e, event);
    r->done = true;
}

/* The logits of the last step go into the digest; the first vector also gives `top`. */
static wisp_status take_logits(guest_engine *e, guest_request *r, wisp_report *report)
{
    float *logits = guest_read_logits(e, r, 0, report);
    if (!logits) return report->status;
    if (!r->digest) {
        r->digest = base_calloc(1, sizeof *r->digest + r->top * sizeof *r->digest->top);
        if (!r->digest) return base_fail(report, WISP_E_MEMORY, "out of memory");
        base_sha256_init(&r->digest->sha);
        r->digest->top_count = guest_largest(logits, e->program.vocab_size, r->digest->top, r->top);
    }
    base_sha256_update(&r->digest->sha, logits, (size_t)e->program.vocab_size * sizeof *logits);
    if (r->generated == r->greedy) {
        logits_event(e, r);
        return WISP_OK;
    }
    guest_candidate best = {0};
    guest_largest(logits, e->program.vocab_size, &best, 1);
    if (!BASE_GROW(r->tokens.ids, r->tokens.capacity, r->tokens.count + 1))
        return base_fail(report, WISP_E_MEMORY, "out of memory");
    r->tokens.ids[r->tokens.count++] = best.id; /* fed next, like the prompt */
    r->generated++;
    return WISP_OK;
}

wisp_status guest_logits_unit(guest_engine *e, guest_request *r, wisp_report *report)
{
    bool complete;
    BASE_TRY(guest_prefill_unit(e, r, &complete, report));
    return complete ? take_logits(e, r, report) : WISP_OK;
}

static void bench_event(guest_engine *e, guest_request *r)
{
    guest_event *event;
    base_buffer *b = guest_event_begin(e, &event);
    base_put_u8(b, '{');
    guest_put_id(b, r);
    base_putf(b,
              ",\"object\":\"bench\",\"prefill_tokens\":%u,\"prefill_ns\":%llu,\"decode_tokens\":%u,\"decode_ns\":%llu,"
              "\"native\":%s,\"context\":%u}",
              (unsigned)r->fed, (unsigned long long)r->prefill_ns, (unsigned)r->generated,
              (unsigned long long)r->decode_ns, e->native ? "true" : "false", (unsigned)e->limits.context);
    guest_event_end(e, event);
    r->done = true;
}

wisp_status guest_bench_unit(guest_engine *e, guest_request *r, wisp_report *report)
{
    uint64_t begin;
    if (r->fed < r->tokens.count) {
        bool complete;
        BASE_TRY(guest_prefill_unit(e, r, &complete, report));
        if (!complete) return WISP_OK;
        begin = guest_now_ns();
        BASE_TRY(guest_executor_argmax(e->executor, &r->last, report));
        r->prefill_ns += guest_now_ns() - begin;
    } else {
        begin = guest_now_ns();
        BASE_TRY(guest_executor_step(e->executor, r->sequence, &r->last, 1, 1, report));
        BASE_TRY(guest_executor_argmax(e->executor, &r->last, report));
        r->decode_ns += guest_now_ns() - begin;
        r->generated++;
    }
    if (r->generated == r->generate) bench_event(e, r);
    return WISP_OK;
}
