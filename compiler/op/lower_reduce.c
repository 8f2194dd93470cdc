/* lower_reduce.c -- sums and extrema over dimensions. The operand's expression becomes part of the loops. */
#include "lower.h"

/* Over some of the operand's first dimension, or all of it. rest, last: as kernel_end_sum has them. */
typedef struct Part { int64_t from, to; Buffer *rest; bool last; } Part;

static void reduce(Lower *l, const Node *n, Reduce how, const Part *part)
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
    Kernel *k = kernel_begin_part(l, n, part->from ? "_more" : "");
    k->reduce = how;
    k->accumulate = part->from && !part->last;
    kernel_box(l, k, n, n->shape, names, index);
    for (int i = 0; i < n_kept; i++) from[kept[i]] = index[i];
    for (int d = 0; d < x->shape.rank; d++)
        if (reduced[d]) from[d] = kernel_axis(l, k, d ? x->shape.dim[d] : part->to - part->from, dim_name(x, d), true);
    if (part->from) from[0] = affine_add(from[0], affine_constant(part->from));
    kernel_end_sum(l, k, n, lower_value(l, x, from), index, part->rest, part->last);
}

static void reduce_all(Lower *l, const Node *n, Reduce how) { reduce(l, n, how, &(Part){ .to = n->in[0]->shape.rank ? n->in[0]->shape.dim[0] : 1 }); }

void lower_sum(Lower *l, const Node *n) { reduce_all(l, n, REDUCE_sum); }
void lower_reduce_max(Lower *l, const Node *n) { reduce_all(l, n, REDUCE_max); }
void lower_reduce_min(Lower *l, const Node *n) { reduce_all(l, n, REDUCE_min); }

Beside beside_begin(Lower *l, const Node *n) { return (Beside){ .sum = fate_of(l, n)->beside }; }

void beside_samples(Lower *l, Beside *b, int64_t to)
{
    if (!b->sum || to <= b->done) return;
    const bool last = to == b->sum->in[0]->shape.dim[0], whole = last && !b->done;
    if (!whole && !b->rest && fate_of(l, b->sum)->end) b->rest = partial_buffer(l, b->sum);
    reduce(l, b->sum, REDUCE_sum, &(Part){ b->done, to, b->rest, last && b->rest });
    b->done = to;
}
