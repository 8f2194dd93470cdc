/* test_steps.c -- a hundred steps of training: the compiled step, in f32, against the interpreter in double; and several
   losses in one step against one after the other. */
#include "../../compiler/cli/fill.h"
#include "../../compiler/cli/learn.h"
#include "../../compiler/pipeline.h"
#include "models.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS = 100 };

static const struct { const char *name, *text; } nets[] = {
    {"mlp", "net n { input x : f32[9]\n input k : i32 in 0..4\n"
            "  y = x -> dense(20) -> tanh -> dropout(0.2) -> dense(17) -> gelu -> dense(4)\n"
            "  output y\n loss cross_entropy(y, k)\n metric accuracy(y, k) }\n"
            "train n { optimizer = sgd(rate=0.05, momentum=0.9, nesterov=true, decay=1e-3)\n batch = 8 }\n"},
    {"cnn", "net n { input x : f32[2, 9, 8]\n input t : f32[3]\n"
            "  y = x -> conv(6, 3, pad=1) -> batchnorm -> relu -> maxpool(2) -> conv(5, 3, stride=2, pad=1) -> silu\n"
            "        -> flatten -> dropout(0.1) -> dense(3)\n"
            "  output y\n loss mse(y, t)\n metric mae(y, t) }\n"
            "train n { optimizer = adam(rate=1e-3)\n clip = 1.0\n batch = 6 }\n"},
    {"adamw", "net n { input x : f32[7]\n input t : f32[1]\n"
              "  y = x -> dense(12) -> layernorm -> sigmoid -> dense(1)\n"
              "  output y\n loss bce_logits(y, t) }\n"
              "train n { optimizer = adamw(rate=2e-3, decay=0.05)\n batch = 4 }\n"},
    {"gan", "net g { input z : f32[5]\n output x = z -> dense(9) -> batchnorm -> relu -> dense(6) }\n"
            "net d { input x : f32[6]\n output p = x -> dense(8) -> batchnorm -> leaky_relu(0.2) -> dropout(0.1) -> dense(1) }\n"
            "net n { input real : f32[6]\n fake = g(random_normal(5))\n"
            "  loss low = bce_logits(d(real), 1) + bce_logits(d(stop_gradient(fake)), 0) updates d\n"
            "  loss high = bce_logits(d(fake), 1) updates g\n output fake }\n"
            "train n { optimizer = adam(rate=1e-3, beta1=0.5)\n clip = 0.5\n batch = 8 }\n"},
};

/* The interpreter's side: a value for each leaf, by name. */
typedef struct Named { const char *name; double *x; int64_t n; } Named;
typedef struct Values { VEC(Named) at; Arena *arena; } Values;

static double *value_of(Values *v, const char *name, int64_t n)
{
    for (int i = 0; i < v->at.n; i++)
        if (!strcmp(v->at.at[i].name, name)) return v->at.at[i].x;
    vec_push(v->arena, &v->at, (Named){name, NEW_ARRAY(v->arena, double, n), n});
    return v->at.at[v->at.n - 1].x;
}

static const double *leaf_value(void *user, const Node *leaf) { return value_of(user, leaf->name, shape_elements(leaf->shape)); }

static void take_fields(Values *v, const Host *h, const Field *f, int n, const void *memory)
{
    for (int i = 0; i < n; i++) field_read(h, &f[i], memory, value_of(v, f[i].name, f[i].buffer->elements));
}

static void take_inputs(Values *v, const Host *h)
{
    const HostProgram *p = &h->program[PROGRAM_step];
    for (int k = 0; k < p->n_input; k++) {
        const Buffer *b = p->input[k];
        double *x = value_of(v, b->node->name, b->elements);
        for (int64_t i = 0; i < b->elements; i++) x[i] = host_get(h, b->dtype, p->input_data[k], i);
    }
}

/* One step of the interpreter; returns the loss. */
static double interpret(const Graph *g, Values *v, uint64_t seed, uint64_t step)
{
    Arena *scratch = arena_new();
    EvalInputs in = {leaf_value, v, seed, step};
    const double **result = NEW_ARRAY(scratch, const double *, g->root.n + 1);
    double loss = 0;
    graph_eval(g, scratch, &in, result);
    for (int i = 0; i < g->root.n; i++) {
        const Root *r = &g->root.at[i];
        if (r->kind == ROOT_loss) loss += result[i][0];
        if (r->kind == ROOT_update)
            memcpy(value_of(v, r->target->name, 0), result[i], (size_t)shape_elements(r->target->shape) * sizeof(double));
    }
    arena_free(scratch);
    return loss;
}

