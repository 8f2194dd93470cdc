/* build.c -- making nodes. Shapes come from the rules of op/shape.c. */
#include "ir.h"

#include <string.h>

Graph *graph_new(Arena *a, Diag *d, const char *net, Mode mode, int64_t batch)
{
    Graph *g = NEW(a, Graph);
    *g = (Graph){.arena = a, .diag = d, .net = net, .mode = mode, .batch = batch};
    return g;
}

static Attr attr_copy(Arena *a, const Attr *attr)
{
    Attr copy = *attr;
    if (attr->ints) {
        int64_t *ints = NEW_ARRAY(a, int64_t, attr->n);
        if (attr->n) memcpy(ints, attr->ints, (size_t)attr->n * sizeof *ints);
        copy.ints = ints;
    }
    if (attr->data) {
        double *data = NEW_ARRAY(a, double, attr->n);
        if (attr->n) memcpy(data, attr->data, (size_t)attr->n * sizeof *data);
        copy.data = data;
    }
    if (attr->contract) {
        Contract *c = NEW(a, Contract);
        *c = *attr->contract;
        copy.contract = c;
    }
    return copy;
}

/* Attributes are kept sorted by name, so that equal nodes have equal lists. */
void node_set_attr(Graph *g, Node *n, Attr attr)
{
    int at = 0;
    while (at < n->n_attr && n->attr[at].name < attr.name) at++;
    if (at == n->n_attr || n->attr[at].name != attr.name) {
        Attr *grown = NEW_ARRAY(g->arena, Attr, n->n_attr + 1);
        for (int i = 0; i < n->n_attr; i++) grown[i + (i >= at)] = n->attr[i];
        n->attr = grown;
        n->n_attr++;
    }
    n->attr[at] = attr_copy(g->arena, &attr);
}

/* A node without shape that is not yet in the graph. */
static Node *node_begin(Graph *g, Op op, int n_in, Node *const *in, int n_attr, const Attr *attr)
{
    Node *n = NEW(g->arena, Node);
    *n = (Node){.op = op, .n_in = n_in, .span = g->span, .name = g->label};
    n->in = NEW_ARRAY(g->arena, Node *, n_in);
    for (int i = 0; i < n_in; i++) n->in[i] = in[i];
    for (int i = 0; i < n_attr; i++) node_set_attr(g, n, attr[i]);
    return n;
}

static Node *node_end(Graph *g, Node *n)
{
    const OpInfo *info = &op_info[n->op];
    if (info->operands >= 0 && n->n_in != info->operands)
        internal_error("node_new", "%s takes %d operands, not %d", info->name, info->operands, n->n_in);
    const char *wrong = info->shape(g, n);
    if (wrong) internal_error("node_new", "%s: %s", info->name, wrong);
    n->id = g->node.n;
    vec_push(g->arena, &g->node, n);
    return n;
}

Node *node_new(Graph *g, Op op, int n_in, Node *const *in, int n_attr, const Attr *attr)
{
    return node_end(g, node_begin(g, op, n_in, in, n_attr, attr));
}

Node *node_like(Graph *g, const Node *n, Node *const *in)
{
    Node *like = node_begin(g, n->op, n->n_in, in, 0, NULL);
    like->attr = NEW_ARRAY(g->arena, Attr, n->n_attr);
    like->n_attr = n->n_attr;
    for (int i = 0; i < n->n_attr; i++) like->attr[i] = n->attr[i];
    like->dtype = n->dtype;
    like->shape = n->shape;
    like->batched = n->batched;
    like->span = n->span;
    like->name = n->name;
    return node_end(g, like);
}

/* ---- leaves ---- */

static Node *leaf_with(Graph *g, Op op, const char *name, DType t, Shape s, bool batched, int n_attr, const Attr *attr)
{
    Node *n = node_begin(g, op, 0, NULL, n_attr, attr);
    if (name) n->name = arena_strdup(g->arena, name);
    n->dtype = t;
    n->shape = s;
    n->batched = batched;
    return node_end(g, n);
}

Node *node_leaf(Graph *g, Op op, const char *name, DType t, Shape s, bool batched)
{
    return leaf_with(g, op, name, t, s, batched, 0, NULL);
}

Node *node_number(Graph *g, double value)
{
    Attr attr = {.name = ATTR_value, .real = value};
    return leaf_with(g, OP_constant, NULL, DTYPE_f32, (Shape){0}, false, 1, &attr);
}

Node *node_data(Graph *g, Shape s, const double *values)
{
    if (!s.rank) return node_number(g, *values);
    Attr attr = {.name = ATTR_data, .n = (int)shape_elements(s), .data = values};
    return leaf_with(g, OP_constant, NULL, DTYPE_f32, s, false, 1, &attr);
}

Node *node_fill(Graph *g, double value, Shape s, bool batched)
{
    Node *number = node_number(g, value);
    return s.rank ? node_broadcast(g, number, s, NULL, batched) : number;
}

Node *node_iota(Graph *g, Shape s, int axis, bool batched)
{
    Attr attr = {.name = ATTR_axis, .n = 1, .ints = (int64_t[]){axis}};
    return leaf_with(g, OP_iota, NULL, DTYPE_f32, s, batched, 1, &attr);
}

Node *node_random(Graph *g, Shape s, int64_t key, bool batched)
{
    Attr attr = {.name = ATTR_key, .n = 1, .ints = &key};
    return leaf_with(g, OP_random, NULL, DTYPE_f32, s, batched, 1, &attr);
}

/* ---- elementwise ---- */

Node *node_unary(Graph *g, Op op, Node *x) { return node_new(g, op, 1, &x, 0, NULL); }

