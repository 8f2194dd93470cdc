/* three.c -- the emitted C against the reference interpreter: compiles nets for a target with a compiler, runs forward,
   evaluate, gradient and step twice and from two threads on dirty memory, and compares every number. Weights and inputs
   are drawn, or are what FILE.safetensors has. With --step also next, called for each step of the sequence, against what
   forward gives for the whole. With --threads all kernels are split that can be, and the second run of the first thread
   shares the work out.
   usage: three [--target T] [--cc CC] [--flags F] [--run PREFIX] [--f64] [--step] [--batch N] [--without PASS] [--threads N] [--rank N] [--winograd N] [--segments N] [--dir DIR] FILE.net ... */
#include "three.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const HostCall call_of_tests = {.rate = 0.01, .valid = TRAIN_BATCH - 1, .seed = 11, .step = 3};

/* Values that depend on a name and an index alone, uniform in [0, 1). */
static double draw(const char *name, int64_t i)
{
    uint64_t h = hash_bytes(0xcbf29ce484222325u, name, strlen(name));
    return random_uniform(h, 5, (uint32_t)(h >> 32), (uint32_t)i);
}

static double leaf_value(const Node *n, int64_t i)
{
    double u = draw(n->name, i);
    if (n->op == OP_state) return 0.1 * u;
    if (n->op == OP_param) {
        const Attr *init = node_attr(n, ATTR_init);
        return init && init->init.kind == INIT_constant && init->init.a > 0 ? 0.5 + u : 0.8 * u - 0.4;
    }
    if (n->dtype == DTYPE_f32) {   /* on a grid, so that f32 holds it */
        return floor((2 * u - 1) * 1024) / 1024;
    }
    const Attr *low = node_attr(n, ATTR_low), *high = node_attr(n, ATTR_high);
    double from = low ? (double)low->ints[0] : 0, to = high ? (double)high->ints[0] : n->dtype == DTYPE_u8 ? 256 : 10;
    return floor(from + (to - from) * u);
}

static double scalar_value(const char *name, Called run)
{
    if (!strcmp(name, "rate")) return call_of_tests.rate;
    if (!strcmp(name, "step")) return (double)call_of_tests.step;
    if (!strcmp(name, "update")) return 0;   /* tests/nets/accumulate.net moves in each fourth call: this one */
    if (!strcmp(name, "last")) return 1;
    if (!strcmp(name, "valid")) return run == RUN_evaluate ? call_of_tests.valid : TRAIN_BATCH;
    return 0;
}

/* f32 storage rounds the weights; both sides see the rounded value. */
static double *leaf_values(const Case *c, const Node *n, Called run)
{
    const Array *given = tensors_find(&c->given, n->op == OP_input ? arena_printf(c->arena, "input.%s", n->name) : n->name);
    int64_t count = shape_elements(n->shape);
    double *v = NEW_ARRAY(c->arena, double, count);
    for (int64_t i = 0; i < count; i++)
        v[i] = n->op == OP_scalar ? scalar_value(n->name, run) : given ? array_real(given, i % given->elements) : (float)leaf_value(n, i);
    return v;
}

typedef struct LeafUser { const Case *c; Called run; } LeafUser;
static const double *leaf_callback(void *user, const Node *leaf)
{
    const LeafUser *u = user;
    return leaf_values(u->c, leaf, u->run);
}

static void put(char *at, int64_t i, double v, DType t, bool f64)
{
    if (t == DTYPE_u8) ((uint8_t *)at)[i] = (uint8_t)v;
    else if (t == DTYPE_i32) ((int32_t *)(void *)at)[i] = (int32_t)v;
    else if (f64) ((double *)(void *)at)[i] = v;
    else ((float *)(void *)at)[i] = (float)v;
}

static double get(const char *at, int64_t i, DType t, bool f64)
{
    if (t == DTYPE_u8) return ((const uint8_t *)at)[i];
    if (t == DTYPE_i32) return ((const int32_t *)(const void *)at)[i];
    return f64 ? ((const double *)(const void *)at)[i] : (double)((const float *)(const void *)at)[i];
}

/* A tensor of next: `steps` of it, [outer][inner] each, are [outer][steps][inner] in the tensor of forward. */
typedef struct Cut { int64_t steps, outer, inner; } Cut;

