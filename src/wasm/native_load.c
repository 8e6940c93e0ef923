/* From an image in any memory to code that runs, in pages of the store's own: interruption takes them away. */
#include "wasm/native_load.h"

#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "wasm/fault.h"

typedef struct loaded_image {
    wasm_native_code code; /* first: the store's list is of these */
    wasm_image image;
    void *pages;
    size_t pages_size;
    uint8_t *frameless;
} loaded_image;

static size_t page_up(uint64_t n)
{
    size_t page = os_page_size();
    return ((size_t)n + page - 1) & ~(page - 1);
}

/* Does a function begin by saving the frame pointer? Later nobody may read text: it can become inaccessible. */
static bool makes_frame(uint32_t target, const uint8_t *code, size_t size)
{
    enum { PUSH_RBP = 0x55, STP_MASK = 0x7c1f, STP_X29_X30 = 30 << 10 | 29 };
    if (target != WASM_TARGET_AARCH64) return size && *code == PUSH_RBP;
    for (size_t i = 0; i + 4 <= size && i < 16; i += 4) {
        uint32_t instruction;
        memcpy(&instruction, code + i, sizeof instruction);
        if (instruction >> 25 == 0x54 && (instruction & STP_MASK) == STP_X29_X30) return true;
    }
    return false;
}

static wisp_status look_at_functions(loaded_image *l, base_span image, wisp_report *report)
{
    const uint32_t count = l->code.header.func_count, *offsets = l->code.func_offsets;
    l->frameless = base_calloc(count, 1);
    if (!l->frameless && count) return base_fail(report, WISP_E_MEMORY, "native code: out of memory");
    for (uint32_t i = 0; i < count; i++)
        l->frameless[i] =
            !makes_frame(l->code.header.target, image.data + offsets[i], (size_t)offsets[i + 1] - offsets[i]);
    return WISP_OK;
}

/* Never writable and executable: all is written first, then text becomes executable, the rest read-only. */
static wisp_status map(loaded_image *l, base_span image, wisp_report *report)
{
    const wasm_native_header *h = &l->code.header;
    const size_t page = os_page_size();
    if (h->text_offset % page || h->rodata_offset % page)
        return base_fail(report, WISP_E_UNSUPPORTED, "native code: made for smaller pages than this system's");
    l->pages_size = page_up(image.size);
    if (!(l->pages = os_pages(l->pages_size, false)))
        return base_fail(report, WISP_E_MEMORY, "native code: no memory for %zu bytes", image.size);
    os_populate(l->pages, l->pages_size);
    memcpy(l->pages, image.data, image.size);
    uint8_t *base = l->pages, *text = base + h->text_offset;
    size_t text_size = page_up(h->text_size);
    __builtin___clear_cache((char *)text, (char *)text + h->text_size);
    if (!os_protect(base, l->pages_size, OS_READ) || (text_size && !os_protect(text, text_size, OS_EXECUTE)))
        return base_fail(report, WISP_E_IO, "native code: the system allows no executable pages");
    BASE_TRY(wasm_native_read(&l->code, (base_span){base, image.size}, report));
    BASE_TRY(look_at_functions(l, image, report));
    l->code.frameless = l->frameless;
    l->image = (wasm_image){.start = text, .size = text_size};
    return WISP_OK;
}

static wisp_status load(loaded_image **out, wasm_store *store, const wasm_native_code *code, wisp_report *report)
{
    if (!wasm_image_faults_arrive())
        return base_fail(report, WISP_E_UNSUPPORTED,
                         "native code: faults do not reach us, so it could not be interrupted");
    loaded_image *l = base_calloc(1, sizeof *l);
    if (!l) return base_fail(report, WISP_E_MEMORY, "native code: out of memory");
    l->code = *code;
    wisp_status status = map(l, (base_span){code->base, code->size}, report);
    if (status != WISP_OK) {
        os_release(l->pages, l->pages_size);
        base_free(l->frameless);
        base_free(l);
        return status;
    }
    l->code.next = store->native_codes;
    store->native_codes = &l->code;
    wasm_image_add(store, &l->image);
    *out = l;
    return WISP_OK;
}

/* Instances of one module share the code in a store. */
static const wasm_native_code *find_loaded(const wasm_store *store, const wasm_native_header *h)
{
    const wasm_native_code *code = store->native_codes;
    while (code && memcmp(&code->header, h, sizeof *h) != 0)
        code = code->next;
    return code;
}

wisp_status wasm_native_use(wasm_instance *instance, base_span image, const wasm_native_wanted *wanted,
                            wisp_report *report)
{
    wasm_native_code code;
    loaded_image *loaded = NULL;
    BASE_TRY(wasm_native_read(&code, image, report));
    BASE_TRY(wasm_native_fits(&code, wanted, report));
    if (code.header.func_count != instance->module->code_count ||
        code.header.type_count != instance->module->type_count)
        return base_fail(report, WISP_E_INPUT, "native code: made of another module");
    const wasm_native_code *found = find_loaded(instance->store, &code.header);
    if (!found) {
        BASE_TRY(load(&loaded, instance->store, &code, report));
        found = &loaded->code;
    }
    const wasm_module *m = instance->module;
    for (uint32_t i = m->imported_funcs; i < m->func_count; i++)
        if (found->entry_offsets[m->funcs[i]] == WASM_NATIVE_NO_ENTRY)
            return base_fail(report, WISP_E_INPUT, "native code: function %u cannot be entered", (unsigned)i);
    return wasm_native_attach(instance, found, report);
}

uint32_t wasm_native_flags_of(const wasm_instance *instance)
{
    const wasm_memory *memory = instance->memory0;
    bool checks = instance->module->memory_count && !memory->range.is64 && !memory->guarded;
    return (checks ? WASM_NATIVE_EXPLICIT_CHECKS : 0) | (instance->store->limits.fuel ? WASM_NATIVE_FUEL : 0);
}

void wasm_native_unload(wasm_store *store)
{
    for (wasm_native_code *next, *code = store->native_codes; code; code = next) {
        loaded_image *l = (loaded_image *)code;
        next = code->next;
        wasm_image_remove(store, &l->image);
        os_release(l->pages, l->pages_size);
        base_free(l->frameless);
        base_free(l);
    }
    store->native_codes = NULL;
}
