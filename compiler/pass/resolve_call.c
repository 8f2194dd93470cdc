/* resolve_call.c -- calls: of blocks, with their arguments and the names of what is inside, and of functions. */
#include "value.h"

#include <string.h>

enum { NODES_MAX = 1000000, FRAMES_MAX = 200 };

/* ---- blocks ---- */

static const Ast *block_find(const Model *m, const char *name, bool *prelude)
{
    for (int f = m->file.n - 1; f >= 0; f--)
        for (int i = m->file.at[f]->n - 1; i >= 0; i--) {
            const Ast *top = m->file.at[f]->kid[i];
            if (top->kind != AST_block || strcmp(top->text, name)) continue;
            *prelude = f == 0;
            return top;
        }
    return NULL;
}

/* The name with its number where it repeats in this frame: conv, conv_1, ... */
static const char *layer_name(Resolver *r, const char *name)
{
    Frame *f = r->frame;
    int count = 0;
    bool found = false;
    for (int i = 0; i < f->used.n; i++)
        if (!strcmp(f->used.at[i].name, name)) {
            count = ++f->used.at[i].count;
            found = true;
        }
    if (!found) vec_push(r->arena, &f->used, (Used){name, 0});
    return count ? arena_printf(r->arena, "%s_%d", name, count) : name;
}

const char *path_join(Arena *a, const char *path, const char *name)
{
    return *path ? arena_printf(a, "%s.%s", path, name) : name;
}

const char *label_text(Resolver *r, const Ast *label, const char *between)
{
    Text t = {.arena = r->arena};
    text_puts(&t, label->text);
    for (int i = 0; i < label->n; i++) {
        const Value v = resolve_single(r, label->kid[i]);
        int64_t index = 0;
        text_puts(&t, between);
        if (v.kind == VALUE_string) text_puts(&t, v.text);
        else if (value_to_int(r, v, label->kid[i]->span, "an index in a name", 0, INT32_MAX, &index)) text_printf(&t, "%lld", (long long)index);
    }
    return text_string(&t);
}

typedef struct Argument { const char *name; Value value; Span span; } Argument;

static int gather_arguments(Resolver *r, const Ast *call, const Value *pipe, const Ast *pipe_ast, Argument *out, int max, bool *bad)
{
    int n = 0;
    if (pipe) out[n++] = (Argument){NULL, *pipe, pipe_ast->span};
    bool named = false;
    for (int i = 0; i < call->n; i++) {
        const Ast *a = call->kid[i], *e = a->kind == AST_argument ? a->kid[0] : a;
        if (n == max) {
            resolve_error(r, a->span, "too many arguments for `%s`", call->text);
            *bad = true;
            return n;
        }
        named |= a->kind == AST_argument;
        if (named && a->kind != AST_argument) {
            resolve_error(r, a->span, "an argument without a name cannot follow one with a name");
            *bad = true;
        }
        out[n] = (Argument){a->kind == AST_argument ? a->text : NULL, resolve_single(r, e), e->span};
        *bad |= out[n++].value.kind == VALUE_poison;
    }
    if (pipe) *bad |= pipe->kind == VALUE_poison;
    return n;
}

/* Which formal each argument is for; -1 after an error. */
static int formal_of(Resolver *r, const Argument *a, int position, const char *const *formal, int n, const char *callee)
{
    if (!a->name) {
        if (position < n) return position;
        resolve_error(r, a->span, "`%s` takes %d argument%s, and this is one more", callee, n, n == 1 ? "" : "s");
        return -1;
    }
    for (int i = 0; i < n; i++)
        if (!strcmp(formal[i], a->name)) return i;
    const char *near = did_you_mean(a->name, formal, n);
    if (near) resolve_error(r, a->span, "`%s` has no argument `%s`; did you mean `%s`?", callee, a->name, near);
    else resolve_error(r, a->span, "`%s` has no argument `%s`", callee, a->name);
    return -1;
}

bool bind_arguments(Resolver *r, const Ast *call, const Value *pipe, const Ast *pipe_ast, const char *const *formal, int n,
                    Value *value, bool *given, Span *at)
{
    Argument a[ARGUMENTS_MAX];
    bool bad = false;
    int count = gather_arguments(r, call, pipe, pipe_ast, a, ARGUMENTS_MAX, &bad);
    for (int i = 0; i < count; i++) {
        int f = formal_of(r, &a[i], i, formal, n, call->text);
        if (f < 0) return false;
        if (given[f]) {
            resolve_error(r, a[i].span, "the argument `%s` of `%s` is given twice", formal[f], call->text);
            return false;
        }
        given[f] = true;
        value[f] = a[i].value;
        at[f] = a[i].span;
    }
    return !bad;
}

