/* trainplan.c -- the `train` block: optimiser, rate, clipping, batch, epochs, seed. */
#include "value.h"

#include <stddef.h>
#include <string.h>

Resolver *resolver_new(Model *m, const ResolveOptions *o, const char *net);
void resolve_constants(Resolver *r);

/* Numbers of a call: where they go, and what they may be. */
typedef struct Setting {
    const char *name;
    size_t at;               /* offset of a double in the struct */
    double low, high;        /* low <= x <= high */
    bool positive;           /* x > 0 */
} Setting;

#define PLAN(field) offsetof(TrainPlan, field)
static const Setting decay = {"decay", PLAN(decay), 0, 1e6, false}, momentum = {"momentum", PLAN(momentum), 0, 1, false},
                     eps = {"eps", PLAN(eps), 0, 1, false}, beta1 = {"beta1", PLAN(beta1), 0, 0.999999, false},
                     beta2 = {"beta2", PLAN(beta2), 0, 0.9999999, false}, alpha = {"alpha", PLAN(alpha), 0, 0.9999999, false},
                     dampening = {"dampening", PLAN(dampening), 0, 1, false};

static const struct {
    const char *name;
    OptimizerKind kind;
    double rate, eps, decay;   /* PyTorch's defaults */
    const Setting *setting[6];
} optimizers[] = {
    {"sgd", OPTIMIZER_sgd, 1e-3, 0, 0, {&momentum, &dampening, &decay}},
    {"adam", OPTIMIZER_adam, 1e-3, 1e-8, 0, {&beta1, &beta2, &eps, &decay}},
    {"adamw", OPTIMIZER_adamw, 1e-3, 1e-8, 0.01, {&beta1, &beta2, &eps, &decay}},
    {"rmsprop", OPTIMIZER_rmsprop, 1e-2, 1e-8, 0, {&alpha, &eps, &momentum, &decay}},
    {"adagrad", OPTIMIZER_adagrad, 1e-2, 1e-10, 0, {&eps, &decay}}};

static const struct { const char *name; ScheduleKind kind; } schedules[] = {
    {"constant", SCHEDULE_constant}, {"step", SCHEDULE_step}, {"cosine", SCHEDULE_cosine}, {"linear", SCHEDULE_linear}};

static void unknown(Resolver *r, Span span, const char *what, const char *name, const char *const *known, int n)
{
    const char *near = did_you_mean(name, known, n);
    Text t = {.arena = r->arena};
    for (int i = 0; i < n; i++) text_printf(&t, "%s`%s`", i ? ", " : "", known[i]);
    if (near) resolve_error(r, span, "there is no %s `%s`; did you mean `%s`?", what, name, near);
    else resolve_error(r, span, "there is no %s `%s`; there are %s", what, name, text_string(&t));
}

static void set_number(Resolver *r, void *base, const Setting *s, const Ast *e)
{
    double x;
    if (!value_to_real(r, resolve_single(r, e), e->span, s->name, &x)) return;
    if (x < s->low || x > s->high || (s->positive && x <= 0)) {
        resolve_error(r, e->span, "`%s` must be %s %g and at most %g, not %g", s->name, s->positive ? "above" : "at least", s->low, s->high, x);
        return;
    }
    memcpy((char *)base + s->at, &x, sizeof x);
}

static void set_count(Resolver *r, int64_t *out, const char *name, int64_t low, const Ast *e)
{
    value_to_int(r, resolve_single(r, e), e->span, name, low, INT32_MAX, out);
}

