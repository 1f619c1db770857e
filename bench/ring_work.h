/* SPDX-License-Identifier: MIT
 * ring_work.h -- the patterns of the ring bench, compiled into each contestant.
 *
 *      pair ALIVE        one thread: an item in, an item out; while ALIVE other threads sleep
 *      bulk              one thread: 32 items in, 32 items out; an operation is one item in and out
 *      pass P C          P producers, C consumers, as many of both; wall time / items
 *      tail P C N        the same threads, more than CPUs: the percentile N / 1000 of many windows of
 *                        500 items a producer, wall time / items. One thread that is preempted at a bad
 *                        place, and all who spin for it, make a bad window
 *      pair1, bulk1, pass1   the same, by the peer's form for one producer and one consumer
 *
 * Who finds the ring full or empty tries again, and gives the CPU away every 64 tries, in all
 * contestants alike. The ring has 1,024 slots. A contestant includes this file, which has its main,
 * and defines the functions below; the compiler may inline them. peer_put and peer_get return how
 * many items were moved. */
#ifndef BENCH_RING_WORK_H
#define BENCH_RING_WORK_H

#include "worker.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RING_SLOTS = 1024, RING_BULK = 32, RING_PATIENCE = 64 };

static void peer_open(unsigned slots, bool single);
static inline bool peer_put(void *item);
static inline bool peer_get(void **item);
static inline unsigned peer_put_many(void **items, unsigned count);
static inline unsigned peer_get_many(void **items, unsigned count);
static void peer_version(void);

static unsigned producer_count, consumer_count;

static inline void ring_patience(unsigned *tries) {
    if (++*tries % RING_PATIENCE == 0)
        sched_yield();
    else
        worker_pause();
}

static inline void ring_put(void *item) {
    for (unsigned tries = 0; !peer_put(item);)
        ring_patience(&tries);
}

static inline void *ring_get(void) {
    void *item;
    for (unsigned tries = 0; !peer_get(&item);)
        ring_patience(&tries);
    return item;
}

static void run_pair(void *context, unsigned thread, uint64_t count) {
    (void)context, (void)thread;
    for (uint64_t i = 0; i < count; i++) {
        ring_put(&producer_count);
        worker_keep(ring_get());
    }
}

static void run_bulk(void *context, unsigned thread, uint64_t count) {
    (void)context, (void)thread;
    void *items[RING_BULK] = {0};
    for (uint64_t i = 0; i < count; i += RING_BULK) {
        if (peer_put_many(items, RING_BULK) != RING_BULK ||
            peer_get_many(items, RING_BULK) != RING_BULK)
            worker_fail("bulk: not all were moved");
        worker_keep(items[0]);
    }
}

/* Operations are half items here: a producer moves two of them in for each it counts, and a consumer
 * two out; so the worker's threads * count is the number of items. */
static void run_pass(void *context, unsigned thread, uint64_t count) {
    (void)context;
    if (thread % 2 == 0)
        for (uint64_t i = 0; i < 2 * count; i++)
            ring_put(&producer_count);
    else
        for (uint64_t i = 0; i < 2 * count; i++)
            worker_keep(ring_get());
}

/* ---- The tail ------------------------------------------------------------------------------ */

/* The median needs fewer windows than what lies at the end. */
enum { TAIL_ITEMS = 500, TAIL_WINDOWS = 1000, TAIL_WINDOWS_MAX = 10000 };
static const uint64_t tail_end_ns = UINT64_C(1000000000); /* fewer windows then */

static struct {
    pthread_barrier_t barrier;
    bool goes_on;
    unsigned count, enough;
    double cost_ns[TAIL_WINDOWS_MAX];
} windows;

/* Thread 0 keeps the time, between barriers that nobody passes without it. */
static void *run_tail(void *argument) {
    unsigned thread = *(unsigned *)argument;
    uint64_t first_ns = worker_now_ns();
    for (bool goes_on = true; goes_on;) {
        pthread_barrier_wait(&windows.barrier);
        uint64_t start_ns = worker_now_ns();
        run_pass(NULL, thread, TAIL_ITEMS / 2);
        pthread_barrier_wait(&windows.barrier);
        if (thread == 0) {
            uint64_t now_ns = worker_now_ns();
            windows.cost_ns[windows.count++] =
                (double)(now_ns - start_ns) / (TAIL_ITEMS * producer_count);
            windows.goes_on = windows.count < windows.enough && now_ns - first_ns < tail_end_ns;
        }
        pthread_barrier_wait(&windows.barrier);
        goes_on = windows.goes_on;
    }
    return NULL;
}

static int by_cost(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One number a run. */
static int measure_tail(unsigned per_mille) {
    pthread_t threads[WORKER_THREADS_MAX];
    unsigned numbers[WORKER_THREADS_MAX], count = producer_count + consumer_count;
    windows.enough = per_mille > 500 ? TAIL_WINDOWS_MAX : TAIL_WINDOWS;
    pthread_barrier_init(&windows.barrier, NULL, count);
    for (unsigned i = 0; i < count; i++) {
        numbers[i] = i;
        if (pthread_create(&threads[i], NULL, run_tail, &numbers[i]) != 0)
            worker_fail("a thread could not be started");
    }
    while (count > 0)
        pthread_join(threads[--count], NULL);
    qsort(windows.cost_ns, windows.count, sizeof windows.cost_ns[0], by_cost);
    printf("%.1f\n", windows.cost_ns[(size_t)windows.count * per_mille / 1000]);
    return 0;
}

static void *sleep_for_ever(void *unused) {
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

static void start_sleepers(unsigned count) {
    pthread_t sleeper;
    while (count-- > 0)
        if (pthread_create(&sleeper, NULL, sleep_for_ever, NULL) != 0)
            worker_fail("a thread could not be started");
}

static bool is_pattern(const char *given, const char *name) {
    size_t length = strlen(name);
    return strncmp(given, name, length) == 0 &&
           (given[length] == '\0' || strcmp(given + length, "1") == 0);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        peer_version();
        return 0;
    }
    worker_arguments arguments = worker_read_arguments(argc, argv);
    const char *pattern = arguments.pattern;
    worker_load load = {.thread_count = 1};
    unsigned alive = is_pattern(pattern, "pair") ? (unsigned)arguments.values[0] : 0;
    producer_count = (unsigned)arguments.values[0];
    consumer_count = (unsigned)arguments.values[1];
    if (producer_count + consumer_count > WORKER_THREADS_MAX || producer_count != consumer_count)
        worker_fail("as many producers as consumers, together at most %d", WORKER_THREADS_MAX);
    peer_open(RING_SLOTS, pattern[strlen(pattern) - 1] == '1');
    if (is_pattern(pattern, "tail"))
        return measure_tail((unsigned)arguments.values[2]);
    if (is_pattern(pattern, "pair")) {
        load.run = run_pair;
        start_sleepers(alive);
    } else if (is_pattern(pattern, "bulk"))
        load.run = run_bulk;
    else if (is_pattern(pattern, "pass")) {
        load.run = run_pass;
        load.thread_count = producer_count + consumer_count;
        load.wall_of_all = true;
    } else
        worker_fail("usage: pair ALIVE | bulk | pass P C | tail P C PER_MILLE");
    return worker_measure(&arguments, &load);
}

#endif
