/* arena.c -- memory that is freed at once, vectors and text buffers in it. */
#include "base.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 256 * 1024, ALIGNMENT = 16 };

typedef struct Block {
    struct Block *next;
    size_t size, used;   /* of the bytes after this header */
} Block;

struct Arena { Block *first; };

static size_t round_up(size_t n) { return (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1); }

_Noreturn void memory_out(void)
{
    fputs("netc: error: out of memory\n", stderr);
    exit(EXIT_memory);
}

Arena *arena_new(void)
{
    Arena *a = calloc(1, sizeof *a);
    if (!a) memory_out();
    return a;
}

void arena_free(Arena *a)
{
    if (!a) return;
    for (Block *b = a->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

void arena_clear(Arena *a)
{
    Block *kept = a->first;
    if (!kept) return;
    for (Block *b = kept->next, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    memset((char *)kept + round_up(sizeof(Block)), 0, kept->used);
    kept->next = NULL;
    kept->used = 0;
}

/* calloc gives fresh pages as zeros without touching them, so a large tensor costs nothing until it is written. */
static Block *block_new(size_t size)
{
    Block *b = calloc(1, round_up(sizeof(Block)) + size);
    if (!b) memory_out();
    b->size = size;
    return b;
}

void *arena_alloc(Arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) memory_out();
    size_t n = round_up(bytes ? bytes : 1);
    Block *b = a->first;
    if (!b || b->size - b->used < n) {
        Block *fresh = block_new(n > BLOCK_BYTES / 4 ? n : BLOCK_BYTES);
        if (b && n > BLOCK_BYTES / 4) {  /* a large one goes behind the block in use */
            fresh->next = b->next;
            b->next = fresh;
        } else {
            fresh->next = b;
            a->first = fresh;
        }
        b = fresh;
    }
    void *p = (char *)b + round_up(sizeof(Block)) + b->used;
    b->used += n;
    return p;
}

void *arena_array(Arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) memory_out();
    return arena_alloc(a, bytes);
}

char *arena_strndup(Arena *a, const char *s, size_t n)
{
    char *copy = arena_alloc(a, n + 1);
    if (n) memcpy(copy, s, n);
    return copy;
}

char *arena_strdup(Arena *a, const char *s) { return arena_strndup(a, s, strlen(s)); }

char *arena_printf(Arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *s = arena_alloc(a, (size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

void *vec_reserve(Arena *a, void *at, int n, int *cap, size_t size)
{
    if (n < *cap) return at;
    if (*cap > INT_MAX / 2) memory_out();
    int grown = *cap ? *cap * 2 : 8;
    void *fresh = arena_array(a, (size_t)grown, size);
    if (n) memcpy(fresh, at, (size_t)n * size);
    *cap = grown;
    return fresh;
}

void text_add(Text *t, const char *s, size_t n)
{
    if (t->n + n + 1 > t->cap) {
        size_t cap = t->cap ? t->cap : 256;
        while (cap < t->n + n + 1) cap *= 2;
        char *fresh = arena_alloc(t->arena, cap);
        if (t->n) memcpy(fresh, t->s, t->n);
        t->s = fresh;
        t->cap = cap;
    }
    if (n) memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = '\0';
}

void text_puts(Text *t, const char *s) { text_add(t, s, strlen(s)); }
void text_putc(Text *t, char c) { text_add(t, &c, 1); }
const char *text_string(const Text *t) { return t->s ? t->s : ""; }

void text_printf(Text *t, const char *fmt, ...)
{
    char small[512];
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if ((size_t)n < sizeof small) {
        text_add(t, small, (size_t)n);
    } else {
        char *large = arena_alloc(t->arena, (size_t)n + 1);
        vsnprintf(large, (size_t)n + 1, fmt, again);
        text_add(t, large, (size_t)n);
    }
    va_end(again);
}

void text_double(Text *t, double x)
{
    char s[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, x);
        if (strtod(s, NULL) == x) break;
    }
    text_puts(t, x == x ? s : "nan");  /* machines differ in the sign of theirs */
}

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}
