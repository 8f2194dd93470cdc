/* roll.c -- runs of equal calls as loops: layers and steps that repeat do not lengthen the text. */
#include "code.h"

#include <stdlib.h>
#include <string.h>

enum { TIMES_LEAST = 3, SAVED_LEAST = 24, PERIOD_MOST = 512 };

/* ---- finding ---- */

bool run_moves(const Buffer *b)
{
    return b->kind == BUF_workspace || b->kind == BUF_param || b->kind == BUF_state || b->kind == BUF_gradient;
}

static bool calls_match(const Call *x, const Call *y)
{
    if (x->function != y->function || x->split.axis >= 0 || y->split.axis >= 0) return false;
    for (int i = 0; i < x->argument.n; i++) {
        const Buffer *p = x->argument.at[i].buffer, *q = y->argument.at[i].buffer;
        if (p->kind != q->kind || (!run_moves(p) && p != q)) return false;
    }
    return true;
}

/* Bytes from the start of the workspace or the struct. */
static int64_t place_of(const Unit *u, const Buffer *b)
{
    if (b->kind == BUF_workspace) return b->offset;
    const Fields *f = b->kind == BUF_state ? &u->state : &u->weights;
    return f->at[field_index(f, b)].offset;
}

void calls_place(const Unit *u, Call *const *call, int n)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < call[i]->argument.n; k++) {
            Operand *o = &call[i]->argument.at[k];
            int64_t bytes = u->f64 && o->buffer->dtype == DTYPE_f32 ? 8 : dtype_bytes(o->buffer->dtype);
            o->place = run_moves(o->buffer) ? place_of(u, o->buffer) + o->offset * bytes : o->offset;
        }
}

/* How often the calls from `first` on repeat with that period. */
static int times_of(Call *const *call, int n, int first, int period)
{
    int k = first + period;
    while (k < n && calls_match(call[k - period], call[k])) k++;
    return (k - first) / period;
}

/* Whether every place is the same each time, or a step further on or back. */
static bool is_regular(Call *const *call, const Run *r)
{
    for (int k = r->first; k < r->first + r->period * (r->times - 2); k++)
        for (int i = 0; i < call[k]->argument.n; i++) {
            const int64_t at[3] = {call[k]->argument.at[i].place, call[k + r->period]->argument.at[i].place,
                                   call[k + 2 * r->period]->argument.at[i].place};
            if (at[2] - at[1] != at[1] - at[0]) return false;
        }
    for (int k = r->first; k < r->first + r->period; k++)
        if (call[k]->key.n) return false;
    return true;
}

Run run_find(Call *const *call, int n, int first)
{
    Run best = {first, 1, 1};
    int most = 0;
    for (int period = 1; period <= PERIOD_MOST && first + TIMES_LEAST * period <= n; period++) {
        Run r = {first, period, times_of(call, n, first, period)};
        int saved = (r.times - 1) * period;
        if (r.times < TIMES_LEAST || saved < SAVED_LEAST || saved <= most) continue;
        if (!is_regular(call, &r)) saved -= r.times;             /* rows of the table */
        if (saved <= most) continue;
        most = saved;
        best = r;
    }
    return best;
}

/* ---- writing ---- */

typedef struct Column { const int64_t *at; } Column;

/* Numbers of a run that follow no rule: a row a time. */
typedef struct Rows {
    Arena *arena;
    const Run *run;
    const char *name, *variable;
    VEC(Column) column;
} Rows;

static bool is_progression(const int64_t *at, int n)
{
    for (int i = 2; i < n; i++)
        if (at[i] - at[i - 1] != at[1] - at[0]) return false;
    return true;
}

