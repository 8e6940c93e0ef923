/* What tests/module_api_test.c calls: no C library, imports from "env" and one function of WASI. */
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name), noinline))

IMPORT("env", "call_back") int call_back(int n);
IMPORT("env", "fail") void fail(int how);
IMPORT("env", "text") int text(const char *bytes, int size);
IMPORT("wasi_snapshot_preview1", "proc_exit") _Noreturn void proc_exit(int code);

static int initialized;
EXPORT("_initialize") void initialize(void)
{
    initialized++;
}
EXPORT("initialized") int get_initialized(void)
{
    return initialized;
}

EXPORT("add") int add(int a, int b)
{
    return a + b;
}
EXPORT("multiply") int64_t multiply(int64_t a, int64_t b)
{
    return a * b;
}
EXPORT("mix") double mix(int a, int64_t b, float c, double d)
{
    return a + (double)b + (double)c * d;
}
EXPORT("half") float half(float x)
{
    return x / 2;
}

EXPORT("divide") int divide(int a, int b)
{
    return a / b;
}
EXPORT("outer") int outer(int a)
{
    return divide(a, a - a) + 1;
}
EXPORT("deep") int deep(int n)
{
    volatile int below = deep(n + 1);
    return below + n;
}
EXPORT("forever") void forever(void)
{
    for (volatile int i = 0;; i++) {
    }
}
EXPORT("count") int count(int n)
{
    volatile int sum = 0;
#pragma clang loop unroll(disable)
    for (int i = 0; i < n; i++)
        sum += i;
    return sum;
}

EXPORT("nested") int nested(int n)
{
    return call_back(n) + 1;
}
EXPORT("failing") void failing(int how)
{
    fail(how);
}
EXPORT("say") int say(int size)
{
    return text("hello from inside", size);
}
EXPORT("leave") void leave(int code)
{
    proc_exit(code);
}

static uint8_t buffer[64];
EXPORT("buffer") uint8_t *get_buffer(void)
{
    return buffer;
}
EXPORT("checksum") int checksum(void)
{
    int sum = 0;
    for (int i = 0; i < 64; i++)
        sum += buffer[i];
    return sum;
}
EXPORT("peek") int peek(volatile const int *at)
{
    return *at;
}
EXPORT("grow") int grow(int pages)
{
    return (int)__builtin_wasm_memory_grow(0, (unsigned long)pages);
}
EXPORT("pointer") int (*get_pointer(void))(int, int)
{
    return add;
}
