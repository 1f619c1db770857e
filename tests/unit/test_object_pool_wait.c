/* SPDX-License-Identifier: MIT
 * lido/object_pool.h with several threads: who waits and in which order, callbacks that hang,
 * threads that end or are cancelled, fork. Time is simulated: nobody sleeps. */
#include "object_factory.h"

/* A thread that acquires once and tells what came of it. */
struct taker {
    lido_object_pool *pool;
    uint64_t timeout_ns;
    struct check_gate *keep; /* holds its lease until this opens; NULL: gives it back at once */
    _Atomic int *order;      /* counts who was served, one after the other */
    int served_as;
    _Atomic int status;
    uint64_t ended_ns;
    bool releases_not; /* ends with the lease out */
    lido_lease lease;
    struct check_thread thread;
};

static void take(void *context) {
    struct taker *taker = context;
    lido_status status =
        lido_object_pool_acquire_at(taker->pool, taker->timeout_ns, &taker->lease, "taker.c:1");
    taker->ended_ns = lido_now_ns();
    taker->status = status;
    if (status != LIDO_OK) {
        CHECK(taker->lease.object == NULL);
        CHECK_EQ(lido_last_status(), status);
        CHECK_ERROR_HAS("parsers");
        return;
    }
    struct object *object = taker->lease.object;
    CHECK_EQ(++object->holders, 1);
    if (taker->order)
        taker->served_as = ++*taker->order;
    if (taker->keep)
        check_gate_pass(taker->keep);
    CHECK_EQ(--object->holders, 0);
    if (!taker->releases_not)
        CHECK_OK(lido_object_pool_release(taker->pool, &taker->lease));
}

/* Starts takers one by one, so that they come to the queue in this order. */
static void queue_up(struct taker *takers, int count, const struct taker *like) {
    for (int i = 0; i < count; i++) {
        takers[i] = *like;
        check_start(&takers[i].thread, take, &takers[i]);
        check_await_sleepers(i + 1);
    }
}

static void join_all(struct taker *takers, int count) {
    for (int i = 0; i < count; i++)
        check_join(&takers[i].thread);
}

static void end(lido_object_pool *pool, struct factory *factory) {
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(factory);
}

/* ---- Waiting ------------------------------------------------------------------------------- */

static void waiters_are_served_in_the_order_they_came(void **state) {
    (void)state;
    enum { COUNT = 12 };
    struct taker takers[COUNT];
    _Atomic int order = 0;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    queue_up(takers, COUNT,
             &(struct taker){.pool = pool, .timeout_ns = LIDO_FOREVER, .order = &order});
    CHECK_EQ(object_stats(pool).waiting, COUNT);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    join_all(takers, COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK(takers[i].status == LIDO_OK && takers[i].served_as == i + 1);
    CHECK_EQ(object_stats(pool).waits, COUNT);
    CHECK_EQ(factory.creates, 1);
    end(pool, &factory);
}

static void who_comes_later_does_not_overtake_a_waiter(void **state) {
    (void)state;
    struct taker waiter;
    struct check_gate keep = {0};
    lido_lease lease, extra;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    for (int i = 0; i < 50; i++) {
        keep = (struct check_gate){0};
        CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
        queue_up(&waiter, 1,
                 &(struct taker){.pool = pool, .timeout_ns = LIDO_FOREVER, .keep = &keep});
        CHECK_OK(lido_object_pool_release(pool, &lease));
        CHECK_FAILS(lido_object_pool_try_acquire(pool, &extra), LIDO_ERR_EMPTY, "parsers");
        check_gate_open(&keep);
        check_join(&waiter.thread);
        CHECK_EQ(waiter.status, LIDO_OK);
    }
    end(pool, &factory);
}

static void a_waiter_that_gave_up_is_passed_over(void **state) {
    (void)state;
    struct taker takers[3];
    _Atomic int order = 0;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    uint64_t start_ns = lido_now_ns();
    for (int i = 0; i < 3; i++) {
        takers[i] = (struct taker){
            .pool = pool, .timeout_ns = i == 1 ? LIDO_SECONDS(2) : LIDO_FOREVER, .order = &order};
        check_start(&takers[i].thread, take, &takers[i]);
        check_await_sleepers(i + 1);
    }
    check_join(&takers[1].thread);
    CHECK_EQ(takers[1].status, LIDO_ERR_TIMEOUT);
    CHECK_EQ(takers[1].ended_ns, start_ns + LIDO_SECONDS(2));
    CHECK_EQ(object_stats(pool).waiting, 2);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    check_join(&takers[0].thread);
    check_join(&takers[2].thread);
    CHECK(takers[0].served_as == 1 && takers[2].served_as == 2);
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.timeouts == 1 && s.waits == 3 && s.wait_max_ns == LIDO_SECONDS(2));
    CHECK_EQ(s.wait_total_ns, 3 * LIDO_SECONDS(2));
    end(pool, &factory);
}

