/* test_eval.c -- the reference interpreter: every operator on numbers worked out by hand, and the random numbers. */
#include "graphs.h"

#include <stdlib.h>

static Arena *arena;
static Diag diag;
static Graph *graph;
static Leaves leaves;

static void setup(void)
{
    arena = arena_new();
    graph = test_graph(arena, &diag, MODE_infer);
    leaves = (Leaves){ .arena = arena, .low = -1, .high = 1 };
}

static void teardown(void) { arena_free(arena); }

static Node *data(int rank, const int64_t *dim, const double *values)
{
    Shape s = { .rank = rank };
    for (int d = 0; d < rank; d++) s.dim[d] = dim[d];
    return node_data(graph, s, values);
}

static Node *row(int64_t n, const double *values) { return data(1, &n, values); }

/* Evaluates y and compares it with n numbers. */
static void expect(Node *y, int64_t n, const double *want)
{
    ck_assert_int_eq(shape_elements(y->shape), n);
    graph_root(graph, ROOT_output, "y", y, NULL, (Span){ 0 });
    const double *got = evaluate(graph, &leaves)[graph->root.n - 1];
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs(got[i] - want[i]) <= 1e-12 * fmax(1, fabs(want[i])) || got[i] == want[i],
                      "%s[%d] is %.17g, not %.17g", op_info[y->op].name, (int)i, got[i], want[i]);
}

#define ROW(...) (sizeof((double[]){ __VA_ARGS__ }) / sizeof(double)), (double[]){ __VA_ARGS__ }

static const struct { Op op; double x, y; } unary[] = {
    { OP_neg, 2, -2 },        { OP_exp, 1, 2.718281828459045 },   { OP_expm1, 1e-9, 1.0000000005e-9 },
    { OP_log, 2, 0.6931471805599453 }, { OP_log1p, 1e-9, 9.999999995e-10 }, { OP_sqrt, 9, 3 },
    { OP_abs, -3, 3 },        { OP_sin, 1, 0.8414709848078965 },  { OP_cos, 1, 0.5403023058681398 },
    { OP_tanh, 1, 0.7615941559557649 }, { OP_sigmoid, 0, 0.5 },   { OP_sigmoid, -800, 0 },
    { OP_erf, 0.5, 0.5204998778130465 }, { OP_relu, -1, 0 },      { OP_relu, 2, 2 },
    { OP_floor, -1.5, -2 },   { OP_copy, 5, 5 },                  { OP_stop_gradient, 5, 5 },
};

START_TEST(test_unary) { expect(node_unary(graph, unary[_i].op, node_number(graph, unary[_i].x)), 1, &unary[_i].y); }
END_TEST

static const struct { Op op; double a, b, y; } binary[] = {
    { OP_add, 2, 3, 5 }, { OP_sub, 2, 3, -1 }, { OP_mul, 2, 3, 6 }, { OP_div, 3, 2, 1.5 }, { OP_max, 2, 3, 3 },
    { OP_min, 2, 3, 2 }, { OP_pow, 2, 3, 8 },  { OP_eq, 2, 2, 1 },  { OP_ne, 2, 2, 0 },    { OP_lt, 2, 3, 1 },
    { OP_le, 3, 3, 1 },  { OP_gt, 2, 3, 0 },   { OP_ge, 2, 3, 0 },
};

START_TEST(test_binary)
{
    expect(node_binary(graph, binary[_i].op, node_number(graph, binary[_i].a), node_number(graph, binary[_i].b)), 1,
           &binary[_i].y);
}
END_TEST

START_TEST(test_cast_truncates_and_saturates)
{
    Node *x = row(6, (double[]){ -1.9, 1.9, 300, -3e9, 3e9, NAN });
    expect(node_cast(graph, x, DTYPE_u8), ROW(0, 1, 255, 0, 255, 0));
    expect(node_cast(graph, x, DTYPE_i32), ROW(-1, 1, 300, -2147483648.0, 2147483647.0, 0));
}
END_TEST

