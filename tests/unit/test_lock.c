/* SPDX-License-Identifier: MIT
 * lido/lock.h: mutexes, in the header's order; then what they tell. rwlock, condition and profile
 * are in test_lock_rw.c and test_lock_profile.c. */
#include "check.h"

#include "lock/internal.h"

#include <lido/lock.h>
#include <lido/object_pool.h>

static lido_mutex stands_alone = LIDO_MUTEX_INIT("alone");

struct shared {
    lido_mutex *mutex, *second;
    struct check_gate taken, go;
    const char *site, *waits_at;
    uint64_t timeout_ns;
    lido_status status;
};

static lido_lock_stats stats_of(const lido_mutex *mutex) {
    lido_lock_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_mutex_read_stats(mutex, &stats));
    return stats;
}

/* Holds the mutex until told to go on. */
static void hold(void *context) {
    struct shared *shared = context;
    CHECK_OK(lido_mutex_lock_at(shared->mutex, shared->site ? shared->site : "holder.c:1"));
    check_gate_pass(&shared->taken);
    CHECK_OK(lido_mutex_unlock(shared->mutex));
}

static void wait_for(void *context) {
    struct shared *shared = context;
    shared->status = lido_mutex_lock_for_at(shared->mutex, shared->timeout_ns, shared->site);
    if (shared->status == LIDO_OK)
        CHECK_OK(lido_mutex_unlock(shared->mutex));
}

/* One thread holds the lock until the other one sleeps for it. */
static void meet(void (*holds)(void *), struct shared *holder, struct shared *waiter) {
    struct check_thread threads[2];
    check_start(&threads[0], holds, holder);
    check_gate_await(&holder->taken, 1);
    check_start(&threads[1], wait_for, waiter);
    check_await_sleepers(1);
    check_gate_open(&holder->taken);
    check_join(&threads[0]);
    check_join(&threads[1]);
}

/* ---- A thread's first lock --------------------------------------------------------------- */

static int create_object(void *context, void **object) {
    *object = context;
    return 0;
}

static void destroys_what_it_holds(void *context) {
    CHECK_FAILS(lido_mutex_destroy(context), LIDO_ERR_BUSY, "held");
}

/* It is known as a thread by then, but not as one that holds locks. To find anything, this must be the
 * first test: what it waits to be told is told once. */
static void who_came_to_a_pool_before_holds_its_first_lock_in_a_child(void **state) {
    (void)state;
    lido_object_pool *pool;
    lido_lease lease, other;
    lido_mutex mutex = LIDO_MUTEX_INIT("first");
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.object_limit = 1, .create = create_object, .context = &mutex),
        &pool));
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_FAILS(lido_object_pool_acquire(pool, 1, &other), LIDO_ERR_DEADLOCK, "never end");
    CHECK_OK(lido_mutex_lock(&mutex));
    CHECK_EQ(check_child(destroys_what_it_holds, &mutex), 0);
    CHECK_OK(lido_mutex_unlock(&mutex));
    CHECK_OK(lido_mutex_destroy(&mutex));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_destroy(pool));
}

/* ---- Life -------------------------------------------------------------------------------- */

static void a_mutex_in_a_structure_needs_no_more_than_its_initialiser(void **state) {
    (void)state;
    CHECK_OK(lido_mutex_lock(&stands_alone));
    CHECK_OK(lido_mutex_unlock(&stands_alone));
    CHECK_OK(lido_mutex_destroy(&stands_alone));
}

static void a_mutex_of_zeroes_is_unlocked(void **state) {
    (void)state;
    lido_mutex mutex;
    memset(&mutex, 0, sizeof mutex);
    CHECK_OK(lido_mutex_lock(&mutex));
    CHECK_FAILS(lido_mutex_try_lock(&mutex), LIDO_ERR_BUSY, "unnamed");
    CHECK_OK(lido_mutex_unlock(&mutex));
    CHECK_OK(lido_mutex_destroy(&mutex));
}

