/* step_time.c -- which dimension of each tensor counts the steps of a sequence, and that no step needs a later one. */
#include "step.h"

#include "fold.h"

#include <math.h>

enum { HIDDEN = RANK_MAX };  /* key of a contraction's axis that its result does not have: HIDDEN + axis */

static const double masked = -1e9;

Steps *steps_new(Graph *g)
{
    Steps *s = NEW(g->arena, Steps);
    *s = (Steps){.graph = g};
    return s;
}

static Time time_plain(TimeKind kind) { return (Time){.kind = kind, .now = -1, .past = -1}; }
static Time time_along(int now) { return (Time){.kind = TIME_along, .now = now, .past = -1}; }
static Time time_bad(const Node *n, const char *why) { return (Time){.kind = TIME_bad, .why = why, .where = n}; }

static const char *const looks_ahead = "this needs steps that are still to come: what attends to them must be masked, by where or by a number of -1e9 or less";
static const char *const adds_up = "this adds up over the steps of the sequence: step by step there is no such sum";
static const char *const mixes = "the steps of the sequence do not stay apart here";
const char *const not_start = "step by step, a state can only be what a scan begins with";
static const char *const last_used = "what is known behind the last step is used at every step here";

static Time ahead_number(Time t, double x)
{
    t.ahead = AHEAD_number;
    t.number = x <= masked ? -INFINITY : x;
    if (isnan(x)) t.ahead = AHEAD_same;
    return t;
}

/* ---- what constants hold ahead of the present ---- */

/* One element of a tensor that is computed from nothing; NaN where it is not. */
static double element(const Node *n, const int64_t *at)
{
    int64_t from[RANK_MAX] = {0}, row = 0;
    double x[3];
    ExprKind kind;
    if (n->op == OP_constant && node_attr(n, ATTR_value)) return node_real(n, ATTR_value);
    if (n->op == OP_iota) return (double)at[node_int(n, ATTR_axis)];
    for (int d = 0; d < n->shape.rank; d++) row = row * n->shape.dim[d] + at[d];
    if (n->op == OP_constant) return node_attr(n, ATTR_data)->data[row];
    if (n->op == OP_cast) return element(n->in[0], at);
    if (op_is_elementwise(n->op) && op_expr(n->op, &kind)) {
        for (int i = 0; i < n->n_in; i++) x[i] = element(n->in[i], at);
        return expr_apply(kind, x);
    }
    if (n->op == OP_reshape)
        for (int d = n->in[0]->shape.rank - 1; d >= 0; row /= n->in[0]->shape.dim[d--]) from[d] = row % n->in[0]->shape.dim[d];
    else if (n->op == OP_transpose)
        for (int d = 0; d < n->shape.rank; d++) from[node_ints(n, ATTR_axes)[d]] = at[d];
    else if (n->op == OP_broadcast)
        for (int d = 0; d < n->in[0]->shape.rank; d++) from[d] = at[node_ints(n, ATTR_axes)[d]];
    else if (n->op == OP_slice)
        for (int d = 0; d < n->shape.rank; d++) from[d] = at[d] + node_ints(n, ATTR_start)[d];
    else return NAN;
    return element(n->in[0], from);
}

/* The next index of a shape, the last dimension first; false behind the last. */
static bool index_next(Shape s, int64_t *at)
{
    int d = s.rank - 1;
    while (d >= 0 && ++at[d] == s.dim[d]) at[d--] = 0;
    return d >= 0;
}

bool is_one_number(const Node *n, double *number)
{
    int64_t at[RANK_MAX] = {0};
    *number = element(n, at);
    for (bool more = true; more; more = index_next(n->shape, at)) {
        const double x = element(n, at);
        if (!(x >= *number && x <= *number)) return false;
    }
    return true;
}

static int broadcast_source(const Node *n, int dim)
{
    for (int d = 0; d < n->in[0]->shape.rank; d++)
        if (node_ints(n, ATTR_axes)[d] == dim) return d;
    return -1;
}

