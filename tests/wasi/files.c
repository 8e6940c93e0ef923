/* Files: what is written is read back, at every offset, and errors are the right ones. */
#include "raw.h"

static void reading_and_writing(void)
{
    u32 fd, n;
    u64 at;
    char text[64];
    CHECK(open_at(ROOT, "a", 0, CAN_READ, &fd), NOENT);
    CHECK(open_at(ROOT, "a", CREATE | EXCLUSIVE, CAN_EVERYTHING_WITH_FILES, &fd), OK);
    CHECK(open_at(ROOT, "a", CREATE | EXCLUSIVE, CAN_READ, &n), EXIST);
    CHECK(write_text(fd, "0123456789"), OK);
    CHECK(raw_fd_tell(fd, AT(&at)), OK);
    CHECK(at, 10);
    CHECK(raw_fd_seek(fd, (u64)-3, 2, AT(&at)), OK);
    CHECK(at, 7);
    CHECK(raw_fd_seek(fd, (u64)-8, 1, AT(&at)), INVAL);
    CHECK(raw_fd_seek(fd, 0, 3, AT(&at)), INVAL);
    CHECK(read_text(fd, text, 60), OK);
    CHECK_THAT(strcmp(text, "789") == 0);
    CHECK(read_text(fd, text, 60), OK);
    CHECK_THAT(text[0] == 0);
    part parts[3] = {{AT(text), 2}, {AT(text + 10), 0}, {AT(text + 20), 3}};
    CHECK(raw_fd_pread(fd, AT(parts), 3, 1, AT(&n)), OK);
    CHECK(n, 5);
    CHECK_THAT(memcmp(text, "12", 2) == 0 && memcmp(text + 20, "345", 3) == 0);
    CHECK(raw_fd_pwrite(fd, AT(parts), 3, 20, AT(&n)), OK);
    CHECK(raw_fd_pread(fd, AT(parts), 3, 1000, AT(&n)), OK);
    CHECK(n, 0);
    CHECK(raw_fd_pread(fd, AT(parts), 3, (u64)1 << 63, AT(&n)), INVAL);
    CHECK(raw_fd_pwrite(fd, AT(parts), 3, UINT64_MAX, AT(&n)), INVAL);
    CHECK(raw_fd_tell(fd, AT(&at)), OK);
    CHECK(at, 10);
    CHECK(raw_fd_close(fd), OK);
    CHECK(raw_fd_close(fd), BADF);
}

static void sizes_and_times(void)
{
    u32 fd;
    filestat stat;
    CHECK(open_at(ROOT, "a", 0, CAN_EVERYTHING_WITH_FILES, &fd), OK);
    CHECK(raw_fd_filestat_set_size(fd, 5), OK);
    CHECK(raw_fd_filestat_set_size(fd, UINT64_MAX), INVAL);
    CHECK(raw_fd_allocate(fd, 0, 100), OK);
    CHECK(raw_fd_allocate(fd, 0, 0), INVAL);
    CHECK(raw_fd_allocate(fd, UINT64_MAX, 1), INVAL);
    CHECK(raw_fd_filestat_set_times(fd, 1000000001, 2000000002, 1 | 4), OK);
    CHECK(raw_fd_filestat_get(fd, AT(&stat)), OK);
    CHECK(stat.size, 100);
    CHECK(stat.type, TYPE_FILE);
    CHECK(stat.access, 1000000001);
    CHECK(stat.modification, 2000000002);
    CHECK(raw_fd_filestat_set_times(fd, 0, 0, 8), OK); /* now, and leave the other */
    CHECK(raw_fd_filestat_get(fd, AT(&stat)), OK);
    CHECK(stat.access, 1000000001);
    CHECK_THAT(stat.modification > 1600000000000000000);
    CHECK(raw_fd_filestat_set_times(fd, 0, 0, 3), INVAL);
    CHECK(raw_fd_filestat_set_times(fd, 0, 0, 16), INVAL);
    for (u32 advice = 0; advice < 6; advice++)
        CHECK(raw_fd_advise(fd, 0, 10, advice), OK);
    CHECK(raw_fd_advise(fd, 0, 10, 6), INVAL);
    CHECK(raw_fd_sync(fd), OK);
    CHECK(raw_fd_datasync(fd), OK);
    CHECK(raw_fd_close(fd), OK);
    CHECK(open_at(ROOT, "a", TRUNCATE, CAN_READ | RIGHT(21), &fd), OK);
    CHECK(raw_fd_filestat_get(fd, AT(&stat)), OK);
    CHECK(stat.size, 0);
    CHECK(raw_fd_close(fd), OK);
}

