/* SPDX-License-Identifier: MIT
 * lido/block_pool.h under threads that do everything at once: no block has two owners, its bytes
 * stay, figures are exact when all is quiet. */
#include "stress.h"

#include <lido/block_figures.h>

enum { WORKERS = 4, BOARD = 64, OWN = 48, BYTES = 72, CASES = 4 };

/* Blocks change hands over a board: whoever takes one down releases it. */
static _Atomic(unsigned char *) board[BOARD];

struct worker {
    lido_block_pool *pool;
    uint64_t number;
    struct check_random random;
    unsigned char *own[OWN];
    uint64_t acquired, released, refused;
};

static lido_block_pool *make(uint64_t mode, uint64_t limit, uint64_t idle_keep_ns) {
    lido_block_pool *pool = NULL;
    CHECK_OK(lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.name = "stress", .block_size = BYTES,
                                                            .block_limit = limit, .mode = mode,
                                                            .idle_keep_ns = idle_keep_ns),
                                    &pool));
    return pool;
}

static void check_mark(const unsigned char *block) {
    for (int i = 1; i < BYTES; i++)
        if (block[i] != block[0])
            CHECK_EQ(block[i], block[0]);
}

static unsigned char *get(struct worker *worker) {
    unsigned char *block = lido_block_pool_acquire(worker->pool);
    if (!block) {
        worker->refused++;
        CHECK_EQ(lido_last_status(), LIDO_ERR_LIMIT);
        return NULL;
    }
    worker->acquired++;
    memset(block, (int)(check_random(&worker->random) & 0xff), BYTES);
    return block;
}

static void give(struct worker *worker, unsigned char *block) {
    uint64_t index = 0;
    if (!block)
        return;
    check_mark(block);
    CHECK_OK(lido_block_pool_read_index(worker->pool, block, &index));
    CHECK(lido_block_pool_at(worker->pool, index) == block);
    if (check_random_below(&worker->random, 4) == 0)
        CHECK_OK(lido_block_pool_release_index(worker->pool, index));
    else
        CHECK_OK(lido_block_pool_release(worker->pool, block));
    worker->released++;
}

static void get_and_give_many(struct worker *worker) {
    void *blocks[20];
    uint64_t got = lido_block_pool_acquire_many(worker->pool, 20, blocks);
    worker->acquired += got;
    worker->refused += 20 - got;
    for (uint64_t i = 0; i < got; i++)
        memset(blocks[i], (int)worker->number, BYTES);
    for (uint64_t i = 0; i < got; i++)
        check_mark(blocks[i]);
    CHECK_OK(lido_block_pool_release_many(worker->pool, got, blocks));
    worker->released += got;
}

static void step(struct worker *worker) {
    unsigned char **own = &worker->own[check_random_below(&worker->random, OWN)];
    _Atomic(unsigned char *) *place = &board[check_random_below(&worker->random, BOARD)];
    switch (check_random_below(&worker->random, 16)) {
    case 0:
    case 1:
    case 2:
        give(worker, atomic_exchange(place, *own));
        *own = NULL;
        break;
    case 3:
        get_and_give_many(worker);
        break;
    case 4:
        if (check_random_below(&worker->random, 40) == 0)
            (void)lido_block_pool_trim(worker->pool, LIDO_FOREVER);
        break;
    default:
        if (*own) {
            give(worker, *own);
            *own = NULL;
        } else
            *own = get(worker);
    }
}

static void work(void *context) {
    struct worker *worker = context;
    while (stress_goes_on())
        for (int i = 0; i < 50; i++)
            step(worker);
    for (int i = 0; i < OWN; i++)
        give(worker, worker->own[i]);
}

