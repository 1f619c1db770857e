/* SPDX-License-Identifier: MIT
 * lido/object_pool.h under threads that do everything at once, with callbacks that fail now and
 * then: no object has two holders, every one that was built is ended, nobody waits for ever. */
#include "object_factory.h"
#include "stress.h"

#include <lido/object_leases.h>

enum { WORKERS = 6, LIMIT = 3, CASES = 6 };

struct worker {
    lido_object_pool *pool;
    struct factory *factory;
    struct check_random random;
    uint64_t acquired, unserved;
};

static lido_status acquire(struct worker *worker, lido_lease *lease) {
    switch (check_random_below(&worker->random, 4)) {
    case 0:
        return lido_object_pool_try_acquire(worker->pool, lease);
    case 1:
        return lido_object_pool_acquire(
            worker->pool, check_random_below(&worker->random, LIDO_MICROSECONDS(200)), lease);
    case 2:
        return lido_object_pool_acquire_until(
            worker->pool, lido_now_ns() + check_random_below(&worker->random, 100000), lease);
    default:
        return lido_object_pool_acquire(worker->pool, LIDO_SECONDS(100), lease);
    }
}

static void use(struct worker *worker, lido_lease *lease) {
    struct object *object = lease->object;
    lido_lease copy = *lease;
    CHECK_EQ(++object->holders, 1);
    if (check_random_below(&worker->random, 8) == 0)
        sched_yield();
    CHECK(object->state == IDLE_OR_CLAIMED);
    CHECK_EQ(--object->holders, 0);
    CHECK_OK(check_random_below(&worker->random, 20) == 0
                 ? lido_object_pool_discard(worker->pool, lease)
                 : lido_object_pool_release(worker->pool, lease));
    if (check_random_below(&worker->random, 8) == 0)
        CHECK_EQ(lido_object_pool_release(worker->pool, &copy), LIDO_ERR_NOT_HELD);
}

static void acquire_use_release(struct worker *worker) {
    lido_lease lease;
    lido_status status = acquire(worker, &lease);
    CHECK((status == LIDO_OK) == (lease.object != NULL));
    if (status == LIDO_OK) {
        worker->acquired++;
        use(worker, &lease);
    } else if (status == LIDO_ERR_TIMEOUT || status == LIDO_ERR_EMPTY)
        worker->unserved++;
    else
        CHECK_EQ(status, LIDO_ERR_CALLBACK);
}

/* Objects are numbered and never used again, so a long run must not build without end. */
static bool may_build(const struct factory *factory) {
    return factory->made < OBJECTS_MAX - 1000;
}

static void work(void *context) {
    struct worker *worker = context;
    while (stress_goes_on() && may_build(worker->factory)) {
        struct trouble *const troubles[] = {&worker->factory->create, &worker->factory->validate,
                                            &worker->factory->reset};
        for (int i = 0; i < 20; i++)
            acquire_use_release(worker);
        atomic_store(&troubles[check_random_below(&worker->random, 3)]->count, 1);
    }
}

static lido_object_pool *start(struct worker *workers, struct factory *factory) {
    factory->create.code = factory->validate.code = factory->reset.code = 3;
    lido_object_pool *pool = pool_of(factory, LIMIT);
    factory->pool = pool;
    for (uint64_t i = 0; i < WORKERS; i++)
        workers[i] =
            (struct worker){.pool = pool, .factory = factory, .random = check_random_start(i)};
    return pool;
}

static void finish(lido_object_pool *pool, struct worker *workers, struct factory *factory) {
    uint64_t acquired = 0, unserved = 0;
    for (int i = 0; i < WORKERS; i++) {
        acquired += workers[i].acquired;
        unserved += workers[i].unserved;
    }
    lido_object_pool_stats s = object_stats(pool);
    CHECK_EQ(s.acquired, acquired);
    CHECK_EQ(s.timeouts, unserved);
    CHECK_EQ(s.live, 0);
    check_object_figures(pool);
    factory->pool = NULL;
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(factory);
}

static void few_objects_serve_busy_threads_whose_callbacks_fail(void **state) {
    (void)state;
    struct worker workers[WORKERS];
    struct factory factory = factory_start();
    stress_start(CASES);
    lido_object_pool *pool = start(workers, &factory);
    check_in_threads(WORKERS, work, workers, sizeof workers[0]);
    CHECK(object_stats(pool).live_peak <= LIMIT);
    finish(pool, workers, &factory);
    stress_end("few objects");
}

/* ---- While others look and steer --------------------------------------------------------------- */

