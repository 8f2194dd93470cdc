/* test_winograd.c -- convolutions by tiles are the convolutions that they stand for: as graphs, as loops, and as C. */
#include "emitted.h"
#include "nets.h"

static Diag diag;
static Leaves leaves;
static const int64_t tiles[] = { 2, 4 };

static void begin(Mode mode)
{
    graph = test_graph(arena, &diag, mode);
    leaves = (Leaves){ .arena = arena, .low = -1, .high = 1 };
}

static void setup(void)
{
    arena = arena_new();
    begin(MODE_infer);
}

static void teardown(void) { arena_free(arena); }

static int count(Op op)
{
    int n = 0;
    for (int i = 0; i < graph->node.n; i++) n += graph->node.at[i]->op == op;
    return n;
}

static void passes(int64_t tile, const char *without)
{
    const PassContext context = { .winograd = (int)tile, .gradients_only = true, .without = &without, .n_without = without ? 1 : 0 };
    passes_run(graph, &context, NULL);
}

/* Every value of the roots before the passes and behind them; loops against the graph. */
static void keeps_meaning(int64_t tile, int convolutions)
{
    graph_sort(graph);
    Graph *plain = graph_copy(graph);
    if (plain->mode == MODE_train) pass_grad(plain, &(PassContext){ .gradients_only = true });
    const double **before = evaluate(plain, &leaves);
    passes(tile, NULL);
    ck_assert_int_eq(plain->root.n, graph->root.n);
    ck_assert_int_eq(count(OP_winograd) + count(OP_winograd_weights), convolutions);
    const double **after = evaluate(graph, &leaves);
    for (int r = 0; r < graph->root.n; r++)
        for (int64_t i = 0; i < shape_elements(graph->root.at[r].node->shape); i++)
            ck_assert_double_le(fabs(after[r][i] - before[r][i]), 1e-10 * fmax(1, fabs(before[r][i])));
    const char *differs = runs_differ(graph, &leaves);
    ck_assert_msg(!differs, "%s", differs);
}

static Node *relu(Node *x) { return node_unary(graph, OP_relu, x); }

static Node *image(int64_t n, int64_t c, int64_t h, int64_t w)
{
    graph->batch = n;
    return input("x", (Shape){ 4, { n, c, h, w } });
}

/* Sizes that tiles fit, and those that they reach over; samples and channels that are one vector, and that are not. */
static const int64_t sizes[][2] = { { 1, 1 }, { 2, 3 }, { 4, 4 }, { 5, 8 }, { 7, 7 }, { 11, 13 }, { 8, 6 }, { 3, 17 } };
static const int64_t channels[][2] = { { 4, 4 }, { 16, 5 }, { 7, 17 } };

/* A chain: a bias and an activation, a sum of two convolutions, and one that stores into the border of the next. */
static Node *chain(int64_t n, int64_t in, int64_t out, int64_t h, int64_t w)
{
    Node *x = relu(conv(image(n, in, h, w), "first", out, 3, 1, 1));
    Node *y = conv(relu(conv(x, "second", in, 3, 1, 1)), "third", out, 3, 1, 1);
    y = relu(node_binary(graph, OP_add, y, x));
    output(y);
    return y;
}

START_TEST(forward)
{
    const int64_t *size = sizes[(size_t)_i % LENGTH(sizes)], *c = channels[(size_t)_i % LENGTH(channels)];
    chain(1 + _i % 3, c[0], c[1], size[0], size[1]);
    keeps_meaning(tiles[(size_t)_i / LENGTH(sizes)], 3);
}
END_TEST

/* No border, and one of two. */
START_TEST(borders)
{
    for (int64_t pad = 0; pad < 3; pad += 2) {
        begin(MODE_infer);
        output(relu(conv(image(2, 5, 6, 9), "conv", 6, 3, 1, pad)));
        keeps_meaning(tiles[_i], 1);
    }
}
END_TEST

static int kernels(void)
{
    return graph_lower(graph, "forward", &(LowerOptions){ 0 })->kernel.n;
}

/* Samples whose tiles are too large together are transformed, multiplied and stored block by block. */
START_TEST(blocks)
{
    output(relu(conv(image(2, 4, 11, 13), "conv", 6, 3, 1, 1)));
    keeps_meaning(tiles[_i], 1);
    const int together = kernels();
    begin(MODE_infer);
    output(relu(conv(image(4, 31, 38, 37), "conv", 33, 3, 1, 1)));
    keeps_meaning(tiles[_i], 1);
    ck_assert_int_gt(kernels(), together + 4);
}
END_TEST

