/* dataset.h -- the samples of a data set, input by input, and batches of them. */
#ifndef NETC_DATASET_H
#define NETC_DATASET_H

#include "../io/vocabulary.h"
#include "../pass/pass.h"
#include "host.h"

typedef struct Dataset {
    int64_t samples;
    int n;
    const char **name;             /* inputs of the net */
    Array *column;                 /* [samples, ...] of the input's type; or all tokens of a text that windows are cut from */
    int64_t *shift;                /* of each column: the element that its first sample begins with */
    bool in_stretches;             /* the net keeps something from call to call: each place of the batch reads a stretch of its own */
    const Vocabulary *vocabulary;  /* of the text; NULL: there is none */
    int64_t window, tokens;        /* tokens of a window, and of those that windows may have; 0: no running text */
    int64_t begin, slack;          /* how many tokens later all windows begin now, and at most */
} Dataset;

/* Loads NAME=FILE for each input of `p`; every input must be there, no other name, and all of equally many samples.
   `like`: data loaded before, whose classes and vocabulary are kept; or NULL. `plan`: which inputs a text fills. Returns 0 or the exit status, after the errors. */
int dataset_load(Dataset *ds, Arena *a, const Define *pairs, int n, const Program *p, const Dataset *like,
                 const TextPlan *plan);

/* One window fewer where need be, so that all of them can begin later: at places that are drawn. */
void dataset_slide(Dataset *ds);

/* The first element of a sample in a column whose samples have n elements each. */
int64_t dataset_element(const Dataset *ds, int column, int64_t sample, int64_t n);

/* Copies sample `sample` to place `at` of the batch in the inputs of `p`. */
void dataset_copy(const Dataset *ds, const Host *h, const HostProgram *p, int64_t sample, int64_t at);

/* Which sample stands at place `at` of the k-th batch of the whole set in order; -1 where a short last batch has none.
   The first places are filled in every batch. In stretches, the samples of one place follow each other. */
int64_t dataset_sample(const Dataset *ds, int64_t k, int64_t batch, int64_t at);

/* Fills the inputs with the k-th batch and returns how many samples count; the rest of a short one repeats its first sample. */
int64_t dataset_batch(const Dataset *ds, const Host *h, const HostProgram *p, int64_t k, int64_t batch);

#endif
