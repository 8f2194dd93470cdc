/* test_reference_nets.c -- whole nets against PyTorch: tests/reference/NAME.net against NAME.safetensors, made by
   tests/reference/nets.py. Outputs, loss, gradients and ten steps of AdamW: interpreted, compiled for this machine, and with
   mode=all compiled in double and for every target that this machine runs. */
#include "../../compiler/cli/host.h"
#include "../../compiler/pipeline.h"
#include "models.h"

#include <math.h>
#include <stdlib.h>

enum { BATCH = 3, STEPS = 10 };

static const char *const nets[] = {"lstm", "gru", "attention", "layernorm", "gelu", "gpt", "bert"};

/* What is allowed: of outputs and losses relative to their size, of gradients to the largest of their tensor. */
typedef struct Tolerance { double output, gradient, loss; } Tolerance;
static const Tolerance exact = {1e-9, 1e-9, 1e-9}, single = {1e-5, 1e-3, 1e-5};

static Arena *arena;
static Tensors tensors;            /* of the reference */
static const char *net;            /* which net in which way: for messages */

static void setup(void)
{
    arena = arena_new();
}

static void teardown(void) { arena_free(arena); }

static Model *open_net(int i, const char *way)
{
    const char *why = "";
    int status = 0;
    net = arena_printf(arena, "%s, %s", nets[i], way);
    Model *m = test_model(arena, arena_printf(arena, "tests/reference/%s.net", nets[i]));
    ck_assert_msg(safetensors_load(arena, arena_printf(arena, "tests/reference/%s.safetensors", nets[i]), &tensors, &why, &status), "%s", why);
    return m;
}

static const Array *reference(const char *prefix, const char *name, int64_t elements)
{
    const Array *t = tensors_find(&tensors, arena_printf(arena, "%s%s", prefix, name));
    ck_assert_msg(t != NULL, "%s: there is no %s%s", net, prefix, name);
    ck_assert_msg(t->elements == elements, "%s: %s%s has %lld elements, not %lld", net, prefix, name, (long long)t->elements, (long long)elements);
    return t;
}

static double *reference_values(const char *prefix, const char *name, int64_t n)
{
    const Array *t = reference(prefix, name, n);
    double *x = NEW_ARRAY(arena, double, n);
    for (int64_t i = 0; i < n; i++) x[i] = array_real(t, i);
    return x;
}

static void compare(const char *prefix, const char *name, const double *got, int64_t n, double tolerance)
{
    const double *want = reference_values(prefix, name, n);
    double largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs(got[i] - want[i]) <= tolerance * largest, "%s: %s%s[%lld] is %.12g, not %.12g", net, prefix, name, (long long)i, got[i], want[i]);
}

static void compare_loss(int step, double got, double tolerance)
{
    const Array *losses = reference("", "losses", STEPS);
    double want = array_real(losses, step);
    ck_assert_msg(fabs(got - want) <= tolerance * want, "%s: step %d: the loss is %.12g, not %.12g", net, step, got, want);
}

/* Each gradient of the file has been compared once. */
static void compare_count(int gradients)
{
    int wanted = 0;
    for (int i = 0; i < tensors.n; i++) wanted += !strncmp(tensors.at[i].name, "gradient.", 9);
    ck_assert_msg(gradients == wanted, "%s: %d gradients, not %d", net, gradients, wanted);
}

/* ---- interpreted ---- */

typedef struct Value { const char *name; double *x; } Value;
typedef struct Values { VEC(Value) at; double step; } Values;

static const double *leaf_value(void *user, const Node *leaf)
{
    static const double rate = 1e-2, valid = BATCH;
    Values *v = user;
    if (leaf->op == OP_scalar) return !strcmp(leaf->name, "rate") ? &rate : !strcmp(leaf->name, "step") ? &v->step : &valid;
    for (int i = 0; i < v->at.n; i++)
        if (!strcmp(v->at.at[i].name, leaf->name)) return v->at.at[i].x;
    int64_t n = shape_elements(leaf->shape);
    double *x = leaf->op == OP_state ? NEW_ARRAY(arena, double, n) : reference_values(leaf->op == OP_input ? "input." : "", leaf->name, n);
    vec_push(arena, &v->at, (Value){leaf->name, x});
    return x;
}

static Graph *graph_of(Model *m, Mode mode)
{
    ResolveOptions as = {.mode = mode, .batch = BATCH};
    Graph *g = resolve(m, &as);
    ck_assert_msg(g != NULL, "%s does not resolve", net);
    return g;
}

static const double **interpret(const Graph *g, Values *v)
{
    EvalInputs in = {leaf_value, v, 0, 0};
    const double **result = NEW_ARRAY(arena, const double *, g->root.n + 1);
    graph_eval(g, arena, &in, result);
    return result;
}

static void interpret_step(const Graph *g, Values *v, int step)
{
    v->step = step;
    const double **result = interpret(g, v);
    for (int i = 0; i < g->root.n; i++) {
        const Root *r = &g->root.at[i];
        if (r->kind == ROOT_loss) compare_loss(step, result[i][0], exact.loss);
        if (r->kind != ROOT_update) continue;
        double *to = NEW_ARRAY(arena, double, shape_elements(r->target->shape));
        memcpy(to, result[i], (size_t)shape_elements(r->target->shape) * sizeof(double));
        leaf_value(v, r->target);
        for (int k = 0; k < v->at.n; k++)
            if (!strcmp(v->at.at[k].name, r->target->name)) v->at.at[k].x = to;
    }
}

