/* Native code kept between runs: $XDG_CACHE_HOME/wisp/native/<key>.image. What is read back is executed, so it must be
 * ours: the folder and the file belong to this user and to nobody else, and the file carries a keyed hash, made with a
 * key that only this installation knows (trust.h). Whoever can only write to the cache, or copies
 * a cache from elsewhere, cannot place code in it. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "capsule/crypto.h"
#include "host/native.h"
#include "host/trust.h"
#include "wasm/native_request.h"

enum { KEY_BYTES = 32, MAC_BYTES = CAPSULE_MAC_BYTES, MAGIC_BYTES = 8 };
static const uint64_t cache_limit = 1ull << 30, image_limit = 1ull << 29;
static const char magic[MAGIC_BYTES + 1] = "WISPNAT2";

/* One image's place; the folder is made, and is this user's alone. */
typedef struct place {
    char path[HOST_PATH_MAX];
    const char *name; /* in it: <key>.image */
} place;

static wisp_status open_folder(char path[HOST_PATH_MAX], wisp_report *report)
{
    BASE_TRY(host_cache_folder(path, "native", report));
    return os_check_private(path, report);
}

/* Over the file's name too: a file under another name is not good either. */
static void authenticate(uint8_t mac[CAPSULE_MAC_BYTES], const uint8_t key[KEY_BYTES], const char *name,
                         base_span image)
{
    base_sha256 h;
    uint8_t digest[32];
    base_sha256_init(&h);
    base_sha256_update(&h, name, strlen(name) + 1);
    base_sha256_update(&h, image.data, image.size);
    base_sha256_final(&h, digest);
    capsule_mac(mac, key, digest, sizeof digest);
}

/* All that the code depends on: module, compiler, target, options. */
static void name_of(char out[HOST_CACHE_NAME_MAX], const wasm_native_wanted *wanted)
{
    base_sha256 h;
    uint8_t digest[32], words[12];
    const uint32_t values[] = {wasm_native_abi_number(), wanted->target, wanted->flags};
    for (unsigned i = 0; i < sizeof words; i++)
        words[i] = (uint8_t)(values[i / 4] >> 8 * (i % 4));
    base_sha256_init(&h);
    base_sha256_update(&h, wanted->module, sizeof wanted->module);
    base_sha256_update(&h, wasm_native_build(), strlen(wasm_native_build()));
    base_sha256_update(&h, words, sizeof words);
    base_sha256_final(&h, digest);
    base_hex(digest, sizeof digest, out);
    strcat(out, ".image");
}

static wisp_status find_place(place *p, const wasm_native_wanted *wanted, wisp_report *report)
{
    char name[HOST_CACHE_NAME_MAX];
    BASE_TRY(open_folder(p->path, report));
    const size_t n = strlen(p->path);
    name_of(name, wanted);
    snprintf(p->path + n, sizeof p->path - n, "/%s", name); /* there is room */
    p->name = p->path + n + 1;
    return WISP_OK;
}

/* ---- reading ---- */

static wisp_status read_file(base_buffer *file, const place *p, wisp_report *report)
{
    os_file_info info;
    if (!os_stat(p->path, &info)) return base_fail(report, WISP_E_NOT_FOUND, "not compiled yet");
    if (info.size > image_limit) return base_fail(report, WISP_E_LIMIT, "%s: too large", p->path);
    if (!BASE_GROW(file->data, file->capacity, (size_t)info.size))
        return base_fail(report, WISP_E_MEMORY, "out of memory for native code");
    os_populate(file->data, (size_t)info.size);
    return os_read_private(p->path, false, file->data, (size_t)info.size, &file->size, report);
}

/* Leaves the image alone in `file`: what vouches for it comes last, so that nothing is moved. */
static bool is_good(base_buffer *file, const uint8_t key[KEY_BYTES], const char *name)
{
    uint8_t mac[MAC_BYTES];
    if (file->size < MAGIC_BYTES + MAC_BYTES) return false;
    const size_t size = file->size - MAGIC_BYTES - MAC_BYTES;
    if (memcmp(file->data + size, magic, MAGIC_BYTES) != 0) return false;
    authenticate(mac, key, name, (base_span){file->data, size});
    if (!capsule_equal(mac, file->data + size + MAGIC_BYTES, MAC_BYTES)) return false;
    file->size = size;
    return true;
}

wisp_status host_native_cache_read(base_buffer *image, const wasm_native_wanted *wanted, wisp_report *report)
{
    place p;
    uint8_t key[KEY_BYTES];
    base_buffer file = {0};
    BASE_TRY(find_place(&p, wanted, report));
    wisp_status status = read_file(&file, &p, report);
    if (status == WISP_OK) status = host_installation_key(key, "native code", report);
    if (status == WISP_OK && !is_good(&file, key, p.name))
        status = base_fail(report, WISP_E_NOT_FOUND, "%s: ignored: damaged, or not made here", p.path);
    if (status != WISP_OK) {
        base_buffer_fini(&file);
        return status;
    }
    os_touch(p.path);
    *image = file;
    return WISP_OK;
}

/* ---- writing ---- */

static wisp_status write_file(const place *p, base_span image, base_span tail, wisp_report *report)
{
    os_output *out;
    BASE_TRY(os_output_open(&out, p->path, report));
    wisp_status status = os_output_make_private(out, report);
    if (status == WISP_OK) status = os_output_write(out, image.data, image.size, report);
    if (status == WISP_OK) status = os_output_write(out, tail.data, tail.size, report);
    if (status == WISP_OK) return os_output_commit(out, report);
    os_output_abort(out);
    return status;
}

wisp_status host_native_cache_write(base_span image, const wasm_native_wanted *wanted, wisp_report *report)
{
    place p;
    uint8_t key[KEY_BYTES], tail[MAGIC_BYTES + MAC_BYTES];
    if (image.size > image_limit - sizeof tail) return base_fail(report, WISP_E_LIMIT, "too large for the cache");
    BASE_TRY(host_installation_key(key, "native code", report));
    BASE_TRY(find_place(&p, wanted, report));
    memcpy(tail, magic, MAGIC_BYTES);
    authenticate(tail + MAGIC_BYTES, key, p.name, image);
    BASE_TRY(write_file(&p, image, (base_span){tail, sizeof tail}, report));
    p.path[p.name - p.path - 1] = 0;
    os_sweep_folder(p.path, cache_limit);
    return WISP_OK;
}

void host_native_cache_describe(char *out, size_t size)
{
    char path[HOST_PATH_MAX];
    wisp_report report = {0};
    if (open_folder(path, &report) != WISP_OK) {
        snprintf(out, size, "%s", report.text);
        return;
    }
    const os_usage usage = os_sweep_folder(path, cache_limit);
    snprintf(out, size, "%.150s: %llu images, %.1f MB", path, (unsigned long long)usage.files,
             (double)usage.bytes / 1e6);
}
