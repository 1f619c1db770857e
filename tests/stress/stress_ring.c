/* SPDX-License-Identifier: MIT
 * lido/ring.h under threads that do everything at once: each item arrives once, items of one producer
 * in their order, nobody sleeps for ever, close and fork in the middle of it. */
#include "stress.h"

#include <lido/ring.h>

enum { PRODUCERS = 3, CONSUMERS = 3, WORKERS = PRODUCERS + CONSUMERS, CASES = 4, BATCH = 5 };
enum { NUMBER_BITS = 24, NUMBER_MASK = (1 << NUMBER_BITS) - 1 };

struct worker {
    lido_ring *ring;
    struct check_random random;
    uint64_t number; /* of a producer, from 1 */
    uint64_t inserted, removed, sum;
    uint64_t seen[PRODUCERS + 1]; /* the last item of each producer */
};

static void *next_item(struct worker *worker, uint64_t ahead) {
    return (void *)(uintptr_t)(worker->number << NUMBER_BITS | (worker->inserted + ahead + 1));
}

static void count_in(struct worker *worker, uint64_t count) {
    for (; count > 0; count--)
        worker->sum += (uintptr_t)next_item(worker, 0), worker->inserted++;
}

/* Returns how many went in. */
static uint64_t insert_some(struct worker *worker) {
    void *items[BATCH];
    for (uint64_t i = 0; i < BATCH; i++)
        items[i] = next_item(worker, i);
    switch (check_random_below(&worker->random, 5)) {
    case 0:
        return lido_ring_try_insert(worker->ring, items[0]) == LIDO_OK;
    case 1:
        return lido_ring_insert(worker->ring, items[0],
                                check_random_below(&worker->random, LIDO_MICROSECONDS(200))) ==
               LIDO_OK;
    case 2:
        return lido_ring_insert_until(worker->ring, items[0], LIDO_FOREVER) == LIDO_OK;
    case 3:
        return lido_ring_try_insert_many(worker->ring, BATCH, items);
    default:
        return lido_ring_insert_many(worker->ring, BATCH, items, LIDO_SECONDS(100));
    }
}

static void produce(void *context) {
    struct worker *worker = context;
    while (stress_goes_on() && worker->inserted < NUMBER_MASK - BATCH)
        count_in(worker, insert_some(worker));
}

static uint64_t remove_some(struct worker *worker, void *items[BATCH]) {
    switch (check_random_below(&worker->random, 5)) {
    case 0:
        return lido_ring_try_remove(worker->ring, &items[0]) == LIDO_OK;
    case 1:
        return lido_ring_remove(worker->ring,
                                check_random_below(&worker->random, LIDO_MICROSECONDS(200)),
                                &items[0]) == LIDO_OK;
    case 2:
        return lido_ring_remove_until(worker->ring, LIDO_FOREVER, &items[0]) == LIDO_OK;
    case 3:
        return lido_ring_try_remove_many(worker->ring, BATCH, items);
    default:
        return lido_ring_remove_many(worker->ring, LIDO_SECONDS(100), BATCH, items);
    }
}

static void consume(void *context) {
    struct worker *worker = context;
    for (uint64_t count = 1; count > 0 || lido_last_status() != LIDO_ERR_CLOSED;) {
        void *items[BATCH];
        count = remove_some(worker, items);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t item = (uintptr_t)items[i], producer = item >> NUMBER_BITS;
            CHECK(producer >= 1 && producer <= PRODUCERS);
            CHECK(worker->seen[producer] < (item & NUMBER_MASK));
            worker->seen[producer] = item & NUMBER_MASK;
            worker->sum += item;
            worker->removed++;
        }
    }
}