static void each_waiter_leaves_at_its_own_deadline(void **state) {
    (void)state;
    enum { COUNT = 8 };
    struct taker takers[COUNT];
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    check__time.spurious_every = 2; /* woken for no reason, they sleep on to the same deadline */
    uint64_t start_ns = lido_now_ns();
    for (int i = 0; i < COUNT; i++) {
        takers[i] = (struct taker){.pool = pool, .timeout_ns = LIDO_SECONDS(1 + (i * 5) % COUNT)};
        check_start(&takers[i].thread, take, &takers[i]);
        check_await_sleepers(i + 1);
    }
    join_all(takers, COUNT);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(takers[i].status, LIDO_ERR_TIMEOUT);
        CHECK_EQ(takers[i].ended_ns, start_ns + takers[i].timeout_ns);
    }
    CHECK_EQ(object_stats(pool).waiting, 0);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    end(pool, &factory);
}

static void beyond_waiter_limit_acquire_is_refused_at_once(void **state) {
    (void)state;
    struct taker takers[2];
    lido_lease lease, extra = {.object = &extra};
    lido_object_pool *pool = NULL;
    struct factory factory = factory_start();
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = 1, .waiter_limit = 2,
                                 .create = create_object, .destroy = destroy_object,
                                 .context = &factory),
        &pool));
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    queue_up(takers, 2, &(struct taker){.pool = pool, .timeout_ns = LIDO_FOREVER});
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_FOREVER, &extra), LIDO_ERR_LIMIT, "parsers");
    CHECK(extra.object == NULL);
    CHECK_FAILS(lido_object_pool_acquire(pool, 0, &extra), LIDO_ERR_TIMEOUT, "parsers");
    CHECK_FAILS(lido_object_pool_try_acquire(pool, &extra), LIDO_ERR_EMPTY, "parsers");
    CHECK_OK(lido_object_pool_release(pool, &lease));
    join_all(takers, 2);
    CHECK(takers[0].status == LIDO_OK && takers[1].status == LIDO_OK);
    end(pool, &factory);
}

/* ---- What else ends a wait ------------------------------------------------------------------ */

static void a_discarded_object_makes_room_for_a_waiter(void **state) {
    (void)state;
    struct taker waiter;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    queue_up(&waiter, 1, &(struct taker){.pool = pool, .timeout_ns = LIDO_FOREVER});
    CHECK_OK(lido_object_pool_discard(pool, &lease));
    check_join(&waiter.thread);
    CHECK(waiter.status == LIDO_OK && factory.creates == 2);
    end(pool, &factory);
}

static void an_object_that_reset_refuses_makes_room_for_a_waiter(void **state) {
    (void)state;
    struct taker waiter;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    queue_up(&waiter, 1, &(struct taker){.pool = pool, .timeout_ns = LIDO_FOREVER});
    factory.reset = (struct trouble){.count = 1, .code = 1};
    CHECK_OK(lido_object_pool_release(pool, &lease));
    check_join(&waiter.thread);
    CHECK(waiter.status == LIDO_OK && factory.creates == 2);
    end(pool, &factory);
}

static void a_waiter_whose_create_fails_makes_room_for_the_next(void **state) {
    (void)state;
    struct taker takers[3];
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    queue_up(takers, 3, &(struct taker){.pool = pool, .timeout_ns = LIDO_FOREVER});
    factory.create = (struct trouble){.count = 2, .code = 1};
    CHECK_OK(lido_object_pool_discard(pool, &lease));
    join_all(takers, 3);
    CHECK_EQ(takers[0].status, LIDO_ERR_CALLBACK);
    CHECK_EQ(takers[1].status, LIDO_ERR_CALLBACK);
    CHECK_EQ(takers[2].status, LIDO_OK);
    end(pool, &factory);
}

static void a_raised_limit_serves_those_who_wait(void **state) {
    (void)state;
    struct taker takers[3];
    struct check_gate keep = {0};
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    queue_up(takers, 3, &(struct taker){.pool = pool, .timeout_ns = LIDO_FOREVER, .keep = &keep});
    CHECK_OK(lido_object_pool_set_object_limit(pool, 3));
    check_gate_await(&keep, 2);
    CHECK_EQ(object_stats(pool).waiting, 1);
    CHECK_OK(lido_object_pool_set_object_limit(pool, 4));
    check_gate_await(&keep, 3);
    CHECK(object_stats(pool).live == 4 && object_stats(pool).waiting == 0);
    check_gate_open(&keep);
    join_all(takers, 3);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    end(pool, &factory);
}

