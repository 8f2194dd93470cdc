/* three.c -- the emitted C against the reference interpreter: compiles nets for a target with a compiler, runs forward,
   evaluate, gradient and step twice and from two threads on dirty memory, and compares every number. With --threads all
   kernels are split that can be, and the second run of the first thread shares the work out.
   usage: three [--target T] [--cc CC] [--flags F] [--run PREFIX] [--f64] [--without PASS] [--threads N] [--dir DIR] FILE.net ... */
#include "../../compiler/pipeline.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BATCH = 2, TRAIN_BATCH = 3, CASES_MAX = 4096, ARGS_MAX = 64 };

typedef struct Options {
    const char *target, *cc, *flags, *run, *dir;
    bool f64;
    int threads;
    const char *without[16];
    int n_without;
} Options;

typedef enum Program4 { RUN_forward, RUN_evaluate, RUN_gradient, RUN_step, RUNS } Program4;
static const char *const run_names[RUNS] = {"forward", "evaluate", "gradient", "step"};

/* One argument of a call: its bytes before, and which tensors of the reference it is compared with afterwards. */
typedef struct Arg {
    enum { ARG_plain, ARG_weights, ARG_state, ARG_memory, ARG_gradient, ARG_output } kind;
    size_t bytes;
    char *data;
    const Buffer *buffer;      /* ARG_output */
} Arg;

typedef struct Case {
    const char *name, *path;
    Arena *arena;
    Model *model;
    Unit unit;
    TrainPlan plan;
    VEC(Arg) arg[RUNS];
} Case;

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

static double scalar_value(const char *name, Program4 run)
{
    if (!strcmp(name, "rate")) return call_of_tests.rate;
    if (!strcmp(name, "step")) return (double)call_of_tests.step;
    if (!strcmp(name, "update")) return 0;   /* tests/nets/accumulate.net moves in each fourth call: this one */
    if (!strcmp(name, "last")) return 1;
    if (!strcmp(name, "valid")) return run == RUN_evaluate ? call_of_tests.valid : TRAIN_BATCH;
    return 0;
}

/* f32 storage rounds the weights; both sides see the rounded value. */
static double *leaf_values(Arena *a, const Node *n, Program4 run)
{
    int64_t count = shape_elements(n->shape);
    double *v = NEW_ARRAY(a, double, count);
    for (int64_t i = 0; i < count; i++) v[i] = n->op == OP_scalar ? scalar_value(n->name, run) : (float)leaf_value(n, i);
    return v;
}

typedef struct LeafUser { Arena *arena; Program4 run; } LeafUser;
static const double *leaf_callback(void *user, const Node *leaf)
{
    const LeafUser *u = user;
    return leaf_values(u->arena, leaf, u->run);
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

static size_t element_bytes(DType t, bool f64) { return t == DTYPE_f32 && f64 ? 8 : (size_t)dtype_bytes(t); }

static void fill_fields(const Case *c, char *at, const Field *field, int n)
{
    for (int f = 0; f < n; f++) {
        int64_t count = field[f].buffer->elements;
        double *stored = NEW_ARRAY(c->arena, double, count);
        buffer_store_order(field[f].buffer, leaf_values(c->arena, field[f].node, RUN_step), stored);
        for (int64_t i = 0; i < count; i++) put(at + field[f].offset, i, stored[i], DTYPE_f32, c->unit.f64);
    }
}

static Arg *add_arg(Case *c, Program4 run, int kind, size_t bytes)
{
    vec_push(c->arena, &c->arg[run], (Arg){.kind = kind, .bytes = bytes, .data = arena_alloc(c->arena, bytes)});
    return &c->arg[run].at[c->arg[run].n - 1];
}

static void make_args(Case *c, Program4 run, const Program *p)
{
    const Unit *u = &c->unit;
    fill_fields(c, add_arg(c, run, ARG_weights, (size_t)u->weights_bytes)->data, u->weights.at, u->weights.n);
    if (run == RUN_step) fill_fields(c, add_arg(c, run, ARG_state, (size_t)u->state_bytes)->data, u->state.at, u->state.n);
    const Fields *kept = &u->memory[run != RUN_forward];
    if (kept->n) fill_fields(c, add_arg(c, run, ARG_memory, (size_t)u->memory_bytes[run != RUN_forward])->data, kept->at, kept->n);
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        if (b->kind != BUF_input || b->base) continue;
        Arg *arg = add_arg(c, run, ARG_plain, (size_t)b->elements * element_bytes(b->dtype, u->f64));
        const double *v = leaf_values(c->arena, b->node, run);
        for (int64_t k = 0; k < b->elements; k++) put(arg->data, k, v[k], b->dtype, u->f64);
    }
    if (run == RUN_gradient) memset(add_arg(c, run, ARG_gradient, (size_t)u->weights_bytes)->data, 0xa5, (size_t)u->weights_bytes);
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        if (b->kind != BUF_output || b->base) continue;
        Arg *arg = add_arg(c, run, ARG_output, (size_t)b->elements * element_bytes(b->dtype, u->f64));
        arg->buffer = b;
        memset(arg->data, 0xa5, arg->bytes);
    }
    if (program_takes_call(u, p)) {
        HostCall call = call_of_tests;
        if (run != RUN_evaluate) call.valid = TRAIN_BATCH;
        memcpy(add_arg(c, run, ARG_plain, sizeof call)->data, &call, sizeof call);
    }
}

