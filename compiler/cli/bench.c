/* bench.c -- netc bench: how long a net takes, whole and kernel by kernel, beside what this machine can do at most. */
#include "fill.h"
#include "trainer.h"
#include "tune.h"

#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS_MAX = 2000, RUNS_MIN = 5, READ_FLOATS = 1 << 24, PEAK_STEPS = 200000 };
static const double seconds_wanted = 0.5;

typedef struct Times { int n; double *at; } Times;      /* seconds */

typedef struct Bench {
    Arena *arena;
    Session *session;
    const Program *program;
    ProgramKind kind;
    double peak, bandwidth;        /* operations and bytes a second */
    Times whole, *kernel;
    Times alone, *kernel_alone;    /* with threads: the same without them, in turn */
} Bench;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void times_add(Arena *a, Times *t, double seconds)
{
    if (!t->at) t->at = NEW_ARRAY(a, double, RUNS_MAX);
    if (t->n < RUNS_MAX) t->at[t->n++] = seconds;
}

static void times_sort(Times *t) { qsort(t->at, (size_t)t->n, sizeof *t->at, by_size); }
static double least(const Times *t) { return t->n ? t->at[0] : 0; }
static double median(const Times *t) { return t->n ? t->at[t->n / 2] : 0; }

/* ---- what a kernel does ---- */

static double kernel_points(const Kernel *k)
{
    double points = 1;
    for (int i = 0; i < k->n_axes; i++) points *= (double)k->axis[i].extent;
    return points;
}

/* Multiply-adds count two, other kernels none: they are bound by memory. */
static double kernel_flops(const Kernel *k)
{
    if (k->reduce != REDUCE_sum || k->value->kind != EX_mul) return 0;
    return 2 * kernel_points(k);
}

typedef struct Seen { VEC(const Buffer *) buffer; } Seen;

static void see(Arena *a, Seen *s, const Buffer *b)
{
    for (int i = 0; i < s->buffer.n; i++)
        if (s->buffer.at[i] == b) return;
    vec_push(a, &s->buffer, b);
}

static void see_loads(Arena *a, Seen *s, const Expr *e)
{
    if (e->kind == EX_load) see(a, s, e->buffer);
    for (int i = 0; i < expr_args[e->kind]; i++) see_loads(a, s, e->arg[i]);
}

/* Of the tensors that it reads and writes, each once; of rows that it picks, no more than it has points. */
static double kernel_bytes(Arena *a, const Kernel *k)
{
    Seen s = {0};
    double bytes = 0;
    for (int e = 0; kernel_expr(k, e); e++) see_loads(a, &s, kernel_expr(k, e));
    see(a, &s, k->out);
    for (int i = 0; i < k->more.n; i++) see(a, &s, k->more.at[i].out);
    for (int i = 0; i < s.buffer.n; i++) {
        const double all = (double)s.buffer.at[i]->elements, points = kernel_points(k);
        bytes += (k->pick && points < all ? points : all) * dtype_bytes(s.buffer.at[i]->dtype);
    }
    return bytes;
}

static double whole_flops(const Bench *b)
{
    double sum = 0;
    for (int i = 0; i < b->program->kernel.n; i++) sum += kernel_flops(b->program->kernel.at[i]);
    return sum;
}

/* ---- measuring ---- */

static void measure_machine(Bench *b, const Host *h)
{
    void (*peak)(long, float *);
    float (*read)(const float *, long);
    void *symbol = dlsym(h->library, "netc_peak");
    memcpy(&peak, &symbol, sizeof peak);
    symbol = dlsym(h->library, "netc_read");
    memcpy(&read, &symbol, sizeof read);
    float numbers[3] = {1e-3f, 1e-3f, 0}, *x = arena_alloc(b->arena, sizeof *x * READ_FLOATS + 64);
    x = (float *)(((uintptr_t)x + 63) & ~(uintptr_t)63);
    memset(x, 1, sizeof *x * READ_FLOATS);     /* or the pages would all be one */
    for (int i = 0; i < 20; i++) {
        double start = seconds_now();
        peak(PEAK_STEPS, numbers);
        double middle = seconds_now();
        if (i < 8) numbers[2] += read(x, READ_FLOATS);
        double end = seconds_now();
        b->peak = fmax(b->peak, (double)PEAK_STEPS * peak_flops(b->session->unit.target) / (middle - start));
        if (i < 8) b->bandwidth = fmax(b->bandwidth, sizeof *x * (double)READ_FLOATS / (end - middle));
    }
}

static int open_host(Bench *b, Host *h, bool timed)
{
    b->session->unit.timed = timed;
    int status = host_open(h, b->arena, &b->session->unit);
    if (status) return status;
    fill_params(h, 1);
    fill_inputs(h, b->kind, 1);
    h->call = (HostCall){.rate = 1e-6, .valid = (int32_t)b->program->graph->batch, .seed = 1};
    return 0;
}

static void run_once(Bench *b, Host *h, const double *seconds, Times *whole, Times *kernel)
{
    double before = seconds_now();
    host_run(h, b->kind);
    if (!seconds) times_add(b->arena, whole, seconds_now() - before);
    for (int k = 0; seconds && k < b->program->kernel.n; k++) times_add(b->arena, &kernel[k], seconds[k]);
}

static void run_for_a_while(Bench *b, Host *h, const double *seconds)
{
    host_run(h, b->kind);
    double start = seconds_now();
    for (int i = 0; i < RUNS_MAX && (i < RUNS_MIN || seconds_now() - start < seconds_wanted); i++) {
        run_once(b, h, seconds, &b->whole, b->kernel);
        if (!h->threads) continue;
        host_use_threads(h, b->kind, false);
        run_once(b, h, seconds, &b->alone, b->kernel_alone);
        host_use_threads(h, b->kind, true);
    }
}

