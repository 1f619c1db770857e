/* SPDX-License-Identifier: MIT
 * lido/dense_pool.h, promise by promise in its order. Random calls against a model:
 * test_dense_pool_model.c. */
#include "check.h"

#include <lido/dense_pool.h>

struct thing {
    uint64_t mark;
    uint64_t more[2];
};

static lido_dense_pool *make(uint64_t object_limit, uint64_t at_limit, uint64_t ready_count) {
    lido_dense_pool *pool = NULL;
    CHECK_OK(lido_dense_pool_create(
        LIDO_DENSE_POOL_OPTIONS(.name = "things", .object_bytes = sizeof(struct thing),
                                .object_limit = object_limit, .at_limit = at_limit,
                                .ready_count = ready_count),
        &pool));
    return pool;
}

static void end(lido_dense_pool *pool) {
    lido_dense_pool_release_all(pool);
    CHECK_OK(lido_dense_pool_destroy(pool));
}

static lido_dense_handle add(lido_dense_pool *pool, uint64_t mark) {
    lido_dense_handle handle = LIDO_DENSE_HANDLE_NONE;
    struct thing *thing = lido_dense_pool_acquire(pool, &handle);
    CHECK(thing != NULL);
    CHECK(handle != LIDO_DENSE_HANDLE_NONE);
    *thing = (struct thing){mark, {mark, mark}};
    return handle;
}

static uint64_t mark_of(const lido_dense_pool *pool, lido_dense_handle handle) {
    const struct thing *thing = lido_dense_pool_find(pool, handle);
    CHECK(thing != NULL && thing->more[0] == thing->mark && thing->more[1] == thing->mark);
    return thing->mark;
}

static uint64_t mark_at(const lido_dense_pool *pool, uint64_t place) {
    return ((const struct thing *)lido_dense_pool_objects(pool))[place].mark;
}

static lido_dense_pool_stats stats_of(const lido_dense_pool *pool) {
    lido_dense_pool_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_dense_pool_read_stats(pool, &stats));
    CHECK_EQ(stats.acquired, stats.released + stats.dropped + stats.live);
    CHECK_EQ(stats.live, lido_dense_pool_count(pool));
    return stats;
}

/* ---- Making a pool ------------------------------------------------------------------------ */

static void a_pool_needs_only_the_size_of_its_objects(void **state) {
    (void)state;
    lido_dense_pool *pool = NULL;
    lido_resource seen = LIDO_RESOURCE;
    CHECK_OK(lido_dense_pool_create(LIDO_DENSE_POOL_OPTIONS(.object_bytes = 1), &pool));
    CHECK(lido_registry_next(0, &seen));
    CHECK(strcmp(seen.kind, "dense_pool") == 0 && strcmp(seen.name, "unnamed") == 0);
    CHECK(strcmp(seen.owner, "application") == 0);
    CHECK_HAS(seen.made_at, "test_dense_pool.c:");
    CHECK(lido_dense_pool_objects(pool) == NULL);
    for (int i = 0; i < 1000; i++)
        CHECK(lido_dense_pool_acquire(pool, NULL) != NULL);
    CHECK_EQ(stats_of(pool).object_limit, 0);
    end(pool);
    CHECK_EQ(lido_registry_count(), 0);
}

static const struct {
    lido_dense_pool_options options;
    lido_status status;
    const char *part;
} refusals[] = {
    {{.name = "n"}, LIDO_ERR_ARGUMENT, "object_bytes is 0"},
    {{.object_bytes = 65537}, LIDO_ERR_ARGUMENT, "object_bytes is 65537"},
    {{.object_bytes = UINT64_MAX}, LIDO_ERR_ARGUMENT, "object_bytes is 18446744073709551615"},
    {{.object_bytes = 8, .object_limit = (1 << 30) + 1}, LIDO_ERR_ARGUMENT, "1073741825"},
    {{.object_bytes = 8, .at_limit = 2}, LIDO_ERR_UNSUPPORTED, "at_limit is 2"},
    {{.object_bytes = 8, .at_limit = 1}, LIDO_ERR_ARGUMENT, "must be 1 or more where the oldest"},
    {{.object_bytes = 8, .object_limit = 9, .ready_count = 10},
     LIDO_ERR_ARGUMENT,
     "ready_count is 10"},
    {{.object_bytes = 8, .ready_count = UINT64_MAX}, LIDO_ERR_ARGUMENT, "ready_count"},
    {{.object_bytes = 8, .name = "two\nlines"}, LIDO_ERR_ARGUMENT, "name is"},
    {{.object_bytes = 8,
      .owner = "0123456789012345678901234567890123456789012345678901234567890123"},
     LIDO_ERR_ARGUMENT,
     "owner is"},
};

