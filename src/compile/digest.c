#include "compile/digest.h"

#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "os/os.h"

enum { SLOTS = 8, SLOT_BYTES = 256 << 10 };

/* A piece of a tensor, the end of one, or the end of all. */
typedef struct slot {
    size_t size;
    uint8_t *digest;
    bool last, abandon;
    uint8_t bytes[SLOT_BYTES];
} slot;

struct compile_digester {
    os_thread *thread; /* NULL: none */
    const base_span *sources;
    size_t source_count, source_at; /* of the first: what is hashed of it */
    base_sha256 source_hash, hash;
    uint32_t put, taken; /* slots, ever; each written by one side only */
    slot slots[SLOTS];
};

static void hash_source(compile_digester *d, size_t most)
{
    while (d->source_count && most) {
        const size_t left = d->sources->size - d->source_at, n = left < most ? left : most;
        base_sha256_update(&d->source_hash, d->sources->data + d->source_at, n);
        d->source_at += n;
        most -= n;
        if (d->source_at < d->sources->size) return;
        d->sources++;
        d->source_count--;
        d->source_at = 0;
    }
}

static void run_slot(compile_digester *d, const slot *s)
{
    if (s->size) base_sha256_update(&d->hash, s->bytes, s->size);
    if (s->digest) {
        base_sha256_final(&d->hash, s->digest);
        base_sha256_init(&d->hash);
    }
    if (s->last && !s->abandon) hash_source(d, SIZE_MAX);
}

static void run(void *context)
{
    compile_digester *d = context;
    for (bool last = false; !last;) {
        uint32_t put = __atomic_load_n(&d->put, __ATOMIC_ACQUIRE);
        if (put == d->taken) {
            if (d->source_count)
                hash_source(d, SLOT_BYTES);
            else
                os_wait(&d->put, put);
            continue;
        }
        const slot *s = &d->slots[d->taken % SLOTS];
        run_slot(d, s);
        last = s->last;
        __atomic_store_n(&d->taken, d->taken + 1, __ATOMIC_RELEASE);
        os_wake_all(&d->taken);
    }
}

wisp_status compile_digester_start(compile_digester **digester, const base_span *sources, size_t source_count,
                                   wisp_report *report)
{
    compile_digester *d = base_alloc(sizeof *d);
    if (!d) return base_fail(report, WISP_E_MEMORY, "out of memory");
    d->thread = NULL;
    d->sources = sources;
    d->source_count = source_count;
    d->source_at = 0;
    d->put = d->taken = 0;
    base_sha256_init(&d->source_hash);
    base_sha256_init(&d->hash);
    if (os_thread_start(&d->thread, run, d, NULL) != WISP_OK) d->thread = NULL;
    *digester = d;
    return WISP_OK;
}

/* The next slot, once it is free. */
static slot *claim(compile_digester *d)
{
    for (uint32_t taken; d->put - (taken = __atomic_load_n(&d->taken, __ATOMIC_ACQUIRE)) == SLOTS;)
        os_wait(&d->taken, taken);
    slot *s = &d->slots[d->put % SLOTS];
    s->size = 0;
    s->digest = NULL;
    s->last = s->abandon = false;
    return s;
}

static void submit(compile_digester *d, const slot *s)
{
    if (!d->thread) {
        run_slot(d, s);
        return;
    }
    __atomic_store_n(&d->put, d->put + 1, __ATOMIC_RELEASE);
    os_wake_all(&d->put);
}

void compile_digester_put(compile_digester *d, const void *data, size_t size)
{
    for (const uint8_t *p = data; size;) {
        slot *s = claim(d);
        s->size = size < SLOT_BYTES ? size : SLOT_BYTES;
        memcpy(s->bytes, p, s->size);
        p += s->size;
        size -= s->size;
        submit(d, s);
    }
}

void compile_digester_next(compile_digester *d, uint8_t digest[32])
{
    slot *s = claim(d);
    s->digest = digest;
    submit(d, s);
}

void compile_digester_finish(compile_digester *d, uint8_t source_sha256[32])
{
    slot *s = claim(d);
    s->last = true;
    s->abandon = source_sha256 == NULL;
    submit(d, s);
    if (d->thread) os_thread_join(d->thread);
    if (source_sha256) base_sha256_final(&d->source_hash, source_sha256);
    base_free(d);
}
