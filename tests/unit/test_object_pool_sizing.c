/* SPDX-License-Identifier: MIT
 * Adaptive size of object pools: lido/object_figures.h, "Adaptive size", and src/lease/sizing.h. */
#include "object_factory.h"

#include <lido/panel.h>

#include <sched.h>

enum { MAX = 32 };

/* All acquires are slow, so that every demand is seen: validate is set. */
static lido_object_pool *sized_pool(struct factory *factory, uint64_t min, uint64_t limit) {
    lido_object_pool *pool = NULL;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .sizing = 1, .object_min = min,
                                 .object_limit = limit, .create = create_object,
                                 .validate = validate_object, .reset = reset_object,
                                 .destroy = destroy_object, .context = factory),
        &pool));
    return pool;
}

static void end_pool(lido_object_pool *pool, struct factory *factory) {
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(factory);
}

static void take(lido_object_pool *pool, lido_lease leases[], int count) {
    for (int i = 0; i < count; i++)
        CHECK_OK(lido_object_pool_try_acquire(pool, &leases[i]));
}

static void give_back(lido_object_pool *pool, lido_lease leases[], int count) {
    for (int i = 0; i < count; i++)
        CHECK_OK(lido_object_pool_release(pool, &leases[i]));
}

static lido_object_pool_decision last_decision(const lido_object_pool *pool) {
    lido_object_pool_decision d = LIDO_OBJECT_POOL_DECISION, last = LIDO_OBJECT_POOL_DECISION;
    while (lido_object_pool_next_decision(pool, d.number, &d))
        last = d;
    return last;
}

/* ---- Options --------------------------------------------------------------------------------- */

static void zero_means_two_to_thirty_two_objects(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 0, 0);
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.object_limit == 32 && s.size == 2 && s.existing == 0 && s.resized == 0);
    lido_lease leases[33];
    take(pool, leases, 32);
    CHECK_FAILS(lido_object_pool_try_acquire(pool, &leases[32]), LIDO_ERR_EMPTY, "32 of 32");
    give_back(pool, leases, 32);
    end_pool(pool, &factory);
}

static void a_pool_without_sizing_is_as_large_as_its_limit(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 7);
    lido_object_pool_decision d = LIDO_OBJECT_POOL_DECISION;
    CHECK(object_stats(pool).size == 7 && object_stats(pool).resized == 0);
    check_advance(LIDO_SECONDS(1000));
    CHECK_EQ(lido_object_pool_tend(pool), 0);
    CHECK_EQ(object_stats(pool).existing, 0);
    CHECK(!lido_object_pool_next_decision(pool, 0, &d));
    end_pool(pool, &factory);
}

static void check_refused(const lido_object_pool_options *options, const char *told) {
    lido_object_pool *pool = NULL;
    CHECK_FAILS(lido_object_pool_create(options, &pool), LIDO_ERR_ARGUMENT, told);
    CHECK(pool == NULL);
}

#define WITH(...)                                                                                  \
    LIDO_OBJECT_POOL_OPTIONS(.name = "p", .sizing = 1, .create = create_object, __VA_ARGS__)

static void options_out_of_bounds_are_refused(void **state) {
    (void)state;
    check_refused(LIDO_OBJECT_POOL_OPTIONS(.create = create_object, .object_limit = 4, .sizing = 2),
                  "sizing is 2, must be 0 to 1");
    check_refused(WITH(.object_limit = 4, .object_min = 5), "object_min is 5, must be 0 to 4");
    check_refused(WITH(.object_min = 33), "object_min is 33, must be 0 to 32");
    check_refused(WITH(.target_utilisation = 101), "target_utilisation is 101, must be 1 to 100");
    check_refused(WITH(.sizing_interval_ns = 1), "sizing_interval_ns is 1");
    check_refused(WITH(.sizing_interval_ns = LIDO_FOREVER), "sizing_interval_ns");
    check_refused(WITH(.sizing_window_ns = LIDO_SECONDS(86401)), "sizing_window_ns");
    check_refused(LIDO_OBJECT_POOL_OPTIONS(.create = create_object), "object_limit is 0");
}

/* ---- Growth by waiting ------------------------------------------------------------------------- */

struct caller {
    lido_object_pool *pool;
    uint64_t timeout_ns, waited_ns;
    lido_status status;
    lido_lease lease;
};

