/* resolve_scan.c -- scan and yield: the body once for every step of a sequence, over one set of parameters. */
#include "value.h"

#include <string.h>

enum { SEQUENCES_MAX = 32 };

struct Scan {
    const Ast *ast;
    int64_t steps;
    int n_in;                /* sequences */
    Node *in[SEQUENCES_MAX];
    const Ast *yield;        /* of the present step, or NULL */
    int n_out;               /* values that a step yields */
    VEC(Node *) out;         /* of all steps so far, those of one step side by side */
    bool once;               /* the steps are those of the net's sequence, of which the present one is wanted */
};

/* ---- sequences ---- */

static bool scan_sequences(Resolver *r, Scan *s)
{
    const Ast *names = s->ast->kid[0], *values = s->ast->kid[1];
    s->n_in = values->n;
    if (names->n != values->n || values->n > SEQUENCES_MAX) {
        resolve_error(r, s->ast->span, "%d name%s for %d sequence%s", names->n, names->n > 1 ? "s" : "", values->n, values->n > 1 ? "s" : "");
        return false;
    }
    for (int i = 0; i < s->n_in; i++) {
        const Span at = values->kid[i]->span;
        Node *x = s->in[i] = value_to_node(r, resolve_single(r, values->kid[i]), at, "a sequence", false);
        if (!x) return false;
        const Shape own = sample_shape(x);
        if (!own.rank) {
            resolve_error(r, at, "a scan goes over the first axis of a tensor; this has none");
            return false;
        }
        if (i && own.dim[0] != s->steps) {
            resolve_error(r, at, "this sequence has %lld steps, but the first has %lld", (long long)own.dim[0], (long long)s->steps);
            return false;
        }
        s->steps = own.dim[0];
    }
    return true;
}

/* Element t of x along its first axis; of what is the same at every step, where one step is wanted, that of the present. */
static Node *element(Resolver *r, const Scan *s, Node *x, int64_t t)
{
    int64_t start[RANK_MAX] = {0};
    Shape box = x->shape, kept = x->shape;
    start[x->batched] = t;
    box.dim[x->batched] = 1;
    kept.rank--;
    for (int d = x->batched; d < kept.rank; d++) kept.dim[d] = x->shape.dim[d + 1];
    const bool same = s->once && time_of(r->steps, x).kind == TIME_none;
    Node *cut = same ? steps_narrow(r->steps, x, x->batched) : shape_equal(box, x->shape) ? x : node_slice(r->graph, x, start, box);
    return node_reshape(r->graph, cut, kept);
}

/* ---- what is carried ---- */

typedef VEC(Value) Values;

static Values scope_values(Resolver *r, const Scope *s)
{
    Values all = {0};
    for (; s; s = s->up)
        for (int i = 0; i < s->binding.n; i++) vec_push(r->arena, &all, s->binding.at[i].value);
    return all;
}

static bool same_value(Value x, Value y)
{
    return x.kind == y.kind && x.node == y.node && x.integer == y.integer && x.real >= y.real && x.real <= y.real && x.item == y.item &&
           x.text == y.text && x.dtype == y.dtype;
}

/* Where the body gives the name a value. */
static const Ast *rebound_at(const Ast *body, const char *name)
{
    const Ast *at = NULL;
    if (body->kind == AST_let)
        for (int i = 0; i < body->kid[0]->n; i++)
            if (!strcmp(body->kid[0]->kid[i]->text, name)) return body->kid[0]->kid[i];
    for (int i = 0; i < body->n && !at; i++)
        if (body->kid[i]) at = rebound_at(body->kid[i], name);
    return at;
}

