/* A read-only directory, which holds "f" with the text "kept" and a directory "d": everything can be read, nothing
 * changed, and what a program that only reads asks for in passing is no reason to refuse it. */
#include "raw.h"

int main(void)
{
    u32 fd, directory;
    u64 at;
    char text[20];
    fdstat stat;
    const u64 rust = CAN_READ | CAN_SEEK | RIGHT(3) | RIGHT(5) | RIGHT(7) | RIGHT(9) | RIGHT(10) | RIGHT(14) |
                     RIGHT(21) | RIGHT(23) | RIGHT(26) | RIGHT(27); /* what its File::open asks for */
    CHECK(raw_path_open(ROOT, FOLLOW, TEXT("f"), 0, rust, rust, 0, AT(&fd)), OK);
    CHECK(read_text(fd, text, 19), OK);
    CHECK_THAT(strcmp(text, "kept") == 0);
    CHECK(raw_fd_seek(fd, 0, 0, AT(&at)), OK);
    CHECK(write_text(fd, "x"), NOTCAPABLE);
    CHECK(raw_fd_filestat_set_size(fd, 0), NOTCAPABLE);
    CHECK(raw_fd_allocate(fd, 0, 100), NOTCAPABLE);
    CHECK(raw_fd_filestat_set_times(fd, 1, 1, 5), NOTCAPABLE);
    CHECK(raw_fd_close(fd), OK);
    CHECK(open_at(ROOT, "f", 0, CAN_WRITE, &fd), NOTCAPABLE);
    CHECK(open_at(ROOT, "f", 0, RIGHT(22), &fd), NOTCAPABLE);
    CHECK(open_at(ROOT, "f", TRUNCATE, CAN_READ, &fd), NOTCAPABLE);
    CHECK(open_at(ROOT, "new", CREATE, CAN_READ, &fd), NOTCAPABLE);
    CHECK(raw_path_create_directory(ROOT, TEXT("new")), NOTCAPABLE);
    CHECK(raw_path_remove_directory(ROOT, TEXT("d")), NOTCAPABLE);
    CHECK(raw_path_unlink_file(ROOT, TEXT("f")), NOTCAPABLE);
    CHECK(raw_path_rename(ROOT, TEXT("f"), ROOT, TEXT("g")), NOTCAPABLE);
    CHECK(raw_path_link(ROOT, 0, TEXT("f"), ROOT, TEXT("g")), NOTCAPABLE);
    CHECK(raw_path_symlink(TEXT("f"), ROOT, TEXT("g")), NOTCAPABLE);
    CHECK(raw_path_filestat_set_times(ROOT, 0, TEXT("f"), 1, 1, 5), NOTCAPABLE);
    CHECK(raw_fd_filestat_set_times(ROOT, 1, 1, 5), NOTCAPABLE);
    /* and so it is for a directory opened in it, whatever is asked for, and for the second, writable one's files */
    CHECK(raw_path_open(ROOT, 0, TEXT("d"), ONLY_DIRECTORY, RIGHT(9) | RIGHT(10) | RIGHT(13), rust | RIGHT(10), 0,
                        AT(&directory)),
          OK);
    CHECK(raw_fd_fdstat_get(directory, AT(&stat)), OK);
    CHECK(stat.rights, RIGHT(13));
    CHECK(raw_path_create_directory(directory, TEXT("new")), NOTCAPABLE);
    CHECK(open_at(directory, "new", CREATE, CAN_READ, &fd), NOTCAPABLE);
    CHECK(raw_path_open(directory, 0, TEXT("."), ONLY_DIRECTORY, RIGHT(10), RIGHT(6), 0, AT(&fd)), OK);
    CHECK(open_at(fd, "x", CREATE, 0, &fd), NOTCAPABLE);
    CHECK(raw_fd_fdstat_set_rights(ROOT, RIGHT(9), 0), NOTCAPABLE);
    CHECK(raw_path_rename(ROOT, TEXT("f"), ROOT + 1, TEXT("g")), NOTCAPABLE);
    CHECK(raw_path_link(ROOT, 0, TEXT("f"), ROOT + 1, TEXT("g")), NOTCAPABLE);
    CHECK(open_at(ROOT + 1, "w", CREATE, CAN_WRITE, &fd), OK);
    CHECK(raw_path_rename(ROOT + 1, TEXT("w"), ROOT, TEXT("w")), NOTCAPABLE);
}
