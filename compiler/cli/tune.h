/* tune.h -- register tiles by the clock rather than by the model. */
#ifndef NETC_TUNE_H
#define NETC_TUNE_H

#include "cli.h"

/* Sets the unit's tiles to those of the file that --tune names, if there is one yet. Returns 0 or the exit status: lines that cannot be
   understood are an error at their place; lines for other kernels and targets are left alone. */
int tune_read(Session *s);
/* Times every kernel of the unit that sums and has no tile in the file, on this machine, with each of the model's best tiles; adds the
   fastest to the unit's tiles and to the file. Nothing is timed, and nothing written, when the file knows them all. */
int tune_kernels(Session *s);

#endif
