/* Where this program lies, libraries opened by absolute path, and a child process over a socket pair. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/own_folder.h"

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

wisp_status os_library_function(void (**function)(void), const char *path, const char *symbol, wisp_report *report)
{
    void *library = path[0] == '/' ? dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
    void *found = library ? dlsym(library, symbol) : NULL;
    if (!found) {
        const char *why = dlerror();
        return base_fail(report, WISP_E_UNSUPPORTED, "%s", why ? why : path);
    }
    memcpy(function, &found, sizeof found);
    return WISP_OK;
}

/* ---- a child ---- */

extern char **environ;

static int spawn(pid_t *pid, const char *path, const char *argument, int fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    const char *argv[3] = {path, argument, NULL};
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

wisp_status os_child_start(os_child *child, const char *path, const char *argument, wisp_report *report)
{
    int fds[2];
    pid_t pid = 0;
    *child = (os_child){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return base_fail(report, WISP_E_IO, "%s: no socket: %s", path, strerror(errno));
    int error = spawn(&pid, path, argument, fds[1]);
    close(fds[1]);
    if (error) {
        close(fds[0]);
        return base_fail(report, WISP_E_IO, "%s: cannot start: %s", path, strerror(error));
    }
    *child = (os_child){.pid = pid, .fd = fds[0]};
    return WISP_OK;
}

static bool send_all(int fd, base_span s)
{
    while (s.size) {
        ssize_t n = send(fd, s.data, s.size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        s.data += n;
        s.size -= (size_t)n;
    }
    return true;
}

bool os_child_send(os_child *child, base_span a, base_span b)
{
    return send_all(child->fd, a) && send_all(child->fd, b) && shutdown(child->fd, SHUT_WR) == 0;
}

bool os_child_receive(os_child *child, base_buffer *out, uint64_t limit)
{
    uint8_t buffer[16384];
    for (;;) {
        ssize_t n = recv(child->fd, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 || (uint64_t)n > limit - out->size) return false;
        if (n == 0) return !out->failed;
        base_put(out, buffer, (size_t)n);
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

void os_child_kill(const os_child *child)
{
    kill((pid_t)child->pid, SIGKILL);
    shutdown(child->fd, SHUT_RDWR);
}

bool os_child_end(os_child *child)
{
    int status = -1;
    close(child->fd);
    bury(0);
    while (waitpid((pid_t)child->pid, &status, 0) < 0)
        if (errno != EINTR) return true; /* the program that we are part of collects its children itself */
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void os_child_leave(os_child *child)
{
    close(child->fd);
    if (!bury((pid_t)child->pid)) waitpid((pid_t)child->pid, NULL, 0);
}

void os_child_end_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}
