/* SPDX-License-Identifier: MIT
 * lido/lock.h: read-write lock and condition, in the header's order. */
#include "check.h"

#include <lido/lock.h>

enum way { READ, WRITE };

struct user {
    lido_rwlock *lock;
    enum way way;
    uint64_t timeout_ns;
    const char *site;
    struct check_gate *inside;

    lido_status status;
};

static lido_status take(lido_rwlock *lock, enum way way, uint64_t timeout_ns, const char *site) {
    return way == READ ? lido_rwlock_read_at(lock, timeout_ns, site)
                       : lido_rwlock_write_at(lock, timeout_ns, site);
}

static void use(void *context) {
    struct user *user = context;
    user->status = take(user->lock, user->way, user->timeout_ns, user->site);
    if (user->status != LIDO_OK)
        return;
    if (user->inside)
        check_gate_pass(user->inside);
    CHECK_OK(lido_rwlock_unlock(user->lock));
}

static lido_lock_stats stats_of(const lido_rwlock *lock) {
    lido_lock_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_rwlock_read_stats(lock, &stats));
    return stats;
}

/* ---- Read-write lock --------------------------------------------------------------------- */

static void readers_read_together_and_a_writer_is_alone(void **state) {
    (void)state;
    lido_rwlock lock = LIDO_RWLOCK_INIT("book");
    struct check_gate inside = {0};
    struct user readers[2] = {{.lock = &lock, .way = READ, .site = "r.c:1", .inside = &inside},
                              {.lock = &lock, .way = READ, .site = "r.c:1", .inside = &inside}};
    struct check_thread threads[2];
    for (int i = 0; i < 2; i++)
        check_start(&threads[i], use, &readers[i]);
    check_gate_await(&inside, 2);
    CHECK_FAILS(lido_rwlock_write(&lock, 0), LIDO_ERR_BUSY,
                "held, locked last at r.c:1; try"); /* nobody in particular holds it */
    CHECK_FAILS(lido_rwlock_write(&lock, LIDO_MILLISECONDS(3)), LIDO_ERR_TIMEOUT,
                "waited 3 ms; held, locked last at r.c:1; hold");
    CHECK_OK(lido_rwlock_read(&lock, 0));
    CHECK_OK(lido_rwlock_unlock(&lock));
    CHECK_FAILS(lido_rwlock_destroy(&lock), LIDO_ERR_BUSY, "\"book\": held, locked last at");
    check_gate_open(&inside);
    for (int i = 0; i < 2; i++) {
        check_join(&threads[i]);
        CHECK_EQ(readers[i].status, LIDO_OK);
    }
    CHECK_OK(lido_rwlock_write(&lock, 0));
    CHECK_EQ(stats_of(&lock).holder_id, lido__thread_id());
    CHECK_OK(lido_rwlock_unlock(&lock));
    CHECK_EQ(stats_of(&lock).acquired, 4);
    CHECK_EQ(stats_of(&lock).given_up, 2);
    CHECK_OK(lido_rwlock_destroy(&lock));
    CHECK_OK(lido_rwlock_destroy(NULL));
}

static void nobody_passes_a_waiting_writer(void **state) {
    (void)state;
    lido_rwlock lock = LIDO_RWLOCK_INIT("queue");
    struct user writer = {.lock = &lock, .way = WRITE, .timeout_ns = LIDO_FOREVER, .site = "w.c:1"};
    struct user late = {.lock = &lock, .way = READ, .timeout_ns = LIDO_FOREVER, .site = "r.c:2"};
    struct check_thread threads[2];
    CHECK_OK(lido_rwlock_read(&lock, 0));
    check_start(&threads[0], use, &writer);
    check_await_sleepers(1);
    check_start(&threads[1], use, &late);
    check_await_sleepers(2);
    CHECK_EQ(stats_of(&lock).waiting, 2);
    CHECK_OK(lido_rwlock_unlock(&lock));
    check_join(&threads[0]);
    check_join(&threads[1]);
    CHECK_EQ(writer.status, LIDO_OK);
    CHECK_EQ(late.status, LIDO_OK);
    CHECK_EQ(stats_of(&lock).waits, 2);
    CHECK_OK(lido_rwlock_destroy(&lock));
}

