/* summary.c -- netc summary: layers, shapes, parameters, work and memory. */
#include "cli.h"

#include <inttypes.h>
#include <string.h>

typedef struct Layer { const char *name; Shape shape; bool shaped; int64_t parameters, multiply_adds; } Layer;
typedef struct Summary {
    VEC(Layer) layer;
    int64_t parameters, fixed, multiply_adds;   /* fixed: not trained, such as running means */
} Summary;

static Layer *layer_of(Summary *s, Arena *a, const char *name)
{
    for (int i = 0; i < s->layer.n; i++)
        if (!strcmp(s->layer.at[i].name, name)) return &s->layer.at[i];
    vec_push(a, &s->layer, (Layer){.name = name});
    return &s->layer.at[s->layer.n - 1];
}

/* "conv_1.weight" belongs to "conv_1". */
static const char *layer_name(Arena *a, const Node *n)
{
    const char *dot = n->op == OP_param ? strrchr(n->name, '.') : NULL;
    if (dot) return arena_strndup(a, n->name, (size_t)(dot - n->name));
    return n->name;
}

static int64_t work_of(const Node *n)
{
    const Attr *c = node_attr(n, ATTR_contract);
    int64_t product = c ? 1 : 0;
    for (int i = 0; c && i < c->contract->n_axes; i++) product *= c->contract->extent[i];
    return product;
}

static Summary summarize(const Graph *g)
{
    Summary s = {0};
    for (int i = 0; i < g->node.n; i++) {
        const Node *n = g->node.at[i];
        bool leaf = op_info[n->op].flags & OF_LEAF;
        int64_t work = work_of(n), elements = n->op == OP_param ? shape_elements(n->shape) : 0;
        s.multiply_adds += work;
        s.parameters += elements;
        if (!n->trained) s.fixed += elements;
        if (!n->name || (leaf && n->op != OP_param)) continue;
        Layer *layer = layer_of(&s, g->arena, layer_name(g->arena, n));
        layer->multiply_adds += work;
        layer->parameters += elements;
        if (leaf || !n->batched) continue;
        layer->shape = shape_tail(n->shape);
        layer->shaped = true;
    }
    return s;
}

static void put_count(Text *out, int64_t n)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%" PRId64, n);
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0 && digits[i - 1] != '-') text_putc(out, ',');
        text_putc(out, digits[i]);
    }
}

static const char *count_text(Arena *a, int64_t n)
{
    Text t = {.arena = a};
    put_count(&t, n);
    return text_string(&t);
}

static void print_program(Text *out, Arena *a, const Program *p)
{
    const ErrorBound e = graph_error(p->graph);
    text_printf(out, "workspace %-8s %16s bytes at batch %" PRId64 "; lower bound %s\n", p->name, count_text(a, p->workspace_bytes),
                p->graph->batch, count_text(a, p->lower_bound));
    text_printf(out, "rounding  %-8s %16.1e of the results' size", p->name, e.largest);
    text_printf(out, e.tiled ? "; %d convolution%s by Winograd's method\n" : "\n", e.tiled, e.tiled == 1 ? "" : "s");
}

static void print_text(Text *out, const Session *s, const Summary *sum)
{
    Arena *a = s->arena;
    text_printf(out, "%-28s %-20s %14s %16s\n", "layer", "output", "parameters", "multiply-adds");
    for (int i = 0; i < sum->layer.n; i++) {
        const Layer *l = &sum->layer.at[i];
        text_printf(out, "%-28s %-20s %14s %16s\n", l->name, l->shaped ? shape_text(a, l->shape) : "-",
                    count_text(a, l->parameters), count_text(a, l->multiply_adds));
    }
    text_printf(out, "%-28s %-20s %14s %16s\n", s->unit.net, "per sample", count_text(a, sum->parameters), count_text(a, sum->multiply_adds));
    if (sum->fixed) text_printf(out, "%-28s %-20s %14s\n", "  of these not trained", "", count_text(a, sum->fixed));
    text_printf(out, "\nweights            %16s bytes\n", count_text(a, s->unit.weights_bytes));
    const Program *programs[] = {s->unit.forward, s->unit.next, s->unit.evaluate, s->unit.gradient, s->unit.step};
    for (size_t i = 0; i < LENGTH(programs); i++)
        if (programs[i])
            print_program(out, a, programs[i]);
}

static void print_json_program(Text *out, const char *before, const Program *p)
{
    const ErrorBound e = graph_error(p->graph);
    text_printf(out, "%s\"%s\": {\"batch\": %" PRId64 ", \"workspace_bytes\": %" PRId64 ", \"lower_bound_bytes\": %" PRId64
                ", \"error_bound\": %.3g, \"winograd\": %d}", before, p->name, p->graph->batch, p->workspace_bytes, p->lower_bound,
                e.largest, e.tiled);
}

static void print_json(Text *out, const Session *s, const Summary *sum)
{
    text_puts(out, "{\"net\": ");
    text_json(out, s->unit.net);
    text_puts(out, ", \"layers\": [");
    for (int i = 0; i < sum->layer.n; i++) {
        const Layer *l = &sum->layer.at[i];
        text_puts(out, i ? ",\n  {\"name\": " : "\n  {\"name\": ");
        text_json(out, l->name);
        text_printf(out, ", \"shape\": %s", l->shaped ? shape_text(s->arena, l->shape) : "null");
        text_printf(out, ", \"parameters\": %" PRId64 ", \"multiply_adds\": %" PRId64 "}", l->parameters, l->multiply_adds);
    }
    text_printf(out, "],\n \"parameters\": %" PRId64 ", \"not_trained\": %" PRId64 ", \"multiply_adds\": %" PRId64 ", \"weights_bytes\": %" PRId64,
                sum->parameters, sum->fixed, sum->multiply_adds, s->unit.weights_bytes);
    const Program *programs[] = {s->unit.forward, s->unit.next, s->unit.evaluate, s->unit.gradient, s->unit.step};
    text_puts(out, ",\n \"programs\": {");
    for (size_t i = 0, n = 0; i < LENGTH(programs); i++)
        if (programs[i])
            print_json_program(out, n++ ? ", " : "", programs[i]);
    text_puts(out, "}}\n");
}

int command_summary(const Options *o)
{
    Session s;
    int status = session_open(&s, o, "avx2");
    if (!status) status = session_compile(&s);
    if (status) return status;
    Graph *g = session_graph(&s, MODE_infer, 1, "resolve");
    if (!g) return EXIT_model;
    Summary sum = summarize(g);
    Text out = {.arena = o->arena};
    if (o->format && !strcmp(o->format, "json")) print_json(&out, &s, &sum);
    else print_text(&out, &s, &sum);
    fputs(text_string(&out), stdout);
    return 0;
}
