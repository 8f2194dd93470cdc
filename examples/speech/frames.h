/* frames.h -- a recording as frames of log energies, what speech.net listens to. */
#ifndef FRAMES_H
#define FRAMES_H

enum {
    RATE = 8000,                   /* samples a second */
    WINDOW = 256, HOP = 128,       /* samples of a frame, and from one frame to the next */
    FRAMES = 64, BANDS = 24        /* of a recording at most: a second; of a frame */
};

/* The first FRAMES frames of n samples, 16 bits each, in -1 .. 1, and zeros behind them. Gives how many there are, 1 at least.
   A band's number is the logarithm of its energy, less the mean of the whole recording, halved: how loud one speaks does not count. */
int frames_of(const short *sample, int n, float frame[FRAMES][BANDS]);

#endif
