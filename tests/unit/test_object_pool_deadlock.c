/* SPDX-License-Identifier: MIT
 * Waits that could never end are refused when they begin, and no others: over one pool, several
 * pools, and pools and locks together. */
#include "object_factory.h"

#include "base/word.h"

#include <lido/lock.h>

/* A thread that takes something, goes to its gate, and then takes more. */
struct taker {
    lido_object_pool *first, *second;
    lido_mutex *lock; /* instead of first */
    struct check_gate has_first, go_on;
    uint64_t timeout_ns;
    _Atomic int status;
    lido_lease mine, more;
    struct check_thread thread;
};

static void take_two(void *context) {
    struct taker *taker = context;
    if (taker->lock)
        CHECK_OK(lido_mutex_lock_at(taker->lock, "lock.c:1"));
    else
        CHECK_OK(lido_object_pool_acquire_at(taker->first, 0, &taker->mine, "first.c:1"));
    check_gate_pass(&taker->has_first);
    lido_status status =
        lido_object_pool_acquire_at(taker->second, taker->timeout_ns, &taker->more, "second.c:2");
    taker->status = status;
    if (status == LIDO_OK)
        CHECK_OK(lido_object_pool_release(taker->second, &taker->more));
    else
        CHECK(taker->more.object == NULL);
    check_gate_pass(&taker->go_on);
    if (taker->lock)
        CHECK_OK(lido_mutex_unlock(taker->lock));
    else
        CHECK_OK(lido_object_pool_release(taker->first, &taker->mine));
}

static void start(struct taker *taker) {
    taker->timeout_ns = LIDO_FOREVER;
    taker->status = 1;
    check_start(&taker->thread, take_two, taker);
    check_gate_await(&taker->has_first, 1);
}

/* Lets it take its second, and waits until it sleeps for it. */
static void send_to_sleep(struct taker *taker, int sleepers) {
    check_gate_open(&taker->has_first);
    check_await_sleepers(sleepers);
}

static void finish(struct taker *taker) {
    check_gate_open(&taker->has_first);
    check_gate_open(&taker->go_on);
    check_join(&taker->thread);
    CHECK_EQ(taker->status, LIDO_OK);
}

static void end(lido_object_pool *pool, struct factory *factory) {
    check_object_figures(pool);
    CHECK_EQ(object_stats(pool).live, 0);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(factory);
}

static void a_thread_that_holds_all_is_refused_another_at_once(void **state) {
    (void)state;
    lido_lease leases[2], more;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 2);
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &leases[0], "held.c:5"));
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &leases[1], "held.c:5"));
    uint64_t start_ns = lido_now_ns();
    CHECK_FAILS(lido_object_pool_acquire_at(pool, LIDO_FOREVER, &more, "wait.c:9"),
                LIDO_ERR_DEADLOCK, "parsers");
    CHECK_ERROR_HAS("waiting at wait.c:9");
    CHECK_ERROR_HAS("acquired at held.c:5");
    CHECK(more.object == NULL && lido_now_ns() == start_ns);
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_SECONDS(1), &more), LIDO_ERR_DEADLOCK,
                "parsers");
    CHECK_FAILS(lido_object_pool_acquire_until(pool, start_ns + 1, &more), LIDO_ERR_DEADLOCK,
                "parsers");
    CHECK_FAILS(lido_object_pool_try_acquire(pool, &more), LIDO_ERR_EMPTY, "parsers");
    CHECK_EQ(lido_status_advice(LIDO_ERR_DEADLOCK), LIDO_ADVICE_BUG);
    CHECK_EQ(object_stats(pool).waiting, 0);
    CHECK_OK(lido_object_pool_release(pool, &leases[0]));
    CHECK_OK(lido_object_pool_acquire(pool, 0, &more));
    CHECK_OK(lido_object_pool_release(pool, &more));
    CHECK_OK(lido_object_pool_release(pool, &leases[1]));
    end(pool, &factory);
}

static void the_last_of_all_holders_to_wait_is_refused_and_both_lines_are_named(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 2);
    struct taker other = {.first = pool, .second = pool};
    lido_lease lease, more;
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    start(&other);
    send_to_sleep(&other, 1);
    CHECK_FAILS(lido_object_pool_acquire_at(pool, LIDO_FOREVER, &more, "mine.c:3"),
                LIDO_ERR_DEADLOCK, "waiting at mine.c:3");
    CHECK_ERROR_HAS("acquired at first.c:1 and waits at second.c:2");
    CHECK_ERROR_HAS("circle: 2");
    CHECK_EQ(other.status, 1); /* the one that waits goes on waiting */
    CHECK_OK(lido_object_pool_release(pool, &lease));
    finish(&other);
    end(pool, &factory);
}

