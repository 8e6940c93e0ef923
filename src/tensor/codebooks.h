/* The codebooks of IQ1, IQ2 and IQ3 (tools/make-codebooks.py): 2 bits an element of eight, 3 bits an element of four.
 */
#ifndef TENSOR_CODEBOOKS_H
#define TENSOR_CODEBOOKS_H
#include <stdint.h>

extern const uint16_t tensor_codebook_iq2_xxs[256], tensor_codebook_iq2_xs[512], tensor_codebook_iq2_s[1024];
extern const uint16_t tensor_codebook_iq3_xxs[256], tensor_codebook_iq3_s[512];
extern const uint16_t tensor_codebook_iq1[2048];

#endif
