/* Quantizing, for embedders. */
#include <string.h>

#include "compile/hf_model.h"
#include "host/host.h"
#include "host/quantizing.h"
#include "host/sized.h"

static wisp_status read_options(wisp_quantize_options *o, const wisp_quantize_options *given, wisp_report *report)
{
    BASE_TRY(host_take_options(o, sizeof *o, given, "wisp_quantize_options", report));
    if (!o->type) return base_fail(report, WISP_E_USAGE, "wisp_quantize: no type given");
    return WISP_OK;
}

static wisp_status read_importance(imatrix *m, const char *path, wisp_report *report)
{
    os_map map;
    BASE_TRY(os_map_file(&map, path, report));
    wisp_status status = imatrix_read(m, (base_span){map.data, (size_t)map.size}, report);
    os_unmap(&map);
    return status == WISP_OK ? status : base_fail_prefix(report, status, path);
}

wisp_status host_quantize_options(quantize_options *out, imatrix *m, const wisp_quantize_options *given,
                                  wisp_report *report)
{
    wisp_quantize_options o;
    *m = (imatrix){0};
    BASE_TRY(read_options(&o, given, report));
    if (o.imatrix) BASE_TRY(read_importance(m, o.imatrix, report));
    *out = (quantize_options){
        .choice = {.type = o.type, .output = o.output_type, .embedding = o.embedding_type, .pure = o.pure},
        .importance = o.imatrix ? m : NULL,
        .again = o.requantize,
        .threads = o.threads,
        .progress = o.progress,
        .progress_context = o.progress_context};
    return WISP_OK;
}

static void describe(const compile_gguf *from, const compile_gguf *to, const wisp_quantize_options *o,
                     wisp_quantize_result *result)
{
    *result = (wisp_quantize_result){.tensors = (uint32_t)from->tensor_count};
    for (uint64_t i = 0; i < from->tensor_count; i++) {
        const compile_gguf_tensor *a = &from->tensors[i], *b = &to->tensors[i];
        wisp_quantize_tensor t = {.name = a->text,
                                  .from = compile_gguf_type_find(a->type)->name,
                                  .to = compile_gguf_type_find(b->type)->name,
                                  .dims = a->dims,
                                  .from_bytes = a->size,
                                  .to_bytes = b->size};
        memcpy(t.shape, a->shape, sizeof t.shape);
        result->from_bytes += a->size;
        result->to_bytes += b->size;
        result->elements += a->elements;
        result->changed += a->type != b->type;
        if (o->tensor) o->tensor(o->tensor_context, &t);
    }
}

static wisp_status quantize(const compile_source *from, const wisp_quantize_options *o, wisp_quantize_result *result,
                            wisp_report *report)
{
    quantizer *q;
    quantize_options options;
    imatrix m;
    BASE_TRY(host_quantize_options(&options, &m, o, report));
    wisp_status status = quantizer_new(&q, from, &options, report);
    if (status == WISP_OK) {
        describe(from->gguf, quantizer_source(q).gguf, o, result);
        if (!o->dry_run) status = quantizer_write(q, o->output, report);
        quantizer_free(q);
    }
    imatrix_fini(&m);
    return status;
}

static wisp_status quantize_folder(const wisp_quantize_options *o, wisp_quantize_result *result, wisp_report *report)
{
    hf_model *m;
    BASE_TRY(hf_model_open(&m, o->input, true, report));
    const compile_source from = hf_model_source(m);
    wisp_status status = quantize(&from, o, result, report);
    hf_model_close(m);
    return status;
}

static wisp_status quantize_file(const wisp_quantize_options *o, wisp_quantize_result *result, wisp_report *report)
{
    os_map map;
    compile_gguf g;
    BASE_TRY(os_map_file(&map, o->input, report));
    wisp_status status = compile_gguf_open(&g, (base_span){map.data, (size_t)map.size}, map.size, report);
    if (status == WISP_OK) {
        compile_source from = compile_source_of(&g);
        from.mapped = true;
        status = quantize(&from, o, result, report);
        compile_gguf_close(&g);
    }
    os_unmap(&map);
    return status;
}

wisp_status wisp_quantize(const wisp_quantize_options *given, wisp_quantize_result *result, wisp_report *report)
{
    wisp_quantize_options o;
    wisp_quantize_result own = {0};
    os_file_info info;
    BASE_TRY(read_options(&o, given, report));
    if (result) BASE_TRY(host_check_result(result, "wisp_quantize_result", report));
    if (!o.input || (!o.output && !o.dry_run))
        return base_fail(report, WISP_E_USAGE, "wisp_quantize: an input and an output are needed");
    if (!o.dry_run && host_same_file(o.input, o.output))
        return base_fail(report, WISP_E_USAGE, "%s: input and output are the same file", o.output);
    const bool folder = os_stat(o.input, &info) && info.is_directory;
    wisp_status status = (folder ? quantize_folder : quantize_file)(&o, &own, report);
    if (result) host_give_result(result, &own, sizeof own);
    return status == WISP_OK || status == WISP_E_IO || status == WISP_E_USAGE
               ? status
               : base_fail_prefix(report, status, o.input);
}

const char *wisp_quantize_mix(uint32_t index)
{
    const quantize_mix *mix = quantize_mix_at(index);
    return mix ? mix->name : NULL;
}
