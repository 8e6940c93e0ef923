/* The mixes are facts about llama.cpp (src/llama-quant.cpp, September 2026), so that a name means the same sizes here.
 */
#include "compile/quantize_mix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "compile/quantize_row.h"
#include "tensor/layout.h"

/* GGUF's numbers, also of types that no device of this build knows. */
enum {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    IQ2_XXS = 16,
    IQ2_XS = 17,
    IQ3_XXS = 18,
    IQ1_S = 19,
    IQ4_NL = 20,
    IQ3_S = 21,
    IQ2_S = 22,
    IQ4_XS = 23,
    IQ1_M = 29,
    BF16 = 30,
    TQ1_0 = 34,
    TQ2_0 = 35,
    MXFP4 = 39,
};

/* X(name, type of most matrices, general.file_type) */
#define MIXES(X)                                                                                                       \
    X(F32, F32, 0)                                                                                                     \
    X(F16, F16, 1)                                                                                                     \
    X(BF16, BF16, 32)                                                                                                  \
    X(Q8_0, Q8_0, 7)                                                                                                   \
    X(Q6_K, Q6_K, 18)                                                                                                  \
    X(Q5_K_M, Q5_K, 17)                                                                                                \
    X(Q5_K_S, Q5_K, 16)                                                                                                \
    X(Q5_1, Q5_1, 9)                                                                                                   \
    X(Q5_0, Q5_0, 8)                                                                                                   \
    X(Q4_K_M, Q4_K, 15)                                                                                                \
    X(Q4_K_S, Q4_K, 14)                                                                                                \
    X(Q4_1, Q4_1, 3)                                                                                                   \
    X(Q4_0, Q4_0, 2)                                                                                                   \
    X(IQ4_NL, IQ4_NL, 25)                                                                                              \
    X(IQ4_XS, IQ4_XS, 30)                                                                                              \
    X(MXFP4_MOE, MXFP4, 38)                                                                                            \
    X(Q3_K_L, Q3_K, 13)                                                                                                \
    X(Q3_K_M, Q3_K, 12)                                                                                                \
    X(Q3_K_S, Q3_K, 11)                                                                                                \
    X(IQ3_M, IQ3_S, 27)                                                                                                \
    X(IQ3_S, IQ3_S, 26)                                                                                                \
    X(IQ3_XS, IQ3_S, 22)                                                                                               \
    X(IQ3_XXS, IQ3_XXS, 23)                                                                                            \
    X(Q2_K, Q2_K, 10)                                                                                                  \
    X(Q2_K_S, Q2_K, 21)                                                                                                \
    X(IQ2_M, IQ2_S, 29)                                                                                                \
    X(IQ2_S, IQ2_XS, 28)                                                                                               \
    X(IQ2_XS, IQ2_XS, 20)                                                                                              \
    X(IQ2_XXS, IQ2_XXS, 19)                                                                                            \
    X(TQ2_0, TQ2_0, 37)                                                                                                \
    X(TQ1_0, TQ1_0, 36)                                                                                                \
    X(IQ1_M, IQ1_M, 31)                                                                                                \
    X(IQ1_S, IQ1_S, 24)

enum mix_number {
#define X(name, type, number) MIX_##name,
    MIXES(X)
#undef X
        MIX_COUNT
};

static const quantize_mix mixes[MIX_COUNT] = {
#define X(name, type, number) {#name, number, #type},
    MIXES(X)
#undef X
};
static const uint8_t mix_types[MIX_COUNT] = {
#define X(name, type, number) type,
    MIXES(X)
#undef X
};

const quantize_mix *quantize_mix_at(uint32_t index)
{
    for (unsigned i = 0; i < MIX_COUNT; i++)
        if (quantize_makes(mix_types[i]) && index-- == 0) return &mixes[i];
    return NULL;
}

/* ---- what a tensor is ---- */

enum role {
    ROLE_OTHER,
    ROLE_OUTPUT,
    ROLE_EMBEDDING,
    ROLE_V, /* values, or a fused matrix that has them: the most sensitive ones */
    ROLE_K,
    ROLE_Q,
    ROLE_ATTENTION_OUTPUT,
    ROLE_UP,
    ROLE_GATE,
    ROLE_DOWN,
    ROLES
};