static void call_once(void *context) {
    struct caller *caller = context;
    uint64_t start_ns = lido_now_ns();
    caller->status = lido_object_pool_acquire(caller->pool, caller->timeout_ns, &caller->lease);
    caller->waited_ns = lido_now_ns() - start_ns;
}

static void who_waits_three_milliseconds_builds_one_more(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 2, 8);
    struct caller caller = {.pool = pool, .timeout_ns = LIDO_FOREVER};
    lido_lease leases[2];
    take(pool, leases, 2);
    check_in_thread(call_once, &caller);
    CHECK_OK(caller.status);
    CHECK_EQ(caller.waited_ns, LIDO_MILLISECONDS(3));
    lido_object_pool_decision d = last_decision(pool);
    CHECK(d.number == 1 && d.from == 2 && d.to == 3 && d.peak == 3);
    CHECK_EQ(d.when_ns, lido_now_ns());
    CHECK_HAS(d.reason, "waited for contention_threshold_ns");
    CHECK(object_stats(pool).size == 3 && object_stats(pool).existing == 3);
    CHECK_OK(lido_object_pool_release(pool, &caller.lease));
    give_back(pool, leases, 2);
    end_pool(pool, &factory);
}

static void what_comes_back_sooner_is_not_built(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 2, 8);
    struct caller caller = {.pool = pool, .timeout_ns = LIDO_FOREVER};
    struct check_thread thread;
    lido_lease leases[2];
    take(pool, leases, 2);
    check_start(&thread, call_once, &caller);
    check_await_sleepers(1);
    check_advance(LIDO_MILLISECONDS(2));
    give_back(pool, leases, 1);
    check_join(&thread);
    CHECK_OK(caller.status);
    CHECK(object_stats(pool).size == 2 && factory.made == 2);
    CHECK_OK(lido_object_pool_release(pool, &caller.lease));
    give_back(pool, leases + 1, 1);
    end_pool(pool, &factory);
}

static void nobody_is_refused_below_the_limit(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 1, 3);
    struct caller caller = {.pool = pool, .timeout_ns = LIDO_MILLISECONDS(1)};
    lido_lease leases[2];
    take(pool, leases, 1);
    check_in_thread(call_once, &caller);
    CHECK_OK(caller.status);
    CHECK_EQ(caller.waited_ns, LIDO_MILLISECONDS(1));
    CHECK_OK(lido_object_pool_acquire(pool, 0, &leases[1]));
    CHECK_HAS(last_decision(pool).reason, "may not wait");
    struct caller late = {.pool = pool, .timeout_ns = LIDO_MILLISECONDS(50)};
    check_in_thread(call_once, &late);
    CHECK_EQ(late.status, LIDO_ERR_TIMEOUT);
    CHECK_EQ(late.waited_ns, LIDO_MILLISECONDS(50));
    CHECK_OK(lido_object_pool_release(pool, &caller.lease));
    give_back(pool, leases, 2);
    end_pool(pool, &factory);
}

static void waits_do_not_count_when_told_so(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = NULL;
    CHECK_OK(lido_object_pool_create(WITH(.object_min = 1, .context = &factory,
                                          .destroy = destroy_object,
                                          .contention_threshold_ns = LIDO_FOREVER),
                                     &pool));
    struct caller caller = {.pool = pool, .timeout_ns = LIDO_SECONDS(1)};
    lido_lease lease;
    take(pool, &lease, 1);
    check_in_thread(call_once, &caller);
    CHECK_EQ(caller.status, LIDO_ERR_TIMEOUT);
    CHECK_EQ(caller.waited_ns, LIDO_SECONDS(1));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    end_pool(pool, &factory);
}

/* Eight threads find two objects out: six more are built, all at once, and nobody waits for that. */
static void all_who_wait_build_side_by_side(void **state) {
    (void)state;
    struct factory factory = factory_start();
    struct check_gate gate = {0};
    struct check_thread threads[6];
    struct caller callers[6];
    lido_object_pool *pool = sized_pool(&factory, 2, 32);
    lido_lease leases[2];
    take(pool, leases, 2);
    factory.create.gate = &gate;
    for (int i = 0; i < 6; i++) {
        callers[i] = (struct caller){.pool = pool, .timeout_ns = LIDO_FOREVER};
        check_start(&threads[i], call_once, &callers[i]);
    }
    check_await_sleepers(6);
    check_advance(LIDO_MILLISECONDS(3));
    check_gate_await(&gate, 6);
    CHECK(object_stats(pool).size == 8 && object_stats(pool).waiting == 0);
    give_back(pool, leases, 1);
    take(pool, leases, 1); /* the pool works on meanwhile */
    check_gate_open(&gate);
    for (int i = 0; i < 6; i++) {
        check_join(&threads[i]);
        CHECK_OK(callers[i].status);
        CHECK_OK(lido_object_pool_release(pool, &callers[i].lease));
    }
    CHECK_EQ(object_stats(pool).resized, 6);
    give_back(pool, leases, 2);
    end_pool(pool, &factory);
}

