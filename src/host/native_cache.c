/* Native code kept between runs: $XDG_CACHE_HOME/wisp/native/<key>.image. What is read back is executed, so it must be
 * ours: the folder and the file belong to this user and to nobody else, and the file carries a keyed hash, made with a
 * key that only this installation knows (trust.h). Whoever can only write to the cache, or copies
 * a cache from elsewhere, cannot place code in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "capsule/crypto.h"
#include "host/native.h"
#include "host/trust.h"
#include "os/own_folder.h"
#include "wasm/native_request.h"

enum { KEY_BYTES = 32, MAC_BYTES = CAPSULE_MAC_BYTES, MAGIC_BYTES = 8, NAME_BYTES = 80 };
static const uint64_t cache_limit = 1ull << 30, image_limit = 1ull << 29;
static const char magic[MAGIC_BYTES + 1] = "WISPNAT2";

/* XDG base directories: a relative path is to be ignored. */
static bool xdg_folder(char *out, size_t size, const char *variable, const char *below_home, const char *below)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    int n = -1;
    if (base && base[0] == '/')
        n = snprintf(out, size, "%s/%s", base, below);
    else if (home && home[0] == '/')
        n = snprintf(out, size, "%s/%s/%s", home, below_home, below);
    return n > 0 && (size_t)n < size;
}

static wisp_status open_folder(os_private *dir, char *path, size_t size, wisp_report *report)
{
    if (!xdg_folder(path, size, "XDG_CACHE_HOME", ".cache", "wisp/native"))
        return base_fail(report, WISP_E_IO, "no cache folder: neither XDG_CACHE_HOME nor HOME is set");
    return os_private_open(dir, path, report);
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
static void name_of(char out[NAME_BYTES], const wasm_native_wanted *wanted)
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
    char path[4096], name[NAME_BYTES];
    uint8_t key[KEY_BYTES];
    os_private dir = OS_PRIVATE_NONE;
    base_buffer file = {0};
    BASE_TRY(open_folder(&dir, path, sizeof path, report));
    name_of(name, wanted);
    wisp_report why = {0};
    wisp_status status = os_private_read(&dir, name, false, image_limit, &file, &why);
    if (status != WISP_OK)
        base_fail(report, status, "%s", status == WISP_E_NOT_FOUND ? "not compiled yet" : why.text);
    else
        status = host_installation_key(key, "native code", report);
    if (status == WISP_OK && !is_good(&file, key, name))
        status = base_fail(report, WISP_E_NOT_FOUND, "%s/%s: ignored: damaged, or not made here", path, name);
    if (status == WISP_OK) os_private_touch(&dir, name);
    os_private_close(&dir);
    if (status == WISP_OK)
        *image = file;
    else
        base_buffer_fini(&file);
    return status;
}

wisp_status host_native_cache_write(base_span image, const wasm_native_wanted *wanted, wisp_report *report)
{
    char path[4096], name[NAME_BYTES];
    uint8_t key[KEY_BYTES], tail[MAGIC_BYTES + MAC_BYTES];
    os_private dir = OS_PRIVATE_NONE;
    if (image.size > image_limit) return base_fail(report, WISP_E_LIMIT, "too large for the cache");
    BASE_TRY(host_installation_key(key, "native code", report));
    BASE_TRY(open_folder(&dir, path, sizeof path, report));
    name_of(name, wanted);
    memcpy(tail, magic, MAGIC_BYTES);
    authenticate(tail + MAGIC_BYTES, key, name, image);
    wisp_status status = os_private_write(&dir, name, image, (base_span){tail, sizeof tail}, report);
    os_private_sweep(&dir, cache_limit);
    os_private_close(&dir);
    return status;
}

void host_native_cache_describe(char *out, size_t size)
{
    char path[4096];
    os_private dir = OS_PRIVATE_NONE;
    wisp_report report = {0};
    if (open_folder(&dir, path, sizeof path, &report) != WISP_OK) {
        snprintf(out, size, "%s", report.text);
        return;
    }
    os_private_usage usage = os_private_sweep(&dir, cache_limit);
    os_private_close(&dir);
    snprintf(out, size, "%.150s: %llu images, %.1f MB", path, (unsigned long long)usage.files,
             (double)usage.bytes / 1e6);
}
