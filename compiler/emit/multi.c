/* multi.c -- several instruction sets in one build: a file of versions each, and functions that call the best that runs. */
#include "code.h"

#include <string.h>

bool target_is_multi(const Target *t) { return !t->simd; }

Unit unit_version(const Unit *u, const Target *t)
{
    Unit version = *u;
    version.target = t;
    version.suffix = arena_printf(u->arena, "_%s", t->name);
    return version;
}

const char *target_condition(const Unit *u, const Target *t)
{
    return strcmp(t->arch, "any") ? arena_printf(u->arena, "defined(__%s__)", t->arch) : NULL;
}

/* From the best to the plainest, which is the last and runs everywhere. */
static void write_choices(Writer *w, const Unit *u, const Program *p, int n)
{
    const char *open = NULL;
    for (int i = n - 1; i >= 0; i--) {
        const Target *t = &targets[i];
        if (target_is_multi(t)) continue;
        const char *condition = target_condition(u, t), *call = arena_printf(u->arena, "%s_%s_%s(%s);", u->net, p->name, t->name, api_call_arguments(u, p));
        bool same = open && condition && !strcmp(open, condition);
        if (open && !same) write_text(w, "#endif");
        if (condition && !same) write_text(w, "#if %s", condition);
        open = condition;
        w->depth++;
        if (condition) write_open(w, "if (%s)", t->test);
        write_line(w, "%s", call);
        if (condition) write_line(w, "return;");
        if (condition) write_close(w, NULL);
        w->depth--;
    }
}

static void write_dispatcher(Writer *w, const Unit *u, const Program *p)
{
    int n = 0;
    write_blank(w);
    for (; targets[n].name; n++) {
        Unit version = unit_version(u, &targets[n]);
        if (!target_is_multi(&targets[n])) write_line(w, "HIDDEN %s;", api_prototype(&version, p));
    }
    write_blank(w);
    write_line(w, "%s", api_prototype(u, p));
    write_line(w, "{");
    write_choices(w, u, p, n);
    write_line(w, "}");
}

const char *dispatch_text(const Unit *u, const Program *const *p, int n)
{
    Writer w = {.text.arena = u->arena};
    write_text(&w, "#include \"%s.h\"", u->net);
    write_blank(&w);
    write_text(&w, "/* A load and a test: the C library's start asked the processor, and whether the system saves its registers. */");
    write_text(&w, "#define CPU(feature) __builtin_cpu_supports(feature)");
    write_text(&w, "#define HIDDEN __attribute__((visibility(\"hidden\")))");
    for (int i = 0; i < n; i++) write_dispatcher(&w, u, p[i]);
    return text_string(&w.text);
}
