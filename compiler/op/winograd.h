/* winograd.h -- the minimal filtering forms F(m x m, 3 x 3): m x m results of a 3x3 window from m + 2 products a side. */
#ifndef NETC_WINOGRAD_H
#define NETC_WINOGRAD_H

#include "../loop/loop.h"

enum { WINOGRAD_SIDE = 6, WINOGRAD_KERNEL = 3 };

/* y = at ((g w g') * (bt x bt')) at', x being size x size, w 3 x 3, y tile x tile. Matrices are row-major. */
typedef struct Winograd {
    int tile, size;                /* m, m + 2 */
    const double *bt;              /* size x size */
    const double *g;               /* size x 3 */
    const double *at;              /* tile x size */
} Winograd;

/* NULL unless the tile is 2 or 4. */
const Winograd *winograd_form(int64_t tile);

/* Tiles that cover so many results. */
static inline int64_t winograd_tiles(const Winograd *w, int64_t results) { return (results + w->tile - 1) / w->tile; }

/* Whether n is made by tiles, and each of its tiles reads whole windows of the window_unpool: they lie side by side over all of it. */
bool winograd_unpools(const Node *n, const Node *unpool);

/* How far results may be off, relative to their size: eight deviations of roundings that are independent, where each
   product is a sum of so many terms: channels, or tiles in a gradient for weights. NULL: summed plainly. */
double winograd_error(const Winograd *w, bool gradient, int64_t terms);

/* y = matrix x as expressions that share what they can: rows x columns times `columns` values. */
void winograd_apply(Arena *a, const double *matrix, int rows, int columns, Expr *const *x, Expr **y);

#endif
