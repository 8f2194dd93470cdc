/* mask.c -- of scores under a known mask only the places that some row of a block may see are computed: of causal attention little more
   than half. To all others softmax gives 0, which is left out of what is added up. */
#include "pass.h"

#include <math.h>
#include <string.h>

enum {
    ROWS_LEAST = 64, BLOCKS_MOST = 4,
    GRAIN = 32,                    /* blocks and what they see begin and end at multiples of so many */
    ELEMENTS_MOST = 1 << 22        /* of a mask that is looked at */
};
static const double hidden = -1e9, worth = 0.8;      /* what masked scores are at most; the part that may be left to compute */

typedef struct Block { int64_t row, rows, from, places; } Block;
typedef VEC(Block) Blocks;

typedef struct Seen { const Node *condition; Blocks blocks; } Seen;

typedef struct Masks {
    Graph *g;
    int *users;                    /* by id; a root is a user */
    VEC(Seen) seen;
} Masks;

/* exp(scores - the largest of each row), the scores being where(condition, x, a number far below) [..., rows, places]. */
typedef struct Softmax { Node *exp, *scores, *condition; int row, place; } Softmax;

/* ---- what a block of rows sees ---- */

static int64_t to_grain(int64_t x) { return (x + GRAIN - 1) / GRAIN * GRAIN; }

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static const double *known(Masks *m, Arena *scratch, Node *condition)
{
    Graph alone = *m->g;
    const double *value;
    memset(&alone.root, 0, sizeof alone.root);
    graph_root(&alone, ROOT_output, NULL, condition, NULL, condition->span);
    graph_eval(&alone, scratch, &(EvalInputs){ 0 }, &value);
    return value;
}

/* Empty where that is not worth it, or where a row sees nothing. */
static Blocks divide(Masks *m, Node *condition)
{
    Arena *scratch = arena_new();
    const int64_t rows = condition->shape.dim[0], places = condition->shape.dim[1];
    const double *value = known(m, scratch, condition);
    const int64_t n = least(rows / ROWS_LEAST, BLOCKS_MOST), step = to_grain((rows + n - 1) / n);
    Blocks blocks = { 0 };
    double left = 0;
    for (int64_t row = 0; row < rows; row += step) {
        Block b = { row, least(step, rows - row), places, 0 };
        int64_t to = 0;
        for (int64_t i = row; i < row + b.rows; i++) {
            int64_t first = 0, last = places;
            while (first < places && !value[i * places + first]) first++;
            while (last > first && !value[i * places + last - 1]) last--;
            if (first == last) left = INFINITY;
            b.from = least(b.from, first);
            to = last > to ? last : to;
        }
        b.from = b.from / GRAIN * GRAIN;
        b.places = least(to_grain(to), places) - b.from;
        left += (double)(b.rows * b.places);
        vec_push(m->g->arena, &blocks, b);
    }
    arena_free(scratch);
    if (left > worth * (double)(rows * places)) blocks.n = 0;
    return blocks;
}

static Blocks blocks_of(Masks *m, Node *condition)
{
    for (int i = 0; i < m->seen.n; i++)
        if (m->seen.at[i].condition == condition) return m->seen.at[i].blocks;
    vec_push(m->g->arena, &m->seen, (Seen){ condition, divide(m, condition) });
    return m->seen.at[m->seen.n - 1].blocks;
}

/* ---- what is a softmax under a mask ---- */

/* What is repeated for all samples and heads: [rows, places]; NULL where the condition is no such or depends on what is not known. */
static Node *known_mask(const Node *scores)
{
    Node *x = scores->in[0];
    const Shape s = scores->shape;
    if (x->op == OP_broadcast || x->op == OP_reshape) x = x->in[0];
    const bool fits = x->shape.rank == 2 && x->shape.dim[0] == s.dim[s.rank - 2] && x->shape.dim[1] == s.dim[s.rank - 1];
    if (!fits || x->mark != WEIGHTS_constant || s.dim[s.rank - 2] < 2 * ROWS_LEAST || shape_elements(x->shape) > ELEMENTS_MOST) return NULL;
    if (scores->in[0]->op == OP_broadcast && node_ints(scores->in[0], ATTR_axes)[0] != s.rank - 2) return NULL;
    return x;
}