static double compiled_loss(const Host *h)
{
    const HostProgram *p = &h->program[PROGRAM_step];
    double loss = 0;
    for (int i = 0; i < p->program->graph->root.n; i++)
        if (p->program->graph->root.at[i].kind == ROOT_loss) loss += host_get(h, DTYPE_f32, p->output_data[host_output(p, i)], 0);
    return loss;
}

START_TEST(losses_stay_together)
{
    Arena *a = arena_new();
    Unit unit;
    TrainPlan plan;
    Host h = {0};
    Values v = {.arena = a};
    int status = 0;
    Model *m = test_model_of(a, nets[_i].text);
    CompileOptions o = {.resolve = {.mode = MODE_train}, .train = true, .no_forward = true, .no_evaluate = true,
                        .no_gradient = true, .target = target_find("native")};
    ck_assert(compile(m, &o, &unit, &plan, &status));
    ck_assert_int_eq(host_open(&h, a, &unit), 0);
    fill_params(&h, 1);
    ResolveOptions as = {.mode = MODE_train, .batch = plan.batch};
    PassContext context = {.plan = &plan};
    Graph *g = resolve(m, &as);
    pass_grad(g, &context);
    pass_optimize(g, &context);
    take_fields(&v, &h, unit.weights.at, unit.weights.n, h.weights);
    take_fields(&v, &h, unit.state.at, unit.state.n, h.state);
    for (int step = 0; step < STEPS; step++) {
        h.call = (HostCall){.rate = plan.rate.rate, .valid = (int32_t)plan.batch, .seed = 9, .step = (uint64_t)step};
        fill_inputs(&h, PROGRAM_step, (uint64_t)step + 100);
        take_inputs(&v, &h);
        *value_of(&v, "rate", 1) = h.call.rate;
        *value_of(&v, "step", 1) = step;
        *value_of(&v, "valid", 1) = (double)plan.batch;
        host_run(&h, PROGRAM_step);
        double got = compiled_loss(&h), want = interpret(g, &v, 9, (uint64_t)step);
        ck_assert_msg(fabs(got - want) <= 1e-4 * fabs(want), "%s: step %d: loss %.9g, expected %.9g", nets[_i].name, step, got, want);
    }
    host_close(&h);
    arena_free(a);
}
END_TEST

/* ---- several losses ---- */

#define NETS "net g { input z : f32[5]\n output x = z -> dense(7) -> tanh -> dense(6) }\n" \
             "net d { input x : f32[6]\n output p = x -> dense(8) -> softplus -> dense(1) }\n" \
             "net n { input real : f32[6]\n fake = g(random_normal(5))\n"
#define TRAIN "}\ntrain n { optimizer = adam(rate=0.01, decay=0.1)\n clip = 0.1\n batch = 3 }\n"

static const char *const pairs[][2] = {
    {"loss a = bce_logits(d(real), 1) + bce_logits(d(stop_gradient(fake)), 0) updates d\n", "loss b = bce_logits(d(fake), 1) updates g\n"},
    {"p = d(fake) loss a = bce_logits(p, 0) updates d\n", "loss b = bce_logits(p, 1) + mse(fake, real) updates g, d\n"},
    {"loss a = mse(d(fake), 1) + mse(d(real), 0)\n", "param w : f32 = 1 loss b = mse(w * d(fake), 0) updates n, d\n"},
};

typedef struct Trained { Graph *g; Values v; } Trained;

static Trained trained(Arena *a, const char *text)
{
    TrainPlan plan;
    Model *m = test_model_of(a, text);
    ResolveOptions as = {.mode = MODE_train, .batch = 3};
    ck_assert(resolve_train(m, &as, "n", &plan));
    PassContext context = {.plan = &plan};
    Trained t = {.g = resolve(m, &as), .v = {.arena = a}};
    ck_assert_msg(t.g != NULL, "%s", text);
    pass_grad(t.g, &context);
    graph_verify(t.g, "grad");
    pass_optimize(t.g, &context);
    graph_verify(t.g, "optimize");
    return t;
}

