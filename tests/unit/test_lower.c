/* test_lower.c -- graphs lowered to loops give what the graphs give: each operator, small nets, training, random graphs. */
#include "lowered.h"

static Arena *arena;
static Diag diag;
static Graph *graph;
static Leaves leaves;

static void setup(void)
{
    arena = arena_new();
    graph = test_graph(arena, &diag, MODE_train);
    leaves = (Leaves){ .arena = arena, .low = -1, .high = 1 };
}

static void teardown(void) { arena_free(arena); }

static Node *param(const char *name, int rank, const int64_t *dim) { return test_param(graph, name, rank, dim); }
static Node *input(const char *name, Shape s) { return node_leaf(graph, OP_input, name, DTYPE_f32, s, true); }
static void output(Node *n) { graph_root(graph, ROOT_output, arena_printf(arena, "y%d", graph->root.n), n, NULL, (Span){ 0 }); }

static void check_runs(void)
{
    graph_sort(graph);
    graph_verify(graph, "test");
    const char *differs = runs_differ(graph, &leaves);
    ck_assert_msg(!differs, "%s", differs);
}

/* ---- operators ---- */

static Node *operand(const char *name) { return param(name, 3, (int64_t[]){ 2, 3, 4 }); }

START_TEST(elementwise)
{
    static const Op unary[] = { OP_neg, OP_exp, OP_expm1, OP_abs, OP_sin, OP_cos, OP_tanh, OP_sigmoid, OP_erf, OP_relu, OP_floor };
    static const Op positive[] = { OP_log, OP_log1p, OP_sqrt };
    static const Op binary[] = { OP_add, OP_sub, OP_mul, OP_div, OP_max, OP_min, OP_eq, OP_ne, OP_lt, OP_le, OP_gt, OP_ge };
    Node *a = operand("a"), *b = operand("b"), *size = node_unary(graph, OP_abs, a);
    for (size_t i = 0; i < LENGTH(unary); i++) output(node_unary(graph, unary[i], a));
    for (size_t i = 0; i < LENGTH(positive); i++) output(node_unary(graph, positive[i], size));
    for (size_t i = 0; i < LENGTH(binary); i++) output(node_binary(graph, binary[i], a, b));
    for (int i = -2; i < 10; i++) output(node_binary(graph, OP_pow, size, node_number(graph, i / 2.0)));
    output(node_binary(graph, OP_pow, size, b));
    output(node_where(graph, node_binary(graph, OP_lt, a, b), a, node_unary(graph, OP_stop_gradient, b)));
    output(node_cast(graph, node_cast(graph, node_binary(graph, OP_mul, a, node_number(graph, 300)), DTYPE_u8), DTYPE_f32));
    output(node_cast(graph, node_binary(graph, OP_mul, a, node_number(graph, 300)), DTYPE_i32));
    check_runs();
}
END_TEST

START_TEST(leaves_and_numbers)
{
    Shape s = { 2, { 2, 3 } };
    Node *data = node_data(graph, s, (double[]){ 1, 2, 3, 4, 5, 6 }), *x = input("x", s);
    Node *scalar = node_leaf(graph, OP_scalar, "rate", DTYPE_f32, (Shape){ 0 }, false);
    output(node_binary(graph, OP_mul, data, node_iota(graph, s, 1, false)));
    output(node_random(graph, s, 5, true));
    output(x);
    output(x);
    output(node_fill(graph, 3, s, true));
    output(node_number(graph, 4));
    output(scalar);
    output(node_binary(graph, OP_mul, node_binary(graph, OP_add, x, scalar), node_random(graph, s, 6, true)));
    Node *same = node_binary(graph, OP_add, data, node_fill(graph, 1, s, false));
    output(same);
    output(same);
    output(node_unary(graph, OP_exp, same));
    check_runs();
}
END_TEST

START_TEST(moves)
{
    Node *a = operand("a"), *e = node_unary(graph, OP_exp, a);
    Node *const of[] = { a, e };
    for (size_t i = 0; i < LENGTH(of); i++) {
        Node *x = of[i];
        output(node_transpose(graph, x, (int64_t[]){ 2, 0, 1 }));
        output(node_reshape(graph, x, (Shape){ 2, { 6, 4 } }));
        output(node_reshape(graph, x, (Shape){ 5, { 2, 1, 3, 4, 1 } }));
        output(node_reshape(graph, x, (Shape){ 4, { 2, 3, 2, 2 } }));
        output(node_reshape(graph, node_transpose(graph, x, (int64_t[]){ 2, 0, 1 }), (Shape){ 1, { 24 } }));
        output(node_broadcast(graph, x, (Shape){ 4, { 2, 5, 3, 4 } }, (int64_t[]){ 0, 2, 3 }, false));
        output(node_slice(graph, x, (int64_t[]){ 0, 1, 1 }, (Shape){ 3, { 1, 2, 2 } }));
        output(node_reverse(graph, x, (int64_t[]){ 0, 2 }, 2));
        output(node_pad(graph, x, (int64_t[]){ 0, 1, 2 }, (int64_t[]){ 1, 0, 3 }, 7));
        output(node_concat(graph, (Node *[]){ x, a, x }, 3, 1));
        output(node_unary(graph, OP_copy, x));
    }
    check_runs();
}
END_TEST