/* ---- Growth and shrink by peaks ------------------------------------------------------------------ */

static void tend_builds_ahead_what_the_peak_needs(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 2, 32);
    lido_lease leases[12];
    CHECK_EQ(lido_object_pool_tend(pool), 2);
    take(pool, leases, 12);
    CHECK_EQ(lido_object_pool_tend(pool), 0);
    CHECK_EQ(object_stats(pool).size, 12);
    check_advance(LIDO_SECONDS(10));
    CHECK_EQ(lido_object_pool_tend(pool), 4); /* 12 are 75 % of 16 */
    lido_object_pool_decision d = last_decision(pool);
    CHECK(d.from == 12 && d.to == 16 && d.peak == 12);
    CHECK_HAS(d.reason, "needs more objects");
    CHECK(object_stats(pool).existing == 16 && object_stats(pool).idle == 4);
    give_back(pool, leases, 12);
    end_pool(pool, &factory);
}

static void a_pool_shrinks_by_a_quarter_of_its_surplus_when_the_peak_has_passed(void **state) {
    (void)state;
    static const uint64_t sizes[] = {25, 20, 16, 13, 11, 10, 9, 8, 7, 6, 5, 4, 4};
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 4, 32);
    lido_lease leases[32];
    take(pool, leases, 32);
    give_back(pool, leases, 32);
    for (int second = 1; second < 60; second++) {
        check_advance(LIDO_SECONDS(1));
        CHECK_EQ(lido_object_pool_tend(pool), 0); /* the peak is in the window yet */
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        check_advance(LIDO_SECONDS(10));
        uint64_t before = object_stats(pool).existing;
        CHECK_EQ(lido_object_pool_tend(pool), before - sizes[i]);
        CHECK(object_stats(pool).size == sizes[i] && object_stats(pool).existing == sizes[i]);
        CHECK_EQ(lido_object_pool_tend(pool), 0); /* not before the next interval */
    }
    CHECK_HAS(last_decision(pool).reason, "needs fewer objects");
    end_pool(pool, &factory);
}

/* Nobody calls for a while: what is still in the window counts, and what is not does not. */
static void a_peak_counts_for_the_whole_window_though_nobody_calls(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 2, 32);
    lido_lease leases[24];
    take(pool, leases, 24);
    give_back(pool, leases, 24);
    check_advance(LIDO_SECONDS(59));
    CHECK_EQ(lido_object_pool_tend(pool), 8); /* 24 are 75 % of 32 */
    check_advance(LIDO_SECONDS(11));
    CHECK_EQ(lido_object_pool_tend(pool), 7);
    CHECK_EQ(last_decision(pool).peak, 0);
    end_pool(pool, &factory);
}

/* Ten per cent are no reason to build or to destroy. */
static void small_differences_are_let_be(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = NULL;
    lido_lease leases[20];
    CHECK_OK(lido_object_pool_create(WITH(.target_utilisation = 100, .context = &factory,
                                          .validate = validate_object, .destroy = destroy_object),
                                     &pool));
    take(pool, leases, 20);
    give_back(pool, leases + 18, 2);
    check_advance(LIDO_SECONDS(61)); /* the peak of 20 has left the window */
    CHECK_EQ(lido_object_pool_tend(pool), 0);
    CHECK_EQ(object_stats(pool).size, 20); /* 18 are 10 % less */
    give_back(pool, leases + 17, 1);
    check_advance(LIDO_SECONDS(61));
    CHECK_EQ(lido_object_pool_tend(pool), 1);
    CHECK_EQ(object_stats(pool).size, 19);
    give_back(pool, leases, 17);
    end_pool(pool, &factory);
}

