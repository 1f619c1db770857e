/* SPDX-License-Identifier: MIT
 * P4, the lock word: a mutex in 32 bits, on which a thread can sleep.
 *
 *      FREE --take--> HELD --somebody goes to sleep--> HELD + SLEPT_ON
 *        ^              |                                     |
 *        +----drop------+-----------------drop, wake one------+
 *
 * Whoever wants to sleep marks the held word with SLEPT_ON, by a CAS that takes it instead where it
 * has become free, and sleeps while the word is as marked. Who drops writes FREE and wakes one thread
 * if it finds SLEPT_ON. A thread that has slept takes with SLEPT_ON, because it cannot know whether
 * it was the last one; that costs one needless wake, and loses none. After the drop the dropper
 * touches the word no more: its memory may be gone, and the kernel takes the address as a name.
 *
 * Before it sleeps a thread looks several times, with long rests between: each look takes the line
 * from the holder's CPU, so many looks make all of them slow, and a sleep costs more than eight rests.
 *
 * Kept for sleepers. Threads that come just then may take before those that sleep; strict order would
 * cost a switch of threads for every operation. Who was woken in vain for longer than it wants
 * (STARVED) adds KEPT to the word. From then on only threads that have slept take it, so each drop
 * serves the sleeper it wakes, until a starved one takes the word, and KEPT off. A word that is KEPT
 * and not held is on its way to a thread that was woken; who comes anew sleeps on it for LOOK_UP_NS at
 * most, and then counts as one that has slept: so nothing hangs on that thread (fork).
 *
 * Generation. Above the flags stands how many forks this process is away from the first one: of the
 * moment when the word was taken. A word of an older generation was held, or being taken or dropped,
 * when this process was made; what the forking thread held it has stamped anew. lido's own locks
 * (mutex.h) go without; fork takes them itself.
 *
 * Quiet streets. A locked instruction in drop would be half of what an uncontended pair costs, so
 * words for which nobody sleeps do without, by the gate's trick (P1) with roles exchanged. A word
 * belongs, by its address, to one of 64 streets:
 *
 *      dropper                            one who goes to sleep
 *      street is QUIET:                   arrive: QUIET -> QUIET + a sleeper
 *        word = FREE                      membarrier: a fence in every thread
 *        (barrier for the compiler)       QUIET off, for all in this street
 *        street still QUIET? done         mark SLEPT_ON, sleep
 *        else wake one
 *
 * membarrier cuts the dropper's run in two. A drop before the cut has shown its FREE to the sleeper's
 * CAS; one after the cut finds a sleeper in the street, and exchanges; one that is cut between
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
 * Nothing else is ordered by the word. */
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

enum {
    LIDO__FREE = 0,
    LIDO__HELD = 1,
    LIDO__SLEPT_ON = 2,
    LIDO__KEPT = 4,
    LIDO__GENERATION = 8 /* of the first child; the rest of the word counts them */
};

enum { LIDO__QUIET = 1, LIDO__SLEEPER = 2, LIDO__STREETS = 64 };

struct lido__street {
    _Alignas(
        64) _Atomic(uint32_t) state; /* QUIET, plus SLEEPER for each who sleeps or is about to */
    _Atomic(uint32_t) drops;         /* since somebody slept; about */
};

extern struct lido__street lido__streets[LIDO__STREETS] __attribute__((visibility("hidden")));

/* HELD, and the generation of this process. */
extern _Atomic(uint32_t) lido__word_held __attribute__((visibility("hidden")));

static inline bool lido__word_is_older(uint32_t seen) {
    return (seen & LIDO__HELD) != 0 && ((seen ^ lido__load(&lido__word_held, relaxed)) &
                                        ~(uint32_t)(LIDO__GENERATION - 1)) != 0;
}

/* Neighbouring locks are not in one street; their words lie 64 bytes or so apart. */
static inline struct lido__street *lido__street_of(const _Atomic(uint32_t) *word) {
    return &lido__streets[((uintptr_t)word >> 6) % LIDO__STREETS];
}

/* Takes the word if it is free, by writing `held` there. */
static inline bool lido__word_take(_Atomic(uint32_t) *word, uint32_t held) {
    uint32_t seen = LIDO__FREE;
    if (LIDO__IS_ALONE()) {
        seen = lido__load(word, acquire);
        if (seen == LIDO__FREE)
            lido__store(word, held, relaxed);
        return seen == LIDO__FREE;
    }
    return lido__cas(word, &seen, held, acquire, relaxed);
}

#ifndef LIDO_WORD_LOOKS
#define LIDO_WORD_LOOKS 8
#endif

/* Looks at the word up to so many times, some 4 us in all, and takes it if it becomes free. */
bool lido__word_spin(_Atomic(uint32_t) *word, uint32_t held, unsigned looks);

/* The same for one that was woken: it takes by take_or_mark. */
void lido__word_await(const _Atomic(uint32_t) *word);

/* Around sleeping: arrive, then take_or_mark and sleep on *expected by turns, then depart.
 * arrive returns false where drops may not see the sleeper: it must look up now and then. */
bool lido__word_arrive(_Atomic(uint32_t) *word);
void lido__word_depart(_Atomic(uint32_t) *word);
enum { LIDO__LOOK_UP_NS = 1000000 };

enum lido__word_manner {
    LIDO__COMES_ANEW,
    LIDO__HAS_SLEPT, /* of a thread that sleeps by turns */
    LIDO__IS_STARVED /* and longer than it wants */
};

/* Takes the word, or leaves it such that its next drop wakes one who sleeps on it while it is
 * *expected; for LOOK_UP_NS at most when that is KEPT alone. */
static inline bool lido__word_take_or_mark(_Atomic(uint32_t) *word, uint32_t held,
                                           enum lido__word_manner manner, uint32_t *expected) {
    uint32_t seen = lido__load(word, relaxed), next;
    bool is_free;
    do {
        bool is_held = (seen & LIDO__HELD) != 0;
        is_free = !is_held && (manner != LIDO__COMES_ANEW || seen == LIDO__FREE);
        next = seen;
        if (is_held)
            next |= LIDO__SLEPT_ON | (manner == LIDO__IS_STARVED ? LIDO__KEPT : 0);
        else if (is_free)
            next = held | (manner != LIDO__COMES_ANEW ? LIDO__SLEPT_ON : 0) |
                   (manner != LIDO__IS_STARVED ? seen & LIDO__KEPT : 0);
        *expected = next;
    } while (next != seen && !lido__cas(word, &seen, next, acquire, relaxed));
    return is_free;
}

/* A starved thread goes away without it. Returns whether to wake one thread. */
bool lido__word_give_up(_Atomic(uint32_t) *word);

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