START_TEST(reductions)
{
    static const Op ops[] = { OP_sum, OP_reduce_max, OP_reduce_min };
    Node *a = operand("a"), *e = node_unary(graph, OP_exp, a);
    for (size_t i = 0; i < LENGTH(ops); i++) {
        output(node_reduce(graph, ops[i], e, (int64_t[]){ 1 }, 1));
        output(node_reduce(graph, ops[i], a, (int64_t[]){ 0, 2 }, 2));
        output(node_unary(graph, OP_sqrt, node_reduce(graph, ops[i], e, (int64_t[]){ 0, 1, 2 }, 3)));
    }
    check_runs();
}
END_TEST

/* x - max, exp, divided by the sum: over the last dimension. */
static Node *softmax(Node *x)
{
    int last = x->shape.rank - 1;
    int64_t axes[RANK_MAX] = { 0 }, axis = last;
    for (int d = 0; d < last; d++) axes[d] = d;
    Node *max = node_reduce(graph, OP_reduce_max, x, &axis, 1);
    Node *e = node_unary(graph, OP_exp, node_binary(graph, OP_sub, x, node_broadcast(graph, max, x->shape, axes, x->batched)));
    Node *sum = node_reduce(graph, OP_sum, e, &axis, 1);
    return node_binary(graph, OP_div, e, node_broadcast(graph, sum, x->shape, axes, x->batched));
}

START_TEST(softmax_of_a_stored_and_a_pulled_tensor)
{
    Node *a = operand("a");
    output(softmax(a));
    output(softmax(node_binary(graph, OP_mul, a, operand("b"))));
    check_runs();
}
END_TEST

START_TEST(windows)
{
    static const int64_t size[][3] = { { 1, 2, 2 }, { 1, 3, 3 }, { 1, 2, 3 }, { 1, 1, 1 }, { 1, 2, 2 } };
    static const int64_t stride[][3] = { { 1, 2, 2 }, { 1, 1, 2 }, { 1, 3, 3 }, { 1, 1, 1 }, { 1, 2, 3 } };
    static const int64_t dilation[][3] = { { 1, 1, 1 }, { 1, 1, 2 }, { 1, 1, 1 }, { 1, 1, 1 }, { 1, 3, 2 } };
    Node *x = param("x", 3, (int64_t[]){ 2, 6, 6 });
    for (size_t i = 0; i < LENGTH(size); i++) {
        Node *max = node_window(graph, node_unary(graph, OP_sin, x), size[i], stride[i], dilation[i]);
        output(node_unary(graph, OP_tanh, max));
        graph_root(graph, ROOT_loss, "loss", test_loss(graph, max), NULL, (Span){ 0 });
    }
    graph_sort(graph);
    pass_grad(graph, &(PassContext){ .gradients_only = true });
    check_runs();
}
END_TEST

/* ---- nets ---- */

static Node *dense(Node *x, const char *name, int64_t width)
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

static Affine window_index(int at, int k, int64_t stride, int64_t pad)
{
    return affine_add(affine_add(affine_scale(affine_axis(at), stride), affine_axis(k)), affine_constant(-pad));
}

static Node *conv(Node *x, const char *name, int64_t oc, int64_t k, int64_t stride, int64_t pad)
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

static void passes(const TrainPlan *plan, const char *without)
{
    PassContext context = { .plan = plan, .gradients_only = !plan, .without = &without, .n_without = without ? 1 : 0 };
    passes_run(graph, &context, NULL);
}

static Node *mlp(void)
{
    Node *x = input("x", (Shape){ 2, { 2, 5 } });
    Node *h = node_unary(graph, OP_sigmoid, dense(x, "first", 7));
    return dense(h, "second", 3);
}

static Node *cnn(void)
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

static void train(Node *y, const TrainPlan *plan, const char *without)
{
    output(softmax(y));
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, node_unary(graph, OP_tanh, y)), NULL, (Span){ 0 });
    passes(plan, without);
    check_runs();
}

static const TrainPlan plans[] = {
    { .optimizer = OPTIMIZER_sgd, .rate.rate = 0.1, .batch = 2 },
    { .optimizer = OPTIMIZER_sgd, .rate.rate = 0.1, .momentum = 0.9, .nesterov = true, .decay = 0.1, .batch = 2 },
    { .optimizer = OPTIMIZER_adam, .rate.rate = 0.1, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .clip = 1, .batch = 2 },
};

START_TEST(mlp_forward)
{
    graph->mode = MODE_infer;
    output(softmax(mlp()));
    passes(NULL, NULL);
    check_runs();
}
END_TEST

START_TEST(mlp_train) { train(mlp(), &plans[_i], NULL); }
END_TEST
START_TEST(mlp_gradients) { train(mlp(), NULL, NULL); }
END_TEST
START_TEST(cnn_train) { train(cnn(), &plans[_i], NULL); }
END_TEST
START_TEST(cnn_train_row_major) { train(cnn(), &plans[_i], "layout"); }
END_TEST
START_TEST(cnn_gradients) { train(cnn(), NULL, NULL); }
END_TEST

