/* lower_reduce.c -- sums and extrema over dimensions. The operand's expression becomes part of the loops. */
#include "lower.h"

static void reduce(Lower *l, const Node *n, Reduce how)
{
    const Node *x = n->in[0];
    const Attr *axes = node_attr(n, ATTR_axes);
    Affine index[RANK_MAX], from[RANK_MAX];
    const char *names[RANK_MAX];
    int kept[RANK_MAX], n_kept = 0;
    bool reduced[RANK_MAX] = { 0 };
    for (int i = 0; i < axes->n; i++) reduced[axes->ints[i]] = true;
    for (int d = 0; d < x->shape.rank; d++) {
        if (reduced[d]) continue;
        names[n_kept] = dim_name(x, d);
        kept[n_kept++] = d;
    }
    Kernel *k = kernel_begin(l, n);
    k->reduce = how;
    kernel_box(l, k, n, n->shape, names, index);
    for (int i = 0; i < n_kept; i++) from[kept[i]] = index[i];
    for (int d = 0; d < x->shape.rank; d++)
        if (reduced[d]) from[d] = kernel_axis(l, k, x->shape.dim[d], dim_name(x, d), true);
    kernel_end(l, k, n, lower_value(l, x, from), index);
}

void lower_sum(Lower *l, const Node *n) { reduce(l, n, REDUCE_sum); }
void lower_reduce_max(Lower *l, const Node *n) { reduce(l, n, REDUCE_max); }
void lower_reduce_min(Lower *l, const Node *n) { reduce(l, n, REDUCE_min); }
