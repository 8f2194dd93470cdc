/* classify.c -- draws digits that the net has never seen and lets it guess. Plain C and the emitted files, nothing else. */
#include "digits.h"
#include "glyph.h"

#include <stdio.h>
#include <stdlib.h>

static _Alignas(64) unsigned char workspace[DIGITS_WORKSPACE_BYTES];

static int guess(const uint8_t *pixels, float *confidence)
{
    float probs[10];
    digits_forward(&digits_trained, pixels, probs, workspace);
    int best = 0;
    for (int i = 1; i < 10; i++)
        if (probs[i] > probs[best]) best = i;
    *confidence = probs[best];
    return best;
}

/* Two pixel rows per line of text, in half blocks of 256-colour grey. */
static void print_row(const uint8_t pixels[][GLYPH_SIZE * GLYPH_SIZE], int shown, int y)
{
    for (int s = 0; s < shown; s++) {
        for (int x = 2; x < GLYPH_SIZE - 2; x++) {
            int top = pixels[s][y * GLYPH_SIZE + x], bottom = pixels[s][(y + 1) * GLYPH_SIZE + x];
            printf("\x1b[38;5;%dm\x1b[48;5;%dm\xe2\x96\x80", 232 + top * 23 / 255, 232 + bottom * 23 / 255);
        }
        printf("\x1b[0m ");
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    enum { SHOWN = 4, ROWS = 2, TESTED = 1000 };
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 2026;
    uint8_t pixels[SHOWN][GLYPH_SIZE * GLYPH_SIZE];
    float confidence;
    for (uint32_t row = 0; row < ROWS; row++) {
        char caption[SHOWN][32];
        for (uint32_t s = 0; s < SHOWN; s++) {
            int digit = glyph_digit(seed, row * SHOWN + s);
            glyph_draw(seed, row * SHOWN + s, digit, pixels[s]);
            int answer = guess(pixels[s], &confidence);
            snprintf(caption[s], sizeof caption[s], "it is %d, guess %d (%.0f%%)", digit, answer, 100 * (double)confidence);
        }
        for (int y = 2; y < GLYPH_SIZE - 2; y += 2) print_row(pixels, SHOWN, y);
        for (int s = 0; s < SHOWN; s++) printf("%-24s ", caption[s]);
        printf("\n\n");
    }
    int right = 0;
    for (uint32_t i = 0; i < TESTED; i++) {
        int digit = glyph_digit(seed + 1, i);
        glyph_draw(seed + 1, i, digit, pixels[0]);
        right += guess(pixels[0], &confidence) == digit;
    }
    printf("%d of %d unseen digits are right.\n", right, TESTED);
    return right >= TESTED * 95 / 100 ? 0 : 1;
}
