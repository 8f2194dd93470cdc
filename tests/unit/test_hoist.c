/* test_hoist.c -- of a scan only what needs the carried state is left in the steps, and every result stays what it was; what lies side by side is not added. */
#include "graphs.h"

enum { STEPS = 9, LAYERS = 2 };

static Arena *arena;

static Graph *stacked(Mode mode, const char *without, const char *until)
{
    return test_net(arena, test_model(arena, "tests/nets/stacked.net"), "stacked", mode, without, until);
}

START_TEST(only_the_recurrence_stays)
{
    arena = arena_new();
    /* forward: a product with h a step and layer, one projection a layer, the head */
    ck_assert_int_eq(test_count(stacked(MODE_infer, NULL, "hoist"), OP_contract), LAYERS * STEPS + LAYERS + 1);
    /* backward: a product for h a step and layer but the first step's; per layer the gradients of both weights, and of
       the first step's state; the second layer's gradient for the first; the head's two */
    int forward = LAYERS * STEPS + LAYERS + 1, backward = LAYERS * (STEPS - 1) + LAYERS * 3 + 1 + 2;
    Graph *g = stacked(MODE_train, NULL, "hoist");
    ck_assert_int_eq(test_count(g, OP_contract), forward + backward);
    ck_assert_int_eq(test_count(g, OP_pad), 0);
    ck_assert_int_gt(test_count(stacked(MODE_train, "hoist", "tidy"), OP_contract), 2 * LAYERS * 3 * (STEPS - 1));
    arena_free(arena);
}
END_TEST

START_TEST(results_stay)
{
    arena = arena_new();
    for (Mode mode = MODE_infer; mode <= MODE_train; mode++) {
        Leaves leaves = {.arena = arena, .low = -1, .high = 1};
        test_equal(stacked(mode, NULL, "tidy"), stacked(mode, "hoist", "tidy"), &leaves);
    }
    arena_free(arena);
}
END_TEST

/* Queries, keys and values are slices of one product, or read slices of one weight: their gradients lie side by side. */
START_TEST(slices_have_one_gradient)
{
    arena = arena_new();
    Graph *before = test_net(arena, test_model(arena, "tests/nets/causal.net"), "causal", MODE_train, "mask", "grad");
    Graph *g = test_net(arena, test_model(arena, "tests/nets/causal.net"), "causal", MODE_train, "mask", "hoist");
    ck_assert_int_eq(test_count(before, OP_pad), 6);
    ck_assert_int_eq(test_count(g, OP_pad), 0);
    ck_assert_int_eq(test_count(g, OP_concat), test_count(before, OP_concat) + 2);
    arena_free(arena);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hoist");
    TCase *t = tcase_create("hoist");
    tcase_add_test(t, only_the_recurrence_stays);
    tcase_add_test(t, results_stay);
    tcase_add_test(t, slices_have_one_gradient);
    suite_add_tcase(s, t);
    return run_suite(s);
}
