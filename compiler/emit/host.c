/* host.c -- the functions that netc itself calls through dlopen: every argument a void pointer in one array. */
#include "code.h"

enum { PEAK_SUMS = 12 };

int peak_flops(const Target *t)
{
    if (target_is_multi(t)) t = target_find("native");
    return 2 * PEAK_SUMS * t->lanes;
}

static void write_program(Writer *w, const Unit *u, const Program *p)
{
    if (!p) return;
    Arguments a = api_arguments(u, p);
    Text t = {.arena = u->arena};
    for (int i = 0, written = 0; i < a.at.n; i++) {
        if (api_leaves_out(u, p, &a.at.at[i])) continue;      /* in the array, but no argument of the function */
        text_printf(&t, "%sp[%d]", written++ ? ", " : "", i);
    }
    write_blank(w);
    write_line(w, "void netc_%s(void *const *p);", p->name);
    write_line(w, "void netc_%s(void *const *p)", p->name);
    write_line(w, "{");
    w->depth++;
    write_line(w, "%s_%s(%s);", u->net, p->name, t.s);
    w->depth--;
    write_line(w, "}");
}

/* ---- for measuring ---- */

static int most_kernels(const Unit *u)
{
    const Program *p[] = {u->forward, u->next, u->evaluate, u->gradient, u->step};
    int most = 1;
    for (size_t i = 0; i < LENGTH(p); i++)
        if (p[i] && p[i]->kernel.n > most) most = p[i]->kernel.n;
    return most;
}

static void write_clock(Writer *w, const Unit *u)
{
    write_text(w, "double netc_seconds[%d];", most_kernels(u));
    write_text(w, "static struct timespec before;");
    write_text(w, "void netc_mark(int kernel);");
    write_text(w, "void netc_mark(int kernel)");
    write_text(w, "{");
    write_text(w, "    struct timespec now;");
    write_text(w, "    clock_gettime(CLOCK_MONOTONIC, &now);");
    write_text(w, "    const double nanoseconds = (double)(now.tv_nsec - before.tv_nsec);");
    write_text(w, "    if (kernel >= 0) netc_seconds[kernel] = (double)(now.tv_sec - before.tv_sec) + 1e-9 * nanoseconds;");
    write_text(w, "    clock_gettime(CLOCK_MONOTONIC, &before);");
    write_text(w, "}");
}

static void write_peak(Writer *w, const Unit *u)
{
    bool vector = u->target->lanes > 1;
    const char *type = vector ? "vf" : c_type(DTYPE_f32, u->f64);
    write_text(w, "void netc_peak(long steps, float *out);");
    write_text(w, "void netc_peak(long steps, float *out)");
    write_text(w, "{");
    write_text(w, vector ? "    const vf x = vset1(out[0]), y = vset1(out[1]);" : "    const %s x = out[0], y = out[1];", type);
    for (int i = 0; i < PEAK_SUMS; i++) write_text(w, "    %s sum_%d = x * %d.0f;", type, i, i);
    write_text(w, "    for (long i = 0; i < steps; i++) {");
    for (int i = 0; i < PEAK_SUMS; i++)
        write_text(w, vector ? "        sum_%d = vfma(x, y, sum_%d);" : "        sum_%d = x * y + sum_%d;", i, i);
    write_text(w, "        __asm__ volatile(\"\" ::: \"memory\");");
    write_text(w, "    }");
    for (int i = 1; i < PEAK_SUMS; i++) write_text(w, "    sum_0 += sum_%d;", i);
    write_text(w, vector ? "    out[2] = hsum(sum_0);" : "    out[2] = (float)sum_0;");
    write_text(w, "}");
    write_text(w, "float netc_read(const float *x, long n);");
    write_text(w, "float netc_read(const float *x, long n)");
    write_text(w, "{");
    write_text(w, "    %s a = %s, b = a, c = a, d = a;", type, vector ? "vset1(0.0f)" : "0");
    write_text(w, "    for (long i = 0; i < n; i += %d) {", 4 * u->target->lanes);
    for (int i = 0; i < 4; i++)
        write_text(w, vector ? "        %c += vload(x + i + %d);" : "        %c += x[i + %d];", 'a' + i, i * u->target->lanes);
    write_text(w, "    }");
    write_text(w, vector ? "    return hsum(a + b + c + d);" : "    return (float)(a + b + c + d);");
    write_text(w, "}");
}

static const char *measuring_text(const Unit *u)
{
    Writer code = {.text.arena = u->arena};
    Text all = {.arena = u->arena};
    write_clock(&code, u);
    write_peak(&code, u);
    text_puts(&all, simd_text(u, code.text.s));
    text_puts(&all, code.text.s);
    if (u->target->pragma) text_puts(&all, "#if defined(__clang__)\n#pragma clang attribute pop\n#endif\n");
    return text_string(&all);
}

static void write_threads(Writer *w)
{
    write_blank(w);
    write_text(w, "static netc_threads threads;");
    write_text(w, "void *netc_threads_begin(int n);");
    write_text(w, "void *netc_threads_begin(int n)");
    write_text(w, "{");
    write_text(w, "    netc_threads_start(&threads, n);");
    write_text(w, "    return &threads;");
    write_text(w, "}");
    write_text(w, "void netc_threads_end(void);");
    write_text(w, "void netc_threads_end(void) { netc_threads_stop(&threads); }");
}

/* For all targets in one, measured is what the best of them can do here. */
static const char *measuring_of(const Unit *u)
{
    Unit here = *u;
    if (target_is_multi(u->target)) here.target = target_find("native");
    return measuring_text(&here);
}

void emit_host(const Unit *u, Emitted *out)
{
    Writer w = {.text.arena = u->arena};
    if (u->timed) write_line(&w, "#define _POSIX_C_SOURCE 200809L");
    write_line(&w, "#include \"%s.h\"", u->net);
    if (u->timed) {
        write_line(&w, "#include <time.h>");
        text_puts(&w.text, measuring_of(u));
    }
    if (u->threads > 1) write_threads(&w);
    write_program(&w, u, u->forward);
    write_program(&w, u, u->next);
    write_program(&w, u, u->evaluate);
    write_program(&w, u, u->gradient);
    write_program(&w, u, u->step);
    EmittedFile file = {arena_printf(u->arena, "%s_host.c", u->net), text_string(&w.text), w.text.n};
    vec_push(u->arena, &out->file, file);
}
