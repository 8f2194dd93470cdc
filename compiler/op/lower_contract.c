/* lower_contract.c -- sums of products: one kernel whose axes are the contraction's; for a long sum several, one after the other;
   several too where rows at the border see little but padding. */
#include "lower.h"

/* Of a sum over so many steps two vectors of an operand's columns are more than a panel: it goes in parts, where there are rows. PART_BYTES:
   of the second cache, for the operands of a part. */
enum { COLUMNS_LONG = 1 << 15, COLUMNS_PART = 20 << 10, SUM_PART = 2048, ROWS_LEAST = 16, PART_BYTES = 256 << 10 };

/* Rows go by what they see where there is so much to multiply, and so little of it is left. */
enum { TRIM_LEAST = 1 << 20 };
static const double TRIM_SHARE = 0.9;

/* The dimension that the axis is alone, with step 1; -1 when there is none. */
static int alone_in(const IndexMap *m, int axis)
{
    for (int d = 0; d < m->rank; d++)
        if (m->dim[d].n == 1 && m->dim[d].axis[0] == axis && m->dim[d].coef[0] == 1) return d;
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
            if (!done[x->axis[t]] && (best < 0 || x->coef[t] > x->coef[best])) best = t;
        if (best < 0) return;
        int axis = x->axis[best];
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

/* What the parts of a sum before this one came to is in `rest`; where this is not the last, it goes there too. All NULL and false: no parts. */
typedef struct Part { const char *suffix; Buffer *rest; bool adds, last; } Part;

static void lower_part(Lower *l, const Node *n, const Contract *c, const Part *part)
{
    Affine by[AXES_MAX], index[RANK_MAX];
    bool done[AXES_MAX] = { 0 };
    int order[RANK_MAX];
    Kernel *k = kernel_begin_part(l, n, part->suffix);
    k->reduce = REDUCE_sum;
    k->accumulate = part->adds && !part->last;
    stored_order(stored_buffer(l, n), order);
    for (int i = 0; i < c->out.rank; i++) add_out_axes(l, k, n, c, order[i], by, done);
    for (int i = 0; i < c->n_axes; i++)
        if (!done[i]) by[i] = kernel_axis(l, k, c->extent[i], reduce_axis_name(l, n, c, i), true);
    map_index(&c->a, by, index);
    Expr *a = lower_value(l, n->in[0], index);
    map_index(&c->b, by, index);
    Expr *b = lower_value(l, n->in[1], index);
    map_index(&c->out, by, index);
    kernel_end_sum(l, k, n, ex_binary(l->arena, EX_mul, a, b), index, part->rest, part->last);
}

/* The contraction over some steps of one axis. */
static Contract part_of(const Contract *c, int axis, int64_t from, int64_t steps)
{
    Contract part = *c;
    IndexMap *const map[] = { &part.a, &part.b, &part.out };
    for (size_t i = 0; i < LENGTH(map); i++)
        for (int d = 0; d < map[i]->rank; d++) map[i]->dim[d].offset += from * affine_coef(&map[i]->dim[d], axis);
    part.extent[axis] = steps;
    return part;
}

/* ---- long sums ---- */

/* How many elements of the result each element of an operand is for. */
static int64_t readers(const Contract *c, const IndexMap *operand)
{
    int64_t n = 1;
    for (int i = 0; i < c->n_axes; i++)
        if (anywhere_in(&c->out, i) >= 0 && anywhere_in(operand, i) < 0) n *= c->extent[i];
    return n;
}

/* A sum in parts of so many steps along an axis. */
typedef struct Parts { int axis; int64_t steps; } Parts;

static bool is_summed(const Contract *c, int axis) { return anywhere_in(&c->out, axis) < 0; }

/* Of pictures, even where the window is one element. */
static bool has_window(const Contract *c)
{
    bool any = false;
    for (int d = 0; d < c->a.rank; d++) any |= c->a.dim[d].n > 1;
    return any;
}

/* Samples of which the operands stay in the second cache while all tiles of the result go over them, where all samples do not, and
   where sums are small next to what is summed. Without windows, a vector that is a whole line of the cache needs no such care: a tile uses all that it reads. */
static bool find_samples(const Lower *l, const Node *n, const Contract *c, Parts *p)
{
    if (!l->options->lanes || (l->options->lanes >= LINE && !has_window(c))) return false;
    for (int i = 0; i < c->n_axes; i++) {
        if (!is_summed(c, i) || alone_in(&c->a, i) != 0 || alone_in(&c->b, i) != 0) continue;
        const int64_t sums = 4 * shape_elements(n->shape);
        const int64_t bytes = 4 * (shape_elements(n->in[0]->shape) + shape_elements(n->in[1]->shape)), samples = c->extent[i];
        p->axis = i;
        p->steps = samples * PART_BYTES / bytes;
        if (p->steps < 1) p->steps = 1;
        while (samples % p->steps) p->steps--;
        return bytes > 2 * PART_BYTES && 2 * sums <= bytes / samples * p->steps;
    }
    return false;
}

/* A param that is stored as its one reader takes it: what would be columns far apart is one stream. */
static bool is_stream(const Lower *l, const Node *n) { return l->options->alone && n->op == OP_param && fate_of(l, n)->users == 1; }

static bool find_parts(const Lower *l, const Node *n, const Contract *c, Parts *p)
{
    const int64_t lanes = l->options->lanes ? l->options->lanes : LINE, most = COLUMNS_PART / lanes < SUM_PART ? COLUMNS_PART / lanes : SUM_PART;
    if (readers(c, &c->a) < ROWS_LEAST || readers(c, &c->b) < ROWS_LEAST || is_stream(l, n->in[0]) || is_stream(l, n->in[1])) return false;
    for (p->axis = 0; p->axis < c->n_axes; p->axis++) {
        const int64_t extent = c->extent[p->axis], parts = (extent + most - 1) / most;
        if (extent * lanes <= COLUMNS_LONG || !is_summed(c, p->axis)) continue;
        p->steps = ((extent + parts - 1) / parts + LINE - 1) / LINE * LINE;
        return true;
    }
    return find_samples(l, n, c, p);
}

/* Where more is done with the sum, the last part does it. */
static void lower_steps(Lower *l, const Node *n, const Contract *c, const char *suffix, Beside *beside)
{
    Parts p;
    if (!find_parts(l, n, c, &p) || p.steps >= c->extent[p.axis]) {
        beside_samples(l, beside, n->in[1]->shape.dim[0]);
        lower_part(l, n, c, &(Part){ suffix, NULL, false, false });
        return;
    }
    Buffer *rest = fate_of(l, n)->end ? partial_buffer(l, n) : NULL;
    for (int64_t from = 0; from < c->extent[p.axis]; from += p.steps) {
        const int64_t left = c->extent[p.axis] - from, samples = n->in[1]->shape.dim[0];
        beside_samples(l, beside, alone_in(&c->b, p.axis) == 0 && left > p.steps ? from + p.steps : samples);
        const Contract part = part_of(c, p.axis, from, left < p.steps ? left : p.steps);
        lower_part(l, n, &part, &(Part){ from ? "_more" : suffix, rest, from > 0, rest && left <= p.steps });
    }
}

/* ---- rows that see less than the window ---- */

/* Rows of the result, and what of the window along them lies within what was padded. */
typedef struct Rows { int axis, window; int64_t low, high; const Affine *at; } Rows;

/* The first dimension of a padded operand along which a row of the result sees a window; false where there is none. */
static bool find_rows(const Node *n, const Contract *c, Rows *r)
{
    const Node *x = n->in[0];
    if (x->op != OP_pad || node_real(x, ATTR_value) != 0) return false;
    for (int d = 0; d < c->a.rank; d++) {
        *r = (Rows){ .axis = -1, .window = -1, .low = node_ints(x, ATTR_low)[d], .at = &c->a.dim[d] };
        r->high = r->low + x->in[0]->shape.dim[d];
        for (int t = 0; t < r->at->n; t++) *(anywhere_in(&c->out, r->at->axis[t]) >= 0 ? &r->axis : &r->window) = r->at->axis[t];
        if (r->at->n == 2 && r->axis >= 0 && r->window >= 0 && r->high - r->low < x->shape.dim[d]) return true;
    }
    return false;
}

/* Whether the step of the window sees more than padding from one of the rows [from, to). */
static bool sees(const Rows *r, int64_t from, int64_t to, int64_t step)
{
    int64_t first = r->at->offset + step * affine_coef(r->at, r->window), stride = affine_coef(r->at, r->axis);
    for (int64_t row = from; row < to; row++)
        if (first + row * stride >= r->low && first + row * stride < r->high) return true;
    return false;
}

/* The steps of the window that rows [from, to) need; at least one. */
static void window_of(const Rows *r, const Contract *c, int64_t from, int64_t to, int64_t *first, int64_t *steps)
{
    int64_t end = c->extent[r->window];
    for (*first = 0; *first < end - 1 && !sees(r, from, to, *first); ++*first) continue;
    while (end > *first + 1 && !sees(r, from, to, end - 1)) end--;
    *steps = end - *first;
}

/* The end of the rows that go together with row `from`: as many as see the whole window, others alone. */
static int64_t rows_end(const Rows *r, const Contract *c, int64_t from)
{
    const int64_t all = c->extent[r->axis];
    int64_t first, steps, to = from;
    do window_of(r, c, to, to + 1, &first, &steps);
    while (steps == c->extent[r->window] && ++to < all);
    return to > from ? to : from + 1;
}

/* The share of the multiplications that is left when rows go by what they see. */
static double share_left(const Rows *r, const Contract *c)
{
    int64_t first, steps, sum = 0;
    for (int64_t from = 0, to; from < c->extent[r->axis]; from = to) {
        to = rows_end(r, c, from);
        window_of(r, c, from, to, &first, &steps);
        sum += (to - from) * steps;
    }
    return (double)sum / (double)(c->extent[r->axis] * c->extent[r->window]);
}

static void lower_rows(Lower *l, const Node *n, const Contract *c, const Rows *r, Beside *beside)
{
    for (int64_t from = 0, to, first, steps; from < c->extent[r->axis]; from = to) {
        to = rows_end(r, c, from);
        window_of(r, c, from, to, &first, &steps);
        Contract rows = part_of(c, r->axis, from, to - from), part = part_of(&rows, r->window, first, steps);
        lower_steps(l, n, &part, from ? "_rows" : "", beside);
    }
}

void lower_contract(Lower *l, const Node *n)
{
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    Rows rows;
    Beside beside = beside_begin(l, n);
    int64_t steps = 1;
    for (int i = 0; i < c->n_axes; i++) steps *= c->extent[i];
    if (!covers(n, c)) kernel_fill(l, n, 0);
    if (steps >= TRIM_LEAST && find_rows(n, c, &rows) && share_left(&rows, c) <= TRIM_SHARE) lower_rows(l, n, c, &rows, &beside);
    else lower_steps(l, n, c, "", &beside);
    l->program->multiply_adds += steps;
}
