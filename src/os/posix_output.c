/* Output files that appear whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"

enum { BUFFER_BYTES = 1 << 20, OPEN_MAX_OUTPUTS = 8 };

struct os_output {
    int fd, slot;
    uint64_t offset; /* of the next byte, buffered ones counted */
    size_t held;
    char *final, *temporary;
    uint8_t buffer[BUFFER_BYTES];
};

/* What a signal handler may remove: set before the file exists, cleared after its end. */
static const char *volatile open_temporaries[OPEN_MAX_OUTPUTS];

static int take_slot(const char *name)
{
    for (int i = 0; i < OPEN_MAX_OUTPUTS; i++) {
        const char *empty = NULL;
        if (__atomic_compare_exchange_n(&open_temporaries[i], &empty, name, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return i;
    }
    return -1;
}

void os_output_abort_all(void)
{
    for (int i = 0; i < OPEN_MAX_OUTPUTS; i++)
        if (open_temporaries[i]) unlink(open_temporaries[i]);
}

static void free_output(os_output *out)
{
    if (out->slot >= 0) __atomic_store_n(&open_temporaries[out->slot], NULL, __ATOMIC_SEQ_CST);
    if (out->fd >= 0) close(out->fd);
    base_free(out->final);
    base_free(out->temporary);
    base_free(out);
}

wisp_status os_output_open(os_output **result, const char *path, wisp_report *report)
{
    size_t n = strlen(path);
    struct stat st; /* renaming would replace a device or a FIFO by a file */
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return base_fail(report, WISP_E_IO, "%s: exists and is not a regular file", path);
    os_output *out = base_alloc(sizeof *out);
    if (!out) return base_fail(report, WISP_E_MEMORY, "%s: out of memory", path);
    out->fd = out->slot = -1;
    out->offset = out->held = 0;
    out->final = base_alloc(n + 1);
    out->temporary = base_alloc(n + 40);
    if (!out->final || !out->temporary) {
        free_output(out);
        return base_fail(report, WISP_E_MEMORY, "%s: out of memory", path);
    }
    memcpy(out->final, path, n + 1);
    uint32_t random = 0;
    os_random(&random, sizeof random);
    snprintf(out->temporary, n + 40, "%s" OS_TEMPORARY "%ld-%08x", path, (long)getpid(), (unsigned)random);
    out->slot = take_slot(out->temporary);
    out->fd = open(out->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (out->fd < 0) {
        wisp_status status = base_fail(report, WISP_E_IO, "%s: cannot create: %s", path, strerror(errno));
        free_output(out);
        return status;
    }
    *result = out;
    return WISP_OK;
}

static wisp_status write_fully(os_output *out, const uint8_t *p, size_t size, wisp_report *report)
{
    while (size) {
        ssize_t n = write(out->fd, p, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return base_fail(report, WISP_E_IO, "%s: cannot write: %s", out->final, strerror(errno));
        p += n;
        size -= (size_t)n;
    }
    return WISP_OK;
}

static wisp_status flush(os_output *out, wisp_report *report)
{
    size_t held = out->held;
    out->held = 0;
    return write_fully(out, out->buffer, held, report);
}

wisp_status os_output_write(os_output *out, const void *data, size_t size, wisp_report *report)
{
    if (size > BUFFER_BYTES - out->held) BASE_TRY(flush(out, report));
    out->offset += size;
    if (size >= BUFFER_BYTES) return write_fully(out, data, size, report);
    memcpy(out->buffer + out->held, data, size);
    out->held += size;
    return WISP_OK;
}

wisp_status os_output_write_at(os_output *out, uint64_t offset, const void *data, size_t size, wisp_report *report)
{
    BASE_TRY(flush(out, report));
    for (const uint8_t *p = data; size;) {
        ssize_t n = pwrite(out->fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return base_fail(report, WISP_E_IO, "%s: cannot write: %s", out->final, strerror(errno));
        p += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return WISP_OK;
}

uint64_t os_output_offset(const os_output *out)
{
    return out->offset;
}

wisp_status os_output_make_private(os_output *out, wisp_report *report)
{
    if (fchmod(out->fd, 0600) != 0)
        return base_fail(report, WISP_E_IO, "%s: cannot make it private: %s", out->final, strerror(errno));
    return WISP_OK;
}

wisp_status os_output_mode_of(os_output *out, const char *path, wisp_report *report)
{
    struct stat st;
    if (stat(path, &st) != 0 || fchmod(out->fd, st.st_mode & 0777) != 0)
        return base_fail(report, WISP_E_IO, "%s: %s", path, strerror(errno));
    return WISP_OK;
}

wisp_status os_output_commit(os_output *out, wisp_report *report)
{
    wisp_status status = flush(out, report);
    if (status == WISP_OK && fsync(out->fd) != 0)
        status = base_fail(report, WISP_E_IO, "%s: cannot write: %s", out->final, strerror(errno));
    if (status == WISP_OK && rename(out->temporary, out->final) != 0)
        status = base_fail(report, WISP_E_IO, "%s: cannot rename: %s", out->final, strerror(errno));
    if (status != WISP_OK) unlink(out->temporary);
    free_output(out);
    return status;
}

void os_output_abort(os_output *out)
{
    if (!out) return;
    unlink(out->temporary);
    free_output(out);
}
