/* The families of Hugging Face's config.json: their names in GGUF, what their tensors and parameters are called there,
 * and what changes on the way. */
#ifndef COMPILE_HF_FAMILIES_H
#define COMPILE_HF_FAMILIES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a tensor is, beyond a matrix or a vector. */
enum {
    HF_NORM = 1,  /* a norm's weight: one is added in families that store it less one */
    HF_QUERY = 2, /* its rows are turned from halves to pairs, head by head, in families that are */
    HF_KEY = 4,   /* likewise, by the heads of the keys */
    HF_STACK = 8, /* %u in the name counts: all of them become one tensor */
    HF_WIDE = 16, /* a matrix that stays F32: the router's choice hangs on it */
};

typedef struct hf_name {
    const char *hf, *gguf; /* of a layer: without model.layers.N. and blk.N.; without .weight and .bias */
    unsigned flags;
} hf_name;

/* What a family does that others do not. */
enum {
    HF_PAIRS = 1,         /* GGUF wants rotary pairs (2i, 2i+1), config.json's model has halves */
    HF_NORM_LESS_ONE = 2, /* norms are stored less one */
    HF_WINDOW = 4,        /* some layers have a sliding window, and the program knows it */
    HF_TIED = 8,          /* config.json says it only where the output is not the embeddings */
    HF_NO_HEAD_DIM = 16,  /* head_dim in the file does not count */
    HF_MAX_LENGTH = 32,   /* model_max_length is the context: max_position_embeddings is that of the beginning */
};

typedef struct hf_default {
    const char *key;
    double value;
} hf_default;

typedef struct hf_family {
    const char *model_type;   /* in config.json */
    const char *architecture; /* in GGUF */
    unsigned flags;
    const hf_name *names;       /* that go before the common ones; ended by NULL, or NULL */
    const hf_default *defaults; /* what config.json leaves out; ended by NULL, or NULL */
    const char *activations;    /* config.json's names of the one that the program has, with spaces between */
} hf_family;

const hf_family *hf_family_find(const char *model_type);    /* NULL if unknown */
const hf_family *hf_family_nearest(const char *model_type); /* the known one whose name is most like it */
const hf_family *hf_family_at(size_t index);                /* NULL past the end */

extern const hf_name hf_model_names[]; /* outside of the layers, without model.; ended by NULL */
extern const hf_name hf_layer_names[]; /* common to families; ended by NULL */

typedef enum hf_value { HF_UINT, HF_FLOAT, HF_BOOL } hf_value;
/* Parameters that are the same number under another name; the first of several names of config.json counts. */
typedef struct hf_key {
    const char *hf, *gguf; /* gguf: after the architecture's name */
    hf_value kind;
} hf_key;
extern const hf_key hf_keys[]; /* ended by NULL */

#endif
