/* SPDX-License-Identifier: MIT
 * P4, the lock word (src/base/word.h), and P5, the read-write word (src/lock/rwword.h).
 *
 * Threads take the lock, change a plain number under it and drop it; plain accesses must be ordered
 * throughout, no change may be lost, and nobody may sleep for ever. */
#include "explore_sys.h"

#include "base/gate.h"
#include "base/word.h"
#include "lock/rwword.h"

#include <lido/base.h>

static struct {
    _Alignas(64) _Atomic(uint32_t) word;
    _Atomic(uint32_t) turn;
} lock;
static uint32_t number; /* guarded by the lock */
static uint32_t read_by[EXPLORE_THREADS + 1];
static uint32_t gave_up;

/* ---- P4 ---------------------------------------------------------------------------------- */

static void setup_street(uint32_t state, enum explore_barrier barrier) {
    explore_sys_begin(barrier);
    number = gave_up = 0;
    lido__store(&lock.word, LIDO__FREE, relaxed);
    lido__store(&lock.turn, 0, relaxed);
    lido__store(&lido__street_of(&lock.word)->state, state, relaxed);
    lido__store(&lido__street_of(&lock.word)->drops, 0, relaxed);
    explore_name(&lock.word, sizeof lock.word, "word");
    explore_name(lido__street_of(&lock.word), sizeof(struct lido__street), "street");
}

static void setup_quiet(void) {
    setup_street(LIDO__QUIET, EXPLORE_BARRIER_WORKS);
    (void)lido__gate_can_reach();
}

static void setup_loud(void) {
    setup_street(0, EXPLORE_BARRIER_WORKS);
}

static void setup_goes_away(void) {
    setup_street(LIDO__QUIET, EXPLORE_BARRIER_GOES_AWAY);
    (void)lido__gate_can_reach();
}

#define ALWAYS_QUIET "a drop does not look a second time"
#define NO_MARK      "a sleeper leaves no mark in the word"
#define NO_BARRIER   "a sleeper passes no barrier"
#define NO_WAKE      "a drop wakes nobody"
#define KEEPS_IT     "a starved thread that goes away keeps the word"
#define NO_LOOK_UP   "who comes anew sleeps on a kept word without end"

static bool arrive(void) {
    if (!explore_broken(NO_BARRIER))
        return lido__word_arrive(&lock.word);
    (void)lido__add(&lido__street_of(&lock.word)->state, LIDO__SLEEPER - LIDO__QUIET, acquire);
    return true;
}

static bool take_or_mark(enum lido__word_manner manner, uint32_t *expected) {
    *expected = LIDO__HELD;
    if (!explore_broken(NO_MARK))
        return lido__word_take_or_mark(&lock.word, LIDO__HELD, manner, expected);
    return lido__word_take(&lock.word, LIDO__HELD);
}

static void go_away(enum lido__word_manner manner) {
    if (manner == LIDO__IS_STARVED && !explore_broken(KEEPS_IT) && lido__word_give_up(&lock.word))
        lido__sys.unpark(&lock.word, 1);
}

/* Returns false when the deadline came first. */
static bool take_until(uint64_t deadline_ns, enum lido__word_manner when_woken) {
    bool in_time = true;
    uint32_t expected = 0;
    enum lido__word_manner manner = LIDO__COMES_ANEW;
    if (lido__word_take(&lock.word, LIDO__HELD))
        return true;
    bool is_seen = arrive();
    while (in_time && !take_or_mark(manner, &expected)) {
        bool looks_up = !is_seen || (expected == LIDO__KEPT && !explore_broken(NO_LOOK_UP));
        uint64_t until_ns = looks_up ? lido__sys.now_ns() + LIDO__LOOK_UP_NS : deadline_ns;
        bool is_woken = lido__sys.park(&lock.word, expected, until_ns);
        in_time = is_woken || until_ns != deadline_ns;
        manner = is_woken ? when_woken : LIDO__IS_STARVED; /* LOOK_UP_NS are long enough */
    }
    lido__word_depart(&lock.word);
    if (!in_time)
        go_away(manner);
    return in_time;
}

