/* shape.c -- the shape rule of every operator: type, shape and batch of the result, or what is wrong.
   A rule also runs on graphs that were read from text, so it believes no attribute before it has looked at it. */
#include "winograd.h"

#include <string.h>

typedef const int64_t *Ints;

static const char *const too_large = "the result has more than 2^31 - 1 elements";

/* NULL unless the attribute is there with n integers in [low, high]. */
static Ints ints_within(const Node *n, AttrName name, int count, int64_t low, int64_t high)
{
    const Attr *attr = node_attr(n, name);
    if (!attr || attr->n != count || !attr->ints) return NULL;
    for (int i = 0; i < count; i++)
        if (attr->ints[i] < low || attr->ints[i] > high) return NULL;
    return attr->ints;
}

static const char *complain(Graph *g, const char *what, Shape x)
{
    return arena_printf(g->arena, "%s of %s", what, shape_text(g->arena, x));
}

/* The shape attribute as a shape. */
static bool shape_from_attr(const Node *n, Shape *s)
{
    const Attr *attr = node_attr(n, ATTR_shape);
    if (!attr || attr->n < 0 || attr->n > RANK_MAX || !ints_within(n, ATTR_shape, attr->n, 1, INT32_MAX)) return false;
    *s = (Shape){.rank = attr->n};
    for (int d = 0; d < s->rank; d++) s->dim[d] = attr->ints[d];
    return true;
}

static const char *result(Node *n, DType t, Shape s, bool batched)
{
    n->dtype = t;
    n->shape = s;
    n->batched = batched && s.rank;
    return shape_elements(s) < 0 ? too_large : NULL;
}

static bool any_batched(const Node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i]->batched) return true;
    return false;
}

/* ---- leaves: the shape is given ---- */

static const char *check_constant(const Node *n)
{
    const Attr *value = node_attr(n, ATTR_value), *data = node_attr(n, ATTR_data);
    if (n->dtype != DTYPE_f32) return "a constant is f32";
    if (!value == !data) return "a constant has either a value or data";
    if (value) return n->shape.rank ? "a number has rank 0: broadcast it" : NULL;
    return data->data && data->n == shape_elements(n->shape) ? NULL : "the data does not fill the shape";
}

static const char *check_iota(const Node *n)
{
    return n->dtype == DTYPE_f32 && ints_within(n, ATTR_axis, 1, 0, n->shape.rank - 1) ? NULL : "no such axis";
}

const char *shape_leaf(Graph *g, Node *n)
{
    Shape s = n->shape;
    if (s.rank < 0 || s.rank > RANK_MAX) return "the rank is out of range";
    for (int d = 0; d < s.rank; d++)
        if (s.dim[d] < 1) return "a dimension is below 1";
    if (shape_elements(s) < 0) return "it has more than 2^31 - 1 elements";
    if (n->batched && (!s.rank || s.dim[0] != g->batch)) return "dimension 0 is not the batch";
    bool named = n->op == OP_input || n->op == OP_param || n->op == OP_state || n->op == OP_scalar;
    if (named && (!n->name || !*n->name)) return "it needs a name";
    if (n->op == OP_scalar && (s.rank || n->dtype != DTYPE_f32)) return "a scalar is f32 of rank 0";
    if (n->op == OP_param && n->batched) return "it is not batched";
    if ((n->op == OP_param || n->op == OP_state) && n->dtype != DTYPE_f32) return "it is f32";
    if (n->op == OP_random && (n->dtype != DTYPE_f32 || !ints_within(n, ATTR_key, 1, 0, UINT32_MAX)))
        return "it needs a key below 2^32";
    if (n->op == OP_iota) return check_iota(n);
    return n->op == OP_constant ? check_constant(n) : NULL;
}

/* ---- elementwise ---- */

static bool moves_any_type(Op op) { return op == OP_copy || op == OP_stop_gradient; }

const char *shape_unary(Graph *g, Node *n)
{
    (void)g;
    const Node *x = n->in[0];
    if (x->dtype != DTYPE_f32 && !moves_any_type(n->op)) return "the operand is not f32: cast it";
    return result(n, x->dtype, x->shape, x->batched);
}

