/* hoist.c -- what the steps of a scan do alike and apart from each other becomes one operation over all steps.

   A scan is written out step by step; these rewrites take back what does not depend on the state that is carried:
   x_t W, where no x_t needs another step's    is a slice of x W        (projections of the input; gradients for it)
   sum over t of a_t b_t, without a batch      is one contraction       (gradients of weights, after the steps)
   sum over t of tensors                       is a sum over an axis    (gradients of biases)
   sum over t of pads that lie side by side    is a concat              (gradients of what the steps read) */
#include "fold.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_LEAST = 4, PADS_LEAST = 2, PLAIN_LEAST = 8 };   /* a few plain terms are better added in registers */

typedef VEC(Node *) Nodes;

/* The steps' tensors behind each other along a new dimension. */
typedef struct Stack { Node *const *x; int n; Node *all; } Stack;

typedef struct Hoist {
    Graph *g;
    int *uses;                     /* by node id */
    VEC(Stack) stack;              /* those there are */
} Hoist;

/* Where a dimension for the steps goes: behind the batch. */
static int step_dim(const Node *n) { return n->batched ? 1 : 0; }

/* ---- what one step reads: a slice of one place along step_dim ---- */

/* x_t as [reshape of a] slice of one place of a whole tensor along the dimension of steps; NULL when it is none. */
static Node *slice_of(Node *x)
{
    if (x->op != OP_reshape || x->in[0]->op != OP_slice) return NULL;
    Node *slice = x->in[0], *whole = slice->in[0];
    int at = step_dim(x);
    if (whole->shape.rank != x->shape.rank + 1 || slice->batched != x->batched || slice->shape.dim[at] != 1) return NULL;
    for (int d = 0; d < whole->shape.rank; d++)
        if (d != at && (slice->shape.dim[d] != whole->shape.dim[d] || slice->shape.dim[d] != x->shape.dim[d - (d > at)])) return NULL;
    return slice;
}

static int64_t slice_place(const Node *slice) { return node_ints(slice, ATTR_start)[step_dim(slice)]; }

static Shape insert_dim(Shape s, int at, int64_t extent)
{
    memmove(s.dim + at + 1, s.dim + at, (size_t)(s.rank - at) * sizeof *s.dim);
    s.dim[at] = extent;
    s.rank++;
    return s;
}

static IndexMap insert_index(IndexMap m, int at, int axis)
{
    memmove(m.dim + at + 1, m.dim + at, (size_t)(m.rank - at) * sizeof *m.dim);
    m.dim[at] = affine_axis(axis);
    m.rank++;
    return m;
}

static Node *box_of(Graph *g, Node *all, int at, int64_t from, int n)
{
    int64_t start[RANK_MAX] = {0};
    Shape box = all->shape;
    if (box.dim[at] == n) return all;
    start[at] = from;
    box.dim[at] = n;
    return node_slice(g, all, start, box);
}

/* A part of a stack that there is, or NULL. */
static Node *known_stack(const Hoist *h, Node *const *x, int n)
{
    for (int i = 0; i < h->stack.n; i++) {
        const Stack *s = &h->stack.at[i];
        for (int from = 0; from + n <= s->n; from++)
            if (s->x[from] == x[0] && !memcmp(s->x + from, x, (size_t)n * sizeof *x)) return box_of(h->g, s->all, step_dim(x[0]), from, n);
    }
    return NULL;
}

static Node *slices_stack(const Hoist *h, Node *const *x, int n)
{
    Node *first = slice_of(x[0]);
    for (int i = 0; i < n; i++) {
        Node *slice = slice_of(x[i]);
        if (!slice || slice->in[0] != first->in[0] || slice_place(slice) != slice_place(first) + i) return NULL;
    }
    return box_of(h->g, first->in[0], step_dim(x[0]), slice_place(first), n);
}