START_TEST(test_movement)
{
    Node *x = data(2, (int64_t[]){ 2, 3 }, (double[]){ 1, 2, 3, 4, 5, 6 });
    expect(node_transpose(graph, x, (int64_t[]){ 1, 0 }), ROW(1, 4, 2, 5, 3, 6));
    expect(node_reverse(graph, x, (int64_t[]){ 1 }, 1), ROW(3, 2, 1, 6, 5, 4));
    expect(node_slice(graph, x, (int64_t[]){ 0, 1 }, (Shape){ 2, { 2, 2 } }), ROW(2, 3, 5, 6));
    expect(node_pad(graph, x, (int64_t[]){ 1, 0 }, (int64_t[]){ 0, 1 }, 9), ROW(9, 9, 9, 9, 1, 2, 3, 9, 4, 5, 6, 9));
    expect(node_concat(graph, (Node *[]){ x, x }, 2, 1), ROW(1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6));
    expect(node_broadcast(graph, row(2, (double[]){ 7, 8 }), (Shape){ 2, { 2, 3 } }, (int64_t[]){ 0 }, false),
           ROW(7, 7, 7, 8, 8, 8));
    expect(node_reshape(graph, x, (Shape){ 1, { 6 } }), ROW(1, 2, 3, 4, 5, 6));
    expect(node_iota(graph, (Shape){ 2, { 2, 3 } }, 1, false), ROW(0, 1, 2, 0, 1, 2));
}
END_TEST

START_TEST(test_reductions)
{
    Node *x = data(2, (int64_t[]){ 2, 3 }, (double[]){ 1, -2, 3, 4, 5, -6 });
    expect(node_reduce(graph, OP_sum, x, (int64_t[]){ 0 }, 1), ROW(5, 3, -3));
    expect(node_reduce(graph, OP_reduce_max, x, (int64_t[]){ 1 }, 1), ROW(3, 5));
    expect(node_reduce(graph, OP_reduce_min, x, (int64_t[]){ 0, 1 }, 2), ROW(-6));
}
END_TEST

START_TEST(test_where)
{
    Node *c = row(3, (double[]){ 0, 1, -2 });
    expect(node_where(graph, c, node_number(graph, 5), node_number(graph, 6)), ROW(6, 5, 5));
}
END_TEST

START_TEST(test_windows)
{
    Node *x = row(6, (double[]){ 1, 7, 7, 3, 4, 2 });
    Node *y = node_window(graph, x, (int64_t[]){ 3 }, (int64_t[]){ 1 }, (int64_t[]){ 1 });
    Attr attr[] = { *node_attr(y, ATTR_window), *node_attr(y, ATTR_stride), *node_attr(y, ATTR_dilation),
                    { .name = ATTR_shape, .n = 1, .ints = x->shape.dim } };
    Node *arg = node_new(graph, OP_window_argmax, 2, (Node *[]){ x, y }, 3, attr);
    Node *dy = row(4, (double[]){ 1, 2, 4, 8 });
    Node *dx = node_new(graph, OP_window_unpool, 2, (Node *[]){ dy, arg }, 4, attr);
    expect(y, ROW(7, 7, 7, 4));
    expect(arg, ROW(1, 0, 0, 1));
    expect(dx, ROW(0, 3, 4, 0, 8, 0));
}
END_TEST

/* y[o] += x[2 o + k - 1] w[k]: the border is 0. And its scatter: z[2 o + k - 1] += y[o] w[k]. */
START_TEST(test_contract)
{
    Node *x = row(4, (double[]){ 1, 2, 3, 4 }), *w = row(3, (double[]){ 1, 10, 100 });
    Affine at = affine_add(affine_add(affine_scale(affine_axis(0), 2), affine_axis(1)), affine_constant(-1));
    Contract c = { .n_axes = 2, .extent = { 2, 3 }, .shape = { 1, { 2 } } };
    c.a = (IndexMap){ 1, { at } };
    c.b = (IndexMap){ 1, { affine_axis(1) } };
    c.out = (IndexMap){ 1, { affine_axis(0) } };
    Node *y = node_contract(graph, x, w, &c);
    Contract scatter = { .n_axes = 2, .extent = { 2, 3 }, .a = c.out, .b = c.b, .out = c.a, .shape = { 1, { 4 } } };
    Node *z = node_contract(graph, row(2, (double[]){ 1, 2 }), w, &scatter);
    expect(y, ROW(210, 432));
    expect(z, ROW(10, 102, 20, 200));
}
END_TEST

