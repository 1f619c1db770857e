/* SPDX-License-Identifier: MIT
 * lido/ring.h, in its order: every call, every error, who sleeps and who is woken, the descriptor,
 * fork, cancellation, failures of the system. Time is simulated: nobody sleeps. */
#include "check.h"

#include "ring/fast.h"

#include <fcntl.h>

static lido_ring *ring_of(uint64_t capacity) {
    lido_ring *ring = NULL;
    CHECK_OK(lido_ring_create(LIDO_RING_OPTIONS(.name = "jobs", .capacity = capacity), &ring));
    return ring;
}

static void *item_of(uint64_t number) {
    return (void *)(uintptr_t)number;
}

static void put(lido_ring *ring, uint64_t number) {
    CHECK_OK(lido_ring_try_insert(ring, item_of(number)));
}

static void get(lido_ring *ring, uint64_t number) {
    void *item = NULL;
    CHECK_OK(lido_ring_try_remove(ring, &item));
    CHECK_EQ((uintptr_t)item, number);
}

static lido_ring_stats stats_of(const lido_ring *ring) {
    lido_ring_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_ring_read_stats(ring, &stats));
    CHECK_EQ(stats.length, stats.inserted - stats.removed);
    return stats;
}

/* ---- Making a ring ------------------------------------------------------------------------- */