static Node *stack(Hoist *h, Node *const *x, int n)
{
    Node *all = slices_stack(h, x, n);
    if (!all) all = known_stack(h, x, n);
    if (all) return all;
    int at = step_dim(x[0]);
    Node **part = NEW_ARRAY(h->g->arena, Node *, n);
    for (int i = 0; i < n; i++) part[i] = node_reshape(h->g, x[i], insert_dim(x[i]->shape, at, 1));
    all = node_concat(h->g, part, n, at);
    vec_push(h->g->arena, &h->stack, (Stack){x, n, all});
    return all;
}

/* What scans yield is stacked already. */
static void find_stacks(Hoist *h)
{
    for (int i = 0; i < h->g->node.n; i++) {
        Node *n = h->g->node.at[i];
        if (n->op != OP_concat || n->n_in < STEPS_LEAST) continue;
        Node **x = NEW_ARRAY(h->g->arena, Node *, n->n_in);
        bool steps = true;
        for (int k = 0; k < n->n_in && steps; k++) {
            const Node *part = n->in[k];
            steps = part->op == OP_reshape && part->in[0]->shape.rank < RANK_MAX && part->in[0]->batched == n->batched &&
                    node_int(n, ATTR_axis) == step_dim(part->in[0]) &&
                    shape_equal(part->shape, insert_dim(part->in[0]->shape, step_dim(part->in[0]), 1));
            x[k] = steps ? part->in[0] : NULL;
        }
        if (steps) vec_push(h->g->arena, &h->stack, (Stack){x, n->n_in, n});
    }
}

/* Place i along the dimension of steps, with that dimension gone. */
static Node *unstack(Graph *g, Node *all, int i, const Node *like)
{
    int at = step_dim(like);
    int64_t start[RANK_MAX] = {0};
    start[at] = i;
    return node_reshape(g, node_slice(g, all, start, insert_dim(like->shape, at, 1)), like->shape);
}

/* ---- contractions ---- */

static const Contract *contract_of(const Node *n) { return node_attr(n, ATTR_contract)->contract; }

static bool has_room(const Node *n)
{
    return contract_of(n)->n_axes < AXES_MAX && n->shape.rank < RANK_MAX && n->in[0]->shape.rank < RANK_MAX && n->in[1]->shape.rank < RANK_MAX;
}

/* n with a further axis over `steps` in the operands of the mask and, if `out`, in the result. */
static Node *contract_steps(Graph *g, const Node *n, Node *x, Node *y, unsigned operands, bool out, int steps)
{
    Contract c = *contract_of(n);
    int axis = c.n_axes++;
    c.extent[axis] = steps;
    if (operands & 1) c.a = insert_index(c.a, step_dim(n->in[0]), axis);
    if (operands & 2) c.b = insert_index(c.b, step_dim(n->in[1]), axis);
    if (out) {
        c.out = insert_index(c.out, step_dim(n), axis);
        c.shape = insert_dim(c.shape, step_dim(n), steps);
    }
    return node_contract(g, x, y, &c);
}

static bool alike(const Node *x, const Node *y)
{
    if (x->op != OP_contract || y->op != OP_contract || x->batched != y->batched || !contracts_equal(contract_of(x), contract_of(y))) return false;
    for (int i = 0; i < 2; i++)
        if (x->in[i]->batched != y->in[i]->batched || !shape_equal(x->in[i]->shape, y->in[i]->shape)) return false;
    return true;
}

/* No window, no stride: every index is an axis. */
static bool is_product(const Node *n)
{
    const Contract *c = contract_of(n);
    const IndexMap *map[] = {&c->a, &c->b, &c->out};
    for (int m = 0; m < 3; m++)
        for (int d = 0; d < map[m]->rank; d++)
            if (map[m]->dim[d].n > 1 || map[m]->dim[d].offset || (map[m]->dim[d].n && map[m]->dim[d].coef[0] != 1)) return false;
    return true;
}

/* Slices of one tensor in the order of their places, else operands in the order in which they are computed. */
static int by_operand(const void *x, const void *y)
{
    const Node *const *a = x, *const *b = y;
    const Node *p = slice_of((*a)->in[0]), *q = slice_of((*b)->in[0]);
    if (p && q && p->in[0] == q->in[0] && slice_place(p) != slice_place(q)) return slice_place(p) < slice_place(q) ? -1 : 1;
    return (*a)->in[0]->id != (*b)->in[0]->id ? (*a)->in[0]->id - (*b)->in[0]->id : (*a)->id - (*b)->id;
}