/* The number in each round as C: a constant, a progression, or an entry of the table. */
static const char *number_of(Rows *r, const int64_t *at, const char *suffix)
{
    long long first = (long long)at[0], step = (long long)(at[1] - at[0]);
    const bool regular = is_progression(at, r->run->times);
    if (regular && step == 0) return arena_printf(r->arena, "%lld%s", first, suffix);
    if (regular && !*suffix && first == 0) return arena_printf(r->arena, "%lld * %s", step, r->variable);
    if (regular && !*suffix) return arena_printf(r->arena, "%lld %c %lld * %s", first, step < 0 ? '-' : '+', llabs(step), r->variable);
    int k = 0;
    while (k < r->column.n && memcmp(r->column.at[k].at, at, (size_t)r->run->times * sizeof *at)) k++;
    if (k == r->column.n) vec_push(r->arena, &r->column, (Column){at});
    return arena_printf(r->arena, "%s[%s][%d]", r->name, r->variable, k);
}

static const char *argument_text(Rows *r, Call *const *call, int which, bool constant, RunNames name_of, const void *user)
{
    static const char *const start[] = {[BUF_workspace] = "ws", [BUF_param] = "w", [BUF_state] = "s", [BUF_gradient] = "gradient"};
    int64_t *at = NEW_ARRAY(r->arena, int64_t, r->run->times), any = 0;
    for (int i = 0; i < r->run->times; i++) any |= at[i] = call[i * r->run->period]->argument.at[which].place;
    const Buffer *b = call[0]->argument.at[which].buffer;
    if (run_moves(b)) return arena_printf(r->arena, "place%s(%s, %s)", constant && b->kind == BUF_param ? "_const" : "", start[b->kind], number_of(r, at, ""));
    return any ? arena_printf(r->arena, "%s + %s", name_of(user, b), number_of(r, at, "")) : name_of(user, b);
}

static const char *key_text(Rows *r, Call *const *call, int which)
{
    int64_t *at = NEW_ARRAY(r->arena, int64_t, r->run->times);
    for (int i = 0; i < r->run->times; i++) at[i] = call[i * r->run->period]->key.at[which];
    const char *number = number_of(r, at, "u");
    return arena_printf(r->arena, "draw_begin(call->seed, call->step, %s%s)", *number == *r->name ? "(uint32_t)" : "", number);
}

static void write_rows(Writer *w, const Rows *r)
{
    if (!r->column.n) return;
    int64_t most = 0;
    for (int k = 0; k < r->column.n; k++)
        for (int i = 0; i < r->run->times; i++) most = r->column.at[k].at[i] > most ? r->column.at[k].at[i] : most;
    write_open(w, "static const %s %s[%d][%d] =", most > UINT32_MAX ? "int64_t" : "uint32_t", r->name, r->run->times, r->column.n);
    for (int i = 0; i < r->run->times; i++) {
        Text line = {.arena = r->arena};
        for (int k = 0; k < r->column.n; k++) text_printf(&line, "%s%lld", k ? ", " : "", (long long)r->column.at[k].at[i]);
        write_line(w, "{ %s },", line.s);
    }
    w->depth--;
    write_line(w, "};");
}

void run_write(Writer *w, const Unit *u, Names *names, Call *const *calls, const Run *run, bool constant, RunNames name_of, const void *user)
{
    Rows r = {.arena = u->arena, .run = run, .name = name_unique(names, "places"), .variable = name_unique(names, "round")};
    Writer body = {.text.arena = u->arena, .depth = w->depth + 1};
    for (int k = 0; k < run->period; k++) {
        Call *const *call = calls + run->first + k;
        Text t = {.arena = u->arena};
        for (int i = 0; i < call[0]->argument.n; i++)
            text_printf(&t, "%s%s", i ? ", " : "", argument_text(&r, call, i, constant, name_of, user));
        for (int i = 0; i < call[0]->key.n; i++) text_printf(&t, ", %s", key_text(&r, call, i));
        write_line(&body, "%s(%s);", call[0]->function->name, text_string(&t));
        if (u->timed) write_line(&body, "netc_mark((int)%s * %d + %d);", r.variable, run->period, run->first + k);
    }
    write_rows(w, &r);
    write_open(w, "for (int64_t %s = 0; %s < %d; %s++)", r.variable, r.variable, run->times, r.variable);
    text_puts(&w->text, text_string(&body.text));
    write_close(w, arena_printf(u->arena, "for %s", r.variable));
}
