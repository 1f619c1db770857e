/* SPDX-License-Identifier: MIT
 * A thread sleeps for a lock: timed, entered into the graph of waits where that can matter, and
 * turned away when its wait could never end. */
#include "lock/internal.h"

#include "base/log.h"
#include "base/status.h"
#include "base/sys.h"

enum { CHAIN_MAX = 8 };

/* ---- Refusals in words ------------------------------------------------------------------- */

static uint64_t holder_id(const struct lido__lock_head *lock) {
    return lido__identity_thread_id(lido__load(&lock->owner, relaxed));
}

static lido_status give_up(struct lido__lock_head *lock, lido_status status) {
    (void)lido__add(&lock->given_up, 1, relaxed);
    return status;
}

lido_status lido__lock_fail_recursive(struct lido__lock_head *lock, const char *kind,
                                      const char *site) {
    return give_up(lock, LIDO__FAIL(LIDO_ERR_DEADLOCK,
                                    "%s \"%s\": this thread holds it already, locked at %s, and "
                                    "would wait for itself at %s; unlock it before",
                                    .word = {kind, lido__lock_name(lock),
                                             lido__load(&lock->site, relaxed), site}));
}

/* Without a thread where readers hold it, or its holder is not told yet. */
lido_status lido__lock_fail_busy(struct lido__lock_head *lock, const char *kind, bool gives_up) {
    static const char *const texts[2][2] = {
        {"%s \"%s\": held, locked last at %s; destroy it after all have unlocked",
         "%s \"%s\": held, locked last at %s; try later, or wait with a timeout"},
        {"%s \"%s\": held, locked at %s by thread %u; destroy it after that thread unlocked",
         "%s \"%s\": held, locked at %s by thread %u; try later, or wait with a timeout"}};
    uint64_t holder = holder_id(lock);
    lido_status status =
        LIDO__FAIL(LIDO_ERR_BUSY, texts[holder != 0][gives_up],
                   .word = {kind, lido__lock_name(lock), lido__load(&lock->site, relaxed)},
                   .number = {holder});
    return gives_up ? give_up(lock, status) : status;
}

lido_status lido__lock_fail_not_held(struct lido__lock_head *lock, const char *kind) {
    if (lido__load(&lock->owner, relaxed) == 0)
        return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                          "%s \"%s\": this thread does not hold it, locked last at %s; lock it "
                          "before, and unlock it once",
                          .word = {kind, lido__lock_name(lock), lido__load(&lock->site, relaxed)});
    return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                      "%s \"%s\": thread %u holds it, locked at %s; only that thread may unlock it",
                      .word = {kind, lido__lock_name(lock), lido__load(&lock->site, relaxed)},
                      .number = {holder_id(lock)});
}

static lido_status fail_gone(struct lido__lock_head *lock, const struct lido__lock_way *way) {
    const char *kind = way->kind;
    if (way->has_street && lido__load(&lock->owner, relaxed) == 0)
        return LIDO__FAIL(
            LIDO_ERR_DEADLOCK,
            "%s \"%s\": a thread that this process has not was taking or unlocking it "
            "when it was forked; take it before the fork, or make it anew in the child",
            .word = {kind, lido__lock_name(lock)});
    if (lido__load(&lock->owner, relaxed) == 0)
        return LIDO__FAIL(LIDO_ERR_DEADLOCK,
                          "%s \"%s\": a thread has ended while it read it; locked last at %s; "
                          "unlock in a clean-up handler; destroy this one and make it anew",
                          .word = {kind, lido__lock_name(lock), lido__load(&lock->site, relaxed)});
    return LIDO__FAIL(LIDO_ERR_DEADLOCK,
                      "%s \"%s\": thread %u has ended while it held it, locked at %s; unlock in a "
                      "clean-up handler; destroy this one, look at its data and make it anew",
                      .word = {kind, lido__lock_name(lock), lido__load(&lock->site, relaxed)},
                      .number = {holder_id(lock)});
}

static lido_status fail_late(struct lido__lock_head *lock, const char *kind, uint64_t waited_ns) {
    uint64_t holder = holder_id(lock);
    return LIDO__FAIL(LIDO_ERR_TIMEOUT,
                      holder ? "%s \"%s\": waited %t; held, locked at %s by thread %u; hold it for "
                               "a shorter time, or wait longer"
                             : "%s \"%s\": waited %t; held, locked last at %s; hold it for a "
                               "shorter time, or wait longer",
                      .word = {kind, lido__lock_name(lock), lido__load(&lock->site, relaxed)},
                      .number = {waited_ns, holder});
}

