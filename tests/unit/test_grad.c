/* test_grad.c -- every operator's gradient against central differences; contractions over a sweep of windows. */
#include "graphs.h"

void grad_zero(Graph *g, Node *n, Node *dy, Node **dx);

static Arena *arena;
static Diag diag;
static Graph *graph;

static void setup(void)
{
    arena = arena_new();
    graph = test_graph(arena, &diag, MODE_train);
}

static void teardown(void) { arena_free(arena); }

/* ---- one small expression per operator ---- */

static Node *param(const char *name) { return test_param(graph, name, 3, (int64_t[]){ 2, 3, 4 }); }
static Node *number(double x) { return node_number(graph, x); }
static Node *above(const char *name, double low) { return node_binary(graph, OP_add, param(name), number(low)); }

static Node *make_unary(Op op) { return node_unary(graph, op, param("a")); }
static Node *make_positive(Op op) { return node_unary(graph, op, above("a", 1.5)); }
static Node *make_binary(Op op) { return node_binary(graph, op, param("a"), param("b")); }
static Node *make_div(Op op) { return node_binary(graph, op, param("a"), above("b", 2)); }
static Node *make_pow(Op op)
{
    Node *whole = node_binary(graph, OP_add, node_binary(graph, op, param("a"), number(2)),
                              node_binary(graph, op, param("c"), number(3)));
    return node_binary(graph, OP_add, whole, node_binary(graph, op, above("d", 1.5), param("b")));
}
static Node *make_where(Op op)
{
    (void)op;
    Node *c = node_binary(graph, OP_lt, node_iota(graph, param("a")->shape, 2, false), number(2));
    return node_where(graph, c, param("a"), param("b"));
}
static Node *make_cast(Op op)
{
    (void)op;
    return node_cast(graph, param("a"), DTYPE_f32);
}
static Node *make_reduce(Op op) { return node_reduce(graph, op, param("a"), (int64_t[]){ 0, 2 }, 2); }
static Node *make_contract(Op op)
{
    (void)op;
    Contract c = { .n_axes = 4, .extent = { 2, 3, 4, 3 }, .shape = { 2, { 2, 3 } } };
    c.a = (IndexMap){ 3, { affine_axis(0), affine_axis(1), affine_axis(2) } };
    c.b = (IndexMap){ 2, { affine_axis(2), affine_axis(3) } };
    c.out = (IndexMap){ 2, { affine_axis(0), affine_axis(3) } };
    return node_contract(graph, param("a"), test_param(graph, "w", 2, (int64_t[]){ 4, 3 }), &c);
}
static Node *make_window(Op op)
{
    (void)op;
    return node_window(graph, param("a"), (int64_t[]){ 1, 2, 2 }, (int64_t[]){ 1, 1, 1 }, (int64_t[]){ 1, 1, 2 });
}
static Node *make_reshape(Op op)
{
    (void)op;
    return node_reshape(graph, param("a"), (Shape){ 2, { 6, 4 } });
}
static Node *make_transpose(Op op)
{
    (void)op;
    return node_transpose(graph, param("a"), (int64_t[]){ 2, 0, 1 });
}
static Node *make_broadcast(Op op)
{
    (void)op;
    return node_broadcast(graph, param("a"), (Shape){ 5, { 2, 2, 3, 3, 4 } }, (int64_t[]){ 0, 2, 4 }, false);
}
static Node *make_slice(Op op)
{
    (void)op;
    return node_slice(graph, param("a"), (int64_t[]){ 0, 1, 1 }, (Shape){ 3, { 1, 2, 2 } });
}
static Node *make_reverse(Op op)
{
    (void)op;
    return node_reverse(graph, param("a"), (int64_t[]){ 0, 2 }, 2);
}
static Node *make_pad(Op op)
{
    (void)op;
    return node_pad(graph, param("a"), (int64_t[]){ 0, 1, 2 }, (int64_t[]){ 1, 0, 1 }, 3);
}
static Node *make_concat(Op op)
{
    (void)op;
    return node_concat(graph, (Node *[]){ param("a"), param("b"), test_param(graph, "c", 3, (int64_t[]){ 2, 1, 4 }) }, 3, 1);
}

