/* share.c -- make equal nodes one: same operator, operands, attributes, type and shape. */
#include "fold.h"

#include <string.h>

static bool is_commutative(Op op) { return op == OP_add || op == OP_mul; }

/* Leaves from outside are themselves, but a scalar is known by its name. A draw is known by its key. */
static bool is_shareable(const Node *n)
{
    return n->op == OP_constant || n->op == OP_scalar || !(op_info[n->op].flags & OF_LEAF);
}

static uint64_t hash_int(uint64_t hash, int64_t x) { return (hash ^ (uint64_t)x) * 0x9e3779b97f4a7c15u ^ hash >> 29; }

static uint64_t hash_attr(uint64_t hash, const Attr *attr)
{
    hash = hash_int(hash, attr->name);
    if (attr->ints) hash = hash_bytes(hash, attr->ints, (size_t)attr->n * sizeof *attr->ints);
    if (attr->data) hash = hash_bytes(hash, attr->data, (size_t)attr->n * sizeof *attr->data);
    if (attr->contract) hash = hash_bytes(hash, attr->contract->extent, sizeof attr->contract->extent);
    return hash_bytes(hash, &attr->real, sizeof attr->real);
}

static uint64_t hash_node(const Node *n)
{
    uint64_t hash = hash_int(0xcbf29ce484222325u, (int64_t)n->op);
    hash = hash_bytes(hash, n->shape.dim, (size_t)n->shape.rank * sizeof *n->shape.dim);
    if (is_commutative(n->op)) hash = hash_int(hash, (int64_t)n->in[0]->id + n->in[1]->id);
    else
        for (int i = 0; i < n->n_in; i++) hash = hash_int(hash, n->in[i]->id);
    for (int i = 0; i < n->n_attr; i++) hash = hash_attr(hash, &n->attr[i]);
    if (n->op == OP_scalar) hash = hash_bytes(hash, n->name, strlen(n->name));
    return hash ^ hash >> 32;
}

static bool maps_equal(const IndexMap *x, const IndexMap *y)
{
    if (x->rank != y->rank) return false;
    for (int d = 0; d < x->rank; d++)
        if (!affine_equal(&x->dim[d], &y->dim[d])) return false;
    return true;
}

bool contracts_equal(const Contract *x, const Contract *y)
{
    return x->n_axes == y->n_axes && !memcmp(x->extent, y->extent, (size_t)x->n_axes * sizeof *x->extent) &&
           maps_equal(&x->a, &y->a) && maps_equal(&x->b, &y->b) && maps_equal(&x->out, &y->out);
}

static bool attrs_equal(const Attr *x, const Attr *y)
{
    if (x->name != y->name || x->n != y->n || !x->ints != !y->ints || !x->data != !y->data ||
        !x->contract != !y->contract || memcmp(&x->real, &y->real, sizeof x->real))
        return false;
    if (x->ints && memcmp(x->ints, y->ints, (size_t)x->n * sizeof *x->ints)) return false;
    if (x->data && memcmp(x->data, y->data, (size_t)x->n * sizeof *x->data)) return false;
    return !x->contract || contracts_equal(x->contract, y->contract);
}

static bool operands_equal(const Node *x, const Node *y)
{
    if (x->n_in != y->n_in) return false;
    if (is_commutative(x->op) && x->in[0] == y->in[1] && x->in[1] == y->in[0]) return true;
    for (int i = 0; i < x->n_in; i++)
        if (x->in[i] != y->in[i]) return false;
    return true;
}

static bool nodes_equal(const Node *x, const Node *y)
{
    if (x->op != y->op || x->dtype != y->dtype || x->batched != y->batched || !shape_equal(x->shape, y->shape) ||
        x->n_attr != y->n_attr || x->has_layout != y->has_layout || !operands_equal(x, y))
        return false;
    if (x->has_layout && memcmp(x->layout, y->layout, (size_t)x->shape.rank)) return false;
    if (x->op == OP_scalar && strcmp(x->name, y->name)) return false;
    for (int i = 0; i < x->n_attr; i++)
        if (!attrs_equal(&x->attr[i], &y->attr[i])) return false;
    return true;
}

void share_graph(Graph *g)
{
    size_t size = 16;
    while (size < (size_t)g->node.n * 2) size *= 2;
    Node **table = NEW_ARRAY(g->arena, Node *, size);
    for (int i = 0; i < g->node.n; i++) {
        Node *n = g->node.at[i];
        for (int k = 0; k < n->n_in; k++) n->in[k] = node_now(n->in[k]);
        if (!is_shareable(n)) continue;
        size_t at = hash_node(n) & (size - 1);
        while (table[at] && !nodes_equal(table[at], n)) at = (at + 1) & (size - 1);
        if (table[at]) graph_replace(g, n, table[at]);
        else table[at] = n;
    }
    graph_sort(g);
}

void pass_share(Graph *g, const PassContext *context)
{
    (void)context;
    share_graph(g);
}
