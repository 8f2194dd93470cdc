/* body.c -- the statements of one kernel: loops, tiles of sums, what is stored of them. */
#include "code.h"

#include <string.h>

enum {
    FENCED_STATEMENTS = 8,         /* a tile so large needs all registers */
    FILL_LEAST = 2048              /* elements worth the start of a string instruction */
};

static const char *real_type(const Body *b) { return b->unit->f64 ? "double" : "float"; }
static const char *type_of(const Body *b, bool vector) { return vector ? "vf" : real_type(b); }
static const char *value_type(const Body *b, int value) { return value == b->nest->pick ? "int" : type_of(b, b->vector[value]); }
unsigned out_axes(const Body *b) { return (1u << b->nest->n_out) - 1; }
static unsigned stored_axes(const Body *b) { return nest_stored(b->nest); }
bool lane_reduces(const Body *b) { return b->plan.lane >= b->nest->n_out; }

static unsigned accumulator_axes(const Body *b)
{
    return lane_reduces(b) ? out_axes(b) | 1u << b->plan.lane : out_axes(b);
}

/* Along the lanes of a reduction the last piece may be narrower than the accumulators are. */
static const char *accumulator_name(Body *b, const int *at)
{
    if (!lane_reduces(b)) return instance_name(b, b->acc, accumulator_axes(b), at);
    int *count = &b->frame[b->plan.lane].count, here = *count;
    *count = b->plan.count[b->plan.lane];
    const char *name = instance_name(b, b->acc, accumulator_axes(b), at);
    *count = here;
    return name;
}

/* ---- statements ---- */

/* A whole block of a load whose neighbours lie across the lanes. */
static bool is_block(const Body *b, const Value *v)
{
    return plan_transposes(&b->plan, v) && b->frame[b->plan.across].count == b->target->lanes && !b->frame[b->plan.lane].tail;
}

static void write_block(Body *b, const Value *v, const char *name)
{
    int at[AXES_MAX] = {0};
    write_line(&b->w, "vf %s[VW];", name);
    write_line(&b->w, "vload_block(%s, %s, %lld);", name, value_address(b, v, at), (long long)affine_coef(&v->at, b->plan.lane));
    do write_line(&b->w, "const vf %s = %s[%d];", instance_name(b, name, v->axes, at), name, at[b->plan.across]);
    while (instance_next(b, v->axes, at));
}

static void write_let(Body *b, int level)
{
    const Nest *n = b->nest;
    if ((body_reduces(b) || n->more.n) && level == n->n_axes) return;   /* write_needed does it */
    bool inner = body_reduces(b) && level == n->n_out;   /* what only the result needs comes behind the reduction */
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        if (!b->name[i] || v->level != level || (inner && !v->in_body)) continue;
        int at[AXES_MAX] = {0};
        if (is_block(b, v)) write_block(b, v, b->name[i]);
        else do write_line(&b->w, "const %s %s = %s;", value_type(b, i), instance_name(b, b->name[i], v->axes, at), value_compute(b, i, at));
        while (instance_next(b, v->axes, at));
    }
}

static bool is_defined(const Body *b, const char *name)
{
    for (int i = 0; i < b->defined.n; i++)
        if (!strcmp(b->defined.at[i], name)) return true;
    return false;
}

/* The innermost values are computed just before their first use: compilers keep the order, and so few registers hold them.
   level: that of the values which nobody has computed yet. */
static void write_needed(Body *b, int value, int level, const int *at)
{
    const Value *v = &b->nest->value.at[value];
    const char *name = b->name[value] ? instance_name(b, b->name[value], v->axes, at) : NULL;
    bool behind = body_reduces(b) && level == b->nest->n_out;
    if (name && (v->level != level || (behind && v->in_body) || is_defined(b, name))) return;
    for (int k = 0; k < expr_args[v->kind]; k++) write_needed(b, v->arg[k], level, at);
    if (!name) return;
    write_line(&b->w, "const %s %s = %s;", type_of(b, b->vector[value]), name, value_compute(b, value, at));
    vec_push(b->arena, &b->defined, name);
}

