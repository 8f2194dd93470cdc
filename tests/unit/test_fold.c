/* test_fold.c -- fold and share: what they make of a graph, that it means the same, and how long they take. */
#include "graph_text.h"

#include <math.h>
#include <time.h>

/* ---- fold ---- */

/* Inputs of every case: %0 x f32[4, 3], %1 y f32[4, 3], %2 w f32[3], %3 two, %4 zero broadcast, %5 two broadcast. */
static const char *const prologue =
    "graph \"t\" infer batch=4\n"
    "%0 = input \"x\" f32[4, 3] batched\n"
    "%1 = input \"y\" f32[4, 3] batched\n"
    "%2 = param \"w\" f32[3]\n"
    "%3 = constant f32[] {value=2}\n"
    "%4 = constant f32[] {value=0}\n"
    "%5 = broadcast %3 f32[4, 3] batched {axes=[], shape=[4, 3]}\n"
    "%6 = broadcast %4 f32[4, 3] batched {axes=[], shape=[4, 3]}\n";

#define F " f32[4, 3] batched\n"
#define W "{axes=[1], shape=[4, 3]}\n"
#define FILL(id, from) "%" id " = broadcast %" from " f32[4, 3] batched {axes=[], shape=[4, 3]}\n"

#define SIZES "window=[1, 3], stride=[1, 3], dilation=[1, 1]"
#define WINDOW "{" SIZES
#define ONE "{window=[1, 1], stride=[1, 1], dilation=[1, 1]}\n"
#define UNPOOL(x) "%7 = window_max %" x " f32[4, 1] batched " WINDOW "}\n%8 = window_argmax %" x " %7 i32[4, 1] batched " WINDOW "}\n" \
    "%9 = window_unpool %7 %8 f32[4, 3] batched {shape=[4, 3], " SIZES "}\n"

