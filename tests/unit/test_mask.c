/* test_mask.c -- scores under a known mask are computed in blocks of rows where that saves a fifth, and every result stays what it was. */
#include "graphs.h"

/* x: 160 steps of 8. Products of y besides those for scores and what they weigh: `beside`. */
static const struct { const char *y; int beside, blocks; } cases[] = {
    { "x -> attention(2, causal=true)", 2, 2 },
    { "x -> attention(4, kv_heads=2, causal=true, bias=false)", 2, 2 },
    { "x -> attention(2, memory=transpose(m, [1, 0]), causal=true)", 4, 2 },
    { "weigh(x, where(abs(iota(160) - reshape(iota(160), [160, 1])) < 9, x @ transpose(x, [1, 0]), -1e30))", 0, 2 },
    { "weigh(x, where(iota(160) < reshape(0 * iota(160) + 70, [160, 1]), x @ transpose(x, [1, 0]), -1e30))", 0, 2 },
    /* never: all is seen, too much is, a row sees nothing, what is seen is not known, is not hidden, is asked for; few rows */
    { "x -> attention(2)", 2, 0 },
    { "weigh(x, where(iota(160) < reshape(iota(160), [160, 1]) + 90, x @ transpose(x, [1, 0]), -1e30))", 0, 0 },
    { "weigh(x, where(iota(160) < reshape(iota(160), [160, 1]), x @ transpose(x, [1, 0]), -1e30))", 0, 0 },
    { "x -> attention(2, causal=true, mask=x[:, 0] > 0)", 2, 0 },
    { "weigh(x, where(iota(160) <= reshape(iota(160), [160, 1]), x @ transpose(x, [1, 0]), -9))", 0, 0 },
    { "softmax(where(iota(160) <= reshape(iota(160), [160, 1]), x @ transpose(x, [1, 0]), -1e30))", -1, 0 },
    { "x[0:100] -> attention(2, causal=true)", 2, 0 }
};

static const char net[] =
    "block weigh(x, scores) { e = exp(scores - max(scores, axis=-1, keep=true))\n return (e @ x) / sum(e, axis=-1, keep=true) }\n"
    "net masked {\n input x : f32[160, 8]\n param m : f32[8, 160] = uniform(-1, 1)\n y = %s\n output y\n loss mean(y * y) }\n"
    "train masked { optimizer = sgd(rate=1) batch = 2 }\n";

static Graph *masked(Arena *a, const char *y, Mode mode, const char *without, const char *until)
{
    return test_net(a, test_model_of(a, arena_printf(a, net, y)), "masked", mode, without, until);
}

START_TEST(blocks_of_rows)
{
    Arena *arena = arena_new();
    const char *y = cases[_i].y;
    const int products = cases[_i].beside + 2 * (cases[_i].blocks ? cases[_i].blocks : 1);
    ck_assert_int_eq(test_count(masked(arena, y, MODE_infer, NULL, "mask"), OP_contract), products);
    ck_assert_int_eq(test_count(masked(arena, y, MODE_train, NULL, "mask"), OP_contract), products);
    for (Mode mode = MODE_infer; mode <= MODE_train; mode++) {
        Leaves leaves = { .arena = arena, .low = -1, .high = 1 };
        test_equal(masked(arena, y, mode, NULL, "grad"), masked(arena, y, mode, "mask", "grad"), &leaves);
    }
    arena_free(arena);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mask");
    TCase *t = tcase_create("mask");
    tcase_add_loop_test(t, blocks_of_rows, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(s, t);
    return run_suite(s);
}
