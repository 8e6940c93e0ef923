/* Preview 1 sockets: over listening sockets that the configuration hands in, and what they accept. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wasi/context.h"

enum { PEEK = 1, WAIT_ALL = 2, DATA_TRUNCATED = 1 };
enum { SHUT_READING = 1, SHUT_WRITING = 2 };

static uint32_t socket_of(wasi_context *w, uint32_t fd, uint64_t rights, wasi_file **out)
{
    WASI_TRY(wasi_file_of(w, fd, 0, out));
    if ((*out)->fd < 0 || !wasi_is_socket(*out)) return WASI_ENOTSOCK;
    return wasi_file_of(w, fd, rights, out);
}

uint32_t wasi_sock_accept(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    wasi_file *listener, *file;
    uint32_t number;
    const uint32_t flags = v[1].u32;
    if (flags & ~(uint32_t)WASI_FDFLAG_NONBLOCK) return WASI_EINVAL;
    WASI_TRY(socket_of(w, v[0].u32, WASI_RIGHT_SOCK_ACCEPT, &listener));
    if (!wasm_memory_at(instance, v[2].u32, 4)) return WASI_EFAULT;
    WASI_TRY(wasi_file_new(w, &number, &file)); /* first: a connection taken off the queue is not lost */
    listener = &w->files[v[0].u32];             /* the table may have moved */
    uint32_t error;
    int fd = -1;
    do {
        error = wasi_wait(listener, POLLIN, instance);
        if (error) break;
        fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        error = wasi_check(fd);
        /* between poll and accept another process took it, or the peer gave up */
    } while ((error == WASI_EAGAIN && !(listener->flags & WASI_FDFLAG_NONBLOCK)) || error == WASI_ECONNABORTED ||
             error == WASI_EINTR);
    if (error) {
        wasi_file_close(file);
        return error;
    }
    file->fd = fd;
    file->owned = true;
    file->flags = flags;
    file->type = wasi_type_of(fd);
    file->rights = listener->inheriting;
    return wasi_put_u32(instance, v[2].u32, number);
}

static void advance(struct msghdr *message, size_t n)
{
    while (message->msg_iovlen && n >= message->msg_iov->iov_len) {
        n -= message->msg_iov->iov_len;
        message->msg_iov++, message->msg_iovlen--;
    }
    if (!message->msg_iovlen) return;
    message->msg_iov->iov_base = (uint8_t *)message->msg_iov->iov_base + n;
    message->msg_iov->iov_len -= n;
}

/* Once, or with `all` until every byte has moved. What did move counts more than what then went wrong. */
static uint32_t move(const wasi_file *file, wasm_instance *instance, struct msghdr *message, uint64_t total,
                     bool reading, int flags, bool all, uint64_t *moved)
{
    const bool may_wait = !(file->flags & WASI_FDFLAG_NONBLOCK);
    *moved = 0;
    for (;;) {
        uint32_t error = wasi_wait(file, reading ? POLLIN : POLLOUT, instance);
        if (error) return *moved ? WASI_ESUCCESS : error;
        ssize_t n = reading ? recvmsg(file->fd, message, flags | MSG_DONTWAIT)
                            : sendmsg(file->fd, message, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && ((errno == EAGAIN && may_wait) || errno == EINTR)) continue;
        if (n < 0) return *moved ? WASI_ESUCCESS : wasi_errno_of(errno);
        *moved += (uint64_t)n;
        if (!all || n == 0 || *moved == total) return WASI_ESUCCESS;
        advance(message, (size_t)n);
    }
}

uint32_t wasi_sock_recv(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    wasi_file *file;
    struct iovec parts[WASI_MAX_PARTS];
    uint64_t total, moved;
    const uint32_t count = v[2].u32, flags = v[3].u32;
    if (flags > (PEEK | WAIT_ALL)) return WASI_EINVAL;
    WASI_TRY(socket_of(w, v[0].u32, WASI_RIGHT_FD_READ, &file));
    WASI_TRY(wasi_gather(instance, v[1].u32, count, parts, &total));
    if (!wasm_memory_at(instance, v[4].u32, 4) || !wasm_memory_at(instance, v[5].u32, 2)) return WASI_EFAULT;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    const bool all = flags == WAIT_ALL && file->type == WASI_TYPE_SOCKET_STREAM;
    WASI_TRY(move(file, instance, &message, total, true, flags & PEEK ? MSG_PEEK : 0, all, &moved));
    const uint16_t out = message.msg_flags & MSG_TRUNC ? DATA_TRUNCATED : 0;
    WASI_TRY(wasi_put_u32(instance, v[4].u32, (uint32_t)moved));
    return wasi_put(instance, v[5].u32, &out, sizeof out);
}

uint32_t wasi_sock_send(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    wasi_file *file;
    struct iovec parts[WASI_MAX_PARTS];
    uint64_t total, moved;
    const uint32_t count = v[2].u32;
    if (v[3].u32) return WASI_EINVAL; /* no flags are defined */
    WASI_TRY(socket_of(w, v[0].u32, WASI_RIGHT_FD_WRITE, &file));
    WASI_TRY(wasi_gather(instance, v[1].u32, count, parts, &total));
    if (!wasm_memory_at(instance, v[4].u32, 4)) return WASI_EFAULT;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    WASI_TRY(move(file, instance, &message, total, false, 0, file->type == WASI_TYPE_SOCKET_STREAM, &moved));
    return wasi_put_u32(instance, v[4].u32, (uint32_t)moved);
}

uint32_t wasi_sock_shutdown(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    static const int hows[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
    wasi_file *file;
    const uint32_t how = v[1].u32;
    WASI_TRY(socket_of(w, v[0].u32, WASI_RIGHT_SOCK_SHUTDOWN, &file));
    if (how == 0 || how > (SHUT_READING | SHUT_WRITING)) return WASI_EINVAL;
    return wasi_check(shutdown(file->fd, hows[how - 1]));
}
