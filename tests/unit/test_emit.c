/* test_emit.c -- emitted C of every target, compiled by gcc and clang without a warning, gives what the loops give. */
#include "emitted.h"

static Arena *arena;
static Diag diag;
static Graph *graph;
static Leaves leaves;
static Emittees all;
static const Target *target;
static bool f64, fuse;
static int threads;

static void begin(Mode mode)
{
    graph = test_graph(arena, &diag, mode);
    leaves = (Leaves){.arena = arena, .low = -1, .high = 1};
}

static void end(void)
{
    graph_sort(graph);
    graph_verify(graph, "test");
    emittee_add(&all, graph, &leaves, target, f64, fuse, threads);
}

static Node *param(const char *name, int rank, const int64_t *dim) { return test_param(graph, name, rank, dim); }
static Node *input_of(const char *name, DType type, Shape s)
{
    graph->batch = s.dim[0];
    return node_leaf(graph, OP_input, name, type, s, true);
}

static Node *input(const char *name, Shape s) { return input_of(name, DTYPE_f32, s); }
static void output(Node *n) { graph_root(graph, ROOT_output, arena_printf(arena, "y%d", graph->root.n), n, NULL, (Span){0}); }

/* ---- graphs ---- */

static Node *dense(Node *x, const char *name, int64_t width)
{
    const int64_t n = x->shape.dim[0], c = x->shape.dim[1];
    Node *w = param(arena_printf(arena, "%s.weight", name), 2, (int64_t[]){width, c});
    Node *b = param(arena_printf(arena, "%s.bias", name), 1, (int64_t[]){width});
    Contract t = {.n_axes = 3, .extent = {n, width, c}, .shape = {2, {n, width}}};
    t.a = (IndexMap){2, {affine_axis(0), affine_axis(2)}};
    t.b = (IndexMap){2, {affine_axis(1), affine_axis(2)}};
    t.out = (IndexMap){2, {affine_axis(0), affine_axis(1)}};
    graph->label = name;
    Node *y = node_contract(graph, x, w, &t);
    return node_binary(graph, OP_add, y, node_broadcast(graph, b, y->shape, (int64_t[]){1}, true));
}

static Affine window_index(int at, int k, int64_t stride, int64_t pad)
{
    return affine_add(affine_add(affine_scale(affine_axis(at), stride), affine_axis(k)), affine_constant(-pad));
}

static Node *conv(Node *x, const char *name, int64_t oc, int64_t k, int64_t stride, int64_t pad)
{
    const int64_t *in = x->shape.dim, h = (in[2] + 2 * pad - k) / stride + 1, w = (in[3] + 2 * pad - k) / stride + 1;
    Node *weight = param(arena_printf(arena, "%s.weight", name), 4, (int64_t[]){oc, in[1], k, k});
    Node *b = param(arena_printf(arena, "%s.bias", name), 1, (int64_t[]){oc});
    Contract t = {.n_axes = 7, .extent = {in[0], oc, h, w, in[1], k, k}, .shape = {4, {in[0], oc, h, w}}};
    t.a = (IndexMap){4, {affine_axis(0), affine_axis(4), window_index(2, 5, stride, pad), window_index(3, 6, stride, pad)}};
    t.b = (IndexMap){4, {affine_axis(1), affine_axis(4), affine_axis(5), affine_axis(6)}};
    t.out = (IndexMap){4, {affine_axis(0), affine_axis(1), affine_axis(2), affine_axis(3)}};
    graph->label = name;
    Node *y = node_contract(graph, x, weight, &t);
    return node_binary(graph, OP_add, y, node_broadcast(graph, b, y->shape, (int64_t[]){1}, true));
}

static Node *softmax(Node *x)
{
    int64_t axis = x->shape.rank - 1;
    Node *max = node_reduce(graph, OP_reduce_max, x, &axis, 1);
    Node *e = node_unary(graph, OP_exp, node_binary(graph, OP_sub, x, node_broadcast(graph, max, x->shape, (int64_t[]){0}, true)));
    Node *sum = node_reduce(graph, OP_sum, e, &axis, 1);
    return node_binary(graph, OP_div, e, node_broadcast(graph, sum, x->shape, (int64_t[]){0}, true));
}