static void close_turns_all_waiters_away_and_waits_for_leases(void **state) {
    (void)state;
    struct taker takers[5], holder = {.timeout_ns = 0};
    struct check_gate keep = {0};
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    holder.pool = pool;
    holder.keep = &keep;
    check_start(&holder.thread, take, &holder);
    check_gate_await(&keep, 1);
    queue_up(takers, 5, &(struct taker){.pool = pool, .timeout_ns = LIDO_FOREVER});
    CHECK_FAILS(lido_object_pool_close(pool, 0), LIDO_ERR_BUSY, "taker.c:1");
    join_all(takers, 5);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(takers[i].status, LIDO_ERR_CLOSED);
    check_gate_open(&keep);
    CHECK_OK(lido_object_pool_close(pool, LIDO_FOREVER));
    CHECK_EQ(object_stats(pool).live, 0);
    check_join(&holder.thread);
    end(pool, &factory);
}

struct closer {
    lido_object_pool *pool;
    uint64_t timeout_ns;
    lido_status status;
};

static void close_pool(void *context) {
    struct closer *closer = context;
    closer->status = lido_object_pool_close(closer->pool, closer->timeout_ns);
}

static void several_threads_may_close_and_all_learn_of_the_last_lease(void **state) {
    (void)state;
    struct closer closers[3];
    struct check_thread threads[3];
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    for (int i = 0; i < 3; i++) {
        closers[i] = (struct closer){pool, LIDO_FOREVER, LIDO_ERR_BUSY};
        check_start(&threads[i], close_pool, &closers[i]);
    }
    check_await_sleepers(3);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    for (int i = 0; i < 3; i++) {
        check_join(&threads[i]);
        CHECK_EQ(closers[i].status, LIDO_OK);
    }
    end(pool, &factory);
}

/* ---- Callbacks that hang ---------------------------------------------------------------------- */

/* While one callback hangs, every other call goes on: no lock is held in it. */
static void go_on_meanwhile(lido_object_pool *pool) {
    lido_lease lease, invented = {pool, 0, 9};
    lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK(lido_object_pool_next_holder(pool, 0, &holder));
    (void)object_stats(pool);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    (void)lido_object_pool_trim(pool, 0);
    CHECK_OK(lido_object_pool_set_object_limit(pool, 3));
    CHECK_FAILS(lido_object_pool_release(pool, &invented), LIDO_ERR_NOT_HELD, "parsers");
}

static void hang_in(struct trouble *trouble, lido_object_pool *pool, struct factory *factory,
                    bool needs_idle) {
    struct check_gate gate = {0};
    struct taker taker = {.pool = pool, .timeout_ns = LIDO_FOREVER};
    if (needs_idle)
        CHECK_OK(lido_object_pool_prepare(pool, 1));
    else
        (void)lido_object_pool_trim(pool, 0);
    trouble->gate = &gate;
    check_start(&taker.thread, take, &taker);
    check_gate_await(&gate, 1);
    trouble->gate = NULL;
    go_on_meanwhile(pool);
    check_gate_open(&gate);
    check_join(&taker.thread);
    CHECK_EQ(taker.status, LIDO_OK);
    (void)factory;
}

static void a_callback_that_hangs_stops_nobody_else(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 3);
    factory.pool = pool;
    hang_in(&factory.create, pool, &factory, false);
    hang_in(&factory.validate, pool, &factory, true);
    hang_in(&factory.reset, pool, &factory, true);
    factory.reset.count = 2; /* that of the taker, and that of the call that goes on meanwhile */
    factory.reset.code = 1;
    hang_in(&factory.destroy, pool, &factory, true);
    factory.pool = NULL;
    end(pool, &factory);
}

/* An object in a callback counts: the limit holds while it is being built or ended. */
static void the_limit_holds_while_an_object_is_being_built(void **state) {
    (void)state;
    struct check_gate gate = {0};
    lido_lease extra;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    struct taker taker = {.pool = pool, .timeout_ns = 0};
    factory.create.gate = &gate;
    check_start(&taker.thread, take, &taker);
    check_gate_await(&gate, 1);
    CHECK_FAILS(lido_object_pool_try_acquire(pool, &extra), LIDO_ERR_EMPTY, "parsers");
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_SECONDS(1), &extra), LIDO_ERR_TIMEOUT,
                "parsers");
    CHECK_EQ(object_stats(pool).existing, 1);
    check_gate_open(&gate);
    check_join(&taker.thread);
    CHECK_EQ(factory.creates, 1);
    end(pool, &factory);
}

