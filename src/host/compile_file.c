/* wisp compile: native code into a file. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "host/host.h"
#include "host/native.h"
#include "host/sized.h"

typedef struct compiler {
    const wisp_compile_options *options;
    wisp_compile_result result;
    base_span file;
    wasm_module *module;
    base_buffer skeleton;
    uint32_t *replaceable;
    uint32_t replaceable_count;
    uint32_t targets[WISP_COMPILE_TARGETS_MAX];
    uint32_t target_count, done; /* targets */
    base_buffer images[WISP_COMPILE_TARGETS_MAX];
} compiler;

/* ---- what for ---- */

static wisp_status add_target(compiler *c, const char *name, size_t size, wisp_report *report)
{
    bool native = size == 6 && memcmp(name, "native", 6) == 0;
    uint32_t target = native ? wasm_native_best_target() : wasm_native_target_of(name, size);
    if (!target && native)
        return base_fail(report, WISP_E_UNSUPPORTED, "this CPU is not one that native code is made for");
    if (!target)
        return base_fail(report, WISP_E_USAGE,
                         "there is no target '%.*s': x86-64-v2, x86-64-v3, x86-64-v4, aarch64, native",
                         (int)(size < 40 ? size : 40), name);
    for (uint32_t i = 0; i < c->target_count; i++)
        if (c->targets[i] == target) return WISP_OK;
    c->targets[c->target_count++] = target; /* there are no more than that */
    return WISP_OK;
}

static wisp_status read_targets(compiler *c, wisp_report *report)
{
    const char *list = c->options->targets ? c->options->targets : "native";
    for (const char *at = list;; at++) {
        size_t size = strcspn(at, ",");
        BASE_TRY(add_target(c, at, size, report));
        at += size;
        if (!*at) return WISP_OK;
    }
}

/* A capsule's device functions may be replaced; other modules have none. */
static wisp_status read_replaceable(compiler *c, wisp_report *report)
{
    capsule parsed;
    if (!capsule_probe(c->file)) return WISP_OK;
    BASE_TRY(capsule_open(&parsed, c->file, report));
    c->replaceable_count = parsed.intrinsic_count;
    wisp_status status = host_replaceable(&c->replaceable, &parsed, report);
    capsule_close(&parsed);
    return status;
}

static wisp_status check_input(compiler *c, wisp_report *report)
{
    BASE_TRY(wasm_module_new(&c->module, c->file, NULL, report));
    if (wasm_module_custom(c->module, "signature", 0))
        return base_fail(report, WISP_E_INPUT,
                         "it is signed, and the signature would not cover the native code: compile the file as it was "
                         "before signing, then sign");
    BASE_TRY(read_replaceable(c, report));
    return wasm_module_skeleton(&c->skeleton, c->module, report);
}

/* ---- compiling ---- */

static bool step(void *context, uint64_t done, uint64_t total)
{
    const compiler *c = context;
    const wisp_compile_options *o = c->options;
    return !o->progress || o->progress(o->progress_context, c->done * total + done, c->target_count * total);
}

static wisp_status compile_target(compiler *c, uint32_t index, wisp_report *report)
{
    const host_compile_job job = {.module = {c->skeleton.data, c->skeleton.size},
                                  .options = {.target = c->targets[index],
                                              .flags = (c->options->fuel ? WASM_NATIVE_FUEL : 0) |
                                                       (c->options->explicit_checks ? WASM_NATIVE_EXPLICIT_CHECKS : 0),
                                              .replaceable = c->replaceable,
                                              .replaceable_count = c->replaceable_count},
                                  .threads = c->options->threads,
                                  .progress = step,
                                  .context = c};
    uint64_t begin = os_monotonic_ns();
    wasm_native_wanted wanted = {.target = job.options.target, .flags = job.options.flags};
    wasm_module_code_digest(c->module, c->replaceable, c->replaceable_count, wanted.module);
    wisp_status status = host_compile(&c->images[index], &job, report);
    const base_span image = {c->images[index].data, c->images[index].size};
    if (status == WISP_OK) status = wasm_native_check(image, &wanted, report);
    if (status != WISP_OK) return base_fail_prefix(report, status, c->options->input);
    c->done++;
    c->result.targets[c->result.target_count++] = (wisp_compiled_target){
        .name = wasm_native_target_name(c->targets[index]),
        .bytes = c->images[index].size,
        .ns = os_monotonic_ns() - begin,
    };
    return WISP_OK;
}

