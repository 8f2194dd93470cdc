/* arguments.c -- what the functions of a unit take, and how they are declared and called. */
#include "code.h"

static void add_argument(const Unit *u, Arguments *a, Names *names, ArgumentKind kind, const Buffer *b, const char *name)
{
    Argument argument = {.kind = kind, .buffer = b, .name = name_unique(names, name)};
    vec_push(u->arena, &a->at, argument);
}

static void add_buffers(const Unit *u, const Program *p, Arguments *a, Names *names, BufferKind kind, ArgumentKind as)
{
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        if (b->kind != kind || b->base) continue;
        add_argument(u, a, names, as, b, b->name);
        a->at.at[a->at.n - 1].unread = kind == BUF_input && b->last < 0;
    }
}

bool program_infers(const Unit *u, const Program *p) { return p == u->forward || p == u->next; }

/* All but inference do; that too where it draws random numbers. */
bool program_takes_call(const Unit *u, const Program *p)
{
    bool takes = !program_infers(u, p);
    for (int i = 0; i < p->graph->node.n && !takes; i++) takes = p->graph->node.at[i]->op == OP_random;
    return takes;
}

Arguments api_arguments(const Unit *u, const Program *p)
{
    Arguments a = {0};
    Names names = {.arena = u->arena};
    add_argument(u, &a, &names, ARG_weights, NULL, "w");
    if (p == u->step) add_argument(u, &a, &names, ARG_state, NULL, "s");
    if (u->memory[memory_of(u, p)].n) add_argument(u, &a, &names, ARG_memory, NULL, "m");
    Names later = {.arena = u->arena};
    static const char *const fixed[] = {"gradient", "call", "workspace", "ws", "threads"};
    for (size_t i = 0; i < LENGTH(fixed) - (u->threads > 1 ? 0 : 1); i++) name_unique(&names, fixed[i]);
    add_buffers(u, p, &a, &names, BUF_input, ARG_input);
    if (p == u->gradient) add_argument(u, &a, &later, ARG_gradient, NULL, "gradient");
    add_buffers(u, p, &a, &names, BUF_output, ARG_output);
    if (program_takes_call(u, p)) add_argument(u, &a, &later, ARG_call, NULL, "call");
    add_argument(u, &a, &later, ARG_workspace, NULL, "workspace");
    if (u->threads > 1) add_argument(u, &a, &later, ARG_threads, NULL, "threads");
    return a;
}

const char *const memory_prefix[MEMORIES] = {[MEMORY_forward] = "", [MEMORY_train] = "train_", [MEMORY_next] = "next_"};

bool api_leaves_out(const Unit *u, const Program *p, const Argument *a) { return program_infers(u, p) && a->unread; }

const char *api_argument(const Unit *u, const Program *p, const Argument *a)
{
    Arena *m = u->arena;
    switch (a->kind) {
    case ARG_weights: return arena_printf(m, "%s%s_weights *w", p == u->step ? "" : "const ", u->net);
    case ARG_state: return arena_printf(m, "%s_state *s", u->net);
    case ARG_memory: return arena_printf(m, "%s%s_%smemory *m", p == u->gradient ? "const " : "", u->net, memory_prefix[memory_of(u, p)]);
    case ARG_gradient: return arena_printf(m, "%s_weights *gradient", u->net);
    case ARG_input: return arena_printf(m, "const %s *%s", c_type(a->buffer->dtype, u->f64), a->name);
    case ARG_output: return arena_printf(m, "%s *%s", c_type(a->buffer->dtype, u->f64), a->name);
    case ARG_call: return arena_printf(m, "const %s_call *call", u->net);
    case ARG_workspace: return "void *workspace";
    case ARG_threads: return "netc_threads *threads";
    }
    return NULL;
}

const char *api_prototype(const Unit *u, const Program *p)
{
    Arguments a = api_arguments(u, p);
    Text t = {.arena = u->arena};
    text_printf(&t, "void %s_%s%s(", u->net, p->name, u->suffix ? u->suffix : "");
    for (int i = 0, written = 0; i < a.at.n; i++)
        if (!api_leaves_out(u, p, &a.at.at[i])) text_printf(&t, "%s%s", written++ ? ", " : "", api_argument(u, p, &a.at.at[i]));
    text_putc(&t, ')');
    return text_string(&t);
}

const char *api_call_arguments(const Unit *u, const Program *p)
{
    Arguments a = api_arguments(u, p);
    Text t = {.arena = u->arena};
    for (int i = 0; i < a.at.n; i++)
        if (!api_leaves_out(u, p, &a.at.at[i])) text_printf(&t, "%s%s", i ? ", " : "", a.at.at[i].name);
    return text_string(&t);
}