/* Reshaped to and fro around the stop of the gradient. */
static Node *behind_stop(const Masks *m, Node *x)
{
    while ((x->op == OP_reshape || x->op == OP_stop_gradient) && m->users[x->id] == 1) x = x->in[0];
    return x;
}

static bool find_softmax(const Masks *m, Node *exp, Softmax *s)
{
    Node *sub = exp->in[0];
    if (sub->op != OP_sub || sub->in[0]->op != OP_where || sub->in[1]->op != OP_broadcast) return false;
    Node *scores = sub->in[0], *all = sub->in[1], *max = behind_stop(m, all->in[0]);
    const int rank = scores->shape.rank, row = rank - 2, place = rank - 1;
    double fill;
    if (row < (scores->batched ? 1 : 0) || !node_is_number(scores->in[2], &fill) || fill > hidden) return false;
    if (max->op != OP_reduce_max || max->in[0] != scores || max->shape.rank != place || node_ints(max, ATTR_axes)[0] != place) return false;
    if (m->users[scores->id] != 2 || m->users[max->id] != 1) return false;
    if (m->users[all->id] != 1 || m->users[sub->id] != 1) return false;
    *s = (Softmax){ exp, scores, known_mask(scores), row, place };
    return s->condition;
}

/* The dimension of a map that is the axis; -1 where there is none, -2 where the axis does more. */
static int dimension_of(const IndexMap *map, int axis)
{
    int found = -1;
    for (int d = 0; d < map->rank; d++) {
        const Affine *x = &map->dim[d];
        if (!affine_coef(x, axis)) continue;
        if (found >= 0 || x->n > 1 || x->offset || affine_coef(x, axis) != 1) return -2;
        found = d;
    }
    return found;
}

/* The axis that a dimension of a map is; -1. */
static int axis_of(const IndexMap *map, int dim)
{
    const Affine *x = &map->dim[dim];
    return x->n == 1 && dimension_of(map, x->axis[0]) == dim ? x->axis[0] : -1;
}

/* What reads the exponentials and can do so block by block: sums over the places, of products too. */
static bool adds_up(const Node *n, const Softmax *s)
{
    if (n->op == OP_sum) {
        const Attr *axes = node_attr(n, ATTR_axes);
        return axes->n == 1 && axes->ints[0] == s->place;
    }
    if (n->op != OP_contract || (n->in[0] == s->exp) == (n->in[1] == s->exp)) return false;
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    const IndexMap *own = n->in[0] == s->exp ? &c->a : &c->b, *other = n->in[0] == s->exp ? &c->b : &c->a;
    const int row = axis_of(own, s->row), place = axis_of(own, s->place);
    if (row < 0 || place < 0 || dimension_of(&c->out, place) != -1 || dimension_of(other, row) != -1) return false;
    return dimension_of(&c->out, row) >= 0 && dimension_of(other, place) >= 0;
}

/* ---- one block ---- */

static Node *part(Graph *g, Node *x, int dim, int64_t from, int64_t size)
{
    int64_t start[RANK_MAX] = { 0 };
    Shape shape = x->shape;
    if (dim < 0 || shape.dim[dim] == size) return x;
    start[dim] = from;
    shape.dim[dim] = size;
    Node *y = node_slice(g, x, start, shape);
    y->batched = x->batched;
    return y;
}

/* Along an axis of a contraction: as much of the operands. */
static void restrict_axis(Graph *g, Contract *c, int axis, int64_t from, int64_t size, Node **in)
{
    in[0] = part(g, in[0], dimension_of(&c->a, axis), from, size);
    in[1] = part(g, in[1], dimension_of(&c->b, axis), from, size);
    c->extent[axis] = size;
}

