/* SPDX-License-Identifier: MIT
 * The block pool as a whole (src/block_pool): stores behind the gate, the depot (P2), ends of
 * threads, drains. The calls are the public ones; each block is written with its holder's number, so
 * that two holders of one block are a data race or a wrong number. */
#include "explore_sys.h"

#include <lido/block_figures.h>

enum { HOLD = 4, MANY = 5, LIMIT = 17 };
enum { BLOCK_BYTES = 16 * 1024 /* the fewest blocks to a magazine: 4 */ };

static lido_block_pool *pool;
static uint64_t *passed; /* a block on its way from one thread to another */
static _Atomic(uint32_t) is_passed;
static void *held;

#define NO_BARRIER "a drain passes no barrier"

static void setup_with(enum explore_barrier barrier, uint64_t limit, uint64_t warm) {
    uint64_t *blocks[HOLD];
    explore_sys_begin(explore_broken(NO_BARRIER) ? EXPLORE_BARRIER_EMPTY : barrier);
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
    setup_with(EXPLORE_BARRIER_WORKS, 0, 1);
}

static void setup_fenced(void) {
    setup_with(EXPLORE_BARRIER_NEVER, 0, 1);
}

static void setup_goes_away(void) {
    setup_with(EXPLORE_BARRIER_GOES_AWAY, 0, 1);
}

static void setup_limit(void) {
    setup_with(EXPLORE_BARRIER_WORKS, LIMIT, 0);
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

static void finish_held(void) {
    explore_check(lido_block_pool_release(pool, held) == LIDO_OK, "release refused");
    finish();
}

static void use_one(void) {
    uint64_t *block = get();
    explore_check(block, "no block");
    put(block);
}

/* First through a slow call, which shows the store or hides it; then as its owner finds it. */
static void use_twice(void) {
    use_one();
    use_one();
}

static void use_and_end(void) {
    use_one();
    explore_sys_end_thread();
}

/* One thread acquires, another releases. */
static void hand_over(void) {
    passed = get();
    explore_check(passed, "no block");
    lido__store(&is_passed, 1, release);
}

static void take_over(void) {
    while (lido__load(&is_passed, acquire) == 0)
        lido__pause();
    passed[1] = (uint64_t)explore_thread();
    put(passed);
    explore_sys_end_thread();
}

/* Five blocks are more than a magazine has: both magazines and the depot come into play. */
static void use_many(void) {
    uint64_t *blocks[MANY];
    for (int i = 0; i < MANY; i++)
        explore_check((blocks[i] = get()) != NULL, "no block");
    for (int i = 0; i < MANY; i++)
        put(blocks[i]);
}

/* All blocks that the limit allows, while some lie free in the store of a thread that is done. */
static void use_all(void) {
    uint64_t *blocks[LIMIT];
    while (lido__load(&is_passed, acquire) == 0)
        lido__pause();
    for (int i = 0; i < LIMIT; i++)
        explore_check((blocks[i] = get()) != NULL, "refused, though a block is free");
    explore_check(!lido_block_pool_acquire(pool), "more blocks are out than the limit allows");
    for (int i = 0; i < LIMIT; i++)
        put(blocks[i]);
}

/* A second release finds the canary, wherever the block has gone meanwhile; its neighbour is out
 * throughout, so that the slab stays. */
static void release_twice(void) {
    held = get();
    explore_check(held, "no block");
    uint64_t *block = get();
    explore_check(block, "no block");
    put(block);
    explore_check(lido_block_pool_release(pool, block) == LIDO_ERR_NOT_HELD,
                  "a second release was accepted");
}

/* While this thread sleeps, its store is drained and its slab goes back to the system. */
static void use_sleep_and_use(void) {
    use_one();
    lido__store(&is_passed, 1, release);
    while (lido__load(&is_passed, acquire) != 2)
        lido__pause();
    use_one();
}

static void trim_all(void) {
    lido_block_pool_stats stats = {.struct_size = sizeof stats};
    while (lido__load(&is_passed, acquire) != 1)
        lido__pause();
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    explore_check(lido_block_pool_read_stats(pool, &stats) == LIDO_OK, "no figures");
    explore_check(stats.existing == 0, "blocks of one who sleeps were not given back");
    lido__store(&is_passed, 2, release);
}

static void use_one_and_say_so(void) {
    use_one();
    lido__store(&is_passed, 1, release);
}

static void trim(void) {
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
}

const struct explore_kernel explore_block_pool_kernels[] = {
    {.name = "pool_trim",
     .claim = "a trim takes no block from who holds it, and loses none",
     .preemptions = 2,
     .stale = 2,
     .setup = setup,
     .threads = {{"user", use_twice}, {"trimmer", trim}},
     .finish = finish,
     .mutants = {NO_BARRIER}},
    {.name = "pool_sleeper",
     .claim = "the store of a thread that sleeps is drained, and serves it again later",
     .preemptions = 1,
     .stale = 1,
     .setup = setup,
     .threads = {{"sleeper", use_sleep_and_use}, {"trimmer", trim_all}},
     .finish = finish},
    {.name = "pool_twice",
     .claim = "a block is released once, also while a trim moves it",
     .preemptions = 2,
     .stale = 2,
     .setup = setup,
     .threads = {{"twice", release_twice}, {"trimmer", trim}},
     .finish = finish_held},
    {.name = "pool_fenced",
     .claim = "the same without membarrier",
     .preemptions = 1,
     .stale = 1,
     .setup = setup_fenced,
     .threads = {{"user", use_twice}, {"trimmer", trim}},
     .finish = finish},
    {.name = "pool_goes_away",
     .claim = "the same when membarrier goes away meanwhile",
     .preemptions = 1,
     .stale = 1,
     .setup = setup_goes_away,
     .threads = {{"user", use_many}, {"trimmer", trim}},
     .finish = finish},
    {.name = "pool_end",
     .claim = "a thread that ends gives its blocks back, also while it is visited",
     .preemptions = 1,
     .stale = 1,
     .setup = setup,
     .threads = {{"user", use_and_end}, {"trimmer", trim}},
     .finish = finish},
    {.name = "pool_hand_over",
     .claim = "a block may come back through another thread, during a trim too",
     .preemptions = 1,
     .stale = 1,
     .setup = setup,
     .threads = {{"giver", hand_over}, {"taker", take_over}, {"trimmer", trim}},
     .finish = finish},
    {.name = "pool_exchange",
     .claim = "magazines that change hands through the depot lose no block and double none",
     .preemptions = 1,
     .stale = 0,
     .setup = setup,
     .threads = {{"user", use_many}, {"user 2", use_many}},
     .finish = finish},
    {.name = "pool_limit",
     .claim = "a free block in another thread's store is found before anybody is refused",
     .preemptions = 1,
     .stale = 1,
     .setup = setup_limit,
     .threads = {{"idler", use_one_and_say_so}, {"user", use_all}},
     .finish = finish},
    {.name = NULL},
};
