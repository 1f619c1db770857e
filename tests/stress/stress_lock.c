/* SPDX-License-Identifier: MIT
 * lido/lock.h under threads that do everything at once: nobody is inside with somebody else, no
 * change is lost, nobody waits for ever, and the sums of all tables agree. */
#include "stress.h"

#include <lido/lock.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

enum { THREADS = 5, CASES = 5 };

struct worker {
    struct check_random random;
    uint64_t done;
};

static struct worker workers[THREADS];

static void run_workers(void (*run)(void *)) {
    for (int i = 0; i < THREADS; i++)
        workers[i] = (struct worker){.random = check_random_start((uint64_t)i)};
    check_in_threads(THREADS, run, workers, sizeof workers[0]);
}

static uint64_t done_by_all(void) {
    uint64_t sum = 0;
    for (int i = 0; i < THREADS; i++)
        sum += workers[i].done;
    return sum;
}

/* ---- Mutex ------------------------------------------------------------------------------- */

static lido_mutex mutex = LIDO_MUTEX_INIT("stressed");
static uint64_t inside, changes; /* guarded by mutex */

static lido_status lock_somehow(struct check_random *random) {
    switch (check_random_below(random, 4)) {
    case 0:
        return lido_mutex_try_lock(&mutex);
    case 1:
        return lido_mutex_lock_for(&mutex, check_random_below(random, LIDO_MICROSECONDS(50)));
    case 2:
        return lido_mutex_lock_until(&mutex, lido_now_ns() + LIDO_SECONDS(100));
    default:
        return lido_mutex_lock(&mutex);
    }
}

static void change_under_the_mutex(void *context) {
    struct worker *worker = context;
    while (stress_goes_on()) {
        lido_status status = lock_somehow(&worker->random);
        if (status != LIDO_OK) {
            CHECK(status == LIDO_ERR_BUSY || status == LIDO_ERR_TIMEOUT);
            continue;
        }
        CHECK_EQ(inside++, 0);
        changes++;
        worker->done++;
        if (check_random_below(&worker->random, 8) == 0)
            sched_yield();
        CHECK_EQ(--inside, 0);
        CHECK_OK(lido_mutex_unlock(&mutex));
    }
}

static void changes_under_a_mutex_are_not_lost(void **state) {
    (void)state;
    lido_lock_stats stats = {.struct_size = sizeof stats};
    stress_start(CASES);
    changes = inside = 0;
    CHECK_OK(lido_mutex_read_stats(&mutex, &stats));
    uint64_t before = stats.acquired;
    run_workers(change_under_the_mutex);
    CHECK_EQ(changes, done_by_all());
    CHECK_OK(lido_mutex_read_stats(&mutex, &stats));
    CHECK_EQ(stats.acquired - before, changes);
    CHECK_EQ(stats.waiting, 0);
    CHECK_OK(lido_mutex_destroy(&mutex));
    stress_end("mutex");
}

/* ---- Signals do not disturb waits -------------------------------------------------------- */

static void ignore(int number) {
    (void)number;
}

static void changes_go_on_under_signals(void **state) {
    (void)state;
    struct itimerval fast = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = ignore}, old;
    stress_start(CASES);
    changes = inside = 0;
    CHECK_EQ(sigaction(SIGPROF, &action, &old), 0);
    CHECK_EQ(setitimer(ITIMER_PROF, &fast, NULL), 0);
    run_workers(change_under_the_mutex);
    CHECK_EQ(setitimer(ITIMER_PROF, &off, NULL), 0);
    CHECK_EQ(sigaction(SIGPROF, &old, NULL), 0);
    CHECK_EQ(changes, done_by_all());
    CHECK_OK(lido_mutex_destroy(&mutex));
    stress_end("mutex under signals");
}

/* ---- Priorities -------------------------------------------------------------------------- */

static lido_mutex inverted = LIDO_MUTEX_INIT("inverted");
static bool may_raise;

static uint64_t sleepers_of(const lido_mutex *slept_on) {
    lido_lock_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_mutex_read_stats(slept_on, &stats));
    return stats.waiting;
}

static void run_on_first_cpu(void) {
    cpu_set_t allowed, first;
    size_t cpu = 0;
    CHECK_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    while (!CPU_ISSET(cpu, &allowed))
        cpu++;
    CPU_ZERO(&first);
    CPU_SET(cpu, &first);
    CHECK_EQ(sched_setaffinity(0, sizeof first, &first), 0);
}

static void wait_with_priority(void *context) {
    const struct sched_param first = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};
    (void)context;
    run_on_first_cpu();
    may_raise = pthread_setschedparam(pthread_self(), SCHED_FIFO, &first) == 0;
    CHECK_OK(lido_mutex_lock(&inverted));
    CHECK_OK(lido_mutex_unlock(&inverted));
}

/* On the waiter's CPU, behind it: this thread goes on only because the other sleeps. */
static void hold_without_priority(void *context) {
    struct check_thread waiter;
    (void)context;
    run_on_first_cpu();
    CHECK_OK(lido_mutex_lock(&inverted));
    check_start(&waiter, wait_with_priority, NULL);
    while (sleepers_of(&inverted) == 0)
        sched_yield();
    CHECK_OK(lido_mutex_unlock(&inverted));
    check_join(&waiter);
}

