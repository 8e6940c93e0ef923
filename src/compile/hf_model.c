#include "compile/hf_model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/vocab.h"
#include "compile/hf_config.h"
#include "compile/hf_folder.h"
#include "compile/hf_vocab.h"
#include "compile/quantize_fit.h"
#include "tensor/abi.h"
#include "tensor/blocks.h"

enum { NAME_MAX_BYTES = 256, STACK_MAX = 4096, PREFIXES = 4, ALIGNMENT = 32, MIXED_F16 = 1, MIXED_BF16 = 32 };

/* How the parts of a model are called where it is one of several kinds, or was saved without its output. */
static const char *const prefixes[PREFIXES][2] = {/* model, output */
                                                  {"model.", ""},
                                                  {"language_model.model.", "language_model."},
                                                  {"model.language_model.", ""},
                                                  {"", ""}};

/* A tensor of the GGUF, made of one or several of the folder. */
typedef struct planned {
    unsigned flags;
    bool vector;
    uint32_t type, dims;
    uint64_t shape[3];
    size_t first, count; /* among the parts */
    uint32_t heads;      /* whose rows are turned to pairs; 0: they stay */
    float *made;         /* or its content */
} planned;

struct hf_model {
    hf_folder folder;
    hf_config config;
    safetensors tensors;
    bool *used; /* of the tensors */
    bool exact;
    const char *const *prefix;
    hf_matrix *parts; /* vectors have only `weight` */
    size_t part_count, part_capacity;
    planned *plan;
    size_t plan_count, plan_capacity;
    gguf_head head;
    base_buffer head_bytes, vocabulary;
    uint32_t token_count;
    compile_gguf gguf;
    uint64_t gguf_bytes;
    uint8_t *bytes; /* the tensor made last */
    size_t room;
    float *row;
    base_span *files;
    size_t file_count;
    uint64_t file_bytes;
};

static wisp_status no_memory(wisp_report *report)
{
    return base_fail(report, WISP_E_MEMORY, "out of memory");
}

/* ---- finding tensors ---- */

static void use(hf_model *m, const safetensors_tensor *t)
{
    if (t) m->used[t - m->tensors.tensors] = true;
}

static const safetensors_tensor *find(const hf_model *m, const char *name, const char *part)
{
    char full[NAME_MAX_BYTES + 32];
    snprintf(full, sizeof full, "%s.%s", name, part);
    return safetensors_find(&m->tensors, full);
}

static bool has_weight(const hf_model *m, const char *name)
{
    return find(m, name, "weight") || find(m, name, "qweight");
}

static bool is_float(const safetensors_tensor *t)
{
    return t->type == ST_F16 || t->type == ST_BF16 || t->type == ST_F32 || t->type == ST_F64;
}

/* MLX may store some matrices with other numbers of bits. */
static wisp_status quantization_of(const hf_model *m, const char *name, hf_quantization *q, wisp_report *report)
{
    *q = m->config.quantization;
    const base_json *apart = m->config.quantized_apart ? base_json_get(m->config.quantized_apart, name) : NULL;
    uint64_t bits, group;
    if (!apart || apart->kind != JSON_OBJECT) return WISP_OK;
    if (!base_json_uint(base_json_get(apart, "bits"), &bits) || bits > 64 ||
        !base_json_uint(base_json_get(apart, "group_size"), &group) || group > 1 << 24)
        return base_fail(report, WISP_E_INPUT, "config.json: quantization of '%.80s' has no bits and group_size", name);
    q->bits = (uint32_t)bits;
    q->group = (uint32_t)group;
    return WISP_OK;
}

static hf_matrix *add_part(hf_model *m)
{
    if (!BASE_GROW(m->parts, m->part_capacity, m->part_count + 1)) return NULL;
    return &m->parts[m->part_count++];
}

