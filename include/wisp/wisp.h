/** @file wisp.h  WISP: language models as sandboxed, portable WebAssembly capsules.
 *
 * A *capsule* is an opened `.wasm` capsule or `.gguf` model: immutable, its weights mapped, shareable by any number of
 * sessions and threads; it must outlive its sessions. A *session* is one sandbox with its own engine, KV cache and
 * device buffers; one thread at a time may use it, except for wisp_session_interrupt(). Requests are submitted to a
 * session and answered by *events*.
 *
 *     wisp_capsule *capsule = NULL;
 *     wisp_session *session = NULL;
 *     wisp_report report = {0};
 *     wisp_completion request = WISP_COMPLETION_DEFAULTS;
 *     request.prompt = "Once upon a time";
 *     request.prompt_size = strlen(request.prompt);
 *     if (wisp_open(&capsule, "story.wasm", NULL, &report) == WISP_OK &&
 *         wisp_session_new(&session, capsule, NULL, &report) == WISP_OK &&
 *         wisp_submit(session, &request, NULL, &report) == WISP_OK)
 *         wisp_run(session, print_event, NULL, &report);
 *     if (report.status) fprintf(stderr, "%s\n", report.text);
 *     wisp_session_free(session);
 *     wisp_close(capsule);
 *
 * Ownership: what a `_new` or `_open` gives, the matching `_free` or `_close` takes (NULL is allowed). Strings and
 * events returned by a function belong to the object and live until its next call. Sizes are in bytes.
 * Structs of options and results begin with their size (error.h). Misuse (a NULL handle, a size that is not set)
 * returns WISP_E_USAGE.
 */
#ifndef WISP_H
#define WISP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wisp/error.h>
#include <wisp/native.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WISP_VERSION "0.1.0"
WISP_API const char *wisp_version(void); /**< of the library linked in */

/** Called from long work with what is done and what there is to do (bytes); return false to stop it
 * (WISP_E_CANCELLED). */
typedef bool (*wisp_progress)(void *context, uint64_t done, uint64_t total);

/* ---- capsules -------------------------------------------------------------------------------------------------- */

typedef struct wisp_capsule wisp_capsule;

typedef struct wisp_open_options {
    size_t size;
    bool vocabulary_only;   /**< a GGUF needs no weights: enough for "tokenize" requests */
    wisp_progress progress; /**< for a GGUF that must be compiled first; NULL: none */
    void *progress_context;
} wisp_open_options;

/** Opens a capsule, or a GGUF, which is compiled to a capsule under $XDG_CACHE_HOME/wisp the first time. Everything but
 * the weights is verified against its digests. `options` NULL: defaults. */
WISP_API wisp_status wisp_open(wisp_capsule **capsule, const char *path, const wisp_open_options *options,
                               wisp_report *report) WISP_MUST_USE;
WISP_API void wisp_close(wisp_capsule *capsule);
/** The manifest, JSON (docs/capsule-format.md); lives as long as the capsule. NULL: NULL, size 0. */
WISP_API const char *wisp_capsule_manifest(const wisp_capsule *capsule, size_t *size);
/** Reads every weight and compares the digests of all tensors. */
WISP_API wisp_status wisp_capsule_verify(const wisp_capsule *capsule, wisp_progress progress, void *context,
                                         wisp_report *report) WISP_MUST_USE;
/** Bytes of the capsule's file and of the model's weights in it; NULL: 0. */
WISP_API uint64_t wisp_capsule_file_bytes(const wisp_capsule *capsule);
WISP_API uint64_t wisp_capsule_weight_bytes(const wisp_capsule *capsule);

/* ---- sessions --------------------------------------------------------------------------------------------------- */

typedef struct wisp_session wisp_session;

/** Called by wisp_session_new as soon as the session can be interrupted, before any of the capsule's code runs: a
 * hostile engine may never finish starting. Called again with NULL before a session that did not start is freed. */
typedef void (*wisp_session_created)(void *context, wisp_session *session);

typedef enum wisp_device {
    WISP_DEVICE_CPU = 0,     /**< the engine's device functions are replaced by native ones */
    WISP_DEVICE_PORTABLE = 1 /**< nothing is replaced: the capsule's own code runs, as in any WebAssembly engine */
} wisp_device;

/** What keys and values are kept in. Quantized ones take less memory and are less exact (docs/numerics.md). */
typedef enum wisp_kv_type {
    WISP_KV_MODEL = 0, /**< as the model says: F16, or F32 for a model whose matrices are F32 */
    WISP_KV_F32 = 1,
    WISP_KV_F16 = 2,
    WISP_KV_Q8_0 = 3,
    WISP_KV_Q4_0 = 4
} wisp_kv_type;

