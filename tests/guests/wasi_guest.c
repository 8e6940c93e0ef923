/* A WASI program with a C library, for tests/module_api_test.c and tests/run_program_test.py: does what its first
 * argument says. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

__attribute__((noinline)) int divide(int a, int b)
{
    return a / b;
}
__attribute__((noinline)) int middle(int a)
{
    return divide(a, a - a) + 1;
}

static int copy(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);
    if (!f) return printf("%s: %s\n", path, strerror(errno)), 3;
    for (int c; *mode == 'r' && (c = getc(f)) != EOF;)
        putchar(c);
    if (*mode == 'w') fputs("written inside\n", f);
    return fclose(f) ? 4 : 0;
}

static int fill(size_t bytes)
{
    char *p = malloc(bytes);
    if (!p) return puts("no memory"), 5;
    memset(p, 1, bytes);
    return printf("%zu bytes\n", bytes), p[bytes - 1] - 1;
}

/* Answers one connection, in capitals. */
static int serve(int listener)
{
    char text[100];
    __wasi_fd_t fd;
    size_t size = 0, sent;
    __wasi_roflags_t flags;
    __wasi_errno_t error = __wasi_sock_accept(listener, 0, &fd);
    if (error) return printf("accept: %s\n", strerror(error)), 7;
    for (;;) {
        __wasi_iovec_t piece = {(uint8_t *)text + size, sizeof text - size};
        __wasi_size_t n = 0;
        if (__wasi_sock_recv(fd, &piece, 1, 0, &n, &flags) || !n) break;
        size += n;
    }
    for (size_t i = 0; i < size; i++)
        if (text[i] >= 'a' && text[i] <= 'z') text[i] -= 'a' - 'A';
    const __wasi_ciovec_t all = {(const uint8_t *)text, size};
    if (__wasi_sock_send(fd, &all, 1, 0, &sent) || __wasi_sock_shutdown(fd, __WASI_SDFLAGS_WR)) return 8;
    return printf("%zu bytes\n", size), close(fd);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : "";
    if (strcmp(what, "args") == 0)
        for (int i = 0; i < argc; i++)
            printf("%d: %s\n", i, argv[i]);
    else if (strcmp(what, "env") == 0)
        puts(getenv(arg) ? getenv(arg) : "unset");
    else if (strcmp(what, "read") == 0 || strcmp(what, "write") == 0)
        return copy(arg, *what == 'r' ? "r" : "w");
    else if (strcmp(what, "exit") == 0)
        exit(atoi(arg));
    else if (strcmp(what, "trap") == 0)
        return middle(argc);
    else if (strcmp(what, "abort") == 0)
        abort();
    else if (strcmp(what, "loop") == 0)
        for (volatile int i = 0;; i++) {
        }
    else if (strcmp(what, "sleep") == 0)
        sleep((unsigned)atoi(arg));
    else if (strcmp(what, "memory") == 0)
        return fill((size_t)strtoul(arg, NULL, 0));
    else if (strcmp(what, "cat") == 0)
        for (int c; (c = getchar()) != EOF;)
            putchar(c);
    else if (strcmp(what, "serve") == 0)
        return serve(atoi(arg));
    else if (strcmp(what, "both") == 0)
        return puts("to stdout"), fputs("to stderr\n", stderr), 0;
    else
        puts("hello, world");
    return 0;
}