/* The last node is the output; what is left of it, after the two inputs. */
static const struct { const char *before, *after; } folds[] = {
    {"%7 = add %0 %6" F, ""},
    {"%7 = add %6 %0" F, ""},
    {"%7 = sub %0 %6" F, ""},
    {"%7 = sub %6 %0" F, "%2 = neg %0" F},
    {"%7 = mul %0 %6" F, "%2 = constant f32[] {value=0}\n" FILL("3", "2") "%4 = mul %0 %3" F},
    {"%7 = mul %5 %0" F, "%2 = constant f32[] {value=2}\n" FILL("3", "2") "%4 = mul %0 %3" F},
    {"%7 = div %0 %5" F, "%2 = constant f32[] {value=0.5}\n" FILL("3", "2") "%4 = mul %0 %3" F},
    {"%7 = mul %0 %5" F "%8 = mul %7 %5" F, "%2 = constant f32[] {value=4}\n" FILL("3", "2") "%4 = mul %0 %3" F},
    {"%7 = mul %0 %5" F "%8 = neg %7" F, "%2 = constant f32[] {value=-2}\n" FILL("3", "2") "%4 = mul %0 %3" F},
    {"%7 = pow %0 %5" F, "%2 = mul %0 %0" F},
    {"%7 = pow %0 %6" F, "%2 = constant f32[] {value=1}\n" FILL("3", "2")},
    {"%7 = neg %0" F "%8 = neg %7" F, ""},
    {"%7 = neg %0" F "%8 = add %1 %7" F, "%2 = sub %1 %0" F},
    {"%7 = where %5 %0 %1" F, ""},
    {"%7 = stop_gradient %0" F "%8 = exp %7" F, "%2 = exp %0" F},
    {"%7 = exp %6" F, "%2 = constant f32[] {value=1}\n" FILL("3", "2")},
    {"%7 = sum %5 f32[4] batched {axes=[1]}\n", "%2 = constant f32[] {value=6}\n"
     "%3 = broadcast %2 f32[4] batched {axes=[], shape=[4]}\n"},
    {"%7 = transpose %0 f32[3, 4] {axes=[1, 0]}\n%8 = transpose %7 f32[4, 3] {axes=[1, 0]}\n",
     "%2 = transpose %0 f32[3, 4] {axes=[1, 0]}\n%3 = transpose %2 f32[4, 3] {axes=[1, 0]}\n"},  /* the batch was lost */
    {"%7 = transpose %2 f32[3] {axes=[0]}\n", "%2 = param \"w\" f32[3]\n"},
    {"%7 = reshape %0 f32[4, 1, 3] batched {shape=[4, 1, 3]}\n%8 = transpose %7 f32[4, 3, 1] batched {axes=[0, 2, 1]}\n",
     "%2 = reshape %0 f32[4, 3, 1] batched {shape=[4, 3, 1]}\n"},
    {"%7 = reshape %0 f32[4, 1, 3] batched {shape=[4, 1, 3]}\n%8 = reshape %7 f32[4, 3] batched {shape=[4, 3]}\n", ""},
    {"%7 = slice %0 f32[4, 3] batched {shape=[4, 3], start=[0, 0]}\n", ""},
    {"%7 = slice %0 f32[4, 2] batched {shape=[4, 2], start=[0, 1]}\n%8 = slice %7 f32[4, 1] batched {shape=[4, 1], start=[0, 1]}\n",
     "%2 = slice %0 f32[4, 1] batched {shape=[4, 1], start=[0, 2]}\n"},
    {"%7 = concat %0 %1 f32[4, 6] batched {axis=1}\n%8 = slice %7 f32[4, 3] batched {shape=[4, 3], start=[0, 3]}\n", ""},
    {"%7 = reverse %0 f32[4, 3] batched {axes=[1]}\n%8 = reverse %7 f32[4, 3] batched {axes=[1]}\n", ""},
    {"%7 = sum %0 f32[4] batched {axes=[1]}\n%8 = reshape %7 f32[4, 1] batched {shape=[4, 1]}\n"
     "%9 = sum %8 f32[4] batched {axes=[1]}\n", "%2 = sum %0 f32[4] batched {axes=[1]}\n"},
    {"%7 = relu %0" F "%8 = window_max %7 f32[4, 1] batched " WINDOW "}\n",
     "%2 = window_max %0 f32[4, 1] batched " WINDOW "}\n%3 = relu %2 f32[4, 1] batched\n"},
    {"%7 = relu %0" F "%8 = window_max %7 f32[4, 3] batched " ONE "%9 = add %7 %8" F,
     "%2 = relu %0" F "%3 = window_max %2 f32[4, 3] batched " ONE "%4 = add %2 %3" F},
    {UNPOOL("0") "%10 = sum %9 f32[4] batched {axes=[1]}\n", "%2 = window_max %0 f32[4, 1] batched " WINDOW "}\n%3 = reshape %2 f32[4] batched {shape=[4]}\n"},
    {UNPOOL("0") "%10 = sum %9 f32[3] {axes=[0]}\n", "%2 = window_max %0 f32[4, 1] batched " WINDOW "}\n"
     "%3 = window_argmax %0 %2 i32[4, 1] batched " WINDOW "}\n%4 = window_unpool %2 %3 f32[4, 3] batched {shape=[4, 3], " SIZES "}\n%5 = sum %4 f32[3] {axes=[0]}\n"},
    {"%7 = broadcast %2 f32[4, 3] batched " W "%8 = exp %7" F,
     "%2 = param \"w\" f32[3]\n%3 = exp %2 f32[3]\n%4 = broadcast %3 f32[4, 3] batched " W},
    {"%7 = broadcast %2 f32[4, 3] batched " W "%8 = mul %7 %5" F,
     "%2 = param \"w\" f32[3]\n%3 = constant f32[] {value=2}\n%4 = broadcast %3 f32[3] {axes=[], shape=[3]}\n"
     "%5 = mul %2 %4 f32[3]\n%6 = broadcast %5 f32[4, 3] batched " W},
    {"%7 = broadcast %2 f32[4, 3] batched " W "%8 = sum %7 f32[3] {axes=[0]}\n",
     "%2 = param \"w\" f32[3]\n%3 = constant f32[] {value=4}\n%4 = broadcast %3 f32[3] {axes=[], shape=[3]}\n"
     "%5 = mul %2 %4 f32[3]\n"},
    {"%7 = constant f32[2, 2] {data=[1, 2, 3, 4]}\n%8 = transpose %7 f32[2, 2] {axes=[1, 0]}\n%9 = add %8 %8 f32[2, 2]\n",
     "%2 = constant f32[2, 2] {data=[2, 6, 4, 8]}\n"},
    {"%7 = constant f32[2, 2] {data=[1, 2, 3, 4]}\n%8 = reverse %7 f32[2, 2] {axes=[0]}\n"
     "%9 = slice %8 f32[1, 2] {shape=[1, 2], start=[1, 0]}\n", "%2 = constant f32[1, 2] {data=[1, 2]}\n"},
    {"%7 = pad %0 f32[4, 4] batched {low=[0, 1], high=[0, 0], value=0}\n"
     "%8 = pad %7 f32[4, 6] batched {low=[0, 0], high=[0, 2], value=0}\n",
     "%2 = pad %0 f32[4, 6] batched {low=[0, 1], high=[0, 2], value=0}\n"},
};

