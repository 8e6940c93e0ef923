/* For the build: native code of the standard engine, as it is in every capsule.
 * engine_image ENGINE.wasm TARGET OUTPUT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "capsule/framing.h"
#include "os/os.h"
#include "wasm/native/native_compile.h"

/* The capsule's module without what native code does not depend on: one more data segment than the engine has, all of
 * them empty. */
static void put_capsule(base_buffer *out, const capsule_engine *e)
{
    uint8_t count[CAPSULE_DATA_COUNT_MAX];
    const size_t count_size = capsule_data_count(count, e->segment_count + 1);
    base_put(out, "\0asm\1\0\0", 8);
    for (uint32_t i = 0; i < e->count; i++) {
        const capsule_section *s = &e->sections[i];
        if (s->id == SECTION_CODE) base_put(out, count, count_size);
        if (s->id != SECTION_CUSTOM && s->id != SECTION_DATA_COUNT && s->id != SECTION_DATA)
            base_put(out, s->whole.data, s->whole.size);
    }
    base_buffer segments = {0};
    base_put_leb_u32(&segments, e->segment_count + 1);
    for (uint32_t i = 0; i <= e->segment_count; i++)
        base_put(&segments, "\1", 2);
    base_put_u8(out, SECTION_DATA);
    base_put_leb_u32(out, (uint32_t)segments.size);
    base_put(out, segments.data, segments.size);
    base_buffer_fini(&segments);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static wisp_status list_replaceable(const capsule_engine *e, uint32_t **list, uint32_t *count, wisp_report *report)
{
    base_buffer content = {0};
    capsule_intrinsic *intrinsics;
    BASE_TRY(capsule_intrinsics_write(&content, &e->functions, report));
    BASE_TRY(
        capsule_intrinsics_read(&intrinsics, count, (base_span){content.data, content.size}, &e->functions, report));
    *list = base_realloc_array(NULL, *count, sizeof **list);
    for (uint32_t i = 0; *list && i < *count; i++)
        (*list)[i] = intrinsics[i].function;
    qsort(*list, *count, sizeof **list, ascending);
    base_free(intrinsics);
    base_buffer_fini(&content);
    return *list ? WISP_OK : base_fail(report, WISP_E_MEMORY, "out of memory");
}

static wisp_status make(const char *engine_path, uint32_t target, const char *output, wisp_report *report)
{
    os_map map;
    capsule_engine engine;
    base_buffer bytes = {0}, image = {0};
    os_output *out;
    wasm_module *module;
    wasm_compile_job job = {.options.target = target};
    uint32_t *replaceable;
    BASE_TRY(os_map_file(&map, engine_path, report));
    BASE_TRY(capsule_engine_open(&engine, (base_span){map.data, map.size}, report));
    put_capsule(&bytes, &engine);
    BASE_TRY(list_replaceable(&engine, &replaceable, &job.options.replaceable_count, report));
    job.options.replaceable = replaceable;
    BASE_TRY(wasm_module_new(&module, (base_span){bytes.data, bytes.size}, NULL, report));
    job.module = module;
    BASE_TRY(wasm_compile(&image, &job, report));
    BASE_TRY(os_output_open(&out, output, report));
    BASE_TRY(os_output_write(out, image.data, image.size, report));
    wasm_module_free(module);
    base_buffer_fini(&image);
    base_free(replaceable);
    base_buffer_fini(&bytes);
    capsule_engine_close(&engine);
    os_unmap(&map);
    return os_output_commit(out, report);
}

int main(int argc, char **argv)
{
    wisp_report report = {0};
    uint32_t target = argc == 4 ? wasm_native_target_of(argv[2], strlen(argv[2])) : 0;
    if (!target) return fprintf(stderr, "engine_image ENGINE.wasm TARGET OUTPUT\n"), 2;
    if (make(argv[1], target, argv[3], &report) == WISP_OK) return 0;
    fprintf(stderr, "engine_image: %s\n", report.text);
    return 1;
}
