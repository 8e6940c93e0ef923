/* Every call that takes a path, on every path that leads outside. Beside the granted directory the test has put
 * "secret" and "outside/"; in it are links that lead there (tests/wasi_programs.py). Nothing may succeed; what it may
 * have done is checked from outside as well. */
#include "raw.h"

static const char *const paths[] = {
    "..",
    "../",
    "../secret",
    "../outside",
    "../outside/secret",
    "./../secret",
    "d/../../secret",
    "d/../d/../../secret",
    "d//..//..//secret",
    "d/./.././../secret",
    "/",
    "//",
    "/secret",
    "/etc/passwd",
    "/proc/self/root/etc/passwd",
    "absolute_file/",
    "absolute/secret",
    "relative/secret",
    "relative/../secret",
    "chain1/secret",
    "d/up/../secret",
    "d/up/d/up/../outside/secret",
    "self/self/self/../secret",
    "root_link/etc/passwd",
    "proc_cwd/secret",
    "back/d/f", /* leaves and comes back: outside all the same */
};

/* Names that are links to the outside: they may be looked at, not followed. */
static const char *const links[] = {"relative_file", "absolute_file", "chain_file", "relative",
                                    "absolute",      "chain1",        "root_link"};

static void one_path(const char *path)
{
    static char buffer[200];
    u32 fd;
    filestat stat;
    for (u32 how = 0; how < 16; how++)
        for (u32 follow = 0; follow < 2; follow++) {
            u32 error = raw_path_open(ROOT, follow, TEXT(path), how, how & 8 ? CAN_WRITE : CAN_READ, 0, 0, AT(&fd));
            if (error != NOTCAPABLE && error != INVAL && !(error == ISDIR && how & CREATE)) {
                fprintf(stderr, "path_open(%s, how %u, follow %u) is %u\n", path, how, follow, error);
                exit(1);
            }
        }
    CHECK_THAT(raw_path_filestat_get(ROOT, FOLLOW, TEXT(path), AT(&stat)) == NOTCAPABLE);
    CHECK(raw_path_filestat_set_times(ROOT, FOLLOW, TEXT(path), 1, 1, 5), NOTCAPABLE);
    const size_t size = strlen(path);
    if (path[size - 1] == '/' && path[0] != '/' && path[0] != '.') return; /* below, these name the link */
    CHECK(raw_path_filestat_get(ROOT, 0, TEXT(path), AT(&stat)), NOTCAPABLE);
    CHECK(raw_path_create_directory(ROOT, TEXT(path)), NOTCAPABLE);
    CHECK(raw_path_remove_directory(ROOT, TEXT(path)), NOTCAPABLE);
    CHECK(raw_path_unlink_file(ROOT, TEXT(path)), NOTCAPABLE);
    CHECK(raw_path_readlink(ROOT, TEXT(path), AT(buffer), 200, AT(&fd)), NOTCAPABLE);
    CHECK(raw_path_symlink(TEXT("x"), ROOT, TEXT(path)), NOTCAPABLE);
    CHECK(raw_path_link(ROOT, 0, TEXT(path), ROOT, TEXT("stolen")), NOTCAPABLE);
    CHECK(raw_path_link(ROOT, 0, TEXT("d/f"), ROOT, TEXT(path)), NOTCAPABLE);
    CHECK(raw_path_rename(ROOT, TEXT(path), ROOT, TEXT("stolen")), NOTCAPABLE);
    CHECK(raw_path_rename(ROOT, TEXT("d/f"), ROOT, TEXT(path)), NOTCAPABLE);
}