/* What a tensor that is the same at every step holds where the index `past` is ahead of the index `now`. */
static Time constant_ahead(const Node *n, int now, int past)
{
    Time t = {.kind = TIME_along, .now = now, .past = past, .ahead = AHEAD_same};
    int64_t at[RANK_MAX] = {0};
    double all = NAN;
    if (n->op == OP_broadcast && broadcast_source(n, now) >= 0 && broadcast_source(n, past) >= 0)
        return constant_ahead(n->in[0], broadcast_source(n, now), broadcast_source(n, past));
    for (bool more = true; more; more = index_next(n->shape, at)) {
        const double x = at[past] > at[now] ? element(n, at) : all;
        if (at[past] > at[now] && (isnan(x) || (!isnan(all) && (x < all || x > all)))) return t;
        all = x;
    }
    return ahead_number(t, all);
}

/* ---- two dimensions of steps in one result: that of the present, and that of what it looks back at ---- */

typedef struct Pair { int now, past; bool bad; } Pair;

static void pair_add(Pair *p, int key)
{
    if (key == p->now || key == p->past) return;
    if (p->past >= 0) p->bad = true;
    else if (p->now < 0) p->now = key;
    else {
        p->past = key > p->now ? key : p->now;
        p->now = key > p->now ? p->now : key;
    }
}

/* Of operands with these keys (-1 for none): where one has both, they are those. */
static Pair pair_of(const Pair *key, int n)
{
    Pair p = {-1, -1, false};
    for (int i = 0; i < n; i++) {
        if (key[i].past < 0) continue;
        p.bad |= p.past >= 0 && (p.now != key[i].now || p.past != key[i].past);
        p = (Pair){key[i].now, key[i].past, p.bad};
    }
    for (int i = 0; i < n; i++)
        if (key[i].past < 0 && key[i].now >= 0) pair_add(&p, key[i].now);
    return p;
}

/* ---- elementwise ---- */

/* What an operand of an operator with two dimensions of steps holds ahead. */
static Time operand_ahead(Steps *s, const Node *x, Pair p)
{
    Time t = time_of(s, x);
    if (t.kind == TIME_none) return constant_ahead(x, p.now, p.past);
    if (t.kind == TIME_along && t.past < 0) t.ahead = t.now == p.now ? AHEAD_same : AHEAD_free;
    return t;
}

static bool is_zero(Time t) { return t.ahead == AHEAD_number && fpclassify(t.number) == FP_ZERO; }
static bool is_masked(Time t) { return t.ahead == AHEAD_number && isinf(t.number) && t.number < 0; }

static Time elementwise_ahead(Steps *s, const Node *n, Pair p)
{
    Time x[3] = {{0}}, t = {.kind = TIME_along, .now = p.now, .past = p.past};
    double number[3] = {0};
    bool all = true, free = false;
    ExprKind kind;
    for (int i = 0; i < n->n_in; i++) {
        x[i] = operand_ahead(s, n->in[i], p);
        number[i] = x[i].number;
        all &= x[i].ahead == AHEAD_number;
        free |= x[i].ahead == AHEAD_free;
    }
    if (n->op == OP_cast || n->op == OP_copy || n->op == OP_stop_gradient) return (Time){TIME_along, p.now, p.past, x[0].ahead, x[0].number, NULL, NULL};
    if (all && op_expr(n->op, &kind)) return ahead_number(t, expr_apply(kind, number));
    if ((n->op == OP_mul && (is_zero(x[0]) || is_zero(x[1]))) || (n->op == OP_div && is_zero(x[0]))) return ahead_number(t, 0);
    if ((n->op == OP_add && (is_masked(x[0]) || is_masked(x[1]))) || (n->op == OP_sub && is_masked(x[0]))) return ahead_number(t, -INFINITY);
    if (n->op == OP_where && x[0].ahead == AHEAD_number) {
        const Time *chosen = &x[is_zero(x[0]) ? 2 : 1];
        return (Time){TIME_along, p.now, p.past, chosen->ahead, chosen->number, NULL, NULL};
    }
    t.ahead = free ? AHEAD_free : AHEAD_same;
    return t;
}

/* Only a tensor that is repeated for every present step can be looked back at as it is. */
static bool can_look_back(const Node *x, Pair p)
{
    return x->op == OP_broadcast && broadcast_source(x, p.now) < 0 && x->dtype == DTYPE_f32;
}

