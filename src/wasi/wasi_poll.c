/* poll_oneoff: waits for clocks and descriptors, in slices, so that an interruption of the store ends it. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "os/os.h"
#include "wasi/context.h"

enum { MAX_SUBSCRIPTIONS = 1024, SLICE_MS = 50 };
enum { CLOCK, FD_READ, FD_WRITE };

typedef struct subscription {
    uint64_t user_data, deadline; /* on the monotonic clock, UINT64_MAX: a descriptor's */
    uint32_t fd;
    uint16_t error;
    uint8_t type;
    bool ready, hangup;
    int poll_index; /* -1: none */
} subscription;

static uint64_t clock_now(uint32_t id)
{
    return id == 0 ? os_realtime_ns() : os_monotonic_ns();
}

static void read_clock(const uint8_t *p, subscription *s)
{
    uint32_t id;
    uint64_t timeout;
    uint16_t flags;
    memcpy(&id, p + 16, 4);
    memcpy(&timeout, p + 24, 8);
    memcpy(&flags, p + 40, 2);
    if (id > 1) {
        s->error = id > 3 ? WASI_EINVAL : WASI_ENOTSUP;
        s->ready = true;
        return;
    }
    uint64_t now = clock_now(id);
    uint64_t left = !(flags & 1) ? timeout : timeout > now ? timeout - now : 0;
    uint64_t start = os_monotonic_ns();
    s->deadline = left > UINT64_MAX - 1 - start ? UINT64_MAX - 1 : start + left;
}

static void read_descriptor(wasi_context *w, const uint8_t *p, subscription *s, struct pollfd *polls, unsigned *count)
{
    wasi_file *file;
    memcpy(&s->fd, p + 16, 4);
    s->error = (uint16_t)wasi_file_of(w, s->fd, WASI_RIGHT_POLL_FD_READWRITE, &file);
    s->ready = s->error || file->fd < 0 || file->type == WASI_TYPE_REGULAR_FILE || file->type == WASI_TYPE_DIRECTORY;
    if (s->ready) return;
    s->poll_index = (int)*count;
    polls[(*count)++] = (struct pollfd){.fd = file->fd, .events = s->type == FD_READ ? POLLIN : POLLOUT};
}

static uint32_t read_subscriptions(wasi_context *w, const uint8_t *p, uint32_t count, subscription *s,
                                   struct pollfd *polls, unsigned *poll_count)
{
    for (uint32_t i = 0; i < count; i++, p += 48, s++) {
        *s = (subscription){.deadline = UINT64_MAX, .poll_index = -1, .type = p[8]};
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
    uint64_t now = os_monotonic_ns();
    for (uint32_t i = 0; i < count; i++) {
        if (s[i].poll_index >= 0) {
            short events = polls[s[i].poll_index].revents;
            s[i].ready = events != 0;
            s[i].hangup = events & (POLLHUP | POLLERR);
            if (events & POLLNVAL) s[i].error = WASI_EBADF;
        } else if (s[i].type == CLOCK && !s[i].error) {
            s[i].ready = now >= s[i].deadline;
        }
        ready += s[i].ready;
    }
    return ready;
}

static int slice(const subscription *s, uint32_t count)
{
    uint64_t now = os_monotonic_ns(), left = SLICE_MS * 1000000ull;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t one = s[i].ready || s[i].deadline <= now ? 0 : s[i].deadline - now;
        if (one < left) left = one;
    }
    return (int)((left + 999999) / 1000000);
}

static uint32_t put_events(wasm_instance *instance, const subscription *s, uint32_t count, const wasm_value *v)
{
    uint32_t at = v[1].u32, written = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!s[i].ready) continue;
        uint8_t event[32] = {0};
        const uint64_t bytes = s[i].type == CLOCK || s[i].error ? 0 : 1;
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

uint32_t wasi_poll_oneoff(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    const uint32_t count = v[2].u32;
    if (count == 0 || count > MAX_SUBSCRIPTIONS) return WASI_EINVAL;
    const uint8_t *p = wasm_memory_at(instance, v[0].u32, (uint64_t)count * 48);
    if (!p || !wasm_memory_at(instance, v[1].u32, (uint64_t)count * 32)) return WASI_EFAULT;
    subscription *s = base_calloc(count, sizeof *s);
    struct pollfd *polls = base_calloc(count, sizeof *polls);
    unsigned poll_count = 0;
    uint32_t error = s && polls ? read_subscriptions(w, p, count, s, polls, &poll_count) : WASI_ENOMEM;
    while (!error) {
        if (poll(polls, poll_count, slice(s, count)) < 0 && errno != EINTR)
            error = wasi_errno_of(errno);
        else if (collect(s, count, polls))
            break;
        else if (wasm_store_interrupted(wasm_instance_store(instance)))
            error = WASI_EINTR;
    }
    if (!error) error = put_events(instance, s, count, v);
    base_free(s);
    base_free(polls);
    return error;
}
