/* lower_row.c -- a tensor kept from call to call, of which a call changes one row: only that row is stored. */
#include "lower.h"

static bool is_over(const Expr *e, int axis)
{
    const int n = e->kind == EX_load ? e->buffer->shape.rank : e->index ? 1 : 0;
    for (int i = 0; i < n; i++)
        if (affine_coef(&e->index[i], axis)) return true;
    for (int i = 0; i < expr_args[e->kind]; i++)
        if (is_over(e->arg[i], axis)) return true;
    return false;
}

/* The axis that the expression is the index of, or -1. */
static int index_axis(const Expr *e)
{
    const bool plain = e->kind == EX_index && e->index->n == 1 && e->index->coef[0] == 1 && !e->index->offset;
    return plain ? e->index->axis[0] : -1;
}

/* Whether the load is of the element that the kernel stores. */
static bool is_old(const Kernel *k, const Expr *e)
{
    if (e->kind != EX_load || buffer_memory(e->buffer) != buffer_memory(k->out)) return false;
    Affine from = buffer_address(e->buffer, e->index), to = buffer_address(k->out, k->store);
    return affine_equal(&from, &to);
}

/* where(index == row, new, old): the axis, with what says the row; -1 where the kernel is none such. */
static int find_row(const Kernel *k, const Expr **row)
{
    const Expr *e = k->value;
    if (k->accumulate || k->pick || k->reduce != REDUCE_none || k->result || k->more.n || k->n_axes >= PICKED) return -1;
    if (e->kind != EX_where || e->arg[0]->kind != EX_eq || !is_old(k, e->arg[2])) return -1;
    for (int i = 0; i < 2; i++) {
        const int axis = index_axis(e->arg[0]->arg[i]);
        *row = e->arg[0]->arg[1 - i];
        if (axis >= 0 && !is_over(*row, axis)) return axis;
    }
    return -1;
}

/* The condition stays: a row that is not there changes none. */
static void store_row(Arena *a, Kernel *k, int axis, const Expr *row)
{
    Affine by[AXES_MAX];
    for (int i = 0; i < k->n_axes; i++) by[i] = affine_axis(i < axis ? i : i - 1);
    by[axis] = affine_axis(PICKED);
    k->pick = ex_row(a, expr_substitute(a, row, by), k->axis[axis].extent);
    k->value = expr_substitute(a, k->value, by);
    for (int d = 0; d < k->out->shape.rank; d++) k->store[d] = affine_substitute(&k->store[d], by);
    for (int i = axis; i + 1 < k->n_axes; i++) k->axis[i] = k->axis[i + 1];
    k->n_axes--;
}

void lower_row(Lower *l)
{
    for (int i = 0; i < l->program->kernel.n; i++) {
        const Expr *row;
        const int axis = find_row(l->program->kernel.at[i], &row);
        if (axis >= 0) store_row(l->arena, l->program->kernel.at[i], axis, row);
    }
}