/* Broadcasts numbers to the shape of the first operand that is not one. */
static void match_ranks(Graph *g, Node **in, int n)
{
    const Node *like = NULL;
    bool batched = false;
    for (int i = 0; i < n; i++) {
        if (!like && in[i]->shape.rank) like = in[i];
        batched |= in[i]->batched;
    }
    for (int i = 0; like && i < n; i++)
        if (!in[i]->shape.rank) in[i] = node_broadcast(g, in[i], like->shape, NULL, batched);
}

Node *node_binary(Graph *g, Op op, Node *x, Node *y)
{
    Node *in[] = {x, y};
    match_ranks(g, in, 2);
    return node_new(g, op, 2, in, 0, NULL);
}

Node *node_where(Graph *g, Node *condition, Node *x, Node *y)
{
    Node *in[] = {condition, x, y};
    match_ranks(g, in, 3);
    return node_new(g, OP_where, 3, in, 0, NULL);
}

/* The type of a cast is the node's own: no attribute repeats it. */
Node *node_cast(Graph *g, Node *x, DType t)
{
    if (x->dtype == t) return x;
    Node *n = node_begin(g, OP_cast, 1, &x, 0, NULL);
    n->dtype = t;
    return node_end(g, n);
}

/* ---- anchors ---- */

Node *node_reduce(Graph *g, Op op, Node *x, const int64_t *axes, int n)
{
    if (!n) return x;
    int64_t sorted[RANK_MAX];
    if (n > x->shape.rank) internal_error("node_reduce", "%d axes of %d", n, x->shape.rank);
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at && sorted[at - 1] > axes[i]; at--) sorted[at] = sorted[at - 1];
        sorted[at] = axes[i];
    }
    Attr attr = {.name = ATTR_axes, .n = n, .ints = sorted};
    return node_new(g, op, 1, &x, 1, &attr);
}

Node *node_contract(Graph *g, Node *x, Node *y, const Contract *c)
{
    Attr attr = {.name = ATTR_contract, .contract = c};
    return node_new(g, OP_contract, 2, (Node *[]){x, y}, 1, &attr);
}

Node *node_window(Graph *g, Node *x, const int64_t *window, const int64_t *stride, const int64_t *dilation)
{
    int rank = x->shape.rank;
    Attr attr[] = {{.name = ATTR_window, .n = rank, .ints = window},
                   {.name = ATTR_stride, .n = rank, .ints = stride},
                   {.name = ATTR_dilation, .n = rank, .ints = dilation}};
    return node_new(g, OP_window_max, 1, &x, 3, attr);
}

Node *node_pad(Graph *g, Node *x, const int64_t *low, const int64_t *high, double value)
{
    int rank = x->shape.rank;
    bool nothing = true;
    for (int d = 0; d < rank; d++) nothing &= !low[d] && !high[d];
    if (nothing) return x;
    Attr attr[] = {{.name = ATTR_low, .n = rank, .ints = low},
                   {.name = ATTR_high, .n = rank, .ints = high},
                   {.name = ATTR_value, .real = value}};
    return node_new(g, OP_pad, 1, &x, 3, attr);
}

Node *node_concat(Graph *g, Node *const *x, int n, int axis)
{
    if (n == 1) return x[0];
    Attr attr = {.name = ATTR_axis, .n = 1, .ints = (int64_t[]){axis}};
    return node_new(g, OP_concat, n, x, 1, &attr);
}

/* ---- rows ---- */

Node *node_gather(Graph *g, Node *table, Node *index) { return node_new(g, OP_gather, 2, (Node *[]){table, index}, 0, NULL); }

Node *node_scatter_add(Graph *g, Node *x, Node *index, Shape table)
{
    Attr attr = {.name = ATTR_shape, .n = table.rank, .ints = table.dim};
    return node_new(g, OP_scatter_add, 2, (Node *[]){x, index}, 1, &attr);
}

/* ---- movement ---- */

Node *node_reshape(Graph *g, Node *x, Shape s)
{
    if (shape_equal(x->shape, s)) return x;
    Attr attr = {.name = ATTR_shape, .n = s.rank, .ints = s.dim};
    return node_new(g, OP_reshape, 1, &x, 1, &attr);
}

Node *node_transpose(Graph *g, Node *x, const int64_t *axes)
{
    Attr attr = {.name = ATTR_axes, .n = x->shape.rank, .ints = axes};
    return node_new(g, OP_transpose, 1, &x, 1, &attr);
}

Node *node_broadcast(Graph *g, Node *x, Shape s, const int64_t *axes, bool batched)
{
    static const int64_t none[1];
    Attr attr[] = {{.name = ATTR_axes, .n = x->shape.rank, .ints = axes ? axes : none},
                   {.name = ATTR_shape, .n = s.rank, .ints = s.dim}};
    Node *n = node_begin(g, OP_broadcast, 1, &x, 2, attr);
    n->batched = batched;
    return node_end(g, n);
}

Node *node_slice(Graph *g, Node *x, const int64_t *start, Shape s)
{
    Attr attr[] = {{.name = ATTR_start, .n = x->shape.rank, .ints = start},
                   {.name = ATTR_shape, .n = s.rank, .ints = s.dim}};
    return node_new(g, OP_slice, 1, &x, 2, attr);
}

Node *node_reverse(Graph *g, Node *x, const int64_t *axes, int n)
{
    Attr attr = {.name = ATTR_axes, .n = n, .ints = axes};
    return n ? node_new(g, OP_reverse, 1, &x, 1, &attr) : x;
}

void graph_root(Graph *g, RootKind kind, const char *name, Node *node, Node *target, Span span)
{
    if (name) name = arena_strdup(g->arena, name);
    vec_push(g->arena, &g->root, (Root){.kind = kind, .name = name, .node = node, .target = target, .span = span});
}
