/* lowered.h -- for tests of loops: a graph lowered and run, against the graph evaluated. */
#ifndef TEST_LOWERED_H
#define TEST_LOWERED_H

#include "../../compiler/loop/loop.h"
#include "graphs.h"

/* Memory of all buffers that are the caller's: leaves filled, outputs not a number. */
static inline double **program_memory(const Program *p, Leaves *l)
{
    double **memory = NEW_ARRAY(l->arena, double *, p->buffer.n + 1);
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        bool leaf = b->kind == BUF_input || b->kind == BUF_param || b->kind == BUF_state || b->kind == BUF_scalar;
        memory[i] = NEW_ARRAY(l->arena, double, b->elements);
        for (int64_t k = 0; k < b->elements; k++) memory[i][k] = NAN;
        if (leaf && !b->base) buffer_store_order(b, leaf_values(l, b->name, b->elements), memory[i]);
    }
    return memory;
}

/* The buffer in which the value of root r is after a run. outputs counts the outputs before it. */
static inline const Buffer *root_buffer(const Program *p, const Root *r, int outputs)
{
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        if (b->base) continue;
        if (r->kind == ROOT_gradient && b->kind == BUF_gradient && !strcmp(b->name, r->target->name)) return b;
        if (r->kind == ROOT_update && b->node == r->target && (b->kind == BUF_param || b->kind == BUF_state)) return b;
        bool output = r->kind == ROOT_output || r->kind == ROOT_loss || r->kind == ROOT_total;
        if (output && b->kind == BUF_output && outputs-- == 0) return b;
    }
    return NULL;
}

static inline bool near_enough(double x, double y)
{
    return (isnan(x) && isnan(y)) || x == y || fabs(x - y) <= 1e-12 * fmax(1, fmax(fabs(x), fabs(y)));
}

/* NULL when every root of g has the value that graph_eval gives it, else what differs. */
static inline const char *run_differs(Graph *g, Leaves *l, const LowerOptions *options)
{
    const double **expected = evaluate(g, l);
    Program *p = graph_lower(g, "test", options);
    double **memory = program_memory(p, l);
    program_eval(p, memory, 42, 7);
    for (int r = 0, outputs = 0; r < g->root.n; r++) {
        const Root *root = &g->root.at[r];
        const Buffer *b = root_buffer(p, root, outputs);
        if (root->kind == ROOT_metric) continue;
        if (!b) return arena_printf(l->arena, "root %d has no buffer", r);
        outputs += b->kind == BUF_output;
        double *got = NEW_ARRAY(l->arena, double, b->elements);
        buffer_row_order(b, memory[b->id], got);
        for (int64_t i = 0; i < b->elements; i++) {
            if (near_enough(got[i], expected[r][i])) continue;
            Text text = { .arena = l->arena };
            text_printf(&text, "root %d (%s) element %lld is %.17g, expected %.17g\n", r, b->name, (long long)i, got[i],
                        expected[r][i]);
            program_print(&text, p);
            graph_print(&text, g, NULL);
            return text_string(&text);
        }
    }
    return NULL;
}

/* With and without fusion, with and without memory used again. */
static inline const char *runs_differ(Graph *g, Leaves *l)
{
    for (int i = 0; i < 4; i++) {
        LowerOptions options = { .no_fuse = i & 1, .no_reuse = i & 2, .alone = !i };
        const char *differs = run_differs(g, l, &options);
        if (differs) return arena_printf(l->arena, "no_fuse %d, no_reuse %d: %s", i & 1, i >> 1, differs);
    }
    return NULL;
}

#endif
