/* SPDX-License-Identifier: MIT
 * lock_work.h -- the patterns of the lock bench, compiled into each contestant.
 *
 *   pair ALIVE          lock and unlock by one thread, while ALIVE other threads sleep
 *   contended THREADS   all threads lock, change four words, unlock, and work about as long outside;
 *                       wall time over all operations
 *   wait THREADS        the same; the cost is how long the slowest lock of a thousand took
 *   share THREADS N     as both, in one line: so many of a thousand lock to change the words, the others
 *                       to read them; lock and work take longer, so that readers could meet
 *
 * A contestant defines peer_lock, peer_unlock and peer_version as macros or inline functions, and
 * includes this file, which has its main. One with PEER_SHARES defines peer_share, too: locking to read.
 */
#ifndef BENCH_LOCK_WORK_H
#define BENCH_LOCK_WORK_H

#include "worker.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static inline void peer_lock(void);
static inline void peer_unlock(void);
static void peer_version(void);
#ifdef PEER_SHARES
static inline void peer_share(void);
#else
#define peer_share peer_lock
#endif

enum { OUTSIDE_STEPS = 40, SHARE_STEPS = 400, BUCKETS = 64 * 16 };

static uint64_t shared_words[4];

static inline void change_shared(void) {
    for (int i = 0; i < 4; i++)
        shared_words[i]++;
    worker_keep(shared_words);
}

static inline void work(uint64_t *random, int steps) {
    for (int i = 0; i < steps; i++)
        (void)worker_random(random);
    worker_keep(random);
}

static void run_pair(void *context, unsigned thread, uint64_t count) {
    (void)context, (void)thread;
    for (uint64_t i = 0; i < count; i++) {
        peer_lock();
        worker_keep(shared_words);
        peer_unlock();
    }
}

static void run_contended(void *context, unsigned thread, uint64_t count) {
    uint64_t random = thread + 1;
    (void)context;
    for (uint64_t i = 0; i < count; i++) {
        peer_lock();
        change_shared();
        peer_unlock();
        work(&random, OUTSIDE_STEPS);
    }
}

/* ---- The slowest lock of a thousand ------------------------------------------------------ */

typedef struct waiter {
    unsigned thread;
    unsigned per_mille; /* of those that share: how many lock to change */
    uint64_t end_ns;
    uint32_t count[BUCKETS];
} waiter;

/* Sixteen buckets to each doubling. */
static unsigned bucket_of(uint64_t ns) {
    if (ns < 16)
        return (unsigned)ns;
    unsigned doubling = 63u - (unsigned)__builtin_clzll(ns);
    return (doubling - 3) * 16 + (unsigned)(ns >> (doubling - 4) & 15);
}

static double bucket_ns(unsigned bucket) {
    if (bucket < 16)
        return bucket;
    return (double)((uint64_t)(16 + bucket % 16) << (bucket / 16 - 1));
}

static void *run_waiter(void *argument) {
    waiter *self = argument;
    uint64_t random = self->thread + 1, now_ns = worker_now_ns();
    worker_pin(self->thread);
    while (now_ns < self->end_ns) {
        uint64_t start_ns = worker_now_ns();
        peer_lock();
        now_ns = worker_now_ns();
        change_shared();
        peer_unlock();
        self->count[bucket_of(now_ns - start_ns)]++;
        work(&random, OUTSIDE_STEPS);
    }
    return NULL;
}

static void *run_sharer(void *argument) {
    waiter *self = argument;
    uint64_t random = self->thread + 1, now_ns = worker_now_ns();
    worker_pin(self->thread);
    while (now_ns < self->end_ns) {
        bool changes = worker_random(&random) % 1000 < self->per_mille;
        uint64_t start_ns = worker_now_ns();
        if (changes)
            peer_lock();
        else
            peer_share();
        now_ns = worker_now_ns();
        if (changes)
            change_shared();
        work(&random, SHARE_STEPS);
        peer_unlock();
        self->count[bucket_of(now_ns - start_ns)]++;
        work(&random, SHARE_STEPS);
    }
    return NULL;
}

static void print_slow_lock(unsigned thread_count, uint64_t window_ns, void *(*run)(void *),
                            unsigned per_mille) {
    static waiter waiters[WORKER_THREADS_MAX];
    pthread_t threads[WORKER_THREADS_MAX];
    uint64_t total = 0, seen = 0, start_ns = worker_now_ns(), end_ns = start_ns + window_ns;
    for (unsigned i = 0; i < thread_count; i++) {
        memset(&waiters[i], 0, sizeof waiters[i]);
        waiters[i].thread = i;
        waiters[i].per_mille = per_mille;
        waiters[i].end_ns = end_ns;
        if (pthread_create(&threads[i], NULL, run, &waiters[i]) != 0)
            worker_fail("a thread could not be started");
    }
    for (unsigned i = 0; i < thread_count; i++) {
        pthread_join(threads[i], NULL);
        for (unsigned b = 0; b < BUCKETS; b++)
            total += waiters[i].count[b];
    }
    if (run == run_sharer)
        printf("%.1f ", (double)(worker_now_ns() - start_ns) / (double)total);
    for (unsigned b = 0; b < BUCKETS; b++) {
        for (unsigned i = 0; i < thread_count; i++)
            seen += waiters[i].count[b];
        if (seen * 1000 >= total * 999) {
            printf("%.0f\n", bucket_ns(b));
            return;
        }
    }
}

/* ---- main -------------------------------------------------------------------------------- */

static void *sleep_for_ever(void *unused) {
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        peer_version();
        return 0;
    }
    worker_arguments arguments = worker_read_arguments(argc, argv);
    worker_load load = {.run = run_pair, .thread_count = 1};
    unsigned value = (unsigned)arguments.values[0];
    if (value > WORKER_THREADS_MAX)
        worker_fail("at most %d threads", WORKER_THREADS_MAX);
    bool shares = strcmp(arguments.pattern, "share") == 0;
    if (shares || strcmp(arguments.pattern, "wait") == 0) {
        for (unsigned i = 0; i < arguments.window_count; i++)
            print_slow_lock(value, arguments.window_ns * 25, shares ? run_sharer : run_waiter,
                            (unsigned)arguments.values[1]);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    if (strcmp(arguments.pattern, "contended") == 0) {
        load.run = run_contended;
        load.thread_count = value;
        load.wall_of_all = true;
    } else if (strcmp(arguments.pattern, "pair") != 0)
        worker_fail("usage: pair ALIVE | contended THREADS | wait THREADS | share THREADS N");
    for (unsigned i = 0; load.run == run_pair && i < value; i++) {
        pthread_t sleeper;
        if (pthread_create(&sleeper, NULL, sleep_for_ever, NULL) != 0)
            worker_fail("a thread could not be started");
    }
    return worker_measure(&arguments, &load);
}

#endif