static enum role role_of(const char *name)
{
    static const struct {
        const char *part;
        enum role role;
    } parts[] = {
        {"attn_qkv.weight", ROLE_V}, {"attn_kv_b.weight", ROLE_V}, {"attn_v.weight", ROLE_V},
        {"attn_k.weight", ROLE_K},   {"attn_q.weight", ROLE_Q},    {"attn_output.weight", ROLE_ATTENTION_OUTPUT},
        {"ffn_up", ROLE_UP},         {"ffn_gate", ROLE_GATE},      {"ffn_down", ROLE_DOWN},
    };
    if (strcmp(name, "output.weight") == 0) return ROLE_OUTPUT;
    if (strcmp(name, "token_embd.weight") == 0 || strcmp(name, "per_layer_token_embd.weight") == 0)
        return ROLE_EMBEDDING;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i].part)) return parts[i].role;
    return ROLE_OTHER;
}

static bool is_plain(uint32_t type)
{
    return type == F32 || type == F16 || type == BF16;
}

/* Matrices only, and none of those that are small and matter much. */
static bool may_change(const compile_gguf_tensor *t)
{
    static const char *const kept[] = {
        "_norm.weight",
        "ffn_gate_inp.weight",
        "altup",
        "laurel",
        "per_layer_model_proj",
        "position_embd",
        "token_types.weight",
        "ssm_conv1d",
        "shortconv.conv.weight",
        "indexer.k_proj.weight",
        "indexer.q_proj.weight",
        "time_mix_first.weight",
        "time_mix_w0.weight",
        "time_mix_w1.weight",
        "time_mix_w2.weight",
        "time_mix_v0.weight",
        "time_mix_v1.weight",
        "time_mix_v2.weight",
        "time_mix_a0.weight",
        "time_mix_a1.weight",
        "time_mix_a2.weight",
        "time_mix_g1.weight",
        "time_mix_g2.weight",
        "time_mix_decay_w1.weight",
        "time_mix_decay_w2.weight",
        "time_mix_lerp_fused.weight",
        "attn_rel_b.weight",
        "ffn_gate_tid2eid.weight",
    };
    const size_t size = t->name.size;
    if (t->elements == t->shape[0] || size < 6 || strcmp(t->text + size - 6, "weight") != 0) return false;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strstr(t->text, kept[i])) return false;
    const tensor_type_info *info = tensor_type_find(t->type);
    return is_plain(t->type) || (info && info->block > 1); /* the others cannot be read as numbers */
}

/* ---- rules ---- */

enum condition {
    FALCON = 1 << 0,
    NOT_FALCON = 1 << 1,
    GROUPED = 1 << 2, /* at least 4 query heads share a key */
    IMPORTANCE = 1 << 3,
    NO_IMPORTANCE = 1 << 4,
    EXPERTS_4 = 1 << 5, /* at least */
    EXPERTS_8 = 1 << 6, /* exactly */
    NOT_EXPERTS_8 = 1 << 7,
    FIRST_2 = 1 << 8, /* of its kind */
    FIRST_4 = 1 << 9,
    FIRST_EIGHTH = 1 << 10,
    FIRST_16TH = 1 << 11,
    MIDDLE = 1 << 12,    /* neither the first nor the last eighth */
    MORE_BITS = 1 << 13, /* the first and last eighth and every third between */
};

#define M(name) (UINT64_C(1) << MIX_##name)
#define LOW_1 (M(IQ1_S) | M(IQ1_M))
#define LOW_2 (M(IQ2_XXS) | M(IQ2_XS))
#define LOW_2S (M(IQ2_S) | M(IQ2_M))
#define LOW (LOW_1 | LOW_2 | LOW_2S)
#define ALL (UINT64_MAX)

