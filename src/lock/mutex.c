/* SPDX-License-Identifier: MIT
 * lido_mutex: a lock word (base/word.h, P4) under the head of internal.h.
 *
 * The fast path is here as a whole: taking the word is one locked instruction, giving it back none
 * while nobody sleeps; the rest is plain stores to the lock's line and the thread's own. Whoever
 * builds against the static library with LTO gets it inlined, because it says inline. */
#include "lock/internal.h"

#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"
#include "registry/registry.h"

#include <string.h>

_Static_assert(sizeof(struct lido__lock_head) <= sizeof(lido_mutex),
               "the public size is too small");

/* gcc's link-time optimiser inlines at -O2 what says so. clang, which would warn about static names
 * in it, has no part in that library. */
#if defined __GNUC__ && !defined __clang__
#define LIDO__LTO_INLINE inline
#else
#define LIDO__LTO_INLINE
#endif

static const char kind_name[] = "mutex";

static inline struct lido__lock_head *head_of(const lido_mutex *mutex) {
    return (struct lido__lock_head *)(uintptr_t)mutex;
}

/* ---- Locking ----------------------------------------------------------------------------- */

static bool take_or_mark(struct lido__lock_head *lock, enum lido__word_manner manner,
                         _Atomic(uint32_t) **word, uint32_t *expected) {
    *word = &lock->word;
    return lido__word_take_or_mark(&lock->word, lido__load(&lido__word_held, relaxed), manner,
                                   expected);
}

/* An owner that is the waiting thread itself has just got the lock, and is about to leave. */
static bool is_stuck(const struct lido__wait *wait) {
    const struct lido__lock_head *lock = wait->resource;
    uint64_t owner = lido__load(&lock->owner, relaxed);
    return owner != wait->self && lido__waiting_is_stuck(owner);
}

static bool is_gone(struct lido__lock_head *lock) {
    return lido__identity_is_gone(lido__load(&lock->owner, relaxed)) ||
           lido__lock_is_orphaned(lido__word_is_older(lido__load(&lock->word, relaxed)));
}

/* Whoever is about to sleep on the old value looks again, and finds its holder gone. Release: pairs
 * with the acquire of take_or_mark. */
void lido__mutex_mourn(struct lido__lock_head *lock) {
    (void)lido__exchange(&lock->word, LIDO__HELD, acq_rel);
    lido__sys.unpark(&lock->word, INT32_MAX);
}

static void give_up(struct lido__lock_head *lock, enum lido__word_manner manner, bool is_gone_now) {
    if (is_gone_now)
        lido__mutex_mourn(lock);
    else if (manner == LIDO__IS_STARVED && lido__word_give_up(&lock->word))
        lido__sys.unpark(&lock->word, 1);
}

static const struct lido__lock_way way = {.kind = kind_name,
                                          .has_street = true,
                                          .take_or_mark = take_or_mark,
                                          .is_stuck = is_stuck,
                                          .is_gone = is_gone,
                                          .give_up = give_up};

/* Where looking was mostly in vain, because the lock is held for long, it is done less; one look
 * always, from which better times are learned. Threads that learn at once may count one. */
static bool spin(struct lido__lock_head *lock) {
    uint32_t in_vain = lido__load(&lock->looks_in_vain, relaxed);
    bool taken = lido__word_spin(&lock->word, lido__load(&lido__word_held, relaxed),
                                 LIDO_WORD_LOOKS - in_vain);
    if (taken && in_vain > 0)
        lido__store(&lock->looks_in_vain, in_vain - 1, relaxed);
    else if (!taken && in_vain + 1 < LIDO_WORD_LOOKS)
        lido__store(&lock->looks_in_vain, in_vain + 1, relaxed);
    return taken;
}

__attribute__((noinline)) static lido_status
lock_slowly(struct lido__lock_head *lock, struct lido__lock_patience patience, const char *site) {
    uint64_t self = lido__holds.self;
    if (self != 0 && lido__load(&lock->owner, relaxed) == self)
        return lido__lock_fail_recursive(lock, kind_name, site);
    if (!spin(lock)) {
        lido_status status = lido__lock_sleep(lock, &way, patience, site);
        if (status != LIDO_OK)
            return status;
    }
    lido__store(&lock->contended, lido__load(&lock->contended, relaxed) + 1, relaxed);
    return lido__lock_took(lock, site);
}