/* The matrix or vector NAME becomes the next part. */
static wisp_status add_weight(hf_model *m, const char *name, bool *vector, wisp_report *report)
{
    const safetensors_tensor *plain = find(m, name, "weight");
    hf_quantization q;
    hf_matrix *part = add_part(m);
    if (!part) return no_memory(report);
    *vector = plain && plain->dims == 1;
    if (*vector) {
        if (!is_float(plain))
            return base_fail(report, WISP_E_UNSUPPORTED, "tensor '%.80s': a vector of type %s", plain->name,
                             safetensors_type_name(plain->type));
        *part = (hf_matrix){.weight = plain, .cols = plain->elements, .rows = 1};
    } else {
        BASE_TRY(quantization_of(m, name, &q, report));
        BASE_TRY(hf_matrix_find(part, &m->tensors, name, &q, report));
    }
    if (part->rows == 0 || part->cols == 0)
        return base_fail(report, WISP_E_INPUT, "tensor '%.80s' has no elements", part->weight->name);
    static const char *const also[] = {"input_scale", "activation_scale"}; /* of activations, which are not FP8 here */
    for (size_t i = 0; i < sizeof also / sizeof *also; i++)
        use(m, find(m, name, also[i]));
    use(m, part->weight);
    use(m, part->scales);
    use(m, part->offsets);
    use(m, find(m, name, "g_idx"));
    return WISP_OK;
}

/* ---- the plan ---- */

static uint32_t type_of(const hf_model *m, const hf_matrix *part, const planned *p)
{
    if (p->vector || (p->flags & (HF_WIDE | HF_NORM))) return WISP_F32;
    if (part->kind == HF_PLAIN)
        return part->weight->type == ST_F16 ? WISP_F16 : part->weight->type == ST_BF16 ? WISP_BF16 : WISP_F32;
    return m->exact ? WISP_F32 : part->kind == HF_FP8 ? WISP_BF16 : WISP_F16;
}

/* A stack's matrices are all alike. */
static wisp_status check_stack(const hf_model *m, const planned *p, wisp_report *report)
{
    const hf_matrix *first = &m->parts[p->first];
    for (size_t i = 1; i < p->count; i++) {
        const hf_matrix *part = first + i;
        if (part->rows != first->rows || part->cols != first->cols || type_of(m, part, p) != p->type)
            return base_fail(report, WISP_E_INPUT,
                             "tensor '%.80s' is not of the type and shape (%llu x %llu) of '%.80s'", part->weight->name,
                             (unsigned long long)first->rows, (unsigned long long)first->cols, first->weight->name);
    }
    return WISP_OK;
}

static wisp_status add_planned(hf_model *m, const char *gguf, planned p, wisp_report *report)
{
    if (!p.made) {
        const hf_matrix *first = &m->parts[p.first];
        p.type = type_of(m, first, &p);
        BASE_TRY(check_stack(m, &p, report));
        const bool stacked = p.flags & HF_STACK;
        p.dims = (p.vector ? 1 : 2) + stacked;
        p.shape[0] = first->cols;
        p.shape[1] = p.vector ? p.count : first->rows;
        p.shape[2] = p.count;
        if (p.heads && first->rows * (p.vector ? first->cols : 1) % (2 * (uint64_t)p.heads) != 0)
            return base_fail(report, WISP_E_INPUT, "tensor '%.80s': its rows are not those of %u heads",
                             first->weight->name, (unsigned)p.heads);
    }
    if (!BASE_GROW(m->plan, m->plan_capacity, m->plan_count + 1)) return no_memory(report);
    m->plan[m->plan_count++] = p;
    const base_span name = {(const uint8_t *)gguf, strlen(gguf)};
    if (gguf_put_tensor(&m->head, name, p.type, p.dims, p.shape)) return WISP_OK;
    return base_fail(report, WISP_E_LIMIT, "tensor '%s' would be too large", gguf);
}

static uint32_t heads_of(const hf_model *m, unsigned flags)
{
    if (!(m->config.family->flags & HF_PAIRS)) return 0;
    return flags & HF_QUERY ? m->config.heads : flags & HF_KEY ? m->config.kv_heads : 0;
}

static wisp_status add_bias(hf_model *m, const char *hf, const char *gguf, unsigned flags, wisp_report *report)
{
    char name[NAME_MAX_BYTES];
    const safetensors_tensor *t = find(m, hf, "bias");
    if (!t) return WISP_OK;
    if (t->dims != 1 || t->elements == 0 || !is_float(t))
        return base_fail(report, WISP_E_INPUT, "tensor '%.80s' is not a vector of numbers", t->name);
    use(m, t);
    hf_matrix *part = add_part(m);
    if (!part) return no_memory(report);
    *part = (hf_matrix){.weight = t, .cols = t->elements, .rows = 1};
    snprintf(name, sizeof name, "%s.bias", gguf);
    const planned p = {.vector = true, .first = m->part_count - 1, .count = 1, .heads = heads_of(m, flags)};
    return add_planned(m, name, p, report);
}