static int last_node(const char *lines, int otherwise)
{
    int last = otherwise;
    for (const char *at = lines; (at = strchr(at, '%')); at++)
        if (at == lines || at[-1] == '\n') last = atoi(at + 1);
    return last;
}

START_TEST(fold_table)
{
    const char *before = folds[_i].before, *after = folds[_i].after;
    Graph *g = read_good(arena_printf(arena, "%s%soutput \"y\" %%%d\n", prologue, before, last_node(before, 0)));
    fold_graph(g, true);
    share_graph(g);
    graph_verify(g, "fold");
    int last = last_node(after, 0);
    if (strstr(before, "concat")) last = 1;
    ck_assert_str_eq(printed(g), arena_printf(arena,
                     "graph \"t\" infer batch=4\n"
                     "%%0 = input \"x\" f32[4, 3] batched\n"
                     "%%1 = input \"y\" f32[4, 3] batched\n%soutput \"y\" %%%d\n", after, last));
}
END_TEST

START_TEST(share_makes_equals_one)
{
    Graph *g = read_good(
        "graph \"t\" infer batch=4\n"
        "%0 = input \"x\" f32[4, 3] batched\n"
        "%1 = param \"v\" f32[4, 3]\n"
        "%2 = param \"w\" f32[4, 3]\n"
        "%3 = add %0 %1 f32[4, 3] batched\n"
        "%4 = add %1 %0 f32[4, 3] batched\n"
        "%5 = sub %3 %2 f32[4, 3] batched\n"
        "%6 = sub %4 %2 f32[4, 3] batched\n"
        "%7 = sub %2 %4 f32[4, 3] batched\n"
        "%8 = random f32[4, 3] batched {key=1}\n"
        "%9 = random f32[4, 3] batched {key=2}\n"
        "%10 = random f32[4, 3] batched {key=1}\n"
        "output \"a\" %5\noutput \"b\" %6\noutput \"c\" %7\noutput \"d\" %8\noutput \"e\" %9\noutput \"f\" %10\n");
    share_graph(g);
    graph_verify(g, "share");
    ck_assert_str_eq(printed(g),
        "graph \"t\" infer batch=4\n"
        "%0 = input \"x\" f32[4, 3] batched\n"
        "%1 = param \"v\" f32[4, 3]\n"
        "%2 = param \"w\" f32[4, 3]\n"
        "%3 = add %0 %1 f32[4, 3] batched\n"
        "%4 = sub %3 %2 f32[4, 3] batched\n"
        "%5 = sub %2 %3 f32[4, 3] batched\n"
        "%6 = random f32[4, 3] batched {key=1}\n"
        "%7 = random f32[4, 3] batched {key=2}\n"
        "output \"a\" %4\noutput \"b\" %4\noutput \"c\" %5\noutput \"d\" %6\noutput \"e\" %7\noutput \"f\" %6\n");
}
END_TEST

/* ---- fold and share mean the same ---- */

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 10) % below;
}

static Node *draw_operand(Graph *g, uint32_t *seed) { return g->node.at[draw(seed, (uint32_t)g->node.n)]; }

