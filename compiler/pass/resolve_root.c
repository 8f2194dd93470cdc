/* resolve_root.c -- losses, metrics and totals: what training makes small and what is reported over the whole data set. */
#include "value.h"

#include <string.h>

void resolve_loss(Resolver *r, const Ast *s);
void resolve_metric(Resolver *r, const Ast *s);

/* The mean over all but the batch. */
Node *mean_over_sample(Resolver *r, Node *x)
{
    Shape s = sample_shape(x);
    int64_t axes[RANK_MAX], n = shape_elements(s);
    for (int d = 0; d < s.rank; d++) axes[d] = d + x->batched;
    Node *sum = node_reduce(r->graph, OP_sum, x, axes, s.rank);
    return n == 1 ? sum : node_binary(r->graph, OP_mul, sum, node_number(r->graph, 1.0 / (double)n));
}

Node *node_batch_mean(Graph *g, Node *x)
{
    const int64_t batch_axis = 0;
    return node_binary(g, OP_mul, node_reduce(g, OP_sum, x, &batch_axis, 1), node_number(g, 1.0 / (double)g->batch));
}

/* One number per sample, [batch]. */
static Node *per_sample(Resolver *r, Node *x)
{
    x = mean_over_sample(r, node_cast(r->graph, x, DTYPE_f32));
    if (x->batched) return x;
    Shape s = {.rank = 1, .dim = {r->graph->batch}};
    return node_broadcast(r->graph, x, s, NULL, true);
}

/* Totals of the same node are one; the count of samples is the total of 1. */
static int total_index(Resolver *r, Node *x)
{
    double a, b;
    for (int i = 0; i < r->total.n; i++) {
        Node *t = r->total.at[i];
        if (t == x || (node_is_number(t, &a) && node_is_number(x, &b) && a == b)) return i;
    }
    return -1;
}

Value total_of(Resolver *r, Node *x, Span span)
{
    Graph *g = r->graph;
    const int64_t batch_axis = 0;
    int i = total_index(r, x);
    if (i < 0) {
        i = r->total.n;
        vec_push(r->arena, &r->total, x);
        if (r->options->mode != MODE_infer) {
            Node *each = per_sample(r, x);
            Node *valid = node_leaf(g, OP_scalar, "valid", DTYPE_f32, (Shape){.rank = 0}, false);
            Node *counts = node_binary(g, OP_lt, node_iota(g, each->shape, 0, true), valid);
            Node *sum = node_reduce(g, OP_sum, node_where(g, counts, each, node_number(g, 0)), &batch_axis, 1);
            graph_root(g, ROOT_total, arena_printf(r->arena, "total.%d", i), sum, NULL, span);
        }
    }
    return value_tensor(node_leaf(g, OP_scalar, arena_printf(r->arena, "total.%d", i), DTYPE_f32, (Shape){.rank = 0}, false));
}

/* The mean of a sample's value over the whole set. */
static Node *mean_over_set(Resolver *r, Node *x, Span span)
{
    Node *count = total_of(r, node_number(r->graph, 1), span).node;
    return node_binary(r->graph, OP_div, total_of(r, x, span).node, count);
}

static const char *unique_name(Resolver *r, const char *name)
{
    int count = 0;
    for (int i = 0; i < r->names.n; i++) count += !strcmp(r->names.at[i], name);
    vec_push(r->arena, &r->names, name);
    return count ? arena_printf(r->arena, "%s_%d", name, count) : name;
}

/* ---- what a loss or a metric is built of ---- */

/* Of totals and constants alone. */
static bool is_formula(const Node *n)
{
    if (!n->n_in) return n->op == OP_scalar || n->op == OP_constant;
    for (int i = 0; i < n->n_in; i++)
        if (!is_formula(n->in[i])) return false;
    return true;
}

/* A formula over the whole set, or a value of each sample: it cannot be both. */
static bool is_clear(Resolver *r, const Node *x, Span span)
{
    for (int i = 0; i < r->graph->node.n; i++) {
        Node *n = r->graph->node.at[i];
        n->mark = n->op == OP_scalar;
        for (int k = 0; k < n->n_in; k++) n->mark |= n->in[k]->mark;
    }
    if (!x->mark || is_formula(x)) return true;
    resolve_error(r, span, "totals over the whole set are mixed with values of single samples here");
    return false;
}

/* ---- losses ---- */

/* A single one is "loss"; of several each has a name. NULL after an error. */
static const char *loss_name(Resolver *r, const Ast *s)
{
    const char *name = s->text ? s->text : "loss";
    for (int i = 0; i < r->loss.n; i++) {
        if (!strcmp(r->loss.at[i].name, name) && s->text) resolve_error(r, s->span, "there are two losses `%s`", name);
        else if (!s->text || !r->loss.at[i].named) resolve_error(r, s->span, "of several losses each needs a name: `loss NAME = ...`");
        else continue;
        return NULL;
    }
    vec_push(r->arena, &r->loss, (Loss){.name = name, .named = s->text != NULL});
    return name;
}

