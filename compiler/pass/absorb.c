/* absorb.c -- moves per-channel scales (a batchnorm) into the weights of the contraction before them.

   A chain of sums and products with weights, contract(x, w) -> - mean -> * s -> + bias, is contract(x, w) * scale + shift
   with scale and shift made of weights alone. The scale then goes into w: contract(x, w * scale) + shift. */
#include "pass.h"

/* A tensor of some of the dimensions of a shape, constant along the others; no node: 1 as a scale, 0 as a shift. */
typedef struct Small {
    Node *node;
    int n;
    int64_t axis[RANK_MAX];
} Small;

/* ---- small tensors ---- */

static Node *small_spread(Graph *g, const Small *x, Shape s, bool batched)
{
    return x->n == s.rank ? x->node : node_broadcast(g, x->node, s, x->axis, batched);
}

/* x with all the axes of `to`, of which its own are some. */
static Node *small_widen(Graph *g, const Small *x, const Small *to, Shape whole)
{
    if (x->n == to->n) return x->node;
    Shape s = { .rank = to->n };
    int64_t axis[RANK_MAX];
    for (int i = 0, k = 0; i < to->n; i++) {
        s.dim[i] = whole.dim[to->axis[i]];
        if (k < x->n && x->axis[k] == to->axis[i]) axis[k++] = i;
    }
    return node_broadcast(g, x->node, s, axis, false);
}

static Small small_binary(Graph *g, Op op, const Small *x, const Small *y, Shape whole)
{
    Small z = { 0 };
    for (int i = 0, j = 0; i < x->n || j < y->n;) {
        int64_t next = j == y->n || (i < x->n && x->axis[i] <= y->axis[j]) ? x->axis[i] : y->axis[j];
        i += i < x->n && x->axis[i] == next;
        j += j < y->n && y->axis[j] == next;
        z.axis[z.n++] = next;
    }
    z.node = node_binary(g, op, small_widen(g, x, &z, whole), small_widen(g, y, &z, whole));
    return z;
}

/* The smallest tensor that is n when repeated, looking through `depth` operators. */
static Small small_of(Graph *g, Node *n, int depth)
{
    Small x = { .node = n, .n = n->shape.rank };
    for (int d = 0; d < x.n; d++) x.axis[d] = d;
    if (n->op == OP_broadcast) {
        x = (Small){ .node = n->in[0], .n = n->in[0]->shape.rank };
        for (int d = 0; d < x.n; d++) x.axis[d] = node_ints(n, ATTR_axes)[d];
    } else if (depth && op_info[n->op].flags & OF_BINARY) {
        Small a = small_of(g, n->in[0], depth - 1), b = small_of(g, n->in[1], depth - 1);
        if (a.n < x.n || b.n < x.n) x = small_binary(g, n->op, &a, &b, n->shape);
    } else if (depth && op_info[n->op].flags & OF_UNARY) {
        Small a = small_of(g, n->in[0], depth - 1);
        if (a.n < x.n) {
            a.node = node_unary(g, n->op, a.node);
            x = a;
        }
    }
    return x;
}

/* ---- chains ---- */

/* Which operand of a chain's link goes on to the contraction; -1 when n is no link. */
static int link_operand(const Node *n)
{
    if (n->op != OP_add && n->op != OP_sub && n->op != OP_mul && n->op != OP_div) return -1;
    if (!n->in[0]->mark && n->in[1]->mark) return 0;
    return n->op != OP_div && n->in[0]->mark && !n->in[1]->mark ? 1 : -1;
}

static void scale_by(Graph *g, Op op, Small *x, const Small *by, Shape whole)
{
    if (x->node) *x = small_binary(g, op, x, by, whole);
}