static void a_writer_that_gives_up_lets_readers_pass(void **state) {
    (void)state;
    lido_rwlock lock = LIDO_RWLOCK_INIT("hasty");
    struct user writer = {
        .lock = &lock, .way = WRITE, .timeout_ns = LIDO_MILLISECONDS(1), .site = "w.c:1"};
    struct user late = {.lock = &lock, .way = READ, .timeout_ns = LIDO_FOREVER, .site = "r.c:2"};
    struct check_thread threads[2];
    CHECK_OK(lido_rwlock_read(&lock, 0));
    check_start(&threads[0], use, &writer);
    check_await_sleepers(1);
    check_start(&threads[1], use, &late);
    check_await_sleepers(2);
    check_join(&threads[0]);
    check_join(&threads[1]);
    CHECK_EQ(writer.status, LIDO_ERR_TIMEOUT);
    CHECK_EQ(late.status, LIDO_OK);
    CHECK_OK(lido_rwlock_unlock(&lock));
    CHECK_OK(lido_rwlock_destroy(&lock));
}

static void a_thread_may_not_take_it_twice(void **state) {
    (void)state;
    lido_rwlock lock = LIDO_RWLOCK_INIT("twice");
    for (int first = READ; first <= WRITE; first++)
        for (int second = READ; second <= WRITE; second++) {
            CHECK_OK(take(&lock, (enum way)first, 0, "first.c:1"));
            CHECK_FAILS(take(&lock, (enum way)second, LIDO_FOREVER, "second.c:1"),
                        LIDO_ERR_DEADLOCK, "locked at first.c:1");
            CHECK_OK(lido_rwlock_unlock(&lock));
        }
    CHECK_FAILS(lido_rwlock_unlock(&lock), LIDO_ERR_NOT_HELD, "twice");
    CHECK_OK(lido_rwlock_destroy(&lock));
}

struct crossing {
    lido_rwlock *first, *second;
    struct check_gate *gate;
};

static void read_then_write(void *context) {
    struct crossing *crossing = context;
    CHECK_OK(lido_rwlock_read_at(crossing->first, 0, "reader.c:1"));
    check_gate_pass(crossing->gate);
    CHECK_OK(lido_rwlock_write_at(crossing->second, LIDO_FOREVER, "writer.c:1"));
    CHECK_OK(lido_rwlock_unlock(crossing->second));
    CHECK_OK(lido_rwlock_unlock(crossing->first));
}

static void a_circle_through_readers_is_found(void **state) {
    (void)state;
    lido_rwlock a = LIDO_RWLOCK_INIT("a"), b = LIDO_RWLOCK_INIT("b");
    struct check_gate gate = {0};
    struct crossing crossing = {&a, &b, &gate};
    struct check_thread thread;
    check_start(&thread, read_then_write, &crossing);
    check_gate_await(&gate, 1);
    CHECK_OK(lido_rwlock_read(&b, 0));
    check_gate_open(&gate);
    check_await_sleepers(1);
    CHECK_FAILS(lido_rwlock_write(&a, LIDO_FOREVER), LIDO_ERR_DEADLOCK, "waits at writer.c:1");
    CHECK_OK(lido_rwlock_unlock(&b));
    check_join(&thread);
    CHECK_OK(lido_rwlock_destroy(&a));
    CHECK_OK(lido_rwlock_destroy(&b));
}

static void take_and_end(void *context) {
    struct user *user = context;
    CHECK_OK(take(user->lock, user->way, 0, user->site));
    check_gate_pass(user->inside);
}

static void who_ends_with_it_blocks_the_others_no_longer_than_they_look(void **state) {
    (void)state;
    for (int way = READ; way <= WRITE; way++) {
        lido_rwlock lock = LIDO_RWLOCK_INIT("grave");
        struct check_gate inside = {0};
        struct user holder = {
            .lock = &lock, .way = (enum way)way, .site = "dead.c:1", .inside = &inside};
        struct user writer = {
            .lock = &lock, .way = WRITE, .timeout_ns = LIDO_FOREVER, .site = "w.c:1"};
        struct check_thread threads[2];
        check_start(&threads[0], take_and_end, &holder);
        check_gate_await(&inside, 1);
        check_start(&threads[1], use, &writer);
        check_await_sleepers(1);
        check_gate_open(&inside);
        check_join(&threads[0]);
        check_join(&threads[1]);
        CHECK_EQ(writer.status, LIDO_ERR_DEADLOCK);
        CHECK_FAILS(lido_rwlock_write(&lock, LIDO_FOREVER), LIDO_ERR_DEADLOCK, "has ended");
        CHECK_OK(lido_rwlock_destroy(&lock));
    }
}