/* In evaluation `loss` is the sum of all; where there are several, each is reported too. */
static void report_loss(Resolver *r, const char *name, Node *mean, Span span)
{
    Graph *g = r->graph;
    Loss *first = &r->loss.at[0];
    r->loss.at[r->loss.n - 1].mean = mean;
    if (r->loss.n == 1) {
        first->root = g->root.n;
        vec_push(r->arena, &r->names, "loss");
        graph_root(g, ROOT_metric, "loss", mean, NULL, span);
        return;
    }
    g->root.at[first->root].node = node_binary(g, OP_add, g->root.at[first->root].node, mean);
    if (r->loss.n == 2) graph_root(g, ROOT_metric, unique_name(r, first->name), first->mean, NULL, span);
    graph_root(g, ROOT_metric, unique_name(r, name), mean, NULL, span);
}

void grad_zero(Graph *g, Node *n, Node *dy, Node **dx);

/* Marks what depends on a parameter of that net in a way that a gradient can follow. */
static void mark_reach(Resolver *r, const Ast *net)
{
    for (int i = 0; i < r->graph->node.n; i++) {
        Node *n = r->graph->node.at[i];
        n->mark = 0;
        for (int k = 0; k < n->n_in && op_info[n->op].grad != grad_zero; k++) n->mark |= n->in[k]->mark;
        for (int k = 0; n->op == OP_param && k < r->shared.n; k++) n->mark |= r->shared.at[k].node == n && r->shared.at[k].net == net;
    }
}

static const Ast *net_here(Resolver *r, const Ast *name)
{
    VEC(const char *) known = {0};
    for (int i = 0; i < r->shared.n; i++) {
        const Ast *net = r->shared.at[i].net;
        if (!strcmp(net->text, name->text)) return net;
        vec_push(r->arena, &known, net->text);
    }
    const char *near = did_you_mean(name->text, known.at, known.n);
    resolve_error(r, name->span, near ? "no net `%s` is called here; did you mean `%s`?" : "no net `%s` with parameters is called here",
                  name->text, near ? near : "");
    return NULL;
}

/* The loss trains the parameters of the nets it names. */
static void choose_params(Resolver *r, const Ast *names, Root *loss)
{
    VEC(Node *) chosen = {0};
    for (int i = 0; i < names->n; i++) {
        const Ast *net = net_here(r, names->kid[i]);
        if (!net) continue;
        mark_reach(r, net);
        if (!loss->node->mark) resolve_error(r, names->kid[i]->span, "the loss `%s` has no gradient for `%s`", loss->name, net->text);
        for (int k = 0; k < r->shared.n; k++)
            if (r->shared.at[k].net == net && r->shared.at[k].node->trained) vec_push(r->arena, &chosen, r->shared.at[k].node);
    }
    loss->chooses = true;
    loss->updates = chosen.at;
    loss->n_updates = chosen.n;
}

void resolve_loss(Resolver *r, const Ast *s)
{
    Graph *g = r->graph;
    const char *name = loss_name(r, s);
    Node *x = value_to_node(r, resolve_single(r, s->kid[0]), s->kid[0]->span, "a loss", true);
    if (!x || !name || !is_clear(r, x, s->kid[0]->span)) return;
    g->span = s->span;
    g->label = "loss";
    Node *each = mean_over_sample(r, x);
    if (r->options->mode == MODE_train) {
        graph_root(g, ROOT_loss, name, each->batched ? node_batch_mean(g, each) : each, NULL, s->span);
        if (s->kid[1]) choose_params(r, s->kid[1], &g->root.at[g->root.n - 1]);
    } else if (r->options->mode == MODE_evaluate) {
        report_loss(r, name, is_formula(x) ? x : mean_over_set(r, each, s->span), s->span);
    }
    g->label = NULL;
}

void resolve_metric(Resolver *r, const Ast *s)
{
    const Ast *e = s->kid[0];
    while (e->kind == AST_paren) e = e->kid[0];
    const char *name = e->kind == AST_call ? e->text : e->kind == AST_pipe ? e->kid[1]->text : "metric";
    r->graph->label = name;
    Node *x = value_to_node(r, resolve_single(r, s->kid[0]), s->kid[0]->span, "a metric", true);
    r->graph->label = NULL;
    if (!x || !is_clear(r, x, s->kid[0]->span)) return;
    r->graph->span = s->span;
    if (x->batched || x->shape.rank || !is_formula(x)) x = mean_over_set(r, mean_over_sample(r, x), s->span);
    if (r->options->mode != MODE_infer) graph_root(r->graph, ROOT_metric, unique_name(r, name), x, NULL, s->span);
}