/* The first rule whose role, mix and conditions (all of them) fit. */
static const struct {
    uint64_t mixes;
    uint8_t role, type;
    uint16_t conditions;
} rules[] = {
    {LOW, ROLE_V, Q4_K, GROUPED},
    {LOW, ROLE_V, Q4_K, EXPERTS_4},
    {LOW_2S, ROLE_V, IQ3_S, 0},
    {LOW, ROLE_V, Q2_K, 0},
    {ALL, ROLE_V, Q8_0, EXPERTS_8},
    {M(Q2_K) | M(Q2_K_S) | M(IQ3_XXS) | M(IQ3_XS) | M(IQ3_S), ROLE_V, Q4_K, GROUPED},
    {M(Q2_K), ROLE_V, Q3_K, 0},
    {M(IQ3_XXS), ROLE_V, IQ3_S, NO_IMPORTANCE},
    {M(Q3_K_M), ROLE_V, Q5_K, FIRST_2},
    {M(Q3_K_M) | M(IQ3_M), ROLE_V, Q4_K, 0},
    {M(Q3_K_L), ROLE_V, Q5_K, 0},
    {M(IQ4_NL) | M(IQ4_XS), ROLE_V, Q5_K, GROUPED},
    {M(Q4_K_M) | M(Q5_K_M), ROLE_V, Q6_K, MORE_BITS},
    {M(Q4_K_S), ROLE_V, Q5_K, FIRST_4},

    {LOW, ROLE_K, Q4_K, EXPERTS_8},
    {ALL, ROLE_K, Q8_0, EXPERTS_8},
    {M(IQ3_XS), ROLE_K, IQ3_XXS, 0},
    {M(IQ3_XXS), ROLE_K, IQ2_S, 0},
    {M(IQ3_XS), ROLE_Q, IQ3_XXS, 0},
    {M(IQ3_XXS), ROLE_Q, IQ2_S, 0},

    {LOW_2S, ROLE_DOWN, IQ3_S, FIRST_EIGHTH},
    {LOW, ROLE_DOWN, Q2_K, FIRST_EIGHTH},
    {M(Q2_K), ROLE_DOWN, Q3_K, 0},
    {M(Q2_K_S), ROLE_DOWN, Q4_K, FIRST_EIGHTH},
    {M(IQ3_XXS), ROLE_DOWN, Q4_K, FIRST_EIGHTH | NO_IMPORTANCE},
    {M(IQ3_XXS), ROLE_DOWN, Q3_K, NO_IMPORTANCE},
    {M(Q3_K_M), ROLE_DOWN, Q5_K, FIRST_16TH},
    {M(Q3_K_M), ROLE_DOWN, Q4_K, NOT_FALCON},
    {M(Q3_K_M), ROLE_DOWN, Q4_K, MORE_BITS},
    {M(IQ3_M), ROLE_DOWN, Q4_K, FIRST_EIGHTH},
    {M(IQ3_M), ROLE_DOWN, Q4_K, EXPERTS_8 | MORE_BITS},
    {M(Q3_K_L), ROLE_DOWN, Q4_K, FALCON},
    {M(Q3_K_L), ROLE_DOWN, Q5_K, 0},
    {M(Q4_K_M), ROLE_DOWN, Q6_K, FALCON | FIRST_16TH},
    {M(Q4_K_M), ROLE_DOWN, Q5_K, FALCON | MORE_BITS},
    {M(Q4_K_M), ROLE_DOWN, Q6_K, NOT_FALCON | MORE_BITS},
    {M(IQ4_NL) | M(IQ4_XS), ROLE_DOWN, Q5_K, FIRST_EIGHTH | NO_IMPORTANCE},
    {M(Q5_K_M), ROLE_DOWN, Q6_K, MORE_BITS},
    {M(Q4_K_S), ROLE_DOWN, Q5_K, NOT_FALCON | FIRST_EIGHTH},
    {M(Q4_0), ROLE_DOWN, Q4_1, IMPORTANCE | FIRST_EIGHTH},
    {M(Q5_0), ROLE_DOWN, Q5_1, IMPORTANCE | FIRST_EIGHTH},

    {LOW, ROLE_ATTENTION_OUTPUT, Q5_K, EXPERTS_8},
    {LOW_1, ROLE_ATTENTION_OUTPUT, IQ2_XXS, 0},
    {LOW_2S, ROLE_ATTENTION_OUTPUT, IQ3_S, 0},
    {M(Q2_K) | M(IQ3_XS) | M(IQ3_XXS) | M(Q3_K_S) | M(Q3_K_M) | M(IQ4_NL) | M(Q4_K_S) | M(Q4_K_M) | M(IQ3_S) |
         M(IQ3_M) | M(IQ4_XS),
     ROLE_ATTENTION_OUTPUT, Q5_K, NOT_FALCON | EXPERTS_8},
    {M(Q2_K), ROLE_ATTENTION_OUTPUT, Q3_K, NOT_FALCON | NOT_EXPERTS_8},
    {M(IQ3_XXS), ROLE_ATTENTION_OUTPUT, IQ3_S, NOT_FALCON | NOT_EXPERTS_8},
    {M(Q3_K_M) | M(IQ3_M), ROLE_ATTENTION_OUTPUT, Q4_K, NOT_FALCON | NOT_EXPERTS_8},
    {M(Q3_K_L), ROLE_ATTENTION_OUTPUT, Q5_K, NOT_FALCON | NOT_EXPERTS_8},
    {M(Q3_K_L), ROLE_ATTENTION_OUTPUT, Q4_K, FALCON},

    {M(IQ3_XS), ROLE_GATE, IQ3_XXS, MIDDLE},
    {M(IQ3_XS), ROLE_UP, IQ3_XXS, MIDDLE},

    {LOW_1 | LOW_2, ROLE_EMBEDDING, Q2_K, 0},
    {LOW_2S | M(IQ3_XXS), ROLE_EMBEDDING, IQ3_S, 0},
    {M(TQ1_0) | M(TQ2_0), ROLE_EMBEDDING, Q4_K, 0},
};