static void a_capacity_that_does_not_fit_is_refused_and_a_good_one_is_named(void **state) {
    (void)state;
    static const struct {
        uint64_t capacity;
        const char *advice;
    } wrong[] = {{0, "use 2"},
                 {1, "use 2"},
                 {3, "use 4"},
                 {1000, "use 1024"},
                 {(1 << 24) + 1, "use 16777216"},
                 {UINT64_C(1) << 40, "use 16777216"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        lido_ring *ring = (lido_ring *)&ring;
        CHECK_FAILS(lido_ring_create(
                        LIDO_RING_OPTIONS(.name = "jobs", .capacity = wrong[i].capacity), &ring),
                    LIDO_ERR_ARGUMENT, wrong[i].advice);
        CHECK_ERROR_HAS("jobs");
        CHECK(ring == NULL);
    }
}

static void wrong_options_are_refused(void **state) {
    (void)state;
    lido_ring *ring = (lido_ring *)&ring;
    char name[LIDO_NAME_BYTES + 1];
    struct {
        lido_ring_options known;
        uint64_t unknown;
    } newer = {{.struct_size = sizeof newer, .capacity = 2}, 1};
    memset(name, 'n', LIDO_NAME_BYTES);
    name[LIDO_NAME_BYTES] = '\0';
    CHECK_FAILS(lido_ring_create(NULL, &ring), LIDO_ERR_ARGUMENT, "is NULL");
    CHECK(ring == NULL);
    CHECK_FAILS(lido_ring_create(&(lido_ring_options){.capacity = 2}, &ring), LIDO_ERR_ARGUMENT,
                "struct_size");
    CHECK_FAILS(lido_ring_create(&newer.known, &ring), LIDO_ERR_UNSUPPORTED, "a field at byte");
    CHECK_FAILS(lido_ring_create(LIDO_RING_OPTIONS(.name = name, .capacity = 2), &ring),
                LIDO_ERR_ARGUMENT, "name");
    CHECK_FAILS(lido_ring_create(LIDO_RING_OPTIONS(.owner = "a\nb", .capacity = 2), &ring),
                LIDO_ERR_ARGUMENT, "owner");
    CHECK(ring == NULL);
}

static void a_ring_is_listed_until_it_is_destroyed(void **state) {
    (void)state;
    uint64_t before = lido_registry_count();
    lido_ring *ring = ring_of(4);
    lido_resource resource = LIDO_RESOURCE;
    CHECK_EQ(lido_registry_count(), before + 1);
    CHECK(lido_registry_next(0, &resource));
    CHECK(strcmp(resource.kind, "ring") == 0 && strcmp(resource.name, "jobs") == 0);
    CHECK_HAS(resource.made_at, "test_ring.c:");
    CHECK_OK(lido_ring_destroy(ring));
    CHECK_EQ(lido_registry_count(), before);
    CHECK_OK(lido_ring_destroy(NULL));
}

static void a_ring_with_items_in_it_is_not_destroyed(void **state) {
    (void)state;
    lido_ring *ring = ring_of(4);
    put(ring, 1);
    put(ring, 2);
    CHECK_FAILS(lido_ring_destroy(ring), LIDO_ERR_BUSY, "2 items");
    get(ring, 1);
    get(ring, 2);
    CHECK_OK(lido_ring_destroy(ring));
}

static void a_closed_ring_takes_nothing_and_gives_what_it_has(void **state) {
    (void)state;
    lido_ring *ring = ring_of(2);
    void *items[2] = {NULL, NULL}, *item = ring;
    put(ring, 1);
    lido_ring_close(ring);
    lido_ring_close(ring);
    CHECK_FAILS(lido_ring_try_insert(ring, item), LIDO_ERR_CLOSED, "jobs");
    CHECK_FAILS(lido_ring_insert(ring, item, LIDO_FOREVER), LIDO_ERR_CLOSED, "closed");
    CHECK_FAILS(lido_ring_insert_until(ring, item, LIDO_FOREVER), LIDO_ERR_CLOSED, "closed");
    CHECK_EQ(lido_ring_try_insert_many(ring, 2, items), 0);
    CHECK_EQ(lido_last_status(), LIDO_ERR_CLOSED);
    CHECK_EQ(lido_ring_insert_many(ring, 2, items, LIDO_FOREVER), 0);
    CHECK_EQ(lido_last_status(), LIDO_ERR_CLOSED);
    CHECK_EQ(lido_ring_try_remove_many(ring, 2, items), 1);
    CHECK_EQ(lido_last_status(), LIDO_ERR_CLOSED);
    CHECK_FAILS(lido_ring_try_remove(ring, &item), LIDO_ERR_CLOSED, "nothing is left");
    CHECK(item == NULL);
    CHECK_FAILS(lido_ring_remove(ring, LIDO_FOREVER, &item), LIDO_ERR_CLOSED, "nothing is left");
    CHECK_FAILS(lido_ring_remove_until(ring, LIDO_FOREVER, &item), LIDO_ERR_CLOSED, "jobs");
    CHECK_EQ(lido_ring_remove_many(ring, LIDO_FOREVER, 2, items), 0);
    CHECK_EQ(lido_last_status(), LIDO_ERR_CLOSED);
    CHECK_EQ(stats_of(ring).refused_full, 0);
    CHECK_OK(lido_ring_destroy(ring));
}

/* Also a full one: its turns are behind, not ahead. */
static void a_full_ring_closes_too(void **state) {
    (void)state;
    lido_ring *ring = ring_of(2);
    put(ring, 1);
    put(ring, 2);
    lido_ring_close(ring);
    CHECK_FAILS(lido_ring_try_insert(ring, ring), LIDO_ERR_CLOSED, "jobs");
    get(ring, 1);
    CHECK_FAILS(lido_ring_try_insert(ring, ring), LIDO_ERR_CLOSED, "jobs");
    get(ring, 2);
    CHECK_OK(lido_ring_destroy(ring));
}

/* ---- Items --------------------------------------------------------------------------------- */

static void full_and_empty_are_told_and_take_nothing(void **state) {
    (void)state;
    lido_ring *ring = ring_of(2);
    void *item = ring;
    CHECK_FAILS(lido_ring_try_remove(ring, &item), LIDO_ERR_EMPTY, "jobs");
    CHECK(item == NULL);
    put(ring, 0);
    put(ring, UINTPTR_MAX);
    CHECK_FAILS(lido_ring_try_insert(ring, ring), LIDO_ERR_LIMIT, "capacity is 2");
    get(ring, 0);
    get(ring, UINTPTR_MAX);
    CHECK_FAILS(lido_ring_try_remove(ring, &item), LIDO_ERR_EMPTY, "jobs");
    CHECK_EQ(stats_of(ring).refused_full, 1);
    CHECK_OK(lido_ring_destroy(ring));
}

static void many_go_in_as_far_as_there_is_room(void **state) {
    (void)state;
    lido_ring *ring = ring_of(4);
    void *in[6] = {item_of(1), item_of(2), item_of(3), item_of(4), item_of(5), item_of(6)};
    void *out[6];
    CHECK_EQ(lido_ring_try_insert_many(ring, 0, in), 0);
    CHECK_EQ(lido_ring_try_insert_many(ring, 3, in), 3);
    CHECK_EQ(lido_ring_try_insert_many(ring, 3, in + 3), 1);
    CHECK_EQ(lido_last_status(), LIDO_ERR_LIMIT);
    CHECK_EQ(lido_ring_try_remove_many(ring, 0, out), 0);
    CHECK_EQ(lido_ring_try_remove_many(ring, 2, out), 2);
    CHECK_EQ(lido_ring_remove_many(ring, 0, 6, out + 2), 2);
    for (uint64_t i = 0; i < 4; i++)
        CHECK_EQ((uintptr_t)out[i], i + 1);
    CHECK_EQ(lido_ring_try_remove_many(ring, 2, out), 0);
    CHECK_EQ(lido_last_status(), LIDO_ERR_EMPTY);
    CHECK_EQ(lido_ring_insert_many(ring, 6, in, 0), 4);
    CHECK_EQ(lido_last_status(), LIDO_ERR_TIMEOUT);
    CHECK_EQ(lido_ring_try_remove_many(ring, 6, out), 4);
    CHECK_EQ(lido_last_status(), LIDO_ERR_EMPTY);
    CHECK_OK(lido_ring_destroy(ring));
}

/* A queue that cannot be wrong: an array and two numbers. */
enum { MODEL_ITEMS = 20000, MODEL_MANY = 20 };

static void random_calls_agree_with_a_slow_model(void **state) {
    (void)state;
    static void *model[MODEL_ITEMS];
    struct check_random random = check_random_start(1);
    for (uint64_t capacity = 2; capacity <= 16; capacity *= 2) {
        uint64_t head = 0, tail = 0;
        lido_ring *ring = ring_of(capacity);
        while (tail + MODEL_MANY < MODEL_ITEMS) {
            void *items[MODEL_MANY];
            uint64_t count = check_random_below(&random, MODEL_MANY);
            uint64_t room = capacity - (tail - head), length = tail - head;
            switch (check_random_below(&random, 4)) {
            case 0:
                model[tail] = item_of(check_random(&random));
                CHECK_EQ(lido_ring_try_insert(ring, model[tail]), room ? LIDO_OK : LIDO_ERR_LIMIT);
                tail += room > 0;
                break;
            case 1:
                CHECK_EQ(lido_ring_try_remove(ring, items), length ? LIDO_OK : LIDO_ERR_EMPTY);
                if (length)
                    CHECK(items[0] == model[head++]);
                break;
            case 2:
                for (uint64_t i = 0; i < count; i++)
                    model[tail + i] = item_of(check_random(&random));
                CHECK_EQ(lido_ring_try_insert_many(ring, count, model + tail),
                         count < room ? count : room);
                tail += count < room ? count : room;
                break;
            default:
                CHECK_EQ(lido_ring_try_remove_many(ring, count, items),
                         count < length ? count : length);
                for (uint64_t i = 0; i < count && i < length; i++)
                    CHECK(items[i] == model[head++]);
            }
            CHECK_EQ(stats_of(ring).inserted, tail);
            CHECK_EQ(stats_of(ring).removed, head);
        }
        while (head < tail)
            get(ring, (uintptr_t)model[head++]);
        CHECK_OK(lido_ring_destroy(ring));
    }
}

/* ---- Waiting ------------------------------------------------------------------------------- */

/* A thread that makes one call which waits. */
struct waiter {
    lido_ring *ring;
    uint64_t timeout_ns, count;
    lido_status status;
    uint64_t ended_ns;
    void *items[4];
    struct check_thread thread;
};

static void wait_to_remove(void *context) {
    struct waiter *waiter = context;
    waiter->status = lido_ring_remove(waiter->ring, waiter->timeout_ns, &waiter->items[0]);
    waiter->ended_ns = lido_now_ns();
}

static void wait_to_insert(void *context) {
    struct waiter *waiter = context;
    waiter->status = lido_ring_insert(waiter->ring, waiter->items[0], waiter->timeout_ns);
    waiter->ended_ns = lido_now_ns();
}

static void wait_to_insert_many(void *context) {
    struct waiter *waiter = context;
    for (uint64_t i = 0; i < 4; i++)
        waiter->items[i] = item_of(i + 1);
    waiter->count = lido_ring_insert_many(waiter->ring, 4, waiter->items, waiter->timeout_ns);
    waiter->status = waiter->count == 4 ? LIDO_OK : lido_last_status();
}

static void wait_to_remove_many(void *context) {
    struct waiter *waiter = context;
    waiter->count = lido_ring_remove_many(waiter->ring, waiter->timeout_ns, 4, waiter->items);
    waiter->status = waiter->count ? LIDO_OK : lido_last_status();
}

static void start_waiters(struct waiter *waiters, int count, lido_ring *ring,
                          void (*run)(void *context)) {
    for (int i = 0; i < count; i++) {
        waiters[i] = (struct waiter){.ring = ring, .timeout_ns = LIDO_FOREVER};
        check_start(&waiters[i].thread, run, &waiters[i]);
    }
    check_await_sleepers(count);
}

static void a_wait_ends_at_its_deadline(void **state) {
    (void)state;
    lido_ring *ring = ring_of(2);
    void *item = ring;
    uint64_t start_ns = lido_now_ns();
    CHECK_FAILS(lido_ring_remove(ring, 0, &item), LIDO_ERR_TIMEOUT, "empty");
    CHECK(item == NULL);
    CHECK_EQ(lido_now_ns(), start_ns);
    CHECK_FAILS(lido_ring_remove(ring, LIDO_SECONDS(2), &item), LIDO_ERR_TIMEOUT, "jobs");
    CHECK_EQ(lido_now_ns(), start_ns + LIDO_SECONDS(2));
    CHECK_FAILS(lido_ring_remove_until(ring, start_ns + LIDO_SECONDS(3), &item), LIDO_ERR_TIMEOUT,
                "empty");
    CHECK_EQ(lido_now_ns(), start_ns + LIDO_SECONDS(3));
    CHECK_FAILS(lido_ring_remove_until(ring, start_ns, &item), LIDO_ERR_TIMEOUT, "empty");
    put(ring, 1);
    put(ring, 2);
    CHECK_FAILS(lido_ring_insert(ring, ring, LIDO_SECONDS(1)), LIDO_ERR_TIMEOUT, "full");
    CHECK_EQ(lido_now_ns(), start_ns + LIDO_SECONDS(4));
    CHECK_FAILS(lido_ring_insert_until(ring, ring, start_ns + LIDO_SECONDS(5)), LIDO_ERR_TIMEOUT,
                "jobs");
    CHECK_EQ(lido_now_ns(), start_ns + LIDO_SECONDS(5));
    lido_ring_stats stats = stats_of(ring);
    CHECK_EQ(stats.remove_waits, 3);
    CHECK_EQ(stats.remove_timeouts, 3);
    CHECK_EQ(stats.insert_waits, 2);
    CHECK_EQ(stats.insert_timeouts, 2);
    get(ring, 1);
    get(ring, 2);
    CHECK_OK(lido_ring_destroy(ring));
}

static void each_item_wakes_one_who_sleeps(void **state) {
    (void)state;
    enum { COUNT = 3 };
    struct waiter waiters[COUNT];
    lido_ring *ring = ring_of(4);
    uint64_t sum = 0;
    start_waiters(waiters, COUNT, ring, wait_to_remove);
    CHECK_EQ(stats_of(ring).removers_waiting, COUNT);
    for (uint64_t i = 1; i <= COUNT; i++)
        put(ring, i);
    for (int i = 0; i < COUNT; i++) {
        check_join(&waiters[i].thread);
        CHECK_OK(waiters[i].status);
        sum += (uintptr_t)waiters[i].items[0];
    }
    CHECK_EQ(sum, 6);
    CHECK_EQ(stats_of(ring).removers_waiting, 0);
    CHECK_EQ(stats_of(ring).remove_waits, COUNT);
    CHECK_EQ(stats_of(ring).remove_timeouts, 0);
    CHECK_OK(lido_ring_destroy(ring));
}

static void each_removal_wakes_one_who_sleeps_for_room(void **state) {
    (void)state;
    struct waiter waiters[2];
    lido_ring *ring = ring_of(2);
    put(ring, 1);
    put(ring, 2);
    start_waiters(waiters, 2, ring, wait_to_insert);
    CHECK_EQ(stats_of(ring).inserters_waiting, 2);
    get(ring, 1);
    get(ring, 2);
    check_join(&waiters[0].thread);
    check_join(&waiters[1].thread);
    CHECK_OK(waiters[0].status);
    CHECK_OK(waiters[1].status);
    get(ring, 0);
    get(ring, 0);
    CHECK_OK(lido_ring_destroy(ring));
}

static void many_wait_for_room_in_parts_and_for_the_first_item(void **state) {
    (void)state;
    struct waiter waiter;
    lido_ring *ring = ring_of(2);
    start_waiters(&waiter, 1, ring, wait_to_insert_many);
    for (uint64_t i = 1; i <= 4; i++) {
        void *item;
        CHECK_OK(lido_ring_remove(ring, LIDO_FOREVER, &item));
        CHECK_EQ((uintptr_t)item, i);
    }
    check_join(&waiter.thread);
    CHECK_EQ(waiter.count, 4);
    start_waiters(&waiter, 1, ring, wait_to_remove_many);
    put(ring, 7);
    check_join(&waiter.thread);
    CHECK_OK(waiter.status);
    CHECK_EQ(waiter.count, 1);
    CHECK_EQ((uintptr_t)waiter.items[0], 7);
    CHECK_EQ(lido_ring_remove_many(ring, LIDO_SECONDS(1), 4, waiter.items), 0);
    CHECK_EQ(lido_last_status(), LIDO_ERR_TIMEOUT);
    CHECK_OK(lido_ring_destroy(ring));
}

static void sleepers_that_wake_for_no_reason_sleep_on(void **state) {
    (void)state;
    struct waiter waiters[3];
    check__time.spurious_every = 2;
    each_item_wakes_one_who_sleeps(state);
    lido_ring *ring = ring_of(2);
    start_waiters(waiters, 3, ring, wait_to_remove);
    lido_ring_close(ring);
    for (int i = 0; i < 3; i++) {
        check_join(&waiters[i].thread);
        CHECK_EQ(waiters[i].status, LIDO_ERR_CLOSED);
    }
    CHECK_OK(lido_ring_destroy(ring));
}

static void close_wakes_all_who_sleep(void **state) {
    (void)state;
    struct waiter waiters[4];
    lido_ring *ring = ring_of(2);
    start_waiters(waiters, 4, ring, wait_to_remove);
    lido_ring_close(ring);
    for (int i = 0; i < 4; i++) {
        check_join(&waiters[i].thread);
        CHECK_EQ(waiters[i].status, LIDO_ERR_CLOSED);
        CHECK(waiters[i].items[0] == NULL);
    }
    CHECK_OK(lido_ring_destroy(ring));
    ring = ring_of(2);
    put(ring, 1);
    put(ring, 2);
    start_waiters(waiters, 4, ring, wait_to_insert);
    lido_ring_close(ring);
    for (int i = 0; i < 4; i++) {
        check_join(&waiters[i].thread);
        CHECK_EQ(waiters[i].status, LIDO_ERR_CLOSED);
    }
    get(ring, 1);
    get(ring, 2);
    CHECK_OK(lido_ring_destroy(ring));
}

/* I5 of R2: a bell that was watched once is not watched for ever, and can be again. */
static void a_bell_that_nobody_sleeps_on_is_left_alone_again(void **state) {
    (void)state;
    struct waiter waiter;
    lido_ring *ring = ring_of(2);
    bool has_barrier = lido__load(&ring->items_watched, relaxed) == LIDO__BELL_OFF;
    for (int round = 0; round < 3; round++) {
        start_waiters(&waiter, 1, ring, wait_to_remove);
        CHECK_EQ(lido__load(&ring->items_watched, relaxed), LIDO__BELL_ON);
        put(ring, 1);
        check_join(&waiter.thread);
        CHECK_OK(waiter.status);
        for (uint64_t i = 0; i < 2000; i++) {
            put(ring, i);
            get(ring, i);
        }
        if (has_barrier)
            CHECK_EQ(lido__load(&ring->items_watched, relaxed), LIDO__BELL_OFF);
    }
    CHECK_OK(lido_ring_destroy(ring));
}

static int barrier_calls, barrier_errno;

static int count_barrier(void) {
    barrier_calls++;
    return barrier_errno;
}

/* When membarrier goes away in a running process, sleepers look by themselves now and then. */
static void sleepers_get_along_when_membarrier_goes_away(void **state) {
    (void)state;
    struct waiter waiter;
    lido_ring *ring = ring_of(2);
    if (lido__load(&ring->items_watched, relaxed) != LIDO__BELL_OFF) {
        print_message("    this system has no membarrier to take away\n");
        CHECK_OK(lido_ring_destroy(ring));
        skip();
    }
    barrier_errno = 1;
    lido__sys.barrier = lido__sys.barrier_register = count_barrier;
    waiter = (struct waiter){.ring = ring, .timeout_ns = LIDO_SECONDS(1)};
    check_in_thread(wait_to_remove, &waiter);
    CHECK_EQ(waiter.status, LIDO_ERR_TIMEOUT);
    CHECK(barrier_calls > 0);
    CHECK_EQ(lido__load(&ring->items_watched, relaxed), LIDO__BELL_ON);
    start_waiters(&waiter, 1, ring, wait_to_remove);
    put(ring, 5);
    check_join(&waiter.thread);
    CHECK_EQ((uintptr_t)waiter.items[0], 5);
    CHECK_OK(lido_ring_destroy(ring));
}

/* ---- The descriptor ------------------------------------------------------------------------ */

static bool is_readable(int descriptor) {
    struct pollfd ask = {.fd = descriptor, .events = POLLIN};
    return poll(&ask, 1, 0) == 1;
}

static void the_descriptor_tells_once_what_it_was_armed_for(void **state) {
    (void)state;
    lido_ring *ring = ring_of(4);
    int descriptor = -1, same = -1;
    CHECK(!lido_ring_arm(ring));
    CHECK_OK(lido_ring_open_descriptor(ring, &descriptor));
    CHECK_OK(lido_ring_open_descriptor(ring, &same));
    CHECK_EQ(same, descriptor);
    put(ring, 1);
    CHECK(!is_readable(descriptor));
    CHECK(!lido_ring_arm(ring));
    get(ring, 1);
    CHECK(lido_ring_arm(ring));
    CHECK(!is_readable(descriptor));
    put(ring, 2);
    CHECK(is_readable(descriptor));
    get(ring, 2);
    CHECK(lido_ring_arm(ring));
    CHECK(!is_readable(descriptor));
    lido_ring_close(ring);
    CHECK(is_readable(descriptor));
    CHECK(!lido_ring_arm(ring));
    CHECK_OK(lido_ring_destroy(ring));
    CHECK_EQ(fcntl(descriptor, F_GETFD), -1);
}

/* ---- Watching ------------------------------------------------------------------------------ */

static void figures_reach_as_far_as_asked(void **state) {
    (void)state;
    lido_ring *ring = ring_of(8);
    lido_ring_stats stats = {0};
    CHECK_FAILS(lido_ring_read_stats(ring, &stats), LIDO_ERR_ARGUMENT, "struct_size");
    CHECK_FAILS(lido_ring_read_stats(ring, NULL), LIDO_ERR_ARGUMENT, "is NULL");
    stats.struct_size = offsetof(lido_ring_stats, capacity);
    put(ring, 1);
    CHECK_OK(lido_ring_read_stats(ring, &stats));
    CHECK_EQ(stats.length, 1);
    CHECK_EQ(stats.capacity, 0);
    CHECK_EQ(stats_of(ring).capacity, 8);
    CHECK(stats_of(ring).overhead_bytes >= 8 * 2 * sizeof(void *));
    get(ring, 1);
    CHECK_OK(lido_ring_destroy(ring));
}

/* ---- Fork, cancellation, failures ------------------------------------------------------------ */

static void go_on_in_child(void *context) {
    lido_ring *ring = context;
    int descriptor = -1;
    CHECK_EQ(stats_of(ring).removers_waiting, 0);
    CHECK_EQ(stats_of(ring).length, 2);
    get(ring, 11);
    get(ring, 13);
    for (uint64_t i = 0; i < 100; i++) {
        put(ring, i);
        put(ring, i + 1);
        get(ring, i);
        get(ring, i + 1);
    }
    CHECK_OK(lido_ring_open_descriptor(ring, &descriptor));
    CHECK(lido_ring_arm(ring));
    CHECK_OK(lido_ring_destroy(ring));
}

/* Four slots: one that a thread has just claimed to read, an item, one just claimed to be filled,
 * an item. The gaps are made by hand, as a thread leaves them that is preempted in its call. */
static void a_forked_child_has_the_items_that_were_whole(void **state) {
    (void)state;
    lido_ring *ring = ring_of(4);
    int descriptor = -1;
    void *read_by_another = NULL;
    CHECK_OK(lido_ring_open_descriptor(ring, &descriptor));
    for (uint64_t i = 10; i < 14; i++)
        put(ring, i);
    lido__store(&ring->head, 1, relaxed);          /* 10 is being read */
    lido__store(&ring->slots[2].turn, 2, relaxed); /* 12 is being written */
    CHECK_EQ(check_child(go_on_in_child, ring), 0);
    lido__store(&ring->slots[2].turn, 3, relaxed);
    lido__store(&ring->slots[0].turn, 4, relaxed);
    for (uint64_t i = 11; i < 14; i++)
        get(ring, i);
    CHECK_EQ(lido_ring_try_remove(ring, &read_by_another), LIDO_ERR_EMPTY);
    CHECK_OK(lido_ring_destroy(ring));
}

static void fork_while_others_sleep(void **state) {
    (void)state;
    struct waiter waiters[2];
    lido_ring *ring = ring_of(4);
    start_waiters(waiters, 2, ring, wait_to_remove);
    CHECK_EQ(check_child((void (*)(void *))lido_ring_close, ring), 0);
    CHECK_EQ(stats_of(ring).removers_waiting, 2);
    put(ring, 1);
    put(ring, 2);
    check_join(&waiters[0].thread);
    check_join(&waiters[1].thread);
    CHECK_OK(lido_ring_destroy(ring));
}

static void cancellation_does_not_interrupt_a_wait(void **state) {
    (void)state;
    struct waiter waiter;
    lido_ring *ring = ring_of(2);
    start_waiters(&waiter, 1, ring, wait_to_remove);
    CHECK_EQ(pthread_cancel(waiter.thread.id), 0);
    put(ring, 3);
    check_join(&waiter.thread);
    CHECK_EQ((uintptr_t)waiter.items[0], 3);
    CHECK_EQ(stats_of(ring).removers_waiting, 0);
    CHECK_EQ(stats_of(ring).length, 0);
    CHECK_OK(lido_ring_destroy(ring));
}

static void make_use_and_end(void *unused) {
    (void)unused;
    lido_ring *ring = NULL;
    int descriptor = -1;
    lido_status status = lido_ring_create(LIDO_RING_OPTIONS(.name = "jobs", .capacity = 64), &ring);
    CHECK(status == LIDO_OK || status == LIDO_ERR_NO_MEMORY || status == LIDO_ERR_SYSTEM);
    CHECK((status == LIDO_OK) == (ring != NULL));
    if (status != LIDO_OK) {
        CHECK_EQ(lido_last_status(), status);
        return;
    }
    status = lido_ring_open_descriptor(ring, &descriptor);
    CHECK(status == LIDO_OK || status == LIDO_ERR_SYSTEM);
    CHECK((status == LIDO_OK) == (descriptor >= 0));
    CHECK_EQ(lido_ring_arm(ring), status == LIDO_OK);
    put(ring, 1);
    get(ring, 1);
    CHECK_OK(lido_ring_destroy(ring));
}

static void every_failure_of_the_system_is_told_and_leaves_nothing(void **state) {
    (void)state;
    check_sweep(make_use_and_end, NULL);
}

static void calls_that_need_not_wait_ask_the_system_for_nothing(void **state) {
    (void)state;
    lido_ring *ring = ring_of(64);
    void *items[8] = {NULL};
    uint64_t before = check_memory_calls();
    barrier_calls = 0;
    lido__sys.barrier = count_barrier;
    for (uint64_t i = 0; i < 5000; i++) {
        put(ring, i);
        CHECK_EQ(lido_ring_try_insert_many(ring, 8, items), 8);
        get(ring, i);
        CHECK_EQ(lido_ring_remove_many(ring, LIDO_FOREVER, 8, items), 8);
    }
    CHECK_EQ(check_memory_calls(), before);
    CHECK_EQ(barrier_calls, 0);
    CHECK_OK(lido_ring_destroy(ring));
}

CHECK_MAIN(TEST(a_capacity_that_does_not_fit_is_refused_and_a_good_one_is_named),
           TEST(wrong_options_are_refused), TEST(a_ring_is_listed_until_it_is_destroyed),
           TEST(a_ring_with_items_in_it_is_not_destroyed),
           TEST(a_closed_ring_takes_nothing_and_gives_what_it_has), TEST(a_full_ring_closes_too),
           TEST(full_and_empty_are_told_and_take_nothing), TEST(many_go_in_as_far_as_there_is_room),
           TEST(random_calls_agree_with_a_slow_model), TEST(a_wait_ends_at_its_deadline),
           TEST(each_item_wakes_one_who_sleeps), TEST(each_removal_wakes_one_who_sleeps_for_room),
           TEST(many_wait_for_room_in_parts_and_for_the_first_item),
           TEST(sleepers_that_wake_for_no_reason_sleep_on), TEST(close_wakes_all_who_sleep),
           TEST(a_bell_that_nobody_sleeps_on_is_left_alone_again),
           TEST(the_descriptor_tells_once_what_it_was_armed_for),
           TEST(figures_reach_as_far_as_asked), TEST(a_forked_child_has_the_items_that_were_whole),
           TEST(fork_while_others_sleep), TEST(cancellation_does_not_interrupt_a_wait),
           TEST(every_failure_of_the_system_is_told_and_leaves_nothing),
           TEST(calls_that_need_not_wait_ask_the_system_for_nothing),
           TEST(sleepers_get_along_when_membarrier_goes_away))
