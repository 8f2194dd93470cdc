/* test_hoist.c -- of a scan only what needs the carried state is left in the steps, and every result stays what it was. */
#include "graphs.h"

#include <stdlib.h>

enum { STEPS = 9, LAYERS = 2 };

static Arena *arena;
static Diag diag;
static TrainPlan plan;

static Graph *stacked(Mode mode, const char *without, const char *until)
{
    int status = 0;
    Sources *sources = NEW(arena, Sources);
    sources->arena = arena;
    diag = (Diag){.sources = sources, .out = stderr};
    Model *m = model_read(arena, &diag, sources, "tests/nets/stacked.net", &status);
    ck_assert_ptr_nonnull(m);
    ResolveOptions options = {.mode = mode, .batch = 2};
    ck_assert(resolve_train(m, &options, "stacked", &plan));
    Graph *g = resolve(m, &options);
    ck_assert_ptr_nonnull(g);
    PassContext context = {.plan = &plan, .without = &without, .n_without = without ? 1 : 0};
    passes_run(g, &context, until);
    return g;
}

static int count(const Graph *g, Op op)
{
    int n = 0;
    for (int i = 0; i < g->node.n; i++) n += g->node.at[i]->op == op;
    return n;
}

START_TEST(only_the_recurrence_stays)
{
    arena = arena_new();
    /* forward: a product with h a step and layer, one projection a layer, the head */
    ck_assert_int_eq(count(stacked(MODE_infer, NULL, "hoist"), OP_contract), LAYERS * STEPS + LAYERS + 1);
    /* backward: a product for h a step and layer but the first step's; per layer the gradients of both weights, and of
       the first step's state; the second layer's gradient for the first; the head's two */
    int forward = LAYERS * STEPS + LAYERS + 1, backward = LAYERS * (STEPS - 1) + LAYERS * 3 + 1 + 2;
    Graph *g = stacked(MODE_train, NULL, "hoist");
    ck_assert_int_eq(count(g, OP_contract), forward + backward);
    ck_assert_int_eq(count(g, OP_pad), 0);
    ck_assert_int_gt(count(stacked(MODE_train, "hoist", "tidy"), OP_contract), 2 * LAYERS * 3 * (STEPS - 1));
    arena_free(arena);
}
END_TEST

START_TEST(results_stay)
{
    arena = arena_new();
    for (Mode mode = MODE_infer; mode <= MODE_train; mode++) {
        Leaves leaves = {.arena = arena, .low = -1, .high = 1};
        Graph *with = stacked(mode, NULL, "tidy"), *without = stacked(mode, "hoist", "tidy");
        const double **x = evaluate(with, &leaves), **y = evaluate(without, &leaves);
        ck_assert_int_eq(with->root.n, without->root.n);
        for (int i = 0; i < with->root.n; i++)
            for (int64_t k = 0; k < shape_elements(with->root.at[i].node->shape); k++)
                ck_assert_double_eq_tol(x[i][k], y[i][k], 1e-12);
    }
    arena_free(arena);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hoist");
    TCase *t = tcase_create("hoist");
    tcase_add_test(t, only_the_recurrence_stays);
    tcase_add_test(t, results_stay);
    suite_add_tcase(s, t);
    return run_suite(s);
}
