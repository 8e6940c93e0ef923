/* Directories: made, listed with buffers of any size while they change, renamed, removed. */
#include "raw.h"

static void making_and_removing(void)
{
    u32 fd;
    CHECK(raw_path_create_directory(ROOT, TEXT("d")), OK);
    CHECK(raw_path_create_directory(ROOT, TEXT("d")), EXIST);
    CHECK(raw_path_create_directory(ROOT, TEXT("d/e/")), OK);
    CHECK(raw_path_create_directory(ROOT, TEXT("no/e")), NOENT);
    CHECK(raw_path_remove_directory(ROOT, TEXT("d")), NOTEMPTY);
    CHECK(make_file("d/f", "x"), OK);
    CHECK(raw_path_create_directory(ROOT, TEXT("d/f/g")), NOTDIR);
    CHECK(raw_path_remove_directory(ROOT, TEXT("d/f")), NOTDIR);
    CHECK(raw_path_unlink_file(ROOT, TEXT("d/e")), ISDIR);
    CHECK(raw_path_unlink_file(ROOT, TEXT("d/f/")), NOTDIR);
    CHECK(raw_path_unlink_file(ROOT, TEXT("d/f")), OK);
    CHECK(raw_path_unlink_file(ROOT, TEXT("d/f")), NOENT);
    CHECK(raw_path_remove_directory(ROOT, TEXT("d/e/")), OK);
    CHECK(open_at(ROOT, "d", ONLY_DIRECTORY, CAN_READ | CAN_WRITE, &fd), ISDIR);
    CHECK(open_at(ROOT, "d", CREATE | ONLY_DIRECTORY, CAN_READ, &fd), INVAL);
    CHECK(raw_path_remove_directory(ROOT, TEXT(".")), INVAL);
    CHECK(raw_path_remove_directory(ROOT, TEXT("d/..")), INVAL);
    CHECK(raw_path_remove_directory(ROOT, TEXT("d")), OK);
}

static void renaming(void)
{
    u32 fd;
    char text[20];
    CHECK(raw_path_create_directory(ROOT, TEXT("p")), OK);
    CHECK(raw_path_create_directory(ROOT, TEXT("q")), OK);
    CHECK(make_file("p/f", "moved"), OK);
    CHECK(raw_path_rename(ROOT, TEXT("p/f"), ROOT, TEXT("q/g")), OK);
    CHECK(open_at(ROOT, "q/g", 0, CAN_READ, &fd), OK);
    CHECK(read_text(fd, text, 19), OK);
    CHECK_THAT(strcmp(text, "moved") == 0);
    CHECK(raw_fd_close(fd), OK);
    CHECK(raw_path_rename(ROOT, TEXT("p/f"), ROOT, TEXT("x")), NOENT);
    CHECK(raw_path_rename(ROOT, TEXT("p"), ROOT, TEXT("q")), NOTEMPTY);
    CHECK(raw_path_rename(ROOT, TEXT("q"), ROOT, TEXT("p/")), OK); /* onto an empty directory */
    CHECK(raw_path_rename(ROOT, TEXT("p"), ROOT, TEXT("p/g/x")), NOTDIR);
    CHECK(raw_path_rename(ROOT, TEXT("p"), ROOT, TEXT("p/x")), INVAL); /* into itself */
    CHECK(raw_path_rename(ROOT, TEXT("p/g/"), ROOT, TEXT("x")), NOTDIR);
    CHECK(raw_path_rename(ROOT, TEXT("p/g"), ROOT, TEXT("x/")), NOTDIR);
    CHECK(raw_path_unlink_file(ROOT, TEXT("p/g")), OK);
    CHECK(raw_path_remove_directory(ROOT, TEXT("p")), OK);
}

typedef struct entry {
    u64 next, inode;
    u32 size;
    uint8_t type;
} entry;

