/* graphs.h -- for tests of graphs: leaves filled with numbers that depend on their names, and evaluation. */
#ifndef TEST_GRAPHS_H
#define TEST_GRAPHS_H

#include "models.h"

#include <math.h>

/* Values of the leaves: made at the first call for a name, kept so that a test may change them. */
typedef struct Leaf { const char *name; double *value; } Leaf;
typedef struct Leaves {
    Arena *arena;
    double low, high;              /* range of what is made */
    VEC(Leaf) leaf;
} Leaves;

static inline double *leaf_values(Leaves *l, const char *name, int64_t elements)
{
    for (int i = 0; i < l->leaf.n; i++)
        if (!strcmp(l->leaf.at[i].name, name)) return l->leaf.at[i].value;
    double *value = NEW_ARRAY(l->arena, double, elements);
    uint32_t key = (uint32_t)hash_bytes(0xcbf29ce484222325u, name, strlen(name));
    for (int64_t i = 0; i < elements; i++)
        value[i] = l->low + (l->high - l->low) * random_uniform(1, 0, key, (uint32_t)i);
    vec_push(l->arena, &l->leaf, (Leaf){ name, value });
    return value;
}

static inline const double *leaf_callback(void *user, const Node *leaf)
{
    return leaf_values(user, leaf->name, shape_elements(leaf->shape));
}

static inline const double **evaluate(const Graph *g, Leaves *l)
{
    EvalInputs in = { .leaf = leaf_callback, .user = l, .seed = 42, .step = 7 };
    const double **results = NEW_ARRAY(l->arena, const double *, g->root.n + 1);
    graph_eval(g, l->arena, &in, results);
    return results;
}

static inline Graph *test_graph(Arena *a, Diag *d, Mode mode)
{
    *d = (Diag){ .out = stderr };
    return graph_new(a, d, "test", mode, 2);
}

/* What a net of the model is for that mode and a batch of 2, behind the pass `until`, without the pass `without` (NULL: with all). */
static inline Graph *test_net(Arena *a, Model *m, const char *net, Mode mode, const char *without, const char *until)
{
    TrainPlan *plan = NEW(a, TrainPlan);
    ResolveOptions options = { .mode = mode, .batch = 2 };
    ck_assert(mode != MODE_train || resolve_train(m, &options, net, plan));
    Graph *g = resolve(m, &options);
    ck_assert_ptr_nonnull(g);
    PassContext context = { .plan = plan, .without = &without, .n_without = without ? 1 : 0 };
    passes_run(g, &context, until);
    return g;
}

static inline int test_count(const Graph *g, Op op)
{
    int n = 0;
    for (int i = 0; i < g->node.n; i++) n += g->node.at[i]->op == op;
    return n;
}

/* Every root of a and b has the same values. */
static inline void test_equal(const Graph *a, const Graph *b, Leaves *leaves)
{
    const double **x = evaluate(a, leaves), **y = evaluate(b, leaves);
    ck_assert_int_eq(a->root.n, b->root.n);
    for (int i = 0; i < a->root.n; i++)
        for (int64_t k = 0; k < shape_elements(a->root.at[i].node->shape); k++) ck_assert_double_eq_tol(x[i][k], y[i][k], 1e-12);
}

static inline Node *test_param(Graph *g, const char *name, int rank, const int64_t *dim)
{
    Shape s = { .rank = rank };
    for (int d = 0; d < rank; d++) s.dim[d] = dim[d];
    Node *n = node_leaf(g, OP_param, name, DTYPE_f32, s, false);
    n->trained = true;
    return n;
}

/* The sum over all elements of x times fixed numbers: a scalar whose gradient is different everywhere. */
static inline Node *test_loss(Graph *g, Node *x)
{
    static const int64_t axes[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    int64_t count = shape_elements(x->shape);
    double *weight = NEW_ARRAY(g->arena, double, count);
    for (int64_t i = 0; i < count; i++) weight[i] = random_uniform(2, 0, 0, (uint32_t)i) - 0.5;
    Node *product = node_binary(g, OP_mul, x, node_data(g, x->shape, weight));
    return node_reduce(g, OP_sum, product, axes, x->shape.rank);
}

/* Every ROOT_gradient against central differences of root 0. True when all agree; else *why says where not. */
static inline bool gradients_agree(const Graph *g, Leaves *l, const char **why)
{
    const double **at = evaluate(g, l);
    for (int r = 0; r < g->root.n; r++) {
        const Root *root = &g->root.at[r];
        if (root->kind != ROOT_gradient) continue;
        int64_t count = shape_elements(root->target->shape);
        double *x = leaf_values(l, root->target->name, count);
        for (int64_t i = 0; i < count; i++) {
            const double h = 1e-5, middle = x[i], analytic = at[r][i];
            x[i] = middle + h;
            double up = evaluate(g, l)[0][0];
            x[i] = middle - h;
            double down = evaluate(g, l)[0][0];
            x[i] = middle;
            double numeric = (up - down) / (2 * h);
            if (fabs(numeric - analytic) <= 1e-6 * fmax(1, fabs(numeric))) continue;
            *why = arena_printf(l->arena, "gradient of %s[%lld] is %.9g, by differences %.9g", root->target->name,
                                (long long)i, analytic, numeric);
            return false;
        }
    }
    return true;
}

static inline int run_suite(Suite *s)
{
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
