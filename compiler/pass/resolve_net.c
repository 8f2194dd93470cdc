/* resolve_net.c -- calls of nets: inputs bound, outputs returned, one set of parameters wherever the net is called. */
#include "value.h"

#include <string.h>

static bool being_expanded(const Resolver *r, const Ast *ast)
{
    for (const Frame *f = r->frame; f; f = f->up)
        if (f->ast == ast) return true;
    return false;
}

/* The prelude calls none: its names mean its own blocks. */
const Ast *callee_net(const Resolver *r, const char *name, bool is_other)
{
    for (int f = r->user.begin ? -1 : r->model->file.n - 1; f >= 0; f--)
        for (int i = 0; i < r->model->file.at[f]->n; i++) {
            const Ast *net = r->model->file.at[f]->kid[i];
            if (net->kind != AST_net || strcmp(net->text, name)) continue;
            return is_other && being_expanded(r, net) ? NULL : net;
        }
    return NULL;
}

Frame *net_frame(const Resolver *r)
{
    Frame *f = r->frame;
    while (!f->is_net) f = f->up;
    return f;
}

/* ---- parameters ---- */

Shared *shared_again(Resolver *r, const Ast *name, const char *path, bool *twice)
{
    const int call = net_frame(r)->call, at = map_find_name(&r->shared_at, path);
    if (at < 0) return NULL;
    Shared *s = &r->shared.at[at];
    *twice = s->name != name || s->net != net_frame(r)->ast || s->call == call;
    s->call = call;
    if (s->now != s->node) s->now = node_unary(r->graph, OP_stop_gradient, s->now);
    return *twice ? NULL : s;
}

static bool same_beginning(const char *x, const char *y)
{
    const size_t n = strcspn(x, ".");
    return n == strcspn(y, ".") && !strncmp(x, y, n);
}

void shared_add(Resolver *r, const Ast *name, const char *path, Node *node)
{
    const Frame *f = net_frame(r);
    for (int i = 0; i < r->shared.n; i++) {
        if (r->shared.at[i].net == f->ast || !same_beginning(r->shared.at[i].path, path)) continue;
        resolve_error(r, name->span, "`%s` begins with the name of a net that is called here, but is another's; a label with `as` tells them apart", path);
        break;
    }
    map_add_name(r->arena, &r->shared_at, path, r->shared.n);
    vec_push(r->arena, &r->shared, (Shared){path, name, f->ast, node, node, f->call});
}

Shared *shared_of(const Resolver *r, const Node *n)
{
    for (int i = 0; i < r->shared.n; i++)
        if (r->shared.at[i].node == n || r->shared.at[i].now == n) return &r->shared.at[i];
    return NULL;
}

void shared_update(Resolver *r, Shared *s, Node *value, Span span)
{
    s->now = value;
    for (int i = 0; i < r->graph->root.n; i++) {
        Root *root = &r->graph->root.at[i];
        if (root->kind != ROOT_update || root->target != s->node) continue;
        root->node = value;
        return;
    }
    graph_root(r->graph, ROOT_update, s->path, value, s->node, span);
}

/* ---- inputs ---- */

/* An integer input of the caller must be known to lie in the range that the called net asks for. */
static bool fits_range(const Node *x, const int64_t *range)
{
    const Attr *low = node_attr(x, ATTR_low), *high = node_attr(x, ATTR_high);
    return !range || x->op != OP_input || (low && low->ints[0] >= range[0] && high->ints[0] <= range[1]);
}

/* Errors are the caller's. */
static Value input_value(Resolver *r, const char *what, const Given *g, DType t, Shape s, const int64_t *range)
{
    Node *x = value_to_node(r, g->value, g->span, what, t == DTYPE_f32);
    if (!x) return value_poison();
    Shape own = sample_shape(x);
    bool fits = x->dtype == t && shape_equal(own, s);
    if (fits && fits_range(x, range)) return value_tensor(x);
    if (fits)
        resolve_error(r, g->span, "%s is in %lld..%lld, which `%s` is not known to be", what, (long long)range[0], (long long)range[1], x->name);
    else
        resolve_error(r, g->span, "%s is %s%s, but this is %s%s", what, dtype_name(t), shape_text(r->arena, s), dtype_name(x->dtype),
                      shape_text(r->arena, own));
    if (!fits && x->op != OP_constant) diag_note(r->diag, x->span, "%s comes from here", shape_text(r->arena, own));
    return value_poison();
}