/* The link of the circle that comes after this thread's is the one worth naming: that thread has
 * the lock, and waits. It is the first of the chain. */
static lido_status fail_circle(struct lido__lock_head *lock, const char *kind,
                               const struct lido__wait *chain, int count) {
    uint64_t owner = lido__load(&lock->owner, relaxed);
    return LIDO__FAIL(
        LIDO_ERR_DEADLOCK,
        "%s \"%s\": waiting would never end: thread %u locked it at %s and waits at "
        "%s; threads in the circle: %u; take locks in one order everywhere",
        .word = {kind, lido__lock_name(lock), lido__load(&lock->site, relaxed),
                 count ? chain[0].site : NULL},
        .number = {lido__identity_thread_id(count ? chain[0].self : owner), (uint64_t)count + 1});
}

/* ---- A holder ends ----------------------------------------------------------------------- */

/* In the ending thread, which is among the dead by now. */
static void mourn(uintptr_t held, const char *site) {
    struct lido__lock_head *lock = (struct lido__lock_head *)(held & ~(uintptr_t)LIDO__TAGS);
    if (!site)
        site = lido__load(&lock->site, relaxed);
    LIDO__LOG(LIDO_LOG_WARNING, "lock.held_at_thread_end", {"lock", lido__lock_name(lock), 0},
              {"site", site ? site : "?", 0}, {"thread", NULL, (int64_t)holder_id(lock)});
    if (lido__load(&lock->owner, relaxed) == lido__holds.self)
        lido__store(&lock->owner, lido__holds.self | LIDO__HAS_ENDED, relaxed);
    if (held & LIDO__IS_RWLOCK)
        lido__rwlock_mourn(lock);
    else
        lido__mutex_mourn(lock);
}

/* ---- The rare ends of taking ------------------------------------------------------------- */

/* ---- fork -------------------------------------------------------------------------------- */

/* A child whose thread holds more locks than it can name cannot tell which are orphaned. */
static _Atomic(bool) is_orphan_unknown;

bool lido__lock_is_orphaned(bool is_older) {
    return is_older && !lido__load(&is_orphan_unknown, relaxed);
}

/* In the child of a fork, alone: this thread's locks are of this generation. */
static void stamp_held(uintptr_t held, const char *site) {
    struct lido__lock_head *lock = (struct lido__lock_head *)(held & ~(uintptr_t)LIDO__TAGS);
    (void)site;
    lido__store(&is_orphan_unknown, lido__holds.beyond > 0, relaxed);
    if ((held & LIDO__IS_RWLOCK) == 0)
        lido__store(&lock->word, lido__load(&lido__word_held, relaxed), relaxed);
}

/* This thread's first lock, though it may have waited in a pool before: whoever holds one is missed at
 * its end. */
void lido__lock_holds_begin(void) {
    if (lido__holds.room > 0)
        return;
    lido__store(&lido__on_death_of_holder, mourn, relaxed);
    lido__store(&lido__on_fork_of_holder, stamp_held, relaxed);
    lido__holds_begin_locks();
}

lido_status lido__lock_took_slowly(struct lido__lock_head *lock, const char *site) {
    struct lido__holds *me = &lido__holds;
    lido__lock_holds_begin();
    if (!lido__holds_push_mutex(me, (uintptr_t)lock, site))
        me->beyond++;
    return lido__lock_note(lock, me, site);
}

/* Times one holding at a time in each thread; not that of a lock which found no room in `held`. */
void lido__lock_time(uintptr_t tagged) {
    struct lido__holds *me = &lido__holds;
    uintptr_t *held = me->mutex == tagged ? &me->mutex : &me->held[me->top].lock;
    if (me->is_timing || *held != tagged)
        return;
    *held |= LIDO__TIMED;
    me->is_timing = true;
    me->timed_since_ns = lido__sys.now_ns();
}

lido_status lido__lock_sample(struct lido__lock_head *lock) {
    lido__figures_tell(lock);
    if (lido__load(&lock->acquired, relaxed) % LIDO__TIME_EVERY == 0)
        lido__lock_time((uintptr_t)lock);
    return LIDO_OK;
}

/* ---- Sleeping ---------------------------------------------------------------------------- */

static uint64_t deadline_of(struct lido__lock_patience patience, uint64_t now_ns) {
    if (patience.timeout_ns >= LIDO_FOREVER - now_ns)
        return patience.deadline_ns;
    return now_ns + patience.timeout_ns;
}

