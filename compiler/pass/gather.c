/* gather.c -- makes every contraction gather: it writes each element of its result once, in plain order, and reads
   inside its operands.

   Data gradients of convolutions, and transposed convolutions, scatter: out[s o + d k + c] += a[o] b[k]. Solved for o,
   result element i gathers from a[(i - d k - c) / s]. With s > 1 only some k fit each i mod s: each residue (a phase)
   is a contraction of its own over just those k, and the phases are interleaved. */
#include "pass.h"

/* ---- substitution ---- */

static void map_substitute(IndexMap *map, int axis, const Affine *by)
{
    for (int d = 0; d < map->rank; d++) {
        int64_t coef = affine_coef(&map->dim[d], axis);
        if (!coef) continue;
        Affine rest = affine_add(map->dim[d], affine_scale(affine_axis(axis), -coef));
        map->dim[d] = affine_add(rest, affine_scale(*by, coef));
    }
}

static void contract_substitute(Contract *c, int axis, Affine by)
{
    IndexMap *const map[] = { &c->a, &c->b, &c->out };
    for (size_t i = 0; i < LENGTH(map); i++) map_substitute(map[i], axis, &by);
}

/* Takes out an axis that no map uses. */
static void contract_drop_axis(Contract *c, int axis)
{
    IndexMap *const map[] = { &c->a, &c->b, &c->out };
    for (size_t i = 0; i < LENGTH(map); i++)
        for (int d = 0; d < map[i]->rank; d++)
            for (int t = 0; t < map[i]->dim[d].n; t++)
                if (map[i]->dim[d].axis[t] > axis) map[i]->dim[d].axis[t]--;
    for (int k = axis; k < c->n_axes - 1; k++) c->extent[k] = c->extent[k + 1];
    c->n_axes--;
}

static int dims_using(const IndexMap *map, int axis)
{
    int n = 0;
    for (int d = 0; d < map->rank; d++) n += affine_coef(&map->dim[d], axis) != 0;
    return n;
}

static bool is_plain(const Contract *c, int d)
{
    const Affine *x = &c->out.dim[d];
    return x->n == 1 && x->coef[0] == 1 && x->offset == 0 && c->extent[x->axis[0]] == c->shape.dim[d] &&
           dims_using(&c->out, x->axis[0]) == 1;
}

/* ---- reading inside the operands ---- */

/* Pads x by what the maps of all n contractions need together, and shifts the maps. */
static Node *pad_operand(Graph *g, Node *x, Contract *c, int n, bool first)
{
    int64_t low[RANK_MAX] = { 0 }, high[RANK_MAX] = { 0 };
    for (int i = 0; i < n; i++) {
        IndexMap *map = first ? &c[i].a : &c[i].b;
        for (int d = 0; d < map->rank; d++) {
            int64_t from, to;
            affine_range(&map->dim[d], c[i].extent, &from, &to);
            if (-from > low[d]) low[d] = -from;
            if (to >= x->shape.dim[d] + high[d]) high[d] = to - x->shape.dim[d] + 1;
        }
    }
    for (int i = 0; i < n; i++) {
        IndexMap *map = first ? &c[i].a : &c[i].b;
        for (int d = 0; d < map->rank; d++) map->dim[d].offset += low[d];
    }
    return node_pad(g, x, low, high, 0);
}

static Node *contract_inside(Graph *g, Node *x, Node *w, Contract c)
{
    for (int d = 0; d < c.out.rank; d++)
        if (!is_plain(&c, d)) internal_error("gather", "dimension %d of the result still scatters", d);
    x = pad_operand(g, x, &c, 1, true);
    w = pad_operand(g, w, &c, 1, false);
    return node_contract(g, x, w, &c);
}

/* ---- dimensions of the result that do not scatter, but are not plain ---- */

static Node *gathered(Graph *g, Node *x, Node *w, Contract c);

static bool leads(const IndexMap *map, const Affine *first)
{
    return map->rank && affine_equal(&map->dim[0], first);
}

/* The result where nothing is written: batched as the contraction's would be. */
static Node *zeros(Graph *g, Shape s, const Node *x, const Node *w, const Contract *c)
{
    bool plain = s.rank && s.dim[0] == g->batch && c->out.dim[0].n == 1 && c->out.dim[0].coef[0] == 1 &&
                 c->out.dim[0].offset == 0;
    bool batched = plain &&
                   ((x->batched && leads(&c->a, &c->out.dim[0])) || (w->batched && leads(&c->b, &c->out.dim[0])));
    return node_fill(g, 0, s, batched);
}