static inline bool take_word(struct lido__lock_head *lock) {
    return lido__word_take(&lock->word, lido__load(&lido__word_held, relaxed));
}

static inline lido_status lock_within(lido_mutex *mutex, struct lido__lock_patience patience,
                                      const char *site) {
    struct lido__lock_head *lock = head_of(mutex);
    if (__builtin_expect(!take_word(lock), 0))
        return lock_slowly(lock, patience, site);
    return lido__lock_took(lock, site);
}

LIDO__LTO_INLINE lido_status lido_mutex_lock_at(lido_mutex *mutex, const char *site) {
    return lock_within(mutex, (struct lido__lock_patience){LIDO_FOREVER, LIDO_FOREVER}, site);
}

LIDO__LTO_INLINE lido_status lido_mutex_lock_for_at(lido_mutex *mutex, uint64_t timeout_ns,
                                                    const char *site) {
    return lock_within(mutex, (struct lido__lock_patience){timeout_ns, LIDO_FOREVER}, site);
}

LIDO__LTO_INLINE lido_status lido_mutex_lock_until_at(lido_mutex *mutex, uint64_t deadline_ns,
                                                      const char *site) {
    return lock_within(mutex, (struct lido__lock_patience){LIDO_FOREVER, deadline_ns}, site);
}

/* In the child of a fork the thread for which the word is kept may not be there; one that only ever
 * tries would try in vain. Elsewhere it is on its way, and has earned it. */
__attribute__((noinline)) static lido_status try_kept(struct lido__lock_head *lock,
                                                      const char *site) {
    uint32_t held = lido__load(&lido__word_held, relaxed), expected;
    if (held == LIDO__HELD || lido__load(&lock->word, relaxed) != LIDO__KEPT ||
        !lido__word_take_or_mark(&lock->word, held, LIDO__HAS_SLEPT, &expected))
        return lido__lock_fail_busy(lock, kind_name, true);
    return lido__lock_took(lock, site);
}

LIDO__LTO_INLINE lido_status lido_mutex_try_lock_at(lido_mutex *mutex, const char *site) {
    struct lido__lock_head *lock = head_of(mutex);
    if (__builtin_expect(!take_word(lock), 0))
        return try_kept(lock, site);
    return lido__lock_took(lock, site);
}

/* ---- Unlocking --------------------------------------------------------------------------- */

/* With sleepers, or in a street that is not quiet. Returns LIDO_OK, for tail calls. */
__attribute__((noinline)) static lido_status drop_slowly(struct lido__lock_head *lock) {
    if (lido__load(&lock->word, relaxed) & LIDO__SLEPT_ON)
        lido__figures_charge(lock, lido__load(&lock->site, relaxed));
    if (lido__word_drop_loudly(&lock->word))
        lido__sys.unpark(&lock->word, 1);
    return LIDO_OK;
}

__attribute__((noinline)) static lido_status wake(struct lido__lock_head *lock) {
    lido__sys.unpark(&lock->word, 1);
    return LIDO_OK;
}

/* In a quiet street nobody sleeps, or has begun to in this moment. */
static inline lido_status drop(struct lido__lock_head *lock) {
    lido__store(&lock->owner, 0, relaxed);
    if (LIDO__IS_ALONE()) {
        lido__store(&lock->word, LIDO__FREE, release);
        return LIDO_OK;
    }
    if (__builtin_expect(!lido__word_is_quiet(&lock->word), 0))
        return drop_slowly(lock);
    if (__builtin_expect(lido__word_drop_quietly(&lock->word), 0))
        return wake(lock);
    return LIDO_OK;
}

