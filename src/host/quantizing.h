/* The options of wisp/quantize.h, as the compiler takes them. */
#ifndef HOST_QUANTIZING_H
#define HOST_QUANTIZING_H
#include <wisp/quantize.h>

#include "compile/quantize.h"

/* Checks that the type is there; everything else is the compiler's to check. */
wisp_status host_quantize_options(quantize_options *out, const wisp_quantize_options *given,
                                  wisp_report *report) WISP_MUST_USE;

#endif
