/* lower_sides.c -- what a small known matrix multiplies from one side, and another then from the other (weights of a convolution by tiles, and
   their gradient), is computed at once, in registers. */
#include "lower.h"
#include "winograd.h"

enum { WAITING = 16 };             /* elements that registers hold while nothing is computed of them */

/* A kernel that makes matrix x: for each of `rows` a sum of a few terms. */
typedef struct Side {
    Kernel *k;
    const Expr *x;                 /* a load */
    int row, term;                 /* axes of k */
    int rows, terms;
    double matrix[WINOGRAD_SIDE * WINOGRAD_SIDE];
} Side;

/* ---- whether ---- */

static bool uses_axis(const Expr *load, int axis)
{
    bool any = false;
    for (int d = 0; d < load->buffer->shape.rank; d++) any |= affine_coef(&load->index[d], axis) != 0;
    return any;
}

/* Whether the load is of a known matrix, along the axis of the sum and one other. */
static bool find_matrix(Side *s, const Expr *load)
{
    const Buffer *b = load->buffer;
    const Affine at = b->kind == BUF_constant && !b->base && b->dtype == DTYPE_f32 ? buffer_address(b, load->index) : affine_constant(0);
    s->term = s->k->n_axes - 1;
    if (at.n != 2 || !affine_coef(&at, s->term)) return false;
    s->row = at.axis[at.axis[0] == s->term];
    if (s->k->axis[s->row].extent > WINOGRAD_SIDE || s->k->axis[s->term].extent > WINOGRAD_SIDE) return false;
    s->rows = (int)s->k->axis[s->row].extent;
    s->terms = (int)s->k->axis[s->term].extent;
    for (int r = 0; r < s->rows; r++)
        for (int t = 0; t < s->terms; t++)
            s->matrix[r * s->terms + t] = b->data[at.offset + r * affine_coef(&at, s->row) + t * affine_coef(&at, s->term)];
    return true;
}

static bool find_side(Side *s, Kernel *k)
{
    *s = (Side){ .k = k };
    if (k->reduce != REDUCE_sum || !kernel_is_plain(k) || k->result || kernel_kept(k) >= 0 || kernel_out_axes(k) != k->n_axes - 1) return false;
    if (k->value->kind != EX_mul || k->value->arg[0]->kind != EX_load || k->value->arg[1]->kind != EX_load) return false;
    for (int i = 0; i < 2; i++) {
        s->x = k->value->arg[1 - i];
        if (find_matrix(s, k->value->arg[i]) && !uses_axis(s->x, s->row)) return true;
    }
    return false;
}

/* The place before `at` of the kernel that makes what the second one alone reads, if that is a side too; else -1. */
static int find_first(const Lower *l, const Side *second, int at, Side *first)
{
    const Program *p = l->program;
    const Buffer *half = second->x->buffer;
    const Node *user = second->k->node;
    if (half->kind != BUF_workspace || half->base || fate_of(l, half->node)->users != 1) return -1;
    if (user->op != OP_contract || (user->in[0] != half->node && user->in[1] != half->node)) return -1;
    for (int i = 0; i < p->kernel.n; i++)
        if (p->kernel.at[i]->node == user && i != at) return -1;
    while (at-- > 0 && p->kernel.at[at]->out != half) {}
    return at >= 0 && find_side(first, p->kernel.at[at]) ? at : -1;
}

/* The axes of the first kernel, in those of the second, which reads its rows along an axis alone: that one; -1: it does not. */
static int find_axes(const Side *first, const Side *second, Affine *by)
{
    const Expr *half = second->x;
    for (int d = 0; d < half->buffer->shape.rank; d++) {
        const Affine *x = &first->k->store[d];
        if (x->n > 1 || x->offset || (x->n && x->coef[0] != 1)) return -1;
        if (x->n) by[x->axis[0]] = half->index[d];
    }
    const Affine *row = &by[first->row];
    if (row->n != 1 || row->offset || row->coef[0] != 1) return -1;
    const int axis = row->axis[0];
    int along = 0;
    for (int d = 0; d < half->buffer->shape.rank; d++) along += affine_coef(&half->index[d], axis) != 0;
    return along == 1 && axis != second->term && second->k->axis[axis].extent == first->rows ? axis : -1;
}

