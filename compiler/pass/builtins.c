/* builtins.c -- the functions that blocks are written with. */
#include "builtins.h"

#include <math.h>
#include <string.h>

static Node *operand_of(Call *c, int i, bool real)
{
    return value_to_node(c->r, c->arg[i], c->at[i], arena_printf(c->r->arena, "the operand of `%s`", c->name), real);
}
Node *operand(Call *c, int i) { return operand_of(c, i, true); }
Node *operand_any(Call *c, int i) { return operand_of(c, i, false); }

/* ---- elementwise ---- */

/* Elementwise operators of one operand are functions of the language under their own name. */
bool op_is_function(Op op) { return op_info[op].flags & OF_UNARY && op != OP_neg && op != OP_stop_gradient; }

static Value call_unary(Call *c)
{
    Op op = 0;
    while (op < OP_COUNT && (!op_is_function(op) || strcmp(op_info[op].name, c->name))) op++;
    if (value_is_number(c->arg[0])) {
        double y = unary_function(op)(value_number(c->arg[0]));
        return op == OP_floor && fabs(y) < 0x1p63 ? value_int((int64_t)y) : value_real(y);
    }
    Node *x = operand(c, 0);
    return x ? value_tensor(node_unary(c->r->graph, op, x)) : value_poison();
}

static Value elementwise2(Call *c, Op op, int i, int k)
{
    Node *x = operand(c, i), *y = operand(c, k);
    if (!x || !y || !resolve_broadcast(c->r, &x, &y, c->span, arena_printf(c->r->arena, "`%s`", c->name))) return value_poison();
    return value_tensor(node_binary(c->r->graph, op, x, y));
}

static Value call_pow(Call *c) { return resolve_binary(c->r, AOP_pow, c->arg[0], c->arg[1], c->span); }

static Value call_where(Call *c)
{
    Node *x[3];
    for (int i = 0; i < 3; i++)
        if (!(x[i] = operand(c, i))) return value_poison();
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < i; k++)
            if (!resolve_broadcast(c->r, &x[k], &x[i], c->span, "`where`")) return value_poison();
    return value_tensor(node_where(c->r->graph, x[0], x[1], x[2]));
}

static Value call_cast(Call *c)
{
    Node *x = operand_any(c, 0);
    if (!x || c->arg[1].kind != VALUE_dtype) {
        if (x) resolve_error(c->r, c->at[1], "`cast` needs a type, f32, i32 or u8, not %s", value_text(c->r->arena, c->arg[1]));
        return value_poison();
    }
    return value_tensor(node_cast(c->r->graph, x, c->arg[1].dtype));
}

static Value call_stop_gradient(Call *c)
{
    Node *x = operand(c, 0);
    return x ? value_tensor(node_unary(c->r->graph, OP_stop_gradient, x)) : value_poison();
}

/* ---- reductions ---- */

/* Axes of arg 1 (a number or a list; none: all), as the node counts them, ascending. False after an error. */
static bool reduce_axes(Call *c, Node *x, int64_t *axes, int *n)
{
    bool in[RANK_MAX] = {false};
    Value v = c->arg[1];
    for (int d = x->batched; d < x->shape.rank && !c->given[1]; d++) in[d] = true;
    for (int i = 0; c->given[1] && i < (v.kind == VALUE_list ? v.n : 1); i++) {
        int axis;
        if (!sample_axis(c->r, x, v.kind == VALUE_list ? v.item[i] : v, c->at[1], &axis)) return false;
        if (in[axis]) {
            resolve_error(c->r, c->at[1], "the same axis twice");
            return false;
        }
        in[axis] = true;
    }
    *n = 0;
    for (int d = 0; d < x->shape.rank; d++)
        if (in[d]) axes[(*n)++] = d;
    return true;
}

static Node *keep_axes(Graph *g, Node *y, Shape full, const int64_t *axes, int n)
{
    for (int i = 0; i < n; i++) full.dim[axes[i]] = 1;
    return node_reshape(g, y, full);
}

static Node *reduce_op(Graph *g, const char *name, Node *x, const int64_t *axes, int n)
{
    double count = 1;
    for (int i = 0; i < n; i++) count *= (double)x->shape.dim[axes[i]];
    if (!strcmp(name, "max")) return node_reduce(g, OP_reduce_max, x, axes, n);
    if (!strcmp(name, "min")) return node_reduce(g, OP_reduce_min, x, axes, n);
    Node *sum = node_reduce(g, OP_sum, x, axes, n);
    return strcmp(name, "mean") || !n ? sum : node_binary(g, OP_mul, sum, node_number(g, 1 / count));
}