static Time elementwise_time(Steps *s, const Node *n)
{
    Pair key[3];
    for (int i = 0; i < n->n_in; i++) {
        const Time t = time_of(s, n->in[i]);
        if (t.kind == TIME_present) return time_bad(n, last_used);
        key[i] = t.kind == TIME_along ? (Pair){t.now, t.past, false} : (Pair){-1, -1, false};
    }
    const Pair p = pair_of(key, n->n_in);
    if (p.bad) return time_bad(n, mixes);
    for (int i = 0; i < n->n_in; i++) {
        const Time t = time_of(s, n->in[i]);
        if (t.kind == TIME_none && !can_narrow(n->in[i], p.now)) return time_bad(n->in[i], "this cannot be taken step by step");
        if (p.past >= 0 && t.kind == TIME_along && t.past < 0 && t.now == p.past && !can_look_back(n->in[i], p)) return time_bad(n, mixes);
    }
    return p.past < 0 ? time_along(p.now) : elementwise_ahead(s, n, p);
}

/* ---- contractions ---- */

int contract_axis(const Contract *c, const IndexMap *m, int d)
{
    const Affine *x = &m->dim[d];
    if (x->n != 1 || x->offset || x->coef[0] != 1) return -1;
    const int axis = x->axis[0];
    const IndexMap *map[] = {&c->a, &c->b, &c->out};
    for (int k = 0; k < 3; k++)
        for (int e = 0; e < map[k]->rank; e++)
            if (affine_coef(&map[k]->dim[e], axis) && (map[k]->dim[e].n > 1 || map[k]->dim[e].offset || map[k]->dim[e].coef[0] != 1)) return -1;
    return axis;
}

int contract_dim(const Contract *c, int axis)
{
    for (int d = 0; d < c->out.rank; d++)
        if (affine_coef(&c->out.dim[d], axis)) return d;
    return -1;
}

static bool map_has(const IndexMap *m, int axis)
{
    for (int d = 0; d < m->rank; d++)
        if (affine_coef(&m->dim[d], axis)) return true;
    return false;
}

static int contract_key(const Contract *c, int axis)
{
    const int d = contract_dim(c, axis);
    return d < 0 ? HIDDEN + axis : d;
}

static int key_axis(const Contract *c, int key)
{
    return key >= HIDDEN ? key - HIDDEN : c->out.dim[key].axis[0];
}

/* Keys of an operand's dimensions of steps; bad where one of them is no axis alone. */
static Pair contract_keys(const Contract *c, const IndexMap *m, Time t, int64_t steps)
{
    Pair p = {-1, -1, false};
    if (t.kind != TIME_along) return p;
    const int now = contract_axis(c, m, t.now), past = t.past < 0 ? -1 : contract_axis(c, m, t.past);
    p.bad = now < 0 || (t.past >= 0 && past < 0) || c->extent[now] != steps;
    if (!p.bad) p.now = contract_key(c, now);
    if (!p.bad && past >= 0) p.past = contract_key(c, past);
    return p;
}

/* What an operand holds ahead; of one that is the same at every step, where it has both axes. */
static Time contract_ahead(const Contract *c, const Node *x, const IndexMap *m, Time t, Pair key, Pair p)
{
    int dim[2] = {-1, -1};
    if (t.kind == TIME_along && t.past < 0) t.ahead = key.now == p.now ? AHEAD_same : AHEAD_free;
    if (t.kind != TIME_none) return t;
    for (int d = 0; d < m->rank; d++) {
        const int axis = contract_axis(c, m, d);
        if (axis == key_axis(c, p.now)) dim[0] = d;
        if (axis == key_axis(c, p.past)) dim[1] = d;
    }
    return dim[0] >= 0 && dim[1] >= 0 ? constant_ahead(x, dim[0], dim[1]) : (Time){.ahead = AHEAD_same};
}