static void look_at_what_was_held(void *context) {
    lido_rwlock *locks = context;
    CHECK_FAILS(lido_rwlock_write(&locks[WRITE], LIDO_FOREVER), LIDO_ERR_DEADLOCK, "has ended");
    CHECK_FAILS(lido_rwlock_read(&locks[WRITE], LIDO_FOREVER), LIDO_ERR_DEADLOCK, "has ended");
    CHECK_OK(lido_rwlock_read(&locks[READ], LIDO_FOREVER));
    CHECK_OK(lido_rwlock_unlock(&locks[READ]));
    CHECK_FAILS(lido_rwlock_write(&locks[READ], LIDO_MILLISECONDS(3)), LIDO_ERR_TIMEOUT, "3 ms");
}

/* Readers that the child has not are not known by name: who would write waits up to the deadline. */
static void a_child_hears_of_a_writer_that_it_has_not(void **state) {
    (void)state;
    lido_rwlock locks[] = {LIDO_RWLOCK_INIT("read"), LIDO_RWLOCK_INIT("written")};
    struct check_gate inside = {0};
    struct user users[] = {
        {.lock = &locks[READ], .way = READ, .site = "r.c:1", .inside = &inside},
        {.lock = &locks[WRITE], .way = WRITE, .site = "w.c:1", .inside = &inside}};
    struct check_thread threads[2];
    for (int i = 0; i < 2; i++)
        check_start(&threads[i], use, &users[i]);
    check_gate_await(&inside, 2);
    CHECK_EQ(check_child(look_at_what_was_held, locks), 0);
    check_gate_open(&inside);
    for (int i = 0; i < 2; i++) {
        check_join(&threads[i]);
        CHECK_OK(lido_rwlock_destroy(&locks[i]));
    }
}

static void reading_and_writing_is_timed_once_in_1024(void **state) {
    (void)state;
    lido_rwlock lock = LIDO_RWLOCK_INIT("timed");
    lido_profile_class row = LIDO_PROFILE_CLASS;
    lido_profile *profile;
    CHECK_OK(lido_profile_start(&profile));
    for (int i = 1; i <= 3072; i++) {
        CHECK_OK(take(&lock, i % 2048 == 0 ? WRITE : READ, 0, "t.c:1"));
        check_advance(i % 1024 == 0 ? 500 : 1);
        CHECK_OK(lido_rwlock_unlock(&lock));
    }
    CHECK_OK(lido_profile_stop(profile));
    CHECK(lido_profile_read_class(profile, 0, &row));
    CHECK(strcmp(row.name, "timed") == 0);
    CHECK_EQ(row.hold_samples, 3);
    CHECK_EQ(row.hold_total_ns, 1500);
    lido_profile_destroy(profile);
    CHECK_OK(lido_rwlock_destroy(&lock));
}

/* ---- Condition --------------------------------------------------------------------------- */

struct mailbox {
    lido_mutex mutex;
    lido_cond filled;
    int letters, taken; /* guarded by mutex */
};

static void take_a_letter(void *context) {
    struct mailbox *box = context;
    CHECK_OK(lido_mutex_lock(&box->mutex));
    while (box->letters == 0)
        CHECK_OK(lido_cond_wait(&box->filled, &box->mutex, LIDO_FOREVER));
    box->letters--;
    box->taken++;
    CHECK_OK(lido_mutex_unlock(&box->mutex));
}

static void put_letters(struct mailbox *box, int count) {
    CHECK_OK(lido_mutex_lock(&box->mutex));
    box->letters += count;
    if (count == 1)
        lido_cond_signal(&box->filled);
    else
        lido_cond_broadcast(&box->filled);
    CHECK_OK(lido_mutex_unlock(&box->mutex));
}

static void a_signal_wakes_one_and_a_broadcast_all(void **state) {
    (void)state;
    for (int spurious = 0; spurious < 2; spurious++) {
        struct mailbox box = {.mutex = LIDO_MUTEX_INIT("mail"), .filled = LIDO_COND_INIT};
        struct check_thread threads[3];
        for (int i = 0; i < 3; i++)
            check_start(&threads[i], take_a_letter, &box);
        check_await_sleepers(3);
        check__time.spurious_every = spurious * 3;
        put_letters(&box, 1);
        put_letters(&box, 2);
        for (int i = 0; i < 3; i++)
            check_join(&threads[i]);
        CHECK_EQ(box.taken, 3);
        CHECK_OK(lido_mutex_destroy(&box.mutex));
    }
}

