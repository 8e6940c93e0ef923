/* Moving bytes between guest memory and descriptors: fd_read, fd_write and their kin.
 *
 * Whatever can make a guest wait (pipes, terminals, sockets) is waited for here, in slices, so that an interruption of
 * the store ends it: the host's call is made only when it will not block. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wasi/context.h"

enum {
    PIECE = 4 << 20,       /* moved between two looks at the interruption */
    BLOCKING_PIECE = 4096, /* what a pipe that poll() calls writable takes without blocking */
};

uint32_t wasi_gather(wasm_instance *instance, uint32_t list, uint32_t count, struct iovec *parts, uint64_t *total)
{
    *total = 0;
    if (count > WASI_MAX_PARTS) return WASI_EINVAL;
    const uint8_t *p = wasm_memory_at(instance, list, (uint64_t)count * 8);
    if (!p) return WASI_EFAULT;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t pair[2];
        memcpy(pair, p + (size_t)i * 8, 8);
        parts[i].iov_base = wasm_memory_at(instance, pair[0], pair[1]);
        parts[i].iov_len = pair[1];
        if (!parts[i].iov_base) return WASI_EFAULT;
        *total += pair[1];
    }
    return *total > UINT32_MAX ? WASI_EINVAL : WASI_ESUCCESS; /* the count that comes back is a u32 */
}

uint32_t wasi_wait(const wasi_file *file, short events, const wasm_instance *instance)
{
    struct pollfd one = {.fd = file->fd, .events = events};
    struct timespec slice = {0};
    for (;;) {
        int n = ppoll(&one, 1, &slice, NULL);
        if (n > 0) return WASI_ESUCCESS;
        if (n < 0 && errno != EINTR) return wasi_errno_of(errno);
        if (file->flags & WASI_FDFLAG_NONBLOCK) return WASI_EAGAIN;
        if (wasm_store_interrupted(wasm_instance_store(instance))) return WASI_EINTR;
        slice.tv_nsec = WASI_SLICE_NS;
    }
}

/* ---- one call ---- */

/* writev without the signal that a closed pipe sends: the guest gets WASI_EPIPE, the host lives. */
static ssize_t write_quietly(int fd, const struct iovec *parts, uint32_t count)
{
    sigset_t pipe, old, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &old);
    ssize_t n = writev(fd, parts, (int)count);
    int error = errno;
    if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) sigtimedwait(&pipe, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = error;
    return n;
}

typedef struct motion {
    wasi_file *file;
    wasm_instance *instance;
    bool reading, waits;
    int64_t at; /* -1: at the descriptor's own offset */
    uint64_t moved;
} motion;

