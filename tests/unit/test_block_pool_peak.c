/* SPDX-License-Identifier: MIT
 * lido/block_pool.h after a peak: what goes back of memory that survivors are spread over, in which
 * steps, and what is promised all the while. */
#include "check.h"

#include <lido/block_figures.h>
#include <lido/panel.h>
#include <lido/registry.h>

#include <sys/mman.h>

enum { MANY = 20000, BYTES = 800, SURVIVORS = MANY / 20 };

static void *all[MANY];
static struct check_random dice;

/* ---- The system, with a look at what is given back ---------------------------------------- */

static _Atomic uint64_t purged_bytes, purge_calls;
static bool refuses_purge;

static bool counting_purge(void *memory, size_t bytes) {
    atomic_fetch_add(&purge_calls, 1);
    if (refuses_purge)
        return false;
    atomic_fetch_add(&purged_bytes, bytes);
    return lido__sys_real.purge(memory, bytes);
}

static void watch_purges(void) {
    purged_bytes = purge_calls = 0;
    refuses_purge = false;
    lido__sys.purge = counting_purge;
}

/* ---- Pools with a peak behind them -------------------------------------------------------- */

static lido_block_pool *make_with(lido_block_pool_options options) {
    lido_block_pool *pool = NULL;
    options.struct_size = sizeof options;
    options.name = "peak";
    options.mode = LIDO_BLOCK_POOL_SLABS;
    CHECK_OK(lido_block_pool_create(&options, &pool));
    return pool;
}

#define MAKE(...) make_with((lido_block_pool_options){__VA_ARGS__})

static lido_block_pool_stats stats_of(const lido_block_pool *pool) {
    lido_block_pool_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_block_pool_read_stats(pool, &stats));
    CHECK_EQ(stats.existing, stats.live + stats.cached + stats.stranded + stats.idle);
    return stats;
}

static void shuffle(void) {
    dice = check_random_start(7);
    for (uint64_t i = MANY; i > 1; i--) {
        uint64_t k = check_random_below(&dice, i);
        void *kept = all[i - 1];
        all[i - 1] = all[k];
        all[k] = kept;
    }
}

/* All out, then all but the first SURVIVORS back, in random order. */
static uint64_t make_peak(lido_block_pool *pool, uint64_t bytes) {
    CHECK_EQ(lido_block_pool_acquire_many(pool, MANY, all), MANY);
    for (int i = 0; i < MANY; i++)
        memset(all[i], 0x11, bytes);
    uint64_t committed = stats_of(pool).committed_bytes;
    shuffle();
    for (int i = 0; i < MANY; i++)
        if (i < SURVIVORS)
            memset(all[i], i, bytes);
        else
            CHECK_OK(lido_block_pool_release(pool, all[i]));
    return committed;
}

static void check_survivors(uint64_t bytes) {
    for (int i = 0; i < SURVIVORS; i++) {
        unsigned char *block = all[i];
        CHECK(block[0] == (unsigned char)i && memcmp(block, block + 1, bytes - 1) == 0);
    }
}

static void turn_over(lido_block_pool *pool, uint64_t bytes, int times) {
    for (int i = 0; i < times * SURVIVORS; i++) {
        uint64_t k = check_random_below(&dice, SURVIVORS);
        CHECK_OK(lido_block_pool_release(pool, all[k]));
        CHECK((all[k] = lido_block_pool_acquire(pool)) != NULL);
        memset(all[k], (int)k, bytes);
    }
}

static void use_lightly(lido_block_pool *pool, int turns) {
    for (int turn = 0; turn < turns; turn++) {
        void *few[16];
        CHECK_EQ(lido_block_pool_acquire_many(pool, 16, few), 16);
        CHECK_OK(lido_block_pool_release_many(pool, 16, few));
        check_advance(LIDO_MILLISECONDS(1));
    }
}

static void end_with_survivors(lido_block_pool *pool) {
    CHECK_OK(lido_block_pool_release_many(pool, SURVIVORS, all));
    CHECK_EQ(stats_of(pool).live, 0);
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    CHECK_EQ(stats_of(pool).committed_bytes, 0);
    CHECK_OK(lido_block_pool_destroy(pool));
}