static void a_circle_over_two_pools_is_found(void **state) {
    (void)state;
    struct factory a_factory = factory_start(), b_factory = factory_start();
    lido_object_pool *a = pool_of(&a_factory, 1), *b = pool_of(&b_factory, 1);
    struct taker other = {.first = b, .second = a};
    lido_lease lease, more;
    CHECK_OK(lido_object_pool_acquire(a, 0, &lease));
    start(&other);
    send_to_sleep(&other, 1);
    CHECK_FAILS(lido_object_pool_acquire(b, LIDO_SECONDS(9), &more), LIDO_ERR_DEADLOCK,
                "acquired at first.c:1 and waits at second.c:2");
    CHECK_OK(lido_object_pool_release(a, &lease));
    finish(&other);
    end(a, &a_factory);
    end(b, &b_factory);
}

static void a_circle_over_a_pool_and_a_lock_is_found(void **state) {
    (void)state;
    lido_mutex lock = LIDO_MUTEX_INIT("orders");
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    struct taker other = {.lock = &lock, .second = pool};
    lido_lease lease;
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    start(&other);
    send_to_sleep(&other, 1);
    CHECK_FAILS(lido_mutex_lock_for(&lock, LIDO_FOREVER), LIDO_ERR_DEADLOCK, "second.c:2");
    CHECK_OK(lido_object_pool_release(pool, &lease));
    finish(&other);
    CHECK_OK(lido_mutex_destroy(&lock));
    end(pool, &factory);
}

/* ---- Waits that may end ---------------------------------------------------------------------- */

static void one_holder_that_runs_is_enough_to_wait_for(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 3);
    struct taker waiting = {.first = pool, .second = pool};
    struct taker running = {.first = pool, .second = pool};
    lido_lease lease, more;
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    start(&waiting);
    start(&running); /* at its gate, which lido does not know */
    send_to_sleep(&waiting, 1);
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_SECONDS(1), &more), LIDO_ERR_TIMEOUT,
                "parsers");
    CHECK_OK(lido_object_pool_release(pool, &lease));
    check_gate_open(&waiting.go_on);
    check_join(&waiting.thread);
    finish(&running);
    end(pool, &factory);
}

static void take_and_end(void *context) {
    struct taker *taker = context;
    CHECK_OK(lido_object_pool_acquire_at(taker->first, 0, &taker->mine, "first.c:1"));
}

/* Others may still release what it left: so that is a leak, and no circle. */
static void an_object_of_an_ended_thread_is_no_circle(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    struct taker taker = {.first = pool};
    lido_lease more;
    check_in_thread(take_and_end, &taker);
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_SECONDS(1), &more), LIDO_ERR_TIMEOUT,
                "first.c:1");
    CHECK_OK(lido_object_pool_release(pool, &taker.mine));
    end(pool, &factory);
}

static void in_a_pool_whose_leases_are_handed_on_every_wait_is_allowed(void **state) {
    (void)state;
    lido_object_pool *pool = NULL;
    lido_lease lease, more;
    struct factory factory = factory_start();
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "buffers", .object_limit = 1, .create = create_object,
                                 .destroy = destroy_object, .context = &factory,
                                 .released_by = LIDO_OBJECT_POOL_RELEASED_BY_ANYONE),
        &pool));
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_SECONDS(1), &more), LIDO_ERR_TIMEOUT,
                "buffers");
    CHECK_OK(lido_object_pool_release(pool, &lease));
    end(pool, &factory);
}

/* ---- Who releases, learnt ---------------------------------------------------------------------- */

enum { TRUST = 64 };

struct helper {
    lido_object_pool *pool;
    lido_lease *lease;
    bool waits; /* until this test sleeps */
};

static void release_for_another(void *context) {
    struct helper *helper = context;
    lido_lease own;
    if (helper->waits)
        check_await_sleepers(1);
    else { /* from now on its releases are fast */
        CHECK_OK(lido_object_pool_acquire(helper->pool, 0, &own));
        CHECK_OK(lido_object_pool_release(helper->pool, &own));
    }
    CHECK_OK(lido_object_pool_release(helper->pool, helper->lease));
}

/* Not of a process with one thread, of which all is known. */
static lido_object_pool *learning_pool(struct factory *factory, uint64_t limit) {
    lido_object_pool *pool = NULL;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "buffers", .object_limit = limit, .create = create_object,
                                 .destroy = destroy_object, .context = factory),
        &pool));
    return pool;
}

static void cycle(lido_object_pool *pool, int count) {
    lido_lease lease;
    for (int i = 0; i < count; i++) {
        CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
        CHECK_OK(lido_object_pool_release(pool, &lease));
        CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
        CHECK_OK(lido_object_pool_discard(pool, &lease));
    }
}

static void check_wait_ends_as(lido_object_pool *pool, lido_status status) {
    lido_lease lease, more;
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_SECONDS(1), &more), status, "buffers");
    CHECK_OK(lido_object_pool_release(pool, &lease));
}