static Value call_reduce(Call *c)
{
    int64_t axes[RANK_MAX];
    int n;
    bool keep = false;
    Node *x = operand(c, 0);
    if (!x || !reduce_axes(c, x, axes, &n)) return value_poison();
    if (c->given[2] && !value_to_bool(c->r, c->arg[2], c->at[2], "keep", &keep)) return value_poison();
    Node *y = reduce_op(c->r->graph, c->name, x, axes, n);
    return value_tensor(keep ? keep_axes(c->r->graph, y, x->shape, axes, n) : y);
}

/* max(x, y), or the largest over axes: max(x, axis=1). Compile-time numbers too. */
static Value call_extreme(Call *c)
{
    bool max = c->name[1] == 'a';
    if (!c->given[1]) {   /* formals x, y, axis, keep become those of call_reduce */
        for (int i = 1; i < 3; i++) c->arg[i] = c->arg[i + 1], c->given[i] = c->given[i + 1], c->at[i] = c->at[i + 1];
        return call_reduce(c);
    }
    if (value_is_number(c->arg[0]) && value_is_number(c->arg[1]))
        return (value_number(c->arg[0]) > value_number(c->arg[1])) == max ? c->arg[0] : c->arg[1];
    return elementwise2(c, max ? OP_max : OP_min, 0, 1);
}

/* The first index that holds the largest, an i32: min over where(x == max, index, size). */
static Value call_argmax(Call *c)
{
    Graph *g = c->r->graph;
    Node *x = operand(c, 0);
    if (!x) return value_poison();
    int axis = x->shape.rank - 1;
    if (sample_shape(x).rank == 0 || (c->given[1] && !sample_axis(c->r, x, c->arg[1], c->at[1], &axis))) {
        if (!c->given[1]) resolve_error(c->r, c->at[0], "`argmax` needs a tensor with an axis");
        return value_poison();
    }
    if (!c->given[1] && sample_shape(x).rank > 1) {   /* over all elements */
        Shape flat = {.rank = 1 + x->batched, .dim = {x->shape.dim[0], shape_elements(sample_shape(x))}};
        if (!x->batched) flat.dim[0] = flat.dim[1];
        x = node_reshape(g, x, flat);
        axis = flat.rank - 1;
    }
    x = node_unary(g, OP_stop_gradient, x);
    int64_t axes[1] = {axis}, others[RANK_MAX];
    int n = 0;
    for (int d = 0; d < x->shape.rank; d++)
        if (d != axis) others[n++] = d;
    Node *largest = node_broadcast(g, node_reduce(g, OP_reduce_max, x, axes, 1), x->shape, others, x->batched);
    Node *index = node_where(g, node_binary(g, OP_eq, x, largest), node_iota(g, x->shape, axis, x->batched),
                             node_number(g, (double)x->shape.dim[axis]));
    return value_tensor(node_cast(g, node_reduce(g, OP_reduce_min, index, axes, 1), DTYPE_i32));
}

/* ---- compile-time values ---- */

static Value call_len(Call *c)
{
    if (c->arg[0].kind == VALUE_list) return value_int(c->arg[0].n);
    resolve_error(c->r, c->at[0], "`len` takes a list, not %s", value_text(c->r->arena, c->arg[0]));
    return value_poison();
}

static Value call_product(Call *c)
{
    Value y = value_int(1);
    if (c->arg[0].kind != VALUE_list) return resolve_binary(c->r, AOP_mul, y, c->arg[0], c->span);
    for (int i = 0; i < c->arg[0].n; i++) y = resolve_binary(c->r, AOP_mul, y, c->arg[0].item[i], c->span);
    return y;
}

/* A number or a list of n as a list of n. */
static Value call_per_axis(Call *c)
{
    int64_t n, v[RANK_MAX];
    if (!value_to_int(c->r, c->arg[1], c->at[1], "the number of axes", 0, RANK_MAX, &n)) return value_poison();
    if (!value_to_ints(c->r, c->arg[0], c->at[0], "a size", (int)n, INT32_MIN, INT32_MAX, v)) return value_poison();
    Value list = {.kind = VALUE_list, .n = (int)n, .item = NEW_ARRAY(c->r->arena, Value, n)};
    for (int i = 0; i < n; i++) list.item[i] = value_int(v[i]);
    return list;
}

/* The number itself, which must be whole and at least 1: whole(width / heads, "the width of a head"). */
static Value call_whole(Call *c)
{
    int64_t n;
    if (c->arg[1].kind != VALUE_string) {
        resolve_error(c->r, c->at[1], "`whole` takes a number and a text that says what it is, not %s", value_text(c->r->arena, c->arg[1]));
        return value_poison();
    }
    return value_to_int(c->r, c->arg[0], c->at[0], c->arg[1].text, 1, INT32_MAX, &n) ? value_int(n) : value_poison();
}

