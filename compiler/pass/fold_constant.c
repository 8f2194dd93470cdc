/* fold_constant.c -- operators on numbers and on small tables of numbers. */
#include "fold.h"

#include <string.h>

enum { TABLE_MAX = 4096 };  /* elements of a computed table: larger ones are cheaper computed than stored */

bool op_expr(Op op, ExprKind *kind)
{
    for (int k = 0; k < EX_COUNT; k++)
        if (expr_args[k] && !strcmp(expr_names[k], op_info[op].name)) {
            *kind = (ExprKind)k;
            return true;
        }
    return false;
}

/* A constant as a table: `step` is 0 where one number stands for all. */
typedef struct Table { const double *at; double number; int step; } Table;

static bool table_of(const Node *n, Table *t)
{
    t->step = 0;
    if (node_is_number(n, &t->number)) return true;
    if (n->op != OP_constant) return false;
    t->at = node_attr(n, ATTR_data)->data;
    t->step = 1;
    return true;
}

static Node *fold_elementwise(Graph *g, Node *n)
{
    Table in[3];
    ExprKind kind;
    bool numbers = true;
    for (int i = 0; i < n->n_in; i++) {
        if (!table_of(n->in[i], &in[i])) return NULL;
        numbers &= !in[i].step;
    }
    if (!op_expr(n->op, &kind)) return NULL;
    int64_t count = numbers ? 1 : shape_elements(n->shape);
    if (count > TABLE_MAX) return NULL;
    double *value = NEW_ARRAY(g->arena, double, count);
    for (int64_t e = 0; e < count; e++) {
        double x[3] = {0};
        for (int i = 0; i < n->n_in; i++) x[i] = in[i].step ? in[i].at[e] : in[i].number;
        value[e] = expr_apply(kind, x);
    }
    return numbers ? node_fill(g, *value, n->shape, n->batched) : node_data(g, n->shape, value);
}

/* Where in x the element of the result at `index` lies: row-major. */
static int64_t source_of(const Node *n, const int64_t *index)
{
    Shape x = n->in[0]->shape;
    int64_t at[RANK_MAX] = {0}, offset = 0;
    for (int d = 0; d < x.rank; d++) {
        if (n->op == OP_transpose) at[node_ints(n, ATTR_axes)[d]] = index[d];
        else at[d] = index[d] + (n->op == OP_slice ? node_ints(n, ATTR_start)[d] : 0);
    }
    const Attr *axes = n->op == OP_reverse ? node_attr(n, ATTR_axes) : NULL;
    for (int i = 0; axes && i < axes->n; i++) at[axes->ints[i]] = x.dim[axes->ints[i]] - 1 - at[axes->ints[i]];
    for (int d = 0; d < x.rank; d++) offset = offset * x.dim[d] + at[d];
    return offset;
}

static Node *move_table(Graph *g, Node *n)
{
    const double *x = node_attr(n->in[0], ATTR_data)->data;
    int64_t count = shape_elements(n->shape), index[RANK_MAX] = {0};
    if (count > TABLE_MAX) return NULL;
    if (n->op == OP_reshape) return node_data(g, n->shape, x);
    double *value = NEW_ARRAY(g->arena, double, count);
    for (int64_t e = 0; e < count; e++) {
        value[e] = x[source_of(n, index)];
        for (int d = n->shape.rank - 1; d >= 0 && ++index[d] == n->shape.dim[d]; d--) index[d] = 0;
    }
    return node_data(g, n->shape, value);
}

/* A number moved is the number; a broadcast table stays, as it is smaller. */
static Node *fold_moved(Graph *g, Node *n)
{
    const Node *x = n->in[0];
    double value;
    bool plain = n->op == OP_broadcast && x->op == OP_constant;
    if (plain && !x->shape.rank) return NULL;
    if (node_is_number(x, &value)) return node_fill(g, value, n->shape, n->batched);
    return x->op == OP_constant && n->op != OP_broadcast ? move_table(g, n) : NULL;
}

Node *fold_constant(Graph *g, Node *n)
{
    double value;
    if (!n->n_in || n->dtype != DTYPE_f32) return NULL;
    if (op_info[n->op].flags & OF_MOVE) return fold_moved(g, n);
    if (op_is_elementwise(n->op)) return fold_elementwise(g, n);
    if (!node_is_number(n->in[0], &value)) return NULL;
    if (n->op == OP_sum)
        value *= (double)(shape_elements(n->in[0]->shape) / shape_elements(n->shape));
    else if (n->op != OP_reduce_max && n->op != OP_reduce_min && n->op != OP_window_max)
        return NULL;
    return node_fill(g, value, n->shape, n->batched);
}