static void finish(lido_block_pool *pool, struct worker *workers) {
    uint64_t acquired = 0, released = 0, refused = 0;
    for (int i = 0; i < BOARD; i++)
        give(&workers[0], atomic_exchange(&board[i], NULL));
    for (int i = 0; i < WORKERS; i++) {
        acquired += workers[i].acquired;
        released += workers[i].released;
        refused += workers[i].refused;
    }
    lido_block_pool_stats s = {.struct_size = sizeof s};
    CHECK_OK(lido_block_pool_read_stats(pool, &s));
    CHECK_EQ(s.acquired, acquired);
    CHECK_EQ(s.released, released);
    CHECK_EQ(s.refused_limit, refused);
    CHECK(s.live == 0 && s.refused_release == 0 && s.refused_memory == 0);
    CHECK_EQ(s.existing, s.cached + s.idle + s.stranded);
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void start(struct worker *workers, lido_block_pool *pool) {
    for (uint64_t i = 0; i < WORKERS; i++)
        workers[i] =
            (struct worker){.pool = pool, .number = i + 1, .random = check_random_start(i)};
}

static void blocks_change_hands_between_busy_threads(void **state) {
    (void)state;
    struct worker workers[WORKERS];
    stress_start(CASES);
    lido_block_pool *pool = make(LIDO_BLOCK_POOL_SLABS, 150, 1);
    start(workers, pool);
    check_in_threads(WORKERS, work, workers, sizeof workers[0]);
    finish(pool, workers);
    stress_end("blocks change hands");
}

/* ---- While others look and steer ------------------------------------------------------------- */

static void look_and_steer(void *context) {
    struct worker *worker = context;
    while (stress_goes_on()) {
        uint64_t index = 0;
        lido_block_pool_stats s = {.struct_size = sizeof s};
        CHECK_OK(lido_block_pool_read_stats(worker->pool, &s));
        CHECK(s.live <= s.live_peak && s.live_peak <= WORKERS * OWN + BOARD + WORKERS * 20);
        for (int i = 0; i < 20 && lido_block_pool_next(worker->pool, &index); i++)
            index++;
        CHECK_OK(lido_block_pool_set_block_limit(worker->pool,
                                                 100 + check_random_below(&worker->random, 100)));
        lido_resource resource = LIDO_RESOURCE;
        CHECK(lido_registry_next(0, &resource));
    }
}

static void figures_and_limit_may_be_used_while_others_work(void **state) {
    (void)state;
    struct worker workers[WORKERS];
    struct check_thread threads[WORKERS];
    stress_start(CASES);
    lido_block_pool *pool = make(LIDO_BLOCK_POOL_SLABS, 150, 1000);
    start(workers, pool);
    for (int i = 0; i < WORKERS; i++)
        check_start(&threads[i], i == 0 ? look_and_steer : work, &workers[i]);
    for (int i = 0; i < WORKERS; i++)
        check_join(&threads[i]);
    finish(pool, workers);
    stress_end("looking and steering");
}

/* ---- Threads that end with blocks out ---------------------------------------------------------- */

static void work_shortly(void *context) {
    struct worker *worker = context;
    for (int i = 0; i < 30; i++)
        step(worker);
    for (int i = 0; i < OWN; i++) {
        give(worker, atomic_exchange(&board[(size_t)i % BOARD], worker->own[i]));
        worker->own[i] = NULL;
    }
}

static void send_short_threads(void *context) {
    while (stress_goes_on())
        check_in_thread(work_shortly, context);
}

static void threads_end_and_others_release_what_they_left(void **state) {
    (void)state;
    struct worker workers[WORKERS];
    stress_start(CASES);
    lido_block_pool *pool = make(LIDO_BLOCK_POOL_SLABS, 0, LIDO_MILLISECONDS(1));
    start(workers, pool);
    check_in_threads(WORKERS, send_short_threads, workers, sizeof workers[0]);
    finish(pool, workers);
    stress_end("threads that end");
}

/* ---- Fork ------------------------------------------------------------------------------------------ */

static void go_on_in_child(void *context) {
    lido_block_pool *pool = context;
    void *blocks[40];
    lido_block_pool_stats s = {.struct_size = sizeof s};
    lido__yield_hook = NULL;
    CHECK_OK(lido_block_pool_set_block_limit(pool, 0));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(lido_block_pool_acquire_many(pool, 40, blocks), 40);
        CHECK_OK(lido_block_pool_release_many(pool, 40, blocks));
    }
    uint64_t index = 0;
    for (void *block; (block = lido_block_pool_next(pool, &index)) != NULL; index++)
        CHECK_OK(lido_block_pool_release(pool, block));
    CHECK_OK(lido_block_pool_read_stats(pool, &s));
    CHECK(s.live == 0 && s.acquired == s.released);
    CHECK_EQ(s.existing, s.cached + s.idle + s.stranded);
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    CHECK_OK(lido_block_pool_destroy(pool));
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
    stress_start(CASES);
    lido_block_pool *pool = make(LIDO_BLOCK_POOL_SLABS, 200, 1);
    start(workers, pool);
    for (int i = 0; i < WORKERS; i++)
        check_start(&threads[i], work, &workers[i]);
    while (stress_goes_on())
        CHECK_EQ(check_child(go_on_in_child, pool), 0);
    for (int i = 0; i < WORKERS; i++)
        check_join(&threads[i]);
    finish(pool, workers);
    stress_end("fork");
}

CHECK_MAIN(TEST(blocks_change_hands_between_busy_threads),
           TEST(figures_and_limit_may_be_used_while_others_work),
           TEST(threads_end_and_others_release_what_they_left),
           TEST(children_of_busy_threads_have_a_whole_pool))
