/* resolve_state.c -- state: what the caller keeps from call to call. What a name is bound to at the end of its body is the new value. */
#include "value.h"

#include <string.h>

static bool is_taken(const Resolver *r, const char *path)
{
    for (int i = 0; i < r->graph->node.n; i++)
        if (r->graph->node.at[i]->op == OP_state && !strcmp(r->graph->node.at[i]->name, path)) return true;
    return false;
}

/* The number that all elements begin as, and their shape. */
static bool state_start(Resolver *r, const Ast *e, double *number, Shape *s)
{
    Node *start = value_to_node(r, resolve_single(r, e), e->span, "a state", true);
    if (!start) return false;
    *s = sample_shape(start);
    if (node_is_number(start, number)) return true;
    resolve_error(r, e->span, "a state begins as one number everywhere, such as zeros(3) or fill(0.5, [3])");
    return false;
}

void resolve_state(Resolver *r, const Ast *s)
{
    double number = 0;
    Shape shape;
    bool good = state_start(r, s->kid[1], &number, &shape);
    for (int i = 0; i < s->kid[0]->n; i++) {
        const Ast *name = s->kid[0]->kid[i];
        const char *path = path_join(r->arena, r->frame->path, name->text);
        const bool taken = good && is_taken(r, path);
        if (taken) resolve_error(r, name->span, "the state `%s` is there already: where it is made can be used once", path);
        Value v = value_poison();
        if (good && !taken) {
            r->graph->span = r->user.begin ? r->user : name->span;
            Node *n = node_leaf(r->graph, OP_state, path, DTYPE_f32, with_batch(r, shape), true);
            node_set_attr(r->graph, n, (Attr){.name = ATTR_init, .init = {INIT_constant, number, 0}});
            vec_push(r->arena, &r->frame->state, (State){name, n, r->frame->scope});
            v = value_tensor(n);
        }
        scope_set(r->arena, r->frame->scope, name->text, v);
    }
}

static void state_update(Resolver *r, const State *s)
{
    const Value *v = scope_find(s->scope, s->name->text);
    Node *x = v ? value_to_node(r, *v, s->name->span, "a state", false) : NULL;
    if (!x || x == s->node) return;
    const Shape own = sample_shape(x), wanted = sample_shape(s->node);
    if (x->dtype != DTYPE_f32 || !shape_equal(own, wanted)) {
        resolve_error(r, s->name->span, "the state `%s` is f32%s, but becomes %s%s", s->name->text, shape_text(r->arena, wanted),
                      dtype_name(x->dtype), shape_text(r->arena, own));
        diag_note(r->diag, x->span, "%s comes from here", shape_text(r->arena, own));
        return;
    }
    int64_t axes[RANK_MAX];
    for (int d = 0; d < own.rank; d++) axes[d] = d + 1;
    if (!x->batched) x = node_broadcast(r->graph, x, s->node->shape, axes, true);
    graph_root(r->graph, ROOT_update, s->node->name, x, s->node, s->name->span);
}

void resolve_states_end(Resolver *r)
{
    for (int i = 0; i < r->frame->state.n; i++) state_update(r, &r->frame->state.at[i]);
}