Value given_input(Resolver *r, const Ast *name, DType t, Shape s, const int64_t *range)
{
    Frame *f = r->frame;
    for (int i = 0; i < f->n_given; i++) {
        const Given *g = &f->given[i];
        if (strcmp(g->name, name->text)) continue;
        if (!g->is_given) return (Value){.kind = VALUE_missing};
        r->frame = f->up;
        Value v = input_value(r, arena_printf(r->arena, "the input `%s` of `%s`", name->text, f->name), g, t, s, range);
        r->frame = f;
        f->refused |= v.kind == VALUE_poison;
        return v;
    }
    resolve_error(r, name->span, "this input stands inside `if` or `for`; a net that is called has its inputs outside");
    return value_poison();
}

int net_inputs(const Ast *net, const char **name, int max)
{
    int n = 0;
    const Ast *body = net->kid[0];
    for (int i = 0; i < body->n; i++)
        for (int k = 0; body->kid[i]->kind == AST_input && k < body->kid[i]->kid[0]->n && n < max; k++)
            name[n++] = body->kid[i]->kid[0]->kid[k]->text;
    return n;
}

/* ---- the call ---- */

static bool may_call(Resolver *r, const Ast *net, const Ast *call, const Ast *label)
{
    if (label) resolve_error(r, label->span, "`%s` is a net: its one set of parameters has its name, and no label", net->text);
    else if (being_expanded(r, net)) resolve_error(r, call->span, "the net `%s` calls itself", net->text);
    else return true;
    return false;
}

static Value outputs_of(Resolver *r, const Frame *f)
{
    Value all = {.kind = VALUE_tuple, .n = f->output.n, .item = NEW_ARRAY(r->arena, Value, f->output.n)};
    for (int i = 0; i < f->output.n; i++) all.item[i] = f->output.at[i].value;
    return all.n == 1 ? all.item[0] : all;
}

/* The net's text once more, over the same parameters. */
static Value expand(Resolver *r, const Ast *net, const Ast *call, const Given *given, int n)
{
    Frame frame = {.up = r->frame, .path = net->text, .name = net->text, .ast = net, .is_net = true, .call = ++r->calls,
                   .given = given, .n_given = n, .at = call->span, .scope = scope_new(r->arena, NULL)};
    const char *label = r->graph->label;
    const int errors = r->diag->errors;
    r->frame = &frame;
    r->graph->label = frame.path;
    resolve_body(r, net->kid[0]);
    resolve_states_end(r);
    r->frame = frame.up;
    r->graph->label = label;
    if (r->diag->errors == errors && !frame.output.n) resolve_error(r, call->span, "the net `%s` has no output to call it for", net->text);
    if (r->diag->errors == errors) return outputs_of(r, &frame);
    if (!frame.refused) vec_push(r->arena, &r->model->broken, net);
    return value_poison();
}

Value call_net(Resolver *r, const Ast *net, const Ast *call, const Value *pipe, const Ast *pipe_ast, const Ast *label)
{
    const char *name[ARGUMENTS_MAX] = {NULL};
    Value value[ARGUMENTS_MAX];
    bool is_given[ARGUMENTS_MAX] = {false};
    Span at[ARGUMENTS_MAX];
    for (int i = 0; i < r->model->broken.n; i++)
        if (r->model->broken.at[i] == net) return value_poison();
    if (!may_call(r, net, call, label)) return value_poison();
    int n = net_inputs(net, name, ARGUMENTS_MAX);
    if (!bind_arguments(r, call, pipe, pipe_ast, name, n, value, is_given, at)) return value_poison();
    Given *given = NEW_ARRAY(r->arena, Given, n + 1);
    for (int i = 0; i < n; i++) {
        given[i] = (Given){.name = name[i], .is_given = is_given[i]};
        if (is_given[i]) given[i].value = value[i], given[i].span = at[i];
    }
    return expand(r, net, call, given, n);
}