static void appending(void)
{
    u32 fd;
    char text[20];
    CHECK(make_file("log", "one"), OK);
    CHECK(raw_path_open(ROOT, 0, TEXT("log"), 0, CAN_EVERYTHING_WITH_FILES, 0, APPEND, AT(&fd)), OK);
    CHECK(write_text(fd, "two"), OK);
    CHECK(raw_fd_fdstat_set_flags(fd, 0), OK);
    u64 at;
    CHECK(raw_fd_seek(fd, 0, 0, AT(&at)), OK);
    CHECK(write_text(fd, "O"), OK);
    CHECK(raw_fd_fdstat_set_flags(fd, APPEND), OK);
    CHECK(write_text(fd, "3"), OK);
    CHECK(raw_fd_fdstat_set_flags(fd, 2), NOTSUP);
    CHECK(raw_fd_fdstat_set_flags(fd, 32), INVAL);
    CHECK(raw_fd_seek(fd, 0, 0, AT(&at)), OK);
    CHECK(read_text(fd, text, 19), OK);
    CHECK_THAT(strcmp(text, "Onetwo3") == 0);
    CHECK(raw_fd_close(fd), OK);
}

static void rights_only_shrink(void)
{
    u32 fd;
    fdstat stat;
    char text[8];
    CHECK(open_at(ROOT, "log", 0, CAN_READ | CAN_SEEK | CAN_WRITE, &fd), OK);
    CHECK(raw_fd_fdstat_get(fd, AT(&stat)), OK);
    CHECK(stat.rights, CAN_READ | CAN_SEEK | CAN_WRITE);
    CHECK(stat.type, TYPE_FILE);
    CHECK(raw_fd_filestat_set_size(fd, 0), NOTCAPABLE);
    CHECK(raw_fd_fdstat_set_rights(fd, CAN_READ, 0), OK);
    CHECK(write_text(fd, "x"), NOTCAPABLE);
    CHECK(read_text(fd, text, 3), OK);
    CHECK(raw_fd_fdstat_set_rights(fd, CAN_READ | CAN_WRITE, 0), NOTCAPABLE);
    CHECK(raw_fd_fdstat_set_rights(fd, CAN_READ, 1), NOTCAPABLE);
    CHECK(raw_fd_fdstat_set_rights(fd, 0, 0), OK);
    CHECK(read_text(fd, text, 3), NOTCAPABLE);
    CHECK(raw_fd_close(fd), OK); /* no right is needed to close */
}

static void renumbering(void)
{
    u32 a, b, n;
    char text[20];
    CHECK(make_file("b", "bbb"), OK);
    CHECK(open_at(ROOT, "log", 0, CAN_READ, &a), OK);
    CHECK(open_at(ROOT, "b", 0, CAN_READ, &b), OK);
    CHECK(raw_fd_renumber(b, a), OK);
    CHECK(read_text(a, text, 19), OK);
    CHECK_THAT(strcmp(text, "bbb") == 0);
    CHECK(raw_fd_close(b), BADF);
    CHECK(raw_fd_renumber(a, a), OK);
    CHECK(raw_fd_renumber(a, 77), BADF);
    CHECK(raw_fd_renumber(77, a), BADF);
    CHECK(raw_fd_renumber(a, UINT32_MAX), BADF);
    CHECK(raw_fd_close(a), OK);
    CHECK(open_at(ROOT, "b", 0, CAN_READ, &n), OK); /* the lowest free number */
    CHECK(n, a);
    CHECK(raw_fd_close(n), OK);
}

static void more_than_one_piece(void)
{
    static unsigned char big[9 << 20];
    u32 fd, n;
    u64 at;
    for (u32 i = 0; i < sizeof big; i++)
        big[i] = (unsigned char)(i >> 12);
    CHECK(open_at(ROOT, "big", CREATE, CAN_EVERYTHING_WITH_FILES, &fd), OK);
    part parts[2] = {{AT(big), 5 << 20}, {AT(big + (5 << 20)), 4 << 20}};
    CHECK(raw_fd_write(fd, AT(parts), 2, AT(&n)), OK);
    CHECK(n, sizeof big);
    CHECK(raw_fd_pwrite(fd, AT(parts), 2, 1 << 20, AT(&n)), OK);
    CHECK(n, sizeof big);
    memset(big, 0, sizeof big);
    CHECK(raw_fd_seek(fd, 1 << 20, 0, AT(&at)), OK);
    CHECK(raw_fd_read(fd, AT(parts), 2, AT(&n)), OK);
    CHECK(n, sizeof big);
    for (u32 i = 0; i < sizeof big; i++)
        if (big[i] != (unsigned char)(i >> 12)) CHECK(i, 0);
    CHECK(raw_fd_close(fd), OK);
}

int main(void)
{
    reading_and_writing();
    sizes_and_times();
    appending();
    rights_only_shrink();
    renumbering();
    more_than_one_piece();
}
