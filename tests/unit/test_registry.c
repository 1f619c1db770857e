/* SPDX-License-Identifier: MIT
 * lido/registry.h, and how resources enter it (src/registry/registry.h). */
#include "check.h"

#include "registry/registry.h"

/* A resource that counts what fork asks of it. */
static _Atomic int locked, unlocked, mended;

static void count_lock(struct lido__resource *resource) {
    (void)resource;
    locked++;
}

static void count_unlock(struct lido__resource *resource) {
    (void)resource;
    unlocked++;
}

static void count_child(struct lido__resource *resource) {
    (void)resource;
    mended++;
}

static const struct lido__kind kind = {"thing", count_lock, count_unlock, count_child};

static lido_status enter(struct lido__resource *thing, const char *name) {
    memset(thing, 0, sizeof *thing);
    lido_status status = lido__resource_name(thing, &kind, name, NULL);
    return status == LIDO_OK ? lido__resource_insert(thing, "here.c:7") : status;
}

/* ---- Names ----------------------------------------------------------------------------- */

static void a_resource_without_names_is_unnamed_and_the_applications(void **state) {
    (void)state;
    struct lido__resource thing = {0};
    lido_resource seen = LIDO_RESOURCE;
    CHECK_OK(enter(&thing, NULL));
    CHECK(lido_registry_next(0, &seen));
    CHECK(strcmp(seen.name, "unnamed") == 0);
    CHECK(strcmp(seen.owner, "application") == 0);
    lido__resource_remove(&thing);
}

static void a_name_of_63_bytes_is_kept_and_one_of_64_is_refused(void **state) {
    (void)state;
    char text[LIDO_NAME_BYTES + 1];
    struct lido__resource thing = {0};
    memset(text, 'n', sizeof text);
    text[LIDO_NAME_BYTES - 1] = '\0';
    CHECK_OK(lido__resource_name(&thing, &kind, text, text));
    CHECK(strcmp(thing.info.name, text) == 0 && strcmp(thing.info.owner, text) == 0);
    text[LIDO_NAME_BYTES - 1] = 'n';
    text[LIDO_NAME_BYTES] = '\0';
    CHECK_FAILS(lido__resource_name(&thing, &kind, text, NULL), LIDO_ERR_ARGUMENT, "name is");
    CHECK_FAILS(lido__resource_name(&thing, &kind, NULL, text), LIDO_ERR_ARGUMENT, "owner is");
    CHECK_ERROR_HAS("64");
}

static void a_name_that_would_garble_a_log_is_refused(void **state) {
    (void)state;
    struct lido__resource thing = {0};
    CHECK_FAILS(lido__resource_name(&thing, &kind, "a\033[2J", NULL), LIDO_ERR_ARGUMENT,
                "control characters");
    CHECK_FAILS(lido__resource_name(&thing, &kind, "x", "two\tfields"), LIDO_ERR_ARGUMENT, "owner");
    CHECK_FAILS(lido__resource_name(&thing, &kind, "del\177", NULL), LIDO_ERR_ARGUMENT, "name");
    CHECK_OK(lido__resource_name(&thing, &kind,
                                 "gr\xc3\xb6\xc3\x9f"
                                 "e \"1\"",
                                 "\xe2\x82\xac"));
}

static void one_name_may_be_there_twice(void **state) {
    (void)state;
    struct lido__resource one, other;
    CHECK_OK(enter(&one, "buffers"));
    CHECK_OK(enter(&other, "buffers"));
    CHECK_EQ(lido_registry_count(), 2);
    CHECK(one.info.id != other.info.id);
    lido__resource_remove(&one);
    lido__resource_remove(&other);
}

/* ---- What is told ----------------------------------------------------------------------- */

static void a_resource_tells_its_kind_its_line_and_when_it_was_made(void **state) {
    (void)state;
    struct lido__resource thing;
    lido_resource seen = LIDO_RESOURCE;
    check_advance(LIDO_SECONDS(3));
    CHECK_OK(enter(&thing, "one"));
    check_advance(LIDO_SECONDS(3));
    CHECK(lido_registry_next(0, &seen));
    CHECK(strcmp(seen.kind, "thing") == 0);
    CHECK(strcmp(seen.made_at, "here.c:7") == 0);
    CHECK_EQ(seen.made_ns, lido_now_ns() - LIDO_SECONDS(3));
    CHECK_EQ(seen.struct_size, sizeof seen);
    lido__resource_remove(&thing);
}

