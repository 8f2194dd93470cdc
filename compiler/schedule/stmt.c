/* stmt.c -- the plan written out as statements: full tiles, the rest of each axis, unrolled steps. */
#include "schedule.h"

typedef struct Build { Arena *arena; const Nest *nest; const Plan *plan; const Target *target; } Build;

static Stmt *stmt_new(const Build *b, StmtKind kind, Stmt *parent)
{
    Stmt *s = NEW(b->arena, Stmt);
    s->kind = kind;
    s->axis = -1;
    vec_push(b->arena, &parent->body, s);
    return s;
}

static void build_level(const Build *b, Stmt *parent, int depth);

static void let(const Build *b, Stmt *parent, int level) { stmt_new(b, STMT_let, parent)->level = level; }

static Stmt *loop(const Build *b, Stmt *parent, int axis, int64_t from, int64_t to, int64_t step, int count)
{
    Stmt *s = stmt_new(b, STMT_loop, parent);
    s->axis = axis;
    s->from = from;
    s->to = to;
    s->step = step;
    s->count = count;
    s->only = from == 0 && to == b->nest->axis[axis].extent;
    return s;
}

static void inside(const Build *b, Stmt *s, int depth)
{
    if (b->plan->panel >= 0 && s->kind == STMT_loop && s->axis == b->plan->lane) stmt_new(b, STMT_pack, s);
    let(b, s, depth + 1);
    build_level(b, s, depth + 1);
}

/* The lane axis: steps of `count` vectors, then one step with what is left, its last vector perhaps partial. */
static void build_lanes(const Build *b, Stmt *parent, int axis, int depth)
{
    int64_t extent = b->nest->axis[axis].extent, lanes = b->target->lanes;
    int64_t step = plan_tile(b->plan, b->target, axis), full = extent / step * step, rest = extent - full;
    if (full) inside(b, loop(b, parent, axis, 0, full, step, b->plan->count[axis]), depth);
    if (!rest) return;
    Stmt *s = loop(b, parent, axis, full, extent, rest, (int)((rest + lanes - 1) / lanes));
    s->tail = (int)(rest % lanes);
    inside(b, s, depth);
}

static void build_rows(const Build *b, Stmt *parent, int axis, int depth)
{
    int64_t extent = b->nest->axis[axis].extent, step = b->plan->count[axis], full = extent / step * step;
    if (full) inside(b, loop(b, parent, axis, 0, full, step, (int)step), depth);
    if (full < extent) inside(b, loop(b, parent, axis, full, extent, extent - full, (int)(extent - full)), depth);
}

/* `steps` points of a reduce axis, one after the other. */
static void build_steps(const Build *b, Stmt *s, int axis, int64_t steps, int depth)
{
    if (steps == 1) {
        inside(b, s, depth);
        return;
    }
    for (int64_t i = 0; i < steps; i++) {
        Stmt *at = stmt_new(b, STMT_at, s);
        at->axis = axis;
        at->from = i;
        inside(b, at, depth);
    }
}

static void build_reduce(const Build *b, Stmt *parent, int axis, int depth)
{
    int64_t extent = b->nest->axis[axis].extent, step = b->plan->unroll[axis], full = extent / step * step;
    if (full) build_steps(b, loop(b, parent, axis, 0, full, step, 1), axis, step, depth);
    if (full < extent) build_steps(b, loop(b, parent, axis, full, extent, extent - full, 1), axis, extent - full, depth);
}

/* The sum of a tile, and between its parts the pieces of the result before. */
static void build_pieces(const Build *b, Stmt *parent, int axis, int depth)
{
    const int parts = b->plan->pieces + 1, unroll = b->plan->unroll[axis];
    const int64_t steps = b->nest->axis[axis].extent / unroll;
    for (int i = 0; i < parts; i++) {
        const int part = b->plan->turn == 1 ? parts - 1 - i : i;
        build_steps(b, loop(b, parent, axis, steps * part / parts * unroll, steps * (part + 1) / parts * unroll, unroll, 1), axis, unroll, depth);
        if (i + 1 < parts) stmt_new(b, STMT_piece, parent)->from = i;
    }
}

/* What stands inside `depth` open loops. */
static void build_level(const Build *b, Stmt *parent, int depth)
{
    const Nest *n = b->nest;
    bool reduces = n->n_out < n->n_axes;
    if (reduces && depth == n->n_out) stmt_new(b, STMT_clear, parent);
    if (depth == n->n_axes) {
        stmt_new(b, reduces ? STMT_update : STMT_finish, parent);
        return;
    }
    int axis = b->plan->order[depth];
    if (axis == b->plan->lane) build_lanes(b, parent, axis, depth);
    else if (axis < n->n_out) build_rows(b, parent, axis, depth);
    else if (b->plan->pieces) build_pieces(b, parent, axis, depth);
    else build_reduce(b, parent, axis, depth);
    if (reduces && depth == n->n_out) stmt_new(b, STMT_finish, parent);
}

Stmt *stmt_build(Arena *a, const Nest *n, const Plan *p, const Target *t)
{
    Build b = {a, n, p, t};
    Stmt *root = NEW(a, Stmt);
    root->kind = STMT_at;
    root->axis = -1;
    let(&b, root, 0);
    build_level(&b, root, 0);
    return root;
}