/* y stands at [at, at + its size) of dimension d, which has `size` elements. */
static Node *place(Graph *g, Node *y, int d, int64_t at, int64_t size)
{
    int64_t low[RANK_MAX] = { 0 }, high[RANK_MAX] = { 0 };
    low[d] = at;
    high[d] = size - at - y->shape.dim[d];
    return node_pad(g, y, low, high, 0);
}

/* out[c]: the contraction without the dimension, put at its one place. */
static Node *gather_fixed(Graph *g, Node *x, Node *w, Contract c, int d)
{
    const int64_t at = c.out.dim[d].offset, size = c.shape.dim[d];
    Shape one = c.shape;
    if (at < 0 || at >= size) return zeros(g, c.shape, x, w, &c);
    one.dim[d] = 1;
    c.out.rank--;
    c.shape.rank--;
    for (int k = d; k < c.out.rank; k++) {
        c.out.dim[k] = c.out.dim[k + 1];
        c.shape.dim[k] = c.shape.dim[k + 1];
    }
    return place(g, node_reshape(g, gathered(g, x, w, c), one), d, at, size);
}

/* out[o + c]: only the o that hit the result, put where they hit. */
static Node *gather_shifted(Graph *g, Node *x, Node *w, Contract c, int d)
{
    const int axis = c.out.dim[d].axis[0];
    const int64_t offset = c.out.dim[d].offset, size = c.shape.dim[d];
    const int64_t from = offset < 0 ? -offset : 0;
    const int64_t to = c.extent[axis] + offset > size ? size - offset : c.extent[axis];
    if (from >= to) return zeros(g, c.shape, x, w, &c);
    contract_substitute(&c, axis, affine_add(affine_axis(axis), affine_constant(from)));
    c.out.dim[d] = affine_axis(axis);
    c.extent[axis] = c.shape.dim[d] = to - from;
    return place(g, gathered(g, x, w, c), d, from + offset, size);
}

/* The axes of a dimension that counts them like digits (out = group size * group + channel), most significant first;
   0 when it does not. */
static int digits_of(const Contract *c, int d, int *axis)
{
    const Affine *x = &c->out.dim[d];
    int64_t weight = 1;
    if (x->offset || x->n < 2 || c->out.rank + x->n - 1 > RANK_MAX) return 0;
    for (int i = x->n - 1; i >= 0; i--) {
        int t = 0;
        while (t < x->n && x->coef[t] != weight) t++;
        if (t == x->n || dims_using(&c->out, x->axis[t]) != 1) return 0;
        axis[i] = x->axis[t];
        weight *= c->extent[axis[i]];
        if (c->extent[axis[i]] == 1) return 0;
    }
    return weight == c->shape.dim[d] ? x->n : 0;
}

/* A dimension for each digit, merged by a reshape. */
static Node *gather_digits(Graph *g, Node *x, Node *w, Contract c, int d, const int *axis, int n)
{
    const Shape merged = c.shape;
    for (int k = c.out.rank - 1; k > d; k--) {
        c.out.dim[k + n - 1] = c.out.dim[k];
        c.shape.dim[k + n - 1] = c.shape.dim[k];
    }
    for (int i = 0; i < n; i++) {
        c.out.dim[d + i] = affine_axis(axis[i]);
        c.shape.dim[d + i] = c.extent[axis[i]];
    }
    c.out.rank += n - 1;
    c.shape.rank += n - 1;
    return node_reshape(g, gathered(g, x, w, c), merged);
}

/* What always works: the sum over the values of one axis. */
static Node *gather_unrolled(Graph *g, Node *x, Node *w, Contract c, int axis)
{
    Node *sum = NULL;
    for (int64_t i = 0; i < c.extent[axis]; i++) {
        Contract at = c;
        contract_substitute(&at, axis, affine_constant(i));
        contract_drop_axis(&at, axis);
        Node *y = gathered(g, x, w, at);
        sum = sum ? node_binary(g, OP_add, sum, y) : y;
    }
    return sum;
}

/* ---- dimensions that scatter ---- */

/* out = stride * solved + (terms whose coefficient the stride divides) + (at most one other term, `picked`) + offset */
typedef struct Scatter {
    int dim, solved, picked;       /* picked: an axis or -1 */
    int64_t stride;
} Scatter;

/* The operand that has a dimension indexed by the axis alone: outside the axis' range it reads 0, once no longer than it. */
static int reader_of(const Contract *c, int axis, int *operand)
{
    const IndexMap *const map[] = { &c->a, &c->b };
    for (*operand = 0; *operand < 2; ++*operand)
        for (int d = 0; d < map[*operand]->rank; d++) {
            const Affine *x = &map[*operand]->dim[d];
            if (x->n == 1 && x->offset == 0 && x->coef[0] == 1 && x->axis[0] == axis) return d;
        }
    return -1;
}