typedef struct chooser {
    const compile_gguf *g;
    const quantize_choice *choice;
    enum mix_number mix;
    uint32_t output, embedding; /* types asked for; UINT32_MAX: none */
    bool tied;
    bool v_is_narrow;    /* 80 layers, few values: they cost little, so never below Q5_K */
    unsigned conditions; /* of the model */
    int layers, v_count;
    int seen[ROLES]; /* tensors of the kind before this one, in the order of layers */
} chooser;

static unsigned place(int at, int count)
{
    unsigned c = 0;
    const bool first = at < count / 8, last = at >= 7 * count / 8;
    if (at < 2) c |= FIRST_2;
    if (at < 4) c |= FIRST_4;
    if (first) c |= FIRST_EIGHTH;
    if (at < count / 16) c |= FIRST_16TH;
    if (!first && !last) c |= MIDDLE;
    if (first || last || (at - count / 8) % 3 == 2) c |= MORE_BITS;
    return c;
}

static int layer_of(const char *name)
{
    char *end;
    if (strncmp(name, "blk.", 4) != 0) return -1;
    const long n = strtol(name + 4, &end, 10);
    return end > name + 4 && n >= 0 && n < 1 << 20 ? (int)n : -1;
}

static uint32_t apply_rules(const chooser *c, enum role role, unsigned conditions)
{
    uint32_t type = mix_types[c->mix];
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if ((rules[i].mixes >> c->mix & 1) && rules[i].role == role && (rules[i].conditions & ~conditions) == 0) {
            type = rules[i].type;
            break;
        }
    if (role == ROLE_V && c->v_is_narrow && !(LOW >> c->mix & 1) && (type == Q3_K || type == Q4_K)) type = Q5_K;
    return type;
}

/* The output matrix, or the embeddings where they are the output matrix too. */
static uint32_t output_type(const chooser *c, const compile_gguf_tensor *t)
{
    const uint32_t type = mix_types[c->mix];
    if (c->mix == MIX_MXFP4_MOE || c->conditions & FALCON || t->shape[0] % compile_gguf_type_find(type)->block)
        return Q8_0;
    if ((LOW | M(IQ3_XXS)) >> c->mix & 1) return Q5_K;
    return type == Q8_0 ? Q8_0 : Q6_K;
}