static void a_created_mutex_is_listed_until_it_is_destroyed(void **state) {
    (void)state;
    lido_mutex *mutex;
    lido_resource r = LIDO_RESOURCE;
    CHECK_OK(lido_mutex_create_at(LIDO_MUTEX_OPTIONS(.name = "orders", .owner = "shop"), &mutex,
                                  "shop.c:7"));
    CHECK(lido_registry_next(0, &r));
    CHECK(strcmp(r.kind, "mutex") == 0);
    CHECK(strcmp(r.name, "orders") == 0);
    CHECK(strcmp(r.owner, "shop") == 0);
    CHECK(strcmp(r.made_at, "shop.c:7") == 0);
    CHECK_OK(lido_mutex_lock(mutex));
    CHECK_OK(lido_mutex_unlock(mutex));
    CHECK_OK(lido_mutex_destroy(mutex));
    CHECK_EQ(lido_registry_count(), 0);
}

static void bad_options_are_refused(void **state) {
    (void)state;
    lido_mutex *mutex = &stands_alone;
    char name[LIDO_NAME_BYTES + 1];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK_FAILS(lido_mutex_create(LIDO_MUTEX_OPTIONS(.name = name), &mutex), LIDO_ERR_ARGUMENT,
                "name");
    CHECK(mutex == NULL);
    CHECK_FAILS(lido_mutex_create(LIDO_MUTEX_OPTIONS(.owner = "a\nb"), &mutex), LIDO_ERR_ARGUMENT,
                "owner");
    CHECK_FAILS(lido_mutex_create(&(lido_mutex_options){.struct_size = 0}, &mutex),
                LIDO_ERR_ARGUMENT, "struct_size");
    struct {
        lido_mutex_options options;
        uint64_t later;
    } newer = {.options = {.struct_size = sizeof newer}, .later = 1};
    CHECK_FAILS(lido_mutex_create(&newer.options, &mutex), LIDO_ERR_UNSUPPORTED, "newer library");
}

static void destroy_refuses_a_held_mutex_and_accepts_null(void **state) {
    (void)state;
    lido_mutex *mutex;
    CHECK_OK(lido_mutex_destroy(NULL));
    CHECK_OK(lido_mutex_create(LIDO_MUTEX_OPTIONS(.name = "busy"), &mutex));
    CHECK_OK(lido_mutex_lock_at(mutex, "here.c:3"));
    CHECK_FAILS(lido_mutex_destroy(mutex), LIDO_ERR_BUSY, "here.c:3");
    CHECK_OK(lido_mutex_unlock(mutex));
    CHECK_OK(lido_mutex_destroy(mutex));
}

static void make_and_use(void *context) {
    (void)context;
    lido_mutex *mutex;
    if (lido_mutex_create(LIDO_MUTEX_OPTIONS(.name = "swept"), &mutex) != LIDO_OK)
        return;
    CHECK_OK(lido_mutex_lock(mutex));
    CHECK_OK(lido_mutex_unlock(mutex));
    CHECK_OK(lido_mutex_destroy(mutex));
}

static void contend(void *context) {
    (void)context;
    lido_mutex mutex = LIDO_MUTEX_INIT("swept and waited for");
    struct shared holder = {.mutex = &mutex};
    struct shared waiter = {.mutex = &mutex, .timeout_ns = LIDO_FOREVER, .site = "w.c:1"};
    meet(hold, &holder, &waiter);
    CHECK_EQ(waiter.status, LIDO_OK);
    CHECK_EQ(stats_of(&mutex).acquired, 2);
    CHECK_EQ(stats_of(&mutex).contended, 1);
    CHECK_OK(lido_mutex_destroy(&mutex));
}

static void a_mutex_works_when_the_system_refuses(void **state) {
    (void)state;
    check_sweep(make_and_use, NULL);
    check_sweep(contend, NULL);
}

/* ---- Locking ----------------------------------------------------------------------------- */

