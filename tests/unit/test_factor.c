/* test_factor.c -- a factor of a gradient that reads several tensors is kept from the forward pass, and every gradient stays what it was. */
#include "graphs.h"

static const struct { const char *y; int factors; } cases[] = {
    { "gelu(h)", 1 },
    { "h + gelu(h)", 1 },
    { "h * (1 + tanh(0.8 * (h + 0.04 * h * h * h)))", 1 },
    { "silu(h)", 1 },
    { "gelu(gelu(h) -> dense(4))", 2 },
    { "h * sigmoid(x -> dense(7))", 1 },
    { "-silu(2 * h)", 1 },
    { "exp(h) * sin(h)", 1 },
    /* never: one tensor is enough, there is none, dy is not one contraction */
    { "relu(h)", 0 },
    { "tanh(h)", 0 },
    { "sigmoid(h)", 0 },
    { "h * h", 0 },
    { "h - h * h", 0 },
    { "3 * h", 0 },
    { "softmax(h)", 0 },
    { "softmax(gelu(h))", 0 }
};

static const char net[] =
    "net factored {\n input x : f32[6]\n h = x -> dense(7)\n y = %s\n z = y -> dense(3)\n output z\n loss mean(z * z) }\n"
    "train factored { optimizer = sgd(rate=1) batch = 2 }\n";

static Graph *factored(Arena *a, const char *y, const char *without)
{
    return test_net(a, test_model_of(a, arena_printf(a, net, y)), "factored", MODE_train, without, "factor");
}

/* Before the loss, among what the forward pass makes. */
static bool stands_forward(const Graph *g, const Node *factor)
{
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind == ROOT_loss) return factor->id < g->root.at[i].node->id;
    return false;
}

START_TEST(factors)
{
    Arena *arena = arena_new();
    Leaves leaves = { .arena = arena, .low = -1, .high = 1 };
    Graph *with = factored(arena, cases[_i].y, NULL), *without = factored(arena, cases[_i].y, "factor");
    ck_assert_int_eq(test_count(with, OP_copy), cases[_i].factors);
    ck_assert_int_eq(test_count(without, OP_copy), 0);
    for (int i = 0; i < with->node.n; i++)
        if (with->node.at[i]->op == OP_copy) ck_assert(stands_forward(with, with->node.at[i]));
    test_equal(with, without, &leaves);
    arena_free(arena);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("factor");
    TCase *t = tcase_create("factor");
    tcase_add_loop_test(t, factors, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(s, t);
    return run_suite(s);
}
