/* lower.c -- the graph as kernels: each stored node in graph order, what is not stored pulled into its users. */
#include "lower.h"

#include <string.h>

typedef struct Rule {
    Expr *(*apply)(Arena *a, Expr *const *x);
    Expr *(*pull)(Lower *l, const Node *n, const Affine *index);
    void (*kernels)(Lower *l, const Node *n);
} Rule;

static const Rule rules[OP_COUNT] = {
#define RULE_UNARY(name) .apply = lower_##name
#define RULE_BINARY(name) .apply = lower_##name
#define RULE_LEAF(name) .pull = lower_##name
#define RULE_RANDOM(name) .pull = lower_##name
#define RULE_PURE(name) .pull = lower_##name
#define RULE_MOVE(name) .pull = lower_##name
#define RULE_ANCHOR(name) .kernels = lower_##name
#define OP(name, operands, shape, lower, grad, flags, what) [OP_##name] = { RULE_##flags(lower) },
#include "../ir/ops.def"
};

/* ---- pulling ---- */

static Expr *memo_find(const Lower *l, const Node *n, const Affine *index)
{
    for (int i = 0; i < l->memo.n; i++) {
        const Memo *m = &l->memo.at[i];
        if (m->node != n) continue;
        int d = 0;
        while (d < n->shape.rank && affine_equal(&m->index[d], &index[d])) d++;
        if (d == n->shape.rank) return m->expr;
    }
    return NULL;
}

static void memo_add(Lower *l, const Node *n, const Affine *index, Expr *e)
{
    Affine *copy = NEW_ARRAY(l->arena, Affine, n->shape.rank);
    if (n->shape.rank) memcpy(copy, index, (size_t)n->shape.rank * sizeof *copy);
    vec_push(l->arena, &l->memo, (Memo){ n, copy, e });
}

static Expr *pull(Lower *l, const Node *n, const Affine *index)
{
    const Rule *rule = &rules[n->op];
    if (rule->pull) return rule->pull(l, n, index);
    if (n->op == OP_window_unpool) return unpool_value(l, n, index);
    if (!rule->apply) internal_error("lower", "%s is not stored", op_info[n->op].name);
    Expr *x[2];
    for (int i = 0; i < n->n_in; i++) x[i] = lower_value(l, n->in[i], index);
    return rule->apply(l->arena, x);
}

Expr *lower_value(Lower *l, const Node *n, const Affine *index)
{
    double number;
    if (n == l->hole) return l->filler;
    if (node_is_number(n, &number)) return ex_number(l->arena, number);
    Expr *e = memo_find(l, n, index);
    if (e) return e;
    const Fate *p = fate_of(l, n);
    e = p->stored && n != l->computing ? ex_load(l->arena, p->buffer, index) : pull(l, n, index);
    memo_add(l, n, index, e);
    return e;
}

/* ---- buffers ---- */

/* Inference has no optimiser, and what it keeps is the caller's. */
static BufferKind leaf_kind(const Lower *l, const Node *n)
{
    static const BufferKind kinds[] = { [OP_input] = BUF_input, [OP_param] = BUF_param, [OP_state] = BUF_state,
                                        [OP_scalar] = BUF_scalar, [OP_constant] = BUF_constant };
    return n->op == OP_state && (n->batched || l->program->graph->mode == MODE_infer) ? BUF_memory : kinds[n->op];
}

static bool is_leaf(const Node *n) { return n->op <= OP_constant; }

static void leaf_buffer(Lower *l, const Node *n)
{
    Fate *p = fate_of(l, n);
    const char *name = name_take(l, n->name ? n->name : "constant");
    p->buffer = buffer_new(l, leaf_kind(l, n), n->op == OP_constant ? name : n->name, n);
    const Attr *data = n->op == OP_constant ? node_attr(n, ATTR_data) : NULL;
    if (!data) return;
    double *stored = NEW_ARRAY(l->arena, double, p->buffer->elements);
    buffer_store_order(p->buffer, data->data, stored);
    p->buffer->data = stored;
}

static void leaf_buffers(Lower *l, bool inputs)
{
    for (int i = 0; i < l->graph->node.n; i++) {
        const Node *n = l->graph->node.at[i];
        double number;
        if (is_leaf(n) && (n->op == OP_input) == inputs && l->fate[i].live && !node_is_number(n, &number)) leaf_buffer(l, n);
    }
}

/* Whoever writes an output may be read there again; the first root of a node owns it. */
static void own(Lower *l, const Node *n, Buffer *b)
{
    Fate *p = fate_of(l, n);
    if (p->stored && !p->buffer) p->buffer = b;
}

static bool single_loss(const Graph *g)
{
    int n = 0;
    for (int i = 0; i < g->root.n; i++) n += g->root.at[i].kind == ROOT_loss;
    return n == 1;
}

static const char *root_name(Lower *l, const Root *r, int total)
{
    if (r->kind == ROOT_total) return arena_printf(l->arena, "total_%d", total);
    if (r->kind == ROOT_loss) return single_loss(l->graph) ? "loss" : arena_printf(l->arena, "loss_%s", r->name);
    return r->name;
}

