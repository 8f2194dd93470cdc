/* grad_contract.c -- the gradients of a contraction are contractions with the maps exchanged. */
#include "../ir/ir.h"

/* out[o] += a[p] b[q]  gives  da[p] += dy[o] b[q]  and  db[q] += a[p] dy[o]. What lies outside a tensor is not
   read forward and not written backward, so the border needs no care. */
void grad_contract(Graph *g, Node *n, Node *dy, Node **dx)
{
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    Node *a = n->in[0], *b = n->in[1];
    Contract to_a = *c, to_b = *c;
    to_a.a = c->out;
    to_a.out = c->a;
    to_a.shape = a->shape;
    to_b.b = c->out;
    to_b.out = c->b;
    to_b.shape = b->shape;
    dx[0] = node_contract(g, dy, b, &to_a);
    dx[1] = node_contract(g, a, dy, &to_b);
}
