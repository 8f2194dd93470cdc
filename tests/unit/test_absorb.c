/* test_absorb.c -- batchnorms go into weights and weights are frozen, and the outputs stay what they were. */
#include "graphs.h"

static Arena *arena;
static Diag diag;
static Graph *graph;
static Leaves leaves;

static void setup(void)
{
    arena = arena_new();
    graph = test_graph(arena, &diag, MODE_infer);
    leaves = (Leaves){ .arena = arena, .low = 0.5, .high = 1.5 };
}

static void teardown(void) { arena_free(arena); }

/* A parameter whose value is known, exactly as a float. */
static Node *known(const char *name, int rank, const int64_t *dim)
{
    Node *n = test_param(graph, name, rank, dim);
    int64_t count = shape_elements(n->shape);
    double *value = leaf_values(&leaves, name, count);
    float *rounded = NEW_ARRAY(arena, float, count);
    for (int64_t i = 0; i < count; i++) value[i] = (double)(rounded[i] = (float)value[i]);
    n->value = rounded;
    return n;
}

enum { BATCH = 2, IN = 3, OUT = 4, SIZE = 5, KERNEL = 3 };

static Node *input(void) { return node_leaf(graph, OP_input, "x", DTYPE_f32, (Shape){ 3, { BATCH, IN, SIZE } }, true); }

static Node *conv(Node *x)
{
    enum { B, OC, O, IC, K, AXES };
    Contract c = { .n_axes = AXES, .extent = { BATCH, OUT, SIZE, IN, KERNEL }, .shape = { 3, { BATCH, OUT, SIZE } } };
    Affine at = affine_add(affine_add(affine_axis(O), affine_axis(K)), affine_constant(-1));
    c.a = (IndexMap){ 3, { affine_axis(B), affine_axis(IC), at } };
    c.b = (IndexMap){ 3, { affine_axis(OC), affine_axis(IC), affine_axis(K) } };
    c.out = (IndexMap){ 3, { affine_axis(B), affine_axis(OC), affine_axis(O) } };
    return node_contract(graph, x, known("conv.weight", 3, (int64_t[]){ OUT, IN, KERNEL }), &c);
}

static Node *channels(const char *name) { return known(name, 1, (int64_t[]){ OUT }); }

static Node *per_channel(Node *x, Node *like) { return node_broadcast(graph, x, like->shape, (int64_t[]){ 1 }, true); }

static Node *binary(Op op, Node *x, Node *y) { return node_binary(graph, op, x, y); }

/* (y - mean) * (weight / sqrt(var + eps)) + bias, with 1/sqrt at the channels or everywhere. */
static Node *batchnorm(Node *y, bool everywhere)
{
    Node *mean = per_channel(channels("bn.running_mean"), y), *bias = per_channel(channels("bn.bias"), y);
    Node *var = channels("bn.running_var"), *weight = channels("bn.weight"), *eps = node_number(graph, 1e-5);
    y = binary(OP_sub, y, mean);
    if (everywhere) {
        Node *sd = node_unary(graph, OP_sqrt, binary(OP_add, per_channel(var, y), eps));
        y = binary(OP_mul, binary(OP_div, y, sd), per_channel(weight, y));
    } else {
        Node *scale = binary(OP_div, weight, node_unary(graph, OP_sqrt, binary(OP_add, var, eps)));
        y = binary(OP_mul, y, per_channel(scale, y));
    }
    return binary(OP_add, y, bias);
}

static int count(Op op)
{
    int n = 0;
    for (int i = 0; i < graph->node.n; i++) n += graph->node.at[i]->op == op;
    return n;
}

/* A frozen parameter's value comes from the node. */
static const double *value_of(void *user, const Node *leaf)
{
    if (!leaf->value) return leaf_callback(user, leaf);
    double *value = NEW_ARRAY(arena, double, shape_elements(leaf->shape));
    for (int64_t i = 0; i < shape_elements(leaf->shape); i++) value[i] = (double)leaf->value[i];
    return value;
}

static const double *output(void)
{
    const double *result[1];
    graph_eval(graph, arena, &(EvalInputs){ .leaf = value_of, .user = &leaves }, result);
    return result[0];
}

