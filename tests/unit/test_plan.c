/* test_plan.c -- the memory plan: what is alive together lies apart, and large programs are planned quickly. */
#include "../../compiler/loop/loop.h"
#include "nets.h"

static Diag diag;
static Leaves leaves;

static void setup(void)
{
    arena = arena_new();
    graph = test_graph(arena, &diag, MODE_train);
    leaves = (Leaves){ .arena = arena, .low = -1, .high = 1 };
}

static void teardown(void) { arena_free(arena); }

static Program *lowered(const LowerOptions *options)
{
    graph_sort(graph);
    return graph_lower(graph, "test", options);
}

/* ---- what is right ---- */

static bool planned(const Buffer *b) { return b->kind == BUF_workspace && !b->base && b->first >= 0; }

static int64_t bytes(const Buffer *b, bool f64) { return b->elements * (f64 && b->dtype == DTYPE_f32 ? 8 : dtype_bytes(b->dtype)); }

static bool reads_only(const Expr *e, const Buffer *b, const Affine *address)
{
    if (e->kind == EX_load && buffer_memory(e->buffer) == b) {
        Affine at = buffer_address(e->buffer, e->index);
        if (!affine_equal(&at, address)) return false;
    }
    for (int i = 0; i < expr_args[e->kind]; i++)
        if (!reads_only(e->arg[i], b, address)) return false;
    return true;
}

/* The kernel that reads `from` for the last time stores `to` over it, element by element. */
static bool in_place(const Program *p, const Buffer *from, const Buffer *to)
{
    if (from->last != to->first || from->offset != to->offset) return false;
    const Kernel *k = p->kernel.at[to->first];
    Affine address = buffer_address(k->out, k->store);
    return buffer_memory(k->out) == to && !k->accumulate && k->reduce == REDUCE_none && reads_only(k->value, from, &address);
}

static void check_plan(const Program *p, bool f64)
{
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *x = p->buffer.at[i];
        if (!planned(x)) continue;
        ck_assert_int_eq(x->offset % 64, 0);
        ck_assert_int_le(x->offset + bytes(x, f64), p->workspace_bytes);
        for (int j = 0; j < i; j++) {
            const Buffer *y = p->buffer.at[j];
            bool together = planned(y) && x->first <= y->last && y->first <= x->last;
            bool overlap = x->offset < y->offset + bytes(y, f64) && y->offset < x->offset + bytes(x, f64);
            if (together && overlap && !in_place(p, x, y) && !in_place(p, y, x))
                ck_abort_msg("%s and %s are alive together and share memory", x->name, y->name);
        }
    }
    ck_assert_int_le(p->lower_bound, p->workspace_bytes);
}

START_TEST(random_graphs_are_planned)
{
    Node *last = random_graph(_i);
    if (_i % 2) {
        graph_root(graph, ROOT_loss, "loss", test_loss(graph, last), NULL, (Span){ 0 });
        graph_sort(graph);
        pass_grad(graph, &(PassContext){ .gradients_only = true });
        pass_gather(graph, NULL);
    }
    for (int i = 0; i < 8; i++) {
        LowerOptions options = { .no_fuse = i & 1, .no_reuse = i & 2, .f64 = i & 4 };
        check_plan(lowered(&options), options.f64);
    }
}
END_TEST

START_TEST(a_net_is_planned)
{
    Node *y = cnn();
    output(softmax(y));
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, y), NULL, (Span){ 0 });
    passes_run(graph, &(PassContext){ .gradients_only = true }, NULL);
    const Program *p = lowered(&(LowerOptions){ 0 }), *apart = lowered(&(LowerOptions){ .no_reuse = true });
    check_plan(p, false);
    ck_assert_int_lt(p->workspace_bytes, apart->workspace_bytes);
}
END_TEST

/* A chain of elementwise kernels needs one place. */
START_TEST(elementwise_in_place)
{
    Node *x = operand("a");
    for (int i = 0; i < 10; i++) x = node_unary(graph, OP_sin, x);
    output(x);
    const Program *p = lowered(&(LowerOptions){ .no_fuse = true });
    check_plan(p, false);
    ck_assert_int_eq(p->workspace_bytes, 128);
    ck_assert_int_eq(p->lower_bound, 128);
}
END_TEST

/* A transpose reads elsewhere than it stores: two places. */
START_TEST(transposes_are_not_in_place)
{
    Node *x = param("a", 2, (int64_t[]){ 4, 4 });
    for (int i = 0; i < 3; i++) x = node_transpose(graph, node_unary(graph, OP_sin, x), (int64_t[]){ 1, 0 });
    output(x);
    const Program *p = lowered(&(LowerOptions){ .no_fuse = true });
    check_plan(p, false);
    ck_assert_int_eq(p->workspace_bytes, 128);
}
END_TEST

/* ---- updates ---- */

static const Kernel *kernel_that_stores(const Program *p, BufferKind kind, int *at)
{
    for (*at = 0; *at < p->kernel.n; ++*at)
        if (p->kernel.at[*at]->out->kind == kind) return p->kernel.at[*at];
    return NULL;
}

