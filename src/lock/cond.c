/* SPDX-License-Identifier: MIT
 * lido_cond: a number that each signal raises, and the count of those who sleep for it.
 *
 * Who waits reads the number while it holds the mutex, and sleeps while it is the same. So a signal
 * after that is not missed, whether it comes before or after the thread has fallen asleep. Who
 * changes what is waited for does so under the mutex, later than the waiter gave it up, and by that
 * sees the count: hence relaxed is enough for both.
 *
 * Who is woken returns, also when the number is still the same: then the wake belongs to a signal
 * that was raised before this wait began, and could have gone to a thread that waited for it. Were it
 * swallowed here, that thread would sleep on (tests/explore, cond_late). */
#include "lock/internal.h"

#include "base/status.h"
#include "base/sys.h"

struct cond {
    _Atomic(uint32_t) signals;
    _Atomic(uint32_t) sleepers;
    _Atomic(uint64_t) spare;
};

_Static_assert(sizeof(struct cond) == sizeof(lido_cond), "the public size is another");

static struct cond *of(lido_cond *cond) {
    return (struct cond *)(void *)cond;
}

static bool sleep_for_signal(struct cond *cond, uint32_t seen, uint64_t timeout_ns) {
    uint64_t now_ns = timeout_ns == LIDO_FOREVER ? 0 : lido__sys.now_ns();
    uint64_t deadline_ns = timeout_ns < LIDO_FOREVER - now_ns ? now_ns + timeout_ns : LIDO_FOREVER;
    return lido__sys.park(&cond->signals, seen, deadline_ns);
}

lido_status lido_cond_wait_at(lido_cond *given, lido_mutex *mutex, uint64_t timeout_ns,
                              const char *site) {
    struct cond *cond = of(given);
    struct lido__lock_head *lock = (struct lido__lock_head *)(void *)mutex;
    uint64_t self = lido__holds.self;
    if (self == 0 || lido__load(&lock->owner, relaxed) != self)
        return lido__lock_fail_not_held(lock, "mutex of a condition");
    uint32_t seen = lido__load(&cond->signals, relaxed);
    (void)lido__add(&cond->sleepers, 1, relaxed);
    lido_status status = lido_mutex_unlock(mutex);
    bool in_time = sleep_for_signal(cond, seen, timeout_ns);
    (void)lido__sub(&cond->sleepers, 1, relaxed);
    if (status == LIDO_OK)
        status = lido_mutex_lock_at(mutex, site);
    if (status == LIDO_OK && !in_time)
        return LIDO__FAIL(LIDO_ERR_TIMEOUT,
                          "condition of mutex \"%s\": no signal for %t at %s; look at what is "
                          "waited for, then wait again",
                          .word = {lido__lock_name(lock), site}, .number = {timeout_ns});
    return status;
}

static void raise_and_wake(struct cond *cond, int count) {
    if (lido__load(&cond->sleepers, relaxed) == 0)
        return;
    (void)lido__add(&cond->signals, 1, relaxed); /* park compares it; the mutex orders the data */
    lido__sys.unpark(&cond->signals, count);
}

void lido_cond_signal(lido_cond *cond) {
    raise_and_wake(of(cond), 1);
}

void lido_cond_broadcast(lido_cond *cond) {
    raise_and_wake(of(cond), INT32_MAX);
}
