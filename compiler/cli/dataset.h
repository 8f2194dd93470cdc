/* dataset.h -- the samples of a data set, input by input, and batches of them. */
#ifndef NETC_DATASET_H
#define NETC_DATASET_H

#include "../io/io.h"
#include "../pass/pass.h"
#include "host.h"

typedef struct Dataset {
    int64_t samples;
    int n;
    const char **name;             /* inputs of the net */
    Array *column;                 /* [samples, ...] of the input's type */
    bool in_stretches;             /* the net keeps something from call to call: each place of the batch reads a stretch of its own */
} Dataset;

/* Loads NAME=FILE for each input of `p`; every input must be there, no other name, and all of equally many samples.
   `like`: data loaded before, whose classes are kept; or NULL. Returns 0 or the exit status, after the errors. */
int dataset_load(Dataset *ds, Arena *a, const Define *pairs, int n, const Program *p, const Dataset *like);

/* Copies sample `sample` to place `at` of the batch in the inputs of `p`. */
void dataset_copy(const Dataset *ds, const Host *h, const HostProgram *p, int64_t sample, int64_t at);

/* Which sample stands at place `at` of the k-th batch of the whole set in order; -1 where a short last batch has none.
   The first places are filled in every batch. In stretches, the samples of one place follow each other. */
int64_t dataset_sample(const Dataset *ds, int64_t k, int64_t batch, int64_t at);

/* Fills the inputs with the k-th batch and returns how many samples count; the rest of a short one repeats its first sample. */
int64_t dataset_batch(const Dataset *ds, const Host *h, const HostProgram *p, int64_t k, int64_t batch);

#endif
