/* SPDX-License-Identifier: MIT
 * lido/lock.h: profiles. What a script made threads wait is what the profile tells, by class, by pair
 * and by blamed line. */
#include "check.h"

#include "lock/internal.h"

#include <lido/lock.h>

enum { WAITERS = 3 };

struct turn {
    lido_mutex *mutex;
    const char *site;
    struct check_gate *gate; /* what is held for; NULL: nothing */
};

static void take_turn(void *context) {
    struct turn *turn = context;
    CHECK_OK(lido_mutex_lock_at(turn->mutex, turn->site));
    if (turn->gate)
        check_gate_pass(turn->gate);
    CHECK_OK(lido_mutex_unlock(turn->mutex));
}

/* `waiters` threads wait for hold_ns while held_at holds the lock. */
static void make_wait(lido_mutex *mutex, const char *held_at, int waiters, uint64_t hold_ns) {
    struct check_gate gate = {0};
    struct turn holder = {mutex, held_at, &gate}, waiter = {mutex, "waits.c:1", NULL};
    struct check_thread threads[WAITERS + 1];
    check_start(&threads[WAITERS], take_turn, &holder);
    check_gate_await(&gate, 1);
    for (int i = 0; i < waiters; i++) {
        check_start(&threads[i], take_turn, &waiter);
        check_await_sleepers(i + 1);
    }
    check_advance(hold_ns);
    check_gate_open(&gate);
    for (int i = 0; i < waiters; i++)
        check_join(&threads[i]);
    check_join(&threads[WAITERS]);
}

static uint64_t sum_of_pairs(const lido_profile *profile, const char *waits_at,
                             const char *held_at) {
    lido_profile_pair row = LIDO_PROFILE_PAIR;
    uint64_t sum_ns = 0;
    for (uint64_t i = 0; lido_profile_read_pair(profile, i, &row); i++)
        if ((waits_at ? row.waits_at && strcmp(row.waits_at, waits_at) == 0 : !row.waits_at) &&
            (!held_at || strcmp(row.held_at, held_at) == 0))
            sum_ns += row.wait_ns;
    return sum_ns;
}

static void blame_is_within_five_per_cent_of_the_script(void **state) {
    (void)state;
    lido_mutex mutex = LIDO_MUTEX_INIT("scripted");
    lido_profile *profile;
    lido_profile_class row = LIDO_PROFILE_CLASS;
    uint64_t slow_ns = 0, quick_ns = 0;
    CHECK_OK(lido_profile_start(&profile));
    for (int i = 1; i <= 5; i++) {
        make_wait(&mutex, "slow.c:1", WAITERS, LIDO_MILLISECONDS(7) * (uint64_t)i);
        slow_ns += LIDO_MILLISECONDS(7) * (uint64_t)i * WAITERS;
        make_wait(&mutex, "quick.c:1", 1, LIDO_MICROSECONDS(30));
        quick_ns += LIDO_MICROSECONDS(30);
    }
    CHECK_OK(lido_mutex_destroy(&mutex));
    CHECK_OK(lido_profile_stop(profile));
    CHECK(lido_profile_read_class(profile, 0, &row));
    CHECK(strcmp(row.name, "scripted") == 0);
    CHECK_EQ(row.acquired, 5 * (WAITERS + 1) + 5 * 2);
    CHECK_EQ(row.contended, 5 * WAITERS + 5);
    CHECK_EQ(row.waits, 5 * WAITERS + 5);
    CHECK_EQ(row.wait_total_ns, slow_ns + quick_ns);
    CHECK_EQ(row.wait_max_ns, LIDO_MILLISECONDS(35));
    CHECK_EQ(row.blamed_ns, slow_ns + quick_ns);
    uint64_t slow_blame_ns = sum_of_pairs(profile, NULL, "slow.c:1");
    uint64_t quick_blame_ns = sum_of_pairs(profile, NULL, "quick.c:1");
    CHECK(slow_blame_ns * 100 >= slow_ns * 95 && slow_blame_ns * 100 <= slow_ns * 105);
    CHECK(quick_blame_ns * 100 >= quick_ns * 95 && quick_blame_ns * 100 <= quick_ns * 105);
    CHECK_EQ(sum_of_pairs(profile, NULL, NULL), row.blamed_ns);
    CHECK_EQ(sum_of_pairs(profile, "waits.c:1", NULL), row.wait_total_ns);
    lido_profile_destroy(profile);
}

/* Who drops a lock looks at the clock before it has the lock of the tables, and another one may come
 * between with a later time. */
