/* sort.c -- replacing nodes, dropping dead ones, putting operands before their users; copies of graphs. */
#include "ir.h"

enum { MARK_new, MARK_live, MARK_open, MARK_done };

typedef VEC(Node *) Nodes;

Node *node_now(Node *n)
{
    Node *end = n;
    while (end->became) end = end->became;
    while (n != end) {  /* long chains are walked once */
        Node *next = n->became;
        n->became = end;
        n = next;
    }
    return end;
}

void graph_replace(Graph *g, Node *old, Node *by)
{
    if (!shape_equal(old->shape, by->shape) || old->dtype != by->dtype || old->batched != by->batched)
        internal_error("graph_replace", "%s %s%s%s by %s %s%s%s", op_info[old->op].name, dtype_name(old->dtype),
                       shape_text(g->arena, old->shape), old->batched ? " batched" : "", op_info[by->op].name,
                       dtype_name(by->dtype), shape_text(g->arena, by->shape), by->batched ? " batched" : "");
    by = node_now(by);
    if (by != old) old->became = by;
}

static void settle(Node *n)
{
    for (int i = 0; i < n->n_in; i++) n->in[i] = node_now(n->in[i]);
}

static void push_live(Arena *a, Nodes *stack, Node *n)
{
    if (n->mark != MARK_new) return;
    n->mark = MARK_live;
    vec_push(a, stack, n);
}

/* Marks what roots and inputs need; nobody's operand is a replaced node afterwards. */
static void mark_live(Graph *g, Nodes *stack)
{
    for (int i = 0; i < g->node.n; i++)
        if (g->node.at[i]->op == OP_input) push_live(g->arena, stack, g->node.at[i]);
    for (int i = 0; i < g->root.n; i++) {
        Root *r = &g->root.at[i];
        push_live(g->arena, stack, r->node = node_now(r->node));
        if (r->target) push_live(g->arena, stack, r->target = node_now(r->target));
    }
    while (stack->n) {
        Node *n = stack->at[--stack->n];
        settle(n);
        for (int i = 0; i < n->n_in; i++) push_live(g->arena, stack, n->in[i]);
    }
}

static void emit(Graph *g, Nodes *sorted, Node *n)
{
    n->mark = MARK_done;
    n->id = sorted->n;
    vec_push(g->arena, sorted, n);
}

/* Operands first, by depth, with a stack of our own: a chain may be longer than C's stack. */
static void emit_with_operands(Graph *g, Nodes *sorted, Nodes *stack, Node *n)
{
    vec_push(g->arena, stack, n);
    while (stack->n) {
        n = stack->at[stack->n - 1];
        if (n->mark != MARK_live) {
            stack->n--;
            if (n->mark == MARK_open) emit(g, sorted, n);
            continue;
        }
        n->mark = MARK_open;
        for (int i = n->n_in - 1; i >= 0; i--) {
            if (n->in[i]->mark == MARK_open)
                internal_error("graph_sort", "%s needs its own result", op_info[n->op].name);
            if (n->in[i]->mark == MARK_live) vec_push(g->arena, stack, n->in[i]);
        }
    }
}

/* Of the parameters that a loss trains, those that are still there. */
static void settle_updates(Root *r)
{
    int n = 0;
    for (int i = 0; i < r->n_updates; i++) {
        Node *param = node_now(r->updates[i]);
        if (param->mark == MARK_done) r->updates[n++] = param;
    }
    r->n_updates = n;
}

void graph_sort(Graph *g)
{
    Nodes stack = {0}, sorted = {0};
    for (int i = 0; i < g->node.n; i++) g->node.at[i]->mark = MARK_new;
    mark_live(g, &stack);
    for (int i = 0; i < g->node.n; i++) {
        Node *now = node_now(g->node.at[i]);   /* takes the place of what it replaces */
        if (g->node.at[i]->mark == MARK_live) emit_with_operands(g, &sorted, &stack, g->node.at[i]);
        if (now->mark == MARK_live) emit_with_operands(g, &sorted, &stack, now);
    }
    for (int i = 0; i < g->root.n; i++) settle_updates(&g->root.at[i]);
    for (int i = 0; i < sorted.n; i++) {
        sorted.at[i]->mark = 0;
        sorted.at[i]->link = NULL;
        sorted.at[i]->became = NULL;  /* an input that was replaced */
    }
    g->node.at = sorted.at;
    g->node.n = sorted.n;
    g->node.cap = sorted.cap;
}

static Node *node_copy(Arena *a, const Node *n, Node *const *copies)
{
    Node *copy = NEW(a, Node);
    *copy = *n;
    copy->link = copy->became = NULL;
    copy->in = NEW_ARRAY(a, Node *, n->n_in);
    for (int i = 0; i < n->n_in; i++) copy->in[i] = copies[n->in[i]->id];
    copy->attr = NEW_ARRAY(a, Attr, n->n_attr);
    for (int i = 0; i < n->n_attr; i++) copy->attr[i] = n->attr[i];
    return copy;
}

Graph *graph_copy(const Graph *g)
{
    Graph *copy = graph_new(g->arena, g->diag, g->net, g->mode, g->batch);
    copy->steps = g->steps;
    copy->steps_end = g->steps_end;
    for (int i = 0; i < g->node.n; i++)
        vec_push(g->arena, &copy->node, node_copy(g->arena, g->node.at[i], copy->node.at));
    for (int i = 0; i < g->root.n; i++) {
        Root r = g->root.at[i];
        r.node = copy->node.at[r.node->id];
        if (r.target) r.target = copy->node.at[r.target->id];
        r.updates = NEW_ARRAY(g->arena, Node *, r.n_updates);
        for (int k = 0; k < r.n_updates; k++) r.updates[k] = copy->node.at[g->root.at[i].updates[k]->id];
        vec_push(g->arena, &copy->root, r);
    }
    return copy;
}
