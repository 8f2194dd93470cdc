/* pipeline.h -- the whole compiler: a model in, programs for one net out. */
#ifndef NETC_PIPELINE_H
#define NETC_PIPELINE_H

#include "emit/emit.h"
#include "io/io.h"
#include "pass/pass.h"

typedef struct CompileOptions {
    ResolveOptions resolve;        /* mode is set per program; batch is that of forward */
    bool train;                    /* evaluate, gradient and step too */
    bool next;                     /* next too: one step of a sequence */
    int64_t train_batch;           /* 0: the train block's */
    bool no_forward, no_evaluate, no_gradient, no_step;   /* programs that are not wanted */
    bool train_loss;               /* evaluate gives the loss as a step sees it, dropout and all */
    bool f64;
    const Target *target;
    int threads;                   /* more than 1: kernels that are worth it are split */
    int64_t memory;                /* bytes, the most that the workspace of a gradient or step may take; 0: any */
    Embed embed;
    const char *weights;           /* safetensors, or NULL */
    const float *(*value)(Arena *a, const Node *param);   /* without train and weights: known values all the same; may be NULL */
    PassContext passes;
    LowerOptions lower;
} CompileOptions;

/* Resolves, runs the passes, lowers, plans. False after errors, which were printed; *status is the exit status. */
bool compile(Model *m, const CompileOptions *options, Unit *unit, TrainPlan *plan, int *status);

/* Gives each param of the graph its value from the safetensors file, which must have them all in their shapes. False
   after errors, which were printed. */
bool graph_take_weights(Graph *g, const char *path, int *status);

#endif