typedef struct wisp_session_options {
    size_t size;
    wisp_device device;
    unsigned threads;        /**< of the native device; 0: one a CPU. At most 256 */
    uint32_t context_length; /**< positions; 0: the model's, but at most 4096 */
    uint32_t chunk;          /**< tokens of a prompt evaluated in one step; 0: 256. The result does not depend on it */
    uint64_t memory_limit;   /**< the sandbox's linear memory, bytes; 0: 4 GiB */
    uint64_t device_limit;   /**< device buffers (KV cache, activations), bytes; 0: 3/4 of the machine's memory */
    wisp_session_created created; /**< may be NULL */
    void *created_context;
    wisp_native native; /**< for the engine's code; its device functions are native with WISP_DEVICE_CPU anyhow */
    wisp_kv_type kv_type;
} wisp_session_options;

WISP_API wisp_status wisp_session_new(wisp_session **session, wisp_capsule *capsule,
                                      const wisp_session_options *options, wisp_report *report) WISP_MUST_USE;
WISP_API void wisp_session_free(wisp_session *session);
/** Makes the call running in the session, or its next one, return WISP_E_CANCELLED soon. From any thread or a signal
 * handler. The session must be freed afterwards. */
WISP_API void wisp_session_interrupt(wisp_session *session);

/* ---- requests ---------------------------------------------------------------------------------------------------- */

typedef struct wisp_completion {
    size_t size;
    const char *prompt; /**< UTF-8, not NUL-terminated */
    size_t prompt_size;
    int32_t max_tokens;    /**< -1: until the context is full or the model ends */
    double temperature;    /**< 0: greedy */
    int32_t top_k;         /**< 0: off */
    double top_p;          /**< 1: off */
    double min_p;          /**< 0: off */
    double repeat_penalty; /**< 1: off */
    uint64_t seed;
    const char *const *stop; /**< stop strings */
    size_t stop_count;
    bool ignore_eos;
    bool context_shift; /**< when the context is full, drop the oldest half and go on; else the text ends there */
    int32_t keep;       /**< the first tokens, which context_shift never drops; 0: the one that begins every text */
} wisp_completion;

#define WISP_COMPLETION_DEFAULTS                                                                                       \
    {                                                                                                                  \
        .size = sizeof(wisp_completion), .max_tokens = -1, .temperature = 0.8, .top_k = 40, .top_p = 0.95,             \
        .min_p = 0.05, .repeat_penalty = 1                                                                             \
    }

/** Submits a text completion; *id (may be NULL) names it in its events. */
WISP_API wisp_status wisp_submit(wisp_session *session, const wisp_completion *completion, uint32_t *id,
                                 wisp_report *report) WISP_MUST_USE;
/** Submits a request in the engine's own JSON (docs/embedding.md): text_completion, tokenize, logits, bench. */
WISP_API wisp_status wisp_submit_json(wisp_session *session, const char *json, size_t size, uint32_t *id,
                                      wisp_report *report) WISP_MUST_USE;
WISP_API wisp_status wisp_cancel(wisp_session *session, uint32_t id, wisp_report *report) WISP_MUST_USE;

typedef enum wisp_event_kind {
    WISP_EVENT_NONE = 0,  /**< nothing to report; wisp_poll: no request is active */
    WISP_EVENT_TEXT = 1,  /**< more text of a completion: whole UTF-8 sequences */
    WISP_EVENT_DONE = 2,  /**< a completion ended: finish_reason and the counts are set */
    WISP_EVENT_ERROR = 3, /**< the request failed: text is the message; others go on */
    WISP_EVENT_RESULT = 4 /**< the answer to another kind of request: json */
} wisp_event_kind;

typedef struct wisp_event {
    size_t size;
    wisp_event_kind kind;
    uint32_t id;
    const char *text; /**< NUL-terminated, but may hold NULs: use text_size */
    size_t text_size;
    const char *finish_reason; /**< "stop", "length", "cancelled" */
    uint32_t prompt_tokens, completion_tokens;
    uint64_t prefill_ns, decode_ns;
    const char *json; /**< the event as the engine wrote it, in OpenAI's shape */
    size_t json_size;
} wisp_event;

/** Works until there is an event (or, with kind WISP_EVENT_NONE, nothing is left to do). The event's strings live until
 * the next call on the session. A trap in the sandbox is WISP_E_TRAP: the session is then dead, the process is not. */
WISP_API wisp_status wisp_poll(wisp_session *session, wisp_event *event, wisp_report *report) WISP_MUST_USE;
/** Polls until nothing is left, giving each event to `on_event`, which returns false to stop (WISP_E_CANCELLED; the
 * requests stay active). */
