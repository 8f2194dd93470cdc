/* resolve.c -- a net's text to its graph: statements, parameters' names. */
#include "value.h"

#include <stdlib.h>
#include <string.h>

enum { ITERATIONS_MAX = 1000000 };

void resolve_error(Resolver *r, Span span, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *message = NEW_ARRAY(r->arena, char, 1024);
    vsnprintf(message, 1024, fmt, args);
    va_end(args);
    diag_error(r->diag, r->user.begin ? r->user : span, "%s", message);
    if (r->user.begin) diag_note(r->diag, span, "in `%s`, which the prelude defines here", r->layer);
    for (const Frame *f = r->frame; !r->user.begin && f && f->up; f = f->up)
        if (f->ast) diag_note(r->diag, f->ast->name_span, "in the %s `%s`", f->is_net ? "net" : "block", f->name);
}

static bool resolve_type(Resolver *r, const Ast *type, DType *t, Shape *s)
{
    if (!dtype_find(type->text, t)) {
        resolve_error(r, type->span, "the type %s is not yet supported; there are f32, i32 and u8", type->text);
        return false;
    }
    int n = type->kid[0] ? type->kid[0]->n : 0;
    Value *dim = NEW_ARRAY(r->arena, Value, n);
    for (int i = 0; i < n; i++) {
        dim[i] = resolve_single(r, type->kid[0]->kid[i]);
        if (dim[i].kind == VALUE_poison) return false;
    }
    return value_to_shape(r, dim, n, type->span, s);
}

static void define(Resolver *r, const Ast *name, Value v) { scope_set(r->arena, r->frame->scope, name->text, v); }

Shape with_batch(Resolver *r, Shape s)
{
    Shape full = {.rank = s.rank + 1, .dim = {r->graph->batch}};
    memcpy(full.dim + 1, s.dim, (size_t)s.rank * sizeof *s.dim);
    return full;
}

static bool leaf_exists(Resolver *r, Op op, const char *name)
{
    for (int i = 0; i < r->graph->node.n; i++)
        if (r->graph->node.at[i]->op == op && !strcmp(r->graph->node.at[i]->name, name)) return true;
    return false;
}

static void resolve_input(Resolver *r, const Ast *s)
{
    DType t;
    Shape shape;
    bool good = resolve_type(r, s->kid[1], &t, &shape);
    const Ast *low = s->kid[1]->kid[1], *high = s->kid[1]->kid[2];
    int64_t range[2] = {0, 0};
    if (good && low) {
        good = value_to_int(r, resolve_single(r, low), low->span, "the start of a range", INT32_MIN, INT32_MAX, &range[0]) &&
               value_to_int(r, resolve_single(r, high), high->span, "the end of a range", range[0] + 1, (int64_t)INT32_MAX + 1, &range[1]);
        if (good && t == DTYPE_f32) resolve_error(r, s->kid[1]->span, "a range is for whole numbers, not f32"), good = false;
    }
    bool called = r->frame->given != NULL;
    if (!r->frame->is_net) {
        resolve_error(r, s->span, "`input` belongs to a net, not to a block");
        good = false;
    }
    for (int i = 0; i < s->kid[0]->n; i++) {
        const Ast *name = s->kid[0]->kid[i];
        if (good && !called && leaf_exists(r, OP_input, name->text)) resolve_error(r, name->span, "the input `%s` is defined twice", name->text);
        if (!good || called) {
            define(r, name, good ? given_input(r, name, t, shape, low ? range : NULL) : value_poison());
            continue;
        }
        r->graph->span = name->span;
        Node *n = node_leaf(r->graph, OP_input, name->text, t, with_batch(r, shape), true);
        if (low) {
            node_set_attr(r->graph, n, (Attr){.name = ATTR_low, .n = 1, .ints = &range[0]});
            node_set_attr(r->graph, n, (Attr){.name = ATTR_high, .n = 1, .ints = &range[1]});
        }
        define(r, name, value_tensor(n));
    }
}

