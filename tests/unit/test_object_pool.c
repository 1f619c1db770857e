/* SPDX-License-Identifier: MIT
 * lido/object_pool.h, promise by promise in its order, as one thread sees it. Waiting, threads,
 * callbacks that hang and fork: test_object_pool_wait.c. */
#include "object_factory.h"

/* ---- Making a pool ---------------------------------------------------------------------- */

static int create_nothing(void *context, void **object) {
    (void)context;
    (void)object;
    return 0;
}

static const struct {
    lido_object_pool_options options;
    lido_status status;
    const char *part;
} refusals[] = {
    {{.create = create_nothing}, LIDO_ERR_ARGUMENT, "object_limit is 0"},
    {{.create = create_nothing, .object_limit = 1048577},
     LIDO_ERR_ARGUMENT,
     "object_limit is 1048577"},
    {{.create = create_nothing, .object_limit = UINT64_MAX}, LIDO_ERR_ARGUMENT, "object_limit"},
    {{.object_limit = 1}, LIDO_ERR_ARGUMENT, "create"},
    {{.create = create_nothing,
      .object_limit = 1,
      .name = "0123456789012345678901234567890123456789012345678901234567890123"},
     LIDO_ERR_ARGUMENT,
     "name is"},
    {{.create = create_nothing, .object_limit = 1, .owner = "a\tb"}, LIDO_ERR_ARGUMENT, "owner is"},
};

static void a_wrong_option_is_refused_by_name_and_value(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        lido_object_pool *pool = (lido_object_pool *)(uintptr_t)8;
        lido_object_pool_options options = refusals[i].options;
        options.struct_size = sizeof options;
        CHECK_FAILS(lido_object_pool_create(&options, &pool), refusals[i].status, refusals[i].part);
        CHECK(pool == NULL);
    }
}

static void options_without_struct_size_or_without_options_are_refused(void **state) {
    (void)state;
    lido_object_pool *pool = (lido_object_pool *)(uintptr_t)8;
    lido_object_pool_options options = {.object_limit = 1, .create = create_nothing};
    CHECK_FAILS(lido_object_pool_create(&options, &pool), LIDO_ERR_ARGUMENT, "struct_size is 0");
    CHECK(pool == NULL);
    CHECK_FAILS(lido_object_pool_create(NULL, &pool), LIDO_ERR_ARGUMENT, "NULL");
}

static void options_of_newer_programs_are_understood(void **state) {
    (void)state;
    lido_object_pool *pool = NULL;
    struct {
        lido_object_pool_options known;
        uint64_t news;
    } newer = {.known = {.struct_size = sizeof newer, .object_limit = 1, .create = create_nothing}};
    CHECK_OK(lido_object_pool_create(&newer.known, &pool));
    CHECK_OK(lido_object_pool_destroy(pool));
    newer.news = 1;
    CHECK_FAILS(lido_object_pool_create(&newer.known, &pool), LIDO_ERR_UNSUPPORTED, "byte");
    CHECK(pool == NULL);
}

/* Callbacks at the end are optional, and an older program does not have them at all. */
static void options_of_older_programs_are_understood(void **state) {
    (void)state;
    lido_object_pool *pool = NULL;
    lido_object_pool_options old;
    struct factory factory = factory_start();
    memset(&old, 0xaa, sizeof old);
    old.struct_size = offsetof(lido_object_pool_options, validate);
    old.object_limit = 1;
    old.waiter_limit = 0;
    old.name = old.owner = NULL;
    old.create = create_nothing;
    CHECK_OK(lido_object_pool_create(&old, &pool));
    lido_lease lease;
    CHECK_FAILS(lido_object_pool_acquire(pool, 0, &lease), LIDO_ERR_CALLBACK, "unnamed");
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void a_pool_is_listed_and_starts_without_objects(void **state) {
    (void)state;
    lido_resource seen = LIDO_RESOURCE;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 3);
    CHECK(lido_registry_next(0, &seen));
    CHECK(strcmp(seen.kind, "object_pool") == 0 && strcmp(seen.name, "parsers") == 0);
    CHECK_HAS(seen.made_at, "object_factory.h:");
    CHECK_EQ(factory.creates, 0);
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.existing == 0 && s.object_limit == 3 && s.reuse == 1 && s.overhead_bytes > 0);
    CHECK_OK(lido_object_pool_destroy(pool));
    CHECK_EQ(lido_registry_count(), 0);
    factory_end(&factory);
}