WISP_API wisp_status wisp_run(wisp_session *session, bool (*on_event)(void *context, const wisp_event *event),
                              void *context, wisp_report *report) WISP_MUST_USE;

typedef struct wisp_session_stats {
    size_t size;
    uint64_t start_ns;      /**< from wisp_session_new to a ready engine */
    uint64_t guest_bytes;   /**< linear memory of the sandbox */
    uint64_t device_bytes;  /**< device buffers in use */
    uint64_t peak_resident; /**< of the process, mapped weights that were touched included */
    unsigned threads;
    const char *code; /**< what the sandbox's code runs as: "interpreter", "native, made with WISP", … */
} wisp_session_stats;
WISP_API wisp_status wisp_session_get_stats(const wisp_session *session, wisp_session_stats *stats,
                                            wisp_report *report) WISP_MUST_USE;

/* ---- making and taking apart capsules ---------------------------------------------------------------------------- */

struct wisp_quantize_options;
typedef struct wisp_pack_options {
    size_t size;
    const char *input;   /**< a GGUF, or the folder of a Hugging Face model */
    const char *output;  /**< appears only when it is complete */
    const char *name;    /**< NULL: the model's own */
    const char *version; /**< NULL: the model's own, or "1" */
    /** wisp/quantize.h: its type and what goes with it; NULL: tensors keep their types. */
    const struct wisp_quantize_options *quantize;
    wisp_progress progress;
    void *progress_context;
} wisp_pack_options;

WISP_API wisp_status wisp_pack(const wisp_pack_options *options, wisp_report *report) WISP_MUST_USE;
/** Writes the GGUF that the capsule was made of: tensors bit for bit, metadata kept. */
WISP_API wisp_status wisp_unpack(const wisp_capsule *capsule, const char *output, wisp_progress progress, void *context,
                                 wisp_report *report) WISP_MUST_USE;

/* ---- native code ------------------------------------------------------------------------------------------------- */

enum { WISP_COMPILE_TARGETS_MAX = 8 };

typedef struct wisp_compile_options {
    size_t size;
    const char *input;      /**< a WebAssembly module or a capsule, not signed */
    const char *output;     /**< it with sections `wisp.aot.<target>` at its end; may be the same file */
    const char *targets;    /**< "x86-64-v2,x86-64-v3,x86-64-v4,aarch64,native", some of them; NULL: "native" */
    bool fuel;              /**< for instances that count fuel; others cannot use it then */
    bool explicit_checks;   /**< for instances whose memory has no guard pages; others cannot use it then */
    unsigned threads;       /**< 0: one a CPU. The result does not depend on it */
    wisp_progress progress; /**< functions; NULL: none */
    void *progress_context;
} wisp_compile_options;

typedef struct wisp_compiled_target {
    const char *name; /**< static */
    uint64_t bytes, ns;
} wisp_compiled_target;

typedef struct wisp_compile_result {
    size_t size;
    uint32_t functions, target_count;
    wisp_compiled_target targets[WISP_COMPILE_TARGETS_MAX];
} wisp_compile_result;

/** Compiles ahead of time. The code in a file counts only if the whole file is signed by a trusted key
 * (docs/signing.md). WISP_E_UNSUPPORTED if the native compiler is not installed. `result` may be NULL. */
WISP_API wisp_status wisp_compile(const wisp_compile_options *options, wisp_compile_result *result,
                                  wisp_report *report) WISP_MUST_USE;

/** Removes the temporary files of packs under way; async-signal-safe. */
WISP_API void wisp_abandon_outputs(void);

/* ---- the machine ------------------------------------------------------------------------------------------------- */

/** One line each: CPU features, kernels chosen, limits, versions. */
WISP_API wisp_status wisp_describe(void (*line)(void *context, const char *key, const char *value), void *context,
                                   wisp_report *report) WISP_MUST_USE;

/** Every model family that can be packed: GGUF's name of its architecture, a title for people, the tensor types it may
 * have, and the test that it is tried by ("" if there is none). */
WISP_API void wisp_list_models(void (*line)(void *context, const char *name, const char *title, const char *types,
                                            const char *tested),
                               void *context);

typedef struct wisp_read_speed {
    size_t size;
    uint64_t bytes; /**< read in a round */
    uint64_t fastest_ns, median_ns;
} wisp_read_speed;
/** Reads the weights that generating one token reads (all but an embedding table of which a row is picked) `rounds`
 * times with `threads` threads, each one sequential range of every stretch, as plainly as the machine can. What
 * generation is measured against. */
WISP_API wisp_status wisp_measure_read(const wisp_capsule *capsule, unsigned threads, unsigned rounds,
                                       wisp_read_speed *speed, wisp_report *report) WISP_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