START_TEST(test_leaves)
{
    Node *a = node_leaf(graph, OP_input, "a", DTYPE_i32, (Shape){ 1, { 2 } }, true);
    Node *rate = node_leaf(graph, OP_scalar, "rate", DTYPE_f32, (Shape){ 0 }, false);
    memcpy(leaf_values(&leaves, "a", 2), (double[]){ 3, -4 }, 2 * sizeof(double));
    *leaf_values(&leaves, "rate", 1) = 0.5;
    expect(node_binary(graph, OP_mul, node_cast(graph, a, DTYPE_f32), rate), ROW(1.5, -2));
}
END_TEST

/* Storage of results that are no longer read is used again; roots must survive that. */
START_TEST(test_long_chains_keep_roots)
{
    Node *x = row(3, (double[]){ 1, 2, 3 }), *first = node_binary(graph, OP_add, x, node_number(graph, 1)), *y = first;
    for (int i = 0; i < 1000; i++) y = node_binary(graph, OP_add, y, node_number(graph, 1));
    graph_root(graph, ROOT_output, "first", first, NULL, (Span){ 0 });
    expect(y, ROW(1002, 1003, 1004));
    ck_assert_double_eq(evaluate(graph, &leaves)[0][2], 4);
}
END_TEST

/* ---- random ---- */

START_TEST(test_random_is_uniform)
{
    enum { N = 100000, BINS = 16 };
    int bin[BINS] = { 0 };
    double sum = 0, lag = 0, before = 0.5;
    for (uint32_t i = 0; i < N; i++) {
        double x = random_uniform(42, 3, 5, i);
        ck_assert(x >= 0 && x < 1 && x * 0x1p24 == floor(x * 0x1p24));
        bin[(int)(x * BINS)]++;
        sum += x;
        lag += (x - 0.5) * (before - 0.5);
        before = x;
    }
    ck_assert_double_lt(fabs(sum / N - 0.5), 0.004);
    ck_assert_double_lt(fabs(lag / N), 0.002);
    for (int i = 0; i < BINS; i++) ck_assert_int_lt(abs(bin[i] - N / BINS), 350);
}
END_TEST

START_TEST(test_random_depends_on_everything)
{
    double base = random_uniform(1, 2, 3, 4);
    ck_assert_double_eq(base, random_uniform(1, 2, 3, 4));
    ck_assert_double_ne(base, random_uniform(2, 2, 3, 4));
    ck_assert_double_ne(base, random_uniform(1 + (1ull << 32), 2, 3, 4));
    ck_assert_double_ne(base, random_uniform(1, 3, 3, 4));
    ck_assert_double_ne(base, random_uniform(1, 2, 4, 4));
    ck_assert_double_ne(base, random_uniform(1, 2, 3, 5));
}
END_TEST

/* The bits are part of the format: a change of them changes every training run. */
START_TEST(test_random_is_fixed)
{
    uint32_t b[2];
    random_base(42, 7, 1, b);
    ck_assert_uint_eq(b[0], 0xcd0f3d71u);
    ck_assert_uint_eq(b[1], 0x77d8c736u);
    ck_assert_uint_eq(random_hash(b, 5), 0x77d8e97au);
}
END_TEST

START_TEST(test_random_node)
{
    Node *x = node_random(graph, (Shape){ 2, { 2, 2 } }, 9, false);
    expect(x, ROW(random_uniform(42, 7, 9, 0), random_uniform(42, 7, 9, 1), random_uniform(42, 7, 9, 2),
                  random_uniform(42, 7, 9, 3)));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("eval");
    TCase *t = tcase_create("eval");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_unary, 0, (int)LENGTH(unary));
    tcase_add_loop_test(t, test_binary, 0, (int)LENGTH(binary));
    tcase_add_test(t, test_cast_truncates_and_saturates);
    tcase_add_test(t, test_movement);
    tcase_add_test(t, test_reductions);
    tcase_add_test(t, test_where);
    tcase_add_test(t, test_windows);
    tcase_add_test(t, test_contract);
    tcase_add_test(t, test_leaves);
    tcase_add_test(t, test_long_chains_keep_roots);
    tcase_add_test(t, test_random_is_uniform);
    tcase_add_test(t, test_random_depends_on_everything);
    tcase_add_test(t, test_random_is_fixed);
    tcase_add_test(t, test_random_node);
    suite_add_tcase(s, t);
    return run_suite(s);
}
