/* cost.c -- what a nest costs under a plan: instructions, and cycles of a tile by where the caches leave what it loads. */
#include "cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MASKED = 16,                                /* vectors that are stored in parts at no cost */
    L1_BYTES = 32 << 10, L2_BYTES = 512 << 10, L2_SLOWER = 4,       /* a load from the second cache, next to one from the first */
    L1_WAYS = 8, L1_WAY_BYTES = 4096,                               /* lines so far apart fall together; so many of them fit */
    L2_WAYS = 8, L2_WAY_BYTES = 64 << 10, L3_SLOWER = 12,
    PAGES = 64, PAGE_BYTES = 4096,                                  /* the first table of addresses */
    PANEL_BYTES = L2_BYTES / 2, PACK_CYCLES = 3,                    /* a vector of a panel: load, store, waiting for memory */
    FAR_BYTES = 2 << 20, FAR_SLOWER = 5,                            /* more than the second cache holds, next to what it does */
    TURN_LEAST = 3,                /* steps of a sum */
    PANEL_READERS = 4,             /* rows for which it pays to turn blocks on their way */
    BLOCK_VALUES = 6               /* a block holds a vector of each for every lane */
};

bool nest_reduces(const Nest *n) { return n->n_out < n->n_axes; }

static bool is_leaf(const Value *v)
{
    return v->kind == EX_constant || v->kind == EX_load || v->kind == EX_index || v->kind == EX_reduced;
}

static bool apart(const Value *v, int lane, int axis)
{
    return v->kind == EX_load && v->buffer->dtype == DTYPE_f32 && affine_coef(&v->at, lane) > 2 && affine_coef(&v->at, axis) == 1;
}

int choose_across(const Nest *n, int lane, int lanes)
{
    int computed = 0;
    if (nest_reduces(n) || n->pick >= 0 || n->more.n || lane < 0 || lanes < 4) return -1;
    for (int i = 0; i < n->value.n; i++) computed += n->value.at[i].in_body && !is_leaf(&n->value.at[i]);
    if (computed > BLOCK_VALUES) return -1;
    for (int axis = 0; axis < n->n_out; axis++)
        for (int i = 0; i < n->value.n && axis != lane && n->axis[axis].extent >= lanes; i++)
            if (apart(&n->value.at[i], lane, axis)) return axis;
    return -1;
}

int panel_turns(const Nest *n, const Value *v, int lane)
{
    if (v->kind != EX_load || v->buffer->dtype != DTYPE_f32 || lane < 0 || lane >= n->n_out || affine_coef(&v->at, lane) <= 2) return -1;
    for (int axis = n->n_out; axis < n->n_axes; axis++)
        if (affine_coef(&v->at, axis) == 1 && n->axis[axis].extent >= TURN_LEAST) return axis;
    return -1;
}

bool plan_transposes(const Plan *p, const Value *v) { return p->across >= 0 && apart(v, p->lane, p->across); }

/* Instructions for one instance of a value, next to a multiplication's 1. */
static double value_cost(const Value *v, int lane, int lanes, int across)
{
    if (v->kind == EX_load) {
        int64_t step = lane >= 0 ? affine_coef(&v->at, lane) : 0;
        if (across >= 0 && apart(v, lane, across)) return 1 + log2(lanes);
        return step == 0 || step == 1 ? 1 : step == 2 && v->buffer->dtype == DTYPE_f32 ? 3 : 1.5 * lanes;
    }
    if (is_leaf(v)) return 0;
    switch (v->kind) {
    case EX_exp: case EX_expm1: case EX_log: case EX_log1p: case EX_tanh: case EX_sigmoid: case EX_erf: return 15;
    case EX_sin: case EX_cos: case EX_pow: return 20.0 * lanes;
    case EX_div: case EX_sqrt: return 4;
    case EX_random: return 12;
    default: return 1;
    }
}

bool value_is_slow(const Value *v) { return !is_leaf(v) && value_cost(v, -1, 1, -1) > 1; }

/* ---- by the axis that feeds the lanes ---- */

int64_t panel_rows(const Nest *n, const Value *v)
{
    int64_t rows = 1;
    for (int i = n->n_out; i < n->n_axes; i++)
        if (v->axes >> i & 1) rows *= n->axis[i].extent;
    return rows;
}

