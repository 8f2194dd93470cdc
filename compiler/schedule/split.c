/* split.c -- which out axis of a kernel is shared out among threads, and where the parts begin. */
#include "schedule.h"

#include <math.h>

enum { CACHE_BYTES_PER_CYCLE = 16, ELEMENT_BYTES = 4 };
static const double CLOSE = 0.02;      /* of equal axes the one with the longest stride: parts lie apart in memory */

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

static int64_t store_stride(const Nest *n, int axis) { return axis < 0 ? 0 : magnitude(affine_coef(&n->store, axis)); }

/* Whether no two points of the out axes store to the same place: sorted by stride, each strides over all smaller ones. */
static bool stores_apart(const Nest *n)
{
    int64_t reach = 0;
    for (unsigned done = 0, all = nest_stored(n); done != all;) {
        int next = -1;
        for (int i = 0; i < n->n_out; i++)
            if (all & ~done & 1u << i && (next < 0 || magnitude(affine_coef(&n->store, i)) < magnitude(affine_coef(&n->store, next)))) next = i;
        int64_t stride = magnitude(affine_coef(&n->store, next));
        if (stride <= reach) return false;
        reach += stride * (n->axis[next].extent - 1);
        done |= 1u << next;
    }
    return true;
}

static int64_t tiles(const Nest *n, const Plan *p, const Target *t, int axis)
{
    int64_t one = plan_tile(p, t, axis);
    return (n->axis[axis].extent + one - 1) / one;
}

/* Bytes that one of `parts` along the axis reads and writes; all of them for axis -1. */
static double bytes_touched(const Nest *n, const Affine *at, int axis, double parts)
{
    double bytes = ELEMENT_BYTES;
    for (int i = 0; i < at->n; i++)
        if (at->axis[i] != PICKED) bytes *= (double)n->axis[at->axis[i]].extent;
    return axis >= 0 && affine_coef(at, axis) ? bytes / parts : bytes;
}

static double memory_cycles(const Nest *n, int axis, double parts)
{
    double bytes = bytes_touched(n, &n->store, axis, parts);
    for (int i = 0; i < n->value.n; i++)
        if (n->value.at[i].kind == EX_load) bytes += bytes_touched(n, &n->value.at[i].at, axis, parts);
    return bytes / CACHE_BYTES_PER_CYCLE;
}

static void set_bounds(const Nest *n, const Plan *p, const Target *t, Split *s)
{
    int64_t all = tiles(n, p, t, s->axis), one = plan_tile(p, t, s->axis);
    for (int i = 0; i < s->parts; i++) s->bound[i] = all * i / s->parts * one;
    s->bound[s->parts] = n->axis[s->axis].extent;
}

void split_choose(const Nest *n, const Plan *p, const Target *t, int threads, double least_cycles, Split *s)
{
    double worth = fmax(p->cycles, memory_cycles(n, -1, 1)) / least_cycles, best = INFINITY;
    int most = worth < threads ? (int)worth : threads;
    *s = (Split){.axis = -1, .parts = 1};
    if (most < 2 || !stores_apart(n)) return;
    for (int k = 0; k < n->n_out; k++) {
        int axis = p->order[k];
        int64_t steps = tiles(n, p, t, axis), parts = steps < most ? steps : most;
        if (parts < 2) continue;
        double share = (double)((steps + parts - 1) / parts) / (double)steps;
        const bool repacks = p->panel >= 0 && !(n->value.at[p->panel].axes >> axis & 1);
        double cost = p->cycles * share + (repacks ? p->packing * (1 - share) : 0) + memory_cycles(n, axis, (double)parts);
        if (cost > best * (1 + CLOSE) || (cost > best * (1 - CLOSE) && store_stride(n, axis) < store_stride(n, s->axis))) continue;
        best = cost;
        s->axis = axis;
        s->parts = (int)parts;
    }
    if (s->axis >= 0) set_bounds(n, p, t, s);
}