struct user_of_box {
    struct mailbox *box;
    uint64_t timeout_ns;
    lido_status status;
    const char *died_at; /* the wait is to fail, and to name this line */
};

static void wait_once(void *context) {
    struct user_of_box *user = context;
    CHECK_OK(lido_mutex_lock(&user->box->mutex));
    user->status = lido_cond_wait(&user->box->filled, &user->box->mutex, user->timeout_ns);
    if (user->died_at)
        CHECK_ERROR_HAS(user->died_at);
    else
        CHECK_OK(lido_mutex_unlock(&user->box->mutex));
}

static void a_wait_without_a_signal_ends_at_its_deadline_with_the_mutex(void **state) {
    (void)state;
    struct mailbox box = {.mutex = LIDO_MUTEX_INIT("mail"), .filled = LIDO_COND_INIT};
    CHECK_OK(lido_mutex_lock(&box.mutex));
    uint64_t start_ns = lido_now_ns();
    CHECK_FAILS(lido_cond_wait(&box.filled, &box.mutex, LIDO_SECONDS(2)), LIDO_ERR_TIMEOUT,
                "no signal for 2 s");
    CHECK_EQ(lido_now_ns() - start_ns, LIDO_SECONDS(2));
    CHECK_OK(lido_mutex_unlock(&box.mutex));
    CHECK_FAILS(lido_cond_wait(&box.filled, &box.mutex, 1), LIDO_ERR_NOT_HELD, "mail");
    lido_cond_signal(&box.filled);
    lido_cond_broadcast(&box.filled);
}

static void a_mutex_given_up_for_a_signal_can_be_had_by_others(void **state) {
    (void)state;
    struct mailbox box = {.mutex = LIDO_MUTEX_INIT("mail"), .filled = LIDO_COND_INIT};
    struct check_thread thread;
    check_start(&thread, take_a_letter, &box);
    check_await_sleepers(1);
    CHECK_OK(lido_mutex_try_lock(&box.mutex));
    CHECK_OK(lido_mutex_unlock(&box.mutex));
    put_letters(&box, 1);
    check_join(&thread);
    CHECK_OK(lido_mutex_destroy(&box.mutex)); /* who was signalled may have slept for it */
}

/* ---- Conditions: the rest ---------------------------------------------------------------------- */

static void all_of_time_is_a_deadline_and_none_is_too(void **state) {
    (void)state;
    struct mailbox box = {.mutex = LIDO_MUTEX_INIT("mail"), .filled = LIDO_COND_INIT};
    CHECK_OK(lido_mutex_lock(&box.mutex));
    uint64_t start_ns = lido_now_ns();
    CHECK_FAILS(lido_cond_wait(&box.filled, &box.mutex, 0), LIDO_ERR_TIMEOUT, "no signal");
    CHECK_EQ(lido_now_ns(), start_ns);
    CHECK_OK(lido_mutex_unlock(&box.mutex));
    for (uint64_t before = 0; before < 3; before++) {
        struct check_thread thread;
        struct user_of_box user = {&box, LIDO_FOREVER - before, LIDO_ERR_BUSY, NULL};
        check_start(&thread, wait_once, &user);
        check_await_sleepers(1);
        CHECK_OK(lido_mutex_lock(&box.mutex));
        lido_cond_signal(&box.filled);
        CHECK_OK(lido_mutex_unlock(&box.mutex));
        check_join(&thread);
        CHECK_EQ(user.status, LIDO_OK);
    }
    CHECK_OK(lido_mutex_destroy(&box.mutex));
}

/* It waits still, until it is signalled. */
static void wake_and_end(struct user_of_box *user, struct check_thread *thread) {
    CHECK_OK(lido_mutex_lock(&user->box->mutex));
    CHECK_EQ(user->status, LIDO_ERR_BUSY);
    lido_cond_signal(&user->box->filled);
    CHECK_OK(lido_mutex_unlock(&user->box->mutex));
    check_join(thread);
    CHECK_EQ(user->status, LIDO_OK);
    CHECK_OK(lido_mutex_destroy(&user->box->mutex));
}

/* No call of lido is a cancellation point: the thread ends later, with the mutex unlocked. */
static void cancellation_does_not_interrupt_a_wait(void **state) {
    (void)state;
    struct mailbox box = {.mutex = LIDO_MUTEX_INIT("mail"), .filled = LIDO_COND_INIT};
    struct user_of_box user = {&box, LIDO_FOREVER, LIDO_ERR_BUSY, NULL};
    struct check_thread thread;
    check_start(&thread, wait_once, &user);
    check_await_sleepers(1);
    CHECK_EQ(pthread_cancel(thread.id), 0);
    wake_and_end(&user, &thread);
}

