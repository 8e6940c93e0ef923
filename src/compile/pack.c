/* GGUF or a Hugging Face model's folder -> capsule. The front end makes the program, the weights are placed, then
 * everything streams out once; a second thread takes the digests meanwhile. */
#include <string.h>

#include "base/mem.h"
#include "base/model.h"
#include "compile/arch/arch.h"
#include "compile/compile.h"
#include "compile/convert.h"
#include "compile/digest.h"
#include "compile/hf_model.h"
#include "compile/merge_experts.h"
#include "compile/quantize.h"
#include "os/os.h"
#include "tensor/layout.h"

enum { GGUF_MAGIC = 0x46554747 };

typedef struct packing {
    const compile_options *options;
    const char *source_name;
    const base_span *files; /* that the source is made of: what the manifest has the digest of */
    size_t file_count;
    uint64_t file_bytes;
    const compile_source *source;
    const compile_gguf *gguf; /* the source's */
    compile_builder builder;
    base_buffer vocabulary, program, info_text, head;
    capsule_plan plan;
    uint32_t *order; /* weight of each tensor of the plan */
    capsule_writer *writer;
    compile_digester *digester;
    uint64_t done; /* bytes of the input */
} packing;

bool compile_probe(base_span head)
{
    base_reader r = base_reader_of(head.data, head.size);
    return base_read_u32(&r) == GGUF_MAGIC;
}

/* ---- what the file says about itself ---- */