static void drop(void) {
    bool is_quiet = explore_broken(ALWAYS_QUIET) && lido__word_is_quiet(&lock.word);
    if (is_quiet)
        lido__store(&lock.word, LIDO__FREE, release);
    else if (lido__word_drop(&lock.word) && !explore_broken(NO_WAKE))
        lido__sys.unpark(&lock.word, 1);
}

static void count(void) {
    (void)take_until(LIDO_FOREVER, LIDO__HAS_SLEPT);
    number++;
    drop();
}

/* Wants it kept as soon as it was woken in vain. */
static void count_starved(void) {
    (void)take_until(LIDO_FOREVER, LIDO__IS_STARVED);
    number++;
    drop();
}

static void count_twice(void) {
    count();
    count();
}

static void count_or_give_up_as(enum lido__word_manner when_woken) {
    if (!take_until(lido__sys.now_ns() + 1, when_woken)) {
        gave_up = 1;
        return;
    }
    number++;
    drop();
}

static void count_or_give_up(void) {
    count_or_give_up_as(LIDO__HAS_SLEPT);
}

static void count_starved_or_give_up(void) {
    count_or_give_up_as(LIDO__IS_STARVED);
}

/* Another starved thread has had the word kept, and is on its way to it: or is no more. */
static void setup_kept(void) {
    setup_loud();
    lido__store(&lock.word, LIDO__KEPT, relaxed);
}

/* The word is held, and kept for the one who sleeps for it: who goes away while it is dropped. */
static void setup_kept_held(void) {
    setup_street(LIDO__SLEEPER, EXPLORE_BARRIER_WORKS);
    lido__store(&lock.word, LIDO__HELD | LIDO__SLEPT_ON | LIDO__KEPT, relaxed);
}

static void leave_it(void) {
    lido__word_depart(&lock.word);
    go_away(LIDO__IS_STARVED);
}

static void finish_free(void) {
    explore_check(lido__load(&lock.word, relaxed) == LIDO__FREE, "the word is kept for nobody");
}

static void finish_two(void) {
    explore_check(number == 2, "a change under the lock is lost");
    explore_check(lido__load(&lock.word, relaxed) == LIDO__FREE, "the lock is held by nobody");
}

static void finish_three(void) {
    explore_check(number + gave_up == 3, "a change under the lock is lost");
    explore_check(lido__load(&lock.word, relaxed) == LIDO__FREE, "the lock is held by nobody");
}

static void finish_four(void) {
    explore_check(number == 4, "a change under the lock is lost");
}

/* ---- P5 ---------------------------------------------------------------------------------- */

static struct lido__rwword rw = {.state = &lock.word, .turn = &lock.turn};

static void setup_rw(void) {
    setup_street(0, EXPLORE_BARRIER_WORKS);
    explore_name(&lock.turn, sizeof lock.turn, "turn");
}

#define RW_NO_TURN "a wake does not raise the turn"
#define RW_KEEPS   "a writer that gives up wakes nobody"

static void rw_wake(enum lido__rw_wake whom) {
    if (whom & LIDO__WAKE_WRITER) {
        if (!explore_broken(RW_NO_TURN))
            lido__rw_raise_turn(rw);
        lido__sys.unpark(rw.turn, 1);
    }
    if (whom & LIDO__WAKE_READERS)
        lido__sys.unpark(rw.state, INT32_MAX);
}

static void rw_read(void) {
    uint32_t expected = 0;
    bool has_slept = false;
    for (; !lido__rw_read_or_mark(rw, has_slept, &expected); has_slept = true)
        (void)lido__sys.park(rw.state, expected, LIDO_FOREVER);
    read_by[explore_thread()] = number;
    rw_wake(lido__rw_drop(rw));
}

