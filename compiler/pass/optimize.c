/* optimize.c -- turns gradients into updates of parameters and of the optimiser's state, by PyTorch's formulas. */
#include "pass.h"

#include <math.h>
#include <string.h>

typedef struct Step {
    Graph *g;
    const TrainPlan *plan;
    const char *loss;              /* whose gradients they are */
    const Node *param;             /* what is being updated */
    Node *rate, *count;            /* count: updates done before this one */
    Node *last;                    /* accumulating: whether the parameters move in this call; else NULL */
    Node *bias1, *bias2;           /* 1 - beta^(count + 1) */
} Step;

/* ---- formulas ---- */

static Node *add(Step *s, Node *x, Node *y) { return node_binary(s->g, OP_add, x, y); }
static Node *sub(Step *s, Node *x, Node *y) { return node_binary(s->g, OP_sub, x, y); }
static Node *mul(Step *s, Node *x, Node *y) { return node_binary(s->g, OP_mul, x, y); }
static Node *divide(Step *s, Node *x, Node *y) { return node_binary(s->g, OP_div, x, y); }
static Node *root(Step *s, Node *x) { return node_unary(s->g, OP_sqrt, x); }
static Node *number(Step *s, double x) { return node_number(s->g, x); }
static Node *times(Step *s, double x, Node *y) { return mul(s, number(s, x), y); }

/* share * old + (1 - share) * new */
static Node *average(Step *s, double share, Node *old, Node *new)
{
    return add(s, times(s, share, old), times(s, 1 - share, new));
}

/* The tensor PARAM.SUFFIX of the parameter's shape, 0 before the first step; of a second loss that trains the
   parameter too, PARAM.LOSS.SUFFIX. */
static Node *state_of(Step *s, const char *suffix)
{
    const Node *w = s->param;
    const char *name = w->link ? arena_printf(s->g->arena, "%s.%s.%s", w->name, s->loss, suffix)
                               : arena_printf(s->g->arena, "%s.%s", w->name, suffix);
    Node *state = node_leaf(s->g, OP_state, name, DTYPE_f32, w->shape, false);
    node_set_attr(s->g, state, (Attr){ .name = ATTR_init, .init = { .kind = INIT_constant } });
    return state;
}

/* The new value in the last of the calls that make an update, in the others the old one. */
static Node *when_last(Step *s, Node *value, Node *old) { return s->last ? node_where(s->g, s->last, value, old) : value; }

static Node *state_becomes(Step *s, Node *state, Node *value)
{
    graph_root(s->g, ROOT_update, state->name, when_last(s, value, state), state, state->span);
    return value;
}

/* The gradient with weight decay as part of the loss. */
static Node *decayed(Step *s, Node *w, Node *dw)
{
    return s->plan->decay != 0 ? add(s, dw, times(s, s->plan->decay, w)) : dw;
}

/* ---- optimisers: the new value of w, given its gradient ---- */

/* v = momentum v + (1 - dampening) dw, but v = dw at the first step;  w - rate v,  Nesterov: w - rate (dw + momentum v) */
static Node *update_sgd(Step *s, Node *w, Node *dw)
{
    const TrainPlan *plan = s->plan;
    dw = decayed(s, w, dw);
    if (plan->momentum != 0) {
        Node *old = state_of(s, "momentum");
        Node *v = add(s, times(s, plan->momentum, old), times(s, 1 - plan->dampening, dw));
        if (plan->dampening != 0) v = node_where(s->g, node_binary(s->g, OP_gt, s->count, number(s, 0)), v, dw);
        v = state_becomes(s, old, v);
        dw = plan->nesterov ? add(s, dw, times(s, plan->momentum, v)) : v;
    }
    return sub(s, w, mul(s, s->rate, dw));
}

/* m = beta1 m + (1 - beta1) dw;  v = beta2 v + (1 - beta2) dw^2;
   w - rate / bias1 * m / (sqrt(v) / sqrt(bias2) + eps) */
