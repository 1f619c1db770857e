/* SPDX-License-Identifier: MIT
 * The block pool as a whole (src/block_pool): stores behind the gate, the depot (P2), ends of
 * threads, drains. The calls are the public ones; each block is written with its holder's number, so
 * that two holders of one block are a data race or a wrong number. */
#include "explore_sys.h"

#include "base/thread.h"

#include <lido/block_pool.h>

enum { HOLD = 4, BLOCK_BYTES = 16 * 1024 /* the fewest blocks to a magazine: 4 */ };

static lido_block_pool *pool;
static uint64_t *passed; /* a block on its way from one thread to another */
static _Atomic(uint32_t) is_passed;

static void setup_limited(uint64_t limit, uint64_t warm) {
    uint64_t *blocks[HOLD];
    explore_sys_begin(EXPLORE_BARRIER_WORKS);
    explore_thread_local(&lido__thread_self, sizeof lido__thread_self);
    passed = NULL;
    lido__store(&is_passed, 0, relaxed);
    lido_status status = lido_block_pool_create(
        LIDO_BLOCK_POOL_OPTIONS(.name = "explored", .block_size = BLOCK_BYTES, .block_limit = limit,
                                .idle_keep_ns = LIDO_FOREVER, .mode = LIDO_BLOCK_POOL_SLABS),
        &pool);
    explore_check(status == LIDO_OK, lido_last_error());
    for (uint64_t i = 0; i < warm; i++)
        explore_check((blocks[i] = lido_block_pool_acquire(pool)) != NULL,
                      "no block to begin with");
    for (uint64_t i = 0; i < warm; i++)
        explore_check(lido_block_pool_release(pool, blocks[i]) == LIDO_OK, "release refused");
}

static void setup(void) {
    setup_limited(0, 1);
}

static uint64_t *get(void) {
    uint64_t *block = lido_block_pool_acquire(pool);
    if (block)
        block[1] = (uint64_t)explore_thread();
    return block;
}

static void put(uint64_t *block) {
    explore_check(block[1] == (uint64_t)explore_thread(), "the block has another holder");
    explore_check(lido_block_pool_release(pool, block) == LIDO_OK, "a good release was refused");
}

/* Everything is back, and the figures say so. */
static void finish(void) {
    lido_block_pool_stats stats = {.struct_size = sizeof stats};
    explore_check(lido_block_pool_read_stats(pool, &stats) == LIDO_OK, "no figures");
    explore_check(stats.live == 0, "a block is out though all were released");
    explore_check(stats.acquired == stats.released, "acquired and released differ");
    explore_check(stats.cached + stats.stranded + stats.idle == stats.existing,
                  "blocks are lost or in two places");
}

static void use_one(void) {
    uint64_t *block = get();
    explore_check(block, "no block");
    put(block);
}

static void use_and_end(void) {
    use_one();
    explore_sys_end_thread();
}

static void trim(void) {
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
}

const struct explore_kernel explore_block_pool_kernels[] = {
    {.name = "pool_trim",
     .claim = "a trim takes no block from who holds it, and loses none",
     .preemptions = 2,
     .stale = 1,
     .setup = setup,
     .threads = {{"user", use_one}, {"trimmer", trim}},
     .finish = finish},
    {.name = "pool_end",
     .claim = "a thread that ends gives its blocks back, also while it is visited",
     .preemptions = 2,
     .stale = 1,
     .setup = setup,
     .threads = {{"user", use_and_end}, {"trimmer", trim}},
     .finish = finish},
    {.name = NULL},
};
