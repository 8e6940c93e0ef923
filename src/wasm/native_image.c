/* Images as data: what names one, and whether it is one. Its code is never checked: whoever passes an image vouches for
 * it (the cache by its key, the build by having made it, a file by its signature). The header and the tables are, all
 * the same: a mistake in bookkeeping must end in an error message. */
#include "wasm/native_load.h"

#include <string.h>

#include "base/sha256.h"
#include "os/os.h"

static const char *const target_names[WASM_TARGET_END] = {
    [WASM_TARGET_X86_64_V2] = "x86-64-v2",
    [WASM_TARGET_X86_64_V3] = "x86-64-v3",
    [WASM_TARGET_X86_64_V4] = "x86-64-v4",
    [WASM_TARGET_AARCH64] = "aarch64",
};

static const unsigned target_features[WASM_TARGET_END] = {
    [WASM_TARGET_X86_64_V2] = OS_CPU_X86_64_V2,
    [WASM_TARGET_X86_64_V3] = OS_CPU_X86_64_V3,
    [WASM_TARGET_X86_64_V4] = OS_CPU_X86_64_V4,
    [WASM_TARGET_AARCH64] = OS_CPU_AARCH64,
};

const char *wasm_native_target_name(uint32_t target)
{
    return target && target < WASM_TARGET_END ? target_names[target] : NULL;
}

uint32_t wasm_native_target_of(const char *name, size_t size)
{
    for (uint32_t i = 1; i < WASM_TARGET_END; i++)
        if (strlen(target_names[i]) == size && memcmp(target_names[i], name, size) == 0) return i;
    return 0;
}

bool wasm_native_runs(uint32_t target)
{
    return target && target < WASM_TARGET_END && (os_cpu_features() & target_features[target]);
}

uint32_t wasm_native_best_target(void)
{
    uint32_t target = WASM_TARGET_END - 1;
    while (target && !wasm_native_runs(target))
        target--;
    return target;
}

uint32_t wasm_native_abi_number(void)
{
    return wasm_native_abi();
}

/* ---- what names native code ---- */

static void update_u64(base_sha256 *h, uint64_t v)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(v >> 8 * i);
    base_sha256_update(h, bytes, sizeof bytes);
}

enum { SECTION_CUSTOM = 0, SECTION_DATA = 11 };

void wasm_module_code_digest(const wasm_module *m, const uint32_t *replaceable, uint32_t replaceable_count,
                             uint8_t digest[32])
{
    base_sha256 h;
    base_sha256_init(&h);
    for (uint32_t i = 0; i < m->section_count; i++) {
        const wasm_section_info *s = &m->sections[i];
        if (s->id == SECTION_CUSTOM || s->id == SECTION_DATA) continue;
        update_u64(&h, s->id);
        update_u64(&h, s->content.size);
        base_sha256_update(&h, s->content.data, s->content.size);
    }
    update_u64(&h, UINT64_MAX);
    update_u64(&h, replaceable_count);
    for (uint32_t i = 0; i < replaceable_count; i++)
        update_u64(&h, replaceable[i]);
    base_sha256_final(&h, digest);
}

wisp_status wasm_module_skeleton(base_buffer *out, const wasm_module *m, wisp_report *report)
{
    base_put(out, "\0asm\1\0\0", 8);
    for (uint32_t i = 0; i < m->section_count; i++) {
        const wasm_section_info *s = &m->sections[i];
        if (s->id == SECTION_CUSTOM) continue;
        base_buffer segments = {0};
        base_span content = s->content;
        if (s->id == SECTION_DATA) {
            base_put_leb_u32(&segments, m->data_count);
            for (uint32_t k = 0; k < m->data_count; k++)
                base_put(&segments, "\1", 2); /* passive, empty */
            if (segments.failed) out->failed = true;
            content = (base_span){segments.data, segments.size};
        }
        base_put_u8(out, s->id);
        base_put_leb_u32(out, (uint32_t)content.size);
        base_put(out, content.data, content.size);
        base_buffer_fini(&segments);
    }
    return out->failed ? base_fail(report, WISP_E_MEMORY, "native code: out of memory for a module") : WISP_OK;
}

/* ---- checking an image ---- */

static wisp_status malformed(wisp_report *report, const char *what)
{
    return base_fail(report, WISP_E_INPUT, "native code: not an image: %s", what);
}

