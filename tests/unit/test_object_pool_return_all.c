/* SPDX-License-Identifier: MIT
 * return_all: every lease is taken back at one stroke, and nothing of it is handed out again. */
#include "object_factory.h"

#include <lido/object_leases.h>

enum { PLACES = 8 };

static void end(lido_object_pool *pool, struct factory *factory) {
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.live == 0 && s.retired == 0 && s.existing == s.idle);
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(factory);
}

static void take(lido_object_pool *pool, lido_lease leases[PLACES]) {
    for (int i = 0; i < PLACES; i++)
        CHECK_OK(lido_object_pool_acquire(pool, 0, &leases[i]));
}

static void give(lido_object_pool *pool, lido_lease leases[PLACES]) {
    for (int i = 0; i < PLACES; i++)
        CHECK_OK(lido_object_pool_release(pool, &leases[i]));
}

static void all_places_are_free_at_once_and_no_object_has_two_holders(void **state) {
    (void)state;
    lido_lease old[PLACES], new[PLACES];
    uint64_t count = 0;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, PLACES);
    take(pool, old);
    CHECK_OK(lido_object_pool_return_all(pool, &count));
    CHECK_EQ(count, PLACES);
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.live == 0 && s.retired == PLACES && s.existing == 0);
    take(pool, new);
    for (int i = 0; i < PLACES; i++)
        for (int j = 0; j < PLACES; j++)
            CHECK(old[i].object != new[j].object);
    CHECK_EQ(factory.creates, 2 * PLACES);
    CHECK_EQ(factory.destroys, 0); /* what is still used lives on */
    CHECK_OK(lido_object_pool_return_all(pool, NULL));
    CHECK_EQ(object_stats(pool).retired, 2 * PLACES);
    give(pool, new);
    give(pool, old);
    CHECK_EQ(factory.destroys, 2 * PLACES);
    CHECK_EQ(object_stats(pool).existing, 0);
    CHECK_OK(lido_object_pool_return_all(pool, &count));
    CHECK_EQ(count, 0);
    end(pool, &factory);
}

static void a_late_release_ends_the_object_once_and_a_second_one_is_refused(void **state) {
    (void)state;
    lido_lease lease, copy, other;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    copy = lease;
    CHECK_OK(lido_object_pool_return_all(pool, NULL));
    CHECK_OK(lido_object_pool_acquire(pool, 0, &other));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK(lease.object == NULL && factory.destroys == 1);
    CHECK_FAILS(lido_object_pool_release(pool, &copy), LIDO_ERR_NOT_HELD, "parsers");
    CHECK_OK(lido_object_pool_return_all(pool, NULL));
    CHECK_OK(lido_object_pool_discard(pool, &other));
    CHECK_EQ(factory.destroys, 2);
    end(pool, &factory);
}

/* Long after, when nobody waits and threads use their own shelves again. */
static void a_very_late_release_ends_the_object_too(void **state) {
    (void)state;
    enum { CYCLES = 3000 };
    lido_lease late, lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, PLACES);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &late));
    CHECK_OK(lido_object_pool_return_all(pool, NULL));
    for (int i = 0; i < CYCLES; i++) {
        CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
        CHECK(lease.object != late.object);
        CHECK_OK(lido_object_pool_release(pool, &lease));
    }
    CHECK_OK(lido_object_pool_release(pool, &late));
    CHECK_EQ(factory.destroys, 1);
    end(pool, &factory);
}

static void an_object_that_reset_refuses_ends_once_too(void **state) {
    (void)state;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_OK(lido_object_pool_return_all(pool, NULL));
    factory.reset = (struct trouble){.count = 1, .code = 1};
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK(factory.destroys == 1 && factory.resets == 1);
    end(pool, &factory);
}

static void idle_objects_stay(void **state) {
    (void)state;
    lido_lease lease;
    uint64_t count = 7;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, PLACES);
    CHECK_OK(lido_object_pool_prepare(pool, 4));
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_return_all(pool, &count));
    CHECK_EQ(count, 0);
    CHECK_EQ(object_stats(pool).idle, 4);
    end(pool, &factory);
}

static void a_pool_with_retired_leases_out_is_closed_but_not_destroyed(void **state) {
    (void)state;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &lease, "late.c:1"));
    CHECK_OK(lido_object_pool_return_all(pool, NULL));
    CHECK_OK(lido_object_pool_close(pool, 0));
    CHECK_FAILS(lido_object_pool_destroy(pool), LIDO_ERR_BUSY, "late.c:1");
    CHECK_OK(lido_object_pool_release(pool, &lease));
    end(pool, &factory);
}

struct waiter {
    lido_object_pool *pool;
    _Atomic int status;
};

static void wait_for_one(void *context) {
    struct waiter *waiter = context;
    lido_lease lease;
    waiter->status = lido_object_pool_acquire(waiter->pool, LIDO_FOREVER, &lease);
    CHECK_OK(lido_object_pool_release(waiter->pool, &lease));
}

