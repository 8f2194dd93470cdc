/* emitted.h -- for tests of emitted C: graphs lowered, emitted, compiled, run twice on dirty memory, compared with the loops
   interpreted in double. */
#ifndef TEST_EMITTED_H
#define TEST_EMITTED_H

#include "../../compiler/emit/emit.h"
#include "lowered.h"

#include <stdlib.h>

enum { EMITTED_ARGUMENTS = 60 };

typedef struct Emittee {
    const char *name;
    Unit unit;
    const Program *program;
    double **memory;               /* per buffer: before, then what is expected */
    int n;                         /* arguments of the host function, without the workspace */
    size_t bytes[EMITTED_ARGUMENTS];
    unsigned char *data[EMITTED_ARGUMENTS];
    const Buffer *output[EMITTED_ARGUMENTS];
} Emittee;

typedef struct Emittees { Arena *arena; const char *dir; VEC(Emittee *) at; } Emittees;

static const HostCall test_call = {.rate = 0.125, .valid = 2, .seed = 42, .step = 7};

static inline bool mode_has(const Graph *g, RootKind kind)
{
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind == kind) return true;
    return false;
}

static inline double as_stored(double x, DType t, bool f64)
{
    if (t == DTYPE_u8) return floor(fmin(255, fabs(x) * 100));
    if (t == DTYPE_i32) return floor(x * 100);
    return f64 ? x : (double)(float)x;
}

static inline void put_element(unsigned char *at, int64_t i, double v, DType t, bool f64)
{
    if (t == DTYPE_u8) at[i] = (uint8_t)v;
    else if (t == DTYPE_i32) memcpy(at + 4 * i, &(int32_t){(int32_t)v}, 4);
    else if (f64) memcpy(at + 8 * i, &v, 8);
    else memcpy(at + 4 * i, &(float){(float)v}, 4);
}

static inline double get_element(const unsigned char *at, int64_t i, DType t, bool f64)
{
    int32_t k;
    float f;
    double d;
    if (t == DTYPE_u8) return at[i];
    if (t == DTYPE_i32) return memcpy(&k, at + 4 * i, 4), k;
    if (f64) return memcpy(&d, at + 8 * i, 8), d;
    return memcpy(&f, at + 4 * i, 4), (double)f;
}

static inline unsigned char *emittee_argument(Emittees *all, Emittee *e, size_t bytes)
{
    if (e->n == EMITTED_ARGUMENTS) internal_error("test", "too many arguments");
    e->bytes[e->n] = bytes;
    return e->data[e->n++] = arena_alloc(all->arena, bytes);
}

static inline void put_fields(const Emittee *e, unsigned char *at, const Field *field, int n)
{
    for (int i = 0; i < n; i++)
        for (int b = 0; b < e->program->buffer.n; b++) {
            const Buffer *buffer = e->program->buffer.at[b];
            if ((buffer->kind != BUF_param && buffer->kind != BUF_state) || buffer->node != field[i].node) continue;
            for (int64_t k = 0; k < buffer->elements; k++)
                put_element(at + field[i].offset, k, e->memory[buffer->id][k], DTYPE_f32, e->unit.f64);
        }
}

static inline void put_buffers(Emittees *all, Emittee *e, BufferKind kind)
{
    for (int i = 0; i < e->program->buffer.n; i++) {
        const Buffer *b = e->program->buffer.at[i];
        if (b->kind != kind || b->base) continue;
        size_t size = b->dtype == DTYPE_u8 ? 1 : b->dtype == DTYPE_f32 && e->unit.f64 ? 8 : 4;
        unsigned char *data = emittee_argument(all, e, (size_t)b->elements * size);
        if (kind == BUF_output) {
            memset(data, 0xa5, (size_t)b->elements * size);
            e->output[e->n - 1] = b;
        } else {
            for (int64_t k = 0; k < b->elements; k++) put_element(data, k, e->memory[b->id][k], b->dtype, e->unit.f64);
        }
    }
}

static inline void round_memory(const Emittee *e)
{
    for (int i = 0; i < e->program->buffer.n; i++) {
        const Buffer *b = e->program->buffer.at[i];
        bool scalar = b->kind == BUF_scalar;
        if (b->base) continue;
        for (int64_t k = 0; k < b->elements; k++)
            e->memory[i][k] = scalar ? (!strcmp(b->name, "rate") ? test_call.rate : !strcmp(b->name, "valid") ? test_call.valid : (double)test_call.step)
                                     : as_stored(e->memory[i][k], b->dtype, e->unit.f64);
    }
}

/* A program of its own unit: a step where the graph updates, a gradient where it has gradients, else forward. With
   threads every kernel is split that can be. */
