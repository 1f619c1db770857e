/* SPDX-License-Identifier: MIT
 * Making room for more slots lets a pool's lock go while memory is asked for. Whatever others do in
 * that moment is done here from within the request itself, in the thread that makes it. */
#include "object_factory.h"

enum { CHUNK = 16 };

/* What is to happen while memory is asked for, once, after so many refused requests. */
static struct moment {
    _Atomic int is_armed;
    int refusals;
    lido_object_pool *pool;
    lido_lease *to_release, *to_acquire;
    bool closes;
    lido_status closed_as;
} moment;

static void *alloc_in_that_moment(size_t bytes, size_t align) {
    if (!moment.is_armed)
        return check__alloc(bytes, align);
    if (moment.refusals-- > 0)
        return NULL;
    moment.is_armed = 0;
    if (moment.to_acquire)
        CHECK_OK(lido_object_pool_try_acquire(moment.pool, moment.to_acquire));
    if (moment.to_release)
        CHECK_OK(lido_object_pool_release(moment.pool, moment.to_release));
    if (moment.closes)
        moment.closed_as = lido_object_pool_close(moment.pool, 0);
    return check__alloc(bytes, align);
}

static void arm(const struct moment *like) {
    moment = *like;
    lido__sys.alloc = alloc_in_that_moment;
    moment.is_armed = 1;
}

struct waiter {
    lido_object_pool *pool;
    lido_lease lease;
    _Atomic int status;
    struct check_thread thread;
};

static void wait_for_one(void *context) {
    struct waiter *waiter = context;
    waiter->status = lido_object_pool_acquire(waiter->pool, LIDO_FOREVER, &waiter->lease);
}

static void start_waiter(struct waiter *waiter, lido_object_pool *pool) {
    *waiter = (struct waiter){.pool = pool};
    check_start(&waiter->thread, wait_for_one, waiter);
    check_await_sleepers(1);
}

static lido_object_pool *strict_pool(struct factory *factory, bool is_sized) {
    lido_object_pool *pool = NULL;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = is_sized ? 2 * CHUNK : CHUNK,
                                 .object_min = CHUNK, .sizing = is_sized, .create = create_object,
                                 .destroy = destroy_object, .context = factory,
                                 .order = LIDO_OBJECT_POOL_STRICT),
        &pool));
    return pool;
}

static void acquire_all(lido_object_pool *pool, lido_lease leases[CHUNK]) {
    for (int i = 0; i < CHUNK; i++)
        CHECK_OK(lido_object_pool_acquire(pool, 0, &leases[i]));
}

static void end(lido_object_pool *pool, struct factory *factory, lido_lease leases[CHUNK]) {
    for (int i = 0; i < CHUNK; i++)
        CHECK_OK(lido_object_pool_release(pool, &leases[i]));
    check_object_figures(pool);
    lido_object_pool_stats stats = object_stats(pool);
    CHECK_EQ(stats.existing, stats.created - stats.destroyed);
    CHECK_EQ(stats.existing, stats.idle);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(factory);
}

static void join_served(struct waiter *waiter) {
    check_join(&waiter->thread);
    CHECK_EQ(waiter->status, LIDO_OK);
    CHECK_OK(lido_object_pool_release(waiter->pool, &waiter->lease));
}

static void a_slot_that_was_made_for_a_waiter_just_served_is_not_an_object(void **state) {
    (void)state;
    lido_lease leases[CHUNK];
    struct waiter waiter;
    struct factory factory = factory_start();
    lido_object_pool *pool = strict_pool(&factory, false);
    acquire_all(pool, leases);
    start_waiter(&waiter, pool);
    arm(&(struct moment){.pool = pool, .to_release = &leases[3]});
    CHECK_OK(lido_object_pool_set_object_limit(pool, CHUNK + 1));
    join_served(&waiter);
    end(pool, &factory, leases);
}

static void a_waiter_is_served_while_it_makes_room_itself(void **state) {
    (void)state;
    lido_lease leases[CHUNK];
    struct waiter waiter;
    struct factory factory = factory_start();
    lido_object_pool *pool = strict_pool(&factory, false);
    acquire_all(pool, leases);
    start_waiter(&waiter, pool);
    arm(&(struct moment){.pool = pool, .refusals = 1, .to_release = &leases[3]});
    CHECK_OK(lido_object_pool_set_object_limit(pool, CHUNK + 1));
    join_served(&waiter);
    end(pool, &factory, leases);
}

static void a_waiter_is_served_while_it_grows_the_pool(void **state) {
    (void)state;
    lido_lease leases[CHUNK];
    struct waiter waiter;
    struct factory factory = factory_start();
    lido_object_pool *pool = strict_pool(&factory, true);
    acquire_all(pool, leases);
    start_waiter(&waiter, pool);
    arm(&(struct moment){.pool = pool, .to_release = &leases[3]});
    check_advance(LIDO_MILLISECONDS(5));
    join_served(&waiter);
    end(pool, &factory, leases);
}

static void a_waiter_is_sent_away_while_it_makes_room(void **state) {
    (void)state;
    lido_lease leases[CHUNK];
    struct waiter waiter;
    struct factory factory = factory_start();
    lido_object_pool *pool = strict_pool(&factory, true);
    acquire_all(pool, leases);
    start_waiter(&waiter, pool);
    arm(&(struct moment){.pool = pool, .closes = true});
    check_advance(LIDO_MILLISECONDS(5));
    check_join(&waiter.thread);
    CHECK_EQ(moment.closed_as, LIDO_ERR_BUSY);
    CHECK_EQ(waiter.status, LIDO_ERR_CLOSED);
    end(pool, &factory, leases);
}

static void nothing_is_handed_out_after_close_saw_all_at_home(void **state) {
    (void)state;
    lido_lease leases[CHUNK] = {{0}}, late;
    struct factory factory = factory_start();
    lido_object_pool *pool = strict_pool(&factory, false);
    acquire_all(pool, leases);
    CHECK_OK(lido_object_pool_set_object_limit(pool, CHUNK + 1));
    arm(&(struct moment){.pool = pool, .closes = true});
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_FOREVER, &late), LIDO_ERR_CLOSED, "parsers");
    CHECK_EQ(moment.closed_as, LIDO_ERR_BUSY);
    end(pool, &factory, leases);
}

static void an_object_that_comes_back_while_room_is_made_is_found(void **state) {
    (void)state;
    lido_lease leases[CHUNK], other, mine;
    struct factory factory = factory_start();
    lido_object_pool *pool = strict_pool(&factory, false);
    acquire_all(pool, leases);
    CHECK_OK(lido_object_pool_set_object_limit(pool, CHUNK + 1));
    arm(&(struct moment){.pool = pool, .to_acquire = &other, .to_release = &leases[3]});
    CHECK_OK(lido_object_pool_try_acquire(pool, &mine));
    CHECK_OK(lido_object_pool_release(pool, &other));
    CHECK_OK(lido_object_pool_release(pool, &mine));
    end(pool, &factory, leases);
}

CHECK_MAIN(TEST(a_slot_that_was_made_for_a_waiter_just_served_is_not_an_object),
           TEST(a_waiter_is_served_while_it_makes_room_itself),
           TEST(a_waiter_is_served_while_it_grows_the_pool),
           TEST(a_waiter_is_sent_away_while_it_makes_room),
           TEST(nothing_is_handed_out_after_close_saw_all_at_home),
           TEST(an_object_that_comes_back_while_room_is_made_is_found))
