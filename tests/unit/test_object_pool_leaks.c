/* SPDX-License-Identifier: MIT
 * lido/object_leases.h: suspects and how their limits learn, and holders by line. Time is simulated. */
#include "object_factory.h"

#include <lido/object_leases.h>

/* What the log said, by event. */
struct told {
    int suspected, came_back;
    int64_t thread, held_ms;
    char site[64];
};

static void listen(const lido_log_record *record, void *context) {
    struct told *told = context;
    bool is_suspected = strcmp(record->event, "object_pool.leak_suspected") == 0;
    if (!is_suspected && strcmp(record->event, "object_pool.leak_came_back") != 0)
        return;
    told->suspected += is_suspected;
    told->came_back += !is_suspected;
    CHECK(strcmp(record->fields[0].text, "parsers") == 0);
    snprintf(told->site, sizeof told->site, "%s", record->fields[1].text);
    told->thread = record->fields[3].number;
    told->held_ms = record->fields[4].number;
}

static uint64_t count_leaks(lido_object_pool *pool, lido_object_pool_leak *last) {
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    uint64_t count = 0;
    for (uint64_t i = 0; lido_object_pool_next_leak(pool, i, &leak); i = leak.slot + 1) {
        *last = leak;
        count++;
    }
    return count;
}

static void end(lido_object_pool *pool, struct factory *factory) {
    lido_log_set(LIDO_LOG_ERROR, NULL, NULL);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(factory);
}

static void the_first_object_leaked_names_its_line(void **state) {
    (void)state;
    struct told told = {0};
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    lido_lease leaked, lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 4);
    lido_log_set(LIDO_LOG_INFO, listen, &told);
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &leaked, "leak.c:7"));
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(lido_object_pool_acquire_at(pool, 0, &lease, "clean.c:1"));
        CHECK_OK(lido_object_pool_release(pool, &lease));
        if (i % 100 == 0)
            CHECK_EQ(count_leaks(pool, &leak), 0);
    }
    check_advance(LIDO_SECONDS(31));
    CHECK_EQ(count_leaks(pool, &leak), 1);
    CHECK(leak.object == leaked.object && leak.slot == leaked.slot);
    CHECK(strcmp(leak.site, "leak.c:7") == 0 && leak.reason == LIDO_LEAK_TOO_LONG);
    CHECK_EQ(leak.thread_id, lido__sys_real.thread_id());
    CHECK(leak.held_ns >= LIDO_SECONDS(31) && leak.held_ns < LIDO_SECONDS(32));
    CHECK_EQ(leak.limit_ns, LIDO_SECONDS(30));
    CHECK(told.suspected == 1 && strcmp(told.site, "leak.c:7") == 0);
    CHECK(told.thread == (int64_t)leak.thread_id && told.held_ms >= 31000);
    check_advance(LIDO_SECONDS(100));
    CHECK_EQ(count_leaks(pool, &leak), 1); /* still there, and told once */
    CHECK(told.suspected == 1 && told.came_back == 0);
    CHECK_OK(lido_object_pool_release(pool, &leaked));
    end(pool, &factory);
}

static void who_comes_back_is_told_and_widens_the_limit_of_its_line(void **state) {
    (void)state;
    struct told told = {0};
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    lido_lease lease, other;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 4);
    lido_log_set(LIDO_LOG_INFO, listen, &told);
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &lease, "report.c:1"));
    check_advance(LIDO_SECONDS(40));
    CHECK_EQ(count_leaks(pool, &leak), 1);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_EQ(count_leaks(pool, &leak), 0);
    CHECK(told.came_back == 1 && told.held_ms >= 40000 && strcmp(told.site, "report.c:1") == 0);
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &lease, "report.c:1"));
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &other, "other.c:1"));
    check_advance(LIDO_SECONDS(150));
    CHECK_EQ(count_leaks(pool, &leak), 1); /* the other line has its own limit */
    CHECK(strcmp(leak.site, "other.c:1") == 0);
    check_advance(LIDO_SECONDS(20));
    CHECK_EQ(count_leaks(pool, &leak), 2);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_release(pool, &other));
    CHECK_EQ(count_leaks(pool, &leak), 0);
    CHECK(told.suspected == 3 && told.came_back == 3);
    end(pool, &factory);
}

