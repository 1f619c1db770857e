/* SPDX-License-Identifier: MIT
 * lido/budget.h: what pools share, and who gives way. */
#include "object_factory.h"

#include <lido/budget.h>
#include <lido/panel.h>

enum { POOLS = 3, KEPT = 16 };

/* A budget and pools of it. Objects of pool p count bytes[p]. */
struct share {
    lido_budget *budget;
    struct factory factory[POOLS];
    lido_object_pool *pool[POOLS];
    lido_lease lease[POOLS][KEPT];
    uint64_t live[POOLS], bytes[POOLS];
};

static lido_object_pool *pool_in(struct share *share, int p, uint64_t sizing) {
    lido_object_pool *pool = NULL;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = p == 0 ? "parsers" : "others", .object_limit = KEPT,
                                 .sizing = sizing, .create = create_object,
                                 .validate = validate_object, .destroy = destroy_object,
                                 .context = &share->factory[p], .budget = share->budget,
                                 .object_bytes = share->bytes[p]),
        &pool));
    return pool;
}

static void start(struct share *share, const lido_budget_options *options) {
    memset(share, 0, sizeof *share);
    CHECK_OK(lido_budget_create(options, &share->budget));
    for (int p = 0; p < POOLS; p++) {
        share->factory[p] = factory_start();
        share->bytes[p] = p == 0 ? 0 : (uint64_t)p; /* 0: the default, 1 */
        share->pool[p] = pool_in(share, p, 0);
    }
    share->bytes[0] = 1;
}

static lido_budget_stats figures(const lido_budget *budget) {
    lido_budget_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_budget_read_stats(budget, &stats));
    return stats;
}

/* At rest: what is used is the sum over the pools, and never was above the limit. */
static void check_sum(const struct share *share, uint64_t limit) {
    uint64_t sum = 0;
    for (int p = 0; p < POOLS; p++)
        sum += object_stats(share->pool[p]).existing * share->bytes[p];
    CHECK_EQ(figures(share->budget).used_bytes, sum);
    CHECK(figures(share->budget).used_peak_bytes <= limit);
}

static lido_status take(struct share *share, int p) {
    lido_status status =
        lido_object_pool_try_acquire(share->pool[p], &share->lease[p][share->live[p]]);
    share->live[p] += status == LIDO_OK;
    return status;
}

static void give_back(struct share *share, int p) {
    CHECK_OK(lido_object_pool_release(share->pool[p], &share->lease[p][--share->live[p]]));
}

static void take_and_give_back(struct share *share, int p, int count) {
    for (int i = 0; i < count; i++)
        CHECK_OK(take(share, p));
    for (int i = 0; i < count; i++)
        give_back(share, p);
}

static void end(struct share *share) {
    for (int p = 0; p < POOLS; p++) {
        while (share->live[p])
            give_back(share, p);
        if (share->pool[p])
            check_object_figures(share->pool[p]);
        CHECK_OK(lido_object_pool_destroy(share->pool[p]));
        factory_end(&share->factory[p]);
    }
    CHECK_EQ(figures(share->budget).used_bytes, 0);
    CHECK_OK(lido_budget_destroy(share->budget));
}

/* ---- Making and ending -------------------------------------------------------------------- */

static uint64_t budget_id(void) {
    lido_resource resource = LIDO_RESOURCE;
    CHECK(lido_registry_next(0, &resource) && strcmp(resource.kind, "budget") == 0);
    return resource.id;
}

static uint64_t dial(const char *name) {
    uint64_t value = 0;
    CHECK_OK(lido_panel_read_dial(budget_id(), name, &value));
    return value;
}

static void zero_means_the_defaults(void **state) {
    (void)state;
    lido_budget *budget = NULL;
    CHECK_OK(lido_budget_create(LIDO_BUDGET_OPTIONS(.name = "memory"), &budget));
    CHECK(dial("limit_bytes") == UINT64_MAX && dial("pressure_bytes") == 400000000);
    CHECK(dial("cleanup_interval_ns") == LIDO_SECONDS(180) && dial("reclaim") == 1);
    CHECK(dial("used_bytes") == 0 && dial("pool_count") == 0);
    CHECK_EQ(lido_budget_tend(budget), 0);
    CHECK_OK(lido_budget_destroy(budget));
    CHECK_OK(lido_budget_destroy(NULL));
}