static int by_falling_operand(const void *x, const void *y) { return by_operand(y, x); }

/* Whether no operand needs the result of another: nothing is carried from step to step. */
static bool are_apart(const Graph *g, const Nodes *group)
{
    bool *needs = NEW_ARRAY(g->arena, bool, g->node.n);
    for (int i = 0; i < group->n; i++) needs[group->at[i]->id] = true;
    for (int i = 0; i < g->node.n; i++)
        for (int k = 0; k < g->node.at[i]->n_in; k++) needs[i] |= needs[g->node.at[i]->in[k]->id];
    for (int i = 0; i < group->n; i++)
        if (needs[group->at[i]->in[0]->id]) return false;
    return true;
}

static void hoist_group(Hoist *h, Nodes *group)
{
    Graph *g = h->g;
    qsort(group->at, (size_t)group->n, sizeof *group->at, by_operand);
    Node **x = NEW_ARRAY(g->arena, Node *, group->n), **turned = NEW_ARRAY(g->arena, Node *, group->n);
    for (int i = 0; i < group->n; i++) x[i] = turned[group->n - 1 - i] = group->at[i]->in[0];
    if (known_stack(h, turned, group->n)) {
        for (int i = 0; i < group->n; i++) x[i] = turned[i];
        qsort(group->at, (size_t)group->n, sizeof *group->at, by_falling_operand);
    }
    Node *first = group->at[0];
    g->span = first->span;
    g->label = first->name;
    Node *whole = contract_steps(g, first, stack(h, x, group->n), first->in[1], 1, true, group->n);
    for (int i = 0; i < group->n; i++) graph_replace(g, group->at[i], unstack(g, whole, i, group->at[i]));
    graph_sort(g);                 /* the next group may need this one */
}

/* Groups of contractions of the same tensor, in the order of their first. */
static void hoist_projections(Hoist *h)
{
    Graph *g = h->g;
    VEC(Nodes) group = {0};
    int *readers = NEW_ARRAY(g->arena, int, g->node.n);
    for (int i = 0; i < g->node.n; i++)
        if (g->node.at[i]->op == OP_contract) readers[g->node.at[i]->in[1]->id]++;
    for (int i = 0; i < g->node.n; i++) {
        Node *n = g->node.at[i];
        if (n->op != OP_contract || readers[n->in[1]->id] < STEPS_LEAST || !has_room(n) || !is_product(n)) continue;
        int k = 0;
        while (k < group.n && (group.at[k].at[0]->in[1] != n->in[1] || !alike(group.at[k].at[0], n))) k++;
        if (k == group.n) vec_push(g->arena, &group, (Nodes){0});
        vec_push(g->arena, &group.at[k], n);
    }
    for (int i = 0; i < group.n; i++)
        if (group.at[i].n >= STEPS_LEAST && are_apart(g, &group.at[i])) hoist_group(h, &group.at[i]);
}

/* ---- sums ---- */

static void count_uses(Hoist *h)
{
    const Graph *g = h->g;
    h->uses = NEW_ARRAY(g->arena, int, g->node.n);
    for (int i = 0; i < g->node.n; i++)
        for (int k = 0; k < g->node.at[i]->n_in; k++) h->uses[g->node.at[i]->in[k]->id]++;
    for (int i = 0; i < g->root.n; i++) h->uses[g->root.at[i].node->id]++;
}

/* What a tree of additions adds, in the order of the nodes; partial sums that others read are terms. */
static Nodes terms_of(const Hoist *h, Node *sum)
{
    Graph *g = h->g;
    Nodes term = {0}, open = {0};
    vec_push(g->arena, &open, sum);
    while (open.n) {
        Node *n = open.at[--open.n];
        if (n != sum && (n->op != OP_add || h->uses[n->id] > 1)) {
            vec_push(g->arena, &term, n);
            continue;
        }
        n->mark = 1;
        vec_push(g->arena, &open, n->in[1]);
        vec_push(g->arena, &open, n->in[0]);
    }
    return term;
}

