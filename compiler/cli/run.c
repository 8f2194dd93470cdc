/* run.c -- netc run: the outputs for every sample, as NPY files. */
#include "tokens.h"
#include "trainer.h"

#include <string.h>

enum { RUN_BATCH = 32 };

/* One output over the whole set. */
typedef struct Result { const char *name; Array array; int64_t per_sample; bool batched; } Result;

static Result result_new(Arena *a, const Root *r, int64_t samples)
{
    const Node *n = r->node;
    int first = n->batched ? 1 : 0;
    int64_t shape[ARRAY_RANK] = {samples}, elements = 1;
    int rank = 1;
    for (int d = first; d < n->shape.rank && rank < ARRAY_RANK; d++) {
        elements *= n->shape.dim[d];
        shape[rank++] = n->shape.dim[d];
    }
    static const ArrayType types[DTYPES] = {[DTYPE_f32] = ARRAY_f32, [DTYPE_i32] = ARRAY_i32, [DTYPE_u8] = ARRAY_u8};
    return (Result){r->name, array_new(a, types[n->dtype], rank, shape), elements, n->batched};
}

static void result_put(Result *r, int64_t i, double v)
{
    if (r->array.type == ARRAY_f32) ((float *)r->array.data)[i] = (float)v;
    else if (r->array.type == ARRAY_i32) ((int32_t *)r->array.data)[i] = (int32_t)v;
    else ((uint8_t *)r->array.data)[i] = (uint8_t)v;
}

/* Which places of a batch are which samples of the set. */
typedef struct Places { const Dataset *data; int64_t k, batch; } Places;

static int64_t sample_at(const Places *p, int64_t place) { return dataset_sample(p->data, p->k, p->batch, place); }

/* The k-th batch; what is not batched is the same for all. */
static void results_put(Result *r, const Places *p, const double *value)
{
    for (int64_t i = 0; i < p->batch && sample_at(p, i) >= 0; i++)
        for (int64_t j = 0; j < r->per_sample; j++)
            result_put(r, sample_at(p, i) * r->per_sample + j, value[r->batched ? i * r->per_sample + j : j]);
}

static int results_write(Arena *a, const char *dir, const Result *result, int n)
{
    const char *why = "";
    if (!directory_make(a, dir, &why)) return fail(EXIT_io, "%s", why);
    for (int i = 0; i < n; i++)
        if (!npy_write(a, arena_printf(a, "%s/%s.npy", dir, result[i].name), &result[i].array, &why)) return fail(EXIT_io, "%s", why);
    return 0;
}

static Result *results_new(Arena *a, const Graph *g, int64_t samples, int *n)
{
    Result *result = NEW_ARRAY(a, Result, g->root.n + 1);
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind == ROOT_output) result[(*n)++] = result_new(a, &g->root.at[i], samples);
    return result;
}

static uint64_t seed_of(const Session *s) { return s->options->seed >= 0 ? (uint64_t)s->options->seed : 42; }

/* ---- compiled ---- */

static const double *output_values(const Host *h, Arena *scratch, int k)
{
    const HostProgram *p = &h->program[PROGRAM_forward];
    double *x = NEW_ARRAY(scratch, double, p->output[k]->elements);
    for (int64_t i = 0; i < p->output[k]->elements; i++) x[i] = host_get(h, p->output[k]->dtype, p->output_data[k], i);
    return x;
}

static int run_compiled(Session *s, const Dataset *data)
{
    Host host;
    int n = 0, status = host_open(&host, s->arena, &s->unit);
    if (status) return status;
    weights_from_values(&host);
    const HostProgram *p = &host.program[PROGRAM_forward];
    Result *result = results_new(s->arena, p->program->graph, data->samples, &n);
    int64_t batch = p->program->graph->batch;
    for (Places at = {data, 0, batch}; at.k * batch < data->samples; at.k++) {
        Arena *scratch = arena_new();
        dataset_batch(data, &host, p, at.k, batch);
        host.call = (HostCall){.seed = seed_of(s), .step = (uint64_t)at.k};
        host_run(&host, PROGRAM_forward);
        for (int k = 0; k < n; k++) results_put(&result[k], &at, output_values(&host, scratch, k));
        arena_free(scratch);
    }
    host_close(&host);
    return results_write(s->arena, s->options->output, result, n);
}

/* ---- interpreted ---- */

/* What is kept from batch to batch. */
typedef struct Kept { const Node *leaf; double *value; } Kept;

typedef struct Samples { const Places *at; Arena *arena; const Kept *kept; int n_kept; } Samples;