/* Reads the listing from a cookie with a buffer of that size; calls `see` on every whole entry. */
static void list(u32 fd, u64 cookie, u32 size, void (*see)(const entry *, const char *))
{
    static char buffer[100000];
    for (;;) {
        u32 used, at = 0;
        CHECK(raw_fd_readdir(fd, AT(buffer), size, cookie, AT(&used)), OK);
        CHECK_THAT(used <= size);
        while (used - at >= sizeof(entry)) {
            entry e;
            memcpy(&e, buffer + at, sizeof e);
            if (e.size > used - at - sizeof e) break;
            see(&e, buffer + at + sizeof e);
            at += sizeof e + e.size;
            cookie = e.next;
        }
        if (used < size) return;
        CHECK_THAT(at > 0);
    }
}

static unsigned seen, odd;
static u64 cookies[400], own_inode;

static void count(const entry *e, const char *name)
{
    if (e->size > 5 && memcmp(name, "entry", 5) == 0) {
        CHECK(e->type, TYPE_FILE);
        if (seen < 400) cookies[seen] = e->next;
        seen++;
    } else {
        CHECK(e->type, TYPE_DIRECTORY);
        CHECK(e->inode, own_inode); /* "." and ".." both: what is above is not told */
        odd++;
    }
}

static void listing(void)
{
    char name[40];
    filestat stat;
    u32 fd, n;
    CHECK(raw_path_create_directory(ROOT, TEXT("many")), OK);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "many/entry%u", i);
        CHECK(make_file(name, ""), OK);
    }
    CHECK(raw_path_open(ROOT, 0, TEXT("many"), ONLY_DIRECTORY, RIGHT(14) | RIGHT(21), 0, 0, AT(&fd)), OK);
    CHECK(raw_fd_filestat_get(fd, AT(&stat)), OK);
    own_inode = stat.inode;
    static const u32 sizes[] = {100000, 4096, 300, 40};
    for (unsigned i = 0; i < 4; i++) {
        seen = odd = 0;
        list(fd, 0, sizes[i], count);
        CHECK(seen, 300);
        CHECK(odd, 2);
    }
    /* From any cookie the rest comes, also after an earlier entry is gone. */
    u64 middle = cookies[149];
    snprintf(name, sizeof name, "many/entry%u", 7);
    CHECK(raw_path_unlink_file(ROOT, TEXT(name)), OK);
    seen = odd = 0;
    list(fd, middle, 500, count);
    CHECK_THAT(seen >= 149 && seen + odd <= 152);
    CHECK(raw_fd_readdir(fd, AT(name), 40, UINT64_MAX, AT(&n)), INVAL);
    CHECK(raw_fd_readdir(1, AT(name), 40, 0, AT(&n)), NOTDIR);
    CHECK(raw_fd_fdstat_set_rights(fd, 0, 0), OK);
    CHECK(raw_fd_readdir(fd, AT(name), 40, 0, AT(&n)), NOTCAPABLE);
    CHECK(raw_fd_close(fd), OK);
}

static void not_a_file(void)
{
    u32 n, fd;
    u64 at;
    char text[4];
    CHECK(read_text(ROOT, text, 3), ISDIR);
    CHECK(write_text(ROOT, "x"), ISDIR);
    CHECK(raw_fd_seek(ROOT, 0, 0, AT(&at)), BADF);
    CHECK(raw_fd_tell(ROOT, AT(&at)), BADF);
    CHECK(raw_fd_allocate(ROOT, 0, 1), NOTCAPABLE);
    CHECK(raw_fd_filestat_set_size(ROOT, 1), NOTCAPABLE);
    CHECK(open_at(1, "x", 0, 0, &n), NOTDIR);
    CHECK(make_file("file", "x"), OK);
    CHECK(open_at(ROOT, "file", 0, CAN_READ, &fd), OK);
    CHECK(open_at(fd, "x", 0, 0, &n), NOTDIR);
    CHECK(open_at(ROOT, "file/", 0, 0, &n), NOTDIR);
    CHECK(open_at(ROOT, "file/x", 0, 0, &n), NOTDIR);
    CHECK(open_at(ROOT, "file", ONLY_DIRECTORY, 0, &n), NOTDIR);
    CHECK(raw_fd_close(fd), OK);
}

int main(void)
{
    making_and_removing();
    renaming();
    listing();
    not_a_file();
}