static const char *keep_key(packing *p, const char *key)
{
    base_span text = {NULL, 0};
    compile_builder *b = &p->builder;
    if (!b->status) b->status = compile_gguf_string(p->gguf, key, &text, b->report);
    return text.data ? compile_keep_text(b, text) : NULL;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The file's name without .gguf. */
static const char *name_of_file(packing *p)
{
    const char *name = base_name(p->source_name);
    size_t n = strlen(name);
    if (n > 5 && strcmp(name + n - 5, ".gguf") == 0) n -= 5;
    return compile_keep_text(&p->builder, (base_span){(const uint8_t *)name, n});
}

/* The type of most matrix elements names the quantization. */
static const char *main_type(const compile_gguf *g)
{
    const compile_gguf_type *best = NULL;
    uint64_t most = 0;
    for (uint64_t i = 0; i < g->tensor_count; i++) {
        uint64_t sum = 0;
        if (best && g->tensors[i].type == best->type) continue;
        for (uint64_t k = i; k < g->tensor_count; k++)
            if (g->tensors[k].type == g->tensors[i].type && __builtin_add_overflow(sum, g->tensors[k].elements, &sum))
                sum = UINT64_MAX;
        if (sum <= most) continue;
        most = sum;
        best = compile_gguf_type_find(g->tensors[i].type);
    }
    return best ? best->name : NULL;
}

static void describe(packing *p)
{
    const compile_options *o = p->options;
    capsule_info *i = &p->plan.info;
    const char *name = keep_key(p, "general.name"), *version = keep_key(p, "general.version");
    const char *license = keep_key(p, "general.license");
    i->name = o->name ? o->name : name && *name ? name : name_of_file(p);
    i->version = o->version ? o->version : version && *version ? version : "1";
    i->license = o->license ? o->license : license;
    i->source_file = base_name(p->source_name);
    i->source_bytes = p->file_bytes;
    i->engine_version = o->engine_version;
    i->architecture = p->builder.architecture;
    i->context_length = p->builder.context_length;
    for (uint64_t n = 0; n < p->gguf->tensor_count; n++)
        i->parameters += p->gguf->tensors[n].elements; /* each fits in the file: no overflow within 2^16 tensors */
    i->quantization = main_type(p->gguf);
}

static void put_member(base_buffer *b, const char *key, const char *text)
{
    base_putf(b, "%s\"%s\":", b->size > 1 ? "," : "", key);
    if (text)
        base_json_put_cstr(b, text);
    else
        base_put_text(b, "null");
}

/* MODEL_SECTION_INFO: what the engine tells and needs. */
static void write_info(packing *p)
{
    base_span chat = {NULL, 0};
    compile_builder *b = &p->builder;
    if (!b->status) b->status = compile_gguf_string(p->gguf, "tokenizer.chat_template", &chat, b->report);
    base_buffer *out = &p->info_text;
    base_put_text(out, "{");
    put_member(out, "name", p->plan.info.name);
    put_member(out, "architecture", p->plan.info.architecture);
    base_putf(out, ",\"context_length\":%u", (unsigned)b->context_length);
    put_member(out, "quantization", p->plan.info.quantization);
    if (chat.data) {
        base_put_text(out, ",\"chat_template\":");
        base_json_put_string(out, (const char *)chat.data, chat.size);
    }
    base_put_text(out, "}");
}

/* ---- program and placement ---- */

static wisp_status build_program(packing *p, uint32_t token_count)
{
    compile_builder *b = &p->builder;
    const compile_arch *arch = compile_arch_find(b->architecture);
    if (!arch)
        return base_fail(b->report, WISP_E_UNSUPPORTED,
                         "key 'general.architecture': '%s' is not supported (the nearest known is '%s')",
                         b->architecture, compile_arch_nearest(b->architecture)->name);
    const compile_gguf_tensor *embeddings = compile_gguf_find_tensor(p->gguf, "token_embd.weight");
    if (embeddings && embeddings->shape[1] != token_count)
        return base_fail(b->report, WISP_E_INPUT,
                         "tensor 'token_embd.weight' has %llu rows, but the tokenizer has %u tokens",
                         (unsigned long long)embeddings->shape[1], (unsigned)token_count);
    b->vocab_size = token_count;
    arch->build(b);
    return b->status ? b->status : compile_order_weights(b, &p->plan.tensors, &p->order);
}

static wisp_status write_head(packing *p, uint32_t segments)
{
    compile_builder *b = &p->builder;
    base_span sections[MODEL_SECTIONS_MAX] = {
        [MODEL_SECTION_VOCAB] = {p->vocabulary.data, p->vocabulary.size},
        [MODEL_SECTION_INFO] = {p->info_text.data, p->info_text.size},
    };
    uint64_t weights_bytes = 0;
    base_buffer_fini(&p->program);
    if (segments) {
        BASE_TRY(compile_write_program(b, &p->program, p->plan.tensors, p->order, segments));
        sections[MODEL_SECTION_PROGRAM] = (base_span){p->program.data, p->program.size};
    }
    for (uint32_t i = 0; i < p->plan.tensor_count && p->plan.tensors[i].segment == 0; i++)
        weights_bytes = p->plan.tensors[i].offset + p->plan.tensors[i].size - p->head.size;
    base_buffer_fini(&p->head);
    base_model_write(&p->head, sections, weights_bytes);
    if (p->head.failed || p->info_text.failed) return base_fail(b->report, WISP_E_MEMORY, "out of memory");
    p->plan.head = (base_span){p->head.data, p->head.size};
    return WISP_OK;
}

/* The program names the weights' places, which depend on the head's size, which depends on the program's: its size does
 * not change with the places, only with their segments' number, so two or three rounds settle it. */
static wisp_status place_weights(packing *p)
{
    compile_builder *b = &p->builder;
    uint32_t segments = 1, found;
    p->plan.tensor_count = b->weight_count;
    for (;;) {
        BASE_TRY(write_head(p, segments));
        BASE_TRY(capsule_place(p->plan.tensors, p->plan.tensor_count, p->head.size, p->options->segment_limit, &found,
                               b->report));
        if (found <= segments) break;
        segments = found;
    }
    return write_head(p, segments);
}

static wisp_status read_vocabulary(packing *p, uint32_t *token_count, wisp_report *report)
{
    const base_span ready = p->source->vocabulary;
    if (!ready.data) return compile_vocabulary(&p->vocabulary, token_count, p->gguf, report);
    base_put(&p->vocabulary, ready.data, ready.size);
    *token_count = p->source->token_count;
    return p->vocabulary.failed ? base_fail(report, WISP_E_MEMORY, "out of memory for the vocabulary") : WISP_OK;
}

static wisp_status prepare(packing *p, wisp_report *report)
{
    uint32_t token_count = 0;
    bool weights = p->gguf->tensor_count > 0 && !p->options->vocabulary_only;
    BASE_TRY(compile_builder_init(&p->builder, p->source, report));
    BASE_TRY(read_vocabulary(p, &token_count, report));
    if (weights) BASE_TRY(build_program(p, token_count));
    describe(p);
    write_info(p);
    if (p->builder.status) return p->builder.status;
    BASE_TRY(weights ? place_weights(p) : write_head(p, 0));
    p->plan.engine = p->options->engine;
    p->plan.digests_given = true;
    p->plan.gguf = (base_span){p->gguf->file.data, (size_t)p->gguf->infos_end};
    return WISP_OK;
}

static void finish(packing *p)
{
    capsule_writer_free(p->writer);
    compile_builder_fini(&p->builder);
    base_buffer_fini(&p->vocabulary);
    base_buffer_fini(&p->program);
    base_buffer_fini(&p->info_text);
    base_buffer_fini(&p->head);
}

/* ---- streaming ---- */

static wisp_status tell_progress(const packing *p, wisp_report *report)
{
    const compile_options *o = p->options;
    if (o->quantize || !o->progress || o->progress(o->progress_context, p->done, p->source->gguf_bytes)) return WISP_OK;
    return base_fail(report, WISP_E_CANCELLED, "cancelled");
}

static wisp_status put_piece(void *self, const void *data, size_t size, uint64_t source_bytes, wisp_report *report)
{
    packing *p = self;
    compile_digester_put(p->digester, data, size);
    BASE_TRY(capsule_writer_put(p->writer, data, size, report));
    p->done += source_bytes;
    return tell_progress(p, report);
}

static wisp_status stream(packing *p, const capsule_sink *sink, wisp_report *report)
{
    const compile_put to = {p, put_piece};
    BASE_TRY(capsule_writer_begin(&p->writer, &p->plan, sink, report));
    for (uint32_t i = 0; i < p->plan.tensor_count; i++) {
        BASE_TRY(compile_stream_weight(p->source, &p->builder.weights[p->order[i]], &to, report));
        compile_digester_next(p->digester, p->plan.tensors[i].sha256);
    }
    return WISP_OK;
}

static void fill_result(const packing *p, const uint8_t source_sha256[32], compile_result *result)
{
    if (!result) return;
    *result = (compile_result){.input_bytes = p->file_bytes, .tensor_count = (uint32_t)p->gguf->tensor_count};
    memcpy(result->source_sha256, source_sha256, 32);
    for (uint32_t i = 0; i < result->tensor_count; i++)
        result->unused_count += !p->builder.weights[i].used;
}

static wisp_status pack_to(packing *p, const capsule_sink *sink, compile_result *result, wisp_report *report)
{
    uint8_t source_sha256[32];
    BASE_TRY(prepare(p, report));
    BASE_TRY(compile_digester_start(&p->digester, p->files, p->file_count, report));
    wisp_status status = stream(p, sink, report);
    compile_digester_finish(p->digester, status ? NULL : source_sha256);
    if (!status) status = capsule_writer_end(p->writer, source_sha256, report);
    p->done = p->source->gguf_bytes; /* padding and unused bytes included */
    if (!status) status = tell_progress(p, report);
    if (!status) fill_result(p, source_sha256, result);
    return status;
}

static wisp_status pack_source(packing *p, const compile_source *source, const capsule_sink *sink,
                               compile_result *result, wisp_report *report)
{
    p->source = source;
    p->gguf = source->gguf;
    wisp_status status = pack_to(p, sink, result, report);
    finish(p);
    return status;
}

static wisp_status pack_quantized(packing *p, const compile_source *from, const capsule_sink *sink,
                                  compile_result *result, wisp_report *report)
{
    quantizer *q;
    BASE_TRY(quantizer_new(&q, from, p->options->quantize, report));
    const compile_source source = quantizer_source(q);
    wisp_status status = pack_source(p, &source, sink, result, report);
    quantizer_free(q);
    return status;
}

static wisp_status pack_either(packing *p, const compile_source *source, const capsule_sink *sink,
                               compile_result *result, wisp_report *report)
{
    return p->options->quantize ? pack_quantized(p, source, sink, result, report)
                                : pack_source(p, source, sink, result, report);
}

static wisp_status pack_span(base_span bytes, const char *source_name, const compile_options *options,
                             const capsule_sink *sink, compile_result *result, wisp_report *report)
{
    compile_gguf g;
    packing p = {.options = options,
                 .source_name = source_name ? source_name : "",
                 .files = &bytes,
                 .file_count = 1,
                 .file_bytes = bytes.size};
    BASE_TRY(compile_gguf_open(&g, bytes, bytes.size, report));
    const compile_source file = compile_source_of(&g);
    expert_merger *merger;
    wisp_status status = expert_merger_new(&merger, &file, report);
    if (!status) {
        const compile_source source = merger ? expert_merger_source(merger) : file;
        status = pack_either(&p, &source, sink, result, report);
    }
    expert_merger_free(merger);
    compile_gguf_close(&g);
    return status;
}

static wisp_status pack_folder(const char *folder, const compile_options *options, const capsule_sink *sink,
                               compile_result *result, wisp_report *report)
{
    hf_model *m;
    BASE_TRY(hf_model_open(&m, folder, options->quantize != NULL, report));
    const compile_source source = hf_model_source(m);
    packing p = {.options = options,
                 .source_name = folder,
                 .files = source.files,
                 .file_count = source.file_count,
                 .file_bytes = source.file_bytes};
    wisp_status status = pack_either(&p, &source, sink, result, report);
    hf_model_close(m);
    return status;
}

/* ---- where it goes ---- */

static wisp_status write_file(void *self, const void *data, size_t size, wisp_report *report)
{
    return os_output_write(self, data, size, report);
}

static wisp_status write_file_at(void *self, uint64_t offset, const void *data, size_t size, wisp_report *report)
{
    return os_output_write_at(self, offset, data, size, report);
}

/* `map` NULL: a folder. */
static wisp_status pack_to_file(const os_map *map, const compile_pack_options *options, compile_result *result,
                                wisp_report *report)
{
    os_output *out;
    BASE_TRY(os_output_open(&out, options->output, report));
    const capsule_sink sink = {out, write_file, write_file_at};
    wisp_status status = map ? pack_span((base_span){map->data, (size_t)map->size}, options->input, &options->common,
                                         &sink, result, report)
                             : pack_folder(options->input, &options->common, &sink, result, report);
    if (status) {
        os_output_abort(out);
        return status == WISP_E_IO ? status : base_fail_prefix(report, status, options->input);
    }
    if (result) result->output_bytes = os_output_offset(out);
    return os_output_commit(out, report);
}

wisp_status compile_pack(const compile_pack_options *options, compile_result *result, wisp_report *report)
{
    os_file_info info;
    os_map map;
    if (os_stat(options->input, &info) && info.is_directory) return pack_to_file(NULL, options, result, report);
    BASE_TRY(os_map_file(&map, options->input, report));
    wisp_status status = pack_to_file(&map, options, result, report);
    os_unmap(&map);
    return status;
}

static wisp_status write_memory(void *self, const void *data, size_t size, wisp_report *report)
{
    base_buffer *b = self;
    base_put(b, data, size);
    return b->failed ? base_fail(report, WISP_E_MEMORY, "out of memory for the capsule") : WISP_OK;
}

static wisp_status write_memory_at(void *self, uint64_t offset, const void *data, size_t size, wisp_report *report)
{
    base_buffer *b = self;
    (void)report;
    BASE_ASSERT(offset <= b->size && size <= b->size - offset);
    memcpy(b->data + offset, data, size);
    return WISP_OK;
}

wisp_status compile_to_memory(base_buffer *out, base_span gguf, const char *source_name, const compile_options *options,
                              wisp_report *report)
{
    const capsule_sink sink = {out, write_memory, write_memory_at};
    wisp_status status = pack_span(gguf, source_name, options, &sink, NULL, report);
    return status && source_name ? base_fail_prefix(report, status, source_name) : status;
}
