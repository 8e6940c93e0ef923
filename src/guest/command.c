/* The command face: what `wasmtime capsule.wasm -p "Once upon a time"` runs. It speaks to the engine in the same JSON
 * as any host, and prints what comes back. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "guest/engine.h"

static const char help[] =
    "A language model and its engine in one WebAssembly module.\n"
    "\n"
    "  capsule.wasm [-p PROMPT] [-n MAX] [options]   continues the prompt (default: standard input)\n"
    "  capsule.wasm --logits [-p PROMPT | --tokens I,J,...] [--top N] [--greedy N] [--chunk N]\n"
    "  capsule.wasm --embed [-p TEXT | --tokens I,J,...] [--pooling P] [--no-normalize]\n"
    "  capsule.wasm --tokenize [-p TEXT] [--no-special]\n"
    "\n"
    "  -p, --prompt TEXT       the prompt\n"
    "  -n, --max-tokens N      at most so many tokens (default: to the end of the context)\n"
    "  --temp T                temperature; 0: always the likeliest token (default 0.8)\n"
    "  --top-k K               choose among the K likeliest tokens; 0: off (default 40)\n"
    "  --top-p P               ... among the likeliest that hold P of the probability (default 0.95)\n"
    "  --min-p P               ... among those at least P times as likely as the likeliest (default 0.05)\n"
    "  --repeat-penalty R      weakens tokens of the last 64; 1: off (default 1)\n"
    "  --seed S                same seed, same text (default: random)\n"
    "  --context N             positions to make room for (default: the model's, at most 4096)\n"
    "  --kv-type TYPE          keys and values as f32, f16, q8_0 or q4_0 (default: the model's, mostly f16)\n"
    "  --context-shift         when the context is full, drop the older half and go on (default: stop)\n"
    "  --keep N                ... but never the first N tokens (default: the one that begins every text)\n"
    "  --chunk N               prompt tokens a step (default 256)\n"
    "  --pooling P             none, mean, cls, last or rank (default: the model's)\n"
    "  --stats                 speed, on standard error\n"
    "  --help                  this text\n"
    "\n"
    "Exit status: 0 done, 1 an error, 2 wrong arguments.\n";

typedef enum mode { MODE_COMPLETE, MODE_LOGITS, MODE_TOKENIZE, MODE_EMBED } mode;

typedef struct command {
    mode mode;
    const char *prompt, *tokens, *context, *chunk, *kv_type, *pooling;
    bool no_special, no_normalize, stats, help;
    base_buffer fields; /* ,"name":value ... */
} command;

/* Options that go into the request as they are, as numbers. */
static const struct {
    const char *option, *field;
    unsigned modes; /* bits */
} numbers[] = {
    {"-n", "max_tokens", 1 << MODE_COMPLETE},      {"--max-tokens", "max_tokens", 1 << MODE_COMPLETE},
    {"--temp", "temperature", 1 << MODE_COMPLETE}, {"--temperature", "temperature", 1 << MODE_COMPLETE},
    {"--top-k", "top_k", 1 << MODE_COMPLETE},      {"--top-p", "top_p", 1 << MODE_COMPLETE},
    {"--min-p", "min_p", 1 << MODE_COMPLETE},      {"--repeat-penalty", "repetition_penalty", 1 << MODE_COMPLETE},
    {"--seed", "seed", 1 << MODE_COMPLETE},        {"--top", "top", 1 << MODE_LOGITS},
    {"--greedy", "greedy", 1 << MODE_LOGITS},      {"--keep", "keep", 1 << MODE_COMPLETE},
};

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "capsule: %s%s%s (--help shows the options)\n", what, *which ? " " : "", which);
    return 2;
}

static int failed(const char *what)
{
    fprintf(stderr, "capsule: %s\n", what);
    return 1;
}

/* Nothing that could be more than one JSON number; the engine says what is wrong with a strange one. */
static bool looks_numeric(const char *text)
{
    return *text && text[strspn(text, "0123456789+-.eE")] == 0;
}

static mode find_mode(int argc, char **argv)
{
    mode m = MODE_COMPLETE;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--logits") == 0) m = MODE_LOGITS;
        if (strcmp(argv[i], "--tokenize") == 0) m = MODE_TOKENIZE;
        if (strcmp(argv[i], "--embed") == 0) m = MODE_EMBED;
    }
    return m;
}

