/* test_simd.c -- the vector functions of emitted C on every instruction set of this machine: their largest error over
   the floats, in units of the last place, against libm in double. With mode=all many more floats are tried. */
#include "../../compiler/emit/code.h"

#include <check.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1 << 14 };

static double relu(double x) { return x > 0 ? x : 0; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double whole(double x) { return isnan(x) ? 0 : (float)fmin(fmax(trunc(x), INT32_MIN), INT32_MAX); }

/* NaN aside: what libm gives for it is NaN too, but for relu. */
static const struct { const char *name; double (*exact)(double); double ulp; } functions[] = {
    {"vexp", exp, 1.2}, {"vexpm1", expm1, 2}, {"vlog", log, 1.1}, {"vlog1p", log1p, 2}, {"vtanh", tanh, 2.5},
    {"vsigmoid", sigmoid, 2.5}, {"verf", erf, 1.2}, {"vsqrt", sqrt, 0.501}, {"vfloor", floor, 0}, {"vabs", fabs, 0}, {"vrelu", relu, 0},
    {"vtrunc_i32", whole, 0},
};

/* One shared object with void apply_F(const float *x, float *y) over BLOCK floats for each function. */
static void *build(Arena *a, const Target *t)
{
    Unit u = {.arena = a, .target = t, .net = "simd"};
    Text code = {.arena = a}, all = {.arena = a};
    for (size_t f = 0; f < LENGTH(functions); f++) {
        text_printf(&code, "void apply_%s(const float *x, float *y)\n{\n", functions[f].name);
        text_printf(&code, "    for (int i = 0; i < %d; i += %d) ", BLOCK, t->lanes);
        if (t->lanes == 1) text_printf(&code, "y[i] = %s(x[i]);\n}\n", functions[f].name);
        else text_printf(&code, "vstore(y + i, %s(vload(x + i)));\n}\n", functions[f].name);
    }
    text_puts(&all, "#include <stdint.h>\n");
    text_puts(&all, simd_text(&u, text_string(&code)));
    text_puts(&all, code.s);
    if (t->pragma) text_puts(&all, "#if defined(__clang__)\n#pragma clang attribute pop\n#endif\n");
    const char *base = arena_printf(a, "build/simd-%s-%d", t->name, (int)getpid()), *why;
    ck_assert_msg(file_write(a, arena_printf(a, "%s.c", base), all.s, all.n, &why), "%s", why);
    ck_assert_int_eq(system(arena_printf(a, "cc -std=c11 -O2 -shared -fPIC -o %s.so %s.c -lm", base, base)), 0);
    void *library = dlopen(arena_printf(a, "%s.so", base), RTLD_NOW);
    ck_assert_msg(library != NULL, "%s", dlerror());
    unlink(arena_printf(a, "%s.c", base));
    unlink(arena_printf(a, "%s.so", base));
    return library;
}

/* In units of the last place of the float nearest to `want`. */
static double error_of(float got, double want)
{
    float nearest = (float)want;
    if (isnan(want)) return isnan(got) ? 0 : INFINITY;
    if (isinf(nearest)) return got == nearest || fabsf(got) > 3.4028e38f ? 0 : INFINITY;
    int exponent;
    frexp(want, &exponent);
    double unit = ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
    return fabs((double)got - want) / unit;
}

static void measure(void (*apply)(const float *, float *), double (*exact)(double), uint32_t stride, double *worst, float *at)
{
    static float x[BLOCK] __attribute__((aligned(64))), y[BLOCK] __attribute__((aligned(64)));
    *worst = 0;
    for (uint64_t bits = 0; bits < 1ull << 32;) {
        int n = 0;
        for (; n < BLOCK; n++, bits += stride) {
            uint32_t b = bits < 1ull << 32 ? (uint32_t)bits : 0;
            memcpy(&x[n], &b, sizeof b);
        }
        apply(x, y);
        for (int i = 0; i < BLOCK; i++) {
            double e = isnan(x[i]) && exact == relu ? 0 : error_of(y[i], exact((double)x[i]));
            if (e > *worst) *worst = e, *at = x[i];
        }
    }
}

START_TEST(errors_are_as_stated)
{
    const Target *t = &targets[_i];
    const char *mode = getenv("mode");
    bool all = mode && !strcmp(mode, "all");
    if (!target_runs_here(t) || !t->simd) return;
    Arena *a = arena_new();
    void *library = build(a, t);
    for (size_t f = 0; f < LENGTH(functions); f++) {
        void *symbol = dlsym(library, arena_printf(a, "apply_%s", functions[f].name));
        void (*apply)(const float *, float *);
        double worst;
        float at = 0;
        memcpy(&apply, &symbol, sizeof apply);
        measure(apply, functions[f].exact, all && t == target_find("native") ? 7 : 4999, &worst, &at);
        if (all) printf("%-8s %-9s %.3f ulp at %a\n", t->name, functions[f].name, worst, (double)at);
        ck_assert_msg(worst <= functions[f].ulp,
                      "%s on %s: %.3f ulp at %a", functions[f].name, t->name, worst, (double)at);
    }
    dlclose(library);
    arena_free(a);
}
END_TEST

START_TEST(comments_use_nothing)
{
    Arena *a = arena_new();
    Unit u = {.arena = a, .target = target_find("avx2"), .net = "simd"};
    const char *text = simd_text(&u, "/* to_i32 of all, vexp of none */ vf f(vf x) { return vstore_i32(0, x), vlog(x); }");
    ck_assert_ptr_nonnull(strstr(text, "vf vlog(vf x)"));
    ck_assert_ptr_nonnull(strstr(text, "vi vto_i32(vf x)"));
    ck_assert_ptr_null(strstr(text, "vf vexp(vf x)"));
    ck_assert_ptr_null(strstr(text, "int32_t to_i32(float x)"));   /* named in the comment of vto_i32 alone */
    arena_free(a);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("simd");
    TCase *c = tcase_create("simd");
    int n = 0;
    while (targets[n].name) n++;
    tcase_set_timeout(c, 900);
    tcase_add_loop_test(c, errors_are_as_stated, 0, n);
    tcase_add_test(c, comments_use_nothing);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