static Node *contract_part(Graph *g, const Node *n, const Contract *c, Node *const *in)
{
    Node *y = node_contract(g, in[0], in[1], c);
    y->batched = n->batched;
    return y;
}

/* The axes of a contraction that a block of its result divides, where both may be divided. */
static bool divides(const Node *n, const Softmax *s, int *row, int *place)
{
    if (n->op != OP_contract) return false;
    const Contract *c = node_attr(n, ATTR_contract)->contract;
    *row = axis_of(&c->out, s->row);
    *place = axis_of(&c->out, s->place);
    return *row >= 0 && *place >= 0 && dimension_of(&c->a, *row) > -2 && dimension_of(&c->b, *row) > -2 &&
           dimension_of(&c->a, *place) > -2 && dimension_of(&c->b, *place) > -2;
}

/* The block of what has the scores' shape. */
static Node *scores_part(const Masks *m, Node *n, const Softmax *s, const Block *b)
{
    Graph *g = m->g;
    int row, place;
    if (divides(n, s, &row, &place)) {
        Contract c = *node_attr(n, ATTR_contract)->contract;
        Node *in[] = { n->in[0], n->in[1] };
        restrict_axis(g, &c, row, b->row, b->rows, in);
        restrict_axis(g, &c, place, b->from, b->places, in);
        c.shape.dim[s->row] = b->rows;
        c.shape.dim[s->place] = b->places;
        return contract_part(g, n, &c, in);
    }
    if (n->op == OP_broadcast) {
        Node *x = n->in[0];
        const int64_t *axes = node_ints(n, ATTR_axes);
        Shape shape = n->shape;
        for (int d = 0; d < n->in[0]->shape.rank; d++) {
            if (axes[d] == s->row) x = part(g, x, d, b->row, b->rows);
            if (axes[d] == s->place) x = part(g, x, d, b->from, b->places);
        }
        shape.dim[s->row] = b->rows;
        shape.dim[s->place] = b->places;
        return node_broadcast(g, x, shape, axes, n->batched);
    }
    if (op_is_elementwise(n->op)) {
        Node *in[3];
        for (int i = 0; i < n->n_in; i++) in[i] = scores_part(m, n->in[i], s, b);
        return node_like(g, n, in);
    }
    return part(g, part(g, n, s->row, b->row, b->rows), s->place, b->from, b->places);
}

static Node *exp_part(const Masks *m, const Softmax *s, const Block *b)
{
    Graph *g = m->g;
    Node *scores = scores_part(m, s->scores, s, b);
    const Node *largest = s->exp->in[0]->in[1];
    Node *max = node_reduce(g, OP_reduce_max, scores, (int64_t[]){ s->place }, 1);
    if (largest->in[0]->op != OP_reduce_max) max = node_unary(g, OP_stop_gradient, max);
    Node *all = node_broadcast(g, max, scores->shape, node_ints(largest, ATTR_axes), largest->batched);
    return node_unary(g, OP_exp, node_binary(g, OP_sub, scores, all));
}

/* The block of a sum over the places; *dim: of the rows in it. */
static Node *sum_part(Graph *g, const Node *n, const Softmax *s, Node *exp, const Block *b, int *dim)
{
    if (n->op == OP_sum) {
        *dim = s->row;
        return node_reduce(g, OP_sum, exp, (int64_t[]){ s->place }, 1);
    }
    Contract c = *node_attr(n, ATTR_contract)->contract;
    const bool first = n->in[0] == s->exp;
    const IndexMap *own = first ? &c.a : &c.b;
    const int row = axis_of(own, s->row), place = axis_of(own, s->place);
    Node *in[] = { n->in[0], n->in[1] };
    *dim = dimension_of(&c.out, row);
    restrict_axis(g, &c, place, b->from, b->places, in);
    in[!first] = exp;
    c.extent[row] = c.shape.dim[*dim] = b->rows;
    return contract_part(g, n, &c, in);
}

/* ---- all blocks ---- */

