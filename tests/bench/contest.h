/* contest.h -- what every contestant in C does: reads raw numbers, compares results, times calls in slices when it is asked to. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The file's numbers, aligned, from the heap. */
__attribute__((unused)) static void *numbers(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    if (!f) { perror(path); exit(1); }
    fseek(f, 0, SEEK_END);
    *bytes = (size_t)ftell(f);
    rewind(f);
    void *p = aligned_alloc(64, (*bytes + 127) & ~(size_t)63);
    if (!p || fread(p, 1, *bytes, f) != *bytes) { perror(path); exit(1); }
    fclose(f);
    return p;
}

/* The largest difference, as a share of the largest number expected; NaN is infinitely wrong. */
__attribute__((unused)) static double difference(const float *a, const float *expected, size_t n)
{
    double most = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)expected[i]);
        if (!(d <= most)) most = d == d ? d : INFINITY;
        size = fmax(size, fabs((double)expected[i]));
    }
    return most / size;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { SAMPLES = 1 << 16 };

typedef struct Calls { void (*call)(void *); void *self; int n; clockid_t clock; } Calls;

static double timed(const Calls *c)
{
    double start = seconds(c->clock);
    for (int i = 0; i < c->n; i++) c->call(c->self);
    return seconds(c->clock) - start;
}

/* Calls are timed one by one, or, where they are short, in bundles of about 20 microseconds. Other programs may have the core
   in the middle of one longer than a millisecond, so on one thread those are measured by the processor's time that they took.
   Answers each line of input, a number of seconds, by: the least time of a call, the median, both in microseconds, and how
   many samples there were. */
__attribute__((unused)) static void contest(void (*call)(void *), void *self, int threads)
{
    static double t[SAMPLES];
    char line[64];
    Calls c = {call, self, 1, CLOCK_MONOTONIC};
    while (c.n < 4096 && timed(&c) < 20e-6) c.n *= 2;
    if (threads == 1 && c.n == 1 && timed(&c) > 1e-3) c.clock = CLOCK_PROCESS_CPUTIME_ID;
    while (fgets(line, sizeof line, stdin)) {
        double end = seconds(CLOCK_MONOTONIC) + atof(line);
        int n = 0;
        timed(&c);
        do t[n++] = timed(&c) / c.n; while (n < SAMPLES && seconds(CLOCK_MONOTONIC) < end);
        qsort(t, (size_t)n, sizeof *t, by_size);
        printf("%.4f %.4f %d\n", 1e6 * t[0], 1e6 * t[n / 2], n);
        fflush(stdout);
    }
}
