/* Links, symbolic and hard, inside the directory: followed where the call says so, and only there. */
#include "raw.h"

static void symbolic(void)
{
    char text[40];
    u32 fd, n;
    filestat stat;
    CHECK(raw_path_create_directory(ROOT, TEXT("d")), OK);
    CHECK(make_file("d/f", "target"), OK);
    CHECK(raw_path_symlink(TEXT("d/f"), ROOT, TEXT("l")), OK);
    CHECK(raw_path_symlink(TEXT("d/f"), ROOT, TEXT("l")), EXIST);
    CHECK(raw_path_symlink(TEXT("x"), ROOT, TEXT("d/")), EXIST);
    CHECK(raw_path_symlink(TEXT("x"), ROOT, TEXT("new/")), NOENT);
    CHECK(raw_path_symlink(TEXT("x"), ROOT, TEXT("d/f/")), NOTDIR);
    CHECK(raw_path_symlink(TEXT("/d/f"), ROOT, TEXT("absolute")), NOTCAPABLE);
    CHECK(raw_path_readlink(ROOT, TEXT("l"), AT(text), 40, AT(&n)), OK);
    CHECK_THAT(n == 3 && memcmp(text, "d/f", 3) == 0);
    CHECK(raw_path_readlink(ROOT, TEXT("l"), AT(text), 2, AT(&n)), OK);
    CHECK(n, 2);
    CHECK(raw_path_readlink(ROOT, TEXT("d/f"), AT(text), 40, AT(&n)), INVAL);
    CHECK(open_at(ROOT, "l", 0, CAN_READ, &fd), OK);
    CHECK(read_text(fd, text, 39), OK);
    CHECK_THAT(strcmp(text, "target") == 0);
    CHECK(raw_fd_close(fd), OK);
    CHECK(raw_path_open(ROOT, 0, TEXT("l"), 0, CAN_READ, 0, 0, AT(&fd)), LOOP);
    CHECK(raw_path_filestat_get(ROOT, 0, TEXT("l"), AT(&stat)), OK);
    CHECK(stat.type, TYPE_LINK);
    CHECK(stat.size, 3);
    CHECK(raw_path_filestat_get(ROOT, FOLLOW, TEXT("l"), AT(&stat)), OK);
    CHECK(stat.type, TYPE_FILE);
    CHECK(stat.size, 6);
}

static void times(void)
{
    filestat link, file;
    CHECK(raw_path_filestat_set_times(ROOT, 0, TEXT("l"), 0, 5000000001, 4), OK);
    CHECK(raw_path_filestat_set_times(ROOT, FOLLOW, TEXT("l"), 0, 7000000002, 4), OK);
    CHECK(raw_path_filestat_get(ROOT, 0, TEXT("l"), AT(&link)), OK);
    CHECK(raw_path_filestat_get(ROOT, 0, TEXT("d/f"), AT(&file)), OK);
    CHECK(link.modification, 5000000001);
    CHECK(file.modification, 7000000002);
    CHECK(raw_path_filestat_set_times(ROOT, 0, TEXT("l"), 0, 0, 12), INVAL);
}

static void directories_and_loops(void)
{
    u32 fd;
    CHECK(raw_path_symlink(TEXT("d"), ROOT, TEXT("ld")), OK);
    CHECK(open_at(ROOT, "ld/f", 0, CAN_READ, &fd), OK);
    CHECK(raw_fd_close(fd), OK);
    CHECK(open_at(ROOT, "ld/", ONLY_DIRECTORY, CAN_READ, &fd), OK);
    CHECK(raw_fd_close(fd), OK);
    CHECK(open_at(ROOT, "l/", 0, CAN_READ, &fd), NOTDIR);
    CHECK(raw_path_remove_directory(ROOT, TEXT("ld")), NOTDIR);
    CHECK(raw_path_symlink(TEXT("loop"), ROOT, TEXT("loop")), OK);
    CHECK(open_at(ROOT, "loop", 0, CAN_READ, &fd), LOOP);
    CHECK(open_at(ROOT, "loop/x", 0, CAN_READ, &fd), LOOP);
    CHECK(raw_path_symlink(TEXT("made"), ROOT, TEXT("dangling")), OK);
    CHECK(open_at(ROOT, "dangling", 0, CAN_READ, &fd), NOENT);
    CHECK(open_at(ROOT, "dangling", CREATE | EXCLUSIVE, CAN_READ, &fd), EXIST);
    CHECK(open_at(ROOT, "dangling", CREATE, CAN_READ, &fd), OK); /* makes what the link names */
    CHECK(raw_fd_close(fd), OK);
    CHECK(raw_path_unlink_file(ROOT, TEXT("made")), OK);
    CHECK(raw_path_unlink_file(ROOT, TEXT("dangling")), OK);
    CHECK(raw_path_unlink_file(ROOT, TEXT("loop")), OK);
    CHECK(raw_path_unlink_file(ROOT, TEXT("ld")), OK);
}

static void hard(void)
{
    filestat stat;
    CHECK(raw_path_link(ROOT, 0, TEXT("d/f"), ROOT, TEXT("h")), OK);
    CHECK(raw_path_link(ROOT, 0, TEXT("d/f"), ROOT, TEXT("h")), EXIST);
    CHECK(raw_path_link(ROOT, FOLLOW, TEXT("l"), ROOT, TEXT("h2")), INVAL);
    CHECK(raw_path_link(ROOT, 0, TEXT("d"), ROOT, TEXT("h2")), PERM);
    CHECK(raw_path_link(ROOT, 0, TEXT("d/f"), ROOT, TEXT("h2/")), NOENT);
    CHECK(raw_path_link(ROOT, 0, TEXT("d/f/"), ROOT, TEXT("h2")), NOTDIR);
    CHECK(raw_path_filestat_get(ROOT, 0, TEXT("h"), AT(&stat)), OK);
    CHECK(stat.links, 2);
    CHECK(raw_path_link(ROOT, 0, TEXT("l"), ROOT, TEXT("h3")), OK); /* the link itself */
    CHECK(raw_path_filestat_get(ROOT, 0, TEXT("h3"), AT(&stat)), OK);
    CHECK(stat.type, TYPE_LINK);
    CHECK(raw_path_rename(ROOT, TEXT("h3"), ROOT, TEXT("h4")), OK);
    CHECK(raw_path_unlink_file(ROOT, TEXT("h4")), OK);
    CHECK(raw_path_unlink_file(ROOT, TEXT("h")), OK);
}

int main(void)
{
    symbolic();
    times();
    directories_and_loops();
    hard();
}