static Cut cut_of(const Case *c, const Buffer *b)
{
    const Program *whole = c->unit.forward;
    Cut cut = {1, b->elements, 1};
    for (int i = 0; i < whole->buffer.n; i++) {
        const Buffer *w = whole->buffer.at[i];
        if (w->kind != b->kind || w->base || strcmp(w->name, b->name)) continue;
        for (int d = 0; d < w->shape.rank; d++) {
            if (w->shape.dim[d] == b->shape.dim[d]) continue;
            cut = (Cut){w->shape.dim[d], 1, 1};
            for (int e = 0; e < w->shape.rank; e++) *(e < d ? &cut.outer : &cut.inner) *= e == d ? 1 : w->shape.dim[e];
        }
    }
    return cut;
}

/* Step t of a whole tensor. */
static double *cut_step(Arena *a, Cut cut, const double *whole, int64_t t)
{
    double *x = NEW_ARRAY(a, double, cut.outer * cut.inner);
    for (int64_t o = 0; o < cut.outer; o++)
        for (int64_t i = 0; i < cut.inner; i++) x[o * cut.inner + i] = whole[(o * cut.steps + t) * cut.inner + i];
    return x;
}

static size_t element_bytes(DType t, bool f64) { return t == DTYPE_f32 && f64 ? 8 : (size_t)dtype_bytes(t); }

static const Field *field_find(const Field *f, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(f[i].name, name)) return &f[i];
    return NULL;
}

/* What only next keeps is as a sequence begins. */
static double *field_values(const Case *c, const Fields *all, const Field *f)
{
    double *x = leaf_values(c, f->node, RUN_step);
    const Fields *whole = &c->unit.memory[MEMORY_forward];
    if (all != &c->unit.memory[MEMORY_next] || field_find(whole->at, whole->n, f->name)) return x;
    for (int64_t i = 0; i < f->buffer->elements; i++) x[i] = node_attr(f->node, ATTR_init)->init.a;
    return x;
}

static void fill_fields(const Case *c, char *at, const Fields *all)
{
    for (int f = 0; f < all->n; f++) {
        const Field *field = &all->at[f];
        int64_t count = field->buffer->elements;
        double *stored = NEW_ARRAY(c->arena, double, count);
        buffer_store_order(field->buffer, field_values(c, all, field), stored);
        for (int64_t i = 0; i < count; i++) put(at + field->offset, i, stored[i], DTYPE_f32, c->unit.f64);
    }
}

static Arg *add_arg(Case *c, Called run, int kind, size_t bytes)
{
    vec_push(c->arena, &c->arg[run], (Arg){.kind = kind, .bytes = bytes, .data = arena_alloc(c->arena, bytes)});
    return &c->arg[run].at[c->arg[run].n - 1];
}

/* All steps of a tensor that next takes one by one. */
static Arg *add_tensor(Case *c, Called run, int kind, const Buffer *b)
{
    const size_t bytes = (size_t)b->elements * element_bytes(b->dtype, c->unit.f64);
    const int64_t steps = run == RUN_next ? cut_of(c, b).steps : 1;
    Arg *arg = add_arg(c, run, kind, bytes * (size_t)steps);
    arg->buffer = b;
    arg->step = steps > 1 ? bytes : 0;
    return arg;
}

static void add_input(Case *c, Called run, const Buffer *b)
{
    const Cut cut = run == RUN_next ? cut_of(c, b) : (Cut){1, b->elements, 1};
    Node whole = *b->node;
    whole.shape = (Shape){.rank = 3, .dim = {cut.outer, cut.steps, cut.inner}};
    const double *v = leaf_values(c, &whole, run);
    char *data = add_tensor(c, run, ARG_plain, b)->data;
    for (int64_t t = 0; t < cut.steps; t++) {
        const double *x = cut_step(c->arena, cut, v, t);
        for (int64_t k = 0; k < b->elements; k++) put(data, t * b->elements + k, x[k], b->dtype, c->unit.f64);
    }
}

