/* A server over a listening socket that the host gave: descriptor 3. The test is its client (tests/wasi_programs.py).
 */
#include "raw.h"

enum { LISTENER = 3, PEEK = 1, WAIT_ALL = 2 };

static u32 receive(u32 fd, char *text, u32 size, u32 flags)
{
    u32 n = 0;
    uint16_t out = 99;
    part one = {AT(text), size};
    u32 error = raw_sock_recv(fd, AT(&one), 1, flags, AT(&n), AT(&out));
    text[error ? 0 : n] = 0;
    if (!error) CHECK(out, 0);
    return error;
}

static u32 send_text(u32 fd, const char *text)
{
    u32 n;
    part parts[2] = {{AT(text), 1}, {AT(text) + 1, (u32)strlen(text) - 1}};
    u32 error = raw_sock_send(fd, AT(parts), 2, 0, AT(&n));
    if (!error) CHECK(n, strlen(text));
    return error;
}

static void listener(void)
{
    fdstat stat;
    u32 n, fd;
    CHECK(raw_fd_prestat_get(LISTENER, AT(&stat)), BADF);
    CHECK(raw_fd_fdstat_get(LISTENER, AT(&stat)), OK);
    CHECK(stat.type, TYPE_STREAM);
    CHECK(stat.rights & RIGHT(29), RIGHT(29));
    CHECK(raw_sock_accept(LISTENER, 1, AT(&fd)), INVAL);
    CHECK(raw_sock_accept(LISTENER, 0, UINT32_MAX), FAULT);
    CHECK(raw_fd_fdstat_set_flags(LISTENER, NONBLOCK), OK);
    CHECK(raw_sock_accept(LISTENER, 0, AT(&fd)), AGAIN);
    CHECK(raw_fd_fdstat_set_flags(LISTENER, 0), OK);
    CHECK(raw_sock_shutdown(LISTENER, 3), NOTCAPABLE);
    CHECK(raw_fd_read(LISTENER, 0, 0, AT(&n)), NOTCAPABLE);
}

static void conversation(void)
{
    char text[100];
    u32 fd, n;
    subscription s = {.type = 1, .id = LISTENER};
    event e;
    fputs("listening\n", stdout);
    fflush(stdout);
    CHECK(raw_poll_oneoff(AT(&s), AT(&e), 1, AT(&n)), OK);
    CHECK(e.error, OK);
    CHECK(raw_sock_accept(LISTENER, 0, AT(&fd)), OK);
    CHECK(fd, 4);
    CHECK(raw_sock_accept(fd, 0, AT(&n)), NOTCAPABLE);
    CHECK(receive(fd, text, 3, PEEK), OK);
    CHECK_THAT(strcmp(text, "hel") == 0);
    CHECK(receive(fd, text, 12, WAIT_ALL), OK); /* comes in two parts */
    CHECK_THAT(strcmp(text, "hello again!") == 0);
    CHECK(raw_sock_recv(fd, 0, 0, 4, AT(&n), AT(&n)), INVAL);
    CHECK(raw_sock_send(fd, 0, 0, 1, AT(&n)), INVAL);
    CHECK(send_text(fd, "answer"), OK);
    CHECK(write_text(fd, " and more"), OK);
    CHECK(read_text(fd, text, 99), OK);
    CHECK_THAT(strcmp(text, "bye") == 0);
    CHECK(raw_sock_shutdown(fd, 0), INVAL);
    CHECK(raw_sock_shutdown(fd, 4), INVAL);
    CHECK(raw_sock_shutdown(fd, 2), OK);
    CHECK(send_text(fd, "late"), PIPE_CLOSED);
    CHECK(write_text(fd, "late"), PIPE_CLOSED);
    CHECK(receive(fd, text, 10, 0), OK);
    CHECK_THAT(text[0] == 0);
    CHECK(raw_fd_close(fd), OK);
}

/* Not waiting for a slow client, and one that goes without a word. */
static void not_waiting(void)
{
    static char big[1 << 20];
    char text[8];
    u32 fd, n, sent = 0, error = OK;
    part all = {AT(big), sizeof big};
    CHECK(raw_sock_accept(LISTENER, NONBLOCK, AT(&fd)), OK);
    fdstat stat;
    CHECK(raw_fd_fdstat_get(fd, AT(&stat)), OK);
    CHECK(stat.flags, NONBLOCK);
    CHECK(receive(fd, text, 7, 0), AGAIN);
    CHECK(read_text(fd, text, 7), AGAIN);
    while (!error && sent < (64u << 20))
        if (!(error = raw_sock_send(fd, AT(&all), 1, 0, AT(&n)))) sent += n;
    CHECK(error, AGAIN);
    printf("%u\n", sent);
    fflush(stdout);
    CHECK(raw_fd_fdstat_set_flags(fd, 0), OK);
    CHECK(receive(fd, text, 7, 0), OK); /* the client has read it all, says "ok" and goes */
    CHECK_THAT(strcmp(text, "ok") == 0);
    CHECK(raw_fd_close(fd), OK);
}

int main(void)
{
    listener();
    conversation();
    not_waiting();
}
