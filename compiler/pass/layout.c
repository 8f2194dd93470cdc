/* layout.c -- chooses the stored order of tensors, so that what fills vector lanes lies side by side.

   Tensors that elementwise operators, padding, pooling and the like tie together lie alike: they form a class, which has
   one order of dimensions. Orders come from contractions:
   - weights: windows first, then what is summed over, then the result's channels, which feed the lanes;
   - results per sample: what comes from the weights alone (the channels) last, where there are enough to fill lanes.
   Inputs of fewer channels than the target has lanes keep their order, and so does what is computed from them element by element.
   So do tables whose rows are gathered, whatever else reads them. Large weights with moments run along the shorter dimension.
   A program is right with any layout; lowering takes what it finds. */
#include "layout.h"

#include <string.h>

enum {
    LANES_LEAST = 8,               /* a target of fewer takes what is laid out for these */
    CHANNELS_FEW = 8,              /* of a result: what its sums run over fills lanes better */
    MOMENTS = 2, UPDATED_FAR = 2 << 20     /* of so many tensors beside weights of more bytes, no cache holds what an update reads */
};

/* ---- classes ---- */

static int class_of(Layout *l, const Node *n)
{
    int i = n->id;
    while (l->parent[i] != i) i = l->parent[i] = l->parent[l->parent[i]];
    return i;
}

static void tie(Layout *l, const Node *x, const Node *y)
{
    int a = class_of(l, x), b = class_of(l, y);
    if (x->shape.rank == y->shape.rank && a != b) l->parent[a > b ? a : b] = a > b ? b : a;
}

/* Operators whose result has the dimensions of their operands in the same places. */
static bool keeps_dimensions(Op op)
{
    return op_is_elementwise(op) || op == OP_copy || op == OP_pad || op == OP_slice || op == OP_reverse || op == OP_concat ||
           op == OP_window_max || op == OP_window_argmax || op == OP_window_unpool;
}

/* A contraction within each channel (of a window with weights of its own, or the mean): as a pooling. */
static bool within_channels(const Node *n)
{
    const Contract *c = n->op == OP_contract ? node_attr(n, ATTR_contract)->contract : NULL;
    if (!c || !n->in[0]->batched || n->in[1]->batched || c->a.rank != c->out.rank) return false;
    for (int d = 0; d < c->out.rank; d++)
        for (int t = 0; t < c->out.dim[d].n; t++)
            if (!affine_coef(&c->a.dim[d], c->out.dim[d].axis[t])) return false;
    return true;
}

static void tie_all(Layout *l)
{
    const Graph *g = l->graph;
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = g->node.at[i];
        /* Updates of params of one shape share what is spread over it (rate, decay), and have nothing else to do with each other. */
        for (int k = 0; keeps_dimensions(n->op) && k < n->n_in; k++)
            if (n->batched || n->in[k]->op != OP_broadcast) tie(l, n, n->in[k]);
        if (within_channels(n)) tie(l, n, n->in[0]);
    }
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].target) tie(l, g->root.at[i].node, g->root.at[i].target);
}

static void propose(Layout *l, const Node *n, Order order)
{
    Order *of_class = &l->order[class_of(l, n)];
    if (of_class->rank < 0) *of_class = order;
}

static Order row_major(int rank)
{
    Order order = { .rank = rank };
    for (int d = 0; d < rank; d++) order.dim[d] = (signed char)d;
    return order;
}

static bool is_row_major(const Order *order)
{
    for (int d = 0; d < order->rank; d++)
        if (order->dim[d] != d) return false;
    return true;
}

Order order_of(Layout *l, const Node *n)
{
    const Order *order = &l->order[class_of(l, n)];
    return order->rank < 0 ? row_major(n->shape.rank) : *order;
}

/* Dimensions by key, those of equal keys in their order. */
static Order order_by(int rank, const int *key)
{
    Order order = { 0 };
    for (int k = 0; k <= 2; k++)
        for (int d = 0; d < rank; d++)
            if (key[d] == k) order.dim[order.rank++] = (signed char)d;
    return order;
}

/* ---- contractions ---- */

static bool uses(const IndexMap *map, int axis)
{
    for (int d = 0; d < map->rank; d++)
        if (affine_coef(&map->dim[d], axis)) return true;
    return false;
}

