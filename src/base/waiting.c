/* SPDX-License-Identifier: MIT
 * Holders and the graph of waits: see waiting.h. */
#include "base/waiting.h"

#include "base/fork.h"
#include "base/mutex.h"
#include "base/sys.h"
#include "base/thread.h"

_Thread_local struct lido__holds lido__holds __attribute__((tls_model("initial-exec")));

_Atomic(lido__holder_call) lido__on_death_of_holder;
_Atomic(lido__holder_call) lido__on_fork_of_holder;

/* ---- Identities -------------------------------------------------------------------------- */

enum { DEAD_MAX = 64 };

static _Atomic(uint64_t) next_serial;

/* Those who ended while they held a lock; the oldest are forgotten. */
static _Atomic(uint64_t) dead[DEAD_MAX];
static _Atomic(uint32_t) dead_count;

/* In a forked child: serials below this one are those of vanished threads, but for the survivor. */
static _Atomic(uint64_t) vanished_below;
static _Atomic(uint64_t) survivor;

bool lido__identity_is_gone(uint64_t identity) {
    if (identity == 0)
        return false;
    if (identity & LIDO__HAS_ENDED)
        return true;
    if (identity >> 32 < lido__load(&vanished_below, relaxed) &&
        identity != lido__load(&survivor, relaxed))
        return true;
    for (int i = 0; i < DEAD_MAX && lido__load(&dead_count, relaxed) > 0; i++)
        if (lido__load(&dead[i], acquire) == identity)
            return true;
    return false;
}

static void remember_dead(uint64_t identity) {
    uint32_t at = lido__add(&dead_count, 1, relaxed);
    lido__store(&dead[at % DEAD_MAX], identity, release);
}

/* For each lock that this thread holds. */
static void call_for_each(lido__holder_call call) {
    const struct lido__holds *me = &lido__holds;
    for (uint32_t i = me->top; i > 0 && call; i--)
        call(me->held[i].lock, me->held[i].site);
    if (call && (me->mutex & ~(uintptr_t)LIDO__TAGS) != 0)
        call(me->mutex, NULL);
}

/* Exit call of thread.h; at the end of a forked child's vanished threads it runs in another thread,
 * and concerns that one not. */
static void at_thread_exit(struct lido__thread *thread) {
    struct lido__holds *me = &lido__holds;
    if (thread != lido__thread_self || me->self == 0 || !lido__holds_any(me))
        return;
    remember_dead(me->self);
    call_for_each(lido__load(&lido__on_death_of_holder, relaxed));
}

/* ---- fork -------------------------------------------------------------------------------- */

static lido__mutex lock = LIDO__MUTEX_INIT;
static struct lido__wait *waits; /* guarded by lock */

static void fork_prepare(void) {
    lido__lock(&lock);
}

static void fork_parent(void) {
    lido__unlock(&lock);
}

static void fork_child(void) {
    lido__store(&vanished_below, lido__load(&next_serial, relaxed) + 1, relaxed);
    lido__store(&survivor, lido__holds.self, relaxed);
    waits = NULL;
    call_for_each(lido__load(&lido__on_fork_of_holder, relaxed));
    lido__unlock(&lock);
}

static struct lido__fork_client fork_client = {.prepare = fork_prepare,
                                               .parent = fork_parent,
                                               .child = fork_child,
                                               .order = LIDO__FORK_WAITING};

void lido__holds_begin(void) {
    struct lido__holds *me = &lido__holds;
    /* Serials begin with 1: no identity is 0. */
    uint64_t serial = lido__add(&next_serial, 1, relaxed) + 1;
    me->self = serial << 32 | (uint32_t)lido__sys.thread_id();
    lido__thread_on_exit(at_thread_exit);
    /* Without a record, or without handlers for fork, only the two stories told at death and in a
     * child are missing. */
    (void)lido__thread();
    (void)lido__fork_enter(&fork_client);
}

void lido__holds_begin_locks(void) {
    static const char none[] = "none"; /* a name that no lock has */
    struct lido__holds *me = &lido__holds;
    if (me->self == 0)
        lido__holds_begin();
    me->room = LIDO__HELD_MAX;
    me->mutex = LIDO__NO_MUTEX;
    me->recent[0] = none;
}

bool lido__holds_pop(const void *given, bool *was_timed) {
    struct lido__holds *me = &lido__holds;
    if ((me->mutex & ~(uintptr_t)LIDO__TAGS) == (uintptr_t)given) {
        *was_timed = (me->mutex & LIDO__TIMED) != 0;
        me->mutex = LIDO__NO_MUTEX;
        return true;
    }
    uint32_t at = lido__holds_find(me, given);
    if (at == 0)
        return false;
    *was_timed = (me->held[at].lock & LIDO__TIMED) != 0;
    for (me->top--; at <= me->top; at++)
        me->held[at] = me->held[at + 1];
    return true;
}

/* ---- The graph, with its lock held -------------------------------------------------------- */

bool lido__waiting_is_stuck(uint64_t identity) {
    for (const struct lido__wait *w = waits; w; w = w->next)
        if (w->self == identity)
            return w->stuck;
    return false;
}

bool lido__waiting_thread_is_stuck(uint32_t thread_id) {
    for (const struct lido__wait *w = waits; w; w = w->next)
        if (w->thread_id == thread_id)
            return w->stuck;
    return false;
}

bool lido__waiting_holder_is_stuck(const struct lido__wait *wait, const void *resource) {
    for (const struct lido__wait *w = waits; w; w = w->next)
        if (w != wait && w->stuck && lido__holds_find(w->who, resource))
            return true;
    return false;
}

/* Whether the newcomer is stuck when all is known. It stops as soon as that one is let go. */
static bool search(struct lido__wait *newcomer) {
    bool changed = true;
    for (struct lido__wait *w = waits; w; w = w->next)
        w->stuck = true;
    while (changed && newcomer->stuck) {
        changed = false;
        for (struct lido__wait *w = waits; w && newcomer->stuck; w = w->next)
            if (w->stuck && !w->is_stuck(w)) {
                w->stuck = false;
                changed = true;
            }
    }
    return newcomer->stuck;
}

static void unlink_wait(struct lido__wait *wait) {
    struct lido__wait **at = &waits;
    while (*at && *at != wait)
        at = &(*at)->next;
    if (*at)
        *at = wait->next;
}

/* ---- The graph --------------------------------------------------------------------------- */

bool lido__waiting_enter(struct lido__wait *wait, struct lido__wait *chain, int chain_max,
                         int *chain_count) {
    *chain_count = 0;
    wait->who = &lido__holds;
    wait->self = lido__holds.self;
    wait->thread_id = (uint32_t)lido__thread_id();
    lido__lock(&lock);
    wait->next = waits;
    waits = wait;
    bool is_endless = search(wait);
    if (is_endless) {
        /* Those without whom the newcomer would not be stuck: for a circle of locks, the circle. */
        for (int with = 1; with >= 0; with--)
            for (struct lido__wait *w = wait->next; w; w = w->next)
                if (w->stuck && wait->is_with(wait, w) == (with != 0)) {
                    if (*chain_count < chain_max)
                        chain[*chain_count] = *w;
                    ++*chain_count;
                }
        unlink_wait(wait);
    }
    lido__unlock(&lock);
    return !is_endless;
}

void lido__waiting_leave(struct lido__wait *wait) {
    lido__lock(&lock);
    unlink_wait(wait);
    lido__unlock(&lock);
}