static inline void emittee_add(Emittees *all, Graph *g, Leaves *l, const Target *target, bool f64, bool fuse, int threads)
{
    Emittee *e = NEW(all->arena, Emittee);
    bool step = mode_has(g, ROOT_update), gradient = mode_has(g, ROOT_gradient);
    LowerOptions options = {.no_fuse = !fuse, .f64 = f64};
    const Program *p = graph_lower(g, step ? "step" : gradient ? "gradient" : "forward", &options);
    e->name = arena_printf(all->arena, "case%d", all->at.n);
    e->program = p;
    e->unit = (Unit){.arena = all->arena, .net = e->name, .target = target, .f64 = f64, .threads = threads, .part_cycles = 1};
    e->unit.step = step ? p : NULL;
    e->unit.gradient = gradient && !step ? p : NULL;
    e->unit.forward = step || gradient ? NULL : p;
    unit_fields(&e->unit);
    e->memory = program_memory(p, l);
    round_memory(e);
    put_fields(e, emittee_argument(all, e, (size_t)e->unit.weights_bytes), e->unit.weights.at, e->unit.weights.n);
    if (step) put_fields(e, emittee_argument(all, e, (size_t)e->unit.state_bytes), e->unit.state.at, e->unit.state.n);
    put_buffers(all, e, BUF_input);
    if (gradient && !step) emittee_argument(all, e, (size_t)e->unit.weights_bytes);
    put_buffers(all, e, BUF_output);
    if (program_takes_call(&e->unit, p)) memcpy(emittee_argument(all, e, sizeof test_call), &test_call, sizeof test_call);
    program_eval(p, e->memory, test_call.seed, test_call.step);
    vec_push(all->arena, &all->at, e);
}

static const char emitted_driver_head[] =
    "#include <stddef.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    "typedef struct Call { void (*f)(void *const *); int n; size_t bytes[64]; size_t workspace; } Call;\n";
static const char emitted_driver_tail[] =
    "static void *fresh(size_t n, size_t skew) { char *p = aligned_alloc(64, (n + 128) / 64 * 64 + 64); if (!p) exit(71); return p + skew; }\n"
    "int main(void)\n{\n    void *const pool = begin();\n    FILE *in = fopen(\"data.bin\", \"rb\"), *out = fopen(\"out.bin\", \"wb\");\n    if (!in || !out) return 66;\n"
    "    for (const Call *c = calls; c->f; c++) {\n        void *p[64], *q[64];\n"
    "        for (int i = 0; i < c->n; i++) {\n            p[i] = fresh(c->bytes[i], c->bytes[i] % 64 ? 8 : 0);\n            q[i] = fresh(c->bytes[i], 0);\n"
    "            if (fread(p[i], 1, c->bytes[i], in) != c->bytes[i]) return 74;\n            memcpy(q[i], p[i], c->bytes[i]);\n        }\n"
    "        p[c->n] = fresh(c->workspace, 0);\n        p[c->n + 1] = NULL;\n        q[c->n + 1] = pool;\n        memset(p[c->n], 0xff, c->workspace);\n        c->f((void *const *)p);\n"
    "        q[c->n] = p[c->n];\n        memset(p[c->n], 0xa5, c->workspace);\n        c->f((void *const *)q);\n"
    "        for (int i = 0; i < c->n; i++) {\n            if (memcmp(p[i], q[i], c->bytes[i])) { fprintf(stderr, \"call %d argument %d differs\\n\", (int)(c - calls), i); return 1; }\n"
    "            fwrite(p[i], 1, c->bytes[i], out);\n        }\n    }\n    end();\n    return fclose(out) ? 74 : 0;\n}\n";

static inline void emitted_write(Emittees *all, const char *name, const void *bytes, size_t size)
{
    const char *why;
    if (!file_write(all->arena, arena_printf(all->arena, "%s/%s", all->dir, name), bytes, size, &why)) internal_error("test", "%s", why);
}

static inline void emitted_write_all(Emittees *all)
{
    Text driver = {.arena = all->arena}, data = {.arena = all->arena};
    text_puts(&driver, emitted_driver_head);
    for (int i = 0; i < all->at.n; i++) {
        Emittee *e = all->at.at[i];
        Emitted files = {0};
        emit_unit(&e->unit, &files);
        emit_host(&e->unit, &files);
        for (int f = 0; f < files.file.n; f++) {
            const char *name = files.file.at[f].name, *host = strstr(name, "_host.c");
            emitted_write(all, host ? arena_printf(all->arena, "%s.inc", e->name) : name, files.file.at[f].bytes, files.file.at[f].size);
        }
        text_printf(&driver, "#define netc_%s %s_host\n#define netc_threads_begin %s_begin\n#define netc_threads_end %s_end\n#include \"%s.inc\"\n"
                    "#undef netc_threads_end\n#undef netc_threads_begin\n#undef netc_%s\n", e->program->name, e->name, e->name, e->name, e->name, e->program->name);
    }
    const Emittee *first = all->at.at[0];
    if (first->unit.threads > 1)     /* a first call without them, a second with */
        text_printf(&driver, "static void *begin(void) { return %s_begin(%d); }\nstatic void end(void) { %s_end(); }\n", first->name, first->unit.threads, first->name);
    else text_puts(&driver, "static void *begin(void) { return NULL; }\nstatic void end(void) {}\n");
    text_puts(&driver, "static const Call calls[] = {\n");
    for (int i = 0; i < all->at.n; i++) {
        const Emittee *e = all->at.at[i];
        text_printf(&driver, "    { %s_host, %d, {", e->name, e->n);
        for (int k = 0; k < e->n; k++) {
            text_printf(&driver, " %zu,", e->bytes[k]);
            text_add(&data, (const char *)e->data[k], e->bytes[k]);
        }
        text_printf(&driver, " 0 }, %lld },\n", (long long)e->program->workspace_bytes);
    }
    text_puts(&driver, "    { 0, 0, { 0 }, 0 }\n};\n");
    text_puts(&driver, emitted_driver_tail);
    emitted_write(all, "driver.c", driver.s, driver.n);
    emitted_write(all, "data.bin", text_string(&data), data.n);
}