/* A number counts as a tensor of no axes. */
static bool carried_fits(Resolver *r, const Scan *s, const char *name, Value before, Value after)
{
    if (before.kind == VALUE_poison || after.kind == VALUE_poison || same_value(before, after)) return true;
    const Ast *where = rebound_at(s->ast->kid[2], name);
    const Span at = where ? where->span : s->ast->span;
    if (after.kind != VALUE_tensor) {
        resolve_error(r, at, "`%s` is known at compile time, and cannot change from step to step", name);
        return false;
    }
    const bool was_tensor = before.kind == VALUE_tensor;
    const DType type = was_tensor ? before.node->dtype : DTYPE_f32;
    const Shape old = was_tensor ? sample_shape(before.node) : (Shape){.rank = 0}, new = sample_shape(after.node);
    if ((was_tensor || value_is_number(before)) && type == after.node->dtype && shape_equal(old, new)) return true;
    resolve_error(r, at, "`%s` is carried from step to step, but is %s before a step and %s behind it", name, value_text(r->arena, before),
                  value_text(r->arena, after));
    return false;
}

static bool all_carried_fit(Resolver *r, const Scan *s, const Scope *scope, const Values *before)
{
    for (int k = 0; scope; scope = scope->up)
        for (int i = 0; i < scope->binding.n; i++, k++)
            if (!carried_fits(r, s, scope->binding.at[i].name, before->at[k], scope->binding.at[i].value)) return false;
    return true;
}

/* ---- names: each step finds the parameters and the layers' numbers of the first ---- */

typedef struct Named { VEC(int) call; int n_used; Used *used; } Named;

static Named names_now(Resolver *r)
{
    const Frame *f = r->frame;
    Named n = {.n_used = f->used.n, .used = NEW_ARRAY(r->arena, Used, f->used.n + 1)};
    if (f->used.n) memcpy(n.used, f->used.at, (size_t)f->used.n * sizeof *n.used);
    for (int i = 0; i < r->shared.n; i++) vec_push(r->arena, &n.call, r->shared.at[i].call);
    return n;
}

static void names_restore(Resolver *r, const Named *n)
{
    Frame *f = r->frame;
    f->used.n = n->n_used;
    if (n->n_used) memcpy(f->used.at, n->used, (size_t)n->n_used * sizeof *n->used);
    for (int i = 0; i < r->shared.n; i++) r->shared.at[i].call = i < n->call.n ? n->call.at[i] : -1;
}

/* ---- yield ---- */

void resolve_yield(Resolver *r, const Ast *a)
{
    Scan *s = r->frame->scan;
    if (!s || s->yield) {
        resolve_error(r, a->span, s ? "a step yields once" : "`yield` belongs to a scan");
        return;
    }
    s->yield = a;
    s->n_out = a->n;
    for (int i = 0; i < a->n; i++) {
        Node *x = value_to_node(r, resolve_single(r, a->kid[i]), a->kid[i]->span, "a step's value", false);
        if (!x) return;
        Shape s1 = sample_shape(x);
        if (s1.rank == RANK_MAX - 1 || shape_elements(s1) > INT32_MAX / r->options->batch / s->steps) {
            resolve_error(r, a->kid[i]->span, "%lld steps of %s are too large a tensor", (long long)s->steps, shape_text(r->arena, s1));
            return;
        }
        vec_push(r->arena, &s->out, x);
    }
}

/* x as a sequence of one step; batched when `batched`. */
static Node *one_step(Resolver *r, Node *x, bool batched)
{
    const Shape own = sample_shape(x);
    Shape s = {.rank = 0};
    int64_t axes[RANK_MAX];
    if (batched) s.dim[s.rank++] = r->graph->batch;
    s.dim[s.rank++] = 1;
    for (int d = 0; d < own.rank; d++) axes[d] = s.rank, s.dim[s.rank++] = own.dim[d];
    return batched > x->batched ? node_broadcast(r->graph, x, s, axes, true) : node_reshape(r->graph, x, s);
}

