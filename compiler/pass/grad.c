/* grad.c -- reverse-mode differentiation: the gradient of a loss for each parameter that it trains, as graph nodes. */
#include "pass.h"

void grad_zero(Graph *g, Node *n, Node *dy, Node **dx);

/* ---- present values ---- */

static bool *needed_by(Graph *g, const Node *loss)
{
    bool *need = NEW_ARRAY(g->arena, bool, g->node.n);
    need[loss->id] = true;
    graph_mark_operands(g, need);
    return need;
}

/* The link of each parameter that was updated becomes its new value, through which no gradient flows to how it came about. */
static bool link_updated(Graph *g)
{
    bool any = false;
    for (int i = 0; i < g->root.n; i++) {
        const Root *r = &g->root.at[i];
        if (r->kind != ROOT_update || !r->target->trained) continue;
        r->target->link = node_unary(g, OP_stop_gradient, r->node);
        any = true;
    }
    return any;
}

/* Losses follow each other: this one is computed from what those before it made of the parameters. */
static void renew(Graph *g, Root *loss)
{
    const int n = g->node.n;
    const bool *need = needed_by(g, loss->node);
    for (int i = 0, any = link_updated(g); any && i < n; i++) {
        Node *x = g->node.at[i], **in = NEW_ARRAY(g->arena, Node *, x->n_in);
        bool changed = false;
        for (int k = 0; k < x->n_in; k++) {
            in[k] = x->in[k]->link ? x->in[k]->link : x->in[k];
            changed |= in[k] != x->in[k];
        }
        if (need[i] && changed) x->link = node_like(g, x, in);
    }
    if (loss->node->link) loss->node = loss->node->link;
}

/* ---- one loss ---- */

/* Of each node: whether it is the present value of a parameter that the loss trains. */
static bool *wanted_by(Graph *g, const Root *loss)
{
    bool *wanted = NEW_ARRAY(g->arena, bool, g->node.n);
    for (int i = 0; i < g->node.n; i++) {
        const Node *w = g->node.at[i];
        if (root_updates(loss, w)) wanted[w->link ? w->link->id : i] = true;
    }
    return wanted;
}

/* Marks what depends on what is wanted in a way that a gradient can follow. */
static void mark_paths(Graph *g, const bool *wanted)
{
    for (int i = 0; i < g->node.n; i++) {
        Node *n = g->node.at[i];
        n->mark = wanted[i];
        if (wanted[i] || n->dtype != DTYPE_f32 || op_info[n->op].grad == grad_zero) continue;
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

void grad_loss(Graph *g, int loss)
{
    renew(g, &g->root.at[loss]);
    const Root r = g->root.at[loss];
    const int n = g->node.n;
    const bool *wanted = wanted_by(g, &r);
    Node **gradient = NEW_ARRAY(g->arena, Node *, n);
    mark_paths(g, wanted);
    if (r.node->mark) gradient[r.node->id] = node_number(g, 1);
    for (int i = n - 1; i >= 0; i--)
        if (gradient[i] && !wanted[i]) send_back(g, g->node.at[i], gradient[i], gradient);
    for (int i = 0; i < n; i++) {
        Node *w = g->node.at[i];
        if (!root_updates(&r, w)) continue;
        Node *dw = gradient[w->link ? w->link->id : i];
        if (dw) graph_root(g, ROOT_gradient, w->name, dw, w, w->span);
    }
    g->span = (Span){ 0 };
    g->label = NULL;
}

/* ---- the pass ---- */

/* Where several losses train a parameter at once, their gradients add up. */
static void add_up(Graph *g)
{
    int n = 0;
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind == ROOT_gradient) g->root.at[i].target->mark = 0;
    for (int i = 0; i < g->root.n; i++) {
        Root r = g->root.at[i];
        bool again = r.kind == ROOT_gradient && r.target->mark;
        if (again) contribute(g, &g->root.at[r.target->mark - 1].node, r.node);
        else g->root.at[n++] = r;
        if (r.kind == ROOT_gradient && !again) r.target->mark = n;
    }
    g->root.n = n;
}

/* needs: ROOT_loss scalars; leaves: a ROOT_gradient for every parameter that the first of them trains and depends on. The
   others follow its update, so `optimize` asks for them; without updates all are taken here. */
void pass_grad(Graph *g, const PassContext *context)
{
    const bool all = !context || context->gradients_only;
    const int n = context && context->loss_only ? 0 : g->root.n;
    bool more = true;
    for (int i = 0; i < n && more; i++) {
        if (g->root.at[i].kind != ROOT_loss) continue;
        grad_loss(g, i);
        more = all;
    }
    if (all) add_up(g);
    graph_sort(g);
}
