/* trim.c -- a contraction of which only slices are used computes those alone, as the gradient of what was padded. */
#include "pass.h"

/* The smallest box around the slices of a contraction of which nothing else is used. */
typedef struct Used { int users, slices; int64_t from[RANK_MAX], to[RANK_MAX]; } Used;

static void use_slice(Used *u, const Node *slice)
{
    for (int d = 0; d < slice->shape.rank; d++) {
        int64_t from = node_ints(slice, ATTR_start)[d], to = from + slice->shape.dim[d];
        if (!u->slices || from < u->from[d]) u->from[d] = from;
        if (!u->slices || to > u->to[d]) u->to[d] = to;
    }
    u->slices++;
}

/* What a contraction writes outside its result is dropped: the result becomes the box. */
static Node *contract_box(Graph *g, const Node *n, const Used *u)
{
    Contract c = *node_attr(n, ATTR_contract)->contract;
    for (int d = 0; d < c.out.rank; d++) {
        c.out.dim[d].offset -= u->from[d];
        c.shape.dim[d] = u->to[d] - u->from[d];
    }
    Node *y = node_contract(g, n->in[0], n->in[1], &c);
    y->batched = n->batched;
    return y;
}

static Node *slice_of(Graph *g, const Node *slice, Node *box, const Used *u)
{
    int64_t start[RANK_MAX];
    for (int d = 0; d < box->shape.rank; d++) start[d] = node_ints(slice, ATTR_start)[d] - u->from[d];
    Node *y = shape_equal(slice->shape, box->shape) ? box : node_slice(g, box, start, slice->shape);
    y->batched = slice->batched;
    return y;
}

/* needs: nothing; leaves: contractions that may write outside their results. */
void pass_trim(Graph *g, const PassContext *context)
{
    (void)context;
    const int n_nodes = g->node.n;
    Used *used = NEW_ARRAY(g->arena, Used, n_nodes);
    for (int i = 0; i < g->root.n; i++) used[g->root.at[i].node->id].users++;
    for (int i = 0; i < n_nodes; i++) {
        const Node *n = g->node.at[i];
        for (int k = 0; k < n->n_in; k++) used[n->in[k]->id].users++;
        if (n->op == OP_slice && n->in[0]->op == OP_contract && n->in[0]->batched == n->batched) use_slice(&used[n->in[0]->id], n);
    }
    for (int i = 0; i < n_nodes; i++) {
        Node *n = g->node.at[i], *x = n->op == OP_slice ? n->in[0] : NULL;
        const Used *u = x ? &used[x->id] : NULL;
        if (!u || u->users > u->slices) continue;
        g->span = x->span;
        g->label = x->name;
        if (!x->link) x->link = contract_box(g, x, u);
        graph_replace(g, n, slice_of(g, n, x->link, u));
    }
    g->span = (Span){ 0 };
    g->label = NULL;
    graph_sort(g);
}