static int parse_value(command *c, const char *option, const char *value)
{
    if (!value) return usage("a value is missing after", option);
    if (strcmp(option, "-p") == 0 || strcmp(option, "--prompt") == 0) {
        c->prompt = value;
        return 0;
    }
    if (strcmp(option, "--tokens") == 0) {
        if (value[strspn(value, "0123456789,")]) return usage("not a list of token ids:", value);
        c->tokens = value;
        return 0;
    }
    if (strcmp(option, "--pooling") == 0) {
        c->pooling = value;
        return 0;
    }
    if (strcmp(option, "--kv-type") == 0) {
        if (value[strspn(value, "fq0123456789_")]) return usage("not a type:", value);
        c->kv_type = value;
        return 0;
    }
    if (!looks_numeric(value)) return usage("not a number:", value);
    if (strcmp(option, "--context") == 0) c->context = value;
    if (strcmp(option, "--chunk") == 0) c->chunk = value;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(option, numbers[i].option) == 0) base_putf(&c->fields, ",\"%s\":%s", numbers[i].field, value);
    return 0;
}

static bool takes_value(const command *c, const char *option)
{
    if (strcmp(option, "--tokens") == 0) return c->mode == MODE_LOGITS || c->mode == MODE_EMBED;
    if (strcmp(option, "--pooling") == 0) return c->mode == MODE_EMBED;
    static const char *const others[] = {"-p", "--prompt", "--context", "--chunk", "--kv-type"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(option, others[i]) == 0) return true;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(option, numbers[i].option) == 0) return numbers[i].modes >> c->mode & 1;
    return false;
}

static int parse_arguments(command *c, int argc, char **argv)
{
    c->mode = find_mode(argc, argv);
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (strcmp(a, "--logits") == 0 || strcmp(a, "--tokenize") == 0 || strcmp(a, "--embed") == 0) continue;
        if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            c->help = true;
        } else if (strcmp(a, "--stats") == 0) {
            c->stats = true;
        } else if (strcmp(a, "--context-shift") == 0 && c->mode == MODE_COMPLETE) {
            base_put_text(&c->fields, ",\"context_shift\":true");
        } else if (strcmp(a, "--no-special") == 0 && c->mode == MODE_TOKENIZE) {
            c->no_special = true;
        } else if (strcmp(a, "--no-normalize") == 0 && c->mode == MODE_EMBED) {
            c->no_normalize = true;
        } else if (takes_value(c, a)) {
            int bad = parse_value(c, a, ++i < argc ? argv[i] : NULL);
            if (bad) return bad;
        } else {
            return usage("unknown argument", a);
        }
    }
    return c->prompt && c->tokens ? usage("either a prompt or", "--tokens") : 0;
}