/* Rows 2, 0 and, behind the end, 2 again. */
static Node *rows(void) { return node_cast(graph, node_data(graph, (Shape){ 1, { 3 } }, (double[]){ 2, 0, 5 }), DTYPE_i32); }
static Node *make_gather(Op op)
{
    (void)op;
    return node_gather(graph, test_param(graph, "t", 2, (int64_t[]){ 3, 4 }), rows());
}
static Node *make_scatter_add(Op op)
{
    (void)op;
    return node_scatter_add(graph, test_param(graph, "r", 2, (int64_t[]){ 3, 4 }), rows(), (Shape){ 2, { 3, 4 } });
}

static Node *(*const make[OP_COUNT])(Op) = {
    [OP_neg] = make_unary, [OP_exp] = make_unary, [OP_expm1] = make_unary, [OP_log] = make_positive,
    [OP_log1p] = make_positive, [OP_sqrt] = make_positive, [OP_abs] = make_unary, [OP_sin] = make_unary,
    [OP_cos] = make_unary, [OP_tanh] = make_unary, [OP_sigmoid] = make_unary, [OP_erf] = make_unary,
    [OP_relu] = make_unary, [OP_add] = make_binary, [OP_sub] = make_binary, [OP_mul] = make_binary, [OP_div] = make_div,
    [OP_max] = make_binary, [OP_min] = make_binary, [OP_pow] = make_pow, [OP_where] = make_where, [OP_cast] = make_cast,
    [OP_sum] = make_reduce, [OP_reduce_max] = make_reduce, [OP_reduce_min] = make_reduce, [OP_contract] = make_contract,
    [OP_window_max] = make_window, [OP_reshape] = make_reshape, [OP_transpose] = make_transpose,
    [OP_broadcast] = make_broadcast, [OP_slice] = make_slice, [OP_reverse] = make_reverse, [OP_pad] = make_pad,
    [OP_concat] = make_concat, [OP_gather] = make_gather, [OP_scatter_add] = make_scatter_add, [OP_copy] = make_unary,
};

START_TEST(test_operator)
{
    Op op = (Op)_i;
    const char *why = NULL;
    Leaves leaves = { .arena = arena, .low = -1, .high = 1 };
    if (!op_info[op].grad || op_info[op].grad == grad_zero) return;
    ck_assert_msg(make[op] != NULL, "%s: no test of its gradient", op_info[op].name);
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, make[op](op)), NULL, (Span){ 0 });
    graph_sort(graph);
    pass_grad(graph, NULL);
    graph_verify(graph, "grad");
    ck_assert_msg(graph->root.n > 1, "%s: no gradient", op_info[op].name);
    ck_assert_msg(gradients_agree(graph, &leaves, &why), "%s: %s", op_info[op].name, why);
}
END_TEST

/* ---- contractions ---- */

typedef struct Conv { int64_t size, kernel, stride, pad, dilation; } Conv;

static int64_t conv_size(Conv c) { return (c.size + 2 * c.pad - c.dilation * (c.kernel - 1) - 1) / c.stride + 1; }

static bool conv_legal(Conv c)
{
    return c.size + 2 * c.pad >= c.dilation * (c.kernel - 1) + 1 && c.pad <= c.dilation * (c.kernel - 1);
}

/* Index of the window's element: stride * o + dilation * k - pad. */
static Affine window_index(Conv c, int o, int k)
{
    Affine at = affine_add(affine_scale(affine_axis(o), c.stride), affine_scale(affine_axis(k), c.dilation));
    return affine_add(at, affine_constant(-c.pad));
}

/* y[n, oc, o] += x[n, ic, s o + d k - p] w[oc, ic, k] */
static Node *conv1(Graph *g, Conv c)
{
    enum { N, OC, O, IC, K, AXES };
    Contract t = { .n_axes = AXES, .extent = { 2, 2, conv_size(c), 3, c.kernel }, .shape = { 3, { 2, 2, conv_size(c) } } };
    t.a = (IndexMap){ 3, { affine_axis(N), affine_axis(IC), window_index(c, O, K) } };
    t.b = (IndexMap){ 3, { affine_axis(OC), affine_axis(IC), affine_axis(K) } };
    t.out = (IndexMap){ 3, { affine_axis(N), affine_axis(OC), affine_axis(O) } };
    return node_contract(g, test_param(g, "x", 3, (int64_t[]){ 2, 3, c.size }),
                         test_param(g, "w", 3, (int64_t[]){ 2, 3, c.kernel }), &t);
}