/* Draws what is not there yet: parameters and inputs alike in all, states 0. */
static void draw_leaves(Trained *t, uint64_t step)
{
    for (int i = 0; i < t->g->node.n; i++) {
        const Node *n = t->g->node.at[i];
        if (n->op != OP_input && (n->op != OP_param || step)) continue;
        Init init = {INIT_uniform, -1, 1};
        double *x = value_of(&t->v, n->name, shape_elements(n->shape));
        init_fill(&init, n->name, step, x, shape_elements(n->shape));
    }
    *value_of(&t->v, "rate", 1) = 0.01;
    *value_of(&t->v, "step", 1) = (double)step;
    for (int i = 0; i < t->g->node.n; i++)
        if (t->g->node.at[i]->op == OP_state) value_of(&t->v, t->g->node.at[i]->name, shape_elements(t->g->node.at[i]->shape));
}

static void copy_params(const Trained *from, Trained *to)
{
    for (int i = 0; i < to->g->node.n; i++) {
        const Node *n = to->g->node.at[i];
        for (int k = 0; k < from->v.at.n; k++)
            if (n->op == OP_param && !strcmp(from->v.at.at[k].name, n->name))
                memcpy(value_of(&to->v, n->name, 0), from->v.at.at[k].x, (size_t)shape_elements(n->shape) * sizeof(double));
    }
}

/* clip_weights = d(0.02): what d learns ends within 0.02 of 0, some of it there; g is free. */
START_TEST(weights_are_limited)
{
    Arena *a = arena_new();
    Trained t = trained(a, NETS "loss a = wasserstein_critic(d(real), d(fake)) updates d loss b = wasserstein_maker(d(fake)) updates g"
                        " output fake }\ntrain n { optimizer = sgd(rate=0.01) clip_weights = d(0.02)\n batch = 3 }\n");
    double largest[2] = {0, 0};
    draw_leaves(&t, 0);
    interpret(t.g, &t.v, 5, 0);
    for (int i = 0; i < t.g->node.n; i++) {
        const Node *n = t.g->node.at[i];
        if (n->op != OP_param) continue;
        const double *x = value_of(&t.v, n->name, 0);
        for (int64_t k = 0; k < shape_elements(n->shape); k++) largest[n->name[0] == 'g'] = fmax(largest[n->name[0] == 'g'], fabs(x[k]));
    }
    ck_assert_double_eq_tol(largest[0], 0.02, 1e-12);
    ck_assert_double_gt(largest[1], 0.5);
    arena_free(a);
}
END_TEST

/* Both losses in one step, and a step of each in turn: the same parameters, step after step. */
START_TEST(losses_follow_each_other)
{
    Arena *a = arena_new();
    Trained both = trained(a, arena_printf(a, NETS "%s%s output fake " TRAIN, pairs[_i][0], pairs[_i][1]));
    Trained first = trained(a, arena_printf(a, NETS "%s output fake " TRAIN, pairs[_i][0]));
    const char *defines = _i == 1 ? "p = d(fake) " : "";
    Trained second = trained(a, arena_printf(a, NETS "%s%s output fake " TRAIN, defines, pairs[_i][1]));
    for (uint64_t step = 0; step < 4; step++) {
        draw_leaves(&both, step);
        draw_leaves(&first, step);
        draw_leaves(&second, step);
        double sum = interpret(both.g, &both.v, 5, step), each = interpret(first.g, &first.v, 5, step);
        copy_params(&first, &second);
        each += interpret(second.g, &second.v, 5, step);
        copy_params(&second, &first);
        ck_assert_double_eq_tol(sum, each, 1e-12);
        for (int i = 0; i < both.g->node.n; i++) {
            const Node *n = both.g->node.at[i];
            if (n->op != OP_param) continue;
            const double *x = value_of(&both.v, n->name, 0), *y = value_of(&second.v, n->name, shape_elements(n->shape));
            for (int64_t k = 0; k < shape_elements(n->shape); k++) ck_assert_double_eq_tol(x[k], y[k], 1e-12);
        }
    }
    arena_free(a);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("steps");
    TCase *c = tcase_create("steps");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, losses_stay_together, 0, LENGTH(nets));
    tcase_add_test(c, weights_are_limited);
    tcase_add_loop_test(c, losses_follow_each_other, 0, LENGTH(pairs));
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
