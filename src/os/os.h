/* The operating system: files and maps, address space, threads, time, entropy, CPU features.
 * One implementation file per platform and topic (posix_*.c, linux_*.c, x86_cpu.c); no #ifdef elsewhere. */
#ifndef OS_OS_H
#define OS_OS_H
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- files and maps ---- */
typedef struct os_map {
    const uint8_t *data;
    uint64_t size;
} os_map;

/* Maps a regular file, read-only; all processes share its pages. Empty files map to {non-NULL, 0}. */
wisp_status os_map_file(os_map *map, const char *path, wisp_report *report) WISP_MUST_USE;
void os_unmap(os_map *map);
/* Gives the first `size` bytes pages of their own: who writes to the file afterwards does not change them. */
wisp_status os_map_detach(const os_map *map, uint64_t size, wisp_report *report) WISP_MUST_USE;
/* As os_map_file; *info is of the very file that was mapped, whatever the name means by now. */
typedef struct os_file_info os_file_info;
wisp_status os_map_file_info(os_map *map, os_file_info *info, const char *path, wisp_report *report) WISP_MUST_USE;
/* As os_map_file_info and os_map_detach of all of it. */
wisp_status os_map_copy_info(os_map *map, os_file_info *info, const char *path, wisp_report *report) WISP_MUST_USE;
/* Tells the kernel that the range will be read once, in order. */
void os_map_sequential(const void *data, size_t size);
/* The range of a map is not read again soon: its whole pages leave this process, and come back from the file if they
 * are. */
void os_map_done(const void *data, size_t size);

/* A file that appears under its final name only when os_output_commit succeeds: temporary name beside it, fsync,
 * rename. os_output_abort (or a crash) leaves nothing under the final name. */
typedef struct os_output os_output;
#define OS_TEMPORARY ".part-" /* in its temporary name; then the process's id and random digits */
wisp_status os_output_open(os_output **out, const char *path, wisp_report *report) WISP_MUST_USE;
wisp_status os_output_write(os_output *out, const void *data, size_t size, wisp_report *report) WISP_MUST_USE;
/* Overwrites bytes already written (a header known only at the end). */
wisp_status os_output_write_at(os_output *out, uint64_t offset, const void *data, size_t size,
                               wisp_report *report) WISP_MUST_USE;
uint64_t os_output_offset(const os_output *out);
/* Nobody but this user may read or write it: before anything is written. */
wisp_status os_output_make_private(os_output *out, wisp_report *report) WISP_MUST_USE;
/* Gives it the permissions of another file: before what replaces a file is committed. */
wisp_status os_output_mode_of(os_output *out, const char *path, wisp_report *report) WISP_MUST_USE;
wisp_status os_output_commit(os_output *out, wisp_report *report) WISP_MUST_USE; /* frees `out` in any case */
void os_output_abort(os_output *out);                                            /* NULL is allowed */
/* Removes the temporary file of every output still open; async-signal-safe (for SIGINT handlers). */
void os_output_abort_all(void);

wisp_status os_make_directories(const char *path, wisp_report *report) WISP_MUST_USE; /* like mkdir -p, mode 0700 */
struct os_file_info {
    uint64_t size, device, inode;
    int64_t mtime_ns, ctime_ns;
    bool is_directory;
};
bool os_stat(const char *path, os_file_info *info);

/* ---- files that decide about trust, secrets, caches (posix_private.c) ---- */
/* May anyone but this user and root change what this path leads to? Looks at every folder above it as well. Owners
 * other than these two, and modes that let a group or others write (unless the folder is sticky), are untrusted. */
wisp_status os_check_private(const char *path, wisp_report *report) WISP_MUST_USE;
/* Reads a whole regular file of at most `capacity` bytes that only its owner (this user or root) may write. `secret`:
 * that only the owner may read, whoever that is. */
wisp_status os_read_private(const char *path, bool secret, void *out, size_t capacity, size_t *size,
                            wisp_report *report) WISP_MUST_USE;
/* A new file, with its content or not at all; WISP_E_IO if there is one of that name. */
wisp_status os_create_file(const char *path, unsigned mode, const void *data, size_t size,
                           wisp_report *report) WISP_MUST_USE;