static Time contract_time(Steps *s, const Node *n)
{
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    const IndexMap *map[] = {&c->a, &c->b};
    Time x[2], t;
    Pair key[2];
    for (int i = 0; i < 2; i++) {
        x[i] = time_of(s, n->in[i]);
        key[i] = contract_keys(c, map[i], x[i], s->n);
        if (key[i].bad) return time_bad(n, "this reads several steps of the sequence at once");
        if (x[i].kind == TIME_present) return time_bad(n, last_used);
    }
    const Pair p = pair_of(key, 2);
    if (p.bad) return time_bad(n, mixes);
    if (p.now >= HIDDEN) return time_bad(n, p.past < 0 ? adds_up : looks_ahead);
    for (int i = 0; i < 2; i++) {
        const bool looked_back_at = key[i].past < 0 && key[i].now >= 0 && key[i].now == p.past;
        if (looked_back_at && (map_has(map[i], key_axis(c, p.now)) || n->in[i]->dtype != DTYPE_f32)) return time_bad(n, mixes);
        for (int d = 0; x[i].kind == TIME_none && d < map[i]->rank; d++)
            if (contract_axis(c, map[i], d) == key_axis(c, p.now) && !can_narrow(n->in[i], d)) return time_bad(n->in[i], "this cannot be taken step by step");
    }
    if (p.past < 0) return time_along(p.now);
    for (int i = 0; i < 2; i++) x[i] = contract_ahead(c, n->in[i], map[i], x[i], key[i], p);
    t = (Time){.kind = TIME_along, .now = p.now, .past = p.past, .ahead = x[0].ahead == AHEAD_free || x[1].ahead == AHEAD_free ? AHEAD_free : AHEAD_same};
    if (is_zero(x[0]) || is_zero(x[1])) t = ahead_number(t, 0);
    if (p.past < HIDDEN) return t;
    return t.ahead == AHEAD_free ? time_bad(n, looks_ahead) : time_along(p.now);
}

/* ---- operators on one tensor ---- */

static bool has_axis(const Node *n, int d)
{
    const Attr *axes = node_attr(n, ATTR_axes);
    for (int i = 0; i < axes->n; i++)
        if (axes->ints[i] == d) return true;
    return false;
}

static int reduced_dim(const Node *n, int d)
{
    int to = d;
    for (int e = 0; e < d; e++) to -= has_axis(n, e);
    return d < 0 ? -1 : to;
}

static Time reduce_time(const Node *n, Time t)
{
    if (has_axis(n, t.now)) return time_bad(n, t.past < 0 && n->op == OP_sum ? adds_up : looks_ahead);
    const bool looks_back = t.past >= 0 && has_axis(n, t.past);
    if (looks_back && t.ahead == AHEAD_free) return time_bad(n, looks_ahead);
    if (n->op == OP_sum && t.ahead == AHEAD_number && !is_zero(t)) t.ahead = AHEAD_same;
    t.now = reduced_dim(n, t.now);
    t.past = looks_back ? -1 : reduced_dim(n, t.past);
    return t;
}

int reshaped_dim(const Node *x, Shape s, int d)
{
    int64_t before = 1, here = 1;
    for (int e = 0; e < d; e++) before *= x->shape.dim[e];
    for (int e = 0; e < s.rank; here *= s.dim[e++])
        if (here == before && s.dim[e] == x->shape.dim[d]) return e;
    return -1;
}

static int moved_dim(const Node *n, int d)
{
    if (d < 0) return -1;
    if (n->op == OP_reshape) return reshaped_dim(n->in[0], n->shape, d);
    if (n->op == OP_broadcast) return (int)node_ints(n, ATTR_axes)[d];
    for (int e = 0; e < n->shape.rank && n->op == OP_transpose; e++)
        if (node_ints(n, ATTR_axes)[e] == d) return e;
    return d;
}

static bool is_whole(const Node *n, int d)
{
    const Shape x = n->in[0]->shape;
    if (n->op == OP_slice) return n->shape.dim[d] == x.dim[d];
    if (n->op == OP_pad) return !node_ints(n, ATTR_low)[d] && !node_ints(n, ATTR_high)[d];
    if (n->op == OP_reverse) return !has_axis(n, d);
    return n->op != OP_window_max || (node_ints(n, ATTR_window)[d] == 1 && node_ints(n, ATTR_stride)[d] == 1);
}