/* The i-th values of all steps, stacked. */
static Value stacked(Resolver *r, const Scan *s, int i)
{
    bool batched = false;
    Node **x = NEW_ARRAY(r->arena, Node *, (int)s->steps);
    for (int k = i; k < s->out.n; k += s->n_out) batched |= s->out.at[k]->batched;
    for (int t = 0; t < (int)s->steps; t++) x[t] = one_step(r, s->out.at[t * s->n_out + i], batched);
    return value_tensor(node_concat(r->graph, x, (int)s->steps, batched));
}

/* ---- the scan ---- */

static void scan_step(Resolver *r, Scan *s, int64_t t)
{
    Frame *f = r->frame;
    Scope *outer = f->scope;
    Scan *around = f->scan;
    f->scope = scope_new(r->arena, outer);
    f->scan = s;
    s->yield = NULL;
    r->graph->span = r->user.begin ? r->user : s->ast->span;
    for (int i = 0; i < s->n_in; i++)
        vec_push(r->arena, &f->scope->binding, (Binding){s->ast->kid[0]->kid[i]->text, value_tensor(element(r, s, s->in[i], t))});
    resolve_body(r, s->ast->kid[2]);
    f->scope = outer;
    f->scan = around;
}

/* ---- one step of a sequence: the body once, and what it carries is kept ---- */

/* Of a sequence of one step, nothing tells the steps from other dimensions of extent 1. */
static bool is_steps(const Scan *s, const Node *x, Time t)
{
    return (t.kind == TIME_along && t.now == x->batched && t.past < 0) || (t.kind == TIME_present && s->steps == 1);
}

/* Whether the scan goes over the steps of the net's sequence. */
static bool is_sequence(Resolver *r, const Scan *s)
{
    bool any = false;
    for (int i = 0; r->steps && i < s->n_in; i++) {
        const Time t = time_of(r->steps, s->in[i]);
        any |= t.kind == TIME_bad || is_steps(s, s->in[i], t) || (t.kind == TIME_along && t.now == s->in[i]->batched);
    }
    return any;
}

static bool sequence_fits(Resolver *r, const Scan *s)
{
    for (int i = 0; i < s->n_in; i++) {
        Node *x = s->in[i];
        Time t = time_of(r->steps, x);
        const bool constant = t.kind == TIME_none && can_narrow(x, x->batched);
        if (is_steps(s, x, t) || constant) continue;
        if (t.kind != TIME_bad) t = (Time){.kind = TIME_bad, .where = x, .why = "this scan goes over the steps, and over something else that cannot be taken step by step"};
        time_complain(r->steps, t, s->ast->span);
        return false;
    }
    return true;
}

/* What the name is bound to before a step: a state, which the first step finds as the text has it. */
static Node *state_before(Resolver *r, const char *name, Value start, Span span)
{
    Graph *g = r->graph;
    double number = 0;
    Node *x = value_to_node(r, start, span, "what a scan carries", true);
    const bool is_number = is_one_number(x, &number);
    Time t = time_of(r->steps, x);
    Node *state = steps_state(r->steps, path_join(r->arena, r->frame->path, name), with_batch(r, sample_shape(x)), true, is_number ? number : 0);
    if (is_number) return state;
    if (t.kind != TIME_none && t.kind != TIME_start) {
        if (t.kind != TIME_bad) t = (Time){.kind = TIME_bad, .where = x, .why = "a scan over the steps begins with what the steps bring"};
        time_complain(r->steps, t, span);
        return NULL;
    }
    int64_t axes[RANK_MAX];
    for (int d = 0; d < x->shape.rank; d++) axes[d] = d + 1;
    if (!x->batched) x = node_broadcast(g, x, state->shape, axes, true);
    Node *first = node_binary(g, OP_eq, steps_position(r->steps), node_number(g, 0));
    Node *before = node_where(g, node_broadcast(g, first, state->shape, NULL, true), x, state);
    time_set(r->steps, before, TIME_present, -1);
    return before;
}