/* y = x * scale + shift, then n applied to y. */
static void link_apply(Graph *g, const Node *n, Small *scale, Small *shift)
{
    const int at = link_operand(n);
    const Shape whole = n->shape;
    Small v = small_of(g, n->in[1 - at], 6), one = { .node = node_number(g, 1) }, minus = { .node = node_number(g, -1) };
    if (n->op == OP_mul || n->op == OP_div) {
        if (!scale->node) *scale = one;
        scale_by(g, n->op, scale, &v, whole);
        scale_by(g, n->op, shift, &v, whole);
        return;
    }
    if (n->op == OP_sub && at == 1) {
        if (!scale->node) *scale = one;
        scale_by(g, OP_mul, scale, &minus, whole);
        scale_by(g, OP_mul, shift, &minus, whole);
    } else if (n->op == OP_sub) {
        v = small_binary(g, OP_mul, &v, &minus, whole);
    }
    *shift = shift->node ? small_binary(g, OP_add, shift, &v, whole) : v;
}

/* The dimensions of w that go along with the scale's, increasing. False when some have none. */
static bool weight_axes(const Contract *c, const IndexMap *map, Shape w, const Small *scale, int64_t *axis)
{
    for (int i = 0; i < scale->n; i++) {
        int64_t d = scale->axis[i];
        int e = i ? (int)axis[i - 1] + 1 : 0;
        while (e < map->rank && !(affine_equal(&map->dim[e], &c->out.dim[d]) && w.dim[e] == c->shape.dim[d])) e++;
        if (e == map->rank) return false;
        axis[i] = e;
    }
    return true;
}

/* contract(x, w * scale), or NULL. */
static Node *contract_scaled(Graph *g, const Node *n, const Small *scale)
{
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    const int at = n->in[1]->mark ? 1 : 0;
    Node *in[] = { n->in[0], n->in[1] }, *w = in[at];
    int64_t axis[RANK_MAX];
    if (!w->mark || in[1 - at]->mark || !weight_axes(c, at ? &c->b : &c->a, w->shape, scale, axis)) return NULL;
    Small along = { .node = scale->node, .n = scale->n };
    for (int i = 0; i < along.n; i++) along.axis[i] = axis[i];
    in[at] = node_binary(g, OP_mul, w, small_spread(g, &along, w->shape, false));
    return node_contract(g, in[0], in[1], c);
}

/* n: the last link of a chain. */
static void absorb_chain(Graph *g, Node *n, const int *users)
{
    VEC(Node *) chain = { 0 };
    Node *base = n;
    Small scale = { 0 }, shift = { 0 };
    while (link_operand(base) >= 0 && (base == n || users[base->id] == 1)) {
        vec_push(g->arena, &chain, base);
        base = base->in[link_operand(base)];
    }
    if (base->op != OP_contract || users[base->id] != 1) return;
    g->span = base->span;
    g->label = base->name;
    for (int i = chain.n - 1; i >= 0; i--) link_apply(g, chain.at[i], &scale, &shift);
    Node *y = scale.node ? contract_scaled(g, base, &scale) : NULL;
    if (!y) return;
    if (shift.node) y = node_binary(g, OP_add, y, small_spread(g, &shift, n->shape, n->batched));
    graph_replace(g, n, y);
}

static bool all_known(const Graph *g)
{
    for (int i = 0; i < g->node.n; i++)
        if (g->node.at[i]->op == OP_param && !g->node.at[i]->value) return false;
    return true;
}

/* needs: all parameters' values, else it does nothing, because the scaling would run with every call. */
void pass_absorb(Graph *g, const PassContext *context)
{
    (void)context;
    const int n_nodes = g->node.n;
    if (!all_known(g)) return;
    graph_mark_weights(g);
    int *users = NEW_ARRAY(g->arena, int, n_nodes);
    bool *inside = NEW_ARRAY(g->arena, bool, n_nodes);
    for (int i = 0; i < g->root.n; i++) users[g->root.at[i].node->id]++;
    for (int i = 0; i < n_nodes; i++) {
        const Node *n = g->node.at[i];
        for (int k = 0; k < n->n_in; k++) users[n->in[k]->id]++;
    }
    for (int i = n_nodes - 1; i >= 0; i--) {
        Node *n = g->node.at[i];
        int at = link_operand(n);
        if (at < 0) continue;
        if (users[n->in[at]->id] == 1) inside[n->in[at]->id] = true;
        if (!inside[i]) absorb_chain(g, n, users);
    }
    g->span = (Span){ 0 };
    g->label = NULL;
    graph_sort(g);
}
