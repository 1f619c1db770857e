/* SPDX-License-Identifier: MIT
 * Shelves that a visitor cannot reach, because their owner stays inside its gate: as if it had been
 * preempted there. Knows the inside of a pool. */
#include "object_factory.h"

#include "object_pool/internal.h"

#include <lido/object_leases.h>

struct owner {
    lido_object_pool *pool;
    lido_lease lease;
    struct check_gate *is_inside, *may_end;
    uint64_t stays_ns;
};

static lido_object_pool *plain_pool(struct factory *factory, uint64_t limit) {
    lido_object_pool *pool = NULL;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = limit, .create = create_object,
                                 .destroy = destroy_object, .context = factory),
        &pool));
    return pool;
}

static struct lido__lease_store *own_store(lido_object_pool *pool) {
    struct lido__lease_store *store = lido__lease_store_find(&pool->leases);
    CHECK(store != NULL);
    return store;
}

/* Puts an object on its shelf and another into its hands; then stays in its gate for a while. */
static void stay_in_the_gate(void *context) {
    struct owner *owner = context;
    lido_lease other;
    _Atomic(uint32_t) word = 0;
    CHECK_OK(lido_object_pool_acquire(owner->pool, 0, &owner->lease));
    CHECK_OK(lido_object_pool_acquire(owner->pool, 0, &other));
    CHECK_OK(lido_object_pool_release(owner->pool, &other));
    struct lido__lease_store *store = own_store(owner->pool);
    CHECK_EQ(lido__load(&store->shelf.count, relaxed), 1);
    (void)lido__gate_enter_unfenced(&store->gate);
    check_gate_pass(owner->is_inside);
    if (owner->stays_ns)
        (void)lido__sys.park(&word, 0, lido_now_ns() + owner->stays_ns);
    lido__gate_leave(&store->gate);
    check_gate_pass(owner->may_end);
    CHECK_OK(lido_object_pool_release(owner->pool, &owner->lease));
}

static void start_owner(struct owner *owner, struct check_thread *thread) {
    check_start(thread, stay_in_the_gate, owner);
    check_gate_await(owner->is_inside, 1);
}

static void who_waits_gets_what_lies_on_a_shelf_that_was_out_of_reach(void **state) {
    (void)state;
    struct check_gate is_inside = {0}, may_end = {0};
    struct check_thread thread;
    lido_lease lease;
    struct factory factory = factory_start();
    struct owner owner = {.pool = plain_pool(&factory, 2),
                          .is_inside = &is_inside,
                          .may_end = &may_end,
                          .stays_ns = LIDO_MILLISECONDS(5)};
    start_owner(&owner, &thread);
    uint64_t start_ns = lido_now_ns();
    check_gate_open(&is_inside);
    CHECK_OK(
        lido_object_pool_acquire(owner.pool, LIDO_SECONDS(1), &lease)); /* owner calls nothing */
    uint64_t waited_ns = lido_now_ns() - start_ns;
    CHECK(waited_ns >= LIDO_MILLISECONDS(5) && waited_ns <= LIDO_MILLISECONDS(12));
    CHECK_EQ(factory.creates, 2);
    check_gate_open(&may_end);
    check_join(&thread);
    CHECK_OK(lido_object_pool_release(owner.pool, &lease));
    check_object_figures(owner.pool);
    CHECK_OK(lido_object_pool_destroy(owner.pool));
    factory_end(&factory);
}

static void what_is_above_a_lowered_limit_ends_when_its_shelf_is_emptied(void **state) {
    (void)state;
    struct check_gate is_inside = {0}, may_end = {0};
    struct check_thread thread;
    struct factory factory = factory_start();
    struct owner owner = {
        .pool = plain_pool(&factory, 2), .is_inside = &is_inside, .may_end = &may_end};
    start_owner(&owner, &thread);
    CHECK_OK(lido_object_pool_set_object_limit(owner.pool, 1));
    CHECK_EQ(object_stats(owner.pool).existing, 2);
    check_gate_open(&is_inside);
    check_gate_open(&may_end);
    check_join(&thread);
    lido_object_pool_stats stats = object_stats(owner.pool);
    CHECK(stats.existing == 1 && stats.idle == 1 && factory.destroys == 1);
    check_object_figures(owner.pool);
    CHECK_OK(lido_object_pool_destroy(owner.pool));
    factory_end(&factory);
}

/* Released by its holder onto a shelf that the visitor could not take. */
static void a_retired_lease_ends_though_its_shelf_was_out_of_reach(void **state) {
    (void)state;
    struct check_gate is_inside = {0}, may_end = {0};
    struct check_thread thread;
    uint64_t count = 0;
    struct factory factory = factory_start();
    struct owner owner = {
        .pool = plain_pool(&factory, 4), .is_inside = &is_inside, .may_end = &may_end};
    start_owner(&owner, &thread);
    CHECK_OK(lido_object_pool_return_all(owner.pool, &count));
    CHECK_EQ(count, 1);
    check_gate_open(&is_inside);
    check_gate_open(&may_end);
    check_join(&thread);
    lido_object_pool_stats stats = object_stats(owner.pool);
    CHECK(stats.existing == 1 && stats.idle == 1 && stats.retired == 0 && factory.destroys == 1);
    check_object_figures(owner.pool);
    CHECK_OK(lido_object_pool_destroy(owner.pool));
    factory_end(&factory);
}

CHECK_MAIN(TEST(who_waits_gets_what_lies_on_a_shelf_that_was_out_of_reach),
           TEST(what_is_above_a_lowered_limit_ends_when_its_shelf_is_emptied),
           TEST(a_retired_lease_ends_though_its_shelf_was_out_of_reach))
