/* SPDX-License-Identifier: MIT
 * P4, the lock word: a mutex in 32 bits, on which a thread can sleep.
 *
 *      FREE --take--> HELD --somebody goes to sleep--> SLEPT_ON
 *        ^              |                                  |
 *        +----drop------+--------------drop, wake one------+
 *
 * Whoever wants to sleep exchanges SLEPT_ON into the word: finding FREE there, it has the lock;
 * else it sleeps while the word is SLEPT_ON. Who drops exchanges FREE into it and wakes one thread
 * if SLEPT_ON was there. A thread that has slept takes with SLEPT_ON, because it cannot know whether
 * it was the last one; that costs one needless wake, and loses none. After the drop the dropper
 * touches the word no more: its memory may be gone, and the kernel takes the address as a name.
 *
 * Quiet streets. A locked instruction in drop would be half of what an uncontended pair costs, so
 * words for which nobody sleeps do without, by the gate's trick (P1) with roles exchanged. A word
 * belongs, by its address, to one of 64 streets:
 *
 *      dropper                            one who goes to sleep
 *      street is QUIET:                   arrive: QUIET -> QUIET + a sleeper
 *        word = FREE                      membarrier: a fence in every thread
 *        (barrier for the compiler)       QUIET off, for all in this street
 *        street still QUIET? done         exchange SLEPT_ON, sleep
 *        else wake one
 *
 * membarrier cuts the dropper's run in two. A drop before the cut has shown its FREE to the sleeper's
 * exchange; one after the cut finds a sleeper in the street, and exchanges; one that is cut between
 * its store and its second look sees the sleeper there, and wakes. After some thousand drops without
 * sleepers the street is quiet again. Streets are shared by unrelated words: that costs speed, never
 * a wake. Where membarrier is not to be had, no street becomes quiet; where it went away, who sleeps
 * looks up every millisecond.
 *
 *   I1  QUIET comes on only when nobody sleeps in the street (one CAS of both)
 *   I2  who finds QUIET on arriving passes the barrier before it takes it off; nobody else does
 *
 * While the process has one thread, taking and dropping are a load and a store, as in glibc. Should
 * it get a second thread while the word is held, that one finds HELD as ever: creating a thread
 * orders everything before it. The flag is read anew at each operation.
 *
 * Orders. Taking is an acquire and dropping a release: what the holder did is seen by the next one.
 * Nothing else is ordered by the word.
 *
 * Threads that come just then may take before those that sleep. Who sleeps is woken by each drop,
 * so none is forgotten; strict order would cost a switch of threads for every operation. */
#ifndef LIDO_SRC_BASE_WORD_H
#define LIDO_SRC_BASE_WORD_H

#include "base/atomic.h"

#include <stddef.h>

#if defined __has_include && !defined LIDO_ATOMIC_EXPLORE
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define LIDO__IS_ALONE() (__libc_single_threaded != 0)
#endif
#endif
#ifndef LIDO__IS_ALONE
#define LIDO__IS_ALONE() false
#endif

enum { LIDO__FREE = 0, LIDO__HELD = 1, LIDO__SLEPT_ON = 2 };

enum { LIDO__QUIET = 1, LIDO__SLEEPER = 2, LIDO__STREETS = 64 };

struct lido__street {
    _Alignas(
        64) _Atomic(uint32_t) state; /* QUIET, plus SLEEPER for each who sleeps or is about to */
    _Atomic(uint32_t) drops;         /* since somebody slept; about */
};

extern struct lido__street lido__streets[LIDO__STREETS];

/* Neighbouring locks are not in one street; their words lie 64 bytes or so apart. */
static inline struct lido__street *lido__street_of(const _Atomic(uint32_t) *word) {
    return &lido__streets[((uintptr_t)word >> 6) % LIDO__STREETS];
}

/* Takes the word if it is free. */
static inline bool lido__word_take(_Atomic(uint32_t) *word) {
    uint32_t seen = LIDO__FREE;
    if (LIDO__IS_ALONE()) {
        seen = lido__load(word, acquire);
        if (seen == LIDO__FREE)
            lido__store(word, LIDO__HELD, relaxed);
        return seen == LIDO__FREE;
    }
    return lido__cas(word, &seen, LIDO__HELD, acquire, relaxed);
}

/* Looks at the word for some hundred nanoseconds, and takes it if it becomes free. */
bool lido__word_spin(_Atomic(uint32_t) *word);

/* Around sleeping: arrive, then take_or_mark and sleep on SLEPT_ON by turns, then depart.
 * arrive returns false where drops may not see the sleeper: it must look up now and then. */
bool lido__word_arrive(_Atomic(uint32_t) *word);
void lido__word_depart(_Atomic(uint32_t) *word);
enum { LIDO__LOOK_UP_NS = 1000000 };

/* Takes the word, or leaves it such that its next drop wakes one who sleeps on it. */
static inline bool lido__word_take_or_mark(_Atomic(uint32_t) *word) {
    return lido__exchange(word, LIDO__SLEPT_ON, acquire) == LIDO__FREE;
}

/* Returns whether to wake one thread. */
bool lido__word_drop_loudly(_Atomic(uint32_t) *word);
static inline bool lido__word_is_quiet(const _Atomic(uint32_t) *word) {
    /* Relaxed: membarrier orders both looks. */
    return lido__load(&lido__street_of(word)->state, relaxed) == LIDO__QUIET;
}

static inline bool lido__word_drop_quietly(_Atomic(uint32_t) *word) {
    const struct lido__street *street = lido__street_of(word);
    lido__store(word, LIDO__FREE, release);
    lido__compiler_barrier();
    return lido__load(&street->state, relaxed) != LIDO__QUIET;
}

static inline bool lido__word_drop(_Atomic(uint32_t) *word) {
    return __builtin_expect(lido__word_is_quiet(word), 1) ? lido__word_drop_quietly(word)
                                                          : lido__word_drop_loudly(word);
}

/* In the child of a fork: those who slept are not here. */
void lido__word_in_child(void);

#endif
