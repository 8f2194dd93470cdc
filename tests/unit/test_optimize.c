/* test_optimize.c -- every optimiser against its formula written out here, over the first steps of a small problem. */
#include "graphs.h"

enum { STEPS = 5, N = 2 };

/* State of the formulas for one parameter. */
typedef struct Plain { double w[N], m[N], v[N]; } Plain;

/* The problem: loss = sum of curve[i] (w[i] - goal[i])^2 */
static const double curve[N] = { 1.5, 40 }, goal[N] = { 2, -1 }, begin[N] = { 0.5, 3 };

static double gradient(int i, double w) { return 2 * curve[i] * (w - goal[i]); }

static double rate_of(int step) { return 0.1 / (step + 1); }

typedef void Formula(const TrainPlan *p, Plain *x, const double *g, double rate, int step);

static void plain_sgd(const TrainPlan *p, Plain *x, const double *g, double rate, int step)
{
    for (int i = 0; i < N; i++) {
        double d = g[i] + p->decay * x->w[i];
        if (p->momentum != 0) {
            x->m[i] = step == 0 ? d : p->momentum * x->m[i] + (1 - p->dampening) * d;
            d = p->nesterov ? d + p->momentum * x->m[i] : x->m[i];
        }
        x->w[i] -= rate * d;
    }
}

static void plain_adam(const TrainPlan *p, Plain *x, const double *g, double rate, int step)
{
    double c1 = 1 - pow(p->beta1, step + 1), c2 = 1 - pow(p->beta2, step + 1);
    for (int i = 0; i < N; i++) {
        double d = g[i];
        if (p->optimizer == OPTIMIZER_adam) d += p->decay * x->w[i];
        else x->w[i] *= 1 - rate * p->decay;
        x->m[i] = p->beta1 * x->m[i] + (1 - p->beta1) * d;
        x->v[i] = p->beta2 * x->v[i] + (1 - p->beta2) * d * d;
        x->w[i] -= rate / c1 * x->m[i] / (sqrt(x->v[i]) / sqrt(c2) + p->eps);
    }
}

static void plain_rmsprop(const TrainPlan *p, Plain *x, const double *g, double rate, int step)
{
    (void)step;
    for (int i = 0; i < N; i++) {
        double d = g[i] + p->decay * x->w[i];
        x->v[i] = p->alpha * x->v[i] + (1 - p->alpha) * d * d;
        double by = d / (sqrt(x->v[i]) + p->eps);
        x->m[i] = p->momentum * x->m[i] + by;
        x->w[i] -= rate * (p->momentum != 0 ? x->m[i] : by);
    }
}

static void plain_adagrad(const TrainPlan *p, Plain *x, const double *g, double rate, int step)
{
    (void)step;
    for (int i = 0; i < N; i++) {
        double d = g[i] + p->decay * x->w[i];
        x->v[i] += d * d;
        x->w[i] -= rate * d / (sqrt(x->v[i]) + p->eps);
    }
}

#define ADAM .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8
static const struct { const char *name; Formula *formula; TrainPlan plan; } rows[] = {
    { "sgd", plain_sgd, { .optimizer = OPTIMIZER_sgd } },
    { "sgd decay", plain_sgd, { .optimizer = OPTIMIZER_sgd, .decay = 0.01 } },
    { "sgd momentum", plain_sgd, { .optimizer = OPTIMIZER_sgd, .momentum = 0.9 } },
    { "sgd dampening", plain_sgd, { .optimizer = OPTIMIZER_sgd, .momentum = 0.9, .dampening = 0.3, .decay = 0.1 } },
    { "sgd nesterov", plain_sgd, { .optimizer = OPTIMIZER_sgd, .momentum = 0.9, .nesterov = true } },
    { "adam", plain_adam, { .optimizer = OPTIMIZER_adam, ADAM } },
    { "adam decay", plain_adam, { .optimizer = OPTIMIZER_adam, ADAM, .decay = 0.1 } },
    { "adamw", plain_adam, { .optimizer = OPTIMIZER_adamw, ADAM, .decay = 0.1 } },
    { "rmsprop", plain_rmsprop, { .optimizer = OPTIMIZER_rmsprop, .alpha = 0.99, .eps = 1e-8 } },
    { "rmsprop momentum", plain_rmsprop, { .optimizer = OPTIMIZER_rmsprop, .alpha = 0.9, .eps = 1e-8, .momentum = 0.5 } },
    { "adagrad", plain_adagrad, { .optimizer = OPTIMIZER_adagrad, .eps = 1e-10, .decay = 0.01 } },
    { "sgd clip", plain_sgd, { .optimizer = OPTIMIZER_sgd, .clip = 1 } },
    { "adam clip", plain_adam, { .optimizer = OPTIMIZER_adam, ADAM, .clip = 50 } },
    { "adamw of three", plain_adam, { .optimizer = OPTIMIZER_adamw, ADAM, .decay = 0.1, .accumulate = 3 } },
    { "sgd of four", plain_sgd, { .optimizer = OPTIMIZER_sgd, .momentum = 0.9, .dampening = 0.3, .clip = 1, .accumulate = 4 } },
    { "rmsprop of two", plain_rmsprop, { .optimizer = OPTIMIZER_rmsprop, .alpha = 0.9, .eps = 1e-8, .momentum = 0.5, .accumulate = 2 } },
};

