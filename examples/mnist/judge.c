/* judge.c -- a picture of 64 digits that a net draws, and LeNet-5's opinion of 1,000. */
#include "judge.h"
#include "lenet5.h"

#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 28, ACROSS = 8, SAMPLES = 1000, PIXELS = SIDE * SIDE };

static unsigned char sheet[ACROSS * SIDE][ACROSS * SIDE];

static void put(int place, const uint8_t *image)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) sheet[place / ACROSS * SIDE + y][place % ACROSS * SIDE + x] = image[y * SIDE + x];
}

static int write_sheet(const char *path)
{
    FILE *f = fopen(path, "wb");
    int bad = !f || fprintf(f, "P5\n%d %d\n255\n", ACROSS * SIDE, ACROSS * SIDE) < 0 || fwrite(sheet, sizeof sheet, 1, f) != 1;
    if (f && fclose(f)) bad = 1;
    if (bad) perror(path);
    return bad;
}

/* The digit that LeNet-5 sees, and how likely it says that is. */
static int look(const uint8_t *image, float *likely)
{
    static _Alignas(64) unsigned char workspace[LENET5_WORKSPACE_BYTES];
    float probs[10];
    int best = 0;
    lenet5_forward(&lenet5_trained, image, probs, workspace);
    for (int k = 1; k < 10; k++)
        if (probs[k] > probs[best]) best = k;
    *likely = probs[best];
    return best;
}

int judge_main(int argc, char **argv, DrawDigit *draw)
{
    if (argc < 2 || argc > 3) return fprintf(stderr, "usage: draw PICTURE.pgm [SEED]\n"), 64;
    const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    int sure = 0, seen[10] = {0};
    for (int i = 0; i < SAMPLES; i++) {
        float picture[PIXELS], likely;
        uint8_t image[PIXELS];
        draw(seed, (uint64_t)i, picture);
        for (int k = 0; k < PIXELS; k++) image[k] = (uint8_t)(255 * picture[k] + 0.5f);
        if (i < ACROSS * ACROSS) put(i, image);
        seen[look(image, &likely)]++;
        sure += likely > 0.9f;
    }
    printf("sure %.1f %%  seen", 100.0 * sure / SAMPLES);
    for (int k = 0; k < 10; k++) printf(" %d:%d", k, seen[k]);
    putchar('\n');
    return write_sheet(argv[1]);
}
