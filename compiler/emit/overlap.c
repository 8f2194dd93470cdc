/* overlap.c -- the result of a tile in pieces among the sums of the next: while its functions wait for each other, loads go on. */
#include "code.h"

/* A value that a variable holds, or a store: 1 the kernel's own, then those of `more`. */
typedef struct Step { int value, store; } Step;
typedef struct Steps { VEC(Step) at; bool *done; } Steps;

static void need(Body *b, Steps *s, int value)
{
    const Value *v = &b->nest->value.at[value];
    if (s->done[value] || v->in_body) return;
    s->done[value] = true;
    for (int k = 0; k < expr_args[v->kind]; k++) need(b, s, v->arg[k]);
    if (b->name[value]) vec_push(b->arena, &s->at, (Step){.value = value});
}

static void need_stored(Body *b, Steps *s, int value, int store)
{
    need(b, s, value);
    vec_push(b->arena, &s->at, ((Step){value, store}));
}

static Steps steps_of(Body *b)
{
    const Nest *n = b->nest;
    Steps s = {.done = NEW_ARRAY(b->arena, bool, n->value.n)};
    for (int i = 0; i < n->early.n; i++) need(b, &s, n->early.at[i]);
    need_stored(b, &s, n->result, 1);
    for (int i = 0; i < n->more.n; i++) need_stored(b, &s, n->more.at[i].value, i + 2);
    return s;
}

static void write_step(Body *b, const Step *s)
{
    const Nest *n = b->nest;
    const Value *v = &n->value.at[s->value];
    const Stored own = {n->result, n->out, n->store}, *stored = s->store < 2 ? &own : &n->more.at[s->store - 2];
    int at[AXES_MAX] = {0};
    if (s->store) do body_store(b, stored->value, stored->out, &stored->at, at); while (instance_next(b, nest_stored(n), at));
    else do write_line(&b->w, "%s = %s;", instance_name(b, b->name[s->value], v->axes, at), value_compute(b, s->value, at));
    while (instance_next(b, v->axes, at));
}

/* Each piece ends behind a slow value, the last with the stores. */
static bool ends_piece(const Body *b, const Step *s) { return !s->store && value_is_slow(&b->nest->value.at[s->value]); }

/* piece: -1 for all. */
static void write_steps(Body *b, int piece)
{
    const Steps s = steps_of(b);
    const char *sums = b->reduced;
    b->reduced = b->last;
    for (int i = 0, now = 0; i < s.at.n; i++) {
        if (piece < 0 || piece == now) write_step(b, &s.at.at[i]);
        if (ends_piece(b, &s.at.at[i]) && now < b->plan.pieces - 1) now++;
    }
    b->reduced = sums;
}

/* A tile outside all loops: where it lies along `pace` is for the caller to say. */
static void open_tile(Body *b, const char *variable, int64_t offset)
{
    for (int i = 0; i < b->nest->n_out; i++) b->frame[i] = (Frame){.count = b->plan.count[i]};
    b->frame[b->plan.pace].variable = variable;
    b->frame[b->plan.pace].offset = offset;
}

static void close_tile(Body *b)
{
    for (int i = 0; i < b->nest->n_out; i++) b->frame[i] = (Frame){.count = 1};
}

void overlap_begin(Body *b)
{
    const Steps s = steps_of(b);
    Text vectors = {.arena = b->arena}, scalars = {.arena = b->arena};
    int at[AXES_MAX] = {0};
    open_tile(b, NULL, 0);
    do text_printf(&vectors, "%s%s = vset1(0.0f)", vectors.n ? ", " : "vf ", instance_name(b, b->last, out_axes(b), at));
    while (instance_next(b, out_axes(b), at));
    for (int i = 0; i < s.at.n; i++) {
        const int value = s.at.at[i].value;
        const bool vector = b->vector[value];
        if (s.at.at[i].store) continue;
        do {
            const char *name = instance_name(b, b->name[value], b->nest->value.at[value].axes, at);
            if (vector) text_printf(&vectors, ", %s = vset1(0.0f)", name);
            else text_printf(&scalars, "%s%s = 0.0f", scalars.n ? ", " : "float ", name);
        } while (instance_next(b, b->nest->value.at[value].axes, at));
    }
    write_line(&b->w, "%s;", vectors.s);
    if (scalars.n) write_line(&b->w, "%s;", scalars.s);
    close_tile(b);
}

void overlap_piece(Body *b, int piece)
{
    Frame *frame = &b->frame[b->plan.pace];
    const Axis *axis = &b->nest->axis[b->plan.pace];
    const bool back = b->plan.turn == 2, shared = b->split.axis == b->plan.pace;
    const long long step = plan_tile(&b->plan, b->target, b->plan.pace), outer = frame->offset;
    if (shared && back) write_open(&b->w, "if (%s < %s - %lld)", axis->name, b->end, step);
    else if (back) write_open(&b->w, "if (%s < %lld)", axis->name, (long long)axis->extent - step);
    else write_open(&b->w, "if (%s > %s)", axis->name, shared ? b->first : "0");
    frame->offset = outer + (back ? step : -step);
    write_steps(b, piece);
    frame->offset = outer;
    write_close(&b->w, NULL);
}

void overlap_keep(Body *b)
{
    int at[AXES_MAX] = {0};
    do write_line(&b->w, "%s = %s;", instance_name(b, b->last, out_axes(b), at), instance_name(b, b->acc, out_axes(b), at));
    while (instance_next(b, out_axes(b), at));
}

void overlap_end(Body *b)
{
    const bool back = b->plan.turn == 2, shared = b->split.axis == b->plan.pace;
    const int64_t step = plan_tile(&b->plan, b->target, b->plan.pace), end = shared ? 0 : b->nest->axis[b->plan.pace].extent;
    open_tile(b, !shared ? NULL : back ? b->first : b->end, back ? 0 : end - step);
    write_steps(b, -1);
    close_tile(b);
}
