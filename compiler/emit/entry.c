/* entry.c -- the public functions: one program each, as a list of calls over named pieces of the workspace. */
#include "code.h"

#include <string.h>

typedef struct Local { const Buffer *buffer; const char *name; } Local;

typedef struct Entry {
    const Unit *unit;
    const ApiNames *api;
    const Program *program;
    Arguments arguments;
    Names names;
    VEC(Local) local;              /* how this function names each buffer */
    VEC(uint32_t) key;
    VEC(const char *) key_name;
    VEC(Call *) call;
    VEC(Run) run;                  /* all calls, in order */
    unsigned kinds;                /* bit per BufferKind that some call has as an argument */
    bool draws;
} Entry;

/* ---- constants: static tables of the file ---- */

static bool same_table(const Buffer *x, const Buffer *y)
{
    return x->elements == y->elements && x->dtype == y->dtype && !memcmp(x->data, y->data, (size_t)x->elements * sizeof *x->data);
}

typedef struct Table { const Buffer *buffer; const char *name; } Table;
typedef struct Tables { VEC(Table) at; } Tables;

static const char *number_text(const Unit *u, const Buffer *b, double x)
{
    Text t = {.arena = u->arena};
    if (b->dtype == DTYPE_f32) text_real(&t, x, u->f64);
    else text_printf(&t, "%lld", (long long)x);
    return text_string(&t);
}

static void write_table(Writer *w, const Unit *u, const Buffer *b, const char *name)
{
    write_open(w, "static const %s %s[%lld] __attribute__((aligned(64))) =", c_type(b->dtype, u->f64), name, (long long)b->elements);
    for (int64_t i = 0; i < b->elements;) {
        Text line = {.arena = u->arena};
        for (int k = 0; i < b->elements && k < 12 && line.n < 96; k++, i++) text_printf(&line, "%s%s,", k ? " " : "", number_text(u, b, b->data[i]));
        write_line(w, "%s", line.s);
    }
    w->depth--;
    write_line(w, "};");
    write_blank(w);
}

/* Equal tables are one. */
static const char *table_name(Tables *tables, const Buffer *b)
{
    for (int i = 0; i < tables->at.n; i++)
        if (same_table(tables->at.at[i].buffer, b)) return tables->at.at[i].name;
    return NULL;
}

static Tables tables_of(const Unit *u, const Program *const *p, int n, Names *names, Writer *w)
{
    Tables tables = {0};
    for (int k = 0; k < n; k++)
        for (int i = 0; i < p[k]->buffer.n; i++) {
            const Buffer *b = p[k]->buffer.at[i];
            if (b->kind != BUF_constant || b->base || b->last < 0 || table_name(&tables, b)) continue;
            Table t = {b, name_unique(names, arena_printf(u->arena, "table_%d", tables.at.n + 1))};
            vec_push(u->arena, &tables.at, t);
            if (w) write_table(w, u, b, t.name);
        }
    return tables;
}

const char *constants_text(Functions *f, const Program *const *p, int n, Names *names)
{
    Writer w = {.text.arena = f->arena};
    tables_of(f->unit, p, n, names, &w);
    return text_string(&w.text);
}

/* ---- names of buffers ---- */

static const char *argument_name(const Entry *e, const Buffer *b)
{
    for (int i = 0; i < e->arguments.at.n; i++)
        if (e->arguments.at.at[i].buffer == b) return e->arguments.at.at[i].name;
    internal_error("emit", "buffer %s is no argument", b->name);
}

static const char *buffer_name(Entry *e, const Buffer *b, Tables *tables)
{
    Arena *a = e->unit->arena;
    const Unit *u = e->unit;
    switch (b->kind) {
    case BUF_input: case BUF_output: return argument_name(e, b);
    case BUF_param: return arena_printf(a, "w->%s", e->api->weight[field_index(&u->weights, b)]);
    case BUF_state: return arena_printf(a, "s->%s", e->api->state[field_index(&u->state, b)]);
    case BUF_memory: {
        const int of = memory_of(u, e->program);
        return arena_printf(a, "m->%s", e->api->memory[of][field_index(&u->memory[of], b)]);
    }
    case BUF_gradient: return arena_printf(a, "gradient->%s", e->api->weight[field_index(&u->weights, b)]);
    case BUF_constant: return table_name(tables, b);
    case BUF_scalar: return name_unique(&e->names, b->name);
    case BUF_workspace: return name_unique(&e->names, b->name);
    }
    return NULL;
}

