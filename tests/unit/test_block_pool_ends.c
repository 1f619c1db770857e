/* SPDX-License-Identifier: MIT
 * lido/block_pool.h at the ends of threads, and where the system denies membarrier. */
#include "check.h"
#include "deny_membarrier.h"

#include <lido/block_figures.h>
#include <lido/block_pool.h>

#include <pthread.h>
#include <sys/wait.h>

enum { HELD = 300, LIMIT = 1000 };

static lido_block_pool *pool;
static void *held[HELD];

static void make(uint64_t limit) {
    CHECK_OK(lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.name = "frames", .block_size = 64,
                                                            .block_limit = limit,
                                                            .mode = LIDO_BLOCK_POOL_SLABS),
                                    &pool));
}

static lido_block_pool_stats figures(void) {
    lido_block_pool_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_block_pool_read_stats(pool, &stats));
    return stats;
}

static void end(void) {
    CHECK_EQ(figures().live, 0);
    CHECK_OK(lido_block_pool_destroy(pool));
}

/* ---- membarrier is denied --------------------------------------------------------------- */

static pthread_barrier_t step;

/* Leaves free blocks in its caches, and sleeps. */
static void *cache_and_sleep(void *unused) {
    void *own[HELD];
    bool has_all = lido_block_pool_acquire_many(pool, HELD, own) == HELD;
    for (int i = 0; i < HELD; i++)
        has_all &= lido_block_pool_release(pool, own[i]) == LIDO_OK;
    (void)pthread_barrier_wait(&step);
    (void)pthread_barrier_wait(&step);
    /* And goes on with the same blocks as others. */
    for (int i = 0; i < 10000; i++) {
        void *block = lido_block_pool_acquire(pool);
        has_all &= block && lido_block_pool_release(pool, block) == LIDO_OK;
    }
    return has_all ? pool : unused;
}

/* In a child, where no gate has been made yet. Returns which step failed. */
static int work_without_membarrier(void) {
    static void *all[LIMIT];
    pthread_t thread;
    void *is_well = NULL;
    if (!deny_membarrier())
        return 1;
    make(LIMIT);
    if (pthread_barrier_init(&step, NULL, 2) ||
        pthread_create(&thread, NULL, cache_and_sleep, NULL))
        return 2;
    (void)pthread_barrier_wait(&step);
    if (figures().live != 0 || figures().cached == 0)
        return 3;
    /* The limit is reached with what the sleeper had, though it cannot be interrupted. */
    if (lido_block_pool_acquire_many(pool, LIMIT, all) != LIMIT || lido_block_pool_acquire(pool))
        return 4;
    for (int i = 0; i < LIMIT; i++)
        if (lido_block_pool_release(pool, all[i]) != LIDO_OK)
            return 5;
    if (lido_block_pool_release(pool, all[0]) != LIDO_ERR_NOT_HELD || figures().live != 0)
        return 6;
    (void)pthread_barrier_wait(&step);
    if (pthread_join(thread, &is_well) || !is_well)
        return 7;
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    return figures().existing == 0 && lido_block_pool_destroy(pool) == LIDO_OK ? 0 : 8;
}

static void all_blocks_can_be_had_where_membarrier_is_denied(void **state) {
    (void)state;
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(work_without_membarrier());
    CHECK_EQ((uint64_t)waitpid(child, &status, 0), (uint64_t)child);
    CHECK(WIFEXITED(status));
    CHECK_EQ((uint64_t)WEXITSTATUS(status), 0);
}

/* ---- Threads that end ------------------------------------------------------------------- */

static pthread_key_t late_key;
static _Atomic int late_rounds;

/* Runs again and again, so that at least once it runs after lido's own destructor. */
static void use_the_pool_late(void *block) {
    CHECK_OK(lido_block_pool_release(pool, block));
    block = lido_block_pool_acquire(pool);
    CHECK(block != NULL);
    if (--late_rounds > 0)
        (void)pthread_setspecific(late_key, block);
    else
        CHECK_OK(lido_block_pool_release(pool, block));
}

static void hold_one_to_the_end(void *unused) {
    (void)unused;
    (void)pthread_setspecific(late_key, lido_block_pool_acquire(pool));
}

static void destructors_that_run_after_lidos_may_use_the_pool(void **state) {
    (void)state;
    const int most = CHECK_TSAN ? 2 : 3; /* as in test_base_thread.c */
    make(0);
    CHECK_EQ(pthread_key_create(&late_key, use_the_pool_late), 0);
    for (int rounds = 1; rounds <= most; rounds++) {
        late_rounds = rounds;
        check_in_thread(hold_one_to_the_end, NULL);
        CHECK_EQ(late_rounds, 0);
        lido_block_pool_stats s = figures();
        CHECK(s.live == 0 && s.acquired == s.released && s.refused_release == 0);
        CHECK_EQ(s.existing, s.cached + s.stranded + s.idle);
    }
    pthread_key_delete(late_key);
    end();
}

static void *hold_until_cancelled(void *unused) {
    CHECK_EQ(lido_block_pool_acquire_many(pool, HELD, held), HELD);
    (void)pthread_barrier_wait(&step);
    for (;;)
        (void)pause();
    return unused;
}

static void what_a_cancelled_thread_held_is_out_until_somebody_releases_it(void **state) {
    (void)state;
    pthread_t thread;
    make(0);
    CHECK_EQ(pthread_barrier_init(&step, NULL, 2), 0);
    CHECK_EQ(pthread_create(&thread, NULL, hold_until_cancelled, NULL), 0);
    (void)pthread_barrier_wait(&step);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(figures().live, HELD);
    CHECK_FAILS(lido_block_pool_destroy(pool), LIDO_ERR_BUSY, "frames");
    CHECK_OK(lido_block_pool_release_many(pool, HELD, held));
    CHECK_FAILS(lido_block_pool_release(pool, held[0]), LIDO_ERR_NOT_HELD, "frames");
    (void)pthread_barrier_destroy(&step);
    end();
}

/* The first one forks before a gate is made: they remember whether membarrier works. */
CHECK_MAIN(TEST(all_blocks_can_be_had_where_membarrier_is_denied),
           TEST(destructors_that_run_after_lidos_may_use_the_pool),
           TEST(what_a_cancelled_thread_held_is_out_until_somebody_releases_it))