/* Without a ticker, slow calls alone keep the size right. */
static void slow_calls_shrink_and_grow_the_pool(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 2, 32);
    lido_lease leases[32];
    take(pool, leases, 32);
    give_back(pool, leases, 32);
    check_advance(LIDO_SECONDS(61));
    for (int i = 0; i < 30; i++) {
        check_advance(LIDO_SECONDS(10));
        take(pool, leases, 3);
        give_back(pool, leases, 3);
    }
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.size == 4 && s.existing == 4); /* 3 are 75 % of 4 */
    CHECK_EQ(factory.destroys, 28);
    take(pool, leases, 9);
    give_back(pool, leases, 9);
    check_advance(LIDO_SECONDS(10));
    take(pool, leases, 1);
    CHECK_EQ(object_stats(pool).size, 12);
    CHECK_EQ(object_stats(pool).existing, 9); /* building ahead is for tend */
    give_back(pool, leases, 1);
    end_pool(pool, &factory);
}

/* ---- Telling -------------------------------------------------------------------------------------- */

struct told {
    int count;
    int64_t from, to, peak;
    const char *reason;
};

static void note_record(const lido_log_record *record, void *context) {
    struct told *told = context;
    if (strcmp(record->event, "object_pool.resized") != 0)
        return;
    CHECK(record->level == LIDO_LOG_INFO && strcmp(record->fields[0].text, "parsers") == 0);
    CHECK(told->count == 0 || record->fields[1].number == told->to);
    told->count++;
    told->from = record->fields[1].number;
    told->to = record->fields[2].number;
    told->peak = record->fields[3].number;
    told->reason = record->fields[4].text;
}

static void the_last_sixteen_changes_are_kept_and_all_are_logged(void **state) {
    (void)state;
    struct told told = {0};
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 2, 32);
    lido_object_pool_decision d = LIDO_OBJECT_POOL_DECISION, unset = {0};
    lido_lease leases[32];
    lido_log_set(LIDO_LOG_INFO, note_record, &told);
    take(pool, leases, 32);
    lido_log_set(LIDO_LOG_INFO, NULL, NULL);
    CHECK(told.count == 30 && told.from == 31 && told.to == 32 && told.peak == 31);
    CHECK_HAS(told.reason, "may not wait");
    for (uint64_t number = 15; number <= 30; number++) {
        CHECK(lido_object_pool_next_decision(pool, d.number, &d));
        CHECK(d.number == number && d.from == number + 1 && d.to == number + 2);
    }
    CHECK(!lido_object_pool_next_decision(pool, d.number, &d));
    CHECK(!lido_object_pool_next_decision(pool, 0, &unset));
    CHECK_EQ(lido_last_status(), LIDO_ERR_ARGUMENT);
    give_back(pool, leases, 32);
    end_pool(pool, &factory);
}

/* ---- Steering --------------------------------------------------------------------------------------- */

static uint64_t pool_id(void) {
    lido_resource resource = LIDO_RESOURCE;
    CHECK(lido_registry_next(0, &resource));
    return resource.id;
}

static void sizing_is_turned_on_and_off_in_a_running_pool(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 20);
    lido_lease leases[8];
    take(pool, leases, 8);
    lido_setting on[] = {{"sizing", 1, 0}, {"object_min", 5, 0}, {"target_utilisation", 50, 0}};
    CHECK_OK(lido_panel_apply(pool_id(), on, 3));
    CHECK(on[0].old_value == 0 && on[1].old_value == 2 && on[2].old_value == 75);
    CHECK(object_stats(pool).size == 8 && object_stats(pool).existing == 8);
    CHECK_HAS(last_decision(pool).reason, "settings");
    check_advance(LIDO_SECONDS(10));
    CHECK_EQ(lido_object_pool_tend(pool), 8); /* 8 are 50 % of 16 */
    lido_setting more[] = {{"object_limit", 30, 0}, {"object_min", 25, 0}};
    CHECK_OK(lido_panel_apply(pool_id(), more, 2));
    CHECK_EQ(object_stats(pool).size, 25);
    lido_setting wrong[] = {{"object_limit", 10, 0}, {"object_min", 11, 0}};
    CHECK_FAILS(lido_panel_apply(pool_id(), wrong, 2), LIDO_ERR_ARGUMENT,
                "object_min is 11, must not be above");
    CHECK(object_stats(pool).object_limit == 30 && object_stats(pool).size == 25);
    CHECK_OK(lido_object_pool_set_object_limit(pool, 10));
    CHECK(object_stats(pool).size == 10 && object_stats(pool).existing == 10);
    lido_setting off[] = {{"sizing", 0, 0}};
    CHECK_OK(lido_object_pool_set_object_limit(pool, 30));
    CHECK_OK(lido_panel_apply(pool_id(), off, 1));
    CHECK(object_stats(pool).size == 30 && lido_object_pool_tend(pool) == 0);
    give_back(pool, leases, 8);
    end_pool(pool, &factory);
}

