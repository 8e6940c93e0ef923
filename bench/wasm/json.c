/* Scans a JSON document of about 120 kB: strings with escapes, numbers, nesting; sums what it finds. */
#include "bench.h"

enum { SIZE = 120 << 10 };
static char text[SIZE + 1024];
static size_t size;

static void put(const char *s)
{
    size_t n = strlen(s);
    memcpy(text + size, s, n);
    size += n;
}

static void setup(void)
{
    static const char *const words[] = {"model", "tokens \\u00e9", "a \\\"quoted\\\" word", "temperature",
                                        "x",     "stop\\n"};
    char number[64];
    put("[");
    while (size < SIZE) {
        if (size > 1) put(", ");
        put("{\"id\": ");
        snprintf(number, sizeof number, "%u", (unsigned)random_u32());
        put(number);
        put(", \"role\": \"");
        put(words[random_u32() % 6]);
        put("\", \"scores\": [");
        for (int i = 0; i < 4; i++) {
            uint32_t whole = random_u32() % 100, rest = random_u32() % 100, exponent = random_u32() % 9;
            snprintf(number, sizeof number, "%s-%u.%02ue-%u", i ? ", " : "", (unsigned)whole, (unsigned)rest,
                     (unsigned)exponent);
            put(number);
        }
        put("], \"nested\": {\"ok\": true, \"none\": null, \"text\": \"");
        put(words[random_u32() % 6]);
        put("\"}}");
    }
    put("]");
    text[size] = 0;
}

typedef struct scanner {
    const char *at;
    uint32_t hash, depth, deepest, values;
} scanner;

static void scan_string(scanner *s)
{
    uint32_t h = s->hash;
    for (s->at++; *s->at != '"'; s->at++) {
        unsigned char c = (unsigned char)*s->at;
        if (c == '\\') {
            c = (unsigned char)*++s->at;
            if (c == 'u') {
                uint32_t code = 0;
                for (int i = 0; i < 4; i++) {
                    unsigned char d = (unsigned char)*++s->at;
                    code = code * 16 + (uint32_t)(d <= '9' ? d - '0' : (d | 32) - 'a' + 10);
                }
                h = h * 33 + code;
                continue;
            }
        }
        h = h * 33 + c;
    }
    s->at++;
    s->hash = h;
}

static void scan_number(scanner *s)
{
    uint32_t mantissa = 0, exponent = 0, negative = *s->at == '-';
    s->at += negative;
    for (; *s->at >= '0' && *s->at <= '9'; s->at++)
        mantissa = mantissa * 10 + (uint32_t)(*s->at - '0');
    if (*s->at == '.')
        for (s->at++; *s->at >= '0' && *s->at <= '9'; s->at++)
            mantissa = mantissa * 10 + (uint32_t)(*s->at - '0');
    if (*s->at == 'e') {
        s->at += s->at[1] == '-' ? 2 : 1;
        for (; *s->at >= '0' && *s->at <= '9'; s->at++)
            exponent = exponent * 10 + (uint32_t)(*s->at - '0');
    }
    s->hash = s->hash * 33 + mantissa + exponent + negative;
}

static uint32_t run(void)
{
    scanner s = {.at = text};
    while (*s.at) {
        switch (*s.at) {
        case '{':
        case '[':
            if (++s.depth > s.deepest) s.deepest = s.depth;
            s.at++;
            break;
        case '}':
        case ']':
            s.depth--;
            s.at++;
            break;
        case '"':
            scan_string(&s);
            s.values++;
            break;
        case 't':
        case 'f':
        case 'n':
            while (*s.at >= 'a' && *s.at <= 'z')
                s.at++;
            s.values++;
            break;
        case '-':
        case '0' ... '9':
            scan_number(&s);
            s.values++;
            break;
        default: /* commas, colons, spaces */
            s.at++;
        }
    }
    return s.hash ^ s.deepest << 24 ^ s.values;
}
