/* eval_move.c -- the reference interpreter: what moves elements, and reductions: each a walk over two tensors side by side. */
#include "eval.h"

#include <math.h>
#include <string.h>

Strides eval_strides(Shape s)
{
    Strides t = { 0 };
    int64_t step = 1;
    for (int d = s.rank - 1; d >= 0; d--) {
        t.step[d] = step;
        step *= s.dim[d];
    }
    return t;
}

/* ---- walks ---- */

typedef void Row(double *y, int64_t dy, const double *x, int64_t dx, int64_t n);

static void row_copy(double *y, int64_t dy, const double *x, int64_t dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i * dy] = x[i * dx];
}

static void row_sum(double *y, int64_t dy, const double *x, int64_t dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i * dy] += x[i * dx];
}

static void row_max(double *y, int64_t dy, const double *x, int64_t dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(x[i * dx] <= y[i * dy])) y[i * dy] = x[i * dx];
}

static void row_min(double *y, int64_t dy, const double *x, int64_t dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(x[i * dx] >= y[i * dy])) y[i * dy] = x[i * dx];
}

/* Calls `row` for every row of the box `s`: y and x move by their own strides. */
static void walk(Shape s, double *y, const Strides *ys, const double *x, const Strides *xs, Row *row)
{
    int last = s.rank - 1;
    int64_t i[RANK_MAX] = { 0 };
    y += ys->base;
    x += xs->base;
    if (s.rank == 0) {
        row(y, 0, x, 0, 1);
        return;
    }
    for (;;) {
        row(y, ys->step[last], x, xs->step[last], s.dim[last]);
        int d = last - 1;
        for (; d >= 0; d--) {
            y += ys->step[d];
            x += xs->step[d];
            if (++i[d] < s.dim[d]) break;
            y -= ys->step[d] * s.dim[d];
            x -= xs->step[d] * s.dim[d];
            i[d] = 0;
        }
        if (d < 0) return;
    }
}

/* ---- movement and reductions: each a walk ---- */

void eval_transpose(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    const int64_t *axes = node_ints(n, ATTR_axes);
    Strides ys = eval_strides(n->shape), from = eval_strides(n->in[0]->shape), xs = { 0 };
    for (int d = 0; d < n->shape.rank; d++) xs.step[d] = from.step[axes[d]];
    walk(n->shape, y, &ys, x[0], &xs, row_copy);
}

void eval_broadcast(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    const Shape from = n->in[0]->shape;
    const int64_t *axes = from.rank ? node_ints(n, ATTR_axes) : NULL;
    Strides ys = eval_strides(n->shape), steps = eval_strides(from), xs = { 0 };
    for (int d = 0; d < from.rank; d++)
        if (from.dim[d] == n->shape.dim[axes[d]]) xs.step[axes[d]] = steps.step[d];
    walk(n->shape, y, &ys, x[0], &xs, row_copy);
}

void eval_slice(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    const int64_t *start = node_ints(n, ATTR_start);
    Strides ys = eval_strides(n->shape), xs = eval_strides(n->in[0]->shape);
    for (int d = 0; d < n->shape.rank; d++) xs.base += start[d] * xs.step[d];
    walk(n->shape, y, &ys, x[0], &xs, row_copy);
}

void eval_reverse(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    const Attr *axes = node_attr(n, ATTR_axes);
    Strides ys = eval_strides(n->shape), xs = ys;
    for (int i = 0; i < axes->n; i++) {
        int64_t d = axes->ints[i];
        xs.base += xs.step[d] * (n->shape.dim[d] - 1);
        xs.step[d] = -xs.step[d];
    }
    walk(n->shape, y, &ys, x[0], &xs, row_copy);
}

void eval_pad(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    const int64_t *low = node_ints(n, ATTR_low);
    const double value = node_real(n, ATTR_value);
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = value;
    Strides ys = eval_strides(n->shape), xs = eval_strides(n->in[0]->shape);
    for (int d = 0; d < n->shape.rank; d++) ys.base += low[d] * ys.step[d];
    walk(n->in[0]->shape, y, &ys, x[0], &xs, row_copy);
}

void eval_concat(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    int64_t axis = node_int(n, ATTR_axis);
    Strides ys = eval_strides(n->shape);
    for (int i = 0; i < n->n_in; i++) {
        Strides xs = eval_strides(n->in[i]->shape);
        walk(n->in[i]->shape, y, &ys, x[i], &xs, row_copy);
        ys.base += n->in[i]->shape.dim[axis] * ys.step[axis];
    }
}

