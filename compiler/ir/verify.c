/* verify.c -- what must hold of every graph between two passes. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* The rule's answer for n, on a copy: NULL when it is what n says. */
static const char *rule_disagrees(Graph *g, const Node *n)
{
    Node again = *n;
    const char *wrong = op_info[n->op].shape(g, &again);
    if (wrong) return wrong;
    if (again.dtype != n->dtype || !shape_equal(again.shape, n->shape))
        return arena_printf(g->arena, "the rule says %s%s, the node %s%s", dtype_name(again.dtype),
                            shape_text(g->arena, again.shape), dtype_name(n->dtype), shape_text(g->arena, n->shape));
    if (again.batched != n->batched) return again.batched ? "it is batched and does not say so" : "it is not batched";
    return NULL;
}

static const char *layout_wrong(const Node *n)
{
    unsigned used = 0;
    for (int d = 0; n->has_layout && d < n->shape.rank; d++)
        if (n->layout[d] >= 0 && n->layout[d] < n->shape.rank) used |= 1u << n->layout[d];
    return n->has_layout && used != (1u << n->shape.rank) - 1 ? "the layout is no permutation" : NULL;
}

static const char *node_wrong(Graph *g, const Node *n, int place)
{
    if (n->op >= OP_COUNT) return "no such operator";
    if (n->id != place) return "it is not where its number says";
    if (n->became) return "it was replaced and is still there";
    if (op_info[n->op].operands >= 0 && n->n_in != op_info[n->op].operands) return "the number of operands is wrong";
    for (int i = 0; i < n->n_in; i++) {
        const Node *x = n->in[i];
        if (!x || x->id < 0 || x->id >= place || g->node.at[x->id] != x) return "an operand does not come before it";
    }
    const char *wrong = layout_wrong(n);
    return wrong ? wrong : rule_disagrees(g, n);
}

static bool in_graph(const Graph *g, const Node *n)
{
    return n && n->id >= 0 && n->id < g->node.n && g->node.at[n->id] == n;
}

const char *root_wrong(const Graph *g, const Root *r)
{
    bool targeted = r->kind == ROOT_gradient || r->kind == ROOT_update;
    bool single = r->kind == ROOT_loss || r->kind == ROOT_total || r->kind == ROOT_metric;
    if (!in_graph(g, r->node) || (r->target && !in_graph(g, r->target))) return "its node is not in the graph";
    for (int i = 0; i < r->n_updates; i++)
        if (!r->chooses || r->kind != ROOT_loss || !in_graph(g, r->updates[i]) || !r->updates[i]->trained) return "it updates what is not learnt";
    if (targeted != (r->target != NULL)) return targeted ? "it has no target" : "it has a target";
    if (single && (r->node->shape.rank || r->node->dtype != DTYPE_f32)) return "it is not a number";
    if (!targeted) return NULL;
    if (r->target->op != OP_param && (r->kind == ROOT_gradient || r->target->op != OP_state))
        return "its target is no parameter";
    if (r->node->dtype != DTYPE_f32 || !shape_equal(r->node->shape, r->target->shape))
        return "its shape is not that of its target";
    return NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(Node *const *)a)->name, (*(Node *const *)b)->name);
}

const char *repeated_name(const Graph *g)
{
    Node **named = NEW_ARRAY(g->arena, Node *, g->node.n);
    size_t n = 0;
    for (int i = 0; i < g->node.n; i++) {
        Op op = g->node.at[i]->op;
        if (op == OP_param || op == OP_state || op == OP_input) named[n++] = g->node.at[i];
    }
    if (n > 1) qsort(named, n, sizeof *named, compare_names);
    for (size_t i = 1; i < n; i++)
        if (!strcmp(named[i - 1]->name, named[i]->name) && named[i - 1]->op == named[i]->op) return named[i]->name;
    return NULL;
}

void graph_verify(const Graph *g, const char *after)
{
    Graph again = *g;  /* the rules only allocate in it */
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = g->node.at[i];
        const char *wrong = node_wrong(&again, n, i);
        if (wrong) internal_error(after, "%%%d %s: %s", i, n->op < OP_COUNT ? op_info[n->op].name : "?", wrong);
    }
    for (int i = 0; i < g->root.n; i++) {
        const char *wrong = root_wrong(g, &g->root.at[i]);
        if (wrong) internal_error(after, "root %d: %s", i, wrong);
    }
    const char *twice = repeated_name(g);
    if (twice) internal_error(after, "two leaves are named %s", twice);
}
