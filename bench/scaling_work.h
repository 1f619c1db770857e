/* SPDX-License-Identifier: MIT
 * scaling_work.h -- locks and dense pools by a number of threads, compiled into each contestant.
 *
 *   own THREADS      every thread locks and unlocks a mutex of its own
 *   one THREADS      all threads the same one, with some forty steps of work between two lockings
 *   read THREADS     all threads read-lock the same read-write lock, likewise
 *   dense THREADS    every thread makes and drops 64 objects of 32 bytes in a pool of its own
 *
 * Wall time from the first start to the last end over all operations. A further thread sleeps beside
 * them, because libc's locks are cheaper in a process that has but one. A contestant defines
 * peer_mutex, peer_rwlock and the functions below, and includes this file, which has its main. */
#ifndef BENCH_SCALING_WORK_H
#define BENCH_SCALING_WORK_H

#include "worker.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OBJECTS = 64, OBJECT_BYTES = 32, STEPS = 40 };

static inline void peer_lock(peer_mutex *mutex);
static inline void peer_unlock(peer_mutex *mutex);
static inline void peer_read_lock(peer_rwlock *lock);
static inline void peer_read_unlock(peer_rwlock *lock);
static void *peer_pool(void); /* NULL: there is none */
static inline void peer_fill_and_empty(void *pool);
static void peer_version(void);

/* Two lines apart, since they are prefetched in pairs. */
static struct member {
    _Alignas(128) peer_mutex mutex;
    void *pool;
} members[WORKER_THREADS_MAX];
static _Alignas(128) peer_rwlock shared_lock;

static inline void work(uint64_t *random) {
    for (int i = 0; i < STEPS; i++)
        (void)worker_random(random);
    worker_keep(random);
}

static void run_own(void *context, unsigned thread, uint64_t count) {
    (void)context;
    for (uint64_t i = 0; i < count; i++) {
        peer_lock(&members[thread].mutex);
        worker_keep(members);
        peer_unlock(&members[thread].mutex);
    }
}

static void run_one(void *context, unsigned thread, uint64_t count) {
    uint64_t random = thread + 1;
    (void)context;
    for (uint64_t i = 0; i < count; i++) {
        peer_lock(&members[0].mutex);
        worker_keep(members);
        peer_unlock(&members[0].mutex);
        work(&random);
    }
}

static void run_read(void *context, unsigned thread, uint64_t count) {
    uint64_t random = thread + 1;
    (void)context;
    for (uint64_t i = 0; i < count; i++) {
        peer_read_lock(&shared_lock);
        worker_keep(members);
        peer_read_unlock(&shared_lock);
        work(&random);
    }
}

static void begin_dense(void *context, unsigned thread) {
    (void)context;
    members[thread].pool = peer_pool();
}

static void run_dense(void *context, unsigned thread, uint64_t count) {
    (void)context;
    for (uint64_t i = 0; i < count; i += OBJECTS)
        peer_fill_and_empty(members[thread].pool);
}

static void *sleep_for_ever(void *unused) {
    for (;;)
        pause();
    return unused;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        worker_load load;
    } patterns[] = {
        {"own", {.run = run_own}},
        {"one", {.run = run_one}},
        {"read", {.run = run_read}},
        {"dense", {.begin = begin_dense, .run = run_dense}},
    };
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        peer_version();
        return 0;
    }
    worker_arguments arguments = worker_read_arguments(argc, argv);
    pthread_t sleeper;
    if (pthread_create(&sleeper, NULL, sleep_for_ever, NULL) != 0)
        worker_fail("a thread could not be started");
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        worker_load load = patterns[i].load;
        if (strcmp(arguments.pattern, patterns[i].name) != 0)
            continue;
        load.thread_count = (unsigned)arguments.values[0];
        load.wall_of_all = true;
        return worker_measure(&arguments, &load);
    }
    worker_fail("usage: own THREADS | one THREADS | read THREADS | dense THREADS");
}

#endif
