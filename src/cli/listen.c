/* wisp run --tcplisten: sockets that listen before the program runs, so that it needs no right to make any. */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/cli.h"

enum { BACKLOG = 128 };

/* getaddrinfo takes the rest of larger numbers. */
static bool is_port(const char *text)
{
    const size_t size = strspn(text, "0123456789");
    return size > 0 && size <= 5 && !text[size] && atol(text) <= UINT16_MAX;
}

/* "127.0.0.1:80", "[::1]:80": splits `text` in place. */
static bool split(char *text, char **host, char **port)
{
    char *colon = strrchr(text, ':');
    if (!colon || colon == text || !is_port(colon + 1)) return false;
    *colon = 0;
    *port = colon + 1;
    *host = text;
    if (*text != '[') return !strchr(text, ':');
    if (colon[-1] != ']') return false;
    colon[-1] = 0;
    *host = text + 1;
    return true;
}

static int open_socket(const struct addrinfo *address)
{
    const int on = 1, fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int cli_listen(int *fd, const char *text)
{
    /* Numbers only: a name might mean another interface than its reader thinks, and would be asked of the network. */
    const struct addrinfo wanted = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
                                    .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char *copy = strdup(text), *host, *port;
    if (!copy) return cli_say("out of memory"), EXIT_FAILED;
    const bool good = split(copy, &host, &port) && getaddrinfo(host, port, &wanted, &found) == 0;
    free(copy);
    if (!good)
        return cli_usage_error(&cli_run, "--tcplisten needs ADDRESS:PORT such as 127.0.0.1:8080, not '%s'", text);
    *fd = open_socket(found);
    if (*fd < 0) cli_say("--tcplisten %s: %s", text, strerror(errno));
    freeaddrinfo(found);
    return *fd < 0 ? EXIT_FAILED : EXIT_DONE;
}