static void prepare_builds_up_to_a_count(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 8);
    CHECK_OK(lido_object_pool_prepare(pool, 5));
    CHECK_EQ(factory.creates, 5);
    CHECK_OK(lido_object_pool_prepare(pool, 5));
    CHECK_OK(lido_object_pool_prepare(pool, 2));
    CHECK_EQ(factory.creates, 5);
    CHECK_FAILS(lido_object_pool_prepare(pool, 9), LIDO_ERR_ARGUMENT, "count is 9");
    CHECK_EQ(factory.creates, 5);
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.idle == 5 && s.existing == 5 && s.created == 5 && s.acquired == 0);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void prepare_that_fails_keeps_what_it_built(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 8);
    CHECK_OK(lido_object_pool_prepare(pool, 3));
    factory.create = (struct trouble){.count = 1, .code = 42};
    CHECK_FAILS(lido_object_pool_prepare(pool, 8), LIDO_ERR_CALLBACK, "42");
    CHECK_ERROR_HAS("\"parsers\"");
    CHECK_EQ(object_stats(pool).existing, 3);
    CHECK_EQ(object_stats(pool).create_failed, 1);
    CHECK_OK(lido_object_pool_prepare(pool, 8));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

/* ---- Acquire and release ------------------------------------------------------------------ */

static void an_object_is_built_once_and_handed_out_again(void **state) {
    (void)state;
    lido_lease lease;
    void *first = NULL;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 4);
    for (int i = 0; i < 100; i++) {
        CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
        CHECK(lease.object && (i == 0 || lease.object == first));
        first = lease.object;
        CHECK_OK(lido_object_pool_release(pool, &lease));
        CHECK(lease.object == NULL);
    }
    CHECK(factory.creates == 1 && factory.resets == 100 && factory.validates == 99);
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.acquired == 100 && s.released == 100 && s.created == 1 && s.live_peak == 1);
    CHECK(s.reuse > 0.9899 && s.reuse < 0.9901);
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void validate_and_reset_and_destroy_are_optional(void **state) {
    (void)state;
    lido_lease lease;
    lido_object_pool *pool = NULL;
    struct factory factory = factory_start();
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.object_limit = 1, .create = create_object, .context = &factory),
        &pool));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
        CHECK_OK(lido_object_pool_release(pool, &lease));
    }
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_OK(lido_object_pool_discard(pool, &lease));
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_destroy(pool));
    CHECK_EQ(factory.creates, 2);
    free(factory.objects);
}

static void no_more_objects_than_the_limit_are_out(void **state) {
    (void)state;
    lido_lease leases[3], extra = {.object = &extra};
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 3);
    for (int i = 0; i < 3; i++)
        CHECK_OK(lido_object_pool_try_acquire(pool, &leases[i]));
    CHECK(leases[0].object != leases[1].object && leases[1].object != leases[2].object &&
          leases[0].object != leases[2].object);
    CHECK_FAILS(lido_object_pool_try_acquire(pool, &extra), LIDO_ERR_EMPTY, "\"parsers\"");
    CHECK(extra.object == NULL);
    extra.object = &extra;
    CHECK_FAILS(lido_object_pool_acquire(pool, 0, &extra), LIDO_ERR_TIMEOUT, "\"parsers\"");
    CHECK(extra.object == NULL);
    extra.object = &extra;
    CHECK_FAILS(lido_object_pool_acquire_until(pool, lido_now_ns(), &extra), LIDO_ERR_TIMEOUT,
                "parsers");
    CHECK(extra.object == NULL);
    CHECK_EQ(object_stats(pool).timeouts, 3);
    CHECK_EQ(factory.creates, 3);
    for (int i = 0; i < 3; i++)
        CHECK_OK(lido_object_pool_release(pool, &leases[i]));
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

