/* test_blocks.c -- the gradients of every net of tests/blocks against central differences, interpreted in double; and that
   no operator and no block of the prelude is without a net that is run three ways, and no block without golden values. */
#include "../../compiler/pipeline.h"
#include "models.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>

enum { BATCH = 3, ENTRIES = 8 };

/* Near a corner (relu, max, abs) differences are right once both sides lie on one side of it. */
static const struct { double h, tolerance; } attempts[] = {{1e-5, 1e-6}, {1e-4, 1e-6}, {1e-7, 1e-4}};

typedef struct Paths { VEC(const char *) at; } Paths;
typedef struct Leaf { const char *name; double *x; } Leaf;
typedef struct Leaves { VEC(Leaf) at; } Leaves;

static Arena *arena;               /* of one test */
static Paths paths;                /* every net that is run three ways */
static int n_blocks;               /* the first of them: what tests/blocks/table.txt has */

static void setup(void) { arena = arena_new(); }
static void teardown(void) { arena_free(arena); }

/* ---- nets ---- */

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void find_nets(Arena *a, const char *directory)
{
    const int before = paths.at.n;
    DIR *d = opendir(directory);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strstr(e->d_name, ".net")) vec_push(a, &paths.at, arena_printf(a, "%s/%s", directory, e->d_name));
    if (d) closedir(d);
    if (paths.at.n > before) qsort(paths.at.at + before, (size_t)(paths.at.n - before), sizeof *paths.at.at, by_name);
}

static Graph *open_graph(const char *path, Mode mode)
{
    ResolveOptions as = {.mode = mode, .batch = BATCH};
    Graph *g = resolve(test_model(arena, path), &as);
    ck_assert_msg(g != NULL, "%s does not resolve", path);
    return g;
}

/* ---- gradients ---- */

static double leaf_draw(const Node *n, int64_t i)
{
    const double u = random_uniform(1, 0, (uint32_t)hash_bytes(0xcbf29ce484222325u, n->name, strlen(n->name)), (uint32_t)i);
    const Attr *low = node_attr(n, ATTR_low), *high = node_attr(n, ATTR_high);
    if (n->dtype == DTYPE_f32) return n->op == OP_param ? 0.1 + 0.8 * u : 2 * u - 1;
    const double from = low ? (double)low->ints[0] : 0;
    return floor(from + ((high ? (double)high->ints[0] : 10) - from) * u);
}

static double *leaf_values(Leaves *l, const Node *leaf)
{
    for (int i = 0; i < l->at.n; i++)
        if (!strcmp(l->at.at[i].name, leaf->name)) return l->at.at[i].x;
    const int64_t n = shape_elements(leaf->shape);
    double *x = NEW_ARRAY(arena, double, n);
    for (int64_t i = 0; i < n; i++) x[i] = leaf->op == OP_scalar ? BATCH : leaf_draw(leaf, i);
    vec_push(arena, &l->at, (Leaf){leaf->name, x});
    return x;
}

static const double *leaf_callback(void *user, const Node *leaf) { return leaf_values(user, leaf); }

static const double **run(const Graph *g, Arena *a, Leaves *l)
{
    EvalInputs in = {leaf_callback, l, 11, 3};
    const double **result = NEW_ARRAY(a, const double *, g->root.n + 1);
    graph_eval(g, a, &in, result);
    return result;
}

static double loss_of(const Graph *g, Leaves *l)
{
    Arena *a = arena_new();
    const double **result = run(g, a, l);
    double loss = 0;
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind == ROOT_loss) loss += result[i][0];
    arena_free(a);
    return loss;
}

static bool entry_agrees(const Graph *g, Leaves *l, double *x, double analytic, double *numeric)
{
    const double middle = *x;
    bool good = false;
    for (size_t k = 0; k < LENGTH(attempts) && !good; k++) {
        *x = middle + attempts[k].h;
        const double up = loss_of(g, l);
        *x = middle - attempts[k].h;
        *numeric = (up - loss_of(g, l)) / (2 * attempts[k].h);
        good = fabs(*numeric - analytic) <= attempts[k].tolerance * fmax(1, fabs(*numeric));
    }
    *x = middle;
    return good;
}

START_TEST(gradients)
{
    const char *path = paths.at.at[_i];
    Graph *loss = open_graph(path, MODE_train), *g = open_graph(path, MODE_train);
    Leaves l = {0};
    pass_grad(g, NULL);
    const double **at = run(g, arena, &l);
    int tensors = 0;
    for (int r = 0; r < g->root.n; r++) {
        const Node *target = g->root.at[r].target;
        if (g->root.at[r].kind != ROOT_gradient) continue;
        const int64_t n = shape_elements(target->shape), step = n <= ENTRIES ? 1 : n / ENTRIES + (n / ENTRIES + 1) % 2;
        double *x = leaf_values(&l, target), numeric = 0;
        for (int64_t i = 0; i < n; i += step)
            ck_assert_msg(entry_agrees(loss, &l, &x[i], at[r][i], &numeric), "%s: gradient of %s[%lld] is %.9g, by differences %.9g",
                          path, target->name, (long long)i, at[r][i], numeric);
        tensors++;
    }
    ck_assert_msg(tensors, "%s has no gradient", path);
}
END_TEST