static uint32_t mixed_type(const chooser *c, const compile_gguf_tensor *t)
{
    const enum role role = role_of(t->text);
    int at = c->seen[role], count = role == ROLE_V ? c->v_count : c->layers;
    if (role == ROLE_OUTPUT || (c->tied && role == ROLE_EMBEDDING)) return output_type(c, t);
    if (c->mix == MIX_MXFP4_MOE) return t->shape[2] > 1 ? MXFP4 : Q8_0;
    if (role != ROLE_V && c->conditions & EXPERTS_4 && layer_of(t->text) >= 0) at = layer_of(t->text);
    return apply_rules(c, role, c->conditions | place(at, count));
}

/* Rows that are no multiple of the block: the nearest type of smaller blocks, then F16. */
static uint32_t fitting_type(uint32_t type, uint64_t cols)
{
    static const uint8_t smaller[][2] = {
        {IQ1_S, IQ4_NL},   {IQ1_M, IQ4_NL}, {IQ2_XXS, IQ4_NL}, {IQ2_XS, IQ4_NL}, {IQ2_S, IQ4_NL},
        {IQ3_XXS, IQ4_NL}, {IQ3_S, IQ4_NL}, {IQ4_XS, IQ4_NL},  {Q2_K, Q4_0},     {Q3_K, Q4_0},
        {TQ1_0, Q4_0},     {TQ2_0, Q4_0},   {Q4_K, Q5_0},      {Q5_K, Q5_1},     {Q6_K, Q8_0},
    };
    if (cols % compile_gguf_type_find(type)->block == 0) return type;
    for (size_t i = 0; i < sizeof smaller / sizeof *smaller; i++)
        if (smaller[i][0] == type && cols % 32 == 0) return smaller[i][1];
    return F16;
}

static uint32_t type_for(const chooser *c, const compile_gguf_tensor *t)
{
    const enum role role = role_of(t->text);
    uint32_t type = mix_types[c->mix];
    if (role == ROLE_OUTPUT && c->output != UINT32_MAX)
        type = c->output;
    else if (role == ROLE_EMBEDDING && c->embedding != UINT32_MAX)
        type = c->embedding;
    else if (role == ROLE_EMBEDDING && c->tied && c->output != UINT32_MAX)
        type = c->output;
    else if (!is_plain(type) && !c->choice->pure)
        type = mixed_type(c, t);
    return fitting_type(type, t->shape[0]);
}

/* ---- the model ---- */

static uint64_t parameter(const compile_gguf *g, base_span architecture, const char *name)
{
    char key[256];
    uint64_t v = 0;
    snprintf(key, sizeof key, "%.*s.%s", (int)(architecture.size < 100 ? architecture.size : 100),
             (const char *)architecture.data, name);
    const compile_gguf_kv *kv = compile_gguf_find(g, key);
    if (kv && kv->type == GGUF_ARRAY && kv->count && (kv->element == GGUF_U32 || kv->element == GGUF_I32)) {
        uint32_t first; /* one a layer */
        memcpy(&first, kv->bytes.data, sizeof first);
        return first;
    }
    return compile_gguf_uint(g, key, &v, NULL) == WISP_OK ? v : 0;
}

static bool architecture_is(base_span architecture, const char *name)
{
    return architecture.size == strlen(name) && memcmp(architecture.data, name, architecture.size) == 0;
}