static void an_empty_registry_has_no_next(void **state) {
    (void)state;
    lido_resource seen = LIDO_RESOURCE;
    CHECK(!lido_registry_next(0, &seen));
    CHECK(!lido_registry_next(UINT64_MAX, &seen));
    CHECK_EQ(lido_registry_count(), 0);
}

static void a_reader_that_does_not_say_its_size_gets_nothing(void **state) {
    (void)state;
    struct lido__resource thing;
    lido_resource seen = {0};
    CHECK_OK(enter(&thing, "one"));
    CHECK(!lido_registry_next(0, &seen));
    CHECK_EQ(lido_last_status(), LIDO_ERR_ARGUMENT);
    CHECK_EQ(seen.id, 0);
    CHECK(!lido_registry_next(0, NULL));
    lido__resource_remove(&thing);
}

/* An old program knows less of the structure, a newer one more. */
static void old_and_new_readers_get_what_they_know(void **state) {
    (void)state;
    struct {
        lido_resource known;
        uint64_t added, beyond;
    } seen;
    struct lido__resource thing;
    CHECK_OK(enter(&thing, "one"));
    memset(&seen, 0xee, sizeof seen);
    seen.known.struct_size = offsetof(lido_resource, kind);
    CHECK(lido_registry_next(0, &seen.known));
    CHECK_EQ(seen.known.id, thing.info.id);
    CHECK_EQ((unsigned char)seen.known.name[0], 0xee);
    memset(&seen, 0xee, sizeof seen);
    seen.known.struct_size = sizeof seen.known + sizeof seen.added;
    CHECK(lido_registry_next(0, &seen.known));
    CHECK(strcmp(seen.known.name, "one") == 0);
    CHECK_EQ(seen.added, 0);
    CHECK_EQ(seen.beyond, UINT64_C(0xeeeeeeeeeeeeeeee));
    lido__resource_remove(&thing);
}

/* ---- Order ------------------------------------------------------------------------------ */

static void ids_grow_and_are_never_used_again(void **state) {
    (void)state;
    struct lido__resource thing;
    uint64_t last = 0;
    for (int i = 0; i < 100; i++) {
        CHECK_OK(enter(&thing, "again"));
        CHECK(thing.info.id > last);
        last = thing.info.id;
        lido__resource_remove(&thing);
    }
}

enum { MANY = 300 };

/* Against a flag for each resource, which cannot be wrong. */
static void any_order_of_entering_and_leaving_is_listed_rightly(void **state) {
    (void)state;
    static struct lido__resource things[MANY];
    bool is_in[MANY] = {false};
    uint64_t alive = 0;
    struct check_random random = check_random_start(1);
    for (int step = 0; step < 5000; step++) {
        size_t at = check_random_below(&random, MANY);
        if (is_in[at])
            lido__resource_remove(&things[at]);
        else
            CHECK_OK(enter(&things[at], "thing"));
        is_in[at] = !is_in[at];
        alive += is_in[at] ? 1 : UINT64_MAX;
        CHECK_EQ(lido_registry_count(), alive);
        if (step % 50)
            continue;
        uint64_t seen = 0, after = 0;
        lido_resource r = LIDO_RESOURCE;
        for (; lido_registry_next(after, &r); after = r.id, seen++)
            CHECK(r.id > after);
        CHECK_EQ(seen, alive);
        for (size_t i = 0; i < MANY; i++)
            if (is_in[i])
                CHECK(lido_registry_next(things[i].info.id - 1, &r) && r.id == things[i].info.id);
    }
    for (size_t i = 0; i < MANY; i++)
        if (is_in[i])
            lido__resource_remove(&things[i]);
}

/* ---- Threads ----------------------------------------------------------------------------- */

static _Atomic bool is_over;

