/* SPDX-License-Identifier: MIT
 * lido/block_pool.h, promise by promise in its order. Cases that hold for every way of backing
 * blocks run in all of them. Random calls against a model: test_block_pool_model.c. */
#include "check.h"

#include <lido/block_figures.h>

static const uint64_t modes[] = {LIDO_BLOCK_POOL_SLABS, LIDO_BLOCK_POOL_PASS_THROUGH,
                                 LIDO_BLOCK_POOL_GUARD};

#define FOR_EACH_MODE(mode)                                                                        \
    for (uint64_t mode##_at = 0, mode = modes[0]; mode##_at < 3;                                   \
         mode##_at++, mode = modes[mode##_at % 3])

static lido_block_pool *make(uint64_t mode, uint64_t block_size, uint64_t block_limit) {
    lido_block_pool *pool = NULL;
    CHECK_OK(
        lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.name = "frames", .block_size = block_size,
                                                       .block_limit = block_limit, .mode = mode),
                               &pool));
    return pool;
}

static lido_block_pool_stats stats_of(const lido_block_pool *pool) {
    lido_block_pool_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_block_pool_read_stats(pool, &stats));
    return stats;
}

/* What must hold at rest, whatever happened before. */
static void check_figures(const lido_block_pool *pool) {
    lido_block_pool_stats s = stats_of(pool);
    CHECK_EQ(s.live, s.acquired - s.released);
    CHECK_EQ(s.existing, s.live + s.cached + s.stranded + s.idle);
    CHECK(s.live_peak >= s.live && s.made >= s.existing);
    CHECK(s.committed_peak >= s.committed_bytes);
    CHECK(s.committed_bytes >= s.existing * lido_block_pool_block_size(pool));
    CHECK(s.fragmentation >= 0 && s.fragmentation <= 1);
    CHECK(s.reuse >= 0 && s.reuse <= 1 && s.byte_efficiency <= 1);
    double live = (double)s.live, existing = (double)s.existing;
    double expected = s.existing ? live / existing : 1; /* the x87 rounds at its own time: no == */
    CHECK(s.utilisation >= expected - 1e-9 && s.utilisation <= expected + 1e-9);
}

/* ---- Making a pool --------------------------------------------------------------------- */

static void look_at_the_environment(void *wanted) {
    lido_block_pool *pool = NULL;
    setenv("LIDO_BLOCK_POOL_MODE", *(const char **)wanted, 1);
    CHECK_OK(lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.block_size = 64), &pool));
    volatile char *block = lido_block_pool_acquire(pool);
    CHECK(block != NULL);
    check_expect_fault();
    block[64] = 1;
    _exit(0);
}

/* The first case, because the mode may be read once in a process. */
static void the_environment_changes_the_default_mode(void **state) {
    (void)state;
    const char *guard = "guard", *slabs = "slabs";
    CHECK(check_faulted(check_child(look_at_the_environment, &guard)));
    CHECK_EQ(check_child(look_at_the_environment, &slabs), 0);
}

