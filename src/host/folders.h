/* Where WISP keeps things of the user (XDG base directories): settings and keys, caches. */
#ifndef HOST_FOLDERS_H
#define HOST_FOLDERS_H
#include "base/err.h"

enum { HOST_PATH_MAX = 4096, HOST_CACHE_NAME_MAX = 80 };

/* $XDG_CONFIG_HOME/wisp/NAME, or that folder itself for ""; nothing is made. */
wisp_status host_config_path(char out[HOST_PATH_MAX], const char *name, wisp_report *report) WISP_MUST_USE;
/* $XDG_CACHE_HOME/wisp/NAME, a folder, which is made: with room for a file's name of HOST_CACHE_NAME_MAX bytes. */
wisp_status host_cache_folder(char out[HOST_PATH_MAX], const char *name, wisp_report *report) WISP_MUST_USE;

#endif
