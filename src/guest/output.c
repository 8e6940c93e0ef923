/* Text going out: tokens to characters, stop strings, also across the borders of tokens. */
#include <string.h>

#include "guest/request.h"

/* Where the first stop string in the text begins; text.size: there is none. */
static size_t find_stop(const base_buffer *text, const guest_request *r)
{
    size_t first = text->size;
    for (uint32_t i = 0; i < r->stop_count; i++) {
        const base_buffer *stop = &r->stops[i];
        for (size_t at = 0; at < first && stop->size <= text->size - at; at++)
            if (memcmp(text->data + at, stop->data, stop->size) == 0) first = at;
    }
    return first;
}

/* Where the longest tail begins that may become a stop string. */
static size_t find_tail(const base_buffer *text, const guest_request *r)
{
    size_t first = text->size;
    for (uint32_t i = 0; i < r->stop_count; i++) {
        const base_buffer *stop = &r->stops[i];
        size_t at = text->size >= stop->size ? text->size - stop->size + 1 : 0;
        for (; at < first; at++)
            if (memcmp(text->data + at, stop->data, text->size - at) == 0) first = at;
    }
    return first;
}

static void release(guest_output *o, size_t size)
{
    base_put(&o->ready, o->held.data, size);
    memmove(o->held.data, o->held.data + size, o->held.size - size);
    o->held.size -= size;
}

static void pass_on(guest_output *o, const guest_request *r, bool end)
{
    if (o->stopped || o->held.size == 0 || o->held.failed) return;
    size_t stop = find_stop(&o->held, r);
    o->stopped = stop < o->held.size;
    size_t sure = o->stopped ? stop : end ? o->held.size : find_tail(&o->held, r);
    if (sure) release(o, sure);
    if (o->stopped) o->held.size = 0;
}

void guest_output_put(guest_output *o, uint32_t token, const guest_request *r)
{
    if (o->stopped) return;
    guest_detokenize(&o->detokenizer, token, &o->held);
    pass_on(o, r, false);
}

void guest_output_end(guest_output *o, const guest_request *r)
{
    if (o->stopped) return;
    guest_detokenize_end(&o->detokenizer, &o->held);
    pass_on(o, r, true);
}

void guest_output_fini(guest_output *o)
{
    base_buffer_fini(&o->held);
    base_buffer_fini(&o->ready);
}