static Kept *kept_new(Arena *a, const Graph *g, int *n)
{
    Kept *kept = NEW_ARRAY(a, Kept, g->node.n + 1);
    for (int i = 0; i < g->node.n; i++) {
        const Node *leaf = g->node.at[i];
        if (leaf->op != OP_state) continue;
        const int64_t count = shape_elements(leaf->shape);
        kept[*n] = (Kept){leaf, NEW_ARRAY(a, double, count)};
        for (int64_t k = 0; k < count; k++) kept[*n].value[k] = node_attr(leaf, ATTR_init)->init.a;
        ++*n;
    }
    return kept;
}

static void kept_update(const Graph *g, const double *const *value, const Kept *kept, int n)
{
    for (int r = 0; r < g->root.n; r++)
        for (int i = 0; i < n; i++)
            if (g->root.at[r].kind == ROOT_update && g->root.at[r].target == kept[i].leaf)
                memcpy(kept[i].value, value[r], (size_t)shape_elements(kept[i].leaf->shape) * sizeof *value[r]);
}

/* Of a batch that is not full the last places repeat its first sample. */
static const double *samples_leaf(void *user, const Node *leaf)
{
    const Samples *s = user;
    const Dataset *data = s->at->data;
    for (int i = 0; i < s->n_kept; i++)
        if (s->kept[i].leaf == leaf) return s->kept[i].value;
    int64_t n = shape_elements(leaf->shape), each = leaf->op == OP_input ? n / leaf->shape.dim[0] : n;
    double *x = NEW_ARRAY(s->arena, double, n);
    if (leaf->op == OP_param && leaf->value)
        for (int64_t i = 0; i < n; i++) x[i] = leaf->value[i];
    for (int c = 0; c < data->n; c++)
        for (int64_t i = 0; leaf->op == OP_input && !strcmp(data->name[c], leaf->name) && i < n; i++) {
            const int64_t sample = sample_at(s->at, i / each);
            x[i] = array_real(&data->column[c], dataset_element(data, c, sample >= 0 ? sample : sample_at(s->at, 0), each) + i % each);
        }
    return x;
}

static int run_interpreted(Session *s, const Dataset *data)
{
    int n = 0, status = 0;
    const int64_t batch = s->compile.resolve.batch;
    Graph *g = session_graph(s, MODE_infer, batch, "resolve");
    if (!g) return EXIT_model;
    if (s->options->weights && !graph_take_weights(g, s->options->weights, &status)) return status;
    int n_kept = 0;
    Kept *kept = kept_new(s->arena, g, &n_kept);
    Result *result = results_new(s->arena, g, data->samples, &n);
    for (Places at = {data, 0, batch}; at.k * batch < data->samples; at.k++) {
        Arena *scratch = arena_new();
        Samples user = {&at, scratch, kept, n_kept};
        EvalInputs in = {samples_leaf, &user, seed_of(s), (uint64_t)at.k};
        const double **value = NEW_ARRAY(scratch, const double *, g->root.n + 1);
        graph_eval(g, scratch, &in, value);
        for (int r = 0, k = 0; r < g->root.n; r++)
            if (g->root.at[r].kind == ROOT_output) results_put(&result[k++], &at, value[r]);
        kept_update(g, value, kept, n_kept);
        arena_free(scratch);
    }
    return results_write(s->arena, s->options->output, result, n);
}

int command_run(const Options *o)
{
    if (!o->output) return usage_error(o->command, "where to? -o DIR is missing");
    Session s;
    int status = session_open(&s, o, "native");
    if (!status && !o->interpret) status = require_native(&s);
    if (!o->batch) s.compile.resolve.batch = RUN_BATCH;
    if (!status) status = session_compile(&s);
    if (!status && !o->batch && s.unit.memory[MEMORY_forward].n) {   /* one sample follows the other */
        s.compile.resolve.batch = 1;
        status = session_compile(&s);
    }
    if (!status && !o->weights && s.unit.weights.n) status = usage_error(o->command, "--weights W.safetensors is missing");
    if (!status && !resolve_train(s.model, &s.compile.resolve, s.unit.net, &s.plan)) status = EXIT_model;
    Dataset data, known = {0};
    if (!status) status = known_vocabulary(&known, o->arena, o->weights, &s.plan.tokens);
    if (!status) status = dataset_load(&data, o->arena, o->input.at, o->input.n, s.unit.forward, &known, &s.plan.tokens);
    if (!status && data.n && o->samples) status = usage_error(o->command, "--samples: the data say how many there are");
    if (status) return status;
    if (!data.n) data.samples = o->samples ? o->samples : 1;
    return o->interpret ? run_interpreted(&s, &data) : run_compiled(&s, &data);
}
