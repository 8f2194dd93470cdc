/* lower_window.c -- the maximum over windows, where it is, and its gradient. */
#include "lower.h"

typedef struct Window {
    const int64_t *size, *stride, *dilation;
    Affine out[RANK_MAX];          /* index of the window */
    Affine in[RANK_MAX];           /* index of an element of the window in the tensor below */
    Affine place;                  /* row-major number of the element in its window */
} Window;

/* Adds the axes: one per dimension of the windows, then one per dimension of a window. */
static Window window_axes(Lower *l, Kernel *k, const Node *n, const Node *windows, bool reduce)
{
    Window w = { .size = node_ints(n, ATTR_window), .stride = node_ints(n, ATTR_stride),
                 .dilation = node_ints(n, ATTR_dilation), .place = affine_constant(0) };
    kernel_box(l, k, n, windows->shape, NULL, w.out);
    for (int d = 0; d < windows->shape.rank; d++) {
        Affine inside = kernel_axis(l, k, w.size[d], arena_printf(l->arena, "k%s", dim_name(windows, d)), reduce);
        w.in[d] = affine_add(affine_scale(w.out[d], w.stride[d]), affine_scale(inside, w.dilation[d]));
        w.place = affine_add(affine_scale(w.place, w.size[d]), inside);
    }
    return w;
}

void lower_window_max(Lower *l, const Node *n)
{
    Kernel *k = kernel_begin(l, n);
    k->reduce = REDUCE_max;
    Window w = window_axes(l, k, n, n, true);
    kernel_end(l, k, n, lower_value(l, n->in[0], w.in), w.out);
}

/* The least place whose element is the maximum; the last place where none is (NaN). */
void lower_window_argmax(Lower *l, const Node *n)
{
    Kernel *k = kernel_begin(l, n);
    k->reduce = REDUCE_min;
    Window w = window_axes(l, k, n, n, true);
    double last = 1;
    for (int d = 0; d < n->shape.rank; d++) last *= (double)w.size[d];
    Expr *same = ex_binary(l->arena, EX_eq, lower_value(l, n->in[0], w.in), lower_value(l, n->in[1], w.out));
    Expr *value = ex_where(l->arena, same, ex_index(l->arena, w.place), ex_number(l->arena, last - 1));
    kernel_end(l, k, n, value, w.out);
}

static bool windows_apart(const Node *n, const Node *windows)
{
    const int64_t *size = node_ints(n, ATTR_window), *stride = node_ints(n, ATTR_stride);
    const int64_t *dilation = node_ints(n, ATTR_dilation);
    for (int d = 0; d < windows->shape.rank; d++)
        if (windows->shape.dim[d] > 1 && (stride[d] < size[d] || (size[d] > 1 && dilation[d] != 1))) return false;
    return true;
}

static bool windows_cover(const Node *n, const Node *windows)
{
    const int64_t *size = node_ints(n, ATTR_window);
    for (int d = 0; d < windows->shape.rank; d++)
        if (windows->shape.dim[d] * size[d] != n->shape.dim[d]) return false;
    return true;
}

Expr *unpool_value(Lower *l, const Node *n, const Affine *index)
{
    const int64_t *size = node_ints(n, ATTR_window);
    Affine window[RANK_MAX];
    int64_t place = 0;
    for (int d = 0; d < n->shape.rank; d++) {
        window[d] = index[d];
        window[d].offset /= size[d];
        for (int t = 0; t < index[d].n; t++) {
            if (index[d].coef[t] % size[d]) internal_error("lower", "an element of no one window is read of unpooled %s", n->name);
            window[d].coef[t] /= size[d];
        }
        place = place * size[d] + index[d].offset % size[d];
    }
    Expr *here = ex_binary(l->arena, EX_eq, lower_value(l, n->in[1], window), ex_index(l->arena, affine_constant(place)));
    return ex_where(l->arena, here, lower_value(l, n->in[0], window), ex_number(l->arena, 0));
}

/* out[o * stride + k * dilation] += dy[o] where argmax[o] is k. Windows that do not overlap store instead of adding. */
void lower_window_unpool(Lower *l, const Node *n)
{
    const Node *dy = n->in[0], *argmax = n->in[1];
    bool apart = windows_apart(n, dy), cover = windows_cover(n, dy);
    if (!apart || !cover) kernel_fill(l, n, 0);
    Kernel *k = kernel_begin(l, n);
    k->accumulate = !apart;
    Window w = window_axes(l, k, n, dy, false);
    Expr *here = ex_binary(l->arena, EX_eq, lower_value(l, argmax, w.out), ex_index(l->arena, w.place));
    Expr *value = ex_where(l->arena, here, lower_value(l, dy, w.out), ex_number(l->arena, 0));
    kernel_end(l, k, n, value, w.in);
}