static Node *adam(Step *s, Node *from, Node *dw)
{
    const TrainPlan *plan = s->plan;
    Node *m = state_of(s, "exp_avg"), *v = state_of(s, "exp_avg_sq");
    m = state_becomes(s, m, average(s, plan->beta1, m, dw));
    v = state_becomes(s, v, average(s, plan->beta2, v, mul(s, dw, dw)));
    Node *size = add(s, mul(s, root(s, v), divide(s, number(s, 1), root(s, s->bias2))), number(s, plan->eps));
    return sub(s, from, mul(s, divide(s, s->rate, s->bias1), divide(s, m, size)));
}

static Node *update_adam(Step *s, Node *w, Node *dw)
{
    return adam(s, w, decayed(s, w, dw));
}

/* The decay shrinks w itself: w (1 - rate decay), then Adam's step. */
static Node *update_adamw(Step *s, Node *w, Node *dw)
{
    Node *keep = sub(s, number(s, 1), times(s, s->plan->decay, s->rate));
    return adam(s, s->plan->decay != 0 ? mul(s, w, keep) : w, dw);
}

/* v = alpha v + (1 - alpha) dw^2;  d = dw / (sqrt(v) + eps);  w - rate d,  with momentum: b = momentum b + d;  w - rate b */
static Node *update_rmsprop(Step *s, Node *w, Node *dw)
{
    const TrainPlan *plan = s->plan;
    dw = decayed(s, w, dw);
    Node *v = state_of(s, "square_avg");
    v = state_becomes(s, v, average(s, plan->alpha, v, mul(s, dw, dw)));
    Node *d = divide(s, dw, add(s, root(s, v), number(s, plan->eps)));
    if (plan->momentum != 0) {
        Node *b = state_of(s, "momentum");
        d = state_becomes(s, b, add(s, times(s, plan->momentum, b), d));
    }
    return sub(s, w, mul(s, s->rate, d));
}

/* v = v + dw^2;  w - rate dw / (sqrt(v) + eps) */
static Node *update_adagrad(Step *s, Node *w, Node *dw)
{
    dw = decayed(s, w, dw);
    Node *v = state_of(s, "sum");
    v = state_becomes(s, v, add(s, v, mul(s, dw, dw)));
    return sub(s, w, mul(s, s->rate, divide(s, dw, add(s, root(s, v), number(s, s->plan->eps)))));
}

typedef Node *Update(Step *s, Node *w, Node *dw);
static Update *const updates[] = {
    [OPTIMIZER_sgd] = update_sgd, [OPTIMIZER_adam] = update_adam, [OPTIMIZER_adamw] = update_adamw,
    [OPTIMIZER_rmsprop] = update_rmsprop, [OPTIMIZER_adagrad] = update_adagrad,
};

/* ---- the pass ---- */

static Node *scalar_named(Graph *g, const char *name)
{
    for (int i = 0; i < g->node.n; i++)
        if (g->node.at[i]->op == OP_scalar && !strcmp(g->node.at[i]->name, name)) return g->node.at[i];
    return node_leaf(g, OP_scalar, name, DTYPE_f32, (Shape){ 0 }, false);
}

/* 1 - beta^(count + 1), exact in single precision too where beta is near 1. */
static Node *bias_of(Step *s, double beta)
{
    if (beta <= 0) return number(s, 1);
    Node *exponent = times(s, log(beta), add(s, s->count, number(s, 1)));
    return node_unary(s->g, OP_neg, node_unary(s->g, OP_expm1, exponent));
}

/* The gradient root becomes the mean of this call's gradient and of those that were kept since the last update. */
static void accumulate(Step *s, int root)
{
    Graph *g = s->g;
    s->param = g->root.at[root].target;
    Node *kept = state_of(s, "gradient"), *sum = add(s, kept, g->root.at[root].node);
    graph_root(g, ROOT_update, kept->name, when_last(s, number(s, 0), sum), kept, kept->span);
    g->root.at[root].node = times(s, 1 / (double)s->plan->accumulate, sum);
}

/* The factor that brings the norm of all gradients together down to `clip`: min(1, clip / (norm + 1e-6)). */
static Node *clip_factor(Step *s)
{
    Graph *g = s->g;
    static const int64_t axes[RANK_MAX] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    Node *sum = NULL;
    for (int i = 0; i < g->root.n; i++) {
        Node *dw = g->root.at[i].node;
        if (g->root.at[i].kind != ROOT_gradient) continue;
        Node *square = node_reduce(g, OP_sum, mul(s, dw, dw), axes, dw->shape.rank);
        sum = sum ? add(s, sum, square) : square;
    }
    if (!sum) return NULL;
    Node *factor = divide(s, number(s, s->plan->clip), add(s, root(s, sum), number(s, 1e-6)));
    return node_binary(g, OP_min, factor, number(s, 1));
}

