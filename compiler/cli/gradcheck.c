/* gradcheck.c -- netc gradcheck: the compiled gradients, in double, against central differences of the compiled loss: of
   each tensor some elements, and all of them at once along a random direction. */
#include "fill.h"
#include "trainer.h"

#include <math.h>
#include <string.h>

enum { GRADCHECK_BATCH = 4, GRADCHECK_ENTRIES = 20 };
#define GRADCHECK_WORK INT64_C(20000000000)   /* multiply-adds for the elements of all tensors: about ten seconds */

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

static double loss_of(Check *c, ProgramKind kind)
{
    const HostProgram *p = &c->host.program[kind];
    const Graph *g = p->program->graph;
    double sum = 0;
    host_run(&c->host, kind);
    for (int i = 0; i < g->root.n; i++) {
        if (g->root.at[i].kind != ROOT_loss || !trains(&g->root.at[i], c->param)) continue;
        int output = host_output(p, i);
        sum += host_get(&c->host, p->output[output]->dtype, p->output_data[output], 0);
    }
    return sum;
}

/* A tensor, its gradient, and a direction in which it is moved. */
typedef struct Moved {
    const Field *field;
    int64_t n;
    double *at, *gradient, *direction, *x;
} Moved;

static double loss_at(Check *c, Moved *m, double h)
{
    for (int64_t i = 0; i < m->n; i++) m->x[i] = m->at[i] + h * m->direction[i];
    field_write(&c->host, m->field, c->host.weights, m->x);
    return loss_of(c, PROGRAM_evaluate);
}

/* The relative error along the direction: the least over the attempts, once one is good enough. */
static bool check_direction(Check *c, Moved *m, double scale, double *error)
{
    bool good = false;
    double analytic = 0;
    *error = INFINITY;
    for (int64_t i = 0; i < m->n; i++) analytic += m->gradient[i] * m->direction[i];
    for (size_t k = 0; k < LENGTH(attempts) && !good; k++) {
        double h = attempts[k].h * scale, up = loss_at(c, m, h), numeric = (up - loss_at(c, m, -h)) / (2 * h);
        double e = fabs(analytic - numeric) / fmax(fmax(fabs(analytic), fabs(numeric)), c->floor);
        if (!(e >= *error)) *error = e;
        good = e <= attempts[k].tolerance;
    }
    field_write(&c->host, m->field, c->host.weights, m->at);
    return good;
}

/* The k-th direction: element k of a tensor that is checked wholly, else all elements at once, then some of them. */
static double take_direction(const Check *c, Moved *m, int64_t k, bool whole)
{
    if (k == 0 && !whole) {
        for (int64_t i = 0; i < m->n; i++) m->direction[i] = copysign(1 / sqrt((double)m->n), random_uniform(c->seed, 0, 2, (uint32_t)i) - 0.5);
        return 1;
    }
    int64_t i = whole ? k : (int64_t)(random_uniform(c->seed, 0, 1, (uint32_t)k - 1) * (double)m->n);
    memset(m->direction, 0, (size_t)m->n * sizeof *m->direction);
    m->direction[i] = 1;
    return fmax(1, fabs(m->at[i]));
}

static bool check_tensor(Check *c, const Field *f, int64_t entries)
{
    Arena *a = arena_new();
    const int64_t n = f->buffer->elements, checked = n < entries ? n : entries;
    const bool whole = n <= entries;
    Moved m = {f, n, NEW_ARRAY(a, double, n), NEW_ARRAY(a, double, n), NEW_ARRAY(a, double, n), NEW_ARRAY(a, double, n)};
    double largest = 0;
    bool good = true;
    c->param = f->name;
    field_read(&c->host, f, c->host.weights, m.at);
    field_read(&c->host, f, c->host.gradient, m.gradient);
    for (int64_t k = 0; k < checked + !whole; k++) {
        double error, scale = take_direction(c, &m, k, whole);
        good = check_direction(c, &m, scale, &error) && good;
        if (error > largest || isnan(error)) largest = error;
    }
    printf("%-32s %-20s %8lld %11.2e  %s\n", f->name, shape_text(a, f->buffer->shape), (long long)checked, largest, good ? "ok" : "FAIL");
    arena_free(a);
    return good;
}

static bool is_trained(const Graph *g, const char *name)
{
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind == ROOT_gradient && !strcmp(g->root.at[i].target->name, name)) return true;
    return false;
}

/* How many elements of each tensor, so that a large net takes no longer than it must. */
static int64_t affordable(const Check *c)
{
    const Program *loss = c->host.program[PROGRAM_evaluate].program;
    const int64_t tensors = c->host.unit->weights.n, once = 2 * (loss->multiply_adds + 1) * (tensors + 1), n = GRADCHECK_WORK / once;
    return n < 1 ? 1 : n > GRADCHECK_ENTRIES ? GRADCHECK_ENTRIES : n;
}

static int check_all(Check *c, int64_t entries)
{
    const Graph *g = c->host.program[PROGRAM_gradient].program->graph;
    const Unit *u = c->host.unit;
    bool good = true, any = false;
    for (int i = 0; i < g->root.n; i++) any |= g->root.at[i].kind == ROOT_loss;
    if (!any) return fail(EXIT_model, "the net has no loss");
    fill_inputs(&c->host, PROGRAM_gradient, c->seed);
    fill_inputs(&c->host, PROGRAM_evaluate, c->seed);
    fill_params(&c->host, c->seed);
    fill_memory(&c->host, c->seed);
    c->host.call = (HostCall){.valid = (int32_t)g->batch, .seed = c->seed};
    double loss = loss_of(c, PROGRAM_gradient);
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
    s.compile.train = s.compile.no_forward = s.compile.train_loss = s.compile.no_step = true;
    if (!s.compile.train_batch) s.compile.train_batch = GRADCHECK_BATCH;
    status = session_compile(&s);
    if (status) return status;
    Check *c = NEW(o->arena, Check);
    c->seed = o->seed >= 0 ? (uint64_t)o->seed : s.plan.seed;
    status = host_open(&c->host, o->arena, &s.unit);
    if (!status) status = check_all(c, o->all ? INT64_MAX : o->entries ? o->entries : affordable(c));
    host_close(&c->host);
    return status;
}
