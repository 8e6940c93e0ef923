/* Weighted least squares on a run of elements: what every block type's quantizer is made of.
 *
 * Given x[i] and weights w[i] >= 0, find integers q[i] of a small set Q and a scale d (and an offset b) for which
 *     E = sum w (x - d q - b)^2
 * is small. For fixed q this is linear, and solved in closed form; for fixed d and b the best q is the member of Q that
 * is nearest to (x - b) / d. Each of the two steps can only lower E, so they are taken in turn, from several starting
 * points, and the best end is kept. All of it depends on the elements only: no threads, no order, no libm.
 *
 * One scale:   d = Sxq / Sqq,                                       E = Sxx - d Sxq
 * And offset:  D = Sw Sqq - Sq^2,  d = (Sw Sxq - Sx Sq) / D,  b = (Sqq Sx - Sq Sxq) / D,
 *              E = Sxx - d Sxq - b Sx
 * with Sxq = sum w x q and so on. Sxx does not depend on the choice, so the gain Sxx - E is what is compared.
 */
#ifndef COMPILE_QUANTIZE_FIT_H
#define COMPILE_QUANTIZE_FIT_H
#include <stdbool.h>
#include <stdint.h>

enum { FIT_RUN_MAX = 256 }; /* elements; all runs are multiples of 16 */

/* Q: all integers from lowest to highest, or those of a short table. */
typedef struct fit_levels {
    int lowest, highest;
    const int8_t *values; /* NULL: all. Else `count` ascending ones */
    int count;
} fit_levels;

/* d; q follows from it by fit_round. 0 for a run of zeros. */
float fit_scale(const float *x, const float *w, uint32_t n, const fit_levels *levels);
/* d > 0 and b <= 0 (K types store -b), or of any sign. Q is 0 to highest. */
void fit_affine(const float *x, const float *w, uint32_t n, int highest, bool offset_any, float *d, float *b);

/* q[i]: the member of Q nearest to (x[i] - b) / d; all zero (nearest to it) for d == 0. */
void fit_round(const float *x, uint32_t n, const fit_levels *levels, float d, float b, int8_t *q);
/* E of that choice. */
float fit_error(const float *x, const float *w, uint32_t n, const fit_levels *levels, float d, float b);

/* F16, round to nearest even; what is too large becomes the largest finite value. */
uint16_t fit_to_half(float v);

#endif