static bool read_header(base_reader *r, wasm_native_header *h)
{
    base_span magic = base_read_span(r, sizeof h->magic);
    if (magic.data) memcpy(h->magic, magic.data, magic.size);
    h->abi = base_read_u32(r);
    h->target = base_read_u32(r);
    h->flags = base_read_u32(r);
    h->func_count = base_read_u32(r);
    h->type_count = base_read_u32(r);
    h->reserved = base_read_u32(r);
    h->text_offset = base_read_u64(r);
    h->text_size = base_read_u64(r);
    h->rodata_offset = base_read_u64(r);
    h->rodata_size = base_read_u64(r);
    h->image_size = base_read_u64(r);
    base_span module = base_read_span(r, sizeof h->module);
    if (module.data) memcpy(h->module, module.data, module.size);
    return !r->failed && memcmp(h->magic, WASM_NATIVE_MAGIC, sizeof h->magic) == 0;
}

static bool inside(uint64_t at, uint64_t n, uint64_t size)
{
    return at <= size && n <= size - at;
}

/* Tables, text and data in this order, apart by whole pages of 4096 bytes at least. */
static bool parts_fit(const wasm_native_header *h, uint64_t tables_end)
{
    return h->text_offset >= tables_end && h->text_offset % 4096 == 0 && h->rodata_offset % 4096 == 0 &&
           inside(h->text_offset, h->text_size, h->image_size) && h->rodata_offset >= h->text_offset &&
           h->text_size <= h->rodata_offset - h->text_offset &&
           inside(h->rodata_offset, h->rodata_size, h->image_size) && h->image_size < UINT32_MAX;
}

static wisp_status check_tables(const wasm_native_code *code, base_reader *r, wisp_report *report)
{
    const wasm_native_header *h = &code->header;
    uint64_t last = h->text_offset;
    for (uint32_t i = 0; i <= h->func_count; i++) {
        uint32_t at = base_read_u32(r);
        if (at < last || at - h->text_offset > h->text_size) return malformed(report, "a function outside its text");
        if (i < h->func_count && at - h->text_offset == h->text_size) return malformed(report, "an empty function");
        last = at;
    }
    for (uint32_t i = 0; i < h->type_count; i++) {
        uint32_t at = base_read_u32(r);
        if (at != WASM_NATIVE_NO_ENTRY && (at < h->text_offset || at - h->text_offset >= h->text_size))
            return malformed(report, "an entry outside its text");
    }
    return WISP_OK;
}

wisp_status wasm_native_read(wasm_native_code *out, base_span image, wisp_report *report)
{
    wasm_native_code code = {.base = image.data, .size = image.size};
    wasm_native_header *h = &code.header;
    base_reader r = base_reader_of(image.data, image.size);
    if (!read_header(&r, h)) return malformed(report, "no header");
    uint64_t offsets = base_offset(&r), words = (uint64_t)h->func_count + 1 + h->type_count;
    if (h->target == 0 || h->target >= WASM_TARGET_END || h->flags & ~(uint32_t)WASM_NATIVE_ALL_FLAGS || h->reserved)
        return base_fail(report, WISP_E_UNSUPPORTED, "native code: of an unknown kind");
    if (h->image_size != image.size || !base_can_hold(&r, words, 4) || !parts_fit(h, offsets + 4 * words))
        return malformed(report, "its parts do not fit");
    BASE_TRY(check_tables(&code, &r, report));
    code.func_offsets = (const uint32_t *)(const void *)(image.data + offsets);
    code.entry_offsets = code.func_offsets + h->func_count + 1;
    *out = code;
    return WISP_OK;
}

wisp_status wasm_native_fits(const wasm_native_code *code, const wasm_native_wanted *wanted, wisp_report *report)
{
    const wasm_native_header *h = &code->header;
    if (h->abi != wasm_native_abi())
        return base_fail(report, WISP_E_UNSUPPORTED, "native code: made by another version of WISP");
    if (wanted->target ? h->target != wanted->target : !wasm_native_runs(h->target))
        return base_fail(report, WISP_E_UNSUPPORTED, "native code: made for another CPU (%s)",
                         wasm_native_target_name(h->target));
    if (h->flags != wanted->flags) return base_fail(report, WISP_E_UNSUPPORTED, "native code: made with other options");
    if (memcmp(wanted->module, h->module, sizeof h->module) != 0)
        return base_fail(report, WISP_E_INPUT, "native code: made of another module");
    return WISP_OK;
}

bool wasm_native_is_of(base_span image, const uint8_t module[32])
{
    wasm_native_header h;
    base_reader r = base_reader_of(image.data, image.size);
    return read_header(&r, &h) && memcmp(h.module, module, sizeof h.module) == 0;
}

wisp_status wasm_native_check(base_span image, const wasm_native_wanted *wanted, wisp_report *report)
{
    wasm_native_code code;
    BASE_TRY(wasm_native_read(&code, image, report));
    return wasm_native_fits(&code, wanted, report);
}