/* %u in the name is 0, 1, …: as many as there are. */
static wisp_status add_stack(hf_model *m, const char *format, const char *gguf, unsigned flags, wisp_report *report)
{
    char name[NAME_MAX_BYTES], full[NAME_MAX_BYTES];
    const char *number = strstr(format, "%u");
    planned p = {.flags = flags, .first = m->part_count};
    for (uint32_t i = 0; i < STACK_MAX; i++) {
        snprintf(name, sizeof name, "%.*s%u%s", (int)(number - format), format, (unsigned)i, number + 2);
        if (!has_weight(m, name)) break;
        bool vector;
        BASE_TRY(add_weight(m, name, &vector, report));
        if (i && vector != p.vector)
            return base_fail(report, WISP_E_INPUT, "'%.80s' is not like '%.80s'", name, m->parts[p.first].weight->name);
        p.vector = vector;
        p.count++;
    }
    if (p.count == 0) return WISP_OK;
    snprintf(full, sizeof full, "%s.weight", gguf);
    return add_planned(m, full, p, report);
}

static wisp_status add_tensor(hf_model *m, const char *hf, const char *gguf, unsigned flags, wisp_report *report)
{
    char name[NAME_MAX_BYTES];
    if (flags & HF_STACK) return add_stack(m, hf, gguf, flags, report);
    if (has_weight(m, hf)) {
        planned p = {.flags = flags, .first = m->part_count, .count = 1, .heads = heads_of(m, flags)};
        BASE_TRY(add_weight(m, hf, &p.vector, report));
        snprintf(name, sizeof name, "%s.weight", gguf);
        BASE_TRY(add_planned(m, name, p, report));
    }
    return add_bias(m, hf, gguf, flags, report);
}

static wisp_status add_layer_names(hf_model *m, const hf_name *names, const hf_name *hidden_by, uint32_t layer,
                                   wisp_report *report)
{
    char hf[NAME_MAX_BYTES], gguf[NAME_MAX_BYTES];
    for (const hf_name *n = names; n && n->hf; n++) {
        const hf_name *other = hidden_by;
        while (other && other->hf && strcmp(other->hf, n->hf) != 0)
            other++;
        if (other && other->hf) continue;
        snprintf(hf, sizeof hf, "%slayers.%u.%s", m->prefix[0], (unsigned)layer, n->hf);
        snprintf(gguf, sizeof gguf, "blk.%u.%s", (unsigned)layer, n->gguf);
        BASE_TRY(add_tensor(m, hf, gguf, n->flags, report));
    }
    return WISP_OK;
}

static wisp_status find_prefix(hf_model *m, wisp_report *report)
{
    char name[NAME_MAX_BYTES];
    for (int i = 0; i < PREFIXES; i++) {
        m->prefix = prefixes[i];
        snprintf(name, sizeof name, "%sembed_tokens", m->prefix[0]);
        if (has_weight(m, name)) return WISP_OK;
    }
    return base_fail(report, WISP_E_INPUT, "there is no tensor 'model.embed_tokens.weight' among %zu",
                     m->tensors.count);
}

static wisp_status add_factors(hf_model *m, const char *name, wisp_report *report)
{
    float *made;
    BASE_TRY(hf_rope_factors(&m->config, name, &made, report));
    if (!made) return WISP_OK;
    const planned p = {.made = made, .type = WISP_F32, .dims = 1, .shape = {m->config.rope_dims / 2, 1, 1}};
    wisp_status status = add_planned(m, name, p, report);
    if (status && (m->plan_count == 0 || m->plan[m->plan_count - 1].made != made)) base_free(made);
    return status;
}

/* What no program needs: parts of other kinds, tables that are computed, the output where it is the embeddings. */
static bool is_left_out(const hf_model *m, const char *name)
{
    static const char *const within[] = {"rotary_emb.",   "vision_tower.",     "multi_modal_projector.",
                                         "vision_model.", "visual.",           "audio_tower.",
                                         "embed_vision.", ".attn.masked_bias", ".k_scale",
                                         ".v_scale",      "masked_bias"};
    for (size_t i = 0; i < sizeof within / sizeof *within; i++)
        if (strstr(name, within[i])) return true;
    return m->config.tied && strstr(name, "lm_head.");
}