static Node *random_elementwise(Graph *g, uint32_t *seed, Node *x)
{
    static const Op unary[] = {OP_neg, OP_exp, OP_tanh, OP_abs, OP_relu, OP_stop_gradient, OP_neg, OP_floor};
    static const Op binary[] = {OP_add, OP_sub, OP_mul, OP_div, OP_max, OP_min, OP_lt, OP_eq, OP_mul, OP_sub};
    static const double numbers[] = {0, 1, 2, -1, 0.5, 3};
    if (draw(seed, 3) == 0) return node_unary(g, unary[draw(seed, LENGTH(unary))], x);
    Op op = binary[draw(seed, LENGTH(binary))];
    Node *c = node_number(g, numbers[draw(seed, LENGTH(numbers))]), *y = NULL;
    for (int i = 0; i < 8 && !y; i++) {
        Node *other = draw_operand(g, seed);
        if (shape_equal(other->shape, x->shape)) y = other;
    }
    if (!y || draw(seed, 2)) y = c;
    if (draw(seed, 6) == 0) return node_where(g, x, x, y);
    return draw(seed, 2) ? node_binary(g, op, x, y) : node_binary(g, op, y, x);
}

static Node *random_move(Graph *g, uint32_t *seed, Node *x)
{
    int rank = x->shape.rank;
    int64_t axes[RANK_MAX], zero[RANK_MAX] = {0};
    Shape s = x->shape;
    switch (draw(seed, 8)) {
    case 0:
        for (int d = 0; d < rank; d++) axes[d] = rank - 1 - d;
        return rank ? node_transpose(g, x, axes) : x;
    case 1:
        if (rank == RANK_MAX) return x;
        for (int d = rank; d > 0; d--) s.dim[d] = s.dim[d - 1];
        s.dim[0] = 1 + draw(seed, 3);
        s.rank++;
        for (int d = 0; d < rank; d++) axes[d] = d + 1;
        return shape_elements(s) < 2000 ? node_broadcast(g, x, s, axes, false) : x;
    case 2: return rank ? node_reduce(g, OP_sum, x, (const int64_t[]){draw(seed, (uint32_t)rank)}, 1) : x;
    case 3: return rank ? node_reverse(g, x, (const int64_t[]){draw(seed, (uint32_t)rank)}, 1) : x;
    case 4:
        if (!rank) return x;
        zero[rank - 1] = s.dim[rank - 1] > 1 ? draw(seed, 2) : 0;
        s.dim[rank - 1] -= zero[rank - 1];
        return node_slice(g, x, zero, s);
    case 5: return rank ? node_concat(g, (Node *[]){x, x}, 2, (int)draw(seed, (uint32_t)rank)) : x;
    case 6:
        for (int d = 0; d < rank; d++) axes[d] = draw(seed, 2);
        return shape_elements(s) < 500 ? node_pad(g, x, axes, zero, draw(seed, 2)) : x;
    default:
        if (rank == RANK_MAX) return x;
        s.dim[s.rank++] = 1;
        return node_reshape(g, x, s);
    }
}

static const double *leaf_values(void *user, const Node *leaf)
{
    (void)user;
    int64_t n = shape_elements(leaf->shape);
    double *v = NEW_ARRAY(arena, double, n);
    for (int64_t i = 0; i < n; i++) v[i] = (double)((i * 7 + (int64_t)strlen(leaf->name)) % 5) - 1.75;
    return v;
}

/* A net of everything above over an input, a trained param, a table and a scalar. */
static Graph *random_graph(uint32_t seed, Mode mode)
{
    Graph *g = graph_new(arena, &diag, "t", mode, 4);
    node_leaf(g, OP_input, "x", DTYPE_f32, shape(2, 4, 3, 0, 0), true);
    node_leaf(g, OP_param, "w", DTYPE_f32, shape(1, 3, 0, 0, 0), false)->trained = true;
    node_data(g, shape(2, 2, 2, 0, 0), (const double[]){1, -2, 3, 0.5});
    node_leaf(g, OP_scalar, "rate", DTYPE_f32, (Shape){0}, false);
    for (int i = 0; i < 60; i++) {
        Node *x = draw_operand(g, &seed);
        if (shape_elements(x->shape) > 3000) continue;
        if (draw(&seed, 2)) random_elementwise(g, &seed, x);
        else random_move(g, &seed, x);
    }
    return g;
}