static void resolve_param(Resolver *r, const Ast *s)
{
    DType t;
    Shape shape;
    bool good = resolve_type(r, s->kid[1], &t, &shape);
    Value init = resolve_single(r, s->kid[2]);
    if (good && t != DTYPE_f32) resolve_error(r, s->kid[1]->span, "a parameter is f32, not %s", dtype_name(t)), good = false;
    if (value_is_number(init)) init = (Value){.kind = VALUE_init, .init = {INIT_constant, value_number(init), 0}};
    if (init.kind != VALUE_init) {
        if (init.kind != VALUE_poison)
            resolve_error(r, s->kid[2]->span, "a parameter begins as a number, `uniform(low, high)` or `normal(mean, deviation)`, not %s",
                          value_text(r->arena, init));
        good = false;
    }
    for (int i = 0; i < s->kid[0]->n; i++) {
        const Ast *name = s->kid[0]->kid[i];
        const char *full = path_join(r->arena, r->frame->path, label_text(r, name, ""));
        bool twice = false;
        Shared *again = good ? shared_again(r, name, full, &twice) : NULL;
        if (twice) {
            resolve_error(r, name->span, "there are two parameters `%s`; a label with `as` tells them apart", full);
            good = false;
        }
        if (!good || again) {
            define(r, name, good ? value_tensor(again->now) : value_poison());
            continue;
        }
        r->graph->span = r->user.begin ? r->user : name->span;
        Node *n = node_leaf(r->graph, OP_param, full, DTYPE_f32, shape, false);
        n->trained = !init.integer;
        node_set_attr(r->graph, n, (Attr){.name = ATTR_init, .init = init.init});
        shared_add(r, name, full, n);
        define(r, name, value_tensor(n));
    }
}

static void check_assertion(Resolver *r, const Ast *type, Value v)
{
    DType t;
    Shape s;
    if (v.kind == VALUE_poison || !resolve_type(r, type, &t, &s)) return;
    if (v.kind != VALUE_tensor) {
        resolve_error(r, type->span, "%s%s is expected, but this is %s", dtype_name(t), shape_text(r->arena, s), value_text(r->arena, v));
        return;
    }
    Shape own = sample_shape(v.node);
    if (v.node->dtype == t && shape_equal(own, s)) return;
    resolve_error(r, type->span, "%s%s is expected, but this is %s%s", dtype_name(t), shape_text(r->arena, s), dtype_name(v.node->dtype),
                  shape_text(r->arena, own));
    diag_note(r->diag, v.node->span, "%s comes from here", shape_text(r->arena, own));
}

/* What the names of a let are bound to: values side by side, or those that one call or scan gives. */
static Value let_values(Resolver *r, const Ast *right)
{
    if (right->kind == AST_scan) return resolve_scan(r, right);
    if (right->n == 1) return resolve_expr(r, right->kid[0]);
    Value all = {.kind = VALUE_tuple, .n = right->n, .item = NEW_ARRAY(r->arena, Value, right->n)};
    for (int i = 0; i < right->n; i++) all.item[i] = resolve_single(r, right->kid[i]);
    return all;
}

static void resolve_let(Resolver *r, const Ast *s)
{
    const Ast *names = s->kid[0];
    const Value all = let_values(r, s->kid[2]);
    const int given = all.kind == VALUE_tuple ? all.n : 1;
    const bool exact = s->kid[2]->n > 1 && s->kid[2]->kind != AST_scan, fit = exact ? given == names->n : given >= names->n;
    if (!fit && all.kind != VALUE_poison) {
        if (!given) resolve_error(r, s->span, "the steps of this scan do not yield anything");
        else resolve_error(r, s->span, "%d names, but %d value%s", names->n, given, given > 1 ? "s" : "");
    }
    for (int i = 0; i < names->n; i++) {
        Value v = !fit ? value_poison() : all.kind == VALUE_tuple ? all.item[i] : all;
        if (s->kid[1]) check_assertion(r, s->kid[1], v);
        define(r, names->kid[i], v);
    }
}

/* An output is named once and not as an input is; the graph that infers has the outputs of its own net. */
static void add_output(Resolver *r, const Ast *a, Value v)
{
    Frame *f = r->frame;
    bool called = f->given != NULL;
    for (int k = 0; k < f->output.n; k++)
        if (!strcmp(f->output.at[k].name, a->text)) {
            resolve_error(r, a->span, "the output `%s` is defined twice", a->text);
            return;
        }
    for (int k = 0; k < r->graph->node.n && !called; k++) {
        const Node *n = r->graph->node.at[k];
        if (n->op != OP_input || n == v.node || strcmp(n->name, a->text)) continue;
        resolve_error(r, a->span, "`%s` is already the name of an input", a->text);
        return;
    }
    vec_push(r->arena, &f->output, (Binding){a->text, v});
    if (!called && r->options->mode == MODE_infer) graph_root(r->graph, ROOT_output, a->text, v.node, NULL, a->span);
}

static void resolve_output(Resolver *r, const Ast *s)
{
    for (int i = 0; i < s->n; i++) {
        const Ast *a = s->kid[i];
        Value v;
        if (a->kid[0]) {
            v = resolve_single(r, a->kid[0]);
        } else {
            Ast name = {.kind = AST_name, .span = a->span, .name_span = a->span, .text = a->text};
            v = resolve_single(r, &name);
        }
        define(r, a, v);
        Node *n = value_to_node(r, v, a->span, "an output", false);
        if (!r->frame->is_net) resolve_error(r, s->span, "`output` belongs to a net, not to a block");
        else if (n) add_output(r, a, value_tensor(n));
    }
}