static ssize_t host_call(const motion *m, const struct iovec *parts, uint32_t count)
{
    const int fd = m->file->fd;
    if (m->at >= 0) {
        off_t at = (off_t)((uint64_t)m->at + m->moved);
        return m->reading ? preadv(fd, parts, (int)count, at) : pwritev(fd, parts, (int)count, at);
    }
    if (wasi_is_socket(m->file)) {
        struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
        return m->reading ? recvmsg(fd, &message, MSG_DONTWAIT) : sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (m->reading) return readv(fd, parts, (int)count);
    return m->waits ? write_quietly(fd, parts, count) : writev(fd, parts, (int)count);
}

/* Moves `size` bytes in one call, waiting before it where that is needed. *again: it went through whole. */
static uint32_t move_piece(motion *m, const struct iovec *parts, uint32_t count, uint64_t size, bool *again)
{
    *again = false;
    for (;;) {
        if (m->waits) WASI_TRY(wasi_wait(m->file, m->reading ? POLLIN : POLLOUT, m->instance));
        ssize_t n = host_call(m, parts, count);
        if (n >= 0) {
            m->moved += (uint64_t)n;
            *again = (uint64_t)n == size;
            return WASI_ESUCCESS;
        }
        bool waiting = errno == EAGAIN && m->waits && !(m->file->flags & WASI_FDFLAG_NONBLOCK);
        if (errno != EINTR && !waiting) return wasi_errno_of(errno);
        if (wasm_store_interrupted(wasm_instance_store(m->instance))) return WASI_EINTR;
    }
}

static uint32_t move_all(motion *m, const struct iovec *parts, uint32_t count, uint64_t total)
{
    const size_t most = m->waits && !m->reading && !m->file->owned ? BLOCKING_PIECE : PIECE;
    bool again;
    if (total == 0) return WASI_ESUCCESS;
    if (total <= most) return move_piece(m, parts, count, total, &again);
    for (uint32_t i = 0; i < count; i++)
        for (size_t done = 0; done < parts[i].iov_len;) {
            size_t size = parts[i].iov_len - done < most ? parts[i].iov_len - done : most;
            struct iovec piece = {(uint8_t *)parts[i].iov_base + done, size};
            uint32_t error = move_piece(m, &piece, 1, size, &again);
            if (error) return m->moved ? WASI_ESUCCESS : error;
            /* what is there is enough for a reader that would have to wait for more */
            if (!again || (m->waits && m->reading)) return WASI_ESUCCESS;
            if (wasm_store_interrupted(wasm_instance_store(m->instance))) return WASI_ESUCCESS;
            done += size;
        }
    return WASI_ESUCCESS;
}

/* ---- streams that are callbacks, or nothing ---- */

static uint32_t move_stream(motion *m, const struct iovec *parts, uint32_t count)
{
    const wasi_stream *stream = &m->file->stream;
    for (uint32_t i = 0; i < count; i++) {
        int64_t n = m->reading ? 0 : (int64_t)parts[i].iov_len;
        if (!parts[i].iov_len) continue;
        if (stream->kind == WASI_STREAM_CALLBACK)
            n = stream->transfer(stream->context, parts[i].iov_base, parts[i].iov_len);
        if (n < 0 || (uint64_t)n > parts[i].iov_len) return m->moved ? WASI_ESUCCESS : WASI_EIO;
        m->moved += (uint64_t)n;
        if ((uint64_t)n < parts[i].iov_len) break;
    }
    return WASI_ESUCCESS;
}

/* ---- the four functions ---- */

static bool may_wait(const wasi_file *file)
{
    return file->type != WASI_TYPE_REGULAR_FILE && file->type != WASI_TYPE_BLOCK_DEVICE;
}

static uint32_t transfer(motion *m, wasi_context *w, const wasm_value *v, uint32_t result)
{
    struct iovec parts[WASI_MAX_PARTS];
    const uint32_t count = v[2].u32;
    uint64_t total, rights = m->reading ? WASI_RIGHT_FD_READ : WASI_RIGHT_FD_WRITE;
    if (m->at != -1) rights |= WASI_RIGHT_FD_SEEK;
    WASI_TRY(wasi_file_of(w, v[0].u32, 0, &m->file));
    if (m->file->type == WASI_TYPE_DIRECTORY) return WASI_EISDIR;
    if (m->at != -1 && (m->file->fd < 0 || may_wait(m->file))) return WASI_ESPIPE;
    WASI_TRY(wasi_file_of(w, v[0].u32, rights, &m->file));
    if (m->at < -1) return WASI_EINVAL;
    WASI_TRY(wasi_gather(m->instance, v[1].u32, count, parts, &total));
    if (!wasm_memory_at(m->instance, result, 4)) return WASI_EFAULT; /* before anything is read and lost */
    m->waits = may_wait(m->file);
    WASI_TRY(m->file->fd < 0 ? move_stream(m, parts, count) : move_all(m, parts, count, total));
    return wasi_put_u32(m->instance, result, (uint32_t)m->moved);
}

uint32_t wasi_fd_read(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    return transfer(&(motion){.instance = instance, .reading = true, .at = -1}, w, v, v[3].u32);
}

uint32_t wasi_fd_write(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    return transfer(&(motion){.instance = instance, .at = -1}, w, v, v[3].u32);
}

/* The guest's u64 offset as an off_t: past 2^63 it is no place in a file. */
static int64_t place_in_file(uint64_t offset)
{
    return offset > INT64_MAX ? -2 : (int64_t)offset;
}

uint32_t wasi_fd_pread(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    motion m = {.instance = instance, .reading = true, .at = place_in_file(v[3].u64)};
    return transfer(&m, w, v, v[4].u32);
}

uint32_t wasi_fd_pwrite(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    motion m = {.instance = instance, .at = place_in_file(v[3].u64)};
    return transfer(&m, w, v, v[4].u32);
}
