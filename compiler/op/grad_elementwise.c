/* grad_elementwise.c -- gradients of the operators that work element by element.
   Each gives dx[i] = dy * d result / d operand i; the result stands in where it says the same as the operand,
   because it is often kept anyway. */
#include "../ir/ir.h"

static Node *add(Graph *g, Node *x, Node *y) { return node_binary(g, OP_add, x, y); }
static Node *sub(Graph *g, Node *x, Node *y) { return node_binary(g, OP_sub, x, y); }
static Node *mul(Graph *g, Node *x, Node *y) { return node_binary(g, OP_mul, x, y); }
static Node *divide(Graph *g, Node *x, Node *y) { return node_binary(g, OP_div, x, y); }
static Node *neg(Graph *g, Node *x) { return node_unary(g, OP_neg, x); }
static Node *number(Graph *g, double x) { return node_number(g, x); }

/* No gradient flows: steps, comparisons, stop_gradient. */
void grad_zero(Graph *g, Node *n, Node *dy, Node **dx)
{
    (void)g, (void)n, (void)dy, (void)dx;
}

void grad_neg(Graph *g, Node *n, Node *dy, Node **dx)
{
    (void)n;
    dx[0] = neg(g, dy);
}

/* dy y */
void grad_exp(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = mul(g, dy, n);
}

/* dy (y + 1) */
void grad_expm1(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = mul(g, dy, add(g, n, number(g, 1)));
}

/* dy / x */
void grad_log(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = divide(g, dy, n->in[0]);
}

/* dy / (1 + x) */
void grad_log1p(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = divide(g, dy, add(g, n->in[0], number(g, 1)));
}

/* dy / (2 y) */
void grad_sqrt(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = divide(g, mul(g, dy, number(g, 0.5)), n);
}

/* dy sign(x), 0 at 0 */
void grad_abs(Graph *g, Node *n, Node *dy, Node **dx)
{
    Node *zero = number(g, 0), *x = n->in[0];
    Node *below = node_where(g, node_binary(g, OP_lt, x, zero), neg(g, dy), zero);
    dx[0] = node_where(g, node_binary(g, OP_gt, x, zero), dy, below);
}

void grad_sin(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = mul(g, dy, node_unary(g, OP_cos, n->in[0]));
}

void grad_cos(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = neg(g, mul(g, dy, node_unary(g, OP_sin, n->in[0])));
}

/* dy (1 - y^2) */
void grad_tanh(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = mul(g, dy, sub(g, number(g, 1), mul(g, n, n)));
}

/* dy y (1 - y) */
void grad_sigmoid(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = mul(g, dy, mul(g, n, sub(g, number(g, 1), n)));
}

/* dy 2 / sqrt(pi) e^(-x^2) */
void grad_erf(Graph *g, Node *n, Node *dy, Node **dx)
{
    Node *x = n->in[0], *bell = node_unary(g, OP_exp, neg(g, mul(g, x, x)));
    dx[0] = mul(g, dy, mul(g, bell, number(g, 1.12837916709551257390)));
}

void grad_relu(Graph *g, Node *n, Node *dy, Node **dx)
{
    Node *zero = number(g, 0);
    dx[0] = node_where(g, node_binary(g, OP_gt, n, zero), dy, zero);
}

void grad_add(Graph *g, Node *n, Node *dy, Node **dx)
{
    (void)g, (void)n;
    dx[0] = dx[1] = dy;
}

void grad_sub(Graph *g, Node *n, Node *dy, Node **dx)
{
    (void)n;
    dx[0] = dy;
    dx[1] = neg(g, dy);
}

void grad_mul(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = mul(g, dy, n->in[1]);
    dx[1] = mul(g, dy, n->in[0]);
}

/* dy / b and -dy y / b */
void grad_div(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = divide(g, dy, n->in[1]);
    dx[1] = neg(g, mul(g, dx[0], n));
}

/* dy goes to the first operand where `first` is not 0, else to the second. */
static void choose(Graph *g, Node *first, Node *dy, Node **to, Node **other)
{
    Node *zero = number(g, 0);
    *to = node_where(g, first, dy, zero);
    *other = node_where(g, first, zero, dy);
}

void grad_max(Graph *g, Node *n, Node *dy, Node **dx)
{
    choose(g, node_binary(g, OP_ge, n->in[0], n->in[1]), dy, &dx[0], &dx[1]);
}

void grad_min(Graph *g, Node *n, Node *dy, Node **dx)
{
    choose(g, node_binary(g, OP_le, n->in[0], n->in[1]), dy, &dx[0], &dx[1]);
}

void grad_where(Graph *g, Node *n, Node *dy, Node **dx)
{
    choose(g, n->in[0], dy, &dx[1], &dx[2]);
}

/* dy b a^(b-1) and dy y log(a), the latter 0 where a is not above 0. */
void grad_pow(Graph *g, Node *n, Node *dy, Node **dx)
{
    Node *a = n->in[0], *b = n->in[1], *one = number(g, 1);
    double power;
    if (node_is_number(b, &power)) {
        Node *slope = power == 2 ? a : node_binary(g, OP_pow, a, number(g, power - 1));
        if (power != 0) dx[0] = mul(g, dy, mul(g, slope, number(g, power)));
        return;
    }
    Node *positive = node_binary(g, OP_gt, a, number(g, 0));
    dx[0] = mul(g, dy, mul(g, b, node_binary(g, OP_pow, a, sub(g, b, one))));
    dx[1] = mul(g, dy, mul(g, n, node_unary(g, OP_log, node_where(g, positive, a, one))));
}

/* Only real numbers have gradients, and the type of dy is theirs. */
void grad_cast(Graph *g, Node *n, Node *dy, Node **dx)
{
    (void)g;
    if (n->in[0]->dtype == DTYPE_f32) dx[0] = dy;
}
