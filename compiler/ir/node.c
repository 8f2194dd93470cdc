/* node.c -- reading what a node carries. */
#include "ir.h"

#include <string.h>

const Attr *node_attr(const Node *n, AttrName name)
{
    for (int i = 0; i < n->n_attr; i++)
        if (n->attr[i].name == name) return &n->attr[i];
    return NULL;
}

static const Attr *attr_needed(const Node *n, AttrName name)
{
    const Attr *attr = node_attr(n, name);
    if (!attr) internal_error("node_attr", "%s has no %s", op_info[n->op].name, attr_names[name]);
    return attr;
}

const int64_t *node_ints(const Node *n, AttrName name) { return attr_needed(n, name)->ints; }
int64_t node_int(const Node *n, AttrName name) { return attr_needed(n, name)->ints[0]; }
double node_real(const Node *n, AttrName name) { return attr_needed(n, name)->real; }

bool op_is_elementwise(Op op)
{
    return (op_info[op].flags & (OF_UNARY | OF_BINARY)) || op == OP_where || op == OP_cast;
}

static bool data_is_number(const Attr *data, double *value)
{
    if (data->n < 1) return false;
    for (int i = 1; i < data->n; i++)
        if (memcmp(&data->data[i], data->data, sizeof *data->data)) return false;  /* -0 is not 0: 1 / x tells */
    *value = data->data[0];
    return true;
}

bool node_is_number(const Node *n, double *value)
{
    while (op_info[n->op].flags & OF_MOVE) n = n->in[0];
    if (n->op != OP_constant) return false;
    const Attr *number = node_attr(n, ATTR_value);
    if (!number) return data_is_number(node_attr(n, ATTR_data), value);
    *value = number->real;
    return true;
}

void graph_mark_operands(const Graph *g, bool *marked)
{
    for (int i = g->node.n - 1; i >= 0; i--)
        for (int k = 0; marked[i] && k < g->node.at[i]->n_in; k++) marked[g->node.at[i]->in[k]->id] = true;
}

bool root_updates(const Root *loss, const Node *param)
{
    bool listed = !loss->chooses;
    for (int i = 0; i < loss->n_updates && !listed; i++) listed = loss->updates[i] == param;
    return listed && param->op == OP_param && param->trained;
}