/* All call sites of an application end up here, so the message must help at 3 a.m. */
static void a_refused_acquire_names_where_most_objects_are(void **state) {
    (void)state;
    lido_lease leases[5], extra;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 5);
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &leases[0], "rare.c:1"));
    for (int i = 1; i < 5; i++)
        CHECK_OK(lido_object_pool_acquire_at(pool, 0, &leases[i], "often.c:2"));
    CHECK_FAILS(lido_object_pool_try_acquire(pool, &extra), LIDO_ERR_EMPTY, "often.c:2");
    CHECK_ERROR_HAS("5 of 5");
    for (int i = 0; i < 5; i++)
        CHECK_OK(lido_object_pool_release(pool, &leases[i]));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void a_wait_that_nobody_ends_ends_at_its_deadline(void **state) {
    (void)state;
    lido_lease lease, extra;
    struct factory factory = factory_start();
    lido_object_pool *pool = handed_on_pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    uint64_t start_ns = lido_now_ns();
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_SECONDS(3), &extra), LIDO_ERR_TIMEOUT,
                "parsers");
    CHECK_EQ(lido_now_ns(), start_ns + LIDO_SECONDS(3));
    check__time.spurious_every = 3;
    CHECK_FAILS(lido_object_pool_acquire_until(pool, lido_now_ns() + 77, &extra), LIDO_ERR_TIMEOUT,
                "parsers");
    CHECK_EQ(lido_now_ns(), start_ns + LIDO_SECONDS(3) + 77);
    CHECK_FAILS(lido_object_pool_acquire_until(pool, 1, &extra), LIDO_ERR_TIMEOUT, "parsers");
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.timeouts == 3 && s.waiting == 0 && s.wait_max_ns == LIDO_SECONDS(3));
    CHECK(s.waits >= 2 && s.wait_total_ns == LIDO_SECONDS(3) + 77);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

/* ---- What a callback refuses --------------------------------------------------------------- */