enum { READERS_MOST = 4 };
typedef struct Readers { int n; Node *at[READERS_MOST]; } Readers;

/* All that reads the exponentials; none where something is no sum over places. */
static Readers find_readers(const Masks *m, const Softmax *s, int n_nodes)
{
    Readers r = { 0 };
    for (int i = s->exp->id + 1; i < n_nodes && r.n < READERS_MOST; i++) {
        Node *n = m->g->node.at[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] == s->exp && adds_up(n, s)) r.at[r.n++] = n;
    }
    if (r.n != m->users[s->exp->id]) r.n = 0;
    return r;
}

/* The only user of a product, where that divides it by the sum of its row: it is divided block by block, too. NULL. */
static Node *quotient(const Masks *m, const Node *product, const Node *sum, int n_nodes)
{
    if (product->op != OP_contract || m->users[product->id] != 1) return NULL;
    for (int i = product->id + 1; i < n_nodes; i++) {
        Node *n = m->g->node.at[i];
        if (n->n_in == 2 && n->in[0] == product) return n->op == OP_div && n->in[1]->op == OP_broadcast && n->in[1]->in[0] == sum ? n : NULL;
    }
    return NULL;
}

static void compute_blocks(Masks *m, const Softmax *s, const Readers *r, const Blocks *blocks, int n_nodes)
{
    Graph *g = m->g;
    Node **part[READERS_MOST], **divided = NEW_ARRAY(g->arena, Node *, blocks->n);
    int dim[READERS_MOST], sum = 0;
    for (int i = 0; i < r->n; i++) {
        part[i] = NEW_ARRAY(g->arena, Node *, blocks->n);
        if (r->at[i]->op == OP_sum) sum = i;
    }
    for (int b = 0; b < blocks->n; b++) {
        Node *exp = exp_part(m, s, &blocks->at[b]);
        for (int i = 0; i < r->n; i++) part[i][b] = sum_part(g, r->at[i], s, exp, &blocks->at[b], &dim[i]);
    }
    for (int i = 0; i < r->n; i++) {
        Node *whole = quotient(m, r->at[i], r->at[sum], n_nodes);
        const int64_t *axes = whole ? node_ints(whole->in[1], ATTR_axes) : NULL;
        if (whole && axes[s->row] == dim[i]) {
            for (int b = 0; b < blocks->n; b++) {
                Node *by = node_broadcast(g, part[sum][b], part[i][b]->shape, axes, whole->in[1]->batched);
                divided[b] = node_binary(g, OP_div, part[i][b], by);
            }
            graph_replace(g, whole, node_concat(g, divided, blocks->n, dim[i]));
        }
        graph_replace(g, r->at[i], node_concat(g, part[i], blocks->n, dim[i]));
    }
}

/* needs: comparisons that depend on no input; leaves: the values as they were, where each row sees a finite score. */
void pass_mask(Graph *g, const PassContext *context)
{
    (void)context;
    Masks m = { .g = g, .users = NEW_ARRAY(g->arena, int, g->node.n) };
    const int n_nodes = g->node.n;
    graph_mark_weights(g);
    for (int i = 0; i < g->root.n; i++) m.users[g->root.at[i].node->id]++;
    for (int i = 0; i < n_nodes; i++)
        for (int k = 0; k < g->node.at[i]->n_in; k++) m.users[g->node.at[i]->in[k]->id]++;
    for (int i = 0; i < n_nodes; i++) {
        Node *n = g->node.at[i];
        Softmax s;
        if (n->op != OP_exp || !find_softmax(&m, n, &s)) continue;
        const Readers readers = find_readers(&m, &s, n_nodes);
        const Blocks blocks = readers.n ? blocks_of(&m, s.condition) : (Blocks){ 0 };
        if (!blocks.n) continue;
        g->span = n->span;
        g->label = n->name;
        compute_blocks(&m, &s, &readers, &blocks, n_nodes);
    }
    g->span = (Span){ 0 };
    g->label = NULL;
    graph_sort(g);
}
