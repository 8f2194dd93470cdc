/* pool.c -- the threads of runtime/: every part runs once in every call, whoever is asleep, late or missing; and what a call
   costs. usage: pool [rounds] */
#include "../../runtime/netc_threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PARTS = 9 };
typedef struct Work { long *cell; long round; } Work;

static void pause_for(long nanoseconds) { nanosleep(&(struct timespec){ 0, nanoseconds }, NULL); }

/* Plain memory: a part that ran twice, or too late, is a wrong sum or a race that the sanitizer sees. */
static void add(const void *context, int part)
{
    const Work *w = context;
    w->cell[16 * part] += w->round + part;
    if (w->round % 97 == part) pause_for(20000);
}

static int check(netc_threads *t, int parts, int rounds)
{
    long cell[16 * PARTS] = { 0 };
    long sum = 0;
    for (int round = 0; round < rounds; round++) {
        Work w = { cell, round };
        netc_threads_run(t, parts, add, &w);
        sum += round;
        for (int p = 0; p < PARTS; p++)
            if (cell[16 * p] != (p < parts ? sum + (long)p * (round + 1) : 0)) return printf("FAIL part %d of round %d\n", p, round);
        if (round % 200 == 199) pause_for(3000000);      /* they sleep */
    }
    return 0;
}

static void nothing(const void *context, int part)
{
    (void)context;
    (void)part;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double least_call(netc_threads *t)
{
    double least = 1;
    for (int i = 0; i < 20000; i++) {
        double start = seconds();
        netc_threads_run(t, 2, nothing, NULL);
        double took = seconds() - start;
        least = took < least ? took : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 2000, wrong = 0;
    static netc_threads pool;
    wrong |= check(NULL, 3, 10);
    for (int threads = 1; threads <= 5; threads++) {
        memset(&pool, 0xa5, sizeof pool);                /* the memory may hold anything */
        int n = netc_threads_start(&pool, threads);
        for (int parts = 1; parts <= PARTS; parts += 2) wrong |= check(&pool, parts, rounds);
        if (n == 2) printf("an empty call of two threads: %.0f ns\n", 1e9 * least_call(&pool));
        netc_threads_stop(&pool);
        wrong |= check(&pool, 2, 10);                    /* alone again */
    }
    printf(wrong ? "wrong\n" : "right\n");
    return wrong != 0;
}
