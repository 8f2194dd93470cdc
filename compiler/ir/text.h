/* text.h -- what printing, reading and checking graphs share; of no interest outside ir/. */
#ifndef NETC_IR_TEXT_H
#define NETC_IR_TEXT_H

#include "ir.h"

extern const char *const root_names[];   /* by RootKind */
extern const char *const mode_names[];   /* by Mode */
extern const char *const init_names[];   /* by InitKind */

/* What is wrong with a root of a sorted graph, or NULL. */
const char *root_wrong(const Graph *g, const Root *r);
/* A name that two inputs, two params or two states have, or NULL. */
const char *repeated_name(const Graph *g);

#endif
