/* score.h -- loss and metrics added up over batches. */
#ifndef NETC_SCORE_H
#define NETC_SCORE_H

#include "host.h"
#include "../pass/pass.h"

typedef struct Metric { const char *name; double value; } Metric;

typedef struct Score {
    const Host *host;
    ProgramKind kind;
    const Graph *formula;          /* the metric roots alone */
    int n_loss, *loss_output;      /* outputs of the losses; none where the loss is a metric */
    int n_total, *total_output;    /* outputs of the totals, in root order */
    const char **total_name;
    int64_t samples;
    double loss_sum, *each_loss, *total;
    int n_metric;
    Metric *metric;                /* of several losses each, then what the net names; set by score_finish */
} Score;

void score_init(Score *s, Arena *a, const Host *h, ProgramKind kind);
void score_reset(Score *s);
/* Adds the outputs of the call that just ran, of which `samples` counted. */
void score_add(Score *s, int64_t samples);
/* Mean loss over the samples, of several their sum; fills `metric`. `scratch` may be freed afterwards. */
double score_finish(Score *s, Arena *scratch);

#endif
