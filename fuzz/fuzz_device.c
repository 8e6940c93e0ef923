/* Must reach: tensor_validate check_view check_size check_output check_index check_pages tensor_plan tensor_run_task
 * tensor_run_matmul tensor_run_attention tensor_run_kv_write tensor_get_row program_read
 * tensor_read_block tensor_read_lane tensor_pack_bytes
 *
 * Bytes -> numbers in an index buffer, then up to 8 commands over a few small buffers, submitted to a device with
 * portable kernels and to one with this processor's: neither may touch a byte outside, and both must agree. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "tensor/device.h"
#include "tensor/program.h"

enum { WEIGHTS = 16384, SIZE = 8192, BUFFERS = 6, INDEX_BYTES = 64, COMMANDS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Handles: 1 is the weights, 2 to 5 are full of numbers, 6 begins with the input's. */
static tensor_device *open_device(const uint8_t *weights, unsigned features, const uint8_t *index)
{
    const tensor_options options = {.cpu_features = features};
    tensor_device *d;
    float x[SIZE / 4];
    if (tensor_device_new(&d, &options, NULL) != WISP_OK) abort();
    if (tensor_add_weights(d, 0, weights, WEIGHTS, NULL) != WISP_OK) abort();
    for (int i = 0; i < SIZE / 4; i++)
        x[i] = (float)(i * 37 % 101 - 50) / 16.0f;
    for (uint32_t h = 2; h <= BUFFERS; h++)
        if (tensor_alloc(d, SIZE) != h || (h < 6 && tensor_write(d, h, 0, x, SIZE, NULL) != WISP_OK)) abort();
    if (tensor_write(d, 6, 0, index, INDEX_BYTES, NULL) != WISP_OK) abort();
    return d;
}

static int nan16(uint32_t h)
{
    return (h & 0x7fff) > 0x7c00;
}

/* Equal bits, or NaNs on both sides: as a float or as halves. */
static int same_word(uint32_t a, uint32_t b)
{
    float x, y;
    memcpy(&x, &a, 4);
    memcpy(&y, &b, 4);
    if (a == b || (isnan(x) && isnan(y))) return 1;
    const int low = (a & 0xffff) == (b & 0xffff) || (nan16(a) && nan16(b));
    return low && (a >> 16 == b >> 16 || (nan16(a >> 16) && nan16(b >> 16)));
}

static void compare(tensor_device *a, tensor_device *b)
{
    static uint32_t x[SIZE / 4], y[SIZE / 4];
    for (uint32_t h = 2; h <= BUFFERS; h++) {
        if (tensor_read(a, h, 0, x, SIZE, NULL) != WISP_OK || tensor_read(b, h, 0, y, SIZE, NULL) != WISP_OK) abort();
        for (int i = 0; i < SIZE / 4; i++)
            if (!same_word(x[i], y[i])) abort();
    }
}

static void try_program(const uint8_t *data, size_t size)
{
    program p;
    if (program_read(&p, (base_span){data, size}, NULL) == WISP_OK) {
        base_buffer out = {0};
        program_write(&out, &p);
        if (out.failed || out.size != size || memcmp(out.data, data, size) != 0) abort();
        base_buffer_fini(&out);
    }
    program_fini(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(64) uint8_t weights[WEIGHTS];
    wisp_cmd cmds[COMMANDS] = {0};
    uint8_t index[INDEX_BYTES] = {0};
    for (uint32_t i = 0; i < WEIGHTS; i++)
        weights[i] = (uint8_t)((i * 2654435761u) >> 21 & 0xbb);
    try_program(data, size);
    memcpy(index, data, size < INDEX_BYTES ? size : INDEX_BYTES);
    data += size < INDEX_BYTES ? size : INDEX_BYTES;
    size -= size < INDEX_BYTES ? size : INDEX_BYTES;
    memcpy(cmds, data, size < sizeof cmds ? size : sizeof cmds);
    const uint32_t count = size / sizeof *cmds < COMMANDS ? (uint32_t)((size + sizeof *cmds - 1) / sizeof *cmds) : COMMANDS;
    tensor_device *a = open_device(weights, 0, index), *b = open_device(weights, os_cpu_features(), index);
    wisp_report report = {0};
    const wisp_status status = tensor_submit(a, cmds, count, &report);
    if (tensor_submit(b, cmds, count, NULL) != status || (status != WISP_OK) != (report.text[0] != 0)) abort();
    if (count == 1) compare(a, b); /* a NaN's payload is not defined, and the next command might look at it */
    tensor_device_free(a);
    tensor_device_free(b);
    return 0;
}