static Time move_time(const Steps *s, const Node *n, Time t)
{
    const bool last = n->op == OP_slice && t.past < 0 && n->shape.dim[t.now] == 1 && node_ints(n, ATTR_start)[t.now] == s->n - 1;
    if (last) return time_plain(TIME_present);
    const bool whole = is_whole(n, t.now) && (t.past < 0 || is_whole(n, t.past));
    if (!whole && n->op == OP_reverse) return time_bad(n, "this reads the sequence backwards, from steps that are still to come");
    if (!whole) return time_bad(n, "this reads some steps of the sequence alone, or several at once");
    const bool had_past = t.past >= 0;
    t.now = moved_dim(n, t.now);
    t.past = moved_dim(n, t.past);
    return t.now < 0 || (had_past && t.past < 0) ? time_bad(n, mixes) : t;
}

static Time concat_time(Steps *s, const Node *n)
{
    Time t = time_plain(TIME_none);
    for (int i = 0; i < n->n_in; i++) {
        const Time x = time_of(s, n->in[i]);
        if (x.kind == TIME_present) return time_bad(n, last_used);
        if (x.kind != TIME_along) continue;
        if (x.past >= 0 || x.now == node_int(n, ATTR_axis) || (t.kind == TIME_along && t.now != x.now)) return time_bad(n, mixes);
        t = x;
    }
    for (int i = 0; i < n->n_in; i++)
        if (time_of(s, n->in[i]).kind == TIME_none && !can_narrow(n->in[i], t.now)) return time_bad(n->in[i], "this cannot be taken step by step");
    return t;
}

/* ---- any node ---- */

static Time along_time(Steps *s, const Node *n)
{
    if (op_is_elementwise(n->op) || n->op == OP_copy || n->op == OP_stop_gradient) return elementwise_time(s, n);
    if (n->op == OP_concat) return concat_time(s, n);
    if (n->op == OP_contract) return contract_time(s, n);
    if (n->op == OP_gather && time_of(s, n->in[0]).kind == TIME_none) return time_of(s, n->in[1]);
    const Time t = time_of(s, n->in[0]);
    if (n->op == OP_sum || n->op == OP_reduce_max || n->op == OP_reduce_min) return reduce_time(n, t);
    if (op_info[n->op].flags & OF_MOVE || n->op == OP_pad || n->op == OP_window_max) return move_time(s, n, t);
    return time_bad(n, mixes);
}

static Time leaf_time(Steps *s, const Node *n)
{
    const int first = n->batched;
    if (n->op == OP_state) return time_plain(TIME_start);
    if (n->op != OP_input || n->shape.rank == first) return time_plain(TIME_none);
    if (!s->sequence) {
        s->sequence = n;
        s->n = n->shape.dim[first];
    }
    if (n->shape.dim[first] != s->n) return time_plain(TIME_none);
    return s->n == 1 ? time_plain(TIME_present) : time_along(first);
}

static Time time_now(Steps *s, const Node *n)
{
    bool any[TIME_bad + 1] = {false};
    if (!n->n_in) return leaf_time(s, n);
    for (int i = 0; i < n->n_in; i++) {
        const Time t = s->time.at[n->in[i]->id];
        if (t.kind == TIME_bad) return t;
        any[t.kind] = true;
    }
    if (any[TIME_start] && (any[TIME_along] || any[TIME_present])) return time_bad(n, not_start);
    if (any[TIME_along]) return along_time(s, n);
    return time_plain(any[TIME_present] ? TIME_present : any[TIME_start] ? TIME_start : TIME_none);
}

Time time_of(Steps *s, const Node *n)
{
    while (s->time.n <= n->id) {
        const Time next = time_now(s, s->graph->node.at[s->time.n]);
        vec_push(s->graph->arena, &s->time, next);
    }
    return s->time.at[n->id];
}

void time_set(Steps *s, const Node *n, TimeKind kind, int now)
{
    time_of(s, n);
    s->time.at[n->id] = (Time){.kind = kind, .now = now, .past = -1};
}

void time_complain(Steps *s, Time t, Span span)
{
    diag_error(s->graph->diag, t.where->span.begin ? t.where->span : span, "%s", t.why);
    if (s->sequence) diag_note(s->graph->diag, s->sequence->span, "with --step, the first axis of `%s` counts the steps", s->sequence->name);
}