static void make_args(Case *c, Called run, const Program *p)
{
    const Unit *u = &c->unit;
    fill_fields(c, add_arg(c, run, ARG_weights, (size_t)u->weights_bytes)->data, &u->weights);
    if (run == RUN_step) fill_fields(c, add_arg(c, run, ARG_state, (size_t)u->state_bytes)->data, &u->state);
    const Fields *kept = &u->memory[memory_of(u, p)];
    if (kept->n) fill_fields(c, add_arg(c, run, ARG_memory, (size_t)u->memory_bytes[memory_of(u, p)])->data, kept);
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        if (b->kind != BUF_input || b->base) continue;
        add_input(c, run, b);
    }
    if (run == RUN_gradient) memset(add_arg(c, run, ARG_gradient, (size_t)u->weights_bytes)->data, 0xa5, (size_t)u->weights_bytes);
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        if (b->kind != BUF_output || b->base) continue;
        Arg *arg = add_tensor(c, run, ARG_output, b);
        memset(arg->data, 0xa5, arg->bytes);
    }
    if (program_takes_call(u, p)) {
        HostCall call = call_of_tests;
        if (run != RUN_evaluate) call.valid = TRAIN_BATCH;
        memcpy(add_arg(c, run, ARG_plain, sizeof call)->data, &call, sizeof call);
    }
}

const Program *case_program(const Case *c, Called run)
{
    const Program *p[RUNS] = {c->unit.forward, c->unit.next, c->unit.evaluate, c->unit.gradient, c->unit.step};
    return p[run];
}

int case_steps(const Case *c, Called run) { return run == RUN_next ? (int)c->unit.next->graph->steps : 1; }

static bool has_loss(const Model *m)
{
    const Ast *file = m->file.at[m->file.n - 1];
    for (int i = 0; i < file->n; i++)
        if (file->kid[i]->kind == AST_net)
            for (int j = 0; j < file->kid[i]->kid[0]->n; j++)
                if (file->kid[i]->kid[0]->kid[j]->kind == AST_loss) return true;
    return false;
}

static ResolveOptions resolve_options(const Case *c, Called run)
{
    static const Mode mode[RUNS] = {MODE_infer, MODE_infer, MODE_evaluate, MODE_train, MODE_train};
    return (ResolveOptions){.mode = mode[run], .batch = run <= RUN_next ? c->batch : TRAIN_BATCH};
}

/* Weights and inputs of a net that NAME.safetensors stands beside. */
static bool read_given(Case *c)
{
    const char *path = arena_printf(c->arena, "%.*s.safetensors", (int)(strlen(c->path) - strlen(".net")), c->path), *why;
    int status = 0;
    return access(path, R_OK) || safetensors_load(c->arena, path, &c->given, &why, &status);
}

static bool prepare(Case *c, const Options *o)
{
    c->arena = arena_new();
    Sources *sources = NEW(c->arena, Sources);
    sources->arena = c->arena;
    Diag *d = NEW(c->arena, Diag);
    *d = (Diag){.sources = sources, .out = stderr};
    int status = 0;
    c->model = model_read(c->arena, d, sources, c->path, &status);
    if (!c->model || d->errors || !read_given(c)) return false;
    c->batch = o->batch;
    CompileOptions options = {.resolve = resolve_options(c, RUN_forward), .train = has_loss(c->model), .next = o->step,
                              .train_batch = TRAIN_BATCH, .f64 = o->f64, .target = target_find(o->target), .threads = o->threads,
                              .passes = {.without = o->without, .n_without = o->n_without, .winograd = o->winograd, .segments = o->segments}};
    options.passes.lanes = options.target->lanes;
    options.passes.far = target_far(options.target, !strcmp(o->target, "native"));
    for (int i = 0; i < o->n_without; i++) {
        if (!strcmp(o->without[i], "fuse")) options.lower.no_fuse = true;
        if (!strcmp(o->without[i], "reuse")) options.lower.no_reuse = true;
    }
    if (!compile(c->model, &options, &c->unit, &c->plan, &status)) return false;
    c->unit.net = c->name;
    c->unit.part_cycles = 1;
    if (o->rank) {
        Tiles *tiles = NEW(c->arena, Tiles);
        tiles_add(c->arena, tiles, c->unit.target, 0, o->rank);
        c->unit.tiles = tiles;
    }
    for (Called run = 0; run < RUNS; run++)
        if (case_program(c, run)) make_args(c, run, case_program(c, run));
    return true;
}

