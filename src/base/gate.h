/* SPDX-License-Identifier: MIT
 * P1, the owner gate: one thread works on a private store without a locked instruction, and yet
 * another thread can take the store from it, even while the owner sleeps.
 *
 *      owner                                visitor
 *      busy = 1                             store: S -> empty            (take)
 *      (barrier for the compiler only)      membarrier: a fence in every thread (barrier)
 *      S = store                            wait for busy == 0, boundedly      (settle)
 *      work on what S leads to              S is the visitor's
 *      busy = 0
 *
 * Why it holds: membarrier cuts the owner's run in two. An entry before the cut has shown its
 * busy = 1 to the visitor, who waits for its end; an entry after the cut finds `empty`.
 *
 * I1  Whoever found S in `store`, and nobody else, works on what is reachable from S; so a second
 *     magazine hangs on the first. The sentinel `empty` serves nobody: all fall to a slow path.
 * I2  `busy` and `fenced` are written by the owner only; `store` changes by CAS only, after init
 *     and apart from close and adopt.
 * I3  Between enter and leave the owner takes no lock and does not wait.
 * I4  take ... settle, close and adopt exclude each other by a lock of the client, under which
 *     visitors find gates. The owner needs it for close only.
 * I5  Work inside the gate takes effect by one store, so that adopt finds a whole state.
 *
 * Orders. busy = 0 is a release and settle's load of it an acquire: they carry the owner's work to
 * the visitor. swap is a release, and what finds its store an acquire (enter, take, swap): they
 * carry the contents to owner and visitor. What settle puts back is untouched, so needs no release.
 * busy = 1 is relaxed: the fence, here or in membarrier, makes it seen. tests/explore breaks each of
 * these in turn and sees it fail.
 *
 * A visitor who gives up puts S back, by CAS from `empty`. If that fails, the owner has swapped
 * something in, hence has left S for good (its CAS carries that), and S is the visitor's after all.
 *
 * Without membarrier (old kernel, seccomp) a gate is `fenced`: the owner pays a fence in enter.
 * When membarrier goes away later, visits of older gates fail until their owners have swapped.
 * -DLIDO_GATE_FENCED is the form to compare with: always a fence, never membarrier. The benches of block
 * and object pools build it and show it as "lido fenced".
 *
 * Not for signal handlers: one that enters its own thread's gate breaks I1 (asserted without
 * NDEBUG). Never visit for statistics: a visit interrupts every running thread of the process.
 * After fork() the child's busy flags of vanished threads mean nothing: adopt does not look. */
#ifndef LIDO_SRC_BASE_GATE_H
#define LIDO_SRC_BASE_GATE_H

#include "base/atomic.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct lido__gate {
    _Atomic(uint32_t) busy;   /* the owner is inside */
    _Atomic(uint32_t) fenced; /* the owner pays a fence on entering; never goes back to 0 */
    _Atomic(void *) store;    /* what the owner works on, or the client's `empty` */
} lido__gate;

void lido__gate_init(lido__gate *gate, void *store);

/* The light half of a fence pair, whose heavy half is lido__gate_barrier: what this thread stored
 * before, or what it loads after, is seen on one side or the other. */
void lido__gate_full_fence(void);
static inline void lido__gate_light_fence(lido__gate *gate) {
#ifdef LIDO_GATE_FENCED
    (void)gate;
    lido__fence(seq_cst);
#else
    lido__compiler_barrier();
    if (__builtin_expect(lido__load(&gate->fenced, relaxed) != 0, 0))
        lido__gate_full_fence();
#endif
}

/* Owner, fast path. Returns the store, which is the owner's until leave; `empty` when a visitor has
 * it. Orders: P1. */
static inline void *lido__gate_enter(lido__gate *gate) {
    assert(lido__load(&gate->busy, relaxed) == 0 && "gate entered twice: from a signal handler?");
    lido__store(&gate->busy, 1, relaxed);
    lido__gate_light_fence(gate);
    return lido__load(&gate->store, acquire);
}

/* For an owner who knows that the gate lacks no fence: it alone makes it so, in swap.
 *   lacks_fence         fast paths, which pay no fence, must not use what is behind the gate
 *   light_fence, enter  as above, without looking */
static inline bool lido__gate_lacks_fence(const lido__gate *gate) {
#ifdef LIDO_GATE_FENCED
    (void)gate;
    return false; /* they pay it */
#else
    return lido__load(&gate->fenced, relaxed) != 0;
#endif
}

static inline void lido__gate_light_fence_unfenced(void) {
#ifdef LIDO_GATE_FENCED
    lido__fence(seq_cst);
#else
    lido__compiler_barrier();
#endif
}

static inline void *lido__gate_enter_unfenced(lido__gate *gate) {
    lido__store(&gate->busy, 1, relaxed);
    lido__gate_light_fence_unfenced();
    return lido__load(&gate->store, acquire);
}

static inline void lido__gate_leave(lido__gate *gate) {
    lido__store(&gate->busy, 0, release);
}

/* Owner, slow path: puts `next` in the place of `seen`. False: a visitor has been here and `seen` is
 * there no more; nothing changed. A visitor puts back with it what he has changed. */
bool lido__gate_swap(lido__gate *gate, void *seen, void *next);

/* Visitor: take from any number of gates, then one barrier, then settle each.
 *   take     returns what was there, NULL when that was `empty`
 *   barrier  returns whether every thread has passed a fence
 *   settle   true: `taken` is the visitor's, with all that the owner did to it;
 *            false: the owner has it back, because it stayed busy for patience_ns or could not be
 *            reached by the barrier. Without NULL: settle is called for each store taken. */
void *lido__gate_take(lido__gate *gate, void *empty);
bool lido__gate_barrier(void);
bool lido__gate_settle(lido__gate *gate, void *empty, void *taken, bool reached,
                       uint64_t patience_ns);

/* Whether barrier can be expected to work. */
bool lido__gate_can_reach(void);

/* The owner at its end takes its store out for good. */
void *lido__gate_close(lido__gate *gate, void *empty);

/* The child of a fork takes the store of a thread that it does not have. */
void *lido__gate_adopt(lido__gate *gate, void *empty);

#endif
