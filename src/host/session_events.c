/* The engine's events (src/guest/README.md) as wisp_event. They come out of the sandbox: read like any other input. */
#include <stdlib.h>
#include <string.h>

#include "host/host.h"

/* "cmpl-7" is 7; 0 for anything else. */
static uint32_t request_number(const base_json *id)
{
    const char *text = base_json_str(id), *dash = text ? strrchr(text, '-') : NULL;
    if (!dash) return 0;
    char *end;
    unsigned long n = strtoul(dash + 1, &end, 10);
    return *end || n > INT32_MAX ? 0 : (uint32_t)n;
}

static uint64_t number(const base_json *object, const char *name)
{
    uint64_t v;
    return base_json_uint(base_json_get(object, name), &v) ? v : 0;
}

static void set_text(wisp_event *event, const base_json *text)
{
    bool is_text = text && text->kind == JSON_STRING;
    event->text = is_text ? text->text : "";
    event->text_size = is_text ? text->size : 0;
}

static void read_choice(wisp_event *event, const base_json *root, const base_json *choice)
{
    const base_json *usage = base_json_get(root, "usage"), *own = base_json_get(root, "wisp");
    set_text(event, base_json_get(choice, "text"));
    event->finish_reason = base_json_str(base_json_get(choice, "finish_reason"));
    event->kind = event->finish_reason ? WISP_EVENT_DONE : WISP_EVENT_TEXT;
    event->prompt_tokens = (uint32_t)number(usage, "prompt_tokens");
    event->completion_tokens = (uint32_t)number(usage, "completion_tokens");
    event->prefill_ns = number(own, "prefill_ns");
    event->decode_ns = number(own, "decode_ns");
}

wisp_status host_read_event(wisp_event *event, base_json_doc **doc, base_span json, wisp_report *report)
{
    const base_json *root;
    *event = (wisp_event){.size = sizeof *event};
    wisp_status status = base_json_parse(doc, &root, json.data, json.size, report);
    if (status != WISP_OK) return base_fail_prefix(report, status, "the engine's answer");
    if (root->kind != JSON_OBJECT)
        return base_fail(report, WISP_E_INTERNAL, "the engine wrote an event that is not a JSON object");
    event->id = request_number(base_json_get(root, "id"));
    event->json = (const char *)json.data;
    event->json_size = json.size;
    event->text = "";
    const base_json *error = base_json_get(root, "error");
    const base_json *choice = base_json_at(base_json_get(root, "choices"), 0);
    if (error) {
        event->kind = WISP_EVENT_ERROR;
        set_text(event, base_json_get(error, "message"));
    } else if (choice) {
        read_choice(event, root, choice);
    } else {
        event->kind = WISP_EVENT_RESULT;
    }
    return WISP_OK;
}
