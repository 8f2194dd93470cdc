/* eval.c -- runs a program in double by plain loops: the meaning of loops, for tests. */
#include "loop.h"

#include <math.h>
#include <string.h>

double random_uniform(uint64_t seed, uint64_t step, uint32_t key, uint32_t index);  /* pass/random.c */

/* An expression as a list of steps, arguments first; what is shared is computed once. */
typedef struct Step {
    const Expr *expr;
    int arg[3];
    Affine at;                     /* load: the address; index, random: the index */
    const double *memory;
} Step;

typedef struct Run {
    Arena *arena;
    const Program *program;
    double **memory;               /* by buffer id */
    uint64_t seed, step;
    VEC(Step) steps;
    double *value;                 /* of the steps */
    int64_t i[AXES_MAX];
    double reduced[KEPT_MAX];
} Run;

static double *memory_of(const Run *r, const Buffer *b) { return r->memory[buffer_memory(b)->id]; }

static int add_step(Run *r, const Expr *e)
{
    for (int i = 0; i < r->steps.n; i++)
        if (r->steps.at[i].expr == e) return i;
    Step s = { .expr = e };
    for (int i = 0; i < expr_args[e->kind]; i++) s.arg[i] = add_step(r, e->arg[i]);
    if (e->kind == EX_load) {
        s.at = buffer_address(e->buffer, e->index);
        s.memory = memory_of(r, e->buffer);
    } else if (e->index) s.at = *e->index;
    vec_push(r->arena, &r->steps, s);
    return r->steps.n - 1;
}

static int64_t affine_at(const Affine *x, const int64_t *i)
{
    int64_t at = x->offset;
    for (int t = 0; t < x->n; t++) at += x->coef[t] * i[x->axis[t]];
    return at;
}

static double row_of(double x, double rows) { return x > 0 ? fmin(trunc(x), rows - 1) : 0; }

static double step_value(const Run *r, const Step *s)
{
    double x[3];
    switch (s->expr->kind) {
    case EX_constant: return s->expr->value;
    case EX_reduced: return r->reduced[(int)s->expr->value];
    case EX_load: return s->memory[affine_at(&s->at, r->i)];
    case EX_index: return (double)affine_at(&s->at, r->i);
    case EX_random: return random_uniform(r->seed, r->step, s->expr->key, (uint32_t)affine_at(&s->at, r->i));
    case EX_row: return row_of(r->value[s->arg[0]], s->expr->value);
    default:
        for (int i = 0; i < expr_args[s->expr->kind]; i++) x[i] = r->value[s->arg[i]];
        return expr_apply(s->expr->kind, x);
    }
}

static double run_steps(Run *r, int from, int to)
{
    for (int i = from; i < to; i++) r->value[i] = step_value(r, &r->steps.at[i]);
    return r->value[to - 1];
}

/* Counts the axes [from, to) on; false when they are back at 0. */
static bool next_point(const Kernel *k, int64_t *i, int from, int to)
{
    for (int a = to - 1; a >= from; a--) {
        if (++i[a] < k->axis[a].extent) return true;
        i[a] = 0;
    }
    return false;
}

static double combine(Reduce how, double r, double x)
{
    switch (how) {
    case REDUCE_sum: return r + x;
    case REDUCE_max: return x <= r ? r : x;
    case REDUCE_min: return x >= r ? r : x;
    default: return x;
    }
}

/* Adds the steps of one expression behind those there are: what it shares with them was computed for another point, or
   before the reduction was over. The number of steps so far. */
static int add_steps(Run *r, const Expr *e)
{
    const int before = r->steps.n;
    Run own = *r;
    memset(&own.steps, 0, sizeof own.steps);
    add_step(&own, e);
    for (int i = 0; i < own.steps.n; i++) {
        Step s = own.steps.at[i];
        for (int a = 0; a < 3; a++) s.arg[a] += before;
        vec_push(r->arena, &r->steps, s);
    }
    return r->steps.n;
}

typedef struct Target { double *out; Affine at; int end; double value; } Target;   /* where a value is stored, and the end of its steps */

static void run_kernel(Run *r, const Kernel *k)
{
    static const double start[] = { [REDUCE_sum] = 0, [REDUCE_max] = -INFINITY, [REDUCE_min] = INFINITY };
    int out_axes = 0;
    while (out_axes < k->n_axes && !k->axis[out_axes].reduce && !k->axis[out_axes].kept) out_axes++;
    int reduce_axes = out_axes;
    while (reduce_axes < k->n_axes && k->axis[reduce_axes].kept) reduce_axes++;
    r->steps.n = 0;
    int n_pick = k->pick ? add_steps(r, k->pick) : 0, n_value = add_steps(r, k->value), end = k->result ? add_steps(r, k->result) : n_value;
    Target *more = NEW_ARRAY(r->arena, Target, k->more.n + 1);
    for (int i = 0; i < k->more.n; i++) {
        const Store *s = &k->more.at[i];
        more[i] = (Target){ memory_of(r, s->out), buffer_address(s->out, s->at), add_steps(r, s->value), 0 };
    }
    r->value = NEW_ARRAY(r->arena, double, r->steps.n);
    memset(r->i, 0, sizeof r->i);
    Affine to = buffer_address(k->out, k->store);
    double *out = memory_of(r, k->out);
    do {
        if (k->pick) r->i[PICKED] = (int64_t)run_steps(r, 0, n_pick);
        double *reduced = r->reduced;
        do {
            *reduced = start[k->reduce];
            do *reduced = combine(k->reduce, *reduced, run_steps(r, n_pick, n_value));
            while (next_point(k, r->i, reduce_axes, k->n_axes));
            reduced++;
        } while (next_point(k, r->i, out_axes, reduce_axes));
        double y = k->result ? run_steps(r, n_value, end) : *r->reduced;
        for (int i = 0; i < k->more.n; i++) more[i].value = run_steps(r, i ? more[i - 1].end : end, more[i].end);
        double *at = &out[affine_at(&to, r->i)];
        *at = k->accumulate ? *at + y : y;
        for (int i = 0; i < k->more.n; i++) more[i].out[affine_at(&more[i].at, r->i)] = more[i].value;
    } while (next_point(k, r->i, 0, out_axes));
}

/* All of the workspace is one array with a double for each byte, so that a wrong plan gives wrong results. */
static double *unset_memory(Arena *a, int64_t count)
{
    double *m = NEW_ARRAY(a, double, count + 1);
    for (int64_t i = 0; i < count; i++) m[i] = NAN;
    return m;
}

static double *constant_memory(Arena *a, const Buffer *b)
{
    double *m = NEW_ARRAY(a, double, b->elements);
    memcpy(m, b->data, (size_t)b->elements * sizeof *m);
    return m;
}

void program_eval(const Program *p, double *const *memory, uint64_t seed, uint64_t step)
{
    Run r = { .arena = arena_new(), .program = p, .seed = seed, .step = step };
    double *workspace = unset_memory(r.arena, p->workspace_bytes);
    r.memory = NEW_ARRAY(r.arena, double *, p->buffer.n + 1);
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        if (b->base) continue;
        if (b->kind == BUF_workspace) r.memory[i] = workspace + b->offset;
        else r.memory[i] = b->kind == BUF_constant ? constant_memory(r.arena, b) : memory[i];
        if (!r.memory[i]) internal_error("program_eval", "no memory for %s", b->name);
    }
    for (int i = 0; i < p->kernel.n; i++) run_kernel(&r, p->kernel.at[i]);
    arena_free(r.arena);
}