/* What callers see is row-major. */
static Buffer *row_major_buffer(Lower *l, BufferKind kind, const char *name, const Node *n)
{
    Node plain = *n;
    plain.has_layout = false;
    Buffer *b = buffer_new(l, kind, name, &plain);
    b->node = n;
    return b;
}

static void output_buffers(Lower *l, Buffer **of_root)
{
    const Graph *g = l->graph;
    int totals = 0;
    for (int i = 0; i < g->root.n; i++) {
        const Root *r = &g->root.at[i];
        if (r->kind != ROOT_output && r->kind != ROOT_loss && r->kind != ROOT_total) continue;
        const char *name = root_name(l, r, totals);
        totals += r->kind == ROOT_total;
        name_take(l, name);
        of_root[i] = row_major_buffer(l, BUF_output, name, r->node);
        own(l, r->node, of_root[i]);
    }
}

/* Gradients and new values lie as their parameter does. A new value gets memory of its own, which may become the
   target's when the order of kernels is known. */
static void target_buffers(Lower *l, Buffer **of_root)
{
    const Graph *g = l->graph;
    for (int i = 0; i < g->root.n; i++) {
        const Root *r = &g->root.at[i];
        if (r->kind == ROOT_gradient) of_root[i] = buffer_new(l, BUF_gradient, r->target->name, r->target);
        else if (r->kind == ROOT_update && r->node != r->target) {
            const char *name = name_take(l, arena_printf(l->arena, "new_%s", r->target->name));
            of_root[i] = buffer_new(l, BUF_workspace, name, r->target);
            vec_push(l->arena, &l->update, (Update){ of_root[i], fate_of(l, r->target)->buffer });
        } else continue;
        of_root[i]->node = r->node;
        own(l, r->node, of_root[i]);
    }
}

static Buffer *stored_buffer_of(Lower *l, const Node *n)
{
    Fate *p = fate_of(l, n);
    if (p->buffer) return p->buffer;
    const Node *named = p->anchor && p->anchor->name ? p->anchor : n;
    const char *name = name_take(l, arena_printf(l->arena, "%s_%d", named->name ? named->name : "t", n->id));
    if (!p->place) return p->buffer = buffer_new(l, BUF_workspace, name, n);
    int64_t start[RANK_MAX];
    place_start(p->place, n, start);
    return p->buffer = buffer_box(l, stored_buffer_of(l, p->place), name, n, start);
}

static void stored_buffers(Lower *l)
{
    for (int i = 0; i < l->graph->node.n; i++)
        if (l->fate[i].live && l->fate[i].stored) stored_buffer_of(l, l->graph->node.at[i]);
}

/* ---- kernels ---- */

/* A reshape reads its operand's memory under its own shape: that of the operand, or of a row-major copy. */
static void make_view(Lower *l, const Node *n)
{
    const Node *x = n->in[0];
    Fate *from = fate_of(l, x);
    fate_of(l, n)->view = buffer_view(l, from->buffer, n->shape);
    if (fate_of(l, n)->view) return;
    if (!from->row_major) {
        const char *name = name_take(l, arena_printf(l->arena, "%s_flat", from->buffer->name));
        from->row_major = row_major_buffer(l, BUF_workspace, name, x);
        kernel_copy(l, x, from->row_major);
    }
    fate_of(l, n)->view = buffer_view(l, from->row_major, n->shape);
}

static void lower_node(Lower *l, const Node *n)
{
    const Fate *fate = fate_of(l, n);
    double number;
    if (reshape_is_view(n) && !node_is_number(n, &number)) make_view(l, n);
    if (!fate->stored) return;
    const Node *anchor = fate->anchor ? fate->anchor : n;
    if (fate_of(l, anchor)->goes_beside) return;
    if (rules[anchor->op].kernels) rules[anchor->op].kernels(l, anchor);
    else kernel_store(l, n);
}

Program *graph_lower(Graph *g, const char *name, const LowerOptions *options)
{
    Program *program = NEW(g->arena, Program);
    *program = (Program){ .arena = g->arena, .graph = g, .name = name };
    Lower l = { .arena = g->arena, .graph = g, .options = options, .program = program };
    l.fate = NEW_ARRAY(l.arena, Fate, g->node.n + 1);
    l.names.arena = l.arena;
    Buffer **of_root = NEW_ARRAY(l.arena, Buffer *, g->root.n + 1);
    lower_decide(&l);
    leaf_buffers(&l, true);
    output_buffers(&l, of_root);
    leaf_buffers(&l, false);
    target_buffers(&l, of_root);
    stored_buffers(&l);
    for (int i = 0; i < g->node.n; i++)
        if (l.fate[i].live) lower_node(&l, g->node.at[i]);
    for (int i = 0; i < g->root.n; i++)
        if (of_root[i] && fate_of(&l, g->root.at[i].node)->buffer != of_root[i]) kernel_copy(&l, g->root.at[i].node, of_root[i]);
    if (!options->no_fuse) {
        lower_gates(&l);
        lower_pool(&l);
        lower_sides(&l);
        lower_pack(&l);
    }
    lower_order(&l);
    if (!options->no_fuse) lower_row(&l);
    program_plan(program, options);
    program_verify(program);
    return program;
}
