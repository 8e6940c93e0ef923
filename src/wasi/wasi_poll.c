/* poll_oneoff: waits for clocks and descriptors, in slices, so that an interruption of the store ends it. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"
#include "wasi/context.h"

enum { MAX_SUBSCRIPTIONS = 4096 };
enum { CLOCK, FD_READ, FD_WRITE };
enum { REALTIME, MONOTONIC };

typedef struct subscription {
    uint64_t user_data;
    uint64_t deadline; /* CLOCK: on its own clock, so that setting the real one moves it */
    uint64_t bytes;
    const wasi_file *file;
    uint32_t clock;
    uint16_t error;
    uint8_t type;
    bool ready, hangup;
    int poll_index; /* -1: none */
} subscription;

static uint64_t clock_now(uint32_t id)
{
    return id == REALTIME ? os_realtime_ns() : os_monotonic_ns();
}

static void read_clock(const uint8_t *p, subscription *s)
{
    uint32_t id;
    uint64_t timeout;
    uint16_t flags;
    memcpy(&id, p + 16, 4);
    memcpy(&timeout, p + 24, 8);
    memcpy(&flags, p + 40, 2);
    const bool absolute = flags & 1;
    s->ready = true;
    if (id > 3 || flags > 1)
        s->error = WASI_EINVAL;
    else if (id > MONOTONIC)
        s->error = WASI_ENOTSUP; /* the time that a waiting program uses stands still */
    else
        s->ready = false;
    s->clock = absolute ? id : MONOTONIC; /* a span of time does not change when the clock is set */
    const uint64_t start = absolute ? 0 : os_monotonic_ns();
    s->deadline = timeout > UINT64_MAX - start ? UINT64_MAX : start + timeout;
}

static void read_descriptor(wasi_context *w, const uint8_t *p, subscription *s, struct pollfd *polls, unsigned *count)
{
    wasi_file *file;
    uint32_t fd;
    memcpy(&fd, p + 16, 4);
    const uint64_t either = s->type == FD_READ ? WASI_RIGHT_FD_READ | WASI_RIGHT_SOCK_ACCEPT : WASI_RIGHT_FD_WRITE;
    s->ready = true;
    s->error = (uint16_t)wasi_file_of(w, fd, WASI_RIGHT_POLL_FD_READWRITE, &file);
    if (s->error) return;
    if (!(file->rights & either)) {
        s->error = WASI_ENOTCAPABLE;
        return;
    }
    s->file = file;
    if (file->fd < 0 || file->type == WASI_TYPE_REGULAR_FILE || file->type == WASI_TYPE_DIRECTORY) return;
    s->ready = false;
    s->poll_index = (int)*count;
    polls[(*count)++] = (struct pollfd){.fd = file->fd, .events = s->type == FD_READ ? POLLIN : POLLOUT};
}

static uint32_t read_subscriptions(wasi_context *w, const uint8_t *p, uint32_t count, subscription *s,
                                   struct pollfd *polls, unsigned *poll_count)
{
    for (uint32_t i = 0; i < count; i++, p += 48, s++) {
        *s = (subscription){.poll_index = -1, .type = p[8]};
        memcpy(&s->user_data, p, 8);
        if (s->type == CLOCK)
            read_clock(p, s);
        else if (s->type == FD_READ || s->type == FD_WRITE)
            read_descriptor(w, p, s, polls, poll_count);
        else
            return WASI_EINVAL;
    }
    return WASI_ESUCCESS;
}

/* Marks what is ready; the number of them. */
static unsigned collect(subscription *s, uint32_t count, const struct pollfd *polls)
{
    unsigned ready = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (s[i].poll_index >= 0) {
            short events = polls[s[i].poll_index].revents;
            s[i].ready = events != 0;
            s[i].hangup = events & (POLLHUP | POLLERR);
            if (events & POLLNVAL) s[i].error = WASI_EBADF;
        } else if (s[i].type == CLOCK && !s[i].error) {
            s[i].ready = clock_now(s[i].clock) >= s[i].deadline;
        }
        ready += s[i].ready;
    }
    return ready;
}

static uint64_t slice(const subscription *s, uint32_t count)
{
    uint64_t left = WASI_SLICE_NS;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t now = s[i].type == CLOCK ? clock_now(s[i].clock) : 0, one = left;
        if (s[i].ready)
            one = 0;
        else if (s[i].type == CLOCK)
            one = s[i].deadline > now ? s[i].deadline - now : 0;
        if (one < left) left = one;
    }
    return left;
}

/* What can be read or written now, as far as it is known. */
static uint64_t bytes_of(const subscription *s)
{
    struct stat info;
    int waiting = 0;
    if (s->type == CLOCK || s->error) return 0;
    if (s->type == FD_WRITE || s->file->fd < 0) return 1;
    if (s->file->type == WASI_TYPE_REGULAR_FILE) {
        off_t at = lseek(s->file->fd, 0, SEEK_CUR);
        return fstat(s->file->fd, &info) == 0 && at >= 0 && info.st_size > at ? (uint64_t)(info.st_size - at) : 0;
    }
    if (s->file->rights & WASI_RIGHT_SOCK_ACCEPT) return 1;
    return ioctl(s->file->fd, FIONREAD, &waiting) == 0 && waiting > 0 ? (uint64_t)waiting : 0;
}

static uint32_t put_events(wasm_instance *instance, const subscription *s, uint32_t count, const wasm_value *v)
{
    uint32_t at = v[1].u32, written = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!s[i].ready) continue;
        uint8_t event[32] = {0};
        const uint64_t bytes = bytes_of(&s[i]);
        memcpy(event, &s[i].user_data, 8);
        memcpy(event + 8, &s[i].error, 2);
        event[10] = s[i].type;
        memcpy(event + 16, &bytes, 8);
        event[24] = s[i].hangup;
        WASI_TRY(wasi_put(instance, at, event, sizeof event));
        at += sizeof event;
        written++;
    }
    return wasi_put_u32(instance, v[3].u32, written);
}

static uint32_t wait_for(subscription *s, uint32_t count, struct pollfd *polls, unsigned poll_count,
                         const wasm_store *store)
{
    for (;;) {
        const struct timespec time = {.tv_nsec = (long)slice(s, count)};
        if (ppoll(polls, poll_count, &time, NULL) < 0) {
            if (errno != EINTR) return wasi_errno_of(errno);
            for (unsigned i = 0; i < poll_count; i++)
                polls[i].revents = 0;
        }
        if (collect(s, count, polls)) return WASI_ESUCCESS;
        if (wasm_store_interrupted(store)) return WASI_EINTR;
    }
}

uint32_t wasi_poll_oneoff(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    const uint32_t count = v[2].u32;
    if (count == 0 || count > MAX_SUBSCRIPTIONS) return WASI_EINVAL;
    const uint8_t *p = wasm_memory_at(instance, v[0].u32, (uint64_t)count * 48);
    if (!p || !wasm_memory_at(instance, v[1].u32, (uint64_t)count * 32)) return WASI_EFAULT;
    if (!wasm_memory_at(instance, v[3].u32, 4)) return WASI_EFAULT;
    subscription *s = base_calloc(count, sizeof *s);
    struct pollfd *polls = base_calloc(count, sizeof *polls);
    unsigned poll_count = 0;
    uint32_t error = s && polls ? read_subscriptions(w, p, count, s, polls, &poll_count) : WASI_ENOMEM;
    if (!error) error = wait_for(s, count, polls, poll_count, wasm_instance_store(instance));
    if (!error) error = put_events(instance, s, count, v);
    base_free(s);
    base_free(polls);
    return error;
}