static const char *local_name(const void *entry, const Buffer *b)
{
    const Entry *e = entry;
    for (int i = 0; i < e->local.n; i++)
        if (e->local.at[i].buffer == b) return e->local.at[i].name;
    return NULL;
}

/* In a loop, what moves has no name. */
static void add_locals(Entry *e, const Call *c, Tables *tables)
{
    for (int i = 0; i < c->argument.n; i++) {
        const Buffer *b = c->argument.at[i].buffer;
        e->kinds |= 1u << b->kind;
        if ((c->looped && run_moves(b)) || local_name(e, b)) continue;
        Local l = {b, buffer_name(e, b, tables)};
        vec_push(e->unit->arena, &e->local, l);
    }
    e->draws |= c->key.n > 0;
    for (int i = 0; i < c->key.n && !c->looped; i++) {
        int k = 0;
        while (k < e->key.n && e->key.at[k] != c->key.at[i]) k++;
        if (k < e->key.n) continue;
        vec_push(e->unit->arena, &e->key, c->key.at[i]);
        vec_push(e->unit->arena, &e->key_name, name_unique(&e->names, arena_printf(e->unit->arena, "draw_%d", e->key.n)));
    }
}

/* ---- the function ---- */

/* Whether some kernel is split for threads; then all arguments go into the struct that the threads get. */
static bool splits(const Entry *e)
{
    for (int i = 0; i < e->call.n; i++)
        if (e->call.at[i]->split.axis >= 0) return true;
    return false;
}

static bool takes(const Call *c, const Buffer *b)
{
    for (int i = 0; i < c->argument.n; i++)
        if (c->argument.at[i].buffer == b) return true;
    return false;
}

static bool draws(const Call *c, uint32_t key)
{
    for (int i = 0; i < c->key.n; i++)
        if (c->key.at[i] == key) return true;
    return false;
}

/* Whether a kernel that is not split takes it by its name. */
static bool alone_takes(const Entry *e, const Buffer *b)
{
    for (int i = 0; i < e->call.n; i++) {
        const Call *c = e->call.at[i];
        if (c->split.axis < 0 && !(c->looped && run_moves(b)) && takes(c, b)) return true;
    }
    return false;
}

static bool alone_draws(const Entry *e, uint32_t key)
{
    for (int i = 0; i < e->call.n; i++)
        if (e->call.at[i]->split.axis < 0 && !e->call.at[i]->looped && draws(e->call.at[i], key)) return true;
    return false;
}

/* A scalar as an expression of the call's fields. */
static const char *scalar_text(const Entry *e, const char *name, const char *in)
{
    static const char *const fields[] = {"rate", "valid", "step"};
    const long long n = e->unit->accumulate;
    Arena *a = e->unit->arena;
    for (size_t i = 0; i < LENGTH(fields); i++)
        if (!strcmp(name, fields[i])) return arena_printf(a, "%scall->%s", in, name);
    if (!strcmp(name, "update")) return arena_printf(a, "(%scall->step / %lld)", in, n);
    if (!strcmp(name, "last")) return arena_printf(a, "(%scall->step %% %lld == %lld)", in, n, n - 1);
    internal_error("emit", "no call gives the scalar %s", name);
}

static void write_scalar(Writer *w, const Entry *e, const Local *l, const char *in)
{
    const char *type = c_type(DTYPE_f32, e->unit->f64);
    write_line(w, "const %s %s[1] = { (%s)%s };", type, l->name, type, scalar_text(e, l->buffer->name, in));
}

/* What a call needs and the arguments do not hold as it is; in the part of a thread the arguments are a struct. */
static void write_local(Writer *w, const Entry *e, const Local *l, const char *in)
{
    const char *type = c_type(l->buffer->dtype, e->unit->f64);
    if (l->buffer->kind == BUF_scalar) write_scalar(w, e, l, in);
    if (l->buffer->kind == BUF_workspace)
        write_line(w, "%s *const %s = (%s *)(void *)(%sws + %lld);", type, l->name, type, in, (long long)l->buffer->offset);
}

static void write_key(Writer *w, const Entry *e, int i, const char *in)
{
    write_line(w, "const Draw %s = draw_begin(%scall->seed, %scall->step, 0x%xu);", e->key_name.at[i], in, in, (unsigned)e->key.at[i]);
}

