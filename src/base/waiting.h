/* SPDX-License-Identifier: MIT
 * Who waits for what, and who holds that: the graph in which a wait that can never end is found,
 * over locks and pools together, by the thread that is about to begin it.
 *
 *      thread A --holds--> lock 1 <--waits-- thread B --holds--> lease of a pool
 *          \                                                            ^
 *           +--------------------------- is about to wait --------------+       A gets DEADLOCK
 *
 * Only threads that wait stand in the graph, each with a record on its own stack; one lock guards
 * it. A circle is closed by the last of its threads that begins to wait: that one finds it,
 * because all others are there. Edges that point to running threads are no danger.
 *
 * A resource knows by whom a wait for it can be ended, and says so by the call is_stuck: true, if
 * nobody outside of the stuck threads can. A lock asks for its one holder; a pool, whose any holder
 * may release, asks for all of them. The search takes all that wait for stuck and lets go whoever is
 * not, until nothing changes (the greatest fixed point); who is left will never run again, and the
 * newcomer refuses to wait if it is among them.
 *
 * A thread that holds nothing of lido cannot be in a circle, and does not enter the graph: so
 * contention for a single lock pays nothing. Resources whose holdings are not counted in
 * lido__holds (leases can be released by any thread) set `enters` once for the thread.
 *
 * Identity. A thread is named by a number that is never used again in this process, and that the
 * forking thread keeps in its child: by it locks know their holders, and that a holder is no more. */
#ifndef LIDO_SRC_BASE_WAITING_H
#define LIDO_SRC_BASE_WAITING_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- What a thread holds ----------------------------------------------------------------- */

enum { LIDO__HELD_MAX = 8, LIDO__RECENT = 8 };

/* Tags in the low bits of a held lock's address: its holding is being timed; its kind, for the call at
 * death. */
enum { LIDO__TIMED = 1, LIDO__IS_RWLOCK = 2, LIDO__TAGS = 3 };

/* `mutex` of a thread that holds none there. */
enum { LIDO__NO_MUTEX = LIDO__TAGS };

/* Readable also when there is no memory for a record (thread.h), and in signal handlers of the same
 * thread. Static storage: no pointer to follow on the fast path of a lock.
 *
 * A mutex stands in `mutex` when it is the first; one store takes it in or out, and stores are what
 * an uncontended pair consists of. `held` is a stack for all others. */
struct lido__holds {
    uint64_t self;      /* identity: a serial number and, in the low half, the kernel's id */
    uintptr_t mutex;    /* with tags; 0 before this thread's first lock */
    uint32_t top;       /* locks in `held`: the last is held[top] */
    uint32_t room;      /* LIDO__HELD_MAX; 0 before this thread's first lock */
    uint32_t beyond;    /* locks held that found no room in `held` */
    uint32_t recent_at; /* of the newest in `recent`, modulo LIDO__RECENT */
    bool enters;        /* may hold what is not counted here */
    bool is_timing;     /* one of `mutex` and `held` is LIDO__TIMED */
    uint64_t timed_since_ns;
    struct lido__holding {
        uintptr_t lock; /* with tags */
        const char *site;
    } held[LIDO__HELD_MAX + 1]; /* [0] is nobody's, and spares the question whether any is held */
    const char *recent[LIDO__RECENT];
};

extern _Thread_local struct lido__holds lido__holds __attribute__((tls_model("initial-exec")));

/* Makes this thread known: gives it its identity, and an exit call. Needs no memory to succeed. */
void lido__holds_begin(void);
/* The same before its first lock. */
void lido__holds_begin_locks(void);

/* Enters a lock, with its tag, when there is room. */
static inline bool lido__holds_push(struct lido__holds *me, uintptr_t lock, const char *site) {
    uint32_t top = me->top + 1;
    if (__builtin_expect(top > me->room, 0))
        return false;
    me->held[top].lock = lock;
    me->held[top].site = site;
    me->top = top;
    return true;
}

/* A mutex, in the same way. */
static inline bool lido__holds_push_mutex(struct lido__holds *me, uintptr_t lock,
                                          const char *site) {
    if (__builtin_expect(me->mutex != LIDO__NO_MUTEX, 0))
        return lido__holds_push(me, lock, site);
    me->mutex = lock;
    return true;
}

