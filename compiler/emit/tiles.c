/* tiles.c -- register tiles that were tuned. */
#include "emit.h"

#include <string.h>

void tiles_add(Arena *a, Tiles *t, const Target *target, uint64_t kernel, int rank)
{
    Tile tile = {.kernel = kernel, .rank = rank};
    snprintf(tile.target, sizeof tile.target, "%s", target->name);
    vec_push(a, &t->at, tile);
}

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
