/* grad_move.c -- gradients of what only moves elements: the move back. */
#include "../ir/ir.h"

void grad_copy(Graph *g, Node *n, Node *dy, Node **dx)
{
    (void)g, (void)n;
    dx[0] = dy;
}

void grad_reshape(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = node_reshape(g, dy, n->in[0]->shape);
    if (dx[0] != dy) dx[0]->batched |= n->in[0]->batched;
}

void grad_transpose(Graph *g, Node *n, Node *dy, Node **dx)
{
    const int64_t *axes = node_ints(n, ATTR_axes);
    int64_t back[RANK_MAX];
    for (int d = 0; d < n->shape.rank; d++) back[axes[d]] = d;
    dx[0] = node_transpose(g, dy, back);
}

/* The sum over the dimensions that x did not have. */
void grad_broadcast(Graph *g, Node *n, Node *dy, Node **dx)
{
    const Attr *axes = node_attr(n, ATTR_axes);
    int64_t made[RANK_MAX];
    int n_made = 0;
    for (int d = 0, i = 0; d < n->shape.rank; d++) {
        if (i < axes->n && axes->ints[i] == d) i++;
        else made[n_made++] = d;
    }
    dx[0] = node_reduce(g, OP_sum, dy, made, n_made);
}

void grad_slice(Graph *g, Node *n, Node *dy, Node **dx)
{
    const int64_t *start = node_ints(n, ATTR_start);
    const Shape whole = n->in[0]->shape;
    int64_t high[RANK_MAX];
    for (int d = 0; d < whole.rank; d++) high[d] = whole.dim[d] - start[d] - n->shape.dim[d];
    dx[0] = node_pad(g, dy, start, high, 0);
}

void grad_reverse(Graph *g, Node *n, Node *dy, Node **dx)
{
    const Attr *axes = node_attr(n, ATTR_axes);
    dx[0] = node_reverse(g, dy, axes->ints, axes->n);
}

void grad_pad(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = node_slice(g, dy, node_ints(n, ATTR_low), n->in[0]->shape);
}

void grad_concat(Graph *g, Node *n, Node *dy, Node **dx)
{
    const int64_t axis = node_int(n, ATTR_axis);
    int64_t start[RANK_MAX] = { 0 };
    for (int i = 0; i < n->n_in; i++) {
        dx[i] = node_slice(g, dy, start, n->in[i]->shape);
        start[axis] += n->in[i]->shape.dim[axis];
    }
}

void grad_gather(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = node_scatter_add(g, dy, n->in[1], n->in[0]->shape);
}

void grad_scatter_add(Graph *g, Node *n, Node *dy, Node **dx)
{
    dx[0] = node_gather(g, dy, n->in[1]);
}