static void a_lock_that_is_held_is_refused_by_try_and_by_deadline(void **state) {
    (void)state;
    lido_mutex mutex = LIDO_MUTEX_INIT("till");
    struct shared holder = {.mutex = &mutex, .site = "till.c:9"};
    struct check_thread thread;
    check_start(&thread, hold, &holder);
    check_gate_await(&holder.taken, 1);
    CHECK_FAILS(lido_mutex_try_lock(&mutex), LIDO_ERR_BUSY, "till.c:9");
    uint64_t start_ns = lido_now_ns();
    CHECK_FAILS(lido_mutex_lock_for(&mutex, LIDO_MILLISECONDS(5)), LIDO_ERR_TIMEOUT,
                "waited 5 ms; held, locked at till.c:9");
    CHECK_EQ(lido_now_ns() - start_ns, LIDO_MILLISECONDS(5));
    CHECK_FAILS(lido_mutex_lock_until(&mutex, lido_now_ns() + 17), LIDO_ERR_TIMEOUT, "17 ns");
    CHECK_FAILS(lido_mutex_lock_for(&mutex, 0), LIDO_ERR_TIMEOUT, "till");
    CHECK_EQ(stats_of(&mutex).given_up, 4);
    CHECK_EQ(stats_of(&mutex).acquired, 1);
    CHECK_EQ(stats_of(&mutex).waiting, 0);
    CHECK_HAS(stats_of(&mutex).holder_site, "till.c:9");
    check_gate_open(&holder.taken);
    check_join(&thread);
    CHECK(stats_of(&mutex).holder_site == NULL);
    CHECK_OK(lido_mutex_lock_for(&mutex, 0));
    CHECK_OK(lido_mutex_unlock(&mutex));
    CHECK_OK(lido_mutex_destroy(&mutex));
}

static void who_waits_gets_it_when_it_is_unlocked(void **state) {
    (void)state;
    for (int spurious = 0; spurious < 2; spurious++) {
        check__time.spurious_every = spurious * 2;
        contend(NULL);
    }
}

static void unlock_from_outside(void *mutex) {
    CHECK_FAILS(lido_mutex_unlock(mutex), LIDO_ERR_NOT_HELD, "mine.c:1");
}

static void only_the_holder_unlocks(void **state) {
    (void)state;
    lido_mutex mutex = LIDO_MUTEX_INIT("mine");
    CHECK_FAILS(lido_mutex_unlock(&mutex), LIDO_ERR_NOT_HELD, "mine");
    CHECK_OK(lido_mutex_lock_at(&mutex, "mine.c:1"));
    check_in_thread(unlock_from_outside, &mutex);
    CHECK_OK(lido_mutex_unlock(&mutex));
    CHECK_FAILS(lido_mutex_unlock(&mutex), LIDO_ERR_NOT_HELD, "locked last at mine.c:1");
    CHECK_OK(lido_mutex_destroy(&mutex));
}

static void a_second_lock_by_the_holder_is_refused(void **state) {
    (void)state;
    lido_mutex mutex = LIDO_MUTEX_INIT("twice");
    CHECK_OK(lido_mutex_lock_at(&mutex, "first.c:1"));
    CHECK_FAILS(lido_mutex_lock_at(&mutex, "second.c:2"), LIDO_ERR_DEADLOCK,
                "locked at first.c:1, and would wait for itself at second.c:2");
    CHECK_FAILS(lido_mutex_lock_for(&mutex, 5), LIDO_ERR_DEADLOCK, "twice");
    CHECK_FAILS(lido_mutex_try_lock(&mutex), LIDO_ERR_BUSY, "twice");
    CHECK_OK(lido_mutex_unlock(&mutex));
    CHECK_OK(lido_mutex_destroy(&mutex));
}

