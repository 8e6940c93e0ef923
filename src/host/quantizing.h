/* The options of wisp/quantize.h, as the compiler takes them. */
#ifndef HOST_QUANTIZING_H
#define HOST_QUANTIZING_H
#include <wisp/quantize.h>

#include "compile/quantize.h"

/* Reads the importance matrix into *m, which the options point to: imatrix_fini. What else is wrong is the compiler's to
 * say. */
wisp_status host_quantize_options(quantize_options *out, imatrix *m, const wisp_quantize_options *given,
                                  wisp_report *report) WISP_MUST_USE;

#endif
