#include "compile/merge_experts.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "compile/gguf_write.h"

enum { NAME_BYTES = 64, EXPERTS_MAX = 4096 };

struct expert_merger {
    const compile_source *from;
    base_buffer head;
    compile_gguf gguf;
    uint64_t bytes;
    uint64_t *first; /* of each tensor: the source's, or its expert 0 */
    uint8_t *stack;  /* the last one that was made */
    uint64_t room;
};

typedef struct expert_name {
    unsigned block, expert;
    char part[5]; /* gate, up or down */
} expert_name;

static void print_expert(char out[NAME_BYTES], const expert_name *n, unsigned expert)
{
    snprintf(out, NAME_BYTES, "blk.%u.ffn_%s.%u.weight", n->block, n->part, expert);
}

/* Whether it is one, written as the converter did. */
static bool read_expert(const char *text, expert_name *n)
{
    char again[NAME_BYTES];
    if (sscanf(text, "blk.%9u.ffn_%4[a-z].%9u.weight", &n->block, n->part, &n->expert) != 3) return false;
    print_expert(again, n, n->expert);
    return strcmp(again, text) == 0 &&
           (strcmp(n->part, "gate") == 0 || strcmp(n->part, "up") == 0 || strcmp(n->part, "down") == 0);
}

static const compile_gguf_tensor *find_expert(const expert_merger *m, const expert_name *n, unsigned expert)
{
    char name[NAME_BYTES];
    print_expert(name, n, expert);
    return compile_gguf_find_tensor(m->from->gguf, name);
}

/* How many there are of expert 0's kind, all of its shape. */
static wisp_status count_experts(const expert_merger *m, const expert_name *n, const compile_gguf_tensor *zero,
                                 uint64_t *count, wisp_report *report)
{
    const compile_gguf_tensor *t = zero;
    unsigned expert = 0;
    for (; t && expert < EXPERTS_MAX; t = find_expert(m, n, ++expert))
        if (t->type != zero->type || memcmp(t->shape, zero->shape, sizeof t->shape) != 0 ||
            t->shape[2] * t->shape[3] != 1)
            return base_fail(report, WISP_E_INPUT, "tensor '%s': type and shape are not those of expert 0, a matrix",
                             t->text);
    if (t) return base_fail(report, WISP_E_INPUT, "tensor '%s': more than %d experts", t->text, EXPERTS_MAX);
    *count = expert;
    return WISP_OK;
}

/* One of the source's tensors, as what it is in the result: itself, a stack, or nothing where it is part of one. */
static wisp_status put_tensor(expert_merger *m, gguf_head *h, uint64_t i, wisp_report *report)
{
    const compile_gguf_tensor *t = &m->from->gguf->tensors[i];
    expert_name n;
    char name[NAME_BYTES];
    base_span shown = t->name;
    uint32_t dims = t->dims;
    uint64_t shape[4];
    memcpy(shape, t->shape, sizeof shape);
    if (read_expert(t->text, &n)) {
        if (n.expert && !find_expert(m, &n, n.expert - 1))
            return base_fail(report, WISP_E_INPUT, "tensor '%s': there is no expert %u", t->text, n.expert - 1);
        if (n.expert) return WISP_OK;
        BASE_TRY(count_experts(m, &n, t, &shape[2], report));
        snprintf(name, sizeof name, "blk.%u.ffn_%s_exps.weight", n.block, n.part);
        shown = (base_span){(const uint8_t *)name, strlen(name)};
        dims = 3;
    }
    m->first[h->tensor_count] = i;
    if (gguf_put_tensor(h, shown, t->type, dims, shape)) return WISP_OK;
    return base_fail(report, WISP_E_LIMIT, "tensor '%s': the experts together are too large", t->text);
}

static wisp_status make_head(expert_merger *m, wisp_report *report)
{
    const compile_gguf *old = m->from->gguf;
    gguf_head h;
    wisp_status status = WISP_OK;
    m->first = base_calloc(old->tensor_count, sizeof *m->first);
    if (!m->first) return base_fail(report, WISP_E_MEMORY, "out of memory");
    gguf_head_init(&h, old->alignment);
    for (uint64_t i = 0; i < old->key_count; i++)
        gguf_put_copy(&h, &old->keys[i]);
    for (uint64_t i = 0; i < old->tensor_count && !status; i++)
        status = put_tensor(m, &h, i, report);
    gguf_head_write(&h, &m->head);
    m->bytes = m->head.size + h.data_bytes;
    gguf_head_fini(&h);
    BASE_TRY(status);
    if (m->head.failed) return base_fail(report, WISP_E_MEMORY, "out of memory");
    return compile_gguf_open(&m->gguf, (base_span){m->head.data, m->head.size}, m->bytes, report);
}

static bool has_experts(const compile_gguf *g)
{
    expert_name n;
    for (uint64_t i = 0; i < g->tensor_count; i++)
        if (read_expert(g->tensors[i].text, &n)) return true;
    return false;
}

wisp_status expert_merger_new(expert_merger **merger, const compile_source *from, wisp_report *report)
{
    *merger = NULL;
    if (!has_experts(from->gguf)) return WISP_OK;
    expert_merger *m = base_calloc(1, sizeof *m);
    if (!m) return base_fail(report, WISP_E_MEMORY, "out of memory");
    m->from = from;
    wisp_status status = make_head(m, report);
    if (status)
        expert_merger_free(m);
    else
        *merger = m;
    return status;
}

void expert_merger_free(expert_merger *m)
{
    if (!m) return;
    compile_gguf_close(&m->gguf);
    base_buffer_fini(&m->head);
    base_free(m->first);
    base_free(m->stack);
    base_free(m);
}

static wisp_status make_room(expert_merger *m, const compile_gguf_tensor *t, wisp_report *report)
{
    if (t->size <= m->room) return WISP_OK;
    base_free(m->stack);
    m->room = 0;
    m->stack = base_alloc((size_t)t->size);
    if (!m->stack) return base_fail(report, WISP_E_MEMORY, "tensor '%s': out of memory", t->text);
    m->room = t->size;
    return WISP_OK;
}

static wisp_status tensor_bytes(void *self, const compile_gguf_tensor *t, base_span *bytes, wisp_report *report)
{
    expert_merger *m = self;
    const compile_gguf_tensor *old = &m->from->gguf->tensors[m->first[t - m->gguf.tensors]];
    expert_name n;
    if (!read_expert(old->text, &n)) return m->from->tensor(m->from->self, old, bytes, report);
    BASE_TRY(make_room(m, t, report));
    for (unsigned e = 0; e < t->shape[2]; e++) {
        base_span part;
        old = find_expert(m, &n, e);
        BASE_TRY(m->from->tensor(m->from->self, old, &part, report));
        memcpy(m->stack + e * part.size, part.data, part.size);
    }
    *bytes = (base_span){m->stack, (size_t)t->size};
    return WISP_OK;
}

compile_source expert_merger_source(expert_merger *m)
{
    compile_source s = *m->from;
    s.gguf = &m->gguf;
    s.gguf_bytes = m->bytes;
    s.mapped = false;
    s.self = m;
    s.tensor = tensor_bytes;
    return s;
}