/* Of weights, a vector that a panel will hold, with what it costs to get there: the partial one element by element. 0 where none can. */
static double turned_cost(const Nest *n, const Value *v, int lane, int lanes)
{
    const Plan p = {.lane = lane};
    double readers = 1;
    if (panel_turns(n, v, lane) < 0 || affine_coef(&n->store, lane) != 1 || along_rows(n, &p) || 4 * lanes * panel_rows(n, v) > PANEL_BYTES) return 0;
    for (int i = 0; i < n->n_out; i++) {
        if (i != lane && v->axes >> i & 1) return 0;
        if (i != lane && !n->axis[i].outer) readers *= (double)n->axis[i].extent;
    }
    const double whole = (double)(n->axis[lane].extent / lanes), part = n->axis[lane].extent % lanes ? 1 : 0;
    const double pack = PACK_CYCLES + (whole * log2(lanes) + part * 1.5 * lanes) / (whole + part);
    return readers < PANEL_READERS ? 0 : 1 + pack / readers;
}

static double expression_cost(const Nest *n, bool result, int lane, int lanes)
{
    const int across = choose_across(n, lane, lanes);
    double cost = 1;
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        if (!(result ? v->in_result : v->in_body)) continue;
        const double turned = result ? 0 : turned_cost(n, v, lane, lanes);
        cost += turned > 0 ? turned : value_cost(v, lane, lanes, across);
    }
    return cost;
}

static double points(const Nest *n, bool reduce)
{
    double p = 1;
    for (int i = 0; i < n->n_axes; i++)
        if (n->axis[i].reduce == reduce) p *= (double)n->axis[i].extent;
    return p;
}

/* Of one element that a point stores. */
static double store_cost(const Nest *n, const Affine *at, int lane, int lanes)
{
    if (lane < 0 || lane >= n->n_out) return 1;
    const int64_t step = affine_coef(at, lane);
    return step == 1 ? 1 : step == 2 && lanes == MASKED ? 4 : 1.5 * lanes;
}

double lane_cost(const Nest *n, int lane, int lanes)
{
    double out = points(n, false), reduce = nest_reduces(n) ? points(n, true) : 1;
    double store = store_cost(n, &n->store, lane, lanes);
    for (int i = 0; i < n->more.n; i++) store += store_cost(n, &n->more.at[i].at, lane, lanes);
    if (lane >= 0) {
        double filled = ceil((double)n->axis[lane].extent / lanes) / (double)n->axis[lane].extent;
        if (lane < n->n_out) out *= filled;
        else {
            reduce *= filled;
            store += 2 * log2(lanes) + 2;
        }
    }
    double inner = out * reduce * expression_cost(n, false, lane, lanes);
    return inner + out * (store + (n->result >= 0 ? expression_cost(n, true, lane, lanes) : 0));
}

/* ---- by the register tile ---- */

int64_t axis_steps(const Nest *n, const Plan *p, const Target *t, int axis)
{
    return axis == p->lane ? (n->axis[axis].extent + t->lanes - 1) / t->lanes : n->axis[axis].extent;
}

int tile_instances(const Nest *n, unsigned axes, const Counts *c)
{
    int k = 1;
    for (int i = 0; i < n->n_axes; i++)
        if (axes >> i & 1) k *= c->count[i];
    return k;
}

unsigned plan_sum_axes(const Nest *n, const Plan *p)
{
    unsigned axes = (1u << n->n_out) - 1;
    return p->lane >= n->n_out ? axes | 1u << p->lane : axes;
}

/* How many rows of the reduction lie in the pages whose addresses are at hand. */
static int64_t rows_found(const Nest *n, const Value *v)
{
    int64_t step = INT64_MAX;
    for (int i = n->n_out; i < n->n_axes; i++) {
        const int64_t one = 4 * llabs(affine_coef(&v->at, i));
        if (one) step = one < step ? one : step;
    }
    return step < PAGE_BYTES ? PAGES * (PAGE_BYTES / step) : PAGES;
}

/* How many rows of the reduction a cache keeps, where they lie so that few of its lines serve them. */
static int64_t rows_kept(const Nest *n, const Value *v, int64_t way_bytes, int64_t ways)
{
    int64_t step = way_bytes;      /* ends as the largest power of two that all strides share */
    for (int i = n->n_out; i < n->n_axes; i++)
        while (4 * affine_coef(&v->at, i) % step) step /= 2;
    return way_bytes / step * ways;
}

/* The steps of the sum read one line after the other. */
static bool follows(const Nest *n, const Value *v)
{
    for (int i = n->n_out; i < n->n_axes; i++)
        if (affine_coef(&v->at, i) && llabs(affine_coef(&v->at, i)) <= LINE) return true;
    return false;
}