static void wrong_options_are_refused(void **state) {
    (void)state;
    lido_budget *budget = NULL;
    lido_budget_stats unset = {0};
    CHECK_FAILS(lido_budget_create(NULL, &budget), LIDO_ERR_ARGUMENT, "lido_budget_options");
    CHECK_FAILS(lido_budget_create(LIDO_BUDGET_OPTIONS(.cleanup_interval_ns = 5), &budget),
                LIDO_ERR_ARGUMENT, "cleanup_interval_ns is 5");
    CHECK_FAILS(lido_budget_create(LIDO_BUDGET_OPTIONS(.flags = 2), &budget), LIDO_ERR_UNSUPPORTED,
                "flags are 2");
    CHECK_FAILS(lido_budget_create(LIDO_BUDGET_OPTIONS(.name = "\n"), &budget), LIDO_ERR_ARGUMENT,
                "name");
    CHECK(budget == NULL);
    CHECK_OK(lido_budget_create(LIDO_BUDGET_OPTIONS(.limit_bytes = 1), &budget));
    CHECK_FAILS(lido_budget_read_stats(budget, &unset), LIDO_ERR_ARGUMENT, "struct_size");
    CHECK_OK(lido_budget_destroy(budget));
}

static void a_budget_with_pools_does_not_end(void **state) {
    (void)state;
    struct share share;
    start(&share, LIDO_BUDGET_OPTIONS(.name = "memory", .limit_bytes = 9));
    CHECK_FAILS(lido_budget_destroy(share.budget), LIDO_ERR_BUSY, "3 pools share it");
    CHECK_ERROR_HAS("test_budget.c:");
    CHECK_EQ(figures(share.budget).pool_count, 3);
    end(&share);
}

/* ---- The limit ----------------------------------------------------------------------------- */

static void the_pools_together_stay_within_the_limit(void **state) {
    (void)state;
    struct share share;
    start(&share, LIDO_BUDGET_OPTIONS(.limit_bytes = 9));
    for (int i = 0; i < 4; i++)
        CHECK_OK(take(&share, 0));
    for (int i = 0; i < 2; i++)
        CHECK_OK(take(&share, 2)); /* objects of 2 */
    CHECK_EQ(figures(share.budget).used_bytes, 8);
    CHECK_FAILS(take(&share, 2), LIDO_ERR_EMPTY, "budget has no room");
    CHECK_FAILS(lido_object_pool_prepare(share.pool[2], 3), LIDO_ERR_LIMIT, "no room");
    CHECK_OK(take(&share, 1));
    CHECK_FAILS(take(&share, 0), LIDO_ERR_EMPTY, "no room");
    CHECK_EQ(figures(share.budget).refused, 3);
    CHECK_OK(lido_object_pool_discard(share.pool[0], &share.lease[0][--share.live[0]]));
    CHECK_OK(take(&share, 1));
    check_sum(&share, 9);
    end(&share);
}

static void what_is_idle_elsewhere_makes_room_the_least_used_first(void **state) {
    (void)state;
    struct share share;
    start(&share, LIDO_BUDGET_OPTIONS(.limit_bytes = 12));
    take_and_give_back(&share, 1, 4); /* 4 acquires: used least */
    take_and_give_back(&share, 0, 4);
    take_and_give_back(&share, 0, 4); /* 8 acquires */
    for (int i = 0; i < 4; i++)
        CHECK_OK(take(&share, 2)); /* 8 of 12 are 4 too many */
    CHECK(object_stats(share.pool[1]).existing == 0 && object_stats(share.pool[0]).existing == 4);
    CHECK_OK(lido_object_pool_prepare(share.pool[2], 6));
    CHECK_EQ(object_stats(share.pool[0]).existing, 0);
    CHECK_EQ(figures(share.budget).reclaimed_bytes, 8);
    check_sum(&share, 12);
    end(&share);
}

