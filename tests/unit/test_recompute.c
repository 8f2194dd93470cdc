/* test_recompute.c -- what is computed again has the values it had, and takes less memory. */
#include "nets.h"

#include "../../compiler/op/lower.h"

enum { WIDTH = 8, LAYERS = 12, BATCH = 2 };

static Diag diag;
static Leaves leaves;

static void setup(void)
{
    arena = arena_new();
    leaves = (Leaves){ .arena = arena, .low = -1, .high = 1 };
}

static void teardown(void) { arena_free(arena); }

/* Layers with a draw in each and a sum around it; `skip` comes from the first to all of them. */
static Graph *chain(int layers, bool skip)
{
    Graph *g = graph = test_graph(arena, &diag, MODE_train);
    Node *x = input("x", (Shape){ 2, { BATCH, WIDTH } }), *first = NULL;
    for (int i = 0; i < layers; i++) {
        Node *y = node_unary(g, OP_tanh, dense(x, arena_printf(arena, "layer_%d", i), WIDTH));
        Node *kept = node_binary(g, OP_lt, node_random(g, y->shape, i + 1, true), node_number(g, 0.75));
        x = node_binary(g, OP_add, x, node_unary(g, OP_sigmoid, node_binary(g, OP_mul, y, kept)));
        if (skip && first) x = node_binary(g, OP_mul, x, first);
        if (!first) first = x;
    }
    graph_root(g, ROOT_loss, "loss", test_loss(g, x), NULL, (Span){ 0 });
    graph_sort(g);
    pass_grad(g, &(PassContext){ .gradients_only = true });
    return g;
}

static int64_t workspace(Graph *g)
{
    return graph_lower(graph_copy(g), "gradient", &(LowerOptions){ 0 })->workspace_bytes;
}

START_TEST(keeps_every_value)
{
    Graph *g = chain(LAYERS, _i % 2);
    const int before = g->node.n;
    const double **want = evaluate(g, &leaves);
    pass_recompute(g, &(PassContext){ .segments = _i / 2 });
    graph_verify(g, "recompute");
    ck_assert_int_eq(g->node.n > before, _i / 2 > 1);
    const double **got = evaluate(g, &leaves);
    for (int r = 0; r < g->root.n; r++)
        for (int64_t i = 0; i < shape_elements(g->root.at[r].node->shape); i++) ck_assert_double_eq(got[r][i], want[r][i]);
}
END_TEST

START_TEST(takes_less_memory)
{
    Graph *plain = chain(16 * LAYERS, false), *segments = chain(16 * LAYERS, false);
    pass_recompute(segments, &(PassContext){ .segments = LAYERS });
    ck_assert_int_lt(5 * workspace(segments), workspace(plain));
    ck_assert_int_lt(segments->node.n, 2 * plain->node.n);
}
END_TEST

/* A net of one layer has nothing between its ends. */
START_TEST(leaves_alone_what_is_short)
{
    Graph *g = chain(1, false);
    const int before = g->node.n;
    pass_recompute(g, &(PassContext){ .segments = 1 });
    ck_assert_int_eq(g->node.n, before);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recompute");
    TCase *t = tcase_create("recompute");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, keeps_every_value, 0, 2 * 9);
    tcase_add_test(t, takes_less_memory);
    tcase_add_test(t, leaves_alone_what_is_short);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