/* ---- Tests -------------------------------------------------------------------------------- */

static void survivors_keep_a_fifth_at_most_after_three_turnovers_and_trim(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = BYTES);
    uint64_t committed = make_peak(pool, BYTES);
    turn_over(pool, BYTES, 3);
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    CHECK(stats_of(pool).committed_bytes <= committed / 5);
    CHECK(stats_of(pool).fragmentation < 0.1);
    check_survivors(BYTES);
    end_with_survivors(pool);
}

static void survivors_keep_a_fifth_at_most_after_a_second_of_light_use(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = BYTES, .idle_keep_ns = LIDO_MILLISECONDS(250));
    uint64_t committed = make_peak(pool, BYTES);
    turn_over(pool, BYTES, 3);
    use_lightly(pool, 1000);
    CHECK(stats_of(pool).committed_bytes <= committed / 5);
    check_survivors(BYTES);
    end_with_survivors(pool);
}

/* Blocks of 64 bytes: hardly a page is free of them, so that turning over has to do it all. */
static void small_survivors_come_together_while_they_turn_over(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 64);
    uint64_t committed = make_peak(pool, 64);
    turn_over(pool, 64, 5);
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    CHECK(stats_of(pool).committed_bytes <= committed / 3);
    check_survivors(64);
    end_with_survivors(pool);
}

/* What the figures say is what the system holds. */
static uint64_t resident_bytes(void *const blocks[], int count, uint64_t block_bytes) {
    const uintptr_t page = lido__page_bytes();
    uint64_t bytes = 0;
    for (int i = 0; i < count; i++) {
        uintptr_t at = (uintptr_t)blocks[i] / page * page;
        unsigned char in = 0;
        for (; at < (uintptr_t)blocks[i] + block_bytes; at += page)
            if (mincore((void *)at, page, &in) == 0)
                bytes += in & 1 ? page : 0;
    }
    return bytes;
}

static void pages_between_survivors_go_back_to_the_system(void **state) {
    (void)state;
    enum { large = 16384, count = 1000 };
    static void *blocks[count];
    lido_block_pool *pool = MAKE(.block_size = large, .block_align = 4096);
    CHECK_EQ(lido_block_pool_acquire_many(pool, count, blocks), count);
    for (int i = 0; i < count; i++)
        memset(blocks[i], i + 1, large);
    CHECK_EQ(resident_bytes(blocks, count, large), (uint64_t)count * large);
    for (int i = 0; i < count; i++)
        if (i % 5)
            CHECK_OK(lido_block_pool_release(pool, blocks[i]));
    watch_purges();
    uint64_t given = lido_block_pool_trim(pool, LIDO_FOREVER);
    CHECK(given >= (uint64_t)count * large * 7 / 10);
    CHECK(resident_bytes(blocks, count, large) + given <= (uint64_t)count * large + 65536);
    CHECK_EQ(lido_block_pool_trim(pool, LIDO_FOREVER), 0);
    for (int i = 0; i < count; i += 5) {
        unsigned char *block = blocks[i];
        CHECK(block[0] == (unsigned char)(i + 1) && memcmp(block, block + 1, large - 1) == 0);
        CHECK_OK(lido_block_pool_release(pool, block));
        CHECK_FAILS(lido_block_pool_release(pool, block), LIDO_ERR_NOT_HELD, "twice");
    }
    CHECK_OK(lido_block_pool_destroy(pool));
}

