/* Reaches guest_submit, guest_request_read, guest_step (all kinds), guest_cancel, events.
 * Input: requests, one a line; the text of every event must be JSON and valid UTF-8. */
#include <stdlib.h>
#include <string.h>

#include "../tests/model_fixture.h"
#include "base/json.h"
#include "compile/compile.h"
#include "guest/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static guest_engine *make_engine(void)
{
    static base_buffer packed, engine_module;
    static capsule parsed;
    static guest_source source;
    static const char options[] = "{\"context\":48,\"chunk\":5,\"parallel\":2}";
    wisp_report report = {0};
    guest_engine *engine = NULL;
    base_buffer gguf =
        fixture_model(&(fixture_llama){.matrix_type = WISP_F16, .width = 32, .ff_width = 32, .blocks = 1});
    engine_module = fixture_engine();
    compile_options compile = {.engine = fixture_span(&engine_module), .engine_version = "fuzz"};
    if (compile_to_memory(&packed, fixture_span(&gguf), "m.gguf", &compile, &report) != WISP_OK) abort();
    if (capsule_open(&parsed, fixture_span(&packed), &report) != WISP_OK) abort();
    source = guest_source_of_span(&parsed.segments[0]);
    base_span json = {(const uint8_t *)options, sizeof options - 1};
    if (guest_engine_new(&engine, &source, NULL, json, &report) != WISP_OK) abort();
    base_buffer_fini(&gguf);
    return engine;
}

static void drain(guest_engine *engine)
{
    for (base_span event; (event = guest_next_event(engine)).data;) {
        base_json_doc *doc;
        const base_json *root;
        BASE_ASSERT(base_utf8_valid(event.data, event.size));
        BASE_ASSERT(base_json_parse(&doc, &root, event.data, event.size, NULL) == WISP_OK);
        base_json_free(doc);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static guest_engine *engine;
    if (!engine) engine = make_engine();
    int32_t last = 0;
    for (const uint8_t *end = data + size; data < end;) {
        const uint8_t *newline = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((newline ? newline : end) - data);
        int32_t id = guest_submit(engine, data, n);
        last = id ? id : last;
        data += n + (newline != NULL);
    }
    for (int i = 0; i < 8 && guest_step(engine) > 0; i++)
        drain(engine);
    for (int32_t id = last; id > 0 && id > last - 100; id--)
        guest_cancel(engine, id);
    for (int i = 0; i < 100 && guest_step(engine) > 0; i++)
        drain(engine);
    drain(engine);
    return 0;
}
