/* The executor: a model's program with buffers, run step by step, and the KV cache's pages. */
#ifndef GUEST_EXECUTE_H
#define GUEST_EXECUTE_H
#include "guest/access.h"
#include "tensor/program.h"

typedef struct guest_executor guest_executor;

enum { GUEST_KV_DEFAULT = 0xffff };

typedef struct guest_limits {
    uint32_t context;   /* positions a sequence */
    uint32_t chunk;     /* tokens a step */
    uint32_t sequences; /* at the same time */
    uint32_t kv_type;   /* wisp_type of keys and values; GUEST_KV_DEFAULT: the program's */
} guest_limits;

/* The program and the device must outlive it. Buffers are allocated at the first step. */
wisp_status guest_executor_new(guest_executor **x, const program *p, const guest_device *device, guest_limits limits,
                               wisp_report *report) WISP_MUST_USE;
void guest_executor_free(guest_executor *x);

/* A sequence's number, -1 if all are in use. Its pages are taken as it grows and go back when it is closed. */
int32_t guest_sequence_open(guest_executor *x);
void guest_sequence_close(guest_executor *x, int32_t sequence);
/* As if it was closed and opened again. */
void guest_sequence_restart(guest_executor *x, int32_t sequence);

/* Appends `count` (at most limits.chunk) tokens to the sequence and runs the model; logits of the last `outputs` of
 * them are there until the next step. Nothing is appended on failure. */
wisp_status guest_executor_step(guest_executor *x, int32_t sequence, const uint32_t *tokens, uint32_t count,
                                uint32_t outputs, wisp_report *report) WISP_MUST_USE;
/* The same, but what is there afterwards is the vectors of `count` of them, from number `first` on: no logits. */
wisp_status guest_executor_read_step(guest_executor *x, int32_t sequence, const uint32_t *tokens, uint32_t count,
                                     uint32_t first, uint32_t outputs, wisp_report *report) WISP_MUST_USE;
uint32_t guest_sequence_length(const guest_executor *x, int32_t sequence);

/* Of the last step with outputs: vocab_size logits of one of them, the token that is likeliest after the first. */
wisp_status guest_executor_logits(guest_executor *x, uint32_t output, float *logits, wisp_report *report) WISP_MUST_USE;
wisp_status guest_executor_argmax(guest_executor *x, uint32_t *token, wisp_report *report) WISP_MUST_USE;
/* The vectors of `count` outputs of the last step, embedding_length numbers each. */
wisp_status guest_executor_vectors(guest_executor *x, uint32_t output, uint32_t count, float *vectors,
                                   wisp_report *report) WISP_MUST_USE;
/* vector_length numbers: what the head makes of a pooled vector. */
wisp_status guest_executor_head(guest_executor *x, const float *pooled, float *vector,
                                wisp_report *report) WISP_MUST_USE;

#endif
