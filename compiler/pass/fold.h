/* fold.h -- what the files of fold share. */
#ifndef NETC_PASS_FOLD_H
#define NETC_PASS_FOLD_H

#include "../loop/loop.h"
#include "pass.h"

/* A simpler node that means the same as n, or NULL. Operands of n are already folded. A rule may forget `batched`:
   who asks checks it. New nodes inside the answer go through `folded`. */
typedef Node *FoldRule(Graph *g, Node *n);

FoldRule fold_constant, fold_algebra, fold_move, fold_reduce, fold_spread, fold_window;

/* The simplest that the rules make of n, which may be n. */
Node *folded(Graph *g, Node *n);

/* Folds the whole graph and sorts it; with `stops`, stop_gradient goes too (no gradient is taken afterwards). */
void fold_graph(Graph *g, bool stops);
/* Makes equal nodes one, and sorts. */
void share_graph(Graph *g);
/* The expression that an elementwise operator is; false for a cast. */
bool op_expr(Op op, ExprKind *kind);
bool contracts_equal(const Contract *x, const Contract *y);

#endif
