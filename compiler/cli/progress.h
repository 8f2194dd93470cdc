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
/* Whether there is a line and a tenth of a second has passed since it was drawn. */
bool progress_due(const Progress *p);
/* Where training is. */
typedef struct Standing {
    int64_t step, steps, batch;
    int64_t epoch, epochs;         /* epoch from 1; epochs 0: counted in steps */
    double part;                   /* of the epoch, 0 to 1 */
    double loss;
    const Metric *metric;          /* NULL: none */
} Standing;
void progress_draw(Progress *p, const Standing *s);
void progress_clear(Progress *p);
/* " 0.0381" after "loss", and each metric after its name. */
void metrics_print(FILE *out, const char *prefix, double loss, const Metric *metric, int n);

#endif