struct builder {
    lido_object_pool *pool;
    uint64_t count;
};

static void prepare_in_thread(void *context) {
    const struct builder *builder = context;
    CHECK_OK(lido_object_pool_prepare(builder->pool, builder->count));
}

static void several_threads_share_the_work_of_preparing(void **state) {
    (void)state;
    struct check_thread threads[4];
    struct check_gate gate = {0};
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 64);
    struct builder builder = {pool, 64};
    factory.create.gate = &gate;
    for (int i = 0; i < 4; i++)
        check_start(&threads[i], prepare_in_thread, &builder);
    check_gate_await(&gate, 4); /* four at once in create */
    check_gate_open(&gate);
    for (int i = 0; i < 4; i++)
        check_join(&threads[i]);
    CHECK(factory.creates == 64 && object_stats(pool).idle == 64);
    end(pool, &factory);
}

static void use_pool(void *context) {
    lido_object_pool *pool = context;
    lido_lease lease;
    for (int i = 0; i < 3000; i++) {
        lido_status status = lido_object_pool_acquire(pool, LIDO_FOREVER, &lease);
        if (status != LIDO_OK) {
            CHECK_EQ(status, LIDO_ERR_CALLBACK);
            continue;
        }
        struct object *object = lease.object;
        CHECK_EQ(++object->holders, 1);
        CHECK(object->state == IDLE_OR_CLAIMED);
        lido_lease copy = lease;
        CHECK_EQ(--object->holders, 0);
        CHECK_OK(i % 50 == 7 ? lido_object_pool_discard(pool, &lease)
                             : lido_object_pool_release(pool, &lease));
        CHECK_FAILS(lido_object_pool_release(pool, &copy), LIDO_ERR_NOT_HELD, "parsers");
    }
}

static void many_threads_on_few_objects_never_share_one(void **state) {
    (void)state;
    struct check_thread threads[8];
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 3);
    factory.reset = (struct trouble){.count = 100, .code = 1};
    factory.validate = (struct trouble){.count = 100, .code = 1};
    factory.create = (struct trouble){.count = 30, .code = 1};
    for (int i = 0; i < 8; i++)
        check_start(&threads[i], use_pool, pool);
    for (int i = 0; i < 8; i++)
        check_join(&threads[i]);
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.live_peak <= 3 && s.create_failed == 30 && s.reset_failed == 100);
    CHECK_EQ(s.acquired + 30, 8 * 3000);
    CHECK_EQ(s.refused_release, s.acquired);
    end(pool, &factory);
}

/* ---- Threads that end, are cancelled, fork ------------------------------------------------------ */

static void a_lease_of_an_ended_thread_stays_known_and_anyone_may_release_it(void **state) {
    (void)state;
    lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    struct taker taker = {.pool = pool, .releases_not = true};
    check_in_thread(take, &taker);
    CHECK_EQ(object_stats(pool).live, 1);
    CHECK(lido_object_pool_next_holder(pool, 0, &holder));
    CHECK(strcmp(holder.site, "taker.c:1") == 0);
    CHECK(holder.thread_id != lido__sys_real.thread_id());
    CHECK_FAILS(lido_object_pool_destroy(pool), LIDO_ERR_BUSY, "taker.c:1");
    CHECK_OK(lido_object_pool_release(pool, &taker.lease));
    end(pool, &factory);
}

struct guarded {
    struct taker taker;
    bool was_cleaned_up;
};

static void give_back(void *context) {
    struct guarded *guarded = context;
    guarded->was_cleaned_up = true;
    CHECK_OK(lido_object_pool_release(guarded->taker.pool, &guarded->taker.lease));
}

static void take_and_reach_a_cancellation_point(void *context) {
    struct guarded *guarded = context;
    pthread_cleanup_push(give_back, guarded);
    guarded->taker.status =
        lido_object_pool_acquire(guarded->taker.pool, LIDO_FOREVER, &guarded->taker.lease);
    pthread_testcancel();
    pthread_cleanup_pop(1);
}

/* No call of lido is a cancellation point: the wait goes on, is served, and then it is cancelled
 * where the application chose. */
static void a_cancelled_waiter_waits_on_and_leaves_nothing_behind(void **state) {
    (void)state;
    struct guarded guarded = {.was_cleaned_up = false};
    struct check_thread thread;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    guarded.taker.pool = pool;
    guarded.taker.status = LIDO_ERR_SYSTEM;
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    check_start(&thread, take_and_reach_a_cancellation_point, &guarded);
    check_await_sleepers(1);
    pthread_cancel(thread.id);
    check_advance(LIDO_SECONDS(1));
    CHECK_EQ(object_stats(pool).waiting, 1);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    check_join(&thread);
    CHECK(guarded.taker.status == LIDO_OK && guarded.was_cleaned_up);
    end(pool, &factory);
}