static void a_producer_may_wait_for_its_consumer_in_a_new_pool(void **state) {
    (void)state;
    struct check_thread thread;
    lido_lease lease, more;
    struct factory factory = factory_start();
    lido_object_pool *pool = learning_pool(&factory, 1);
    struct helper helper = {.pool = pool, .lease = &lease, .waits = true};
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    check_start(&thread, release_for_another, &helper);
    CHECK_OK(lido_object_pool_acquire(pool, LIDO_FOREVER, &more));
    check_join(&thread);
    CHECK_OK(lido_object_pool_release(pool, &more));
    cycle(pool, 2 * TRUST);
    check_wait_ends_as(pool, LIDO_ERR_TIMEOUT); /* it has been seen, for good */
    end(pool, &factory);
}

static void nothing(void *context) {
    (void)context;
}

static void a_pool_learns_that_its_acquirers_release(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = learning_pool(&factory, 1);
    check_in_thread(nothing, NULL); /* there have been other threads */
    cycle(pool, TRUST - 1);
    check_wait_ends_as(pool, LIDO_ERR_TIMEOUT);
    check_wait_ends_as(pool, LIDO_ERR_DEADLOCK);
    end(pool, &factory);
}

static void a_pool_learns_from_fast_releases_of_others(void **state) {
    (void)state;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = learning_pool(&factory, 8);
    struct helper helper = {.pool = pool, .lease = &lease};
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    check_in_thread(release_for_another, &helper);
    cycle(pool, 2 * TRUST);
    CHECK_OK(lido_object_pool_set_object_limit(pool, 1));
    check_wait_ends_as(pool, LIDO_ERR_TIMEOUT);
    end(pool, &factory);
}

/* Must come first: the C library does not forget that there were other threads. */
static void a_process_of_one_thread_has_nothing_to_learn(void **state) {
    (void)state;
    if (!LIDO__IS_ALONE())
        skip(); /* a C library that does not tell */
    struct factory factory = factory_start();
    lido_object_pool *pool = learning_pool(&factory, 1);
    check_wait_ends_as(pool, LIDO_ERR_DEADLOCK);
    end(pool, &factory);
}

/* In a forked child, threads of the parent neither wait nor run; this one is still itself. */
static void wait_in_child(void *context) {
    lido_object_pool *pool = context;
    lido_lease more;
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_FOREVER, &more), LIDO_ERR_DEADLOCK, "parsers");
}

static void a_forked_child_finds_its_own_circles(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    lido_lease lease, more;
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_FOREVER, &more), LIDO_ERR_DEADLOCK, "parsers");
    CHECK_EQ(check_child(wait_in_child, pool), 0);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    end(pool, &factory);
}

/* ---- Many at once ------------------------------------------------------------------------------ */

enum { THREADS = 6, ROUNDS = 400 };

/* Two objects each, from a pool of as many as threads: without refusals it would hang. */
static void take_pairs(void *context) {
    lido_object_pool *pool = context;
    for (int i = 0; i < ROUNDS; i++) {
        lido_lease first, second;
        CHECK_OK(lido_object_pool_acquire(pool, LIDO_FOREVER, &first));
        lido_status status = lido_object_pool_acquire(pool, LIDO_FOREVER, &second);
        CHECK(status == LIDO_OK || status == LIDO_ERR_DEADLOCK);
        CHECK_OK(lido_object_pool_release(pool, &first));
        CHECK_OK(lido_object_pool_release(pool, &second));
    }
}

static void threads_that_take_pairs_never_hang(void **state) {
    (void)state;
    struct check_thread threads[THREADS];
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, THREADS);
    lido_object_pool *narrow = pool_of(&factory, 2);
    for (int i = 0; i < THREADS; i++)
        check_start(&threads[i], take_pairs, i % 2 ? pool : narrow);
    for (int i = 0; i < THREADS; i++)
        check_join(&threads[i]);
    CHECK_OK(lido_object_pool_destroy(narrow));
    end(pool, &factory);
}

CHECK_MAIN(TEST(a_process_of_one_thread_has_nothing_to_learn),
           TEST(a_thread_that_holds_all_is_refused_another_at_once),
           TEST(the_last_of_all_holders_to_wait_is_refused_and_both_lines_are_named),
           TEST(a_circle_over_two_pools_is_found), TEST(a_circle_over_a_pool_and_a_lock_is_found),
           TEST(one_holder_that_runs_is_enough_to_wait_for),
           TEST(an_object_of_an_ended_thread_is_no_circle),
           TEST(in_a_pool_whose_leases_are_handed_on_every_wait_is_allowed),
           TEST(a_producer_may_wait_for_its_consumer_in_a_new_pool),
           TEST(a_pool_learns_that_its_acquirers_release),
           TEST(a_pool_learns_from_fast_releases_of_others),
           TEST(a_forked_child_finds_its_own_circles), TEST(threads_that_take_pairs_never_hang))