static void come_and_go(void *context) {
    (void)context;
    struct lido__resource things[20];
    while (!is_over) {
        for (int i = 0; i < 20; i++)
            CHECK_OK(enter(&things[i], "guest"));
        for (int i = 0; i < 20; i++)
            lido__resource_remove(&things[i]);
    }
}

static void what_stays_is_seen_exactly_once_while_others_come_and_go(void **state) {
    (void)state;
    struct lido__resource staying[40];
    struct check_thread guests[2];
    is_over = false;
    for (int i = 0; i < 2; i++)
        check_start(&guests[i], come_and_go, NULL);
    for (int i = 0; i < 40; i++)
        CHECK_OK(enter(&staying[i], "resident"));
    for (int round = 0; round < 300; round++) {
        int residents = 0;
        uint64_t after = 0;
        lido_resource r = LIDO_RESOURCE;
        for (; lido_registry_next(after, &r); after = r.id) {
            CHECK(r.id > after);
            residents += strcmp(r.name, "resident") == 0;
        }
        CHECK_EQ(residents, 40);
    }
    is_over = true;
    for (int i = 0; i < 2; i++)
        check_join(&guests[i]);
    for (int i = 0; i < 40; i++)
        lido__resource_remove(&staying[i]);
}

/* ---- Trouble ---------------------------------------------------------------------------- */

static void without_memory_a_resource_is_not_listed_and_says_so(void **state) {
    (void)state;
    struct lido__resource thing;
    check_arm(1, true);
    CHECK_FAILS(enter(&thing, "poor"), LIDO_ERR_NO_MEMORY, "thing \"poor\"");
    check_disarm();
    CHECK_EQ(lido_registry_count(), 0);
    CHECK_OK(enter(&thing, "rich"));
    lido__resource_remove(&thing);
}

static void leaving_needs_no_memory(void **state) {
    (void)state;
    static struct lido__resource things[MANY];
    for (int i = 0; i < MANY; i++)
        CHECK_OK(enter(&things[i], "thing"));
    uint64_t calls = check_memory_calls();
    for (int i = MANY - 1; i >= 0; i -= 2)
        lido__resource_remove(&things[i]);
    for (int i = 0; i < MANY; i += 2)
        lido__resource_remove(&things[i]);
    CHECK_EQ(check_memory_calls(), calls);
}

static void look_around_in_child(void *context) {
    struct lido__resource *things = context;
    lido_resource r = LIDO_RESOURCE;
    CHECK_EQ(locked, 2);
    CHECK_EQ(unlocked, 0);
    CHECK_EQ(mended, 2);
    CHECK_EQ(lido_registry_count(), 2);
    CHECK(lido_registry_next(0, &r));
    lido__resource_remove(&things[0]);
    CHECK_OK(enter(&things[0], "again"));
}

static void fork_reaches_every_resource_once_on_each_side(void **state) {
    (void)state;
    struct lido__resource things[2];
    CHECK_OK(enter(&things[0], "a"));
    CHECK_OK(enter(&things[1], "b"));
    locked = unlocked = mended = 0;
    CHECK_EQ(check_child(look_around_in_child, things), 0);
    CHECK_EQ(locked, 2);
    CHECK_EQ(unlocked, 2);
    CHECK_EQ(mended, 0);
    lido__resource_remove(&things[0]);
    lido__resource_remove(&things[1]);
}

CHECK_MAIN(TEST(a_resource_without_names_is_unnamed_and_the_applications),
           TEST(a_name_of_63_bytes_is_kept_and_one_of_64_is_refused),
           TEST(a_name_that_would_garble_a_log_is_refused), TEST(one_name_may_be_there_twice),
           TEST(a_resource_tells_its_kind_its_line_and_when_it_was_made),
           TEST(an_empty_registry_has_no_next),
           TEST(a_reader_that_does_not_say_its_size_gets_nothing),
           TEST(old_and_new_readers_get_what_they_know), TEST(ids_grow_and_are_never_used_again),
           TEST(any_order_of_entering_and_leaving_is_listed_rightly),
           TEST(what_stays_is_seen_exactly_once_while_others_come_and_go),
           TEST(without_memory_a_resource_is_not_listed_and_says_so), TEST(leaving_needs_no_memory),
           TEST(fork_reaches_every_resource_once_on_each_side))
