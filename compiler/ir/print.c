/* print.c -- graphs as text: what `netc dump` shows and graph_read reads. */
#include "text.h"

const char *const root_names[] = {
    [ROOT_output] = "output", [ROOT_loss] = "loss",         [ROOT_total] = "total",
    [ROOT_metric] = "metric", [ROOT_gradient] = "gradient", [ROOT_update] = "update",
};
const char *const mode_names[] = {[MODE_infer] = "infer", [MODE_evaluate] = "evaluate", [MODE_train] = "train"};
const char *const init_names[] = {[INIT_constant] = "constant", [INIT_uniform] = "uniform", [INIT_normal] = "normal"};

static void print_quoted(Text *out, const char *s)
{
    text_putc(out, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') text_printf(out, "\\%c", c);
        else if (c < 32 || c == 127) text_printf(out, "\\x%02x", c);
        else text_putc(out, *s);
    }
    text_putc(out, '"');
}

static void print_ints(Text *out, const int64_t *x, int n)
{
    text_putc(out, '[');
    for (int i = 0; i < n; i++) text_printf(out, "%s%lld", i ? ", " : "", (long long)x[i]);
    text_putc(out, ']');
}

static void print_data(Text *out, const double *x, int n)
{
    text_putc(out, '[');
    for (int i = 0; i < n; i++) {
        if (i) text_puts(out, ", ");
        text_double(out, x[i]);
    }
    text_putc(out, ']');
}

static void print_map(Text *out, const char *name, const IndexMap *m)
{
    text_printf(out, " %s [", name);
    for (int d = 0; d < m->rank; d++) {
        if (d) text_puts(out, ", ");
        affine_print(out, &m->dim[d], NULL);
    }
    text_putc(out, ']');
}

static void print_contract(Text *out, const Contract *c)
{
    text_puts(out, "over ");
    print_ints(out, c->extent, c->n_axes);
    print_map(out, "a", &c->a);
    print_map(out, "b", &c->b);
    print_map(out, "out", &c->out);
}

static void print_init(Text *out, const Init *init)
{
    text_printf(out, "%s ", init_names[init->kind]);
    text_double(out, init->a);
    if (init->kind == INIT_constant) return;
    text_putc(out, ' ');
    text_double(out, init->b);
}

static void print_attr(Text *out, const Attr *attr)
{
    AttrKind kind = attr_kinds[attr->name];
    if (kind != KIND_CONTRACT) text_printf(out, "%s=", attr_names[attr->name]);
    switch (kind) {
    case KIND_INT: text_printf(out, "%lld", (long long)attr->ints[0]); break;
    case KIND_INTS: print_ints(out, attr->ints, attr->n); break;
    case KIND_REAL: text_double(out, attr->real); break;
    case KIND_DATA: print_data(out, attr->data, attr->n); break;
    case KIND_CONTRACT: print_contract(out, attr->contract); break;
    case KIND_INIT: print_init(out, &attr->init); break;
    }
}

static void print_attrs(Text *out, const Node *n)
{
    if (!n->n_attr) return;
    text_puts(out, " {");
    for (int i = 0; i < n->n_attr; i++) {
        if (i) text_puts(out, ", ");
        print_attr(out, &n->attr[i]);
    }
    text_putc(out, '}');
}

static void print_layout(Text *out, const Node *n)
{
    if (!n->has_layout) return;
    int64_t order[RANK_MAX];
    for (int d = 0; d < n->shape.rank; d++) order[d] = n->layout[d];
    text_puts(out, " layout ");
    print_ints(out, order, n->shape.rank);
}

static void print_node(Text *out, const Node *n, const Sources *sources)
{
    bool leaf = op_info[n->op].flags & OF_LEAF;
    text_printf(out, "%%%d = %s", n->id, op_info[n->op].name);
    if (leaf && n->name) {
        text_putc(out, ' ');
        print_quoted(out, n->name);
    }
    for (int i = 0; i < n->n_in; i++) text_printf(out, " %%%d", n->in[i]->id);
    text_printf(out, " %s", dtype_name(n->dtype));
    print_ints(out, n->shape.dim, n->shape.rank);
    if (n->batched) text_puts(out, " batched");
    if (n->trained) text_puts(out, " trained");
    print_layout(out, n);
    print_attrs(out, n);
    if (!leaf && n->name) {
        text_putc(out, ' ');
        print_quoted(out, n->name);
    }
    Place place;
    if (sources && sources_place(sources, n->span.begin, &place))
        text_printf(out, "   # %s:%d", place.source->name, place.line);
    text_putc(out, '\n');
}

static void print_root(Text *out, const Root *r)
{
    text_puts(out, root_names[r->kind]);
    if (r->name) {
        text_putc(out, ' ');
        print_quoted(out, r->name);
    }
    if (r->target) text_printf(out, " %%%d", r->target->id);
    if (r->chooses) text_puts(out, " [");
    for (int i = 0; i < r->n_updates; i++) text_printf(out, "%s%%%d", i ? " " : "", r->updates[i]->id);
    if (r->chooses) text_putc(out, ']');
    text_printf(out, " %%%d\n", r->node->id);
}

void graph_print(Text *out, const Graph *g, const Sources *sources)
{
    text_puts(out, "graph ");
    print_quoted(out, g->net ? g->net : "");
    text_printf(out, " %s batch=%lld\n", mode_names[g->mode], (long long)g->batch);
    for (int i = 0; i < g->node.n; i++) print_node(out, g->node.at[i], sources);
    for (int i = 0; i < g->root.n; i++) print_root(out, &g->root.at[i]);
}
