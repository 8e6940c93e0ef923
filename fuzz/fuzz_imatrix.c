/* Reaches imatrix_read (both formats), imatrix_find. Input: an importance matrix's file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compile/imatrix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    imatrix m;
    wisp_report report = {0};
    if (imatrix_read(&m, (base_span){data, size}, &report) != WISP_OK) {
        if (!*report.text) abort();
        return 0;
    }
    for (size_t i = 0; i < m.count; i++) {
        const imatrix_entry *e = imatrix_find(&m, m.entries[i].name);
        if (e != &m.entries[i]) abort();
        for (uint64_t k = 0; k < e->columns; k++)
            if (!isfinite(e->mean[k]) || e->mean[k] < 0) abort();
    }
    imatrix_fini(&m);
    return 0;
}