/* rate = NUMBER or constant, step, cosine, linear(NUMBER, name=...) */
static void set_rate(Resolver *r, Schedule *s, const Ast *e)
{
    static const Setting rate = {"rate", offsetof(Schedule, rate), 0, 1e6, true}, to = {"to", offsetof(Schedule, to), 0, 1e6, false},
                         factor = {"factor", offsetof(Schedule, factor), 0, 1e6, true};
    static const char *const names[] = {"constant", "step", "cosine", "linear"};
    int kind = -1;
    for (int i = 0; e->kind == AST_call && i < (int)LENGTH(schedules); i++)
        if (!strcmp(schedules[i].name, e->text)) kind = i;
    if (kind < 0 && e->kind == AST_call && !builtin_find(e->text)) {
        unknown(r, e->span, "schedule", e->text, names, LENGTH(names));
        return;
    }
    if (kind < 0) {
        set_number(r, s, &rate, e);
        return;
    }
    s->kind = schedules[kind].kind;
    static const char *const known[] = {"rate", "to", "warmup", "every", "factor", "epochs"};
    bool epochs = false, has_rate = false;
    for (int i = 0; i < e->n; i++) {
        const Ast *a = e->kid[i], *v = a->kind == AST_argument ? a->kid[0] : a;
        const char *name = a->kind == AST_argument ? a->text : i == 0 ? "rate" : "";
        bool fits = !strcmp(name, "rate") || !strcmp(name, "warmup") ||
                    (!strcmp(name, "to") && s->kind >= SCHEDULE_cosine) ||
                    ((!strcmp(name, "every") || !strcmp(name, "factor") || !strcmp(name, "epochs")) && s->kind == SCHEDULE_step);
        if (!fits) {
            if (*name) unknown(r, a->span, arena_printf(r->arena, "argument of %s", e->text), name, known, LENGTH(known));
            else resolve_error(r, a->span, "this argument needs a name");
        } else if (!strcmp(name, "rate")) set_number(r, s, &rate, v), has_rate = true;
        else if (!strcmp(name, "to")) set_number(r, s, &to, v);
        else if (!strcmp(name, "factor")) set_number(r, s, &factor, v);
        else if (!strcmp(name, "warmup")) set_count(r, &s->warmup, name, 0, v);
        else if (!strcmp(name, "every")) set_count(r, &s->every, name, 1, v);
        else value_to_bool(r, resolve_single(r, v), v->span, name, &epochs);
    }
    if (!has_rate) resolve_error(r, e->span, "`%s` needs a rate", e->text);
    if (s->kind == SCHEDULE_step && !s->every) resolve_error(r, e->span, "`step` needs `every`");
    if (epochs) s->every_epochs = s->every, s->every = 0;
}

static void set_optimizer(Resolver *r, TrainPlan *plan, const Ast *e)
{
    const char *names[LENGTH(optimizers)];
    int kind = -1;
    for (int i = 0; i < (int)LENGTH(optimizers); i++) {
        names[i] = optimizers[i].name;
        if ((e->kind == AST_call || e->kind == AST_name) && !strcmp(names[i], e->text)) kind = i;
    }
    if (kind < 0) {
        unknown(r, e->span, "optimizer", e->text ? e->text : "?", names, LENGTH(names));
        return;
    }
    plan->optimizer = optimizers[kind].kind;
    plan->rate = (Schedule){.rate = optimizers[kind].rate, .factor = 0.1};
    plan->eps = optimizers[kind].eps;
    plan->decay = optimizers[kind].decay;
    for (int i = 0; e->kind == AST_call && i < e->n; i++) {
        const Ast *a = e->kid[i], *v = a->kind == AST_argument ? a->kid[0] : a;
        const char *name = a->kind == AST_argument ? a->text : i == 0 ? "rate" : "", *known[8] = {"rate"};
        int n = 1;
        const Setting *setting = NULL;
        for (const Setting *const *s = optimizers[kind].setting; *s; s++) {
            known[n++] = (*s)->name;
            if (!strcmp((*s)->name, name)) setting = *s;
        }
        if (plan->optimizer == OPTIMIZER_sgd) known[n++] = "nesterov";
        if (!strcmp(name, "rate")) set_rate(r, &plan->rate, v);
        else if (!strcmp(name, "nesterov") && plan->optimizer == OPTIMIZER_sgd) value_to_bool(r, resolve_single(r, v), v->span, name, &plan->nesterov);
        else if (setting) set_number(r, plan, setting, v);
        else if (*name) unknown(r, a->span, arena_printf(r->arena, "argument of %s", names[kind]), name, known, n);
        else resolve_error(r, a->span, "this argument needs a name");
    }
    if (plan->nesterov && (plan->momentum <= 0 || plan->dampening != 0))
        resolve_error(r, e->span, "`nesterov` needs a momentum and no dampening");
}

static void set_seed(Resolver *r, TrainPlan *plan, const Ast *e)
{
    int64_t seed = 0;
    if (value_to_int(r, resolve_single(r, e), e->span, "seed", 0, INT64_MAX, &seed)) plan->seed = (uint64_t)seed;
}

