/* factor.c -- a gradient that is dy times what the forward pass knows, as that of gelu: the factor is computed there, beside what
   it is made of, and one tensor is kept for the backward pass instead of several. */
#include "pass.h"

enum {
    TENSORS_LEAST = 2,             /* of the forward pass that the gradient reads beside dy */
    VISITS_MOST = 200              /* of the nodes of an expression */
};

typedef struct Factor {
    Graph *g;
    int count;                     /* of nodes before the pass: they have the marks below */
    bool *forward;                 /* some output, loss or metric needs it */
    bool *known;                   /* made of such nodes and of numbers, element by element */
    bool *inside;                  /* of an elementwise expression with something that is not known */
    Node **behind;                 /* factors that are computed behind it, by their links */
    const Node *base[TENSORS_LEAST];
    int n_base, visits;
} Factor;

static bool is_forward(const Factor *f, const Node *n) { return n->id < f->count && f->forward[n->id]; }

static void mark_all(Factor *f)
{
    const Graph *g = f->g;
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind != ROOT_gradient && g->root.at[i].kind != ROOT_update) f->forward[g->root.at[i].node->id] = true;
    graph_mark_operands(g, f->forward);
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = g->node.at[i];
        bool all = op_is_elementwise(n->op) || n->op == OP_broadcast || n->op == OP_constant;
        for (int k = 0; k < n->n_in; k++) all &= f->known[n->in[k]->id];
        f->known[i] = all || f->forward[i];
        for (int k = 0; op_is_elementwise(n->op) && !f->known[i] && k < n->n_in; k++) f->inside[n->in[k]->id] = true;
    }
}

static Node *or_one(const Factor *f, Node *by) { return by ? by : node_number(f->g, 1); }

/* Whether n is dy, the one contraction below it, times something; *by: that, NULL for 1. */
static bool factor_of(Factor *f, Node *n, Node **dy, Node **by)
{
    if (++f->visits > VISITS_MOST) return false;
    *by = NULL;
    if (n->op == OP_contract && !*dy) *dy = n;
    if (n == *dy) return true;
    Node *x = n->n_in ? n->in[0] : NULL, *y = n->n_in == 2 ? n->in[1] : NULL, *of_x, *of_y;
    if (n->op == OP_neg) {
        if (!factor_of(f, x, dy, &of_x)) return false;
        *by = node_unary(f->g, OP_neg, or_one(f, of_x));
    } else if (n->op == OP_mul && (f->known[x->id] || f->known[y->id])) {
        Node *known = f->known[y->id] ? y : x;
        if (!factor_of(f, known == y ? x : y, dy, &of_x)) return false;
        *by = of_x ? node_binary(f->g, OP_mul, of_x, known) : known;
    } else if ((n->op == OP_add || n->op == OP_sub) && !f->known[x->id] && !f->known[y->id]) {
        if (!factor_of(f, x, dy, &of_x) || !factor_of(f, y, dy, &of_y)) return false;
        *by = node_binary(f->g, n->op, or_one(f, of_x), or_one(f, of_y));
    }
    return *by != NULL;
}

/* Collects the tensors that n reads and the forward pass stores: sums and products with numbers are made where they are read. */
static void find_bases(Factor *f, const Node *n, Shape shape)
{
    double number;
    if (++f->visits > VISITS_MOST || f->n_base == TENSORS_LEAST || node_is_number(n, &number) || !shape_equal(n->shape, shape)) return;
    bool small = n->op == OP_neg;
    for (int k = 0; op_is_elementwise(n->op) && n->n_in == 2 && k < 2; k++) small |= node_is_number(n->in[k], &number);
    if (!is_forward(f, n) || small) {
        for (int k = 0; k < n->n_in; k++) find_bases(f, n->in[k], shape);
        return;
    }
    for (int i = 0; i < f->n_base; i++)
        if (f->base[i] == n) return;
    f->base[f->n_base++] = n;
}

/* The last node of the forward pass that n reads. */
static int last_read(Factor *f, const Node *n)
{
    if (is_forward(f, n)) return n->id;
    int last = 0;
    for (int k = 0; ++f->visits <= VISITS_MOST && k < n->n_in; k++) {
        const int at = last_read(f, n->in[k]);
        last = at > last ? at : last;
    }
    return last;
}

static void take_factor(Factor *f, Node *n)
{
    Node *dy = NULL, *by = NULL;
    const int before = f->g->node.n;
    f->g->span = n->span;
    f->g->label = n->name;
    f->n_base = f->visits = 0;
    if (factor_of(f, n, &dy, &by) && by && shape_equal(by->shape, n->shape)) find_bases(f, by, n->shape);
    const int last = f->n_base == TENSORS_LEAST ? last_read(f, by) : 0;
    if (f->n_base < TENSORS_LEAST || f->visits > VISITS_MOST || by->batched != n->batched) {
        f->g->node.n = before;
        return;
    }
    by = node_unary(f->g, OP_copy, by);   /* stored, though read once */
    by->link = f->behind[last];
    f->behind[last] = by;
    graph_replace(f->g, n, node_binary(f->g, OP_mul, dy, by));
}

/* Factors stand in the forward pass. */
static void place_factors(Factor *f)
{
    Graph *g = f->g;
    Node **at = NEW_ARRAY(g->arena, Node *, 2 * g->node.n);
    int n = 0;
    for (int i = 0; i < g->node.n; i++) {
        at[n++] = g->node.at[i];
        for (Node *by = i < f->count ? f->behind[i] : NULL; by; by = by->link) at[n++] = by;
    }
    g->node.at = at;
    g->node.cap = 2 * g->node.n;
    g->node.n = n;
}

/* needs: gradients; leaves: dy times a tensor where more than one of the forward pass was read. */
void pass_factor(Graph *g, const PassContext *context)
{
    (void)context;
    const int n = g->node.n;
    Factor f = { .g = g, .count = n, .forward = NEW_ARRAY(g->arena, bool, n), .known = NEW_ARRAY(g->arena, bool, n),
                 .inside = NEW_ARRAY(g->arena, bool, n), .behind = NEW_ARRAY(g->arena, Node *, n) };
    mark_all(&f);
    for (int i = 0; i < n; i++)
        if (op_is_elementwise(g->node.at[i]->op) && !f.known[i] && !f.inside[i]) take_factor(&f, g->node.at[i]);
    place_factors(&f);
    g->span = (Span){ 0 };
    g->label = NULL;
    graph_sort(g);
}
