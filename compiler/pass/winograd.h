/* winograd.h -- what the files of pass winograd share: a 3x3 convolution that tiles may make. */
#ifndef NETC_PASS_WINOGRAD_H
#define NETC_PASS_WINOGRAD_H

#include "../op/winograd.h"
#include "pass.h"

/* y[n, o, y, x] += a[n, r, y + ky + from, x + kx + from'] w[...]: which axis is which. */
typedef struct Conv {
    Node *node;
    const Contract *contract;
    int n, o, r, at[2], k[2];      /* axes; at and k: down, across */
    int64_t from[2];
    bool flipped[2];               /* y - ky in place of y + ky */
    bool gradient;                 /* for weights */
    bool known;                    /* the weights are known: so are the transformed ones */
    int tile;                      /* 0: summed plainly */
} Conv;

typedef VEC(Conv) Convs;

/* Sets each tile: what the context asks for, or what the model of costs finds cheapest within the budget of error. */
void winograd_choose(const Graph *g, const PassContext *context, Convs *all);

#endif