static const Program *case_program(const Case *c, Program4 run)
{
    const Program *p[RUNS] = {c->unit.forward, c->unit.evaluate, c->unit.gradient, c->unit.step};
    return p[run];
}

static bool has_loss(const Model *m)
{
    const Ast *file = m->file.at[m->file.n - 1];
    for (int i = 0; i < file->n; i++)
        if (file->kid[i]->kind == AST_net)
            for (int j = 0; j < file->kid[i]->kid[0]->n; j++)
                if (file->kid[i]->kid[0]->kid[j]->kind == AST_loss) return true;
    return false;
}

static ResolveOptions resolve_options(const Case *c, Program4 run)
{
    static const Mode mode[RUNS] = {MODE_infer, MODE_evaluate, MODE_train, MODE_train};
    (void)c;
    return (ResolveOptions){.mode = mode[run], .batch = run == RUN_forward ? BATCH : TRAIN_BATCH};
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
    if (!c->model || d->errors) return false;
    CompileOptions options = {.resolve = resolve_options(c, RUN_forward), .train = has_loss(c->model),
                              .train_batch = TRAIN_BATCH, .f64 = o->f64, .target = target_find(o->target), .threads = o->threads,
                              .passes = {.without = o->without, .n_without = o->n_without}};
    for (int i = 0; i < o->n_without; i++) {
        if (!strcmp(o->without[i], "fuse")) options.lower.no_fuse = true;
        if (!strcmp(o->without[i], "reuse")) options.lower.no_reuse = true;
    }
    if (!compile(c->model, &options, &c->unit, &c->plan, &status)) return false;
    c->unit.net = c->name;
    c->unit.part_cycles = 1;
    for (Program4 run = 0; run < RUNS; run++)
        if (case_program(c, run)) make_args(c, run, case_program(c, run));
    return true;
}

static void write_file(Arena *a, const char *dir, const char *name, const void *bytes, size_t size)
{
    const char *why;
    if (!file_write(a, arena_printf(a, "%s/%s", dir, name), bytes, size, &why)) {
        fprintf(stderr, "%s\n", why);
        exit(EXIT_io);
    }
}

static const char driver_head[] =
    "#include <pthread.h>\n#include <stddef.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    "typedef struct Call { const char *name; void (*f)(void *const *); int n; size_t bytes[64]; size_t workspace; } Call;\n";
