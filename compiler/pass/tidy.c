/* tidy.c -- fold and share once more. Gradients were taken by now: nothing needs stop_gradient. */
#include "fold.h"

void pass_tidy(Graph *g, const PassContext *context)
{
    (void)context;
    fold_graph(g, true);
    share_graph(g);
}
