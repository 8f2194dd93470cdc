/* lower_contract.c -- sums of products: one kernel whose axes are the contraction's, or for a long sum one after the other. */
#include "lower.h"

/* Of a sum over so many steps an operand's columns would not stay in the cache from row to row, where there are rows. */
enum { SUM_LONG = 8192, SUM_PART = 2048, ROWS_LEAST = 16 };

/* The dimension that the axis is alone, with step 1; -1 when there is none. */
static int alone_in(const IndexMap *m, int axis)
{
    for (int d = 0; d < m->rank; d++)
        if (m->dim[d].n == 1 && m->dim[d].term[0].axis == axis && m->dim[d].term[0].coef == 1) return d;
    return -1;
}

static int anywhere_in(const IndexMap *m, int axis)
{
    for (int d = 0; d < m->rank; d++)
        if (affine_coef(&m->dim[d], axis)) return d;
    return -1;
}

/* "ky" for an axis that moves inside a window along y. */
static const char *window_name(Lower *l, const char *dim)
{
    return *dim == 'k' || *dim == 'o' ? dim : arena_printf(l->arena, "k%s", dim);
}

static const char *out_axis_name(const Node *n, const Contract *c, int axis, int d)
{
    const char *name = dim_name(n, d);
    bool only_b = n->batched && d == 1 && anywhere_in(&c->a, axis) < 0;
    return only_b ? "oc" : name;
}

static const char *reduce_axis_name(Lower *l, const Node *n, const Contract *c, int axis)
{
    int in_a = alone_in(&c->a, axis), in_b = alone_in(&c->b, axis);
    if (in_a >= 0) return dim_name(n->in[0], in_a);
    if (in_b >= 0 && n->in[1]->batched) return dim_name(n->in[1], in_b);
    int d = anywhere_in(&c->a, axis);
    if (d >= 0) return window_name(l, dim_name(n->in[0], d));
    d = anywhere_in(&c->b, axis);
    return d >= 0 ? window_name(l, dim_name(n->in[1], d)) : "r";
}

/* Axes of dimension d of the result, the longest step first. */
static void add_out_axes(Lower *l, Kernel *k, const Node *n, const Contract *c, int d, Affine *by, bool *done)
{
    const Affine *x = &c->out.dim[d];
    for (int left = x->n; left; left--) {
        int best = -1;
        for (int t = 0; t < x->n; t++)
            if (!done[x->term[t].axis] && (best < 0 || x->term[t].coef > x->term[best].coef)) best = t;
        if (best < 0) return;
        int axis = x->term[best].axis;
        by[axis] = kernel_axis(l, k, c->extent[axis], out_axis_name(n, c, axis, d), false);
        done[axis] = true;
    }
}

static void map_index(const IndexMap *m, const Affine *by, Affine *index)
{
    for (int d = 0; d < m->rank; d++) index[d] = affine_substitute(&m->dim[d], by);
}

/* Whether the out axes reach every element of the result. */
static bool covers(const Node *n, const Contract *c)
{
    int64_t points = 1;
    for (int i = 0; i < c->n_axes; i++)
        if (anywhere_in(&c->out, i) >= 0) points *= c->extent[i];
    return points == shape_elements(n->shape);
}

/* Some steps of the sum along one axis. */
typedef struct Part { int axis; int64_t from, steps; } Part;

static void lower_part(Lower *l, const Node *n, const Contract *c, const Part *part)
{
    Affine by[AXES_MAX], index[RANK_MAX];
    bool done[AXES_MAX] = { 0 };
    int order[RANK_MAX];
    Kernel *k = kernel_begin_part(l, n, part->from ? "_more" : "");
    k->reduce = REDUCE_sum;
    k->accumulate = part->from > 0;
    stored_order(stored_buffer(l, n), order);
    for (int i = 0; i < c->out.rank; i++) add_out_axes(l, k, n, c, order[i], by, done);
    for (int i = 0; i < c->n_axes; i++) {
        const bool in_part = i == part->axis;
        if (!done[i]) by[i] = kernel_axis(l, k, in_part ? part->steps : c->extent[i], reduce_axis_name(l, n, c, i), true);
        if (in_part) by[i] = affine_add(by[i], affine_constant(part->from));
    }
    map_index(&c->a, by, index);
    Expr *a = lower_value(l, n->in[0], index);
    map_index(&c->b, by, index);
    Expr *b = lower_value(l, n->in[1], index);
    map_index(&c->out, by, index);
    kernel_end(l, k, n, ex_binary(l->arena, EX_mul, a, b), index);
}

/* How many elements of the result each element of an operand is for. */
static int64_t readers(const Contract *c, const IndexMap *operand)
{
    int64_t n = 1;
    for (int i = 0; i < c->n_axes; i++)
        if (anywhere_in(&c->out, i) >= 0 && anywhere_in(operand, i) < 0) n *= c->extent[i];
    return n;
}

/* The axis of a sum that is long enough to be cut, where nothing is done with the whole sum in its kernel; -1. */
static int long_axis(const Lower *l, const Node *n, const Contract *c)
{
    if (fate_of(l, n)->end || readers(c, &c->a) < ROWS_LEAST || readers(c, &c->b) < ROWS_LEAST) return -1;
    for (int i = 0; i < c->n_axes; i++)
        if (c->extent[i] >= SUM_LONG && anywhere_in(&c->out, i) < 0) return i;
    return -1;
}

void lower_contract(Lower *l, const Node *n)
{
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    Part part = { .axis = long_axis(l, n, c) };
    const int64_t whole = part.axis < 0 ? 1 : c->extent[part.axis], most = part.axis < 0 ? 1 : SUM_PART;
    if (!covers(n, c)) kernel_fill(l, n, 0);
    for (; part.from < whole; part.from += most) {
        part.steps = whole - part.from < most ? whole - part.from : most;
        lower_part(l, n, c, &part);
    }
    int64_t steps = 1;
    for (int i = 0; i < c->n_axes; i++) steps *= c->extent[i];
    l->program->multiply_adds += steps;
}
