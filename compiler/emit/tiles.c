/* tiles.c -- register tiles that were tuned. */
#include "emit.h"

#include <string.h>

int tiles_find(const Tiles *t, const Target *target, uint64_t kernel)
{
    for (int i = 0; i < t->at.n; i++)
        if (t->at.at[i].kernel == kernel && !strcmp(t->at.at[i].target, target->name)) return t->at.at[i].rank;
    return -1;
}

int tiles_rank(const Tiles *t, const Target *target, uint64_t kernel)
{
    const int own = tiles_find(t, target, kernel), all = tiles_find(t, target, 0);
    return own >= 0 ? own : all >= 0 ? all : 0;
}