static void write_locals(Writer *w, const Entry *e)
{
    bool call = e->draws || e->kinds & 1u << BUF_scalar;
    if (e->kinds & 1u << BUF_workspace || splits(e)) write_line(w, "unsigned char *const ws = (unsigned char *)workspace;");
    else write_line(w, "(void)workspace;");
    if (!call && !splits(e) && program_takes_call(e->unit, e->program)) write_line(w, "(void)call;");
    if (!splits(e) && e->unit->threads > 1) write_line(w, "(void)threads;");
    for (int i = 0; i < e->local.n; i++)
        if (alone_takes(e, e->local.at[i].buffer)) write_local(w, e, &e->local.at[i], "");
    for (int i = 0; i < e->key.n; i++)
        if (alone_draws(e, e->key.at[i])) write_key(w, e, i, "");
}

/* Arguments that no kernel takes. */
static void write_unused(Writer *w, const Entry *e)
{
    bool weights = e->kinds & 1u << BUF_param, state = e->kinds & 1u << BUF_state, memory = e->kinds & 1u << BUF_memory, gradient = e->kinds & 1u << BUF_gradient;
    for (int i = 0; i < e->arguments.at.n; i++) {
        const Argument *a = &e->arguments.at.at[i];
        bool unused = (a->kind == ARG_weights && !weights) || (a->kind == ARG_state && !state) || (a->kind == ARG_memory && !memory) || (a->kind == ARG_gradient && !gradient) ||
                      ((a->kind == ARG_input || a->kind == ARG_output) && !local_name(e, a->buffer));
        if (unused && !splits(e) && !api_leaves_out(e->unit, e->program, a)) write_line(w, "(void)%s;", a->name);
    }
}

/* Arguments are members of the struct `in`, the rest is local. */
static const char *local_code(const Entry *e, const Buffer *b, const char *in)
{
    bool local = b->kind == BUF_workspace || b->kind == BUF_scalar || b->kind == BUF_constant;
    return local ? local_name(e, b) : arena_printf(e->unit->arena, "%s%s", in, local_name(e, b));
}

static void write_call(Writer *w, const Entry *e, const Call *c, const char *in, const char *bounds)
{
    Text t = {.arena = e->unit->arena};
    for (int i = 0; i < c->argument.n; i++) {
        const Operand *o = &c->argument.at[i];
        text_printf(&t, "%s%s", i ? ", " : "", local_code(e, o->buffer, in));
        if (o->offset) text_printf(&t, " + %lld", (long long)o->offset);
    }
    for (int i = 0; i < c->key.n; i++) {
        int k = 0;
        while (e->key.at[k] != c->key.at[i]) k++;
        text_printf(&t, ", %s", e->key_name.at[k]);
    }
    write_line(w, "%s(%s%s);", c->function->name, t.s, bounds);
}

/* ---- the parts of threads ---- */

static void write_arguments(Writer *w, const Entry *e)
{
    write_open(w, "typedef struct %s_arguments", e->program->name);
    for (int i = 0; i < e->arguments.at.n; i++) {
        const Argument *a = &e->arguments.at.at[i];
        if (a->kind == ARG_workspace) write_line(w, "unsigned char *ws;");
        else if (a->kind != ARG_threads && !api_leaves_out(e->unit, e->program, a)) write_line(w, "%s;", api_argument(e->unit, e->program, a));
    }
    w->depth--;
    write_line(w, "} %s_arguments;", e->program->name);
    write_blank(w);
}

static void write_struct(Writer *w, const Entry *e)
{
    Text t = {.arena = e->unit->arena};
    for (int i = 0; i < e->arguments.at.n; i++) {
        const Argument *a = &e->arguments.at.at[i];
        if (a->kind == ARG_threads || api_leaves_out(e->unit, e->program, a)) continue;
        text_printf(&t, "%s%s", t.n ? ", " : "", a->kind == ARG_workspace ? "ws" : a->name);
    }
    write_line(w, "const %s_arguments all = { %s };", e->program->name, t.s);
}

static void write_bounds(Writer *w, const Entry *e, const Split *s)
{
    Text t = {.arena = e->unit->arena};
    for (int i = 0; i <= s->parts; i++) text_printf(&t, "%s%lld", i ? ", " : "", (long long)s->bound[i]);
    write_line(w, "static const int bound[%d] = { %s };", s->parts + 1, t.s);
}