static void a_pool_needs_only_a_block_size(void **state) {
    (void)state;
    lido_block_pool *pool = NULL;
    lido_resource seen = LIDO_RESOURCE;
    CHECK_OK(lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.block_size = 1), &pool));
    CHECK(lido_registry_next(0, &seen));
    CHECK(strcmp(seen.name, "unnamed") == 0 && strcmp(seen.owner, "application") == 0);
    CHECK_EQ(stats_of(pool).block_limit, 0);
    void *block = lido_block_pool_acquire(pool);
    CHECK(block && (uintptr_t)block % 16 == 0);
    CHECK_OK(lido_block_pool_release(pool, block));
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void a_pool_is_listed_with_name_owner_kind_and_line(void **state) {
    (void)state;
    lido_block_pool *pool = NULL;
    lido_resource seen = LIDO_RESOURCE;
    char name[] = "frames", owner[] = "video";
    CHECK_OK(lido_block_pool_create_at(
        LIDO_BLOCK_POOL_OPTIONS(.name = name, .owner = owner, .block_size = 64), &pool,
        "app.py:9"));
    memset(name, 'x', sizeof name - 1);
    memset(owner, 'x', sizeof owner - 1);
    CHECK(lido_registry_next(0, &seen));
    CHECK(strcmp(seen.name, "frames") == 0 && strcmp(seen.owner, "video") == 0);
    CHECK(strcmp(seen.kind, "block_pool") == 0 && strcmp(seen.made_at, "app.py:9") == 0);
    CHECK_EQ(seen.made_ns, lido_now_ns());
    CHECK_OK(lido_block_pool_destroy(pool));
    CHECK_EQ(lido_registry_count(), 0);
    CHECK_OK(lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.block_size = 64), &pool));
    CHECK(lido_registry_next(0, &seen));
    CHECK_HAS(seen.made_at, "test_block_pool.c:");
    CHECK_OK(lido_block_pool_destroy(pool));
}

/* Everything that create refuses, with the word that the message must hold. */
static const struct {
    lido_block_pool_options options;
    lido_status status;
    const char *part;
} refusals[] = {
    {{.name = "n"}, LIDO_ERR_ARGUMENT, "block_size is 0"},
    {{.block_size = (UINT64_C(1) << 30) + 1}, LIDO_ERR_ARGUMENT, "block_size is 1073741825"},
    {{.block_size = UINT64_MAX}, LIDO_ERR_ARGUMENT, "block_size is 18446744073709551615"},
    {{.block_size = 8, .block_align = 24}, LIDO_ERR_ARGUMENT, "block_align is 24"},
    {{.block_size = 8, .block_align = 8192}, LIDO_ERR_ARGUMENT, "block_align is 8192"},
    {{.block_size = 8, .block_align = UINT64_MAX}, LIDO_ERR_ARGUMENT, "block_align"},
    {{.block_size = 8, .flags = 16}, LIDO_ERR_UNSUPPORTED, "flags"},
    {{.block_size = 8, .flags = LIDO_BLOCK_POOL_LIMIT_EXISTING}, LIDO_ERR_ARGUMENT, "block_limit"},
    {{.block_size = 8, .coalesce_percent = 101}, LIDO_ERR_ARGUMENT, "coalesce_percent is 101"},
    {{.block_size = 8, .flags = UINT64_C(1) << 63}, LIDO_ERR_UNSUPPORTED, "flags"},
    {{.block_size = 8, .mode = 4}, LIDO_ERR_UNSUPPORTED, "mode is 4"},
    {{.block_size = 8, .flags = LIDO_BLOCK_POOL_RESERVED}, LIDO_ERR_ARGUMENT, "block_limit"},
    {{.block_size = 8, .block_limit = 9, .ready_count = 10}, LIDO_ERR_ARGUMENT, "ready_count"},
    {{.block_size = 8, .ready_count = UINT64_MAX}, LIDO_ERR_ARGUMENT, "ready"},
    {{.block_size = 1 << 30,
      .block_limit = UINT64_MAX / 8,
      .flags = LIDO_BLOCK_POOL_RESERVED,
      .mode = LIDO_BLOCK_POOL_SLABS},
     LIDO_ERR_ARGUMENT,
     "address space"},
    {{.block_size = 8, .name = "0123456789012345678901234567890123456789012345678901234567890123"},
     LIDO_ERR_ARGUMENT,
     "name is"},
    {{.block_size = 8, .owner = "two\nlines"}, LIDO_ERR_ARGUMENT, "owner is"},
};

static void a_wrong_option_is_refused_by_name_and_value(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        lido_block_pool *pool = (lido_block_pool *)(uintptr_t)8;
        lido_block_pool_options options = refusals[i].options;
        options.struct_size = sizeof options;
        lido_status status = lido_block_pool_create(&options, &pool);
        CHECK_FAILS(status, refusals[i].status, refusals[i].part);
        CHECK(pool == NULL);
    }
}