/* A narrower window forgets no peak at once, but from now on. */
static void another_window_keeps_the_peak(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 2, 32);
    lido_setting narrow = {"sizing_window_ns", LIDO_SECONDS(6), 0};
    lido_lease leases[24];
    take(pool, leases, 24);
    give_back(pool, leases, 24);
    CHECK_OK(lido_panel_apply(pool_id(), &narrow, 1));
    CHECK_EQ(narrow.old_value, LIDO_SECONDS(60));
    check_advance(LIDO_SECONDS(5));
    (void)lido_object_pool_tend(pool);
    check_advance(LIDO_SECONDS(5));
    (void)lido_object_pool_tend(pool);
    CHECK_EQ(last_decision(pool).peak, 0);
    CHECK_EQ(object_stats(pool).size, 24 - (24 - 2) / 4);
    end_pool(pool, &factory);
}

static void prepare_raises_the_size(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 2, 8);
    CHECK_OK(lido_object_pool_prepare(pool, 6));
    CHECK(object_stats(pool).size == 6 && object_stats(pool).existing == 6);
    CHECK_HAS(last_decision(pool).reason, "prepare");
    CHECK_FAILS(lido_object_pool_prepare(pool, 9), LIDO_ERR_ARGUMENT, "object_limit 8");
    end_pool(pool, &factory);
}

struct acquirer {
    lido_object_pool *pool;
    lido_lease lease;
};

static void acquire_in_thread(void *context) {
    struct acquirer *acquirer = context;
    CHECK_OK(lido_object_pool_acquire(acquirer->pool, LIDO_FOREVER, &acquirer->lease));
    CHECK_OK(lido_object_pool_release(acquirer->pool, &acquirer->lease));
}

static void prepare_four(void *context) {
    CHECK_OK(lido_object_pool_prepare(context, 4));
}

/* The place that prepare adds is there for who waits at once, not when prepare has built something. */
static void who_waits_builds_beside_prepare(void **state) {
    (void)state;
    struct factory factory = factory_start();
    struct check_gate gate = {0};
    struct check_thread waiter, builder;
    lido_lease leases[2];
    lido_object_pool *pool = sized_pool(&factory, 2, 8);
    struct acquirer acquirer = {.pool = pool};
    take(pool, leases, 2);
    check_start(&waiter, acquire_in_thread, &acquirer);
    check_await_sleepers(1);
    factory.create.gate = &gate;
    check_start(&builder, prepare_four, pool);
    while (factory.creates < 4) /* both are in it */
        sched_yield();
    check_gate_open(&gate);
    check_join(&waiter);
    check_join(&builder);
    factory.create.gate = NULL;
    give_back(pool, leases, 2);
    CHECK_EQ(object_stats(pool).existing, 4);
    end_pool(pool, &factory);
}

/* ---- What goes wrong ---------------------------------------------------------------------------------- */

static void tend_survives_a_create_that_fails(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 4, 8);
    factory.create = (struct trouble){.count = 1, .code = 5};
    CHECK_EQ(lido_object_pool_tend(pool), 0);
    CHECK_EQ(object_stats(pool).create_failed, 1);
    CHECK_EQ(lido_object_pool_tend(pool), 4);
    CHECK_FAILS(lido_object_pool_close(pool, 0) == LIDO_OK ? lido_object_pool_prepare(pool, 5)
                                                           : LIDO_OK,
                LIDO_ERR_CLOSED, "closed");
    CHECK_EQ(lido_object_pool_tend(pool), 0);
    end_pool(pool, &factory);
}

