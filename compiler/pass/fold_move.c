/* fold_move.c -- movement of movement, reductions over what was repeated, and arithmetic before broadcasts. */
#include "fold.h"

#include <string.h>

/* n over another operand: the same movement. */
static Node *moved(Graph *g, const Node *n, Node *x) { return folded(g, node_like(g, n, &x)); }

/* x under n's shape, the elements being n's; NULL where that would change which dimension is the batch. */
static Node *reshaped(Graph *g, Node *x, const Node *n)
{
    if (shape_equal(x->shape, n->shape)) return x;
    Node *y = node_reshape(g, x, n->shape);
    y->batched |= n->batched;
    return y->batched == n->batched ? folded(g, y) : NULL;
}

static Node *fold_reshape(Graph *g, Node *n)
{
    Node *x = n->in[0];
    if (shape_equal(x->shape, n->shape)) return x;
    return x->op == OP_reshape ? moved(g, n, x->in[0]) : NULL;
}

static Node *fold_transpose(Graph *g, Node *n)
{
    Node *x = n->in[0];
    const int64_t *axes = node_ints(n, ATTR_axes);
    int64_t last = -1;
    bool ordered = true;
    for (int d = 0; d < n->shape.rank; d++) {
        if (n->shape.dim[d] == 1) continue;
        ordered &= axes[d] > last;
        last = axes[d];
    }
    if (ordered) return reshaped(g, x, n);
    if (x->op != OP_transpose) return NULL;
    int64_t both[RANK_MAX];
    for (int d = 0; d < n->shape.rank; d++) both[d] = node_ints(x, ATTR_axes)[axes[d]];
    return folded(g, node_transpose(g, x->in[0], both));
}

/* The dimensions of a reshape's result that hold those of its operand, the others being 1. False where there is no such. */
static bool kept_dimensions(Shape from, Shape to, int64_t *at)
{
    int d = 0;
    for (int k = 0; k < to.rank; k++) {
        if (d < from.rank && from.dim[d] == to.dim[k]) at[d++] = k;
        else if (to.dim[k] != 1) return false;
    }
    return d == from.rank;
}

static Node *fold_broadcast(Graph *g, Node *n)
{
    Node *x = n->in[0];
    const int64_t *axes = node_ints(n, ATTR_axes);
    int64_t at[RANK_MAX];
    if (shape_equal(x->shape, n->shape)) return x;
    bool inner = x->op == OP_broadcast;
    if (inner) memcpy(at, node_ints(x, ATTR_axes), (size_t)x->in[0]->shape.rank * sizeof *at);
    if (inner || (x->op == OP_reshape && kept_dimensions(x->in[0]->shape, x->shape, at))) {
        for (int d = 0; d < x->in[0]->shape.rank; d++) at[d] = axes[at[d]];
        return folded(g, node_broadcast(g, x->in[0], n->shape, at, n->batched));
    }
    if (!x->shape.rank || shape_elements(x->shape) != shape_elements(n->shape)) return NULL;
    return reshaped(g, x, n);
}

/* A slice that lies within one operand of a concat. */
static Node *slice_of_concat(Graph *g, Node *n)
{
    Node *x = n->in[0];
    int axis = (int)node_int(x, ATTR_axis);
    int64_t start[RANK_MAX], first = 0;
    memcpy(start, node_ints(n, ATTR_start), (size_t)n->shape.rank * sizeof *start);
    for (int i = 0; i < x->n_in; i++) {
        int64_t here = x->in[i]->shape.dim[axis], from = start[axis] - first;
        if (from >= 0 && from + n->shape.dim[axis] <= here) {
            start[axis] = from;
            return folded(g, node_slice(g, x->in[i], start, n->shape));
        }
        first += here;
    }
    return NULL;
}

static Node *fold_slice(Graph *g, Node *n)
{
    Node *x = n->in[0];
    if (shape_equal(x->shape, n->shape)) return x;
    if (x->op == OP_concat) return slice_of_concat(g, n);
    if (x->op != OP_slice) return NULL;
    int64_t start[RANK_MAX];
    for (int d = 0; d < n->shape.rank; d++) start[d] = node_ints(n, ATTR_start)[d] + node_ints(x, ATTR_start)[d];
    return folded(g, node_slice(g, x->in[0], start, n->shape));
}

static Node *fold_reverse(Graph *g, Node *n)
{
    Node *x = n->in[0];
    const Attr *axes = node_attr(n, ATTR_axes), *inner = node_attr(x, ATTR_axes);
    int64_t left[RANK_MAX];
    int n_left = 0;
    if (x->op == OP_reverse && axes->n == inner->n && !memcmp(axes->ints, inner->ints, (size_t)axes->n * sizeof *left))
        return x->in[0];
    for (int i = 0; i < axes->n; i++)
        if (x->shape.dim[axes->ints[i]] > 1) left[n_left++] = axes->ints[i];
    return n_left < axes->n ? folded(g, node_reverse(g, x, left, n_left)) : NULL;
}

