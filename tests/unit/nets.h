/* nets.h -- for tests: small nets and random graphs, made in `graph`. */
#ifndef TEST_NETS_H
#define TEST_NETS_H

#include "graphs.h"

static Arena *arena;
static Graph *graph;

/* ---- leaves and roots ---- */

static inline Node *param(const char *name, int rank, const int64_t *dim) { return test_param(graph, name, rank, dim); }
static inline Node *input(const char *name, Shape s) { return node_leaf(graph, OP_input, name, DTYPE_f32, s, true); }
static inline void output(Node *n) { graph_root(graph, ROOT_output, arena_printf(arena, "y%d", graph->root.n), n, NULL, (Span){ 0 }); }

static inline Node *operand(const char *name) { return param(name, 3, (int64_t[]){ 2, 3, 4 }); }

/* x - max, exp, divided by the sum: over the last dimension. */
static inline Node *softmax(Node *x)
{
    int last = x->shape.rank - 1;
    int64_t axes[RANK_MAX] = { 0 }, axis = last;
    for (int d = 0; d < last; d++) axes[d] = d;
    Node *max = node_reduce(graph, OP_reduce_max, x, &axis, 1);
    Node *e = node_unary(graph, OP_exp, node_binary(graph, OP_sub, x, node_broadcast(graph, max, x->shape, axes, x->batched)));
    Node *sum = node_reduce(graph, OP_sum, e, &axis, 1);
    return node_binary(graph, OP_div, e, node_broadcast(graph, sum, x->shape, axes, x->batched));
}

/* ---- nets ---- */

static inline Node *dense(Node *x, const char *name, int64_t width)
{
    const int64_t n = x->shape.dim[0], c = x->shape.dim[1];
    Node *w = param(arena_printf(arena, "%s.weight", name), 2, (int64_t[]){ width, c });
    Node *b = param(arena_printf(arena, "%s.bias", name), 1, (int64_t[]){ width });
    Contract t = { .n_axes = 3, .extent = { n, width, c }, .shape = { 2, { n, width } } };
    t.a = (IndexMap){ 2, { affine_axis(0), affine_axis(2) } };
    t.b = (IndexMap){ 2, { affine_axis(1), affine_axis(2) } };
    t.out = (IndexMap){ 2, { affine_axis(0), affine_axis(1) } };
    graph->label = name;
    Node *y = node_contract(graph, x, w, &t);
    return node_binary(graph, OP_add, y, node_broadcast(graph, b, y->shape, (int64_t[]){ 1 }, true));
}

static inline Affine window_index(int at, int k, int64_t stride, int64_t pad)
{
    return affine_add(affine_add(affine_scale(affine_axis(at), stride), affine_axis(k)), affine_constant(-pad));
}

static inline Node *conv(Node *x, const char *name, int64_t oc, int64_t k, int64_t stride, int64_t pad)
{
    const int64_t *in = x->shape.dim, h = (in[2] + 2 * pad - k) / stride + 1, w = (in[3] + 2 * pad - k) / stride + 1;
    Node *weight = param(arena_printf(arena, "%s.weight", name), 4, (int64_t[]){ oc, in[1], k, k });
    Node *b = param(arena_printf(arena, "%s.bias", name), 1, (int64_t[]){ oc });
    Contract t = { .n_axes = 7, .extent = { in[0], oc, h, w, in[1], k, k }, .shape = { 4, { in[0], oc, h, w } } };
    t.a = (IndexMap){ 4, { affine_axis(0), affine_axis(4), window_index(2, 5, stride, pad), window_index(3, 6, stride, pad) } };
    t.b = (IndexMap){ 4, { affine_axis(1), affine_axis(4), affine_axis(5), affine_axis(6) } };
    t.out = (IndexMap){ 4, { affine_axis(0), affine_axis(1), affine_axis(2), affine_axis(3) } };
    graph->label = name;
    Node *y = node_contract(graph, x, weight, &t);
    return node_binary(graph, OP_add, y, node_broadcast(graph, b, y->shape, (int64_t[]){ 1 }, true));
}

static inline Node *mlp(void)
{
    Node *x = input("x", (Shape){ 2, { 2, 5 } });
    Node *h = node_unary(graph, OP_sigmoid, dense(x, "first", 7));
    return dense(h, "second", 3);
}

static inline Node *cnn(void)
{
    Node *x = input("x", (Shape){ 4, { 2, 2, 8, 7 } });
    Node *h = node_unary(graph, OP_relu, conv(x, "conv", 4, 3, 1, 1));
    h = node_window(graph, h, (int64_t[]){ 1, 1, 2, 2 }, (int64_t[]){ 1, 1, 2, 2 }, (int64_t[]){ 1, 1, 1, 1 });
    Node *skip = conv(h, "short", 3, 1, 1, 0);
    h = node_binary(graph, OP_add, conv(node_unary(graph, OP_tanh, h), "conv_1", 3, 3, 1, 1), skip);
    h = node_unary(graph, OP_relu, conv(h, "conv_2", 5, 3, 2, 1));
    Shape flat = { 2, { 2, h->shape.dim[1] * h->shape.dim[2] * h->shape.dim[3] } };
    return dense(node_reshape(graph, h, flat), "head", 3);
}

