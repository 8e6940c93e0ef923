/* Where this program lies, and a child process that answers one request. */
#ifndef OS_CHILD_H
#define OS_CHILD_H
#include "base/bytes.h"
#include "os/os.h"

/* ---- where this program lies ---- */
/* Absolute folders, without a final slash: of the running executable, and of the library or executable that this code
 * is in. False: unknown. */
bool os_executable_folder(char *out, size_t size);
bool os_code_folder(char *out, size_t size);
/* A regular file that belongs to root or this user? (Who may write to the folder could as well replace this program.)
 */
bool os_is_our_file(const char *path);

/* ---- a child process that answers one request ---- */

/* Wakes a talk from another thread. */
typedef struct os_bell {
    int fd;
} os_bell;
#define OS_BELL_NONE                                                                                                   \
    {                                                                                                                  \
        -1                                                                                                             \
    }
wisp_status os_bell_open(os_bell *bell, wisp_report *report) WISP_MUST_USE;
void os_bell_ring(const os_bell *bell);
void os_bell_close(os_bell *bell);

typedef struct os_child {
    long pid;
    int fd;
} os_child;

/* Starts the program; its standard input and output are one stream to us, its standard error goes nowhere, and it has
 * no other descriptor. */
wisp_status os_child_start(os_child *child, const char *path, wisp_report *report) WISP_MUST_USE;

typedef struct os_child_talk {
    base_span send[2]; /* one after the other, then end of file */
    /* Called with what has come, and with nothing every 10 ms, at a signal and when the bell rings. False: stop. */
    bool (*hear)(void *context, base_span bytes);
    void *context;
    const os_bell *bell; /* NULL: none */
} os_child_talk;
/* True: until its end of file. False: stopped. */
bool os_child_converse(const os_child *child, const os_child_talk *talk);

/* How it ended, as far as known: exit status, or the signal and its name. */
typedef struct os_child_exit {
    int code, signal; /* one of them, or 0 and 0 */
    const char *signal_name;
    bool out_of_time; /* the signal says that it used up its processor time */
} os_child_exit;
/* One of the two, on the thread that started it. After its end of file: waits for it (two seconds, then it is killed).
 */
void os_child_end(os_child *child, os_child_exit *how);
/* At any time: kills it and does not wait. */
void os_child_leave(os_child *child);

/* In the child: it is killed when the thread that started it ends, writes no file and no core. */
void os_child_confine(void);
/* In the child: bytes of data that it may have beyond what it has now, and processor time that it may have used. */
void os_child_limit_memory(uint64_t bytes);
void os_child_limit_cpu(uint64_t seconds);

#endif
