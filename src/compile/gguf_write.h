/* The part of a GGUF before its tensor data, made from another's metadata or from nothing (ggml's docs/gguf.md, version
 * 3). */
#ifndef COMPILE_GGUF_WRITE_H
#define COMPILE_GGUF_WRITE_H
#include "compile/gguf.h"

typedef struct gguf_head {
    base_buffer keys, infos;
    uint64_t key_count, tensor_count;
    uint64_t data_bytes; /* of the tensors so far, each padded to the alignment */
    uint32_t alignment;
} gguf_head;

void gguf_head_init(gguf_head *h, uint32_t alignment); /* of more than 32: general.alignment is the caller's to put */
void gguf_head_fini(gguf_head *h);

void gguf_put_u32(gguf_head *h, const char *key, uint32_t v);
void gguf_put_f32(gguf_head *h, const char *key, float v);
void gguf_put_bool(gguf_head *h, const char *key, bool v);
void gguf_put_string(gguf_head *h, const char *key, const char *text, uint64_t size);
/* An array's head; its elements follow in h->keys. */
void gguf_begin_array(gguf_head *h, const char *key, uint32_t element, uint64_t count);
void gguf_put_element_string(gguf_head *h, const char *text, uint64_t size);
/* As it stands in another file. */
void gguf_put_copy(gguf_head *h, const compile_gguf_kv *kv);

/* The next tensor, its data after those before it; its size is that of its type. False: the type does not go with the
 * shape, or all together are too large. */
bool gguf_put_tensor(gguf_head *h, base_span name, uint32_t type, uint32_t dims, const uint64_t *shape);

/* Everything before the data, padded to the alignment. out->failed: no memory. */
void gguf_head_write(const gguf_head *h, base_buffer *out);

#endif