static Node *state_of(Node *before) { return before->op == OP_where ? before->in[2] : before; }

static void state_after(Resolver *r, Node *state, Value after, Span span)
{
    Node *x = value_to_node(r, after, span, "what a scan carries", true);
    int64_t axes[RANK_MAX];
    for (int d = 0; d < x->shape.rank; d++) axes[d] = d + 1;
    if (!x->batched) x = node_broadcast(r->graph, x, state->shape, axes, true);
    graph_root(r->graph, ROOT_update, state->name, x, state, span);
}

/* Once to see what is carried, once with states in its place. */
static bool scan_present(Resolver *r, Scan *s)
{
    Scope *scope = r->frame->scope;
    const int errors = r->diag->errors;
    const int64_t draws = r->draws;
    const Named named = names_now(r);
    const Values before = scope_values(r, scope);
    VEC(Node *) state = {0};
    if (!sequence_fits(r, s)) return false;
    scan_step(r, s, s->steps - 1);
    if (r->diag->errors > errors || !all_carried_fit(r, s, scope, &before)) return false;
    r->draws = draws;
    s->out.n = 0;
    names_restore(r, &named);
    const Values after = scope_values(r, scope);
    int k = 0;
    for (Scope *at = scope; at; at = at->up)
        for (int i = 0; i < at->binding.n; i++, k++) {
            const bool carried = before.at[k].kind != VALUE_poison && !same_value(before.at[k], after.at[k]);
            Node *x = carried ? state_before(r, at->binding.at[i].name, before.at[k], s->ast->span) : NULL;
            if (carried && !x) return false;
            vec_push(r->arena, &state, x);
            if (x) at->binding.at[i].value = value_tensor(x);
        }
    scan_step(r, s, s->steps - 1);
    k = 0;
    for (Scope *at = scope; at; at = at->up)
        for (int i = 0; i < at->binding.n; i++, k++)
            if (state.at[k]) state_after(r, state_of(state.at[k]), at->binding.at[i].value, s->ast->span);
    return r->diag->errors == errors;
}

/* The i-th value of the present step, standing for the sequence of them. */
static Value present(Resolver *r, const Scan *s, int i)
{
    Node *x = s->out.at[i];
    Shape all = {.rank = 1, .dim = {r->graph->batch}};
    int64_t axes[RANK_MAX];
    if (x->batched) axes[0] = 0;
    all.dim[all.rank++] = s->steps;
    for (int d = x->batched; d < x->shape.rank; d++) axes[d] = all.rank, all.dim[all.rank++] = x->shape.dim[d];
    Node *stack = node_broadcast(r->graph, x, all, axes, true);
    if (s->steps > 1) time_set(r->steps, stack, TIME_along, 1);
    return value_tensor(stack);
}

/* ---- all steps ---- */

static bool scan_all(Resolver *r, Scan *s)
{
    const int errors = r->diag->errors;
    const Named named = names_now(r);
    for (int64_t t = 0; t < s->steps; t++) {
        const Values before = scope_values(r, r->frame->scope);
        if (!iteration(r, s->ast->span)) return false;
        if (t) names_restore(r, &named);
        scan_step(r, s, t);
        if (r->diag->errors > errors || !all_carried_fit(r, s, r->frame->scope, &before)) return false;
    }
    return true;
}

Value resolve_scan(Resolver *r, const Ast *a)
{
    Scan s = {.ast = a};
    if (!scan_sequences(r, &s)) return value_poison();
    s.once = is_sequence(r, &s);
    if (!(s.once ? scan_present(r, &s) : scan_all(r, &s))) return value_poison();
    Value all = {.kind = VALUE_tuple, .n = s.n_out, .item = NEW_ARRAY(r->arena, Value, s.n_out + 1)};
    for (int i = 0; i < s.n_out; i++) all.item[i] = s.once ? present(r, &s, i) : stacked(r, &s, i);
    return all;
}