static const char *elementwise(Graph *g, Node *n)
{
    for (int i = 0; i < n->n_in; i++) {
        const Node *x = n->in[i];
        if (x->dtype != DTYPE_f32) return "an operand is not f32: cast it";
        if (!shape_equal(x->shape, n->in[0]->shape))
            return arena_printf(g->arena, "shapes differ: %s and %s", shape_text(g->arena, n->in[0]->shape),
                                shape_text(g->arena, x->shape));
    }
    return result(n, DTYPE_f32, n->in[0]->shape, any_batched(n));
}

const char *shape_binary(Graph *g, Node *n) { return elementwise(g, n); }
const char *shape_where(Graph *g, Node *n) { return elementwise(g, n); }

/* The type is the node's own, set by who made it. */
const char *shape_cast(Graph *g, Node *n)
{
    (void)g;
    return result(n, n->dtype, n->in[0]->shape, n->in[0]->batched);
}

/* ---- reductions ---- */

/* Strictly increasing dimensions of x. */
static Ints axes_of(const Node *n, const Node *x, int *count)
{
    const Attr *attr = node_attr(n, ATTR_axes);
    if (!attr || attr->n < 1 || !ints_within(n, ATTR_axes, attr->n, 0, x->shape.rank - 1)) return NULL;
    for (int i = 1; i < attr->n; i++)
        if (attr->ints[i] <= attr->ints[i - 1]) return NULL;
    *count = attr->n;
    return attr->ints;
}

const char *shape_reduce(Graph *g, Node *n)
{
    const Node *x = n->in[0];
    int count;
    Ints axes = axes_of(n, x, &count);
    if (x->dtype != DTYPE_f32) return "the operand is not f32: cast it";
    if (!axes) return complain(g, "no such axes", x->shape);
    Shape s = {0};
    for (int d = 0, i = 0; d < x->shape.rank; d++) {
        if (i < count && axes[i] == d) i++;
        else s.dim[s.rank++] = x->shape.dim[d];
    }
    return result(n, DTYPE_f32, s, x->batched && axes[0] != 0);
}

/* Terms sorted by axis within range, no coefficient 0; numbers small enough that no later arithmetic overflows. */
static bool affine_fits(const Affine *x, int n_axes, unsigned *used)
{
    const int64_t limit = INT32_MAX;
    if (x->n < 0 || x->n > AFFINE_TERMS || x->offset < -limit || x->offset > limit) return false;
    for (int i = 0; i < x->n; i++) {
        int axis = x->axis[i], before = i ? x->axis[i - 1] : -1;
        int64_t coef = x->coef[i];
        if (axis <= before || axis >= n_axes || !coef || coef < -limit || coef > limit) return false;
        *used |= 1u << axis;
    }
    return true;
}

static bool map_fits(const IndexMap *m, int rank, int n_axes, unsigned *used)
{
    if (m->rank != rank) return false;
    for (int d = 0; d < rank; d++)
        if (!affine_fits(&m->dim[d], n_axes, used)) return false;
    return true;
}

static const char *check_contract(const Node *n, const Contract *c)
{
    unsigned used = 0;
    if (n->in[0]->dtype != DTYPE_f32 || n->in[1]->dtype != DTYPE_f32) return "an operand is not f32: cast it";
    if (c->n_axes < 0 || c->n_axes > AXES_MAX) return "too many axes";
    int64_t steps = 1;
    for (int i = 0; i < c->n_axes; i++)
        if (c->extent[i] < 1 || c->extent[i] > INT32_MAX || __builtin_mul_overflow(steps, c->extent[i], &steps))
            return "an axis has an impossible extent";
    if (c->shape.rank < 0 || c->shape.rank > RANK_MAX) return "the rank of the result is out of range";
    for (int d = 0; d < c->shape.rank; d++)
        if (c->shape.dim[d] < 1) return "a dimension of the result is below 1";
    if (!map_fits(&c->a, n->in[0]->shape.rank, c->n_axes, &used)) return "the map of a does not fit a";
    if (!map_fits(&c->b, n->in[1]->shape.rank, c->n_axes, &used)) return "the map of b does not fit b";
    if (!map_fits(&c->out, c->shape.rank, c->n_axes, &used)) return "the map of the result does not fit it";
    return used == (1u << c->n_axes) - 1 ? NULL : "an axis is in no map";
}

