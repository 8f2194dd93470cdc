/* eval.c -- the reference interpreter of graphs: each node in turn, in double, by plain loops over row-major arrays. */
#include "eval.h"

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

/* ---- leaves ---- */

static void eval_leaf(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)x;
    const double *from = in->leaf ? in->leaf(in->user, n) : NULL;
    if (!from) internal_error("graph_eval", "no value for %s %s", op_info[n->op].name, n->name ? n->name : "?");
    memcpy(y, from, (size_t)shape_elements(n->shape) * sizeof *y);
}

static void eval_constant(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in, (void)x;
    const Attr *data = node_attr(n, ATTR_data);
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = data ? data->data[i] : node_real(n, ATTR_value);
}

static void eval_iota(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in, (void)x;
    int64_t axis = node_int(n, ATTR_axis), count = shape_elements(n->shape);
    int64_t step = eval_strides(n->shape).step[axis], size = n->shape.dim[axis];
    for (int64_t i = 0; i < count; i++) y[i] = (double)(i / step % size);
}

static void eval_random(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)x;
    uint32_t key = (uint32_t)node_int(n, ATTR_key);
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = random_uniform(in->seed, in->step, key, (uint32_t)i);
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

double (*unary_function(Op op))(double) { return unary_of[op]; }

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

static void eval_unary(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = unary_of[n->op](x[0][i]);
}

static void eval_binary(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = binary_of[n->op](x[0][i], x[1][i]);
}

static void eval_where(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = x[0][i] != 0 ? x[1][i] : x[2][i];
}

/* Toward zero, held inside the type's range; NaN gives 0. */
static double integral(double x, double low, double high)
{
    return isnan(x) ? 0 : fmin(fmax(trunc(x), low), high);
}

static void eval_cast(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    static const struct { double low, high; } range[DTYPES] = { [DTYPE_i32] = { -0x1p31, 0x1p31 - 1 }, [DTYPE_u8] = { 0, 255 } };
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++)
        y[i] = n->dtype == DTYPE_f32 ? x[0][i] : integral(x[0][i], range[n->dtype].low, range[n->dtype].high);
}

/* ---- the graph ---- */

static EvalRule *rule_of(Op op)
{
    static EvalRule *const rules[OP_COUNT] = {
        [OP_input] = eval_leaf, [OP_param] = eval_leaf, [OP_state] = eval_leaf, [OP_scalar] = eval_leaf,
        [OP_constant] = eval_constant, [OP_iota] = eval_iota, [OP_random] = eval_random,
        [OP_where] = eval_where, [OP_cast] = eval_cast,
        [OP_sum] = eval_reduce, [OP_reduce_max] = eval_reduce, [OP_reduce_min] = eval_reduce,
        [OP_contract] = eval_contract, [OP_winograd] = eval_winograd, [OP_winograd_weights] = eval_winograd_weights,
        [OP_window_max] = eval_window_max, [OP_window_argmax] = eval_window_argmax,
        [OP_window_unpool] = eval_window_unpool, [OP_gather] = eval_gather, [OP_scatter_add] = eval_scatter_add, [OP_transpose] = eval_transpose, [OP_broadcast] = eval_broadcast,
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
    EvalRule *rule = rule_of(n->op);
    if (!rule) internal_error("graph_eval", "no rule for %s", op_info[n->op].name);
    const double **x = NEW_ARRAY(e->arena, const double *, n->n_in + 1);
    for (int i = 0; i < n->n_in; i++) x[i] = e->value[n->in[i]->id];
    e->value[n->id] = take(e, shape_elements(n->shape));
    rule(e->in, n, x, e->value[n->id]);
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
