/* Opens, looks at and makes things by a path whose directory somebody else exchanges all the time for a link to the
 * outside (tests/wasi_programs.py). Every success must be inside: the file there says "inside". */
#include "raw.h"

int main(int argc, char **argv)
{
    (void)argc;
    u32 inside = 0, refused = 0, fd;
    filestat stat;
    char text[20];
    const u64 until = now(1) + (u64)atoi(argv[1]) * 1000000;
    while (now(1) < until) {
        for (u32 i = 0; i < 50; i++) {
            if (open_at(ROOT, "swap/../swap/f", 0, CAN_READ, &fd) == OK) {
                CHECK(read_text(fd, text, 19), OK);
                CHECK_THAT(strcmp(text, "inside") == 0);
                CHECK(raw_fd_close(fd), OK);
                inside++;
            } else {
                refused++;
            }
            if (raw_path_filestat_get(ROOT, FOLLOW, TEXT("swap/f"), AT(&stat)) == OK) CHECK(stat.size, 6);
            if (open_at(ROOT, "swap/new", CREATE, CAN_WRITE, &fd) == OK) CHECK(raw_fd_close(fd), OK);
            u32 ignored = raw_path_create_directory(ROOT, TEXT("swap/directory"));
            ignored = raw_path_rename(ROOT, TEXT("swap/new"), ROOT, TEXT("swap/renamed"));
            ignored = raw_path_unlink_file(ROOT, TEXT("swap/renamed"));
            ignored = raw_path_unlink_file(ROOT, TEXT("swap/secret"));
            ignored = raw_path_link(ROOT, 0, TEXT("swap/secret"), ROOT, TEXT("stolen"));
            (void)ignored;
        }
    }
    printf("%u inside, %u refused\n", inside, refused);
}
