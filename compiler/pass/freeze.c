/* freeze.c -- computes what depends on known weights alone, and makes parameters of the results. */
#include "pass.h"

#include <string.h>

void graph_mark_weights(Graph *g)
{
    for (int i = 0; i < g->node.n; i++) {
        Node *n = g->node.at[i];
        int least = n->op == OP_constant || n->op == OP_iota, most = least;
        if (n->op == OP_param) least = most = n->value ? WEIGHTS_known : WEIGHTS_none;
        for (int k = 0; k < n->n_in; k++) {
            int mark = n->in[k]->mark;
            if (k == 0 || mark < least) least = mark;
            if (k == 0 || mark > most) most = mark;
        }
        n->mark = least == WEIGHTS_none ? WEIGHTS_none : most;
    }
}

typedef VEC(Node *) Nodes;

/* Largest parameter under each node, by id: a result much larger is better computed than stored. */
static int64_t *largest_params(const Graph *g)
{
    int64_t *largest = NEW_ARRAY(g->arena, int64_t, g->node.n);
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = g->node.at[i];
        if (n->op == OP_param) largest[i] = shape_elements(n->shape);
        for (int k = 0; k < n->n_in; k++)
            if (largest[n->in[k]->id] > largest[i]) largest[i] = largest[n->in[k]->id];
    }
    return largest;
}

/* Movement stays: it costs nothing, and freezing it would store a parameter twice. Transformed weights are larger than
   what they are made of, but worth it. */
static bool is_worth(const Node *n, int64_t largest, bool transformed)
{
    const unsigned flags = op_info[n->op].flags;
    return n->mark == WEIGHTS_known && !(flags & (OF_LEAF | OF_MOVE)) && n->dtype == DTYPE_f32 && !n->batched &&
           (transformed || shape_elements(n->shape) <= 2 * largest);
}

/* The nodes to compute, last one first; wanted[id] is set for what the program still reads. */
static Nodes find_tops(const Graph *g, bool *wanted)
{
    const int64_t *largest = largest_params(g);
    bool *transformed = NEW_ARRAY(g->arena, bool, g->node.n);
    Nodes tops = { 0 };
    for (int i = 0; i < g->node.n; i++)
        if (g->node.at[i]->op == OP_winograd) transformed[g->node.at[i]->in[1]->id] = true;
    for (int i = 0; i < g->root.n; i++) {
        wanted[g->root.at[i].node->id] = true;
        if (g->root.at[i].target) wanted[g->root.at[i].target->id] = true;
    }
    for (int i = g->node.n - 1; i >= 0; i--) {
        Node *n = g->node.at[i];
        if (!wanted[i]) continue;
        if (is_worth(n, largest[i], transformed[i])) {
            vec_push(g->arena, &tops, n);
            continue;
        }
        for (int k = 0; k < n->n_in; k++) wanted[n->in[k]->id] = true;
    }
    return tops;
}

/* The parameter to name the result after: the first of its shape, else the first. Nodes are visited through `seen`. */
static const Node *namesake(Arena *a, Node *top, int *seen, int visit)
{
    Nodes stack = { 0 };
    const Node *found = NULL;
    vec_push(a, &stack, top);
    while (stack.n) {
        Node *n = stack.at[--stack.n];
        if (seen[n->id] == visit) continue;
        seen[n->id] = visit;
        bool fits = n->op == OP_param && shape_equal(n->shape, top->shape);
        bool better = fits && found && !shape_equal(found->shape, top->shape);
        if (n->op == OP_param && (!found || better)) found = n;
        for (int k = n->n_in - 1; k >= 0; k--) vec_push(a, &stack, n->in[k]);
    }
    return found;
}

static bool is_taken(const Graph *g, const bool *wanted, int n_old, const char *name)
{
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = g->node.at[i];
        if (n->op == OP_param && (i >= n_old || wanted[i]) && !strcmp(n->name, name)) return true;
    }
    return false;
}

static const char *free_name(const Graph *g, const bool *wanted, int n_old, const char *like)
{
    const char *name = like;
    for (int i = 1; is_taken(g, wanted, n_old, name); i++)
        name = i == 1 ? arena_printf(g->arena, "%s.folded", like) : arena_printf(g->arena, "%s.folded.%d", like, i);
    return name;
}

static const double *known_value(void *user, const Node *leaf)
{
    int64_t count = shape_elements(leaf->shape);
    double *value = NEW_ARRAY(user, double, count);
    for (int64_t i = 0; i < count; i++) value[i] = (double)leaf->value[i];
    return value;
}

static Node *frozen(Graph *g, const char *name, const Node *like, const double *value)
{
    int64_t count = shape_elements(like->shape);
    float *rounded = NEW_ARRAY(g->arena, float, count);
    for (int64_t i = 0; i < count; i++) rounded[i] = (float)value[i];
    Node *leaf = node_leaf(g, OP_param, name, DTYPE_f32, like->shape, false);
    leaf->value = rounded;
    leaf->span = like->span;
    return leaf;
}

/* needs: parameters' values, for what is to be frozen; leaves: their names and shapes changed where they were folded. */
void pass_freeze(Graph *g, const PassContext *context)
{
    (void)context;
    const int n_old = g->node.n;
    bool *wanted = NEW_ARRAY(g->arena, bool, n_old);
    int *seen = NEW_ARRAY(g->arena, int, n_old);
    graph_mark_weights(g);
    Nodes tops = find_tops(g, wanted);
    Graph weights = *g;
    memset(&weights.root, 0, sizeof weights.root);
    for (int i = 0; i < tops.n; i++) graph_root(&weights, ROOT_output, NULL, tops.at[i], NULL, tops.at[i]->span);
    Arena *scratch = arena_new();
    const double **value = NEW_ARRAY(scratch, const double *, tops.n);
    graph_eval(&weights, scratch, &(EvalInputs){ .leaf = known_value, .user = scratch }, value);
    for (int i = tops.n - 1; i >= 0; i--) {
        const char *name = namesake(scratch, tops.at[i], seen, i + 1)->name;
        graph_replace(g, tops.at[i], frozen(g, free_name(g, wanted, n_old, name), tops.at[i], value[i]));
    }
    arena_free(scratch);
    graph_sort(g);
}
