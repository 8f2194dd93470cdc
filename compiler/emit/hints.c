/* hints.c -- what a kernel fetches into the caches before it reads it: what the result of a tile needs, and weights a block ahead. */
#include "code.h"

enum {
    FETCHED_STEPS = 32,            /* a sum so long hides the way from memory */
    FETCHED_LEAST = 16384,         /* elements of a tensor that may not lie in the first cache */
    SPREAD_LEAST = 16, CHUNK_LEAST = 4,    /* lines that would wait for each other, and steps of a sum that are worth a loop */
    NEXT_TILES = 64, FEW_TILES = 8,        /* of rows: of more, few wait for memory, even where each fetches all of the next block */
    NEXT_MOST = 81920, NEXT_LEAST = 65536  /* elements of a block, which the second cache has room for, and of what it may not hold */
};

/* ---- what the result reads ---- */

/* A load of floats that lie along the lanes, where lanes are results. */
static bool lies_along_lanes(const Body *b, const Value *v)
{
    return v->kind == EX_load && v->buffer->dtype == DTYPE_f32 && b->plan.lane >= 0 && !lane_reduces(b) && affine_coef(&v->at, b->plan.lane) == 1;
}

/* A hint for each line of the instances of a load. */
static void write_hints(Body *b, const char *hint, const Value *v)
{
    int at[AXES_MAX] = {0};
    do if (at[b->plan.lane] * b->target->lanes % LINE == 0) write_line(&b->w, "%s(%s);", hint, value_address(b, v, at));
    while (instance_next(b, v->axes, at));
}

/* What the result of a tile reads is fetched while its sums are made: rows that lie apart no processor foresees. */
static bool is_fetched(const Body *b, const Value *v)
{
    const Nest *n = b->nest;
    int64_t elements = 1, steps = 1;
    if (v->in_body || !v->in_result || v->level != n->n_out || !lies_along_lanes(b, v)) return false;
    for (int i = 0; i < n->n_axes; i++) {
        if (v->axes >> i & 1) elements *= n->axis[i].extent;
        if (i >= n->n_out) steps *= n->axis[i].extent;
    }
    return steps >= FETCHED_STEPS && elements >= FETCHED_LEAST;
}

int64_t hints_chunk(const Body *b)
{
    const Nest *n = b->nest;
    const int inner = b->plan.order[n->n_axes - 1], rows = plan_rows(b->nest, &b->plan);
    int64_t outer = 1, lines = 0;
    if (n->n_axes == n->n_out || rows < 0 || b->plan.pieces) return 0;
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        if (is_fetched(b, v) && v->axes >> rows & 1) lines += (b->frame[rows].count * plan_tile(&b->plan, b->target, b->plan.lane) + LINE - 1) / LINE;
    }
    for (int i = n->n_out; i < n->n_axes; i++)
        if (i != inner) outer *= n->axis[i].extent;
    const int64_t least = (b->frame[rows].count + outer - 1) / outer, extent = n->axis[inner].extent;
    for (int64_t chunk = extent / least; lines >= SPREAD_LEAST && chunk >= CHUNK_LEAST; chunk--)
        if (extent % chunk == 0 && chunk % b->plan.unroll[inner] == 0) return extent / chunk * outer <= 2 * b->frame[rows].count ? chunk : 0;
    return 0;
}

void hints_result(Body *b)
{
    const int rows = plan_rows(b->nest, &b->plan);
    const bool spread = hints_chunk(b) > 0;
    for (int i = 0; i < b->nest->value.n; i++) {
        const Value *v = &b->nest->value.at[i];
        if (is_fetched(b, v) && !(spread && v->axes >> rows & 1)) write_hints(b, "PREFETCH", v);
    }
}

/* The number of the chunk. */
static const char *chunk_number(const Body *b, const char *at, int64_t chunk)
{
    const Nest *n = b->nest;
    const int inner = b->plan.order[n->n_axes - 1];
    int64_t chunks = n->axis[inner].extent / chunk;
    const char *text = arena_printf(b->arena, "%s / %lld", at, (long long)chunk);
    for (int k = n->n_axes - 2; k >= n->n_out; k--) {
        const int axis = b->plan.order[k];
        if (b->frame[axis].variable) text = arena_printf(b->arena, "%s * %lld + %s", b->frame[axis].variable, (long long)chunks, text);
        chunks *= n->axis[axis].extent;
    }
    return strchr(text, '+') ? arena_printf(b->arena, "(%s)", text) : text;
}

void hints_row(Body *b, const char *chunk_at, int64_t chunk)
{
    const Nest *n = b->nest;
    const int rows = plan_rows(b->nest, &b->plan);
    const char *number = chunk_number(b, chunk_at, chunk);
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        int at[AXES_MAX] = {0};
        if (!is_fetched(b, v) || !(v->axes >> rows & 1)) continue;
        for (; at[b->plan.lane] < b->frame[b->plan.lane].count; at[b->plan.lane] += LINE / b->target->lanes)
            write_line(&b->w, "PREFETCH(%s + %s * %lld);", value_address(b, v, at), number, (long long)affine_coef(&v->at, rows));
    }
}

