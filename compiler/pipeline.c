/* pipeline.c -- the whole compiler: resolve, passes, lower, one program after the other. */
#include "pipeline.h"
#include "io/vocabulary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENTS_MAX = 64 };

typedef struct Pipeline {
    Model *model;
    const CompileOptions *options;
    const TrainPlan *plan;
    const Tensors *weights;        /* NULL: none were given */
    bool alone;                    /* one program */
    Graph *first;                  /* the first graph through the passes: it decides the layout of the params */
} Pipeline;

/* ---- weights ---- */

static Shape array_shape(const Array *x)
{
    Shape s = {.rank = x->rank};
    for (int d = 0; d < x->rank && d < RANK_MAX; d++) s.dim[d] = x->shape[d];
    return s;
}

static const char *nearest_tensor(Arena *a, const Tensors *t, const char *name)
{
    const char **names = NEW_ARRAY(a, const char *, t->n + 1);
    for (int i = 0; i < t->n; i++) names[i] = t->at[i].name;
    return did_you_mean(name, names, t->n);
}

/* A net alone takes its parameters from the file of a net that calls it, too: there they carry its name. */
static const Array *param_array(const Graph *g, const Node *n, const Tensors *weights)
{
    const Array *x = tensors_find(weights, n->name);
    return x ? x : tensors_find(weights, arena_printf(g->arena, "%s.%s", g->net, n->name));
}