bool uses_any(const IndexMap *map, const Affine *x)
{
    for (int t = 0; t < x->n; t++)
        if (uses(map, x->axis[t])) return true;
    return false;
}

/* The axis is a whole dimension, not a step inside a window. */
static bool is_dimension(const IndexMap *map, int axis)
{
    for (int d = 0; d < map->rank; d++)
        if (map->dim[d].n == 1 && map->dim[d].axis[0] == axis && map->dim[d].coef[0] == 1) return true;
    return false;
}

/* Where the result has few channels and each sums over a window of more, what is summed over feeds the lanes. */
static Order weight_order(const Contract *c, const IndexMap *weight, const IndexMap *other)
{
    int key[RANK_MAX];
    int64_t kept = 1, in_window = 1, windows = 1;
    for (int d = 0; d < weight->rank; d++) {
        const Affine *x = &weight->dim[d];
        bool summed = x->n == 1 && is_dimension(other, x->axis[0]);
        int64_t extent = x->n == 1 ? c->extent[x->axis[0]] : 1;
        key[d] = uses_any(&c->out, x) ? 2 : summed ? 1 : 0;
        *(key[d] == 2 ? &kept : summed ? &in_window : &windows) *= extent;
    }
    if (windows > 1 && kept < CHANNELS_FEW && in_window > kept)
        for (int d = 0; d < weight->rank; d++) key[d] = key[d] == 2 ? 0 : key[d] + 1;
    return order_by(weight->rank, key);
}

/* Channels too few to fill the lanes, and columns that fill them better by an eighth. */
static bool is_planar(const Layout *l, Shape s)
{
    const int64_t lanes = l->lanes, channels = s.dim[1], columns = s.dim[s.rank - 1], filled = (columns + lanes - 1) / lanes * lanes;
    return s.rank >= 3 && channels < lanes && 8 * columns * lanes >= 9 * channels * filled;
}

/* The channels last. Where both operands are per sample, only what is of b alone. */
static Order result_order(const Layout *l, const Node *n, const Contract *c)
{
    if (is_planar(l, n->shape)) return row_major(n->shape.rank);
    int key[RANK_MAX];
    for (int d = 0; d < c->out.rank; d++) {
        const Affine *x = &c->out.dim[d];
        key[d] = d > 0 && uses_any(&c->b, x) && !(n->in[1]->batched && uses_any(&c->a, x));
    }
    return order_by(c->out.rank, key);
}

/* What is summed over, the channels of a sample, last. */
static Order sample_order(const Contract *c)
{
    int key[RANK_MAX];
    for (int d = 0; d < c->a.rank; d++) key[d] = d > 0 && c->a.dim[d].n == 1 && uses_any(&c->b, &c->a.dim[d]);
    return order_by(c->a.rank, key);
}

/* What a number alone spreads (the gradient of a mean) lies as its reader does. */
static void propose_contract(Layout *l, const Node *n)
{
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    double number;
    if (!n->in[1]->batched) propose(l, n->in[1], weight_order(c, &c->b, &c->a));
    if (!n->in[0]->batched && n->in[1]->batched) propose(l, n->in[0], weight_order(c, &c->a, &c->b));
    if (n->batched && n->shape.rank >= 3 && !node_is_number(n->in[1], &number)) propose(l, n, result_order(l, n, c));
    if (n->in[0]->batched && !n->in[1]->batched && n->in[0]->shape.rank >= 3) propose(l, n->in[0], sample_order(c));
}


/* Channels last everywhere: those of the result, which feed the lanes, in the transformed weights. */
static void propose_winograd(Layout *l, const Node *n)
{
    propose(l, n, (Order){ 4, { 0, 2, 3, 1 } });
    propose(l, n->in[0], (Order){ 4, { 0, 2, 3, 1 } });
    propose(l, n->in[1], (Order){ 5, { 0, 1, 2, 4, 3 } });
}

static void propose_winograd_weights(Layout *l, const Node *n)
{
    propose(l, n, (Order){ 4, { 0, 1, 3, 2 } });
    for (int i = 0; i < 2; i++) propose(l, n->in[i], (Order){ 4, { 0, 2, 3, 1 } });
}

