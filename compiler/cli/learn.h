/* learn.h -- the numbers that steer training: how parameters begin, which samples come when, the learning rate. */
#ifndef NETC_LEARN_H
#define NETC_LEARN_H

#include "../pass/pass.h"

/* Fills the `n` row-major elements of a parameter named `name`. Depends on seed and name alone. */
void init_fill(const Init *init, const char *name, uint64_t seed, double *x, int64_t n);

/* Which sample is the k-th of the training: epoch after epoch, each in an order of its own (a permutation drawn from
   seed and epoch); batches are cut from that one stream, so a batch may hold the end of one epoch and the start of the
   next, and none is short. */
typedef struct Stream {
    uint64_t seed;
    int64_t lanes;                 /* not 0: no shuffling; each of so many places reads a stretch of its own, in order */
    int64_t samples, epoch;        /* epoch: the one that `order` is for, or -1 */
    int64_t *order;
} Stream;
void stream_init(Stream *s, Arena *a, uint64_t seed, int64_t samples);
int64_t stream_sample(Stream *s, int64_t k);
/* How much later, 0 to `slack`, all windows of a text begin in the epoch of the k-th sample. */
int64_t stream_begin(const Stream *s, int64_t k, int64_t slack);

/* Steps that cover `epochs` passes over the samples: the last batch may begin the pass after. */
int64_t steps_of_epochs(int64_t epochs, int64_t samples, int64_t batch);

/* The rate of step `step` of `total`, one epoch having `samples` / `batch` steps. */
double schedule_rate(const Schedule *s, int64_t step, int64_t total, int64_t samples, int64_t batch);

#endif
