/* trainer.c -- batch, step, epoch; what is saved when; how it stops. */
#include "trainer.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <string.h>

/* The signal that asks to stop. A handler can reach nothing but a global. */
static volatile int stop_signal;
static void ask_to_stop(int signal_number) { stop_signal = signal_number; }

/* Once more, and the process ends at once. A reader that goes away does not end a training. */
static void catch_signals(void)
{
    static const int asks[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction stop = {.sa_handler = ask_to_stop, .sa_flags = (int)SA_RESETHAND}, before;
    sigemptyset(&stop.sa_mask);
    stop_signal = 0;
    for (size_t i = 0; i < LENGTH(asks); i++) {
        sigaction(asks[i], NULL, &before);
        if (asks[i] == SIGHUP && before.sa_handler == SIG_IGN) continue;
        sigaction(asks[i], &stop, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
}

double evaluate_all(Score *s, const Dataset *ds, Host *h, Arena *scratch, const volatile int *stop)
{
    const HostProgram *p = &h->program[PROGRAM_evaluate];
    int64_t batch = p->program->graph->batch;
    const size_t kept = (size_t)h->unit->memory_bytes[MEMORY_train];
    void *before = arena_alloc(scratch, kept + 1);
    memcpy(before, h->memory[MEMORY_train], kept);
    host_reset(h, MEMORY_train);
    score_reset(s);
    for (int64_t k = 0; k * batch < ds->samples && !(stop && *stop); k++) {
        int64_t valid = dataset_batch(ds, h, p, k, batch);
        h->call = (HostCall){.valid = (int32_t)valid, .step = (uint64_t)k};
        host_run(h, PROGRAM_evaluate);
        score_add(s, valid);
    }
    memcpy(h->memory[MEMORY_train], before, kept);
    return score_finish(s, scratch);
}

/* ---- beginning ---- */

static void init_fields(Trainer *t, const Field *field, int n, void *memory)
{
    Arena *a = arena_new();
    for (int i = 0; i < n; i++) {
        const Attr *init = node_attr(field[i].node, ATTR_init);
        double *x = NEW_ARRAY(a, double, field[i].buffer->elements);
        if (init) init_fill(&init->init, field[i].name, t->seed, x, field[i].buffer->elements);
        field_write(&t->host, &field[i], memory, x);
    }
    arena_free(a);
}

static int resume(Trainer *t)
{
    const char *path = t->options->resume;
    Checkpoint c;
    int status = checkpoint_load(&t->host, path, &c);
    if (status) return status;
    if (!c.with_state) {
        fprintf(stderr, "netc: note: %s has weights but no optimiser's state: step 0 starts from its weights\n", path);
        return 0;
    }
    if (t->options->seed < 0) t->seed = c.seed;
    t->step = c.step;
    return 0;
}

static Snapshot snapshot_new(const Trainer *t)
{
    const Unit *u = t->host.unit;
    return (Snapshot){.weights = arena_alloc(t->arena, (size_t)u->weights_bytes), .state = arena_alloc(t->arena, (size_t)u->state_bytes)};
}

static void snapshot_take(const Trainer *t, Snapshot *s, double loss)
{
    memcpy(s->weights, t->host.weights, (size_t)t->host.unit->weights_bytes);
    memcpy(s->state, t->host.state, (size_t)t->host.unit->state_bytes);
    s->step = t->step;
    s->loss = loss;
    s->taken = true;
}

static void snapshot_restore(Trainer *t, const Snapshot *s)
{
    memcpy(t->host.weights, s->weights, (size_t)t->host.unit->weights_bytes);
    memcpy(t->host.state, s->state, (size_t)t->host.unit->state_bytes);
    t->step = s->step;
}

int trainer_init(Trainer *t, const TrainPlan *plan)
{
    const Options *o = t->options;
    const Unit *u = t->host.unit;
    t->plan = *plan;
    t->seed = o->seed >= 0 ? (uint64_t)o->seed : plan->seed;
    const int64_t places = u->step->graph->batch;
    t->calls = u->accumulate;
    t->batch = places * t->calls;
    if (t->data.in_stretches) {
        if (t->data.samples < places) return fail(EXIT_model, "%" PRId64 " samples are too few for stretches at %" PRId64 " places of a batch",
                                                  t->data.samples, places);
        t->data.samples -= t->data.samples % places;
    }
    t->epochs = o->epochs ? o->epochs : o->steps ? 0 : plan->epochs;
    int64_t steps = o->steps ? o->steps : plan->steps;
    t->steps = t->epochs ? steps_of_epochs(t->epochs, t->data.samples, t->batch) : steps;
    if (o->epochs && o->steps) return usage_error(o->command, "--epochs or --steps, not both");
    init_fields(t, u->weights.at, u->weights.n, t->host.weights);
    init_fields(t, u->state.at, u->state.n, t->host.state);
    int status = o->resume ? resume(t) : o->weights ? checkpoint_begin(&t->host, o->weights) : 0;
    if (status) return status;
    if (t->steps > INT64_MAX / t->batch - 1 || t->step > INT64_MAX / t->batch - 1) return fail(EXIT_model, "more steps than can be counted");
    t->epoch = t->step * t->batch / t->data.samples;
    stream_init(&t->stream, t->arena, t->seed, t->data.samples);
    t->stream.lanes = t->data.in_stretches ? places : 0;
    score_init(&t->train_score, t->arena, &t->host, PROGRAM_step);
    score_init(&t->valid_score, t->arena, &t->host, PROGRAM_evaluate);
    progress_init(&t->progress, o->quiet, t->step);
    t->saved_at = seconds_now();
    t->good = snapshot_new(t);
    t->best = snapshot_new(t);
    return 0;
}

/* ---- saving ---- */

static int save(Trainer *t)
{
    Checkpoint c = {.step = t->step, .seed = t->seed, .with_state = !t->options->weights_only, .vocabulary = t->data.vocabulary};
    t->saved_at = seconds_now();
    return checkpoint_save(&t->host, t->path, &c);
}

static int diverged(Trainer *t, const char *what, double rate)
{
    progress_clear(&t->progress);
    int status = fail(EXIT_model, "%s after step %" PRId64 ": training has diverged; a smaller rate than %g may help", what, t->step, rate);
    if (!t->good.taken) return status;
    snapshot_restore(t, &t->good);
    int saved = save(t);
    if (!saved) fprintf(stderr, "netc: note: %s has the weights after step %" PRId64 ", the end of the last epoch before\n", t->path, t->step);
    return saved ? saved : status;
}

/* ---- the end of an epoch ---- */

static void print_epoch(Trainer *t, double loss, double valid_loss)
{
    const Options *o = t->options;
    progress_clear(&t->progress);
    if (o->quiet || (o->log_every && t->epoch % o->log_every && t->step < t->steps)) return;
    printf("epoch %" PRId64, t->epoch);
    if (t->epochs) printf("/%" PRId64, t->epochs);
    else printf("  step %" PRId64 "/%" PRId64, t->step, t->steps);
    metrics_print(stdout, "", loss, t->train_score.metric, t->train_score.n_metric);
    if (t->valid.samples) metrics_print(stdout, "valid ", valid_loss, t->valid_score.metric, t->valid_score.n_metric);
    printf("  %.1f s\n", seconds_now() - t->progress.start);
    fflush(stdout);
}

static int end_epoch(Trainer *t, double rate)
{
    const char *broken = weights_not_finite(&t->host);
    if (broken) return diverged(t, arena_printf(t->arena, "%s is not finite", broken), rate);
    Arena *scratch = arena_new();
    double loss = score_finish(&t->train_score, scratch), valid_loss = loss;
    if (t->valid.samples) valid_loss = evaluate_all(&t->valid_score, &t->valid, &t->host, scratch, &stop_signal);
    if (!stop_signal) print_epoch(t, loss, valid_loss);
    score_reset(&t->train_score);
    arena_free(scratch);
    snapshot_take(t, &t->good, valid_loss);
    if (t->options->best && !stop_signal && (!t->best.taken || valid_loss < t->best.loss)) snapshot_take(t, &t->best, valid_loss);
    return t->step < t->steps && seconds_now() - t->saved_at >= 1 ? save(t) : 0;
}

/* ---- steps ---- */

static void run_call(Trainer *t, int64_t call, double rate)
{
    const HostProgram *p = &t->host.program[PROGRAM_step];
    const int64_t places = t->batch / t->calls, first = call * places;
    if (first % t->data.samples == 0) host_reset(&t->host, MEMORY_train);
    for (int64_t i = 0; i < places; i++) {
        t->data.begin = stream_begin(&t->stream, first + i, t->data.slack);
        dataset_copy(&t->data, &t->host, p, stream_sample(&t->stream, first + i), i);
    }
    t->host.call = (HostCall){.rate = rate, .valid = (int32_t)places, .seed = t->seed, .step = (uint64_t)call};
    host_run(&t->host, PROGRAM_step);
    score_add(&t->train_score, places);
}

static void run_step(Trainer *t, double rate)
{
    for (int64_t i = 0; i < t->calls; i++) run_call(t, t->step * t->calls + i, rate);
    t->step++;
}

static void draw(Trainer *t)
{
    if (!progress_due(&t->progress)) return;
    Arena *scratch = arena_new();
    double loss = score_finish(&t->train_score, scratch), samples = (double)t->data.samples;
    double part = (double)(t->step * t->batch) / samples - (double)t->epoch;
    Standing s = {.step = t->step, .steps = t->steps, .batch = t->batch, .epoch = t->epoch + 1, .epochs = t->epochs,
                  .part = part > 1 ? 1 : part, .loss = loss, .metric = t->train_score.n_metric ? t->train_score.metric : NULL};
    progress_draw(&t->progress, &s);
    arena_free(scratch);
}

static int stopped(Trainer *t)
{
    progress_clear(&t->progress);
    int status = save(t);
    if (status) return status;
    fprintf(stderr, "netc: stopped at step %" PRId64 " of %" PRId64 "; resume with --resume %s\n", t->step, t->steps, t->path);
    return 128 + stop_signal;
}

static int finished(Trainer *t)
{
    if (t->options->best && t->best.taken) snapshot_restore(t, &t->best);
    int status = save(t);
    if (!status && !t->options->quiet) printf("wrote %s: step %" PRId64 "\n", t->path, t->step);
    return status;
}

int trainer_run(Trainer *t)
{
    int status = 0;
    double rate = 0;
    catch_signals();
    if (t->step >= t->steps)
        fprintf(stderr, "netc: note: %" PRId64 " of %" PRId64 " steps were done before; give more --epochs\n", t->step, t->steps);
    while (t->step < t->steps && !stop_signal && !status) {
        rate = schedule_rate(&t->plan.rate, t->step, t->steps, t->data.samples, t->batch);
        run_step(t, rate);
        if (!isfinite(t->train_score.loss_sum)) return diverged(t, "the loss is not finite", rate);
        int64_t epoch = t->step * t->batch / t->data.samples;
        bool ended = epoch > t->epoch;
        if (ended) t->epoch = t->epochs && epoch > t->epochs ? t->epochs : epoch;
        if (ended || t->step == t->steps) status = end_epoch(t, rate);
        else draw(t);
    }
    if (status) return status;
    return stop_signal ? stopped(t) : finished(t);
}
