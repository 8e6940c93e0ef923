/* A folder of this user alone, and programs and libraries of this installation. */
#ifndef OS_OWN_FOLDER_H
#define OS_OWN_FOLDER_H
#include "base/bytes.h"
#include "os/os.h"

/* ---- private folders: files appear whole or not at all, and nobody else can have put them there ---- */
typedef struct os_private {
    int fd;
} os_private;
#define OS_PRIVATE_NONE                                                                                                \
    {                                                                                                                  \
        -1                                                                                                             \
    }

/* Opens the folder, made with mode 0700 if it is not there. WISP_E_IO if it belongs to someone else, or if its group or
 * the world may write to it. */
wisp_status os_private_open(os_private *dir, const char *path, wisp_report *report) WISP_MUST_USE;
void os_private_close(os_private *dir);
/* Reads a file of the folder whole (appended to `out`). WISP_E_NOT_FOUND; WISP_E_IO also if it is no regular file of
 * this user's own, others may write to it (or read it, with `secret`), or it is larger than `limit`. */
wisp_status os_private_read(const os_private *dir, const char *name, bool secret, uint64_t limit, base_buffer *out,
                            wisp_report *report) WISP_MUST_USE;
/* Replaces the file: a temporary one beside it, fsync, rename. Mode 0600. */
wisp_status os_private_write(const os_private *dir, const char *name, base_span head, base_span body,
                             wisp_report *report) WISP_MUST_USE;
/* Makes the file unless it exists: of several processes one wins, and all read the same afterwards. */
wisp_status os_private_create(const os_private *dir, const char *name, base_span bytes,
                              wisp_report *report) WISP_MUST_USE;
void os_private_touch(const os_private *dir, const char *name); /* used just now */
void os_private_remove(const os_private *dir, const char *name);
typedef struct os_private_usage {
    uint64_t files, bytes;
} os_private_usage;
/* Removes temporary files that nobody works on any more, and the files not used for the longest time until all are
 * `limit` bytes at most. What is left. */
os_private_usage os_private_sweep(const os_private *dir, uint64_t limit);

/* ---- where this program lies ---- */
/* Absolute folders, without a final slash: of the running executable, and of the library or executable that this code
 * is in. False: unknown. */
bool os_executable_folder(char *out, size_t size);
bool os_code_folder(char *out, size_t size);
/* A regular file that belongs to root or this user? (Who may write to the folder could as well replace this program.)
 */
bool os_is_our_file(const char *path);
/* Opens the library of this absolute path for good, and finds a function in it. */
wisp_status os_library_function(void (**function)(void), const char *path, const char *symbol,
                                wisp_report *report) WISP_MUST_USE;

/* ---- a child process that answers one request ---- */
typedef struct os_child {
    long pid;
    int fd;
} os_child;
/* Starts the program; its standard input and output are one stream to us, its standard error goes
 * nowhere. */
wisp_status os_child_start(os_child *child, const char *path, const char *argument, wisp_report *report) WISP_MUST_USE;
/* Sends all, then end of file. False: the child is gone. */
bool os_child_send(os_child *child, base_span a, base_span b);
/* Receives until its end, at most `limit` bytes. False: it is gone, or was killed. */
bool os_child_receive(os_child *child, base_buffer *out, uint64_t limit);
void os_child_kill(const os_child *child); /* any thread, before os_child_end; its streams end */
bool os_child_end(os_child *child);        /* waits for it; true: exit status 0, as far as known */
void os_child_leave(os_child *child);      /* in its place, of one that was killed: does not wait */

/* In the child: it is killed when the thread that started it ends. */
void os_child_end_with_parent(void);

#endif
