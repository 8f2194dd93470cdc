/* trainer.h -- the training loop around the compiled step. */
#ifndef NETC_TRAINER_H
#define NETC_TRAINER_H

#include "checkpoint.h"
#include "cli.h"
#include "dataset.h"
#include "learn.h"
#include "progress.h"

/* Weights and optimiser's state as they were after `step` steps. */
typedef struct Snapshot { void *weights, *state; int64_t step; double loss; bool taken; } Snapshot;

typedef struct Trainer {
    const Options *options;
    Arena *arena;
    Host host;
    TrainPlan plan;
    const char *path;              /* where the weights go */
    Dataset data, valid;           /* valid.samples is 0 without validation */
    Stream stream;
    Score train_score, valid_score;
    Progress progress;
    uint64_t seed;
    int64_t batch, calls;          /* samples of a step, which is one update; calls of the compiled step in it */
    int64_t steps, step;           /* step: done so far, also before a resume */
    int64_t epochs, epoch;         /* wanted (0: counted in steps), done */
    double saved_at;               /* seconds */
    Snapshot good, best;           /* of the last epoch; of the epoch with the least validation loss */
} Trainer;

/* Starts from fresh parameters, those of --weights, or from --resume. `data` is loaded. 0 or the exit status. */
int trainer_init(Trainer *t, const TrainPlan *plan);
/* Until all steps are done or a signal comes; saves at the ends of epochs and at the end. */
int trainer_run(Trainer *t);

/* Loss and metrics of the evaluate program over a whole set; stops early when *stop is set. */
double evaluate_all(Score *s, const Dataset *ds, Host *h, Arena *scratch, const volatile int *stop);

#endif