static void who_goes_first_sleeps_so_that_the_holder_can_run(void **state) {
    (void)state;
    struct check_thread holder;
    check_start(&holder, hold_without_priority, NULL);
    check_join(&holder);
    CHECK_OK(lido_mutex_destroy(&inverted));
    if (!may_raise)
        printf("    without the right to go first: both go by turns\n");
}

/* ---- Read-write lock --------------------------------------------------------------------- */

static lido_rwlock book = LIDO_RWLOCK_INIT("book");
static uint64_t left, right; /* always equal under the lock */

static void read_and_write(void *context) {
    struct worker *worker = context;
    while (stress_goes_on()) {
        bool writes = check_random_below(&worker->random, 4) == 0;
        uint64_t timeout_ns = check_random_below(&worker->random, 2)
                                  ? LIDO_FOREVER
                                  : check_random_below(&worker->random, 50000);
        lido_status status =
            writes ? lido_rwlock_write(&book, timeout_ns) : lido_rwlock_read(&book, timeout_ns);
        if (status != LIDO_OK) {
            CHECK(status == LIDO_ERR_BUSY || status == LIDO_ERR_TIMEOUT);
            continue;
        }
        CHECK_EQ(left, right);
        if (writes) {
            left++;
            worker->done++;
            right++;
        }
        CHECK_OK(lido_rwlock_unlock(&book));
    }
}

static void readers_never_see_half_a_change(void **state) {
    (void)state;
    stress_start(CASES);
    left = right = 0;
    run_workers(read_and_write);
    CHECK_EQ(left, done_by_all());
    CHECK_EQ(right, left);
    CHECK_OK(lido_rwlock_destroy(&book));
    stress_end("rwlock");
}

/* ---- Condition --------------------------------------------------------------------------- */

static lido_cond has_letter = LIDO_COND_INIT, has_room = LIDO_COND_INIT;
static uint64_t letters, sent;    /* guarded by mutex */
static _Atomic uint64_t received; /* changed under mutex */

enum { BOX = 2 };

/* Until a letter has arrived, however late its receiver is let run: the time may be over by then. */
static void send_or_receive(void *context) {
    struct worker *worker = context;
    bool sends = worker - workers < 2;
    while (stress_goes_on() || received == 0) {
        CHECK_OK(lido_mutex_lock(&mutex));
        while (sends ? letters == BOX : letters == 0)
            if (lido_cond_wait(sends ? &has_room : &has_letter, &mutex, LIDO_MILLISECONDS(1)) ==
                LIDO_ERR_TIMEOUT)
                break;
        if (sends && letters < BOX) {
            letters++;
            sent++;
            lido_cond_signal(&has_letter);
        } else if (!sends && letters > 0) {
            letters--;
            received++;
            if (check_random_below(&worker->random, 2))
                lido_cond_signal(&has_room);
            else
                lido_cond_broadcast(&has_room);
        }
        CHECK_OK(lido_mutex_unlock(&mutex));
    }
}

static void letters_arrive_once(void **state) {
    (void)state;
    stress_start(CASES);
    letters = sent = 0;
    received = 0;
    run_workers(send_or_receive);
    CHECK_EQ(sent, received + letters);
    CHECK(received > 0);
    CHECK_OK(lido_mutex_destroy(&mutex));
    stress_end("condition");
}

/* ---- fork -------------------------------------------------------------------------------- */

static lido_mutex childs = LIDO_MUTEX_INIT("child's");

/* In the child: what this thread held is its own, what others held is refused, or were taking or
 * unlocking, and the rest works. */
static void use_locks(void *context) {
    (void)context;
    lido__yield_hook = NULL;
    CHECK_OK(lido_mutex_unlock(&childs));
    CHECK_OK(lido_mutex_lock(&childs));
    CHECK_OK(lido_mutex_unlock(&childs));
    lido_status status = lido_mutex_lock(&mutex);
    CHECK(status == LIDO_OK || status == LIDO_ERR_DEADLOCK);
    if (status == LIDO_OK)
        CHECK_OK(lido_mutex_unlock(&mutex));
}

static void fork_or_work(void *context) {
    struct worker *worker = context;
    if (worker != workers) {
        change_under_the_mutex(context);
        return;
    }
    while (stress_goes_on()) {
        CHECK_OK(lido_mutex_lock(&childs));
        CHECK_EQ(check_child(use_locks, NULL), 0);
        CHECK_OK(lido_mutex_unlock(&childs));
    }
}

static void children_have_usable_locks(void **state) {
    (void)state;
    stress_start(CASES);
    changes = inside = 0;
    run_workers(fork_or_work);
    CHECK_EQ(changes, done_by_all());
    CHECK_OK(lido_mutex_destroy(&mutex));
    stress_end("fork");
}

CHECK_MAIN(TEST(changes_under_a_mutex_are_not_lost), TEST(changes_go_on_under_signals),
           TEST(who_goes_first_sleeps_so_that_the_holder_can_run),
           TEST(readers_never_see_half_a_change), TEST(letters_arrive_once),
           TEST(children_have_usable_locks))