static void a_wrong_option_is_refused_by_name_and_value(void **state) {
    (void)state;
    struct {
        lido_dense_pool_options known;
        uint64_t unknown;
    } newer = {{.struct_size = sizeof newer, .object_bytes = 8}, 1};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        lido_dense_pool *pool = (lido_dense_pool *)(uintptr_t)8;
        lido_dense_pool_options options = refusals[i].options;
        options.struct_size = sizeof options;
        lido_status status = lido_dense_pool_create(&options, &pool);
        CHECK_FAILS(status, refusals[i].status, refusals[i].part);
        CHECK(pool == NULL);
    }
    lido_dense_pool *pool = NULL;
    CHECK_FAILS(lido_dense_pool_create(&newer.known, &pool), LIDO_ERR_UNSUPPORTED, "0.1.0");
    CHECK_FAILS(lido_dense_pool_create(NULL, &pool), LIDO_ERR_ARGUMENT, "NULL");
    CHECK_EQ(lido_registry_count(), 0);
}

static void ready_objects_need_no_memory_later(void **state) {
    (void)state;
    lido_dense_pool *pool = make(0, LIDO_DENSE_POOL_REFUSE, 500);
    uint64_t calls = check_memory_calls();
    for (uint64_t i = 0; i < 500; i++)
        (void)add(pool, i);
    CHECK_EQ(check_memory_calls(), calls);
    CHECK_EQ(stats_of(pool).grown, 0);
    (void)add(pool, 500);
    CHECK_EQ(stats_of(pool).grown, 1);
    CHECK_EQ(stats_of(pool).capacity, 1000);
    for (uint64_t i = 0; i < 501; i++)
        CHECK_EQ(mark_at(pool, i), i);
    end(pool);
}

static void a_pool_with_live_objects_is_not_destroyed(void **state) {
    (void)state;
    lido_dense_pool *pool = make(4, LIDO_DENSE_POOL_REFUSE, 0);
    lido_dense_handle handle = add(pool, 7);
    CHECK_FAILS(lido_dense_pool_destroy(pool), LIDO_ERR_BUSY, "objects alive: 1");
    CHECK_EQ(mark_of(pool, handle), 7);
    CHECK_OK(lido_dense_pool_release(pool, handle));
    CHECK_OK(lido_dense_pool_destroy(pool));
    CHECK_OK(lido_dense_pool_destroy(NULL));
}

/* ---- Objects ------------------------------------------------------------------------------ */

static void live_objects_lie_side_by_side_and_handles_follow_them(void **state) {
    (void)state;
    lido_dense_pool *pool = make(0, LIDO_DENSE_POOL_REFUSE, 0);
    lido_dense_handle handle[4];
    for (uint64_t i = 0; i < 4; i++)
        handle[i] = add(pool, i);
    CHECK_OK(lido_dense_pool_release(pool, handle[1]));
    CHECK_EQ(lido_dense_pool_count(pool), 3);
    CHECK_EQ(mark_at(pool, 1), 3);
    CHECK_EQ(lido_dense_pool_handle(pool, 1), handle[3]);
    CHECK_EQ(mark_of(pool, handle[3]), 3);
    CHECK_EQ(lido_dense_pool_handle(pool, 3), LIDO_DENSE_HANDLE_NONE);
    CHECK_OK(lido_dense_pool_release_place(pool, 0));
    CHECK_EQ(mark_at(pool, 0), 2);
    CHECK(!lido_dense_pool_is_live(pool, handle[0]));
    CHECK(lido_dense_pool_is_live(pool, handle[2]));
    CHECK_OK(lido_dense_pool_release(pool, LIDO_DENSE_HANDLE_NONE));
    CHECK_EQ(lido_dense_pool_count(pool), 2);
    end(pool);
}