static bool rw_write_until(uint64_t deadline_ns) {
    uint32_t expected = 0;
    bool has_slept = false, in_time = true, taken = lido__rw_try_write(rw);
    while (!taken && in_time && !lido__rw_write_or_mark(rw, has_slept, &expected)) {
        in_time = lido__sys.park(rw.turn, expected, deadline_ns);
        has_slept = true;
    }
    if (!in_time)
        return false;
    number++;
    rw_wake(lido__rw_drop(rw));
    return true;
}

static void rw_write(void) {
    (void)rw_write_until(LIDO_FOREVER);
}

static void rw_write_or_give_up(void) {
    if (rw_write_until(lido__sys.now_ns() + 1))
        return;
    gave_up = 1;
    if (explore_broken(RW_KEEPS))
        return;
    lido__rw_unmark(rw);
    lido__rw_raise_turn(rw);
    lido__sys.unpark(rw.turn, INT32_MAX);
    lido__sys.unpark(rw.state, INT32_MAX);
}

static void finish_rw(void) {
    uint32_t state = lido__load(rw.state, relaxed);
    explore_check((state & LIDO__RW_COUNT) == 0, "the lock is held by nobody");
    for (int t = 0; t < EXPLORE_THREADS; t++)
        explore_check(read_by[t] <= number, "a reader saw what was never written");
}

/* ---- A holder ends ----------------------------------------------------------------------- */

static _Atomic(uint32_t) is_dead;

static void setup_death(void) {
    setup_rw();
    lido__store(&is_dead, 0, relaxed);
}

#define TELLS_NOBODY "who hears of a death tells nobody"

static void rw_wake_all(void) {
    lido__rw_unmark(rw);
    lido__rw_raise_turn(rw);
    lido__sys.unpark(rw.turn, INT32_MAX);
    lido__sys.unpark(rw.state, INT32_MAX);
}

static void rw_dies(void) {
    if (!lido__rw_try_write(rw))
        return;
    lido__store(&is_dead, 1, relaxed);
    rw_wake_all();
}

static void rw_read_unless_dead(void) {
    uint32_t expected = 0;
    bool has_slept = false;
    for (; !lido__rw_read_or_mark(rw, has_slept, &expected); has_slept = true) {
        if (lido__load(&is_dead, relaxed)) {
            if (!explore_broken(TELLS_NOBODY))
                rw_wake_all();
            return;
        }
        (void)lido__sys.park(rw.state, expected, LIDO_FOREVER);
    }
    rw_wake(lido__rw_drop(rw));
}

static void mourn(void) {
    (void)lido__exchange(&lock.word, LIDO__HELD, acq_rel);
    lido__sys.unpark(&lock.word, INT32_MAX);
}

static void dies(void) {
    if (!lido__word_take(&lock.word, LIDO__HELD))
        return;
    lido__store(&is_dead, 1, relaxed);
    mourn();
}

static void take_unless_dead(void) {
    if (lido__word_take(&lock.word, LIDO__HELD)) {
        drop();
        return;
    }
    bool taken = false, mourns = false;
    uint32_t expected = 0;
    enum lido__word_manner manner = LIDO__COMES_ANEW;
    (void)lido__word_arrive(&lock.word);
    while (!mourns &&
           !(taken = lido__word_take_or_mark(&lock.word, LIDO__HELD, manner, &expected))) {
        mourns = lido__load(&is_dead, relaxed);
        if (!mourns)
            (void)lido__sys.park(&lock.word, expected, LIDO_FOREVER);
        manner = LIDO__HAS_SLEPT;
    }
    lido__word_depart(&lock.word);
    if (taken)
        drop();
    else if (!explore_broken(TELLS_NOBODY))
        mourn();
}

