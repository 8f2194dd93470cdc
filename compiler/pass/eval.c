/* eval.c -- the reference interpreter of graphs: each node in turn, in double, by plain loops over row-major arrays. */
#include "pass.h"

#include <math.h>
#include <string.h>

typedef struct Spare { double *at; int64_t elements; } Spare;

typedef struct Eval {
    const Graph *graph;
    Arena *arena;
    const EvalInputs *in;
    double **value;                /* by node id */
    int *uses;                     /* by node id: users that did not run yet; a root is a user that never runs */
    VEC(Spare) spare;              /* arrays that nobody reads any more */
} Eval;

/* ---- walks: two tensors side by side ---- */

typedef struct Strides { int64_t base, step[RANK_MAX]; } Strides;

static Strides strides_of(Shape s)
{
    Strides t = { 0 };
    int64_t step = 1;
    for (int d = s.rank - 1; d >= 0; d--) {
        t.step[d] = step;
        step *= s.dim[d];
    }
    return t;
}

typedef void Row(double *y, int64_t dy, const double *x, int64_t dx, int64_t n);

static void row_copy(double *y, int64_t dy, const double *x, int64_t dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i * dy] = x[i * dx];
}

static void row_sum(double *y, int64_t dy, const double *x, int64_t dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i * dy] += x[i * dx];
}

static void row_max(double *y, int64_t dy, const double *x, int64_t dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(x[i * dx] <= y[i * dy])) y[i * dy] = x[i * dx];
}

static void row_min(double *y, int64_t dy, const double *x, int64_t dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(x[i * dx] >= y[i * dy])) y[i * dy] = x[i * dx];
}

/* Calls `row` for every row of the box `s`: y and x move by their own strides. */
static void walk(Shape s, double *y, const Strides *ys, const double *x, const Strides *xs, Row *row)
{
    int last = s.rank - 1;
    int64_t i[RANK_MAX] = { 0 };
    y += ys->base;
    x += xs->base;
    if (s.rank == 0) {
        row(y, 0, x, 0, 1);
        return;
    }
    for (;;) {
        row(y, ys->step[last], x, xs->step[last], s.dim[last]);
        int d = last - 1;
        for (; d >= 0; d--) {
            y += ys->step[d];
            x += xs->step[d];
            if (++i[d] < s.dim[d]) break;
            y -= ys->step[d] * s.dim[d];
            x -= xs->step[d] * s.dim[d];
            i[d] = 0;
        }
        if (d < 0) return;
    }
}

/* ---- leaves ---- */

typedef void Rule(Eval *e, const Node *n, const double *const *x, double *y);

static void eval_leaf(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)x;
    const double *from = e->in->leaf ? e->in->leaf(e->in->user, n) : NULL;
    if (!from) internal_error("graph_eval", "no value for %s %s", op_info[n->op].name, n->name ? n->name : "?");
    memcpy(y, from, (size_t)shape_elements(n->shape) * sizeof *y);
}

static void eval_constant(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e, (void)x;
    const Attr *data = node_attr(n, ATTR_data);
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = data ? data->data[i] : node_real(n, ATTR_value);
}

static void eval_iota(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e, (void)x;
    int64_t axis = node_int(n, ATTR_axis), count = shape_elements(n->shape);
    int64_t step = strides_of(n->shape).step[axis], size = n->shape.dim[axis];
    for (int64_t i = 0; i < count; i++) y[i] = (double)(i / step % size);
}

static void eval_random(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)x;
    uint32_t key = (uint32_t)node_int(n, ATTR_key);
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = random_uniform(e->in->seed, e->in->step, key, (uint32_t)i);
}

/* ---- elementwise ---- */

#define UNARY(name, formula) static double do_##name(double x) { return formula; }
UNARY(neg, -x)
UNARY(relu, x > 0 ? x : 0)
UNARY(sigmoid, 1 / (1 + exp(-x)))
UNARY(same, x)
#undef UNARY