__attribute__((noinline)) static lido_status unlock_other(struct lido__lock_head *lock) {
    struct lido__holds *me = &lido__holds;
    bool was_timed = false;
    if (!lido__holds_pop(lock, &was_timed)) {
        if (me->beyond == 0 || lido__load(&lock->owner, relaxed) != me->self)
            return lido__lock_fail_not_held(lock, kind_name);
        me->beyond--;
    }
    if (was_timed)
        lido__figures_held(lock);
    return drop(lock);
}

LIDO__LTO_INLINE lido_status lido_mutex_unlock(lido_mutex *mutex) {
    struct lido__lock_head *lock = head_of(mutex);
    struct lido__holds *me = &lido__holds;
    if (__builtin_expect(!lido__holds_pop_mutex(me, lock), 0))
        return unlock_other(lock);
    return drop(lock);
}

/* ---- Life -------------------------------------------------------------------------------- */

struct created {
    struct lido__resource resource;
    lido_mutex mutex;
};

static struct created *created_of(lido_mutex *mutex) {
    return (struct created *)(void *)((char *)mutex - offsetof(struct created, mutex));
}

/* A lock that the application holds is not taken for a fork: who forks may hold it itself. */
static void fork_ignores(struct lido__resource *resource) {
    (void)resource;
}

static const struct lido__kind kind = {
    .name = kind_name, .lock = fork_ignores, .unlock = fork_ignores, .in_child = fork_ignores};

lido_status lido_mutex_create_at(const lido_mutex_options *given, lido_mutex **mutex,
                                 const char *site) {
    lido_mutex_options options;
    struct created *made = NULL;
    *mutex = NULL;
    lido_status status = lido__options_read(given, &options, sizeof options, "lido_mutex_options");
    if (status != LIDO_OK)
        return status;
    made = lido__sys.alloc(sizeof *made, _Alignof(struct created));
    if (!made)
        return LIDO__FAIL(
            LIDO_ERR_NO_MEMORY,
            "mutex \"%s\": no memory for it, %u bytes; free some, or use LIDO_MUTEX_INIT",
            .word = {options.name ? options.name : "unnamed"}, .number = {sizeof *made});
    memset(made, 0, sizeof *made);
    made->resource.panel = &lido__mutex_panel;
    made->resource.context = &made->mutex;
    status = lido__resource_name(&made->resource, &kind, options.name, options.owner);
    if (status == LIDO_OK)
        status = lido__resource_insert(&made->resource, site);
    if (status != LIDO_OK) {
        lido__sys.free(made);
        return status;
    }
    made->mutex.lido_name = lido__class_name(made->resource.info.name);
    head_of(&made->mutex)->is_created = LIDO__IS_CREATED;
    *mutex = &made->mutex;
    return LIDO_OK;
}

lido_status lido_mutex_destroy(lido_mutex *mutex) {
    if (!mutex)
        return LIDO_OK;
    struct lido__lock_head *lock = head_of(mutex);
    bool is_created = lock->is_created == LIDO__IS_CREATED;
    if ((lido__load(&lock->word, relaxed) & LIDO__HELD) != 0 && !is_gone(lock))
        return lido__lock_fail_busy(lock, kind_name, false);
    if (is_created)
        lido__resource_remove(&created_of(mutex)->resource);
    lido__figures_tell(lock);
    lido__history_end(lock);
    if (is_created)
        lido__sys.free(created_of(mutex));
    return LIDO_OK;
}

lido_status lido_mutex_read_stats(const lido_mutex *mutex, lido_lock_stats *stats) {
    return lido__lock_stats(head_of(mutex), stats);
}

uint64_t lido_mutex_read_waits(const lido_mutex *mutex, uint64_t count, uint64_t wait_ns[]) {
    const struct lido__history *history = lido__load(&head_of(mutex)->history, acquire);
    uint64_t waits = history ? lido__load(&history->waits, acquire) : 0;
    uint64_t kept = waits < LIDO__WAITS_KEPT ? waits : LIDO__WAITS_KEPT;
    if (count > kept)
        count = kept;
    for (uint64_t i = 0; i < count; i++)
        wait_ns[i] = lido__load(&history->wait_ns[(waits - 1 - i) % LIDO__WAITS_KEPT], relaxed);
    return count;
}