bool iteration(Resolver *r, Span span)
{
    if (++r->iterations <= ITERATIONS_MAX) return true;
    resolve_error(r, span, "loops run more than %d times in all", ITERATIONS_MAX);
    return false;
}

static void resolve_for(Resolver *r, const Ast *s)
{
    int64_t from, to;
    if (!value_to_int(r, resolve_single(r, s->kid[0]), s->kid[0]->span, "the start of a range", INT32_MIN, INT32_MAX, &from)) return;
    if (!value_to_int(r, resolve_single(r, s->kid[1]), s->kid[1]->span, "the end of a range", INT32_MIN, INT32_MAX, &to)) return;
    int errors = r->diag->errors;
    for (int64_t i = from; i < to && !r->frame->returned && r->diag->errors == errors; i++) {
        if (!iteration(r, s->span)) return;
        Scope *outer = r->frame->scope;
        r->frame->scope = scope_new(r->arena, outer);
        vec_push(r->arena, &r->frame->scope->binding, (Binding){s->text, value_int(i)});
        resolve_body(r, s->kid[2]);
        r->frame->scope = outer;
    }
}

static void resolve_if(Resolver *r, const Ast *s)
{
    bool c;
    if (!value_to_bool(r, resolve_single(r, s->kid[0]), s->kid[0]->span, "a condition", &c)) return;
    const Ast *taken = s->kid[c ? 1 : 2];
    if (!taken) return;
    if (taken->kind == AST_if) {
        resolve_if(r, taken);
        return;
    }
    Scope *outer = r->frame->scope;
    r->frame->scope = scope_new(r->arena, outer);
    resolve_body(r, taken);
    r->frame->scope = outer;
}

static void resolve_return(Resolver *r, const Ast *s)
{
    Frame *f = r->frame;
    if (f->is_net) {
        resolve_error(r, s->span, "`return` belongs to a block; a net has outputs");
        return;
    }
    f->result = (Value){.kind = VALUE_tuple, .n = s->n, .item = NEW_ARRAY(r->arena, Value, s->n)};
    for (int i = 0; i < s->n; i++) f->result.item[i] = s->n == 1 ? resolve_expr(r, s->kid[i]) : resolve_single(r, s->kid[i]);
    if (s->n == 1) f->result = f->result.item[0];
    f->returned = true;
}

static void resolve_const(Resolver *r, const Ast *s)
{
    for (int i = 0; i < s->n; i++) define(r, s->kid[i], resolve_single(r, s->kid[i]->kid[0]));
}

void resolve_loss(Resolver *r, const Ast *s);
void resolve_metric(Resolver *r, const Ast *s);

/* What stands once in a net or block, and so not in the steps of a scan. */
static bool stands_once(AstKind kind)
{
    return kind == AST_input || kind == AST_output || kind == AST_loss || kind == AST_metric || kind == AST_state || kind == AST_return;
}

static void resolve_statement(Resolver *r, const Ast *s)
{
    if (r->frame->scan && stands_once(s->kind)) {
        resolve_error(r, s->span, "`%s` cannot stand in a scan", ast_kind_name(s->kind));
        r->frame->returned |= s->kind == AST_return;
        return;
    }
    switch (s->kind) {
    case AST_input: resolve_input(r, s); break;
    case AST_output: resolve_output(r, s); break;
    case AST_param: resolve_param(r, s); break;
    case AST_const: resolve_const(r, s); break;
    case AST_loss:   /* those of a called net belong to it alone */
    case AST_metric:
        if (!net_frame(r)->given) (s->kind == AST_loss ? resolve_loss : resolve_metric)(r, s);
        break;
    case AST_let: resolve_let(r, s); break;
    case AST_for: resolve_for(r, s); break;
    case AST_if: resolve_if(r, s); break;
    case AST_return: resolve_return(r, s); break;
    case AST_scan: resolve_scan(r, s); break;
    case AST_yield: resolve_yield(r, s); break;
    case AST_state: resolve_state(r, s); break;
    default: break;   /* AST_error: reported by the parser */
    }
}

void resolve_body(Resolver *r, const Ast *body)
{
    for (int i = 0; i < body->n && !r->frame->returned; i++) resolve_statement(r, body->kid[i]);
}

/* ---- constants and the net ---- */

static bool define_value(Resolver *r, const Define *d, Value *out)
{
    char *end;
    if (!strcmp(d->value, "true") || !strcmp(d->value, "false")) {
        *out = value_bool(d->value[0] == 't');
        return true;
    }
    long long i = strtoll(d->value, &end, 10);
    if (*d->value && !*end) {
        *out = value_int(i);
        return true;
    }
    double x = strtod(d->value, &end);
    if (*d->value && !*end) {
        *out = value_real(x);
        return true;
    }
    diag_error(r->diag, (Span){0, 0}, "-D %s=%s: the value must be a number, true or false", d->name, d->value);
    return false;
}

