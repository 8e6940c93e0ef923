/* What of a model's text reaches a terminal, however it is cut into pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/cli.h"

static void controls_are_dropped(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"plain\n\ttext", "plain\n\ttext"},
        {"a\033[31mb\007\177c\r", "a[31mbc"},
        {"a\302\23331mb", "a31mb"}, /* U+009B */
        {"\302\200\302\237.", "."},
        {"\302\240 \302\251 \303\202 \342\202\233 \360\237\230\200",
         "\302\240 \302\251 \303\202 \342\202\233 \360\237\230\200"},
        {"\302\302\233x", "\302x"}, /* no UTF-8, but the second half is one */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const size_t size = strlen(texts[i][0]);
        for (size_t piece = 1; piece <= size; piece++) {
            cli_filter filter = {0};
            char out[64] = {0}, *end = out;
            for (size_t at = 0; at < size; at += piece) {
                const size_t n = size - at < piece ? size - at : piece;
                end += cli_filter_text(&filter, end, texts[i][0] + at, n);
            }
            *end = 0;
            assert_string_equal(out, texts[i][1]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(controls_are_dropped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