static wisp_status check_all_used(const hf_model *m, wisp_report *report)
{
    for (size_t i = 0; i < m->tensors.count; i++)
        if (!m->used[i] && !is_left_out(m, m->tensors.tensors[i].name))
            return base_fail(report, WISP_E_UNSUPPORTED, "tensor '%.160s' is none that a model of model_type '%s' has",
                             m->tensors.tensors[i].name, m->config.family->model_type);
    return WISP_OK;
}

static wisp_status plan_tensors(hf_model *m, wisp_report *report)
{
    char hf[NAME_MAX_BYTES];
    const hf_name *own = m->config.family->names;
    if (!(m->used = base_calloc(m->tensors.count, sizeof *m->used))) return no_memory(report);
    BASE_TRY(find_prefix(m, report));
    BASE_TRY(add_factors(m, "rope_freqs.weight", report));
    BASE_TRY(add_factors(m, "rope_factors_long.weight", report));
    BASE_TRY(add_factors(m, "rope_factors_short.weight", report));
    for (const hf_name *n = hf_model_names; n->hf; n++) {
        snprintf(hf, sizeof hf, "%s%s", m->prefix[0], n->hf);
        BASE_TRY(add_tensor(m, hf, n->gguf, n->flags, report));
    }
    snprintf(hf, sizeof hf, "%slm_head", m->prefix[1]);
    if (!m->config.tied) BASE_TRY(add_tensor(m, hf, "output", 0, report));
    for (uint32_t i = 0; i < m->config.layers; i++) {
        BASE_TRY(add_layer_names(m, own, NULL, i, report));
        BASE_TRY(add_layer_names(m, hf_layer_names, own, i, report));
    }
    return check_all_used(m, report);
}

/* ---- opening ---- */

static wisp_status read_folder(hf_model *m, const char *path, wisp_report *report)
{
    const base_json *config;
    m->folder.path = path;
    BASE_TRY(hf_folder_json(&m->folder, "config.json", &config, report));
    if (!config)
        return base_fail(report, WISP_E_NOT_FOUND, "there is no config.json: not the folder of a Hugging Face model");
    BASE_TRY(hf_config_read(&m->config, config, report));
    return safetensors_open_folder(&m->tensors, path, report);
}

/* "default", or the text itself. */
static const base_json *template_of(const base_json *node)
{
    if (node && node->kind == JSON_STRING) return node;
    for (const base_json *e = node && node->kind == JSON_ARRAY ? node->first : NULL; e; e = e->next) {
        const char *name = base_json_str(base_json_get(e, "name"));
        const base_json *text = base_json_get(e, "template");
        if (name && strcmp(name, "default") == 0 && text && text->kind == JSON_STRING) return text;
    }
    return NULL;
}

static wisp_status put_template(hf_model *m, wisp_report *report)
{
    const hf_file *jinja;
    const base_json *config = NULL;
    BASE_TRY(hf_folder_map(&m->folder, "chat_template.jinja", HF_TEXT_MAX, &jinja, report));
    if (jinja) {
        gguf_put_string(&m->head, "tokenizer.chat_template", (const char *)jinja->map.data, jinja->map.size);
        return WISP_OK;
    }
    for (size_t i = 0; i < m->folder.file_count; i++)
        if (strcmp(m->folder.files[i].name, "tokenizer_config.json") == 0) config = m->folder.files[i].root;
    const base_json *text = template_of(base_json_get(config, "chat_template"));
    if (!text) {
        BASE_TRY(hf_folder_json(&m->folder, "chat_template.json", &config, report));
        text = template_of(base_json_get(config, "chat_template"));
    }
    if (text) gguf_put_string(&m->head, "tokenizer.chat_template", text->text, text->size);
    return WISP_OK;
}

