/* step_cut.c -- the graph of one step: extent 1 where the steps were, what was there before kept from call to call. */
#include "step.h"

#include <string.h>

static Node *step_of(Steps *s, Node *n);

static bool is_elementwise(const Node *n) { return op_is_elementwise(n->op) || n->op == OP_copy || n->op == OP_stop_gradient; }

/* n over other operands, with another shape where it has one as an attribute. */
static Node *reshaped(Graph *g, const Node *n, Node *const *in, Shape shape)
{
    Node m = *n;
    m.attr = NEW_ARRAY(g->arena, Attr, n->n_attr);
    if (n->n_attr) memcpy(m.attr, n->attr, (size_t)n->n_attr * sizeof *m.attr);
    m.shape = shape;
    if (node_attr(n, ATTR_shape)) node_set_attr(g, &m, (Attr){.name = ATTR_shape, .n = shape.rank, .ints = shape.dim});
    return node_like(g, &m, in);
}

static Shape cut_shape(Shape s, int dim)
{
    if (dim >= 0) s.dim[dim] = 1;
    return s;
}

/* x, of extent 1 along a dimension, repeated there. */
static Node *repeated(Graph *g, Node *x, Shape s, int dim)
{
    Shape without = {.rank = s.rank - 1};
    int64_t axes[RANK_MAX];
    for (int d = 0, e = 0; d < s.rank; d++)
        if (d != dim) axes[e] = d, without.dim[e++] = s.dim[d];
    return node_broadcast(g, node_reshape(g, x, without), s, axes, x->batched);
}

/* ---- what is kept ---- */

/* Each state has a name of its own. */
Node *steps_state(Steps *s, const char *name, Shape shape, bool batched, double start)
{
    Graph *g = s->graph;
    const char *unique = name;
    int count = 0;
    for (int i = 0; i < g->node.n; i++) {
        if (g->node.at[i]->op != OP_state || strcmp(g->node.at[i]->name, unique)) continue;
        unique = arena_printf(g->arena, "%s_%d", name, ++count);
        i = -1;
    }
    Node *n = node_leaf(g, OP_state, unique, DTYPE_f32, shape, batched);
    node_set_attr(g, n, (Attr){.name = ATTR_init, .init = {INIT_constant, start, 0}});
    time_set(s, n, TIME_present, -1);
    return n;
}

Node *steps_position(Steps *s)
{
    Graph *g = s->graph;
    if (s->position) return s->position;
    s->position = steps_state(s, "steps", (Shape){.rank = 0}, false, 0);
    graph_root(g, ROOT_update, s->position->name, node_binary(g, OP_add, s->position, node_number(g, 1)), s->position, g->span);
    return s->position;
}

/* ---- the present place of what is the same at every step ---- */

static int source_dim(const Node *n, int dim)
{
    if (n->op == OP_transpose) return (int)node_ints(n, ATTR_axes)[dim];
    for (int d = 0; d < n->in[0]->shape.rank; d++)
        if (n->op == OP_broadcast ? node_ints(n, ATTR_axes)[d] == dim : reshaped_dim(n->in[0], n->shape, d) == dim) return d;
    return -1;
}

/* Through moves and elementwise operators; a reshape only where the dimension is one of the operand, too. */
static bool passes_through(const Node *n, int dim)
{
    return is_elementwise(n) || n->op == OP_transpose || n->op == OP_broadcast || (n->op == OP_reshape && source_dim(n, dim) >= 0);
}

bool can_narrow(const Node *n, int dim)
{
    bool can = n->op != OP_random;
    if (n->shape.dim[dim] == 1 || n->op == OP_iota) return true;
    if (!passes_through(n, dim)) return can && !n->batched && n->dtype == DTYPE_f32;
    for (int i = 0; i < n->n_in && can; i++) {
        const int from = is_elementwise(n) ? dim : source_dim(n, dim);
        can = from < 0 || can_narrow(n->in[i], from);
    }
    return can;
}

static Node *narrow_rows(Steps *s, Node *n, int dim)
{
    Graph *g = s->graph;
    int64_t front[RANK_MAX], back[RANK_MAX];
    for (int d = 0; d < n->shape.rank; d++) front[d] = d == 0 ? dim : d <= dim ? d - 1 : d;
    for (int d = 0; d < n->shape.rank; d++) back[front[d]] = d;
    s->ends = true;
    Node *row = node_cast(g, node_reshape(g, steps_position(s), (Shape){.rank = 1, .dim = {1}}), DTYPE_i32);
    Node *x = node_gather(g, dim ? node_transpose(g, n, front) : n, row);
    return dim ? node_transpose(g, x, back) : x;
}