static void write_clear(Body *b)
{
    static const double neutral[] = {[REDUCE_sum] = 0, [REDUCE_max] = -1.0 / 0.0, [REDUCE_min] = 1.0 / 0.0};
    Text zero = {.arena = b->arena}, all = {.arena = b->arena};
    text_real(&zero, neutral[b->nest->kernel->reduce], b->unit->f64);
    int at[AXES_MAX] = {0};
    if (lane_reduces(b)) b->frame[b->plan.lane].count = b->plan.count[b->plan.lane];
    do text_printf(&all, b->acc_vector ? "%s%s = vset1(%s)" : "%s%s = %s", all.n ? ", " : "",
                   accumulator_name(b, at), zero.s);
    while (instance_next(b, accumulator_axes(b), at));
    write_line(&b->w, "%s %s;", type_of(b, b->acc_vector), all.s);
}

/* Lanes behind the end of a reduction take no part in it. */
static const char *masked(const Body *b, const char *value, const int *at)
{
    int tail = lane_reduces(b) ? instance_tail(b, at) : 0;
    if (!tail) return value;
    static const char *const neutral[] = {[REDUCE_sum] = "0.0f", [REDUCE_max] = "-INFINITY", [REDUCE_min] = "INFINITY"};
    return arena_printf(b->arena, "vkeep_n(%s, %d, %s)", value, tail, neutral[b->nest->kernel->reduce]);
}

/* Products of two loads are 0 in lanes that a partial load fills with 0. */
static bool product_of_lanes(const Body *b, const Value *v)
{
    for (int k = 0; k < 2; k++) {
        const Value *x = &b->nest->value.at[v->arg[k]];
        if (x->kind != EX_load || !(x->axes >> b->plan.lane & 1)) return false;
    }
    return true;
}

static void write_update_of(Body *b, const char *acc, const int *at)
{
    const Nest *n = b->nest;
    const Value *v = &n->value.at[n->body];
    Reduce reduce = n->kernel->reduce;
    bool product = reduce == REDUCE_sum && v->kind == EX_mul && !b->name[n->body] && b->acc_vector;
    if (product && (!lane_reduces(b) || !instance_tail(b, at) || product_of_lanes(b, v))) {
        write_line(&b->w, "%s = vmla(%s, %s, %s);", acc, value_as_vector(b, v->arg[0], at), value_as_vector(b, v->arg[1], at), acc);
        return;
    }
    const char *value = b->acc_vector ? masked(b, value_as_vector(b, n->body, at), at) : value_as_scalar(b, n->body, at);
    if (reduce == REDUCE_sum) write_line(&b->w, "%s += %s;", acc, value);
    else write_line(&b->w, "%s = %s%s(%s, %s);", acc, b->acc_vector || b->target->lanes == 1 ? "v" : "s",
                    reduce == REDUCE_max ? "max" : "min", acc, value);
}

/* The axes of the operand that a tile holds in the fewest registers: each of the other's is read, used with all of these, and
   gone. So 24 sums of 8 vectors times 3 numbers need 3 + 1 registers beside them, not 8 + 1. */
static unsigned held_axes(const Body *b)
{
    int few = 1000;
    unsigned held = 0;
    for (int i = 0; i < b->nest->value.n; i++) {
        const Value *v = &b->nest->value.at[i];
        if (v->kind != EX_load || !v->in_body) continue;
        int k = 1;
        for (int axis = 0; axis < b->nest->n_axes; axis++)
            if (v->axes & accumulator_axes(b) & 1u << axis) k *= b->frame[axis].count;
        if (k < few) held = v->axes;
        few = k < few ? k : few;
    }
    return held;
}