/* The axis that dimension 0 of the map is, alone; -1 when there is none. */
static int leading_axis(const IndexMap *m)
{
    if (!m->rank) return -1;
    const Affine *x = &m->dim[0];
    return x->n == 1 && x->coef[0] == 1 && !x->offset ? x->axis[0] : -1;
}

const char *shape_contract(Graph *g, Node *n)
{
    const Attr *attr = node_attr(n, ATTR_contract);
    const Contract *c = attr ? attr->contract : NULL;
    const char *wrong = c ? check_contract(n, c) : "it needs its index maps";
    if (wrong) return wrong;
    int axis = leading_axis(&c->out);
    bool leads = (n->in[0]->batched && leading_axis(&c->a) == axis) || (n->in[1]->batched && leading_axis(&c->b) == axis);
    bool batched = axis >= 0 && leads && c->extent[axis] == g->batch && c->shape.dim[0] == g->batch;
    return result(n, DTYPE_f32, c->shape, batched);
}

/* x: [n, in, y, x] with all that the tiles read; w: [i, j, groups, out in a group, in]; the result's shape is given. */
const char *shape_winograd(Graph *g, Node *n)
{
    const Node *x = n->in[0], *w = n->in[1];
    Ints tile = ints_within(n, ATTR_tile, 1, 2, 4);
    const Winograd *form = tile ? winograd_form(*tile) : NULL;
    Shape s;
    (void)g;
    if (!form) return "a tile is 2 or 4";
    if (x->dtype != DTYPE_f32 || w->dtype != DTYPE_f32) return "an operand is not f32: cast it";
    if (x->shape.rank != 4 || w->shape.rank != 5 || !shape_from_attr(n, &s) || s.rank != 4) return "a tensor has a wrong rank";
    if (w->shape.dim[0] != form->size || w->shape.dim[1] != form->size) return "the weights are transformed for another tile";
    if (w->shape.dim[2] * w->shape.dim[3] != s.dim[1] || w->shape.dim[4] != x->shape.dim[1] || s.dim[0] != x->shape.dim[0])
        return "the channels or the samples do not agree";
    for (int d = 2; d < 4; d++)
        if (x->shape.dim[d] < winograd_tiles(form, s.dim[d]) * form->tile + WINOGRAD_KERNEL - 1) return "tiles reach out of the operand";
    return result(n, DTYPE_f32, s, x->batched);
}

/* x: [n, in, y, x] with all that the tiles read; dy: [n, out, y, x]. */
const char *shape_winograd_weights(Graph *g, Node *n)
{
    const Node *x = n->in[0], *dy = n->in[1];
    Ints tile = ints_within(n, ATTR_tile, 1, 2, 4);
    const Winograd *form = tile ? winograd_form(*tile) : NULL;
    (void)g;
    if (!form) return "a tile is 2 or 4";
    if (x->dtype != DTYPE_f32 || dy->dtype != DTYPE_f32) return "an operand is not f32: cast it";
    if (x->shape.rank != 4 || dy->shape.rank != 4) return "a tensor has a wrong rank";
    if (dy->shape.dim[0] != x->shape.dim[0]) return "the samples do not agree";
    for (int d = 2; d < 4; d++)
        if (x->shape.dim[d] < winograd_tiles(form, dy->shape.dim[d]) * form->tile + WINOGRAD_KERNEL - 1) return "tiles reach out of the operand";
    return result(n, DTYPE_f32, (Shape){ 4, { form->size, form->size, dy->shape.dim[1], x->shape.dim[1] } }, false);
}