static const Define *define_find(const ResolveOptions *o, const char *name)
{
    for (int i = o->n_define - 1; i >= 0; i--)
        if (!strcmp(o->define[i].name, name)) return &o->define[i];
    return NULL;
}

void resolve_constants(Resolver *r)
{
    Frame top = {.path = "", .name = "", .scope = r->consts};
    r->frame = &top;
    for (int f = 0; f < r->model->file.n; f++)
        for (int i = 0; i < r->model->file.at[f]->n; i++) {
            const Ast *s = r->model->file.at[f]->kid[i];
            for (int k = 0; s->kind == AST_const && k < s->n; k++) {
                const Define *d = f == r->model->file.n - 1 ? define_find(r->options, s->kid[k]->text) : NULL;
                Value v = resolve_single(r, s->kid[k]->kid[0]), given;
                if (d && define_value(r, d, &given)) {
                    if (given.kind == VALUE_int && v.kind == VALUE_real) given = value_real((double)given.integer);
                    if (v.kind != VALUE_poison && given.kind != v.kind)
                        diag_error(r->diag, s->kid[k]->span, "-D %s=%s does not fit: `%s` is %s", d->name, d->value, d->name, value_text(r->arena, v));
                    v = given;
                }
                scope_set(r->arena, r->consts, s->kid[k]->text, v);
            }
        }
    for (int i = 0; i < r->options->n_define; i++) {
        const char *name = r->options->define[i].name;
        if (scope_find(r->consts, name)) continue;
        VEC(const char *) names = {0};
        for (int k = 0; k < r->consts->binding.n; k++) vec_push(r->arena, &names, r->consts->binding.at[k].name);
        const char *near = did_you_mean(name, names.at, names.n);
        diag_error(r->diag, (Span){0, 0}, near ? "-D %s: there is no such constant; did you mean `%s`?" : "-D %s: there is no such constant%s",
                   name, near ? near : "");
    }
    r->frame = NULL;
}

static const Ast *net_find(const Model *m, const char *name)
{
    const Ast *only = NULL, *trained = NULL;
    const Ast *file = m->file.at[m->file.n - 1];
    for (int f = m->file.n - 1; f >= 0 && !only; f--) {
        file = m->file.at[f];
        for (int i = 0; i < file->n; i++)
            if (file->kid[i]->kind == AST_net && (!name || !strcmp(file->kid[i]->text, name))) only = file->kid[i];
    }
    for (int i = 0; !name && i < file->n; i++)
        for (int k = 0; file->kid[i]->kind == AST_train && k < file->n; k++)
            if (file->kid[k]->kind == AST_net && !strcmp(file->kid[k]->text, file->kid[i]->text)) trained = file->kid[k];
    return trained ? trained : only;
}

const char *resolve_net_name(Model *m, const char *net)
{
    const Ast *found = net_find(m, net);
    if (found) return found->text;
    if (net) diag_error(m->diag, (Span){0, 0}, "%s: there is no net `%s`", m->path.at[0], net);
    else diag_error(m->diag, (Span){0, 0}, "%s: there is no net in this file", m->path.at[0]);
    return NULL;
}

Resolver *resolver_new(Model *m, const ResolveOptions *o, const char *net)
{
    Resolver *r = NEW(m->arena, Resolver);
    *r = (Resolver){.arena = m->arena, .model = m, .diag = m->diag, .options = o, .consts = scope_new(m->arena, NULL)};
    r->graph = graph_new(m->arena, m->diag, net, o->mode, o->batch);
    if (o->step) r->steps = steps_new(r->graph);
    return r;
}

Graph *resolve(Model *m, const ResolveOptions *options)
{
    const char *name = resolve_net_name(m, options->net);
    if (!name) return NULL;
    int errors = m->diag->errors;
    Resolver *r = resolver_new(m, options, name);
    resolve_constants(r);
    const Ast *net = net_find(m, name);
    Frame frame = {.path = "", .name = name, .ast = net, .is_net = true, .scope = scope_new(m->arena, NULL)};
    r->frame = &frame;
    resolve_body(r, net->kid[0]);
    resolve_states_end(r);
    if (m->diag->errors == errors && options->mode == MODE_infer && !r->graph->root.n)
        diag_error(m->diag, net->name_span.begin ? net->name_span : net->span, "the net `%s` has no output", name);
    if (m->diag->errors > errors || (r->steps && !steps_cut(r->steps))) {
        vec_push(m->arena, &m->broken, net);
        return NULL;
    }
    graph_sort(r->graph);
    graph_verify(r->graph, "resolve");
    return r->graph;
}
