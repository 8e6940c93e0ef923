/* Reaches safetensors_open, safetensors_find, safetensors_floats, safetensors_index_files, hf_matrix_find (all kinds),
 * hf_matrix_row. Input: u8 kind, u8 bits, u8 group, then a file, which is tried as an index, too. */
#include <stdlib.h>
#include <string.h>

#include "compile/hf_matrix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static wisp_status take_name(void *context, const char *name, wisp_report *report)
{
    (void)context;
    (void)report;
    if (strchr(name, '/') || *name == '.' || !*name) abort();
    return WISP_OK;
}

static void read_matrix(const safetensors *s, const char *name, const hf_quantization *q)
{
    hf_matrix m;
    char base[600];
    const char *dot = strrchr(name, '.');
    if (!dot) return;
    memcpy(base, name, (size_t)(dot - name));
    base[dot - name] = 0;
    if (hf_matrix_find(&m, s, base, q, NULL) != WISP_OK || m.cols > 1 << 16 || m.rows == 0) return;
    float *row = malloc((size_t)m.cols * sizeof *row + 1);
    if (!row) return;
    hf_matrix_row(&m, 0, row);
    hf_matrix_row(&m, m.rows - 1, row);
    free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    safetensors s;
    wisp_report report = {0};
    if (size < 3) return 0;
    const hf_quantization q = {.kind = (hf_kind)(data[0] % 5), .bits = data[1], .group = data[2], .block = data[2]};
    const base_span file = {data + 3, size - 3};
    (void)!safetensors_index_files(file, take_name, NULL, NULL);
    if (safetensors_open(&s, file, &report) != WISP_OK) {
        if (!*report.text) abort();
        return 0;
    }
    for (size_t i = 0; i < s.count; i++) {
        const safetensors_tensor *t = &s.tensors[i];
        float v;
        if (safetensors_find(&s, t->name) != t) abort();
        if (t->elements) safetensors_floats(t, t->elements - 1, 1, &v);
        read_matrix(&s, t->name, &q);
    }
    safetensors_close(&s);
    return 0;
}