static void use_a_sized_pool(void *context) {
    struct factory *factory = context;
    lido_object_pool *pool = NULL;
    lido_lease leases[20] = {{0}};
    lido_setting off = {"sizing", 0, 0}, on = {"sizing", 1, 0};
    lido_status status = lido_object_pool_create(
        WITH(.context = factory, .validate = validate_object, .destroy = destroy_object), &pool);
    CHECK(status == LIDO_OK || status == LIDO_ERR_NO_MEMORY || status == LIDO_ERR_SYSTEM);
    if (!pool)
        return;
    for (int i = 0; i < 20; i++) {
        status = lido_object_pool_try_acquire(pool, &leases[i]);
        CHECK(status == LIDO_OK || status == LIDO_ERR_NO_MEMORY);
    }
    check_advance(LIDO_SECONDS(10));
    (void)lido_object_pool_tend(pool);
    CHECK_OK(lido_panel_apply(pool_id(), &off, 1));
    status = lido_panel_apply(pool_id(), &on, 1);
    CHECK(status == LIDO_OK || status == LIDO_ERR_NO_MEMORY);
    give_back(pool, leases, 20);
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
}

static void sizing_survives_every_failure(void **state) {
    (void)state;
    struct factory factory = factory_start();
    check_sweep(use_a_sized_pool, &factory);
    factory_end(&factory);
}

static void use_in_child(void *context) {
    lido_object_pool *pool = context;
    lido_lease leases[8];
    take(pool, leases, 8);
    check_advance(LIDO_SECONDS(10));
    (void)lido_object_pool_tend(pool);
    CHECK_EQ(object_stats(pool).size, 11);
    give_back(pool, leases, 8);
    CHECK_OK(lido_object_pool_destroy(pool));
}

static void a_child_of_fork_goes_on_sizing(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 2, 32);
    CHECK_EQ(check_child(use_in_child, pool), 0);
    CHECK_EQ(object_stats(pool).size, 2);
    end_pool(pool, &factory);
}

/* ---- Random demand against a slow model ------------------------------------------------------------------ */

enum { SAMPLES_MAX = 100000, INTERVAL_S = 10, WINDOW_S = 60 };

/* All that was ever seen, and sums over all of it: nothing is forgotten, so nothing can be lost. */
struct model {
    uint64_t min, max, size, live, existing, decide_ns, changes, from, peak;
    int sample_count;
    struct {
        uint64_t second, demand;
    } sample[SAMPLES_MAX];
};

static void model_sample(struct model *m) {
    if (m->sample_count == SAMPLES_MAX)
        abort();
    m->sample[m->sample_count].second = lido__sys.coarse_ns() / LIDO_SECONDS(1);
    m->sample[m->sample_count++].demand = m->live;
}

static uint64_t model_peak(const struct model *m) {
    uint64_t peak = 0, second = lido__sys.coarse_ns() / LIDO_SECONDS(1);
    for (int i = 0; i < m->sample_count; i++)
        if (m->sample[i].second + WINDOW_S > second && m->sample[i].demand > peak)
            peak = m->sample[i].demand;
    return peak;
}

static void model_change(struct model *m, uint64_t to) {
    m->from = m->size;
    m->size = to;
    m->peak = model_peak(m);
    m->changes++;
}

static void model_decide(struct model *m) {
    model_sample(m);
    if (lido__sys.coarse_ns() >= m->decide_ns) {
        double wanted = (double)model_peak(m) / 0.75;
        uint64_t target = (uint64_t)wanted + (wanted > (double)(uint64_t)wanted);
        target = target < m->min ? m->min : target > m->max ? m->max : target;
        m->decide_ns = lido__sys.coarse_ns() + LIDO_SECONDS(INTERVAL_S);
        if (10 * target > 11 * m->size)
            model_change(m, target);
        else if (10 * target < 9 * m->size) {
            uint64_t surplus = m->size - target;
            model_change(m, m->size - (surplus < 8 ? 1 : surplus / 4));
        }
    }
    if (m->existing > m->size)
        m->existing = m->size;
}

static bool model_acquire(struct model *m) {
    model_decide(m);
    if (m->live == m->existing) {
        if (m->existing == m->size && m->size == m->max)
            return false;
        if (m->existing == m->size)
            model_change(m, m->size + 1);
        m->existing++;
    }
    m->live++;
    model_sample(m);
    return true;
}

static void check_model(const lido_object_pool *pool, const struct model *m) {
    lido_object_pool_stats s = object_stats(pool);
    lido_object_pool_decision d = last_decision(pool);
    CHECK_EQ(s.live, m->live);
    CHECK_EQ(s.size, m->size);
    CHECK_EQ(s.existing, m->existing);
    CHECK_EQ(d.number, m->changes);
    if (m->changes) {
        CHECK_EQ(d.from, m->from);
        CHECK_EQ(d.to, m->size);
        CHECK_EQ(d.peak, m->peak);
    }
}