Node *steps_narrow(Steps *s, Node *n, int dim)
{
    Graph *g = s->graph;
    const Shape shape = cut_shape(n->shape, dim);
    Node *in[3];
    if (n->shape.dim[dim] == 1) return n;
    if (n->op == OP_iota && node_int(n, ATTR_axis) == dim) {
        s->ends = true;
        return node_broadcast(g, steps_position(s), shape, NULL, n->batched);
    }
    if (n->op == OP_iota || (n->op == OP_constant && node_attr(n, ATTR_value))) return reshaped(g, n, NULL, shape);
    if (!passes_through(n, dim)) return narrow_rows(s, n, dim);
    for (int i = 0; i < n->n_in; i++) {
        const int from = is_elementwise(n) ? dim : source_dim(n, dim);
        in[i] = from < 0 ? n->in[i] : steps_narrow(s, n->in[i], from);
    }
    return reshaped(g, n, in, shape);
}

/* ---- what is looked back at ---- */

static bool is_moved_whole(Steps *s, const Node *n)
{
    return (n->op == OP_reshape || n->op == OP_transpose || n->op == OP_broadcast) && time_of(s, n->in[0]).kind == TIME_along;
}

/* All steps so far: the present one put into its place among those kept. */
static Node *kept(Steps *s, Node *n)
{
    Graph *g = s->graph;
    const int dim = time_of(s, n).now;
    s->ends = true;
    Node *now = step_of(s, n), *before = steps_state(s, n->name ? arena_printf(g->arena, "%s.past", n->name) : "past", n->shape, n->batched, 0);
    Node *here = node_binary(g, OP_eq, node_iota(g, n->shape, dim, n->batched), steps_position(s));
    Node *all = node_where(g, here, repeated(g, now, n->shape, dim), before);
    graph_root(g, ROOT_update, before->name, all, before, n->span);
    return all;
}

static Node *past_of(Steps *s, Node *n)
{
    while (s->past.n <= n->id) vec_push(s->graph->arena, &s->past, NULL);
    if (s->past.at[n->id]) return s->past.at[n->id];
    Node *all = is_moved_whole(s, n) ? node_like(s->graph, n, (Node *[]){past_of(s, n->in[0])}) : kept(s, n);
    return s->past.at[n->id] = all;
}

/* ---- operators ---- */

/* An operand that has the dimensions of its user. */
static Node *elementwise_operand(Steps *s, Node *x, Time user)
{
    const Time t = time_of(s, x);
    if (t.kind == TIME_none) return steps_narrow(s, x, user.now);
    if (t.kind != TIME_along || t.past >= 0 || t.now != user.past) return step_of(s, x);
    return reshaped(s->graph, x, (Node *[]){past_of(s, x->in[0])}, cut_shape(x->shape, user.now));
}

/* Whether the operand's steps are those that the contraction looks back at. */
static bool looks_back(Steps *s, const Node *n, const Contract *c, int i)
{
    const Time t = time_of(s, n->in[i]), out = time_of(s, n);
    return t.kind == TIME_along && t.past < 0 && contract_dim(c, contract_axis(c, i ? &c->b : &c->a, t.now)) != out.now;
}

static Node *contract_operand(Steps *s, const Node *n, const Contract *c, int i, int axis)
{
    const IndexMap *m = i ? &c->b : &c->a;
    Node *x = n->in[i];
    const TimeKind kind = time_of(s, x).kind;
    if (looks_back(s, n, c, i)) return past_of(s, x);
    for (int d = 0; kind == TIME_none && d < m->rank; d++)
        if (contract_axis(c, m, d) == axis) return steps_narrow(s, x, d);
    return step_of(s, x);
}

static Node *contract_step(Steps *s, const Node *n, Time t)
{
    const Contract *whole = node_attr(n, ATTR_contract)->contract;
    Contract c = *whole;
    const int axis = c.out.dim[t.now].axis[0];
    Node *in[2];
    for (int i = 0; i < 2; i++) in[i] = contract_operand(s, n, whole, i, axis);
    c.extent[axis] = c.shape.dim[t.now] = 1;
    return node_contract(s->graph, in[0], in[1], &c);
}

