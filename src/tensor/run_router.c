/* What routes tokens to experts and brings their results together: TOPK, PICK, COMBINE, a row at a time. */
#include <string.h>

#include "tensor/device_state.h"

enum { GROUPS_MAX = 64 }; /* check_ops.c */

static float *row_of(const tensor_ref *r, uint64_t row)
{
    return (float *)(void *)(r->data + (size_t)(row * r->stride));
}

/* A total order: larger first, a NaN below all numbers, ties to the lower index. */
static bool before(float a, uint32_t i, float b, uint32_t j)
{
    if (a > b || (a == a && b != b)) return true;
    if (b > a || (b == b && a != a)) return false;
    return i < j;
}

static float score(const float *x, const float *bias, uint32_t i)
{
    return bias ? x[i] + bias[i] : x[i];
}

/* The sum of the two that come first in columns [begin, end). */
static float group_score(const float *x, const float *bias, uint32_t begin, uint32_t end)
{
    uint32_t one = begin, two = begin + 1;
    if (before(score(x, bias, two), two, score(x, bias, one), one)) one = begin + 1, two = begin;
    for (uint32_t i = begin + 2; i < end; i++) {
        if (before(score(x, bias, i), i, score(x, bias, one), one))
            two = one, one = i;
        else if (before(score(x, bias, i), i, score(x, bias, two), two))
            two = i;
    }
    return score(x, bias, one) + score(x, bias, two);
}

/* Bit g: group g is one of the `kept` that come first. */
static uint64_t keep_groups(const float *x, const float *bias, uint32_t columns, uint32_t groups, uint32_t kept)
{
    float scores[GROUPS_MAX];
    uint64_t mask = 0;
    if (groups <= 1) return 1;
    for (uint32_t g = 0; g < groups; g++)
        scores[g] = group_score(x, bias, g * (columns / groups), (g + 1) * (columns / groups));
    for (; kept; kept--) {
        uint32_t best = GROUPS_MAX;
        for (uint32_t g = 0; g < groups; g++)
            if (!(mask >> g & 1) && (best == GROUPS_MAX || before(scores[g], g, scores[best], best))) best = g;
        mask |= UINT64_C(1) << best;
    }
    return mask;
}

/* Each is the first of those that come after the one before: no marks, whatever the number of columns. */
void tensor_run_topk(const tensor_task *t, uint64_t row)
{
    const tensor_ref *y = &t->ref[0], *xr = &t->ref[1];
    const float *x = row_of(xr, row), *bias = t->ref[2].data ? row_of(&t->ref[2], 0) : NULL;
    const uint32_t columns = xr->cols, groups = t->param[0].u > 1 ? t->param[0].u : 1;
    const uint64_t mask = keep_groups(x, bias, columns, groups, t->param[1].u);
    uint32_t last = columns;
    for (uint32_t j = 0; j < y->cols; j++) {
        uint32_t best = columns;
        for (uint32_t i = 0; i < columns; i++) {
            if (!(mask >> i / (columns / groups) & 1)) continue;
            if (last != columns && !before(score(x, bias, last), last, score(x, bias, i), i)) continue;
            if (best == columns || before(score(x, bias, i), i, score(x, bias, best), best)) best = i;
        }
        memcpy(row_of(y, row) + j, &best, sizeof best);
        last = best;
    }
}

void tensor_run_pick(const tensor_task *t, uint64_t row)
{
    const tensor_ref *y = &t->ref[0], *x = &t->ref[1], *index = &t->ref[2];
    for (uint32_t j = 0; j < y->cols; j++) {
        const uint32_t i = (uint32_t)tensor_int_at(index, row, j);
        row_of(y, row)[j] = i < x->cols ? row_of(x, row)[i] : 0;
    }
}

void tensor_run_combine(const tensor_task *t, uint64_t row)
{
    const tensor_ref *y = &t->ref[0], *w = &t->ref[1], *x = &t->ref[2];
    float *out = row_of(y, row);
    memset(out, 0, (size_t)y->cols * sizeof *out);
    for (uint32_t j = 0; j < w->cols; j++) {
        const float *from = row_of(x, row * w->cols + j), weight = row_of(w, row)[j];
        for (uint32_t c = 0; c < y->cols; c++)
            out[c] = out[c] + weight * from[c];
    }
}
