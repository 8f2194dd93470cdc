/* pieces.h -- which pairs of pieces become pieces of their own. */
#ifndef NETC_PIECES_H
#define NETC_PIECES_H

#include "vocabulary.h"

/* Adds to the characters in `piece`, until there are `limit` or no pair occurs twice. */
void pieces_merge(Texts *t, Strings *piece, int64_t limit);

#endif