/* clip_weights = 0.01, or of one net alone: critic(0.01) */
static void set_weight_limit(Resolver *r, TrainPlan *plan, const Ast *e)
{
    static const Setting limit = {"clip_weights", PLAN(weight_limit), 0, 1e12, true};
    VEC(const char *) nets = {0};
    bool one_net = e->kind == AST_call && !builtin_find(e->text);
    for (int f = 0; f < r->model->file.n && one_net; f++)
        for (int i = 0; i < r->model->file.at[f]->n; i++) {
            const Ast *top = r->model->file.at[f]->kid[i];
            if (top->kind != AST_net) continue;
            vec_push(r->arena, &nets, top->text);
            if (!strcmp(top->text, e->text)) plan->limited = top->text;
        }
    if (one_net && !plan->limited) unknown(r, e->span, "net", e->text, nets.at, nets.n);
    else if (one_net && (e->n != 1 || e->kid[0]->kind == AST_argument)) resolve_error(r, e->span, "`%s(LIMIT)` is expected", e->text);
    else set_number(r, plan, &limit, one_net ? e->kid[0] : e);
}

static void set_entry(Resolver *r, TrainPlan *plan, const char *net, const Ast *a)
{
    static const Setting clip = {"clip", PLAN(clip), 0, 1e12, true};
    static const char *const known[] = {"optimizer", "batch", "accumulate", "epochs", "steps", "seed", "clip", "clip_weights", "tokens"};
    const Ast *e = a->kid[0];
    if (!strcmp(a->text, "optimizer")) set_optimizer(r, plan, e);
    else if (!strcmp(a->text, "batch")) {
        value_to_int(r, resolve_single(r, e), e->span, "batch", 1, 65536, &plan->batch);
    } else if (!strcmp(a->text, "accumulate")) {
        value_to_int(r, resolve_single(r, e), e->span, "accumulate", 1, 65536, &plan->accumulate);
    } else if (!strcmp(a->text, "epochs")) set_count(r, &plan->epochs, a->text, 1, e);
    else if (!strcmp(a->text, "steps")) set_count(r, &plan->steps, a->text, 1, e);
    else if (!strcmp(a->text, "seed")) set_seed(r, plan, e);
    else if (!strcmp(a->text, "clip")) set_number(r, plan, &clip, e);
    else if (!strcmp(a->text, "clip_weights")) set_weight_limit(r, plan, e);
    else if (!strcmp(a->text, "tokens")) resolve_tokens(r, &plan->tokens, net, e);
    else unknown(r, a->name_span.begin ? a->name_span : a->span, "entry", a->text, known, LENGTH(known));
}

bool resolve_train(Model *m, const ResolveOptions *options, const char *net, TrainPlan *plan)
{
    *plan = (TrainPlan){.optimizer = OPTIMIZER_adam, .rate = {.rate = 1e-3, .factor = 0.1}, .beta1 = 0.9, .beta2 = 0.999,
                        .alpha = 0.99, .eps = 1e-8, .batch = 32, .accumulate = 1, .seed = 42};
    ResolveOptions o = *options;
    if (o.batch < 1) o.batch = 1;
    Resolver *r = resolver_new(m, &o, net);
    int errors = m->diag->errors;
    resolve_constants(r);
    const Ast *train = NULL;
    for (int f = 0; f < m->file.n; f++)
        for (int i = 0; i < m->file.at[f]->n; i++)
            if (m->file.at[f]->kid[i]->kind == AST_train) {
                const Ast *t = m->file.at[f]->kid[i];
                if (!strcmp(t->text, net)) train = t;
                else if (f == m->file.n - 1) {
                    bool found = false;
                    for (int k = 0; k < m->file.at[f]->n; k++)
                        found |= m->file.at[f]->kid[k]->kind == AST_net && !strcmp(m->file.at[f]->kid[k]->text, t->text);
                    if (!found) diag_error(m->diag, t->name_span.begin ? t->name_span : t->span, "there is no net `%s` to train", t->text);
                }
            }
    Frame top = {.path = "", .name = net, .scope = r->consts};
    r->frame = &top;
    for (int i = 0; train && i < train->n; i++) set_entry(r, plan, net, train->kid[i]);
    if (train) plan->span = train->span;
    if (plan->epochs && plan->steps) resolve_error(r, train->span, "give `epochs` or `steps`, not both");
    if (!plan->epochs && !plan->steps) plan->epochs = 10;
    return m->diag->errors == errors;
}