/* So too rows of one sample, forward and for the gradient of weights: those behind the last whole tile are in the last block. */
START_TEST(rows)
{
    output(relu(conv(image(1, 4, 97, 90), "conv", 6, 3, 1, 1)));
    keeps_meaning(tiles[_i], 1);
    const Program *p = graph_lower(graph, "forward", &(LowerOptions){ 0 });
    int parts = 0;
    for (int i = 0; i < p->kernel.n; i++) parts += strstr(p->kernel.at[i]->name, "products") != NULL;
    ck_assert_int_eq(parts, tiles[_i] == 4 ? 5 : 7);
    begin(MODE_train);
    Node *y = node_unary(graph, OP_tanh, conv(image(1, 4, 97, 90), "conv", 6, 3, 1, 1));
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, y), NULL, (Span){ 0 });
    keeps_meaning(tiles[_i], 2);
}
END_TEST

static bool reads_table(const Expr *e)
{
    bool any = e->kind == EX_load && e->buffer->kind == BUF_constant;
    for (int i = 0; i < expr_args[e->kind]; i++) any |= reads_table(e->arg[i]);
    return any;
}

/* Weights that training changes are transformed by one kernel, which knows both matrices; their planes lie apart. */
START_TEST(weights)
{
    const int64_t places = (tiles[_i] + 2) * (tiles[_i] + 2);
    output(relu(conv(image(1, 32, 9, 8), "conv", 32, 3, 1, 1)));
    keeps_meaning(tiles[_i], 1);
    const Program *p = graph_lower(graph, "forward", &(LowerOptions){ 0 });
    int both = 0;
    for (int i = 0; i < p->kernel.n; i++) {
        const Kernel *k = p->kernel.at[i];
        for (int e = 0; kernel_expr(k, e); e++) ck_assert(!reads_table(kernel_expr(k, e)));
        if (!strstr(k->name, "weights")) continue;
        ck_assert_int_eq(k->more.n, places - 1);
        ck_assert_int_eq(buffer_memory(k->out)->elements, places * (32 * 32 + LINE));
        both++;
    }
    ck_assert_int_eq(both, 1);
    const Program *plain = graph_lower(graph, "forward", &(LowerOptions){ .no_fuse = true });
    int sides = 0;
    for (int i = 0; i < plain->kernel.n; i++) sides += strstr(plain->kernel.at[i]->name, "weights") != NULL;
    ck_assert_int_eq(sides, 2);
}
END_TEST

/* Two forward, the gradient for the data of the second, and for the weights of both. */
START_TEST(gradients)
{
    Node *y = conv(node_unary(graph, OP_tanh, conv(image(2, 4, 7, 6), "first", 5, 3, 1, 1)), "second", 6, 3, 1, 1);
    graph->mode = MODE_train;
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, node_unary(graph, OP_tanh, y)), NULL, (Span){ 0 });
    keeps_meaning(tiles[_i], 5);
}
END_TEST

/* What is no 3x3 convolution of stride 1, or has too few channels, stays. */
START_TEST(others)
{
    Node *x = image(2, 4, 9, 9);
    output(conv(x, "stride", 4, 3, 2, 1));
    output(conv(x, "one", 4, 1, 1, 0));
    output(conv(x, "five", 4, 5, 1, 2));
    output(conv(x, "few", 3, 3, 1, 1));
    keeps_meaning(tiles[_i], 0);
}
END_TEST

START_TEST(off_by_default)
{
    chain(1, 4, 4, 8, 8);
    passes(WINOGRAD_off, NULL);
    ck_assert_int_eq(count(OP_winograd), 0);
}
END_TEST

/* Known weights are transformed at compile time: one parameter each. */
START_TEST(frozen)
{
    chain(1, 4, 8, 8, 8);
    for (int i = 0; i < graph->node.n; i++) {
        Node *n = graph->node.at[i];
        if (n->op == OP_param) n->value = NEW_ARRAY(arena, float, shape_elements(n->shape));
    }
    passes(tiles[_i], NULL);
    ck_assert_int_eq(count(OP_winograd), 3);
    ck_assert_int_eq(count(OP_contract), 0);
    ck_assert_int_eq(count(OP_param), 6);
}
END_TEST