/* Shape of windows over x, from the window's attributes. */
static bool windows_over(const Node *n, Shape x, Shape *windows)
{
    Ints window = ints_within(n, ATTR_window, x.rank, 1, INT32_MAX);
    Ints stride = ints_within(n, ATTR_stride, x.rank, 1, INT32_MAX);
    Ints dilation = ints_within(n, ATTR_dilation, x.rank, 1, INT32_MAX);
    if (!window || !stride || !dilation) return false;
    *windows = (Shape){.rank = x.rank};
    for (int d = 0; d < x.rank; d++) {
        int64_t left = x.dim[d] - (window[d] - 1) * dilation[d] - 1;
        if (left < 0) return false;
        windows->dim[d] = left / stride[d] + 1;
    }
    return true;
}

const char *shape_window(Graph *g, Node *n)
{
    const Node *x = n->in[0];
    Shape s;
    if (x->dtype != DTYPE_f32) return "the operand is not f32: cast it";
    if (!windows_over(n, x->shape, &s)) return complain(g, "the window does not lie inside the operand,", x->shape);
    return result(n, DTYPE_f32, s, x->batched && s.rank && s.dim[0] == x->shape.dim[0]);
}

const char *shape_window_arg(Graph *g, Node *n)
{
    const Node *y = n->in[1];
    const char *wrong = shape_window(g, n);
    if (wrong) return wrong;
    if (y->dtype != DTYPE_f32 || !shape_equal(n->shape, y->shape)) return "the second operand is not the maximum";
    return result(n, DTYPE_i32, y->shape, n->batched);
}

const char *shape_window_unpool(Graph *g, Node *n)
{
    const Node *dy = n->in[0], *argmax = n->in[1];
    Shape x, windows;
    (void)g;
    if (dy->dtype != DTYPE_f32 || argmax->dtype != DTYPE_i32 || !shape_equal(dy->shape, argmax->shape))
        return "it takes a gradient in f32 and places in i32, of equal shapes";
    if (!shape_from_attr(n, &x)) return "it needs the shape of what was pooled";
    if (node_attr(n, ATTR_window) && (!windows_over(n, x, &windows) || !shape_equal(windows, dy->shape)))
        return "the windows over its shape are not those of the gradient";
    return result(n, DTYPE_f32, x, dy->batched && x.rank && x.dim[0] == dy->shape.dim[0]);
}

/* ---- rows: the index's dimensions stand for the first one of the table ---- */

enum { ROWS_MAX = 1 << 24 };       /* an index is exact in f32 */

/* Whether `rows` has the shape of those that `index` names in a table of that shape. */
static bool rows_of(Shape table, Shape index, Shape *rows)
{
    *rows = index;
    if (!table.rank || table.dim[0] > ROWS_MAX || index.rank + table.rank - 1 > RANK_MAX) return false;
    for (int d = 1; d < table.rank; d++) rows->dim[rows->rank++] = table.dim[d];
    return true;
}

const char *shape_gather(Graph *g, Node *n)
{
    const Node *table = n->in[0], *index = n->in[1];
    Shape s;
    if (table->dtype != DTYPE_f32) return "the table is not f32: cast it";
    if (index->dtype == DTYPE_f32) return "the index is not an integer: cast it";
    if (!rows_of(table->shape, index->shape, &s)) return complain(g, "no rows, more than 2^24, or too many dimensions: rows", table->shape);
    return result(n, DTYPE_f32, s, index->batched);
}

const char *shape_scatter_add(Graph *g, Node *n)
{
    const Node *x = n->in[0], *index = n->in[1];
    Shape table, s;
    if (x->dtype != DTYPE_f32 || index->dtype == DTYPE_f32) return "it takes rows in f32 and an index in whole numbers";
    if (!shape_from_attr(n, &table)) return "it needs the shape of the table";
    if (!rows_of(table, index->shape, &s) || !shape_equal(s, x->shape)) return complain(g, "no such rows of a table", table);
    return result(n, DTYPE_f32, table, false);
}

/* ---- movement: the type stays ---- */

/* Who makes the node may know that dimension 0 is the batch where the rule does not see it. */
const char *shape_reshape(Graph *g, Node *n)
{
    const Node *x = n->in[0];
    Shape s;
    if (!shape_from_attr(n, &s) || shape_elements(s) != shape_elements(x->shape))
        return complain(g, "another number of elements than that", x->shape);
    bool known = n->batched && s.rank && s.dim[0] == g->batch;
    return result(n, x->dtype, s, known || (x->batched && s.rank && s.dim[0] == x->shape.dim[0]));
}

