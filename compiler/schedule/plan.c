/* plan.c -- the choices for one nest, by what they cost: lanes, register tile, order of loops, unrolling, pieces of the result. */
#include "cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TILE_MAX = 14, VECTORS_MAX = 8, STATEMENTS_MAX = 64, WINDOW_MAX = 8,
    PIECES_UNROLL = 2              /* steps of a sum written out between pieces: eight were slower */
};

int64_t plan_tile(const Plan *p, const Target *t, int axis) { return axis == p->lane ? (int64_t)p->count[axis] * t->lanes : p->count[axis]; }

/* Sums of a whole tile. */
static int sums_of(const Nest *n, const Plan *p)
{
    Counts c;
    memcpy(c.count, p->count, sizeof c.count);
    return tile_instances(n, plan_sum_axes(n, p), &c);
}

static int choose_lane(const Nest *n, const Target *t)
{
    int best = -1;
    if (t->lanes == 1) return -1;
    double least = lane_cost(n, -1, 1);
    for (int i = n->n_axes - 1; i >= 0; i--) {
        if (i < n->n_out && affine_coef(&n->store, i) == 0) continue;   /* lanes would store to one address */
        if (n->pick >= 0 && n->value.at[n->pick].axes >> i & 1) continue;   /* each lane would pick another row */
        double cost = lane_cost(n, i, t->lanes);
        if (cost < least) {
            least = cost;
            best = i;
        }
    }
    return best;
}

/* ---- register tile ---- */

/* The best so far of the tiles that cost more than `above`. */
typedef struct Least { double cycles, above; } Least;

static void try_tile(const Nest *n, const Target *t, Plan *p, Counts *c, Least *least)
{
    if (registers_needed(n, p, t, c) >= t->registers || tile_instances(n, ~0u, c) > 24) return;
    Plan with = *p;
    for (with.panel = -1; with.panel < n->value.n; with.panel++) {
        const Value *v = with.panel < 0 ? NULL : &n->value.at[with.panel];
        if (v && !fits_panel(n, &with, t, v, c)) continue;
        with.packing = v ? pack_cost(n, &with, t, v, c) : 0;
        with.cycles = plan_cost(n, t, &with, c) + with.packing;
        if (with.cycles >= least->cycles * 0.999 || with.cycles <= least->above * 1.001) continue;
        least->cycles = with.cycles;
        *p = with;
        memcpy(p->count, c->count, sizeof p->count);
    }
}

static int limit(int64_t steps, int most) { return steps < most ? (int)steps : most; }

/* Sums kept side by side with nothing that rows share: what the result computes is hidden behind the loads of the next tile,
   the sooner the smaller tiles are; but each takes whole cache lines. */
static bool streams_gates(const Nest *n, const Plan *p)
{
    bool kept = false;
    for (int i = 0; i < n->n_out; i++) {
        kept |= n->axis[i].kept;
        if (i != p->lane && nest_reuses(n, i)) return false;
    }
    return kept;
}

/* Tries every tile of vectors x rows along one or two axes. False, and p as it was, when none costs more than `above`. */
static bool choose_tile(const Nest *n, const Target *t, double above, Plan *p)
{
    Counts c;
    Least least = {INFINITY, above};
    for (int i = 0; i < AXES_MAX; i++) c.count[i] = i < n->n_out && n->axis[i].kept ? (int)n->axis[i].extent : 1;
    const int most_vectors = streams_gates(n, p) ? LINE / t->lanes : VECTORS_MAX;
    const int vectors = p->lane < 0 ? 1 : limit(axis_steps(n, p, t, p->lane), most_vectors);
    for (int nv = 1; nv <= vectors; nv++)
        for (int x = 0; x < n->n_out; x++) {
            if (p->lane >= 0) c.count[p->lane] = nv;
            if (x == p->lane || !nest_reuses(n, x)) {
                try_tile(n, t, p, &c, &least);
                continue;
            }
            for (int i = 1; i <= limit(n->axis[x].extent, TILE_MAX); i++)
                for (int y = 0; y <= x; y++) {
                    int most = y == p->lane || y == x || !nest_reuses(n, y) ? 1 : limit(n->axis[y].extent, TILE_MAX);
                    for (int j = 1; j <= most; j++) {
                        c.count[x] = i;
                        if (y != x && y != p->lane) c.count[y] = j;
                        try_tile(n, t, p, &c, &least);
                        if (y != x && y != p->lane) c.count[y] = 1;
                    }
                    c.count[x] = 1;
                }
        }
    if (n->n_out == 0)
        for (int nv = 1; nv <= limit(vectors, 4); nv++) {
            if (p->lane >= 0) c.count[p->lane] = nv;
            try_tile(n, t, p, &c, &least);
        }
    return least.cycles < INFINITY;
}

/* ---- order and unrolling ---- */

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

static int64_t load_stride(const Nest *n, int axis)
{
    int64_t most = 0;
    for (int i = 0; i < n->value.n; i++)
        if (n->value.at[i].kind == EX_load) {
            int64_t s = magnitude(affine_coef(&n->value.at[i].at, axis));
            most = s > most ? s : most;
        }
    return most;
}