static void many_locks_are_held_at_once_and_unlocked_in_any_order(void **state) {
    (void)state;
    enum { LOCKS = 20 };
    lido_mutex locks[LOCKS];
    struct check_random random = check_random_start(1);
    int order[LOCKS];
    memset(locks, 0, sizeof locks);
    for (int i = 0; i < LOCKS; i++) {
        CHECK_OK(lido_mutex_lock(&locks[i]));
        int at = (int)check_random_below(&random, (uint64_t)i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (int i = 0; i < LOCKS; i++) {
        CHECK_OK(lido_mutex_unlock(&locks[order[i]]));
        CHECK_FAILS(lido_mutex_unlock(&locks[order[i]]), LIDO_ERR_NOT_HELD, "unnamed");
    }
}

/* ---- Circles ----------------------------------------------------------------------------- */

/* Locks its mutex, then, when all have theirs, the second one. */
static void lock_two(void *context) {
    struct shared *shared = context;
    CHECK_OK(lido_mutex_lock_at(shared->mutex, shared->site));
    check_gate_pass(&shared->taken);
    shared->status = lido_mutex_lock_at(shared->second, shared->waits_at);
    if (shared->status == LIDO_OK)
        CHECK_OK(lido_mutex_unlock(shared->second));
    CHECK_OK(lido_mutex_unlock(shared->mutex));
}

/* `count` threads, each holding one lock; all but the last wait for the next one's already. */
static void close_a_circle_of(int count) {
    enum { MOST = 12 };
    lido_mutex locks[MOST];
    struct shared shared[MOST];
    struct check_thread threads[MOST];
    memset(locks, 0, sizeof locks);
    memset(shared, 0, sizeof shared);
    for (int i = 0; i < count; i++) {
        shared[i] = (struct shared){.mutex = &locks[i],
                                    .second = &locks[(i + 1) % count],
                                    .site = i ? "other.c:1" : "first.c:1",
                                    .waits_at = i ? "other.c:2" : "second.c:1"};
        if (i == count - 1)
            break;
        check_start(&threads[i], lock_two, &shared[i]);
        check_gate_await(&shared[i].taken, 1);
    }
    CHECK_OK(lido_mutex_lock(&locks[count - 1]));
    for (int i = 0; i < count - 1; i++) {
        check_gate_open(&shared[i].taken);
        check_await_sleepers(i + 1);
    }
    char circle[40];
    snprintf(circle, sizeof circle, "in the circle: %d", count);
    CHECK_FAILS(lido_mutex_lock(&locks[0]), LIDO_ERR_DEADLOCK, circle);
    CHECK_ERROR_HAS("locked it at first.c:1 and waits at second.c:1");
    CHECK_OK(lido_mutex_unlock(&locks[count - 1]));
    for (int i = 0; i < count - 1; i++) {
        check_join(&threads[i]);
        CHECK_EQ(shared[i].status, LIDO_OK);
    }
    for (int i = 0; i < count; i++)
        CHECK_OK(lido_mutex_destroy(&locks[i]));
}

static void whoever_closes_a_circle_is_told_and_the_others_go_on(void **state) {
    (void)state;
    close_a_circle_of(2);
    close_a_circle_of(3);
    close_a_circle_of(4);
    close_a_circle_of(12); /* more than a message can know of */
}

static void a_chain_that_ends_in_a_running_thread_is_no_circle(void **state) {
    (void)state;
    lido_mutex a = LIDO_MUTEX_INIT("a"), b = LIDO_MUTEX_INIT("b"), c = LIDO_MUTEX_INIT("c");
    struct shared first = {.mutex = &a, .second = &b, .site = "a.c:1"};
    struct shared second = {.mutex = &b, .second = &c, .site = "b.c:1"};
    struct check_thread threads[2];
    CHECK_OK(lido_mutex_lock(&c));
    check_start(&threads[0], lock_two, &first);
    check_start(&threads[1], lock_two, &second);
    check_gate_await(&first.taken, 1);
    check_gate_await(&second.taken, 1);
    check_gate_open(&second.taken);
    check_await_sleepers(1);
    check_gate_open(&first.taken);
    check_await_sleepers(2);
    CHECK_OK(lido_mutex_unlock(&c));
    check_join(&threads[0]);
    check_join(&threads[1]);
    CHECK_EQ(first.status, LIDO_OK);
    CHECK_EQ(second.status, LIDO_OK);
    CHECK_OK(lido_mutex_destroy(&b));
    CHECK_OK(lido_mutex_destroy(&c));
}

/* ---- Ends: of threads, of processes ------------------------------------------------------ */

static void lock_and_end(void *context) {
    struct shared *shared = context;
    CHECK_OK(lido_mutex_lock_at(shared->mutex, "dead.c:1"));
    check_gate_pass(&shared->taken);
}

static void a_lock_whose_holder_ended_is_refused_to_all(void **state) {
    (void)state;
    lido_mutex mutex = LIDO_MUTEX_INIT("grave");
    struct shared holder = {.mutex = &mutex};
    struct shared waiter = {.mutex = &mutex, .timeout_ns = LIDO_FOREVER, .site = "w.c:1"};
    meet(lock_and_end, &holder, &waiter);
    CHECK_EQ(waiter.status, LIDO_ERR_DEADLOCK);
    CHECK_FAILS(lido_mutex_lock(&mutex), LIDO_ERR_DEADLOCK, "has ended while it held it");
    CHECK_ERROR_HAS("dead.c:1");
    CHECK_FAILS(lido_mutex_unlock(&mutex), LIDO_ERR_NOT_HELD, "dead.c:1");
    CHECK_EQ(stats_of(&mutex).waiting, 0);
    CHECK_OK(lido_mutex_destroy(&mutex));
}

static void lock_and_die(void *context) {
    CHECK_OK(lido_mutex_lock_at(context, "dead.c:2"));
}

/* However many ended so after it. */
static void the_first_of_many_that_ended_is_not_forgotten(void **state) {
    (void)state;
    enum { MANY = 100 };
    static lido_mutex graves[MANY];
    for (int i = 0; i < MANY; i++)
        check_in_thread(lock_and_die, &graves[i]);
    for (int i = 0; i < MANY; i++) {
        CHECK_FAILS(lido_mutex_lock_for(&graves[i], LIDO_SECONDS(1)), LIDO_ERR_DEADLOCK,
                    "has ended while it held it, locked at dead.c:2");
        CHECK_OK(lido_mutex_destroy(&graves[i]));
    }
}

struct family {
    lido_mutex *mine, *others;
};

static void use_what_was_held(void *context) {
    struct family *family = context;
    CHECK_OK(lido_mutex_unlock(family->mine));
    CHECK_OK(lido_mutex_lock(family->mine));
    CHECK_FAILS(lido_mutex_lock(family->others), LIDO_ERR_DEADLOCK, "others");
    CHECK_FAILS(lido_mutex_lock(family->mine), LIDO_ERR_DEADLOCK, "itself");
    CHECK_OK(lido_mutex_unlock(family->mine));
}

static void a_child_holds_what_its_thread_held(void **state) {
    (void)state;
    lido_mutex mine = LIDO_MUTEX_INIT("mine"), others = LIDO_MUTEX_INIT("others");
    struct family family = {&mine, &others};
    struct shared holder = {.mutex = &others};
    struct check_thread thread;
    CHECK_OK(lido_mutex_lock(&mine));
    check_start(&thread, hold, &holder);
    check_gate_await(&holder.taken, 1);
    CHECK_EQ(check_child(use_what_was_held, &family), 0);
    check_gate_open(&holder.taken);
    check_join(&thread);
    CHECK_OK(lido_mutex_unlock(&mine));
}

/* In the middle of lock or unlock a thread is not yet, or no more, the owner. */
static void a_lock_that_fork_caught_half_taken_is_refused_in_the_child(void **state) {
    (void)state;
    lido_mutex mine = LIDO_MUTEX_INIT("mine"), others = LIDO_MUTEX_INIT("others");
    struct lido__lock_head *half_taken = (struct lido__lock_head *)(void *)&others;
    CHECK_OK(lido_mutex_lock(&mine));
    CHECK(lido__word_take(&half_taken->word, lido__word_held));
    CHECK_EQ(check_child(use_what_was_held, &(struct family){&mine, &others}), 0);
    CHECK_FAILS(lido_mutex_try_lock(&others), LIDO_ERR_BUSY, "held");
    CHECK(!lido__word_drop(&half_taken->word));
    CHECK_OK(lido_mutex_lock(&others));
    CHECK_OK(lido_mutex_unlock(&others));
    CHECK_OK(lido_mutex_unlock(&mine));
    CHECK_OK(lido_mutex_destroy(&mine));
    CHECK_OK(lido_mutex_destroy(&others));
}

/* The thread that was woken for it is not here: after a moment others take it, and all is as before. */
static void a_lock_kept_for_a_thread_that_is_gone_is_taken_after_a_moment(void **state) {
    (void)state;
    lido_mutex mutex = LIDO_MUTEX_INIT("kept");
    struct lido__lock_head *head = (struct lido__lock_head *)(void *)&mutex;
    head->word = LIDO__KEPT;
    CHECK_FAILS(lido_mutex_try_lock(&mutex), LIDO_ERR_BUSY, "kept");
    CHECK_OK(lido_mutex_lock_for(&mutex, LIDO_SECONDS(1)));
    CHECK_OK(lido_mutex_unlock(&mutex));
    CHECK_OK(lido_mutex_try_lock(&mutex));
    CHECK_OK(lido_mutex_unlock(&mutex));
    CHECK_OK(lido_mutex_destroy(&mutex));
}

/* Nobody else is there who could take it first: neither a short wait nor a try may fail for ever. */
static void take_the_kept(void *context) {
    lido_mutex *mutex = context;
    struct lido__lock_head *head = (struct lido__lock_head *)context;
    CHECK_OK(lido_mutex_lock_for(mutex, LIDO_MICROSECONDS(500)));
    CHECK_OK(lido_mutex_unlock(mutex));
    head->word = LIDO__KEPT;
    CHECK_OK(lido_mutex_try_lock(mutex));
    CHECK_OK(lido_mutex_unlock(mutex));
    CHECK_OK(lido_mutex_try_lock(mutex));
    CHECK_OK(lido_mutex_unlock(mutex));
}

static void a_lock_that_fork_caught_kept_is_taken_in_the_child(void **state) {
    (void)state;
    lido_mutex mutex = LIDO_MUTEX_INIT("kept");
    struct lido__lock_head *head = (struct lido__lock_head *)(void *)&mutex;
    head->word = LIDO__KEPT;
    CHECK_EQ(check_child(take_the_kept, &mutex), 0);
    CHECK_OK(lido_mutex_lock(&mutex));
    CHECK_OK(lido_mutex_unlock(&mutex));
    CHECK_OK(lido_mutex_destroy(&mutex));
}

/* ---- Figures ----------------------------------------------------------------------------- */

static void figures_need_their_size(void **state) {
    (void)state;
    lido_lock_stats stats = {.struct_size = 0};
    CHECK_FAILS(lido_mutex_read_stats(&stands_alone, &stats), LIDO_ERR_ARGUMENT, "struct_size");
}

/* Three threads sleep for a lock that is held for 8 ms after the last has come. */
static void waits_are_counted_timed_and_charged_to_the_holder(void **state) {
    (void)state;
    enum { WAITERS = 3 };
    lido_mutex mutex = LIDO_MUTEX_INIT("charged");
    struct shared holder = {.mutex = &mutex, .site = "slow.c:1"};
    struct shared waiters[WAITERS];
    struct check_thread threads[WAITERS + 1];
    check_start(&threads[WAITERS], hold, &holder);
    check_gate_await(&holder.taken, 1);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] =
            (struct shared){.mutex = &mutex, .timeout_ns = LIDO_FOREVER, .site = "fast.c:1"};
        check_start(&threads[i], wait_for, &waiters[i]);
        check_await_sleepers(i + 1);
    }
    CHECK_EQ(stats_of(&mutex).waiting, WAITERS);
    check_advance(LIDO_MILLISECONDS(8));
    check_gate_open(&holder.taken);
    for (int i = 0; i <= WAITERS; i++)
        check_join(&threads[i]);
    lido_lock_stats stats = stats_of(&mutex);
    CHECK_EQ(stats.acquired, 1 + WAITERS);
    CHECK_EQ(stats.contended, WAITERS);
    CHECK_EQ(stats.waits, WAITERS);
    CHECK_EQ(stats.wait_total_ns, LIDO_MILLISECONDS(8) * WAITERS);
    CHECK_EQ(stats.wait_max_ns, LIDO_MILLISECONDS(8));
    CHECK_EQ(stats.wait_p99_ns, LIDO_MILLISECONDS(8));
    CHECK_EQ(stats.blamed_ns, LIDO_MILLISECONDS(8) * WAITERS);
    CHECK_EQ((uint64_t)(stats.first_look * 100), 25);
    CHECK_EQ((uint64_t)stats.events_per_1000, 750);
    uint64_t waits[8] = {0};
    CHECK_EQ(lido_mutex_read_waits(&mutex, 8, waits), WAITERS);
    CHECK_EQ(waits[0], LIDO_MILLISECONDS(8));
    CHECK_EQ(lido_mutex_read_waits(&mutex, 2, waits), 2);
    CHECK_OK(lido_mutex_destroy(&mutex));
}