/* A gradient changes nothing: what a step would update beside the parameters (running statistics) is left alone. */
static void drop_updates(Graph *g)
{
    int n = 0;
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind != ROOT_update) g->root.at[n++] = g->root.at[i];
    g->root.n = n;
    graph_sort(g);
}

/* The new value, held within the limit where the parameter has one. */
static Node *limited(Step *s, Node *value)
{
    const TrainPlan *plan = s->plan;
    const size_t n = plan->limited ? strlen(plan->limited) : 0;
    bool applies = !n || (!strncmp(s->param->name, plan->limited, n) && s->param->name[n] == '.');
    if (plan->weight_limit <= 0 || !applies) return value;
    value = node_binary(s->g, OP_min, value, number(s, plan->weight_limit));
    return node_binary(s->g, OP_max, value, number(s, -plan->weight_limit));
}

/* A gradient root becomes the update of its target, or continues the one that an earlier loss gave it. */
static void update_target(Step *s, int root, Node *factor)
{
    Graph *g = s->g;
    Node *w = g->root.at[root].target, *now = w->link ? w->link : w, *dw = g->root.at[root].node;
    s->param = w;
    g->label = w->name;
    Node *value = updates[s->plan->optimizer](s, now, factor ? mul(s, factor, dw) : dw);
    value = when_last(s, limited(s, value), now);
    for (int i = 0; w->link && i < root; i++)
        if (g->root.at[i].kind == ROOT_update && g->root.at[i].target == w) g->root.at[i].node = value;
    g->root.at[root].kind = ROOT_update;
    g->root.at[root].node = value;
}

/* Of two updates of one target the first has the value of the last: the rest go. */
static void drop_repeated(Graph *g, int from)
{
    int n = from;
    for (int i = from; i < g->root.n; i++)
        if (g->root.at[i].target->op != OP_param || !g->root.at[i].target->link) g->root.at[n++] = g->root.at[i];
    g->root.n = n;
}

/* All ROOT_gradient roots, which are those of one loss and the last of all roots. */
static void update_all(Graph *g, const TrainPlan *plan, const char *loss)
{
    g->span = plan->span;
    const bool several = plan->accumulate > 1;
    Step s = { .g = g, .plan = plan, .loss = loss, .rate = scalar_named(g, "rate"), .count = scalar_named(g, several ? "update" : "step"),
               .last = several ? scalar_named(g, "last") : NULL };
    s.bias1 = bias_of(&s, plan->beta1);
    s.bias2 = bias_of(&s, plan->beta2);
    const int n_roots = g->root.n;
    int first = n_roots;
    for (int i = n_roots - 1; i >= 0; i--)
        if (g->root.at[i].kind == ROOT_gradient) first = i;
    for (int i = first; i < n_roots && several; i++) accumulate(&s, i);
    Node *factor = plan->clip > 0 ? clip_factor(&s) : NULL;
    for (int i = first; i < n_roots; i++) update_target(&s, i, factor);
    drop_repeated(g, first);
    g->span = (Span){ 0 };
    g->label = NULL;
}

/* needs: ROOT_gradient roots of the first loss; leaves: a ROOT_update for each of their targets and for each new state, and
   those of the further losses, each of which sees the parameters as the losses before it left them. */
void pass_optimize(Graph *g, const PassContext *context)
{
    if (!context) return;
    if (context->gradients_only || context->loss_only) {
        drop_updates(g);
        return;
    }
    if (!context->plan) internal_error("optimize", "no plan");
    const int n = g->root.n;
    bool first = true;
    for (int i = 0; i < n; i++) {
        if (g->root.at[i].kind != ROOT_loss) continue;
        if (!first) grad_loss(g, i);
        first = false;
        update_all(g, context->plan, g->root.at[i].name);
        graph_sort(g);
    }
}