/* Calls `each` with the name of every entry (not . and ..), in any order, until it returns false. WISP_E_NOT_FOUND if
 * there is no such folder. */
wisp_status os_list_folder(const char *path, bool (*each)(void *context, const char *name), void *context,
                           wisp_report *report) WISP_MUST_USE;
wisp_status os_remove_file(const char *path, wisp_report *report) WISP_MUST_USE;
/* A cache: files used just now stay longest. Sweeping removes what os_output leaves when its process is killed, after
 * an hour, and then the files not used for the longest time until all are `limit` bytes at most. What is left. */
void os_touch(const char *path);
typedef struct os_usage {
    uint64_t files, bytes;
} os_usage;
os_usage os_sweep_folder(const char *path, uint64_t limit);
bool os_file_exists(const char *path); /* anything of that name, also a dangling link */
/* Where a path leads, links resolved; NULL with a report if nowhere. base_free. */
char *os_real_path(const char *path, wisp_report *report);

/* ---- address space ---- */
/* Reserves without committing; NULL if the system refuses (ulimit -v, sanitizers): callers have another way. */
void *os_reserve(size_t size);
bool os_commit(void *address, size_t size); /* readable, writable, zero; page-aligned */
typedef enum { OS_NO_ACCESS, OS_READ, OS_EXECUTE /* and read */ } os_protection;
bool os_protect(void *address, size_t size, os_protection protection); /* whole pages; async-signal-safe */
void os_release(void *address, size_t size);                           /* the whole reservation */
size_t os_page_size(void);
/* Zeroed pages; `huge` asks for transparent huge pages. NULL on failure. os_release() frees. */
void *os_pages(size_t size, bool huge);
/* A wish: the whole pages of the range come now, in one go; a fault for each may take twenty times as long. */
void os_populate(void *address, size_t size);
/* Another size for what os_pages gave (or NULL, 0): it may move; what is new is zero. NULL: as it was. */
void *os_pages_resize(void *old, size_t old_size, size_t size);

/* ---- threads ---- */
typedef struct os_thread os_thread;
wisp_status os_thread_start(os_thread **thread, void (*run)(void *), void *context, wisp_report *report) WISP_MUST_USE;
void os_thread_join(os_thread *thread);
/* Sleeps while *word == expected (may wake spuriously); wakes all sleepers on the word. */
void os_wait(const uint32_t *word, uint32_t expected);
void os_wait_for(const uint32_t *word, uint32_t expected, uint64_t ns); /* at most so long */
void os_wake_all(const uint32_t *word);
void os_yield(void);
/* Of the calling thread's stack, which grows down. False: unknown. Cheap after a thread's first time. */
bool os_stack_bounds(uintptr_t *low, uintptr_t *high);
unsigned os_cpu_count(void);       /* CPUs this process may run on */
void os_thread_fail_after(long n); /* fault injection (tests), as base_mem_fail_after */

/* ---- time, entropy ---- */
uint64_t os_monotonic_ns(void);
uint64_t os_realtime_ns(void);
bool os_random(void *out, size_t size);
uint64_t os_peak_resident_bytes(void);
uint64_t os_physical_memory_bytes(void);

/* ---- CPU ---- */
enum {
    OS_CPU_SSE41 = 1 << 0,
    OS_CPU_AVX2 = 1 << 1,   /* with FMA, F16C and BMI2 */
    OS_CPU_AVX512 = 1 << 2, /* F, BW, DQ, VL */
    OS_CPU_AVX512_VNNI = 1 << 3,
    OS_CPU_AVX_VNNI = 1 << 4,
    OS_CPU_SHA = 1 << 5,
    OS_CPU_NEON_DOTPROD = 1 << 6,
    OS_CPU_NEON_I8MM = 1 << 7,
    OS_CPU_X86_64_V2 = 1 << 8, /* the levels of the x86-64 psABI, whole */
    OS_CPU_X86_64_V3 = 1 << 9,
    OS_CPU_X86_64_V4 = 1 << 10,
    OS_CPU_AARCH64 = 1 << 11,
};
unsigned os_cpu_features(void);      /* only what the operating system saves on a context switch as well */
void os_cpu_restrict(unsigned mask); /* tests: pretend that only these exist */
const char *os_cpu_name(char out[64]);

#endif