static void an_acquire_whose_create_fails_says_the_code_and_the_limit_stays_whole(void **state) {
    (void)state;
    lido_lease lease = {.object = &lease};
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    factory.create = (struct trouble){.count = 2, .code = -7};
    for (int i = 0; i < 2; i++) {
        lease.object = &lease;
        CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_FOREVER, &lease), LIDO_ERR_CALLBACK, "-7");
        CHECK(lease.object == NULL);
    }
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.create_failed == 2 && s.created == 1 && s.existing == 1 && s.acquired == 1);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void an_object_that_validate_refuses_is_ended_and_the_next_one_taken(void **state) {
    (void)state;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 4);
    CHECK_OK(lido_object_pool_prepare(pool, 3));
    factory.validate = (struct trouble){.count = 2, .code = 1};
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK(factory.destroys == 2 && factory.creates == 3 && factory.validates == 3);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    factory.validate.count = 1;
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK(factory.destroys == 3 && factory.creates == 4);
    CHECK_EQ(object_stats(pool).validate_failed, 3);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void when_validate_and_create_both_fail_the_acquire_fails_and_nothing_is_lost(void **state) {
    (void)state;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 2);
    CHECK_OK(lido_object_pool_prepare(pool, 2));
    factory.validate = (struct trouble){.count = 2, .code = 1};
    factory.create = (struct trouble){.count = 1, .code = 5};
    CHECK_FAILS(lido_object_pool_acquire(pool, 0, &lease), LIDO_ERR_CALLBACK, "5");
    CHECK_EQ(object_stats(pool).existing, 0);
    CHECK_OK(lido_object_pool_prepare(pool, 2));
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void an_object_that_reset_refuses_is_ended_and_release_is_fine(void **state) {
    (void)state;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    factory.reset = (struct trouble){.count = 1, .code = 9};
    CHECK_OK(lido_object_pool_release(pool, &lease));
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.reset_failed == 1 && s.destroyed == 1 && s.existing == 0 && s.released == 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_EQ(factory.creates, 2);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static int warnings;
static char warned_event[64];

static void count_warnings(const lido_log_record *record, void *pool) {
    if (record->level != LIDO_LOG_WARNING)
        return;
    warnings++;
    snprintf(warned_event, sizeof warned_event, "%s", record->event);
    check_object_figures(pool);
}

static void a_failed_callback_and_a_refused_release_are_told_to_the_log(void **state) {
    (void)state;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    lido_lease copy = lease;
    CHECK_OK(lido_object_pool_release(pool, &lease));
    warnings = 0;
    lido_log_set(LIDO_LOG_WARNING, count_warnings, pool);
    CHECK_FAILS(lido_object_pool_release(pool, &copy), LIDO_ERR_NOT_HELD, "parsers");
    CHECK_EQ(warnings, 1);
    CHECK_HAS(warned_event, "release_refused");
    lido_log_set(LIDO_LOG_WARNING, NULL, NULL);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

/* ---- Leases ------------------------------------------------------------------------------- */

static void a_lease_without_an_object_does_nothing(void **state) {
    (void)state;
    lido_lease none = {.object = NULL, .slot = 77, .turn = 5};
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_release(pool, &none));
    CHECK_OK(lido_object_pool_discard(pool, &none));
    CHECK_EQ(object_stats(pool).refused_release, 0);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void a_lease_released_twice_is_refused_and_changes_nothing(void **state) {
    (void)state;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    lido_lease copy = lease, other = lease;
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_FAILS(lido_object_pool_release_at(pool, &copy, "bad.c:3"), LIDO_ERR_NOT_HELD,
                "\"parsers\"");
    CHECK_ERROR_HAS("bad.c:3");
    CHECK(copy.object != NULL);
    CHECK_FAILS(lido_object_pool_discard(pool, &other), LIDO_ERR_NOT_HELD, "parsers");
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.released == 1 && s.discarded == 0 && s.refused_release == 2 && s.idle == 1);
    CHECK_EQ(factory.resets, 1);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void a_stale_lease_is_refused_though_its_object_is_out_again(void **state) {
    (void)state;
    lido_lease lease, again;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    lido_lease stale = lease;
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &again, "rightful.c:8"));
    CHECK(again.object == stale.object);
    CHECK_FAILS(lido_object_pool_release(pool, &stale), LIDO_ERR_NOT_HELD, "rightful.c:8");
    CHECK_FAILS(lido_object_pool_discard(pool, &stale), LIDO_ERR_NOT_HELD, "parsers");
    CHECK_EQ(object_stats(pool).live, 1);
    CHECK_EQ(factory.resets, 1);
    CHECK_OK(lido_object_pool_release(pool, &again));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void a_lease_of_another_pool_is_refused(void **state) {
    (void)state;
    lido_lease mine, theirs;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 2), *other = pool_of(&factory, 2);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &mine));
    CHECK_OK(lido_object_pool_acquire(other, 0, &theirs));
    CHECK(mine.slot == theirs.slot && mine.turn == theirs.turn);
    CHECK_FAILS(lido_object_pool_release(pool, &theirs), LIDO_ERR_NOT_HELD, "parsers");
    CHECK_OK(lido_object_pool_release(other, &theirs));
    CHECK_OK(lido_object_pool_release(pool, &mine));
    CHECK_OK(lido_object_pool_destroy(pool));
    CHECK_OK(lido_object_pool_destroy(other));
    factory_end(&factory);
}