/* Solves for the axis that makes the fewest multiplications. False when no axis will do. */
static bool scatter_of(const Contract *c, int d, Scatter *s)
{
    const Affine *x = &c->out.dim[d];
    int64_t best = 0;
    *s = (Scatter){ .dim = d, .picked = -1 };
    for (int t = 0; t < x->n; t++) {
        int axis = x->axis[t], operand;
        int64_t covers = x->coef[t] * c->extent[axis];
        if (covers <= best || dims_using(&c->out, axis) != 1 || reader_of(c, axis, &operand) < 0) continue;
        best = covers;
        s->solved = axis;
        s->stride = x->coef[t];
    }
    if (!best) return false;
    for (int t = 0; t < x->n; t++) {
        if (x->coef[t] % s->stride == 0) continue;
        if (s->picked >= 0 || dims_using(&c->out, x->axis[t]) != 1) return false;
        s->picked = x->axis[t];
    }
    return true;
}

/* Where the solved axis is out of range its reader must read 0: nothing may follow in that dimension. */
static void bound_reader(Graph *g, Node **x, Node **w, const Contract *c, int axis)
{
    static const int64_t start[RANK_MAX] = { 0 };
    int operand, d = reader_of(c, axis, &operand);
    Node **read = operand ? w : x;
    Shape s = (*read)->shape;
    if (s.dim[d] <= c->extent[axis]) return;
    s.dim[d] = c->extent[axis];
    *read = node_slice(g, *read, start, s);
}

static int64_t ceil_div(int64_t x, int64_t y) { return (x + y - 1) / y; }

/* The contraction for result elements i = stride j + phase, j in place of the solved axis. False when no element of the
   picked axis fits: the phase is 0. */
static bool gather_phase(Contract *c, const Scatter *s, int64_t phase)
{
    const int j = s->solved;
    if (s->picked >= 0) {
        int64_t coef = affine_coef(&c->out.dim[s->dim], s->picked), first = 0, every = 1;
        while (every * coef % s->stride) every++;
        while (first < every && (coef * first + c->out.dim[s->dim].offset - phase) % s->stride) first++;
        if (first == every || first >= c->extent[s->picked]) return false;
        contract_substitute(c, s->picked, affine_add(affine_scale(affine_axis(s->picked), every), affine_constant(first)));
        c->extent[s->picked] = ceil_div(c->extent[s->picked] - first, every);
    }
    Affine rest = affine_add(c->out.dim[s->dim], affine_scale(affine_axis(j), -s->stride));
    if ((rest.offset - phase) % s->stride) return false;
    Affine by = affine_axis(j);
    for (int t = 0; t < rest.n; t++)
        by = affine_add(by, affine_scale(affine_axis(rest.axis[t]), -rest.coef[t] / s->stride));
    by.offset = (phase - rest.offset) / s->stride;
    map_substitute(&c->a, j, &by);
    map_substitute(&c->b, j, &by);
    c->out.dim[s->dim] = affine_axis(j);
    c->extent[j] = c->shape.dim[s->dim] = ceil_div(c->shape.dim[s->dim], s->stride);
    return true;
}

/* phase[p], p = row-major over the strides, holds elements j * stride + residue of each scattered dimension. */
static Node *interleave(Graph *g, Node **phase, int n_phases, const Scatter *s, int n, Shape whole)
{
    if (n_phases == 1) return phase[0];
    static const int64_t start[RANK_MAX] = { 0 };
    Shape stack = phase[0]->shape, merged = whole;
    const int rank = whole.rank;
    stack.dim[stack.rank++] = 1;
    for (int p = 0; p < n_phases; p++) phase[p] = node_reshape(g, phase[p], stack);
    Node *y = node_concat(g, phase, n_phases, rank);
    int64_t axes[RANK_MAX];
    int n_axes = 0, extra[RANK_MAX] = { 0 };
    stack.rank = rank;
    for (int i = 0; i < n; i++) {
        if (s[i].stride == 1) continue;
        extra[s[i].dim] = stack.rank;
        merged.dim[s[i].dim] = stack.dim[s[i].dim] * s[i].stride;
        stack.dim[stack.rank++] = s[i].stride;
    }
    for (int d = 0; d < rank; d++) {
        axes[n_axes++] = d;
        if (extra[d]) axes[n_axes++] = extra[d];
    }
    y = node_reshape(g, node_transpose(g, node_reshape(g, y, stack), axes), merged);
    return shape_equal(merged, whole) ? y : node_slice(g, y, start, whole);
}