static const char driver_tail[] =
    "typedef struct Job { const Call *c; void *p[66]; int dirt; } Job;\n"
    "static void *fresh(size_t n) { void *p = aligned_alloc(64, n / 64 * 64 + 64); if (!p) exit(71); return p; }\n"
    "static void *work(void *arg)\n{\n    Job *j = arg;\n"
    "    memset(j->p[j->c->n], j->dirt, j->c->workspace);\n    j->c->f((void *const *)j->p);\n    return NULL;\n}\n"
    "static void load(Job *j, const Call *c, char *const *data, int dirt)\n{\n    j->c = c;\n    j->dirt = dirt;\n"
    "    for (int i = 0; i < c->n; i++) { j->p[i] = fresh(c->bytes[i]); memcpy(j->p[i], data[i], c->bytes[i]); }\n"
    "    j->p[c->n] = fresh(c->workspace);\n    j->p[c->n + 1] = NULL;\n}\n"
    "int main(int argc, char **argv)\n{\n    if (argc != 3) return 64;\n"
    "    FILE *in = fopen(argv[1], \"rb\"), *out = fopen(argv[2], \"wb\");\n    if (!in || !out) return 66;\n    void *const pool = begin();\n"
    "    for (const Call *c = calls; c->name; c++) {\n        char *data[64];\n        Job job[3];\n"
    "        for (int i = 0; i < c->n; i++) {\n            data[i] = fresh(c->bytes[i]);\n"
    "            if (fread(data[i], 1, c->bytes[i], in) != c->bytes[i]) return 74;\n        }\n"
    "        for (int k = 0; k < 3; k++) load(&job[k], c, data, k ? 0xff : 0xa5);\n"
    "        job[2].p[c->n + 1] = pool;\n        work(&job[0]);\n        pthread_t other;\n        if (pthread_create(&other, NULL, work, &job[1])) return 71;\n"
    "        work(&job[2]);\n        pthread_join(other, NULL);\n        char same = 1;\n"
    "        for (int k = 1; k < 3; k++)\n            for (int i = 0; i < c->n; i++)\n"
    "                if (memcmp(job[0].p[i], job[k].p[i], c->bytes[i])) same = 0;\n"
    "        fwrite(&same, 1, 1, out);\n        for (int i = 0; i < c->n; i++) fwrite(job[0].p[i], 1, c->bytes[i], out);\n"
    "        for (int k = 0; k < 3; k++) for (int i = 0; i <= c->n; i++) free(job[k].p[i]);\n"
    "        for (int i = 0; i < c->n; i++) free(data[i]);\n    }\n    end();\n    fclose(in);\n    return fclose(out) ? 74 : 0;\n}\n";

static void write_sources(Case *cases, int n, const Options *o)
{
    Arena *a = arena_new();
    Text driver = {.arena = a}, data = {.arena = a};
    text_puts(&driver, driver_head);
    for (int i = 0; i < n; i++) {
        Case *c = &cases[i];
        Emitted e = {0};
        emit_unit(&c->unit, &e);
        emit_host(&c->unit, &e);
        for (int f = 0; f < e.file.n; f++) {
            size_t length = strlen(e.file.at[f].name);
            bool host = length > 7 && !strcmp(e.file.at[f].name + length - 7, "_host.c");
            write_file(a, o->dir, host ? arena_printf(a, "%s.inc", c->name) : e.file.at[f].name, e.file.at[f].bytes, e.file.at[f].size);
        }
        for (Program4 run = 0; run < RUNS; run++) text_printf(&driver, "#define netc_%s %s_host_%s\n", run_names[run], c->name, run_names[run]);
        text_printf(&driver, "#define netc_threads_begin %s_begin\n#define netc_threads_end %s_end\n#include \"%s.inc\"\n"
                    "#undef netc_threads_begin\n#undef netc_threads_end\n", c->name, c->name, c->name);
        for (Program4 run = 0; run < RUNS; run++) text_printf(&driver, "#undef netc_%s\n", run_names[run]);
    }
    if (o->threads > 1) text_printf(&driver, "static void *begin(void) { return %s_begin(%d); }\nstatic void end(void) { %s_end(); }\n",
                                    cases[0].name, o->threads, cases[0].name);
    else text_puts(&driver, "static void *begin(void) { return NULL; }\nstatic void end(void) {}\n");
    text_puts(&driver, "static const Call calls[] = {\n");
    for (int i = 0; i < n; i++)
        for (Program4 run = 0; run < RUNS; run++) {
            const Case *c = &cases[i];
            if (!case_program(c, run)) continue;
            text_printf(&driver, "    { \"%s\", %s_host_%s, %d, {", c->name, c->name, run_names[run], c->arg[run].n);
            for (int k = 0; k < c->arg[run].n; k++) {
                text_printf(&driver, " %zu,", c->arg[run].at[k].bytes);
                text_add(&data, c->arg[run].at[k].data, c->arg[run].at[k].bytes);
            }
            text_printf(&driver, " 0 }, %lld },\n", (long long)case_program(c, run)->workspace_bytes);
        }
    text_puts(&driver, "    { 0, 0, 0, { 0 }, 0 }\n};\n");
    text_puts(&driver, driver_tail);
    write_file(a, o->dir, "driver.c", driver.s, driver.n);
    write_file(a, o->dir, "data.bin", text_string(&data), data.n);
    arena_free(a);
}