static void an_invented_lease_is_refused(void **state) {
    (void)state;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 2);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    lido_lease invented[] = {{lease.object, lease.slot + 1, lease.turn},
                             {lease.object, UINT32_MAX, lease.turn},
                             {lease.object, lease.slot, lease.turn + 1},
                             {lease.object, lease.slot, 0},
                             {&factory, lease.slot, lease.turn}};
    for (size_t i = 0; i < sizeof invented / sizeof invented[0]; i++) {
        CHECK_FAILS(lido_object_pool_release(pool, &invented[i]), LIDO_ERR_NOT_HELD, "parsers");
        CHECK_FAILS(lido_object_pool_discard(pool, &invented[i]), LIDO_ERR_NOT_HELD, "parsers");
    }
    CHECK_EQ(object_stats(pool).refused_release, 10);
    CHECK_EQ(object_stats(pool).live, 1);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void a_discarded_object_is_never_handed_out_again(void **state) {
    (void)state;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    struct object *first = lease.object;
    CHECK_OK(lido_object_pool_discard(pool, &lease));
    CHECK(lease.object == NULL && first->state == ENDED && factory.resets == 0);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK(lease.object != first);
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.discarded == 1 && s.released == 0 && s.destroyed == 1 && s.created == 2);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void release_and_discard_ask_for_no_memory(void **state) {
    (void)state;
    lido_lease leases[64];
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 64);
    for (int i = 0; i < 64; i++)
        CHECK_OK(lido_object_pool_acquire(pool, 0, &leases[i]));
    uint64_t calls = check_memory_calls();
    check_arm(1, true);
    for (int i = 0; i < 64; i++)
        CHECK_OK(i % 2 ? lido_object_pool_release(pool, &leases[i])
                       : lido_object_pool_discard(pool, &leases[i]));
    (void)lido_object_pool_trim(pool, 3);
    CHECK_EQ(check_memory_calls(), calls);
    CHECK_OK(lido_object_pool_close(pool, 0));
    CHECK_OK(lido_object_pool_destroy(pool));
    check_disarm();
    factory_end(&factory);
}

/* ---- The end ------------------------------------------------------------------------------ */

static void destroying_nothing_is_fine(void **state) {
    (void)state;
    CHECK_OK(lido_object_pool_destroy(NULL));
}

static void a_pool_with_leases_out_is_not_destroyed_and_names_who_has_them(void **state) {
    (void)state;
    char thread[32];
    lido_lease lease, other;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 2);
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &lease, "holder.c:99"));
    check_advance(LIDO_SECONDS(12));
    snprintf(thread, sizeof thread, "thread %llu", (unsigned long long)lido__sys_real.thread_id());
    CHECK_FAILS(lido_object_pool_destroy(pool), LIDO_ERR_BUSY, "holder.c:99");
    CHECK_ERROR_HAS("\"parsers\"");
    CHECK_ERROR_HAS(thread);
    CHECK_ERROR_HAS("12 s");
    CHECK_OK(lido_object_pool_acquire(pool, 0, &other));
    CHECK_OK(lido_object_pool_release(pool, &other));
    CHECK_EQ(factory.destroys, 0);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void a_closed_pool_takes_no_new_users_but_takes_leases_back(void **state) {
    (void)state;
    lido_lease lease, refused = {.object = &refused};
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 2);
    CHECK_OK(lido_object_pool_acquire_at(pool, 0, &lease, "last.c:1"));
    CHECK_FAILS(lido_object_pool_close(pool, 0), LIDO_ERR_BUSY, "last.c:1");
    uint64_t start_ns = lido_now_ns();
    CHECK_FAILS(lido_object_pool_close(pool, LIDO_SECONDS(5)), LIDO_ERR_BUSY, "last.c:1");
    CHECK_EQ(lido_now_ns(), start_ns + LIDO_SECONDS(5));
    CHECK_FAILS(lido_object_pool_acquire(pool, LIDO_FOREVER, &refused), LIDO_ERR_CLOSED, "parsers");
    CHECK(refused.object == NULL);
    CHECK_FAILS(lido_object_pool_try_acquire(pool, &refused), LIDO_ERR_CLOSED, "parsers");
    CHECK_FAILS(lido_object_pool_acquire_until(pool, 0, &refused), LIDO_ERR_CLOSED, "parsers");
    CHECK_FAILS(lido_object_pool_prepare(pool, 2), LIDO_ERR_CLOSED, "parsers");
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_close(pool, LIDO_FOREVER));
    CHECK_OK(lido_object_pool_close(pool, 0));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

/* ---- Watching and steering ----------------------------------------------------------------- */