static void nothing_is_reclaimed_when_told_so(void **state) {
    (void)state;
    struct share share;
    start(&share, LIDO_BUDGET_OPTIONS(.limit_bytes = 4, .flags = LIDO_BUDGET_KEEP));
    take_and_give_back(&share, 0, 4);
    CHECK_FAILS(take(&share, 1), LIDO_ERR_EMPTY, "no room");
    check_advance(LIDO_SECONDS(500));
    CHECK_EQ(lido_budget_tend(share.budget), 0);
    lido_setting on = {"reclaim", 1, 0};
    CHECK_OK(lido_panel_apply(budget_id(), &on, 1));
    CHECK_OK(take(&share, 1));
    CHECK_EQ(object_stats(share.pool[0]).existing, 3);
    end(&share);
}

/* ---- Pressure and clean-up ------------------------------------------------------------------- */

static void above_the_pressure_threshold_who_builds_takes_from_the_idle(void **state) {
    (void)state;
    struct share share;
    start(&share, LIDO_BUDGET_OPTIONS(.pressure_bytes = 6));
    take_and_give_back(&share, 0, 6);
    for (int i = 0; i < 10; i++) {
        CHECK_OK(take(&share, 1));
        CHECK_EQ(figures(share.budget).used_bytes, i < 6 ? 6 : i + 1);
    }
    give_back(&share, 1);
    give_back(&share, 1);
    CHECK_EQ(lido_budget_tend(share.budget), 2); /* what is out stays, whatever the pressure */
    CHECK_EQ(figures(share.budget).used_bytes, 8);
    end(&share);
}

static void pools_that_rest_are_cleaned_up_after_the_interval(void **state) {
    (void)state;
    struct share share;
    start(&share, LIDO_BUDGET_OPTIONS(.name = "memory"));
    take_and_give_back(&share, 0, 5);
    take_and_give_back(&share, 1, 5);
    check_advance(LIDO_SECONDS(180));
    CHECK_EQ(lido_budget_tend(share.budget), 0); /* both were used in the interval */
    check_advance(LIDO_SECONDS(179));
    take_and_give_back(&share, 0, 1);
    CHECK_EQ(lido_budget_tend(share.budget), 0);
    check_advance(LIDO_SECONDS(1));
    CHECK_EQ(lido_budget_tend(share.budget), 5);
    CHECK(object_stats(share.pool[0]).existing == 5 && object_stats(share.pool[1]).existing == 0);
    check_advance(LIDO_SECONDS(180));
    CHECK_OK(take(&share, 2)); /* a slow acquire does it, too */
    CHECK_EQ(object_stats(share.pool[0]).existing, 0);
    CHECK_EQ(figures(share.budget).cleanups, 3);
    end(&share);
}

static void a_pool_that_sizes_itself_keeps_its_least_and_says_why_it_shrank(void **state) {
    (void)state;
    struct share share;
    start(&share, LIDO_BUDGET_OPTIONS(.limit_bytes = 10));
    lido_object_pool *sized = pool_in(&share, 1, 1); /* keeps 2 */
    lido_object_pool_decision d = LIDO_OBJECT_POOL_DECISION;
    CHECK_OK(lido_object_pool_prepare(sized, 8));
    for (int i = 0; i < 8; i++)
        CHECK_OK(take(&share, 0));
    CHECK_FAILS(take(&share, 0), LIDO_ERR_EMPTY, "no room");
    CHECK_EQ(object_stats(sized).existing, 2);
    while (lido_object_pool_next_decision(sized, d.number, &d))
        ;
    CHECK(d.to == 2 && object_stats(sized).size == 2);
    CHECK_HAS(d.reason, "budget");
    CHECK_OK(lido_object_pool_destroy(sized));
    end(&share);
}

/* ---- Waiting for room -------------------------------------------------------------------------- */

struct caller {
    lido_object_pool *pool;
    lido_lease lease;
    lido_status status;
};

static void call_once(void *context) {
    struct caller *caller = context;
    caller->status = lido_object_pool_acquire(caller->pool, LIDO_FOREVER, &caller->lease);
}

