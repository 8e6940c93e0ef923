/* Waits for ever, in the way that the first argument says; the test interrupts it. The listener is descriptor 4, the
 * directory holds the named pipe "pipe". */
#include "raw.h"

enum { LISTENER = 4 };

static void again(const char *what)
{
    static char big[1 << 20];
    u32 fd, n;
    uint16_t flags;
    event e;
    part all = {AT(big), sizeof big};
    subscription hour = {.id = 1, .timeout = 3600000000000}, input = {.type = 1, .id = 0};
    if (strcmp(what, "sleep") == 0) raw_poll_oneoff(AT(&hour), AT(&e), 1, AT(&n));
    if (strcmp(what, "poll") == 0) raw_poll_oneoff(AT(&input), AT(&e), 1, AT(&n));
    if (strcmp(what, "read") == 0) raw_fd_read(0, AT(&all), 1, AT(&n));
    if (strcmp(what, "write") == 0) raw_fd_write(1, AT(&all), 1, AT(&n));
    if (strcmp(what, "accept") == 0) raw_sock_accept(LISTENER, 0, AT(&fd));
    if (strcmp(what, "random") == 0) raw_random_get(AT(big), sizeof big);
    if (strcmp(what, "yield") == 0) raw_sched_yield();
    if (strcmp(what, "receive") == 0) {
        CHECK(raw_sock_accept(LISTENER, 0, AT(&fd)), OK);
        for (;;)
            raw_sock_recv(fd, AT(&all), 1, 2, AT(&n), AT(&flags));
    }
    if (strcmp(what, "pipe") == 0) { /* opening it must not wait for a writer either */
        CHECK(open_at(ROOT, "pipe", 0, CAN_READ, &fd), OK);
        CHECK(open_at(ROOT, "pipe", 0, CAN_READ | CAN_WRITE, &n), OK);
        for (;;)
            raw_fd_read(fd, AT(&all), 1, AT(&n));
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    for (;;)
        again(argv[1]);
}