static void write_update(Body *b)
{
    const unsigned inner = accumulator_axes(b) & held_axes(b), outer = accumulator_axes(b) & ~inner;
    int at[AXES_MAX] = {0}, statements = 0;
    b->defined.n = 0;
    hints_next_blocks(b);
    do do {
        write_needed(b, b->nest->body, b->nest->n_axes, at);
        write_update_of(b, accumulator_name(b, at), at);
        statements++;
    } while (instance_next(b, inner, at)); while (instance_next(b, outer, at));
    if (statements >= FENCED_STATEMENTS && b->target->lanes > 1) write_line(&b->w, "FENCE;");
}

/* The vectors of a reduction along the lanes become one number per instance. */
static void write_horizontal(Body *b)
{
    static const char *const across[] = {[REDUCE_sum] = "hsum", [REDUCE_max] = "hmax", [REDUCE_min] = "hmin"};
    Reduce reduce = b->nest->kernel->reduce;
    int lane = b->plan.lane, at[AXES_MAX] = {0};
    do {
        const char *all = NULL;
        b->frame[lane].count = b->plan.count[lane];
        for (at[lane] = 0; at[lane] < b->frame[lane].count; at[lane]++) {
            const char *one = accumulator_name(b, at);
            if (!all) all = one;
            else if (reduce == REDUCE_sum) all = arena_printf(b->arena, "%s + %s", all, one);
            else all = arena_printf(b->arena, "%s(%s, %s)", reduce == REDUCE_max ? "vmax" : "vmin", all, one);
        }
        at[lane] = 0;
        write_line(&b->w, "const %s %s = %s(%s);", real_type(b), instance_name(b, b->reduced, out_axes(b), at), across[reduce], all);
    } while (instance_next(b, out_axes(b), at));
}

static const char *out_name(const Body *b, const Buffer *out)
{
    for (int i = 0; i < b->pointer.n; i++)
        if (b->pointer.at[i].buffer == out) return b->pointer.at[i].name;
    internal_error("emit", "kernel %s stores nowhere", b->nest->kernel->name);
}

static const char *stored_value(const Body *b, int root, const int *at, bool vector)
{
    if (root >= 0) return vector ? value_as_vector(b, root, at) : value_as_scalar(b, root, at);
    return instance_name(b, b->reduced, out_axes(b), at);
}

static void write_scalar_store(Body *b, int root, const Buffer *out, const Affine *store, const int *at)
{
    DType type = out->dtype;
    const char *address = address_text(b, store, at), *value = stored_value(b, root, at, false);
    if (type != DTYPE_f32) value = arena_printf(b->arena, type == DTYPE_i32 ? "to_i32(%s)" : "to_u8(%s)", value);
    write_line(&b->w, "%s[%s] %s %s;", out_name(b, out), address, b->nest->kernel->accumulate ? "+=" : "=", value);
}

static void write_vector_store(Body *b, int root, const Buffer *memory, const Affine *store, const int *at)
{
    static const char *const suffix[DTYPES] = {[DTYPE_f32] = "", [DTYPE_i32] = "_i32", [DTYPE_u8] = "_u8"};
    const char *type = suffix[memory->dtype], *address = address_text(b, store, at), *out = out_name(b, memory), *kind = "", *more = "";
    const char *to = !strcmp(address, "0") ? out : arena_printf(b->arena, "%s + %s", out, address);
    int64_t step = affine_coef(store, b->plan.lane);
    int tail = instance_tail(b, at);
    if (step == 2 && !*type && !b->nest->kernel->accumulate) {
        kind = "_2";
        more = arena_printf(b->arena, ", %d", tail ? tail : b->target->lanes);
    } else if (step != 1) {
        kind = "_s";
        more = arena_printf(b->arena, ", %lld, %d", (long long)step, tail ? tail : b->target->lanes);
    } else if (tail) {
        kind = "_n";
        more = arena_printf(b->arena, ", %d", tail);
    }
    const char *value = stored_value(b, root, at, true);
    if (b->nest->kernel->accumulate) value = arena_printf(b->arena, "vload%s%s(%s%s) + %s", kind, type, to, more, value);
    write_line(&b->w, "vstore%s%s(%s%s, %s);", kind, type, to, more, value);
}

