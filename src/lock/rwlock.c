/* SPDX-License-Identifier: MIT
 * lido_rwlock: the read-write word (rwword.h, P5) under the head of internal.h.
 *
 * Readers stand in no list of the lock: a line that all of them write is dear enough. Who reads is
 * known by what threads hold (base/waiting.h), which answers the two questions that matter: does
 * this thread read already, and does a thread read that waits itself? */
#include "lock/internal.h"

#include "lock/rwword.h"

#include "base/status.h"
#include "base/sys.h"

struct rwlock {
    struct lido__lock_head head; /* `word` is the state */
    _Atomic(uint32_t) turn;
    _Atomic(uint32_t) spare;
};

_Static_assert(sizeof(struct rwlock) <= sizeof(lido_rwlock), "the public size is too small");

static const char kind_name[] = "rwlock";

static struct rwlock *of(const lido_rwlock *lock) {
    return (struct rwlock *)(uintptr_t)lock;
}

static struct lido__rwword word_of(struct lido__lock_head *head) {
    struct rwlock *lock = (struct rwlock *)(void *)head;
    return (struct lido__rwword){.state = &head->word, .turn = &lock->turn};
}

/* ---- Waiting ----------------------------------------------------------------------------- */

static void wake(struct lido__lock_head *head, enum lido__rw_wake whom) {
    struct lido__rwword rw = word_of(head);
    if (whom & LIDO__WAKE_WRITER) {
        lido__rw_raise_turn(rw);
        lido__sys.unpark(rw.turn, 1);
    }
    if (whom & LIDO__WAKE_READERS)
        lido__sys.unpark(rw.state, INT32_MAX);
}

static bool read_or_mark(struct lido__lock_head *head, enum lido__word_manner manner,
                         _Atomic(uint32_t) **word, uint32_t *expected) {
    *word = &head->word;
    return lido__rw_read_or_mark(word_of(head), manner != LIDO__COMES_ANEW, expected);
}

static bool write_or_mark(struct lido__lock_head *head, enum lido__word_manner manner,
                          _Atomic(uint32_t) **word, uint32_t *expected) {
    *word = word_of(head).turn;
    return lido__rw_write_or_mark(word_of(head), manner != LIDO__COMES_ANEW, expected);
}

static void wake_all(struct lido__lock_head *head) {
    struct lido__rwword rw = word_of(head);
    lido__rw_unmark(rw);
    lido__rw_raise_turn(rw);
    lido__sys.unpark(rw.turn, INT32_MAX);
    lido__sys.unpark(rw.state, INT32_MAX);
}

static void reader_gives_up(struct lido__lock_head *head, enum lido__word_manner manner,
                            bool gone) {
    (void)manner;
    if (gone)
        wake_all(head);
}

static void writer_gives_up(struct lido__lock_head *head, enum lido__word_manner manner,
                            bool gone) {
    (void)manner, (void)gone;
    wake_all(head);
}

static bool is_gone(struct lido__lock_head *head) {
    return lido__identity_is_gone(lido__load(&head->owner, relaxed));
}

static bool is_gone_or_mourns(struct lido__lock_head *head) {
    return (lido__load(&head->word, relaxed) & LIDO__RW_MOURNS) != 0 || is_gone(head);
}

/* A wait ends when all who have a share unlock: one of them who is stuck is enough. A reader that
 * waits because a writer waits is stuck when that writer is, which the readers inside decide. */
static bool is_stuck(const struct lido__wait *wait) {
    const struct lido__lock_head *head = wait->resource;
    uint64_t owner = lido__load(&head->owner, relaxed);
    if (owner == wait->self)
        return false;
    return lido__waiting_is_stuck(owner) || lido__waiting_holder_is_stuck(wait, head);
}

static const struct lido__lock_way read_way = {.kind = kind_name,
                                               .take_or_mark = read_or_mark,
                                               .is_stuck = is_stuck,
                                               .is_gone = is_gone,
                                               .give_up = reader_gives_up};
static const struct lido__lock_way write_way = {.kind = kind_name,
                                                .take_or_mark = write_or_mark,
                                                .is_stuck = is_stuck,
                                                .is_gone = is_gone_or_mourns,
                                                .give_up = writer_gives_up};

/* ---- Locking ----------------------------------------------------------------------------- */

static bool try_to(struct lido__lock_head *head, const struct lido__lock_way *way) {
    return way == &read_way ? lido__rw_try_read(word_of(head)) : lido__rw_try_write(word_of(head));
}

/* As for a mutex: seldom, and less where it was mostly in vain. A writer that sleeps is not passed by
 * readers that look. */
static bool spin(struct lido__lock_head *head, const struct lido__lock_way *way) {
    uint32_t in_vain = lido__load(&head->looks_in_vain, relaxed);
    bool taken = false;
    for (uint32_t i = in_vain; i < LIDO_WORD_LOOKS && !taken; i++) {
        lido__rest();
        taken = try_to(head, way);
    }
    if (taken && in_vain > 0)
        lido__store(&head->looks_in_vain, in_vain - 1, relaxed);
    else if (!taken && in_vain + 1 < LIDO_WORD_LOOKS)
        lido__store(&head->looks_in_vain, in_vain + 1, relaxed);
    return taken;
}

