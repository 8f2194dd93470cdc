/* grad.c -- reverse-mode differentiation: the gradient of the loss for every trained parameter, as graph nodes. */
#include "pass.h"

void grad_zero(Graph *g, Node *n, Node *dy, Node **dx);

/* Marks what depends on a trained parameter in a way that a gradient can follow. */
static void mark_paths(Graph *g)
{
    for (int i = 0; i < g->node.n; i++) {
        Node *n = g->node.at[i];
        n->mark = n->op == OP_param && n->trained;
        if (n->dtype != DTYPE_f32 || op_info[n->op].grad == grad_zero) continue;
        for (int k = 0; k < n->n_in; k++) n->mark |= n->in[k]->mark;
    }
}

static void contribute(Graph *g, Node **sum, Node *dx)
{
    *sum = *sum ? node_binary(g, OP_add, *sum, dx) : dx;
}

/* Sends dy from a node to its operands. */
static void send_back(Graph *g, Node *n, Node *dy, Node **gradient)
{
    const OpInfo *info = &op_info[n->op];
    if (!info->grad) {
        diag_error(g->diag, n->span, "no gradient for `%s`", info->name);
        return;
    }
    Node **dx = NEW_ARRAY(g->arena, Node *, n->n_in);
    g->span = n->span;
    g->label = n->name;
    info->grad(g, n, dy, dx);
    for (int i = 0; i < n->n_in; i++) {
        Node *x = n->in[i];
        if (!dx[i] || !x->mark) continue;
        if (!shape_equal(dx[i]->shape, x->shape))
            internal_error("grad", "the gradient of operand %d of %s is %s, the operand %s", i, info->name,
                           shape_text(g->arena, dx[i]->shape), shape_text(g->arena, x->shape));
        contribute(g, &gradient[x->id], dx[i]);
    }
}

/* needs: ROOT_loss scalars; leaves: a ROOT_gradient for every trained parameter that a loss depends on. */
void pass_grad(Graph *g, const PassContext *context)
{
    (void)context;
    const int n_forward = g->node.n;
    Node **gradient = NEW_ARRAY(g->arena, Node *, n_forward);
    mark_paths(g);
    for (int i = 0; i < g->root.n; i++) {
        const Root *r = &g->root.at[i];
        if (r->kind != ROOT_loss || !r->node->mark) continue;
        contribute(g, &gradient[r->node->id], node_number(g, 1));
    }
    for (int i = n_forward - 1; i >= 0; i--) {
        Node *n = g->node.at[i];
        if (gradient[i] && n->op != OP_param) send_back(g, n, gradient[i], gradient);
    }
    for (int i = 0; i < n_forward; i++) {
        Node *n = g->node.at[i];
        if (gradient[i] && n->op == OP_param) graph_root(g, ROOT_gradient, n->name, gradient[i], n, n->span);
    }
    g->span = (Span){ 0 };
    g->label = NULL;
    graph_sort(g);
}