static void the_message_of_a_refusal_is_one_line_whatever_was_given(void **state) {
    (void)state;
    lido_block_pool *pool = NULL;
    lido_status status = lido_block_pool_create(
        LIDO_BLOCK_POOL_OPTIONS(.block_size = 8, .name = "two\nlines"), &pool);
    CHECK_EQ(status, LIDO_ERR_ARGUMENT);
    CHECK(strchr(lido_last_error(), '\n') == NULL);
    status = lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.name = "bell\007"), &pool);
    CHECK_EQ(status, LIDO_ERR_ARGUMENT);
    CHECK(strchr(lido_last_error(), '\007') == NULL);
}

static void options_without_struct_size_or_without_options_are_refused(void **state) {
    (void)state;
    lido_block_pool *pool = (lido_block_pool *)(uintptr_t)8;
    lido_block_pool_options options = {.block_size = 8};
    CHECK_FAILS(lido_block_pool_create(&options, &pool), LIDO_ERR_ARGUMENT, "struct_size is 0");
    CHECK(pool == NULL);
    CHECK_FAILS(lido_block_pool_create(NULL, &pool), LIDO_ERR_ARGUMENT, "NULL");
}

static void options_of_older_and_newer_programs_are_understood(void **state) {
    (void)state;
    lido_block_pool *pool = NULL;
    struct {
        lido_block_pool_options known;
        uint64_t news;
    } newer = {.known = {.struct_size = sizeof newer, .block_size = 64}};
    CHECK_OK(lido_block_pool_create(&newer.known, &pool));
    CHECK_OK(lido_block_pool_destroy(pool));
    newer.news = 1;
    CHECK_FAILS(lido_block_pool_create(&newer.known, &pool), LIDO_ERR_UNSUPPORTED,
                "lido_block_pool_options");
    CHECK(pool == NULL);
    lido_block_pool_options old;
    memset(&old, 0xaa, sizeof old);
    old.struct_size = offsetof(lido_block_pool_options, block_align);
    old.block_size = 64;
    CHECK_OK(lido_block_pool_create(&old, &pool));
    void *block = lido_block_pool_acquire(pool);
    CHECK(block && (uintptr_t)block % 16 == 0);
    CHECK_OK(lido_block_pool_release(pool, block));
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void a_pool_without_memory_is_not_made(void **state) {
    (void)state;
    for (int k = 1;; k++) {
        lido_block_pool *pool = (lido_block_pool *)(uintptr_t)8;
        check_arm(k, true);
        lido_status status = lido_block_pool_create(
            LIDO_BLOCK_POOL_OPTIONS(.name = "poor", .block_size = 64, .ready_count = 100,
                                    .mode = LIDO_BLOCK_POOL_SLABS),
            &pool);
        if (!check_disarm()) {
            CHECK(status == LIDO_OK && k > 3);
            CHECK_OK(lido_block_pool_destroy(pool));
            return;
        }
        CHECK_FAILS(status, LIDO_ERR_NO_MEMORY, "\"poor\"");
        CHECK(pool == NULL);
        CHECK_EQ(lido_registry_count(), 0);
    }
}

static void destroying_nothing_is_fine(void **state) {
    (void)state;
    CHECK_OK(lido_block_pool_destroy(NULL));
}

static void a_pool_with_blocks_out_is_not_destroyed_and_lives_on(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        char address[32];
        lido_block_pool *pool = make(mode, 64, 0);
        void *one = lido_block_pool_acquire(pool), *other = lido_block_pool_acquire(pool);
        CHECK_OK(lido_block_pool_release(pool, one));
        snprintf(address, sizeof address, "%p", other);
        CHECK_FAILS(lido_block_pool_destroy(pool), LIDO_ERR_BUSY, "\"frames\": blocks out: 1");
        CHECK_ERROR_HAS(address);
        memset(other, 1, 64);
        one = lido_block_pool_acquire(pool);
        CHECK(one != NULL);
        CHECK_OK(lido_block_pool_release(pool, one));
        CHECK_OK(lido_block_pool_release(pool, other));
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

/* ---- Blocks ----------------------------------------------------------------------------- */

enum { SOME = 40 };

/* Every byte of every block is there, aligned, and of this block alone. */
static void check_shape(uint64_t mode, uint64_t size, uint64_t align) {
    unsigned char *blocks[SOME];
    lido_block_pool *pool = NULL;
    CHECK_OK(lido_block_pool_create(
        LIDO_BLOCK_POOL_OPTIONS(.block_size = size, .block_align = align, .mode = mode), &pool));
    CHECK_EQ(lido_block_pool_block_size(pool), size);
    for (int i = 0; i < SOME; i++) {
        blocks[i] = lido_block_pool_acquire(pool);
        CHECK(blocks[i] && (uintptr_t)blocks[i] % align == 0);
        memset(blocks[i], i + 1, size);
    }
    for (int i = 0; i < SOME; i++) {
        for (uint64_t at = 0; at<size; at += size> 8192 ? 509 : 1)
            if (blocks[i][at] != i + 1)
                CHECK_EQ(blocks[i][at], i + 1);
        CHECK_EQ(blocks[i][size - 1], i + 1);
    }
    check_figures(pool);
    for (int i = 0; i < SOME; i++)
        CHECK_OK(lido_block_pool_release(pool, blocks[i]));
    check_figures(pool);
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void blocks_of_every_size_and_alignment_are_whole_and_apart(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1, 7, 8, 16, 24, 63, 64, 65, 800, 4095, 4096, 4097, 65536};
    FOR_EACH_MODE(mode) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (uint64_t align = 1; align <= 4096; align *= 4)
                check_shape(mode, sizes[i], align);
        check_shape(mode, 1 << 20, 4096);
        check_shape(mode, (1 << 20) - 1, 2048);
    }
}

static void a_block_of_a_gibibyte_is_whole(void **state) {
    (void)state;
    lido_block_pool *pool = make(LIDO_BLOCK_POOL_SLABS, UINT64_C(1) << 30, 0);
    char *block = lido_block_pool_acquire(pool);
    CHECK(block != NULL);
    block[0] = block[(1 << 30) - 1] = 1;
    CHECK_OK(lido_block_pool_release(pool, block));
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void at_the_limit_acquire_is_refused_until_one_comes_back(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        void *blocks[3];
        lido_block_pool *pool = make(mode, 64, 3);
        for (int i = 0; i < 3; i++)
            CHECK((blocks[i] = lido_block_pool_acquire(pool)) != NULL);
        CHECK_REFUSED(lido_block_pool_acquire(pool), LIDO_ERR_LIMIT, "\"frames\"");
        CHECK_ERROR_HAS("block_limit 3");
        CHECK_EQ(stats_of(pool).refused_limit, 1);
        CHECK_OK(lido_block_pool_release(pool, blocks[1]));
        CHECK((blocks[1] = lido_block_pool_acquire(pool)) != NULL);
        for (int i = 0; i < 3; i++)
            CHECK_OK(lido_block_pool_release(pool, blocks[i]));
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

static void without_memory_acquire_is_refused_and_works_again_later(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        lido_block_pool *pool = make(mode, 4096, 0);
        check_arm(1, true);
        CHECK_REFUSED(lido_block_pool_acquire(pool), LIDO_ERR_NO_MEMORY, "\"frames\"");
        check_disarm();
        CHECK_EQ(stats_of(pool).refused_memory, 1);
        CHECK_EQ(stats_of(pool).live, 0);
        void *block = lido_block_pool_acquire(pool);
        CHECK(block != NULL);
        CHECK_OK(lido_block_pool_release(pool, block));
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

static void a_zero_pool_hands_out_zero_bytes_each_time(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        lido_block_pool *pool = NULL;
        CHECK_OK(lido_block_pool_create(
            LIDO_BLOCK_POOL_OPTIONS(.block_size = 333, .flags = LIDO_BLOCK_POOL_ZERO, .mode = mode),
            &pool));
        for (int round = 0; round < 3; round++) {
            unsigned char *blocks[SOME];
            CHECK_EQ(lido_block_pool_acquire_many(pool, SOME / 2, (void **)blocks), SOME / 2);
            for (int i = SOME / 2; i < SOME; i++)
                blocks[i] = lido_block_pool_acquire(pool);
            for (int i = 0; i < SOME; i++) {
                for (int at = 0; at < 333; at++)
                    CHECK_EQ(blocks[i][at], 0);
                memset(blocks[i], 0xff, 333);
                CHECK_OK(lido_block_pool_release(pool, blocks[i]));
            }
        }
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

/* ---- Giving back ------------------------------------------------------------------------ */

static void releasing_nothing_is_fine(void **state) {
    (void)state;
    lido_block_pool *pool = make(0, 64, 0);
    CHECK_OK(lido_block_pool_release(pool, NULL));
    CHECK_EQ(stats_of(pool).refused_release, 0);
    CHECK_OK(lido_block_pool_release_many(pool, 0, NULL));
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void a_block_released_twice_is_refused_with_pool_and_block(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        char address[32];
        lido_block_pool *pool = make(mode, 64, 0);
        void *kept = lido_block_pool_acquire(pool), *block = lido_block_pool_acquire(pool);
        snprintf(address, sizeof address, "%p", block);
        CHECK_OK(lido_block_pool_release(pool, block));
        CHECK_FAILS(lido_block_pool_release_at(pool, block, "bad.c:1"), LIDO_ERR_NOT_HELD,
                    "\"frames\"");
        CHECK_ERROR_HAS(address);
        CHECK_ERROR_HAS("bad.c:1");
        lido_block_pool_stats s = stats_of(pool);
        CHECK(s.refused_release == 1 && s.released == 1 && s.live == 1);
        CHECK_OK(lido_block_pool_release(pool, kept));
        CHECK_FAILS(lido_block_pool_release(pool, kept), LIDO_ERR_NOT_HELD, "frames");
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

static void what_is_no_block_of_this_pool_is_refused_and_harms_nothing(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        lido_block_pool *pool = make(mode, 64, 0), *other = make(mode, 64, 0);
        char *block = lido_block_pool_acquire(pool), *theirs = lido_block_pool_acquire(other);
        int local = 0;
        char *foreign[] = {block + 1,
                           block + 16,
                           block - 64,
                           block + 63,
                           theirs,
                           (char *)&local,
                           (char *)pool,
                           (char *)(uintptr_t)1,
                           (char *)UINTPTR_MAX,
                           (char *)&foreign,
                           (char *)(UINTPTR_MAX << (sizeof(void *) * 8 - 17))};
        uint64_t count = sizeof foreign / sizeof foreign[0];
        memset(block, 7, 64);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t index = 77;
            CHECK_FAILS(lido_block_pool_release(pool, foreign[i]), LIDO_ERR_NOT_HELD, "frames");
            CHECK_FAILS(lido_block_pool_read_index(pool, foreign[i], &index), LIDO_ERR_NOT_HELD,
                        "frames");
        }
        CHECK_EQ(stats_of(pool).refused_release, count);
        CHECK_EQ(stats_of(pool).live, 1);
        for (int i = 0; i < 64; i++)
            CHECK_EQ(block[i], 7);
        check_figures(pool);
        CHECK_OK(lido_block_pool_release(pool, block));
        CHECK_OK(lido_block_pool_release(other, theirs));
        CHECK_OK(lido_block_pool_destroy(pool));
        CHECK_OK(lido_block_pool_destroy(other));
    }
}

static void release_needs_no_memory_and_asks_for_none(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        void *blocks[300];
        lido_block_pool *pool = make(mode, 800, 0);
        CHECK_EQ(lido_block_pool_acquire_many(pool, 300, blocks), 300);
        uint64_t calls = check_memory_calls();
        check_arm(1, true);
        for (int i = 0; i < 300; i += 2)
            CHECK_OK(lido_block_pool_release(pool, blocks[i]));
        for (int i = 1; i < 300; i += 2)
            CHECK_OK(lido_block_pool_release(pool, blocks[i]));
        (void)lido_block_pool_trim(pool, LIDO_FOREVER);
        CHECK_FAILS(lido_block_pool_release(pool, blocks[0]), LIDO_ERR_NOT_HELD, "frames");
        CHECK_EQ(check_memory_calls(), calls);
        CHECK_OK(lido_block_pool_destroy(pool));
        check_disarm();
    }
}

static lido_block_pool_stats seen_in_log;
static int warnings;

static void look_at_pool(const lido_log_record *record, void *context) {
    if (record->level == LIDO_LOG_WARNING && strstr(record->event, "block_pool.")) {
        warnings++;
        seen_in_log = stats_of(context);
    }
}

static void a_refused_release_is_a_warning_told_without_locks(void **state) {
    (void)state;
    lido_block_pool *pool = make(0, 64, 0);
    void *block = lido_block_pool_acquire(pool);
    CHECK_OK(lido_block_pool_release(pool, block));
    warnings = 0;
    lido_log_set(LIDO_LOG_WARNING, look_at_pool, pool);
    CHECK_FAILS(lido_block_pool_release(pool, block), LIDO_ERR_NOT_HELD, "frames");
    CHECK_EQ(warnings, 1);
    CHECK_EQ(seen_in_log.released, 1);
    CHECK_FAILS(lido_block_pool_release_index(pool, 0), LIDO_ERR_NOT_HELD, "frames");
    CHECK_EQ(warnings, 2);
    lido_log_set(LIDO_LOG_WARNING, NULL, NULL);
    CHECK_OK(lido_block_pool_destroy(pool));
}

/* ---- Many at once ------------------------------------------------------------------------ */

/* Bursts across the edge of a magazine, over and over: the blocks move from one to the other. */
static void bursts_across_a_magazines_edge_lose_and_double_nothing(void **state) {
    (void)state;
    enum { DEEP = 600, BURST = 150 };
    lido_block_pool *pool = NULL;
    void *blocks[DEEP];
    CHECK_OK(lido_block_pool_create(
        LIDO_BLOCK_POOL_OPTIONS(.name = "edge", .block_size = 64, .mode = LIDO_BLOCK_POOL_SLABS),
        &pool));
    for (size_t base = 0; base + BURST <= DEEP; base += 10) {
        CHECK_EQ(lido_block_pool_acquire_many(pool, base, blocks), base);
        for (int turn = 0; turn < 40; turn++) {
            for (size_t i = base; i < base + BURST; i++) {
                blocks[i] = lido_block_pool_acquire(pool);
                CHECK(blocks[i] != NULL);
                memset(blocks[i], 0, 64);
                memcpy(blocks[i], &i, sizeof i);
            }
            for (size_t i = base, seen = 0; i < base + BURST; i++) {
                memcpy(&seen, blocks[i], sizeof seen);
                CHECK_EQ(seen, i);
            }
            for (size_t i = base; i < base + BURST; i++)
                CHECK_OK(lido_block_pool_release(pool, blocks[i]));
        }
        lido_block_pool_stats stats = {.struct_size = sizeof stats};
        CHECK_OK(lido_block_pool_read_stats(pool, &stats));
        CHECK_EQ(stats.live, base);
        CHECK_EQ(stats.existing, stats.live + stats.cached + stats.stranded + stats.idle);
        CHECK_OK(lido_block_pool_release_many(pool, base, blocks));
    }
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void acquire_many_gives_what_there_is_from_the_front(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        void *blocks[20];
        for (int i = 0; i < 20; i++)
            blocks[i] = &blocks[i];
        lido_block_pool *pool = make(mode, 64, 12);
        CHECK_EQ(lido_block_pool_acquire_many(pool, 0, blocks), 0);
        CHECK_EQ(lido_block_pool_acquire_many(pool, 5, blocks), 5);
        CHECK_EQ(lido_block_pool_acquire_many(pool, 15, blocks + 5), 7);
        CHECK_EQ(lido_last_status(), LIDO_ERR_LIMIT);
        CHECK_EQ(stats_of(pool).refused_limit, 8);
        for (int i = 12; i < 20; i++)
            CHECK(blocks[i] == &blocks[i]);
        for (int i = 0; i < 12; i++)
            for (int j = 0; j < i; j++)
                CHECK(blocks[i] != blocks[j]);
        CHECK_OK(lido_block_pool_release_many(pool, 12, blocks));
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

static void acquire_many_without_memory_keeps_what_it_got(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        void *blocks[500];
        lido_block_pool *pool = make(mode, 4096, 0);
        check_arm(12, true);
        uint64_t got = lido_block_pool_acquire_many(pool, 500, blocks);
        check_disarm();
        CHECK(got > 0 && got < 500);
        CHECK_EQ(lido_last_status(), LIDO_ERR_NO_MEMORY);
        CHECK_EQ(stats_of(pool).refused_memory, 500 - got);
        CHECK_EQ(stats_of(pool).live, got);
        CHECK_OK(lido_block_pool_release_many(pool, got, blocks));
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

static void release_many_skips_null_and_gives_back_all_but_the_refused(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        void *blocks[8];
        lido_block_pool *pool = make(mode, 64, 0);
        CHECK_EQ(lido_block_pool_acquire_many(pool, 4, blocks), 4);
        blocks[4] = NULL;
        blocks[5] = blocks[1]; /* a double within one call */
        blocks[6] = &blocks;
        blocks[7] = lido_block_pool_acquire(pool);
        CHECK_FAILS(lido_block_pool_release_many(pool, 8, blocks), LIDO_ERR_NOT_HELD, "frames");
        lido_block_pool_stats s = stats_of(pool);
        CHECK(s.live == 0 && s.released == 5 && s.refused_release == 2);
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

/* ---- Blocks by number -------------------------------------------------------------------- */

static void an_index_leads_to_its_block_and_is_small_and_unique(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        void *blocks[200];
        bool used[4096] = {false};
        lido_block_pool *pool = make(mode, 800, 0);
        CHECK_EQ(lido_block_pool_acquire_many(pool, 200, blocks), 200);
        uint64_t existing = stats_of(pool).existing;
        for (int i = 0; i < 200; i++) {
            uint64_t index = UINT64_MAX;
            CHECK_OK(lido_block_pool_read_index(pool, blocks[i], &index));
            CHECK(index < existing && index < 4096 && !used[index]);
            used[index] = true;
            CHECK(lido_block_pool_at(pool, index) == blocks[i]);
        }
        for (int i = 0; i < 200; i++) {
            uint64_t index = 0;
            CHECK_OK(lido_block_pool_read_index(pool, blocks[i], &index));
            CHECK_OK(lido_block_pool_release_index(pool, index));
            CHECK_REFUSED(lido_block_pool_at(pool, index), LIDO_ERR_NOT_HELD, "frames");
            CHECK_FAILS(lido_block_pool_release_index(pool, index), LIDO_ERR_NOT_HELD, "frames");
            CHECK_FAILS(lido_block_pool_read_index(pool, blocks[i], &index), LIDO_ERR_NOT_HELD,
                        "frames");
        }
        lido_block_pool_stats s = stats_of(pool);
        CHECK(s.live == 0 && s.refused_release == 200 && s.released == 200);
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

static void an_index_beyond_all_blocks_is_refused(void **state) {
    (void)state;
    static const uint64_t beyond[] = {0, 1, 1000, UINT32_MAX, UINT64_MAX / 8, UINT64_MAX};
    FOR_EACH_MODE(mode) {
        char text[32];
        lido_block_pool *pool = make(mode, 64, 0);
        for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
            uint64_t from = beyond[i];
            snprintf(text, sizeof text, "index %llu", (unsigned long long)beyond[i]);
            CHECK_REFUSED(lido_block_pool_at(pool, beyond[i]), LIDO_ERR_NOT_HELD, text);
            CHECK_FAILS(lido_block_pool_release_index(pool, beyond[i]), LIDO_ERR_NOT_HELD, text);
            CHECK(lido_block_pool_next(pool, &from) == NULL);
        }
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

static void next_visits_the_blocks_that_are_out_in_order_of_index(void **state) {
    (void)state;
    FOR_EACH_MODE(mode) {
        void *blocks[300], *block = NULL;
        lido_block_pool *pool = make(mode, 800, 0);
        CHECK_EQ(lido_block_pool_acquire_many(pool, 300, blocks), 300);
        for (int i = 0; i < 300; i++)
            if (i % 3)
                CHECK_OK(lido_block_pool_release(pool, blocks[i]));
        uint64_t seen = 0, last = 0, from = 0;
        for (; (block = lido_block_pool_next(pool, &from)) != NULL; from++, seen++) {
            CHECK(seen == 0 || from > last);
            CHECK(lido_block_pool_at(pool, from) == block);
            last = from;
        }
        CHECK_EQ(seen, 100);
        for (int i = 0; i < 300; i += 3)
            CHECK_OK(lido_block_pool_release(pool, blocks[i]));
        from = 0;
        CHECK(lido_block_pool_next(pool, &from) == NULL);
        CHECK_OK(lido_block_pool_destroy(pool));
    }
}

CHECK_MAIN(TEST(the_environment_changes_the_default_mode), TEST(a_pool_needs_only_a_block_size),
           TEST(a_pool_is_listed_with_name_owner_kind_and_line),
           TEST(a_wrong_option_is_refused_by_name_and_value),
           TEST(the_message_of_a_refusal_is_one_line_whatever_was_given),
           TEST(options_without_struct_size_or_without_options_are_refused),
           TEST(options_of_older_and_newer_programs_are_understood),
           TEST(a_pool_without_memory_is_not_made), TEST(destroying_nothing_is_fine),
           TEST(a_pool_with_blocks_out_is_not_destroyed_and_lives_on),
           TEST(blocks_of_every_size_and_alignment_are_whole_and_apart),
           TEST(a_block_of_a_gibibyte_is_whole),
           TEST(at_the_limit_acquire_is_refused_until_one_comes_back),
           TEST(without_memory_acquire_is_refused_and_works_again_later),
           TEST(a_zero_pool_hands_out_zero_bytes_each_time), TEST(releasing_nothing_is_fine),
           TEST(a_block_released_twice_is_refused_with_pool_and_block),
           TEST(what_is_no_block_of_this_pool_is_refused_and_harms_nothing),
           TEST(release_needs_no_memory_and_asks_for_none),
           TEST(a_refused_release_is_a_warning_told_without_locks),
           TEST(bursts_across_a_magazines_edge_lose_and_double_nothing),
           TEST(acquire_many_gives_what_there_is_from_the_front),
           TEST(acquire_many_without_memory_keeps_what_it_got),
           TEST(release_many_skips_null_and_gives_back_all_but_the_refused),
           TEST(an_index_leads_to_its_block_and_is_small_and_unique),
           TEST(an_index_beyond_all_blocks_is_refused),
           TEST(next_visits_the_blocks_that_are_out_in_order_of_index))