static lido_status take(struct lido__lock_head *head, const struct lido__lock_way *way, bool taken,
                        uint64_t timeout_ns, const char *site) {
    struct lido__holds *me = &lido__holds;
    if (!taken && lido__holds_find(me, head) != 0)
        return lido__lock_fail_recursive(head, kind_name, site);
    if (!taken && timeout_ns == 0)
        return lido__lock_fail_busy(head, kind_name, true);
    if (!taken) {
        struct lido__lock_patience patience = {timeout_ns, LIDO_FOREVER};
        lido_status status =
            spin(head, way) ? LIDO_OK : lido__lock_sleep(head, way, patience, site);
        if (status != LIDO_OK)
            return status;
        (void)lido__add(&head->contended, 1, relaxed);
    }
    uintptr_t tagged = (uintptr_t)head | LIDO__IS_RWLOCK;
    if (!lido__holds_push(me, tagged, site)) {
        lido__lock_holds_begin();
        if (!lido__holds_push(me, tagged, site))
            me->beyond++;
    }
    lido__holds_remember(me, lido__load(&head->name, relaxed));
    lido__store(&head->site, site, relaxed);
    uint64_t acquired = lido__add(&head->acquired, 1, relaxed) + 1;
    if (acquired % LIDO__SAMPLE_EVERY == 0)
        lido__figures_tell(head);
    if (acquired % LIDO__TIME_EVERY == 0)
        lido__lock_time(tagged);
    return LIDO_OK;
}

lido_status lido_rwlock_read_at(lido_rwlock *lock, uint64_t timeout_ns, const char *site) {
    struct lido__lock_head *head = &of(lock)->head;
    /* A second share of the same thread would wait for a writer that waits for the first. */
    bool taken = lido__holds_find(&lido__holds, head) == 0 && lido__rw_try_read(word_of(head));
    return take(head, &read_way, taken, timeout_ns, site);
}

lido_status lido_rwlock_write_at(lido_rwlock *lock, uint64_t timeout_ns, const char *site) {
    struct lido__lock_head *head = &of(lock)->head;
    bool taken = lido__rw_try_write(word_of(head));
    lido_status status = take(head, &write_way, taken, timeout_ns, site);
    if (status == LIDO_OK)
        lido__store(&head->owner, lido__holds.self, relaxed);
    return status;
}

lido_status lido_rwlock_unlock(lido_rwlock *lock) {
    struct lido__lock_head *head = &of(lock)->head;
    struct lido__holds *me = &lido__holds;
    uint32_t at = lido__holds_find(me, head), state = lido__load(&head->word, relaxed);
    const char *site = at ? me->held[at].site : lido__load(&head->site, relaxed);
    bool was_timed = false;
    if (!lido__holds_pop(head, &was_timed)) {
        bool is_others = (state & LIDO__RW_COUNT) == LIDO__RW_WRITER &&
                         lido__load(&head->owner, relaxed) != me->self;
        if (me->beyond == 0 || (state & LIDO__RW_COUNT) == 0 || is_others)
            return lido__lock_fail_not_held(head, kind_name);
        me->beyond--;
    }
    if (was_timed)
        lido__figures_held(head);
    if ((state & LIDO__RW_COUNT) == LIDO__RW_WRITER)
        lido__store(&head->owner, 0, relaxed);
    if (state & (LIDO__RW_READERS_SLEEP | LIDO__RW_WRITERS_SLEEP))
        lido__figures_charge(head, site);
    wake(head, lido__rw_drop(word_of(head)));
    return LIDO_OK;
}

/* ---- Death, life, figures ---------------------------------------------------------------- */

/* In the ending thread, which is among the dead by now: who sleeps has to look again. */
void lido__rwlock_mourn(struct lido__lock_head *head) {
    uint32_t seen = lido__load(&head->word, relaxed);
    while ((seen & LIDO__RW_COUNT) != LIDO__RW_WRITER &&
           !lido__cas(&head->word, &seen, seen | LIDO__RW_MOURNS, release, relaxed)) {}
    wake_all(head);
}

lido_status lido_rwlock_destroy(lido_rwlock *lock) {
    if (!lock)
        return LIDO_OK;
    struct lido__lock_head *head = &of(lock)->head;
    if ((lido__load(&head->word, relaxed) & LIDO__RW_COUNT) != 0 && !is_gone_or_mourns(head))
        return lido__lock_fail_busy(head, kind_name, false);
    lido__figures_tell(head);
    lido__history_end(head);
    return LIDO_OK;
}

lido_status lido_rwlock_read_stats(const lido_rwlock *lock, lido_lock_stats *stats) {
    return lido__lock_stats(&of(lock)->head, stats);
}
