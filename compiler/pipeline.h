/* pipeline.h -- the whole compiler: a model in, programs for one net out. */
#ifndef NETC_PIPELINE_H
#define NETC_PIPELINE_H

#include "emit/emit.h"
#include "io/io.h"
#include "pass/pass.h"

typedef struct CompileOptions {
    ResolveOptions resolve;        /* mode is set per program; batch is that of forward */
    bool train;                    /* evaluate, gradient and step too */
    int64_t train_batch;           /* 0: the train block's */
    bool no_forward;
    bool f64;
    const Target *target;
    Embed embed;
    const char *weights;           /* safetensors, or NULL */
    PassContext passes;
    LowerOptions lower;
} CompileOptions;

/* Resolves, runs the passes, lowers, plans. False after errors, which were printed; *status is the exit status. */
bool compile(Model *m, const CompileOptions *options, Unit *unit, TrainPlan *plan, int *status);

#endif
