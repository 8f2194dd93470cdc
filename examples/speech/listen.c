/* listen.c -- which digit a recording says. usage: listen RECORDING
   8,000 samples a second, 16 bits each, the low byte first, nothing else. */
#include "frames.h"
#include "speech.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    static _Alignas(64) unsigned char workspace[SPEECH_WORKSPACE_BYTES];
    static float frame[FRAMES][BANDS];
    static short sample[FRAMES * HOP + WINDOW];
    float probs[10];
    int n = 0, best = 0, low, high;
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: listen RECORDING, a file of 16-bit samples\n");
        return 1;
    }
    while (n < (int)(sizeof sample / sizeof *sample) && (low = getc(file)) != EOF && (high = getc(file)) != EOF) sample[n++] = (short)(low | high << 8);
    fclose(file);
    const int32_t length = frames_of(sample, n, frame);
    speech_forward(&speech_trained, frame[0], &length, probs, workspace);
    for (int d = 1; d < 10; d++)
        if (probs[d] > probs[best]) best = d;
    printf("%d (%.0f %%)\n", best, 100 * (double)probs[best]);
    return 0;
}
