/* grad_reduce.c -- gradients of reductions: dy is spread over what was reduced. */
#include "../ir/ir.h"

/* `y`, which lacks the axes that n reduced, repeated along them. */
static Node *spread(Graph *g, const Node *n, Node *y)
{
    const Node *x = n->in[0];
    const Attr *axes = node_attr(n, ATTR_axes);
    int64_t kept[RANK_MAX];
    for (int d = 0, i = 0, k = 0; d < x->shape.rank; d++) {
        if (i < axes->n && axes->ints[i] == d) i++;
        else kept[k++] = d;
    }
    return node_broadcast(g, y, x->shape, kept, x->batched);
}

void grad_sum(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = spread(g, n, dy);
}

/* dy in equal parts to all elements that are the largest, as PyTorch's amax has it. */
static void grad_extremum(Graph *g, Node *n, Node *dy, Node **dx)
{
    const Attr *axes = node_attr(n, ATTR_axes);
    Node *equal = node_binary(g, OP_eq, n->in[0], spread(g, n, n));
    Node *count = node_reduce(g, OP_sum, equal, axes->ints, axes->n);
    dx[0] = node_binary(g, OP_mul, equal, spread(g, n, node_binary(g, OP_div, dy, count)));
}

void grad_reduce_max(Graph *g, Node *n, Node *dy, Node **dx) { grad_extremum(g, n, dy, dx); }
void grad_reduce_min(Graph *g, Node *n, Node *dy, Node **dx) { grad_extremum(g, n, dy, dx); }
