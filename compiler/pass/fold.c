/* fold.c -- compute what is constant, drop what does nothing. */
#include "fold.h"

static FoldRule *const rules[] = {fold_constant, fold_algebra, fold_move, fold_reduce, fold_spread, fold_window};

static bool fits(const Node *n, const Node *by)
{
    return by->dtype == n->dtype && by->batched == n->batched && shape_equal(by->shape, n->shape);
}

static Node *fold_once(Graph *g, Node *n)
{
    for (size_t i = 0; i < LENGTH(rules); i++) {
        Node *by = rules[i](g, n);
        if (by && by != n && fits(n, by)) return by;
    }
    return NULL;
}

Node *folded(Graph *g, Node *n)
{
    enum { STEPS = 32 };  /* every rule makes the node simpler; this is a guard against our own mistakes */
    for (int i = 0; i < STEPS; i++) {
        Node *by = fold_once(g, n);
        if (!by) return n;
        n = by;
    }
    return n;
}

/* needs: a sorted graph; leaves: a sorted graph without the constants' users that rules know. */
void fold_graph(Graph *g, bool stops)
{
    Span span = g->span;
    const char *label = g->label;
    int n_old = g->node.n;
    for (int i = 0; i < n_old; i++) {
        Node *n = g->node.at[i];
        for (int k = 0; k < n->n_in; k++) n->in[k] = node_now(n->in[k]);
        if (op_info[n->op].flags & OF_LEAF) continue;
        g->span = n->span;
        g->label = n->name;
        Node *by = stops && n->op == OP_stop_gradient ? n->in[0] : folded(g, n);
        if (by != n) graph_replace(g, n, by);
    }
    g->span = span;
    g->label = label;
    graph_sort(g);
}

void pass_fold(Graph *g, const PassContext *context)
{
    (void)context;
    fold_graph(g, g->mode != MODE_train);
}
