/* Register tiles: code for each token of a tile, unrolled before the compiler sees it. */
#ifndef TENSOR_EACH_H
#define TENSOR_EACH_H

/* Arrays have 8 elements even where a tile has 4: the branches for t >= T are dropped, but they are compiled. */
#define INLINE static inline __attribute__((always_inline))

/* The statements for t = 0 … T - 1, unrolled by the preprocessor: with constant indices the compiler keeps arrays of
 * accumulators in registers (gcc left the arrays of a loop in memory). */
#define WITH_T(n, T, ...)                                                                                              \
    if ((T) > (n)) {                                                                                                   \
        enum { t = (n) };                                                                                              \
        __VA_ARGS__;                                                                                                   \
    }
#define EACH(T, ...)                                                                                                   \
    do {                                                                                                               \
        WITH_T(0, T, __VA_ARGS__)                                                                                      \
        WITH_T(1, T, __VA_ARGS__)                                                                                      \
        WITH_T(2, T, __VA_ARGS__)                                                                                      \
        WITH_T(3, T, __VA_ARGS__)                                                                                      \
        WITH_T(4, T, __VA_ARGS__)                                                                                      \
        WITH_T(5, T, __VA_ARGS__)                                                                                      \
        WITH_T(6, T, __VA_ARGS__)                                                                                      \
        WITH_T(7, T, __VA_ARGS__)                                                                                      \
    } while (0)

/* Keeps a loaded vector in its register. gcc would rather load it again for each use, and a token's product, which
 * waits on loads, then reached 0.80 of a plain reader instead of 0.95. */
#define LOADED(v) __asm__("" : "+v"(v))

#endif
