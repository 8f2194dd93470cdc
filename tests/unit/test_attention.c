/* test_attention.c -- what a transformer may not look at has no part in its gradient: exactly 0 in the compiled C; and what lies
   behind the end of a sequence has none in anything. */
#include "../../compiler/cli/fill.h"
#include "../../compiler/pipeline.h"
#include "models.h"

#include <stdlib.h>

enum { STEPS = 7, SEEN = 4, WIDTH = 12, BATCH = 3 };

/* The loss looks at the first SEEN steps, or at the samples whose `part` is 1; table has a row for each sample. */
static const char *const layers[] = {
    "encoder_layer(3, 20, dropout=0, norm_first=true, causal=true) -> encoder_layer(2, 20, dropout=0.1, causal=true)",
    "attention(6, kv_heads=2, causal=true, rotary=10000) -> rmsnorm -> attention(3, kv_heads=1, causal=true, rotary=100)"
};
static const char later_steps[] =
    "net n { input x : f32[7, 12]\n param p : f32[7, 12] = uniform(-1, 1)\n"
    "  y = x + p -> learned_positions -> %s\n loss mean(y[0:4] * y[0:4]) + mean(y[0:4]) }\n";
static const char other_samples[] =
    "net n { input which : i32\n input part : f32\n param table : f32[3, 84] = uniform(-1, 1)\n"
    "  y = reshape(table[which], [7, 12]) -> %s\n loss part * mean(y * y) }\n";

/* The loss looks at the first `length` steps of each sample. */
static const char *const readers[] = {
    "attention(3, mask=there)", "encoder_layer(2, 20, dropout=0.1, mask=there) -> encoder_layer(3, 8, mask=there, norm_first=true)",
    "gru(9)", "lstm(9) -> rnn(5)", "gru(9) -> attention(3, mask=there)", "attention(6, kv_heads=2, mask=there, rotary=100)"
};
static const char padded[] =
    "net n { input x : f32[7, 12]\n input length : i32 in 1..8\n there = iota(7) < length\n"
    "  y = x -> dense(12) -> %s\n loss sum(where(reshape(there, [7, 1]), y * y + y, 0)) / length }\n";

static Arena *arena;

static void compile_and_open(const char *text, Unit *unit, Host *h)
{
    TrainPlan plan;
    int status = 0;
    Model *m = test_model_of(arena, text);
    CompileOptions o = {.resolve = {.mode = MODE_train, .batch = BATCH}, .train = true, .train_batch = BATCH, .no_forward = true,
                        .no_evaluate = true, .no_step = true, .target = target_find("native")};
    ck_assert(compile(m, &o, unit, &plan, &status));
    ck_assert_int_eq(host_open(h, arena, unit), 0);
    fill_params(h, 1);
    fill_inputs(h, PROGRAM_gradient, 2);
    h->call = (HostCall){.valid = BATCH, .seed = 9};
}

static const double *gradient_of(const Host *h, const Unit *u, const char *name)
{
    for (int i = 0; i < u->weights.n; i++) {
        const Field *f = &u->weights.at[i];
        if (strcmp(f->name, name)) continue;
        double *g = NEW_ARRAY(arena, double, f->buffer->elements);
        field_read(h, f, h->gradient, g);
        return g;
    }
    ck_abort_msg("no gradient of %s", name);
}

static double largest(const double *x, int n)
{
    double most = 0;
    for (int i = 0; i < n; i++) most = x[i] > most ? x[i] : -x[i] > most ? -x[i] : most;
    return most;
}

START_TEST(no_gradient_from_later_steps)
{
    Unit unit;
    Host h = {0};
    compile_and_open(arena_printf(arena, later_steps, layers[_i]), &unit, &h);
    host_run(&h, PROGRAM_gradient);
    const double *g = gradient_of(&h, &unit, "p");
    for (int t = 0; t < STEPS; t++)
        ck_assert_msg((largest(g + t * WIDTH, WIDTH) == 0) == (t >= SEEN), "step %d has a gradient of %g", t, largest(g + t * WIDTH, WIDTH));
    host_close(&h);
}
END_TEST

static void set_input(const Host *h, const char *name, const double *x, int n)
{
    const HostProgram *p = &h->program[PROGRAM_gradient];
    for (int k = 0; k < p->n_input; k++)
        for (int i = 0; i < n && !strcmp(p->input[k]->name, name); i++) host_put(h, p->input[k]->dtype, p->input_data[k], i, x[i]);
}

START_TEST(no_gradient_from_other_samples)
{
    Unit unit;
    Host h = {0};
    compile_and_open(arena_printf(arena, other_samples, layers[_i]), &unit, &h);
    set_input(&h, "which", (double[]){2, 0, 1}, BATCH);
    set_input(&h, "part", (double[]){0, 1, 0}, BATCH);
    host_run(&h, PROGRAM_gradient);
    const double *g = gradient_of(&h, &unit, "table");
    for (int i = 0; i < BATCH; i++)
        ck_assert_msg((largest(g + i * STEPS * WIDTH, STEPS * WIDTH) == 0) == (i != 0), "the sample of row %d has a wrong gradient", i);
    host_close(&h);
}
END_TEST

START_TEST(nothing_from_padding)
{
    static const double length[BATCH] = {4, 7, 1};
    double x[BATCH * STEPS * WIDTH], loss[2];
    Unit unit;
    Host h = {0};
    compile_and_open(arena_printf(arena, padded, readers[_i]), &unit, &h);
    const double **g[2];
    for (int run = 0; run < 2; run++) {
        for (int i = 0; i < BATCH * STEPS * WIDTH; i++) {
            const bool there = i / WIDTH % STEPS < length[i / WIDTH / STEPS];
            x[i] = there ? i % 17 / 8.0 - 1 : run ? i % 13 * 70 - 400 : 0;
        }
        set_input(&h, "x", x, BATCH * STEPS * WIDTH);
        set_input(&h, "length", length, BATCH);
        host_run(&h, PROGRAM_gradient);
        loss[run] = host_get(&h, DTYPE_f32, h.program[PROGRAM_gradient].output_data[0], 0);
        g[run] = NEW_ARRAY(arena, const double *, unit.weights.n);
        for (int i = 0; i < unit.weights.n; i++) g[run][i] = gradient_of(&h, &unit, unit.weights.at[i].name);
    }
    ck_assert_msg(loss[0] == loss[1] && loss[0] != 0, "losses %g and %g", loss[0], loss[1]);
    for (int i = 0; i < unit.weights.n; i++)
        for (int k = 0; k < unit.weights.at[i].buffer->elements; k++)
            ck_assert_msg(g[0][i][k] == g[1][i][k], "%s[%d]: %g and %g", unit.weights.at[i].name, k, g[0][i][k], g[1][i][k]);
    host_close(&h);
}
END_TEST

static void setup(void) { arena = arena_new(); }
static void teardown(void) { arena_free(arena); }

int main(void)
{
    Suite *s = suite_create("attention");
    TCase *t = tcase_create("attention");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, no_gradient_from_later_steps, 0, LENGTH(layers));
    tcase_add_loop_test(t, no_gradient_from_other_samples, 0, LENGTH(layers));
    tcase_add_loop_test(t, nothing_from_padding, 0, LENGTH(readers));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
