/* layout.h -- what the files of pass layout share: the orders that tensors got. */
#ifndef NETC_PASS_LAYOUT_H
#define NETC_PASS_LAYOUT_H

#include "pass.h"

enum { LANES_MOST = 16 };          /* of a target; those of one that the context does not name */

typedef struct Order { int rank; signed char dim[RANK_MAX]; } Order;   /* rank -1: none; slowest first */

typedef struct Layout {
    Graph *graph;
    int lanes;                     /* of the target */
    bool panels;                   /* it has some */
    int *parent;                   /* by node id: union-find */
    Order *order;                  /* of the class that node i stands for */
} Layout;

/* That of its class, or row-major. */
Order order_of(Layout *l, const Node *n);
/* Whether an axis of x is in the map. */
bool uses_any(const IndexMap *map, const Affine *x);
/* Has contractions read copies where operands lie otherwise than their loops need. The orders are written down. */
void layout_copies(Layout *l);

#endif