/* What is wrong with one tensor, or NULL. The error is measured against the tensor's largest element. */
static const char *compare(Arena *a, const char *what, const char *got, const Buffer *b, const double *want, bool f64)
{
    double largest = 0, worst = 0, tolerance = f64 ? 1e-10 : 5e-5;
    int64_t at = 0;
    double *stored = NEW_ARRAY(a, double, b->elements);
    buffer_store_order(b, want, stored);
    for (int64_t i = 0; i < b->elements; i++)
        if (isfinite(stored[i])) largest = fmax(largest, fabs(stored[i]));
    for (int64_t i = 0; i < b->elements; i++) {
        double x = get(got, i, b->dtype, f64), error = fabs(x - stored[i]);
        if (x == stored[i] || (isnan(x) && isnan(stored[i]))) continue;
        if (!(error <= worst)) {
            worst = error;
            at = i;
            if (isnan(error)) break;
        }
    }
    if (worst <= tolerance * largest + (f64 ? 1e-12 : 2e-6)) return NULL;
    return arena_printf(a, "%s: element %lld of %lld is %.9g, the interpreter says %.9g", what, (long long)at,
                        (long long)b->elements, get(got, at, b->dtype, f64), stored[at]);
}

static const char *compare_steps(Case *c, const char *what, const char *got, const Buffer *b, const double *want)
{
    const Cut cut = cut_of(c, b);
    const size_t bytes = (size_t)b->elements * element_bytes(b->dtype, c->unit.f64);
    const char *wrong = NULL;
    for (int64_t t = 0; t < cut.steps && !wrong; t++)
        wrong = compare(c->arena, arena_printf(c->arena, "%s, step %lld", what, (long long)t), got + (size_t)t * bytes, b,
                        cut_step(c->arena, cut, want, t), c->unit.f64);
    return wrong;
}

/* Root r's value against the bytes of the call. */
static const char *compare_root(Case *c, Called run, const Root *r, const double *want, char *const *got, int *next_output)
{
    const Unit *u = &c->unit;
    const char *what = arena_printf(c->arena, "%s %s", run_names[run], r->target ? r->target->name : r->name ? r->name : "loss");
    const Field *f = NULL;
    int wanted = ARG_output;
    if (r->kind == ROOT_metric) return NULL;
    if (r->kind == ROOT_gradient) {
        f = field_find(u->weights.at, u->weights.n, r->target->name);
        wanted = ARG_gradient;
    } else if (r->kind == ROOT_update) {
        const Fields *kept = &u->memory[memory_of(u, case_program(c, run))];
        if (run == RUN_gradient || (run != RUN_step && !r->target->batched)) return NULL;
        bool param = r->target->op == OP_param;
        f = param ? field_find(u->weights.at, u->weights.n, r->target->name) : field_find(u->state.at, u->state.n, r->target->name);
        wanted = param ? ARG_weights : ARG_state;
        if (r->target->batched) f = field_find(kept->at, kept->n, r->target->name), wanted = ARG_memory;
    }
    int seen = 0;
    for (int k = 0; k < c->arg[run].n; k++) {
        const Arg *arg = &c->arg[run].at[k];
        if ((int)arg->kind != wanted) continue;
        if (wanted == ARG_output && seen++ != *next_output) continue;
        if (wanted == ARG_output) ++*next_output;
        if (wanted != ARG_output && !f) return arena_printf(c->arena, "%s: no such field", what);
        if (run == RUN_next && !f) return compare_steps(c, what, got[k], arg->buffer, want);
        return compare(c->arena, what, got[k] + (f ? f->offset : 0), f ? f->buffer : arg->buffer, want, u->f64);
    }
    return arena_printf(c->arena, "%s: nothing to compare with", what);
}

static const char *compare_run(Case *c, Called run, char *const *got)
{
    ResolveOptions options = resolve_options(c, run);
    Graph *g = resolve(c->model, &options);
    if (!g) return "the reference does not resolve";
    PassContext context = {.plan = &c->plan, .gradients_only = run == RUN_gradient};
    if (run >= RUN_gradient) pass_grad(g, &context);
    if (run == RUN_step) pass_optimize(g, &context);
    LeafUser user = {c, run};
    EvalInputs in = {leaf_callback, &user, call_of_tests.seed, call_of_tests.step};
    const double **results = NEW_ARRAY(c->arena, const double *, g->root.n + 1);
    graph_eval(g, c->arena, &in, results);
    int next_output = 0;
    for (int r = 0; r < g->root.n; r++) {
        const char *wrong = compare_root(c, run, &g->root.at[r], results[r], got, &next_output);
        if (wrong) return wrong;
    }
    return NULL;
}