static void holding_is_timed_once_in_1024(void **state) {
    (void)state;
    lido_mutex mutex = LIDO_MUTEX_INIT("timed");
    contend(NULL);
    for (int i = 1; i <= 4096; i++) {
        CHECK_OK(lido_mutex_lock(&mutex));
        check_advance(i % 1024 == 0 ? 500 : 1);
        CHECK_OK(lido_mutex_unlock(&mutex));
    }
    lido_profile_class row = LIDO_PROFILE_CLASS;
    lido_profile *profile;
    CHECK_OK(lido_profile_start(&profile));
    for (int i = 1; i <= 2048; i++) {
        CHECK_OK(lido_mutex_lock(&mutex));
        check_advance(i % 1024 == 0 ? 700 : 1);
        CHECK_OK(lido_mutex_unlock(&mutex));
    }
    CHECK_OK(lido_profile_stop(profile));
    CHECK(lido_profile_read_class(profile, 0, &row));
    CHECK(strcmp(row.name, "timed") == 0);
    CHECK_EQ(row.acquired, 2048);
    CHECK_EQ(row.hold_samples, 2);
    CHECK_EQ(row.hold_total_ns, 1400);
    lido_profile_destroy(profile);
}

static void the_classes_taken_last_are_known(void **state) {
    (void)state;
    const char *names[10];
    lido_mutex a = LIDO_MUTEX_INIT("first"), b = LIDO_MUTEX_INIT(LIDO_HERE);
    for (int i = 0; i < 9; i++) {
        CHECK_OK(lido_mutex_lock(&a));
        CHECK_OK(lido_mutex_lock(&b));
        CHECK_OK(lido_mutex_unlock(&b));
        CHECK_OK(lido_mutex_unlock(&a));
    }
    CHECK_OK(lido_mutex_lock(&b));
    CHECK_EQ(lido_lock_recent(10, names), 8);
    CHECK_HAS(names[0], "test_lock.c");
    CHECK(strcmp(names[1], "first") == 0); /* not twice what came twice in a row */
    CHECK_EQ(lido_lock_recent(1, names), 1);
    CHECK_OK(lido_mutex_unlock(&b));
}

