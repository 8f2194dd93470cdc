/* host.c -- the functions that netc itself calls through dlopen: every argument a void pointer in one array. */
#include "code.h"

static void write_program(Writer *w, const Unit *u, const Program *p)
{
    if (!p) return;
    Arguments a = api_arguments(u, p);
    Text t = {.arena = u->arena};
    for (int i = 0, written = 0; i < a.at.n; i++) {
        if (p == u->forward && a.at.at[i].unread) continue;      /* in the array, but no argument of forward */
        text_printf(&t, "%sp[%d]", written++ ? ", " : "", i);
    }
    write_blank(w);
    write_line(w, "void netc_%s(void *const *p);", p->name);
    write_line(w, "void netc_%s(void *const *p)", p->name);
    write_line(w, "{");
    w->depth++;
    write_line(w, "%s_%s(%s);", u->net, p->name, t.s);
    w->depth--;
    write_line(w, "}");
}

void emit_host(const Unit *u, Emitted *out)
{
    Writer w = {.text.arena = u->arena};
    write_line(&w, "#include \"%s.h\"", u->net);
    write_program(&w, u, u->forward);
    write_program(&w, u, u->evaluate);
    write_program(&w, u, u->gradient);
    write_program(&w, u, u->step);
    EmittedFile file = {arena_printf(u->arena, "%s_host.c", u->net), text_string(&w.text), w.text.n};
    vec_push(u->arena, &out->file, file);
}