/* ---- updates ---- */

static Node *state(const char *name) { return node_leaf(graph, OP_state, name, DTYPE_f32, (Shape){ 2, { 3, 3 } }, false); }
static void update(Node *target, Node *value) { graph_root(graph, ROOT_update, target->name, value, target, (Span){ 0 }); }

START_TEST(updates_exchange_two_tensors)
{
    Node *a = state("a"), *b = state("b");
    update(a, b);
    update(b, a);
    check_runs();
}
END_TEST

START_TEST(updates_that_read_each_other)
{
    Node *a = state("a"), *b = state("b"), *c = state("c"), *d = state("d");
    Node *sum = node_binary(graph, OP_add, a, b);
    update(a, sum);
    update(b, node_binary(graph, OP_mul, sum, b));
    update(c, node_transpose(graph, c, (int64_t[]){ 1, 0 }));
    output(node_binary(graph, OP_sub, a, c));
    update(d, sum);
    output(sum);
    output(d);
    check_runs();
}
END_TEST

START_TEST(update_behind_a_late_reader)
{
    Node *w = state("w"), *x = state("x"), *next = node_binary(graph, OP_sub, w, x);
    update(w, next);
    output(node_unary(graph, OP_exp, node_binary(graph, OP_add, node_unary(graph, OP_exp, next), w)));
    check_runs();
}
END_TEST

/* ---- size ---- */

START_TEST(long_chains_are_split)
{
    Node *x = operand("a");
    for (int i = 0; i < 2000; i++) x = node_unary(graph, i % 3 ? OP_sin : OP_neg, x);
    output(x);
    x = operand("b");
    for (int i = 0; i < 200; i++) x = node_binary(graph, OP_add, node_unary(graph, OP_relu, x), x);
    output(x);
    for (int i = 0; i < 300; i++) x = node_transpose(graph, node_unary(graph, OP_cos, x), (int64_t[]){ 1, 2, 0 });
    output(x);
    check_runs();
}
END_TEST

/* ---- random graphs ---- */

static uint32_t draw_state;

static int draw(int n)
{
    draw_state = draw_state * 1664525u + 1013904223u;
    return (int)((draw_state >> 8) % (uint32_t)n);
}

/* A matrix product with a fresh parameter over one dimension of x, in one of two orders. */
static Node *random_contract(Node *x)
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

static Node *random_move(Node *x)
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

static Node *random_reduce(Node *x)
{
    static const Op ops[] = { OP_sum, OP_reduce_max, OP_reduce_min };
    int rank = x->shape.rank, over = draw(rank), n = 0;
    int64_t axes[RANK_MAX] = { 0 };
    Node *y = node_reduce(graph, ops[draw(3)], x, (int64_t[]){ over }, 1);
    for (int d = 0; d < rank; d++)
        if (d != over) axes[n++] = d;
    return draw(3) || rank == 1 ? node_binary(graph, OP_sub, x, node_broadcast(graph, y, x->shape, axes, false)) : y;
}

static Node *random_node(Node *const *of, int n)
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

START_TEST(random_graphs)
{
    enum { NODES = 40 };
    Node *node[NODES] = { operand("a"), operand("b"), input("x", (Shape){ 2, { 2, 6 } }) };
    draw_state = (uint32_t)_i;
    for (int i = 3; i < NODES; i++) node[i] = random_node(node, i);
    for (int i = 0; i < 4; i++) output(node[NODES - 1 - draw(12)]);
    if (_i % 2) {
        graph_root(graph, ROOT_loss, "loss", test_loss(graph, node[NODES - 1]), NULL, (Span){ 0 });
        passes(_i % 4 == 1 ? NULL : &plans[_i % 3], NULL);
    }
    check_runs();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lower");
    TCase *t = tcase_create("lower");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, elementwise);
    tcase_add_test(t, leaves_and_numbers);
    tcase_add_test(t, moves);
    tcase_add_test(t, reductions);
    tcase_add_test(t, softmax_of_a_stored_and_a_pulled_tensor);
    tcase_add_test(t, windows);
    tcase_add_test(t, mlp_forward);
    tcase_add_loop_test(t, mlp_train, 0, LENGTH(plans));
    tcase_add_test(t, mlp_gradients);
    tcase_add_loop_test(t, cnn_train, 0, LENGTH(plans));
    tcase_add_loop_test(t, cnn_train_row_major, 0, LENGTH(plans));
    tcase_add_test(t, cnn_gradients);
    tcase_add_test(t, updates_exchange_two_tensors);
    tcase_add_test(t, updates_that_read_each_other);
    tcase_add_test(t, update_behind_a_late_reader);
    tcase_add_test(t, long_chains_are_split);
    tcase_add_loop_test(t, random_graphs, 0, 200);
    suite_add_tcase(s, t);
    return run_suite(s);
}