/* A mutex without a name is one of the classes, also in a thread that has taken nothing else. */
static void take_nameless(void *context) {
    const char *names[2];
    lido_mutex *nameless = context;
    CHECK_EQ(lido_lock_recent(2, names), 0);
    CHECK_OK(lido_mutex_lock(nameless));
    CHECK_OK(lido_mutex_unlock(nameless));
    CHECK_EQ(lido_lock_recent(2, names), 1);
    CHECK(strcmp(names[0], "unnamed") == 0);
}

static void the_first_class_taken_may_be_without_a_name(void **state) {
    (void)state;
    lido_mutex nameless = {0};
    struct check_thread thread;
    check_start(&thread, take_nameless, &nameless);
    check_join(&thread);
}

CHECK_MAIN(TEST(who_came_to_a_pool_before_holds_its_first_lock_in_a_child),
           TEST(a_mutex_in_a_structure_needs_no_more_than_its_initialiser),
           TEST(a_mutex_of_zeroes_is_unlocked),
           TEST(a_created_mutex_is_listed_until_it_is_destroyed), TEST(bad_options_are_refused),
           TEST(destroy_refuses_a_held_mutex_and_accepts_null),
           TEST(a_mutex_works_when_the_system_refuses),
           TEST(a_lock_that_is_held_is_refused_by_try_and_by_deadline),
           TEST(who_waits_gets_it_when_it_is_unlocked), TEST(only_the_holder_unlocks),
           TEST(a_second_lock_by_the_holder_is_refused),
           TEST(many_locks_are_held_at_once_and_unlocked_in_any_order),
           TEST(whoever_closes_a_circle_is_told_and_the_others_go_on),
           TEST(a_chain_that_ends_in_a_running_thread_is_no_circle),
           TEST(a_lock_whose_holder_ended_is_refused_to_all),
           TEST(the_first_of_many_that_ended_is_not_forgotten),
           TEST(a_child_holds_what_its_thread_held),
           TEST(a_lock_that_fork_caught_half_taken_is_refused_in_the_child),
           TEST(a_lock_that_fork_caught_kept_is_taken_in_the_child),
           TEST(a_lock_kept_for_a_thread_that_is_gone_is_taken_after_a_moment),
           TEST(figures_need_their_size), TEST(waits_are_counted_timed_and_charged_to_the_holder),
           TEST(holding_is_timed_once_in_1024), TEST(the_classes_taken_last_are_known),
           TEST(the_first_class_taken_may_be_without_a_name))
