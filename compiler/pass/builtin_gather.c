/* builtin_gather.c -- rows of a table by an index: gather(table, i) and table[i]. */
#include "builtins.h"

#include <string.h>

/* The index as one into the tables of all samples, one behind the other: held inside each before they are. */
static Node *index_of_all(Graph *g, Node *index, int64_t rows)
{
    Node *own = node_cast(g, index, DTYPE_f32);
    own = node_binary(g, OP_min, node_binary(g, OP_max, own, node_number(g, 0)), node_number(g, (double)(rows - 1)));
    Node *sample = node_binary(g, OP_mul, node_iota(g, index->shape, 0, true), node_number(g, (double)rows));
    return node_cast(g, node_binary(g, OP_add, own, sample), DTYPE_i32);
}

static Node *batched(Graph *g, Node *x)
{
    int64_t axes[RANK_MAX];
    Shape s = {.rank = x->shape.rank + 1, .dim = {g->batch}};
    if (x->batched) return x;
    for (int d = 0; d < x->shape.rank; d++) s.dim[d + 1] = x->shape.dim[d], axes[d] = d + 1;
    return node_broadcast(g, x, s, axes, true);
}

/* Each sample has a table of its own. */
static Node *gather_batched(Graph *g, Node *table, Node *index)
{
    Shape flat = shape_tail(table->shape), s;
    const int64_t rows = flat.dim[0];
    flat.dim[0] *= table->shape.dim[0];
    index = index_of_all(g, batched(g, index), rows);
    s = index->shape;
    for (int d = 1; d < flat.rank; d++) s.dim[s.rank++] = flat.dim[d];
    Node *y = node_gather(g, node_reshape(g, table, flat), index);
    y->batched = true;
    return y;
}

/* An input that may name rows that the table does not have is a mistake in the text. */
static bool input_fits(Resolver *r, const Node *index, Span at, int64_t rows)
{
    const Attr *low = index->op == OP_input ? node_attr(index, ATTR_low) : NULL, *high = node_attr(index, ATTR_high);
    if (!low || !high || (low->ints[0] >= 0 && high->ints[0] <= rows)) return true;
    resolve_error(r, at, "the index is in %lld..%lld, but the table has %lld rows", (long long)low->ints[0], (long long)high->ints[0], (long long)rows);
    return false;
}

Value resolve_gather(Resolver *r, Node *table, Span at, Node *index, Span index_at)
{
    Shape own = sample_shape(table);
    if (!own.rank || own.dim[0] > 1 << 24) {
        resolve_error(r, at, "only what has rows, and no more than 2^24, takes a tensor as its index, not %s", shape_text(r->arena, own));
        return value_poison();
    }
    if (index->dtype == DTYPE_f32) {
        resolve_error(r, index_at, "an index is a whole number: make it one by `cast(i32)`");
        return value_poison();
    }
    if (!input_fits(r, index, index_at, own.dim[0])) return value_poison();
    Shape rows = sample_shape(index);
    if (rows.rank + own.rank > RANK_MAX) {
        resolve_error(r, at, "the rows would have more than %d dimensions", RANK_MAX - 1);
        return value_poison();
    }
    const int64_t count = shape_elements(rows) * (index->batched || table->batched ? r->graph->batch : 1);
    if (count > INT32_MAX / (shape_elements(own) / own.dim[0]) || (table->batched && table->shape.dim[0] > (1 << 24) / own.dim[0])) {
        resolve_error(r, at, "the rows of %s are too many elements", shape_text(r->arena, own));
        return value_poison();
    }
    Node *real = node_cast(r->graph, table, DTYPE_f32);
    Node *y = table->batched ? gather_batched(r->graph, real, index) : node_gather(r->graph, real, index);
    return value_tensor(node_cast(r->graph, y, table->dtype));
}

Value call_gather(Call *c)
{
    Node *x[2];
    for (int i = 0; i < 2; i++) {
        x[i] = value_to_node(c->r, c->arg[i], c->at[i], arena_printf(c->r->arena, "the operand of `%s`", c->name), i == 0);
        if (!x[i]) return value_poison();
    }
    return resolve_gather(c->r, x[0], c->at[0], x[1], c->at[1]);
}
