/* SPDX-License-Identifier: MIT
 * The lock that lido itself takes: held for a few instructions, never over a callback, a log
 * record, I/O or malloc. One name, so that what is under it can change in one place.
 *
 * It is a lock word (word.h) of four bytes. Threads wait in the system itself, not through the
 * table of sys.h: a lock of lido has no deadline, and a test that stops the clock must not take a
 * thread that waits for one for a thread that waits in a pool.
 *
 * It knows no owner: in the child of a fork, the thread that forked unlocks what it locked before.
 *
 * Lock order, outermost first: fork -> near -> graph of waits -> registry -> a resource's own lock
 * -> threads -> tables of locks -> log. */
#ifndef LIDO_SRC_BASE_MUTEX_H
#define LIDO_SRC_BASE_MUTEX_H

#include "base/atomic.h"

#ifndef LIDO_ATOMIC_EXPLORE

#include "base/word.h"

typedef struct lido__mutex {
    _Atomic(uint32_t) word;
} lido__mutex;

#define LIDO__MUTEX_INIT                                                                           \
    { 0 }

static inline void lido__mutex_init(lido__mutex *mutex) {
    lido__store(&mutex->word, LIDO__FREE, relaxed);
}

/* The slow ends of lock and unlock. */
void lido__word_wait(_Atomic(uint32_t) *word);
void lido__word_wake(_Atomic(uint32_t) *word);

static inline void lido__lock(lido__mutex *mutex) {
    if (__builtin_expect(!lido__word_take(&mutex->word, LIDO__HELD), 0))
        lido__word_wait(&mutex->word);
}

static inline void lido__unlock(lido__mutex *mutex) {
    if (__builtin_expect(lido__word_drop(&mutex->word), 0))
        lido__word_wake(&mutex->word);
}

#endif /* otherwise the explorer has defined them, and explores word.h by itself */
#endif
