/* tokens.h -- samples that are cut from a text. */
#ifndef NETC_TOKENS_H
#define NETC_TOKENS_H

#include "dataset.h"

/* The columns that `plan` fills from the text that `pairs` names, where the program reads any. The vocabulary is that of
   `like`, or made from the text. 0 or the exit status. */
int tokens_load(Dataset *ds, Arena *a, const Define *pairs, int n, const Program *p, const Dataset *like, const TextPlan *plan);

/* The vocabulary beside the weights in a file. 0 or the exit status. */
int vocabulary_load(Arena *a, const char *weights, const TextPlan *plan, Vocabulary *out);

/* The same, where `plan` has a text and there are weights, into a set that dataset_load takes as `like`. */
int known_vocabulary(Dataset *known, Arena *a, const char *weights, const TextPlan *plan);

/* The input of that name, or NULL. */
const Buffer *input_find(const Program *p, const char *name);

#endif