/* ---- nothing is left out ---- */

static void mark_ops(const Graph *g, bool *seen)
{
    for (int i = 0; i < g->node.n; i++) seen[g->node.at[i]->op] = true;
}

static void mark_net(const char *path, Mode mode, bool *seen)
{
    TrainPlan plan;
    ResolveOptions as = {.mode = mode, .batch = BATCH};
    Model *m = test_model(arena, path);
    Graph *g = resolve(m, &as);
    ck_assert(g && resolve_train(m, &as, g->net, &plan));
    PassContext context = {.plan = &plan};
    mark_ops(g, seen);
    passes_run(g, &context, NULL);
    mark_ops(g, seen);
}

START_TEST(every_operator_has_a_net)
{
    bool seen[OP_COUNT] = {[OP_winograd] = true, [OP_winograd_weights] = true};   /* test_winograd.c */
    for (int i = 0; i < paths.at.n; i++)
        for (Mode mode = MODE_infer; mode <= MODE_train; mode++) mark_net(paths.at.at[i], mode, seen);
    for (Op op = 0; op < OP_COUNT; op++) ck_assert_msg(seen[op], "no net of tests has the operator %s", op_info[op].name);
}
END_TEST

/* The text without its comments. */
static char *read_code(const char *path)
{
    size_t n = 0, kept = 0;
    int status = 0;
    const char *why = "";
    char *text = file_read(arena, path, 1 << 24, &n, &why, &status);
    ck_assert_msg(text != NULL, "%s", why);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '#') i += strcspn(text + i, "\n");
        if (i < n) text[kept++] = text[i];
    }
    text[kept] = 0;
    return text;
}

static bool has_word(const char *text, const char *word)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += n)
        if ((at == text || !strchr(letters, at[-1])) && (!at[n] || !strchr(letters, at[n]))) return true;
    return false;
}

typedef struct Block { const char *name, *body; bool reached; } Block;
typedef struct Blocks { VEC(Block) at; } Blocks;

static Blocks read_prelude(void)
{
    Blocks all = {0};
    char *text = arena_printf(arena, "\n%s", read_code("grammar/prelude.net"));
    for (char *at = strstr(text, "\nblock "), *next; at; at = next) {
        next = strstr(at + 1, "\nblock ");
        char *name = at + strlen("\nblock "), *end = name + strcspn(name, "(");
        const int length = (int)(next ? next - end : (ptrdiff_t)strlen(end));
        vec_push(arena, &all.at, (Block){arena_printf(arena, "%.*s", (int)(end - name), name), arena_printf(arena, "%.*s", length, end), false});
    }
    return all;
}

/* Blocks that are named in `text`, and what these call. */
static void reach(Blocks *all, const char *text)
{
    for (int i = 0; i < all->at.n; i++) {
        Block *b = &all->at.at[i];
        if (b->reached || !has_word(text, b->name)) continue;
        b->reached = true;
        reach(all, b->body);
    }
}

START_TEST(every_block_has_a_net)
{
    Blocks all = read_prelude();
    ck_assert_int_gt(all.at.n, 50);
    for (int i = 0; i < paths.at.n; i++) reach(&all, read_code(paths.at.at[i]));
    for (int i = 0; i < all.at.n; i++) ck_assert_msg(all.at.at[i].reached, "no net of tests has the block %s", all.at.at[i].name);
}
END_TEST

/* Blocks that draw random numbers have no value but their own. */
START_TEST(every_block_is_compared_with_something_else)
{
    static const char *const with[] = {"tests/golden/blocks.txt", "tests/scripts/metrics.sh"};   /* PyTorch, awk */
    Blocks all = read_prelude();
    for (size_t i = 0; i < LENGTH(with); i++) reach(&all, read_code(with[i]));
    for (int i = 0; i < paths.at.n; i++)
        if (strstr(paths.at.at[i], "/reference/")) reach(&all, read_code(paths.at.at[i]));
    for (int i = 0; i < all.at.n; i++) {
        const Block *b = &all.at.at[i];
        ck_assert_msg(b->reached || strstr(b->name, "random_") || strstr(b->body, "random_"), "no golden values are of the block %s", b->name);
    }
}
END_TEST

int main(void)
{
    Arena *a = arena_new();
    if (system("sh tests/blocks/make.sh build/tests/blocks_gradients")) return 1;
    find_nets(a, "build/tests/blocks_gradients");
    n_blocks = paths.at.n;
    find_nets(a, "tests/nets");
    find_nets(a, "tests/reference");
    Suite *s = suite_create("blocks");
    TCase *t = tcase_create("blocks");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, gradients, 0, n_blocks ? n_blocks : 1);
    tcase_add_test(t, every_operator_has_a_net);
    tcase_add_test(t, every_block_has_a_net);
    tcase_add_test(t, every_block_is_compared_with_something_else);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    arena_free(a);
    return failed != 0;
}
