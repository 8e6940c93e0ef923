/* Arguments, environment, exit codes, standard streams, the limit of open files. First argument: what to do. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "raw.h"

extern char **environ;

static void print_all(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("argument %d: [%s]\n", i, argv[i]);
    for (char **e = environ; *e; e++)
        printf("environment: [%s]\n", *e);
}

/* Opens until it is told to stop; the limit is 12, of which three are streams and one the directory. */
static void open_many(void)
{
    u32 fd = 0, opened = 0, error;
    while (!(error = open_at(ROOT, "f", CREATE, CAN_READ, &fd)))
        opened++;
    CHECK(error, MFILE);
    CHECK(opened, 8);
    filestat stat;
    CHECK(open_at(ROOT, "g", CREATE, CAN_READ, &fd), MFILE);
    CHECK(raw_path_filestat_get(ROOT, 0, TEXT("g"), AT(&stat)), NOENT); /* nor was it made */
    CHECK(raw_fd_close(7), OK);
    CHECK(open_at(ROOT, "g", CREATE, CAN_READ, &fd), OK);
    CHECK(fd, 7);
}

static void nothing_granted(void)
{
    fdstat stat;
    u32 n;
    CHECK(raw_fd_prestat_get(ROOT, AT(&stat)), BADF);
    CHECK(raw_fd_fdstat_get(3, AT(&stat)), BADF);
    CHECK(open_at(ROOT, "f", 0, CAN_READ, &n), BADF);
    CHECK(raw_environ_sizes_get(AT(&n), AT(&stat)), OK);
    CHECK(n, 0);
    CHECK_THAT(open("/etc/passwd", O_RDONLY) < 0);
}

static void streams(void)
{
    char text[20];
    u64 at;
    fdstat stat;
    CHECK(read_text(0, text, 19), OK);
    CHECK_THAT(strcmp(text, "input") == 0);
    CHECK(write_text(0, "x"), NOTCAPABLE);
    CHECK(read_text(1, text, 1), NOTCAPABLE);
    CHECK(write_text(1, "out"), OK);
    CHECK(write_text(2, "err"), OK);
    CHECK(raw_fd_seek(1, 0, 0, AT(&at)), SPIPE);
    CHECK(raw_fd_fdstat_get(1, AT(&stat)), OK);
    CHECK(stat.rights & (CAN_SEEK | RIGHT(5)), 0);
    CHECK_THAT(!isatty(1));
}

/* Nobody reads the output: an error, and the program goes on. */
static void closed_output(void)
{
    CHECK(read_text(0, (char[4]){0}, 1), OK); /* until the test has closed it */
    CHECK(write_text(1, "nobody"), PIPE_CLOSED);
    fputs("alive", stderr);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "print") == 0) print_all(argc, argv);
    if (strcmp(what, "many") == 0) open_many();
    if (strcmp(what, "nothing") == 0) nothing_granted();
    if (strcmp(what, "streams") == 0) streams();
    if (strcmp(what, "closed") == 0) closed_output();
    if (strcmp(what, "raise") == 0) CHECK(raw_proc_raise(15), OK);
    if (strcmp(what, "exit") == 0) exit(atoi(argv[2]));
    if (strcmp(what, "trap") == 0) __builtin_trap();
}