static void one_link(const char *name)
{
    char with_slash[40];
    u32 fd;
    filestat stat;
    snprintf(with_slash, sizeof with_slash, "%s/", name);
    CHECK(open_at(ROOT, name, 0, CAN_READ, &fd), NOTCAPABLE);
    CHECK(open_at(ROOT, name, CREATE, CAN_WRITE, &fd), NOTCAPABLE);
    CHECK(open_at(ROOT, name, TRUNCATE, CAN_WRITE, &fd), NOTCAPABLE);
    CHECK(raw_path_open(ROOT, 0, TEXT(name), 0, CAN_READ, 0, 0, AT(&fd)), LOOP);
    CHECK(raw_path_open(ROOT, 0, TEXT(with_slash), 0, CAN_READ, 0, 0, AT(&fd)), NOTCAPABLE);
    CHECK(raw_path_filestat_get(ROOT, FOLLOW, TEXT(name), AT(&stat)), NOTCAPABLE);
    CHECK(raw_path_filestat_get(ROOT, 0, TEXT(with_slash), AT(&stat)), NOTCAPABLE);
    CHECK(raw_path_filestat_set_times(ROOT, FOLLOW, TEXT(name), 1, 1, 5), NOTCAPABLE);
    CHECK(raw_path_filestat_set_times(ROOT, 0, TEXT(with_slash), 1, 1, 5), NOTCAPABLE);
    CHECK(raw_path_filestat_get(ROOT, 0, TEXT(name), AT(&stat)), OK);
    CHECK(stat.type, TYPE_LINK);
    CHECK(raw_path_create_directory(ROOT, TEXT(name)), EXIST);
    CHECK(raw_path_remove_directory(ROOT, TEXT(with_slash)), NOTDIR);
    CHECK(raw_path_unlink_file(ROOT, TEXT(with_slash)), NOTDIR);
    CHECK(raw_path_rename(ROOT, TEXT(with_slash), ROOT, TEXT("stolen")), NOTDIR);
    CHECK(raw_path_link(ROOT, 0, TEXT(with_slash), ROOT, TEXT("stolen")), NOTDIR);
    /* a hard link to the link is no more than the link */
    CHECK(raw_path_link(ROOT, 0, TEXT(name), ROOT, TEXT("copy")), OK);
    CHECK(open_at(ROOT, "copy", 0, CAN_READ, &fd), NOTCAPABLE);
    CHECK(raw_path_unlink_file(ROOT, TEXT("copy")), OK);
}

/* A link made by the guest itself, from a directory below, and a directory opened deeper down. */
static void own_links_and_deeper_roots(void)
{
    u32 fd, other;
    CHECK(raw_path_symlink(TEXT("../../secret"), ROOT, TEXT("d/own")), OK);
    CHECK(open_at(ROOT, "d/own", 0, CAN_READ, &fd), NOTCAPABLE);
    CHECK(raw_path_unlink_file(ROOT, TEXT("d/own")), OK);
    CHECK(raw_path_open(ROOT, 0, TEXT("d"), ONLY_DIRECTORY, RIGHT(13) | RIGHT(14), CAN_READ, 0, AT(&fd)), OK);
    CHECK(open_at(fd, "../d/f", 0, CAN_READ, &other), NOTCAPABLE); /* its root is itself */
    CHECK(open_at(fd, "up", 0, CAN_READ, &other), NOTCAPABLE);
    CHECK(open_at(fd, "f", 0, CAN_READ, &other), OK);
    CHECK(raw_fd_close(other), OK);
    /* moved away while open, its root still is itself */
    CHECK(raw_path_create_directory(ROOT, TEXT("deep")), OK);
    CHECK(raw_path_rename(ROOT, TEXT("d"), ROOT, TEXT("deep/d")), OK);
    CHECK(open_at(fd, "../../secret", 0, CAN_READ, &other), NOTCAPABLE);
    CHECK(raw_path_rename(ROOT, TEXT("deep/d"), ROOT, TEXT("d")), OK);
    CHECK(raw_path_remove_directory(ROOT, TEXT("deep")), OK);
    CHECK(raw_fd_close(fd), OK);
}

int main(void)
{
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
        one_path(paths[i]);
    for (unsigned i = 0; i < sizeof links / sizeof *links; i++)
        one_link(links[i]);
    own_links_and_deeper_roots();
}