/* ---- where it lies ---- */

static int dimension_of(const Kernel *k, int axis)
{
    int d = 0;
    while (!affine_coef(&k->store[d], axis)) d++;
    return d;
}

static bool is_viewed(const Lower *l, const Buffer *b)
{
    for (int i = 0; i < l->program->buffer.n; i++)
        if (l->program->buffer.at[i]->base == b) return true;
    return false;
}

/* The planes that a point stores to begin an odd number of lines apart: else their lines fall together in a cache. */
static void set_apart(Lower *l, const Kernel *k, int row, int column)
{
    Buffer *b = k->out;
    int inner = dimension_of(k, row), outer = dimension_of(k, column);
    if (b->stride[inner] > b->stride[outer]) inner = outer, outer = dimension_of(k, row);
    const int64_t plane = b->stride[inner], planes = b->shape.dim[inner] * b->shape.dim[outer];
    if (b->kind != BUF_workspace || b->base || is_viewed(l, b) || odd_lines(plane) == plane) return;
    if (b->stride[outer] != plane * b->shape.dim[inner] || planes * plane != b->elements) return;
    const Node whole = { .dtype = b->dtype, .shape = { 1, { planes * odd_lines(plane) } } };
    b->base = buffer_new(l, BUF_workspace, b->name, &whole);
    b->base->node = b->node;
    b->name = name_take(l, b->name);
    b->stride[inner] = odd_lines(plane);
    b->stride[outer] = b->stride[inner] * b->shape.dim[inner];
}

/* ---- both at once ---- */

/* by: the first kernel's axes in the second's; column: that of the second along the first one's rows. */
static void compute_both(Lower *l, const Side *first, const Side *second, Affine *by, int column)
{
    Kernel *k = second->k;
    Affine with[AXES_MAX], to[RANK_MAX], at[RANK_MAX];
    Expr *x[WINOGRAD_SIDE], *half[WINOGRAD_SIDE][WINOGRAD_SIDE];
    int n = 0;
    for (int a = 0; a < k->n_axes; a++) {
        if (a == second->term || a == second->row || a == column) continue;
        k->axis[n] = k->axis[a];
        with[a] = affine_axis(n++);
    }
    with[second->row] = with[column] = affine_constant(0);
    for (int s = 0; s < second->terms; s++) {
        with[second->term] = affine_constant(s);
        for (int t = 0; t < first->terms; t++) {
            by[first->term] = affine_constant(t);
            x[t] = expr_substitute(l->arena, expr_substitute(l->arena, first->x, by), with);
        }
        winograd_apply(l->arena, first->matrix, first->rows, first->terms, x, half[s]);
        for (int r = 0; first->terms * second->terms > WAITING && r < first->rows; r++) vec_push(l->arena, &k->early, half[s][r]);
    }
    for (int d = 0; d < k->out->shape.rank; d++) to[d] = k->store[d];
    k->name = first->k->name;
    k->n_axes = n;
    k->reduce = REDUCE_none;
    k->value = NULL;
    for (int r = 0; r < first->rows; r++) {
        Expr *done[WINOGRAD_SIDE];
        for (int s = 0; s < second->terms; s++) x[s] = half[s][r];
        winograd_apply(l->arena, second->matrix, second->rows, second->terms, x, done);
        with[column] = affine_constant(r);
        for (int q = 0; q < second->rows; q++) {
            with[second->row] = affine_constant(q);
            for (int d = 0; d < k->out->shape.rank; d++) at[d] = affine_substitute(&to[d], with);
            kernel_store_at(l, k, k->out, done[q], at);
        }
    }
}

void lower_sides(Lower *l)
{
    Program *p = l->program;
    for (int i = 0; i < p->kernel.n; i++) {
        Side first, second;
        Affine by[AXES_MAX] = { 0 };
        if (!find_side(&second, p->kernel.at[i])) continue;
        const int before = find_first(l, &second, i, &first), column = before >= 0 ? find_axes(&first, &second, by) : -1;
        if (column < 0) continue;
        set_apart(l, second.k, second.row, column);
        compute_both(l, &first, &second, by, column);
        p->kernel.n--;
        for (int k = before; k < p->kernel.n; k++) p->kernel.at[k] = p->kernel.at[k + 1];
        i--;
    }
}
