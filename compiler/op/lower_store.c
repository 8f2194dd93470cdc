/* lower_store.c -- decides which nodes are stored, and in whose kernels. All others are recomputed, element by element, where they are
   used: that costs arithmetic and saves memory and passes over it. */
#include "lower.h"
#include "winograd.h"

enum {
    CHEAP = 2,                     /* recomputed rather than stored: so many additions */
    COSTLY = 8,                    /* a transcendental function, in additions */
    TREE_MAX = 64,                 /* nodes of one expression: what is larger is split by storing */
    REPEATS = 4                    /* a broadcast this wide stores what costs more than CHEAP */
};

typedef struct Decide {
    Lower *l;
    int *first_user, *user;        /* users of node i: user[first_user[i] .. first_user[i + 1]) */
    int *sink;                     /* the one node in whose kernel all uses of node i are; i itself: there are several */
    int *cost, *tree;              /* of one element of an unstored node */
    bool *carries;                 /* storing the node instead of an anchor below it costs nothing */
} Decide;

static bool is_leaf(const Node *n) { return n->op <= OP_constant; }
static bool is_anchor(const Node *n) { return (op_info[n->op].flags & OF_ANCHOR) != 0; }

static bool is_number(const Node *n)
{
    double value;
    return node_is_number(n, &value);
}

static bool is_contraction(const Node *n) { return n->op == OP_contract || n->op == OP_winograd; }

/* May its kernel go on with elementwise operators on what it reduced? */
static bool has_epilogue(const Node *n)
{
    return is_contraction(n) || n->op == OP_sum || n->op == OP_reduce_max || n->op == OP_reduce_min || n->op == OP_window_max ||
           n->op == OP_gather;
}

/* Its operands must be in memory: each element is read many times. */
static bool reads_memory(const Node *n)
{
    return is_contraction(n) || n->op == OP_window_max || n->op == OP_window_argmax || n->op == OP_window_unpool;
}

static const Node *node_at(const Decide *d, int i) { return d->l->graph->node.at[i]; }

static void store(Lower *l, const Node *n)
{
    if (!is_leaf(n) && !is_number(n)) fate_of(l, n)->stored = true;
}

/* ---- what runs, and who uses what ---- */

/* The host evaluates metrics. */
static bool root_runs(const Root *r) { return r->kind != ROOT_metric; }

static void mark_live(Lower *l)
{
    const Graph *g = l->graph;
    for (int i = 0; i < g->root.n; i++) {
        if (!root_runs(&g->root.at[i])) continue;
        Fate *p = fate_of(l, g->root.at[i].node);
        p->live = p->root = true;
        p->users++;
        if (g->root.at[i].target) fate_of(l, g->root.at[i].target)->live = true;
        store(l, g->root.at[i].node);
    }
    for (int i = g->node.n - 1; i >= 0; i--) {
        const Node *n = g->node.at[i];
        if (n->op == OP_input) l->fate[i].live = true;
        for (int k = 0; l->fate[i].live && k < n->n_in; k++) {
            fate_of(l, n->in[k])->live = true;
            fate_of(l, n->in[k])->users++;
        }
    }
}

static void list_users(Decide *d)
{
    const Graph *g = d->l->graph;
    int count = g->node.n, *end = NEW_ARRAY(d->l->arena, int, count + 1);
    d->first_user = NEW_ARRAY(d->l->arena, int, count + 1);
    for (int i = 0; i < count; i++) end[i + 1] = d->first_user[i + 1] = d->first_user[i] + d->l->fate[i].users;
    d->user = NEW_ARRAY(d->l->arena, int, d->first_user[count] + 1);
    for (int i = 0; i < count; i++) end[i] = d->first_user[i];
    for (int i = 0; i < count; i++) {
        const Node *n = node_at(d, i);
        for (int k = 0; d->l->fate[i].live && k < n->n_in; k++) d->user[end[n->in[k]->id]++] = i;
    }
    for (int i = 0; i < count; i++)  /* a root is a user of its own kind */
        while (end[i] < d->first_user[i + 1]) d->user[end[i]++] = -1;
}

/* ---- what must be stored ---- */

/* Whether tiles alone read the unpooled tensor: they take the gradients of its windows, and it is nowhere. */
static bool goes_into_tiles(const Decide *d, const Node *unpool, int i)
{
    for (int u = d->first_user[i]; u < d->first_user[i + 1]; u++) {
        const Node *user = d->user[u] < 0 ? NULL : node_at(d, d->user[u]);
        if (user && user->op == OP_slice && goes_into_tiles(d, unpool, user->id)) continue;
        if (!user || !winograd_unpools(user, unpool)) return false;
    }
    return true;
}

static bool is_in_tiles(const Decide *d, const Node *n)
{
    return !d->l->options->no_fuse && n->op == OP_window_unpool && goes_into_tiles(d, n, n->id);
}