/* Twice: without the clock in between for the whole, with it for the kernels. */
static int measure(Bench *b)
{
    Host h = {0};
    b->kernel = NEW_ARRAY(b->arena, Times, b->program->kernel.n + 1);
    b->kernel_alone = NEW_ARRAY(b->arena, Times, b->program->kernel.n + 1);
    int status = open_host(b, &h, false);
    if (!status) run_for_a_while(b, &h, NULL);
    host_close(&h);
    if (!status) status = open_host(b, &h, true);
    if (!status) {
        measure_machine(b, &h);
        run_for_a_while(b, &h, dlsym(h.library, "netc_seconds"));
    }
    host_close(&h);
    times_sort(&b->whole);
    times_sort(&b->alone);
    for (int i = 0; i < b->program->kernel.n; i++) {
        times_sort(&b->kernel[i]);
        times_sort(&b->kernel_alone[i]);
    }
    return status;
}

/* ---- printing ---- */

static void print_text(const Bench *b)
{
    const Session *s = b->session;
    double flops = whole_flops(b), us = 1e6 * median(&b->whole);
    printf("%s %s, batch %lld, target %s: median %.2f us, least %.2f us, %.1f GFLOP/s\n", s->unit.net, b->program->name,
           (long long)b->program->graph->batch, s->unit.target->name, us, 1e6 * least(&b->whole), flops / least(&b->whole) / 1e9);
    if (b->alone.n) printf("%d threads; alone: median %.2f us, least %.2f us: %.2f times as long\n", s->unit.threads, 1e6 * median(&b->alone),
                           1e6 * least(&b->alone), least(&b->alone) / least(&b->whole));
    printf("this machine, one thread: %.1f GFLOP/s, reads %.1f GB/s from memory\n\n", b->peak / 1e9, b->bandwidth / 1e9);
    printf("%-36s %11s %11s %8s %8s %10s %8s%s\n", "kernel", "median us", "least us", "GFLOP/s", "of peak", "kbytes", "GB/s",
           b->alone.n ? "       alone" : "");
    for (int i = 0; i < b->program->kernel.n; i++) {
        const Kernel *k = b->program->kernel.at[i];
        double work = kernel_flops(k), bytes = kernel_bytes(b->arena, k), t = least(&b->kernel[i]);
        printf("%-36s %11.2f %11.2f", k->name, 1e6 * median(&b->kernel[i]), 1e6 * t);
        if (work > 0) printf(" %8.1f %6.0f %%", work / t / 1e9, 100 * work / t / b->peak);
        else printf(" %8s %8s", "", "");
        printf(" %10.1f %8.1f", bytes / 1e3, bytes / t / 1e9);
        if (b->alone.n) printf(" %11.2f", 1e6 * least(&b->kernel_alone[i]));
        printf("\n");
    }
}

static void print_json(const Bench *b)
{
    Text t = {.arena = b->arena};
    text_puts(&t, "{\"net\": ");
    text_json(&t, b->session->unit.net);
    text_printf(&t, ", \"program\": \"%s\", \"target\": \"%s\", \"batch\": %lld, \"median_us\": %.3f, \"min_us\": %.3f, \"gflops\": %.3f, "
                "\"peak_gflops\": %.3f, \"bandwidth_gb\": %.3f,\n", b->program->name, b->session->unit.target->name,
                (long long)b->program->graph->batch, 1e6 * median(&b->whole), 1e6 * least(&b->whole),
                whole_flops(b) / least(&b->whole) / 1e9, b->peak / 1e9, b->bandwidth / 1e9);
    if (b->alone.n) text_printf(&t, " \"threads\": %d, \"alone_min_us\": %.3f,\n", b->session->unit.threads, 1e6 * least(&b->alone));
    text_puts(&t, " \"kernels\": [");
    for (int i = 0; i < b->program->kernel.n; i++) {
        const Kernel *k = b->program->kernel.at[i];
        double gflops = kernel_flops(k) / fmax(least(&b->kernel[i]), 1e-9) / 1e9;
        text_puts(&t, i ? ",\n  {\"name\": " : "\n  {\"name\": ");
        text_json(&t, k->name);
        if (b->alone.n) text_printf(&t, ", \"alone_min_us\": %.3f", 1e6 * least(&b->kernel_alone[i]));
        text_printf(&t, ", \"median_us\": %.3f, \"min_us\": %.3f, \"gflops\": %.3f, \"share_of_peak\": %.4f, \"bytes\": %.0f}",
                    1e6 * median(&b->kernel[i]), 1e6 * least(&b->kernel[i]), gflops, 1e9 * gflops / b->peak, kernel_bytes(b->arena, k));
    }
    text_puts(&t, "]}\n");
    fputs(text_string(&t), stdout);
}

int command_bench(const Options *o)
{
    Session s;
    const bool other = o->train || o->step;
    int status = o->train && o->step ? usage_error(o->command, "--step: not with --train") : session_open(&s, o, "native");
    if (!status) status = require_native(&s);
    if (status) return status;
    s.compile.value = drawn_value;
    if (other) s.compile.no_forward = s.compile.no_evaluate = s.compile.no_gradient = true;
    status = session_compile(&s);
    if (!status && o->tune) status = tune_read(&s);
    if (status) return status;
    Bench b = {.arena = o->arena, .session = &s, .program = o->train ? s.unit.step : o->step ? s.unit.next : s.unit.forward,
               .kind = o->train ? PROGRAM_step : o->step ? PROGRAM_next : PROGRAM_forward};
    status = measure(&b);
    if (status) return status;
    if (o->format && !strcmp(o->format, "json")) print_json(&b);
    else print_text(&b);
    return 0;
}