/* Cycles of a load from where the tiles before left its elements, next to one from the first cache. Several tiles read the same
   elements along the reduction; these may be too many to stay there, or lie so that they push each other out. */
static double slower(const Nest *n, const Plan *p, const Target *t, const Value *v, const Counts *c)
{
    const bool in_line = (p->panel >= 0 && v == &n->value.at[p->panel]) || follows(n, v);
    const int64_t rows = panel_rows(n, v);
    const double bytes = 4.0 * t->lanes * tile_instances(n, v->axes, c) * (double)rows;
    bool again = false;
    for (int i = 0; i < n->n_out; i++)
        if (!(v->axes >> i & 1) && n->axis[i].extent > c->count[i]) again = true;
    if (!again) return 1;
    if (in_line) return bytes <= L1_BYTES ? 1 : fmax(1, L2_SLOWER * t->lanes / 16.0);
    if (rows > rows_kept(n, v, L2_WAY_BYTES, L2_WAYS)) return L3_SLOWER;
    return bytes > L1_BYTES || rows > rows_kept(n, v, L1_WAY_BYTES, L1_WAYS) || rows > rows_found(n, v) ? L2_SLOWER : 1;
}

/* Rows of the tile push each other out of the first cache before their next elements are read. */
static bool collides(const Nest *n, const Value *v, const Counts *c)
{
    for (int i = 0; i < n->n_out; i++)
        if (c->count[i] >= L1_WAYS && affine_coef(&v->at, i) && 4 * affine_coef(&v->at, i) % L1_WAY_BYTES == 0) return true;
    return false;
}

/* Cycles of one reduction step of a full tile: two loads, two operations a cycle, four of latency. */
static double step_cost(const Nest *n, const Plan *p, const Target *t, const Counts *c)
{
    double loads = 0, operations = tile_instances(n, plan_sum_axes(n, p), c);
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        if (!v->in_body || !(v->axes >> n->n_out)) continue;                /* computed outside the reduction */
        if (v->kind == EX_mul && i == n->body) continue;                    /* part of the accumulation */
        double cost = tile_instances(n, v->axes, c) * (i == p->panel ? 1 : value_cost(v, p->lane, t->lanes, -1));
        if (v->kind == EX_load && p->lane >= 0 && v->axes >> p->lane & 1) cost *= collides(n, v, c) ? L2_SLOWER : slower(n, p, t, v, c);
        if (v->kind == EX_load) loads += cost;
        else operations += cost;
    }
    return fmax(fmax(operations / 2, loads / 2), fmax(4, (operations + loads) / 4)) + 0.5;
}

bool lane_loads_need(const Nest *n, const Plan *p, int axis)
{
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        if (v->in_body && v->kind == EX_load && p->lane >= 0 && v->axes >> p->lane & 1 && v->axes >> axis & 1) return true;
    }
    return false;
}

/* Bytes that a load reads in the whole kernel. */
static double load_bytes(const Nest *n, const Value *v)
{
    double bytes = 4;
    for (int i = 0; i < n->n_axes; i++)
        if (v->axes >> i & 1) bytes *= (double)n->axis[i].extent;
    return bytes;
}

bool along_rows(const Nest *n, const Plan *p)
{
    bool shared = p->lane >= n->n_out;
    double most = 0;
    if (p->lane < 0) return n->more.n > 0;
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        if (v->kind != EX_load || !v->in_body) continue;
        const unsigned rows = v->axes & ((1u << n->n_out) - 1) & ~(1u << p->lane);
        const bool in_lanes = v->axes >> p->lane & 1;
        shared |= rows && !in_lanes;
        if (in_lanes && (n->more.n || !rows)) most = fmax(most, load_bytes(n, v));
    }
    return (n->more.n || !shared) && most <= L2_BYTES;
}

/* What a load costs that a loop outside of so many steps repeats, but for the first time, a byte from the second cache as the unit. */
static double again_cost(const Nest *n, const Value *v, int64_t extent, int64_t step)
{
    const double bytes = load_bytes(n, v);
    return (double)((extent + step - 1) / step - 1) * bytes * (bytes > FAR_BYTES ? FAR_SLOWER : 1);
}

int plan_rows(const Nest *n, const Plan *p)
{
    int axis = -1;
    for (int i = 0; i < n->n_out; i++)
        if (i != p->lane && p->count[i] > 1) axis = axis < 0 ? i : n->n_out;
    return axis < n->n_out ? axis : -1;
}

