/* sampler.h -- which token comes next, drawn by what a net says of each. */
#ifndef NETC_SAMPLER_H
#define NETC_SAMPLER_H

#include <stdint.h>

typedef struct Sampler {
    double temperature;            /* scores are divided by it; 0: the token of the largest score */
    int64_t top_k;                 /* only so many of the largest scores; 0: all */
    double top_p;                  /* only the largest ones that are so probable together; 1: all */
    uint64_t seed;
} Sampler;

/* Of n scores, the `step`th draw; of equal ones the first is the larger. The same everywhere for the same scores. */
int sampler_draw(const Sampler *s, const double *score, int n, uint64_t step);

#endif
