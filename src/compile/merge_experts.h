/* The first files of mixtures of experts have a matrix an expert (blk.N.ffn_gate.E.weight), later ones a stack of them
 * (blk.N.ffn_gate_exps.weight): a source of the first kind, seen as one of the second. */
#ifndef COMPILE_MERGE_EXPERTS_H
#define COMPILE_MERGE_EXPERTS_H
#include "compile/source.h"

typedef struct expert_merger expert_merger;

/* NULL where the source has no such tensors. `from` must outlive it. */
wisp_status expert_merger_new(expert_merger **merger, const compile_source *from, wisp_report *report) WISP_MUST_USE;
void expert_merger_free(expert_merger *m); /* NULL is allowed */
compile_source expert_merger_source(expert_merger *m);

#endif
