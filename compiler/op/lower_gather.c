/* lower_gather.c -- rows that an index names: read from a table, or added to one. */
#include "lower.h"

/* table[index[i...], j...] for the axes i... of the index, then j... of a row. */
void lower_gather(Lower *l, const Node *n)
{
    const Node *table = n->in[0], *index = n->in[1];
    Affine at[RANK_MAX], from[RANK_MAX];
    Kernel *k = kernel_begin(l, n);
    kernel_box(l, k, n, n->shape, NULL, at);
    from[0] = kernel_pick(l, k, lower_value(l, index, at), table->shape.dim[0]);
    for (int d = 1; d < table->shape.rank; d++) from[d] = at[index->shape.rank + d - 1];
    kernel_end(l, k, n, lower_value(l, table, from), at);
}

/* One row after the other: whoever shares out the work may not share out the index. */
void lower_scatter_add(Lower *l, const Node *n)
{
    const Node *x = n->in[0], *index = n->in[1];
    int order[RANK_MAX];
    Affine from[RANK_MAX], to[RANK_MAX];
    kernel_fill(l, n, 0);
    Kernel *k = kernel_begin(l, n);
    k->accumulate = true;
    stored_order(stored_buffer(l, n), order);
    for (int d = 0; d < index->shape.rank; d++) from[d] = kernel_axis(l, k, index->shape.dim[d], dim_name(index, d), false);
    for (int i = 0; i < n->shape.rank; i++)
        if (order[i]) from[index->shape.rank + order[i] - 1] = to[order[i]] = kernel_axis(l, k, n->shape.dim[order[i]], dim_name(n, order[i]), false);
    to[0] = kernel_pick(l, k, lower_value(l, index, from), n->shape.dim[0]);
    kernel_end(l, k, n, lower_value(l, x, from), to);
}
