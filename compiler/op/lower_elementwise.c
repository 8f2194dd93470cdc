/* lower_elementwise.c -- one element of operators that work element by element, and of leaves. */
#include "lower.h"

/* The expression kinds have the operators' names. */
#define UNARY(name) \
    Expr *lower_##name(Arena *a, Expr *const *x) { return ex_unary(a, EX_##name, x[0]); }
#define BINARY(name) \
    Expr *lower_##name(Arena *a, Expr *const *x) { return ex_binary(a, EX_##name, x[0], x[1]); }
UNARY(neg)
UNARY(exp)
UNARY(expm1)
UNARY(log)
UNARY(log1p)
UNARY(sqrt)
UNARY(abs)
UNARY(sin)
UNARY(cos)
UNARY(tanh)
UNARY(sigmoid)
UNARY(erf)
UNARY(relu)
UNARY(floor)
BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(max)
BINARY(min)
BINARY(eq)
BINARY(ne)
BINARY(lt)
BINARY(le)
BINARY(gt)
BINARY(ge)
#undef UNARY
#undef BINARY

/* x^n by squaring, for a whole constant n. */
static Expr *product(Arena *a, Expr *x, int n)
{
    if (n == 1) return x;
    Expr *half = product(a, x, n / 2), *square = ex_binary(a, EX_mul, half, half);
    return n % 2 ? ex_binary(a, EX_mul, square, x) : square;
}

Expr *lower_pow(Arena *a, Expr *const *x)
{
    double n = x[1]->kind == EX_constant ? x[1]->value : 0;
    if (n == 0.5) return ex_unary(a, EX_sqrt, x[0]);
    if (n == -1) return ex_binary(a, EX_div, ex_number(a, 1), x[0]);
    if (n >= 1 && n <= POWER_MAX && n == (int)n) return product(a, x[0], (int)n);
    return ex_binary(a, EX_pow, x[0], x[1]);
}

Expr *lower_stop_gradient(Arena *a, Expr *const *x)
{
    (void)a;
    return x[0];
}

Expr *lower_where(Lower *l, const Node *n, const Affine *index)
{
    Expr *x[3];
    for (int i = 0; i < 3; i++) x[i] = lower_value(l, n->in[i], index);
    return ex_where(l->arena, x[0], x[1], x[2]);
}

Expr *lower_cast(Lower *l, const Node *n, const Affine *index)
{
    static const ExprKind to[DTYPES] = { [DTYPE_i32] = EX_trunc_i32, [DTYPE_u8] = EX_trunc_u8 };
    Expr *x = lower_value(l, n->in[0], index);
    return n->dtype == DTYPE_f32 ? x : ex_unary(l->arena, to[n->dtype], x);
}

Expr *lower_leaf(Lower *l, const Node *n, const Affine *index)
{
    return ex_load(l->arena, fate_of(l, n)->buffer, index);
}

Expr *lower_iota(Lower *l, const Node *n, const Affine *index)
{
    return ex_index(l->arena, index[node_int(n, ATTR_axis)]);
}

/* The counter does not depend on how the tensor is stored. */
Expr *lower_random(Lower *l, const Node *n, const Affine *index)
{
    return ex_random(l->arena, (uint32_t)node_int(n, ATTR_key), affine_linear(n->shape, index));
}
