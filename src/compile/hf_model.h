/* A Hugging Face model's folder as a source of tensors: what GGUF would have, made when it is asked for. */
#ifndef COMPILE_HF_MODEL_H
#define COMPILE_HF_MODEL_H
#include "compile/source.h"

typedef struct hf_model hf_model;

/* `exact`: matrices that are stored quantized become F32, since they will be quantized anew; else FP8 becomes BF16, the
 * others F16. Plain matrices keep their types. */
wisp_status hf_model_open(hf_model **m, const char *folder, bool exact, wisp_report *report) WISP_MUST_USE;
void hf_model_close(hf_model *m);

/* The tensor handed out last is in memory, if it is not stored as GGUF has it. The vocabulary is what tokenizer.json
 * says, which is more than GGUF's keys can. */
compile_source hf_model_source(hf_model *m);

#endif