static inline const char *emitted_compare(Emittees *all, const Emittee *e, const Buffer *b, const unsigned char *got)
{
    double largest = 0, tolerance = e->unit.f64 ? 1e-12 : 2e-5;
    const double *want = e->memory[b->id];
    for (int64_t i = 0; i < b->elements; i++)
        if (isfinite(want[i])) largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < b->elements; i++) {
        double x = get_element(got, i, b->dtype, e->unit.f64);
        if (x == want[i] || (isnan(x) && isnan(want[i])) || fabs(x - want[i]) <= tolerance * fmax(largest, 0.1)) continue;
        return arena_printf(all->arena, "%s: %s[%lld] is %.9g, expected %.9g", e->name, b->name, (long long)i, x, want[i]);
    }
    return NULL;
}

static inline const char *emitted_compare_fields(Emittees *all, const Emittee *e, const Field *field, int n, BufferKind kind, const unsigned char *got)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < e->program->buffer.n; k++) {
            const Buffer *b = e->program->buffer.at[k];
            if (b->kind != kind || b->node != field[i].node || b->base) continue;
            const char *wrong = emitted_compare(all, e, b, got + field[i].offset);
            if (wrong) return wrong;
        }
    return NULL;
}

static inline const char *emitted_compare_all(Emittees *all, const Emittee *e, unsigned char *const *got)
{
    const Unit *u = &e->unit;
    const char *wrong = emitted_compare_fields(all, e, u->weights.at, u->weights.n, BUF_param, got[0]);
    if (!wrong && u->step) wrong = emitted_compare_fields(all, e, u->state.at, u->state.n, BUF_state, got[1]);
    for (int i = 0, before = -1; i < e->n && !wrong; i++) {
        if (e->output[i]) wrong = emitted_compare(all, e, e->output[i], got[i]);
        else if (u->gradient && i && e->bytes[i] == (size_t)u->weights_bytes && before < 0 && (i + 1 == e->n || e->output[i + 1] || i + 2 == e->n)) {
            before = i;
            wrong = emitted_compare_fields(all, e, u->weights.at, u->weights.n, BUF_gradient, got[i]);
        }
    }
    return wrong;
}

/* Compiles and runs all; NULL when every number is right. cc: "cc" is the one of the environment; `run`: a prefix such as "qemu-aarch64 ". */
static inline const char *emitted_run(Emittees *all, const char *cc, const char *flags, const char *run)
{
    Arena *a = all->arena;
    const char *why, *wrong = NULL, *chosen = getenv("CC");
    if (!strcmp(cc, "cc") && chosen && *chosen) cc = chosen;
    if (!directory_make(a, all->dir, &why)) return why;
    if (system(arena_printf(a, "rm -f '%s'/*", all->dir))) return "cannot empty the directory";
    emitted_write_all(all);
    const char *build = arena_printf(a, "cd '%s' && %s -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror %s -o run *.c -lm -pthread",
                                     all->dir, cc, flags);
    if (system(build)) return build;
    if (system(arena_printf(a, "cd '%s' && %s./run", all->dir, run))) return "the run failed";
    FILE *out = fopen(arena_printf(a, "%s/out.bin", all->dir), "rb");
    for (int i = 0; i < all->at.n && out; i++) {
        const Emittee *e = all->at.at[i];
        unsigned char *got[EMITTED_ARGUMENTS];
        for (int k = 0; k < e->n; k++) {
            got[k] = arena_alloc(a, e->bytes[k]);
            if (fread(got[k], 1, e->bytes[k], out) != e->bytes[k]) wrong = "the run wrote too little";
        }
        if (!wrong) wrong = emitted_compare_all(all, e, got);
    }
    if (!out) return "the run wrote nothing";
    fclose(out);
    return wrong ? arena_printf(a, "%s (in %s)", wrong, build) : NULL;
}

#endif
