/* vocabulary.c -- the pieces of a vocabulary: found in texts, written and read as JSON. */
#include "pieces.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* As strcmp; no character is the beginning of another. */
static int by_code_point(const void *left, const void *right)
{
    const Slice *a = left, *b = right;
    return memcmp(a->s, b->s, a->n < b->n ? a->n : b->n);
}

static Strings characters_of(const Texts *t)
{
    Strings found = {.arena = t->in.arena};
    for (int i = 0; i < t->all.n; i++) {
        const Slice *x = &t->all.at[i];
        for (size_t k = 0; k < x->n;) {
            size_t n = (size_t)utf8_length(x->s + k, x->n - k);
            strings_add(&found, x->s + k, n);
            k += n;
        }
    }
    if (found.at.n) qsort(found.at.at, (size_t)found.at.n, sizeof *found.at.at, by_code_point);
    return found;
}

bool vocabulary_build(Texts *t, bool lines, bool pieces, int64_t limit, Vocabulary *out)
{
    Strings found = characters_of(t);
    *out = (Vocabulary){.piece = {.arena = t->in.arena}, .lines = lines};
    if (found.at.n + lines > limit)
        return input_fail(&t->in, "%d different characters%s, but the net takes %" PRId64 " tokens", found.at.n,
                          lines ? " and the line's end" : "", limit);
    if (lines) strings_add(&out->piece, "", 0);
    for (int i = 0; i < found.at.n; i++) strings_add(&out->piece, found.at.at[i].s, found.at.at[i].n);
    if (pieces) pieces_merge(t, &out->piece, limit);
    return true;
}

const char *vocabulary_json(Arena *a, const Vocabulary *v)
{
    json_t *list = json_array();
    for (int i = 0; list && i < v->piece.at.n; i++)
        if (json_array_append_new(list, json_stringn(v->piece.at.at[i].s, v->piece.at.at[i].n))) memory_out();
    char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    if (!text) memory_out();
    const char *copy = arena_strdup(a, text);
    free(text);
    json_decref(list);
    return copy;
}

static bool read_pieces(Arena *a, const json_t *list, Vocabulary *out, const char **why)
{
    *out = (Vocabulary){.piece = {.arena = a}};
    *why = "the vocabulary is no JSON array of different strings";
    if (!json_is_array(list) || !json_array_size(list)) return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *s = json_string_value(json_array_get(list, i));
        if (!s || (!*s && i)) return false;
        if (strings_add(&out->piece, arena_strdup(a, s), strlen(s)) != (int)i) return false;
    }
    out->lines = !out->piece.at.at[0].n;
    return true;
}

bool vocabulary_read(Arena *a, const char *json, Vocabulary *out, const char **why)
{
    json_error_t error;
    json_t *list = json_loads(json, 0, &error);
    bool good = read_pieces(a, list, out, why);
    json_decref(list);
    return good;
}