/* ---- random graphs ---- */

static uint32_t draw_state;

static inline int draw(int n)
{
    draw_state = draw_state * 1664525u + 1013904223u;
    return (int)((draw_state >> 8) % (uint32_t)n);
}

/* A matrix product with a fresh parameter over one dimension of x, in one of two orders. */
static inline Node *random_contract(Node *x)
{
    int rank = x->shape.rank, over = draw(rank);
    int64_t width = 1 + draw(4);
    Contract c = { .n_axes = rank + 1, .shape = x->shape };
    Node *w = param(arena_printf(arena, "w%d", graph->node.n), 2, (int64_t[]){ x->shape.dim[over], width });
    c.a.rank = c.out.rank = rank;
    for (int d = 0; d < rank; d++) {
        c.extent[d] = x->shape.dim[d];
        c.a.dim[d] = c.out.dim[d] = affine_axis(d);
    }
    c.extent[rank] = width;
    c.shape.dim[over] = width;
    c.out.dim[over] = affine_axis(rank);
    c.b = (IndexMap){ 2, { affine_axis(over), affine_axis(rank) } };
    return node_contract(graph, x, w, &c);
}

static inline Node *random_move(Node *x)
{
    int rank = x->shape.rank, d = draw(rank);
    int64_t zero[RANK_MAX] = { 0 }, one[RANK_MAX] = { 0 }, axes[RANK_MAX];
    Shape s = x->shape;
    for (int i = 0; i < rank; i++) axes[i] = (i + d) % rank;
    one[d] = 1 + draw(2);
    switch (draw(6)) {
    case 0: return node_transpose(graph, x, axes);
    case 1: return node_reverse(graph, x, (int64_t[]){ d }, 1);
    case 2: return s.dim[d] < 8 ? node_pad(graph, x, draw(2) ? one : zero, one, 0.5) : x;
    case 3: s.dim[d] = 1 + draw((int)s.dim[d]); return node_slice(graph, x, zero, s);
    case 4: return s.dim[d] < 8 ? node_concat(graph, (Node *[]){ x, node_unary(graph, OP_sin, x) }, 2, d) : x;
    default:
        if (rank == 1) return node_reshape(graph, x, (Shape){ 3, { 1, s.dim[0], 1 } });
        s.dim[0] *= s.dim[1];
        for (int i = 1; i < rank - 1; i++) s.dim[i] = s.dim[i + 1];
        s.rank--;
        return node_reshape(graph, x, s);
    }
}

static inline Node *random_reduce(Node *x)
{
    static const Op ops[] = { OP_sum, OP_reduce_max, OP_reduce_min };
    int rank = x->shape.rank, over = draw(rank), n = 0;
    int64_t axes[RANK_MAX] = { 0 };
    Node *y = node_reduce(graph, ops[draw(3)], x, (int64_t[]){ over }, 1);
    for (int d = 0; d < rank; d++)
        if (d != over) axes[n++] = d;
    return draw(3) || rank == 1 ? node_binary(graph, OP_sub, x, node_broadcast(graph, y, x->shape, axes, false)) : y;
}

static inline Node *random_node(Node *const *of, int n)
{
    static const Op unary[] = { OP_tanh, OP_sin, OP_relu, OP_neg, OP_sigmoid, OP_abs };
    static const Op binary[] = { OP_add, OP_sub, OP_mul, OP_max, OP_min, OP_lt };
    Node *x = of[draw(n)], *y = of[draw(n)];
    switch (draw(8)) {
    case 0: return random_contract(x);
    case 1: case 2: return random_move(x);
    case 3: return random_reduce(x);
    case 4: case 5: return node_unary(graph, unary[draw(6)], x);
    default:
        if (!shape_equal(x->shape, y->shape)) y = node_unary(graph, OP_cos, x);
        return node_binary(graph, binary[draw(6)], x, y);
    }
}

/* A graph of 40 nodes and 4 outputs that depends on the seed. The last node. */
static inline Node *random_graph(int seed)
{
    enum { NODES = 40 };
    Node *node[NODES] = { operand("a"), operand("b"), input("x", (Shape){ 2, { 2, 6 } }) };
    draw_state = (uint32_t)seed;
    for (int i = 3; i < NODES; i++) node[i] = random_node(node, i);
    for (int i = 0; i < 4; i++) output(node[NODES - 1 - draw(12)]);
    return node[NODES - 1];
}

#endif
