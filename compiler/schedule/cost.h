/* cost.h -- the cost model that plan.c chooses by. For schedule/ alone. */
#ifndef NETC_COST_H
#define NETC_COST_H

#include "schedule.h"

/* A register tile: as Plan.count. */
typedef struct Counts { int count[AXES_MAX]; } Counts;

/* Whether it has a reduce axis. */
bool nest_reduces(const Nest *n);
/* An axis for Plan.across. */
int choose_across(const Nest *n, int lane, int lanes);
/* Work of the kernel when `lane` feeds the vectors; -1 for none. */
double lane_cost(const Nest *n, int lane, int lanes);
/* Vectors (rows for other axes) along an axis. */
int64_t axis_steps(const Nest *n, const Plan *p, const Target *t, int axis);
/* Of what depends on these axes, in a tile. */
int tile_instances(const Nest *n, unsigned axes, const Counts *c);
/* Of the sums: the out axes, and that of the lanes. */
unsigned plan_sum_axes(const Nest *n, const Plan *p);
/* Whether a load along the lanes depends on the axis too. */
bool lane_loads_need(const Nest *n, const Plan *p, int axis);
/* The lanes' loop stands inside those over rows, so that memory is read and written line by line: where several tensors are stored (and read
   before), and where rows share nothing across the lanes (depthwise, pooling). What feeds the lanes of all rows stays in the second cache. */
bool along_rows(const Nest *n, const Plan *p);
/* The same for sums, where that is less to read again: what feeds the lanes, rows by rows, than what the rows read, step by step of the lanes. */
bool rows_outside(const Nest *n, const Plan *p, const Target *t);
/* Vectors that a step of the sum holds with such a tile. */
int registers_needed(const Nest *n, const Plan *p, const Target *t, const Counts *c);
/* An axis along which some load in the body stays where it is, so that a tile reads it once. */
bool nest_reuses(const Nest *n, int axis);
/* Whether a panel can hold the load: the loops over what it depends on, but for the reduction, stand outside that of the lanes. */
bool fits_panel(const Nest *n, const Plan *p, const Target *t, const Value *v, const Counts *c);
/* Cycles to fill panels with the load: once for each step of the loops outside that of the lanes. */
double pack_cost(const Nest *n, const Plan *p, const Target *t, const Value *v, const Counts *c);
/* Cycles of the whole kernel with such a tile. */
double plan_cost(const Nest *n, const Target *t, const Plan *p, const Counts *c);

#endif