/* How a woken thread tries again: with a look or two first, where that can help. */
static enum lido__word_manner woken(struct lido__lock_head *lock, const struct lido__lock_way *way,
                                    uint64_t starves_ns) {
    if (!way->has_street)
        return LIDO__HAS_SLEPT;
    lido__word_await(&lock->word);
    return lido__sys.now_ns() < starves_ns ? LIDO__HAS_SLEPT : LIDO__IS_STARVED;
}

/* Time is up. A word that is kept, and that nobody holds, is no reason to go without: who was woken
 * for it may be in the parent of this process. */
static bool take_at_last(struct lido__lock_head *lock, const struct lido__lock_way *way,
                         uint32_t expected) {
    _Atomic(uint32_t) *word;
    return way->has_street && expected == LIDO__KEPT &&
           way->take_or_mark(lock, LIDO__HAS_SLEPT, &word, &expected);
}

/* Errors  TIMEOUT, DEADLOCK (the holder is gone); no text is set. */
static lido_status sleep_until(struct lido__lock_head *lock, const struct lido__lock_way *way,
                               uint64_t deadline_ns) {
    _Atomic(uint32_t) *word = &lock->word;
    uint32_t expected = 0;
    uint64_t starves_ns = lido__sys.now_ns() + LIDO__STARVES_AFTER_NS;
    enum lido__word_manner manner = LIDO__COMES_ANEW;
    lido_status status = LIDO_OK;
    bool is_seen = !way->has_street || lido__word_arrive(&lock->word);
    while (status == LIDO_OK && !way->take_or_mark(lock, manner, &word, &expected)) {
        bool looks_up = !is_seen || (way->has_street && expected == LIDO__KEPT);
        uint64_t until_ns = looks_up ? lido__sys.now_ns() + LIDO__LOOK_UP_NS : deadline_ns;
        if (until_ns > deadline_ns)
            until_ns = deadline_ns;
        if (way->is_gone(lock))
            status = LIDO_ERR_DEADLOCK;
        else if (!lido__sys.park(word, expected, until_ns) && until_ns == deadline_ns) {
            if (take_at_last(lock, way, expected))
                break;
            status = LIDO_ERR_TIMEOUT;
        } else
            manner = woken(lock, way, starves_ns);
    }
    if (way->has_street)
        lido__word_depart(&lock->word);
    if (status != LIDO_OK)
        way->give_up(lock, manner, status == LIDO_ERR_DEADLOCK);
    return status;
}

static bool is_with(const struct lido__wait *wait, const struct lido__wait *other) {
    const struct lido__lock_head *lock = wait->resource;
    return lido__load(&lock->owner, relaxed) == other->self ||
           lido__holds_find(other->who, lock) != 0;
}

lido_status lido__lock_sleep(struct lido__lock_head *lock, const struct lido__lock_way *way,
                             struct lido__lock_patience patience, const char *site) {
    struct lido__holds *me = &lido__holds;
    struct lido__wait wait = {.resource = lock,
                              .name = lido__lock_name(lock),
                              .site = site,
                              .is_stuck = way->is_stuck,
                              .is_with = is_with};
    struct lido__wait chain[CHAIN_MAX];
    int chain_count = 0;
    lido__lock_holds_begin();
    lido__history_prepare(lock);
    const char *held_at = lido__load(&lock->site, relaxed);
    bool enters = lido__holds_any(me) || me->enters;
    if (enters && !lido__waiting_enter(&wait, chain, CHAIN_MAX, &chain_count))
        return give_up(lock, fail_circle(lock, way->kind, chain, chain_count));
    uint64_t start_ns = lido__sys.now_ns();
    lido__blame_arrive(lock, start_ns);
    lido_status status = sleep_until(lock, way, deadline_of(patience, start_ns));
    uint64_t now_ns = lido__sys.now_ns();
    uint64_t wait_ns = now_ns > start_ns ? now_ns - start_ns : 0;
    lido__blame_depart(lock, start_ns + wait_ns);
    if (enters)
        lido__waiting_leave(&wait);
    if (status == LIDO_OK)
        lido__figures_waited(lock, site, held_at, wait_ns, start_ns + wait_ns);
    else if (status == LIDO_ERR_TIMEOUT)
        return give_up(lock, fail_late(lock, way->kind, wait_ns));
    else
        return give_up(lock, fail_gone(lock, way));
    return status;
}