static void a_stale_handle_is_refused_and_named(void **state) {
    (void)state;
    lido_dense_pool *pool = make(0, LIDO_DENSE_POOL_REFUSE, 0);
    lido_dense_handle first = add(pool, 1);
    CHECK_OK(lido_dense_pool_release(pool, first));
    CHECK_FAILS(lido_dense_pool_release(pool, first), LIDO_ERR_NOT_HELD, "use 1 of slot 0");
    lido_dense_handle second = add(pool, 2);
    CHECK_EQ((uint32_t)first, (uint32_t)second); /* the same slot, another turn */
    CHECK_FAILS(lido_dense_pool_release(pool, first), LIDO_ERR_NOT_HELD, "had 2 uses");
    CHECK_REFUSED(lido_dense_pool_find(pool, first), LIDO_ERR_NOT_HELD, "\"things\"");
    CHECK_ERROR_HAS("stale");
    CHECK_EQ(mark_of(pool, second), 2);
    CHECK_EQ(stats_of(pool).refused_release, 2);
    end(pool);
}

static void a_handle_of_another_pool_is_refused(void **state) {
    (void)state;
    lido_dense_pool *pools[8];
    lido_dense_handle handle[8];
    for (int i = 0; i < 8; i++) {
        pools[i] = make(0, LIDO_DENSE_POOL_REFUSE, 0);
        for (int turn = 0; turn < 100; turn++) {
            handle[i] = add(pools[i], 1);
            if (turn < 99)
                CHECK_OK(lido_dense_pool_release(pools[i], handle[i]));
        }
    }
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) {
            CHECK_EQ(lido_dense_pool_is_live(pools[i], handle[j]), i == j);
            if (i != j)
                CHECK_FAILS(lido_dense_pool_release(pools[i], handle[j]), LIDO_ERR_NOT_HELD,
                            "never handed out");
        }
    CHECK_FAILS(lido_dense_pool_release(pools[0], handle[0] + 64), LIDO_ERR_NOT_HELD, "never");
    CHECK_FAILS(lido_dense_pool_release(pools[0], handle[0] + 63), LIDO_ERR_NOT_HELD, "never");
    CHECK_FAILS(lido_dense_pool_release(pools[0], 17), LIDO_ERR_NOT_HELD, "never");
    for (int i = 0; i < 8; i++)
        end(pools[i]);
}

static void a_place_without_an_object_is_refused(void **state) {
    (void)state;
    lido_dense_pool *pool = make(0, LIDO_DENSE_POOL_REFUSE, 0);
    CHECK_FAILS(lido_dense_pool_release_place(pool, 0), LIDO_ERR_NOT_HELD, "0 are alive");
    (void)add(pool, 1);
    CHECK_FAILS(lido_dense_pool_release_place(pool, 1), LIDO_ERR_NOT_HELD, "place 1");
    CHECK_FAILS(lido_dense_pool_release_place(pool, UINT64_MAX), LIDO_ERR_NOT_HELD, "place");
    CHECK_EQ(stats_of(pool).refused_release, 3);
    end(pool);
}

static void a_walk_may_release_what_it_meets(void **state) {
    (void)state;
    lido_dense_pool *pool = make(0, LIDO_DENSE_POOL_REFUSE, 0);
    uint64_t met[300] = {0}, steps = 0;
    for (uint64_t i = 0; i < 300; i++)
        (void)add(pool, i);
    for (uint64_t place = 0; place < lido_dense_pool_count(pool); steps++) {
        uint64_t mark = mark_at(pool, place);
        met[mark]++;
        if (mark % 3 == 0)
            CHECK_OK(lido_dense_pool_release_place(pool, place));
        else
            place++;
    }
    CHECK_EQ(steps, 300);
    for (int i = 0; i < 300; i++)
        CHECK_EQ(met[i], 1);
    CHECK_EQ(lido_dense_pool_count(pool), 200);
    end(pool);
}

