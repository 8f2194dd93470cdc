/* dump.c -- netc dump and netc graph: what the compiler sees, as text and as a drawing. */
#include "cli.h"
#include "../ir/text.h"

#include <string.h>

enum { STAGES_MAX = 64 };

/* --after must name a stage that this command has. */
static int check_stage(const Options *o, const char *const *more, int n_more)
{
    const char *names[STAGES_MAX];
    int n = 0;
    for (int i = 0; i < n_more; i++) names[n++] = more[i];
    for (const PassInfo *p = pass_info; p->name && n < STAGES_MAX; p++) names[n++] = p->name;
    for (int i = 0; i < n; i++)
        if (!o->after || !strcmp(names[i], o->after)) return 0;
    const char *near = did_you_mean(o->after, names, n);
    return usage_error(o->command, "--after %s: no such pass%s%s%s (netc passes lists them)", o->after,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int64_t batch_of(const Options *o) { return o->batch ? o->batch : 1; }

static int dump_source(Session *s, Text *text)
{
    int last = s->model->file.n - 1;
    ast_format(text, s->model->file.at[last], s->sources.file.at[s->sources.file.n - 1]);
    return 0;
}

static int dump_loops(Session *s, Text *text)
{
    int status = session_compile(s);
    if (status) return status;
    const Program *all[] = {s->unit.forward, s->unit.next, s->unit.evaluate, s->unit.gradient, s->unit.step};
    for (size_t i = 0; i < LENGTH(all); i++)
        if (all[i]) program_print(text, all[i]);
    return 0;
}

static int dump_graph(Session *s, Text *text)
{
    const Options *o = s->options;
    s->compile.resolve.step = o->step && !o->train;
    Graph *g = session_graph(s, o->train ? MODE_train : MODE_infer, batch_of(o), o->after);
    if (!g) return EXIT_model;
    graph_print(text, g, &s->sources);
    return 0;
}

int command_dump(const Options *o)
{
    static const char *const more[] = {"parse", "resolve", "lower"};
    int status = check_stage(o, more, LENGTH(more));
    Session s;
    if (!status) status = session_open(&s, o, "avx2");
    if (status) return status;
    Text text = {.arena = o->arena};
    bool parse = o->after && !strcmp(o->after, "parse"), lower = o->after && !strcmp(o->after, "lower");
    status = parse ? dump_source(&s, &text) : lower ? dump_loops(&s, &text) : dump_graph(&s, &text);
    fputs(text_string(&text), stdout);
    return status;
}

/* ---- Graphviz ---- */

static void put_quoted(Text *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') text_putc(out, '\\');
        text_putc(out, *s);
    }
}

static void draw_node(Text *out, const Node *n)
{
    static const char *const fills[OP_COUNT] = {
        [OP_input] = "#cfe8ff", [OP_param] = "#ffe9b8", [OP_state] = "#ffe9b8", [OP_constant] = "#eeeeee", [OP_contract] = "#d8f5d0"
    };
    text_printf(out, "    n%d [label=\"", n->id);
    if (n->op == OP_input || n->op == OP_param || n->op == OP_state) {
        text_printf(out, "%s ", op_info[n->op].name);
        put_quoted(out, n->name);
    } else {
        text_puts(out, op_info[n->op].name);
        if (n->name) text_puts(out, " (");
        if (n->name) put_quoted(out, n->name);
        if (n->name) text_puts(out, ")");
    }
    text_printf(out, "\\n%s%s\"", dtype_name(n->dtype), n->shape.rank ? shape_text(out->arena, n->shape) : "");
    if (fills[n->op]) text_printf(out, ", fillcolor=\"%s\"", fills[n->op]);
    text_puts(out, "];\n");
    for (int i = 0; i < n->n_in; i++) text_printf(out, "    n%d -> n%d;\n", n->in[i]->id, n->id);
}

static void draw_root(Text *out, const Root *r, int i)
{
    const char *name = r->target ? r->target->name : r->name;
    text_printf(out, "    r%d [shape=plaintext, style=\"\", label=\"%s ", i, root_names[r->kind]);
    put_quoted(out, name ? name : "");
    text_printf(out, "\"];\n    n%d -> r%d;\n", r->node->id, i);
}

int command_graph(const Options *o)
{
    static const char *const more[] = {"resolve"};
    int status = check_stage(o, more, LENGTH(more));
    Session s;
    if (!status) status = session_open(&s, o, "avx2");
    if (status) return status;
    s.compile.resolve.step = o->step && !o->train;
    Graph *g = session_graph(&s, o->train ? MODE_train : MODE_infer, batch_of(o), o->after ? o->after : "share");
    if (!g) return EXIT_model;
    Text text = {.arena = o->arena};
    text_puts(&text, "digraph \"");
    put_quoted(&text, g->net);
    text_puts(&text, "\" {\n    node [shape=box, style=\"filled,rounded\", fillcolor=white, fontname=Helvetica];\n");
    for (int i = 0; i < g->node.n; i++) draw_node(&text, g->node.at[i]);
    for (int i = 0; i < g->root.n; i++) draw_root(&text, &g->root.at[i], i);
    text_puts(&text, "}\n");
    fputs(text_string(&text), stdout);
    return 0;
}
