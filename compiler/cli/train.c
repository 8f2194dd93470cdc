/* train.c -- netc train: a net, data, and weights at the end. */
#include "tokens.h"
#include "trainer.h"

int require_native(const Session *s)
{
    const Target *t = s->compile.target;
    if (target_runs_here(t)) return 0;
    return usage_error(s->options->command, "--target %s: this processor does not run it", t->name);
}

static int load_data(Trainer *t, const Unit *u, const TextPlan *text)
{
    const Options *o = t->options;
    Dataset known = {0};
    int status = known_vocabulary(&known, t->arena, o->resume ? o->resume : o->weights, text);
    if (!status) status = dataset_load(&t->data, t->arena, o->input.at, o->input.n, u->step, &known, text);
    if (!status) dataset_slide(&t->data);
    if (!status && o->valid.n) status = dataset_load(&t->valid, t->arena, o->valid.at, o->valid.n, u->evaluate, &t->data, text);
    if (!status && o->after_valid && !o->valid.n) status = usage_error(o->command, "--valid: no NAME=FILE behind it");
    if (!status && o->best && !o->valid.n) status = usage_error(o->command, "--best needs --valid data");
    return status;
}

int command_train(const Options *o)
{
    Session s;
    int status = session_open(&s, o, "native");
    if (!status) status = require_native(&s);
    if (!status && o->resume && o->weights) status = usage_error(o->command, "--resume or --weights, not both");
    s.compile.weights = NULL;                         /* the trainer reads what there is of them */
    s.compile.train = s.compile.no_forward = s.compile.no_gradient = true;
    if (!status) status = session_compile(&s);
    if (status) return status;
    Trainer *t = NEW(o->arena, Trainer);
    t->options = o;
    t->arena = o->arena;
    t->path = o->output ? o->output : o->resume ? o->resume : arena_printf(o->arena, "%s.safetensors", s.unit.net);
    status = load_data(t, &s.unit, &s.plan.tokens);
    if (!status) status = host_open(&t->host, o->arena, &s.unit);
    if (!status) status = trainer_init(t, &s.plan);
    if (!status) status = trainer_run(t);
    host_close(&t->host);
    return status;
}