static int place_in(const Order *order, int d)
{
    int at = 0;
    while (order->dim[at] != d) at++;
    return at;
}

/* Weights made of weights alone lie as what is made of them: first what is summed over, then by place in the result. */
static void propose_parts(Layout *l, const Node *n, const IndexMap *map, const Node *x)
{
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    Order result = order_of(l, n), order = { 0 };
    if (x->shape.rank < 3) return;
    for (int k = -1; k < result.rank; k++)
        for (int d = 0; d < x->shape.rank; d++) {
            int at = -1;
            for (int r = 0; r < result.rank; r++)
                for (int t = 0; t < map->dim[d].n; t++)
                    if (affine_coef(&c->out.dim[r], map->dim[d].axis[t]) && place_in(&result, r) > at) at = place_in(&result, r);
            if (at == k) order.dim[order.rank++] = (signed char)d;
        }
    propose(l, x, order);
}

static void propose_unbatched(Layout *l, const Node *n)
{
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    if (n->in[0]->batched || n->in[1]->batched || l->order[class_of(l, n)].rank < 0) return;
    propose_parts(l, n, &c->a, n->in[0]);
    propose_parts(l, n, &c->b, n->in[1]);
}

/* ---- updates ---- */

/* A tile of an update stores a piece of some rows in each of its tensors: of long rows each piece is in a page of its own, far from the next. */
static void propose_updates(Layout *l)
{
    const Graph *g = l->graph;
    int *moments = NEW_ARRAY(g->arena, int, g->node.n);
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind == ROOT_update && g->root.at[i].target->op == OP_state) moments[class_of(l, g->root.at[i].target)]++;
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = g->node.at[i];
        const int64_t *size = n->shape.dim;
        if (n->op != OP_param || n->shape.rank != 2 || moments[class_of(l, n)] < MOMENTS || 4 * shape_elements(n->shape) <= UPDATED_FAR) continue;
        propose(l, n, size[0] < size[1] ? (Order){ 2, { 1, 0 } } : row_major(2));
    }
}

/* ---- reshapes ---- */

/* Which run of dimensions of y each dimension of x becomes; first[r]: where run r of y begins. The number of runs. */
static int find_runs(Shape x, Shape y, int *run_of, int *first)
{
    int i = 0, j = 0, runs = 0;
    while (i < x.rank && j < y.rank) {
        int64_t px = x.dim[i], py = y.dim[j];
        first[runs] = j++;
        run_of[i++] = runs;
        while (px != py) {
            if (px < py) {
                px *= x.dim[i];
                run_of[i++] = runs;
            } else py *= y.dim[j++];
        }
        runs++;
    }
    while (i < x.rank) run_of[i++] = runs - 1;
    first[runs] = y.rank;
    return runs;
}

/* The order of the result when each run of dimensions that becomes another run lies together, in order: then the
   result is the same memory. False when it does not. */
static bool reshape_order(Shape x, Shape y, const Order *order, Order *result)
{
    int run_of[RANK_MAX] = { 0 }, first[RANK_MAX + 1], last_run = -1, last_dim = -1;
    bool seen[RANK_MAX] = { 0 }, wide[RANK_MAX] = { 0 };   /* wide: has a dimension above 1 */
    if (!find_runs(x, y, run_of, first)) return false;
    for (int d = 0; d < x.rank; d++) wide[run_of[d]] |= x.dim[d] > 1;
    result->rank = 0;
    for (int k = 0; k < order->rank; k++) {
        int d = order->dim[k], run = run_of[d];
        if (x.dim[d] == 1 && (wide[run] || seen[run])) continue;
        if (run == last_run ? d < last_dim : seen[run]) return false;
        for (int e = first[run]; run != last_run && e < first[run + 1]; e++) result->dim[result->rank++] = (signed char)e;
        seen[run] = true;
        last_run = run;
        last_dim = d;
    }
    return true;
}

static void propose_reshape(Layout *l, const Node *n)
{
    Order from = order_of(l, n->in[0]), to;
    if (!is_row_major(&from) && reshape_order(n->in[0]->shape, n->shape, &from, &to)) propose(l, n, to);
}