static void look_and_steer(void *context) {
    struct worker *worker = context;
    while (stress_goes_on() && may_build(worker->factory)) {
        lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
        for (uint64_t i = 0; lido_object_pool_next_holder(worker->pool, i, &holder);
             i = holder.slot + 1)
            CHECK(holder.object != NULL && holder.site != NULL);
        lido_object_pool_stats s = object_stats(worker->pool);
        CHECK(s.live <= s.existing && s.existing <= 12);
        CHECK_OK(lido_object_pool_set_object_limit(worker->pool,
                                                   1 + check_random_below(&worker->random, 12)));
        (void)lido_object_pool_trim(worker->pool, check_random_below(&worker->random, 4));
        lido_status status = lido_object_pool_prepare(worker->pool, 1);
        CHECK(status == LIDO_OK || status == LIDO_ERR_CALLBACK);
    }
}

static void limit_trim_and_prepare_may_be_used_while_others_work(void **state) {
    (void)state;
    struct worker workers[WORKERS];
    struct check_thread threads[WORKERS];
    struct factory factory = factory_start();
    stress_start(CASES);
    lido_object_pool *pool = start(workers, &factory);
    for (int i = 0; i < WORKERS; i++)
        check_start(&threads[i], i == 0 ? look_and_steer : work, &workers[i]);
    for (int i = 0; i < WORKERS; i++)
        check_join(&threads[i]);
    finish(pool, workers, &factory);
    stress_end("looking and steering");
}

/* ---- Closing --------------------------------------------------------------------------------------- */

static void work_until_closed(void *context) {
    struct worker *worker = context;
    for (;;) {
        lido_lease lease;
        lido_status status = lido_object_pool_acquire(worker->pool, LIDO_FOREVER, &lease);
        if (status == LIDO_ERR_CLOSED)
            return;
        CHECK_OK(status);
        use(worker, &lease);
    }
}

static void open_and_close(struct factory *factory) {
    struct worker workers[WORKERS];
    struct check_thread threads[WORKERS];
    lido_object_pool *pool = start(workers, factory);
    for (int i = 0; i < WORKERS; i++)
        check_start(&threads[i], work_until_closed, &workers[i]);
    for (int i = 0; i < 30; i++)
        sched_yield();
    CHECK_OK(lido_object_pool_close(pool, LIDO_SECONDS(60)));
    CHECK_EQ(object_stats(pool).live, 0);
    for (int i = 0; i < WORKERS; i++)
        check_join(&threads[i]);
    check_object_figures(pool);
    factory->pool = NULL;
    CHECK_OK(lido_object_pool_destroy(pool));
}

static void close_ends_all_waiting_and_using(void **state) {
    (void)state;
    struct factory factory = factory_start();
    stress_start(CASES);
    while (stress_goes_on() && may_build(&factory))
        open_and_close(&factory);
    factory_end(&factory);
    stress_end("closing");
}

/* ---- Fork, and threads that end with leases out ----------------------------------------------------- */

static void leave_with_a_lease(void *context) {
    lido_lease *lease = context;
    lido_object_pool *pool = lease->object;
    if (lido_object_pool_acquire(pool, LIDO_MILLISECONDS(1), lease) != LIDO_OK)
        lease->object = NULL;
}

static void send_threads_that_leave_leases(void *context) {
    struct worker *worker = context;
    while (stress_goes_on() && may_build(worker->factory)) {
        lido_lease lease = {.object = worker->pool};
        check_in_thread(leave_with_a_lease, &lease);
        worker->acquired += lease.object != NULL;
        worker->unserved += lease.object == NULL;
        CHECK_OK(lido_object_pool_release(worker->pool, &lease));
    }
}

static void go_on_in_child(void *context) {
    struct worker *worker = context;
    lido_lease lease;
    lido__yield_hook = NULL;
    lido_object_pool_stats s = object_stats(worker->pool);
    CHECK_EQ(s.live, 0);
    CHECK_EQ(s.existing, s.idle);
    CHECK_EQ(s.waiting, 0);
    for (int i = 0; i < 20; i++) {
        lido_status status = lido_object_pool_acquire(worker->pool, 0, &lease);
        CHECK(status == LIDO_OK || status == LIDO_ERR_CALLBACK);
        CHECK_OK(lido_object_pool_release(worker->pool, &lease));
    }
    CHECK_OK(lido_object_pool_close(worker->pool, 0));
    CHECK_OK(lido_object_pool_destroy(worker->pool));
}

/* AddressSanitizer's heap is not made for it: its locks are copied as other threads hold them, and the
 * child's first allocation may wait for ever. */
static void children_of_busy_threads_have_a_whole_pool(void **state) {
    (void)state;
    if (CHECK_ASAN) {
        print_message("    not under AddressSanitizer, whose heap does not outlive a fork\n");
        skip();
    }
    struct worker workers[WORKERS];
    struct check_thread threads[WORKERS];
    struct factory factory = factory_start();
    stress_start(CASES);
    lido_object_pool *pool = start(workers, &factory);
    factory.create.code = factory.validate.code = factory.reset.code = 0;
    for (int i = 0; i < WORKERS; i++)
        check_start(&threads[i], send_threads_that_leave_leases, &workers[i]);
    while (stress_goes_on())
        CHECK_EQ(check_child(go_on_in_child, &workers[0]), 0);
    for (int i = 0; i < WORKERS; i++)
        check_join(&threads[i]);
    finish(pool, workers, &factory);
    stress_end("fork");
}

