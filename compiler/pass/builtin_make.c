/* builtin_make.c -- the functions that make tensors, and those that say how parameters begin. */
#include "builtins.h"

#include <math.h>

/* ---- making tensors ---- */

static Value filled(Call *c, double number)
{
    Shape s;
    if (!c->given[0]) return (Value){.kind = VALUE_init, .init = {INIT_constant, number, 0}};
    if (!value_to_shape(c->r, &c->arg[0], 1, c->span, &s)) return value_poison();
    return value_tensor(node_fill(c->r->graph, number, s, false));
}
Value call_zeros(Call *c) { return filled(c, 0); }
Value call_ones(Call *c) { return filled(c, 1); }

Value call_fill(Call *c)
{
    double number;
    Shape s;
    if (!value_to_real(c->r, c->arg[0], c->at[0], "what fills a tensor", &number)) return value_poison();
    if (!value_to_shape(c->r, &c->arg[1], 1, c->at[1], &s)) return value_poison();
    return value_tensor(node_fill(c->r->graph, number, s, false));
}

Value call_iota(Call *c)
{
    int64_t n;
    if (!value_to_int(c->r, c->arg[0], c->at[0], "the length", 1, INT32_MAX, &n)) return value_poison();
    return value_tensor(node_iota(c->r->graph, (Shape){.rank = 1, .dim = {n}}, 0, false));
}

/* label[...] to [..., n]: 1 where the index is the label. */
Value call_one_hot(Call *c)
{
    Graph *g = c->r->graph;
    Node *x = operand(c, 0);
    int64_t n, axes[RANK_MAX];
    if (!x || !value_to_int(c->r, c->arg[1], c->at[1], "the number of classes", 1, INT32_MAX, &n)) return value_poison();
    Shape s = x->shape;
    if (s.rank == RANK_MAX) {
        resolve_error(c->r, c->span, "a tensor has at most %d dimensions", RANK_MAX - 1);
        return value_poison();
    }
    for (int d = 0; d < s.rank; d++) axes[d] = d;
    s.dim[s.rank++] = n;
    Node *wide = node_broadcast(g, x, s, axes, x->batched);
    return value_tensor(node_binary(g, OP_eq, wide, node_iota(g, s, s.rank - 1, x->batched)));
}

static Node *draw(Call *c, Shape s)
{
    return node_random(c->r->graph, with_batch(c->r, s), c->r->draws++, true);
}

Value call_random_uniform(Call *c)
{
    Shape s = {.rank = 0};
    if (c->given[0] && !value_to_shape(c->r, &c->arg[0], 1, c->span, &s)) return value_poison();
    return value_tensor(draw(c, s));
}

/* Box and Muller (1958): sqrt(-2 log u) cos(2 pi v), u in (0, 1]. */
Value call_random_normal(Call *c)
{
    Graph *g = c->r->graph;
    Shape s = {.rank = 0};
    if (c->given[0] && !value_to_shape(c->r, &c->arg[0], 1, c->span, &s)) return value_poison();
    Node *u = node_binary(g, OP_sub, node_number(g, 1), draw(c, s)), *v = draw(c, s);
    Node *radius = node_unary(g, OP_sqrt, node_binary(g, OP_mul, node_number(g, -2), node_unary(g, OP_log, u)));
    return value_tensor(node_binary(g, OP_mul, radius, node_unary(g, OP_cos, node_binary(g, OP_mul, v, node_number(g, 2 * acos(-1))))));
}

/* ---- how parameters begin ---- */

static Value initial(Call *c, InitKind kind)
{
    Value v = {.kind = VALUE_init, .init = {.kind = kind}};
    bool good = value_to_real(c->r, c->arg[0], c->at[0], c->name, &v.init.a) && value_to_real(c->r, c->arg[1], c->at[1], c->name, &v.init.b);
    return good ? v : value_poison();
}
Value call_uniform(Call *c) { return initial(c, INIT_uniform); }
Value call_normal(Call *c) { return initial(c, INIT_normal); }

Value call_untrained(Call *c)
{
    Value v = c->arg[0];
    if (value_is_number(v)) v = (Value){.kind = VALUE_init, .init = {INIT_constant, value_number(v), 0}};
    if (v.kind == VALUE_init) v.integer = 1;
    else if (v.kind != VALUE_poison) resolve_error(c->r, c->at[0], "`untrained` takes how a parameter begins");
    return v;
}