void body_store(Body *b, int root, const Buffer *out, const Affine *store, const int *at)
{
    bool vector = b->plan.lane >= 0 && b->plan.lane < b->nest->n_out;
    if (vector) write_vector_store(b, root, out, store, at);
    else write_scalar_store(b, root, out, store, at);
}

/* Each value is computed just before it is stored, but for those that are better computed first. */
static void write_stores(Body *b, int root)
{
    const Nest *n = b->nest;
    const int level = body_reduces(b) ? n->n_out : n->n_axes;
    int at[AXES_MAX] = {0};
    b->defined.n = 0;
    do {
        for (int i = 0; i < n->early.n; i++) write_needed(b, n->early.at[i], level, at);
        if (root >= 0) write_needed(b, root, level, at);
        body_store(b, root, n->out, &n->store, at);
        for (int i = 0; i < n->more.n; i++) {
            const Stored *s = &n->more.at[i];
            write_needed(b, s->value, level, at);
            body_store(b, s->value, s->out, &s->at, at);
        }
    } while (instance_next(b, stored_axes(b), at));
}

/* Of a loop that stores one constant C compilers make a string instruction, which takes tens of cycles to start. */
static bool fills_little(const Body *b, int root)
{
    const Nest *n = b->nest;
    int64_t elements = 1;
    for (int i = 0; i < n->n_out; i++) elements *= n->axis[i].extent;
    return root >= 0 && n->value.at[root].kind == EX_constant && elements < FILL_LEAST && b->target->lanes > 1;
}

static void write_finish(Body *b)
{
    if (b->plan.pieces) {
        overlap_keep(b);
        return;
    }
    const Nest *n = b->nest;
    int at[AXES_MAX] = {0}, root = body_reduces(b) ? n->result : n->body;
    if (lane_reduces(b)) {
        write_horizontal(b);
        b->frame[b->plan.lane].count = 1;
    }
    if (n->more.n || body_reduces(b)) {
        write_stores(b, root);
        return;
    }
    do body_store(b, root, n->out, &n->store, at);
    while (instance_next(b, stored_axes(b), at));
    if (fills_little(b, root)) write_line(&b->w, "FENCE;");
}

static void write_stmt(Body *b, const Stmt *s);

static void write_body(Body *b, const Stmt *s)
{
    for (int i = 0; i < s->body.n; i++) write_stmt(b, s->body.at[i]);
}

/* Over the steps of an axis from `from` to `to`, of which the last begins at `last`; perhaps from that one on. */
static void open_loop(Body *b, const Stmt *s, const char *from, const char *to, const char *last)
{
    const Plan *p = &b->plan;
    const char *name = b->nest->axis[s->axis].name;
    const bool back = p->pieces && p->turn == (s->axis == p->pace ? 2 : s->axis >= b->nest->n_out ? 1 : -1);
    const char *next = s->step == 1 ? (back ? "--" : "++") : arena_printf(b->arena, " %c= %lld", back ? '-' : '+', (long long)s->step);
    if (back) write_open(&b->w, "for (int %s = %s; %s >= %s; %s%s)", name, last, name, from, name, next);
    else write_open(&b->w, "for (int %s = %s; %s < %s; %s%s)", name, from, name, to, name, next);
}

static const char *decimal(const Body *b, int64_t x) { return arena_printf(b->arena, "%lld", (long long)x); }

/* The axis that threads share: a part does what lies from `first` to `end`, which are bounds of tiles. */
static void write_shared_loop(Body *b, const Stmt *s)
{
    Frame outer = b->frame[s->axis];
    const char *name = b->nest->axis[s->axis].name;
    bool once = s->from + s->step >= s->to, more = s->to < b->nest->axis[s->axis].extent;
    b->frame[s->axis] = (Frame){.variable = once ? NULL : name, .offset = once ? s->from : 0, .count = s->count, .tail = s->tail};
    if (once && more) write_open(&b->w, "if (%s == %lld)", b->first, (long long)s->from);
    else if (once) write_open(&b->w, "if (%s == %lld)", b->end, (long long)s->to);
    else if (more) write_open(&b->w, "for (int %s = %s; %s + %lld <= %s; %s += %lld)", name, b->first, name, (long long)s->step, b->end, name, (long long)s->step);
    else open_loop(b, s, b->first, b->end, arena_printf(b->arena, "%s - %lld", b->end, (long long)s->step));
    write_body(b, s);
    write_close(&b->w, once ? NULL : arena_printf(b->arena, "for %s", name));
    b->frame[s->axis] = outer;
}