static void releasing_all_makes_every_handle_stale(void **state) {
    (void)state;
    lido_dense_pool *pool = make(50, LIDO_DENSE_POOL_DROP_OLDEST, 0);
    lido_dense_handle handle[50];
    for (uint64_t i = 0; i < 50; i++)
        handle[i] = add(pool, i);
    lido_dense_pool_release_all(pool);
    lido_dense_pool_release_all(pool);
    for (int i = 0; i < 50; i++)
        CHECK(!lido_dense_pool_is_live(pool, handle[i]));
    CHECK_EQ(stats_of(pool).released, 50);
    CHECK_EQ(lido_dense_pool_oldest(pool), LIDO_DENSE_HANDLE_NONE);
    lido_dense_handle first = add(pool, 100);
    for (uint64_t i = 1; i < 50; i++)
        (void)add(pool, 100 + i);
    CHECK_EQ(lido_dense_pool_oldest(pool), first);
    end(pool);
}

static void objects_of_any_size_survive_moving_and_growing(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1, 3, 8, 15, 16, 17, 31, 32, 33, 47, 48, 64, 80, 100, 4099};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        lido_dense_pool *pool = NULL;
        lido_dense_handle handle[200];
        CHECK_OK(lido_dense_pool_create(
            LIDO_DENSE_POOL_OPTIONS(.object_bytes = sizes[s], .object_limit = 200, .at_limit = 1),
            &pool));
        for (int i = 0; i < 200; i++) {
            void *object = lido_dense_pool_acquire(pool, &handle[i]);
            CHECK(object != NULL);
            memset(object, i, sizes[s]);
        }
        for (int i = 0; i < 200; i += 2)
            CHECK_OK(lido_dense_pool_release(pool, handle[i]));
        for (int i = 1; i < 200; i += 2) {
            const unsigned char *bytes = lido_dense_pool_find(pool, handle[i]);
            for (uint64_t b = 0; b < sizes[s]; b++)
                CHECK_EQ(bytes[b], i);
        }
        end(pool);
    }
}

/* ---- At the limit -------------------------------------------------------------------------- */

static void at_its_limit_a_pool_refuses(void **state) {
    (void)state;
    lido_dense_pool *pool = make(100, LIDO_DENSE_POOL_REFUSE, 0);
    lido_dense_handle handle = 1;
    for (uint64_t i = 0; i < 100; i++)
        (void)add(pool, i);
    CHECK_EQ(stats_of(pool).capacity, 100);
    CHECK_REFUSED(lido_dense_pool_acquire(pool, &handle), LIDO_ERR_LIMIT, "all 100 objects");
    CHECK_EQ(handle, LIDO_DENSE_HANDLE_NONE);
    CHECK_EQ(stats_of(pool).refused_limit, 1);
    CHECK_EQ(lido_dense_pool_oldest(pool), LIDO_DENSE_HANDLE_NONE);
    CHECK_OK(lido_dense_pool_release_place(pool, 99));
    (void)add(pool, 200);
    end(pool);
}

