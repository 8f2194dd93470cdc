/* target.c -- the table of instruction sets, and which of them this processor has. */
#include "target.h"

#include <string.h>

const Target targets[] = {
#define TARGET(name, lanes, registers, simd, pragma, compiler, what) { #name, lanes, registers, simd, pragma, compiler, what },
#include "targets.def"
    { NULL, 0, 0, NULL, NULL, NULL, NULL }
};

bool target_runs_here(const Target *t)
{
    if (t->lanes == 1) return true;
#if defined(__x86_64__)
    if (!strcmp(t->name, "sse")) return __builtin_cpu_supports("sse4.1");
    if (!strcmp(t->name, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (!strcmp(t->name, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
#elif defined(__aarch64__)
    if (!strcmp(t->name, "neon")) return true;
#endif
    return false;
}

const Target *target_find(const char *name)
{
    const Target *best = NULL;
    bool native = !strcmp(name, "native");
    for (const Target *t = targets; t->name; t++)
        if (native ? target_runs_here(t) : !strcmp(t->name, name)) best = t;
    return best;
}
