/** @file native.h  Whether guests run as native code: the one choice that sessions (wisp.h) and plain modules
 * (module.h) share. The results are the same, bit for bit. */
#ifndef WISP_NATIVE_H
#define WISP_NATIVE_H

typedef enum wisp_native {
    WISP_NATIVE_CACHED = 0, /**< native code that is there already: the library's own for the standard engine, in a file
                             * signed by a trusted key, in the cache of this user. Nothing is compiled */
    WISP_NATIVE_OFF = 1,    /**< the interpreter only */
    WISP_NATIVE_BACKGROUND =
        2,              /**< else the interpreter begins, and a process of its own compiles what later calls run */
    WISP_NATIVE_NOW = 3 /**< else a process of its own compiles it before any of its code runs: when the session is
                         * made, at the instance's first call. Can be interrupted. That the compiler crashes is an
                         * error; that there is none, or no native code for this module, is not: the interpreter runs */
} wisp_native;

#endif
