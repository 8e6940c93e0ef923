#include "compile/hf_folder.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static wisp_status join(char out[4096], const char *folder, const char *name, wisp_report *report)
{
    if (snprintf(out, 4096, "%s/%s", folder, name) < 4096) return WISP_OK;
    return base_fail(report, WISP_E_INPUT, "%.80s: the path is too long", name);
}

static bool is_inside(const char *path, const char *folder)
{
    const size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

/* …/models--who--what/snapshots/revision: its files are links to …/models--who--what/blobs/digest. */
static bool is_blob(const char *path, const char *folder)
{
    char blobs[4096];
    static const char snapshots[] = "/snapshots";
    const char *last = strrchr(folder, '/');
    const size_t n = strlen(snapshots), above = last ? (size_t)(last - folder) : 0;
    if (above < n || memcmp(last - n, snapshots, n) != 0) return false;
    snprintf(blobs, sizeof blobs, "%.*s/blobs", (int)(above - n), folder);
    return is_inside(path, blobs);
}

static wisp_status check_place(const char *path, const char *name, const char *folder, wisp_report *report)
{
    char *real = os_real_path(path, report), *real_folder = real ? os_real_path(folder, report) : NULL;
    wisp_status status = WISP_OK;
    if (!real || !real_folder)
        status = base_fail(report, WISP_E_NOT_FOUND, "%.80s: a link to nowhere", name);
    else if (!is_inside(real, real_folder) && !is_blob(real, real_folder))
        status =
            base_fail(report, WISP_E_INPUT, "%.80s: a link that leads out of the folder (copy the file there)", name);
    base_free(real);
    base_free(real_folder);
    return status;
}

wisp_status hf_check_link(const char *folder, const char *name, wisp_report *report)
{
    char path[4096];
    BASE_TRY(join(path, folder, name, report));
    return os_file_exists(path) ? check_place(path, name, folder, report) : WISP_OK;
}

wisp_status hf_folder_map(hf_folder *f, const char *name, uint64_t most, const hf_file **file, wisp_report *report)
{
    char path[4096];
    *file = NULL;
    BASE_TRY(join(path, f->path, name, report));
    if (!os_file_exists(path)) return WISP_OK;
    BASE_TRY(check_place(path, name, f->path, report));
    BASE_ASSERT(f->file_count < HF_FILES_MAX);
    hf_file *to = &f->files[f->file_count];
    *to = (hf_file){.name = name};
    BASE_TRY(os_map_file(&to->map, path, report));
    f->file_count++;
    if (to->map.size > most)
        return base_fail(report, WISP_E_LIMIT, "%s: %llu bytes, more than %llu", name, (unsigned long long)to->map.size,
                         (unsigned long long)most);
    *file = to;
    return WISP_OK;
}

wisp_status hf_folder_json(hf_folder *f, const char *name, const base_json **root, wisp_report *report)
{
    const hf_file *file;
    *root = NULL;
    BASE_TRY(hf_folder_map(f, name, HF_JSON_MAX, &file, report));
    if (!file) return WISP_OK;
    hf_file *to = &f->files[f->file_count - 1];
    wisp_status status = base_json_parse(&to->doc, &to->root, file->map.data, (size_t)file->map.size, report);
    if (status) return base_fail_prefix(report, status, name);
    if (to->root->kind != JSON_OBJECT) return base_fail(report, WISP_E_INPUT, "%s: not an object", name);
    *root = to->root;
    return WISP_OK;
}

void hf_folder_close(hf_folder *f)
{
    for (size_t i = 0; i < f->file_count; i++) {
        base_json_free(f->files[i].doc);
        os_unmap(&f->files[i].map);
    }
    f->file_count = 0;
}
