/* A request: what was asked (request.c reads it), and how far it has come (engine.c, generate.c, inspect.c). */
#ifndef GUEST_REQUEST_H
#define GUEST_REQUEST_H
#include "base/json.h"
#include "guest/execute.h"
#include "guest/sample.h"
#include "guest/tokenize.h"

typedef enum guest_kind {
    GUEST_COMPLETION,
    GUEST_TOKENIZE,
    GUEST_DETOKENIZE,
    GUEST_LOGITS,
    GUEST_SCORE,
    GUEST_BENCH,
    GUEST_EMBEDDINGS,
} guest_kind;

enum { GUEST_STOPS_MAX = 16, GUEST_STOP_BYTES_MAX = 1024, GUEST_TOP_MAX = 1000, GUEST_INPUTS_MAX = 2048 };
enum { GUEST_POOLING_OF_MODEL = UINT32_MAX };
/* keep: the first token if it is the vocabulary's BOS. */
#define GUEST_KEEP_BOS UINT32_MAX

/* Text on its way out: held back as long as it may be the beginning of a stop string. */
typedef struct guest_output {
    guest_detokenizer detokenizer;
    base_buffer held, ready;
    bool stopped; /* a stop string was found; it and what follows are gone */
} guest_output;

/* One of the texts whose vectors are wanted. */
typedef struct guest_input {
    const char *text; /* NULL: token ids were given. In the document, only while reading */
    uint32_t text_size;
    uint32_t end; /* of its tokens, among those of all inputs */
} guest_input;

typedef struct guest_request {
    struct guest_request *next;
    int32_t id; /* 0: not accepted yet */
    guest_kind kind;

    /* as asked */
    const char *text; /* prompt or text; NULL: token ids were given. In the document, only while reading */
    uint32_t text_size;
    guest_tokens tokens; /* prompt: given, or made of the text */
    guest_sampling sampling;
    bool random_seed;
    uint32_t max_tokens;
    bool stream, ignore_eos, special, add_special, pieces, context_shift;
    base_buffer stops[GUEST_STOPS_MAX];
    uint32_t stop_count;
    uint32_t top, greedy, chunk, prefill, generate, from, keep;
    guest_input *inputs;
    uint32_t input_count, dimensions, pooling; /* 0: all; program_pooling */
    bool plain, base64;                        /* vectors are not normalized */

    /* underway */
    int32_t sequence; /* -1: waiting */
    bool done, cancelled;
    uint32_t prompt; /* its tokens, as they came; with context_shift `tokens` are those in the sequence */
    uint32_t shifts, dropped;
    uint32_t prefilled, decoded; /* for statistics */
    uint32_t fed;                /* of `tokens` */
    uint32_t generated;          /* tokens chosen */
    uint32_t last;               /* the one to feed next */
    guest_sampler sampler;
    guest_output output;
    float *logits; /* vocab_size; NULL until needed */
    uint64_t started_ns, prefill_ns, decode_ns;
    int64_t created;
    struct guest_digest *digest; /* logits */
    struct guest_vectors *vectors;
    struct {
        double sum, squares; /* of -ln p of the tokens scored, `generated` of them */
    } score;
} guest_request;

/* What the fields are checked against. */
typedef struct guest_bounds {
    uint32_t vocab_size, context, chunk;
} guest_bounds;

/* Reads and checks; on failure the report's text begins with the field's name, which *param names too (NULL: none). */
wisp_status guest_request_read(guest_request *r, const base_json *root, const guest_bounds *bounds, const char **param,
                               wisp_report *report) WISP_MUST_USE;
void guest_request_fini(guest_request *r);

/* A whole number or nothing (absent, null): for options too. */
wisp_status guest_read_count(const base_json *object, const char *name, uint64_t least, uint64_t most, uint32_t *out,
                             const char **param, wisp_report *report) WISP_MUST_USE;

/* ---- embed.c ---- */
void guest_vectors_free(struct guest_vectors *v);

/* ---- output.c ---- */
void guest_output_put(guest_output *o, uint32_t token, const guest_request *r);
void guest_output_end(guest_output *o, const guest_request *r); /* nothing more will come */
void guest_output_fini(guest_output *o);

#endif