/* A page that went back has taken the canaries of its blocks along. */
static void a_second_release_is_refused_after_its_page_went_back(void **state) {
    (void)state;
    static const uint64_t flags[] = {0, LIDO_BLOCK_POOL_EXACT, LIDO_BLOCK_POOL_ZERO};
    for (int f = 0; f < 3; f++) {
        lido_block_pool *pool = MAKE(.block_size = BYTES, .flags = flags[f]);
        (void)make_peak(pool, BYTES);
        (void)lido_block_pool_trim(pool, LIDO_FOREVER);
        lido_block_pool_stats before = stats_of(pool);
        for (int i = SURVIVORS; i < MANY; i++)
            CHECK_FAILS(lido_block_pool_release(pool, all[i]), LIDO_ERR_NOT_HELD, "peak");
        for (int i = 0; i < SURVIVORS; i++)
            CHECK_FAILS(lido_block_pool_release(pool, (char *)all[i] + 16), LIDO_ERR_NOT_HELD,
                        "peak");
        CHECK_EQ(stats_of(pool).live, before.live);
        CHECK_EQ(stats_of(pool).refused_release, (uint64_t)MANY);
        check_survivors(BYTES);
        end_with_survivors(pool);
    }
}

/* And back up again: pages come back, blocks are whole, distinct, zero if asked. */
static void a_pool_grows_again_over_pages_that_went_back(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = BYTES, .flags = LIDO_BLOCK_POOL_ZERO);
    uint64_t committed = make_peak(pool, BYTES);
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    for (int round = 0; round < 2; round++) {
        for (int i = SURVIVORS; i < MANY; i++) {
            unsigned char *block = all[i] = lido_block_pool_acquire(pool);
            CHECK(block && block[0] == 0 && memcmp(block, block + 1, BYTES - 1) == 0);
            memset(block, 0x22, BYTES);
        }
        check_survivors(BYTES);
        CHECK(stats_of(pool).committed_bytes <= committed + 262144);
        CHECK_EQ(stats_of(pool).live, (uint64_t)MANY);
        for (int i = SURVIVORS; i < MANY; i++)
            CHECK_OK(lido_block_pool_release(pool, all[i]));
    }
    end_with_survivors(pool);
}

static void a_system_that_takes_nothing_back_changes_nothing(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = BYTES);
    (void)make_peak(pool, BYTES);
    watch_purges();
    refuses_purge = true;
    uint64_t before = stats_of(pool).committed_bytes;
    uint64_t given = lido_block_pool_trim(pool, LIDO_FOREVER);
    CHECK_EQ(stats_of(pool).committed_bytes, before - given);
    for (int i = SURVIVORS; i < MANY; i++)
        CHECK_FAILS(lido_block_pool_release(pool, all[i]), LIDO_ERR_NOT_HELD, "peak");
    end_with_survivors(pool);
}

/* How long a caller may be kept is bounded by what one call gives back, whatever there is to do. */
static void no_call_gives_back_more_than_a_step(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = BYTES, .idle_keep_ns = LIDO_MILLISECONDS(250));
    (void)make_peak(pool, BYTES);
    check_advance(LIDO_SECONDS(10));
    watch_purges();
    for (int i = 0; i < 100000; i++) {
        uint64_t bytes = purged_bytes, calls = purge_calls;
        void *block = lido_block_pool_acquire(pool);
        CHECK(purged_bytes - bytes <= (1 << 20) + (1 << 19) && purge_calls - calls <= 160);
        bytes = purged_bytes;
        CHECK_OK(lido_block_pool_release(pool, block));
        CHECK(purged_bytes - bytes <= (1 << 20) + (1 << 19));
    }
    CHECK(purged_bytes > (uint64_t)MANY * BYTES / 2);
    end_with_survivors(pool);
}

/* Used without a pause: no call of the system at all. */
static void steady_use_gives_back_and_asks_for_nothing(void **state) {
    (void)state;
    enum { live = 4000 };
    lido_block_pool *pool = MAKE(.block_size = BYTES);
    dice = check_random_start(3);
    CHECK_EQ(lido_block_pool_acquire_many(pool, live, all), live);
    turn_over(pool, BYTES, 4);
    watch_purges();
    uint64_t calls = check_memory_calls();
    for (int i = 0; i < 100000; i++) {
        uint64_t k = check_random_below(&dice, live);
        CHECK_OK(lido_block_pool_release(pool, all[k]));
        all[k] = lido_block_pool_acquire(pool);
        if (i % 10 == 0)
            check_advance(LIDO_MILLISECONDS(1));
    }
    CHECK_EQ(check_memory_calls(), calls);
    CHECK_EQ(purge_calls, 0);
    CHECK_OK(lido_block_pool_release_many(pool, live, all));
    CHECK_OK(lido_block_pool_destroy(pool));
}