static void who_waits_is_served_in_the_place_of_what_was_retired(void **state) {
    (void)state;
    struct check_thread threads[2];
    lido_lease leases[PLACES];
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, PLACES);
    struct waiter waiters[2] = {{pool, 1}, {pool, 1}};
    take(pool, leases);
    for (int i = 0; i < 2; i++)
        check_start(&threads[i], wait_for_one, &waiters[i]);
    check_await_sleepers(2);
    CHECK_OK(lido_object_pool_return_all(pool, NULL));
    for (int i = 0; i < 2; i++) {
        check_join(&threads[i]);
        CHECK_EQ(waiters[i].status, LIDO_OK);
    }
    give(pool, leases);
    end(pool, &factory);
}

struct family {
    lido_object_pool *pool;
    lido_lease mine;
};

static void go_on_in_child(void *context) {
    struct family *family = context;
    lido_object_pool_stats s = object_stats(family->pool);
    CHECK(s.live == 0 && s.retired == 1 && s.existing == 0);
    CHECK_OK(lido_object_pool_release(family->pool, &family->mine));
    s = object_stats(family->pool);
    CHECK(s.retired == 0 && s.live == 0);
    CHECK_OK(lido_object_pool_destroy(family->pool));
}

static void hold_in_thread(void *context) {
    struct family *theirs = context;
    CHECK_OK(lido_object_pool_acquire(theirs->pool, 0, &theirs->mine));
}

static void a_forked_child_keeps_its_retired_leases_and_loses_others(void **state) {
    (void)state;
    struct factory factory = factory_start();
    struct family family = {.pool = pool_of(&factory, 2)}, theirs = {.pool = family.pool};
    CHECK_OK(lido_object_pool_acquire(family.pool, 0, &family.mine));
    check_in_thread(hold_in_thread, &theirs);
    CHECK_OK(lido_object_pool_return_all(family.pool, NULL));
    CHECK_EQ(check_child(go_on_in_child, &family), 0);
    CHECK_OK(lido_object_pool_release(family.pool, &family.mine));
    CHECK_OK(lido_object_pool_release(family.pool, &theirs.mine));
    end(family.pool, &factory);
}

/* ---- While others work ------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 2000 };

static _Atomic int working;

static void work(void *context) {
    lido_object_pool *pool = context;
    for (int i = 0; i < ROUNDS; i++) {
        lido_lease lease;
        CHECK_OK(lido_object_pool_acquire(pool, LIDO_FOREVER, &lease));
        struct object *object = lease.object;
        CHECK_EQ(++object->holders, 1);
        CHECK_EQ(--object->holders, 0);
        CHECK_OK(lido_object_pool_release(pool, &lease));
    }
    working--;
}

static void take_all_back(void *context) {
    while (working > 0)
        CHECK_OK(lido_object_pool_return_all(context, NULL));
}

static void work_beside_return_all(lido_object_pool *pool) {
    struct check_thread threads[THREADS], taker;
    working = THREADS;
    for (int i = 0; i < THREADS; i++)
        check_start(&threads[i], work, pool);
    check_start(&taker, take_all_back, pool);
    for (int i = 0; i < THREADS; i++)
        check_join(&threads[i]);
    check_join(&taker);
}

static void objects_are_never_shared_while_all_is_taken_back_again_and_again(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = NULL;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = PLACES, .create = create_object,
                                 .destroy = destroy_object, .context = &factory),
        &pool));
    work_beside_return_all(pool);
    end(pool, &factory);
}

static int refuse_barrier(void) {
    return 38;
}

/* Where membarrier is refused from some moment on, either it works by fences or says so. */
static void without_membarrier_it_says_so_or_works(void **state) {
    (void)state;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    lido__sys.barrier = lido__sys.barrier_register = refuse_barrier;
    lido_status status = lido_object_pool_return_all(pool, NULL);
    CHECK(status == LIDO_OK || status == LIDO_ERR_SYSTEM);
    CHECK_EQ(object_stats(pool).retired, status == LIDO_OK);
    CHECK_EQ(object_stats(pool).live, status != LIDO_OK);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    end(pool, &factory);
}

CHECK_MAIN(TEST(all_places_are_free_at_once_and_no_object_has_two_holders),
           TEST(a_late_release_ends_the_object_once_and_a_second_one_is_refused),
           TEST(a_very_late_release_ends_the_object_too),
           TEST(an_object_that_reset_refuses_ends_once_too), TEST(idle_objects_stay),
           TEST(a_pool_with_retired_leases_out_is_closed_but_not_destroyed),
           TEST(who_waits_is_served_in_the_place_of_what_was_retired),
           TEST(a_forked_child_keeps_its_retired_leases_and_loses_others),
           TEST(objects_are_never_shared_while_all_is_taken_back_again_and_again),
           TEST(without_membarrier_it_says_so_or_works))