static void param_value(Graph *g, Node *n, const char *path, const Tensors *weights)
{
    const Array *x = param_array(g, n, weights);
    if (!x) {
        const char *near = nearest_tensor(g->arena, weights, n->name);
        diag_error(g->diag, (Span){0, 0}, "%s: no tensor '%s', which the net needs as f32%s%s%s%s", path, n->name,
                   shape_text(g->arena, n->shape), near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        return;
    }
    if (!shape_equal(array_shape(x), n->shape)) {
        diag_error(g->diag, (Span){0, 0}, "%s: tensor '%s' is %s, the net needs f32%s", path, n->name,
                   array_text(g->arena, x), shape_text(g->arena, n->shape));
        diag_note(g->diag, n->span, "'%s' is made here", n->name);
        return;
    }
    float *value = NEW_ARRAY(g->arena, float, x->elements);
    for (int64_t i = 0; i < x->elements; i++) value[i] = (float)array_real(x, i);
    n->value = value;
}

static bool set_values(Graph *g, const char *path, const Tensors *weights)
{
    int errors = g->diag->errors;
    for (int i = 0; weights && i < g->node.n; i++)
        if (g->node.at[i]->op == OP_param) param_value(g, g->node.at[i], path, weights);
    return g->diag->errors == errors;
}

static void invent_values(Graph *g, const float *(*value)(Arena *a, const Node *param))
{
    for (int i = 0; i < g->node.n; i++)
        if (g->node.at[i]->op == OP_param) g->node.at[i]->value = value(g->arena, g->node.at[i]);
}

static bool has_param(const Graph *g, const char *name)
{
    for (int i = 0; i < g->node.n; i++)
        if (g->node.at[i]->op == OP_param && !strcmp(g->node.at[i]->name, name)) return true;
    return false;
}

/* What trainers leave beside the parameters and no net asks for. */
static bool is_bookkeeping(const char *name)
{
    size_t n = strlen(name), tail = strlen("num_batches_tracked");
    return !strncmp(name, "optimizer.", 10) || (n >= tail && !strcmp(name + n - tail, "num_batches_tracked"));
}

/* Named by a net of the file: its own part, or that of another. */
static bool is_of_net(const Model *m, const char *name)
{
    const size_t n = strcspn(name, ".");
    for (int f = 0; f < m->file.n; f++)
        for (int i = 0; i < m->file.at[f]->n; i++) {
            const Ast *top = m->file.at[f]->kid[i];
            if (top->kind == AST_net && strlen(top->text) == n && !strncmp(top->text, name, n)) return true;
        }
    return false;
}

static void warn_of_extra(const Pipeline *p, const Graph *g)
{
    int extra = 0;
    const char *example = NULL;
    for (int i = 0; i < p->weights->n; i++) {
        const char *name = p->weights->at[i].name;
        if (is_bookkeeping(name) || has_param(g, name)) continue;
        if (is_of_net(p->model, name)) continue;
        if (!extra++) example = name;
    }
    if (extra) diag_warning(g->diag, (Span){0, 0}, "%s: %d tensor%s of no parameter of '%s', such as '%s'",
                            p->options->weights, extra, extra > 1 ? "s are" : " is", g->net, example);
}

/* ---- one program ---- */

static bool is_kept(const Node *n) { return n->op == OP_param || n->op == OP_state; }

/* A param is stored in one order in every program, and so is what is kept between calls. */
static void take_layouts(const Graph *from, Graph *g)
{
    Map known[2] = {{0}};
    for (int i = 0; i < from->node.n; i++) {
        const Node *n = from->node.at[i];
        if (is_kept(n)) map_add_name(g->arena, &known[n->op == OP_state], n->name, i);
    }
    for (int i = 0; i < g->node.n; i++) {
        Node *n = g->node.at[i];
        const int at = is_kept(n) ? map_find_name(&known[n->op == OP_state], n->name) : -1;
        if (at < 0) continue;
        n->has_layout = from->node.at[at]->has_layout;
        memcpy(n->layout, from->node.at[at]->layout, sizeof n->layout);
    }
}

/* A program that is made: for gradients alone, for one step of a sequence, or as its mode is. */
typedef struct Making { bool wanted; const Program **program; const char *name; Mode mode; int64_t batch; bool gradients_only, step; } Making;

/* One struct of weights serves all programs, so of several none may change them: values come after the passes. */
static const Program *make_segments(Pipeline *p, const Making *m, int segments)
{
    const CompileOptions *o = p->options;
    const bool several = o->train || o->next;
    ResolveOptions resolve_as = o->resolve;
    resolve_as.step = m->step;
    resolve_as.mode = m->mode;
    resolve_as.batch = m->batch;
    Graph *g = resolve(p->model, &resolve_as);
    if (!g) return NULL;
    if (!p->first && p->weights) warn_of_extra(p, g);
    if (!several && !set_values(g, o->weights, p->weights)) return NULL;
    if (!several && !p->weights && o->value) invent_values(g, o->value);
    if (p->first) take_layouts(p->first, g);
    PassContext context = o->passes;
    context.plan = p->plan;
    if (segments) context.segments = segments;
    context.gradients_only = m->gradients_only;
    context.loss_only = o->train_loss && !strcmp(m->name, "evaluate");
    passes_run(g, &context, NULL);
    if (several && !set_values(g, o->weights, p->weights)) return NULL;
    if (!p->first) p->first = g;
    LowerOptions lower = o->lower;
    lower.f64 = o->f64;
    lower.alone = p->alone;
    lower.lanes = context.lanes;
    return graph_lower(g, m->name, &lower);
}

/* With as few segments as the budget of memory allows. */
static const Program *make_program(Pipeline *p, const Making *m)
{
    const Program *program = make_segments(p, m, 0);
    const int64_t most = p->options->memory;
    if (!program || !most || m->mode != MODE_train) return program;
    int64_t least = program->workspace_bytes;
    for (int segments = 2; program && program->workspace_bytes > most && segments <= SEGMENTS_MAX; segments += (segments + 2) / 3) {
        program = make_segments(p, m, segments);
        if (program && program->workspace_bytes < least) least = program->workspace_bytes;
    }
    if (!program || program->workspace_bytes <= most) return program;
    diag_error(p->model->diag, (Span){0, 0}, "'%s' with a batch of %" PRId64 " takes %" PRId64 " bytes of workspace at least, of which --memory allows %" PRId64,
               m->name, m->batch, least, most);
    return NULL;
}

static Tensors *load_weights(Arena *a, const char *path, int *status)
{
    const char *why = "";
    Tensors *t = NEW(a, Tensors);
    if (safetensors_load(a, path, t, &why, status)) return t;
    fprintf(stderr, "netc: error: %s\n", why);
    return NULL;
}

bool graph_take_weights(Graph *g, const char *path, int *status)
{
    const Tensors *t = load_weights(g->arena, path, status);
    if (!t) return false;
    *status = EXIT_model;
    return set_values(g, path, t);
}

/* What stands beside the weights of a net that reads text. */
static bool take_vocabulary(const Pipeline *p, Unit *u)
{
    const char *json = p->weights ? tensors_metadata(p->weights, "vocabulary") : NULL, *why;
    Vocabulary v;
    if (!json) return true;
    if (!vocabulary_read(u->arena, json, &v, &why)) {
        diag_error(p->model->diag, (Span){0, 0}, "%s: %s", p->options->weights, why);
        return false;
    }
    const char **piece = NEW_ARRAY(u->arena, const char *, v.piece.at.n);
    for (int i = 0; i < v.piece.at.n; i++) piece[i] = v.piece.at.at[i].s;
    u->vocabulary = piece;
    u->n_vocabulary = v.piece.at.n;
    return true;
}

static void set_error(Unit *u)
{
    if (!u->forward) return;
    const ErrorBound e = graph_error(u->forward->graph);
    u->error_bound = e.largest;
    u->tiled = e.tiled;
}

bool compile(Model *m, const CompileOptions *o, Unit *unit, TrainPlan *plan, int *status)
{
    Pipeline p = {.model = m, .options = o, .plan = plan};
    *status = EXIT_model;
    const char *net = resolve_net_name(m, o->resolve.net);
    *unit = (Unit){.arena = m->arena, .sources = m->sources, .net = net, .target = o->target, .threads = o->threads, .f64 = o->f64, .embed = o->embed};
    if (!net || (o->train && !resolve_train(m, &o->resolve, net, plan))) return false;
    unit->accumulate = o->train ? plan->accumulate : 1;
    if (o->weights && !(p.weights = load_weights(m->arena, o->weights, status))) return false;
    *status = EXIT_model;
    int64_t batch = o->train_batch ? o->train_batch : plan->batch;
    /* The step comes first: it is the largest, so its layouts are the best for all. */
    const Making row[] = {
        {o->train && !o->no_step, &unit->step, "step", MODE_train, batch, false, false},
        {o->train && !o->no_gradient, &unit->gradient, "gradient", MODE_train, batch, true, false},
        {o->train && !o->no_evaluate, &unit->evaluate, "evaluate", o->train_loss ? MODE_train : MODE_evaluate, batch, false, false},
        {!o->no_forward, &unit->forward, "forward", MODE_infer, o->resolve.batch, false, false},
        {o->next, &unit->next, "next", MODE_infer, o->resolve.batch, false, true},
    };
    int wanted = 0;
    for (size_t i = 0; i < LENGTH(row); i++) wanted += row[i].wanted;
    p.alone = wanted == 1;
    for (size_t i = 0; i < LENGTH(row); i++) {
        if (!row[i].wanted) continue;
        *row[i].program = make_program(&p, &row[i]);
        if (!*row[i].program) return false;
    }
    unit_fields(unit);
    set_error(unit);
    if (!take_vocabulary(&p, unit)) return false;
    *status = 0;
    return true;
}