static void passes(const TrainPlan *plan, const char *without)
{
    PassContext context = {.plan = plan, .gradients_only = !plan, .without = &without, .n_without = without ? 1 : 0};
    passes_run(graph, &context, NULL);
}

static const TrainPlan plans[] = {
    {.optimizer = OPTIMIZER_sgd, .rate.rate = 0.1, .batch = 2},
    {.optimizer = OPTIMIZER_adam, .rate.rate = 0.1, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .clip = 1, .batch = 2},
};

static void mlp(int64_t batch, int64_t in, int64_t hidden, int64_t out)
{
    begin(MODE_infer);
    Node *x = input("x", (Shape){2, {batch, in}});
    output(softmax(dense(node_unary(graph, OP_tanh, dense(x, "first", hidden)), "second", out)));
    passes(NULL, NULL);
    end();
}

static void mlp_training(const TrainPlan *plan, int64_t n)
{
    begin(MODE_train);
    Node *x = input("x", (Shape){2, {3, n}});
    Node *y = softmax(dense(node_unary(graph, OP_sigmoid, dense(x, "first", n + 2)), "second", 3));
    output(y);
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, node_unary(graph, OP_tanh, y)), NULL, (Span){0});
    passes(plan, NULL);
    end();
}

static void cnn(const TrainPlan *plan, Mode mode, const char *without, int64_t size)
{
    begin(mode);
    Node *x = input("x", (Shape){4, {2, 2, size + 1, size}});
    Node *h = node_unary(graph, OP_relu, conv(x, "conv", size, 3, 1, 1));
    h = node_window(graph, h, (int64_t[]){1, 1, 2, 2}, (int64_t[]){1, 1, 2, 2}, (int64_t[]){1, 1, 1, 1});
    Node *skip = conv(h, "short", 3, 1, 1, 0);
    h = node_binary(graph, OP_add, conv(node_unary(graph, OP_tanh, h), "conv_1", 3, 3, 1, 1), skip);
    h = node_unary(graph, OP_relu, conv(h, "conv_2", 5, 3, 2, 1));
    Shape flat = {2, {2, h->shape.dim[1] * h->shape.dim[2] * h->shape.dim[3]}};
    Node *y = dense(node_reshape(graph, h, flat), "head", 3);
    output(y);
    if (mode == MODE_train) graph_root(graph, ROOT_loss, "loss", test_loss(graph, node_unary(graph, OP_tanh, y)), NULL, (Span){0});
    passes(plan, without);
    end();
}

/* Equal layers, so many that their calls become a loop. */
static void deep(const TrainPlan *plan, int layers)
{
    begin(plan ? MODE_train : MODE_infer);
    Node *x = input("x", (Shape){2, {2, 9}});
    for (int i = 0; i < layers; i++) {
        Node *h = dense(x, arena_printf(arena, "layer.%d.wide", i), 14);
        if (plan) h = node_binary(graph, OP_mul, h, node_random(graph, h->shape, i * i, true));
        h = node_binary(graph, OP_mul, node_unary(graph, OP_tanh, h), node_number(graph, 0.1));
        x = node_binary(graph, OP_add, x, dense(h, arena_printf(arena, "layer.%d.narrow", i), 9));
    }
    output(x);
    if (plan) graph_root(graph, ROOT_loss, "loss", test_loss(graph, node_unary(graph, OP_tanh, x)), NULL, (Span){0});
    passes(plan, NULL);
    end();
}

static void elementwise(int64_t n)
{
    static const Op unary[] = {OP_neg, OP_exp, OP_expm1, OP_abs, OP_sin, OP_cos, OP_tanh, OP_sigmoid, OP_erf, OP_relu, OP_floor};
    static const Op positive[] = {OP_log, OP_log1p, OP_sqrt};
    static const Op binary[] = {OP_add, OP_sub, OP_mul, OP_div, OP_max, OP_min, OP_eq, OP_ne, OP_lt, OP_le, OP_gt, OP_ge};
    begin(MODE_infer);
    Node *a = input("a", (Shape){1, {n}}), *b = param("b", 1, (int64_t[]){n}), *size = node_unary(graph, OP_abs, a);
    for (size_t i = 0; i < LENGTH(unary); i++) output(node_unary(graph, unary[i], a));
    for (size_t i = 0; i < LENGTH(positive); i++) output(node_unary(graph, positive[i], size));
    for (size_t i = 0; i < LENGTH(binary); i++) output(node_binary(graph, binary[i], a, b));
    output(node_binary(graph, OP_pow, size, b));
    output(node_where(graph, node_binary(graph, OP_lt, a, b), a, node_unary(graph, OP_exp, b)));
    output(node_where(graph, node_unary(graph, OP_floor, a), a, node_unary(graph, OP_exp, b)));
    end();
}