struct family {
    lido_object_pool *pool;
    lido_lease mine, theirs;
    struct factory *factory;
};

static void go_on_in_child(void *context) {
    struct family *family = context;
    lido_object_pool *pool = family->pool;
    lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
    lido_lease leases[2], extra;
    int destroyed = family->factory->destroys;
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.live == 1 && s.lost == 2 && s.existing == 1 && s.waiting == 0);
    CHECK_EQ(s.acquired, s.released + s.discarded + s.live + 1);
    CHECK(lido_object_pool_next_holder(pool, 0, &holder) && holder.object == family->mine.object);
    CHECK_EQ(holder.thread_id, lido__sys_real.thread_id());
    CHECK_FAILS(lido_object_pool_release(pool, &family->theirs), LIDO_ERR_NOT_HELD, "parsers");
    for (int i = 0; i < 2; i++) {
        CHECK_OK(lido_object_pool_acquire(pool, LIDO_SECONDS(1), &leases[i]));
        CHECK(leases[i].object != family->theirs.object);
    }
    CHECK_FAILS(lido_object_pool_try_acquire(pool, &extra), LIDO_ERR_EMPTY, "parsers");
    CHECK_OK(lido_object_pool_release(pool, &family->mine));
    CHECK_OK(lido_object_pool_release(pool, &leases[0]));
    CHECK_OK(lido_object_pool_release(pool, &leases[1]));
    CHECK_EQ(family->factory->destroys, destroyed);
    CHECK_OK(lido_object_pool_destroy(pool));
    CHECK_EQ(family->factory->destroys, destroyed + 3);
}

/* Three objects: one held by the forking thread, one by another, one that another is resetting. */
static void a_forked_child_keeps_its_own_leases_and_loses_those_of_others(void **state) {
    (void)state;
    struct check_gate keep = {0}, resetting = {0};
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 3);
    struct family family = {.pool = pool, .factory = &factory};
    struct taker holder = {.pool = pool, .keep = &keep}, resetter = {.pool = pool};
    struct taker waiter;
    CHECK_OK(lido_object_pool_acquire(pool, 0, &family.mine));
    check_start(&holder.thread, take, &holder);
    check_gate_await(&keep, 1);
    factory.reset.gate = &resetting;
    check_start(&resetter.thread, take, &resetter);
    check_gate_await(&resetting, 1);
    factory.reset.gate = NULL;
    queue_up(&waiter, 1, &(struct taker){.pool = pool, .timeout_ns = LIDO_FOREVER});
    family.theirs = holder.lease;
    CHECK_EQ(check_child(go_on_in_child, &family), 0);
    CHECK(object_stats(pool).live == 2 && object_stats(pool).lost == 0);
    check_gate_open(&resetting);
    check_gate_open(&keep);
    check_join(&resetter.thread);
    check_join(&holder.thread);
    check_join(&waiter.thread);
    CHECK_OK(lido_object_pool_release(pool, &family.mine));
    end(pool, &factory);
}

CHECK_MAIN(TEST(waiters_are_served_in_the_order_they_came),
           TEST(who_comes_later_does_not_overtake_a_waiter),
           TEST(a_waiter_that_gave_up_is_passed_over), TEST(each_waiter_leaves_at_its_own_deadline),
           TEST(beyond_waiter_limit_acquire_is_refused_at_once),
           TEST(a_discarded_object_makes_room_for_a_waiter),
           TEST(an_object_that_reset_refuses_makes_room_for_a_waiter),
           TEST(a_waiter_whose_create_fails_makes_room_for_the_next),
           TEST(a_raised_limit_serves_those_who_wait),
           TEST(close_turns_all_waiters_away_and_waits_for_leases),
           TEST(several_threads_may_close_and_all_learn_of_the_last_lease),
           TEST(a_callback_that_hangs_stops_nobody_else),
           TEST(the_limit_holds_while_an_object_is_being_built),
           TEST(several_threads_share_the_work_of_preparing),
           TEST(many_threads_on_few_objects_never_share_one),
           TEST(a_lease_of_an_ended_thread_stays_known_and_anyone_may_release_it),
           TEST(a_cancelled_waiter_waits_on_and_leaves_nothing_behind),
           TEST(a_forked_child_keeps_its_own_leases_and_loses_those_of_others))