/* Two groups; y[n, 2 g + oc, oy, ox] with the same window in both dimensions. */
static Node *conv2(Graph *g, Conv c)
{
    enum { N, G, OC, OY, OX, IC, KY, KX, AXES };
    int64_t o = conv_size(c);
    Contract t = { .n_axes = AXES, .extent = { 2, 2, 2, o, o, 2, c.kernel, c.kernel }, .shape = { 4, { 2, 4, o, o } } };
    Affine group = affine_scale(affine_axis(G), 2);
    t.a = (IndexMap){ 4, { affine_axis(N), affine_add(group, affine_axis(IC)), window_index(c, OY, KY), window_index(c, OX, KX) } };
    t.b = (IndexMap){ 4, { affine_add(group, affine_axis(OC)), affine_axis(IC), affine_axis(KY), affine_axis(KX) } };
    t.out = (IndexMap){ 4, { affine_axis(N), affine_add(group, affine_axis(OC)), affine_axis(OY), affine_axis(OX) } };
    return node_contract(g, test_param(g, "x", 4, (int64_t[]){ 2, 4, c.size, c.size }),
                         test_param(g, "w", 4, (int64_t[]){ 4, 2, c.kernel, c.kernel }), &t);
}

typedef Node *MakeConv(Graph *g, Conv c);

static bool plain(const Graph *g)
{
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = g->node.at[i];
        if (n->op != OP_contract) continue;
        const Contract *c = node_attr(n, ATTR_contract)->contract;
        const IndexMap *map[] = { &c->a, &c->b };
        for (int m = 0; m < 2; m++)
            for (int d = 0; d < map[m]->rank; d++) {
                int64_t low, high;
                affine_range(&map[m]->dim[d], c->extent, &low, &high);
                if (low < 0 || high >= n->in[m]->shape.dim[d]) return false;
            }
    }
    return true;
}

/* The gradients of a convolution before and after gathering: against differences, and against each other. */
static void check_conv(MakeConv *conv, Conv c, bool differences)
{
    Arena *a = arena_new();
    Diag d;
    Graph *g = test_graph(a, &d, MODE_train);
    Leaves leaves = { .arena = a, .low = -1, .high = 1 };
    const char *why = "";
    graph_root(g, ROOT_loss, "loss", test_loss(g, conv(g, c)), NULL, (Span){ 0 });
    graph_sort(g);
    pass_grad(g, NULL);
    graph_verify(g, "grad");
    ck_assert_int_eq(g->root.n, 3);
    ck_assert_msg(!differences || gradients_agree(g, &leaves, &why), "size %d kernel %d stride %d pad %d dilation %d: %s",
                  (int)c.size, (int)c.kernel, (int)c.stride, (int)c.pad, (int)c.dilation, why);
    const double **before = evaluate(g, &leaves);
    pass_gather(g, NULL);
    graph_verify(g, "gather");
    ck_assert(plain(g));
    const double **after = evaluate(g, &leaves);
    for (int r = 0; r < g->root.n; r++)
        for (int64_t i = 0; i < shape_elements(g->root.at[r].node->shape); i++)
            ck_assert_msg(fabs(before[r][i] - after[r][i]) <= 1e-9 * fmax(1, fabs(before[r][i])),
                          "size %d kernel %d stride %d pad %d dilation %d: root %d[%d] is %g, gathered %g", (int)c.size,
                          (int)c.kernel, (int)c.stride, (int)c.pad, (int)c.dilation, r, (int)i, before[r][i], after[r][i]);
    arena_free(a);
}

static void sweep(MakeConv *conv, int every, int64_t largest, int differences)
{
    int n = 0;
    for (int64_t i = 0; i < largest * 4 * 4 * 4 * 5; i++) {
        Conv c = { .size = i % largest + 1, .kernel = i / largest % 4 + 1, .stride = i / largest / 4 % 4 + 1,
                   .dilation = i / largest / 16 % 4 + 1, .pad = i / largest / 64 };
        if (!conv_legal(c) || n++ % every) continue;
        check_conv(conv, c, differences && n / every % differences == 0);
    }
    ck_assert_int_gt(n, 100);
}

