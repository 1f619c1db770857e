/* SPDX-License-Identifier: MIT
 * ring_work.h -- the patterns of the ring bench, compiled into each contestant.
 *
 *      pair              one thread: an item in, an item out
 *      bulk              one thread: 32 items in, 32 items out; an operation is one item in and out
 *      pass P C          P producers, C consumers, as many of both; wall time / items
 *      wait P C N        the same threads, twice as many as CPUs: how long an item takes from insert to
 *                        remove, ns, the percentile N / 1000 of all items. Each producer inserts an item
 *                        every 20 us, so that this is delay, and not the length of a full queue
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
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- Delay ------------------------------------------------------------------------------- */

enum { DELAY_ITEMS = 2000, DELAY_PACE_NS = 20000 };

struct stamp {
    uint64_t inserted_ns, delay_ns;
};

static struct stamp *stamps;
static atomic_uint_fast64_t received;

static void *produce(void *argument) {
    struct stamp *own = argument;
    uint64_t next_ns = worker_now_ns();
    for (unsigned i = 0; i < DELAY_ITEMS; i++) {
        while (worker_now_ns() < next_ns)
            worker_pause();
        own[i].inserted_ns = worker_now_ns();
        ring_put(&own[i]);
        next_ns += DELAY_PACE_NS;
    }
    return NULL;
}

static void *consume(void *unused) {
    uint64_t all = (uint64_t)producer_count * DELAY_ITEMS;
    void *item;
    for (unsigned tries = 0; atomic_load(&received) < all;) {
        if (!peer_get(&item)) {
            ring_patience(&tries);
            continue;
        }
        struct stamp *stamp = item;
        stamp->delay_ns = worker_now_ns() - stamp->inserted_ns;
        atomic_fetch_add(&received, 1);
    }
    return unused;
}

static int by_delay(const void *a, const void *b) {
    uint64_t x = ((const struct stamp *)a)->delay_ns, y = ((const struct stamp *)b)->delay_ns;
    return (x > y) - (x < y);
}

/* One number a run: the percentile over all items, in per mille. */
static int measure_delay(unsigned per_mille) {
    pthread_t threads[WORKER_THREADS_MAX];
    unsigned count = 0;
    size_t all = (size_t)producer_count * DELAY_ITEMS;
    stamps = calloc(all, sizeof *stamps);
    if (!stamps)
        worker_fail("no memory");
    for (unsigned i = 0; i < consumer_count; i++)
        if (pthread_create(&threads[count++], NULL, consume, NULL) != 0)
            worker_fail("a thread could not be started");
    for (unsigned i = 0; i < producer_count; i++)
        if (pthread_create(&threads[count++], NULL, produce, stamps + (size_t)i * DELAY_ITEMS) != 0)
            worker_fail("a thread could not be started");
    while (count > 0)
        pthread_join(threads[--count], NULL);
    qsort(stamps, all, sizeof *stamps, by_delay);
    printf("%llu\n", (unsigned long long)stamps[all * per_mille / 1000].delay_ns);
    free(stamps);
    return 0;
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
    producer_count = (unsigned)arguments.values[0];
    consumer_count = (unsigned)arguments.values[1];
    if (producer_count + consumer_count > WORKER_THREADS_MAX || producer_count != consumer_count)
        worker_fail("as many producers as consumers, together at most %d", WORKER_THREADS_MAX);
    peer_open(RING_SLOTS, pattern[strlen(pattern) - 1] == '1');
    if (is_pattern(pattern, "wait"))
        return measure_delay((unsigned)arguments.values[2]);
    if (is_pattern(pattern, "pair"))
        load.run = run_pair;
    else if (is_pattern(pattern, "bulk"))
        load.run = run_bulk;
    else if (is_pattern(pattern, "pass")) {
        load.run = run_pass;
        load.thread_count = producer_count + consumer_count;
        load.wall_of_all = true;
    } else
        worker_fail("usage: pair | bulk | pass P C | wait P C PER_MILLE");
    return worker_measure(&arguments, &load);
}

#endif