static int shell(const char *command)
{
    int status = system(command);
    if (status) fprintf(stderr, "failed: %s\n", command);
    return status;
}

static bool build_and_run(const Options *o)
{
    Arena *a = arena_new();
    const char *compile_all = arena_printf(a,
        "cd '%s' && rm -f *.o run out.bin && ls *.c | xargs -P 2 -n 8 %s -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow "
        "-Werror %s -c && %s %s -o run *.o -lm -lpthread", o->dir, o->cc, o->flags, o->cc, o->flags);
    const char *run = arena_printf(a, "cd '%s' && %s ./run data.bin out.bin", o->dir, o->run);
    bool good = shell(compile_all) == 0 && shell(run) == 0;
    arena_free(a);
    return good;
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

static const Field *field_find(const Field *f, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(f[i].name, name)) return &f[i];
    return NULL;
}

/* Root r's value against the bytes of the call. */
static const char *compare_root(Case *c, Program4 run, const Root *r, const double *want, char *const *got, int *next_output)
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
        const Fields *kept = &u->memory[run != RUN_forward];
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
        return compare(c->arena, what, got[k] + (f ? f->offset : 0), f ? f->buffer : arg->buffer, want, u->f64);
    }
    return arena_printf(c->arena, "%s: nothing to compare with", what);
}

static const char *compare_run(Case *c, Program4 run, char *const *got)
{
    ResolveOptions options = resolve_options(c, run);
    Graph *g = resolve(c->model, &options);
    if (!g) return "the reference does not resolve";
    PassContext context = {.plan = &c->plan, .gradients_only = run == RUN_gradient};
    if (run >= RUN_gradient) pass_grad(g, &context);
    if (run == RUN_step) pass_optimize(g, &context);
    LeafUser user = {c->arena, run};
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
    for (Program4 run = 0; run < RUNS; run++) {
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
    fprintf(stderr, "usage: three [--target T] [--cc CC] [--flags F] [--run PREFIX] [--f64] [--without PASS] [--threads N] [--dir DIR] FILE.net ...\n");
    exit(EXIT_usage);
}

static Options read_options(int argc, char **argv)
{
    static const struct option longs[] = {{"target", 1, 0, 't'}, {"cc", 1, 0, 'c'}, {"flags", 1, 0, 'f'}, {"run", 1, 0, 'r'},
        {"f64", 0, 0, '6'}, {"without", 1, 0, 'w'}, {"threads", 1, 0, 'n'}, {"dir", 1, 0, 'd'}, {0, 0, 0, 0}};
    Options o = {.target = "native", .cc = "cc", .flags = "-O1", .run = "", .dir = "build/three"};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 't') o.target = optarg;
        else if (c == 'c') o.cc = optarg;
        else if (c == 'f') o.flags = optarg;
        else if (c == 'r') o.run = optarg;
        else if (c == '6') o.f64 = true, o.target = "scalar";
        else if (c == 'w' && o.n_without < 16) o.without[o.n_without++] = optarg;
        else if (c == 'n') o.threads = atoi(optarg);
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
        if (wrong) printf("FAIL %s %s%s %s: %s\n", cases[i].path, o.target, o.f64 ? " f64" : "", o.cc, wrong);
        else printf("ok %s %s%s %s\n", cases[i].path, o.target, o.f64 ? " f64" : "", o.cc);
        arena_free(cases[i].arena);
    }
    if (out) fclose(out);
    return failed != 0;
}
