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
} Dataset;

/* Loads NAME=FILE for each input of `p`; every input must be there, no other name, and all of equally many samples.
   `like`: data loaded before, whose classes are kept; or NULL. Returns 0 or the exit status, after the errors. */
int dataset_load(Dataset *ds, Arena *a, const Define *pairs, int n, const Program *p, const Dataset *like);

/* Copies sample `sample` to place `at` of the batch in the inputs of `p`. */
void dataset_copy(const Dataset *ds, const Host *h, const HostProgram *p, int64_t sample, int64_t at);

/* The whole set in order, batch after batch: fills the inputs from sample `first` on and returns how many samples
   count; the rest of a short last batch repeats its first sample. */
int64_t dataset_batch(const Dataset *ds, const Host *h, const HostProgram *p, int64_t first, int64_t batch);

#endif