static void at_its_limit_a_pool_drops_the_oldest(void **state) {
    (void)state;
    lido_dense_pool *pool = make(10, LIDO_DENSE_POOL_DROP_OLDEST, 0);
    lido_dense_handle handle[30];
    for (uint64_t i = 0; i < 10; i++)
        handle[i] = add(pool, i);
    CHECK_OK(lido_dense_pool_release(pool, handle[0])); /* the order closes over gaps: in front, */
    CHECK_OK(lido_dense_pool_release(pool, handle[5])); /* in the middle, */
    CHECK_OK(lido_dense_pool_release(pool, handle[9])); /* and behind */
    CHECK_EQ(lido_dense_pool_oldest(pool), handle[1]);
    static const uint64_t then[] = {1, 2, 3, 4, 6, 7, 8, 10, 11, 12};
    for (uint64_t i = 10; i < 13; i++)
        handle[i] = add(pool, i);
    for (uint64_t i = 13; i < 23; i++) {
        CHECK_EQ(lido_dense_pool_oldest(pool), handle[then[i - 13]]);
        handle[i] = add(pool, i);
        CHECK(!lido_dense_pool_is_live(pool, handle[then[i - 13]]));
        CHECK_EQ(lido_dense_pool_count(pool), 10);
    }
    for (uint64_t i = 13; i < 23; i++)
        CHECK_EQ(mark_of(pool, handle[i]), i);
    CHECK_EQ(stats_of(pool).dropped, 10);
    CHECK_EQ(stats_of(pool).live_peak, 10);
    CHECK_FAILS(lido_dense_pool_release(pool, handle[12]), LIDO_ERR_NOT_HELD, "dropped");
    end(pool);
}

static void one_object_may_be_the_limit(void **state) {
    (void)state;
    lido_dense_pool *pool = make(1, LIDO_DENSE_POOL_DROP_OLDEST, 1);
    for (uint64_t i = 0; i < 5; i++)
        CHECK_EQ(mark_of(pool, add(pool, i)), i);
    CHECK_EQ(stats_of(pool).dropped, 4);
    end(pool);
}

/* ---- Watching and steering ------------------------------------------------------------------ */

static void figures_are_exact(void **state) {
    (void)state;
    lido_dense_pool *pool = make(0, LIDO_DENSE_POOL_REFUSE, 128);
    CHECK(stats_of(pool).reuse == 1);
    for (int round = 0; round < 10; round++) {
        for (uint64_t i = 0; i < 100; i++)
            (void)add(pool, i);
        lido_dense_pool_release_all(pool);
    }
    lido_dense_pool_stats s = stats_of(pool);
    CHECK_EQ(s.acquired, 1000);
    CHECK_EQ(s.released, 1000);
    CHECK_EQ(s.live_peak, 100);
    CHECK_EQ(s.capacity, 128);
    CHECK(s.reuse == 1 - 100.0 / 1000);
    CHECK_EQ(s.committed_bytes - s.overhead_bytes, 128 * sizeof(struct thing));
    CHECK(s.overhead_bytes <= 128 * 12 + 4096 + 512);
    lido_dense_pool_stats none = {.struct_size = 0};
    CHECK_FAILS(lido_dense_pool_read_stats(pool, &none), LIDO_ERR_ARGUMENT, "struct_size");
    end(pool);
}

static void the_limit_changes_in_the_running_pool(void **state) {
    (void)state;
    lido_dense_pool *pool = make(10, LIDO_DENSE_POOL_REFUSE, 0);
    for (uint64_t i = 0; i < 10; i++)
        (void)add(pool, i);
    CHECK_OK(lido_dense_pool_set_object_limit(pool, 5));
    CHECK_EQ(lido_dense_pool_count(pool), 10);
    CHECK_OK(lido_dense_pool_release_place(pool, 0));
    CHECK_REFUSED(lido_dense_pool_acquire(pool, NULL), LIDO_ERR_LIMIT, "all 5");
    CHECK_OK(lido_dense_pool_set_object_limit(pool, 0));
    for (uint64_t i = 0; i < 100; i++)
        (void)add(pool, i);
    CHECK_FAILS(lido_dense_pool_set_object_limit(pool, (1 << 30) + 1), LIDO_ERR_ARGUMENT,
                "1073741825");
    CHECK_OK(lido_dense_pool_set_object_limit(pool, 1 << 30));
    CHECK_EQ(stats_of(pool).object_limit, 1 << 30);
    end(pool);
}

