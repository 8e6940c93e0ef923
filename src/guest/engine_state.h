/* The engine's insides, for the files of this folder only. */
#ifndef GUEST_ENGINE_STATE_H
#define GUEST_ENGINE_STATE_H
#include "base/json.h"
#include "base/model.h"
#include "guest/engine.h"
#include "guest/execute.h"
#include "guest/request.h"

typedef struct guest_event {
    struct guest_event *next;
    base_buffer bytes; /* u32 size, then the JSON */
} guest_event;

struct guest_engine {
    guest_source source;
    uint8_t *head_bytes; /* NULL if the source is mapped */
    base_model_head head;
    base_vocab vocab;
    guest_tokenizer *tokenizer;
    program program; /* cmd_count 0: a vocabulary only */
    guest_device device;
    guest_executor *executor; /* NULL: a vocabulary only */
    guest_limits limits;
    base_buffer model_name;
    bool uses_portable;      /* the device inside the guest, or what a host put in its place */
    bool native;             /* the host replaced the device functions */
    guest_request *requests; /* in order of arrival */
    int32_t last_id;
    guest_event *first_event, **last_event, *shown_event;
};

/* ---- events.c ---- */
/* Begins an event; the caller writes the JSON. guest_event_end queues it (or one that says that memory ran out). */
base_buffer *guest_event_begin(guest_engine *e, guest_event **event);
void guest_event_end(guest_engine *e, guest_event *event);
/* "id":"cmpl-7" or "id":null */
void guest_put_id(base_buffer *b, const guest_request *r);
void guest_put_error(base_buffer *b, const guest_request *r, const char *param, const wisp_report *report);
void guest_error_event(guest_engine *e, const guest_request *r, const char *param, const wisp_report *report);
void guest_put_ids(base_buffer *b, const char *name, const guest_tokens *tokens, size_t from);

/* ---- clock.c ---- */
uint64_t guest_now_ns(void);
int64_t guest_wall_seconds(void);
uint64_t guest_random_bits(void);

/* ---- embed.c ---- */
/* Whether this model can do it, and the tokens of all inputs. */
wisp_status guest_embed_begin(guest_engine *e, guest_request *r, const char **param, wisp_report *report) WISP_MUST_USE;
bool guest_program_has(const program *p, program_role role);

/* ---- generate.c, inspect.c, score.c and embed.c: one unit of work of a request; sets r->done ---- */
wisp_status guest_prefill_unit(guest_engine *e, guest_request *r, bool *complete, wisp_report *report) WISP_MUST_USE;
/* ---- context.c ---- */
/* The option kv_type. */
wisp_status guest_read_kv_type(const base_json *options, uint32_t *type, wisp_report *report) WISP_MUST_USE;
/* The program as this context and these caches want it; fails if its buffers need more than free_mib (0: not known). */
wisp_status guest_fit_program(program *p, const guest_limits *limits, uint32_t free_mib,
                              wisp_report *report) WISP_MUST_USE;
/* Of the request's tokens the first `keep` and the newest stay, so that half of the rest of the context is free again;
 * they are to be fed anew. */
void guest_shift(guest_engine *e, guest_request *r);

/* Of one output of the last step; NULL: failed. */
float *guest_read_logits(guest_engine *e, guest_request *r, uint32_t output, wisp_report *report);
wisp_status guest_completion_unit(guest_engine *e, guest_request *r, wisp_report *report) WISP_MUST_USE;
wisp_status guest_logits_unit(guest_engine *e, guest_request *r, wisp_report *report) WISP_MUST_USE;
wisp_status guest_score_unit(guest_engine *e, guest_request *r, wisp_report *report) WISP_MUST_USE;
wisp_status guest_bench_unit(guest_engine *e, guest_request *r, wisp_report *report) WISP_MUST_USE;
wisp_status guest_embed_unit(guest_engine *e, guest_request *r, wisp_report *report) WISP_MUST_USE;
wisp_status guest_tokenize_unit(guest_engine *e, guest_request *r, wisp_report *report) WISP_MUST_USE;
wisp_status guest_detokenize_unit(guest_engine *e, guest_request *r, wisp_report *report) WISP_MUST_USE;

#endif
