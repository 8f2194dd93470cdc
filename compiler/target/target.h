/* target.h -- the instruction sets that netc writes for. */
#ifndef NETC_TARGET_H
#define NETC_TARGET_H

#include <stdbool.h>

typedef struct Target {
    const char *name;        /* "avx2" */
    int lanes;               /* f32 per vector; 1: no vectors */
    int registers;           /* vector registers */
    const char *simd;        /* the header of emit/simd that is pasted: "avx2.h"; NULL: all other rows, see "multi" */
    const char *pragma;      /* for #pragma GCC target, or NULL: "avx2,fma" */
    const char *arch;        /* "x86_64", "aarch64", "any" */
    const char *test;        /* in C: whether a processor of this kind runs it; CPU("avx2") asks for a feature */
    bool (*runs)(void);      /* the test, compiled into netc */
    const char *compiler;    /* cross compiler for tests, or NULL: "aarch64-linux-gnu-gcc" */
    const char *what;
} Target;

extern const Target targets[];       /* from targets.def; ends with a NULL name; "native" is not in it */

/* The row by name; "native" is the best row that this processor runs. NULL when unknown. */
const Target *target_find(const char *name);
/* Bytes a cycle that a core reads from the last cache. Where vectors are widest it belongs to a server's many cores and is slow (9 on
   Intel's), but on AMD's, which share it among few. here: for this processor alone. */
double target_far(const Target *t, bool here);
/* Whether this processor runs its code. */
bool target_runs_here(const Target *t);

#endif