/* Takes a mutex out, if it was taken last and its holding is not timed. */
static inline bool lido__holds_pop_mutex(struct lido__holds *me, const void *lock) {
    if (__builtin_expect(me->mutex == (uintptr_t)lock, 1)) {
        me->mutex = LIDO__NO_MUTEX;
        return true;
    }
    if (me->held[me->top].lock != (uintptr_t)lock)
        return false;
    me->top--;
    return true;
}

static inline bool lido__holds_any(const struct lido__holds *me) {
    return me->top > 0 || me->beyond > 0 || (me->mutex & ~(uintptr_t)LIDO__TAGS) != 0;
}

/* Remembers the class of a lock that is taken, if it is another one than the last time. */
static inline void lido__holds_remember(struct lido__holds *me, const char *name) {
    uint32_t at = me->recent_at;
    if (__builtin_expect(me->recent[at % LIDO__RECENT] == name, 1))
        return;
    me->recent[(at + 1) % LIDO__RECENT] = name;
    me->recent_at = at + 1;
}

/* Takes a lock out, wherever it stands. False: it does not, and if it is held it is among `beyond`. */
bool lido__holds_pop(const void *lock, bool *was_timed);

/* Where the lock stands in `held`; 0: nowhere. Not for mutexes. */
static inline uint32_t lido__holds_find(const struct lido__holds *who, const void *lock) {
    uint32_t at = who->top;
    while (at > 0 && (who->held[at].lock & ~(uintptr_t)LIDO__TAGS) != (uintptr_t)lock)
        at--;
    return at;
}

/* Stands in the identity of a thread that ended, where a lock says who has it: so it is known for
 * ever. Without it the last few dozens that ended with a lock are known. */
#define LIDO__HAS_ENDED (UINT64_C(1) << 63)

/* Whether a thread is gone that had this identity. While it lives the answer is no; a thread that
 * ended without holding a lock is not remembered. */
bool lido__identity_is_gone(uint64_t identity);

static inline uint64_t lido__identity_thread_id(uint64_t identity) {
    return (uint32_t)identity;
}

/* Called for each lock that an ending thread holds, in that thread; with its tags. Without a site for
 * `mutex`, which says itself where it was locked. */
typedef void (*lido__holder_call)(uintptr_t lock, const char *site);
extern _Atomic(lido__holder_call) lido__on_death_of_holder;
/* In the child of a fork, while there is one thread, for each lock that it holds. */
extern _Atomic(lido__holder_call) lido__on_fork_of_holder;

/* ---- Who waits ----------------------------------------------------------------------------- */

struct lido__wait {
    struct lido__wait *next;
    struct lido__holds *who;
    uint64_t self;      /* who->self */
    uint32_t thread_id; /* as slots of pools name it; in a forked child not that of its identity */
    const void *resource; /* what it waits for */
    const char *name;
    const char *site;
    /* Whether all who could end this wait are stuck. Called under the graph's lock: that of the
     * resource is inside of it, so nobody who holds one enters or leaves. */
    bool (*is_stuck)(const struct lido__wait *wait);
    /* Whether that other thread has what this one waits for; under the same locks. */
    bool (*is_with)(const struct lido__wait *wait, const struct lido__wait *other);
    bool stuck; /* lido__waiting's own */
};

/* Enters the graph, unless the wait could never end. True: leave it after the wait.
 * False: *chain (up to chain_max of chain_count) names the other waits of the circle, those of threads
 * that have what this one wants first. They are copies, good for messages. */
bool lido__waiting_enter(struct lido__wait *wait, struct lido__wait *chain, int chain_max,
                         int *chain_count);
void lido__waiting_leave(struct lido__wait *wait);

/* For is_stuck: whether the thread is among the stuck. False for one that does not wait. */
bool lido__waiting_is_stuck(uint64_t identity);
/* The same for a thread known by its kernel id. */
bool lido__waiting_thread_is_stuck(uint32_t thread_id);
/* For is_stuck: whether some stuck thread other than this wait's has the lock in `held`. */
bool lido__waiting_holder_is_stuck(const struct lido__wait *wait, const void *lock);

#endif
