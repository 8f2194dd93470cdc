/* progress.h -- how far training is: a line that is redrawn on a terminal, plain lines in a pipe. */
#ifndef NETC_PROGRESS_H
#define NETC_PROGRESS_H

#include "score.h"

typedef struct Progress {
    bool quiet, terminal, drawn;   /* terminal: standard error is one */
    double start, last;            /* seconds; last: of the last redraw */
    int64_t steps_before;          /* done before this run began */
} Progress;

double seconds_now(void);
void progress_init(Progress *p, bool quiet, int64_t steps_before);
/* At most ten times a second. `epoch` from 1, of `epochs` (0: unknown); `part` of the epoch, 0 to 1. */
void progress_draw(Progress *p, int64_t step, int64_t steps, int64_t batch, int64_t epoch, int64_t epochs, double part, double loss);
void progress_clear(Progress *p);
/* " 0.0381" after "loss", and each metric after its name. */
void metrics_print(FILE *out, const char *prefix, double loss, const Metric *metric, int n);

#endif
