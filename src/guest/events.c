#include <string.h>

#include "base/mem.h"
#include "guest/engine_state.h"

base_buffer *guest_event_begin(guest_engine *e, guest_event **event)
{
    static base_buffer nowhere;
    (void)e;
    guest_event *made = *event = base_calloc(1, sizeof *made);
    if (!made) { /* writes go nowhere */
        nowhere = (base_buffer){.failed = true};
        return &nowhere;
    }
    base_put_u32(&made->bytes, 0);
    return &made->bytes;
}

void guest_event_end(guest_engine *e, guest_event *event)
{
    if (!event) return;
    if (event->bytes.failed) { /* keep what can be said without more memory */
        static const char text[] = "{\"id\":null,\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\","
                                   "\"param\":null,\"code\":null}}";
        event->bytes.failed = false;
        event->bytes.size = 4;
        base_put_text(&event->bytes, text);
        if (event->bytes.failed) {
            base_buffer_fini(&event->bytes);
            base_free(event);
            return;
        }
    }
    uint32_t size = (uint32_t)event->bytes.size - 4;
    memcpy(event->bytes.data, &size, sizeof size);
    *e->last_event = event;
    e->last_event = &event->next;
}

void guest_put_id(base_buffer *b, const guest_request *r)
{
    if (!r || r->id == 0)
        base_put_text(b, "\"id\":null");
    else
        base_putf(b, "\"id\":\"%s-%d\"", r->kind == GUEST_COMPLETION ? "cmpl" : "wisp", (int)r->id);
}

void guest_put_error(base_buffer *b, const guest_request *r, const char *param, const wisp_report *report)
{
    const char *type = "server_error", *code = NULL;
    if (report->status == WISP_E_INPUT || report->status == WISP_E_LIMIT || report->status == WISP_E_USAGE)
        type = "invalid_request_error";
    if (report->status == WISP_E_UNSUPPORTED) type = "unsupported";
    if (report->status == WISP_E_LIMIT && param && (strcmp(param, "prompt") == 0 || strcmp(param, "input") == 0))
        code = "context_length_exceeded";
    base_put_u8(b, '{');
    guest_put_id(b, r);
    base_put_text(b, ",\"error\":{\"message\":");
    base_json_put_cstr(b, report->text);
    base_putf(b, ",\"type\":\"%s\",\"param\":", type);
    if (param)
        base_json_put_cstr(b, param);
    else
        base_put_text(b, "null");
    base_put_text(b, ",\"code\":");
    if (code)
        base_json_put_cstr(b, code);
    else
        base_put_text(b, "null");
    base_put_text(b, "}}");
}

void guest_error_event(guest_engine *e, const guest_request *r, const char *param, const wisp_report *report)
{
    guest_event *event;
    base_buffer *b = guest_event_begin(e, &event);
    guest_put_error(b, r, param, report);
    guest_event_end(e, event);
}

void guest_put_ids(base_buffer *b, const char *name, const guest_tokens *tokens, size_t from)
{
    base_putf(b, "\"%s\":[", name);
    for (size_t i = from; i < tokens->count; i++)
        base_putf(b, i > from ? ",%u" : "%u", (unsigned)tokens->ids[i]);
    base_put_u8(b, ']');
}
