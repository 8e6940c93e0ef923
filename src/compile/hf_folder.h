/* The small files of a Hugging Face model's folder. Names are fixed; a link is followed only inside the folder, or into
 * the blobs of Hugging Face's cache that the folder is a snapshot of: a folder from elsewhere cannot have a file of the
 * user's copied into a capsule. */
#ifndef COMPILE_HF_FOLDER_H
#define COMPILE_HF_FOLDER_H
#include "base/json.h"
#include "os/os.h"

enum { HF_FILES_MAX = 16, HF_TEXT_MAX = 1 << 20, HF_JSON_MAX = 64 << 20 };

typedef struct hf_file {
    const char *name;
    os_map map;
    base_json_doc *doc; /* NULL: not JSON */
    const base_json *root;
} hf_file;

typedef struct hf_folder {
    const char *path;
    hf_file files[HF_FILES_MAX];
    size_t file_count;
} hf_folder;

/* Maps a file; *file is NULL if there is none. Named `name`, which must outlive the folder. */
wisp_status hf_folder_map(hf_folder *f, const char *name, uint64_t most, const hf_file **file,
                          wisp_report *report) WISP_MUST_USE;
/* The same, and parses it; *root is NULL if there is no such file. It is an object. */
wisp_status hf_folder_json(hf_folder *f, const char *name, const base_json **root, wisp_report *report) WISP_MUST_USE;
void hf_folder_close(hf_folder *f);

/* May the file be read (it exists)? For the weights, which safetensors.h opens. */
wisp_status hf_check_link(const char *folder, const char *name, wisp_report *report) WISP_MUST_USE;

#endif