/* Sort key: smaller is further outside. Where a vector operand (weights) is reused, its lanes' loop stands outside
   the rows that reuse it, so that it stays in the cache. */
static int loop_rank(const Nest *n, const Plan *p, int axis)
{
    if (axis >= n->n_out) return axis == p->lane ? 5 : 4;
    if (n->axis[axis].outer) return -1;
    if (!nest_reduces(n)) return axis == p->lane ? 3 : 2;
    if (along_rows(n, p)) return axis == p->lane ? 3 : 2;
    if (axis == p->lane) return p->rows_outside ? 3 : 1;
    if (p->count[axis] > 1) return p->rows_outside ? 1 : 3;
    return lane_loads_need(n, p, axis) ? 0 : 2;
}

static void choose_order(const Nest *n, Plan *p)
{
    for (int i = 0; i < n->n_axes; i++) {
        int at = i, rank = loop_rank(n, p, i);
        int64_t stride = i < n->n_out ? magnitude(affine_coef(&n->store, i)) : load_stride(n, i);
        for (; at > 0; at--) {
            int before = p->order[at - 1], other = loop_rank(n, p, before);
            int64_t s = before < n->n_out ? magnitude(affine_coef(&n->store, before)) : load_stride(n, before);
            if (other < rank || (other == rank && s >= stride)) break;
            p->order[at] = before;
        }
        p->order[at] = i;
    }
}

/* Innermost reduce axes: whole windows where they are small, else a few steps at a time. */
static void choose_unroll(const Nest *n, Plan *p)
{
    int statements = sums_of(n, p), written = 1;
    for (int i = n->n_axes - 1; i >= n->n_out; i--) {
        int axis = p->order[i];
        int64_t extent = n->axis[axis].extent;
        if (axis == p->lane) continue;
        if (extent <= WINDOW_MAX && written * extent * statements <= STATEMENTS_MAX) {
            p->unroll[axis] = (int)extent;
            written *= (int)extent;
            continue;
        }
        for (int u = 8; u > 1 && written == 1; u /= 2)
            if (extent >= 2 * u && (u * statements <= STATEMENTS_MAX / 2 || u == 2)) {
                p->unroll[axis] = u;
                break;
            }
        return;
    }
}

/* ---- pieces of the result ---- */

/* The out axis of several tiles, all of them full, where there is one alone; else -1. */
static int find_pace(const Nest *n, const Target *t, const Plan *p)
{
    int pace = -1;
    for (int i = 0; i < n->n_out; i++) {
        const int64_t tile = plan_tile(p, t, i);
        if (n->axis[i].extent % tile) return -1;
        if (n->axis[i].extent == tile) continue;
        if (pace >= 0) return -1;
        pace = i;
    }
    return pace;
}

/* The functions of gates follow one upon the other: where they stand among the loads of the next tile, both go on. */
static void choose_pieces(const Nest *n, const Target *t, Plan *p)
{
    int slow = 0;
    if (n->n_axes != n->n_out + 1 || n->result < 0 || n->pick >= 0 || p->lane < 0 || p->lane >= n->n_out || p->panel >= 0 || !streams_gates(n, p)) return;
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        if (v->in_result && v->in_body && v->kind != EX_constant) return;
        slow += v->in_result && value_is_slow(v);
    }
    const int sum = n->n_out;
    p->pace = find_pace(n, t, p);
    if (2 * sums_of(n, p) > t->registers || p->pace < 0 || n->axis[sum].extent % PIECES_UNROLL || n->axis[sum].extent / PIECES_UNROLL <= slow) return;
    p->pieces = slow;
    p->unroll[sum] = PIECES_UNROLL;
}

/* ---- all ---- */

void plan_levels(Nest *n, const Plan *p)
{
    for (int i = 0; i < n->value.n; i++) {
        Value *v = &n->value.at[i];
        v->level = 0;
        for (int k = 0; k < n->n_axes; k++)
            if (v->axes >> p->order[k] & 1) v->level = k + 1;
        /* What only the result needs waits: registers belong to the sums until then. */
        if (v->kind == EX_reduced || (nest_reduces(n) && !v->in_body)) v->level = n->n_out;
    }
}

void plan_choose(const Nest *n, const Target *t, int rank, Plan *p)
{
    memset(p, 0, sizeof *p);
    for (int i = 0; i < AXES_MAX; i++) p->count[i] = p->unroll[i] = 1;
    p->panel = -1;
    p->lane = choose_lane(n, t);
    p->across = choose_across(n, p->lane, t->lanes);
    if (p->across >= 0) p->count[p->across] = t->lanes;
    p->cycles = lane_cost(n, p->lane, t->lanes) / 2;
    if (nest_reduces(n)) choose_tile(n, t, 0, p);
    for (; nest_reduces(n) && rank > 0; rank--)
        if (!choose_tile(n, t, p->cycles, p)) break;
    p->rows_outside = nest_reduces(n) && rows_outside(n, p, t);
    choose_order(n, p);
    choose_unroll(n, p);
    choose_pieces(n, t, p);
}
