/* The module that embed.c loads; no C library, so that it imports nothing but what embed.c gives it:
 *     clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry embed_guest.c -o embed.wasm
 */
__attribute__((import_module("env"), import_name("say"))) void say(const char *text, int size);

static char line[100];

/* Where the host may leave a text of up to 100 bytes. */
__attribute__((export_name("line"))) char *get_line(void)
{
    return line;
}

__attribute__((export_name("shout"))) int shout(int size)
{
    for (int i = 0; i < size; i++)
        if (line[i] >= 'a' && line[i] <= 'z') line[i] -= 32;
    say(line, size);
    return size;
}

__attribute__((export_name("power"))) double power(double base, int exponent)
{
    double result = 1;
    for (; exponent > 0; exponent--)
        result *= base;
    return result;
}

__attribute__((export_name("forever"))) void forever(void)
{
    for (volatile int i = 0;; i++) {
    }
}
