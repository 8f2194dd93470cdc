/* builtins.h -- what the files of the builtins share: the operands of a call, and the functions that stand in the table. */
#ifndef NETC_BUILTINS_H
#define NETC_BUILTINS_H

#include "value.h"

/* The i-th argument as a node, as f32 or (any) as it is; NULL after an error. */
Node *operand(Call *c, int i);
Node *operand_any(Call *c, int i);

/* builtin_move.c */
Value call_reshape(Call *c);
Value call_transpose(Call *c);
Value call_concat(Call *c);
Value call_split(Call *c);
Value call_pad(Call *c);
Value call_slice(Call *c);
Value call_reverse(Call *c);

/* builtin_make.c */
Value call_zeros(Call *c);
Value call_ones(Call *c);
Value call_fill(Call *c);
Value call_iota(Call *c);
Value call_one_hot(Call *c);
Value call_random_uniform(Call *c);
Value call_random_normal(Call *c);
Value call_uniform(Call *c);
Value call_normal(Call *c);
Value call_untrained(Call *c);

/* builtin_gather.c */
Value call_gather(Call *c);

/* builtin_contract.c */
Value call_convolve(Call *c);
Value call_convolve_transpose(Call *c);
Value call_window_max(Call *c);
Value call_window_sum(Call *c);
Value call_linear(Call *c);

#endif