static void check_same_roots(const Graph *g, const Graph *h)
{
    EvalInputs in = {.leaf = leaf_values};
    const double **was = NEW_ARRAY(arena, const double *, g->root.n), **is = NEW_ARRAY(arena, const double *, h->root.n);
    ck_assert_int_eq(g->root.n, h->root.n);
    graph_eval(g, arena, &in, was);
    graph_eval(h, arena, &in, is);
    for (int i = 0; i < g->root.n; i++)
        for (int64_t e = 0; e < shape_elements(g->root.at[i].node->shape); e++) {
            double a = was[i][e], b = is[i][e];
            ck_assert_msg(a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * (1 + fabs(a)),
                          "root %d [%lld]: %g, folded %g\n%.1500s\n%.1500s", i, (long long)e, a, b, printed(g), printed(h));
        }
}

static void fold_and_share(Graph *g, bool stops)
{
    fold_graph(g, stops);
    graph_verify(g, "fold");
    share_graph(g);
    graph_verify(g, "share");
}

START_TEST(fold_keeps_the_meaning)
{
    Graph *g = random_graph((uint32_t)_i, MODE_infer);
    for (int i = 0; i < g->node.n; i += 3) graph_root(g, ROOT_output, "o", g->node.at[i], NULL, (Span){0});
    graph_sort(g);
    graph_verify(g, "build");
    Graph *h = graph_copy(g);
    fold_and_share(h, true);
    ck_assert_int_le(h->node.n, g->node.n);
    check_same_roots(g, h);
    ck_assert_str_eq(printed(read_good(printed(h))), printed(h));
}
END_TEST

/* Gradients taken after folding are those taken before it. */
START_TEST(fold_keeps_the_gradient)
{
    static const PassContext gradients = {.gradients_only = true};
    Graph *g = random_graph((uint32_t)_i, MODE_train);
    Node *loss = node_number(g, 0);
    for (int i = g->node.n - 1; i > 0; i -= 4) {
        Node *x = node_unary(g, OP_tanh, g->node.at[i]);
        loss = node_binary(g, OP_add, loss, node_reduce(g, OP_sum, x, (const int64_t[]){0, 1, 2, 3, 4, 5, 6, 7}, x->shape.rank));
    }
    graph_root(g, ROOT_loss, NULL, loss, NULL, (Span){0});
    graph_root(g, ROOT_output, "w", g->node.at[1], NULL, (Span){0});
    graph_sort(g);
    Graph *h = graph_copy(g);
    fold_and_share(h, false);
    pass_grad(g, &gradients);
    graph_verify(g, "grad");
    pass_grad(h, &gradients);
    fold_and_share(h, true);
    check_same_roots(g, h);
}
END_TEST

/* ---- size ---- */

START_TEST(deep_nets_take_linear_time)
{
    enum { DEEP = 2000 };
    Graph *g = new_graph();
    Shape s = shape(2, 4, 8, 0, 0);
    Node *x = node_leaf(g, OP_input, "x", DTYPE_f32, s, true);
    for (int i = 0; i < DEEP; i++) {
        Node *b = node_leaf(g, OP_param, arena_printf(arena, "b%d", i), DTYPE_f32, shape(1, 8, 0, 0, 0), false);
        Node *wide = node_broadcast(g, b, s, (const int64_t[]){1}, true);
        x = node_binary(g, OP_add, node_binary(g, OP_mul, x, node_number(g, 2)), node_binary(g, OP_mul, wide, node_number(g, 3)));
        x = node_unary(g, OP_relu, x);
    }
    graph_root(g, ROOT_output, "y", x, NULL, (Span){0});
    clock_t begin = clock();
    graph_sort(g);
    fold_graph(g, true);
    graph_verify(g, "fold");
    share_graph(g);
    graph_verify(g, "share");
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    ck_assert_msg(seconds < 1, "%g seconds", seconds);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("fold");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, fold_table, 0, (int)LENGTH(folds));
    tcase_add_test(c, share_makes_equals_one);
    tcase_add_loop_test(c, fold_keeps_the_meaning, 0, 300);
    tcase_add_loop_test(c, fold_keeps_the_gradient, 0, 300);
    tcase_add_test(c, deep_nets_take_linear_time);
    return run_case("fold", c);
}