/* Two parameters, so that the norm for clipping is over both. */
static Graph *problem(Arena *a, Diag *d)
{
    static const int64_t axes[] = { 0 };
    Graph *g = test_graph(a, d, MODE_train);
    Node *loss = NULL;
    for (int i = 0; i < N; i++) {
        Node *w = test_param(g, i ? "b" : "a", 1, (int64_t[]){ 1 });
        Node *off = node_binary(g, OP_sub, w, node_number(g, goal[i]));
        Node *one = node_binary(g, OP_mul, node_binary(g, OP_mul, off, off), node_number(g, curve[i]));
        one = node_reduce(g, OP_sum, one, axes, 1);
        loss = loss ? node_binary(g, OP_add, loss, one) : one;
    }
    graph_root(g, ROOT_loss, "loss", loss, NULL, (Span){ 0 });
    graph_sort(g);
    return g;
}

static void clip_plain(double clip, double *g)
{
    double norm = sqrt(g[0] * g[0] + g[1] * g[1]);
    double factor = clip > 0 ? fmin(1, clip / (norm + 1e-6)) : 1;
    for (int i = 0; i < N; i++) g[i] *= factor;
}

/* One step by the graph: the updates take the place of what they update. */
static void step_graph(const Graph *g, Leaves *l, int step, bool last)
{
    *leaf_values(l, "rate", 1) = rate_of(step);
    *leaf_values(l, "step", 1) = *leaf_values(l, "update", 1) = step;
    *leaf_values(l, "last", 1) = last;
    const double **results = evaluate(g, l);
    for (int r = 0; r < g->root.n; r++)
        if (g->root.at[r].kind == ROOT_update) *leaf_values(l, g->root.at[r].target->name, 1) = results[r][0];
}

START_TEST(test_steps)
{
    Arena *a = arena_new();
    Diag d;
    Graph *g = problem(a, &d);
    const TrainPlan *plan = &rows[_i].plan;
    Leaves l = { .arena = a };  /* every state begins at 0 */
    Plain x = { .w = { begin[0], begin[1] } };
    pass_grad(g, NULL);
    pass_optimize(g, &(PassContext){ .plan = plan });
    graph_verify(g, "optimize");
    *leaf_values(&l, "a", 1) = begin[0];
    *leaf_values(&l, "b", 1) = begin[1];
    for (int step = 0; step < STEPS; step++) {
        double dw[N] = { gradient(0, x.w[0]), gradient(1, x.w[1]) };
        clip_plain(plan->clip, dw);
        rows[_i].formula(plan, &x, dw, rate_of(step), step);
        /* without accumulation one call; with it the parameters, and so the gradient, stay until the last */
        for (int64_t call = plan->accumulate; call > 1; call--) step_graph(g, &l, step, false);
        step_graph(g, &l, step, true);
        for (int i = 0; i < N; i++) {
            double got = *leaf_values(&l, i ? "b" : "a", 1);
            ck_assert_msg(fabs(got - x.w[i]) <= 1e-11 * fabs(x.w[i]), "%s: step %d, w[%d] is %.15g, not %.15g",
                          rows[_i].name, step, i, got, x.w[i]);
        }
    }
    arena_free(a);
}
END_TEST

START_TEST(test_gradients_only)
{
    Arena *a = arena_new();
    Diag d;
    Graph *g = problem(a, &d);
    pass_grad(g, NULL);
    pass_optimize(g, &(PassContext){ .plan = &rows[0].plan, .gradients_only = true });
    ck_assert_int_eq(g->root.n, 3);
    ck_assert_int_eq(g->root.at[1].kind, ROOT_gradient);
    arena_free(a);
}
END_TEST

START_TEST(test_state_names)
{
    Arena *a = arena_new();
    Diag d;
    Graph *g = problem(a, &d);
    pass_grad(g, NULL);
    pass_optimize(g, &(PassContext){ .plan = &rows[5].plan });
    static const char *const want[] = { "a", "b", "a.exp_avg", "a.exp_avg_sq", "b.exp_avg", "b.exp_avg_sq" };
    ck_assert_int_eq(g->root.n, 1 + (int)LENGTH(want));
    for (size_t i = 0; i < LENGTH(want); i++) {
        ck_assert_int_eq(g->root.at[i + 1].kind, ROOT_update);
        ck_assert_str_eq(g->root.at[i + 1].target->name, want[i]);
        ck_assert_str_eq(g->root.at[i + 1].name, want[i]);
    }
    arena_free(a);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("optimize");
    TCase *t = tcase_create("optimize");
    tcase_add_loop_test(t, test_steps, 0, (int)LENGTH(rows));
    tcase_add_test(t, test_gradients_only);
    tcase_add_test(t, test_state_names);
    suite_add_tcase(s, t);
    return run_suite(s);
}