START_TEST(interpreted)
{
    Model *m = open_net(_i, "interpreted");
    TrainPlan plan;
    ResolveOptions as = {.mode = MODE_train, .batch = BATCH};
    ck_assert(resolve_train(m, &as, nets[_i], &plan));
    PassContext context = {.plan = &plan};
    Values v = {.step = 0};
    Graph *forward = graph_of(m, MODE_infer), *train = graph_of(m, MODE_train);
    compare("output.", "p", interpret(forward, &v)[0], shape_elements(forward->root.at[0].node->shape), exact.output);
    pass_grad(train, &context);
    const double **result = interpret(train, &v);
    int gradients = 0;
    for (int i = 0; i < train->root.n; i++) {
        const Root *r = &train->root.at[i];
        if (r->kind != ROOT_gradient) continue;
        compare("gradient.", r->target->name, result[i], shape_elements(r->node->shape), exact.gradient);
        gradients++;
    }
    compare_count(gradients);
    pass_optimize(train, &context);
    for (int step = 0; step < STEPS; step++) interpret_step(train, &v, step);
}
END_TEST

/* ---- compiled ---- */

static void put_inputs(const Host *h, ProgramKind kind)
{
    const HostProgram *p = &h->program[kind];
    for (int k = 0; k < p->n_input; k++) {
        const Array *x = reference("input.", p->input[k]->name, p->input[k]->elements);
        for (int64_t i = 0; i < x->elements; i++) host_put(h, p->input[k]->dtype, p->input_data[k], i, array_real(x, i));
    }
}

static double *read_output(const Host *h, ProgramKind kind, RootKind wanted, int64_t *n)
{
    const HostProgram *p = &h->program[kind];
    const Graph *g = p->program->graph;
    int r = 0;
    while (g->root.at[r].kind != wanted) r++;
    int k = host_output(p, r);
    *n = p->output[k]->elements;
    double *x = NEW_ARRAY(arena, double, *n);
    for (int64_t i = 0; i < *n; i++) x[i] = host_get(h, DTYPE_f32, p->output_data[k], i);
    return x;
}

static void compare_gradients(const Host *h, const Unit *u, double tolerance)
{
    for (int i = 0; i < u->weights.n; i++) {
        const Field *f = &u->weights.at[i];
        double *x = NEW_ARRAY(arena, double, f->buffer->elements);
        field_read(h, f, h->gradient, x);
        compare("gradient.", f->name, x, f->buffer->elements, tolerance);
    }
    compare_count(u->weights.n);
}

static void compare_compiled(Host *h, const Unit *u, const Tolerance *t)
{
    int64_t n;
    for (int i = 0; i < u->weights.n; i++)
        field_write(h, &u->weights.at[i], h->weights, reference_values("", u->weights.at[i].name, u->weights.at[i].buffer->elements));
    for (ProgramKind k = 0; k < PROGRAMS; k++)
        if (k != PROGRAM_evaluate) put_inputs(h, k);
    host_run(h, PROGRAM_forward);
    const double *p = read_output(h, PROGRAM_forward, ROOT_output, &n);
    compare("output.", "p", p, n, t->output);
    host_run(h, PROGRAM_gradient);
    compare_loss(0, *read_output(h, PROGRAM_gradient, ROOT_loss, &n), t->loss);
    compare_gradients(h, u, t->gradient);
    for (int step = 0; step < STEPS; step++) {
        h->call = (HostCall){.rate = 1e-2, .valid = BATCH, .step = (uint64_t)step};
        host_run(h, PROGRAM_step);
        compare_loss(step, *read_output(h, PROGRAM_step, ROOT_loss, &n), t->loss);
    }
}

static void compile_and_compare(int i, const char *target, bool f64)
{
    Model *m = open_net(i, arena_printf(arena, "%s%s", target, f64 ? " in double" : ""));
    Unit unit;
    TrainPlan plan;
    Host h = {0};
    int status = 0;
    CompileOptions o = {.resolve = {.mode = MODE_train, .batch = BATCH}, .train = true, .no_evaluate = true, .f64 = f64,
                        .target = target_find(target)};
    ck_assert(compile(m, &o, &unit, &plan, &status));
    ck_assert_int_eq(host_open(&h, arena, &unit), 0);
    compare_compiled(&h, &unit, f64 ? &exact : &single);
    host_close(&h);
}

START_TEST(compiled) { compile_and_compare(_i, "native", false); }
END_TEST

/* With mode=all. */
START_TEST(compiled_for_each_target)
{
    compile_and_compare(_i, "scalar", true);
    for (const Target *t = targets; t->name; t++)
        if (target_runs_here(t)) compile_and_compare(_i, t->name, false);
}
END_TEST

int main(void)
{
    const char *mode = getenv("mode");
    Suite *s = suite_create("reference nets");
    TCase *c = tcase_create("reference nets");
    tcase_set_timeout(c, 300);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, interpreted, 0, LENGTH(nets));
    tcase_add_loop_test(c, compiled, 0, LENGTH(nets));
    if (mode && !strcmp(mode, "all")) tcase_add_loop_test(c, compiled_for_each_target, 0, LENGTH(nets));
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
