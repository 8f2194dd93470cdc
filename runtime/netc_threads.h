/* netc_threads.h -- threads that share the work of one call. All memory is the caller's; needs pthreads alone. */
#ifndef NETC_THREADS_H
#define NETC_THREADS_H

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NETC_THREADS_MAX 64

struct netc_threads;

/* A line of the cache each, so that waiting for one does not disturb the others. */
typedef struct netc_worker {
    int state;
    int id;
    pthread_t thread;
    struct netc_threads *all;
} __attribute__((aligned(64))) netc_worker;

typedef struct netc_threads {
    void (*run)(const void *context, int part);
    const void *context;
    int parts, threads, cpu;           /* cpu: where the caller is */
    pthread_mutex_t lock;              /* for those that sleep */
    pthread_cond_t wake;
    netc_worker worker[NETC_THREADS_MAX];
} netc_threads;

/* Starts threads - 1 threads, as the caller is one; returns how many work, which is fewer where the system gives no more.
   They wait for work by spinning for a moment, then yield, then sleep, and block all signals; on Linux they keep off the
   processor that the caller runs on. */
int netc_threads_start(netc_threads *t, int threads);
/* Ends them; the memory is free again. */
void netc_threads_stop(netc_threads *t);

/* Calls run(context, part) for every part from 0 to parts - 1, each once, and returns when all are done. The caller does what
   no other thread has begun, so it never waits for one that sleeps. NULL: the caller does it all. For one caller at a
   time; not from inside `run`. */
void netc_threads_run(netc_threads *t, int parts, void (*run)(const void *context, int part), const void *context);

#ifdef __cplusplus
}
#endif
#endif