/* ---- writing ---- */

static wisp_status put(os_output *out, const void *data, size_t size, wisp_report *report)
{
    enum { PIECE = 16 << 20 };
    for (const uint8_t *p = data; size;) {
        size_t n = size < PIECE ? size : PIECE;
        BASE_TRY(os_output_write(out, p, n, report));
        p += n;
        size -= n;
    }
    return WISP_OK;
}

static void section_name(char out[40], uint32_t target)
{
    snprintf(out, 40, HOST_NATIVE_SECTION "%s", wasm_native_target_name(target));
}

static bool is_replaced(const compiler *c, const wasm_section_info *s)
{
    for (uint32_t i = 0; s->id == 0 && i < c->target_count; i++) {
        char name[40];
        section_name(name, c->targets[i]);
        if (s->name.size == strlen(name) && memcmp(s->name.data, name, s->name.size) == 0) return true;
    }
    return false;
}

/* All but the sections that are made anew, each as it was, so that nothing before them moves. */
static wisp_status put_old(const compiler *c, os_output *out, wisp_report *report)
{
    const uint32_t count = wasm_module_section_count(c->module);
    BASE_TRY(put(out, c->file.data, 8, report));
    for (uint32_t i = 0; i < count; i++) {
        const wasm_section_info *s = wasm_module_section(c->module, i);
        const uint64_t end = i + 1 < count ? wasm_module_section(c->module, i + 1)->offset : c->file.size;
        if (!is_replaced(c, s)) BASE_TRY(put(out, c->file.data + s->offset, (size_t)(end - s->offset), report));
    }
    return WISP_OK;
}

/* Heads of the shortest form, as signatures want them. */
static wisp_status put_image(os_output *out, uint32_t target, const base_buffer *image, wisp_report *report)
{
    char name[40];
    base_buffer head = {0}, title = {0};
    section_name(name, target);
    base_put_leb_u32(&title, (uint32_t)strlen(name));
    base_put_text(&title, name);
    base_put_u8(&head, 0);
    base_put_leb_u32(&head, (uint32_t)(title.size + image->size));
    base_put(&head, title.data, title.size);
    wisp_status status = head.failed || title.failed ? base_fail(report, WISP_E_MEMORY, "out of memory")
                                                     : put(out, head.data, head.size, report);
    base_buffer_fini(&head);
    base_buffer_fini(&title);
    return status == WISP_OK ? put(out, image->data, image->size, report) : status;
}

static wisp_status write_file(const compiler *c, wisp_report *report)
{
    os_output *out;
    BASE_TRY(os_output_open(&out, c->options->output, report));
    wisp_status status = put_old(c, out, report);
    for (uint32_t i = 0; status == WISP_OK && i < c->target_count; i++)
        status = put_image(out, c->targets[i], &c->images[i], report);
    if (status == WISP_OK) return os_output_commit(out, report);
    os_output_abort(out);
    return status;
}

static wisp_status run(compiler *c, wisp_report *report)
{
    BASE_TRY(read_targets(c, report));
    wisp_status status = check_input(c, report);
    if (status != WISP_OK) return base_fail_prefix(report, status, c->options->input);
    c->result.functions = wasm_module_func_count(c->module) - wasm_module_imported_func_count(c->module);
    for (uint32_t i = 0; i < c->target_count; i++)
        BASE_TRY(compile_target(c, i, report));
    return write_file(c, report);
}

wisp_status wisp_compile(const wisp_compile_options *options, wisp_compile_result *result, wisp_report *report)
{
    wisp_compile_options own;
    BASE_TRY(host_take_options(&own, sizeof own, options, "wisp_compile_options", report));
    if (result) BASE_TRY(host_check_result(result, "wisp_compile_result", report));
    if (!own.input || !own.output) return base_fail(report, WISP_E_USAGE, "wisp_compile: no input or no output given");
    os_map map;
    BASE_TRY(os_map_file(&map, own.input, report));
    compiler c = {.options = &own, .file = {map.data, (size_t)map.size}};
    wisp_status status = run(&c, report);
    if (result) host_give_result(result, &c.result, sizeof c.result);
    for (uint32_t i = 0; i < WISP_COMPILE_TARGETS_MAX; i++)
        base_buffer_fini(&c.images[i]);
    base_buffer_fini(&c.skeleton);
    base_free(c.replaceable);
    wasm_module_free(c.module);
    os_unmap(&map);
    return status;
}