static void put_general(hf_model *m)
{
    char *real = os_real_path(m->folder.path, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL, *name = slash && slash[1] ? slash + 1 : "model";
    const planned *p = m->plan;
    uint32_t type = 0; /* of the last matrix: one of a layer */
    for (size_t i = 0; i < m->plan_count; i++)
        if (p[i].dims > 1 && p[i].type != WISP_F32) type = p[i].type == WISP_F16 ? MIXED_F16 : MIXED_BF16;
    gguf_put_string(&m->head, "general.name", name, strlen(name));
    gguf_put_u32(&m->head, "general.file_type", type);
    base_free(real);
}

static wisp_status collect_files(hf_model *m, wisp_report *report)
{
    m->file_count = m->folder.file_count + m->tensors.map_count;
    m->files = base_calloc(m->file_count, sizeof *m->files);
    if (!m->files) return no_memory(report);
    for (size_t i = 0; i < m->file_count; i++) {
        const os_map *map =
            i < m->folder.file_count ? &m->folder.files[i].map : &m->tensors.maps[i - m->folder.file_count];
        m->files[i] = (base_span){map->data, (size_t)map->size};
        m->file_bytes += map->size;
    }
    return WISP_OK;
}

static wisp_status open_all(hf_model *m, const char *path, wisp_report *report)
{
    uint64_t rows = 0, widest = 0;
    BASE_TRY(read_folder(m, path, report));
    BASE_TRY(hf_config_put(&m->config, &m->head, report));
    BASE_TRY(plan_tensors(m, report));
    put_general(m);
    for (size_t i = 0; i < m->part_count; i++) {
        const hf_matrix *part = &m->parts[i];
        if (part->cols > widest) widest = part->cols;
        if (strstr(part->weight->name, "embed_tokens.")) rows = part->rows;
    }
    if (rows > VOCAB_TOKENS_MAX)
        return base_fail(report, WISP_E_LIMIT, "more than %d rows of embeddings", VOCAB_TOKENS_MAX);
    BASE_TRY(hf_vocabulary(&m->folder, &m->config, (uint32_t)rows, &m->vocabulary, &m->token_count, &m->head, report));
    BASE_TRY(put_template(m, report));
    if (widest > SIZE_MAX / sizeof(float) || !(m->row = base_alloc((size_t)widest * sizeof(float))))
        return no_memory(report);
    gguf_head_write(&m->head, &m->head_bytes);
    if (m->head_bytes.failed || m->vocabulary.failed) return no_memory(report);
    m->gguf_bytes = m->head_bytes.size + m->head.data_bytes;
    const base_span head = {m->head_bytes.data, m->head_bytes.size};
    BASE_TRY(compile_gguf_open(&m->gguf, head, m->gguf_bytes, report));
    return collect_files(m, report);
}

wisp_status hf_model_open(hf_model **result, const char *folder, bool exact, wisp_report *report)
{
    hf_model *m = base_calloc(1, sizeof *m);
    if (!m) return no_memory(report);
    m->exact = exact;
    gguf_head_init(&m->head, ALIGNMENT);
    wisp_status status = open_all(m, folder, report);
    if (status)
        hf_model_close(m);
    else
        *result = m;
    return status;
}

void hf_model_close(hf_model *m)
{
    if (!m) return;
    for (size_t i = 0; i < m->plan_count; i++)
        base_free(m->plan[i].made);
    compile_gguf_close(&m->gguf);
    gguf_head_fini(&m->head);
    base_buffer_fini(&m->head_bytes);
    base_buffer_fini(&m->vocabulary);
    safetensors_close(&m->tensors);
    hf_folder_close(&m->folder);
    base_free(m->used);
    base_free(m->parts);
    base_free(m->plan);
    base_free(m->bytes);
    base_free(m->row);
    base_free(m->files);
    base_free(m);
}

/* ---- content ---- */

/* Row r of a head whose rows go from halves to pairs is row … of the original. */
static uint64_t unpaired(uint64_t row, uint64_t rows, uint32_t heads)
{
    if (heads == 0) return row;
    const uint64_t size = rows / heads, head = row / size, at = row % size;
    return head * size + at % 2 * (size / 2) + at / 2;
}

static wisp_status check_finite(const hf_model *m, const hf_matrix *part, uint64_t row, bool half, wisp_report *report)
{
    for (uint64_t i = 0; i < part->cols; i++) {
        if (!isfinite(m->row[i]))
            return base_fail(report, WISP_E_INPUT, "tensor '%.80s': element %llu of row %llu is not a finite number",
                             part->weight->name, (unsigned long long)i, (unsigned long long)row);
        if (half && fabsf(m->row[i]) > 65504)
            return base_fail(report, WISP_E_INPUT, "tensor '%.80s': row %llu does not fit F16 (-t BF16 packs it)",
                             part->weight->name, (unsigned long long)row);
    }
    return WISP_OK;
}

static uint16_t to_bf16(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16); /* to the nearest, ties to even */
}

