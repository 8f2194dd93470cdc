/* error.c -- how far a net's results may be off by rounding: sums of products along the worst path to a root. */
#include "../op/winograd.h"
#include "pass.h"

#include <math.h>

/* Terms that are summed for an element of the result. */
static int64_t terms(const Contract *c)
{
    int64_t n = 1;
    for (int i = 0; i < c->n_axes; i++) {
        bool out = false;
        for (int d = 0; d < c->out.rank; d++) out = out || affine_coef(&c->out.dim[d], i);
        if (!out) n *= c->extent[i];
    }
    return n;
}

static double own_error(const Node *n)
{
    if (n->op == OP_contract) return winograd_error(NULL, false, terms(node_attr(n, ATTR_contract)->contract));
    if (n->op != OP_winograd && n->op != OP_winograd_weights) return 0;
    const Winograd *form = winograd_form(node_int(n, ATTR_tile));
    if (n->op == OP_winograd) return winograd_error(form, false, n->in[0]->shape.dim[1]);
    const int64_t *dy = n->in[1]->shape.dim;
    return winograd_error(form, true, dy[0] * winograd_tiles(form, dy[2]) * winograd_tiles(form, dy[3]));
}

ErrorBound graph_error(const Graph *g)
{
    ErrorBound e = { 0 };
    double *at = NEW_ARRAY(g->arena, double, g->node.n);
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = g->node.at[i];
        for (int k = 0; k < n->n_in; k++) at[i] = fmax(at[i], at[n->in[k]->id]);
        at[i] += own_error(n);
        e.tiled += n->op == OP_winograd || n->op == OP_winograd_weights;
        e.largest = fmax(e.largest, at[i]);
    }
    return e;
}