static Node *slice_step(Steps *s, const Node *n)
{
    const Time from = time_of(s, n->in[0]);
    int64_t start[RANK_MAX] = {0};
    memcpy(start, node_ints(n, ATTR_start), (size_t)n->shape.rank * sizeof *start);
    if (from.kind == TIME_along) start[from.now] = 0;
    return node_slice(s->graph, step_of(s, n->in[0]), start, from.kind == TIME_along ? cut_shape(n->shape, from.now) : n->shape);
}

static Node *operator_step(Steps *s, const Node *n, Time t)
{
    Node **in = NEW_ARRAY(s->graph->arena, Node *, n->n_in);
    const bool spread = t.kind == TIME_along && (is_elementwise(n) || n->op == OP_concat);
    if (n->op == OP_contract && t.kind == TIME_along) return contract_step(s, n, t);
    if (n->op == OP_slice) return slice_step(s, n);
    for (int i = 0; i < n->n_in; i++) in[i] = spread ? elementwise_operand(s, n->in[i], t) : step_of(s, n->in[i]);
    return reshaped(s->graph, n, in, t.kind == TIME_along ? cut_shape(n->shape, t.now) : n->shape);
}

/* What stands for n in the graph of one step: n itself where every step has the same. */
static Node *step_of(Steps *s, Node *n)
{
    Graph *g = s->graph;
    const Time t = time_of(s, n);
    if (t.kind == TIME_none || t.kind == TIME_start || (!n->n_in && t.kind == TIME_present)) return n;
    while (s->cut.n <= n->id) vec_push(g->arena, &s->cut, NULL);
    if (s->cut.at[n->id]) return s->cut.at[n->id];
    g->span = n->span;
    g->label = n->n_in ? n->name : NULL;
    Node *cut = n->n_in ? operator_step(s, n, t) : reshaped(g, n, NULL, cut_shape(n->shape, t.now));
    return s->cut.at[n->id] = cut;
}

/* ---- the graph ---- */

static bool root_is_possible(Steps *s, const Root *r)
{
    Time t = time_of(s, r->node);
    const bool state = r->kind == ROOT_update;
    if (state && t.kind == TIME_along) t = (Time){.kind = TIME_bad, .where = r->node, .why = "a state cannot be all the steps of the sequence"};
    if (t.kind == TIME_start) t = (Time){.kind = TIME_bad, .where = r->node, .why = not_start};
    if (t.kind == TIME_along && t.past >= 0 && t.ahead == AHEAD_free)
        t = (Time){.kind = TIME_bad, .where = r->node, .why = "this output has what later steps bring"};
    if (t.kind == TIME_bad) time_complain(s, t, r->span);
    return t.kind != TIME_bad;
}

static bool has_sequence(Steps *s)
{
    bool any = false;
    for (int i = 0; i < s->graph->root.n; i++) {
        const TimeKind kind = time_of(s, s->graph->root.at[i].node).kind;
        any |= kind == TIME_along || kind == TIME_present || kind == TIME_bad;
    }
    if (!any) diag_error(s->graph->diag, s->graph->root.at[0].span, "no output depends on a sequence: --step needs an input whose first axis counts the steps");
    return any;
}

/* One step of each of the first n nodes that is an input stands where the whole was, so that their order stays. Only behind
   all cuts, as times go by the places of nodes. */
static void cut_inputs(Steps *s, int n)
{
    Graph *g = s->graph;
    for (int i = 0; i < n; i++)
        if (g->node.at[i]->op == OP_input && time_of(s, g->node.at[i]).kind == TIME_along) step_of(s, g->node.at[i]);
    for (int i = 0; i < n; i++) {
        const Node *whole = g->node.at[i];
        Node *cut = whole->op == OP_input && whole->id < s->cut.n ? s->cut.at[whole->id] : NULL;
        int at = n;
        if (!cut) continue;
        while (g->node.at[at] != cut) at++;
        g->node.at[at] = g->node.at[--g->node.n];
        g->node.at[i] = cut;
    }
}

bool steps_cut(Steps *s)
{
    Graph *g = s->graph;
    if (!has_sequence(s)) return false;
    for (int i = 0; i < g->root.n; i++)
        if (!root_is_possible(s, &g->root.at[i])) return false;
    const int roots = g->root.n, nodes = g->node.n;
    for (int i = 0; i < roots; i++) {
        Node *step = step_of(s, g->root.at[i].node);   /* may add roots */
        g->root.at[i].node = step;
    }
    cut_inputs(s, nodes);
    g->steps = s->n;
    g->steps_end = s->ends;
    return true;
}
