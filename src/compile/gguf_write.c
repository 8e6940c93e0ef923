#include "compile/gguf_write.h"

#include <string.h>

enum { VERSION = 3 };

void gguf_head_init(gguf_head *h, uint32_t alignment)
{
    *h = (gguf_head){.alignment = alignment};
}

void gguf_head_fini(gguf_head *h)
{
    base_buffer_fini(&h->keys);
    base_buffer_fini(&h->infos);
}

static void put_string(base_buffer *b, const void *text, uint64_t size)
{
    base_put_u64(b, size);
    base_put(b, text, (size_t)size);
}

static void begin(gguf_head *h, const char *key, uint32_t type)
{
    put_string(&h->keys, key, strlen(key));
    base_put_u32(&h->keys, type);
    h->key_count++;
}

void gguf_put_u32(gguf_head *h, const char *key, uint32_t v)
{
    begin(h, key, GGUF_U32);
    base_put_u32(&h->keys, v);
}

void gguf_put_f32(gguf_head *h, const char *key, float v)
{
    begin(h, key, GGUF_F32);
    base_put_f32(&h->keys, v);
}

void gguf_put_bool(gguf_head *h, const char *key, bool v)
{
    begin(h, key, GGUF_BOOL);
    base_put_u8(&h->keys, v);
}

void gguf_put_string(gguf_head *h, const char *key, const char *text, uint64_t size)
{
    begin(h, key, GGUF_STRING);
    put_string(&h->keys, text, size);
}

void gguf_begin_array(gguf_head *h, const char *key, uint32_t element, uint64_t count)
{
    begin(h, key, GGUF_ARRAY);
    base_put_u32(&h->keys, element);
    base_put_u64(&h->keys, count);
}

void gguf_put_element_string(gguf_head *h, const char *text, uint64_t size)
{
    put_string(&h->keys, text, size);
}

void gguf_put_copy(gguf_head *h, const compile_gguf_kv *kv)
{
    put_string(&h->keys, kv->key.data, kv->key.size);
    base_put_u32(&h->keys, kv->type);
    if (kv->type == GGUF_STRING) base_put_u64(&h->keys, kv->bytes.size);
    if (kv->type == GGUF_ARRAY) {
        base_put_u32(&h->keys, kv->element);
        base_put_u64(&h->keys, kv->count);
    }
    base_put(&h->keys, kv->bytes.data, kv->bytes.size);
    h->key_count++;
}

bool gguf_put_tensor(gguf_head *h, base_span name, uint32_t type, uint32_t dims, const uint64_t *shape)
{
    const compile_gguf_type *info = compile_gguf_type_find(type);
    uint64_t bytes = info && shape[0] % info->block == 0 ? shape[0] / info->block : 0;
    if (bytes == 0 || __builtin_mul_overflow(bytes, (uint64_t)info->block_bytes, &bytes)) return false;
    put_string(&h->infos, name.data, name.size);
    base_put_u32(&h->infos, dims);
    for (uint32_t i = 0; i < dims; i++) {
        base_put_u64(&h->infos, shape[i]);
        if (i && __builtin_mul_overflow(bytes, shape[i], &bytes)) return false;
    }
    base_put_u32(&h->infos, type);
    base_put_u64(&h->infos, h->data_bytes);
    h->tensor_count++;
    if (__builtin_add_overflow(bytes, (uint64_t)h->alignment - 1, &bytes)) return false;
    return !__builtin_add_overflow(h->data_bytes, bytes / h->alignment * h->alignment, &h->data_bytes);
}

void gguf_head_write(const gguf_head *h, base_buffer *out)
{
    base_put(out, "GGUF", 4);
    base_put_u32(out, VERSION);
    base_put_u64(out, h->tensor_count);
    base_put_u64(out, h->key_count);
    base_put(out, h->keys.data, h->keys.size);
    base_put(out, h->infos.data, h->infos.size);
    base_put_align(out, h->alignment);
    out->failed |= h->keys.failed || h->infos.failed;
}