static double (*const unary_of[OP_COUNT])(double) = {
    [OP_neg] = do_neg, [OP_exp] = exp, [OP_expm1] = expm1, [OP_log] = log, [OP_log1p] = log1p, [OP_sqrt] = sqrt,
    [OP_abs] = fabs, [OP_sin] = sin, [OP_cos] = cos, [OP_tanh] = tanh, [OP_sigmoid] = do_sigmoid, [OP_erf] = erf,
    [OP_relu] = do_relu, [OP_floor] = floor, [OP_copy] = do_same, [OP_stop_gradient] = do_same,
    [OP_reshape] = do_same,
};

#define BINARY(name, formula) static double do_##name(double x, double y) { return formula; }
BINARY(add, x + y)
BINARY(sub, x - y)
BINARY(mul, x * y)
BINARY(div, x / y)
BINARY(max, x >= y ? x : y)
BINARY(min, x <= y ? x : y)
BINARY(eq, x == y)
BINARY(ne, x != y)
BINARY(lt, x < y)
BINARY(le, x <= y)
BINARY(gt, x > y)
BINARY(ge, x >= y)
#undef BINARY

static double (*const binary_of[OP_COUNT])(double, double) = {
    [OP_add] = do_add, [OP_sub] = do_sub, [OP_mul] = do_mul, [OP_div] = do_div, [OP_max] = do_max, [OP_min] = do_min,
    [OP_pow] = pow, [OP_eq] = do_eq, [OP_ne] = do_ne, [OP_lt] = do_lt, [OP_le] = do_le, [OP_gt] = do_gt,
    [OP_ge] = do_ge,
};

static void eval_unary(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = unary_of[n->op](x[0][i]);
}

static void eval_binary(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = binary_of[n->op](x[0][i], x[1][i]);
}

static void eval_where(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = x[0][i] != 0 ? x[1][i] : x[2][i];
}

/* Toward zero, held inside the type's range; NaN gives 0. */
static double integral(double x, double low, double high)
{
    return isnan(x) ? 0 : fmin(fmax(trunc(x), low), high);
}

static void eval_cast(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    static const struct { double low, high; } range[DTYPES] = { [DTYPE_i32] = { -0x1p31, 0x1p31 - 1 }, [DTYPE_u8] = { 0, 255 } };
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++)
        y[i] = n->dtype == DTYPE_f32 ? x[0][i] : integral(x[0][i], range[n->dtype].low, range[n->dtype].high);
}

/* ---- movement and reductions: each a walk ---- */

static void eval_transpose(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    const int64_t *axes = node_ints(n, ATTR_axes);
    Strides ys = strides_of(n->shape), from = strides_of(n->in[0]->shape), xs = { 0 };
    for (int d = 0; d < n->shape.rank; d++) xs.step[d] = from.step[axes[d]];
    walk(n->shape, y, &ys, x[0], &xs, row_copy);
}

static void eval_broadcast(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    const Shape from = n->in[0]->shape;
    const int64_t *axes = from.rank ? node_ints(n, ATTR_axes) : NULL;
    Strides ys = strides_of(n->shape), steps = strides_of(from), xs = { 0 };
    for (int d = 0; d < from.rank; d++)
        if (from.dim[d] == n->shape.dim[axes[d]]) xs.step[axes[d]] = steps.step[d];
    walk(n->shape, y, &ys, x[0], &xs, row_copy);
}

static void eval_slice(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    const int64_t *start = node_ints(n, ATTR_start);
    Strides ys = strides_of(n->shape), xs = strides_of(n->in[0]->shape);
    for (int d = 0; d < n->shape.rank; d++) xs.base += start[d] * xs.step[d];
    walk(n->shape, y, &ys, x[0], &xs, row_copy);
}

static void eval_reverse(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    const Attr *axes = node_attr(n, ATTR_axes);
    Strides ys = strides_of(n->shape), xs = ys;
    for (int i = 0; i < axes->n; i++) {
        int64_t d = axes->ints[i];
        xs.base += xs.step[d] * (n->shape.dim[d] - 1);
        xs.step[d] = -xs.step[d];
    }
    walk(n->shape, y, &ys, x[0], &xs, row_copy);
}

