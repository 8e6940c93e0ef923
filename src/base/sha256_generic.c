#include "base/sha256_blocks.h"

void base_sha256_blocks(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    base_sha256_blocks_portable(state, data, blocks);
}
