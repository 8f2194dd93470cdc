/* expr.c -- scalar expressions: building, folding, and what each kind means. */
#include "loop.h"

#include <math.h>

const char *const expr_names[EX_COUNT] = {
#define E(name, args) [EX_##name] = #name,
    EXPRS(E)
#undef E
};

const int expr_args[EX_COUNT] = {
#define E(name, args) [EX_##name] = args,
    EXPRS(E)
#undef E
};

static Expr *expr_new(Arena *a, ExprKind kind)
{
    Expr *e = NEW(a, Expr);
    e->kind = kind;
    return e;
}

Expr *ex_number(Arena *a, double value)
{
    Expr *e = expr_new(a, EX_constant);
    e->value = value;
    return e;
}

Expr *ex_load(Arena *a, Buffer *b, const Affine *index)
{
    Expr *e = expr_new(a, EX_load);
    e->buffer = b;
    e->index = NEW_ARRAY(a, Affine, b->shape.rank);
    for (int d = 0; d < b->shape.rank; d++) e->index[d] = index[d];
    return e;
}

static Expr *with_index(Arena *a, ExprKind kind, Affine i)
{
    Expr *e = expr_new(a, kind);
    e->index = NEW(a, Affine);
    *e->index = i;
    return e;
}

Expr *ex_index(Arena *a, Affine i)
{
    return i.n ? with_index(a, EX_index, i) : ex_number(a, (double)i.offset);
}

Expr *ex_reduced(Arena *a, int kept)
{
    Expr *e = expr_new(a, EX_reduced);
    e->value = kept;
    return e;
}

Expr *ex_random(Arena *a, uint32_t key, Affine counter)
{
    Expr *e = with_index(a, EX_random, counter);
    e->key = key;
    return e;
}

Expr *ex_unary(Arena *a, ExprKind kind, Expr *x)
{
    if (x->kind == EX_constant) return ex_number(a, expr_apply(kind, &x->value));
    Expr *e = expr_new(a, kind);
    e->arg[0] = x;
    return e;
}

static bool is_number(const Expr *e, double value) { return e->kind == EX_constant && e->value == value; }

/* The operand that the operation leaves as it is, or NULL. */
static Expr *identity(ExprKind kind, Expr *x, Expr *y)
{
    if (kind == EX_add && is_number(x, 0)) return y;
    if ((kind == EX_add || kind == EX_sub) && is_number(y, 0)) return x;
    if (kind == EX_mul && is_number(x, 1)) return y;
    if ((kind == EX_mul || kind == EX_div || kind == EX_pow) && is_number(y, 1)) return x;
    return NULL;
}

Expr *ex_binary(Arena *a, ExprKind kind, Expr *x, Expr *y)
{
    if (x->kind == EX_constant && y->kind == EX_constant)
        return ex_number(a, expr_apply(kind, (double[]){ x->value, y->value }));
    Expr *same = identity(kind, x, y);
    if (same) return same;
    Expr *e = expr_new(a, kind);
    e->arg[0] = x;
    e->arg[1] = y;
    return e;
}

Expr *ex_row(Arena *a, Expr *x, int64_t rows)
{
    Expr *e = expr_new(a, EX_row);
    e->arg[0] = x;
    e->value = (double)rows;
    return e;
}

Expr *ex_where(Arena *a, Expr *condition, Expr *x, Expr *y)
{
    if (condition->kind == EX_constant) return condition->value != 0 ? x : y;
    Expr *e = expr_new(a, EX_where);
    e->arg[0] = condition;
    e->arg[1] = x;
    e->arg[2] = y;
    return e;
}

int exprs_add(Arena *a, Exprs *all, Expr *e)
{
    if (e->number < all->n && all->at[e->number] == e) return e->number;
    for (int i = 0; i < expr_args[e->kind]; i++) exprs_add(a, all, e->arg[i]);
    e->number = all->n;
    vec_push(a, all, e);
    return e->number;
}

/* Toward zero, held inside the type's range; NaN gives 0. */
static double integral(double x, double low, double high)
{
    return isnan(x) ? 0 : fmin(fmax(trunc(x), low), high);
}

/* One function per kind, so that the table below is checked by the compiler. */
#define MEANS(name, formula) static double do_##name(const double *x) { return formula; }
MEANS(neg, -x[0])
MEANS(exp, exp(x[0]))
MEANS(expm1, expm1(x[0]))
MEANS(log, log(x[0]))
MEANS(log1p, log1p(x[0]))
MEANS(sqrt, sqrt(x[0]))
MEANS(abs, fabs(x[0]))
MEANS(sin, sin(x[0]))
MEANS(cos, cos(x[0]))
MEANS(tanh, tanh(x[0]))
MEANS(sigmoid, 1 / (1 + exp(-x[0])))
MEANS(erf, erf(x[0]))
MEANS(relu, x[0] > 0 ? x[0] : 0)
MEANS(floor, floor(x[0]))
MEANS(add, x[0] + x[1])
MEANS(sub, x[0] - x[1])
MEANS(mul, x[0] * x[1])
MEANS(div, x[0] / x[1])
MEANS(max, x[0] >= x[1] ? x[0] : x[1])
MEANS(min, x[0] <= x[1] ? x[0] : x[1])
MEANS(pow, pow(x[0], x[1]))
MEANS(eq, x[0] == x[1])
MEANS(ne, x[0] != x[1])
MEANS(lt, x[0] < x[1])
MEANS(le, x[0] <= x[1])
MEANS(gt, x[0] > x[1])
MEANS(ge, x[0] >= x[1])
MEANS(where, x[0] != 0 ? x[1] : x[2])
MEANS(trunc_i32, integral(x[0], -0x1p31, 0x1p31 - 1))
MEANS(trunc_u8, integral(x[0], 0, 255))
#undef MEANS
#define do_constant NULL
#define do_load NULL
#define do_index NULL
#define do_reduced NULL
#define do_random NULL
#define do_row NULL

double expr_apply(ExprKind kind, const double *x)
{
    static double (*const apply[EX_COUNT])(const double *) = {
#define E(name, args) [EX_##name] = do_##name,
        EXPRS(E)
#undef E
    };
    if (!apply[kind]) internal_error("expr_apply", "%s has no arguments", expr_names[kind]);
    return apply[kind](x);
}