static const char *part_name(const Entry *e, int call)
{
    return arena_printf(e->unit->arena, "%s_%s_part", e->program->name, e->program->kernel.at[call]->name);
}

/* What thread `part` does of one kernel. */
static void write_part(Writer *w, const Entry *e, int call)
{
    const Call *c = e->call.at[call];
    write_line(w, "static void %s(const void *arguments, int part)", part_name(e, call));
    write_line(w, "{");
    w->depth++;
    write_line(w, "const %s_arguments *const all = (const %s_arguments *)arguments;", e->program->name, e->program->name);
    for (int i = 0; i < e->local.n; i++)
        if (takes(c, e->local.at[i].buffer)) write_local(w, e, &e->local.at[i], "all->");
    for (int i = 0; i < e->key.n; i++)
        if (draws(c, e->key.at[i])) write_key(w, e, i, "all->");
    write_bounds(w, e, &c->split);
    write_call(w, e, c, "all->", ", bound[part], bound[part + 1]");
    w->depth--;
    write_line(w, "}");
    write_blank(w);
}

static void write_parts(Writer *w, const Entry *e)
{
    if (!splits(e)) return;
    write_arguments(w, e);
    for (int i = 0; i < e->call.n; i++)
        if (e->call.at[i]->split.axis >= 0) write_part(w, e, i);
}

static void write_run(Writer *w, Entry *e, const Run *run)
{
    const Call *c = e->call.at[run->first];
    if (run->times > 1) {
        run_write(w, e->unit, &e->names, e->call.at, run, e->program != e->unit->step, local_name, e);
        return;
    }
    if (c->split.axis < 0) write_call(w, e, c, "", "");
    else write_line(w, "netc_threads_run(threads, %d, %s, &all);", c->split.parts, part_name(e, run->first));
    if (e->unit->timed) write_line(w, "netc_mark(%d);", run->first);
}

static void write_calls(Writer *w, Entry *e)
{
    if (splits(e)) write_struct(w, e);
    if (e->unit->timed) write_line(w, "netc_mark(-1);");
    for (int i = 0; i < e->run.n; i++) write_run(w, e, &e->run.at[i]);
}

static void add_runs(Entry *e, Tables *tables)
{
    calls_place(e->unit, e->call.at, e->call.n);
    for (int i = 0; i < e->call.n;) {
        Run run = run_find(e->call.at, e->call.n, i);
        vec_push(e->unit->arena, &e->run, run);
        for (const int end = i + run.period * run.times; i < end; i++) {
            e->call.at[i]->looped = run.times > 1;
            add_locals(e, e->call.at[i], tables);
        }
    }
}

void entry_write(Writer *w, const Unit *u, const ApiNames *names, const Program *p, Functions *f, const Program *const *all, int n)
{
    Entry e = {.unit = u, .api = names, .program = p, .arguments = api_arguments(u, p), .names.arena = u->arena};
    static const char *const fixed[] = {"w", "s", "m", "gradient", "call", "workspace", "ws", "place", "place_const",
                                        "threads", "all", "bound", "part", "arguments"};
    for (size_t i = 0; i < (u->threads > 1 ? LENGTH(fixed) : 9); i++) name_unique(&e.names, fixed[i]);
    for (int i = 0; i < e.arguments.at.n; i++)
        if (e.arguments.at.at[i].buffer) name_unique(&e.names, e.arguments.at.at[i].name);
    Names ignored = {.arena = u->arena};
    Tables tables = tables_of(u, all, n, &ignored, NULL);
    for (int i = 0; i < f->function.n; i++) name_unique(&e.names, f->function.at[i]->name);
    for (int i = 0, turn = 0; i < p->kernel.n; i++) {
        turn = turn_of(p, i, turn);
        Call *c = function_of(f, p->kernel.at[i], turn);
        vec_push(u->arena, &e.call, c);
    }
    add_runs(&e, &tables);
    write_parts(w, &e);
    if (u->suffix) write_line(w, "__attribute__((visibility(\"hidden\"))) %s;", api_prototype(u, p));
    write_line(w, "%s", api_prototype(u, p));
    write_line(w, "{");
    w->depth++;
    write_locals(w, &e);
    write_unused(w, &e);
    write_calls(w, &e);
    w->depth--;
    write_line(w, "}");
}
