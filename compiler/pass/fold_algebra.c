/* fold_algebra.c -- identities of arithmetic. x * 0 stays: it is nan where x is not finite. */
#include "fold.h"

#include <math.h>

static Node *pair(Graph *g, Op op, Node *x, Node *y) { return folded(g, node_new(g, op, 2, (Node *[]){x, y}, 0, NULL)); }
static Node *negated(Graph *g, Node *x) { return folded(g, node_unary(g, OP_neg, x)); }
static Node *number_like(Graph *g, const Node *n, double v) { return node_fill(g, v, n->shape, n->batched); }
static bool is(const Node *n, double v) { double x; return node_is_number(n, &x) && x == v; }
static bool is_number(const Node *n) { double x; return node_is_number(n, &x); }
static bool is_neg(const Node *n) { return n->op == OP_neg; }

/* Far enough from the ends of f32 that no finite product becomes infinite or zero by regrouping. */
static bool is_moderate(double x) { return fabs(x) > 1e-30 && fabs(x) < 1e30; }

static bool is_power_of_two(double x)
{
    int e;
    return isfinite(x) && fabs(frexp(x, &e)) == 0.5 && e > -100 && e < 100;
}

static Node *fold_neg(Graph *g, Node *n)
{
    Node *x = n->in[0];
    double c;
    if (is_neg(x)) return x->in[0];
    if (x->op == OP_sub) return NULL;  /* -(a - b) is not b - a where that is 0 */
    if (x->op == OP_mul && node_is_number(x->in[1], &c)) return pair(g, OP_mul, x->in[0], number_like(g, x, -c));
    return NULL;
}

static Node *fold_add(Graph *g, Node *n)
{
    Node *x = n->in[0], *y = n->in[1];
    if (is(y, 0)) return x;
    if (is_number(x) && !is_number(y)) return pair(g, OP_add, y, x);
    if (is_neg(y)) return pair(g, OP_sub, x, y->in[0]);
    if (is_neg(x)) return pair(g, OP_sub, y, x->in[0]);
    return NULL;
}

static Node *fold_sub(Graph *g, Node *n)
{
    Node *x = n->in[0], *y = n->in[1];
    if (is(y, 0)) return x;
    if (is(x, 0)) return negated(g, y);
    if (is_neg(y)) return pair(g, OP_add, x, y->in[0]);
    return NULL;
}

static Node *fold_mul(Graph *g, Node *n)
{
    Node *x = n->in[0], *y = n->in[1];
    double a, b;
    if (is(y, 1)) return x;
    if (is(y, -1)) return negated(g, x);
    if (is_number(x) && !is_number(y)) return pair(g, OP_mul, y, x);
    if (is_neg(x) && is_neg(y)) return pair(g, OP_mul, x->in[0], y->in[0]);
    if (!node_is_number(y, &b)) return NULL;
    if (is_neg(x)) return pair(g, OP_mul, x->in[0], number_like(g, y, -b));
    if (x->op == OP_mul && node_is_number(x->in[1], &a) && is_moderate(a) && is_moderate(b) && is_moderate(a * b))
        return pair(g, OP_mul, x->in[0], number_like(g, n, a * b));
    return NULL;
}

static Node *fold_div(Graph *g, Node *n)
{
    Node *x = n->in[0], *y = n->in[1];
    double c;
    if (is(y, 1)) return x;
    if (is_neg(x) && is_neg(y)) return pair(g, OP_div, x->in[0], y->in[0]);
    if (!node_is_number(y, &c)) return NULL;
    if (is_power_of_two(c)) return pair(g, OP_mul, x, number_like(g, y, 1 / c));
    return is_neg(x) ? pair(g, OP_div, x->in[0], number_like(g, y, -c)) : NULL;
}

static Node *fold_pow(Graph *g, Node *n)
{
    Node *x = n->in[0], *y = n->in[1];
    if (is(y, 0)) return number_like(g, n, 1);
    if (is(y, 1)) return x;
    return is(y, 2) ? pair(g, OP_mul, x, x) : NULL;
}

static Node *fold_repeated(Graph *g, Node *n)
{
    (void)g;
    return n->in[0]->op == n->op ? n->in[0] : NULL;
}

static Node *fold_where(Graph *g, Node *n)
{
    Node *condition = n->in[0];
    double c;
    (void)g;
    if (node_is_number(condition, &c)) return c != 0 ? n->in[1] : n->in[2];
    if (n->in[1] == n->in[2]) return n->in[1];
    bool is_truth = condition->op >= OP_eq && condition->op <= OP_ge;
    return is_truth && is(n->in[1], 1) && is(n->in[2], 0) ? condition : NULL;
}

/* Of a constant there is no gradient to stop. */
static Node *fold_stop(Graph *g, Node *n)
{
    (void)g;
    return is_number(n->in[0]) || n->in[0]->op == OP_constant || n->in[0]->op == n->op ? n->in[0] : NULL;
}

static Node *fold_cast(Graph *g, Node *n)
{
    (void)g;
    return n->in[0]->dtype == n->dtype ? n->in[0] : NULL;
}

static FoldRule *const algebra[OP_COUNT] = {
    [OP_neg] = fold_neg,   [OP_add] = fold_add,        [OP_sub] = fold_sub,
    [OP_mul] = fold_mul,   [OP_div] = fold_div,        [OP_pow] = fold_pow,
    [OP_abs] = fold_repeated, [OP_relu] = fold_repeated, [OP_floor] = fold_repeated,
    [OP_where] = fold_where, [OP_cast] = fold_cast,    [OP_stop_gradient] = fold_stop,
};

Node *fold_algebra(Graph *g, Node *n) { return algebra[n->op] ? algebra[n->op](g, n) : NULL; }
