/* score.c -- loss and metrics added up over batches; a metric is a formula over the sums, so it is exact over the whole
   set however it was cut into batches. */
#include "score.h"

#include <stdlib.h>
#include <string.h>

/* A copy of the graph in which only the metrics are left. */
static Graph *metric_graph(const Graph *whole)
{
    Graph *g = graph_copy(whole);
    int n = 0;
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind == ROOT_metric) g->root.at[n++] = g->root.at[i];
    g->root.n = n;
    graph_sort(g);
    return g;
}

/* A program without a ROOT_loss has a metric of that name, over the whole set. */
static bool is_loss(const Score *s, int metric) { return !s->n_loss && !strcmp(s->formula->root.at[metric].name, "loss"); }

void score_init(Score *s, Arena *a, const Host *h, ProgramKind kind)
{
    const HostProgram *p = &h->program[kind];
    const Graph *g = p->program->graph;
    *s = (Score){.host = h, .kind = kind, .formula = metric_graph(g)};
    s->loss_output = NEW_ARRAY(a, int, g->root.n + 1);
    s->each_loss = NEW_ARRAY(a, double, g->root.n + 1);
    s->metric = NEW_ARRAY(a, Metric, g->root.n + 1);
    s->total_output = NEW_ARRAY(a, int, g->root.n + 1);
    s->total_name = NEW_ARRAY(a, const char *, g->root.n + 1);
    s->total = NEW_ARRAY(a, double, g->root.n + 1);
    for (int i = 0; i < g->root.n; i++) {
        const Root *r = &g->root.at[i];
        if (r->kind == ROOT_loss) {
            s->metric[s->n_loss].name = r->name;
            s->loss_output[s->n_loss++] = host_output(p, i);
        }
        if (r->kind != ROOT_total) continue;
        s->total_name[s->n_total] = r->name;
        s->total_output[s->n_total++] = host_output(p, i);
    }
    s->n_metric = s->n_loss > 1 ? s->n_loss : 0;
    for (int i = 0; i < s->formula->root.n; i++)
        if (!is_loss(s, i)) s->metric[s->n_metric++].name = s->formula->root.at[i].name;
}

void score_reset(Score *s)
{
    s->samples = 0;
    s->loss_sum = 0;
    for (int i = 0; i < s->n_loss; i++) s->each_loss[i] = 0;
    for (int i = 0; i < s->n_total; i++) s->total[i] = 0;
}

static double output_number(const Score *s, int output)
{
    const HostProgram *p = &s->host->program[s->kind];
    return host_get(s->host, p->output[output]->dtype, p->output_data[output], 0);
}

/* The losses of a step are means over its batch. */
void score_add(Score *s, int64_t samples)
{
    for (int i = 0; i < s->n_loss; i++) {
        double loss = (double)samples * output_number(s, s->loss_output[i]);
        s->each_loss[i] += loss;
        s->loss_sum += loss;
    }
    for (int i = 0; i < s->n_total; i++) s->total[i] += output_number(s, s->total_output[i]);
    s->samples += samples;
}

/* "total.3" is the root of that name, else the third from 0. */
static const double *total_leaf(void *user, const Node *leaf)
{
    Score *s = user;
    for (int i = 0; i < s->n_total; i++)
        if (s->total_name[i] && !strcmp(s->total_name[i], leaf->name)) return &s->total[i];
    if (!strncmp(leaf->name, "total.", 6)) {
        int i = atoi(leaf->name + 6);
        if (i >= 0 && i < s->n_total) return &s->total[i];
    }
    internal_error("score", "a metric asks for %s", leaf->name);
}

double score_finish(Score *s, Arena *scratch)
{
    const double **results = NEW_ARRAY(scratch, const double *, s->formula->root.n + 1);
    EvalInputs in = {total_leaf, s, 0, 0};
    const double samples = s->samples ? (double)s->samples : 1;
    double loss = s->loss_sum / samples;
    int k = 0;
    graph_eval(s->formula, scratch, &in, results);
    for (; s->n_loss > 1 && k < s->n_loss; k++) s->metric[k].value = s->each_loss[k] / samples;
    for (int i = 0; i < s->formula->root.n; i++) {
        if (is_loss(s, i)) loss = results[i][0];
        else s->metric[k++].value = results[i][0];
    }
    return loss;
}
