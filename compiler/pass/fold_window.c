/* fold_window.c -- what goes with maxima over windows, and with their gradient, on fewer elements. */
#include "fold.h"

static bool is_used_once(const Graph *g, const Node *x)
{
    int users = 0;
    for (int i = 0; i < g->root.n; i++) users += node_now(g->root.at[i].node) == x;
    for (int i = 0; i < g->node.n && users < 2; i++)
        for (int k = 0; k < g->node.at[i]->n_in; k++) users += node_now(g->node.at[i]->in[k]) == x;
    return users == 1;
}

/* relu keeps the order, so the largest comes first; where that is not positive, neither passes a gradient on. */
static Node *max_of_relu(Graph *g, Node *n)
{
    Node *x = n->in[0];
    if (x->op != OP_relu || !is_used_once(g, x)) return NULL;
    const Attr attr[] = {*node_attr(n, ATTR_window), *node_attr(n, ATTR_stride), *node_attr(n, ATTR_dilation)};
    return node_unary(g, OP_relu, node_new(g, OP_window_max, 1, &x->in[0], LENGTH(attr), attr));
}

/* Each dy goes to one element: where windows are summed whole, they need not be laid out. */
static Node *sum_of_unpool(Graph *g, Node *n)
{
    Node *x = n->in[0];
    if (x->op != OP_window_unpool) return NULL;
    const Attr *axes = node_attr(n, ATTR_axes);
    const int64_t *window = node_ints(x, ATTR_window), *stride = node_ints(x, ATTR_stride);
    for (int d = 0; d < x->shape.rank; d++) {
        bool summed = false;
        for (int i = 0; i < axes->n; i++) summed |= axes->ints[i] == d;
        if (!summed && (window[d] != 1 || stride[d] != 1)) return NULL;
    }
    return folded(g, node_reduce(g, OP_sum, x->in[0], axes->ints, axes->n));
}

Node *fold_window(Graph *g, Node *n) { return n->op == OP_window_max ? max_of_relu(g, n) : n->op == OP_sum ? sum_of_unpool(g, n) : NULL; }
