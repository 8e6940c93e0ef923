/* Text of a model on its way to a terminal: characters, and no orders. */
#include "cli/cli.h"

/* In UTF-8 the controls U+0080 to U+009F (U+009B begins an escape sequence as ESC [ does) are C2 80 to C2 9F, and a
 * text may end between the two bytes. */
size_t cli_filter_text(cli_filter *filter, char *out, const char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text[i];
        const bool after_c2 = filter->held_c2;
        filter->held_c2 = c == 0xc2;
        if (after_c2 && c >= 0x80 && c < 0xa0) continue;
        if (after_c2) out[n++] = (char)0xc2;
        if (filter->held_c2) continue;
        if ((c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t') out[n++] = (char)c;
    }
    return n;
}
