/* test_trim.c -- a contraction of which slices alone are used computes those, and the outputs stay what they were. */
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

enum { BATCH = 2, IN = 3, OUT = 6, SIZE = 5, KERNEL = 3, STRIDE = 2, WHOLE = STRIDE * (SIZE - 1) + KERNEL };

/* As a data gradient: it scatters. */
static Node *scatter(void)
{
    enum { B, OC, O, IC, K, AXES };
    Contract c = { .n_axes = AXES, .extent = { BATCH, OUT, SIZE, IN, KERNEL }, .shape = { 3, { BATCH, OUT, WHOLE } } };
    c.a = (IndexMap){ 3, { affine_axis(B), affine_axis(IC), affine_axis(O) } };
    c.b = (IndexMap){ 3, { affine_axis(OC), affine_axis(IC), affine_axis(K) } };
    c.out = (IndexMap){ 3, { affine_axis(B), affine_axis(OC), affine_add(affine_scale(affine_axis(O), STRIDE), affine_axis(K)) } };
    Node *x = node_leaf(graph, OP_input, "x", DTYPE_f32, (Shape){ 3, { BATCH, IN, SIZE } }, true);
    return node_contract(graph, x, test_param(graph, "w", 3, (int64_t[]){ OUT, IN, KERNEL }), &c);
}

static Node *slice(Node *x, int64_t channel, int64_t channels, int64_t from, int64_t size)
{
    return node_slice(graph, x, (int64_t[]){ 0, channel, from }, (Shape){ 3, { BATCH, channels, size } });
}

static void output(Node *y) { graph_root(graph, ROOT_output, "y", y, NULL, (Span){ 0 }); }

/* The shape of the only contraction behind the passes trim and gather, which leave the outputs as they were. */
static Shape trimmed(bool gathers)
{
    graph_sort(graph);
    const double **before = evaluate(graph, &leaves);
    pass_trim(graph, NULL);
    graph_verify(graph, "trim");
    Shape s = { 0 };
    for (int i = 0; i < graph->node.n; i++)
        if (graph->node.at[i]->op == OP_contract) s = graph->node.at[i]->shape;
    if (gathers) pass_gather(graph, NULL);
    graph_verify(graph, "gather");
    const double **after = evaluate(graph, &leaves);
    for (int r = 0; r < graph->root.n; r++)
        for (int64_t i = 0; i < shape_elements(graph->root.at[r].node->shape); i++)
            ck_assert_double_eq_tol(after[r][i], before[r][i], 1e-12);
    return s;
}

START_TEST(test_one_slice)
{
    output(slice(scatter(), 1, 4, 2, WHOLE - 3));
    ck_assert(shape_equal(trimmed(_i), (Shape){ 3, { BATCH, 4, WHOLE - 3 } }));
}
END_TEST

START_TEST(test_box_of_slices)
{
    Node *y = scatter();
    output(slice(y, 0, 2, 1, 3));
    output(slice(y, 3, 2, 2, 4));
    ck_assert(shape_equal(trimmed(_i), (Shape){ 3, { BATCH, 5, 5 } }));
}
END_TEST

START_TEST(test_other_users_need_all)
{
    Node *y = scatter();
    output(slice(y, 0, 2, 1, 3));
    output(node_unary(graph, OP_neg, y));
    ck_assert(shape_equal(trimmed(_i), (Shape){ 3, { BATCH, OUT, WHOLE } }));
}
END_TEST

START_TEST(test_output_needs_all)
{
    Node *y = scatter();
    output(slice(y, 0, 2, 1, 3));
    output(y);
    ck_assert(shape_equal(trimmed(_i), (Shape){ 3, { BATCH, OUT, WHOLE } }));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("trim");
    TCase *t = tcase_create("trim");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_one_slice, 0, 2);
    tcase_add_loop_test(t, test_box_of_slices, 0, 2);
    tcase_add_loop_test(t, test_other_users_need_all, 0, 2);
    tcase_add_test(t, test_output_needs_all);
    suite_add_tcase(s, t);
    return run_suite(s);
}