#define KERNEL(name_, claim_, preemptions_, stale_, impatience_, setup_, finish_)                  \
    .name = "lock_" name_, .claim = claim_, .preemptions = preemptions_, .stale = stale_,          \
    .impatience = impatience_, .setup = setup_, .finish = finish_

const struct explore_kernel explore_lock_kernels[] = {
    {KERNEL("quiet", "in a quiet street nobody sleeps through a drop", 4, 3, 0, setup_quiet,
            finish_two),
     .threads = {{"one", count}, {"two", count}}, .mutants = {ALWAYS_QUIET, NO_BARRIER}},
    {KERNEL("loud", "the lock word excludes, and wakes", 4, 2, 0, setup_loud, finish_three),
     .threads = {{"one", count}, {"two", count_twice}}, .mutants = {NO_MARK, NO_WAKE}},
    {KERNEL("calms", "a street becomes quiet without losing a sleeper", 4, 1, 0, setup_loud,
            finish_four),
     .threads = {{"one", count_twice}, {"two", count_twice}}},
    {KERNEL("again", "nobody takes a sleeper out of a street that is still there", 3, 0, 0,
            setup_quiet, finish_four),
     .threads = {{"one", count_twice}, {"two", count}, {"three", count}}},
    {KERNEL("three", "three threads meet in a quiet street", 2, 1, 0, setup_quiet, finish_three),
     .threads = {{"one", count}, {"two", count}, {"three", count}}},
    {KERNEL("gives_up", "a sleeper that gives up takes no wake with it", 3, 1, 1, setup_quiet,
            finish_three),
     .threads = {{"one", count}, {"two", count}, {"gives up", count_or_give_up}}},
    {KERNEL("goes_away", "when membarrier goes away, sleepers look up", 3, 2, 0, setup_goes_away,
            finish_two),
     .threads = {{"one", count}, {"two", count}}},
    {KERNEL("kept", "a word that a starved thread has kept is not lost", 2, 1, 0, setup_quiet,
            finish_four),
     .threads = {{"one", count_twice}, {"two", count_starved}, {"three", count_starved}}},
    {KERNEL("kept_gives_up", "nor when the starved thread gives up", 2, 1, 1, setup_loud,
            finish_three),
     .threads = {{"one", count}, {"two", count}, {"gives up", count_starved_or_give_up}},
     .mutants = {KEEPS_IT}},
    {KERNEL("kept_by_nobody", "nor when that thread is no more", 3, 1, 0, setup_kept, finish_two),
     .threads = {{"one", count}, {"two", count}}, .mutants = {NO_LOOK_UP}},
    {KERNEL("kept_dropped", "who goes away while the word is dropped does not keep it", 2, 1, 0,
            setup_kept_held, finish_free),
     .threads = {{"holder", drop}, {"goes away", leave_it}}, .mutants = {KEEPS_IT}},
    {KERNEL("rw", "writers exclude readers, and all are woken", 3, 1, 0, setup_rw, finish_rw),
     .threads = {{"reader", rw_read}, {"writer", rw_write}, {"writer 2", rw_write}},
     .mutants = {RW_NO_TURN}},
    {KERNEL("rw_gives_up", "readers behind a writer that gives up are woken", 3, 1, 1, setup_rw,
            finish_rw),
     .threads = {{"reader", rw_read}, {"gives up", rw_write_or_give_up}, {"reader 2", rw_read}},
     .mutants = {RW_KEEPS}},
    {KERNEL("death", "nobody sleeps for a mutex whose holder ended", 3, 2, 0, setup_death, NULL),
     .threads = {{"dies", dies}, {"one", take_unless_dead}, {"two", take_unless_dead}},
     .mutants = {TELLS_NOBODY}},
    {KERNEL("rw_death", "nobody sleeps for a read-write lock whose writer ended", 3, 2, 0,
            setup_death, NULL),
     .threads = {{"dies", rw_dies}, {"one", rw_read_unless_dead}, {"two", rw_read_unless_dead}}},
    {.name = NULL},
};
