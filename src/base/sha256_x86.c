/* SHA-256 with the SHA extensions (Intel SDM vol. 2, SHA256RNDS2); the portable code where the CPU lacks them. */
#include <immintrin.h>

#include "base/sha256_blocks.h"

/* State is kept as the instructions want it: abef and cdgh. Four rounds a step; the message schedule runs in m[4]. */
__attribute__((target("sha,sse4.1,ssse3"))) static void blocks_sha(uint32_t state[8], const uint8_t *data,
                                                                   size_t blocks)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i dcba = _mm_loadu_si128((const __m128i *)state), hgfe = _mm_loadu_si128((const __m128i *)(state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
    for (; blocks; blocks--, data += 64) {
        __m128i m[4], abef0 = abef, cdgh0 = cdgh;
        for (int i = 0; i < 4; i++)
            m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), swap);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i now = m[i % 4];
            __m128i wk = _mm_add_epi32(now, _mm_loadu_si128((const __m128i *)(base_sha256_k + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
            if (i < 12) { /* w[i+16..19] from w[i..], w[i+9..] and w[i+14..] */
                __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(now, m[(i + 1) % 4]),
                                            _mm_alignr_epi8(m[(i + 3) % 4], m[(i + 2) % 4], 4));
                m[i % 4] = _mm_sha256msg2_epu32(sum, m[(i + 3) % 4]);
            }
        }
        abef = _mm_add_epi32(abef, abef0);
        cdgh = _mm_add_epi32(cdgh, cdgh0);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

void base_sha256_blocks(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    static int has_sha = -1; /* every thread would write the same value */
    int known = __atomic_load_n(&has_sha, __ATOMIC_RELAXED);
    if (known < 0) {
        unsigned a = 0, b = 0, c = 0, d = 0;
        __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0), "c"(0));
        if (a >= 7) {
            __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
            known = b >> 29 & 1;
        } else {
            known = 0;
        }
        __atomic_store_n(&has_sha, known, __ATOMIC_RELAXED);
    }
    (known ? blocks_sha : base_sha256_blocks_portable)(state, data, blocks);
}
