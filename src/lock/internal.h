/* SPDX-License-Identifier: MIT
 * What mutex and rwlock share: a head, and how waits become figures.
 *
 * The head of a lock is 104 bytes. Its counts are written under the lock itself, so a plain load and
 * store does; readers of figures load them without it. Waits are told three times over: in the
 * lock's own history, in the row of its class, and in the row of (class, waiting line, holding
 * line). Tables are static and bounded; what finds no room goes to the row "other", so totals add up.
 *
 * Blame. `waiting` holds n, the threads asleep for the lock (low 16 bits), and A (the other 48), in
 * one word that changes by CAS: arrival is n + 1 and A - now, departure n - 1 and A + now. Then
 * n * now + A is the waiting time of all threads so far, summed over threads, modulo 2^48 ns. Who
 * drops a lock that is slept on charges its growth since the last such drop to the line where it
 * locked; so blame grows with the number of threads that wait, and needs no list of them. What grew
 * between that drop and the moment when the woken thread runs, it charges to the same line.
 *
 * Lock order: a lock of the application, then `tables` of figures.c. */
#ifndef LIDO_SRC_LOCK_INTERNAL_H
#define LIDO_SRC_LOCK_INTERNAL_H

#include "base/atomic.h"
#include "base/waiting.h"
#include "base/word.h"
#include "registry/registry.h"

#include <lido/lock.h>

enum { LIDO__WAITS_KEPT = 1000 };

/* Mapped when a thread first sleeps for the lock. */
struct lido__history {
    _Atomic(uint64_t) waits, wait_total_ns, wait_max_ns;
    _Atomic(uint64_t) blamed_ns;
    _Atomic(uint64_t) hold_samples, hold_total_ns, hold_max_ns;
    _Atomic(uint64_t) wait_ns[LIDO__WAITS_KEPT]; /* the newest at (waits - 1) % WAITS_KEPT */
};

enum { LIDO__IS_CREATED = 1 };

struct lido__lock_head {
    _Atomic(const char *) name;
    _Atomic(uint32_t) word;     /* mutex: P4; rwlock: see rwlock.c */
    _Atomic(uint32_t) class_at; /* row of its class, plus one; 0: not looked up yet */
    _Atomic(uint64_t) owner;    /* identity of who holds it alone; 0: nobody */
    _Atomic(const char *) site; /* where it was locked last */
    _Atomic(uint64_t) acquired; /* under the lock; by atomic add in an rwlock, as are the next */
    _Atomic(uint64_t) contended;
    _Atomic(uint64_t) told_acquired; /* what of them is in the row of the class; under `tables` */
    _Atomic(uint64_t) told_contended;
    _Atomic(uint64_t) waiting; /* n and A */
    _Atomic(uint64_t) charged; /* how much of the waiting time has been charged; under `tables` */
    _Atomic(uint64_t) given_up;
    _Atomic(struct lido__history *) history;
    uint32_t is_created;             /* LIDO__IS_CREATED: by lido_mutex_create */
    _Atomic(uint32_t) looks_in_vain; /* what it has learned: looks to save before sleeping */
};

enum { LIDO__SAMPLE_EVERY = 256, LIDO__TIME_EVERY = 1024 };

/* ---- figures.c --------------------------------------------------------------------------- */

/* The text of the class with this name, which lives as long as the process. */
const char *lido__class_name(const char *name);

/* Maps the history, if there is none and there may be one. */
void lido__history_prepare(struct lido__lock_head *lock);
void lido__history_end(struct lido__lock_head *lock);

void lido__blame_arrive(struct lido__lock_head *lock, uint64_t now_ns);
void lido__blame_depart(struct lido__lock_head *lock, uint64_t now_ns);

/* Brings counts into the class. The caller holds the lock. */
void lido__figures_tell(struct lido__lock_head *lock);
void lido__figures_waited(struct lido__lock_head *lock, const char *waits_at, const char *held_at,
                          uint64_t wait_ns, uint64_t now_ns);
void lido__figures_charge(struct lido__lock_head *lock, const char *held_at);

