/* Pointers, counts and texts that no honest program passes: each is answered, and nothing happens. */
#include "raw.h"

static u32 last; /* the memory's size */

static void pointers(void)
{
    static const u32 beyond[] = {0, 1, 4, 1000};
    u32 n;
    part one = {AT(&n), 4};
    last = (u32)__builtin_wasm_memory_size(0) << 16;
    for (unsigned i = 0; i < 4; i++) {
        const u32 bad = last + beyond[i], half = last - 3;
        CHECK(raw_args_sizes_get(bad, AT(&n)), FAULT);
        CHECK(raw_args_sizes_get(AT(&n), half), FAULT);
        CHECK(raw_args_get(AT(&n), bad), FAULT);
        CHECK(raw_clock_time_get(0, 0, half), FAULT);
        CHECK(raw_clock_res_get(0, half), FAULT);
        CHECK(raw_random_get(half, 4), FAULT);
        CHECK(raw_random_get(0, UINT32_MAX), FAULT);
        CHECK(raw_fd_fdstat_get(1, last - 23), FAULT);
        CHECK(raw_fd_filestat_get(1, last - 63), FAULT);
        CHECK(raw_fd_prestat_get(ROOT, last - 7), FAULT);
        CHECK(raw_fd_prestat_dir_name(ROOT, bad, 100), FAULT);
        CHECK(raw_fd_write(1, bad, 1, AT(&n)), FAULT);
        CHECK(raw_fd_write(1, AT(&one), 1, half), FAULT);
        CHECK(raw_fd_readdir(ROOT, bad, 100, 0, AT(&n)), FAULT);
        CHECK(raw_fd_readdir(ROOT, 0, 100, 0, half), FAULT);
        CHECK(raw_poll_oneoff(bad, 0, 1, AT(&n)), FAULT);
        CHECK(raw_poll_oneoff(0, last - 31, 1, AT(&n)), FAULT);
        CHECK(raw_poll_oneoff(0, 0, 1, half), FAULT);
        CHECK(raw_path_create_directory(ROOT, bad, 4), FAULT);
        CHECK(raw_path_create_directory(ROOT, half, 4), FAULT);
        CHECK(raw_path_open(ROOT, 0, TEXT("f"), CREATE, 0, 0, 0, half), FAULT);
        CHECK(raw_path_readlink(ROOT, TEXT("l"), bad, 4, AT(&n)), FAULT);
        CHECK(raw_path_symlink(bad, 4, ROOT, TEXT("x")), FAULT);
        CHECK(raw_path_rename(ROOT, TEXT("d"), ROOT, bad, 4), FAULT);
    }
    filestat stat;
    CHECK(raw_path_filestat_get(ROOT, 0, TEXT("f"), AT(&stat)), NOENT); /* the open above had no place for its answer */
}

static void lists(void)
{
    static part many[1025];
    u32 n, fd;
    static char byte[8];
    CHECK(open_at(ROOT, "f", CREATE, CAN_EVERYTHING_WITH_FILES, &fd), OK);
    for (unsigned i = 0; i < 1025; i++)
        many[i] = (part){AT(byte), 1};
    CHECK(raw_fd_write(fd, AT(many), 1024, AT(&n)), OK);
    CHECK(n, 1024);
    CHECK(raw_fd_write(fd, AT(many), 1025, AT(&n)), INVAL);
    CHECK(raw_fd_write(fd, 0, 1000000, AT(&n)), INVAL);
    CHECK(raw_fd_write(fd, 0, UINT32_MAX, AT(&n)), INVAL);
    CHECK(raw_fd_read(fd, 0, 0x20000001, AT(&n)), INVAL); /* times 8 it is 8 */
    /* each part is there, their sum is more than a count can say */
    for (unsigned i = 0; i < 1024; i++)
        many[i] = (part){0, last};
    CHECK_THAT((u64)last * 1024 > UINT32_MAX);
    CHECK(raw_fd_write(fd, AT(many), 1024, AT(&n)), INVAL);
    part bad[2] = {{AT(byte), 1}, {last - 1, 2}};
    CHECK(raw_fd_write(fd, AT(bad), 2, AT(&n)), FAULT);
    CHECK(raw_fd_read(fd, AT(bad), 2, AT(&n)), FAULT);
    bad[1] = (part){UINT32_MAX, 1};
    CHECK(raw_fd_pwrite(fd, AT(bad), 2, 0, AT(&n)), FAULT);
    bad[1] = (part){1, UINT32_MAX};
    CHECK(raw_fd_pread(fd, AT(bad), 2, 0, AT(&n)), FAULT);
    bad[1] = (part){last - 1, 1};
    CHECK(raw_fd_write(fd, AT(bad), 2, AT(&n)), OK); /* the last byte is there */
    CHECK(raw_fd_write(fd, AT(bad), 0, AT(&n)), OK);
    CHECK(n, 0);
    CHECK(raw_poll_oneoff(0, 0, UINT32_MAX, AT(&n)), INVAL);
    CHECK(raw_poll_oneoff(0, 0, 0, AT(&n)), INVAL);
    CHECK(raw_fd_close(fd), OK);
}