/* The innermost of a sum goes in chunks where each fetches a row of what the result needs. */
static void write_steps(Body *b, const Stmt *s)
{
    const char *name = b->nest->axis[s->axis].name;
    const bool whole = s->from == 0 && s->to == b->nest->axis[s->axis].extent && s->axis == b->plan.order[b->nest->n_axes - 1];
    const int64_t chunk = whole ? hints_chunk(b) : 0;
    if (chunk) {
        const char *at = arena_printf(b->arena, "%s_at", name);
        write_open(&b->w, "for (int %s = 0; %s < %lld; %s += %lld)", at, at, (long long)s->to, at, (long long)chunk);
        hints_row(b, at, chunk);
        open_loop(b, s, at, arena_printf(b->arena, "%s + %lld", at, (long long)chunk), NULL);
    } else open_loop(b, s, decimal(b, s->from), decimal(b, s->to), decimal(b, s->to - s->step));
    write_body(b, s);
    write_close(&b->w, arena_printf(b->arena, "for %s", name));
    if (chunk) write_close(&b->w, NULL);
}

/* A loop of one step is a block whose axis is known; alone, it is not even a block. */
static void write_loop(Body *b, const Stmt *s)
{
    Frame outer = b->frame[s->axis];
    const char *name = b->nest->axis[s->axis].name;
    bool once = s->from + s->step >= s->to;
    b->frame[s->axis] = (Frame){.variable = once ? NULL : name, .offset = once ? s->from : 0, .count = s->count, .tail = s->tail};
    if (once && s->only) {
        write_body(b, s);
    } else if (once) {
        write_open(&b->w, "%s", "");
        if (s->to - s->from == 1) write_line(&b->w, "/* %s = %lld */", name, (long long)s->from);
        else write_line(&b->w, "/* %s = %lld .. %lld */", name, (long long)s->from, (long long)s->to - 1);
        write_body(b, s);
        write_close(&b->w, NULL);
    } else {
        write_steps(b, s);
    }
    b->frame[s->axis] = outer;
}

/* Whether a step defines variables, and so needs a block of its own. */
static bool defines(const Body *b, const Stmt *s)
{
    for (int i = 0; i < s->body.n; i++) {
        const Stmt *x = s->body.at[i];
        if (x->kind == STMT_loop && !(x->only && x->from + x->step >= x->to)) continue;
        if (x->kind == STMT_let)
            for (int k = 0; k < b->nest->value.n; k++)
                if (b->name[k] && b->nest->value.at[k].level == x->level) return true;
        if (defines(b, x)) return true;
    }
    return false;
}

static void write_at(Body *b, const Stmt *s)
{
    if (s->axis < 0) {
        write_body(b, s);
        return;
    }
    Frame outer = b->frame[s->axis];
    bool block = defines(b, s);
    b->frame[s->axis].offset += s->from;
    if (block) write_open(&b->w, "%s", "");
    write_body(b, s);
    if (block) write_close(&b->w, NULL);
    b->frame[s->axis] = outer;
}

static void open_sum(Body *b, int axis, int64_t extent, int step)
{
    open_loop(b, &(Stmt){.axis = axis, .step = step}, "0", decimal(b, extent), NULL);
    b->frame[axis] = (Frame){.variable = b->nest->axis[axis].name, .count = 1};
}

