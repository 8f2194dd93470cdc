/* frames.c -- Hann windows, a Fourier transform of each, bands as wide as the ear hears them (the mel scale: 2595 log10(1 + f / 700)). */
#include "frames.h"

#include <complex.h>
#include <math.h>
#include <string.h>

enum { BINS = WINDOW / 2 + 1 };
static const double PI = 3.14159265358979323846, SILENCE = 1e-7;   /* what is added to energies, so that nothing has a logarithm */

/* Cooley and Tukey's: of the even and of the odd samples, joined. */
static void fourier(double complex *x, int n, int step, const double complex *sample)
{
    if (n == 1) {
        *x = *sample;
        return;
    }
    fourier(x, n / 2, 2 * step, sample);
    fourier(x + n / 2, n / 2, 2 * step, sample + step);
    for (int k = 0; k < n / 2; k++) {
        const double angle = -2 * PI * k / n;
        const double complex even = x[k], odd = x[k + n / 2] * (cos(angle) + sin(angle) * I);
        x[k] = even + odd;
        x[k + n / 2] = even - odd;
    }
}

/* How far up the bands a frequency lies: band b is a triangle from b over b + 1 to b + 2. */
static double place(double hertz)
{
    return log10(1 + hertz / 700) / log10(1 + RATE / 2 / 700.0) * (BANDS + 1);
}

static void energies(const short *sample, int n, float band[BANDS])
{
    double complex in[WINDOW], out[WINDOW];
    double sum[BANDS] = { 0 };
    for (int i = 0; i < WINDOW; i++) in[i] = i < n ? sample[i] / 32768.0 * (0.5 - 0.5 * cos(2 * PI * i / WINDOW)) : 0;
    fourier(out, WINDOW, 1, in);
    for (int k = 0; k < BINS; k++) {
        const double at = place((double)k * RATE / WINDOW), power = creal(out[k] * conj(out[k]));
        for (int b = 0; b < BANDS; b++) sum[b] += power * fmax(0, 1 - fabs(at - (b + 1)));
    }
    for (int b = 0; b < BANDS; b++) band[b] = (float)log(sum[b] + SILENCE);
}

int frames_of(const short *sample, int n, float frame[FRAMES][BANDS])
{
    int count = 0;
    double mean = 0;
    memset(frame, 0, sizeof(float[FRAMES][BANDS]));
    do energies(sample + count * HOP, n - count * HOP, frame[count]);
    while (++count < FRAMES && count * HOP + WINDOW <= n);
    for (int t = 0; t < count; t++)
        for (int b = 0; b < BANDS; b++) mean += (double)frame[t][b] / (count * BANDS);
    for (int t = 0; t < count; t++)
        for (int b = 0; b < BANDS; b++) frame[t][b] = (float)(((double)frame[t][b] - mean) / 2);
    return count;
}