/* Takes out of `term` those for which `same` holds with the first that has enough of them; none when there is no such. */
static Nodes take_alike(Graph *g, Nodes *term, int least, bool (*same)(const Node *x, const Node *first))
{
    for (int i = 0; i < term->n; i++) {
        Nodes group = {0}, rest = {0};
        for (int k = 0; k < term->n; k++)
            if (same(term->at[k], term->at[i])) vec_push(g->arena, &group, term->at[k]);
            else vec_push(g->arena, &rest, term->at[k]);
        if (group.n < least) continue;
        *term = rest;
        return group;
    }
    return (Nodes){0};
}

static bool are_products(const Node *x, const Node *first) { return !x->batched && alike(x, first) && has_room(x); }

static bool are_plain(const Node *x, const Node *first)
{
    (void)first;
    return x->op != OP_contract && x->op != OP_pad && x->shape.rank < RANK_MAX;
}

/* In the order of the steps: forward nodes come up in it, backward nodes against it. */
static int by_first_operand(const void *x, const void *y)
{
    const Node *const *a = x, *const *b = y;
    return (*a)->in[0]->id != (*b)->in[0]->id ? (*a)->in[0]->id - (*b)->in[0]->id : (*a)->id - (*b)->id;
}

static int by_falling_id(const void *x, const void *y)
{
    const Node *const *a = x, *const *b = y;
    return (*b)->id - (*a)->id;
}

static Node *sum_products(Hoist *h, Nodes *group)
{
    Graph *g = h->g;
    qsort(group->at, (size_t)group->n, sizeof *group->at, by_first_operand);
    Node **x = NEW_ARRAY(g->arena, Node *, group->n), **y = NEW_ARRAY(g->arena, Node *, group->n);
    for (int i = 0; i < group->n; i++) {
        x[i] = group->at[i]->in[0];
        y[i] = group->at[i]->in[1];
    }
    return contract_steps(g, group->at[0], stack(h, x, group->n), stack(h, y, group->n), 3, false, group->n);
}

static Node *sum_plain(Hoist *h, Nodes *group)
{
    qsort(group->at, (size_t)group->n, sizeof *group->at, by_falling_id);
    return node_reduce(h->g, OP_sum, stack(h, group->at, group->n), (int64_t[]){step_dim(group->at[0])}, 1);
}

/* ---- pads ---- */

/* The only dimension along which x and first are not whole; -1 when there is none such or they differ in more. */
static int padded_dim(const Node *x)
{
    int found = -1;
    for (int d = 0; d < x->shape.rank; d++) {
        if (!node_ints(x, ATTR_low)[d] && !node_ints(x, ATTR_high)[d]) continue;
        if (found >= 0 || node_ints(x, ATTR_low)[d] < 0 || node_ints(x, ATTR_high)[d] < 0) return -1;
        found = d;
    }
    return found;
}

static bool are_pads(const Node *x, const Node *first)
{
    return x->op == OP_pad && first->op == OP_pad && node_real(x, ATTR_value) == 0 && padded_dim(x) >= 0 && padded_dim(x) == padded_dim(first);
}

static int by_low(const void *x, const void *y)
{
    const Node *const *a = x, *const *b = y;
    int d = padded_dim(*a);
    int64_t p = node_ints(*a, ATTR_low)[d], q = node_ints(*b, ATTR_low)[d];
    return p < q ? -1 : p > q ? 1 : (*a)->id - (*b)->id;
}