/* Four tiles of 4 read 1.2 MB of weights, sixteen of 2 half as much: what is better hangs on the last cache. */
START_TEST(by_cost)
{
    for (int far = 8; far <= 16; far += 8) {
        begin(MODE_infer);
        output(conv(image(1, 64, 8, 8), "wide", 128, 3, 1, 1));
        for (int i = 0; i < graph->node.n; i++)
            if (graph->node.at[i]->op == OP_param) graph->node.at[i]->value = NEW_ARRAY(arena, float, shape_elements(graph->node.at[i]->shape));
        passes_run(graph, &(PassContext){ .winograd = WINOGRAD_auto, .error_budget = 1, .lanes = 16, .far = far }, NULL);
        int64_t places = 0;
        for (int i = 0; i < graph->node.n; i++)
            if (graph->node.at[i]->op == OP_param && graph->node.at[i]->shape.rank > 1) places = shape_elements(graph->node.at[i]->shape) / (64 * 128);
        ck_assert_int_eq(places, far == 8 ? 16 : 36);
    }
}
END_TEST

/* ---- emitted ---- */

static const Target *target;
static bool f64;
static int threads;
static Emittees all;

static void emit_chain(int i)
{
    const int64_t *size = sizes[(size_t)i % LENGTH(sizes)], *c = channels[(size_t)i % LENGTH(channels)];
    begin(MODE_infer);
    chain(1 + i % 3, c[0] * (1 + i % 5), c[1] * (1 + i % 3), size[0], size[1]);
    passes(tiles[i % 2], i % 7 ? NULL : "layout");
    emittee_add(&all, graph, &leaves, target, f64, i % 5 != 0, threads);
}

static void emit_gradient(int64_t tile)
{
    begin(MODE_train);
    Node *y = conv(relu(conv(image(2, 7, 6, 9), "first", 18, 3, 1, 1)), "second", 5, 3, 1, 1);
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, node_unary(graph, OP_tanh, y)), NULL, (Span){ 0 });
    graph_sort(graph);
    passes(tile, NULL);
    emittee_add(&all, graph, &leaves, target, f64, true, threads);
}

static const struct { const char *target, *cc, *flags, *run; bool f64; int threads; } runs[] = {
    { "scalar", "gcc", "-O0", "", true, 1 },   { "native", "cc", "-O1", "", false, 1 },
    { "native", "cc", "-O1", "", false, 3 },  { "scalar", "clang", "-O1", "", false, 1 },
    { "sse", "gcc", "-O2", "", false, 1 },     { "sse", "clang", "-O1", "", false, 1 },
    { "avx2", "gcc", "-O2", "", false, 1 },    { "avx2", "clang", "-O1", "", false, 2 },
    { "avx512", "gcc", "-O2", "", false, 1 },  { "avx512", "clang", "-O1", "", false, 1 },
    { "neon", "aarch64-linux-gnu-gcc", "-O1 -static", "qemu-aarch64 ", false, 1 },
};
enum { QUICK_RUNS = 2, QUICK_CASES = 5, CASES = 24 };

START_TEST(emitted)
{
    const bool quick = _i < QUICK_RUNS;
    target = target_find(runs[_i].target);
    f64 = runs[_i].f64;
    threads = runs[_i].threads;
    if (!*runs[_i].run && !target_runs_here(target)) return;
    all = (Emittees){ .arena = arena, .dir = arena_printf(arena, "build/emitted/winograd-%d", _i) };
    for (int i = 0; i < (quick ? QUICK_CASES : CASES); i++) emit_chain(i);
    for (size_t i = 0; i < LENGTH(tiles); i++) emit_gradient(tiles[i]);
    const char *wrong = emitted_run(&all, runs[_i].cc, runs[_i].flags, runs[_i].run);
    ck_assert_msg(!wrong, "%s", wrong);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("winograd");
    TCase *t = tcase_create("winograd");
    const char *mode = getenv("mode");
    tcase_set_timeout(t, 600);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, forward, 0, LENGTH(sizes) * LENGTH(tiles));
    tcase_add_loop_test(t, borders, 0, LENGTH(tiles));
    tcase_add_loop_test(t, blocks, 0, LENGTH(tiles));
    tcase_add_loop_test(t, rows, 0, LENGTH(tiles));
    tcase_add_loop_test(t, weights, 0, LENGTH(tiles));
    tcase_add_loop_test(t, gradients, 0, LENGTH(tiles));
    tcase_add_loop_test(t, others, 0, LENGTH(tiles));
    tcase_add_test(t, off_by_default);
    tcase_add_loop_test(t, frozen, 0, LENGTH(tiles));
    tcase_add_test(t, by_cost);
    tcase_add_loop_test(t, emitted, 0, mode && !strcmp(mode, "all") ? LENGTH(runs) : QUICK_RUNS);
    suite_add_tcase(s, t);
    return run_suite(s);
}
