/* eval.h -- between the files of the reference interpreter. */
#ifndef NETC_PASS_EVAL_H
#define NETC_PASS_EVAL_H

#include "pass.h"

/* Fills y, row-major in n's shape, from the operands' elements. */
typedef void EvalRule(const EvalInputs *in, const Node *n, const double *const *x, double *y);

/* eval_move.c */
EvalRule eval_transpose, eval_broadcast, eval_slice, eval_reverse, eval_pad, eval_concat, eval_reduce;
EvalRule eval_gather, eval_scatter_add, eval_window_max, eval_window_argmax, eval_window_unpool;
/* eval_contract.c */
EvalRule eval_contract;
/* eval_winograd.c */
EvalRule eval_winograd, eval_winograd_weights;

/* Elements from one index to the next, per dimension, and where the walk begins. */
typedef struct Strides { int64_t base, step[RANK_MAX]; } Strides;
/* Of a row-major tensor. */
Strides eval_strides(Shape s);

#endif