static void eval_pad(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    const int64_t *low = node_ints(n, ATTR_low);
    const double value = node_real(n, ATTR_value);
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = value;
    Strides ys = strides_of(n->shape), xs = strides_of(n->in[0]->shape);
    for (int d = 0; d < n->shape.rank; d++) ys.base += low[d] * ys.step[d];
    walk(n->in[0]->shape, y, &ys, x[0], &xs, row_copy);
}

static void eval_concat(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    int64_t axis = node_int(n, ATTR_axis);
    Strides ys = strides_of(n->shape);
    for (int i = 0; i < n->n_in; i++) {
        Strides xs = strides_of(n->in[i]->shape);
        walk(n->in[i]->shape, y, &ys, x[i], &xs, row_copy);
        ys.base += n->in[i]->shape.dim[axis] * ys.step[axis];
    }
}

static void eval_reduce(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    static const struct { Row *row; double start; } how[OP_COUNT] = {
        [OP_sum] = { row_sum, 0 }, [OP_reduce_max] = { row_max, -INFINITY }, [OP_reduce_min] = { row_min, INFINITY },
    };
    const Attr *axes = node_attr(n, ATTR_axes);
    const Shape from = n->in[0]->shape;
    Strides xs = strides_of(from), kept = strides_of(n->shape), ys = { 0 };
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = how[n->op].start;
    for (int d = 0, k = 0; d < from.rank; d++) {
        bool reduced = false;
        for (int i = 0; i < axes->n; i++) reduced |= axes->ints[i] == d;
        if (!reduced) ys.step[d] = kept.step[k++];
    }
    walk(from, y, &ys, x[0], &xs, how[n->op].row);
}

/* ---- windows ---- */

typedef struct Window {
    Shape out, in, size;           /* of the pooled tensor, of x, of one window */
    const int64_t *stride, *dilation;
    Strides step;                  /* of x */
} Window;

static Window window_of(const Node *n, Shape out, Shape in)
{
    Window w = { .out = out, .in = in, .size = in, .step = strides_of(in) };
    const int64_t *size = node_ints(n, ATTR_window);
    for (int d = 0; d < in.rank; d++) w.size.dim[d] = size[d];
    w.stride = node_ints(n, ATTR_stride);
    w.dilation = node_ints(n, ATTR_dilation);
    return w;
}

/* Offset in x of element `k` (row-major in the window) of the window of result element `o`. */
static int64_t window_offset(const Window *w, int64_t o, int64_t k)
{
    int64_t at = 0;
    for (int d = w->in.rank - 1; d >= 0; d--) {
        at += (o % w->out.dim[d] * w->stride[d] + k % w->size.dim[d] * w->dilation[d]) * w->step.step[d];
        o /= w->out.dim[d];
        k /= w->size.dim[d];
    }
    return at;
}

static void eval_window_max(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    Window w = window_of(n, n->shape, n->in[0]->shape);
    int64_t count = shape_elements(w.out), size = shape_elements(w.size);
    for (int64_t o = 0; o < count; o++) {
        y[o] = -INFINITY;
        for (int64_t k = 0; k < size; k++) y[o] = do_max(x[0][window_offset(&w, o, k)], y[o]);
    }
}

static void eval_window_argmax(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    Window w = window_of(n, n->shape, n->in[0]->shape);
    int64_t count = shape_elements(w.out), size = shape_elements(w.size);
    for (int64_t o = 0; o < count; o++) {
        int64_t k = 0;
        while (k < size - 1 && x[0][window_offset(&w, o, k)] != x[1][o]) k++;
        y[o] = (double)k;
    }
}

