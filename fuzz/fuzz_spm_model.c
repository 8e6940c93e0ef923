/* Reaches: spm_model_read, next_field, read_piece, read_trainer, read_normalizer, base_vocab_write, base_vocab_open. */
#include <stdlib.h>

#include "base/mem.h"
#include "compile/spm_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    spm_model m;
    base_buffer out = {0};
    base_vocab v;
    const uint32_t rows = size && data[size - 1] == 'R' ? 300 : 0;
    if (spm_model_read(&m, (base_span){data, size}, rows, NULL) != WISP_OK) return 0;
    if (base_vocab_write(&out, &m.source, NULL) == WISP_OK &&
        base_vocab_open(&v, (base_span){out.data, out.size}, NULL) != WISP_OK)
        abort();
    base_buffer_fini(&out);
    spm_model_fini(&m);
    return 0;
}
