/* SHA-256 of two streams on a thread of its own: the source, read whenever there is nothing else to do, and the weights
 * as they are made. Packing then waits for neither. Without a second thread everything is done by the caller. */
#ifndef COMPILE_DIGEST_H
#define COMPILE_DIGEST_H
#include "base/bytes.h"
#include "base/err.h"

typedef struct compile_digester compile_digester;
/* The source is made of parts, whose digest is that of all of them, one after the other; `sources` must live until the
 * end. */
wisp_status compile_digester_start(compile_digester **d, const base_span *sources, size_t source_count,
                                   wisp_report *report) WISP_MUST_USE;
/* The next bytes of the tensor at hand; copied. */
void compile_digester_put(compile_digester *d, const void *data, size_t size);
/* Ends the tensor; its digest is in `digest` after compile_digester_finish. */
void compile_digester_next(compile_digester *d, uint8_t digest[32]);
/* Waits for everything and frees. With source_sha256 NULL the source is given up: something failed. */
void compile_digester_finish(compile_digester *d, uint8_t source_sha256[32]);

#endif
