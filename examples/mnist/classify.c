/* classify.c -- LeNet-5 with its weights inside reads MNIST files and says what it sees.
   usage: classify IMAGES [LABELS], uncompressed IDX files, "-" for standard input; without files it draws digits itself. */
#include "../digits/glyph.h"
#include "lenet5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 28 * 28 };

static _Alignas(64) unsigned char workspace[LENET5_WORKSPACE_BYTES];

static int guess(const uint8_t *image)
{
    float probs[10];
    lenet5_forward(&lenet5_trained, image, probs, workspace);
    int best = 0;
    for (int i = 1; i < 10; i++)
        if (probs[i] > probs[best]) best = i;
    return best;
}

static void show(const uint8_t *image)
{
    for (int y = 0; y < 28; y += 2) {
        for (int x = 0; x < 28; x++) putchar(" .:*#@"[(image[y * 28 + x] + image[(y + 1) * 28 + x]) * 5 / 510]);
        putchar('\n');
    }
}

/* Opens an IDX file of bytes with `rank` dimensions and returns how many items it promises. */
static FILE *open_idx(const char *path, int rank, long *items)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    unsigned char head[16];
    size_t bytes = 4 + 4 * (size_t)rank;
    if (!f || fread(head, 1, bytes, f) != bytes || head[0] || head[1] || head[2] != 8 || head[3] != rank) {
        fprintf(stderr, "%s: not an IDX file of bytes with %d dimensions (is it compressed?)\n", path, rank);
        exit(1);
    }
    *items = (long)head[4] << 24 | (long)head[5] << 16 | (long)head[6] << 8 | head[7];
    return f;
}

static int classify_files(const char *images_path, const char *labels_path)
{
    long count, labelled = 0, right = 0, seen = 0;
    FILE *images = open_idx(images_path, 3, &count), *labels = labels_path ? open_idx(labels_path, 1, &labelled) : NULL;
    uint8_t image[PIXELS];
    for (; seen < count && fread(image, 1, PIXELS, images) == PIXELS; seen++) {
        int answer = guess(image), label = labels ? fgetc(labels) : -1;
        right += answer == label;
        if (seen < 5) {
            show(image);
            printf("guess %d\n\n", answer);
        }
    }
    printf("%ld pictures", seen);
    if (labels) printf(", %ld right (%.2f %%)", right, 100.0 * (double)right / (double)(seen ? seen : 1));
    putchar('\n');
    return seen == count ? 0 : 1;
}

static int classify_drawn(void)
{
    uint8_t image[PIXELS];
    for (uint32_t i = 0; i < 5; i++) {
        int digit = glyph_digit(7, i);
        glyph_draw(7, i, digit, image);
        show(image);
        printf("drawn as %d, guess %d\n\n", digit, guess(image));
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 3) {
        fprintf(stderr, "usage: classify [IMAGES [LABELS]]\n");
        return 64;
    }
    return argc > 1 ? classify_files(argv[1], argc > 2 ? argv[2] : NULL) : classify_drawn();
}
