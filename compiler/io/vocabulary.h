/* vocabulary.h -- text files to tokens and back: characters, or pieces of words; knows nothing of networks. */
#ifndef NETC_VOCABULARY_H
#define NETC_VOCABULARY_H

#include "io.h"

/* ---- different strings, numbered in the order in which they came ---- */

typedef struct Slice { const char *s; size_t n; } Slice;

typedef struct Strings {
    Arena *arena;
    VEC(Slice) at;
    int32_t *slot;               /* [slots] number + 1, or 0; slots is a power of 2 */
    int64_t slots;
} Strings;

/* -1 when there is none. */
int strings_find(const Strings *t, const char *s, size_t n);
/* The number of an equal string, or of a new one, which refers to these bytes. */
int strings_add(Strings *t, const char *s, size_t n);

/* ---- UTF-8 ---- */

/* Bytes of the character at s, of `left` bytes; 0 where there is none. NUL is no character of a text. */
int utf8_length(const char *s, size_t left);
/* Always false: "FILE:LINE:COLUMN: MESSAGE", columns counting characters; without a place when `at` is not in the file. */
bool text_fail(Input *in, const char *at, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- the texts of a file ---- */

typedef struct Texts {
    Input in;
    VEC(Slice) at;               /* what was asked for: one running text, or one a line or cell */
    VEC(Slice) all;              /* what the file has */
} Texts;

/* "FILE", "FILE[10%:90%]" (a part by its bytes) or, of lines, "FILE[COLUMN]" of a CSV file; all of it UTF-8. */
bool texts_load(Arena *a, const char *spec, bool lines, Texts *out, const char **why, int *status);
/* The same of the bytes in t->in; `part` is what stands in the brackets, or NULL. */
bool texts_read(Texts *t, const char *part, bool lines);

/* ---- vocabularies ---- */

/* A token's number is its piece's. Pieces are single characters first, by code point, then what merging made of two, in
   the order of merging. Of lines, piece 0 is "": a line's beginning and its end. */
typedef struct Vocabulary { Strings piece; bool lines; } Vocabulary;

typedef VEC(int32_t) Tokens;

/* Of all the file's texts: their characters, and for `pieces` as many pairs that occur together most, never across words,
   as make `limit` pieces in all. Fails when there are more characters than `limit`. */
bool vocabulary_build(Texts *t, bool lines, bool pieces, int64_t limit, Vocabulary *out);
/* To and from a JSON array of strings. Reading fails with a message that follows a file's name. */
const char *vocabulary_json(Arena *a, const Vocabulary *v);
bool vocabulary_read(Arena *a, const char *json, Vocabulary *out, const char **why);

/* Adds a text's tokens. What was encoded before makes it quick. */
typedef struct Encoder { const Vocabulary *vocabulary; Input *in; Strings word; VEC(Tokens) tokens; } Encoder;
Encoder encoder_new(const Vocabulary *v, Input *in);
bool encode(Encoder *e, Slice text, Tokens *out);

/* Bytes of the next word: letters and digits, or blanks, or other characters, one blank before them being part. */
size_t word_length(const char *s, size_t n);

#endif