static void who_waits_for_room_is_woken_by_another_pool(void **state) {
    (void)state;
    struct share share;
    struct check_thread thread;
    start(&share, LIDO_BUDGET_OPTIONS(.limit_bytes = 2));
    struct caller caller = {.pool = share.pool[1]};
    CHECK_OK(take(&share, 0));
    CHECK_OK(take(&share, 0));
    check_start(&thread, call_once, &caller);
    check_await_sleepers(1);
    CHECK_OK(lido_object_pool_discard(share.pool[0], &share.lease[0][--share.live[0]]));
    check_join(&thread);
    CHECK_OK(caller.status);
    CHECK_OK(lido_object_pool_release(share.pool[1], &caller.lease));
    end(&share);
}

static void what_lies_idle_elsewhere_is_found_by_tend(void **state) {
    (void)state;
    struct share share;
    struct check_thread thread;
    start(&share, LIDO_BUDGET_OPTIONS(.limit_bytes = 2));
    struct caller caller = {.pool = share.pool[1]};
    CHECK_OK(take(&share, 0));
    CHECK_OK(take(&share, 0));
    check_start(&thread, call_once, &caller);
    check_await_sleepers(1);
    give_back(&share, 0);
    CHECK_EQ(lido_budget_tend(share.budget), 1);
    check_join(&thread);
    CHECK_OK(caller.status);
    CHECK_OK(lido_object_pool_release(share.pool[1], &caller.lease));
    end(&share);
}

static void a_higher_limit_serves_who_waits(void **state) {
    (void)state;
    struct share share;
    struct check_thread thread;
    lido_setting more = {"limit_bytes", 3, 0};
    start(&share, LIDO_BUDGET_OPTIONS(.limit_bytes = 2));
    struct caller caller = {.pool = share.pool[0]};
    CHECK_OK(take(&share, 0));
    CHECK_OK(take(&share, 0));
    check_start(&thread, call_once, &caller);
    check_await_sleepers(1);
    CHECK_OK(lido_panel_apply(budget_id(), &more, 1));
    CHECK_EQ(more.old_value, 2);
    check_join(&thread);
    CHECK_OK(caller.status);
    CHECK_OK(lido_object_pool_release(share.pool[0], &caller.lease));
    end(&share);
}

/* ---- Random calls, threads, failures ------------------------------------------------------------ */

static void random_calls_keep_the_sum(void **state) {
    (void)state;
    struct share share;
    struct check_random random = check_random_start(1);
    uint64_t refused = 0;
    start(&share, LIDO_BUDGET_OPTIONS(.limit_bytes = 30, .pressure_bytes = 24));
    for (int step = 0; step < 4000; step++) {
        int p = (int)check_random_below(&random, POOLS);
        uint64_t what = check_random_below(&random, 12);
        uint64_t room = 30;
        for (int other = 0; other < POOLS; other++)
            room -= share.live[other] * share.bytes[other];
        if (what < 6 && share.live[p] < KEPT) {
            /* The model: whatever is idle can go, so only what is out counts. */
            lido_status status = take(&share, p);
            CHECK_EQ(status == LIDO_OK, room >= share.bytes[p] || object_stats(share.pool[p]).idle);
            refused += status != LIDO_OK;
        } else if (what < 10 && share.live[p])
            give_back(&share, p);
        else if (what == 10) {
            check_advance(check_random_below(&random, LIDO_SECONDS(100)));
            (void)lido_budget_tend(share.budget);
        } else if (share.live[p])
            CHECK_OK(lido_object_pool_discard(share.pool[p], &share.lease[p][--share.live[p]]));
        check_sum(&share, 30);
    }
    CHECK(refused > 10 && figures(share.budget).reclaimed_bytes > 100);
    end(&share);
}

struct worker {
    struct share *share;
    uint64_t number;
};

