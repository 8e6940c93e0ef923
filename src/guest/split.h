/* Pre-tokenizers of BPE: cut text into the words inside which pieces merge. */
#ifndef GUEST_SPLIT_H
#define GUEST_SPLIT_H
#include "base/bytes.h"
#include "base/vocab.h"
#include <stdbool.h>

typedef struct guest_split guest_split;

guest_split *guest_split_new(base_vocab_pre pre); /* NULL: out of memory */
void guest_split_free(guest_split *split);
/* Calls word() for each piece of the text, in order; together they are the text. Stops and returns false if word()
 * does. */
bool guest_split_run(guest_split *split, base_span text, bool (*word)(void *context, base_span word), void *context);
/* Characters looked at so far, those looked at again counted again: what grows with the text no faster than it does. */
uint64_t guest_split_work(const guest_split *split);

#endif
