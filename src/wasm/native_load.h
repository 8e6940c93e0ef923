/* Images as data (native_image.c) and in a store (native_load.c). */
#ifndef WASM_NATIVE_LOAD_H
#define WASM_NATIVE_LOAD_H
#include "wasm/native_abi.h"

/* Reads and checks everything before the text: every offset is inside the image, in order, and of whole pages. The
 * tables are borrowed from `image`. */
wisp_status wasm_native_read(wasm_native_code *out, base_span image, wisp_report *report) WISP_MUST_USE;
/* Is it of this build, and what is wanted? See wasm_native_check. */
wisp_status wasm_native_fits(const wasm_native_code *code, const wasm_native_wanted *wanted,
                             wisp_report *report) WISP_MUST_USE;
/* Unmaps all of the store's images; no instance runs any more. */
void wasm_native_unload(wasm_store *store);

#endif
