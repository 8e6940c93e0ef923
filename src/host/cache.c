/* Where capsules compiled from raw models are kept. */
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "host/host.h"

static void update_u64(base_sha256 *h, uint64_t v)
{
    base_sha256_update(h, &v, sizeof v);
}

/* Hashing gigabytes at every start would cost more than starting: the key is the file's identity (device, inode, size,
 * time of change), its first and last bytes, and the engine's digest. */
static wisp_status key_of(const char *source, char hex[65], wisp_report *report)
{
    enum { SAMPLE = 65536 };
    os_file_info info;
    os_map map;
    if (!os_stat(source, &info)) return base_fail(report, WISP_E_NOT_FOUND, "%s: no such file", source);
    BASE_TRY(os_map_file(&map, source, report));
    base_sha256 h;
    uint8_t digest[32];
    base_sha256_init(&h);
    update_u64(&h, info.device);
    update_u64(&h, info.inode);
    update_u64(&h, info.size);
    update_u64(&h, (uint64_t)info.mtime_ns);
    size_t sample = map.size < SAMPLE ? (size_t)map.size : SAMPLE;
    base_sha256_update(&h, map.data, sample);
    base_sha256_update(&h, map.data + map.size - sample, sample);
    base_span engine = host_engine();
    base_sha256_of(engine.data, engine.size, digest);
    base_sha256_update(&h, digest, sizeof digest);
    base_sha256_update(&h, WISP_VERSION, sizeof WISP_VERSION);
    base_sha256_final(&h, digest);
    base_hex(digest, 32, hex);
    os_unmap(&map);
    return WISP_OK;
}

wisp_status host_cache_path(char out[HOST_PATH_MAX], const char *source, wisp_report *report)
{
    char hex[65];
    BASE_TRY(host_cache_folder(out, "capsules", report));
    BASE_TRY(key_of(source, hex, report));
    size_t n = strlen(out);
    snprintf(out + n, HOST_PATH_MAX - n, "/%s.wasm", hex);
    return WISP_OK;
}
