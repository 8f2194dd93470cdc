/* grad_window.c -- the gradient of a maximum over windows goes to the first element that is the maximum. */
#include "../ir/ir.h"

void grad_window_max(Graph *g, Node *n, Node *dy, Node **dx)
{
    Node *x = n->in[0];
    Attr attr[] = { *node_attr(n, ATTR_window), *node_attr(n, ATTR_stride), *node_attr(n, ATTR_dilation),
                    { .name = ATTR_shape, .n = x->shape.rank, .ints = x->shape.dim } };
    Node *argmax = node_new(g, OP_window_argmax, 2, (Node *[]){ x, n }, 3, attr);
    dx[0] = node_new(g, OP_window_unpool, 2, (Node *[]){ dy, argmax }, 4, attr);
}
