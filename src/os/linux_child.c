/* Where this program lies, and a child process over a socket pair. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/child.h"

static bool folder_of(char *path)
{
    char *slash = path[0] == '/' ? strrchr(path, '/') : NULL;
    if (!slash) return false;
    *slash = 0; /* "/wisp" becomes "": "/" without its slash */
    return true;
}

bool os_executable_folder(char *out, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);
    if (n <= 0 || (size_t)n >= size - 1) return false;
    out[n] = 0;
    return folder_of(out);
}

bool os_code_folder(char *out, size_t size)
{
    static const char here;
    Dl_info info;
    if (!dladdr(&here, &info) || !info.dli_fname) return false;
    int n = snprintf(out, size, "%s", info.dli_fname);
    return n > 0 && (size_t)n < size && folder_of(out);
}

bool os_is_our_file(const char *path)
{
    struct stat st;
    return path[0] == '/' && stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_uid == 0 || st.st_uid == geteuid());
}

/* ---- a child ---- */

extern char **environ;

static int spawn(pid_t *pid, const char *path, int fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    const char *argv[2] = {path, NULL};
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGTERM);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, fd, 0);
    posix_spawn_file_actions_adddup2(&actions, fd, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0); /* Ctrl-C is for the parent, which decides */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int error = posix_spawn(pid, path, &actions, &attributes, (char *const *)(void *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

wisp_status os_child_start(os_child *child, const char *path, wisp_report *report)
{
    int fds[2];
    pid_t pid = 0;
    *child = (os_child){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return base_fail(report, WISP_E_IO, "%s: no socket: %s", path, strerror(errno));
    int error = spawn(&pid, path, fds[1]);
    close(fds[1]);
    if (error) {
        close(fds[0]);
        return base_fail(report, WISP_E_IO, "%s: cannot start: %s", path, strerror(error));
    }
    *child = (os_child){.pid = pid, .fd = fds[0]};
    return WISP_OK;
}

wisp_status os_bell_open(os_bell *bell, wisp_report *report)
{
    bell->fd = eventfd(0, EFD_CLOEXEC);
    return bell->fd >= 0 ? WISP_OK : base_fail(report, WISP_E_IO, "no event: %s", strerror(errno));
}

void os_bell_ring(const os_bell *bell)
{
    uint64_t one = 1;
    ssize_t n = write(bell->fd, &one, sizeof one);
    (void)n; /* rung before: it still rings */
}

void os_bell_close(os_bell *bell)
{
    if (bell->fd >= 0) close(bell->fd);
    bell->fd = -1;
}

/* Sends what goes; is there more to send? A child that does not read on may have said why. */
static bool send_some(int fd, base_span s[2])
{
    for (int i = 0; i < 2; i++) {
        while (s[i].size) {
            ssize_t n = send(fd, s[i].data, s[i].size, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errno == EAGAIN;
            s[i].data += n;
            s[i].size -= (size_t)n;
        }
    }
    shutdown(fd, SHUT_WR);
    return false;
}

bool os_child_converse(const os_child *child, const os_child_talk *talk)
{
    enum { LOOK_MS = 10 };
    uint8_t buffer[65536];
    base_span rest[2] = {talk->send[0], talk->send[1]};
    for (bool sending = true;;) {
        struct pollfd fds[2] = {{.fd = child->fd, .events = sending ? POLLIN | POLLOUT : POLLIN},
                                {.fd = talk->bell ? talk->bell->fd : -1, .events = POLLIN}};
        int ready = poll(fds, 2, LOOK_MS);
        ssize_t n = 0;
        if (ready > 0 && fds[0].revents & ~POLLOUT) {
            n = recv(child->fd, buffer, sizeof buffer, MSG_DONTWAIT);
            if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) return true;
        } else if (ready > 0 && fds[0].revents) {
            sending = send_some(child->fd, rest);
        }
        if (!talk->hear(talk->context, (base_span){buffer, n > 0 ? (size_t)n : 0})) return false;
    }
}

/* Killed children that had not gone yet: looked at again whenever another one is started or ended. What a compiler with
 * gigabytes and threads takes to die is not for the program to wait for. */
static struct {
    atomic_int lock;
    pid_t list[32]; /* 0: free */
} dying;

/* Also remembers one more, unless it is 0. False: no room for it. */
static bool bury(pid_t another)
{
    bool kept = another == 0;
    while (atomic_exchange_explicit(&dying.lock, 1, memory_order_acquire))
        sched_yield();
    for (size_t i = 0; i < sizeof dying.list / sizeof *dying.list; i++) {
        pid_t *pid = &dying.list[i];
        if (*pid && waitpid(*pid, NULL, WNOHANG) != 0) *pid = 0; /* gone, or somebody else collected it */
        if (!*pid && !kept) {
            *pid = another;
            kept = true;
        }
    }
    atomic_store_explicit(&dying.lock, 0, memory_order_release);
    return kept;
}

void os_child_end(os_child *child, os_child_exit *how)
{
    enum { PATIENCE_MS = 2000 };
    int status = 0;
    pid_t gone = 0;
    close(child->fd);
    bury(0);
    for (int ms = 0; gone == 0 && ms < PATIENCE_MS; ms++) {
        gone = waitpid((pid_t)child->pid, &status, WNOHANG);
        if (gone == 0) usleep(1000);
    }
    if (gone == 0) kill((pid_t)child->pid, SIGKILL);
    while (gone == 0 || (gone < 0 && errno == EINTR))
        gone = waitpid((pid_t)child->pid, &status, 0);
    *how = (os_child_exit){0};
    if (gone < 0) return; /* the program that we are part of collects its children itself */
    if (WIFEXITED(status)) how->code = WEXITSTATUS(status);
    if (!WIFSIGNALED(status)) return;
    how->signal = WTERMSIG(status);
    how->out_of_time = how->signal == SIGXCPU;
    how->signal_name = sigdescr_np(how->signal);
    if (!how->signal_name) how->signal_name = "unknown";
}

void os_child_leave(os_child *child)
{
    kill((pid_t)child->pid, SIGKILL);
    close(child->fd);
    if (!bury((pid_t)child->pid)) waitpid((pid_t)child->pid, NULL, 0);
}

/* ---- in the child ---- */

void os_child_confine(void)
{
    const struct rlimit none = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_FSIZE, &none);
}

/* What is mapped already counts, of which sanitizers have terabytes. */
static uint64_t data_bytes(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return 0;
    if (fscanf(f, "%*u %*u %*u %*u %*u %llu", &pages) != 1) pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void os_child_limit_memory(uint64_t bytes)
{
    const rlim_t limit = data_bytes() + bytes;
    setrlimit(RLIMIT_DATA, &(struct rlimit){limit, limit});
}

void os_child_limit_cpu(uint64_t seconds)
{
    setrlimit(RLIMIT_CPU, &(struct rlimit){seconds, seconds + 1});
}