static void store_row(const float *row, uint64_t cols, uint32_t type, uint8_t *out)
{
    if (type == WISP_F32) {
        memcpy(out, row, (size_t)cols * 4);
        return;
    }
    for (uint64_t i = 0; i < cols; i++) {
        const uint16_t v = type == WISP_F16 ? fit_to_half(row[i]) : to_bf16(row[i]);
        memcpy(out + 2 * i, &v, 2);
    }
}

static wisp_status make_matrix(const hf_model *m, const hf_matrix *part, const planned *p, uint8_t *out,
                               wisp_report *report)
{
    const uint64_t row_bytes = part->cols * (p->type == WISP_F32 ? 4 : 2);
    const bool as_it_is = part->kind == HF_PLAIN && part->weight->bytes.size == part->rows * row_bytes;
    for (uint64_t row = 0; row < part->rows; row++, out += row_bytes) {
        const uint64_t from = unpaired(row, part->rows, p->heads);
        if (as_it_is) {
            memcpy(out, part->weight->bytes.data + from * row_bytes, (size_t)row_bytes);
            continue;
        }
        hf_matrix_row(part, from, m->row);
        BASE_TRY(check_finite(m, part, from, p->type == WISP_F16, report));
        store_row(m->row, part->cols, p->type, out);
    }
    return WISP_OK;
}

static void make_vector(const hf_model *m, const hf_matrix *part, const planned *p, uint8_t *out)
{
    const bool plus_one = (p->flags & HF_NORM) && (m->config.family->flags & HF_NORM_LESS_ONE);
    for (uint64_t i = 0; i < part->cols; i++) {
        float v;
        safetensors_floats(part->weight, unpaired(i, part->cols, p->heads), 1, &v);
        if (plus_one) v += 1;
        memcpy(out + 4 * i, &v, 4);
    }
}

/* One plain matrix whose rows stay where they are is in the file as it is wanted. */
static bool is_stored_so(const hf_model *m, const planned *p)
{
    const hf_matrix *part = &m->parts[p->first];
    return !p->made && !p->vector && p->count == 1 && p->heads == 0 && part->kind == HF_PLAIN &&
           part->weight->bytes.size == part->rows * part->cols * (p->type == WISP_F32 ? 4 : 2);
}

static wisp_status tensor_bytes(void *self, const compile_gguf_tensor *t, base_span *bytes, wisp_report *report)
{
    hf_model *m = self;
    const planned *p = &m->plan[t - m->gguf.tensors];
    if (p->made || is_stored_so(m, p)) {
        *bytes = p->made ? (base_span){(const uint8_t *)p->made, (size_t)t->size} : m->parts[p->first].weight->bytes;
        return WISP_OK;
    }
    if (t->size > m->room) {
        base_free(m->bytes);
        m->room = 0;
        m->bytes = base_alloc((size_t)t->size);
        if (!m->bytes)
            return base_fail(report, WISP_E_MEMORY, "tensor '%s': out of memory for %llu bytes", t->text,
                             (unsigned long long)t->size);
        m->room = (size_t)t->size;
    }
    for (size_t i = 0; i < p->count; i++) {
        uint8_t *out = m->bytes + t->size / p->count * i;
        if (p->vector)
            make_vector(m, &m->parts[p->first + i], p, out);
        else
            BASE_TRY(make_matrix(m, &m->parts[p->first + i], p, out, report));
    }
    *bytes = (base_span){m->bytes, (size_t)t->size};
    return WISP_OK;
}

compile_source hf_model_source(hf_model *m)
{
    return (compile_source){.gguf = &m->gguf,
                            .gguf_bytes = m->gguf_bytes,
                            .vocabulary = {m->vocabulary.data, m->vocabulary.size},
                            .token_count = m->token_count,
                            .files = m->files,
                            .file_count = m->file_count,
                            .file_bytes = m->file_bytes,
                            .self = m,
                            .tensor = tensor_bytes};
}