START_TEST(test_conv1) { sweep(conv1, 1, 9, 8); }
END_TEST
START_TEST(test_conv2) { sweep(conv2, 23, 5, 10); }
END_TEST

/* The maximum over windows of a padded row; the border never wins. */
static void check_pool(Conv c)
{
    Arena *a = arena_new();
    Diag d;
    Graph *g = test_graph(a, &d, MODE_train);
    Leaves leaves = { .arena = a, .low = -1, .high = 1 };
    const char *why = "";
    Node *x = test_param(g, "x", 2, (int64_t[]){ 3, c.size });
    Node *padded = node_pad(g, x, (int64_t[]){ 0, c.pad }, (int64_t[]){ 0, c.pad }, -1e30);
    Node *y = node_window(g, padded, (int64_t[]){ 1, c.kernel }, (int64_t[]){ 1, c.stride }, (int64_t[]){ 1, c.dilation });
    graph_root(g, ROOT_loss, "loss", test_loss(g, y), NULL, (Span){ 0 });
    graph_sort(g);
    pass_grad(g, NULL);
    graph_verify(g, "grad");
    ck_assert_msg(gradients_agree(g, &leaves, &why), "size %d kernel %d stride %d pad %d dilation %d: %s", (int)c.size,
                  (int)c.kernel, (int)c.stride, (int)c.pad, (int)c.dilation, why);
    arena_free(a);
}

START_TEST(test_pool)
{
    for (int64_t i = 0; i < 9 * 4 * 4 * 4 * 3; i++) {
        Conv c = { .size = i % 9 + 1, .kernel = i / 9 % 4 + 1, .stride = i / 36 % 4 + 1, .dilation = i / 144 % 4 + 1,
                   .pad = i / 576 };
        if (conv_legal(c) && 2 * c.pad <= c.kernel) check_pool(c);
    }
}
END_TEST

/* ---- the pass ---- */

static int gradient_roots(void)
{
    int n = 0;
    for (int i = 0; i < graph->root.n; i++) n += graph->root.at[i].kind == ROOT_gradient;
    return n;
}

START_TEST(test_reaches_what_is_trained)
{
    Node *a = param("a"), *b = param("b"), *c = param("c");
    b->trained = false;
    Node *y = node_binary(graph, OP_add, node_binary(graph, OP_mul, a, b), node_unary(graph, OP_stop_gradient, c));
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, y), NULL, (Span){ 0 });
    graph_sort(graph);
    pass_grad(graph, NULL);
    ck_assert_int_eq(gradient_roots(), 1);
    ck_assert_str_eq(graph->root.at[1].target->name, "a");
}
END_TEST

START_TEST(test_shared_node_adds_up)
{
    Leaves leaves = { .arena = arena, .low = -1, .high = 1 };
    const char *why = NULL;
    Node *a = param("a"), *t = node_unary(graph, OP_tanh, a);
    Node *y = node_binary(graph, OP_mul, node_binary(graph, OP_mul, t, t), node_binary(graph, OP_add, t, a));
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, y), NULL, (Span){ 0 });
    graph_sort(graph);
    pass_grad(graph, NULL);
    ck_assert_msg(gradients_agree(graph, &leaves, &why), "%s", why);
}
END_TEST

START_TEST(test_no_gradient_is_an_error)
{
    Node *x = param("a"), *y = node_window(graph, x, (int64_t[]){ 1, 1, 2 }, (int64_t[]){ 1, 1, 2 }, (int64_t[]){ 1, 1, 1 });
    Node *dx[1];
    op_info[OP_window_max].grad(graph, y, y, dx);
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, dx[0]), NULL, (Span){ 0 });
    graph_sort(graph);
    diag.out = fopen("/dev/null", "w");
    pass_grad(graph, NULL);
    fclose(diag.out);
    ck_assert_int_eq(diag.errors, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("grad");
    TCase *t = tcase_create("grad");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_operator, 0, OP_COUNT);
    tcase_add_test(t, test_conv1);
    tcase_add_test(t, test_conv2);
    tcase_add_test(t, test_pool);
    tcase_add_test(t, test_reaches_what_is_trained);
    tcase_add_test(t, test_shared_node_adds_up);
    tcase_add_test(t, test_no_gradient_is_an_error);
    suite_add_tcase(s, t);
    return run_suite(s);
}
