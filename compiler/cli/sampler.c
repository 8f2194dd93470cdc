/* sampler.c -- temperature, top-k, top-p and the draw. */
#include "sampler.h"
#include "../pass/pass.h"

#include <math.h>
#include <stdlib.h>

enum { KEY_sample = 0x73616d70 };

typedef struct Candidate { double score, weight; int token; } Candidate;

static int largest_first(const void *left, const void *right)
{
    const Candidate *a = left, *b = right;
    if (a->score > b->score || a->score < b->score) return a->score > b->score ? -1 : 1;
    return a->token - b->token;
}

/* How many of the sorted candidates may be drawn. */
static int cut(const Sampler *s, const Candidate *c, int n)
{
    double sum = 0, part = 0;
    if (s->top_k && s->top_k < n) n = (int)s->top_k;
    for (int i = 0; i < n; i++) sum += c[i].weight;
    for (int i = 0; i < n; i++) {
        part += c[i].weight;
        if (part >= s->top_p * sum) return i + 1;
    }
    return n;
}

static int draw(const Candidate *c, int n, double uniform)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += c[i].weight;
    double left = uniform * sum;
    for (int i = 0; i < n; i++) {
        left -= c[i].weight;
        if (left < 0) return c[i].token;
    }
    return c[0].token;
}

int sampler_draw(const Sampler *s, const double *score, int n, uint64_t step)
{
    Arena *scratch = arena_new();
    Candidate *c = NEW_ARRAY(scratch, Candidate, n);
    for (int i = 0; i < n; i++) c[i] = (Candidate){score[i], 0, i};
    qsort(c, (size_t)n, sizeof *c, largest_first);
    int token = c[0].token;
    if (s->temperature > 0) {
        for (int i = 0; i < n; i++) c[i].weight = exp((c[i].score - c[0].score) / s->temperature);
        token = draw(c, cut(s, c, n), random_uniform(s->seed, step, KEY_sample, 0));
    }
    arena_free(scratch);
    return token;
}
