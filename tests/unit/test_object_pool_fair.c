/* SPDX-License-Identifier: MIT
 * What lido/object_pool.h promises to those who wait, counted from outside: how often each was
 * passed, and whether anybody sleeps beside a free object. */
#include "object_factory.h"

enum { PASS_ROUNDS = 60, REST_ROUNDS = 200, OBJECTS = 4, THREADS = 8 };

static lido_object_pool *pool_in_order(struct factory *factory, uint64_t object_limit,
                                       lido_object_pool_order order, uint64_t overtake_limit) {
    lido_object_pool *pool = NULL;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = object_limit, .order = order,
                                 .overtake_limit = overtake_limit, .create = create_object,
                                 .destroy = destroy_object, .context = factory),
        &pool));
    return pool;
}

static void end(lido_object_pool *pool, struct factory *factory) {
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(factory);
}

/* A thread that acquires once, tells it, and holds until its gate opens. */
struct taker {
    struct crowd *crowd;
    _Atomic bool holds;
    struct check_gate keep;
    struct check_thread thread;
};

struct crowd {
    lido_object_pool *pool;
    _Atomic int served, wanted; /* the wanted-th who is served opens the gate */
    struct check_gate reached;
};

static void take(void *context) {
    struct taker *taker = context;
    struct crowd *crowd = taker->crowd;
    lido_lease lease;
    CHECK_OK(lido_object_pool_acquire(crowd->pool, LIDO_SECONDS(100), &lease));
    taker->holds = true;
    if (++crowd->served == crowd->wanted)
        check_gate_open(&crowd->reached);
    check_gate_pass(&taker->keep);
    CHECK_OK(lido_object_pool_release(crowd->pool, &lease));
}

static void start(struct taker *taker, struct crowd *crowd) {
    *taker = (struct taker){.crowd = crowd};
    check_start(&taker->thread, take, taker);
}

/* Not check_join, in which time passes: here it must stand still until somebody else waits for it. */
static void finish(struct taker *taker) {
    check_gate_open(&taker->keep);
    CHECK_EQ(pthread_join(taker->thread.id, NULL), 0);
}

static void await_waiters(lido_object_pool *pool, uint64_t count) {
    while (object_stats(pool).waiting < count)
        sched_yield();
}

/* ---- How often a waiter is passed --------------------------------------------------------------- */

/* Gives back the only object and takes it again while another thread waits for it, until that one
 * has it and keeps it. */
static uint64_t pass_a_waiter(lido_object_pool *pool) {
    struct crowd crowd = {.pool = pool};
    struct taker waiter;
    lido_lease lease;
    uint64_t passed = 0;
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    start(&waiter, &crowd);
    await_waiters(pool, 1);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    while (lido_object_pool_try_acquire(pool, &lease) == LIDO_OK) {
        CHECK_OK(lido_object_pool_release(pool, &lease));
        passed++;
    }
    finish(&waiter);
    return passed;
}

static void no_waiter_is_passed_more_often_than_the_bound(void **state) {
    (void)state;
    static const uint64_t limits[] = {1, 3, 8, 100};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct factory factory = factory_start();
        lido_object_pool *pool = pool_in_order(&factory, 1, LIDO_OBJECT_POOL_BOUNDED, limits[i]);
        for (int round = 0; round < PASS_ROUNDS; round++)
            CHECK(pass_a_waiter(pool) <= limits[i]);
        end(pool, &factory);
    }
}

static void in_strict_order_no_waiter_is_ever_passed(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_in_order(&factory, 1, LIDO_OBJECT_POOL_STRICT, 0);
    for (int round = 0; round < PASS_ROUNDS; round++)
        CHECK_EQ(pass_a_waiter(pool), 0);
    end(pool, &factory);
}

/* ---- Nobody sleeps beside a free object ---------------------------------------------------------- */

/* Some of those who hold give back, and as many of those who wait must come to hold: if one slept
 * on, time would pass and its acquire would fail. Then as many begin to wait again. */
static void change_holders(struct taker *takers, struct crowd *crowd, int count, int *first) {
    crowd->served = 0;
    crowd->wanted = count;
    crowd->reached = (struct check_gate){0};
    int left = count;
    for (int i = 0; left > 0; i++) {
        struct taker *taker = &takers[(*first + i) % THREADS];
        if (!taker->crowd || !taker->holds)
            continue; /* it has given back, or waits */
        finish(taker);
        taker->crowd = NULL;
        left--;
    }
    check_gate_pass(&crowd->reached);
    lido_object_pool_stats stats = object_stats(crowd->pool);
    CHECK_EQ(stats.live, OBJECTS);
    CHECK_EQ(stats.idle, 0);
    CHECK_EQ(stats.waiting, THREADS - OBJECTS - count);
    for (int i = 0; i < THREADS; i++) {
        if (!takers[i].crowd)
            start(&takers[i], crowd);
    }
    await_waiters(crowd->pool, THREADS - OBJECTS);
    *first += 3;
}

static void at_rest_nobody_waits_beside_a_free_object(void **state) {
    (void)state;
    static const lido_object_pool_order orders[] = {
        LIDO_OBJECT_POOL_BOUNDED, LIDO_OBJECT_POOL_STRICT, LIDO_OBJECT_POOL_UNORDERED};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct check_random random = check_random_start(i + 1);
        struct taker takers[THREADS];
        struct factory factory = factory_start();
        struct crowd crowd = {.pool = pool_in_order(&factory, OBJECTS, orders[i], 0),
                              .wanted = OBJECTS};
        int first = 0;
        for (int k = 0; k < THREADS; k++)
            start(&takers[k], &crowd);
        check_gate_pass(&crowd.reached);
        await_waiters(crowd.pool, THREADS - OBJECTS);
        for (int round = 0; round < REST_ROUNDS; round++)
            change_holders(takers, &crowd, 1 + (int)check_random_below(&random, OBJECTS), &first);
        for (int k = 0; k < THREADS; k++)
            check_gate_open(&takers[k].keep);
        for (int k = 0; k < THREADS; k++)
            check_join(&takers[k].thread);
        CHECK_EQ(object_stats(crowd.pool).timeouts, 0);
        end(crowd.pool, &factory);
    }
}

CHECK_MAIN(TEST(no_waiter_is_passed_more_often_than_the_bound),
           TEST(in_strict_order_no_waiter_is_ever_passed),
           TEST(at_rest_nobody_waits_beside_a_free_object))