static void time_is_charged_once_whoever_comes_first(void **state) {
    (void)state;
    lido_mutex mutex = LIDO_MUTEX_INIT("crossed");
    struct lido__lock_head *lock = (struct lido__lock_head *)&mutex;
    lido_profile *profile;
    uint64_t start_ns = lido_now_ns();
    CHECK_OK(lido_profile_start(&profile));
    lido__history_prepare(lock);
    lido__blame_arrive(lock, start_ns);
    check_advance(LIDO_MILLISECONDS(8));
    lido__figures_charge(lock, "later.c:1");
    lido__figures_waited(lock, "waits.c:1", "earlier.c:1", 0, start_ns + LIDO_MILLISECONDS(7));
    check_advance(LIDO_MILLISECONDS(2));
    lido__figures_charge(lock, "last.c:1");
    lido__blame_depart(lock, lido_now_ns());
    lido_lock_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_mutex_read_stats(&mutex, &stats));
    CHECK_EQ(stats.blamed_ns, LIDO_MILLISECONDS(10));
    CHECK_OK(lido_mutex_destroy(&mutex));
    CHECK_OK(lido_profile_stop(profile));
    CHECK_EQ(sum_of_pairs(profile, NULL, "later.c:1"), LIDO_MILLISECONDS(8));
    CHECK_EQ(sum_of_pairs(profile, NULL, "earlier.c:1"), 0);
    CHECK_EQ(sum_of_pairs(profile, NULL, "last.c:1"), LIDO_MILLISECONDS(2));
    lido_profile_destroy(profile);
}

static void a_session_tells_only_what_happened_in_it(void **state) {
    (void)state;
    lido_mutex mutex = LIDO_MUTEX_INIT("sessions");
    lido_profile *first, *second;
    lido_profile_class was = LIDO_PROFILE_CLASS, is = LIDO_PROFILE_CLASS;
    lido_profile_pair pair = LIDO_PROFILE_PAIR;
    CHECK_OK(lido_profile_start(&first));
    CHECK(!lido_profile_read_class(first, 0, &is));
    CHECK(!lido_profile_read_pair(first, 0, &pair));
    make_wait(&mutex, "a.c:1", 1, LIDO_MILLISECONDS(2));
    CHECK_OK(lido_profile_stop(first));
    CHECK_FAILS(lido_profile_stop(first), LIDO_ERR_CLOSED, "stopped before");
    CHECK_OK(lido_profile_start(&second));
    CHECK(!lido_profile_diff(first, second, 0, &was, &is));
    make_wait(&mutex, "a.c:1", 2, LIDO_MILLISECONDS(3));
    CHECK_OK(lido_profile_stop(second));
    CHECK(lido_profile_diff(first, second, 0, &was, &is));
    CHECK(strcmp(was.name, "sessions") == 0 && strcmp(is.name, "sessions") == 0);
    CHECK_EQ(was.wait_total_ns, LIDO_MILLISECONDS(2));
    CHECK_EQ(is.wait_total_ns, LIDO_MILLISECONDS(6));
    CHECK_EQ(was.waits, 1);
    CHECK_EQ(is.waits, 2);
    CHECK(!lido_profile_diff(first, second, 99, &was, &is));
    is.struct_size = 0;
    CHECK(!lido_profile_read_class(second, 0, &is));
    CHECK_OK(lido_mutex_destroy(&mutex));
    lido_profile_destroy(first);
    lido_profile_destroy(second);
    lido_profile_destroy(NULL);
}

static void look(void *context) {
    (void)context;
    lido_profile *profile;
    lido_status status = lido_profile_start(&profile);
    if (status == LIDO_OK)
        CHECK_OK(lido_profile_stop(profile));
    else
        CHECK_FAILS(status, LIDO_ERR_NO_MEMORY, "session");
    CHECK((status == LIDO_OK) == (profile != NULL));
    lido_profile_destroy(profile);
}

static void a_session_needs_memory_and_says_so(void **state) {
    (void)state;
    check_sweep(look, NULL);
}

/* More classes and lines than there are rows: what found none is in "other". */
static void totals_add_up_when_the_tables_are_full(void **state) {
    (void)state;
    enum { CLASSES = 300 };
    static char names[CLASSES][20];
    lido_profile *profile;
    lido_profile_class row = LIDO_PROFILE_CLASS;
    uint64_t acquired = 0, wait_ns = 0;
    CHECK_OK(lido_profile_start(&profile));
    for (int i = 0; i < CLASSES; i++) {
        snprintf(names[i], sizeof names[i], "full %d", i);
        lido_mutex mutex = LIDO_MUTEX_INIT(names[i]);
        make_wait(&mutex, names[i], 1, 1000);
        CHECK_OK(lido_mutex_destroy(&mutex));
    }
    CHECK_OK(lido_profile_stop(profile));
    bool has_other = false;
    for (uint64_t i = 0; lido_profile_read_class(profile, i, &row); i++) {
        acquired += row.acquired;
        wait_ns += row.wait_total_ns;
        has_other = has_other || strcmp(row.name, "other") == 0;
    }
    CHECK(has_other);
    CHECK_EQ(acquired, CLASSES * 2);
    CHECK_EQ(wait_ns, CLASSES * 1000);
    CHECK_EQ(sum_of_pairs(profile, NULL, NULL), CLASSES * 1000);
    lido_profile_destroy(profile);
}

CHECK_MAIN(TEST(blame_is_within_five_per_cent_of_the_script),
           TEST(time_is_charged_once_whoever_comes_first),
           TEST(a_session_tells_only_what_happened_in_it), TEST(a_session_needs_memory_and_says_so),
           TEST(totals_add_up_when_the_tables_are_full))