static bool read_input(base_buffer *text)
{
    uint8_t bytes[4096];
    ssize_t n;
    while ((n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
        base_put(text, bytes, (size_t)n);
    return n == 0 && !text->failed;
}

static bool write_out(const void *data, size_t size)
{
    return fwrite(data, 1, size, stdout) == size && fflush(stdout) == 0;
}

static void put_request(base_buffer *json, const command *c, base_span text)
{
    static const char *const objects[] = {"text_completion", "logits", "tokenize", "embeddings"}, *const texts[] = {
                                                                                                      "prompt",
                                                                                                      "prompt", "text",
                                                                                                      "input"};
    base_putf(json, "{\"object\":\"%s\"", objects[c->mode]);
    if (c->tokens) {
        base_putf(json, ",\"%s\":[%s]", c->mode == MODE_EMBED ? "input" : "tokens", c->tokens);
    } else {
        base_putf(json, ",\"%s\":", texts[c->mode]);
        base_json_put_string(json, (const char *)text.data, text.size);
    }
    if (c->mode == MODE_COMPLETE) base_put_text(json, ",\"stream\":true");
    if (c->no_normalize) base_put_text(json, ",\"normalize\":false");
    if (c->pooling) {
        base_put_text(json, ",\"pooling\":");
        base_json_put_cstr(json, c->pooling);
    }
    if (c->no_special) base_put_text(json, ",\"special\":false");
    base_put(json, c->fields.data, c->fields.size);
    base_put_u8(json, '}');
}

static void print_stats(const base_json *root)
{
    const base_json *own = base_json_get(root, "wisp");
    static const char *const phases[] = {"prefill", "decode"};
    char name[32];
    for (int i = 0; i < 2; i++) {
        uint64_t tokens = 0, ns = 0;
        snprintf(name, sizeof name, "%s_tokens", phases[i]);
        base_json_uint(base_json_get(own, name), &tokens);
        snprintf(name, sizeof name, "%s_ns", phases[i]);
        base_json_uint(base_json_get(own, name), &ns);
        fprintf(stderr, "%s: %llu tokens, %.3f s, %.1f tokens/s\n", phases[i], (unsigned long long)tokens,
                (double)ns * 1e-9, ns ? (double)tokens * 1e9 / (double)ns : 0.0);
    }
}

/* 0, or the exit status of an error that was printed. */
static int print_event(const command *c, base_span event)
{
    base_json_doc *doc;
    const base_json *root;
    int status = 0;
    if (base_json_parse(&doc, &root, event.data, event.size, NULL) != WISP_OK) return failed("out of memory");
    const base_json *error = base_json_get(root, "error");
    if (error) {
        const char *message = base_json_str(base_json_get(error, "message"));
        status = failed(message ? message : "unknown error");
    } else if (c->mode == MODE_COMPLETE) {
        const base_json *choice = base_json_at(base_json_get(root, "choices"), 0),
                        *text = base_json_get(choice, "text");
        bool last = base_json_str(base_json_get(choice, "finish_reason")) != NULL;
        bool ok = !text || write_out(text->text, text->size);
        if (last) ok = ok && write_out("\n", 1);
        if (!ok) status = failed("cannot write to standard output");
        if (last && c->stats) print_stats(root);
    } else if (!write_out(event.data, event.size) || !write_out("\n", 1)) {
        status = failed("cannot write to standard output");
    }
    base_json_free(doc);
    return status;
}

static int run_request(guest_engine *engine, const command *c, base_span text)
{
    base_buffer json = {0};
    put_request(&json, c, text);
    int status = json.failed ? failed("out of memory") : 0;
    if (!status) guest_submit(engine, json.data, json.size);
    base_buffer_fini(&json);
    for (bool more = true; more && !status;) {
        more = guest_step(engine) > 0;
        for (base_span event; !status && (event = guest_next_event(engine)).data;)
            status = print_event(c, event);
    }
    return status;
}

static int run(command *c)
{
    wisp_report report = {0};
    guest_engine *engine;
    base_buffer input = {0}, options = {0};
    base_span text = {(const uint8_t *)c->prompt, c->prompt ? strlen(c->prompt) : 0};
    if (!c->prompt && !c->tokens) {
        if (!read_input(&input)) return failed("cannot read standard input");
        /* The newline that an editor or the terminal puts at the end is not part of a prompt. */
        if (c->mode != MODE_TOKENIZE && input.size && input.data[input.size - 1] == '\n') input.size--;
        text = (base_span){input.data, input.size};
    }
    base_putf(&options, "{\"chunk\":%s", c->chunk ? c->chunk : "null");
    if (c->context) base_putf(&options, ",\"context\":%s", c->context);
    if (c->kv_type) base_putf(&options, ",\"kv_type\":\"%s\"", c->kv_type);
    base_put_text(&options, "}");
    guest_source source = guest_source_of_segment();
    if (guest_engine_new(&engine, &source, NULL, (base_span){options.data, options.size}, &report) != WISP_OK)
        return failed(report.text);
    int status = run_request(engine, c, text);
    guest_engine_free(engine);
    base_buffer_fini(&input);
    base_buffer_fini(&options);
    return status;
}

int main(int argc, char **argv)
{
    command c = {0};
    int status = parse_arguments(&c, argc, argv);
    if (status == 0 && c.help)
        status = write_out(help, sizeof help - 1) ? 0 : 1;
    else if (status == 0)
        status = run(&c);
    base_buffer_fini(&c.fields);
    return status;
}
