/* fill.h -- inputs and parameters where there are no data. */
#ifndef NETC_FILL_H
#define NETC_FILL_H

#include "host.h"

/* Uniform numbers inside each input's range; f32 from 0.05 to 0.95. */
void fill_inputs(Host *h, ProgramKind kind, uint64_t seed);
/* As training begins, but a little beside the zeros and ones, where symmetry would hide mistakes. */
/* Elements for a parameter, drawn as it begins and moved a little. */
const float *drawn_value(Arena *a, const Node *param);
void fill_params(Host *h, uint64_t seed);
/* What the training programs keep, as if there had been calls before. */
void fill_memory(Host *h, uint64_t seed);

#endif
