/* session.c -- the model and the compile that the options ask for. */
#include "../schedule/schedule.h"
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const embed_names[] = {
    [EMBED_none] = "none", [EMBED_inline] = "inline", [EMBED_string] = "string", [EMBED_incbin] = "incbin", [EMBED_file] = "file"
};

static int set_embed(Session *s)
{
    const Options *o = s->options;
    if (!o->embed) return 0;
    for (size_t i = 0; i < LENGTH(embed_names); i++)
        if (!strcmp(o->embed, embed_names[i])) {
            s->compile.embed = (Embed)i;
            if (i != EMBED_none && !o->weights) return usage_error(o->command, "--embed %s needs --weights", o->embed);
            return 0;
        }
    const char *near = did_you_mean(o->embed, embed_names, LENGTH(embed_names));
    return usage_error(o->command, "--embed %s: inline, string, incbin or file is expected%s%s%s", o->embed,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int set_target(Session *s, const char *otherwise)
{
    const Options *o = s->options;
    const char *name = o->target ? o->target : otherwise;
    s->compile.target = target_find(name);
    if (s->compile.target) {
        s->compile.passes.lanes = s->compile.target->lanes;
        s->compile.passes.far = target_far(s->compile.target, !strcmp(name, "native"));
        return 0;
    }
    const char *names[64] = {"native"};
    int n = 1;
    for (const Target *t = targets; t->name && n < 64; t++) names[n++] = t->name;
    const char *near = did_you_mean(name, names, n);
    return usage_error(o->command, "unknown target '%s'%s%s%s (netc targets lists them)", name,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int set_without(Session *s)
{
    const Options *o = s->options;
    for (int i = 0; i < o->without.n; i++) {
        const char *name = o->without.at[i];
        const PassInfo *p = pass_info;
        while (p->name && strcmp(p->name, name)) p++;
        bool fuse = !strcmp(name, "fuse"), reuse = !strcmp(name, "reuse");
        if (fuse) s->compile.lower.no_fuse = true;
        if (reuse) s->compile.lower.no_reuse = true;
        if (!p->name && !fuse && !reuse) return usage_error(o->command, "--without %s: no such pass (netc passes lists them)", name);
        if (p->name && !p->optional) return usage_error(o->command, "--without %s: this pass cannot be left out", name);
    }
    s->compile.passes.without = o->without.at;
    s->compile.passes.n_without = o->without.n;
    return 0;
}

static const double ERROR_BUDGET = 1e-3;

static int set_winograd(Session *s)
{
    static const struct { const char *name; int tile; } choice[] = {
        {"off", WINOGRAD_off}, {"2", WINOGRAD_2}, {"4", WINOGRAD_4}, {"auto", WINOGRAD_auto}
    };
    const Options *o = s->options;
    const char *given = o->winograd ? o->winograd : o->strict ? "off" : "auto";
    s->compile.passes.error_budget = o->error_budget < 0 ? ERROR_BUDGET : o->error_budget;
    for (size_t i = 0; i < LENGTH(choice); i++)
        if (!strcmp(given, choice[i].name)) {
            s->compile.passes.winograd = choice[i].tile;
            if (o->strict && choice[i].tile) return usage_error(o->command, "--winograd %s: not with --strict", given);
            return 0;
        }
    return usage_error(o->command, "--winograd %s: off, 2, 4 or auto is expected", given);
}

/* A whole number of bytes, or of KiB, MiB or GiB by a letter behind it. */
static int set_memory(Session *s)
{
    static const char letters[] = "KMG";
    const Options *o = s->options;
    char *end;
    if (!o->memory) return 0;
    const double number = strtod(o->memory, &end);
    const char *letter = *end ? strchr(letters, *end) : NULL;
    const double bytes = letter ? ldexp(number, 10 * (int)(letter - letters + 1)) : number;
    s->compile.memory = bytes >= 1 && bytes < 1e15 ? (int64_t)bytes : 0;
    if (end != o->memory && !end[letter != NULL] && s->compile.memory) return 0;
    return usage_error(o->command, "--memory %s: a number of bytes is expected, as in 64M", o->memory);
}

static int64_t default_number(int64_t given, int64_t otherwise) { return given ? given : otherwise; }

int session_open(Session *s, const Options *o, const char *target)
{
    *s = (Session){.arena = o->arena, .options = o, .sources = {.arena = o->arena}};
    s->diag = (Diag){.sources = &s->sources, .out = stderr};
    s->compile.resolve = (ResolveOptions){.net = o->net, .batch = default_number(o->batch, 1),
                                          .define = o->define.at, .n_define = o->define.n};
    s->compile.train = o->train;
    s->compile.next = o->step;
    s->compile.train_batch = o->batch;
    s->compile.weights = o->weights;
    s->compile.threads = (int)o->threads;
    if (o->threads > PARTS_MAX) return usage_error(o->command, "--threads %lld: %d at most", (long long)o->threads, PARTS_MAX);
    int status = set_embed(s);
    if (!status) status = set_target(s, target);
    if (!status) status = set_without(s);
    if (!status) status = set_winograd(s);
    if (!status) status = set_memory(s);
    if (status) return status;
    s->model = model_read(s->arena, &s->diag, &s->sources, o->file, &status);
    if (!s->model) return status ? status : EXIT_noinput;
    return s->diag.errors ? EXIT_model : 0;
}

int session_compile(Session *s)
{
    int status = 0;
    if (compile(s->model, &s->compile, &s->unit, &s->plan, &status)) return 0;
    return status ? status : EXIT_model;
}

bool session_has_step(Session *s)
{
    ResolveOptions resolve_as = s->compile.resolve;
    Diag *told = s->model->diag, silent = {.sources = &s->sources, .out = told->out, .limit = -1};
    const int broken = s->model->broken.n;
    resolve_as.mode = MODE_infer;
    resolve_as.step = true;
    s->model->diag = &silent;
    const bool has = resolve(s->model, &resolve_as) != NULL;
    s->model->diag = told;
    s->model->broken.n = broken;
    return has;
}

Graph *session_graph(Session *s, Mode mode, int64_t batch, const char *until)
{
    ResolveOptions resolve_as = s->compile.resolve;
    resolve_as.mode = mode;
    resolve_as.batch = batch;
    Graph *g = resolve(s->model, &resolve_as);
    if (!g) return NULL;
    PassContext context = s->compile.passes;
    context.plan = &s->plan;
    if (mode == MODE_train && !resolve_train(s->model, &resolve_as, g->net, &s->plan)) return NULL;
    if (!until || strcmp(until, "resolve")) passes_run(g, &context, until);
    return g;
}

void text_json(Text *out, const char *s)
{
    text_putc(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') text_putc(out, '\\');
        if ((unsigned char)*s < 32) text_printf(out, "\\u%04x", *s);
        else text_putc(out, *s);
    }
    text_putc(out, '"');
}
