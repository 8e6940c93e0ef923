/* A WASI program with a C library, for tests/module_api_test.c and tests/run_program_test.py: does what its first
 * argument says. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    else if (strcmp(what, "both") == 0)
        return puts("to stdout"), fputs("to stderr\n", stderr), 0;
    else
        puts("hello, world");
    return 0;
}