static void random_demand_agrees_with_the_model(void **state) {
    (void)state;
    static struct model m;
    struct check_random random = check_random_start(1);
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 3, MAX);
    lido_lease leases[MAX], refused;
    m = (struct model){.min = 3, .max = MAX, .size = 3};
    m.decide_ns = lido__sys.coarse_ns() + LIDO_SECONDS(INTERVAL_S);
    uint64_t level = 5;
    for (int step = 0; step < 6000; step++) {
        uint64_t what = check_random_below(&random, 10);
        if (step % 200 == 0)
            level = check_random_below(&random, MAX + 3);
        if (what < 2)
            check_advance(check_random_below(&random, LIDO_SECONDS(8)));
        else if (what == 2) {
            model_decide(&m);
            if (m.existing < m.size)
                m.existing = m.size;
            (void)lido_object_pool_tend(pool);
        } else if (m.live < level) {
            lido_lease *lease = m.live < MAX ? &leases[m.live] : &refused;
            bool expected = model_acquire(&m);
            CHECK_EQ(lido_object_pool_try_acquire(pool, lease) == LIDO_OK, expected);
        } else if (m.live > 0)
            CHECK_OK(lido_object_pool_release(pool, &leases[--m.live]));
        check_model(pool, &m);
    }
    CHECK(m.changes > 50);
    print_message("    %llu changes of size, %d objects built\n", (unsigned long long)m.changes,
                  (int)factory.made);
    give_back(pool, leases, (int)m.live);
    end_pool(pool, &factory);
}

/* ---- Many threads ------------------------------------------------------------------------------------------ */

struct worker {
    lido_object_pool *pool;
    uint64_t number;
};

static void work(void *context) {
    struct worker *worker = context;
    struct check_random random = check_random_start(worker->number);
    lido_lease leases[3];
    for (int i = 0; i < 300; i++) {
        uint64_t count = 1 + check_random_below(&random, 3);
        int held = 0;
        while (held < (int)count && lido_object_pool_acquire(worker->pool, LIDO_MILLISECONDS(20),
                                                             &leases[held]) == LIDO_OK)
            held++;
        give_back(worker->pool, leases, held);
        if (worker->number == 0) {
            check_advance(LIDO_SECONDS(1));
            (void)lido_object_pool_tend(worker->pool);
            lido_object_pool_stats s = object_stats(worker->pool);
            CHECK(s.size >= 2 && s.size <= 12 && s.existing <= 12);
        }
    }
}

static void many_threads_and_a_ticker_keep_the_bounds(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = sized_pool(&factory, 2, 12);
    struct worker workers[5];
    for (uint64_t i = 0; i < 5; i++)
        workers[i] = (struct worker){pool, i};
    check_in_threads(5, work, workers, sizeof workers[0]);
    CHECK(object_stats(pool).existing <= 12);
    end_pool(pool, &factory);
}

CHECK_MAIN(TEST(zero_means_two_to_thirty_two_objects),
           TEST(a_pool_without_sizing_is_as_large_as_its_limit),
           TEST(options_out_of_bounds_are_refused),
           TEST(who_waits_three_milliseconds_builds_one_more),
           TEST(what_comes_back_sooner_is_not_built), TEST(nobody_is_refused_below_the_limit),
           TEST(waits_do_not_count_when_told_so), TEST(all_who_wait_build_side_by_side),
           TEST(tend_builds_ahead_what_the_peak_needs),
           TEST(a_pool_shrinks_by_a_quarter_of_its_surplus_when_the_peak_has_passed),
           TEST(a_peak_counts_for_the_whole_window_though_nobody_calls),
           TEST(small_differences_are_let_be), TEST(slow_calls_shrink_and_grow_the_pool),
           TEST(the_last_sixteen_changes_are_kept_and_all_are_logged),
           TEST(sizing_is_turned_on_and_off_in_a_running_pool), TEST(another_window_keeps_the_peak),
           TEST(prepare_raises_the_size), TEST(who_waits_builds_beside_prepare),
           TEST(tend_survives_a_create_that_fails), TEST(sizing_survives_every_failure),
           TEST(a_child_of_fork_goes_on_sizing), TEST(random_demand_agrees_with_the_model),
           TEST(many_threads_and_a_ticker_keep_the_bounds))
