/* SPDX-License-Identifier: MIT
 * lido_mutex and lido_cond as the application calls them (src/lock): nobody sleeps through a signal
 * that was meant for him. What is under them, the lock word, has kernels in explore_lock.c. */
#include "explore_sys.h"

#include "base/atomic.h"

#include <lido/lock.h>

static struct {
    _Alignas(64) lido_mutex mutex;
    _Alignas(64) lido_cond cond;
} lock;
static uint32_t items, taken; /* guarded by the mutex */
static uint32_t gave_up;      /* guarded by the mutex */
static uint32_t returned;     /* guarded by the mutex: waits that came to an end */

#define NO_SIGNAL    "a change is not signalled"
#define ONE_FOR_ALL  "a broadcast wakes one"
#define LOOKS_BEFORE "who waits looks before it takes the mutex"
#define NO_MUTEX     "the change is made without the mutex"

static void setup(void) {
    explore_sys_begin(EXPLORE_BARRIER_WORKS);
    lock.mutex = (lido_mutex)LIDO_MUTEX_INIT("explored");
    lock.cond = (lido_cond)LIDO_COND_INIT;
    items = taken = gave_up = returned = 0;
    explore_name(&lock.mutex, sizeof lock.mutex, "mutex");
    explore_name(&lock.cond, sizeof lock.cond, "cond");
    explore_name(&items, sizeof items, "items");
}

static void take(void) {
    explore_check(lido_mutex_lock(&lock.mutex) == LIDO_OK, "a lock was refused");
}

static void drop(void) {
    explore_check(lido_mutex_unlock(&lock.mutex) == LIDO_OK, "an unlock was refused");
}

/* ---- What threads do --------------------------------------------------------------------- */

static void put_one(void) {
    if (!explore_broken(NO_MUTEX))
        take();
    items++;
    if (!explore_broken(NO_MUTEX))
        drop();
    if (!explore_broken(NO_SIGNAL))
        lido_cond_signal(&lock.cond);
}

static void put_one_inside(void) {
    take();
    items++;
    if (!explore_broken(NO_SIGNAL))
        lido_cond_signal(&lock.cond);
    drop();
}

static void put_one_and_one(void) {
    put_one();
    put_one_inside();
}

static void put_two(void) {
    take();
    items += 2;
    drop();
    if (explore_broken(ONE_FOR_ALL))
        lido_cond_signal(&lock.cond);
    else
        lido_cond_broadcast(&lock.cond);
}

static void take_one(void) {
    uint32_t seen = 0;
    if (explore_broken(LOOKS_BEFORE))
        seen = items;
    take();
    if (!explore_broken(LOOKS_BEFORE))
        seen = items;
    while (seen == 0) {
        explore_check(lido_cond_wait(&lock.cond, &lock.mutex, LIDO_FOREVER) == LIDO_OK,
                      "a wait was refused");
        seen = items;
    }
    items--;
    taken++;
    drop();
}

static void take_one_in_time(void) {
    lido_status status = LIDO_OK;
    take();
    while (items == 0 && status == LIDO_OK)
        status = lido_cond_wait(&lock.cond, &lock.mutex, LIDO_MILLISECONDS(1));
    explore_check(status == LIDO_OK || status == LIDO_ERR_TIMEOUT, "an unexpected refusal");
    if (items > 0) {
        items--;
        taken++;
    } else {
        gave_up++;
    }
    drop();
}

/* Waits once, whatever for; passes the signal on, since it may have been another one's. */
static void wait_once(void) {
    take();
    bool is_late = items > 0;
    if (!is_late)
        explore_check(lido_cond_wait(&lock.cond, &lock.mutex, LIDO_FOREVER) == LIDO_OK,
                      "a wait was refused");
    returned++;
    drop();
    lido_cond_signal(&lock.cond);
}

/* Begins to wait when the change has been made, perhaps while it is being signalled. */
static void wait_late(void) {
    take();
    if (items > 0 && returned == 0)
        explore_check(lido_cond_wait(&lock.cond, &lock.mutex, LIDO_FOREVER) == LIDO_OK,
                      "a wait was refused");
    returned++;
    drop();
    lido_cond_signal(&lock.cond);
}

static void finish(void) {
    explore_check(taken + gave_up == 2, "somebody went without");
    explore_check(taken + items == 2, "an item is lost");
}

#define KERNEL(name_, claim_, preemptions_, stale_, impatience_, finish_)                          \
    .name = "cond_" name_, .claim = claim_, .preemptions = preemptions_, .stale = stale_,          \
    .impatience = impatience_, .setup = setup, .finish = finish_

const struct explore_kernel explore_cond_kernels[] = {
    {KERNEL("signal", "who waits for a change hears of it, also when he begins just then", 2, 1, 0,
            NULL),
     .threads = {{"producer", put_one}, {"consumer", take_one}},
     .mutants = {NO_SIGNAL, LOOKS_BEFORE, NO_MUTEX}},
    {KERNEL("two", "two signals serve two", 1, 0, 0, finish),
     .threads = {{"producer", put_one_and_one}, {"consumer", take_one}, {"consumer 2", take_one}},
     .mutants = {NO_SIGNAL}},
    {KERNEL("broadcast", "a broadcast wakes all", 1, 1, 0, finish),
     .threads = {{"producer", put_two}, {"consumer", take_one}, {"consumer 2", take_one}},
     .mutants = {ONE_FOR_ALL}},
    {KERNEL("gives_up", "who gives up takes nobody's signal with him", 1, 0, 1, finish),
     .threads = {{"producer", put_one_and_one},
                 {"hasty", take_one_in_time},
                 {"consumer", take_one}}},
    {KERNEL("late", "a signal ends one of the waits that it finds, though others begin meanwhile",
            1, 0, 0, NULL),
     .threads = {{"producer", put_one}, {"waiter", wait_once}, {"late", wait_late}}},
    {.name = NULL},
};
