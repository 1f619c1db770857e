/* SPDX-License-Identifier: MIT
 * membarrier(2) worked and then goes away, as under a filter that a process installs for itself. Fast
 * paths pay no fence; so they must find nothing any more behind a gate that says that its owner pays
 * one, since visitors go by that. Knows the inside of the pools. */
#include "object_factory.h"

#include "block_pool/pool.h"
#include "object_pool/internal.h"

#include <lido/block_pool.h>

#include <errno.h>

static int refuse_barrier(void) {
    return EPERM;
}

/* From the next failing barrier on, the process knows. */
static void take_membarrier_away(void) {
    lido__sys.barrier = lido__sys.barrier_register = refuse_barrier;
    CHECK(!lido__gate_barrier());
    CHECK(!lido__gate_can_reach());
}

static bool is_shown(lido_block_pool *pool) {
    for (struct lido__store *store = pool->stores; store; store = store->next)
        if (store->is_fenced && lido__load(&store->near.open, relaxed) == pool)
            return true;
    return false;
}

static bool is_behind_a_fence(lido_object_pool *pool) {
    for (struct lido__lease_store *store = pool->leases.stores; store; store = store->next_of_pool)
        if (lido__load(&store->gate.fenced, relaxed) &&
            lido__load(&store->gate.store, relaxed) == &store->shelf)
            return true;
    return false;
}

static void fast_paths_find_nothing_behind_fenced_gates(void **state) {
    (void)state;
    enum { BLOCKS = 200, CALLS = 3000 };
    void *blocks[BLOCKS];
    lido_block_pool *blocks_pool = NULL;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 64);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_set_object_limit(pool, 32)); /* takes the shelves off */
    CHECK_OK(lido_block_pool_create(
        LIDO_BLOCK_POOL_OPTIONS(.name = "frames", .block_size = 64, .mode = LIDO_BLOCK_POOL_SLABS),
        &blocks_pool));
    CHECK_EQ(lido_block_pool_acquire_many(blocks_pool, BLOCKS, blocks), BLOCKS);
    CHECK_OK(lido_block_pool_release_many(blocks_pool, BLOCKS, blocks));
    take_membarrier_away();
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = lido_block_pool_acquire(blocks_pool);
        CHECK(blocks[i] && !is_shown(blocks_pool));
    }
    CHECK_OK(lido_block_pool_release_many(blocks_pool, BLOCKS, blocks));
    CHECK_OK(lido_block_pool_destroy(blocks_pool));
    for (int i = 0; i < CALLS; i++) {
        CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
        CHECK(!is_behind_a_fence(pool));
        CHECK_OK(lido_object_pool_release(pool, &lease));
        CHECK(!is_behind_a_fence(pool));
    }
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

CHECK_MAIN(TEST(fast_paths_find_nothing_behind_fenced_gates))