static bool reads(const Expr *e, const Buffer *b)
{
    bool found = e->kind == EX_load && buffer_memory(e->buffer) == b;
    for (int i = 0; i < expr_args[e->kind]; i++) found |= reads(e->arg[i], b);
    return found;
}

/* The forward and the backward pass read a weight before its update overwrites it, in place and without a copy. */
START_TEST(a_weight_is_updated_behind_its_readers)
{
    static const TrainPlan plan = { .optimizer = OPTIMIZER_sgd, .rate.rate = 0.1, .batch = 2 };
    Node *h = node_unary(graph, OP_tanh, dense(input("x", (Shape){ 2, { 2, 3 } }), "first", 3));
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, dense(h, "second", 2)), NULL, (Span){ 0 });
    passes_run(graph, &(PassContext){ .plan = &plan }, NULL);
    const Program *p = lowered(&(LowerOptions){ 0 });
    for (int i = 0; i < p->kernel.n; i++) {
        const Buffer *w = p->kernel.at[i]->out;
        if (w->kind != BUF_param) continue;
        for (int k = i + 1; k < p->kernel.n; k++) {
            const Kernel *later = p->kernel.at[k];
            ck_assert_msg(!reads(later->value, w) && !(later->result && reads(later->result, w)), "%s is read too late", w->name);
            ck_assert_ptr_ne(later->out, w);
        }
    }
    int at;
    ck_assert_ptr_nonnull(kernel_that_stores(p, BUF_param, &at));
}
END_TEST

static const TrainPlan adam = { .optimizer = OPTIMIZER_adam, .rate.rate = 0.1, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .batch = 2 };

/* Of a weight: the kernels that store it or a state, and whether one does it all, behind the sum that is its gradient. */
static int kernels_that_update(const Program *p, bool *at_once)
{
    int n = 0;
    *at_once = false;
    for (int i = 0; i < p->kernel.n; i++) {
        const Kernel *k = p->kernel.at[i];
        if (k->out->kind != BUF_param && k->out->kind != BUF_state) continue;
        n++;
        *at_once = k->reduce == REDUCE_sum && k->more.n == 2 && k->more.at[0].out->kind == BUF_state && k->more.at[1].out->kind == BUF_state;
    }
    return n;
}

START_TEST(an_update_is_one_kernel)
{
    TrainPlan plan = adam;
    bool at_once;
    if (_i) plan.clip = 1;             /* the gradient's norm is needed first */
    Node *y = dense(input("x", (Shape){ 2, { 2, 3 } }), "d", 3);
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, node_unary(graph, OP_tanh, y)), NULL, (Span){ 0 });
    passes_run(graph, &(PassContext){ .plan = &plan }, NULL);
    const Program *p = lowered(&(LowerOptions){ 0 });
    ck_assert_int_eq(kernels_that_update(p, &at_once), 2);
    ck_assert_int_eq(at_once, !_i);
    ck_assert_int_eq(kernels_that_update(lowered(&(LowerOptions){ .no_fuse = true }), &at_once), 6);
}
END_TEST

START_TEST(an_exchange_needs_a_copy)
{
    Node *a = node_leaf(graph, OP_state, "a", DTYPE_f32, (Shape){ 1, { 4 } }, false);
    Node *b = node_leaf(graph, OP_state, "b", DTYPE_f32, (Shape){ 1, { 4 } }, false);
    graph_root(graph, ROOT_update, "a", b, a, (Span){ 0 });
    graph_root(graph, ROOT_update, "b", a, b, (Span){ 0 });
    const Program *p = lowered(&(LowerOptions){ 0 });
    ck_assert_int_eq(p->kernel.n, 3);
    ck_assert_int_eq(p->workspace_bytes, 64);
}
END_TEST

/* ---- size ---- */

START_TEST(many_layers)
{
    enum { LAYERS = 1500 };
    Node *x = input("x", (Shape){ 2, { 2, 4 } });
    for (int i = 0; i < LAYERS; i++) x = node_unary(graph, OP_tanh, dense(x, arena_printf(arena, "d%d", i), 4));
    graph_root(graph, ROOT_loss, "loss", test_loss(graph, x), NULL, (Span){ 0 });
    passes_run(graph, &(PassContext){ .plan = &adam }, NULL);
    const Program *p = lowered(&(LowerOptions){ 0 });
    ck_assert_int_gt(p->kernel.n, 4 * LAYERS);
    ck_assert_int_ge(p->workspace_bytes, p->lower_bound);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("plan");
    TCase *t = tcase_create("plan");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, random_graphs_are_planned, 0, 60);
    tcase_add_test(t, a_net_is_planned);
    tcase_add_test(t, elementwise_in_place);
    tcase_add_test(t, transposes_are_not_in_place);
    tcase_add_test(t, a_weight_is_updated_behind_its_readers);
    tcase_add_loop_test(t, an_update_is_one_kernel, 0, 2);
    tcase_add_test(t, an_exchange_needs_a_copy);
    tcase_add_test(t, many_layers);
    suite_add_tcase(s, t);
    return run_suite(s);
}