/* ---- training ---- */

/* The mean over the batch and all axes but `channel`, which is 0 when not given. */
static Value call_batch_mean(Call *c)
{
    Node *x = operand(c, 0);
    int64_t axes[RANK_MAX];
    int n = 0, channel;
    if (!x || !sample_axis(c->r, x, c->given[1] ? c->arg[1] : value_int(0), c->span, &channel)) return value_poison();
    for (int d = 0; d < x->shape.rank; d++)
        if (d != channel) axes[n++] = d;
    return value_tensor(reduce_op(c->r->graph, "mean", x, axes, n));
}

static Value call_update(Call *c)
{
    Shared *param = c->arg[0].kind == VALUE_tensor ? shared_of(c->r, c->arg[0].node) : NULL;
    if (!param) {
        resolve_error(c->r, c->at[0], "`update` takes a parameter, not %s", value_text(c->r->arena, c->arg[0]));
        return value_poison();
    }
    Node *target = param->node, *value = operand(c, 1);
    if (!value) return value_poison();
    if (!shape_equal(value->shape, target->shape) || value->batched) {
        resolve_error(c->r, c->at[1], "`update`: the parameter is %s, the value %s", shape_text(c->r->arena, target->shape),
                      shape_text(c->r->arena, value->shape));
        return value_poison();
    }
    if (c->r->options->mode == MODE_train) shared_update(c->r, param, value, c->span);
    return c->arg[0];
}

static Value call_total(Call *c)
{
    Node *x = operand(c, 0);
    if (!x) return value_poison();
    if (sample_shape(x).rank) {
        resolve_error(c->r, c->at[0], "`total` sums one number per sample, not %s; reduce it first", shape_text(c->r->arena, sample_shape(x)));
        return value_poison();
    }
    return total_of(c->r, x, c->span);
}


static Value call_matmul(Call *c)
{
    for (int i = 0; i < 2; i++)
        if (c->arg[i].kind != VALUE_tensor) {
            Node *x = operand(c, i);
            if (!x) return value_poison();
            c->arg[i] = value_tensor(x);
        }
    return resolve_binary(c->r, AOP_matmul, c->arg[0], c->arg[1], c->span);
}

const Builtin builtins[] = {
    {"min", "x, y=, axis=, keep=", call_extreme}, {"max", "x, y=, axis=, keep=", call_extreme},
    {"pow", "x, y", call_pow}, {"where", "condition, x, y", call_where}, {"cast", "x, type", call_cast},
    {"stop_gradient", "x", call_stop_gradient},
    {"sum", "x, axis=, keep=", call_reduce}, {"mean", "x, axis=, keep=", call_reduce}, {"argmax", "x, axis=", call_argmax},
    {"reshape", "x, shape", call_reshape}, {"transpose", "x, axes", call_transpose}, {"concat", "list, axis=", call_concat},
    {"split", "x, parts, axis=", call_split}, {"pad", "x, low, high=, value=", call_pad}, {"slice", "x, start, size", call_slice},
    {"reverse", "x, axis", call_reverse},
    {"zeros", "...", call_zeros}, {"ones", "...", call_ones}, {"fill", "value, shape", call_fill}, {"iota", "n", call_iota}, {"one_hot", "label, classes", call_one_hot},
    {"random_uniform", "...", call_random_uniform}, {"random_normal", "...", call_random_normal},
    {"uniform", "low, high", call_uniform}, {"normal", "mean, deviation", call_normal}, {"untrained", "start", call_untrained},
    {"len", "list", call_len}, {"product", "list", call_product}, {"per_axis", "value, axes", call_per_axis},
    {"whole", "number, what", call_whole},
    {"batch_mean", "x, channel=", call_batch_mean}, {"update", "param, value", call_update}, {"total", "x", call_total},
    {"convolve", "x, weight, stride=, pad=, dilation=, groups=", call_convolve},
    {"convolve_transpose", "x, weight, stride=, pad=, dilation=, groups=, output_pad=", call_convolve_transpose},
    {"window_max", "x, kernel, stride=, pad=, dilation=", call_window_max},
    {"window_sum", "x, kernel, stride=, pad=, dilation=", call_window_sum},
    {"linear", "x, weight", call_linear}, {"gather", "table, index", call_gather}, {"matmul", "x, y", call_matmul},
    {NULL, NULL, NULL}};

const Builtin *builtin_find(const char *name)
{
    for (const Builtin *b = builtins; b->name; b++)
        if (!strcmp(b->name, name)) return b;
    static const Builtin unary = {"", "x", call_unary};
    for (Op op = 0; op < OP_COUNT; op++)
        if (op_is_function(op) && !strcmp(op_info[op].name, name)) return &unary;
    return NULL;
}
