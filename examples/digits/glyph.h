/* glyph.h -- handwriting of a kind: digits drawn as strokes, each a little different. */
#ifndef GLYPH_H
#define GLYPH_H

#include <stdint.h>

enum { GLYPH_SIZE = 28 };

/* Draws `digit` (0..9) into 28 x 28 pixels, 0 is paper and 255 ink. The same seed and index give the same picture. */
void glyph_draw(uint64_t seed, uint32_t index, int digit, uint8_t pixels[GLYPH_SIZE * GLYPH_SIZE]);
/* The digit that picture `index` shows when digits are dealt at random. */
int glyph_digit(uint64_t seed, uint32_t index);

#endif
