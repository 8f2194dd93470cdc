/* test_lower.c -- graphs lowered to loops give what the graphs give: each operator, small nets, training, random graphs. */
#include "../../compiler/op/lower.h"
#include "lowered.h"
#include "nets.h"

static Diag diag;
static Leaves leaves;

static void setup(void)
{
    arena = arena_new();
    graph = test_graph(arena, &diag, MODE_train);
    leaves = (Leaves){ .arena = arena, .low = -1, .high = 1 };
}

static void teardown(void) { arena_free(arena); }

static void check_runs(void)
{
    graph_sort(graph);
    graph_verify(graph, "test");
    const char *differs = runs_differ(graph, &leaves);
    ck_assert_msg(!differs, "%s", differs);
}

/* ---- operators ---- */

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

START_TEST(rows)
{
    Node *a = operand("a"), *outside = node_binary(graph, OP_mul, operand("b"), node_number(graph, 3));
    Node *index = node_cast(graph, outside, DTYPE_i32), *few = node_slice(graph, index, (int64_t[]){ 0, 0, 0 }, (Shape){ 3, { 2, 1, 1 } });
    Node *of[] = { a, node_unary(graph, OP_exp, node_transpose(graph, a, (int64_t[]){ 2, 1, 0 })) };
    for (size_t i = 0; i < LENGTH(of); i++) {
        Node *all = node_gather(graph, of[i], index);
        output(all);
        output(node_unary(graph, OP_tanh, node_gather(graph, of[i], few)));
        output(node_scatter_add(graph, all, index, of[i]->shape));
        output(node_scatter_add(graph, node_unary(graph, OP_exp, node_gather(graph, of[i], few)), few, of[i]->shape));
    }
    output(node_gather(graph, test_param(graph, "numbers", 1, (int64_t[]){ 3 }), index));
    check_runs();
}
END_TEST

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

