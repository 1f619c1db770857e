/* SPDX-License-Identifier: MIT
 * The fast paths: a block from this thread's magazine, and back into it.
 *
 * They write to this thread's store and magazine and to the block's first word, and read from the
 * pool what is fixed and from the map what changes when blocks are made. No locked instruction, no
 * line that two threads write, no call. What they cannot serve, they leave as it was. */
#ifndef LIDO_SRC_BLOCK_POOL_FAST_H
#define LIDO_SRC_BLOCK_POOL_FAST_H

#include "block_pool/canary.h"
#include "block_pool/pool.h"

#include "base/counter.h"

/* Of an exported function: may be copied into its callers when they are linked with LTO. clang has
 * no word for that. */
#ifdef __clang__
#define LIDO__MAY_INLINE
#else
#define LIDO__MAY_INLINE extern inline
#endif

/* Called from two places each, the fast one and the slow one's second try: a compiler that has the
 * choice would make a call of it. */
#define LIDO__ALWAYS_INLINE static inline __attribute__((always_inline))

/* &magazine->block[i], in bytes: written so, it becomes one address, not a sum. */
static inline _Atomic(void *) *lido__slot(struct lido__magazine *magazine, size_t i) {
    char *start = (char *)magazine + offsetof(struct lido__magazine, block);
    return (_Atomic(void *) *)(void *)(start + i * sizeof(void *));
}

/* P1, owner, both from within the gate. The block that came back last waits in `hot`, not on the stack:
 * its address is then one load away, where count and slot are two, one after the other; and the
 * processor lets no later load pass a store into a block whose address it does not know yet. What
 * the owner alone writes it reads plainly. */
static inline bool lido__magazine_pop(struct lido__store *store, struct lido__magazine *magazine,
                                      void **block) {
    void *hot = lido__load(&magazine->hot, relaxed);
    if (__builtin_expect((uintptr_t)hot > LIDO__HOT_NEVER, 1)) {
        bool is_due = lido__count_down(&store->left);
        if (__builtin_expect(is_due, 0))
            return false;
        *block = hot;
        lido__store(&magazine->hot, NULL, relaxed);
        return true;
    }
    size_t count = lido__load(&magazine->count, relaxed);
    if (__builtin_expect(count == 0, 0) || __builtin_expect(lido__count_down(&store->left), 0))
        return false;
    *block = lido__load(lido__slot(magazine, count - 1), relaxed);
    lido__store(&magazine->count, count - 1, relaxed);
    if (__builtin_expect(count <= lido__peek(&magazine->low), 0))
        lido__store(&magazine->low, count - 1, relaxed);
    return true;
}

static inline bool lido__magazine_push(struct lido__magazine *magazine, void *block) {
    /* Release, here and below: whoever looks for a block under the lock sees it if he sees this. */
    if (__builtin_expect(lido__load(&magazine->hot, relaxed) == NULL, 1)) {
        lido__store(&magazine->hot, block, release);
        return true;
    }
    size_t count = lido__load(&magazine->count, relaxed);
    if (__builtin_expect(count >= magazine->capacity, 0))
        return false;
    lido__store(lido__slot(magazine, count), block, relaxed);
    lido__store(&magazine->count, count + 1, release);
    return true;
}

/* The slow paths' forms, for any store. */
static inline void *lido__store_pop(struct lido__store *store) {
    void *block = NULL;
    bool has_one = lido__magazine_pop(store, lido__gate_enter(&store->gate), &block);
    lido__gate_leave(&store->gate);
    return has_one ? block : NULL;
}

static inline bool lido__store_push(struct lido__store *store, void *block, bool has_canary) {
    if (has_canary)
        lido__canary_set(block);
    bool is_in = lido__magazine_push(lido__gate_enter(&store->gate), block);
    lido__gate_leave(&store->gate);
    return is_in;
}

/* The store that this thread used last; it is the pool's if that is its owner. */
static inline struct lido__store *lido__store_last(void) {
    return (struct lido__store *)(void *)lido__near_last;
}

/* Whether a block of the pool that exists begins here. Where the stride divides the offset into q
 * parts, the product is q times what the rounding up added, so less than per_stride; where r bytes are
 * left over, r times per_stride more, and it does not come round to 0: slabs and strides are small
 * enough for that, (slab + stride) * stride <= 2^64. */
static inline bool lido__is_block(const struct lido_block_pool *pool, const void *block) {
    const size_t unit_size = sizeof(struct lido__unit);
    uintptr_t address = (uintptr_t)block;
    uintptr_t at = address / (LIDO__UNIT_BYTES / unit_size) & (LIDO__WINDOW_UNITS - 1) * unit_size;
    const struct lido__unit *unit =
        (const struct lido__unit *)(const void *)((const char *)pool->map.window + at);
    uintptr_t tagged = lido__peek(&unit->tagged);
#if UINTPTR_MAX <= UINT32_MAX
    if ((tagged & (LIDO__UNIT_BYTES - 1)) != pool->map.tag)
        return false;
#endif
    uintptr_t offset = address + pool->map.tag - tagged;
    return __builtin_expect(offset < lido__peek(&unit->carved_bytes), 1) &&
           offset * pool->per_stride < pool->per_stride;
}

LIDO__ALWAYS_INLINE bool lido__fast_acquire(struct lido_block_pool *pool, void **block) {
    struct lido__store *store = lido__store_last();
    if (__builtin_expect(lido__peek(&store->near.owner) != pool, 0))
        return false;
    bool has_one = lido__magazine_pop(store, lido__gate_enter_unfenced(&store->gate), block);
    lido__gate_leave(&store->gate);
    if (__builtin_expect(has_one, 1))
        lido__canary_clear(*block);
    return has_one;
}

/* The canary is set before the gate is entered, beside what the user wrote: stores to the same line, one after
 * the other, cost half. Without room it goes again, lest the slow call search for the block. */
LIDO__ALWAYS_INLINE bool lido__fast_release(struct lido_block_pool *pool, void *block) {
    struct lido__store *store = lido__store_last();
    if (__builtin_expect(lido__peek(&store->near.back) != pool, 0) ||
        __builtin_expect(!lido__is_block(pool, block), 0) ||
        __builtin_expect(lido__canary_is_set(block), 0))
        return false;
    lido__canary_set(block);
    bool is_in = lido__magazine_push(lido__gate_enter_unfenced(&store->gate), block);
    lido__gate_leave(&store->gate);
    if (__builtin_expect(!is_in, 0))
        lido__canary_clear(block);
    return is_in;
}

#endif