static void look_at_model(chooser *c)
{
    base_span architecture = {(const uint8_t *)"", 0};
    if (compile_gguf_string(c->g, "general.architecture", &architecture, NULL) != WISP_OK) architecture.size = 0;
    const uint64_t heads = parameter(c->g, architecture, "attention.head_count");
    const uint64_t kv_heads = parameter(c->g, architecture, "attention.head_count_kv");
    const uint64_t experts = parameter(c->g, architecture, "expert_count");
    const uint64_t layers = parameter(c->g, architecture, "block_count");
    c->layers = layers < 1 << 20 ? (int)layers : 0;
    c->conditions |= architecture_is(architecture, "falcon") ? FALCON : NOT_FALCON;
    c->conditions |= c->choice->has_importance ? IMPORTANCE : NO_IMPORTANCE;
    c->conditions |= experts == 8 ? EXPERTS_8 : NOT_EXPERTS_8;
    if (experts >= 4) c->conditions |= EXPERTS_4;
    if (kv_heads && heads / kv_heads >= 4) c->conditions |= GROUPED;
    c->v_is_narrow = layers == 80 && kv_heads != heads &&
                     (architecture_is(architecture, "llama") || architecture_is(architecture, "qwen2"));
    c->tied = !compile_gguf_find_tensor(c->g, "output.weight");
    for (uint64_t i = 0; i < c->g->tensor_count; i++)
        c->v_count += role_of(c->g->tensors[i].text) == ROLE_V;
}

static wisp_status find_mix(chooser *c, wisp_report *report)
{
    static const char *const aliases[][2] = {
        {"Q3_K", "Q3_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q5_K", "Q5_K_M"}, {"MXFP4", "MXFP4_MOE"}};
    const char *name = c->choice->type;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcasecmp(name, aliases[i][0]) == 0) name = aliases[i][1];
    for (unsigned i = 0; i < MIX_COUNT; i++) {
        if (strcasecmp(name, mixes[i].name) != 0) continue;
        c->mix = (enum mix_number)i;
        return WISP_OK;
    }
    char all[400] = "";
    const quantize_mix *made;
    for (uint32_t i = 0; (made = quantize_mix_at(i)); i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), " %s", made->name);
    return base_fail(report, WISP_E_USAGE, "there is no type '%.40s'; there are%s", name, all);
}

static wisp_status find_type(const char *name, uint32_t *type, wisp_report *report)
{
    *type = UINT32_MAX;
    if (!name) return WISP_OK;
    char upper[16] = "";
    for (size_t i = 0; name[i] && i + 1 < sizeof upper; i++)
        upper[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 32) : name[i];
    const compile_gguf_type *found = compile_gguf_type_named(upper);
    if (!found || !quantize_makes(found->type))
        return base_fail(report, WISP_E_USAGE, "'%.40s' is no type that tensors can be made of", name);
    *type = found->type;
    return WISP_OK;
}

/* Tensors in the order of layers, since mixes count them. */
typedef struct ordered {
    int layer;
    uint32_t index;
} ordered;

static int compare_layers(const void *a, const void *b)
{
    const ordered *x = a, *y = b;
    if (x->layer != y->layer) return x->layer < y->layer ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static wisp_status choose_all(chooser *c, uint32_t *types, wisp_report *report)
{
    const uint32_t count = (uint32_t)c->g->tensor_count;
    ordered *order = base_calloc(count, sizeof *order);
    if (!order) return base_fail(report, WISP_E_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; i++)
        order[i] = (ordered){layer_of(c->g->tensors[i].text), i};
    qsort(order, count, sizeof *order, compare_layers);
    wisp_status status = WISP_OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        const compile_gguf_tensor *t = &c->g->tensors[order[i].index];
        const uint32_t type = may_change(t) ? type_for(c, t) : t->type;
        types[order[i].index] = type;
        c->seen[role_of(t->text)] += may_change(t);
        if (type != t->type && !quantize_makes(type))
            status = base_fail(report, WISP_E_UNSUPPORTED, "tensor '%s' would become %s, which cannot be made yet",
                               t->text, compile_gguf_type_find(type)->name);
    }
    base_free(order);
    return status;
}

wisp_status quantize_choose(const compile_gguf *g, const quantize_choice *choice, uint32_t *types,
                            const quantize_mix **mix, wisp_report *report)
{
    chooser c = {.g = g, .choice = choice};
    BASE_TRY(find_mix(&c, report));
    BASE_TRY(find_type(choice->output, &c.output, report));
    BASE_TRY(find_type(choice->embedding, &c.embedding, report));
    look_at_model(&c);
    *mix = &mixes[c.mix];
    return choose_all(&c, types, report);
}