static void texts(void)
{
    static const char nul[] = "f\0g", *const broken[] = {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80",
                                                         "\xf5\x80\x80\x80"};
    static char longest[70000];
    u32 fd;
    CHECK(raw_path_open(ROOT, 0, AT(nul), 3, 0, CAN_READ, 0, 0, AT(&fd)), INVAL);
    CHECK(raw_path_create_directory(ROOT, AT(nul), 3), INVAL);
    CHECK(raw_path_symlink(AT(nul), 3, ROOT, TEXT("s")), INVAL);
    for (unsigned i = 0; i < 5; i++) {
        CHECK(open_at(ROOT, broken[i], CREATE, CAN_READ, &fd), ILSEQ);
        CHECK(raw_path_create_directory(ROOT, TEXT(broken[i])), ILSEQ);
    }
    CHECK(open_at(ROOT, "", CREATE, CAN_READ, &fd), NOENT);
    CHECK(raw_path_create_directory(ROOT, TEXT("")), NOENT);
    CHECK(raw_path_rename(ROOT, TEXT("f"), ROOT, TEXT("")), NOENT);
    memset(longest, 'a', sizeof longest - 1);
    CHECK(raw_path_create_directory(ROOT, AT(longest), 256), NAMETOOLONG);
    CHECK(raw_path_create_directory(ROOT, AT(longest), 4096), NAMETOOLONG);
    CHECK(open_at(ROOT, longest, CREATE, CAN_READ, &fd), NAMETOOLONG);
    for (unsigned i = 1; i < sizeof longest - 1; i += 2)
        longest[i] = '/';
    CHECK(open_at(ROOT, longest, CREATE, CAN_READ, &fd), NAMETOOLONG);
    memcpy(longest, "./././", 6);
    for (unsigned i = 0; i < 4000; i++)
        longest[i] = "./"[i % 2];
    CHECK(raw_path_open(ROOT, 0, AT(longest), 4000, 0, 0, 0, 0, AT(&fd)), OK);
    CHECK(raw_fd_close(fd), OK);
}

static void numbers(void)
{
    u32 n;
    u64 t;
    filestat stat;
    CHECK(raw_clock_time_get(4, 0, AT(&t)), INVAL);
    CHECK(raw_clock_res_get(UINT32_MAX, AT(&t)), INVAL);
    CHECK(raw_fd_read(UINT32_MAX, 0, 0, AT(&n)), BADF);
    CHECK(raw_fd_close(0x80000003), BADF);
    CHECK(raw_path_open(ROOT, 2, TEXT("f"), 0, 0, 0, 0, AT(&n)), INVAL);
    CHECK(raw_path_open(ROOT, 0, TEXT("f"), 16, 0, 0, 0, AT(&n)), INVAL);
    CHECK(raw_path_open(ROOT, 0, TEXT("f"), 0, 0, 0, 32, AT(&n)), INVAL);
    CHECK(raw_path_open(ROOT, 0, TEXT("f"), 0, UINT64_MAX, 0, 0, AT(&n)), NOTCAPABLE);
    CHECK(raw_path_filestat_set_times(ROOT, 0, TEXT("f"), 0, 0, 16), INVAL);
    CHECK(raw_path_filestat_set_times(ROOT, 0, TEXT("f"), UINT64_MAX, UINT64_MAX, 5), OK);
    CHECK(raw_path_filestat_get(ROOT, 0, TEXT("f"), AT(&stat)), OK);
    CHECK(raw_fd_advise(1, 0, 0, 0), NOTCAPABLE);
    CHECK(raw_proc_raise(31), INVAL);
    CHECK(raw_proc_raise(18), NOTSUP);
    CHECK(raw_proc_raise(0), OK);
    CHECK(raw_sched_yield(), OK);
    CHECK(raw_sock_recv(ROOT, 0, 0, 0, AT(&n), AT(&t)), NOTSOCK);
    CHECK(raw_sock_send(1, 0, 0, 0, AT(&n)), NOTSOCK);
    CHECK(raw_sock_accept(0, 0, AT(&n)), NOTSOCK);
    CHECK(raw_sock_shutdown(99, 1), BADF);
}

int main(void)
{
    CHECK_THAT(__builtin_wasm_memory_grow(0, 80) != (size_t)-1); /* so that 1024 times all of it is past 2^32 */
    CHECK(raw_path_create_directory(ROOT, TEXT("d")), OK);
    CHECK(raw_path_symlink(TEXT("d"), ROOT, TEXT("l")), OK);
    pointers();
    lists();
    texts();
    numbers();
}
