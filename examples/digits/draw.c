/* draw.c -- writes pictures of digits and their labels as IDX files.
   usage: draw SEED COUNT IMAGES.idx LABELS.idx */
#include "glyph.h"

#include <stdio.h>
#include <stdlib.h>

static void put_u32(FILE *f, uint32_t x)
{
    for (int shift = 24; shift >= 0; shift -= 8) fputc((int)(x >> shift & 255), f);
}

static FILE *create(const char *path)
{
    FILE *f = fopen(path, "wb");
    if (f) return f;
    perror(path);
    exit(1);
}

static void finish(FILE *f, const char *path)
{
    int bad = ferror(f);
    if (fclose(f) || bad) {
        perror(path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: draw SEED COUNT IMAGES.idx LABELS.idx\n");
        return 64;
    }
    uint64_t seed = strtoull(argv[1], NULL, 10);
    uint32_t count = (uint32_t)strtoul(argv[2], NULL, 10);
    FILE *images = create(argv[3]), *labels = create(argv[4]);
    put_u32(images, 0x00000803);
    put_u32(images, count);
    put_u32(images, GLYPH_SIZE);
    put_u32(images, GLYPH_SIZE);
    put_u32(labels, 0x00000801);
    put_u32(labels, count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t pixels[GLYPH_SIZE * GLYPH_SIZE];
        int digit = glyph_digit(seed, i);
        glyph_draw(seed, i, digit, pixels);
        fwrite(pixels, 1, sizeof pixels, images);
        fputc(digit, labels);
    }
    finish(images, argv[3]);
    finish(labels, argv[4]);
    return 0;
}