static void passes(const TrainPlan *plan, const char *without)
{
    PassContext context = { .plan = plan, .gradients_only = !plan, .without = &without, .n_without = without ? 1 : 0 };
    passes_run(graph, &context, NULL);
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

static Node *in_row(Node *old, int axis, Node *row, Node *new)
{
    Node *here = node_binary(graph, OP_eq, node_iota(graph, old->shape, axis, false), row);
    return node_where(graph, here, new, old);
}

static int picking_kernels(void)
{
    const Program *p = graph_lower(graph, "test", &(LowerOptions){ 0 });
    int n = 0;
    for (int i = 0; i < p->kernel.n; i++) n += p->kernel.at[i]->pick != NULL;
    return n;
}

/* The rows that there are, none where the number is no row's, none or all where somebody reads the old ones afterwards. */
START_TEST(one_row_is_stored)
{
    static const double number[] = { 0, 1, 2, -1, 3, 0.5 };
    Node *x = operand("x"), *kept = state("kept"), *late = state("late"), *given = node_leaf(graph, OP_state, "given", DTYPE_f32, (Shape){ .rank = 0 }, false);
    Node *new = node_reshape(graph, node_slice(graph, x, (int64_t[]){ 0, 0, 0 }, (Shape){ 3, { 1, 3, 3 } }), (Shape){ 2, { 3, 3 } });
    for (size_t i = 0; i < LENGTH(number); i++) {
        Node *old = state(arena_printf(arena, "old%d", (int)i));
        update(old, in_row(old, i & 1, node_number(graph, number[i]), new));
    }
    update(kept, in_row(kept, 0, node_unary(graph, OP_floor, given), new));
    output(node_unary(graph, OP_exp, kept));
    Node *changed = in_row(late, 0, given, new);
    update(late, changed);
    output(node_unary(graph, OP_exp, node_binary(graph, OP_add, node_unary(graph, OP_exp, changed), late)));
    check_runs();
    ck_assert_int_eq(picking_kernels(), LENGTH(number) + 1);
}
END_TEST

/* ---- contractions and what reads them ---- */

/* Of rows of x, [9, 3], and of w. */
static Node *product(Node *x, const char *w)
{
    const Contract c = { .n_axes = 3, .extent = { 9, 3, 3 }, .shape = { 2, { 9, 3 } }, .a = { 2, { affine_axis(0), affine_axis(2) } },
                         .b = { 2, { affine_axis(1), affine_axis(2) } }, .out = { 2, { affine_axis(0), affine_axis(1) } } };
    return node_contract(graph, x, param(w, 2, (int64_t[]){ 3, 3 }), &c);
}

/* What several contractions read is made and stored where the sums are that it is made of. */
START_TEST(sums_that_two_read)
{
    Node *y = product(param("x", 2, (int64_t[]){ 9, 3 }), "w");
    Node *s = node_unary(graph, OP_sin, y), *c = node_binary(graph, OP_mul, node_unary(graph, OP_cos, y), s);
    output(product(s, "v"));
    output(product(c, "u"));
    check_runs();
    ck_assert_int_eq(graph_lower(graph, "test", &(LowerOptions){ 0 })->kernel.n, 3);
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

START_TEST(random_graphs)
{
    Node *last = random_graph(_i);
    if (_i % 2) {
        graph_root(graph, ROOT_loss, "loss", test_loss(graph, last), NULL, (Span){ 0 });
        passes(_i % 4 == 1 ? NULL : &plans[_i % 3], NULL);
    }
    check_runs();
}
END_TEST

/* ---- expressions and buffers of a program ---- */

START_TEST(expressions_are_found_once)
{
    Exprs all = { 0 };
    Expr *x = ex_index(arena, affine_axis(0));
    for (int i = 0; i < 1000; i++) x = ex_binary(arena, i % 2 ? EX_mul : EX_add, x, x);
    ck_assert_int_eq(exprs_add(arena, &all, x), 1000);
    ck_assert_int_eq(all.n, 1001);
    for (int i = 1; i < all.n; i++) ck_assert_ptr_eq(all.at[i]->arg[0], all.at[i - 1]);
    ck_assert_int_eq(exprs_add(arena, &all, all.at[500]), 500);
    all.n = 0;
    ck_assert_int_eq(exprs_add(arena, &all, x->arg[0]), 999);
    ck_assert_int_eq(all.n, 1000);
}
END_TEST

START_TEST(kernels_that_use_a_buffer)
{
    Node *a = operand("a"), *sum = node_reduce(graph, OP_sum, a, (int64_t[]){ 1 }, 1);
    output(node_unary(graph, OP_exp, sum));
    output(node_binary(graph, OP_mul, sum, sum));
    graph_sort(graph);
    const Program *p = graph_lower(graph, "forward", &(LowerOptions){ .no_fuse = true });
    Uses uses = uses_of(arena, p);
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        const int writers = b->kind == BUF_workspace || b->kind == BUF_output, readers = b->kind == BUF_output ? 0 : b->kind == BUF_workspace ? 2 : 1;
        if (!b->base) ck_assert_msg(uses.writers[i].n == writers && uses.readers[i].n == readers, "%s", b->name);
    }
    uses_add(&uses, p->kernel.at[0], 7);
    const Ints *again = &uses.writers[buffer_memory(p->kernel.at[0]->out)->id];
    ck_assert_int_eq(again->n, 2);
    ck_assert_int_eq(again->at[1], 7);
    uses_add(&uses, p->kernel.at[0], 7);
    ck_assert_int_eq(again->n, 2);
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
    tcase_add_test(t, rows);
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
    tcase_add_test(t, one_row_is_stored);
    tcase_add_test(t, sums_that_two_read);
    tcase_add_test(t, long_chains_are_split);
    tcase_add_loop_test(t, random_graphs, 0, 200);
    tcase_add_test(t, expressions_are_found_once);
    tcase_add_test(t, kernels_that_use_a_buffer);
    suite_add_tcase(s, t);
    return run_suite(s);
}