static const char *compare_case(Case *c, FILE *out)
{
    const char *wrong = NULL;
    for (Called run = 0; run < RUNS; run++) {
        if (!case_program(c, run)) continue;
        char *got[ARGS_MAX], same = 0;
        if (fread(&same, 1, 1, out) != 1) return "the program wrote too little";
        for (int k = 0; k < c->arg[run].n; k++) {
            size_t bytes = c->arg[run].at[k].bytes;
            got[k] = arena_alloc(c->arena, bytes);
            if (fread(got[k], 1, bytes, out) != bytes) return "the program wrote too little";
        }
        if (wrong) continue;
        wrong = !same ? arena_printf(c->arena, "%s differs from call to call", run_names[run]) : compare_run(c, run, got);
    }
    return wrong;
}

static void usage(void)
{
    fprintf(stderr, "usage: three [--target T] [--cc CC] [--flags F] [--run PREFIX] [--f64] [--step] [--batch N] [--without PASS] [--threads N] [--rank N] [--winograd N] [--segments N] [--dir DIR] FILE.net ...\n");
    exit(EXIT_usage);
}

static Options read_options(int argc, char **argv)
{
    static const struct option longs[] = {{"target", 1, 0, 't'}, {"cc", 1, 0, 'c'}, {"flags", 1, 0, 'f'}, {"run", 1, 0, 'r'},
        {"f64", 0, 0, '6'}, {"step", 0, 0, 's'}, {"batch", 1, 0, 'b'}, {"without", 1, 0, 'w'}, {"threads", 1, 0, 'n'}, {"rank", 1, 0, 'k'},
        {"winograd", 1, 0, 'g'}, {"segments", 1, 0, 'm'}, {"dir", 1, 0, 'd'}, {0, 0, 0, 0}};
    const char *cc = getenv("CC");
    Options o = {.target = "native", .cc = cc && *cc ? cc : "cc", .flags = "-O1", .run = "", .dir = "build/three", .batch = 2};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 't') o.target = optarg;
        else if (c == 'c') o.cc = optarg;
        else if (c == 'f') o.flags = optarg;
        else if (c == 'r') o.run = optarg;
        else if (c == '6') o.f64 = true, o.target = "scalar";
        else if (c == 's') o.step = true;
        else if (c == 'b') o.batch = atoi(optarg);
        else if (c == 'w' && o.n_without < 16) o.without[o.n_without++] = optarg;
        else if (c == 'n') o.threads = atoi(optarg);
        else if (c == 'k') o.rank = atoi(optarg);
        else if (c == 'g') o.winograd = atoi(optarg);
        else if (c == 'm') o.segments = atoi(optarg);
        else if (c == 'd') o.dir = optarg;
        else usage();
    }
    if (optind == argc || argc - optind > CASES_MAX || !target_find(o.target)) usage();
    return o;
}

int main(int argc, char **argv)
{
    Options o = read_options(argc, argv);
    Arena *a = arena_new();
    const char *why;
    if (!directory_make(a, o.dir, &why) || shell(arena_printf(a, "rm -f '%s'/*.[cho] '%s'/*.inc", o.dir, o.dir))) return EXIT_io;
    Case *cases = NEW_ARRAY(a, Case, argc - optind);
    int n = 0, failed = 0;
    for (int i = optind; i < argc; i++) {
        Case *c = &cases[n];
        *c = (Case){.name = arena_printf(a, "case%d", i - optind), .path = argv[i]};
        if (prepare(c, &o)) n++;
        else failed++, printf("FAIL %s %s%s: does not compile\n", argv[i], o.target, o.f64 ? " f64" : "");
    }
    write_sources(cases, n, &o);
    if (!build_and_run(&o)) {
        printf("FAIL %s %s: the emitted C does not build or run\n", o.target, o.cc);
        return 1;
    }
    FILE *out = fopen(arena_printf(a, "%s/out.bin", o.dir), "rb");
    for (int i = 0; i < n; i++) {
        const char *wrong = out ? compare_case(&cases[i], out) : "no output";
        failed += wrong != NULL;
        const char *with = arena_printf(a, "%s %s%s %.*s", cases[i].path, o.target, o.f64 ? " f64" : "", (int)strcspn(o.cc, " "), o.cc);
        if (wrong) printf("FAIL %s: %s\n", with, wrong);
        else printf("ok %s\n", with);
        arena_free(cases[i].arena);
    }
    if (out) fclose(out);
    return failed != 0;
}