/* From the result to the operand: each dimension in place of which stands a run. */
static void propose_reshaped(Layout *l, const Node *n)
{
    const Shape x = n->in[0]->shape, y = n->shape;
    int run_of[RANK_MAX] = { 0 }, first[RANK_MAX + 1];
    Order to = order_of(l, n), from = { 0 };
    if (is_row_major(&to) || find_runs(x, y, run_of, first) != y.rank) return;
    for (int k = 0; k < to.rank; k++)
        for (int d = 0; d < x.rank; d++)
            if (run_of[d] == to.dim[k]) from.dim[from.rank++] = (signed char)d;
    propose(l, n->in[0], from);
}

/* ---- the pass ---- */

static bool may_choose(const Node *n)
{
    return n->op != OP_input && n->op != OP_scalar && !n->has_layout;
}

/* Even row-major is written down for parameters and what is kept between calls, so that other programs of the net take it over. */
static void set_layouts(Layout *l, int count)
{
    for (int i = 0; i < count; i++) {
        Node *n = l->graph->node.at[i];
        const Order order = order_of(l, n);
        if (!may_choose(n) || n->shape.rank < 2 || (is_row_major(&order) && n->op != OP_param && !(n->op == OP_state && n->batched))) continue;
        n->has_layout = true;
        memcpy(n->layout, order.dim, sizeof n->layout);
    }
}

/* Who is read under another shape is stored as that shape needs it. */
static void straighten(Layout *l)
{
    for (int i = 0; i < l->graph->node.n; i++) {
        const Node *n = l->graph->node.at[i];
        if (n->op != OP_reshape || n->in[0]->op == OP_param) continue;
        Order from = order_of(l, n->in[0]), to;
        if (!reshape_order(n->in[0]->shape, n->shape, &from, &to)) n->in[0]->has_layout = false;
    }
}

static void propose_all(Layout *l)
{
    const Graph *g = l->graph;
    const int count = g->node.n;
    for (int i = 0; i < count; i++) {
        const Node *n = g->node.at[i];
        Order given = { .rank = n->shape.rank };
        memcpy(given.dim, n->layout, sizeof given.dim);
        if (n->has_layout) propose(l, n, given);
    }
    for (int i = 0; i < count; i++) {
        const Node *n = g->node.at[i];
        if (n->op == OP_input && n->batched && n->shape.rank >= 3 && n->shape.dim[1] < l->lanes) propose(l, n, row_major(n->shape.rank));
        if (n->op == OP_gather) propose(l, n->in[0], row_major(n->in[0]->shape.rank));
    }
    if (l->panels) propose_updates(l);
    for (int i = 0; i < count; i++) {
        if (g->node.at[i]->op == OP_winograd) propose_winograd(l, g->node.at[i]);
        if (g->node.at[i]->op == OP_winograd_weights) propose_winograd_weights(l, g->node.at[i]);
    }
    for (int i = count - 1; i >= 0; i--)
        if (g->node.at[i]->op == OP_contract) propose_unbatched(l, g->node.at[i]);
    for (int i = 0; i < count; i++) {
        const Node *n = g->node.at[i];
        if (n->op == OP_contract) propose_contract(l, n);
        if (n->op == OP_reshape) propose_reshape(l, n);
    }
    for (int i = count - 1; i >= 0; i--)
        if (g->node.at[i]->op == OP_reshape) propose_reshaped(l, g->node.at[i]);
}

/* needs: contractions that gather; leaves: has_layout where a tensor is not row-major, copies of operands. */
void pass_layout(Graph *g, const PassContext *context)
{
    const int count = g->node.n, lanes = context->lanes ? context->lanes : LANES_MOST;
    Layout l = { .graph = g, .lanes = lanes < LANES_LEAST ? LANES_LEAST : lanes, .panels = lanes > 1, .parent = NEW_ARRAY(g->arena, int, count), .order = NEW_ARRAY(g->arena, Order, count) };
    for (int i = 0; i < count; i++) {
        l.parent[i] = i;
        l.order[i].rank = -1;
    }
    tie_all(&l);
    propose_all(&l);
    set_layouts(&l, count);
    straighten(&l);
    layout_copies(&l);
    g->span = (Span){ 0 };
    g->label = NULL;
    graph_sort(g);
}