static void holders_are_listed_with_object_line_thread_and_age(void **state) {
    (void)state;
    lido_lease leases[10];
    lido_object_pool_holder h = LIDO_OBJECT_POOL_HOLDER;
    char sites[10][24];
    int seen = 0;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 16);
    CHECK(!lido_object_pool_next_holder(pool, 0, &h));
    for (int i = 0; i < 10; i++) {
        snprintf(sites[i], sizeof sites[i], "line.c:%d", i);
        CHECK_OK(lido_object_pool_acquire_at(pool, 0, &leases[i], i == 9 ? NULL : sites[i]));
        check_advance(LIDO_SECONDS(1));
    }
    CHECK_OK(lido_object_pool_release(pool, &leases[4]));
    for (uint64_t i = 0; lido_object_pool_next_holder(pool, i, &h); i = h.slot + 1) {
        int at = ((struct object *)h.object)->number;
        CHECK(h.slot >= i && h.slot == leases[at].slot && h.object == leases[at].object);
        CHECK(h.site == (at == 9 ? NULL : sites[at]) && at != 4);
        CHECK_EQ(h.thread_id, lido__sys_real.thread_id());
        uint64_t age_ns = LIDO_SECONDS(10 - (uint64_t)at);
        CHECK(h.held_ns + LIDO_MILLISECONDS(10) >= age_ns);
        CHECK(h.held_ns <= age_ns + LIDO_MILLISECONDS(10));
        CHECK_EQ(h.struct_size, sizeof h);
        seen++;
    }
    CHECK_EQ(seen, 9);
    CHECK(!lido_object_pool_next_holder(pool, UINT64_MAX, &h));
    h.struct_size = 0;
    CHECK(!lido_object_pool_next_holder(pool, 0, &h));
    for (int i = 0; i < 10; i++)
        CHECK_OK(lido_object_pool_release(pool, &leases[i]));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void figures_reach_as_far_as_the_reader_asks(void **state) {
    (void)state;
    lido_object_pool_stats s;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    memset(&s, 0xee, sizeof s);
    s.struct_size = offsetof(lido_object_pool_stats, released);
    CHECK_OK(lido_object_pool_read_stats(pool, &s));
    CHECK(s.acquired == 0 && s.released == UINT64_C(0xeeeeeeeeeeeeeeee));
    s.struct_size = 0;
    CHECK_FAILS(lido_object_pool_read_stats(pool, &s), LIDO_ERR_ARGUMENT, "struct_size is 0");
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void overhead_told_is_memory_held(void **state) {
    (void)state;
    struct factory factory = factory_start();
    uint64_t before = check_bytes_held();
    lido_object_pool *pool = pool_of(&factory, 1000);
    uint64_t held = check_bytes_held() - before, told = object_stats(pool).overhead_bytes;
    CHECK(told <= held && held - told < 1024);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void a_lowered_limit_ends_idle_objects_now_and_others_when_they_come_back(void **state) {
    (void)state;
    lido_lease leases[4], extra;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 8);
    CHECK_OK(lido_object_pool_prepare(pool, 8));
    for (int i = 0; i < 4; i++)
        CHECK_OK(lido_object_pool_acquire(pool, 0, &leases[i]));
    CHECK_OK(lido_object_pool_set_object_limit(pool, 6));
    CHECK_EQ(object_stats(pool).existing, 6);
    CHECK_OK(lido_object_pool_set_object_limit(pool, 2));
    CHECK(object_stats(pool).existing == 4 && object_stats(pool).idle == 0);
    CHECK_EQ(object_stats(pool).object_limit, 2);
    CHECK_FAILS(lido_object_pool_try_acquire(pool, &extra), LIDO_ERR_EMPTY, "parsers");
    for (int i = 0; i < 4; i++)
        CHECK_OK(lido_object_pool_release(pool, &leases[i]));
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.existing == 2 && s.idle == 2 && s.destroyed == 6);
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void a_raised_limit_keeps_leases_and_objects(void **state) {
    (void)state;
    lido_lease leases[200], extra;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    for (int i = 0; i < 200; i++) {
        CHECK_OK(lido_object_pool_set_object_limit(pool, (uint64_t)i + 1));
        CHECK_OK(lido_object_pool_acquire(pool, 0, &leases[i]));
        CHECK_FAILS(lido_object_pool_try_acquire(pool, &extra), LIDO_ERR_EMPTY, "parsers");
    }
    CHECK_EQ(object_stats(pool).live, 200);
    check_object_figures(pool);
    for (int i = 0; i < 200; i++)
        CHECK_OK(lido_object_pool_release(pool, &leases[i]));
    CHECK_EQ(factory.creates, 200);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void a_limit_out_of_range_is_refused(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 2);
    CHECK_FAILS(lido_object_pool_set_object_limit(pool, 0), LIDO_ERR_ARGUMENT, "object_limit is 0");
    CHECK_FAILS(lido_object_pool_set_object_limit(pool, 1048577), LIDO_ERR_ARGUMENT, "1048576");
    check_arm(1, true);
    CHECK_OK(lido_object_pool_set_object_limit(pool, 1)); /* changing it needs no memory */
    check_disarm();
    CHECK_OK(lido_object_pool_set_object_limit(pool, 1048576));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void trim_ends_idle_objects_down_to_a_count(void **state) {
    (void)state;
    lido_lease leases[3];
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 10);
    CHECK_OK(lido_object_pool_prepare(pool, 10));
    for (int i = 0; i < 3; i++)
        CHECK_OK(lido_object_pool_acquire(pool, 0, &leases[i]));
    CHECK_EQ(lido_object_pool_trim(pool, 10), 0);
    CHECK_EQ(lido_object_pool_trim(pool, 6), 4);
    CHECK_EQ(object_stats(pool).existing, 6);
    CHECK_EQ(lido_object_pool_trim(pool, 0), 3);
    CHECK_EQ(object_stats(pool).existing, 3);
    CHECK_EQ(factory.destroys, 7);
    for (int i = 0; i < 3; i++)
        CHECK_OK(lido_object_pool_release(pool, &leases[i]));
    CHECK_EQ(lido_object_pool_trim(pool, 0), 3);
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

CHECK_MAIN(TEST(a_wrong_option_is_refused_by_name_and_value),
           TEST(options_without_struct_size_or_without_options_are_refused),
           TEST(options_of_newer_programs_are_understood),
           TEST(options_of_older_programs_are_understood),
           TEST(a_pool_is_listed_and_starts_without_objects), TEST(prepare_builds_up_to_a_count),
           TEST(prepare_that_fails_keeps_what_it_built),
           TEST(an_object_is_built_once_and_handed_out_again),
           TEST(validate_and_reset_and_destroy_are_optional),
           TEST(no_more_objects_than_the_limit_are_out),
           TEST(a_refused_acquire_names_where_most_objects_are),
           TEST(a_wait_that_nobody_ends_ends_at_its_deadline),
           TEST(an_acquire_whose_create_fails_says_the_code_and_the_limit_stays_whole),
           TEST(an_object_that_validate_refuses_is_ended_and_the_next_one_taken),
           TEST(when_validate_and_create_both_fail_the_acquire_fails_and_nothing_is_lost),
           TEST(an_object_that_reset_refuses_is_ended_and_release_is_fine),
           TEST(a_failed_callback_and_a_refused_release_are_told_to_the_log),
           TEST(a_lease_without_an_object_does_nothing),
           TEST(a_lease_released_twice_is_refused_and_changes_nothing),
           TEST(a_stale_lease_is_refused_though_its_object_is_out_again),
           TEST(a_lease_of_another_pool_is_refused), TEST(an_invented_lease_is_refused),
           TEST(a_discarded_object_is_never_handed_out_again),
           TEST(release_and_discard_ask_for_no_memory), TEST(destroying_nothing_is_fine),
           TEST(a_pool_with_leases_out_is_not_destroyed_and_names_who_has_them),
           TEST(a_closed_pool_takes_no_new_users_but_takes_leases_back),
           TEST(holders_are_listed_with_object_line_thread_and_age),
           TEST(figures_reach_as_far_as_the_reader_asks), TEST(overhead_told_is_memory_held),
           TEST(a_lowered_limit_ends_idle_objects_now_and_others_when_they_come_back),
           TEST(a_raised_limit_keeps_leases_and_objects), TEST(a_limit_out_of_range_is_refused),
           TEST(trim_ends_idle_objects_down_to_a_count))
