/* strings.c -- different strings and their numbers: a hash table with open addressing. */
#include "vocabulary.h"

#include <string.h>

/* The slot of an equal string, or the free one where it would be. */
static int64_t place(const Strings *t, const char *s, size_t n)
{
    int64_t at = (int64_t)(hash_bytes(0xcbf29ce484222325u, s, n) & (uint64_t)(t->slots - 1));
    for (; t->slot[at]; at = (at + 1) & (t->slots - 1)) {
        const Slice *x = &t->at.at[t->slot[at] - 1];
        if (x->n == n && memcmp(x->s, s, n) == 0) break;
    }
    return at;
}

static void grow(Strings *t)
{
    t->slots = t->slots ? 4 * t->slots : 64;
    t->slot = NEW_ARRAY(t->arena, int32_t, t->slots);
    for (int i = 0; i < t->at.n; i++) t->slot[place(t, t->at.at[i].s, t->at.at[i].n)] = i + 1;
}

int strings_find(const Strings *t, const char *s, size_t n) { return t->slots ? t->slot[place(t, s, n)] - 1 : -1; }

int strings_add(Strings *t, const char *s, size_t n)
{
    if (2 * (int64_t)(t->at.n + 1) > t->slots) grow(t);
    int64_t at = place(t, s, n);
    if (t->slot[at]) return t->slot[at] - 1;
    vec_push(t->arena, &t->at, (Slice){s, n});
    t->slot[at] = t->at.n;
    return t->at.n - 1;
}
