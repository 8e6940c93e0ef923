/* How likely a text is: what perplexity is made of. */
#include "base/mem.h"
#include "guest/engine_state.h"

enum { LOGITS_BYTES_MAX = 16 << 20 }; /* of one step */

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* -ln of the probability that softmax(logits) gives to `token`. The largest is taken off first, so that no exp
 * overflows, and the sum is at least 1. */
static double surprise(const float *logits, uint32_t count, uint32_t token)
{
    float largest = logits[0];
    for (uint32_t i = 1; i < count; i++)
        largest = logits[i] > largest ? logits[i] : largest;
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += guest_exp((double)logits[i] - (double)largest);
    return guest_log(sum) + (double)largest - (double)logits[token];
}

static void score_event(guest_engine *e, guest_request *r)
{
    guest_event *event;
    base_buffer *b = guest_event_begin(e, &event);
    base_put_u8(b, '{');
    guest_put_id(b, r);
    base_putf(b, ",\"object\":\"score\",\"tokens\":%u,\"scored\":%u,\"nll\":%.17g,\"nll_squares\":%.17g}",
              (unsigned)r->tokens.count, (unsigned)r->generated, r->score.sum, r->score.squares);
    guest_event_end(e, event);
    r->done = true;
}

/* Tokens before `from` only make the context; of the others, as many a step as their logits may take. The last token
 * predicts nothing that is there, so it is not fed. */
wisp_status guest_score_unit(guest_engine *e, guest_request *r, wisp_report *report)
{
    const uint32_t vocab = e->program.vocab_size, count = (uint32_t)r->tokens.count, context = r->from - 1;
    const uint32_t most = LOGITS_BYTES_MAX / 4 / vocab;
    uint32_t n = smaller(r->chunk, r->fed < context ? context - r->fed : count - 1 - r->fed), outputs = 0;
    if (r->fed >= context) outputs = n = smaller(n, most ? most : 1);
    BASE_TRY(guest_executor_step(e->executor, r->sequence, r->tokens.ids + r->fed, n, outputs, report));
    for (uint32_t i = 0; i < outputs; i++) {
        float *logits = guest_read_logits(e, r, i, report);
        if (!logits) return report->status;
        double nll = surprise(logits, vocab, r->tokens.ids[r->fed + i + 1]);
        r->score.sum += nll;
        r->score.squares += nll * nll;
        r->generated++;
    }
    r->fed += n;
    if (r->fed == count - 1) score_event(e, r);
    return WISP_OK;
}
