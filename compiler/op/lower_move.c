/* lower_move.c -- operators that move elements: another index into the operand, or kernels that copy. */
#include "lower.h"

/* ---- reshape ---- */

void reshape_run(Shape x, int *i, Shape y, int *j)
{
    int64_t px = x.dim[(*i)++], py = y.dim[(*j)++];
    while (px != py) {
        if (px < py) px *= x.dim[(*i)++];
        else py *= y.dim[(*j)++];
    }
}

/* The only dimension above 1 in [from, to); -1 when there are more. All of size 1: `from`. */
static int only_dimension(Shape x, int from, int to)
{
    int only = -1;
    for (int d = from; d < to; d++) {
        if (x.dim[d] == 1) continue;
        if (only >= 0) return -1;
        only = d;
    }
    return only < 0 ? from : only;
}

bool reshape_index(Shape x, Shape y, const Affine *index_y, Affine *index_x)
{
    int i = 0, j = 0;
    for (int d = 0; index_x && d < x.rank; d++) index_x[d] = affine_constant(0);
    while (i < x.rank && j < y.rank) {
        int from_x = i, from_y = j;
        reshape_run(x, &i, y, &j);
        int to = only_dimension(x, from_x, i);
        if (to < 0) return false;
        for (int d = from_y; index_x && d < j; d++)
            index_x[to] = affine_add(affine_scale(index_x[to], y.dim[d]), index_y[d]);
    }
    return true;                   /* what is left of either has size 1 */
}

bool reshape_is_view(const Node *n)
{
    return n->op == OP_reshape && !reshape_index(n->in[0]->shape, n->shape, NULL, NULL);
}

Expr *lower_reshape(Lower *l, const Node *n, const Affine *index)
{
    Affine moved[RANK_MAX];
    if (reshape_index(n->in[0]->shape, n->shape, index, moved)) return lower_value(l, n->in[0], moved);
    return ex_load(l->arena, fate_of(l, n)->view, index);
}

/* ---- other indices ---- */

Expr *lower_transpose(Lower *l, const Node *n, const Affine *index)
{
    const int64_t *axes = n->shape.rank ? node_ints(n, ATTR_axes) : NULL;
    Affine moved[RANK_MAX];
    for (int d = 0; d < n->shape.rank; d++) moved[axes[d]] = index[d];
    return lower_value(l, n->in[0], moved);
}

Expr *lower_broadcast(Lower *l, const Node *n, const Affine *index)
{
    const Shape from = n->in[0]->shape;
    const int64_t *axes = from.rank ? node_ints(n, ATTR_axes) : NULL;
    Affine moved[RANK_MAX];
    for (int d = 0; d < from.rank; d++) moved[d] = index[axes[d]];
    return lower_value(l, n->in[0], moved);
}

Expr *lower_slice(Lower *l, const Node *n, const Affine *index)
{
    const int64_t *start = n->shape.rank ? node_ints(n, ATTR_start) : NULL;
    Affine moved[RANK_MAX];
    for (int d = 0; d < n->shape.rank; d++) moved[d] = affine_add(index[d], affine_constant(start[d]));
    return lower_value(l, n->in[0], moved);
}

Expr *lower_reverse(Lower *l, const Node *n, const Affine *index)
{
    const Attr *axes = node_attr(n, ATTR_axes);
    Affine moved[RANK_MAX];
    for (int d = 0; d < n->shape.rank; d++) moved[d] = index[d];
    for (int i = 0; i < axes->n; i++) {
        int64_t d = axes->ints[i];
        moved[d] = affine_add(affine_scale(index[d], -1), affine_constant(n->shape.dim[d] - 1));
    }
    return lower_value(l, n->in[0], moved);
}

/* ---- copies ---- */

/* A kernel that stores x inside n, from `start` on; start NULL: at the beginning. */
static void store_inside(Lower *l, const Node *n, const Node *x, const int64_t *start)
{
    Affine index[RANK_MAX];
    Kernel *k = kernel_begin(l, n);
    kernel_box(l, k, n, x->shape, NULL, index);
    Expr *value = lower_value(l, x, index);
    for (int d = 0; start && d < x->shape.rank; d++) index[d] = affine_add(index[d], affine_constant(start[d]));
    kernel_end(l, k, n, value, index);
}

void lower_copy(Lower *l, const Node *n) { store_inside(l, n, n->in[0], NULL); }

void lower_pad(Lower *l, const Node *n)
{
    kernel_border(l, n, n->in[0]->shape, node_ints(n, ATTR_low), node_real(n, ATTR_value));
    if (fate_of(l, n->in[0])->place != n) store_inside(l, n, n->in[0], node_ints(n, ATTR_low));
}

void place_start(const Node *n, const Node *x, int64_t *start)
{
    const int64_t *low = n->op == OP_pad && n->shape.rank ? node_ints(n, ATTR_low) : NULL;
    for (int d = 0; d < n->shape.rank; d++) start[d] = low ? low[d] : 0;
    for (int i = 0; n->op == OP_concat && n->in[i] != x; i++) start[node_int(n, ATTR_axis)] += n->in[i]->shape.dim[node_int(n, ATTR_axis)];
}

void lower_concat(Lower *l, const Node *n)
{
    const int64_t axis = node_int(n, ATTR_axis);
    int64_t start[RANK_MAX] = { 0 };
    for (int i = 0; i < n->n_in; i++) {
        if (fate_of(l, n->in[i])->place != n) store_inside(l, n, n->in[i], start);
        start[axis] += n->in[i]->shape.dim[axis];
    }
}
