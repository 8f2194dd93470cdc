/* layout_copy.c -- copies of the operands of contractions in another order, where that which they have costs more. */
#include "layout.h"

#include <string.h>

enum {
    PACK_REUSE = 64,               /* what is used so often may be copied into another order first */
    PACK_STEPS = 128               /* of a sum so long, and rows so wide, that the lines which its steps read push each other out */
};

/* The dimension of x that feeds the lanes: indexed by what the result has last; -1 when it has none. */
static int lane_dimension(Layout *l, const Node *n, const Contract *c, const IndexMap *map)
{
    Order order = order_of(l, n);
    for (int k = order.rank - 1; k >= 0; k--) {
        int at = order.dim[k];
        if (n->shape.dim[at] == 1) continue;
        for (int d = 0; d < map->rank; d++)
            if (c->out.dim[at].n == 1 && affine_equal(&map->dim[d], &c->out.dim[at])) return d;
        return -1;
    }
    return -1;
}

/* A copy in that order; of a transposed tensor's slice, the slice of a copy of all, which its other slices share. */
static Node *packed(Graph *g, Node *x, const Order *order)
{
    if (x->op == OP_slice && !x->has_layout && x->in[0]->op == OP_transpose) {
        Node *all = packed(g, x->in[0], order), *part = node_like(g, x, &all);
        part->has_layout = true;
        memcpy(part->layout, order->dim, sizeof part->layout);
        return part;
    }
    if (x->link && !memcmp(x->link->layout, order->dim, (size_t)order->rank)) return x->link;
    g->span = x->span;
    g->label = x->name;
    Node *copy = node_unary(g, OP_copy, x);
    copy->has_layout = true;
    memcpy(copy->layout, order->dim, sizeof copy->layout);
    return x->link = copy;
}

/* The dimension of x along which its memory runs; a slice and a transposed tensor are not stored, but read where they lie. */
static int running_dimension(Layout *l, const Node *x)
{
    if (x->op == OP_slice && !x->has_layout) return running_dimension(l, x->in[0]);
    if (x->op == OP_transpose && !x->has_layout) {
        const int64_t *axes = node_ints(x, ATTR_axes);
        const int in = running_dimension(l, x->in[0]);
        for (int d = 0; d < x->shape.rank; d++)
            if (axes[d] == in) return d;
    }
    const Order order = order_of(l, x);
    int last = order.rank - 1;
    while (last > 0 && x->shape.dim[order.dim[last]] == 1) last--;
    return order.dim[last];
}

/* Whether each dimension is indexed by an axis alone. */
static bool is_plain(const IndexMap *map)
{
    for (int d = 0; d < map->rank; d++)
        if (map->dim[d].n > 1) return false;
    return true;
}

/* How often each element is used. */
static int64_t reuse(const Contract *c, const Node *x)
{
    int64_t points = 1;
    for (int i = 0; i < c->n_axes; i++) points *= c->extent[i];
    return points / shape_elements(x->shape);
}

/* Weights that tiles transform, each element for few products: worth a copy where lanes that lie apart are gathered sixteen by sixteen. */
static bool transforms_weights(const Layout *l, const Node *n)
{
    return !n->batched && n->in[0]->op == OP_constant && n->in[1]->op == OP_param && n->in[1]->shape.rank == 4 && l->lanes >= LANES_MOST;
}

/* The dimension of an operand along which lanes lie apart, where each element is used many times; -1. */
static int lane_apart(Layout *l, const Node *n)
{
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    const Node *x = n->in[1];
    const bool transforms = transforms_weights(l, n);
    const int lane = n->batched || transforms ? lane_dimension(l, n, c, &c->b) : -1;
    double number;
    if (lane < 0 || node_is_number(x, &number) || (!transforms && reuse(c, x) < PACK_REUSE)) return -1;
    return running_dimension(l, x) == lane || (x->batched && uses_any(&c->a, &c->b.dim[lane])) ? -1 : lane;
}

/* Two dimensions of weights, of which one contraction alone finds the lanes apart, change places in the panels of its kernel. */
static bool turns_in_panels(const Layout *l, const Node *n, const int *readers)
{
    const Node *x = n->in[1];
    int dims = 0;
    for (int d = 0; d < x->shape.rank; d++) dims += x->shape.dim[d] > 1;
    return !x->batched && readers[x->id] == 1 && dims == 2 && is_plain(&node_attr(n, ATTR_contract)->contract->b) && l->panels;
}

/* The operand (as a data gradient finds weights, and a product with every key the keys) is copied, so that it runs along the lanes. */
static void pack(Layout *l, Node *n, int lane)
{
    Node *x = n->in[1];
    const Order order = order_of(l, x);
    Order moved = { 0 };
    for (int k = 0; k < order.rank; k++)
        if (order.dim[k] != lane) moved.dim[moved.rank++] = order.dim[k];
    moved.dim[moved.rank++] = (signed char)lane;
    n->in[1] = packed(l->graph, x, &moved);
}

/* The operand that rows of a tile read across a long sum (as a gradient for weights finds what its layer read) is copied so that it runs
   along the sum, where each element is used many times. */
static void pack_rows(Layout *l, Node *n, int which)
{
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    const IndexMap *map = which ? &c->b : &c->a;
    Node *x = n->in[which];
    const Order order = order_of(l, x);
    Order moved = { 0 };
    int64_t steps = 1;
    double number;
    if (node_is_number(x, &number) || !is_plain(map) || reuse(c, x) < PACK_REUSE) return;
    if (lane_dimension(l, n, c, which ? &c->a : &c->b) < 0 || !uses_any(&c->out, &map->dim[running_dimension(l, x)])) return;
    for (int sum = 0; sum < 2; sum++)
        for (int k = 0; k < order.rank; k++) {
            if (uses_any(&c->out, &map->dim[order.dim[k]]) == sum) continue;
            moved.dim[moved.rank++] = order.dim[k];
            if (sum) steps *= x->shape.dim[order.dim[k]];
        }
    if (steps >= PACK_STEPS && x->shape.dim[running_dimension(l, x)] >= PACK_STEPS) n->in[which] = packed(l->graph, x, &moved);
}

void layout_copies(Layout *l)
{
    Graph *g = l->graph;
    const int count = g->node.n;
    int *lane = NEW_ARRAY(g->arena, int, count), *readers = NEW_ARRAY(g->arena, int, count);   /* of what lies apart for them */
    for (int i = 0; i < count; i++) {
        const Node *n = g->node.at[i];
        lane[i] = n->op == OP_contract ? lane_apart(l, n) : -1;
        if (lane[i] >= 0) readers[n->in[1]->id]++;
    }
    for (int i = 0; i < count; i++) {
        Node *n = g->node.at[i];
        if (n->op != OP_contract) continue;
        pack_rows(l, n, 0);
        if (lane[i] < 0) pack_rows(l, n, 1);
        else if (!turns_in_panels(l, n, readers)) pack(l, n, lane[i]);
    }
}
