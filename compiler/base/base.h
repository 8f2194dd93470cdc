/* base.h -- arenas, text buffers, source text and diagnostics; knows nothing of networks. */
#ifndef NETC_BASE_H
#define NETC_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Exit statuses, after BSD's sysexits.h. */
enum {
    EXIT_model = 1,   /* the user's .net text or data does not fit        */
    EXIT_usage = 64,  /* the command line is wrong                        */
    EXIT_noinput = 66,/* an input file does not exist or cannot be read   */
    EXIT_internal = 70,/* our own mistake: a verifier or an assertion     */
    EXIT_memory = 71, /* memory ran out                                   */
    EXIT_io = 74      /* writing or reading failed: a full disk           */
};

#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ---- arena: everything a compile allocates; freed at once ---- */

typedef struct Arena Arena;

/* A new, empty arena. Never returns NULL: when memory runs out, prints one line and exits with EXIT_memory. */
Arena *arena_new(void);
void arena_free(Arena *a);
/* Empty again; what was in it is gone, but some memory is kept for what comes. */
void arena_clear(Arena *a);
/* `bytes` zeroed bytes, aligned to 16. Never NULL; exits as arena_new does. */
void *arena_alloc(Arena *a, size_t bytes);
/* `count` zeroed elements of `size` bytes; an overflowing product exits with EXIT_memory. */
void *arena_array(Arena *a, size_t count, size_t size);
char *arena_strndup(Arena *a, const char *s, size_t n);
char *arena_strdup(Arena *a, const char *s);
/* printf into a new NUL-terminated string. */
char *arena_printf(Arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
_Noreturn void memory_out(void);

#define NEW(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define NEW_ARRAY(a, T, n) ((T *)arena_array((a), (size_t)(n), sizeof(T)))

/* ---- vector: VEC(int) v = {0}; vec_push(arena, &v, 7); v.at[0]; v.n ---- */

#define VEC(T) struct { T *at; int n, cap; }
#define vec_push(a, v, ...)                                                                   \
    ((v)->at = vec_reserve((a), (v)->at, (v)->n, &(v)->cap, sizeof *(v)->at),                 \
     (void)((v)->at[(v)->n++] = (__VA_ARGS__)))
/* Room for one more element after the first `n`; returns the (perhaps moved) storage. */
void *vec_reserve(Arena *a, void *at, int n, int *cap, size_t size);

/* ---- map: from bytes to a number that is not negative ---- */

typedef struct MapEntry { const void *key; size_t size; uint64_t hash; int value; } MapEntry;
typedef struct Map { MapEntry *at; int n, cap; } Map;

/* -1 when the key is not there. */
int map_find(const Map *m, const void *key, size_t size);
/* Adds a key that is not there yet; its bytes must live as long as the map. */
void map_add(Arena *a, Map *m, const void *key, size_t size, int value);
#define map_find_name(m, name) map_find((m), (name), strlen(name))
#define map_add_name(a, m, name, value) map_add((a), (m), (name), strlen(name), (value))

/* Names taken in one scope. */
typedef struct Names { Arena *arena; Map taken; VEC(int) next; } Names;
/* `want`, or with `join` and 2, 3 ... behind where that is taken; it is taken from now on. */
const char *names_take(Names *n, const char *want, const char *join);

/* ---- text buffer ---- */

typedef struct Text {
    Arena *arena;
    char *s;    /* always NUL-terminated once anything was added; NULL when empty */
    size_t n;   /* bytes without the NUL */
    size_t cap;
} Text;

void text_add(Text *t, const char *s, size_t n);
void text_puts(Text *t, const char *s);
void text_putc(Text *t, char c);
void text_printf(Text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The contents as a string: "" when nothing was added. */
const char *text_string(const Text *t);
/* The shortest decimal that reads back as the same double ("0.1", "1e-05", "inf", "nan"); the same on every machine. */
void text_double(Text *t, double x);

/* ---- source text: one space of offsets over all files that were read ---- */

/* Bytes [begin, end) in the offset space of a Sources. {0, 0} means "no place". */
typedef struct Span { uint32_t begin, end; } Span;

enum { SOURCE_LIMIT = 16 * 1024 * 1024 };  /* bytes of one source file */

typedef struct Source {
    const char *name;  /* as the user wrote it, or "<prelude>" */
    const char *text;  /* NUL-terminated, `size` bytes before the NUL */
    uint32_t size;
    uint32_t base;     /* offset of text[0]; never 0 */
} Source;

typedef struct Sources {
    Arena *arena;
    VEC(Source *) file;
    uint32_t next;     /* the offset that the next file gets */
} Sources;

typedef struct Place {
    const Source *source;
    int line, column;  /* from 1; the column counts bytes */
    const char *line_text;
    int line_length;
} Place;

/* Adds a file's text (copied by reference: it must live as long as the arena). NULL when the offset space is full. */
const Source *sources_add(Sources *s, const char *name, const char *text, size_t size);
/* False when the offset is of no file. */
bool sources_place(const Sources *s, uint32_t offset, Place *place);
Span span_join(Span a, Span b);

/* ---- diagnostics ---- */

/* Prints each error at once to `out` (stderr), with the place, the line and a caret. */
typedef struct Diag {
    const Sources *sources;
    FILE *out;
    int errors;
    int limit;         /* after so many, one line says that there are more, and the rest is silent; 0 means 20 */
    bool muted;        /* the last error was not printed, so its notes are not either */
    Span last;         /* an error at the same span is not printed twice */
} Diag;

/* The user's mistake. "FILE:LINE:COL: error: MESSAGE", the source line, carets under the span. */
void diag_error(Diag *d, Span span, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* More about the error before it: "FILE:LINE:COL: note: MESSAGE" with line and caret; without a place only the text. */
void diag_note(Diag *d, Span span, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Something odd that does not stop the compile. */
void diag_warning(Diag *d, Span span, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The nearest of `n` candidates by edit distance, or NULL when none is near enough to be meant. */
const char *did_you_mean(const char *word, const char *const *candidates, int n);

/* Our own mistake: one line naming where, then exit(EXIT_internal). */
_Noreturn void internal_error(const char *where, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- files ---- */

/* Reads a whole file of at most `limit` bytes, NUL-terminated after *size. NULL on failure, with one line of
   explanation in *why (arena) and the exit status in *status (EXIT_noinput, EXIT_io, or EXIT_model when too large). */
char *file_read(Arena *a, const char *path, size_t limit, size_t *size, const char **why, int *status);
/* Writes all bytes to a temporary file beside `path`, fsyncs, renames. Nothing is left behind on failure, which
   returns false with *why. When the file already has these bytes it is not touched. */
bool file_write(Arena *a, const char *path, const void *bytes, size_t size, const char **why);
/* Makes a directory and its parents; true when it exists afterwards. */
bool directory_make(Arena *a, const char *path, const char **why);

/* 64-bit FNV-1a, for names of models and contents; not for security. Start with hash = 0xcbf29ce484222325. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n);

#endif
