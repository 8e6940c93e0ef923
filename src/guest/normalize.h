/* Texts made uniform before they are cut: Unicode's normal forms and BERT's rules. */
#ifndef GUEST_NORMALIZE_H
#define GUEST_NORMALIZE_H
#include "base/bytes.h"
#include "base/vocab.h"
#include <stdbool.h>

/* Appends the text after the steps of `steps` (VOCAB_CLEAN ...); what is not UTF-8 becomes U+FFFD. False: no memory. */
bool guest_normalize(base_buffer *out, base_span text, uint32_t steps) __attribute__((warn_unused_result));
/* What SentencePiece's map makes of the text's beginning, and how much of it that takes: the longest entry, else one
 * character as it is. The text is not empty. */
base_span guest_map_prefix(const base_vocab *v, base_span text, size_t *taken);

#endif
