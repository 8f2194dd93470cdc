/* eval_contract.c -- the reference interpreter: contractions, with every index tested against its tensor. */
#include "eval.h"

#include <string.h>

/* One operand's place while the axes count: a linear offset, and the dimensions that may leave the tensor. */
typedef struct Track {
    int64_t at, step[AXES_MAX];
    int n;
    struct { int64_t at, step[AXES_MAX], size; } guard[RANK_MAX];
} Track;

static Track track_of(const IndexMap *map, Shape s, const Contract *c, const int *order)
{
    Track t = { 0 };
    Strides stride = eval_strides(s);
    for (int d = 0; d < map->rank; d++) {
        int64_t low, high;
        affine_range(&map->dim[d], c->extent, &low, &high);
        bool guarded = low < 0 || high >= s.dim[d];
        t.at += map->dim[d].offset * stride.step[d];
        t.guard[t.n].at = map->dim[d].offset;
        t.guard[t.n].size = s.dim[d];
        for (int i = 0; i < c->n_axes; i++) {
            int64_t coef = affine_coef(&map->dim[d], order[i]);
            t.step[i] += coef * stride.step[d];
            t.guard[t.n].step[i] = coef;
        }
        t.n += guarded;
    }
    return t;
}

static void track_move(Track *t, int axis, int64_t by)
{
    t->at += t->step[axis] * by;
    for (int k = 0; k < t->n; k++) t->guard[k].at += t->guard[k].step[axis] * by;
}

static int64_t floor_div(int64_t x, int64_t y)
{
    return x / y - (x % y < 0);
}

/* Narrows [*from, *to) of the axis to where every guarded dimension is inside. */
static void track_clip(const Track *t, int axis, int64_t *from, int64_t *to)
{
    for (int k = 0; k < t->n; k++) {
        int64_t at = t->guard[k].at, step = t->guard[k].step[axis], last = t->guard[k].size - 1;
        int64_t low = *from, high = *to - 1;
        if (step > 0) low = -floor_div(at, step), high = floor_div(last - at, step);
        else if (step < 0) low = -floor_div(last - at, -step), high = floor_div(at, -step);
        else if (at < 0 || at > last) high = low - 1;
        if (low > *from) *from = low;
        if (high + 1 < *to) *to = high + 1;
    }
}

/* The longest axis runs inside, so that tests and counting are rare. */
static void order_axes(const Contract *c, int *order)
{
    int inner = 0;
    for (int i = 1; i < c->n_axes; i++)
        if (c->extent[i] >= c->extent[inner]) inner = i;
    for (int i = 0, k = 0; i < c->n_axes; i++)
        if (i != inner) order[k++] = i;
    order[c->n_axes - 1] = inner;
}

static void contract_row(const Track *a, const Track *b, const Track *out, int axis, int64_t extent,
                         const double *x, const double *w, double *y)
{
    int64_t from = 0, to = extent, sa = a->step[axis], sb = b->step[axis], so = out->step[axis];
    track_clip(a, axis, &from, &to);
    track_clip(b, axis, &from, &to);
    track_clip(out, axis, &from, &to);
    if (from >= to) return;
    x += a->at + from * sa;
    w += b->at + from * sb;
    y += out->at + from * so;
    for (int64_t i = 0; i < to - from; i++) y[i * so] += x[i * sa] * w[i * sb];
}

void eval_contract(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    memset(y, 0, (size_t)shape_elements(n->shape) * sizeof *y);
    if (c->n_axes == 0) {
        y[0] = x[0][0] * x[1][0];
        return;
    }
    int order[AXES_MAX], last = c->n_axes - 1;
    order_axes(c, order);
    Track t[3] = { track_of(&c->a, n->in[0]->shape, c, order), track_of(&c->b, n->in[1]->shape, c, order),
                   track_of(&c->out, n->shape, c, order) };
    int64_t i[AXES_MAX] = { 0 };
    for (;;) {
        contract_row(&t[0], &t[1], &t[2], last, c->extent[order[last]], x[0], x[1], y);
        int d = last - 1;
        for (; d >= 0; d--) {
            bool wraps = ++i[d] == c->extent[order[d]];
            for (int k = 0; k < 3; k++) track_move(&t[k], d, wraps ? 1 - i[d] : 1);
            if (!wraps) break;
            i[d] = 0;
        }
        if (d < 0) return;
    }
}
