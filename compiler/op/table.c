/* table.c -- the operators: ops.def as a table of rules. */
#include "../ir/ir.h"

#define OP(name, operands, shape, lower, grad, flags, what)  \
    const char *shape_##shape(Graph *g, Node *n);            \
    void grad_##grad(Graph *g, Node *n, Node *dy, Node **dx);
#include "../ir/ops.def"

#define grad_none NULL

const OpInfo op_info[OP_COUNT] = {
#define OP(name, operands, shape, lower, grad, flags, what) \
    [OP_##name] = {#name, operands, OF_##flags, what, shape_##shape, grad_##grad},
#include "../ir/ops.def"
};