static Value call_block(Resolver *r, const Ast *block, bool prelude, const Ast *call, const Value *pipe, const Ast *pipe_ast, const Ast *label)
{
    const Ast *formals = block->kid[0];
    const char *names[ARGUMENTS_MAX];
    Value value[ARGUMENTS_MAX];
    bool given[ARGUMENTS_MAX] = {false};
    Span at[ARGUMENTS_MAX];
    int n = formals->n < ARGUMENTS_MAX ? formals->n : ARGUMENTS_MAX;
    for (int i = 0; i < n; i++) names[i] = formals->kid[i]->text;
    const bool level = !label || strcmp(label->text, "_");   /* `as _`: what is inside is named as if it stood here */
    const char *name = level ? layer_name(r, label ? label_text(r, label, ".") : call->text) : NULL;
    if (!bind_arguments(r, call, pipe, pipe_ast, names, n, value, given, at)) return value_poison();
    int depth = 0;
    for (const Frame *f = r->frame; f; f = f->up, depth++)
        if (f->ast == block || depth > FRAMES_MAX) {
            resolve_error(r, call->span, f->ast == block ? "the block `%s` calls itself" : "blocks are nested too deeply at `%s`", call->text);
            return value_poison();
        }
    Span user = r->user;
    const char *layer = r->layer;
    if (prelude && !r->user.begin) {
        r->user = call->span;
        r->layer = call->text;
    }
    Frame frame = {.up = r->frame, .path = level ? path_join(r->arena, r->frame->path, name) : r->frame->path, .name = call->text, .ast = block,
                   .scope = scope_new(r->arena, NULL)};
    r->frame = &frame;
    const char *old_label = r->graph->label;
    if (level) r->graph->label = frame.path;
    bool bad = false;
    for (int i = 0; i < n && !bad; i++) {
        if (!given[i] && !formals->kid[i]->kid[0]) {
            r->frame = frame.up;
            diag_error(r->diag, r->user.begin ? r->user : call->span, "`%s` needs the argument `%s`", call->text, names[i]);
            r->frame = &frame;
            bad = true;
            break;
        }
        Value v = given[i] ? value[i] : resolve_single(r, formals->kid[i]->kid[0]);
        bad |= v.kind == VALUE_poison;
        vec_push(r->arena, &frame.scope->binding, (Binding){names[i], v});
    }
    if (!bad) resolve_body(r, block->kid[1]);
    resolve_states_end(r);
    if (!bad && !frame.returned) {
        diag_error(r->diag, block->name_span.begin ? block->name_span : block->span, "the block `%s` does not return a value", call->text);
        bad = true;
    }
    r->frame = frame.up;
    r->graph->label = old_label;
    r->user = user;
    r->layer = layer;
    return bad ? value_poison() : frame.result;
}

/* ---- builtins ---- */

static int split_formals(Arena *a, const char *formals, const char **name, bool *optional)
{
    int n = 0;
    for (const char *p = formals; *p;) {
        size_t length = strcspn(p, "=,");
        name[n] = arena_strndup(a, p, length);
        p += length;
        optional[n] = *p == '=';
        if (*p == '=') p++;
        n++;
        p += strspn(p, ", ");
    }
    return n;
}

static Value call_builtin(Resolver *r, const Builtin *b, const Ast *call, const Value *pipe, const Ast *pipe_ast)
{
    const char *names[BUILTIN_ARGS] = {NULL};
    bool optional[BUILTIN_ARGS];
    int n = split_formals(r->arena, b->formals, names, optional);
    Call c = {.r = r, .span = call->span, .name = call->text, .n = n};
    bool variadic = n && !strcmp(names[n - 1], "...");
    if (variadic) {   /* random_normal(3, 4): the rest are a list */
        Argument a[ARGUMENTS_MAX];
        bool bad = false;
        int count = gather_arguments(r, call, pipe, pipe_ast, a, ARGUMENTS_MAX, &bad);
        Value *item = NEW_ARRAY(r->arena, Value, count);
        for (int i = 0; i < count; i++) item[i] = a[i].value;
        c.arg[0] = (Value){.kind = VALUE_list, .n = count, .item = item};
        c.given[0] = count > 0;
        c.at[0] = call->span;
        if (bad) return value_poison();
    } else if (!bind_arguments(r, call, pipe, pipe_ast, names, n, c.arg, c.given, c.at)) return value_poison();
    for (int i = 0; i < n && !variadic; i++)
        if (!c.given[i] && !optional[i]) {
            resolve_error(r, call->span, "`%s` needs the argument `%s`", call->text, names[i]);
            return value_poison();
        }
    r->graph->span = r->user.begin ? r->user : call->span;
    if (r->graph->node.n > NODES_MAX) {
        resolve_error(r, call->span, "the net has more than %d operations", NODES_MAX);
        return value_poison();
    }
    return b->call(&c);
}

static Value call_unknown(Resolver *r, const Ast *call)
{
    Span at = call->name_span.begin ? call->name_span : call->span;
    VEC(const char *) names = {0};
    for (int f = 0; f < r->model->file.n; f++)
        for (int i = 0; i < r->model->file.at[f]->n; i++)
            if (r->model->file.at[f]->kid[i]->kind == AST_block || r->model->file.at[f]->kid[i]->kind == AST_net)
                vec_push(r->arena, &names, r->model->file.at[f]->kid[i]->text);
    for (const Builtin *b = builtins; b->name; b++) vec_push(r->arena, &names, b->name);
    for (Op op = 0; op < OP_COUNT; op++)
        if (op_is_function(op)) vec_push(r->arena, &names, op_info[op].name);
    const char *near = did_you_mean(call->text, names.at, names.n);
    if (near) resolve_error(r, at, "there is no block or function `%s`; did you mean `%s`?", call->text, near);
    else resolve_error(r, at, "there is no block or function `%s`", call->text);
    return value_poison();
}

Value resolve_call(Resolver *r, const Ast *call, const Value *pipe, const Ast *pipe_ast, const Ast *label)
{
    if (call->kind != AST_call) return value_poison();
    bool prelude = false;
    const Ast *block = block_find(r->model, call->text, &prelude);
    const Builtin *b = builtin_find(call->text);
    const Ast *net = callee_net(r, call->text, block || b);
    if (net && r->frame) return call_net(r, net, call, pipe, pipe_ast, label);
    if (block && r->frame) return call_block(r, block, prelude, call, pipe, pipe_ast, label);
    if (b) return call_builtin(r, b, call, pipe, pipe_ast);
    return call_unknown(r, call);
}