static void moves(int64_t n)
{
    begin(MODE_infer);
    Node *a = param("a", 3, (int64_t[]){2, 3, n}), *e = node_unary(graph, OP_exp, a);
    for (int i = 0; i < 2; i++) {
        Node *x = i ? e : a;
        output(node_transpose(graph, x, (int64_t[]){2, 0, 1}));
        output(node_reshape(graph, node_transpose(graph, x, (int64_t[]){2, 0, 1}), (Shape){1, {6 * n}}));
        output(node_broadcast(graph, x, (Shape){4, {2, 5, 3, n}}, (int64_t[]){0, 2, 3}, false));
        output(node_slice(graph, x, (int64_t[]){0, 1, 0}, (Shape){3, {1, 2, n}}));
        output(node_reverse(graph, x, (int64_t[]){0, 2}, 2));
        output(node_pad(graph, x, (int64_t[]){0, 1, 2}, (int64_t[]){1, 0, 3}, 7));
        output(node_concat(graph, (Node *[]){x, a, x}, 3, 1));
    }
    end();
}

static void reductions(int64_t n)
{
    static const Op ops[] = {OP_sum, OP_reduce_max, OP_reduce_min};
    begin(MODE_infer);
    Node *a = param("a", 3, (int64_t[]){2, 3, n}), *e = node_unary(graph, OP_exp, a);
    for (size_t i = 0; i < LENGTH(ops); i++) {
        output(node_reduce(graph, ops[i], e, (int64_t[]){1}, 1));
        output(node_reduce(graph, ops[i], a, (int64_t[]){0, 2}, 2));
        output(node_unary(graph, OP_sqrt, node_reduce(graph, ops[i], e, (int64_t[]){0, 1, 2}, 3)));
    }
    end();
}

static void types(int64_t n)
{
    begin(MODE_infer);
    Shape s = {2, {2, n}};
    Node *byte = input_of("byte", DTYPE_u8, s), *whole = input_of("whole", DTYPE_i32, s);
    Node *x = input("x", s), *sum = node_binary(graph, OP_add, node_cast(graph, byte, DTYPE_f32), node_cast(graph, whole, DTYPE_f32));
    output(sum);
    output(node_cast(graph, node_binary(graph, OP_mul, x, node_number(graph, 300)), DTYPE_i32));
    output(node_cast(graph, node_binary(graph, OP_mul, x, node_number(graph, 300)), DTYPE_u8));
    output(node_cast(graph, node_cast(graph, node_binary(graph, OP_mul, x, node_number(graph, 300)), DTYPE_u8), DTYPE_f32));
    output(node_transpose(graph, sum, (int64_t[]){1, 0}));
    output(node_binary(graph, OP_mul, node_iota(graph, s, 1, true), x));
    double *values = NEW_ARRAY(arena, double, 2 * n);
    for (int64_t i = 0; i < 2 * n; i++) values[i] = 1.0 / (double)(i + 1);
    output(node_binary(graph, OP_mul, node_data(graph, s, values), x));
    end();
}

static void drawn(int64_t n)
{
    begin(MODE_train);
    Node *x = param("x", 2, (int64_t[]){2, n}), *r = node_random(graph, x->shape, 5, false);
    output(node_random(graph, x->shape, 77, false));
    output(node_transpose(graph, node_random(graph, x->shape, 9, false), (int64_t[]){1, 0}));
    Node *rate = node_leaf(graph, OP_scalar, "rate", DTYPE_f32, (Shape){0}, false);
    graph_root(graph, ROOT_update, "x", node_binary(graph, OP_sub, x, node_binary(graph, OP_mul, rate, r)), x, (Span){0});
    end();
}

/* ---- running ---- */

