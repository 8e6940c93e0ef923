/* Clocks, entropy, and waiting for clocks and descriptors. */
#include "raw.h"

static void clocks(void)
{
    u64 resolution;
    for (u32 id = 0; id < 4; id++) {
        CHECK(raw_clock_res_get(id, AT(&resolution)), OK);
        CHECK_THAT(resolution > 0 && resolution <= 1000000000);
        u64 a = now(id), b = now(id);
        CHECK_THAT(id == 0 || b >= a);
    }
    CHECK_THAT(now(0) > 1600000000000000000);
}

static void entropy(void)
{
    static unsigned char bytes[3 << 20];
    unsigned counts[256] = {0};
    CHECK(raw_random_get(AT(bytes), sizeof bytes), OK);
    for (unsigned i = 0; i < sizeof bytes; i++)
        counts[bytes[i]]++;
    for (unsigned i = 0; i < 256; i++)
        CHECK_THAT(counts[i] > 11000 && counts[i] < 13600); /* 12,288 expected, 110 the deviation */
    CHECK(raw_random_get(AT(bytes), 0), OK);
}

static u32 poll(const subscription *in, u32 count, event *out)
{
    u32 n = 99;
    CHECK(raw_poll_oneoff(AT(in), AT(out), count, AT(&n)), OK);
    return n;
}

static void sleeping(void)
{
    event e;
    const u64 ms = 1000000, start = now(1);
    subscription s = {.user_data = 7, .id = 1, .timeout = 20 * ms};
    CHECK(poll(&s, 1, &e), 1);
    CHECK_THAT(now(1) - start >= 20 * ms);
    CHECK_THAT(e.user_data == 7 && e.error == OK && e.type == 0);
    for (u32 id = 0; id < 2; id++) { /* until a time of day, until a time of the other clock */
        u64 until = now(id) + 15 * ms;
        s = (subscription){.id = id, .timeout = until, .flags = 1};
        CHECK(poll(&s, 1, &e), 1);
        CHECK_THAT(now(id) >= until);
    }
    s = (subscription){.id = 1, .timeout = 1, .flags = 1}; /* long ago */
    CHECK(poll(&s, 1, &e), 1);
    s = (subscription){.id = 0, .timeout = 0};
    CHECK(poll(&s, 1, &e), 1);
    s.id = 3;
    CHECK(poll(&s, 1, &e), 1);
    CHECK(e.error, NOTSUP);
    s.id = 9;
    CHECK(poll(&s, 1, &e), 1);
    CHECK(e.error, INVAL);
    s.type = 3;
    u32 n;
    CHECK(raw_poll_oneoff(AT(&s), AT(&e), 1, AT(&n)), INVAL);
}

static void descriptors(void)
{
    event e[4];
    u32 fd;
    CHECK(make_file("f", "12345"), OK);
    CHECK(open_at(ROOT, "f", 0, CAN_READ | RIGHT(27), &fd), OK);
    const u64 hour = 3600000000000;
    subscription s[4] = {{.user_data = 1, .id = 1, .timeout = hour},
                         {.user_data = 2, .type = 1, .id = fd},
                         {.user_data = 3, .type = 2, .id = 1},
                         {.user_data = 4, .type = 1, .id = 88}};
    CHECK(poll(s, 4, e), 3);
    CHECK_THAT(e[0].user_data == 2 && e[0].error == OK && e[0].bytes == 5 && e[0].type == 1);
    CHECK_THAT(e[1].user_data == 3 && e[1].error == OK && e[1].type == 2);
    CHECK_THAT(e[2].user_data == 4 && e[2].error == BADF);
    s[1].type = 2; /* opened for reading only */
    CHECK(poll(s + 1, 1, e), 1);
    CHECK(e[0].error, NOTCAPABLE);
    CHECK(raw_fd_close(fd), OK);
}

/* Standard input is a pipe in which nothing comes; in the end the test closes it. */
static void standard_input(void)
{
    event e[2];
    char text[8];
    const u64 ms = 1000000;
    subscription s[2] = {{.user_data = 1, .id = 1, .timeout = 10 * ms}, {.user_data = 2, .type = 1, .id = 0}};
    CHECK(poll(s, 2, e), 1);
    CHECK(e[0].user_data, 1);
    CHECK(raw_fd_fdstat_set_flags(0, NONBLOCK), OK);
    CHECK(read_text(0, text, 7), AGAIN);
    CHECK(raw_fd_fdstat_set_flags(0, 0), OK);
    fputs("close it\n", stdout);
    fflush(stdout);
    CHECK(poll(s + 1, 1, e), 1);
    CHECK_THAT(e[0].error == OK && e[0].flags == 1); /* hung up */
    CHECK(read_text(0, text, 7), OK);
    CHECK_THAT(text[0] == 0);
}

int main(void)
{
    clocks();
    entropy();
    sleeping();
    descriptors();
    standard_input();
}
