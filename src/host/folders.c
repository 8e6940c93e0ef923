#include "host/folders.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"

typedef struct kind {
    const char *variable, *below_home, *what;
} kind;

static const kind settings = {"XDG_CONFIG_HOME", "/.config", "settings"};
static const kind cache = {"XDG_CACHE_HOME", "/.cache", "the cache"};

static wisp_status folder_of(char out[HOST_PATH_MAX], const kind *k, const char *name, size_t room, wisp_report *report)
{
    const char *base = getenv(k->variable), *below = "";
    if (!base || base[0] != '/') { /* the specification: relative paths are to be ignored */
        base = getenv("HOME");
        below = k->below_home;
    }
    if (!base || base[0] != '/')
        return base_fail(report, WISP_E_IO, "no folder for %s: neither %s nor HOME is set", k->what, k->variable);
    int n = snprintf(out, HOST_PATH_MAX, "%s%s/wisp%s%s", base, below, *name ? "/" : "", name);
    if (n < 0 || (size_t)n + room >= HOST_PATH_MAX)
        return base_fail(report, WISP_E_IO, "the path of %s is too long", k->what);
    return WISP_OK;
}

wisp_status host_config_path(char out[HOST_PATH_MAX], const char *name, wisp_report *report)
{
    return folder_of(out, &settings, name, 0, report);
}

wisp_status host_cache_folder(char out[HOST_PATH_MAX], const char *name, wisp_report *report)
{
    BASE_TRY(folder_of(out, &cache, name, 1 + HOST_CACHE_NAME_MAX, report));
    return os_make_directories(out, report);
}
