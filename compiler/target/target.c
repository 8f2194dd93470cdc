/* target.c -- the table of instruction sets, and which of them this processor has. */
#include "target.h"

#include <string.h>

/* The operating system's part is in the answer: it must save the wider registers. */
#define CPU(feature) __builtin_cpu_supports(feature)
#define ON_any(test) (test)
#if defined(__x86_64__)
#define ON_x86_64(test) (test)
#else
#define ON_x86_64(test) false
#endif
#if defined(__aarch64__)
#define ON_aarch64(test) (test)
#else
#define ON_aarch64(test) false
#endif

#define TARGET(name, lanes, registers, simd, pragma, arch, test, compiler, what) \
    static bool name##_runs(void) { return ON_##arch(test); }
#include "targets.def"

const Target targets[] = {
#define TARGET(name, lanes, registers, simd, pragma, arch, test, compiler, what) \
    { #name, lanes, registers, simd, pragma, #arch, #test, name##_runs, compiler, what },
#include "targets.def"
    { 0 }
};

bool target_runs_here(const Target *t) { return t->runs(); }

double target_far(const Target *t, bool here)
{
    return !t->simd || t->lanes < 16 || (here && ON_x86_64(__builtin_cpu_is("amd"))) ? 16 : 8;
}

const Target *target_find(const char *name)
{
    const Target *best = NULL;
    bool native = !strcmp(name, "native");
    for (const Target *t = targets; t->name; t++)
        if (native ? target_runs_here(t) : !strcmp(t->name, name)) best = t;
    return best;
}