static void eval_window_unpool(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    Window w = window_of(n, n->in[0]->shape, n->shape);
    int64_t count = shape_elements(w.out);
    memset(y, 0, (size_t)shape_elements(n->shape) * sizeof *y);
    for (int64_t o = 0; o < count; o++) y[window_offset(&w, o, (int64_t)x[1][o])] += x[0][o];
}

/* ---- contractions ---- */

/* One operand's place while the axes count: a linear offset, and the dimensions that may leave the tensor. */
typedef struct Track {
    int64_t at, step[AXES_MAX];
    int n;
    struct { int64_t at, step[AXES_MAX], size; } guard[RANK_MAX];
} Track;

static Track track_of(const IndexMap *map, Shape s, const Contract *c, const int *order)
{
    Track t = { 0 };
    Strides stride = strides_of(s);
    for (int d = 0; d < map->rank; d++) {
        int64_t low, high;
        affine_range(&map->dim[d], c->extent, &low, &high);
        bool guarded = low < 0 || high >= s.dim[d];
        t.at += map->dim[d].offset * stride.step[d];
        t.guard[t.n].at = map->dim[d].offset;
        t.guard[t.n].size = s.dim[d];
        for (int i = 0; i < c->n_axes; i++) {
            int64_t coef = affine_coef(&map->dim[d], order[i]);
            t.step[i] += coef * stride.step[d];
            t.guard[t.n].step[i] = coef;
        }
        t.n += guarded;
    }
    return t;
}

static void track_move(Track *t, int axis, int64_t by)
{
    t->at += t->step[axis] * by;
    for (int k = 0; k < t->n; k++) t->guard[k].at += t->guard[k].step[axis] * by;
}

static int64_t floor_div(int64_t x, int64_t y)
{
    return x / y - (x % y < 0);
}

/* Narrows [*from, *to) of the axis to where every guarded dimension is inside. */
static void track_clip(const Track *t, int axis, int64_t *from, int64_t *to)
{
    for (int k = 0; k < t->n; k++) {
        int64_t at = t->guard[k].at, step = t->guard[k].step[axis], last = t->guard[k].size - 1;
        int64_t low = *from, high = *to - 1;
        if (step > 0) low = -floor_div(at, step), high = floor_div(last - at, step);
        else if (step < 0) low = -floor_div(last - at, -step), high = floor_div(at, -step);
        else if (at < 0 || at > last) high = low - 1;
        if (low > *from) *from = low;
        if (high + 1 < *to) *to = high + 1;
    }
}

/* The longest axis runs inside, so that tests and counting are rare. */
static void order_axes(const Contract *c, int *order)
{
    int inner = 0;
    for (int i = 1; i < c->n_axes; i++)
        if (c->extent[i] >= c->extent[inner]) inner = i;
    for (int i = 0, k = 0; i < c->n_axes; i++)
        if (i != inner) order[k++] = i;
    order[c->n_axes - 1] = inner;
}

static void contract_row(const Track *a, const Track *b, const Track *out, int axis, int64_t extent,
                         const double *x, const double *w, double *y)
{
    int64_t from = 0, to = extent, sa = a->step[axis], sb = b->step[axis], so = out->step[axis];
    track_clip(a, axis, &from, &to);
    track_clip(b, axis, &from, &to);
    track_clip(out, axis, &from, &to);
    if (from >= to) return;
    x += a->at + from * sa;
    w += b->at + from * sb;
    y += out->at + from * so;
    for (int64_t i = 0; i < to - from; i++) y[i * so] += x[i * sa] * w[i * sb];
}

static void eval_contract(Eval *e, const Node *n, const double *const *x, double *y)
{
    (void)e;
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    memset(y, 0, (size_t)shape_elements(n->shape) * sizeof *y);
    if (c->n_axes == 0) {
        y[0] = x[0][0] * x[1][0];
        return;
    }
    int order[AXES_MAX], last = c->n_axes - 1;
    order_axes(c, order);
    Track t[3] = { track_of(&c->a, n->in[0]->shape, c, order), track_of(&c->b, n->in[1]->shape, c, order),
                   track_of(&c->out, n->shape, c, order) };
    int64_t i[AXES_MAX] = { 0 };
    for (;;) {
        contract_row(&t[0], &t[1], &t[2], last, c->extent[order[last]], x[0], x[1], y);
        int d = last - 1;
        for (; d >= 0; d--) {
            bool wraps = ++i[d] == c->extent[order[d]];
            for (int k = 0; k < 3; k++) track_move(&t[k], d, wraps ? 1 - i[d] : 1);
            if (!wraps) break;
            i[d] = 0;
        }
        if (d < 0) return;
    }
}

