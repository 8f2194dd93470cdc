/* passes.c -- the list of passes, and running it. */
#include "pass.h"

#include <string.h>


enum {
    WHEN_INFER = 1 << MODE_infer,
    WHEN_TRAIN = 1 << MODE_train,
    WHEN_ALL = WHEN_INFER | 1 << MODE_evaluate | WHEN_TRAIN
};

const PassInfo pass_info[] = {
#define PASS(name, when, optional, what) {#name, pass_##name, WHEN_##when, optional, what},
#include "passes.def"
    {0}
};

static bool left_out(const PassContext *context, const PassInfo *pass)
{
    for (int i = 0; pass->optional && i < context->n_without; i++)
        if (!strcmp(context->without[i], pass->name)) return true;
    return false;
}

void passes_run(Graph *g, const PassContext *context, const char *until)
{
    graph_sort(g);
    graph_verify(g, "resolve");
    for (const PassInfo *pass = pass_info; pass->name; pass++) {
        if (pass->run && pass->modes & 1u << g->mode && !left_out(context, pass)) {
            pass->run(g, context);
            graph_verify(g, pass->name);
        }
        if (until && !strcmp(until, pass->name)) return;
    }
}
