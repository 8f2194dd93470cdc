/* test_error.c -- the published bound of rounding against what compiled nets of f32 are off from the interpreter in double,
   for every tile; and what `auto` makes of costs and of a budget. */
#include "../../compiler/cli/host.h"
#include "nets.h"

#include <stdlib.h>

static Diag diag;
static Leaves leaves;
static const int tiles[] = { WINOGRAD_off, WINOGRAD_2, WINOGRAD_4 };

static void setup(void)
{
    arena = arena_new();
    graph = test_graph(arena, &diag, MODE_infer);
    leaves = (Leaves){ .arena = arena, .low = -1, .high = 1 };
}

static void teardown(void) { arena_free(arena); }

static Node *image(int64_t n, int64_t c, int64_t h, int64_t w)
{
    graph->batch = n;
    return input("x", (Shape){ 4, { n, c, h, w } });
}

static Node *relu(Node *x) { return node_unary(graph, OP_relu, x); }

/* Some convolutions one after the other, with sums of two. */
static void random_net(int seed)
{
    draw_state = (uint32_t)seed * 747796405u + 1;
    Node *x = image(1 + draw(2), 4 + draw(40), 5 + draw(12), 5 + draw(12));
    for (int i = 0, n = 1 + draw(5); i < n; i++) {
        Node *y = conv(x, arena_printf(arena, "conv%d", i), 4 + draw(40), 3, 1, 1);
        x = i + 1 < n && draw(3) ? relu(y) : y;
        if (draw(2)) x = node_binary(graph, OP_add, x, conv(relu(x), arena_printf(arena, "again%d", i), x->shape.dim[1], 3, 1, 1));
    }
    output(x);
    graph_sort(graph);
}

static void round_leaves(void)
{
    for (int i = 0; i < graph->node.n; i++) {
        const Node *n = graph->node.at[i];
        if (!(op_info[n->op].flags & OF_LEAF) || !n->name) continue;
        double *v = leaf_values(&leaves, n->name, shape_elements(n->shape));
        for (int64_t k = 0; k < shape_elements(n->shape); k++) v[k] = (float)v[k];
    }
}

/* The largest difference from y, in root mean squares of y. */
static double measured(const double *y)
{
    Unit u = { .arena = arena, .net = "test", .target = target_find("native") };
    u.forward = graph_lower(graph, "forward", &(LowerOptions){ 0 });
    unit_fields(&u);
    Host h;
    ck_assert_int_eq(host_open(&h, arena, &u), 0);
    for (int f = 0; f < u.weights.n; f++)
        field_write(&h, &u.weights.at[f], h.weights, leaf_values(&leaves, u.weights.at[f].name, u.weights.at[f].buffer->elements));
    const HostProgram *p = &h.program[PROGRAM_forward];
    for (int64_t i = 0; i < p->input[0]->elements; i++)
        host_put(&h, DTYPE_f32, p->input_data[0], i, leaf_values(&leaves, "x", p->input[0]->elements)[i]);
    host_run(&h, PROGRAM_forward);
    double worst = 0, squares = 0;
    const int64_t n = p->output[0]->elements;
    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs(host_get(&h, DTYPE_f32, p->output_data[0], i) - y[i]));
        squares += y[i] * y[i];
    }
    host_close(&h);
    return worst / sqrt(squares / (double)n);
}

START_TEST(within_bound)
{
    const int tile = tiles[(size_t)_i % LENGTH(tiles)];
    random_net(_i / (int)LENGTH(tiles));
    round_leaves();
    const double *y = evaluate(graph, &leaves)[0];
    passes_run(graph, &(PassContext){ .winograd = tile }, NULL);
    const ErrorBound e = graph_error(graph);
    const double found = measured(y);
    ck_assert_int_eq(e.tiled > 0, tile != WINOGRAD_off);
    ck_assert_double_le(found, e.largest);
    ck_assert_double_gt(found, e.largest / 300);          /* a bound that says nothing is none */
}
END_TEST

static int tile_of(const char *name)
{
    for (int i = 0; i < graph->node.n; i++) {
        const Node *n = graph->node.at[i];
        if (n->op == OP_winograd && n->name && !strcmp(n->name, name)) return (int)node_int(n, ATTR_tile);
    }
    return 0;
}

/* Parameters with values: their transforms cost nothing at run time. */
static void know_weights(void)
{
    graph_sort(graph);
    for (int i = 0; i < graph->node.n; i++)
        if (graph->node.at[i]->op == OP_param) graph->node.at[i]->value = NEW_ARRAY(arena, float, shape_elements(graph->node.at[i]->shape));
}

/* A large map; a map of one tile; weights that only memory holds, for a few places. */
START_TEST(by_cost)
{
    Node *x = image(1, 32, 28, 28);
    output(conv(x, "large", 32, 3, 1, 1));
    output(conv(node_slice(graph, x, (int64_t[]){ 0, 0, 0, 0 }, (Shape){ 4, { 1, 32, 1, 1 } }), "point", 32, 3, 1, 1));
    know_weights();
    passes_run(graph, &(PassContext){ .winograd = WINOGRAD_auto, .error_budget = 1 }, NULL);
    ck_assert_int_eq(tile_of("large"), 4);
    ck_assert_int_eq(tile_of("point"), 0);
}
END_TEST

START_TEST(by_memory)
{
    output(conv(image(1, 1024, 7, 7), "deep", 1024, 3, 1, 1));
    know_weights();
    passes_run(graph, &(PassContext){ .winograd = WINOGRAD_auto, .error_budget = 1 }, NULL);
    ck_assert_int_eq(tile_of("deep"), 2);
}
END_TEST

/* Weights that are known at run time alone: their transforms cost more than they save on a small map. */
START_TEST(by_knowledge)
{
    output(conv(image(1, 64, 8, 8), "small", 64, 3, 1, 1));
    passes_run(graph, &(PassContext){ .winograd = WINOGRAD_auto, .error_budget = 1 }, NULL);
    ck_assert_int_eq(tile_of("small"), 0);
}
END_TEST

/* Smaller tiles, then none, as the budget shrinks; the bound keeps to it. */
START_TEST(by_budget)
{
    static const struct { double budget; int tile; } row[] = { { 1, 4 }, { 3e-5, 2 }, { 1e-7, 0 }, { 0, 0 } };
    for (size_t i = 0; i < LENGTH(row); i++) {
        graph = test_graph(arena, &diag, MODE_infer);
        output(conv(image(1, 32, 28, 28), "large", 32, 3, 1, 1));
        know_weights();
        passes_run(graph, &(PassContext){ .winograd = WINOGRAD_auto, .error_budget = row[i].budget }, NULL);
        ck_assert_int_eq(tile_of("large"), row[i].tile);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("error");
    TCase *t = tcase_create("error");
    const char *mode = getenv("mode");
    tcase_set_timeout(t, 600);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, within_bound, 0, (int)LENGTH(tiles) * (mode && !strcmp(mode, "all") ? 12 : 2));
    tcase_add_test(t, by_cost);
    tcase_add_test(t, by_memory);
    tcase_add_test(t, by_knowledge);
    tcase_add_test(t, by_budget);
    suite_add_tcase(s, t);
    return run_suite(s);
}
