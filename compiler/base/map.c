/* map.c -- from bytes to a number, in constant time; names that are taken. */
#include "base.h"

#include <limits.h>
#include <string.h>

/* Eight bytes at a time: keys are long. */
static uint64_t hash_of(const void *key, size_t size)
{
    const unsigned char *p = key;
    uint64_t hash = size, word;
    for (; size; p += sizeof word) {
        const size_t n = size < sizeof word ? size : sizeof word;
        word = 0;
        memcpy(&word, p, n);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
        size -= n;
    }
    return hash;
}

/* Where the key is, or the free place for it. */
static MapEntry *place_of(MapEntry *at, int cap, const void *key, size_t size, uint64_t hash)
{
    for (size_t i = hash & (size_t)(cap - 1);; i = (i + 1) & (size_t)(cap - 1)) {
        MapEntry *e = &at[i];
        if (!e->key || (e->hash == hash && e->size == size && !memcmp(e->key, key, size))) return e;
    }
}

int map_find(const Map *m, const void *key, size_t size)
{
    if (!m->n) return -1;
    const MapEntry *e = place_of(m->at, m->cap, key, size, hash_of(key, size));
    return e->key ? e->value : -1;
}

static void grow(Arena *a, Map *m)
{
    if (m->cap > INT_MAX / 2) memory_out();
    Map larger = {.n = m->n, .cap = m->cap ? m->cap * 2 : 16};
    larger.at = NEW_ARRAY(a, MapEntry, larger.cap);
    for (int i = 0; i < m->cap; i++) {
        const MapEntry *e = &m->at[i];
        if (e->key) *place_of(larger.at, larger.cap, e->key, e->size, e->hash) = *e;
    }
    *m = larger;
}

void map_add(Arena *a, Map *m, const void *key, size_t size, int value)
{
    if (2 * m->n >= m->cap) grow(a, m);
    const uint64_t hash = hash_of(key, size);
    *place_of(m->at, m->cap, key, size, hash) = (MapEntry){key, size, hash, value};
    m->n++;
}

const char *names_take(Names *n, const char *want, const char *join)
{
    const char *name = want;
    const int known = map_find_name(&n->taken, want);
    while (known >= 0 && map_find_name(&n->taken, name) >= 0) name = arena_printf(n->arena, "%s%s%d", want, join, n->next.at[known]++);
    map_add_name(n->arena, &n->taken, name, n->next.n);
    vec_push(n->arena, &n->next, 2);
    return name;
}