static void a_lower_limit_drops_the_oldest_at_once(void **state) {
    (void)state;
    lido_dense_pool *pool = make(10, LIDO_DENSE_POOL_DROP_OLDEST, 0);
    lido_dense_handle handle[10];
    for (uint64_t i = 0; i < 10; i++)
        handle[i] = add(pool, i);
    CHECK_OK(lido_dense_pool_set_object_limit(pool, 4));
    for (int i = 0; i < 10; i++)
        CHECK_EQ(lido_dense_pool_is_live(pool, handle[i]), i >= 6);
    CHECK_EQ(stats_of(pool).dropped, 6);
    CHECK_FAILS(lido_dense_pool_set_object_limit(pool, 0), LIDO_ERR_ARGUMENT,
                "must be 1 or more where the oldest");
    end(pool);
}

/* ---- Failures and fork ----------------------------------------------------------------------- */

static void use_a_pool(void *context) {
    (void)context;
    lido_dense_pool *pool = NULL;
    lido_dense_handle handle[150];
    uint64_t got = 0;
    lido_status status = lido_dense_pool_create(
        LIDO_DENSE_POOL_OPTIONS(.object_bytes = 64, .ready_count = 10), &pool);
    CHECK_EQ(status == LIDO_OK, pool != NULL);
    if (!pool) {
        CHECK(status == LIDO_ERR_NO_MEMORY || status == LIDO_ERR_SYSTEM);
        return;
    }
    uint64_t *object;
    while (got < 150 && (object = lido_dense_pool_acquire(pool, &handle[got])) != NULL)
        *object = got++;
    if (got < 150) {
        CHECK_EQ(lido_last_status(), LIDO_ERR_NO_MEMORY);
        CHECK_EQ(handle[got], LIDO_DENSE_HANDLE_NONE);
        CHECK_EQ(stats_of(pool).refused_memory, 1);
        CHECK_EQ(stats_of(pool).capacity, got); /* as it was */
    }
    for (uint64_t i = 0; i < got; i++)
        CHECK_EQ(*(uint64_t *)lido_dense_pool_find(pool, handle[i]), i);
    for (uint64_t i = 0; i < got; i++)
        CHECK_OK(lido_dense_pool_release(pool, handle[i]));
    CHECK_OK(lido_dense_pool_destroy(pool));
}

static void every_failure_of_the_system_is_survived(void **state) {
    (void)state;
    check_sweep(use_a_pool, NULL);
}

static void go_on_in_the_child(void *context) {
    lido_dense_pool *pool = context;
    CHECK_EQ(lido_dense_pool_count(pool), 3);
    (void)add(pool, 3);
    lido_dense_pool_release_all(pool);
    CHECK_OK(lido_dense_pool_destroy(pool));
}

static void a_forked_child_has_a_pool_of_its_own(void **state) {
    (void)state;
    lido_dense_pool *pool = make(0, LIDO_DENSE_POOL_REFUSE, 0);
    for (uint64_t i = 0; i < 3; i++)
        (void)add(pool, i);
    CHECK_EQ(check_child(go_on_in_the_child, pool), 0);
    for (uint64_t i = 0; i < 3; i++)
        CHECK_EQ(mark_at(pool, i), i);
    end(pool);
}

CHECK_MAIN(TEST(a_pool_needs_only_the_size_of_its_objects),
           TEST(a_wrong_option_is_refused_by_name_and_value),
           TEST(ready_objects_need_no_memory_later),
           TEST(a_pool_with_live_objects_is_not_destroyed),
           TEST(live_objects_lie_side_by_side_and_handles_follow_them),
           TEST(a_stale_handle_is_refused_and_named), TEST(a_handle_of_another_pool_is_refused),
           TEST(a_place_without_an_object_is_refused), TEST(a_walk_may_release_what_it_meets),
           TEST(releasing_all_makes_every_handle_stale),
           TEST(objects_of_any_size_survive_moving_and_growing), TEST(at_its_limit_a_pool_refuses),
           TEST(at_its_limit_a_pool_drops_the_oldest), TEST(one_object_may_be_the_limit),
           TEST(figures_are_exact), TEST(the_limit_changes_in_the_running_pool),
           TEST(a_lower_limit_drops_the_oldest_at_once),
           TEST(every_failure_of_the_system_is_survived),
           TEST(a_forked_child_has_a_pool_of_its_own))