void eval_reduce(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    static const struct { Row *row; double start; } how[OP_COUNT] = {
        [OP_sum] = { row_sum, 0 }, [OP_reduce_max] = { row_max, -INFINITY }, [OP_reduce_min] = { row_min, INFINITY },
    };
    const Attr *axes = node_attr(n, ATTR_axes);
    const Shape from = n->in[0]->shape;
    Strides xs = eval_strides(from), kept = eval_strides(n->shape), ys = { 0 };
    int64_t count = shape_elements(n->shape);
    for (int64_t i = 0; i < count; i++) y[i] = how[n->op].start;
    for (int d = 0, k = 0; d < from.rank; d++) {
        bool reduced = false;
        for (int i = 0; i < axes->n; i++) reduced |= axes->ints[i] == d;
        if (!reduced) ys.step[d] = kept.step[k++];
    }
    walk(from, y, &ys, x[0], &xs, how[n->op].row);
}

/* ---- rows ---- */

/* Outside the table: its first or last row. */
static int64_t row_of(double index, int64_t rows)
{
    return index > 0 ? index < (double)rows ? (int64_t)index : rows - 1 : 0;
}

void eval_gather(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    const Shape table = n->in[0]->shape;
    int64_t count = shape_elements(n->in[1]->shape), width = shape_elements(shape_tail(table));
    for (int64_t i = 0; i < count; i++) memcpy(y + i * width, x[0] + row_of(x[1][i], table.dim[0]) * width, (size_t)width * sizeof *y);
}

void eval_scatter_add(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    int64_t count = shape_elements(n->in[1]->shape), width = shape_elements(shape_tail(n->shape));
    memset(y, 0, (size_t)shape_elements(n->shape) * sizeof *y);
    for (int64_t i = 0; i < count; i++) row_sum(y + row_of(x[1][i], n->shape.dim[0]) * width, 1, x[0] + i * width, 1, width);
}

/* ---- windows ---- */

typedef struct Window {
    Shape out, in, size;           /* of the pooled tensor, of x, of one window */
    const int64_t *stride, *dilation;
    Strides step;                  /* of x */
} Window;

static Window window_of(const Node *n, Shape out, Shape in)
{
    Window w = { .out = out, .in = in, .size = in, .step = eval_strides(in) };
    const int64_t *size = node_ints(n, ATTR_window);
    for (int d = 0; d < in.rank; d++) w.size.dim[d] = size[d];
    w.stride = node_ints(n, ATTR_stride);
    w.dilation = node_ints(n, ATTR_dilation);
    return w;
}

/* Offset in x of element `k` (row-major in the window) of the window of result element `o`. */
static int64_t window_offset(const Window *w, int64_t o, int64_t k)
{
    int64_t at = 0;
    for (int d = w->in.rank - 1; d >= 0; d--) {
        at += (o % w->out.dim[d] * w->stride[d] + k % w->size.dim[d] * w->dilation[d]) * w->step.step[d];
        o /= w->out.dim[d];
        k /= w->size.dim[d];
    }
    return at;
}

void eval_window_max(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    Window w = window_of(n, n->shape, n->in[0]->shape);
    int64_t count = shape_elements(w.out), size = shape_elements(w.size);
    for (int64_t o = 0; o < count; o++) {
        y[o] = -INFINITY;
        for (int64_t k = 0; k < size; k++) row_max(&y[o], 0, &x[0][window_offset(&w, o, k)], 0, 1);
    }
}

void eval_window_argmax(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    Window w = window_of(n, n->shape, n->in[0]->shape);
    int64_t count = shape_elements(w.out), size = shape_elements(w.size);
    for (int64_t o = 0; o < count; o++) {
        int64_t k = 0;
        while (k < size - 1 && x[0][window_offset(&w, o, k)] != x[1][o]) k++;
        y[o] = (double)k;
    }
}

void eval_window_unpool(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    Window w = window_of(n, n->in[0]->shape, n->shape);
    int64_t count = shape_elements(w.out);
    memset(y, 0, (size_t)shape_elements(n->shape) * sizeof *y);
    for (int64_t o = 0; o < count; o++) y[window_offset(&w, o, (int64_t)x[1][o])] += x[0][o];
}