/* Stores what an affine index into n leads to. */
static void store_below(const Decide *d, const Node *n)
{
    while ((op_info[n->op].flags & OF_MOVE) && !reshape_is_view(n)) n = n->in[0];
    if (!reshape_is_view(n) && !is_in_tiles(d, n)) store(d->l, n);
}

static void store_needed(Decide *d)
{
    Lower *l = d->l;
    const Graph *g = l->graph;
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = g->node.at[i];
        if (!l->fate[i].live) continue;
        if ((is_anchor(n) && !is_in_tiles(d, n)) || l->options->no_fuse) store(l, n);
        for (int k = 0; reads_memory(n) && k < n->n_in; k++) store_below(d, n->in[k]);
        if (reshape_is_view(n)) store(l, n->in[0]);
    }
}

/* ---- what is better stored than computed twice ---- */

static int own_cost(const Node *n)
{
    switch (n->op) {
    case OP_exp: case OP_expm1: case OP_log: case OP_log1p: case OP_sin: case OP_cos: case OP_tanh: case OP_sigmoid:
    case OP_erf: case OP_pow: case OP_random: return COSTLY;
    case OP_div: case OP_sqrt: return CHEAP;
    default: return op_is_elementwise(n->op);
    }
}

/* Users come after n, so theirs is known. A node whose users end in several kernels is a point of its own. */
static void find_sinks(Decide *d)
{
    for (int i = d->l->graph->node.n - 1; i >= 0; i--) {
        d->sink[i] = -1;
        for (int u = d->first_user[i]; u < d->first_user[i + 1]; u++) {
            int user = d->user[u], sink = user < 0 || d->l->fate[user].stored ? user : d->sink[user];
            if (d->sink[i] >= 0 && d->sink[i] != sink) sink = i;
            d->sink[i] = sink < 0 ? i : sink;
        }
    }
}

static bool pulled(const Decide *d, const Node *n)
{
    return !fate_of(d->l, n)->stored && !is_leaf(n) && !is_number(n);
}

static void measure(Decide *d, const Node *n)
{
    int cost = own_cost(n), tree = 1;
    bool carries = false;
    for (int k = 0; k < n->n_in; k++) {
        const Node *x = n->in[k];
        carries |= op_is_elementwise(n->op) && fate_of(d->l, x)->users == 1 && (has_epilogue(x) || d->carries[x->id]);
        if (!pulled(d, x)) continue;
        cost += d->cost[x->id];
        tree += d->tree[x->id] * (n->op == OP_pow ? POWER_MAX : 1);
    }
    d->cost[n->id] = cost < 1000 ? cost : 1000;
    d->tree[n->id] = tree;
    d->carries[n->id] = carries && !fate_of(d->l, n)->stored;
}

static void split_tree(Decide *d, const Node *n)
{
    while (d->tree[n->id] > TREE_MAX) {
        const Node *largest = NULL;
        for (int k = 0; k < n->n_in; k++)
            if (pulled(d, n->in[k]) && (!largest || d->tree[n->in[k]->id] > d->tree[largest->id])) largest = n->in[k];
        if (!largest) return;
        store(d->l, largest);
        measure(d, n);
    }
}

static bool repeats(const Node *n)
{
    return n->op == OP_broadcast && shape_elements(n->shape) >= REPEATS * shape_elements(n->in[0]->shape);
}

static void store_better(Decide *d)
{
    for (int i = 0; i < d->l->graph->node.n; i++) {
        const Node *n = node_at(d, i);
        const Fate *p = &d->l->fate[i];
        if (!p->live || is_leaf(n)) continue;
        if (repeats(n) && pulled(d, n->in[0]) && d->cost[n->in[0]->id] > CHEAP) store(d->l, n->in[0]);
        measure(d, n);
        split_tree(d, n);
        bool shared = d->sink[i] == i && p->users > 1;
        if (shared && !p->stored && (d->cost[i] > CHEAP || d->carries[i])) store(d->l, n);
    }
}

/* ---- epilogues ---- */

/* The stored node in which all uses of n end, through elementwise nodes alone; NULL when there is none. */
static const Node *common_end(const Decide *d, int i, const Node *const *end)
{
    const Node *common = NULL;
    for (int u = d->first_user[i]; u < d->first_user[i + 1]; u++) {
        int user = d->user[u];
        if (user < 0 || !op_is_elementwise(node_at(d, user)->op)) return NULL;
        const Node *to = d->l->fate[user].stored ? node_at(d, user) : end[user];
        if (!to || (common && to != common)) return NULL;
        common = to;
    }
    return common;
}

