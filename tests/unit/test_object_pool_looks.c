/* SPDX-License-Identifier: MIT
 * What a thread does before it waits: it looks again, and lets others have its CPU between. Here
 * that moment is the test's, which does in it what another thread might have done. */
#include "object_factory.h"

static struct {
    lido_object_pool *pool;
    lido_lease lease; /* given back by the look of this number, if it is not 0 */
    int release_at, destroy_at, close_at;
    int count;
    uint64_t take_ns; /* how long each look lasts */
} look;

static void do_meanwhile(void) {
    look.count++;
    check_advance(look.take_ns);
    if (look.count == look.release_at)
        CHECK_OK(lido_object_pool_release(look.pool, &look.lease));
    if (look.count == look.destroy_at)
        CHECK_FAILS(lido_object_pool_destroy(look.pool), LIDO_ERR_BUSY, "1 requests");
    if (look.count == look.close_at)
        CHECK_FAILS(lido_object_pool_close(look.pool, 0), LIDO_ERR_BUSY, "parsers");
}

/* One object, which may be released by anyone: so a thread that holds it may wait for it. */
static lido_object_pool *pool_in(struct factory *factory, uint64_t order) {
    lido_object_pool *pool = NULL;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = 1, .order = order,
                                 .released_by = LIDO_OBJECT_POOL_RELEASED_BY_ANYONE,
                                 .create = create_object, .destroy = destroy_object,
                                 .context = factory),
        &pool));
    return pool;
}

static void begin(lido_object_pool *pool) {
    memset(&look, 0, sizeof look);
    look.pool = pool;
    lido__sys.yield = do_meanwhile;
    CHECK_OK(lido_object_pool_acquire(pool, 0, &look.lease));
}

static void end(struct factory *factory) {
    if (look.lease.object)
        CHECK_OK(lido_object_pool_release(look.pool, &look.lease));
    check_object_figures(look.pool);
    CHECK_OK(lido_object_pool_destroy(look.pool));
    factory_end(factory);
}

static void what_comes_back_soon_is_found_without_a_sleep(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_lease lease;
    begin(pool_in(&factory, LIDO_OBJECT_POOL_BOUNDED));
    look.release_at = 2;
    look.take_ns = 5000;
    CHECK_OK(lido_object_pool_acquire(look.pool, LIDO_FOREVER, &lease));
    lido_object_pool_stats s = object_stats(look.pool);
    CHECK(look.count == 2 && s.waits == 1 && s.wait_max_ns == 10000 && s.waiting == 0);
    CHECK_OK(lido_object_pool_release(look.pool, &lease));
    end(&factory);
}

static void a_pool_is_not_destroyed_under_who_looks(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_lease lease;
    begin(pool_in(&factory, LIDO_OBJECT_POOL_BOUNDED));
    look.release_at = look.destroy_at = 1;
    CHECK_OK(lido_object_pool_acquire(look.pool, LIDO_FOREVER, &lease));
    CHECK_OK(lido_object_pool_release(look.pool, &lease));
    end(&factory);
}

static void who_looks_learns_of_close(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_lease lease;
    begin(pool_in(&factory, LIDO_OBJECT_POOL_BOUNDED));
    look.close_at = 1;
    CHECK_FAILS(lido_object_pool_acquire(look.pool, LIDO_FOREVER, &lease), LIDO_ERR_CLOSED,
                "parsers");
    CHECK_EQ(look.count, 1);
    end(&factory);
}

static void a_deadline_counts_from_the_first_look(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_lease lease;
    begin(pool_in(&factory, LIDO_OBJECT_POOL_BOUNDED));
    look.take_ns = 1000;
    uint64_t start_ns = lido_now_ns();
    CHECK_FAILS(lido_object_pool_acquire(look.pool, 800, &lease), LIDO_ERR_TIMEOUT, "parsers");
    CHECK_EQ(look.count, 1);
    CHECK_EQ(lido_now_ns() - start_ns, 1000);
    end(&factory);
}

/* Looks that last as long as a sleep are no gain: they come to be one wait in thousands. */
static void where_looks_take_long_most_waits_go_without(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_lease lease;
    int waits = 0;
    begin(pool_in(&factory, LIDO_OBJECT_POOL_BOUNDED));
    look.take_ns = LIDO_MILLISECONDS(1);
    for (; waits < 6000; waits++)
        CHECK_FAILS(lido_object_pool_acquire(look.pool, 1, &lease), LIDO_ERR_TIMEOUT, "parsers");
    CHECK(look.count >= 3 && look.count <= 12);
    /* Where they are short again, all waits have them. */
    look.take_ns = 0;
    look.count = 0;
    for (waits = 0; look.count < 100 && waits < 40000; waits++)
        CHECK_FAILS(lido_object_pool_acquire(look.pool, 1, &lease), LIDO_ERR_TIMEOUT, "parsers");
    CHECK(look.count >= 100);
    end(&factory);
}

static void in_strict_order_nobody_looks(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_lease lease;
    begin(pool_in(&factory, LIDO_OBJECT_POOL_STRICT));
    CHECK_FAILS(lido_object_pool_acquire(look.pool, 1, &lease), LIDO_ERR_TIMEOUT, "parsers");
    CHECK_EQ(look.count, 0);
    end(&factory);
}

CHECK_MAIN(TEST(what_comes_back_soon_is_found_without_a_sleep),
           TEST(a_pool_is_not_destroyed_under_who_looks), TEST(who_looks_learns_of_close),
           TEST(a_deadline_counts_from_the_first_look),
           TEST(where_looks_take_long_most_waits_go_without), TEST(in_strict_order_nobody_looks))