/* A peak that comes again and again: what drained has to serve, and after some times none drains. */
static void draining_backs_off_when_the_peak_comes_again(void **state) {
    (void)state;
    enum { rounds = 40 };
    uint64_t slow[rounds];
    lido_block_pool *pool = MAKE(.block_size = BYTES);
    (void)make_peak(pool, BYTES);
    for (int round = 0; round < rounds; round++) {
        CHECK_EQ(lido_block_pool_acquire_many(pool, MANY - SURVIVORS, all + SURVIVORS),
                 MANY - SURVIVORS);
        for (int i = SURVIVORS; i < MANY; i++)
            CHECK_OK(lido_block_pool_release(pool, all[i]));
        check_advance(LIDO_MILLISECONDS(20));
        slow[round] = stats_of(pool).draining;
    }
    uint64_t first = 0, last = 0;
    for (int i = 0; i < 10; i++) {
        first += slow[i] > 0;
        last += slow[rounds - 1 - i] > 0;
    }
    CHECK(first > 0 && last < first);
    end_with_survivors(pool);
}

static void below_the_threshold_nothing_goes_back_by_itself(void **state) {
    (void)state;
    for (int percent = 20; percent <= 60; percent += 40) {
        lido_block_pool *pool = MAKE(.block_size = BYTES, .coalesce_percent = (uint64_t)percent,
                                     .idle_keep_ns = LIDO_MILLISECONDS(250));
        CHECK_EQ(lido_block_pool_acquire_many(pool, MANY, all), MANY);
        uint64_t committed = stats_of(pool).committed_bytes;
        CHECK_OK(lido_block_pool_release_many(pool, MANY * 2 / 5, all));
        use_lightly(pool, 1000);
        CHECK_EQ(stats_of(pool).coalesce_percent, (uint64_t)percent);
        bool has_kept = stats_of(pool).committed_bytes == committed;
        CHECK(has_kept == (percent == 60));
        CHECK(stats_of(pool).fragmentation <= percent / 100.0);
        CHECK_OK(lido_block_pool_release_many(pool, MANY * 3 / 5, all + MANY * 2 / 5));
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

/* A thousand bursts a second leave some slabs empty but for what the cache keeps of them; which, chance decides. */
static void bursts_do_not_keep_the_peak(void **state) {
    (void)state;
    enum { PEAK = 100000, STAY = PEAK / 10, BURST = 500 };
    static void *blocks[PEAK], *burst[BURST];
    for (uint64_t round = 0; round < 16; round++) {
        lido_block_pool *pool = MAKE(.block_size = 64, .idle_keep_ns = LIDO_MILLISECONDS(100));
        for (int i = 0; i < PEAK; i++)
            CHECK((blocks[i] = lido_block_pool_acquire(pool)) != NULL);
        dice = check_random_start(round);
        for (uint64_t i = PEAK; i > STAY; i--) {
            uint64_t k = STAY + check_random_below(&dice, i - STAY);
            CHECK_OK(lido_block_pool_release(pool, blocks[k]));
            blocks[k] = blocks[i - 1];
        }
        CHECK(stats_of(pool).fragmentation > 0.8);
        for (int turn = 0; turn < 1000; turn++) {
            for (int i = 0; i < BURST; i++)
                CHECK((burst[i] = lido_block_pool_acquire(pool)) != NULL);
            CHECK_OK(lido_block_pool_release_many(pool, BURST, burst));
            check_advance(LIDO_MILLISECONDS(1));
        }
        CHECK(stats_of(pool).fragmentation <= 0.2);
        CHECK_OK(lido_block_pool_release_many(pool, STAY, blocks));
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

/* What began above a threshold goes on to half of it, but not of one that was set anew. */
static void a_threshold_set_anew_ends_what_began(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = BYTES, .idle_keep_ns = LIDO_MILLISECONDS(100));
    CHECK_EQ(lido_block_pool_acquire_many(pool, MANY, all), MANY);
    CHECK_OK(lido_block_pool_release_many(pool, MANY - SURVIVORS, all));
    uint64_t peak = stats_of(pool).committed_bytes;
    for (int i = 0; i < 1000 && stats_of(pool).committed_bytes == peak; i++)
        use_lightly(pool, 1);
    CHECK(stats_of(pool).fragmentation > 0.5); /* it has begun */
    CHECK_OK(lido_block_pool_set_coalesce_percent(pool, 100));
    uint64_t left = stats_of(pool).committed_bytes;
    use_lightly(pool, 1000);
    CHECK_EQ(stats_of(pool).committed_bytes, left);
    CHECK_OK(lido_block_pool_release_many(pool, SURVIVORS, all + MANY - SURVIVORS));
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void at_a_threshold_of_all_only_trim_gives_back(void **state) {
    (void)state;
    lido_block_pool *pool =
        MAKE(.block_size = BYTES, .coalesce_percent = 100, .idle_keep_ns = LIDO_MILLISECONDS(100));
    uint64_t committed = make_peak(pool, BYTES);
    use_lightly(pool, 1000);
    CHECK_EQ(stats_of(pool).draining, 0);
    CHECK_EQ(stats_of(pool).committed_bytes, committed);
    CHECK(lido_block_pool_trim(pool, LIDO_FOREVER) > committed / 4);
    use_lightly(pool, 10);
    lido_block_pool_stats s = stats_of(pool);
    CHECK(s.draining > 0);
    for (int i = SURVIVORS - 1; i > SURVIVORS / 2; i--) /* into slabs that drain */
        CHECK_OK(lido_block_pool_release(pool, all[i]));
    CHECK_EQ(lido_block_pool_acquire_many(pool, SURVIVORS / 2 - 1, all + SURVIVORS / 2 + 1),
             SURVIVORS / 2 - 1);
    use_lightly(pool, 1000);
    CHECK(stats_of(pool).committed_bytes >= s.committed_bytes);
    end_with_survivors(pool);
}

static void use_much(lido_block_pool *pool, int turns) {
    for (int turn = 0; turn < turns; turn++) {
        for (int i = 0; i < 2048; i++)
            CHECK_OK(lido_block_pool_release(pool, lido_block_pool_acquire(pool)));
        check_advance(LIDO_MILLISECONDS(1));
    }
}

/* Half of the slabs are empty for longer than idle_keep, the others are not yet. */
static void what_is_young_does_not_go_with_what_is_old(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = BYTES, .idle_keep_ns = LIDO_MILLISECONDS(100));
    CHECK_EQ(lido_block_pool_acquire_many(pool, MANY, all), MANY);
    uint64_t committed = stats_of(pool).committed_bytes;
    CHECK_OK(lido_block_pool_release_many(pool, MANY / 2, all));
    check_advance(LIDO_MILLISECONDS(80));
    CHECK_OK(lido_block_pool_release_many(pool, MANY / 2 - 100, all + MANY / 2));
    use_much(pool, 80);
    uint64_t left = stats_of(pool).committed_bytes;
    CHECK(left < committed * 6 / 10 && left > committed * 4 / 10);
    use_much(pool, 40);
    CHECK(stats_of(pool).committed_bytes < committed / 10);
    CHECK_OK(lido_block_pool_release_many(pool, 100, all + MANY - 100));
    CHECK_OK(lido_block_pool_destroy(pool));
}

/* What is kept for ever is not what trim could give back. */
static void ready_blocks_are_no_fragmentation(void **state) {
    (void)state;
    static const uint64_t flags[] = {0, LIDO_BLOCK_POOL_RESERVED};
    for (int f = 0; f < 2; f++) {
        lido_block_pool *pool = MAKE(.block_size = BYTES, .flags = flags[f], .block_limit = MANY,
                                     .ready_count = f ? 0 : MANY / 2);
        for (int quarter = 0; quarter < 4; quarter++) {
            CHECK(stats_of(pool).fragmentation < 0.01);
            CHECK_EQ(lido_block_pool_acquire_many(pool, MANY / 4, all + quarter * (MANY / 4)),
                     MANY / 4);
        }
        CHECK_OK(lido_block_pool_release_many(pool, MANY, all));
        double free_share = stats_of(pool).fragmentation;
        CHECK(f ? free_share < 0.01 : free_share > 0.4 && free_share < 0.6);
        (void)lido_block_pool_trim(pool, LIDO_FOREVER);
        CHECK(stats_of(pool).fragmentation < 0.01);
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

static uint64_t looks_at_the_clock;

static uint64_t counting_coarse_ns(void) {
    looks_at_the_clock++;
    return check__coarse_ns();
}

/* Free blocks beside blocks in use: there is nothing to gain, and a short idle_keep must not make the
 * pool try for ever. Each slow call looks at the clock. */
static void what_cannot_be_gained_is_not_tried_for_ever(void **state) {
    (void)state;
    uint64_t looks[2];
    for (int f = 0; f < 2; f++) {
        lido_block_pool *pool = MAKE(.block_size = BYTES, .idle_keep_ns = f ? 1 : LIDO_SECONDS(1));
        CHECK_EQ(lido_block_pool_acquire_many(pool, MANY, all), MANY);
        for (int i = 0; i < MANY; i += 2)
            CHECK_OK(lido_block_pool_release(pool, all[i]));
        lido__sys.coarse_ns = counting_coarse_ns;
        for (int turn = 0; turn < 2000; turn++) {
            if (turn == 1000)
                looks_at_the_clock = 0;
            for (int i = 0; i < 2048; i++)
                CHECK_OK(lido_block_pool_release(pool, lido_block_pool_acquire(pool)));
            check_advance(LIDO_MILLISECONDS(4));
        }
        looks[f] = looks_at_the_clock;
        for (int i = 1; i < MANY; i += 2)
            CHECK_OK(lido_block_pool_release(pool, all[i]));
        CHECK_OK(lido_block_pool_destroy(pool));
    }
    /* 2,000 slow calls when there is nothing to do, 64,000 when there is. */
    CHECK(looks[0] < 40000 && looks[1] < 2 * looks[0] + 1000);
}

static void what_one_pool_emptied_serves_another(void **state) {
    (void)state;
    lido_block_pool *first = MAKE(.block_size = BYTES), *second = MAKE(.block_size = BYTES / 2);
    lido_block_pool *keeper = MAKE(.block_size = BYTES, .idle_keep_ns = LIDO_FOREVER);
    CHECK_EQ(lido_block_pool_acquire_many(keeper, MANY, all), MANY);
    CHECK_OK(lido_block_pool_release_many(keeper, MANY, all));
    CHECK_EQ(lido_block_pool_acquire_many(first, MANY, all), MANY);
    uint64_t one = stats_of(first).committed_bytes, kept = stats_of(keeper).committed_bytes;
    CHECK_OK(lido_block_pool_release_many(first, MANY, all));
    CHECK_EQ(lido_block_pool_acquire_many(second, MANY, all), MANY);
    CHECK(stats_of(first).committed_bytes + stats_of(second).committed_bytes <= one + one / 10);
    CHECK_EQ(stats_of(keeper).committed_bytes, kept);
    CHECK_OK(lido_block_pool_release_many(second, MANY, all));
    CHECK_OK(lido_block_pool_destroy(first));
    CHECK_OK(lido_block_pool_destroy(second));
    CHECK_OK(lido_block_pool_destroy(keeper));
}

static void the_threshold_is_a_knob(void **state) {
    (void)state;
    lido_setting setting = {.name = "coalesce_percent", .value = 35};
    lido_resource seen = LIDO_RESOURCE;
    lido_block_pool *pool = MAKE(.block_size = BYTES);
    CHECK_EQ(stats_of(pool).coalesce_percent, 20);
    CHECK_FAILS(lido_block_pool_set_coalesce_percent(pool, 0), LIDO_ERR_ARGUMENT,
                "coalesce_percent is 0");
    CHECK_FAILS(lido_block_pool_set_coalesce_percent(pool, 101), LIDO_ERR_ARGUMENT, "peak");
    CHECK_OK(lido_block_pool_set_coalesce_percent(pool, 50));
    CHECK_EQ(stats_of(pool).coalesce_percent, 50);
    CHECK(lido_registry_next(0, &seen));
    CHECK_OK(lido_panel_apply(seen.id, &setting, 1));
    CHECK_EQ(stats_of(pool).coalesce_percent, 35);
    CHECK_EQ(setting.old_value, 50);
    CHECK_OK(lido_block_pool_destroy(pool));
}

/* ---- While another thread gives pages back ------------------------------------------------ */

static void end_in_child(void *context) {
    lido_block_pool *pool = context;
    check_survivors(BYTES);
    for (int i = SURVIVORS; i < MANY; i++)
        CHECK_FAILS(lido_block_pool_release(pool, all[i]), LIDO_ERR_NOT_HELD, "peak");
    end_with_survivors(pool);
}

static lido_block_pool *forked_in;

static bool forking_purge(void *memory, size_t bytes) {
    lido_block_pool *pool = forked_in;
    forked_in = NULL;
    if (pool)
        CHECK_EQ(check_child(end_in_child, pool), 0);
    return lido__sys_real.purge(memory, bytes);
}

static void a_fork_in_the_middle_of_a_purge_finds_the_pool_whole(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = BYTES);
    (void)make_peak(pool, BYTES);
    forked_in = pool;
    lido__sys.purge = forking_purge;
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    CHECK(forked_in == NULL);
    check_survivors(BYTES);
    end_with_survivors(pool);
}

/* ---- A limit on what exists --------------------------------------------------------------- */

static void a_limit_on_what_exists_bounds_memory_too(void **state) {
    (void)state;
    enum { limit = 1000 };
    lido_block_pool *pool =
        MAKE(.block_size = BYTES, .block_limit = limit, .flags = LIDO_BLOCK_POOL_LIMIT_EXISTING);
    dice = check_random_start(5);
    uint64_t live = 0, refused = 0;
    for (int i = 0; i < 200000; i++) {
        bool grows = i / 5000 % 2 == 0;
        if (check_random_below(&dice, 10) < (grows ? 7U : 3U)) {
            void *block = lido_block_pool_acquire(pool);
            CHECK((block != NULL) == (live < limit));
            if (block)
                all[live++] = block;
            else
                refused++;
        } else if (live > 0) {
            uint64_t k = check_random_below(&dice, live);
            CHECK_OK(lido_block_pool_release(pool, all[k]));
            all[k] = all[--live];
        }
        if (i % 100 == 0)
            CHECK(stats_of(pool).existing <= limit);
        if (i % 5000 == 0)
            (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    }
    CHECK(refused > 0);
    live += lido_block_pool_acquire_many(pool, limit - live, all + live);
    CHECK_EQ(live, limit);
    CHECK_OK(lido_block_pool_set_block_limit(pool, limit / 2));
    CHECK_REFUSED(lido_block_pool_acquire(pool), LIDO_ERR_LIMIT, "block_limit");
    CHECK_OK(lido_block_pool_release_many(pool, live, all));
    CHECK_OK(lido_block_pool_destroy(pool));
}

/* ---- Stores of threads that rest ---------------------------------------------------------- */

struct resting {
    lido_block_pool *pool;
    struct check_gate *gate;
};

static void fill_and_rest(void *context) {
    const struct resting *resting = context;
    void *blocks[500];
    CHECK_EQ(lido_block_pool_acquire_many(resting->pool, 500, blocks), 500);
    CHECK_OK(lido_block_pool_release_many(resting->pool, 500, blocks));
    check_gate_pass(resting->gate);
}

/* They fill their caches one behind the other: side by side, chance decides how much each one keeps. */
static void caches_of_threads_that_rest_are_emptied_by_itself(void **state) {
    (void)state;
    enum { threads = 40 };
    struct check_gate gate = {0};
    struct check_thread thread[threads];
    lido_block_pool *pool = MAKE(.block_size = BYTES, .idle_keep_ns = LIDO_MILLISECONDS(250));
    struct resting resting = {pool, &gate};
    for (int i = 0; i < threads; i++) {
        check_start(&thread[i], fill_and_rest, &resting);
        check_gate_await(&gate, i + 1);
    }
    CHECK(stats_of(pool).cached > threads * 64);
    for (int turn = 0; turn < 40; turn++) {
        use_lightly(pool, 200);
        check_advance(LIDO_MILLISECONDS(300));
    }
    lido_block_pool_stats s = stats_of(pool);
    CHECK(s.cached <= 200 && s.committed_bytes <= 3 * 262144);
    check_gate_open(&gate);
    for (int i = 0; i < threads; i++)
        check_join(&thread[i]);
    CHECK_OK(lido_block_pool_destroy(pool));
}

static _Atomic uint64_t barriers;

static int counting_barrier(void) {
    barriers++;
    return lido__sys_real.barrier();
}

/* A barrier for each 16, with the lock let go in between; and all of them in the end. */
static void trim_empties_the_stores_of_many_threads_in_steps(void **state) {
    (void)state;
    enum { threads = 40, STEPS = 3 };
    struct check_gate gate = {0};
    struct check_thread thread[threads];
    lido_block_pool *pool = MAKE(.block_size = BYTES);
    struct resting resting = {pool, &gate};
    bool has_barrier =
        lido__sys_real.barrier_register() == 0; /* else stores are fenced, and need none */
    for (int i = 0; i < threads; i++) {
        check_start(&thread[i], fill_and_rest, &resting);
        check_gate_await(&gate, i + 1);
    }
    CHECK(stats_of(pool).cached > threads * 64);
    lido__sys.barrier = counting_barrier;
    barriers = 0;
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    CHECK(barriers == STEPS || !has_barrier);
    CHECK_EQ(stats_of(pool).cached, 0);
    check_gate_open(&gate);
    for (int i = 0; i < threads; i++)
        check_join(&thread[i]);
    CHECK_OK(lido_block_pool_destroy(pool));
}

CHECK_MAIN(TEST(survivors_keep_a_fifth_at_most_after_three_turnovers_and_trim),
           TEST(survivors_keep_a_fifth_at_most_after_a_second_of_light_use),
           TEST(small_survivors_come_together_while_they_turn_over),
           TEST(pages_between_survivors_go_back_to_the_system),
           TEST(a_second_release_is_refused_after_its_page_went_back),
           TEST(a_pool_grows_again_over_pages_that_went_back),
           TEST(a_system_that_takes_nothing_back_changes_nothing),
           TEST(no_call_gives_back_more_than_a_step),
           TEST(steady_use_gives_back_and_asks_for_nothing),
           TEST(draining_backs_off_when_the_peak_comes_again),
           TEST(below_the_threshold_nothing_goes_back_by_itself), TEST(bursts_do_not_keep_the_peak),
           TEST(a_threshold_set_anew_ends_what_began), TEST(the_threshold_is_a_knob),
           TEST(at_a_threshold_of_all_only_trim_gives_back),
           TEST(what_is_young_does_not_go_with_what_is_old),
           TEST(ready_blocks_are_no_fragmentation),
           TEST(what_cannot_be_gained_is_not_tried_for_ever),
           TEST(a_fork_in_the_middle_of_a_purge_finds_the_pool_whole),
           TEST(what_one_pool_emptied_serves_another),
           TEST(a_limit_on_what_exists_bounds_memory_too),
           TEST(caches_of_threads_that_rest_are_emptied_by_itself),
           TEST(trim_empties_the_stores_of_many_threads_in_steps))
