/* pieces.c -- byte-pair encoding: the pair that occurs most often becomes a piece, again and again; words are encoded by
   merging in the same order. */
#include "pieces.h"

#include <ctype.h>
#include <string.h>

enum { WORD_BYTES = 64 };   /* longer ones are cut: merging takes time that grows with the square */

/* ---- words: nothing is merged across them ---- */

typedef enum CharClass { CLASS_blank, CLASS_letter, CLASS_other } CharClass;

static CharClass class_of(char c)
{
    const unsigned char u = (unsigned char)c;
    return u <= ' ' ? CLASS_blank : u >= 0x80 || isalnum(u) ? CLASS_letter : CLASS_other;
}

size_t word_length(const char *s, size_t n)
{
    size_t i = s[0] == ' ' && n > 1 && class_of(s[1]) != CLASS_blank;
    const CharClass class = class_of(s[i]);
    for (i++; i < n && class_of(s[i]) == class && i < WORD_BYTES; i++)
        if (class == CLASS_blank && s[i] == ' ' && i + 1 < n && class_of(s[i + 1]) != CLASS_blank) break;
    while (i < n && ((unsigned char)s[i] & 0xc0) == 0x80) i++;   /* a character is not cut */
    return i;
}

/* ---- learning ---- */

typedef struct Word { int32_t *id; int n; int64_t count; } Word;

typedef struct Merger {
    Arena *arena;
    Strings *piece;
    Strings spelt;               /* the words, as many as `word` */
    VEC(Word) word;
    Strings pair;                /* of two int32_t */
    VEC(int64_t) count;          /* of each pair */
} Merger;

static void add_word(Merger *m, Slice w)
{
    int k = strings_add(&m->spelt, w.s, w.n);
    if (k == m->word.n) {
        Word new = {.id = NEW_ARRAY(m->arena, int32_t, w.n)};
        for (size_t i = 0; i < w.n;) {
            size_t n = (size_t)utf8_length(w.s + i, w.n - i);
            new.id[new.n++] = strings_find(m->piece, w.s + i, n);
            i += n;
        }
        vec_push(m->arena, &m->word, new);
    }
    m->word.at[k].count++;
}

static void count_pair(Merger *m, const int32_t *id, int64_t count)
{
    int k = strings_find(&m->pair, (const char *)id, 2 * sizeof *id);
    if (k < 0) {
        k = strings_add(&m->pair, arena_strndup(m->arena, (const char *)id, 2 * sizeof *id), 2 * sizeof *id);
        vec_push(m->arena, &m->count, 0);
    }
    m->count.at[k] += count;
}

static void count_word(Merger *m, const Word *w, int64_t count)
{
    for (int i = 0; i + 1 < w->n; i++) count_pair(m, w->id + i, count);
}

static void merge_in_word(Merger *m, Word *w, const int32_t *pair, int32_t into)
{
    int n = 0, at = 0;
    while (at + 1 < w->n && (w->id[at] != pair[0] || w->id[at + 1] != pair[1])) at++;
    if (at + 1 >= w->n) return;
    count_word(m, w, -w->count);
    for (int i = 0; i < w->n; i++) {
        bool here = i + 1 < w->n && w->id[i] == pair[0] && w->id[i + 1] == pair[1];
        w->id[n++] = here ? into : w->id[i];
        i += here;
    }
    w->n = n;
    count_word(m, w, w->count);
}

/* The pair that occurs most, the one seen first of several; -1 when none occurs twice. */
static int best_pair(const Merger *m)
{
    int best = -1;
    for (int i = 0; i < m->count.n; i++)
        if (m->count.at[i] > (best < 0 ? 1 : m->count.at[best])) best = i;
    return best;
}

void pieces_merge(Texts *t, Strings *piece, int64_t limit)
{
    Merger m = {.arena = t->in.arena, .piece = piece, .spelt = {.arena = t->in.arena}, .pair = {.arena = t->in.arena}};
    for (int i = 0; i < t->all.n; i++)
        for (Slice x = t->all.at[i]; x.n;) {
            size_t n = word_length(x.s, x.n);
            add_word(&m, (Slice){x.s, n});
            x = (Slice){x.s + n, x.n - n};
        }
    for (int i = 0; i < m.word.n; i++) count_word(&m, &m.word.at[i], m.word.at[i].count);
    for (int best; piece->at.n < limit && (best = best_pair(&m)) >= 0;) {
        int32_t pair[2];
        memcpy(pair, m.pair.at.at[best].s, sizeof pair);
        const Slice a = piece->at.at[pair[0]], b = piece->at.at[pair[1]];
        const char *both = arena_printf(m.arena, "%.*s%.*s", (int)a.n, a.s, (int)b.n, b.s);
        const int into = strings_add(piece, both, a.n + b.n);
        for (int i = 0; i < m.word.n; i++) merge_in_word(&m, &m.word.at[i], pair, into);
    }
}

/* ---- encoding ---- */

Encoder encoder_new(const Vocabulary *v, Input *in) { return (Encoder){.vocabulary = v, .in = in, .word = {.arena = in->arena}}; }

/* Which two neighbours of the n pieces that begin at from[] are the earliest piece; -1: none. */
static int next_merge(const Encoder *e, const char *s, const size_t *from, int n)
{
    int best = -1, earliest = 0;
    for (int i = 0; i + 1 < n; i++) {
        int id = strings_find(&e->vocabulary->piece, s + from[i], from[i + 2] - from[i]);
        if (id < 0 || (best >= 0 && id >= earliest)) continue;
        best = i;
        earliest = id;
    }
    return best;
}

static bool encode_word(Encoder *e, Slice w, Tokens *out)
{
    size_t from[WORD_BYTES + 8];
    int n = 0;
    for (size_t i = 0; i < w.n; n++) {
        size_t length = (size_t)utf8_length(w.s + i, w.n - i);
        if (strings_find(&e->vocabulary->piece, w.s + i, length) < 0)
            return text_fail(e->in, w.s + i, "'%.*s' is not among the vocabulary's %d tokens", (int)length, w.s + i, e->vocabulary->piece.at.n);
        from[n] = i;
        i += length;
    }
    from[n] = w.n;
    for (int at; (at = next_merge(e, w.s, from, n)) >= 0; n--)
        memmove(from + at + 1, from + at + 2, (size_t)(n - at - 1) * sizeof *from);
    for (int i = 0; i < n; i++) vec_push(e->in->arena, out, strings_find(&e->vocabulary->piece, w.s + from[i], from[i + 1] - from[i]));
    return true;
}

bool encode(Encoder *e, Slice text, Tokens *out)
{
    while (text.n) {
        const size_t n = word_length(text.s, text.n);
        const int k = strings_add(&e->word, text.s, n);
        if (k == e->tokens.n) {
            Tokens new = {0};
            if (!encode_word(e, (Slice){text.s, n}, &new)) return false;
            vec_push(e->in->arena, &e->tokens, new);
        }
        for (int i = 0; i < e->tokens.at[k].n; i++) vec_push(e->in->arena, out, e->tokens.at[k].at[i]);
        text = (Slice){text.s + n, text.n - n};
    }
    return true;
}