static void a_line_that_was_seen_to_hold_long_gets_time(void **state) {
    (void)state;
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 2);
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &lease, "long.c:1"));
    CHECK_EQ(count_leaks(pool, &leak), 0);
    check_advance(LIDO_SECONDS(20));
    CHECK_EQ(count_leaks(pool, &leak), 0);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &lease, "long.c:1"));
    CHECK_EQ(count_leaks(pool, &leak), 0);
    check_advance(LIDO_SECONDS(79));
    CHECK_EQ(count_leaks(pool, &leak), 0);
    check_advance(LIDO_SECONDS(2));
    CHECK_EQ(count_leaks(pool, &leak), 1);
    CHECK(leak.limit_ns >= LIDO_SECONDS(80) && leak.limit_ns < LIDO_SECONDS(81));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    end(pool, &factory);
}

struct taker {
    lido_object_pool *pool;
    lido_lease lease;
};

static void take_and_end(void *context) {
    struct taker *taker = context;
    CHECK_OK(lido_object_pool_acquire_at(taker->pool, 0, &taker->lease, "ended.c:1"));
}

static void what_an_ended_thread_holds_is_suspected_at_once(void **state) {
    (void)state;
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    struct factory factory = factory_start();
    struct taker taker = {.pool = pool_of(&factory, 2)}, travels = {.pool = NULL};
    lido_object_pool *handed_on = handed_on_pool_of(&factory, 2);
    travels.pool = handed_on;
    check_in_thread(take_and_end, &taker);
    check_in_thread(take_and_end, &travels);
    CHECK_EQ(count_leaks(taker.pool, &leak), 1);
    CHECK(leak.reason == LIDO_LEAK_THREAD_ENDED && strcmp(leak.site, "ended.c:1") == 0);
    CHECK_EQ(count_leaks(handed_on, &leak), 0);
    check_advance(LIDO_SECONDS(31));
    CHECK_EQ(count_leaks(handed_on, &leak), 1);
    CHECK_EQ(leak.reason, LIDO_LEAK_TOO_LONG);
    CHECK_OK(lido_object_pool_release(handed_on, &travels.lease));
    CHECK_OK(lido_object_pool_release(taker.pool, &taker.lease));
    CHECK_OK(lido_object_pool_destroy(handed_on));
    end(taker.pool, &factory);
}

enum { MANY = 300 };

static void more_suspects_than_the_book_holds_come_in_turn(void **state) {
    (void)state;
    static lido_lease leases[MANY];
    struct told told = {0};
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, MANY);
    lido_log_set(LIDO_LOG_INFO, listen, &told);
    for (int i = 0; i < MANY; i++)
        CHECK_OK(lido_object_pool_acquire_at(pool, 0, &leases[i], i % 2 ? "a.c:1" : NULL));
    check_advance(LIDO_SECONDS(31));
    for (int i = 0; i < 10; i++)
        CHECK(count_leaks(pool, &leak) <= 128);
    CHECK_EQ(count_leaks(pool, &leak), 128);
    CHECK_EQ(told.suspected, 128);
    for (int i = 0; i < MANY; i++)
        CHECK_OK(lido_object_pool_release(pool, &leases[i]));
    for (int i = 0; i < 10; i++)
        CHECK_EQ(count_leaks(pool, &leak), 0);
    CHECK_EQ(told.came_back, 128);
    CHECK_EQ(object_stats(pool).overhead_bytes > sizeof leases, true);
    end(pool, &factory);
}

static void the_floor_is_an_option(void **state) {
    (void)state;
    lido_object_pool *pool = NULL;
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    lido_lease lease;
    struct factory factory = factory_start();
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.object_limit = 1, .create = create_object, .context = &factory,
                                 .destroy = destroy_object, .leak_floor_ns = LIDO_SECONDS(2)),
        &pool));
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    check_advance(LIDO_SECONDS(1));
    CHECK_EQ(count_leaks(pool, &leak), 0);
    check_advance(LIDO_SECONDS(2));
    CHECK_EQ(count_leaks(pool, &leak), 1);
    CHECK_EQ(leak.limit_ns, LIDO_SECONDS(2));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    end(pool, &factory);
}

static void holders_are_listed_by_line(void **state) {
    (void)state;
    lido_object_pool_line line = LIDO_OBJECT_POOL_LINE;
    lido_lease leases[6];
    uint64_t counted = 0, lines = 0;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 6);
    static const char *const sites[] = {"a.c:1", "b.c:2", NULL};
    CHECK(!lido_object_pool_next_line(pool, 0, &line));
    for (int i = 0; i < 6; i++) {
        CHECK_OK(lido_object_pool_acquire_at(pool, 0, &leases[i],
                                             i < 3 ? sites[0] : sites[i < 5 ? 1 : 2]));
        check_advance(LIDO_SECONDS(1));
    }
    for (uint64_t key = 0; lido_object_pool_next_line(pool, key, &line); key = line.key) {
        const char *site = line.site ? line.site : "";
        int first = strcmp(site, "a.c:1") == 0 ? 0 : *site ? 3 : 5;
        CHECK_EQ(line.count, first == 0 ? 3 : first == 3 ? 2 : 1);
        CHECK_EQ(line.oldest_slot, leases[first].slot);
        CHECK_EQ(line.oldest_ns / LIDO_SECONDS(1), 6 - first);
        CHECK_EQ(line.thread_id, lido__sys_real.thread_id());
        counted += line.count;
        lines++;
    }
    CHECK(counted == 6 && lines == 3);
    for (int i = 0; i < 6; i++)
        CHECK_OK(lido_object_pool_release(pool, &leases[i]));
    end(pool, &factory);
}

