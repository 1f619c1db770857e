/* SPDX-License-Identifier: MIT
 * P3, the private stack: one thread takes blocks from a stack and puts them back without a locked
 * instruction and without saying that it is at work, and yet another thread can take all of them, even
 * while the owner sleeps in the midst of it.
 *
 *      owner, acquire                       visitor, with the pool's lock
 *      block = top[-1]                      open = NULL                       (close)
 *      top = top - 1                        membarrier: a fence in every thread
 *      (barrier for the compiler only)      from `taken` to top all blocks are the visitor's;
 *      still open? then it is mine;         taken = top                       (take)
 *      if not, top = top + 1, and slow
 *
 *      owner, release                       owner, with the pool's lock
 *      open? if not, slow                   what is between `taken` and top moves to the bottom;
 *      top[0] = block; top = top + 1        open = pool                       (reopen)
 *
 * Why it holds: membarrier cuts the owner's run in two. An acquire that stored its top before the cut
 * has shown it to the visitor, who leaves that block alone. One that stored it after the cut looks after
 * the cut, too, finds the stack closed, and takes the step back: whether the visitor has that block or
 * left it above `taken` is the same to it. A release after the cut, at most one as the next one looks
 * first, leaves its block above `taken`: that block is still in the stack, where the owner or the next
 * visit finds it. So nobody waits for anybody, and no visit fails that passes its barrier.
 *
 * I1  top is written by its owner only, slots by him only; all else under the lock.
 * I2  A stack that is open has nothing taken; one that is taken stays closed until its owner reopens it.
 * I3  In a closed stack the blocks from `taken` to top are there, if top is higher.
 * I4  A visitor leaves the owner his magazine, for a release may be about to write a slot.
 * I5  The owner looks whether the stack is this pool's before he writes to it: it may be that of a pool
 *     which another thread is ending.
 *
 * Orders. top is stored with release and loaded with acquire by others: that carries the slots, and what
 * the owner wrote into blocks. The look is relaxed: the fence, in membarrier, makes it see.
 *
 * Without membarrier a store is `fenced`: its fast paths find it closed (hidden), and lido__store_pop
 * pays a fence. Not for signal handlers. After fork() the child does not believe the stacks of threads
 * that it has not: it looks at each block that it finds there. */
#ifndef LIDO_SRC_BLOCK_POOL_STACK_H
#define LIDO_SRC_BLOCK_POOL_STACK_H

#include "block_pool/canary.h"
#include "block_pool/pool.h"

#include "base/counter.h"

/* Called from two places each, the fast one and the slow one's second try: a compiler that has the
 * choice would make a call of it. */
#define LIDO__ALWAYS_INLINE static inline __attribute__((always_inline))

/* P3, owner, after his store to top: whether the stack is open to him no more. */
LIDO__ALWAYS_INLINE bool lido__stack_is_shut(struct lido__store *store, const void *open,
                                             bool is_fenced) {
#ifdef LIDO_GATE_FENCED
    is_fenced = true;
#endif
    if (is_fenced)
        lido__gate_full_fence();
    return lido__differs(&store->near.open, open);
}

/* The owner: takes many blocks down to `to`, which lies in the stack. False: nothing happened. */
LIDO__ALWAYS_INLINE bool lido__stack_lower(struct lido__store *store, lido__slot *from,
                                           lido__slot *to, const void *open, bool is_fenced) {
    lido__store(&store->top, to, release);
    if (__builtin_expect(!lido__stack_is_shut(store, open, is_fenced), 1))
        return true;
    lido__store(&store->top, from, release);
    return false;
}

static inline void lido__stack_raise(struct lido__store *store, lido__slot *top, void *block) {
    lido__store(top, block, relaxed);
    lido__store(&store->top, top + 1, release);
}

/* ---- With the lock held ------------------------------------------------------------------ */

static inline lido__slot *lido__stack_bottom(struct lido__store *store) {
    return store->is_taken ? store->taken : store->magazine->block;
}

/* How many blocks the stack has. While its owner works, as of some moment. */
static inline size_t lido__stack_count(struct lido__store *store) {
    lido__slot *top = lido__load(&store->top, acquire), *bottom = lido__stack_bottom(store);
    return top > bottom ? (size_t)(top - bottom) : 0;
}

/* The owner, of a stack that is open or about to be. */
static inline void lido__stack_set_count(struct lido__store *store, size_t count) {
    lido__slot *top = store->magazine->block + count;
    lido__store(&store->top, top, relaxed);
    lido__store(&store->low, top, relaxed);
    lido__store(&store->edge, store->pool->is_zeroed ? store->end : top, relaxed);
}

/* Visitor; the owner too. */
static inline void lido__stack_close(struct lido__store *store) {
    lido__store(&store->near.open, NULL, relaxed);
}

/* Visitor, of a closed stack and after his barrier: the blocks from `from` on are his. Returns how many. */
static inline size_t lido__stack_take(struct lido__store *store, lido__slot **from) {
    size_t count = lido__stack_count(store);
    *from = lido__stack_bottom(store);
    store->is_taken = true;
    store->taken = *from + count;
    return count;
}

/* The owner: what visitors left is all there is, at the bottom. To be opened next. */
static inline void lido__stack_gather(struct lido__store *store) {
    lido__slot *bottom = lido__stack_bottom(store), *first = store->magazine->block;
    size_t count = lido__stack_count(store);
    for (size_t i = 0; i < count; i++)
        lido__store(&first[i], lido__load(&bottom[i], relaxed), relaxed);
    store->is_taken = false;
    lido__stack_set_count(store, count);
}

/* The least that was here since the owner's last slow call. */
static inline size_t lido__stack_low(struct lido__store *store) {
    lido__slot *edge = lido__load(&store->edge, relaxed), *low = lido__load(&store->low, relaxed);
    if (store->is_taken)
        return 0;
    return (size_t)((edge < low ? edge : low) - store->magazine->block);
}

#endif
