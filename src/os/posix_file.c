#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"

static os_file_info info_of(const struct stat *st)
{
    return (os_file_info){
        .size = (uint64_t)st->st_size,
        .device = st->st_dev,
        .inode = st->st_ino,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
        .is_directory = S_ISDIR(st->st_mode),
    };
}

wisp_status os_map_file(os_map *map, const char *path, wisp_report *report)
{
    os_file_info info;
    return os_map_file_info(map, &info, path, report);
}

typedef wisp_status make_map(os_map *map, int fd, uint64_t size, const char *path, wisp_report *report);

static wisp_status map_shared(os_map *map, int fd, uint64_t size, const char *path, wisp_report *report)
{
    void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return base_fail(report, WISP_E_IO, "%s: cannot map: %s", path, strerror(errno));
    *map = (os_map){p, size};
    return WISP_OK;
}

/* Read at once, into pages made at once: a fault a page costs more than their contents. */
static wisp_status read_all(os_map *map, int fd, uint64_t size, const char *path, wisp_report *report)
{
    uint8_t *p = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED) return base_fail(report, WISP_E_MEMORY, "%s: out of memory", path);
    *map = (os_map){p, size};
    for (uint64_t at = 0; at < size;) {
        ssize_t n = read(fd, p + at, (size_t)(size - at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            os_unmap(map);
            return base_fail(report, WISP_E_IO, "%s: %s", path, n ? strerror(errno) : "cut while it was read");
        }
        at += (uint64_t)n;
    }
    mprotect(p, (size_t)size, PROT_READ);
    return WISP_OK;
}

static wisp_status map_copy(os_map *map, int fd, uint64_t size, const char *path, wisp_report *report)
{
    const uint64_t limit = 64 << 20; /* larger ones need not be in memory twice while they are read */
    if (size <= limit) return read_all(map, fd, size, path, report);
    BASE_TRY(map_shared(map, fd, size, path, report));
    wisp_status status = os_map_detach(map, size, report);
    if (status != WISP_OK) os_unmap(map);
    return status;
}

static wisp_status open_map(os_map *map, os_file_info *info, const char *path, make_map *make, wisp_report *report)
{
    static const uint8_t nothing[1];
    /* O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused below. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return base_fail(report, errno == ENOENT ? WISP_E_NOT_FOUND : WISP_E_IO, "%s: %s", path, strerror(errno));
    struct stat st;
    wisp_status status = WISP_OK;
    if (fstat(fd, &st) != 0) {
        status = base_fail(report, WISP_E_IO, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        status = base_fail(report, WISP_E_IO, "%s: not a regular file", path);
    } else if (st.st_size == 0) {
        *map = (os_map){nothing, 0};
    } else {
        status = make(map, fd, (uint64_t)st.st_size, path, report);
    }
    close(fd);
    if (status == WISP_OK) *info = info_of(&st);
    return status;
}

wisp_status os_map_file_info(os_map *map, os_file_info *info, const char *path, wisp_report *report)
{
    return open_map(map, info, path, map_shared, report);
}

wisp_status os_map_copy_info(os_map *map, os_file_info *info, const char *path, wisp_report *report)
{
    return open_map(map, info, path, map_copy, report);
}

void os_unmap(os_map *map)
{
    if (map->size) munmap((void *)map->data, map->size);
    *map = (os_map){0};
}

wisp_status os_map_detach(const os_map *map, uint64_t size, wisp_report *report)
{
    size_t page = os_page_size();
    if (size > map->size) size = map->size;
    if (size == 0) return WISP_OK;
    if (mprotect((void *)map->data, (size_t)size, PROT_READ | PROT_WRITE) != 0)
        return base_fail(report, WISP_E_MEMORY, "cannot take a private copy of a file: %s", strerror(errno));
    for (size_t at = 0; at < size; at += page) { /* a write, even of the same value, gives the page a copy of its own */
        volatile uint8_t *p = (volatile uint8_t *)map->data + at;
        *p = *p;
    }
    mprotect((void *)map->data, (size_t)size, PROT_READ);
    return WISP_OK;
}

void os_map_sequential(const void *data, size_t size)
{
    uintptr_t page = os_page_size(), start = (uintptr_t)data & ~(page - 1);
    madvise((void *)start, (uintptr_t)data + size - start, MADV_SEQUENTIAL);
}

void os_map_done(const void *data, size_t size)
{
    const uintptr_t page = os_page_size(), start = ((uintptr_t)data + page - 1) & ~(page - 1);
    const uintptr_t end = ((uintptr_t)data + size) & ~(page - 1);
    if (start < end) madvise((void *)start, end - start, MADV_DONTNEED);
}

bool os_stat(const char *path, os_file_info *info)
{
    struct stat st;
    if (stat(path, &st) != 0) return false;
    *info = info_of(&st);
    return true;
}

wisp_status os_make_directories(const char *path, wisp_report *report)
{
    char partial[4096];
    size_t n = strlen(path);
    if (n >= sizeof partial) return base_fail(report, WISP_E_IO, "%.80s…: path too long", path);
    memcpy(partial, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (partial[i] != '/' && partial[i] != 0) continue;
        char held = partial[i];
        partial[i] = 0;
        if (mkdir(partial, 0700) != 0 && errno != EEXIST)
            return base_fail(report, WISP_E_IO, "%s: %s", partial, strerror(errno));
        partial[i] = held;
    }
    return WISP_OK;
}