/* ---- Without memory, in a child, among threads ------------------------------------------------ */

static void look_without_memory(void *context) {
    lido_object_pool *pool = context;
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    struct factory factory = factory_start();
    lido_object_pool *own = NULL;
    lido_lease lease;
    (void)pool;
    if (lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.object_limit = 1, .create = create_object,
                                                         .destroy = destroy_object,
                                                         .context = &factory),
                                &own) == LIDO_OK) {
        lido_status status = lido_object_pool_acquire(own, 0, &lease);
        check_advance(LIDO_SECONDS(31));
        CHECK(count_leaks(own, &leak) <= (status == LIDO_OK));
        CHECK_OK(lido_object_pool_release(own, &lease));
        CHECK_OK(lido_object_pool_destroy(own));
    }
    factory_end(&factory);
}

static void looks_survive_every_failure(void **state) {
    (void)state;
    check_sweep(look_without_memory, NULL);
}

static void look_in_child(void *context) {
    struct taker *taker = context;
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    CHECK_EQ(count_leaks(taker->pool, &leak), 1);
    CHECK_EQ(leak.slot, taker->lease.slot);
    CHECK_OK(lido_object_pool_release(taker->pool, &taker->lease));
    CHECK_EQ(count_leaks(taker->pool, &leak), 0);
}

static void a_forked_child_knows_its_suspects(void **state) {
    (void)state;
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    struct factory factory = factory_start();
    struct taker taker = {.pool = pool_of(&factory, 1)};
    take_and_end(&taker);
    check_advance(LIDO_SECONDS(31));
    CHECK_EQ(count_leaks(taker.pool, &leak), 1);
    CHECK_EQ(check_child(look_in_child, &taker), 0);
    CHECK_OK(lido_object_pool_release(taker.pool, &taker.lease));
    end(taker.pool, &factory);
}

static void use_and_look(void *context) {
    lido_object_pool *pool = context;
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    lido_object_pool_line line = LIDO_OBJECT_POOL_LINE;
    for (int i = 0; i < 1000; i++) {
        lido_lease lease;
        CHECK_OK(lido_object_pool_acquire(pool, LIDO_FOREVER, &lease));
        CHECK_OK(lido_object_pool_release(pool, &lease));
        if (i % 20 == 0) {
            CHECK_EQ(count_leaks(pool, &leak), 0);
            (void)lido_object_pool_next_line(pool, 0, &line);
        }
    }
}

static void clean_threads_are_never_suspected(void **state) {
    (void)state;
    struct check_thread threads[4];
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 3);
    for (int i = 0; i < 4; i++)
        check_start(&threads[i], use_and_look, pool);
    for (int i = 0; i < 4; i++)
        check_join(&threads[i]);
    end(pool, &factory);
}

/* Ages are counted in milliseconds of 32 bits: nearly 50 days. */
static void what_was_leaked_a_month_ago_is_a_month_old(void **state) {
    (void)state;
    const uint64_t month_ns = LIDO_SECONDS(86400) * 30;
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    check_advance(month_ns);
    CHECK(lido_object_pool_next_holder(pool, 0, &holder));
    CHECK(holder.held_ns + LIDO_SECONDS(1) > month_ns);
    CHECK_EQ(count_leaks(pool, &leak), 1);
    CHECK_EQ(leak.held_ns, holder.held_ns);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    end(pool, &factory);
}

CHECK_MAIN(TEST(the_first_object_leaked_names_its_line),
           TEST(who_comes_back_is_told_and_widens_the_limit_of_its_line),
           TEST(a_line_that_was_seen_to_hold_long_gets_time),
           TEST(what_an_ended_thread_holds_is_suspected_at_once),
           TEST(more_suspects_than_the_book_holds_come_in_turn), TEST(the_floor_is_an_option),
           TEST(holders_are_listed_by_line), TEST(what_was_leaked_a_month_ago_is_a_month_old),
           TEST(looks_survive_every_failure), TEST(a_forked_child_knows_its_suspects),
           TEST(clean_threads_are_never_suspected))