const char *shape_transpose(Graph *g, Node *n)
{
    const Node *x = n->in[0];
    Ints axes = ints_within(n, ATTR_axes, x->shape.rank, 0, x->shape.rank - 1);
    Shape s = {.rank = x->shape.rank};
    unsigned used = 0;
    for (int d = 0; axes && d < s.rank; d++) {
        used |= 1u << axes[d];
        s.dim[d] = x->shape.dim[axes[d]];
    }
    if (used != (1u << s.rank) - 1) return complain(g, "axes are not a permutation of those", x->shape);
    return result(n, x->dtype, s, x->batched && axes[0] == 0);
}

const char *shape_broadcast(Graph *g, Node *n)
{
    const Node *x = n->in[0];
    Shape s;
    if (!shape_from_attr(n, &s)) return "it needs a shape";
    Ints axes = ints_within(n, ATTR_axes, x->shape.rank, 0, s.rank - 1);
    if (!axes) return complain(g, "it needs an axis for each dimension", x->shape);
    for (int d = 0; d < x->shape.rank; d++)
        if ((d && axes[d] <= axes[d - 1]) || s.dim[axes[d]] != x->shape.dim[d])
            return arena_printf(g->arena, "%s does not broadcast to %s", shape_text(g->arena, x->shape),
                                shape_text(g->arena, s));
    if (n->batched && (!s.rank || s.dim[0] != g->batch)) return "dimension 0 is not the batch";
    return result(n, x->dtype, s, n->batched);
}

const char *shape_slice(Graph *g, Node *n)
{
    const Node *x = n->in[0];
    Ints start = ints_within(n, ATTR_start, x->shape.rank, 0, INT32_MAX);
    Shape s;
    if (!start || !shape_from_attr(n, &s) || s.rank != x->shape.rank) return complain(g, "it needs a box", x->shape);
    for (int d = 0; d < s.rank; d++)
        if (start[d] + s.dim[d] > x->shape.dim[d]) return complain(g, "the box is not inside that", x->shape);
    return result(n, x->dtype, s, x->batched && s.dim[0] == x->shape.dim[0]);
}

const char *shape_reverse(Graph *g, Node *n)
{
    const Node *x = n->in[0];
    int count;
    Ints axes = axes_of(n, x, &count);
    if (!axes) return complain(g, "no such axes", x->shape);
    return result(n, x->dtype, x->shape, x->batched && axes[0] != 0);
}

const char *shape_pad(Graph *g, Node *n)
{
    const Node *x = n->in[0];
    Ints low = ints_within(n, ATTR_low, x->shape.rank, 0, INT32_MAX);
    Ints high = ints_within(n, ATTR_high, x->shape.rank, 0, INT32_MAX);
    if (!low || !high || !node_attr(n, ATTR_value)) return complain(g, "it needs low, high and value for each", x->shape);
    Shape s = x->shape;
    for (int d = 0; d < s.rank; d++) s.dim[d] += low[d] + high[d];
    return result(n, x->dtype, s, x->batched && !low[0] && !high[0]);
}

static bool equal_except(Shape a, Shape b, int axis)
{
    if (a.rank != b.rank) return false;
    b.dim[axis] = a.dim[axis];
    return shape_equal(a, b);
}

const char *shape_concat(Graph *g, Node *n)
{
    if (n->n_in < 1) return "it needs an operand";
    Shape s = n->in[0]->shape;
    Ints axis = ints_within(n, ATTR_axis, 1, 0, s.rank - 1);
    if (!axis) return complain(g, "no such axis", s);
    for (int i = 1; i < n->n_in; i++) {
        const Node *x = n->in[i];
        if (x->dtype != n->in[0]->dtype || !equal_except(s, x->shape, (int)*axis))
            return complain(g, "the operands differ beyond the axis from that", n->in[0]->shape);
        s.dim[*axis] += x->shape.dim[*axis];
        if (s.dim[*axis] > INT32_MAX) return too_large;
    }
    return result(n, n->in[0]->dtype, s, *axis != 0 && any_batched(n));
}