bool rows_outside(const Nest *n, const Plan *p, const Target *t)
{
    double lanes = 0, rows = 0;    /* read again in loops over the lanes, and over rows, where those stand outside */
    const int axis = plan_rows(n, p);
    if (p->lane < 0 || p->lane >= n->n_out || p->panel >= 0 || along_rows(n, p) || axis < 0) return false;
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        if (v->kind != EX_load || !v->in_body) continue;
        const bool in_lanes = v->axes >> p->lane & 1, in_rows = v->axes >> axis & 1;
        if (in_rows && !in_lanes) lanes += again_cost(n, v, n->axis[p->lane].extent, plan_tile(p, t, p->lane));
        if (in_lanes && !in_rows) rows += again_cost(n, v, n->axis[axis].extent, p->count[axis]);
    }
    return rows < lanes;
}

int registers_needed(const Nest *n, const Plan *p, const Target *t, const Counts *c)
{
    int accumulators = tile_instances(n, plan_sum_axes(n, p), c), few = 1000, loads = 0;
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        if (v->kind != EX_load || !v->in_body) continue;
        int k = tile_instances(n, v->axes, c);
        few = k < few ? k : few;
        loads++;
    }
    bool fma = t->lanes > 1 && strcmp(t->name, "sse") != 0;
    return accumulators + (loads ? few + 1 : 1) + (fma ? 0 : 2);
}

/* Cycles of the whole kernel: the full tiles and the rest along each tiled axis. */
static double tile_cost(const Nest *n, const Plan *p, const Target *t, const Counts *c, Counts *piece, int axis)
{
    if (axis == n->n_axes) {
        double tile = 2.0 * tile_instances(n, plan_sum_axes(n, p), piece) + 12, steps = points(n, true);
        if (p->lane >= n->n_out) steps /= (double)n->axis[p->lane].extent;
        return step_cost(n, p, t, piece) * steps + tile / 1;
    }
    if (c->count[axis] == 1 && axis != p->lane) return tile_cost(n, p, t, c, piece, axis + 1);
    int64_t steps = axis_steps(n, p, t, axis);
    double cost = 0;
    int64_t full = steps / c->count[axis], rest = steps % c->count[axis];
    piece->count[axis] = c->count[axis];
    if (full) cost += (double)full * tile_cost(n, p, t, c, piece, axis + 1);
    piece->count[axis] = (int)rest;
    if (rest) cost += tile_cost(n, p, t, c, piece, axis + 1);
    piece->count[axis] = c->count[axis];
    return cost;
}

bool nest_reuses(const Nest *n, int axis)
{
    if (n->axis[axis].outer || n->axis[axis].kept) return false;
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        if (v->in_body && v->kind == EX_load && !(v->axes >> axis & 1)) return true;
    }
    return false;
}

bool fits_panel(const Nest *n, const Plan *p, const Target *t, const Value *v, const Counts *c)
{
    if (v->kind != EX_load || !v->in_body || v->buffer->dtype != DTYPE_f32 || affine_coef(&v->at, PICKED) || along_rows(n, p)) return false;
    if (p->lane < 0 || p->lane >= n->n_out || !(v->axes >> n->n_out)) return false;
    if (affine_coef(&v->at, p->lane) != 1 && panel_turns(n, v, p->lane) < 0) return false;
    for (int i = 0; i < n->n_out; i++)
        if (i != p->lane && v->axes >> i & 1 && c->count[i] > 1) return false;
    return 4 * t->lanes * c->count[p->lane] * panel_rows(n, v) <= PANEL_BYTES;
}

double pack_cost(const Nest *n, const Plan *p, const Target *t, const Value *v, const Counts *c)
{
    double vectors = (double)(axis_steps(n, p, t, p->lane) * panel_rows(n, v));
    for (int i = 0; i < n->n_out; i++)
        if (i != p->lane && (n->axis[i].outer || (c->count[i] == 1 && lane_loads_need(n, p, i)))) vectors *= (double)n->axis[i].extent;
    return (PACK_CYCLES + (panel_turns(n, v, p->lane) >= 0 ? log2(t->lanes) : 0)) * vectors;
}

double plan_cost(const Nest *n, const Target *t, const Plan *p, const Counts *c)
{
    Counts piece = *c;
    double untiled = 1;                     /* iterations of the axes that tile_cost does not walk */
    for (int i = 0; i < n->n_out; i++)
        if (c->count[i] == 1 && i != p->lane) untiled *= (double)n->axis[i].extent;
    return untiled * tile_cost(n, p, t, c, &piece, 0);
}
