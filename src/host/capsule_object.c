/* Opening capsules and raw models. */
#include <string.h>

#include "base/mem.h"
#include "base/model.h"
#include "compile/compile.h"
#include "host/host.h"
#include "host/sized.h"

base_span host_engine(void)
{
    return (base_span){host_engine_bytes, host_engine_size};
}

static wisp_status open_parsed(wisp_capsule *c, base_span bytes, wisp_report *report)
{
    BASE_TRY(capsule_open(&c->parsed, bytes, report));
    return wasm_module_new(&c->module, bytes, NULL, report);
}

/* The machine runs the code where it lies, so what was checked must not change afterwards: everything before the
 * weights gets pages of its own, and is checked there. A first look tells how far that is. */
static wisp_status open_mapped(wisp_capsule *c, wisp_report *report)
{
    base_span bytes = {c->map.data, c->map.size};
    base_model_head head;
    BASE_TRY(capsule_open(&c->parsed, bytes, report));
    BASE_TRY(base_model_read(&head, c->parsed.segments[0], report));
    uint64_t checked = (uint64_t)(c->parsed.segments[0].data - bytes.data) + head.head_bytes;
    capsule_close(&c->parsed);
    BASE_TRY(os_map_detach(&c->map, checked, report));
    return open_parsed(c, bytes, report);
}

/* Made of this model by this program? Whoever can write to the cache could put another capsule there. */
static bool is_ours(const wisp_capsule *c, const char *source)
{
    uint8_t digest[32];
    os_file_info info;
    return capsule_engine_digest(host_engine(), digest, NULL) == WISP_OK &&
           memcmp(digest, c->parsed.engine_sha256, sizeof digest) == 0 && os_stat(source, &info) &&
           info.size == c->parsed.info.source_bytes;
}

/* A raw model: a capsule of it is made once and kept. The cached file is the product of this program, but is checked
 * like any other; a damaged one is made again. */
static wisp_status open_model(wisp_capsule *c, const char *path, const wisp_open_options *options, wisp_report *report)
{
    char cached[HOST_PATH_MAX];
    BASE_TRY(host_cache_path(cached, path, report));
    os_file_info info;
    if (os_stat(cached, &info) && os_map_file_info(&c->map, &c->identity, cached, NULL) == WISP_OK) {
        if (open_mapped(c, NULL) == WISP_OK && is_ours(c, path)) return WISP_OK;
        wasm_module_free(c->module);
        c->module = NULL;
        capsule_close(&c->parsed);
        os_unmap(&c->map);
    }
    const wisp_pack_options pack = {.size = sizeof pack,
                                    .input = path,
                                    .output = cached,
                                    .progress = options->progress,
                                    .progress_context = options->progress_context};
    BASE_TRY(wisp_pack(&pack, report));
    BASE_TRY(os_map_file_info(&c->map, &c->identity, cached, report));
    return open_mapped(c, report);
}

/* In pages of its own, since a capsule's alignments count from the start of a page, as in a mapped file. */
static wisp_status open_vocabulary(wisp_capsule *c, const os_map *model, const char *path, wisp_report *report)
{
    base_buffer bytes = {0};
    compile_options options = {.engine = host_engine(), .engine_version = WISP_VERSION, .vocabulary_only = true};
    wisp_status status = compile_to_memory(&bytes, (base_span){model->data, model->size}, path, &options, report);
    if (status == WISP_OK && !(c->pages = os_pages(bytes.size, false)))
        status = base_fail(report, WISP_E_MEMORY, "%s: out of memory", path);
    if (status == WISP_OK) {
        c->pages_size = bytes.size;
        memcpy(c->pages, bytes.data, bytes.size);
    }
    base_buffer_fini(&bytes);
    return status == WISP_OK ? open_parsed(c, (base_span){c->pages, c->pages_size}, report) : status;
}

static wisp_status open_file(wisp_capsule *c, const char *path, const wisp_open_options *options, wisp_report *report)
{
    os_map map;
    os_file_info identity;
    if (os_stat(path, &identity) && identity.is_directory)
        return base_fail(report, WISP_E_UNSUPPORTED,
                         "%s: a folder; `wisp pack %s -o FILE.wasm` makes a capsule of the model in it", path, path);
    BASE_TRY(os_map_file_info(&map, &identity, path, report));
    base_span bytes = {map.data, map.size};
    wisp_status status;
    if (!compile_probe(bytes)) { /* capsule_open says what is wrong with anything else */
        c->map = map;
        c->identity = identity;
        status = open_mapped(c, report);
        return status == WISP_OK ? status : base_fail_prefix(report, status, path);
    }
    if (options->vocabulary_only)
        status = open_vocabulary(c, &map, path, report);
    else
        status = open_model(c, path, options, report);
    os_unmap(&map);
    return status;
}

wisp_status wisp_open(wisp_capsule **result, const char *path, const wisp_open_options *options, wisp_report *report)
{
    wisp_open_options own;
    if (!result || !path) return base_fail(report, WISP_E_USAGE, "wisp_open: no result or no path given");
    BASE_TRY(host_take_options(&own, sizeof own, options, "wisp_open_options", report));
    wisp_capsule *c = base_calloc(1, sizeof *c);
    if (!c) return base_fail(report, WISP_E_MEMORY, "out of memory");
    wisp_status status = open_file(c, path, &own, report);
    if (status != WISP_OK) {
        wisp_close(c);
        return status;
    }
    *result = c;
    return WISP_OK;
}

void wisp_close(wisp_capsule *c)
{
    if (!c) return;
    wasm_module_free(c->module);
    capsule_close(&c->parsed);
    os_unmap(&c->map);
    os_release(c->pages, c->pages_size);
    base_free(c);
}

const char *wisp_capsule_manifest(const wisp_capsule *c, size_t *size)
{
    if (size) *size = c ? c->parsed.manifest.size : 0;
    return c ? (const char *)c->parsed.manifest.data : NULL;
}

wisp_status wisp_capsule_verify(const wisp_capsule *c, wisp_progress progress, void *context, wisp_report *report)
{
    if (!c) return base_fail(report, WISP_E_USAGE, "wisp_capsule_verify: no capsule given");
    return capsule_verify_weights(&c->parsed, progress, context, report);
}

uint64_t wisp_capsule_file_bytes(const wisp_capsule *c)
{
    return c ? c->parsed.file.size : 0;
}

uint64_t wisp_capsule_weight_bytes(const wisp_capsule *c)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; c && i < c->parsed.tensor_count; i++)
        bytes += c->parsed.tensors[i].size;
    return bytes;
}