/* One anchor per end: the last contraction, else the last. What else the end needs is computed before it. */
static void find_epilogues(Decide *d)
{
    Lower *l = d->l;
    const Graph *g = l->graph;
    const Node **end = NEW_ARRAY(l->arena, const Node *, g->node.n);
    for (int i = g->node.n - 1; i >= 0; i--) end[i] = common_end(d, i, end);
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = node_at(d, i);
        if (!l->fate[i].live || !has_epilogue(n) || !end[i]) continue;
        Fate *p = fate_of(l, end[i]);
        if (!p->anchor || is_contraction(n) || !is_contraction(p->anchor)) p->anchor = n;
    }
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = l->fate[i].anchor;
        if (!n) continue;
        fate_of(l, n)->stored = false;
        fate_of(l, n)->end = node_at(d, i);
    }
}

/* ---- places ---- */

static bool is_viewed(const Decide *d, int i)
{
    for (int u = d->first_user[i]; u < d->first_user[i + 1]; u++)
        if (d->user[u] >= 0 && reshape_is_view(node_at(d, d->user[u]))) return true;
    return false;
}

/* Nothing else that a concat takes may be computed from x: it would be read and written in one kernel. */
static bool may_lie_in(const Decide *d, const Node *x, const Node *whole)
{
    const Fate *p = fate_of(d->l, x);
    if (is_leaf(x) || is_number(x) || p->root || p->place || reshape_is_view(x) || is_viewed(d, x->id)) return false;
    if (whole->op == OP_concat && (p->users > 1 || x->op == OP_pad || x->op == OP_concat)) return false;
    return p->stored || d->carries[x->id];
}

/* What is stored, and padded or concatenated later, lies where that puts it from the beginning. */
static void find_places(Decide *d)
{
    for (int i = 0; i < d->l->graph->node.n; i++) {
        const Node *n = node_at(d, i);
        const Fate *whole = &d->l->fate[i];
        if ((n->op != OP_pad && n->op != OP_concat) || !whole->live || !whole->stored || whole->root) continue;
        for (int k = 0; k < n->n_in; k++) {
            if (!may_lie_in(d, n->in[k], n)) continue;
            Fate *p = fate_of(d->l, n->in[k]);
            p->stored = true;
            p->place = n;
        }
    }
}

/* ---- sums beside gradients for weights ---- */

enum { BESIDE_LEAST = 512 << 10 }; /* bytes of the gradient: where the second cache has them all it matters little who reads them when */

/* Over all but the channels of pictures. */
static bool sums_pictures(const Node *n)
{
    const Node *x = n->in[0];
    return n->op == OP_sum && x->batched && x->shape.rank == 4 && node_attr(n, ATTR_axes)->n == 3 && n->shape.rank == 1 &&
           n->shape.dim[0] == x->shape.dim[1] && node_ints(n, ATTR_axes)[0] == 0 && 4 * shape_elements(x->shape) >= BESIDE_LEAST;
}

/* The gradient for weights that reads what the sum does, or what it is unpooled to; NULL when there is none. */
static const Node *reads_as(const Decide *d, const Node *x)
{
    for (int u = d->first_user[x->id]; u < d->first_user[x->id + 1]; u++) {
        const Node *n = d->user[u] < 0 ? NULL : node_at(d, d->user[u]);
        if (!n) continue;
        if (n->op == OP_window_unpool && n->in[0] == x && (n = reads_as(d, n))) return n;
        if (n && (n->op == OP_winograd_weights || (n->op == OP_contract && !n->batched)) && n->in[1] == x && !fate_of(d->l, n)->beside) return n;
    }
    return NULL;
}

/* Where nothing is updated kernels stay in the order in which they are made, and only what nobody reads may come later. */
static bool may_wait(const Decide *d, const Node *n)
{
    for (int i = 0; i < d->l->graph->root.n; i++)
        if (d->l->graph->root.at[i].kind == ROOT_update) return true;
    for (int u = d->first_user[n->id]; u < d->first_user[n->id + 1]; u++)
        if (d->user[u] >= 0) return false;
    return true;
}

static void find_besides(const Decide *d)
{
    for (int i = 0; i < d->l->graph->node.n; i++) {
        const Node *n = node_at(d, i), *beside = d->l->fate[i].live && sums_pictures(n) && may_wait(d, n) ? reads_as(d, n->in[0]) : NULL;
        if (!beside) continue;
        fate_of(d->l, beside)->beside = n;
        d->l->fate[i].goes_beside = true;
    }
}

void lower_decide(Lower *l)
{
    int count = l->graph->node.n;
    mark_live(l);
    Decide d = { .l = l, .sink = NEW_ARRAY(l->arena, int, count), .cost = NEW_ARRAY(l->arena, int, count),
                 .tree = NEW_ARRAY(l->arena, int, count), .carries = NEW_ARRAY(l->arena, bool, count) };
    list_users(&d);
    store_needed(&d);
    if (l->options->no_fuse) return;
    find_sinks(&d);
    store_better(&d);
    find_places(&d);
    find_epilogues(&d);
    find_besides(&d);
}