static void cases(void)
{
    for (int64_t n = 1; n <= 17; n++) mlp(n % 3 + 1, n, 18 - n, n + 1);
    mlp(1, 40, 64, 10);
    mlp(32, 33, 70, 10);
    for (int64_t n = 1; n <= 17; n += n < 4 ? 1 : 3) {
        elementwise(n);
        moves(n);
        reductions(n);
        types(n);
        drawn(n);
        mlp_training(NULL, n);
    }
    deep(NULL, 17);
    deep(&plans[0], 17);
    deep(&plans[1], 17);
    for (int64_t n = 100; n < 120; n += 9) reductions(n);
    for (size_t i = 0; i < LENGTH(plans); i++) {
        mlp_training(&plans[i], 9);
        cnn(&plans[i], MODE_train, i ? "layout" : NULL, 7);
    }
    for (int64_t n = 4; n <= 17; n++) cnn(NULL, MODE_infer, n % 4 ? NULL : "layout", n);
    cnn(NULL, MODE_train, NULL, 9);
}

static void check_cases(const char *name, const char *cc, const char *flags, const char *run)
{
    target = target_find(name);
    if (!*run && !target_runs_here(target)) return;
    arena = arena_new();
    all = (Emittees){.arena = arena, .dir = arena_printf(arena, "build/emitted/%s%s-%s", name, f64 ? "64" : "", cc)};
    cases();
    const char *wrong = emitted_run(&all, cc, flags, run);
    ck_assert_msg(!wrong, "%s", wrong);
    arena_free(arena);
}

/* The first two are quick; the others run where the environment says mode=all. */
enum { QUICK_RUNS = 2 };
static const struct { const char *target, *cc, *flags, *run; bool f64, fuse; int threads; } runs[] = {
    {"scalar", "gcc", "-O0", "", true, false, 1},  {"native", "cc", "-O1", "", false, true, 3},
    {"native", "gcc", "-O1", "", false, true, 1},  {"native", "clang", "-O1 -g -fsanitize=thread", "", false, true, 3},
    {"scalar", "gcc", "-O1", "", false, true, 2},  {"scalar", "clang", "-O1", "", true, false, 1},
    {"sse", "gcc", "-O1", "", false, true, 1},     {"sse", "clang", "-O1", "", false, true, 3},
    {"avx2", "gcc", "-O1", "", false, true, 2},    {"avx2", "clang", "-O1", "", false, false, 1},
    {"avx512", "gcc", "-O1", "", false, true, 1},  {"avx512", "clang", "-O1", "", false, true, 4},
    {"neon", "aarch64-linux-gnu-gcc", "-O1 -static", "qemu-aarch64 ", false, true, 2},
};

START_TEST(emitted)
{
    f64 = runs[_i].f64;
    fuse = runs[_i].fuse;
    threads = runs[_i].threads;
    check_cases(runs[_i].target, runs[_i].cc, runs[_i].flags, runs[_i].run);
}
END_TEST

/* The text of the calls alone: struct and table grow with the layers, by a line each. */
static size_t deep_lines(const TrainPlan *plan, int layers, const char *file)
{
    all = (Emittees){.arena = arena};
    deep(plan, layers);
    Emitted out = {0};
    emit_unit(&all.at.at[0]->unit, &out);
    for (int i = 0; i < out.file.n; i++)
        if (strstr(out.file.at[i].name, file)) {
            size_t lines = 0;
            for (const char *s = out.file.at[i].bytes; (s = strchr(s, '\n')); s++) lines++;
            return lines;
        }
    ck_abort_msg("no file %s", file);
}

START_TEST(depth_adds_a_row_a_layer)
{
    arena = arena_new();
    target = target_find("avx2");
    f64 = false;
    fuse = true;
    ck_assert_uint_eq(deep_lines(NULL, 60, "_forward.c"), deep_lines(NULL, 120, "_forward.c"));
    size_t small = deep_lines(&plans[0], 60, "_backward.c"), large = deep_lines(&plans[0], 120, "_backward.c");
    ck_assert_msg(large - small < 60 * 8, "%zu lines more", large - small);
    arena_free(arena);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("emit");
    TCase *t = tcase_create("emit");
    tcase_set_timeout(t, 600);
    const char *mode = getenv("mode");
    tcase_add_loop_test(t, emitted, 0, mode && !strcmp(mode, "all") ? LENGTH(runs) : QUICK_RUNS);
    tcase_add_test(t, depth_adds_a_row_a_layer);
    suite_add_tcase(s, t);
    return run_suite(s);
}
