/* SPDX-License-Identifier: MIT
 * Many pools, many objects, many threads: what they cost in memory, as lido asks the system for it.
 * docs/object_pool.md states the same figures. */
#include "object_factory.h"

enum {
    POOLS = 1000,
    EACH = 1000,
    POOL_BYTES = 1024, /* with its place in the registry */
    OBJECT_BYTES = 72, /* 64 are the slot */
    STORE_BYTES = 512  /* a thread that uses a pool */
};

static int make_number(void *context, void **object) {
    static char base;
    uintptr_t *made = context;
    *object = &base + ++*made;
    return 0;
}

static lido_object_pool *pool_of_numbers(uintptr_t *made, uint64_t limit) {
    lido_object_pool *pool = NULL;
    CHECK_OK(
        lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.name = "numbers", .object_limit = limit,
                                                         .create = make_number, .context = made),
                                &pool));
    return pool;
}

static void a_thousand_pools_of_a_thousand_objects_are_all_in_use_at_once(void **state) {
    (void)state;
    static lido_object_pool *pools[POOLS];
    lido_lease *leases = calloc((size_t)POOLS * EACH, sizeof *leases), more;
    uintptr_t made = 0;
    uint64_t before = check_bytes_held(), told = 0;
    CHECK(leases != NULL);
    for (int p = 0; p < POOLS; p++)
        pools[p] = pool_of_numbers(&made, EACH);
    uint64_t empty = check_bytes_held();
    CHECK(empty - before <= (uint64_t)POOLS * POOL_BYTES);
    for (int p = 0; p < POOLS; p++)
        CHECK_OK(lido_object_pool_prepare(pools[p], EACH));
    uint64_t full = check_bytes_held();
    CHECK(full - empty <= (uint64_t)POOLS * (EACH * OBJECT_BYTES + STORE_BYTES));
    for (int i = 0; i < POOLS * EACH; i++)
        CHECK_OK(lido_object_pool_try_acquire(pools[i / EACH], &leases[i]));
    CHECK_EQ(made, POOLS * EACH);
    CHECK_EQ(check_bytes_held(), full); /* being in use costs nothing */
    for (int p = 0; p < POOLS; p++) {
        CHECK_FAILS(lido_object_pool_try_acquire(pools[p], &more), LIDO_ERR_EMPTY, "numbers");
        told += object_stats(pools[p]).overhead_bytes;
    }
    CHECK(told <= full - before);
    CHECK((full - before - told) * 25 <= full - before); /* what malloc rounds up */
    for (int i = 0; i < POOLS * EACH; i++)
        CHECK_OK(lido_object_pool_release(pools[i / EACH], &leases[i]));
    for (int p = 0; p < POOLS; p++)
        CHECK_OK(lido_object_pool_destroy(pools[p]));
    free(leases);
}

struct user {
    lido_object_pool *pool;
    struct check_gate *gate;
};

static void use_and_stay(void *context) {
    struct user *user = context;
    lido_lease lease;
    CHECK_OK(lido_object_pool_acquire(user->pool, 0, &lease));
    CHECK_OK(lido_object_pool_release(user->pool, &lease));
    check_gate_pass(user->gate);
}

/* Beyond what a thread costs that uses lido at all. */
static void a_thread_costs_a_pool_its_store_and_leaves_nothing_behind(void **state) {
    (void)state;
    enum { THREADS = 16 };
    struct check_thread threads[THREADS];
    struct check_gate gate = {0};
    uintptr_t made = 0;
    lido_object_pool *pool = pool_of_numbers(&made, THREADS);
    CHECK_OK(lido_object_pool_prepare(pool, THREADS));
    struct user user = {.pool = pool, .gate = &gate};
    uint64_t told = object_stats(pool).overhead_bytes;
    for (int i = 0; i < THREADS; i++)
        check_start(&threads[i], use_and_stay, &user);
    check_gate_await(&gate, THREADS);
    uint64_t stores = object_stats(pool).overhead_bytes - told;
    CHECK(stores > 0 && stores <= THREADS * STORE_BYTES);
    check_gate_open(&gate);
    for (int i = 0; i < THREADS; i++)
        check_join(&threads[i]);
    CHECK_EQ(object_stats(pool).overhead_bytes, told);
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
}

CHECK_MAIN(TEST(a_thousand_pools_of_a_thousand_objects_are_all_in_use_at_once),
           TEST(a_thread_costs_a_pool_its_store_and_leaves_nothing_behind))