static Node *gather_scattered(Graph *g, Node *x, Node *w, const Contract *c, const Scatter *s, int n)
{
    int n_phases = 1, n_found = 0;
    for (int i = 0; i < n; i++) {
        n_phases *= (int)s[i].stride;
        bound_reader(g, &x, &w, c, s[i].solved);
    }
    Contract *found = NEW_ARRAY(g->arena, Contract, n_phases);
    bool *exists = NEW_ARRAY(g->arena, bool, n_phases);
    Shape part = c->shape;
    for (int i = 0; i < n; i++) part.dim[s[i].dim] = ceil_div(part.dim[s[i].dim], s[i].stride);
    for (int p = 0; p < n_phases; p++) {
        int64_t left = p;
        Contract *at = &found[n_found];
        *at = *c;
        exists[p] = true;
        for (int i = n - 1; i >= 0; i--) {
            exists[p] = exists[p] && gather_phase(at, &s[i], left % s[i].stride);
            left /= s[i].stride;
        }
        n_found += exists[p];
    }
    x = pad_operand(g, x, found, n_found, true);
    w = pad_operand(g, w, found, n_found, false);
    Node **phase = NEW_ARRAY(g->arena, Node *, n_phases);
    for (int p = 0, k = 0; p < n_phases; p++)
        phase[p] = exists[p] ? contract_inside(g, x, w, found[k++]) : zeros(g, part, x, w, c);
    return interleave(g, phase, n_phases, s, n, c->shape);
}

/* Interleaving needs a dimension for each stride, and a text that is not endless. */
static bool can_interleave(const Contract *c, const Scatter *s, int n)
{
    int64_t phases = 1;
    int rank = c->shape.rank;
    for (int i = 0; i < n; i++) {
        phases *= s[i].stride;
        rank += s[i].stride > 1;
        if (phases > 1024) return false;
    }
    return rank <= RANK_MAX;
}

static int shortest_axis(const Contract *c, int d)
{
    const Affine *x = &c->out.dim[d];
    int axis = x->axis[0];
    for (int t = 1; t < x->n; t++)
        if (c->extent[x->axis[t]] < c->extent[axis]) axis = x->axis[t];
    return axis;
}

/* Axes of one value that a result dimension has beside others: they would pass for strides. */
static void drop_single_axes(Contract *c)
{
    for (int axis = c->n_axes - 1; axis >= 0; axis--) {
        bool alone = dims_using(&c->out, axis) == 1;
        for (int d = 0; d < c->out.rank; d++) alone &= !affine_coef(&c->out.dim[d], axis) || c->out.dim[d].n == 1;
        if (c->extent[axis] > 1 || alone) continue;
        contract_substitute(c, axis, affine_constant(0));
        contract_drop_axis(c, axis);
    }
}

/* The contraction as nodes of which each gathers. */
static Node *gathered(Graph *g, Node *x, Node *w, Contract c)
{
    Scatter s[RANK_MAX];
    int n = 0, digits, axis[AFFINE_TERMS];
    drop_single_axes(&c);
    for (int d = 0; d < c.out.rank; d++) {
        const Affine *o = &c.out.dim[d];
        if (is_plain(&c, d)) continue;
        if (o->n == 0) return gather_fixed(g, x, w, c, d);
        if (o->n == 1 && o->coef[0] == 1 && dims_using(&c.out, o->axis[0]) == 1)
            return gather_shifted(g, x, w, c, d);
        if ((digits = digits_of(&c, d, axis)) > 0) return gather_digits(g, x, w, c, d, axis, digits);
        if (!scatter_of(&c, d, &s[n]) || !can_interleave(&c, s, n + 1))
            return gather_unrolled(g, x, w, c, shortest_axis(&c, d));
        n++;
    }
    return n ? gather_scattered(g, x, w, &c, s, n) : contract_inside(g, x, w, c);
}

/* needs: nothing; leaves: contractions whose result maps are distinct axes covering it, and that read inside. */
void pass_gather(Graph *g, const PassContext *context)
{
    (void)context;
    const int n_nodes = g->node.n;
    for (int i = 0; i < n_nodes; i++) {
        Node *n = g->node.at[i];
        if (n->op != OP_contract) continue;
        g->span = n->span;
        g->label = n->name;
        const int n_before = g->node.n;
        Node *y = gathered(g, n->in[0], n->in[1], *node_attr(n, ATTR_contract)->contract);
        if (y->id >= n_before) y->batched = n->batched;
        graph_replace(g, n, y);
    }
    g->span = (Span){ 0 };
    g->label = NULL;
    graph_sort(g);
}