/* ---- the graph ---- */

static Rule *rule_of(Op op)
{
    static Rule *const rules[OP_COUNT] = {
        [OP_input] = eval_leaf, [OP_param] = eval_leaf, [OP_state] = eval_leaf, [OP_scalar] = eval_leaf,
        [OP_constant] = eval_constant, [OP_iota] = eval_iota, [OP_random] = eval_random,
        [OP_where] = eval_where, [OP_cast] = eval_cast,
        [OP_sum] = eval_reduce, [OP_reduce_max] = eval_reduce, [OP_reduce_min] = eval_reduce,
        [OP_contract] = eval_contract, [OP_window_max] = eval_window_max, [OP_window_argmax] = eval_window_argmax,
        [OP_window_unpool] = eval_window_unpool, [OP_transpose] = eval_transpose, [OP_broadcast] = eval_broadcast,
        [OP_slice] = eval_slice, [OP_reverse] = eval_reverse, [OP_pad] = eval_pad, [OP_concat] = eval_concat,
    };
    return unary_of[op] ? eval_unary : binary_of[op] ? eval_binary : rules[op];
}

/* The tightest spare array that is no more than twice too large, else a new one. */
static double *take(Eval *e, int64_t elements)
{
    int best = -1;
    for (int i = 0; i < e->spare.n; i++) {
        int64_t have = e->spare.at[i].elements;
        if (have >= elements && have <= 2 * elements && (best < 0 || have < e->spare.at[best].elements)) best = i;
    }
    if (best < 0) return NEW_ARRAY(e->arena, double, elements);
    double *at = e->spare.at[best].at;
    e->spare.at[best] = e->spare.at[--e->spare.n];
    return at;
}

static void release(Eval *e, const Node *n)
{
    if (--e->uses[n->id] == 0) vec_push(e->arena, &e->spare, (Spare){ e->value[n->id], shape_elements(n->shape) });
}

static void eval_node(Eval *e, const Node *n)
{
    Rule *rule = rule_of(n->op);
    if (!rule) internal_error("graph_eval", "no rule for %s", op_info[n->op].name);
    const double **x = NEW_ARRAY(e->arena, const double *, n->n_in + 1);
    for (int i = 0; i < n->n_in; i++) x[i] = e->value[n->in[i]->id];
    e->value[n->id] = take(e, shape_elements(n->shape));
    rule(e, n, x, e->value[n->id]);
    for (int i = 0; i < n->n_in; i++) release(e, n->in[i]);
}

void graph_eval(const Graph *g, Arena *a, const EvalInputs *in, const double **results)
{
    Eval e = { .graph = g, .arena = a, .in = in };
    e.value = NEW_ARRAY(a, double *, g->node.n + 1);
    e.uses = NEW_ARRAY(a, int, g->node.n + 1);
    for (int i = 0; i < g->root.n; i++) e.uses[g->root.at[i].node->id]++;
    for (int i = g->node.n - 1; i >= 0; i--) {
        const Node *n = g->node.at[i];
        if (n->id != i) internal_error("graph_eval", "the graph is not sorted");
        for (int k = 0; e.uses[i] && k < n->n_in; k++) e.uses[n->in[k]->id]++;
    }
    for (int i = 0; i < g->node.n; i++)
        if (e.uses[i]) eval_node(&e, g->node.at[i]);
    for (int i = 0; i < g->root.n; i++) results[i] = e.value[g->root.at[i].node->id];
}