static void wait_alone(void *context) {
    struct mailbox *box = context;
    lido_cond_broadcast(&box->filled); /* for threads that are not here */
    CHECK_OK(lido_mutex_lock(&box->mutex));
    CHECK_FAILS(lido_cond_wait(&box->filled, &box->mutex, LIDO_MILLISECONDS(5)), LIDO_ERR_TIMEOUT,
                "5 ms");
    CHECK_OK(lido_mutex_unlock(&box->mutex));
}

static void a_child_uses_a_condition_that_others_wait_for(void **state) {
    (void)state;
    struct mailbox box = {.mutex = LIDO_MUTEX_INIT("mail"), .filled = LIDO_COND_INIT};
    struct user_of_box user = {&box, LIDO_FOREVER, LIDO_ERR_BUSY, NULL};
    struct check_thread thread;
    check_start(&thread, wait_once, &user);
    check_await_sleepers(1);
    CHECK_EQ(check_child(wait_alone, &box), 0);
    wake_and_end(&user, &thread);
}

static void signal_and_end(void *context) {
    struct mailbox *box = context;
    CHECK_OK(lido_mutex_lock_at(&box->mutex, "ends.c:1"));
    lido_cond_signal(&box->filled);
}

/* Its mutex is nobody's any more, and the waiter's neither. */
static void a_wait_ends_when_the_mutex_died_with_its_holder(void **state) {
    (void)state;
    struct mailbox box = {.mutex = LIDO_MUTEX_INIT("mail"), .filled = LIDO_COND_INIT};
    struct user_of_box user = {&box, LIDO_FOREVER, LIDO_ERR_BUSY, "ends.c:1"};
    struct check_thread thread;
    check_start(&thread, wait_once, &user);
    check_await_sleepers(1);
    check_in_thread(signal_and_end, &box);
    check_join(&thread);
    CHECK_EQ(user.status, LIDO_ERR_DEADLOCK);
    CHECK_OK(lido_mutex_destroy(&box.mutex));
}

/* ---- More locks than a thread keeps a list of -------------------------------------------------- */

static void who_holds_many_does_not_unlock_what_another_writes(void **state) {
    (void)state;
    enum { MANY = 10 };
    lido_mutex many[MANY] = {{0}};
    lido_rwlock lock = LIDO_RWLOCK_INIT("book");
    struct check_gate inside = {0};
    struct user writer = {.lock = &lock, .way = WRITE, .site = "w.c:1", .inside = &inside};
    struct check_thread thread;
    check_start(&thread, use, &writer);
    check_gate_await(&inside, 1);
    for (int i = 0; i < MANY; i++)
        CHECK_OK(lido_mutex_lock(&many[i]));
    CHECK_FAILS(lido_rwlock_unlock(&lock), LIDO_ERR_NOT_HELD, "locked at w.c:1");
    for (int i = 0; i < MANY; i++)
        CHECK_OK(lido_mutex_unlock(&many[i]));
    check_gate_open(&inside);
    check_join(&thread);
    CHECK_EQ(writer.status, LIDO_OK);
    CHECK_OK(lido_rwlock_destroy(&lock));
}

CHECK_MAIN(TEST(readers_read_together_and_a_writer_is_alone), TEST(nobody_passes_a_waiting_writer),
           TEST(a_writer_that_gives_up_lets_readers_pass), TEST(a_thread_may_not_take_it_twice),
           TEST(a_circle_through_readers_is_found),
           TEST(who_ends_with_it_blocks_the_others_no_longer_than_they_look),
           TEST(a_child_hears_of_a_writer_that_it_has_not),
           TEST(reading_and_writing_is_timed_once_in_1024),
           TEST(a_signal_wakes_one_and_a_broadcast_all),
           TEST(a_wait_without_a_signal_ends_at_its_deadline_with_the_mutex),
           TEST(a_mutex_given_up_for_a_signal_can_be_had_by_others),
           TEST(all_of_time_is_a_deadline_and_none_is_too),
           TEST(cancellation_does_not_interrupt_a_wait),
           TEST(a_child_uses_a_condition_that_others_wait_for),
           TEST(a_wait_ends_when_the_mutex_died_with_its_holder),
           TEST(who_holds_many_does_not_unlock_what_another_writes))