/* The pads' sum as a concat, zeros where none lies; NULL where two overlap. */
static Node *sum_pads(Hoist *h, Nodes *group)
{
    Graph *g = h->g;
    Nodes part = {0};
    Node **pad = NEW_ARRAY(g->arena, Node *, group->n);
    memcpy(pad, group->at, (size_t)group->n * sizeof *pad);
    qsort(pad, (size_t)group->n, sizeof *pad, by_low);
    int d = padded_dim(pad[0]);
    int64_t end = 0, whole = pad[0]->shape.dim[d];
    for (int i = 0; i <= group->n; i++) {
        int64_t low = i < group->n ? node_ints(pad[i], ATTR_low)[d] : whole;
        if (low < end) return NULL;
        Shape gap = pad[0]->shape;
        gap.dim[d] = low - end;
        if (low > end) vec_push(g->arena, &part, node_fill(g, 0, gap, pad[0]->batched && d));
        if (i == group->n) break;
        vec_push(g->arena, &part, pad[i]->in[0]);
        end = low + pad[i]->in[0]->shape.dim[d];
    }
    return node_concat(g, part.at, part.n, d);
}

/* ---- the sums of a graph: the longest groups first, so that stacks of shorter ones are parts of theirs ---- */

static const struct Rule { int least; bool (*same)(const Node *, const Node *); Node *(*make)(Hoist *, Nodes *); } rules[] = {
    {STEPS_LEAST, are_products, sum_products}, {PADS_LEAST, are_pads, sum_pads}, {PLAIN_LEAST, are_plain, sum_plain}};

typedef struct Sum { Node *node; Nodes term; } Sum;    /* term: what is still to be added */
typedef struct Group { int sum, order; const struct Rule *rule; Nodes node; } Group;
typedef struct Groups { VEC(Sum) sum; VEC(Group) at; } Groups;

static void find_groups(const Hoist *h, Node *node, Groups *all)
{
    Arena *a = h->g->arena;
    Sum sum = {node, terms_of(h, node)};
    int before = all->at.n;
    for (size_t i = 0; i < LENGTH(rules) && sum.term.n >= PADS_LEAST; i++)
        for (Nodes group = take_alike(h->g, &sum.term, rules[i].least, rules[i].same); group.n;
             group = take_alike(h->g, &sum.term, rules[i].least, rules[i].same))
            vec_push(a, &all->at, (Group){all->sum.n, all->at.n, &rules[i], group});
    if (all->at.n > before) vec_push(a, &all->sum, sum);
}

static int by_length(const void *x, const void *y)
{
    const Group *a = x, *b = y;
    return a->node.n != b->node.n ? b->node.n - a->node.n : a->order - b->order;
}

static void hoist_sums(Hoist *h)
{
    Graph *g = h->g;
    Groups all = {0};
    count_uses(h);
    for (int i = 0; i < g->node.n; i++) g->node.at[i]->mark = 0;
    for (int i = g->node.n - 1; i >= 0; i--)
        if (g->node.at[i]->op == OP_add && !g->node.at[i]->mark) find_groups(h, g->node.at[i], &all);
    qsort(all.at.at, (size_t)all.at.n, sizeof *all.at.at, by_length);
    for (int i = 0; i < all.at.n; i++) {
        Group *group = &all.at.at[i];
        Sum *sum = &all.sum.at[group->sum];
        g->span = sum->node->span;
        g->label = sum->node->name;
        Node *one = group->rule->make(h, &group->node);
        if (one) vec_push(g->arena, &sum->term, one);
        for (int k = 0; !one && k < group->node.n; k++) vec_push(g->arena, &sum->term, group->node.at[k]);
    }
    for (int i = 0; i < all.sum.n; i++) {
        Sum *sum = &all.sum.at[i];
        Node *total = sum->term.at[0];
        for (int k = 1; k < sum->term.n; k++) total = node_binary(g, OP_add, total, sum->term.at[k]);
        graph_replace(g, sum->node, total);
    }
    graph_sort(g);
}

void pass_hoist(Graph *g, const PassContext *context)
{
    static void (*const step[])(Hoist *) = {hoist_sums, hoist_projections};
    (void)context;
    for (size_t i = 0; i < LENGTH(step); i++) {
        Hoist h = {.g = g};
        find_stacks(&h);
        step[i](&h);
        fold_graph(g, false);
    }
}