/* Producers end by time, then the ring is closed, then consumers end by that. */
static void pass_items(uint64_t capacity, void (*meanwhile)(lido_ring *ring)) {
    struct worker workers[WORKERS];
    struct check_thread threads[WORKERS];
    lido_ring *ring = NULL;
    uint64_t in = 0, out = 0, sum = 0;
    CHECK_OK(lido_ring_create(LIDO_RING_OPTIONS(.capacity = capacity), &ring));
    for (uint64_t i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.ring = ring, .random = check_random_start(i)};
        workers[i].number = i + 1;
        check_start(&threads[i], i < PRODUCERS ? produce : consume, &workers[i]);
    }
    if (meanwhile)
        meanwhile(ring);
    for (int i = 0; i < WORKERS; i++) {
        if (i == PRODUCERS)
            lido_ring_close(ring);
        check_join(&threads[i]);
        in += workers[i].inserted;
        out += workers[i].removed;
        sum += i < PRODUCERS ? workers[i].sum : -workers[i].sum;
    }
    lido_ring_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_ring_read_stats(ring, &stats));
    CHECK_EQ(in, out);
    CHECK_EQ(sum, 0);
    CHECK_EQ(stats.inserted, in);
    CHECK_EQ(stats.removed, out);
    CHECK_EQ(stats.inserters_waiting + stats.removers_waiting, 0);
    CHECK_OK(lido_ring_destroy(ring));
}

static void items_arrive_once_and_in_order(void **state) {
    (void)state;
    stress_start(CASES);
    pass_items(64, NULL);
    stress_end("calls that put items in");
}

static void a_ring_of_two_slots_serves_six_threads(void **state) {
    (void)state;
    stress_start(CASES);
    pass_items(2, NULL);
    stress_end("calls that put items in");
}

static void a_ring_closes_at_any_moment(void **state) {
    (void)state;
    stress_start(CASES);
    while (stress_goes_on()) {
        struct worker worker = {.random = check_random_start(stress__rounds), .number = 1};
        struct check_thread thread, thread2;
        struct worker sink = {.random = check_random_start(stress__rounds + 1)};
        struct worker sink2 = sink;
        CHECK_OK(lido_ring_create(LIDO_RING_OPTIONS(.capacity = 2), &worker.ring));
        sink.ring = sink2.ring = worker.ring;
        check_start(&thread, consume, &sink);
        check_start(&thread2, consume, &sink2);
        for (uint64_t i = check_random_below(&worker.random, 8); i > 0; i--)
            count_in(&worker, insert_some(&worker));
        lido_ring_close(worker.ring);
        check_join(&thread);
        check_join(&thread2);
        CHECK_EQ(worker.inserted, sink.removed + sink2.removed);
        CHECK_EQ(worker.sum, sink.sum + sink2.sum);
        CHECK_OK(lido_ring_destroy(worker.ring));
    }
    stress_end("rings closed");
}

/* In a child: alone with a ring whose other users are not there. */
static void use_alone(void *context) {
    lido_ring *ring = context;
    lido_ring_stats stats = {.struct_size = sizeof stats};
    void *item;
    alarm(CHECK_CHILD_SECONDS);
    CHECK_OK(lido_ring_read_stats(ring, &stats));
    CHECK(stats.length <= stats.capacity);
    for (; stats.length > 0; stats.length--) {
        CHECK_OK(lido_ring_try_remove(ring, &item));
        CHECK((uintptr_t)item >> NUMBER_BITS >= 1 && (uintptr_t)item >> NUMBER_BITS <= PRODUCERS);
    }
    CHECK_EQ(lido_ring_remove(ring, 0, &item), LIDO_ERR_TIMEOUT);
    for (int i = 0; i < 100; i++) {
        CHECK_OK(lido_ring_insert(ring, ring, LIDO_SECONDS(1)));
        CHECK_OK(lido_ring_remove(ring, LIDO_SECONDS(1), &item));
        CHECK(item == (void *)ring);
    }
}

static void fork_now_and_then(lido_ring *ring) {
    while (stress_goes_on()) {
        CHECK_EQ(check_child(use_alone, ring), 0);
        sched_yield();
    }
}

static void a_forked_child_goes_on_alone(void **state) {
    (void)state;
    stress_start(CASES);
    pass_items(8, fork_now_and_then);
    stress_end("forks and rounds");
}

CHECK_MAIN(TEST(items_arrive_once_and_in_order), TEST(a_ring_of_two_slots_serves_six_threads),
           TEST(a_ring_closes_at_any_moment), TEST(a_forked_child_goes_on_alone))