/* The end of an acquisition whose holding was timed. */
void lido__figures_held(struct lido__lock_head *lock);

lido_status lido__lock_stats(const struct lido__lock_head *lock, lido_lock_stats *stats);

/* ---- wait.c: sleeping for any lock ------------------------------------------------------- */

struct lido__lock_patience {
    uint64_t timeout_ns;  /* from the first wait; LIDO_FOREVER: the deadline alone counts */
    uint64_t deadline_ns; /* LIDO_FOREVER: none */
};

/* How a lock is taken or slept for; the rest is the same for all. */
struct lido__lock_way {
    const char *kind;
    bool has_street; /* its word is dropped by P4's rules */
    /* Takes it, or sees to it that who unlocks wakes this thread; *word is what to sleep on while it
     * holds *expected. */
    bool (*take_or_mark)(struct lido__lock_head *lock, enum lido__word_manner manner,
                         _Atomic(uint32_t) **word, uint32_t *expected);
    bool (*is_stuck)(const struct lido__wait *wait);
    bool (*is_gone)(struct lido__lock_head *lock); /* who has it will never unlock it */
    /* The thread goes away without it, after taking in that manner. is_gone: and so must everybody else, of whom some may have
     * looked before the holder ended, and be about to sleep on the mark that this one left. */
    void (*give_up)(struct lido__lock_head *lock, enum lido__word_manner manner, bool is_gone);
};

/* A thread that was woken in vain for so long has the word kept for sleepers (P4). */
enum { LIDO__STARVES_AFTER_NS = 1000000 };

lido_status lido__lock_sleep(struct lido__lock_head *lock, const struct lido__lock_way *way,
                             struct lido__lock_patience patience, const char *site);

/* Whether a lock that is held since before the fork that made this process has lost its holder. */
bool lido__lock_is_orphaned(bool is_older);

/* Writes the word of a mutex anew and wakes all, in the ending holder and in each who hears of it. */
void lido__mutex_mourn(struct lido__lock_head *lock);
/* A thread that has this rwlock ends. */
void lido__rwlock_mourn(struct lido__lock_head *head);

extern const lido_panel lido__mutex_panel;

/* Errors in words. */
lido_status lido__lock_fail_recursive(struct lido__lock_head *lock, const char *kind,
                                      const char *site);
lido_status lido__lock_fail_busy(struct lido__lock_head *lock, const char *kind, bool gives_up);
lido_status lido__lock_fail_not_held(struct lido__lock_head *lock, const char *kind);

static inline const char *lido__lock_name(const struct lido__lock_head *lock) {
    const char *name = lido__load(&lock->name, relaxed);
    return name ? name : "unnamed";
}

/* After taking the lock alone: who has it, from where, and how often that was. The rare ends are
 * calls in tail position, so that the usual path keeps no frame. Returns LIDO_OK. */
void lido__lock_holds_begin(void);
lido_status lido__lock_took_slowly(struct lido__lock_head *lock, const char *site);
lido_status lido__lock_sample(struct lido__lock_head *lock);
/* Has the holding timed of the lock that was taken last; with its tag. */
void lido__lock_time(uintptr_t tagged);

static inline lido_status lido__lock_note(struct lido__lock_head *lock, struct lido__holds *me,
                                          const char *site) {
    uint64_t acquired = lido__load(&lock->acquired, relaxed) + 1;
    lido__store(&lock->owner, me->self, relaxed);
    lido__store(&lock->site, site, relaxed);
    lido__holds_remember(me, lido__load(&lock->name, relaxed));
    lido__store(&lock->acquired, acquired, relaxed);
    if (__builtin_expect(acquired % LIDO__SAMPLE_EVERY == 0, 0))
        return lido__lock_sample(lock);
    return LIDO_OK;
}

static inline lido_status lido__lock_took(struct lido__lock_head *lock, const char *site) {
    struct lido__holds *me = &lido__holds;
    if (__builtin_expect(!lido__holds_push_mutex(me, (uintptr_t)lock, site), 0))
        return lido__lock_took_slowly(lock, site);
    return lido__lock_note(lock, me, site);
}

#endif