/* The vectors of a panel, or of those the partial ones alone. */
static void write_vectors(Body *b, const Value *v, bool partial)
{
    int at[AXES_MAX] = {0};
    do
        if (!partial || instance_tail(b, at)) write_line(&b->w, "vstore(%s + %s, %s);", b->panel, panel_address(b, v, at), value_compute(b, b->plan.panel, at));
    while (instance_next(b, v->axes, at));
}

/* Of so many steps of the sum, or of as many as a vector has lanes. */
static void write_blocks(Body *b, const Value *v, int sum, int64_t steps)
{
    const long long width = panel_step(b, v, sum), step = affine_coef(&v->at, b->plan.lane);
    const bool part = steps < b->target->lanes;
    int at[AXES_MAX] = {0};
    do
        if (!instance_tail(b, at))
            write_line(&b->w, "vpack_block%s(%s + %s, %lld, %s, %lld%s);", part ? "_n" : "", b->panel, panel_address(b, v, at), width, value_address(b, v, at),
                       step, part ? arena_printf(b->arena, ", %lld", (long long)steps) : "");
    while (instance_next(b, v->axes, at));
}

/* Blocks along the sum, the last of which may begin among those before it; of a partial vector its elements one by one. */
static void write_turned(Body *b, const Value *v, int sum)
{
    const int64_t extent = b->nest->axis[sum].extent, full = extent / b->target->lanes * b->target->lanes;
    const bool blocks = !b->frame[b->plan.lane].tail || b->frame[b->plan.lane].count > 1;
    if (blocks && full) {
        open_sum(b, sum, full, b->target->lanes);
        write_blocks(b, v, sum, extent);
        write_close(&b->w, NULL);
    }
    if (blocks && full < extent) {
        b->frame[sum] = (Frame){.offset = full ? extent - b->target->lanes : 0, .count = 1};
        write_blocks(b, v, sum, extent);
    }
    if (!b->frame[b->plan.lane].tail) return;
    open_sum(b, sum, extent, 1);
    write_vectors(b, v, true);
    write_close(&b->w, NULL);
}

/* The elements that the tiles of this step of the lanes will read, in the order in which they will. */
static void write_panel(Body *b)
{
    const Nest *n = b->nest;
    const Value *v = &n->value.at[b->plan.panel];
    const int turned = panel_turns(n, v, b->plan.lane);
    int loops = 0;
    for (int k = n->n_out; k < n->n_axes; k++) {
        const int axis = b->plan.order[k];
        if (!(v->axes >> axis & 1) || axis == turned) continue;
        open_sum(b, axis, n->axis[axis].extent, 1);
        loops++;
    }
    b->packing = true;
    if (turned >= 0) write_turned(b, v, turned);
    else write_vectors(b, v, false);
    b->packing = false;
    while (loops--) write_close(&b->w, NULL);
    for (int i = n->n_out; i < n->n_axes; i++) b->frame[i] = (Frame){.count = 1};
}

static void write_stmt(Body *b, const Stmt *s)
{
    switch (s->kind) {
    case STMT_loop:
        if (s->axis == b->split.axis) write_shared_loop(b, s);
        else write_loop(b, s);
        break;
    case STMT_at: write_at(b, s); break;
    case STMT_pack: write_panel(b); break;
    case STMT_let: write_let(b, s->level); break;
    case STMT_clear:
        write_clear(b);
        hints_result(b);
        break;
    case STMT_update: write_update(b); break;
    case STMT_piece: overlap_piece(b, (int)s->from); break;
    case STMT_finish: write_finish(b); break;
    }
}

void body_write(Body *b)
{
    if (b->plan.panel >= 0)
        write_line(&b->w, "float %s[%lld] __attribute__((aligned(64)));", b->panel,
                   (long long)(panel_rows(b->nest, &b->nest->value.at[b->plan.panel]) * plan_tile(&b->plan, b->target, b->plan.lane)));
    if (b->plan.pieces) overlap_begin(b);
    write_stmt(b, stmt_build(b->arena, b->nest, &b->plan, b->target));
    if (b->plan.pieces) overlap_end(b);
}
