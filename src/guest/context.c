/* How large a context is: what its caches are made of, whether they fit in memory, and what happens when it is full. */
#include <string.h>

#include "guest/engine_state.h"

enum { TOKENS_USUAL = 256 };

wisp_status guest_read_kv_type(const base_json *options, uint32_t *type, wisp_report *report)
{
    static const struct {
        const char *name;
        uint32_t type;
    } types[] = {{"f32", WISP_F32}, {"f16", WISP_F16}, {"q8_0", WISP_Q8_0}, {"q4_0", WISP_Q4_0}};
    const base_json *node = base_json_get(options, "kv_type");
    const char *name = node ? base_json_str(node) : NULL;
    if (!node || node->kind == JSON_NULL) return WISP_OK;
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++) {
        if (strcmp(name, types[i].name) != 0) continue;
        *type = types[i].type;
        return WISP_OK;
    }
    return base_fail(report, WISP_E_INPUT, "kv_type: must be f32, f16, q8_0 or q4_0");
}

static uint64_t bytes_for(const program *p, const guest_limits *l, uint32_t context)
{
    const uint32_t pages = (context + WISP_KV_PAGE - 1) / WISP_KV_PAGE;
    const uint32_t tokens =
        p->whole && l->chunk > TOKENS_USUAL ? TOKENS_USUAL : l->chunk; /* grows with a longer text */
    const program_sizes sizes = {{[PROGRAM_SIZE_TOKENS] = tokens,
                                  [PROGRAM_SIZE_OUTPUTS] = 1,
                                  [PROGRAM_SIZE_SEQUENCES] = l->sequences,
                                  [PROGRAM_SIZE_SEQ_PAGES] = pages,
                                  [PROGRAM_SIZE_KV] = pages * l->sequences * WISP_KV_PAGE}};
    return program_bytes(p, &sizes);
}

/* The largest context whose buffers fit, in whole pages. */
static uint32_t largest(const program *p, const guest_limits *l, uint64_t bytes)
{
    uint32_t fits = 0, too_many = l->context / WISP_KV_PAGE + 1;
    while (too_many - fits > 1) {
        const uint32_t middle = fits + (too_many - fits) / 2;
        if (bytes_for(p, l, middle * WISP_KV_PAGE) <= bytes)
            fits = middle;
        else
            too_many = middle;
    }
    return fits * WISP_KV_PAGE;
}

wisp_status guest_fit_program(program *p, const guest_limits *l, uint32_t free_mib, wisp_report *report)
{
    program_for_context(p, l->context);
    if (l->kv_type != GUEST_KV_DEFAULT) BASE_TRY(program_set_cache_type(p, l->kv_type, report));
    const uint64_t bytes = bytes_for(p, l, l->context), free = (uint64_t)free_mib << 20;
    if (!free_mib || bytes <= free) return WISP_OK;
    return base_fail(report, WISP_E_MEMORY,
                     "context: %u positions need %llu MiB, of which %u MiB are left; %u fit (--context). Caches of "
                     "another type (--kv-type q8_0, q4_0) take less than those of f16",
                     (unsigned)l->context, (unsigned long long)(bytes >> 20), (unsigned)free_mib,
                     (unsigned)largest(p, l, free));
}

void guest_shift(guest_engine *e, guest_request *r)
{
    guest_tokens *t = &r->tokens;
    const bool begins = t->ids[0] == e->vocab.bos;
    const uint32_t keep = r->keep == GUEST_KEEP_BOS ? begins && e->limits.context > 1 : r->keep,
                   count = (uint32_t)t->count;
    uint32_t newest = (e->limits.context - keep) / 2;
    if (newest == 0) newest = 1;
    if (count <= keep + newest) return;
    memmove(t->ids + keep, t->ids + count - newest, newest * sizeof *t->ids);
    t->count = keep + newest;
    r->dropped += count - (uint32_t)t->count;
    r->shifts++;
    r->fed = 0;
}
