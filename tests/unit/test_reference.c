/* test_reference.c -- the prelude's blocks against numbers that another implementation computed: tests/golden/blocks.txt,
   made by tests/reference/blocks.py. Outputs as at inference; loss and gradients as in training. */
#include "../../compiler/pipeline.h"
#include "models.h"

#include <math.h>
#include <stdlib.h>

enum { BATCH = 3, CASES_MAX = 256 };

typedef struct Tensor { const char *kind, *name; int64_t n; double *x; } Tensor;
typedef struct Case { const char *name, *shape, *expression; VEC(Tensor) tensor; } Case;

static Arena *arena;
static Case *cases;
static int n_cases;

/* "leaf p 2 0.5 -1" */
static Tensor tensor_read(char *line)
{
    Tensor t = {.kind = strtok(line, " ")};
    t.name = strtok(NULL, " ");
    t.n = atoll(strtok(NULL, " "));
    t.x = NEW_ARRAY(arena, double, t.n);
    for (int64_t i = 0; i < t.n; i++) t.x[i] = strtod(strtok(NULL, " "), NULL);
    return t;
}

static void cases_read(void)
{
    FILE *f = fopen("tests/golden/blocks.txt", "r");
    char *line = NULL;
    size_t room = 0;
    cases = NEW_ARRAY(arena, Case, CASES_MAX);
    for (ssize_t n; f && (n = getline(&line, &room, f)) > 0;) {
        line[n - 1] = 0;
        char *copy = arena_strdup(arena, line), *rest = strchr(copy, ' ');
        if (!*copy || *copy == '#') continue;
        if (!strncmp(copy, "case ", 5)) cases[n_cases++].name = rest + 1;
        else if (!strncmp(copy, "shape ", 6)) cases[n_cases - 1].shape = rest + 1;
        else if (!strncmp(copy, "expression ", 11)) cases[n_cases - 1].expression = rest + 1;
        else vec_push(arena, &cases[n_cases - 1].tensor, tensor_read(copy));
    }
    free(line);
    if (f) fclose(f);
}

static const Tensor *tensor_find(const Case *c, const char *kind, const char *name)
{
    for (int i = 0; i < c->tensor.n; i++)
        if (!strcmp(c->tensor.at[i].kind, kind) && !strcmp(c->tensor.at[i].name, name)) return &c->tensor.at[i];
    return NULL;
}

static const double *leaf_value(void *user, const Node *leaf)
{
    const Tensor *t = tensor_find(user, "leaf", leaf->name);
    ck_assert_msg(t != NULL, "no value for %s", leaf->name);
    ck_assert_msg(t->n == shape_elements(leaf->shape), "%s has %lld elements, not %lld", leaf->name,
                  (long long)shape_elements(leaf->shape), (long long)t->n);
    return t->x;
}

static Model *model_of(const Case *c)
{
    Text net = {.arena = arena};
    text_printf(&net, "net c {\n input x : f32[%s]\n input k : i32 in 0..6\n param p : f32[%s] = 0\n", c->shape, c->shape);
    text_printf(&net, " z = x + p\n y = %s\n output y\n loss mean(y * y) + mean(y)\n}\n", c->expression);
    return test_model_of(arena, text_string(&net));
}

static void compare(const Case *c, const char *kind, const char *name, const double *got, int64_t n)
{
    const Tensor *want = tensor_find(c, kind, name);
    ck_assert_msg(want != NULL, "%s: there is no %s of %s", c->name, kind, name);
    ck_assert_msg(n == want->n, "%s: %s %s has %lld elements, not %lld", c->name, kind, name, (long long)n, (long long)want->n);
    for (int64_t i = 0; i < want->n; i++)
        ck_assert_msg(fabs(got[i] - want->x[i]) <= 1e-9 * fmax(1, fabs(want->x[i])), "%s: %s %s[%lld] is %.12g, not %.12g", c->name,
                      kind, name, (long long)i, got[i], want->x[i]);
}

static void check_mode(Case *c, Model *m, Mode mode)
{
    ResolveOptions as = {.mode = mode, .batch = BATCH};
    Graph *g = resolve(m, &as);
    ck_assert_msg(g != NULL, "%s does not resolve", c->name);
    if (mode == MODE_train) pass_grad(g, NULL);
    EvalInputs in = {leaf_value, c, 0, 0};
    const double **result = NEW_ARRAY(arena, const double *, g->root.n + 1);
    graph_eval(g, arena, &in, result);
    int gradients = 0, wanted = 0;
    for (int i = 0; i < g->root.n; i++) {
        const Root *r = &g->root.at[i];
        if (mode == MODE_infer && r->kind == ROOT_output) compare(c, "output", "y", result[i], shape_elements(r->node->shape));
        if (mode == MODE_train && r->kind == ROOT_loss) compare(c, "loss", "loss", result[i], 1);
        if (r->kind != ROOT_gradient) continue;
        compare(c, "gradient", r->target->name, result[i], shape_elements(r->node->shape));
        gradients++;
    }
    for (int i = 0; i < c->tensor.n; i++) wanted += !strcmp(c->tensor.at[i].kind, "gradient");
    if (mode == MODE_train) ck_assert_msg(gradients == wanted, "%s: %d gradients, not %d", c->name, gradients, wanted);
}

START_TEST(block)
{
    Model *m = model_of(&cases[_i]);
    check_mode(&cases[_i], m, MODE_infer);
    check_mode(&cases[_i], m, MODE_train);
}
END_TEST

int main(void)
{
    arena = arena_new();
    cases_read();
    Suite *s = suite_create("reference");
    TCase *t = tcase_create("reference");
    tcase_add_loop_test(t, block, 0, n_cases ? n_cases : 1);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0 || !n_cases;
}