static void work(void *context) {
    struct worker *worker = context;
    struct check_random random = check_random_start(worker->number);
    for (int i = 0; i < 300; i++) {
        lido_object_pool *pool = worker->share->pool[check_random_below(&random, POOLS)];
        lido_lease lease;
        lido_status status = lido_object_pool_acquire(pool, LIDO_MILLISECONDS(1), &lease);
        CHECK(status == LIDO_OK || status == LIDO_ERR_TIMEOUT);
        if (status == LIDO_OK)
            CHECK_OK(lido_object_pool_release(pool, &lease));
        if (worker->number == 0)
            (void)lido_budget_tend(worker->share->budget);
    }
}

static void many_threads_stay_within_the_limit(void **state) {
    (void)state;
    struct share share;
    struct worker workers[5];
    start(&share, LIDO_BUDGET_OPTIONS(.limit_bytes = 5));
    for (uint64_t i = 0; i < 5; i++)
        workers[i] = (struct worker){&share, i};
    check_in_threads(5, work, workers, sizeof workers[0]);
    check_sum(&share, 5);
    end(&share);
}

static void share_a_budget(void *context) {
    struct factory *factory = context;
    lido_budget *budget = NULL;
    lido_object_pool *pool = NULL;
    lido_lease lease;
    lido_status status = lido_budget_create(LIDO_BUDGET_OPTIONS(.limit_bytes = 1), &budget);
    CHECK(status == LIDO_OK || status == LIDO_ERR_NO_MEMORY || status == LIDO_ERR_SYSTEM);
    if (!budget)
        return;
    status = lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.object_limit = 2, .create = create_object,
                                 .destroy = destroy_object, .context = factory, .budget = budget),
        &pool);
    CHECK(status == LIDO_OK || status == LIDO_ERR_NO_MEMORY);
    if (pool && (status = lido_object_pool_try_acquire(pool, &lease)) == LIDO_OK) {
        CHECK_EQ(figures(budget).used_bytes, 1);
        CHECK_OK(lido_object_pool_release(pool, &lease));
    } else if (pool)
        CHECK_EQ(status, LIDO_ERR_NO_MEMORY);
    CHECK_OK(lido_object_pool_destroy(pool));
    CHECK_EQ(figures(budget).used_bytes, 0);
    CHECK_OK(lido_budget_destroy(budget));
}

static void budgets_survive_every_failure(void **state) {
    (void)state;
    struct factory factory = factory_start();
    check_sweep(share_a_budget, &factory);
    factory_end(&factory);
}

static void use_in_child(void *context) {
    struct share *share = context;
    check_sum(share, 4);
    CHECK_OK(take(share, 1));
    give_back(share, 1);
    for (int p = 0; p < POOLS; p++) {
        while (share->live[p])
            give_back(share, p);
        CHECK_OK(lido_object_pool_destroy(share->pool[p]));
    }
    CHECK_EQ(figures(share->budget).used_bytes, 0);
    CHECK_OK(lido_budget_destroy(share->budget));
}

static void a_child_of_fork_goes_on(void **state) {
    (void)state;
    struct share share;
    start(&share, LIDO_BUDGET_OPTIONS(.limit_bytes = 4));
    take_and_give_back(&share, 0, 4);
    CHECK_OK(take(&share, 0));
    CHECK_EQ(check_child(use_in_child, &share), 0);
    end(&share);
}

CHECK_MAIN(TEST(zero_means_the_defaults), TEST(wrong_options_are_refused),
           TEST(a_budget_with_pools_does_not_end), TEST(the_pools_together_stay_within_the_limit),
           TEST(what_is_idle_elsewhere_makes_room_the_least_used_first),
           TEST(nothing_is_reclaimed_when_told_so),
           TEST(above_the_pressure_threshold_who_builds_takes_from_the_idle),
           TEST(pools_that_rest_are_cleaned_up_after_the_interval),
           TEST(a_pool_that_sizes_itself_keeps_its_least_and_says_why_it_shrank),
           TEST(who_waits_for_room_is_woken_by_another_pool),
           TEST(what_lies_idle_elsewhere_is_found_by_tend), TEST(a_higher_limit_serves_who_waits),
           TEST(random_calls_keep_the_sum), TEST(many_threads_stay_within_the_limit),
           TEST(budgets_survive_every_failure), TEST(a_child_of_fork_goes_on))