/* ---- Requests, and everything back -------------------------------------------------------------- */

static void note(void *context) {
    ++*(_Atomic int *)context;
}

static void await_note(const _Atomic int *notes) {
    while (*notes == 0)
        sched_yield();
}

/* Whoever is not told that he was cancelled in time is told that he was served. */
static void ask(struct worker *worker) {
    lido_object_pool_request request;
    _Atomic int notes = 0;
    lido_lease lease;
    CHECK_OK(lido_object_pool_acquire_async(worker->pool, &request, note, (void *)&notes));
    if (check_random_below(&worker->random, 3) == 0) {
        if (lido_object_pool_cancel(worker->pool, &request) == LIDO_ERR_BUSY)
            await_note(&notes);
        else
            CHECK_EQ(notes, 0);
        return;
    }
    await_note(&notes);
    lido_status status = lido_object_pool_take(worker->pool, &request, &lease);
    CHECK(status == LIDO_OK || status == LIDO_ERR_CALLBACK);
    CHECK_EQ(notes, 1);
    if (status != LIDO_OK)
        return;
    worker->acquired++;
    use(worker, &lease);
}

static void ask_and_acquire(void *context) {
    struct worker *worker = context;
    while (stress_goes_on() && may_build(worker->factory)) {
        for (int i = 0; i < 10; i++)
            check_random_below(&worker->random, 2) ? ask(worker) : acquire_use_release(worker);
        atomic_store(&worker->factory->create.count, 1);
    }
}

static void return_all(void *context) {
    struct worker *worker = context;
    while (stress_goes_on() && may_build(worker->factory)) {
        CHECK_OK(lido_object_pool_return_all(worker->pool, NULL));
        lido_object_pool_stats s = object_stats(worker->pool);
        CHECK(s.existing <= LIMIT && s.live <= s.existing && s.retired <= WORKERS * LIMIT);
        for (uint64_t i = check_random_below(&worker->random, 50); i > 0; i--)
            sched_yield();
    }
}

static void requests_and_return_all_may_be_used_while_others_work(void **state) {
    (void)state;
    struct worker workers[WORKERS];
    struct check_thread threads[WORKERS];
    struct factory factory = factory_start();
    stress_start(CASES);
    lido_object_pool *pool = start(workers, &factory);
    for (int i = 0; i < WORKERS; i++)
        check_start(&threads[i], i == 0 ? return_all : ask_and_acquire, &workers[i]);
    for (int i = 0; i < WORKERS; i++)
        check_join(&threads[i]);
    CHECK_EQ(object_stats(pool).retired, 0);
    finish(pool, workers, &factory);
    stress_end("requests and return_all");
}

/* ---- Threads that live for one lease -------------------------------------------------------------- */

enum { SHORT_MAX = 100000, SPAWNERS = 4 };

static _Atomic int short_threads;

static void live_shortly(void *context) {
    struct worker *worker = context;
    lido_lease lease;
    CHECK_OK(lido_object_pool_acquire(worker->pool, LIDO_SECONDS(100), &lease));
    CHECK_OK(lido_object_pool_release(worker->pool, &lease));
}

static void spawn(void *context) {
    struct worker *worker = context;
    while (stress_goes_on() && ++short_threads <= SHORT_MAX) {
        check_in_thread(live_shortly, worker);
        worker->acquired++;
    }
}

/* 100,000 where there is time: LIDO_STRESS_SECONDS=60 is enough. */
static void short_threads_leave_nothing_behind(void **state) {
    (void)state;
    struct worker workers[WORKERS];
    struct factory factory = factory_start();
    stress_start(CASES);
    short_threads = 0;
    lido_object_pool *pool = start(workers, &factory);
    uint64_t before = object_stats(pool).overhead_bytes;
    check_in_threads(SPAWNERS, spawn, workers, sizeof workers[0]);
    CHECK(object_stats(pool).overhead_bytes <= before + 2048); /* a chunk of slots, and no stores */
    CHECK(factory.creates <= LIMIT);
    finish(pool, workers, &factory);
    stress_end("short threads");
}

CHECK_MAIN(TEST(few_objects_serve_busy_threads_whose_callbacks_fail),
           TEST(limit_trim_and_prepare_may_be_used_while_others_work),
           TEST(close_ends_all_waiting_and_using),
           TEST(requests_and_return_all_may_be_used_while_others_work),
           TEST(short_threads_leave_nothing_behind),
           TEST(children_of_busy_threads_have_a_whole_pool))