static void passes_keep_meaning(Node *y)
{
    graph_root(graph, ROOT_output, "y", y, NULL, (Span){ 0 });
    graph_sort(graph);
    int64_t n = shape_elements(y->shape);
    const double *before = output();
    pass_absorb(graph, NULL);
    graph_verify(graph, "absorb");
    const double *absorbed = output();
    pass_freeze(graph, NULL);
    graph_verify(graph, "freeze");
    const double *frozen = output();
    for (int64_t i = 0; i < n; i++) {
        ck_assert_double_lt(fabs(absorbed[i] - before[i]), 1e-9 * fmax(1, fabs(before[i])));
        ck_assert_double_lt(fabs(frozen[i] - before[i]), 1e-5 * fmax(1, fabs(before[i])));
    }
}

START_TEST(test_batchnorm)
{
    passes_keep_meaning(batchnorm(conv(input()), _i));
    ck_assert_int_eq(count(OP_mul) + count(OP_sub) + count(OP_div) + count(OP_sqrt), 0);
    ck_assert_int_eq(count(OP_add), 1);
    ck_assert_int_eq(count(OP_param), 2);
}
END_TEST

START_TEST(test_batchnorm_after_bias)
{
    Node *y = conv(input());
    passes_keep_meaning(batchnorm(binary(OP_add, y, per_channel(channels("conv.bias"), y)), false));
    ck_assert_int_eq(count(OP_add), 1);
    ck_assert_int_eq(count(OP_param), 2);
}
END_TEST

START_TEST(test_constants)
{
    Node *y = conv(input());
    passes_keep_meaning(binary(OP_sub, node_number(graph, 3), binary(OP_mul, y, node_number(graph, 0.5))));
    ck_assert_int_eq(count(OP_mul), 0);
}
END_TEST

START_TEST(test_other_users_prevent)
{
    Node *y = conv(input());
    passes_keep_meaning(binary(OP_add, y, batchnorm(y, false)));
    ck_assert_int_eq(count(OP_contract), 1);
    ck_assert_int_eq(count(OP_mul), 1);
}
END_TEST

/* A scale along the width is not in the weights. */
START_TEST(test_scale_elsewhere)
{
    Node *y = conv(input()), *w = known("w", 1, (int64_t[]){ SIZE });
    passes_keep_meaning(binary(OP_mul, y, node_broadcast(graph, w, y->shape, (int64_t[]){ 2 }, true)));
    ck_assert_int_eq(count(OP_mul), 1);
}
END_TEST

/* A parameter that is used raw and folded is there twice, under two names. */
START_TEST(test_names)
{
    Node *w = known("w", 1, (int64_t[]){ SIZE }), *x = input();
    Node *y = binary(OP_mul, x, node_broadcast(graph, w, x->shape, (int64_t[]){ 2 }, true));
    Node *twice = binary(OP_add, w, w);
    passes_keep_meaning(binary(OP_add, y, node_broadcast(graph, twice, x->shape, (int64_t[]){ 2 }, true)));
    ck_assert_int_eq(count(OP_param), 2);
    bool raw = false, folded = false;
    for (int i = 0; i < graph->node.n; i++) {
        raw |= graph->node.at[i]->op == OP_param && !strcmp(graph->node.at[i]->name, "w");
        folded |= graph->node.at[i]->op == OP_param && !strcmp(graph->node.at[i]->name, "w.folded");
    }
    ck_assert(raw && folded);
}
END_TEST

START_TEST(test_unknown_weights_stay)
{
    Node *y = batchnorm(conv(input()), false);
    for (int i = 0; i < graph->node.n; i++) graph->node.at[i]->value = NULL;
    graph_root(graph, ROOT_output, "y", y, NULL, (Span){ 0 });
    graph_sort(graph);
    const int n = graph->node.n;
    pass_absorb(graph, NULL);
    pass_freeze(graph, NULL);
    ck_assert_int_eq(graph->node.n, n);
    ck_assert_int_eq(count(OP_sqrt), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("absorb");
    TCase *t = tcase_create("absorb");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_batchnorm, 0, 2);
    tcase_add_test(t, test_batchnorm_after_bias);
    tcase_add_test(t, test_constants);
    tcase_add_test(t, test_other_users_prevent);
    tcase_add_test(t, test_scale_elsewhere);
    tcase_add_test(t, test_names);
    tcase_add_test(t, test_unknown_weights_stay);
    suite_add_tcase(s, t);
    return run_suite(s);
}
