/* gradcheck.c -- netc gradcheck: the compiled gradients, in double, against central differences of the compiled loss. */
#include "fill.h"
#include "trainer.h"

#include <math.h>
#include <string.h>

enum { GRADCHECK_BATCH = 4, GRADCHECK_ENTRIES = 20 };

/* A wider and two narrower steps are tried where the first disagrees: near a kink (relu, max, abs) the differences
   are only right once both sides lie on one side of it. */
static const struct { double h, tolerance; } attempts[] = {{1e-5, 1e-6}, {1e-4, 1e-6}, {1e-6, 1e-5}, {1e-7, 1e-4}};

typedef struct Check {
    Host host;
    uint64_t seed;
    const char *param;             /* what is being checked: the losses that train it count; NULL: all */
    double floor;                  /* gradients below it are noise of the differences */
} Check;

static bool trains(const Root *loss, const char *param)
{
    bool found = !loss->chooses || !param;
    for (int i = 0; i < loss->n_updates && !found; i++) found = !strcmp(loss->updates[i]->name, param);
    return found;
}

static double run_loss(Check *c)
{
    const HostProgram *p = &c->host.program[PROGRAM_gradient];
    const Graph *g = p->program->graph;
    double sum = 0;
    host_run(&c->host, PROGRAM_gradient);
    for (int i = 0; i < g->root.n; i++) {
        if (g->root.at[i].kind != ROOT_loss || !trains(&g->root.at[i], c->param)) continue;
        int output = host_output(p, i);
        sum += host_get(&c->host, p->output[output]->dtype, p->output_data[output], 0);
    }
    return sum;
}

/* Relative error of one element: the least over the attempts, once one is good enough. */
static bool check_entry(Check *c, const Field *f, double *x, int64_t i, double analytic, double *error)
{
    double before = x[i];
    bool good = false;
    *error = INFINITY;
    for (size_t k = 0; k < LENGTH(attempts) && !good; k++) {
        double h = attempts[k].h * fmax(1, fabs(before));
        x[i] = before + h;
        field_write(&c->host, f, c->host.weights, x);
        double up = run_loss(c);
        x[i] = before - h;
        field_write(&c->host, f, c->host.weights, x);
        double numeric = (up - run_loss(c)) / (2 * h);
        double e = fabs(analytic - numeric) / fmax(fmax(fabs(analytic), fabs(numeric)), c->floor);
        if (!(e >= *error)) *error = e;
        good = e <= attempts[k].tolerance;
    }
    x[i] = before;
    field_write(&c->host, f, c->host.weights, x);
    return good;
}

static bool check_tensor(Check *c, const Field *f, int64_t entries)
{
    int64_t n = f->buffer->elements, checked = n < entries ? n : entries, wrong = 0;
    Arena *a = arena_new();
    double *x = NEW_ARRAY(a, double, n), *gradient = NEW_ARRAY(a, double, n), largest = 0;
    c->param = f->name;
    run_loss(c);
    field_read(&c->host, f, c->host.weights, x);
    field_read(&c->host, f, c->host.gradient, gradient);
    for (int64_t k = 0; k < checked; k++) {
        int64_t i = checked == n ? k : (int64_t)(random_uniform(c->seed, 0, 1, (uint32_t)k) * (double)n);
        double error;
        wrong += !check_entry(c, f, x, i, gradient[i], &error);
        if (error > largest || isnan(error)) largest = error;
    }
    printf("%-32s %-20s %8lld %11.2e  %s\n", f->name, shape_text(a, f->buffer->shape), (long long)checked, largest, wrong ? "FAIL" : "ok");
    arena_free(a);
    return wrong == 0;
}

static bool is_trained(const Graph *g, const char *name)
{
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind == ROOT_gradient && !strcmp(g->root.at[i].target->name, name)) return true;
    return false;
}

static int check_all(Check *c, int64_t entries)
{
    const Graph *g = c->host.program[PROGRAM_gradient].program->graph;
    const Unit *u = c->host.unit;
    bool good = true, any = false;
    for (int i = 0; i < g->root.n; i++) any |= g->root.at[i].kind == ROOT_loss;
    if (!any) return fail(EXIT_model, "the net has no loss");
    fill_inputs(&c->host, PROGRAM_gradient, c->seed);
    fill_params(&c->host, c->seed);
    fill_memory(&c->host, c->seed);
    c->host.call = (HostCall){.valid = (int32_t)g->batch, .seed = c->seed};
    double loss = run_loss(c);
    if (!isfinite(loss)) return fail(EXIT_model, "the loss is %g at the parameters drawn; try another --seed", loss);
    c->floor = 1e-4 * fmax(1, fabs(loss));
    printf("%-32s %-20s %8s %11s\n", "tensor", "shape", "elements", "max error");
    for (int i = 0; i < u->weights.n; i++)
        if (is_trained(g, u->weights.at[i].name)) good = check_tensor(c, &u->weights.at[i], entries) && good;
    return good ? 0 : EXIT_model;
}

int command_gradcheck(const Options *o)
{
    Session s;
    int status = session_open(&s, o, "scalar");
    if (status) return status;
    s.compile.target = target_find("scalar");
    s.compile.f64 = true;
    s.compile.train = s.compile.no_forward = s.compile.no_evaluate = s.compile.no_step = true;
    if (!s.compile.train_batch) s.compile.train_batch = GRADCHECK_BATCH;
    status = session_compile(&s);
    if (status) return status;
    Check *c = NEW(o->arena, Check);
    c->seed = o->seed >= 0 ? (uint64_t)o->seed : s.plan.seed;
    status = host_open(&c->host, o->arena, &s.unit);
    if (!status) status = check_all(c, o->entries ? o->entries : GRADCHECK_ENTRIES);
    host_close(&c->host);
    return status;
}