static Node *fold_pad(Graph *g, Node *n)
{
    Node *x = n->in[0];
    double value = node_real(n, ATTR_value), inside;
    const int64_t *low = node_ints(n, ATTR_low), *high = node_ints(n, ATTR_high);
    if (shape_equal(x->shape, n->shape)) return x;
    if (x->dtype == DTYPE_f32 && node_is_number(x, &inside) && inside == value)
        return node_fill(g, value, n->shape, n->batched);
    if (x->op != OP_pad || node_real(x, ATTR_value) != value) return NULL;
    int64_t lows[RANK_MAX], highs[RANK_MAX];
    for (int d = 0; d < n->shape.rank; d++) {
        lows[d] = low[d] + node_ints(x, ATTR_low)[d];
        highs[d] = high[d] + node_ints(x, ATTR_high)[d];
    }
    return folded(g, node_pad(g, x->in[0], lows, highs, value));
}

static Node *fold_concat(Graph *g, Node *n)
{
    (void)g;
    return n->n_in == 1 ? n->in[0] : NULL;
}

static FoldRule *const moves[OP_COUNT] = {
    [OP_reshape] = fold_reshape, [OP_transpose] = fold_transpose, [OP_broadcast] = fold_broadcast,
    [OP_slice] = fold_slice,     [OP_reverse] = fold_reverse,     [OP_pad] = fold_pad,
    [OP_concat] = fold_concat,
};

Node *fold_move(Graph *g, Node *n) { return moves[n->op] ? moves[n->op](g, n) : NULL; }

/* The reduction of copies is a copy (times their number, for a sum): where axes of a broadcast alone are reduced. */
static Node *reduce_of_broadcast(Graph *g, Node *n)
{
    Node *x = n->in[0], *small = x->in[0];
    const Attr *axes = node_attr(n, ATTR_axes);
    const int64_t *spread = node_ints(x, ATTR_axes);
    int64_t at[RANK_MAX], copies = shape_elements(x->shape) / shape_elements(n->shape);
    for (int d = 0; d < small->shape.rank; d++) {
        at[d] = spread[d];
        for (int i = 0; i < axes->n; i++) {
            if (axes->ints[i] == spread[d]) return NULL;
            at[d] -= axes->ints[i] < spread[d];
        }
    }
    if (n->op == OP_sum)
        small = folded(g, node_binary(g, OP_mul, small, node_fill(g, (double)copies, small->shape, small->batched)));
    if (shape_equal(small->shape, n->shape)) return small;
    return folded(g, node_broadcast(g, small, n->shape, at, n->batched));
}

Node *fold_reduce(Graph *g, Node *n)
{
    if (n->op != OP_sum && n->op != OP_reduce_max && n->op != OP_reduce_min) return NULL;
    Node *x = n->in[0];
    if (shape_elements(x->shape) == shape_elements(n->shape)) return reshaped(g, x, n);
    return x->op == OP_broadcast ? reduce_of_broadcast(g, n) : NULL;
}

/* ---- f(broadcast(x)) is broadcast(f(x)), on fewer elements ---- */

/* The operand of largest rank among the broadcast ones; NULL where some operand is no broadcast. */
static const Node *widest(const Node *n)
{
    const Node *wide = NULL;
    for (int i = 0; i < n->n_in; i++) {
        const Node *x = n->in[i];
        if (x->op != OP_broadcast) return NULL;
        if (!wide || x->in[0]->shape.rank > wide->in[0]->shape.rank) wide = x;
    }
    return wide;
}

/* x, a broadcast, as far as `wide` was before it was broadcast; NULL where x needs a dimension that is not there. */
static Node *narrowed(Graph *g, Node *x, const Node *wide)
{
    const int64_t *axes = node_ints(x, ATTR_axes), *there = node_ints(wide, ATTR_axes);
    Node *small = x->in[0];
    int64_t at[RANK_MAX];
    int rank = wide->in[0]->shape.rank, k = 0;
    for (int d = 0; d < small->shape.rank; d++) {
        while (k < rank && there[k] != axes[d]) k++;
        if (k == rank) return NULL;
        at[d] = k;
    }
    if (small->shape.rank == rank) return small;
    return node_broadcast(g, small, wide->in[0]->shape, at, wide->in[0]->batched);
}

Node *fold_spread(Graph *g, Node *n)
{
    const Node *wide = op_is_elementwise(n->op) ? widest(n) : NULL;
    Node *in[3];
    if (!wide || shape_elements(wide->in[0]->shape) >= shape_elements(n->shape)) return NULL;
    for (int i = 0; i < n->n_in; i++)
        if (!(in[i] = narrowed(g, n->in[i], wide))) return NULL;
    Node like = *n;
    like.batched = false;
    Node *small = folded(g, node_like(g, &like, in));
    return folded(g, node_broadcast(g, small, n->shape, node_ints(wide, ATTR_axes), n->batched));
}
