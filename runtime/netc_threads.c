/* netc_threads.c -- work is offered to each thread in a cell of its own; what it has not taken, the caller takes back. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "netc_threads.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

/* Of a thread: the caller makes an offer and takes it back (or lets it quit), the thread does the rest. */
enum { IDLE, ASLEEP, OFFERED, TAKEN, QUIT };
/* How often to look before yielding, and how often to yield before sleeping: about a millisecond in all. */
enum { SPINS = 20000, YIELDS = 500, SPINS_PER_LOOK = 128 };

static int get(const int *state) { return __atomic_load_n(state, __ATOMIC_ACQUIRE); }
static void set(int *state, int to) { __atomic_store_n(state, to, __ATOMIC_RELEASE); }

/* Whether it was `from`, and now is `to`. */
static int change(int *state, int from, int to)
{
    return __atomic_compare_exchange_n(state, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void pause_or_yield(int waited)
{
    if (waited >= SPINS) {
        sched_yield();
        return;
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int processor(void)
{
#if defined(__linux__)
    return sched_getcpu();
#else
    return -1;
#endif
}

/* ---- a thread ---- */

/* A thread that waits on the caller's processor holds up the caller, and the system may leave it there: it moves to the
   others that the program may use. */
static void keep_off(int cpu)
{
#if defined(__linux__)
    cpu_set_t others;
    if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(getpid(), sizeof others, &others)) return;
    CPU_CLR((size_t)cpu, &others);
    if (CPU_COUNT(&others)) sched_setaffinity(0, sizeof others, &others);
#else
    (void)cpu;
#endif
}

static void sleep_until_offer(netc_worker *w)
{
    pthread_mutex_lock(&w->all->lock);
    if (change(&w->state, IDLE, ASLEEP))
        while (get(&w->state) == ASLEEP) pthread_cond_wait(&w->all->wake, &w->all->lock);
    pthread_mutex_unlock(&w->all->lock);
}

static void wait_for_offer(netc_worker *w)
{
    for (int waited = 0; get(&w->state) == IDLE;) {
        if (waited < SPINS + YIELDS) {
            if (waited % SPINS_PER_LOOK == 0 && get(&w->all->cpu) == processor()) keep_off(processor());
            pause_or_yield(waited++);
        } else {
            sleep_until_offer(w);
            waited = 0;
        }
    }
}

/* Parts are dealt out in turn. */
static void do_parts(netc_threads *t, int first)
{
    for (int i = first; i < t->parts; i += t->threads) t->run(t->context, i);
}

static void *work(void *worker)
{
    netc_worker *w = (netc_worker *)worker;
    for (;;) {
        wait_for_offer(w);
        if (get(&w->state) == QUIT) return NULL;
        if (!change(&w->state, OFFERED, TAKEN)) continue;
        do_parts(w->all, w->id);
        set(&w->state, IDLE);
    }
}

/* ---- the caller ---- */

static void tell(netc_worker *w, int state)
{
    if (__atomic_exchange_n(&w->state, state, __ATOMIC_ACQ_REL) != ASLEEP) return;
    pthread_mutex_lock(&w->all->lock);
    pthread_cond_broadcast(&w->all->wake);
    pthread_mutex_unlock(&w->all->lock);
}

void netc_threads_run(netc_threads *t, int parts, void (*run)(const void *context, int part), const void *context)
{
    if (!t || t->threads == 1 || parts == 1) {
        for (int i = 0; i < parts; i++) run(context, i);
        return;
    }
    int shared = parts < t->threads ? parts : t->threads;
    t->run = run;
    t->context = context;
    t->parts = parts;
    set(&t->cpu, processor());
    for (int i = 1; i < shared; i++) tell(&t->worker[i], OFFERED);
    do_parts(t, 0);
    for (int i = 1; i < shared; i++)
        if (change(&t->worker[i].state, OFFERED, IDLE)) do_parts(t, i);
    for (int i = 1; i < shared; i++)
        for (int waited = 0; get(&t->worker[i].state) == TAKEN; waited += waited < SPINS) pause_or_yield(waited);
}

int netc_threads_start(netc_threads *t, int threads)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    t->threads = 1;
    t->cpu = -2;                       /* no call yet */
    for (; t->threads < threads && t->threads < NETC_THREADS_MAX; t->threads++) {
        netc_worker *w = &t->worker[t->threads];
        w->state = IDLE;
        w->id = t->threads;
        w->all = t;
        if (pthread_create(&w->thread, NULL, work, w)) break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return t->threads;
}

void netc_threads_stop(netc_threads *t)
{
    for (int i = 1; i < t->threads; i++) tell(&t->worker[i], QUIT);
    for (int i = 1; i < t->threads; i++) pthread_join(t->worker[i].thread, NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    t->threads = 1;
}