/* ---- the next block ---- */

/* What the loop that holds a vector load reads in one step, its block: tiles of rows read it again, and meanwhile memory has time. */
typedef struct Block {
    int64_t elements, next;            /* how far behind it the next one lies; 0: there is none, or what is read stays in a cache */
    int64_t tiles, inside[AXES_MAX];   /* how many read it; of those, in a step of a loop over rows */
} Block;

static int64_t axis_step(const Body *b, int axis)
{
    if (axis >= b->nest->n_out) return b->nest->axis[axis].extent;
    return plan_tile(&b->plan, b->target, axis);
}

static Block block_of(const Body *b, int value)
{
    const Nest *n = b->nest;
    const Value *v = &n->value.at[value];
    Block k = {.elements = 1, .tiles = 1};
    int64_t all = 1, sums = 1;
    if (!v->in_body || v->level != n->n_axes || value == b->plan.panel || !lies_along_lanes(b, v) || affine_coef(&v->at, PICKED)) return k;
    for (int i = n->n_axes - 1; i >= 0; i--) {
        const int axis = b->plan.order[i];
        const bool reads = v->axes >> axis & 1;
        const int64_t extent = n->axis[axis].extent, step = axis_step(b, axis), steps = (extent + step - 1) / step;
        if (reads) all *= extent;
        if (axis >= n->n_out) sums *= extent;
        if (k.next) continue;
        if (reads) {
            k.elements *= step;
            if (steps > 1) k.next = step * affine_coef(&v->at, axis);
        } else {
            k.inside[axis] = k.tiles;
            k.tiles *= steps;
        }
    }
    if (sums < FETCHED_STEPS || k.tiles == 1 || k.tiles > NEXT_TILES || k.elements > NEXT_MOST || all <= NEXT_LEAST) k.next = 0;
    return k;
}

/* The address of a load in a stretch of memory that is read `by`/`of` as fast; false where steps would not be whole. */
static bool slow_down(const Body *b, Affine *at, int64_t by, int64_t of)
{
    bool whole = true;
    for (int i = 0; i < at->n; i++) {
        if (at->axis[i] < b->nest->n_out) continue;
        whole &= at->coef[i] * by % of == 0;
        at->coef[i] = at->coef[i] * by / of;
    }
    return whole;
}

/* What a tile fetches: `lines` from `at` in every `every`th step of the innermost sum. */
typedef struct Share { Affine at; int64_t lines, every; } Share;

/* Where a block is one stretch of memory, each tile fetches its part of the next, evenly over its steps: all at once would come no
   sooner, and what the tile itself reads waited behind it. */
static bool share_of(const Body *b, const Value *v, const Block *k, Share *s)
{
    const Nest *n = b->nest;
    const int64_t step = axis_step(b, b->plan.lane), line = LINE * k->tiles;   /* a step's elements; of steps, for a line in each tile */
    int64_t span = step;
    for (int i = n->n_out; i < n->n_axes; i++) span += (n->axis[i].extent - 1) * affine_coef(&v->at, i);
    if (span != k->elements) return false;
    s->lines = (step + line - 1) / line;
    for (s->every = line > step ? line / step : 1;; s->every--) {
        s->at = v->at;
        if (b->plan.unroll[b->plan.order[n->n_axes - 1]] % s->every == 0 && slow_down(b, &s->at, LINE * s->lines, step * s->every)) break;
        if (s->every == 1) return false;
    }
    const int64_t tile = k->elements / step * LINE * s->lines / s->every;
    s->at.offset += k->next;
    for (int i = 0; i < n->n_out; i++) {
        const Affine axis = affine_axis(i);
        if (k->inside[i]) affine_add_scaled(&s->at, &axis, tile * k->inside[i] / axis_step(b, i));
    }
    return true;
}

void hints_next_blocks(Body *b)
{
    const Nest *n = b->nest;
    for (int i = 0; i < n->value.n; i++) {
        Value next = n->value.at[i];
        Share s;
        const Block k = block_of(b, i);
        if (!k.next) continue;
        if (share_of(b, &next, &k, &s)) {
            next.at = s.at;
            if (b->frame[b->plan.order[n->n_axes - 1]].offset % s.every) continue;
            for (int line = 0; line < s.lines; line++, next.at.offset += LINE)
                write_line(&b->w, "PREFETCH_L2(%s);", value_address(b, &next, (int[AXES_MAX]){0}));
        } else if (k.tiles <= FEW_TILES) {
            next.at.offset += k.next;
            write_hints(b, "PREFETCH_L2", &next);
        }
    }
}
