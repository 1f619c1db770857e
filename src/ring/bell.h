/* SPDX-License-Identifier: MIT
 * R2, the bell: an event count. Threads sleep on it until something has changed that they cannot
 * name; who changes it pays one load of a line that nobody writes while nobody sleeps.
 *
 *      changer                             sleeper
 *      change (a release store)            crowd: one sleeper more               (enter)
 *      (barrier for the compiler only)     is_watched = RAISING, membarrier      (enter)
 *      is_watched? no: done                seen = word, one told less            (listen)
 *      fence                               fence
 *      crowd: sleepers not told yet?       look whether it has changed
 *      one told more, word + 1, unpark     no: park while word == seen
 *
 * Membarrier cuts the changer's run in two: a change before the cut is seen by the sleeper's look,
 * and after the cut the changer sees is_watched. As it costs some 20 us, is_watched stays up when the
 * sleepers have gone: until then a fence on either side does what membarrier does, and a thousand
 * changes that found nobody asleep take it down.
 *
 * I1  `crowd` counts sleepers and how many of them have been told and have not listened since. Told
 *     ones are never parked, or about to be woken: a told sleeper listens once more, and looks.
 * I2  So a changer who finds all sleepers told need not wake anybody: each will look after a fence
 *     that comes after the changer's.
 * I3  listen takes one off `told` and reads the word in one step under the lock. A sleeper that was
 *     told in between would park on the new word otherwise, told for ever.
 * I4  One change wakes one sleeper. Who got something and sees that there is more passes that on
 *     (src/ring/ring.c), because a change can be out of reach until an earlier one is done.
 * I5  is_watched goes from ON to OFF under the lock, when nobody sleeps, the descriptor is not armed,
 *     and nobody is about to say ON on the strength of a barrier passed earlier (`raisers`).
 *
 * Without membarrier from the start, is_watched is ON from the start. When membarrier goes away later,
 * it stays up too, but a changer may be under way who has not seen it: sleepers of such a bell look
 * every NAP_NS by themselves.
 *
 * The lock guards crowd and word (written), figures and is_watched; it is a resource's own lock. */
#ifndef LIDO_SRC_RING_BELL_H
#define LIDO_SRC_RING_BELL_H

#include "base/atomic.h"
#include "base/mutex.h"

#include <stdbool.h>
#include <stdint.h>

enum { LIDO__BELL_OFF, LIDO__BELL_RAISING, LIDO__BELL_ON };

struct lido__bell {
    lido__mutex lock;
    _Atomic(uint64_t) crowd;       /* sleepers, and above bit 32 those of them who were told */
    _Atomic(uint32_t) word;        /* what they park on */
    _Atomic(uint32_t) quiet;       /* changes in a row that found nobody; roughly counted */
    _Atomic(uint32_t) *is_watched; /* in a line that only this changes */
    uint32_t raisers;              /* threads between RAISING and ON */
    bool is_kept_up;               /* is_watched never goes back to OFF */
    bool must_nap;                 /* membarrier has failed: see above */
    _Atomic(uint32_t) is_armed;    /* the descriptor is to be signalled, once */
    int descriptor;                /* -1: none */
    uint64_t waits, timeouts;
};

/* is_watched is where changers look; nobody else uses the bell yet. */
void lido__bell_init(struct lido__bell *bell, _Atomic(uint32_t) *is_watched);
void lido__bell_end(struct lido__bell *bell);

/* The changer, after `count` changes. Orders: R2. */
void lido__bell_strike(struct lido__bell *bell, uint32_t count);
static inline void lido__bell_look(struct lido__bell *bell, const _Atomic(uint32_t) *is_watched,
                                   uint32_t count) {
    lido__compiler_barrier();
    if (__builtin_expect(lido__load(is_watched, relaxed) != LIDO__BELL_OFF, 0))
        lido__bell_strike(bell, count);
}

/* The sleeper:
 *     enter;  for (;;) { seen = listen; look, break;  in time = sleep(seen) };  leave */
void lido__bell_enter(struct lido__bell *bell);
uint32_t lido__bell_listen(struct lido__bell *bell);
bool lido__bell_sleep(struct lido__bell *bell, uint32_t seen, uint64_t deadline_ns);
void lido__bell_leave(struct lido__bell *bell, bool timed_out);

/* The descriptor's side of it: arm, look, poll. Disarm when the look found something. */
bool lido__bell_arm(struct lido__bell *bell);
void lido__bell_disarm(struct lido__bell *bell);

/* In the child of a fork, with the lock held, as prepare took it: nobody sleeps here. */
void lido__bell_in_child(struct lido__bell *bell);

static inline uint64_t lido__bell_sleepers(const struct lido__bell *bell) {
    return lido__load(&bell->crowd, relaxed) & UINT32_MAX;
}

#endif
