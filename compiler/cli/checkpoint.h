/* checkpoint.h -- weights, and what a training needs to go on exactly, in one safetensors file. */
#ifndef NETC_CHECKPOINT_H
#define NETC_CHECKPOINT_H

#include "../io/vocabulary.h"
#include "host.h"

/* The params under their names in row-major order; the optimiser's tensors as "optimizer.NAME"; in the metadata step,
   seed and the vocabulary, if there is one. The step is that of the next batch. */
typedef struct Checkpoint { int64_t step; uint64_t seed; bool with_state; const Vocabulary *vocabulary; } Checkpoint;

/* Writes atomically. Returns 0 or the exit status, after one line. */
int checkpoint_save(const Host *h, const char *path, const Checkpoint *c);
/* Reads what the host's unit has, but no vocabulary. Without a step in the file only the params are read, and `with_state` is false. */
int checkpoint_load(const Host *h, const char *path, Checkpoint *c);
/* Reads the parameters that the file has, at least one, and leaves the others; says on standard error how many there are. */
int checkpoint_begin(const Host *h, const char *path);
/* Parameters from node->value, where known. */
void weights_from_values(const Host *h);
/* The first parameter with an element that is not finite, or NULL. */
const char *weights_not_finite(const Host *h);

#endif
